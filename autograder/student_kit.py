"""The student kit: one zip with what students get, lessons, course_lib, requirements and guide, and nothing else.

What goes in is listed here, by name and by ending, so that nothing gets in by lying about. The same course gives the
same bytes: names in order, one time for all, fixed permissions.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from packaging.specifiers import SpecifierSet

from autograder.building import BuildError, Problem, check, lesson_path
from autograder.files import as_zip
from autograder.settings.file import used_lessons
from course_lib import exercises

ENDINGS = frozenset({".py", ".npz", ".json", ".js", ".css", ".csv", ".toml", ".mp3"})
"""Files of course_lib that are part of it; `py.typed` is too."""
TEXTS = (
    "requirements.txt", "LICENSE", "LICENSE-content", "NOTICE",
    ".binder/requirements.txt", ".binder/runtime.txt", ".devcontainer/devcontainer.json",
)  # fmt: skip
GUIDE = "docs/students.md"

_README = """\
# How networks are trained

You need {pythons}. In this folder, on Linux and macOS:

```
python3 -m venv .venv
.venv/bin/python -m pip install -r requirements.txt
.venv/bin/python -m jupyterlab lessons
```

On Windows:

```
py -m venv .venv
.venv\\Scripts\\python -m pip install -r requirements.txt
.venv\\Scripts\\python -m jupyterlab lessons
```

The first two lines are for once; the second takes some minutes. The third opens JupyterLab. There, open
`{first}`, start at the top, and run each cell.
{guide}
Code is under the MIT licence (LICENSE), lessons and other prose under CC BY 4.0 (LICENSE-content). NOTICE says where
data and recordings come from.
"""

_PROJECT = """\
# Lets `pip install -r requirements.txt` put course_lib where the lessons find it.
[build-system]
requires = ["setuptools>=77"]
build-backend = "setuptools.build_meta"

[project]
name = "training-techniques-course"
version = "{version}"
description = "Training neural networks by hand: lessons as notebooks, and the library behind them."
requires-python = "{python}"
license = "MIT AND CC-BY-4.0"
license-files = ["LICENSE*", "NOTICE*"]
dependencies = {needed}

[tool.setuptools]
package-dir = {{ "" = "." }}

[tool.setuptools.packages.find]
include = ["course_lib*"]

[tool.setuptools.package-data]
course_lib = {data}
"""


def version(root: Path) -> str:
    """The course's version, as pyproject.toml says."""
    return str(_project(root)["project"]["version"])


def kit(root: Path) -> bytes:
    """The student kit of the course in `root`, as a zip; lessons that course.toml does not use are left out.

    Raises:
        BuildError: where a student notebook is not what its source gives, or something that belongs in is not there.
        SettingsError: where course.toml breaks its form.
    """
    if problems := check(root):
        raise BuildError(problems)
    files = dict(_files(root))
    folder = f"student-kit-{version(root)}"
    return as_zip({f"{folder}/{name}": files[name] for name in sorted(files)})


def _files(root: Path) -> Iterator[tuple[str, bytes]]:
    """What is in the kit: its path there, with slashes, and its bytes."""
    used = used_lessons(root)
    if not used:
        raise BuildError([Problem("course.toml", "no lesson is in use, so there is nothing to pack")])
    for name in used:
        yield f"lessons/{name}/{name}.ipynb", _read(root, lesson_path(root, name))
    if len(used) == len(exercises.LESSONS):
        yield "lessons/README.md", _read(root, root / "lessons" / "README.md")  # the map shows every lesson
    for path in sorted((root / "course_lib").rglob("*")):
        inside = path.relative_to(root)
        if "__pycache__" in inside.parts or path.is_dir():
            continue
        if path.suffix not in ENDINGS and path.name != "py.typed":
            raise BuildError([Problem(inside.as_posix(), "is no file that course_lib has: move it elsewhere")])
        yield inside.as_posix(), _read(root, path)
    for name in TEXTS:
        yield name, _read(root, root / name)
    guide = ""
    if (root / GUIDE).is_file():
        yield GUIDE, _read(root, root / GUIDE)
        guide = f"\n[{GUIDE}]({GUIDE}) says how a lesson goes, and what to do when something goes wrong.\n"
    project = _project(root)
    wanted = project["project"]["requires-python"]
    first = f"lessons/{used[0]}/{used[0]}.ipynb"
    pythons = _pythons(wanted)
    yield "README.md", _README.format(pythons=pythons, first=first, guide=guide).encode()
    data = json.dumps(project["tool"]["setuptools"]["package-data"]["course_lib"])
    needed = json.dumps(project["project"]["dependencies"])
    filled = _PROJECT.format(version=version(root), python=wanted, needed=needed, data=data)
    yield "pyproject.toml", filled.encode()


def _read(root: Path, path: Path) -> bytes:
    if path.is_symlink() or not path.is_file():
        raise BuildError(
            [Problem(path.relative_to(root).as_posix(), "is not there, or is a link; the kit needs the file")]
        )
    return path.read_bytes()


def _pythons(wanted: str) -> str:
    """The versions of Python that pyproject.toml asks for, as one says them: "Python 3.11 to 3.14"."""
    fits = [f"3.{minor}" for minor in range(100) if SpecifierSet(wanted).contains(f"3.{minor}")]
    return f"Python {fits[0]} to {fits[-1]}"


def _project(root: Path) -> dict[str, Any]:
    return tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
