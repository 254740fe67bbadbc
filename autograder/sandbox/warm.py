"""A warm start: a supervisor in the sandbox has made all imports, and forks guests that put up their own walls.

The supervisor stands where the back end's program stands, in the same view of the machine; a guest confines itself
with Landlock and the filter of system calls, as another back end's does, to a room that is new and as a user that is
new. See :mod:`autograder.sandbox.guest_supervisor` for what it knows: the guest's code, and nothing of the grader.

One supervisor serves all workers of a grader. Who starts it owns it; each worker calls it over a socket in its folder,
which no guest can reach, and gets a deputy for its own guests, one at a time.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import select
import socket
import struct
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from multiprocessing.util import Finalize
from pathlib import Path
from typing import IO, Any

from autograder.sandbox import Request, SandboxError
from autograder.sandbox.cold import END_SECONDS, Process, end_program
from autograder.sandbox.folder import Folder, clear_room, open_to_guest, remove
from autograder.sandbox.guest_kernel import MAX_MESSAGE
from autograder.sandbox.isolation import Isolation, Place, WarmIsolation, environment

START_SECONDS = 60.0
"""How long the supervisor may take for its imports."""
_SOCKET = "calls"
_CREDENTIALS = struct.Struct("3i")  # unix(7): process, user, group


class Supervisor:
    """A supervisor that this process started, for guests that lack the same modules.

    Attributes:
        folder: its own, with the guest's code, the rooms, and the socket to call it on.
    """

    def __init__(self, isolation: WarmIsolation, withheld: Sequence[str]) -> None:
        """Start it, without waiting for its imports.

        Raises:
            SandboxError: when it does not start.
        """
        made = Folder(withheld)
        self.folder = made.path
        place = Place(made.path)
        open_to_guest(place)
        clear_room(place)
        launch = isolation.warm(place)
        owner, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115  closed with this
        try:
            with _calls(made.path) as calls, theirs:
                self._program = subprocess.Popen(  # noqa: S603
                    [*launch.command, str(theirs.fileno()), str(calls.fileno())],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=self._errors,
                    cwd=made.path,
                    env={**environment(place, ""), **launch.environment},
                    pass_fds=(*launch.files, theirs.fileno(), calls.fileno()),
                    start_new_session=True,
                )
        except OSError as error:
            owner.close()
            made.remove()
            raise SandboxError(f"the sandbox did not start: {error}") from error
        finally:
            for file in launch.files:
                os.close(file)
        # multiprocessing's, as its workers end without what others register for the end.
        self._end = Finalize(self, _close, (owner, self._program, self._errors, made), exitpriority=1)

    @property
    def alive(self) -> bool:
        """Whether it can be called."""
        return self._end.still_active() and self._program.poll() is None

    def close(self) -> None:
        """End it, all guests with it, and remove the folder."""
        self._end()

    def said(self) -> str:
        """The end of what it wrote to its standard error."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._program.wait(1.0)
        self._errors.seek(0)
        return self._errors.read()[-2_000:].decode("utf-8", "replace").strip()


