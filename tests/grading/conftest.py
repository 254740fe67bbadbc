"""A small lesson, submissions of it, and a course to grade them in."""

from __future__ import annotations

import copy
import importlib.util
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import nbformat
import pytest
from nbformat import NotebookNode

from autograder.lesson import LessonSource
from autograder.pipeline import GradedSubmission, grade_submission
from autograder.sandbox import Limits
from autograder.sandbox.kernel import KernelSandbox
from course_lib import exercises

SEED = 20_261_122
LIMITS = Limits(cell=2.0, total=40.0)
Edit = Callable[[NotebookNode], None]


def _load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("fixture_lesson", Path(__file__).with_name("fixture_lesson.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["fixture_lesson"] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def fixture_lesson() -> ModuleType:
    """The lesson's module: exercises, right answers, the instructor's notebook."""
    return _load()


@pytest.fixture
def registered(fixture_lesson: ModuleType, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The fixture lesson among the course's lessons."""
    monkeypatch.setattr(exercises, "LESSONS", {**exercises.LESSONS, fixture_lesson.NAME: "fixture_lesson"})
    return fixture_lesson


@pytest.fixture(scope="session")
def lesson(fixture_lesson: ModuleType) -> LessonSource:
    """The lesson as the grading line sees it."""
    module = fixture_lesson
    return LessonSource.from_notebook(module.NAME, module.solution(), module.EXERCISES, module.WITHHELD)


@pytest.fixture(scope="session")
def submit(lesson: LessonSource) -> Callable[..., NotebookNode]:
    """Make a submission: the released notebook with these answers, extra cells after others, and any other edit."""

    def make(
        answers: Mapping[str, str] | None = None, *, after: Mapping[str, str] | None = None, edit: Edit | None = None
    ) -> NotebookNode:
        notebook = copy.deepcopy(lesson.notebook)
        for name, source in (answers or {}).items():
            cell(notebook, name).source = source
        for name, source in (after or {}).items():
            place = notebook.cells.index(cell(notebook, name)) + 1
            notebook.cells.insert(place, nbformat.v4.new_code_cell(source))
        if edit is not None:
            edit(notebook)
        return notebook

    return make


@pytest.fixture(scope="session")
def grade(lesson: LessonSource) -> Callable[..., GradedSubmission]:
    """Grade a notebook (or bytes, or None) through the whole line, in a real kernel."""

    def run(notebook: NotebookNode | bytes | None, limits: Limits = LIMITS, **changes: Any) -> GradedSubmission:
        data = as_bytes(notebook) if isinstance(notebook, dict) else notebook
        return grade_submission(data, changes.get("lesson", lesson), SEED, KernelSandbox(), limits)

    return run


def cell(notebook: NotebookNode, name: str) -> NotebookNode:
    """The cell with this id."""
    return next(cell for cell in notebook.cells if cell.id == name)


def as_bytes(notebook: NotebookNode) -> bytes:
    """The notebook as a file would hold it."""
    return nbformat.writes(notebook, version=nbformat.NO_CONVERT).encode("utf-8")


def points(graded: GradedSubmission) -> dict[str, tuple[int, str]]:
    """Points and outcome by exercise."""
    return {result.exercise.name: (result.points, result.outcome) for result in graded.exercises}
