"""Penalties at work: what the weights are, the balls that touch, the words, and the learner's functions in it."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from course_lib.exercises.weight_penalties import l2_penalty, soft_threshold
from course_lib.explore.penalties import (
    BEST,
    CURVATURES,
    L1,
    L2,
    LAMBDAS,
    MOONS,
    TWO,
    Penalties,
    ball,
    curves,
    ellipse,
    loss_of_two,
    problem_of,
)
from course_lib.gradcheck import gradient_check
from tests.explore.watching import unwatched


def words(widget: Penalties) -> str:
    return " ".join(widget.told)


def moved(names: dict[str, Any] | None = None, **values: Any) -> Penalties:
    widget = Penalties(names)
    for name, value in values.items():
        getattr(widget, name).value = value
    return widget


def test_the_slope_of_the_two_weights_belongs_to_their_loss() -> None:
    at = np.array([0.3, -0.7])
    assert gradient_check(lambda w: float(loss_of_two(w)), at, problem_of(TWO).slope(at.copy())).error < 1e-6


def test_l2_curves_are_the_solutions_of_their_equations() -> None:
    solved = [np.linalg.solve(CURVATURES + lam * np.eye(2), CURVATURES @ BEST) for lam in LAMBDAS]
    np.testing.assert_allclose(curves(TWO, L2), solved, atol=1e-4)


@pytest.mark.parametrize("picture", [TWO, MOONS])
def test_l1_curves_fulfil_the_conditions_of_a_minimum(picture: str) -> None:
    problem = problem_of(picture)
    for lam, w in list(zip(LAMBDAS, curves(picture, L1), strict=True))[10:]:
        slope = problem.slope(w)
        assert np.all(np.abs(slope[w == 0]) <= lam * 1.01 + 1e-3)
        np.testing.assert_allclose(slope[w != 0], -lam * np.sign(w[w != 0]), atol=5e-3)


def test_l1_makes_exact_zeros_one_by_one_and_l2_none() -> None:
    for picture in (TWO, MOONS):
        zeros = (curves(picture, L1) == 0).sum(axis=1)
        assert set(zeros) >= {0, 1, 2} if picture == TWO else len(set(zeros)) > 5
        assert not (curves(picture, L2) == 0).any()


@pytest.mark.parametrize("kind", [L1, L2])
def test_ball_and_ellipse_touch_and_do_not_cross(kind: str) -> None:
    for w in curves(TWO, kind)[20:32]:
        around = ball(kind, w)
        edge = np.concatenate([np.linspace(a, b, 200) for a, b in pairwise(around)])
        assert np.linalg.norm(edge - w, axis=1).min() < 0.01  # the ball goes through the weights
        assert loss_of_two(edge).min() > loss_of_two(w) - 1e-3  # and nowhere into the ellipse
        np.testing.assert_allclose(loss_of_two(ellipse(w)), loss_of_two(w), rtol=1e-9)


@pytest.mark.parametrize(
    ("name", "value"), [("view", MOONS), ("penalty", L1), ("lam", 1.0)], ids=["view", "penalty", "lam"]
)
def test_every_control_changes_the_picture(name: str, value: Any) -> None:
    widget = Penalties({})
    before = widget.picture
    getattr(widget, name).value = value
    assert widget.picture != before


def test_the_words_count_zeros_and_points() -> None:
    assert "Exactly 0: 0 of 2 weights" in words(moved(lam=1.0))
    assert "w2 = 0. Exactly 0: 1 of 2 weights" in words(moved(penalty=L1, lam=1.2))
    assert re.search(r"Exactly 0: 9 of 14 weights. On the wrong side .*: 6 of 24", words(moved(view=MOONS, penalty=L1)))
    assert "Exactly 0: 14 of 14" in words(moved(view=MOONS, penalty=L1, lam=10.0))
    assert "all weights 0" in str(moved(view=MOONS, penalty=L1, lam=10.0).picture)


def test_the_prediction_is_answered_at_the_corner_of_the_diamond() -> None:
    widget = Penalties({})
    widget.predict("with both")
    widget.lam.value = 1.2
    assert widget.asked["outcome"] == ""
    widget.penalty.value = L1
    assert "with L1 alone" in widget.asked["outcome"]
    assert "w2 is exactly 0" in widget.asked["outcome"]


def test_the_learners_functions_are_used_and_looked_up_at_every_move() -> None:
    names: dict[str, Any] = {}
    widget = Penalties(names)
    assert "l2_penalty is not written yet" in words(widget)
    called: list[str] = []

    def mine(name: str, function: Any) -> Any:
        def wrapped(*given: Any) -> Any:
            called.append(name)
            return function(*given)

        return wrapped

    names.update(l2_penalty=mine("l2", l2_penalty), soft_threshold=mine("soft", soft_threshold))
    widget.lam.value = 0.5
    assert set(called) == {"l2"}
    widget.penalty.value = L1
    assert set(called) == {"l2", "soft"}
    assert "not written yet" not in words(widget)
    assert moved(dict(names), lam=0.5).told[0] == moved(lam=0.5).told[0]


def test_a_wrong_strength_shows_in_the_picture() -> None:
    doubled = {"l2_penalty": lambda W, lam: (lam * np.sum(W * W), 2 * lam * W)}
    assert moved(doubled, lam=0.5).told[0].split(":")[1] == moved(lam=1.0).told[0].split(":")[1]


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
        (lambda w, _amount: w[:1], "finite numbers"),
        (lambda *_: None, "TypeError"),
        (lambda w, _amount: w * np.nan, "finite numbers"),
        (endless, "had not ended"),
    ],
)
@unwatched
def test_where_the_learners_function_fails_the_courses_stands_in(
    monkeypatch: pytest.MonkeyPatch, wrong: Any, said: str
) -> None:
    monkeypatch.setattr("course_lib.explore.exploration.SECONDS", 0.2)
    widget = moved({"soft_threshold": wrong}, penalty=L1, lam=1.2)
    assert re.search(said, words(widget))
    assert "The course's stands in" in words(widget)
    assert "Exactly 0: 1 of 2 weights" in words(widget)
    assert "not written yet" in words(moved({"soft_threshold": unwritten}, penalty=L1))


def test_without_a_kernel_the_corner_stands_there() -> None:
    resting = Penalties({}).resting()
    assert resting.text == Penalties({}).resting().text
    assert "Exactly 0: 1 of 2 weights" in resting.alt
    assert resting.png
