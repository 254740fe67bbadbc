"""One knob, the learning rate, on a small network: its boundary, its loss, and the curve of a range test beside it.

    RateKnob(globals())

The range test and the rate that it suggests come from the learner's own `lr_range_test` and `suggest_lr`, looked up
anew at every move; until they are written, and where one stops with an error, the course's versions run and say so.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from course_lib._typing import Array, IntArray
from course_lib.data import two_moons
from course_lib.exercises import learning_rate
from course_lib.explore.controls import Button, Choice, Slider
from course_lib.explore.exploration import Exploration
from course_lib.explore.marks import Contours, Line, Mark, Points, Rule, Text
from course_lib.explore.prediction import Prediction
from course_lib.explore.scene import Panel, Scene, number

EXAMPLES, STEPS, HIDDEN = 60, 100, 16
ALL, FEW = "all 60", "6 at random"
LOWEST, HIGHEST = 0.001, 100.0
RATES = 10.0 ** np.arange(-3, 2.01, 0.25)
"""The 21 rates that the button tries."""
TESTED = (LOWEST, HIGHEST, 40)
"""What the range test is asked for: its first rate, its last, and how many."""
LEAST, MOST = 1e-3, 1e4
"""Losses outside are drawn at these."""

NAMES = ("lr_range_test", "suggest_lr")

LossAndGrad = Callable[[Array], tuple[float, Array]]


@cache
def moons() -> tuple[Array, IntArray]:
    """The points, shape (60, 2), and their classes."""
    X, y = two_moons(EXAMPLES, 0.2, np.random.default_rng(0))
    return X - [0.5, 0.25], y


_SHAPES = ((2, HIDDEN), (HIDDEN,), (HIDDEN, HIDDEN), (HIDDEN,), (HIDDEN, 1), (1,))


def first_weights() -> Array:
    """He's, the same at every run; biases are zero. Shape (337,)."""
    rng = np.random.default_rng(0)
    parts = [
        rng.normal(0, np.sqrt(2 / shape[0]), shape).ravel() if len(shape) == 2 else np.zeros(shape) for shape in _SHAPES
    ]
    return np.concatenate(parts)


def _parts(theta: Array) -> list[Array]:
    ends = np.cumsum([int(np.prod(shape)) for shape in _SHAPES])
    return [part.reshape(shape) for part, shape in zip(np.split(theta, ends[:-1]), _SHAPES, strict=True)]


def scores(theta: Array, X: Array) -> Array:
    """Above 0 where the network says class 1; X (N, 2), the scores (N,)."""
    W1, b1, W2, b2, W3, b3 = _parts(theta)
    found: Array = (np.maximum(np.maximum(X @ W1 + b1, 0) @ W2 + b2, 0) @ W3 + b3)[:, 0]
    return found


def loss_and_grad(theta: Array, rows: Any = slice(None)) -> tuple[float, Array]:
    """The mean logistic loss over some of the points, and its gradient, shape of theta."""
    X, y = moons()
    X, sign = X[rows], np.where(y[rows] == 1, 1.0, -1.0)
    W1, b1, W2, b2, W3, b3 = _parts(theta)
    first = np.maximum(X @ W1 + b1, 0)
    second = np.maximum(first @ W2 + b2, 0)
    margins = sign * (second @ W3 + b3)[:, 0]
    dout = (-sign / (1 + np.exp(np.clip(margins, -500, 500))) / len(X))[:, None]
    dsecond = (dout @ W3.T) * (second > 0)
    dfirst = (dsecond @ W2.T) * (first > 0)
    slopes = [X.T @ dfirst, dfirst.sum(0), first.T @ dsecond, dsecond.sum(0), second.T @ dout, dout.sum(0)]
    grad = np.concatenate([slope.ravel() for slope in slopes])
    return float(np.logaddexp(0, -margins).mean()), grad


def on(examples: str) -> LossAndGrad:
    """The loss and gradient over all points, or at each call over a few drawn afresh, the same ones in every run."""
    if examples == ALL:
        return loss_and_grad
    rng = np.random.default_rng(3)
    return lambda theta: loss_and_grad(theta, rng.choice(EXAMPLES, 6, replace=False))


@dataclass(frozen=True, eq=False)
class Run:
    """A hundred steps at one rate.

    Attributes:
        losses: before every step, shape (K,), K at most 100: a run ends where a number is not finite any more.
        theta: the weights at the end, all finite.
        end: the loss over all points at the end; infinite where numbers were not finite any more.
    """

    losses: Array
    theta: Array
    end: float


