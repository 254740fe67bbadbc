"""A ball in a ravine: steep walls, a floor that hardly falls; move the rate and the momentum, and watch it roll.

    Ravine(globals())

The ball rolls on the learner's own `momentum_step`, looked up anew at every move; until it is written, and where it
stops with an error, the course's version runs and says so.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import numpy as np

from course_lib._typing import Array
from course_lib.exercises import sgd_and_momentum
from course_lib.explore.controls import Button, Rows, Slider
from course_lib.explore.exploration import Exploration
from course_lib.explore.marks import Contours, Line, Mark, Points, Text
from course_lib.explore.prediction import Prediction
from course_lib.explore.scene import Panel, Scene, number

STEEP = 50.0
"""The curvature across the ravine; along it, it is 1."""
START = (-1.8, 0.6)
HALF_WIDTH, HALF_HEIGHT = 2.2, 1.0
RATE, STEPS = 0.03, 60
"""Where the sliders stand at first; at a rate of 0.04 the ball without momentum would leave the ravine."""
LEAST, FAR = 1e-9, 1e3
"""Losses below the one are drawn and told as it; a ball further out than the other does not come back."""
TRIED = (*(round(0.05 * i, 2) for i in range(20)), 0.97, 0.99)
"""The momenta that the button tries."""

MomentumStep = Callable[[Array, Array, Array, float, float], Any]


def loss(x: Any, y: Any) -> Any:
    """The height at a place, or at many; 0 at the lowest point, the origin."""
    return (x**2 + STEEP * y**2) / 2


def slope(theta: Array) -> Array:
    """The gradient of `loss`, shape (2,)."""
    curvatures: Array = np.array([1.0, STEEP])
    return theta * curvatures


def roll(function: MomentumStep, lr: float, momentum: float, steps: int) -> Array:
    """The ball's path, shape (steps + 1, 2), or shorter where it left the ravine for good.

    Args:
        function: the learner's `momentum_step`, or the course's.
        lr: the learning rate.
        momentum: the share of the velocity that is kept.
        steps: how many, at least 1.

    Raises:
        TypeError: the function returns something else than theta and velocity, both of shape (2,).
        ValueError: theta becomes NaN.
        Exception: whatever the function raises.
    """
    theta, velocity = np.array(START), np.zeros(2)
    path = [theta]
    with np.errstate(all="ignore"):
        for step in range(1, steps + 1):
            came = function(theta.copy(), slope(theta), velocity.copy(), lr, momentum)
            if not isinstance(came, tuple | list) or len(came) != 2:
                raise TypeError("it should return theta and velocity")
            theta, velocity = (np.asarray(value, dtype=np.float64) for value in came)
            if theta.shape != (2,) or velocity.shape != (2,):
                raise TypeError(f"theta came back with shape {theta.shape}, velocity with {velocity.shape}, not (2,)")
            if np.isnan(theta).any():
                raise ValueError(f"theta is not a number (NaN) after step {step}")
            if np.abs(theta).max() > FAR:
                break
            path.append(theta)
    return np.array(path)


def end(path: Array, steps: int) -> float:
    """The loss where a path ends; infinite where it left the ravine before."""
    return float(loss(*path[-1])) if len(path) == steps + 1 else np.inf


def search(function: MomentumStep, lr: float, steps: int) -> dict[float, float]:
    """The loss at the end for each momentum of `TRIED`; arguments and errors are those of `roll`."""
    return {momentum: end(roll(function, lr, momentum, steps), steps) for momentum in TRIED}


def crossings(places: Array) -> int:
    """How often a coordinate changes its sign, shape (K,)."""
    signs = np.sign(places[places != 0])
    return int(np.count_nonzero(signs[1:] != signs[:-1]))


class Ravine(Exploration):
    """Roll a ball down a ravine, with momentum and without.

    Args:
        namespace: where the learner's `momentum_step` is looked up, at every move; in a notebook `globals()`.

    Attributes:
        rate, momentum, steps: sliders.
        search: a button that tries every momentum at this rate and keeps the best.
    """

    name = "A ball in a ravine"

    def __init__(self, namespace: Mapping[str, Any] | None = None) -> None:
        self.momentum = Slider("momentum", 0.0, low=0.0, high=0.99, step=0.01)
        self.rate = Slider("learning rate", RATE, low=0.002, high=0.1, step=0.002)
        self.steps = Slider("steps", STEPS, low=1, high=200, step=1)
        self.search = Button("Find the best momentum", self._find, "Try momenta from 0 to 0.99 at this rate")
        self._found: str | None = None
        question = (
            f"After {STEPS} steps without momentum the ball is still on its way. Leave the rate at {RATE:g}: which "
            "momentum, from 0 to 0.99, brings it lowest in as many steps?"
        )
        rows: Rows = [[self.momentum, self.rate], [self.steps, self.search]]
        super().__init__(rows, namespace, Prediction(question, low=0, high=0.99))

    def _run(self, task: Callable[[MomentumStep], Any]) -> tuple[Any, bool, list[str]]:
        """What `task` makes of the learner's function, or of the course's where that will not do; whose it was; why."""
        own = self.own("momentum_step")
        notes = []
        if own is not None:
            try:
                with self.limited("momentum_step"):
                    return task(own), True, []
            except NotImplementedError:
                own = None
            except Exception as error:  # noqa: BLE001 - whatever a learner's code raises becomes a sentence
                stopped = f"{type(error).__name__}: {error}"[:200]
                notes.append(
                    f"Your momentum_step stopped with {stopped}. The course's runs instead; its check, in Build, helps "
                    "you on."
                )
        if own is None:
            notes.append(
                "momentum_step is not written yet, so the course's version rolls the ball. When yours is there, come "
                "back and move something."
            )
        return task(sgd_and_momentum.momentum_step), False, notes

    def _find(self) -> None:
        lr, steps = float(self.rate.value), self.steps.value
        losses, _, _ = self._run(lambda function: search(function, lr, steps))
        best = min(losses, key=lambda momentum: losses[momentum])
        self.momentum.value = best
        self._found = (
            f"At the rate {number(lr, 2)}, after {steps} steps, momentum {best:g} comes lowest: loss "
            f"{_short(losses[best])}. Momentum 0 gets to {_short(losses[0.0])}, 0.99 to {_short(losses[0.99])}: too "
            "little crawls along the floor, too much swings past the goal."
        )

    def came_out(self) -> str | None:
        """Which momentum came lowest, once the button was pressed."""
        return self._found

    def scene_at_rest(self) -> Scene:
        with self.at_once():
            self.momentum.value = 0.7
        return self.scene()

    def scene(self) -> Scene:
        """Both balls, how far they came, and whose function rolled them."""
        lr, momentum, steps = float(self.rate.value), float(self.momentum.value), self.steps.value
        (rolled, plain), mine, notes = self._run(
            lambda function: (roll(function, lr, momentum, steps), roll(function, lr, 0.0, steps))
        )
        said = _told(rolled, plain, lr, momentum, steps)
        alt = (
            "Left: contours of a long ravine with the paths of two balls from the same start. Right: loss against "
            f"step, on a log scale. {said}"
        )
        yours = " (your function)" if mine else ""
        return Scene(_panels(rolled, plain, f"momentum {momentum:g}{yours}", steps), alt, [said, *notes])


def _told(rolled: Array, plain: Array, lr: float, momentum: float, steps: int) -> str:
    said = f"After {steps} step{'s' * (steps != 1)} at the rate {number(lr, 2)} the ball "
    if momentum == 0:
        return f"{said}without momentum {_where(plain, steps)}."
    said += f"with momentum {momentum:g} {_where(rolled, steps)}; the one without {_where(plain, steps)}."
    if len(rolled) <= steps:
        return said
    past = crossings(rolled[:, 0])
    times = ("never", "once")[past] if past < 2 else f"{past} times"
    return f"{said} The first swung {crossings(rolled[:, 1])} times from wall to wall, and past the goal {times}."


def _where(path: Array, steps: int) -> str:
    reached = end(path, steps)
    return "has left the ravine" if np.isinf(reached) else f"is at loss {_short(reached)}"


def _short(value: float) -> str:
    if np.isinf(value):
        return "nowhere (it left the ravine)"
    return number(value, 2) if value >= LEAST else "below 1e-9"


def _panels(rolled: Array, plain: Array, name: str, steps: int) -> list[Panel]:
    paths: list[Mark] = [_ground()]
    losses: list[Mark] = []
    for path, look, label in ((plain, "vermillion", "without momentum"), (rolled, "blue", name)):
        paths.append(Line(path[:, 0], path[:, 1], look, every=1 if len(path) < 80 else 0))
        if len(path) == steps + 1:
            paths.append(Points(path[-1:, 0], path[-1:, 1], look, size=12))
        heights = np.maximum(loss(path[:, 0], path[:, 1]), LEAST)
        losses.append(Line(np.arange(len(heights)), heights, look, label, every=max(1, steps // 8)))
    paths += [Points([0.0], [0.0], "black", size=12, marker="*"), Text(0.0, 0.0, "goal", dx=0, dy=16)]
    paths += [Text(*START, "start", align="start", dx=8, dy=-12)]
    return [
        Panel(
            paths,
            title=f"loss = (x² + {STEEP:g} y²) / 2",
            xlabel="x, along the ravine",
            ylabel="y, across",
            xlim=(-HALF_WIDTH, HALF_WIDTH),
            ylim=(-HALF_HEIGHT, HALF_HEIGHT),
            height=360,
            share=1.25,
        ),
        Panel(
            losses,
            title="loss after each step",
            xlabel="step",
            ylabel="loss",
            xlim=(0, steps),
            ylim=(1e-7, 1e3),
            ylog=True,
            height=360,
        ),
    ]


@cache
def _ground() -> Contours:
    x, y = np.linspace(-HALF_WIDTH, HALF_WIDTH, 161), np.linspace(-HALF_HEIGHT, HALF_HEIGHT, 121)
    heights = np.sqrt(loss(*np.meshgrid(x, y)))  # even steps of the root: the floor shows too
    return Contours(x, y, heights, np.linspace(0, heights.max(), 14)[1:-1].tolist())
