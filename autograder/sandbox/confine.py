"""What a process does to itself before it sees foreign code. Standard library alone: the sandbox holds a copy.

Everything here holds for the calling process and all that it starts, and cannot be taken back. A forked child may
call :func:`confine` as well as a fresh interpreter. Landlock is used through its three system calls, whose numbers are
the same on every processor; the packages on PyPI that wrap them are young and not needed for so little.

Sources: landlock(7), seccomp(2), prctl(2), capabilities(7).
"""

from __future__ import annotations

import contextlib
import ctypes
import math
import os
import select
import signal
import sys
import time
from collections.abc import Collection, Iterable, Mapping
from typing import Any

_PR_SET_PDEATHSIG = 1
_PR_SET_DUMPABLE = 4
_PR_SET_SECCOMP = 22
_PR_CAPBSET_DROP = 24
_PR_SET_CHILD_SUBREAPER = 36
_PR_SET_NO_NEW_PRIVS = 38
_PR_CAP_AMBIENT = 47
_PR_CAP_AMBIENT_CLEAR_ALL = 4
_SECCOMP_MODE_FILTER = 2

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_VERSION = 1
_PATH_BENEATH = 1
_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1, 2, 4, 8
_REFER, _TRUNCATE, _IOCTL_DEV = 1 << 13, 1 << 14, 1 << 15
_MAKE_CHAR, _MAKE_BLOCK = 1 << 6, 1 << 11
_OF_FILES = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _IOCTL_DEV
_BIND_AND_CONNECT_TCP = 3
_ABSTRACT_SOCKETS_AND_SIGNALS = 3
_KILL_SECONDS = 10.0
_HEARD = ("SIGTERM", "SIGHUP", "SIGCHLD")


class _Ruleset(ctypes.Structure):
    _fields_ = (("fs", ctypes.c_uint64), ("net", ctypes.c_uint64), ("scoped", ctypes.c_uint64))


class _PathBeneath(ctypes.Structure):
    _pack_ = 1
    _layout_ = "ms"
    _fields_ = (("allowed", ctypes.c_uint64), ("parent", ctypes.c_int32))


class _Filter(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("program", ctypes.c_char_p))


class _CapHeader(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


def confine(settings: Mapping[str, Any]) -> None:
    """Apply `settings`, step by step; a missing step is one that something else takes care of.

    Args:
        settings: "limits" (name of an RLIMIT: value), "user" (a number to change to), "powerless" (drop all
            capabilities), "landlock" (see :func:`restrict_files`), "seccomp" (hexadecimal).

    Raises:
        OSError: where a step fails; nothing foreign may run then.
    """
    limit(settings.get("limits", {}))
    if settings.get("user") is not None:
        become(settings["user"])
    if settings.get("powerless"):
        drop_capabilities()
    if sys.platform == "linux":
        _prctl(_PR_SET_NO_NEW_PRIVS, 1)
    if settings.get("landlock") is not None:
        restrict_files(**settings["landlock"])
    if settings.get("seccomp"):
        load_filter(bytes.fromhex(settings["seccomp"]))


def limit(sizes: Mapping[str, int]) -> None:
    """Set limits of resources ("RLIMIT_AS": bytes), as far as this system has them."""
    try:
        import resource
    except ImportError:  # Windows
        return
    for name, size in sizes.items():
        kind = getattr(resource, name, None)
        if kind is None:
            continue
        hard = resource.getrlimit(kind)[1]
        most = size if hard == resource.RLIM_INFINITY else min(size, hard)
        with contextlib.suppress(ValueError, OSError):  # macOS has no limit on address space
            resource.setrlimit(kind, (most, most))


def become(user: int) -> None:
    """Change to the user and group `user` for good, without other groups."""
    os.setgroups([])
    os.setresgid(user, user, user)
    os.setresuid(user, user, user)
    # The change made the process's own /proc entries root's; the interpreter may read its own again.
    _prctl(_PR_SET_DUMPABLE, 1)


def drop_capabilities() -> None:
    """Leave this process, whoever it runs as, no capability."""
    for number in range(64):
        if _libc().prctl(_PR_CAPBSET_DROP, number, 0, 0, 0) != 0:
            break
    _libc().prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)
    header = _CapHeader(0x20080522, 0)
    none = (ctypes.c_uint32 * 6)()
    if _libc().capset(ctypes.byref(header), none) != 0:
        _raise("capset")


