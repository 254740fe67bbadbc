"""Runs cells in a guest behind walls: starts it, talks with it, watches what it uses, and ends it.

The conversation is lines over the guest's standard input and output, so there is no socket, no port and no file that
both sides must trust, and the same back end works in a container on another system. All that comes out is hostile:
each frame has a largest size, is checked before it is used, and is counted against the limit on output. What may come:

- an answer (A): kept as bytes for the judge, up to MAX_ANSWERS; beyond that it is dropped and counts as output;
- an output (O): rebuilt from the few fields that the notebook format has; anything else is dropped, and counts too;
- the end (D) of the request that is running: ends it; of another request, or forged twice: nothing happens;
- ready (R), a line of another kind, a broken or too long line: nothing happens, and it counts as output.

A cell that forges its own end gains nothing: only answers earn points, and those the judge compares.
"""

from __future__ import annotations

import contextlib
import json
import queue
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from autograder.sandbox import MAX_ANSWERS, CellRun, Limits, Request, Run, SandboxError, State
from autograder.sandbox.clock import Clock
from autograder.sandbox.cold import ColdStart, Process, Start
from autograder.sandbox.frames import Frames, decode
from autograder.sandbox.isolation import Isolation, Place
from autograder.sandbox.warm import Keeper, WarmStart, warms
from autograder.sandbox.watch import Watch

if TYPE_CHECKING:
    from autograder.assemble import PlannedCell
    from autograder.sandbox.outputs import Outputs

START_SECONDS = 60.0
GRACE_SECONDS = 2.0
"""How long a guest may take to heed an interrupt."""
PLACE = "sandbox"
"""What messages and tracebacks show for the folder of a run."""
_POLL_SECONDS = 0.1
_LOOK_SECONDS = 0.05
"""A cell that ran for longer is looked at once more at its end: the next one must not answer for it."""
_GUILTY: tuple[State, ...] = ("timeout", "crashed")


class KernelSandbox:
    """Runs each submission in a fresh guest, and in another one from where the first one died.

    Attributes:
        isolation: the walls.
        keeper: of the supervisor from which guests are forked; None for cold starts.
    """

    def __init__(self, isolation: Isolation, *, warm: bool = True) -> None:
        """Nothing is started yet.

        Args:
            isolation: the walls.
            warm: keep a supervisor that has made all imports, where the back end can.
        """
        self.isolation = isolation
        supervised = warms(isolation) if warm else None
        self.keeper = Keeper(supervised) if supervised else None

    def run(self, request: Request) -> Run:
        """Run the cells of `request`; never raises for what submitted code does.

        Raises:
            SandboxError: when no guest starts.
        """
        with self._start(request) as start:
            cells, answers, starts = _run_all(request, start)
            place = start.place
        hidden = {index: _hidden_in(cell, place) for index, cell in cells.items()}
        shown = _hide(answers.decode("utf-8", "surrogateescape"), place).encode("utf-8", "surrogateescape")
        return Run(hidden, shown, starts)

    def warm_up(self, withheld: Sequence[str]) -> None:
        """Have imports made while something else is done, where that can be.

        Raises:
            SandboxError: when it does not start.
        """
        if self.keeper is not None:
            self.keeper.warm_up(withheld)

    def close(self) -> None:
        """End the supervisor, where there is one."""
        if self.keeper is not None:
            self.keeper.close()

    @contextlib.contextmanager
    def _start(self, request: Request) -> Iterator[Start]:
        start = WarmStart(self.keeper, request) if self.keeper else ColdStart(self.isolation, request)
        try:
            yield start
        finally:
            start.close()


def _hidden_in(cell: CellRun, place: Place) -> CellRun:
    """What happened to a cell without this run's own folder, which is another one each time."""
    if not cell.outputs and not cell.error:
        return cell
    import nbformat

    outputs = tuple(nbformat.from_dict(json.loads(_hide(json.dumps(output), place))) for output in cell.outputs)
    return CellRun(cell.state, outputs, json.loads(_hide(json.dumps(cell.error), place)))


def _hide(text: str, place: Place) -> str:
    """JSON in which the folder's name is as short as it is different."""
    for path in (place.room, place.folder):
        text = text.replace(json.dumps(str(path))[1:-1], PLACE)
    return text


def _run_all(request: Request, start: Start) -> tuple[dict[int, CellRun], bytes, int]:
    """Run the cells; where a guest dies, start another, replay what made names, and go on."""
    clock = Clock()
    done: dict[int, CellRun] = {}
    guilty: set[int] = set()
    answers = bytearray()
    starts = 0
    alive = False
    while not alive:
        starts += 1
        with _guest(start, request, answers, clock) as running:
            alive = _run_in(running, request, done, guilty, clock)
    return done, bytes(answers), starts


