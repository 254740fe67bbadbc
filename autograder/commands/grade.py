"""`python -m autograder grade`."""

from __future__ import annotations

import contextlib
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape

from autograder.terminal import console, errors, progress_bar

if TYPE_CHECKING:
    from autograder.class_grading import ClassGrading
    from autograder.executors import Executor

EXIT_CODES = (
    "Exit codes: 0, every submission got its outcome (graded, timeout, crashed, malformed or missing); 1, the grader "
    "failed on at least one, or a folder's name can be no student's, which is not recorded; 2, nothing was graded "
    "because of a wrong argument or setting; 130, stopped with Ctrl-C."
)

SHOWN = 50
"""The most changes of marks that are listed on the terminal."""


def grade(
    lesson: Annotated[str, typer.Argument(metavar="LESSON", help="The lesson's folder: 04_adaptive_optimizers.")],
    json_file: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Write the automatic grades there as JSON too.")
    ] = None,
    student: Annotated[
        list[str] | None, typer.Option(metavar="ID", help="Only this student; may be given several times.")
    ] = None,
    timeout: Annotated[float, typer.Option(metavar="SECONDS", help="The most that one cell may take.")] = 10.0,
    again: Annotated[
        bool, typer.Option("--again", help="Run what is graded already too; without it, only what has changed is run.")
    ] = False,
    workers: Annotated[
        int,
        typer.Option(min=0, metavar="N", help="How many submissions to run at once; 0: one for each processor."),
    ] = 0,
    dask: Annotated[
        str | None,
        typer.Option(
            "--dask", metavar="ADDRESS", help="Run on a Dask cluster: the address of its scheduler (docs/cluster.md)."
        ),
    ] = None,
    sandbox: Annotated[
        str, typer.Option("--sandbox", metavar="NAME", help="auto, bubblewrap, landlock or container: the walls.")
    ] = "auto",
    unsafe: Annotated[
        bool, typer.Option("--unsafe", help="Run what was handed in without any walls: only for code of your own.")
    ] = False,
    new_seed: Annotated[
        bool, typer.Option("--new-seed", help="First draw other hidden cases; then everybody is graded again.")
    ] = False,
    changes: Annotated[
        Path | None,
        typer.Option(
            "--changes", metavar="FILE", help="Write which marks have changed, and why, there: a .csv or a .json."
        ),
    ] = None,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Run what would be graded and say which marks would change; record nothing."),
    ] = False,
    course: Annotated[Path, typer.Option(metavar="FOLDER", help="The course directory.", show_default="here")] = Path(),
) -> None:
    """Grade what a class handed in for one lesson.

    Reads submitted/STUDENT/LESSON/LESSON.ipynb and writes autograded/STUDENT/LESSON/ and the gradebook; manual grades
    and comments stay. What is graded already is not run again unless its answers, the lesson, the grader or the seed
    have changed; so the same command goes on after Ctrl-C or a crash. Where an exercise has changed, only its marks
    are given anew. Marks that are others than before are listed with the reason. A submission that crashes, hangs or
    cannot be read gets an outcome of its own and stops nobody else's. See the class with
    `python -m autograder report`.
    """
    if dask and workers:
        raise typer.BadParameter("--workers is for this machine; a cluster has as many as were started there")
    if new_seed and student:
        raise typer.BadParameter(
            "--new-seed grades the whole class again, so that all are judged by the same cases: it does not go with "
            "--student"
        )
    if changes is not None and changes.suffix.lower() not in (".csv", ".json"):
        raise typer.BadParameter("--changes takes a file that ends in .csv or .json")
    withheld = () if dask else _begin(lesson, workers, sandbox, unsafe=unsafe)
    from autograder.class_grading import ClassGrading, UnknownStudentError, write_json
    from autograder.executors import ClusterError
    from autograder.gradebook import Course, GradebookError
    from autograder.intake import shown_name
    from autograder.lesson import UnknownLessonError
    from autograder.pipeline import UNSAFE
    from autograder.regrading import write_changes
    from autograder.sandbox import Limits, SandboxError
    from autograder.sandbox.choice import choose
    from autograder.tools import put_scripts_on_path

    put_scripts_on_path()
    entries: list[dict[str, Any]] = []
    try:
        # Each machine of a cluster has its own.
        walls = None if dask else choose(sandbox, unsafe=unsafe, withheld=withheld)
        run = ClassGrading(Course(course), lesson, walls, Limits(cell=timeout), dry_run=dry_run)
        for change in run.settled.changes:
            console.print(escape(f"By course.toml: {change}."), soft_wrap=True, highlight=False)
        students = run.students(student or ())
        for name, why in run.refused.items():
            said = f"submitted/{shown_name(name)} is not graded: its name is one {why}. Rename the folder."
            errors.print(f"[bold red]{escape(said)}[/]", soft_wrap=True)
        if not students:
            errors.print(
                f"Nobody has handed in {escape(lesson)}: there is no submitted/STUDENT/{escape(lesson)}/ here."
            )
            raise typer.Exit(2)
        with run.alone(students if student else ()):
            if unsafe:
                errors.print(f"[bold white on red] {UNSAFE} [/]", soft_wrap=True)
            if new_seed:
                run.draw_new_seed()
                drawn = "would be" if dry_run else "was"
                console.print(
                    f"A new seed {drawn} drawn for {escape(lesson)}. Everybody is graded again.", soft_wrap=True
                )
            executor = run.cluster(dask, sandbox, unsafe=unsafe) if dask else run.executor(workers)
            stopped = _grade_all(run, students, entries, executor, again)
    except (ClusterError, UnknownLessonError, UnknownStudentError, GradebookError, SandboxError, ValueError) as error:
        errors.print(f"[bold red]{escape(str(error))}[/]", soft_wrap=True)
        raise typer.Exit(2) from None
    if json_file is not None:
        write_json(json_file, lesson, entries)
    if changes is not None:
        write_changes(changes, lesson, run.changes, dry_run=dry_run)
    told = ", ".join(f"{count} {outcome}" for outcome, count in _outcomes(entries).items())
    console.print(
        f"{len(entries)} of {len(students)} submissions of {escape(lesson)}: {told or 'none'}.", soft_wrap=True
    )
    _tell_changes(run, dry_run=dry_run)
    if dry_run:
        console.print("A dry run: nothing is recorded.")
    if stopped:
        command = f"python -m autograder grade {lesson}"
        said = (
            "The rest was not tried" if dry_run else f"What is done is recorded; go on with: [bold]{escape(command)}[/]"
        )
        console.print(f"Stopped. {said}", soft_wrap=True)
        raise typer.Exit(130)
    if run.refused or any(entry["outcome"] == "failed" for entry in entries):
        raise typer.Exit(1)


