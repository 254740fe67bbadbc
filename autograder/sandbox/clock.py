"""The time that a guest's limits are measured in: a machine that is busy with others takes nobody's points."""

from __future__ import annotations

import contextlib
from pathlib import Path
from time import monotonic

SLOWEST = 3.0
"""The clock never needs more than this many seconds for one of its own: load gives no endless time."""


class Clock:
    """Seconds since it was made, without those in which the guest was ready to run and had no processor.

    Linux counts them for each thread (sched(7), /proc/PID/schedstat, the second number, in nanoseconds); of the guest
    its main thread counts, in which cells run. Where nothing is counted, and before a guest is followed, this is plain
    time. A guest can lengthen its own waiting by burning the processor beside its cell, up to :data:`SLOWEST`.
    """

    def __init__(self) -> None:
        self._kept = 0.0
        self._latest = 0.0
        self._watch(None)

    def follow(self, pid: int) -> None:
        """From now on leave out the waiting of the process `pid`, in place of another one's."""
        self._kept = self.now()
        self._watch(_counts(pid))

    def now(self) -> float:
        """Seconds on this clock; it never goes back, although Linux counts a wait only when it is over."""
        elapsed = monotonic() - self._begin
        self._latest = max(self._latest, self._kept + max(elapsed - self._waiting(), elapsed / SLOWEST))
        return self._latest

    def passed(self, moment: float) -> bool:
        """Whether it shows more than `moment`. Plain time, behind which it is, is asked first: that costs nothing."""
        return self._kept + monotonic() - self._begin > moment and self.now() > moment

    def _watch(self, counts: Path | None) -> None:
        self._counts = counts
        self._begin = monotonic()
        self._before = self._last = 0.0
        self._before = self._waiting()

    def _waiting(self) -> float:
        """Seconds that the followed process has waited since it is followed; what it was last where it is gone."""
        if self._counts is not None:
            with contextlib.suppress(OSError, ValueError, IndexError):
                self._last = int(self._counts.read_bytes().split()[1]) / 1e9
        return self._last - self._before


def _counts(pid: int) -> Path:
    return Path(f"/proc/{pid}/schedstat")
