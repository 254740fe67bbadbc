"""`check("adam_step")`: the one function that a lesson's notebook calls to have an exercise looked at.

It draws cases, runs the learner's code on them, compares with the course's reference, and shows for each group of
cases whether it passed, and if not: what is wrong, where, and which mistake it is when it is a known one.
"""

from __future__ import annotations

import contextlib
import sys
import traceback
import zlib
from collections.abc import Mapping
from html import escape
from typing import Any

import numpy as np

from course_lib.exercises import load
from course_lib.exercises.exercise import Exercise
from course_lib.exercises.grading import ExerciseResult, assess
from course_lib.exercises.programs import Case, captured, run_cases
from course_lib.exercises.rendering import to_html
from course_lib.validation import tell, validating

MAX_PRINTED = 2_000

_failures: dict[str, int] = {}
"""Failed checks in a row, by exercise: after the second, the hint for a recognised mistake opens by itself."""


class CheckResult:
    """What a check shows: HTML in a notebook, the bare points as plain text (so that nbgrader reads partial credit).

    Attributes:
        points: what was earned.
        result: the whole result, None where the check itself could not run.
    """

    def __init__(self, points: int, html: str, text: str, plain: str, result: ExerciseResult | None = None) -> None:
        self.points = points
        self.result = result
        self._html = html
        self._text = text
        self._plain = plain

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return {"text/plain": self._plain, "text/html": self._html}

    def __repr__(self) -> str:
        return self._plain

    def __str__(self) -> str:
        return self._text


def check(name: str, namespace: Mapping[str, Any] | None = None, *, seed: int = 0) -> CheckResult:
    """Check the exercise `name`, looked up among the caller's names. Never raises.

    Args:
        name: the exercise: "adam_step".
        namespace: where to look the learner's code up instead.
        seed: draws other cases; the same seed draws the same ones, so that a failing case can be studied.

    Returns:
        An object that displays itself; `print(check(...))` gives its text.
    """
    names = sys._getframe(1).f_globals if namespace is None else namespace
    return tell(_checked(name, names, seed))


def _checked(name: str, names: Mapping[str, Any], seed: int) -> CheckResult:
    try:
        return _check(load(name), names, seed)
    except KeyError as error:
        return _failed(str(error.args[0]))
    except KeyboardInterrupt:
        return _failed("The check was stopped.")
    except Exception as error:  # noqa: BLE001 - a check never raises
        where = traceback.extract_tb(error.__traceback__)[-1]
        return _failed(f"The check itself failed ({type(error).__name__}: {error}; {where.name}). Please report this.")


def home_cases(exercise: Exercise, seed: int = 0) -> dict[str, list[Case]]:
    """The cases that `check` draws on a learner's machine."""
    return exercise.draw(np.random.default_rng([seed, zlib.crc32(exercise.name.encode())]))


def _check(exercise: Exercise, namespace: Mapping[str, Any], seed: int) -> CheckResult:
    cases = home_cases(exercise, seed)
    with captured() as printed:
        answers = run_cases(cases, namespace)
    result = assess(exercise, cases, answers)
    _keep(result)
    failed = result.outcome not in ("right", "unanswered")
    _failures[exercise.name] = _failures.get(exercise.name, 0) + 1 if failed else 0
    text = printed.getvalue()
    shown = text[:MAX_PRINTED] + ("\n[the rest is left out]" if len(text) > MAX_PRINTED else "")
    html = to_html(result, reveal=True, open_hint=_failures[exercise.name] >= 2, printed=shown)
    # nbgrader reads the plain text as the cell's points. A stretch cell has 0 there: its points are a bonus. So has
    # practice, which counts nothing.
    plain = str(result.points)
    if (exercise.stretch or exercise.practice) and validating():
        plain = "0"  # nbgrader would warn of the words
    elif exercise.stretch or exercise.practice:
        plain = f"{'practice' if exercise.practice else 'bonus'} {result.marks} of {exercise.full_marks}"
    return CheckResult(result.points, html, f"{exercise.name}: {plain}. {result.message}", plain, result)


def _keep(result: ExerciseResult) -> None:
    """Note the points in the learner's progress file; without it, or with one that is broken, a check goes on alike."""
    if result.outcome == "unanswered":
        return
    with contextlib.suppress(Exception):
        from course_lib.study import records

        records.note_check(result.exercise.lesson, result.exercise.name, result.marks, result.exercise.full_marks)


def _failed(sentence: str) -> CheckResult:
    return CheckResult(0, f'<div role="status"><p>{escape(sentence)}</p></div>', sentence, "0")
