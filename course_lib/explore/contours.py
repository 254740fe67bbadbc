"""A walk downhill on contours: drag the start, move the rate, watch the loss; then the loss after nine rates.

    Downhill(globals())

The walk runs on the learner's own `gradient_descent`, looked up anew at every move; until it is written, and where it
stops with an error, the course's version runs and says so.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from course_lib._typing import Array
from course_lib.exercises import gradient_descent
from course_lib.explore.controls import Choice, Point, Rows, Slider, Toggle
from course_lib.explore.exploration import Exploration
from course_lib.explore.marks import Contours, Line, Mark, Points, Rule, Text
from course_lib.explore.optimizer_race import Surface
from course_lib.explore.prediction import Prediction
from course_lib.explore.scene import Panel, Scene

MAX_STEPS = 100
SHARES = 2.0 ** np.arange(-6.5, 2)
"""The nine rates, as shares of the limit: two of them beyond it."""
LEAST, MOST = 1e-6, 1e4
"""Losses outside are drawn at these."""
LOWEST_RATE, HIGHEST_RATE = 0.001, 10.0


@dataclass(frozen=True)
class Valley:
    """A surface, and how steep it is where it is steepest.

    Attributes:
        surface: the loss of two weights, its slope, and where the walk starts.
        curvature: the largest there is, or at the floors where it changes from place to place.
        bowl: whether it is the same everywhere.
    """

    surface: Surface
    curvature: float
    bowl: bool = True

    @property
    def limit(self) -> float:
        """The rate beyond which the walk runs away from a bowl's floor."""
        return 2 / self.curvature


def _bowl(formula: str, H: Array, start: tuple[float, float]) -> Valley:
    """A bowl with its floor in the middle, from its matrix of curvatures."""

    def loss(x: Any, y: Any) -> Any:
        return (H[0, 0] * x**2 + 2 * H[0, 1] * x * y + H[1, 1] * y**2) / 2

    surface = Surface(formula, loss, lambda theta: H @ theta, start, 3.6, 2.4)
    return Valley(surface, float(np.linalg.eigvalsh(H)[-1]))


def _turned(curvatures: tuple[float, float], degrees: float) -> Array:
    angle = np.radians(degrees)
    axes = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return np.asarray(axes @ np.diag(curvatures) @ axes.T)


VALLEYS: Mapping[str, Valley] = {
    "bowl, curvatures 1 and 10": _bowl("(x² + 10 y²) / 2", np.diag([1.0, 10.0]), (-3.0, 1.0)),
    "the same bowl, turned": _bowl("(u² + 10 w²) / 2, turned by 30°", _turned((1.0, 10.0), 30.0), (-3.0, -0.5)),
    "long valley, curvatures 1 and 100": _bowl("(x² + 100 y²) / 2", np.diag([1.0, 100.0]), (-3.0, 1.0)),
    "round bowl, curvatures 1 and 1": _bowl("(x² + y²) / 2", np.eye(2), (-3.0, 1.0)),
    "no bowl: two hollows": Valley(
        Surface(
            "(x² - 1)² / 4 + y² / 2",
            lambda x, y: (x**2 - 1) ** 2 / 4 + y**2 / 2,
            lambda theta: np.array([theta[0] ** 3 - theta[0], theta[1]]),
            (-1.8, 1.0),
            2.1,
            1.8,
        ),
        2.0,
        bowl=False,
    ),
}

Walk = Callable[[Callable[[Array], Array], Array, float, int], Any]


def walk(function: Walk, surface: Surface, start: tuple[float, float], lr: float, steps: int) -> Array:
    """The path of `function` on a surface, shape (steps + 1, 2); numbers may have grown beyond all bounds.

    Args:
        function: the learner's `gradient_descent`, or the course's.
        surface: where.
        start: x and y.
        lr: the learning rate.
        steps: how many.

    Raises:
        TypeError: it returns something else than an array of numbers of that shape.
        Exception: whatever the function raises.
    """
    with np.errstate(all="ignore"):
        path = function(surface.slope, np.array(start), lr, steps)
    if not isinstance(path, np.ndarray) or path.shape != (steps + 1, 2) or path.dtype.kind not in "fiu":
        came = f"shape {path.shape}" if isinstance(path, np.ndarray) else f"a {type(path).__name__}"
        raise TypeError(f"it should return an array of shape ({steps + 1}, 2), and returned {came}")
    return path.astype(np.float64)


