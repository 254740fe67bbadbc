"""Vectors and workspaces begin at cache lines, also after copies and pickles."""

import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from course_lib._memory import aligned_zeros, aligned_zeros_like
from course_lib.network import MLP
from course_lib.optimizers import Adam


def begins_at_a_line(array: np.ndarray) -> bool:
    return array.ctypes.data % 64 == 0


@given(st.lists(st.integers(1, 9), max_size=3), st.sampled_from([np.float32, np.float64]))
def test_zeros_of_any_shape_begin_at_a_line(shape, dtype):
    array = aligned_zeros(tuple(shape), dtype)
    assert array.shape == tuple(shape)
    assert array.dtype == dtype
    assert array.flags.c_contiguous
    assert array.flags.writeable
    assert begins_at_a_line(array)
    np.testing.assert_array_equal(array, np.zeros(shape))
    assert aligned_zeros_like(array).shape == array.shape


@pytest.mark.parametrize("duplicate", [lambda m: m, MLP.copy, lambda m: pickle.loads(pickle.dumps(m))])
def test_what_a_training_step_works_on_begins_at_lines(duplicate):
    model = duplicate(MLP([5, 7, 3], rng=np.random.default_rng(0)))
    for _ in range(2):
        model.backward(model.forward(np.ones((4, 5))))
    optimizer = Adam(model.parameters)
    work = model._current
    arrays = [model.parameters.theta, model.parameters.grad, optimizer.m, optimizer.v]
    arrays += [array for array in (*work.outs, *work.douts) if array is not None]
    assert len(arrays) == 4 + 2 + 2
    assert all(begins_at_a_line(array) for array in arrays)
