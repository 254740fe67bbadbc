"""Runs course_lib as a browser would: no threads, no other processes, no alarms. Started by test_in_a_browser.py.

python without_threads.py import          import every module
python without_threads.py run NOTEBOOK    run every cell of a solution, and see that each check is right
"""

from __future__ import annotations

import builtins
import importlib
import os
import pkgutil
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any, NoReturn

MISSING = (
    "_posixsubprocess",
    "fcntl",
    "resource",
    "pwd",
    "torch",
    "psutil",
    "sklearn",
    "zmq",
    "tornado",
    "typer",
    "rich",
)
"""Modules that a browser's Python does not have, or that are no use there."""
USELESS = ("subprocess", "multiprocessing", "concurrent", "asyncio.subprocess", "socket", "autograder", *MISSING)
"""Modules that nothing of course_lib may import."""


def refused(error: Exception) -> Any:
    def refuse(*_: Any, **__: Any) -> NoReturn:
        raise error

    return refuse


def block() -> None:
    """Take away what a browser does not have."""
    import _thread

    no_thread = refused(RuntimeError("can't start new thread"))
    no_process = refused(OSError(138, "Function not implemented"))
    threading.Thread.start = no_thread  # type: ignore[method-assign]
    for name in ("start_new_thread", "start_joinable_thread"):
        if hasattr(_thread, name):
            setattr(_thread, name, no_thread)
    subprocess.Popen.__init__ = no_process  # type: ignore[method-assign]
    for module, names in ((os, ("fork", "forkpty", "posix_spawn", "system")), (signal, ("setitimer", "alarm"))):
        for name in names:
            if hasattr(module, name):
                setattr(module, name, no_process)
    for name in MISSING:
        sys.modules[name] = None  # type: ignore[assignment]
    plain = builtins.__import__

    def looking(name: str, here: Any = None, *rest: Any, **more: Any) -> Any:
        asking = (here or {}).get("__name__", "")
        if asking.split(".")[0] == "course_lib" and any(name == one or name.startswith(f"{one}.") for one in USELESS):
            raise ImportError(f"{asking} imports {name}, which no browser has")
        return plain(name, here, *rest, **more)

    builtins.__import__ = looking


def import_everything() -> None:
    """Import course_lib, module by module, but for its command line."""
    course = importlib.import_module("course_lib")
    for module in pkgutil.walk_packages(course.__path__, "course_lib."):
        if not (module.name.endswith("__main__") or module.name.startswith("course_lib.commands")):
            importlib.import_module(module.name)
            print(module.name)


def run(path: Path) -> None:
    """Run a solution in this process."""
    import nbformat
    from IPython.core.interactiveshell import InteractiveShell
    from traitlets.config import Config

    from course_lib.check import CheckResult

    shell = InteractiveShell.instance(config=Config(HistoryManager={"enabled": False}))
    for cell in nbformat.read(path, as_version=4).cells:
        if cell.cell_type != "code":
            continue
        done = shell.run_cell(cell.source)
        done.raise_error()
        if isinstance(done.result, CheckResult):
            found = done.result.result
            assert found is not None, str(done.result)
            assert found.outcome == "right", f"{found.exercise.name}: {done.result}"
            print(f"RIGHT {found.exercise.name}")


if __name__ == "__main__":
    os.environ["MPLBACKEND"] = "agg"
    block()
    import_everything() if sys.argv[1] == "import" else run(Path(sys.argv[2]))
