"""One lesson brought up to date: merged, the old notebook kept beside it, the new one put in its place."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

from course_lib.files import stamps
from course_lib.submission.notebooks import NotebookError, as_bytes, parse, read, write
from course_lib.updating.merge import Merged, merge

_BACKUP = "before"


@dataclass(frozen=True)
class Upgraded:
    """What was done with a lesson, or would be.

    Attributes:
        lesson: its folder.
        state: "updated", "up to date" (nothing is written), "new" (the learner did not have it), "refused".
        path: the learner's notebook.
        merged: what the merge did; None where there was nothing to merge.
        backup: where the old notebook is kept; None where nothing was written.
        reason: why it was refused.
    """

    lesson: str
    state: Literal["updated", "up to date", "new", "refused"]
    path: Path
    merged: Merged | None = None
    backup: Path | None = None
    reason: str = ""


def upgrade(lesson: str, path: Path, data: bytes, now: datetime, *, dry: bool = False) -> Upgraded:
    """Bring a lesson up to date. The old notebook is kept before anything is written; twice changes nothing more.

    Args:
        lesson: the lesson's folder.
        path: the learner's notebook, which need not be there.
        data: the new version's file.
        now: for the name of the backup.
        dry: write nothing.
    """
    try:
        new = parse(data, Path(f"{lesson}.ipynb (the new version)"))
        if not path.exists():
            if not dry:
                write(path, data)
            return Upgraded(lesson, "new", path)
        old = read(path)
        merged = merge(old, new, lesson)
        if as_bytes(old) == as_bytes(merged.notebook):
            return Upgraded(lesson, "up to date", path, merged)
        if dry:
            return Upgraded(lesson, "updated", path, merged)
        backup = keep(path, now)
        write(path, as_bytes(merged.notebook))
        return Upgraded(lesson, "updated", path, merged, backup)
    except NotebookError as error:
        return Upgraded(lesson, "refused", path, reason=str(error))


def keep(path: Path, now: datetime) -> Path:
    """Copy a notebook beside itself under a name with the time; where such a copy has the same bytes, that one will do.

    Raises:
        NotebookError: it cannot be written.
    """
    try:
        data = path.read_bytes()
        for kept in sorted(path.parent.glob(f"{path.stem}.{_BACKUP}-*{path.suffix}")):
            if kept.read_bytes() == data:
                return kept
        for name in stamps(now):
            kept = path.with_name(f"{path.stem}.{_BACKUP}-{name}{path.suffix}")
            if not kept.exists():
                write(kept, data)
                return kept
    except OSError as error:
        raise NotebookError(f"{path} cannot be copied ({error.strerror or type(error).__name__}).") from None
    raise NotebookError(f"A thousand copies of {path.name} of the same second stand beside it: move them elsewhere.")
