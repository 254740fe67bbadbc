"""Quantiles and tails that intervals need, without SciPy, which instructors do not have."""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache
from math import comb, exp, lgamma, log, log1p
from statistics import NormalDist

_TINY = 1e-300
_MOST_TERMS = 10_000


def normal_quantile(probability: float) -> float:
    """The value that a standard normal variable stays below with this probability, between 0 and 1, both excluded."""
    return NormalDist().inv_cdf(probability)


def beta_cdf(x: float, a: float, b: float) -> float:
    """How likely a beta variable is at most `x`: the regularised incomplete beta function I_x(a, b).

    By the continued fraction of the NIST Digital Library of Mathematical Functions, equation 8.17.22, worked out with
    Lentz's algorithm (Lentz, 1976, Applied Optics 15, 668).

    Args:
        x: from 0 to 1.
        a, b: the shape, each above 0.
    """
    if not (0.0 <= x <= 1.0 and a > 0.0 and b > 0.0):
        raise ValueError(f"x is {x}, a {a}, b {b}; x must be from 0 to 1, a and b above 0.")
    if x in (0.0, 1.0):
        return x
    if x > (a + 1.0) / (a + b + 2.0):  # where the fraction converges slowly the other tail's does not
        return 1.0 - beta_cdf(1.0 - x, b, a)
    front = exp(lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(x) + b * log1p(-x)) / a
    numerator, denominator, value = 1.0, 0.0, 1.0
    for term in range(_MOST_TERMS):
        m = term // 2
        if term == 0:
            part = 1.0
        elif term % 2 == 0:
            part = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        else:
            part = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        denominator = 1.0 / (_nonzero(1.0 + part * denominator))
        numerator = _nonzero(1.0 + part / numerator)
        factor = numerator * denominator
        value *= factor
        if abs(factor - 1.0) < 1e-15:
            break
    return min(1.0, front * (value - 1.0))


def _nonzero(value: float) -> float:
    return value if abs(value) > _TINY else _TINY


def f_quantile(probability: float, dof1: int, dof2: int) -> float:
    """The value that an F variable stays below with this probability, found by halving.

    An F variable with these degrees of freedom is `dof2 * x / (dof1 * (1 - x))` for a beta variable x of shape
    `dof1 / 2, dof2 / 2`.

    Args:
        probability: between 0 and 1, both excluded.
        dof1, dof2: degrees of freedom, at least 1.
    """
    if not (0.0 < probability < 1.0 and dof1 >= 1 and dof2 >= 1):
        raise ValueError(f"probability is {probability}, dof {dof1} and {dof2}; it needs 0 to 1 and at least 1.")
    low, high = 0.0, 1.0
    while True:
        middle = (low + high) / 2.0
        if middle in (low, high):
            break
        if beta_cdf(middle, dof1 / 2.0, dof2 / 2.0) < probability:
            low = middle
        else:
            high = middle
    return dof2 * high / (dof1 * (1.0 - high)) if high < 1.0 else float("inf")


@lru_cache(maxsize=100_000)
def together_by_chance(together: int, first: int, second: int, n: int) -> float:
    """How likely at least so many have both, if `first` and `second` of `n` had them independently of each other.

    Fisher's exact test, one-sided (Fisher, 1935, The logic of inductive inference): the upper tail of the
    hypergeometric distribution, in whole numbers, so that nothing is lost to rounding.

    Args:
        together: how many have both, from 0 to the smaller of `first` and `second`.
        first, second: how many have each, from 0 to `n`.
        n: how many there are, at least 1.
    """
    most = min(first, second)
    if not (0 <= together <= most and max(first, second) <= n and n >= 1):
        raise ValueError(f"{together} with both, {first} and {second} with each, of {n}: these numbers do not fit.")
    ways = sum(comb(first, both) * comb(n - first, second - both) for both in range(together, most + 1))
    return float(Fraction(ways, comb(n, second)))
