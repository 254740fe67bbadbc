"""`python -m autograder links`."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from autograder.terminal import complain, errors


class Form(StrEnum):
    """How the links are written."""

    text = "text"
    markdown = "markdown"
    html = "html"


def links(
    lessons: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[LESSON]...", help="Which lessons, 04 or 04_adaptive_optimizers; if not said, the first."
        ),
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="A link to each lesson.")] = False,
    repository: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS",
            help="Of the repository with the lessons.",
            show_default="Lessons in [project.urls] of pyproject.toml, else git's remote origin",
        ),
    ] = None,
    branch: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Of the repository.", show_default="the one checked out, else main"),
    ] = None,
    hub: Annotated[str, typer.Option(metavar="ADDRESS", help="Of a JupyterHub with nbgitpuller.")] = "",
    site: Annotated[str, typer.Option(metavar="ADDRESS", help="Of a JupyterLite site, made by `make site`.")] = "",
    form: Annotated[
        Form, typer.Option("--format", help="To read, to paste into Markdown, or into a page.")
    ] = Form.text,
    root: Annotated[
        Path, typer.Option("--root", "--course", metavar="FOLDER", help="The project's folder.", show_default="here")
    ] = Path(),
) -> None:
    """Print the links by which students open a lesson at once: Binder, Colab, Codespaces, JupyterHub, JupyterLite.

    Nothing is sent or looked up. What there is no link to, and why, is said beside the links. What each start needs:
    docs/starts.md.
    """
    from autograder import links as make
    from autograder.building import BuildError
    from autograder.building.start import address
    from autograder.settings.file import used_lessons
    from autograder.settings.model import SettingsError

    try:
        said, used = address(root), used_lessons(root)
        mine = make.origin(root)
        if not (repository or said or mine):
            raise make.LinksError(
                "This course has no address yet. Name its repository: --repository https://github.com/you/course, or "
                'for good: Lessons = "https://github.com/you/course" under [project.urls] in pyproject.toml.'
            )
        place = make.Repository.parse(repository or said or mine)
        here = _is(place, mine)
        taken = branch or (here and make.branch_here(root)) or "main"
        chosen = _chosen(used, lessons or [], every=every)
        found, left_out = make.links(place, taken, chosen, hub=hub, site=site)
    except (make.LinksError, SettingsError) as error:
        errors.print(f"[bold red]{escape(str(error))}[/]", highlight=False, soft_wrap=True)
        raise typer.Exit(1) from None
    except BuildError as error:
        complain(error)
        raise typer.Exit(1) from None
    written = {Form.text: make.text, Form.markdown: make.markdown, Form.html: make.page}[form](found)
    typer.echo(written)
    remarks = [f"Branch {taken} of {place.url}.", *left_out]
    if any(link.service == "Colab" for link in found) and not _is(place, said):
        remarks.append(
            f"Colab: lessons built here get the course from {said or 'a student kit that each student uploads'}. "
            f'For one click: Lessons = "{place.url}" under [project.urls] in pyproject.toml, and '
            "python -m autograder build."
        )
    if here and (root / "solutions").is_dir():
        remarks.append(
            "This repository holds the solutions, for whoever opens it. For a graded class: a repository with the "
            "unpacked student kit (docs/starts.md)."
        )
    for remark in remarks:
        errors.print(escape(remark), highlight=False, soft_wrap=True)


def _is(place: object, text: str) -> bool:
    """Whether a text is the address of this repository."""
    from autograder.links import LinksError, Repository

    try:
        return bool(text) and Repository.parse(text) == place
    except LinksError:
        return False


def _chosen(used: list[str], names: list[str], *, every: bool) -> list[str]:
    """The lessons that are meant; a number stands for the lesson that begins with it."""
    from autograder.links import LinksError
    from course_lib import exercises

    if every:
        return used
    if not names:
        return used[:1]
    chosen = []
    for name in names:
        fits = exercises.called(name, used)
        if not fits:
            raise LinksError(f"There is no lesson {name!r}; the lessons are {', '.join(used)}.")
        chosen += fits
    return chosen