class Lane:
    """A deputy of a supervisor, for one guest at a time.

    Attributes:
        place: of the guest that runs.
    """

    def __init__(self, isolation: WarmIsolation, folder: Path) -> None:
        """Call the supervisor of `folder`, and wait until it has made its imports.

        Raises:
            SandboxError: when it is gone, or does not answer.
        """
        self._isolation = isolation
        self._caller = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._numbers = itertools.count()
        self._removal: threading.Thread | None = None
        self.place = Place(folder)
        self._caller.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        try:
            with _short(folder) as short:
                self._caller.connect(f"{short}/{_SOCKET}")
            if not select.select([self._caller], [], [], START_SECONDS)[0]:
                raise TimeoutError(f"it was not ready after {START_SECONDS:.0f} seconds")
            said, pid = self._receive()
        except OSError as error:
            self.close()
            raise SandboxError(f"the sandbox's supervisor is gone: {error}") from error
        if said != b"ready":
            self.close()
            raise SandboxError("the sandbox's supervisor is gone")
        self.pid = pid

    def begin(self, request: Request) -> Guest:
        """Fork a guest for a request, as a new user in a new room.

        Raises:
            SandboxError: when it does not start.
        """
        name = f"room-{self.pid}-{next(self._numbers)}"
        self.place = Place(self.place.folder, self._isolation.own_user(), name)
        clear_room(self.place)
        settings = self._isolation.confinement(self.place, request.limits)
        message = {"environment": environment(self.place, request.run), "settings": settings}
        data = json.dumps(message).encode()
        if len(data) > MAX_MESSAGE:
            raise SandboxError(f"the settings of the sandbox are longer than {MAX_MESSAGE:,} bytes")
        theirs, ours = zip(*(_pipe(out=number > 0) for number in range(3)), strict=True)
        try:
            socket.send_fds(self._caller, [data], theirs)
        except OSError as error:
            for file in ours:
                os.close(file)
            raise SandboxError(f"the sandbox's supervisor is gone: {error}") from error
        finally:
            for file in theirs:
                os.close(file)
        return Guest(self, *ours)

    def end(self, guest: Guest) -> bool:
        """End a guest and everything that it started; False where they may not all be gone."""
        with contextlib.suppress(OSError):
            self._caller.send(b'{"end": true}')
        until = time.monotonic() + END_SECONDS
        while guest.poll() is None and time.monotonic() < until:
            guest.wait(until - time.monotonic())
        if guest.poll() != 0:
            return False
        # While the grader judges: a disk may take milliseconds for each folder.
        self._wait_for_removal()
        self._removal = threading.Thread(target=remove, args=(self.place.room,), daemon=True)
        self._removal.start()
        return True

    def _wait_for_removal(self) -> None:
        if self._removal is not None:
            self._removal.join()

    def hear(self, seconds: float) -> tuple[bytes, int] | None:
        """What the deputy or a guest says, b"" when they are gone, and whose it is; None for nothing in that time."""
        if not select.select([self._caller], [], [], seconds)[0]:
            return None
        try:
            return self._receive()
        except OSError:
            return b"", 0

    def _receive(self) -> tuple[bytes, int]:
        """A message, and who sent it: the kernel says that, by the number that the process has here."""
        said, ancillary, _, _ = self._caller.recvmsg(64, socket.CMSG_SPACE(_CREDENTIALS.size))
        return said, _CREDENTIALS.unpack(ancillary[0][2])[0] if ancillary else 0

    def close(self) -> None:
        """Hang up: the deputy ends, and its guest with it."""
        self._caller.close()
        self._wait_for_removal()
        if self.place.name != Place(self.place.folder).name:
            remove(self.place.room)


class Guest:
    """A guest, as :class:`autograder.sandbox.cold.Process` has it; `pid` is its deputy's.

    Attributes:
        number: its own, once it has said something.
    """

    def __init__(self, lane: Lane, stdin: int, stdout: int, stderr: int) -> None:
        self.pid = lane.pid
        self.stdin: IO[bytes] | None = open(stdin, "wb", buffering=0)  # noqa: SIM115
        self.stdout: IO[bytes] | None = open(stdout, "rb", buffering=0)  # noqa: SIM115
        self.stderr: IO[bytes] | None = open(stderr, "rb", buffering=0)  # noqa: SIM115
        self.lane = lane
        self.number: int | None = None
        self._status: int | None = None

    def poll(self) -> int | None:
        """None while it runs, 0 when nothing of it is left, 1 when its deputy is gone."""
        self.wait(0.0)
        return self._status

    def wait(self, seconds: float) -> None:
        """Wait until it has ended, at most so long."""
        while self._status is None and (said := self.lane.hear(seconds)) is not None:
            if said[0] == b"guest":
                self.number = said[1]
            else:
                self._status = 0 if said[0] == b"ended" else 1


