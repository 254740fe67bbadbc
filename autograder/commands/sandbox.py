"""`python -m autograder sandbox`."""

from __future__ import annotations

import typer
from rich.markup import escape

from autograder.terminal import console


def sandbox() -> None:
    """Say which sandboxes work on this machine, what each enforces, and what the others lack.

    Starts each that is there once and tries to get out of it. Ends with exit code 1 where none works.
    """
    from autograder.sandbox.choice import describe

    with console.status("trying to get out of each"):
        found = describe()
    for each in found:
        works = "[yellow]does not work here[/]" if each.problem else "[green]works[/]"
        console.print(f"[bold]{each.name}[/]: {works}", soft_wrap=True)
        for line in [each.problem] if each.problem else each.enforces:
            console.print(f"  {escape(line)}", soft_wrap=True, highlight=False)
    if all(each.problem for each in found):
        raise typer.Exit(1)
