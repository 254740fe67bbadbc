"""Lesson 04: references, named mistakes, right answers in other styles, stubs, the sample class, the optimizers."""

from __future__ import annotations

import ast
import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import course_lib
from course_lib.exercises.adaptive_optimizers import (
    EXERCISES,
    LESSON,
    WITHHELD,
    adagrad_step,
    adam_step,
    adamw_step,
    rmsprop_step,
)
from course_lib.optimizers import Adagrad, Adam, AdamW, RMSprop
from course_lib.parameters import Parameters
from tests.exercises.exercise_checks import (
    GENERIC_STUBS,
    SAMPLE_CLASS,
    SEEDS,
    Submission,
    assert_form,
    assert_graded_by_hand,
    assert_rejected_by_name,
    assert_right,
    assert_stub_earns_nothing,
    grade,
    sample_submissions,
)

BY_NAME = {exercise.name: exercise for exercise in EXERCISES}
MISTAKES = [(exercise.name, mistake.name) for exercise in EXERCISES for mistake in exercise.misconceptions]


# Right answers as other people write them


def rms_loop(theta: Any, grad: Any, s: Any, lr: float, alpha: float, eps: float) -> Any:
    new_theta, new_s = np.empty_like(theta), np.empty_like(s)
    for i in np.ndindex(*theta.shape):
        new_s[i] = alpha * s[i] + (1 - alpha) * grad[i] * grad[i]
        new_theta[i] = theta[i] - lr * grad[i] / (new_s[i] ** 0.5 + eps)
    return new_theta, new_s


def rms_in_place_on_copies(theta: Any, grad: Any, s: Any, lr: float, alpha: float, eps: float) -> Any:
    theta, s = theta.copy(), s.copy()
    s *= alpha
    s += (1 - alpha) * np.square(grad)
    theta -= lr * grad / (np.sqrt(s) + eps)
    return theta, s


def rms_einsum(theta: Any, grad: Any, s: Any, lr: float, alpha: float, eps: float) -> Any:
    g, old = np.ravel(grad), np.ravel(s)
    new = np.einsum("k,ki->i", [alpha, 1 - alpha], np.stack([old, np.einsum("i,i->i", g, g)]))
    step = np.einsum("i,i->i", g, 1 / (np.sqrt(new) + eps))
    return theta - lr * step.reshape(theta.shape), new.reshape(s.shape)


def rms_nudge(theta: Any, grad: Any, s: Any, lr: float, alpha: float, eps: float) -> Any:
    """The average written as a nudge towards the new square, in a list."""
    s = s + (1 - alpha) * (grad**2 - s)
    return [theta - lr * (grad / (s**0.5 + eps)), s]


def rms_single(theta: Any, grad: Any, s: Any, lr: float, alpha: float, eps: float) -> Any:
    """Keeps float32 throughout."""
    kind = theta.dtype.type
    s = (kind(alpha) * s + kind(1 - alpha) * grad * grad).astype(kind)
    return (theta - kind(lr) * grad / (np.sqrt(s) + kind(eps))).astype(kind), s


def adam_loop(theta: Any, grad: Any, m: Any, v: Any, t: int, lr: float, beta1: float, beta2: float, eps: float) -> Any:
    new_theta, new_m, new_v = theta.copy(), m.copy(), v.copy()
    for i in np.ndindex(*theta.shape):
        new_m[i] = beta1 * m[i] + (1 - beta1) * grad[i]
        new_v[i] = beta2 * v[i] + (1 - beta2) * grad[i] ** 2
        new_theta[i] -= lr * (new_m[i] / (1 - beta1**t)) / (np.sqrt(new_v[i] / (1 - beta2**t)) + eps)
    return new_theta, new_m, new_v


