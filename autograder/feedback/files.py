"""Feedback pages of a class as files: feedback/STUDENT/LESSON/LESSON.html, where nbgrader looks for them too."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import nbformat
from nbformat import NotebookNode
from nbgrader.api import Gradebook, MissingEntry

from autograder.assemble import KEY
from autograder.class_grading import UnknownStudentError
from autograder.feedback.marks import marks_of
from autograder.feedback.page import nothing_handed_in, page
from autograder.files import read_plain, remove_parts, write_atomically
from autograder.gradebook import Course, GradebookError, quiet
from autograder.intake import from_path, unfit
from autograder.lesson import LessonSource


@dataclass(frozen=True)
class Written:
    """The end of one student's page: where it is (None: not written), and what the teacher should know."""

    student: str
    path: Path | None
    note: str = ""


def students(course: Course, lesson: str, asked: Sequence[str] = ()) -> list[str]:
    """Whose pages to write: those asked for, or all whose work is graded.

    Raises:
        UnknownStudentError: for one who is asked for and of whom neither the folders nor the gradebook know.
    """
    graded = [each for each in course.students("autograded", lesson) if not unfit(each)]
    for student in asked:
        if student not in graded and not _is_known(course, lesson, student):
            known = ", ".join(graded) or "nobody yet"
            raise UnknownStudentError(f"There is no student {student!r}; graded in {lesson}: {known}.")
    return sorted(set(asked)) if asked else graded


def write_pages(course: Course, lesson: str, names: Sequence[str]) -> Iterator[Written]:
    """Write the pages one after the other, each at once or not at all; yields how each ended."""
    with quiet(), Gradebook(course.db_url, course.directory.course_id) as book:
        for student in names:
            try:
                yield _write(course, book, lesson, student)
            except (GradebookError, OSError, ValueError) as error:
                yield Written(student, None, str(error))


def not_graded(course: Course, lesson: str) -> list[str]:
    """Who has handed in and is not graded yet."""
    graded = set(course.students("autograded", lesson))
    return [each for each in course.students("submitted", lesson) if each not in graded and not unfit(each)]


def for_release(course: Course, student: str, lesson: str) -> dict[str, bytes]:
    """What `nbgrader release_feedback` needs beside a page, by file name: the secret that its exchange has drawn."""
    try:
        return {_SECRET: read_plain(course.folder("submitted", student, lesson) / _SECRET, 1_000)}
    except OSError:
        return {}


_SECRET = "submission_secret.txt"  # noqa: S105 - a file's name


def _write(course: Course, book: Gradebook, lesson: str, student: str) -> Written:
    handed_in = course.folder("submitted", student, lesson)
    graded = course.folder("autograded", student, lesson) / f"{lesson}.ipynb"
    note = ""
    if graded.exists():
        notebook = _for_student(course, nbformat.read(graded, nbformat.NO_CONVERT))
        html = page(notebook, lesson, student, marks_of(book, lesson, student))
        if notebook.metadata[KEY].get("submission") != from_path(handed_in / f"{lesson}.ipynb").digest:
            note = f"has handed in again since: `python -m autograder grade {lesson}`, then this again"
    elif handed_in.is_dir():
        return Written(student, None, f"is not graded yet: `python -m autograder grade {lesson}`")
    else:
        source = LessonSource.from_course(course.root, lesson, course.config, course.directory.source_directory)
        html = nothing_handed_in(source.notebook, lesson, student)
    path = course.folder("feedback", student, lesson) / f"{lesson}.html"
    remove_parts(path)
    write_atomically(path, html)
    beside = for_release(course, student, lesson)
    timestamp = graded.with_name("timestamp.txt")
    if timestamp.exists():
        beside["timestamp.txt"] = timestamp.read_bytes()
    for name, content in beside.items():
        write_atomically(path.with_name(name), content)
    return Written(student, path, note)


def _for_student(course: Course, notebook: NotebookNode) -> NotebookNode:
    """As nbgrader's route has it, with its setting `StudentView.show_outputs`."""
    from autograder.nbgrader_plugins import StudentView

    seen: NotebookNode = StudentView(config=course.config).preprocess(notebook, {})[0]
    return seen


def _is_known(course: Course, lesson: str, student: str) -> bool:
    if unfit(student):
        return False
    if course.folder("submitted", student, lesson).is_dir():
        return True
    with quiet(), Gradebook(course.db_url, course.directory.course_id) as book:
        try:
            book.find_student(student)
        except MissingEntry:
            return False
    return True
