"""Optimizers by hand, in place, restorable to the bit, and strict about what they are given.

That each rule holds PyTorch's numbers is in parity.
"""

import re
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from course_lib.network import MLP
from course_lib.optimizers import SGD, Adagrad, Adam, AdamW, NAdam, Optimizer, RMSprop
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
    (NAdam, {"weight_decay": 0.1}),
    (NAdam, {"decoupled_weight_decay": True, "weight_decay": 0.1, "momentum_decay": 0.1}),
]
EACH = pytest.mark.parametrize(("rule", "options"), SETTINGS)
RULES = pytest.mark.parametrize("rule", [SGD, Adagrad, RMSprop, Adam, AdamW, NAdam])
ADAPTIVE = pytest.mark.parametrize(
    ("rule", "options"),
    [
        (Adagrad, {"lr_decay": 0.1}),
        (RMSprop, {}),
        (RMSprop, {"centered": True, "momentum": 0.9}),
        (Adam, {}),
        (AdamW, {}),
        (NAdam, {}),
    ],
)
POWERS = st.sampled_from(
    [2.0**-10, 0.5, 2.0, 2.0**20]
)  # multiplying by these is exact, so results are equal to the bit


def parameters(dtype=np.float64, size=5) -> Parameters:
    return Parameters.from_arrays({"w": np.linspace(-2, 2, size)}, dtype)


def walk(optimizer: Optimizer, steps: int, seed: int = 0, scale: float = 1.0) -> None:
    rng = np.random.default_rng(seed)
    for _ in range(steps):
        optimizer.params.grad[...] = scale * rng.normal(size=optimizer.params.grad.shape)
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
        # mu is beta1 / 2 = 0.25: g_hat = 0.5 / 0.75, m_hat = 0.25 / (15/16), so 0.75 * g_hat + 0.25 * m_hat = 17/30
        (NAdam, {"lr": 0.1, "eps": 0.0, "betas": (0.5, 0.5), "momentum_decay": 0.0}, [1 - 0.1 * 17 / 15, None, None]),
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
def test_a_run_of_50_steps_resumed_at_20_in_a_fresh_optimizer(rule, options):
    whole = rule(parameters(np.float32), lr=0.01, **options)
    walk(whole, 20)
    whole.lr *= 0.5
    state, weights = whole.state_dict(), whole.params.state_dict()
    walk(whole, 30, seed=1)
    resumed = rule(parameters(np.float32), lr=3.0)
    resumed.params.load_state_dict(weights)
    resumed.load_state_dict(state)
    walk(resumed, 30, seed=1)
    assert resumed.params.theta.tobytes() == whole.params.theta.tobytes()
    ends = [(name, np.asarray(value).tobytes()) for name, value in resumed.state_dict().items()]
    assert ends == [(name, np.asarray(value).tobytes()) for name, value in whole.state_dict().items()]


@EACH
def test_the_same_gradients_lead_to_the_same_weights(rule, options):
    first, second = (rule(parameters(), lr=0.1, **options) for _ in range(2))
    walk(first, 10)
    walk(second, 10)
    assert first.params.theta.tobytes() == second.params.theta.tobytes()


@EACH
def test_mirrored_weights_and_gradients_stay_mirrored(rule, options):
    first, second = (rule(parameters(), lr=0.1, **options) for _ in range(2))
    second.params.theta[...] *= -1
    walk(first, 10)
    walk(second, 10, scale=-1.0)
    np.testing.assert_array_equal(second.params.theta, -first.params.theta)


@EACH
def test_weights_do_not_look_at_each_other(rule, options):
    together, alone = rule(parameters(), lr=0.1, **options), rule(parameters(size=1), lr=0.1, **options)
    alone.params.theta = together.params.theta[3:4]
    for gradient in np.random.default_rng(0).normal(size=(10, 5)):
        together.params.grad, alone.params.grad = gradient, gradient[3:4]
        together.step()
        alone.step()
    np.testing.assert_array_equal(alone.params.theta, together.params.theta[3:4])


@ADAPTIVE
@given(scale=POWERS)
@settings(max_examples=4)
def test_adaptive_rules_do_not_see_the_scale_of_the_gradient(rule, options, scale):
    first, second = (rule(parameters(), lr=0.1, eps=0.0, **options) for _ in range(2))
    walk(first, 10)
    walk(second, 10, scale=scale)
    np.testing.assert_array_equal(second.params.theta, first.params.theta)


