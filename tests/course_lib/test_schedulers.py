"""Schedules are formulas of t: by hand, bounded, restorable at any step, and strict about what they are given.

That each holds PyTorch's rates over its whole length is in parity.
"""

import inspect
import json
import math
import re
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from course_lib import schedulers
from course_lib.optimizers import SGD, Adagrad, Adam, AdamW, NAdam, RMSprop
from course_lib.parameters import Parameters
from course_lib.schedulers import (
    CosineAnnealingLR,
    CosineAnnealingWarmRestarts,
    ExponentialLR,
    LinearLR,
    MultiStepLR,
    OneCycleLR,
    PolynomialLR,
    ReduceLROnPlateau,
    Schedule,
    SequentialLR,
    StepLR,
)

BUILDERS = {
    "StepLR": lambda opt: StepLR(opt, 3, gamma=0.5),
    "MultiStepLR": lambda opt: MultiStepLR(opt, [2, 5], gamma=0.5),
    "ExponentialLR": lambda opt: ExponentialLR(opt, 0.9),
    "LinearLR": lambda opt: LinearLR(opt, 0.1, total_iters=7),
    "PolynomialLR": lambda opt: PolynomialLR(opt, 9, power=2),
    "CosineAnnealingLR": lambda opt: CosineAnnealingLR(opt, 11, eta_min=0.01),
    "CosineAnnealingWarmRestarts": lambda opt: CosineAnnealingWarmRestarts(opt, 3, T_mult=2, eta_min=0.01),
    "OneCycleLR": lambda opt: OneCycleLR(opt, 0.7, 30),
    "OneCycleLR in three phases": lambda opt: OneCycleLR(
        opt, 0.7, 30, three_phase=True, anneal_strategy="linear", base_momentum=0.5
    ),
    "SequentialLR": lambda opt: SequentialLR(opt, [LinearLR(opt, 0.1, total_iters=4), CosineAnnealingLR(opt, 9)], [4]),
    "SequentialLR in SequentialLR": lambda opt: SequentialLR(
        opt,
        [
            SequentialLR(opt, [LinearLR(opt, 0.1, total_iters=4), ExponentialLR(opt, 0.8)], [4]),
            StepLR(opt, 2, gamma=0.3),
        ],
        [9],
    ),
    "SequentialLR with OneCycleLR": lambda opt: SequentialLR(
        opt, [per_step(ExponentialLR(opt, 0.9)), OneCycleLR(opt, 0.7, 30)], [5]
    ),
}
EACH = pytest.mark.parametrize("name", BUILDERS)
FACTORS = {"start_factor": 0.5, "end_factor": 0.25}


def per_step(schedule: Schedule) -> Schedule:
    schedule.interval = "step"
    return schedule


def optimizer(lr=0.3, rule=SGD, **options):
    return rule(Parameters.from_arrays({"w": np.ones(2)}), lr=lr, **options)


def driven(schedule, steps: int) -> list[float]:
    """The rate that the constructor wrote, and those of so many steps."""
    rates = [schedule.optimizer.lr]
    for _ in range(steps):
        schedule.step()
        assert schedule.get_last_lr() == [schedule.optimizer.lr]
        rates.append(schedule.optimizer.lr)
    return rates


@pytest.mark.parametrize(
    ("build", "expected"),
    [
        (lambda o: StepLR(o, 2), [1, 1, 0.1, 0.1, 0.01]),
        (lambda o: MultiStepLR(o, [1, 3, 3]), [1, 0.1, 0.1, 0.001, 0.001]),
        (lambda o: ExponentialLR(o, 0.5), [1, 0.5, 0.25, 0.125]),
        (lambda o: LinearLR(o), [5 / 15, 7 / 15, 9 / 15, 11 / 15, 13 / 15, 1, 1]),
        (lambda o: LinearLR(o, total_iters=2, **FACTORS), [0.5, 0.375, 0.25, 0.25]),
        (lambda o: PolynomialLR(o), [1, 0.8, 0.6, 0.4, 0.2, 0, 0]),
        (lambda o: PolynomialLR(o, 4, 2), [1, 9 / 16, 4 / 16, 1 / 16, 0]),
        (lambda o: CosineAnnealingLR(o, 4, 0.2), [1, 0.6 + 0.4 * math.sqrt(0.5), 0.6, None, 0.2, None, 0.6]),
        (lambda o: CosineAnnealingWarmRestarts(o, 2), [1, 0.5, 1, 0.5, 1]),
        (
            lambda o: CosineAnnealingWarmRestarts(o, 1, 2, 0.2),
            [1, 1, 0.6, 1, None, 0.6, None, 1, None, None, None, 0.6, None, None, None, 1],
        ),
        (
            lambda o: OneCycleLR(o, 2.0, 10, pct_start=0.5, anneal_strategy="linear", div_factor=2, final_div_factor=5),
            [1, 1.25, 1.5, 1.75, 2, 1.64, 1.28, 0.92, 0.56, 0.2],
        ),
        (
            lambda o: OneCycleLR(
                o, 2.0, 8, pct_start=3 / 8, anneal_strategy="linear", div_factor=2, final_div_factor=5, three_phase=True
            ),
            [1, 1.5, 2, 1.5, 1, 1 - 0.8 / 3, 1 - 1.6 / 3, 0.2],
        ),
        (lambda o: OneCycleLR(o, 25.0, 5, pct_start=0.6), [1, 13, 25, 12.50005, 1e-4]),
        (lambda o: SequentialLR(o, [StepLR(o, 1), ExponentialLR(o, 0.5)], [2]), [1, 0.1, 1, 0.5, 0.25]),
    ],
)
def test_by_hand(build, expected):
    schedule = build(optimizer(lr=1.0, momentum=0.9))
    rates = driven(schedule, len(expected) - 1)
    for rate, wanted in zip(rates, expected, strict=True):
        assert wanted is None or rate == pytest.approx(wanted, rel=1e-12, abs=1e-16)


