"""Intervals: quantiles against published tables, coverage by simulation."""

import numpy as np
import pytest

from course_lib.intervals import mean_interval, paired_interval, t_cdf, t_quantile


@pytest.mark.parametrize(
    ("probability", "dof", "value"),
    [  # NIST/SEMATECH e-Handbook of Statistical Methods, section 1.3.6.7.2
        (0.975, 1, 12.706),
        (0.975, 2, 4.303),
        (0.975, 4, 2.776),
        (0.975, 9, 2.262),
        (0.975, 30, 2.042),
        (0.975, 100, 1.984),
        (0.95, 5, 2.015),
        (0.995, 7, 3.499),
        (0.999, 3, 10.215),
    ],
)
def test_quantiles_are_those_of_the_tables(probability, dof, value):
    assert t_quantile(probability, dof) == pytest.approx(value, abs=6e-4)


@pytest.mark.parametrize("dof", [1, 2, 3, 8, 15, 200])
def test_distribution_function(dof):
    assert t_cdf(0, dof) == 0.5
    assert t_cdf(1.7, dof) + t_cdf(-1.7, dof) == pytest.approx(1)
    assert t_cdf(t_quantile(0.9, dof), dof) == pytest.approx(0.9, abs=1e-12)
    h = 1e-5  # its slope is the density
    density = (1 + 1.3**2 / dof) ** (-(dof + 1) / 2)
    peak = (t_cdf(h, dof) - t_cdf(-h, dof)) / (2 * h)
    assert (t_cdf(1.3 + h, dof) - t_cdf(1.3 - h, dof)) / (2 * h) == pytest.approx(density * peak, rel=1e-6)


def test_an_interval_by_hand():
    found = mean_interval([1.0, 2.0, 3.0])
    assert found.mean == 2.0
    assert found.half_width == pytest.approx(4.302652729911275 / np.sqrt(3))
    assert (found.low, found.high) == (found.mean - found.half_width, found.mean + found.half_width)
    assert f"{found:.1f}" == "2.0 ± 2.5"
    assert f"{found:+.1f}" == "+2.0 ± 2.5"
    assert repr(found) == "2 ± 2.48 (95% interval, n = 3)"


def test_pairs_take_common_luck_out():
    luck = np.array([10.0, -20.0, 30.0, 0.0])
    found = paired_interval(luck + np.array([1.0, 1.1, 0.9, 1.0]), luck)
    assert found.mean == pytest.approx(1.0)
    assert found.half_width < 0.2
    assert found.low > 0


def test_about_as_many_intervals_hold_the_truth_as_promised():
    samples = np.random.default_rng(0).normal(3.0, 2.0, size=(2000, 5))
    held = [found.low < 3.0 < found.high for found in (mean_interval(sample, 0.9) for sample in samples)]
    assert 0.88 < np.mean(held) < 0.92


def test_an_infinite_value_gives_no_finite_interval():
    found = mean_interval([1.0, np.inf])
    assert found.mean == np.inf
    assert np.isnan(found.half_width)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: mean_interval([1.0]), "at least two values"),
        (lambda: mean_interval([[1.0, 2.0]]), "one axis"),
        (lambda: mean_interval([1.0, 2.0], level=1.0), "level from 0 to 1"),
        (lambda: mean_interval([1.0, 2.0], level=-0.1), "level from 0 to 1"),
        (lambda: paired_interval([1.0, 2.0], [1.0]), "pairs need equal shapes"),
        (lambda: t_quantile(0.4, 3), "probability is 0.4"),
        (lambda: t_quantile(0.9, 0), "dof is 0"),
    ],
)
def test_what_has_no_interval_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
