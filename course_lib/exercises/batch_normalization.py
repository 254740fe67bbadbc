"""Lesson 07: first weights that keep a signal's size, and batch normalization forward and backward.

What comes out of `he_init` is random and judged by properties. A cache is the learner's own affair: what
`batchnorm_forward` returns there is never compared, and is handed to the learner's own `batchnorm_backward`.
"""

from __future__ import annotations

from collections.abc import Callable
from inspect import cleandoc
from typing import Any

import numpy as np

from course_lib._typing import Array
from course_lib.exercises.exercise import Exercise, Group, Misconception
from course_lib.exercises.programs import Case, RandomGenerator, Result, Step, call

LESSON = "07_batch_normalization"
WITHHELD = (
    "stroke_digits",
    "clinic",
    "initializers",
    "batchnorm",
    "layers",
    "dropout",
    "network",
    "gradcheck",
    "nonfinite",
    "range_test",
    "training",
    "sweep",
    "explore",
)
"""Modules of course_lib that hold an equivalent of what this lesson asks, or part of one."""

Cache = tuple[Array, Array, Array, Array]
Forward = Callable[..., tuple[Array, Any, Array, Array]]
Backward = Callable[..., tuple[Array, Array, Array]]


# he_init --------------------------------------------------------------------------------------------------------------


def he_init(n_in: int, n_out: int, rng: np.random.Generator) -> Array:
    """First weights of a layer before a ReLU: normal, mean 0, variance 2 / n_in.

    Source: He et al. (2015), Delving Deep into Rectifiers, equation 10.

    Args:
        n_in, n_out: units before and after, at least 1.
        rng: where the weights are drawn from.

    Returns:
        Weights, shape (n_in, n_out).
    """
    W: Array = rng.standard_normal((n_in, n_out)) * np.sqrt(2 / n_in)
    return W


def first_weights_are_wrong(case: Case, value: Any) -> str | None:
    """What is wrong with the weights of one call, or of several calls with generators of their own; None if nothing.

    Bounds are so wide that honest draws are turned away less than once in 10**9 checks.
    """
    values = value if len(case.answer) > 1 else (value,)
    calls = [case.steps[index].arguments for index in case.answer]
    for given, W in zip(calls, values, strict=True):
        sentence = _not_weights(W, given["n_in"], given["n_out"])
        if sentence is not None:
            return sentence
    if len(calls) > 1 and (sentence := _not_drawn_from_rng(values)) is not None:
        return sentence
    wanted = 2 / calls[0]["n_in"]
    different = values[1:] if len(values) > 1 else values
    return _not_normal(np.concatenate([np.ravel(W) for W in different]).astype(np.float64), wanted, calls[0]["n_in"])


def _not_weights(W: Any, n_in: int, n_out: int) -> str | None:
    if not isinstance(W, np.ndarray) or W.dtype.kind != "f":
        return "Return an array of real numbers, one weight for each pair of units."
    if W.shape != (n_in, n_out):
        also = " It looks transposed." if W.shape == (n_out, n_in) else ""
        return f"With n_in = {n_in} and n_out = {n_out} the shape is ({n_in}, {n_out}); yours is {W.shape}.{also}"
    if not np.isfinite(W).all():
        return "Some weights are not finite numbers."
    return None


def _not_drawn_from_rng(values: tuple[Any, ...]) -> str | None:
    """For several calls alike but for the seed: equal seeds come first and second, the others are all different."""
    first, again, *others = values
    if not np.array_equal(first, again):
        return (
            "Two generators of one seed gave different weights: draw from the `rng` you are given, not from "
            "`np.random`."
        )
    if all(np.array_equal(first, other) for other in others):
        return (
            "Generators of different seeds gave the same weights: draw from the `rng` you are given, not from your own."
        )
    return None


_FEWEST = 2000
"""Fewer weights than these are not asked what their distribution is: chance would have too much to say."""


def _not_normal(weights: Array, wanted: float, n_in: int) -> str | None:
    n = weights.size
    if n < _FEWEST:
        return None
    if len(np.unique(weights)) < 0.9 * n:
        return "Many weights are equal: draw each of them by itself."
    spread, mean = np.sqrt(np.mean(weights**2)), weights.mean()
    if abs(mean) > 7 * max(spread, 1e-300) / np.sqrt(n):
        return f"The mean of the weights is {mean:.3g}; it should be 0: as many below it as above."
    variance, slack = float(weights.var()), 8 * np.sqrt(2 / n)
    if abs(variance / wanted - 1) > slack:
        return f"The variance of the weights is {variance:.3g}; with n_in = {n_in} it should be about {wanted:.3g}."
    within = float(np.mean(np.abs(weights) < spread))  # 0.683 of a normal distribution, 0.577 of a flat one
    if abs(within - 0.6827) > 0.466 * 7 / np.sqrt(n):
        return "Mean and variance are right, but the weights are not normally distributed. Use `rng.normal`."
    return None


