"""Penalties at work: norm balls that touch the ellipses of a loss, the boundary of a small set, and weights against λ.

    Penalties(globals())

The weights are found with the learner's own `l2_penalty` and `soft_threshold`, looked up anew at every move; until they
are written, and where one stops with an error, the course's versions stand in and say so.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from course_lib._typing import Array, IntArray
from course_lib.data import two_moons
from course_lib.exercises import weight_penalties
from course_lib.explore.controls import Choice, Slider
from course_lib.explore.exploration import Exploration
from course_lib.explore.marks import Contours, Line, Mark, Points, Rule, Text, look
from course_lib.explore.prediction import Prediction
from course_lib.explore.scene import Panel, Scene, number

L1, L2 = "L1: sum of |w|", "L2: sum of w²/2"
TWO, MOONS = "two weights and their norm balls", "the boundary of a small set"
LEAST, MOST = 0.001, 10.0
LAMBDAS = np.geomspace(LEAST, MOST, 41)
"""The strengths at which the curves are drawn."""

Shrink = Callable[[Array, float], Array]
"""One step of the penalty alone: takes the weights and `lr`, returns the weights."""


@dataclass(frozen=True)
class Problem:
    """A loss of a few weights.

    Attributes:
        names: one a weight.
        slope: the gradient of the loss, of one set of weights (D,) or of many (K, D).
        lr, steps: what brings gradient descent close to its floor.
    """

    names: tuple[str, ...]
    slope: Callable[[Array], Array]
    lr: float
    steps: int


BEST = np.array([2.0, 0.8])
"""Where the loss of the two weights is lowest without a penalty."""
CURVATURES = np.array([[1.0, 0.45], [0.45, 0.8]])


def loss_of_two(w: Array) -> Any:
    """The loss of two weights, w of shape (..., 2): a bowl with its floor at `BEST`."""
    away = w - BEST
    return np.einsum("...i,ij,...j->...", away, CURVATURES, away) / 2


TWO_WEIGHTS = Problem(("w1", "w2"), lambda w: (w - BEST) @ CURVATURES, 0.7, 60)


@cache
def moons() -> tuple[Array, IntArray]:
    """24 points to learn from; every sixth has the wrong class."""
    X, y = two_moons(24, 0.2, np.random.default_rng(5))
    y = y.copy()
    y[::6] = 1 - y[::6]
    return X - [0.5, 0.25], y


POWERS = tuple((i, total - i) for total in range(1, 5) for i in range(total, -1, -1))


def features(X: Array) -> Array:
    """All products of powers up to the fourth, shape (N, 14), each divided by its size on the points."""
    found: Array = _powers(X) / np.sqrt((_powers(moons()[0]) ** 2).mean(axis=0))
    return found


def _powers(X: Array) -> Array:
    return np.stack([X[:, 0] ** i * X[:, 1] ** j for i, j in POWERS], axis=1)


@cache
def _boundary_problem() -> Problem:
    X, y = moons()
    F, sign = features(X), np.where(y == 1, 1.0, -1.0)

    def slope(w: Array) -> Array:
        # Of the logistic loss, the mean over points of log(1 + exp(-margin)).
        margins = (w @ F.T) * sign
        found: Array = (-sign / (1 + np.exp(np.clip(margins, -500, 500)))) @ F / len(F)
        return found

    curvature = float(np.linalg.eigvalsh(F.T @ F / len(F))[-1]) / 4
    return Problem(tuple(_named(i, j) for i, j in POWERS), slope, 1.9 / curvature, 500)


def _named(i: int, j: int) -> str:
    powers = "¹²³⁴"
    return "".join(f"{name}{powers[power - 1] if power > 1 else ''}" for name, power in (("x", i), ("y", j)) if power)


def weights(problem: Problem, step: Shrink, start: Array) -> Array:
    """Gradient descent on the loss, with a step of the penalty after each; shape of `start`."""
    w = start
    for _ in range(problem.steps):
        w = step(w - problem.lr * problem.slope(w), problem.lr)
    return w


def shrinking(kind: str, lam: Any, l2_penalty: Any, soft_threshold: Any) -> Shrink:
    """The step of a penalty: L1 by the soft threshold, L2 by its own proximal step, w / (1 + lr * lam).

    The gradient lam * w of the L2 penalty says how strong it is: one number, read off at w = 1.
    """
    if kind == L1:
        return lambda w, lr: soft_threshold(w, lr * lam)
    strength = l2_penalty(np.ones(1), lam)[1] if np.ndim(lam) == 0 else lam
    return lambda w, lr: w / (1 + lr * strength)


@cache
def curves(picture: str, kind: str) -> Array:
    """The weights at every strength of `LAMBDAS`, by the course's functions; shape (41, D)."""
    problem = problem_of(picture)
    step = shrinking(kind, LAMBDAS[:, None], None, weight_penalties.soft_threshold)
    return weights(problem, step, np.zeros((len(LAMBDAS), len(problem.names))))


