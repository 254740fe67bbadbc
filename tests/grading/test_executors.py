"""Many submissions at once: the same grades as one after the other, each piece of work once, whoever is killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from autograder import version
from autograder.assemble import KEY
from autograder.class_grading import ClassGrading
from autograder.executors import WORKER_MEMORY, Executor, InThisProcess, Job, LocalProcesses, workers_for
from autograder.gradebook import Course
from autograder.sandbox import Limits, Request, Run
from course_lib import exercises
from tests.grading.conftest import HandIn
from tests.grading.fixture_lesson import NAME
from tests.grading.helpers import LESSON, LIMITS, RIGHT, SEED, grade_one, submission
from tests.grading.quick_sandbox import QuickSandbox

WRONG = {**RIGHT, "scale": "def scale(x, factor):\n    return x + factor"}
DEADLY = {**RIGHT, "scale": "def scale(x, factor):\n    return x + 'deadly'"}


class Noted:
    """A quick sandbox that writes down each run, and ends its own process at what is deadly.

    Attributes:
        folder: where it keeps its notes.
        deaths: how often a deadly submission is deadly.
    """

    def __init__(self, folder: Path, deaths: int = 1_000) -> None:
        self.folder = folder
        self.deaths = deaths

    def run(self, request: Request) -> Run:
        """Run the cells of `request`."""
        source = "".join(cell.source for cell in request.cells)
        (self.folder / f"{time.monotonic_ns()}-{os.getpid()}").write_text(source)
        if "deadly" in source:
            died = len(list(self.folder.glob("died-*")))
            if died < self.deaths:
                (self.folder / f"died-{died}").touch()
                os.kill(os.getpid(), signal.SIGKILL)
        return QuickSandbox().run(request)

    @property
    def runs(self) -> list[str]:
        """What was run, in its order."""
        return [path.read_text() for path in sorted(self.folder.glob("[0-9]*"))]


@pytest.fixture
def noted(tmp_path: Path) -> Noted:
    folder = tmp_path / "noted"
    folder.mkdir()
    return Noted(folder)


def grading(course: Course, noted: Noted, limits: Limits = LIMITS) -> ClassGrading:
    return ClassGrading(course, NAME, noted, limits)


def grade_all(run: ClassGrading, workers: int, **options: Any) -> dict[str, dict[str, Any]]:
    entries = [timeless(entry) for entry, _ in run.grade(run.students(), run.executor(workers), **options)]
    assert len({entry["student"] for entry in entries}) == len(entries)
    return {entry["student"]: entry for entry in entries}


def timeless(content: Any) -> Any:
    """Without when it was graded."""
    if isinstance(content, list):
        return [timeless(each) for each in content]
    if isinstance(content, dict):
        return {key: timeless(value) for key, value in content.items() if key != "time"}
    return content


def hand_in_seven(hand_in: HandIn) -> None:
    for number in range(4):
        answers = {"scale": f"def scale(x, factor):\n    return x * factor + {number}"}
        hand_in(f"s{number}", submission(answers))
    hand_in("wrong", submission(WRONG))
    hand_in("right", submission(RIGHT))
    hand_in("garbage", b"garbage")


def test_two_workers_give_the_grades_of_one(course: Course, hand_in: HandIn, noted: Noted) -> None:
    hand_in_seven(hand_in)
    run = grading(course, noted)
    one = grade_all(run, 1)
    paths = {student: run.graded_path(student) for student in one}
    notebooks = {student: without_clock(path) for student, path in paths.items()}
    assert [one[student]["score"] for student in ("s0", "s1", "wrong", "right", "garbage")] == [4, 0, 4, 8, 0]
    two = grade_all(run, 2, again=True)
    assert two == one
    assert {student: without_clock(path) for student, path in paths.items()} == notebooks
    assert {path.name.rsplit("-", 1)[-1] for path in noted.folder.iterdir()} > {str(os.getpid())}


def without_clock(path: Path) -> Any:
    notebook = json.loads(path.read_text())
    assert notebook["metadata"][KEY].pop("seconds") >= 0
    return timeless(notebook)


def test_what_is_handed_in_by_several_is_run_once_and_recorded_for_each(
    course: Course, hand_in: HandIn, noted: Noted
) -> None:
    for student in ("ada", "bob", "cy"):
        hand_in(student, submission(RIGHT))
    # The same answers in a file that differs in what no grade sees.
    hand_in("dan", json.dumps(submission(RIGHT), indent=7).encode())
    hand_in("eve", submission(WRONG))
    run = grading(course, noted)
    found = grade_all(run, 2)
    assert Counter(entry["score"] for entry in found.values()) == {8: 4, 4: 1}
    assert len(noted.runs) == 2
    for student in found:
        known = run.known(student)
        assert known is not None
        assert (known["student"], known["submission"]) == (student, run.handed_in(student).digest)


def test_what_is_unchanged_is_not_run_again(
    course: Course, hand_in: HandIn, noted: Noted, monkeypatch: pytest.MonkeyPatch
) -> None:
    hand_in("ada", submission(RIGHT))
    hand_in("bob", submission(WRONG))
    first = grade_all(grading(course, noted), 1)
    assert grade_all(grading(course, noted), 1) == first
    assert len(noted.runs) == 2

    hand_in("bob", json.dumps(submission(WRONG), indent=7).encode())  # another file, the same answers
    run = grading(course, noted)
    assert run.already_graded("bob") is None
    assert grade_all(run, 1) == first
    assert len(noted.runs) == 2
    assert timeless(run.already_graded("bob")) == first["bob"]

    assert grade_all(grading(course, noted), 1, again=True) == first
    assert len(noted.runs) == 4
    hand_in("bob", submission(RIGHT))
    assert grade_all(grading(course, noted), 1)["bob"]["score"] == 8
    assert len(noted.runs) == 4, "ada's work is bob's too"

    monkeypatch.setattr(version, "line_version", lambda _: "another")
    again = grade_all(grading(course, noted), 1)["ada"]
    assert (again["score"], again["provenance"]["line"]) == (first["ada"]["score"], "another")
    assert len(noted.runs) == 5, "for both, with the new version of the course"


def test_more_time_runs_again_only_what_had_too_little(course: Course, hand_in: HandIn, noted: Noted) -> None:
    hand_in("ada", submission(RIGHT))
    run = grading(course, noted)
    grade_one(run, "ada")
    more = grading(course, noted, Limits(cell=60.0, total=400.0))
    assert more.already_graded("ada") is not None
    known = dict(run.known("ada") or {})
    assert more.still_holds(known)
    assert not more.still_holds({**known, "outcome": "timeout"})
    assert run.still_holds({**known, "outcome": "timeout"})


def test_what_took_longest_the_last_time_comes_first(course: Course, hand_in: HandIn, noted: Noted) -> None:
    for number in range(4):
        hand_in(f"s{number}", submission({"scale": f"def scale(x, factor):\n    return {number}"}))
    run = grading(course, noted)
    grade_all(run, 1)
    for number, seconds in enumerate((2.0, 9.0, 0.5, 4.0)):
        path = run.graded_path(f"s{number}")
        notebook = json.loads(path.read_text())
        notebook["metadata"][KEY]["seconds"] = seconds
        path.write_text(json.dumps(notebook))
    hand_in("new", submission({"scale": "def scale(x, factor):\n    return 4"}))
    grade_all(run, 1, again=True)
    ran = [text.split("return ")[1][0] for text in noted.runs[4:]]
    assert ran == ["1", "3", "4", "0", "2"], "one that nobody has seen counts as usual"


def test_a_submission_that_kills_its_worker_fails_alone(course: Course, hand_in: HandIn, noted: Noted) -> None:
    hand_in_seven(hand_in)
    hand_in("deadly", submission(DEADLY))
    run = grading(course, noted)
    found = grade_all(run, 2)
    assert found["deadly"]["outcome"] == "failed"
    assert run.known("deadly") is None
    assert {student: entry["outcome"] for student, entry in found.items()} == {
        **dict.fromkeys(["s0", "s1", "s2", "s3", "wrong", "right"], "graded"),
        "garbage": "malformed",
        "deadly": "failed",
    }


def test_a_worker_that_is_killed_once_costs_nothing(course: Course, hand_in: HandIn, noted: Noted) -> None:
    hand_in_seven(hand_in)
    hand_in("unlucky", submission(DEADLY))
    noted.deaths = 1
    found = grade_all(grading(course, noted), 2)
    assert {entry["outcome"] for entry in found.values()} == {"graded", "malformed"}
    assert found["unlucky"]["score"] == 4
    assert len(found) == 8


def test_once_stopped_what_is_under_way_is_ended_and_nothing_else(
    course: Course, hand_in: HandIn, noted: Noted
) -> None:
    hand_in_seven(hand_in)
    for workers in (1, 2):
        run = grading(course, noted)
        before = len(noted.runs)
        found = grade_all(run, workers, again=True, stopped=lambda before=before: len(noted.runs) > before)
        assert 1 <= len(found) <= workers + 2
        assert all(timeless(run.already_graded(student)) == entry for student, entry in found.items())


@pytest.mark.skipif(sys.platform != "linux", reason="looks for processes as Linux lists them")
def test_workers_end_with_a_grader_that_is_killed(course: Course, hand_in: HandIn, root: Path) -> None:
    hand_in("ada", submission({"scale": "def scale(x, factor):\n    while True: pass"}))
    hand_in("bob", submission({"scale": "def scale(x, factor):\n    while x is x: pass"}))
    mark = f"test-{os.getpid()}-{time.monotonic_ns()}"
    options = ("--workers", "2", "--timeout", "100", "--course", str(course.root))
    grader = subprocess.Popen(
        [sys.executable, "-m", "tests.grading.grade_fixture", "grade", NAME, *options],
        cwd=root,
        env={**os.environ, "MARK": mark},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        expect(lambda: len(list(marked(mark))) >= 3)
    finally:
        grader.kill()
        grader.wait()
    expect(lambda: not list(marked(mark)))


def expect(true: Any, seconds: float = 60.0) -> None:
    until = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < until
        time.sleep(0.1)


def marked(mark: str) -> Iterator[psutil.Process]:
    for process in psutil.process_iter():
        try:
            if process.environ().get("MARK") == mark and process.status() != psutil.STATUS_ZOMBIE:
                yield process
        except psutil.Error:
            continue


@pytest.mark.parametrize("executor", ["here", "processes"])
def test_a_job_ends_exactly_once_whatever_it_is(executor: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exercises, "LESSONS", {**exercises.LESSONS, NAME: "tests.grading.fixture_lesson"})
    given: Executor = InThisProcess(LESSON, SEED, QuickSandbox(), LIMITS)
    if executor == "processes":
        given = LocalProcesses(LESSON, SEED, QuickSandbox(), LIMITS, 2)
    ended = list(given.run([Job("a", b"no JSON"), Job("b", b"{}")], lambda: False))
    assert sorted(done.key for done in ended) == ["a", "b"]
    assert all(done.notebook is None and done.error for done in ended)


def test_fewer_workers_start_where_memory_is_short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: range(64), raising=False)
    free = type("Memory", (), {"available": 3.5 * WORKER_MEMORY})
    monkeypatch.setattr(psutil, "virtual_memory", lambda: free)
    assert workers_for() == 3
    assert workers_for(7) == 7
    free.available = 0.0
    assert workers_for() == 1


@pytest.mark.skipif(os.name != "posix", reason="elsewhere workers are always started so")
def test_where_temporary_files_have_a_long_path_workers_are_started_another_way(tmp_path: Path) -> None:
    place = tmp_path / ("x" * 120)
    place.mkdir()
    code = "from autograder.executors import begin; print(begin('course_lib.exercises.warm_up').get_start_method())"
    command = [sys.executable, "-c", code]
    environment = {**os.environ, "TMPDIR": str(place)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "spawn"
