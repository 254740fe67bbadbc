"""What the commands write to."""

from __future__ import annotations

from rich.console import Console
from rich.markup import escape

console = Console()
errors = Console(stderr=True)


def say(text: str, style: str = "") -> None:
    """A line or more, as it is: nothing in it is taken for markup, and no path is broken."""
    console.print(f"[{style}]{escape(text)}[/]" if style else escape(text), highlight=False, soft_wrap=True)


def complain(text: str) -> None:
    """What went wrong, to stderr."""
    errors.print(f"[bold red]{escape(text)}[/]", highlight=False, soft_wrap=True)
