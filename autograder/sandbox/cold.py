"""A cold start: a program of its own for each guest. It works with every back end and on every system."""

from __future__ import annotations

import contextlib
import os
import subprocess
import time
from typing import IO, Protocol

import psutil  # type: ignore[import-untyped]

from autograder.sandbox import Request, SandboxError
from autograder.sandbox.folder import Folder, clear_room, open_to_guest, write_settings
from autograder.sandbox.isolation import Isolation, Launch, Place, environment

END_SECONDS = 12.0
"""How long the end of a guest and of all that it started may take."""


class Process(Protocol):
    """A guest that runs, and the grader's ends of its pipes."""

    pid: int
    """Of the program that was started: the guest is it or a descendant of it."""
    stdin: IO[bytes] | None
    stdout: IO[bytes] | None
    stderr: IO[bytes] | None

    def poll(self) -> int | None:
        """None while it runs."""


class Start(Protocol):
    """How guests come to run, in one folder, one after the other."""

    place: Place

    def begin(self) -> Process:
        """Start a guest, in a room that nobody has used.

        Raises:
            SandboxError: when it does not start.
        """

    def number(self, process: Process) -> int | None:
        """The number that a guest which is ready has on this machine; None where it has to be looked for."""

    def end(self, process: Process) -> None:
        """End it and everything that it started; returns when they are gone."""

    def close(self) -> None:
        """Nothing is started any more: the folder goes."""


class ColdStart:
    """Starts the program that a back end asks for."""

    def __init__(self, isolation: Isolation, request: Request) -> None:
        """Make the folder.

        Raises:
            SandboxError: when the back end does not work here.
        """
        self._run = request.run
        self._folder = Folder(request.withheld)
        self.place = Place(self._folder.path, isolation.own_user())
        self._launch: Launch | None = None
        try:
            self._launch = isolation.launch(self.place, request.limits)
            write_settings(self.place, self._launch.settings)
            open_to_guest(self.place)
        except BaseException:
            self.close()
            raise

    def begin(self) -> Process:
        """Start it; see :class:`Start`."""
        assert self._launch is not None
        clear_room(self.place)
        for file in self._launch.files:
            os.lseek(file, 0, os.SEEK_SET)
        try:
            return subprocess.Popen(  # noqa: S603
                self._launch.command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                cwd=self.place.folder,
                env={**environment(self.place, self._run), **self._launch.environment},
                pass_fds=self._launch.files if os.name == "posix" else (),
                start_new_session=True,
                bufsize=0,
            )
        except OSError as error:
            raise SandboxError(f"the sandbox did not start: {error}") from error

    def number(self, process: Process) -> int | None:
        """None; see :class:`Start`."""

    def end(self, process: Process) -> None:
        """End it; see :class:`Start`."""
        assert isinstance(process, subprocess.Popen)
        assert self._launch is not None
        if self._launch.stop:
            with contextlib.suppress(OSError, subprocess.TimeoutExpired):
                subprocess.run(self._launch.stop, check=False, capture_output=True, timeout=END_SECONDS)  # noqa: S603
        end_program(process)
        # What a back end without walls left over carries the mark of this run in its environment.
        _end([each for each in psutil.process_iter() if _mark(each) == self._run])

    def close(self) -> None:
        """Remove the folder."""
        for file in self._launch.files if self._launch else ():
            os.close(file)
        self._folder.remove()


def end_program(process: subprocess.Popen[bytes]) -> None:
    """End a program and all below it, and wait until they are gone."""
    started = family(process.pid)
    # From the inside: bubblewrap and the supervisor see the guest end, and end the rest before themselves. Once they
    # are gone, the machine's first process would have to clear up behind them, which takes it its time.
    for each in started:
        with contextlib.suppress(psutil.Error):
            each.kill()
    if not started:
        process.terminate()
    for stop in (process.terminate, process.kill):
        try:
            process.wait(END_SECONDS)
            break
        except subprocess.TimeoutExpired:
            stop()
    _end(started)


def family(pid: int) -> list[psutil.Process]:
    """The descendants of a process."""
    try:
        found: list[psutil.Process] = psutil.Process(pid).children(recursive=True)
    except psutil.Error:
        return []
    return found


def _end(processes: list[psutil.Process]) -> None:
    for each in processes:
        with contextlib.suppress(psutil.Error):
            each.kill()
    until = time.monotonic() + END_SECONDS
    while any(map(_runs, processes)) and time.monotonic() < until:
        time.sleep(0.005)


def _runs(process: psutil.Process) -> bool:
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False


def _mark(process: psutil.Process) -> str:
    try:
        return str(process.environ().get("COURSE_RUN", ""))
    except (psutil.Error, OSError):
        return ""


__all__ = ["ColdStart", "Process", "Start", "end_program", "family"]
