"""A slip of the hand in a right answer costs points: every small change to a reference is rejected by its check.

`equivalent_mutants.toml` lists the changes that a check may accept, each with the reason. Where points come by quality
(a group judges its answers together), most changes to a recipe make another recipe that is as good: there the judge's
own mutants must be noticed, in the lesson's tests, and not those of the reference.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from course_lib.exercises import LESSONS, load, of_lesson
from course_lib.exercises.exercise import Exercise
from tests.exercises.exercise_checks import grade
from tests.exercises.reference_mutants import ending, mutants_of

SEEDS = range(2)
LISTED: list[dict[str, str]] = tomllib.loads(
    Path(__file__).with_name("equivalent_mutants.toml").read_text(encoding="utf-8")
)["equivalent"]
NAMES = [
    exercise.name
    for lesson in LESSONS
    for exercise in of_lesson(lesson)
    if not any(group.together for group in exercise.groups)
]


def accepted(exercise: Exercise, function: Callable[..., Any]) -> bool:
    """Whether any of a few draws gives it all points."""
    for seed in SEEDS:
        try:
            with ending():
                result = grade(exercise, function, seed)
        except TimeoutError:
            continue
        if result.marks == exercise.full_marks:
            return True
    return False


@pytest.mark.parametrize("name", NAMES)
def test_every_mutant_of_a_reference_is_rejected(name: str) -> None:
    exercise = load(name)
    mutants = list(mutants_of(exercise.reference))
    assert len(mutants) > 4, "a reference in which nothing can be changed proves nothing"
    found = {(mutant.was, mutant.becomes) for mutant in mutants if accepted(exercise, mutant.function)}
    listed = {(entry["was"], entry["becomes"]) for entry in LISTED if entry["exercise"] == name}
    assert found - listed == set(), "wrong answers that the check accepts"
    assert listed - found == set(), "listed as equivalent, yet rejected, or no longer made"


def test_what_is_listed_has_a_reason_and_an_exercise() -> None:
    for entry in LISTED:
        assert entry["exercise"] in NAMES
        assert len(entry["why"]) > 20


def test_mutants_change_operators_axes_constants_terms_and_statements() -> None:
    def reference(x: Any, n: int = 3) -> Any:
        """Says what it does."""
        total = x.sum(axis=0) * n
        total += 1
        return -total.T if n > 2 else (total, x)

    texts = {mutant.becomes for mutant in mutants_of(reference)}
    assert {
        "total = x.sum(axis=0) / n",
        "total = x.sum(axis=1) * n",
        "total = x.sum() * n",
        "total = x.mean(axis=0) * n",
        "total = x.sum(axis=0)",
        "total -= 1",
        "total = 1",
        "pass",
        "return total.T if n > 2 else (total, x)",
        "return -total if n > 2 else (total, x)",
        "return -total.T if n >= 2 else (total, x)",
        "return -total.T if n > 2 else (x, total)",
        "return -total.T",
        "def reference(x, n=4):",
    } <= texts
