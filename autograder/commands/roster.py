"""`python -m autograder roster`."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from autograder.terminal import console, errors

if TYPE_CHECKING:
    from autograder.lms.roster import Match

EXIT_CODES = (
    "Exit codes: 0, every student here was found in it; 1, somebody here was not, or a line was refused, and the "
    "reason is listed; 2, nothing could be read."
)


def roster(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="A CSV: what Canvas or Moodle downloads, or nbgrader's own.")
    ],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Write nothing; say what would be written.")] = False,
    course: Annotated[Path, typer.Option(metavar="FOLDER", help="The course directory.", show_default="here")] = Path(),
) -> None:
    """Tell the gradebook who is who: names, e-mail addresses, and the ids that Canvas and Moodle need.

    Reads Canvas's gradebook export (Grades, Export), Moodle's list of participants or of grades, or a CSV with the
    columns id, first_name, last_name, email, lms_user_id; with commas, semicolons or tabs. Finds for each line the
    folder in submitted/ or the student in the gradebook, by id, login, address and last by name, and writes what the
    file says. What fits two is refused; what the file leaves empty stays as it was. Nobody is removed.
    """
    from autograder.database import file_of
    from autograder.gradebook import Course, GradebookError, open_gradebook
    from autograder.intake import shown_name
    from autograder.lms.roster import learners, match, write
    from autograder.roster import RosterError, people

    place = Course(course)
    try:
        everybody = people(file)
        path = file_of(place.db_url, place.root)
        if dry_run and path is not None and not path.exists():
            found = match(everybody, place.everybody("submitted"), {})
        else:
            with open_gradebook(place) as book:
                found = match(everybody, place.everybody("submitted"), learners(book))
                if not dry_run:
                    write(book, found.matches)
    except (RosterError, GradebookError) as error:
        errors.print(f"[bold red]{escape(str(error))}[/]", soft_wrap=True)
        raise typer.Exit(2) from None
    for each in found.matches:
        _say(f"{shown_name(each.student)}: {_told(each)}")
    for person in found.absent:
        _say(f"[dim]not here:[/] line {person.line}, {escape(person.shown)}: has no folder in submitted/", markup=True)
    for person, why in found.refused:
        _say(f"[yellow]refused:[/] line {person.line}, {escape(person.shown)}: {escape(why)}", markup=True)
    for student, why in found.unnamed.items():
        said = f"{shown_name(student)} {why}" if why == "is not in it" else f"{shown_name(student)}: {why}"
        _say(f"[yellow]not found:[/] {escape(said)}", markup=True)
    states = Counter(each.state for each in found.matches)
    told = ", ".join(f"{count} {state}" for state, count in states.items()) or "none"
    console.print(
        f"{'Nothing is written. ' if dry_run else ''}Of {len(everybody)} lines {len(found.matches)} are students here "
        f"({told}), {len(found.absent)} are not here, {len(found.refused)} are refused; {len(found.unnamed)} students "
        "here were not found.",
        soft_wrap=True,
    )
    if found.refused or found.unnamed:
        raise typer.Exit(1)


def _say(line: str, *, markup: bool = False) -> None:
    console.print(line, markup=markup, highlight=False, soft_wrap=True)


def _told(each: Match) -> str:
    from autograder.intake import shown_name

    changes = ", ".join(
        f"{name} {shown_name(old)} -> {shown_name(new)}" if old else f"{name} {shown_name(new)}"
        for name, (old, new) in each.changes.items()
    )
    return f"{each.state}, line {each.person.line} by {each.found_by}{': ' if changes else ''}{changes}"
