"""How far the slope of a mini-batch is off, against its size: the slopes of many batches, and the slope of all.

    BatchNoise(globals())

Real digits, a linear model at the start of its training. The batches are drawn by the learner's own `minibatches`,
looked up anew at every move; until it is written, and where it stops with an error, the course's version draws them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from course_lib._typing import Array, IntArray
from course_lib.data import digits_split, standardize
from course_lib.exercises import sgd_and_momentum
from course_lib.explore.controls import Button, Stops
from course_lib.explore.exploration import Exploration
from course_lib.explore.marks import Line, Mark, Points
from course_lib.explore.prediction import Prediction
from course_lib.explore.scene import Panel, Scene, number

SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)
BATCHES = 150
"""How many batches are drawn at each move."""
REACH = 2.5
"""How far the picture of slopes goes to either side, in lengths of the whole slope."""

Minibatches = Callable[[int, int, np.random.Generator], Any]


@dataclass(frozen=True)
class Slopes:
    """The slope of every example, in lengths of the mean slope.

    Attributes:
        along: the share along the mean slope, shape (N,); its mean is 1.
        off: what is left, shape (N, P); its mean is 0.
        sideways: the direction in which that differs most, shape (P,).
    """

    along: Array
    off: Array
    sideways: Array


@cache
def slopes() -> Slopes:
    """Of 1,000 digits, for a linear model whose weights are 0: its slopes are (probability - label) times pixel."""
    digits = digits_split("random")
    (X,) = standardize(digits.X_train)
    errors = np.full((len(X), 10), 0.1)
    errors[np.arange(len(X)), digits.y_train] -= 1
    every = (errors[:, :, None] * X[:, None, :]).reshape(len(X), -1)
    mean = every.mean(axis=0)
    length = np.linalg.norm(mean)
    along = every @ mean / length**2
    off = every / length - along[:, None] * mean / length
    values, directions = np.linalg.eigh(off.T @ off)
    return Slopes(along, off, directions[:, values.argmax()])


def batch_slopes(batches: Sequence[IntArray]) -> tuple[Array, Array, Array]:
    """The mean slope of each batch: along, sideways, and how far it is off that of all; each of shape (B,)."""
    given = slopes()
    shares = np.zeros((len(batches), len(given.along)))
    for share, batch in zip(shares, batches, strict=True):
        np.add.at(share, batch, 1 / len(batch))
    along, off = shares @ given.along, shares @ given.off
    return along, off @ given.sideways, np.sqrt((along - 1) ** 2 + np.sum(off**2, axis=1))


def draw(function: Minibatches, batch_size: int, seed: int) -> list[IntArray]:
    """As many full batches as `BATCHES`, from as many epochs as that takes.

    Args:
        function: the learner's `minibatches`, or the course's.
        batch_size: examples a batch.
        seed: of the generator that it draws from.

    Raises:
        TypeError: it returns something else than a list of index arrays.
        ValueError: an index that no example has, or an epoch without a full batch.
        Exception: whatever the function raises.
    """
    n, rng = len(slopes().along), np.random.default_rng(seed)
    found: list[IntArray] = []
    while len(found) < BATCHES:
        epoch = function(n, batch_size, rng)
        if not isinstance(epoch, list | tuple):
            raise TypeError(f"it should return a list of index arrays, and returned a {type(epoch).__name__}")
        batches = [np.asarray(batch) for batch in epoch]
        if any(batch.ndim != 1 or batch.dtype.kind not in "iu" for batch in batches):
            raise TypeError("each batch should be an array of whole numbers with one axis")
        if any(batch.size and not (batch.min() >= 0 and batch.max() < n) for batch in batches):
            raise ValueError(f"an index is outside 0 to {n - 1}")
        full = [batch for batch in batches if len(batch) == batch_size]
        if not full:
            raise ValueError(f"none of its {len(batches)} batches holds {batch_size} examples")
        found += full
    return found[:BATCHES]


def noise(off: Array) -> float:
    """The typical distance from the slope of all examples: the root of the mean square, in lengths of that slope."""
    return float(np.sqrt(np.mean(off**2)))


class BatchNoise(Exploration):
    """Choose a batch size, and see the slopes of many such batches around the slope of all examples.

    Args:
        namespace: where the learner's `minibatches` is looked up, at every move; in a notebook `globals()`.

    Attributes:
        size: the slider of batch sizes.
        again: a button that draws other batches.
        seen: batch size -> its noise, as far as it was looked at.
    """

    name = "Batch size and noise"

    def __init__(self, namespace: Mapping[str, Any] | None = None) -> None:
        self.size = Stops("batch size", 8, SIZES)
        self.again = Button("Draw other batches", self._other, "Draw as many batches of this size again")
        self._seed = 0
        self.seen: dict[int, float] = {}
        question = "Batches of 8 become batches of 32, four times as large. What becomes of the noise in their slopes?"
        answers = ["it stays the same", "it falls to a half", "it falls to a quarter", "it falls to a sixteenth"]
        super().__init__([[self.size, self.again]], namespace, Prediction(question, answers))

    def _other(self) -> None:
        self._seed += 1

    def came_out(self) -> str | None:
        """What four times the batch does, once both sizes were looked at."""
        if not {8, 32} <= self.seen.keys():
            return None
        return (
            f"From 8 to 32 the noise fell to {self.seen[32] / self.seen[8]:.2f} of what it was: about a half, for four "
            "times the work. Noise goes with one over the root of the batch size."
        )

    def scene_at_rest(self) -> Scene:
        with self.at_once():
            for size in SIZES:
                self.size.value = size
                self.scene()
            self.size.value = 32
        return self.scene()

    def scene(self) -> Scene:
        """The slopes of the batches, and the noise of the sizes looked at so far."""
        size = int(self.size.value)
        batches, notes = self._batches(size)
        along, sideways, off = batch_slopes(batches)
        self.seen[size] = noise(off)
        uphill = float(np.mean(along < 0))
        said = (
            f"{BATCHES} batches of {size}: a typical slope is off by {number(self.seen[size], 2)} times the length of "
            f"the slope of all 1,000 examples. "
        )
        said += f"{uphill:.0%} of them would lead uphill." if uphill else "None of them would lead uphill."
        alt = (
            "Left: one dot for the slope of each batch, around a star, the slope of all examples. Right: noise against "
            f"batch size, both on log scales, with a line that falls as one over the root. {said}"
        )
        return Scene(_panels(along, sideways, self.seen, size), alt, [said, *notes])

    def _batches(self, size: int) -> tuple[list[IntArray], list[str]]:
        own = self.own("minibatches")
        notes = []
        if own is not None:
            try:
                with self.limited("minibatches"):
                    return draw(own, size, self._seed), ["The batches are drawn by your own function."]
            except NotImplementedError:
                own = None
            except Exception as error:  # noqa: BLE001 - whatever a learner's code raises becomes a sentence
                stopped = f"{type(error).__name__}: {error}"[:200]
                notes.append(
                    f"Your minibatches stopped with {stopped}. The course's draws instead; its check, in Build, helps "
                    "you on."
                )
        if own is None:
            notes.append(
                "minibatches is not written yet, so the course's version draws. When yours is there, come back."
            )
        return draw(sgd_and_momentum.minibatches, size, self._seed), notes


def _panels(along: Array, sideways: Array, seen: Mapping[int, float], size: int) -> list[Panel]:
    dots: list[Mark] = [
        Line([-REACH, REACH], [0, 0], "grey", width=1),
        Line([0, 0], [-REACH, REACH], "grey", width=1),
        Points(sideways, along, "blue", f"batches of {size}", size=5),
        Points([0.0], [1.0], "black", "all 1,000 examples", size=14, marker="*"),
    ]
    sizes = sorted(seen)
    first = seen[sizes[0]] * np.sqrt(sizes[0])
    measured: list[Mark] = [
        Line([SIZES[0], SIZES[-1]], [first, first / np.sqrt(SIZES[-1])], "grey", "one over the root", width=1.2),
        Points(sizes, [seen[one] for one in sizes], "blue", size=7),
        Points([size], [seen[size]], "vermillion", size=11, marker="o"),
    ]
    return [
        Panel(
            dots,
            title="slopes, in lengths of the whole slope",
            xlabel="sideways",
            ylabel="along the slope of all",
            xlim=(-REACH, REACH),
            ylim=(-0.5, REACH),
            height=360,
        ),
        Panel(
            measured,
            title="noise of a batch's slope",
            xlabel="batch size",
            ylabel="noise (lengths of the slope)",
            xlim=(0.8, 640),
            ylim=(0.05, 10),
            xlog=True,
            ylog=True,
            height=360,
        ),
    ]
