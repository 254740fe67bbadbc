"""`python -m autograder doctor`: each thing that can be broken is found, with what to do, and nothing else is."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import sys
import time
import tomllib
from collections import namedtuple
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.specifiers import SpecifierSet
from typer.testing import CliRunner

from autograder import doctor
from autograder.cli import app
from autograder.doctor import Finding, Place
from autograder.gradebook import Course
from autograder.sandbox import SandboxError, choice
from course_lib import exercises
from tests.grading.conftest import HandIn
from tests.grading.fixture_lesson import NAME
from tests.grading.helpers import submission
from tests.grading.test_settings import RULE, grade

pytestmark = pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SAWarning")  # nbgrader's own queries


def found(check: str, root: Path) -> dict[str, Finding]:
    return {each.what: each for each in doctor.CHECKS[check](Place(root))}


def test_the_versions_of_python_are_those_of_the_project(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = SpecifierSet(tomllib.loads((root / "pyproject.toml").read_text())["project"]["requires-python"])
    for minor in range(9, 18):
        monkeypatch.setattr(sys, "version_info", (3, minor, 1))
        assert bool(found("Python", root)["Python"].mend) != wanted.contains(f"3.{minor}.1")


def test_packages_are_held_beside_the_pins(root: Path, tmp_path: Path) -> None:
    assert not found("packages", root)["packages"].mend
    (tmp_path / "requirements.txt").write_text(
        "# a remark\nnumpy==0.1\nno-such-package-at-all==1.0\nrich>=1\nappnope==0.1 ; sys_platform == 'plan9'\n"
        "--editable .\n"
    )
    told = found("packages", tmp_path)["packages"]
    assert told.told.startswith("numpy is ")
    assert told.told.endswith("pinned 0.1, no-such-package-at-all is missing")
    assert told.mend == f"python -m pip install -r {tmp_path / 'requirements.txt'}"


def test_a_formgrader_that_is_off_is_found(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not any(each.mend for each in found("JupyterLab", root).values())
    path = tmp_path / "jupyter_server_config.d" / "off.json"
    path.parent.mkdir()
    extensions = {"nbgrader.server_extensions.formgrader": False}
    path.write_text(json.dumps({"ServerApp": {"jpserver_extensions": extensions}}))
    monkeypatch.setenv("JUPYTER_CONFIG_PATH", str(tmp_path))
    told = found("JupyterLab", root)["JupyterLab"]
    assert told.told == "off: formgrader"
    assert told.mend
    path.write_text("no JSON")
    assert not found("JupyterLab", root)["JupyterLab"].mend


def test_a_sandbox_that_does_not_work_is_found(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def none() -> None:
        raise SandboxError("No sandbox works here")

    monkeypatch.setattr(choice, "choose", none)
    told = found("sandbox", root)["sandbox"]
    assert (told.told, bool(told.mend)) == ("No sandbox works here", True)


def test_a_folder_that_is_no_course_is_found(tmp_path: Path) -> None:
    assert found("course folder", tmp_path)["course folder"].mend.startswith("start in the course's folder")


def test_other_settings_of_nbgrader_and_missing_lessons_are_found(course: Course) -> None:
    told = found("course folder", course.root)
    assert not told["course folder"].mend
    assert told["lessons"].told == "not in solutions/: 00_warm_up, 01_backpropagation, 02_gradient_descent and 9 more"
    assert told["lessons"].mend == "python -m autograder build"
    (course.root / "nbgrader_config.py").write_text("c = get_config()\n")
    told = found("course folder", course.root)
    assert "does not name our grading" in told["course folder"].told
    assert told["course folder"].mend


def test_a_notebook_that_is_not_what_its_source_gives_is_found(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = "00_warm_up"
    monkeypatch.setattr(exercises, "LESSONS", {name: exercises.LESSONS[name]})
    for folder in ("solutions", "lessons"):
        shutil.copytree(root / folder / name, tmp_path / folder / name)
    shutil.copy(root / "solutions" / f"{name}.md", tmp_path / "solutions")
    shutil.copy(root / "nbgrader_config.py", tmp_path)
    before = found("course folder", tmp_path)["built"]
    assert name not in before.told.replace("lessons/README.md", "")  # of the map alone, which has one lesson now
    path = tmp_path / "lessons" / name / f"{name}.ipynb"
    path.write_text(path.read_text().replace("slope", "slop", 1))
    after = found("course folder", tmp_path)["built"]
    assert f"lessons/{name}/{name}.ipynb" in after.told
    assert after.mend == "python -m autograder build"


def test_a_gradebook_is_read_and_never_made_or_changed(course: Course, hand_in: HandIn) -> None:
    path = course.root / "gradebook.db"
    path.unlink()
    assert found("gradebook", course.root)["gradebook"].told.startswith("none yet")
    assert not path.exists()
    hand_in("ada", submission())
    grade(course, "ada")
    before = path.read_bytes()
    told = found("gradebook", course.root)["gradebook"]
    assert (told.told, told.mend) == ("1 lesson, 1 students", "")
    assert path.read_bytes() == before
    with sqlite3.connect(path) as book:
        book.execute("UPDATE assignment SET name = 'elsewhere'")
    assert "not of this course: elsewhere" in found("gradebook", course.root)["gradebook"].told
    path.write_bytes(before[:5000] + os.urandom(20_000))
    assert found("gradebook", course.root)["gradebook"].mend
    path.write_bytes(b"no database at all" * 100)
    assert found("gradebook", course.root)["gradebook"].told.startswith("cannot be read: file is not a database")


@pytest.mark.skipif(os.name != "posix", reason="permissions as on POSIX")
def test_seeds_that_others_can_read_or_that_hold_none_are_found(course: Course) -> None:
    assert not found("seeds", course.root)["seeds"].mend
    path = course.root / f"{NAME}.secret"
    path.write_text("123\n")
    path.chmod(0o600)
    assert found("seeds", course.root)["seeds"].told == "1, readable by you alone"
    path.chmod(0o640)
    told = found("seeds", course.root)["seeds"]
    assert told.told == f"readable by others: {NAME}.secret"
    assert told.mend == f"chmod 600 {course.root}/*.secret"
    path.write_text("")
    path.chmod(0o600)
    told, *_ = doctor.seeds(Place(course.root))
    assert told.told == f"hold none: {NAME}.secret"
    assert told.mend.endswith(f"--new-seed, for {NAME}")


def test_settings_that_break_their_form_or_are_not_applied_are_found(course: Course, hand_in: HandIn) -> None:
    path = course.root / "course.toml"
    assert not found("course.toml", course.root)["course.toml"].mend
    hand_in("ada", submission())
    grade(course, "ada")
    path.write_text(RULE)
    told = found("course.toml", course.root)["course.toml"]
    assert (told.told, told.mend) == ("1 things differ in the gradebook", "python -m autograder settings --apply")
    grade(course, "ada")
    assert not found("course.toml", course.root)["course.toml"].mend
    path.write_text("[late]\nperday = 3\n")
    assert "line 2: late.perday is unknown" in found("course.toml", course.root)["course.toml"].told


def test_too_little_disk_or_memory_is_found(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import psutil

    usage = namedtuple("usage", "free")
    memory = namedtuple("memory", "available")
    for free in (10**8, 10**11):
        monkeypatch.setattr(shutil, "disk_usage", lambda _, free=free: usage(free))
        monkeypatch.setattr(psutil, "virtual_memory", lambda free=free: memory(free))
        assert [bool(each.mend) for each in doctor.room(Place(root))] == [free == 10**8] * 3


def test_a_clock_that_is_behind_is_found(tmp_path: Path) -> None:
    path = tmp_path / "gradebook.db"
    path.touch()
    assert not found("clock", tmp_path)["clock"].mend
    os.utime(path, (time.time() + 7200,) * 2)
    assert found("clock", tmp_path)["clock"].mend


def test_a_look_that_fails_is_a_finding_and_stops_no_other(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_: Place) -> Iterator[Finding]:
        raise RuntimeError("broken")
        yield

    checks = {"Python": broken, "clock": doctor.clock}
    monkeypatch.setattr(doctor, "CHECKS", checks)
    first, second = doctor.look(tmp_path)
    assert first.told == "could not be looked at: RuntimeError: broken"
    assert first.mend
    assert (second.what, second.mend) == ("clock", "")
    run = CliRunner()
    result = run.invoke(app, ["doctor", "--course", str(tmp_path)], env={"COLUMNS": "200"})
    assert result.exit_code == 1
    assert "mend  Python" in result.output
    assert "1 to mend." in result.output
    result = run.invoke(app, ["doctor", "--json", "--course", str(tmp_path)])
    assert result.exit_code == 1
    assert [each["what"] for each in json.loads(result.output)] == ["Python", "clock"]
    monkeypatch.setattr(doctor, "CHECKS", {"clock": doctor.clock})
    result = run.invoke(app, ["doctor", "--course", str(tmp_path)])
    assert result.exit_code == 0
    assert "All is in order." in result.output


def test_this_project_is_in_order(root: Path) -> None:
    """Of what does not depend on the machine."""
    for check in ("packages", "JupyterLab"):
        assert not [each for each in doctor.CHECKS[check](Place(root)) if each.mend]
