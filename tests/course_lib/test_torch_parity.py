"""Optimizers, layers and losses hold the numbers PyTorch has, live where torch is installed, stored elsewhere."""

from importlib.util import find_spec

import numpy as np
import pytest
from torch_parity import (
    CASES,
    GOLDEN,
    KEPT,
    Case,
    difference,
    largest_step_difference,
    sensitive_settings,
    start_and_gradients,
)

pytestmark = pytest.mark.torch


@pytest.fixture(scope="module")
def golden():
    with np.load(GOLDEN) as stored:
        return dict(stored)


def reference(case: Case, golden: dict[str, np.ndarray]) -> np.ndarray:
    """PyTorch's own numbers: computed now if that is possible, and then the stored ones must agree with them."""
    stored = golden[case.name]
    if not find_spec("torch"):
        return stored
    live = case.theirs()
    # Processors round differently, so the stored values may differ a little from those of this machine.
    assert difference(stored, live) <= case.bound, "golden.npz is out of date: run scripts/make_golden.py"
    return live


def test_every_case_has_stored_numbers(golden):
    assert sorted(golden) == sorted(case.name for case in CASES)
    assert len(golden) == len(CASES)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_agrees_with_pytorch(case, golden):
    expected = reference(case, golden)
    assert np.isfinite(expected).all()
    assert difference(case.ours(), expected) <= case.bound


@pytest.mark.skipif(not find_spec("torch"), reason="torch is not installed: steps from PyTorch's own state need it")
@pytest.mark.parametrize(("name", "options"), list(sensitive_settings()), ids=str)
def test_each_step_agrees_from_pytorchs_own_state(name, options):
    assert largest_step_difference(name, options) <= 1e-12


@pytest.mark.skipif(not find_spec("torch"), reason="torch is not installed: it is compared with itself here")
def test_pytorch_disagrees_with_itself_over_a_thousand_sensitive_steps(monkeypatch):
    import torch_parity

    options = {"lr": 0.01, "alpha": 0.5, "eps": 1e-3, "weight_decay": 2, "momentum": 0.9, "centered": True}
    theta, gradients = start_and_gradients()
    first = torch_parity.torch_run("RMSprop", options)
    monkeypatch.setattr(torch_parity, "start_and_gradients", lambda: (np.nextafter(theta, np.inf), gradients))
    assert difference(torch_parity.torch_run("RMSprop", options)[-1], first[-1]) > 1e-6


def wrong_adam(eps_inside: bool, corrected: bool, decay_scaled: bool) -> np.ndarray:
    """AdamW with a mistake, over the same gradients as the cases."""
    theta, gradients = start_and_gradients()
    m, v, lr, kept = np.zeros_like(theta), np.zeros_like(theta), 0.02, []
    for t, g in enumerate(gradients, start=1):
        theta = theta * (1 - (lr if decay_scaled else 1) * 0.01)
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g
        m_hat, v_hat = (m / (1 - 0.9**t), v / (1 - 0.999**t)) if corrected else (m, v)
        theta = theta - lr * m_hat / (np.sqrt(v_hat + 1e-8) if eps_inside else np.sqrt(v_hat) + 1e-8)
        if t in KEPT:
            kept.append(theta)
        if t == 500:
            lr *= 0.3
    return np.array(kept)


@pytest.mark.parametrize(
    ("options", "agrees"),
    [
        ({"eps_inside": False, "corrected": True, "decay_scaled": True}, True),
        ({"eps_inside": True, "corrected": True, "decay_scaled": True}, False),
        ({"eps_inside": False, "corrected": False, "decay_scaled": True}, False),
        ({"eps_inside": False, "corrected": True, "decay_scaled": False}, False),
    ],
)
def test_the_comparison_tells_a_wrong_rule_from_a_right_one(options, agrees, golden):
    stored = golden["AdamW lr=0.02 betas=(0.9, 0.999) eps=1e-08 weight_decay=0.01"]
    assert (difference(wrong_adam(**options), stored) <= 1e-10) is agrees


def test_difference_is_infinite_for_what_is_not_a_number_or_not_of_the_same_shape():
    assert difference(np.array([1.0, np.nan]), np.ones(2)) == np.inf
    assert difference(np.ones(2), np.array([1.0, np.inf])) == np.inf
    assert difference(np.ones(2), np.ones(3)) == np.inf
