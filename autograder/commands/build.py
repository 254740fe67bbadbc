"""`python -m autograder build`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from autograder.terminal import complain, console, errors


def build(
    lessons: Annotated[
        list[str] | None,
        typer.Argument(metavar="LESSON", help="01 or 01_backpropagation; without any, all."),
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; say where the notebooks differ from their sources.")
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Run the solutions again even if no cell has changed since the last run.")
    ] = False,
    format_: Annotated[
        bool, typer.Option("--format", help="First rewrite the sources as JupyterLab would save them.")
    ] = False,
    root: Annotated[Path, typer.Option(help="The project's folder.", show_default="here")] = Path(),
) -> None:
    """Build the notebooks of lessons from their one source, `solutions/LESSON.md`.

    Writes the executed solution to solutions/LESSON/ and the student notebook to lessons/LESSON/. Refuses a lesson
    whose cells break a rule of CONTRIBUTING.md, whose solution fails, or whose solution would reach a student.
    """
    from autograder import building

    if check and (force or format_):
        raise typer.BadParameter("--check writes nothing, so it goes with neither --force nor --format")
    try:
        if check:
            problems = building.check(root, lessons or ())
            if problems:
                raise building.BuildError(problems)
            console.print("[green]Every notebook is what its source gives.[/]")
            return
        if format_:
            for path in building.format_sources(root, lessons or ()):
                console.print(f"rewrote {path}")
        with console.status("reading") as status:
            done = building.build(root, lessons or (), force=force, tell=lambda said: status.update(escape(said)))
    except building.BuildError as error:
        complain(error)
        errors.print(f"\n{len(error.problems)} to mend; the rules are in CONTRIBUTING.md.")
        raise typer.Exit(1) from None
    if not done:
        console.print("There is no lesson yet: solutions/ holds no .md file.")
    for built in done:
        ran = "ran its solution" if built.executed else "its solution is that of the last run"
        wrote = "student notebook written" if built.changed else "student notebook unchanged"
        console.print(f"[green]{built.lesson}[/]: {ran}, {wrote}")
