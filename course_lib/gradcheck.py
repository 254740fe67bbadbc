"""Is a gradient right? Compare it with differences, at every index.

The slope along one coordinate is nearly `(f(theta + h) - f(theta - h)) / (2h)`. The error is of order h**2 from the
curve and of order 1e-16/h from rounding; h near 1e-5 keeps both small, in float64. In float32 rounding drowns
everything, so float32 is refused. Near a kink (ReLU at 0) the two sides disagree: a large error there is no mistake.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ._typing import Array, IntArray
from .losses import softmax_cross_entropy
from .network import Sequential


@dataclass(frozen=True)
class GradientCheck:
    """The result of a check: the largest relative error over all indices, and where it is.

    Attributes:
        error: largest relative error. Below 1e-7 is right; above 1e-4 is a mistake (or a kink).
        where: name and index of that place, such as "W1[3, 2]".
        given: the gradient under test, there.
        numeric: the central difference, there.
        checked: how many indices were compared; all of them.
    """

    error: float
    where: str
    given: float
    numeric: float
    checked: int

    def __repr__(self) -> str:
        return (
            f"largest relative error {self.error:.1e} of {self.checked:,} indices, at {self.where}: "
            f"given {self.given:.6g}, by differences {self.numeric:.6g}"
        )


def numerical_gradient(f: Callable[[Array], float], theta: Array, h: float = 1e-5) -> Array:
    """The gradient of `f` at `theta` by central differences, with step `h * max(1, abs(theta))` along each coordinate.

    Args:
        f: takes an array like `theta`, returns a number.
        theta: where, float64, any shape. It is moved during the work and is to the bit as before afterwards.
        h: relative step, above 0.

    Returns:
        An array of the shape of `theta`.

    Raises:
        ValueError: `theta` is not float64, or h is not above 0.
    """
    if theta.dtype != np.float64:
        raise ValueError(f"theta is {theta.dtype}; differences need float64, as in theta.astype(np.float64).")
    if not h > 0:
        raise ValueError(f"h is {h}; it must be above 0, as in h=1e-5.")
    slope = np.empty_like(theta)
    for index in np.ndindex(theta.shape):
        kept = float(theta[index])
        step = h * max(1.0, abs(kept))
        try:
            theta[index] = kept + step
            right, above = theta[index], f(theta)
            theta[index] = kept - step
            left, below = theta[index], f(theta)
        finally:
            theta[index] = kept
        slope[index] = (above - below) / (right - left)  # the distance really walked, after rounding
    return slope


def gradient_check(f: Callable[[Array], float], theta: Array, grad: Array, h: float = 1e-5) -> GradientCheck:
    """Hold `grad` beside central differences of `f`, at every index of `theta`.

    The relative error at an index is `abs(given - numeric) / max(abs(given), abs(numeric), floor)`, where the floor, a
    thousandth of the largest slope, keeps rounding from shouting where a slope is nearly 0. A value that is not finite
    counts as an infinite error.

    Args:
        f: takes an array like `theta`, returns a number; must be deterministic (hold dropout masks fixed).
        theta: where, float64, any shape; left as it was.
        grad: the gradient under test, of the shape of `theta`.
        h: relative step of the differences, above 0.

    Raises:
        ValueError: `theta` is not float64 or is empty, shapes differ, or h is not above 0.

    Example:
        >>> theta = np.array([1.0, -2.0])
        >>> gradient_check(lambda x: float(np.sum(x**2)), theta, 2 * theta).error < 1e-7
        True
    """
    return _compare(numerical_gradient(f, theta, h), theta, grad, lambda place: f"theta{list(place)}")


def check_model(
    model: Sequential,
    X: Array,
    y: Array | IntArray,
    loss: Callable[..., tuple[float, Array]] = softmax_cross_entropy,
    h: float = 1e-5,
    *,
    training: bool = True,
) -> GradientCheck:
    """Hold a network's backward pass beside differences, at every weight.

    Chance is held fixed: every evaluation draws the dropout masks that the model would draw next.

    Args:
        model: made with `dtype=np.float64`. Nothing of it changes except `parameters.grad`, which holds the gradient.
        X: examples, shape (N, D).
        y: labels or targets, as `loss` takes them.
        loss: takes the model's output and `y`, returns the loss and its gradient.
        h: relative step of the differences, above 0.
        training: the mode to check; False for evaluation.

    Raises:
        ValueError: the model is not float64, or h is not above 0.
    """
    trial = _Trial(model, loss, training)
    trial.gradient(X, y)
    params = trial.model.parameters
    model.parameters.grad = params.grad
    # theta is the trial model's own vector: the network sees every change
    numeric = numerical_gradient(lambda _: trial.value(X, y), params.theta, h)

    def name(place: tuple[int, ...]) -> str:
        found, index = params.where(place[0])
        return f"{found}{list(index)}"

    return _compare(numeric, params.theta, model.parameters.grad, name)


def check_inputs(
    model: Sequential,
    X: Array,
    y: Array | IntArray,
    loss: Callable[..., tuple[float, Array]] = softmax_cross_entropy,
    h: float = 1e-5,
    *,
    training: bool = True,
) -> GradientCheck:
    """Hold the gradient with respect to the examples, `dX`, beside differences, at every number of `X`.

    Arguments and errors are those of `check_model`; nothing of the model changes.
    """
    trial = _Trial(model, loss, training)
    moved = np.array(X, np.float64)
    grad = trial.gradient(moved, y)
    numeric = numerical_gradient(lambda x: trial.value(x, y), moved, h)
    return _compare(numeric, moved, grad, lambda place: f"X{list(place)}")


class _Trial:
    """A copy of a network to try things on, which draws the same masks every time."""

    def __init__(self, model: Sequential, loss: Callable[..., tuple[float, Array]], training: bool) -> None:
        if model.dtype != np.float64:
            raise ValueError(f"the model is {model.dtype}; differences need float64: make it with dtype=np.float64.")
        self.model, self._loss, self._training = model.copy(), loss, training
        generators = [rng.bit_generator for layer in self.model.layers for rng in layer.generators().values()]
        self._first_draws = [(generator, generator.state) for generator in generators]

    def _forward(self, X: Array) -> Array:
        for generator, state in self._first_draws:
            generator.state = state
        return self.model.forward(X, training=self._training)

    def value(self, X: Array, y: Array | IntArray) -> float:
        return self._loss(self._forward(X), y)[0]

    def gradient(self, X: Array, y: Array | IntArray) -> Array:
        """The gradient with respect to X; that with respect to the weights is then in `model.parameters.grad`."""
        _, dout = self._loss(self._forward(X), y)
        for layer in reversed(self.model.layers):
            dout = layer.backward(dout)
        return dout


def _compare(numeric: Array, theta: Array, grad: Array, name: Callable[[tuple[int, ...]], str]) -> GradientCheck:
    if np.shape(grad) != theta.shape or theta.size == 0:
        raise ValueError(f"grad has shape {np.shape(grad)}, theta {theta.shape}; they must be equal and not empty.")
    finite = np.isfinite(grad) & np.isfinite(numeric)
    size = np.where(finite, np.maximum(np.abs(grad), np.abs(numeric)), 0.0)
    floor = max(1e-3 * float(size.max()), np.finfo(np.float64).tiny)
    apart = np.abs(np.subtract(grad, numeric, where=finite, out=np.full(theta.shape, np.inf)))
    errors = apart / np.maximum(size, floor)
    place = tuple(int(i) for i in np.unravel_index(errors.argmax(), theta.shape))
    return GradientCheck(float(errors[place]), name(place), float(grad[place]), float(numeric[place]), theta.size)
