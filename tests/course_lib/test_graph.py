"""The scalar graph: values and gradients against arithmetic and differences, and the traps of such graphs."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from course_lib.graph import Value

SMALL = st.floats(0.2, 3.0)


def sample(x, y):
    """An expression that uses every operation, plain numbers on both sides, and both inputs more than once."""
    return (
        (x * y + 2) / (y + 0.5)
        - (3 - x) ** 2
        + (2 * x).tanh() * y.log()
        + (-y).exp()
        + (x - 1).relu() * y**-1.5
        + 1 / x
        + (1 + x) ** 0
        + (4 + y)
    )


def plain(x: float, y: float) -> float:
    """The same in ordinary arithmetic."""
    return (
        (x * y + 2) / (y + 0.5)
        - (3 - x) ** 2
        + math.tanh(2 * x) * math.log(y)
        + math.exp(-y)
        + max(x - 1, 0) * y**-1.5
        + 1 / x
        + 1
        + (4 + y)
    )


@given(SMALL, SMALL)
def test_value_and_gradients_are_right(a, b):
    x, y = Value(a), Value(b)
    f = sample(x, y)
    f.backward()
    assert f.data == pytest.approx(plain(a, b), rel=1e-12, abs=1e-12)
    h = 1e-6
    if abs(a - 1) > 2 * h:  # no kink in between
        assert x.grad == pytest.approx((plain(a + h, b) - plain(a - h, b)) / (2 * h), rel=1e-5, abs=1e-6)
        assert y.grad == pytest.approx((plain(a, b + h) - plain(a, b - h)) / (2 * h), rel=1e-5, abs=1e-6)


def test_branches_add():
    x = Value(3.0)
    f = x * x + x
    f.backward()
    assert x.grad == 7.0


def test_a_second_backward_does_not_double():
    x = Value(2.0)
    f = (x**3).exp() / x
    f.backward()
    once = x.grad
    f.backward()
    assert x.grad == once
    assert f.grad == 1.0


def test_two_results_of_one_input_do_not_mix():
    x = Value(2.0)
    first, second = x * 3, x * x
    first.backward()
    second.backward()
    assert x.grad == 4.0


def test_order_edges_and_steps_tell_the_story():
    x, y = Value(2.0, "x"), Value(3.0, "y")
    product = (x * y).named("p")
    f = (product + x).named("f")
    assert [node.name for node in f.topological_order()] == ["x", "y", "p", "f"]
    assert [(e.source.name, e.target.name, e.slope) for e in f.edges()] == [
        ("x", "p", 3.0),
        ("y", "p", 2.0),
        ("p", "f", 1.0),
        ("x", "f", 1.0),
    ]
    assert [node.op for node in (x, product, f)] == ["", "*", "+"]
    steps = f.backward_steps()
    first = next(steps)
    assert (first.node, first.grad) == (f, 1.0)
    assert [(edge.source.name, amount) for edge, amount in first.sent] == [("p", 1.0), ("x", 1.0)]
    assert (x.grad, y.grad) == (1.0, 0.0)  # half-way: x has heard from one of its two users
    second = next(steps)
    assert (second.node, second.grad) == (product, 1.0)
    assert (x.grad, y.grad) == (4.0, 2.0)
    assert [step.sent for step in steps] == [(), ()]


def test_very_long_chains_work():
    x = Value(1.0)
    f = x
    for _ in range(20_000):
        f = f + x
    f.backward()
    assert x.grad == 20_001


@pytest.mark.parametrize(
    ("compute", "error", "message"),
    [
        (lambda: Value(0.0).log(), ValueError, r"log\(0\) does not exist"),
        (lambda: Value(math.nan).log(), ValueError, "must be above 0"),
        (lambda: Value(1.0) / Value(0.0), ZeroDivisionError, "divided by 0"),
        (lambda: 1 / Value(0.0), ZeroDivisionError, "divided by 0"),
        (lambda: Value(1000.0).exp(), OverflowError, "stay below 709"),
        (lambda: Value(-1.0) ** 0.5, ValueError, "base must be above 0"),
        (lambda: Value(0.0) ** 0.5, ValueError, "base must be above 0"),
        (lambda: Value(0.0) ** -1, ValueError, "base must be above 0"),
        (lambda: Value(2.0) ** Value(3.0), TypeError, "takes a plain number"),
    ],
)
def test_what_has_no_value_or_slope_gets_a_sentence(compute, error, message):
    with pytest.raises(error, match=message):
        compute()


@pytest.mark.parametrize(("base", "exponent", "slope"), [(0.0, 2, 0.0), (0.0, 1, 1.0), (-2.0, 3, 12.0), (5.0, 0, 0.0)])
def test_powers_at_the_edge(base, exponent, slope):
    x = Value(base)
    f = x**exponent
    f.backward()
    assert f.data == base**exponent
    assert x.grad == slope


def test_relu_slope_at_zero_is_zero():
    x = Value(0.0)
    x.relu().backward()
    assert x.grad == 0.0


def test_repr_names_value_operation_and_gradient():
    x = Value(2.0, "x")
    f = (x * 3).named("f")
    f.backward()
    assert repr(f) == "Value(f = 6 (*), grad 1)"
    assert repr(x) == "Value(x = 2, grad 3)"
    assert repr(Value(1.5)) == "Value(1.5, grad 0)"
