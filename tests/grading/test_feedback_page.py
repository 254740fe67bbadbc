"""The feedback page: what a student reads, from whichever command, and what never stands on it."""

from __future__ import annotations

import ast
import re
import shutil
from datetime import datetime
from html import unescape
from pathlib import Path
from typing import Any

import nbformat
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nbgrader.api import Gradebook
from typer.testing import CliRunner, Result

from autograder.class_grading import ClassGrading
from autograder.cli import app
from autograder.code_text import highlighted, plain
from autograder.feedback import files as feedback_files
from autograder.feedback.marks import CellMark, Marks
from autograder.feedback.page import page
from autograder.feedback.places import headings_above, taken_up
from autograder.feedback.text import late, own_words
from autograder.feedback.verdicts import for_student
from autograder.gradebook import Course
from autograder.lesson import LessonSource, grade_id, is_answer
from autograder.pipeline import grade_submission
from autograder.sandbox import CellRun, Request, Run, Sandbox
from course_lib import exercises
from tests.grading.conftest import HandIn
from tests.grading.fixture_lesson import HINTS, NAME
from tests.grading.helpers import LESSON, LIMITS, MODULE, RIGHT, SEED, as_bytes, cell, grade_one, submission
from tests.grading.quick_sandbox import QuickSandbox
from tests.grading.test_feedback import ACTIVE, Says
from tests.redteam.trial import active_parts

pytestmark = pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SAWarning")  # nbgrader's own queries
ADDS = {**RIGHT, "scale": "def scale(x, factor):\n    # <b>mine</b>\n    return x + factor"}
MARKS = Marks({}, {}, 0.0, 8.0, 0.0, None, None, 0.0)


def invoke(course: Course, *arguments: str) -> Result:
    return CliRunner().invoke(app, [*arguments, "--course", str(course.root)])


def grade(course: Course, *students: str, sandbox: Sandbox | None = None) -> None:
    run = ClassGrading(course, NAME, sandbox or QuickSandbox(), LIMITS)
    for student in students:
        grade_one(run, student)


def written(course: Course, student: str, lesson: str = NAME) -> str:
    return (course.folder("feedback", student, lesson) / f"{lesson}.html").read_text(encoding="utf-8")


def text(html: str) -> str:
    """What a reader sees, in one line."""
    bare = re.sub(r"<style>.*?</style>|<[^>]+>", " ", re.sub(r"</?span[^>]*>", "", html), flags=re.DOTALL)
    return re.sub(r"\s+([.,;:”])", r"\1", " ".join(unescape(bare).split())).replace("“ ", "“")


def expect_nothing_active(html: str) -> None:
    assert [part for part in active_parts(html) if part not in ("it displays <meta>", "it displays <style>")] == []
    assert html.count("<style") == 1
    assert "default-src 'none'" in html


def test_a_page_says_what_was_asked_and_received_which_mistake_it_was_and_where_to_look(
    course: Course, hand_in: HandIn
) -> None:
    def answer(notebook: Any) -> None:
        cell(notebook, "written").source = "It shrinks."

    hand_in("ada", submission(RIGHT))
    hand_in("bob", submission({"scale": ADDS["scale"], "centre": RIGHT["centre"]}, edit=answer))
    grade(course, "ada", "bob")
    done = invoke(course, "feedback")
    assert done.exit_code == 0, done.output
    assert "2 pages in feedback/STUDENT/LESSON/" in done.output
    html = written(course, "bob")
    shown = text(html)
    for told in (
        "Feedback for bob. 1 of 3 exercises is right.",
        "Exercises 2 6",
        "Written questions (not marked yet) 0 2",
        "Bonus (2 to be had; they come on top) 0",
        "Together 2 8",
        "✗ Not yet, 0 of 4 points",
        "Asked Multiply. scale(x, factor)",
        "Received def scale(x, factor): # <b>mine</b> return x + factor",
        "What happened Ordinary arrays, (3,). y[0] is wrong (3 of 3 entries differ).",
        "The mistake This adds the factor.",
        "Where to look Lesson 90, “Build scale”",
        "Hint 1 By hand. Hint 2 The rule.",
        "– Not answered, 0 of 2 bonus points",
        "Nothing is written in its answer cell yet.",
        "✓ Right, 2 of 2 points",
    ):
        assert told in shown, told
    assert "<b>mine" not in html
    assert HINTS[2].strip("`") not in shown  # nearly the code: it is left to the notebook
    assert "factor * x" not in shown  # nor is the reference there,
    assert "ada" not in html  # nor anybody else
    expect_nothing_active(html)
    assert "All 3 exercises are right." in text(written(course, "ada"))


