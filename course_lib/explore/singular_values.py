"""What a Newton-Schulz iteration does to the singular values of a matrix, round by round.

    SingularValues(globals())

The rounds are those of the learner's own `muon_orthogonalize`, looked up anew at every move; until it is written, and
where it stops with an error, the course's version stands in and says so.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import numpy as np

from course_lib._typing import Array
from course_lib.data import digits_split, standardize
from course_lib.exercises import modern_optimizers
from course_lib.explore.controls import Choice, Slider
from course_lib.explore.exploration import Exploration
from course_lib.explore.marks import Band, Line, Mark, Points, Rule
from course_lib.explore.prediction import Prediction
from course_lib.explore.scene import Panel, Scene, number

UNEVEN, EVEN, LACKING, REAL = (
    "uneven: 0.01, 0.1, 0.5, 1",
    "even: 0.7, 0.8, 0.9, 1",
    "one direction missing: 0, 0.5, 0.8, 1",
    "the gradient of a real layer, 64 × 10",
)
MUON, CLASSICAL = "Muon's: 3.4445, -4.7750, 2.0315", "classical: 1.5, -0.5, 0"
POLYNOMIALS = {MUON: (3.4445, -4.7750, 2.0315), CLASSICAL: (1.5, -0.5, 0.0)}
MOST = 10
"""Rounds at most."""
LOW, HIGH = 0.68, 1.21
"""Where the values lie after five of Muon's rounds, if they were at least 1/600 of the norm."""
FLOOR = 1e-3
"""Values below this are drawn here."""


@cache
def matrix(name: str) -> Array:
    """The matrix of that name: (4, 6) with the singular values that it says, or a gradient of shape (64, 10)."""
    if name == REAL:
        return _gradient()
    values = {UNEVEN: [1, 0.5, 0.1, 0.01], EVEN: [1, 0.9, 0.8, 0.7], LACKING: [1, 0.8, 0.5, 0]}[name]
    left, _, right = np.linalg.svd(np.random.default_rng(11).normal(size=(4, 6)), full_matrices=False)
    return np.asarray((left * np.array(values)) @ right)


def _gradient() -> Array:
    """Of a linear digit reader whose weights are all 0, on 32 digits."""
    split = digits_split("random")
    (X,) = standardize(split.X_train)
    rows = np.random.default_rng(0).permutation(len(X))[:32]
    wanted = np.eye(10)[split.y_train[rows]]
    return np.asarray(X[rows].T @ (0.1 - wanted) / len(rows))


def polynomial(s: Any, coefficients: str) -> Any:
    """What one round makes of singular values s."""
    a, b, c = POLYNOMIALS[coefficients]
    return a * s + b * s**3 + c * s**5


def _classical(G: Array, steps: int) -> Array:
    X = G / np.linalg.norm(G)
    for _ in range(steps):
        X = 1.5 * X - 0.5 * X @ X.T @ X
    return X


