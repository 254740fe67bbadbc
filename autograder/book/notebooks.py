"""What of a lesson a reader of the book sees: the student's cells, and what they show when the course's answers run.

A reader is a student who has not begun, so the answers stay out: cells come from lessons/, and from solutions/ only
what idea, explore, use and claim cells displayed. A check's outcome is left out with the answer it is about. Where the
lesson asks for a prediction first, what came out is folded away until the reader opens it.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable, Sequence
from html import escape
from pathlib import Path

import nbformat
from nbconvert.filters import ansi2html
from nbformat import NotebookNode

from autograder.book import widgets
from autograder.building import BuildError, Problem, lesson_path, solution_path
from autograder.building.start import KIT
from autograder.files import write_atomically

Picture = Callable[[bytes], str]
"""Keeps a PNG beside the pages and gives its address from a lesson's page."""

_ASKS = re.compile(r"\b[Pp]redict(?!ion)|\b[Bb]efore you (?:run|look|open)|\b[Cc]over the output")
_MOVES = re.compile(r"\*\*Predict, then move\.\*\*")
_YOURS = '<p class="course-yours">Yours to write, in the notebook</p>'
_HANDS_IN, _HAND_IN = "from course_lib.submission import Submit", "### Hand it in"
_HEADING = re.compile(r"^#{1,4} ", re.MULTILINE)
_EMBEDDED = re.compile(r'src="data:image/png;base64,(?P<png>[\w+/=\s]+)"')


def read(root: Path, lesson: str, picture: Picture, *, answers: bool = False) -> NotebookNode:
    """A lesson as the book shows it, its outputs as HTML or plain text.

    Args:
        root: the project's folder.
        lesson: its name.
        picture: keeps the pictures.
        answers: the solution with its checks instead, for instructors.

    Raises:
        BuildError: a notebook is missing, or the two do not have the same cells.
    """
    solution = _notebook(root, solution_path(root, lesson))
    shown = solution if answers else _notebook(root, lesson_path(root, lesson))
    ran = {cell.id: cell for cell in solution.cells}
    if [cell.id for cell in shown.cells] != list(ran):
        said = "has other cells than its solution; build both: python -m autograder build"
        raise BuildError([Problem(f"lessons/{lesson}", said)])
    cells: list[NotebookNode] = []
    asked = False
    for cell in _without_handing_in(shown.cells):
        if cell.cell_type == "markdown":
            asked = _is_asked(cell.source, asked)
            written = "nbgrader" in cell.metadata and not answers
            cells.append(nbformat.v4.new_markdown_cell(_YOURS if written else cell.source, id=cell.id))
        elif cell.cell_type == "code":
            cells.append(_code(cell, ran[cell.id], picture, answers=answers, fold=asked and not answers))
    made: NotebookNode = nbformat.v4.new_notebook(cells=cells, metadata=shown.metadata)
    return made


def pictures_in(folder: Path, address: str) -> Picture:
    """Keeps pictures in a folder, each once, under a name that its bytes give.

    Args:
        folder: where they go.
        address: of that folder, from a lesson's page.
    """

    def keep(png: bytes) -> str:
        name = f"{hashlib.sha256(png).hexdigest()[:16]}.png"
        if not (folder / name).exists():
            write_atomically(folder / name, png)
        return f"{address}/{name}"

    return keep


def _notebook(root: Path, path: Path) -> NotebookNode:
    if not path.is_file():
        said = f"is not there; build it first: python -m autograder build {path.stem}"
        raise BuildError([Problem(path.relative_to(root).as_posix(), said)])
    read: NotebookNode = nbformat.read(path, as_version=4)
    return read


def _without_handing_in(cells: Sequence[NotebookNode]) -> list[NotebookNode]:
    """The cells without those that hand in: a page has no notebook to hand in."""
    kept: list[NotebookNode] = []
    for cell in cells:
        if cell.cell_type == "code" and _HANDS_IN in cell.source:
            if kept and kept[-1].cell_type == "markdown" and kept[-1].source.startswith(_HAND_IN):
                kept.pop()
        else:
            kept.append(cell)
    return kept


def _is_asked(prose: str, before: bool) -> bool:
    """Whether what the next cells show should be guessed first; a question holds until the next heading."""
    asked = False if _HEADING.search(prose) else before
    return bool(_ASKS.search(_MOVES.sub("", prose))) or asked


def _code(cell: NotebookNode, ran: NotebookNode, picture: Picture, *, answers: bool, fold: bool) -> NotebookNode:
    made: NotebookNode = nbformat.v4.new_code_cell(cell.source, id=cell.id)
    graded = cell.metadata.get("nbgrader", {})
    tags = [tag for tag in cell.metadata.get("tags", ()) if tag in ("setup", "idea", "explore", "use", "claim")]
    if graded:
        tags.append("answer" if graded.get("solution") else "check")
    elif cell.metadata.get("jupyter", {}).get("source_hidden"):
        _fold(made, tags, "input", "The code of this cell")
    elif KIT in cell.source:  # it sees whether the course is installed
        _fold(made, tags, "input", "Is the course there? The code that looks")
        ran = nbformat.v4.new_code_cell()
    if answers or not graded:
        made.outputs = list(filter(None, (_output(output, picture) for output in ran.outputs)))
    widget = None if graded else widgets.of_cell(cell.source)
    if widget is not None and made.outputs:
        made.outputs[-1].data["text/html"] = widgets.placed(widget, made.outputs[-1].data["text/html"])
        tags.append("remove-input")
    elif fold and made.outputs:
        _fold(made, tags, "output", "See what comes out", "What came out")
    made.metadata["tags"] = tags
    return made


def _fold(cell: NotebookNode, tags: list[str], part: str, closed: str, opened: str = "") -> None:
    """Let the reader open the "input" or "output" of a cell, below these words."""
    tags.append(f"hide-{part}")
    cell.metadata["mystnb"] = {"code_prompt_show": closed, "code_prompt_hide": opened or closed}


def _output(output: NotebookNode, picture: Picture) -> NotebookNode | None:
    """An output as one piece of HTML."""
    if output.output_type == "stream":
        html = _plain(output.text)
    elif output.output_type == "error":
        html = _plain("\n".join(output.traceback))
    elif "text/html" in output.data:
        html = _EMBEDDED.sub(lambda found: _source(found["png"], picture), output.data["text/html"])
    elif "image/png" in output.data:
        alt = output.metadata.get("image/png", {}).get("alt") or output.data.get("text/plain", "")
        html = f'<img alt="{escape(alt)}" {_source(output.data["image/png"], picture)}>'
    else:
        html = _plain(output.data.get("text/plain", ""))
    if not html:
        return None
    made: NotebookNode = nbformat.v4.new_output("display_data", {"text/html": html})
    return made


def _source(png: str, picture: Picture) -> str:
    return f'loading="lazy" src="{picture(base64.b64decode(png))}"'


def _plain(text: str) -> str:
    return f'<pre tabindex="0">{ansi2html(text)}</pre>' if text.strip() else ""  # type: ignore[no-untyped-call]
