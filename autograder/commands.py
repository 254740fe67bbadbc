"""The instructor's commands of `python -m autograder`: collect, grade, report, export, demo, sandbox.

They import what they need when they run, so that `--help` answers at once.
"""

from __future__ import annotations

import contextlib
import webbrowser
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape

if TYPE_CHECKING:
    from rich.progress import Progress

    from autograder.class_grading import ClassGrading
    from autograder.executors import Executor

console = Console()
errors = Console(stderr=True)


def register(app: typer.Typer) -> None:
    """Add the commands to `app`."""
    app.command(epilog=_COLLECT_CODES)(collect)
    app.command(epilog=_EXIT_CODES)(grade)
    app.command()(report)
    app.command()(export)
    app.command()(demo)
    app.command("sandbox")(sandboxes)


_COLLECT_CODES = (
    "Exit codes: 0, every notebook found was taken or was there already; 1, some file was not taken and the reason is "
    "listed; 2, nothing could be read."
)
_EXIT_CODES = (
    "Exit codes: 0, every submission got its outcome (graded, timeout, crashed, malformed or missing); 1, the grader "
    "failed on at least one, or a folder's name can be no student's, which is not recorded; 2, nothing was graded "
    "because of a wrong argument or setting; 130, stopped with Ctrl-C."
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
    from autograder.archives import ArchiveError, Roster
    from autograder.archives import collect as take
    from autograder.gradebook import Course
    from course_lib.exercises import LESSONS

    try:
        if lesson not in LESSONS:
            raise ArchiveError(f"There is no lesson {lesson!r}; the lessons are {', '.join(LESSONS)}.")
        known = None if roster is None else Roster(roster)
        done = take(Course(course), lesson, source, known, force=force, dry=dry_run)
    except ArchiveError as error:
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
    course: Annotated[Path, typer.Option(metavar="FOLDER", help="The course directory.", show_default="here")] = Path(),
) -> None:
    """Grade what a class handed in for one lesson.

    Reads submitted/STUDENT/LESSON/LESSON.ipynb and writes autograded/STUDENT/LESSON/ and the gradebook; manual grades
    and comments stay. What is graded already is not run again unless its answers, the lesson, the course or the seed
    have changed; so the same command goes on after Ctrl-C or a crash. A submission that crashes, hangs or cannot be
    read gets an outcome of its own and stops nobody else's. See the class with `python -m autograder report`.
    """
    if dask and workers:
        raise typer.BadParameter("--workers is for this machine; a cluster has as many as were started there")
    if new_seed and student:
        raise typer.BadParameter(
            "--new-seed grades the whole class again, so that all are judged by the same cases: it does not go with "
            "--student"
        )
    withheld = () if dask else _begin(lesson, workers, sandbox, unsafe=unsafe)
    from autograder.class_grading import ClassGrading, UnknownStudentError, write_json
    from autograder.executors import ClusterError
    from autograder.gradebook import Course, GradebookError
    from autograder.intake import shown_name
    from autograder.lesson import UnknownLessonError
    from autograder.pipeline import UNSAFE
    from autograder.sandbox import Limits, SandboxError
    from autograder.sandbox.choice import choose
    from autograder.tools import put_scripts_on_path

    put_scripts_on_path()
    entries: list[dict[str, Any]] = []
    try:
        # Each machine of a cluster has its own.
        walls = None if dask else choose(sandbox, unsafe=unsafe, withheld=withheld)
        run = ClassGrading(Course(course), lesson, walls, Limits(cell=timeout))
        students = run.students(student or ())
        for name, why in run.refused.items():
            said = f"submitted/{shown_name(name)} is not graded: its name is one {why}. Rename the folder."
            errors.print(f"[bold red]{escape(said)}[/]", soft_wrap=True)
        if not students:
            errors.print(
                f"Nobody has handed in {escape(lesson)}: there is no submitted/STUDENT/{escape(lesson)}/ here."
            )
            raise typer.Exit(2)
        with run.alone():
            if unsafe:
                errors.print(f"[bold white on red] {UNSAFE} [/]", soft_wrap=True)
            if new_seed:
                run.draw_new_seed()
                console.print(f"A new seed was drawn for {escape(lesson)}. Everybody is graded again.", soft_wrap=True)
            executor = run.cluster(dask, sandbox, unsafe=unsafe) if dask else run.executor(workers)
            stopped = _grade_all(run, students, entries, executor, again)
    except (ClusterError, UnknownLessonError, UnknownStudentError, GradebookError, SandboxError, ValueError) as error:
        errors.print(f"[bold red]{escape(str(error))}[/]", soft_wrap=True)
        raise typer.Exit(2) from None
    if json_file is not None:
        write_json(json_file, lesson, entries)
    told = ", ".join(f"{count} {outcome}" for outcome, count in _outcomes(entries).items())
    console.print(
        f"{len(entries)} of {len(students)} submissions of {escape(lesson)}: {told or 'none'}.", soft_wrap=True
    )
    if stopped:
        command = f"python -m autograder grade {lesson}"
        console.print(f"Stopped. What is done is recorded; go on with: [bold]{escape(command)}[/]", soft_wrap=True)
        raise typer.Exit(130)
    if run.refused or any(entry["outcome"] == "failed" for entry in entries):
        raise typer.Exit(1)


def _begin(lesson: str, workers: int, sandbox: str, *, unsafe: bool) -> tuple[str, ...]:
    """Start what makes imports of its own, before this process makes its slow ones; returns what the lesson withholds.

    What is wrong with the arguments is said later, by what needs them.
    """
    from autograder.executors import begin, workers_for
    from autograder.lesson import withheld_in
    from autograder.sandbox import SandboxError, choice
    from course_lib import exercises

    if lesson not in exercises.LESSONS or sandbox not in choice.NAMES:
        return ()
    withheld = withheld_in(lesson)
    if not unsafe:
        with contextlib.suppress(SandboxError):
            choice.begin(sandbox, withheld)
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