@pytest.mark.parametrize(
    ("build", "expected"),
    [
        (
            lambda o: OneCycleLR(o, 2.0, 10, pct_start=0.5, anneal_strategy="linear"),
            [0.95, 0.925, 0.9, 0.875, 0.85, 0.87],
        ),
        (
            lambda o: OneCycleLR(o, 2.0, 5, pct_start=0.6, base_momentum=0.2, max_momentum=0.6),
            [0.6, 0.4, 0.2, 0.4, 0.6],
        ),
        (
            lambda o: OneCycleLR(o, 2.0, 8, pct_start=3 / 8, anneal_strategy="linear", three_phase=True),
            [0.95, 0.9, 0.85, 0.9, 0.95, 0.95, 0.95, 0.95],
        ),
        (lambda o: OneCycleLR(o, 2.0, 10, cycle_momentum=False), [0.5] * 10),
    ],
)
@pytest.mark.parametrize(
    ("rule", "options"),
    [
        (SGD, {"momentum": 0.5}),
        (RMSprop, {"momentum": 0.5}),
        *((rule, {"betas": (0.5, 0.9)}) for rule in (Adam, NAdam)),
    ],
)
def test_one_cycle_moves_momentum_the_other_way(build, expected, rule, options):
    opt = optimizer(rule=rule, **options)
    schedule = build(opt)
    for t, momentum in enumerate(expected):
        if t:
            schedule.step()
        assert (opt.betas[0] if "betas" in options else opt.momentum) == pytest.approx(momentum, rel=1e-12)
        if "betas" in options:
            assert opt.betas[1:] == (0.9,)


def test_one_cycle_says_when_it_is_over():
    opt = optimizer()
    schedule = OneCycleLR(opt, 1.0, total_steps=5, pct_start=0.5)
    driven(schedule, 4)
    before = opt.lr, opt.momentum, schedule.last_epoch
    told = (
        "OneCycleLR has 5 rates, the last at step 4, and was asked for step 5; "
        "give it a larger total_steps, or stop stepping."
    )
    with pytest.raises(ValueError, match=f"^{re.escape(told)}$"):
        schedule.step()
    assert (opt.lr, opt.momentum, schedule.last_epoch) == before


def test_one_cycle_takes_its_length_as_epochs_and_steps():
    long, short = OneCycleLR(optimizer(), 1.0, epochs=4, steps_per_epoch=5), OneCycleLR(optimizer(), 1.0, 20)
    np.testing.assert_array_equal(long.rates(20), short.rates(20))
    assert OneCycleLR(optimizer(), 1.0, 20, epochs=9, steps_per_epoch=9).total_steps == 20


@pytest.mark.parametrize(
    ("kind", "defaults"),
    [
        (StepLR, {"gamma": 0.1}),
        (MultiStepLR, {"gamma": 0.1}),
        (LinearLR, {"start_factor": 1 / 3, "end_factor": 1.0, "total_iters": 5}),
        (PolynomialLR, {"total_iters": 5, "power": 1.0}),
        (CosineAnnealingLR, {"eta_min": 0.0}),
        (CosineAnnealingWarmRestarts, {"T_mult": 1, "eta_min": 0.0}),
        (
            OneCycleLR,
            {
                "total_steps": None,
                "epochs": None,
                "steps_per_epoch": None,
                "pct_start": 0.3,
                "anneal_strategy": "cos",
                "cycle_momentum": True,
                "base_momentum": 0.85,
                "max_momentum": 0.95,
                "div_factor": 25.0,
                "final_div_factor": 1e4,
                "three_phase": False,
            },
        ),
        (
            ReduceLROnPlateau,
            {
                "mode": "min",
                "factor": 0.1,
                "patience": 10,
                "threshold": 1e-4,
                "threshold_mode": "rel",
                "cooldown": 0,
                "min_lr": 0.0,
                "eps": 1e-8,
            },
        ),
    ],
)
def test_defaults_are_pytorchs(kind, defaults):
    found = inspect.signature(kind).parameters.values()
    assert {p.name: p.default for p in found if p.default is not p.empty} == defaults
    torch_schedulers = pytest.importorskip("torch.optim.lr_scheduler")
    theirs = inspect.signature(getattr(torch_schedulers, kind.__name__)).parameters
    assert {name: theirs[name].default for name in defaults} == defaults
    assert list(theirs)[: len(found)] == [p.name for p in found]


