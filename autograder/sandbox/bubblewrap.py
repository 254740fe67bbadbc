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

from autograder.sandbox import Limits, seccomp
from autograder.sandbox.isolation import Launch, Place, resource_limits, spare_user
from autograder.sandbox.view import View, view

NAME = "bubblewrap"


class Bubblewrap:
    """Runs the guest under `bwrap`."""

    name = NAME

    def __init__(self, *, own_user: bool = True) -> None:
        """`own_user`: as root, give each run a user of its own; it must be able to read Python and the packages."""
        self._own_user = own_user

    def missing(self) -> str:
        """What this machine lacks for it, "" for nothing."""
        if sys.platform != "linux":
            return "bubblewrap runs on Linux alone"
        if shutil.which("bwrap") is None:
            return "bubblewrap is missing; on Debian and Ubuntu: sudo apt-get install bubblewrap"
        return seccomp.why_not()

    def own_user(self) -> int | None:
        """As root, a user for one run."""
        return spare_user() if self._own_user else None

    def launch(self, place: Place, limits: Limits) -> Launch:
        """How to start the guest in `place`."""
        filter_ = os.memfd_create("filter")
        os.write(filter_, seccomp.program())
        os.lseek(filter_, 0, os.SEEK_SET)
        root = os.geteuid() == 0
        settings = {
            "limits": resource_limits(limits, alone=place.user is not None or (not root and _counts_by_namespace())),
            "user": place.user,
            "powerless": True,
        }
        command = [
            shutil.which("bwrap") or "bwrap",
            "--die-with-parent",
            *("--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts", "--unshare-cgroup-try"),
            *(() if root else ("--unshare-user",)),
            *("--hostname", "sandbox", "--cap-drop", "ALL"),
            *(("--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID") if root else ()),
            *_files(view(), place),
            *("--seccomp", str(filter_), "--chdir", str(place.room / "work"), "--"),
            *(str(view().python), "-s", str(place.guest / "guest_kernel.py")),
        ]
        return Launch(command, settings, {}, (filter_,))

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


def _files(seen: View, place: Place) -> Iterator[str]:
    """The arguments that put the guest's file system together."""
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
    for path in (place.guest, place.shelf):
        yield from inside(path)
        yield from ("--ro-bind", str(path), str(path))
    yield from ("--bind", str(place.room), str(place.room))
    yield from ("--bind", str(place.room / "shm"), "/dev/shm", "--remount-ro", "/dev", "--remount-ro", "/")  # noqa: S108


def _parents_below(path: Path, seen: View) -> Iterator[Path]:
    """Folders within a bound one in which something else is put: they are there."""
    for other in (*seen.shelf.values(), *seen.readable):
        yield from (parent for parent in other.parents if path in parent.parents)


__all__ = ["Bubblewrap"]