def adam_rearranged(
    theta: Any, grad: Any, m: Any, v: Any, t: int, lr: float, beta1: float, beta2: float, eps: float
) -> Any:
    """PyTorch's order of operations: the corrections as two numbers."""
    first, second = 1 - beta1**t, 1 - beta2**t
    m, v = m + (1 - beta1) * (grad - m), beta2 * v + (1 - beta2) * grad * grad
    return theta - lr / first * m / (np.sqrt(v) / second**0.5 + eps), m, v


def adam_broadcast(
    theta: Any, grad: Any, m: Any, v: Any, t: int, lr: float, beta1: float, beta2: float, eps: float
) -> Any:
    """Both averages as rows of one array; what comes back are views of it."""
    betas = np.array([beta1, beta2]).reshape(2, *[1] * theta.ndim)
    averages = betas * np.stack([m, v]) + (1 - betas) * np.stack([grad, grad**2])
    m_hat, v_hat = averages / (1 - betas**t)
    return theta - lr * m_hat / (np.sqrt(v_hat) + eps), averages[0], averages[1]


def adam_in_place_on_copies(
    theta: Any, grad: Any, m: Any, v: Any, t: int, lr: float, beta1: float, beta2: float, eps: float
) -> Any:
    theta, m, v = (np.array(a) for a in (theta, m, v))
    m *= beta1
    m += grad * (1 - beta1)
    v *= beta2
    v += np.power(grad, 2) * (1 - beta2)
    theta -= lr * m / (1 - np.power(beta1, t)) / (eps + np.sqrt(v / (1 - np.power(beta2, t))))
    return theta, m, v


def adam_single(
    theta: Any, grad: Any, m: Any, v: Any, t: int, lr: float, beta1: float, beta2: float, eps: float
) -> Any:
    """Keeps float32 throughout, the corrections included."""
    kind = theta.dtype.type
    b1, b2 = kind(beta1), kind(beta2)
    m, v = b1 * m + (1 - b1) * grad, b2 * v + (1 - b2) * grad**2
    theta = theta - kind(lr) * (m / (1 - b1**t)) / (np.sqrt(v / (1 - b2**t)) + kind(eps))
    assert theta.dtype == m.dtype == v.dtype == kind
    return theta, m, v


def ada_loop(theta: Any, grad: Any, s: Any, lr: float, eps: float) -> Any:
    pairs = [
        (p - lr * g / ((old + g * g) ** 0.5 + eps), old + g * g)
        for p, g, old in zip(theta.flat, grad.flat, s.flat, strict=True)
    ]
    new_theta, new_s = np.array(pairs).T
    return new_theta.reshape(theta.shape), new_s.reshape(s.shape)


def ada_in_place_on_copies(theta: Any, grad: Any, s: Any, lr: float, eps: float) -> Any:
    theta, s = theta.copy(), s.copy()
    s += grad**2
    theta -= lr * grad / (np.sqrt(s) + eps)
    return theta, s


def ada_einsum(theta: Any, grad: Any, s: Any, lr: float, eps: float) -> Any:
    s = s + np.einsum("...,...->...", grad, grad)
    return theta - np.einsum(",...,...->...", lr, grad, 1 / (s**0.5 + eps)), s


def ada_rates(theta: Any, grad: Any, s: Any, lr: float, eps: float) -> Any:
    """A rate for each number."""
    total = np.add(s, np.square(grad))
    rates = np.divide(lr, np.add(np.sqrt(total), eps))
    return np.subtract(theta, np.multiply(rates, grad)), total


def ada_single(theta: Any, grad: Any, s: Any, lr: float, eps: float) -> Any:
    kind = theta.dtype.type
    s = s + grad * grad
    theta = theta - kind(lr) * grad / (np.sqrt(s) + kind(eps))
    assert theta.dtype == s.dtype == kind
    return theta, s


def with_decay(step: Callable[..., Any]) -> Callable[..., Any]:
    """Decay first, as a factor, then somebody's Adam."""
    return lambda theta, *given: step(theta * (1 - given[4] * given[8]), *given[:8])


