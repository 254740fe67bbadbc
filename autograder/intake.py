"""Intake: the bytes that somebody handed in, read as cells or refused with one sentence. Nothing is executed.

Of a cell only four plain strings are kept; whatever else the file holds (outputs, tags, points, kernels) ends here.
Sizes, depth and counts are looked at before anything is parsed.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import logging
import re
import unicodedata
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import nbformat

from autograder.files import NotPlainError, read_plain
from course_lib.submission.limits import MAX_BYTES, MAX_CELLS, MAX_DEPTH, MAX_DIGITS, MAX_SOURCE, MAX_VALUES
from course_lib.submission.matching import Cell

MAX_NAME = 200
MAX_ID = 100
_MAX_LOOKED_AT = 1_000

_RESERVED = {"con", "prn", "aux", "nul", *(f"{port}{number}" for port in ("com", "lpt") for number in range(1, 10))}
_REOPEN = "open it in JupyterLab, save it and hand it in again"
_CLEAR = "clear all outputs, save it and hand it in again"
# Strings are passed over whole, also one that never ends: the scan takes time in proportion to the file, not to its
# square. What stands between the matches (colons, spaces, letters) has no part in depth or size.
_TOKENS = re.compile(rb'"(?:[^"\\]++|\\.)*+"?|[\[\]{},]|[-+.0-9eE]++', re.DOTALL)


@dataclass(frozen=True)
class Submission:
    """What intake made of a file.

    Attributes:
        outcome: "read"; "malformed" (it is no notebook that can be read); "missing" (there is no file).
        cells: in the order of the file; empty unless read.
        sentence: why it was not read, and what to do.
        digest: SHA-256 of the bytes, "" where none were read; tells whether a student has handed in again.
    """

    outcome: Literal["read", "malformed", "missing"]
    cells: tuple[Cell, ...] = ()
    sentence: str = ""
    digest: str = ""


class _RefusedError(ValueError):
    """Why a file is not read, and what to do about it."""

    def __init__(self, reason: str, advice: str = _REOPEN) -> None:
        super().__init__(reason)
        self.advice = advice


def from_path(path: Path) -> Submission:
    """Read the file at `path`; links (the file's own and its two folders'), devices and pipes are refused."""
    if any(place.is_symlink() for place in (path, path.parent, path.parent.parent)):
        return _malformed("it is a link to another place, which is refused", "hand in the notebook itself")
    try:
        return from_bytes(read_plain(path, MAX_BYTES + 1))
    except (FileNotFoundError, NotADirectoryError):
        return _absent(path)
    except NotPlainError as error:
        return _malformed(f"{error}, which is refused", "hand in the notebook itself, as a file of its own")
    except OSError as error:
        return _malformed(f"it cannot be opened ({error.strerror or 'no reason given'})", "hand it in again")


def from_bytes(data: bytes | None) -> Submission:
    """Read the bytes of a notebook, of any format that nbformat can upgrade; None means that nothing came."""
    if data is None:
        return Submission("missing", sentence="No notebook was handed in.")
    digest = hashlib.sha256(data).hexdigest()
    try:
        read = Submission("read", tuple(_cells(_notebook(_parsed(data)))))
    except _RefusedError as error:
        read = _malformed(str(error), error.advice)
    return replace(read, digest=digest)


def shown_name(name: str) -> str:
    """A file's name as it can be printed anywhere: control characters and marks that turn text round are escaped."""
    return "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in name)[:MAX_NAME]


def unfit(student: str) -> str:
    """Why a name is refused as a student's: it is a folder's on every system, and text in pages that are not ours.

    Returns:
        Words to stand behind the name; "" where nothing is wrong.
    """
    if not student:
        return "which is empty"
    if len(student) > MAX_ID:
        return f"which is longer than {MAX_ID} characters"
    if not student.isprintable():
        return "which holds characters that cannot be seen"
    if not unicodedata.is_normalized("NFC", student):  # the same name to people, another one to every file system
        return "whose accents are written apart from their letters, as some systems do: rename it, or let collect do so"
    if set(student) & set('<>:"/\\|?*&[]'):
        return 'which holds one of < > : " / \\ | ? * & [ ]'
    if student[0] in "-. " or student[-1] in ". ":
        return "which begins or ends with a dot, a space or a dash"
    if student.split(".")[0].lower() in _RESERVED:
        return "which Windows keeps for itself"
    return ""


def _absent(path: Path) -> Submission:
    """Nothing came under the name that counts; a browser that saved `LESSON (1).ipynb` is the usual reason."""
    try:
        every = itertools.islice(path.parent.iterdir(), _MAX_LOOKED_AT)
        others = sorted(other.name for other in every if other.suffix.lower() == ".ipynb")
    except OSError:
        others = []
    if not others:
        return from_bytes(None)
    found = ", ".join(f"`{shown_name(name)}`" for name in others[:3])
    return Submission(
        "missing",
        sentence=f"There is no {path.name}, but {found}. Only a notebook of exactly that name is graded: "
        "rename it and hand it in again.",
    )


