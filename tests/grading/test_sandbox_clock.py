"""The limits on time: a machine that is busy with others takes nobody's points, and gives nobody endless time."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from autograder.sandbox import clock, kernel
from autograder.sandbox.clock import SLOWEST, Clock
from tests.grading.helpers import RIGHT
from tests.grading.sandboxes import run, states


class Times:
    """A machine whose clock and whose count of waiting are set by hand."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.time = 100.0
        self._folder = folder
        monkeypatch.setattr(clock, "monotonic", lambda: self.time)
        monkeypatch.setattr(clock, "_counts", lambda pid: folder / f"{pid}")

    def has_waited(self, seconds: float, pid: int = 7) -> None:
        (self._folder / f"{pid}").write_text(f"123 {int(seconds * 1e9)} 4\n")


def following(times: Times, waited: float = 0.0) -> Clock:
    """A clock that follows a guest which has waited so long before."""
    times.has_waited(waited)
    made = Clock()
    made.follow(7)
    return made


@pytest.fixture
def times(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Times:
    return Times(tmp_path, monkeypatch)


def test_waiting_for_a_processor_does_not_count(times: Times) -> None:
    made = Clock()
    times.time += 2.0
    assert made.now() == pytest.approx(2.0)
    times.has_waited(50.0)
    made.follow(7)
    times.time += 10.0
    times.has_waited(54.0)
    assert made.now() == pytest.approx(2.0 + 6.0)


def test_a_moment_has_passed_when_the_clock_shows_more(times: Times) -> None:
    made = following(times)
    times.time += 10.0
    times.has_waited(4.0)
    assert made.passed(5.0)
    assert not made.passed(7.0)
    assert not made.passed(11.0)


def test_waiting_without_an_end_counts_a_third(times: Times) -> None:
    made = following(times)
    times.time += 30.0
    times.has_waited(30.0)
    assert made.now() == pytest.approx(30.0 / SLOWEST)


def test_it_never_goes_back(times: Times) -> None:
    made = following(times)
    times.time += 5.0
    assert made.now() == pytest.approx(5.0)
    times.has_waited(2.0)
    assert made.now() == pytest.approx(5.0)
    times.time += 3.0
    assert made.now() == pytest.approx(6.0)


@pytest.mark.parametrize("text", [None, "", "1", "x y z"])
def test_where_nothing_is_counted_it_is_plain_time(times: Times, tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / "7").write_text(text)
    made = Clock()
    made.follow(7)
    times.time += 4.0
    assert made.now() == pytest.approx(4.0)


def test_another_guest_goes_on_from_there(times: Times) -> None:
    made = following(times, waited=1.0)
    times.time += 4.0
    times.has_waited(2.0)
    times.has_waited(90.0, pid=8)
    made.follow(8)
    times.time += 1.0
    assert made.now() == pytest.approx(3.0 + 1.0)


@pytest.mark.skipif(sys.platform != "linux", reason="Linux counts the waiting")
def test_linux_counts_the_waiting_of_this_process() -> None:
    assert int(clock._counts(os.getpid()).read_bytes().split()[1]) > 0


class Faster(Clock):
    """A clock for which everything takes a hundred times as long."""

    def now(self) -> float:
        return 100.0 * super().now()

    def passed(self, moment: float) -> bool:
        return self.now() > moment


class Slower(Clock):
    """A clock for which everything takes a twentieth of its time."""

    def now(self) -> float:
        return super().now() / 20.0


@pytest.mark.skipif(sys.platform != "linux", reason="the back ends that are tried here are Linux's")
def test_the_limits_of_cell_and_notebook_go_by_it(monkeypatch: pytest.MonkeyPatch) -> None:
    asleep = "import time\ntime.sleep(2.0)"
    monkeypatch.setattr(kernel, "Clock", Slower)
    assert states(run(asleep, RIGHT["scale"], cell=1.0, total=60.0)) == ["ok"] * 4
    monkeypatch.setattr(kernel, "Clock", Faster)
    assert states(run(asleep, RIGHT["scale"], cell=60.0, total=1e6))[1] == "timeout"
    assert "not run" in states(run(asleep, RIGHT["scale"], cell=1e6, total=100.0))
