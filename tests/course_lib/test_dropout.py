"""Dropout: masks from the generator, the factor that keeps the mean, and evaluation that does nothing."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from course_lib.dropout import Dropout
from course_lib.gradcheck import gradient_check


def dropout(p=0.4, seed=0):
    return Dropout(p, np.random.default_rng(seed))


@given(p=st.floats(0, 0.95), seed=st.integers(0, 999), n=st.integers(1, 8), d=st.integers(1, 5))
def test_the_mask_is_the_generators_and_kept_numbers_are_scaled(p, seed, n, d):
    x = np.random.default_rng(seed + 1).normal(size=(n, d))
    layer = dropout(p, seed)
    out = layer.forward(x)
    mask = np.random.default_rng(seed).random((n, d)) >= p
    np.testing.assert_array_equal(layer.mask, mask)
    np.testing.assert_allclose(out, x * mask / (1 - p), rtol=1e-14)
    dout = np.ones((n, d))
    np.testing.assert_allclose(layer.backward(dout), mask / (1 - p), rtol=1e-14)


def test_each_pass_draws_a_fresh_mask_and_both_precisions_the_same():
    single, double = dropout(), dropout()
    x = np.random.default_rng(1).normal(size=(6, 7))
    masks = []
    for _ in range(3):
        small, large = single.forward(x.astype(np.float32)), double.forward(x)
        assert small.dtype == np.float32
        np.testing.assert_array_equal(single.mask, double.mask)
        np.testing.assert_allclose(small, large, rtol=1e-6)
        masks.append(double.mask)
    assert (masks[0] != masks[1]).any()
    assert (masks[1] != masks[2]).any()


@pytest.mark.parametrize("p", [0.1, 0.5, 0.8])
def test_a_share_p_is_dropped_and_the_mean_stays(p):
    layer = dropout(p)
    out = layer.forward(np.ones((400, 500)))
    assert np.mean(out == 0) == pytest.approx(p, abs=0.005)
    assert out.mean() == pytest.approx(1, abs=0.01)


def test_evaluation_changes_nothing_and_draws_nothing():
    layer, x = dropout(), np.random.default_rng(1).normal(size=(5, 3))
    before = layer.rng.bit_generator.state
    out = layer.forward(x, training=False)
    np.testing.assert_array_equal(out, x)
    assert not np.shares_memory(out, x)
    assert layer.rng.bit_generator.state == before
    assert layer.mask.all()
    np.testing.assert_array_equal(layer.backward(2 * x), 2 * x)


def test_evaluation_after_training_forgets_the_mask():
    layer, x = dropout(0.9), np.ones((20, 20))
    layer.forward(x)
    assert not layer.mask.all()
    layer.forward(x, training=False)
    np.testing.assert_array_equal(layer.backward(x), x)


@given(seed=st.integers(0, 99))
@settings(max_examples=10)
def test_nothing_is_dropped_at_p_0(seed):
    layer, x = dropout(0.0, seed), np.random.default_rng(seed).normal(size=(5, 3))
    np.testing.assert_array_equal(layer.forward(x), layer.forward(x, training=False))


@pytest.mark.parametrize("training", [True, False])
def test_gradient_is_right_at_every_index(training):
    layer, rng = dropout(), np.random.default_rng(3)
    x, dout = rng.normal(size=(5, 3)), rng.normal(size=(5, 3))
    start = layer.rng.bit_generator.state

    def f(x):
        layer.rng.bit_generator.state = start
        return float(np.sum(layer.forward(x, training=training) * dout))

    f(x)
    found = gradient_check(f, x.copy(), layer.backward(dout))
    assert found.error < 1e-7, found
    assert found.checked == 15


def test_layers_that_share_a_generator_draw_from_it_in_turn():
    rng = np.random.default_rng(5)
    one, other = Dropout(0.5, rng), Dropout(0.5, rng)
    one.forward(np.ones((4, 4)))
    other.forward(np.ones((4, 4)))
    both = np.random.default_rng(5)
    np.testing.assert_array_equal(one.mask, both.random((4, 4)) >= 0.5)
    np.testing.assert_array_equal(other.mask, both.random((4, 4)) >= 0.5)
    assert one.generators()["dropout"] is rng


@pytest.mark.parametrize("p", [-0.1, 1.0, 1.5, np.nan, np.inf])
def test_p_outside_its_range_is_refused(p):
    with pytest.raises(ValueError, match=r"Dropout got p=.*at least 0 and below 1"):
        dropout(p)


@pytest.mark.parametrize(("p", "rng"), [("half", np.random.default_rng(0)), (0.5, 7)])
def test_what_is_no_number_or_generator_is_refused(p, rng):
    with pytest.raises(TypeError, match=r"^Dropout got"):
        Dropout(p, rng)


def test_there_is_no_mask_before_a_forward():
    with pytest.raises(RuntimeError, match="forward pass first"):
        _ = dropout().mask
    with pytest.raises(RuntimeError, match="forward pass first"):
        dropout().backward(np.ones((2, 2)))
    layer = dropout()
    layer.forward(np.ones((2, 2)))
    with pytest.raises(
        ValueError, match=r"^Dropout\.backward got dout of shape \(2, 3\); the last output had shape \(2, 2\)"
    ):
        layer.backward(np.ones((2, 3)))
    assert repr(layer) == "Dropout(0.4)"


def test_an_empty_batch_is_refused():
    with pytest.raises(ValueError, match=r"^Dropout got an input of shape \(0, 3\): an empty batch"):
        dropout().forward(np.ones((0, 3)))
