"""The guest: the copy of course_lib that the sandbox holds.

It has no seed, no generator of cases, no expected value, no reference, no named mistake, and none of the modules
that hold an equivalent of what the lesson asks. It is built, not patched while it runs.
"""

from __future__ import annotations

import importlib.util
import shutil
from collections.abc import Sequence
from pathlib import Path

import course_lib

WITHHELD = """\
raise ImportError("course_lib.{name} is not there in grading: it holds what this lesson asks. Write it without")
"""
"""What stands in the place of a withheld module, so that an answer that imports it is told why it fails."""

EXERCISE_MODULES = ("answers.py", "functions.py", "programs.py")
"""All that a guest holds of course_lib.exercises."""

_HERE = Path(__file__).parent
_COURSE_LIB = Path(course_lib.__file__).parent
# These stand on the exercises and are of no use without them, or on programs that a guest does not have; `study` is
# megabytes of audio that no answer needs.
_LEFT_OUT = (
    *("exercises", "check.py", "validation.py", "learner.py", "study", "__pycache__", "py.typed"),
    *("submission", "updating", "commands", "__main__.py"),
)


def _copy_compiled(package: Path) -> None:
    """Copy what Python has compiled of the modules that are there: a guest need not do it again."""
    for path in sorted(package.rglob("*.py")):
        original = _COURSE_LIB / path.relative_to(package)
        compiled = Path(importlib.util.cache_from_source(original))
        if compiled.is_file():
            target = Path(importlib.util.cache_from_source(path))
            target.parent.mkdir(exist_ok=True)
            shutil.copy2(compiled, target)


def copied(withheld: Sequence[str] = (), package: Path = _COURSE_LIB) -> list[Path]:
    """The files of course_lib, in the folder `package`, that a guest is given as they are."""
    left_out = _left_out(withheld)
    kept = [path for path in package.iterdir() if path.name not in left_out]
    kept += [inside for path in kept for inside in path.rglob("*") if "__pycache__" not in inside.parts]
    return [*sorted(filter(Path.is_file, kept)), *(package / "exercises" / name for name in EXERCISE_MODULES)]


def _left_out(withheld: Sequence[str]) -> set[str]:
    return {*_LEFT_OUT, *withheld, *(f"{name}.py" for name in withheld)}


def build(folder: Path, withheld: Sequence[str] = ()) -> None:
    """Write the guest into `folder`.

    Args:
        folder: a new place.
        withheld: modules or packages of course_lib to leave out, without ".py": ("optimizers", "training").

    Raises:
        ValueError: when a withheld module does not exist: a misspelt name would let the reference through.
    """
    for name in withheld:
        if not (_COURSE_LIB / f"{name}.py").is_file() and not (_COURSE_LIB / name).is_dir():
            raise ValueError(
                f"course_lib has no module {name!r} to withhold; look at WITHHELD of the lesson's exercises"
            )
    left_out = _left_out(withheld)

    def ignore(place: str, names: list[str]) -> set[str]:
        top = Path(place) == _COURSE_LIB
        return {name for name in names if name == "__pycache__" or (top and name in left_out)}

    package = folder / "course_lib"
    shutil.copytree(_COURSE_LIB, package, ignore=ignore)
    _copy_compiled(package)
    for name in withheld:
        (package / f"{name}.py").write_text(WITHHELD.format(name=name), encoding="utf-8")
    (package / "exercises").mkdir()
    (package / "exercises" / "__init__.py").write_text('"""What goes in and out of a check."""\n', encoding="utf-8")
    for name in EXERCISE_MODULES:
        shutil.copyfile(_COURSE_LIB / "exercises" / name, package / "exercises" / name)
    shutil.copyfile(_HERE / "guest_check.py", package / "check.py")
    for name in ("guest_kernel.py", "guest_supervisor.py", "confine.py"):
        shutil.copyfile(_HERE / name, folder / name)
