"""Batch size against noise: its numbers, its controls, and the learner's function in it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from course_lib import MLP, losses
from course_lib.data import digits_split, standardize
from course_lib.exercises.sgd_and_momentum import minibatches
from course_lib.explore.batch_noise import BATCHES, SIZES, BatchNoise, batch_slopes, draw, noise, slopes

OWN = {"minibatches": minibatches}


def words(widget: BatchNoise) -> str:
    return " ".join(widget.told)


def test_the_slopes_are_those_of_a_linear_model() -> None:
    digits = digits_split("random")
    (X,) = standardize(digits.X_train)
    model = MLP([64, 10], rng=np.random.default_rng(0), dtype=np.float64)
    model.parameters.theta[:] = 0
    full = _slope(model, X, digits.y_train)
    batches = [np.arange(16), np.arange(100, 420)]
    along, _, off = batch_slopes(batches)
    for i, batch in enumerate(batches):
        slope = _slope(model, X[batch], digits.y_train[batch])
        assert np.isclose(along[i], slope @ full / (full @ full))
        assert np.isclose(off[i], np.linalg.norm(slope - full) / np.linalg.norm(full))


def _slope(model: Any, X: Any, y: Any) -> Any:
    _, dlogits = losses.softmax_cross_entropy(model.forward(X), y)
    model.backward(dlogits)
    return model.parameters.grads["W1"].ravel().copy()


def test_one_batch_of_all_has_no_noise() -> None:
    along, sideways, off = batch_slopes([np.arange(1000)])
    np.testing.assert_allclose([along[0] - 1, sideways[0], off[0]], 0, atol=1e-12)
    assert len(slopes().along) == 1000


def test_noise_falls_with_the_root_of_the_batch_size() -> None:
    measured = [noise(batch_slopes(draw(minibatches, size, 0))[2]) for size in (1, 4, 16, 64)]
    np.testing.assert_allclose(np.divide(measured[1:], measured[:-1]), 0.5, atol=0.06)


def test_as_many_full_batches_are_drawn_for_every_size() -> None:
    for size in SIZES:
        batches = draw(minibatches, size, 1)
        assert [len(batch) for batch in batches] == [size] * BATCHES


def test_every_control_changes_the_picture() -> None:
    widget = BatchNoise(OWN)
    pictures = [widget.picture]
    widget.size.value = 64
    pictures.append(widget.picture)
    widget.again.click()
    pictures.append(widget.picture)
    assert pictures[0] != pictures[1] != pictures[2]
    assert set(widget.seen) == {8, 64}


def test_the_prediction_comes_out_once_both_sizes_were_seen() -> None:
    widget = BatchNoise(OWN)
    widget.predict("it falls to a half")
    assert widget.asked["outcome"] == ""
    widget.size.value = 32
    assert "From 8 to 32 the noise fell to 0.5" in widget.asked["outcome"]


def test_the_learner_s_function_draws() -> None:
    first = BatchNoise(OWN)
    assert "drawn by your own function" in words(first)
    same = BatchNoise({"minibatches": lambda n, b, _rng: minibatches(n, b, np.random.default_rng(3))})
    assert same.picture != first.picture
    assert "not written yet" in words(BatchNoise())


def untouched(*_a: Any) -> Any:
    raise NotImplementedError


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (untouched, "not written yet"),
        (lambda *_a: 1 / 0, "stopped with ZeroDivisionError"),
        (lambda *_a: None, "returned a NoneType"),
        (lambda *_a: [[0.5, 0.5]], "whole numbers with one axis"),
        (lambda *_a: [], "holds 8 examples"),
        (lambda n, b, rng: [np.arange(n, n + b)], "an index is outside 0 to 999"),
    ],
)
def test_the_course_s_version_draws_where_the_learner_s_does_not(function: Any, said: str) -> None:
    widget = BatchNoise({"minibatches": function})
    assert said in words(widget)
    assert widget.picture == BatchNoise().picture


def test_where_no_kernel_runs_there_is_a_picture_with_words() -> None:
    first, second = BatchNoise().resting(), BatchNoise(OWN).resting()
    assert first.text == second.text
    assert first.png is not None
    assert "batches of 32" in first.alt
