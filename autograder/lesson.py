"""A lesson as grading sees it: the instructor's own notebook with its solutions cleared, and its exercises."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import nbformat
from nbformat import NotebookNode
from traitlets.config import Config

from course_lib import exercises
from course_lib.exercises.exercise import Exercise


class UnknownLessonError(ValueError):
    """A lesson that cannot be graded, and what to do about it."""


@dataclass(frozen=True)
class LessonSource:
    """What the grading line needs to know of a lesson; nothing of it comes from a submission.

    Attributes:
        name: its folder and notebook: "04_adaptive_optimizers".
        notebook: the instructor's, as released: solutions cleared, checksums set.
        exercises: in the order of the notebook.
        withheld: modules of course_lib that hold an equivalent of what the lesson asks; the sandbox has none of them.
        answer_bytes: the most bytes of code in one answer, and in all cells of a learner's own together; 0: no limit.
    """

    name: str
    notebook: NotebookNode
    exercises: tuple[Exercise, ...]
    withheld: tuple[str, ...] = ()
    answer_bytes: int = 0

    @classmethod
    def from_notebook(
        cls,
        name: str,
        notebook: NotebookNode,
        asked: tuple[Exercise, ...],
        withheld: tuple[str, ...] = (),
        config: Config | None = None,
        answer_bytes: int = 0,
    ) -> LessonSource:
        """Clear a solution notebook as nbgrader's release does (`config` holds nbgrader's settings)."""
        # Here, as workers need none of nbgrader, which takes more than a second to import.
        from nbgrader.preprocessors import (
            ClearHiddenTests,
            ClearMarkScheme,
            ClearOutput,
            ClearSolutions,
            ComputeChecksums,
            LockCells,
        )

        resources: dict[str, object] = {}
        # As `nbgrader generate_assignment` clears a notebook, in its order.
        for step in (LockCells, ClearSolutions, ClearOutput, ClearHiddenTests, ClearMarkScheme, ComputeChecksums):
            notebook, resources = step(config=config or Config()).preprocess(notebook, resources)
        return cls(name, notebook, asked, withheld, answer_bytes)

    @classmethod
    def from_course(
        cls, course: Path, name: str, config: Config | None = None, folder: str = "solutions"
    ) -> LessonSource:
        """Read the lesson from a course's folder of solutions.

        Raises:
            UnknownLessonError: when course_lib describes no such lesson or the folder holds no notebook of it.
        """
        path = course / folder / name / f"{name}.ipynb"
        if name not in exercises.LESSONS:
            raise UnknownLessonError(
                f"There is no lesson {name!r} to grade; the lessons are {', '.join(exercises.LESSONS)}."
            )
        if not path.exists():
            raise UnknownLessonError(f"{path} is missing; `python -m autograder build {name}` makes it.")
        module = importlib.import_module(exercises.LESSONS[name])
        notebook = nbformat.read(path, as_version=4)
        answer_bytes = getattr(module, "ANSWER_BYTES", 0)
        return cls.from_notebook(name, notebook, module.EXERCISES, tuple(module.WITHHELD), config, answer_bytes)

    @cached_property
    def by_name(self) -> Mapping[str, Exercise]:
        """The exercises by name."""
        return {exercise.name: exercise for exercise in self.exercises}

    @property
    def max_score(self) -> int:
        """What the core exercises are worth together."""
        return sum(exercise.core_points for exercise in self.exercises)


def grade_id(cell: NotebookNode) -> str:
    """nbgrader's id of a cell, "" where it has none."""
    return str(cell.metadata.get("nbgrader", {}).get("grade_id", ""))


def is_answer(cell: NotebookNode) -> bool:
    """Whether learners write in this cell: code, or text that is graded by hand."""
    return bool(cell.metadata.get("nbgrader", {}).get("solution"))


def is_check(cell: NotebookNode) -> bool:
    """Whether this cell checks an answer."""
    meta = cell.metadata.get("nbgrader", {})
    return bool(cell.cell_type == "code" and meta.get("grade") and not meta.get("solution"))


def is_written(cell: NotebookNode) -> bool:
    """Whether this cell is a written question's answer, which counts by a grader's hand."""
    meta = cell.metadata.get("nbgrader", {})
    return bool(cell.cell_type == "markdown" and meta.get("grade") and meta.get("solution"))
