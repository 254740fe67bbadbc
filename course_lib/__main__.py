"""`python -m course_lib`: what a learner does with a lesson beside working in it."""

from __future__ import annotations

import typer

from course_lib.commands import submit, update

app = typer.Typer(
    help="Get a lesson ready to hand in, and bring lessons up to date without losing an answer.",
    epilog="Start with `python -m course_lib COMMAND --help`: each says what it reads and what it writes.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_show_locals=False,
)
app.command(epilog=submit.EXIT_CODES)(submit.submit)
app.command(epilog=update.EXIT_CODES)(update.update)

if __name__ == "__main__":
    app(prog_name="python -m course_lib")
