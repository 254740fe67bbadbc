"""The line inside real nbgrader: autograde, feedback, the gradebook, manual grades, late penalties."""

from __future__ import annotations

import os
import re
import stat
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from nbgrader.api import Gradebook, MissingEntry

from autograder import gradebook
from autograder.class_grading import ClassGrading
from autograder.gradebook import Course, GradebookError
from autograder.sandbox.choice import choose
from autograder.seeds import secret_seed, seed_path
from tests.grading.conftest import HandIn
from tests.grading.fixture_lesson import NAME
from tests.grading.helpers import LESSON, LIMITS, RIGHT, cell, grade_one, submission
from tests.grading.quick_sandbox import QuickSandbox

pytestmark = pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SAWarning")  # nbgrader's own queries
MISTAKEN = {**RIGHT, "scale": "def scale(x, factor):\n    return x + factor"}
LATE = "c.AssignLatePenalties.plugin_class = 'tests.grading.helpers.HalfOff'\n"


def nbgrader(done: dict[str, Any]) -> None:
    assert done["success"], f"{done.get('error')}\n{done.get('log')}"


def autograde(course: Course, *students: str) -> None:
    for student in students:
        nbgrader(course.api().autograde(NAME, student))


def by_command(course: Course, *students: str) -> None:
    run = ClassGrading(course, NAME, QuickSandbox(), LIMITS)
    for student in students:
        grade_one(run, student)


ROUTES = pytest.mark.parametrize("grade", [autograde, by_command], ids=["nbgrader autograde", "autograder grade"])


def grades(course: Course, student: str) -> dict[str, tuple[float | None, float | None]]:
    """Automatic score and extra credit by cell."""
    with Gradebook(course.db_url) as book:
        found = book.find_submission(NAME, student).notebooks[0].grades
        return {grade.name: (grade.auto_score, grade.extra_credit) for grade in found}


def score(course: Course, student: str) -> float:
    with Gradebook(course.db_url) as book:
        return float(book.find_submission(NAME, student).score)


def test_autograde_and_feedback_give_the_line_s_grades(course: Course, hand_in: HandIn) -> None:
    def answer(notebook: Any) -> None:
        cell(notebook, "written").source = "<script>alert('hostile')</script> It shrinks."

    hostile = (
        RIGHT["scale"] + "\nfrom IPython.display import HTML\nHTML('<script>alert(\"hostile\")</script><i>kept</i>')"
    )
    hand_in("ada", submission({**RIGHT, "scale": hostile}, edit=answer))
    hand_in("bob", submission(MISTAKEN))
    hand_in("cy", b"not a notebook")
    nbgrader(course.api().generate_assignment(NAME))
    autograde(course, "ada", "bob", "cy")
    assert grades(course, "ada") == {
        "check_scale": (4, None),
        "check_centre": (2, None),
        "check_shift": (0, 2),
        "written": (None, None),
    }
    assert grades(course, "bob")["check_scale"] == (0, None)
    assert score(course, "bob") == 4
    assert set(grades(course, "cy").values()) == {(0, None), (0, 0)}
    with Gradebook(course.db_url) as book:
        needed = {
            grade.name: grade.needs_manual_grade for grade in book.find_submission(NAME, "ada").notebooks[0].grades
        }
    assert needed == {"check_scale": False, "check_centre": False, "check_shift": False, "written": True}

    nbgrader(course.api().generate_feedback(NAME))
    pages = {
        student: (course.folder("feedback", student, NAME) / f"{NAME}.html").read_text(encoding="utf-8")
        for student in ("ada", "bob", "cy")
    }
    assert "All 3 exercises are right." in pages["ada"]
    assert "<i>kept" not in pages["ada"]  # the output could show hidden inputs, and the answer's own code is text
    autograded = (course.folder("autograded", "ada", NAME) / f"{NAME}.ipynb").read_text(encoding="utf-8")
    assert '"<i>kept</i>"' in autograded
    for page in pages.values():  # it fetches nothing and runs nothing
        assert "<script" not in page
        assert re.search(r"<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none';", page)
        assert not re.findall(r"""(?:src|href)=["'](?!#|data:)""", page)
    assert "This adds the factor." in pages["bob"]
    assert "could not be read as a notebook" in pages["cy"]
    assert "solution" not in re.sub(r"<style.*?</style>", "", pages["bob"], flags=re.DOTALL).lower()