def _begin(lesson: str, workers: int, sandbox: str, *, unsafe: bool) -> tuple[str, ...]:
    """Start what makes imports of its own, before this process makes its slow ones; returns what the lesson withholds.

    What is wrong with the arguments is said later, by what needs them.
    """
    from autograder.sandbox import SandboxError, choice
    from course_lib import exercises

    if lesson not in exercises.LESSONS or sandbox not in choice.NAMES:
        return ()
    withheld = exercises.withheld(lesson)
    if not unsafe:
        with contextlib.suppress(SandboxError):
            choice.begin(sandbox, withheld)
    from autograder.executors import begin, workers_for  # slow itself, so that the supervisor comes first

    if workers_for(workers) > 1:
        begin(exercises.LESSONS[lesson])
    return withheld


def _grade_all(
    run: ClassGrading, students: list[str], entries: list[dict[str, Any]], executor: Executor, again: bool
) -> bool:
    """Grade all into `entries`; True where Ctrl-C came first. What is under way then is ended and recorded."""
    from course_lib.interrupts import Interrupts

    with progress_bar() as bar, Interrupts() as interrupts:
        said = False

        def stopped() -> bool:
            nonlocal said
            if interrupts.noted and not said:
                bar.console.print("Stopping: what is under way is ended first. Ctrl-C once more gives it up.")
                said = True
            return interrupts.noted

        task = bar.add_task(run.lesson.name, total=len(students), told="")
        try:
            for entry, notes in run.grade(students, executor, again=again, stopped=stopped):
                entries.append(entry)
                for note in notes:
                    bar.console.print(
                        f"[{'bold red' if entry['outcome'] == 'failed' else 'yellow'}]{escape(entry['student'])}:[/] "
                        f"{escape(note)}",
                        highlight=False,
                        soft_wrap=True,
                    )
                told = ", ".join(f"{count} {outcome}" for outcome, count in _outcomes(entries).items())
                bar.update(task, advance=1, told=told)
        except KeyboardInterrupt:
            return True
    return interrupts.noted and len(entries) < len(students)


def _tell_changes(run: ClassGrading, *, dry_run: bool) -> None:
    """Say which marks have changed, where anything that had a mark was graded again."""
    if not run.again:
        return
    from rich.table import Table

    by_hand = sum(change.by_hand is not None for change in run.changes)
    count = len(run.changes) - by_hand
    would = "would change" if dry_run else "changed"
    said = f"{count or 'No'} mark{'' if count in (0, 1) else 's'} {would}"
    if by_hand:
        said += f"; {by_hand} more by the autograder, where a grader's own mark stays"
    again = "would be" if dry_run else "was" if run.again == 1 else "were"
    console.print(f"{run.again} graded before {again} graded again. {said}.", soft_wrap=True)
    if not run.changes:
        return
    table = Table("student", "exercise", "before", "after", "why")
    for change in sorted(run.changes, key=lambda each: (each.student, each.exercise))[:SHOWN]:
        after = "not asked any more"
        if change.after is not None:
            after = f"{change.after} of {change.max_after}, {change.outcome_after}"
        before = f"{change.before} of {change.max_before}, {change.outcome_before}"
        why = change.why
        if change.by_hand is not None:
            why += f"; manual {change.by_hand:g} stays, automatic {'would be' if dry_run else 'is'} "
            why += f"{change.before} → {'none' if change.after is None else change.after}"
        table.add_row(*map(escape, (change.student, change.exercise, before, after, why)))
    console.print(table)
    if len(run.changes) > SHOWN:
        console.print(f"And {len(run.changes) - SHOWN} more; `--changes FILE` writes all of them.", soft_wrap=True)


def _outcomes(entries: list[dict[str, Any]]) -> Counter[str]:
    return Counter(str(entry["outcome"]) for entry in entries)
