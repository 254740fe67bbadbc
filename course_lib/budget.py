"""A budget of processor time: work that goes on longer is ended from outside, whatever it is doing.

    with processor_time(8.0):
        train(model, data)

A machine that is busy with others spends no processor time on this work, so load takes nobody's budget.

The clock is watched by a thread. Where there are none, in a browser, the work looks at the clock itself (`looking`).
"""

from __future__ import annotations

import ctypes
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Any

_LOOK = 0.05
_AGAIN = 0.5
"""Seconds after which the work is told again: it may have caught the first exception."""
_NOT_THE_LEARNERS = (
    str(Path(__file__).parent),
    str(Path(os.__file__).parent),  # the standard library
    *(path for path in sys.path if path.endswith(("site-packages", "dist-packages"))),
    "<frozen",
)


class OverBudget(BaseException):
    """The budget is used up. No `except Exception` catches it."""


@contextmanager
def processor_time(seconds: float) -> Iterator[None]:
    """Within this block this process may use so many seconds of processor time, of all its threads together.

    The exception comes between two steps of Python: one that computes for long by itself, such as a huge product of
    matrices, ends first.

    Args:
        seconds: above 0.

    Raises:
        OverBudget: in the work itself, and out of the block.
        ValueError: seconds not above 0.
    """
    if not seconds > 0:
        raise ValueError(f"seconds is {seconds}; it must be above 0.")
    worker = threading.get_ident()
    over = threading.Event()
    lock = threading.Lock()
    thrown = 0
    end = time.process_time() + seconds

    def watch() -> None:
        nonlocal thrown
        wait = _LOOK
        while not over.wait(wait):
            if time.process_time() > end:
                with lock:
                    if not over.is_set():
                        thrown += 1
                        _throw(worker, OverBudget)
                wait = _AGAIN

    watcher = threading.Thread(target=watch, daemon=True)
    if not _started(watcher):
        with looking(lambda: time.process_time() > end, OverBudget):
            yield
        return
    try:
        yield
    finally:
        while watcher.is_alive():
            with suppress(OverBudget):  # thrown as the work ended by itself
                with lock:
                    over.set()
                watcher.join()
        if thrown:
            _withdraw(worker)


def _started(thread: threading.Thread) -> bool:
    try:
        thread.start()
    except RuntimeError:  # there are no threads
        return False
    return True


@contextmanager
def looking(over: Callable[[], bool], exception: Callable[[], BaseException]) -> Iterator[None]:
    """End Python code within this block once `over`, by a look before each of its lines.

    Code of this package and of installed ones is not looked at, which keeps it quick. Where a debugger watches already,
    there is no limit. Work that catches the exception and goes on is not told again.

    Args:
        over: whether it must end; called very often.
        exception: makes what is raised then, in the work and out of the block.
    """
    if sys.gettrace() is not None:
        yield
        return

    def look(frame: FrameType, event: str, _arg: Any) -> Any:
        if event == "call":
            if frame.f_code.co_filename.startswith(_NOT_THE_LEARNERS):
                return None
            frame.f_trace_opcodes = sys.version_info < (3, 12)  # 3.11 passes over the lines of `while True: pass`
        if over():
            raise exception()
        return look

    sys.settrace(look)
    try:
        yield
    finally:
        sys.settrace(None)


class _Withdrawn(BaseException):
    """Takes the place of an exception that is no longer wanted."""


def _withdraw(worker: int) -> None:
    """See that nothing is on its way to this thread any more.

    Python can also be told to forget an exception, but then it looks for one at each step for ever, and Python 3.11
    never gets past that look once a trace function is set, as the explorations and debuggers do.
    """
    with suppress(_Withdrawn, OverBudget):
        _throw(worker, _Withdrawn)
        while True:
            time.sleep(0)


def _throw(thread: int, exception: type[BaseException]) -> None:
    """Raise an exception in a thread before its next step, in place of one that was not yet raised."""
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), ctypes.py_object(exception))
