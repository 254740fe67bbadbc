"""A schedule to draw: its rates, the run behind it, the words, and the learner's functions in it."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

from course_lib.exercises import schedulers
from course_lib.exercises.schedulers import cosine_lr, step_lr
from course_lib.explore.controls import Point
from course_lib.explore.schedule_designer import (
    BATCH,
    CONSTANT,
    COSINE,
    EVERY,
    FORMULAS,
    HIGHEST,
    OWN,
    RUNS,
    STEPS,
    ScheduleDesigner,
    best_constant,
    task,
    trained,
)
from course_lib.gradcheck import numerical_gradient
from tests.explore.watching import unwatched


def words(widget: ScheduleDesigner) -> str:
    return " ".join(widget.told)


def moved(names: dict[str, Any] | None = None, **values: Any) -> ScheduleDesigner:
    widget = ScheduleDesigner({} if names is None else names)
    for name, value in values.items():
        getattr(widget, name).value = value
    return widget


def test_each_run_goes_through_its_examples_in_batches() -> None:
    given = task()
    assert given.batches.shape == (STEPS, RUNS, BATCH, 65)
    first_epoch = given.batches[:250, 0].reshape(1000, 65)
    assert len(np.unique(first_epoch, axis=0)) == len(np.unique(given.batches[:, 0].reshape(-1, 65), axis=0))


def test_a_step_goes_down_the_slope_of_the_batches_loss() -> None:
    """After one step at rate 1 the weights are minus the gradient at zero, which differences give as well."""
    given, ends = task(), []
    for run in range(RUNS):
        x, hot = given.batches[0, run], given.hot[0, run]

        def loss(W: Any, x: Any = x, hot: Any = hot) -> float:
            scores = x @ W.reshape(65, 10)
            return float(np.mean(np.log(np.exp(scores).sum(axis=1)) - (scores * hot).sum(axis=1)))

        slope: Any = numerical_gradient(loss, np.zeros(650))
        scores = given.X @ -slope.reshape(65, 10)
        right = scores[np.arange(len(scores)), given.labels[run, :, 0]]
        ends.append(np.mean(np.log(np.exp(scores).sum(axis=1)) - right))
    rates = np.zeros(STEPS)
    rates[0] = 1.0
    losses = trained(rates)
    assert losses[0] == pytest.approx(np.log(10))
    np.testing.assert_allclose(losses[1:], np.mean(ends), rtol=1e-6)  # rates of 0 leave everything as it is


def test_the_bar_is_the_best_of_all_constant_rates() -> None:
    rate, losses = best_constant()
    assert losses.shape == (STEPS // EVERY + 1,)
    for other in (0.05, 0.1, 0.4, 0.8):
        assert trained(np.full(STEPS, other))[-1] > losses[-1]
    assert rate == 0.2


def test_high_first_beats_the_bar_and_high_last_does_not() -> None:
    bar = best_constant()[1][-1]
    wave = np.array([cosine_lr(1.0, t, STEPS, 0.0) for t in range(STEPS)])
    assert trained(wave)[-1] < bar - 0.05
    assert trained(wave[::-1])[-1] > bar + 0.2


def test_the_points_are_joined_by_straight_lines_and_can_only_go_up_and_down() -> None:
    widget = ScheduleDesigner({})
    for corner, height in zip(widget.corners, (1.0, 1.0, 0.5, 0.5, 0.0), strict=True):
        corner.take([999.0, height])
    rates, note = widget.rates()
    assert note == ""
    assert rates[0] == rates[125] == 1.0
    assert rates[375] == 0.5
    assert rates[187] == pytest.approx(0.75, abs=0.005)
    assert rates[-1] == pytest.approx(0.004)
    assert [corner.value[0] for corner in widget.corners] == [0, 125, 250, 375, STEPS]


def test_points_stand_only_where_they_are_dragged() -> None:
    widget = ScheduleDesigner({})
    assert sum(isinstance(control, Point) for row in widget._rows for control in row) == 5
    widget.shape.value = COSINE
    assert [control.label for row in widget._rows for control in row] == ["shape", "peak rate"]
    widget.shape.value = OWN
    assert sum(isinstance(control, Point) for row in widget._rows for control in row) == 5


@pytest.mark.parametrize("shape", [OWN, CONSTANT, *FORMULAS])
def test_every_shape_is_drawn_and_told(shape: str) -> None:
    widget = moved(shape=shape)
    assert re.search(r"The loss ends at \d\.\d\d; the best constant rate, 0.2, ends at 1\.\d\d\.", words(widget))
    rates, _ = widget.rates()
    assert rates.shape == (STEPS,)
    assert rates.max() <= HIGHEST
    assert widget.picture["alt"]


@pytest.mark.parametrize("shape", list(FORMULAS))
def test_the_formulas_reach_the_peak_and_fall(shape: str) -> None:
    rates, _ = moved(shape=shape, peak=1.0).rates()
    assert rates.max() == pytest.approx(1.0, abs=1e-3)
    assert rates[-1] < 0.1


def test_the_peak_changes_the_picture() -> None:
    widget = moved(shape=COSINE)
    before = widget.picture
    widget.peak.value = 1.0
    assert widget.picture != before
    assert "cosine_lr with peak 1: the rate goes from 1 to 0, at most 1." in words(widget)


def test_the_prediction_is_answered_by_the_first_schedule_that_is_clearly_better() -> None:
    widget = ScheduleDesigner({})
    widget.predict("low first, high at the end")
    widget.shape.value = COSINE
    assert widget.asked["outcome"] == ""  # at the peak of the best constant rate there is nothing to see
    widget.peak.value = 1.0
    assert widget.asked["outcome"].startswith("high first, low at the end")


def test_dragging_the_end_up_answers_nothing() -> None:
    widget = ScheduleDesigner({})
    widget.predict("high first, low at the end")
    widget.corners[-1].value = (STEPS, 1.5)
    assert widget.asked["outcome"] == ""


def test_the_learners_function_is_used_and_looked_up_at_every_move() -> None:
    names: dict[str, Any] = {}
    widget = moved(names, shape=COSINE, peak=1.0)
    assert "cosine_lr is not written yet" in words(widget)
    before = widget.told[1]
    called: list[int] = []

    def mine(lr0: float, t: int, T_max: int, eta_min: float) -> float:
        called.append(t)
        return cosine_lr(lr0, t, T_max, eta_min)

    names["cosine_lr"] = mine
    widget.peak.value = 0.9
    widget.peak.value = 1.0
    assert set(called) == set(range(STEPS))
    assert "not written yet" not in words(widget)
    assert widget.told[1] == before


def test_a_mistake_shows_in_the_picture() -> None:
    shape = next(iter(FORMULAS))
    wrong = {"step_lr": lambda lr0, t, step_size, gamma: lr0 * gamma ** (t / step_size)}
    assert moved(wrong, shape=shape, peak=1.0).told != moved({"step_lr": step_lr}, shape=shape, peak=1.0).told


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
        (lambda *_: None, "TypeError|ValueError"),
        (lambda *_: -0.1, "every rate should be one finite number"),
        (lambda *_: float("nan"), "every rate should be one finite number"),
        (lambda *_: [0.1, 0.2], "every rate should be one finite number"),
        (endless, "had not ended"),
    ],
)
@unwatched
def test_where_the_learners_function_fails_the_courses_stands_in(
    monkeypatch: pytest.MonkeyPatch, wrong: Any, said: str
) -> None:
    monkeypatch.setattr("course_lib.explore.exploration.SECONDS", 0.2)
    widget = moved({"cosine_lr": wrong}, shape=COSINE, peak=1.0)
    assert re.search(said, words(widget)), words(widget)
    assert "The course's stands in" in words(widget)
    assert widget.told[1] == moved(shape=COSINE, peak=1.0).told[1]


def test_an_unwritten_function_is_called_so() -> None:
    assert "not written yet" in words(moved({"cosine_lr": unwritten}, shape=COSINE))


def test_rates_that_are_far_too_high_are_drawn_all_the_same() -> None:
    widget = moved({"cosine_lr": lambda *_: 900.0}, shape=COSINE)
    assert "The loss ends at" in words(widget)
    assert widget.picture["panels"][0]["ylim"][1] < 10


def test_every_formula_belongs_to_an_exercise() -> None:
    assert {name for name, _ in FORMULAS.values()} <= {exercise.name for exercise in schedulers.EXERCISES}


def test_without_a_kernel_a_good_cosine_stands_there() -> None:
    resting = ScheduleDesigner({}).resting()
    assert resting.text == ScheduleDesigner({}).resting().text
    assert "cosine_lr with peak 1" in resting.alt
    assert resting.png
