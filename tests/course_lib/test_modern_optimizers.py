"""Lion, Muon and schedule-free SGD beside the same rules written plainly, and the properties they are known for."""

import inspect
import re
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from course_lib.modern_optimizers import Lion, Muon, ScheduleFreeSGD, orthogonalize
from course_lib.parameters import Parameters

SETTINGS = [
    (Lion, {}),
    (Lion, {"weight_decay": 0.1, "betas": (0.5, 0.8)}),
    (Muon, {}),
    (Muon, {"nesterov": False, "momentum": 0.5, "ns_steps": 3, "weight_decay": 0.0}),
    (ScheduleFreeSGD, {}),
    (ScheduleFreeSGD, {"momentum": 0.5, "weight_decay": 0.1}),
]
EACH = pytest.mark.parametrize(("rule", "options"), SETTINGS)
RULES = pytest.mark.parametrize("rule", [Lion, Muon, ScheduleFreeSGD])


def parameters(dtype=np.float64) -> Parameters:
    rng = np.random.default_rng(1)
    arrays = {"W1": rng.normal(size=(3, 5)), "b1": rng.normal(size=5), "W2": rng.normal(size=(5, 2)), "b2": np.ones(2)}
    return Parameters.from_arrays(arrays, dtype)


def gradients(steps: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(steps, parameters().size))


def walk(optimizer, steps: int, seed: int = 0) -> None:
    for gradient in gradients(steps, seed):
        optimizer.params.grad = gradient
        optimizer.step()


# What all optimizers have to be


@EACH
def test_works_in_place_and_leaves_the_gradient(rule, options):
    optimizer = rule(parameters(), lr=0.1, **options)
    theta, before = optimizer.params.theta, optimizer.params.theta.copy()
    walk(optimizer, 1)
    assert optimizer.params.theta is theta
    assert (theta != before).all()
    np.testing.assert_array_equal(optimizer.params.grad, gradients(1)[0])
    assert optimizer.t == 1


@EACH
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_run_resumed_in_a_fresh_optimizer_equals_one_that_was_not_to_the_bit(rule, options, dtype):
    whole = rule(parameters(dtype), lr=0.02, **options)
    walk(whole, 20)
    state, weights = whole.state_dict(), whole.params.state_dict()
    walk(whole, 30, seed=1)
    resumed = rule(parameters(dtype))
    resumed.params.load_state_dict(weights)
    resumed.load_state_dict(state)
    walk(resumed, 30, seed=1)
    assert resumed.params.theta.tobytes() == whole.params.theta.tobytes()
    assert resumed.params.theta.dtype == dtype
    assert repr(resumed) == repr(whole)


@EACH
def test_a_step_makes_no_new_arrays(rule, options):
    params = Parameters.from_arrays({"b": np.linspace(-2, 2, 50_000)})  # to orthogonalize matrices takes new ones
    params.grad = np.linspace(1, 3, 50_000)
    optimizer = rule(params, lr=0.1, **options)
    for _ in range(2):
        optimizer.step()
    tracemalloc.start()
    optimizer.step()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert optimizer.t == 3
    assert peak < params.theta.nbytes / 10


@EACH
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_everything_has_the_dtype_of_theta(rule, options, dtype):
    optimizer = rule(parameters(dtype), lr=np.float64(0.1), **options)
    walk(optimizer, 3)
    arrays = [value for value in vars(optimizer).values() if isinstance(value, np.ndarray | Parameters)]
    assert [array.dtype for array in arrays if array.dtype != dtype] == []


@EACH
def test_float32_stays_close_to_float64(rule, options):
    single, double = (rule(parameters(dtype), lr=0.01, **options) for dtype in (np.float32, np.float64))
    walk(single, 20)
    walk(double, 20)
    np.testing.assert_allclose(single.params.theta, double.params.theta, rtol=1e-3, atol=1e-4)