def problem_of(picture: str) -> Problem:
    """What stands behind a picture."""
    return TWO_WEIGHTS if picture == TWO else _boundary_problem()


@cache
def _bowl() -> Contours:
    x, y = np.linspace(-2, 3.2, 131), np.linspace(-1.6, 2, 91)
    heights = loss_of_two(np.stack(np.meshgrid(x, y), axis=-1))
    return Contours(x, y, np.sqrt(heights), np.linspace(0.15, 2.0, 9).tolist())


def ball(kind: str, w: Array) -> Array:
    """The line of all points whose norm is that of `w`, shape (K, 2): a diamond for L1, a circle for L2."""
    if kind == L1:
        size = np.abs(w).sum()
        return np.asarray(size * np.array([[1, 0], [0, 1], [-1, 0], [0, -1], [1, 0]], dtype=float))
    around = np.linspace(0, 2 * np.pi, 121)
    return np.asarray(np.linalg.norm(w) * np.stack([np.cos(around), np.sin(around)], axis=1))


def ellipse(w: Array) -> Array:
    """The line of all points whose loss is that of `w`, shape (121, 2)."""
    around = np.linspace(0, 2 * np.pi, 121)
    circle = np.stack([np.cos(around), np.sin(around)], axis=1)
    root = np.linalg.cholesky(np.linalg.inv(CURVATURES))
    return np.asarray(BEST + np.sqrt(2 * loss_of_two(w)) * circle @ root.T)