def test_both_commands_write_the_same_page_and_what_release_feedback_needs(course: Course, hand_in: HandIn) -> None:
    prints = {**RIGHT, "scale": RIGHT["scale"] + "\nprint('dis' 'played')"}
    for student, answers in (("ada", prints), ("bob", ADDS)):
        folder = hand_in(student, submission(answers)).parent
        (folder / "timestamp.txt").write_text("2026-01-02 00:00:00 UTC")
        (folder / "submission_secret.txt").write_text(f"secret of {student}")
    hand_in("cy", b"not a notebook")
    grade(course, "ada", "bob", "cy")
    beside = {}
    for route in ("nbgrader", "ours"):
        if route == "nbgrader":
            done = course.api().generate_feedback(NAME)
            assert done["success"], done
        else:
            assert invoke(course, "feedback", NAME).exit_code == 0
        folder = course.root / "feedback"
        beside[route] = {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
        shutil.rmtree(folder)
    assert beside["nbgrader"] == beside["ours"]
    assert {path.name for path in beside["ours"]} == {f"{NAME}.html", "timestamp.txt", "submission_secret.txt"}
    assert beside["ours"][Path("bob", NAME, "submission_secret.txt")] == b"secret of bob"
    assert b"displayed" not in beside["ours"][Path("ada", NAME, f"{NAME}.html")]
    with (course.root / "nbgrader_config.py").open("a") as file:
        file.write("c.StudentView.show_outputs = True\n")
    assert invoke(course, "feedback", NAME).exit_code == 0
    assert "Displayed displayed" in text(written(course, "ada"))


def test_points_penalty_and_comments_are_those_of_the_gradebook(course: Course, hand_in: HandIn) -> None:
    def answer(notebook: Any) -> None:
        cell(notebook, "written").source = "# Because\n\nIt *shrinks*."

    path = hand_in("ada", submission(RIGHT, edit=answer))
    (path.parent / "timestamp.txt").write_text("2026-01-02 02:00:00 UTC")
    grade(course, "ada")
    with Gradebook(course.db_url) as book:
        book.update_or_create_assignment(NAME, duedate="2026-01-01 00:00:00 UTC")
        for name, points in (("written", 1.5), ("check_scale", 3.5)):
            mark = book.find_grade(name, NAME, NAME, "ada")
            mark.manual_score, mark.needs_manual_grade = points, False
        book.find_grade("check_centre", NAME, NAME, "ada").extra_credit = 0.5
        book.find_comment("scale", NAME, NAME, "ada").manual_comment = "Nice.\n<script>alert(1)</script>"
        book.find_comment("written", NAME, NAME, "ada").manual_comment = "Say more."
        notebook = book.find_submission_notebook(NAME, NAME, "ada")
        notebook.late_submission_penalty = 2.5
        book.db.commit()
        total = notebook.score - 2.5
    assert total == 3.5 + 2 + 2 + 1.5 + 0.5 - 2.5
    assert invoke(course, "feedback", NAME, "--student", "ada").exit_code == 0
    html = written(course, "ada")
    shown = text(html)
    for told in (
        "Exercises 5.5 6 Written questions 1.5 2 Bonus (2 to be had; they come on top) 2",
        "2 Added by your teacher 0.5 Late penalty −2.5 Together 7 8",
        "Due 2026-01-01 00:00 UTC. Handed in 2026-01-02 02:00 UTC, 1 day and 2 hours late.",
        "3.5 of 4 points, set by your teacher",
        "2 of 2 bonus points Asked",
        "Your teacher Nice. <script>alert(1)</script>",
        "1.5 of 2 points Received Because It shrinks. Your teacher Say more.",
    ):
        assert told in shown, (told, shown)
    assert "<em>shrinks</em>" in html
    expect_nothing_active(html)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(1, "1 minute"), (3_600, "1 hour"), (93_600, "1 day and 2 hours"), (2 * 86_400 + 59, "2 days and 1 minute")],
)
def test_how_late_something_came_is_said_in_words(seconds: float, words: str) -> None:
    assert late(seconds) == words


