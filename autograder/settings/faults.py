"""What is said of a course.toml that breaks its form: which line, what stands there, what may have been meant."""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Iterable
from datetime import date
from typing import Any

from autograder.intake import shown_name

FILE = "course.toml"
MOMENT = 'write the day and the time: 2026-12-01T23:59:00, or "2026-12-01 23:59"'
Keys = tuple[str, ...]
"""The keys that lead to a value: ("lessons", "04_adaptive_optimizers", "due")."""


def unknown(key: str, known: Iterable[str], what: str) -> str:
    """What is said of a key that does not exist: the nearest one that does, or all of them."""
    known = list(known)
    every = ", ".join(map(shown_key, known))
    return f" is unknown{nearest(key, known) or f'; the {what}: {every}.'}"


def nearest(word: str, known: Iterable[str]) -> str:
    """The known name that was meant, as the end of a sentence: "; did you mean Europe/Berlin?"; "" for none."""
    known = sorted(known)
    part = re.compile(rf"(?:^0?|/){re.escape(word)}(?:[_/]|$)", re.IGNORECASE)  # Berlin, 4, 04_adaptive
    close = [each for each in known if word and (part.search(each) or each.startswith(word))]
    close = close or difflib.get_close_matches(word, known, n=1)
    return f"; did you mean {shown_key(close[0])}?" if close else ""


def shown_value(value: Any) -> str:
    """A value as it may stand in the file, cut where it is long."""
    shown = value.isoformat() if isinstance(value, date) else f'"{value}"' if isinstance(value, str) else repr(value)
    shown = shown_name(shown)
    return shown if len(shown) <= 60 else f"{shown[:57]}..."


def shown_key(key: str) -> str:
    """A key as it stands in the file."""
    key = shown_name(key)
    return key if re.fullmatch(r"[\w/-]+", key, re.ASCII) else f'"{key}"'


def not_toml(text: str, said: str) -> str:
    """What is wrong with a text that is no TOML; of the usual slips, what to write."""
    found = re.search(r"at line (\d+)", said)
    if found is None:
        return f"{FILE} is not TOML: {said}."
    line = text.split("\n")[int(found[1]) - 1].strip()
    where = f"{FILE}, line {found[1]}: {shown_name(line[:60])}"
    if re.search(r"=\s*\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(?!:)", line):
        return f"{where}: {MOMENT}."
    if re.match(r"[\w.-]+\s*=\s*\d+(\.\d+)?\s*[a-z%]", line):
        return f"{where}: a number with a unit stands in quotes."
    if re.match(r"[\w.-]+\s*=\s*[A-Za-z]", line):
        return f"{where}: text stands in quotes; true and false are written small."
    return f"{where}: is not TOML: {said}."


def line_of(text: str, keys: Keys) -> int:
    """The line, from 1, of a key, or of the nearest table around it."""
    best, depth = 1, 0
    table: Keys = ()
    for number, line in enumerate(text.split("\n"), start=1):
        header = re.match(r"\s*\[([^\[].*)\]", line)
        assigned = re.match(r"\s*([^=#\[]+?)\s*=", line)
        if header:
            path = table = _path(f"[{header[1]}]")
        elif assigned:
            path = (*table, *_path(f"{assigned[1]} = 0"))
        else:
            continue
        shared = len(path) if path == keys[: len(path)] else 0
        if shared > depth:
            best, depth = number, shared
    return best


def _path(line: str) -> Keys:
    """The keys that a line of TOML leads through."""
    try:
        inner: Any = tomllib.loads(line)
    except tomllib.TOMLDecodeError:
        return ()
    path = []
    while isinstance(inner, dict) and inner:
        key = next(iter(inner))
        path.append(key)
        inner = inner[key]
    return tuple(path)
