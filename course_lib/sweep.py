"""Train many networks at once: every learning rate with every seed, in one batched array.

A claim about training wants several seeds, and a fair comparison wants each method at its own best rate. Here all of
these runs are rows of one array: a step is one batched matrix product a layer, and the optimizer, the very class
that trains a single network, updates all rows together. A run equals `fit` with the same rate and seed.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ._ranges import number
from ._typing import Array, IntArray
from .batchnorm import BatchNorm1d
from .layers import Initializer
from .network import MLP
from .optimizers import Optimizer
from .parameters import Parameters
from .training import minibatches


@dataclass(frozen=True)
class SweepResult:
    """What L rates times S seeds came to. A loss that is not finite is given as infinite.

    Attributes:
        lrs: the rates, shape (L,).
        seeds: the seeds, length S.
        steps: after how many steps the losses and accuracies below were measured, shape (K,); the last is the end.
        train_loss_curve: over all training examples, shape (L, S, K).
        train_accuracy_curve: the same, 0 to 1, shape (L, S, K).
        test_loss_curve, test_accuracy_curve: over the test examples, shape (L, S, K); None when there are none.
        theta: the trained weights, shape (L, S, P), in the order of `MLP(sizes).parameters`.
    """

    lrs: Array
    seeds: tuple[int, ...]
    steps: IntArray
    train_loss_curve: Array
    train_accuracy_curve: Array
    test_loss_curve: Array | None
    test_accuracy_curve: Array | None
    theta: Array

    @property
    def train_loss(self) -> Array:
        """At the end, shape (L, S)."""
        return self.train_loss_curve[..., -1]

    @property
    def train_accuracy(self) -> Array:
        """At the end, shape (L, S)."""
        return self.train_accuracy_curve[..., -1]

    @property
    def test_loss(self) -> Array:
        """At the end, shape (L, S)."""
        return _given(self.test_loss_curve)[..., -1]

    @property
    def test_accuracy(self) -> Array:
        """At the end, shape (L, S)."""
        return _given(self.test_accuracy_curve)[..., -1]

    def best(self) -> int:
        """Which rate is best, as an index into `lrs`: lowest training loss at the end, mean over seeds."""
        return int(self.train_loss.mean(axis=1).argmin())

    def __repr__(self) -> str:
        best = self.best()
        text = (
            f"SweepResult: {len(self.lrs)} rates x {len(self.seeds)} seeds, {self.steps[-1]:,} steps; best rate "
            f"{self.lrs[best]:.3g}: training loss {self.train_loss[best].mean():.3g}"
        )
        if self.test_accuracy_curve is not None:
            text += f", test accuracy {self.test_accuracy[best].mean():.1%}"
        return text


@dataclass
class _Runs:
    """The weights of all runs, a row each, as an optimizer sees them."""

    theta: Array
    grad: Array


def sweep(
    sizes: Sequence[int],
    X: Array,
    y: IntArray,
    optimizer: Callable[..., Optimizer],
    lrs: Iterable[float],
    seeds: Iterable[int],
    *,
    epochs: int,
    batch_size: int,
    X_test: Array | None = None,
    y_test: IntArray | None = None,
    measure_every: int | None = None,
    dtype: npt.DTypeLike = np.float32,
    dropout: float = 0.0,
    init: Initializer | None = None,
    batch_norm: bool | tuple[Callable[..., Any], Callable[..., Any]] = False,
    **options: Any,
) -> SweepResult:
    """Train a ReLU network of these sizes with softmax cross-entropy, once for every rate and seed.

    A seed stands for `rng = np.random.default_rng(seed)`, which draws first the weights of `MLP(sizes, rng=rng)` and
    then the order of the examples in every epoch, as `fit(..., rng=rng)` does; with dropout the masks of every step
    too. Runs that share a seed are pairs: compare them with `intervals.paired_interval`.

    Args:
        sizes: numbers of units, as for `MLP`; [64, 10] is a linear model, [64, 64, 10] has one hidden layer.
        X: training examples, shape (N, D), or (S, N, D) for a data set of its own for each seed.
        y: labels, shape (N,), or (S, N).
        optimizer: a class from `course_lib.optimizers`, or anything that is called as
            `optimizer(params, lr=rates, **options)` and then has `step()`. `params.theta` and `params.grad` have shape
            (R, P), a row a run, and `rates` has shape (R, 1).
        lrs: learning rates, at least one.
        seeds: at least one.
        epochs: how often to go through all examples, at least 1.
        batch_size: examples a step, at least 1.
        X_test, y_test: examples to test on, shapes like those of `X` and `y`; both or neither.
        measure_every: measure losses and accuracies after every so many steps, and at the end; at the end alone when
            not given.
        dtype: `np.float32` or `np.float64`.
        dropout: probability of dropping a hidden unit in training, at least 0 and below 1, as for `MLP`; losses and
            accuracies are measured without.
        init: draws the first weights, as for `MLP`.
        batch_norm: whether to normalise before each activation, as for `MLP`. Losses and accuracies are then measured
            with the running values. Two functions, `batchnorm_forward` and `batchnorm_backward` as lesson 07 asks for
            them, do it themselves: they see every unit of every run as a column.
        options: further arguments of the optimizer, as in `momentum=0.9`.

    Returns:
        A `SweepResult`.

    Raises:
        ValueError: shapes that do not fit, no rates or seeds, numbers below 1, dropout outside [0, 1), or a batch of
            one with batch normalisation.

    Example:
        >>> from course_lib.data import digits_split
        >>> from course_lib.optimizers import SGD
        >>> d = digits_split("random")
        >>> sweep([64, 10], d.X_train, d.y_train, SGD, [0.1, 1.0], range(3), epochs=2, batch_size=32).train_loss.shape
        (2, 3)
    """
    rates, seeds = np.array(list(lrs), dtype=np.float64), tuple(seeds)
    if rates.size == 0 or not seeds:
        raise ValueError(f"sweep got {rates.size} rates and {len(seeds)} seeds; it needs at least one of each.")
    if epochs < 1 or batch_size < 1 or (measure_every is not None and measure_every < 1):
        raise ValueError(
            f"sweep got epochs={epochs}, batch_size={batch_size}, measure_every={measure_every}; "
            "each must be at least 1."
        )
    if (X_test is None) != (y_test is None):
        raise ValueError("sweep got one of X_test and y_test; give both, or neither.")
    dropout = number("sweep", "dropout", dropout, at_least=0, below=1)
    train = _for_seeds(X, y, sizes, len(seeds), dtype)
    test = None if X_test is None or y_test is None else _for_seeds(X_test, y_test, sizes, len(seeds), dtype)

    if batch_norm and 1 in (batch_size, train[0].shape[1] % batch_size):
        raise ValueError(
            f"sweep got {train[0].shape[1]} examples and batch_size={batch_size}, so some batch holds one example; "
            "batch normalisation needs at least 2."
        )

    generators = [np.random.default_rng(seed) for seed in seeds]
    models = [MLP(sizes, rng=rng, dtype=dtype, init=init, batch_norm=bool(batch_norm)) for rng in generators]
    first = [model.parameters for model in models]
    shape = (len(rates), len(seeds), first[0].size)
    theta = np.empty(shape, first[0].dtype)
    theta[...] = np.stack([parameters.theta for parameters in first])
    grad = np.zeros_like(theta)
    weights, slopes = _windows(theta, first[0]), _windows(grad, first[0])
    normalised = [layer for layer in models[0].layers if isinstance(layer, BatchNorm1d)]
    if isinstance(batch_norm, tuple):
        norms: list[_BatchNorms] = [_GivenNorms(layer, shape[:2], *batch_norm) for layer in normalised]
    else:
        norms = [_BatchNorms(layer, shape[:2]) for layer in normalised]
    runs = _Runs(theta.reshape(-1, shape[2]), grad.reshape(-1, shape[2]))
    opt = optimizer(runs, lr=np.repeat(rates, len(seeds))[:, None], **options)

    total = epochs * math.ceil(train[0].shape[1] / batch_size)
    steps: list[int] = []
    measured: list[tuple[Array, ...]] = []
    taken = 0
    with np.errstate(over="ignore", invalid="ignore"):  # some rates are meant to be too large
        for _ in range(epochs):
            orders = [minibatches(train[0].shape[1], batch_size, rng) for rng in generators]
            for rows in map(np.stack, zip(*orders, strict=True)):  # (S, B)
                each = np.arange(len(seeds))[:, None]
                factors = _factors(dropout, weights, generators, rows.shape[1]) if dropout else None
                _gradients(weights, slopes, norms, train[0][each, rows], train[1][each, rows], factors)
                opt.step()
                taken += 1
                if taken == total or (measure_every and taken % measure_every == 0):
                    steps.append(taken)
                    found = _measure(weights, norms, *train)
                    measured.append(found if test is None else found + _measure(weights, norms, *test))
    curves = [np.stack(curve, axis=-1) for curve in zip(*measured, strict=True)]
    test_loss, test_accuracy = curves[2:] if test is not None else (None, None)
    return SweepResult(rates, seeds, np.array(steps), curves[0], curves[1], test_loss, test_accuracy, theta)


def _for_seeds(
    X: npt.ArrayLike, y: npt.ArrayLike, sizes: Sequence[int], seeds: int, dtype: npt.DTypeLike
) -> tuple[Array, IntArray]:
    """The data with an axis for the seeds in front: (S, N, D) and (S, N)."""
    inputs, labels = np.asarray(X, dtype), np.asarray(y)
    n, d = inputs.shape[-2:] if inputs.ndim >= 2 else (0, 0)
    if n == 0 or d != sizes[0] or inputs.shape not in ((n, d), (seeds, n, d)) or labels.shape not in ((n,), (seeds, n)):
        raise ValueError(
            f"examples have shape {inputs.shape} and labels {labels.shape}; sweep needs (N, {sizes[0]}) and (N,), "
            f"or ({seeds}, N, {sizes[0]}) and ({seeds}, N)."
        )
    if labels.dtype.kind not in "iu" or labels.min() < 0 or labels.max() >= sizes[-1]:
        raise ValueError(f"labels must be whole numbers from 0 to {sizes[-1] - 1}, one for each output of the network.")
    return np.broadcast_to(inputs, (seeds, n, d)), np.broadcast_to(labels, (seeds, n))


def _windows(flat: Array, parameters: Parameters) -> list[list[Array]]:
    """Views of `flat`, shape (L, S, P), a list a layer: W, shape (L, S, n_in, n_out), and b, shape (L, S, 1, n_out).

    With batch normalisation gamma and beta follow in hidden layers, of the shape of b.
    """
    layers: list[list[Array]] = []
    start = 0
    for weights in parameters.values():
        shape = weights.shape if weights.ndim == 2 else (1, *weights.shape)
        if weights.ndim == 2:
            layers.append([])
        layers[-1].append(flat[..., start : start + weights.size].reshape(*flat.shape[:2], *shape))
        start += weights.size
    return layers


def _factors(p: float, weights: list[list[Array]], generators: list[np.random.Generator], batch: int) -> list[Array]:
    """Dropout's masks times 1 / (1 - p), a fresh one for each seed and hidden layer, shape (S, B, H)."""
    factors = []
    for W, *_ in weights[:-1]:
        kept = np.stack([rng.random((batch, W.shape[-1])) >= p for rng in generators])
        factors.append(kept * W.dtype.type(1 / (1 - p)))
    return factors


