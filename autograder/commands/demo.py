"""`python -m autograder demo`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from autograder.terminal import console, errors


def demo(
    directory: Annotated[
        Path, typer.Option(metavar="FOLDER", help="Where the demo's course goes; an earlier demo there is replaced.")
    ] = Path("demo"),
    lesson: Annotated[
        str | None,
        typer.Option(
            "--download",
            metavar="LESSON",
            help="Only write dist/LESSON.zip: the class's submissions as an LMS gives them, to try `collect` with.",
        ),
    ] = None,
    root: Annotated[Path, typer.Option(help="The project's folder.", show_default="here")] = Path(),
) -> None:
    """Do the whole job on a sample class: build, hand in, grade, give feedback, report.

    Takes the submissions of sample_class/, grades them with `nbgrader autograde`, makes the feedback pages
    and the class report, and compares every grade with the one written beside it by hand. Ends with exit code 1 when
    one differs. Takes about two minutes.
    """
    from autograder.demo import DemoError, download, run_demo
    from autograder.tools import put_scripts_on_path

    put_scripts_on_path()
    try:
        if lesson is not None:
            path = download(root, lesson)
            console.print(f"{escape(str(path))} is written.", soft_wrap=True, highlight=False)
            return
        agreed = run_demo(root.resolve(), directory, console)
    except DemoError as error:
        errors.print(f"[bold red]{escape(str(error))}[/]", soft_wrap=True)
        raise typer.Exit(2) from None
    if not agreed:
        raise typer.Exit(1)
