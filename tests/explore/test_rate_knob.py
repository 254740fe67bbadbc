"""The learning rate knob: its network, what its words say about a run, and the learner's functions in it."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

from course_lib.exercises.learning_rate import lr_range_test, suggest_lr
from course_lib.explore.rate_knob import (
    ALL,
    FEW,
    RATES,
    STEPS,
    RateKnob,
    ends,
    first_weights,
    loss_and_grad,
    moons,
    run,
    scores,
    verdict,
)
from course_lib.gradcheck import gradient_check
from tests.explore.watching import unwatched


def words(widget: RateKnob) -> str:
    return " ".join(widget.told)


def moved(names: dict[str, Any] | None = None, **values: Any) -> RateKnob:
    widget = RateKnob(names)
    for name, value in values.items():
        getattr(widget, name).value = value
    return widget


@pytest.mark.parametrize("rows", [slice(None), np.array([3, 17, 40])], ids=["all", "few"])
def test_the_gradient_belongs_to_the_loss(rows: Any) -> None:
    at = first_weights() + 0.01 * np.random.default_rng(1).normal(size=337)
    assert gradient_check(lambda w: loss_and_grad(w, rows)[0], at, loss_and_grad(at.copy(), rows)[1]).error < 1e-5


def test_a_run_at_a_good_rate_separates_the_points() -> None:
    X, y = moons()
    found = run(0.5, ALL)
    assert len(found.losses) == STEPS
    assert np.mean((scores(found.theta, X) > 0) == (y == 1)) > 0.95
    assert found.end == loss_and_grad(found.theta)[0] < 0.1


@pytest.mark.parametrize(
    ("lr", "said"),
    [
        (0.001, "crawls"),
        (0.2, "it falls at every step"),
        (1.0, r"rises at \d+ steps and comes down all the same"),
        (100.0, "runs away"),
    ],
)
def test_every_kind_of_run_is_named(lr: float, said: str) -> None:
    assert re.search(said, verdict(run(lr, ALL)))
    assert re.search(said, words(moved(rate=lr)))


def test_the_best_rate_lies_between_two_that_learn_nothing() -> None:
    for examples in (ALL, FEW):
        found = ends(examples)
        assert 0 < found.argmin() < len(RATES) - 1
        assert found[0] > 0.6
        assert found[-1] > 0.6
    assert RATES[ends(FEW).argmin()] < RATES[ends(ALL).argmin()]  # noisy steps want a smaller one


def test_the_suggestion_is_within_a_factor_of_three_of_the_best() -> None:
    lrs, losses = lr_range_test(loss_and_grad, first_weights(), 0.001, 100.0, 40)
    best = RATES[ends(ALL).argmin()]
    assert best / 3 < suggest_lr(lrs, losses) < best


def test_runs_are_the_same_every_time_and_leave_no_warnings(recwarn: pytest.WarningsRecorder) -> None:
    run.cache_clear()
    first = [run(lr, FEW).end for lr in (0.1, 30.0)]
    run.cache_clear()
    assert [run(lr, FEW).end for lr in (0.1, 30.0)] == first
    assert not recwarn.list


@pytest.mark.parametrize(("name", "value"), [("rate", 0.3), ("examples", FEW)])
def test_every_control_changes_the_picture(name: str, value: Any) -> None:
    widget = RateKnob({})
    before = widget.picture
    getattr(widget, name).value = value
    assert widget.picture != before


def test_the_prediction_is_answered_by_the_21_rates_on_all_points() -> None:
    widget = RateKnob({})
    widget.predict("0.1")
    widget.examples.value = FEW
    widget.many.click()
    assert "Of 21 rates" in words(widget)
    assert widget.asked["outcome"] == ""
    widget.examples.value = ALL
    assert "Of 21 rates" not in words(widget)
    widget.many.click()
    assert re.search(r"of 21 rates 1\.8 ends lowest, at .* nothing is learned", widget.asked["outcome"])
    assert float(widget.rate.value) == pytest.approx(RATES[ends(ALL).argmin()])
    assert "21 runs" in {mark["label"] for panel in widget.picture["panels"] for mark in panel["marks"]}


def test_the_learners_functions_are_used_and_looked_up_at_every_move() -> None:
    names: dict[str, Any] = {}
    widget = RateKnob(names)
    assert "Your range test is not written yet" in words(widget)
    called: list[str] = []

    def mine(name: str, function: Any) -> Any:
        def wrapped(*given: Any) -> Any:
            called.append(name)
            return function(*given)

        return wrapped

    names["suggest_lr"] = mine("suggest", suggest_lr)
    widget.rate.value = 0.5
    assert set(called) == {"suggest"}
    assert "lr_range_test is not written yet" in words(widget)
    names["lr_range_test"] = mine("test", lr_range_test)
    widget.rate.value = 0.6
    assert set(called) == {"suggest", "test"}
    assert "not written yet" not in words(widget)
    assert words(widget).startswith(" ".join(moved(rate=0.6).told[:2]))
    called.clear()
    widget.rate.value = 0.7  # the same functions on the same data give the same curve
    assert not called


def test_a_suggestion_that_is_off_shows() -> None:
    off = {"suggest_lr": lambda lrs, losses: 10 * suggest_lr(lrs, losses), "lr_range_test": lr_range_test}
    assert "suggests 9.6" in words(RateKnob(off))


def raises(*_: Any) -> Any:
    raise ZeroDivisionError("by hand")


def unwritten(*_: Any) -> Any:
    raise NotImplementedError


def endless(*_: Any) -> Any:
    while True:
        pass


@pytest.mark.parametrize(
    ("name", "wrong", "said"),
    [
        ("lr_range_test", raises, "ZeroDivisionError: by hand"),
        ("lr_range_test", lambda *_: None, "should return two arrays"),
        ("lr_range_test", lambda *_: (np.ones(3), np.ones(2)), "arrays of the shapes"),
        ("lr_range_test", lambda *_: (np.zeros(3), np.ones(3)), "numbers above 0"),
        ("lr_range_test", lambda *_: (np.ones(3), np.full(3, np.nan)), "arrays of the shapes"),
        ("suggest_lr", lambda *_: float("nan"), "numbers above 0"),
        ("suggest_lr", lambda *_: None, "TypeError"),
        ("suggest_lr", endless, "had not ended"),
    ],
)
@unwatched
def test_where_the_learners_function_fails_the_courses_stands_in(
    monkeypatch: pytest.MonkeyPatch, name: str, wrong: Any, said: str
) -> None:
    monkeypatch.setattr("course_lib.explore.exploration.SECONDS", 0.5)
    both = {"lr_range_test": lr_range_test, "suggest_lr": suggest_lr}
    widget = RateKnob({**both, name: wrong})
    assert re.search(f"Your {name} stopped with .*{said}", words(widget)), words(widget)
    assert "The course's stands in" in words(widget)
    assert words(RateKnob(both)) in words(widget)
    assert f"{name} is not written yet" in words(RateKnob({**both, name: unwritten}))


def test_without_a_kernel_a_rate_that_learns_stands_there() -> None:
    resting = RateKnob({}).resting()
    assert resting.text == RateKnob({}).resting().text
    assert "Rate 0.5: from 0.74" in resting.alt
    assert resting.png