@pytest.mark.skipif(sys.platform == "win32", reason="links and pipes as on POSIX")
def test_of_a_submission_s_folder_only_the_notebook_reaches_autograded(course: Course, hand_in: HandIn) -> None:
    path = hand_in("ada", submission(RIGHT))
    (path.parent / "timestamp.txt").write_text("2026-01-02 00:00:00 UTC")
    (path.parent / "page.html").write_text("<script>alert(1)</script>")
    (path.parent / "gradebook.txt").symlink_to(course.root / "gradebook.db")
    (path.parent / "inner").mkdir()
    os.mkfifo(path.parent / "inner" / "pipe")
    nbgrader(course.api().generate_assignment(NAME))
    autograde(course, "ada")
    folder = course.folder("autograded", "ada", NAME)
    assert sorted(each.name for each in folder.rglob("*")) == [f"{NAME}.ipynb", "timestamp.txt"]
    assert score(course, "ada") == 8
    assert ClassGrading(course, NAME, QuickSandbox(), LIMITS).already_graded("ada") is not None


@pytest.mark.skipif(sys.platform == "win32", reason="links and pipes as on POSIX")
@pytest.mark.parametrize("kind", ["text", "pipe", "link"])
def test_a_timestamp_that_is_none_stops_nobody(course: Course, hand_in: HandIn, kind: str) -> None:
    path = hand_in("ada", submission(RIGHT)).parent / "timestamp.txt"
    if kind == "text":
        path.write_text("no time at all")
    elif kind == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to("/etc/passwd")
    nbgrader(course.api().generate_assignment(NAME))
    autograde(course, "ada")
    assert score(course, "ada") == 8
    by_command(course, "ada")
    assert score(course, "ada") == 8


@ROUTES
def test_manual_grades_and_comments_survive_regrading(
    course: Course, hand_in: HandIn, grade: Callable[..., None]
) -> None:
    hand_in("ada", submission(RIGHT))
    nbgrader(course.api().generate_assignment(NAME))
    grade(course, "ada")
    with Gradebook(course.db_url) as book:
        written = book.find_grade("written", NAME, NAME, "ada")
        written.manual_score = 1.5
        written.needs_manual_grade = False
        book.find_grade("check_scale", NAME, NAME, "ada").manual_score = 3.5
        book.find_comment("scale", NAME, NAME, "ada").manual_comment = "Nice."
        book.db.commit()
    hand_in("ada", submission(MISTAKEN))
    grade(course, "ada")
    with Gradebook(course.db_url) as book:
        assert book.find_grade("written", NAME, NAME, "ada").manual_score == 1.5
        checked = book.find_grade("check_scale", NAME, NAME, "ada")
        assert (checked.manual_score, checked.auto_score, checked.score) == (3.5, 0, 3.5)
        assert checked.needs_manual_grade
        assert book.find_comment("scale", NAME, NAME, "ada").comment == "Nice."
        assert book.find_submission(NAME, "ada").score == 1.5 + 3.5 + 2 + 2


