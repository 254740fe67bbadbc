"""One table of marks for a class: what each student has in each lesson, as nbgrader counts it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from nbgrader.api import (
    Assignment,
    Grade,
    Gradebook,
    GradeCell,
    Student,
    SubmittedAssignment,
    SubmittedNotebook,
    TaskCell,
)
from sqlalchemy import func, select

from course_lib import exercises

PLACES = 5
"""Decimal places of a mark in a file; Moodle keeps as many."""


class NoMarksError(ValueError):
    """There is nothing to export; the message says what to do."""


@dataclass(frozen=True)
class Learner:
    """A student of the gradebook; what it does not know is ""."""

    id: str
    first_name: str = ""
    last_name: str = ""
    email: str = ""
    lms_user_id: str = ""

    @property
    def name(self) -> str:
        """Last name, first name; the id where neither is known."""
        return ", ".join(filter(None, (self.last_name, self.first_name))) or self.id


@dataclass(frozen=True)
class Mark:
    """A student's points in one lesson.

    Attributes:
        automatic: what the grader gave, where nobody has marked by hand.
        manual: what somebody gave by hand.
        bonus: extra credit, which stretch exercises earn.
        penalty: what is taken off for lateness.
        waiting: how many cells that carry points wait for a grader.
        handed_in: when, in UTC; None where nbgrader knows no time.
    """

    automatic: float = 0.0
    manual: float = 0.0
    bonus: float = 0.0
    penalty: float = 0.0
    waiting: int = 0
    handed_in: datetime | None = None

    @property
    def total(self) -> float:
        """What counts, never below 0: the total of nbgrader's own export."""
        return max(0.0, round(self.automatic + self.manual + self.bonus - self.penalty, PLACES))


@dataclass(frozen=True)
class MarkTable:
    """The marks of a class.

    Attributes:
        max_scores: what each lesson is worth without its bonus, in the order of the course.
        learners: everybody in the gradebook, by name.
        marks: by id and lesson; who has handed in nothing has no entry.
        left_out: lessons that were not asked for by name and in which nobody can earn anything.
    """

    max_scores: Mapping[str, float]
    learners: Sequence[Learner]
    marks: Mapping[tuple[str, str], Mark]
    left_out: Sequence[str] = ()

    def of(self, learner: Learner) -> dict[str, Mark | None]:
        """A student's marks by lesson, None where nothing was handed in."""
        return {lesson: self.marks.get((learner.id, lesson)) for lesson in self.max_scores}

    @property
    def waiting(self) -> dict[str, int]:
        """By lesson, how many students' marks are not final: a written answer waits for a grader."""
        found = {
            lesson: sum(bool(mark.waiting) for (_, name), mark in self.marks.items() if name == lesson)
            for lesson in self.max_scores
        }
        return {lesson: count for lesson, count in found.items() if count}


def read_marks(book: Gradebook, lessons: Sequence[str] = (), students: Sequence[str] = ()) -> MarkTable:
    """Read the marks of these lessons and students; of all that anybody has handed in, and of everybody, when empty.

    Args:
        book: nbgrader's gradebook, open.
        lessons: "04_adaptive_optimizers", or short: "04", "4".
        students: ids.

    Raises:
        NoMarksError: where nothing is graded, or a lesson or a student is unknown.
    """
    known = {str(name): float(worth or 0.0) for name, worth in book.db.execute(_WORTH)}
    graded = set(book.db.scalars(_GRADED))
    if not graded:
        raise NoMarksError("Nothing is graded here yet; `python -m autograder grade LESSON` does it.")
    chosen = {_fitting(name, known) for name in lessons} or graded
    for name in sorted(chosen - graded):
        raise NoMarksError(f"Nobody's {name} is graded yet; `python -m autograder grade {name}` does it.")
    learners = _learners(book, students)
    marks = _marks(book, chosen, {learner.id for learner in learners})
    counting = {name for (_, name), mark in marks.items() if mark.total or known[name]}
    left_out = sorted(chosen - counting) if not lessons else []
    order = {name: place for place, name in enumerate(exercises.LESSONS)}
    shown = sorted(chosen - set(left_out), key=lambda name: (order.get(name, len(order)), name))
    marks = {key: mark for key, mark in marks.items() if key[1] in shown}
    return MarkTable({name: known[name] for name in shown}, learners, marks, left_out)


