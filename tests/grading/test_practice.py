"""Lesson 00, which is ungraded, through the whole line: outcomes and mistakes are told, and nothing gives a point."""

from __future__ import annotations

import copy
import shutil
from pathlib import Path

import nbformat
import pytest
from nbformat import NotebookNode
from nbgrader.api import Gradebook
from typer.testing import CliRunner

from autograder.cli import app
from autograder.gradebook import Course
from autograder.lesson import LessonSource
from tests.grading.helpers import as_bytes, cell
from tests.grading.test_commands import read_strictly

pytestmark = pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SAWarning")  # nbgrader's own queries
NAME = "00_warm_up"
RIGHT = {
    "slope": "def slope(f, x, h):\n    return (f(x + h) - f(x - h)) / (2 * h)",
    "loss_and_slope": "def loss_and_slope(w, x, t):\n    e = w * x - t\n    return e * e, 2 * x * e",
    "affine": "def affine(X, W, b):\n    return np.dot(X, W) + b",
    "row_shares": "def row_shares(X):\n    return (X.T / X.sum(axis=1)).T",
}
MISTAKEN = {
    **RIGHT,
    "slope": "def slope(f, x, h):\n    return (f(x + h) - f(x)) / h",
    "row_shares": "from course_lib.losses import softmax as row_shares",
}


@pytest.fixture
def warm_up(tmp_path: Path, root: Path, empty_gradebook: Path) -> Course:
    """A course with lesson 00 in it."""
    folder = tmp_path / "course"
    (folder / "solutions" / NAME).mkdir(parents=True)
    shutil.copy(root / "solutions" / NAME / f"{NAME}.ipynb", folder / "solutions" / NAME)
    shutil.copy(root / "nbgrader_config.py", folder)
    shutil.copy(empty_gradebook, folder)
    with (folder / "nbgrader_config.py").open("a") as file:
        file.write("c.RunAndJudge.cell_timeout = 30.0\n")
    return Course(folder)


def answered(lesson: NotebookNode, answers: dict[str, str]) -> NotebookNode:
    notebook = copy.deepcopy(lesson)
    for name, source in answers.items():
        cell(notebook, name).source = source
    return notebook


def test_a_class_in_the_ungraded_lesson(warm_up: Course, tmp_path: Path) -> None:
    source = LessonSource.from_course(warm_up.root, NAME)
    assert source.max_score == 0
    for student, answers in (("ada", RIGHT), ("bob", MISTAKEN), ("cy", {})):
        path = warm_up.folder("submitted", student, NAME) / f"{NAME}.ipynb"
        path.parent.mkdir(parents=True)
        path.write_bytes(as_bytes(answered(source.notebook, answers)))
    out, page = tmp_path / "grades.json", tmp_path / "report.html"
    by_command = ["--course", str(warm_up.root)]
    done = CliRunner().invoke(app, ["grade", NAME, "--json", str(out), "--timeout", "30", *by_command])
    assert done.exit_code == 0, done.output
    ada, bob, cy = read_strictly(out)["submissions"]
    for entry in (ada, bob, cy):
        assert (entry["outcome"], entry["score"], entry["max_score"]) == ("graded", 0, 0)
        assert {(each["points"], each["max_points"], "bonus" in each) for each in entry["exercises"]} == {(0, 0, False)}
    assert [each["outcome"] for each in ada["exercises"]] == ["right"] * 4
    assert [each["outcome"] for each in bob["exercises"]] == ["wrong", "right", "right", "error"]
    assert bob["exercises"][0]["misconception"] == "one_sided"
    assert "losses is not there in grading" in bob["exercises"][3]["message"]
    assert [each["outcome"] for each in cy["exercises"]] == ["unanswered"] * 4

    with Gradebook(warm_up.db_url) as book:
        for student in ("ada", "bob", "cy"):
            found = book.find_submission(NAME, student)
            assert (found.score, found.max_score) == (0, 0)
            checks = [grade for grade in found.notebooks[0].grades if grade.name.startswith("check_")]
            assert [(grade.auto_score, grade.extra_credit) for grade in checks] == [(0, None)] * 4

    reported = CliRunner().invoke(app, ["report", NAME, "--html", str(page), *by_command])
    assert reported.exit_code == 0, reported.output
    assert "You step to the right only" in reported.output
    html = page.read_text(encoding="utf-8")
    assert "This lesson is ungraded. On average 2.0 of" in html
    feedback = warm_up.api().generate_feedback(NAME)
    assert feedback["success"], feedback
    told = (warm_up.folder("feedback", "bob", NAME) / f"{NAME}.html").read_text(encoding="utf-8")
    assert "This lesson is practice: it counts nothing" in told
    assert "0 of 3 groups of cases" in told
    assert ">Points<" not in told
    assert "You step to the right only" in told


def test_nbgraders_own_autograde_gives_none_either(warm_up: Course) -> None:
    source = LessonSource.from_course(warm_up.root, NAME)
    released = warm_up.api().generate_assignment(NAME, force=True)
    assert released["success"], released
    path = warm_up.folder("submitted", "ada", NAME) / f"{NAME}.ipynb"
    path.parent.mkdir(parents=True)
    path.write_bytes(as_bytes(answered(source.notebook, RIGHT)))
    done = warm_up.api().autograde(NAME, "ada")
    assert done["success"], done
    with Gradebook(warm_up.db_url) as book:
        assert (book.find_submission(NAME, "ada").score, book.find_submission(NAME, "ada").max_score) == (0, 0)
    graded = nbformat.read(warm_up.folder("autograded", "ada", NAME) / f"{NAME}.ipynb", as_version=4)
    shown = cell(graded, "check_slope").outputs[0].data
    assert shown["text/plain"] == "0"
    assert "slope: 3 of 3 groups passed (practice, no points)" in shown["text/html"]
