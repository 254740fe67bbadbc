"""A learner's notebook file: read with care, and written so that nobody sees a half of it.

A notebook is kept as the plain data of its file; of each cell, `source` is one text with "\\n" at the ends of lines.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from course_lib.files import replace
from course_lib.submission.matching import Cell, Given, fingerprint

Notebook = dict[str, Any]

RELEASED = "course"
"""Where a lesson says which cells it was released with, in the notebook's metadata: {"lesson": name, "cells": [...]}.

Each cell is "ID KIND FINGERPRINT ROLE"; the role is one of :data:`ROLES`. So it can be told which text is the course's
and which was written by a learner, also once the lesson has changed.
"""
ROLES = ("given", "setup", "answer", "check")
_LARGEST = 500_000_000


class NotebookError(ValueError):
    """A file that cannot be read or written; the message says why and what to do next."""


@dataclass(frozen=True)
class Release:
    """What a lesson was released with.

    Attributes:
        lesson: the lesson's folder; "" where the notebook does not say.
        given: its cells, with fingerprints as keys.
        roles: of each of them.
        known: whether the notebook says so itself; otherwise it was guessed from the notebook's cells.
    """

    lesson: str
    given: tuple[Given, ...]
    roles: tuple[str, ...]
    known: bool


def read(path: Path) -> Notebook:
    """Read a notebook of format 4.

    Raises:
        NotebookError: it is not there, cannot be opened, or is no notebook that can be read.
    """
    try:
        if path.stat().st_size > _LARGEST:
            raise NotebookError(
                f"{path} is larger than {_LARGEST // 1_000_000} MB: clear its outputs in JupyterLab, save."
            )
        data = path.read_bytes()
    except FileNotFoundError:
        raise NotebookError(f"{path} is not there.") from None
    except OSError as error:
        raise NotebookError(f"{path} cannot be opened ({error.strerror or type(error).__name__}).") from None
    return parse(data, path)


def parse(data: bytes, path: Path) -> Notebook:
    """A notebook from the bytes of its file; `path` is named in errors.

    Raises:
        NotebookError: it is no notebook that can be read.
    """
    if not data.strip():
        raise NotebookError(f"{path} is empty. {_rescue(path)}")
    try:
        content = json.loads(data.decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise NotebookError(f"{path} is not text in UTF-8, as notebooks are. {_rescue(path)}") from None
    except (ValueError, RecursionError) as error:
        line = getattr(error, "lineno", None)
        where = f" (line {line} of the file)" if line else ""
        if b"\n<<<<<<< " in data:
            raise NotebookError(
                f"{path} holds git's marks of a conflict{where}. `git checkout --ours -- FILE` brings your version "
                "back; `python -m course_lib update --help` says how to bring it up to date."
            ) from None
        raise NotebookError(f"{path} is broken: it is no JSON{where}. {_rescue(path)}") from None
    problem = _problem(content)
    if problem:
        raise NotebookError(f"{path} {problem}")
    for cell in content["cells"]:
        cell["source"] = _text(cell["source"])
        cell["metadata"] = cell["metadata"] if isinstance(cell.get("metadata"), dict) else {}
    content["metadata"] = content["metadata"] if isinstance(content.get("metadata"), dict) else {}
    notebook: Notebook = content
    return notebook


def _problem(content: Any) -> str:
    if not isinstance(content, dict) or type(content.get("nbformat")) is not int:
        return "is JSON, but no notebook. Is it the right file?"
    if content["nbformat"] != 4:
        return f"is a notebook of format {content['nbformat']}: open it in JupyterLab, save it, and try again."
    if not isinstance(content.get("cells"), list):
        return "is a notebook without a list of cells. Take a fresh copy of the lesson."
    for number, cell in enumerate(content["cells"], start=1):
        if not isinstance(cell, dict) or cell.get("cell_type") not in ("code", "markdown", "raw"):
            return f"has something that is no cell in place {number}: open it in JupyterLab, save it, and try again."
        if _text(cell.get("source")) is None:
            return f"has a cell without text in place {number}: open it in JupyterLab, save it, and try again."
    return ""


def _text(source: object) -> str | None:
    """A cell's source, which may be written as one text or as lines; half characters become question marks."""
    if isinstance(source, list) and all(isinstance(line, str) for line in source):
        source = "".join(source)
    if not isinstance(source, str):
        return None
    return source.encode("utf-8", "replace").decode("utf-8").replace("\r\n", "\n").replace("\r", "\n")


def _rescue(path: Path) -> str:
    """What to do about a file that is spoilt."""
    checkpoint = path.parent / ".ipynb_checkpoints" / f"{path.stem}-checkpoint.ipynb"
    if checkpoint.is_file():
        return f"JupyterLab has kept an earlier version: {checkpoint}. Copy it over this one."
    return "In JupyterLab, open it and choose File, Revert Notebook to Checkpoint; or take a fresh copy of the lesson."


def cells(notebook: Notebook) -> list[Cell]:
    """The notebook's cells, as matching sees them."""
    return [Cell(cell["cell_type"], cell["source"], _id(cell), grade_id(cell)) for cell in notebook["cells"]]