class _BatchNorms:
    """What `BatchNorm1d` does, for one layer of all runs; arrays have the axes of rates and seeds in front."""

    def __init__(self, layer: BatchNorm1d, runs: tuple[int, ...]) -> None:
        self.eps, self.momentum = layer.eps, layer.momentum
        self.running_mean: Array = np.tile(layer.running_mean, (*runs, 1, 1))
        self.running_var: Array = np.tile(layer.running_var, (*runs, 1, 1))

    def forward(self, x: Array, gamma: Array, beta: Array, training: bool) -> Array:
        """x (L, S, B, n), which is written over; gamma and beta (L, S, 1, n)."""
        mean: Array = x.mean(axis=-2, keepdims=True) if training else self.running_mean
        x -= mean
        var: Array = self.running_var
        if training:
            n = x.shape[-2]
            var = np.einsum("...ij,...ij->...j", x, x)[..., None, :] / n
            self.running_mean += self.momentum * (mean - self.running_mean)
            self.running_var += self.momentum * (var * (n / (n - 1)) - self.running_var)
        std = np.sqrt(var + self.eps)
        x /= std
        if training:
            self.x_hat, self.std = x, std
        return x * gamma + beta

    def backward(self, dout: Array, gamma: Array, dgamma: Array, dbeta: Array) -> Array:
        """Write dgamma and dbeta, and return dx, in the place of dout."""
        n = dout.shape[-2]
        dgamma[...] = np.einsum("...ij,...ij->...j", dout, self.x_hat)[..., None, :]
        np.sum(dout, axis=-2, keepdims=True, out=dbeta)
        dout -= dbeta / n
        dout -= self.x_hat * (dgamma / n)
        dout *= gamma / self.std
        return dout


