"""`python -m autograder export`."""

from __future__ import annotations

import webbrowser
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from autograder.terminal import complain, console, errors

if TYPE_CHECKING:
    from autograder.lms.cells import Exported
    from autograder.lms.marks import MarkTable

EXIT_CODES = (
    "Exit codes: 0, all is written; 1, the file is written without some students, and the reasons are listed; 2, "
    "nothing is written."
)


class Form(StrEnum):
    """What to write; the value is what is typed."""

    PAGES = "pages"
    CSV = "csv"
    CANVAS = "canvas"
    MOODLE = "moodle"
    JSON = "json"


_FILES = {Form.PAGES: "pages", Form.CSV: "marks.csv", Form.JSON: "marks.json"}


def export(
    lessons: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="LESSON", help="01 or 01_backpropagation; without any, all (of marks: all that are graded)."
        ),
    ] = None,
    to: Annotated[Form, typer.Option(help="pages: lessons to read. The others: the class's marks.")] = Form.PAGES,
    output: Annotated[
        Path | None,
        typer.Option(
            metavar="PATH", help="Where it goes; pages/, marks.csv, canvas.csv, moodle.csv or marks.json if not said."
        ),
    ] = None,
    student: Annotated[
        bool, typer.Option("--student", help="Pages: what students open, without solutions and outputs.")
    ] = False,
    open_: Annotated[bool, typer.Option("--open", help="Pages: open the first one in the browser.")] = False,
    identifier: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="Canvas: id, sis-user-id, sis-login-id; Moodle: email, id-number, username. The first if not said.",
        ),
    ] = "",
    column: Annotated[
        list[str] | None,
        typer.Option(
            metavar="LESSON=HEADING", help="Canvas, Moodle: what a lesson is called there; may be given several times."
        ),
    ] = None,
    root: Annotated[
        Path, typer.Option("--root", "--course", help="The course's folder.", show_default="here")
    ] = Path(),
) -> None:
    """Write the marks of a class for Canvas, Moodle, a spreadsheet or a program; or lessons as pages to read.

    **Marks** (--to csv, canvas, moodle, json) come from the gradebook: automatic and manual points, bonus, late
    penalty. Whoever handed in nothing has no mark, which is not a 0. Canvas and Moodle find students by ids, which
    `python -m autograder roster` brings in; who has none is listed and left out. docs/exports.md says how to import.

    **Pages** need no Jupyter and no network: LESSON.html from the built notebooks in solutions/, or lessons/ with
    --student. Pictures are inside, formulas are drawn by the browser, what moves in JupyterLab stands there as a
    picture with words, and what is spoken lies beside it in LESSON_audio/. Pages from solutions/ show every answer:
    keep them from students who are to work.
    """
    path = output or Path(_FILES.get(to, f"{to}.csv"))
    if to is not Form.PAGES and (student or open_):
        raise typer.BadParameter(f"--student and --open are for pages; they do not go with --to {to}")
    if to not in (Form.CANVAS, Form.MOODLE) and (identifier or column):
        raise typer.BadParameter(f"--identifier and --column are for canvas and moodle; they do not go with --to {to}")
    if to is Form.PAGES:
        _pages(root, lessons or [], path, student=student, open_=open_)
    else:
        _marks(root, lessons or [], to, path, identifier, column or [])


def _pages(root: Path, lessons: list[str], path: Path, *, student: bool, open_: bool) -> None:
    from autograder.building import BuildError
    from autograder.lesson_pages import export as write

    try:
        written = write(root, lessons, path, student=student)
    except BuildError as error:
        complain(error)
        raise typer.Exit(2) from None
    for page in written:
        console.print(f"{escape(str(page))} ({page.stat().st_size / 1e6:.1f} MB)", highlight=False, soft_wrap=True)
    if not written:
        console.print("There is no lesson yet: solutions/ holds no .md file.")
    elif open_:
        webbrowser.open(written[0].resolve().as_uri())


def _marks(root: Path, lessons: list[str], to: Form, path: Path, identifier: str, column: list[str]) -> None:
    from autograder.database import file_of
    from autograder.gradebook import Course, GradebookError, open_gradebook
    from autograder.lms import forms
    from autograder.lms.identifiers import ExportError
    from autograder.lms.marks import NoMarksError, read_marks
    from autograder.lms.worth import weighed
    from autograder.settings.file import read
    from autograder.settings.model import SettingsError

    named = dict(each.partition("=")[::2] for each in column)
    try:
        course = Course(root)
        file = file_of(course.db_url, course.root)
        if file is not None and not file.exists():
            raise NoMarksError(f"There is no gradebook in {course.root}; `python -m autograder grade LESSON` makes it.")
        with open_gradebook(course) as book:
            marks = weighed(read_marks(book, lessons), read(course.root))
        exported = forms.export(marks, to, identifier, named)
        if exported.rows:
            forms.write(exported, path)
    except (NoMarksError, ExportError, GradebookError, SettingsError, OSError) as error:
        errors.print(f"[bold red]{escape(str(error))}[/]", soft_wrap=True)
        raise typer.Exit(2) from None
    _tell(forms.not_graded(course, marks) + forms.warnings(marks, exported), marks, exported, path)
    if not exported.rows:
        raise typer.Exit(2)
    if exported.left:
        raise typer.Exit(1)


def _tell(warnings: list[str], marks: MarkTable, exported: Exported, path: Path) -> None:
    from autograder.lms import forms

    for said in warnings:
        errors.print(f"[yellow]{escape(said)}[/]", highlight=False, soft_wrap=True)
    for left in exported.left:
        errors.print(
            f"[bold red]left out:[/] {escape(left.student)} {escape(left.reason)}.", highlight=False, soft_wrap=True
        )
    if not exported.rows:
        errors.print("[bold red]Nothing is written: no student could be in it.[/]")
        return
    console.print(f"{escape(str(path))}: {forms.summary(marks, exported)}", highlight=False, soft_wrap=True)
