"""What a guest uses beyond what limits of a single process can hold: looked at while it runs."""

from __future__ import annotations

import os
import time
from pathlib import Path

import psutil  # type: ignore[import-untyped]

from autograder.sandbox import Limits

SECONDS = 0.2
"""The least time between two looks."""


class Watch:
    """The processes of a guest, their memory together, and its files."""

    def __init__(self, pid: int, room: Path, limits: Limits) -> None:
        self._pid = pid
        self._room = room
        self._limits = limits
        self._next = 0.0

    def exceeded(self) -> str:
        """What is over its limit, as a sentence; "" for nothing, or when it was looked at a moment ago."""
        now = time.monotonic()
        if now < self._next:
            return ""
        said = self._processes() or self._files()
        # A look that takes long, at many processes or files, must not keep the grader from all else.
        self._next = time.monotonic() + max(SECONDS, 4 * (time.monotonic() - now))
        return said

    def _processes(self) -> str:
        try:
            family = psutil.Process(self._pid).children(recursive=True)
        except psutil.Error:
            return ""
        if len(family) > self._limits.processes:
            return f"more than {self._limits.processes} processes at once"
        memory = 0
        for process in family:
            try:
                memory += process.memory_info().rss
            except psutil.Error:
                continue
        return f"more than {self._limits.memory / 1e6:,.0f} MB of memory" if memory > self._limits.memory else ""

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
