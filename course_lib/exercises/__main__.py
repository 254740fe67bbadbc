"""`python -m course_lib.exercises`: what the exercises are worth, and proof of what their checks do."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from course_lib.exercises import LESSONS, called, of_lesson
from course_lib.exercises.table import NAMED_AT_LEAST, Row, rows

COLUMNS = (
    ("exercise", "left"),
    ("points", "right"),
    ("minutes", "right"),
    ("difficulty", "right"),
    ("cases", "right"),
    ("mistakes", "right"),
    ("rejected", "right"),
    ("named", "right"),
    ("variants", "right"),
    ("accepted", "right"),
)

app = typer.Typer(add_completion=False, no_args_is_help=True, rich_markup_mode=None)


@app.command()
def main(
    table: Annotated[bool, typer.Option("--table", help="Grade every listed answer and print what came out.")] = False,
    lesson: Annotated[
        list[str] | None, typer.Option(help="Only this lesson, by its number or folder; may be given again.")
    ] = None,
    draws: Annotated[int, typer.Option(min=1, help="How many times every answer is graded, on fresh cases.")] = 3,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object an exercise instead.")] = False,
) -> None:
    """Show each exercise's points and cases, and how its check treats the answers that the course lists for it.

    A mistake is a wrong implementation that people really write: the check must reject all of them and call nine in
    ten by their name. A right variant is a right answer in another style (loops, float32, other formulas): the check
    must accept all of them. What falls short is marked, and the exit code is 1.

    Example: python -m course_lib.exercises --table --lesson 04
    """
    if not table and not as_json:
        raise typer.BadParameter("nothing to do; add --table (or --json)")
    chosen = [_folder(name) for name in lesson] if lesson else list(LESSONS)
    found: list[Row] = []
    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("grading", total=sum(len(of_lesson(folder)) for folder in chosen))
        for row in rows(chosen, seeds=range(draws)):
            found.append(row)
            progress.update(task, advance=1, description=row.name)
    if as_json:
        for row in found:
            print(json.dumps(asdict(row)))
    else:
        _print(found)
    short = [row.name for row in found if not row.fine]
    if short:
        print(f"Fall short: {', '.join(short)}.", file=sys.stderr)
        raise typer.Exit(1)


def _folder(name: str) -> str:
    found = called(name)
    if not found:
        raise typer.BadParameter(f"there is no lesson {name!r}; the lessons are {', '.join(LESSONS)}")
    return found[0]


def _print(found: list[Row]) -> None:
    table = Table(caption=f"+ marks a bonus. Named: at least {NAMED_AT_LEAST:.0%} of the mistakes, by their own name.")
    for title, justify in COLUMNS:
        table.add_column(title, justify=justify, no_wrap=True)  # type: ignore[arg-type]
    for folder in dict.fromkeys(row.lesson for row in found):
        mine = [row for row in found if row.lesson == folder]
        table.add_section()
        for row in mine:
            table.add_row(
                row.name,
                str(row.points) if row.points else f"+{row.bonus}" if row.bonus else "practice",
                *map(str, (row.minutes, row.difficulty, row.cases, row.mistakes)),
                _of(row.rejected, row.mistakes),
                _of(row.named, row.mistakes, NAMED_AT_LEAST),
                str(row.variants),
                _of(row.accepted, row.variants),
            )
        table.add_row(folder, _sum(mine), str(sum(row.minutes for row in mine)), style="bold")
    if len({row.lesson for row in found}) > 1:
        table.add_section()
        table.add_row("all", _sum(found), str(sum(row.minutes for row in found)), style="bold")
    console = Console()
    Console(width=None if console.is_terminal else 120).print(table)


def _of(count: int, total: int, share: float = 1.0) -> str:
    return f"{count}" if count >= share * total else f"{count} of {total} !"


def _sum(found: list[Row]) -> str:
    return f"{sum(row.points for row in found)} + {sum(row.bonus for row in found)}"


if __name__ == "__main__":
    app(prog_name="python -m course_lib.exercises")