@EACH
def test_the_rates_can_be_had_without_moving_anything(name):
    opt = optimizer()
    schedule = BUILDERS[name](opt)
    before = opt.lr
    rates = schedule.rates(20)
    assert rates.shape == (20,)
    assert opt.lr == before
    assert schedule.last_epoch == 0
    np.testing.assert_array_equal(driven(schedule, 19), rates)
    assert schedule.last_epoch == 19
    assert schedule.rate(3) == rates[3]


@EACH
@given(t=st.integers(0, 20), more=st.integers(0, 9))
@settings(max_examples=15)
def test_a_schedule_kept_and_resumed_at_any_step_equals_one_that_was_not(name, t, more):
    whole = BUILDERS[name](optimizer(lr=0.3, momentum=0.9))
    driven(whole, t)
    state = json.loads(json.dumps(whole.state_dict()))  # plain data: it can go into a file
    kept_momentum = whole.optimizer.momentum
    resumed = BUILDERS[name](optimizer(lr=99.0, momentum=kept_momentum))
    resumed.load_state_dict(state)
    assert resumed.optimizer.lr == whole.optimizer.lr
    assert resumed.optimizer.momentum == kept_momentum
    assert driven(resumed, more) == driven(whole, more)
    assert resumed.optimizer.momentum == whole.optimizer.momentum
    assert resumed.state_dict() == whole.state_dict()
    assert repr(resumed) == repr(whole)


def test_a_state_brings_its_own_options():
    kept = CosineAnnealingLR(optimizer(0.5), 7, eta_min=0.1)
    other = CosineAnnealingLR(optimizer(2.0), 70)
    kept.step()
    other.load_state_dict(kept.state_dict())
    assert driven(other, 9) == driven(kept, 9)
    milestones = MultiStepLR(optimizer(), [1])
    state = MultiStepLR(optimizer(), [2, 3]).state_dict()
    milestones.load_state_dict(state)
    state["milestones"].append(4)
    assert milestones.milestones == [2, 3]


@EACH
def test_a_state_that_does_not_fit_is_refused_and_changes_nothing(name):
    schedule = BUILDERS[name](optimizer())
    driven(schedule, 3)
    before, good = repr(schedule), schedule.state_dict()
    kind = type(schedule).__name__
    with pytest.raises(ValueError, match=f"^{kind}.load_state_dict does not know 'speed'"):
        schedule.load_state_dict(good | {"speed": 1, "last_epoch": 9})
    with pytest.raises(ValueError, match=f"^{kind}.load_state_dict misses 'last_epoch'"):
        schedule.load_state_dict({key: value for key, value in good.items() if key != "last_epoch"})
    assert repr(schedule) == before


def test_the_states_within_a_sequence_are_looked_at_before_anything_changes():
    schedule = BUILDERS["SequentialLR in SequentialLR"](optimizer())
    driven(schedule, 3)
    before, good = schedule.state_dict(), schedule.state_dict()
    told = r"^SequentialLR.load_state_dict got the states of 1 schedulers; it needs 2\.$"
    with pytest.raises(ValueError, match=told):
        schedule.load_state_dict(good | {"schedulers": good["schedulers"][:1], "last_epoch": 9})
    with pytest.raises(ValueError, match=r"StepLR\.load_state_dict misses"):
        schedule.load_state_dict(good | {"schedulers": [good["schedulers"][0], {}], "last_epoch": 9})
    inner = good["schedulers"][0] | {"schedulers": [{}, {}]}
    with pytest.raises(ValueError, match=r"LinearLR\.load_state_dict misses"):
        schedule.load_state_dict(good | {"schedulers": [inner, good["schedulers"][1]], "last_epoch": 9})
    assert schedule.state_dict() == before


# Shapes


