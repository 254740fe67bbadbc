"""Lesson 05: references, named mistakes, right answers in other styles, stubs, and what the sandbox must not hold."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import course_lib
from course_lib.early_stopping import EarlyStopping as StoppingOfTheCourse
from course_lib.exercises.programs import Case, call
from course_lib.exercises.weight_penalties import (
    EXERCISES,
    WITHHELD,
    EarlyStopping,
    elastic_net_penalty,
    l1_penalty,
    l2_penalty,
    soft_threshold,
    split_indices,
    split_is_wrong,
)
from course_lib.gradcheck import numerical_gradient
from course_lib.parameters import Parameters
from course_lib.regularizers import L1, L2, ElasticNet
from course_lib.regularizers import soft_threshold as threshold_of_the_course
from tests.exercises.exercise_checks import grade

BY_NAME = {exercise.name: exercise for exercise in EXERCISES}


@pytest.mark.parametrize(
    ("mistake", "where"),
    [("compared_with_the_last", r"step\([\d.]+\) \(call \d of \d\)"), ("counted_from_one", r"\.best_step")],
)
def test_a_run_that_is_watched_can_be_replayed_from_its_message(mistake: str, where: str) -> None:
    wrong = next(m for m in BY_NAME["EarlyStopping"].misconceptions if m.name == mistake)
    ordinary = grade(BY_NAME["EarlyStopping"], wrong.wrong, 0).groups[0]
    assert ordinary.difference is not None
    assert re.fullmatch(where, ordinary.difference.where)
    values = [float(value) for value in ordinary.case.split("values ")[1].split(", ")]
    assert "patience 3" in ordinary.case
    watch = EarlyStopping(patience=3)
    said = [watch.step(value) for value in values]
    shown = {True: str(said[5]), False: str(watch.best_step)}[mistake == "compared_with_the_last"]
    assert ordinary.difference.expected == shown


@pytest.mark.parametrize(
    ("name", "mistake", "group"),
    [
        ("split_indices", "rest_in_last_part", 1),
        ("split_indices", "last_part_fixed", 0),
        ("l1_penalty", "zero_counts_as_positive", 1),
        ("EarlyStopping", "forgets_that_it_stopped", 1),
        ("EarlyStopping", "nan_improves", 2),
    ],
)
def test_a_slip_costs_the_groups_in_which_it_shows(name: str, mistake: str, group: int) -> None:
    wrong = next(m for m in BY_NAME[name].misconceptions if m.name == mistake)
    result = grade(BY_NAME[name], wrong.wrong, 0)
    assert next(index for index, found in enumerate(result.groups) if not found.passed) == group


# Splits are judged by what is true of them


def split_case(n: int, sizes: tuple[int, ...]) -> Case:
    return Case((call("split_indices", n=n, sizes=sizes, rng=None),))


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        (np.arange(6), "Return a tuple of index arrays"),
        ((np.array([0, 1, 2]), [3, 4]), "Part 1 should be an array of whole numbers"),
        ((np.array([0.0, 1.0, 2.0]), np.array([3, 4])), "Part 0 should be an array of whole numbers"),
        ((np.array([0, 1, 2]), np.array([3])), r"sizes \[3, 2\]; yours have the sizes \[3, 1\]"),
        ((np.array([0, 1, 6]), np.array([3, 4])), "Index 6 is outside 0 to 5"),
        ((np.array([0, 1, -1]), np.array([3, 4])), "Index -1 is outside 0 to 5"),
        ((np.array([0, 1, 1]), np.array([3, 4])), "Part 0 holds an example twice"),
        ((np.array([0, 1, 2]), np.array([3, 2])), "Index 2 is in part 0 and in part 1"),
    ],
)
def test_a_wrong_split_is_told_what_is_wrong(parts: Any, said: str) -> None:
    sentence = split_is_wrong(split_case(6, (3, 2)), parts)
    assert sentence is not None
    assert re.search(said, sentence), sentence


def test_a_sorted_part_of_a_random_split_is_accepted_and_a_run_is_not() -> None:
    rng = np.random.default_rng(0)
    parts = tuple(np.sort(part) for part in split_indices(40, (20, 20), rng))
    assert split_is_wrong(split_case(40, (20, 20)), parts) is None
    in_order = (np.arange(20), np.arange(20, 40))
    assert "nothing was shuffled" in str(split_is_wrong(split_case(40, (20, 20)), in_order))


def test_every_example_is_as_likely_in_every_part() -> None:
    rng = np.random.default_rng(0)
    counts = np.zeros((3, 10))
    for _ in range(3000):
        for row, part in zip(counts, split_indices(10, (5, 3, 2), rng), strict=True):
            row[part] += 1
    np.testing.assert_allclose(counts / 3000, np.tile([[0.5], [0.3], [0.2]], 10), atol=0.05)


# The references beside differences and the library


@pytest.mark.parametrize("seed", range(5))
def test_gradients_agree_with_differences(seed: int) -> None:
    W: Any = np.random.default_rng(seed).normal(size=(3, 4))
    for name, more in (("l2_penalty", ()), ("l1_penalty", ()), ("elastic_net_penalty", (0.4,))):
        penalty = BY_NAME[name].reference
        value: Any = lambda w, of=penalty, more=more: of(w, 0.3, *more)[0]  # noqa: E731
        by_differences: Any = numerical_gradient(value, W)
        np.testing.assert_allclose(penalty(W, 0.3, *more)[1], by_differences, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("name", ["l1", "l2", "elastic"])
def test_penalties_agree_with_the_library(name: str) -> None:
    W = np.random.default_rng(1).normal(size=(4, 3))
    W[1, 1] = 0
    ours, theirs = {
        "l1": (l1_penalty(W, 0.2), L1(0.2)),
        "l2": (l2_penalty(W, 0.2), L2(0.2)),
        "elastic": (elastic_net_penalty(W, 0.2, 0.3), ElasticNet(0.2, 0.3)),
    }[name]
    params = Parameters.from_arrays({"W1": W, "b1": np.ones(3)})
    theirs.add_gradient(params)
    assert ours[0] == pytest.approx(theirs.penalty(params), rel=1e-12)
    np.testing.assert_allclose(ours[1], params.grads["W1"], rtol=1e-12)
    assert not params.grads["b1"].any()


def test_the_soft_threshold_is_the_proximal_step_of_l1() -> None:
    w = np.linspace(-3, 3, 61)
    grid = np.linspace(-4, 4, 8001)
    smallest = [grid[np.argmin((grid - x) ** 2 / 2 + 0.7 * np.abs(grid))] for x in w]
    np.testing.assert_allclose(soft_threshold(w, 0.7), smallest, atol=2e-3)
    np.testing.assert_allclose(soft_threshold(w, 0.7), threshold_of_the_course(w, 0.7), rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("seed", range(20))
def test_early_stopping_agrees_with_the_library(seed: int) -> None:
    rng = np.random.default_rng(seed)
    values = rng.normal(size=40) - 0.02 * np.arange(40)
    values[rng.permutation(40)[:4]] = np.nan
    patience, min_delta = int(rng.integers(1, 12)), float(rng.choice([0.0, 0.2]))
    ours, theirs = EarlyStopping(patience, min_delta), StoppingOfTheCourse(patience, min_delta)
    for value in values:
        assert ours.step(float(value)) == theirs.step(float(value))
        assert (ours.best, ours.best_step) == (theirs.best, theirs.best_step)


def test_references_keep_float32() -> None:
    W = np.random.default_rng(0).normal(size=(3, 2)).astype(np.float32)
    assert l2_penalty(W, 0.1)[1].dtype == np.float32
    assert l1_penalty(W, 0.1)[1].dtype == np.float32
    assert elastic_net_penalty(W, 0.1, 0.5)[1].dtype == np.float32
    assert soft_threshold(W, 0.1).dtype == np.float32


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
        equivalents = {"L1", "L2", "ElasticNet", "Regularizer", "ReduceLROnPlateau", "AdamW", "minibatches"}
        assert not defined & {*BY_NAME, *equivalents, "numerical_gradient", "Value"}, path.name