class Keeper:
    """Keeps a lane from one request to the next, as long as they withhold the same."""

    def __init__(self, isolation: WarmIsolation) -> None:
        """Nothing is started yet."""
        self._isolation = isolation
        self._withheld: tuple[str, ...] = ()
        self._own: Supervisor | None = None
        self._elsewhere: Path | None = None
        self._lane: Lane | None = None

    def warm_up(self, withheld: Sequence[str]) -> None:
        """Have a supervisor started, without waiting for it.

        Raises:
            SandboxError: when it does not start.
        """
        if tuple(withheld) != self._withheld:
            self.close()
            self._elsewhere = None
            self._withheld = tuple(withheld)
        if self._elsewhere is None and (self._own is None or not self._own.alive):
            self.close()
            self._own = Supervisor(self._isolation, withheld)

    def lane(self, withheld: Sequence[str]) -> Lane:
        """A lane whose deputy lives.

        Raises:
            SandboxError: when there is none to be had.
        """
        if self._lane is not None and tuple(withheld) == self._withheld and self._lane.hear(0.0) is None:
            return self._lane
        self._hang_up()
        self.warm_up(withheld)
        if self._elsewhere is not None:
            with contextlib.suppress(SandboxError):
                self._lane = Lane(self._isolation, self._elsewhere)
                return self._lane
            self._elsewhere = None  # its owner is gone, or will be
            self.warm_up(withheld)
        assert self._own is not None
        try:
            self._lane = Lane(self._isolation, self._own.folder)
        except SandboxError as error:
            said = self._own.said()
            self.close()
            raise SandboxError(f"{error}{': ' if said else ''}{said}") from error
        return self._lane

    def close(self) -> None:
        """End the lane, and the supervisor where this process started it."""
        self._hang_up()
        if self._own is not None:
            self._own.close()
            self._own = None

    def hang_up(self, lane: Lane) -> None:
        """Give up a lane that cannot be trusted to have ended its guest."""
        if lane is self._lane:
            self._hang_up()

    def __getstate__(self) -> dict[str, Any]:
        """For another process, which calls the same supervisor, or starts one when that is gone."""
        folder = self._own.folder if self._own is not None else self._elsewhere
        return {**vars(self), "_own": None, "_elsewhere": folder, "_lane": None}

    def _hang_up(self) -> None:
        if self._lane is not None:
            self._lane.close()
            self._lane = None


class WarmStart:
    """How the guests of one request come to run; see :class:`autograder.sandbox.cold.Start`."""

    def __init__(self, keeper: Keeper, request: Request) -> None:
        """Have a lane.

        Raises:
            SandboxError: when there is none to be had.
        """
        self._keeper = keeper
        self._request = request
        self.place = keeper.lane(request.withheld).place

    def begin(self) -> Process:
        """Fork a guest, in another lane where the first one is gone."""
        lane = self._keeper.lane(self._request.withheld)
        guest = lane.begin(self._request)
        self.place = lane.place
        return guest

    def number(self, process: Process) -> int | None:
        """The guest's own number, which it has sent before it was ready."""
        assert isinstance(process, Guest)
        process.poll()
        return process.number

    def end(self, process: Process) -> None:
        """End a guest, in the end by hanging up."""
        assert isinstance(process, Guest)
        if not process.lane.end(process):
            self._keeper.hang_up(process.lane)

    def close(self) -> None:
        """The lane stays for the next request."""


def warms(isolation: Isolation) -> WarmIsolation | None:
    """The back end, where it can start warm on this machine."""
    return isolation if isinstance(isolation, WarmIsolation) and isolation.can_warm() else None


@contextlib.contextmanager
def _calls(folder: Path) -> Iterator[socket.socket]:
    """A socket in the folder that the grader's own user alone may call."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as calls, _short(folder) as short:
        calls.bind(f"{short}/{_SOCKET}")
        (folder / _SOCKET).chmod(0o600)
        calls.listen(256)
        yield calls


@contextlib.contextmanager
def _short(folder: Path) -> Iterator[str]:
    """Another name of a folder: that of a socket may have 107 characters."""
    file = os.open(folder, os.O_PATH | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{file}"
    finally:
        os.close(file)


def _pipe(*, out: bool) -> tuple[int, int]:
    """The guest's end of a pipe and ours."""
    read, write = os.pipe()
    return (write, read) if out else (read, write)


def _close(owner: socket.socket, program: subprocess.Popen[bytes], errors: IO[bytes], folder: Folder) -> None:
    owner.close()
    end_program(program)
    errors.close()
    folder.remove()


__all__ = ["Guest", "Keeper", "Lane", "Supervisor", "WarmStart", "warms"]
