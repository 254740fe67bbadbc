"""The dashboard: runs that it trains, symptoms that can be provoked, the learner's `diagnose`, and the words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from course_lib.clinic import EPOCHS, NAMES
from course_lib.exercises.capstone import diagnose
from course_lib.explore.dashboard import ADAM, MOMENTUM, Dashboard, Settings, train_along
from tests.explore.watching import unwatched


def words(widget: Dashboard) -> str:
    return " ".join(widget.told)


def trained(names: dict[str, Any] | None = None, **values: Any) -> Dashboard:
    widget = Dashboard(names)
    for name, value in values.items():
        getattr(widget, name).value = value
    widget.train.click()
    return widget


def test_a_run_has_the_history_of_a_patient_and_is_the_same_each_time() -> None:
    (*_, first), (*_, again) = train_along(Settings()), train_along(Settings())
    assert set(first) == set(NAMES)
    assert len(first["train_loss"]) == EPOCHS
    np.testing.assert_array_equal(first["step_loss"], again["step_loss"])


@pytest.mark.parametrize(
    ("values", "illness"),
    [
        ({}, "healthy"),
        ({"rate": 30.0}, "rate too high"),
        ({"rate": 0.001}, "rate too low"),
        ({"paired": False}, "wrong labels"),
        ({"shuffled": False}, "not shuffled"),
        ({"optimizer": ADAM, "rate": 0.01}, "healthy"),
    ],
)
def test_symptoms_can_be_provoked(values: dict[str, Any], illness: str) -> None:
    assert f"the course's says: {illness}." in words(trained({}, **values))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("rate", 1.0),
        ("optimizer", MOMENTUM),
        ("batch", 60),
        ("dropout", 0.4),
        ("penalty", 0.1),
        ("shuffled", False),
        ("paired", False),
    ],
)
def test_every_control_waits_for_the_button_and_then_changes_the_run(name: str, value: Any) -> None:
    widget = Dashboard({})
    before = widget.picture
    getattr(widget, name).value = value
    assert widget.picture == before
    assert "Press Train" in words(widget)
    widget.train.click()
    assert widget.picture != before
    assert "Press Train" not in words(widget)


def test_the_run_before_stays_in_grey() -> None:
    widget = Dashboard({})
    assert "the run before" not in str(widget.picture)
    widget.rate.value = 0.01
    widget.train.click()
    assert "the run before" in str(widget.picture)


def test_the_chart_grows_while_it_trains(monkeypatch: pytest.MonkeyPatch) -> None:
    widget = Dashboard({})
    seen: list[int] = []
    redraw: Callable[[], None] = widget.redraw

    def watched() -> None:
        redraw()
        seen.append(len(widget._history["train_loss"]))

    monkeypatch.setattr(widget, "redraw", watched)
    widget.train.click()
    assert seen[:EPOCHS] == list(range(1, EPOCHS + 1))


def test_a_run_that_is_not_finite_ends_and_says_so() -> None:
    widget = trained({}, rate=100.0, penalty=0.5)
    assert "Something is not finite, so the run ended." in words(widget)


def test_the_prediction_is_answered_by_the_run_at_rate_30_alone() -> None:
    widget = Dashboard({})
    widget.predict("lower than now")
    widget.rate.value = 0.01
    widget.train.click()
    assert widget.asked["outcome"] == ""
    widget.rate.value = 30.0
    widget.train.click()
    assert "above 2.3" in widget.asked["outcome"]


def test_the_learners_function_is_looked_up_at_every_move() -> None:
    names: dict[str, Any] = {}
    widget = Dashboard(names)
    assert "diagnose is not written yet" in words(widget)
    names["diagnose"] = lambda history: f"{len(history)} arrays"
    widget.train.click()
    assert "Your diagnose says: 8 arrays." in words(widget)
    names["diagnose"] = diagnose
    widget.train.click()
    assert "Your diagnose says: healthy." in words(widget)


def raises(_history: Any) -> Any:
    raise ZeroDivisionError("by hand")


def unwritten(_history: Any) -> Any:
    raise NotImplementedError


def endless(_history: Any) -> Any:
    while True:
        pass


@pytest.mark.parametrize(
    ("wrong", "said"),
    [(raises, "ZeroDivisionError: by hand"), (endless, "had not ended"), (unwritten, "not written yet")],
)
@unwatched
def test_where_the_learners_function_fails_the_courses_stands_in(
    monkeypatch: pytest.MonkeyPatch, wrong: Any, said: str
) -> None:
    monkeypatch.setattr("course_lib.explore.exploration.SECONDS", 0.2)
    told = words(Dashboard({"diagnose": wrong}))
    assert said in told
    assert "he course's says: healthy." in told


def test_a_function_that_spoils_the_history_spoils_a_copy() -> None:
    def spoils(history: Any) -> str:
        for values in history.values():
            values[...] = 0
        return "healthy"

    widget = Dashboard({"diagnose": spoils})
    assert widget._history["train_loss"].min() > 0


def test_without_a_kernel_a_healthy_run_stands_there() -> None:
    resting = Dashboard({}).resting()
    assert "100% and 98% right" in resting.alt or "right." in resting.alt
    assert resting.png
    assert resting.text == Dashboard({}).resting().text
