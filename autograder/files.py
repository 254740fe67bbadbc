"""Files: reading what somebody else put there, and writing so that nobody sees a half."""

from __future__ import annotations

import io
import os
import stat
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

_READ = (
    os.O_RDONLY
    | getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_NONBLOCK", 0)
    | getattr(os, "O_NOCTTY", 0)
    | getattr(os, "O_BINARY", 0)
)


class NotPlainError(OSError):
    """What stands under a name is no plain file, or somebody still writes it; the message says which."""


def read_plain(path: Path, most: int) -> bytes:
    """The first `most` bytes of a plain file; links are not followed, and pipes and devices not opened.

    Raises:
        FileNotFoundError: where there is nothing.
        NotPlainError: for a link, a folder, a pipe, a socket, a device, a file with a second name (a hard link, which
            may be somebody else's file), and a file that changed while it was read.
        OSError: for whatever else keeps the file from being read.
    """
    _expect_plain(os.lstat(path))  # before opening: to open a device can already do something
    handle = os.open(path, _READ)
    try:
        before = os.fstat(handle)
        _expect_plain(before)
        with os.fdopen(handle, "rb", closefd=False) as file:
            data = file.read(most)
        after = os.fstat(handle)
    finally:
        os.close(handle)
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
        raise NotPlainError("it changed while it was read")
    return data


def _expect_plain(status: os.stat_result) -> None:
    kinds = {
        stat.S_ISLNK: "it is a link",
        stat.S_ISDIR: "it is a folder",
        stat.S_ISFIFO: "it is a pipe",
        stat.S_ISSOCK: "it is a socket",
    }
    for is_kind, sentence in kinds.items():
        if is_kind(status.st_mode):
            raise NotPlainError(sentence)
    if not stat.S_ISREG(status.st_mode):
        raise NotPlainError("it is a device")
    if status.st_nlink > 1:
        raise NotPlainError("it is a hard link, a second name of another file")


def write_atomically(path: Path, content: str | bytes, mode: int = 0o644) -> None:
    """Write a file so that whoever reads sees the old one or the new one, whenever this process or the power ends."""
    path.parent.mkdir(parents=True, exist_ok=True)
    data = content.encode("utf-8") if isinstance(content, str) else content
    handle, part = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=_PART)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(part).chmod(mode)
        Path(part).replace(path)
    except BaseException:
        Path(part).unlink(missing_ok=True)
        raise


def is_foreign(folder: Path, mark: str) -> bool:
    """Whether something stands in a folder that is not ours to replace: ours holds a file of the name `mark`."""
    return folder.exists() and any(folder.iterdir()) and not (folder / mark).is_file()


def put_folder(new: Path, place: Path, aside: Path) -> None:
    """Put a folder in its place as a whole; what was there moves to `aside`."""
    if place.exists():
        place.rename(aside)
    new.rename(place)


def as_zip(files: Mapping[str, bytes]) -> bytes:
    """A zip whose bytes are the same wherever and whenever it is made: the order given, one time, fixed permissions."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, data in files.items():
            entry = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
            entry.create_system = 3  # permissions as on POSIX, whatever this machine is
            entry.external_attr = 0o100644 << 16
            entry.compress_type = zipfile.ZIP_STORED if Path(name).suffix in _PACKED else zipfile.ZIP_DEFLATED
            archive.writestr(entry, data)
    return out.getvalue()


_PACKED = frozenset({".npz", ".mp3"})
_PART = ".part"


def remove_parts(path: Path) -> None:
    """Remove the halves that writers of `path` left behind when they were killed; nobody may be writing it now."""
    for part in path.parent.iterdir() if path.parent.is_dir() else ():
        if part.name.startswith(f".{path.name}.") and part.name.endswith(_PART):
            part.unlink(missing_ok=True)
