"""Lesson 00, practice that counts nothing: a slope, two links of the chain rule, a layer's product, sums along an axis.

Every group is worth 0, which makes the exercises practice. They are checked, and their mistakes recognised, like all
others. Shapes are those of the course: batch first, `W (D_in, D_out)`.
"""

from __future__ import annotations

from collections.abc import Callable
from inspect import cleandoc

import numpy as np

from course_lib._typing import Array
from course_lib.exercises.comparison import Tolerance
from course_lib.exercises.exercise import Exercise, Group, Misconception
from course_lib.exercises.programs import Case, Function, call

LESSON = "00_warm_up"
WITHHELD = (
    "stroke_digits",
    "clinic",
    "layers",
    "dropout",
    "batchnorm",
    "losses",
    "network",
    "graph",
    "gradcheck",
    "training",
    "sweep",
    "range_test",
    "nonfinite",
    "initializers",
    "explore",
)
"""Modules of course_lib that hold an equivalent of what this lesson asks, or import one that does."""

Curve = Callable[[float], float]


def _sized(rng: np.random.Generator, low: float = 0.5, high: float = 2.0) -> float:
    """A number of either sign that is neither small nor large."""
    return float(rng.choice([-1.0, 1.0]) * rng.uniform(low, high))


# slope ----------------------------------------------------------------------------------------------------------------


def slope(f: Curve, x: float, h: float) -> float:
    """The slope of `f` at `x`, by a central difference.

    (f(x + h) - f(x - h)) / (2 h), whose error is of the order h**2 (Nocedal and Wright, Numerical Optimization,
    section 8.1).

    Args:
        f: takes a number, returns a number.
        x: where.
        h: the step to either side, positive.
    """
    return (f(x + h) - f(x - h)) / (2 * h)


def _cubic(rng: np.random.Generator, scale: float = 1.0) -> Function:
    """A curve whose central difference is off by exactly a h**2."""
    return Function("cubic", {"a": float(rng.uniform(0.5, 1.5)) / scale**2, "b": _sized(rng)})


def _slope_case(f: Function, x: float, h: float, label: str) -> Case:
    return Case((call("slope", f=f, x=x, h=h),), label=label)


def _slope_ordinary(rng: np.random.Generator) -> list[Case]:
    wave = Function("wave", {"amplitude": _sized(rng), "frequency": float(rng.uniform(0.5, 1.5))})
    fourth = Function("polynomial", {"coefficients": rng.uniform(0.5, 1.5, 5)})
    return [
        _slope_case(_cubic(rng), _sized(rng), 0.1, "h = 0.1"),
        _slope_case(wave, _sized(rng), 0.25, "h = 0.25"),
        _slope_case(fourth, _sized(rng), 0.5, "h = 0.5"),
        _slope_case(_cubic(rng), _sized(rng), 0.001, "h = 0.001"),
    ]


def _slope_edge(rng: np.random.Generator) -> list[Case]:
    valley = Function("polynomial", {"coefficients": np.array([_sized(rng), 0.0, float(rng.uniform(0.5, 2.0))])})
    line = Function("polynomial", {"coefficients": np.array([_sized(rng), _sized(rng)])})
    flat = Function("cubic", {"a": 0.0, "b": 0.0})
    return [
        _slope_case(valley, 0.0, 0.125, "the floor of a valley"),
        _slope_case(line, _sized(rng), 0.5, "a straight line"),
        _slope_case(flat, _sized(rng), 0.1, "f is constant"),
    ]


def _slope_nasty(rng: np.random.Generator) -> list[Case]:
    return [
        _slope_case(_cubic(rng, scale), _sized(rng) * scale, h, f"x near {scale:.0e}, h = {h:g}")
        for scale, h in ((1e6, 1e3), (1e-6, 1e-8))
    ]


