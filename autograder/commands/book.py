"""`python -m autograder book`."""

from __future__ import annotations

import webbrowser
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from autograder.terminal import complain, console, errors


def book(
    output: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Where it goes; build/book, or build/book-answers, if not said."),
    ] = None,
    answers: Annotated[
        bool,
        typer.Option("--answers", help="The instructors' edition: every solution, and the rubrics. Not for students."),
    ] = False,
    site: Annotated[
        str,
        typer.Option(metavar="ADDRESS", help="Of a JupyterLite site (`make site`): each lesson gets a link into it."),
    ] = "",
    open_: Annotated[bool, typer.Option("--open", help="Open the first page in the browser.")] = False,
    root: Annotated[
        Path, typer.Option("--root", "--course", metavar="FOLDER", help="The course's folder.", show_default="here")
    ] = Path(),
) -> None:
    """Build the course as a book of static pages: the lessons, the guides, and a reference of both packages.

    FOLDER/html can be opened from the disk or put on any web server; nothing in it asks another machine for anything.
    Overviews, dialogues, cards, quizzes, glossaries and most explorations are alive in the pages. Readers see each
    lesson as a student does who has not begun: no answer is in the book, and the build stops when one gets in. It also
    stops on a link within the book that leads nowhere and on a picture without words.

    Built notebooks are shown as they are (`python -m autograder build` makes them). Where pyproject.toml says the
    address of a repository with the lessons, each lesson has links that open it there. Needs requirements-book.txt,
    which `make book` installs. docs/book.md says how to publish it.
    """
    from autograder.book.building import build
    from autograder.building import BuildError

    path = output or root / "build" / ("book-answers" if answers else "book")
    try:
        with console.status("") as status:
            made = build(root, path, answers=answers, site=site, tell=status.update)
    except BuildError as error:
        complain(error)
        errors.print(f"[bold red]The book is not fit to be published: {_count(len(error.problems), 'problem')}.[/]")
        raise typer.Exit(1) from None
    except OSError as error:
        errors.print(f"[bold red]{escape(str(error))}[/]", highlight=False, soft_wrap=True)
        raise typer.Exit(1) from None
    size = sum(file.stat().st_size for file in made.folder.rglob("*") if file.is_file()) / 1e6
    console.print(
        f"{escape(str(path / 'html'))}: {made.pages} pages, {size:.0f} MB. All {made.links:,} links within the book "
        f"lead somewhere; {len(made.outside)} lead out of it, where nothing was asked.",
        highlight=False,
        soft_wrap=True,
    )
    if answers:
        console.print("[yellow]It shows every answer: keep it from students who are to work.[/]")
    if open_:
        webbrowser.open((made.folder / "index.html").as_uri())


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'s' * (number != 1)}"