_WORTH = select(Assignment.name, Assignment.max_score)
_GRADED = (
    select(Assignment.name).join(SubmittedAssignment, SubmittedAssignment.assignment_id == Assignment.id).distinct()
)


def _fitting(asked: str, known: Iterable[str]) -> str:
    fits = exercises.called(asked, known)
    if len(set(fits)) != 1:
        raise NoMarksError(
            f"There is no lesson {asked!r} in the gradebook; there are {', '.join(sorted(known)) or 'none'}."
        )
    return fits[0]


def _learners(book: Gradebook, asked: Sequence[str]) -> list[Learner]:
    columns = (Student.id, Student.first_name, Student.last_name, Student.email, Student.lms_user_id)
    every = [Learner(*(str(value or "") for value in row)) for row in book.db.execute(select(*columns))]
    if unknown := sorted(set(asked) - {learner.id for learner in every}):
        raise NoMarksError(f"There is no student {unknown[0]!r} in the gradebook.")
    chosen = [learner for learner in every if not asked or learner.id in asked]
    return sorted(chosen, key=lambda learner: (learner.last_name.casefold(), learner.first_name.casefold(), learner.id))


@dataclass
class _Sum:
    """A mark that grows cell by cell."""

    values: dict[str, float] = field(default_factory=lambda: {"automatic": 0.0, "manual": 0.0, "bonus": 0.0})
    waiting: int = 0

    def add(self, auto: float | None, manual: float | None, extra: float | None, *, waits: bool, worth: float) -> None:
        """Count a cell as nbgrader does: a manual score goes before the automatic one, extra credit beside either."""
        self.waiting += waits and worth > 0
        if auto is None and manual is None:
            return
        self.values["automatic" if manual is None else "manual"] += (auto if manual is None else manual) or 0.0
        self.values["bonus"] += extra or 0.0


def _marks(book: Gradebook, lessons: set[str], students: set[str]) -> dict[tuple[str, str], Mark]:
    """Read all grades in one query; nbgrader's objects would ask the database for each cell."""
    graded, task = GradeCell.__table__, TaskCell.__table__
    joined = (
        select(
            SubmittedAssignment.student_id, Assignment.name, Grade.auto_score, Grade.manual_score, Grade.extra_credit,
            Grade.needs_manual_grade, func.coalesce(graded.c.max_score, task.c.max_score, 0.0),
        )
        .select_from(Grade)
        .join(SubmittedNotebook, SubmittedNotebook.id == Grade.notebook_id)
        .join(SubmittedAssignment, SubmittedAssignment.id == SubmittedNotebook.assignment_id)
        .join(Assignment, Assignment.id == SubmittedAssignment.assignment_id)
        .outerjoin(graded, graded.c.id == Grade.cell_id)
        .outerjoin(task, task.c.id == Grade.cell_id)
    )  # fmt: skip
    sums: dict[tuple[str, str], _Sum] = {}
    for student, lesson, auto, manual, extra, waits, worth in book.db.execute(joined):
        sums.setdefault((student, lesson), _Sum()).add(auto, manual, extra, waits=bool(waits), worth=worth)
    late = (
        select(
            SubmittedAssignment.student_id, Assignment.name, SubmittedAssignment.timestamp,
            func.coalesce(func.sum(SubmittedNotebook.late_submission_penalty), 0.0),
        )
        .join(Assignment, Assignment.id == SubmittedAssignment.assignment_id)
        .outerjoin(SubmittedNotebook, SubmittedNotebook.assignment_id == SubmittedAssignment.id)
        .group_by(SubmittedAssignment.student_id, Assignment.name, SubmittedAssignment.timestamp)
    )  # fmt: skip
    marks = {}
    for student, lesson, handed_in, penalty in book.db.execute(late):
        if lesson in lessons and student in students:
            found = sums.get((student, lesson), _Sum())
            mark = Mark(**found.values, penalty=float(penalty), waiting=found.waiting, handed_in=handed_in)
            if not math.isfinite(mark.total):
                raise NoMarksError(f"The gradebook holds a mark of {student} in {lesson} that is no number.")
            marks[student, lesson] = mark
    return marks