def _run_in(running: _Guest, request: Request, done: dict[int, CellRun], guilty: set[int], clock: Clock) -> bool:
    """Run in one guest all that is not done; False where it died."""
    for cell in request.cells:
        if cell.index in guilty or (cell.role == "check" and cell.index in done):
            continue
        left = request.limits.total - clock.now()
        stopped = _answer_state(request.cells, cell, done) if cell.role == "check" else None
        if left <= 0 or stopped is not None:
            done.setdefault(cell.index, CellRun("not run"))
            continue
        # Set-up is the instructor's and imports what is slow to import: a short limit is not meant for it.
        limit = max(request.limits.cell, START_SECONDS) if cell.role == "setup" else request.limits.cell
        if cell.role == "check":
            limit = max(limit, request.seconds.get(cell.exercise, 0.0))
        result = running.execute(_asked(cell, request), min(left, limit))
        if cell.index not in done or result.state in _GUILTY:
            done[cell.index] = result
        if result.state in _GUILTY:
            guilty.add(cell.index)
        if not running.alive:
            return False
    return True


def _asked(cell: PlannedCell, request: Request) -> dict[str, Any]:
    """What is sent for a cell: the cases of an exercise come in when its check is about to run, not before."""
    if cell.role == "check":
        return {"check": cell.exercise, "run": request.run, "groups": request.cases.get(cell.exercise, {})}
    return {"source": cell.source}


def _answer_state(cells: Sequence[PlannedCell], check: PlannedCell, done: Mapping[int, CellRun]) -> State | None:
    """How the exercise's answer cell ended, where it did not end by itself."""
    ended = (
        done[c.index].state for c in cells if c.role == "answer" and c.exercise == check.exercise and c.index in done
    )
    return next((state for state in ended if state in _GUILTY), None)


@contextlib.contextmanager
def _guest(start: Start, request: Request, answers: bytearray, clock: Clock) -> Iterator[_Guest]:
    """A running guest; ended, with all that it started, on leaving."""
    process = start.begin()
    frames = Frames(process)
    try:
        watch = Watch(process.pid, start.place.room, request.limits)
        running = _Guest(process, frames, watch, clock, request.limits, answers)
        running.wait_until_ready()
        clock.follow(watch.begin(start.number(process)))
        yield running
    finally:
        start.end(process)
        frames.close()


class _Guest:
    """One guest and the requests that are sent to it."""

    def __init__(
        self,
        process: Process,
        frames: Frames,
        watch: Watch,
        clock: Clock,
        limits: Limits,
        answers: bytearray,
    ) -> None:
        self.alive = True
        self._process = process
        self._frames = frames
        self._watch = watch
        self._clock = clock
        self._limits = limits
        self._answers = answers
        self._number = 0

    def wait_until_ready(self) -> None:
        """Wait until the guest is confined and takes requests; nothing foreign has run in it by then.

        Raises:
            SandboxError: when it ends before, or takes too long.
        """
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            try:
                kind, _ = self._frames.get(_POLL_SECONDS)
            except queue.Empty:
                if self._process.poll() is not None:
                    said = self._frames.errors()
                    raise SandboxError(f"the sandbox ended as it started: {said or 'it gave no reason'}") from None
                continue
            if kind == b"R":
                return
        raise SandboxError(f"the sandbox was not ready after {START_SECONDS:.0f} seconds")

    def execute(self, asked: dict[str, Any], seconds: float) -> CellRun:
        """Run one request and say how it ended; at most `seconds`, and two more for one that heeds no interrupt."""
        from autograder.sandbox.outputs import Outputs  # here, as a supervisor is to start before nbformat is imported

        self._number += 1
        self._frames.send({"number": self._number, **asked})
        outputs = Outputs(self._limits)
        begin = time.monotonic()
        deadline = self._clock.now() + seconds
        stopped: State | None = None
        while True:
            if self._clock.passed(deadline) or (stopped is None and outputs.flooded):
                if stopped is not None:  # deaf to the interrupt
                    return self._lost(stopped, outputs)
                stopped = "flooded" if outputs.flooded else "timeout"
                self._frames.send({"interrupt": self._number})
                deadline = self._clock.now() + GRACE_SECONDS
            used = self._watch.exceeded()
            if used:
                return self._lost("crashed", outputs, used)
            try:
                kind, line = self._frames.get(_POLL_SECONDS)
            except queue.Empty:
                if self._process.poll() is not None and self._frames.ended:
                    return self._lost(stopped or "crashed", outputs)
                continue
            if kind == b"A" and len(self._answers) + len(line) < MAX_ANSWERS:
                self._answers += line + b"\n"
                continue
            if kind == b"D":
                ended = self._end_of(line)
                if ended is not None:
                    used = self._watch.exceeded(now=True) if time.monotonic() - begin > _LOOK_SECONDS else ""
                    if used:
                        return self._lost("crashed", outputs, used)
                    return CellRun(stopped or ("error" if ended else "ok"), outputs.kept(), ended)
            outputs.add(kind, line)

    def _end_of(self, line: bytes) -> str | None:
        """The error that the running request ended with, "" for none; None where the line is not its end."""
        content = decode(line)
        if not isinstance(content, dict) or content.get("number") != self._number or "error" not in content:
            return None
        return str(content["error"])[:300]

    def _lost(self, state: State, outputs: Outputs, reason: str = "") -> CellRun:
        self.alive = False
        # A cell that floods and heeds no interrupt has, for its exercise, not ended in time.
        return CellRun("timeout" if state == "flooded" else state, outputs.kept(), reason)


__all__ = ["KernelSandbox"]
