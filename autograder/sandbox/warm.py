"""A warm start: a supervisor in the sandbox has made all imports, and forks a guest that puts up its own walls.

The supervisor stands where the back end's program stands, in the same view of the machine; the guest confines itself
with Landlock and the filter of system calls, as another back end's does, to a room that is new and as a user that is
new. See :mod:`autograder.sandbox.guest_supervisor` for what it knows: the guest's code, and nothing of the grader.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import socket
import subprocess
import tempfile
import time
from collections.abc import Sequence
from multiprocessing.util import Finalize
from typing import IO

from autograder.sandbox import Request, SandboxError
from autograder.sandbox.cold import END_SECONDS, Process, end_program
from autograder.sandbox.folder import Folder, clear_room, open_to_guest, write_settings
from autograder.sandbox.isolation import Isolation, Place, WarmIsolation, environment

START_SECONDS = 60.0
"""How long the supervisor may take for its imports."""


class Supervisor:
    """A supervisor for guests that lack the same modules; one guest at a time.

    Attributes:
        place: the folder of the guest that runs, and its user.
    """

    def __init__(self, isolation: WarmIsolation, withheld: Sequence[str]) -> None:
        """Start it; :meth:`wait_until_ready` says when it can be used.

        Raises:
            SandboxError: when it does not start.
        """
        self._isolation = isolation
        self._folder = Folder(withheld)
        self.place = Place(self._folder.path)
        self._ready = False
        open_to_guest(self.place)
        clear_room(self.place)
        launch = isolation.warm(self.place)
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115  closed with this
        try:
            self._program = subprocess.Popen(  # noqa: S603
                [*launch.command, str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=self._errors,
                cwd=self.place.folder,
                env={**environment(self.place, ""), **launch.environment},
                pass_fds=(*launch.files, theirs.fileno()),
                start_new_session=True,
            )
        except OSError as error:
            self._folder.remove()
            raise SandboxError(f"the sandbox did not start: {error}") from error
        finally:
            theirs.close()
            for file in launch.files:
                os.close(file)
        # multiprocessing's, as its workers end without what others register for the end.
        held = (self._control, self._program, self._errors, self._folder)
        self._end = Finalize(self, _close, held, exitpriority=1)

    def close(self) -> None:
        """End it, the guest with it, and remove the folder."""
        self._end()

    @property
    def pid(self) -> int:
        """Of the program that was started."""
        return self._program.pid

    @property
    def alive(self) -> bool:
        """Whether it can still be asked for a guest."""
        return self._end.still_active() and self._program.poll() is None

    def wait_until_ready(self) -> None:
        """Wait for its imports.

        Raises:
            SandboxError: when it ends before, or takes too long.
        """
        if not self._ready and self.hear(START_SECONDS) != b"ready":
            said = self._said()
            self.close()
            raise SandboxError(f"the sandbox's supervisor did not start: {said or 'it gave no reason'}")
        self._ready = True

    def begin(self, request: Request) -> Guest:
        """Fork a guest for a request, as a new user in a new room.

        Raises:
            SandboxError: when it does not start.
        """
        self.wait_until_ready()  # it makes its imports in the room too
        self.place = Place(self._folder.path, self._isolation.own_user())
        clear_room(self.place)
        write_settings(self.place, self._isolation.confinement(self.place, request.limits))
        message = {"environment": environment(self.place, request.run), "user": self.place.user}
        theirs, ours = zip(*(_pipe(out=number > 0) for number in range(3)), strict=True)
        try:
            socket.send_fds(self._control, [json.dumps(message).encode()], theirs)
        except OSError as error:
            raise SandboxError(f"the sandbox's supervisor is gone: {self._said() or error}") from error
        finally:
            for file in theirs:
                os.close(file)
        return Guest(self, *ours)

    def end(self, process: Guest) -> None:
        """End a guest and everything that it started; returns when they are gone."""
        with contextlib.suppress(OSError):
            self._control.send(b'{"end": true}')
        until = time.monotonic() + END_SECONDS
        while process.poll() is None and time.monotonic() < until:
            process.wait(until - time.monotonic())
        if process.poll() != 0:  # it could not end all, or is gone: then its program ends, with all below it
            self.close()

    def hear(self, seconds: float) -> bytes | None:
        """What it says, b"" when it is gone; None when it says nothing for so long."""
        if not select.select([self._control], [], [], seconds)[0]:
            return None
        try:
            return self._control.recv(64)
        except OSError:
            return b""

    def _said(self) -> str:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._program.wait(1.0)
        self._errors.seek(0)
        return self._errors.read()[-2_000:].decode("utf-8", "replace").strip()


class Guest:
    """A guest of a supervisor."""

    def __init__(self, supervisor: Supervisor, stdin: int, stdout: int, stderr: int) -> None:
        self.pid = supervisor.pid
        self.stdin: IO[bytes] | None = open(stdin, "wb", buffering=0)  # noqa: SIM115
        self.stdout: IO[bytes] | None = open(stdout, "rb", buffering=0)  # noqa: SIM115
        self.stderr: IO[bytes] | None = open(stderr, "rb", buffering=0)  # noqa: SIM115
        self.supervisor = supervisor
        self._status: int | None = None

    def poll(self) -> int | None:
        """None while it runs, 0 when nothing of it is left, 1 when its supervisor is gone."""
        self.wait(0.0)
        return self._status

    def wait(self, seconds: float) -> None:
        """Wait until it has ended, at most so long."""
        if self._status is None and (said := self.supervisor.hear(seconds)) is not None:
            self._status = 0 if said == b"ended" else 1


class Keeper:
    """Keeps a supervisor from one request to the next, as long as they withhold the same."""

    def __init__(self, isolation: WarmIsolation) -> None:
        """Nothing is started yet."""
        self._isolation = isolation
        self._supervisor: Supervisor | None = None
        self._withheld: tuple[str, ...] = ()

    def supervisor(self, withheld: Sequence[str]) -> Supervisor:
        """One that lives.

        Raises:
            SandboxError: when none starts.
        """
        if self._supervisor is None or not self._supervisor.alive or self._withheld != tuple(withheld):
            self.close()
            self._supervisor = Supervisor(self._isolation, withheld)
            self._withheld = tuple(withheld)
        return self._supervisor

    def close(self) -> None:
        """End it."""
        if self._supervisor is not None:
            self._supervisor.close()
            self._supervisor = None

    def __getstate__(self) -> dict[str, object]:
        """For another process, which starts a supervisor of its own."""
        return {**vars(self), "_supervisor": None}


class WarmStart:
    """How the guests of one request come to run; see :class:`autograder.sandbox.cold.Start`."""

    def __init__(self, keeper: Keeper, request: Request) -> None:
        """Have a supervisor started.

        Raises:
            SandboxError: when none starts.
        """
        self._keeper = keeper
        self._request = request
        self.place = keeper.supervisor(request.withheld).place

    def begin(self) -> Process:
        """Fork a guest, from another supervisor where the first one is gone."""
        supervisor = self._keeper.supervisor(self._request.withheld)
        guest = supervisor.begin(self._request)
        self.place = supervisor.place
        return guest

    def end(self, process: Process) -> None:
        """End a guest."""
        assert isinstance(process, Guest)
        process.supervisor.end(process)

    def close(self) -> None:
        """The supervisor stays for the next request."""


def warms(isolation: Isolation) -> WarmIsolation | None:
    """The back end, where it can start warm on this machine."""
    return isolation if isinstance(isolation, WarmIsolation) and isolation.can_warm() else None


def _pipe(*, out: bool) -> tuple[int, int]:
    """The guest's end of a pipe and ours."""
    read, write = os.pipe()
    return (write, read) if out else (read, write)


def _close(control: socket.socket, program: subprocess.Popen[bytes], errors: IO[bytes], folder: Folder) -> None:
    control.close()
    end_program(program)
    errors.close()
    folder.remove()


__all__ = ["Keeper", "Supervisor", "WarmStart", "warms"]
