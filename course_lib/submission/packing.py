"""The file to hand in: one notebook under its right name, within what the grader reads.

It goes to `to_hand_in/`, beside the lessons' folders. What was there before moves to `to_hand_in/earlier/DAY_TIME/`, by
the time at which it was packed. The same notebook gives the same bytes.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from course_lib.files import stamps
from course_lib.submission.limits import MAX_BYTES, MAX_CELLS, MAX_DEPTH, MAX_DIGITS, MAX_SOURCE, MAX_VALUES
from course_lib.submission.notebooks import Notebook, NotebookError, as_bytes, write

FOLDER = "to_hand_in"
_DIGITS = 10**MAX_DIGITS


@dataclass(frozen=True)
class Packed:
    """A notebook to hand in.

    Attributes:
        lesson: the lesson's folder.
        data: the file.
        without_outputs: why outputs were left out, as a sentence; "" where they are in it.
    """

    lesson: str
    data: bytes
    without_outputs: str = ""

    @property
    def name(self) -> str:
        """What the file must be called."""
        return f"{self.lesson}.ipynb"

    @property
    def receipt(self) -> str:
        """The first 16 digits of the file's SHA-256, by which two files can be told apart."""
        return hashlib.sha256(self.data).hexdigest()[:16]


def pack(notebook: Notebook, lesson: str) -> Packed:
    """The notebook as the grader expects it; its outputs are left out where they are more than is read.

    Raises:
        NotebookError: it is too much even without outputs; the message says what to shorten.
    """
    if len(notebook["cells"]) > MAX_CELLS:
        raise NotebookError(
            f"The notebook has {len(notebook['cells']):,} cells, and {MAX_CELLS:,} are the most that are read: delete "
            "some of your own."
        )
    for number, cell in enumerate(notebook["cells"], start=1):
        if len(cell["source"]) > MAX_SOURCE:
            raise NotebookError(
                f"Cell {number} is longer than the {MAX_SOURCE:,} characters that are read: shorten it."
            )
    data, reason = _written(notebook)
    if not reason:
        return Packed(lesson, data)
    data, left = _written(_without_outputs(notebook))
    if left:
        raise NotebookError(
            f"Even without outputs the notebook {left}. Pictures pasted into text cells are the usual reason: delete "
            "some of them."
        )
    said = f"The notebook {reason}, so its outputs were left out of this copy. They do not count; your code is in it."
    return Packed(lesson, data, said)


def write_packed(packed: Packed, shelf: Path) -> tuple[Path, Path | None]:
    """Put the file into `shelf`/to_hand_in/.

    Returns:
        Where it is, and where another one that was there has moved to.

    Raises:
        NotebookError: it cannot be written.
    """
    path = shelf / FOLDER / packed.name
    moved = None
    try:
        if path.exists():
            if path.read_bytes() == packed.data:
                return path, None
            moved = _earlier(path)
            moved.parent.mkdir(parents=True, exist_ok=True)
            path.replace(moved)
    except OSError as error:
        raise NotebookError(
            f"{path}, which was packed before, cannot be moved away ({error.strerror or type(error).__name__}). Close "
            "whatever has it open, and try again."
        ) from None
    write(path, packed.data)
    return path, moved


def _earlier(path: Path) -> Path:
    packed_on = datetime.fromtimestamp(path.stat().st_mtime)
    for folder in stamps(packed_on):
        found = path.parent / "earlier" / folder / path.name
        if not found.exists():
            return found
    raise OSError(0, "a thousand files of the same second stand there")


def _without_outputs(notebook: Notebook) -> Notebook:
    metadata = {key: value for key, value in notebook["metadata"].items() if key != "widgets"}
    bare = [
        {**cell, "outputs": [], "execution_count": None} if cell["cell_type"] == "code" else cell
        for cell in notebook["cells"]
    ]
    return {**notebook, "metadata": metadata, "cells": bare}


def _written(notebook: Notebook) -> tuple[bytes, str]:
    """The file, and why the grader would not read it; "" where it would."""
    reason = _too_rich(notebook)
    if reason:
        return b"", reason
    data = as_bytes(notebook)
    return data, f"is larger than {MAX_BYTES // 1_000_000} MB" if len(data) > MAX_BYTES else ""


def _too_rich(notebook: Notebook) -> str:
    values = 0
    waiting: list[tuple[Any, int]] = [(notebook, 1)]
    while waiting:
        value, level = waiting.pop()
        if isinstance(value, dict | list):
            if level > MAX_DEPTH - 1:  # a cell's text is written one level deeper, as a list of lines
                return f"is nested deeper than {MAX_DEPTH} levels"
            inside = [*value.values()] if isinstance(value, dict) else value
            waiting += [(each, level + 1) for each in inside]
            values += 2 + 2 * len(inside)  # brackets and commas, and the names in an object
        elif isinstance(value, str):
            values += 1 + 2 * value.count("\n")
        elif isinstance(value, int) and not -_DIGITS < value < _DIGITS:
            return f"holds a number of more than {MAX_DIGITS:,} digits"
        else:
            values += 1
        if values > MAX_VALUES:
            return f"holds more than {MAX_VALUES:,} values"
    return ""