def _init_call(n_in: int, n_out: int, seed: int) -> Step:
    return call("he_init", n_in=n_in, n_out=n_out, rng=RandomGenerator(seed))


def _one(rng: np.random.Generator, n_in: int, n_out: int) -> Case:
    return Case((_init_call(n_in, n_out, int(rng.integers(2**31))),), label=f"n_in = {n_in}, n_out = {n_out}")


def _several(rng: np.random.Generator, n_in: int, n_out: int, calls: int) -> Case:
    """Several layers alike: the first two from generators of one seed, each other from one of its own."""
    seeds = [int(rng.integers(2**31)) for _ in range(calls - 1)]
    steps = tuple(_init_call(n_in, n_out, seed) for seed in (seeds[0], *seeds))
    return Case(steps, tuple(range(len(steps))), f"{calls} layers with n_in = {n_in}, n_out = {n_out}")


def _init_ordinary(rng: np.random.Generator) -> list[Case]:
    some = int(rng.integers(20, 40))
    return [_one(rng, 50 + some, 200), _one(rng, 400, 60 - some), _several(rng, 90, 30, 4)]


def _init_edge(rng: np.random.Generator) -> list[Case]:
    return [_one(rng, 1, 4000), _one(rng, 4000, 1), _several(rng, 8, 3, 100), _one(rng, 1, 1)]


def _init_nasty(rng: np.random.Generator) -> list[Case]:
    return [_one(rng, 3000, 8), _one(rng, 5, 3000), _several(rng, 3, 6, 130)]


def _scaled(scale: Callable[[int, int], float]) -> Callable[..., Array]:
    return lambda n_in, n_out, rng: rng.normal(0.0, scale(n_in, n_out), (n_in, n_out))


HE_INIT = Exercise(
    name="he_init",
    lesson=LESSON,
    question="Draw the first weights of a layer: normal, mean 0, variance 2 / n_in.",
    outputs=("W",),
    reference=he_init,
    groups=(
        Group("ordinary", "Ordinary layers", 3, _init_ordinary, first_weights_are_wrong),
        Group("edge", "One unit before or after, many layers", 1, _init_edge, first_weights_are_wrong),
        Group("nasty", "Wide to narrow, and narrow to wide", 1, _init_nasty, first_weights_are_wrong),
    ),
    misconceptions=(
        Misconception(
            "variance_taken_for_spread",
            "2 / n_in is the variance, and `rng.normal` wants the standard deviation: its root.",
            _scaled(lambda n_in, n_out: 2 / n_in),
            "n_in = 50: the variance is 0.04, the standard deviation 0.2. Which of the two does `rng.normal(0, ...)` "
            "take?",
        ),
        Misconception(
            "n_out_for_n_in",
            "The variance is 2 / n_out. A unit adds up n_in products, one for each unit before it: divide by n_in.",
            _scaled(lambda n_in, n_out: np.sqrt(2 / n_out)),
            "How many terms does one output of `x @ W` sum up: the rows of W or its columns?",
        ),
        Misconception(
            "both_sides",
            "The variance is 2 / (n_in + n_out), which is Glorot's rule (Xavier) for tanh. Here it is 2 / n_in.",
            _scaled(lambda n_in, n_out: np.sqrt(2 / (n_in + n_out))),
        ),
        Misconception(
            "relu_forgotten",
            "The variance is 1 / n_in. That keeps the size of a sum, and then the ReLU takes half of it away: 2 / "
            "n_in makes up for that.",
            _scaled(lambda n_in, n_out: np.sqrt(1 / n_in)),
            "Half of a signal's squares is lost at every ReLU. After 20 layers, what is left of 1?",
        ),
        Misconception(
            "not_scaled",
            "The weights have variance 1, however many units there are. Multiply them by the root of 2 / n_in.",
            _scaled(lambda n_in, n_out: 1.0),
        ),
        Misconception(
            "always_a_hundredth",
            "The weights have the standard deviation 0.01, however many units there are. It follows from n_in: the "
            "root of 2 / n_in.",
            _scaled(lambda n_in, n_out: 0.01),
        ),
        Misconception(
            "upside_down",
            "The spread grows with n_in: you multiply where you should divide. More terms in a sum ask for smaller "
            "weights.",
            _scaled(lambda n_in, n_out: np.sqrt(n_in / 2)),
        ),
        Misconception(
            "uniform",
            "Mean and variance are right, but the weights are spread evenly. That is He's rule in its other form; "
            "here a normal distribution is asked for.",
            lambda n_in, n_out, rng: rng.uniform(-np.sqrt(6 / n_in), np.sqrt(6 / n_in), (n_in, n_out)),
        ),
        Misconception(
            "uniform_up_to_the_spread",
            "The weights are spread evenly up to the root of 2 / n_in. Use `rng.normal`, with that root as its "
            "standard deviation.",
            lambda n_in, n_out, rng: rng.uniform(-np.sqrt(2 / n_in), np.sqrt(2 / n_in), (n_in, n_out)),
        ),
        Misconception(
            "never_negative",
            "No weight is below 0: `rng.random` gives numbers from 0 to 1. Use `rng.normal`, which has mean 0.",
            lambda n_in, n_out, rng: rng.random((n_in, n_out)) * np.sqrt(2 / n_in),
        ),
        Misconception(
            "transposed",
            "The shape is (n_out, n_in), as PyTorch stores it. In this course W has one row an input: (n_in, n_out).",
            lambda n_in, n_out, rng: rng.normal(0.0, np.sqrt(2 / n_in), (n_out, n_in)),
        ),
        Misconception(
            "own_generator",
            "A generator of your own, with a fixed seed, draws the weights, so every layer starts alike. Use the `rng` "
            "you are given.",
            lambda n_in, n_out, _rng: np.random.default_rng(0).normal(0.0, np.sqrt(2 / n_in), (n_in, n_out)),
        ),
    ),
    hints=(
        cleandoc("""
            Take n_in = 50 and n_out = 3: W has the shape (50, 3).

            The variance is 2 / 50 = 0.04, so the standard deviation is 0.2. About two weights in three lie between
            -0.2 and 0.2.
            """),
        cleandoc("""
            Draw n_in times n_out numbers from `rng`, normal, with mean 0. Their variance should be 2 / n_in, and a
            generator asks for the standard deviation, which is the root of the variance. Rows are inputs, columns
            are outputs.
            """),
        cleandoc("""
            ```python
            spread = np.sqrt(____)
            return rng.normal(0.0, spread, size=____)
            ```

            Why 2 over n_in, and not 1 over n_in?
            """),
    ),
    minutes=5,
    difficulty=1,
)


