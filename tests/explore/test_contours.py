"""The walk downhill: its valleys, its words, its controls, and the learner's function in it."""

from __future__ import annotations

import functools
import re
from typing import Any

import numpy as np
import pytest

from course_lib.exercises.gradient_descent import gradient_descent, max_stable_lr
from course_lib.explore.contours import SHARES, VALLEYS, Downhill, Valley, heights, told_of, walk
from course_lib.explore.marks import Line
from course_lib.gradcheck import gradient_check, numerical_gradient
from tests.explore.watching import unwatched

BOWLS = {name: valley for name, valley in VALLEYS.items() if valley.bowl}
FIRST, *OTHERS = VALLEYS


def words(widget: Downhill) -> str:
    return " ".join(widget.told)


@pytest.mark.parametrize("valley", VALLEYS.values(), ids=VALLEYS)
def test_slopes_belong_to_their_losses_and_the_start_is_in_the_picture(valley: Valley) -> None:
    surface = valley.surface
    for theta in ([0.3, -0.7], list(surface.start), [-1.1, 0.2]):
        at = np.array(theta)
        assert gradient_check(lambda place: float(surface.loss(*place)), at, surface.slope(at.copy())).error < 1e-6
    assert abs(surface.start[0]) <= surface.half_width
    assert abs(surface.start[1]) <= surface.half_height


@pytest.mark.parametrize("valley", BOWLS.values(), ids=BOWLS)
def test_the_limit_of_a_bowl_is_that_of_its_matrix(valley: Valley) -> None:
    slopes = [functools.partial(lambda i, theta: float(valley.surface.slope(theta)[i]), i) for i in range(2)]
    H = np.array([numerical_gradient(slope, np.zeros(2)) for slope in slopes])
    assert valley.limit == pytest.approx(max_stable_lr((H + H.T) / 2), rel=1e-6)
    start = valley.surface.start
    below, above = (walk(gradient_descent, valley.surface, start, share * valley.limit, 400) for share in (0.97, 1.03))
    assert heights(valley.surface, below)[-1] < 0.5 * heights(valley.surface, below)[0]
    assert heights(valley.surface, above)[-1] > 1e3 * heights(valley.surface, above)[0]


def test_what_the_lesson_says_beside_the_widget() -> None:
    bowl, long = VALLEYS[FIRST], VALLEYS["long valley, curvatures 1 and 100"]
    assert bowl.limit == pytest.approx(0.2)
    assert long.limit == pytest.approx(0.02)
    smooth, jumping = (walk(gradient_descent, bowl.surface, bowl.surface.start, lr, 30) for lr in (0.09, 0.15))
    assert np.all(smooth[:, 1] > 0)
    assert np.all(jumping[1:, 1] * jumping[:-1, 1] < 0)
    assert np.all(np.diff(heights(bowl.surface, jumping)) < 0)
    on_the_flat_axis = walk(gradient_descent, bowl.surface, (-3.0, 0.0), 1.5 * bowl.limit, 30)
    assert heights(bowl.surface, on_the_flat_axis)[-1] < 1
    ends = [walk(gradient_descent, long.surface, long.surface.start, lr, 30)[-1] for lr in long.limit * SHARES]
    best = min(ends, key=lambda place: float(long.surface.loss(*place)))
    assert 0.6 < best[0] / long.surface.start[0] < 0.7
    hollows = VALLEYS["no bowl: two hollows"].surface
    for lr, side in ((0.1, -1.0), (0.5, 1.0)):
        assert walk(gradient_descent, hollows, hollows.start, lr, 30)[-1] == pytest.approx([side, 0.0], abs=0.05)


