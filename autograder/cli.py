"""`python -m autograder`: one command for each thing an author or instructor does."""

from __future__ import annotations

import typer

from autograder.commands import (
    book,
    build,
    collect,
    demo,
    doctor,
    export,
    feedback,
    grade,
    links,
    report,
    roster,
    sandbox,
    settings,
    similar,
    site,
    student_kit,
)

app = typer.Typer(
    help="Build the lessons, grade what learners hand in, and see how the class did.",
    epilog="Start with `python -m autograder COMMAND --help`: each command says what it reads and what it writes.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_show_locals=False,
)


@app.callback()
def main() -> None:
    from autograder.tools import put_scripts_on_path

    put_scripts_on_path()


app.command()(build.build)
app.command(epilog=collect.EXIT_CODES)(collect.collect)
app.command(epilog=grade.EXIT_CODES)(grade.grade)
app.command()(report.report)
app.command(epilog=feedback.EXIT_CODES)(feedback.feedback)
app.command()(similar.similar)
app.command(epilog=roster.EXIT_CODES)(roster.roster)
app.command(epilog=export.EXIT_CODES)(export.export)
app.command()(demo.demo)
app.command()(sandbox.sandbox)
app.command(epilog=settings.EXIT_CODES)(settings.settings)
app.command()(doctor.doctor)
app.command()(site.site)
app.command()(book.book)
app.command("student-kit")(student_kit.student_kit)
app.command()(links.links)
