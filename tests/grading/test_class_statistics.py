"""The figures of the class report are SciPy's, and those of the formulas they are named after."""

from __future__ import annotations

from itertools import combinations
from math import isclose

import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy import stats

from autograder.report.at_risk import at_risk
from autograder.report.distributions import beta_cdf, f_quantile, together_by_chance
from autograder.report.statistics import (
    ENOUGH,
    OFTEN,
    correlation,
    cronbach_alpha,
    discrimination,
    false_discovery,
    mean_share,
    pairs,
    share,
)

quick = settings(deadline=None)
PROBABILITIES = st.floats(0.001, 0.999)


@quick
@given(st.floats(0, 1), st.floats(0.5, 2_000), st.floats(0.5, 2_000))
@example(0.0, 1.0, 1.0)
@example(1.0, 1.0, 1.0)
@example(0.5, 5_000.0, 15_000.0)
def test_the_beta_distribution_is_scipys(x: float, a: float, b: float) -> None:
    assert beta_cdf(x, a, b) == pytest.approx(stats.beta.cdf(x, a, b), abs=1e-10)


@quick
@given(PROBABILITIES, st.integers(1, 1_000), st.integers(1, 10_000))
@example(0.975, 9, 9)
@example(0.025, 299, 1_196)
def test_quantiles_of_f_are_scipys(probability: float, dof1: int, dof2: int) -> None:
    assert f_quantile(probability, dof1, dof2) == pytest.approx(stats.f.ppf(probability, dof1, dof2), rel=1e-6)


@pytest.mark.parametrize("bad", [(0.0, 1, 1), (1.0, 1, 1), (0.5, 0, 1), (0.5, 1, 0), (float("nan"), 1, 1)])
def test_quantiles_that_there_are_not_are_refused(bad: tuple[float, int, int]) -> None:
    with pytest.raises(ValueError, match="probability is"):
        f_quantile(*bad)


@pytest.mark.parametrize("bad", [(-0.1, 1.0, 1.0), (0.5, 0.0, 1.0), (float("nan"), 1.0, 1.0)])
def test_a_beta_variable_of_no_shape_is_refused(bad: tuple[float, float, float]) -> None:
    with pytest.raises(ValueError, match="x must be from 0 to 1"):
        beta_cdf(*bad)


@quick
@given(st.data())
def test_fishers_test_is_scipys(data: st.DataObject) -> None:
    n = data.draw(st.integers(1, 300))
    first, second = data.draw(st.integers(0, n)), data.draw(st.integers(0, n))
    together = data.draw(st.integers(max(0, first + second - n), min(first, second)))
    table = [[together, first - together], [second - together, n - first - second + together]]
    expected = stats.fisher_exact(table, alternative="greater").pvalue
    assert together_by_chance(together, first, second, n) == pytest.approx(expected, rel=1e-8, abs=1e-300)


@pytest.mark.parametrize("bad", [(3, 2, 5, 9), (-1, 2, 2, 4), (1, 9, 2, 4), (0, 0, 0, 0)])
def test_numbers_that_do_not_fit_are_refused(bad: tuple[int, int, int, int]) -> None:
    with pytest.raises(ValueError, match="do not fit"):
        together_by_chance(*bad)


@quick
@given(st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_the_interval_of_a_share_is_wilsons(counted: tuple[int, int]) -> None:
    total, n = counted
    expected = stats.binomtest(total, n).proportion_ci(0.95, method="wilson")
    found = share(total, n)
    assert found.value == total / n
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=1e-12)


@quick
@given(st.lists(st.floats(0, 1), min_size=1, max_size=50))
@example([0.0, 1.6675156486854803e-69])
@example([1.0, 0.9999999999999999])
def test_a_share_lies_within_its_interval_and_both_within_0_and_1(values: list[float]) -> None:
    found = share(min(sum(values), len(values)), len(values))
    assert found.value is not None
    assert found.low is not None
    assert found.high is not None
    assert 0 <= found.low <= found.value <= found.high <= 1


def test_nobodys_share_is_not_defined_and_an_impossible_one_refused() -> None:
    assert (share(0, 0).value, share(0, 0).why) == (None, "nobody")
    for total, n in ((3, 2), (-1, 2), (float("nan"), 2)):
        with pytest.raises(ValueError, match="must be from 0 to n"):
            share(total, n)


@quick
@given(st.lists(st.floats(0, 1), min_size=2, max_size=40))
def test_the_interval_of_a_mean_is_students(values: list[float]) -> None:
    assume(np.std(values) > 1e-6)
    found = mean_share(values)
    low, high = stats.t.interval(0.95, len(values) - 1, loc=np.mean(values), scale=stats.sem(values))
    assert (found.value, found.low, found.high) == pytest.approx((np.mean(values), max(0, low), min(1, high)), abs=1e-9)


