"""Optimizers by hand, in place, restorable to the bit, and strict about what they are given.

That each rule holds PyTorch's numbers is in parity.
"""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from course_lib.network import MLP
from course_lib.optimizers import SGD, Adagrad, Adam, AdamW, Optimizer, RMSprop
from course_lib.parameters import Parameters

SETTINGS = [
    (SGD, {}),
    (SGD, {"momentum": 0.9, "dampening": 0.2, "weight_decay": 0.1}),
    (SGD, {"momentum": 0.9, "nesterov": True}),
    (Adagrad, {"lr_decay": 0.1, "weight_decay": 0.1}),
    (RMSprop, {}),
    (RMSprop, {"centered": True, "momentum": 0.9, "weight_decay": 0.1}),
    (Adam, {"weight_decay": 0.1}),
    (AdamW, {}),
]
EACH = pytest.mark.parametrize(("rule", "options"), SETTINGS)
RULES = pytest.mark.parametrize("rule", [SGD, Adagrad, RMSprop, Adam, AdamW])


def parameters(dtype=np.float64, size=5) -> Parameters:
    return Parameters.from_arrays({"w": np.linspace(-2, 2, size)}, dtype)


def walk(optimizer: Optimizer, steps: int, seed: int = 0) -> None:
    rng = np.random.default_rng(seed)
    for _ in range(steps):
        optimizer.params.grad[...] = rng.normal(size=optimizer.params.grad.shape)
        optimizer.step()


@pytest.mark.parametrize(
    ("rule", "options", "expected"),
    [  # theta = 1, gradient 0.5 twice, then -2
        (SGD, {"lr": 0.1}, [0.95, 0.9, 1.1]),
        (SGD, {"lr": 0.1, "momentum": 0.5}, [0.95, 0.875, 1.0375]),
        (SGD, {"lr": 0.1, "momentum": 0.5, "dampening": 0.2}, [0.95, 0.885, 1.0125]),
        (SGD, {"lr": 0.1, "momentum": 0.5, "nesterov": True}, [0.925, 0.8375, 1.11875]),
        (SGD, {"lr": 0.1, "weight_decay": 1.0}, [0.85, 0.715, 0.8435]),
        (Adagrad, {"lr": 0.1, "eps": 0.0}, [0.9, 0.9 - 0.1 / 2**0.5, 0.9 - 0.1 / 2**0.5 + 0.2 / 4.5**0.5]),
        (RMSprop, {"lr": 0.1, "alpha": 0.5, "eps": 0.0}, [1 - 0.1 * 2**0.5, None, None]),
        (Adam, {"lr": 0.1, "eps": 0.0}, [0.9, 0.8, None]),
        (AdamW, {"lr": 0.1, "eps": 0.0, "weight_decay": 1.0}, [0.8, 0.62, None]),
    ],
)
def test_by_hand(rule, options, expected):
    params = Parameters.from_arrays({"w": np.array([1.0])})
    optimizer = rule(params, **options)
    for step, (gradient, theta) in enumerate(zip((0.5, 0.5, -2.0), expected, strict=True), start=1):
        params.grad = [gradient]
        optimizer.step()
        assert optimizer.t == step
        if theta is not None:
            assert params.theta[0] == pytest.approx(theta, rel=1e-12)


@EACH
def test_works_in_place_and_leaves_the_gradient(rule, options):
    params = parameters()
    theta, grad = params.theta, params.grad
    optimizer = rule(params, lr=0.1, **options)
    walk(optimizer, 3)
    kept = grad.copy()
    optimizer.step()
    assert params.theta is theta
    np.testing.assert_array_equal(grad, kept)
    assert (params["w"] != np.linspace(-2, 2, 5)).all()


@EACH
def test_a_step_makes_no_new_arrays(rule, options):
    params = parameters(size=50_000)
    optimizer = rule(params, lr=0.1, **options)
    walk(optimizer, 2)
    tracemalloc.start()
    optimizer.step()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < params.theta.nbytes / 10


