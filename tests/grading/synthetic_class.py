"""A class of any size whose mistakes are known: its answers are the exercises' own wrong implementations.

Who is abler has more right. One in four has a habit: given the chance, they make the same mistake everywhere, which is
what "mistakes that go together" must find. Answers name their author wherever code can: a comment, a docstring, a
string, a variable, a number. They run in the quick sandbox, which sees this process's modules.
"""

from __future__ import annotations

import copy
import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import exp
from typing import Any

import numpy as np

from autograder.gradebook import Course, write_graded
from autograder.lesson import LessonSource
from autograder.pipeline import grade_submission
from course_lib import exercises
from course_lib.exercises.exercise import Exercise
from tests.grading.helpers import LIMITS, SEED, as_bytes, cell
from tests.grading.quick_sandbox import QuickSandbox

FIRST = [
    "quirin",
    "xanthippe",
    "zsofia",
    "hjalmar",
    "ngozi",
    "tadeusz",
    "oluwaseun",
    "yevgenia",
    "bjarte",
    "mirembe",
    "wojciech",
    "cheng-yu",
    "fionnuala",
    "juanita",
    "kwabena",
    "ludmila",
    "pranav",
    "rangi",
    "siobhan",
    "umut",
]
LAST = [
    "okonkwo",
    "zielinski",
    "vanderbilt",
    "ramirez",
    "kowalczyk",
    "nakamura",
    "oyelaran",
    "petrosyan",
    "quispe",
    "schwarzenegger",
    "tuilagi",
    "uzunyan",
    "villanueva",
    "wolfensohn",
    "yamaguchi",
]
HABIT = "eps_inside_root"

Implementation = Callable[..., Any]


@dataclass(frozen=True)
class Truth:
    """What a student did in an exercise: "right", "mistake", "error" or "unanswered", and which mistake."""

    kind: str
    mistake: str | None = None


@dataclass(frozen=True)
class Student:
    """One of the class.

    Attributes:
        name: first and last, joined by a dot.
        handed_in: "notebook", "garbage" or "nothing" (a folder without a notebook).
        truths: by exercise.
    """

    name: str
    handed_in: str
    truths: Mapping[str, Truth]


def implementation(exercise: str, mistake: str) -> Implementation:
    """A listed mistake, or the reference for ""; the answers call this."""
    asked = exercises.load(exercise)
    return next((each.wrong for each in asked.misconceptions if each.name == mistake), asked.reference)


def variants(lesson: str) -> Mapping[str, list[Implementation]]:
    """Right answers as other people write them, by exercise."""
    module = exercises.LESSONS[lesson].rpartition(".")[2]
    right: Mapping[str, list[Implementation]] = importlib.import_module(f"course_lib.exercises.variants.{module}").RIGHT
    return right


def make(lesson: str, size: int, seed: int) -> list[Student]:
    """Draw a class: the same names in every lesson, and what each of them hands in.

    Args:
        lesson: one whose mistakes are all recognised by their numbers.
        size: at most 300.
        seed: of all that is drawn.
    """
    every = [f"{first}.{last}" for last in LAST for first in FIRST][:size]
    who = np.random.default_rng([seed, 0])  # ability and habits are the student's, whatever the lesson
    ability, habit = who.normal(size=size), who.random(size) < 0.25
    rng = np.random.default_rng([seed, 1, int(lesson[:2])])
    return [_student(rng, lesson, name, float(ability[i]), bool(habit[i])) for i, name in enumerate(every)]


def _student(rng: np.random.Generator, lesson: str, name: str, ability: float, habit: bool) -> Student:
    handed_in = str(rng.choice(["notebook", "garbage", "nothing"], p=[0.94, 0.03, 0.03]))
    blank = rng.random() < 0.03
    truths = {}
    for place, exercise in enumerate(exercises.of_lesson(lesson)):
        truth = _truth(rng, exercise, ability - 0.4 * place + 0.5, habit)
        truths[exercise.name] = Truth("unanswered") if blank or handed_in != "notebook" else truth
    return Student(name, handed_in, truths)


def _truth(rng: np.random.Generator, exercise: Exercise, strength: float, habit: bool) -> Truth:
    listed = [each.name for each in exercise.misconceptions]
    if rng.random() < 1 / (1 + exp(-1.5 * strength)) and not (habit and rng.random() < 0.5):
        return Truth("right")
    kind = str(rng.choice(["mistake", "unanswered", "error"], p=[0.75, 0.15, 0.1]))
    if kind != "mistake":
        return Truth(kind)
    return Truth("mistake", HABIT if habit and HABIT in listed else str(rng.choice(listed)))


def answer(student: Student, lesson: str, exercise: str, number: int) -> str:
    """The code of an answer; it names its author in every way that code can."""
    first, last = student.name.split(".")
    truth = student.truths[exercise]
    if truth.kind == "error":
        return f"def {exercise}(*given):\n    raise ValueError('{student.name}')"
    right = variants(lesson).get(exercise, []) if truth.kind == "right" else []
    if right and number % 2:
        lookup = f"variants('{lesson}')['{exercise}'][{number % len(right)}]"
    else:
        lookup = f"implementation('{exercise}', '{truth.mistake or ''}')"
    inside = [
        f'    """By {student.name}@example.org."""',
        f"    # {first} {last} wrote this",
        f"    owner = '{last}'",
        f"    return made_{exercise}(*given)",
    ]
    if number % 4 == 0:
        inside.insert(2, f"    {first.replace('-', '_')}s_own = 1")
    top = f"from tests.grading.synthetic_class import implementation, variants\nmade_{exercise} = {lookup}"
    return f"{top}\ndef {exercise}(*given):\n" + "\n".join(inside)


def grade_class(course: Course, lesson: str, students: list[Student]) -> None:
    """Grade the class through the line and write the graded notebooks where the report reads them."""
    source = LessonSource.from_course(course.root, lesson)
    for number, student in enumerate(students):
        data: bytes | None = None
        if student.handed_in == "garbage":
            data = b"garbage"
        elif student.handed_in == "notebook":
            notebook = copy.deepcopy(source.notebook)
            for exercise, truth in student.truths.items():
                if truth.kind != "unanswered":
                    cell(notebook, exercise).source = answer(student, lesson, exercise, number)
            data = as_bytes(notebook)
        graded = grade_submission(data, source, SEED, QuickSandbox(), LIMITS)
        write_graded(course, student.name, lesson, graded.notebook)
