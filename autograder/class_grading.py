"""A whole class through the line: one submission after the other, each recorded as soon as it is graded."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from nbgrader.api import Gradebook, MissingEntry

from autograder import gradebook
from autograder.assemble import KEY
from autograder.files import write_atomically
from autograder.gradebook import Course
from autograder.intake import Submission, from_path, unfit
from autograder.lesson import LessonSource
from autograder.pipeline import grade_intake, seed_id
from autograder.sandbox import Limits, Sandbox

Entry = dict[str, Any]


class UnknownStudentError(ValueError):
    """A student of whom neither the folders nor the gradebook know."""


class ClassGrading:
    """The grading of one lesson for a class.

    Attributes:
        course: where the submissions and the gradebook are.
        lesson: what is graded.
        max_score: what its core exercises are worth.
        refused: folders of `students` whose name no student can have, and why.
    """

    def __init__(self, course: Course, lesson: str, sandbox: Sandbox, limits: Limits) -> None:
        """Read the lesson, and create it in the gradebook where it is missing.

        Raises:
            UnknownLessonError, GradebookError: with what to do.
        """
        self.course = course
        self.lesson = LessonSource.from_course(course.root, lesson, course.config, course.directory.source_directory)
        self.max_score = self.lesson.max_score
        self.refused: dict[str, str] = {}
        self._sandbox = sandbox
        self._limits = limits
        gradebook.ensure_assignment(course, self.lesson)
        self._seed = gradebook.secret_seed(gradebook.seed_path(course.db_url, course.root, lesson))

    def alone(self) -> AbstractContextManager[None]:
        """Hold the lesson while it is graded; see :func:`autograder.gradebook.only_grader`."""
        return gradebook.only_grader(self.course, self.lesson.name)

    def draw_new_seed(self) -> None:
        """From now on grade with other cases; what was graded before counts as not graded."""
        path = gradebook.seed_path(self.course.db_url, self.course.root, self.lesson.name)
        self._seed = gradebook.secret_seed(path, new=True)

    def students(self, asked: Sequence[str] = ()) -> list[str]:
        """The students to grade: those asked for, or all that handed something in.

        Raises:
            UnknownStudentError: for one who is unknown; a misspelt name would get a grade.
        """
        every = self.course.students("submitted", self.lesson.name)
        self.refused = {student: why for student in (asked or every) if (why := unfit(student))}
        for student in asked:
            if student not in every and not self._is_known(student):
                known = ", ".join(every) or "nobody yet"
                raise UnknownStudentError(
                    f"There is no student {student!r}; {self.lesson.name} was handed in by {known}."
                )
        return [student for student in (sorted(set(asked)) if asked else every) if student not in self.refused]

    def already_graded(self, student: str) -> Entry | None:
        """The entry of what is handed in, where it was graded before with the seed of now; None otherwise."""
        path = self.course.folder("autograded", student, self.lesson.name) / f"{self.lesson.name}.ipynb"
        known = gradebook.graded_entry(path)
        if known is None or known.get("seed") != seed_id(self._seed):
            return None
        return to_entry(student, known) if known.get("submission") == self._handed_in(student).digest else None

    def grade(self, student: str) -> tuple[Entry, Sequence[str]]:
        """Grade and record one submission; returns its entry and the notes to the grader.

        The graded notebook is written last, so that a submission with one is wholly recorded. A student without even
        a folder gets the entry "missing" and nothing is recorded, as nbgrader does.
        """
        name = self.lesson.name
        folder = self.course.folder("submitted", student, name)
        graded = grade_intake(self._handed_in(student), self.lesson, self._seed, self._sandbox, self._limits)
        graded.notebook.metadata[KEY]["student"] = student
        notes = list(graded.notes)
        if folder.is_dir():
            notes += gradebook.record(self.course, student, name, graded.notebook, gradebook.read_timestamp(folder))
            gradebook.write_graded(self.course, student, name, graded.notebook)
        return {"student": student, **graded.entry()}, notes

    def failed(self, student: str) -> Entry:
        """The entry of a submission at which the grader itself failed."""
        return {
            "student": student,
            "outcome": "failed",
            "score": 0,
            "max_score": self.max_score,
            "exercises": [],
        }

    def _handed_in(self, student: str) -> Submission:
        return from_path(self.course.folder("submitted", student, self.lesson.name) / f"{self.lesson.name}.ipynb")

    def _is_known(self, student: str) -> bool:
        with Gradebook(self.course.db_url, self.course.directory.course_id) as book:
            try:
                book.find_student(student)
            except MissingEntry:
                return False
        return True


def to_entry(student: str, known: Any) -> Entry:
    """The entry of a submission from what the line wrote into its graded notebook."""
    return {"student": student, **{key: known[key] for key in ("outcome", "score", "max_score", "exercises")}}


def graded_entries(course: Course, lesson: str) -> Iterator[Entry]:
    """The entries of all submissions that the line has graded."""
    for student in course.students("autograded", lesson):
        known = gradebook.graded_entry(course.folder("autograded", student, lesson) / f"{lesson}.ipynb")
        if known is not None:
            yield to_entry(student, known)


def write_json(path: Path, lesson: str, entries: Sequence[Entry]) -> None:
    """Write the grades as JSON, at once or not at all."""
    content = {"lesson": lesson, "submissions": sorted(entries, key=lambda entry: str(entry["student"]))}
    write_atomically(path, json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n")
