"""Hand in every attack, broken input and honest submission twice: to this course's grading line and to stock nbgrader.

    python scripts/red_team.py                      everything, then docs/red-team.md
    python scripts/red_team.py --only daemon        some entries, shown and not written
    python scripts/red_team.py --table              only the page, from what is kept

Run from the top of the repository, on Linux with bubblewrap: stock nbgrader runs what it grades unprotected, and is
shut into one here. Finished rows are kept (--rows), so that Ctrl-C loses at most a minute; --fresh begins again.
"""

from __future__ import annotations

import argparse
import json
import shutil
import signal
import sys
import tempfile
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from types import FrameType
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from autograder.files import write_atomically
from autograder.tools import put_scripts_on_path
from tests.redteam.attacks import ATTACKS
from tests.redteam.broken import BROKEN
from tests.redteam.entries import FIXTURE, LESSON_04, Entry
from tests.redteam.honest import HONEST
from tests.redteam.stock import Stock, StockRow, versions
from tests.redteam.table import page
from tests.redteam.trial import Trial

PROJECT = Path(__file__).resolve().parents[1]
EVERY = (*ATTACKS, *BROKEN, *HONEST)
CHUNK = 60
Rows = dict[str, dict[str, Any]]
console = Console()


def main() -> int:
    """Run what is asked for; returns the exit code."""
    arguments = _arguments()
    put_scripts_on_path()
    asked = [entry for entry in EVERY if not arguments.only or entry.name in arguments.only]
    unknown = set(arguments.only) - {entry.name for entry in asked}
    if unknown:
        console.print(f"There is no entry {', '.join(sorted(unknown))}; the names are in {arguments.output}.")
        return 2
    if shutil.which("bwrap") is None:
        console.print("bubblewrap is missing; stock nbgrader is not run without it (apt-get install bubblewrap).")
        return 2
    rows: Rows = {}
    if arguments.rows.exists() and not arguments.fresh:
        rows = json.loads(arguments.rows.read_text(encoding="utf-8"))
    if not arguments.table:
        again = asked if arguments.only else []
        for entry in again:
            rows.pop(entry.name, None)
        pressed = _note_interrupts()
        try:
            _run(asked, rows, arguments.rows, arguments.jobs)
        except BaseException:
            if not pressed.is_set():  # nbgrader makes an exception of its own of an interrupt
                raise
            console.print("Stopped. What is done is kept; the same command, without --fresh, goes on.")
            return 130
    if arguments.only:
        for entry in asked:
            console.print_json(json.dumps({entry.name: rows[entry.name]}))
        return 0
    waiting = [entry.name for entry in EVERY if {"line", "stock"} - set(rows.get(entry.name, {}))]
    if waiting:
        console.print(f"{len(waiting)} entries have no row yet ({waiting[0]}, ...); run without --table first.")
        return 1
    write_atomically(arguments.output, page(EVERY, rows, versions()))
    console.print(f"Wrote {arguments.output}.")
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__.split("\n")[0], epilog="Finished rows are kept: run it again to go on after Ctrl-C."
    )
    parser.add_argument("--only", metavar="NAME", action="append", default=[], help="only this entry; may be repeated")
    parser.add_argument("--table", action="store_true", help="write the page from the rows that are kept; run nothing")
    parser.add_argument("--fresh", action="store_true", help="forget the rows that are kept")
    parser.add_argument("--jobs", type=int, default=1, help="how many stock runs at a time (1)")
    parser.add_argument("--rows", type=Path, default=Path(tempfile.gettempdir()) / "red_team_rows.json",
                        metavar="FILE", help="where finished rows are kept (%(default)s)")  # fmt: skip
    parser.add_argument("--output", type=Path, default=PROJECT / "docs" / "red-team.md", metavar="FILE",
                        help="the page (docs/red-team.md)")  # fmt: skip
    return parser.parse_args()


def _note_interrupts() -> threading.Event:
    """Set when somebody has pressed Ctrl-C, which raises KeyboardInterrupt as ever."""
    pressed = threading.Event()

    def handle(number: int, frame: FrameType | None) -> None:
        pressed.set()
        signal.default_int_handler(number, frame)

    signal.signal(signal.SIGINT, handle)
    return pressed


def _run(asked: Sequence[Entry], rows: Rows, kept: Path, jobs: int) -> None:
    columns = (TextColumn("{task.description:<14}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
               TimeRemainingColumn(), TextColumn("{task.fields[told]}"))  # fmt: skip
    with Progress(*columns, console=console) as bar:

        def keep(name: str, which: str, row: dict[str, Any]) -> None:
            rows.setdefault(name, {})[which] = row
            write_atomically(kept, json.dumps(rows, indent=1) + "\n")

        for lesson in (FIXTURE, LESSON_04):
            of_lesson = [entry for entry in asked if entry.lesson == lesson]
            _line([each for each in of_lesson if "line" not in rows.get(each.name, {})], lesson, keep, bar)
            _stock([each for each in of_lesson if "stock" not in rows.get(each.name, {})], lesson, keep, bar, jobs)


Keep = Callable[[str, str, dict[str, Any]], None]


def _line(entries: Sequence[Entry], lesson: str, keep: Keep, bar: Progress) -> None:
    """This course's line, in classes of some dozens."""
    if not entries:
        return
    task = bar.add_task("this line", total=len(entries), told=lesson)
    for start in range(0, len(entries), CHUNK):
        some = entries[start : start + CHUNK]
        with Trial(some, lesson) as trial:
            share = len(some) / (len(trial.students) + 1)

            def tell(done: int, start: int = start, share: float = share) -> None:
                bar.update(task, completed=start + int(done * share))

            trial.grade(tell)
            around = trial.problems()
            found = trial.rows()
        for student, entry in trial.students.items():
            if entry not in some:
                around += [f"{student}: {problem}" for problem in found[student].problems]
        for student, entry in trial.students.items():
            if entry in some:
                row = found[student]
                traces = [each for each in around if f"-{entry.name}" in each]
                around = [each for each in around if each not in traces]
                problems = [*row.problems, *traces]
                keep(entry.name, "line", {"score": row.score, "outcome": row.outcome, "problems": problems})
        for problem in around:
            bar.console.print(f"[bold red]This line:[/] {problem}")
        bar.update(task, completed=start + len(some))


def _stock(entries: Sequence[Entry], lesson: str, keep: Keep, bar: Progress, jobs: int) -> None:
    """Stock nbgrader, one submission after the other."""
    if not entries:
        return
    task = bar.add_task("stock nbgrader", total=len(entries), told=lesson)
    stock = Stock(lesson)
    pool = ThreadPoolExecutor(jobs)
    try:
        running = {pool.submit(stock.grade, entry): entry for entry in entries}
        for done in as_completed(running):
            row: StockRow = done.result()
            keep(running[done].name, "stock", {"score": row.score, "happened": row.happened})
            bar.update(task, advance=1, told=running[done].name)
    finally:
        pool.shutdown(cancel_futures=True)
        stock.close()


if __name__ == "__main__":
    sys.exit(main())
