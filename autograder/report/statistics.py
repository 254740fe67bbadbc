"""What a class's marks say of exercises, tests and mistakes: pure functions on numbers, each with its source.

Tables have a row a student and a column an exercise. A figure that is not defined, or that too few students would make
up, comes as an :class:`Estimate` without a value and with the reason. docs/report.md says in words what each means.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import atanh, sqrt, tanh

import numpy as np
import numpy.typing as npt

from autograder.report.distributions import f_quantile, normal_quantile, together_by_chance
from course_lib.intervals import mean_interval

LEVEL = 0.95
"""The confidence of every interval."""
ENOUGH = 10
"""The fewest students of whom a correlation, an alpha or a pair of mistakes is worked out; with fewer, one student
decides what comes out."""
OFTEN = 3
"""The fewest students who must have made a mistake for its company to be looked at."""

Table = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Estimate:
    """A figure, and where the truth may lie.

    Attributes:
        value: None where it is not defined.
        low, high: the ends of the interval of confidence :data:`LEVEL`, None where there is none.
        n: how many students went in.
        why: why there is no value; "" where there is one.
    """

    value: float | None
    low: float | None = None
    high: float | None = None
    n: int = 0
    why: str = ""


def share(total: float, n: int) -> Estimate:
    """The mean of n values from 0 to 1 that add up to `total`, with Wilson's score interval.

    Where each value is 0 or 1 the interval is Wilson's (1927, Probable inference, the law of succession, and
    statistical inference, JASA 22, 209). For shares of points it is wider than need be: of all variables from 0 to 1
    with one mean, that of zeros and ones varies most (Bhatia and Davis, 2000, American Mathematical Monthly 107, 353).

    Args:
        total: from 0 to n.
        n: how many students.
    """
    if not 0 <= total <= n:
        raise ValueError(f"total is {total} for n = {n}; it must be from 0 to n.")
    if n == 0:
        return Estimate(None, why="nobody")
    z, p = normal_quantile(0.5 + LEVEL / 2), total / n
    centre = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    # At the ends rounding would leave the value outside of its interval, or an end outside of 0 to 1.
    low = 0.0 if total == 0 else min(p, max(0.0, centre - half))
    high = 1.0 if total == n else max(p, min(1.0, centre + half))
    return Estimate(p, low, high, n)


def mean_share(values: npt.ArrayLike) -> Estimate:
    """The mean of the students' shares of a lesson, from 0 to 1, with Student's interval, cut at 0 and 1.

    Args:
        values: shape (n,).
    """
    given = np.asarray(values, dtype=np.float64)
    if given.size == 0:
        return Estimate(None, why="nobody")
    if given.size < 2:
        return Estimate(float(given[0]), n=1)
    found = mean_interval(given, LEVEL)
    return Estimate(found.mean, max(0.0, found.low), min(1.0, found.high), given.size)


def correlation(x: npt.ArrayLike, y: npt.ArrayLike) -> Estimate:
    """Pearson's correlation with Fisher's interval: `tanh(atanh(r) ± z / sqrt(n - 3))`.

    Source: Fisher (1921), On the "probable error" of a coefficient of correlation, Metron 1, 3. The interval takes both
    for normally distributed, which points are not: read it as a measure of how few students there are.

    Args:
        x, y: shape (n,).
    """
    first, second = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    if first.ndim != 1 or first.shape != second.shape:
        raise ValueError(f"x has shape {first.shape} and y {second.shape}; both need the same (n,).")
    n = first.size
    if n < 4:
        return Estimate(None, n=n, why="fewer than 4 students")
    if np.ptp(first) == 0 or np.ptp(second) == 0:
        return Estimate(None, n=n, why="everybody has the same")
    first, second = first - first.mean(), second - second.mean()
    r = float(first @ second / sqrt(float(first @ first) * float(second @ second)))
    r = min(1.0, max(-1.0, r))
    if abs(r) == 1.0:
        return Estimate(r, r, r, n)
    half = normal_quantile(0.5 + LEVEL / 2) / sqrt(n - 3)
    return Estimate(r, tanh(atanh(r) - half), tanh(atanh(r) + half), n)


def discrimination(points: npt.ArrayLike, rest: npt.ArrayLike) -> Estimate:
    """The corrected item-total correlation: that of an exercise's points with the sum of the other exercises' points.

    The exercise itself is not in the sum, or it would correlate with itself (Henrysson, 1963, Correction of item-total
    correlations in item analysis, Psychometrika 28, 211).

    Args:
        points: of the exercise, shape (n,).
        rest: what the same students have in the others, shape (n,).
    """
    first, second = np.asarray(points, dtype=np.float64), np.asarray(rest, dtype=np.float64)
    if first.size < ENOUGH:
        return Estimate(None, n=first.size, why=f"fewer than {ENOUGH} students")
    if np.ptp(first) == 0:
        return Estimate(None, n=first.size, why="everybody has the same in it")
    if np.ptp(second) == 0:
        return Estimate(None, n=first.size, why="everybody has the same in the others")
    return correlation(first, second)


def cronbach_alpha(table: npt.ArrayLike) -> Estimate:
    """Cronbach's alpha, `k / (k - 1) * (1 - sum of the exercises' variances / variance of the sum)`, Feldt's interval.

    Sources: Cronbach (1951), Coefficient alpha and the internal structure of tests, Psychometrika 16, 297, equation 2;
    Feldt (1965), The approximate sampling distribution of Kuder-Richardson reliability coefficient twenty,
    Psychometrika 30, 357: (1 - alpha) / (1 - estimate) is distributed as F with n - 1 and (n - 1)(k - 1) degrees of
    freedom.

    Args:
        table: shape (n, k), points.
    """
    points = np.asarray(table, dtype=np.float64)
    if points.ndim != 2:
        raise ValueError(f"table has shape {points.shape}; it needs (students, exercises).")
    n, k = points.shape
    if n < ENOUGH:
        return Estimate(None, n=n, why=f"fewer than {ENOUGH} students")
    if k < 2:
        return Estimate(None, n=n, why="fewer than 2 exercises")
    if np.ptp(points.sum(axis=1)) == 0:
        return Estimate(None, n=n, why="everybody has the same total")
    items, total = float(points.var(axis=0, ddof=1).sum()), float(points.sum(axis=1).var(ddof=1))
    alpha = k / (k - 1) * (1 - items / total)
    dof = n - 1, (n - 1) * (k - 1)
    low, high = (1 - (1 - alpha) * f_quantile(p, *dof) for p in (0.5 + LEVEL / 2, 0.5 - LEVEL / 2))
    return Estimate(alpha, low, high, n)


@dataclass(frozen=True)
class Pair:
    """Two mistakes, and how many students made both.

    Attributes:
        first, second: whatever names them.
        together: students with both.
        expected: how many that would be by chance: the product of the two shares, times n.
        n: students who could have made both.
        p: how likely so many or more are by chance (Fisher's exact test, one-sided).
        q: the same, adjusted for the number of pairs that were looked at (Benjamini and Hochberg).
    """

    first: str
    second: str
    together: int
    expected: float
    n: int
    p: float
    q: float


def pairs(made: Mapping[str, Mapping[str, bool]], exclusive: Mapping[str, object]) -> list[Pair]:
    """Mistakes that the same students make, the least likely by chance first; every pair that was tested.

    Looked at are mistakes that at least :data:`OFTEN` students made, in pairs of which at least :data:`ENOUGH` students
    could have made both. Which pairs those are does not depend on who made them together, so q holds for all of them.

    Args:
        made: for each mistake, for each student who could have made it, whether they did.
        exclusive: for each mistake what it cannot go together with: two with the same value are not paired.
    """
    often = [name for name, by in made.items() if sum(by.values()) >= OFTEN]
    students = sorted({student for name in often for student in made[name]})
    # int64, so that the products below count.
    could = np.array([[student in made[name] for student in students] for name in often], dtype=np.int64)
    did = np.array([[made[name].get(student, False) for student in students] for name in often], dtype=np.int64)
    both, together, of_first = (could @ could.T, did @ did.T, did @ could.T) if often else (could, did, did)
    found = []
    for (i, first), (j, second) in combinations(enumerate(often), 2):
        n = int(both[i, j])
        if exclusive[first] == exclusive[second] or n < ENOUGH:
            continue
        ones, others = int(of_first[i, j]), int(of_first[j, i])
        p = together_by_chance(int(together[i, j]), ones, others, n)
        found.append(Pair(first, second, int(together[i, j]), ones * others / n, n, p, p))
    adjusted = false_discovery([pair.p for pair in found])
    found = [Pair(**{**vars(pair), "q": q}) for pair, q in zip(found, adjusted, strict=True)]
    return sorted(found, key=lambda pair: (pair.p, -pair.together))


def false_discovery(p_values: Sequence[float]) -> list[float]:
    """Adjusted p-values: of all tests with one below 0.05, at most one in twenty is expected to be chance.

    Source: Benjamini and Hochberg (1995), Controlling the false discovery rate, JRSS B 57, 289. It holds for
    independent tests and for many that depend on each other, not for all.

    Args:
        p_values: each from 0 to 1, in any order; the result has the same.
    """
    p = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(p)[::-1]
    steps = p[order] * p.size / np.arange(p.size, 0, -1)
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(1.0, np.minimum.accumulate(steps))
    return [float(value) for value in adjusted]
