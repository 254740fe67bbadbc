"""Data that comes with the course: real handwritten digits, fixed named splits, small generated sets.

The digits are 1,797 images of 8 by 8 pixels (UCI, Alpaydin and Kaynak 1998; licence in NOTICE). Nothing is downloaded.
"""

from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from ._typing import Array, IntArray
from .parameters import checked_dtype

SplitName = Literal["random", "writers"]


@dataclass(frozen=True)
class Digits:
    """Handwritten digits.

    Attributes:
        X: pixels from 0 (paper) to 1 (ink), shape (N, 64), row by row of the image.
        y: which digit, 0 to 9, shape (N,).
    """

    X: Array
    y: IntArray

    @property
    def images(self) -> Array:
        """The pixels as pictures, shape (N, 8, 8)."""
        return self.X.reshape(-1, 8, 8)

    def __len__(self) -> int:
        return len(self.y)

    def __repr__(self) -> str:
        return f"Digits: {len(self):,} images of 8 x 8 pixels from 0 to 1, {self.X.dtype}"


@dataclass(frozen=True)
class Split:
    """Examples to learn from, to choose by, and to judge by; no example is in two of them.

    Attributes:
        name: how the split was made.
        X_train, y_train: to learn from.
        X_val, y_val: to choose settings by.
        X_test, y_test: to look at once, at the end.
    """

    name: str
    X_train: Array
    y_train: IntArray
    X_val: Array
    y_val: IntArray
    X_test: Array
    y_test: IntArray

    def __repr__(self) -> str:
        sizes = f"{len(self.y_train):,} to train, {len(self.y_val):,} to validate, {len(self.y_test):,} to test"
        return f"Split {self.name!r}: {sizes}"


def load_digits(dtype: npt.DTypeLike = np.float64) -> Digits:
    """All 1,797 digits, in the order of the original file: one handwritten form after the other.

    Args:
        dtype: of the pixels, `np.float32` or `np.float64`.

    Returns:
        New arrays at every call, yours to change.
    """
    arrays = _digits_file()
    return Digits((arrays["pixels"] / 16.0).astype(checked_dtype(dtype)), arrays["labels"].astype(np.int64))


def digits_split(name: SplitName = "random", dtype: npt.DTypeLike = np.float64) -> Split:
    """The digits in three fixed parts, the same on every machine and every day.

    "random": images shuffled once; 1,000 to train, 397 to validate, 400 to test. The same hands wrote all three parts,
    so the test asks: how well are *known* writers read?

    "writers": cut between handwritten forms, so that no form is in two parts; 1,000 images (the first eight forms,
    without the last 29 images of the eighth), 386 (three forms) and 382 (three forms). The test asks: how well are
    *other* writers read? Accuracy is several points lower. The file does not name its writers; forms are recognised
    because each asks for the same digits in the same order. There are 14 forms and, by its description, 13 people.

    Args:
        name: "random" or "writers".
        dtype: of the pixels, `np.float32` or `np.float64`.

    Raises:
        ValueError: another name.
    """
    if name not in get_args(SplitName):
        raise ValueError(f"there is no split {name!r}; there are 'random' and 'writers'.")
    digits = load_digits(dtype)
    if name == "random":
        order = _digits_file()["random_order"].astype(np.int64)
        train, val, test = order[:1000], order[1000:1397], order[1397:]
    else:
        train, val, test = np.arange(1000), np.arange(1029, 1415), np.arange(1415, 1797)
    X, y = digits.X, digits.y
    return Split(name, X[train], y[train], X[val], y[val], X[test], y[test])


@cache
def _digits_file() -> dict[str, IntArray]:
    with (files("course_lib") / "_arrays" / "digits.npz").open("rb") as file, np.load(file) as arrays:
        return {name: arrays[name] for name in arrays.files}


def redraw_labels(y: IntArray, share: float, rng: np.random.Generator, classes: int | None = None) -> IntArray:
    """Label noise: draw the labels of a share of the examples afresh, evenly over all classes.

    One in `classes` of the new labels is the old one again, so somewhat fewer than `share` end up wrong.

    Args:
        y: labels from 0 to classes - 1, shape (N,); left as they are.
        share: which part is redrawn, from 0 to 1; exactly `round(share * N)` examples, chosen at random.
        rng: where choice and labels are drawn from.
        classes: how many classes there are; the largest label plus one when not given.

    Returns:
        New labels, shape (N,).

    Raises:
        ValueError: a share outside 0 to 1.
    """
    if not 0 <= share <= 1:
        raise ValueError(f"share is {share}; it must lie in 0 to 1, as in 0.2 for a fifth of the labels.")
    noisy = y.copy()
    chosen = rng.choice(len(y), size=round(share * len(y)), replace=False)
    noisy[chosen] = rng.integers(int(y.max()) + 1 if classes is None else classes, size=len(chosen))
    return noisy