@cache
def run(lr: float, examples: str) -> Run:
    """Train from the first weights."""
    ask, theta, losses, lost = on(examples), first_weights(), [], False
    with np.errstate(all="ignore"):
        for _ in range(STEPS):
            loss, grad = ask(theta)
            moved = theta - lr * grad
            lost = not (np.isfinite(loss) and np.isfinite(moved).all())
            if lost:
                break
            losses.append(loss)
            theta = moved
        end = loss_and_grad(theta)[0]
    return Run(np.array(losses), theta, end if np.isfinite(end) and not lost else float("inf"))


def ends(examples: str) -> Array:
    """The loss at the end for each of `RATES`, shape (21,)."""
    return np.array([run(float(lr), examples).end for lr in RATES])


def verdict(found: Run) -> str:
    """How a run went, in words."""
    first = float(found.losses[0])
    rises = int((np.diff(np.append(found.losses, found.end)) > 0).sum())
    if found.end == np.inf or max(found.losses.max(), found.end) > 10 * first:
        return "it runs away"
    if found.end > 0.6 * first:
        return "it bounces and learns nothing" if rises else "it crawls: it falls at every step and gets nowhere"
    return f"it rises at {rises} steps and comes down all the same" if rises else "it falls at every step"


class RateKnob(Exploration):
    """Turn the learning rate of a small network, and compare with what a range test suggests.

    Args:
        namespace: where the learner's `lr_range_test` and `suggest_lr` are looked up, at every move; in a notebook
            `globals()`.

    Attributes:
        rate: the learning rate.
        examples: how many points each step looks at.
        many: the button that tries 21 rates.
        tried: the examples choice for which they were tried; "" before.
    """

    name = "The learning rate knob"

    def __init__(self, namespace: Mapping[str, Any] | None = None) -> None:
        self.rate = Slider("learning rate", LOWEST, low=LOWEST, high=HIGHEST, step=0.05, log=True)
        self.examples = Choice("examples in a step", [ALL, FEW])
        self.many = Button("Try 21 rates", self._try_many, "Train at 21 rates and go to the best of them")
        self.tried = ""
        self._last: tuple[Any, tuple[Array, Array, float, str]] | None = None
        question = (
            "A network with two hidden layers takes 100 steps on 60 points, all of them in every step. With which "
            "learning rate will its loss end lowest?"
        )
        prediction = Prediction(question, low=LOWEST, high=HIGHEST)
        super().__init__([[self.rate], [self.examples, self.many]], namespace, prediction)

    def _try_many(self) -> None:
        self.tried = self.examples.value
        self.rate.value = float(RATES[int(ends(self.tried).argmin())])

    def settle(self) -> None:
        """The 21 runs belong to the examples they were trained on."""
        if self.tried != self.examples.value:
            self.tried = ""

    def came_out(self) -> str | None:
        """The best of 21 rates, once they were tried with all examples."""
        if self.tried != ALL:
            return None
        found = ends(ALL)
        best = int(found.argmin())
        dead = RATES[best:][int(np.argmax(found[best:] > 0.5))]
        return (
            f"of 21 rates {number(float(RATES[best]), 2)} ends lowest, at {_short(float(found[best]))}. From "
            f"{number(float(dead), 2)} on nothing is learned any more."
        )

    def _searched(self, functions: Mapping[str, Callable[..., Any]]) -> tuple[Array, Array, float]:
        """The curve of a range test and the suggestion, by the functions of these names.

        Raises:
            TypeError: something else came back than two arrays of one length and a number.
            Exception: whatever the functions raise.
        """
        with np.errstate(all="ignore"):
            came = functions["lr_range_test"](on(self.examples.value), first_weights(), *TESTED)
            if not isinstance(came, tuple | list) or len(came) != 2:
                raise TypeError("lr_range_test should return two arrays")
            lrs, losses = (np.asarray(values, dtype=np.float64) for values in came)
            if lrs.ndim != 1 or lrs.shape != losses.shape or not len(lrs) or not np.isfinite(losses).any():
                raise TypeError(f"lr_range_test returned arrays of the shapes {lrs.shape} and {losses.shape}")
            suggested = float(functions["suggest_lr"](lrs, losses))
        if not np.isfinite(lrs).all() or not lrs.min() > 0 or not (np.isfinite(suggested) and suggested > 0):
            raise TypeError("rates and suggestion should be numbers above 0")
        return lrs, losses, suggested

    def _tested(self) -> tuple[Array, Array, float, str]:
        """The range test, the suggestion, and a sentence where they are not the learner's own."""
        mine = {name: self.own(name) for name in NAMES}
        key = (self.examples.value, *mine.values())
        if self._last is None or self._last[0] != key:  # the same functions on the same data: the same curve
            self._last = key, self._test_anew(mine)
        return self._last[1]

    def _test_anew(self, mine: Mapping[str, Callable[..., Any] | None]) -> tuple[Array, Array, float, str]:
        given = {name: getattr(learning_rate, name) for name in NAMES}
        missing, notes = [], []
        for name, own in mine.items():
            try:
                if own is None:
                    raise NotImplementedError
                with self.limited(name):
                    self._searched({**given, name: own})
                given[name] = own
            except NotImplementedError:
                missing.append(name)
            except Exception as error:  # noqa: BLE001 - whatever a learner's code raises becomes a sentence
                stopped = f"{type(error).__name__}: {error}"[:200]
                notes.append(f"Your {name} stopped with {stopped}. The course's stands in; its check helps you on.")
        if len(missing) == 2:
            notes.append(
                "Your range test is not written yet, so the course's runs. When yours is there, move something."
            )
        elif missing:
            notes.append(f"{missing[0]} is not written yet, so the course's stands in.")
        return *self._searched(given), " ".join(notes)

    def scene(self) -> Scene:
        """Boundary, loss and range test."""
        lr, examples = float(self.rate.value), self.examples.value
        found = run(lr, examples)
        lrs, losses, suggested, note = self._tested()
        rate = number(lr, 3)
        end = "beyond all numbers" if found.end == np.inf else _short(found.end)
        said = [
            f"Rate {rate}: from {_short(float(found.losses[0]))} the loss goes to {end}; {verdict(found)}.",
            f"The range test took {len(lrs)} steps and suggests {number(suggested, 2)}.",
        ]
        if self.tried:
            best = ends(self.tried)
            at = int(best.argmin())
            said.append(f"Of 21 rates {number(float(RATES[at]), 2)} ends lowest, at {_short(float(best[at]))}.")
        if note:
            said.append(note)
        alt = (
            "Left: two crescents of points and the boundary of the network after 100 steps. Middle: the loss before "
            f"every step. Right: the loss against the rate in a range test. {' '.join(said[: 3 if self.tried else 2])}"
        )
        panels = [_boundary(found), _loss(found), self._range(lrs, losses, suggested, lr)]
        return Scene(panels, alt, said)

    def _range(self, lrs: Array, losses: Array, suggested: float, lr: float) -> Panel:
        drawn = np.where(np.isfinite(losses), np.clip(losses, LEAST, MOST), MOST)
        lowest = int(np.where(np.isfinite(losses), losses, np.inf).argmin())
        marks: list[Mark] = [Line(lrs, drawn, "blue", "range test", every=5)]
        if self.tried:
            marks.append(Line(RATES, np.clip(ends(self.tried), LEAST, MOST), "green", "21 runs", every=1))
        marks += [
            Points(lrs[[lowest]], drawn[[lowest]], "black", "lowest", size=9),
            Rule(x=suggested, look="black", label="suggestion"),
            Rule(x=lr, look="vermillion", label="your rate"),
        ]
        return Panel(
            marks,
            "loss against rate",
            "learning rate",
            "loss",
            xlim=(LOWEST, HIGHEST),
            ylim=(LEAST, 30.0),
            xlog=True,
            ylog=True,
            share=1.1,
        )

    def scene_at_rest(self) -> Scene:
        """At a rate that learns."""
        self.rate.value = 0.5
        return self.scene()


