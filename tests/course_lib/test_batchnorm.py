"""Batch normalisation: the formula of conventions, both modes, gradients at every index."""

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from course_lib.batchnorm import BatchNorm1d
from course_lib.gradcheck import gradient_check


def layer_of(features=3, dtype=np.float64, seed=0, **options):
    """A layer whose learned and running numbers are not those it starts with."""
    layer, rng = BatchNorm1d(features, dtype=dtype, **options), np.random.default_rng(seed)
    layer.gamma[:], layer.beta[:] = rng.normal(size=(2, features))
    layer.running_mean[:] = rng.normal(size=features)
    layer.running_var[:] = rng.uniform(0.5, 2, size=features)
    return layer


def batch(n=6, features=3, seed=1):
    return np.random.default_rng(seed).normal(size=(n, features)) * [1, 10, 0.1][:features] + 5


def test_it_starts_with_the_identity_of_a_standardised_input():
    layer = BatchNorm1d(3)
    assert (layer.eps, layer.momentum) == (1e-5, 0.1)
    for name, value in {"gamma": 1, "beta": 0, "running_mean": 0, "running_var": 1}.items():
        found = {**layer.weights(), **layer.buffers()}[name]
        np.testing.assert_array_equal(found, np.full(3, value, np.float32))
        assert found.dtype == np.float32


