"""Functions that cases hand to a learner: what a loss with its gradient answers."""

from __future__ import annotations

import json

import numpy as np
import pytest

from course_lib.exercises import functions
from course_lib.exercises.programs import Case, Function, call, decode_case, encode_case, run
from course_lib.gradcheck import numerical_gradient


def bowl(reach: float = np.inf, beyond: float = np.nan) -> Function:
    A = np.array([[2.0, 0.5], [0.5, 1.0]])
    given = {"A": A, "centre": np.array([1.0, -1.0]), "floor": 0.25, "reach": reach, "beyond": beyond}
    return Function("bowl_with_rim", given)


def test_a_bowl_with_a_rim_gives_its_loss_and_the_gradient_of_it() -> None:
    at = functions.build("bowl_with_rim", bowl().parameters)
    assert at(np.array([1.0, -1.0]))[0] == 0.25
    theta = np.array([0.3, 2.0])
    np.testing.assert_allclose(at(theta)[1], numerical_gradient(lambda t: at(t)[0], theta), rtol=1e-7)
    assert at(theta.astype(np.float32))[1].dtype == np.float32


@pytest.mark.parametrize("beyond", [np.nan, np.inf, 7.5])
def test_past_the_rim_the_loss_is_what_was_given_and_the_slope_goes_on(beyond: float) -> None:
    at = functions.build("bowl_with_rim", bowl(2.0, beyond).parameters)
    np.testing.assert_equal(at(np.array([3.1, -1.0]))[0], beyond)
    assert np.isfinite(at(np.array([3.0, -1.0]))[0])
    np.testing.assert_allclose(at(np.array([3.1, -1.0]))[1], [4.2, 1.05])


def test_listed_heights_are_those_of_the_nearest_place() -> None:
    slope = np.array([2.0, -1.0])
    at = functions.build(
        "listed_heights", {"places": np.array([0.0, 1.0, 3.0]), "heights": np.arange(3.0), "slope": slope}
    )
    assert [at(np.array([x, 9.0]))[0] for x in (-5, 0.4, 0.6, 1.9, 2.1, 50)] == [0, 0, 1, 1, 2, 2]
    mine = at(np.zeros(2))[1]
    mine += 1
    np.testing.assert_array_equal(at(np.zeros(2))[1], [2.0, -1.0])


def test_both_travel_as_text() -> None:
    heights = {"places": np.arange(3.0), "heights": np.array([1.0, np.nan, np.inf]), "slope": np.ones(1)}
    for function in (bowl(2.0), Function("listed_heights", heights)):
        case = Case((call("ask", loss_and_grad=function, theta=np.array([1.0, 9.0])),))
        sent = decode_case(json.loads(json.dumps(encode_case(case))))
        ask = {"ask": lambda loss_and_grad, theta: loss_and_grad(theta)}
        np.testing.assert_equal(run(sent, ask).value, run(case, ask).value)
