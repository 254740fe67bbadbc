"""A budget of processor time: what uses too much is ended, what waits or is quick is not, and nothing comes late."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import pytest

from course_lib.budget import OverBudget, processor_time


def spin(seconds: float) -> int:
    """Use the processor for so long."""
    end = time.process_time() + seconds
    rounds = 0
    while time.process_time() < end:
        rounds += 1
    return rounds


def test_work_within_its_budget_is_left_alone() -> None:
    with processor_time(20.0):
        assert spin(0.05) > 0


def test_waiting_costs_nothing() -> None:
    with processor_time(0.1):
        time.sleep(0.4)


def test_endless_work_is_ended() -> None:
    begin = time.process_time()
    with pytest.raises(OverBudget), processor_time(0.2):
        spin(float("inf"))
    assert time.process_time() - begin < 3


def test_work_that_catches_every_exception_is_told_again() -> None:
    caught: list[type] = []

    def stubborn() -> None:
        while True:
            try:
                spin(float("inf"))
            except BaseException as error:
                caught.append(type(error))
                if len(caught) == 2:
                    raise

    with pytest.raises(OverBudget), processor_time(0.1):
        stubborn()
    assert caught == [OverBudget, OverBudget]
    assert not issubclass(OverBudget, Exception)


def test_nothing_is_thrown_after_the_block_and_no_thread_is_left() -> None:
    before = threading.active_count()
    for _ in range(20):
        with pytest.raises(OverBudget), processor_time(0.01):
            spin(5.0)
        spin(0.01)
    assert threading.active_count() == before


@pytest.mark.parametrize("seconds", [20.0, 0.01])
def test_a_trace_function_set_afterwards_does_not_hold_the_process_up(seconds: float) -> None:
    """In a process of its own: what would be held up is the interpreter itself."""
    program = f"""
import sys
from contextlib import suppress
from course_lib.budget import OverBudget, processor_time

for _ in range(10):
    with suppress(OverBudget), processor_time({seconds}):
        sum(i for i in range(1_000_000))
sys.settrace(lambda frame, event, arg: None)
print(sum(i for i in range(10)))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "45\n"


def test_a_budget_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="must be above 0"), processor_time(0):
        pass


def endless() -> None:
    while True:
        pass


def no_threads(_self: threading.Thread) -> None:
    raise RuntimeError("can't start new thread")


@pytest.fixture
def untraced() -> Iterator[None]:
    """Before Python 3.14 coverage watches as a debugger does, and where one watches there is no limit."""
    tracer = sys.gettrace()
    sys.settrace(None)
    yield
    sys.settrace(tracer)


@pytest.mark.usefixtures("untraced")
def test_without_threads_endless_work_is_ended_and_other_work_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threading.Thread, "start", no_threads)
    with processor_time(20.0):
        assert spin(0.05) > 0
    begin = time.process_time()
    with pytest.raises(OverBudget) as raised, processor_time(0.2):
        endless()
    assert time.process_time() - begin < 3
    assert raised.value.__context__ is None  # a learner's traceback says nothing of threads
    assert sys.gettrace() is None
