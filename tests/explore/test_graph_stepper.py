"""The graph stepper: what it computes, what it shows, and how it takes part the learner's own function."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from itertools import combinations, pairwise
from typing import Any

import numpy as np
import pytest

from course_lib.exercises.backpropagation import numerical_gradient
from course_lib.explore.graph_stepper import EXPRESSIONS, GraphStepper, by_differences, moment, step_count


@pytest.mark.parametrize("name", EXPRESSIONS)
def test_gradients_at_the_end_agree_with_differences(name: str) -> None:
    expression = EXPRESSIONS[name]
    rng = np.random.default_rng(0)
    for _ in range(20):
        inputs = {key: float(rng.uniform(-3, 3)) for key in expression.inputs}
        end = moment(expression, inputs, step_count(expression))
        found = by_differences(numerical_gradient, expression, inputs)
        assert not isinstance(found, str)
        np.testing.assert_allclose([end.grads[key] for key in inputs], found, rtol=1e-5, atol=1e-6)
        assert end.complete == set(end.grads)


@pytest.mark.parametrize("name", EXPRESSIONS)
def test_steps_go_forward_then_backward_one_operation_at_a_time(name: str) -> None:
    expression = EXPRESSIONS[name]
    half = step_count(expression) // 2
    moments = [moment(expression, expression.inputs, step) for step in range(2 * half + 1)]
    assert moments[0].known == set(expression.inputs)
    for step, (before, after) in enumerate(pairwise(moments), start=1):
        if step <= half:
            assert len(after.known - before.known) == 1
            assert not after.sent
        else:
            assert after.known == moments[-1].known
            assert before.sent.items() < after.sent.items()
            assert after.sentence.startswith("Backward")
    assert set(expression.places) == {node.name for node in moments[0].nodes}


def test_a_branch_adds_and_says_so() -> None:
    expression = EXPRESSIONS["a number used twice"]
    before, after = (moment(expression, {"x": 2.0, "w": 1.0}, step) for step in (3, 4))
    assert before.grads["x"] == 3.0
    assert "x" not in before.complete
    assert after.grads["x"] == 5.0
    assert "the two add up to 5" in after.sentence


def test_moving_anything_changes_the_picture() -> None:
    widget = GraphStepper()
    seen = [widget.picture]
    widget.step.value = 3
    seen.append(widget.picture)
    widget.sliders["w"].value = -1.0
    seen.append(widget.picture)
    widget.next.click()
    assert widget.step.value == 4
    seen.append(widget.picture)
    widget.back.click()
    assert widget.picture == seen[2]
    widget.graph.value = "a number used twice"
    assert widget.step.value == 0
    assert list(widget.sliders) == ["x", "w"]
    seen.append(widget.picture)
    assert all(one != other for one, other in combinations(seen, 2))


def test_the_buttons_stop_at_both_ends() -> None:
    widget = GraphStepper()
    widget.back.click()
    assert widget.step.value == 0
    for _ in range(50):
        widget.next.click()
    assert widget.step.value == widget.step.high == step_count(widget.expression)


def at_the_end(namespace: Mapping[str, Any]) -> GraphStepper:
    widget = GraphStepper(namespace)
    widget.step.value = widget.step.high
    return widget


def test_the_learners_function_is_called_and_compared() -> None:
    calls = []

    def mine(f: Any, theta: Any, h: float = 1e-5) -> Any:
        calls.append(theta)
        return numerical_gradient(f, theta, h)

    widget = at_the_end({"numerical_gradient": mine})
    assert calls
    assert "by backpropagation \u22123, yours by differences: \u22123 (they agree)" in " ".join(widget.told)
    assert "they differ" not in " ".join(widget.told)


def test_a_function_written_later_takes_part() -> None:
    namespace: dict[str, Any] = {}
    widget = at_the_end(namespace)
    assert "Once you have written numerical_gradient" in " ".join(widget.told)
    namespace["numerical_gradient"] = numerical_gradient
    widget.sliders["x"].value = 1.0
    assert "they agree" in " ".join(widget.told)


def not_written(f: Any, theta: Any, h: float = 1e-5) -> Any:
    raise NotImplementedError


def broken(f: Any, theta: Any, h: float = 1e-5) -> Any:
    raise TypeError("<b>no</b>")


@pytest.mark.parametrize(
    ("function", "sentence"),
    [
        (lambda f, theta: 2 * numerical_gradient(f, theta), "they differ"),
        (broken, "stopped with TypeError: <b>no</b>"),
        (lambda _f, _theta: np.zeros(9), "returned shape (9,); it should be (4,)"),
        (lambda _f, _theta: None, "returned shape ()"),
        (lambda _f, _theta: "a text", "stopped with ValueError"),
        (lambda _f, _theta: np.full(4, np.nan), "they differ"),
        (not_written, "Once you have written numerical_gradient"),
    ],
)
def test_a_broken_function_gives_a_sentence(function: Any, sentence: str) -> None:
    widget = at_the_end({"numerical_gradient": function})
    assert sentence in " ".join(widget.told)


def test_the_picture_has_words_and_they_follow() -> None:
    widget = GraphStepper()
    assert widget.picture["alt"].startswith("The graph of L = (relu(w * x + b) - t)**2, step 0 of 10.")
    widget.step.value = 10
    assert "step 10 of 10" in widget.picture["alt"]
    assert "Gradients: L 1, e \u22122" in widget.picture["alt"]
    assert widget.told[0].startswith("Backward: p has the gradient \u22122.")


def test_the_graph_shows_values_above_and_gradients_below() -> None:
    widget = at_the_end({})
    nodes = {mark["text"]: mark for mark in widget.picture["panels"][0]["marks"] if mark["kind"] == "node"}
    assert (nodes["w"]["above"], nodes["w"]["below"]) == ("1", "\u22123")
    assert nodes["p"]["active"]
    assert not nodes["w"]["round"]


def test_the_prediction_is_answered_when_the_learner_gets_there() -> None:
    widget = GraphStepper()
    assert widget.asked["state"] == "open"
    widget.predict("\u22123")
    widget.sliders["b"].value = -2
    widget.step.value = 7
    assert widget.asked["outcome"] == ""
    widget.step.value = 10
    assert widget.asked["answer"] == "\u22123"
    assert widget.asked["outcome"].startswith("with b = \u22122 the gradient along w is 0: the ReLU is off")
    widget.sliders["b"].value = 1
    assert widget.asked["outcome"], "what came out stays"


def test_without_a_kernel_there_is_a_picture_and_a_fixed_text() -> None:
    moved = at_the_end({"numerical_gradient": numerical_gradient})
    moved.sliders["x"].value = -2.0
    bundles = [one._repr_mimebundle_() for one in (GraphStepper(), moved)]
    (first, words), (second, _) = (bundle for bundle in bundles if bundle is not None)
    assert first["text/plain"] == second["text/plain"]
    assert first["text/plain"].startswith("A graph to step through. The graph of L = (relu(w * x + b) - t)**2")
    assert base64.b64decode(first["image/png"]).startswith(b"\x89PNG")
    assert words["image/png"]["alt"]
    assert first["text/html"] == second["text/html"]
    assert first["text/html"].startswith('<img alt="The graph of L = ')
    assert "application/vnd.jupyter.widget-view+json" in first