@pytest.mark.parametrize("options", [{}, {"momentum": 0.9, "dampening": 0.2}, {"momentum": 0.9, "nesterov": True}])
@given(scale=POWERS)
@settings(max_examples=4)
def test_sgd_goes_as_far_as_the_gradient_is_long(options, scale):
    first, second = (SGD(parameters(), lr=0.1, **options) for _ in range(2))
    for optimizer in (first, second):
        optimizer.params.theta[...] = 0.0
    walk(first, 10)
    walk(second, 10, scale=scale)
    np.testing.assert_array_equal(second.params.theta, scale * first.params.theta)


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
    with pytest.raises(ValueError, match=rf"^{rule.__name__}\.load_state_dict misses 't'"):
        optimizer.load_state_dict({name: value for name, value in good.items() if name != "t"} | {"lr": 9.0})
    with pytest.raises(ValueError, match="does not know 'rate'"):
        optimizer.load_state_dict(good | {"rate": 1})
    buffer = next(name for name, value in good.items() if isinstance(value, np.ndarray))
    owner = rf"^{rule.__name__}\.load_state_dict"
    with pytest.raises(ValueError, match=rf"{owner}: {buffer} has shape \(9,\); it needs \(5,\)"):
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


SHARE = "a finite number, at least 0 and below 1."
POSITIVE = "a finite number, at least 0."
RATE = "a learning rate is finite and at least 0, as in lr=0.01."
TWO = "it must be two numbers, as in (0.9, 0.999)."


