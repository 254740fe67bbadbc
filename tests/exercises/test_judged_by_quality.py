"""Cases with hidden knowledge, budgets and records; groups that share answers; mistakes that are seen, not matched."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from course_lib.exercises.exercise import Exercise, Group, Misconception
from course_lib.exercises.grading import assess
from course_lib.exercises.programs import (
    Answer,
    Case,
    Record,
    Result,
    call,
    decode_case,
    encode_case,
    method,
    run,
    run_cases,
)
from tests.exercises.exercise_checks import grade

SECRET = 77_123_456


def draw(rng: np.random.Generator) -> list[Case]:
    return [
        Case((call("guess", x=np.arange(3.0)),), label=f"case {i}", hidden={"wanted": SECRET + i}) for i in range(2)
    ]


def is_number(case: Case, value: Any) -> str | None:
    return None if isinstance(value, int) else "Return an int."


def close(within: int) -> Any:
    def judged(cases: Sequence[Case], values: Sequence[Any]) -> str | None:
        off = float(np.mean([abs(v - c.hidden["wanted"]) for c, v in zip(cases, values, strict=True)]))
        return None if off <= within else f"You are {off:g} off on average."

    return judged


def looks_negative(case: Case, answer: Answer) -> bool:
    return bool(answer.value < 0)


GUESS = Exercise(
    name="guess",
    lesson="00_nothing",
    question="Guess.",
    outputs=("number",),
    reference=lambda x: SECRET,
    groups=(
        Group("ordinary", "Within 100", 2, draw, is_number, close(100)),
        Group("edge", "Within 10", 1, "ordinary", together=close(10)),
        Group("nasty", "Within 1", 1, "ordinary", together=close(1)),
    ),
    misconceptions=(
        Misconception("negative", "It is negative.", lambda x: -1, recognise=looks_negative),
        Misconception("raises", "It stops.", lambda x: 1 / 0, recognise=lambda c, a: "ZeroDivision" in a.error),
    ),
    hints=("", "", ""),
    minutes=1,
    difficulty=1,
)


@pytest.mark.parametrize(("off", "points"), [(0, 4), (5, 3), (50, 2), (500, 0)])
def test_groups_that_share_answers_are_bands(off: int, points: int) -> None:
    assert grade(GUESS, lambda x: SECRET + off, 0).points == points


def test_shared_cases_are_drawn_and_run_once() -> None:
    calls: list[Any] = []
    grade(GUESS, lambda x: calls.append(x), 0)
    assert len(calls) == 2
    assert list(GUESS.draw(np.random.default_rng(0))) == ["ordinary"]


def test_the_band_that_failed_says_what_was_reached() -> None:
    assert "Within 10: You are 49.5 off on average." in grade(GUESS, lambda x: SECRET + 50, 0).message


def test_a_property_that_meets_nonsense_says_so() -> None:
    assert "Return an int" in grade(GUESS, lambda x: None, 0).message


@pytest.mark.parametrize(("answer", "name"), [(lambda x: -5, "negative"), (lambda x: 1 / 0, "raises")])
def test_a_mistake_can_be_seen_where_numbers_cannot_match(answer: Any, name: str) -> None:
    for through_json in (False, True):
        result = grade(GUESS, answer, 0, through_json=through_json)
        assert result.misconception is not None
        assert result.misconception.name == name


def test_what_is_neither_is_not_named() -> None:
    assert grade(GUESS, lambda x: 5, 0).misconception is None
    assert grade(GUESS, lambda x: None, 0).misconception is None


def test_a_group_cannot_judge_cases_that_nobody_draws() -> None:
    with pytest.raises(ValueError, match="judges the cases of 'edge'"):
        Exercise(**{**vars(GUESS), "groups": (GUESS.groups[0], Group("nasty", "", 1, "edge"))})


def test_what_is_hidden_is_not_written_nor_shown() -> None:
    (case, _) = draw(np.random.default_rng(0))
    text = json.dumps(encode_case(case))
    assert str(SECRET) not in text
    assert "hidden" not in text
    assert "wanted" not in text
    assert decode_case(json.loads(text)).hidden is None
    assert str(SECRET) not in repr(case)
    assert case.in_float64().hidden is case.hidden


def test_a_record_has_attributes_and_its_arrays_are_fresh_at_each_call() -> None:
    def spoil(data: Any) -> Any:
        data.X_train += 1
        data.extra = 3
        return data.X_train.sum(), data.y_train, data.sizes

    data = Record({"X_train": np.zeros((2, 3), np.float32), "y_train": np.array([1, 2]), "sizes": (2, 3)})
    case = Case((call("spoil", data=data), call("spoil", data=data)), (0, 1))
    for each in (case, decode_case(json.loads(json.dumps(encode_case(case))))):
        (first, labels, sizes), again = run(each, {"spoil": spoil}).value
        assert first == again[0] == 6
        assert labels.tolist() == [1, 2]
        assert sizes == (2, 3)
    assert case.in_float64().steps[0].arguments["data"].fields["X_train"].dtype == np.float64


def test_a_case_over_its_budget_is_slow_and_the_rest_is_not_run() -> None:
    def endless(x: Any) -> Any:
        try:
            while True:
                pass
        except Exception:  # noqa: BLE001 - as learners write it
            return 1

    cases = {"ordinary": [Case((call("guess", x=0),), seconds=0.2) for _ in range(2)]}
    through = {"ordinary": [decode_case(json.loads(json.dumps(encode_case(case)))) for case in cases["ordinary"]]}
    answers = run_cases(through, {"guess": endless})
    assert [answer.outcome for answer in answers["ordinary"]] == ["slow"]
    result = assess(GUESS, cases, answers)
    assert (result.outcome, result.points) == ("timeout", 0)
    assert "guess was stopped: it used more than 0.2 seconds of processor time" in result.message


def test_steps_of_a_program_may_train_a_model_and_ask_it() -> None:
    class Model:
        def __init__(self) -> None:
            self.label = 0

        def predict(self, X: Any) -> Any:
            return np.full(len(X), self.label)

    def learn(model: Any, data: Any) -> Any:
        model.label = int(data.y_train[0])
        return model

    data = Record({"y_train": np.array([4])})
    X = np.zeros((2, 3))
    steps = (
        call("build"),
        method(Result(0), "predict", X=X),
        call("learn", model=Result(0), data=data),
        method(Result(2), "predict", X=X),
    )
    before, after = run(Case(steps, (1, 3), seconds=20.0), {"build": Model, "learn": learn}).value
    assert (before.tolist(), after.tolist()) == ([0, 0], [4, 4])
