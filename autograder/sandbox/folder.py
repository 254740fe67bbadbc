"""The folder of a run: made, furnished for a guest, cleared between guests, and removed whatever was made of it."""

from __future__ import annotations

import contextlib
import functools
import importlib.util
import json
import os
import shutil
import stat
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from autograder.sandbox import guest
from autograder.sandbox.isolation import Place

_PREFIX, _LOCK = "grading-", "lock"
_YOUNG_SECONDS = 60.0


class Folder:
    """A folder that is locked while it is in use, so that nobody takes it for one whose grader was killed."""

    def __init__(self, withheld: Sequence[str]) -> None:
        """Make it, with a guest that lacks the modules `withheld`."""
        _sweep()
        self.path = Path(tempfile.mkdtemp(prefix=_PREFIX)).resolve()
        self._lock = FileLock(self.path / _LOCK)
        self._lock.acquire(timeout=0)
        place = Place(self.path)
        try:
            guest.build(place.guest, withheld)
            if os.name == "posix":
                from autograder.sandbox.view import view

                place.shelf.mkdir()
                for name, path in view().shelf.items():
                    (place.shelf / name).symlink_to(path)
        except BaseException:
            self.remove()
            raise

    def remove(self) -> None:
        """Remove it; nothing in it is in use any more."""
        self._lock.release()
        remove(self.path)


@functools.cache
def _sweep() -> None:
    """Remove the folders of runs whose grader was killed; once in a process."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError, Timeout):
            known = folder.lstat()
            # Another user's folder may be a trap, and a new one not yet locked.
            if os.name != "posix" or known.st_uid != os.geteuid() or time.time() - known.st_mtime < _YOUNG_SECONDS:
                continue
            if stat.S_ISDIR(known.st_mode):
                with FileLock(folder / _LOCK, timeout=0):
                    remove(folder)


def open_to_guest(place: Place) -> None:
    """Whoever the guest becomes can read its code, whatever the umask."""
    for path in (place.guest, *place.guest.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    if place.shelf.is_dir():  # on POSIX alone
        place.shelf.chmod(0o755)
    place.folder.chmod(0o711)  # it stays the grader's, and the guest may pass


def write_settings(place: Place, settings: Mapping[str, Any]) -> None:
    """Write down what the guest is to do to itself first; it reads that as the grader's user still."""
    path = place.guest / "confinement.json"
    path.write_text(json.dumps(dict(settings)), encoding="utf-8")
    path.chmod(0o644)


def clear_room(place: Place) -> None:
    """A new room to write to: what a dead guest filled must not stop the next."""
    remove(place.room)
    folders = [place.room, *(place.room / name for name in ("home", "work", "tmp", "shm", "home/matplotlib"))]
    for folder in folders:
        folder.mkdir(parents=True)
    # The list of fonts that matplotlib would otherwise take seconds to make, a copy for each run.
    lists = [Path(shutil.copyfile(path, folders[-1] / path.name)) for path in _font_lists()]
    if place.user is not None:
        for path in (*folders, *lists):
            os.chown(path, place.user, place.user, follow_symlinks=False)


@functools.cache
def _font_lists() -> tuple[Path, ...]:
    """Where matplotlib keeps its list; looked for before it is imported, which takes as long as several submissions."""
    home = os.environ.get("MPLCONFIGDIR")
    cache = Path(home) if home else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "matplotlib"
    package = importlib.util.find_spec("matplotlib")
    if package is not None and package.origin is not None:
        source = Path(package.origin).with_name("font_manager.py").read_bytes()
        # matplotlib makes another list where this number, which stands in its source, has changed.
        known = [path for path in cache.glob("fontlist-v*.json") if f"'{path.stem[10:]}'".encode() in source]
        if known:
            return tuple(known)
    import matplotlib.font_manager  # makes the list where there is none yet

    return tuple(Path(matplotlib.get_cachedir()).glob("fontlist-*.json"))


def remove(folder: Path) -> None:
    """Remove a folder, whatever was made of it: modes, depth, names."""
    with contextlib.suppress(OSError, RecursionError):
        shutil.rmtree(folder)
    if folder.exists() and os.name == "posix":
        for command in (["chmod", "-R", "u+rwx"], ["rm", "-rf"]):
            subprocess.run([*command, "--", str(folder)], check=False, capture_output=True)  # noqa: S603
