"""Where submitted code runs: what goes in, what comes out, and the limits. Nothing in here gives points.

A back end takes a :class:`Request` and returns a :class:`Run`, whatever the code in it does. The answers come out as
the raw bytes that the sandbox wrote; the judge decodes them.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:
    from nbformat import NotebookNode

    from autograder.assemble import PlannedCell

State = Literal["ok", "error", "timeout", "crashed", "flooded", "not run"]

MAX_ANSWERS = 32_000_000
"""The most bytes of answers that are read back."""


class SandboxError(RuntimeError):
    """The sandbox itself could not be set up; the submission is not to blame."""


@dataclass(frozen=True)
class Limits:
    """What a submission may use.

    Attributes:
        cell: seconds for one cell, waiting for a processor not counted (:mod:`autograder.sandbox.clock`); set-up cells,
            which are the instructor's, may take longer.
        total: seconds for all of them, starting the sandbox included.
        memory: bytes of address space of each process, where the system can limit it, and of memory in use by all.
        kept_output: bytes of output that are kept of a cell; the rest is dropped as it comes.
        output: bytes of output after which a cell is stopped.
        file: bytes that a file may grow to.
        disk: bytes of all files together.
        files: number of files and folders.
        processes: number of processes and, where the system can limit it, of threads.
    """

    cell: float = 10.0
    total: float = 120.0
    memory: int = 4_000_000_000
    kept_output: int = 400_000
    output: int = 10_000_000
    file: int = 100_000_000
    disk: int = 300_000_000
    files: int = 5_000
    processes: int = 64

    def with_more(self, seconds: Iterable[float]) -> Limits:
        """The same with as much more time for all cells as some of them may take beyond `cell`."""
        return replace(self, total=self.total + sum(max(0.0, each - self.cell) for each in seconds))

    def __post_init__(self) -> None:
        for each in fields(self):
            if not getattr(self, each.name) > 0:
                raise ValueError(f"the limit {each.name} is {getattr(self, each.name)}; it must be more than 0")


@dataclass(frozen=True)
class Request:
    """A submission to run.

    Attributes:
        cells: in the order in which they run.
        cases: for each exercise its encoded cases by group: inputs only.
        withheld: modules of course_lib that the sandbox must not hold.
        limits: what it may use.
        seconds: for checks that need more than `limits.cell`, by exercise.
        run: a fresh name that every answer of this run carries.
    """

    cells: Sequence[PlannedCell]
    cases: Mapping[str, Mapping[str, Sequence[Any]]]
    withheld: Sequence[str] = ()
    limits: Limits = field(default_factory=Limits)
    seconds: Mapping[str, float] = field(default_factory=dict)
    run: str = field(default_factory=lambda: secrets.token_hex(16))


@dataclass(frozen=True)
class CellRun:
    """What happened to one cell.

    Attributes:
        state: "ok"; "error" (it raised); "timeout" (it was stopped at its limit); "crashed" (it ended the
            interpreter, or was ended because it used too much of something); "flooded" (it was stopped because it
            wrote too much); "not run" (the time for the whole notebook was over, or the exercise's answer cell had
            ended in one of these ways).
        outputs: in the notebook format; from a stranger, not yet cleaned.
        error: name and message of what it raised; of a crash, what it used too much of.
    """

    state: State
    outputs: tuple[NotebookNode, ...] = ()
    error: str = ""


@dataclass(frozen=True)
class Run:
    """What came out.

    Attributes:
        cells: by their index in the notebook.
        answers: the raw lines that were written, at most :data:`MAX_ANSWERS` bytes.
        starts: how many interpreters it took; more than 1 after a crash.
    """

    cells: Mapping[int, CellRun]
    answers: bytes
    starts: int = 1


class Sandbox(Protocol):
    """A back end."""

    def run(self, request: Request) -> Run:
        """Run the cells; never raises for what submitted code does.

        Raises:
            SandboxError: when the sandbox itself does not work here.
        """
