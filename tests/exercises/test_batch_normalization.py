"""Lesson 07: references, named mistakes, right answers in other styles, stubs, and what the sandbox must not hold."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import course_lib
from course_lib.batchnorm import BatchNorm1d
from course_lib.exercises.batch_normalization import (
    EXERCISES,
    WITHHELD,
    batchnorm_backward,
    batchnorm_forward,
    first_weights_are_wrong,
    he_init,
    matching_pair,
)
from course_lib.exercises.programs import Case, call
from course_lib.exercises.variants.batch_normalization import PAIRS
from course_lib.gradcheck import numerical_gradient
from course_lib.initializers import he_normal
from tests.exercises.exercise_checks import (
    grade,
)

SEEDS = range(8)
BY_NAME = {exercise.name: exercise for exercise in EXERCISES}


@pytest.mark.parametrize(("forward", "backward"), PAIRS, ids=lambda f: f.__name__)
def test_a_cache_may_be_whatever_a_learner_likes(forward: Any, backward: Any) -> None:
    exercise = BY_NAME["batchnorm_backward"]
    for seed in SEEDS:
        namespace = {"batchnorm_forward": forward, "batchnorm_backward": backward}
        result = grade(exercise, namespace, seed, through_json=seed < 3)
        assert result.outcome == "right", result.message


@pytest.mark.parametrize(
    ("name", "mistake", "group"),
    [
        ("batchnorm_forward", "momentum_reversed", 0),
        ("batchnorm_forward", "batch_in_evaluation", 1),
        ("batchnorm_forward", "follows_in_evaluation", 1),
        ("batchnorm_forward", "mean_of_squares", 2),
    ],
)
def test_a_slip_costs_the_groups_in_which_it_shows(name: str, mistake: str, group: int) -> None:
    wrong = next(m for m in BY_NAME[name].misconceptions if m.name == mistake)
    result = grade(BY_NAME[name], wrong.wrong, 0)
    assert next(index for index, found in enumerate(result.groups) if not found.passed) == group


# First weights are judged by what is true of them


def init_case(n_in: int, n_out: int) -> Case:
    return Case((call("he_init", n_in=n_in, n_out=n_out, rng=None),))


@pytest.mark.parametrize(
    ("W", "said"),
    [
        ([[0.1]], "Return an array of real numbers"),
        (np.ones((80, 60), int), "Return an array of real numbers"),
        (np.zeros((60, 80)), r"the shape is \(80, 60\); yours is \(60, 80\). It looks transposed"),
        (np.zeros((80, 6)), r"the shape is \(80, 60\); yours is \(80, 6\)\.$"),
        (np.full((80, 60), np.nan), "not finite"),
        (np.zeros((80, 60)), "Many weights are equal"),
        (np.tile(np.random.default_rng(0).normal(0, 0.158, 60), (80, 1)), "Many weights are equal"),
        (np.random.default_rng(0).normal(0.05, 0.158, (80, 60)), "The mean of the weights is 0.0"),
        (np.random.default_rng(0).normal(0, 0.11, (80, 60)), r"variance of the weights is 0.012\d?; .* about 0.025"),
        (np.random.default_rng(0).uniform(-0.274, 0.274, (80, 60)), "not normally distributed"),
    ],
)
def test_wrong_first_weights_are_told_what_is_wrong(W: Any, said: str) -> None:
    sentence = first_weights_are_wrong(init_case(80, 60), W)
    assert sentence is not None
    assert re.search(said, sentence), sentence


def test_honest_weights_stay_far_inside_the_bounds() -> None:
    """Of 2,000 numbers, the fewest that are judged: mean, variance and share within one deviation, in their bounds."""
    rng = np.random.default_rng(0)
    farthest = np.zeros(3)
    for _ in range(2000):
        w = rng.normal(size=2000)
        spread = np.sqrt(np.mean(w**2))
        share = (np.mean(np.abs(w) < spread) - 0.6827) * np.sqrt(2000) / (0.466 * 7)
        found = [w.mean() * np.sqrt(2000) / 7, (w.var() - 1) / (8 * np.sqrt(2 / 2000)), share]
        farthest = np.maximum(farthest, np.abs(found))
    assert farthest.max() < 0.7


def test_he_init_is_the_librarys() -> None:
    ours, theirs = (draw(30, 20, np.random.default_rng(3)) for draw in (he_init, he_normal))
    np.testing.assert_allclose(ours, theirs, rtol=1e-12)


# The references beside differences and the library


def drawn(seed: int, n: int = 6, d: int = 3) -> tuple[Any, ...]:
    rng = np.random.default_rng(seed)
    return (rng.normal(size=(n, d)) * 2 + 1, *rng.uniform(0.5, 2, (2, d)), rng.normal(size=d), rng.uniform(0.5, 2, d))


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("seed", range(5))
def test_forward_and_backward_agree_with_the_library(seed: int, training: bool) -> None:
    x, gamma, beta, mean, var = drawn(seed)
    layer = BatchNorm1d(3, eps=0.01, momentum=0.3, dtype=np.float64)
    for name, array in (("gamma", gamma), ("beta", beta), ("running_mean", mean), ("running_var", var)):
        getattr(layer, name)[...] = array
    out, cache, new_mean, new_var = batchnorm_forward(x, gamma, beta, mean, var, 0.3, 0.01, training)
    np.testing.assert_allclose(out, layer.forward(x, training=training), rtol=1e-12)
    np.testing.assert_allclose(new_mean, layer.running_mean, rtol=1e-12)
    np.testing.assert_allclose(new_var, layer.running_var, rtol=1e-12)
    if training:
        dout = np.random.default_rng(seed).normal(size=x.shape)
        dx, dgamma, dbeta = batchnorm_backward(dout, cache)
        np.testing.assert_allclose(dx, layer.backward(dout), rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(dgamma, layer.dgamma, rtol=1e-12)
        np.testing.assert_allclose(dbeta, layer.dbeta, rtol=1e-12)


@pytest.mark.parametrize("seed", range(5))
def test_the_backward_pass_agrees_with_differences(seed: int) -> None:
    x, gamma, beta, mean, var = drawn(seed)
    dout = np.random.default_rng(seed).normal(size=x.shape)

    def total(x: Any, gamma: Any, beta: Any) -> float:
        return float(np.sum(dout * batchnorm_forward(x, gamma, beta, mean, var, 0.1, 0.01, True)[0]))

    cache = batchnorm_forward(x, gamma, beta, mean, var, 0.1, 0.01, True)[1]
    by_hand = batchnorm_backward(dout, cache)
    for place, found in enumerate(by_hand):
        given = [x, gamma, beta]

        def at(value: Any, place: int = place, given: Any = given) -> float:
            return total(*(value if i == place else other for i, other in enumerate(given)))

        by_differences: Any = numerical_gradient(at, given[place])
        np.testing.assert_allclose(found, by_differences, rtol=1e-6, atol=1e-8)


def test_references_keep_float32_and_their_inputs() -> None:
    given = [array.astype(np.float32) for array in drawn(0)]
    kept = [array.copy() for array in given]
    out, cache, mean, var = batchnorm_forward(*given, 0.1, 1e-5, True)
    assert {array.dtype for array in (out, mean, var, *batchnorm_backward(out, cache))} == {np.dtype(np.float32)}
    for before, after in zip(kept, given, strict=True):
        np.testing.assert_array_equal(before, after)


# What follows from an earlier function, and pairs


def test_a_missing_or_wrong_forward_pass_is_named() -> None:
    exercise = BY_NAME["batchnorm_backward"]

    def unwritten(*_: Any) -> Any:
        raise NotImplementedError

    def without_eps(x: Any, gamma: Any, beta: Any, mean: Any, var: Any, momentum: Any, eps: Any, training: Any) -> Any:
        return batchnorm_forward(x, gamma, beta, mean, var, momentum, 0.0, training)

    def said(forward: Any) -> str:
        return grade(exercise, {"batchnorm_forward": forward, "batchnorm_backward": batchnorm_backward}, 0).message

    assert (
        "runs on your batchnorm_forward, and there is none yet"
        in grade(exercise, {"batchnorm_backward": batchnorm_backward}, 0).message
    )
    assert "runs on your batchnorm_forward, which is not answered yet" in said(unwritten)
    assert "out of batchnorm_forward[0, 0] is wrong" in said(without_eps)
    assert "batchnorm_forward's TypeError" in said(lambda *_: 1 + None)  # type: ignore[operator]


def test_a_pair_understands_each_others_cache() -> None:
    given = (*drawn(1), 0.1, 0.01, True)
    dout = np.random.default_rng(0).normal(size=(6, 3))
    own_forward, own_backward = PAIRS[0]
    wanted = batchnorm_backward(dout, batchnorm_forward(*given)[1])
    for forward, backward in (
        (batchnorm_forward, batchnorm_backward),
        (own_forward, own_backward),
        (own_forward, batchnorm_backward),
        (batchnorm_forward, own_backward),
    ):
        first, second = matching_pair(forward, backward)
        out, cache, *_ = first(*given)
        np.testing.assert_allclose(out, batchnorm_forward(*given)[0], rtol=1e-12)
        for found, expected in zip(second(dout, cache), wanted, strict=True):
            np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)
    assert matching_pair(own_forward, own_backward) == (own_forward, own_backward)


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
        equivalents = {"BatchNorm1d", "Linear", "MLP", "he_normal", "xavier_normal", "sweep", "fit"}
        assert not defined & {*BY_NAME, *equivalents}, path.name
