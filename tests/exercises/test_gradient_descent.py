"""Lesson 02: references, named mistakes, right answers in other styles, stubs, and what the sandbox must not hold."""

from __future__ import annotations

import ast
import inspect
from pathlib import Path

import numpy as np
import pytest

import course_lib
from course_lib.exercises import functions
from course_lib.exercises.gradient_descent import (
    EXERCISES,
    WITHHELD,
    gradient_descent,
    loss_and_gradient,
    max_stable_lr,
)
from course_lib.gradcheck import numerical_gradient
from course_lib.losses import squared_error
from course_lib.optimizers import SGD
from course_lib.parameters import Parameters
from tests.exercises.exercise_checks import grade

BY_NAME = {exercise.name: exercise for exercise in EXERCISES}


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
