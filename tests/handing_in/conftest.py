"""A learner's folder with lessons in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from autograder.lesson import LessonSource
from course_lib import exercises
from course_lib.submission.notebooks import Notebook, as_bytes
from tests.grading import fixture_lesson
from tests.grading.helpers import LESSON, MODULE
from tests.handing_in import lesson


@pytest.fixture
def fixture_known(monkeypatch: pytest.MonkeyPatch) -> Notebook:
    """The fixture lesson as released, and known to course_lib."""
    monkeypatch.setattr(exercises, "LESSONS", {**exercises.LESSONS, fixture_lesson.NAME: MODULE})
    return lesson.released(LESSON)


@pytest.fixture(scope="session")
def adam(root: Path) -> LessonSource:
    """Lesson 04."""
    return lesson.real(root)


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    """A folder of lessons, with a space and an accent in its path."""
    folder = tmp_path / "mein Kurs é" / "lessons"
    folder.mkdir(parents=True)
    return folder


def put(folder: Path, name: str, notebook: Notebook | bytes) -> Path:
    """Write a notebook into a folder of lessons."""
    path = folder / name / f"{name}.ipynb"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(notebook if isinstance(notebook, bytes) else as_bytes(notebook))
    return path