class Ends:
    """A sandbox in which the answer cell of `scale` ends in a state, and so does a cell of the learner's own."""

    def __init__(self, state: Any) -> None:
        self.state = state

    def run(self, request: Request) -> Run:
        cells = {
            each.index: CellRun(self.state if each.exercise == "scale" or each.role == "learner" else "ok")
            for each in request.cells
        }
        return Run(cells, b'{"not": "written by the check"}\n')


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ("timeout", ("Some of your code did not end within its time.", "… Out of time, 0 of 4", "loop that never ends",
                     "One of your own cells did not end in time.")),
        ("crashed", ("Some of your code ended Python itself.", "■ Ended Python, 0 of 4", "a recursion without an end",
                     "One of your own cells ended Python itself.")),
    ],
)  # fmt: skip
def test_what_ended_early_is_said_kindly(course: Course, hand_in: HandIn, state: str, words: tuple[str, ...]) -> None:
    def repeat(notebook: Any) -> None:
        twice = nbformat.from_dict(dict(cell(notebook, "scale")))
        twice.source, twice.id = "def scale(x, factor):\n    return 2", "again"
        notebook.cells.append(twice)

    hand_in("ada", submission({"scale": RIGHT["scale"]}, after={"scale": "x = 1"}, edit=repeat))
    grade(course, "ada", sandbox=Ends(state))
    assert invoke(course, "feedback").exit_code == 0
    shown = text(written(course, "ada"))
    for told in (*words, "scale was answered in 2 cells; the first one counts.", "Own cell 1 x = 1"):
        assert told in shown, told
    assert "written by the check" not in shown  # a note to the grader


def test_who_handed_in_something_else_or_nothing_reads_what_to_do(course: Course, hand_in: HandIn) -> None:
    hand_in("ada", b"not a notebook")
    (course.folder("submitted", "bob", NAME)).mkdir(parents=True)
    (course.folder("submitted", "bob", NAME) / f"{NAME} (1).ipynb").write_bytes(b"{}")
    hand_in("cy", submission())
    hand_in("dan", nbformat.v4.writes(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("x = 1")])).encode())
    grade(course, "ada", "bob", "cy", "dan")
    with Gradebook(course.db_url) as book:
        book.update_or_create_student("eve")
    assert invoke(course, "feedback", NAME).exit_code == 0
    assert not course.folder("feedback", "eve", NAME).exists()  # only where she is asked for
    assert invoke(course, "feedback", NAME, "--student", "eve").exit_code == 0
    for student, told in (
        ("ada", "The file could not be read as a notebook: "),
        ("bob", f"{NAME} (1).ipynb. Only a notebook of exactly that name is graded: rename it"),
        ("cy", "Nothing is answered here yet."),
        ("dan", f"The notebook has none of the answer cells of {NAME}. Is it that of another lesson?"),
        ("eve", "No notebook was handed in."),
    ):
        html = written(course, student)
        assert told in text(html), student
        assert "Multiply." in text(html)  # what the lesson asks stands there all the same
        expect_nothing_active(html)
    assert "Together 0 8" in text(written(course, "ada"))
    assert "Points" not in text(written(course, "eve"))


@pytest.fixture
def known_lesson(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exercises, "LESSONS", {**exercises.LESSONS, NAME: MODULE})


@pytest.mark.usefixtures("known_lesson")
@pytest.mark.parametrize(
    ("sandbox", "told"),
    [
        (Says(outcome="error", error="ValueError: SECRET 0.25 (line 3 of the cell)"), "a ValueError (line 3 of"),
        (Says(outcome="missing", error="SECRET"), "There is no function scale."),
        (Says(outcome="answered", value={"opaque": "SECRET"}), "it is an object of another kind."),
        (Says(outcome="answered", value="SECRET"), "it is a text"),
        (Says(outcome="answered", value=1, modified=["SECRET"]), "Its input was changed in place too"),
        (Says("ValueError: SECRET 0.25"), "The answer cell of scale stopped with a ValueError."),
    ],
)
def test_nothing_that_submitted_code_wrote_is_on_the_page(sandbox: Says, told: str) -> None:
    graded = grade_submission(as_bytes(submission({"scale": "scale = 1"})), LESSON, SEED, sandbox, LIMITS)
    html = page(for_student(graded.notebook), NAME, "ada", MARKS)
    assert told in text(html)
    assert "SECRET" not in html
    assert "0.25" not in html