# batchnorm_forward ----------------------------------------------------------------------------------------------------


def batchnorm_forward(
    x: Array,
    gamma: Array,
    beta: Array,
    running_mean: Array,
    running_var: Array,
    momentum: float,
    eps: float,
    training: bool,
) -> tuple[Array, Cache, Array, Array]:
    """Give every column mean 0 and variance 1, then the scale gamma and the shift beta.

    In training mean and variance are those of the batch, the variance divided by N, and the running values move towards
    them by the share `momentum`, the new variance divided by N - 1. In evaluation the running values are used and stay.
    Source: Ioffe and Szegedy (2015), Batch Normalization, algorithms 1 and 2; momentum as in PyTorch.

    Args:
        x: a batch, shape (N, D); N at least 2 in training, where one example has no variance.
        gamma, beta: scale and shift, shape (D,).
        running_mean, running_var: shape (D,).
        momentum: the weight of the new batch, from 0 to 1.
        eps: added to the variance inside the root, at least 0.
        training: whether the batch's own mean and variance are used.

    Returns:
        The normalised batch, shape (N, D); what the backward pass needs; the new running mean and variance.
    """
    if training:
        n = len(x)
        mean, var = x.mean(axis=0), x.var(axis=0)
        running_mean = (1 - momentum) * running_mean + momentum * mean
        running_var = (1 - momentum) * running_var + momentum * var * n / (n - 1)
    else:
        mean, var = running_mean, running_var
    std = np.sqrt(var + eps)
    out = gamma * (x - mean) / std + beta
    return out, (x, mean, std, gamma), running_mean, running_var


def _forward_with(
    *,
    statistics: Callable[..., tuple[Any, Any]] = lambda x: (x.mean(axis=0), x.var(axis=0)),
    follow: Callable[..., Any] = lambda old, new, momentum: (1 - momentum) * old + momentum * new,
    unbiased: Callable[..., Any] = lambda var, n: var * n / (n - 1),
    divisor: Callable[..., Any] = lambda var, eps: np.sqrt(var + eps),
    finish: Callable[..., Any] = lambda x_hat, gamma, beta: gamma * x_hat + beta,
    batch_in_evaluation: bool = False,
    follow_in_evaluation: bool = False,
    running_in_training: bool = False,
    updated_first: bool = False,
) -> Callable[..., Any]:
    """The forward pass with some of its parts done differently."""

    def forward(
        x: Array,
        gamma: Array,
        beta: Array,
        running_mean: Array,
        running_var: Array,
        momentum: float,
        eps: float,
        training: bool,
    ) -> Any:
        mean, var = statistics(x)
        old = running_mean, running_var
        if training or follow_in_evaluation:
            running_mean = follow(running_mean, mean, momentum)
            running_var = follow(running_var, unbiased(var, len(x)), momentum)
        if updated_first:
            mean, var = running_mean, running_var
        elif running_in_training or not (training or batch_in_evaluation):
            mean, var = old
        x_hat = (x - mean) / divisor(var, eps)
        return finish(x_hat, gamma, beta), None, running_mean, running_var

    return forward


