"""Where many pipelines run: in this process, or in several on this machine.

A job goes out and comes back as the bytes of a notebook, assembled and graded; nothing of a student's is ever pickled
into an object. Whoever asks for the jobs writes the grades: there is one writer, and a worker that dies takes no grade
with it. Its jobs are run again, one at a time, so that one that kills its worker harms no other.
"""

from __future__ import annotations

import contextlib
import importlib
import itertools
import multiprocessing
import os
import signal
import threading
from collections import Counter, deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass
from multiprocessing import forkserver
from typing import Any, Protocol

import psutil  # type: ignore[import-untyped]

from autograder import notebook_json
from autograder.lesson import LessonSource
from autograder.pipeline import Graded, Grading
from autograder.sandbox import Limits, Sandbox
from autograder.version import Versions, remember, versions
from course_lib import exercises

TRIES = 3
"""How often a job is begun before it counts as one that kills its worker."""
WORKER_MEMORY = 900_000_000
"""Bytes that a worker and the submission in it usually take together; fewer workers start where that is not free."""
POLL_SECONDS = 0.2


@dataclass(frozen=True)
class Job:
    """An assembled notebook to grade.

    Attributes:
        key: what the caller knows it by.
        notebook: as JSON in UTF-8.
    """

    key: str
    notebook: bytes


@dataclass(frozen=True)
class Done:
    """A job that has ended.

    Attributes:
        key: the job's.
        notebook: the graded notebook as JSON in UTF-8; None where the grader itself failed.
        error: why it failed.
    """

    key: str
    notebook: bytes | None
    error: str = ""


@dataclass(frozen=True)
class Assignment:
    """What every worker is told once: plain data, the same for all jobs.

    Attributes:
        lesson: its name.
        module: the module of its exercises.
        notebook: the lesson's, as released, as JSON in UTF-8.
        seed: of the hidden cases.
        limits: what a submission may use.
        version: of the lesson and the code that are to grade it.
    """

    lesson: str
    module: str
    notebook: bytes
    seed: int
    limits: dict[str, Any]
    version: str

    @classmethod
    def of(cls, lesson: LessonSource, seed: int, limits: Limits) -> Assignment:
        """The assignment to grade `lesson`."""
        module = exercises.LESSONS[lesson.name]
        return cls(
            lesson.name, module, notebook_json.as_bytes(lesson.notebook), seed, asdict(limits), versions(lesson).whole
        )

    def grading(self, sandbox: Sandbox) -> Grading:
        """What grades by it, in the process of a worker."""
        module = importlib.import_module(self.module)
        notebook = notebook_json.from_bytes(self.notebook)
        answer_bytes = getattr(module, "ANSWER_BYTES", 0)
        lesson = LessonSource(self.lesson, notebook, module.EXERCISES, tuple(module.WITHHELD), answer_bytes)
        return Grading(lesson, self.seed, sandbox, Limits(**self.limits))


class Executor(Protocol):
    """Runs jobs somewhere."""

    workers: int

    def run(self, jobs: Iterable[Job], stopped: Callable[[], bool]) -> Iterator[Done]:
        """Yield each job's end as it comes, in any order; every job that was taken from `jobs` ends exactly once.

        Jobs are taken as they are needed. Once `stopped()` is true no more are taken, and those under way are ended.
        """


class InThisProcess:
    """One job after the other, here."""

    workers = 1

    def __init__(self, lesson: LessonSource, seed: int, sandbox: Sandbox, limits: Limits) -> None:
        self._grade = Grading(lesson, seed, sandbox, limits)

    def run(self, jobs: Iterable[Job], stopped: Callable[[], bool]) -> Iterator[Done]:
        """Grade the jobs in their order."""
        for job in jobs:
            yield Done(job.key, *self._grade(job.notebook))
            if stopped():
                return