@given(st.integers(2, 9), st.integers(0, 999), st.floats(0, 1), st.sampled_from([0.0, 1e-5, 1e-3, 1.0]))
@settings(max_examples=50)
def test_training_is_the_formula(n, seed, momentum, eps):
    layer, x = layer_of(seed=seed, momentum=momentum, eps=eps), batch(n, seed=seed)
    mean, var = layer.running_mean.copy(), layer.running_var.copy()
    expected = layer.gamma * (x - x.mean(axis=0)) / np.sqrt(x.var(axis=0) + eps) + layer.beta
    np.testing.assert_allclose(layer.forward(x), expected, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(layer.running_mean, (1 - momentum) * mean + momentum * x.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(layer.running_var, (1 - momentum) * var + momentum * x.var(axis=0, ddof=1), rtol=1e-12)


def test_evaluation_is_the_formula_and_moves_nothing():
    layer, x = layer_of(), batch()
    mean, var = layer.running_mean.copy(), layer.running_var.copy()
    expected = layer.gamma * (x - mean) / np.sqrt(var + 1e-5) + layer.beta
    np.testing.assert_allclose(layer.forward(x, training=False), expected, rtol=1e-12)
    np.testing.assert_array_equal(layer.running_mean, mean)
    np.testing.assert_array_equal(layer.running_var, var)
    np.testing.assert_allclose(layer.forward(x[:1], training=False), expected[:1], rtol=1e-12)  # company is nothing


def test_training_and_evaluation_agree_once_the_running_values_are_the_batchs():
    layer, x = layer_of(momentum=1.0), batch(50)
    trained = layer.forward(x)
    layer.running_var *= 49 / 50  # it took over the unbiased variance
    np.testing.assert_allclose(layer.forward(x, training=False), trained, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize(("n", "eps"), [(2, 0.1), (6, 1e-5)])  # without eps the output of two examples is -1 and 1
def test_gradient_with_respect_to_the_input_is_right_at_every_index(training, n, eps):
    layer, x = layer_of(eps=eps), batch(n) / [1, 10, 0.1]
    dout = np.random.default_rng(2).normal(size=x.shape)
    layer.forward(x, training=training)
    grad = layer.backward(dout)
    found = gradient_check(lambda x: float(np.sum(layer.forward(x, training=training) * dout)), x.copy(), grad)
    assert found.error < 1e-6, found
    assert found.checked == 3 * n


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("name", ["gamma", "beta"])
def test_gradients_of_scale_and_shift_are_right_at_every_index(training, name):
    layer, x = layer_of(), batch()
    dout = np.random.default_rng(2).normal(size=x.shape)
    layer.forward(x, training=training)
    layer.backward(dout)
    grad = {"gamma": layer.dgamma, "beta": layer.dbeta}[name].copy()
    weights = layer.weights()[name]
    found = gradient_check(lambda _: float(np.sum(layer.forward(x, training=training) * dout)), weights, grad)
    assert found.error < 1e-7, found
    assert found.checked == 3


@given(seed=st.integers(0, 999))
@settings(max_examples=20)
def test_scaling_and_shifting_the_input_changes_nothing_in_training(seed):
    x = batch(seed=seed)
    factor, shift = np.random.default_rng(seed).uniform(0.5, 3, size=(2, 3))
    one, other = layer_of(eps=0.0), layer_of(eps=0.0)
    np.testing.assert_allclose(other.forward(x * factor + shift), one.forward(x), rtol=1e-7, atol=1e-8)


@given(seed=st.integers(0, 999))
@settings(max_examples=20)
def test_a_permuted_batch_gives_permuted_results_and_the_same_weight_gradients(seed):
    rng = np.random.default_rng(seed)
    one, other, x, order = layer_of(), layer_of(), batch(seed=seed), rng.permutation(6)
    out, dout = one.forward(x), rng.normal(size=x.shape)
    np.testing.assert_allclose(other.forward(x[order]), out[order], rtol=1e-9, atol=1e-11)
    np.testing.assert_allclose(other.backward(dout[order]), one.backward(dout)[order], rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(other.dgamma, one.dgamma, rtol=1e-9, atol=1e-11)
    np.testing.assert_allclose(other.running_var, one.running_var, rtol=1e-12)


def test_float32_stays_float32_and_near_float64():
    single, double = layer_of(dtype=np.float32), layer_of()
    x = batch(40)
    dout = np.random.default_rng(2).normal(size=x.shape)
    for training in (True, False):
        out, dx = single.forward(x.astype(np.float32), training=training), single.backward(dout.astype(np.float32))
        assert out.dtype == dx.dtype == single.dgamma.dtype == single.running_var.dtype == np.float32
        np.testing.assert_allclose(out, double.forward(x, training=training), rtol=1e-3, atol=1e-4)
        np.testing.assert_allclose(dx, double.backward(dout), rtol=1e-3, atol=1e-3)
        np.testing.assert_allclose(single.dgamma, double.dgamma, rtol=1e-3, atol=1e-3)


def test_a_float64_batch_goes_through_a_float32_layer():
    mixed, double = layer_of(dtype=np.float32), layer_of()
    x, dout = batch(40), np.random.default_rng(2).normal(size=(40, 3))
    for training in (True, False):
        np.testing.assert_allclose(
            mixed.forward(x, training=training), double.forward(x, training=training), rtol=1e-4, atol=1e-5
        )
        np.testing.assert_allclose(mixed.backward(dout), double.backward(dout), rtol=1e-4, atol=1e-6)
        np.testing.assert_allclose(mixed.dgamma, double.dgamma, rtol=1e-4)
        np.testing.assert_allclose(mixed.dbeta, double.dbeta, rtol=1e-4)
        assert mixed.dgamma.dtype == mixed.running_mean.dtype == np.float32


@pytest.mark.parametrize("training", [True, False])
def test_out_takes_the_results_in_both_modes(training):
    fresh, reusing, x = layer_of(), layer_of(), batch()
    out, back = np.empty_like(x), np.empty_like(x)
    assert reusing.forward(x, training=training, out=out) is out
    np.testing.assert_array_equal(out, fresh.forward(x, training=training))
    assert reusing.backward(x, out=back) is back
    np.testing.assert_array_equal(back, fresh.backward(x))


def test_a_training_batch_of_one_is_refused_and_changes_nothing():
    layer = layer_of()
    mean = layer.running_mean.copy()
    sentence = (
        "BatchNorm1d got a training batch of one example, which has no variance; "
        "give it at least 2, or call forward with training=False."
    )
    with pytest.raises(ValueError, match=f"^{re.escape(sentence)}$"):
        layer.forward(batch(1))
    np.testing.assert_array_equal(layer.running_mean, mean)
    with pytest.raises(RuntimeError, match="forward pass first"):
        layer.backward(batch(1))
    assert layer.forward(batch(2)).shape == (2, 3)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"num_features": 0}, ValueError, "BatchNorm1d got num_features=0; it must be a whole number, at least 1"),
        ({"num_features": 2.5}, TypeError, "BatchNorm1d got num_features=2.5"),
        ({"eps": -1e-9}, ValueError, "BatchNorm1d got eps=-1e-09"),
        ({"eps": np.nan}, ValueError, "BatchNorm1d got eps=nan"),
        ({"eps": np.inf}, ValueError, "BatchNorm1d got eps=inf"),
        ({"momentum": -0.1}, ValueError, "BatchNorm1d got momentum=-0.1"),
        ({"momentum": 1.1}, ValueError, "BatchNorm1d got momentum=1.1"),
        ({"momentum": None}, TypeError, "BatchNorm1d got momentum=None"),
        ({"dtype": np.float16}, ValueError, "dtype is float16"),
    ],
)
def test_what_makes_no_layer_is_refused(options, error, message):
    with pytest.raises(error, match="^" + message):
        BatchNorm1d(**{"num_features": 3, **options})


@pytest.mark.parametrize("shape", [(3,), (5, 4), (2, 3, 3)])
def test_inputs_that_do_not_fit_are_refused(shape):
    with pytest.raises(ValueError, match=r"^BatchNorm1d got an input of shape .*; it needs \(N, 3\)"):
        BatchNorm1d(3).forward(np.zeros(shape))


def test_backward_needs_a_gradient_of_the_outputs_shape():
    layer = layer_of()
    layer.forward(batch())
    with pytest.raises(
        ValueError, match=r"^BatchNorm1d\.backward got dout of shape \(5, 3\); the last output had shape \(6, 3\)"
    ):
        layer.backward(np.zeros((5, 3)))
    assert repr(layer) == "BatchNorm1d(3)"
