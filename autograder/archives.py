"""Archives: what an LMS gives for a whole class (zip, tar, or a folder), taken apart into submitted/.

Nothing is unpacked by the names in the archive: a notebook's bytes are read, with caps, and written under a name made
here. So names that lead elsewhere, links and devices can do nothing; they are listed among what was not taken.
"""

from __future__ import annotations

import gzip
import io
import os
import re
import stat
import struct
import tarfile
import tempfile
import unicodedata
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import IO, Any

from autograder.files import read_plain, write_atomically
from autograder.gradebook import Course
from autograder.intake import shown_name, unfit
from autograder.roster import Roster
from course_lib.submission.limits import MAX_BYTES

MAX_ARCHIVE = 4_000_000_000
MAX_FILES = 20_000
MAX_TOTAL = 4_000_000_000
"""Bytes that are unpacked at most, all files together."""
MAX_RATIO = 200
"""How many times larger than packed a file may be; text of a megabyte may be packed better."""
MAX_LEVELS = 12
MAX_PATH = 400
_FREE_RATIO = 1_000_000
_MAX_DIRECTORY = 20_000_000
_MAX_READ = 4_000_000
_CHUNK = 65_536

_MOODLE = re.compile(r"(?P<name>.+)_(?P<number>\d{1,20})_assignsubmission_file(?:_(?P<file>.*))?", re.DOTALL)
_CANVAS = re.compile(r"(?P<name>[^_]+)(?:_LATE)?_(?P<number>\d{1,20})_\d{1,20}_(?P<file>.+)", re.DOTALL)
_AGAIN = re.compile(r"(?:-(\d{1,4})| ?\((\d{1,4})\))?")
_JUNK = {"__MACOSX", ".DS_Store", "Thumbs.db", ".ipynb_checkpoints", "desktop.ini"}
_APART = "put each one's notebook into a folder named by the id, and collect the folder around them"
_PACKED = (".zip", ".gz", ".tgz", ".tar", ".bz2", ".xz", ".7z", ".rar")


class ArchiveError(ValueError):
    """An archive that cannot be used as a whole; the message says what to do."""


@dataclass(frozen=True)
class Taken:
    """A notebook that goes into submitted/.

    Attributes:
        student: the id.
        source: its name in the archive.
        state: "new", "replaced", "unchanged".
    """

    student: str
    source: str
    state: str


@dataclass(frozen=True)
class Left:
    """A file that was not taken, and why."""

    source: str
    reason: str


@dataclass
class Collected:
    """What came of an archive."""

    taken: list[Taken] = field(default_factory=list)
    left: list[Left] = field(default_factory=list)


@dataclass(frozen=True)
class _Member:
    """A file in an archive; `read` gives its bytes, one more than the cap at most."""

    name: str
    order: tuple[Any, int]
    size: int
    packed: int
    refused: str
    read: Callable[[], bytes]


@dataclass(frozen=True)
class _Found:
    """A notebook, whose it is, and how recent."""

    member: _Member
    name: str
    number: str
    file: str
    keys: tuple[str, ...]


def collect(
    course: Course, lesson: str, source: Path, roster: Roster | None = None, *, force: bool = False, dry: bool = False
) -> Collected:
    """Put the notebooks of `source` (zip, tar, tar.gz, or a folder) into submitted/STUDENT/LESSON/.

    Moodle's and Canvas's names are known, and plain STUDENT/LESSON.ipynb. Of several notebooks of a student that are
    called like the lesson the newest counts; one alone counts whatever it is called.

    Args:
        roster: tells students apart by id; without one a student is called as in the archive.
        force: replace what a student has handed in before.
        dry: write nothing.

    Raises:
        ArchiveError: when nothing can be taken at all.
    """
    result = Collected()
    by_student: dict[str, list[_Found]] = {}
    with _members(source) as members:
        for count, member in enumerate(members, start=1):
            if count > MAX_FILES:
                raise ArchiveError(f"{source} holds more than {MAX_FILES:,} files; collect it in parts.")
            found = _whose(member, lesson)
            if found is None:
                continue
            if isinstance(found, Left):
                result.left.append(found)
                continue
            student = _student(found, roster)
            if isinstance(student, Left):
                result.left.append(student)
            else:
                by_student.setdefault(student, []).append(found)
        taken = list(_choose(by_student, lesson, result.left))
        room = MAX_TOTAL
        for student, found in taken:
            room = _take(course, lesson, student, found, force, dry, room, result)
    return result


