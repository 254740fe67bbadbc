"""What a sandbox may read: Python, the system's libraries, and the packages that a learner's notebook needs."""

from __future__ import annotations

import functools
import glob
import importlib.metadata
import os
import sys
import sysconfig
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from autograder.sandbox import SandboxError

FOR_LEARNERS = ("ipython", "matplotlib-inline", "numpy", "matplotlib", "ipywidgets", "tqdm")
"""The distributions that lessons use; what they require comes with them. Nothing else of site-packages is there."""
IF_INSTALLED = ("anywidget",)

_SYSTEM = (
    "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/usr/bin", "/usr/sbin", "/usr/lib", "/usr/lib32", "/usr/lib64",
    "/usr/libexec", "/usr/share/zoneinfo", "/usr/share/fonts", "/usr/share/fontconfig", "/usr/share/locale",
    "/usr/share/i18n", "/usr/share/terminfo", "/etc/ld.so.cache", "/etc/ld.so.conf", "/etc/ld.so.conf.d",
    "/etc/localtime", "/etc/timezone", "/etc/fonts", "/etc/alternatives", "/etc/os-release",
)  # fmt: skip
_OTHER_PACKAGES = (
    "/usr/lib/python3*/dist-packages",
    "/usr/lib/python3*/site-packages",
    "/usr/lib64/python3*/site-packages",
)


@dataclass(frozen=True)
class View:
    """Paths on this machine that a sandbox may read.

    Attributes:
        python: the interpreter, without an environment around it.
        readable: files and folders that exist; a link stands for itself.
        hidden: folders inside those that must not be read.
        listed: folders whose names the interpreter must be able to list.
        shelf: the learners' packages, by the name under which they are imported or described.
    """

    python: Path
    readable: tuple[Path, ...]
    hidden: tuple[Path, ...]
    listed: tuple[Path, ...]
    shelf: Mapping[str, Path]

    @functools.cached_property
    def visible(self) -> tuple[Path, ...]:
        """The readable paths, opened up along the hidden ones; for what can only allow."""
        return (*(opened for path in self.readable for opened in self._opened(path)), *self.shelf.values())

    def _opened(self, path: Path) -> Iterator[Path]:
        if path in self.hidden:
            return
        if path.is_symlink() or not any(path in hidden.parents for hidden in self.hidden):
            yield path
            return
        for inside in sorted(path.iterdir()):
            yield from self._opened(inside)


@functools.cache
def view() -> View:
    """The view for this interpreter and its packages.

    Raises:
        SandboxError: when a package that lessons use is not installed.
    """
    python = Path(getattr(sys, "_base_executable", None) or sys.executable).resolve()
    base = Path(sys.base_prefix).resolve()
    of_the_base = {"base": str(base), "installed_base": str(base), "platbase": str(base)}  # not of an environment
    standard = {Path(sysconfig.get_path(name, vars=of_the_base)).resolve() for name in ("stdlib", "platstdlib")}
    readable = [Path(path) for path in _SYSTEM if os.path.lexists(path)]
    wanted = [python, *standard, *map(Path, glob.glob(str(base / "lib" / "libpython*")))]  # noqa: PTH207
    if base not in (Path("/usr"), Path("/usr/local")):
        wanted = [python, base / "lib", *standard]  # a Python of its own, with libraries of its own
    for path in wanted:
        if path.exists() and not any(kept == path or kept in path.parents for kept in readable):
            readable.append(path)
    hidden = {Path(found) for pattern in _OTHER_PACKAGES for found in glob.glob(pattern)}  # noqa: PTH207
    hidden |= {
        path for place in standard for path in (place / "site-packages", place / "dist-packages") if path.is_dir()
    }
    return View(python, tuple(readable), tuple(sorted(hidden)), tuple(sorted(standard)), shelf())


def shelf() -> dict[str, Path]:
    """The top-level files and folders of :data:`FOR_LEARNERS` and of all that they require.

    Raises:
        SandboxError: when one of them is not installed.
    """
    found: dict[str, Path] = {}
    for distribution in _closure().values():
        files = distribution.files
        if files is None:
            name = distribution.metadata["Name"]
            raise SandboxError(f"{name} was installed without a list of its files; install it with pip")
        for top in {file.parts[0] for file in files} - {"..", "__pycache__"}:
            found[top] = Path(str(distribution.locate_file(top))).resolve()
    return dict(sorted(found.items()))


def _closure() -> dict[str, importlib.metadata.Distribution]:
    found: dict[str, importlib.metadata.Distribution] = {}
    waiting: list[str] = [*FOR_LEARNERS, *IF_INSTALLED]
    while waiting:
        name = canonicalize_name(waiting.pop())
        if name in found:
            continue
        try:
            distribution = importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:
            if name in IF_INSTALLED:
                continue
            raise SandboxError(f"{name} is not installed; lessons use it: pip install -r requirements.txt") from None
        found[name] = distribution
        for line in distribution.requires or ():
            required = Requirement(line)
            if required.marker is None or required.marker.evaluate({"extra": ""}):
                waiting.append(required.name)
    return found
