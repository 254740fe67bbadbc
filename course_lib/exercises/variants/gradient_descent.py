"""Lesson 02: right answers as other people write them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np


def loss_loops(theta: Any, X: Any, y: Any) -> Any:
    n, d = X.shape
    loss, grad = 0.0, np.zeros(d)
    for i in range(n):
        error = sum(X[i, j] * theta[j] for j in range(d)) - y[i]
        loss += error**2 / (2 * n)
        for j in range(d):
            grad[j] += error * X[i, j] / n
    return loss, grad


def loss_einsum(theta: Any, X: Any, y: Any) -> Any:
    r = np.einsum("nd,d->n", X, theta) - y
    return np.einsum("n,n->", r, r) / len(y) / 2, np.einsum("nd,n->d", X, r) / len(y)


def loss_broadcast(theta: Any, X: Any, y: Any) -> Any:
    """A list is fine too, and a loss that is an array without axes."""
    r = (X * theta).sum(axis=1) - y
    return [np.asarray(0.5 * np.mean(r**2)), (r[:, None] * X).mean(axis=0)]


def loss_columns(theta: Any, X: Any, y: Any) -> Any:
    """Columns all the way; what comes back is a view of one."""
    r = X @ theta.reshape(-1, 1) - y.reshape(-1, 1)
    return (r.T @ r).item() / (2 * X.shape[0]), (X.T @ r / X.shape[0])[:, 0]


def loss_target_first(theta: Any, X: Any, y: Any) -> Any:
    r = y - X.dot(theta)
    return np.sum(np.square(r)) / (2 * len(r)), -r.dot(X) / len(r)


def loss_single(theta: Any, X: Any, y: Any) -> Any:
    """Keeps float32."""
    r = X @ theta - y
    grad = X.T @ r / np.float32(len(y)) if y.dtype == np.float32 else X.T @ r / len(y)
    assert grad.dtype == X.dtype
    return np.mean(r * r) / 2, grad


def walk_preallocated(grad: Any, theta0: Any, lr: float, steps: int) -> Any:
    path = np.zeros((steps + 1, len(theta0)), theta0.dtype)
    path[0] = theta0
    for t in range(steps):
        path[t + 1] = path[t] - lr * grad(path[t])
    return path


def walk_in_place_on_copies(grad: Any, theta0: Any, lr: float, steps: int) -> Any:
    theta = theta0.copy()
    path = [theta.copy()]
    for _ in range(steps):
        theta -= lr * grad(theta)
        path.append(theta.copy())
    return np.vstack(path)


def walk_recursive(grad: Any, theta0: Any, lr: float, steps: int) -> Any:
    if steps == 0:
        return theta0[None]
    return np.concatenate([theta0[None], walk_recursive(grad, theta0 - grad(theta0) * lr, lr, steps - 1)])


def walk_by_entries(grad: Any, theta0: Any, lr: float, steps: int) -> Any:
    """Loops over the weights, but takes the whole gradient first."""
    path = [list(theta0)]
    for _ in range(steps):
        slope = grad(np.array(path[-1]))
        path.append([value - lr * slope[i] for i, value in enumerate(path[-1])])
    return np.array(path)


def walk_accumulate(grad: Any, theta0: Any, lr: float, steps: int) -> Any:
    from itertools import accumulate

    return np.stack(list(accumulate(range(steps), lambda theta, _: theta - lr * grad(theta), initial=theta0)))


def walk_single(grad: Any, theta0: Any, lr: float, steps: int) -> Any:
    """Keeps float32; what comes back is a view of a larger array."""
    kept = np.empty((len(theta0), steps + 5), theta0.dtype)
    kept[:, 0] = theta0
    for t in range(steps):
        kept[:, t + 1] = kept[:, t] - theta0.dtype.type(lr) * grad(kept[:, t])
    return kept.T[: steps + 1]


def stable_maximum(H: Any) -> Any:
    return 2 / max(np.linalg.eigvals(H).real.tolist())


def stable_norm(H: Any) -> Any:
    return 2 / np.linalg.norm(H, 2)


def stable_singular_values(H: Any) -> Any:
    return np.asarray(2.0 / np.linalg.svd(H, compute_uv=False)[0])


def stable_along_the_steepest(H: Any) -> Any:
    """The curvature along the last eigenvector."""
    v = np.linalg.eigh(H)[1][:, -1]
    return 2 / np.einsum("i,ij,j->", v, H, v)


def stable_single(H: Any) -> Any:
    return H.dtype.type(2) / np.linalg.eigvalsh(H).max()


RIGHT: dict[str, list[Callable[..., Any]]] = {
    "loss_and_gradient": [loss_loops, loss_einsum, loss_broadcast, loss_columns, loss_target_first, loss_single],
    "gradient_descent": [
        walk_preallocated,
        walk_in_place_on_copies,
        walk_recursive,
        walk_by_entries,
        walk_accumulate,
        walk_single,
    ],
    "max_stable_lr": [
        stable_maximum,
        stable_norm,
        stable_singular_values,
        stable_along_the_steepest,
        stable_single,
    ],
}
