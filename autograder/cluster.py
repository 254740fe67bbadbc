"""A Dask cluster: the same line on other machines, each with a sandbox of its own.

Every worker, also one that comes later, is given the assignment, tries its sandbox and announces places for
submissions, as many as it has threads, or none where no sandbox works there or its course is another version. A
submission goes out as the bytes of its assembled notebook and comes back as the bytes of the graded one, which are
checked before they are used. Dask runs the submissions of a lost worker elsewhere; what comes back is recorded here,
once, by the one writer.

SLURM and Kubernetes come with Dask: dask-jobqueue and dask-gateway give the address of a scheduler.
"""

from __future__ import annotations

import contextlib
import copy
import json
import queue
import secrets
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from distributed import Client, Future, WorkerPlugin, get_worker
from distributed.scheduler import KilledWorker

from autograder.assemble import KEY
from autograder.executors import POLL_SECONDS, Assignment, ClusterError, Done, Graded, Grading, Job
from autograder.sandbox import SandboxError
from autograder.sandbox.choice import choose
from autograder.sandbox.kernel import KernelSandbox
from autograder.version import lesson_version

CONNECT_SECONDS = 10.0
LONGEST_WAIT = 120.0
"""How long submissions may wait while no worker has a place for them."""
AHEAD = 2
"""Submissions sent out for each place: one runs, one waits there, so that no place waits for the writer."""
MAX_NOTEBOOK = 100_000_000
"""The most bytes of a graded notebook that are taken from a worker."""
_LOOK_SECONDS = 2.0


class DaskCluster:
    """Runs jobs on the workers of a Dask cluster; see :class:`autograder.executors.Executor`.

    Attributes:
        workers: places for submissions, when the run began.
        refused: workers that got no work, and why.
    """

    def __init__(self, assignment: Assignment, address: str, sandbox: str = "auto", *, unsafe: bool = False) -> None:
        """Nothing is connected yet.

        Args:
            assignment: what is graded.
            address: the scheduler's, as "tcp://10.0.0.1:8786" or "tls://…"; Dask's own settings hold the certificates.
            sandbox: the walls that every worker must have; one of :data:`autograder.sandbox.choice.NAMES`.
            unsafe: let workers run code without walls.
        """
        self.workers = 0
        self.refused: dict[str, str] = {}
        self._assignment = assignment
        self._address = address
        self._station = Station(assignment, sandbox, unsafe=unsafe)

    def run(self, jobs: Iterable[Job], stopped: Callable[[], bool]) -> Iterator[Done]:
        """Grade the jobs.

        Raises:
            ClusterError: when there is no scheduler, no worker that can grade, or none for too long.
        """
        with self._connected() as client:
            self._look(client)
            if not self.workers:
                raise ClusterError(_nobody(self._address, self.refused))
            yield from self._run(client, iter(jobs), stopped)

    def _run(self, client: Client, waiting: Iterator[Job], stopped: Callable[[], bool]) -> Iterator[Done]:
        running: dict[Future[Any], Job] = {}
        ended: queue.SimpleQueue[Future[Any]] = queue.SimpleQueue()
        places, looked, last = self.workers, time.monotonic(), time.monotonic()
        all_taken = False
        while True:
            while len(running) < AHEAD * places and not all_taken and not stopped():
                job = next(waiting, None)
                if job is None:
                    all_taken = True
                    break
                future = client.submit(
                    grade_here, self._station.name, job.notebook, pure=False, resources={self._station.name: 1}
                )
                running[future] = job
                future.add_done_callback(ended.put)
            if not running and (all_taken or stopped()):
                return
            try:
                future = ended.get(timeout=POLL_SECONDS)
            except queue.Empty:
                if places == 0 and time.monotonic() - last > LONGEST_WAIT:
                    raise ClusterError(_nobody(self._address, self.refused)) from None
            else:
                last = time.monotonic()
                if future.status in ("lost", "pending"):  # its worker went with the result: it is run again elsewhere
                    future.add_done_callback(ended.put)
                else:
                    yield checked(running.pop(future), future)
                    future.release()
            if time.monotonic() - looked > _LOOK_SECONDS:
                looked = time.monotonic()
                places = self._look(client)
                last = looked if places else last

    @contextlib.contextmanager
    def _connected(self) -> Iterator[Client]:
        try:
            client = Client(self._address, timeout=CONNECT_SECONDS, set_as_default=False)
        except (OSError, TimeoutError, ValueError) as error:
            raise ClusterError(
                f"There is no Dask scheduler at {self._address}: {error}. Start one with `dask scheduler`, and workers "
                f"with `dask worker ADDRESS`; docs/cluster.md shows how."
            ) from None
        try:
            with contextlib.ExitStack() as stack:
                stack.enter_context(client)
                try:
                    client.register_plugin(self._station, name=self._station.name)
                except Exception as error:
                    raise ClusterError(
                        f"The workers at {self._address} cannot be told what to grade ({_first_line(error)}). They "
                        "need this course, in this version: install it there with requirements-cluster.txt."
                    ) from error
                yield client
                with contextlib.suppress(Exception):
                    client.unregister_worker_plugin(self._station.name)
        finally:
            client.close()

    def _look(self, client: Client) -> int:
        """How many places there are now; notes which workers have none, and why."""
        known = client.scheduler_info(n_workers=-1)["workers"]
        places = {address: int(each["resources"].get(self._station.name, 0)) for address, each in known.items()}
        news = [address for address, number in places.items() if not number and address not in self.refused]
        if news:
            with contextlib.suppress(Exception):  # one of them may be gone again
                problems = client.run(_problem, self._station.name, workers=news, on_error="ignore")
                self.refused.update({address: said for address, said in problems.items() if said})
        self.workers = max(self.workers, sum(places.values()))
        return sum(places.values())


