"""Digits that are written: forms, balance, randomness, speed, and how hard they are."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest

from course_lib.optimizers import SGD
from course_lib.stroke_digits import POINTS, STROKES, draw_digits, draw_hand, draw_task
from course_lib.sweep import sweep


def test_images_and_labels_have_the_form_that_is_promised() -> None:
    X, y = draw_digits(123, np.random.default_rng(0))
    assert (X.shape, X.dtype, y.shape, y.dtype) == ((123, 64), np.float32, (123,), np.int64)
    assert X.min() >= 0
    assert X.max() <= 1
    assert sorted(set(np.bincount(y))) == [12, 13]
    assert not np.array_equal(y, np.sort(y))


def test_one_image_can_be_drawn() -> None:
    X, y = draw_digits(1, np.random.default_rng(0))
    assert (X.shape, y.tolist()) == ((1, 64), [0])


def test_equal_seeds_draw_equal_digits_and_others_differ() -> None:
    first, again, other = (draw_digits(20, np.random.default_rng(seed))[0] for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_two_thousand_images_take_well_under_a_second() -> None:
    rng = np.random.default_rng(0)
    begin = time.process_time()
    draw_digits(2000, rng)
    assert time.process_time() - begin < 0.5


def test_a_hand_without_freedom_is_the_print_it_came_from() -> None:
    hand = draw_hand(np.random.default_rng(0), freedom=0)
    assert hand.paths.shape == (10, POINTS, 2)
    for digit, strokes in enumerate(STROKES):
        np.testing.assert_allclose(hand.paths[digit][0], strokes[0][0])
        np.testing.assert_allclose(hand.paths[digit][-1], strokes[-1][-1])
    X, y = draw_digits(40, np.random.default_rng(1), [hand], noise=0, spread=0)
    for digit in range(10):
        np.testing.assert_allclose(X[y == digit], X[y == digit][:1].repeat(4, axis=0), atol=1e-6)


def test_hands_differ_and_each_image_is_by_one_of_them() -> None:
    rng = np.random.default_rng(0)
    hands = [draw_hand(rng), draw_hand(rng)]
    assert not np.allclose(hands[0].paths, hands[1].paths, atol=0.01)
    X, y = draw_digits(400, rng, hands, noise=0, spread=0)
    assert {len(np.unique(X[y == digit].round(4), axis=0)) for digit in range(10)} == {2}


def test_spread_and_noise_make_images_differ() -> None:
    hand = draw_hand(np.random.default_rng(0))

    def apart(**settings: float) -> float:
        X, y = draw_digits(500, np.random.default_rng(1), [hand], **settings)
        return float(np.mean([X[y == digit].std(axis=0).mean() for digit in range(10)]))

    assert apart(noise=0, spread=0) < 1e-6 < apart(noise=0, spread=0.5) < apart(noise=0, spread=1) < apart()


@pytest.mark.parametrize(
    ("settings", "said"),
    [({"n": 0}, "n"), ({"noise": -1}, "noise"), ({"spread": float("nan")}, "spread"), ({"n": 2.5}, "n")],
)
def test_numbers_out_of_range_are_refused(settings: dict[str, Any], said: str) -> None:
    with pytest.raises((ValueError, TypeError), match=said):
        draw_digits(**{"n": 5, "rng": np.random.default_rng(0), **settings})
    with pytest.raises(ValueError, match="freedom"):
        draw_hand(np.random.default_rng(0), freedom=-1)
    with pytest.raises(TypeError, match="draw_hand"):
        draw_hand(0)  # type: ignore[arg-type]


def test_a_hidden_layer_reads_more_than_a_linear_model_and_nobody_reads_all() -> None:
    """So the recipe matters, and there is a ceiling."""
    rng = np.random.default_rng(0)
    hands = [draw_hand(rng) for _ in range(4)]
    X, y = draw_digits(600, rng, hands)
    X_test, y_test = draw_digits(1000, rng, hands)
    more: dict[str, Any] = {"epochs": 30, "batch_size": 32, "X_test": X_test, "y_test": y_test}
    linear = sweep([64, 10], X, y, SGD, [0.1, 0.3], range(3), **more).test_accuracy.mean(axis=1).max()
    hidden = sweep([64, 128, 10], X, y, SGD, [0.1, 0.3], range(3), **more).test_accuracy.mean(axis=1).max()
    assert 0.5 < linear < hidden - 0.03 < 0.9


def test_the_same_form_can_be_two_digits_so_nobody_can_read_all() -> None:
    """Each test image beside ten thousand others of the same hand, noise left out: the nearest has another label now
    and then, however many there are."""
    rng = np.random.default_rng(0)
    hand = [draw_hand(rng)]
    X, y = draw_digits(10_000, rng, hand)
    X_test, y_test = draw_digits(500, rng, hand)
    nearest = (-2 * X_test @ X.T + (X**2).sum(axis=1)).argmin(axis=1)
    assert 0.8 < (y[nearest] == y_test).mean() < 0.99


def test_a_task_has_three_parts_by_the_same_hands_under_names_of_its_own() -> None:
    task = draw_task(np.random.default_rng(0), examples=500, held_out=60, tests=70, hands=1)
    assert (task.X_train.shape, task.X_val.shape, task.X_test.shape) == ((500, 64), (60, 64), (70, 64))
    assert [len(y) for y in (task.y_train, task.y_val, task.y_test)] == [500, 60, 70]
    means = np.array([task.X_train[task.y_train == label].mean(axis=0) for label in range(10)])
    nearest = ((task.X_test[:, None] - means) ** 2).sum(axis=-1).argmin(axis=1)
    assert (nearest == task.y_test).mean() > 0.6
    other = draw_task(np.random.default_rng(1), examples=500, hands=1)
    assert (((other.X_test[:, None] - means) ** 2).sum(axis=-1).argmin(axis=1) == other.y_test).mean() < 0.5
    with pytest.raises(ValueError, match="tests"):
        draw_task(np.random.default_rng(0), tests=0)
