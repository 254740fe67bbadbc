"""Everything the numerical conventions pin holds PyTorch's numbers: live where torch is installed, stored elsewhere."""

import re
from collections import Counter
from importlib.util import find_spec

import numpy as np
import pytest

from parity import optimizers
from parity.case import Case, of_the_first, of_the_largest, relative, relative_or_equal
from parity.cases import CASES, GOLDEN
from parity.optimizers import KEPT, largest_step_difference, sensitive_settings, start_and_gradients

pytestmark = pytest.mark.torch
LIVE = pytest.mark.skipif(not find_spec("torch"), reason="torch is not installed, and here no stored numbers will do")

# Every line of the conventions that names PyTorch: what its cases are called, and at least how many there are.
LINES = {
    "Momentum": (r"^SGD .*momentum=0\.[59] ", 12),
    "Momentum: dampening": (r"^SGD .*momentum=0\.[59] dampening=0\.3", 6),
    "Momentum changed half-way": (r"^SGD .*, then momentum=", 4),
    "Nesterov": (r"^SGD .*nesterov=True", 4),
    "AdaGrad": (r"^Adagrad ", 16),
    "AdaGrad: lr_decay": (r"^Adagrad .*lr_decay=0\.01", 8),
    "RMSprop": (r"^RMSprop ", 24),
    "RMSprop: centered": (r"^RMSprop .*centered=True", 8),
    "RMSprop: momentum": (r"^RMSprop .*momentum=0\.9", 8),
    "Adam": (r"^Adam ", 18),
    "Adam: beta1 changed half-way": (r"^Adam .*, then betas=", 2),
    "NAdam": (r"^NAdam ", 30),
    "NAdam: decoupled decay": (r"^NAdam .*decoupled_weight_decay=True", 10),
    "NAdam: momentum_decay": (r"^NAdam .*momentum_decay=", 2),
    "AdamW": (r"^AdamW ", 18),
    "AdamW: large decay": (r"^AdamW .*weight_decay=5", 6),
    "weight_decay in SGD": (r"^SGD .*weight_decay=5", 6),
    "weight_decay in Adam": (r"^Adam .*weight_decay=5", 6),
    "Dropout in training": (r"^Dropout .*training=True", 4),
    "Dropout in evaluation": (r"^Dropout .*training=False", 4),
    "Batch norm": (r"^BatchNorm1d", 16),
    "Cosine": (r"^CosineAnnealingLR", 12),
    "Warm restarts": (r"^CosineAnnealingWarmRestarts", 12),
    "One-cycle": (r"^OneCycleLR .* of SGD", 12),
    "One-cycle: beta1": (r"^OneCycleLR .* of Adam", 12),
    "One-cycle: linear": (r"^OneCycleLR .*anneal_strategy=linear", 6),
    "One-cycle: three phases": (r"^OneCycleLR .*three_phase=True", 6),
    "One-cycle: the rate alone": (r"^OneCycleLR .*cycle_momentum=False", 1),
    "Plateau": (r"^ReduceLROnPlateau", 24),
    "Plateau: threshold_mode": (r"^ReduceLROnPlateau .*threshold_mode=abs", 6),
    "Plateau: cooldown": (r"^ReduceLROnPlateau .*cooldown=4", 3),
    "Plateau: min_lr": (r"^ReduceLROnPlateau .*min_lr=", 1),
    "Plateau: a constant negative metric": (r"^ReduceLROnPlateau .*constant below zero", 4),
    "Plateau: NaN": (r"^ReduceLROnPlateau .*NaN", 4),
    "Clipping by norm": (r"^clip by norm", 20),
    "Clipping by value": (r"^clip by value", 12),
    # and, though the conventions do not mark them
    "other schedules": (r"^(StepLR|MultiStepLR|ExponentialLR|LinearLR|PolynomialLR)", 40),
    "schedules in a row": (r"^SequentialLR", 6),
    "Linear and activations": (r"^(Linear|ReLU|Tanh|Sigmoid)", 9),
    "losses": (r"^(cross-entropy|squared error)", 12),
    "label smoothing": (r"^cross-entropy.*smoothed", 8),
    "networks": (r"^network", 6),
    "initializers": (r"^(xavier|he)_(uniform|normal)", 36),
    "Muon": (r"^(Muon|orthogonalize)", 20),
    "the defaults": (r"^(SGD|Adagrad|RMSprop|Adam|AdamW|NAdam|LinearLR|PolynomialLR|BatchNorm1d|Muon)$", 10),
}
# The bounds of the conventions.
BOUNDS = {
    "optimizers": 1e-10,
    "schedulers": 1e-12,
    "layers": 1e-12,
    "losses": 1e-12,
    "clipping": 1e-12,
    "initializers": 1e-12,
}


