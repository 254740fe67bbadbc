"""`python -m autograder export`."""

from __future__ import annotations

import webbrowser
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from autograder.terminal import console, errors


def export(
    lessons: Annotated[
        list[str] | None, typer.Argument(metavar="LESSON", help="01 or 01_backpropagation; without any, all.")
    ] = None,
    to: Annotated[Path, typer.Option(metavar="FOLDER", help="Where the pages go.")] = Path("pages"),
    student: Annotated[
        bool, typer.Option("--student", help="What students open, without solutions and outputs.")
    ] = False,
    open_: Annotated[bool, typer.Option("--open", help="Open the first page in the browser.")] = False,
    root: Annotated[Path, typer.Option(help="The project's folder.", show_default="here")] = Path(),
) -> None:
    """Write lessons as pages to read without Jupyter: to print, to put on a web site, to look something up.

    Writes FOLDER/LESSON.html from the built notebooks in solutions/, or lessons/ with --student. A page
    needs no network: pictures are inside, formulas are drawn by the browser, what moves in JupyterLab stands there as a
    picture with words, and what is spoken lies beside it in FOLDER/LESSON_audio/. Pages from solutions/ show every
    answer: keep them from students who are to work.
    """
    from autograder.building import BuildError
    from autograder.export import export as write

    try:
        written = write(root, lessons or (), to, student=student)
    except BuildError as error:
        for problem in error.problems:
            said = f"[bold red]{escape(problem.where)}[/]: {escape(problem.what)}"
            errors.print(said, highlight=False, soft_wrap=True)
        raise typer.Exit(2) from None
    for path in written:
        console.print(f"{escape(str(path))} ({path.stat().st_size / 1e6:.1f} MB)", highlight=False, soft_wrap=True)
    if not written:
        console.print("There is no lesson yet: solutions/ holds no .md file.")
    elif open_:
        webbrowser.open(written[0].resolve().as_uri())