@pytest.mark.parametrize(
    ("rule", "options", "message"),
    [
        (SGD, {"lr": -0.1}, f"SGD got lr=-0.1; {RATE}"),
        (SGD, {"lr": float("nan")}, f"SGD got lr=nan; {RATE}"),
        (Adam, {"lr": float("inf")}, f"Adam got lr=inf; {RATE}"),
        (SGD, {"momentum": -0.5}, f"SGD got momentum=-0.5; it must be {POSITIVE}"),
        (SGD, {"dampening": float("nan")}, "SGD got dampening=nan; it must be a finite number."),
        (SGD, {"weight_decay": -1}, f"SGD got weight_decay=-1; it must be {POSITIVE}"),
        (
            SGD,
            {"nesterov": True},
            "SGD got momentum=0.0, dampening=0.0; nesterov needs momentum above 0 and dampening=0.",
        ),
        (
            SGD,
            {"nesterov": True, "momentum": 0.9, "dampening": 0.1},
            "SGD got momentum=0.9, dampening=0.1; nesterov needs momentum above 0 and dampening=0.",
        ),
        (Adagrad, {"lr_decay": -1}, f"Adagrad got lr_decay=-1; it must be {POSITIVE}"),
        (
            Adagrad,
            {"initial_accumulator_value": -1},
            f"Adagrad got initial_accumulator_value=-1; it must be {POSITIVE}",
        ),
        (Adagrad, {"eps": -1}, f"Adagrad got eps=-1; it must be {POSITIVE}"),
        (RMSprop, {"alpha": 1.0}, f"RMSprop got alpha=1.0; it must be {SHARE}"),
        (RMSprop, {"alpha": -0.1}, f"RMSprop got alpha=-0.1; it must be {SHARE}"),
        (RMSprop, {"momentum": -1}, f"RMSprop got momentum=-1; it must be {POSITIVE}"),
        (RMSprop, {"eps": float("nan")}, f"RMSprop got eps=nan; it must be {POSITIVE}"),
        (Adam, {"betas": (1.0, 0.999)}, f"Adam got betas[0]=1.0; it must be {SHARE}"),
        (Adam, {"betas": (0.9, -0.1)}, f"Adam got betas[1]=-0.1; it must be {SHARE}"),
        (Adam, {"betas": (0.9, 1.0)}, f"Adam got betas[1]=1.0; it must be {SHARE}"),
        (Adam, {"eps": -1e-8}, f"Adam got eps=-1e-08; it must be {POSITIVE}"),
        (AdamW, {"weight_decay": -0.1}, f"AdamW got weight_decay=-0.1; it must be {POSITIVE}"),
        (NAdam, {"momentum_decay": -1}, f"NAdam got momentum_decay=-1; it must be {POSITIVE}"),
    ],
)
def test_values_outside_their_range_get_a_sentence(rule, options, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        rule(parameters(), **options)


@pytest.mark.parametrize(
    ("rule", "options", "message"),
    [
        (SGD, {"lr": "0.1"}, "SGD got lr='0.1'; a learning rate is a number, as in lr=0.01."),
        (SGD, {"lr": None}, "SGD got lr=None; a learning rate is a number, as in lr=0.01."),
        (SGD, {"lr": True}, "SGD got lr=True; a learning rate is a number, as in lr=0.01."),
        (SGD, {"momentum": "0.9"}, f"SGD got momentum='0.9'; it must be {POSITIVE}"),
        (SGD, {"nesterov": 0.9}, "SGD got nesterov=0.9; it must be True or False."),
        (RMSprop, {"centered": "no"}, "RMSprop got centered='no'; it must be True or False."),
        (Adam, {"betas": 0.9}, f"Adam got betas=0.9; {TWO}"),
        (Adam, {"betas": (0.9, 0.99, 0.999)}, f"Adam got betas=(0.9, 0.99, 0.999); {TWO}"),
        (AdamW, {"betas": ("a", 0.9)}, f"AdamW got betas[0]='a'; it must be {SHARE}"),
        (Adam, {"eps": [1e-8]}, f"Adam got eps=[1e-08]; it must be {POSITIVE}"),
        (AdamW, {"weight_decay": None}, f"AdamW got weight_decay=None; it must be {POSITIVE}"),
        (
            NAdam,
            {"decoupled_weight_decay": 1},
            "NAdam got decoupled_weight_decay=1; it must be True or False.",
        ),
    ],
)
def test_values_of_another_type_get_a_sentence(rule, options, message):
    with pytest.raises(TypeError, match=f"^{re.escape(message)}$"):
        rule(parameters(), **options)


@pytest.mark.parametrize(
    ("rule", "options"),
    [
        (SGD, {"lr": 0, "momentum": 0, "dampening": -1, "weight_decay": 0}),
        (SGD, {"momentum": 1.5, "nesterov": np.bool_(True)}),
        (Adagrad, {"lr": 0, "lr_decay": 0, "initial_accumulator_value": 0, "eps": 0, "weight_decay": 0}),
        (RMSprop, {"alpha": 0, "eps": 0, "momentum": 0}),
        (Adam, {"betas": [0, np.float32(0)], "eps": 0, "weight_decay": np.int64(1)}),
        (NAdam, {"momentum_decay": 0}),
    ],
)
def test_the_ends_of_the_ranges_are_allowed(rule, options):
    walk(rule(parameters(), **options), 1)


@RULES
def test_a_rate_that_a_state_brings_is_looked_at_too(rule):
    optimizer = rule(parameters())
    walk(optimizer, 2)
    before = optimizer.state_dict()
    with pytest.raises(ValueError, match="lr=-1"):
        optimizer.load_state_dict(before | {"lr": -1, "t": 9})
    assert optimizer.t == before["t"]


def test_nadam_counts_its_momentum_from_the_start_again():
    first, second = NAdam(parameters()), NAdam(parameters())
    walk(first, 3)
    assert first.mu_product == pytest.approx(np.prod([0.9 * (1 - 0.5 * 0.96 ** (t * 0.004)) for t in (1, 2, 3)]))
    second.load_state_dict(first.state_dict())
    assert second.mu_product == first.mu_product


@RULES
def test_an_optimizer_needs_parameters(rule):
    name = rule.__name__
    model = MLP([2, 2], rng=np.random.default_rng(0))
    advice = f"it needs parameters, as in {name}(model.parameters, lr=...)."
    with pytest.raises(TypeError, match=f"^{re.escape(f'{name} got a MLP; {advice}')}$"):
        rule(model)
    with pytest.raises(TypeError, match="got a ndarray"):
        rule(np.ones(3))
    with pytest.raises(ValueError, match=f"^{name} got no parameters to train; theta is empty.$"):
        rule(Parameters({"w": (0, 3)}))


def test_weights_and_gradient_have_one_shape():
    class Uneven:
        theta, grad = np.ones(3), np.ones(4)

    with pytest.raises(ValueError, match=r"^SGD: grad has shape \(4,\); it needs \(3,\).$"):
        SGD(Uneven())


@pytest.mark.parametrize("half", ["theta", "grad"])
def test_half_of_what_it_takes_is_not_enough(half):
    class Half:
        pass

    setattr(Half, half, np.ones(3))
    with pytest.raises(TypeError, match="SGD got a Half; it needs parameters"):
        SGD(Half())


def test_a_bare_optimizer_takes_no_step():
    with pytest.raises(NotImplementedError):
        Optimizer(parameters(), 0.1, 0.0).step()


def test_repr_shows_options_and_steps():
    optimizer = Adam(parameters(), lr=0.01)
    walk(optimizer, 2)
    assert repr(optimizer) == "Adam(lr=0.01, betas=(0.9, 0.999), eps=1e-08, weight_decay=0.0), 2 steps taken"
