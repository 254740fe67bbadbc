"""Matching: which cell of somebody's notebook is which cell of the lesson, and which text answers which exercise.

The grader finds answers by these rules, and so does whatever looks at a notebook before it is handed in or brings it up
to date: what a learner is told at home is what happens in grading. Nothing is executed.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Cell:
    """A cell of somebody's notebook, as far as it matters which one it is.

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
class Given:
    """A cell of the lesson as it was released.

    Attributes:
        kind: "code", "markdown" or "raw".
        key: of its text: the normal text itself, or its fingerprint.
        id: the notebook format's cell id.
        grade_id: nbgrader's id, "" where there is none.
        is_answer: whether a learner writes in it.
    """

    kind: str
    key: str
    id: str
    grade_id: str = ""
    is_answer: bool = False

    @property
    def is_text_answer(self) -> bool:
        """Whether text is asked for: it is graded by hand, whatever kind of cell it ended up in."""
        return self.kind == "markdown" and self.is_answer


@dataclass
class Placed:
    """Where the cells of a notebook belong among the lesson's.

    Attributes:
        answers: the texts that answer each exercise and question, by name; the first one counts.
        own: the learner's code by the cell that it follows (-1: none).
        edited: the learner's version of a given cell.
        found: which given cells are there, and the text of the first of each.
        notes: sentences about what is not as it should be.
    """

    answers: dict[str, list[str]] = field(default_factory=dict)
    own: dict[int, list[str]] = field(default_factory=dict)
    edited: dict[int, str] = field(default_factory=dict)
    found: dict[int, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def normal(source: str) -> str:
    """A cell's text without what an editor may change by itself: line ends and space at the end of lines."""
    return "\n".join(line.rstrip() for line in source.replace("\r\n", "\n").split("\n")).strip("\n")


def fingerprint(source: str) -> str:
    """A short name for a cell's normal text, 12 hexadecimal digits."""
    return hashlib.sha256(normal(source).encode("utf-8", "replace")).hexdigest()[:12]


def defines(source: str, name: str) -> bool:
    """Whether code defines a function, a class or a value of this name at its top level."""
    return re.search(rf"^(?:(?:async +)?def|class) +{name}\b|^{name} *[:=](?!=)", source, re.MULTILINE) is not None


def place(
    given: Sequence[Given],
    submitted: Iterable[Cell],
    exercises: Sequence[str],
    key: Callable[[str], str] = normal,
) -> Placed:
    """Find for each cell of a notebook its place among the lesson's cells.

    Args:
        given: the lesson's cells; `key` made their keys.
        submitted: the notebook's.
        exercises: names of what is asked; each has an answer cell in `given`.
        key: what two texts have in common that count as the same.
    """
    placed = Placed()
    submitted = list(submitted)
    places = Places(given, submitted, exercises, key)
    every: dict[str, list[str]] = {}
    anchor = -1
    for cell in submitted:
        index = places.match(cell)
        if index is None and cell.kind == "code":
            index = places.by_definition(cell)
            if index is not None:
                placed.notes.append(
                    f"The answer cell of {given[index].grade_id} had lost its id and was found by its text."
                )
        if index is not None:
            anchor = index
            first = index not in placed.found
            placed.found.setdefault(index, cell.source)
            places.matched.add(index)
            if given[index].is_answer:
                every.setdefault(given[index].grade_id, []).append(cell.source)
            elif cell.kind == "code" and given[index].key != key(cell.source) and cell.source.strip():
                if first:
                    placed.edited[index] = cell.source
                else:
                    placed.own.setdefault(index, []).append(cell.source)
        elif cell.kind == "code" and cell.source.strip():
            placed.own.setdefault(anchor, []).append(cell.source)
        elif places.asks(cell.grade_id):
            placed.notes.append(f"The answer cell of {cell.grade_id} was turned into text, so it is no answer.")
    stubs = {name: given[index].key for name, index in places.by_grade_id.items()}
    _choose(every, stubs, placed, key)
    code = [cell.source for cell in submitted if cell.kind == "code" and not places.is_given(cell)]
    for name in exercises:
        _find_elsewhere(name, code, stubs[name], places.by_grade_id[name], placed, key)
    return placed


class Places:
    """The lesson's cells, to be found by grade id, text, cell id or definition.

    Attributes:
        by_grade_id: where the cell with this grade id stands.
        matched: which cells were found already; kept by whoever asks.
    """

    def __init__(
        self,
        given: Sequence[Given],
        submitted: Iterable[Cell],
        exercises: Sequence[str],
        key: Callable[[str], str] = normal,
    ) -> None:
        self._given = given
        self._key = key
        self._by_id = {each.id: index for index, each in enumerate(given)}
        self.by_grade_id = {each.grade_id: index for index, each in enumerate(given) if each.grade_id}
        self._by_key: dict[tuple[str, str], list[int]] = {}
        for index, each in enumerate(given):
            self._by_key.setdefault((each.kind, each.key), []).append(index)
        named = {name for cell in submitted for name in (cell.grade_id, cell.id)}
        self._lost = [name for name in exercises if name not in named and name in self.by_grade_id]
        self.matched: set[int] = set()

    def match(self, cell: Cell) -> int | None:
        """The given cell that this one is or was: by grade id, by text, by cell id, in this order."""
        index = self.by_grade_id.get(cell.grade_id)
        if index is not None and (self._given[index].kind == cell.kind or self._given[index].is_text_answer):
            return index
        alike = self.alike(cell)
        index = self._by_id.get(cell.id)
        if alike:
            return index if index in alike else next((i for i in alike if i not in self.matched), alike[0])
        if index is not None and self._given[index].kind == cell.kind:
            return index
        return None

    def alike(self, cell: Cell) -> Sequence[int]:
        """The given cells of the same kind and text."""
        return self._by_key.get((cell.kind, self._key(cell.source)), ())

    def by_definition(self, cell: Cell) -> int | None:
        """The answer cell that this one must have been, where ids were lost: it defines the exercise's name."""
        return next((self.by_grade_id[name] for name in self._lost if defines(cell.source, name)), None)

    def is_given(self, cell: Cell) -> bool:
        """Whether there is nothing in the cell that the lesson has not given."""
        return not cell.source.strip() or bool(self.alike(cell))

    def asks(self, name: str) -> bool:
        """Whether an answer of this name is asked for."""
        index = self.by_grade_id.get(name)
        return index is not None and self._given[index].is_answer


def is_written(source: str, stub: str, key: Callable[[str], str] = normal) -> bool:
    """Whether an answer is more than nothing and more than the stub with this key."""
    return bool(source.strip()) and key(source) != stub


def _choose(
    every: Mapping[str, list[str]], stubs: Mapping[str, str], placed: Placed, key: Callable[[str], str]
) -> None:
    for name, sources in every.items():
        written = [source for source in sources if is_written(source, stubs[name], key)]
        placed.answers[name] = written[:1] or sources[:1]
        if len(set(map(key, written))) > 1:
            placed.notes.append(f"{name} was answered in {len(written)} cells; the first one counts.")


def _find_elsewhere(
    name: str, code: Sequence[str], stub: str, index: int, placed: Placed, key: Callable[[str], str]
) -> None:
    """Take the answer from another cell where its own does not define what is asked; what stood there runs after it."""
    answer = placed.answers.get(name, [""])[0]
    written = is_written(answer, stub, key)
    if written and defines(answer, name):
        return
    elsewhere = [source for source in code if defines(source, name)]
    if not elsewhere:
        return
    placed.answers[name] = [elsewhere[-1]]
    placed.notes.append(f"{name} was answered in another cell than its own; that one counts.")
    if written:
        placed.own.setdefault(index, []).insert(0, answer)
