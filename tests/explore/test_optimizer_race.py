"""The race of optimizers: its numbers, its controls, and the learner's functions in it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import matplotlib as mpl
import numpy as np
import pytest

from course_lib import figures
from course_lib.exercises.adaptive_optimizers import adagrad_step, adam_step, rmsprop_step
from course_lib.explore.optimizer_race import (
    MAX_STEPS,
    RACERS,
    SURFACES,
    OptimizerRace,
    Surface,
    gains,
    run,
    tune,
    verdict,
)
from course_lib.explore.scene import Panel
from course_lib.gradcheck import gradient_check
from course_lib.optimizers import SGD, Adagrad, Adam, RMSprop
from course_lib.parameters import Parameters

BY_NAME = {racer.name: racer for racer in RACERS}
COURSE = {"rmsprop_step": rmsprop_step, "adam_step": adam_step, "adagrad_step": adagrad_step}
OURS = {
    "SGD": lambda params, lr: SGD(params, lr),
    "momentum": lambda params, lr: SGD(params, lr, momentum=0.9),
    "AdaGrad": Adagrad,
    "RMSprop": RMSprop,
    "Adam": Adam,
}


def words(race: OptimizerRace) -> str:
    return " ".join(race.told)


@pytest.mark.parametrize("surface", SURFACES.values(), ids=SURFACES)
def test_slopes_belong_to_their_losses_and_zero_is_lowest(surface: Surface) -> None:
    for theta in ([0.3, -0.7], list(surface.start), [-1.1, 0.2]):
        at = np.array(theta)
        assert gradient_check(lambda place: float(surface.loss(*place)), at, surface.slope(at.copy())).error < 1e-6
    x = np.linspace(-surface.half_width, surface.half_width, 201)
    y = np.linspace(-surface.half_height, surface.half_height, 201)
    heights = surface.loss(*np.meshgrid(x, y))
    assert heights.min() >= 0
    assert heights.min() < 1e-2


@pytest.mark.parametrize("name", OURS)
def test_every_racer_runs_as_the_optimizer_of_that_name(name: str) -> None:
    surface = SURFACES["saddle"]
    params = Parameters.from_arrays({"theta": np.array(surface.start)})
    opt: Any = OURS[name](params, lr=0.03)
    racer = BY_NAME[name]
    path = run(racer, COURSE.get(racer.function, lambda: None), surface, 0.03, 50)
    for place in path[1:]:
        params.grad = surface.slope(params.theta)
        opt.step()
        np.testing.assert_allclose(place, params.theta, rtol=1e-10, atol=1e-12)


def test_turning_the_bowl_changes_nothing_for_sgd_and_momentum_but_holds_up_the_adaptive_ones() -> None:
    """What the lesson says beside the widget."""

    def end(name: str, surface: Surface) -> float:
        racer = BY_NAME[name]
        return float(surface.loss(*run(racer, COURSE.get(racer.function, lambda: None), surface, 0.01, 100)[-1]))

    bowl, ravine = SURFACES["badly scaled bowl"], SURFACES["ravine (the bowl, turned)"]
    for name in ("SGD", "momentum"):
        assert end(name, ravine) == pytest.approx(end(name, bowl), rel=1e-6)
    assert end("RMSprop", ravine) > 10 * end("RMSprop", bowl)


def test_tuning_finds_a_rate_that_others_do_not_beat() -> None:
    surface, racer = SURFACES["badly scaled bowl"], BY_NAME["SGD"]
    best = tune(racer, lambda: None, surface, 60)

    def loss(lr: float) -> float:
        path = run(racer, lambda: None, surface, lr, 60)
        return float(surface.loss(*path[-1])) if len(path) == 61 else np.inf

    assert all(loss(best) <= loss(lr) for lr in (1e-3, 0.01, 0.05, 1.0))


@pytest.mark.parametrize("control", ["surface", "steps", "rate", "race", "best", "same"])
def test_every_control_changes_the_picture_and_the_words(control: str) -> None:
    race = OptimizerRace(COURSE)
    if control == "same":
        race.rates["Adam"].value = 0.1
    picture, told = race.picture, race.told
    move: dict[str, Callable[[], Any]] = {
        "surface": lambda: setattr(race.surface, "value", "saddle"),
        "steps": lambda: setattr(race.steps, "value", 30),
        "rate": lambda: setattr(race.rates["RMSprop"], "value", 0.1),
        "race": lambda: setattr(race.runs["momentum"], "value", False),
        "best": race.best.click,
        "same": race.same.click,
    }
    move[control]()
    assert race.picture != picture
    assert race.told != told


def test_the_buttons_draw_once(monkeypatch: pytest.MonkeyPatch) -> None:
    race = OptimizerRace(COURSE)
    drawn: list[int] = []
    monkeypatch.setattr("course_lib.explore.optimizer_race.panels", lambda *_a: drawn.append(1) or [Panel([])])
    race.best.click()
    assert len(drawn) == 1


def test_two_controls_at_once_are_answered_one_after_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in JupyterLab, which may answer them in two threads."""
    race = OptimizerRace(COURSE)
    busy: list[int] = []
    most: list[int] = []

    def slowly(*_a: Any) -> Any:
        busy.append(1)
        most.append(len(busy))
        time.sleep(0.05)
        busy.pop()
        return [Panel([])]

    monkeypatch.setattr("course_lib.explore.optimizer_race.panels", slowly)
    moves = [threading.Thread(target=setattr, args=(slider, "value", 0.5)) for slider in race.rates.values()]
    for move in moves:
        move.start()
    for move in moves:
        move.join()
    assert max(most) == 1