@EACH
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_everything_has_the_dtype_of_theta(rule, options, dtype):
    optimizer = rule(parameters(dtype), lr=np.float64(0.1), **options)
    walk(optimizer, 3)
    assert optimizer.params.theta.dtype == dtype
    arrays = [value for value in optimizer.state_dict().values() if isinstance(value, np.ndarray)]
    assert all(array.dtype == dtype for array in arrays)


@EACH
def test_float32_stays_close_to_float64(rule, options):
    single, double = (rule(parameters(dtype), lr=0.01, **options) for dtype in (np.float32, np.float64))
    walk(single, 50)
    walk(double, 50)
    np.testing.assert_allclose(single.params.theta, double.params.theta, rtol=1e-3, atol=1e-4)


@EACH
@given(before=st.integers(0, 5), after=st.integers(1, 5), dtype=st.sampled_from([np.float32, np.float64]))
@settings(max_examples=15)
def test_a_run_kept_and_resumed_equals_one_that_was_not_to_the_bit(rule, options, before, after, dtype):
    whole = rule(parameters(dtype), lr=0.1, **options)
    walk(whole, before)
    state, weights = whole.state_dict(), whole.params.state_dict()
    walk(whole, after, seed=1)
    resumed = rule(parameters(dtype))  # default options: the state brings its own
    resumed.params.load_state_dict(weights)
    resumed.load_state_dict(state)
    walk(resumed, after, seed=1)
    assert resumed.params.theta.tobytes() == whole.params.theta.tobytes()
    assert resumed.t == whole.t
    assert repr(resumed) == repr(whole)


@EACH
def test_a_state_is_a_copy(rule, options):
    optimizer = rule(parameters(), lr=0.1, **options)
    walk(optimizer, 2)
    state = optimizer.state_dict()
    kept = {name: np.copy(value) for name, value in state.items()}
    walk(optimizer, 2)
    for name, value in state.items():
        np.testing.assert_array_equal(value, kept[name])


@RULES
def test_a_state_that_does_not_fit_is_refused_and_changes_nothing(rule):
    optimizer = rule(parameters())
    walk(optimizer, 2)
    before = repr(optimizer)
    good = optimizer.state_dict()
    with pytest.raises(ValueError, match="misses 't'"):
        optimizer.load_state_dict({name: value for name, value in good.items() if name != "t"} | {"lr": 9.0})
    with pytest.raises(ValueError, match="does not know 'rate'"):
        optimizer.load_state_dict(good | {"rate": 1})
    buffer = next(name for name, value in good.items() if isinstance(value, np.ndarray))
    with pytest.raises(ValueError, match=rf"{buffer} has shape \(9,\); it needs \(5,\)"):
        optimizer.load_state_dict(good | {buffer: np.zeros(9), "lr": 9.0})
    assert repr(optimizer) == before


@RULES
def test_the_rate_can_be_changed_at_any_time(rule):
    optimizer = rule(parameters(), lr=0.1)
    walk(optimizer, 2)
    optimizer.lr = 0.0
    before = optimizer.params.theta.copy()
    walk(optimizer, 1)
    np.testing.assert_array_equal(optimizer.params.theta, before)
    optimizer.lr *= 2
    with pytest.raises(ValueError, match="lr=-1"):
        optimizer.lr = -1
    assert optimizer.lr == 0.0


def test_weight_decay_can_be_turned_on_later():
    late, early = (SGD(parameters(), lr=0.1, weight_decay=decay) for decay in (0.0, 0.5))
    late.weight_decay = 0.5
    for optimizer in (late, early):
        walk(optimizer, 2)
    np.testing.assert_array_equal(late.params.theta, early.params.theta)