class Penalties(Exploration):
    """Choose a picture and a penalty, move λ, and watch which weights shrink and which become exactly 0.

    Args:
        namespace: where the learner's `l2_penalty` and `soft_threshold` are looked up, at every move; in a notebook
            `globals()`.

    Attributes:
        view: two weights with their norm balls, or the boundary of a small set.
        penalty: L2 or L1.
        lam: the strength.
    """

    name = "Penalties, balls and boundaries"

    def __init__(self, namespace: Mapping[str, Any] | None = None) -> None:
        self.view = Choice("picture", [TWO, MOONS])
        self.penalty = Choice("penalty", [L2, L1])
        self.lam = Slider("λ, the strength", 0.1, low=LEAST, high=MOST, step=0.05, log=True)
        question = (
            "Two weights, best at 2 and 0.8. You raise λ from 0.001 to 10. With which penalty will a weight become "
            "exactly 0 while the other is still there?"
        )
        prediction = Prediction(question, ["with L1 alone", "with L2 alone", "with both", "with neither"])
        super().__init__([[self.view, self.penalty], [self.lam]], namespace, prediction)

    def came_out(self) -> str | None:
        """The corner of the diamond, once it is on the screen."""
        if self.view.value != TWO or self.penalty.value != L1:
            return None
        w = self._found(weight_penalties.l2_penalty, weight_penalties.soft_threshold)
        if (w == 0).sum() != 1:
            return None
        return (
            f"with L1 alone. At λ = {number(self.lam.value)} the diamond touches the ellipse with its corner: w2 is "
            f"exactly 0 and w1 is {number(w[0])}. The round ball of L2 has no corners."
        )

    def _found(self, l2_penalty: Any, soft_threshold: Any) -> Array:
        problem = problem_of(self.view.value)
        step = shrinking(self.penalty.value, float(self.lam.value), l2_penalty, soft_threshold)
        found = np.asarray(weights(problem, step, np.zeros(len(problem.names))))
        if found.shape != (len(problem.names),) or found.dtype.kind != "f" or not np.isfinite(found).all():
            raise TypeError(f"the weights should be {len(problem.names)} finite numbers afterwards")
        return found

    def _searched(self) -> tuple[Array, str]:
        """The weights, and a sentence where the learner's function did not find them."""
        name = "soft_threshold" if self.penalty.value == L1 else "l2_penalty"
        given = {n: getattr(weight_penalties, n) for n in ("l2_penalty", "soft_threshold")}
        own = self.own(name)
        if own is not None:
            try:
                with self.limited(name):
                    return self._found(**{**given, name: own}), ""
            except NotImplementedError:
                pass
            except Exception as error:  # noqa: BLE001 - whatever a learner's code raises becomes a sentence
                stopped = f"{type(error).__name__}: {error}"[:200]
                note = f"Your {name} stopped with {stopped}. The course's stands in; its check helps you on."
                return self._found(**given), note
        note = f"{name} is not written yet, so the course's stands in. When yours is there, move something."
        return self._found(**given), note

    def scene(self) -> Scene:
        """The picture chosen, and all weights against λ."""
        found, note = self._searched()
        zeros = int((found == 0).sum())
        lam = number(self.lam.value)
        said = f"{self.penalty.value.split(':')[0]} with λ = {lam}: "
        if self.view.value == TWO:
            said += f"w1 = {number(found[0])}, w2 = {number(found[1])}. "
        said += f"Exactly 0: {zeros} of {len(found)} weights."
        if self.view.value == TWO:
            panel = self._balls(found)
            seen = "Left: ellipses of equal loss and the ball of all weights with this norm, which touch in one point."
        else:
            panel, wrong = self._boundary(found)
            said += f" On the wrong side of the boundary: {wrong} of {len(moons()[1])} points."
            seen = "Left: two classes of points, four with the wrong class, and the line that separates them."
        alt = f"{seen} Right: every weight against λ. {said}"
        return Scene([panel, self._curves(found)], alt, [said, note] if note else [said])

    def _balls(self, w: Array) -> Panel:
        edge, touching = ball(self.penalty.value, w).T, ellipse(w).T
        axes = [Line([-2, 3.2], [0, 0], "grey", width=0.8), Line([0, 0], [-1.6, 2], "grey", width=0.8)]
        marks: list[Mark] = [
            _bowl(),
            *axes,
            Line(touching[0], touching[1], "green", "this loss"),
            Line(edge[0], edge[1], "blue", "this norm"),
            Points(BEST[:1], BEST[1:], "black", "lowest loss", size=10, marker="*"),
            Points(w[:1], w[1:], "vermillion", "loss + penalty lowest", size=9),
        ]
        title = f"{self.penalty.value.split(':')[0]}: ball and ellipse touch"
        return Panel(marks, title, "w1", "w2", xlim=(-2, 3.2), ylim=(-1.6, 2), equal=True, share=1.2)

    def _boundary(self, w: Array) -> tuple[Panel, int]:
        X, y = moons()
        x, up = np.linspace(-2, 2, 81), np.linspace(-1.4, 1.4, 61)
        grid = np.stack(np.meshgrid(x, up), axis=-1).reshape(-1, 2)
        scores = (features(grid) @ w).reshape(61, 81)
        marks: list[Mark] = []
        if np.any(w):
            marks.append(Contours(x, up, scores, [0.0], look="black", width=1.8))
        else:
            marks.append(Text(0, 1.15, "all weights 0: no boundary"))
        for label, name, marker in ((0, "blue", "o"), (1, "vermillion", "s")):
            mine = X[y == label]
            marks.append(Points(mine[:, 0], mine[:, 1], name, f"class {label}", marker=marker))
        wrong = int(((features(X) @ w > 0) != (y == 1)).sum())
        title = "boundary of 24 points"
        return Panel(marks, title, "x", "y", xlim=(-2, 2), ylim=(-1.4, 1.4), equal=True, share=1.2), wrong

    def _curves(self, found: Array) -> Panel:
        drawn, names = curves(self.view.value, self.penalty.value), problem_of(self.view.value).names
        few = len(names) == 2
        marks: list[Mark] = [
            Line(LAMBDAS, drawn[:, i], look(i), name if few else "", width=1.8 if few else 1.2)
            for i, name in enumerate(names)
        ]
        marks.append(Rule(x=float(self.lam.value), look="grey", label="λ"))
        marks.append(Points(np.full(len(found), float(self.lam.value)), found, "vermillion", size=5))
        reach = float(max(np.abs(drawn).max(), np.abs(found).max()))
        limits = (-0.1 * reach, 1.1 * reach) if few else (-1.1 * reach, 1.1 * reach)
        return Panel(marks, "all weights", "λ", "weight", xlim=(LEAST, MOST), ylim=limits, xlog=True)

    def scene_at_rest(self) -> Scene:
        """With the corner of the diamond."""
        self.penalty.value = L1
        self.lam.value = 1.2
        return self.scene()