@given(
    T_max=st.integers(1, 200),
    base=st.floats(1e-6, 10),
    share=st.floats(0, 1),
    steps=st.integers(1, 200),
    T_0=st.integers(1, 9),
)
@settings(max_examples=60)
def test_a_cosine_falls_from_base_to_eta_min(T_max, base, share, steps, T_0):
    eta_min = share * base
    rates = CosineAnnealingLR(optimizer(base), T_max, eta_min).rates(T_max + 1)
    assert rates[0] == pytest.approx(base, rel=1e-12)
    assert rates[-1] == pytest.approx(eta_min, rel=1e-12, abs=1e-15 * base)
    assert (np.diff(rates) <= 1e-15 * base).all()
    restarts = CosineAnnealingWarmRestarts(optimizer(base), T_0, eta_min=eta_min).rates(steps)
    np.testing.assert_allclose(restarts[::T_0], base, rtol=1e-12)
    assert (restarts <= base * (1 + 1e-12)).all()
    if share < 0.9:
        assert (restarts > eta_min).all()


@given(T_0=st.integers(1, 6), T_mult=st.integers(1, 4))
def test_rounds_of_warm_restarts_grow_by_their_factor(T_0, T_mult):
    rates = CosineAnnealingWarmRestarts(optimizer(), T_0, T_mult).rates(300)
    starts, length = [0], T_0
    while starts[-1] + length < 300:
        starts.append(starts[-1] + length)
        length *= T_mult
    np.testing.assert_array_equal(np.flatnonzero(rates == 0.3), starts)


@given(gamma=st.floats(0.01, 1), step_size=st.integers(1, 20), power=st.floats(0.1, 4), iters=st.integers(1, 50))
def test_falling_schedules_never_rise(gamma, step_size, power, iters):
    for schedule in (
        StepLR(optimizer(), step_size, gamma),
        MultiStepLR(optimizer(), [step_size, step_size + iters], gamma),
        ExponentialLR(optimizer(), gamma),
        PolynomialLR(optimizer(), iters, power),
        LinearLR(optimizer(), 1.0, 0.1, iters),
    ):
        rates = schedule.rates(60)
        assert rates[0] == 0.3
        assert (np.diff(rates) <= 1e-15).all()
        assert (rates >= 0).all()
    assert PolynomialLR(optimizer(), iters, power).rate(iters) == 0


@given(start=st.floats(0.01, 1), end=st.floats(0, 1), iters=st.integers(1, 50))
def test_a_line_ends_where_it_should_and_stays(start, end, iters):
    rates = LinearLR(optimizer(), start, end, iters).rates(iters + 3)
    assert rates[0] == pytest.approx(0.3 * start)
    np.testing.assert_allclose(rates[iters:], 0.3 * end, rtol=1e-12, atol=1e-16)
    steps = np.diff(rates[: iters + 1])
    np.testing.assert_allclose(steps, 0.3 * (end - start) / iters, rtol=1e-6, atol=1e-15)


@given(
    total=st.integers(8, 200),
    share=st.floats(0.2, 0.45),
    strategy=st.sampled_from(["cos", "linear"]),
    three=st.booleans(),
)
@settings(max_examples=60)
def test_one_cycle_goes_up_and_down_within_its_bounds(total, share, strategy, three):
    schedule = OneCycleLR(optimizer(), 2.0, total, pct_start=share, anneal_strategy=strategy, three_phase=three)
    rates = schedule.rates(total)
    assert rates[0] == pytest.approx(2.0 / 25)
    assert rates[-1] == pytest.approx(2.0 / 25 / 1e4)
    assert rates.max() <= 2.0 + 1e-12
    assert (rates > 0).all()
    top = int(share * total - 1)
    assert (np.diff(rates[: top + 1]) >= 0).all()
    assert (np.diff(rates[top + 1 :]) <= 1e-12).all()


@given(steps=st.integers(1, 12), milestone=st.integers(1, 10))
def test_in_a_sequence_each_counts_from_its_own_start(steps, milestone):
    opt = optimizer()
    first, second = LinearLR(opt, 0.1, total_iters=5), ExponentialLR(opt, 0.5)
    rates = SequentialLR(opt, [first, second], [milestone]).rates(milestone + steps)
    np.testing.assert_array_equal(rates[:milestone], first.rates(milestone))
    np.testing.assert_array_equal(rates[milestone:], second.rates(steps))


def test_a_sequence_may_begin_with_a_warm_up_made_before_or_after_what_follows():
    warm_first, cosine_first = optimizer(), optimizer()
    pieces = [LinearLR(warm_first, 0.01), CosineAnnealingLR(warm_first, 9)]
    late = CosineAnnealingLR(cosine_first, 9)
    other = [LinearLR(cosine_first, 0.01), late]
    both = [SequentialLR(warm_first, pieces, [5]), SequentialLR(cosine_first, other, [5])]
    np.testing.assert_array_equal(both[0].rates(15), both[1].rates(15))
    assert both[0].rate(5) == pytest.approx(0.3)
    assert warm_first.lr == cosine_first.lr == pytest.approx(0.003)