@pytest.mark.usefixtures("known_lesson")
def test_outputs_are_there_only_where_the_teacher_lets_them_be_seen() -> None:
    prints = {**RIGHT, "scale": RIGHT["scale"] + "\nprint('\\x1b[31mhidden <b>input</b>')"}
    graded = grade_submission(as_bytes(submission(prints)), LESSON, SEED, QuickSandbox(), LIMITS)
    with_them = page(graded.notebook, NAME, "ada", MARKS)
    assert "<pre>hidden &lt;b&gt;input&lt;/b&gt;\n</pre>" in with_them
    assert "<pre>hidden" not in page(for_student(graded.notebook), NAME, "ada", MARKS)


@pytest.mark.parametrize("source", ACTIVE)
def test_a_written_answer_is_clean_even_where_nothing_was_put_apart(source: str) -> None:
    assert active_parts(own_words(source)) == []
    assert not re.search(r"<(?:a|img|h\d|b)\b", own_words(source))


@given(st.text("\r\n\t #'\"<>&;{}()=\\xdef01\x00\x1b\u202e\ufeff", max_size=60) | st.text(max_size=60))
def test_code_is_shown_as_it_is_and_nothing_else(source: str) -> None:
    html = highlighted(source)
    assert unescape(re.sub(r'<span class="\w+">|</span>', "", html)) == plain(source)
    assert set(re.findall(r"<[^>]*>", html)) <= {f'<span class="{look}">' for look in
                                                 ("key", "com", "str", "num", "def")} | {"</span>"}  # fmt: skip
    assert "\u202e" not in html


def test_code_without_an_end_is_cut_and_says_so() -> None:
    assert plain("x = 1\n" * 100_000).endswith("# (cut after 20,000 characters)")


def test_a_page_is_made_anew_and_says_what_is_not_up_to_date(course: Course, hand_in: HandIn) -> None:
    hand_in("ada", submission(ADDS))
    grade(course, "ada")
    assert invoke(course, "feedback").exit_code == 0
    hand_in("ada", submission(RIGHT))
    hand_in("bob", submission(RIGHT))
    again = invoke(course, "feedback")
    assert f"ada has handed in again since: `python -m autograder grade {NAME}`" in again.output
    assert f"{NAME}: 1 not graded yet (bob)" in again.output
    assert "This adds the factor." in written(course, "ada")
    grade(course, "ada")
    assert invoke(course, "feedback").exit_code == 0
    assert "This adds the factor." not in written(course, "ada")


def test_wrong_arguments_and_missing_grades_are_errors_that_say_what_to_do(course: Course, hand_in: HandIn) -> None:
    nothing = invoke(course, "feedback")
    assert nothing.exit_code == 2
    assert "Nothing is graded here yet" in nothing.output
    hand_in("ada", submission(RIGHT))
    waits = invoke(course, "feedback", NAME, "--student", "ada")
    assert waits.exit_code == 1
    assert f"ada is not graded yet: `python -m autograder grade {NAME}`" in waits.output
    grade(course, "ada")
    for arguments, told in (
        (("99_nothing",), "There is no lesson '99_nothing'"),
        ((NAME, "--student", "adda"), "There is no student 'adda'; graded in 90_fixture: ada."),
        ((NAME, "--student", "../ada"), "There is no student '../ada'"),
    ):
        done = invoke(course, "feedback", *arguments)
        assert (done.exit_code, told in done.output) == (2, True), done.output
    with Gradebook(course.db_url) as book:
        book.remove_submission(NAME, "ada")
    gone = invoke(course, "feedback", NAME)
    assert gone.exit_code == 1
    assert "The gradebook has no grades of ada" in gone.output
    assert not course.folder("feedback", "ada", NAME).exists()
    path = course.folder("autograded", "ada", NAME) / f"{NAME}.ipynb"
    path.write_bytes(as_bytes(submission(RIGHT)))  # by some other grader
    assert "was not graded here" in invoke(course, "feedback", NAME).output


