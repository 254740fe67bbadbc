"""Lesson 09: references, named mistakes, right answers in other styles, stubs, and what the sandbox must not hold."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import course_lib
from course_lib import schedulers as library
from course_lib.exercises.schedulers import (
    EXERCISES,
    WITHHELD,
    ReduceOnPlateau,
    cosine_lr,
    exponential_lr,
    one_cycle_lr,
    step_lr,
    warmup_cosine_lr,
)
from tests.exercises.exercise_checks import (
    grade,
)

BY_NAME = {exercise.name: exercise for exercise in EXERCISES}
SEEDS = range(8)


@pytest.mark.parametrize(
    ("name", "mistake", "group"),
    [
        ("step_lr", "not_floored", 0),
        ("ReduceOnPlateau", "equal_counts", 1),
        ("ReduceOnPlateau", "nan_is_good", 2),
        ("ReduceOnPlateau", "nan_left_out", 2),
    ],
)
def test_a_slip_costs_the_groups_in_which_it_shows(name: str, mistake: str, group: int) -> None:
    wrong = next(m for m in BY_NAME[name].misconceptions if m.name == mistake)
    result = grade(BY_NAME[name], wrong.wrong, 0)
    assert next(index for index, found in enumerate(result.groups) if not found.passed) == group


def test_a_function_that_remembers_its_last_call_is_noticed() -> None:
    """A rate that is multiplied at each call is right only where the calls come in order, once each."""
    kept: dict[str, float] = {}

    def remembers(lr0: float, t: int, gamma: float) -> float:
        kept["lr"] = lr0 if t == 0 else kept.get("lr", lr0) * gamma
        return kept["lr"]

    assert grade(BY_NAME["exponential_lr"], remembers, 0).points < BY_NAME["exponential_lr"].points


# The references beside the library, over their whole length


class Driven:
    """Something with a rate."""

    def __init__(self, lr: float) -> None:
        self.lr = lr


def same(ours: list[float], theirs: Any, first: float) -> None:
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-12 * first)


@pytest.mark.parametrize(("step_size", "gamma"), [(1, 0.9), (7, 0.5), (30, 0.1), (500, 0.3)])
def test_step_lr_agrees_with_the_library(step_size: int, gamma: float) -> None:
    rates = library.StepLR(Driven(0.7), step_size, gamma).rates(400)
    same([step_lr(0.7, t, step_size, gamma) for t in range(400)], rates, 0.7)


@pytest.mark.parametrize("gamma", [0.9, 0.99, 1.0, 1.01])
def test_exponential_lr_agrees_with_the_library(gamma: float) -> None:
    rates = library.ExponentialLR(Driven(0.7), gamma).rates(400)
    same([exponential_lr(0.7, t, gamma) for t in range(400)], rates, rates.max())


@pytest.mark.parametrize(("T_max", "eta_min"), [(1, 0.0), (10, 0.01), (333, 0.0), (400, 0.5)])
def test_cosine_lr_agrees_with_the_library(T_max: int, eta_min: float) -> None:
    rates = library.CosineAnnealingLR(Driven(0.7), T_max, eta_min).rates(T_max + 1)
    same([cosine_lr(0.7, t, T_max, eta_min) for t in range(T_max + 1)], rates, 0.7)
    assert cosine_lr(0.7, T_max, T_max, eta_min) == pytest.approx(eta_min, abs=1e-15)


@pytest.mark.parametrize(("warmup", "T_max", "eta_min"), [(1, 2, 0.0), (5, 40, 0.01), (100, 400, 0.0)])
def test_warmup_cosine_lr_agrees_with_the_library(warmup: int, T_max: int, eta_min: float) -> None:
    """A line from 1 / warmup to 1 in warmup - 1 steps, one more step at the top, and the wave."""
    driven = Driven(0.7)
    if warmup > 1:
        rise: Any = library.LinearLR(driven, start_factor=1 / warmup, total_iters=warmup - 1)
    else:
        rise = library.LinearLR(driven, start_factor=1.0, total_iters=1)
    wave = library.CosineAnnealingLR(driven, T_max - warmup, eta_min)
    rates = library.SequentialLR(driven, [rise, wave], [warmup]).rates(T_max + 1)
    same([warmup_cosine_lr(0.7, t, warmup, T_max, eta_min) for t in range(T_max + 1)], rates, 0.7)


@pytest.mark.parametrize(
    ("total_steps", "pct_start", "div", "final"), [(10, 0.4, 10.0, 100.0), (333, 0.3, 25.0, 1e4), (100, 0.85, 1.0, 1.0)]
)
def test_one_cycle_lr_agrees_with_the_library(total_steps: int, pct_start: float, div: float, final: float) -> None:
    schedule = library.OneCycleLR(
        Driven(1.0),
        max_lr=0.7,
        total_steps=total_steps,
        pct_start=pct_start,
        div_factor=div,
        final_div_factor=final,
        cycle_momentum=False,
    )
    ours = [one_cycle_lr(t, total_steps, 0.7, pct_start, div, final) for t in range(total_steps)]
    same(ours, schedule.rates(total_steps), 0.7)


@pytest.mark.parametrize("seed", range(20))
def test_reduce_on_plateau_agrees_with_the_library(seed: int) -> None:
    rng = np.random.default_rng(seed)
    metrics = np.abs(3 - 0.05 * np.arange(60) + rng.normal(size=60) * rng.choice([0.02, 0.5]))
    metrics[rng.permutation(60)[:5]] = rng.choice([np.nan, np.inf], 5)
    patience, threshold = int(rng.integers(0, 6)), float(rng.choice([0.0, 1e-4, 0.1]))
    driven = Driven(0.7)
    theirs = library.ReduceLROnPlateau(driven, factor=0.5, patience=patience, threshold=threshold, eps=0.0)
    ours = ReduceOnPlateau(0.7, 0.5, patience, threshold)
    for metric in metrics:
        theirs.step(float(metric))
        assert ours.step(float(metric)) == pytest.approx(driven.lr, rel=1e-12)


def test_the_default_threshold_is_that_of_the_library() -> None:
    assert ReduceOnPlateau(0.1, 0.5, 2).threshold == library.ReduceLROnPlateau(Driven(0.1)).threshold


@pytest.mark.parametrize("t", [np.int64(3), np.int32(3)])
def test_references_take_numpys_whole_numbers(t: Any) -> None:
    assert step_lr(0.8, t, 2, 0.5) == 0.4
    assert cosine_lr(0.8, t, 6, 0.0) == pytest.approx(0.4)
    assert exponential_lr(0.8, t, 0.5) == pytest.approx(0.1)


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
        equivalents = {name for name in dir(library) if name.endswith("LR") or "Plateau" in name or "Cosine" in name}
        assert not defined & {*BY_NAME, *equivalents, "Schedule", "EarlyStopping"}, path.name


def test_the_lessons_module_is_not_the_librarys() -> None:
    assert "schedulers" in WITHHELD
    assert library.__name__ == "course_lib.schedulers"
    assert cosine_lr.__module__ == "course_lib.exercises.schedulers"
