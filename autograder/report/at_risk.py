"""Whom to talk to: three plain rules on a student's marks, without scores or ranks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

RULES = {
    "missing": "handed in no readable notebook in at least two of the last three lessons",
    "low": "has less than half of the core points in each of the last two lessons handed in",
    "fallen": "has less than two thirds, in the last lesson handed in, of the average share of two or more before it",
}
"""Each rule by its name, as the page states it."""
FEWEST = 2
"""With fewer lessons no rule applies."""


@dataclass(frozen=True)
class Risk:
    """A student whom rules apply to.

    Attributes:
        student: who.
        rules: names of :data:`RULES`.
        reason: the numbers behind them, in words.
    """

    student: str
    rules: tuple[str, ...]
    reason: str


def at_risk(shares: Mapping[str, Sequence[float | None]]) -> list[Risk]:
    """The students whom a rule applies to, in the order given.

    Args:
        shares: for each student the share of the core points in every lesson, from 0 to 1, in the order of the course;
            None where no readable notebook was handed in. The same lessons for everybody.
    """
    found = []
    for student, marks in shares.items():
        if len(marks) < FEWEST:
            continue
        handed_in = [mark for mark in marks if mark is not None]
        reasons = {
            "missing": _missing(marks),
            "low": _low(handed_in),
            "fallen": _fallen(handed_in),
        }
        applied = {rule: reason for rule, reason in reasons.items() if reason}
        if applied:
            found.append(Risk(student, tuple(applied), "; ".join(applied.values())))
    return found


def _missing(marks: Sequence[float | None]) -> str:
    last = marks[-3:]
    missing = sum(mark is None for mark in last)
    return f"{missing} of the last {len(last)} not handed in" if missing >= 2 else ""


def _low(handed_in: Sequence[float]) -> str:
    last = handed_in[-2:]
    if len(last) < 2 or max(last) >= 0.5:
        return ""
    return f"{last[0]:.0%} and {last[1]:.0%} in the last two"


def _fallen(handed_in: Sequence[float]) -> str:
    *before, last = handed_in or [0.0]
    if len(before) < 2:
        return ""
    average = sum(before) / len(before)
    return f"{last:.0%} after {average:.0%} on average" if last < average * 2 / 3 - 1e-12 else ""
