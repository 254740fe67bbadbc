"""Backpropagation on single numbers: every operation remembers where its inputs came from and how steep it was there.

    x, y = Value(2.0, "x"), Value(3.0, "y")
    f = x * y + x.exp()
    f.backward()
    x.grad                  # df/dx = y + exp(x)

Going forward, an operation notes for each input its *local slope*: how much its result changes for each unit its input
does. Going backward, a node's gradient is the sum over the nodes that use it of their gradient times that slope: the
chain rule, and branches add. The idea of a graph of numbers small enough to watch is that of Karpathy's micrograd.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple, Self


class Edge(NamedTuple):
    """One use of a number by an operation: `source` goes into `target`, which is `slope` times as steep there."""

    source: "Value"
    target: "Value"
    slope: float


@dataclass(frozen=True)
class BackwardStep:
    """One node passes its gradient on.

    Attributes:
        node: the node, whose gradient is now complete.
        grad: that gradient.
        sent: for each edge into the node, what went along it: `node.grad * edge.slope`, added to the source's gradient.
    """

    node: "Value"
    grad: float
    sent: tuple[tuple[Edge, float], ...]


class Value:
    """A number in a graph.

    Args:
        data: the number.
        name: what to call it in pictures; may be empty.

    Attributes:
        data: the number, as it was computed; assign to a starting value and build the expression again to change it.
        grad: how much the end result changes for each unit this number does; 0 until `backward`.
        name: its name.
        op: the operation that made it, such as "+" or "tanh"; empty for a number you gave.
        inputs: the edges into it, one for each operand, in order; empty for a number you gave.
    """

    def __init__(self, data: float, name: str = "") -> None:
        self.data = float(data)
        self.grad = 0.0
        self.name = name
        self.op = ""
        self.inputs: tuple[Edge, ...] = ()

    @classmethod
    def _made(cls, op: str, data: float, *operands: tuple[Self, float]) -> Self:
        node = cls(data)
        node.op = op
        node.inputs = tuple(Edge(source, node, slope) for source, slope in operands)
        return node

    def named(self, name: str) -> Self:
        """Give this number a name; returns it, as in `h = (w * x + b).named("h")`."""
        self.name = name
        return self

    def __add__(self, other: "Value | float") -> "Value":
        other = as_value(other)
        return Value._made("+", self.data + other.data, (self, 1.0), (other, 1.0))

    def __sub__(self, other: "Value | float") -> "Value":
        other = as_value(other)
        return Value._made("-", self.data - other.data, (self, 1.0), (other, -1.0))

    def __mul__(self, other: "Value | float") -> "Value":
        other = as_value(other)
        return Value._made("*", self.data * other.data, (self, other.data), (other, self.data))

    def __truediv__(self, other: "Value | float") -> "Value":
        other = as_value(other)
        if other.data == 0:
            raise ZeroDivisionError(f"{self} is divided by 0; nothing can be.")
        quotient = self.data / other.data
        return Value._made("/", quotient, (self, 1 / other.data), (other, -quotient / other.data))

    def __pow__(self, exponent: float) -> "Value":
        if not isinstance(exponent, int | float):
            raise TypeError(
                f"the exponent is {exponent!r}; ** takes a plain number. For a**b write (b * a.log()).exp()."
            )
        x, n = self.data, float(exponent)
        if (x < 0 and n != round(n)) or (x == 0 and n < 1 and n != 0):
            raise ValueError(f"{x:g} ** {n:g} has no value or no slope; the base must be above 0 for this exponent.")
        return Value._made(f"**{exponent:g}", x**n, (self, n * x ** (n - 1) if n else 0.0))

    def __neg__(self) -> "Value":
        return Value._made("neg", -self.data, (self, -1.0))

    def __radd__(self, other: float) -> "Value":
        return as_value(other) + self

    def __rsub__(self, other: float) -> "Value":
        return as_value(other) - self

    def __rmul__(self, other: float) -> "Value":
        return as_value(other) * self

    def __rtruediv__(self, other: float) -> "Value":
        return as_value(other) / self

    def exp(self) -> "Value":
        """e to the power of this number; its own slope."""
        try:
            result = math.exp(self.data)
        except OverflowError:
            raise OverflowError(f"exp({self.data:g}) is too large for a number; stay below 709.") from None
        return Value._made("exp", result, (self, result))

    def log(self) -> "Value":
        """The natural logarithm; the number must be above 0."""
        if not self.data > 0:
            raise ValueError(f"log({self.data:g}) does not exist; the number must be above 0.")
        return Value._made("log", math.log(self.data), (self, 1 / self.data))

    def tanh(self) -> "Value":
        """The hyperbolic tangent, between -1 and 1."""
        result = math.tanh(self.data)
        return Value._made("tanh", result, (self, 1 - result * result))

    def relu(self) -> "Value":
        """`max(x, 0)`; the slope at 0 is taken as 0."""
        return Value._made("relu", max(self.data, 0.0), (self, float(self.data > 0)))

    def topological_order(self) -> list["Value"]:
        """All numbers this one depends on, and itself last: every number after its inputs."""
        order: list[Value] = []
        seen: set[int] = set()
        waiting = [(self, False)]
        while waiting:  # a loop, because a long sum is deeper than Python lets functions call themselves
            node, inputs_done = waiting.pop()
            if inputs_done:
                order.append(node)
            elif id(node) not in seen:
                seen.add(id(node))
                waiting.append((node, True))
                waiting.extend((edge.source, False) for edge in reversed(node.inputs))
        return order

    def edges(self) -> list[Edge]:
        """All edges of the graph that ends here, in the order in which the forward pass uses them."""
        return [edge for node in self.topological_order() for edge in node.inputs]

    def backward_steps(self) -> Iterator[BackwardStep]:
        """Backpropagation, one node at a time: take the next step and look.

        Sets every gradient of the graph to 0 when the first step is taken, and this number's own to 1.
        """
        order = self.topological_order()
        for node in order:
            node.grad = 0.0
        self.grad = 1.0
        for node in reversed(order):
            sent = tuple((edge, node.grad * edge.slope) for edge in node.inputs)
            for edge, amount in sent:
                edge.source.grad += amount
            yield BackwardStep(node, node.grad, sent)

    def backward(self) -> None:
        """Fill in `grad` for every number this one depends on.

        Gradients start afresh: a second call gives the same result. (PyTorch would add to the first.)
        """
        for _ in self.backward_steps():
            pass

    def __repr__(self) -> str:
        name = f"{self.name} = " if self.name else ""
        made = f" ({self.op})" if self.op else ""
        return f"Value({name}{self.data:g}{made}, grad {self.grad:g})"


def as_value(number: Value | float) -> Value:
    """The number as a node; a plain one becomes a new constant, named by its digits."""
    return number if isinstance(number, Value) else Value(number, f"{number:g}")