def _whose(member: _Member, lesson: str) -> _Found | Left | None:
    """Whose notebook a member is; why it is not taken; None for what systems put there by themselves."""
    parts = [part for part in re.split(r"[/\\]", member.name) if part not in ("", ".")]
    if not parts or any(part in _JUNK or part.startswith("._") for part in parts):
        return None
    shown = shown_name("/".join(parts))
    reason = member.refused or _odd_path(member.name, parts)
    if reason:
        return Left(shown, reason)
    *folders, name = parts
    if not name.lower().endswith(".ipynb"):
        packed = name.lower().endswith(_PACKED)
        return Left(shown, "an archive inside; unpack it by hand and collect the folder" if packed else "no notebook")
    for folder in reversed(folders):
        if moodle := _MOODLE.fullmatch(folder):
            return _from_lms(member, moodle, name)
    for pattern in (_MOODLE, _CANVAS):
        if flat := pattern.fullmatch(name):
            return _from_lms(member, flat, flat["file"] or name)
    while folders and folders[-1] == lesson:
        folders.pop()
    if not folders:
        return Left(shown, "its name does not say whose it is; put it into a folder named by the student's id")
    return _Found(member, folders[-1], "", name, (folders[-1],))


def _from_lms(member: _Member, match: re.Match[str], file: str) -> _Found:
    # Canvas's number is the student's own; Moodle's is another one in each assignment.
    keys = (match["number"], match["name"]) if match.re is _CANVAS else (match["name"],)
    return _Found(member, match["name"], match["number"], file, keys)


def _odd_path(name: str, parts: Sequence[str]) -> str:
    if name.startswith(("/", "\\")) or re.match(r"[A-Za-z]:", name) or ".." in parts:
        return "its name leads out of the archive"
    if len(parts) > MAX_LEVELS or len(name) > MAX_PATH:
        return f"its name is longer than {MAX_PATH} characters or {MAX_LEVELS} folders"
    if not name.isprintable():
        return "its name holds characters that cannot be seen"
    return ""


def _student(found: _Found, roster: Roster | None) -> str | Left:
    shown = shown_name(found.member.name)
    if roster is not None:
        ids = roster.ids(*found.keys)
        if len(ids) == 1:
            return next(iter(ids))
        who = shown_name(found.name)
        return Left(
            shown,
            f"the roster has {len(ids)} students called {who}; {_APART}" if ids else f"{who} is not in the roster",
        )
    student = unicodedata.normalize("NFC", found.name).strip()
    if found.number:  # an LMS gives names; ids have no spaces
        student = re.sub(r"\s+", "-", student.lower())
    if problem := unfit(student):
        return Left(shown, f"the student would be called {shown_name(student)!r}, {problem}; name them with --roster")
    return student


def _choose(by_student: dict[str, list[_Found]], lesson: str, left: list[Left]) -> Iterator[tuple[str, _Found]]:
    """For each student the notebook that counts."""
    same: dict[str, list[str]] = {}
    for student in by_student:
        same.setdefault(student.casefold(), []).append(student)
    for student, every in sorted(by_student.items()):
        numbers = {found.number for found in every}
        alike = same[student.casefold()]
        if len(numbers) > 1 or len(alike) > 1:
            who = f"{len(numbers)} students are called {student}" if len(numbers) > 1 else " and ".join(alike)
            reason = f"{who}{'' if len(numbers) > 1 else ' differ in capitals alone'}; {_APART}"
            left += [Left(shown_name(found.member.name), reason) for found in every]
            continue
        named = [found for found in every if _is_named(found.file, lesson)]
        if not named and len(every) > 1:
            reason = f"{student} has {len(every)} notebooks and none is called {lesson}.ipynb"
            left += [Left(shown_name(found.member.name), reason) for found in every]
            continue
        newest = max(named or every, key=lambda found: _recent(found, lesson))
        for found in every:
            if found is not newest:
                older = "an older one" if found in named else f"not called {lesson}.ipynb"
                left.append(Left(shown_name(found.member.name), f"{older}; {shown_name(newest.member.name)} counts"))
        yield student, newest


