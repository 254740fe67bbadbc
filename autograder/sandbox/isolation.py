"""The walls of a sandbox, apart from the conversation with what runs inside."""

from __future__ import annotations

import functools
import os
import secrets
import stat
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from autograder.sandbox import Limits
from autograder.sandbox.view import View, view


@dataclass(frozen=True)
class Place:
    """The folder of one run, the same inside and outside where the back end has no view of its own.

    Attributes:
        folder: everything of this run, and nothing of another.
        user: the number of the user that it belongs to, None for the grader's own.
        name: of the room, where several share the folder.
    """

    folder: Path
    user: int | None = None
    name: str = "room"

    @property
    def guest(self) -> Path:
        """The guest's code; read-only inside."""
        return self.folder / "guest"

    @property
    def shelf(self) -> Path:
        """Links to the learners' packages; read-only inside."""
        return self.folder / "shelf"

    @property
    def room(self) -> Path:
        """The one folder that can be written to."""
        return self.folder / self.name


@dataclass(frozen=True)
class Launch:
    """How to start the guest.

    Attributes:
        command: the program and its arguments.
        settings: what the guest does to itself first; see :func:`autograder.sandbox.confine.confine`.
        environment: of the program.
        files: descriptors that it inherits; closed by whoever starts it.
        stop: a command that ends what the program started elsewhere, () for none.
    """

    command: Sequence[str]
    settings: Mapping[str, Any]
    environment: Mapping[str, str]
    files: Sequence[int] = ()
    stop: Sequence[str] = ()


class Isolation(Protocol):
    """A back end."""

    def __hash__(self) -> int: ...

    @property
    def name(self) -> str:
        """Its name on the command line."""

    def missing(self) -> str:
        """What this machine lacks for it and what to do, "" for nothing. Quick; starts no sandbox."""

    def own_user(self) -> int | None:
        """The user that a new run is to belong to; None for the grader's own."""

    def launch(self, place: Place, limits: Limits) -> Launch:
        """How to start the guest in `place`."""

    def enforces(self) -> Sequence[str]:
        """What it enforces on this machine, a sentence each."""


@runtime_checkable
class WarmIsolation(Isolation, Protocol):
    """A back end that can also start a supervisor, from which guests are forked that confine themselves."""

    def can_warm(self) -> bool:
        """Whether this machine has what such a guest's walls need."""

    def warm(self, place: Place) -> Launch:
        """How to start the supervisor; its sockets' numbers are to be added. The guest's room may be made anew."""

    def confinement(self, place: Place, limits: Limits) -> Mapping[str, Any]:
        """What a forked guest does to itself first; see :func:`autograder.sandbox.confine.confine`."""


class OnLinux:
    """What the back ends that are a part of Linux have in common."""

    def __init__(self, *, own_user: bool = True) -> None:
        """`own_user`: as root, give each run a user of its own; it must be able to read Python and the packages."""
        self._own_user = own_user

    @functools.cached_property
    def _seen(self) -> View:
        """What a guest sees; once it is known, a process that is sent this back end need not look for it again."""
        return view()

    def own_user(self) -> int | None:
        """As root, a user for one run."""
        return spare_user() if self._own_user else None


def spare_user() -> int | None:
    """The number of a user that nobody else is, a new one for each run; None where this process may not change.

    From the numbers above those that systemd gives out, or the last thousand where a container has fewer.
    """
    if os.name != "posix" or os.geteuid() != 0:
        return None
    highest = 2**31
    try:
        lines = Path("/proc/self/uid_map").read_text(encoding="ascii").split("\n")
        highest = min(highest, max(int(start) + int(count) for start, _, count in map(str.split, filter(None, lines))))
    except (OSError, ValueError):
        pass
    lowest = 1_900_000_000 if highest == 2**31 else highest - 1_000
    return lowest + secrets.randbelow(highest - lowest) if lowest > 1_000 else None


def closed_to_others(paths: Iterable[Path]) -> Path | None:
    """The first folder on the way to one of `paths` that another user may not pass; None where all are open."""
    ways = {parent for path in paths for parent in (path, *path.parents)}
    closed = (way for way in sorted(ways) if way.is_dir() and not way.stat().st_mode & stat.S_IXOTH)
    return next(closed, None)


def resource_limits(limits: Limits, *, alone: bool) -> dict[str, int]:
    """The limits that the guest sets for itself and all that it starts.

    Args:
        limits: what a submission may use.
        alone: whether no process outside counts as one of the guest's user.
    """
    sizes = {
        "RLIMIT_AS": limits.memory,
        "RLIMIT_FSIZE": limits.file,
        "RLIMIT_CORE": 0,
        "RLIMIT_CPU": int(limits.total) + 5,
        "RLIMIT_NOFILE": 512,
        "RLIMIT_MEMLOCK": 0,
        "RLIMIT_MSGQUEUE": 0,
    }
    if alone:
        sizes["RLIMIT_NPROC"] = limits.processes
    return sizes


def environment(place: Place, run: str) -> dict[str, str]:
    """The guest's environment: nothing of the grader's but the language."""
    home = place.room / "home"
    kept = {name: os.environ[name] for name in ("LANG", "LC_ALL", "SYSTEMROOT", "TZ") if name in os.environ}
    given = {
        "PATH": os.defpath if os.name == "posix" else os.environ.get("PATH", ""),
        "HOME": str(home),
        "USERPROFILE": str(home),
        "USER": "learner",
        "LOGNAME": "learner",
        "TMPDIR": str(place.room / "tmp"),
        "TEMP": str(place.room / "tmp"),
        "TMP": str(place.room / "tmp"),
        "IPYTHONDIR": str(home / "ipython"),
        "MPLCONFIGDIR": str(home / "matplotlib"),
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
        "PYTHONPATH": os.pathsep.join((str(place.guest), str(place.shelf))),
        "PYTHONNOUSERSITE": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONHASHSEED": "0",
        "PYTHONIOENCODING": "utf-8",
        "OPENBLAS_NUM_THREADS": "1",
        "OMP_NUM_THREADS": "1",
        "MKL_NUM_THREADS": "1",
        "MALLOC_ARENA_MAX": "2",  # glibc reserves 64 MB of address space, which is limited, for each further one
        "COURSE_WORK": str(place.room / "work"),
        "COURSE_RUN": run,
    }
    return {**kept, **given}
