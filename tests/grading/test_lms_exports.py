"""Marks go out as nbgrader counts them; Canvas, Moodle and spreadsheets read what was meant, whatever the names."""

from __future__ import annotations

import csv
import io
import json
import math
import os
import re
import stat
import subprocess
import sys
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nbgrader.api import Gradebook
from nbgrader.plugins import CsvExportPlugin
from typer.testing import CliRunner

from autograder.class_grading import ClassGrading
from autograder.cli import app
from autograder.gradebook import Course
from autograder.lms import canvas, csv_file, forms, json_file, moodle, plugins
from autograder.lms.cells import as_text, as_typed, number, runs
from autograder.lms.identifiers import ExportError
from autograder.lms.marks import Learner, Mark, MarkTable, NoMarksError, read_marks
from tests.grading import lms_readers
from tests.grading.conftest import HandIn
from tests.grading.fixture_lesson import NAME
from tests.grading.helpers import LIMITS, RIGHT, grade_one, submission
from tests.grading.lms_readers import ImportRefusedError
from tests.grading.quick_sandbox import QuickSandbox

FIRST, SECOND = "01_backpropagation", "02_loss_landscapes"
CLASS = (
    Learner("zoe", 'Zoë "Z"', "O'Brien", "zoe@example.org", "101"),
    Learner("mal", "=1+1", "@SUM(A1)", "mal@example.org", "102"),
    Learner("ann", "Ann;=2+2", "+Smith\n=3", "ann@example.org", "103"),
    Learner("bob", "\uff1d1+1", "  -Jones, B\\", "bob@example.org", "104"),
    Learner("pip", "Possible", "Points Possible", "pip@example.org", "105"),
    Learner("cat", "李", "小明", "cat@example.org", "106"),
)
TOTALS = {
    "zoe": (7.5, None),
    "mal": (0.0, 3.0),
    "ann": (None, 2.0),
    "bob": (1 / 3, 4.0),
    "pip": (5.0, 5.0),
    "cat": (9.0, 0.0),
}


def a_table(learners: tuple[Learner, ...] = CLASS, totals: dict[str, Any] | None = None) -> MarkTable:
    marks = {
        (student, lesson): Mark(automatic=points)
        for student, both in (totals or TOTALS).items()
        for lesson, points in zip((FIRST, SECOND), both, strict=True)
        if points is not None
    }
    return MarkTable({FIRST: 9.0, SECOND: 5.0}, learners, marks)


def canvas_course(learners: tuple[Learner, ...] = CLASS) -> lms_readers.Course:
    users = {int(each.lms_user_id): {"name": each.name, "sis login id": each.id} for each in learners}
    return lms_readers.Course(users, {71: FIRST})


def moodle_course(learners: tuple[Learner, ...] = CLASS) -> lms_readers.Course:
    fields = {each.id: {"email": each.email, "idnumber": each.lms_user_id, "username": each.id} for each in learners}
    return lms_readers.Course({int(each.lms_user_id): fields[each.id] for each in learners})


def expected(learners: tuple[Learner, ...] = CLASS, totals: dict[str, Any] | None = None) -> dict[int, Any]:
    return {
        int(each.lms_user_id): {
            lesson: None if points is None else pytest.approx(points, abs=1e-5)
            for lesson, points in zip((FIRST, SECOND), (totals or TOTALS)[each.id], strict=True)
        }
        for each in learners
    }


def assert_nothing_runs(content: str) -> None:
    """No cell is a formula, at whichever separator a spreadsheet takes the file apart."""
    for separator in ",;\t|":
        for row in csv.reader(io.StringIO(content.lstrip("\ufeff"), newline=""), delimiter=separator):
            for cell in row:
                bare = unicodedata.normalize("NFKC", cell.strip()).lstrip("\"' ") if cell[:1] != "'" else ""
                if bare[:1] in {"=", "+", "-", "@"} and bare != "-":
                    assert re.fullmatch(r"-\d+(\.\d+)?", bare), (separator, cell)
                if separator == ",":  # at another one a quotation mark in a name may span lines
                    assert not any(unicodedata.category(c) == "Cc" for c in cell), (separator, cell)


def test_canvas_reads_what_was_meant() -> None:
    done = canvas.export(a_table())
    assert_nothing_runs(done.content)
    found = lms_readers.canvas(done.content, canvas_course())
    assert found.marks == expected()
    assert (found.points, found.strangers) == ({FIRST: 9.0, SECOND: 5.0}, [])
    assert (done.rows, list(done.left), done.without) == (6, [], 0)
    rows = list(csv.reader(io.StringIO(done.content)))
    assert rows[0] == ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", FIRST, SECOND]
    assert rows[1] == ["    Points Possible", "", "", "", "", "9", "5"]
    assert ['O\'Brien, Zoë "Z"', "101", "", "", "", "7.5", ""] in rows
    assert ["'@SUM(A1),' =1+1", "102", "", "", "", "0", "3"] in rows


