"""What commands write to: the terminal, its errors, and a bar for long work."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape

if TYPE_CHECKING:
    from rich.progress import Progress

    from autograder.building.problems import BuildError

console = Console()
errors = Console(stderr=True)


def complain(error: BuildError) -> None:
    """Every problem that keeps something from being built, a line each."""
    for problem in error.problems:
        said = f"[bold red]{escape(problem.where)}[/]: {escape(problem.what)}"
        errors.print(said, highlight=False, soft_wrap=True)


def progress_bar() -> Progress:
    """A bar with what is done, the rate, the time left, and the outcomes so far."""
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        ProgressColumn,
        Task,
        TextColumn,
        TimeRemainingColumn,
    )
    from rich.table import Column
    from rich.text import Text

    class Rate(ProgressColumn):
        """Submissions a second, or seconds a submission."""

        def render(self, task: Task) -> Text:
            speed = task.speed
            return Text("" if not speed else f"{speed:.1f} a second" if speed > 1 else f"{1 / speed:.1f} s each")

    def whole() -> Column:
        return Column(no_wrap=True)

    return Progress(
        TextColumn("{task.description}", table_column=whole()),
        BarColumn(bar_width=12),
        MofNCompleteColumn(table_column=whole()),
        Rate(table_column=whole()),
        TimeRemainingColumn(table_column=whole()),
        TextColumn("{task.fields[told]}", table_column=Column(no_wrap=True, overflow="ellipsis", ratio=1)),
        console=console,
        expand=True,
        disable=not console.is_terminal,  # a log gets the lines that stay, not the bar
    )
