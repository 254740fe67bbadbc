"""Similarity: pieces of code that two answers of a class share, for a person to look at side by side.

copydetect finds them: it replaces names and texts by placeholders, leaves out spaces and comments, and compares runs of
`RUN` signs of what remains (Schleimer, Wilkerson and Aiken, "Winnowing", SIGMOD 2003, with every run kept: answers are
short). What everybody has is not counted: what the lesson hands out, the obvious way (the course's own solution), and
what many of the class wrote. It says what is alike, never why.
"""

from __future__ import annotations

import functools
import io
import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any

import nbformat
import numpy as np
from markupsafe import Markup

from autograder import pages
from autograder.assemble import KEY
from autograder.code_text import coloured_lines, plain
from autograder.gradebook import Course
from autograder.intake import unfit
from autograder.lesson import LessonSource, grade_id, is_check

if TYPE_CHECKING:
    from copydetect import CodeFingerprint

RUN = 20
"""Signs of code, names counted as one, that must follow each other alike: about a line and a half."""
LEAST_OWN = 4 * RUN
"""Signs beyond what everybody has, below which an answer is left out: a change in one place touches up to 39."""
LEAST_SHARED = 3 * RUN
"""Signs that two answers must share to be listed."""
MANY = 0.2
"""The part of a class from which on a piece counts as what everybody writes; never fewer than :data:`FEW` answers."""
FEW = 5


class MissingLibraryError(RuntimeError):
    """The library that compares is not installed; the message says how to."""


@dataclass(frozen=True)
class Side:
    """One of two answers.

    Attributes:
        student: whose it is.
        source: the answer.
        alike: for each of its lines whether something stands there that both have.
        share: which part of its own signs the other has too, from 0 to 1.
    """

    student: str
    source: str
    alike: tuple[bool, ...]
    share: float

    @property
    def lines(self) -> list[tuple[Markup, bool]]:
        """Its lines as HTML, each with what `alike` says of it."""
        return list(zip(coloured_lines(self.source), self.alike, strict=True))


@dataclass(frozen=True)
class Pair:
    """Two answers to one exercise that share something few others have.

    Attributes:
        exercise: its name.
        left, right: the answers.
        signs: how many signs they share.
        held_by: in how many answers the rarest and the most frequent run stands that they share.
        same_text: whether they are the same as typed, comments and names included.
    """

    exercise: str
    left: Side
    right: Side
    signs: int
    held_by: tuple[int, int]
    same_text: bool


@dataclass(frozen=True)
class Compared:
    """What was compared of an exercise: how many answers there are, and how many had enough of their own."""

    exercise: str
    answers: int
    compared: int
    common_from: int
    pairs: int


@dataclass(frozen=True)
class HandedOut:
    """What everybody has of an exercise: the cell as it was handed out, and code to be seen elsewhere."""

    stub: str
    code: tuple[str, ...]


@dataclass(frozen=True)
class _Answer:
    student: str
    source: str
    found: CodeFingerprint


def answers(course: Course, lesson: str) -> dict[str, dict[str, str]]:
    """The graded answers of a class by exercise and student; what was not written is left out."""
    found: dict[str, dict[str, str]] = {}
    for student in course.students("autograded", lesson):
        path = course.folder("autograded", student, lesson) / f"{lesson}.ipynb"
        if unfit(student) or not path.exists():
            continue
        for cell in nbformat.read(path, nbformat.NO_CONVERT).cells:
            if cell.metadata.get(KEY, {}).get("present"):
                found.setdefault(grade_id(cell), {})[student] = plain(cell.source)
    return found


def handed_out(course: Course, lesson: LessonSource) -> dict[str, HandedOut]:
    """What everybody may have, by exercise: the lesson's own code, the hints, and the course's solution."""
    solution = nbformat.read(
        course.root / course.directory.source_directory / lesson.name / f"{lesson.name}.ipynb", nbformat.NO_CONVERT
    )
    stubs = {grade_id(cell): cell.source for cell in lesson.notebook.cells if cell.cell_type == "code"}
    solved = {grade_id(cell): cell.source for cell in solution.cells}
    shown = [cell.source for cell in lesson.notebook.cells if cell.cell_type == "code" and not is_check(cell)]
    known = {}
    for name, exercise in lesson.by_name.items():
        hints = [piece.removeprefix("python") for hint in exercise.hints for piece in hint.split("```")[1::2]]
        known[name] = HandedOut(stubs[name], (*shown, *hints, _without(solved[name], stubs[name])))
    return known