def _running_moved_in_place(
    x: Array,
    gamma: Array,
    beta: Array,
    running_mean: Array,
    running_var: Array,
    momentum: float,
    eps: float,
    training: bool,
) -> Any:
    out, cache, mean, var = batchnorm_forward(x, gamma, beta, running_mean, running_var, momentum, eps, training)
    running_mean[...], running_var[...] = mean, var
    return out, cache, running_mean, running_var


def _numbers(rng: np.random.Generator, n: int, d: int) -> Array:
    """A batch whose columns have means away from 0 and spreads away from 1."""
    found: Array = rng.normal(size=(n, d)) * rng.uniform(0.3, 3.0, d) + rng.choice([-1.0, 1.0], d) * rng.uniform(
        1, 3, d
    )
    return found


def _vectors(rng: np.random.Generator, d: int) -> dict[str, Array]:
    return {
        "gamma": rng.uniform(0.5, 2.0, d) * rng.choice([-1.0, 1.0], d),
        "beta": rng.uniform(0.5, 2.0, d) * rng.choice([-1.0, 1.0], d),
        "running_mean": rng.normal(size=d),
        "running_var": rng.uniform(0.5, 2.0, d),
    }


def _forward_step(
    rng: np.random.Generator,
    x: Array,
    *,
    training: bool = True,
    momentum: float | None = None,
    eps: float | None = None,
    **given: Array,
) -> Step:
    """A call with everything drawn that is not given; arrays take the dtype of x."""
    momentum = float(rng.uniform(0.1, 0.4)) if momentum is None else momentum
    eps = float(rng.uniform(0.01, 0.1)) if eps is None else eps
    vectors = {name: array.astype(x.dtype) for name, array in {**_vectors(rng, x.shape[1]), **given}.items()}
    return call("batchnorm_forward", x=x, **vectors, momentum=momentum, eps=eps, training=training)


def _pass(rng: np.random.Generator, x: Array, label: str = "", **given: Any) -> Case:
    mode = "training" if given.get("training", True) else "evaluation"
    return Case((_forward_step(rng, x, **given),), label=f"{mode}, {label or f'x of shape {x.shape}'}")


def _forward_ordinary(rng: np.random.Generator) -> list[Case]:
    return [
        _pass(rng, _numbers(rng, 6, 3)),
        _pass(rng, _numbers(rng, 4, 4)),
        _pass(rng, _numbers(rng, 3, 7), eps=1e-5),
        _pass(rng, _numbers(rng, 32, 5), momentum=0.1, eps=1e-5),
    ]


def _forward_edge(rng: np.random.Generator) -> list[Case]:
    return [
        _pass(rng, _numbers(rng, 6, 3), training=False),
        _pass(rng, _numbers(rng, 5, 5), training=False, eps=1e-5),
        _pass(rng, _numbers(rng, 1, 4), "one example", training=False),
        _pass(rng, _numbers(rng, 2, 3), "two examples"),
        _pass(rng, _numbers(rng, 5, 1), "one column"),
        _pass(rng, _numbers(rng, 5, 3), "momentum = 1", momentum=1.0),
        _pass(rng, _numbers(rng, 5, 3), "momentum = 0", momentum=0.0),
        _pass(rng, _numbers(rng, 5, 3), "gamma = 0", gamma=np.zeros(3)),
    ]


def _forward_nasty(rng: np.random.Generator) -> list[Case]:
    level = _numbers(rng, 6, 3)
    level[:, 1] = 2.5
    far = rng.normal(size=(8, 3)) + np.array([1e6, -1e6, 3e5])
    return [
        _pass(rng, level, "one column constant", eps=1e-5),
        _pass(rng, far, "columns a million away from 0", eps=1e-5),
        _pass(rng, _numbers(rng, 6, 3) * np.array([1e3, 1.0, 1e-3]), "columns a million apart in size", eps=1e-5),
        _pass(rng, _numbers(rng, 6, 3) * 1e100, "numbers near 1e100", eps=1e-5),
        _pass(rng, _numbers(rng, 8, 3).astype(np.float32), "float32"),
        _pass(rng, _numbers(rng, 8, 3).astype(np.float32), "float32", training=False),
    ]


