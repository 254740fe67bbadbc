"""`python -m autograder report`, from the graded notebooks to the page and the tables."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import pytest
from nbgrader.api import Gradebook
from typer.testing import CliRunner, Result

from autograder.class_grading import ClassGrading
from autograder.cli import app
from autograder.gradebook import Course
from tests.grading.conftest import HandIn
from tests.grading.fixture_lesson import NAME
from tests.grading.helpers import LIMITS, RIGHT, submission
from tests.grading.quick_sandbox import QuickSandbox

WRONG = {**RIGHT, "scale": "def scale(x, factor):\n    return x + factor"}
STUDENTS = ("ottoline", "wilhelmina", "=evil()")


@pytest.fixture
def graded(course: Course, hand_in: HandIn) -> Course:
    """Three students with one mistake, and one who is only in the gradebook."""
    for student in STUDENTS:
        hand_in(student, submission(WRONG))
    run = ClassGrading(course, NAME, QuickSandbox(), LIMITS)
    list(run.grade(run.students(), run.executor(1)))
    with Gradebook(course.db_url) as book:
        book.update_or_create_student("s17", first_name="Peregrine", last_name="Took", email="pippin@example.org")
    return course


def report(course: Course, *arguments: object) -> Result:
    return CliRunner().invoke(app, ["report", "--course", str(course.root), *map(str, arguments)])


def test_page_and_tables_are_written_with_the_class_list_of_the_gradebook(graded: Course, tmp_path: Path) -> None:
    page, folder = tmp_path / "out" / "page.html", tmp_path / "tables"
    done = report(graded, "--html", page, "--csv", folder)
    assert done.exit_code == 0, done.output
    html = page.read_text(encoding="utf-8")
    assert "1 lesson, 4 students in the class." in html
    assert "3 submissions of 4 students" in html
    assert "<pre>def scale(x, factor):\n    return x + factor</pre>" in html
    assert "7 tables are in" in done.output
    with (folder / "marks.csv").open(encoding="utf-8-sig", newline="") as file:
        assert [row["student"] for row in csv.DictReader(file)] == ["'=evil()", "ottoline", "wilhelmina"]
    assert "What to teach again" in done.output
    assert "3 of 3 who answered: This adds the factor." in " ".join(done.output.split())
    again = folder / "marks.csv"
    before = again.read_bytes()
    assert report(graded, "--csv", folder).exit_code == 0
    assert again.read_bytes() == before


def test_the_same_page_comes_out_of_the_same_grades(graded: Course, tmp_path: Path) -> None:
    for name in ("a.html", "b.html"):
        assert report(graded, "--html", tmp_path / name).exit_code == 0
    assert (tmp_path / "a.html").read_bytes() == (tmp_path / "b.html").read_bytes()


def test_anonymous_names_nobody_on_the_terminal_in_the_page_or_in_the_tables(
    graded: Course, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", opened.append)
    done = report(graded, "--anonymous", "--open", "--csv", tmp_path / "tables")
    assert done.exit_code == 0, done.output
    page = graded.root / "report-anonymous.html"
    assert opened == [page.resolve().as_uri()]
    assert not (graded.root / "report.html").exists()
    texts = [done.output.replace(str(tmp_path), ""), page.read_text(encoding="utf-8")]
    texts += [path.read_text(encoding="utf-8-sig") for path in (tmp_path / "tables").iterdir()]
    for text in texts:
        assert not [name for name in (*STUDENTS, "evil", "Peregrine", "Took", "pippin", "s17") if name in text]
    assert len(set(re.findall(r"student [1-4]\b", texts[0]))) == 3  # the fourth is on the list and handed in nothing
    assert "Nobody is named" in texts[1]


def test_a_page_or_tables_that_cannot_be_written_are_an_error_that_says_so(graded: Course, tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("x", encoding="utf-8")
    for option in ("--csv", "--html"):
        done = report(graded, option, blocked / "within")
        assert done.exit_code == 2
        assert "Name another place to write to." in " ".join(done.output.split())
    assert blocked.read_text(encoding="utf-8") == "x"


def test_without_a_gradebook_the_class_is_whoever_handed_in(graded: Course, tmp_path: Path) -> None:
    (graded.root / "gradebook.db").unlink()
    assert report(graded, "--html", tmp_path / "page.html").exit_code == 0
    assert "3 students in the class" in (tmp_path / "page.html").read_text(encoding="utf-8")
    assert not (graded.root / "gradebook.db").exists()
    (graded.root / "gradebook.db").write_bytes(b"no database, but something else that stands in its place")
    assert report(graded, "--html", tmp_path / "page.html").exit_code == 0
    assert "3 students in the class" in (tmp_path / "page.html").read_text(encoding="utf-8")
