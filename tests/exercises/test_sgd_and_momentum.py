"""Lesson 03: references, named mistakes, right answers in other styles, stubs, what is said of batches."""

from __future__ import annotations

import ast
import importlib.util
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import course_lib
from course_lib.exercises.sgd_and_momentum import (
    EXERCISES,
    WITHHELD,
    minibatches,
    momentum_step,
    nesterov_step,
    sgd_step,
)
from course_lib.optimizers import SGD
from course_lib.parameters import Parameters
from course_lib.training import minibatches as batches_of_the_course
from tests.exercises.exercise_checks import (
    SEEDS,
    grade,
)

BY_NAME = {exercise.name: exercise for exercise in EXERCISES}


# What is said of batches where many answers are right


def from_numpy_s_own_state(n: int, batch_size: int, rng: Any) -> Any:
    order = np.random.permutation(n)  # noqa: NPY002 - the mistake itself
    return [order[i : i + batch_size] for i in range(0, n, batch_size)]


def rotated(n: int, batch_size: int, rng: Any) -> Any:
    order = np.roll(np.arange(n), rng.integers(n))
    return [order[i : i + batch_size] for i in range(0, n, batch_size)]


def a_few_pairs_exchanged(n: int, batch_size: int, rng: Any) -> Any:
    order = np.arange(n)
    for _ in range(2):
        i, j = rng.integers(n, size=2)
        order[[i, j]] = order[[j, i]]
    return [order[i : i + batch_size] for i in range(0, n, batch_size)]