@EACH
def test_mirrored_weights_and_gradients_stay_mirrored(rule, options):
    first, second = (rule(parameters(), lr=0.1, **options) for _ in range(2))
    second.params.theta[...] *= -1
    walk(first, 5)
    for gradient in gradients(5):
        second.params.grad = -gradient
        second.step()
    np.testing.assert_array_equal(second.params.theta, -first.params.theta)


@pytest.mark.parametrize(("rule", "lr"), [(Lion, 0.01), (Muon, 0.05), (ScheduleFreeSGD, 0.5)])
def test_a_bowl_is_gone_down(rule, lr):
    options = {"weight_decay": 0.0}
    params = parameters()
    optimizer = rule(params, lr=lr, **options)
    scales = np.linspace(0.1, 1, params.size)
    start = float(np.sum(scales * params.theta**2))
    for step in range(600):
        params.grad = scales * params.theta
        if step == 500 and rule is not ScheduleFreeSGD:
            optimizer.lr *= 0.1
        optimizer.step()
    if rule is ScheduleFreeSGD:
        optimizer.eval()
    assert np.sum(scales * params.theta**2) < 1e-3 * start


@pytest.mark.parametrize(
    ("rule", "defaults"),
    [
        (Lion, {"lr": 1e-4, "betas": (0.9, 0.99), "weight_decay": 0.0}),
        (
            Muon,
            {"lr": 1e-3, "weight_decay": 0.1, "momentum": 0.95, "nesterov": True, "eps": 1e-7, "ns_steps": 5},
        ),
        (ScheduleFreeSGD, {"lr": 1.0, "momentum": 0.9, "weight_decay": 0.0}),
    ],
)
def test_defaults(rule, defaults):
    optimizer = rule(parameters())
    assert {name: getattr(optimizer, name) for name in defaults} == defaults
    assert list(inspect.signature(rule).parameters) == ["params", *defaults]
    assert optimizer.t == 0


# Lion


@pytest.mark.parametrize("decay", [0.0, 0.3])
def test_lion_beside_the_rule_written_plainly(decay):
    params = parameters()
    optimizer = Lion(params, lr=0.01, betas=(0.8, 0.95), weight_decay=decay)
    theta, m = params.theta.copy(), np.zeros(params.size)
    for gradient in gradients(30):
        params.grad = gradient
        optimizer.step()
        update = np.sign(0.8 * m + 0.2 * gradient)
        theta = theta - 0.01 * (update + decay * theta)
        m = 0.95 * m + 0.05 * gradient
    np.testing.assert_allclose(params.theta, theta, rtol=1e-12)
    np.testing.assert_allclose(optimizer.m, m, rtol=1e-12)


@given(st.integers(0, 1000), st.sampled_from([2.0**-30, 1.0, 2.0**30]))
@settings(max_examples=10)
def test_lion_moves_every_weight_by_the_rate_whatever_the_gradient(seed, scale):
    params = parameters()
    params.theta[...] = 0.0
    optimizer = Lion(params, lr=0.25)
    for gradient in scale * gradients(5, seed):
        before = params.theta.copy()
        params.grad = gradient
        optimizer.step()
        np.testing.assert_array_equal(np.abs(params.theta - before), 0.25)


def test_lion_stands_still_where_there_never_was_a_slope():
    params = parameters()
    optimizer = Lion(params, lr=0.25)
    before = params.theta.copy()
    optimizer.step()
    np.testing.assert_array_equal(params.theta, before)


# Muon


def quintic(value: float, steps: int) -> float:
    for _ in range(steps):
        value = 3.4445 * value - 4.7750 * value**3 + 2.0315 * value**5
    return value


@pytest.mark.parametrize("shape", [(4, 6), (6, 4), (5, 5), (1, 7), (7, 1)])
@pytest.mark.parametrize("steps", [1, 5, 6])
def test_orthogonalize_keeps_the_singular_vectors_and_sends_each_value_through_the_quintic(shape, steps):
    G = np.random.default_rng(0).normal(size=shape) * 100
    U, values, Vt = np.linalg.svd(G, full_matrices=False)
    expected = U @ np.diag([quintic(value, steps) for value in values / np.linalg.norm(values)]) @ Vt
    np.testing.assert_allclose(orthogonalize(G, steps), expected, rtol=1e-9, atol=1e-12)


