"""Bad input gets a sentence with argument, value and range; good input comes back as a plain number."""

import re

import numpy as np
import pytest

from course_lib._ranges import choice, flag, number, real, whole

INF = float("inf")


def sentence(text: str) -> str:
    return f"^{re.escape(text)}$"


@pytest.mark.parametrize("value", [0.5, np.float32(0.5), np.array(0.5), 1, np.int64(1)])
def test_numbers_become_plain_floats(value):
    for found in (number("f", "x", value), real("f", "x", value)):
        assert type(found) is float
        assert found == float(value)


@pytest.mark.parametrize("value", ["1", None, True, np.True_, [1.0], np.ones(1), 1j])
def test_what_is_no_number_is_a_type_error(value):
    with pytest.raises(TypeError, match=sentence(f"f got x={value!r}; it must be a finite number, at least 0.")):
        number("f", "x", value, at_least=0)
    with pytest.raises(TypeError, match=sentence(f"f got x={value!r}; it must be a number.")):
        real("f", "x", value)


@pytest.mark.parametrize(
    ("limits", "inside", "outside", "told"),
    [
        ({}, [-1e300, 0.0, 1e300], [INF, -INF, np.nan], "a finite number."),
        ({"finite": False}, [INF, -INF, 0.0], [np.nan], "a number."),
        ({"at_least": 0}, [0.0, 1e300], [-1e-300, INF, np.nan], "a finite number, at least 0."),
        ({"above": 0}, [1e-300], [0.0, -1.0, INF, np.nan], "a finite number, above 0."),
        ({"at_most": 2}, [2.0, -9.0], [2.1, -INF, np.nan], "a finite number, at most 2."),
        ({"below": 2.5}, [2.4, -9.0], [2.5, np.nan], "a finite number, below 2.5."),
        ({"at_least": 0, "below": 1}, [0.0, 0.999], [1.0, -0.1], "a finite number, at least 0 and below 1."),
        ({"above": 0, "at_most": 1}, [1.0, 0.1], [0.0, 1.1], "a finite number, above 0 and at most 1."),
        ({"above": 0, "finite": False}, [INF, 1.0], [0.0, -INF, np.nan], "a number, above 0."),
    ],
)
def test_the_range_of_a_number(limits, inside, outside, told):
    for value in inside:
        assert number("f", "x", value, **limits) == value
    for value in outside:
        with pytest.raises(ValueError, match=sentence(f"f got x={value}; it must be {told}")):
            number("f", "x", value, **limits)


def test_real_lets_nan_and_infinity_through():
    assert real("f", "x", INF) == INF
    assert np.isnan(real("f", "x", np.nan))
    with pytest.raises(TypeError, match="it must be a score"):
        real("f", "x", "1", "a score")


def test_whole_numbers():
    assert type(whole("f", "n", np.int32(3), at_least=3)) is int
    for value in (2, np.int8(-1)):
        with pytest.raises(ValueError, match=sentence(f"f got n={value}; it must be a whole number, at least 3.")):
            whole("f", "n", value, at_least=3)
    for value in (3.0, "3", True, None, [3]):
        with pytest.raises(TypeError, match=sentence(f"f got n={value!r}; it must be a whole number, at least 3.")):
            whole("f", "n", value, at_least=3)


def test_flags():
    assert flag("f", "b", True) is True
    assert flag("f", "b", np.False_) is False
    for value in (1, 0.0, "yes", None):
        with pytest.raises(TypeError, match=sentence(f"f got b={value!r}; it must be True or False.")):
            flag("f", "b", value)


def test_choices():
    assert choice("f", "mode", "min", ("min", "max")) == "min"
    for value in ("mean", 1, None):
        with pytest.raises(ValueError, match=sentence(f"f got mode={value!r}; it must be one of 'min', 'max'.")):
            choice("f", "mode", value, ("min", "max"))