def heights(surface: Surface, path: Array) -> Array:
    """The loss at every place of a path, shape (steps + 1,); infinite where the numbers have overflowed."""
    with np.errstate(all="ignore"):
        losses: Array = surface.loss(path[:, 0], path[:, 1])
    return np.where(np.isnan(losses), np.inf, losses)


def told_of(valley: Valley, lr: float, losses: Array) -> str:
    """How the walk went, in words."""
    steps = len(losses) - 1
    with np.errstate(invalid="ignore"):
        rises = int(np.sum(~(np.diff(losses) <= 0)))  # infinity less infinity counts as a rise, too
    share = lr / valley.limit
    where = f", {share:.2g} of the limit {valley.limit:.2g}" if share < 1 else f", {share:.3g} times the limit"
    said = f"Rate {lr:.3g}{where if valley.bowl else ''}. "
    said += f"The loss goes from {_short(losses[0])} to {_short(losses[-1])} in {steps} steps"
    if losses[0] < LEAST:
        return f"{said}: the start is the floor."
    if losses[-1] > losses[0]:
        return f"{said}: it runs away."
    if rises:
        return f"{said}, and rises at {rises} of them."
    return f"{said}, and falls at every one."


def _short(loss: float) -> str:
    if loss < LEAST:
        return "below 1e-6"
    return f"{loss:.2g}" if loss <= MOST else "more than 10,000"


@cache
def _ground(surface: Surface) -> Contours:
    x = np.linspace(-surface.half_width, surface.half_width, 145)
    y = np.linspace(-surface.half_height, surface.half_height, 109)
    roots = np.sqrt(surface.loss(*np.meshgrid(x, y)))  # even steps of the root: the bottom shows too
    return Contours(x, y, roots, np.linspace(roots.min(), roots.max(), 14)[1:-1].tolist())