@given(st.integers(2, 8), st.integers(2, 8), st.floats(0.02, 1), st.integers(0, 10_000))
@settings(max_examples=50)
def test_singular_values_come_near_one(n, m, smallest, seed):
    rng = np.random.default_rng(seed)
    U, _, Vt = np.linalg.svd(rng.normal(size=(n, m)), full_matrices=False)
    values = np.linspace(smallest, 1, min(n, m))
    found = np.linalg.svd(orthogonalize(U @ np.diag(values) @ Vt), compute_uv=False)
    assert found.min() > 0.68
    assert found.max() < 1.21


def test_the_range_that_the_docstring_tells_holds_from_a_600th_of_the_norm_on():
    values = np.array([quintic(value, 5) for value in np.geomspace(1 / 600, 1, 20_000)])
    assert 0.68 < values.min() < 0.69
    assert 1.2 < values.max() < 1.21


def test_orthogonalize_leaves_its_input_and_its_scale():
    G = np.random.default_rng(0).normal(size=(3, 4))
    kept = G.copy()
    first = orthogonalize(G)
    np.testing.assert_array_equal(G, kept)
    np.testing.assert_array_equal(orthogonalize(G * 2.0**40), first)
    np.testing.assert_array_equal(orthogonalize(G * 2.0**-20), first)
    np.testing.assert_array_equal(orthogonalize(G.T), first.T)
    np.testing.assert_array_equal(orthogonalize(np.zeros((3, 4))), 0)
    assert orthogonalize(G.astype(np.float32)).dtype == np.float32
    tiny = 1e-9 * G
    np.testing.assert_array_equal(orthogonalize(tiny), orthogonalize(tiny, 5, 1e-7))
    assert np.linalg.norm(orthogonalize(tiny, 1)) == pytest.approx(3.4445e7 * np.linalg.norm(tiny), rel=0.1)
    assert np.linalg.norm(orthogonalize(G, 1, eps=1e6)) == pytest.approx(3.4445e-6 * np.linalg.norm(G))


