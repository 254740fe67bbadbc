"""Marks: what nbgrader's gradebook says of one submission, manual grades, comments and lateness included."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from nbgrader.api import Gradebook, MissingEntry


@dataclass(frozen=True)
class CellMark:
    """The mark of one graded cell.

    Attributes:
        score: points without extra credit; 0 where nobody has marked it yet.
        max_score: what the cell is worth; 0 for a bonus.
        extra: extra credit: the points of a bonus, or what a grader added.
        by_hand: whether a grader wrote the score.
        waiting: whether it waits for a grader.
    """

    score: float
    max_score: float
    extra: float
    by_hand: bool
    waiting: bool


@dataclass(frozen=True)
class Marks:
    """The marks of a submission.

    Attributes:
        cells: by grade id.
        comments: a grader's, by the grade id of the answer; only those that hold text.
        score: all points, extra credit included and the penalty not yet taken off.
        max_score: what the core and the written questions are worth.
        penalty: points taken off for lateness.
        handed_in, due: in UTC, None where nbgrader knows no time.
        seconds_late: 0 for what came in time.
    """

    cells: Mapping[str, CellMark]
    comments: Mapping[str, str]
    score: float
    max_score: float
    penalty: float
    handed_in: datetime | None
    due: datetime | None
    seconds_late: float

    @property
    def total(self) -> float:
        """What counts: nbgrader's own total."""
        return self.score - self.penalty


def marks_of(book: Gradebook, lesson: str, student: str) -> Marks | None:
    """The marks of a student's submission; None where the gradebook has none."""
    try:
        submission = book.find_submission(lesson, student)
        notebook = book.find_submission_notebook(lesson, lesson, student)
    except MissingEntry:
        return None
    cells = {
        grade.name: CellMark(
            float(grade.score) - (grade.extra_credit or 0.0),
            float(grade.max_score),
            grade.extra_credit or 0.0,
            grade.manual_score is not None,
            bool(grade.needs_manual_grade),
        )
        for grade in notebook.grades
    }
    comments = {comment.name: comment.manual_comment.strip() for comment in notebook.comments if comment.manual_comment}
    return Marks(
        cells,
        {name: text for name, text in comments.items() if text},
        float(notebook.score),
        float(notebook.max_score),
        notebook.late_submission_penalty or 0.0,
        submission.timestamp,
        submission.duedate,
        float(submission.total_seconds_late),
    )
