"""Lesson 05: a fair split, penalties on large weights with their gradients, L1's proximal step, and early stopping.

A penalty takes an array of weights of any shape and a strength, and returns its value with its gradient. Which examples
share a part of a split is random: splits are judged by properties, not by one right answer.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from inspect import cleandoc
from typing import Any

import numpy as np

from course_lib._typing import Array, IntArray
from course_lib.exercises.exercise import Exercise, Group, Misconception
from course_lib.exercises.programs import Case, RandomGenerator, Result, Step, attribute, call, method

LESSON = "05_weight_penalties"
WITHHELD = (
    "regularizers",
    "early_stopping",
    "schedulers",
    "training",
    "sweep",
    "optimizers",
    "modern_optimizers",
    "gradcheck",
    "graph",
    "range_test",
    "explore",
)
"""Modules of course_lib that hold an equivalent of what this lesson asks, or part of one."""

Penalty = Callable[[Array, float], tuple[float, Array]]


def _away_from_zero(rng: np.random.Generator, shape: tuple[int, ...], low: float = 0.5, high: float = 2.0) -> Array:
    """Numbers of either sign, at least `low` from zero: no entry hides a mistake by being nearly 0."""
    signs: Array = rng.choice([-1.0, 1.0], shape)
    return rng.uniform(low, high, shape) * signs


def _strength(rng: np.random.Generator) -> float:
    """A strength whose square, half and inverse are all different numbers."""
    return float(rng.uniform(0.1, 0.4))


# split_indices --------------------------------------------------------------------------------------------------------


def split_indices(n: int, sizes: Sequence[int], rng: np.random.Generator) -> tuple[IntArray, ...]:
    """Disjoint random sets of the indices 0 to n - 1, one of each size.

    Source: Hastie, Tibshirani and Friedman (2009), The Elements of Statistical Learning, section 7.2.

    Args:
        n: how many examples there are.
        sizes: how many go into each part; together at most n. Those left over are in no part.
        rng: where the order is drawn from.

    Returns:
        One index array a size, in the order of the sizes.
    """
    order = rng.permutation(n)
    parts, start = [], 0
    for size in sizes:
        parts.append(order[start : start + size])
        start += size
    return tuple(parts)


def split_is_wrong(case: Case, value: Any) -> str | None:
    """What is wrong with the parts of one call, or of several calls with generators of their own; None if nothing."""
    values = value if len(case.answer) > 1 else (value,)
    calls = [case.steps[index].arguments for index in case.answer]
    for given, parts in zip(calls, values, strict=True):
        sentence = _not_disjoint(parts, given["n"], given["sizes"]) or _not_shuffled(parts, given["n"])
        if sentence is not None:
            return sentence
    return _not_drawn_from_rng(calls, values) if len(calls) > 1 else None


def _not_disjoint(parts: Any, n: int, sizes: Sequence[int]) -> str | None:
    if not isinstance(parts, list | tuple):
        return "Return a tuple of index arrays, one array a part."
    for number, part in enumerate(parts):
        if not isinstance(part, np.ndarray) or part.ndim != 1 or part.dtype.kind not in "iu":
            return f"Part {number} should be an array of whole numbers with one axis, such as [7, 0, 3]."
    found = [len(part) for part in parts]
    if found != list(sizes):
        return f"With n = {n} there should be parts of the sizes {list(sizes)}; yours have the sizes {found}."
    everything = np.concatenate(parts)
    if everything.min() < 0 or everything.max() >= n:
        return f"Index {everything.min() if everything.min() < 0 else everything.max()} is outside 0 to {n - 1}."
    for i, part in enumerate(parts):
        if len(np.unique(part)) < len(part):
            return f"Part {i} holds an example twice: draw without putting back."
        for j, other in enumerate(parts[:i]):
            shared = np.intersect1d(part, other)
            if len(shared):
                return (
                    f"Index {shared[0]} is in part {j} and in part {i}: an example that trains must not test. No "
                    "example may be in two parts."
                )
    return None


def _not_shuffled(parts: Sequence[IntArray], n: int) -> str | None:
    """For parts so large that chance does not make them runs of neighbours."""
    for number, part in enumerate(parts):
        if len(part) >= 10 and len(part) <= n - 10 and np.ptp(part) == len(part) - 1:
            return (
                f"Part {number} is the run {part.min()} to {part.max()}, as the examples stand in the file: nothing was"
                " shuffled."
            )
    return None


def _not_drawn_from_rng(calls: list[dict[str, Any]], values: tuple[Any, ...]) -> str | None:
    """For several calls alike but for the seed: equal seeds come first and second, the others are all different."""
    first, again, *others = values
    if not _same(first, again):
        return (
            "Two generators of one seed gave different splits: draw from the `rng` you are given, not from `np.random`."
        )
    if all(_same(first, other) for other in others):
        return (
            "Generators of different seeds gave the same split: draw from the `rng` you are given, not from your own."
        )
    if len(values) < _DRAWS:
        return None
    n = calls[0]["n"]
    for number in range(len(first)):
        if len({int(i) for parts in values for i in parts[number]}) < n:
            return f"In {len(values)} splits of n = {n} some example never came into part {number}: shuffle them all."
    return None


def _same(some: Any, others: Any) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(some, others, strict=True))


_DRAWS = 150  # of four examples; an honest split misses one in a part of one example once in 10**18 checks


def _cut(order: Any, sizes: Sequence[int], more: int = 0) -> tuple[Any, ...]:
    ends = np.cumsum(sizes)
    return tuple(order[end - size : end + more] for size, end in zip(sizes, ends, strict=True))


def _sizes_as_ends(n: int, sizes: Sequence[int], rng: np.random.Generator) -> tuple[Any, ...]:
    order, starts = rng.permutation(n), (0, *sizes[:-1])
    return tuple(order[start:end] for start, end in zip(starts, sizes, strict=True))


def _last_part_fixed(n: int, sizes: Sequence[int], rng: np.random.Generator) -> tuple[Any, ...]:
    """The test examples are always the last ones in the file; only the others are shuffled."""
    return (*_cut(rng.permutation(n - sizes[-1]), sizes[:-1]), np.arange(n - sizes[-1], n))


def _split_call(n: int, sizes: tuple[int, ...], seed: int) -> Step:
    return call("split_indices", n=n, sizes=sizes, rng=RandomGenerator(seed))


def _split(rng: np.random.Generator, n: int, sizes: tuple[int, ...], label: str = "") -> Case:
    return Case((_split_call(n, sizes, int(rng.integers(2**31))),), label=label or f"n = {n}, sizes = {sizes}")


def _splits(rng: np.random.Generator, n: int, sizes: tuple[int, ...], calls: int, label: str) -> Case:
    """Several splits: the first two from generators of one seed, each other from one of its own."""
    seeds = [int(rng.integers(2**31)) for _ in range(calls - 1)]
    steps = tuple(_split_call(n, sizes, seed) for seed in (seeds[0], *seeds))
    return Case(steps, tuple(range(len(steps))), label)


def _split_ordinary(rng: np.random.Generator) -> list[Case]:
    some = int(rng.integers(20, 40))
    return [
        _split(rng, 100, (60, 20, 20)),
        _split(rng, 50 + some, (50, some)),
        _split(rng, 80, (15, 30, 20, 15)),
        _splits(rng, 40, (20, 20), 4, "four splits of n = 40 into halves"),
    ]


def _split_edge(rng: np.random.Generator) -> list[Case]:
    return [
        _split(rng, 100, (30, 20), "fewer asked for than there are: n = 100, sizes = (30, 20)"),
        _split(rng, 60, (10, 12, 15)),
        _split(rng, 30, (30,), "one part of all"),
        _split(rng, 20, (15, 0, 5), "an empty part in the middle"),
        _split(rng, 1, (1,)),
    ]


def _split_nasty(rng: np.random.Generator) -> list[Case]:
    return [
        _split(rng, 70_000, (40_000, 20_000, 10_000)),  # more than 16 bits can count
        _splits(rng, 4, (2, 1, 1), _DRAWS, f"{_DRAWS} splits of n = 4 into (2, 1, 1)"),
    ]


SPLIT_INDICES = Exercise(
    name="split_indices",
    lesson=LESSON,
    question="Draw disjoint random parts of the indices 0 to n - 1, one part of each size.",
    outputs=("parts",),
    reference=split_indices,
    groups=(
        Group("ordinary", "Parts that use up everything", 3, _split_ordinary, split_is_wrong),
        Group("edge", "Some left over, an empty part, one part", 1, _split_edge, split_is_wrong),
        Group("nasty", "Many examples, many splits", 1, _split_nasty, split_is_wrong),
    ),
    misconceptions=(
        Misconception(
            "not_shuffled",
            "The parts are slices of 0, 1, 2, ...: nothing was shuffled. Files are often sorted, by class or by "
            "writer. Cut the slices from `rng.permutation(n)`.",
            lambda n, sizes, _rng: _cut(np.arange(n), sizes),
            "Say a file holds all zeros first, then all ones. What would the test part of your split hold?",
        ),
        Misconception(
            "each_part_drawn_afresh",
            "Every part is drawn from all examples, so training and test share some. Draw one order of all indices, "
            "once, and cut it.",
            lambda n, sizes, rng: tuple(rng.permutation(n)[:size] for size in sizes),
            "Count how often your code calls `rng`. Two draws know nothing of each other; one permutation, cut in "
            "pieces, cannot hand out an example twice.",
        ),
        Misconception(
            "chosen_afresh",
            "Every part is chosen from all examples with `rng.choice`, so training and test share some. Draw one "
            "order of all indices, once, and cut it.",
            lambda n, sizes, rng: tuple(rng.choice(n, size, replace=False) for size in sizes),
        ),
        Misconception(
            "with_replacement",
            "Indices are drawn with putting back, as `rng.integers` does it: some come twice, others never. Use "
            "`rng.permutation(n)`.",
            lambda n, sizes, rng: tuple(rng.integers(n, size=size) for size in sizes),
            "Deal cards, do not throw dice: in one part an example must not come twice.",
        ),
        Misconception(
            "sizes_taken_for_places",
            "The sizes are used as places to cut at. The second part does not end at `sizes[1]`, but at `sizes[0] + "
            "sizes[1]`: add them up as you go.",
            lambda n, sizes, rng: (lambda order: tuple(np.split(order, sizes[:-1])))(rng.permutation(n)),
            "sizes = (60, 20, 20): the cuts are at 60 and 80. `np.cumsum(sizes)` gives 60, 80, 100.",
        ),
        Misconception(
            "sizes_taken_for_ends",
            "Each size is used as the place where its part ends. A part ends `size` further than it begins: "
            "`order[start : start + size]`, and the next one starts there.",
            _sizes_as_ends,
            "sizes = (60, 20, 20): the parts are 0 to 60, 60 to 80 and 80 to 100. `order[60:20]` is empty.",
        ),
        Misconception(
            "every_part_from_the_start",
            "Every part begins at the start of the order, so the same examples are in all parts. The next part begins "
            "where the last one ended.",
            lambda n, sizes, rng: (lambda order: tuple(order[:size] for size in sizes))(rng.permutation(n)),
        ),
        Misconception(
            "neighbours_overlap",
            "Each part takes one example too many, the first of the next: a slice ends *before* its second number.",
            lambda n, sizes, rng: (
                lambda order: tuple(
                    order[end - size : end + 1] for size, end in zip(sizes, np.cumsum(sizes), strict=True)
                )
            )(rng.permutation(n)),
        ),
        Misconception(
            "rest_in_last_part",
            "The last part takes everything that is left. It should have its own size; examples left over are in no "
            "part.",
            lambda n, sizes, rng: tuple(np.split(rng.permutation(n), np.cumsum(sizes)[:-1])),
            "n = 100, sizes = (30, 20): the second part has 20 entries, not 70. Where does its slice end?",
        ),
        Misconception(
            "rest_as_one_more_part",
            "There is one part more than sizes: `np.split` at every number of `np.cumsum(sizes)` also returns what "
            "stands behind the last cut.",
            lambda n, sizes, rng: tuple(np.split(rng.permutation(n), np.cumsum(sizes))),
            "Three sizes, three parts. Drop what is left over: `[:len(sizes)]`.",
        ),
        Misconception(
            "last_part_fixed",
            "The last part always holds the last examples of the file; only the others are shuffled. Shuffle all of "
            "them, then cut.",
            _last_part_fixed,
        ),
        Misconception(
            "own_generator",
            "A generator of your own, with a fixed seed, draws the order, so every split is the same. Use the `rng` "
            "you are given.",
            lambda n, sizes, _rng: _cut(np.random.default_rng(0).permutation(n), sizes),
        ),
        Misconception(
            "masks_returned",
            "The parts are arrays of True and False. Asked for are the indices: `np.flatnonzero(mask)` turns one into "
            "the other.",
            lambda n, sizes, rng: tuple(np.isin(np.arange(n), part) for part in _cut(rng.permutation(n), sizes)),
        ),
    ),
    hints=(
        cleandoc("""
            Take n = 6 and sizes = (3, 2). Say `rng.permutation(6)` gives [4, 0, 5, 2, 1, 3], shape (6,).

            The first part is [4, 0, 5], shape (3,); the second begins where the first ended: [2, 1], shape (2,). Index
            3 is left over and in no part. Return the two arrays as a tuple.
            """),
        cleandoc("""
            Shuffle all indices once. Then cut the shuffled row into pieces, one after the other: each piece begins
            where the one before ended and has its own size. Because every index stands in the row exactly
            once, no two pieces can share one.
            """),
        cleandoc("""
            ```python
            order = rng.permutation(n)
            parts, start = [], 0
            for size in sizes:
                parts.append(order[start : ____])
                start = ____
            return tuple(parts)
            ```

            Why is one permutation for all parts safer than one for each?
            """),
    ),
    minutes=6,
    difficulty=2,
)


# Penalties ------------------------------------------------------------------------------------------------------------


def l2_penalty(W: Array, lam: float) -> tuple[float, Array]:
    """The L2 penalty and its gradient: lam / 2 * sum(W**2), and lam * W.

    Source: Krogh and Hertz (1992), A Simple Weight Decay Can Improve Generalization, equation 2.

    Args:
        W: weights, any shape.
        lam: strength, at least 0.

    Returns:
        The value, a number at least 0, and its gradient with respect to W, shape of W.
    """
    return float(lam / 2 * np.sum(W * W)), lam * W


def l1_penalty(W: Array, lam: float) -> tuple[float, Array]:
    """The L1 penalty and a subgradient: lam * sum(|W|), and lam * sign(W) with sign(0) = 0.

    Source: Tibshirani (1996), Regression Shrinkage and Selection via the Lasso.

    Args:
        W: weights, any shape.
        lam: strength, at least 0.

    Returns:
        The value, a number at least 0, and the subgradient with respect to W, shape of W.
    """
    return float(lam * np.sum(np.abs(W))), lam * np.sign(W)


def elastic_net_penalty(W: Array, lam: float, l1_ratio: float) -> tuple[float, Array]:
    """The elastic net and its gradient: lam * (l1_ratio * sum(|W|) + (1 - l1_ratio) / 2 * sum(W**2)).

    Source: Zou and Hastie (2005), Regularization and variable selection via the elastic net, in the form of Friedman,
    Hastie and Tibshirani (2010), equation 3.

    Args:
        W: weights, any shape.
        lam: strength, at least 0.
        l1_ratio: the share of L1, from 0 to 1.

    Returns:
        The value, a number at least 0, and the (sub)gradient with respect to W, shape of W.
    """
    value = l1_ratio * np.sum(np.abs(W)) + (1 - l1_ratio) / 2 * np.sum(W * W)
    return float(lam * value), lam * (l1_ratio * np.sign(W) + (1 - l1_ratio) * W)


def soft_threshold(w: Array, amount: float) -> Array:
    """Every number moved towards zero by `amount`, and no further than zero: sign(w) * max(|w| - amount, 0).

    Source: Parikh and Boyd (2014), Proximal Algorithms, section 6.5.2.

    Args:
        w: numbers, any shape.
        amount: how far, at least 0.

    Returns:
        A new array, shape of w.
    """
    moved: Array = np.sign(w) * np.maximum(np.abs(w) - amount, 0)
    return moved


def _pair(value: Callable[[Array, float], Any], grad: Callable[[Array, float], Any]) -> Callable[[Array, float], Any]:
    return lambda W, lam: (value(W, lam), grad(W, lam))


def _l2_with(
    value: Callable[[Array, float], Any] = lambda W, lam: lam / 2 * np.sum(W * W),
    grad: Callable[[Array, float], Any] = lambda W, lam: lam * W,
) -> Callable[[Array, float], Any]:
    return _pair(value, grad)


def _l1_with(
    value: Callable[[Array, float], Any] = lambda W, lam: lam * np.sum(np.abs(W)),
    grad: Callable[[Array, float], Any] = lambda W, lam: lam * np.sign(W),
) -> Callable[[Array, float], Any]:
    return _pair(value, grad)


def _decayed_in_place(W: Array, lam: float) -> tuple[float, Array]:
    value = float(lam / 2 * np.sum(W * W))
    W *= lam
    return value, W


def _without_first_row(W: Array) -> Array:
    kept = W.copy()
    kept[0] = 0
    return kept


def _signs_where_not_negative(W: Array) -> Array:
    return np.where(W >= 0, 1.0, -1.0).astype(W.dtype)


def _divided_by_size(W: Array) -> Array:
    with np.errstate(all="ignore"):
        return W / np.abs(W)


def _penalty_cases(name: str, more: Callable[[np.random.Generator], dict[str, Any]]) -> tuple[Any, Any, Any]:
    """Ordinary, edge and nasty cases of a penalty; `more` draws what it takes beside W and lam."""

    def case(rng: np.random.Generator, W: Array, label: str, lam: float | None = None) -> Case:
        strength = _strength(rng) if lam is None else lam
        return Case((call(name, W=W, lam=strength, **more(rng)),), label=label)

    def drawn(rng: np.random.Generator, *shape: int) -> Case:
        return case(rng, _away_from_zero(rng, shape), f"W of shape {shape}")

    def ordinary(rng: np.random.Generator) -> list[Case]:
        below, above = (_away_from_zero(rng, (3, 4)) for _ in range(2))
        return [
            case(rng, -np.sign(below.sum()) * below, "W of shape (3, 4), its sum below 0"),
            case(rng, np.sign(above.sum()) * above, "W of shape (3, 4), its sum above 0"),
            *(drawn(rng, *shape) for shape in ((4, 4), (5, 2), (6,))),
        ]

    def edge(rng: np.random.Generator) -> list[Case]:
        holes = _away_from_zero(rng, (4, 3))
        holes[rng.permutation(4)[:2], rng.permutation(3)[:2]] = 0.0
        return [
            drawn(rng, 1, 5),
            drawn(rng, 2, 3, 2),
            drawn(rng, 1),
            case(rng, holes, "some weights exactly 0"),
            case(rng, _away_from_zero(rng, (3, 2)), "lam = 0", 0.0),
            case(rng, np.zeros((2, 3)), "all weights 0"),
        ]

    def nasty(rng: np.random.Generator) -> list[Case]:
        scales = np.array([1e3, 1.0, 1e-3])
        return [
            case(rng, _away_from_zero(rng, (4, 3)) * scales, "columns a million apart in size"),
            case(rng, _away_from_zero(rng, (3, 3)) * 1e120, "weights near 1e120"),
            case(rng, _away_from_zero(rng, (3, 3)) * 1e-120, "weights near 1e-120"),
            case(rng, _away_from_zero(rng, (3, 2)), "lam = 250", 250.0),
            case(rng, _away_from_zero(rng, (4, 5)).astype(np.float32), "float32"),
        ]

    return ordinary, edge, nasty


def _penalty_groups(
    name: str, more: Callable[[np.random.Generator], dict[str, Any]] = lambda _rng: {}
) -> tuple[Group, ...]:
    ordinary, edge, nasty = _penalty_cases(name, more)
    return (
        Group("ordinary", "Ordinary weights", 3, ordinary),
        Group("edge", "Zeros, one row, three axes", 1, edge),
        Group("nasty", "Huge, tiny, float32", 1, nasty),
    )


L2_PENALTY = Exercise(
    name="l2_penalty",
    lesson=LESSON,
    question="Return lam / 2 times the sum of all squared weights, and its gradient.",
    outputs=("value", "grad"),
    reference=l2_penalty,
    groups=_penalty_groups("l2_penalty"),
    misconceptions=(
        Misconception(
            "no_half",
            "Value and gradient are both twice too large: this is lam * sum(W**2), which other books use. Here there "
            "is a half: lam / 2 * sum(W**2), with the gradient lam * W.",
            _l2_with(lambda W, lam: lam * np.sum(W * W), lambda W, lam: 2 * lam * W),
            "Both conventions are in use, and a lam that is right for one is off by 2 for the other. Read the formula "
            "again: `lam / 2`.",
        ),
        Misconception(
            "value_without_half",
            "The gradient is right, the value is twice too large: the half is missing. It is there so that the slope "
            "of the square, which brings a 2, comes out as lam * W.",
            _l2_with(value=lambda W, lam: lam * np.sum(W * W)),
        ),
        Misconception(
            "gradient_doubled",
            "The value is right, the gradient is twice too large. The slope of w**2 is 2w; the half takes the 2 away.",
            _l2_with(grad=lambda W, lam: 2 * lam * W),
            "One weight 3, lam = 1: the penalty is 9 / 2. Nudge the weight to 3.01: 4.53. By how much did it rise for "
            "each 0.01?",
        ),
        Misconception(
            "gradient_halved",
            "The gradient is half of what it should be: the slope of w**2 / 2 is w, not w / 2.",
            _l2_with(grad=lambda W, lam: lam / 2 * W),
        ),
        Misconception(
            "mean_instead_of_sum",
            "You take the mean over the weights. A penalty is a sum: it is added once for every weight.",
            _l2_with(lambda W, lam: lam / 2 * np.mean(W * W), lambda W, lam: lam * W / W.size),
            "`np.mean` divides by the number of weights. Nothing in the formula does.",
        ),
        Misconception(
            "value_averaged",
            "The value is a mean over the weights, while the gradient is that of the sum. Use `np.sum`.",
            _l2_with(value=lambda W, lam: lam / 2 * np.mean(W * W)),
        ),
        Misconception(
            "divided_by_rows",
            "Value and gradient are divided by the number of rows. The 1/N of the loss belongs to examples; a penalty "
            "does not know how many there are.",
            _l2_with(lambda W, lam: lam / 2 * np.sum(W * W) / len(W), lambda W, lam: lam * W / len(W)),
            "Weights are not examples. Which N did you divide by?",
        ),
        Misconception(
            "root_taken",
            "This is the length of W, with a root: `np.linalg.norm` is the root of the sum of squares. The penalty "
            "takes the sum of squares itself.",
            _l2_with(value=lambda W, lam: lam / 2 * np.linalg.norm(W)),
        ),
        Misconception(
            "square_of_the_sum",
            "The weights are added up first and the sum is squared, so that +3 and -3 cancel. Square each weight, then "
            "add.",
            _l2_with(value=lambda W, lam: lam / 2 * np.sum(W) ** 2),
        ),
        Misconception(
            "absolute_values",
            "This is the L1 penalty: absolute values and signs. L2 takes squares, and its gradient is the weight "
            "itself times lam.",
            _l2_with(lambda W, lam: lam * np.sum(np.abs(W)), lambda W, lam: lam * np.sign(W)),
        ),
        Misconception(
            "lam_forgotten_in_gradient",
            "The gradient is W, without lam. A constant factor of the value is a factor of its slope.",
            _l2_with(grad=lambda W, lam: W.copy()),
        ),
        Misconception(
            "lam_forgotten_in_value",
            "The value is without lam: half the sum of squares. Multiply it by lam.",
            _l2_with(value=lambda W, lam: np.sum(W * W) / 2),
        ),
        Misconception(
            "shrunk_weights_returned",
            "The second value is the weights after a step, W - lam * W. Asked for is the gradient: lam * W.",
            _l2_with(grad=lambda W, lam: W - lam * W),
        ),
        Misconception(
            "first_row_left_out",
            "The first row of W is not penalised. Biases are left out, but they are a vector of their own, `b`; every "
            "entry of W is a weight.",
            lambda W, lam: l2_penalty(_without_first_row(W), lam),
        ),
        Misconception(
            "one_value_a_column",
            "One value for each column came back. Add up *all* squares: the penalty is one number.",
            _l2_with(value=lambda W, lam: lam / 2 * np.sum(W * W, axis=0)),
        ),
        Misconception(
            "exchanged",
            "Value and gradient come back in the wrong order. Return the value first.",
            lambda W, lam: l2_penalty(W, lam)[::-1],
        ),
        Misconception(
            "W_changed",
            "The numbers are right, but W itself was multiplied: `W *= lam` changes the caller's weights. Write `lam * "
            "W`, which makes a new array.",
            _decayed_in_place,
        ),
    ),
    hints=(
        cleandoc("""
            Take W = [[3, -1], [0, 2]], shape (2, 2), and lam = 0.1.

            The squares are 9, 1, 0, 4, together 14. The value is 0.1 / 2 * 14 = 0.7. The gradient is 0.1 times W:
            [[0.3, -0.1], [0, 0.2]], shape (2, 2).
            """),
        cleandoc("""
            Square every weight, add them all up, and multiply by half of lam: one number. For the gradient look at one
            weight alone: the slope of w**2 is 2w, the half takes the 2 away, and lam stays. So each
            weight is pulled back in proportion to its own size.
            """),
        cleandoc("""
            ```python
            value = ____ * np.sum(W**2)
            grad = ____ * W
            return value, grad
            ```

            Why is the pull of this penalty never quite enough to bring a weight to zero?
            """),
    ),
    minutes=4,
    difficulty=1,
)

L1_PENALTY = Exercise(
    name="l1_penalty",
    lesson=LESSON,
    question="Return lam times the sum of all absolute weights, and its subgradient with sign(0) = 0.",
    outputs=("value", "subgrad"),
    reference=l1_penalty,
    groups=_penalty_groups("l1_penalty"),
    misconceptions=(
        Misconception(
            "squares",
            "This is the L2 penalty: squares, and a pull in proportion to the weight. L1 takes absolute values, and "
            "its pull is the same for every weight: lam times the sign.",
            _l1_with(lambda W, lam: lam / 2 * np.sum(W * W), lambda W, lam: lam * W),
        ),
        Misconception(
            "gradient_of_l2",
            "The value is right, but the subgradient is lam * W, which belongs to L2. The slope of |w| is +1 or -1, "
            "however large w is.",
            _l1_with(grad=lambda W, lam: lam * W),
            "Draw |w|: two straight lines. How steep is it at 0.1, and how steep at 100?",
        ),
        Misconception(
            "sign_forgotten",
            "The subgradient is +lam everywhere. Where a weight is negative, |w| falls as w grows: the slope is -lam.",
            _l1_with(grad=lambda W, lam: np.full_like(W, lam)),
        ),
        Misconception(
            "gradient_of_absolute_values",
            "The subgradient is lam * |W|. Take the sign of each weight, not its size.",
            _l1_with(grad=lambda W, lam: lam * np.abs(W)),
        ),
        Misconception(
            "zero_counts_as_positive",
            "At weights that are exactly 0 the subgradient is +lam. Here sign(0) = 0, as `np.sign` has it: `np.where(W "
            ">= 0, 1, -1)` does not know zero.",
            _l1_with(grad=lambda W, lam: lam * _signs_where_not_negative(W)),
            "A weight at 0 is where L1 wants it. Which way should it be pushed?",
        ),
        Misconception(
            "zero_counts_as_negative",
            "At weights that are exactly 0 the subgradient is -lam. Here sign(0) = 0, as `np.sign` has it.",
            _l1_with(grad=lambda W, lam: -lam * _signs_where_not_negative(-W)),
        ),
        Misconception(
            "divided_by_zero",
            "W / |W| is 0/0 at weights that are exactly 0, which is not a number. `np.sign(W)` gives 0 there.",
            _l1_with(grad=lambda W, lam: lam * _divided_by_size(W)),
        ),
        Misconception(
            "signs_cancel",
            "The weights are added with their signs, so that +3 and -3 cancel. Take absolute values first, then add.",
            _l1_with(value=lambda W, lam: lam * np.sum(W)),
        ),
        Misconception(
            "absolute_of_the_sum",
            "The absolute value is taken of the sum: +3 and -3 have cancelled before. Take it of each weight.",
            _l1_with(value=lambda W, lam: lam * np.abs(np.sum(W))),
        ),
        Misconception(
            "matrix_norm",
            "`np.linalg.norm(W, 1)` of a *matrix* is its largest column sum. Add up all absolute values: "
            "`np.sum(np.abs(W))`.",
            _l1_with(
                value=lambda W, lam: lam * (np.abs(W).sum(axis=0).max() if W.ndim > 1 else np.abs(W).sum()),
            ),
            "W = [[1, 2], [3, 4]]: the columns sum to 4 and 6, all entries to 10. The name `norm(W, 1)` means L1 for "
            "vectors only.",
        ),
        Misconception(
            "mean_instead_of_sum",
            "You take the mean over the weights. A penalty is a sum: it is added once for every weight.",
            _l1_with(lambda W, lam: lam * np.mean(np.abs(W)), lambda W, lam: lam * np.sign(W) / W.size),
        ),
        Misconception(
            "value_averaged",
            "The value is a mean over the weights, while the subgradient is that of the sum. Use `np.sum`.",
            _l1_with(value=lambda W, lam: lam * np.mean(np.abs(W))),
        ),
        Misconception(
            "halved",
            "The half belongs to L2, where the square brings a 2. L1 has none: lam * sum(|W|).",
            _l1_with(value=lambda W, lam: lam / 2 * np.sum(np.abs(W))),
        ),
        Misconception(
            "halved_throughout",
            "Value and subgradient are half as large as they should be. The half belongs to L2, where the square "
            "brings a 2; L1 has none.",
            lambda W, lam: l1_penalty(W, lam / 2),
            "One weight of 3 and lam = 0.1: the value is 0.3, and its slope 0.1.",
        ),
        Misconception(
            "lam_forgotten_in_gradient",
            "The subgradient is the bare sign, without lam. A constant factor of the value is a factor of its slope.",
            _l1_with(grad=lambda W, lam: np.sign(W)),
        ),
        Misconception(
            "lam_forgotten_in_value",
            "The value is without lam: the bare sum of absolute values. Multiply it by lam.",
            _l1_with(value=lambda W, lam: np.sum(np.abs(W))),
        ),
        Misconception(
            "one_value_a_column",
            "One value for each column came back. Add up *all* absolute values: the penalty is one number.",
            _l1_with(value=lambda W, lam: lam * np.sum(np.abs(W), axis=0)),
        ),
        Misconception(
            "exchanged",
            "Value and subgradient come back in the wrong order. Return the value first.",
            lambda W, lam: l1_penalty(W, lam)[::-1],
        ),
    ),
    hints=(
        cleandoc("""
            Take W = [[3, -1], [0, 2]], shape (2, 2), and lam = 0.1.

            The absolute values are 3, 1, 0, 2, together 6. The value is 0.1 * 6 = 0.6. The subgradient is 0.1 times the
            signs: [[0.1, -0.1], [0, 0.1]], shape (2, 2). The 3 and the 2 are pulled alike; the 0 is left alone.
            """),
        cleandoc("""
            Take every weight's absolute value, add them all up, multiply by lam: one number. The slope of |w| is +1 to
            the right of zero and -1 to the left. At zero there is a corner with no slope of its own; any number
            from -1 to 1 may stand there, and this course takes 0.
            """),
        cleandoc("""
            ```python
            value = lam * np.sum(____)
            subgrad = lam * ____
            return value, subgrad
            ```

            Why does this penalty pull a weight of 0.01 as hard as a weight of 100?
            """),
    ),
    minutes=4,
    difficulty=1,
)


def _elastic_with(
    value: Callable[[Array, float, float], Any] = lambda W, lam, r: (
        lam * (r * np.sum(np.abs(W)) + (1 - r) / 2 * np.sum(W * W))
    ),
    grad: Callable[[Array, float, float], Any] = lambda W, lam, r: lam * (r * np.sign(W) + (1 - r) * W),
) -> Callable[[Array, float, float], Any]:
    return lambda W, lam, r: (value(W, lam, r), grad(W, lam, r))


def _ratio(rng: np.random.Generator) -> dict[str, Any]:
    """Away from 0, from 1 and from the half, where the two shares could be exchanged."""
    return {"l1_ratio": float(rng.choice([rng.uniform(0.15, 0.4), rng.uniform(0.6, 0.85)]))}


def _elastic_groups() -> tuple[Group, ...]:
    ordinary, edge, nasty = _penalty_groups("elastic_net_penalty", _ratio)
    assert not isinstance(edge.draw, str)
    zeros = edge.draw

    def ends(rng: np.random.Generator) -> list[Case]:
        pure = [
            Case(
                (call("elastic_net_penalty", W=_away_from_zero(rng, (3, 2)), lam=_strength(rng), l1_ratio=ratio),),
                label=f"l1_ratio = {ratio:g}",
            )
            for ratio in (0.0, 1.0)
        ]
        return [*pure, *zeros(rng)]

    return ordinary, Group("edge", "Pure L1, pure L2, zeros", 1, ends), nasty


ELASTIC_NET_PENALTY = Exercise(
    name="elastic_net_penalty",
    lesson=LESSON,
    question="Mix both penalties: lam * (l1_ratio * L1 + (1 - l1_ratio) / 2 * sum of squares), with its gradient.",
    outputs=("value", "grad"),
    reference=elastic_net_penalty,
    groups=_elastic_groups(),
    misconceptions=(
        Misconception(
            "shares_exchanged",
            "The shares are exchanged: `l1_ratio` belongs to the absolute values, the rest to the squares.",
            lambda W, lam, r: elastic_net_penalty(W, lam, 1 - r),
            "At l1_ratio = 1 it must be the pure L1 penalty. What is yours?",
        ),
        Misconception(
            "half_forgotten",
            "The half of the squares is missing, in value and gradient: (1 - l1_ratio) / 2 * sum of squares.",
            _elastic_with(
                lambda W, lam, r: lam * (r * np.sum(np.abs(W)) + (1 - r) * np.sum(W * W)),
                lambda W, lam, r: lam * (r * np.sign(W) + 2 * (1 - r) * W),
            ),
        ),
        Misconception(
            "value_without_half",
            "The gradient is right, but the value has no half before the squares.",
            _elastic_with(value=lambda W, lam, r: lam * (r * np.sum(np.abs(W)) + (1 - r) * np.sum(W * W))),
        ),
        Misconception(
            "gradient_with_half",
            "The half stands in the gradient too. The slope of a square brings a 2, which takes it away.",
            _elastic_with(grad=lambda W, lam, r: lam * (r * np.sign(W) + (1 - r) / 2 * W)),
        ),
        Misconception(
            "lam_on_l1_alone",
            "lam multiplies the first part only. Brackets: `lam * (... + ...)`.",
            _elastic_with(
                lambda W, lam, r: lam * r * np.sum(np.abs(W)) + (1 - r) / 2 * np.sum(W * W),
                lambda W, lam, r: lam * r * np.sign(W) + (1 - r) * W,
            ),
        ),
        Misconception(
            "lam_twice",
            "lam is multiplied twice. If you call `l1_penalty(W, lam)`, its value has lam in it already: weigh the two "
            "values with the shares alone.",
            lambda W, lam, r: tuple(lam * part for part in elastic_net_penalty(W, lam, r)),
        ),
        Misconception(
            "both_in_full",
            "Both penalties come in at full strength, and `l1_ratio` has no effect. Their shares are l1_ratio and "
            "1 - l1_ratio.",
            _elastic_with(
                lambda W, lam, _r: lam * (np.sum(np.abs(W)) + np.sum(W * W) / 2),
                lambda W, lam, _r: lam * (np.sign(W) + W),
            ),
            "At l1_ratio = 1 it must be the pure L1 penalty, at 0 the pure L2 penalty. What is yours?",
        ),
        Misconception(
            "squares_in_full",
            "The squares come in full, whatever `l1_ratio` is. Their share is 1 - l1_ratio.",
            _elastic_with(
                lambda W, lam, r: lam * (r * np.sum(np.abs(W)) + np.sum(W * W) / 2),
                lambda W, lam, r: lam * (r * np.sign(W) + W),
            ),
        ),
        Misconception(
            "gradient_of_the_squares_alone",
            "The gradient lacks the part of the absolute values: add lam * l1_ratio * sign(W).",
            _elastic_with(grad=lambda W, lam, r: lam * (1 - r) * W),
        ),
        Misconception(
            "gradient_without_shares",
            "The gradient adds both pulls in full. They have the same shares as the values.",
            _elastic_with(grad=lambda W, lam, r: lam * (np.sign(W) + W)),
        ),
        Misconception(
            "zero_counts_as_positive",
            "At weights that are exactly 0 the sign is taken as +1. Here sign(0) = 0, as `np.sign` has it.",
            _elastic_with(grad=lambda W, lam, r: lam * (r * _signs_where_not_negative(W) + (1 - r) * W)),
        ),
        Misconception(
            "exchanged",
            "Value and gradient come back in the wrong order. Return the value first.",
            lambda W, lam, r: elastic_net_penalty(W, lam, r)[::-1],
        ),
    ),
    hints=(
        cleandoc("""
            Take W = [3, -1], shape (2,), lam = 0.1 and l1_ratio = 0.25.

            Absolute values: 4, share 0.25, makes 1. Squares: 10, half of them 5, share 0.75, makes 3.75. The value is
            0.1 * 4.75 = 0.475. Gradient of the 3: 0.1 * (0.25 * 1 + 0.75 * 3) = 0.25. Of the -1: 0.1 * (-0.25 - 0.75) =
            -0.1. You return (0.475, [0.25, -0.1]).
            """),
        cleandoc("""
            It is a weighted mean of the two penalties you have: the share `l1_ratio` of L1 and the rest of L2, each
            with strength lam. A weighted sum of values has the same weighted sum of gradients. You may call your
            two functions; lam is then in there already.
            """),
        cleandoc("""
            ```python
            value = lam * (l1_ratio * np.sum(np.abs(W)) + ____ * np.sum(W**2))
            grad = lam * (l1_ratio * np.sign(W) + ____ * W)
            return value, grad
            ```

            Why do both parts share one lam, and what does the ratio then decide?
            """),
    ),
    minutes=6,
    difficulty=2,
    stretch=True,
)


# soft_threshold -------------------------------------------------------------------------------------------------------


def _threshold_case(w: Array, amount: float, label: str) -> Case:
    return Case((call("soft_threshold", w=w, amount=amount),), label=label)


def _around(rng: np.random.Generator, shape: tuple[int, ...], amount: float) -> Array:
    """Numbers of both signs, some nearer to zero than `amount`, some further."""
    sizes = np.concatenate(
        [rng.uniform(0.2, 0.9, math.prod(shape) // 2), rng.uniform(1.2, 3.0, -(-math.prod(shape) // 2))]
    )
    signs = np.where(np.arange(len(sizes)) % 2, 1.0, -1.0)
    found: Array = (amount * sizes * signs)[rng.permutation(len(sizes))].reshape(shape)
    return found


def _threshold_ordinary(rng: np.random.Generator) -> list[Case]:
    cases = []
    for shape in ((8,), (3, 4), (4, 4), (10,)):
        amount = float(rng.uniform(0.3, 0.8))
        cases.append(_threshold_case(_around(rng, shape, amount), amount, f"w of shape {shape}"))
    return cases


def _threshold_edge(rng: np.random.Generator) -> list[Case]:
    exact = 0.5 * rng.permutation([-3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0])
    return [
        _threshold_case(_away_from_zero(rng, (3, 2)), 0.0, "amount = 0"),
        _threshold_case(_away_from_zero(rng, (4,)), 5.0, "amount larger than every |w|"),
        _threshold_case(exact, 1.0, "some |w| exactly the amount, one w exactly 0"),
        _threshold_case(np.zeros(3), 0.4, "all 0"),
        _threshold_case(_around(rng, (2, 2, 3), 0.5), 0.5, "three axes"),
        _threshold_case(_away_from_zero(rng, (1,), 1.0, 2.0), 0.25, "one number"),
    ]


def _threshold_nasty(rng: np.random.Generator) -> list[Case]:
    sizes = 10.0 ** np.arange(-4, 4)
    return [
        _threshold_case(_away_from_zero(rng, (8,)) * sizes, 0.01, "sizes from 1e-4 to 1e3"),
        _threshold_case(_around(rng, (6,), 1e-200), 1e-200, "near 1e-200"),
        _threshold_case(_around(rng, (6,), 1e200), 1e200, "near 1e200"),
        _threshold_case(np.array([np.inf, -np.inf, *_around(rng, (4,), 0.5)]), 0.5, "with infinities"),
        _threshold_case(_around(rng, (3, 4), 0.5).astype(np.float32), 0.5, "float32"),
    ]


def _shrunk_as_one(w: Array, amount: float) -> Array:
    length = float(np.linalg.norm(w))
    return w * max(1 - amount / length, 0) if length > 0 else w.copy()


SOFT_THRESHOLD = Exercise(
    name="soft_threshold",
    lesson=LESSON,
    question="Move every number towards zero by `amount`, and no further than zero.",
    outputs=("w",),
    reference=soft_threshold,
    groups=(
        Group("ordinary", "Some within the amount, some beyond", 3, _threshold_ordinary),
        Group("edge", "Exactly the amount, nothing left, nothing to do", 1, _threshold_edge),
        Group("nasty", "Huge, tiny, infinite, float32", 1, _threshold_nasty),
    ),
    misconceptions=(
        Misconception(
            "hard_threshold",
            "Small numbers become 0, but large ones stay as they are: that is the *hard* threshold. The soft one moves "
            "every number by the amount.",
            lambda w, amount: np.where(np.abs(w) > amount, w, 0).astype(w.dtype),
            "w = 3, amount = 1: the hard threshold leaves 3, the soft one returns 2. Why does L1 pull a large weight "
            "as hard as a small one?",
        ),
        Misconception(
            "jumps_over_zero",
            "Numbers smaller than the amount jump over zero to the other side. Stop at zero: the size that is left "
            "is at least 0.",
            lambda w, amount: w - amount * np.sign(w),
            "w = 0.3, amount = 0.5: 0.3 - 0.5 = -0.2 is on the other side. Use `np.maximum(..., 0)` on the size. (This "
            "jumping is what the subgradient step does.)",
        ),
        Misconception(
            "sign_lost",
            "The size is right, but negative numbers come out positive. Multiply by the sign at the end.",
            lambda w, amount: np.maximum(np.abs(w) - amount, 0),
        ),
        Misconception(
            "positive_side_only",
            "Every negative number becomes 0: you compare `w - amount` with 0. Compare the *size* |w| - amount, then "
            "give the sign back.",
            lambda w, amount: np.maximum(w - amount, 0),
            "w = -3, amount = 1: towards zero means to -2. What does max(-3 - 1, 0) give?",
        ),
        Misconception(
            "negatives_left_alone",
            "Negative numbers stay as they are. They too move towards zero: -3 by 1 is -2.",
            lambda w, amount: np.where(w > 0, np.maximum(w - amount, 0), w).astype(w.dtype),
        ),
        Misconception(
            "subtracted_from_all",
            "The amount is subtracted from every number, so negative ones move *away* from zero.",
            lambda w, amount: w - amount,
        ),
        Misconception(
            "clipped",
            "This is `np.clip(w, -amount, amount)`: it keeps what should go. The soft threshold is w minus that.",
            lambda w, amount: np.clip(w, -amount, amount),
        ),
        Misconception(
            "shrunk_by_a_factor",
            "Every number is multiplied by 1 - amount. That is what L2 does; nothing becomes 0. Subtract a fixed "
            "amount from the size instead.",
            lambda w, amount: w * (1 - amount),
        ),
        Misconception(
            "away_from_zero",
            "The numbers move away from zero: the amount is added to the size.",
            lambda w, amount: np.sign(w) * (np.abs(w) + amount),
        ),
        Misconception(
            "small_ones_kept",
            "The comparison is the wrong way round: large numbers become 0 and small ones stay.",
            lambda w, amount: np.where(np.abs(w) < amount, w, 0).astype(w.dtype),
        ),
        Misconception(
            "shrunk_as_one",
            "All numbers are shrunk together, by the length of the whole array: that is the proximal step of the norm, "
            "not of L1. Treat every number alone.",
            _shrunk_as_one,
        ),
        Misconception(
            "zero_becomes_nan",
            "w / |w| is 0/0 where w is exactly 0. `np.sign(w)` gives 0 there.",
            lambda w, amount: _divided_by_size(w) * np.maximum(np.abs(w) - amount, 0),
        ),
    ),
    hints=(
        cleandoc("""
            Take w = [3, -0.5, 0.2, -2], shape (4,), and amount = 1.

            The sizes are 3, 0.5, 0.2, 2. Less 1: 2, -0.5, -0.8, 1. None below 0: 2, 0, 0, 1. With the signs back: [2,
            0, 0, -1], shape (4,).
            """),
        cleandoc("""
            Split each number into its sign and its size. Take the amount off the size; where less than nothing would be
            left, nothing is left. Then put the sign back.
            """),
        cleandoc("""
            ```python
            left = np.maximum(____, 0)
            return ____ * left
            ```

            Why does this give exact zeros, where subtracting amount * sign(w) gives none?
            """),
    ),
    minutes=5,
    difficulty=2,
)


# EarlyStopping --------------------------------------------------------------------------------------------------------


class EarlyStopping:
    """Says when a value has not improved for `patience` values in a row.

    A value improves when it is below best - min_delta. NaN is below nothing.
    Source: Prechelt (1998), Early Stopping: But When?, criterion UP in its simplest form.

    Args:
        patience: how many values in a row may fail to improve; the last of them stops the run.
        min_delta: by how much more than nothing a value must fall to count, at least 0.

    Attributes:
        best: the lowest value that counted.
        best_step: which value that was, counted from 0.
    """

    def __init__(self, patience: int, min_delta: float = 0.0) -> None:
        self.patience, self.min_delta = patience, min_delta
        self.best = np.inf
        self.best_step = -1
        self.steps = 0
        self.bad = 0
        self.stopped = False

    def step(self, value: float) -> bool:
        """Take in the next value; True once it is time to stop, and from then on."""
        if value < self.best - self.min_delta:
            self.best = value
            self.best_step = self.steps
            self.bad = 0
        else:
            self.bad += 1
        self.steps += 1
        if self.bad >= self.patience:
            self.stopped = True
        return self.stopped


class _InParts:
    """The same in parts, so that a mistake can exchange one of them."""

    def __init__(self, patience: int, min_delta: float = 0.0) -> None:
        self.patience, self.min_delta = patience, min_delta
        self.best, self.best_step = np.inf, -1
        self.last = np.inf
        self.steps = self.bad = 0
        self.stopped = False

    def improves(self, value: float) -> bool:
        return value < self.best - self.min_delta

    def take(self, value: float) -> None:
        if self.improves(value):
            self.best, self.best_step = value, self.steps
            self.bad = 0
        else:
            self.bad += 1

    def enough(self) -> bool:
        return self.bad >= self.patience

    def said(self) -> Any:
        self.stopped = self.stopped or self.enough()
        return self.stopped

    def step(self, value: float) -> Any:
        self.take(value)
        self.last = value
        self.steps += 1
        return self.said()


def _with(**parts: Callable[..., Any]) -> Callable[..., Any]:
    """The class with some of its parts done differently."""
    return type("EarlyStopping", (_InParts,), parts)


def _never_reset(self: Any, value: float) -> None:
    if self.improves(value):
        self.best, self.best_step = value, self.steps
    else:
        self.bad += 1


def _best_creeps(self: Any, value: float) -> None:
    self.bad = 0 if self.improves(value) else self.bad + 1
    if value < self.best:
        self.best, self.best_step = value, self.steps


def _best_is_the_last(self: Any, value: float) -> None:
    _InParts.take(self, value)
    self.best = value


def _everything_is_the_last(self: Any, value: float) -> None:
    _InParts.take(self, value)
    self.best, self.best_step = value, self.steps


def _counted_against_the_last(self: Any, value: float) -> None:
    self.bad = 0 if value < self.last - self.min_delta else self.bad + 1
    if self.improves(value):
        self.best, self.best_step = value, self.steps


def _reset_by_nan(self: Any, value: float) -> None:
    if value >= self.best - self.min_delta:
        self.bad += 1
    else:
        self.best, self.best_step = value, self.steps
        self.bad = 0


def _counted_from_one(self: Any, value: float) -> None:
    improved = self.improves(value)
    _InParts.take(self, value)
    if improved:
        self.best_step = self.steps + 1


def _last_step_kept(self: Any, value: float) -> None:
    _InParts.take(self, value)
    self.best_step = self.steps


def _nothing_when_going_on(self: Any) -> Any:
    return True if _InParts.said(self) else None


def _watch(values: Sequence[float], label: str, *, best: bool = True, **settings: Any) -> Case:
    """Construct one, hand it the values, and ask for every answer (and for best and best_step at the end).

    The label shows the values, so that a learner can replay the case by hand.
    """
    made, steps = Result(0), [call("EarlyStopping", **settings)]
    steps += [method(made, "step", value=float(value)) for value in values]
    names = [f"step({value:.7g}) (call {place} of {len(values)})" for place, value in enumerate(values, start=1)]
    if best:
        steps += [attribute(made, "best"), attribute(made, "best_step")]
        names += [".best", ".best_step"]
    shown = ", ".join(f"{value:.7g}" for value in values)
    return Case(tuple(steps), tuple(range(1, len(steps))), f"{label}, values {shown}", tuple(names))


def _curve(rng: np.random.Generator, changes: Sequence[float]) -> list[float]:
    """Losses from about 2 on that fall (below 0) or rise (above 0) in these units, each change a little random.

    They have three decimals: what a learner reads of them is all there is.
    """
    sizes = 0.1 * np.array(changes) * rng.uniform(0.9, 1.1, len(changes))
    found: list[float] = (2 + rng.uniform(0, 0.5) + np.concatenate([[0.0], np.cumsum(sizes)])).round(3).tolist()
    return found


def _stopping_ordinary(rng: np.random.Generator) -> list[Case]:
    falling_again = _curve(rng, [-3, -2, 1, 1, -4, 1, 0.5, -0.2, 1, -5, 1, 1])
    turned = _curve(rng, [-3, -3, 2, -1, -0.5, 1, 1])
    small = _curve(rng, [-3, -3, -0.4, -0.4, 1, -0.4, 0.5])
    ups = _curve(rng, [-3, 1, -2, 1, -2, 1, -2, 1, 0.5])
    return [
        _watch(turned, "rises, then falls without a new best, patience 3", patience=3, min_delta=0.0),
        _watch(falling_again, "recovers in time, patience 5", patience=5, min_delta=0.0),
        _watch(small, "falls by less than min_delta, patience 2, min_delta 0.15", patience=2, min_delta=0.15),
        _watch(ups, "up and down, each time lower, patience 2", patience=2, min_delta=0.0),
    ]


def _stopping_edge(rng: np.random.Generator) -> list[Case]:
    late = _curve(rng, [-2, 1, 1, -6, -2, 1])
    level = 0.25 * float(rng.integers(2, 8))
    return [
        _watch(late, "a new best after the stop, patience 2", patience=2, min_delta=0.0),
        _watch([level + 1, level, level, level, level], "equal values, patience 3", patience=3, min_delta=0.0),
        _watch(
            [4.0, 3.5, 3.0, 2.5, 2.0],
            "falls by exactly min_delta, patience 2, min_delta 0.5",
            patience=2,
            min_delta=0.5,
        ),
        _watch(_curve(rng, [-1, 1, -3]), "patience 1", patience=1, min_delta=0.0),
        _watch(_curve(rng, [-1, 0.5, 0.2, -0.1]), "min_delta left to its default, patience 3", patience=3),
        _two_runs(rng),
    ]


def _two_runs(rng: np.random.Generator) -> Case:
    """Two objects fed by turns: neither hears what the other is told."""
    first, second = _curve(rng, [-2, 1, 1, 1]), _curve(rng, [3, -6, -1, -1])
    steps = [call("EarlyStopping", patience=2, min_delta=0.0), call("EarlyStopping", patience=2, min_delta=0.0)]
    for one, other in zip(first, second, strict=True):
        steps += [method(Result(0), "step", value=one), method(Result(1), "step", value=other)]
    steps += [attribute(Result(0), "best"), attribute(Result(1), "best_step")]
    names = [
        f"{which}.step({value:g})"
        for pair in zip(first, second, strict=True)
        for which, value in zip("ab", pair, strict=True)
    ]
    label = f"two runs watched at once, by turns, patience 2, values of a {first} and of b {second}"
    return Case(tuple(steps), tuple(range(2, len(steps))), label, (*names, "a.best", "b.best_step"))


def _stopping_nasty(rng: np.random.Generator) -> list[Case]:
    nan, inf = float("nan"), float("inf")
    a, b, c = (float(1 + thousandths / 1000) for thousandths in sorted(rng.permutation(1000)[:3], reverse=True))
    return [
        _watch(
            [a, b, nan, nan, c, nan, nan, nan], "NaN counts as not improving, patience 3", patience=3, min_delta=0.0
        ),
        _watch([nan, nan, nan, nan], "NaN from the start, patience 4", best=False, patience=4, min_delta=0.0),
        _watch([inf, a, inf, b, inf, inf], "infinite losses, patience 2", patience=2, min_delta=0.0),
        _watch([-a, -a - 1, -a - 0.9, -b, -a - 2], "values below zero, patience 3", patience=3, min_delta=0.0),
        _watch([1e-9 * v for v in (5, 4, 3, 4, 3.5)], "values near 1e-9, patience 2", patience=2, min_delta=0.0),
        _watch(
            [a] + [a - 1e-6 * k for k in range(1, 7)],
            "creeps down, patience 4, min_delta 0.001",
            patience=4,
            min_delta=0.001,
        ),
    ]


EARLY_STOPPING = Exercise(
    name="EarlyStopping",
    lesson=LESSON,
    question="Write a class that says when a value has not improved for `patience` values in a row.",
    outputs=("what it said",),
    reference=EarlyStopping,
    groups=(
        Group("ordinary", "Ordinary losses", 4, _stopping_ordinary),
        Group("edge", "Equal values, after the stop, two at once", 1, _stopping_edge),
        Group("nasty", "NaN, infinite, below zero", 1, _stopping_nasty),
    ),
    misconceptions=(
        Misconception(
            "one_too_late",
            "It stops one value too late: `>` where `>=` is meant. The patience-th value in a row that fails to "
            "improve is the one that stops.",
            _with(enough=lambda self: self.bad > self.patience),
            "patience = 2, losses 3, 2, 2.5, 2.6: two failures in a row, so the fourth call returns True.",
        ),
        Misconception(
            "one_too_early",
            "It stops one value too early. `patience` values in a row must fail, and the improving one is not among "
            "them.",
            _with(enough=lambda self: self.bad > 0 and self.bad >= self.patience - 1),
        ),
        Misconception(
            "never_reset",
            "Failures are counted over the whole run. Count those *in a row*: a value that improves sets the count "
            "back to 0.",
            _with(take=_never_reset),
            "Losses 3, 2, 2.5, 1, 1.5: two failures, yet never two in a row.",
        ),
        Misconception(
            "compared_with_the_last",
            "Each value is compared with the one before it. Compare it with the best so far: a run can fall for many "
            "steps and stay above where it was.",
            _with(improves=lambda self, value: value < self.last - self.min_delta),
            "Losses 1, 5, 4, 3: each is below the last, and none is below 1.",
        ),
        Misconception(
            "best_is_the_last",
            "`best` is set to every value, so each is compared with the one before it. Set it only where a value "
            "improves: compare with the best so far.",
            _with(take=_best_is_the_last),
            "Losses 1, 5, 4, 3: each of the last two is below the value before it, and none is below 1.",
        ),
        Misconception(
            "everything_is_the_last",
            "`best` and `best_step` are set at every value, so each is compared with the one before it. Set both only "
            "where a value improves: compare with the best so far.",
            _with(take=_everything_is_the_last),
            "Losses 1, 5, 4, 3: each of the last two is below the value before it, and none is below 1.",
        ),
        Misconception(
            "counted_against_the_last",
            "`best` is right, but the count of failures goes by the value before: a value below the last one, and not "
            "below the best, has failed all the same. Compare with the best so far.",
            _with(take=_counted_against_the_last),
            "Losses 1, 5, 4, 3: each of the last two is below the value before it, and none is below 1. With patience "
            "3 the fourth call stops.",
        ),
        Misconception(
            "higher_is_better",
            "It waits for values to rise. A loss improves when it falls: `value < best - min_delta`.",
            _with(
                improves=lambda self, value: value > (-np.inf if np.isinf(self.best) else self.best) + self.min_delta
            ),
        ),
        Misconception(
            "min_delta_ignored",
            "`min_delta` has no effect: any fall counts. A value must be below best - min_delta.",
            _with(improves=lambda self, value: value < self.best),
        ),
        Misconception(
            "min_delta_added",
            "`min_delta` stands on the wrong side: a value slightly *above* the best counts as improved. It is `best - "
            "min_delta`.",
            _with(improves=lambda self, value: value < self.best + self.min_delta),
        ),
        Misconception(
            "any_change_counts",
            "Any change by more than min_delta counts, rises included. Take no absolute value: only a fall improves.",
            _with(improves=lambda self, value: bool(np.isinf(self.best) or abs(value - self.best) > self.min_delta)),
        ),
        Misconception(
            "best_creeps",
            "A fall by less than min_delta does not count, but you store it in `best` all the same. Then best creeps "
            "down, and a real improvement can be missed. Change `best` only when a value counts.",
            _with(take=_best_creeps),
        ),
        Misconception(
            "equal_counts",
            "A value equal to best - min_delta counts as improved. It must be *below*: `<`, not `<=`.",
            _with(improves=lambda self, value: value <= self.best - self.min_delta),
            "A loss that stands still has not improved. With `<=` a constant loss would never stop the run.",
        ),
        Misconception(
            "forgets_that_it_stopped",
            "After the stop a new best makes it say False again. Once True, it stays True: the run is over.",
            _with(said=lambda self: self.enough()),
        ),
        Misconception(
            "nan_improves",
            "NaN counts as an improvement and becomes the best. Every comparison with NaN is False, so ask `if value < "
            "best - min_delta` for the good case, not `if value >= ...` for the bad one.",
            _with(take=_reset_by_nan),
        ),
        Misconception(
            "counted_from_one",
            "`best_step` is one too large: the first value is number 0.",
            _with(take=_counted_from_one),
        ),
        Misconception(
            "last_step_kept",
            "`best_step` is the number of the last value, not of the best. Set it only where `best` is set.",
            _with(take=_last_step_kept),
        ),
        Misconception(
            "nothing_returned",
            "`step` returns nothing while the run goes on: `return True` stands inside an `if`, and without it a "
            "function returns None. Return False there.",
            _with(said=_nothing_when_going_on),
        ),
    ),
    hints=(
        cleandoc("""
            Take patience = 2, min_delta = 0, and the losses 3, 2, 2.5, 1.5, 1.6, 1.7: numbers, of shape ().

            Failures in a row after each: 0, 0, 1, 0, 1, 2. So `step` returns False five times, then True. At the end
            best = 1.5 and best_step = 3.
            """),
        cleandoc("""
            Keep five things: the best value (infinite at first), its number, how many values you have seen, how many in
            a row have failed, and whether you have stopped. A value below best - min_delta becomes the
            best and sets the failures back to 0; any other adds one. When the failures reach patience, you have
            stopped, for good.
            """),
        cleandoc("""
            ```python
            def step(self, value):
                if value < ____:
                    self.best, self.best_step = value, self.steps
                    self.bad = 0
                else:
                    self.bad += 1
                self.steps += 1
                if self.bad >= ____:
                    self.stopped = True
                return self.stopped
            ```

            (`__init__` sets all of them.) Why does NaN take the right branch here without a line of its own?
            """),
    ),
    minutes=9,
    difficulty=3,
)


EXERCISES: tuple[Exercise, ...] = (
    SPLIT_INDICES,
    L2_PENALTY,
    L1_PENALTY,
    SOFT_THRESHOLD,
    EARLY_STOPPING,
    ELASTIC_NET_PENALTY,
)
