"""The clinic: what a patient's history holds, that treatments do what they say, and that the signs are there."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from course_lib.clinic import (
    BATCH,
    EPOCHS,
    EXAMPLES,
    HEALTHY,
    ILLNESSES,
    KINDS,
    NAMES,
    STEPS,
    UNITS,
    Treatment,
    _first_weights,
    _gradients,
    _measured,
    _order,
    admit,
    treat,
)
from course_lib.losses import softmax_cross_entropy
from course_lib.network import MLP


def history(treatment: Treatment, seed: int = 0) -> Any:
    return treat(["?"], [treatment], np.random.default_rng(seed))[0].history


@pytest.fixture(scope="module")
def ward() -> Any:
    return {
        kind: {p.illness: p.history for p in admit(list(ILLNESSES), np.random.default_rng(5), kind)} for kind in KINDS
    }


def test_a_history_holds_what_is_promised(ward: Any) -> None:
    for patients in ward.values():
        assert list(patients) == list(ILLNESSES)
        for h in patients.values():
            assert tuple(h) == NAMES
            lengths = {name: len(values) for name, values in h.items()}
            assert lengths == {**dict.fromkeys(NAMES, EPOCHS), "step_loss": EPOCHS * STEPS}
            assert {values.dtype.name for values in h.values()} == {"float64"}
            for name in ("train_accuracy", "val_accuracy"):
                assert 0 <= h[name].min() <= h[name].max() <= 1


def test_equal_seeds_give_equal_patients() -> None:
    first, again, other = (admit([HEALTHY], np.random.default_rng(seed))[0].history for seed in (1, 1, 2))
    np.testing.assert_array_equal(first["train_loss"], again["train_loss"])
    assert not np.array_equal(first["train_loss"], other["train_loss"])


def test_patients_side_by_side_do_not_touch_each_other() -> None:
    """A patient that goes to pieces leaves its neighbour alone."""
    both = treat(["", ""], [Treatment(lr=1e6), Treatment()], np.random.default_rng(0))
    assert both[1].history["train_accuracy"][-1] > 0.9


def test_gradients_and_losses_are_those_of_the_library() -> None:
    rng = np.random.default_rng(0)
    theta = [part.astype(float) for part in _first_weights([Treatment(), Treatment()], rng)]
    x, labels = rng.random((2, BATCH, 64)), rng.integers(0, 10, (2, BATCH))
    loss, grads = _gradients(theta, x, labels, np.ones((2, BATCH, UNITS)))
    for i in range(2):
        model = MLP([64, UNITS, 10], rng=rng, dtype=np.float64)
        for name, part in zip(("W1", "b1", "W2", "b2"), theta, strict=True):
            model.parameters[name][...] = part[i].reshape(model.parameters[name].shape)
        expected, dout = softmax_cross_entropy(model.forward(x[i]), labels[i])
        model.backward(dout)
        assert loss[i] == pytest.approx(expected, rel=1e-9)
        assert _measured(theta, x, labels)[0][i] == pytest.approx(expected, rel=1e-9)
        for name, slope in zip(("W1", "b1", "W2", "b2"), grads, strict=True):
            np.testing.assert_allclose(
                slope[i].reshape(model.parameters[name].shape), model.parameters.grads[name], atol=1e-12
            )


def test_rates_warm_up_and_fall() -> None:
    t = Treatment(lr=1.0, fall=0.5, epochs_of_warm_up=3)
    assert [t.rate(epoch) for epoch in range(6)] == [0.25, 0.5, 0.75, 1.0, 0.5, 0.25]
    np.testing.assert_allclose(history(replace(t, lr=0.1))["lr"][:4], [0.025, 0.05, 0.075, 0.1])


def test_an_order_is_by_chance_or_by_class() -> None:
    labels = np.random.default_rng(0).integers(0, 10, EXAMPLES)
    rng = np.random.default_rng(1)
    by_class = labels[_order(Treatment(shuffled=False), labels, rng)]
    assert (np.diff(by_class) >= 0).all()
    assert (np.diff(labels[_order(Treatment(), labels, rng)]) < 0).any()
    first, second = (_order(Treatment(shuffled=False), labels, rng) for _ in range(2))
    assert not np.array_equal(first, second)


def test_each_illness_shows_its_sign(ward: Any) -> None:
    for kind, h in ward.items():
        step, norm = ({name: each[key] for name, each in h.items()} for key in ("update_ratio", "grad_norm"))
        assert step["rate too high"][0] > 0.3 > 0.1 > step[HEALTHY][0], kind
        assert step["rate too low"].max() < 0.001
        assert norm["dead units"].max() < 0.3 < norm["rate too low"].min()
        assert norm["not shuffled"].max() > 2 > norm[HEALTHY].max()
        assert norm["gradients pile up"][-1] > 5 * norm["gradients pile up"][0]
        assert h["rate falls too soon"]["lr"][-1] < 1e-4 < 0.01 < h[HEALTHY]["lr"][-1]
        assert h["overfitting"]["train_accuracy"][-1] == 1
        assert h["overfitting"]["val_loss"][-1] > 10 * h["overfitting"]["train_loss"][-1]
        assert h["wrong labels"]["val_accuracy"][-1] < 0.4 < 0.9 < h[HEALTHY]["val_accuracy"][-1]
        losses = h["wrong labels"]["train_loss"]
        assert losses[-1] < losses[0] - 0.1


@pytest.mark.parametrize(
    ("illnesses", "kind", "said"),
    [([], "clear", "got \\[\\]"), (["flu"], "clear", "flu"), ([HEALTHY], "awful", "awful")],
)
def test_what_the_clinic_does_not_know_is_refused(illnesses: list[str], kind: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        admit(illnesses, np.random.default_rng(0), kind)