def _is_named(file: str, lesson: str) -> bool:
    stem = file[: -len(".ipynb")]
    return stem.startswith(lesson) and _AGAIN.fullmatch(stem[len(lesson) :]) is not None


def _recent(found: _Found, lesson: str) -> tuple[Any, ...]:
    when, place = found.member.order
    return when, _again(found.file, lesson), place


def _again(file: str, lesson: str) -> int:
    """The number that an LMS or a browser gives to a file handed in again."""
    again = _AGAIN.fullmatch(file[: -len(".ipynb")][len(lesson) :]) if _is_named(file, lesson) else None
    return int(again[1] or again[2] or 0) if again else 0


def _take(
    course: Course, lesson: str, student: str, found: _Found, force: bool, dry: bool, room: int, result: Collected
) -> int:
    """Write one notebook; returns how much may still be unpacked."""
    member, shown = found.member, shown_name(found.member.name)
    reason = _too_large(member.size, member.packed)
    if reason:
        result.left.append(Left(shown, reason))
        return room
    try:
        data = member.read()
    except (OSError, EOFError, ValueError, RuntimeError, NotImplementedError, zlib.error, tarfile.TarError,
            zipfile.BadZipFile) as error:  # fmt: skip
        result.left.append(Left(shown, f"it cannot be read ({shown_name(str(error))[:80]})"))
        return room
    reason = _too_large(len(data), member.packed)
    room -= len(data)
    if room < 0:
        raise ArchiveError(f"The archive holds more than {MAX_TOTAL // 1_000_000:,} MB; collect it in parts.")
    path = course.folder("submitted", student, lesson) / f"{lesson}.ipynb"
    before = None
    if not reason and (path.is_symlink() or path.parent.is_symlink() or path.parent.parent.is_symlink()):
        reason = f"{student}'s place in submitted/ is a link; remove it"
    elif not reason and path.exists():
        try:
            before = read_plain(path, MAX_BYTES + 1)
        except OSError:
            before = b""
        if before != data and not force:
            reason = f"{student} has handed in another one before; --force replaces it"
    if reason:
        result.left.append(Left(shown, reason))
        return room
    state = "new" if before is None else "unchanged" if before == data else "replaced"
    if not dry and state != "unchanged":
        write_atomically(path, data)
    result.taken.append(Taken(student, shown, state))
    return room


def _too_large(size: int, packed: int) -> str:
    if size > MAX_BYTES:
        return f"it is larger than {MAX_BYTES // 1_000_000} MB; its outputs should be cleared"
    if size > _FREE_RATIO and packed and size > MAX_RATIO * packed:
        return f"it is packed more than {MAX_RATIO} times smaller, as no notebook is"
    return ""


@contextmanager
def _members(source: Path) -> Iterator[Iterator[_Member]]:
    """The files of an archive or a folder; they can be read as long as it is open."""
    try:
        if source.is_dir():
            yield _in_folder(source)
            return
        status = source.stat()
        if not stat.S_ISREG(status.st_mode):
            raise ArchiveError(f"{source} is neither an archive nor a folder.")
        if status.st_size > MAX_ARCHIVE:
            raise ArchiveError(f"{source} is larger than {MAX_ARCHIVE // 1_000_000:,} MB; collect it in parts.")
        with source.open("rb") as opened:
            file: IO[bytes] = opened
            head = file.read(4)
            file.seek(0)
            if head[:2] == b"PK":
                _expect_small_directory(source, file)
                with zipfile.ZipFile(file) as archive:
                    yield _in_zip(archive)
                return
            with ExitStack() as stack:
                if head[:2] == b"\x1f\x8b":
                    file = stack.enter_context(_unzipped(source, file))
                tar = stack.enter_context(tarfile.open(fileobj=_Capped(file), mode="r:"))
                yield _in_tar(tar)
    except FileNotFoundError:
        raise ArchiveError(f"{source} is not there.") from None
    except (zipfile.BadZipFile, tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile, struct.error) as error:
        raise ArchiveError(
            f"{source} cannot be read as zip, tar or tar.gz ({shown_name(str(error))[:80]}); unpack it by hand and "
            "collect the folder."
        ) from None