def _parsed(data: bytes) -> Any:
    """The JSON of `data`; its size, depth and counts are looked at first."""
    if not data.strip():
        raise _RefusedError("it is empty", "save the notebook and hand it in again")
    if len(data) > MAX_BYTES:
        raise _RefusedError(f"it is larger than {MAX_BYTES // 1_000_000} MB", _CLEAR)
    if data.startswith((b"PK\x03\x04", b"\x1f\x8b", b"Rar!", b"7z\xbc\xaf")):
        raise _RefusedError("it is an archive", "unpack it and hand in the notebook that is in it")
    if data.lstrip()[:1] == b"<":
        raise _RefusedError("it is a web page", "hand in the .ipynb file itself: in JupyterLab, File, Download")
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise _RefusedError("it is written in UTF-16, and a notebook in UTF-8")
    if b"\0" in data:
        raise _RefusedError("it holds NUL bytes, which no text does")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise _RefusedError("it is not text in UTF-8") from None
    _expect_small(data)
    try:
        return json.loads(text, object_pairs_hook=_once)
    except _RefusedError:
        raise
    except RecursionError:
        raise _RefusedError("it is nested too deep", _CLEAR) from None
    except ValueError as error:
        raise _RefusedError(f"it is not JSON ({str(error)[:100]})") from None


def _expect_small(data: bytes) -> None:
    depth = 0
    for count, token in enumerate(_TOKENS.finditer(data)):
        if count > MAX_VALUES:
            raise _RefusedError(f"it holds more than {MAX_VALUES:,} values", _CLEAR)
        start = data[token.start()]
        if start in b"[{":
            depth += 1
            if depth > MAX_DEPTH:
                raise _RefusedError(f"it is nested too deep, more than {MAX_DEPTH} levels", _CLEAR)
        elif start in b"]}":
            depth -= 1
        elif start not in b'",' and token.end() - token.start() > MAX_DIGITS:
            raise _RefusedError(f"it holds a number of more than {MAX_DIGITS:,} digits", _CLEAR)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object of which each key stands there once: two readers of the file may take a different one of two."""
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise _RefusedError(f"it says `{shown_name(twice)[:40]}` twice in one place")
    return found


def _notebook(content: Any) -> dict[str, Any]:
    """The parsed file as a notebook of format 4."""
    if not isinstance(content, dict) or type(content.get("nbformat")) is not int:
        raise _RefusedError("it is JSON, but not a notebook")
    if content["nbformat"] > 4:
        raise _RefusedError(
            f"its format {content['nbformat']} is newer than the 4 that is known here", "save it in format 4"
        )
    return content if content["nbformat"] == 4 else _upgraded(content)


def _upgraded(content: dict[str, Any]) -> dict[str, Any]:
    """A notebook of format 2 or 3 in format 4, without its outputs."""
    bare = {
        "nbformat": content["nbformat"],
        "nbformat_minor": 0,
        "metadata": {"name": ""},
        "worksheets": [{"metadata": {}, "cells": [_bare(cell) for cell in _old_cells(content)]}],
    }
    log = logging.getLogger("traitlets")
    before, log.disabled = log.disabled, True
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return dict(nbformat.convert(nbformat.from_dict(bare), 4))
    except _RefusedError:
        raise
    except Exception:  # noqa: BLE001  an old notebook can be broken in any way
        raise _RefusedError("it is a notebook of an old format that cannot be upgraded") from None
    finally:
        log.disabled = before


def _old_cells(content: dict[str, Any]) -> list[Any]:
    sheets = content.get("worksheets")
    if not isinstance(sheets, list) or len(sheets) != 1:
        raise _RefusedError("it is a notebook of an old format that cannot be upgraded")
    cells = sheets[0].get("cells") if isinstance(sheets[0], dict) else None
    if not isinstance(cells, list):
        raise _RefusedError("it has no list of cells")
    if len(cells) > MAX_CELLS:
        raise _too_many(cells)
    return cells


def _bare(cell: Any) -> dict[str, Any]:
    """What the upgrade needs of an old cell."""
    if not isinstance(cell, dict):
        raise _RefusedError("it is a notebook of an old format that cannot be upgraded")
    kept = {key: cell[key] for key in ("cell_type", "input", "source", "level", "language") if key in cell}
    metadata = cell.get("metadata")
    found = {"outputs": [], "collapsed": False, "prompt_number": None} if kept.get("cell_type") == "code" else {}
    return {**kept, **found, "metadata": metadata if isinstance(metadata, dict) else {}}


def _too_many(cells: list[Any]) -> _RefusedError:
    return _RefusedError(
        f"it has {len(cells):,} cells; {MAX_CELLS:,} are the most that are read", "leave some out and hand it in again"
    )


def _cells(content: dict[str, Any]) -> Iterator[Cell]:
    cells = content.get("cells")
    if not isinstance(cells, list):
        raise _RefusedError("it has no list of cells")
    if len(cells) > MAX_CELLS:
        raise _too_many(cells)
    for number, cell in enumerate(cells, start=1):
        if not isinstance(cell, dict) or cell.get("cell_type") not in ("code", "markdown", "raw"):
            raise _RefusedError(f"its cell {number} is not a cell")
        source = _text(cell.get("source", ""))
        if source is None:
            raise _RefusedError(f"the source of its cell {number} is not text")
        if len(source) > MAX_SOURCE:
            raise _RefusedError(
                f"its cell {number} is longer than {MAX_SOURCE:,} characters", "shorten it and hand it in again"
            )
        metadata = cell.get("metadata")
        grading = metadata.get("nbgrader") if isinstance(metadata, dict) else None
        grade_id = grading.get("grade_id") if isinstance(grading, dict) else None
        yield Cell(cell["cell_type"], source, _name(cell.get("id")), _name(grade_id))


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


def _malformed(reason: str, advice: str) -> Submission:
    return Submission("malformed", sentence=f"The file could not be read as a notebook: {reason}; {advice}.")
