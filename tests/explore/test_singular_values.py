"""Singular values round by round: the numbers, the controls, and the learner's function in it."""

from __future__ import annotations

import time
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from course_lib.exercises.modern_optimizers import muon_orthogonalize
from course_lib.explore.singular_values import (
    CLASSICAL,
    EVEN,
    HIGH,
    LACKING,
    LOW,
    MOST,
    MUON,
    REAL,
    UNEVEN,
    SingularValues,
    matrix,
    polynomial,
)
from course_lib.modern_optimizers import COEFFICIENTS, orthogonalize

COURSE = {"muon_orthogonalize": muon_orthogonalize}


def words(widget: SingularValues) -> str:
    return " ".join(widget.told)


@pytest.mark.parametrize(
    ("name", "values"), [(UNEVEN, [1, 0.5, 0.1, 0.01]), (EVEN, [1, 0.9, 0.8, 0.7]), (LACKING, [1, 0.8, 0.5, 0])]
)
def test_the_matrices_have_the_values_that_they_are_named_by(name: str, values: list[float]) -> None:
    np.testing.assert_allclose(np.linalg.svd(matrix(name), compute_uv=False), values, atol=1e-12)


def test_a_direction_of_the_real_gradient_is_silent_because_the_classes_compete() -> None:
    G = matrix(REAL)
    assert G.shape == (64, 10)
    np.testing.assert_allclose(G.sum(axis=1), 0, atol=1e-14)
    values = np.linalg.svd(G, compute_uv=False)
    assert values[-1] < 1e-14
    assert values[-2] > 1e-3


@pytest.mark.parametrize("name", [UNEVEN, EVEN, LACKING, REAL])
@pytest.mark.parametrize("coefficients", [MUON, CLASSICAL])
def test_every_round_is_the_polynomial(name: str, coefficients: str) -> None:
    widget = SingularValues(COURSE)
    widget.start.value, widget.coefficients.value, widget.steps.value = name, coefficients, 6
    values, _ = widget._rounds()
    assert values.shape == (7, min(matrix(name).shape))
    for before, after in pairwise(values):
        np.testing.assert_allclose(np.sort(polynomial(before, coefficients)), np.sort(after), atol=1e-9)


def test_muons_rounds_are_those_of_the_library() -> None:
    assert polynomial(1.0, MUON) == pytest.approx(sum(COEFFICIENTS))
    widget = SingularValues(COURSE)
    widget.steps.value = 4
    expected = np.linalg.svd(orthogonalize(matrix(UNEVEN), 4), compute_uv=False)
    np.testing.assert_allclose(widget._rounds()[0][4], expected, rtol=1e-9)


def test_what_the_lesson_says_there_is_to_see() -> None:
    widget = SingularValues(COURSE)
    widget.steps.value = MOST
    ours = widget._rounds()[0]
    assert ((ours[5:] > LOW) & (ours[5:] < HIGH)).all()
    assert np.abs(ours[-1] - 1).max() > 0.1  # more rounds do not help
    widget.coefficients.value = CLASSICAL
    classical = widget._rounds()[0]
    assert abs(classical[-1].max() - 1) < 1e-6
    assert classical[-1].min() < 0.6  # not there after ten rounds
    np.testing.assert_allclose(classical[2].min() / classical[1].min(), 1.5, rtol=1e-2)
    widget.start.value, widget.coefficients.value = REAL, MUON
    assert widget._rounds()[0][-1].min() < 1e-9


@pytest.mark.parametrize("control", ["matrix", "coefficients", "rounds"])
def test_every_control_changes_the_picture_and_the_words(control: str) -> None:
    widget = SingularValues(COURSE)
    picture, told = widget.picture, widget.told
    if control == "matrix":
        widget.start.value = EVEN
    elif control == "coefficients":
        widget.coefficients.value = CLASSICAL
    else:
        widget.steps.value = 3
    assert widget.picture != picture
    assert widget.told != told


@pytest.mark.parametrize("rounds", [0, 1, MOST])
def test_words_at_the_ends(rounds: int) -> None:
    widget = SingularValues(COURSE)
    widget.steps.value = rounds
    assert f"After {rounds} round{'s' * (rounds != 1)}: the smallest of 4" in words(widget)


def test_the_learners_function_makes_the_rounds() -> None:
    asked: list[int] = []

    def mine(G: Any, steps: int = 5) -> Any:
        asked.append(steps)
        return muon_orthogonalize(G, steps)

    names: dict[str, Any] = {}
    widget = SingularValues(names)
    assert "not written yet" in words(widget)
    names["muon_orthogonalize"] = mine
    widget.steps.value = 3
    assert asked == [1, 2, 3]
    assert "Your own muon_orthogonalize made these rounds." in words(widget)


def stub(*_a: Any) -> Any:
    raise NotImplementedError


def crash(*_a: Any) -> Any:
    raise IndexError("nothing here")


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (crash, "Your muon_orthogonalize stopped with IndexError: nothing here. The course's stands in"),
        (lambda G, steps: G.T, "it should return an array of shape (4, 6) after round 1"),
        (lambda G, steps: G * np.inf, "no longer finite after round 1"),
        (lambda _G, _steps: None, "stopped with TypeError"),
        (stub, "is not written yet, so the course's stands in"),
        (7, "is not written yet"),
    ],
)
def test_a_broken_function_gives_a_sentence_and_the_courses_rounds(function: Any, said: str) -> None:
    with np.errstate(all="ignore"):
        widget = SingularValues({"muon_orthogonalize": function})
        widget.steps.value = 5
    assert said in words(widget)
    assert "4 of 4 lie between 0.68 and 1.21" in words(widget)


def test_a_function_that_changes_its_input_does_not_spoil_the_matrix() -> None:
    def in_place(G: Any, steps: int = 5) -> Any:
        result = muon_orthogonalize(G, steps)
        G *= 0
        return result

    kept = matrix(UNEVEN).copy()
    widget = SingularValues({"muon_orthogonalize": in_place})
    widget.steps.value = 5
    np.testing.assert_array_equal(matrix(UNEVEN), kept)


def test_the_prediction_is_answered_after_five_rounds() -> None:
    widget = SingularValues(COURSE)
    widget.predict("all four at 1")
    widget.steps.value = 4
    assert widget.asked["outcome"] == ""
    widget.steps.value = 5
    assert widget.asked["outcome"].startswith("all four near 1, none settled: 1.119, 0.712")


def test_without_a_kernel_there_is_a_picture_after_five_rounds() -> None:
    widget = SingularValues(COURSE)
    widget.start.value = REAL
    data, metadata = widget._repr_mimebundle_() or ({}, {})
    assert "After 5 rounds: the smallest of 4 singular values is 0.6866" in data["text/plain"]
    assert metadata["image/png"]["alt"] in data["text/plain"]


def test_a_move_is_quick() -> None:
    widget = SingularValues(COURSE)
    widget.start.value, widget.steps.value = REAL, MOST - 1
    start = time.process_time()
    widget.steps.value = MOST
    assert time.process_time() - start < 0.5
