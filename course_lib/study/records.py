"""A learner's progress, in a file that is theirs: `course_progress.json`, beside the lessons' folders.

Anybody can read it, copy it to another machine, or delete it. Several notebooks may write at once: each change is
made to what the file holds then, under a lock, and the new file takes the old one's place whole.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from datetime import date, datetime
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from course_lib.files import replace
from course_lib.study import clock
from course_lib.study.leitner import Place

NAME = "course_progress.json"
SWITCH = "COURSE_PROGRESS"
"""Environment variable: another path for the file, or "off" to keep none."""
FORMAT = 1
LOCK_SECONDS = 5.0

Count = Annotated[int, Meta(ge=0)]


class Checked(msgspec.Struct):
    """The most points that an exercise's check gave, of how many, and the day."""

    points: Count
    of: Count
    on: date


class Quizzed(msgspec.Struct):
    """The most questions of a quiz answered right at the first try, of how many, and the day."""

    best: Count
    of: Count
    on: date


class LessonRecord(msgspec.Struct, omit_defaults=True):
    """What was done in one lesson: checks by exercise, cards by id, the quiz, and when something was done last."""

    checks: dict[str, Checked] = {}
    cards: dict[str, Place] = {}
    quiz: Quizzed | None = None
    last: datetime | None = None


class Records(msgspec.Struct):
    """The whole file: lesson's folder name -> what was done in it."""

    format: int = FORMAT
    lessons: dict[str, LessonRecord] = {}

    def of(self, lesson: str) -> LessonRecord:
        """The record of a lesson, made when there is none."""
        return self.lessons.setdefault(lesson, LessonRecord())


Change = Callable[[Records], None]


def place(folder: Path | None = None) -> Path | None:
    """Where the progress is kept for a notebook in `folder`, the current one by default; None where none is kept.

    That is the nearest file of this name in the folder or above it. A new one is made beside the lessons' folders,
    so that all lessons share it. While nbgrader runs a notebook, nothing is kept.
    """
    named = os.environ.get(SWITCH, "")
    if named.lower() == "off" or "NBGRADER_EXECUTION" in os.environ:
        return None
    if named:
        return Path(named).expanduser()
    start = (folder or Path.cwd()).resolve()
    for above in (start, *start.parents):
        if (above / NAME).is_file():
            return above / NAME
    beside_lessons = start.parent if re.fullmatch(r"\d\d_\w+", start.name) else start
    return beside_lessons / NAME


class Keeper:
    """Reads and changes a progress file. Nothing that is wrong with the file stops a lesson.

    Args:
        path: the file, which need not be there yet; None keeps everything in memory.

    Attributes:
        trouble: a sentence for the learner while progress cannot be kept or a file was put aside; otherwise empty.
    """

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self.trouble = ""
        self._memory = Records()
        self._waiting: list[Change] = []

    def read(self) -> Records:
        """What the file holds now, with changes that could not be written yet."""
        if self.path is None:
            return self._memory
        try:
            records = self._load(self.path)
        except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
            return self._memory  # what is wrong is said when it is to be written
        for change in self._waiting:
            change(records)
        self._memory = records
        return records

    def update(self, change: Change) -> Records:
        """Make one change, now or, where the file cannot be written, as soon as it can.

        Args:
            change: takes the records and changes them in place; may run more than once on different records.
        """
        if self.path is None:
            change(self._memory)
            return self._memory
        self._waiting.append(change)
        try:
            self._write(self.path)
        except _NewerFormat:
            self._keep_in_memory("is from a newer version of this course: update the course", change)
        except TimeoutError:
            self._keep_in_memory("cannot be written (it is in use)", change)
        except OSError as error:
            self._keep_in_memory(f"cannot be written ({error.strerror or type(error).__name__})", change)
        return self._memory

    def _keep_in_memory(self, why: str, change: Change) -> None:
        change(self._memory)
        self.trouble = f"Your progress counts only until this notebook's kernel stops: {self.path} {why}."

    def _write(self, path: Path) -> None:
        with _alone_with(path):
            aside = ""
            try:
                records = self._load(path)
            except (msgspec.MsgspecError, UnicodeDecodeError):
                kept = _put_aside(path)
                aside = f"{path} could not be read. It is kept as {kept.name}, and a new one was begun."
                records = Records()
            for change in self._waiting:
                change(records)
            part = path.with_name(f".{path.name}.part")
            part.write_bytes(msgspec.json.format(msgspec.json.encode(records), indent=2) + b"\n")
            replace(part, path)
        self._memory = records
        self._waiting.clear()
        self.trouble = aside

    @staticmethod
    def _load(path: Path) -> Records:
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            return Records()
        text = content.decode("utf-8-sig")  # some editors put a mark in front
        version = msgspec.json.decode(text, type=_Version).format
        if version > FORMAT:
            raise _NewerFormat
        return msgspec.json.decode(text, type=Records)


def _alone_with(path: Path) -> AbstractContextManager[object]:
    """The lock under which a file is changed.

    None in a browser: no system frees there what a closed tab had locked, and it would stay locked for ever.
    """
    if sys.platform == "emscripten":
        return nullcontext()
    from filelock import FileLock

    return FileLock(path.with_name(f".{path.name}.lock"), timeout=LOCK_SECONDS)


class _Version(msgspec.Struct):
    format: int


class _NewerFormat(OSError):
    """A file that this version must not change; an OSError, as everything else that keeps it from being read."""


def _put_aside(path: Path) -> Path:
    """Rename a file that cannot be read, to a name that is free."""
    for number in range(1, 1000):
        kept = path.with_name(f"{path.stem}.broken-{number}{path.suffix}")
        if not kept.exists():
            return path.replace(kept)
    raise OSError(0, "a thousand broken files stand beside it")


def note_check(lesson: str, exercise: str, points: int, of: int) -> None:
    """Keep what a check gave, where progress is kept; best effort, without a word."""
    now = clock.now()

    def change(records: Records) -> None:
        record = records.of(lesson)
        before = record.checks.get(exercise)
        if before is None or points > before.points or of != before.of:
            record.checks[exercise] = Checked(points, of, now.date())
        record.last = now

    Keeper(place()).update(change)