class LocalProcesses:
    """Several processes on this machine. Each takes the next job as soon as it is free."""

    def __init__(self, lesson: LessonSource, seed: int, sandbox: Sandbox, limits: Limits, workers: int) -> None:
        """`sandbox`: one that works on this machine, as :func:`autograder.sandbox.choice.choose` has found."""
        self.workers = workers
        self._assignment = Assignment.of(lesson, seed, limits)
        self._versions = versions(lesson)
        self._sandbox = sandbox
        # One thread of the linear algebra for each worker: there are as many of them as processors.
        for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
            os.environ.setdefault(name, "1")

    def run(self, jobs: Iterable[Job], stopped: Callable[[], bool]) -> Iterator[Done]:
        """Grade the jobs; see :class:`Executor`."""
        waiting = iter(jobs)
        suspects: deque[Job] = deque()
        begun: Counter[str] = Counter()
        while not (yield from self._run_in_one_pool(waiting, suspects, begun, stopped)):
            pass

    def _run_in_one_pool(
        self, waiting: Iterator[Job], suspects: deque[Job], begun: Counter[str], stopped: Callable[[], bool]
    ) -> Generator[Done, None, bool]:
        """Grade until nothing is left, which is true, or until a worker dies, which is false."""
        running: dict[Future[Graded], Job] = {}
        with _killed_in_haste(self._pool()) as pool, contextlib.suppress(BrokenProcessPool):
            while True:
                for job in self._next(waiting, suspects, len(running), stopped):
                    begun[job.key] += 1
                    try:
                        running[pool.submit(_grade_in_worker, job.notebook)] = job
                    except BrokenProcessPool:
                        suspects.append(job)
                        raise
                if not running:
                    return True
                for future in wait(running, timeout=POLL_SECONDS, return_when=FIRST_COMPLETED).done:
                    done = _ended(running[future].key, future)
                    del running[future]
                    yield done
        # Nobody says which job ended the worker, so each is begun again by itself.
        for future, job in running.items():
            if future.done() and future.exception() is None:
                yield _ended(job.key, future)
            elif begun[job.key] < TRIES:
                suspects.append(job)
            else:
                yield Done(job.key, None, f"the process that graded it was ended {TRIES} times")
        return False

    def _next(
        self,
        waiting: Iterator[Job],
        suspects: deque[Job],
        running: int,
        stopped: Callable[[], bool],
    ) -> Iterator[Job]:
        if suspects:
            if not running:
                yield suspects.popleft()
        elif not stopped():
            # One job more than workers, so that none waits for the writer.
            yield from itertools.islice(waiting, max(0, self.workers + 1 - running))

    def _pool(self) -> ProcessPoolExecutor:
        context = begin(self._assignment.module)
        told = (self._assignment, self._versions, self._sandbox)
        return ProcessPoolExecutor(self.workers, context, _begin_worker, told)


def begin(module: str) -> Any:
    """Have workers' imports made while this process makes its own; returns how workers are to be started.

    `module`: of the lesson's exercises.
    """
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__, module, "numpy.random", "autograder.sandbox.outputs"])
    try:
        forkserver.ensure_running()
    except OSError:  # its socket has no place, as where the path of temporary files is longer than 80 letters
        return multiprocessing.get_context("spawn")
    return context


@contextlib.contextmanager
def _killed_in_haste(pool: ProcessPoolExecutor) -> Iterator[ProcessPoolExecutor]:
    """A pool that waits for its workers at the end, or ends them where an exception or a second Ctrl-C leaves it."""
    before = set(multiprocessing.active_children())
    try:
        yield pool
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        for worker in set(multiprocessing.active_children()) - before:
            worker.kill()
        raise
    pool.shutdown()


def _ended(key: str, future: Future[Graded]) -> Done:
    """What became of a job.

    Raises:
        BrokenProcessPool: where its worker died.
    """
    error = future.exception()
    if isinstance(error, BrokenProcessPool):
        raise error
    return Done(key, None, f"{type(error).__name__}: {error}") if error is not None else Done(key, *future.result())


def workers_for(asked: int = 0) -> int:
    """How many workers to start: as many as asked for, or one for each processor whose share of memory is free."""
    if asked > 0:
        return asked
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(cores, int(psutil.virtual_memory().available // WORKER_MEMORY)))


class ClusterError(RuntimeError):
    """A cluster cannot grade; the message says what to do."""


def dask_cluster(assignment: Assignment, address: str, sandbox: str, *, unsafe: bool) -> Executor:
    """A Dask cluster; see :mod:`autograder.cluster`.

    Raises:
        ClusterError: where Dask is not installed.
    """
    try:
        from autograder.cluster import DaskCluster
    except ImportError as error:
        raise ClusterError(
            f"A cluster needs more packages ({error}): pip install -r requirements-cluster.txt"
        ) from None
    return DaskCluster(assignment, address, sandbox, unsafe=unsafe)


_grading: Grading | None = None
"""What a worker process was told at its start."""


def _begin_worker(assignment: Assignment, known: Versions, sandbox: Sandbox) -> None:
    global _grading
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to all; the grader's own process says what it means
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    _grading = assignment.grading(sandbox)
    remember(_grading.lesson, known)


def _end_with(parent: Any) -> None:
    """A worker whose grader was killed has nobody to work for; what runs in its sandbox ends with it."""
    parent.join()
    os._exit(1)


def _grade_in_worker(notebook: bytes) -> Graded:
    assert _grading is not None
    return _grading(notebook)


__all__ = [
    "Assignment",
    "ClusterError",
    "Done",
    "Executor",
    "Graded",
    "Grading",
    "InThisProcess",
    "Job",
    "LocalProcesses",
    "begin",
    "dask_cluster",
    "workers_for",
]
