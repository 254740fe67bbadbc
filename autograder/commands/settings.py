"""`python -m autograder settings`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from autograder.terminal import console, errors

if TYPE_CHECKING:
    from autograder.gradebook import Course
    from autograder.settings.apply import Applied
    from autograder.settings.model import Settings

EXIT_CODES = (
    "Exit codes: 0, the file is in order, or there is none; 2, it is not, each fault with its line; or it cannot be "
    "applied, with the reason."
)


def settings(
    check: Annotated[bool, typer.Option("--check", help="Only say whether course.toml is in order.")] = False,
    apply_: Annotated[
        bool, typer.Option("--apply", help="Write it into the gradebook, for what is graded already too.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="With --apply: say what would change.")] = False,
    init: Annotated[
        bool, typer.Option("--init", help="Write a course.toml to begin with; one that is there stays.")
    ] = False,
    course: Annotated[Path, typer.Option(metavar="FOLDER", help="The course directory.", show_default="here")] = Path(),
) -> None:
    """Show, check or apply the course's settings: due dates, the late rule, extensions, written questions.

    They stand in one file of yours in the course directory, course.toml; docs/settings.md explains it. Without the file
    nothing is due and nothing is taken off. `grade`, `nbgrader autograde` and formgrader's button read it by
    themselves; --apply is for what they have graded before. A settled due date and settled extensions replace those
    in the gradebook; what the file does not speak of stays.
    """
    if sum((check, apply_, init)) > 1:
        raise typer.BadParameter("choose one of --check, --apply and --init")
    if dry_run and not apply_:
        raise typer.BadParameter("--dry-run goes with --apply")
    from autograder.gradebook import Course, GradebookError
    from autograder.settings.apply import apply
    from autograder.settings.faults import FILE
    from autograder.settings.file import read
    from autograder.settings.model import SettingsError

    if init:
        _begin(course / FILE)
        return
    try:
        known = read(course)
        if known is None:
            told = f"There is no {FILE} here: every lesson is in use, nothing is due, nothing is taken off."
            console.print(f"{told} `python -m autograder settings --init` begins one.", soft_wrap=True)
            return
        if check:
            console.print(f"{FILE} is in order.")
            return
        place = Course(course)
        applied = apply(place, dry_run=dry_run or not apply_)
    except (SettingsError, GradebookError) as error:
        errors.print(f"[bold red]{escape(str(error))}[/]", soft_wrap=True, highlight=False)
        raise typer.Exit(2) from None
    if not apply_:
        _show(known, place)
    _say(applied, done=apply_ and not dry_run, asked=apply_)


def template() -> str:
    """A course.toml to begin with, with every lesson of the course; as it is it settles nothing."""
    import jinja2

    from course_lib import exercises

    text = (Path(__file__).parent.parent / "templates" / "course.toml.j2").read_text(encoding="utf-8")
    made = jinja2.Environment(trim_blocks=True, keep_trailing_newline=True, autoescape=False)  # noqa: S701  it is TOML
    return made.from_string(text).render(lessons=list(exercises.LESSONS))


def _begin(path: Path) -> None:
    try:
        with path.open("x", encoding="utf-8", newline="\n") as file:
            file.write(template())
    except FileExistsError:
        errors.print(f"[bold red]{escape(str(path))} is there already and stays as it is.[/]", soft_wrap=True)
        raise typer.Exit(2) from None
    except OSError as error:
        errors.print(f"[bold red]{escape(str(path))} cannot be written: {error.strerror}.[/]", soft_wrap=True)
        raise typer.Exit(2) from None
    console.print(
        f"{escape(str(path))} is written. It settles nothing until you take the # off a line.", soft_wrap=True
    )


def _show(known: Settings, place: Course) -> None:
    from rich import box
    from rich.table import Table

    from autograder.settings.apply import due_dates
    from course_lib import exercises

    recorded = due_dates(place)
    table = Table(
        title=f"Settings of {escape(str(place.root))}", title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False
    )
    table.add_column("lesson")
    table.add_column("in use")
    table.add_column("due")
    table.add_column("worth", justify="right")
    table.add_column("written", justify="right")
    for name in exercises.LESSONS:
        lesson = known.lesson(name)
        due = known.local(lesson.due) if lesson.due else "-"
        if lesson.due is None and (elsewhere := recorded.get(name)):
            due = f"{known.local(elsewhere)} (gradebook)"
        worth = "-" if lesson.worth is None else f"{lesson.worth:g}"
        written = "-" if lesson.written_points is None else f"{lesson.written_points:g}"
        table.add_row(name, "yes" if lesson.used else "no", due, worth, written, style=None if lesson.used else "dim")
    console.print(table)
    late = known.late.sentence() if known.late else "nothing is taken off by course.toml"
    console.print(f"Late: {late}.", soft_wrap=True, highlight=False)
    for student, own in known.extensions.items():
        told = ", ".join(f"{name} until {known.local(until)}" for name, until in own.items())
        console.print(f"Extension of {escape(student)}: {told}.", soft_wrap=True, highlight=False)
    handed_in = {student for name in exercises.LESSONS for student in place.students("submitted", name)}
    for student in known.extensions.keys() - handed_in:
        console.print(
            f"[yellow]Nobody called {escape(student)} has handed anything in yet: is the name right?[/]", soft_wrap=True
        )


def _say(applied: Applied, *, done: bool, asked: bool) -> None:
    for change in applied.changes:
        console.print(escape(str(change)), soft_wrap=True, highlight=False)
    for note in applied.notes:
        console.print(f"[yellow]{escape(note)}[/]", soft_wrap=True, highlight=False)
    count = len(applied.changes)
    things = f"{count} {'thing' if count == 1 else 'things'}"
    if not count:
        console.print("The gradebook says the same.")
    elif done:
        console.print(f"{things} changed in the gradebook.")
    else:
        more = "" if asked else " `python -m autograder settings --apply` does it."
        console.print(f"{things} would change in the gradebook.{more}", soft_wrap=True)
    if asked and applied.absent:
        told = ", ".join(applied.absent)
        console.print(f"Not in the gradebook yet: {told}. They get theirs when they are first graded.", soft_wrap=True)
