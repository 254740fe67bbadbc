"""What the sandbox holds, and what it must never hold."""

from __future__ import annotations

import importlib
import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

from autograder.sandbox import guest
from course_lib import exercises

# Subject modules may come and go; of what stands on the exercises, this is all.
OF_THE_CHECKS = {
    "confine.py",
    "guest_kernel.py",
    "guest_supervisor.py",
    "course_lib/check.py",
    "course_lib/exercises/__init__.py",
    "course_lib/exercises/answers.py",
    "course_lib/exercises/functions.py",
    "course_lib/exercises/programs.py",
}
FOLDERS_LEFT_OUT = ("exercises", "study", "submission", "updating", "commands")
FILES_LEFT_OUT = ("check.py", "validation.py", "learner.py", "__main__.py", "py.typed")
FORBIDDEN = ("reference", "misconception", "Misconception", "default_rng([", "home_cases", "Exercise(", "secret")


def held(folder: Path) -> set[str]:
    """The files of a guest; what Python has compiled of them is theirs, and of no other."""
    files = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    compiled = {name for name in files if name.endswith(".pyc")}
    of = {Path(importlib.util.source_from_cache(folder / name)).relative_to(folder).as_posix() for name in compiled}
    stubs = {
        name for name in files if name.endswith(".py") and "is not there in grading" in (folder / name).read_text()
    }
    assert of <= files - stubs
    return files - compiled


@pytest.mark.parametrize("lesson", sorted(exercises.LESSONS))
def test_a_guest_holds_the_subject_without_what_the_lesson_asks(tmp_path: Path, root: Path, lesson: str) -> None:
    withheld = importlib.import_module(exercises.LESSONS[lesson]).WITHHELD
    guest.build(tmp_path, withheld)
    files = held(tmp_path)
    subject = {
        path.relative_to(root).as_posix()
        for path in (root / "course_lib").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and path.suffix != ".pyc"
    }
    subject = {
        name
        for name in subject
        if not name.startswith(tuple(f"course_lib/{left}/" for left in FOLDERS_LEFT_OUT))
        and name not in {f"course_lib/{left}" for left in FILES_LEFT_OUT}
        and not any(name == f"course_lib/{left}.py" or name.startswith(f"course_lib/{left}/") for left in withheld)
    }
    in_their_place = {f"course_lib/{left}.py" for left in withheld}
    assert files == subject | OF_THE_CHECKS | in_their_place
    for left in withheld:
        assert (tmp_path / "course_lib" / f"{left}.py").read_text() == guest.WITHHELD.format(name=left)
    assert withheld, "a lesson withholds at least the module that holds its answers"


@pytest.mark.parametrize("lesson", sorted(exercises.LESSONS))
def test_none_of_the_lesson_s_references_can_be_imported(tmp_path: Path, lesson: str) -> None:
    module = importlib.import_module(exercises.LESSONS[lesson])
    guest.build(tmp_path, module.WITHHELD)
    program = (
        "import importlib, pkgutil, sys\n"
        "import course_lib\n"
        "found = set()\n"
        "for info in pkgutil.walk_packages(course_lib.__path__, 'course_lib.'):\n"
        "    try:\n"
        "        found |= set(vars(importlib.import_module(info.name)))\n"
        "    except ImportError:\n"
        "        pass\n"
        "print(*sorted(found & set(sys.argv[1:])))\n"
    )
    names = [exercise.name for exercise in module.EXERCISES]
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(tmp_path), "HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", program, *names],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    # course_lib.losses has a softmax_cross_entropy of its own in lessons that do not ask for it.
    assert done.stdout.split() == []


def test_what_decides_is_not_in_the_files_about_checks(tmp_path: Path) -> None:
    guest.build(tmp_path)
    for name in OF_THE_CHECKS - {"course_lib/exercises/programs.py"}:
        text = (tmp_path / name).read_text(encoding="utf-8").replace("no reference", "")
        assert not [word for word in FORBIDDEN if word in text], name


def test_a_misspelt_module_to_withhold_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no module 'optimisers' to withhold"):
        guest.build(tmp_path, ("optimisers",))