def test_ctrl_c_leaves_whole_pages(course: Course, hand_in: HandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    for student in ("ada", "bob"):
        hand_in(student, submission(RIGHT))
    grade(course, "ada", "bob")
    write = feedback_files.write_atomically

    def stop_at_bob(path: Path, content: str | bytes) -> None:
        if "bob" in path.parts:
            raise KeyboardInterrupt
        write(path, content)

    monkeypatch.setattr(feedback_files, "write_atomically", stop_at_bob)
    done = invoke(course, "feedback", NAME)
    assert done.exit_code == 130
    assert "Stopped after 1 of 2 pages" in done.output
    assert written(course, "ada").endswith("</html>")
    assert not course.folder("feedback", "bob", NAME).exists()


def test_a_lesson_of_bonuses_alone_has_no_zero_to_be_measured_by(root: Path) -> None:
    name = "11_modern_optimizers"
    lesson = LessonSource.from_course(root, name)
    solved = nbformat.read(root / "solutions" / name / f"{name}.ipynb", as_version=4)
    graded = grade_submission(as_bytes(solved), lesson, SEED, QuickSandbox(), LIMITS)
    got = {f"check_{name}": CellMark(0.0, 0.0, points, by_hand=False, waiting=False) for name, points in
           graded.bonus.items()}  # fmt: skip
    marks = Marks(got, {}, 15.0, 0.0, 0.0, datetime(2026, 1, 1), None, 0.0)
    shown = text(page(for_student(graded.notebook), name, "ada", marks))
    assert "11 · Modern optimizers (optional): is the newest the best?" in shown
    assert "All 3 exercises are right." in shown
    assert "Bonus (15 to be had; they come on top) 15 Together 15 bonus only" in shown
    assert "of 0" not in shown


@pytest.mark.parametrize("name", [name for name in exercises.LESSONS if name[0] in "01"])
def test_the_signature_on_a_page_is_that_of_the_lesson_and_each_exercise_has_its_place(root: Path, name: str) -> None:
    released = nbformat.read(root / "lessons" / name / f"{name}.ipynb", as_version=4)
    html = feedback_files.nothing_handed_in(released, name, "ada")
    assert "No notebook was handed in." in html
    asked = {exercise.name: exercise for exercise in exercises.of_lesson(name)}
    for index, each in enumerate(released.cells):
        if each.cell_type == "code" and is_answer(each):
            exercise = asked.pop(grade_id(each))
            above = headings_above(released, index)
            assert len(above) == 3, above  # the lesson, its part, the exercise
            assert above[1] == "Build"
            assert exercise.name in above[2]
            stub = next(
                node for node in ast.parse(each.source).body if isinstance(node, ast.FunctionDef | ast.ClassDef)
            )
            if isinstance(stub, ast.FunctionDef):
                card = page_signature(released, name, exercise.name)
                assert card.replace(" ", "") == f"{stub.name}({ast.unparse(stub.args)})".replace(" ", "")
    assert asked == {}


def page_signature(released: Any, lesson: str, name: str) -> str:
    from autograder.feedback.page import Card

    exercise = next(each for each in exercises.of_lesson(lesson) if each.name == name)
    return Card(exercise, "wrong", 0, 0, False, (), "", "", None, "", "", None, "", "", ()).signature


def test_a_mistake_that_the_lesson_takes_up_is_found_there(root: Path) -> None:
    name = "04_adaptive_optimizers"
    lesson = nbformat.read(root / "lessons" / name / f"{name}.ipynb", as_version=4)
    assert taken_up(lesson, "t_from_zero") == ("What people get wrong", "t starts at 0.")
    assert taken_up(lesson, "no_bias_correction") == ("What people get wrong", "")
    assert taken_up(lesson, "decay_grows") is None
    mistaken = nbformat.from_dict(dict(lesson))
    mistaken.cells.append(nbformat.v4.new_code_cell('"decay_grows"', metadata={"tags": ["learner"]}))
    assert taken_up(mistaken, "decay_grows") is None  # a learner's cell is no place in the lesson