SLOPE = Exercise(
    name="slope",
    lesson=LESSON,
    question="Find the slope of f at x by a step of h to either side.",
    outputs=("the slope",),
    reference=slope,
    groups=(
        Group("ordinary", "Ordinary curves", 0, _slope_ordinary),
        Group("edge", "The floor of a valley, a line, a constant", 0, _slope_edge),
        Group("nasty", "Huge and tiny x", 0, _slope_nasty),
    ),
    misconceptions=(
        Misconception(
            "one_sided",
            "You step to the right only: from x to x + h. Step to the left as well; the two errors then cancel.",
            lambda f, x, h: (f(x + h) - f(x)) / h,
            "Take f(x) = x**2 at x = 3 with h = 0.5. One side: (12.25 - 9) / 0.5 = 6.5. Both sides: "
            "(12.25 - 6.25) / 1 = 6, the true slope.",
        ),
        Misconception(
            "left_sided",
            "You step to the left only: from x - h to x. Step to the right as well; the two errors then cancel.",
            lambda f, x, h: (f(x) - f(x - h)) / h,
        ),
        Misconception(
            "divided_by_h",
            "Twice the slope: from x - h to x + h it is 2 h to go, and you divide by h.",
            lambda f, x, h: (f(x + h) - f(x - h)) / h,
        ),
        Misconception(
            "precedence",
            "`... / 2 * h` divides by 2 and then multiplies by h. Put the 2 * h into brackets.",
            lambda f, x, h: (f(x + h) - f(x - h)) / 2 * h,
        ),
        Misconception(
            "rise_alone",
            "That is how far the curve rises. A slope is the rise divided by the way, which is 2 h.",
            lambda f, x, h: f(x + h) - f(x - h),
        ),
        Misconception(
            "sign_flipped",
            "The sign is the wrong way round: right minus left, f(x + h) - f(x - h).",
            lambda f, x, h: (f(x - h) - f(x + h)) / (2 * h),
        ),
        Misconception(
            "h_of_its_own",
            "Your step is fixed, whatever h says. Use the argument h.",
            lambda f, x, h: (f(x + 1e-5) - f(x - 1e-5)) / 2e-5,
        ),
    ),
    hints=(
        cleandoc("""
            Everything here is a single number (shape `()`): x, h, and what comes back.

            Take f(x) = x**2 at x = 3 with h = 0.5. To the right f(3.5) = 12.25, to the left f(2.5) = 6.25. The rise is
            6, the way from 2.5 to 3.5 is 1: the slope is 6 / 1 = 6.
            """),
        cleandoc("""
            Ask f twice: once h to the right of x, once h to the left. The rise is right minus left; the way is the
            distance between the two places. The slope is rise over way.
            """),
        cleandoc("""
            ```python
            rise = f(x + h) - f(____)
            way = ____
            return rise / way
            ```

            Why is the way not h?
            """),
    ),
    minutes=3,
    difficulty=1,
    tolerance=Tolerance(float64=(1e-6, 1e-7)),
)


# loss_and_slope -------------------------------------------------------------------------------------------------------


def loss_and_slope(w: float, x: float, t: float) -> tuple[float, float]:
    """The squared error of the model w * x against the target t, and its slope along w.

    Two steps, error = w x - t and loss = error**2; by the chain rule dloss/dw = 2 error * x (Rumelhart, Hinton and
    Williams 1986, for a single weight).

    Args:
        w, x, t: numbers: weight, input, target.

    Returns:
        The loss and the slope.
    """
    error = w * x - t
    return error**2, 2 * error * x


def _by_formula(w: float, x: float, t: float) -> tuple[float, float]:
    return w**2 * x**2 - 2 * w * x * t + t**2, 2 * w * x**2 - 2 * x * t


def _chain_case(w: float, x: float, t: float, label: str) -> Case:
    return Case((call("loss_and_slope", w=w, x=x, t=t),), label=label)


def _chain_ordinary(rng: np.random.Generator) -> list[Case]:
    # The input is longer than the weight, so that a slope along the one is never that along the other.
    numbers = [(_sized(rng, 0.5, 1.4), _sized(rng, 1.6, 3.0)) for _ in range(4)]
    return [_chain_case(w, x, w * x - _sized(rng, 0.6, 0.9), "none of them 0") for w, x in numbers]


def _chain_edge(rng: np.random.Generator) -> list[Case]:
    return [
        _chain_case(1.5, 2.0, 3.0, "the error is 0"),
        _chain_case(_sized(rng), 0.0, _sized(rng), "x = 0"),
        _chain_case(0.0, _sized(rng), _sized(rng), "w = 0"),
    ]


def _chain_nasty(rng: np.random.Generator) -> list[Case]:
    w, x = float(rng.uniform(1.0, 3.0)), float(rng.uniform(1.0, 9.0)) * 1e8
    return [
        _chain_case(w, x, w * x - 1.0, "large numbers, the error is about 1"),
        _chain_case(_sized(rng) * 1e-30, _sized(rng) * 1e60, _sized(rng) * 1e30, "numbers of very different sizes"),
    ]


