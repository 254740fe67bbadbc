"""The demo: the main job on the sample class, from the lessons' sources to the class report."""

from __future__ import annotations

import io
import os
import shlex
import shutil
import sys
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import nbformat
from rich.console import Console
from rich.markup import escape

from autograder import sample_class
from autograder.building import BuildError
from autograder.building.release import write_notebook
from autograder.building.source import read as read_source
from autograder.class_grading import graded_entries
from autograder.files import write_atomically
from autograder.gradebook import CONFIG_FILE, Course, quiet
from autograder.report.page import page
from autograder.report.summary import print_summary, read_class, summarise
from autograder.sample_class import Sample

MARKER = ".course-demo"
"""Marks a folder as a demo's, so that nothing else is ever replaced."""

_CONFIG = """\
\"\"\"The demo's settings: the project's, with limits that let a demo end soon.\"\"\"

c = get_config()
load_subconfig({project!r})
c.CourseDirectory.root = {course!r}
c.RunAndJudge.cell_timeout = 3.0
c.RunAndJudge.total_timeout = 60.0
"""

Classes = dict[str, list[Sample]]


class DemoError(RuntimeError):
    """The demo cannot go on; the message says why."""


def run_demo(root: Path, directory: Path, console: Console) -> bool:
    """Build, hand in, grade, give feedback and report; True where every grade is the one written by hand.

    Raises:
        DemoError: when a step fails.
    """
    from autograder.terminal import progress_bar

    directory = directory.resolve()
    lessons = sorted(path.parent.name for path in (root / "sample_class").glob("*/grades.toml"))
    if not lessons:
        raise DemoError(f"There is no sample class in {root / 'sample_class'}; start the demo in the project's folder.")
    _fresh(root, directory)
    course = Course(directory)
    console.print(f"Building {len(lessons)} student notebooks from their sources ...")
    classes = {lesson: _release(root, course, lesson) for lesson in lessons}
    total = sum(map(len, classes.values()))
    console.print(f"Grading {total} submissions with `nbgrader autograde` ...")
    with progress_bar() as bar:
        task = bar.add_task("", total=total, told="")
        for lesson, samples in classes.items():
            for sample in samples:
                bar.update(task, description=lesson, told=sample.student)
                _nbgrader(course.api().autograde, lesson, sample.student)
                bar.advance(task)
        bar.update(task, told="")
    console.print("Writing feedback pages with `nbgrader generate_feedback` ...")
    for lesson in lessons:
        _nbgrader(course.api().generate_feedback, lesson)
    agreed = _compare(course, classes, console)
    summaries = [summarise(course, lesson) for lesson in lessons]
    for summary in summaries:
        print_summary(summary, console)
    report = directory / "report.html"
    write_atomically(report, page(read_class(course, summaries)))
    _say_where(course, classes, report, console)
    return agreed


def download(root: Path, lesson: str) -> Path:
    """Write the sample class's submissions of a lesson as an LMS gives them, one zip; returns where: in dist/.

    Its names are Moodle's. It holds the lesson's student notebook, as it stands in lessons/, with the learners' cells.

    Raises:
        DemoError: where there are no submissions, or no notebook to put them into.
    """
    folder = root / "sample_class" / lesson
    try:
        samples = sample_class.read(folder)
        released = nbformat.read(root / "lessons" / lesson / f"{lesson}.ipynb", as_version=4)
        content = io.BytesIO()
        with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
            for number, sample in enumerate(samples, start=1001):
                name = f"{sample.student}_{number}_assignsubmission_file_/{lesson}.ipynb"
                archive.writestr(name, nbformat.writes(sample_class.notebook(sample, released)))
    except FileNotFoundError as error:
        there = ", ".join(sorted(path.parent.name for path in folder.parent.glob("*/grades.toml"))) or "none"
        raise DemoError(f"{error.filename} is missing; lessons with a sample class: {there}.") from error
    except (OSError, ValueError) as error:
        raise DemoError(f"{lesson}: {error}") from error
    path = root / "dist" / f"{lesson}.zip"
    write_atomically(path, content.getvalue())
    return path