def adamw_in_one_sum(theta: Any, *given: Any) -> Any:
    """Step and decay both from the old theta, subtracted together."""
    *adam, weight_decay = given
    moved, m, v = adam_rearranged(theta, *adam)
    return moved - adam[4] * weight_decay * theta, m, v


RIGHT: dict[str, list[Callable[..., Any]]] = {
    "rmsprop_step": [rms_loop, rms_in_place_on_copies, rms_einsum, rms_nudge, rms_single],
    "adam_step": [adam_loop, adam_rearranged, adam_broadcast, adam_in_place_on_copies, adam_single],
    "adagrad_step": [ada_loop, ada_in_place_on_copies, ada_einsum, ada_rates, ada_single],
    "adamw_step": [
        *map(with_decay, (adam_loop, adam_broadcast, adam_in_place_on_copies)),
        adamw_in_one_sum,
    ],
}


@pytest.mark.parametrize("exercise", EXERCISES, ids=BY_NAME)
def test_form(exercise: Any) -> None:
    assert exercise.lesson == LESSON
    assert_form(exercise)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", BY_NAME)
def test_reference_earns_all_points(name: str, seed: int) -> None:
    assert_right(BY_NAME[name], BY_NAME[name].reference, seed)


@pytest.mark.parametrize(
    ("name", "answer"), [(n, f) for n, fs in RIGHT.items() for f in fs], ids=lambda x: getattr(x, "__name__", x)
)
def test_right_answers_in_other_styles_earn_all_points(name: str, answer: Callable[..., Any]) -> None:
    for seed in SEEDS:
        assert_right(BY_NAME[name], answer, seed)


@pytest.mark.parametrize(("name", "mistake"), MISTAKES)
def test_every_named_mistake_is_rejected_by_its_name(name: str, mistake: str) -> None:
    for seed in SEEDS:
        assert_rejected_by_name(BY_NAME[name], mistake, seed)


@pytest.mark.parametrize("name", BY_NAME)
@pytest.mark.parametrize("stub", GENERIC_STUBS)
def test_generic_stubs_earn_nothing(name: str, stub: str) -> None:
    for seed in range(3):
        assert_stub_earns_nothing(BY_NAME[name], GENERIC_STUBS[stub], seed)


@pytest.mark.parametrize("name", BY_NAME)
@pytest.mark.parametrize("mistake", ["eps_inside_root", "eps_forgotten"])
def test_a_slip_of_eps_costs_its_own_group_only(name: str, mistake: str) -> None:
    wrong = next(m for m in BY_NAME[name].misconceptions if m.name == mistake)
    result = grade(BY_NAME[name], wrong.wrong, 0)
    assert result.groups[0].passed
    assert result.groups[-1].passed is False
    assert result.groups[1].passed is (mistake == "eps_inside_root")


def in_place(theta: Any, grad: Any, s: Any, lr: float, eps: float) -> Any:
    s += grad**2
    theta -= lr * grad / (np.sqrt(s) + eps)
    return theta, s


def test_a_changed_input_is_named_although_the_numbers_are_right() -> None:
    result = grade(BY_NAME["adagrad_step"], in_place, 0)
    assert result.points == 0
    assert "changed its input theta and s in place" in result.message


# The references beside the optimizers of the course and of PyTorch


SHAPES = [(7,), (3, 4)]
OPTIMIZERS: dict[str, tuple[type[Any], dict[str, Any], tuple[float, ...]]] = {
    "rmsprop_step": (RMSprop, {"lr": 0.01, "alpha": 0.95, "eps": 1e-6}, (0.01, 0.95, 1e-6)),
    "adam_step": (Adam, {"lr": 0.01, "betas": (0.8, 0.99), "eps": 1e-6}, (0.01, 0.8, 0.99, 1e-6)),
    "adagrad_step": (Adagrad, {"lr": 0.01, "eps": 1e-6}, (0.01, 1e-6)),
    "adamw_step": (
        AdamW,
        {"lr": 0.01, "betas": (0.8, 0.99), "eps": 1e-6, "weight_decay": 0.7},
        (0.01, 0.8, 0.99, 1e-6, 0.7),
    ),
}
STEPS = {"rmsprop_step": rmsprop_step, "adam_step": adam_step, "adagrad_step": adagrad_step, "adamw_step": adamw_step}


