"""The gradient check finds right gradients right and wrong ones wrong, and says where."""

import numpy as np
import pytest

from course_lib.batchnorm import BatchNorm1d
from course_lib.dropout import Dropout
from course_lib.gradcheck import check_inputs, check_model, gradient_check, numerical_gradient
from course_lib.layers import Linear, ReLU, Sigmoid, Tanh
from course_lib.losses import softmax_cross_entropy, squared_error
from course_lib.network import MLP, Sequential

THETA = np.array([[1.0, -2.0], [300.0, 0.0]])


def f(theta):
    return float(np.sum(theta**3))


def test_differences_are_close_at_every_scale():
    np.testing.assert_allclose(numerical_gradient(f, THETA.copy()), 3 * THETA**2, rtol=1e-8, atol=1e-4)


def test_the_step_grows_with_the_weight():
    asked = []
    numerical_gradient(lambda theta: asked.append(theta.copy()) or 0.0, np.array([0.1, -400.0]))
    steps = [np.abs(theta - [0.1, -400.0]).max() for theta in asked]
    np.testing.assert_allclose(steps, [1e-5, 1e-5, 4e-3, 4e-3], rtol=1e-6)


def test_a_right_gradient_passes_and_every_index_is_looked_at():
    found = gradient_check(f, THETA.copy(), 3 * THETA**2)
    assert found.error < 1e-7
    assert found.checked == 4


@pytest.mark.parametrize("index", [(0, 0), (0, 1), (1, 0)])
def test_one_wrong_number_is_found_wherever_it_is(index):
    grad = 3 * THETA**2
    grad[index] *= 1.01
    theta = THETA.copy()
    theta[1, 0] = 3.0
    right = 3 * theta**2
    right[index] *= 1.01
    found = gradient_check(f, theta, right)
    assert found.error == pytest.approx(0.01, rel=0.02)
    assert found.where == f"theta[{index[0]}, {index[1]}]"
    assert found.given == right[index]
    assert found.numeric == pytest.approx(right[index] / 1.01)
    assert found.where in repr(found)


def test_a_slope_that_should_be_zero_is_found():
    theta = np.array([2.0, 1.0])
    found = gradient_check(lambda t: float(t[0] ** 2), theta, np.array([4.0, 0.1]))
    assert found.where == "theta[1]"
    assert found.error == pytest.approx(1.0)
    assert gradient_check(lambda _: 5.0, theta, np.zeros(2)).error == 0


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_is_not_finite_is_an_infinite_error(bad):
    found = gradient_check(f, np.ones(2), np.array([3.0, bad]))
    assert found.error == np.inf
    assert found.where == "theta[1]"


def test_theta_is_as_it_was_also_after_an_error():
    theta = THETA.copy()
    gradient_check(f, theta, 3 * theta**2)
    np.testing.assert_array_equal(theta, THETA)

    def breaks(_):
        raise LookupError("no value here")

    with pytest.raises(LookupError, match="no value here"):
        numerical_gradient(breaks, theta)
    np.testing.assert_array_equal(theta, THETA)


@pytest.mark.parametrize(
    ("theta", "grad", "h", "message"),
    [
        (np.ones(2, np.float32), np.ones(2), 1e-5, "float32; differences need float64"),
        (np.ones(2, int), np.ones(2), 1e-5, "differences need float64"),
        (np.ones(2), np.ones(3), 1e-5, r"grad has shape \(3,\), theta \(2,\)"),
        (np.ones(0), np.ones(0), 1e-5, "not empty"),
        (np.ones(2), np.ones(2), 0.0, "h is 0.0"),
    ],
)
def test_what_cannot_be_checked_is_refused(theta, grad, h, message):
    with pytest.raises(ValueError, match=message):
        gradient_check(f, theta, grad, h)


class WrongLinear(Linear):
    """A layer whose bias gradient is averaged once too often."""

    def _backward_weights(self, dout):
        super()._backward_weights(dout)
        self.db /= len(dout)


def test_a_model_with_a_wrong_layer_is_caught_by_name():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(6, 5)), rng.integers(3, size=6)
    first, last = Linear(5, 4, rng=rng, dtype=np.float64), WrongLinear(4, 3, rng=rng, dtype=np.float64)
    model = Sequential([first, ReLU(), last])
    before = model.parameters.theta.copy()
    found = check_model(model, X, y)
    assert found.where.startswith("b2[")
    assert found.error == pytest.approx(5 / 6, abs=1e-3)
    np.testing.assert_array_equal(model.parameters.theta, before)


def test_a_float32_model_is_refused():
    model = MLP([5, 3], rng=np.random.default_rng(0))
    with pytest.raises(ValueError, match="float32; differences need float64"):
        check_model(model, np.zeros((2, 5)), np.array([0, 1]), softmax_cross_entropy)


def full_model(activation=Tanh, **options):
    options = {"batch_norm": True, "dropout": 0.3, **options}
    return MLP([5, 6, 4, 3], rng=np.random.default_rng(0), dtype=np.float64, activation=activation, **options)


def full_data():
    rng = np.random.default_rng(1)
    return rng.normal(size=(8, 5)), rng.integers(3, size=8), rng.normal(size=(8, 3))


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("options", [{}, {"batch_norm": False}, {"dropout": 0.0}, {"activation": Sigmoid}])
def test_networks_with_dropout_and_batch_norm_are_right_at_every_weight_and_input(options, training):
    model, (X, labels, targets) = full_model(**options), full_data()
    model.forward(X * 2)  # running values that are not the first ones
    for y, loss in ((labels, softmax_cross_entropy), (targets, squared_error)):
        weights = check_model(model, X, y, loss, training=training)
        assert weights.error < 1e-6, weights
        assert weights.checked == model.parameters.size
        inputs = check_inputs(model, X, y, loss, training=training)
        assert inputs.error < 1e-6, inputs
        assert inputs.checked == X.size
        assert inputs.where.startswith("X[")


def test_a_check_changes_nothing_but_the_gradient():
    model, (X, y, _) = full_model(), full_data()
    _, dout = softmax_cross_entropy(model.forward(X), y)
    twin, before = model.copy(), model.state_dict()
    check_model(model, X, y)
    check_inputs(model, X[:4], y[:4])
    after = model.state_dict()
    assert after.keys() == before.keys()
    for name, value in before.items():
        np.testing.assert_equal(after[name], value)
    _, other_dout = softmax_cross_entropy(twin.forward(X), y)  # the masks that the check drew, from the same state
    twin.backward(other_dout)
    np.testing.assert_allclose(model.parameters.grad, twin.parameters.grad, rtol=1e-12)
    model.parameters.zero_grad()
    model.backward(dout)  # what the forward before the check left is still there
    assert np.abs(model.parameters.grad).max() > 0


class FreshMask(Dropout):
    """A backward pass that draws a mask of its own."""

    def backward(self, dout, *, out=None):
        return np.multiply(dout, (self.rng.random(dout.shape) >= self.p) / (1 - self.p), out=out)


class ConstantStatistics(BatchNorm1d):
    """A backward pass that takes the batch's mean and variance for constants."""

    def backward(self, dout, *, out=None):
        self.backward_weights(dout)
        return np.multiply(dout, self.gamma / self._kept["std"], out=out)


@pytest.mark.parametrize(("wrong", "place"), [(FreshMask, 3), (ConstantStatistics, 1)])
def test_mistakes_in_dropout_and_batch_norm_are_caught(wrong, place):
    model, (X, y, _) = full_model(), full_data()
    model.layers[place].__class__ = wrong
    assert check_model(model, X, y).error > 1e-2
    assert check_inputs(model, X, y).error > 1e-2
