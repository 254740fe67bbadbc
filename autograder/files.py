"""Files: reading what somebody else put there, and writing so that nobody sees a half."""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path


def read_plain(path: Path, most: int) -> bytes:
    """The first `most` bytes of a plain file; links are not followed, and pipes and devices not waited for.

    Raises:
        FileNotFoundError: where there is nothing.
        OSError: for everything that is not a plain file.
    """
    handle = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
    try:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise OSError(f"{path} is not a plain file")
        with os.fdopen(handle, "rb", closefd=False) as file:
            return file.read(most)
    finally:
        os.close(handle)


def write_atomically(path: Path, text: str) -> None:
    """Write a file so that whoever reads sees the old one or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, part = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
        Path(part).chmod(0o644)
        Path(part).replace(path)
    except BaseException:
        Path(part).unlink(missing_ok=True)
        raise
