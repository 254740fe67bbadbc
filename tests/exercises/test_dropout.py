"""Lesson 06: references, named mistakes, right answers in other styles, stubs, and what the sandbox must not hold."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import course_lib
from course_lib.dropout import Dropout
from course_lib.exercises.dropout import EXERCISES, WITHHELD, dropout_backward, dropout_forward
from course_lib.gradcheck import numerical_gradient
from tests.exercises.exercise_checks import (
    grade,
)

SEEDS = range(12)
BY_NAME = {exercise.name: exercise for exercise in EXERCISES}


@pytest.mark.parametrize(
    ("name", "mistake", "group"),
    [
        ("dropout_forward", "not_scaled_in_training", 0),
        ("dropout_forward", "active_in_evaluation", 1),
        ("dropout_forward", "drawn_in_both_modes", 1),
        ("dropout_backward", "mask_ignored", 0),
    ],
)
def test_a_slip_costs_the_groups_in_which_it_shows(name: str, mistake: str, group: int) -> None:
    wrong = next(m for m in BY_NAME[name].misconceptions if m.name == mistake)
    result = grade(BY_NAME[name], wrong.wrong, 0)
    assert next(index for index, found in enumerate(result.groups) if not found.passed) == group


def test_a_global_generator_is_not_the_one_that_was_given() -> None:
    def forward(x: Any, p: float, rng: Any, training: bool) -> Any:
        mask = np.random.rand(*x.shape) >= p if training else np.ones(x.shape, bool)  # noqa: NPY002 - the very mistake
        return (x * mask / (1 - p) if training else x), mask

    assert grade(BY_NAME["dropout_forward"], forward, 0).points == 0


@pytest.mark.parametrize(
    ("forward", "points"),
    [
        (lambda x, rng: rng.random(x.shape, dtype=x.dtype), 5),  # other draws in float32
        (lambda x, rng: rng.random(x.shape[-2:] if x.ndim > 2 else x.shape), 5),  # one mask for the images of a batch
        (lambda x, rng: rng.random(x.shape[::-1]).T, 0),
    ],
)
def test_draws_of_another_kind_cost_what_they_change(forward: Any, points: int) -> None:
    def answer(x: Any, p: float, rng: Any, training: bool) -> Any:
        if not training:
            return x, np.ones(x.shape, bool)
        mask = np.broadcast_to(forward(x, rng) >= p, x.shape)
        return x * mask / (1 - p), mask

    assert grade(BY_NAME["dropout_forward"], answer, 0).points == points


# The references beside differences, expectations and the library


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("training", [True, False])
def test_both_passes_agree_with_the_library(dtype: Any, training: bool) -> None:
    rng = np.random.default_rng(0)
    x, dout = (rng.normal(size=(5, 4)).astype(dtype) for _ in range(2))
    layer = Dropout(0.3, np.random.default_rng(7))
    out, mask = dropout_forward(x, 0.3, np.random.default_rng(7), training)
    np.testing.assert_allclose(out, layer.forward(x, training=training), rtol=1e-6)
    np.testing.assert_array_equal(mask, layer.mask)
    assert out.dtype == dtype
    if training:
        np.testing.assert_allclose(dropout_backward(dout, mask, 0.3), layer.backward(dout), rtol=1e-6)


def test_backward_agrees_with_differences_through_a_fixed_mask() -> None:
    rng = np.random.default_rng(1)
    x, dout = rng.normal(size=(2, 3, 4))
    _, mask = dropout_forward(x, 0.4, np.random.default_rng(2), True)

    def value(at: Any) -> float:
        return float(np.sum(dout * dropout_forward(at, 0.4, np.random.default_rng(2), True)[0]))

    slopes: Any = numerical_gradient(value, x)
    np.testing.assert_allclose(dropout_backward(dout, mask, 0.4), slopes, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("p", [0.0, 0.2, 0.5, 0.9])
def test_on_average_the_output_is_the_input(p: float) -> None:
    x = np.array([[1.0, -2.0, 3.0]])
    rng = np.random.default_rng(0)
    mean = np.mean([dropout_forward(x, p, rng, True)[0] for _ in range(20_000)], axis=0)
    np.testing.assert_allclose(mean, x, rtol=0.08)


def test_references_keep_float32_and_their_inputs() -> None:
    x = np.ones((3, 2), np.float32)
    out, mask = dropout_forward(x, 0.5, np.random.default_rng(0), True)
    assert out.dtype == np.float32
    assert dropout_backward(x, mask, 0.5).dtype == np.float32
    assert x.tolist() == [[1.0, 1.0]] * 3
    assert dropout_forward(x, 0.5, np.random.default_rng(0), False)[0] is not x


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
        assert not defined & {*BY_NAME, "Dropout"}, path.name
