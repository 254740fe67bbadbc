"""What a guest uses beyond what limits of a single process can hold: looked at while it runs."""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path

import psutil  # type: ignore[import-untyped]

from autograder.sandbox import Limits
from autograder.sandbox.cold import family

SECONDS = 0.2
"""The least time between two looks."""


class Watch:
    """The processes of a guest, their memory together, and its files."""

    def __init__(self, pid: int, room: Path, limits: Limits) -> None:
        """`pid`: of the program that was started, outside the walls; the guest itself is below it."""
        self._pid = pid
        self._room = room
        self._limits = limits
        self._next = 0.0
        self._helpers = 0

    def begin(self, number: int | None) -> int:
        """Call when the guest is ready and has run nothing foreign; returns its number.

        Args:
            number: the guest's, where it is known to be a child of the program that was started. Otherwise what stands
                between the two is the back end's own, and does not count.
        """
        self._next = time.monotonic() + SECONDS
        if number is not None:
            return number
        found = family(self._pid)
        self._helpers = max(0, len(found) - 1)
        return found[-1].pid if found else self._pid

    def exceeded(self, *, now: bool = False) -> str:
        """What is over its limit, as a sentence; "" for nothing, or when it was looked at a moment ago.

        Args:
            now: look, whenever the last time was.
        """
        begin = time.monotonic()
        if begin < self._next and not now:
            return ""
        said = self._processes() or self._files()
        # A look that takes long, at many processes or files, must not keep the grader from all else.
        self._next = time.monotonic() + max(SECONDS, 4 * (time.monotonic() - begin))
        return said

    def _processes(self) -> str:
        found = family(self._pid)
        most = self._limits.processes
        if len(found) > most:
            return f"more than {most} processes at once"
        memory = threads = 0
        for process in found:
            try:
                memory += process.memory_info().rss
                threads += process.num_threads()
            except psutil.Error:
                continue
        if threads - self._helpers > most:
            return f"more than {most} processes and threads at once"
        # What forks share counts once: asked for only where it matters, as the answer takes the kernel some time.
        over = memory > self._limits.memory and sum(map(_share, found)) > self._limits.memory
        return f"more than {self._limits.memory / 1e6:,.0f} MB of memory" if over else ""

    def _files(self) -> str:
        """At most one file beyond the limit is looked at, however many there are and however deep."""
        count = size = 0
        folders = [self._room]
        while folders:
            try:
                with os.scandir(folders.pop()) as found:
                    for entry in found:
                        count += 1
                        if count > self._limits.files:
                            return f"more than {self._limits.files:,} files"
                        if entry.is_dir(follow_symlinks=False):
                            folders.append(Path(entry.path))
                        else:
                            size += entry.stat(follow_symlinks=False).st_blocks * 512
            except FileNotFoundError:
                continue
            except OSError as error:
                if error.errno in (36, 40):
                    return "folders nested too deep"
                continue  # a folder that its owner has closed; as root there is none
        return f"more than {self._limits.disk / 1e6:,.0f} MB of files" if size > self._limits.disk else ""


def _share(process: psutil.Process) -> int:
    """Bytes of memory of a process; what it shares is divided among those who share it, where the system tells."""
    with contextlib.suppress(psutil.Error, OSError):
        used = process.memory_full_info() if psutil.LINUX else process.memory_info()
        return int(getattr(used, "pss", used.rss))
    with contextlib.suppress(psutil.Error, OSError):
        return int(process.memory_info().rss)
    return 0
