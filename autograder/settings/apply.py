"""course.toml applied to a whole gradebook: to what is recorded already too, with late penalties worked out anew."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import nbformat
from nbgrader.api import Gradebook, MissingEntry

from autograder.database import file_of
from autograder.gradebook import Course, assign_late_penalty, only_grader, open_gradebook, quiet
from autograder.settings.file import read
from autograder.settings.gradebook import Change, settle_lesson, settle_submission, written_points
from autograder.settings.model import Settings
from course_lib import exercises


@dataclass(frozen=True)
class Applied:
    """What applying the settings changed, or would change.

    Attributes:
        changes: in the order of the lessons.
        absent: lessons that the gradebook does not have yet; they get theirs when they are first graded.
        notes: what an instructor should look at.
    """

    changes: tuple[Change, ...] = ()
    absent: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def apply(course: Course, lessons: Sequence[str] = (), *, dry_run: bool = False) -> Applied:
    """Write what course.toml says into the gradebook, lesson by lesson, each at once or not at all.

    Doing it again changes nothing. Without a course.toml, or a gradebook, there is nothing to do.

    Args:
        course: where both are.
        lessons: which; all if none.
        dry_run: only say what would change.

    Raises:
        SettingsError: where course.toml breaks its form.
        GradebookError: where somebody grades one of the lessons just now.
    """
    settings = read(course.root)
    names = [name for name in lessons or exercises.LESSONS if settings is None or settings.lesson(name).used]
    if settings is None or not has_gradebook(course):
        return Applied(absent=tuple(names))
    found = []
    for name in names:
        now = _settle_lesson(course, settings, name, keep=False)
        if now.changes and not dry_run:
            with only_grader(course, name):
                now = _settle_lesson(course, settings, name, keep=True)
        found.append(now)
    return Applied(
        tuple(change for each in found for change in each.changes),
        tuple(name for each in found for name in each.absent),
        tuple(note for each in found for note in each.notes),
    )


def has_gradebook(course: Course) -> bool:
    """Whether there is a gradebook; to open one that is missing would make it."""
    path = file_of(course.db_url, course.root)
    return path is None or path.is_file()


def _settle_lesson(course: Course, settings: Settings, lesson: str, *, keep: bool) -> Applied:
    """Write one lesson's settings, and keep what was written or not."""
    with quiet(), open_gradebook(course) as book:
        try:
            book.find_notebook(lesson, lesson)
        except MissingEntry:
            return Applied(absent=(lesson,))
        applied = _settle(book, course, settings, lesson)
        if keep:
            book.db.commit()
        else:
            book.db.rollback()
        return applied


def _settle(book: Gradebook, course: Course, settings: Settings, lesson: str) -> Applied:
    path = course.root / course.directory.source_directory / lesson / f"{lesson}.ipynb"
    written = written_points(nbformat.read(path, as_version=4).cells) if path.is_file() else {}
    changes = settle_lesson(book, settings, lesson, written)
    notes = []
    for submission in sorted(book.find_assignment(lesson).submissions, key=lambda each: str(each.student.id)):
        student = submission.student.id
        changes += settle_submission(settings, lesson, submission)
        if submission.assignment.duedate is not None and submission.notebooks:
            changes += _penalty(book, course, student, lesson)
        notes += [
            f"{lesson}: {student} has {grade.manual_score:g} points for {grade.name}, which is worth "
            f"{grade.cell.max_score:g}. Look at it in formgrader."
            for notebook in submission.notebooks
            for grade in notebook.grades
            if grade.name in written and (grade.manual_score or 0) > grade.cell.max_score
        ]
    return Applied(tuple(changes), notes=tuple(notes))


def _penalty(book: Gradebook, course: Course, student: str, lesson: str) -> list[Change]:
    """The late penalty as grading would give it now: by hand a score may have changed since."""
    book.db.flush()
    notebook = book.find_submission_notebook(lesson, lesson, student)
    before = notebook.late_submission_penalty or 0.0
    assign_late_penalty(book, notebook, course, student)
    after = notebook.late_submission_penalty or 0.0
    if before == after:
        return []
    return [Change(lesson, f"late penalty of {student}", f"{before:g}", f"{after:g}")]


def due_dates(course: Course) -> dict[str, datetime]:
    """The due dates in the gradebook, in UTC, by lesson; none where there is no gradebook."""
    if not has_gradebook(course):
        return {}
    with quiet(), open_gradebook(course) as book:
        return {each.name: each.duedate.replace(tzinfo=UTC) for each in book.assignments if each.duedate is not None}
