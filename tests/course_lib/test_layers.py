"""Layers: backward against differences at every index, numbers by hand, and what is refused."""

import copy
import pickle
import re
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from course_lib.batchnorm import BatchNorm1d
from course_lib.dropout import Dropout
from course_lib.gradcheck import gradient_check
from course_lib.layers import Layer, Linear, ReLU, Sigmoid, Tanh
from course_lib.parameters import Parameters

ACTIVATIONS = [ReLU, Tanh, Sigmoid]


def linear(n_in: int = 3, n_out: int = 4, dtype=np.float64, seed: int = 0) -> Linear:
    layer = Linear(n_in, n_out, rng=np.random.default_rng(seed), dtype=dtype)
    layer.b[:] = np.linspace(-1, 1, n_out)
    return layer


@pytest.mark.parametrize("make", [linear, *ACTIVATIONS])
def test_gradient_with_respect_to_the_input_is_right_at_every_index(make):
    rng = np.random.default_rng(1)
    layer, x = make(), rng.normal(size=(5, 3))
    dout = rng.normal(size=layer.forward(x).shape)
    found = gradient_check(lambda x: float(np.sum(layer.forward(x) * dout)), x.copy(), layer.backward(dout))
    assert found.error < 1e-7, found
    assert found.checked == 15


@pytest.mark.parametrize("name", ["W", "b"])
def test_gradient_with_respect_to_the_weights_is_right_at_every_index(name):
    rng = np.random.default_rng(2)
    layer, x, dout = linear(), rng.normal(size=(5, 3)), rng.normal(size=(5, 4))
    layer.forward(x)
    layer.backward(dout)
    weights = layer.weights()[name]

    def f(_):  # the weights are moved in place
        return float(np.sum(layer.forward(x) * dout))

    found = gradient_check(f, weights, {"W": layer.dW, "b": layer.db}[name])
    assert found.error < 1e-7, found
    assert found.checked == weights.size


def test_linear_by_hand():
    layer = linear(2, 1)
    layer.W[:] = [[2.0], [3.0]]
    layer.b[:] = [10.0]
    x = np.array([[1.0, 1.0], [0.0, 2.0]])
    np.testing.assert_array_equal(layer.forward(x), [[15], [16]])
    np.testing.assert_array_equal(layer.backward(np.array([[1.0], [10.0]])), [[2, 3], [20, 30]])
    np.testing.assert_array_equal(layer.dW, [[1], [21]])
    np.testing.assert_array_equal(layer.db, [11])


def test_activations_by_hand():
    x, dout = np.array([[-2.0, 0.0, 3.0]]), np.array([[5.0, 7.0, 11.0]])
    relu, tanh, sigmoid = ReLU(), Tanh(), Sigmoid()
    np.testing.assert_array_equal(relu.forward(x), [[0, 0, 3]])
    np.testing.assert_array_equal(relu.backward(dout), [[0, 0, 11]])
    np.testing.assert_allclose(tanh.forward(x), [[-0.9640275800758169, 0, 0.9950547536867305]], rtol=1e-15)
    assert tanh.backward(dout)[0, 1] == 7
    np.testing.assert_allclose(sigmoid.forward(x), [[0.11920292202211755, 0.5, 0.9525741268224334]], rtol=1e-15)
    assert sigmoid.backward(dout)[0, 1] == 7 / 4


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_sigmoid_of_huge_numbers_is_quiet_and_keeps_its_dtype(dtype):
    with np.errstate(all="raise", under="ignore"):
        out = Sigmoid().forward(np.array([[-1e4, 1e4]], dtype))
    np.testing.assert_array_equal(out, [[0, 1]])
    assert out.dtype == dtype


