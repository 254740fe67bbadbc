"""The sample class: submissions as learners would write them, kept as plain Python, with grades written by hand.

`sample_class/LESSON/STUDENT.py` holds cells: `# %% NAME` answers the exercise NAME with what follows;
`# %% extra after NAME` adds a cell of the learner's own after the check of NAME, `# %% extra before NAME` one before
its answer. `grades.toml` beside them says what each must get.
"""

from __future__ import annotations

import copy
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode

from autograder.class_grading import Entry
from autograder.lesson import grade_id

_HEAD = re.compile(r"^# %% *(?:extra +(?P<where>before|after) +)?(?P<name>[A-Za-z_]\w*) *$")


class SampleError(ValueError):
    """A file of the sample class that is not of the expected form."""


@dataclass(frozen=True)
class Piece:
    """One cell that a learner wrote.

    Attributes:
        name: the exercise.
        where: "answer", "before" or "after".
        source: the code.
    """

    name: str
    where: str
    source: str


@dataclass(frozen=True)
class Sample:
    """One submission of the sample class.

    Attributes:
        student: the name of the file.
        pieces: in the order of the file.
        expected: what grades.toml says: "outcome", "score" and "exercises".
    """

    student: str
    pieces: tuple[Piece, ...]
    expected: Mapping[str, Any]


def read(folder: Path) -> list[Sample]:
    """The submissions of a lesson, in alphabetical order.

    Raises:
        SampleError: for a file without a grade, a grade without a file, or a line outside of any cell.
    """
    grades = tomllib.loads((folder / "grades.toml").read_text(encoding="utf-8"))
    files = {path.stem: path for path in sorted(folder.glob("*.py"))}
    if set(files) != set(grades):
        alone = ", ".join(sorted(set(files) ^ set(grades)))
        raise SampleError(f"{folder}: a submission and its entry in grades.toml belong together; look at {alone}")
    return [Sample(name, tuple(_pieces(path)), grades[name]) for name, path in files.items()]


def notebook(sample: Sample, released: NotebookNode) -> NotebookNode:
    """The submission as a notebook: the released one, with the learner's cells.

    Raises:
        SampleError: when a piece names no exercise of the lesson.
    """
    result = copy.deepcopy(released)
    for piece in sample.pieces:
        names = [grade_id(cell) for cell in result.cells]
        if piece.name not in names or f"check_{piece.name}" not in names:
            raise SampleError(f"{sample.student}: the lesson has no exercise {piece.name!r}")
        if piece.where == "answer":
            result.cells[names.index(piece.name)].source = piece.source
            continue
        at = names.index(piece.name) if piece.where == "before" else names.index(f"check_{piece.name}") + 1
        number = sum(cell.id.startswith("own-") for cell in result.cells)
        result.cells.insert(at, nbformat.v4.new_code_cell(piece.source, id=f"own-{number + 1}"))
    return result


def differences(sample: Sample, entry: Entry) -> Iterator[str]:
    """How automatic grades differ from those written by hand, a sentence each.

    An exercise that grades.toml does not name must have been left unanswered.
    """
    expected = sample.expected
    for key in ("outcome", "score"):
        if entry[key] != expected[key]:
            yield f"{sample.student}: {key} is {entry[key]}, by hand {expected[key]}"
    by_hand = dict(expected.get("exercises", {}))
    for result in entry["exercises"]:
        want = by_hand.pop(result["id"], {"points": 0, "outcome": "unanswered"})
        for key in ("points", "outcome", "misconception"):
            if result[key] != want.get(key):
                yield f"{sample.student}, {result['id']}: {key} is {result[key]}, by hand {want.get(key)}"
    for name in by_hand:
        yield f"{sample.student}: {name} was not graded"


def _pieces(path: Path) -> Iterator[Piece]:
    head: re.Match[str] | None = None
    lines: list[str] = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if line.startswith("# %%"):
            if head is not None:
                yield _piece(head, lines)
            head, lines = _HEAD.match(line), []
            if head is None:
                raise SampleError(
                    f"{path}:{number}: write `# %% NAME`, `# %% extra after NAME` or `# %% extra before NAME`"
                )
        elif head is not None:
            lines.append(line)
        elif line.strip() and not line.startswith("#"):
            raise SampleError(f"{path}:{number}: only comments may stand before the first `# %%`")
    if head is not None:
        yield _piece(head, lines)


def _piece(head: re.Match[str], lines: list[str]) -> Piece:
    return Piece(head["name"], head["where"] or "answer", "\n".join(lines).strip("\n"))
