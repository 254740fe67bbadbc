"""The learning rate range test: its rates, its steps, when it stops, and what it suggests."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from course_lib import MLP, lr_range_test, suggest_lr
from course_lib.data import load_digits, two_moons
from course_lib.losses import softmax_cross_entropy, squared_error
from course_lib.range_test import model_loss_and_grad


def bowl(theta):
    return float(theta @ theta) / 2, theta.copy()


def losses_in_turn(losses):
    remaining = iter(losses)
    return lambda theta: (next(remaining), np.zeros_like(theta))


def test_rates_losses_and_steps_by_hand():
    lrs, losses = lr_range_test(bowl, [1.0], lr_min=0.1, lr_max=1.6, steps=5)
    np.testing.assert_allclose(lrs, [0.1, 0.2, 0.4, 0.8, 1.6], rtol=1e-15)
    thetas = np.cumprod([1, 1 - 0.1, 1 - 0.2, 1 - 0.4, 1 - 0.8])
    np.testing.assert_allclose(losses, thetas**2 / 2, rtol=1e-14)
    assert lrs.dtype == losses.dtype == np.float64


def test_its_defaults():
    lrs, losses = lr_range_test(lambda theta: (1.0, np.zeros(1)), np.zeros(1))
    assert len(lrs) == len(losses) == 100
    assert (lrs[0], lrs[-1]) == (1e-5, pytest.approx(10.0, rel=1e-14))


@given(lr_min=st.floats(1e-6, 1), factor=st.floats(1.01, 1e6), steps=st.integers(2, 50))
def test_rates_grow_by_one_factor(lr_min, factor, steps):
    lrs, _ = lr_range_test(lambda theta: (1.0, np.zeros(1)), np.zeros(1), lr_min, lr_min * factor, steps)
    expected = [lr_min * ((lr_min * factor) / lr_min) ** (i / (steps - 1)) for i in range(steps)]
    np.testing.assert_array_equal(lrs, expected)


@pytest.mark.parametrize(
    ("given_losses", "kept"),
    [
        ([1.0, 4.0, 4.0 + 1e-9, 1.0, 1.0], 3),
        ([1.0, 0.5, 2.0 + 1e-9, 0.1, 0.1], 3),
        ([1.0, 0.5, 2.0, 1.9, 1.0], 5),
        ([1.0, math.nan, 1.0, 1.0, 1.0], 2),
        ([1.0, math.inf, 1.0, 1.0, 1.0], 2),
        ([math.nan, 1.0, 1.0, 1.0, 1.0], 1),
        ([1e300, 1.0, 3.9, 4.1, 1.0], 4),
        ([0.0, 0.0, 1e-300, 0.0, 0.0], 3),
    ],
)
def test_it_stops_after_the_first_loss_four_times_the_best(given_losses, kept):
    lrs, losses = lr_range_test(losses_in_turn(given_losses), np.zeros(1), steps=5)
    np.testing.assert_array_equal(losses, given_losses[:kept])
    assert len(lrs) == kept


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64])
def test_it_starts_from_a_copy_in_the_precision_it_got(dtype):
    seen = []

    def loss_and_grad(theta):
        seen.append(theta.dtype)
        return bowl(theta)

    theta0 = np.array([1, 2], dtype)
    lr_range_test(loss_and_grad, theta0, np.float64(1e-3), np.float64(1.0), steps=4)
    np.testing.assert_array_equal(theta0, [1, 2])
    assert set(seen) == {np.dtype(np.float64 if dtype == np.int64 else dtype)}


def test_a_gradient_in_another_precision_does_not_change_that_of_theta():
    seen = []

    def loss_and_grad(theta):
        seen.append(theta.dtype)
        return 1.0, [0.5, 0.25]

    lr_range_test(loss_and_grad, np.ones(2, np.float32), steps=3)
    assert seen == [np.float32] * 3


def test_divergence_raises_no_warnings(recwarn):
    lrs, losses = lr_range_test(lambda t: (1 + float((0 * t).sum()), t * np.float32(1e20)), np.ones(2, np.float32))
    assert not recwarn
    assert math.isnan(losses[-1])
    np.testing.assert_array_equal(losses[:-1], 1.0)
    assert len(lrs) == len(losses) < 100


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"lr_min": 0.0}, r"lr_min=0\.0; it must be a finite number, above 0\."),
        ({"lr_min": -1.0}, "lr_min=-1"),
        ({"lr_min": 1.0, "lr_max": 1.0}, r"lr_max=1\.0; it must be a finite number, above 1\."),
        ({"lr_min": 2.0, "lr_max": 1.0}, "lr_max=1"),
        ({"lr_max": math.inf}, "lr_max=inf"),
        ({"lr_min": math.nan}, "lr_min=nan"),
        ({"lr_max": math.nan}, "lr_max=nan"),
        ({"steps": 1}, "steps=1; it must be a whole number, at least 2"),
    ],
)
def test_a_range_that_is_none_is_refused(options, message):
    with pytest.raises(ValueError, match=f"^lr_range_test got {message}"):
        lr_range_test(bowl, [1.0], **options)


def test_a_gradient_of_another_shape_is_refused():
    with pytest.raises(ValueError, match=r"gradient of shape \(1,\); theta0 has \(2,\)"):
        lr_range_test(lambda theta: (1.0, np.zeros(1)), np.zeros(2))


def test_the_suggestion_is_a_third_of_the_rate_at_the_lowest_loss():
    assert suggest_lr([0.1, 0.3, 0.9], [2.0, 1.0, 3.0]) == pytest.approx(0.1)
    assert suggest_lr([0.1, 0.3, 0.9], [2.0, 1.0, 1.0]) == pytest.approx(0.1), "the first of several"
    assert suggest_lr([0.1, 0.3, 0.9], [2.0, 1.0, math.nan]) == pytest.approx(0.1)
    assert suggest_lr([0.1, 0.3, 0.9], [2.0, 1.0, -math.inf]) == pytest.approx(0.1), "not finite does not count"
    assert suggest_lr([0.3], [5.0]) == pytest.approx(0.1)
    assert type(suggest_lr(np.array([0.3]), np.array([5.0]))) is float


@pytest.mark.parametrize(
    ("lrs", "losses", "message"),
    [
        ([0.1, 0.2], [1.0], r"lrs has shape \(2,\) and losses \(1,\)"),
        ([[0.1]], [[1.0]], r"both need the same \(K,\)"),
        ([0.1], [math.nan], r"^no loss is finite; .* look for NaN in the data\.$"),
        ([], [], "^no loss is finite"),
    ],
)
def test_suggest_lr_refuses_what_does_not_fit(lrs, losses, message):
    with pytest.raises(ValueError, match=message):
        suggest_lr(lrs, losses)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_model_as_a_function_of_theta(dtype):
    X, y = two_moons(50, 0.1, np.random.default_rng(0))
    model = MLP([2, 8, 2], rng=np.random.default_rng(0), dtype=dtype)
    before = model.state_dict()
    f = model_loss_and_grad(model, X, y)
    theta = model.parameters.theta + dtype(0.1)
    loss, grad = f(theta)
    again, _ = f(theta * 2)
    assert again != loss
    for name, values in model.state_dict().items():
        np.testing.assert_array_equal(values, before[name])
    np.testing.assert_array_equal(model.parameters.grad, 0)
    other = MLP([2, 8, 2], rng=np.random.default_rng(5), dtype=dtype)
    other.parameters.theta = theta
    value, dlogits = softmax_cross_entropy(other.forward(X), y)
    other.backward(dlogits)
    assert loss == value
    np.testing.assert_array_equal(grad, other.parameters.grad)
    assert grad.dtype == dtype


def test_a_regression_can_be_tested_too():
    X = np.random.default_rng(0).normal(size=(30, 2))
    model = MLP([2, 1], rng=np.random.default_rng(0))
    loss, grad = model_loss_and_grad(model, X, X @ [[1.0], [2.0]], squared_error)(model.parameters.theta)
    assert loss > 0
    assert grad.dtype == np.float32
    seen = []

    def watching(prediction, target):
        seen.append(target.dtype)
        return squared_error(prediction, target)

    model_loss_and_grad(model, X, X @ [[1.0], [2.0]], watching)(model.parameters.theta)
    assert seen == [np.float32], "the targets come in the network's precision"


def test_on_the_digits_the_suggestion_is_within_a_factor_of_two_of_the_best_rate():
    digits = load_digits()
    model = MLP([64, 32, 10], rng=np.random.default_rng(0))
    f = model_loss_and_grad(model, digits.X[:500], digits.y[:500])
    lrs, losses = lr_range_test(f, model.parameters.theta)
    suggestion = suggest_lr(lrs, losses)
    assert losses[-1] > 4 * losses.min()

    def loss_after_training(lr, steps=100):
        theta = model.parameters.theta.copy()
        for _ in range(steps):
            theta = theta - lr * f(theta)[1]
        return f(theta)[0]

    factors = (1 / 8, 1 / 4, 1 / 2, 1, 2, 4, 8)
    trained = [loss_after_training(suggestion * factor) for factor in factors]
    assert factors[int(np.argmin(trained))] in (1 / 2, 1, 2)
