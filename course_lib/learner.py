"""The learner's own functions at work: where one is missing or not right yet, the course's stands in and says so."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from course_lib.check import home_cases
from course_lib.exercises import load
from course_lib.exercises.grading import assess
from course_lib.exercises.programs import captured, run_cases


def mine_or_course(
    name: str,
    namespace: Mapping[str, Any],
    course_version: Callable[..., Any] | None = None,
    *,
    arguments: Sequence[Any] = (),
    seconds: float = float("inf"),
) -> Callable[..., Any]:
    """The learner's function where it passes its check, otherwise the course's, with one printed sentence.

    Nothing is graded here, and what the learner's code prints or warns of while it is looked at is not shown.

    Args:
        name: the exercise: "relu_backward".
        namespace: where the learner's function is looked up; in a notebook `globals()`.
        course_version: what stands in; the exercise's reference when not given.
        arguments: what a cell that calls the function very often will call it with,
        seconds: and how long one such call may take; a right but slower function is not used either.

    Returns:
        The very function in `namespace`, or the one that stands in.

    Raises:
        KeyError: no exercise has this name.
    """
    exercise = load(name)
    cases = home_cases(exercise)
    with captured(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        result = assess(exercise, cases, run_cases(cases, namespace))
        right = result.outcome == "right"
        taken = _seconds(namespace[name], arguments) if right and arguments else 0.0
    if right and taken <= seconds:
        mine: Callable[..., Any] = namespace[name]
        return mine
    reason = "is not written yet" if result.outcome == "unanswered" else "does not pass its whole check yet"
    if right:
        reason = f"is right, but takes {1000 * taken:.2g} ms a call where {1000 * seconds:.2g} are there to spend"
    print(f"Your {name} {reason}, so this cell goes on with the course's version.")
    return course_version or exercise.reference


def _seconds(function: Callable[..., Any], arguments: Sequence[Any]) -> float:
    """The faster of two calls, so that a first call's warming up does not count; one, where that is slow already."""
    fastest = float("inf")
    for _ in range(2):
        start = time.perf_counter()
        function(*arguments)
        fastest = min(fastest, time.perf_counter() - start)
        if fastest > 1:
            break
    return fastest
