"""`mine_or_course`: the learner's function where it is right, else the course's and one sentence."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

from course_lib.exercises.backpropagation import relu_backward
from course_lib.learner import mine_or_course


def mine(dout: Any, x: Any) -> Any:
    print("working")
    warnings.warn("a warning of mine", stacklevel=1)
    return np.where(x > 0, dout, 0)


def test_a_right_function_is_used_in_silence(capsys: pytest.CaptureFixture[str]) -> None:
    assert mine_or_course("relu_backward", {"relu_backward": mine}) is mine
    out, err = capsys.readouterr()
    assert (out, err) == ("", "")


def not_written(dout: Any, x: Any) -> Any:
    raise NotImplementedError


@pytest.mark.parametrize(
    ("namespace", "reason"),
    [
        ({}, "is not written yet"),
        ({"relu_backward": not_written}, "is not written yet"),
        ({"relu_backward": lambda dout, _x: dout}, "does not pass its whole check yet"),
        ({"relu_backward": lambda dout, x: dout * (x >= 0)}, "does not pass its whole check yet"),
        ({"relu_backward": lambda _dout, _x: 1 / 0}, "does not pass its whole check yet"),
        ({"relu_backward": 3}, "does not pass its whole check yet"),
    ],
)
def test_otherwise_the_course_stands_in_and_says_so(
    namespace: dict[str, Any], reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert mine_or_course("relu_backward", namespace) is relu_backward
    said = capsys.readouterr().out
    assert said == f"Your relu_backward {reason}, so this cell goes on with the course's version.\n"


def test_another_stand_in_may_be_given() -> None:
    assert mine_or_course("relu_backward", {}, course_version=abs) is abs


def test_an_unknown_name_is_an_error() -> None:
    with pytest.raises(KeyError, match="relu_backward"):
        mine_or_course("relu_backwards", {})


def test_a_right_but_slow_function_stands_aside(capsys: pytest.CaptureFixture[str]) -> None:
    batch = (np.ones(3), np.ones(3))
    assert mine_or_course("relu_backward", {"relu_backward": mine}, arguments=batch, seconds=60) is mine
    assert mine_or_course("relu_backward", {"relu_backward": mine}, arguments=batch, seconds=0) is relu_backward
    assert "Your relu_backward is right, but takes " in capsys.readouterr().out