class Downhill(Exploration):
    """Choose a valley, drag the start, move the rate; then see the loss after nine rates.

    Args:
        namespace: where the learner's `gradient_descent` is looked up, at every move; in a notebook `globals()`.

    Attributes:
        valley: the choice of the valley.
        rate, steps: sliders.
        start: the point to drag.
        nine: the tick box that shows the loss after nine rates.
    """

    name = "A walk downhill"

    def __init__(self, namespace: Mapping[str, Any] | None = None) -> None:
        first = next(iter(VALLEYS))
        self.valley = Choice("valley", list(VALLEYS))
        self.rate = Slider("learning rate", 0.05, low=LOWEST_RATE, high=HIGHEST_RATE, step=0.05, log=True)
        self.steps = Slider("steps", 30, low=1, high=MAX_STEPS, step=1)
        self.nine = Toggle("try nine rates", value=False)
        self._last = first
        self.start = self._start(VALLEYS[first].surface)
        question = (
            "A bowl has the curvatures 1 and 10, and the walk takes 30 steps. With which learning rate will the loss "
            "end lowest? (Tick 'try nine rates' to see.)"
        )
        prediction = Prediction(question, low=0.0, high=10.0)
        super().__init__(self._laid_out(), namespace, prediction)

    def _laid_out(self) -> Rows:
        return [[self.valley, self.steps], [self.rate, self.nine], [self.start]]

    @staticmethod
    def _start(surface: Surface) -> Point:
        across, up = surface.half_width, surface.half_height
        return Point("start", surface.start, xlim=(-across, across), ylim=(-up, up), step=0.1, look="vermillion")

    def settle(self) -> None:
        """Another valley brings its own start."""
        if self.valley.value != self._last:
            self._last = self.valley.value
            self.start = self._start(VALLEYS[self._last].surface)
            self.arrange(self._laid_out())

    def came_out(self) -> str | None:
        """The best of nine rates, once they are shown on the bowl that was asked about."""
        if not self.nine.value or self.valley.value != next(iter(VALLEYS)) or self.steps.value != 30:
            return None
        valley = VALLEYS[self.valley.value]
        ends = self._ends(gradient_descent.gradient_descent, valley)
        best = valley.limit * SHARES[int(ends.argmin())]
        return (
            f"Of these nine rates {best:.2g} ends lowest, at {_short(float(ends.min()))}. The limit is "
            f"{valley.limit:.2g}: the best stands close to the edge."
        )

    def _ends(self, function: Walk, valley: Valley) -> Array:
        """The loss after the last step, for each of the nine rates."""
        rates = valley.limit * SHARES
        paths = [walk(function, valley.surface, self.start.value, float(lr), self.steps.value) for lr in rates]
        return np.array([heights(valley.surface, path)[-1] for path in paths])

    def _walked(self, function: Walk, valley: Valley) -> tuple[Array, Array | None]:
        path = walk(function, valley.surface, self.start.value, float(self.rate.value), self.steps.value)
        return path, self._ends(function, valley) if self.nine.value else None

    def scene(self) -> Scene:
        """The path, the loss after each step, and, where asked, the loss after nine rates."""
        valley, note, whose = VALLEYS[self.valley.value], "", "your walk"
        own = self.own("gradient_descent")
        try:
            if own is None:
                raise NotImplementedError
            with self.limited("gradient_descent"):
                path, ends = self._walked(own, valley)
        except Exception as error:  # noqa: BLE001 - whatever a learner's code raises becomes a sentence
            whose = "the course's walk"
            path, ends = self._walked(gradient_descent.gradient_descent, valley)
            if isinstance(error, NotImplementedError):
                note = (
                    "gradient_descent is not written yet, so the course's walks. When yours is there, move something."
                )
            else:
                stopped = f"{type(error).__name__}: {error}"[:200]
                note = (
                    f"Your gradient_descent stopped with {stopped}. The course's walks instead; its check helps you on."
                )
        losses = heights(valley.surface, path)
        said = told_of(valley, float(self.rate.value), losses)
        panels = [self._map(valley, path), self._losses(losses, whose)]
        formula = valley.surface.formula
        alt = f"Left: contours of the loss {formula} with {whose} from the start. Right: loss against step."
        if ends is not None:
            panels.append(self._curve(valley, ends))
            best = valley.limit * SHARES[int(ends.argmin())]
            nine = f"Of nine rates {best:.2g} ends lowest, at {_short(float(ends.min()))}."
            said, alt = f"{said} {nine}", f"{alt} Further right: final loss against nine rates, a U with a cliff."
        return Scene(panels, f"{alt} {said}", [said, note] if note else [said])

    def _map(self, valley: Valley, path: Array) -> Panel:
        surface = valley.surface
        with np.errstate(invalid="ignore"):
            away = np.flatnonzero(~(np.abs(path).max(axis=1) < 20 * surface.half_width))
        seen = path[: away[0]] if len(away) else path
        x, y = seen.T
        marks: list[Mark] = [
            _ground(surface),
            Line(x, y, "blue", width=1.4),
            Points(x[1:], y[1:], "blue", size=5),
            Points(x[:1], y[:1], "vermillion", size=11, marker="*"),
            Text(*self.start.value, "start", align="start", dx=10, dy=-12),
        ]
        across, up = surface.half_width, surface.half_height
        title = f"loss = {surface.formula}"
        limits: dict[str, Any] = {"xlim": (-across, across), "ylim": (-up, up)}
        return Panel(marks, title, "first weight x", "second weight y", **limits, height=330, share=1.35)

    def _losses(self, losses: Array, whose: str) -> Panel:
        drawn = np.clip(losses, LEAST, MOST)
        line = Line(np.arange(len(drawn)), drawn, "blue", whose, every=max(1, len(drawn) // 8))
        return Panel([line], "loss after each step", "step", "loss", ylim=(LEAST / 2, 2 * MOST), ylog=True, height=330)

    def _curve(self, valley: Valley, ends: Array) -> Panel:
        rates, drawn = valley.limit * SHARES, np.clip(ends, LEAST, MOST)
        marks: list[Mark] = [
            Line(rates, drawn, "green", f"after {self.steps.value} steps", every=1),
            Rule(x=float(self.rate.value), look="blue", label="your rate"),
        ]
        if valley.bowl:
            marks.append(Rule(x=valley.limit, look="vermillion", label="the limit"))
        return Panel(
            marks,
            "nine rates",
            "learning rate",
            "final loss",
            ylim=(LEAST / 2, 2 * MOST),
            xlog=True,
            ylog=True,
            height=330,
        )

    def scene_at_rest(self) -> Scene:
        """With the nine rates, where nothing can be ticked."""
        self.nine.value = True
        return self.scene()
