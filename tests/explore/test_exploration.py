"""What all widgets share: moves wait for each other, endless loops end, and prints of a running cell stay its own."""

from __future__ import annotations

import sys
import threading
import time
from typing import Any

import pytest

from course_lib.exercises.adaptive_optimizers import adam_step
from course_lib.exercises.backpropagation import numerical_gradient
from course_lib.explore import graph_stepper
from course_lib.explore.exploration import Exploration, limited
from course_lib.explore.graph_stepper import GraphStepper
from course_lib.explore.optimizer_race import OptimizerRace
from tests.explore.watching import unwatched


def endless(*_a: Any) -> Any:
    while True: pass  # fmt: skip  # noqa: E701 - on one line, where Python 3.11 tells a tracer of no line


@unwatched
def test_a_loop_without_end_is_ended_and_everything_else_is_not() -> None:
    with pytest.raises(TimeoutError, match=r"after 0.05 seconds \(is there a loop that never ends\?\)"), limited(0.05):
        endless()
    assert sys.gettrace() is None
    with limited(60):
        assert sum(range(1000)) == 499500
    assert sys.gettrace() is None


@unwatched
def test_a_widget_says_so_and_does_not_try_the_same_function_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("course_lib.explore.exploration.SECONDS", 0.3)
    calls: list[int] = []

    def mine(*_a: Any) -> Any:
        calls.append(1)
        endless()

    names: dict[str, Any] = {"adam_step": mine}
    race = OptimizerRace(names)
    said = "Your adam_step stopped with TimeoutError: it had not ended after 0.3 seconds"
    assert said in " ".join(race.told)
    race.steps.value = 30
    race.best.click()
    assert said in " ".join(race.told)
    assert len(calls) == 1
    names["adam_step"] = adam_step
    race.steps.value = 20
    assert "Adam (yours)" in " ".join(race.told)


@unwatched
def test_the_stepper_says_so_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("course_lib.explore.exploration.SECONDS", 0.3)
    names: dict[str, Any] = {"numerical_gradient": endless}
    stepper = GraphStepper(names)
    stepper.step.value = stepper.step.high
    assert "Your numerical_gradient stopped with TimeoutError: it had not ended" in " ".join(stepper.told)
    names["numerical_gradient"] = numerical_gradient
    stepper.sliders["x"].value = 1.0
    assert "they agree" in " ".join(stepper.told)


def test_two_sliders_of_the_stepper_are_answered_one_after_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in JupyterLab, which may answer them in two threads."""
    stepper = GraphStepper()
    busy: list[int] = []
    most: list[int] = []
    drawn = graph_stepper.panel

    def slowly(*arguments: Any) -> Any:
        busy.append(1)
        most.append(len(busy))
        time.sleep(0.05)
        busy.pop()
        return drawn(*arguments)

    monkeypatch.setattr(graph_stepper, "panel", slowly)
    moves = [threading.Thread(target=setattr, args=(slider, "value", 0.5)) for slider in stepper.sliders.values()]
    for move in moves:
        move.start()
    for move in moves:
        move.join()
    assert max(most) == 1


@pytest.mark.parametrize("kind", [GraphStepper, OptimizerRace])
def test_what_a_cell_prints_while_a_widget_moves_stays_its_own(
    kind: type[Exploration], capsys: pytest.CaptureFixture[str]
) -> None:
    """The learner's function runs in a thread beside the cell; the cell prints meanwhile."""
    inside, printed = threading.Event(), threading.Event()

    def mine(*_a: Any) -> Any:
        inside.set()
        printed.wait(30)
        raise ValueError

    names: dict[str, Any] = {}
    widget: Any = kind(names)
    names |= {"adam_step": mine, "numerical_gradient": mine}
    move = threading.Thread(target=setattr, args=(widget.step if kind is GraphStepper else widget.steps, "value", 10))
    move.start()
    assert inside.wait(30)
    print("from the cell")
    printed.set()
    move.join()
    assert capsys.readouterr().out == "from the cell\n"
