"""The book from beginning to end: sources, Sphinx, and a look at what came out."""

from __future__ import annotations

import contextlib
import gc
import io
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from autograder.book import checks, sources
from autograder.building import BuildError, Problem, leaks
from autograder.building.course import source_paths
from autograder.building.source import read
from autograder.files import is_foreign, put_folder, write_atomically

_MARK = "course-book"
"""Stands in a folder that was made here; what is in another is not ours to replace."""


@dataclass(frozen=True)
class Book:
    """A book that was built.

    Attributes:
        folder: its pages; `index.html` is the first.
        pages: how many.
        links: how many links lead from one place of the book to another, all of them to something.
        outside: addresses elsewhere, whose form alone was looked at.
    """

    folder: Path
    pages: int
    links: int
    outside: tuple[str, ...]


def build(
    root: Path,
    to: Path,
    *,
    answers: bool = False,
    site: str = "",
    tell: Callable[[str], None] = lambda _: None,
) -> Book:
    """Build the book, and refuse it while something is wrong with it; the old one stays until the new one is whole.

    Args:
        root: the project's folder.
        to: the folder of the book: `html/` are the pages, `work/` is what the next run goes on from.
        answers: the instructors' edition, with every answer.
        site: the address of a JupyterLite site made by `make site`, for a link beside each lesson; "" for none.
        tell: is told what is done.

    Raises:
        BuildError: the folder holds something else, a notebook is missing, a warning of Sphinx's, a link that leads
            nowhere, an address on another machine that a page would ask, a picture without words, or something of a
            solution in the readers' edition.
    """
    try:
        from sphinx.cmd.build import build_main
    except ImportError:
        missing = "Sphinx is not installed: pip install -r requirements-book.txt, or make book"
        raise BuildError([Problem("book/", missing)]) from None
    root, to = root.resolve(), to.resolve()
    if is_foreign(to, _MARK):
        raise BuildError([Problem(str(to), "is there and is no book of this course; move it away or name another")])
    write_atomically(to / _MARK, "Made by python -m autograder book, which replaces what is here.\n")
    source, html = to / "work/source", to / "work/html"
    sources.put(root, source, answers=answers, site=site, tell=tell)
    tell("pages")
    said, warned = io.StringIO(), to / "work/warnings.txt"
    given = ["-b", "html", "-c", str(root / "book"), "-d", str(to / "work/doctrees"), "-j", "auto", "-w", str(warned)]
    given += ["-D", f"html_static_path={source / '_static'}", "-D", f"html_favicon={source / '_static/icon.svg'}"]
    given += ["--no-color", "-q"]
    given += [*(["-t", "answers"] if answers else []), str(source), str(html)]
    done = _quietly(build_main, given, said)
    problems = _warnings(warned.read_text("utf-8") if warned.exists() else "", source)
    if done and not problems:
        problems = [Problem("book/", f"Sphinx ended with {done}: {said.getvalue()[-2000:]}")]
    if problems:
        raise BuildError(problems)
    tell("looking it over")
    _prune(source, html)
    found = checks.look_over(html)
    if not answers:
        found.problems.extend(_leaks(root, html, found))
    if found.problems:
        raise BuildError(found.problems)
    return Book(_published(html, to), found.pages, found.links, tuple(sorted(found.outside)))


def _published(html: Path, to: Path) -> Path:
    """The pages, put in the place of the old ones as a whole."""
    with tempfile.TemporaryDirectory(dir=to, prefix=".html-") as made:
        new, book = Path(made) / "new", to / "html"
        shutil.copytree(html, new)
        (new / ".nojekyll").touch()  # GitHub Pages would leave out what begins with an underscore
        put_folder(new, book, aside=Path(made) / "old")
    return book


def _prune(source: Path, html: Path) -> None:
    """Remove what an earlier run left: Sphinx takes no page away, and what is gone must not be published."""
    theirs = {"genindex.html", "search.html"}
    pages = {path.relative_to(source).with_suffix(".html").as_posix() for path in source.rglob("*")}
    for path in html.rglob("*.html"):
        if path.relative_to(html).as_posix() not in pages | theirs:
            path.unlink()
    for folder in ("pictures", "audio", "moments"):
        for path in (html / "_static" / folder).rglob("*"):
            if path.is_file() and not (source / path.relative_to(html)).is_file():
                path.unlink()


def _quietly(main: Callable[[list[str]], int], given: list[str], said: io.StringIO) -> int:
    # Sphinx holds millions of small objects that live until the end; looking for dead ones takes half of its time.
    before = gc.get_threshold()
    gc.set_threshold(200_000, 50, 100)
    try:
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            return main(given)
    finally:
        gc.set_threshold(*before)


def _warnings(text: str, source: Path) -> list[Problem]:
    problems = []
    for line in filter(str.strip, text.splitlines()):
        where, found, what = line.partition(": WARNING: ")
        if not found:
            where, found, what = line.partition(": ERROR: ")
        what = what.replace("toctree [toc.not_included]", "toctree; list it in book/guide.md")
        if found:
            problems.append(Problem(where.replace(f"{source}/", ""), what))
        else:
            problems.append(Problem("book/", line.strip()))
    return problems


def _leaks(root: Path, html: Path, found: checks.Found) -> list[Problem]:
    """Everything of a solution in any page or script, and every reviewed entry that none shows any more."""
    wanted = [read(path) for path in source_paths(root)]
    allowed = leaks.allowed_statements(root / "solutions" / leaks.ALLOWED_FILE)
    reviewed = leaks.allowed_statements(root / "book" / leaks.ALLOWED_FILE)
    texts = {path.relative_to(html).as_posix(): checks.texts(path, found) for path in checks.readable(html)}
    leaked = leaks.in_texts(texts, wanted, {**allowed, **reviewed})
    squeezed = ["".join("".join(pieces).split()) for pieces in texts.values()]
    gone = [text for text in reviewed if not any("".join(text.split()) in each for each in squeezed)]
    said = "no page shows {!r} any more; delete the entry"
    return leaked + [Problem(f"book/{leaks.ALLOWED_FILE}", said.format(text)) for text in gone]