class SingularValues(Exploration):
    """Choose a matrix and the number of rounds, and watch its singular values come near 1.

    Args:
        namespace: where the learner's `muon_orthogonalize` is looked up, at every move; in a notebook `globals()`.

    Attributes:
        start: which matrix.
        coefficients: Muon's, or the classical ones, which do settle at 1.
        steps: how many rounds.
    """

    name = "Singular values, round by round"

    def __init__(self, namespace: Mapping[str, Any] | None = None) -> None:
        self.start = Choice("matrix", [UNEVEN, EVEN, LACKING, REAL])
        self.coefficients = Choice("coefficients", [MUON, CLASSICAL])
        self.steps = Slider("rounds", 1, low=0, high=MOST, step=1)
        question = (
            "A matrix has the singular values 0.01, 0.1, 0.5 and 1. It is divided by its norm, then come five of "
            "Muon's rounds. Where are the four values then?"
        )
        choices = ["all four at 1", "all four near 1, none settled", "the small ones still small", "some above 2"]
        super().__init__([[self.start, self.coefficients], [self.steps]], namespace, Prediction(question, choices))

    def came_out(self) -> str | None:
        """Where the four values are after five rounds, on the course's version."""
        if self.start.value != UNEVEN or self.coefficients.value != MUON or self.steps.value < 5:
            return None
        values = self._values(modern_optimizers.muon_orthogonalize)[5]
        return (
            f"all four near 1, none settled: {', '.join(number(value) for value in values)} after five rounds. Each "
            "round sends them past 1 and back."
        )

    def _values(self, orthogonalize: Callable[..., Any]) -> Array:
        """The singular values after each round, shape (steps + 1, K), those of the normalised matrix first."""
        G = matrix(self.start.value)
        found = [G / np.linalg.norm(G)]
        for k in range(1, int(self.steps.value) + 1):
            X = np.asarray(orthogonalize(G.copy(), k))
            if X.shape != G.shape or X.dtype.kind != "f":
                raise TypeError(f"it should return an array of shape {G.shape} after round {k}")
            if not np.isfinite(X).all():
                raise ValueError(f"the matrix is no longer finite after round {k}")
            found.append(X)
        return np.array([np.linalg.svd(X, compute_uv=False) for X in found])

    def _rounds(self) -> tuple[Array, str]:
        """The singular values, and a sentence about whose function made them."""
        if self.coefficients.value == CLASSICAL:
            return self._values(_classical), "The classical coefficients stand in no exercise: these rounds are given."
        own = self.own("muon_orthogonalize")
        if own is not None:
            try:
                with self.limited("muon_orthogonalize"):
                    return self._values(own), "Your own muon_orthogonalize made these rounds."
            except NotImplementedError:
                pass
            except Exception as error:  # noqa: BLE001 - whatever a learner's code raises becomes a sentence
                stopped = f"{type(error).__name__}: {error}"[:200]
                note = (
                    f"Your muon_orthogonalize stopped with {stopped}. The course's stands in; its check helps you on."
                )
                return self._values(modern_optimizers.muon_orthogonalize), note
        note = "muon_orthogonalize is not written yet, so the course's stands in. When yours is there, move something."
        return self._values(modern_optimizers.muon_orthogonalize), note

    def scene(self) -> Scene:
        """All values against the round, and one round as a curve."""
        values, note = self._rounds()
        steps = int(self.steps.value)
        now = values[steps]
        near = int(((now >= LOW) & (now <= HIGH)).sum())
        said = (
            f"After {steps} round{'s' * (steps != 1)}: the smallest of {len(now)} singular values is "
            f"{_told(now.min())}, the largest {_told(now.max())}; {near} of {len(now)} lie between {LOW} and {HIGH}."
        )
        alt = (
            "Left: every singular value against the round, on a log scale, with a band around 1. Right: what one round "
            f"makes of a value, the diagonal beside it, and the values of this round on the curve. {said}"
        )
        return Scene([self._history(values), self._curve(now)], alt, [said, note])

    def _history(self, values: Array) -> Panel:
        drawn = np.maximum(values, FLOOR)
        rounds = np.arange(len(values))
        marks: list[Mark] = [
            Band([0, MOST], [LOW, LOW], [HIGH, HIGH], "green", f"{LOW} to {HIGH}"),
            Rule(y=1.0, look="grey", width=0.9),
        ]
        marks += [Line(rounds, column, "blue", width=1.2, solid=True) for column in drawn.T]
        marks.append(Points(np.full(drawn.shape[1], rounds[-1]), drawn[-1], "vermillion", "now", size=8))
        return Panel(
            marks,
            "singular values, round by round",
            "round",
            "singular value",
            xlim=(0, MOST),
            ylim=(FLOOR, 3),
            ylog=True,
            height=340,
        )

    def _curve(self, now: Array) -> Panel:
        s = np.linspace(0, 1.3, 131)
        shown = now[now <= 1.3]
        marks: list[Mark] = [
            Line([0, 1.3], [0, 1.3], "grey", "unchanged", width=1.0),
            Line(s, polynomial(s, self.coefficients.value), "blue", "after one more round", solid=True),
            Points(shown, polynomial(shown, self.coefficients.value), "vermillion", "the values now", size=8),
        ]
        return Panel(
            marks,
            "what one more round does",
            "singular value now",
            "after one more round",
            xlim=(0, 1.3),
            ylim=(0, 1.4),
            height=340,
        )

    def scene_at_rest(self) -> Scene:
        """After five rounds."""
        self.steps.value = 5
        return self.scene()


def _told(value: float) -> str:
    return number(value) if value >= 1e-9 else "0"