def test_the_mean_of_one_has_no_interval_and_that_of_none_no_value() -> None:
    assert (mean_share([0.4]).value, mean_share([0.4]).low) == (0.4, None)
    assert (mean_share([]).value, mean_share([]).why) == (None, "nobody")


def points(low: int = 4, high: int = 60) -> st.SearchStrategy[np.ndarray]:
    """Tables of whole points."""
    shape = st.tuples(st.integers(low, high), st.integers(2, 8))
    return shape.flatmap(lambda s: arrays.arrays(np.float64, s, elements=st.integers(0, 9).map(float)))


@quick
@given(points())
def test_a_correlation_and_its_interval_are_scipys(table: np.ndarray) -> None:
    x, y = table[:, 0], table[:, 1]
    found = correlation(x, y)
    if np.ptp(x) == 0 or np.ptp(y) == 0:
        assert (found.value, found.why) == (None, "everybody has the same")
        return
    expected = stats.pearsonr(x, y)
    assert found.value == pytest.approx(expected.statistic, abs=1e-12)
    if abs(expected.statistic) < 1 - 1e-12:
        assert (found.low, found.high) == pytest.approx(tuple(expected.confidence_interval(0.95)), abs=1e-9)
    assert found.low is not None
    assert found.high is not None
    assert -1 <= found.low <= found.value <= found.high <= 1  # type: ignore[operator]


@pytest.mark.parametrize("n", range(4))
def test_a_correlation_of_fewer_than_4_is_not_given(n: int) -> None:
    assert correlation(np.arange(n), np.arange(n) ** 2).why == "fewer than 4 students"


def test_a_correlation_of_unlike_lengths_is_refused() -> None:
    with pytest.raises(ValueError, match="both need the same"):
        correlation([1, 2, 3, 4], [1, 2, 3])


def test_discrimination_says_why_it_is_not_defined() -> None:
    same, other = np.ones(ENOUGH), np.arange(ENOUGH, dtype=float)
    assert discrimination(same, other).why == "everybody has the same in it"
    assert discrimination(other, same).why == "everybody has the same in the others"
    assert discrimination(other[:-1], other[:-1]).why == f"fewer than {ENOUGH} students"
    assert discrimination(other, other).value == 1
    assert discrimination(other, -other).value == -1


@quick
@given(points(low=ENOUGH))
def test_alpha_is_that_of_an_analysis_of_variance(table: np.ndarray) -> None:
    """Hoyt (1941): 1 minus the mean square of what is left over that of persons, in a two-way analysis of variance."""
    found = cronbach_alpha(table)
    assume(np.ptp(table.sum(axis=1)) > 0)
    n, k = table.shape
    persons, items, mean = table.mean(axis=1), table.mean(axis=0), table.mean()
    left = ((table - persons[:, None] - items[None, :] + mean) ** 2).sum() / ((n - 1) * (k - 1))
    between = k * ((persons - mean) ** 2).sum() / (n - 1)
    assert found.value == pytest.approx(1 - left / between, rel=1e-6, abs=1e-6)
    dof = n - 1, (n - 1) * (k - 1)
    ratio = 1 - found.value  # type: ignore[operator]
    expected = 1 - ratio * stats.f.ppf(0.975, *dof), 1 - ratio * stats.f.ppf(0.025, *dof)
    assert (found.low, found.high) == pytest.approx(expected, rel=1e-6, abs=1e-6)


@pytest.mark.parametrize(
    ("n", "k", "seed", "alpha", "low", "high"),
    [
        (12, 4, 1, 0.6689204417399142, 0.201, 0.893),
        (60, 6, 2, 0.8267009919337576, 0.749, 0.887),
        (300, 3, 3, 0.6264569675939129, 0.547, 0.694),
    ],
)
def test_alpha_is_pingouins(n: int, k: int, seed: int, alpha: float, low: float, high: float) -> None:
    """What `pingouin.cronbach_alpha` 0.7.0 says of the same tables; being under the GPL, it is not installed here."""
    rng = np.random.RandomState(seed)  # NumPy promises that its numbers never change
    table = rng.randint(0, 6, size=(n, k), dtype=np.int64) + rng.randint(0, 5, size=(n, 1), dtype=np.int64)
    found = cronbach_alpha(table)
    assert found.value == pytest.approx(alpha, abs=1e-12)
    assert found.low is not None
    assert found.high is not None
    assert (round(found.low, 3), round(found.high, 3)) == (low, high)


def test_alpha_says_why_it_is_not_defined() -> None:
    rng = np.random.default_rng(3)
    assert cronbach_alpha(rng.random((ENOUGH - 1, 4))).why == f"fewer than {ENOUGH} students"
    assert cronbach_alpha(rng.random((ENOUGH, 1))).why == "fewer than 2 exercises"
    assert cronbach_alpha(np.ones((ENOUGH, 3))).why == "everybody has the same total"
    with pytest.raises(ValueError, match="it needs"):
        cronbach_alpha(np.ones(5))


