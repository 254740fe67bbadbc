"""The tangent to drag: the point stays on its curve, secants close in, the words, and the learner's slope in it."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

from course_lib.exercises.warm_up import slope
from course_lib.explore.tangent import BOTH, FLAT, RIGHT, Tangent, curve, one_sided, steepness
from tests.explore.watching import unwatched


def words(widget: Tangent) -> str:
    return " ".join(widget.told)


def moved(names: dict[str, Any] | None = None, x: float = 0.5, **values: Any) -> Tangent:
    widget = Tangent(names)
    widget.at.value = x, 0.0
    for name, value in values.items():
        getattr(widget, name).value = value
    return widget


def test_the_slope_belongs_to_the_curve_and_both_secants_run_into_it() -> None:
    for x in (-1.7, -1.0, 0.0, 1.3):
        assert slope(curve, x, 1e-4) == pytest.approx(steepness(x), abs=1e-7)
        to_both = [abs(slope(curve, x, h) - steepness(x)) for h in (0.1, 0.01)]
        assert to_both[0] / to_both[1] == pytest.approx(100, rel=1e-3)
    to_right = [abs(one_sided(1.3, h) - steepness(1.3)) for h in (0.1, 0.01)]
    assert to_right[0] / to_right[1] == pytest.approx(10, rel=0.05)
    assert abs(slope(curve, 1.2, 0.1) - steepness(1.2)) == pytest.approx(0.0033, abs=1e-4)  # as the lesson says
    assert abs(one_sided(1.2, 0.1) - steepness(1.2)) == pytest.approx(0.12, abs=5e-3)


def test_wherever_the_point_is_dragged_it_stays_on_the_curve() -> None:
    widget = moved(x=-1.2)
    assert widget.at.value == (-1.2, curve(-1.2))
    widget._receive(widget, {"number": 1, "moves": [{"label": "point", "value": [1.7, 2.5]}]}, [])
    assert widget.at.value == (1.7, curve(1.7))
    widget._receive(widget, {"number": 2, "moves": [{"label": "point", "value": [9.0, -9.0]}]}, [])
    assert widget.at.value == (2.0, curve(2.0))


def test_tenths_that_are_summed_up_meet_the_floor() -> None:
    widget = moved(x=-0.5)
    for _ in range(15):
        widget.at.value = widget.at.value[0] + 0.1, 0.0
    assert widget.at.value[0] == 1.0
    assert "its tangent has slope 0." in words(widget)


@pytest.mark.parametrize(("name", "value"), [("at", (1.5, 0.0)), ("sides", RIGHT), ("h", 0.1)])
def test_every_control_changes_the_picture(name: str, value: Any) -> None:
    widget = Tangent({})
    before = widget.picture
    getattr(widget, name).value = value
    assert widget.picture != before


def test_the_words_give_both_slopes_and_their_difference() -> None:
    told = words(moved(x=1.2, h=0.1))
    assert "its tangent has slope 0.44" in told
    assert "The secant with h = 0.1 to both sides has slope 0.4433: off by 0.0033" in told
    assert re.search(
        r"h = 0.1 to the right only has slope 0.5633: off by 0.12\.", words(moved(x=1.2, h=0.1, sides=RIGHT))
    )


def test_the_prediction_is_answered_on_the_floor_and_not_on_the_top() -> None:
    widget = moved()
    widget.predict("the lowest of all")
    for x in (-1.0, 0.0, 0.9):
        widget.at.value = x, 0.0
        assert widget.asked["outcome"] == "", x
    widget.at.value = 1.0, 0.0
    assert widget.asked["outcome"].startswith("zero: on the floor the tangent is level.")
    assert abs(steepness(1.02)) < FLAT < abs(steepness(1.1))


def test_the_lowest_slope_is_half_way_down_as_the_words_say() -> None:
    between = np.linspace(-2, 2, 401)
    assert between[np.argmin(steepness(between))] == pytest.approx(0)
    assert steepness(between).min() == pytest.approx(-1)
    assert steepness(-1.0) == steepness(1.0) == 0


def test_the_learners_slope_is_used_and_looked_up_at_every_move() -> None:
    names: dict[str, Any] = {}
    widget = Tangent(names)
    assert "slope is not written yet" in words(widget)
    asked: list[float] = []

    def mine(f: Any, x: float, h: float) -> float:
        asked.append(h)
        return slope(f, x, h)

    names["slope"] = mine
    widget.h.value = 0.1
    assert asked == [0.1]
    assert "found by your own function" in words(widget)
    assert moved(dict(names), h=0.1).told[0] == moved(h=0.1).told[0]
    count = len(asked)
    widget.sides.value = RIGHT  # not what the learner's function measures
    assert len(asked) == count
    assert "your own" not in words(widget)
    widget.sides.value = BOTH
    assert len(asked) == count + 1


def test_a_wrong_slope_shows_in_the_picture() -> None:
    flipped = {"slope": lambda f, x, h: -slope(f, x, h)}
    wrong, right = moved(flipped, h=0.1), moved(h=0.1)
    assert "off by 1.5" in words(wrong)
    assert wrong.picture != right.picture


def raises(*_: Any) -> Any:
    raise ZeroDivisionError("by hand")


def unwritten(*_: Any) -> Any:
    raise NotImplementedError


def endless(*_: Any) -> Any:
    while True:
        pass


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (raises, "ZeroDivisionError: by hand"),
        (lambda *_: None, "TypeError"),
        (lambda *_: float("nan"), "it returned nan"),
        (endless, "had not ended"),
    ],
)
@unwatched
def test_where_the_learners_function_fails_the_courses_stands_in(
    monkeypatch: pytest.MonkeyPatch, wrong: Any, said: str
) -> None:
    monkeypatch.setattr("course_lib.explore.exploration.SECONDS", 0.2)
    widget = moved({"slope": wrong}, x=1.2, h=0.1)
    assert said in words(widget)
    assert "The course's stands in" in words(widget)
    assert "has slope 0.4433" in words(widget)
    assert "not written yet" in words(moved({"slope": unwritten}))


@pytest.mark.parametrize("value", [1e300, -1e300, 1e7])
def test_a_slope_out_of_all_measure_can_be_drawn(value: float) -> None:
    widget = moved({"slope": lambda *_: value})
    assert "off by" in words(widget)
    assert widget.picture["panels"]


def test_without_a_kernel_it_stands_beyond_the_floor() -> None:
    resting = Tangent({}).resting()
    assert resting.text == Tangent({}).resting().text
    assert "At x = 1.2" in resting.alt
    assert resting.png
