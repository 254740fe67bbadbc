"""What an exploration shows at one moment: panels of marks, a sentence for those who cannot see them, and words.

    Scene(
        panels=[Panel([Line(steps, losses, "blue", "Adam")], xlabel="step", ylabel="loss", ylog=True)],
        alt="Loss against step, falling from 2.3 to 0.1.",
        told=["After 100 steps the loss is 0.1."],
    )

One description, two painters: `scene.js` draws it in the page, `paint.py` with Matplotlib where no kernel runs.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from course_lib.explore.marks import Floats, Image, Mark


@dataclass(frozen=True, eq=False)
class Panel:
    """One pair of axes with marks in it, drawn in the order given (images always beneath).

    Attributes:
        marks: what is drawn.
        title, xlabel, ylabel: words.
        xlim, ylim: the two ends of each axis; None: what the marks reach.
        xlog, ylog: whether the axis is logarithmic.
        axes: whether axes and ticks are drawn at all.
        equal: whether a unit is as long along y as along x.
        height: in pixels, with everything; with `equal` the height follows from the width.
        share: how wide it is beside the other panels.
        xticks: places and words, where numbers would not do; None: numbers.
    """

    marks: Sequence[Mark]
    title: str = ""
    xlabel: str = ""
    ylabel: str = ""
    xlim: tuple[float, float] | None = None
    ylim: tuple[float, float] | None = None
    xlog: bool = False
    ylog: bool = False
    axes: bool = True
    equal: bool = False
    height: int = 320
    share: float = 1.0
    xticks: Sequence[tuple[float, str]] | None = None

    def __post_init__(self) -> None:
        for name, ends, log in (("xlim", self.xlim, self.xlog), ("ylim", self.ylim, self.ylog)):
            if ends is None:
                continue
            if not (len(ends) == 2 and all(map(math.isfinite, ends)) and ends[0] != ends[1]):
                raise ValueError(f"{name} is {ends}; it needs two different finite numbers.")
            if log and min(ends) <= 0:
                raise ValueError(f"{name} is {ends}; on a logarithmic axis both ends must be above 0.")

    @cached_property
    def ends(self) -> tuple[tuple[float, float], tuple[float, float]]:
        """The two ends of x and of y, given or reached."""
        reached = [mark.reach() for mark in self.marks]
        images = [mark for mark in self.marks if isinstance(mark, Image)]
        tight = bool(images)
        x = self.xlim or _around([x for x, _ in reached], self.xlog, tight)
        y = self.ylim or _around([y for _, y in reached], self.ylog, tight)
        if self.ylim is None and any(image.downwards for image in images):
            y = y[1], y[0]
        return (float(x[0]), float(x[1])), (float(y[0]), float(y[1]))

    def wire(self) -> dict[str, Any]:
        """What the page gets."""
        (xlim, ylim) = self.ends
        words = {name: getattr(self, name) for name in ("title", "xlabel", "ylabel")}
        kind = {name: getattr(self, name) for name in ("xlog", "ylog", "axes", "equal", "height", "share")}
        ticks = None if self.xticks is None else [[float(at), said] for at, said in self.xticks]
        marks = [mark.wire() for mark in self.marks]
        return {**words, **kind, "xlim": list(xlim), "ylim": list(ylim), "xticks": ticks, "marks": marks}


@dataclass(frozen=True, eq=False)
class Scene:
    """What an exploration shows at one moment.

    Attributes:
        panels: side by side, at least one.
        alt: what there is to be seen, in a sentence or two.
        told: what happened, in sentences; a screen reader says them at every move.
    """

    panels: Sequence[Panel]
    alt: str
    told: Sequence[str] = field(default=())

    def __post_init__(self) -> None:
        if not self.panels:
            raise ValueError("panels is empty; a scene needs at least one Panel.")
        if not self.alt.strip():
            raise ValueError("alt is empty; say in a sentence what there is to be seen.")
        if isinstance(self.told, str):
            raise TypeError("told is one text; it should be a sequence of sentences: told=[...].")

    def legend(self) -> Iterator[Mark]:
        """The marks with a name, the first of each name."""
        seen = set()
        for mark in (mark for panel in self.panels for mark in panel.marks):
            if mark.label and mark.label not in seen:
                seen.add(mark.label)
                yield mark

    def wire(self) -> dict[str, Any]:
        """What the page gets."""
        return {"panels": [panel.wire() for panel in self.panels], "alt": self.alt}


def number(value: float, digits: int = 4) -> str:
    """A number for the eye and the ear: few digits, a true minus sign, and none before zero."""
    return f"{value + 0.0:.{digits}g}".replace("-", "\u2212")


def _around(reached: Sequence[Floats], log: bool, tight: bool) -> tuple[float, float]:
    """The two ends of an axis, unless `tight` with a little room around what is reached."""
    values = np.concatenate([np.ravel(part) for part in reached]) if reached else np.empty(0)
    values = values[np.isfinite(values)]
    if log:
        values = np.log10(values[values > 0])
    low, high = (float(values.min()), float(values.max())) if values.size else (0.0, 1.0)
    room = 0.0 if tight and high > low else 0.04 * (high - low) or 0.5
    low, high = low - room, high + room
    return (10**low, 10**high) if log else (low, high)
