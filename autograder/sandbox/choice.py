"""Which back end: the first that has shown here that it holds."""

from __future__ import annotations

import functools
import json
import os
import secrets
import socket
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from autograder.sandbox import Limits, Request, SandboxError
from autograder.sandbox.bubblewrap import Bubblewrap
from autograder.sandbox.container import Container
from autograder.sandbox.isolation import Isolation
from autograder.sandbox.kernel import KernelSandbox
from autograder.sandbox.landlock import Landlock
from autograder.sandbox.none import NoIsolation

NAMES = ("auto", "bubblewrap", "landlock", "container")


@dataclass(frozen=True)
class Report:
    """What one back end can do on this machine.

    Attributes:
        name: the back end's.
        problem: why it cannot be used, "" where it can.
        enforces: what it enforces, a sentence each; nothing where it cannot be used.
    """

    name: str
    problem: str
    enforces: Sequence[str] = ()


def begin(name: str = "auto", withheld: Sequence[str] = ()) -> None:
    """Have imports made by the back end that :func:`choose` tries first, while this process makes its own.

    Raises:
        SandboxError: when it does not start.
    """
    first = next((each for some in _sandboxes(name) for each in some if not each.isolation.missing()), None)
    if first is not None:
        first.warm_up(withheld)


def choose(name: str = "auto", *, unsafe: bool = False, withheld: Sequence[str] = ()) -> KernelSandbox:
    """The sandbox to grade in; in a process the same one each time, as it keeps a supervisor for warm starts.

    Args:
        name: one of :data:`NAMES`; "auto" takes the first that works here.
        unsafe: no walls at all, for code of one's own.
        withheld: what the first request will withhold, so that what is tried can be used.

    Raises:
        SandboxError: when it does not work here, with what to do.
        ValueError: for another name.
    """
    if unsafe:
        return KernelSandbox(NoIsolation())
    if name not in NAMES:
        raise ValueError(f"there is no sandbox {name!r}; choose one of {', '.join(NAMES)}")
    if name not in _found:
        _found[name] = _find(name, withheld)
    return _found[name]


_found: dict[str, KernelSandbox] = {}


def forget() -> None:
    """Try again what works here."""
    _found.clear()
    _sandboxes.cache_clear()


def _find(name: str, withheld: Sequence[str]) -> KernelSandbox:
    problems = []
    for candidates in _sandboxes(name):
        for sandbox in candidates:
            problem = probe(sandbox, withheld)
            if not problem:
                return sandbox
            sandbox.close()
        problems.append(f"{candidates[0].isolation.name}: {problem}")
    raise SandboxError(
        "No sandbox works here, so nothing was run. "
        + "; ".join(problems)
        + ". `python -m autograder sandbox` says more. For code of your own, and only for that, there is --unsafe."
    )


def describe() -> list[Report]:
    """What each back end can do on this machine, and how long a run takes to start and end; each is started."""
    reports = []
    plain = milliseconds(KernelSandbox(NoIsolation()))
    for candidates in _sandboxes("auto"):
        report = None
        for sandbox in candidates:
            isolation = sandbox.isolation
            problem = probe(sandbox)
            report = Report(isolation.name, problem)
            if not problem:
                time_taken = f"time: {milliseconds(sandbox):.0f} ms to start and end a run, {plain:.0f} without walls"
                warm = "start: forked from a supervisor that has made all imports" if sandbox.keeper else "start: cold"
                report = Report(isolation.name, "", (*isolation.enforces(), warm, time_taken))
            sandbox.close()
            if not problem:
                break
        assert report is not None
        reports.append(report)
    return reports


def milliseconds(sandbox: KernelSandbox, runs: int = 5) -> float:
    """How long a run of nothing takes, the middle one of several."""
    from autograder.assemble import PlannedCell

    taken = []
    for _ in range(runs):
        before = time.perf_counter()
        sandbox.run(Request([PlannedCell(0, "learner", "pass")], {}))
        taken.append(time.perf_counter() - before)
    return 1_000 * statistics.median(taken)


@functools.cache
def _sandboxes(name: str) -> tuple[tuple[KernelSandbox, ...], ...]:
    return tuple(tuple(map(KernelSandbox, candidates)) for candidates in _candidates(name))


