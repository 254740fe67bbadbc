"""Lesson 00: right answers as other people write them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np


def slope_two_lines(f: Any, x: float, h: float) -> Any:
    left, right = x - h, x + h
    return (f(right) - f(left)) / (right - left)


def slope_mean_of_sides(f: Any, x: float, h: float) -> Any:
    here = f(x)
    return ((f(x + h) - here) / h + (here - f(x - h)) / h) / 2


def slope_numpy(f: Any, x: float, h: float) -> Any:
    heights = np.array([f(x - h), f(x + h)])
    return np.diff(heights)[0] / (2 * h)


def slope_float(f: Any, x: float, h: float) -> float:
    return 0.5 / h * float(f(x + h) - f(x - h))


def slope_signs(f: Any, x: float, h: float) -> Any:
    total = 0.0
    for sign in (1, -1):
        total += sign * f(x + sign * h)
    return np.asarray(total / (2 * h))


def chain_named_links(w: float, x: float, t: float) -> Any:
    error = w * x - t
    error_along_w, loss_along_error = x, 2 * error
    return error * error, loss_along_error * error_along_w


def chain_turned_error(w: float, x: float, t: float) -> Any:
    missing = t - w * x
    return missing**2, -2 * x * missing


def chain_numpy(w: float, x: float, t: float) -> Any:
    error = np.float64(w * x - t)
    return [np.square(error), np.multiply(2 * x, error)]


def chain_arrays(w: float, x: float, t: float) -> Any:
    """Zero-dimensional arrays."""
    error = np.asarray(w) * np.asarray(x) - np.asarray(t)
    return np.asarray(error**2), np.asarray(2 * error * x)


def affine_dot(X: Any, W: Any, b: Any) -> Any:
    return np.dot(X, W) + b


def affine_einsum(X: Any, W: Any, b: Any) -> Any:
    return np.einsum("nd,dk->nk", X, W) + b[None, :]


def affine_loops(X: Any, W: Any, b: Any) -> Any:
    out = np.zeros((X.shape[0], W.shape[1]))
    for i in range(X.shape[0]):
        for j in range(W.shape[1]):
            out[i, j] = b[j]
            for k in range(X.shape[1]):
                out[i, j] += X[i, k] * W[k, j]
    return out


def affine_broadcast(X: Any, W: Any, b: Any) -> Any:
    return (X[:, :, None] * W[None, :, :]).sum(axis=1) + b


def affine_column_of_ones(X: Any, W: Any, b: Any) -> Any:
    """The bias as a weight more; keeps float32."""
    ones = np.ones((len(X), 1), X.dtype)
    return np.hstack([X, ones]) @ np.vstack([W, b])


def shares_turned(X: Any) -> Any:
    return (X.T / X.sum(axis=1)).T


def shares_new_axis(X: Any) -> Any:
    return X / np.sum(X, axis=-1)[:, np.newaxis]


def shares_loops(X: Any) -> Any:
    out = np.empty_like(X)
    for i, row in enumerate(X):
        out[i] = row / sum(row)
    return out


def shares_einsum(X: Any) -> Any:
    return np.einsum("ij,i->ij", X, 1 / np.einsum("ij->i", X))


def shares_product(X: Any) -> Any:
    return np.true_divide(X, X @ np.ones((X.shape[1], 1), X.dtype))


def shares_along(X: Any) -> Any:
    return np.apply_along_axis(lambda row: row / row.sum(), 1, X)


RIGHT: dict[str, list[Callable[..., Any]]] = {
    "slope": [slope_two_lines, slope_mean_of_sides, slope_numpy, slope_float, slope_signs],
    "loss_and_slope": [chain_named_links, chain_turned_error, chain_numpy, chain_arrays],
    "affine": [affine_dot, affine_einsum, affine_loops, affine_broadcast, affine_column_of_ones],
    "row_shares": [shares_turned, shares_new_axis, shares_loops, shares_einsum, shares_product, shares_along],
}