def first_half_shuffled(n: int, batch_size: int, rng: Any) -> Any:
    order = np.concatenate([rng.permutation(n // 2), n // 2 + rng.permutation(n - n // 2)])
    return [order[i : i + batch_size] for i in range(0, n, batch_size)]


@pytest.mark.parametrize(
    ("answer", "points", "said"),
    [
        (from_numpy_s_own_state, 0, "Two generators of one seed gave different orders"),
        (lambda n, batch_size, _rng: minibatches(n, batch_size, np.random.default_rng(7)), 0, "gave the same order"),
        (rotated, 0, "neighbours|nothing was shuffled"),
        (a_few_pairs_exchanged, 0, "neighbours|nothing was shuffled"),
        (first_half_shuffled, 4, "every order must be as likely as any other"),
        (lambda n, b, rng: [batch.tolist() for batch in minibatches(n, b, rng)], 0, "Batch 0 should be an array"),
        (lambda n, b, rng: [batch + 0.0 for batch in minibatches(n, b, rng)], 0, "whole numbers"),
        (lambda n, b, rng: [batch + 1 for batch in minibatches(n, b, rng)], 0, "is outside 0 to 31"),
        (lambda n, b, rng: [batch - 1 for batch in minibatches(n, b, rng)], 0, "Index -1 is outside 0 to 31"),
        (lambda n, b, rng: minibatches(n, b, rng)[0], 0, r"list of index arrays.* one array of shape \(8,\)"),
        (lambda n, b, rng: (batch for batch in minibatches(n, b, rng)), 0, "use `return`, not `yield`"),
        (lambda n, b, rng: None, 0, "was no `return` reached"),
        (lambda n, b, rng: dict(enumerate(minibatches(n, b, rng))), 0, "You returned a dict"),
        (lambda n, b, rng: minibatches(n, b, rng)[:-1], 0, "there should be 4 batches of sizes 8, 8, 8, 8; you"),
        (lambda n, b, rng: minibatches(n, b, rng)[:1] * -(-n // b), 0, "in an epoch each example comes once"),
    ],
)
def test_batches_that_are_wrong_are_told_why(answer: Callable[..., Any], points: int, said: str) -> None:
    for seed in SEEDS:
        result = grade(BY_NAME["minibatches"], answer, seed)
        assert result.points == points, result.message
        assert re.search(said, result.message), result.message


@pytest.mark.parametrize("mistake", ["last_batch_dropped", "last_batch_padded", "even_sizes"])
def test_a_wrong_last_batch_costs_its_own_group_only(mistake: str) -> None:
    wrong = next(m for m in BY_NAME["minibatches"].misconceptions if m.name == mistake)
    for seed in SEEDS:
        result = grade(BY_NAME["minibatches"], wrong.wrong, seed)
        assert [group.passed for group in result.groups] == [True, False, True]


# The references beside the course's SGD and PyTorch's


OPTIONS: dict[str, dict[str, Any]] = {
    "sgd_step": {},
    "momentum_step": {"momentum": 0.9},
    "nesterov_step": {"momentum": 0.9, "nesterov": True},
}
STEPS: dict[str, Callable[..., Any]] = {
    "sgd_step": sgd_step,
    "momentum_step": momentum_step,
    "nesterov_step": nesterov_step,
}


def walk(name: str, theta: Any, grads: list[Any], rates: list[float]) -> Any:
    """Parameters after feeding the reference its own state."""
    velocity = np.zeros_like(theta)
    for grad, lr in zip(grads, rates, strict=True):
        if name == "sgd_step":
            theta = sgd_step(theta, grad, lr)
        else:
            theta, velocity = STEPS[name](theta, grad, velocity, lr, 0.9)
    return theta


def run(shape: tuple[int, ...] = (3, 4)) -> tuple[Any, list[Any], list[float]]:
    """A place, 60 slopes of many sizes (one entry always 0), and a rate that falls half-way."""
    rng = np.random.default_rng(3)
    grads = [rng.normal(size=shape) * 10.0 ** rng.integers(-3, 3) for _ in range(60)]
    for grad in grads:
        grad.flat[0] = 0.0
    return rng.normal(size=shape), grads, [0.1] * 30 + [0.01] * 30


@pytest.mark.parametrize("name", STEPS)
def test_references_agree_with_the_optimizer_of_the_course(name: str) -> None:
    theta, grads, rates = run()
    params = Parameters.from_arrays({"w": theta})
    opt = SGD(params, **OPTIONS[name])
    for grad, lr in zip(grads, rates, strict=True):
        opt.lr = lr
        params.grads["w"][...] = grad
        opt.step()
    np.testing.assert_allclose(walk(name, theta, grads, rates), params["w"], rtol=1e-11, atol=1e-13)


@pytest.mark.torch
@pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="PyTorch is not installed")
@pytest.mark.parametrize("name", STEPS)
def test_references_agree_with_pytorch(name: str) -> None:
    import torch

    theta, grads, rates = run()
    weights = torch.tensor(theta, requires_grad=True)
    opt = torch.optim.SGD([weights], **OPTIONS[name])
    for grad, lr in zip(grads, rates, strict=True):
        opt.param_groups[0]["lr"] = lr
        weights.grad = torch.tensor(grad)
        opt.step()
    np.testing.assert_allclose(walk(name, theta, grads, rates), weights.detach().numpy(), rtol=1e-10, atol=1e-12)


def test_references_keep_float32() -> None:
    theta, grads, rates = run((5,))
    for name in STEPS:
        single = walk(name, theta.astype(np.float32), [grad.astype(np.float32) for grad in grads], rates)
        assert single.dtype == np.float32


def test_batches_are_those_that_fit_draws() -> None:
    ours, theirs = (f(23, 5, np.random.default_rng(1)) for f in (minibatches, batches_of_the_course))
    assert [batch.tolist() for batch in ours] == [batch.tolist() for batch in theirs]


def test_no_module_left_in_the_sandbox_needs_or_holds_an_answer() -> None:
    """Whatever the sandbox keeps neither defines one of the answers nor imports a module that is withheld."""
    for path in Path(course_lib.__file__).parent.glob("*.py"):
        if path.stem in (*WITHHELD, "__init__", "check", "learner"):  # the package loads its modules only when asked
            continue
        tree = ast.parse(path.read_text(encoding="utf-8"))
        at_import = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
        wanted = {getattr(node, "module", None) or "" for node in at_import}
        assert not {name.split(".")[-1] for name in wanted} & set(WITHHELD), path.name
        defined = {node.name for node in ast.walk(tree) if isinstance(node, ast.ClassDef | ast.FunctionDef)}
        assert not defined & {"SGD", "minibatches", "_slices", *STEPS}, path.name
