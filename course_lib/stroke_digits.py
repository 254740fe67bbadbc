"""Digits that are written, not collected: strokes with a hand of their own, on 8 by 8 pixels, as many as you like.

    hands = [draw_hand(rng) for _ in range(4)]
    X, y = draw_digits(2000, rng, hands)

Each digit is a few strokes, given by corner points in a square from (0, 0), top left, to (1, 1), bottom right. A *hand*
moves these corners, once for all that it writes, so that two hands write two sevens. Each image then gets a position,
size, slant and rotation of its own, its strokes wobble, the pen is thin or thick, and the paper is noisy: so no image
comes twice, and the largest accuracy that anybody can reach lies below 100%.

The real digits of `course_lib.data` have the same size and the same range of values.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ._ranges import number, whole
from ._typing import Array, IntArray
from .data import Split
from .layers import check_generator

SIDE = 8
"""Pixels in a row, and rows in an image."""
POINTS = 32
"""Points along the strokes of a digit, at even distances."""
WOBBLES = 3
"""Waves in the strokes of an image, from slow to quick."""

_Strokes = tuple[tuple[tuple[float, float], ...], ...]
STROKES: tuple[_Strokes, ...] = (
    (((0.5, 0.05), (0.2, 0.2), (0.15, 0.55), (0.3, 0.9), (0.6, 0.95), (0.82, 0.7), (0.82, 0.3), (0.5, 0.05)),),
    (((0.3, 0.25), (0.55, 0.05), (0.52, 0.5), (0.5, 0.95)),),
    (((0.2, 0.25), (0.45, 0.05), (0.75, 0.2), (0.65, 0.5), (0.2, 0.92), (0.5, 0.9), (0.85, 0.92)),),
    (((0.2, 0.1), (0.6, 0.05), (0.75, 0.25), (0.45, 0.45), (0.78, 0.65), (0.65, 0.92), (0.2, 0.9)),),
    (((0.4, 0.05), (0.2, 0.55), (0.85, 0.6)), ((0.68, 0.3), (0.62, 0.95))),
    (((0.8, 0.08), (0.3, 0.1), (0.25, 0.45), (0.65, 0.42), (0.8, 0.7), (0.55, 0.95), (0.2, 0.85)),),
    (((0.7, 0.05), (0.35, 0.3), (0.2, 0.7), (0.45, 0.95), (0.75, 0.78), (0.6, 0.52), (0.25, 0.65)),),
    (((0.2, 0.1), (0.8, 0.08), (0.55, 0.5), (0.4, 0.95)),),
    (
        (
            (0.5, 0.48),
            (0.25, 0.25),
            (0.5, 0.05),
            (0.75, 0.25),
            (0.5, 0.48),
            (0.22, 0.72),
            (0.5, 0.95),
            (0.78, 0.72),
            (0.5, 0.48),
        ),
    ),
    (((0.75, 0.35), (0.45, 0.48), (0.28, 0.25), (0.5, 0.05), (0.75, 0.2), (0.72, 0.6), (0.5, 0.95)),),
)
"""The strokes of the digits 0 to 9: lines through corners (x, y)."""


@dataclass(frozen=True)
class Hand:
    """How one person writes the ten digits.

    Attributes:
        paths: points along the strokes of each digit, shape (10, POINTS, 2), x and y from about 0 to 1.
        slant: how far the top leans to the right of the bottom; 0 is upright.
    """

    paths: Array
    slant: float


def draw_hand(rng: np.random.Generator, freedom: float = 0.03) -> Hand:
    """Draw how somebody writes.

    Args:
        rng: where it is drawn from.
        freedom: standard deviation by which each corner of each stroke leaves its place, at least 0; the digits are
            about 1 high. With 0 every hand but for its slant is the same.

    Raises:
        ValueError, TypeError: a freedom that is no number of at least 0, or something else for `rng`.
    """
    check_generator(rng, "draw_hand")
    freedom = number("draw_hand", "freedom", freedom, at_least=0)
    paths = np.stack([_along([np.array(s) + freedom * rng.standard_normal((len(s), 2)) for s in d]) for d in STROKES])
    return Hand(paths, float(0.15 * rng.standard_normal()))


def _along(strokes: list[Array]) -> Array:
    """Points at even distances along strokes, shape (POINTS, 2); a longer stroke gets more of them."""
    pieces = [np.linalg.norm(np.diff(stroke, axis=0), axis=1) for stroke in strokes]
    lengths = np.array([piece.sum() for piece in pieces])
    ends = np.round(POINTS * np.cumsum(lengths) / lengths.sum()).astype(int)
    counts = np.diff(ends, prepend=0)
    found = []
    for stroke, piece, count in zip(strokes, pieces, counts, strict=True):
        at = np.concatenate([[0.0], np.cumsum(piece)])
        along = np.linspace(0, at[-1], count)
        found.append(np.stack([np.interp(along, at, stroke[:, axis]) for axis in (0, 1)], axis=1))
    return np.concatenate(found)


def draw_digits(
    n: int,
    rng: np.random.Generator,
    hands: Sequence[Hand] = (),
    *,
    noise: float = 0.12,
    spread: float = 1.0,
) -> tuple[Array, IntArray]:
    """Write `n` digits.

    Each image is by one of the hands, drawn at random. Its strokes are wobbled, turned (standard deviation 8 degrees),
    scaled (10%), slanted and shifted (half a pixel each way), all times `spread`; a pen of its own thickness leaves
    ink, and every pixel gets normal noise. Values are cut to 0 to 1.

    Args:
        n: how many, at least 1; every digit equally often, or once more than another.
        rng: where all of it is drawn from.
        hands: whose digits; a single one, drawn first from `rng`, when none are given.
        noise: standard deviation of the noise on each pixel, at least 0.
        spread: how much images of one digit differ, at least 0: 1 is as above, 0 is print.

    Returns:
        Pixels from 0 (paper) to 1 (ink), shape (n, 64), float32, row by row; and which digit each is, shape (n,).

    Raises:
        ValueError, TypeError: a number out of its range, or something else for `rng`.
    """
    n = whole("draw_digits", "n", n, at_least=1)
    check_generator(rng, "draw_digits")
    noise = number("draw_digits", "noise", noise, at_least=0)
    spread = number("draw_digits", "spread", spread, at_least=0)
    hands = list(hands) or [draw_hand(rng)]
    y: IntArray = rng.permutation(np.arange(n) % 10)
    at = _placed(hands, y, rng, spread)
    X = _inked(at, 0.055 + 0.02 * spread * rng.random((n, 1)))
    X += noise * rng.standard_normal(X.shape, dtype=np.float32)
    return np.clip(X, 0, 1, out=X), y


def draw_task(
    rng: np.random.Generator, *, examples: int = 600, held_out: int = 200, tests: int = 2000, hands: int = 4
) -> Split:
    """Digits to learn from, to choose by and to judge by, whose ten classes go by ten numbers in random order.

    The same hands wrote all three parts. A network that knows digits from elsewhere knows nothing of these names.

    Args:
        rng: where hands, names and images are drawn from.
        examples, held_out, tests: how many images to train, to validate and to test, at least 1 each.
        hands: how many people wrote them, at least 1.

    Raises:
        ValueError, TypeError: a number out of its range, or something else for `rng`.
    """
    sizes = {"examples": examples, "held_out": held_out, "tests": tests, "hands": hands}
    for name, size in sizes.items():
        whole("draw_task", name, size, at_least=1)
    writers = [draw_hand(rng) for _ in range(hands)]
    names = rng.permutation(10)
    X, digits = draw_digits(examples + held_out + tests, rng, writers)
    ends = [examples, examples + held_out]
    X_train, X_val, X_test = np.split(X, ends)
    y_train, y_val, y_test = np.split(names[digits], ends)
    return Split("strokes", X_train, y_train, X_val, y_val, X_test, y_test)


def _placed(hands: list[Hand], y: IntArray, rng: np.random.Generator, spread: float) -> Array:
    """The points of every image on the page, shape (n, POINTS, 2)."""
    n = len(y)
    whose = rng.integers(len(hands), size=n)
    at = np.stack([hand.paths for hand in hands])[whose, y] - 0.5
    along = np.linspace(0, np.pi, POINTS)
    waves = np.cos(np.arange(1, WOBBLES + 1)[:, None] * along)  # (WOBBLES, POINTS)
    at += spread * 0.02 * np.einsum("wp,nwx->npx", waves, rng.standard_normal((n, WOBBLES, 2)))
    turn = spread * np.radians(8) * rng.standard_normal(n)
    width, height = np.exp(spread * 0.1 * rng.standard_normal((2, n)))
    slant = np.array([hand.slant for hand in hands])[whose] + spread * 0.1 * rng.standard_normal(n)
    matrix = np.empty((n, 2, 2))  # (x, y) @ matrix: first slanted and scaled, then turned
    cos, sin = np.cos(turn), np.sin(turn)
    matrix[:, 0, 0], matrix[:, 0, 1] = width * cos, width * sin
    matrix[:, 1, 0], matrix[:, 1, 1] = -slant * cos - height * sin, -slant * sin + height * cos
    shift = spread * 0.5 / SIDE * rng.standard_normal((n, 1, 2))
    return np.asarray(0.5 + 0.72 * (at @ matrix) + shift)


def _inked(at: Array, pen: Array) -> Array:
    """Ink on every pixel, shape (n, 64): each point leaves a soft blot, and blots on one another saturate."""
    centres = (np.arange(SIDE) + 0.5) / SIDE
    reach = pen[:, None, :]
    across, down = (
        np.exp(-(((at[..., axis : axis + 1] - centres) / reach) ** 2) / 2).astype(np.float32) for axis in (0, 1)
    )
    blots = np.swapaxes(down, 1, 2) @ across  # (n, 8 rows, 8 columns)
    return np.asarray(1 - np.exp(-0.6 * blots)).reshape(len(at), SIDE * SIDE)