def _outcomes(entries: list[dict[str, Any]]) -> Counter[str]:
    return Counter(str(entry["outcome"]) for entry in entries)


def report(
    lessons: Annotated[
        list[str] | None, typer.Argument(metavar="LESSON", help="Lessons; all that were graded if none.")
    ] = None,
    html: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the page there.")] = None,
    open_: Annotated[bool, typer.Option("--open", help="Write the page and open it in the browser.")] = False,
    course: Annotated[Path, typer.Option(metavar="FOLDER", help="The course directory.", show_default="here")] = Path(),
) -> None:
    """Show what the class did: marks, outcomes, and which mistakes how many students made.

    Reads what `grade` or `nbgrader autograde` wrote into autograded/. Prints tables; with --html or --open it
    also writes one page without scripts that needs no other file (report.html where --html names none).
    """
    from autograder.files import write_atomically
    from autograder.gradebook import Course
    from autograder.lesson import UnknownLessonError
    from autograder.report import graded_lessons, page, print_summary, summarise

    place = Course(course)
    names = lessons or graded_lessons(place)
    try:
        summaries = [summary for name in names if (summary := summarise(place, name)).entries]
    except UnknownLessonError as error:
        errors.print(f"[bold red]{escape(str(error))}[/]", soft_wrap=True)
        raise typer.Exit(2) from None
    for missing in sorted(set(names) - {summary.lesson for summary in summaries}):
        errors.print(
            f"Nothing of {escape(missing)} is graded here; `python -m autograder grade {escape(missing)}` does it."
        )
    if not summaries:
        if not names:
            errors.print("Nothing is graded here yet; `python -m autograder grade LESSON` does it.")
        raise typer.Exit(2)
    for summary in summaries:
        print_summary(summary, console)
    if html is not None or open_:
        path = html or course / "report.html"
        write_atomically(path, page(summaries))
        console.print(f"The page is {escape(str(path))}", soft_wrap=True)
        if open_:
            webbrowser.open(path.resolve().as_uri())


def export(
    lessons: Annotated[
        list[str] | None, typer.Argument(metavar="LESSON", help="01 or 01_backpropagation; without any, all.")
    ] = None,
    to: Annotated[Path, typer.Option(metavar="FOLDER", help="Where the pages go.")] = Path("pages"),
    student: Annotated[
        bool, typer.Option("--student", help="What students open, without solutions and outputs.")
    ] = False,
    open_: Annotated[bool, typer.Option("--open", help="Open the first page in the browser.")] = False,
    root: Annotated[Path, typer.Option(help="The project's folder.", show_default="here")] = Path(),
) -> None:
    """Write lessons as pages to read without Jupyter: to print, to put on a web site, to look something up.

    Writes FOLDER/LESSON.html from the built notebooks in solutions/, or lessons/ with --student. A page
    needs no network: pictures are inside, formulas are drawn by the browser, what moves in JupyterLab stands there as a
    picture with words, and what is spoken lies beside it in FOLDER/LESSON_audio/. Pages from solutions/ show every
    answer: keep them from students who are to work.
    """
    from autograder.building import BuildError
    from autograder.export import export as write

    try:
        written = write(root, lessons or (), to, student=student)
    except BuildError as error:
        for problem in error.problems:
            said = f"[bold red]{escape(problem.where)}[/]: {escape(problem.what)}"
            errors.print(said, highlight=False, soft_wrap=True)
        raise typer.Exit(2) from None
    for path in written:
        console.print(f"{escape(str(path))} ({path.stat().st_size / 1e6:.1f} MB)", highlight=False, soft_wrap=True)
    if not written:
        console.print("There is no lesson yet: solutions/ holds no .md file.")
    elif open_:
        webbrowser.open(written[0].resolve().as_uri())


def demo(
    directory: Annotated[
        Path, typer.Option(metavar="FOLDER", help="Where the demo's course goes; an earlier demo there is replaced.")
    ] = Path("demo"),
    root: Annotated[Path, typer.Option(help="The project's folder.", show_default="here")] = Path(),
) -> None:
    """Do the whole job on a sample class: build, hand in, grade, give feedback, report.

    Takes the submissions of sample_class/, grades them with `nbgrader autograde`, makes the feedback pages
    and the class report, and compares every grade with the one written beside it by hand. Ends with exit code 1 when
    one differs. Takes about two minutes.
    """
    from autograder.demo import DemoError, run_demo
    from autograder.tools import put_scripts_on_path

    put_scripts_on_path()
    try:
        agreed = run_demo(root.resolve(), directory, console)
    except DemoError as error:
        errors.print(f"[bold red]{escape(str(error))}[/]", soft_wrap=True)
        raise typer.Exit(2) from None
    if not agreed:
        raise typer.Exit(1)


def sandboxes() -> None:
    """Say which sandboxes work on this machine, what each enforces, and what the others lack.

    Starts each that is there once and tries to get out of it. Ends with exit code 1 where none works.
    """
    from autograder.sandbox.choice import describe

    with console.status("trying to get out of each"):
        found = describe()
    for each in found:
        works = "[yellow]does not work here[/]" if each.problem else "[green]works[/]"
        console.print(f"[bold]{each.name}[/]: {works}", soft_wrap=True)
        for line in [each.problem] if each.problem else each.enforces:
            console.print(f"  {escape(line)}", soft_wrap=True, highlight=False)
    if all(each.problem for each in found):
        raise typer.Exit(1)
