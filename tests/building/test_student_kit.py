"""The student kit holds what students need and nothing else, works where nothing else is, and is the same each time."""

from __future__ import annotations

import io
import os
import re
import shutil
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest
from typer.testing import CliRunner

from autograder import student_kit
from autograder.building import BuildError, Problem
from autograder.cli import app
from autograder.student_kit import kit, version
from course_lib import exercises

TOP = {"LICENSE", "LICENSE-content", "NOTICE", "README.md", "pyproject.toml", "requirements.txt"}
STARTS = {".binder/requirements.txt", ".binder/runtime.txt", ".devcontainer/devcontainer.json"}
ADAM = "lessons/04_adaptive_optimizers/04_adaptive_optimizers.ipynb"
CHECK = """
import sys
sys.path.insert(0, {kit!r})
import course_lib
assert course_lib.__file__.startswith({kit!r}), course_lib.__file__
from course_lib.check import check
from course_lib.exercises import of_lesson
from course_lib.study import Overview, Cards, Glossary
from course_lib.data import load_digits
for lesson in ("01_backpropagation", "04_adaptive_optimizers"):
    for exercise in of_lesson(lesson):
        result = check(exercise.name, exercise.namespace())
        assert result.result is not None and result.result.outcome == "right", str(result)
assert check("relu_backward", {{}}).points == 0
load_digits()
assert "autograder" not in sys.modules
print("works")
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, root: Path) -> Path:
    """The project without its recordings, and with all that must not get out lying about."""
    place = tmp_path_factory.mktemp("project") / "course"
    quiet = shutil.ignore_patterns("*.mp3", "__pycache__", ".ipynb_checkpoints")
    for name in ("course_lib", "lessons", "solutions", "docs", "autograder", ".binder", ".devcontainer"):
        shutil.copytree(root / name, place / name, ignore=quiet)
    for name in (*TOP, "requirements.in", "nbgrader_config.py"):
        shutil.copy(root / name, place)
    for stray in (
        "gradebook.db", "04_adaptive_optimizers.secret", "course_progress.json", "lessons/course_progress.json",
        "lessons/04_adaptive_optimizers/notes.txt", "course_lib/__pycache__/check.pyc",
        "submitted/ada/04_adaptive_optimizers/04_adaptive_optimizers.ipynb",
    ):  # fmt: skip
        (place / stray).parent.mkdir(parents=True, exist_ok=True)
        (place / stray).write_text("SECRET")
    return place


@pytest.fixture(autouse=True)
def _built(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """Packing looks every lesson over first, which takes seconds; one test has it do so."""
    if not request.node.name.startswith("test_a_lesson_that_is_not_built"):
        monkeypatch.setattr(student_kit, "check", lambda _: [])


def unpacked(packed: bytes, to: Path) -> Path:
    with zipfile.ZipFile(io.BytesIO(packed)) as archive:
        assert archive.testzip() is None
        archive.extractall(to)
    (folder,) = to.iterdir()
    return folder


def names(packed: bytes) -> list[str]:
    with zipfile.ZipFile(io.BytesIO(packed)) as archive:
        return [name.split("/", 1)[1] for name in archive.namelist()]


def test_what_is_in_it_and_nothing_else(project: Path) -> None:
    packed = kit(project)
    found = names(packed)
    assert found == sorted(found)
    lessons = {f"lessons/{name}/{name}.ipynb" for name in exercises.LESSONS} | {"lessons/README.md"}
    library = {
        path.relative_to(project).as_posix()
        for path in (project / "course_lib").rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }
    assert set(found) == TOP | STARTS | lessons | library | {"docs/students.md"}
    with zipfile.ZipFile(io.BytesIO(packed)) as archive:
        for entry in archive.infolist():
            data = archive.read(entry)
            name = entry.filename.split("/", 1)[1]
            assert data != b"SECRET"
            assert name in ("README.md", "pyproject.toml") or data == (project / name).read_bytes()
            assert (entry.date_time, entry.external_attr >> 16) == ((1980, 1, 1, 0, 0, 0), 0o100644)


def test_the_recordings_are_in_it(root: Path) -> None:
    found = {name for name in names(kit(root)) if name.endswith(".mp3")}
    assert found == {path.relative_to(root).as_posix() for path in (root / "course_lib").rglob("*.mp3")}
    assert found


def test_the_same_course_gives_the_same_bytes(project: Path) -> None:
    first = kit(project)
    for path in (project / "lessons").rglob("*.ipynb"):
        os.utime(path, (time.time() + 1000,) * 2)
        path.chmod(0o600)
    assert kit(project) == first


def test_it_works_where_nothing_else_is(project: Path, tmp_path: Path) -> None:
    folder = unpacked(kit(project), tmp_path)
    done = subprocess.run(
        [sys.executable, "-I", "-c", CHECK.format(kit=str(folder))],
        cwd=tmp_path,
        env={**os.environ, "COURSE_PROGRESS": "off"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == "works\n", done.stderr


def test_pip_installs_it_without_a_network(project: Path, tmp_path: Path) -> None:
    folder = unpacked(kit(project), tmp_path / "kit")
    assert (folder / "requirements.txt").read_text(encoding="utf-8").splitlines()[-1] == "--editable ."
    target = tmp_path / "installed"
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps", "--no-build-isolation"]
    done = subprocess.run([*command, "--target", target, folder], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    installed = {path.relative_to(target).as_posix() for path in (target / "course_lib").rglob("*") if path.is_file()}
    assert {name for name in installed if not name.endswith(".pyc")} == {
        path.relative_to(folder).as_posix() for path in (folder / "course_lib").rglob("*") if path.is_file()
    }
    assert not (target / "autograder").exists()


def test_its_readme_leads_to_files_that_are_in_it(project: Path) -> None:
    found = names(kit(project))
    with zipfile.ZipFile(io.BytesIO(kit(project))) as archive:
        readme = archive.read(f"student-kit-{version(project)}/README.md").decode()
    paths = re.findall(r"`(lessons/[^`]*)`|\]\(([^)]*)\)|\((LICENSE[^)]*)\)", readme)
    assert len(paths) == 4
    assert all("".join(path) in found for path in paths)
    assert "You need Python 3.11 to 3.14." in readme


def test_lessons_that_are_not_in_use_stay_out(project: Path) -> None:
    path = project / "course.toml"
    path.write_text("[lessons.04_adaptive_optimizers]\nuse = false\n")
    try:
        found = names(kit(project))
    finally:
        path.unlink()
    assert ADAM not in found
    assert "lessons/README.md" not in found  # the map shows every lesson
    assert ADAM in names(kit(project))
    assert "course.toml" not in found


def test_a_stray_file_in_course_lib_is_refused(project: Path) -> None:
    path = project / "course_lib" / "answers.txt"
    path.write_text("SECRET")
    try:
        with pytest.raises(BuildError, match=r"course_lib/answers.txt"):
            kit(project)
    finally:
        path.unlink()


@pytest.mark.skipif(sys.platform == "win32", reason="links as on POSIX")
def test_a_link_is_refused(project: Path) -> None:
    path = project / "course_lib" / "elsewhere.py"
    path.symlink_to(project / "gradebook.db")
    try:
        with pytest.raises(BuildError, match=r"course_lib/elsewhere.py"):
            kit(project)
    finally:
        path.unlink()


def test_the_command(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    result = CliRunner().invoke(app, ["student-kit", "--root", str(project)], env={"COLUMNS": "300"})
    assert result.exit_code == 0, result.output
    path = project / "dist" / f"student-kit-{version(project)}.zip"
    assert str(path) in result.output
    assert path.read_bytes() == kit(project)
    monkeypatch.setattr(student_kit, "check", lambda _: [Problem("lessons/x.ipynb", "is not what its source gives")])
    other = tmp_path / "kit.zip"
    result = CliRunner().invoke(app, ["student-kit", "--root", str(project), "--output", str(other)])
    assert result.exit_code == 1
    assert "is not what its source gives" in result.output
    assert not other.exists()


@pytest.mark.slow
def test_a_lesson_that_is_not_built_is_not_packed(project: Path) -> None:
    path = project / ADAM
    before = path.read_bytes()
    assert kit(project)
    path.write_bytes(before.replace(b"rmsprop", b"rmsprob", 1))
    try:
        with pytest.raises(BuildError, match="04_adaptive_optimizers"):
            kit(project)
    finally:
        path.write_bytes(before)
