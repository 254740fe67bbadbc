"""A tangent to drag: a point on a curve, the tangent there, and a secant that becomes the tangent as its step shrinks.

    Tangent(globals())

The secant's slope is found by the learner's own `slope`, looked up anew at every move; until it is written, and where
it stops with an error, the course's version stands in and says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from course_lib._typing import Array
from course_lib.exercises import warm_up
from course_lib.explore.controls import Choice, Point, Slider
from course_lib.explore.exploration import Exploration
from course_lib.explore.marks import Line, Mark, Points, Rule, Text
from course_lib.explore.prediction import Prediction
from course_lib.explore.scene import Panel, Scene, number

BOTH, RIGHT = "to both sides", "to the right only"
ENDS, HEIGHTS = (-2.6, 2.6), (-2.6, 2.6)
LEAST, MOST = 0.001, 1.0
STEPS = np.geomspace(LEAST, MOST, 61)
"""The steps at which the right picture shows slopes."""
FLAT = 0.06
"""Up to this slope the ground counts as level: with a pointer one meets the floor to a pixel or two."""


def curve(x: Any) -> Any:
    """A hill with its top at -1 and a valley with its floor at 1: x**3 / 3 - x."""
    return x**3 / 3 - x


def steepness(x: Any) -> Any:
    """The slope of the curve, x**2 - 1."""
    return x**2 - 1


def one_sided(x: float, h: Any) -> Any:
    """The slope of the secant from x to x + h."""
    return (curve(x + h) - curve(x)) / h


class Tangent(Exploration):
    """Drag the point along the curve, and let the two ends of the secant close in on it.

    Args:
        namespace: where the learner's `slope` is looked up, at every move; in a notebook `globals()`.

    Attributes:
        at: the point; whatever its height, it is put back onto the curve.
        sides: whether the secant steps to both sides or to the right only.
        h: the step.
    """

    name = "A tangent to drag"

    def __init__(self, namespace: Mapping[str, Any] | None = None) -> None:
        self.at = Point(
            "point", (-0.5, float(curve(-0.5))), xlim=(-2.0, 2.0), ylim=HEIGHTS, step=0.1, look="vermillion"
        )
        self.sides = Choice("secant", [BOTH, RIGHT])
        self.h = Slider("h, the step", 1.0, low=LEAST, high=MOST, step=0.1, log=True)
        question = "Where the curve is lowest, on the floor of the valley: what is the slope there?"
        answers = ["the lowest of all", "zero", "the same as on the hill's left side", "it has none"]
        super().__init__([[self.at, self.sides, self.h]], namespace, Prediction(question, answers))

    def settle(self) -> None:
        """Keep the point on the curve, and what ten presses of a key have summed up to 0.9999999 at 1."""
        x = round(self.at.value[0], 6)
        self.at.value = x, float(curve(x))

    def came_out(self) -> str | None:
        """What the slope is on the floor, once the point is there."""
        x = self.at.value[0]
        if x < 0 or abs(steepness(x)) > FLAT:
            return None
        return (
            "zero: on the floor the tangent is level. It is level on the top at x = \u22121 as well. The lowest slope, "
            "\u22121, belongs to x = 0, half-way down: a slope says how steep it is, not how high."
        )

    def _measured(self, x: float, h: float) -> tuple[float, str]:
        """The secant's slope to both sides, by the learner's function, and a sentence about whose it is."""
        own = self.own("slope")
        note = "slope is not written yet, so the course's stands in. When yours is there, move something."
        if own is not None:
            try:
                with self.limited("slope"):
                    found = float(own(curve, x, h))
                if not np.isfinite(found):
                    raise ValueError(f"it returned {found}")
                return found, "The secant's slope is found by your own function."
            except NotImplementedError:
                pass
            except Exception as error:  # noqa: BLE001 - whatever a learner's code raises becomes a sentence
                stopped = f"{type(error).__name__}: {error}"[:200]
                note = f"Your slope stopped with {stopped}. The course's stands in; its check, in Build, helps you on."
        return float(warm_up.slope(curve, x, h)), note

    def scene(self) -> Scene:
        """The curve with tangent and secant, and the secant's slope against the step."""
        x, h, both = self.at.value[0], float(self.h.value), self.sides.value == BOTH
        true = float(steepness(x))
        found, note = self._measured(x, h) if both else (float(one_sided(x, h)), "")
        said = (
            f"At x = {number(x, 2)} the curve is at {number(curve(x), 3)} and its tangent has slope {number(true, 3)}. "
            f"The secant with h = {number(h, 2)} {self.sides.value} has slope {number(found)}: off by "
            f"{number(abs(found - true), 2)}."
        )
        alt = (
            "Left: a curve with a hill and a valley, a point on it with its tangent, and a secant. Right: the slope of "
            f"the secant against its step h; both lines run into that of the tangent as h shrinks. {said}"
        )
        return Scene([_hill(x, h, found, both), _closing(x, h, found)], alt, [said, note] if note else [said])

    def scene_at_rest(self) -> Scene:
        """On the far side of the valley, where tangent and secants are told apart."""
        with self.at_once():
            self.at.value = 1.2, float(curve(1.2))
        return self.scene()


def _hill(x: float, h: float, found: float, both: bool) -> Panel:
    everywhere = np.linspace(*ENDS, 121)
    ends = np.array([x - h, x + h] if both else [x, x + h])
    look, label = ("blue", "secant") if both else ("purple", "secant to the right only")
    # A learner's slope may be a wrong one: the line then misses the two points, which is to be seen.
    through = float(np.mean(curve(ends))), float(np.mean(ends))
    marks: list[Mark] = [
        Line(everywhere, curve(everywhere), "black", "curve", solid=True),
        _straight(x, float(curve(x)), float(steepness(x)), "green", "tangent"),
        _straight(through[1], through[0], found, look, label),
        Points(ends, curve(ends), look, size=8, marker="s"),
        Text(-1.0, 1.0, "hill", dy=-8),
        Text(1.0, -1.0, "valley", dy=16),
    ]
    return Panel(marks, "curve, tangent and secant", "x", "f(x)", xlim=ENDS, ylim=HEIGHTS, height=360)


def _straight(x: float, y: float, slope: float, look: str, label: str) -> Line:
    ends = np.array(ENDS)
    return Line(ends, y + np.clip(slope, -1e6, 1e6) * (ends - x), look, label)


def _closing(x: float, h: float, found: float) -> Panel:
    to_both: Array = np.asarray(warm_up.slope(curve, x, STEPS))  # type: ignore[arg-type]  # of all steps at once
    to_right: Array = np.asarray(one_sided(x, STEPS))
    true = float(steepness(x))
    reach = max(1.0, float(np.abs(np.concatenate([to_both, to_right, [found]]) - true).max()))
    reach = min(reach, 6.0)
    marks: list[Mark] = [
        Rule(y=true, look="green"),
        Line(STEPS, to_both, "blue", "secant", solid=True),
        Line(STEPS, to_right, "purple", "secant to the right only"),
        Points([h], [float(np.clip(found, true - 1.1 * reach, true + 1.1 * reach))], "vermillion", size=9, marker="o"),
    ]
    limits = (true - 1.15 * reach, true + 1.15 * reach)
    title = "what the secant says"
    return Panel(marks, title, "h, the step", "slope", xlim=(LEAST, MOST), ylim=limits, xlog=True, height=360)