def _candidates(name: str) -> Iterator[Sequence[Isolation]]:
    """The ways in which each back end may work, the stronger one first."""
    # A Python below a folder that is closed to other users can be read by the grader's own user alone.
    own = (True, False) if hasattr(os, "geteuid") and os.geteuid() == 0 else (True,)
    if name in ("auto", "bubblewrap"):
        yield [Bubblewrap(own_user=each) for each in own]
    if name in ("auto", "landlock"):
        yield [Landlock(own_user=each) for each in own]
    if name in ("auto", "container"):
        yield [Container()]


def probe(sandbox: KernelSandbox, withheld: Sequence[str] = ()) -> str:
    """Why a sandbox does not work or does not hold on this machine; "" where it does.

    It is started once and tries from inside to get out: to read a file of the grader's, the project and /etc/shadow,
    to reach a server of the grader's, to see and to signal the grader, to write where it may not.
    """
    from autograder.assemble import PlannedCell  # here, as a supervisor is started before what this needs is imported

    missing = sandbox.isolation.missing()
    if missing:
        return missing
    word = secrets.token_hex(8)
    with tempfile.TemporaryDirectory(prefix="probe-") as folder, socket.create_server(("127.0.0.1", 0)) as server:
        secret = Path(folder) / "secret"
        secret.write_text(word, encoding="ascii")
        secret.chmod(0o644)
        Path(folder).chmod(0o777)  # as open as can be: the walls must do it
        given = {
            "secret": str(secret),
            "project": str(Path(__file__).resolve()),
            "pid": os.getpid(),
            "port": server.getsockname()[1],
        }
        cells = [PlannedCell(0, "learner", f"given = {given!r}"), PlannedCell(1, "learner", _ESCAPES)]
        try:
            run = sandbox.run(Request(cells, {}, withheld, Limits(cell=20.0)))
        except SandboxError as error:
            return str(error)
    shown = "".join(str(output.get("text", "")) for output in run.cells[1].outputs)
    try:
        got_out = json.loads(shown.strip().rsplit("\n", 1)[-1])
    except ValueError:
        return f"the guest started and then did not answer ({run.cells[1].state} {run.cells[1].error})".rstrip()
    return f"the walls do not hold: from inside one can {', '.join(got_out)}" if got_out else ""


_ESCAPES = r"""
import json, os, socket, sys

def reads(path):
    with open(path, "rb") as file:
        file.read(1)

def connects(kind):
    with socket.socket(socket.AF_INET, kind) as made:
        made.settimeout(2)
        made.connect(("127.0.0.1", given["port"]))
        if kind == socket.SOCK_DGRAM:
            made.connect(("192.0.2.1", 9))
            made.send(b"x")

def seen(path):
    if os.path.exists(path):
        reads(path)
    else:
        raise OSError

def writes(path):
    with open(path, "w") as file:
        file.write("x")

def same_process():
    # Within a namespace of processes the number is another process, or none.
    os.kill(given["pid"], 0)
    with open(f"/proc/{given['pid']}/environ", "rb") as file:
        file.read(1)

ways = {
    "read the grader's files": lambda: reads(given["secret"]),
    "read the project": lambda: reads(given["project"]),
    "read /etc/shadow": lambda: reads("/etc/shadow"),
    "read /etc/passwd": lambda: reads("/etc/passwd"),
    "reach a server on this machine": lambda: connects(socket.SOCK_STREAM),
    "send to the network": lambda: connects(socket.SOCK_DGRAM),
    "read what belongs to the grader's process": lambda: seen(f"/proc/{given['pid']}/cmdline"),
    "signal the grader's process": same_process,
    "write outside its folder": lambda: writes(os.path.dirname(given["secret"]) + "/written"),
    "write to /tmp": lambda: writes("/tmp/written-by-a-probe"),
    "write to /dev/shm of the machine": lambda: writes("/dev/shm/../shm/../../etc/written-by-a-probe"),
}
out = []
for name, way in ways.items():
    try:
        way()
    except OSError:
        continue
    out.append(name)
print(json.dumps(out))
"""
