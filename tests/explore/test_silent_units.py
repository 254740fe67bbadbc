"""Units that fall silent: what passes on, what is counted, the words, the curves, and the learner's function in it."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

from course_lib.data import digits_split
from course_lib.exercises.dropout import dropout_forward
from course_lib.explore import silent_units
from course_lib.explore.marks import Node
from course_lib.explore.silent_units import (
    CURVES,
    DROPPED,
    EVALUATION,
    MOST_PASSES,
    PASSES,
    PLAIN,
    RATES,
    TRIED,
    UNITS,
    SilentUnits,
    accuracies,
    network,
    unseen,
)
from tests.explore.watching import unwatched


def words(widget: SilentUnits) -> str:
    return " ".join(widget.told)


def moved(names: dict[str, Any] | None = None, **values: Any) -> SilentUnits:
    widget = SilentUnits(names)
    for name, value in values.items():
        getattr(widget, name).value = value
    return widget


def read(widget: SilentUnits) -> float:
    found = re.search(r"this pass reads ([\d.]+)% right", words(widget))
    assert found
    return float(found[1])


def silent(widget: SilentUnits) -> int:
    found = re.search(r"(\d+) of 24 units are silent", words(widget))
    assert found
    return int(found[1])


def test_the_networks_read_the_unseen_images() -> None:
    images, labels = unseen()
    np.testing.assert_array_equal(images.reshape(400, 64), digits_split("random").X_test)
    for p in (0.0, 0.5):
        net = network(p)
        assert net.hidden.shape == (400, UNITS)
        assert np.mean(net.probabilities(net.hidden).argmax(axis=1) == labels) > 0.93


def test_half_of_its_units_silent_the_plain_network_loses_most() -> None:
    assert read(moved()) > 94  # p is 0
    assert read(moved(p=0.5)) < 60
    assert read(moved(p=0.5, trained=DROPPED)) > 70
    assert read(moved(p=0.5, trained=DROPPED, mode=EVALUATION)) > 93
    assert silent(moved(p=0.5, mode=EVALUATION)) == silent(moved()) == 0


def test_units_pass_on_what_the_function_gives_them() -> None:
    widget = moved(p=0.5)
    nodes = [mark for mark in widget.scene().panels[1].marks if isinstance(mark, Node)]
    hidden = network(0.0).hidden[:1]
    out, mask = dropout_forward(hidden, 0.5, np.random.default_rng(1), True)
    assert [node.faded for node in nodes] == (~mask[0]).tolist()
    assert [node.text for node in nodes if not node.faded] == [f"{value:.1f}" for value in out[0][mask[0]]]
    assert silent(widget) == (~mask).sum()


def test_every_pass_draws_anew_and_passes_are_averaged() -> None:
    widget = moved(p=0.5, image=3)
    first = [mark.faded for mark in widget.scene().panels[1].marks if isinstance(mark, Node)]
    widget.again.click()
    assert "Pass 2" in words(widget)
    assert [mark.faded for mark in widget.scene().panels[1].marks if isinstance(mark, Node)] != first
    for _ in range(5):
        widget.hundred.click()
    assert f"Averaged over the {MOST_PASSES} passes" in words(widget)
    widget.p.value = 0.4
    assert "Pass 1 in" in words(widget)
    assert "Averaged" not in words(widget)
    again = moved(p=0.5, image=3)
    again.again.click()
    assert again.told == moved_twice().told


def moved_twice() -> SilentUnits:
    widget = moved(p=0.5, image=3)
    widget.again.click()
    return widget


@pytest.mark.parametrize(
    ("name", "value"),
    [("trained", DROPPED), ("mode", EVALUATION), ("p", 0.3), ("image", 7), ("view", CURVES)],
)
def test_every_control_changes_the_picture(name: str, value: Any) -> None:
    widget = moved(p=0.6)
    before = widget.picture
    getattr(widget, name).value = value
    assert widget.picture != before


def test_the_prediction_is_answered_by_a_pass_of_the_plain_network() -> None:
    widget = SilentUnits({})
    widget.predict("80")
    widget.trained.value = DROPPED
    widget.p.value = 0.5
    assert widget.asked["outcome"] == ""
    widget.trained.value = PLAIN
    assert re.match(r"4\d(\.\d)?% in this pass", widget.asked["outcome"])


def test_the_curves_are_trained_when_asked_and_told(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[float] = []

    def measured(p: float) -> Any:
        asked.append(p)
        ones = np.ones((len(RATES), 5)) + np.arange(5) / 100
        return 90 * ones - 10 * p, (70 + 40 * p - 40 * p**2) * ones

    monkeypatch.setattr(silent_units, "_measured", {})
    monkeypatch.setattr(silent_units, "accuracies", measured)
    widget = moved(view=CURVES)
    assert "Trained at 0 of 8" in words(widget)
    widget.train.click()
    widget.train.click()
    assert asked == list(TRIED)  # once
    assert "most are at p = 0.5" in words(widget)
    assert "Training minus unseen is 20 points without dropout, and 5.2 at p = 0.5." in words(widget)
    before = widget.picture
    widget.rate.value = 1.0
    assert "rate 1:" in words(widget)
    assert widget.picture != before
    widget.view.value = PASSES
    assert "units are silent" in words(widget)


def test_at_a_quick_rate_dropout_gains_on_spoiled_labels() -> None:
    (plain_train, plain_test), (train, test) = accuracies(0.0), accuracies(0.5)
    assert plain_train.shape == test.shape == (3, 5)
    assert test[1].mean() > plain_test[1].mean() + 2
    assert (plain_train - plain_test)[2].mean() > (train - test)[2].mean() + 5


def test_the_learners_function_is_used_and_looked_up_at_every_move() -> None:
    names: dict[str, Any] = {}
    widget = moved(names, p=0.5)
    assert "dropout_forward is not written yet" in words(widget)
    names["dropout_forward"] = lambda x, p, rng, training: (x, np.ones(x.shape, bool))
    widget.image.value = 2
    assert "not written yet" not in words(widget)
    assert silent(widget) == 0
    assert moved({"dropout_forward": dropout_forward}, p=0.5).told[0] == moved(p=0.5).told[0]


def raises(*_: Any) -> Any:
    raise ZeroDivisionError("by hand")


def unwritten(*_: Any) -> Any:
    raise NotImplementedError


def endless(*_: Any) -> Any:
    while True:
        pass


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (raises, "ZeroDivisionError: by hand"),
        (lambda x, *_: x, "it should return out and mask"),
        (lambda x, *_: (x, None), "should have shape"),
        (lambda x, *_: (x[:, :1], np.ones(x.shape, bool)), "should have shape"),
        (lambda x, *_: (x, np.ones(x.shape)), "hold True and False"),
        (lambda x, *_: (x * np.nan, np.ones(x.shape, bool)), "finite numbers"),
        (endless, "had not ended"),
    ],
)
@unwatched
def test_where_the_learners_function_fails_the_courses_stands_in(
    monkeypatch: pytest.MonkeyPatch, wrong: Any, said: str
) -> None:
    monkeypatch.setattr("course_lib.explore.exploration.SECONDS", 0.2)
    widget = moved({"dropout_forward": wrong}, p=0.5)
    assert re.search(said, words(widget))
    assert "The course's stands in" in words(widget)
    assert silent(widget) == silent(moved(p=0.5))
    assert "not written yet" in words(moved({"dropout_forward": unwritten}, p=0.5))


def test_without_a_kernel_a_pass_with_silent_units_stands_there() -> None:
    resting = SilentUnits({}).resting()
    assert resting.text == SilentUnits({}).resting().text
    assert re.search(r"\d+ of 24 units are silent", resting.alt)
    assert resting.png
