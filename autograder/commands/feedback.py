"""`python -m autograder feedback`."""

from __future__ import annotations

import webbrowser
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from autograder.terminal import console, errors, progress_bar

if TYPE_CHECKING:
    from autograder.gradebook import Course

EXIT_CODES = (
    "Exit codes: 0, every page is written; 1, some could not be, each with its reason; 2, nothing was written because "
    "of a wrong argument or because nothing is graded; 130, stopped with Ctrl-C."
)


def feedback(
    lessons: Annotated[
        list[str] | None, typer.Argument(metavar="LESSON", help="Lessons; all that were graded if none.")
    ] = None,
    student: Annotated[
        list[str] | None, typer.Option(metavar="ID", help="Only this student; may be given several times.")
    ] = None,
    open_: Annotated[bool, typer.Option("--open", help="Open the first page in the browser.")] = False,
    course: Annotated[Path, typer.Option(metavar="FOLDER", help="The course directory.", show_default="here")] = Path(),
) -> None:
    """Write each student's feedback page: what was asked and received, which mistake it was, where to look.

    Reads autograded/ and the gradebook, with manual grades, comments and late penalties. Writes
    feedback/STUDENT/LESSON/LESSON.html, one page without scripts that needs no other file; a page that is there is
    written anew. `nbgrader generate_feedback` and formgrader's button write the same pages. A student named with
    --student who has handed in nothing gets a page that says so.
    """
    from autograder.class_grading import UnknownStudentError
    from autograder.feedback.files import not_graded, students
    from autograder.gradebook import Course
    from autograder.lesson import UnknownLessonError
    from autograder.report.summary import graded_lessons
    from autograder.tools import put_scripts_on_path
    from course_lib import exercises

    put_scripts_on_path()
    place = Course(course)
    names = list(dict.fromkeys(lessons or graded_lessons(place)))
    try:
        for lesson in names:
            if lesson not in exercises.LESSONS:
                raise UnknownLessonError(
                    f"There is no lesson {lesson!r}; the lessons are {', '.join(exercises.LESSONS)}."
                )
        todo = [(lesson, each) for lesson in names for each in students(place, lesson, student or ())]
    except (UnknownLessonError, UnknownStudentError) as error:
        errors.print(f"[bold red]{escape(str(error))}[/]", soft_wrap=True)
        raise typer.Exit(2) from None
    for lesson in names:
        waiting = [] if student else not_graded(place, lesson)
        if waiting:
            errors.print(
                f"{escape(lesson)}: {len(waiting)} not graded yet ({escape(', '.join(waiting[:5]))}"
                f"{', ...' if len(waiting) > 5 else ''}); `python -m autograder grade {escape(lesson)}` does it.",
                soft_wrap=True,
                highlight=False,
            )
    if not todo:
        errors.print("Nothing is graded here yet; `python -m autograder grade LESSON` does it.")
        raise typer.Exit(2)
    written, failed, stopped = _write_all(place, todo)
    where = place.directory.feedback_directory
    if written:
        console.print(
            f"{len(written)} page{'s' if len(written) > 1 else ''} in {escape(str(where))}/STUDENT/LESSON/; "
            f"the first is {escape(str(written[0]))}",
            soft_wrap=True,
            highlight=False,
        )
        if open_:
            webbrowser.open(written[0].resolve().as_uri())
    if stopped:
        console.print(f"Stopped after {len(written)} of {len(todo)} pages; the same command writes them all.")
        raise typer.Exit(130)
    if failed:
        raise typer.Exit(1)


def _write_all(place: Course, todo: list[tuple[str, str]]) -> tuple[list[Path], int, bool]:
    """The pages written, how many could not be, and whether Ctrl-C came first."""
    from autograder.feedback.files import write_pages

    written: list[Path] = []
    failed = 0
    by_lesson: dict[str, list[str]] = {}
    for lesson, student in todo:
        by_lesson.setdefault(lesson, []).append(student)
    with progress_bar() as bar:
        task = bar.add_task("", total=len(todo), told="")
        try:
            for lesson, names in by_lesson.items():
                bar.update(task, description=lesson)
                for done in write_pages(place, lesson, names):
                    if done.note:
                        colour = "yellow" if done.path else "bold red"
                        said = f"[{colour}]{escape(done.student)}[/] {escape(done.note)}"
                        bar.console.print(said, highlight=False, soft_wrap=True)
                    if done.path:
                        written.append(done.path)
                    failed += done.path is None
                    bar.update(task, advance=1, told=done.student)
        except KeyboardInterrupt:
            return written, failed, True
    return written, failed, False
