"""What a case is, where its inputs come from, and how two answers are compared."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np


def largest(difference: np.ndarray) -> float:
    """The largest of these; infinite where one is not finite."""
    return float(np.where(np.isfinite(difference), difference, np.inf).max())


def relative(received: np.ndarray, expected: np.ndarray) -> float:
    """The largest relative difference over all numbers; infinite where one is not finite or the shapes differ."""
    if received.shape != expected.shape:
        return np.inf
    size = np.maximum(np.abs(expected), np.finfo(np.float64).tiny)
    with np.errstate(invalid="ignore"):
        return largest(np.abs(received - expected) / size)


def relative_or_equal(received: np.ndarray, expected: np.ndarray) -> float:
    """The same, where both may be infinite or NaN at the same places."""
    if received.shape != expected.shape:
        return np.inf
    finite = np.isfinite(expected)
    if not np.array_equal(received[~finite], expected[~finite], equal_nan=True):
        return np.inf
    return relative(received[finite], expected[finite]) if finite.any() else 0.0


def of_the_first(received: np.ndarray, expected: np.ndarray) -> float:
    """The largest difference over a whole schedule, in units of its first rate: a rate may end at 0."""
    if received.shape != expected.shape:
        return np.inf
    return largest(np.abs(received - expected) / np.abs(expected[0]))


def of_the_largest(received: np.ndarray, expected: np.ndarray) -> float:
    """The largest difference, in units of the largest number: for sums of which some cancel to nearly 0."""
    if received.shape != expected.shape:
        return np.inf
    with np.errstate(invalid="ignore"):
        return largest(np.abs(received - expected) / np.abs(expected).max())


@dataclass(frozen=True)
class Case:
    """One setting, computed both ways.

    Attributes:
        kind: the part of the table it stands in.
        name: what is set, unique.
        ours, theirs: the numbers of course_lib, and of PyTorch.
        bound: the largest difference allowed, as the numerical conventions have it.
        measure: takes ours and theirs; returns their difference.
        handed: whether `ours` is called with PyTorch's numbers, because they hold what PyTorch drew at random.
    """

    kind: str
    name: str
    ours: Callable[..., np.ndarray]
    theirs: Callable[[], np.ndarray]
    bound: float
    measure: Callable[[np.ndarray, np.ndarray], float] = relative
    handed: bool = False

    def difference(self, expected: np.ndarray) -> float:
        """How far our numbers are from these of PyTorch's."""
        return self.measure(self.ours(expected) if self.handed else self.ours(), expected)


def uniform(seed: int, *shape: int) -> np.ndarray:
    """Numbers from -1 to 1, the same with every version of NumPy."""
    bits = np.random.PCG64(seed).random_raw(int(np.prod(shape)))
    return ((bits >> np.uint64(11)) / 2.0**52 - 1.0).reshape(shape)


def title(name: str, options: dict[str, Any]) -> str:
    """A name and its options, as in "SGD lr=0.1 momentum=0.9"."""
    return " ".join([name, *(f"{key}={value}".replace(" ", "") for key, value in options.items())])