@EACH
def test_many_rates_at_once_are_many_runs(rule, options):
    class Rows:
        def __init__(self, rows):
            self.theta = np.tile(np.linspace(-2, 2, 5), (rows, 1))
            self.grad = np.zeros_like(self.theta)

    rates, gradients = [0.01, 0.1, 1.0], np.random.default_rng(0).normal(size=(4, 5))
    together = rule(Rows(3), lr=np.array(rates)[:, None], **options)
    alone = [rule(Rows(1), lr=rate, **options) for rate in rates]
    for gradient in gradients:
        for optimizer in (together, *alone):
            optimizer.params.grad[...] = gradient
            optimizer.step()
    np.testing.assert_allclose(together.params.theta, np.vstack([run.params.theta for run in alone]), rtol=1e-14)


def test_centered_rmsprop_survives_a_constant_gradient():
    optimizer = RMSprop(parameters(), lr=1e-4, centered=True, alpha=0.5)
    for _ in range(200):
        optimizer.params.grad[...] = 0.1
        optimizer.step()
    assert np.isfinite(optimizer.params.theta).all()


def test_the_first_step_of_adam_is_the_rate_whatever_the_gradient():
    params = parameters()
    optimizer = Adam(params, lr=0.01)
    params.grad = [1e-3, -1e3, 1.0, -1.0, 0.0]
    before = params.theta.copy()
    optimizer.step()
    np.testing.assert_allclose(before - params.theta, [0.01, -0.01, 0.01, -0.01, 0], rtol=1e-4)


def test_zero_grad():
    optimizer = SGD(parameters())
    optimizer.params.grad = np.ones(5)
    optimizer.zero_grad()
    np.testing.assert_array_equal(optimizer.params.grad, 0)


@pytest.mark.parametrize(
    ("rule", "options", "message"),
    [
        (SGD, {"lr": -0.1}, "SGD got lr=-0.1; a learning rate is finite and at least 0"),
        (SGD, {"lr": float("nan")}, "lr=nan"),
        (SGD, {"momentum": -0.5}, "momentum=-0.5; it must be a finite number, at least 0"),
        (SGD, {"weight_decay": -1}, "weight_decay=-1"),
        (SGD, {"nesterov": True}, "nesterov needs momentum above 0"),
        (SGD, {"nesterov": True, "momentum": 0.9, "dampening": 0.1}, "dampening=0"),
        (Adagrad, {"lr_decay": -1}, "lr_decay=-1"),
        (Adagrad, {"initial_accumulator_value": -1}, "initial_accumulator_value=-1"),
        (Adagrad, {"eps": -1}, "eps=-1"),
        (RMSprop, {"alpha": 1.0}, "alpha=1.0; it must be a finite number, at least 0 and below 1"),
        (RMSprop, {"momentum": -1}, "momentum=-1"),
        (RMSprop, {"eps": float("nan")}, "eps=nan"),
        (Adam, {"betas": (1.0, 0.999)}, r"betas\[0\]=1.0"),
        (Adam, {"betas": (0.9, -0.1)}, r"betas\[1\]=-0.1"),
        (Adam, {"eps": -1e-8}, "eps=-1e-08"),
        (AdamW, {"weight_decay": -0.1}, "AdamW got weight_decay=-0.1"),
    ],
)
def test_values_outside_their_range_get_a_sentence(rule, options, message):
    with pytest.raises(ValueError, match=message):
        rule(parameters(), **options)


@RULES
def test_an_optimizer_needs_parameters(rule):
    model = MLP([2, 2], rng=np.random.default_rng(0))
    with pytest.raises(TypeError, match=r"got a MLP; it needs parameters, as in .*\(model\.parameters"):
        rule(model)
    with pytest.raises(TypeError, match="got a ndarray"):
        rule(np.ones(3))
    with pytest.raises(ValueError, match="no parameters to train"):
        rule(Parameters({"w": (0, 3)}))


def test_a_bare_optimizer_takes_no_step():
    with pytest.raises(NotImplementedError):
        Optimizer(parameters(), 0.1).step()


def test_repr_shows_options_and_steps():
    optimizer = Adam(parameters(), lr=0.01)
    walk(optimizer, 2)
    assert repr(optimizer) == "Adam(lr=0.01, betas=(0.9, 0.999), eps=1e-08, weight_decay=0.0), 2 steps taken"