@quick
@given(st.lists(st.floats(0, 1), max_size=40))
def test_the_adjustment_for_many_tests_is_scipys(p_values: list[float]) -> None:
    expected = stats.false_discovery_control(p_values) if p_values else []
    assert false_discovery(p_values) == pytest.approx(list(expected))


def made_by(*students: int, n: int = 20) -> dict[str, bool]:
    return {str(number): number in students for number in range(n)}


def test_pairs_are_counted_tested_and_sorted() -> None:
    made = {
        "a": made_by(0, 1, 2, 3, 4),
        "b": made_by(0, 1, 2, 3, 9),
        "c": made_by(4, 10, 11, 12),
        "rare": made_by(0, 1),
        "d, as a": made_by(0, 1, 2, 3, 4),
    }
    found = pairs(made, {"a": 1, "b": 2, "c": 3, "rare": 4, "d, as a": 1})
    assert {(pair.first, pair.second) for pair in found} == {
        ("a", "b"), ("a", "c"), ("b", "c"), ("b", "d, as a"), ("c", "d, as a"),
    }  # fmt: skip
    best = found[0]
    assert {best.first, best.second} <= {"a", "b", "d, as a"}
    assert (best.together, best.expected, best.n) == (4, 25 / 20, 20)
    assert best.p == pytest.approx(stats.fisher_exact([[4, 1], [1, 14]], alternative="greater").pvalue)
    assert [pair.p for pair in found] == sorted(pair.p for pair in found)
    assert [pair.q for pair in found] == pytest.approx(stats.false_discovery_control([pair.p for pair in found]))


def test_only_students_who_could_have_made_both_count() -> None:
    first, second = made_by(0, 1, 2, 3), {str(number): number < 3 for number in range(12)}
    (pair,) = pairs({"a": first, "b": second}, {"a": 1, "b": 2})
    assert (pair.n, pair.together, pair.expected) == (12, 3, 4 * 3 / 12)
    few = {str(number): number < 3 for number in range(ENOUGH - 1)}
    assert pairs({"a": first, "b": few}, {"a": 1, "b": 2}) == []


@quick
@given(st.integers(0, 2**32 - 1))
def test_pairs_are_those_of_a_table_counted_by_hand(seed: int) -> None:
    rng = np.random.default_rng(seed)
    table = rng.random((30, 5)) < 0.3
    made = {str(j): {str(i): bool(table[i, j]) for i in range(30)} for j in range(5)}
    found = {(pair.first, pair.second): pair for pair in pairs(made, {str(j): j for j in range(5)})}
    often = [j for j in range(5) if table[:, j].sum() >= OFTEN]
    assert set(found) == {(str(a), str(b)) for a, b in combinations(often, 2)}
    for (a, b), pair in found.items():
        assert pair.together == (table[:, int(a)] & table[:, int(b)]).sum()
        assert isclose(pair.expected, table[:, int(a)].sum() * table[:, int(b)].sum() / 30)


@pytest.mark.parametrize(
    ("shares", "rules"),
    [
        ([], ()),
        ([None], ()),
        ([0.0], ()),
        ([1.0, 1.0], ()),
        ([None, None], ("missing",)),
        ([None, 1.0], ()),
        ([None, None, 1.0], ("missing",)),
        ([None, None, 1.0, 1.0], ()),
        ([0.49, 0.49], ("low",)),
        ([0.49, 0.5], ()),
        ([0.49, None, 0.49], ("low",)),
        ([0.9, 0.9, 0.59], ("fallen",)),
        ([0.9, 0.9, 0.6], ()),  # two thirds exactly
        ([0.9, 0.1], ()),  # one lesson before it is no average
        ([0.9, 0.9, 0.9, 0.4, 0.3], ("low", "fallen")),
        ([0.9, 0.8, None, 0.3, None], ("missing", "fallen")),
        ([0.0, 0.0, 0.0], ("low",)),
    ],
)
def test_a_rule_applies_where_it_says_so(shares: list[float | None], rules: tuple[str, ...]) -> None:
    found = at_risk({"ada": shares})
    assert [each.rules for each in found] == ([rules] if rules else [])
    assert all(each.student == "ada" for each in found)


def test_whom_rules_apply_to_come_in_the_order_given_with_the_numbers() -> None:
    found = at_risk({"zed": [0.2, 0.4], "ok": [1.0, 1.0], "ann": [None, None]})
    assert [(each.student, each.reason) for each in found] == [
        ("zed", "20% and 40% in the last two"),
        ("ann", "2 of the last 2 not handed in"),
    ]
