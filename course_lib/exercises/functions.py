"""The fixed list of functions that a case may hand to a learner's code, each built from plain parameters.

Numbers alone say what a function computes: nothing in one tells which answer is right.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from course_lib._typing import Array

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
def quadratic(A: Array, b: Array) -> Callable[[Array], float]:
    """f(theta) = theta.A.theta / 2 + b.theta, over all D entries of theta; A (D, D), b (D,)."""

    def f(theta: Array) -> float:
        flat = np.ravel(theta)
        return float(0.5 * flat @ A @ flat + b @ flat)

    return f


@_listed
def cubic(a: Array, b: Array) -> Callable[[Array], float]:
    """f(theta) = sum(a * theta**3 + b * theta), elementwise; a and b have theta's shape."""

    def f(theta: Array) -> float:
        return float(np.sum(a * theta**3 + b * theta))

    return f


@_listed
def polynomial(coefficients: Array) -> Callable[[Array], Array]:
    """y = c0 + c1 x + c2 x**2 + ..., elementwise."""

    def forward(x: Array) -> Array:
        return np.polynomial.polynomial.polyval(x, coefficients)

    return forward


@_listed
def polynomial_backward(coefficients: Array) -> Callable[[Array, Array], Array]:
    """dx = dout * (d0 + d1 x + d2 x**2 + ...), elementwise."""

    def backward(dout: Array, x: Array) -> Array:
        return dout * np.polynomial.polynomial.polyval(x, coefficients)

    return backward


@_listed
def wave(amplitude: float, frequency: float) -> Callable[[Array], Array]:
    """y = amplitude * sin(frequency * x), elementwise."""

    def forward(x: Array) -> Array:
        return np.asarray(amplitude * np.sin(frequency * x))

    return forward


@_listed
def wave_backward(amplitude: float, frequency: float) -> Callable[[Array, Array], Array]:
    """dx = dout * amplitude * cos(frequency * x), elementwise."""

    def backward(dout: Array, x: Array) -> Array:
        return np.asarray(dout * amplitude * np.cos(frequency * x))

    return backward


@_listed
def matrix_product(W: Array) -> Callable[[Array], Array]:
    """y = x @ W; x (N, D), W (D, M)."""

    def forward(x: Array) -> Array:
        return x @ W

    return forward


@_listed
def matrix_product_backward(W: Array) -> Callable[[Array, Array], Array]:
    """dx = dout @ W; dout (N, M), W (M, D)."""

    def backward(dout: Array, x: Array) -> Array:
        return dout @ W

    return backward


@_listed
def centre(axis: int) -> Callable[[Array], Array]:
    """y = x - mean(x, axis)."""

    def forward(x: Array) -> Array:
        return np.asarray(x - np.mean(x, axis=axis, keepdims=True))

    return forward


@_listed
def centre_backward(axis: int, share: float) -> Callable[[Array, Array], Array]:
    """dx = dout - share * mean(dout, axis)."""

    def backward(dout: Array, x: Array) -> Array:
        return np.asarray(dout - share * np.mean(dout, axis=axis, keepdims=True))

    return backward


@_listed
def bowl_with_rim(
    A: Array, centre: Array, floor: float, reach: float, beyond: float
) -> Callable[[Array], tuple[float, Array]]:
    """(f, slope): f = away.A.away / 2 + floor with away = theta - centre, and its gradient A.away; A (D, D).

    Where an entry is further than `reach` from the centre, f is `beyond` instead: a number, infinite or NaN.
    """

    def loss_and_grad(theta: Array) -> tuple[float, Array]:
        away = theta - centre
        slope: Array = (A @ away).astype(theta.dtype, copy=False)
        inside = np.abs(away).max() <= reach
        return float(away @ A @ away / 2 + floor) if inside else float(beyond), slope

    return loss_and_grad


@_listed
def listed_heights(places: Array, heights: Array, slope: Array) -> Callable[[Array], tuple[float, Array]]:
    """(f, slope): f is the height listed for the place nearest to theta[0]; the slope (D,) is the same everywhere."""

    def loss_and_grad(theta: Array) -> tuple[float, Array]:
        nearest = int(np.abs(places - theta[0]).argmin())
        return float(heights[nearest]), slope.astype(theta.dtype, copy=True)

    return loss_and_grad