BATCHNORM_FORWARD = Exercise(
    name="batchnorm_forward",
    lesson=LESSON,
    question="Normalise each column of a batch, then scale and shift it; keep running values for evaluation.",
    outputs=("out", "(cache)", "running_mean", "running_var"),
    reference=batchnorm_forward,
    groups=(
        Group("ordinary", "Ordinary training batches", 3, _forward_ordinary),
        Group("edge", "Evaluation, two examples, one column", 2, _forward_edge),
        Group("nasty", "Constant, far from 0, huge, float32", 1, _forward_nasty),
    ),
    misconceptions=(
        Misconception(
            "wrong_axis",
            "Each *example* is normalised over its units (axis 1). That is layer normalisation. Batch normalisation "
            "takes each unit over the examples: axis 0.",
            _forward_with(statistics=lambda x: (x.mean(axis=1, keepdims=True), x.var(axis=1, keepdims=True))),
            "x has the shape (N, D). A mean for each of the D units: which axis disappears?",
        ),
        Misconception(
            "one_mean_for_all",
            "There is one mean and one variance for the whole batch. Each unit has its own: axis 0.",
            _forward_with(statistics=lambda x: (np.full(x.shape[1], x.mean()), np.full(x.shape[1], x.var()))),
        ),
        Misconception(
            "biased_throughout",
            "The running variance takes the variance divided by N. It should take the one divided by N - 1: var * N / "
            "(N - 1).",
            _forward_with(unbiased=lambda var, n: var),
            "Two examples, 1 and 3: divided by N the variance is 1, divided by N - 1 it is 2. Normalise by the first, "
            "remember the second.",
        ),
        Misconception(
            "unbiased_throughout",
            "The batch is normalised by the variance divided by N - 1. Normalise by the one divided by N; only the "
            "running variance takes the other.",
            _forward_with(statistics=lambda x: (x.mean(axis=0), x.var(axis=0, ddof=1)), unbiased=lambda var, n: var),
        ),
        Misconception(
            "variances_exchanged",
            "The two variances are exchanged: normalise by the one divided by N, and let the running variance take the "
            "one divided by N - 1.",
            _forward_with(
                statistics=lambda x: (x.mean(axis=0), x.var(axis=0, ddof=1)),
                unbiased=lambda var, n: var * (n - 1) / n,
            ),
        ),
        Misconception(
            "momentum_reversed",
            "`momentum` weights the old value. Here it weights the *new* batch, as in PyTorch: (1 - momentum) * old + "
            "momentum * new. (In Keras it is the other way round.)",
            _forward_with(follow=lambda old, new, momentum: momentum * old + (1 - momentum) * new),
            "With momentum = 0.1 the running mean should move a tenth of the way to the batch's mean.",
        ),
        Misconception(
            "momentum_as_a_velocity",
            "The new value is added without taking anything of the old away. An average's two weights add up to 1: (1 "
            "- momentum) and momentum.",
            _forward_with(follow=lambda old, new, momentum: old + momentum * new),
        ),
        Misconception(
            "no_running_average",
            "The running values are just those of this batch. They should move a share `momentum` of the way: (1 - "
            "momentum) * old + momentum * new.",
            _forward_with(follow=lambda old, new, momentum: new),
        ),
        Misconception(
            "running_never_moves",
            "In training the running values come back as they went in. Without them evaluation has nothing to go by.",
            _forward_with(follow=lambda old, new, momentum: old),
        ),
        Misconception(
            "eps_outside_the_root",
            "eps is added to the standard deviation. It belongs inside the root: sqrt(var + eps).",
            _forward_with(divisor=lambda var, eps: np.sqrt(var) + eps),
            "var = 0, eps = 0.01: inside the root you divide by 0.1, outside by 0.01.",
        ),
        Misconception(
            "eps_forgotten",
            "eps is missing: sqrt(var + eps). Without it a unit that is the same for all examples is divided by 0.",
            _forward_with(divisor=lambda var, eps: np.sqrt(var)),
        ),
        Misconception(
            "divided_by_the_variance",
            "You divide by the variance. Divide by its root, the standard deviation: then the result has variance 1.",
            _forward_with(divisor=lambda var, eps: var + eps),
        ),
        Misconception(
            "scale_and_shift_forgotten",
            "This is the normalised batch itself. Scale and shift come last: gamma * x_hat + beta.",
            _forward_with(finish=lambda x_hat, gamma, beta: x_hat),
        ),
        Misconception(
            "shift_scaled_too",
            "The shift is multiplied by gamma as well: gamma * (x_hat + beta). Scale first, then shift: gamma * x_hat "
            "+ beta.",
            _forward_with(finish=lambda x_hat, gamma, beta: gamma * (x_hat + beta)),
        ),
        Misconception(
            "batch_in_evaluation",
            "In evaluation the batch's own mean and variance are used. Then an example's answer depends on its "
            "company. Use the running values there.",
            _forward_with(batch_in_evaluation=True),
            "One image alone is to be read. What would its own mean and variance be?",
        ),
        Misconception(
            "training_ignored",
            "`training` has no effect: in evaluation too the batch's own values are used, and the running ones move. "
            "There the running values are used, and stay as they are.",
            _forward_with(batch_in_evaluation=True, follow_in_evaluation=True),
        ),
        Misconception(
            "follows_in_evaluation",
            "The running values move in evaluation too, so that test examples leak into the model. Return them as they "
            "came.",
            _forward_with(follow_in_evaluation=True),
        ),
        Misconception(
            "running_in_training",
            "In training the batch is normalised by the running values. Use its own mean and variance there; the "
            "running ones are kept for evaluation.",
            _forward_with(running_in_training=True),
        ),
        Misconception(
            "running_after_the_update",
            "The batch is normalised by the running values, just after they moved. Use the batch's own mean and "
            "variance.",
            _forward_with(updated_first=True),
        ),
        Misconception(
            "spread_remembered",
            "The running variance takes standard deviations. It should take the variance, without the root.",
            _forward_with(
                unbiased=lambda var, n: np.sqrt(var * n / (n - 1)),
            ),
        ),
        Misconception(
            "mean_of_squares",
            "The variance is worked out as mean(x**2) - mean(x)**2. Far from 0 these are two huge numbers whose digits "
            "cancel. Subtract the mean first, then square.",
            _forward_with(statistics=lambda x: (x.mean(axis=0), (x**2).mean(axis=0) - x.mean(axis=0) ** 2)),
            "Near a million the squares are near 1e12, and a float64 has 16 digits: how many are left for a variance "
            "of 1?",
        ),
        Misconception(
            "input_changed",
            "The numbers are right, but an array that came in was changed: `x -= mean` and `running_mean *= ...` work "
            "on the caller's own. Write `x = x - mean`, which makes a new one.",
            _running_moved_in_place,
        ),
    ),
    hints=(
        cleandoc("""
            Take x = [[1, 0], [3, 4]], shape (2, 2), in training, with eps = 0, momentum = 0.1, gamma = [1, 10], beta =
            [0, 5], and running values 0 and 1.

            Means, shape (2,): [2, 2]. Variances divided by N: [1, 4]. Normalised: [[-1, -1], [1, 1]]. Scaled and
            shifted: out = [[-1, -5], [1, 15]], shape (2, 2).

            Variances divided by N - 1: [2, 8]. So running_mean = [0.2, 0.2] and running_var = [1.1, 1.7].
            """),
        cleandoc("""
            In training take mean and variance of every column (axis 0, divided by N), and move the running values a
            share `momentum` of the way towards them, with the variance times N / (N - 1). In
            evaluation take the running values instead and leave them alone. From there on both go the same way:
            subtract the mean, divide by the root of variance plus eps, times gamma, plus beta.
            """),
        cleandoc("""
            ```python
            if training:
                n = len(x)
                mean, var = x.mean(axis=0), x.var(axis=0)
                running_mean = (1 - momentum) * running_mean + momentum * mean
                running_var = (1 - momentum) * running_var + momentum * ____
            else:
                mean, var = running_mean, running_var
            std = ____
            x_hat = (x - mean) / std
            return gamma * x_hat + beta, (x_hat, std, gamma), running_mean, running_var
            ```

            Why does evaluation not use the mean of the batch it is given?
            """),
    ),
    minutes=12,
    difficulty=3,
)