def _fresh(root: Path, directory: Path) -> None:
    """An empty course directory; only an earlier demo is replaced."""
    if directory.exists() and any(directory.iterdir()):
        if not (directory / MARKER).exists():
            raise DemoError(f"{directory} holds other files; name an empty folder with --directory.")
        shutil.rmtree(directory)
    directory.mkdir(parents=True, exist_ok=True)
    (directory / MARKER).write_text("Made by `python -m autograder demo`, which replaces it.\n", encoding="utf-8")
    config = _CONFIG.format(project=str(root / CONFIG_FILE), course=str(directory))
    (directory / CONFIG_FILE).write_text(config, encoding="utf-8")


def _release(root: Path, course: Course, lesson: str) -> list[Sample]:
    """Build the lesson, release it, and hand in the sample class's submissions."""
    try:
        source = read_source(root / "solutions" / f"{lesson}.md")
        samples = sample_class.read(root / "sample_class" / lesson)
    except (BuildError, OSError, ValueError) as error:
        raise DemoError(f"{lesson}: {error}") from error
    write_notebook(source.notebook, course.root / "solutions" / lesson / f"{lesson}.ipynb")
    _nbgrader(course.api().generate_assignment, lesson)
    released = nbformat.read(course.root / "lessons" / lesson / f"{lesson}.ipynb", as_version=4)
    for sample in samples:
        folder = course.folder("submitted", sample.student, lesson)
        write_notebook(sample_class.notebook(sample, released), folder / f"{lesson}.ipynb")
        handed_in = f"{datetime.now(tz=UTC):%Y-%m-%d %H:%M:%S} UTC\n"
        (folder / "timestamp.txt").write_text(handed_in, encoding="utf-8")
    return samples


def _nbgrader(step: Callable[..., dict[str, Any]], *arguments: str) -> None:
    with quiet():
        done = step(*arguments)
    if not done["success"]:
        raise DemoError(f"nbgrader failed:\n{done.get('error') or done.get('log') or 'no reason given'}")


def _compare(course: Course, classes: Classes, console: Console) -> bool:
    """Say for how many submissions the grades are those written by hand, and where they are not."""
    total = right = 0
    for lesson, samples in classes.items():
        entries = {entry["student"]: entry for entry in graded_entries(course, lesson)}
        for sample in samples:
            total += 1
            if sample.student in entries:
                found = list(sample_class.differences(sample, entries[sample.student]))
            else:
                found = [f"{sample.student}: was not graded"]
            right += not found
            for difference in found:
                console.print(f"[bold red]{escape(lesson)}:[/] {escape(difference)}", highlight=False)
    colour = "green" if right == total else "bold red"
    console.print(f"[{colour}]{right} of {total} submissions have the grades written by hand.[/]")
    return right == total


def _say_where(course: Course, classes: Classes, report: Path, console: Console) -> None:
    lesson, samples = next(iter(classes.items()))
    student = samples[0].student
    feedback = course.folder("feedback", student, lesson) / f"{lesson}.html"
    lines = (
        ("The class report", report),
        (f"{student.capitalize()}'s feedback page", feedback),
        ("Every student's feedback", course.root / "feedback"),
        ("The gradebook", course.root / "gradebook.db"),
    )
    console.print("\nWhere everything is")
    for what, where in lines:
        console.print(f"  {what}: {escape(_seen_from(Path.cwd(), where))}", soft_wrap=True, highlight=False)
    console.print("\nWhat to do next")
    for what, command in commands_to_go_on(Path.cwd(), course.root):
        console.print(f"  {what}:\n    {escape(command)}", soft_wrap=True, highlight=False)


def commands_to_go_on(here: Path, course: Path) -> list[tuple[str, str]]:
    """What to do after the demo, each with a command that works as pasted in the folder `here`, activated or not."""
    folder = shlex.quote(_seen_from(here, course))
    # JupyterLab starts in the course's folder: nbgrader reads its settings there.
    return [
        ("Open the class report", f"{_python(here, here)} -m autograder report --open --course {folder}"),
        (
            "Grade by hand: in JupyterLab, open the menu Nbgrader, then Formgrader",
            f"(cd {folder} && {_python(here, course)} -m jupyterlab)",
        ),
        ("See what students see", f"{_python(here, here)} -m jupyterlab lessons"),
    ]


def _seen_from(here: Path, path: Path) -> str:
    """`path` as it is written in the folder `here`: short where it lies inside."""
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)


def _python(here: Path, folder: Path) -> str:
    """The Python that is running, as it is called from `folder`; one outside of `here` by its whole path."""
    python = Path(sys.executable)  # not resolved: an environment's Python is a link
    return shlex.quote(os.path.relpath(python, folder) if python.is_relative_to(here) else str(python))
