"""A course with the fixture lesson in it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest
from nbformat import NotebookNode
from nbgrader.api import Gradebook

from autograder.gradebook import Course
from autograder.sandbox.kernel import KernelSandbox
from course_lib import exercises
from tests.grading import fixture_lesson
from tests.grading.helpers import MODULE, as_bytes
from tests.grading.sandboxes import QUICK, WALLS, problem

HandIn = Callable[[str, NotebookNode | bytes], Path]


@pytest.fixture(scope="session")
def empty_gradebook(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A gradebook with nothing in it; nbgrader takes seconds to make one."""
    path = tmp_path_factory.mktemp("gradebook") / "gradebook.db"
    with Gradebook(f"sqlite:///{path}"):
        pass
    return path


@pytest.fixture
def course(tmp_path: Path, root: Path, monkeypatch: pytest.MonkeyPatch, empty_gradebook: Path) -> Course:
    """A course directory with the project's settings and the fixture lesson, nothing handed in."""
    monkeypatch.setattr(exercises, "LESSONS", {**exercises.LESSONS, fixture_lesson.NAME: MODULE})
    folder = tmp_path / "course"
    path = folder / "solutions" / fixture_lesson.NAME / f"{fixture_lesson.NAME}.ipynb"
    path.parent.mkdir(parents=True)
    nbformat.write(fixture_lesson.solution(), path)
    shutil.copy(root / "nbgrader_config.py", folder)
    shutil.copy(empty_gradebook, folder)
    with (folder / "nbgrader_config.py").open("a") as file:
        file.write("c.RunAndJudge.cell_timeout = 30.0\n")
    return Course(folder)


@pytest.fixture
def hand_in(course: Course) -> HandIn:
    """Hand in a notebook, or any bytes, for a student; returns the file."""

    def write(student: str, notebook: NotebookNode | bytes) -> Path:
        path = course.folder("submitted", student, fixture_lesson.NAME) / f"{fixture_lesson.NAME}.ipynb"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(notebook if isinstance(notebook, bytes) else as_bytes(notebook))
        return path

    return write


@pytest.fixture(
    params=[pytest.param(name, marks=pytest.mark.slow if place >= QUICK else ()) for place, name in enumerate(WALLS)]
)
def walls(request: pytest.FixtureRequest) -> KernelSandbox:
    """Each back end of the sandbox; one that does not work here is skipped, with the reason."""
    missing = problem(request.param)
    if missing:
        pytest.skip(f"{request.param}: {missing}")
    return WALLS[request.param]
