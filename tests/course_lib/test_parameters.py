"""One flat vector with named windows: whatever happens, they share their memory."""

import copy
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from course_lib.parameters import Parameters


@pytest.fixture
def params():
    return Parameters.from_arrays({"W1": np.arange(6.0).reshape(2, 3), "b1": np.array([7.0, 8.0]), "g": np.array(9.0)})


def shares(params: Parameters) -> bool:
    """Every window lies in its vector."""
    return all(
        np.shares_memory(params[name], params.theta) and np.shares_memory(params.grads[name], params.grad)
        for name in params
    )


def test_vector_holds_the_arrays_in_order(params):
    np.testing.assert_array_equal(params.theta, [0, 1, 2, 3, 4, 5, 7, 8, 9])
    assert params.names == ("W1", "b1", "g")
    assert params.shapes == {"W1": (2, 3), "b1": (2,), "g": ()}
    assert params.size == 9
    assert shares(params)
    np.testing.assert_array_equal(params.grad, np.zeros(9))


def test_from_arrays_copies(params):
    W = np.ones((2, 2))
    made = Parameters.from_arrays({"W": W})
    made.theta[:] = 5
    np.testing.assert_array_equal(W, np.ones((2, 2)))


def test_writing_goes_through_to_the_other_side(params):
    params["W1"][1, 2] = 50
    assert params.theta[5] == 50
    params.theta[6] = 70
    assert params["b1"][0] == 70
    params.grads["b1"][:] = 3
    np.testing.assert_array_equal(params.grad, [0, 0, 0, 0, 0, 0, 3, 3, 0])
    params.zero_grad()
    np.testing.assert_array_equal(params.grads["b1"], [0, 0])


def test_assigning_copies_numbers_and_keeps_the_windows(params):
    theta = params.theta
    params["b1"] = [1, 2]
    params.theta = np.arange(9)
    params.theta -= 1.0
    params.grad = np.ones(9)
    params.grad *= 2
    assert params.theta is theta
    assert shares(params)
    np.testing.assert_array_equal(params["b1"], [5, 6])
    np.testing.assert_array_equal(params.grads["W1"], np.full((2, 3), 2.0))


@pytest.mark.parametrize(
    "assign",
    [
        lambda p: p.__setitem__("W1", np.ones((3, 2))),
        lambda p: p.__setitem__("b1", 1.0),
        lambda p: setattr(p, "theta", np.ones(3)),
        lambda p: setattr(p, "grad", 0.0),
    ],
)
def test_assigning_another_shape_is_refused(params, assign):
    with pytest.raises(ValueError, match=r"has shape .*; it needs"):
        assign(params)


@pytest.mark.parametrize(
    ("arrays", "dtype", "expected"),
    [
        ({"a": np.ones(2, np.float32), "b": np.ones(2, np.float32)}, None, np.float32),
        ({"a": np.ones(2, np.float32), "b": np.ones(2)}, None, np.float64),
        ({"a": [1, 2]}, None, np.float64),
        ({"a": np.ones(2)}, np.float32, np.float32),
    ],
)
def test_dtype_follows_the_arrays_unless_given(arrays, dtype, expected):
    params = Parameters.from_arrays(arrays, dtype)
    assert params.dtype == params.theta.dtype == params.grad.dtype == params["a"].dtype == expected


@pytest.mark.parametrize("dtype", [np.float16, np.int64, np.complex128, bool])
def test_other_dtypes_are_refused(dtype):
    with pytest.raises(ValueError, match=r"use np\.float32"):
        Parameters({"a": (2,)}, dtype)


def test_no_names_are_refused():
    with pytest.raises(ValueError, match="got no names"):
        Parameters({})
    with pytest.raises(ValueError, match="got no names"):
        Parameters.from_arrays({})


def test_unknown_name_is_answered_with_the_known_ones(params):
    with pytest.raises(KeyError, match="W1, b1, g"):
        params["W2"]
    with pytest.raises(KeyError):
        params["W2"] = 1.0
    assert params.get("W2") is None


def test_reads_like_a_dict(params):
    assert "W1" in params
    assert len(params) == 3
    assert list(params) == list(params.keys()) == ["W1", "b1", "g"]
    np.testing.assert_array_equal(dict(params)["b1"], [7, 8])


def test_equal_only_to_itself(params):
    assert params == params
    assert params != params.copy()
    assert len({params, params.copy()}) == 2


@pytest.mark.parametrize(
    "duplicate", [Parameters.copy, copy.copy, copy.deepcopy, lambda p: pickle.loads(pickle.dumps(p))]
)
def test_copies_are_whole_and_independent(params, duplicate):
    params.grad = np.arange(9)
    twin = duplicate(params)
    np.testing.assert_array_equal(twin.theta, params.theta)
    np.testing.assert_array_equal(twin.grad, params.grad)
    assert twin.shapes == params.shapes
    assert shares(twin)
    twin["W1"][0, 0] = -1
    twin.grads["W1"][0, 0] = -1
    assert params.theta[0] == 0
    assert params.grad[0] == 0


@given(
    theta=hnp.arrays(
        np.float64, 8, elements=st.floats(allow_nan=True, allow_infinity=True, allow_subnormal=True, width=64)
    ),
    dtype=st.sampled_from([np.float32, np.float64]),
)
def test_state_is_restored_to_the_bit(theta, dtype):
    with np.errstate(over="ignore"):
        params = Parameters.from_arrays({"W": theta[:6].reshape(2, 3), "b": theta[6:]}, dtype)
    state = params.state_dict()
    fresh = Parameters(params.shapes, dtype)
    fresh.load_state_dict(state)
    assert fresh.theta.tobytes() == params.theta.tobytes()
    assert fresh.dtype == dtype


def test_state_is_a_copy(params):
    state = params.state_dict()
    params["b1"] = [0, 0]
    np.testing.assert_array_equal(state["b1"], [7, 8])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda state: state.pop("b1"), "misses 'b1'"),
        (lambda state: state.update(W9=1), "does not know 'W9'"),
        (lambda state: state.update(b1=np.zeros(3)), r"b1 has shape \(3,\); it needs \(2,\)"),
    ],
)
def test_a_state_that_does_not_fit_is_refused_and_changes_nothing(params, change, message):
    before = params.theta.copy()
    state = {name: values + 1 for name, values in params.state_dict().items()}
    change(state)
    with pytest.raises(ValueError, match=message):
        params.load_state_dict(state)
    np.testing.assert_array_equal(params.theta, before)


def test_where_names_every_place(params):
    assert params.where(0) == ("W1", (0, 0))
    assert params.where(5) == ("W1", (1, 2))
    assert params.where(7) == ("b1", (1,))
    assert params.where(8) == ("g", ())
    for outside in (-1, 9):
        with pytest.raises(IndexError, match="0 to 8"):
            params.where(outside)


def test_repr_lists_names_and_shapes(params):
    assert repr(params) == ("Parameters: 9 numbers, float64\n  W1       2 x 3\n  b1       2\n  g        one number")