def landlock_abi() -> int:
    """The version of Landlock that the kernel has; 0 where there is none."""
    if sys.platform != "linux":
        return 0
    return max(0, int(_libc().syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), ctypes.c_uint32(_VERSION))))


def restrict_files(
    readable: Iterable[str], listable: Iterable[str], writable: Iterable[str], most: int = 1_000
) -> None:
    """Forget every file but those named, and all that is below them; close TCP, signals and abstract sockets.

    Args:
        readable: files and folders to read and run.
        listable: folders whose names may be listed, at every depth, but not read.
        writable: folders to do everything in but making devices; devices to read and write.
        most: the version of Landlock to use where the kernel has a later one; what an older one lacks is left open.
    """
    abi = min(landlock_abi(), most)
    if abi < 1:
        raise OSError("the kernel has no Landlock")
    handled = (1 << 13) - 1  # a right that the kernel does not know must not be named
    handled |= (_REFER if abi >= 2 else 0) | (_TRUNCATE if abi >= 3 else 0) | (_IOCTL_DEV if abi >= 5 else 0)
    ruleset = _Ruleset(
        handled, _BIND_AND_CONNECT_TCP if abi >= 4 else 0, _ABSTRACT_SOCKETS_AND_SIGNALS if abi >= 6 else 0
    )
    size = 8 if abi < 4 else 16 if abi < 6 else 24
    rules = _libc().syscall(_CREATE_RULESET, ctypes.byref(ruleset), ctypes.c_size_t(size), ctypes.c_uint32(0))
    if rules < 0:
        _raise("landlock_create_ruleset")
    try:
        for paths, rights in (
            (readable, _EXECUTE | _READ_FILE | _READ_DIR),
            (listable, _READ_DIR),
            (writable, handled & ~(_MAKE_CHAR | _MAKE_BLOCK)),
        ):
            for path in paths:
                _allow(rules, path, rights)
        _prctl(_PR_SET_NO_NEW_PRIVS, 1)
        if _libc().syscall(_RESTRICT_SELF, ctypes.c_int(rules), ctypes.c_uint32(0)) != 0:
            _raise("landlock_restrict_self")
    finally:
        os.close(rules)


def load_filter(program: bytes) -> None:
    """Load a compiled filter of system calls for the calling thread and all that it starts."""
    filter_ = _Filter(len(program) // 8, program)
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)
    if _libc().prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.byref(filter_), 0, 0) != 0:
        _raise("seccomp")


def supervised(user: int | None) -> None:
    """Fork: the child returns and goes on; the parent stays outside, and ends everything when the child ends.

    Orphans of the child become children of the parent, so none can slip away. The parent ends all of them too when
    it is told to (SIGTERM) and when the grader dies.

    Args:
        user: the number that the child will change to, whose processes can then be ended all at once.
    """
    _prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    take_in_orphans()
    child = os.fork()
    if child == 0:
        leave_supervisor(signal.SIGKILL)
        return
    told = hear_signals()
    for stream in (0, 1):  # the conversation is the child's
        os.close(stream)
    status, gone = oversee(child, user, told)
    if not gone:
        end_all(user)
    os._exit(os.waitstatus_to_exitcode(status) & 0x7F)


