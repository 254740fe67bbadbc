"""Lesson 08: references, named mistakes, right answers in other styles, stubs, and what the sandbox must not hold."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import course_lib
from course_lib import range_test
from course_lib.clipping import clip_grad_norm
from course_lib.exercises.learning_rate import (
    EXERCISES,
    WITHHELD,
    clip_by_global_norm,
    lr_range_test,
    suggest_lr,
)
from course_lib.parameters import Parameters
from tests.exercises.exercise_checks import (
    grade,
)

BY_NAME = {exercise.name: exercise for exercise in EXERCISES}
STORED = np.load(Path(__file__).parents[1] / "course_lib" / "parity" / "golden.npz")
"""PyTorch's numbers: what is left of a gradient of 30 numbers, and its norm."""


@pytest.mark.parametrize(
    ("name", "mistake", "group"),
    [
        ("suggest_lr", "minimum_itself", 0),
        ("suggest_lr", "nan_wins", 2),
        ("lr_range_test", "stops_only_when_not_finite", 0),
        ("lr_range_test", "nan_goes_on", 2),
        ("clip_by_global_norm", "always_scaled", 0),
        ("clip_by_global_norm", "1e_6_missing", 2),
    ],
)
def test_a_slip_costs_the_groups_in_which_it_shows(name: str, mistake: str, group: int) -> None:
    wrong = next(m for m in BY_NAME[name].misconceptions if m.name == mistake)
    result = grade(BY_NAME[name], wrong.wrong, 0)
    assert next(index for index, found in enumerate(result.groups) if not found.passed) == group


# The references beside the library, PyTorch's rule, and theory


def bowl(theta: np.ndarray) -> tuple[float, np.ndarray]:
    return float(theta @ theta) / 2 + 0.1, theta.copy()


@pytest.mark.parametrize("highest", [1.5, 30.0])
def test_the_range_test_agrees_with_the_library(highest: float) -> None:
    theta0 = np.array([1.0, -2.0, 0.5])
    ours, theirs = (f(bowl, theta0, 1e-3, highest, 40) for f in (lr_range_test, range_test.lr_range_test))
    for mine, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(mine, other, rtol=1e-12)
    assert suggest_lr(*ours) == pytest.approx(range_test.suggest_lr(*theirs), rel=1e-12)


def test_on_a_bowl_the_lowest_loss_comes_past_the_limit_and_a_third_of_it_is_safe() -> None:
    """The loss falls for some steps beyond 2 / curvature = 2: what has to grow has become tiny by then."""
    lrs, losses = lr_range_test(bowl, np.array([1.0, -2.0, 0.5]), 1e-3, 30, 60)
    assert 1 < lrs[losses.argmin()] < 6
    assert suggest_lr(lrs, losses) < 2


def given_to_pytorch(seed: int, size: float) -> np.ndarray:
    """The gradients of which the stored numbers are."""
    bits = np.random.PCG64(seed).random_raw(30)
    return ((bits >> np.uint64(11)) / 2.0**52 - 1.0) * size


@pytest.mark.parametrize("limit", [0.5, 1.0, 3.0, 1e9])
@pytest.mark.parametrize(("name", "seed", "size"), [("ordinary", 40, 1), ("large", 41, 1e6), ("tiny", 42, 1e-7)])
def test_clipping_gives_pytorchs_numbers_and_the_librarys(name: str, seed: int, size: float, limit: float) -> None:
    params = Parameters({"W1": (4, 5), "b1": (5,), "W2": (5, 1)}, np.float64)
    params.grad = given_to_pytorch(seed, size)
    ours, norm = clip_by_global_norm({key: params.grads[key].copy() for key in params}, limit)
    left = np.concatenate([grad.ravel() for grad in ours.values()])
    np.testing.assert_allclose(np.append(left, norm), STORED[f"clip by norm {limit:g}, gradient {name}"], rtol=1e-12)
    assert clip_grad_norm(params, limit) == pytest.approx(norm, rel=1e-12)
    np.testing.assert_allclose(left, params.grad, rtol=1e-12)


def test_clipping_keeps_the_direction_and_never_lengthens() -> None:
    rng = np.random.default_rng(0)
    for max_norm in (0.1, 1.0, 10.0):
        grads = {"W": rng.normal(size=(3, 2)), "b": rng.normal(size=2)}
        clipped, norm = clip_by_global_norm(grads, max_norm)
        before, after = (np.concatenate([g.ravel() for g in each.values()]) for each in (grads, clipped))
        assert np.linalg.norm(after) <= min(norm, max_norm)
        assert before @ after == pytest.approx(norm * np.linalg.norm(after), rel=1e-12)


def test_references_keep_float32() -> None:
    grads = {"W": np.ones((3, 2), np.float32), "b": np.ones(2, np.float32)}
    assert {grad.dtype for grad in clip_by_global_norm(grads, 1.0)[0].values()} == {np.dtype(np.float32)}
    seen: list[Any] = []

    def watched(theta: np.ndarray) -> tuple[float, np.ndarray]:
        seen.append(theta.dtype)
        return bowl(theta)

    lr_range_test(watched, np.ones(2, np.float32), 0.01, 1, 5)
    assert set(seen) == {np.dtype(np.float32)}


# The sandbox


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
        assert not defined & {*BY_NAME, "clip_grad_norm", "clip_grad_value", "range_test", "fit", "sweep"}, path.name
