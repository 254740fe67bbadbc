"""Starts the sandbox's kernel: limits first, then ipykernel. Copied into the sandbox and run there as a program."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def limit(memory: int, file: int) -> None:
    """Limit this process's address space and the size of its files, in bytes, where the system can."""
    try:
        import resource
    except ImportError:  # Windows
        return
    for name, size in (("RLIMIT_AS", memory), ("RLIMIT_FSIZE", file), ("RLIMIT_CORE", 0)):
        kind = getattr(resource, name, None)
        if kind is None:
            continue
        hard = resource.getrlimit(kind)[1]
        size = size if hard == resource.RLIM_INFINITY else min(size, hard)
        try:
            resource.setrlimit(kind, (size, size))
        except (ValueError, OSError):  # macOS has no limit on address space
            continue


def forget_the_project(guest: Path) -> None:
    """Drop every other place from which `course_lib` or `autograder` could be imported."""
    sys.path[:] = [
        place
        for place in sys.path
        if Path(place or ".").resolve() == guest
        or not any((Path(place or ".") / name).exists() for name in ("course_lib", "autograder"))
    ]


def nobody_answers(*_: object, **__: object) -> str:
    """Takes the place of asking. The kernel's own error is a NotImplementedError, which would read as "unanswered"."""
    raise EOFError("in grading nobody is there to answer input()")


def main() -> None:
    """Run a kernel with the connection file named on the command line."""
    limit(int(os.environ["COURSE_MEMORY"]), int(os.environ["COURSE_FILE"]))
    forget_the_project(Path(__file__).resolve().parent)
    from ipykernel.kernelapp import IPKernelApp
    from ipykernel.kernelbase import Kernel

    Kernel.raw_input = Kernel.getpass = nobody_answers  # type: ignore[method-assign]
    IPKernelApp.launch_instance(["-f", sys.argv[1], "--HistoryManager.enabled=False", "--log-level=CRITICAL"])


if __name__ == "__main__":
    main()
