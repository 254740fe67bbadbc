"""A back end: bubblewrap, the program that Flatpak runs applications with.

The guest gets namespaces of its own: a network without an interface to anywhere, processes among which it is alone,
and a file system put together from the few folders of :mod:`autograder.sandbox.view`. As root each run has a user of
its own, which nothing else on the machine belongs to; otherwise bubblewrap makes a user namespace.
"""

from __future__ import annotations

import os
import platform
import shutil
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from autograder.sandbox import Limits, seccomp
from autograder.sandbox.confine import landlock_abi
from autograder.sandbox.isolation import Launch, OnLinux, Place, resource_limits
from autograder.sandbox.landlock import confinement
from autograder.sandbox.view import View

NAME = "bubblewrap"


class Bubblewrap(OnLinux):
    """Runs the guest under `bwrap`."""

    name = NAME

    def missing(self) -> str:
        """What this machine lacks for it, "" for nothing."""
        if sys.platform != "linux":
            return "bubblewrap runs on Linux alone"
        if shutil.which("bwrap") is None:
            return "bubblewrap is missing; on Debian and Ubuntu: sudo apt-get install bubblewrap"
        return seccomp.why_not()

    def launch(self, place: Place, limits: Limits) -> Launch:
        """How to start the guest in `place`."""
        filter_ = os.memfd_create("filter")
        os.write(filter_, seccomp.program())
        os.lseek(filter_, 0, os.SEEK_SET)
        settings = {"limits": self._resource_limits(place, limits), "user": place.user, "powerless": True}
        own = ("--bind", str(place.room), str(place.room), "--bind", str(place.room / "shm"), "/dev/shm")  # noqa: S108
        walls = (*_namespaces(), *_files(self._seen, place, own), "--seccomp", str(filter_))
        return Launch(
            [*walls, "--chdir", str(place.room / "work"), "--", *_python(self._seen, place, "guest_kernel")],
            settings,
            {},
            (filter_,),
        )

    def can_warm(self) -> bool:
        """Where a forked guest can confine itself within the namespaces, which it shares with the supervisor."""
        return landlock_abi() >= 1

    def warm(self, place: Place) -> Launch:
        """How to start the supervisor; its sockets' numbers are to be added. The guest's room may be made anew."""
        kill = ("--cap-add", "CAP_KILL") if os.geteuid() == 0 else ()  # guests that are other users
        walls = (*_namespaces(), *kill, *_files(self._seen, place, ("--bind", str(place.folder), str(place.folder))))
        program = _python(self._seen, place, "guest_supervisor")
        return Launch([*walls, "--chdir", str(place.folder), "--", *program], {}, {})

    def confinement(self, place: Place, limits: Limits) -> dict[str, Any]:
        """What a forked guest does to itself first."""
        seen = self._seen  # in the namespaces its hidden folders are empty, and of the packages' nothing else is there
        packages = {path.parent for path in seen.shelf.values()}
        settings = confinement(place, limits, seen, visible=(*seen.readable, *sorted(packages)))
        # Programs that IPython starts write to a terminal; those of the machine are not there.
        settings["landlock"]["writable"] += ["/dev/ptmx", "/dev/pts"]
        return {**settings, "limits": self._resource_limits(place, limits)}

    def _resource_limits(self, place: Place, limits: Limits) -> dict[str, int]:
        alone = place.user is not None or (os.geteuid() != 0 and _counts_by_namespace())
        return resource_limits(limits, alone=alone)

    def enforces(self) -> Sequence[str]:
        """What it enforces, a sentence each."""
        own = os.geteuid() == 0 and self._own_user
        return (
            "no network: a namespace without an interface to anywhere; sockets are refused",
            "files: Python, system libraries and learners' packages, read-only; one folder to write to",
            "processes: a namespace of its own, which ends with the run",
            "user: one of its own for each run" if own else "user: the grader's, without its rights",
            "system calls: a filter by libseccomp",
        )


def _counts_by_namespace() -> bool:
    """Whether the limit on processes counts those of a user namespace alone (Linux 5.14 and later)."""
    try:
        major, minor = (int(part) for part in platform.release().split(".")[:2])
    except ValueError:
        return False
    return (major, minor) >= (5, 14)


def _namespaces() -> Iterator[str]:
    """The program, and the arguments that give what it starts namespaces and nearly no capability."""
    yield from (shutil.which("bwrap") or "bwrap", "--die-with-parent")
    yield from ("--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts", "--unshare-cgroup-try")
    yield from ("--hostname", "sandbox", "--cap-drop", "ALL")
    if os.geteuid() == 0:
        yield from ("--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID")
    else:
        yield "--unshare-user"


def _python(seen: View, place: Place, program: str) -> Sequence[str]:
    return (str(seen.python), "-s", str(place.guest / f"{program}.py"))


def _files(seen: View, place: Place, own: Sequence[str]) -> Iterator[str]:
    """The arguments that put the guest's file system together; `own`: those for what it may write to."""
    made = {Path("/")}

    def inside(path: Path) -> Iterator[str]:
        # bubblewrap makes missing parents readable to their owner alone, which is another user.
        for parent in reversed(path.parents):
            if parent not in made:
                made.add(parent)
                yield from ("--perms", "0755", "--dir", str(parent))

    for path in seen.readable:
        yield from inside(path)
        if path.is_symlink():
            made.add(path)
            yield from ("--symlink", str(path.readlink()), str(path))
        else:
            made.update((path, *(below for below in _parents_below(path, seen))))
            yield from ("--ro-bind", str(path), str(path))
    for path in seen.hidden:
        yield from ("--perms", "0755", "--tmpfs", str(path))
    for path in seen.shelf.values():
        yield from inside(path)
        yield from ("--ro-bind", str(path), str(path))
    for path in seen.hidden:
        yield from ("--remount-ro", str(path))
    # Without a user namespace, what runs as root owns the kernel's settings below /proc, with no capability needed.
    yield from ("--proc", "/proc", "--remount-ro", "/proc", "--dev", "/dev")
    made.add(Path("/dev"))
    yield from inside(place.guest)
    yield from own
    for path in (place.guest, place.shelf):
        yield from ("--ro-bind", str(path), str(path))
    yield from ("--remount-ro", "/dev", "--remount-ro", "/")


def _parents_below(path: Path, seen: View) -> Iterator[Path]:
    """Folders within a bound one in which something else is put: they are there."""
    for other in (*seen.shelf.values(), *seen.readable):
        yield from (parent for parent in other.parents if path in parent.parents)


__all__ = ["Bubblewrap"]
