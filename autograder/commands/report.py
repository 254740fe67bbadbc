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
        list[str] | None, typer.Argument(metavar="LESSON", help="Lessons; all that are in use and graded if none.")
    ] = None,
    html: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the page there.")] = None,
    open_: Annotated[bool, typer.Option("--open", help="Write the page and open it in the browser.")] = False,
    csv: Annotated[
        Path | None, typer.Option("--csv", metavar="FOLDER", help="Write all that the page draws as CSV files there.")
    ] = None,
    anonymous: Annotated[
        bool, typer.Option("--anonymous", help="Name nobody: student 1, student 2 ..., in an order that tells nothing.")
    ] = False,
    course: Annotated[Path, typer.Option(metavar="FOLDER", help="The course directory.", show_default="here")] = Path(),
) -> None:
    """Show what the class did: marks, outcomes, and which mistakes how many students made.

    Reads what `grade` or `nbgrader autograde` wrote into autograded/. Prints tables; with --html or --open it
    also writes one page without scripts that needs no other file (report.html, or report-anonymous.html, where --html
    names none): how hard each exercise was and whether it tells students apart, mistakes with an example, the class
    across lessons, and whom to talk to. Name no lesson to see all of them side by side. docs/report.md explains every
    figure.
    """
    from autograder.files import write_atomically
    from autograder.gradebook import Course
    from autograder.lesson import UnknownLessonError
    from autograder.report.summary import graded_lessons, print_summary, read_class, summarise
    from autograder.settings.file import used_lessons
    from autograder.settings.model import SettingsError

    place = Course(course)
    try:
        names = lessons or [name for name in graded_lessons(place) if name in used_lessons(place.root)]
        summaries = [summary for name in dict.fromkeys(names) if (summary := summarise(place, name)).entries]
    except (SettingsError, UnknownLessonError) as error:
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
    found = read_class(place, summaries)
    if anonymous:
        found = found.without_names()
    for summary in found.summaries:
        print_summary(summary, console)
    path = html or (course / ("report-anonymous.html" if anonymous else "report.html") if open_ else None)
    try:
        if csv is not None:
            from autograder.report.tables import write_tables

            written = write_tables(csv, found)
            console.print(
                f"{len(written)} tables are in {escape(str(csv))}: {', '.join(each.name for each in written)}",
                soft_wrap=True,
            )
        if path is not None:
            from autograder.report.page import page

            with console.status("Drawing ...") as status:
                text = page(found, lambda lesson: status.update(f"Drawing ... {lesson} is done"))
            write_atomically(path, text.encode("utf-8", "replace"))
            console.print(f"The page is {escape(str(path))}", soft_wrap=True)
    except OSError as error:
        errors.print(f"[bold red]{escape(str(error))}[/] Name another place to write to.", soft_wrap=True)
        raise typer.Exit(2) from None
    if path is not None and open_:
        webbrowser.open(path.resolve().as_uri())
