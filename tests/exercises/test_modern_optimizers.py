"""Lesson 11: references, named mistakes, right answers in other styles, stubs, and the optimizers of the course."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import course_lib
from course_lib.exercises.modern_optimizers import (
    EXERCISES,
    WITHHELD,
    lion_step,
    muon_orthogonalize,
    schedule_free_step,
)
from course_lib.modern_optimizers import Lion, Muon, ScheduleFreeSGD, orthogonalize
from course_lib.parameters import Parameters
from tests.exercises.exercise_checks import (
    grade,
)

BY_NAME = {exercise.name: exercise for exercise in EXERCISES}


@pytest.mark.parametrize(
    ("name", "mistake", "kept"),
    [
        ("lion_step", "sign_of_zero_is_one", [True, False, True]),
        ("muon_orthogonalize", "no_guard_against_zero", [True, False, False]),
    ],
)
def test_a_slip_at_zero_or_with_tiny_numbers_costs_those_groups_only(name: str, mistake: str, kept: list[bool]) -> None:
    wrong = next(m for m in BY_NAME[name].misconceptions if m.name == mistake)
    for seed in range(5):
        assert [group.passed for group in grade(BY_NAME[name], wrong.wrong, seed).groups] == kept


def in_place(x: Any, z: Any, grad: Any, t: int, lr: float) -> Any:
    z -= lr * grad
    x += (z - x) / t
    return x, z


def test_a_changed_input_is_named_although_the_numbers_are_right() -> None:
    result = grade(BY_NAME["schedule_free_step"], in_place, 0)
    assert result.points == 0
    assert "changed its input x and z in place" in result.message


def test_the_exact_answer_is_told_apart_from_the_iteration_by_name() -> None:
    def exact(G: Any, steps: int = 5) -> Any:
        U, _, Vt = np.linalg.svd(G, full_matrices=False)
        return U @ Vt

    result = grade(BY_NAME["muon_orthogonalize"], exact, 0)
    assert result.points == 0
    assert "exact answer" in result.message


# The references beside the optimizers of the course


def gradients(shape: tuple[int, ...], steps: int) -> list[Any]:
    rng = np.random.default_rng(11)
    grads = [rng.normal(size=shape) * 10.0 ** rng.integers(-3, 3) for _ in range(steps)]
    for grad in grads:
        grad.flat[0] = 0.0
    return grads


@pytest.mark.parametrize("shape", [(7,), (3, 4)])
def test_lion_agrees_with_the_course_over_many_steps(shape: tuple[int, ...]) -> None:
    theta = np.random.default_rng(4).normal(size=shape)
    params = Parameters.from_arrays({"w": theta})
    opt = Lion(params, lr=0.01, betas=(0.8, 0.95), weight_decay=0.7)
    m = np.zeros(shape)
    for grad in gradients(shape, 300):
        params.grads["w"][...] = grad
        opt.step()
        theta, m = lion_step(theta, grad, m, 0.01, 0.8, 0.95, 0.7)
    np.testing.assert_allclose(theta, params["w"], rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize("shape", [(3, 5), (5, 3), (4, 4), (1, 6), (6, 1)])
@pytest.mark.parametrize("steps", [1, 5, 8])
def test_orthogonalisation_agrees_with_the_course(shape: tuple[int, int], steps: int) -> None:
    for G in (*gradients(shape, 20), np.zeros(shape), 1e-12 * np.ones(shape)):
        np.testing.assert_allclose(muon_orthogonalize(G, steps), orthogonalize(G, steps), rtol=1e-9, atol=1e-12)


def test_a_whole_run_of_muon_on_the_reference_agrees_with_the_course() -> None:
    theta, v = np.random.default_rng(4).normal(size=(4, 6)), np.zeros((4, 6))
    params = Parameters.from_arrays({"W": theta})
    opt = Muon(params, lr=0.02, weight_decay=0.0, momentum=0.9, nesterov=False)
    for grad in gradients((4, 6), 100):
        params.grads["W"][...] = grad
        opt.step()
        v = 0.9 * v + 0.1 * grad
        theta = theta - 0.02 * np.sqrt(1.5) * muon_orthogonalize(v)
    np.testing.assert_allclose(theta, params["W"], rtol=1e-8, atol=1e-10)


def test_schedule_free_agrees_with_the_course_over_many_steps() -> None:
    start = np.random.default_rng(4).normal(size=(3, 4))
    params = Parameters.from_arrays({"w": start})
    opt = ScheduleFreeSGD(params, lr=0.05, momentum=0.8)
    x = z = start
    for t, grad in enumerate(gradients((3, 4), 300), start=1):
        params.grads["w"][...] = grad
        opt.step()
        x, z = schedule_free_step(x, z, grad, t, 0.05)
        np.testing.assert_allclose(params["w"], 0.2 * z + 0.8 * x, rtol=1e-9, atol=1e-11)
    opt.eval()
    np.testing.assert_allclose(x, params["w"], rtol=1e-10, atol=1e-12)


def test_the_mean_of_schedule_free_is_the_mean() -> None:
    x = z = np.zeros(2)
    seen = []
    for t, grad in enumerate(gradients((2,), 50), start=1):
        x, z = schedule_free_step(x, z, grad, t, 0.3)
        seen.append(z)
        np.testing.assert_allclose(x, np.mean(seen, axis=0), atol=1e-10)


def test_singular_values_come_near_1_and_not_to_1() -> None:
    """What the lesson says: between 0.7 and 1.2 for matrices that are not too uneven."""
    rng = np.random.default_rng(0)
    found = np.concatenate(
        [np.linalg.svd(muon_orthogonalize(rng.normal(size=(8, 20))), compute_uv=False) for _ in range(200)]
    )
    assert 0.68 < found.min() < 0.8
    assert 1.1 < found.max() < 1.21


def test_references_keep_float32() -> None:
    one = np.ones((2, 3), np.float32)
    results = [
        *lion_step(one, one, one, 0.1, 0.9, 0.99, 0.1),
        muon_orthogonalize(one),
        *schedule_free_step(one, one, one, 3, 0.1),
    ]
    assert {result.dtype for result in results} == {np.dtype(np.float32)}


def test_no_module_left_in_the_sandbox_needs_or_holds_one_of_the_rules() -> None:
    """Whatever the sandbox keeps neither defines one of the rules nor imports a module that is withheld."""
    for path in Path(course_lib.__file__).parent.glob("*.py"):
        if path.stem in (*WITHHELD, "__init__"):  # the package loads its modules only when a name is asked for
            continue
        tree = ast.parse(path.read_text(encoding="utf-8"))
        at_import = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
        wanted = {getattr(node, "module", None) or "" for node in at_import}
        assert not {name.split(".")[-1] for name in wanted} & set(WITHHELD), path.name
        defined = {node.name for node in ast.walk(tree) if isinstance(node, ast.ClassDef | ast.FunctionDef)}
        rules = {"Lion", "Muon", "ScheduleFreeSGD", "orthogonalize", *(exercise.name for exercise in EXERCISES)}
        assert not defined & rules, path.name
        assert "3.4445" not in path.read_text(encoding="utf-8"), path.name