LOSS_AND_SLOPE = Exercise(
    name="loss_and_slope",
    lesson=LESSON,
    question="Find the squared error of one weight, and its slope along the weight by the chain rule.",
    outputs=("loss", "slope"),
    reference=loss_and_slope,
    groups=(
        Group("ordinary", "Ordinary numbers", 0, _chain_ordinary),
        Group("edge", "Nothing wrong, x = 0, w = 0", 0, _chain_edge),
        Group("nasty", "Large numbers, small error", 0, _chain_nasty),
    ),
    misconceptions=(
        Misconception(
            "first_link_missing",
            "The slope is 2 error: that is how the loss moves with the error. Multiply by how the error moves with w.",
            lambda w, x, t: ((w * x - t) ** 2, 2 * (w * x - t)),
            "Two links: loss = error**2 has the slope 2 error along the error; error = w x - t has the slope x along "
            "w. The chain rule multiplies them.",
        ),
        Misconception(
            "without_the_two",
            "Half of it: the slope of error**2 along the error is 2 error, not error.",
            lambda w, x, t: ((w * x - t) ** 2, (w * x - t) * x),
        ),
        Misconception(
            "halved",
            "Loss and slope are both halved. Many books take error**2 / 2; here the loss is error**2.",
            lambda w, x, t: ((w * x - t) ** 2 / 2, (w * x - t) * x),
        ),
        Misconception(
            "along_x",
            "That is the slope along x, 2 error * w. Asked is the one along w: how does w x move when w moves?",
            lambda w, x, t: ((w * x - t) ** 2, 2 * (w * x - t) * w),
        ),
        Misconception(
            "sign_flipped",
            "The slope has the wrong sign. The error is w x - t; its square does not mind the order, its slope does.",
            lambda w, x, t: ((t - w * x) ** 2, 2 * (t - w * x) * x),
        ),
        Misconception(
            "not_squared",
            "The loss is the error itself. Square it, so that too much and too little both count.",
            lambda w, x, t: (w * x - t, 2 * (w * x - t) * x),
        ),
        Misconception(
            "times_the_output",
            "The last factor is w x. Along w the product w x has the slope x, without the w.",
            lambda w, x, t: ((w * x - t) ** 2, 2 * (w * x - t) * w * x),
        ),
        Misconception(
            "swapped",
            "Both numbers are right and change places: first the loss, then the slope.",
            lambda w, x, t: (2 * (w * x - t) * x, (w * x - t) ** 2),
        ),
        Misconception(
            "multiplied_out",
            "The square was multiplied out, w**2 x**2 - 2 w x t + t**2. On paper that is the same; with large numbers "
            "the small error drowns in rounding. Compute the error first, then square it.",
            _by_formula,
        ),
    ),
    hints=(
        cleandoc("""
            Everything here is a single number (shape `()`).

            Take w = 2, x = 3, t = 5. The error is 2 * 3 - 5 = 1, the loss 1. Let w grow by 0.01: w x grows by 0.03, so
            the error becomes 1.03 and the loss 1.0609, about 0.06 more. Slope: 0.06 / 0.01 = 6.
            """),
        cleandoc("""
            Two steps: error = w x - t, then loss = error**2. Each has its own slope: the error moves x times as fast as
            w, the loss moves 2 error times as fast as the error. One after the other: multiply.
            """),
        cleandoc("""
            ```python
            error = w * x - t
            loss = ____
            return loss, 2 * error * ____
            ```

            Why does t not appear in the last factor?
            """),
    ),
    minutes=3,
    difficulty=1,
)


# affine ---------------------------------------------------------------------------------------------------------------


def affine(X: Array, W: Array, b: Array) -> Array:
    """What a linear layer computes: X @ W + b.

    Args:
        X: examples in rows, shape (N, D_in).
        W: weights, shape (D_in, D_out).
        b: biases, shape (D_out,), added to every row.

    Returns:
        Shape (N, D_out).
    """
    return X @ W + b


def _affine_case(
    rng: np.random.Generator, shape: tuple[int, int, int], label: str, dtype: type = np.float64, scale: float = 1.0
) -> Case:
    n, d_in, d_out = shape
    X, W, b = (rng.normal(size=size).astype(dtype) * dtype(scale) for size in ((n, d_in), (d_in, d_out), (d_out,)))
    return Case((call("affine", X=X, W=W, b=b),), label=label)


