"""The exercises: one module a lesson describes what is asked, the cases, the reference, and the mistakes with names."""

from __future__ import annotations

import ast
import importlib
from collections.abc import Iterable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from course_lib.exercises.exercise import Exercise

LESSONS: Mapping[str, str] = {
    "00_warm_up": "course_lib.exercises.warm_up",
    "01_backpropagation": "course_lib.exercises.backpropagation",
    "02_gradient_descent": "course_lib.exercises.gradient_descent",
    "03_sgd_and_momentum": "course_lib.exercises.sgd_and_momentum",
    "04_adaptive_optimizers": "course_lib.exercises.adaptive_optimizers",
    "05_weight_penalties": "course_lib.exercises.weight_penalties",
    "06_dropout": "course_lib.exercises.dropout",
    "07_batch_normalization": "course_lib.exercises.batch_normalization",
    "08_learning_rate": "course_lib.exercises.learning_rate",
    "09_schedulers": "course_lib.exercises.schedulers",
    "10_capstone": "course_lib.exercises.capstone",
    "11_modern_optimizers": "course_lib.exercises.modern_optimizers",
}
"""The module that describes each lesson's exercises, by the lesson's folder."""


def of_lesson(lesson: str) -> tuple[Exercise, ...]:
    """The exercises of a lesson in the order of its notebook; raises KeyError naming the lessons there are."""
    if lesson not in LESSONS:
        raise KeyError(f"there is no lesson {lesson!r}; the lessons are {', '.join(LESSONS)}")
    exercises: tuple[Exercise, ...] = importlib.import_module(LESSONS[lesson]).EXERCISES
    return exercises


def called(said: str, names: Iterable[str] = LESSONS) -> list[str]:
    """Those of `names` that a number or a folder's name means: "4", "04", "04_adaptive_optimizers"."""
    return [name for name in names if said == name or said.zfill(2) == name.split("_")[0]]


def withheld(lesson: str) -> tuple[str, ...]:
    """The modules of course_lib that hold an equivalent of what a lesson asks, as its exercises' module lists them.

    The list is read and not imported, so that a grader can begin with it while what is slow to import is imported.
    Raises KeyError for a lesson that is unknown.
    """
    spec = find_spec(LESSONS[lesson])
    source = Path(str(spec and spec.origin)).read_bytes()
    listed = (
        node.value
        for node in ast.parse(source).body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "WITHHELD"
    )
    names: tuple[str, ...] = ast.literal_eval(next(listed))
    return names


def load(name: str) -> Exercise:
    """The exercise `name`; raises KeyError naming the closest ones when there is none."""
    every = {exercise.name: exercise for lesson in LESSONS for exercise in of_lesson(lesson)}
    if name not in every:
        import difflib

        close = difflib.get_close_matches(str(name), every, n=1) or sorted(every)
        raise KeyError(f"there is no exercise {name!r}; did you mean {' or '.join(map(repr, close))}?")
    return every[name]
