"""Signals through many layers: what is computed, the picture and its words, and the learner's functions in it."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

from course_lib.exercises.variants.batch_normalization import PAIRS
from course_lib.explore.signals import (
    BINS,
    COURSE,
    NORMALISED,
    PLAIN,
    REACH,
    Signals,
    histograms,
    images,
    run,
    shown,
    size,
)
from course_lib.losses import softmax_cross_entropy
from course_lib.network import MLP
from tests.explore.watching import unwatched

TWICE = 10**0.3


def words(widget: Signals) -> str:
    return " ".join(widget.told)


def moved(names: dict[str, Any] | None = None, **values: Any) -> Signals:
    widget = Signals(names)
    with widget.at_once():
        for name, value in values.items():
            getattr(widget, name).value = value
    return widget


@pytest.mark.parametrize("normalised", [False, True])
def test_a_run_is_gradient_descent_on_the_librarys_network(normalised: bool) -> None:
    """Three steps of a network of the library with the same first weights come to the same losses."""
    X, y = images()
    trace = run(COURSE, 3, 1.3, normalised, 0.2, 3)
    rng = np.random.default_rng(0)
    model = MLP(
        [64, 32, 32, 32, 10],
        rng=rng,
        dtype=np.float64,
        batch_norm=normalised,
        init=lambda n, m, rng: 1.3 * COURSE.he_init(n, m, rng),
    )
    losses = []
    for step in range(4):
        loss, dout = softmax_cross_entropy(model.forward(X), y)
        losses.append(loss)
        model.backward(dout)
        if step < 3:
            model.parameters.theta -= 0.2 * model.parameters.grad
    np.testing.assert_allclose(trace.losses, losses, rtol=1e-8)
    last = [a for name, a in model.activations(X, training=True).items() if "ReLU" in name][-1]
    np.testing.assert_allclose(trace.activations[-1], last, rtol=1e-7, atol=1e-9)


def test_doubling_all_weights_doubles_every_layer() -> None:
    once, twice = (run(COURSE, 20, scale, False, 0.1, 0) for scale in (1.0, 2.0))
    grown = np.array([size(a) / size(b) for a, b in zip(twice.activations, once.activations, strict=True)])
    np.testing.assert_allclose(grown, 2.0 ** np.arange(1, 21), rtol=1e-9)


def test_batch_norm_keeps_activations_whatever_the_weights() -> None:
    ends = [size(run(COURSE, 20, scale, True, 0.1, 0).activations[-1]) for scale in (0.2, 1.0, 5.0)]
    assert max(ends) < 1.2 * min(ends)
    back = run(COURSE, 20, 1.0, True, 0.1, 0).slopes
    assert size(back[0]) > 20 * size(back[-1])  # the gradient is not kept


def test_a_run_that_explodes_ends() -> None:
    trace = run(COURSE, 20, 10.0, False, 3.0, 50)
    assert len(trace.losses) < 10
    assert not np.isfinite(trace.losses[-1])
    assert "The loss is not finite any more" in words(moved(scale=10.0, steps=50, rate=3.0))


def test_histograms_count_what_is_not_zero() -> None:
    activations = np.array([[[0.0, 1.5, 2e-5, 1e30]], [[0.0, 0.0, 0.0, np.inf]]])
    found = histograms(activations)
    assert found.shape == (BINS, 2)
    np.testing.assert_allclose(found.sum(axis=0), [0.75, 0.25])
    assert found[-1].tolist() == [0.25, 0.25]
    middle = BINS // 2
    assert found[middle, 0] == 0.25
    assert found[int((REACH + np.log10(2e-5)) * BINS / (2 * REACH)), 0] == 0.25


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (0.4321, "0.43"),
        (999.0, "1.0 · 10³"),
        (42.0, "42"),
        (12_345.0, "1.2 · 10⁴"),
        (3e-9, "3.0 · 10⁻⁹"),
        (float("inf"), "beyond all numbers"),
    ],
)
def test_sizes_in_words(value: float, text: str) -> None:
    assert shown(value) == text


@pytest.mark.parametrize(
    ("name", "value"), [("norm", NORMALISED), ("depth", 7), ("scale", 2.0), ("steps", 5), ("rate", 0.3)]
)
def test_every_control_changes_the_picture(name: str, value: Any) -> None:
    widget = moved(depth=6, steps=1)
    before = widget.picture
    getattr(widget, name).value = value
    assert widget.picture != before


def test_the_words_say_what_is_there() -> None:
    assert "20 layers without batch norm, first weights 2 times He's, before any step" in words(moved(scale=2.0))
    assert re.search(r"0\.66 in the first layer, 2\.0 · 10⁵ in the last", words(moved(scale=2.0)))
    assert "1 layer with batch norm" in words(moved(norm=NORMALISED, depth=1))
    trained = words(moved(depth=5, norm=NORMALISED, steps=50))
    assert "after 50 steps at rate 0.1" in trained
    assert re.search(r"The loss went from 2\.\d to 0\.1", trained)


def test_the_prediction_is_answered_by_the_doubled_weights_alone() -> None:
    widget = Signals({})
    widget.predict("2 times")
    widget.scale.value = 0.5
    assert widget.asked["outcome"] == ""
    widget.depth.value = 10
    widget.scale.value = TWICE
    assert widget.asked["outcome"] == ""
    widget.depth.value = 20
    assert "about a million times" in widget.asked["outcome"]


def test_the_learners_functions_are_used_and_looked_up_at_every_move() -> None:
    names: dict[str, Any] = {}
    widget = Signals(names)
    assert "he_init is not written yet, so the course's stands in" in words(widget)
    assert "batchnorm" not in words(widget)
    widget.norm.value = NORMALISED
    assert "he_init, batchnorm_forward and batchnorm_backward are not written yet" in words(widget)
    called: list[str] = []

    def mine(name: str, function: Any) -> Any:
        def wrapped(*given: Any) -> Any:
            called.append(name)
            return function(*given)

        return wrapped

    names["he_init"] = mine("init", COURSE.he_init)
    names["batchnorm_forward"] = mine("forward", PAIRS[0][0])
    widget.depth.value = 3
    assert set(called) == {"init", "forward"}
    assert "batchnorm_backward is not written yet" in words(widget)
    names["batchnorm_backward"] = mine("backward", PAIRS[0][1])
    widget.steps.value = 5
    assert set(called) == {"init", "forward", "backward"}
    assert "not written yet" not in words(widget)
    assert widget.told[:3] == moved(norm=NORMALISED, depth=3, steps=5).told[:3]


def test_a_wrong_answer_shows_in_the_picture() -> None:
    xavier = {"he_init": lambda n, m, rng: rng.normal(0, np.sqrt(1 / n), (n, m))}
    lost = re.search(r"first layer, (\S+ · 10\S+) in the last", words(moved(xavier)))
    assert lost is not None


def raises(*_: Any) -> Any:
    raise ZeroDivisionError("by hand")


def unwritten(*_: Any) -> Any:
    raise NotImplementedError


def endless(*_: Any) -> Any:
    while True:
        pass


@pytest.mark.parametrize(
    ("name", "wrong", "said"),
    [
        ("he_init", raises, "he_init stopped: ZeroDivisionError: by hand"),
        ("he_init", lambda n, m, rng: np.zeros((m, n + 1)), r"finite weights of shape \(64, 32\)"),
        ("he_init", lambda n, m, rng: np.full((n, m), np.nan), "finite weights"),
        ("he_init", lambda n, m, rng: None, "finite weights"),
        ("batchnorm_forward", raises, "batchnorm_forward stopped"),
        ("batchnorm_forward", lambda *given: given[0], "4 values"),
        ("batchnorm_forward", lambda *given: (given[0][:1], None, 0, 0), r"first of shape \(64, 32\)"),
        ("batchnorm_forward", endless, "had not ended"),
        ("batchnorm_backward", raises, "batchnorm_backward stopped"),
        ("batchnorm_backward", lambda *given: None, "3 values"),
        ("batchnorm_backward", lambda d, c: (d, 0.0, 0.0), r"shape \(32,\)"),
    ],
)
@unwatched
def test_where_the_learners_function_fails_the_courses_stands_in(
    monkeypatch: pytest.MonkeyPatch, name: str, wrong: Any, said: str
) -> None:
    monkeypatch.setattr("course_lib.explore.exploration.SECONDS", 0.2)
    names = {"he_init": COURSE.he_init, "batchnorm_forward": PAIRS[0][0], "batchnorm_backward": PAIRS[0][1]}
    settings: dict[str, Any] = {"norm": NORMALISED, "depth": 3, "steps": 1}
    right = moved(dict(names), **settings)
    widget = moved({**names, name: wrong}, **settings)
    assert re.search(said, words(widget)), words(widget)
    assert "The course's stands in" in words(widget)
    assert widget.told[:3] == right.told[:3]
    assert f"{name} is not written yet" in words(moved({**names, name: unwritten}, **settings))


@unwatched
def test_many_slow_calls_are_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    import time

    def slow(n: int, m: int, rng: Any) -> Any:
        time.sleep(0.02)
        return COURSE.he_init(n, m, rng)

    monkeypatch.setattr("course_lib.explore.exploration.SECONDS", 0.1)
    assert "its calls together take more than 0.1 seconds" in words(moved({"he_init": slow}))


def test_without_a_kernel_the_explosion_stands_there() -> None:
    resting = Signals({}).resting()
    assert resting.text == Signals({}).resting().text
    assert f"20 layers {PLAIN}, first weights 2 times He's" in resting.alt
    assert resting.png