class Station(WorkerPlugin):
    """What a worker holds for one grading: the assignment, and sandboxes.

    Attributes:
        name: of this grading on the cluster, another one each time; the workers' places have it too.
        problem: why this worker has no place for a submission, "" where it has.
    """

    def __init__(self, assignment: Assignment, sandbox: str, *, unsafe: bool) -> None:
        """See :class:`DaskCluster`."""
        self.name = f"grading-{secrets.token_hex(8)}"
        self.problem = ""
        self._assignment = assignment
        self._sandbox = sandbox
        self._unsafe = unsafe

    async def setup(self, worker: Any) -> None:
        """On the worker: try the sandbox, and announce a place for each thread."""
        import asyncio

        self._here = threading.local()
        self._sandboxes: list[KernelSandbox] = []
        self.problem = await asyncio.to_thread(self._try)
        if not self.problem:
            await worker.set_resources(**{self.name: worker.state.nthreads})

    def teardown(self, worker: Any) -> None:
        """On the worker: end the sandboxes."""
        for sandbox in self._sandboxes:
            sandbox.close()

    def grade(self, notebook: bytes) -> Graded:
        """On the worker, in one of its threads: grade a notebook."""
        if not hasattr(self._here, "grading"):
            sandbox = copy.deepcopy(self._tried)  # of the same supervisor
            self._sandboxes.append(sandbox)
            self._here.grading = self._assignment.grading(sandbox)
        grading: Grading = self._here.grading
        return grading(notebook)

    def _try(self) -> str:
        try:
            self._tried = choose(self._sandbox, unsafe=self._unsafe)
            lesson = self._assignment.grading(self._tried).lesson
            self._tried.warm_up(lesson.withheld)
        except SandboxError as error:
            return str(error)
        except Exception as error:  # noqa: BLE001  whatever is wrong there, this worker gets no work
            return f"{type(error).__name__}: {error}"
        if lesson_version(lesson) != self._assignment.version:
            return "the course there is another version than here; install the same on all machines"
        return ""


def grade_here(name: str, notebook: bytes) -> Graded:
    """A task: grade a notebook at the worker's station `name`."""
    return station(get_worker(), name).grade(notebook)


def station(worker: Any, name: str) -> Station:
    """The worker's station."""
    found = worker.plugins[name]
    assert isinstance(found, Station)
    return found


def checked(job: Job, future: Future[Any]) -> Done:
    """What became of a job: what came back only counts where it is a graded notebook of this very work."""
    if future.status != "finished":
        error = future.exception() if future.status == "error" else None
        if isinstance(error, KilledWorker):
            return Done(job.key, None, "the workers that graded it were lost, one after the other")
        return Done(job.key, None, _first_line(error) if error else f"Dask gave it up ({future.status})")
    try:
        notebook, error = future.result()
        if notebook is None:
            return Done(job.key, None, str(error)[:1_000])
        if type(notebook) is not bytes or len(notebook) > MAX_NOTEBOOK:
            raise ValueError("no notebook, or too large a one")
        known = json.loads(notebook)["metadata"][KEY]
        if known["work"] != job.key:
            raise ValueError("the grades of other work")
    except Exception as error:  # noqa: BLE001  a worker may send anything
        return Done(job.key, None, f"a worker sent what cannot be used: {_first_line(error)}")
    return Done(job.key, notebook)


def _problem(name: str, dask_worker: Any) -> str:
    return station(dask_worker, name).problem if name in dask_worker.plugins else ""


def _nobody(address: str, refused: dict[str, str]) -> str:
    if not refused:
        return (
            f"The scheduler at {address} has no worker. Start some with `dask worker {address}` and run the same "
            "command again; what is done is recorded."
        )
    reasons = "; ".join(f"{worker}: {why}" for worker, why in sorted(refused.items())[:3])
    return f"No worker at {address} can grade. {reasons}"


def _first_line(error: BaseException) -> str:
    return f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"[:500]


__all__ = ["DaskCluster"]
