"""Cells of a table that a spreadsheet may open: what would run as a formula is found, and made text.

A spreadsheet runs a cell that begins with = + - @, whether or not it stands in quotes, and by its settings takes a
file apart at other separators than ours: so a cell may begin within one of ours, behind a semicolon. What is found here
is what OWASP lists (https://owasp.org/www-community/attacks/CSV_Injection; ASVS 5.0, 1.2.10), with its full-width and
small forms and behind spaces and quotes, which some spreadsheets pass over.
"""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from autograder.lms.marks import PLACES

_SIGNS = "=+@-"
_STARTS = (
    "".join(chr(code) for code in range(0x10000) if unicodedata.normalize("NFKC", chr(code))[:1] in set(_SIGNS))
    + "\u2212\u2010\u2011\u2012\u2013\u2014"
)  # fmt: skip  minus and dashes, which a spreadsheet may read as one
_ENDS = ",;|\t\r\n"
_PASSED_OVER = r"[\s\"'`\u2018\u2019\u201c\u201d\u00a0\u200b-\u200f\u2060\ufeff]*"
_FORMULA = re.compile(rf"(^|[{_ENDS}])({_PASSED_OVER}[{re.escape(_STARTS)}])")
_MADE_TEXT = re.compile(rf"(^|[{_ENDS}])'({_PASSED_OVER}[{re.escape(_STARTS)}])")


@dataclass(frozen=True)
class Left:
    """A student who is not in a file, and why."""

    student: str
    reason: str


@dataclass(frozen=True)
class Exported:
    """What became of an export.

    Attributes:
        content: of the file.
        rows: how many students are in it.
        left: who should be and is not.
        without: how many have handed in nothing, and so have no row.
        notes: what the instructor should know before importing it.
    """

    content: str
    rows: int
    left: Sequence[Left] = ()
    without: int = 0
    notes: Sequence[str] = field(default_factory=tuple)


def runs(text: str) -> bool:
    """Whether a spreadsheet might run the text, or a part of it, as a formula; control characters count as well."""
    return _FORMULA.search(text) is not None or any(unicodedata.category(c) == "Cc" for c in text)


def as_text(text: str) -> str:
    """The same text with an apostrophe before whatever would run; control characters become spaces."""
    bare = "".join(" " if unicodedata.category(c) == "Cc" else c for c in text)
    return _FORMULA.sub(r"\1'\2", bare)


def as_typed(cell: str) -> str:
    """What :func:`as_text` was given, but for control characters."""
    return _MADE_TEXT.sub(r"\1\2", cell)


def number(points: float) -> str:
    """Points with a decimal point and no more places than needed: 7, 7.5, 0."""
    text = f"{points:.{PLACES}f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def table(rows: Iterable[Sequence[str]], *, mark: bool = False) -> str:
    """Rows as CSV after RFC 4180: commas, quotes where needed and doubled inside, CRLF.

    Args:
        rows: cells as they shall be read.
        mark: begin with the byte order mark by which Excel knows UTF-8.
    """
    out = io.StringIO(newline="")
    csv.writer(out, lineterminator="\r\n").writerows(rows)
    return ("\ufeff" if mark else "") + out.getvalue()