@pytest.mark.parametrize("new_items", [True, False])
@pytest.mark.parametrize(
    ("identifier", "heading", "column"),
    [("", "Email address", "email"), ("id-number", "ID number", "idnumber"), ("username", "Username", "username")],
)
def test_moodle_reads_what_was_meant(identifier: str, heading: str, column: str, new_items: bool) -> None:
    done = moodle.export(a_table(), identifier)
    assert_nothing_runs(done.content)
    found = lms_readers.moodle(done.content, moodle_course(), heading, column, new_items=new_items)
    assert found.marks == expected()
    rows = list(csv.reader(io.StringIO(done.content)))
    assert rows[0] == ["First name", "Last name", heading, FIRST, SECOND]
    assert [*rows[1][:2], *rows[1][3:]] != []
    assert [
        'Zoë "Z"',
        "O'Brien",
        {"email": "zoe@example.org", "idnumber": "101", "username": "zoe"}[column],
        "7.5",
        "-",
    ] in rows


def test_the_readers_refuse_what_the_systems_refuse() -> None:
    course = moodle_course()
    with pytest.raises(ImportRefusedError, match="usermappingerror"):
        lms_readers.moodle("Email address,x\nnobody@example.org,1\n", course, "Email address", "email", new_items=True)
    read = lms_readers.moodle(
        "Email address,x\nzoe@example.org,1\n,2\n", course, "Email address", "email", new_items=True
    )
    assert read.marks == {101: {"x": 2.0}}  # the trap that an empty identifier is
    with pytest.raises(ImportRefusedError, match="header"):
        lms_readers.canvas("Name,ID,Section,x\na,1,s,2\n", canvas_course())
    read = lms_readers.canvas("Student,ID,SIS Login ID,Section,x\nPoints Possible,101,,,2\n", canvas_course())
    assert read.marks == {}  # the trap that a name can be


def test_a_student_without_an_identifier_is_named_and_the_others_are_written() -> None:
    odd = (
        Learner("none", "No", "Id"),
        Learner("dup1", "A", "Twin", "twin@example.org", "7"),
        Learner("dup2", "B", "Twin", "TWIN@example.org", "7"),
        Learner("formula", "F", "F", "=1@example.org", "=8"),
        Learner("letters", "L", "L", "letters", "12abc"),
        Learner("space", "S", "S", " s@example.org", " 9"),
        Learner("absent", "Ab", "Sent", "absent@example.org", "10"),
        Learner("fine", "F", "Ine", "fine@example.org", "11"),
    )
    totals = {each.id: (1.0, None) for each in odd if each.id != "absent"} | {"absent": (None, None)}
    for system, words in ((canvas, "ID"), (moodle, "Email address")):
        done = system.export(a_table(odd, totals))
        reasons = {left.student: left.reason for left in done.left}
        assert set(reasons) == {"none", "dup1", "dup2", "formula", "letters", "space"}
        assert f"has no {words}" in reasons["none"]
        assert "autograder roster FILE" in reasons["none"]
        assert "the same" in reasons["dup1"]
        assert "would run as a formula" in reasons["formula"]
        assert (done.rows, done.without) == (1, 1)
        assert "Ine" in done.content
        for name in ("absent@", "twin", "12abc", "=8"):
            assert name not in done.content


@pytest.mark.parametrize("value", ["1,234", "12.5", "1.2.3", "50%", "-7,"])
def test_canvas_would_change_some_ids_so_they_are_refused(value: str) -> None:
    learner = Learner("x", "X", "Y", "", value)
    done = canvas.export(a_table((learner,), {"x": (1.0, 1.0)}), "sis-user-id")
    assert done.rows == 0
    assert [left.student for left in done.left] == ["x"]
    kept = canvas.export(a_table((Learner("x", lms_user_id="a1,b"),), {"x": (1.0, 1.0)}), "sis-user-id")
    course = lms_readers.Course({5: {"sis user id": "a1,b"}})
    assert lms_readers.canvas(kept.content, course).marks == {5: {FIRST: 1.0, SECOND: 1.0}}


