"""Early stopping: when it says stop, what it remembers, and what it gives back."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from course_lib import MLP, EarlyStopping

values = st.lists(st.one_of(st.floats(-3, 3), st.sampled_from([math.nan, math.inf, -math.inf, 0.0, 1.0])), max_size=30)


def net(seed=0):
    return MLP([2, 3, 2], rng=np.random.default_rng(seed))


def test_by_hand():
    stopping = EarlyStopping(patience=2)
    assert (stopping.best, stopping.best_step, stopping.steps) == (math.inf, -1, 0)
    assert [stopping.step(v) for v in (3.0, 2.0, 2.0, 1.0, 1.5, 1.0)] == [False, False, False, False, False, True]
    assert (stopping.best, stopping.best_step, stopping.steps) == (1.0, 3, 6)
    assert stopping.step(0.5) is True, "from then on"
    assert (stopping.best, stopping.best_step) == (0.5, 6)


def test_min_delta_is_how_much_it_must_fall():
    stopping = EarlyStopping(1, min_delta=0.5)
    assert stopping.step(2.0) is False
    assert stopping.step(1.49) is False
    assert stopping.best == 1.49
    assert stopping.step(0.99) is True, "exactly min_delta below is not below best - min_delta"
    assert EarlyStopping(1).min_delta == 0.0


def test_nan_never_improves():
    stopping = EarlyStopping(2)
    assert [stopping.step(math.nan) for _ in range(3)] == [False, True, True]
    assert (stopping.best, stopping.best_step) == (math.inf, -1)
    after = EarlyStopping(2)
    assert [after.step(v) for v in (1.0, math.nan, math.nan)] == [False, False, True]
    assert (after.best, after.best_step) == (1.0, 0)


@given(seen=values, patience=st.integers(1, 5), min_delta=st.sampled_from([0.0, 0.25, 1.0]))
def test_it_is_its_definition(seen, patience, min_delta):
    stopping = EarlyStopping(patience, min_delta)
    best, best_step, bad, stopped = math.inf, -1, 0, False
    for i, value in enumerate(seen):
        if value < best - min_delta:
            best, best_step, bad = value, i, 0
        else:
            bad += 1
        stopped = stopped or bad >= patience
        assert stopping.step(value) is stopped
        assert (stopping.best, stopping.best_step, stopping.steps) == (best, best_step, i + 1)


@given(seen=values, more=values, patience=st.integers(1, 5))
def test_its_state_goes_on_where_it_was(seen, more, patience):
    first, second = EarlyStopping(patience, 0.25), EarlyStopping(9)
    for value in seen:
        first.step(value)
    second.load_state_dict(first.state_dict())
    assert [first.step(v) for v in more] == [second.step(v) for v in more]
    assert first.state_dict() == second.state_dict()


def test_the_best_weights_come_back():
    model = net()
    stopping = EarlyStopping(2, model=model)
    wanted = None
    for i, value in enumerate((3.0, 1.0, 2.0, 4.0)):
        model.parameters.theta = np.full(model.parameters.size, i)
        if value == 1.0:
            wanted = model.parameters.theta.copy()
        stopping.step(value)
    np.testing.assert_array_equal(model.parameters.theta, 3)
    stopping.restore()
    np.testing.assert_array_equal(model.parameters.theta, wanted)
    model.parameters.theta = np.zeros(model.parameters.size)
    stopping.at_end()
    np.testing.assert_array_equal(model.parameters.theta, wanted)


def test_restoring_leaves_generators_where_they_are():
    class Model:
        def __init__(self):
            self.state = {"W1": np.zeros(2), "dropout1": {"state": 1}}

        def state_dict(self):
            return dict(self.state)

        def load_state_dict(self, state):
            assert set(state) == set(self.state)
            self.state = dict(state)

    model = Model()
    stopping = EarlyStopping(1, model=model)
    stopping.step(1.0)
    model.state = {"W1": np.ones(2), "dropout1": {"state": 2}}
    stopping.restore()
    np.testing.assert_array_equal(model.state["W1"], 0)
    assert model.state["dropout1"] == {"state": 2}


def test_the_best_weights_travel_with_the_state():
    model, other = net(0), net(1)
    first, second = EarlyStopping(3, model=model), EarlyStopping(3, model=other)
    first.step(1.0)
    best = model.parameters.theta.copy()
    state = first.state_dict()
    state["best_state"]["W1"][0, 0] += 0  # the state's own copy
    second.load_state_dict(state)
    state["best_state"]["W1"][...] = 99.0
    model.parameters.theta = np.zeros(model.parameters.size)
    first.restore()
    second.restore()
    np.testing.assert_array_equal(model.parameters.theta, best)
    np.testing.assert_array_equal(other.parameters.theta, best)


def test_a_state_that_does_not_fit_changes_nothing():
    model = net()
    stopping = EarlyStopping(3, model=model)
    stopping.step(1.0)
    before = stopping.state_dict()
    wide = EarlyStopping(7, model=MLP([2, 4, 2], rng=np.random.default_rng(0)))
    wide.step(0.5)
    deep = EarlyStopping(7, model=MLP([2, 3, 3, 2], rng=np.random.default_rng(0)))
    deep.step(0.5)
    for state, message in (
        ({}, r"^EarlyStopping\.load_state_dict misses 'patience'"),
        ({**before, "colour": 1}, r"^EarlyStopping\.load_state_dict does not know 'colour'"),
        (wide.state_dict(), r"^EarlyStopping\.load_state_dict: W1 has shape \(2, 4\); the model needs \(2, 3\)"),
        (deep.state_dict(), r"^EarlyStopping\.load_state_dict: best_state does not know 'W3', 'b3'"),
    ):
        with pytest.raises(ValueError, match=message):
            stopping.load_state_dict(state)
    after = stopping.state_dict()
    assert {k: v for k, v in after.items() if k != "best_state"} == {
        k: v for k, v in before.items() if k != "best_state"
    }
    with pytest.raises(
        ValueError,
        match=r"^the state holds best weights, but there is no model; use EarlyStopping\(\.\.\., model=model\)\.$",
    ):
        EarlyStopping(3).load_state_dict(before)


def test_nothing_to_restore_is_said():
    with pytest.raises(
        RuntimeError, match=r"^EarlyStopping has no model to restore; .* EarlyStopping\(5, model=model\)\.$"
    ):
        EarlyStopping(1).restore()
    stopping = EarlyStopping(1, model=net())
    stopping.step(math.nan)
    with pytest.raises(RuntimeError, match=r"^EarlyStopping has no weights to restore; .* finite value first\.$"):
        stopping.restore()
    stopping.at_end()


def test_as_a_callback_it_reads_the_monitored_loss():
    class Run:
        monitored_loss = 2.0

    stopping = EarlyStopping(1)
    assert stopping(Run()) is False
    assert stopping.best == 2.0
    assert stopping(Run()) is True


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((0,), ValueError, "patience=0; it must be a whole number, at least 1"),
        ((-3,), ValueError, "patience=-3; it must be a whole number, at least 1"),
        ((2.0,), TypeError, "patience=2.0; it must be a whole number"),
        (("3",), TypeError, "patience='3'; it must be a whole number"),
        ((1, -1e-9), ValueError, "min_delta=-1e-09; it must be a finite number, at least 0"),
        ((1, math.nan), ValueError, "min_delta=nan; it must be a finite number, at least 0"),
        ((1, math.inf), ValueError, "min_delta=inf; it must be a finite number, at least 0"),
    ],
)
def test_what_is_out_of_range_is_refused(arguments, error, message):
    with pytest.raises(error, match=f"^EarlyStopping got {message}"):
        EarlyStopping(*arguments)


def test_it_names_itself():
    stopping = EarlyStopping(np.int64(3), 0.25)
    assert repr(stopping) == "EarlyStopping(patience=3, min_delta=0.25)"
    stopping.step(0.123456)
    stopping.step(1)
    assert repr(stopping) == "EarlyStopping(patience=3, min_delta=0.25): best 0.1235 at 0, 2 seen"
