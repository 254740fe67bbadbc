"""Whom a row is about, in the words of the system that reads it: an identifier that nothing may change or run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from autograder.intake import shown_name
from autograder.lms.cells import Left, runs
from autograder.lms.marks import Learner, MarkTable


class ExportError(ValueError):
    """An export that cannot be made as asked; the message says what to do."""


@dataclass(frozen=True)
class Identifier:
    """A column by which a system finds a student.

    Attributes:
        heading: of the column there.
        field: of the gradebook's student.
        wrong: why a value is none that this column can hold; "" where it can.
    """

    heading: str
    field: str
    wrong: Callable[[str], str] = lambda _: ""

    def of(self, learner: Learner) -> str:
        """The student's identifier; "" where the gradebook has none."""
        return str(getattr(learner, self.field))


def chosen(known: Mapping[str, Identifier], name: str) -> Identifier:
    """The identifier of this name; the first where the name is "".

    Raises:
        ExportError: for a name that is unknown.
    """
    if name and name not in known:
        raise ExportError(f"There is no identifier {name!r} here; there are {', '.join(known)}.")
    return known[name] if name else next(iter(known.values()))


def told_apart(marks: MarkTable, by: Identifier) -> tuple[list[tuple[Learner, str]], list[Left], int]:
    """Who gets a row, with the identifier; who cannot, and why; and how many have nothing to put into one.

    A row without an identifier is worse than none: Canvas would look for the name, which students choose, and Moodle
    gives the marks to the student of the row before.
    """
    everybody = Counter(by.of(learner).casefold() for learner in marks.learners)
    rows: list[tuple[Learner, str]] = []
    left: list[Left] = []
    without = 0
    for learner in marks.learners:
        if not any(marks.of(learner).values()):
            without += 1
            continue
        value = by.of(learner)
        reason = _problem(by, value, everybody[value.casefold()])
        if reason:
            left.append(Left(shown_name(learner.id), reason))
        else:
            rows.append((learner, value))
    return rows, left, without


def _problem(by: Identifier, value: str, holders: int) -> str:
    what = f"{by.heading} ({by.field} in the gradebook)"
    if not value:
        return f"has no {what}; `python -m autograder roster FILE` brings it in"
    shown = shown_name(value)
    if holders > 1:
        return f"has the same {what} as somebody else, {shown!r}; put it right with `python -m autograder roster FILE`"
    if runs(value):
        return (
            f"has the {what} {shown!r}, which a spreadsheet would run as a formula and which may not be changed; use "
            "another --identifier, or enter this mark by hand"
        )
    if value != value.strip() or (wrong := by.wrong(value)):
        wrong = wrong if value == value.strip() else "it begins or ends with a space"
        return f"has the {what} {shown!r}: {wrong}; put it right with `python -m autograder roster FILE`"
    return ""


def headings(marks: MarkTable, renamed: Mapping[str, str]) -> dict[str, str]:
    """The heading of each lesson's column: its own name, or what `renamed` says.

    Raises:
        ExportError: for a lesson that is not exported, a heading given twice, or one that a spreadsheet would run.
    """
    for lesson, heading in renamed.items():
        if lesson not in marks.max_scores:
            raise ExportError(f"{lesson!r} is not exported; there are {', '.join(marks.max_scores)}.")
        if not heading.strip() or runs(heading):
            raise ExportError(f"{shown_name(heading)!r} can be no heading: it is empty, or a spreadsheet would run it.")
    found = {lesson: renamed.get(lesson, lesson).strip() for lesson in marks.max_scores}
    if twice := [heading for heading, count in Counter(found.values()).items() if count > 1]:
        raise ExportError(f"Two columns would be called {twice[0]!r}.")
    return found
