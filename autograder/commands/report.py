"""`python -m autograder report`."""

from __future__ import annotations

import webbrowser
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from autograder.terminal import console, errors


def report(
    lessons: Annotated[
        list[str] | None, typer.Argument(metavar="LESSON", help="Lessons; all that were graded if none.")
    ] = None,
    html: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the page there.")] = None,
    open_: Annotated[bool, typer.Option("--open", help="Write the page and open it in the browser.")] = False,
    course: Annotated[Path, typer.Option(metavar="FOLDER", help="The course directory.", show_default="here")] = Path(),
) -> None:
    """Show what the class did: marks, outcomes, and which mistakes how many students made.

    Reads what `grade` or `nbgrader autograde` wrote into autograded/. Prints tables; with --html or --open it
    also writes one page without scripts that needs no other file (report.html where --html names none).
    """
    from autograder.files import write_atomically
    from autograder.gradebook import Course
    from autograder.lesson import UnknownLessonError
    from autograder.report import graded_lessons, page, print_summary, summarise

    place = Course(course)
    names = lessons or graded_lessons(place)
    try:
        summaries = [summary for name in names if (summary := summarise(place, name)).entries]
    except UnknownLessonError as error:
        errors.print(f"[bold red]{escape(str(error))}[/]", soft_wrap=True)
        raise typer.Exit(2) from None
    for missing in sorted(set(names) - {summary.lesson for summary in summaries}):
        errors.print(
            f"Nothing of {escape(missing)} is graded here; `python -m autograder grade {escape(missing)}` does it."
        )
    if not summaries:
        if not names:
            errors.print("Nothing is graded here yet; `python -m autograder grade LESSON` does it.")
        raise typer.Exit(2)
    for summary in summaries:
        print_summary(summary, console)
    if html is not None or open_:
        path = html or course / "report.html"
        write_atomically(path, page(summaries))
        console.print(f"The page is {escape(str(path))}", soft_wrap=True)
        if open_:
            webbrowser.open(path.resolve().as_uri())