def test_a_column_may_be_called_as_it_is_there() -> None:
    done = canvas.export(a_table(), columns={FIRST: "Slopes (71)"})
    assert lms_readers.canvas(done.content, canvas_course()).marks == expected()
    for system, heading in (
        (canvas, "Final Score"), (canvas, "Section"), (canvas, "=1"), (canvas, " "), (canvas, SECOND),
        (moodle, "Email address"), (moodle, "a\\"), (moodle, "@x"),
    ):  # fmt: skip
        with pytest.raises(ExportError):
            system.export(a_table(), columns={FIRST: heading})
    with pytest.raises(ExportError, match="is not exported"):
        canvas.export(a_table(), columns={"77_nothing": "x"})
    with pytest.raises(ExportError, match="there are email, id-number, username"):
        moodle.export(a_table(), "id")


def test_moodle_s_limits_are_told() -> None:
    (note,) = moodle.export(a_table(totals={**TOTALS, "zoe": (11.0, None)})).notes
    assert "above 9, up to 11" in note
    (note,) = moodle.export(a_table(totals={**TOTALS, "zoe": (101.0, None)})).notes
    assert "above 100" in note


ODD = st.text(
    st.sampled_from("=+-@\t\r\n\"',;|\\ aé\uff1d\uff0b\u2212\ufe63\u200bPoints Possible0.(1)")
    | st.characters(codec="utf-8"),
    max_size=12,
)
IDS = st.lists(st.integers(1, 10**9), min_size=1, max_size=6, unique=True)
POINTS = st.none() | st.floats(0, 90)


@st.composite
def classes(draw: st.DrawFn) -> MarkTable:
    numbers = draw(IDS)
    learners = tuple(Learner(f"s{n}", draw(ODD), draw(ODD), f"s{n}@example.org", str(n)) for n in numbers)
    return a_table(learners, {each.id: (draw(POINTS), draw(POINTS)) for each in learners})


@given(classes())
def test_whatever_the_names_marks_reach_their_owners_and_nothing_runs(table: MarkTable) -> None:
    learners = tuple(table.learners)
    present = [each for each in learners if any(table.of(each).values())]
    marks = {
        int(each.lms_user_id): {
            lesson: None if mark is None else pytest.approx(mark.total, abs=1e-5)
            for lesson, mark in table.of(each).items()
        }
        for each in present
    }
    for_canvas, for_moodle = canvas.export(table), moodle.export(table)
    for_people = csv_file.export(table)
    for done in (for_canvas, for_moodle, for_people):
        assert_nothing_runs(done.content)
    assert lms_readers.canvas(for_canvas.content, canvas_course(learners)).marks == marks
    read = lms_readers.moodle(for_moodle.content, moodle_course(learners), "Email address", "email", new_items=True)
    assert read.marks == marks
    assert for_canvas.rows + for_canvas.without == len(learners)
    assert [s["last_name"] for s in json.loads(json_file.export(table).content)["students"]] == [
        each.last_name for each in learners
    ]


@given(ODD)
def test_what_was_made_text_can_be_read_back(text: str) -> None:
    plain = "".join(" " if unicodedata.category(c) == "Cc" else c for c in text)
    assert as_typed(as_text(text)) == plain
    assert (as_text(text) == text) == (not runs(text))


def test_numbers_have_a_point_and_no_more_places_than_needed() -> None:
    values = {
        7.0: "7",
        7.5: "7.5",
        -0.0: "0",
        1 / 3: "0.33333",
        1e-9: "0",
        123456.789: "123456.789",
        -1.5: "-1.5",
    }
    assert {value: number(value) for value in values} == values


@pytest.fixture
def book(empty_gradebook: Path, tmp_path: Path) -> Iterator[Gradebook]:
    """A gradebook with every kind of mark."""
    path = tmp_path / "gradebook.db"
    path.write_bytes(empty_gradebook.read_bytes())
    with Gradebook(f"sqlite:///{path}") as found:
        for lesson in (FIRST, SECOND, "00_warm_up"):
            found.add_assignment(lesson, duedate="2026-01-10")
            found.add_notebook(lesson, lesson)
            worth = 0 if lesson == "00_warm_up" else 6
            for name, points, kind in (
                ("core", worth, "code"),
                ("bonus", 0, "code"),
                ("written", worth / 2, "markdown"),
            ):
                found.add_grade_cell(name, lesson, lesson, max_score=points, cell_type=kind)
        for student in ("ada", "bob", "cy"):
            found.add_student(student, first_name=student.title(), last_name="X", email=f"{student}@example.org")
        yield found


