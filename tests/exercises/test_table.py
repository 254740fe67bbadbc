"""The table of exercises: it counts what checks do, and says where one falls short."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from typer.testing import CliRunner

from course_lib.exercises import LESSONS, of_lesson, table
from course_lib.exercises.__main__ import app
from course_lib.exercises.exercise import Misconception

LESSON = "02_gradient_descent"


def test_a_row_counts_points_cases_mistakes_and_variants() -> None:
    found = {row.name: row for row in table.rows([LESSON], seeds=[5])}
    exercises = {exercise.name: exercise for exercise in of_lesson(LESSON)}
    assert list(found) == list(exercises)
    for name, row in found.items():
        exercise = exercises[name]
        assert (row.points + row.bonus, row.minutes) == (exercise.points, exercise.minutes)
        assert row.mistakes == row.rejected == len(exercise.misconceptions)
        assert row.cases == sum(len(group) for group in exercise.draw(np.random.default_rng(1)).values())
        assert row.accepted == row.variants >= 4
        assert row.fine


def test_what_falls_short_is_counted_and_ends_with_exit_code_1(monkeypatch: pytest.MonkeyPatch) -> None:
    exercise = of_lesson(LESSON)[2]
    harmless = Misconception("no_mistake_at_all", "This is right.", exercise.reference)
    lenient = replace(exercise, misconceptions=(*exercise.misconceptions, harmless))
    strict = {lenient.name: [exercise.reference, lambda _H: 0.0]}
    monkeypatch.setattr(table, "of_lesson", lambda _lesson: (lenient,))
    monkeypatch.setattr(table, "_variants_of", lambda _lesson: strict)
    (row,) = table.rows([LESSON], seeds=[0])
    assert (row.mistakes - row.rejected, row.mistakes - row.named) == (1, 1)
    assert (row.variants, row.accepted) == (2, 1)
    assert not row.fine
    done = CliRunner().invoke(app, ["--table", "--lesson", "02", "--draws", "1"])
    assert done.exit_code == 1
    assert "1 of 2 !" in done.stdout
    assert "Fall short: max_stable_lr." in done.stderr


def test_one_object_an_exercise_as_json() -> None:
    done = CliRunner().invoke(app, ["--json", "--lesson", LESSON, "--draws", "1"])
    assert done.exit_code == 0
    assert [json.loads(line)["name"] for line in done.stdout.splitlines()] == [e.name for e in of_lesson(LESSON)]


def test_a_lesson_that_is_not_there_is_named() -> None:
    done = CliRunner().invoke(app, ["--table", "--lesson", "77"])
    assert done.exit_code == 2
    assert "there is no lesson '77'; the lessons are 00_warm_up" in done.stderr.replace("\n", " ")


@pytest.mark.parametrize("lesson", LESSONS)
def test_every_exercise_has_right_answers_in_four_styles(lesson: str) -> None:
    variants = table._variants_of(lesson)
    assert set(variants) == {exercise.name for exercise in of_lesson(lesson)}
    assert all(len(found) >= 4 for found in variants.values())
