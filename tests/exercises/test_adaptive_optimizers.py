"""Lesson 04: references, named mistakes, right answers in other styles, stubs, the sample class, the optimizers."""

from __future__ import annotations

import ast
import importlib.util
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
    SAMPLE_CLASS,
    Submission,
    assert_graded_by_hand,
    grade,
    sample_submissions,
)

BY_NAME = {exercise.name: exercise for exercise in EXERCISES}


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
