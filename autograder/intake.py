"""Intake: the bytes that somebody handed in, read as cells or refused with one sentence. Nothing is executed.

Of a cell only four plain strings are kept; whatever else the file holds (outputs, tags, points, kernels) ends here.
"""

from __future__ import annotations

import json
import logging
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import nbformat

from autograder.files import read_plain

MAX_BYTES = 20_000_000
MAX_CELLS = 2_000
MAX_SOURCE = 500_000
MAX_NAME = 200


@dataclass(frozen=True)
class SubmittedCell:
    """What is taken from one cell of a submission.

    Attributes:
        kind: "code", "markdown" or "raw".
        source: its text; line ends are newlines.
        id: the notebook format's cell id, "" where there is none.
        grade_id: nbgrader's id, "" where there is none.
    """

    kind: str
    source: str
    id: str = ""
    grade_id: str = ""


@dataclass(frozen=True)
class Submission:
    """What intake made of a file.

    Attributes:
        outcome: "read"; "malformed" (it is no notebook that can be read); "missing" (there is no file).
        cells: in the order of the file; empty unless read.
        sentence: why it was not read.
    """

    outcome: Literal["read", "malformed", "missing"]
    cells: tuple[SubmittedCell, ...] = ()
    sentence: str = ""


def from_path(path: Path) -> Submission:
    """Read the file at `path`; links (the file's own and its two folders'), devices and pipes are refused."""
    if any(place.is_symlink() for place in (path, path.parent, path.parent.parent)):
        return _malformed("it is a link to another place, which is refused; hand in the notebook itself")
    try:
        return from_bytes(read_plain(path, MAX_BYTES + 1))
    except FileNotFoundError:
        return _absent(path)
    except OSError as error:
        return _malformed(f"it cannot be read as a file ({error.strerror or 'not a plain file'})")


def _absent(path: Path) -> Submission:
    """Nothing came under the name that counts; a browser that saved `LESSON (1).ipynb` is the usual reason."""
    try:
        others = sorted(other.name for other in path.parent.iterdir() if other.suffix.lower() == ".ipynb")
    except OSError:
        others = []
    if not others:
        return from_bytes(None)
    found = ", ".join(f"`{_text(name)}`" for name in others[:3])
    return Submission(
        "missing",
        sentence=f"There is no {path.name}, but {found[:MAX_NAME]}. Only a notebook of exactly that name is graded: "
        "rename it and hand it in again.",
    )


def from_bytes(data: bytes | None) -> Submission:
    """Read the bytes of a notebook, of any format that nbformat can upgrade; None means that nothing came."""
    if data is None:
        return Submission("missing", sentence="No notebook was handed in.")
    if not data.strip():
        return _malformed("it is empty")
    if len(data) > MAX_BYTES:
        return _malformed(f"it is larger than {MAX_BYTES // 1_000_000} MB; clear the outputs and hand it in again")
    try:
        content = json.loads(data.decode("utf-8-sig"))
    except UnicodeDecodeError:
        return _malformed("it is not text in UTF-8")
    except RecursionError:
        return _malformed("it is nested too deep")
    except ValueError as error:
        return _malformed(f"it is not JSON ({str(error)[:100]})")
    if not isinstance(content, dict) or type(content.get("nbformat")) is not int:
        return _malformed("it is JSON, but not a notebook")
    if content["nbformat"] > 4:
        return _malformed(f"its format {content['nbformat']} is newer than the 4 that is known here")
    if content["nbformat"] < 4:
        content = _upgraded(content)
        if content is None:
            return _malformed(
                "it is a notebook of an old format that cannot be upgraded; open and save it in JupyterLab"
            )
    return _cells(content)


def _upgraded(content: dict[str, Any]) -> dict[str, Any] | None:
    """The notebook in format 4; None where nbformat cannot do it."""
    log = logging.getLogger("traitlets")
    before, log.disabled = log.disabled, True
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return dict(nbformat.reads(json.dumps(content), as_version=4))
    except Exception:  # noqa: BLE001  an old notebook can be broken in any way
        return None
    finally:
        log.disabled = before


def _cells(content: dict[str, Any]) -> Submission:
    cells = content.get("cells")
    if not isinstance(cells, list):
        return _malformed("it has no list of cells")
    if len(cells) > MAX_CELLS:
        return _malformed(f"it has {len(cells):,} cells; {MAX_CELLS:,} are the most that are read")
    found = []
    for number, cell in enumerate(cells, start=1):
        if not isinstance(cell, dict) or cell.get("cell_type") not in ("code", "markdown", "raw"):
            return _malformed(f"its cell {number} is not a cell")
        source = _text(cell.get("source", ""))
        if source is None:
            return _malformed(f"the source of its cell {number} is not text")
        if len(source) > MAX_SOURCE:
            return _malformed(f"its cell {number} is longer than {MAX_SOURCE:,} characters")
        metadata = cell.get("metadata")
        grading = metadata.get("nbgrader") if isinstance(metadata, dict) else None
        grade_id = grading.get("grade_id") if isinstance(grading, dict) else None
        found.append(SubmittedCell(cell["cell_type"], source, _name(cell.get("id")), _name(grade_id)))
    return Submission("read", tuple(found))


def _text(source: object) -> str | None:
    """A cell's source, which may be written as one string or as lines, with plain line ends and no half characters."""
    if isinstance(source, list) and all(isinstance(line, str) for line in source):
        source = "".join(source)
    if not isinstance(source, str):
        return None
    whole = source.encode("utf-8", "replace").decode("utf-8")
    return whole.replace("\r\n", "\n").replace("\r", "\n")


def _name(value: object) -> str:
    return value if isinstance(value, str) and len(value) <= MAX_NAME else ""


def _malformed(reason: str) -> Submission:
    return Submission("malformed", sentence=f"The file could not be read as a notebook: {reason}.")