def _affine_ordinary(rng: np.random.Generator) -> list[Case]:
    shapes = ((4, 3, 2), (2, 5, 4), (3, 3, 3))
    return [_affine_case(rng, shape, f"N = {shape[0]}, D_in = {shape[1]}, D_out = {shape[2]}") for shape in shapes]


def _affine_edge(rng: np.random.Generator) -> list[Case]:
    zeros = Case((call("affine", X=rng.normal(size=(3, 2)), W=np.zeros((2, 4)), b=rng.normal(size=4)),), label="W is 0")
    return [
        _affine_case(rng, (1, 4, 3), "one example"),
        _affine_case(rng, (4, 3, 1), "one output"),
        _affine_case(rng, (3, 1, 2), "one input"),
        zeros,
    ]


def _affine_nasty(rng: np.random.Generator) -> list[Case]:
    return [
        _affine_case(rng, (4, 3, 2), "float32", np.float32),
        _affine_case(rng, (3, 4, 2), "numbers near 1e+100", scale=1e100),
        _affine_case(rng, (3, 4, 2), "numbers near 1e-100", scale=1e-100),
    ]


AFFINE = Exercise(
    name="affine",
    lesson=LESSON,
    question="Multiply a batch by the weights and add the biases: what every linear layer does.",
    outputs=("result",),
    reference=affine,
    groups=(
        Group("ordinary", "Ordinary batches", 0, _affine_ordinary),
        Group("edge", "One example, one output, one input", 0, _affine_edge),
        Group("nasty", "float32, huge, tiny", 0, _affine_nasty),
    ),
    misconceptions=(
        Misconception(
            "elementwise",
            "`*` multiplies entry by entry, and needs equal shapes. The matrix product is `@`.",
            lambda X, W, b: X * W + b,
            "Compare the shapes: `X * W` wants two of the same shape; `X @ W` turns (4, 3) and (3, 2) into (4, 2).",
        ),
        Misconception(
            "transposed",
            "W is turned over. Here it is stored as (D_in, D_out), so `X @ W` fits as it stands. (PyTorch stores it "
            "the other way round.)",
            lambda X, W, b: X @ W.T + b,
        ),
        Misconception(
            "order",
            "The factors change places: the batch stands on the left, `X @ W`.",
            lambda X, W, b: W @ X + b,
        ),
        Misconception(
            "no_bias",
            "The bias is missing: add b, one number for each output, to every row.",
            lambda X, W, b: X @ W,
        ),
        Misconception(
            "bias_by_row",
            "b goes down the rows, one number for each example. It belongs to the outputs: `+ b` adds it to every row.",
            lambda X, W, b: X @ W + b[:, None],
        ),
        Misconception(
            "bias_first",
            "b is added before the product, so it is multiplied by W as well. First `X @ W`, then `+ b`.",
            lambda X, W, b: (X + b) @ W,
        ),
        Misconception(
            "result_turned",
            "The result is turned over. Examples stay in rows: shape (N, D_out).",
            lambda X, W, b: (X @ W + b).T,
        ),
    ),
    hints=(
        cleandoc("""
            Take X of shape (1, 2), W of shape (2, 3) and b of shape (3,): X = [[1, 2]], W = [[1, 0, 2], [3, 1, 0]],
            b = [10, 20, 30].

            First output: 1 * 1 + 2 * 3 + 10 = 17. Second: 1 * 0 + 2 * 1 + 20 = 22. Third: 1 * 2 + 2 * 0 + 30 = 32.
            So [[17, 22, 32]], shape (1, 3).
            """),
        cleandoc("""
            Each row of X meets each column of W: multiply entry by entry and add up. That is the matrix product,
            written with an @. Afterwards b, one number for each output, is added to every row; NumPy does that by
            itself.
            """),
        cleandoc("""
            ```python
            products = X ____ W
            return products + ____
            ```

            Why may b have the shape (D_out,), when the products have (N, D_out)?
            """),
    ),
    minutes=2,
    difficulty=1,
)


# row_shares -----------------------------------------------------------------------------------------------------------


def row_shares(X: Array) -> Array:
    """Every row divided by its own sum.

    Args:
        X: numbers from 0 up, with something in every row, shape (N, D).

    Returns:
        Shape (N, D); every row adds up to 1.
    """
    shares: Array = X / X.sum(axis=1, keepdims=True)
    return shares


def _softmax(X: Array) -> Array:
    powers = np.exp(X)
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def _shares_case(X: Array, label: str) -> Case:
    return Case((call("row_shares", X=X),), label=label)