@pytest.fixture(scope="module")
def golden():
    with np.load(GOLDEN) as stored:
        return dict(stored)


@pytest.mark.parametrize(("line", "pattern", "least"), [(line, *rest) for line, rest in LINES.items()])
def test_every_line_of_the_conventions_has_its_cases(line, pattern, least):
    assert sum(bool(re.search(pattern, case.name)) for case in CASES) >= least


def test_every_case_has_a_name_of_its_own_and_the_bound_of_its_kind():
    assert [name for name, count in Counter(case.name for case in CASES).items() if count > 1] == []
    assert {(case.kind, case.bound) for case in CASES} == set(BOUNDS.items())
    assert len(CASES) >= 150


def test_every_case_has_stored_numbers(golden):
    assert sorted(golden) == sorted(case.name for case in CASES)
    assert GOLDEN.stat().st_size < 600_000


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_agrees_with_pytorch(case, golden):
    """With PyTorch's numbers computed now where that is possible, and then the stored ones must agree with them."""
    stored = golden[case.name]
    assert case.difference(stored) <= case.bound
    if find_spec("torch"):
        live = case.theirs()
        assert case.difference(live) <= case.bound
        if not case.handed:  # what PyTorch draws at random differs between processors, and all rounding does a little
            assert case.measure(stored, live) <= case.bound, "golden.npz is out of date: run scripts/make_golden.py"


@LIVE
@pytest.mark.parametrize(("name", "options"), list(sensitive_settings()), ids=str)
def test_each_step_agrees_from_pytorchs_own_state(name, options):
    assert largest_step_difference(name, options) <= 1e-12


@LIVE
def test_pytorch_disagrees_with_itself_over_a_thousand_sensitive_steps(monkeypatch):
    options = {"lr": 0.01, "alpha": 0.5, "eps": 1e-3, "weight_decay": 2, "momentum": 0.9, "centered": True}
    theta, gradients = start_and_gradients()
    first = optimizers.torch_run("RMSprop", options, {})
    monkeypatch.setattr(optimizers, "start_and_gradients", lambda: (np.nextafter(theta, np.inf), gradients))
    assert relative(optimizers.torch_run("RMSprop", options, {})[-1], first[-1]) > 1e-6


# The comparison itself


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
    stored = golden["AdamW lr=0.02 betas=(0.9,0.999) eps=1e-08 weight_decay=0.01"]
    assert (relative(wrong_adam(**options), stored) <= 1e-10) is agrees


@pytest.mark.parametrize("measure", [relative, relative_or_equal, of_the_first, of_the_largest])
def test_what_is_not_a_number_or_not_of_the_same_shape_is_infinitely_far(measure):
    assert measure(np.array([1.0, np.nan]), np.ones(2)) == np.inf
    assert measure(np.ones(2), np.array([1.0, np.inf])) == np.inf
    assert measure(np.ones(2), np.ones(3)) == np.inf


def test_each_measure_has_its_own_unit():
    received, expected = np.array([2.0, 0.5, 8.0]), np.array([2.0, 0.25, 8.0])
    assert relative(received, expected) == 1.0
    assert of_the_first(received, expected) == 0.125
    assert of_the_largest(received, expected) == 0.25 / 8
    assert relative_or_equal(np.array([np.nan, np.inf, 1.5]), np.array([np.nan, np.inf, 1.0])) == 0.5
    assert relative_or_equal(np.array([np.nan, -np.inf, 1.0]), np.array([np.nan, np.inf, 1.0])) == np.inf


def test_a_case_that_hands_over_what_pytorch_drew():
    case = Case("layers", "", lambda theirs: theirs + 1, lambda: np.ones(1), bound=0, handed=True)
    assert case.difference(np.array([2.0])) == 0.5
