"""Where a new version comes from: a student kit (a zip, or a folder), a folder of lessons, or one notebook.

Of a zip only names that can be in a kit are read, and nothing is unpacked by its names.
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from course_lib.submission.notebooks import NotebookError, parse
from course_lib.submission.places import NAME, in_folder, lesson_called, lesson_of

_MOST_FILES = 20_000
_MOST_BYTES = 1_000_000_000
_MOST_ONE = 100_000_000
_LIBRARY = "course_lib"
_OF_THE_KIT = ("LICENSE", "LICENSE-content", "NOTICE", "README.md", "pyproject.toml", "requirements.txt")
_SKIPPED = {"__pycache__", ".ipynb_checkpoints", ".git", ".venv"}


@dataclass(frozen=True)
class Version:
    """A new version of lessons, as bytes.

    Attributes:
        source: where it comes from.
        lessons: the notebooks, by the lesson's folder.
        files: what else a kit has, by its path in it, with slashes: course_lib, docs, requirements.
    """

    source: Path
    lessons: Mapping[str, bytes]
    files: Mapping[str, bytes] = field(default_factory=dict)

    @property
    def has_library(self) -> bool:
        """Whether a course_lib comes with the lessons."""
        return f"{_LIBRARY}/__init__.py" in self.files


def read_version(source: Path) -> Version:
    """Read a new version.

    Raises:
        NotebookError: it is not there, or holds no lesson; the message says what it may be.
    """
    try:
        if source.is_dir():
            return _of_folder(source)
        if source.suffix.lower() == ".ipynb":
            data = source.read_bytes()
            name = lesson_of(source, parse(data, source)) or lesson_called(source.stem)
            if not name:
                raise NotebookError(f"{source} is of no lesson of this course. Is it the right file?")
            return Version(source, {name: data})
        with zipfile.ZipFile(source) as archive:
            return _checked(Version(source, *_split(dict(_in_zip(archive)))))
    except FileNotFoundError:
        raise NotebookError(f"{source} is not there. {_WHAT}") from None
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, EOFError, RuntimeError):
        raise NotebookError(f"{source} cannot be read as a zip. {_WHAT}") from None
    except OSError as error:
        raise NotebookError(f"{source} cannot be opened ({error.strerror or type(error).__name__}).") from None


_WHAT = "Give the new student kit (the zip, or its folder), a folder of lessons, or one lesson's new notebook."


def _checked(version: Version) -> Version:
    if not version.lessons:
        raise NotebookError(f"{version.source} holds no lessons. {_WHAT}")
    return version


def _of_folder(folder: Path) -> Version:
    """A kit or a clone (with `lessons/`), a folder of lessons, or that of one lesson."""
    inside = folder / "lessons"
    place = inside if inside.is_dir() else folder
    lessons = {name: path.read_bytes() for name, path in in_folder(place)}
    if not lessons and not inside.is_dir():
        kits = [each for each in sorted(folder.iterdir()) if (each / "lessons").is_dir()]
        if len(kits) == 1:  # a zip is often unpacked into a folder around its own
            return _of_folder(kits[0])
    files = dict(_kit_files(folder)) if place is inside else {}
    return _checked(Version(folder, lessons, files))


def _kit_files(folder: Path) -> Iterator[tuple[str, bytes]]:
    for top in (_LIBRARY, "docs"):
        for path in sorted((folder / top).rglob("*")):
            name = path.relative_to(folder)
            if path.is_file() and not _SKIPPED & set(name.parts) and path.suffix != ".pyc":
                yield name.as_posix(), path.read_bytes()
    for top in (*_OF_THE_KIT, "lessons/README.md"):
        if (folder / top).is_file():
            yield top, (folder / top).read_bytes()


def _in_zip(archive: zipfile.ZipFile) -> Iterator[tuple[str, bytes]]:
    """The files of a zip, by path; the one folder around them all is left out."""
    entries = [entry for entry in archive.infolist() if not entry.is_dir()]
    if len(entries) > _MOST_FILES or sum(entry.file_size for entry in entries) > _MOST_BYTES:
        raise NotebookError(f"{archive.filename} holds far more than a student kit does. {_WHAT}")
    paths = [PurePosixPath(entry.filename.replace("\\", "/")) for entry in entries]
    tops = {path.parts[0] for path in paths if len(path.parts) > 1}
    around = tops.pop() if len(tops) == 1 and all(len(path.parts) > 1 for path in paths) else ""
    for entry, path in zip(entries, paths, strict=True):
        name = path.relative_to(around) if around and not NAME.fullmatch(around) and around != "lessons" else path
        odd = name.is_absolute() or ".." in name.parts or ":" in str(name) or _SKIPPED & set(name.parts)
        if not odd and entry.file_size <= _MOST_ONE:
            yield name.as_posix(), archive.read(entry)


def _split(files: Mapping[str, bytes]) -> tuple[dict[str, bytes], dict[str, bytes]]:
    """The lessons' notebooks of a kit, and what else is part of it."""
    lessons, others = {}, {}
    for name, data in files.items():
        path = PurePosixPath(name)
        if path.suffix == ".ipynb" and NAME.fullmatch(path.stem) and path.parent.name in (path.stem, "lessons", ""):
            lessons[path.stem] = data
        elif path.parts[0] in (_LIBRARY, "docs") or name in (*_OF_THE_KIT, "lessons/README.md"):
            others[name] = data
    return lessons, others