@pytest.mark.parametrize("make", [linear, *ACTIVATIONS])
@given(seed=st.integers(0, 1000))
@settings(max_examples=20)
def test_a_permuted_batch_gives_permuted_results_and_the_same_weight_gradients(make, seed):
    rng = np.random.default_rng(seed)
    layer, twin = make(), make()
    x, order = rng.normal(size=(6, 3)), rng.permutation(6)
    out, shuffled = layer.forward(x), twin.forward(x[order])
    np.testing.assert_allclose(shuffled, out[order], rtol=1e-12)
    dout = rng.normal(size=out.shape)
    np.testing.assert_allclose(twin.backward(dout[order]), layer.backward(dout)[order], rtol=1e-12)
    if isinstance(layer, Linear):
        np.testing.assert_allclose(twin.dW, layer.dW, rtol=1e-12, atol=1e-13)
        np.testing.assert_allclose(twin.db, layer.db, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("make", [linear, *ACTIVATIONS])
def test_layers_keep_the_dtype_and_their_inputs(make, dtype):
    layer = make(dtype=dtype) if make is linear else make()
    x = np.random.default_rng(0).normal(size=(5, 3)).astype(dtype)
    kept = x.copy()
    out = layer.forward(x)
    dout = np.ones_like(out)
    dx = layer.backward(dout)
    assert out.dtype == dx.dtype == dtype
    assert dx.shape == x.shape
    np.testing.assert_array_equal(x, kept)
    np.testing.assert_array_equal(dout, np.ones_like(out))


def test_backward_writes_and_does_not_add_up():
    layer, x = linear(), np.random.default_rng(0).normal(size=(5, 3))
    dout = np.ones_like(layer.forward(x))
    layer.backward(dout)
    once = layer.dW.copy(), layer.db.copy()
    layer.backward(dout)
    np.testing.assert_array_equal(layer.dW, once[0])
    np.testing.assert_array_equal(layer.db, once[1])


def test_bound_layers_write_into_the_flat_gradient():
    layer, x = linear(), np.random.default_rng(0).normal(size=(5, 3))
    params = Parameters.from_arrays(layer.weights())
    layer.bind(params, params.grads)
    layer.backward(np.ones_like(layer.forward(x)))
    np.testing.assert_allclose(params.grad[:12].reshape(3, 4), np.repeat(x.sum(axis=0)[:, None], 4, axis=1))
    np.testing.assert_array_equal(params.grad[12:], 5)


def test_he_initialisation_keeps_the_size_of_signals():
    x = np.random.default_rng(0).normal(size=(200, 400))
    for seed in range(6):
        layer = Linear(400, 400, rng=np.random.default_rng(seed), dtype=np.float64)
        assert layer.W.std() == pytest.approx(np.sqrt(2 / 400), rel=0.02)
        np.testing.assert_array_equal(layer.b, 0)
        x = ReLU().forward(layer.forward(x))
    assert 0.5 < np.mean(x**2) < 2


def test_one_seed_gives_one_layer_in_both_precisions():
    double, single = linear(dtype=np.float64, seed=3), linear(dtype=np.float32, seed=3)
    np.testing.assert_array_equal(double.W.astype(np.float32), single.W)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_in": 0, "n_out": 3}, "^Linear got n_in=0; it must be a whole number, at least 1"),
        ({"n_in": 3, "n_out": 0}, "^Linear got n_out=0; it must be a whole number, at least 1"),
        ({"n_in": 3, "n_out": 3, "gain": -1.0}, "^Linear got gain=-1.0; it must be a finite number, at least 0"),
        ({"n_in": 3, "n_out": 3, "gain": np.nan}, "^Linear got gain=nan"),
        ({"n_in": 3, "n_out": 3, "dtype": np.int32}, "dtype is int32"),
    ],
)
def test_linear_refuses_what_makes_no_layer(options, message):
    with pytest.raises(ValueError, match=message):
        Linear(**options, rng=np.random.default_rng(0))


@pytest.mark.parametrize("gain", [0.0, 0.5])
def test_the_gain_scales_the_first_weights(gain):
    plain, scaled = (Linear(3, 4, rng=np.random.default_rng(0), dtype=np.float64, gain=g) for g in (1.0, gain))
    np.testing.assert_allclose(scaled.W, gain * plain.W, rtol=1e-15)


@pytest.mark.parametrize("shape", [(3,), (5, 4), (2, 3, 3)])
def test_linear_refuses_inputs_that_do_not_fit(shape):
    sentence = f"Linear got an input of shape {shape}; it needs (N, 3), examples first."
    with pytest.raises(ValueError, match=f"^{re.escape(sentence)}$"):
        linear().forward(np.zeros(shape))


