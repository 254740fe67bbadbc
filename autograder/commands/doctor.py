"""`python -m autograder doctor`."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from autograder.terminal import console


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON, for a program.")] = False,
    course: Annotated[Path, typer.Option(metavar="FOLDER", help="The course directory.", show_default="here")] = Path(),
) -> None:
    """Look this installation and the course over, and say what to mend.

    Python and the packages, JupyterLab's parts of nbgrader, the sandbox (started once), the lessons beside their
    sources, the gradebook, the seeds, course.toml, free disk and memory, and the clock. Changes nothing. Ends with exit
    code 1 where something is to be mended.
    """
    from autograder.doctor import look

    if as_json:
        found = list(look(course))
        typer.echo(json.dumps([asdict(each) for each in found], indent=1, ensure_ascii=False))
    else:
        found = []
        with console.status("looking"):
            for each in look(course):
                found.append(each)
                mark = "[bold red]mend[/]" if each.mend else "[green]ok  [/]"
                console.print(f"{mark}  [bold]{each.what:<18}[/]  {escape(each.told)}", soft_wrap=True, highlight=False)
                if each.mend:
                    console.print(f"{'':26}{escape(each.mend)}", soft_wrap=True, highlight=False)
    count = sum(bool(each.mend) for each in found)
    if not as_json:
        console.print("All is in order." if not count else f"{count} to mend.")
    if count:
        raise typer.Exit(1)