def test_two_styles_do_not_overlap() -> None:
    """A cell's plot and a widget's, in two threads: the second waits, and the settings are as before afterwards."""
    before = dict(mpl.rcParams)
    entered = threading.Event()

    def second() -> None:
        with figures.style():
            entered.set()

    with figures.style():
        other = threading.Thread(target=second)
        other.start()
        assert not entered.wait(0.2)
    other.join()
    assert entered.is_set()
    assert dict(mpl.rcParams) == before


def test_the_learners_functions_run_and_are_called_yours() -> None:
    calls: list[int] = []

    def mine(theta: Any, grad: Any, m: Any, v: Any, t: int, lr: float, beta1: float, beta2: float, eps: float) -> Any:
        calls.append(t)
        assert theta.shape == (2,)
        return adam_step(theta, grad, m, v, t, lr, beta1, beta2, eps)

    names: dict[str, Any] = {}
    race = OptimizerRace(names)
    assert "adam_step are not written yet" in words(race)
    assert "yours" not in str(race.picture)
    names["adam_step"] = mine  # the learner writes it, then moves something
    race.steps.value = 20
    assert calls == list(range(1, 21))
    assert "Adam (yours)" in words(race)
    assert "RMSprop (yours)" not in words(race)
    names.update(COURSE)
    race.steps.value = 21
    assert "not written" not in words(race)
    assert "RMSprop (yours)" in words(race)


def crash(*_a: Any) -> Any:
    raise IndexError("nothing here")


def stub(*_a: Any) -> Any:
    raise NotImplementedError


def bent(theta: Any, *_a: Any) -> Any:
    return np.zeros((3, 3)), theta, theta


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (crash, "Your adam_step stopped with IndexError: nothing here. The course's runs instead"),
        (lambda: 0, "Your adam_step stopped with TypeError"),
        (lambda theta, grad, m, v, *_a: (theta * np.nan, m, v), "theta is not a number (NaN) after step 1"),
        (lambda *_a: None, "it should return 3 values"),
        (bent, "theta came back with shape (3, 3) instead of (2,)"),
        (stub, "adam_step is not written yet, so the course's version runs."),
        (7, "adam_step is not written yet"),
    ],
)
def test_a_broken_function_gives_a_sentence_and_the_courses_runs(function: Any, said: str) -> None:
    race = OptimizerRace({**COURSE, "adam_step": function})
    assert said in words(race)
    assert "Adam (yours)" not in words(race)
    assert ", Adam 1.6" in words(race)
    race.best.click()
    assert said in words(race)


def test_functions_that_change_their_inputs_do_not_disturb_the_race() -> None:
    def in_place(theta: Any, grad: Any, s: Any, lr: float, alpha: float, eps: float) -> Any:
        s *= alpha
        s += (1 - alpha) * grad**2
        theta -= lr * grad / (np.sqrt(s) + eps)
        return theta, s

    surface, racer = SURFACES["saddle"], BY_NAME["RMSprop"]
    np.testing.assert_allclose(
        run(racer, in_place, surface, 0.1, 30), run(racer, rmsprop_step, surface, 0.1, 30), rtol=1e-12
    )


def test_who_runs_away_is_named_and_an_empty_race_says_so() -> None:
    race = OptimizerRace(COURSE)
    race.rates["SGD"].value = 0.5
    assert "SGD ran away: a smaller rate keeps it on the surface." in words(race)
    for box in race.runs.values():
        box.value = False
    assert "Nobody runs" in words(race)
    assert verdict([], "saddle", 3).startswith("Nobody")


@pytest.mark.parametrize("steps", [1, MAX_STEPS])
def test_the_shortest_and_the_longest_race(steps: int) -> None:
    race = OptimizerRace(COURSE)
    race.steps.value = steps
    assert f"After {steps} step" in words(race)


def test_without_a_kernel_there_is_a_picture_and_a_fixed_text() -> None:
    race = OptimizerRace(COURSE)
    first = race._repr_mimebundle_()
    race.surface.value = "bumps"
    second = race._repr_mimebundle_()
    assert first is not None
    assert second is not None
    data, metadata = second
    assert data["text/plain"] == first[0]["text/plain"]
    assert data["text/plain"].startswith("A race of optimizers. Left: contours of the loss (x² + 100 y²) / 2")
    assert "momentum is ahead" in data["text/plain"]
    assert data["image/png"].startswith("iVBOR")
    assert metadata["image/png"]["alt"] in data["text/plain"]
    assert "application/vnd.jupyter.widget-view+json" in data


def test_the_prediction_is_answered_by_the_best_rates() -> None:
    race = OptimizerRace(COURSE)
    race.predict("Adam")
    race.steps.value = 80
    assert race.asked["outcome"] == ""
    race.steps.value = 100
    race.best.click()
    assert race.asked["answer"] == "Adam"
    assert race.asked["outcome"].startswith(
        "AdaGrad gains most. Losses on the badly scaled bowl: AdaGrad from 27 to below"
    )


def test_who_runs_away_at_a_rate_is_said_to_leave_the_surface() -> None:
    told = gains("badly scaled bowl", {racer.name: 1.0 for racer in RACERS}, 100)
    assert "SGD from 0.22 to off the surface" in told
    assert told.startswith("AdaGrad gains most.")
