"""The rest of a student kit: course_lib, the guide, the list of requirements; the lessons lean on all of it.

Where the learner works in an unpacked kit, these are replaced. In a clone git does it, and elsewhere whoever installed
course_lib.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import course_lib
from course_lib.submission.notebooks import NotebookError, write
from course_lib.updating.versions import Version

_NAME = "course_lib"


@dataclass(frozen=True)
class Plan:
    """What is to be done beside the lessons.

    Attributes:
        root: the learner's kit; None where there is none to change.
        files: what to write there, by path.
        surplus: files of course_lib that the new version does not have.
        advice: what the learner, or somebody else, must do; "" for nothing.
    """

    root: Path | None
    files: Mapping[str, bytes]
    surplus: tuple[str, ...] = ()
    advice: str = ""

    @property
    def changes_library(self) -> bool:
        """Whether a file of course_lib changes."""
        return bool(self.surplus) or any(name.startswith(f"{_NAME}/") for name in self.files)


def plan(version: Version, lessons: Path) -> Plan:
    """What a new version asks for beside the lessons.

    Args:
        version: the new one.
        lessons: the folder of the learner's lessons.
    """
    if not version.has_library:
        return Plan(None, {})
    root = lessons.parent if lessons.name == "lessons" else lessons
    if not _is_kit(root):
        installed = Path(course_lib.__file__).parent
        old = _differing(version, installed.parent, only=f"{_NAME}/")
        if not old and not _surplus(version, installed.parent):
            return Plan(None, {})
        how = "`git pull` brings it" if (installed.parent / ".git").exists() else "ask whoever installed the course"
        return Plan(None, {}, advice=f"The new lessons come with another course_lib than {installed}: {how}.")
    files = _differing(version, root)
    advice = ""
    if "requirements.txt" in files:
        advice = "The list of requirements has changed. Run once more: python -m pip install -r requirements.txt"
    return Plan(root, files, _surplus(version, root), advice)


def apply(doing: Plan, stamp: str) -> Path | None:
    """Write the files of a plan; the old course_lib moves aside whole, so that there is never a half of each.

    Returns:
        Where the old course_lib is; None where it did not change.

    Raises:
        NotebookError: something is held open by another program; course_lib is then the old one.
    """
    if doing.root is None:
        return None
    for name, data in doing.files.items():
        if not name.startswith(f"{_NAME}/"):
            write(doing.root / name, data)
    if not doing.changes_library:
        return None
    here = doing.root / _NAME
    fresh, aside = (doing.root / f"{_NAME}.{word}-{stamp}" for word in ("new", "before"))
    try:
        for path in sorted(here.rglob("*")):
            name = path.relative_to(doing.root).as_posix()
            stays = name not in doing.surplus and name not in doing.files
            if path.is_file() and "__pycache__" not in path.parts and stays:
                write(fresh / path.relative_to(here), path.read_bytes())
        for name, data in doing.files.items():
            if name.startswith(f"{_NAME}/"):
                write(fresh / name.removeprefix(f"{_NAME}/"), data)
        here.rename(aside)
        try:
            fresh.rename(here)
        except OSError:
            aside.rename(here)
            raise
    except OSError as error:
        raise NotebookError(
            f"course_lib cannot be replaced ({error.strerror or type(error).__name__}): some program has it open. "
            "Close JupyterLab and run the same command again."
        ) from None
    finally:
        shutil.rmtree(fresh, ignore_errors=True)  # there still where it did not come to the end
    return aside


def _is_kit(root: Path) -> bool:
    """Whether this is an unpacked student kit: it has course_lib and is neither a clone nor the teacher's folder."""
    return (
        (root / _NAME / "__init__.py").is_file()
        and (root / "pyproject.toml").is_file()
        and not (root / ".git").exists()
        and not (root / "autograder").exists()
    )


def _differing(version: Version, root: Path, only: str = "") -> dict[str, bytes]:
    return {
        name: data
        for name, data in version.files.items()
        if name.startswith(only) and (not (root / name).is_file() or (root / name).read_bytes() != data)
    }


def _surplus(version: Version, root: Path) -> tuple[str, ...]:
    there = {
        path.relative_to(root).as_posix()
        for path in (root / _NAME).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    return tuple(sorted(there - version.files.keys()))
