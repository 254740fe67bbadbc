"""nbgrader's markers, and everything that looks like one.

nbgrader finds a marker by searching each line for "BEGIN SOLUTION". One misspelt letter and the solution ships to
students, so whatever resembles a marker and is not exactly one stops the build.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator

BEGIN, END = "### BEGIN SOLUTION", "### END SOLUTION"
_KINDS = ("SOLUTION", "HIDDEN TESTS", "MARK SCHEME")
_PHRASES = tuple(f"{edge} {kind}" for kind in _KINDS for edge in ("BEGIN", "END"))
_EDGES = ("BEGIN", "END", "START", "STOP", "FINISH", "BEGINNING")
_NOUNS = ("SOLUTION", "SOLUTIONS", "HIDDEN", "SCHEME")
_NOT_LETTERS = re.compile(r"[^A-Z]+")


def near_misses(source: str, *, markdown: bool = False) -> Iterator[tuple[int, str]]:
    """Lines (from 1) that resemble a marker and are none, each with a sentence."""
    for number, line in enumerate(source.split("\n"), start=1):
        stripped = line.lstrip()
        if not markdown and stripped in (BEGIN, END):
            continue
        if markdown and stripped in (BEGIN, END):
            yield number, f"{stripped!r} belongs in the code cell of an answer"
        elif _resembles(line, markdown=markdown):
            yield number, f"{line.strip()!r} looks like one of nbgrader's markers; write exactly {BEGIN!r} or {END!r}"


def regions(source: str) -> list[str]:
    """The text between each pair of markers.

    Raises:
        ValueError: when they are not balanced.
    """
    found: list[str] = []
    inside: list[str] | None = None
    for number, line in enumerate(source.split("\n"), start=1):
        marker = line.strip()
        if marker == BEGIN:
            if inside is not None:
                raise ValueError(f"line {number} of the cell begins a solution inside a solution")
            inside = []
        elif marker == END:
            if inside is None:
                raise ValueError(f"line {number} of the cell ends a solution that never began")
            found.append("\n".join(inside))
            inside = None
        elif inside is not None:
            inside.append(line)
    if inside is not None:
        raise ValueError(f"a solution begins and never ends; close it with {END!r}")
    return found


def _resembles(line: str, *, markdown: bool) -> bool:
    upper = line.upper()
    if "AUTOTEST" in upper or any(phrase in upper for phrase in _PHRASES):
        return True
    comment = upper if markdown else upper.partition("#")[2]
    letters = _NOT_LETTERS.sub(" ", comment).strip()
    if not letters:
        return False
    close = max(difflib.SequenceMatcher(None, letters, phrase).ratio() for phrase in _PHRASES)
    if markdown:
        return close > 0.92  # prose may well have a heading "The solution"
    if close > 0.82:
        return True
    words = letters.split()
    return (
        len(words) <= 3
        and any(difflib.get_close_matches(word, _EDGES, n=1, cutoff=0.75) for word in words)
        and any(difflib.get_close_matches(word, _NOUNS, n=1, cutoff=0.75) for word in words)
    )