@pytest.mark.parametrize(("dtype", "other"), [(np.float32, np.float64), (np.float64, np.float32)])
def test_linear_computes_in_the_precision_of_its_weights(dtype, other):
    layer, twin = linear(dtype=dtype), linear(dtype=dtype)
    rng = np.random.default_rng(0)
    x, dout = rng.normal(size=(5, 3)).astype(other), rng.normal(size=(5, 4)).astype(other)
    out, dx = layer.forward(x), layer.backward(dout)
    assert out.dtype == dx.dtype == dtype
    np.testing.assert_array_equal(out, twin.forward(x.astype(dtype)))
    np.testing.assert_array_equal(dx, twin.backward(dout.astype(dtype)))
    np.testing.assert_array_equal(layer.dW, twin.dW)


EVERY = [linear, *ACTIVATIONS, lambda **_: Dropout(0.3, np.random.default_rng(0)), lambda **_: BatchNorm1d(3)]


@pytest.mark.parametrize("make", EVERY)
def test_backward_needs_a_forward_and_a_gradient_of_its_shape(make):
    layer = make()
    name = type(layer).__name__
    with pytest.raises(RuntimeError, match=rf"^{name}\.backward needs a forward pass first; call forward\(x\) before"):
        layer.backward(np.zeros((5, 3)))
    shape = layer.forward(np.zeros((5, 3))).shape
    sentence = f"{name}.backward got dout of shape (4, 3); the last output had shape {shape}."
    with pytest.raises(ValueError, match=f"^{re.escape(sentence)}$"):
        layer.backward(np.zeros((4, 3)))


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("make", EVERY)
def test_results_are_new_arrays_that_never_change_later(make, training):
    rng = np.random.default_rng(0)
    layer, x = make(dtype=np.float32) if make is linear else make(), rng.normal(size=(5, 3)).astype(np.float32)
    out = layer.forward(x, training=training)
    dout = rng.normal(size=out.shape).astype(np.float32)
    dx = layer.backward(dout)
    kept = x.copy(), dout.copy(), out.copy(), dx.copy()
    assert not any(np.shares_memory(result, given) for result in (out, dx) for given in (x, dout))
    for _ in range(3):
        again = layer.forward(rng.normal(size=x.shape).astype(np.float32), training=training)
        layer.backward(np.ones_like(again))
    for array, before in zip((x, dout, out, dx), kept, strict=True):
        np.testing.assert_array_equal(array, before)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("make", EVERY)
def test_out_takes_the_result_and_the_numbers_are_the_same(make, training):
    rng = np.random.default_rng(0)
    fresh, reusing = ((make(dtype=np.float32) if make is linear else make()) for _ in range(2))
    x = rng.normal(size=(5, 3)).astype(np.float32)
    expected = fresh.forward(x, training=training)
    room = np.full_like(expected, np.nan)
    assert reusing.forward(x, training=training, out=room) is room
    np.testing.assert_array_equal(room, expected)
    dout = rng.normal(size=expected.shape).astype(np.float32)
    back = np.full_like(x, np.nan)
    assert reusing.backward(dout, out=back) is back
    np.testing.assert_array_equal(back, fresh.backward(dout))


@pytest.mark.parametrize("make", EVERY)
def test_a_step_into_given_arrays_makes_no_other_of_the_size_of_a_batch(make):
    layer, x = make(dtype=np.float32) if make is linear else make(), np.ones((50_000, 3), np.float32)
    out, back = layer.forward(x), np.empty_like(x)
    layer.backward(out, out=back)
    tracemalloc.start()
    try:
        layer.forward(x, out=out)
        layer.backward(out, out=back)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 2 * len(x)  # one number an example would take twice as much


def test_sigmoid_of_float32_is_computed_in_float32():
    x = np.random.default_rng(0).normal(size=(50, 3)).astype(np.float32)
    np.testing.assert_array_equal(Sigmoid().forward(x), np.exp(np.minimum(x, 0)) / (1 + np.exp(-np.abs(x))))