def grade(book: Gradebook, lesson: str, student: str, penalty: float | None = None, **cells: Any) -> None:
    submission = book.add_submission(lesson, student, timestamp="2026-01-12 10:00:00")
    submission.notebooks[0].late_submission_penalty = penalty
    for name, (auto, manual, extra, waits) in cells.items():
        found = book.find_grade(name, lesson, lesson, student)
        found.auto_score, found.manual_score, found.extra_credit, found.needs_manual_grade = auto, manual, extra, waits
    book.db.commit()


def graded(book: Gradebook) -> None:
    done = {"core": (5.0, None, None, False), "bonus": (0.0, None, 2.0, False), "written": (None, None, None, True)}
    grade(book, FIRST, "ada", 1.5, **done)
    grade(book, FIRST, "bob", 9.0, **{**done, "core": (5.0, 1.0, 0.5, False), "written": (None, 2.5, None, False)})
    grade(book, SECOND, "ada", **{**done, "written": (None, None, 3.0, True)})
    grade(book, "00_warm_up", "ada", core=(0.0, None, None, False), written=(None, None, None, True))


def test_marks_are_what_nbgrader_counts(book: Gradebook, tmp_path: Path) -> None:
    graded(book)
    table = read_marks(book)
    assert dict(table.max_scores) == {FIRST: 9.0, SECOND: 9.0}
    assert table.left_out == ["00_warm_up"]
    marks = {key: (m.automatic, m.manual, m.bonus, m.penalty, m.waiting, m.total) for key, m in table.marks.items()}
    assert marks == {
        ("ada", FIRST): (5.0, 0.0, 2.0, 1.5, 1, 5.5),
        ("ada", SECOND): (5.0, 0.0, 2.0, 0.0, 1, 7.0),
        ("bob", FIRST): (0.0, 3.5, 2.5, 9.0, 0, 0.0),
    }
    assert table.waiting == {FIRST: 1, SECOND: 1}
    stock = CsvExportPlugin()
    stock.to = str(tmp_path / "stock.csv")
    stock.export(book)
    theirs = {
        (row["student_id"], row["assignment"]): float(row["score"])
        for row in csv.DictReader(io.StringIO(Path(stock.to).read_text()))
        if row["timestamp"] and row["assignment"] != "00_warm_up"
    }
    assert theirs == {key: mark.total for key, mark in table.marks.items()}
    named = read_marks(book, ["0", "2"], ["ada"])
    assert named.waiting == {SECOND: 1}  # an answer that carries no points keeps nobody waiting
    assert (list(named.max_scores), [each.id for each in named.learners]) == (["00_warm_up", SECOND], ["ada"])


def test_a_table_for_people_and_one_for_programs(book: Gradebook) -> None:
    graded(book)
    table = read_marks(book)
    content = csv_file.export(table).content
    assert content.startswith("\ufeffstudent,")
    rows = {(row["student"], row["lesson"]): row for row in csv.DictReader(io.StringIO(content.lstrip("\ufeff")))}
    assert len(rows) == 6
    bob = rows["bob", FIRST]
    assert [bob[key] for key in csv_file.COLUMNS[6:13]] == [
        "2026-01-12T10:00:00Z", "0", "3.5", "2.5", "9", "0", "9",
    ]  # fmt: skip
    assert rows["cy", FIRST]["total"] == rows["cy", FIRST]["bonus"] == ""
    assert rows["ada", FIRST]["needs_manual_grading"] == "1"
    data = json.loads(json_file.export(table).content)
    assert data["lessons"] == [{"name": FIRST, "max_score": 9.0}, {"name": SECOND, "max_score": 9.0}]
    by_id = {each["id"]: each for each in data["students"]}
    assert by_id["cy"]["marks"] == {FIRST: None, SECOND: None}
    assert by_id["ada"]["marks"][FIRST]["needs_manual_grading"] == 1
    assert by_id["ada"]["marks"][FIRST]["total"] == 5.5


def test_what_cannot_be_exported_is_told(book: Gradebook) -> None:
    with pytest.raises(NoMarksError, match="Nothing is graded"):
        read_marks(book)
    graded(book)
    with pytest.raises(NoMarksError, match="no lesson '77'"):
        read_marks(book, ["77"])
    with pytest.raises(NoMarksError, match="no student 'eve'"):
        read_marks(book, students=["eve"])
    book.find_grade("core", FIRST, FIRST, "ada").auto_score = math.inf
    book.db.commit()
    with pytest.raises(NoMarksError, match="no number"):
        read_marks(book)


def run(course: Path, *words: str) -> Any:
    return CliRunner().invoke(app, ["export", *words, "--course", str(course)], env={"COLUMNS": "300"})


