"""The ball in the ravine: its numbers, its controls, and the learner's function in it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from course_lib.exercises.sgd_and_momentum import momentum_step
from course_lib.explore.ravine import RATE, START, STEEP, STEPS, Ravine, crossings, end, loss, roll, search, slope
from course_lib.gradcheck import gradient_check
from course_lib.optimizers import SGD
from course_lib.parameters import Parameters
from tests.explore.watching import unwatched

OWN = {"momentum_step": momentum_step}


def words(widget: Ravine) -> str:
    return " ".join(widget.told)


def test_the_slope_belongs_to_the_loss() -> None:
    at = np.array([0.3, -0.7])
    assert gradient_check(lambda place: float(loss(*place)), at, slope(at.copy())).error < 1e-6


@pytest.mark.parametrize("momentum", [0.0, 0.7])
def test_the_ball_rolls_as_the_optimizer_of_the_course(momentum: float) -> None:
    params = Parameters.from_arrays({"theta": np.array(START)})
    opt = SGD(params, lr=0.02, momentum=momentum)
    for place in roll(momentum_step, 0.02, momentum, 40)[1:]:
        params.grad = slope(params.theta)
        opt.step()
        np.testing.assert_allclose(place, params.theta, rtol=1e-10, atol=1e-12)


def test_too_high_a_rate_leaves_the_ravine_and_momentum_raises_the_limit() -> None:
    limit = 2 / STEEP
    assert end(roll(momentum_step, 1.1 * limit, 0.0, 200), 200) == np.inf
    assert end(roll(momentum_step, 1.1 * limit, 0.5, 200), 200) < 1e-3


def test_the_best_momentum_is_neither_none_nor_nearly_one() -> None:
    losses = search(momentum_step, RATE, STEPS)
    best = min(losses, key=lambda momentum: losses[momentum])
    assert abs(best - (1 - np.sqrt(RATE)) ** 2) < 0.08  # critical damping along the ravine, whose curvature is 1
    assert losses[best] < 1e-4 * losses[0.0]
    assert losses[0.99] > losses[0.0]


def test_crossings() -> None:
    assert crossings(np.array([1.0, -1.0, 0.0, -2.0, 3.0])) == 2
    assert crossings(np.array([1.0, 0.5, 0.0])) == 0


@pytest.mark.parametrize("control", ["rate", "momentum", "steps", "search"])
def test_every_control_changes_the_picture_and_the_words(control: str) -> None:
    widget = Ravine(OWN)
    picture, told = widget.picture, widget.told
    if control == "search":
        widget.search.click()
        assert widget.momentum.value == pytest.approx(0.7)
    else:
        getattr(widget, control).value = {"rate": 0.01, "momentum": 0.9, "steps": 30}[control]
    assert widget.picture != picture
    assert widget.told != told


def test_the_prediction_comes_out_once_the_button_was_pressed() -> None:
    widget = Ravine(OWN)
    widget.predict("0.9")
    widget.momentum.value = 0.9
    assert widget.asked["outcome"] == ""
    widget.search.click()
    assert "momentum 0.7 comes lowest" in widget.asked["outcome"]
    with pytest.raises(ValueError, match=r"from 0 to 0\.99"):
        widget.predict("1.2")


def test_the_learner_s_function_rolls_the_ball() -> None:
    plain = Ravine({"momentum_step": lambda theta, grad, velocity, lr, momentum: (theta - lr * grad, velocity)})
    plain.momentum.value = 0.7
    with_course = Ravine()
    with_course.momentum.value = 0.7
    assert plain.picture != with_course.picture
    assert "(your function)" in str(plain.picture)
    assert "(your function)" not in str(with_course.picture)
    assert "not written yet" in words(with_course)
    assert "not written yet" not in words(plain)


def raises(*_a: Any) -> Any:
    raise RuntimeError("no idea")


def untouched(*_a: Any) -> Any:
    raise NotImplementedError


def endless(*_a: Any) -> Any:
    while True:
        pass


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (untouched, "not written yet"),
        (raises, "stopped with RuntimeError: no idea"),
        (lambda *_a: None, "it should return theta and velocity"),
        (lambda theta, *_a: (theta[:1], theta), "theta came back with shape (1,)"),
        (lambda theta, *_a: (theta * np.nan, theta), "NaN"),
        (endless, "is there a loop that never ends?"),
    ],
)
@unwatched
def test_the_course_s_version_runs_where_the_learner_s_does_not(
    function: Any, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("course_lib.explore.exploration.SECONDS", 0.05)
    widget = Ravine({"momentum_step": function})
    assert said in words(widget)
    assert widget.picture == Ravine().picture


def test_where_no_kernel_runs_there_is_a_picture_with_words() -> None:
    first, second = Ravine().resting(), Ravine(OWN).resting()
    assert first.text == second.text
    assert first.png is not None
    assert "with momentum 0.7" in first.alt


def test_a_ball_that_left_is_told() -> None:
    widget = Ravine(OWN)
    widget.rate.value = 0.1
    assert words(widget) == "After 60 steps at the rate 0.1 the ball without momentum has left the ravine."
    widget.momentum.value = 0.5
    assert "with momentum 0.5 has left the ravine; the one without has left the ravine." in words(widget)
    widget.rate.value = 0.05
    assert "with momentum 0.5 is at loss" in words(widget)
    assert "the one without has left the ravine. The first swung" in words(widget)
