"""What JupyterLab's Validate button, and `nbgrader validate`, show of a check: its own sentences.

nbgrader runs the whole notebook and lists the check cells that do not have all their points, each with what it finds on
the cell's stderr; of a check's verdict, which is HTML, it would show nothing. Which steps it takes is fixed in its code
(`Validator.preprocessors` cannot be configured), but it says in the environment that it validates, so the check itself
writes there what nbgrader looks for.
"""

from __future__ import annotations

import os
import sys
import textwrap
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from course_lib.check import CheckResult
    from course_lib.exercises.grading import ExerciseResult, GroupResult

_WIDTH = 80
"""nbgrader cuts lines that are longer than 87 characters."""


def validating() -> bool:
    """Whether nbgrader is validating this notebook just now."""
    return os.environ.get("NBGRADER_VALIDATING") == "1"


def tell(found: CheckResult) -> CheckResult:
    """While nbgrader validates, say on stderr what is not right yet; at any other time nothing. Returns what it got."""
    if validating():
        for line in _lines(found):
            print("\n".join(textwrap.wrap(line, _WIDTH, break_on_hyphens=False)), file=sys.stderr)
    return found


def _lines(found: CheckResult) -> Iterator[str]:
    result = found.result
    if result is None:  # the check itself could not run
        yield str(found)
        return
    exercise = result.exercise
    counts_nothing = exercise.stretch or exercise.practice
    if result.outcome == "right" or (counts_nothing and result.outcome == "unanswered"):
        return
    unit = "groups of cases passed" if exercise.practice else "points"
    yield f"{exercise.name}: {result.marks} of {exercise.full_marks} {unit}."
    failed = next((group for group in result.groups if group.passed is False), None)
    if failed is None:
        yield result.message
    else:
        yield from _failure(failed)
    yield from _where_to_go_on(result)


def _failure(group: GroupResult) -> Iterator[str]:
    difference = group.difference
    assert difference is not None
    where = f"{group.group.title}, {group.case}" if group.case else group.group.title
    yield f"{where}: {difference.sentence}"
    if difference.received:
        expected = f", expected {difference.expected}" if difference.expected else ""
        yield f"At {difference.where}: received {difference.received}{expected}."
    if group.misconception is not None:
        yield f"Recognised: {group.misconception.sentence}"


def _where_to_go_on(result: ExerciseResult) -> Iterator[str]:
    if result.exercise.stretch:
        yield "It is a bonus: as it is it costs nothing."
    elif result.exercise.practice:
        yield "It is practice: it counts nothing."
    if result.outcome != "unanswered":
        yield "Run the check in the notebook for hints."
