"""`python -m course_lib update`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from course_lib.commands.terminal import complain, console, say

if TYPE_CHECKING:
    from course_lib.updating.library import Plan
    from course_lib.updating.upgrade import Upgraded

EXIT_CODES = (
    "Exit codes: 0, every lesson is up to date; 1, some lesson could not be brought up to date, and the reason is "
    "listed; 2, nothing was done."
)


def update(
    lessons: Annotated[
        list[str] | None,
        typer.Argument(metavar="LESSON", help="04, or 04_adaptive_optimizers; every lesson if none is named."),
    ] = None,
    source: Annotated[
        Path | None,
        typer.Option(
            "--from",
            metavar="NEW",
            help="The new version: a student kit (zip or folder), a folder of lessons, a notebook.",
        ),
    ] = None,
    folder: Annotated[
        Path | None,
        typer.Option("--in", metavar="FOLDER", help="Where your lessons are.", show_default="the nearest lessons/"),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Write nothing; say what would be done.")] = False,
) -> None:
    """Bring your lessons to a new version of the course, with everything that you wrote.

    **Save and close the notebooks first.** Your answers go into the new version by their exercise. Your own cells and
    notes stay where they were, and so does your text in cells of the course. Before a notebook is written, the old one
    is kept beside it, as `04_adaptive_optimizers.before-DAY_TIME.ipynb`. Your progress does not change. Where you work
    in an unpacked student kit, its `course_lib` is brought up to date too.

    With git: work in a copy of `lessons`; then `git pull` always works, and
    `python -m course_lib update --from lessons --in my_lessons` brings what is new.

    Examples: `python -m course_lib update --from student-kit-0.2.0.zip --dry-run`,
    `python -m course_lib update 04 --from Downloads/04_adaptive_optimizers.ipynb`
    """
    from course_lib.submission.notebooks import NotebookError
    from course_lib.submission.places import in_folder, of_learner, shelf
    from course_lib.updating.library import apply, plan
    from course_lib.updating.upgrade import upgrade
    from course_lib.updating.versions import read_version

    try:
        if source is None:
            raise NotebookError("Where is the new version? For instance: --from student-kit-0.2.0.zip")
        version = read_version(source)
        mine = dict(in_folder(folder)) if folder else of_learner(Path())
        if not mine:
            raise NotebookError(f"No lessons were found in {(folder or Path()).resolve()}. --in says where yours are.")
        place = shelf(next(iter(mine.values())))
        if _is_own(source, mine):
            raise NotebookError(
                f"{source} holds the lessons that are to be brought up to date. --from is the new version."
            )
        chosen = [_named(said, version.lessons) for said in lessons] if lessons else sorted(version.lessons)
        doing = plan(version, place)
        now = datetime.now()
        done = []
        for name in chosen:
            path = mine.get(name, place / name / f"{name}.ipynb")
            done.append(upgrade(name, path, version.lessons[name], now, dry=dry_run))
        _show(done, dry=dry_run)
        aside = None if dry_run else apply(doing, f"{now:%Y-%m-%d_%H%M%S}")
        _show_rest(doing, aside, done, dry=dry_run)
    except NotebookError as error:
        complain(str(error))
        raise typer.Exit(2) from None
    except KeyboardInterrupt:
        complain("Stopped. Each notebook is either as it was or up to date; the same command goes on.")
        raise typer.Exit(2) from None
    if any(each.state == "refused" for each in done):
        raise typer.Exit(1)


def _named(said: str, lessons: Mapping[str, bytes]) -> str:
    """The lesson of the new version that is meant by "4", "04" or its folder's name."""
    from course_lib.submission.notebooks import NotebookError

    for name in lessons:
        if said == name or said.zfill(2) == name.split("_")[0]:
            return name
    raise NotebookError(f"The new version has no lesson {said!r}; it has {', '.join(sorted(lessons))}.")


def _is_own(source: Path, mine: Mapping[str, Path]) -> bool:
    own = {path.resolve() for path in mine.values()}
    if source.is_dir():
        own = {path.parent for path in own} | {path.parent.parent for path in own}
        return bool(own & {source.resolve(), (source / "lessons").resolve()})
    return source.resolve() in own


def _show(done: Sequence[Upgraded], *, dry: bool) -> None:
    from rich.markup import escape
    from rich.table import Table

    if dry:
        say("Nothing is written; this is what would be done.", "bold")
    table = Table(box=None, pad_edge=False)
    table.add_column("lesson", no_wrap=True)
    for column in ("answers kept", "new", "your cells", "your edits"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    for each in done:
        row = [each.lesson, "", "", "", "", each.state]
        if each.merged is not None:
            found = each.merged
            row[1:5] = map(str, (len(found.kept), len(found.new), found.own, found.edited + found.beside))
        table.add_row(*map(escape, row), style={"refused": "red", "updated": "bold"}.get(each.state, ""))
    console.print(table)
    console.print()
    for each in done:
        for line in _details(each):
            say(f"{each.lesson}: {line}")


def _details(each: Upgraded) -> Iterator[str]:
    if each.state == "refused":
        yield f"left as it is. {each.reason}"
    if each.merged is None or each.state != "updated":
        return
    found = each.merged
    if found.kept:
        yield f"kept your {', '.join(found.kept)}."
    if found.new:
        yield f"new: {', '.join(found.new)}."
    if found.gone:
        yield f"no longer asked, and kept in a cell of its own: {', '.join(found.gone)}."
    if found.beside:
        cells = "a cell was" if found.beside == 1 else f"{found.beside} cells were"
        yield f"{cells} changed by you and by the course; yours stands behind, marked “Kept from your earlier version”."
    yield from found.notes


def _show_rest(doing: Plan, aside: Path | None, done: Sequence[Upgraded], *, dry: bool) -> None:
    if doing.root is not None and doing.changes_library:
        would = "would be" if dry else "is"
        say(
            f"course_lib {would} that of the new version."
            + (f" The old one is {aside}; you may delete it." if aside else "")
        )
    if doing.advice:
        say(doing.advice)
    kept = [each.backup for each in done if each.backup is not None]
    if kept:
        others = f", and so on: {len(kept)} in all" if len(kept) > 1 else ""
        say(f"The old notebooks are kept beside the new ones, as {kept[-1].name}{others}.")
        say("Notebooks that are open in JupyterLab: File, Reload Notebook from Disk, before you save them.")
