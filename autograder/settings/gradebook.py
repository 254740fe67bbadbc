"""What is settled, written into nbgrader's gradebook: due dates, extensions, and the points of written questions.

nbgrader keeps all three itself: `Assignment.duedate`, `SubmittedAssignment.extension` and `GradeCell.max_score`. So
formgrader, late penalties, feedback pages and every export say the same, and no notebook changes. What the settings do
not speak of stays as it is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from nbformat import NotebookNode
from nbgrader.api import Gradebook, SubmittedAssignment
from nbgrader.coursedir import CourseDirectory
from nbgrader.plugins import LateSubmissionPlugin

from autograder.lesson import is_written
from autograder.settings.file import read
from autograder.settings.model import Settings, in_words


@dataclass(frozen=True)
class Change:
    """Something in the gradebook that was, or would be, changed: what, from, to; in words."""

    lesson: str
    what: str
    before: str
    after: str

    def __str__(self) -> str:
        return f"{self.lesson}, {self.what}: {self.before} -> {self.after}"


def written_points(cells: Sequence[NotebookNode]) -> dict[str, float]:
    """What the written questions of a notebook are worth in it, by grade id."""
    return {cell.metadata.nbgrader.grade_id: float(cell.metadata.nbgrader.points) for cell in cells if is_written(cell)}


def settle_lesson(book: Gradebook, settings: Settings, lesson: str, written: Mapping[str, float]) -> list[Change]:
    """Give a lesson its due date, and its written questions their points; nothing is committed.

    Args:
        book: open, and with the lesson in it.
        settings: what to write.
        lesson: its name.
        written: see :func:`written_points`; what holds where nothing is settled.
    """
    changes = []
    settled = settings.lesson(lesson)
    assignment = book.find_assignment(lesson)
    if settled.due is not None:
        due = settled.due.replace(tzinfo=None)  # nbgrader's times are UTC and do not say so
        if assignment.duedate != due:
            changes.append(Change(lesson, "due", _told(settings, assignment.duedate), _told(settings, due)))
            assignment.duedate = due
    for cell in book.find_notebook(lesson, lesson).grade_cells:
        if cell.name not in written:
            continue
        points = written[cell.name] if settled.written_points is None else settled.written_points
        if cell.max_score != points:
            changes.append(Change(lesson, f"points of {cell.name}", f"{cell.max_score:g}", f"{points:g}"))
            cell.max_score = points
    book.db.flush()
    return changes


def settle_submission(settings: Settings, lesson: str, submission: SubmittedAssignment) -> list[Change]:
    """Give a submission its student's extension, or take away one that is no longer settled; nothing is committed."""
    if settings.lesson(lesson).due is None:
        return []
    student, own = submission.student.id, settings.extension(lesson, submission.student.id)
    if (submission.extension or timedelta()) == (own or timedelta()):
        return []
    told = [in_words(time) if time else "none" for time in (submission.extension, own)]
    submission.extension = own
    return [Change(lesson, f"extension of {student}", *told)]


def settle(book: Gradebook, root: Path, student: str, lesson: str, notebook: NotebookNode) -> list[str]:
    """Before a submission is recorded: what course.toml in `root` settles for it. Returns notes to the grader.

    Raises:
        SettingsError: where course.toml breaks its form.
    """
    settings = read(root)
    if settings is None:
        return []
    settle_lesson(book, settings, lesson, written_points(notebook.cells))
    replaced = settle_submission(settings, lesson, book.find_submission(lesson, student))
    return [
        f"The {change.what} was {change.before} in the gradebook and is now {change.after}, as course.toml says."
        for change in replaced
        if change.before != "none"
    ]


class LatePenalty(LateSubmissionPlugin):  # type: ignore[misc]  # nbgrader has no types
    """nbgrader's plugin for late work that goes by `[late]` in course.toml; without one it is nbgrader's own."""

    def late_submission_penalty(self, student_id: str, score: float, total_seconds_late: float) -> float | None:
        """The points to take off; the seconds are those after the student's own due date, extension included.

        Raises:
            SettingsError: where course.toml breaks its form.
        """
        settings = read(Path(CourseDirectory(config=self.config).root))
        if settings is None or settings.late is None:
            given: float | None = super().late_submission_penalty(student_id, score, total_seconds_late)
            return given
        return settings.late.penalty(score, total_seconds_late) or None


def _told(settings: Settings, moment: datetime | None) -> str:
    return "none" if moment is None else settings.local(moment.replace(tzinfo=UTC))
