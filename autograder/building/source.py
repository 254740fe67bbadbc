"""The one source of a lesson: MyST Markdown in `solutions/NN_topic.md`, read as a notebook.

Nothing here varies from one reading to the next: cell ids come from the grade id or the position, metadata is fixed.
"""

from __future__ import annotations

import copy
import difflib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jupytext
import nbformat
from jupytext.myst import MystMetadataParsingError, myst_to_notebook
from nbformat import NotebookNode

from autograder.building import start, terms
from autograder.building.problems import BuildError, Problem

FORMAT = "md:myst"
LEXER = "ipython3"
_CELL_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
KERNELSPEC = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
LANGUAGE_INFO = {
    "codemirror_mode": {"name": "ipython", "version": 3},
    "file_extension": ".py",
    "mimetype": "text/x-python",
    "name": "python",
    "nbconvert_exporter": "python",
    "pygments_lexer": LEXER,
}
HEADER = {
    "jupytext": {
        # Without this, each version of jupytext would write its own number into every lesson.
        "notebook_metadata_filter": "-jupytext.text_representation.jupytext_version",
        "text_representation": {"extension": ".md", "format_name": "myst", "format_version": 0.13},
    },
    "kernelspec": KERNELSPEC,
}


@dataclass(frozen=True)
class Source:
    """A lesson as its author wrote it.

    Attributes:
        path: the text file.
        notebook: its cells, unexecuted, with their final ids and metadata.
        lines: the line of the text on which each cell begins, from 1.
    """

    path: Path
    notebook: NotebookNode
    lines: tuple[int, ...]

    @property
    def name(self) -> str:
        """The lesson's folder and notebook: "01_backpropagation"."""
        return self.path.stem

    def where(self, index: int) -> str:
        """How messages point at the cell with this index."""
        return f"{self.path.parent.name}/{self.path.name}:{self.lines[index]} ({self.notebook.cells[index].id})"


def grade_id(cell: NotebookNode) -> str | None:
    """The cell's nbgrader id, or None."""
    name = cell.metadata.get("nbgrader", {}).get("grade_id")
    return str(name) if name else None


def is_answer(cell: NotebookNode) -> bool:
    """Whether a learner writes code here."""
    return bool(cell.cell_type == "code" and cell.metadata.get("nbgrader", {}).get("solution"))


def is_check(cell: NotebookNode) -> bool:
    """Whether this cell earns points by itself."""
    meta = cell.metadata.get("nbgrader", {})
    return bool(cell.cell_type == "code" and meta.get("grade") and not meta.get("solution"))


def canonical(text: str) -> str:
    """The text as JupyterLab would save it; `build --format` writes this.

    Raises:
        ValueError: when the text is not MyST that jupytext can read.
    """
    notebook = _parse(text.replace("\r\n", "\n"))
    notebook.metadata = nbformat.from_dict(copy.deepcopy(HEADER))
    notebook.metadata.jupytext["default_lexer"] = LEXER
    for cell in notebook.cells:
        cell.metadata = nbformat.from_dict(_sorted(cell.metadata))
    return str(jupytext.writes(notebook, fmt=FORMAT))


def read(path: Path) -> Source:
    """Read a lesson's source; terms marked in its prose bring their definitions, its first cell the course's address.

    Raises:
        BuildError: when it cannot be read, when opening and saving it in JupyterLab would change the text, or when
            it marks a term that no glossary has.
    """
    where = f"{path.parent.name}/{path.name}"
    text = path.read_bytes().decode("utf-8")
    try:
        expected = canonical(text)
    except ValueError as error:
        raise BuildError([Problem(where, f"cannot be read as MyST: {error}")]) from error
    if text != expected:
        raise BuildError([Problem(where, _difference(path.stem, text, expected))])
    notebook = _parse(text)
    lines = tuple(int(line) for line in myst_to_notebook(text, add_source_map=True).metadata.source_map)
    notebook.metadata = nbformat.from_dict({"kernelspec": KERNELSPEC, "language_info": copy.deepcopy(LANGUAGE_INFO)})
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    course = start.address(path.parent.parent)
    for number, cell in enumerate(notebook.cells, start=1):
        line = f"{where}:{lines[number - 1]}"
        if not isinstance(cell.metadata.get("nbgrader", {}), dict):
            raise BuildError([Problem(line, "`nbgrader` must hold keys; CONTRIBUTING.md shows which")])
        if cell.cell_type == "markdown" and terms.are_in(cell.source):
            try:
                cell.source = terms.expanded(cell.source, terms.course_terms())
            except ValueError as error:
                raise BuildError([Problem(line, str(error))]) from error
        if cell.cell_type == "code":
            cell.source = start.addressed(cell.source, course)
        cell.id = grade_id(cell) or f"cell-{number:03d}"
        if not _CELL_ID.fullmatch(cell.id):
            raise BuildError([Problem(line, f"grade_id {cell.id!r}; use 1 to 64 of a-z, A-Z, 0-9, _ and -")])
    return Source(path, notebook, lines)


def _difference(lesson: str, text: str, expected: str) -> str:
    diff = list(difflib.unified_diff(text.splitlines(), expected.splitlines(), "written", "mended", lineterm="", n=1))
    more = [f"... and {len(diff) - 20} more lines"] if len(diff) > 20 else []
    shown = "\n".join(diff[:20] + more) or "only line ends or blank lines at the end differ"
    mend = f"python -m autograder build {lesson} --format"
    return f"opening and saving it in JupyterLab would change it; `{mend}` mends it:\n{shown}"


def _parse(text: str) -> NotebookNode:
    try:
        notebook: NotebookNode = jupytext.reads(text, fmt=FORMAT)
    except MystMetadataParsingError as error:
        raise ValueError(str(error)) from error
    except nbformat.ValidationError as error:
        raise ValueError(error.message) from error
    return notebook


def _sorted(value: Any) -> Any:
    """The same value with the keys of every dict in alphabetical order."""
    if isinstance(value, dict):
        return {key: _sorted(value[key]) for key in sorted(value)}
    return value
