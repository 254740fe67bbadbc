"""Looking an installation and a course over: what is in order, and of the rest what to do. Nothing is changed."""

from __future__ import annotations

import contextlib
import importlib.metadata
import json
import os
import shutil
import sqlite3
import stat
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from autograder.database import GradebookError, file_of
from autograder.settings.model import SettingsError
from course_lib import exercises

PYTHONS = ((3, 11), (3, 14))
"""The first and the last version of Python that the course is tested with, as pyproject.toml says."""
FREE = 1_000_000_000
"""Bytes of disk that grading a class may need at once: graded notebooks, and a folder for each sandbox."""
MEMORY = 1_500_000_000
"""Bytes of memory to be free for a submission beside the grader itself."""
_PROJECT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Finding:
    """What one look found.

    Attributes:
        what: what was looked at.
        told: how it is.
        mend: what to do about it; "" where it is in order.
    """

    what: str
    told: str
    mend: str = ""


class Place:
    """The course that is looked at; what several looks need is worked out once."""

    def __init__(self, root: Path) -> None:
        """Take the folder as it is: it may be no course at all."""
        self.root = root.resolve()

    @cached_property
    def course(self) -> Any:
        """The course as grading knows it."""
        from autograder.gradebook import Course

        return Course(self.root)

    @property
    def gradebook(self) -> Path | None:
        """The gradebook's file; None where it is on a server."""
        return file_of(self.course.db_url, self.root)


def look(root: Path) -> Iterator[Finding]:
    """Look everything over, one thing after the other. What fails in a look is a finding and stops no other."""
    place = Place(root)
    for what, check in CHECKS.items():
        try:
            yield from check(place)
        except Exception as error:  # noqa: BLE001  whatever is broken here is what a doctor is for
            yield Finding(
                what, f"could not be looked at: {type(error).__name__}: {str(error)[:300]}", "see the message"
            )


def python(_: Place) -> Iterator[Finding]:
    """The version of Python."""
    first, last = (".".join(map(str, version)) for version in PYTHONS)
    fits = PYTHONS[0] <= sys.version_info[:2] <= PYTHONS[1]
    mend = "" if fits else f"install a Python from {first} to {last}, and make the environment anew with it"
    yield Finding("Python", f"{sys.version.split()[0]} in {sys.prefix}", mend)


def packages(place: Place) -> Iterator[Finding]:
    """What requirements.txt pins, beside what is installed."""
    from packaging.requirements import InvalidRequirement, Requirement

    path = place.root / "requirements.txt"
    path = path if path.is_file() else _PROJECT / path.name
    if not path.is_file():
        yield Finding("packages", "there is no requirements.txt to compare with", "start in the course's folder")
        return
    wrong, count = [], 0
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            wanted = Requirement(line.split("#")[0].strip())
        except InvalidRequirement:
            continue  # a remark, or `--editable .`
        if wanted.marker is not None and not wanted.marker.evaluate():
            continue
        count += 1
        try:
            found = importlib.metadata.version(wanted.name)
        except importlib.metadata.PackageNotFoundError:
            wrong.append(f"{wanted.name} is missing")
            continue
        if not wanted.specifier.contains(found, prereleases=True):
            wrong.append(f"{wanted.name} is {found}, pinned {str(wanted.specifier).removeprefix('==')}")
    told = f"{count} as pinned in {path.name}" if not wrong else _some(wrong)
    yield Finding("packages", told, f"python -m pip install -r {path}" if wrong else "")