@pytest.mark.parametrize("shape", [(3, 4), (4, 3)])
def test_a_stack_of_matrices_is_orthogonalized_one_by_one(shape):
    scales = np.array([[1.0, 1e-9], [1e3, 0.0]])[..., None, None]
    stack = np.random.default_rng(0).normal(size=(2, 2, *shape)) * scales
    found = orthogonalize(stack, 3)
    assert found.shape == stack.shape
    for i in np.ndindex(2, 2):
        np.testing.assert_allclose(found[i], orthogonalize(stack[i], 3), rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("eps", [1e-7, 4.0])
def test_muon_beside_the_rule_written_plainly(eps):
    params = parameters()
    optimizer = Muon(params, lr=0.1, momentum=0.9, weight_decay=0.2, eps=eps)
    weights = {name: array.copy() for name, array in params.items()}
    averages = {name: np.zeros_like(array) for name, array in params.items()}
    for gradient in gradients(6):
        params.grad = gradient
        for name, g in params.grads.items():
            averages[name] = 0.9 * averages[name] + 0.1 * g
            direction = 0.9 * averages[name] + 0.1 * g
            if g.ndim == 2:
                U, values, Vt = np.linalg.svd(direction, full_matrices=False)
                values = np.array([quintic(value, 5) for value in values / max(np.linalg.norm(values), eps)])
                direction = (U * values) @ Vt * max(1, (g.shape[1] / g.shape[0]) ** 0.5)
            weights[name] = weights[name] * (1 - 0.1 * 0.2) - 0.1 * direction
        optimizer.step()
    for name, expected in weights.items():
        np.testing.assert_allclose(params[name], expected, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize(("name", "factor"), [("W1", (5 / 3) ** 0.5), ("W2", 1.0)])
def test_a_step_of_muon_has_singular_values_near_the_rate(name, factor):
    params = parameters()
    optimizer = Muon(params, lr=0.1, weight_decay=0.0)
    for gradient in gradients(5):
        before = params[name].copy()
        params.grad = gradient
        optimizer.step()
        values = np.linalg.svd(params[name] - before, compute_uv=False) / (0.1 * factor)
        assert values.min() > 0.68
        assert values.max() < 1.21


def test_without_nesterov_muon_follows_the_average_alone():
    params = parameters()
    optimizer = Muon(params, lr=0.1, nesterov=False, weight_decay=0.0, momentum=0.75)
    before = params["b1"].copy()
    params.grad = np.ones(params.size)
    optimizer.step()
    np.testing.assert_allclose(before - params["b1"], 0.1 * 0.25, rtol=1e-12)


def test_muon_turns_with_the_matrix():
    turn, _ = np.linalg.qr(np.random.default_rng(3).normal(size=(3, 3)))
    first, second = parameters(), parameters()
    second["W1"] = turn @ second["W1"]
    for params, factor in ((first, np.eye(3)), (second, turn)):
        optimizer = Muon(params, lr=0.1)
        for gradient in gradients(4):
            params.grad = gradient
            params.grads["W1"][...] = factor @ params.grads["W1"]
            optimizer.step()
    np.testing.assert_allclose(second["W1"], turn @ first["W1"], rtol=1e-9, atol=1e-10)


# Schedule-free


@pytest.mark.parametrize("decay", [0.0, 0.3])
def test_schedule_free_beside_the_rule_written_plainly(decay):
    params = parameters()
    optimizer = ScheduleFreeSGD(params, lr=0.1, momentum=0.8, weight_decay=decay)
    x = z = y = params.theta.copy()
    for t, gradient in enumerate(gradients(30), start=1):
        params.grad = gradient
        optimizer.step()
        z = z - 0.1 * (gradient + decay * y)
        x = x + (z - x) / t
        y = 0.2 * z + 0.8 * x
        np.testing.assert_allclose(params.theta, y, rtol=1e-10, atol=1e-12)
    optimizer.eval()
    np.testing.assert_allclose(params.theta, x, rtol=1e-10, atol=1e-12)


def test_the_average_is_the_mean_of_the_points_of_plain_descent():
    params = parameters()
    optimizer = ScheduleFreeSGD(params, lr=0.1)
    points = []
    for gradient in gradients(12):
        params.grad = gradient
        optimizer.step()
        points.append(optimizer.z.copy())
    np.testing.assert_allclose(optimizer.x, np.mean(points, axis=0), rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(points[-1], parameters().theta - 0.1 * gradients(12).sum(axis=0), atol=1e-12)


def test_without_momentum_training_is_plain_descent():
    optimizer = ScheduleFreeSGD(parameters(), lr=0.1, momentum=0.0)
    walk(optimizer, 5)
    np.testing.assert_allclose(optimizer.params.theta, optimizer.z, rtol=1e-15)


@pytest.mark.parametrize("steps", [1, 4])
def test_looking_at_the_average_changes_nothing(steps):
    looking, other = (ScheduleFreeSGD(parameters(), lr=0.1) for _ in range(2))
    for seed in range(3):
        walk(looking, steps, seed)
        walk(other, steps, seed)
        looking.eval()
        looking.eval()
        assert looking.training is False
        np.testing.assert_array_equal(looking.params.theta, looking.x)
        looking.train()
        assert looking.training is True
        assert looking.params.theta.tobytes() == other.params.theta.tobytes()
        looking.train()
        assert looking.params.theta.tobytes() == other.params.theta.tobytes()


def test_before_the_first_step_the_average_is_where_one_stands():
    params = parameters()
    optimizer = ScheduleFreeSGD(params, lr=0.1)
    params.theta[...] = 7.0  # loaded, say
    optimizer.eval()
    np.testing.assert_array_equal(params.theta, 7.0)
    optimizer.train()
    np.testing.assert_array_equal(params.theta, 7.0)
    params.grad = np.ones(params.size)
    optimizer.step()
    np.testing.assert_allclose(optimizer.z, 6.9, rtol=1e-12)
    np.testing.assert_allclose(optimizer.x, 6.9, rtol=1e-12)
    optimizer.eval()
    np.testing.assert_allclose(params.theta, 6.9, rtol=1e-12)


def test_a_step_from_the_average_is_refused():
    optimizer = ScheduleFreeSGD(parameters())
    walk(optimizer, 1)
    optimizer.eval()
    told = "ScheduleFreeSGD was asked for a step while theta is the average; call train() first."
    with pytest.raises(RuntimeError, match=f"^{re.escape(told)}$"):
        optimizer.step()
    assert optimizer.t == 1


def test_whether_theta_is_the_average_is_part_of_the_state():
    first, second = ScheduleFreeSGD(parameters()), ScheduleFreeSGD(parameters())
    walk(first, 3)
    first.eval()
    second.params.load_state_dict(first.params.state_dict())
    second.load_state_dict(first.state_dict())
    for optimizer in (first, second):
        optimizer.train()
        walk(optimizer, 3)
    assert second.params.theta.tobytes() == first.params.theta.tobytes()


# Bad input


@RULES
def test_rates_below_zero_get_a_sentence(rule):
    with pytest.raises(ValueError, match=f"^{rule.__name__} got lr=-0.1; a learning rate is finite and at least 0"):
        rule(parameters(), lr=-0.1)
    with pytest.raises(ValueError, match=f"^{rule.__name__} got no parameters to train"):
        rule(Parameters({"w": (0, 3)}))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: Lion(parameters(), betas=(1.0, 0.9)),
            "Lion got betas[0]=1.0; it must be a finite number, at least 0 ",
        ),
        (lambda: Lion(parameters(), weight_decay=-1), "Lion got weight_decay=-1; it must be a finite number, at least"),
        (lambda: Muon(parameters(), momentum=1), "Muon got momentum=1; it must be a finite number, at least 0 and"),
        (lambda: Muon(parameters(), momentum=-1), "Muon got momentum=-1; it must be a finite number, at least 0 and"),
        (lambda: Muon(parameters(), eps=0), "Muon got eps=0; it must be a finite number, above 0."),
        (lambda: Muon(parameters(), ns_steps=0), "Muon got ns_steps=0; it must be a whole number, at least 1."),
        (lambda: Muon(parameters(), nesterov=1), "Muon got nesterov=1; it must be True or False."),
        (lambda: Muon(parameters(), weight_decay=-1), "Muon got weight_decay=-1; it must be a finite number"),
        (lambda: ScheduleFreeSGD(parameters(), momentum=1), "ScheduleFreeSGD got momentum=1; it must be a finite num"),
        (lambda: ScheduleFreeSGD(parameters(), momentum=-0.1), "ScheduleFreeSGD got momentum=-0.1; it must be a fin"),
        (
            lambda: orthogonalize(np.ones(3)),
            "orthogonalize got an array of shape (3,); it needs a matrix, shape (n, m).",
        ),
        (lambda: orthogonalize(np.eye(2), 0), "orthogonalize got steps=0; it must be a whole number, at least 1."),
        (lambda: orthogonalize(np.eye(2), eps=0), "orthogonalize got eps=0; it must be a finite number, above 0."),
    ],
)
def test_bad_input_gets_a_sentence(call, message):
    with pytest.raises((ValueError, TypeError), match=f"^{re.escape(message)}"):
        call()


@pytest.mark.parametrize(
    "options", [{"momentum": 0, "weight_decay": 0, "lr": 0}, {"ns_steps": 1, "eps": 1e-300, "lr": 1}]
)
def test_the_ends_of_the_ranges_of_muon_are_allowed(options):
    walk(Muon(parameters(), **options), 1)


def test_muon_needs_to_know_which_parameters_are_matrices():
    class Flat:
        theta, grad = np.ones(3), np.ones(3)

    with pytest.raises(TypeError, match="Muon got a Flat; it needs Parameters, to know which are matrices"):
        Muon(Flat())