# batchnorm_backward ---------------------------------------------------------------------------------------------------


def batchnorm_backward(dout: Array, cache: Cache) -> tuple[Array, Array, Array]:
    """The gradients of a training pass of batch normalisation.

    dx = gamma / std * (dout - mean(dout) - x_hat * mean(dout * x_hat)), means over the batch.
    Source: Ioffe and Szegedy (2015), Batch Normalization, section 3, simplified.

    Args:
        dout: gradient with respect to the output, shape (N, D).
        cache: what `batchnorm_forward` kept.

    Returns:
        The gradients with respect to x, shape (N, D), to gamma and to beta, shape (D,).
    """
    x, mean, std, gamma = cache
    x_hat = (x - mean) / std
    dgamma, dbeta = np.sum(dout * x_hat, axis=0), np.sum(dout, axis=0)
    dx = gamma / std * (dout - dbeta / len(x) - x_hat * dgamma / len(x))
    return dx, dgamma, dbeta


def matching_pair(forward: Forward, backward: Backward) -> tuple[Forward, Backward]:
    """A forward and a backward pass that understand each other's cache.

    Where only one of them is a learner's and the other the course's, the course's backward pass reads the cache of the
    course's forward pass; what the learner's forward pass gives is kept.
    """
    if (forward is batchnorm_forward) == (backward is batchnorm_backward):
        return forward, backward

    def with_the_courses_cache(*given: Any) -> tuple[Array, Any, Array, Array]:
        out, _, running_mean, running_var = forward(*given)
        return out, batchnorm_forward(*given)[1], running_mean, running_var

    return with_the_courses_cache, batchnorm_backward


def _backward_with(
    *,
    dx: Callable[..., Any] = lambda d, x_hat, std, gamma: (
        gamma / std * (d - d.mean(axis=0) - x_hat * (d * x_hat).mean(axis=0))
    ),
    dgamma: Callable[..., Any] = lambda d, x_hat, x, out: np.sum(d * x_hat, axis=0),
    dbeta: Callable[..., Any] = lambda d: np.sum(d, axis=0),
) -> Callable[..., Any]:
    """The backward pass with some of its parts done differently."""

    def backward(dout: Array, cache: Cache) -> Any:
        x, mean, std, gamma = cache
        x_hat = (x - mean) / std
        return dx(dout, x_hat, std, gamma), dgamma(dout, x_hat, x, gamma * x_hat), dbeta(dout)

    return backward


