"""A Dask cluster: a real scheduler and workers in processes of their own, some of them lost or without walls."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("distributed", reason="distributed is not installed: pip install -r requirements-cluster.txt")

from autograder import cluster, gradebook
from autograder.assemble import KEY
from autograder.cluster import DaskCluster, checked
from autograder.executors import Assignment, ClusterError, Done, Job
from autograder.gradebook import Course
from autograder.seeds import secret_seed
from autograder.version import lesson_version
from tests.grading.conftest import HandIn
from tests.grading.fixture_lesson import NAME
from tests.grading.helpers import LESSON, MODULE, SEED
from tests.grading.sandboxes import problem
from tests.grading.test_kills import contents, hand_in_all

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="workers need a sandbox, which here is Linux's")


class Cluster:
    """A scheduler and workers; all are ended on leaving."""

    def __init__(self, root: Path, host: str = "127.0.0.1") -> None:
        self._root = root
        self._folder = tempfile.TemporaryDirectory(prefix="dask-")
        self._processes: list[subprocess.Popen[bytes]] = []
        self.workers: list[subprocess.Popen[bytes]] = []
        found = Path(self._folder.name) / "scheduler.json"
        self._start("scheduler", "--port", "0", "--host", host, "--no-dashboard", "--scheduler-file", str(found))
        until = time.monotonic() + 60.0
        while not found.exists() and time.monotonic() < until:
            time.sleep(0.05)
        time.sleep(0.1)
        self.address: str = json.loads(found.read_text())["address"]

    def start_worker(self, *before: str) -> subprocess.Popen[bytes]:
        """One more worker, without a nanny that would start it again; `before`: a command that runs it."""
        worker = self._start(
            "worker", self.address, "--nthreads", "1", "--no-nanny", "--no-dashboard",
            "--local-directory", self._folder.name, before=before,
        )  # fmt: skip
        self.workers.append(worker)
        return worker

    def close(self) -> None:
        """End everything."""
        for process in self._processes:
            process.kill()
            process.wait()
        self._folder.cleanup()

    def _start(self, which: str, *arguments: str, before: Sequence[str] = ()) -> subprocess.Popen[bytes]:
        command = [*before, sys.executable, "-m", f"distributed.cli.dask_{which}", *arguments]
        given = {**os.environ, "PYTHONPATH": str(self._root), "OPENBLAS_NUM_THREADS": "1"}
        with (Path(self._folder.name) / f"{len(self._processes)}.log").open("wb") as out:
            process = subprocess.Popen(command, cwd=self._root, env=given, stdout=out, stderr=subprocess.STDOUT)
        self._processes.append(process)
        return process


@pytest.fixture
def dask(root: Path) -> Iterator[Cluster]:
    """A scheduler without workers."""
    if missing := problem("bubblewrap") and problem("landlock"):
        pytest.skip(missing)
    found = Cluster(root)
    yield found
    found.close()


def assignment(**changed: Any) -> Assignment:
    """Of the fixture lesson, as a grader would send it."""
    notebook = json.dumps(LESSON.notebook).encode()
    given = Assignment(NAME, MODULE, notebook, SEED, {"cell": 30.0, "total": 300.0}, lesson_version(LESSON))
    return replace(given, **changed)


def grader(course: Course, root: Path, *more: str) -> subprocess.Popen[str]:
    """`python -m autograder grade` as a program."""
    command = [sys.executable, "-m", "tests.grading.grade_fixture", "grade", NAME, "--course", str(course.root), *more]
    given = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "COLUMNS": "300"}
    out = subprocess.PIPE
    return subprocess.Popen(command, cwd=root, env=given, stdout=out, stderr=subprocess.STDOUT, text=True)


def graded_locally(course: Course, hand_in: HandIn, root: Path, tmp_path: Path, size: int) -> dict[str, Any]:
    """Hand in a class, grade a copy of it on this machine, and say what that left."""
    hand_in_all(course, hand_in, size)
    secret_seed(course.db_url, course.root, NAME)
    gradebook.ensure_assignment(course, LESSON)
    other = Course(Path(shutil.copytree(course.root, tmp_path / "locally")))
    process = grader(other, root, "--workers", "1")
    said, _ = process.communicate(timeout=600)
    assert process.returncode == 0, said
    return contents(other)


def test_a_lost_worker_s_submissions_are_graded_elsewhere_and_once(
    dask: Cluster, course: Course, hand_in: HandIn, root: Path, tmp_path: Path
) -> None:
    expected = graded_locally(course, hand_in, root, tmp_path, 8)
    lost, _ = dask.start_worker(), dask.start_worker()
    process = grader(course, root, "--dask", dask.address)
    until = time.monotonic() + 120.0
    while not list((course.root / "autograded").glob("*/*/*.ipynb")) and time.monotonic() < until:
        time.sleep(0.05)
    lost.kill()
    said, _ = process.communicate(timeout=600)
    assert process.returncode == 0, said
    assert "8 of 8 submissions" in said
    assert contents(course) == expected


def test_who_announces_no_sandbox_or_another_course_gets_no_work(dask: Cluster) -> None:
    dask.start_worker()
    job = Job("a", b"{}")
    with pytest.raises(ClusterError, match=r"No worker at .* can grade\. .*container: "):
        _until_there_are_workers(DaskCluster(assignment(), dask.address, "container"), job)
    with pytest.raises(ClusterError, match="the course there is another version than here"):
        list(DaskCluster(assignment(version="older"), dask.address).run([job], lambda: False))
    (done,) = DaskCluster(assignment(), dask.address).run([job], lambda: False)
    assert (done.key, done.notebook) == ("a", None)
    assert done.error.startswith("AttributeError")  # it was run: it is no notebook


def _until_there_are_workers(executor: DaskCluster, job: Job) -> None:
    until = time.monotonic() + 60.0
    while True:
        try:
            list(executor.run([job], lambda: False))
        except ClusterError as error:
            if "has no worker" not in str(error) or time.monotonic() > until:
                raise
            time.sleep(0.5)


def test_a_cluster_without_workers_or_scheduler_says_what_to_do(dask: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ClusterError, match=r"has no worker\. Start some with `dask worker tcp"):
        list(DaskCluster(assignment(), dask.address).run([Job("a", b"{}")], lambda: False))
    monkeypatch.setattr(cluster, "CONNECT_SECONDS", 1.0)
    with pytest.raises(ClusterError, match=r"There is no Dask scheduler at tcp://127\.0\.0\.1:9"):
        list(DaskCluster(assignment(), "tcp://127.0.0.1:9").run([Job("a", b"{}")], lambda: False))


class Sent:
    """A future that has ended with whatever a worker sent."""

    status = "finished"

    def __init__(self, result: Any) -> None:
        self._result = result

    def result(self) -> Any:
        return self._result


@pytest.mark.parametrize(
    "result",
    [
        None,
        (b"no JSON", ""),
        ("a text", ""),
        (b'{"metadata": {}}', ""),
        (json.dumps({"metadata": {KEY: {"work": "other"}}}).encode(), ""),
        (b"[" * 100_000, ""),
        (b"", "", ""),
    ],
    ids=lambda value: repr(value)[:20],
)
def test_what_a_worker_sends_counts_only_as_the_work_that_was_asked_for(result: Any) -> None:
    done = checked(Job("work", b""), Sent(result))  # type: ignore[arg-type]
    assert done.notebook is None
    assert done.error.startswith("a worker sent what cannot be used")
    right = json.dumps({"metadata": {KEY: {"work": "work"}}}).encode()
    assert checked(Job("work", b""), Sent((right, ""))) == Done("work", right)  # type: ignore[arg-type]


@pytest.mark.slow
def test_ten_kills_of_workers_and_graders_lose_and_double_nothing(
    dask: Cluster, course: Course, hand_in: HandIn, root: Path, tmp_path: Path
) -> None:
    expected = graded_locally(course, hand_in, root, tmp_path, 30)
    rng = random.Random(7)
    dask.start_worker()
    dask.start_worker()
    process = grader(course, root, "--dask", dask.address)
    for number in range(10):
        time.sleep(rng.uniform(0.5, 8.0))
        if number % 2:
            rng.choice(dask.workers[-2:]).kill()
            dask.start_worker()
        else:
            process.kill()
            process.communicate()
            process = grader(course, root, "--dask", dask.address)
    said, _ = process.communicate(timeout=1800)
    assert process.returncode == 0, said
    assert contents(course) == expected


NETWORK = ("ip", "netns", "exec")


@pytest.mark.slow
def test_a_worker_in_a_network_of_its_own_grades(root: Path, course: Course, hand_in: HandIn, tmp_path: Path) -> None:
    """As on another machine: its network is joined to the grader's by nothing but a cable."""
    name = f"course-{os.getpid()}"
    steps = (
        f"ip netns add {name}",
        f"ip link add {name[:11]}a type veth peer name {name[:11]}b netns {name}",
        f"ip addr add 10.213.77.1/30 dev {name[:11]}a",
        f"ip link set {name[:11]}a up",
        f"ip netns exec {name} ip addr add 10.213.77.2/30 dev {name[:11]}b",
        f"ip netns exec {name} ip link set {name[:11]}b up",
        f"ip netns exec {name} ip link set lo up",
    )
    try:
        for step in steps:
            done = subprocess.run(step.split(), capture_output=True, text=True, check=False)
            if done.returncode:
                pytest.skip(f"this machine allows no network namespaces: {step}: {done.stderr.strip()}")
        expected = graded_locally(course, hand_in, root, tmp_path, 4)
        found = Cluster(root, host="10.213.77.1")
        try:
            found.start_worker(*NETWORK, name)
            process = grader(course, root, "--dask", found.address)
            said, _ = process.communicate(timeout=600)
        finally:
            found.close()
        assert process.returncode == 0, said
        assert contents(course) == expected
    finally:
        subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)
