"""`python -m course_lib submit`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from course_lib.commands.terminal import complain, console, say

if TYPE_CHECKING:
    from course_lib.submission.review import Checked, Review
    from course_lib.submission.trial import Failure, Tell, Trial

EXIT_CODES = (
    "Exit codes: 0, packed, every core exercise has an answer and the notebook runs; 1, packed, and something is open "
    "that is listed; 2, nothing was packed."
)


def submit(
    lesson: Annotated[
        str | None,
        typer.Argument(
            metavar="[LESSON]", help="04, 04_adaptive_optimizers, or a notebook's file. Not needed where only one is."
        ),
    ] = None,
    run: Annotated[bool, typer.Option("--run/--no-run", help="Try the notebook in a fresh kernel first.")] = True,
    timeout: Annotated[
        float, typer.Option(min=1.0, metavar="SECONDS", help="How long one cell may take in that trial.")
    ] = 120.0,
    output: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Where to_hand_in/ is put.", show_default="beside the lessons")
    ] = None,
) -> None:
    """Get a lesson ready to hand in: say what is open, try it, and pack it.

    **Save the notebook first**; what counts is the file. It is only read. What is tried is a copy, in kernels of its
    own: first what runs in grading, then the whole notebook from top to bottom. Your progress does not change.

    The file to hand in is then in `to_hand_in/`. Hand it in where your teacher says: **nothing leaves this machine** by
    itself. What was packed before is kept in `to_hand_in/earlier/`.

    Examples: `python -m course_lib submit 04`, `python -m course_lib submit 04 --no-run`
    """
    from course_lib.submission.notebooks import NotebookError, read
    from course_lib.submission.packing import pack, write_packed
    from course_lib.submission.places import find, lesson_of, shelf
    from course_lib.submission.review import review
    from course_lib.submission.trial import TrialError

    try:
        path = find(lesson, Path())
        notebook = read(path)
        name = lesson_of(path, notebook)
        if not name:
            raise NotebookError(f"{path} is of no lesson of this course. Is it the right file?")
        say(f"{path.resolve()}, {_saved(path)}", "bold")
        seen = review(notebook, name)
        packed = pack(notebook, name)
        graded, whole = _tried(notebook, seen, path, timeout) if run else (None, None)
        _show(seen, None if graded is None else graded.checked)
        _show_failures("In grading, these cells of yours would not end:", graded)
        _show_failures("From top to bottom, these cells did not run:", whole)
        failed = any(each is not None and each.failures for each in (graded, whole))
        if run and not failed:
            say("From top to bottom, every cell runs.")
        place, moved = write_packed(packed, output or shelf(path))
    except (NotebookError, TrialError) as error:
        complain(str(error))
        raise typer.Exit(2) from None
    except KeyboardInterrupt:
        complain("Stopped. Nothing was packed, and your notebook is as it was.")
        raise typer.Exit(2) from None
    if packed.without_outputs:
        say(packed.without_outputs)
    if moved is not None:
        say(f"What was packed before is kept: {moved}")
    console.print()
    say(f"Hand in this file where your teacher says: {place.resolve()}", "bold")
    say(f"{len(packed.data):,} bytes, receipt {packed.receipt}. Nothing has left this machine.")
    if seen.open or failed:
        raise typer.Exit(1)


def _saved(path: Path) -> str:
    from course_lib.submission.clock import ago

    return f"saved {ago(path)}"


def _tried(notebook: dict[str, object], seen: Review, path: Path, seconds: float) -> tuple[Trial, Trial]:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    from course_lib.submission.trial import graded_steps, try_as_graded, try_whole, whole_steps

    bar = Progress(
        TextColumn("{task.description}"), BarColumn(bar_width=20), MofNCompleteColumn(), TimeElapsedColumn(),
        console=console, transient=True, disable=not console.is_terminal,
    )  # fmt: skip
    folder = path.resolve().parent

    def telling(what: str, steps: int) -> Tell:
        task = bar.add_task(what, total=steps)

        def tell(where: str, done: int, total: int) -> None:
            bar.update(task, completed=done, description=f"{what}: {where[:40]}".replace("[", r"\["))

        return tell

    with bar:
        steps = graded_steps(seen)
        graded = try_as_graded(steps, folder, seconds, telling("As in grading", len(steps)))
        steps = whole_steps(notebook)
        whole = try_whole(steps, folder, seconds, telling("The whole notebook", len(steps)))
    return graded, whole


def _show(seen: Review, checked: Mapping[str, Checked] | None) -> None:
    from rich.markup import escape
    from rich.table import Table

    from course_lib.submission.review import state, what_is_open

    table = Table(box=None, pad_edge=False, show_header=True)
    table.add_column("exercise", no_wrap=True)
    table.add_column("worth", no_wrap=True)
    table.add_column("answer", no_wrap=True)
    if checked is not None:
        table.add_column("its check at home", no_wrap=True)
    for answer in seen.answers:
        row = [answer.name, answer.worth, "written" if answer.written else "unanswered"]
        if checked is not None:
            row.append(state(checked.get(answer.name)))
        table.add_row(*map(escape, row), style="" if answer.written else "yellow")
    for question in seen.questions:
        row = [question.name, "written question", "written" if question.written else "unanswered"]
        table.add_row(*map(escape, row), style="" if question.written else "yellow")
    console.print()
    console.print(table)
    console.print()
    say(what_is_open(seen))
    for answer in seen.answers:
        said = None if checked is None else checked.get(answer.name)
        if said is not None and answer.written and said.outcome != "right":
            say(f"{answer.name}: {said.sentence}")
        for note in answer.notes:
            say(f"{answer.name}: {note}")
    for note in seen.notes:
        say(note)
    if checked is None:
        say("Nothing was run (--no-run), so this says nothing of whether the answers are right.")
    elif any(answer.written for answer in seen.answers):
        say("In grading the same checks run on other numbers.")


def _show_failures(heading: str, trial: Trial | None) -> None:
    if trial is None or not trial.failures:
        return
    say(heading)
    for failure in trial.failures:
        say(f"  {_where(failure)}: {failure.what}")
    if trial.skipped:
        say(f"  The {trial.skipped} cells after it were not run.")


def _where(failure: Failure) -> str:
    under = f"under “{failure.heading}”, " if failure.heading else ""
    return f"{under}the cell that begins with {failure.line!r}"