def _id(cell: dict[str, Any]) -> str:
    return cell["id"] if isinstance(cell.get("id"), str) else ""


def grading(cell: dict[str, Any]) -> dict[str, Any]:
    """What nbgrader knows of a cell; nothing for an ordinary one."""
    found = cell["metadata"].get("nbgrader")
    return found if isinstance(found, dict) else {}


def grade_id(cell: dict[str, Any]) -> str:
    """nbgrader's id of a cell, "" where it has none."""
    name = grading(cell).get("grade_id")
    return name if isinstance(name, str) else ""


def role(cell: dict[str, Any]) -> str:
    """What a cell of a lesson is for; one of :data:`ROLES`."""
    known = grading(cell)
    if known.get("solution"):
        return "answer"
    if known.get("grade"):
        return "check"
    tags = cell["metadata"].get("tags")
    return "setup" if isinstance(tags, list) and "setup" in tags else "given"


def released_cells(notebook: Notebook) -> list[str]:
    """What a lesson says of its cells when it is released; see :data:`RELEASED`."""
    return [
        f"{_id(cell) or '-'} {cell['cell_type']} {fingerprint(cell['source'])} {role(cell)}"
        for cell in notebook["cells"]
    ]


def release(notebook: Notebook) -> Release:
    """What the notebook was released with: as it says itself, or guessed from its cells.

    Notebooks of before the course wrote it down say nothing. There nbgrader's checksums tell which answers are
    untouched, and other cells with ids of the course count as unchanged.
    """
    known = notebook["metadata"].get(RELEASED)
    if isinstance(known, dict) and isinstance(known.get("cells"), list):
        lesson = known.get("lesson")
        return parse_release(lesson if isinstance(lesson, str) else "", known["cells"])
    rows: dict[str, tuple[str, str, str, str]] = {}
    for cell in notebook["cells"]:
        name = grade_id(cell) or (_id(cell) if _id(cell).startswith("cell-") else "")
        if name and (name not in rows or not rows[name][2]):
            key = fingerprint(cell["source"]) if role(cell) != "answer" or _untouched(cell) else ""
            rows[name] = (name, cell["cell_type"], key, role(cell))
    return _release("", list(rows.values()), known=False)


def parse_release(lesson: str, lines: Sequence[Any]) -> Release:
    """What :func:`released_cells` wrote; lines of another form are passed over."""
    parts = [line.split(" ") for line in lines if isinstance(line, str)]
    return _release(lesson, [part for part in parts if len(part) == 4 and part[3] in ROLES], known=True)


def _untouched(cell: dict[str, Any]) -> bool:
    """Whether an answer's text is that for which nbgrader made the checksum (`nbgrader.utils.compute_checksum`)."""
    known = grading(cell)
    parts = [cell["source"], cell["cell_type"], str(bool(known.get("grade"))), str(True), str(False), grade_id(cell)]
    if known.get("grade"):
        points = known.get("points")
        parts.append(str(float(points)) if isinstance(points, int | float) else "")
    return hashlib.md5("".join(parts).encode(), usedforsecurity=False).hexdigest() == known.get("checksum")


def _release(lesson: str, rows: Sequence[Sequence[str]], *, known: bool) -> Release:
    given = tuple(
        Given(kind, key, name, name if is_for in ("answer", "check") else "", is_for == "answer")
        for name, kind, key, is_for in rows
    )
    return Release(lesson, given, tuple(row[3] for row in rows), known)


def headings(notebook: Notebook) -> Iterator[str]:
    """For each cell the heading under which it stands."""
    under = ""
    for cell in notebook["cells"]:
        if cell["cell_type"] == "markdown":
            lines = [line.strip() for line in cell["source"].split("\n") if line.startswith("#")]
            under = lines[-1].lstrip("#").strip() if lines else under
        yield under


def as_bytes(notebook: Notebook) -> bytes:
    """The notebook as JupyterLab would save it; the same data gives the same bytes."""
    lined = {**notebook, "cells": [{**cell, "source": _lines(cell["source"])} for cell in notebook["cells"]]}
    text = json.dumps(lined, sort_keys=True, indent=1, ensure_ascii=False) + "\n"
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError:  # half of a character in an output, which JSON can escape
        return (json.dumps(lined, sort_keys=True, indent=1) + "\n").encode("ascii")


def _lines(source: str) -> list[str]:
    pieces = source.split("\n")
    lines = [f"{line}\n" for line in pieces[:-1]] + pieces[-1:]
    return lines if lines[-1] else lines[:-1]


def write(path: Path, data: bytes) -> None:
    """Write a file so that whoever reads sees the old one or the new one.

    Raises:
        NotebookError: it cannot be written, as where another program holds it open (on Windows); it is as it was.
    """
    part = ""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, part = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(part).chmod(0o644)
        replace(Path(part), path)
    except PermissionError:
        raise NotebookError(
            f"{path} cannot be written: its folder does not allow it, or another program has it open. Close it there "
            "(in JupyterLab: File, Close and Shut Down Notebook) and try again. It is as it was."
        ) from None
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise NotebookError(f"{path} cannot be written ({reason}). It is as it was.") from None
    finally:
        if part:
            Path(part).unlink(missing_ok=True)
