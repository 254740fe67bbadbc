"""A schedule to draw, and what it does to a real run: digits with spoiled labels, small batches, a linear model.

    ScheduleDesigner(globals())

The rates come from five points that are dragged, or from the learner's own functions, looked up anew at every move;
until one is written, and where it stops with an error, the course's stands in and says so. Six runs are trained at
every move, which takes some forty milliseconds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any

import numpy as np

from course_lib._typing import Array
from course_lib.data import digits_split, redraw_labels
from course_lib.exercises import schedulers
from course_lib.explore.controls import Choice, Point, Slider
from course_lib.explore.exploration import Exploration
from course_lib.explore.marks import Line, Mark, Rule
from course_lib.explore.prediction import Prediction
from course_lib.explore.scene import Panel, Scene

STEPS, RUNS, BATCH, EXAMPLES = 500, 6, 4, 1000
EVERY = 20
"""After how many steps the loss is measured."""
HIGHEST = 2.0
"""No rate above this can be drawn."""
MEASURED = 400
"""The examples by which the loss is measured: the first so many of those trained on."""

OWN, CONSTANT = "my own points", "constant"
Rate = Callable[[Callable[..., Any], float, int], Any]
FORMULAS: Mapping[str, tuple[str, Rate]] = {
    "step_lr: a fall to 0.4 every 125 steps": ("step_lr", lambda f, peak, t: f(peak, t, 125, 0.4)),
    "cosine_lr": ("cosine_lr", lambda f, peak, t: f(peak, t, STEPS, 0.0)),
    "exponential_lr: times 0.993 at every step": ("exponential_lr", lambda f, peak, t: f(peak, t, 0.993)),
    "warmup_cosine_lr: 50 steps up": ("warmup_cosine_lr", lambda f, peak, t: f(peak, t, 50, STEPS, 0.0)),
    "one_cycle_lr: 30% of the steps up": ("one_cycle_lr", lambda f, peak, t: f(t, STEPS, peak, 0.3, 25.0, 1e4)),
}
"""What can be chosen: the exercise behind it, and how it is called."""
COSINE = "cosine_lr"


@dataclass(frozen=True)
class Task:
    """What is learned, by all runs at once.

    Attributes:
        batches: inputs with a column of ones, shape (STEPS, RUNS, BATCH, 65).
        turned: the same with its last two axes exchanged.
        hot: one-hot labels, shape (STEPS, RUNS, BATCH, 10).
        X: the examples to measure by, shape (MEASURED, 65).
        labels: what each run was told about them, shape (RUNS, MEASURED, 1).
    """

    batches: Array
    turned: Array
    hot: Array
    X: Array
    labels: Any


@cache
def task() -> Task:
    """1,000 digits, a fifth of their labels redrawn for each run, and the order of the batches."""
    digits = digits_split("random")
    X = np.hstack([digits.X_train[:EXAMPLES], np.ones((EXAMPLES, 1))])
    labels, batches, hot = [], [], []
    for run in range(RUNS):
        rng = np.random.default_rng(run)
        told = redraw_labels(digits.y_train[:EXAMPLES], 0.2, rng, 10)
        order = np.concatenate([rng.permutation(EXAMPLES) for _ in range(STEPS * BATCH // EXAMPLES)])
        rows = order.reshape(STEPS, BATCH)
        labels.append(told[:MEASURED, None])
        batches.append(X[rows])
        hot.append(np.eye(10)[told[rows]])
    each = np.stack(batches, axis=1)
    turned = np.ascontiguousarray(np.swapaxes(each, -1, -2))
    return Task(each, turned, np.stack(hot, axis=1), X[:MEASURED], np.stack(labels))


def trained(rates: Array) -> Array:
    """The training loss after 0, EVERY, 2 EVERY, ..., STEPS steps with these rates, mean of the runs; shape (26,)."""
    return _trained(np.asarray(rates, np.float64).tobytes())


@lru_cache(maxsize=16)
def _trained(kept: bytes) -> Array:
    rates, given = np.frombuffer(kept), task()
    W = np.zeros((RUNS, 65, 10))
    losses = []
    with np.errstate(over="ignore", invalid="ignore"):
        for t in range(STEPS):
            if t % EVERY == 0:
                losses.append(_loss(W, given))
            scores = given.batches[t] @ W
            scores -= scores.max(axis=-1, keepdims=True)
            shares = np.exp(scores, out=scores)
            shares /= shares.sum(axis=-1, keepdims=True)
            shares -= given.hot[t]
            W -= (rates[t] / BATCH) * (given.turned[t] @ shares)
        losses.append(_loss(W, given))
    return np.array(losses)


def _loss(W: Array, given: Task) -> float:
    scores = given.X @ W
    scores -= scores.max(axis=-1, keepdims=True)
    right = np.take_along_axis(scores, given.labels, axis=-1)[..., 0]
    return float((np.log(np.exp(scores).sum(axis=-1)) - right).mean())


@cache
def best_constant() -> tuple[float, Array]:
    """The constant rate that ends lowest, of some around it, and its losses along the way."""
    tried = {rate: trained(np.full(STEPS, rate)) for rate in (0.15, 0.2, 0.25, 0.3)}
    rate = min(tried, key=lambda rate: float(tried[rate][-1]))
    return rate, tried[rate]


class ScheduleDesigner(Exploration):
    """Draw a schedule or take one of your own functions, and watch six runs train with it.

    Args:
        namespace: where the learner's functions are looked up, at every move; in a notebook `globals()`.

    Attributes:
        shape: points to drag, a constant rate, or one of the functions.
        peak: the rate that the functions start from or rise to.
        corners: the five points.
    """

    name = "A schedule to draw"

    def __init__(self, namespace: Mapping[str, Any] | None = None) -> None:
        self.shape = Choice("shape", [OWN, CONSTANT, *FORMULAS])
        self.peak = Slider("peak rate", 0.2, low=0.02, high=HIGHEST, step=0.1, log=True)
        self.corners = [
            Point(
                f"rate at step {at}",
                (at, 0.2),
                xlim=(at, at),
                ylim=(0, HIGHEST),
                step=(1, 0.05),
                look="vermillion",
            )
            for at in (0, 125, 250, 375, STEPS)
        ]
        question = (
            f"{STEPS} steps with batches of {BATCH}. The best constant rate ends at the loss of the grey line. Which "
            "rates will end clearly below it?"
        )
        choices = ["high first, low at the end", "low first, high at the end", "none: a constant rate is best"]
        super().__init__(self._controls_of_now(), namespace, Prediction(question, choices))

    def _controls_of_now(self) -> list[list[Any]]:
        return [[self.shape], self.corners if self.shape.value == OWN else [self.peak]]

    def settle(self) -> None:
        """Points where they are dragged, the peak elsewhere."""
        self.arrange(self._controls_of_now())

    def rates(self) -> tuple[Array, str]:
        """The rates of all steps, shape (500,), and a sentence where the learner's function did not give them."""
        t = np.arange(STEPS)
        if self.shape.value == OWN:
            at, drawn = np.array([corner.value for corner in self.corners]).T
            return np.interp(t, at, drawn), ""
        if self.shape.value == CONSTANT:
            return np.full(STEPS, float(self.peak.value)), ""
        name, rate = FORMULAS[self.shape.value]
        own = self.own(name)
        if own is not None:
            try:
                with self.limited(name):
                    return self._all(rate, own), ""
            except NotImplementedError:
                pass
            except Exception as error:  # noqa: BLE001 - whatever a learner's code raises becomes a sentence
                stopped = f"{type(error).__name__}: {error}"[:200]
                note = f"Your {name} stopped with {stopped}. The course's stands in; its check helps you on."
                return self._all(rate, getattr(schedulers, name)), note
        note = f"{name} is not written yet, so the course's stands in. When yours is there, move something."
        return self._all(rate, getattr(schedulers, name)), note

    def _all(self, rate: Rate, function: Callable[..., Any]) -> Array:
        found = np.array([rate(function, float(self.peak.value), t) for t in range(STEPS)], dtype=np.float64)
        if found.shape != (STEPS,) or not np.isfinite(found).all() or found.min() < 0 or found.max() > 1000:
            raise ValueError("every rate should be one finite number, from 0 to 1000")
        return found

    def scene(self) -> Scene:
        """The rates, and the loss that they lead to."""
        rates, note = self.rates()
        losses = trained(rates)
        constant, others = best_constant()
        end, bar = float(losses[-1]), float(others[-1])
        what = self.shape.value.split(":")[0]
        if what not in (OWN, CONSTANT):
            what += f" with peak {self.peak.value:.2g}"
        way = f"{what}: the rate goes from {_short(rates[0])} to {_short(rates[-1])}, at most {_short(rates.max())}."
        if what == CONSTANT:
            way = f"A constant rate of {self.peak.value:.2g}."
        came = f"The loss ends at {end:.2f}; the best constant rate, {constant:g}, ends at {bar:.2f}."
        t, measured = np.arange(STEPS), np.arange(0, STEPS + 1, EVERY)
        first: list[Mark] = [
            Line([0, STEPS], [constant, constant], "grey", "best constant rate", width=1.4),
            Line(t, np.minimum(rates, 3 * HIGHEST), "vermillion", "this schedule", solid=True),
        ]
        second: list[Mark] = [
            Rule(y=bar, look="grey", width=1.0),
            Line(measured, others, "grey", width=1.4),
            Line(measured, np.minimum(losses, 9.0), "vermillion", solid=True),
        ]
        top = max(HIGHEST, min(float(rates.max()), 2 * HIGHEST))
        panels = [
            Panel(first, "the rate", "step", "learning rate", xlim=(-15, 515), ylim=(-0.04 * top, 1.05 * top)),
            Panel(second, "the run", "step", "training loss", xlim=(-15, 515), ylim=(0.85, 2.6)),
        ]
        seen = "Left: the learning rate against the step. Right: the training loss, mean of six runs, in grey the best "
        alt = f"{seen}constant rate. {way} {came}"
        return Scene(panels, alt, [way, came, note] if note else [way, came])

    def came_out(self) -> str | None:
        """Once a schedule has ended clearly below the best constant rate."""
        rates, _ = self.rates()
        end, bar = float(trained(rates)[-1]), float(best_constant()[1][-1])
        if end > bar - 0.03 or rates[-50:].mean() > rates.mean():
            return None
        return (
            f"high first, low at the end. This one ends at {end:.2f}, where the best constant rate ends at {bar:.2f}. "
            "High rates went the way; low ones at the end let the run come to rest."
        )

    def scene_at_rest(self) -> Scene:
        """A cosine with a good peak."""
        self.shape.value = COSINE
        self.peak.value = 1.0
        return self.scene()


def _short(rate: float) -> str:
    return "0" if rate < 0.0005 else f"{rate:.2g}"