def walk(name: str, theta: Any, grads: list[Any]) -> Any:
    """Parameters after feeding the reference its own state."""
    counted = name in ("adam_step", "adamw_step")
    state = [np.zeros_like(theta) for _ in range(1 + counted)]
    for t, grad in enumerate(grads, start=1):
        theta, *state = STEPS[name](theta, grad, *state, *([t] if counted else []), *OPTIMIZERS[name][2])
    return theta


def gradients(shape: tuple[int, ...]) -> tuple[Any, list[Any]]:
    rng = np.random.default_rng(4)
    theta = rng.normal(size=shape)
    grads = [rng.normal(size=shape) * 10.0 ** rng.integers(-3, 3) for _ in range(60)]
    for grad in grads:
        grad.flat[0] = 0.0
    return theta, grads


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", STEPS)
def test_references_agree_with_the_optimizers_of_the_course(name: str, shape: tuple[int, ...]) -> None:
    theta, grads = gradients(shape)
    optimizer, options, _ = OPTIMIZERS[name]
    params = Parameters.from_arrays({"w": theta})
    opt = optimizer(params, **options)
    for grad in grads:
        params.grads["w"][...] = grad
        opt.step()
    np.testing.assert_allclose(walk(name, theta, grads), params["w"], rtol=1e-11, atol=1e-13)


@pytest.mark.torch
@pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="PyTorch is not installed")
@pytest.mark.parametrize("name", STEPS)
def test_references_agree_with_pytorch(name: str) -> None:
    import torch

    theta, grads = gradients((3, 4))
    optimizer, options, _ = OPTIMIZERS[name]
    weights = torch.tensor(theta, requires_grad=True)
    opt = getattr(torch.optim, optimizer.__name__)([weights], **options)
    for grad in grads:
        weights.grad = torch.tensor(grad)
        opt.step()
    np.testing.assert_allclose(walk(name, theta, grads), weights.detach().numpy(), rtol=1e-10, atol=1e-12)


def test_references_keep_float32() -> None:
    theta, grads = gradients((5,))
    for name in STEPS:
        assert walk(name, theta.astype(np.float32), [grad.astype(np.float32) for grad in grads]).dtype == np.float32


def test_no_module_left_in_the_sandbox_needs_or_holds_an_optimizer() -> None:
    """Whatever the sandbox keeps neither defines one of the rules nor imports a module that is withheld."""
    for path in Path(course_lib.__file__).parent.glob("*.py"):
        if path.stem in (*WITHHELD, "__init__"):  # the package loads its modules only when a name is asked for
            continue
        tree = ast.parse(path.read_text(encoding="utf-8"))
        at_import = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
        wanted = {getattr(node, "module", None) or "" for node in at_import}
        assert not {name.split(".")[-1] for name in wanted} & set(WITHHELD), path.name
        defined = {node.name for node in ast.walk(tree) if isinstance(node, ast.ClassDef | ast.FunctionDef)}
        assert not defined & {"RMSprop", "Adam", "Adagrad", "AdamW", *STEPS}, path.name


# The sample class


def submissions() -> list[Submission]:
    return list(sample_submissions(LESSON)) if (SAMPLE_CLASS / LESSON / "grades.toml").exists() else []


@pytest.mark.parametrize("submission", submissions(), ids=lambda s: s.student)
def test_sample_class_gets_the_grades_written_by_hand(submission: Submission) -> None:
    for seed in (0, 1):
        assert_graded_by_hand(LESSON, submission, seed)