@pytest.mark.parametrize("make", EVERY)
def test_copies_carry_the_weights_but_not_the_last_batch(make):
    layer = make()
    layer.forward(np.ones((5, 3), layer.weights()["gamma"].dtype if isinstance(layer, BatchNorm1d) else np.float64))
    for twin in (copy.copy(layer), copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        with pytest.raises(RuntimeError, match="forward pass first"):
            twin.backward(np.ones((5, 3)))
        for name, weights in layer.weights().items():
            np.testing.assert_array_equal(twin.weights()[name], weights)
    layer.backward(np.ones_like(layer.forward(np.ones((5, 3)))))  # its own memory is as it was


@pytest.mark.parametrize("make", EVERY)
@pytest.mark.parametrize(
    ("x", "error", "message"),
    [
        (np.ones((5, 3), int), TypeError, ".forward: the input has dtype int64; it must be float32 or float64"),
        (np.ones((5, 3), np.float16), TypeError, ".forward: the input has dtype float16; it must be float32 or"),
        (np.ones((5, 3), complex), TypeError, ".forward: the input has dtype complex128"),
        (np.ones((5, 3), object), TypeError, ".forward: the input has dtype object"),
        ([[1.0, 2.0, 3.0]], TypeError, ".forward: the input is a list; it must be an array"),
        (np.ones((0, 3)), ValueError, " got an input of shape (0, 3): an empty batch; it needs at least one example."),
    ],
)
def test_inputs_that_are_no_batch_of_floats_are_refused(make, x, error, message):
    layer = make()
    with pytest.raises(error, match=f"^{re.escape(type(layer).__name__ + message)}"):
        layer.forward(x)


@pytest.mark.parametrize("make", EVERY)
def test_gradients_that_are_no_floats_are_refused(make):
    layer = make()
    layer.forward(np.ones((5, 3)), training=False)
    with pytest.raises(
        TypeError, match=rf"^{type(layer).__name__}\.backward: dout has dtype int64; it must be float32"
    ):
        layer.backward(np.ones((5, 4) if isinstance(layer, Linear) else (5, 3), int))


def test_init_draws_the_weights_and_is_held_to_their_shape():
    rng = np.random.default_rng(0)
    layer = Linear(3, 2, rng=rng, init=lambda n_in, n_out, rng: np.full((n_in, n_out), 0.1))
    np.testing.assert_array_equal(layer.W, np.full((3, 2), 0.1, np.float32))
    assert layer.W.dtype == np.float32
    with pytest.raises(ValueError, match=r"weights of shape \(2, 3\) from init; it needs \(3, 2\)"):
        Linear(3, 2, rng=rng, init=lambda n_in, n_out, rng: np.zeros((n_out, n_in)))


def test_an_init_that_gives_away_its_array_does_not_share_it():
    given = np.ones((3, 2), np.float32)
    layer = Linear(3, 2, rng=np.random.default_rng(0), init=lambda *_: given)
    layer.W[:] = 0
    np.testing.assert_array_equal(given, 1)


@pytest.mark.parametrize("rng", [0, None, np.random.RandomState(0)])
def test_a_seed_is_not_a_generator(rng):
    with pytest.raises(TypeError, match=r"Linear got rng=.*as in rng=np.random.default_rng\(0\)"):
        Linear(3, 2, rng=rng)


def test_a_bare_layer_has_no_weights_and_no_passes():
    layer = Layer()
    assert layer.weights() == layer.buffers() == layer.generators() == {}
    layer.bind({}, {})
    layer.backward_weights(np.zeros(1))
    for call in (layer.forward, layer.backward):
        with pytest.raises(NotImplementedError):
            call(np.zeros((1, 1)))
    assert repr(linear()) == "Linear(3, 4)"
    assert repr(ReLU()) == "ReLU()"


def test_a_layer_acts_as_in_training_unless_told_otherwise():
    x = np.ones((50, 4))
    assert 0 in Dropout(0.5, np.random.default_rng(0)).forward(x)
    assert 0 not in Dropout(0.5, np.random.default_rng(0)).forward(x, training=False)