def _shares_ordinary(rng: np.random.Generator) -> list[Case]:
    shapes = ((4, 3), (2, 5), (3, 3))
    return [_shares_case(rng.uniform(0.5, 5.0, shape), f"shape {shape}") for shape in shapes]


def _shares_edge(rng: np.random.Generator) -> list[Case]:
    sparse = np.zeros((3, 4))
    sparse[np.arange(3), rng.integers(0, 4, 3)] = rng.uniform(1.0, 5.0, 3)
    return [
        _shares_case(rng.uniform(0.5, 5.0, (1, 4)), "one row"),
        _shares_case(rng.uniform(0.5, 5.0, (4, 1)), "one column"),
        _shares_case(sparse, "one number a row, the rest 0"),
    ]


def _shares_nasty(rng: np.random.Generator) -> list[Case]:
    sizes = np.array([[1e-200], [1.0], [1e200]])
    return [
        _shares_case(rng.uniform(0.5, 5.0, (3, 4)).astype(np.float32), "float32"),
        _shares_case(rng.uniform(0.5, 5.0, (3, 4)) * sizes, "rows of very different sizes"),
    ]


ROW_SHARES = Exercise(
    name="row_shares",
    lesson=LESSON,
    question="Divide every row by its own sum, so that each adds up to 1.",
    outputs=("shares",),
    reference=row_shares,
    groups=(
        Group("ordinary", "Ordinary tables", 0, _shares_ordinary),
        Group("edge", "One row, one column, zeros", 0, _shares_edge),
        Group("nasty", "float32, rows of very different sizes", 0, _shares_nasty),
    ),
    misconceptions=(
        Misconception(
            "no_keepdims",
            "The sums have the shape (N,), and NumPy lays them along the columns: an error in most shapes, and a "
            "silent mistake in a square. Keep the axis: `keepdims=True` gives (N, 1).",
            lambda X: X / X.sum(axis=1),
            "A shape (N, D) divided by a shape (N,): NumPy compares the last axes, D with N. With shape (N, 1) each "
            "row gets its own sum.",
        ),
        Misconception(
            "columns",
            "Your columns add up to 1. `axis=0` adds down the rows and leaves one sum for each column; asked are rows.",
            lambda X: X / X.sum(axis=0),
            "The axis that you name is the one that disappears. From (N, D), `axis=0` leaves (D,), and `axis=1` leaves "
            "(N,): one sum a row.",
        ),
        Misconception(
            "whole_table",
            "The whole table adds up to 1: `sum()` without an axis adds everything. Each row needs its own sum.",
            lambda X: X / X.sum(),
        ),
        Misconception(
            "by_the_largest",
            "Each row is divided by its largest number. Divide by its sum.",
            lambda X: X / X.max(axis=1, keepdims=True),
        ),
        Misconception(
            "by_the_mean",
            "Each row is divided by its mean, so it adds up to D. Divide by its sum.",
            lambda X: X / X.mean(axis=1, keepdims=True),
        ),
        Misconception(
            "in_percent",
            "These are percentages; each row adds up to 100. Asked are shares, which add up to 1.",
            lambda X: 100 * X / X.sum(axis=1, keepdims=True),
        ),
        Misconception(
            "exponentials",
            "This is softmax, which takes exp first. You will meet it in lesson 01; here take the numbers as they are.",
            _softmax,
        ),
        Misconception(
            "sums_alone",
            "Those are the sums. Divide X by them, and return a table of the shape of X.",
            lambda X: X.sum(axis=1),
        ),
    ),
    hints=(
        cleandoc("""
            Take X = [[1, 3], [3, 2]], shape (2, 2). The rows add up to 4 and 5, so you return
            [[0.25, 0.75], [0.6, 0.4]].

            The sums must have the shape (2, 1), [[4], [5]]: one for each row, in a column.
            """),
        cleandoc("""
            Add along the axis that should disappear: axis 0 runs down the rows, axis 1 along a row. Keep it as an axis
            of length 1, so that a division meets every entry of a row with that row's sum.
            """),
        cleandoc("""
            ```python
            sums = X.sum(axis=____, keepdims=____)
            return X / sums
            ```

            What is the shape of `sums`, and what would it be without keepdims?
            """),
    ),
    minutes=2,
    difficulty=1,
)


EXERCISES = (SLOPE, LOSS_AND_SLOPE, AFFINE, ROW_SHARES)
"""All of the lesson, in the order of its notebook."""
