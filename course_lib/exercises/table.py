"""What each exercise is worth, and what its check was seen to do: reject mistakes, name them, accept right answers."""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from course_lib.exercises import LESSONS, of_lesson
from course_lib.exercises.exercise import Exercise
from course_lib.exercises.grading import ExerciseResult, assess
from course_lib.exercises.programs import captured, run_cases

NAMED_AT_LEAST = 0.9
"""The share of an exercise's mistakes that its check calls by their name."""


@dataclass(frozen=True)
class Row:
    """One exercise.

    Attributes:
        lesson, name: where and what it is.
        points, bonus: what it is worth, in one of the two.
        minutes, difficulty: for the learner's planning.
        cases: how many inputs one check tries.
        mistakes, rejected, named: of the wrong implementations in its list, how many lose points and how many are
            called by their own name, in every draw.
        variants, accepted: of the right answers in other styles, how many earn all points, in every draw.
    """

    lesson: str
    name: str
    points: int
    bonus: int
    minutes: int
    difficulty: int
    cases: int
    mistakes: int
    rejected: int
    named: int
    variants: int
    accepted: int

    @property
    def fine(self) -> bool:
        """Whether all mistakes are rejected, nine in ten named, and all right answers accepted."""
        return (
            self.rejected == self.mistakes
            and self.named >= NAMED_AT_LEAST * self.mistakes
            and self.accepted == self.variants
        )


def rows(lessons: Iterable[str] = tuple(LESSONS), *, seeds: Iterable[int] = (0, 1, 2)) -> Iterator[Row]:
    """A row for each exercise, in the order of the course; every answer is graded on the cases of each seed."""
    seeds = list(seeds)
    for lesson in lessons:
        variants: Mapping[str, list[Callable[..., Any]]] = _variants_of(lesson)
        for exercise in of_lesson(lesson):
            yield _row(exercise, variants[exercise.name], seeds)


def _variants_of(lesson: str) -> Mapping[str, list[Callable[..., Any]]]:
    package, _, module = LESSONS[lesson].rpartition(".")
    right: Mapping[str, list[Callable[..., Any]]] = importlib.import_module(f"{package}.variants.{module}").RIGHT
    return right


def _row(exercise: Exercise, variants: list[Callable[..., Any]], seeds: list[int]) -> Row:
    wrong = {m.name: [_graded(exercise, m.wrong, seed) for seed in seeds] for m in exercise.misconceptions}
    right = [[_graded(exercise, variant, seed) for seed in seeds] for variant in variants]
    return Row(
        lesson=exercise.lesson,
        name=exercise.name,
        points=exercise.core_points,
        bonus=exercise.points - exercise.core_points,
        minutes=exercise.minutes,
        difficulty=exercise.difficulty,
        cases=sum(map(len, exercise.draw(np.random.default_rng(seeds[0])).values())),
        mistakes=len(wrong),
        rejected=sum(all(result.marks < exercise.full_marks for result in results) for results in wrong.values()),
        named=sum(all(_called(result) == name for result in results) for name, results in wrong.items()),
        variants=len(right),
        accepted=sum(all(result.marks == exercise.full_marks for result in results) for results in right),
    )


def _called(result: ExerciseResult) -> str | None:
    return result.misconception.name if result.misconception else None


def _graded(exercise: Exercise, implementation: Callable[..., Any], seed: int) -> ExerciseResult:
    cases = exercise.draw(np.random.default_rng(seed))
    with warnings.catch_warnings(), np.errstate(all="ignore"), captured():
        warnings.simplefilter("ignore")
        answers = run_cases(cases, exercise.namespace(implementation))
    return assess(exercise, cases, answers)