class _GivenNorms(_BatchNorms):
    """The same by two given functions, which take arrays of shape (B, C): every unit of every run is a column."""

    def __init__(
        self, layer: BatchNorm1d, runs: tuple[int, ...], forward: Callable[..., Any], backward: Callable[..., Any]
    ) -> None:
        super().__init__(layer, runs)
        self.given_forward, self.given_backward = forward, backward

    def forward(self, x: Array, gamma: Array, beta: Array, training: bool) -> Array:
        vectors = [v.reshape(-1) for v in (gamma, beta, self.running_mean, self.running_var)]
        out, cache, *running = self.given_forward(_columns(x), *vectors, self.momentum, self.eps, training)
        if training:
            self.cache = cache
            self.running_mean, self.running_var = (np.reshape(v, gamma.shape) for v in running)
        return _rows(out, x.shape).copy()  # the cache may hold `out`, and a ReLU will write over it

    def backward(self, dout: Array, gamma: Array, dgamma: Array, dbeta: Array) -> Array:
        dx, scale, shift = self.given_backward(_columns(dout), self.cache)
        dgamma[...], dbeta[...] = np.reshape(scale, gamma.shape), np.reshape(shift, gamma.shape)
        return _rows(dx, dout.shape)


def _columns(x: Array) -> Array:
    """(L, S, B, n) to (B, L * S * n)."""
    return np.moveaxis(x, -2, 0).reshape(x.shape[-2], -1)


