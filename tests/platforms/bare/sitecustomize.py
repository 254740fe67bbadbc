"""What a Python on Windows lacks or does otherwise, taken from a Python on POSIX: on PYTHONPATH it runs at the start.

It is no Windows: paths keep their slashes, and packages of others go on choosing by `sys.platform`. What it takes away
is what code of ours could lean on: functions, signals and modules of POSIX, UTF-8 where no encoding is named, line ends
as they are written, and file operations that Windows refuses.
"""

# What stands in the place of a function works below pathlib, and has that function's own names:
# ruff: noqa: A002, PTH100, PTH110, PTH112, PTH115, PTH206, PTH208

from __future__ import annotations

import builtins
import io
import locale
import os
import re
import signal
import sys
import time
import warnings
from collections.abc import Sequence
from types import ModuleType
from typing import Any

OURS = ("course_lib", "autograder", "__main__")
MODULES = {
    "crypt", "curses", "fcntl", "grp", "posix", "pty", "pwd", "readline", "resource", "spwd", "syslog", "termios",
    "tty",
}  # fmt: skip
FUNCTIONS = [
    "O_CLOEXEC", "O_DIRECTORY", "O_NOCTTY", "O_NOFOLLOW", "O_NONBLOCK", "chown", "chroot", "fork", "forkpty",
    "getegid", "geteuid", "getgid", "getgroups", "getpgid", "getpgrp", "getpriority", "getsid", "getuid",
    "initgroups", "killpg", "lchown", "mkfifo", "mknod", "nice", "openpty", "pread", "pwrite",
    "sched_getaffinity", "sched_setaffinity", "setegid", "seteuid", "setgid", "setgroups", "setpgid", "setsid",
    "setuid", "statvfs", "uname", "wait", "wait3", "wait4", "waitid",
]  # fmt: skip
SIGNALS = [
    "SIGALRM", "SIGCHLD", "SIGHUP", "SIGKILL", "SIGPIPE", "SIGQUIT", "SIGSTOP", "SIGUSR1", "SIGUSR2", "alarm",
    "pthread_kill", "setitimer", "sigwait",
]  # fmt: skip
RESERVED = re.compile(
    r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?|.*[<>:\"|?*\x00-\x1f\\].*|.*[. ]", re.IGNORECASE | re.DOTALL
)
LONGEST = 260 - len("C:\\Users\\a-long-user-name\\Documents\\")
CODE_PAGE = "cp1252"
HERE = os.environ.get("STUDENT_TREE", "/nowhere")
"""The names of files are looked at below this folder alone: elsewhere the system's own stand."""
READ_ONLY = "STUDENT_TREE_READ_ONLY" in os.environ
"""Whether nothing can be written there, as in a folder of the school's; the superuser knows no such folder here."""


def take_away() -> None:
    """Do it, for this process."""
    _files()
    _encodings()
    _modules()
    # A default for text that is not named would differ between systems; in code of ours it is a fault.
    warnings.filterwarnings("error", category=EncodingWarning, module=r"(course_lib|autograder)(\.|$)")


def _modules() -> None:
    """Code of ours that imports `os`, `signal` or `sys` gets what Windows has; packages of others get the real ones."""
    seen = {
        "os": _without(os, FUNCTIONS, name="nt", linesep="\r\n"),
        "signal": _without(signal, SIGNALS),
        "sys": _without(sys, ["getdlopenflags", "setdlopenflags"], platform="win32"),
        "time": _without(time, ["tzset", "clock_gettime", "clock_settime", "pthread_getcpuclockid"]),
    }
    before = builtins.__import__

    def importing(name: str, globals: Any = None, locals: Any = None, fromlist: Any = (), level: int = 0) -> Any:
        asking = str((globals or {}).get("__name__", "")).partition(".")[0]
        top = name.partition(".")[0]
        if level == 0 and asking in OURS:
            if top in MODULES:
                raise ModuleNotFoundError(f"No module named {name!r} on Windows", name=name)
            if name in seen or (top in seen and not fromlist):
                return seen[top]
        return before(name, globals, locals, fromlist, level)

    builtins.__import__ = importing


def _without(module: ModuleType, names: Sequence[str], **instead: object) -> ModuleType:
    bare = ModuleType(module.__name__)
    vars(bare).update({key: value for key, value in vars(module).items() if key not in names}, **instead)
    return bare


def _files() -> None:
    for name, target in (("replace", 1), ("rename", 1), ("remove", 0), ("unlink", 0)):
        _refused_while_open(name, target)
    for name in ("mkdir", "open", "replace", "rename"):
        _refused_by_name(name)
    before = io.open

    def opening(file: Any, mode: str = "r", buffering: int = -1, encoding: Any = None, errors: Any = None,
                newline: Any = None, closefd: bool = True, opener: Any = None) -> Any:  # fmt: skip
        if not isinstance(file, int):
            _refuse_name(file, writing=bool(set(mode) & set("wax+")))
        if "b" not in mode:
            if encoding in (None, "locale"):
                frame = sys._getframe(1)
                while frame.f_back and frame.f_globals.get("__name__") == "pathlib":
                    frame = frame.f_back
                if str(frame.f_globals.get("__name__")).partition(".")[0] in OURS:
                    raise EncodingWarning(f"{frame.f_code.co_filename}:{frame.f_lineno} names no encoding")
                encoding = CODE_PAGE
            if newline is None and set(mode) & set("wax+"):
                newline = "\r\n"
        return before(file, mode, buffering, encoding, errors, newline, closefd, opener)

    io.open = builtins.open = opening

    def link(*_: object, **__: object) -> None:
        raise OSError(22, "a required privilege is not held by the client (WinError 1314)")

    os.symlink = os.link = link  # type: ignore[assignment]


def _open_files() -> set[str]:
    """What this process has open; nothing where the system does not tell so."""
    found: set[str] = set()
    if not os.path.isdir("/proc/self/fd"):
        return found
    for name in os.listdir("/proc/self/fd"):
        try:
            found.add(os.readlink(f"/proc/self/fd/{name}"))
        except OSError:
            continue
    return found


def _refused_while_open(name: str, target: int) -> None:
    before = getattr(os, name)

    def refusing(*paths: Any, **more: Any) -> Any:
        for path in paths[: target + 1]:
            if os.path.realpath(os.fspath(path)) in _open_files():
                raise PermissionError(13, "the file is open (WinError 32)", str(path))
        if name == "rename" and os.path.exists(paths[1]):
            raise FileExistsError(17, "there is a file of that name (WinError 183)", str(paths[1]))
        return before(*paths, **more)

    setattr(os, name, refusing)


def _refused_by_name(name: str) -> None:
    before = getattr(os, name)

    def refusing(*paths: Any, **more: Any) -> Any:
        for path in paths[: 2 if name in ("replace", "rename") else 1]:
            _refuse_name(path, writing=name != "open" or bool(paths[1] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)))
        return before(*paths, **more)

    setattr(os, name, refusing)


def _refuse_name(path: Any, *, writing: bool) -> None:
    text = os.path.abspath(os.fsdecode(path))
    if not text.startswith(HERE + os.sep):
        return
    inside = text[len(HERE) + 1 :]
    if any(RESERVED.fullmatch(part) for part in inside.split(os.sep)):
        raise OSError(22, "Windows has no such name", text)
    if writing and READ_ONLY:
        raise PermissionError(13, "access is denied (WinError 5)", text)
    if len(inside) > LONGEST:
        raise OSError(2, "the path is too long for Windows", text)


def _encodings() -> None:
    locale.getpreferredencoding = lambda _=True: CODE_PAGE
    if hasattr(locale, "getencoding"):
        locale.getencoding = lambda: CODE_PAGE


if os.environ.get("STUDENT_TREE"):
    take_away()