# What is driven


def test_a_schedule_made_again_starts_afresh():
    opt = optimizer()
    driven(CosineAnnealingLR(opt, 5), 5)
    assert opt.lr == pytest.approx(0)
    again = CosineAnnealingLR(opt, 5)
    assert opt.lr == again.base_lr == 0.3
    driven(again, 2)
    ReduceLROnPlateau(opt)
    assert opt.lr == 0.3


def test_a_rate_written_by_hand_is_the_base_of_the_next_schedule():
    opt = optimizer()
    driven(ExponentialLR(opt, 0.5), 3)
    opt.lr = 0.7
    assert StepLR(opt, 10).base_lr == 0.7
    assert opt.lr == 0.7


def test_any_object_with_a_rate_can_be_driven():
    thing = SimpleNamespace(lr=0.1)
    assert driven(StepLR(thing, 1, gamma=0.5), 2) == [0.1, 0.05, 0.025]
    wheel = SimpleNamespace(lr=0.1, momentum=0.0)
    OneCycleLR(wheel, 1.0, 10)
    assert (wheel.lr, wheel.momentum) == (pytest.approx(0.04), 0.95)


def test_many_rates_at_once():
    class Rows:
        theta, grad = np.ones((3, 2)), np.ones((3, 2))

    rates = np.array([[0.1], [0.2], [0.4]])
    opt = SGD(Rows(), lr=rates)
    schedule = CosineAnnealingLR(opt, 4)
    assert schedule.rates(5).shape == (5, 3, 1)
    driven_to = [opt.lr]
    for _ in range(2):
        schedule.step()
        driven_to.append(opt.lr)
    np.testing.assert_allclose(driven_to[2], rates / 2, rtol=1e-12)
    again = CosineAnnealingLR(opt, 4)
    np.testing.assert_array_equal(again.base_lr, rates)
    np.testing.assert_array_equal(again.state_dict()["base_lr"], rates)
    with pytest.raises(TypeError, match="ReduceLROnPlateau got optimizer"):
        ReduceLROnPlateau(opt)


def test_when_fit_steps_them():
    opt = optimizer()
    assert StepLR(opt, 1).interval == "epoch"
    assert ReduceLROnPlateau(opt).interval == "epoch"
    assert OneCycleLR(opt, 1.0, 10).interval == "step"
    assert SequentialLR(opt, [StepLR(opt, 1)], []).interval == "epoch"
    assert BUILDERS["SequentialLR with OneCycleLR"](opt).interval == "step"
    assert ReduceLROnPlateau(opt).needs_metric is True
    assert [getattr(schedulers, name.split()[0]).needs_metric for name in BUILDERS] == [False] * len(BUILDERS)


def test_repr_shows_options_steps_and_rate():
    schedule = StepLR(optimizer(), 2, gamma=0.5)
    schedule.step()
    assert repr(schedule) == "StepLR(step_size=2, gamma=0.5), 1 steps taken, lr=0.3"


def test_a_bare_schedule_has_no_formula():
    with pytest.raises(NotImplementedError):
        Schedule(optimizer())


# Plateau


def plateau(values, **options) -> list[float]:
    """The rate before the first metric and after each."""
    opt = optimizer(1.0)
    schedule = ReduceLROnPlateau(opt, **options)
    rates = [opt.lr]
    for value in values:
        schedule.step(value)
        assert schedule.get_last_lr() == [opt.lr]
        rates.append(opt.lr)
    assert schedule.last_epoch == len(values)
    return rates


