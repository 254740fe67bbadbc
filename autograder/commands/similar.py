"""`python -m autograder similar`."""

from __future__ import annotations

import webbrowser
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from autograder.terminal import console, errors, progress_bar


def similar(
    lesson: Annotated[str, typer.Argument(metavar="LESSON", help="The lesson's folder: 10_capstone.")],
    top: Annotated[int, typer.Option(min=1, metavar="N", help="How many pairs to show, those that share most.")] = 20,
    html: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the page there; else similarity-LESSON.html.")
    ] = None,
    open_: Annotated[bool, typer.Option("--open", help="Open the page in the browser.")] = False,
    course: Annotated[Path, typer.Option(metavar="FOLDER", help="The course directory.", show_default="here")] = Path(),
) -> None:
    """Show answers of a class that are alike, side by side, for you to judge. Nothing runs this by itself.

    Reads the graded answers in autograded/, compares each with each, exercise by exercise, and writes one page. Not
    counted are what the lesson hands out, the obvious way to write it, and what many of the class wrote; answers with
    little else are left out, because short answers are alike by nature. The page names students: it is for you alone.
    No mark changes. Needs `pip install -r requirements-similarity.txt`. docs/feedback.md says what it can and cannot
    show.
    """
    from rich.table import Table

    from autograder.files import write_atomically
    from autograder.gradebook import Course
    from autograder.lesson import LessonSource, UnknownLessonError
    from autograder.similarity import MissingLibraryError, answers, compare, handed_out, page

    place = Course(course)
    try:
        source = LessonSource.from_course(place.root, lesson, place.config, place.directory.source_directory)
        given = answers(place, lesson)
        if not given:
            errors.print(
                f"No answer to {escape(lesson)} is graded here; `python -m autograder grade {escape(lesson)}` does it.",
                soft_wrap=True,
            )
            raise typer.Exit(2)
        with progress_bar() as bar:
            task = bar.add_task(f"{lesson}, pairs", total=None, told="")
            compared, pairs = compare(
                given,
                handed_out(place, source),
                lambda done, total: bar.update(task, completed=done, total=total),
            )
    except KeyboardInterrupt:
        errors.print("Stopped; nothing was written.")
        raise typer.Exit(130) from None
    except (UnknownLessonError, MissingLibraryError) as error:
        errors.print(f"[bold red]{escape(str(error))}[/]", soft_wrap=True)
        raise typer.Exit(2) from None
    table = Table(box=None, pad_edge=False)
    for head in ("exercise", "answers", "compared", "pairs that share something"):
        table.add_column(head, justify="left" if head == "exercise" else "right")
    for each in compared:
        table.add_row(each.exercise, str(each.answers), str(each.compared), str(each.pairs))
    console.print(table)
    path = html or course / f"similarity-{lesson}.html"
    write_atomically(path, page(lesson, compared, pairs, top))
    console.print(
        f"{min(top, len(pairs))} of {len(pairs)} pairs are in {escape(str(path))}. It names students: it is for you "
        "alone, and it decides nothing.",
        soft_wrap=True,
        highlight=False,
    )
    if open_:
        webbrowser.open(path.resolve().as_uri())
