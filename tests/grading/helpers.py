"""What the tests of the grading line share beside fixtures."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping

import nbformat
from nbformat import NotebookNode
from nbgrader.plugins import LateSubmissionPlugin

from autograder.class_grading import ClassGrading, Outcome
from autograder.lesson import LessonSource
from autograder.pipeline import GradedSubmission, grade_submission
from autograder.sandbox import Limits
from autograder.sandbox.choice import choose
from tests.grading import fixture_lesson

MODULE = "tests.grading.fixture_lesson"
SEED = 20_261_122
LIMITS = Limits(cell=30.0, total=300.0)
"""Far more than anything honest needs, even on a busy machine."""
SHORT = Limits(cell=3.0, total=300.0)
"""For what never ends."""
LESSON = LessonSource.from_notebook(
    fixture_lesson.NAME, fixture_lesson.solution(), fixture_lesson.EXERCISES, fixture_lesson.WITHHELD
)
RIGHT = fixture_lesson.ANSWERS
FULL = {"scale": (4, "right"), "centre": (2, "right"), "shift": (2, "right")}


def submission(
    answers: Mapping[str, str] | None = None,
    *,
    after: Mapping[str, str] | None = None,
    edit: Callable[[NotebookNode], None] | None = None,
) -> NotebookNode:
    """The released notebook with these answers, with code cells added after others, and with any other edit."""
    notebook = copy.deepcopy(LESSON.notebook)
    for name, source in (answers or {}).items():
        cell(notebook, name).source = source
    for name, source in (after or {}).items():
        place = notebook.cells.index(cell(notebook, name)) + 1
        notebook.cells.insert(place, nbformat.v4.new_code_cell(source))
    if edit is not None:
        edit(notebook)
    return notebook


def grade(notebook: NotebookNode | bytes | None, limits: Limits = LIMITS) -> GradedSubmission:
    """Grade a notebook through the whole line, in a real kernel."""
    data = as_bytes(notebook) if isinstance(notebook, dict) else notebook
    return grade_submission(data, LESSON, SEED, choose(), limits)


def grade_one(run: ClassGrading, student: str) -> Outcome:
    """Grade and record one submission of a class, here, whatever was graded before."""
    (outcome,) = run.grade([student], again=True)
    return outcome


def cell(notebook: NotebookNode, name: str) -> NotebookNode:
    """The cell with this id."""
    return next(cell for cell in notebook.cells if cell.id == name)


def as_bytes(notebook: NotebookNode) -> bytes:
    """The notebook as a file would hold it."""
    return nbformat.writes(notebook, version=nbformat.NO_CONVERT).encode("utf-8")


def points(graded: GradedSubmission) -> dict[str, tuple[int, str]]:
    """Points and outcome by exercise."""
    return {result.exercise.name: (result.points, result.outcome) for result in graded.exercises}


class HalfOff(LateSubmissionPlugin):  # type: ignore[misc]
    """Late work loses half of its score."""

    def late_submission_penalty(self, student_id: str, score: float, total_seconds_late: float) -> float:
        """Half of the score."""
        return score / 2