@pytest.mark.parametrize(
    ("values", "options", "expected"),
    [
        # the first is good; then bad ones must exceed patience
        ([5, 5, 5, 5, 5], {"patience": 2}, [1, 1, 1, 1, 0.1, 0.1]),
        ([5, 5, 5, 5, 5], {"patience": 0}, [1, 1, 0.1, 0.01, 1e-3, 1e-4]),
        ([5, 5, 4, 4, 4], {"patience": 1}, [1, 1, 1, 1, 1, 0.1]),
        ([5, 5, 6, 5, 5], {"patience": 1, "mode": "max"}, [1, 1, 1, 1, 1, 0.1]),
        # by how much a good one improves
        ([8, 7, 7], {"patience": 0, "threshold": 0.125, "factor": 0.5}, [1, 1, 0.5, 0.25]),
        ([8, 6.9, 6.9], {"patience": 0, "threshold": 0.125, "factor": 0.5}, [1, 1, 1, 0.5]),
        ([8, 9, 9.1], {"patience": 0, "threshold": 0.125, "factor": 0.5, "mode": "max"}, [1, 1, 0.5, 1 * 0.5]),
        ([8, 7, 6.9], {"patience": 0, "threshold": 1, "factor": 0.5, "threshold_mode": "abs"}, [1, 1, 0.5, 0.5]),
        (
            [8, 9, 9.1],
            {"patience": 0, "threshold": 1, "factor": 0.5, "threshold_mode": "abs", "mode": "max"},
            [1, 1, 0.5, 0.5],
        ),
        # rest after a fall
        ([5] * 7, {"patience": 0, "cooldown": 2}, [1, 1, 0.1, 0.1, 0.1, 0.01, 0.01, 0.01]),
        ([5] * 5, {"patience": 0, "min_lr": 0.05}, [1, 1, 0.1, 0.05, 0.05, 0.05]),
        ([5] * 5, {"patience": 0, "eps": 0.09, "factor": 0.5}, [1, 1, 0.5, 0.25, 0.125, 0.125]),
        ([5] * 3, {"patience": 0, "eps": 0.5, "factor": 0.5}, [1, 1, 1, 1]),
        # NaN is bad, and so is infinity for a loss
        ([np.nan, np.nan, 5, np.nan], {"patience": 0}, [1, 0.1, 0.01, 0.01, 1e-3]),
        ([np.inf, 5, np.inf], {"patience": 0}, [1, 0.1, 0.1, 0.01]),
        ([-1] * 4, {"patience": 0}, [1, 1, 1, 1, 1]),
        ([-1] * 4, {"patience": 0, "threshold_mode": "abs"}, [1, 1, 0.1, 0.01, 1e-3]),
    ],
)
def test_plateau_by_hand(values, options, expected):
    assert plateau(values, **options) == pytest.approx(expected, rel=1e-12)


@given(
    values=st.lists(st.floats(0, 10) | st.just(math.nan), min_size=1, max_size=30),
    at=st.integers(0, 30),
    mode=st.sampled_from(["min", "max"]),
)
@settings(max_examples=40)
def test_a_plateau_kept_and_resumed_equals_one_that_was_not(values, at, mode):
    def make():
        return ReduceLROnPlateau(optimizer(1.0), mode=mode, patience=1, cooldown=2, factor=0.5)

    whole = make()
    for value in values[:at]:
        whole.step(value)
    resumed = ReduceLROnPlateau(optimizer(99.0))
    resumed.load_state_dict(whole.state_dict())
    assert resumed.optimizer.lr == whole.optimizer.lr
    for value in values[at:]:
        whole.step(value)
        resumed.step(value)
    assert resumed.state_dict() == whole.state_dict()
    assert resumed.optimizer.lr == whole.optimizer.lr


def test_a_plateau_scales_the_rate_as_it_finds_it():
    opt = optimizer(1.0)
    schedule = ReduceLROnPlateau(opt, patience=0, factor=0.5)
    schedule.step(1)
    opt.lr = 0.4
    schedule.step(1)
    assert opt.lr == 0.2
    assert schedule.get_last_lr() == [0.2]


@pytest.mark.parametrize("metric", [None, "0.3", [0.3], True])
def test_a_metric_is_a_number(metric):
    schedule = ReduceLROnPlateau(optimizer())
    told = f"ReduceLROnPlateau.step got metric={metric!r}; it must be a number."
    with pytest.raises(TypeError, match=f"^{re.escape(told)}$"):
        schedule.step(metric)
    assert schedule.last_epoch == 0


# Bad input