def jupyter(_: Place) -> Iterator[Finding]:
    """JupyterLab's kernel, and the parts of nbgrader in it."""
    from jupyter_client.kernelspec import KernelSpecManager
    from jupyter_core.paths import jupyter_config_path, jupyter_path

    kernels = KernelSpecManager().find_kernel_specs()
    told = "python3" if "python3" in kernels else f"of {', '.join(sorted(kernels)) or 'none'}, none is python3"
    yield Finding("kernel", told, "" if "python3" in kernels else "python -m ipykernel install --sys-prefix")
    enabled: dict[str, bool] = {}
    for folder in reversed(jupyter_config_path()):  # the first counts most
        for path in [Path(folder) / "jupyter_server_config.json", *Path(folder).glob("jupyter_server_config.d/*.json")]:
            enabled |= _extensions(path)
    parts = {"formgrader": "formgrader", "validate_assignment": "the Validate button"}
    off = [told for name, told in parts.items() if not enabled.get(f"nbgrader.server_extensions.{name}")]
    page = any((Path(folder) / "labextensions" / "@jupyter" / "nbgrader").is_dir() for folder in jupyter_path())
    off += [] if page else ["nbgrader's menu"]
    told = "formgrader and the Validate button are on" if not off else f"off: {', '.join(off)}"
    mend = (
        "python -m pip install --force-reinstall --no-deps nbgrader; `jupyter server extension list` shows what is on"
    )
    yield Finding("JupyterLab", told, mend if off else "")


def _extensions(path: Path) -> Mapping[str, bool]:
    try:
        return dict(json.loads(path.read_text(encoding="utf-8"))["ServerApp"]["jpserver_extensions"])
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def sandbox(_: Place) -> Iterator[Finding]:
    """Whether submissions can run behind walls: the first sandbox that holds is started once."""
    from autograder.sandbox import SandboxError, choice

    try:
        yield Finding("sandbox", f"{choice.choose().isolation.name} holds")
    except SandboxError as error:
        mend = "python -m autograder sandbox says what each lacks; docs/sandbox.md how to install one"
        yield Finding("sandbox", str(error), mend)


def folder(place: Place) -> Iterator[Finding]:
    """The course's folder: nbgrader's settings, and the lessons."""
    from autograder.building.course import check

    path = place.root / "nbgrader_config.py"
    if not path.is_file():
        mend = "start in the course's folder, or name it: --course FOLDER"
        yield Finding("course folder", f"{place.root} has no {path.name}", mend)
        return
    named = place.course.config.Autograde.get("exporter_class", "")
    mend = "" if named == "autograder.nbgrader_plugins.LineExporter" else f"copy {path.name} from the project anew"
    told = f"{place.root}: {path.name} does not name our grading" if mend else str(place.root)
    yield Finding("course folder", told, mend)
    source = place.root / place.course.directory.source_directory
    missing = [name for name in exercises.LESSONS if not (source / name / f"{name}.ipynb").is_file()]
    told = f"{len(exercises.LESSONS)} in {source.name}/" if not missing else f"not in {source.name}/: {_some(missing)}"
    yield Finding("lessons", told, "python -m autograder build" if missing else "")
    if any(source.glob("*.md")):
        problems = check(place.root)
        told = "every notebook is what its source gives"
        if problems:
            told = _some([f"{problem.where}: {problem.what}" for problem in problems])
        yield Finding("built", told, "python -m autograder build" if problems else "")


def gradebook(place: Place) -> Iterator[Finding]:
    """The gradebook: whether it is whole and can be written, and what is in it. It is only read."""
    path = place.gradebook
    if path is None:
        yield from _on_server(place)
        return
    if not path.is_file():
        yield Finding("gradebook", "none yet; the first grading makes it")
        return
    try:
        with contextlib.closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as opened:
            said = opened.execute("PRAGMA quick_check(1)").fetchone()[0]
            if said != "ok":
                raise sqlite3.DatabaseError(said)
            lessons = [name for (name,) in opened.execute("SELECT name FROM assignment ORDER BY name")]
            students = opened.execute("SELECT count(*) FROM student").fetchone()[0]
    except sqlite3.Error as error:
        mend = f"put back your last copy of {path.name} and keep the broken one; graded work is in autograded/ too"
        yield Finding("gradebook", f"cannot be read: {error}", mend)
        return
    locked = not (os.access(path, os.W_OK) and os.access(path.parent, os.W_OK))
    mend = f"let yourself write {path} and its folder" if locked else ""
    yield Finding("gradebook", _in_gradebook(lessons, students), mend)