def test_the_words_follow_the_walk() -> None:
    bowl = VALLEYS[FIRST]
    for lr, said in ((0.05, "falls at every one"), (0.3, "runs away"), (3.0, "runs away")):
        path = walk(gradient_descent, bowl.surface, bowl.surface.start, lr, 100)
        assert said in told_of(bowl, lr, heights(bowl.surface, path))
    assert "0.25 of the limit 0.2" in told_of(bowl, 0.05, np.array([9.5, 1.0]))
    assert "1.5 times the limit" in told_of(bowl, 0.3, np.array([9.5, 10.0]))
    assert "rises at 1" in told_of(bowl, 0.1, np.array([3.0, 4.0, 1.0]))
    assert "the start is the floor" in told_of(bowl, 0.1, np.zeros(3))


@pytest.mark.parametrize("name", ["rate", "steps", "start", "valley", "nine"])
def test_every_control_changes_the_picture(name: str) -> None:
    widget = Downhill({"gradient_descent": gradient_descent})
    before = widget.picture
    control = getattr(widget, name)
    control.value = {"rate": 0.15, "steps": 40, "start": (2.0, -1.0), "valley": OTHERS[0], "nine": True}[name]
    assert widget.picture != before


def test_another_valley_brings_its_own_start_and_a_dragged_one_stays() -> None:
    widget = Downhill({})
    widget.start.value = (2.0, 2.0)
    widget.rate.value = 0.1
    assert widget.start.value == (2.0, 2.0)
    widget.valley.value = "no bowl: two hollows"
    assert widget.start.value == VALLEYS["no bowl: two hollows"].surface.start


def test_the_prediction_is_answered_by_the_nine_rates() -> None:
    widget = Downhill({})
    widget.predict("0.5")
    widget.rate.value = 0.1
    assert widget.asked["outcome"] == ""
    widget.valley.value = OTHERS[0]
    widget.nine.value = True
    assert widget.asked["outcome"] == ""  # another valley than the one asked about
    widget.valley.value = FIRST
    assert "0.14 ends lowest" in widget.asked["outcome"]
    assert "The limit is 0.2" in widget.asked["outcome"]


def test_the_learners_walk_is_used_and_looked_up_at_every_move() -> None:
    names: dict[str, Any] = {}
    widget = Downhill(names)
    assert "not written yet" in words(widget)
    called: list[float] = []

    def mine(grad: Any, theta0: Any, lr: float, steps: int) -> Any:
        called.append(lr)
        return gradient_descent(grad, theta0, lr, steps)

    names["gradient_descent"] = mine
    widget.rate.value = 0.12
    assert called == [0.12]
    assert "not written yet" not in words(widget)
    widget.nine.value = True
    assert len(called) == 1 + 1 + 9


def raises(*_: Any) -> Any:
    raise ZeroDivisionError("by hand")


def endless(*_: Any) -> Any:
    while True:
        pass


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (raises, "ZeroDivisionError: by hand"),
        (lambda _grad, theta0, _lr, _steps: theta0, r"array of shape \(31, 2\), and returned shape \(2,\)"),
        (lambda *_: None, "a NoneType"),
        (endless, "had not ended"),
    ],
)
@unwatched
def test_a_walk_that_fails_is_named_and_the_courses_stands_in(
    wrong: Any, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("course_lib.explore.exploration.SECONDS", 0.2)
    widget = Downhill({"gradient_descent": wrong})
    assert re.search(said, words(widget))
    assert "The course's walks instead" in words(widget)
    assert "The loss goes from 9.5 to 0.21" in words(widget)


def test_a_walk_that_runs_away_is_drawn_as_far_as_it_can_be_seen() -> None:
    widget = Downhill({"gradient_descent": gradient_descent})
    widget.rate.value = 10.0
    widget.steps.value = 100
    assert "runs away" in words(widget)
    line = next(mark for mark in widget.scene().panels[0].marks if isinstance(mark, Line))
    assert np.isfinite(np.asarray(line.x)).all()
    assert np.isfinite(np.asarray(line.y)).all()


def test_without_a_kernel_all_three_panels_stand_there() -> None:
    resting = Downhill({}).resting()
    assert resting.text == Downhill({}).resting().text
    assert "a U with a cliff" in resting.alt
    assert resting.png