OPT = optimizer()
WHOLE = "it must be a whole number, at least 1."
FINITE = "it must be a finite number"
FLAG = "it must be True or False."


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: StepLR(OPT, 0), f"StepLR got step_size=0; {WHOLE}"),
        (lambda: StepLR(OPT, 1.5), f"StepLR got step_size=1.5; {WHOLE}"),
        (lambda: StepLR(OPT, 1, gamma=0), f"StepLR got gamma=0; {FINITE}, above 0."),
        (lambda: MultiStepLR(OPT, [0]), f"MultiStepLR got milestones[0]=0; {WHOLE}"),
        (lambda: MultiStepLR(OPT, [3, 2]), "MultiStepLR got milestones=[3, 2]; each must be at least the one before."),
        (lambda: MultiStepLR(OPT, [3], gamma=-1), f"MultiStepLR got gamma=-1; {FINITE}, above 0."),
        (lambda: ExponentialLR(OPT, 0), f"ExponentialLR got gamma=0; {FINITE}, above 0."),
        (lambda: LinearLR(OPT, 0), f"LinearLR got start_factor=0; {FINITE}, above 0 and at most 1."),
        (lambda: LinearLR(OPT, 1.1), f"LinearLR got start_factor=1.1; {FINITE}, above 0 and at most 1."),
        (lambda: LinearLR(OPT, 1, -0.1), f"LinearLR got end_factor=-0.1; {FINITE}, at least 0 and at most 1."),
        (lambda: LinearLR(OPT, 1, 1.1), f"LinearLR got end_factor=1.1; {FINITE}, at least 0 and at most 1."),
        (lambda: LinearLR(OPT, total_iters=0), f"LinearLR got total_iters=0; {WHOLE}"),
        (lambda: PolynomialLR(OPT, 0), f"PolynomialLR got total_iters=0; {WHOLE}"),
        (lambda: PolynomialLR(OPT, 1, 0), f"PolynomialLR got power=0; {FINITE}, above 0."),
        (lambda: CosineAnnealingLR(OPT, 0), f"CosineAnnealingLR got T_max=0; {WHOLE}"),
        (lambda: CosineAnnealingLR(OPT, 1, -1), f"CosineAnnealingLR got eta_min=-1; {FINITE}, at least 0."),
        (lambda: CosineAnnealingWarmRestarts(OPT, 0), f"CosineAnnealingWarmRestarts got T_0=0; {WHOLE}"),
        (lambda: CosineAnnealingWarmRestarts(OPT, 1, 0), f"CosineAnnealingWarmRestarts got T_mult=0; {WHOLE}"),
        (
            lambda: CosineAnnealingWarmRestarts(OPT, 1, 1, -1),
            f"CosineAnnealingWarmRestarts got eta_min=-1; {FINITE}, at least 0.",
        ),
        (lambda: OneCycleLR(OPT, 0, 10), f"OneCycleLR got max_lr=0; {FINITE}, above 0."),
        (lambda: OneCycleLR(OPT, 1), "OneCycleLR got no length; give total_steps, or epochs and steps_per_epoch."),
        (
            lambda: OneCycleLR(OPT, 1, epochs=2),
            "OneCycleLR got no length; give total_steps, or epochs and steps_per_epoch.",
        ),
        (
            lambda: OneCycleLR(OPT, 1, steps_per_epoch=2),
            "OneCycleLR got no length; give total_steps, or epochs and steps_per_epoch.",
        ),
        (lambda: OneCycleLR(OPT, 1, epochs=0, steps_per_epoch=1), f"OneCycleLR got epochs=0; {WHOLE}"),
        (lambda: OneCycleLR(OPT, 1, epochs=9, steps_per_epoch=0), f"OneCycleLR got steps_per_epoch=0; {WHOLE}"),
        (lambda: OneCycleLR(OPT, 1, 0), f"OneCycleLR got total_steps=0; {WHOLE}"),
        (lambda: OneCycleLR(OPT, 1, 10, pct_start=0), f"OneCycleLR got pct_start=0; {FINITE}, above 0 and below 1."),
        (lambda: OneCycleLR(OPT, 1, 10, pct_start=1), f"OneCycleLR got pct_start=1; {FINITE}, above 0 and below 1."),
        (
            lambda: OneCycleLR(OPT, 1, 10, anneal_strategy="cosine"),
            "OneCycleLR got anneal_strategy='cosine'; it must be one of 'cos', 'linear'.",
        ),
        (
            lambda: OneCycleLR(OPT, 1, 10, cycle_momentum=1),
            "OneCycleLR got cycle_momentum=1; it must be True or False.",
        ),
        (lambda: OneCycleLR(OPT, 1, 10, three_phase=1), "OneCycleLR got three_phase=1; it must be True or False."),
        (
            lambda: OneCycleLR(OPT, 1, 10, base_momentum=1),
            f"OneCycleLR got base_momentum=1; {FINITE}, at least 0 and below 1.",
        ),
        (
            lambda: OneCycleLR(OPT, 1, 10, max_momentum=-1),
            f"OneCycleLR got max_momentum=-1; {FINITE}, at least 0 and below 1.",
        ),
        (
            lambda: OneCycleLR(OPT, 1, 10, base_momentum=-1),
            f"OneCycleLR got base_momentum=-1; {FINITE}, at least 0 and below 1.",
        ),
        (
            lambda: OneCycleLR(OPT, 1, 10, max_momentum=1),
            f"OneCycleLR got max_momentum=1; {FINITE}, at least 0 and below 1.",
        ),
        (lambda: OneCycleLR(OPT, 1, 10, div_factor=0), f"OneCycleLR got div_factor=0; {FINITE}, above 0."),
        (lambda: OneCycleLR(OPT, 1, 10, final_div_factor=0), f"OneCycleLR got final_div_factor=0; {FINITE}, above 0."),
        (
            lambda: OneCycleLR(OPT, 1, 10, pct_start=0.1),
            (
                "OneCycleLR got total_steps=10, pct_start=0.1; its phases would end at steps 0, 9, and each must end "
                "after the one before, the first after 0. Give more steps, or another share."
            ),
        ),
        (
            lambda: OneCycleLR(OPT, 1, 10, pct_start=0.55, three_phase=True),
            (
                "OneCycleLR got total_steps=10, pct_start=0.55; its phases would end at steps 4.5, 9, 9, and each "
                "must end after the one before, the first after 0. Give more steps, or another share."
            ),
        ),
        (
            lambda: OneCycleLR(optimizer(rule=Adagrad), 1, 10),
            "OneCycleLR got a Adagrad, which has no momentum or betas to cycle; give cycle_momentum=False.",
        ),
        (
            lambda: ReduceLROnPlateau(OPT, "least"),
            "ReduceLROnPlateau got mode='least'; it must be one of 'min', 'max'.",
        ),
        (
            lambda: ReduceLROnPlateau(OPT, factor=1),
            f"ReduceLROnPlateau got factor=1; {FINITE}, above 0 and below 1.",
        ),
        (
            lambda: ReduceLROnPlateau(OPT, factor=0),
            f"ReduceLROnPlateau got factor=0; {FINITE}, above 0 and below 1.",
        ),
        (
            lambda: ReduceLROnPlateau(OPT, patience=-1),
            "ReduceLROnPlateau got patience=-1; it must be a whole number, at least 0.",
        ),
        (lambda: ReduceLROnPlateau(OPT, threshold=-1), f"ReduceLROnPlateau got threshold=-1; {FINITE}, at least 0."),
        (
            lambda: ReduceLROnPlateau(OPT, threshold_mode="relative"),
            "ReduceLROnPlateau got threshold_mode='relative'; it must be one of 'rel', 'abs'.",
        ),
        (
            lambda: ReduceLROnPlateau(OPT, cooldown=-1),
            "ReduceLROnPlateau got cooldown=-1; it must be a whole number, at least 0.",
        ),
        (lambda: ReduceLROnPlateau(OPT, min_lr=-1), f"ReduceLROnPlateau got min_lr=-1; {FINITE}, at least 0."),
        (lambda: ReduceLROnPlateau(OPT, eps=-1), f"ReduceLROnPlateau got eps=-1; {FINITE}, at least 0."),
        (lambda: StepLR(3, 1), "StepLR got a int; it needs an optimizer, or an object with an lr."),
        (
            lambda: SequentialLR(OPT, [], []),
            "SequentialLR got 0 schedulers and 0 milestones; it needs one scheduler more than milestones.",
        ),
        (
            lambda: SequentialLR(OPT, [StepLR(OPT, 1)], [2]),
            "SequentialLR got 1 schedulers and 1 milestones; it needs one scheduler more than milestones.",
        ),
        (
            lambda: SequentialLR(OPT, [StepLR(OPT, 1), StepLR(optimizer(), 1)], [2]),
            "SequentialLR got schedulers[1], which drives another optimizer.",
        ),
        (
            lambda: SequentialLR(OPT, [ReduceLROnPlateau(OPT)], []),
            (
                "SequentialLR got a ReduceLROnPlateau as schedulers[0]; it needs schedules that are formulas of the "
                "step count, such as LinearLR."
            ),
        ),
        (
            lambda: SequentialLR(OPT, [StepLR(OPT, 1), OneCycleLR(OPT, 1.0, 10)], [2]),
            (
                "SequentialLR got schedulers of which some are stepped after every epoch and some after every batch; "
                'write scheduler.interval = "step" to have one stepped after every batch.'
            ),
        ),
        (
            lambda: SequentialLR(OPT, [StepLR(OPT, 1), StepLR(OPT, 1)], [0]),
            f"SequentialLR got milestones[0]=0; {WHOLE}",
        ),
    ],
)
def test_bad_input_gets_a_sentence(call, message):
    with pytest.raises((ValueError, TypeError), match=f"^{re.escape(message)}$"):
        call()


@pytest.mark.parametrize(
    "call",
    [
        lambda: LinearLR(OPT, 1, 0),
        lambda: LinearLR(OPT, 1e-9, 1, 1),
        lambda: MultiStepLR(OPT, []),
        lambda: MultiStepLR(OPT, (1, 1)),
        lambda: CosineAnnealingLR(OPT, 1, 0),
        lambda: CosineAnnealingWarmRestarts(OPT, 1, 1, 0),
        lambda: OneCycleLR(OPT, 1, 10, pct_start=0.11, base_momentum=0, max_momentum=0),
        lambda: OneCycleLR(OPT, 1, 10, pct_start=0.54, three_phase=True),
        lambda: OneCycleLR(optimizer(rule=AdamW), 1, 10),
        lambda: OneCycleLR(optimizer(rule=Adagrad), 1, 10, cycle_momentum=False),
        lambda: ReduceLROnPlateau(OPT, patience=0, threshold=0, cooldown=0, min_lr=0, eps=0),
    ],
)
def test_the_ends_of_the_ranges_are_allowed(call):
    call()