def _short(loss: float) -> str:
    return number(loss, 2) if loss < MOST else "more than 10,000"


def _loss(found: Run) -> Panel:
    drawn = np.clip(found.losses, LEAST, MOST)
    line = Line(np.arange(len(drawn)), drawn, "vermillion", "your run", solid=True)
    return Panel([line], "loss before every step", "step", "loss", xlim=(0, STEPS), ylim=(LEAST, 30.0), ylog=True)


def _boundary(found: Run) -> Panel:
    X, y = moons()
    x, up = np.linspace(-2, 2, 81), np.linspace(-1.4, 1.4, 57)
    grid = np.stack(np.meshgrid(x, up), axis=-1).reshape(-1, 2)
    with np.errstate(all="ignore"):
        heights = scores(found.theta, grid).reshape(57, 81)
    marks: list[Mark] = []
    if np.isfinite(heights).all() and heights.min() < 0 < heights.max():
        marks.append(Contours(x, up, np.sign(heights) * np.sqrt(np.abs(heights)), [0.0], look="black", width=1.8))
    else:
        marks.append(Text(0, 1.2, "no boundary: one answer everywhere"))
    for label, look, marker in ((0, "blue", "o"), (1, "orange", "s")):
        mine = X[y == label]
        marks.append(Points(mine[:, 0], mine[:, 1], look, "", marker=marker))
    return Panel(marks, "after the last step", "x", "y", xlim=(-2, 2), ylim=(-1.4, 1.4))