def _dout_changed(dout: Array, cache: Cache) -> Any:
    given = batchnorm_backward(dout, cache)
    dout -= dout.mean(axis=0)
    return given


def _exchanged(dout: Array, cache: Cache) -> Any:
    dx, dgamma, dbeta = batchnorm_backward(dout, cache)
    return dx, dbeta, dgamma


def _both_passes(rng: np.random.Generator, x: Array, label: str = "", **given: Any) -> Case:
    """A training pass, and then the backward pass on the cache that it returned."""
    dout = rng.normal(size=x.shape) + rng.choice([-1.0, 1.0], x.shape[1]) * rng.uniform(0.5, 1.5, x.shape[1])
    forward = _forward_step(rng, x, **given)
    back = call("batchnorm_backward", dout=dout.astype(x.dtype), cache=Result(0, 1))
    return Case((forward, back), (0, 1), label or f"x of shape {x.shape}")


def _backward_ordinary(rng: np.random.Generator) -> list[Case]:
    return [
        _both_passes(rng, _numbers(rng, 6, 3)),
        _both_passes(rng, _numbers(rng, 4, 4)),
        _both_passes(rng, _numbers(rng, 3, 7), eps=1e-5),
        _both_passes(rng, _numbers(rng, 32, 5), momentum=0.1, eps=1e-5),
    ]


def _backward_edge(rng: np.random.Generator) -> list[Case]:
    return [
        _both_passes(rng, _numbers(rng, 2, 3), "two examples"),
        _both_passes(rng, _numbers(rng, 5, 1), "one column"),
        _both_passes(rng, _numbers(rng, 5, 3), "gamma = 0", gamma=np.zeros(3)),
        _both_passes(rng, _numbers(rng, 5, 3), "eps = 2", eps=2.0),
    ]


def _backward_nasty(rng: np.random.Generator) -> list[Case]:
    level = _numbers(rng, 6, 3)
    level[:, 1] = 2.5
    return [
        _both_passes(rng, level, "one column constant", eps=1e-5),
        _both_passes(rng, rng.normal(size=(8, 3)) + 1e4, "columns ten thousand away from 0"),
        _both_passes(rng, _numbers(rng, 6, 3) * np.array([1e3, 1.0, 1e-3]), "columns a million apart in size"),
        _both_passes(rng, _numbers(rng, 12, 3).astype(np.float32), "float32"),
    ]


