"""A small computation, one operation at a time: forward with values, backward with gradients, on every edge.

    GraphStepper(globals())

The graph is that of `course_lib.graph`. Each gradient is also found by the learner's own `numerical_gradient`, looked
up anew at every move, so that it takes part as soon as it is written.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from course_lib._typing import Array
from course_lib.explore.controls import Button, Choice, Slider
from course_lib.explore.exploration import Exploration
from course_lib.explore.marks import Arrow, Mark, Node, Text
from course_lib.explore.prediction import Prediction
from course_lib.explore.scene import Panel, Scene, number
from course_lib.graph import BackwardStep, Value

SYMBOLS = {"*": "\u00d7", "-": "\u2212", "**2": "( )\u00b2"}
CLOSE = 1e-4
"""Relative difference up to which a slope by differences agrees with a gradient."""


@dataclass(frozen=True)
class Expression:
    """A computation to walk through.

    Attributes:
        formula: how it is written.
        inputs: name -> value at the start.
        build: takes the inputs by name, returns the end of the graph; every node has a name.
        places: where each node stands, in units of one operation.
    """

    formula: str
    inputs: Mapping[str, float]
    build: Callable[..., Value]
    places: Mapping[str, tuple[float, float]]


def _neuron(x: Value, w: Value, b: Value, t: Value) -> Value:
    p = (w * x).named("p")
    z = (p + b).named("z")
    h = z.relu().named("h")
    e = (h - t).named("e")
    return (e**2).named("L")


def _used_twice(x: Value, w: Value) -> Value:
    s = (x + w).named("s")
    return (s * x).named("L")


def _two_layers(x: Value, w: Value, v: Value, t: Value) -> Value:
    h = (w * x).named("z").relu().named("h")
    y = ((v * h).named("q") + x).named("y")
    return ((y - t).named("e") ** 2).named("L")


EXPRESSIONS = {
    "one neuron": Expression(
        "L = (relu(w * x + b) - t)**2",
        {"x": 1.5, "w": 1.0, "b": -0.5, "t": 2.0},
        _neuron,
        {
            "x": (0, 2),
            "w": (0, 1),
            "b": (1, 0),
            "p": (1, 1.5),
            "z": (2, 1),
            "h": (3, 1),
            "t": (3, 0),
            "e": (4, 0.7),
            "L": (5, 0.7),
        },
    ),
    "a number used twice": Expression(
        "L = (x + w) * x",
        {"x": 2.0, "w": 1.0},
        _used_twice,
        {"x": (0, 1.5), "w": (0, 0), "s": (1.5, 0.4), "L": (3, 1)},
    ),
    "two layers and a shortcut": Expression(
        "L = (v * relu(w * x) + x - t)**2",
        {"x": 1.0, "w": 0.5, "v": -1.0, "t": 1.5},
        _two_layers,
        {
            "x": (0, 2),
            "w": (0, 0.8),
            "z": (1, 1.2),
            "h": (2, 1.2),
            "v": (2, 0.2),
            "q": (3, 0.9),
            "y": (4, 1.5),
            "t": (4, 0.3),
            "e": (5, 1.1),
            "L": (6, 1.1),
        },
    ),
}


@dataclass(frozen=True)
class Moment:
    """The graph after some steps.

    Attributes:
        nodes: all of them, each after its inputs.
        known: names whose value has been computed.
        sent: (source, target, operand) -> the gradient that has gone back along that edge.
        grads: name -> the gradient so far, for nodes that any has reached.
        complete: names whose gradient is complete.
        active: the node at work in this step.
        sentence: what happens in this step.
    """

    nodes: list[Value]
    known: set[str]
    sent: dict[tuple[str, str, int], float]
    grads: dict[str, float]
    complete: set[str]
    active: str
    sentence: str


def step_count(expression: Expression) -> int:
    """How many steps there are: each operation once forward and once backward."""
    end = expression.build(**{name: Value(value, name) for name, value in expression.inputs.items()})
    return 2 * sum(bool(node.inputs) for node in end.topological_order())


def moment(expression: Expression, inputs: Mapping[str, float], step: int) -> Moment:
    """The graph at these inputs after `step` steps, from 0 (nothing computed) to `step_count`."""
    end = expression.build(**{name: Value(value, name) for name, value in inputs.items()})
    nodes = end.topological_order()
    operations = [node for node in nodes if node.inputs]
    known = set(inputs) | {node.name for node in operations[:step]}
    if step == 0:
        return Moment(nodes, known, {}, {}, set(), "", "Only the inputs are known. Take the first step forward.")
    if step <= len(operations):
        node = operations[step - 1]
        text = f"Forward: {node.name} = {_operation(node)} = {number(node.data)}."
        return Moment(nodes, known, {}, {}, set(), node.name, text)
    wanted = step - len(operations)
    taken: list[BackwardStep] = []
    for passed in end.backward_steps():
        if len(taken) == wanted:
            break
        if passed.node.inputs:
            taken.append(passed)
    sent = {(e.source.name, s.node.name, i): g for s in taken for i, (e, g) in enumerate(s.sent)}
    grads = {end.name: 1.0}
    for (source, _, _), amount in sent.items():
        grads[source] = grads.get(source, 0.0) + amount
    waiting = {
        edge.source.name
        for node in operations
        for i, edge in enumerate(node.inputs)
        if (edge.source.name, node.name, i) not in sent
    }
    complete = {name for name in grads if name not in waiting}
    return Moment(nodes, known, sent, grads, complete, taken[-1].node.name, _told(taken, grads))


def _operation(node: Value) -> str:
    names = [edge.source.name for edge in node.inputs]
    if len(names) == 2:
        return f"{names[0]} {node.op} {names[1]}"
    return names[0] + node.op if node.op.startswith("**") else f"{node.op}({names[0]})"


def _told(taken: list[BackwardStep], grads: Mapping[str, float]) -> str:
    step = taken[-1]
    begin = f"Backward: {step.node.name} has the gradient {number(step.grad)}"
    if len(taken) == 1:
        begin += f", for {step.node.name} rises by 1 when {step.node.name} does"
    parts = [
        f"{edge.source.name} gets {number(step.grad)} times the local slope {number(edge.slope)}, "
        f"which is {number(amount)}"
        for edge, amount in step.sent
    ]
    text = f"{begin}. {'; '.join(parts)}."
    earlier = {edge.source.name for old in taken[:-1] for edge, _ in old.sent}
    for edge, _ in step.sent:
        if edge.source.name in earlier:
            name = edge.source.name
            text += f" {name} had a gradient from its other use already: the two add up to {number(grads[name])}."
    return text


def panel(expression: Expression, now: Moment) -> Panel:
    """The graph: values above in blue, gradients below in vermillion, on every node and edge that has one."""
    width = max(x for x, _ in expression.places.values())
    drawn: list[Mark] = [
        _edge(expression, edge.source, node, operand, now)
        for node in now.nodes
        for operand, edge in enumerate(node.inputs)
    ]
    drawn += [_node(expression, node, now) for node in now.nodes]
    drawn += [
        Text(-0.4, 2.85, expression.formula, align="start"),
        Text(width + 0.4, 2.85, "above: value", "blue", align="end"),
        Text(width + 0.4, 2.85, "below: gradient", "vermillion", align="end", dy=18),
    ]
    return Panel(drawn, xlim=(-0.4, width + 0.4), ylim=(-0.5, 3.0), axes=False, height=350)


def _edge(expression: Expression, source: Value, node: Value, operand: int, now: Moment) -> Arrow:
    amount = now.sent.get((source.name, node.name, operand))
    passed = {} if amount is None else {"look": "vermillion", "width": 2.4, "below": number(amount)}
    value = number(source.data) if node.name in now.known else ""
    return Arrow(expression.places[source.name], expression.places[node.name], gap=22, above=value, **passed)  # type: ignore[arg-type]


def _node(expression: Expression, node: Value, now: Moment) -> Node:
    some = "" if node.name in now.complete else " so far"
    return Node(
        *expression.places[node.name],
        text=node.name,
        under=SYMBOLS.get(node.op, node.op) if node.inputs else "",
        above=number(node.data) if node.name in now.known else "",
        below=number(now.grads[node.name]) + some if node.name in now.grads else "",
        round=bool(node.inputs),
        active=node.name == now.active,
    )


def by_differences(function: Callable[..., Any], expression: Expression, inputs: Mapping[str, float]) -> Array | str:
    """The gradient at `inputs` as the learner's `numerical_gradient` finds it, or a sentence about why it does not.

    Raises:
        TimeoutError: the learner's function ran out of its time.
    """
    names = list(inputs)

    def f(theta: Array) -> float:
        values = {name: Value(float(value), name) for name, value in zip(names, theta, strict=True)}
        return expression.build(**values).data

    theta = np.array([inputs[name] for name in names])
    try:
        with np.errstate(all="ignore"):
            found = np.asarray(function(f, theta), dtype=np.float64)
    except NotImplementedError:
        return NOT_WRITTEN
    except TimeoutError:
        raise
    except Exception as error:  # noqa: BLE001 - whatever a learner's code raises becomes a sentence
        return _stopped(error)
    if found.shape != theta.shape:
        return (
            f"Your numerical_gradient returned shape {found.shape}; it should be {theta.shape}. See its check, below."
        )
    return found


def _stopped(error: Exception) -> str:
    stopped = f"{type(error).__name__}: {error}"[:200]
    return f"Your numerical_gradient stopped with {stopped}. Its check, below, helps you on."


NOT_WRITTEN = (
    "Once you have written numerical_gradient (in Build, below), come back and move something: your differences then "
    "stand beside every gradient."
)


class GraphStepper(Exploration):
    """Step through a graph, move its inputs, and see values and gradients.

    Args:
        namespace: where the learner's `numerical_gradient` is looked up, at every move; in a notebook `globals()`.

    Attributes:
        graph, step, back, next: the choice of the graph, the slider of steps and the two buttons beside it.
        sliders: name -> the slider of that input, for the graph that is shown.
    """

    name = "A graph to step through"

    def __init__(self, namespace: Mapping[str, Any] | None = None) -> None:
        self.graph = Choice("graph", list(EXPRESSIONS))
        self.step = Slider("step", 0, low=0, high=1, step=1)
        self.back = Button("Back", lambda: self._move(-1), "One step back")
        self.next = Button("Forward", lambda: self._move(1), "One step on")
        self.sliders: dict[str, Slider] = {}
        self._shown = ""
        question = "In one neuron, b falls from \u22120.5 to \u22122. What will the gradient along w be then?"
        super().__init__([], namespace, Prediction(question, low=-100, high=100))

    @property
    def expression(self) -> Expression:
        """The computation that is shown."""
        return EXPRESSIONS[self.graph.value]

    @property
    def inputs(self) -> dict[str, float]:
        """The inputs as the sliders stand."""
        return {name: float(slider.value) for name, slider in self.sliders.items()}

    def settle(self) -> None:
        """A graph just chosen begins at its own inputs, at step 0."""
        if self.graph.value == self._shown:
            return
        self._shown = self.graph.value
        self.sliders = {
            name: Slider(name, value, low=-3, high=3, step=0.1) for name, value in self.expression.inputs.items()
        }
        self.step.value = 0
        self.step.high = step_count(self.expression)
        sliders = list(self.sliders.values())
        self.arrange([[self.graph], sliders[:2], sliders[2:], [self.step, self.back, self.next]])

    def _move(self, by: int) -> None:
        self.step.value = min(max(self.step.value + by, 0), self.step.high)

    def _now(self) -> Moment:
        return moment(self.expression, self.inputs, self.step.value)

    def scene(self) -> Scene:
        """The graph at this step, the step in words, and the gradients of the inputs that are complete."""
        now = self._now()
        alt = _alt(self.expression, now, self.step.value, self.step.high)
        return Scene([panel(self.expression, now)], alt, [now.sentence, *self._gradients(now)])

    def came_out(self) -> str | None:
        """The gradient along w once b was moved to where it was asked for, and w's gradient is complete."""
        if self.graph.value != "one neuron" or self.sliders["b"].value > -2 + 1e-6:
            return None
        now = self._now()
        if "w" not in now.complete:
            return None
        why = ": the ReLU is off, and nothing passes below it" if now.grads["w"] == 0 else ""
        return f"with b = {number(self.sliders['b'].value)} the gradient along w is {number(now.grads['w'])}{why}."

    def _gradients(self, now: Moment) -> list[str]:
        """The gradients of the inputs that are complete, beside the learner's own differences."""
        done = [name for name in self.sliders if name in now.complete]
        if not done:
            return []
        function = self.own("numerical_gradient")
        found: Array | str = NOT_WRITTEN
        if function is not None:
            try:
                with self.limited("numerical_gradient"):
                    found = by_differences(function, self.expression, self.inputs)
            except TimeoutError as error:
                found = _stopped(error)
        lines = []
        for place, name in enumerate(self.sliders):
            if name in done:
                said = f"dL/d{name}: by backpropagation {number(now.grads[name])}"
                if not isinstance(found, str):
                    said += f", yours by differences: {number(round(float(found[place]), 6))} "
                    near = abs(found[place] - now.grads[name]) <= CLOSE * max(1.0, abs(now.grads[name]))
                    said += "(they agree)" if near else "(they differ)"
                lines.append(f"{said}.")
        return [*lines, found] if isinstance(found, str) else lines

    def scene_at_rest(self) -> Scene:
        """The neuron after its last step."""
        self.step.value = self.step.high
        return self.scene()


def _alt(expression: Expression, now: Moment, step: int, last: int) -> str:
    values = ", ".join(f"{node.name} = {number(node.data)}" for node in now.nodes if node.name in now.known)
    text = f"The graph of {expression.formula}, step {step} of {last}. Values: {values}."
    if now.grads:
        text += f" Gradients: {', '.join(f'{name} {number(grad)}' for name, grad in now.grads.items())}."
    return text