def take_in_orphans() -> None:
    """From now on what a descendant leaves behind becomes a child of this process, so that none can slip away."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def hear_signals() -> int:
    """Let signals that end processes, and the ends of children, be read from the descriptor that this returns."""
    told, tell = os.pipe()
    os.set_blocking(tell, False)
    signal.set_wakeup_fd(tell, warn_on_full_buffer=False)
    for name in _HEARD:
        signal.signal(getattr(signal, name), lambda *_: None)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    return told


def leave_supervisor(at_its_end: int) -> None:
    """In a forked child: be told `at_its_end` when the parent ends, have a session, hear no signals for the parent."""
    signal.set_wakeup_fd(-1)
    for name in (*_HEARD, "SIGINT"):
        signal.signal(getattr(signal, name), signal.SIG_DFL)
    _prctl(_PR_SET_PDEATHSIG, at_its_end)
    os.setsid()


def oversee(child: int, user: int | None, told: int, control: int | None = None) -> tuple[int, bool]:
    """Wait until a child ends, SIGTERM comes or `control` can be read; then end all that is left of it.

    Args:
        child: a child of this process, which has taken in orphans.
        user: the number that the child changed to, whose processes can be ended all at once.
        told: where signals can be read; see :func:`hear_signals`.
        control: a descriptor.

    Returns:
        How the child ended, as `os.waitpid` says it, 0 where it did not by itself; and whether nothing is left.
    """
    status = 0
    ended: dict[int, int] = {}
    watched = [told] if control is None else [told, control]
    while True:
        ended = dict(_reaped())
        if child in ended:
            status = ended[child]
            break
        ready = select.select(watched, [], [], 1.0)[0]
        woken = os.read(told, 64) if told in ready else b""
        if control in ready or signal.SIGTERM in woken or signal.SIGHUP in woken:
            break
    if child not in ended:  # alone, as most are, it needs no search for others
        with contextlib.suppress(OSError):
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
    return status, end_all(user, _KILL_SECONDS)


def end_all(user: int | None, seconds: float = math.inf, spared: Collection[int] = ()) -> bool:
    """End all descendants of this process, which has taken in orphans; whether none is left.

    Args:
        user: the number that they changed to, whose processes can be ended all at once.
        seconds: how long to try.
        spared: children that are left alone, with all that is theirs.
    """
    until = time.monotonic() + seconds
    while not _childless():
        if time.monotonic() > until:
            return False
        if user is not None:
            _end_user(user)
        left = _descendants(spared)
        if spared and not left:
            break
        for number in (signal.SIGSTOP, signal.SIGKILL):  # first nobody moves, then nobody is left
            for pid in left:
                with contextlib.suppress(OSError):
                    os.kill(pid, number)
        if not _childless():
            time.sleep(0.002)
    return True


def _childless() -> bool:
    """Whether no child is left: then no descendant is, as this process takes in orphans."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return True
    return False


def _end_user(user: int) -> None:
    """Kill every process of `user` at once, as that user: the kernel lets none fork in between."""
    child = os.fork()
    if child == 0:
        os.setgroups([])
        os.setresgid(user, user, user)
        os.setresuid(user, user, user)
        with contextlib.suppress(OSError):
            os.kill(-1, signal.SIGKILL)
        os._exit(0)
    with contextlib.suppress(OSError):
        os.waitpid(child, 0)


def _reaped() -> Iterable[tuple[int, int]]:
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            return
        yield pid, status


def children() -> set[int]:
    """The children of this process."""
    return {pid for pid, parent in _parents().items() if parent == os.getpid()}


def _descendants(spared: Collection[int]) -> list[int]:
    parents = _parents()
    found: list[int] = []
    layer = [os.getpid()]
    while layer:
        layer = [pid for pid, parent in parents.items() if parent in layer and pid not in spared]
        found += layer
    return found


def _parents() -> dict[int, int]:
    """The parent of each process that runs; see proc(5)."""
    parents: dict[int, int] = {}
    for name in os.listdir("/proc"):  # noqa: PTH208
        if name.isdigit():
            with contextlib.suppress(OSError, ValueError, IndexError):
                with open(f"/proc/{name}/stat", "rb") as file:  # noqa: PTH123
                    fields = file.read().rpartition(b")")[2].split()
                if fields[0] != b"Z":
                    parents[int(name)] = int(fields[1])
    return parents


def _allow(rules: int, path: str, rights: int) -> None:
    try:
        handle = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return  # what is not there needs no right
    try:
        if not os.path.isdir(path):  # noqa: PTH112
            rights &= _OF_FILES
        rule = _PathBeneath(rights, handle)
        if _libc().syscall(_ADD_RULE, ctypes.c_int(rules), _PATH_BENEATH, ctypes.byref(rule), ctypes.c_uint32(0)) != 0:
            _raise(f"landlock_add_rule for {path}")
    finally:
        os.close(handle)


def _prctl(option: int, value: int) -> None:
    if _libc().prctl(option, value, 0, 0, 0) != 0:
        _raise(f"prctl {option}")


def _raise(what: str) -> None:
    number = ctypes.get_errno()
    raise OSError(number, f"{what}: {os.strerror(number)}")


def _libc() -> Any:
    global _LIBC
    if _LIBC is None:
        _LIBC = ctypes.CDLL(None, use_errno=True)
        _LIBC.syscall.restype = ctypes.c_long
    return _LIBC


_LIBC: Any = None