def test_the_command_writes_marks_of_a_graded_class(course: Course, hand_in: HandIn, tmp_path: Path) -> None:
    for student in ("ada", "bob"):
        hand_in(student, submission({**RIGHT, "written": "Because."}))
        grade_one(ClassGrading(course, NAME, QuickSandbox(), LIMITS), student)
    with Gradebook(course.db_url) as book:
        book.update_or_create_student("ada", first_name="=1+1", last_name="O'Brien", email="a@b.c")
    hand_in("late", submission(RIGHT))
    target = tmp_path / "out" / "canvas.csv"
    nothing = run(course.root, "--to", "canvas", "--output", str(target))
    assert (nothing.exit_code, target.exists()) == (2, False)
    assert "Nothing is written: no student could be in it." in nothing.output
    with Gradebook(course.db_url) as book:
        book.update_or_create_student("ada", lms_user_id="17")
    done = run(course.root, "--to", "canvas", "--output", str(target))
    assert done.exit_code == 1, done.output
    assert "left out: bob has no ID (lms_user_id in the gradebook); `python -m autograder roster FILE`" in done.output
    assert f"{NAME}: 2 students with written answers that need manual grading" in done.output
    assert f"{NAME}: 1 student handed in and not graded (late); `python -m autograder grade {NAME}`" in done.output
    assert f"1 student in {NAME}; left out: 1." in done.output
    (row,) = list(csv.reader(io.StringIO(target.read_text())))[2:]
    assert row == ["O'Brien,' =1+1", "17", "", "", "", "8"]
    if sys.platform != "win32":
        assert stat.S_IMODE(target.stat().st_mode) == 0o600
    done = run(course.root, "90", "--to", "moodle", "--output", str(tmp_path / "m.csv"), "--identifier", "username")
    assert done.exit_code == 0, done.output
    assert "bob,8" in (tmp_path / "m.csv").read_text()
    for form in ("csv", "json"):
        done = run(course.root, "--to", form, "--output", str(tmp_path / form))
        assert (done.exit_code, (tmp_path / form).exists()) == (0, True)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--to", "csv", "--student"], "are for pages"),
        (["--to", "json", "--open"], "are for pages"),
        (["--to", "csv", "--identifier", "id"], "are for canvas and moodle"),
        (["--column", "a=b"], "are for canvas and moodle"),
        (["--to", "excel"], "'pages', 'csv', 'canvas', 'moodle', 'json'"),
        (["--to", "csv"], "There is no gradebook"),
    ],
)
def test_what_does_not_go_together_is_told(words: list[str], said: str, tmp_path: Path) -> None:
    done = run(tmp_path, *words)
    assert done.exit_code == 2
    assert said in " ".join(re.sub(r"[│╭╮╰╯─]", " ", done.output).split())
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("form", ["canvas", "moodle", "csv", "json"])
def test_nbgrader_s_plugins_export_the_same(book: Gradebook, tmp_path: Path, form: str) -> None:
    graded(book)
    exporter = getattr(plugins, f"{form.title()}Exporter")()
    exporter.to = str(tmp_path / form)
    exporter.assignment = [FIRST]
    if form == "canvas":  # nobody has an ID yet
        with pytest.raises(SystemExit) as ended:
            exporter.export(book)
        assert (ended.value.code, (tmp_path / form).exists()) == (2, False)
        book.update_or_create_student("ada", lms_user_id="1")
        with pytest.raises(SystemExit) as ended:
            exporter.export(book)
        assert (ended.value.code, (tmp_path / form).exists()) == (1, True)
        book.update_or_create_student("bob", lms_user_id="2")
    exporter.export(book)
    ours = forms.export(read_marks(book, [FIRST]), form)
    assert (tmp_path / form).read_bytes() == ours.content.encode()


def test_nbgrader_s_command_finds_them(book: Gradebook, tmp_path: Path, root: Path) -> None:
    graded(book)
    (tmp_path / "nbgrader_config.py").write_text(
        f"c = get_config()\nc.MoodleExporter.columns = {{{FIRST!r}: 'L1'}}\nc.MoodleExporter.identifier = 'username'\n"
    )
    command = [sys.executable, "-m", "nbgrader", "export", "--exporter=autograder.lms.plugins.MoodleExporter"]
    done = subprocess.run(
        [*command, "--to", "out.txt", "--assignment", FIRST],
        cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(root)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    ours = forms.export(read_marks(book, [FIRST]), "moodle", "username", {FIRST: "L1"})
    assert (tmp_path / "out.txt").read_bytes() == ours.content.encode()
    assert "need manual grading" in done.stderr