def test_the_extra_credit_of_a_grader_survives_regrading_and_an_emptied_one_is_filled(
    course: Course, hand_in: HandIn, caplog: pytest.LogCaptureFixture
) -> None:
    def extra_credit(written: float | None = None, *, write: bool = False) -> float | None:
        with Gradebook(course.db_url) as book:
            grade = book.find_grade("check_shift", NAME, NAME, "ada")
            if write:
                grade.extra_credit = written
                book.db.commit()
            value: float | None = grade.extra_credit
            return value

    hand_in("ada", submission(RIGHT))
    nbgrader(course.api().generate_assignment(NAME))
    autograde(course, "ada")
    assert extra_credit() == 2
    hand_in("ada", submission({**RIGHT, "shift": "def shift(x, by):\n    return x"}))
    autograde(course, "ada")
    assert extra_credit() == 0  # what the autograder wrote itself follows the submission
    extra_credit(1.5, write=True)
    run = ClassGrading(course, NAME, choose(), LIMITS)
    _, notes = grade_one(run, "ada")
    assert extra_credit() == 1.5
    assert list(notes) == ["The extra credit of shift stays 1.5, as a grader wrote it; the autograder finds 0."]
    autograde(course, "ada")
    assert extra_credit() == 1.5
    extra_credit(None, write=True)
    autograde(course, "ada")
    assert extra_credit() == 0


@ROUTES
def test_late_penalties_count_the_bonus_each_time_anew(
    course: Course, hand_in: HandIn, grade: Callable[..., None]
) -> None:
    path = hand_in("ada", submission(RIGHT))
    (path.parent / "timestamp.txt").write_text("2026-01-02 00:00:00 UTC")
    with (course.root / "nbgrader_config.py").open("a") as file:
        file.write(LATE)
    late = Course(course.root)
    nbgrader(late.api().generate_assignment(NAME))
    with Gradebook(late.db_url) as book:
        book.update_or_create_assignment(NAME, duedate="2026-01-01 00:00:00 UTC")

    def penalty() -> float | None:
        grade(late, "ada")
        with Gradebook(late.db_url) as book:
            found: float | None = book.find_submission_notebook(NAME, NAME, "ada").late_submission_penalty
            return found

    assert penalty() == 4  # half of 6 and the bonus of 2
    assert penalty() == 4
    with Gradebook(late.db_url) as book:
        book.find_grade("check_scale", NAME, NAME, "ada").manual_score = 0
        book.db.commit()
    assert penalty() == 2  # of what is left: 2 and the bonus
    with Gradebook(late.db_url) as book:
        book.update_or_create_assignment(NAME, duedate="2026-03-01 00:00:00 UTC")
    assert penalty() is None


def test_the_assignment_is_created_without_touching_what_students_have(course: Course) -> None:
    gradebook.ensure_assignment(course, LESSON)
    with Gradebook(course.db_url) as book:
        assert {cell.name for cell in book.find_notebook(NAME, NAME).grade_cells} >= {"check_scale", "written"}
    assert not (course.root / "lessons").exists()
    gradebook.ensure_assignment(course, LESSON)


def test_a_lesson_that_nbgrader_cannot_release_is_an_error_that_says_so(course: Course) -> None:
    path = course.root / "solutions" / NAME / f"{NAME}.ipynb"
    path.write_text(path.read_text().replace("### END SOLUTION", "### END"))
    with pytest.raises(GradebookError, match="cannot create the assignment"):
        gradebook.ensure_assignment(course, LESSON)
    with Gradebook(course.db_url) as book, pytest.raises(MissingEntry):
        book.find_notebook(NAME, NAME)


def test_a_seed_is_drawn_once_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    where = f"sqlite:///{tmp_path / 'gradebook.db'}", tmp_path / "elsewhere"
    path = seed_path(*where, NAME)
    assert path == tmp_path / f"{NAME}.secret"
    seed = secret_seed(*where, NAME)
    assert secret_seed(*where, NAME) == seed
    assert secret_seed(*where, "other") != seed
    if sys.platform != "win32":
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.match("*.secret")
    assert secret_seed(*where, NAME, new=True) != seed
    path.write_text("")
    with pytest.raises(GradebookError, match="holds no seed"):
        secret_seed(*where, NAME)


def test_secrets_are_never_committed(root: Path) -> None:
    assert "*.secret" in (root / ".gitignore").read_text(encoding="utf-8").splitlines()
