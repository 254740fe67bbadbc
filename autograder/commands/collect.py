"""`python -m autograder collect`."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from autograder.terminal import console, errors

EXIT_CODES = (
    "Exit codes: 0, every notebook found was taken or was there already; 1, some file was not taken and the reason is "
    "listed; 2, nothing could be read."
)


def collect(
    lesson: Annotated[str, typer.Argument(metavar="LESSON", help="The lesson's folder: 04_adaptive_optimizers.")],
    source: Annotated[
        Path, typer.Argument(metavar="ARCHIVE", help="What the LMS gave: a zip, tar or tar.gz, or a folder.")
    ],
    roster: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="CSV that says who is who: id, and first_name, last_name, email or lms_user_id."
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace what a student handed in before.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Write nothing; say what would be taken.")] = False,
    course: Annotated[Path, typer.Option(metavar="FOLDER", help="The course directory.", show_default="here")] = Path(),
) -> None:
    """Put what an LMS downloaded for a whole class into submitted/.

    Knows the names of Moodle and Canvas, and plain STUDENT/LESSON.ipynb. Writes submitted/STUDENT/LESSON/LESSON.ipynb
    and nothing else. Of several notebooks of a student the newest counts. What is not taken is listed with the reason.
    """
    from autograder.archives import ArchiveError
    from autograder.archives import collect as take
    from autograder.gradebook import Course
    from autograder.roster import Roster, RosterError
    from course_lib.exercises import LESSONS

    try:
        if lesson not in LESSONS:
            raise ArchiveError(f"There is no lesson {lesson!r}; the lessons are {', '.join(LESSONS)}.")
        known = None if roster is None else Roster(roster)
        done = take(Course(course), lesson, source, known, force=force, dry=dry_run)
    except (ArchiveError, RosterError) as error:
        errors.print(f"[bold red]{escape(str(error))}[/]", soft_wrap=True)
        raise typer.Exit(2) from None
    for taken in done.taken:
        console.print(escape(f"{taken.student}: {taken.state}, {taken.source}"), highlight=False, soft_wrap=True)
    for left in done.left:
        console.print(
            f"[yellow]not taken:[/] {escape(left.source)}: {escape(left.reason)}", highlight=False, soft_wrap=True
        )
    states = Counter(taken.state for taken in done.taken)
    told = ", ".join(f"{count} {state}" for state, count in states.items()) or "none"
    would = "Nothing is written; there would be" if dry_run else "There are"
    console.print(
        f"{would} {len(done.taken)} notebooks ({told}); {len(done.left)} files are not taken.", soft_wrap=True
    )
    if done.left:
        raise typer.Exit(1)