def _unzipped(source: Path, packed: IO[bytes]) -> IO[bytes]:
    """What a gzip holds, in a file of its own: going back in a gzip would mean to unpack it again."""
    found = tempfile.TemporaryFile()  # noqa: SIM115  the caller closes it
    size = 0
    with gzip.GzipFile(fileobj=packed) as stream:
        while part := stream.read(_CHUNK):
            size += len(part)
            if size > MAX_TOTAL or (size > 100 * _FREE_RATIO and size > MAX_RATIO * packed.tell()):
                found.close()
                raise ArchiveError(f"{source} unpacks to far more than a class hands in; look where it comes from.")
            found.write(part)
    found.seek(0)
    return found


def _in_folder(folder: Path) -> Iterator[_Member]:
    for place, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(folders):
            if Path(place, name).is_symlink():
                yield _refused(os.path.relpath(Path(place, name), folder), "it is a link")
        for name in sorted(names):
            path = Path(place, name)
            status = path.lstat()
            refused = "" if stat.S_ISREG(status.st_mode) else "it is a link, a pipe or a device"
            yield _Member(
                path.relative_to(folder).as_posix(), (status.st_mtime_ns, 0), status.st_size, 0, refused,
                partial(read_plain, path, MAX_BYTES + 1),
            )  # fmt: skip


def _in_zip(archive: zipfile.ZipFile) -> Iterator[_Member]:
    for place, info in enumerate(archive.infolist()):
        name = info.filename
        if not info.flag_bits & 0x800:  # some systems write UTF-8 and do not say so
            with suppress(UnicodeError):
                name = name.encode("cp437").decode("utf-8")
        if info.is_dir():
            continue
        mode = info.external_attr >> 16
        refused = ""
        if stat.S_IFMT(mode) not in (0, stat.S_IFREG):
            refused = "it is a link or a device"
        elif info.flag_bits & 0x1:
            refused = "it is encrypted"
        elif info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            refused = "it is packed as no LMS does it"

        def read(info: zipfile.ZipInfo = info) -> bytes:
            with archive.open(info) as file:
                return _read_capped(file)

        yield _Member(name, (info.date_time, place), info.file_size, max(1, info.compress_size), refused, read)


def _in_tar(tar: tarfile.TarFile) -> Iterator[_Member]:
    for place, info in enumerate(tar):
        if info.isdir():
            continue
        refused = "" if info.isreg() and not info.issparse() else "it is a link, a device or a sparse file"

        def read(info: tarfile.TarInfo = info) -> bytes:
            file = tar.extractfile(info)
            return _read_capped(file) if file is not None else b""

        yield _Member(info.name, (int(info.mtime), place), info.size, 0, refused, read)


def _refused(name: str, reason: str) -> _Member:
    return _Member(name, (0, 0), 0, 0, reason, lambda: b"")


def _read_capped(file: IO[bytes]) -> bytes:
    """The bytes of a file, one more than the cap at most, whatever its header says."""
    parts = []
    room = MAX_BYTES + 1
    while room and (part := file.read(min(_CHUNK, room))):
        parts.append(part)
        room -= len(part)
    return b"".join(parts)


def _expect_small_directory(source: Path, file: IO[bytes]) -> None:
    """Look at the size of a zip's list of files before it is read as a whole."""
    file.seek(0, io.SEEK_END)
    length = file.tell()
    file.seek(max(0, length - 66_000))
    tail = file.read()
    at = tail.rfind(b"PK\x05\x06")
    if at < 0:
        raise zipfile.BadZipFile("it has no list of files")
    (size,) = struct.unpack_from("<I", tail, at + 12)
    if size == 0xFFFF_FFFF:
        (where,) = struct.unpack_from("<Q", tail, at - 20 + 8)
        file.seek(min(where, length))
        (size,) = struct.unpack_from("<Q", file.read(56), 40)
    file.seek(0)
    if size > _MAX_DIRECTORY:
        raise ArchiveError(f"{source} holds more than {MAX_FILES:,} files; collect it in parts.")


class _Capped(io.RawIOBase):
    """A file of which never many bytes are read at once: a header can say that its text is gigabytes long."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= _MAX_READ:
            raise tarfile.ReadError("a header of it is too long")
        return bytes(self._inner.read(size))

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        return int(self._inner.seek(offset, whence))

    def tell(self) -> int:
        return int(self._inner.tell())

    def seekable(self) -> bool:
        return True

    def readable(self) -> bool:
        return True
