"""First weights: how large they must be for signals to keep their size on the way through many layers.

Each function draws a matrix of shape (n_in, n_out) whose standard deviation follows from the number of units; the
formulas are those of `torch.nn.init`, where `fan_in` is n_in. Pass one to `Linear` or `MLP` as `init`.

Glorot and Bengio 2010, Understanding the difficulty of training deep feedforward neural networks (equations 12, 16),
look at both directions at once: forward the size of signals wants 1 / n_in, backward that of gradients 1 / n_out.
He et al. 2015, Delving Deep into Rectifiers (equation 10), look forward, and make up for the half that ReLU cuts away.
"""

from __future__ import annotations

from math import sqrt
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ._ranges import number, whole
from ._typing import Array
from .layers import check_generator
from .parameters import checked_dtype

if TYPE_CHECKING:
    from numpy.random import Generator


def xavier_uniform(
    n_in: int, n_out: int, rng: Generator, dtype: npt.DTypeLike = np.float64, *, gain: float = 1.0
) -> Array:
    """Uniform between -a and a, with `a = gain * sqrt(6 / (n_in + n_out))`: standard deviation a / sqrt(3).

    Args:
        n_in, n_out: units before and after, at least 1.
        rng: where the weights are drawn from, in float64; float32 weights are these, rounded.
        dtype: `np.float32` or `np.float64`.
        gain: what the activation after it asks for, at least 0; 1 for none.

    Returns:
        Weights, shape (n_in, n_out).

    Raises:
        ValueError: a value outside its range.
        TypeError: a value that is not a number, or an `rng` that is not a `numpy.random.Generator`.
    """
    _check("xavier_uniform", n_in, n_out, rng, gain)
    return _uniform(n_in, n_out, rng, dtype, gain * sqrt(2 / (n_in + n_out)))


def xavier_normal(
    n_in: int, n_out: int, rng: Generator, dtype: npt.DTypeLike = np.float64, *, gain: float = 1.0
) -> Array:
    """Normal with mean 0 and standard deviation `gain * sqrt(2 / (n_in + n_out))`.

    Arguments, result and errors are those of `xavier_uniform`.
    """
    _check("xavier_normal", n_in, n_out, rng, gain)
    return _normal(n_in, n_out, rng, dtype, gain * sqrt(2 / (n_in + n_out)))


def he_uniform(
    n_in: int, n_out: int, rng: Generator, dtype: npt.DTypeLike = np.float64, *, gain: float = sqrt(2.0)
) -> Array:
    """Uniform between -a and a, with `a = gain * sqrt(3 / n_in)`: standard deviation `gain / sqrt(n_in)`.

    The gain of ReLU is sqrt(2). PyTorch calls this `kaiming_uniform_`. Arguments, result and errors are those of
    `xavier_uniform`.
    """
    _check("he_uniform", n_in, n_out, rng, gain)
    return _uniform(n_in, n_out, rng, dtype, gain / sqrt(n_in))


def he_normal(
    n_in: int, n_out: int, rng: Generator, dtype: npt.DTypeLike = np.float64, *, gain: float = sqrt(2.0)
) -> Array:
    """Normal with mean 0 and standard deviation `gain / sqrt(n_in)`: how a `Linear` before ReLU starts by default.

    The gain of ReLU is sqrt(2). PyTorch calls this `kaiming_normal_`. Arguments, result and errors are those of
    `xavier_uniform`.
    """
    _check("he_normal", n_in, n_out, rng, gain)
    return _normal(n_in, n_out, rng, dtype, gain / sqrt(n_in))


def _uniform(n_in: int, n_out: int, rng: Generator, dtype: npt.DTypeLike, std: float) -> Array:
    bound = sqrt(3.0) * std  # a uniform number between -a and a has the standard deviation a / sqrt(3)
    return rng.uniform(-bound, bound, (n_in, n_out)).astype(checked_dtype(dtype))


def _normal(n_in: int, n_out: int, rng: Generator, dtype: npt.DTypeLike, std: float) -> Array:
    return (rng.standard_normal((n_in, n_out)) * std).astype(checked_dtype(dtype))


def _check(name: str, n_in: int, n_out: int, rng: Generator, gain: float) -> None:
    whole(name, "n_in", n_in, at_least=1)
    whole(name, "n_out", n_out, at_least=1)
    number(name, "gain", gain, at_least=0)
    check_generator(rng, name)
