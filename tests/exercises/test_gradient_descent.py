"""Lesson 02: references, named mistakes, right answers in other styles, stubs, and what the sandbox must not hold."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import course_lib
from course_lib.exercises import functions
from course_lib.exercises.gradient_descent import (
    EXERCISES,
    LESSON,
    WITHHELD,
    gradient_descent,
    loss_and_gradient,
    max_stable_lr,
)
from course_lib.gradcheck import numerical_gradient
from course_lib.losses import squared_error
from course_lib.optimizers import SGD
from course_lib.parameters import Parameters
from tests.exercises.exercise_checks import (
    GENERIC_STUBS,
    SEEDS,
    assert_form,
    assert_rejected_by_name,
    assert_right,
    assert_stub_earns_nothing,
    grade,
)

BY_NAME = {exercise.name: exercise for exercise in EXERCISES}
MISTAKES = [(exercise.name, mistake.name) for exercise in EXERCISES for mistake in exercise.misconceptions]


# Right answers as other people write them


def loss_loops(theta: Any, X: Any, y: Any) -> Any:
    n, d = X.shape
    loss, grad = 0.0, np.zeros(d)
    for i in range(n):
        error = sum(X[i, j] * theta[j] for j in range(d)) - y[i]
        loss += error**2 / (2 * n)
        for j in range(d):
            grad[j] += error * X[i, j] / n
    return loss, grad


def loss_einsum(theta: Any, X: Any, y: Any) -> Any:
    r = np.einsum("nd,d->n", X, theta) - y
    return np.einsum("n,n->", r, r) / len(y) / 2, np.einsum("nd,n->d", X, r) / len(y)


def loss_broadcast(theta: Any, X: Any, y: Any) -> Any:
    """A list is fine too, and a loss that is an array without axes."""
    r = (X * theta).sum(axis=1) - y
    return [np.asarray(0.5 * np.mean(r**2)), (r[:, None] * X).mean(axis=0)]


def loss_columns(theta: Any, X: Any, y: Any) -> Any:
    """Columns all the way; what comes back is a view of one."""
    r = X @ theta.reshape(-1, 1) - y.reshape(-1, 1)
    return (r.T @ r).item() / (2 * X.shape[0]), (X.T @ r / X.shape[0])[:, 0]


def loss_target_first(theta: Any, X: Any, y: Any) -> Any:
    r = y - X.dot(theta)
    return np.sum(np.square(r)) / (2 * len(r)), -r.dot(X) / len(r)


def loss_single(theta: Any, X: Any, y: Any) -> Any:
    """Keeps float32."""
    r = X @ theta - y
    grad = X.T @ r / np.float32(len(y)) if y.dtype == np.float32 else X.T @ r / len(y)
    assert grad.dtype == X.dtype
    return np.mean(r * r) / 2, grad


def walk_preallocated(grad: Any, theta0: Any, lr: float, steps: int) -> Any:
    path = np.zeros((steps + 1, len(theta0)), theta0.dtype)
    path[0] = theta0
    for t in range(steps):
        path[t + 1] = path[t] - lr * grad(path[t])
    return path


def walk_in_place_on_copies(grad: Any, theta0: Any, lr: float, steps: int) -> Any:
    theta = theta0.copy()
    path = [theta.copy()]
    for _ in range(steps):
        theta -= lr * grad(theta)
        path.append(theta.copy())
    return np.vstack(path)


def walk_recursive(grad: Any, theta0: Any, lr: float, steps: int) -> Any:
    if steps == 0:
        return theta0[None]
    return np.concatenate([theta0[None], walk_recursive(grad, theta0 - grad(theta0) * lr, lr, steps - 1)])


def walk_by_entries(grad: Any, theta0: Any, lr: float, steps: int) -> Any:
    """Loops over the weights, but takes the whole gradient first."""
    path = [list(theta0)]
    for _ in range(steps):
        slope = grad(np.array(path[-1]))
        path.append([value - lr * slope[i] for i, value in enumerate(path[-1])])
    return np.array(path)


def walk_accumulate(grad: Any, theta0: Any, lr: float, steps: int) -> Any:
    from itertools import accumulate

    return np.stack(list(accumulate(range(steps), lambda theta, _: theta - lr * grad(theta), initial=theta0)))


def walk_single(grad: Any, theta0: Any, lr: float, steps: int) -> Any:
    """Keeps float32; what comes back is a view of a larger array."""
    kept = np.empty((len(theta0), steps + 5), theta0.dtype)
    kept[:, 0] = theta0
    for t in range(steps):
        kept[:, t + 1] = kept[:, t] - theta0.dtype.type(lr) * grad(kept[:, t])
    return kept.T[: steps + 1]


def stable_maximum(H: Any) -> Any:
    return 2 / max(np.linalg.eigvals(H).real.tolist())


def stable_norm(H: Any) -> Any:
    return 2 / np.linalg.norm(H, 2)


def stable_singular_values(H: Any) -> Any:
    return np.asarray(2.0 / np.linalg.svd(H, compute_uv=False)[0])


def stable_along_the_steepest(H: Any) -> Any:
    """The curvature along the last eigenvector."""
    v = np.linalg.eigh(H)[1][:, -1]
    return 2 / np.einsum("i,ij,j->", v, H, v)


def stable_single(H: Any) -> Any:
    return H.dtype.type(2) / np.linalg.eigvalsh(H).max()


RIGHT: dict[str, list[Callable[..., Any]]] = {
    "loss_and_gradient": [loss_loops, loss_einsum, loss_broadcast, loss_columns, loss_target_first, loss_single],
    "gradient_descent": [
        walk_preallocated,
        walk_in_place_on_copies,
        walk_recursive,
        walk_by_entries,
        walk_accumulate,
        walk_single,
    ],
    "max_stable_lr": [
        stable_maximum,
        stable_norm,
        stable_singular_values,
        stable_along_the_steepest,
        stable_single,
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


@pytest.mark.parametrize(
    ("name", "mistake", "group"),
    [("loss_and_gradient", "multiplied_out", 2), ("gradient_descent", "gives_up", 2)],
)
def test_a_slip_that_shows_in_one_group_costs_that_group_only(name: str, mistake: str, group: int) -> None:
    wrong = next(m for m in BY_NAME[name].misconceptions if m.name == mistake)
    result = grade(BY_NAME[name], wrong.wrong, 0)
    assert [g.passed for g in result.groups] == [index != group for index in range(3)]


def test_a_changed_start_is_named_although_the_path_is_right() -> None:
    mistake = next(m for m in BY_NAME["gradient_descent"].misconceptions if m.name == "theta0_changed")
    result = grade(BY_NAME["gradient_descent"], mistake.wrong, 0)
    assert result.points == 0
    assert "changed its input theta0 in place" in result.message


# The references beside differences and the library


@pytest.mark.parametrize("seed", range(5))
def test_the_gradient_agrees_with_differences_and_with_the_library(seed: int) -> None:
    rng = np.random.default_rng(seed)
    theta, X, y = rng.normal(size=4), rng.normal(size=(7, 4)), rng.normal(size=7)
    loss, grad = loss_and_gradient(theta, X, y)
    by_differences = numerical_gradient(lambda moved: loss_and_gradient(moved, X, y)[0], theta)
    np.testing.assert_allclose(grad, by_differences, rtol=1e-7, atol=1e-9)
    same, dout = squared_error(X @ theta, y)
    assert loss == pytest.approx(same, rel=1e-12)
    np.testing.assert_allclose(grad, X.T @ dout, rtol=1e-12, atol=1e-14)


def test_the_walk_agrees_with_sgd() -> None:
    rng = np.random.default_rng(0)
    X, y, start = rng.normal(size=(9, 3)), rng.normal(size=9), rng.normal(size=3)
    path = gradient_descent(lambda theta: loss_and_gradient(theta, X, y)[1], start, 0.1, 30)
    params = Parameters.from_arrays({"w": start})
    opt = SGD(params, lr=0.1)
    for place in path:
        np.testing.assert_allclose(params["w"], place, rtol=1e-12, atol=1e-14)
        params.grad[:] = loss_and_gradient(params.theta, X, y)[1]
        opt.step()


@pytest.mark.parametrize("seed", range(5))
def test_the_limit_is_where_the_walk_begins_to_run_away(seed: int) -> None:
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(20, 4))
    H = X.T @ X / 20
    limit, start = max_stable_lr(H), rng.normal(size=4)
    below, above = (gradient_descent(lambda theta: H @ theta, start, share * limit, 2000)[-1] for share in (0.99, 1.01))
    assert np.linalg.norm(below) < 1e-3 * np.linalg.norm(start)
    assert np.linalg.norm(above) > 1e3 * np.linalg.norm(start)


def test_references_keep_float32() -> None:
    rng = np.random.default_rng(0)
    theta, X, y = (rng.normal(size=shape).astype(np.float32) for shape in (3, (5, 3), 5))
    assert loss_and_gradient(theta, X, y)[1].dtype == np.float32
    assert gradient_descent(lambda t: loss_and_gradient(t, X, y)[1], theta, 0.1, 4).dtype == np.float32


# The sandbox


def test_no_module_left_in_the_sandbox_holds_an_answer() -> None:
    """Whatever the sandbox keeps defines none of what is asked, nor what it could be had from."""
    for path in Path(course_lib.__file__).parent.glob("*.py"):
        if path.stem in WITHHELD:
            continue
        tree = ast.parse(path.read_text(encoding="utf-8"))
        defined = {node.name for node in ast.walk(tree) if isinstance(node, ast.ClassDef | ast.FunctionDef)}
        equivalents = {"squared_error", "Linear", "SGD", "fit", "sweep", "lr_range_test", "numerical_gradient", "Value"}
        assert not defined & {*BY_NAME, *equivalents}, path.name


def test_no_function_handed_to_learners_is_the_loss_or_its_gradient() -> None:
    assert "least_squares" not in functions.BUILDERS
    for builder in functions.BUILDERS.values():
        assert set(inspect.signature(builder).parameters) != {"X", "y"}, builder.__name__