def _on_server(place: Place) -> Iterator[Finding]:
    from autograder.gradebook import open_gradebook, quiet

    try:
        with quiet(), open_gradebook(place.course) as book:
            yield Finding("gradebook", _in_gradebook([each.name for each in book.assignments], len(book.students)))
    except GradebookError as error:
        yield Finding("gradebook", str(error), "see the message; docs/cluster.md says how a server is set up")


def _in_gradebook(lessons: list[str], students: int) -> str:
    odd = [name for name in lessons if name not in exercises.LESSONS]
    told = f"{len(lessons)} {'lesson' if len(lessons) == 1 else 'lessons'}, {students} students"
    return f"{told}; not of this course: {_some(odd)}" if odd else told


def seeds(place: Place) -> Iterator[Finding]:
    """The secret seeds: each whole, and readable by its owner alone."""
    path = place.gradebook
    found = sorted(path.parent.glob("*.secret")) if path is not None else []
    if not found:
        yield Finding("seeds", "none beside the gradebook yet; grading draws them")
        return
    broken = [each.name for each in found if not each.read_text(encoding="utf-8", errors="replace").strip().isdigit()]
    if broken:
        names = ", ".join(name.removesuffix(".secret") for name in broken)
        yield Finding(
            "seeds", f"hold none: {_some(broken)}", f"python -m autograder grade LESSON --new-seed, for {names}"
        )
    if os.name == "posix":
        opened = [each.name for each in found if stat.S_IMODE(each.stat().st_mode) & 0o077]
        told = f"readable by others: {_some(opened)}" if opened else f"{len(found)}, readable by you alone"
        yield Finding("seeds", told, f"chmod 600 {path.parent if path else ''}/*.secret" if opened else "")


def settings(place: Place) -> Iterator[Finding]:
    """course.toml, and whether the gradebook says the same."""
    from autograder.settings.apply import apply
    from autograder.settings.file import read

    try:
        if read(place.root) is None:
            yield Finding("course.toml", "none; nothing is due and nothing is taken off")
            return
        changes = apply(place.course, dry_run=True).changes
    except SettingsError as error:
        yield Finding("course.toml", str(error), "mend the lines named; docs/settings.md shows every key")
        return
    told = f"{len(changes)} things differ in the gradebook" if changes else "in order, and the gradebook says the same"
    yield Finding("course.toml", told, "python -m autograder settings --apply" if changes else "")


def room(place: Place) -> Iterator[Finding]:
    """Free disk and memory."""
    import psutil  # type: ignore[import-untyped]  # it has no types

    for what, where in (("disk of the course", place.root), ("disk for sandboxes", Path(tempfile.gettempdir()))):
        free = shutil.disk_usage(where).free
        mend = "" if free >= FREE else f"make room: grading a class may need {FREE / 1e9:.0f} GB in {where}"
        yield Finding(what, f"{free / 1e9:.1f} GB free", mend)
    free = psutil.virtual_memory().available
    mend = "" if free >= MEMORY else "close other programs; with less, grade one at a time: --workers 1"
    yield Finding("memory", f"{free / 1e9:.1f} GB free", mend)


def clock(place: Place) -> Iterator[Finding]:
    """The clock: never before the newest of these files, and in a time zone that is known."""
    now = time.time()
    newest = max(each.stat().st_mtime for each in (Path(__file__), *place.root.glob("*")))
    local = datetime.fromtimestamp(now, tz=UTC).astimezone()
    mend = "set this machine's clock: files here are from its future" if newest > now + 300 else ""
    yield Finding("clock", f"{local:%Y-%m-%d %H:%M %Z}, {local.astimezone(UTC):%H:%M} UTC", mend)


CHECKS: Mapping[str, Callable[[Place], Iterator[Finding]]] = {
    "Python": python,
    "packages": packages,
    "JupyterLab": jupyter,
    "sandbox": sandbox,
    "course folder": folder,
    "gradebook": gradebook,
    "seeds": seeds,
    "course.toml": settings,
    "room": room,
    "clock": clock,
}


def _some(things: list[str], most: int = 3) -> str:
    """The first few, and how many more there are."""
    more = f" and {len(things) - most} more" if len(things) > most else ""
    return ", ".join(things[:most]) + more