def compare(
    given: Mapping[str, Mapping[str, str]],
    known: Mapping[str, HandedOut],
    told: Callable[[int, int], None] = lambda done, total: None,
) -> tuple[list[Compared], list[Pair]]:
    """Compare the answers to each exercise, each with each; the pairs that share most come first.

    Args:
        given: answers by exercise and student, as :func:`answers` reads them.
        known: what everybody has, by exercise.
        told: is told now and then how many pairs are compared, of how many.

    Raises:
        MissingLibraryError: where copydetect is not installed.
    """
    prepared = {name: _prepared(some, known[name]) for name, some in given.items() if name in known}
    total = sum(math.comb(len(kept), 2) for kept, _, _ in prepared.values())
    done = 0
    listed: list[Compared] = []
    pairs: list[Pair] = []
    for name, (kept, held, common_from) in prepared.items():
        found = []
        for left, right in combinations(kept, 2):
            pair = _pair(name, left, right, held)
            found += [pair] if pair else []
            done += 1
            if done % 100 == 0:
                told(done, total)
        listed.append(Compared(name, len(given[name]), len(kept), common_from, len(found)))
        pairs += found
    told(total, total)
    pairs.sort(key=lambda pair: (-pair.signs, -pair.left.share - pair.right.share, pair.left.student, pair.exercise))
    return listed, pairs


def page(lesson: str, compared: Sequence[Compared], pairs: Sequence[Pair], shown: int) -> str:
    """One self-contained HTML page, without scripts, with the first `shown` pairs side by side."""
    first = pairs[:shown]
    together = Counter((pair.left.student, pair.right.student) for pair in pairs)
    return pages.environment().get_template("similarity.html.j2").render(
        lesson=lesson, compared=compared, pairs=first, every=len(pairs), together=together, run=RUN,
        least_own=LEAST_OWN, least_shared=LEAST_SHARED, many=MANY, few=FEW,
    )  # fmt: skip


def _without(source: str, stub: str) -> str:
    """Code in which the lines that were handed out, and nbgrader's markers, are blank; all else keeps its place."""
    given = {line.strip() for line in stub.split("\n")}
    lines = source.split("\n")
    return "\n".join(
        " " * len(line) if line.strip() in given or line.strip().startswith("### ") else line for line in lines
    )


def _prepared(some: Mapping[str, str], known: HandedOut) -> tuple[list[_Answer], Counter[int], int]:
    """The answers with enough of their own, in how many answers each run stands, and from when on it is common."""
    usual = {run for source in known.code for run in _runs(source)}
    every = [_Answer(each, source, _fingerprint(_without(source, known.stub))) for each, source in sorted(some.items())]
    held = Counter(run for answer in every for run in answer.found.hashes)
    common_from = max(FEW, math.ceil(MANY * len(every)))
    usual |= {run for run, count in held.items() if count >= common_from}
    for answer in every:
        _leave_out(answer.found, usual)
    return [answer for answer in every if answer.found.token_coverage >= LEAST_OWN], held, common_from


def _fingerprint(source: str) -> CodeFingerprint:
    try:
        from copydetect import CodeFingerprint
    except ImportError as error:
        raise MissingLibraryError(
            f"Comparing answers needs a library that is not here ({error.name}); in the project's folder: "
            "pip install -r requirements-similarity.txt"
        ) from None
    return CodeFingerprint("answer.py", RUN, 1, language="python", fp=io.StringIO(source))


@functools.lru_cache(maxsize=500)  # a lesson's own code is the same for all of its exercises
def _runs(source: str) -> frozenset[int]:
    return frozenset(_fingerprint(source).hashes)


def _leave_out(found: CodeFingerprint, usual: set[int]) -> None:
    """Take runs out of a fingerprint. copydetect's own way takes out whatever an answer itself repeats as well."""
    from copydetect.utils import get_token_coverage

    found.hashes = found.hashes - usual
    found.hash_idx = {run: places for run, places in found.hash_idx.items() if run in found.hashes}
    found.token_coverage = int(get_token_coverage(found.hash_idx, RUN, len(found.filtered_code)))


def _pair(name: str, left: _Answer, right: _Answer, held: Counter[int]) -> Pair | None:
    if left.found.hashes.isdisjoint(right.found.hashes):
        return None
    from copydetect import compare_files

    _, shares, slices = compare_files(left.found, right.found)
    signs = round(min(shares[0] * left.found.token_coverage, shares[1] * right.found.token_coverage))
    if signs < LEAST_SHARED:
        return None
    counts = [held[run] for run in left.found.hashes & right.found.hashes]
    sides = [
        Side(answer.student, answer.source, tuple(_alike(answer.source, some)), min(1.0, float(share)))
        for answer, some, share in zip((left, right), slices, shares, strict=True)
    ]
    return Pair(name, sides[0], sides[1], signs, (min(counts), max(counts)), left.source == right.source)


def _alike(source: str, slices: np.ndarray[Any, Any]) -> Iterator[bool]:
    """For each line whether half of it or more is in a piece that both have."""
    inside = np.zeros(len(source) + 1, dtype=bool)
    for start, end in slices.T:
        inside[max(0, int(start)) : max(0, int(end))] = True
    place = 0
    for line in source.split("\n"):
        code = [place + index for index, sign in enumerate(line) if not sign.isspace()]
        yield bool(code) and 2 * int(inside[code].sum()) >= len(code)
        place += len(line) + 1
