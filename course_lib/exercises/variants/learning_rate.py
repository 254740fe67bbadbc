"""Lesson 08: right answers as other people write them."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np


def suggest_loop(lrs: Any, losses: Any) -> Any:
    lowest, at = math.inf, 0
    for i, loss in enumerate(losses):
        if math.isfinite(loss) and loss < lowest:
            lowest, at = loss, i
    return lrs[at] / 3


def suggest_finite_pairs(lrs: Any, losses: Any) -> Any:
    keep = np.isfinite(losses)
    return lrs[keep][losses[keep].argmin()] / 3.0


def suggest_nanargmin(lrs: Any, losses: Any) -> Any:
    """What is infinite is never the lowest, so NaN alone has to be set aside; the answer is an array without axes."""
    return np.asarray(lrs[np.nanargmin(losses)] / lrs.dtype.type(3))


def suggest_sorted(lrs: Any, losses: Any) -> Any:
    """NumPy sorts NaN to the end."""
    return float(lrs[np.argsort(losses)[0]]) * (1 / 3)


def suggest_pairs(lrs: Any, losses: Any) -> Any:
    return min((loss, lr) for lr, loss in zip(lrs.tolist(), losses.tolist(), strict=True) if math.isfinite(loss))[1] / 3


def range_geomspace(loss_and_grad: Any, theta0: Any, lr_min: float, lr_max: float, steps: int) -> Any:
    rates = np.geomspace(lr_min, lr_max, steps)
    theta, losses = theta0.copy(), []
    for lr in rates:
        loss, grad = loss_and_grad(theta)
        losses.append(loss)
        if not np.isfinite(loss) or loss > 4 * np.min(losses):
            break
        theta -= lr * grad
    return rates[: len(losses)], np.array(losses)


def range_growing(loss_and_grad: Any, theta0: Any, lr_min: float, lr_max: float, steps: int) -> Any:
    """The rate grows by a factor at every turn; a step is taken only where one more loss is to come."""
    factor = (lr_max / lr_min) ** (1 / (steps - 1))
    lr, theta, best = lr_min, np.array(theta0), float("inf")
    found = []
    while True:
        loss, grad = loss_and_grad(theta)
        found.append((lr, loss))
        good = math.isfinite(loss) and loss <= 4 * best
        if not good or len(found) == steps:
            break
        best = min(best, loss)
        theta = theta - lr * grad
        lr *= factor
    return np.array(found).T[0], np.array(found).T[1]


def range_preallocated(loss_and_grad: Any, theta0: Any, lr_min: float, lr_max: float, steps: int) -> Any:
    lrs, losses = np.logspace(np.log10(lr_min), np.log10(lr_max), steps), np.zeros(steps)
    theta, best, measured = theta0, np.inf, 0
    for i in range(steps):
        losses[i], grad = loss_and_grad(theta)
        measured = i + 1
        if losses[i] > 4 * best or np.isnan(losses[i]) or np.isinf(losses[i]):
            break
        best = np.minimum(best, losses[i])
        theta = theta - lrs[i] * grad
    return lrs[:measured], losses[:measured]


def range_single(loss_and_grad: Any, theta0: Any, lr_min: float, lr_max: float, steps: int) -> Any:
    """Keeps the dtype of theta0 in every step, and returns a list of two arrays."""
    theta = np.copy(theta0)
    lrs: list[Any] = []
    losses: list[Any] = []
    for power in np.linspace(0, 1, steps):
        lrs += [math.exp((1 - power) * math.log(lr_min) + power * math.log(lr_max))]
        value, slope = loss_and_grad(theta)
        losses += [value]
        if not math.isfinite(value) or (losses[:-1] and value > 4 * min(losses[:-1])):
            break
        theta = (theta - theta.dtype.type(lrs[-1]) * slope).astype(theta0.dtype)
    return [np.asarray(lrs), np.asarray(losses)]


def clip_concatenated(grads: Any, max_norm: float) -> Any:
    norm = np.linalg.norm(np.concatenate([grad.ravel() for grad in grads.values()]))
    if norm <= max_norm:
        return {name: grad.copy() for name, grad in grads.items()}, norm
    return {name: grad * (max_norm / (norm + 1e-6)) for name, grad in grads.items()}, norm


def clip_loops(grads: Any, max_norm: float) -> Any:
    total = 0.0
    for grad in grads.values():
        for value in grad.flat:
            total += float(value) ** 2
    norm = total**0.5
    scale = max_norm / (norm + 1e-6)
    clipped = {}
    for name, grad in grads.items():
        clipped[name] = grad * scale if scale < 1 else grad
    return clipped, norm


def clip_einsum(grads: Any, max_norm: float) -> Any:
    squares = [np.einsum("i,i->", grad.ravel(), grad.ravel()) for grad in grads.values()]
    norm = np.sqrt(np.sum(squares))
    return {name: np.minimum(1, max_norm / (norm + 1e-6)) * grad for name, grad in grads.items()}, norm


def clip_norm_of_norms(grads: Any, max_norm: float) -> Any:
    """The norm of the arrays' norms is that of all together."""
    norm = np.linalg.norm([np.linalg.norm(grad) for grad in grads.values()])
    scale = np.clip(max_norm / (norm + 1e-6), None, 1)
    return dict(zip(grads, (grad * scale for grad in grads.values()), strict=True)), float(norm)


def clip_single(grads: Any, max_norm: float) -> Any:
    """Keeps float32, and works in place on copies."""
    norm = math.hypot(*(float(np.sqrt(np.vdot(grad, grad))) for grad in grads.values()))
    copies = {name: np.array(grad) for name, grad in grads.items()}
    if norm + 1e-6 > max_norm:
        for copy in copies.values():
            copy *= max_norm / (norm + 1e-6)
    return copies, norm


RIGHT: dict[str, list[Callable[..., Any]]] = {
    "suggest_lr": [suggest_loop, suggest_finite_pairs, suggest_nanargmin, suggest_sorted, suggest_pairs],
    "lr_range_test": [range_geomspace, range_growing, range_preallocated, range_single],
    "clip_by_global_norm": [clip_concatenated, clip_loops, clip_einsum, clip_norm_of_norms, clip_single],
}
