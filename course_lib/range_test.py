"""The learning rate range test: raise the rate at every step, and watch when the loss stops falling.

    lrs, losses = lr_range_test(model_loss_and_grad(model, X, y), model.parameters.theta)
    optimizer = SGD(model.parameters, lr=suggest_lr(lrs, losses))

Source: Smith 2017, Cyclical Learning Rates for Training Neural Networks, section 3.3. There the rate grows linearly;
here it grows geometrically, which gives every factor of ten the same number of steps.
"""

from collections.abc import Callable
from math import inf, isfinite
from typing import Any

import numpy as np
import numpy.typing as npt

from ._ranges import number, whole
from ._typing import Array
from .losses import softmax_cross_entropy
from .network import Sequential

LossAndGrad = Callable[[Array], tuple[float, Array]]
"""Takes the flat vector of weights; returns the loss and its gradient, of the vector's shape."""


def lr_range_test(
    loss_and_grad: LossAndGrad,
    theta0: npt.ArrayLike,
    lr_min: float = 1e-5,
    lr_max: float = 10.0,
    steps: int = 100,
) -> tuple[Array, Array]:
    """Take steps of plain gradient descent from `theta0`, each with a larger rate than the one before.

        lrs[i] = lr_min * (lr_max / lr_min)**(i / (steps - 1))        losses[i]: the loss before step i

    The test stops after the first loss above 4 times the best one so far, or not finite; that loss is kept.

    Args:
        loss_and_grad: the loss at a vector of weights, at least 0, and its gradient. Use all examples, or the same
            large batch: with small batches the loss is too noisy to be read.
        theta0: where to start, shape (P,); not changed.
        lr_min: the first rate, above 0.
        lr_max: the last rate, above `lr_min`.
        steps: how many rates, at least 2.

    Returns:
        The rates and the losses, two arrays of the same length, at most `steps`, in float64.

    Raises:
        ValueError: a value outside its range, or a gradient of another shape than `theta0`.
    """
    lr_min = number("lr_range_test", "lr_min", lr_min, above=0)
    lr_max = number("lr_range_test", "lr_max", lr_max, above=lr_min)
    steps = whole("lr_range_test", "steps", steps, at_least=2)
    theta = np.array(theta0, np.result_type(np.asarray(theta0), np.float32))
    lrs, losses, best = [], [], inf
    # Divergence is what the test looks for: NumPy need not warn of it.
    with np.errstate(over="ignore", invalid="ignore"):
        for i in range(steps):
            lr = lr_min * (lr_max / lr_min) ** (i / (steps - 1))
            loss, grad = loss_and_grad(theta)
            if np.shape(grad) != theta.shape:
                raise ValueError(f"loss_and_grad gave a gradient of shape {np.shape(grad)}; theta0 has {theta.shape}.")
            lrs.append(lr)
            losses.append(float(loss))
            if not isfinite(loss) or loss > 4 * best:
                break
            best = min(best, float(loss))
            theta = theta - lr * np.asarray(grad, theta.dtype)
    return np.array(lrs), np.array(losses)


def suggest_lr(lrs: npt.ArrayLike, losses: npt.ArrayLike) -> float:
    """The rate at the lowest loss, divided by 3.

    At the lowest loss itself the rate is already about to be too large. If the lowest loss is at the first or the last
    rate, the range was too narrow to tell: widen it. The suggestion is meant for the same batch size and for steps of
    plain gradient descent; another batch or optimizer has another best rate.

    Args:
        lrs, losses: what `lr_range_test` returned, two arrays of the same length, shape (K,), K at least 1.

    Returns:
        A learning rate. Of several lowest losses the first counts; losses that are not finite do not.

    Raises:
        ValueError: arrays that do not fit, or no finite loss.
    """
    rates, values = np.asarray(lrs), np.asarray(losses)
    if rates.ndim != 1 or rates.shape != values.shape:
        raise ValueError(f"lrs has shape {rates.shape} and losses {values.shape}; both need the same (K,).")
    finite = np.isfinite(values)
    if not finite.any():
        raise ValueError("no loss is finite; start lr_range_test from a smaller lr_min, and look for NaN in the data.")
    return float(rates[np.where(finite, values, inf).argmin()] / 3)


def model_loss_and_grad(
    model: Sequential,
    X: npt.ArrayLike,
    y: npt.ArrayLike,
    loss: Callable[[Array, Any], tuple[float, Array]] = softmax_cross_entropy,
) -> LossAndGrad:
    """A network and its data as a function of the flat vector of weights, for `lr_range_test`.

    It works on a copy: neither weights nor running statistics nor dropout's generator of `model` ever change.

    Args:
        model: the network.
        X, y: examples, shape (N, D), and their labels or targets.
        loss: as for `fit`.

    Returns:
        A function of `theta`, shape (P,), that returns the loss (in training mode) and a new gradient, shape (P,).
    """
    own = model.copy()
    targets = np.asarray(y)
    if targets.dtype.kind == "f":
        targets = targets.astype(model.dtype)

    def loss_and_grad(theta: Array) -> tuple[float, Array]:
        own.parameters.theta = theta
        value, dout = loss(own.forward(X), targets)
        own.backward(dout)
        return float(value), own.parameters.grad.copy()

    return loss_and_grad
