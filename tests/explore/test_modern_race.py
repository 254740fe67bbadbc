"""The race goes on: Lion and schedule-free SGD as racers, and the learner's steps in them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from course_lib.exercises.modern_optimizers import lion_step, schedule_free_step
from course_lib.explore.modern_race import ModernRace
from course_lib.explore.optimizer_race import RACERS, SURFACES, OptimizerRace, Racer, run
from course_lib.modern_optimizers import Lion, ScheduleFreeSGD
from course_lib.optimizers import SGD, Adam
from course_lib.parameters import Parameters

BY_NAME = {racer.name: racer for racer in ModernRace.racers}
COURSE = {"lion_step": lion_step, "schedule_free_step": schedule_free_step}
OURS = {"SGD": SGD, "Adam": Adam, "Lion": Lion, "schedule-free SGD": ScheduleFreeSGD}


def words(race: ModernRace) -> str:
    return " ".join(race.told)


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
        stands = opt.x if name == "schedule-free SGD" else params.theta  # the mean is what counts
        np.testing.assert_allclose(place, stands, rtol=1e-9, atol=1e-12)


def test_it_has_its_own_racers_and_the_old_race_kept_its() -> None:
    assert [racer.name for racer in OptimizerRace.racers] == ["SGD", "momentum", "AdaGrad", "RMSprop", "Adam"]
    assert OptimizerRace.racers is RACERS
    race = ModernRace(COURSE)
    assert list(race.rates) == list(OURS)
    assert race.asked["choices"] == list(OURS)


def test_lion_never_comes_to_rest() -> None:
    """What the lesson says beside the widget."""
    surface = SURFACES["badly scaled bowl"]
    path = run(BY_NAME["Lion"], lion_step, surface, 0.01, 300)
    steps = np.abs(np.diff(path, axis=0))
    np.testing.assert_allclose(steps, 0.01, rtol=1e-9)
    quiet = run(BY_NAME["Adam"], lambda: None, surface, 0.1, 300)
    assert np.abs(np.diff(quiet, axis=0))[-20:].max() < 1e-4


def test_the_prediction_is_answered_by_the_best_rates() -> None:
    race = ModernRace(COURSE)
    race.predict("Lion")
    race.best.click()
    assert race.asked["outcome"].startswith("Adam gains most. Losses on the badly scaled bowl: Adam from 1.6")


def test_the_learners_functions_run_and_are_called_yours() -> None:
    names: dict[str, Any] = {}
    race = ModernRace(names)
    assert "lion_step and schedule_free_step are not written yet" in words(race)
    names.update(COURSE)
    race.steps.value = 50
    assert "Lion (yours)" in words(race)
    assert "schedule-free SGD (yours)" in words(race)
    assert "Adam (yours)" not in words(race)
    assert "not written" not in words(race)


def crash(*_a: Any) -> Any:
    raise IndexError("nothing here")


@pytest.mark.parametrize(
    ("name", "function", "said"),
    [
        ("lion_step", crash, "Your lion_step stopped with IndexError: nothing here. The course's runs instead"),
        ("lion_step", lambda *_a: None, "Your lion_step stopped with TypeError: it should return 2 values"),
        ("schedule_free_step", lambda *_a: None, "Your schedule_free_step stopped with TypeError"),
        ("schedule_free_step", lambda x, z, *_a: (x, z, z), "Your schedule_free_step stopped with ValueError"),
        ("schedule_free_step", lambda x, z, *_a: (x * np.nan, z), "theta is not a number (NaN) after step 1"),
    ],
)
def test_a_broken_function_gives_a_sentence_and_the_courses_runs(name: str, function: Any, said: str) -> None:
    race = ModernRace({**COURSE, name: function})
    assert said in words(race)
    assert "schedule-free SGD" in words(race)
    assert race.told[0].count("Lion") == 1


def test_a_racer_that_is_shown_elsewhere_runs_away_by_either_place() -> None:
    racer = Racer("mean far away", 1, lambda _f, theta, _g, _m, t, _lr: (theta, theta + 1e4 * (t > 3)), shown=1)
    assert len(run(racer, lambda: None, SURFACES["bumps"], 0.1, 20)) == 4


def test_the_picture_at_rest_is_the_same_whatever_was_moved() -> None:
    race = ModernRace(COURSE)
    first = race._repr_mimebundle_() or ({}, {})
    race.surface.value = "bumps"
    second = race._repr_mimebundle_() or ({}, {})
    assert first[0]["text/plain"] == second[0]["text/plain"]
    assert first[0]["text/plain"].startswith("The race goes on. Left: contours of the loss (x² + 100 y²) / 2")
