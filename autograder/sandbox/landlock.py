"""A back end without privileges: Landlock for files, libseccomp for system calls, a supervisor for what is left.

The guest's process forks before it confines itself: the parent stays outside and ends every descendant when the guest
ends. What the kernel's Landlock does not control, the filter of system calls takes away; see :mod:`seccomp` and
docs/sandbox.md.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from autograder.sandbox import Limits, confine, seccomp
from autograder.sandbox.isolation import Launch, OnLinux, Place, closed_to_others, resource_limits
from autograder.sandbox.view import View

NAME = "landlock"
_DEVICES = ("/dev/null", "/dev/zero", "/dev/full")
_RANDOM = ("/dev/random", "/dev/urandom")
_OWN = ("/proc/self", "/proc/cpuinfo", "/proc/meminfo", "/sys/devices/system/cpu")


class Landlock(OnLinux):
    """Runs the guest in a process that restricts itself."""

    name = NAME

    def __init__(self, *, own_user: bool = True, abi: int | None = None) -> None:
        """Choose what to use of what is there.

        Args:
            own_user: as root, give each run a user of its own; it must be able to read Python and the packages.
            abi: use no later version of Landlock, as on an older kernel.
        """
        super().__init__(own_user=own_user)
        self._abi = confine.landlock_abi() if abi is None else min(abi, confine.landlock_abi())

    def missing(self) -> str:
        """What this machine lacks for it, "" for nothing."""
        if sys.platform != "linux":
            return "Landlock is a part of Linux"
        if self._abi < 1:
            return "the kernel has no Landlock (Linux 5.13 or later, with lsm=landlock among its boot settings)"
        closed = None
        if self._own_user and os.geteuid() == 0:
            closed = closed_to_others((self._seen.python, *self._seen.listed))
        if closed is not None:
            return f"another user cannot reach Python, which lies in {closed}, and a run is to have a user of its own"
        return seccomp.why_not()

    def launch(self, place: Place, limits: Limits) -> Launch:
        """How to start the guest in `place`."""
        settings = {"supervised": True, **confinement(place, limits, self._seen, self._abi)}
        return Launch([str(self._seen.python), "-s", str(place.guest / "guest_kernel.py")], settings, {})

    def can_warm(self) -> bool:
        """Wherever it works."""
        return self._abi >= 1

    def warm(self, place: Place) -> Launch:
        """How to start the supervisor."""
        return Launch([str(self._seen.python), "-s", str(place.guest / "guest_supervisor.py")], {}, {})

    def confinement(self, place: Place, limits: Limits) -> dict[str, Any]:
        """What a forked guest does to itself first."""
        return confinement(place, limits, self._seen, self._abi)

    def enforces(self) -> Sequence[str]:
        """What it enforces, a sentence each."""
        abi = self._abi
        own = os.geteuid() == 0 and self._own_user
        return (
            f"files: Landlock (ABI {abi}): Python, libraries and learners' packages to read, one folder to write to",
            "names and sizes of other files are not hidden where their folders are open to the user",
            "no network: sockets are refused by a filter of system calls",
            "processes: a supervisor ends all that is left; signals to others are refused "
            + ("by Landlock" if abi >= 6 else "by the filter, and with them most signals to own processes"),
            "user: one of its own for each run" if own else "user: the grader's, without its rights",
            "system calls: a filter by libseccomp",
        )


def confinement(
    place: Place, limits: Limits, seen: View, abi: int | None = None, visible: Sequence[Path] | None = None
) -> dict[str, Any]:
    """The settings with which a process, forked or fresh, confines itself to `place`.

    Args:
        place: where.
        limits: what it may use.
        seen: what a guest sees.
        abi: the version of Landlock to count on; the kernel's own unless said otherwise.
        visible: files and folders to read where more is hidden by other means already; each costs time.
    """
    abi = confine.landlock_abi() if abi is None else abi
    gaps = seccomp.Gaps(signals=abi < 6, attributes=True, truncation=abi < 3)
    visible = seen.visible if visible is None else visible
    readable = [*visible, place.guest, place.shelf, *map(Path, _RANDOM), *map(Path, _OWN)]
    return {
        "limits": resource_limits(limits, alone=place.user is not None),
        "user": place.user,
        "powerless": True,
        "landlock": {
            "readable": [str(path) for path in readable],
            "listable": [str(path) for path in seen.listed],
            "writable": [str(place.room), *_DEVICES],
            "most": abi,
        },
        "seccomp": seccomp.program(gaps).hex(),
    }


__all__ = ["Landlock", "confinement"]
