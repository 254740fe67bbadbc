"""What holds in every lesson: form, references, right answers in other styles, named mistakes, stubs."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import pytest

from course_lib.exercises import LESSONS, load, of_lesson, table, withheld
from tests.exercises.exercise_checks import (
    GENERIC_STUBS,
    SEEDS,
    assert_form,
    assert_rejected_by_name,
    assert_right,
    assert_stub_earns_nothing,
)

EVERY = [exercise for lesson in LESSONS for exercise in of_lesson(lesson)]
NAMES = [exercise.name for exercise in EVERY]
VARIANTS = [
    pytest.param(name, answer, id=f"{name}-{answer.__name__}-{index}")
    for lesson in LESSONS
    for name, answers in table._variants_of(lesson).items()
    for index, answer in enumerate(answers)
]
COSTLY = {"diagnose": SEEDS[:3], "build_model": SEEDS[:3], "train": SEEDS[3:4]}
"""Exercises whose cases train networks are graded on fewer draws; `train` on one that does not travel as text too."""
MISTAKES = [(exercise.name, mistake.name) for exercise in EVERY for mistake in exercise.misconceptions]


@pytest.mark.parametrize("lesson", LESSONS)
def test_exercises_belong_to_their_lesson_and_have_the_promised_form(lesson: str) -> None:
    for exercise in of_lesson(lesson):
        assert exercise.lesson == lesson
        assert_form(exercise)


@pytest.mark.parametrize("lesson", LESSONS)
def test_what_a_lesson_withholds_is_read_as_it_is_imported(lesson: str) -> None:
    assert withheld(lesson) == importlib.import_module(LESSONS[lesson]).WITHHELD


def test_a_name_stands_once_in_the_course() -> None:
    assert len(set(NAMES)) == len(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_references_earn_all_points(name: str) -> None:
    for seed in COSTLY.get(name, SEEDS):
        assert_right(load(name), load(name).reference, seed)


@pytest.mark.parametrize(("name", "answer"), VARIANTS)
def test_right_answers_in_other_styles_earn_all_points(name: str, answer: Callable[..., Any]) -> None:
    for seed in COSTLY.get(name, SEEDS):
        assert_right(load(name), answer, seed)


@pytest.mark.parametrize(("name", "mistake"), MISTAKES)
def test_named_mistakes_are_rejected_by_their_names(name: str, mistake: str) -> None:
    for seed in COSTLY.get(name, SEEDS):
        assert_rejected_by_name(load(name), mistake, seed)


@pytest.mark.parametrize("stub", GENERIC_STUBS)
@pytest.mark.parametrize("name", NAMES)
def test_generic_stubs_earn_nothing(name: str, stub: str) -> None:
    for seed in COSTLY.get(name, SEEDS)[: 1 if name in COSTLY else 3]:
        assert_stub_earns_nothing(load(name), GENERIC_STUBS[stub], seed)
