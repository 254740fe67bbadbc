"""Clipping by norm keeps the direction, clipping by value keeps every number small; both work in place."""

import inspect
import math
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from course_lib.clipping import clip_grad_norm, clip_grad_value
from course_lib.parameters import Parameters

pytestmark = pytest.mark.filterwarnings("error")
NUMBERS = st.lists(st.floats(-1e6, 1e6), min_size=5, max_size=5).map(np.array)


def parameters(gradient, dtype=np.float64) -> Parameters:
    params = Parameters({"W": (2, 2), "b": (1,)}, dtype)
    params.grad = gradient
    return params


def test_the_norm_is_that_of_all_parameters_together():
    params = parameters([0.0, 3.0, 0.0, 0.0, 4.0])
    window = params.grads["W"]
    norm = clip_grad_norm(params, 1.0)
    assert norm == 5.0
    assert isinstance(norm, float)
    np.testing.assert_allclose(params.grad, np.array([0, 3, 0, 0, 4]) / (5 + 1e-6), rtol=1e-15)
    np.testing.assert_array_equal(window[0, 1], params.grad[1])  # in place


@pytest.mark.parametrize(("max_norm", "clipped"), [(4.999, True), (5.0, True), (5.0 + 1e-6, False), (6, False)])
def test_only_a_gradient_that_is_too_long_is_made_shorter(max_norm, clipped):
    params = parameters([0.0, 3.0, 0.0, 0.0, 4.0])
    assert clip_grad_norm(params, max_norm) == 5.0
    assert bool(params.grad[1] != 3.0) is clipped


@given(NUMBERS, st.floats(1e-3, 1e7))
def test_clipping_by_norm_bounds_the_length_and_keeps_the_direction(gradient, max_norm):
    params = parameters(gradient)
    norm = clip_grad_norm(params, max_norm)
    assert norm == pytest.approx(np.linalg.norm(gradient))
    assert np.linalg.norm(params.grad) <= min(norm, max_norm) * (1 + 1e-12)
    np.testing.assert_allclose(params.grad * norm, gradient * np.linalg.norm(params.grad), rtol=1e-9, atol=1e-12 * norm)
    if norm < max_norm:
        np.testing.assert_array_equal(params.grad, gradient)


@given(NUMBERS, st.floats(0, 1e7))
def test_clipping_by_value_bounds_each_number_and_leaves_the_others(gradient, clip_value):
    params = parameters(gradient)
    assert clip_grad_value(params, clip_value) is None
    small = np.abs(gradient) <= clip_value
    np.testing.assert_array_equal(params.grad[small], gradient[small])
    np.testing.assert_array_equal(params.grad[~small], np.sign(gradient[~small]) * clip_value)


def test_float32_stays_float32_and_does_not_overflow_in_the_squares():
    gradient = np.array([3e30, 0, 0, 4e30, 0], np.float32)
    params = parameters(gradient, np.float32)
    assert clip_grad_norm(params, 10.0) == pytest.approx(5e30, rel=1e-6)
    np.testing.assert_allclose(params.grad, [6, 0, 0, 8, 0], rtol=1e-5)
    assert params.grad.dtype == np.float32
    params = parameters([1e300, -1e300, 0, 0, 0])
    assert clip_grad_norm(params, 1.0) == pytest.approx(math.sqrt(2) * 1e300)
    np.testing.assert_allclose(params.grad[:2], [math.sqrt(0.5), -math.sqrt(0.5)], rtol=1e-12)


def test_infinity_clips_nothing_and_only_measures():
    params = parameters([0.0, 3.0, 0.0, 0.0, 4.0])
    assert clip_grad_norm(params, np.inf) == 5.0
    clip_grad_value(params, np.inf)
    np.testing.assert_array_equal(params.grad, [0, 3, 0, 0, 4])


@pytest.mark.parametrize("bad", [np.inf, -np.inf, np.nan])
def test_a_gradient_that_is_not_finite_is_an_error_when_asked_for(bad):
    gradient = np.array([1.0, bad, 0, 0, 0])
    params = parameters(gradient)
    told = (
        f"clip_grad_norm found a gradient of norm {abs(bad)}, which no factor can clip. Look for NaN in the data, or "
        "for a learning rate that is too high; error_if_nonfinite=False goes on regardless."
    )
    with pytest.raises(RuntimeError, match=f"^{re.escape(told)}$"):
        clip_grad_norm(params, 1.0, error_if_nonfinite=True)
    np.testing.assert_array_equal(params.grad, gradient)
    assert not math.isfinite(clip_grad_norm(params, 1.0))
    assert np.isnan(params.grad[1])
    assert clip_grad_norm(parameters(np.ones(5)), 1.0, error_if_nonfinite=True) == pytest.approx(math.sqrt(5))


def test_by_default_a_gradient_that_is_not_finite_is_no_error():
    assert inspect.signature(clip_grad_norm).parameters["error_if_nonfinite"].default is False


@pytest.mark.parametrize("max_norm", [0, -1.0, np.nan, "1", None])
def test_a_largest_norm_is_above_zero(max_norm):
    told = f"clip_grad_norm got max_norm={max_norm!r}; it must be a number, above 0."
    with pytest.raises((ValueError, TypeError), match=f"^{re.escape(told)}$"):
        clip_grad_norm(parameters(np.ones(5)), max_norm)


@pytest.mark.parametrize("clip_value", [-1e-9, np.nan, "1", None])
def test_a_largest_value_is_at_least_zero(clip_value):
    told = f"clip_grad_value got clip_value={clip_value!r}; it must be a number, at least 0."
    with pytest.raises((ValueError, TypeError), match=f"^{re.escape(told)}$"):
        clip_grad_value(parameters(np.ones(5)), clip_value)