def two_moons(n: int, noise: float, rng: np.random.Generator) -> tuple[Array, IntArray]:
    """Two half circles that reach into each other: no straight line separates them.

    Args:
        n: how many points, at least 2; half of them (rounded up) in class 0.
        noise: standard deviation added to both coordinates, at least 0; the circles have radius 1.
        rng: where positions and noise are drawn from.

    Returns:
        Points, shape (n, 2), float64, and classes 0 or 1, shape (n,), in random order.

    Raises:
        ValueError: n below 2 or negative noise.
    """
    _check_cloud(n, 2, noise)
    y = np.arange(n) % 2
    angle = np.pi * rng.random(n)
    side = np.where(y == 0, 1.0, -1.0)
    X = np.column_stack([0.5 - 0.5 * side + side * np.cos(angle), 0.25 - 0.25 * side + side * np.sin(angle)])
    return _shuffled(X + noise * rng.standard_normal(X.shape), y, rng)


def spirals(n: int, noise: float, rng: np.random.Generator, classes: int = 2) -> tuple[Array, IntArray]:
    """Arms wound around the origin, one and a quarter turns each, one class an arm.

    Args:
        n: how many points, at least `classes`; spread evenly over the arms.
        noise: standard deviation added to both coordinates, at least 0; the arms reach radius 1.
        rng: where positions and noise are drawn from.
        classes: how many arms, at least 2.

    Returns:
        Points, shape (n, 2), float64, and classes from 0 to classes - 1, shape (n,), in random order.

    Raises:
        ValueError: fewer than two classes, fewer points than classes, or negative noise.
    """
    if classes < 2:
        raise ValueError(f"classes is {classes}; it must be at least 2.")
    _check_cloud(n, classes, noise)
    y = np.arange(n) % classes
    radius = np.sqrt(rng.uniform(0.01, 1.0, n))
    angle = 2.5 * np.pi * radius + 2 * np.pi * y / classes
    X = radius[:, None] * np.column_stack([np.cos(angle), np.sin(angle)])
    return _shuffled(X + noise * rng.standard_normal(X.shape), y, rng)


def standardize(X_train: Array, *others: Array) -> tuple[Array, ...]:
    """Shift and scale every column to mean 0 and standard deviation 1, by the training examples alone.

    Validation and test examples are shifted and scaled by the *training* figures: their own would be information from
    the future. A column that is constant in training is shifted only.

    Args:
        X_train: examples to take the figures from, shape (N, D).
        others: more examples, each of shape (M, D).

    Returns:
        As many new arrays as were given, in their order: `X_train, X_test = standardize(X_train, X_test)`.

    Raises:
        ValueError: arrays with other numbers of columns, or fewer than two training examples.
    """
    if X_train.ndim != 2 or len(X_train) < 2:
        raise ValueError(f"X_train has shape {X_train.shape}; standardize needs (N, D) with N at least 2.")
    for X in others:
        if X.ndim != 2 or X.shape[1] != X_train.shape[1]:
            raise ValueError(f"X_train has shape {X_train.shape}, another array {X.shape}; both need the same columns.")
    mean, deviation = X_train.mean(axis=0), X_train.std(axis=0)
    deviation[X_train.min(axis=0) == X_train.max(axis=0)] = 1.0  # rounding may leave a little more than 0 there
    return tuple((X - mean) / deviation for X in (X_train, *others))


def _check_cloud(n: int, fewest: int, noise: float) -> None:
    if n < fewest:
        raise ValueError(f"n is {n}; it must be at least {fewest}, one point a class.")
    if not noise >= 0:
        raise ValueError(f"noise is {noise}; it must be at least 0, as in 0.1.")


def _shuffled(X: Array, y: IntArray, rng: np.random.Generator) -> tuple[Array, IntArray]:
    order = rng.permutation(len(y))
    return X[order], y[order]
