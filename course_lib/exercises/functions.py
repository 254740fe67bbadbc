"""The fixed list of functions that a case may hand to a learner's code, each built from plain parameters.

Numbers alone say what a function computes: nothing in one tells which answer is right.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

BUILDERS: dict[str, Callable[..., Callable[..., Any]]] = {}


def _listed(builder: Callable[..., Callable[..., Any]]) -> Callable[..., Callable[..., Any]]:
    BUILDERS[builder.__name__] = builder
    return builder


def build(name: str, parameters: dict[str, Any]) -> Callable[..., Any]:
    """Return the listed function `name` with its parameters set; raise ValueError for an unlisted name."""
    if name not in BUILDERS:
        raise ValueError(f"no function {name!r}; the list is {', '.join(sorted(BUILDERS))}")
    return BUILDERS[name](**parameters)


@_listed
def quadratic(A: np.ndarray, b: np.ndarray) -> Callable[[np.ndarray], float]:
    """f(theta) = theta.A.theta / 2 + b.theta, over all D entries of theta; A (D, D), b (D,)."""

    def f(theta: np.ndarray) -> float:
        flat = np.ravel(theta)
        return float(0.5 * flat @ A @ flat + b @ flat)

    return f


@_listed
def cubic(a: np.ndarray, b: np.ndarray) -> Callable[[np.ndarray], float]:
    """f(theta) = sum(a * theta**3 + b * theta), elementwise; a and b have theta's shape."""

    def f(theta: np.ndarray) -> float:
        return float(np.sum(a * theta**3 + b * theta))

    return f


@_listed
def least_squares(X: np.ndarray, y: np.ndarray) -> Callable[[np.ndarray], float]:
    """f(theta) = mean((X.theta - y)**2) / 2; X (N, D), y (N,), theta (D,)."""

    def f(theta: np.ndarray) -> float:
        return float(0.5 * np.mean((X @ theta - y) ** 2))

    return f


@_listed
def polynomial(coefficients: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """y = c0 + c1 x + c2 x**2 + ..., elementwise."""

    def forward(x: np.ndarray) -> np.ndarray:
        return np.polynomial.polynomial.polyval(x, coefficients)

    return forward


@_listed
def polynomial_backward(coefficients: np.ndarray) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    """dx = dout * (d0 + d1 x + d2 x**2 + ...), elementwise."""

    def backward(dout: np.ndarray, x: np.ndarray) -> np.ndarray:
        return dout * np.polynomial.polynomial.polyval(x, coefficients)

    return backward


@_listed
def wave(amplitude: float, frequency: float) -> Callable[[np.ndarray], np.ndarray]:
    """y = amplitude * sin(frequency * x), elementwise."""

    def forward(x: np.ndarray) -> np.ndarray:
        return amplitude * np.sin(frequency * x)

    return forward


@_listed
def wave_backward(amplitude: float, frequency: float) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    """dx = dout * amplitude * cos(frequency * x), elementwise."""

    def backward(dout: np.ndarray, x: np.ndarray) -> np.ndarray:
        return dout * amplitude * np.cos(frequency * x)

    return backward


@_listed
def matrix_product(W: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """y = x @ W; x (N, D), W (D, M)."""

    def forward(x: np.ndarray) -> np.ndarray:
        return x @ W

    return forward


@_listed
def matrix_product_backward(W: np.ndarray) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    """dx = dout @ W; dout (N, M), W (M, D)."""

    def backward(dout: np.ndarray, x: np.ndarray) -> np.ndarray:
        return dout @ W

    return backward


@_listed
def centre(axis: int) -> Callable[[np.ndarray], np.ndarray]:
    """y = x - mean(x, axis)."""

    def forward(x: np.ndarray) -> np.ndarray:
        return x - np.mean(x, axis=axis, keepdims=True)

    return forward


@_listed
def centre_backward(axis: int, share: float) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    """dx = dout - share * mean(dout, axis)."""

    def backward(dout: np.ndarray, x: np.ndarray) -> np.ndarray:
        return dout - share * np.mean(dout, axis=axis, keepdims=True)

    return backward