BATCHNORM_BACKWARD = Exercise(
    name="batchnorm_backward",
    lesson=LESSON,
    question="Return the gradients of a training pass with respect to x, gamma and beta.",
    outputs=(("out of batchnorm_forward", "(cache)", "running_mean", "running_var"), ("dx", "dgamma", "dbeta")),
    reference=batchnorm_backward,
    groups=(
        Group("ordinary", "Ordinary training batches", 3, _backward_ordinary),
        Group("edge", "Two examples, one column, gamma = 0", 1, _backward_edge),
        Group("nasty", "Constant, far from 0, float32", 1, _backward_nasty),
    ),
    misconceptions=(
        Misconception(
            "statistics_held_constant",
            "Mean and variance are treated as constants. They were made from x: move one example, and both move, for "
            "all. dx needs two more terms.",
            _backward_with(dx=lambda d, x_hat, std, gamma: d * gamma / std),
            "Add 1 to a whole column of x: nothing comes out differently. So each column of dx must sum to 0. Does "
            "yours?",
        ),
        Misconception(
            "variance_held_constant",
            "The mean's part is there, the variance's is missing: x_hat * mean(dout * x_hat) is to be subtracted too.",
            _backward_with(dx=lambda d, x_hat, std, gamma: gamma / std * (d - d.mean(axis=0))),
            "Stretch a column of x: nothing comes out differently (but for eps). So dx has to ignore stretching.",
        ),
        Misconception(
            "mean_held_constant",
            "The variance's part is there, the mean's is missing: mean(dout) is to be subtracted too.",
            _backward_with(dx=lambda d, x_hat, std, gamma: gamma / std * (d - x_hat * (d * x_hat).mean(axis=0))),
        ),
        Misconception(
            "gamma_forgotten",
            "dx is without gamma. The output is gamma times x_hat, so every slope passes through gamma.",
            _backward_with(
                dx=lambda d, x_hat, std, gamma: (d - d.mean(axis=0) - x_hat * (d * x_hat).mean(axis=0)) / std
            ),
        ),
        Misconception(
            "division_forgotten",
            "dx is not divided by the standard deviation, as x was on the way forward.",
            _backward_with(
                dx=lambda d, x_hat, std, gamma: gamma * (d - d.mean(axis=0) - x_hat * (d * x_hat).mean(axis=0))
            ),
        ),
        Misconception(
            "divided_by_the_variance",
            "dx is divided by the variance. Divide by its root, the standard deviation.",
            _backward_with(
                dx=lambda d, x_hat, std, gamma: gamma / std**2 * (d - d.mean(axis=0) - x_hat * (d * x_hat).mean(axis=0))
            ),
        ),
        Misconception(
            "sums_for_means",
            "In dx whole sums are subtracted. They are means over the batch: divide both by N.",
            _backward_with(
                dx=lambda d, x_hat, std, gamma: gamma / std * (d - d.sum(axis=0) - x_hat * (d * x_hat).sum(axis=0))
            ),
        ),
        Misconception(
            "divided_by_one_less",
            "In dx the sums are divided by N - 1. The batch was normalised by the variance divided by N, so it is N "
            "here too.",
            _backward_with(
                dx=lambda d, x_hat, std, gamma: (
                    gamma / std * (d - d.mean(axis=0) - x_hat * (d * x_hat).sum(axis=0) / (len(d) - 1))
                )
            ),
        ),
        Misconception(
            "averaged_again",
            "dx is divided by N once more. The 1/N of the loss is in dout already.",
            _backward_with(
                dx=lambda d, x_hat, std, gamma: (
                    gamma / std * (d - d.mean(axis=0) - x_hat * (d * x_hat).mean(axis=0)) / len(d)
                )
            ),
        ),
        Misconception(
            "signs_turned",
            "The two terms are added. Both are subtracted: they take away what shifting and stretching would do.",
            _backward_with(
                dx=lambda d, x_hat, std, gamma: gamma / std * (d + d.mean(axis=0) + x_hat * (d * x_hat).mean(axis=0))
            ),
        ),
        Misconception(
            "dgamma_by_x",
            "dgamma multiplies dout by x. gamma multiplies the *normalised* x on the way forward: dout * x_hat.",
            _backward_with(dgamma=lambda d, x_hat, x, out: np.sum(d * x, axis=0)),
            "out = gamma * x_hat + beta. The slope of that with respect to gamma is what stands beside it.",
        ),
        Misconception(
            "dgamma_by_the_output",
            "dgamma multiplies dout by what came after gamma. Take what gamma was multiplied with: x_hat.",
            _backward_with(dgamma=lambda d, x_hat, x, out: np.sum(d * out, axis=0)),
        ),
        Misconception(
            "means_for_sums",
            "dgamma and dbeta are means over the batch. Every example has passed through the same gamma, so their "
            "slopes add up: sum.",
            _backward_with(
                dgamma=lambda d, x_hat, x, out: np.mean(d * x_hat, axis=0), dbeta=lambda d: np.mean(d, axis=0)
            ),
        ),
        Misconception(
            "dbeta_averaged",
            "dbeta is a mean over the batch. Every example is shifted by the same beta, so the slopes add up: sum.",
            _backward_with(dbeta=lambda d: np.mean(d, axis=0)),
        ),
        Misconception(
            "one_number_for_all",
            "dgamma and dbeta are one number each. Every unit has its own scale and shift: sum over axis 0 alone.",
            _backward_with(dgamma=lambda d, x_hat, x, out: np.sum(d * x_hat), dbeta=lambda d: np.sum(d)),
        ),
        Misconception(
            "exchanged",
            "dgamma and dbeta come back in the wrong order. It is dx, dgamma, dbeta.",
            _exchanged,
        ),
        Misconception(
            "dout_changed",
            "The numbers are right, but dout itself was changed: `dout -= ...` works on the caller's array.",
            _dout_changed,
        ),
    ),
    hints=(
        cleandoc("""
            One column: x_hat = [-1, 0, 1] / sqrt(2/3), shape (3,), std = 2, gamma = 4, and dout = [3, 0, 0].

            dbeta = 3. dgamma = 3 * -1.2247 = -3.674. Subtract the mean of dout, 1: [2, -1, -1]. Subtract x_hat times
            -3.674 / 3 = -1.2247, that is [1.5, 0, -1.5]: what is left is [0.5, -1, 0.5]. Times gamma / std = 2: dx =
            [1, -2, 1], shape (3,). It sums to 0.
            """),
        cleandoc("""
            First let `batchnorm_forward` pass its check: this function reads the cache that yours returns. gamma stands
            beside x_hat and beta alone, and all examples share them: sum over the batch. For dx begin with dout. Take
            away its mean: shifting a column changes nothing. Take away x_hat times the mean of
            dout * x_hat: stretching changes nothing either. Then times gamma, divided by the standard deviation.
            """),
        cleandoc("""
            ```python
            x_hat, std, gamma = cache
            dgamma, dbeta = np.sum(dout * x_hat, axis=0), np.sum(dout, axis=0)
            n = len(dout)
            dx = gamma / std * (dout - ____ - ____)
            return dx, dgamma, dbeta
            ```

            Why must every column of dx sum to 0?
            """),
    ),
    minutes=12,
    difficulty=3,
    stretch=True,
    uses={"batchnorm_forward": batchnorm_forward},
)


EXERCISES: tuple[Exercise, ...] = (HE_INIT, BATCHNORM_FORWARD, BATCHNORM_BACKWARD)
