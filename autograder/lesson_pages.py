"""A lesson as one page to read: without scripts, without a network, formulas as MathML, pictures with their words.

What stands in the page comes from the course's own notebooks, so its HTML is taken as it is; a content policy in the
page lets nothing run and nothing be fetched all the same. Submissions never come here.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

import nbformat
from markupsafe import Markup
from nbconvert.filters import Highlight2HTML, ansi2html
from nbformat import NotebookNode

from autograder import pages
from autograder.building import BuildError, Problem, lesson_path, solution_path
from autograder.building.course import source_paths
from autograder.files import write_atomically
from autograder.markdown import Renderer, render
from course_lib.maths import MarkupError
from course_lib.study import speech

_LINK = re.compile(r"</?a\b[^>]*>")
_SPOKEN = re.compile(r'(<p data-utterance="(?P<key>[^"]*)">.*?)</p>', re.DOTALL)


@dataclass(frozen=True)
class PageCell:
    """One cell of a page, each part HTML, empty where there is none."""

    prose: str = ""
    code: str = ""
    hidden: bool = False
    outputs: tuple[str, ...] = ()


def export(root: Path, names: Sequence[str], to: Path, *, student: bool = False) -> list[Path]:
    """Write the pages of lessons.

    Args:
        root: the project's folder.
        names: lessons, as in "01" or "01_backpropagation"; all when empty.
        to: the folder for the pages, one file a lesson, and beside it LESSON_audio/ with what is spoken; made if need
            be.
        student: the notebooks that students open, instead of the solutions with their outputs.

    Returns:
        The pages written.

    Raises:
        BuildError: a lesson that is not there or not built, or a formula that cannot be shown.
    """
    written = []
    for source in source_paths(root, names):
        name = source.stem
        notebook = (lesson_path if student else solution_path)(root, name)
        if not notebook.is_file():
            said = f"is not there; build it first: python -m autograder build {name}"
            raise BuildError([Problem(str(notebook.relative_to(root)), said)])
        try:
            html = page(nbformat.read(notebook, as_version=4))
        except MarkupError as error:
            raise BuildError([Problem(str(notebook.relative_to(root)), str(error))]) from error
        to.mkdir(parents=True, exist_ok=True)
        written.append(to / f"{name}.html")
        write_atomically(written[-1], _with_recordings(html, name, to))
    return written


def page(notebook: NotebookNode) -> str:
    """A notebook of the course as an HTML page.

    Raises:
        MarkupError: a formula that cannot be shown.
    """
    renderer = Renderer()
    cells = [_cell(cell, renderer) for cell in notebook.cells]
    headings = [(level, _LINK.sub("", text), name) for level, text, name in renderer.headings]
    title = Markup(headings[0][1]).striptags() if headings else "Lesson"  # noqa: S704  the course's own
    template = pages.environment(lstrip_blocks=False).get_template("lesson_page.html.j2")
    return template.render(title=title, headings=headings, cells=cells)


def _with_recordings(html: str, lesson: str, to: Path) -> str:
    """The page with a player at each line that has a recording; the recordings are copied beside the page."""
    if not _SPOKEN.search(html):
        return html
    spoken = {each.key: each for each in speech.utterances(lesson)}
    folder = f"{lesson}_audio"

    def player(found: re.Match[str]) -> str:
        line = spoken.get(found["key"])
        recording = speech.recording(lesson, line) if line else None
        if line is None or recording is None:
            return found[0]
        (to / folder).mkdir(exist_ok=True)
        shutil.copyfile(recording, to / folder / recording.name)
        said = f'aria-label="{escape(f"{line.speaker}: {line.words[:60]}")}" src="{folder}/{recording.name}"'
        return f'{found[1]}<audio controls preload="none" {said}></audio></p>'

    return _SPOKEN.sub(player, html)


def _cell(cell: NotebookNode, renderer: Renderer) -> PageCell:
    if cell.cell_type == "markdown":
        return PageCell(prose=render(cell.source, renderer))
    if cell.cell_type != "code":
        return PageCell()
    code = str(Highlight2HTML(pygments_lexer="python")(cell.source)) if cell.source.strip() else ""  # type: ignore[no-untyped-call]
    hidden = bool(cell.metadata.get("jupyter", {}).get("source_hidden"))
    return PageCell(code=code, hidden=hidden, outputs=tuple(_outputs(cell.outputs)))


def _outputs(outputs: Sequence[NotebookNode]) -> Iterator[str]:
    for output in outputs:
        if output.output_type == "stream":
            yield _plain(output.text)
        elif output.output_type == "error":
            yield _plain("\n".join(output.traceback))
        else:
            yield _displayed(output)


def _displayed(output: NotebookNode) -> str:
    data = output.data
    if "text/html" in data:
        return str(data["text/html"])
    if "image/png" in data:
        alt = output.metadata.get("image/png", {}).get("alt") or data.get("text/plain", "")
        return f'<img alt="{escape(alt)}" src="data:image/png;base64,{"".join(data["image/png"].split())}">'
    return _plain(data.get("text/plain", ""))


def _plain(text: str) -> str:
    return f"<pre>{ansi2html(text)}</pre>"  # type: ignore[no-untyped-call]