def _rows(columns: Array, shape: tuple[int, ...]) -> Array:
    """What `_columns` took apart, put together."""
    *runs, batch, n = shape
    return np.moveaxis(np.reshape(columns, (batch, *runs, n)), 0, -2)


def _forward(
    weights: list[list[Array]],
    norms: list[_BatchNorms],
    X: Array,
    factors: list[Array] | None = None,
    training: bool = False,
) -> tuple[list[Array], Array]:
    """Inputs of every layer, and the logits, shape (L, S, B, C)."""
    inputs = [X]
    for i, (W, b, *scale_and_shift) in enumerate(weights):
        out: Array = inputs[-1] @ W
        out += b
        if i + 1 == len(weights):
            return inputs, out
        if norms:
            gamma, beta = scale_and_shift
            out = norms[i].forward(out, gamma, beta, training)
        np.maximum(out, 0, out=out)
        if factors:
            out *= factors[i]
        inputs.append(out)
    raise AssertionError("a network has at least one layer")


def _gradients(
    weights: list[list[Array]],
    slopes: list[list[Array]],
    norms: list[_BatchNorms],
    X: Array,
    y: IntArray,
    factors: list[Array] | None = None,
) -> None:
    inputs, logits = _forward(weights, norms, X, factors, training=True)
    logits -= logits.max(axis=-1, keepdims=True)
    dout = np.exp(logits, out=logits)
    dout /= dout.sum(axis=-1, keepdims=True)
    dout -= np.arange(dout.shape[-1]) == y[..., None]
    dout /= y.shape[-1]
    for i in range(len(weights) - 1, -1, -1):
        dW, db, *of_norm = slopes[i]
        if of_norm:
            dout = norms[i].backward(dout, weights[i][2], *of_norm)
        np.matmul(np.swapaxes(inputs[i], -1, -2), dout, out=dW)
        np.sum(dout, axis=-2, keepdims=True, out=db)
        if i > 0:
            dout = dout @ np.swapaxes(weights[i][0], -1, -2)
            dout *= inputs[i] > 0  # where a unit was dropped its output is 0 too
            if factors:
                dout *= factors[i - 1]


def _measure(weights: list[list[Array]], norms: list[_BatchNorms], X: Array, y: IntArray) -> tuple[Array, Array]:
    """Mean loss (infinite where not finite) and accuracy, each of shape (L, S)."""
    _, logits = _forward(weights, norms, X)
    logits -= logits.max(axis=-1, keepdims=True)
    right = np.take_along_axis(logits, np.broadcast_to(y[..., None], (*logits.shape[:-1], 1)), axis=-1)[..., 0]
    losses = np.log(np.exp(logits).sum(axis=-1)) - right
    means = losses.mean(axis=-1, dtype=np.float64)
    return np.where(np.isfinite(means), means, np.inf), (logits.argmax(axis=-1) == y).mean(axis=-1)


def _given(curve: Array | None) -> Array:
    if curve is None:
        raise ValueError("nothing was tested; give sweep X_test and y_test.")
    return curve
