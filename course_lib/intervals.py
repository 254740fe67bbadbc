"""How sure is a mean over a few seeds? Student's t, without SciPy.

Runs that share a seed share their data, first weights and batches. Comparing two methods seed by seed takes that common
luck out: `paired_interval(a, b)` is the interval of the mean difference.
"""

from dataclasses import dataclass
from math import atan, cos, isnan, pi, sin, sqrt

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class Interval:
    """A mean and how far from it the truth may lie.

    Attributes:
        mean: the mean of the sample.
        half_width: half the length of the confidence interval; infinite values in the sample make it NaN.
        level: confidence, between 0 and 1.
        n: how many values went in.
    """

    mean: float
    half_width: float
    level: float
    n: int

    @property
    def low(self) -> float:
        return self.mean - self.half_width

    @property
    def high(self) -> float:
        return self.mean + self.half_width

    def __format__(self, spec: str) -> str:
        """`f"{interval:.1f}"` reads "4.6 ± 0.9"."""
        return f"{self.mean:{spec}} ± {self.half_width:{spec.lstrip('+')}}"

    def __repr__(self) -> str:
        return f"{self:.3g} ({self.level:.0%} interval, n = {self.n})"


def mean_interval(values: npt.ArrayLike, level: float = 0.95) -> Interval:
    """The mean of independent values and its confidence interval, `t * s / sqrt(n)` to either side.

    Args:
        values: shape (n,), n at least 2, one value a seed.
        level: confidence, between 0 and 1.

    Raises:
        ValueError: fewer than two values, another shape, or a level outside 0 to 1.
    """
    sample = np.asarray(values, dtype=np.float64)
    if sample.ndim != 1 or sample.size < 2:
        raise ValueError(f"values have shape {sample.shape}; an interval needs one axis with at least two values.")
    with np.errstate(invalid="ignore"):
        spread = float(sample.std(ddof=1))
    half_width = t_quantile(0.5 + level / 2, sample.size - 1) * spread / sqrt(sample.size)
    return Interval(float(sample.mean()), half_width, level, sample.size)


def paired_interval(a: npt.ArrayLike, b: npt.ArrayLike, level: float = 0.95) -> Interval:
    """The mean of `a - b`, pair by pair, and its confidence interval. If the interval holds 0, nothing was shown.

    Args:
        a, b: shape (n,), n at least 2; entries at the same place share a seed.
        level: confidence, between 0 and 1.

    Raises:
        ValueError: shapes that differ, fewer than two pairs, or a level outside 0 to 1.
    """
    first, second = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    if first.shape != second.shape:
        raise ValueError(f"a has shape {first.shape} and b {second.shape}; pairs need equal shapes.")
    return mean_interval(first - second, level)


def t_cdf(t: float, dof: int) -> float:
    """How likely Student's t with `dof` degrees of freedom is at most `t`.

    For whole degrees of freedom the integral is a finite sum (Abramowitz and Stegun, equations 26.7.3 and 26.7.4).
    """
    angle = atan(t / sqrt(dof))
    c2 = cos(angle) ** 2
    term, total = (1.0, 1.0) if dof % 2 == 0 else (cos(angle), cos(angle))
    for k in range(2 if dof % 2 == 0 else 3, dof, 2):
        term *= c2 * (k - 1) / k
        total += term
    rest = sin(angle) * total
    if dof == 1:
        rest = 0.0
    inside = rest if dof % 2 == 0 else 2 / pi * (angle + rest)
    return (1 + inside) / 2


def t_quantile(probability: float, dof: int) -> float:
    """The value that Student's t stays below with this probability, found by halving.

    Raises:
        ValueError: a probability not in 0.5 to 1 (1 excluded), or fewer than one degree of freedom.
    """
    if isnan(probability) or not 0.5 <= probability < 1:
        raise ValueError(f"probability is {probability}; it must be at least 0.5 and below 1 (a level from 0 to 1).")
    if dof < 1:
        raise ValueError(f"dof is {dof}; it must be at least 1.")
    low, high = 0.0, 1.0
    while t_cdf(high, dof) < probability:
        high *= 2
    while True:
        middle = (low + high) / 2
        if middle in (low, high):
            return high
        if t_cdf(middle, dof) < probability:
            low = middle
        else:
            high = middle
