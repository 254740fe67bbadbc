"""`python -m course_lib update`: where a new version comes from, what is written, what is kept, and what is refused."""

from __future__ import annotations

import copy
import re
import zipfile
from datetime import datetime
from pathlib import Path

import nbformat
import pytest
from click.testing import Result
from typer.testing import CliRunner

from autograder.building import release
from autograder.building.source import read as read_source
from autograder.lesson import LessonSource
from course_lib.__main__ import app
from course_lib.submission.notebooks import RELEASED, Notebook, NotebookError, as_bytes, parse, read, released_cells
from course_lib.updating import library, upgrade
from course_lib.updating.versions import read_version
from tests.handing_in.conftest import put
from tests.handing_in.lesson import ADAM, answered, cell, insert_after, own, released, solutions

RUN = CliRunner()
WIDE = {"COLUMNS": "300"}
WARM_UP = "00_warm_up"
LIBRARY = {
    "course_lib/__init__.py": b"new = True\n",
    "course_lib/added.py": b"",
    "pyproject.toml": b"[project]\n",
    "requirements.txt": b"numpy\n",
    "docs/students.md": b"# Guide\n",
}


def update(*arguments: object) -> Result:
    return RUN.invoke(app, ["update", *map(str, arguments)], env=WIDE)


def everything(folder: Path) -> dict[str, bytes]:
    """All that is in a folder, by path."""
    paths = [path for path in folder.rglob("*") if path.is_file()]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


@pytest.fixture
def new(adam: LessonSource) -> Notebook:
    """A newer lesson 04, as released: another heading."""
    notebook = copy.deepcopy(released(adam))
    cell(notebook, "cell-001")["source"] += "\n\nNew in this version."
    notebook["metadata"][RELEASED]["cells"] = released_cells(notebook)
    return notebook


@pytest.fixture
def worked(adam: LessonSource, root: Path) -> Notebook:
    """Lesson 04 with an answer and a note."""
    notebook = answered(released(adam), {"adam_step": solutions(root)["adam_step"]})
    insert_after(notebook, "check_adam_step", own("My *note*.", "markdown", "note"))
    return notebook


def kit(path: Path, notebook: Notebook, *, around: str = "student-kit-0.2.0/", **more: bytes) -> Path:
    """A student kit with one lesson."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"{around}lessons/{ADAM}/{ADAM}.ipynb", as_bytes(notebook))
        for name, data in {**LIBRARY, **more}.items():
            archive.writestr(f"{around}{name}", data)
    return path


def old_kit(mine: Path) -> Path:
    """Make the folder around the lessons an unpacked kit of an older version."""
    home = mine.parent
    (home / "course_lib").mkdir()
    for name in ("course_lib/gone.py", "pyproject.toml", "requirements.txt"):
        (home / name).touch()
    (home / "course_lib/__init__.py").write_text("old = True\n")
    return home


def test_a_kit_brings_lessons_and_library_and_keeps_what_was(
    mine: Path, new: Notebook, worked: Notebook, tmp_path: Path
) -> None:
    home = old_kit(mine)
    path = put(mine, ADAM, worked)
    (mine / "course_progress.json").write_text("{}")
    before = path.read_bytes()
    source = kit(tmp_path / "student-kit-0.2.0.zip", new)
    done = update("--from", source, "--in", mine)
    assert done.exit_code == 0, done.output
    assert "kept your adam_step" in done.output
    assert "pip install -r requirements.txt" in done.output
    said = [each["source"] for each in read(path)["cells"]]
    assert {"My *note*.", cell(worked, "adam_step")["source"]} <= set(said)
    assert "New in this version." in said[0]
    (kept,) = mine.rglob("*.before-*.ipynb")
    assert kept.read_bytes() == before
    assert kept.name in done.output
    assert (mine / "course_progress.json").read_text() == "{}"
    assert everything(home / "course_lib") == {"__init__.py": b"new = True\n", "added.py": b""}
    (aside,) = home.glob("course_lib.before-*")
    assert everything(aside) == {"__init__.py": b"old = True\n", "gone.py": b""}
    assert (home / "docs/students.md").read_bytes() == LIBRARY["docs/students.md"]

    # The same again: nothing is written.
    were = everything(home)
    again = update("--from", source, "--in", mine)
    assert again.exit_code == 0
    assert "up to date" in again.output
    assert everything(home) == were


def test_a_dry_run_says_all_and_writes_nothing(mine: Path, new: Notebook, worked: Notebook, tmp_path: Path) -> None:
    home = old_kit(mine)
    put(mine, ADAM, worked)
    before = everything(home)
    done = update("--from", kit(tmp_path / "kit.zip", new), "--in", mine, "--dry-run")
    assert done.exit_code == 0
    assert "Nothing is written" in done.output
    assert "kept your adam_step" in done.output
    assert "course_lib would be that of the new version" in done.output
    assert everything(home) == before


@pytest.mark.parametrize("kind", ["one notebook", "folder of lessons", "folder of a lesson", "kit in a folder"])
def test_a_new_version_may_be_given_in_many_forms(
    mine: Path, new: Notebook, worked: Notebook, tmp_path: Path, kind: str
) -> None:
    path = put(mine, ADAM, worked)
    given = put(tmp_path / "new" / "student-kit" / "lessons", ADAM, new)
    source = {
        "one notebook": tmp_path / f"{ADAM} (1).ipynb",
        "folder of lessons": given.parents[1],
        "folder of a lesson": given.parent,
        "kit in a folder": tmp_path / "new",
    }[kind]
    if kind == "one notebook":
        source.write_bytes(given.read_bytes())
    done = update("4", "--from", source, "--in", mine)
    assert done.exit_code == 0, done.output
    assert "New in this version." in read(path)["cells"][0]["source"]
    assert cell(read(path), "adam_step")["source"] == cell(worked, "adam_step")["source"]


def test_a_broken_notebook_is_left_alone_and_the_others_go_on(
    mine: Path, new: Notebook, worked: Notebook, root: Path, tmp_path: Path
) -> None:
    path = put(mine, ADAM, worked)
    broken = put(mine, WARM_UP, b'{"cells": [')
    put(tmp_path / "lessons", ADAM, new)
    put(tmp_path / "lessons", WARM_UP, (root / "lessons" / WARM_UP / f"{WARM_UP}.ipynb").read_bytes())
    done = update("--from", tmp_path / "lessons", "--in", mine)
    assert done.exit_code == 1
    assert f"{WARM_UP}: left as it is." in done.output
    assert "is broken" in done.output
    assert everything(broken.parent) == {broken.name: b'{"cells": ['}
    assert "New in this version." in read(path)["cells"][0]["source"]


def test_a_lesson_that_somebody_wrote_in_is_no_new_version(mine: Path, worked: Notebook, tmp_path: Path) -> None:
    path = put(mine, ADAM, worked)
    before = everything(mine)
    put(tmp_path / "lessons", ADAM, worked)
    done = update("--from", tmp_path / "lessons", "--in", mine)
    assert done.exit_code == 1
    assert "no fresh copy" in done.output
    assert everything(mine) == before
    assert path.is_file()


def test_a_lesson_that_is_new_is_put_there(mine: Path, new: Notebook, root: Path, tmp_path: Path) -> None:
    put(mine, WARM_UP, (root / "lessons" / WARM_UP / f"{WARM_UP}.ipynb").read_bytes())
    given = put(tmp_path / "lessons", ADAM, new)
    assert update("--from", given.parents[1], "--in", mine).exit_code == 0
    assert (mine / ADAM / given.name).read_bytes() == given.read_bytes()


def test_line_ends_of_another_system_are_no_edits(
    mine: Path, adam: LessonSource, new: Notebook, tmp_path: Path
) -> None:
    text = as_bytes(released(adam)).replace(b"\n", b"\r\n").replace(rb"\n", rb"\r\n")
    path = put(mine, ADAM, text)
    put(tmp_path / "lessons", ADAM, new)
    assert update("--from", tmp_path / "lessons", "--in", mine).exit_code == 0
    assert read(path) == new


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("", "Where is the new version?"),
        ("gone.zip", "is not there. Give the new student kit"),
        ("text.zip", "cannot be read as a zip"),
        ("empty.zip", "holds no lessons"),
        ("other.ipynb", "is of no lesson of this course"),
        ("empty", "holds no lessons"),
        ("mine", "--from is the new version"),
    ],
)
def test_what_is_no_new_version_is_refused_with_what_to_do(
    mine: Path, worked: Notebook, tmp_path: Path, source: str, said: str
) -> None:
    put(mine, ADAM, worked)
    (tmp_path / "text.zip").write_text("no zip")
    zipfile.ZipFile(tmp_path / "empty.zip", "w").close()
    nbformat.write(nbformat.v4.new_notebook(), tmp_path / "other.ipynb")
    (tmp_path / "empty").mkdir()
    before = everything(mine)
    chosen = [] if not source else ["--from", mine if source == "mine" else tmp_path / source]
    done = update(*chosen, "--in", mine)
    assert done.exit_code == 2
    assert said in done.output
    assert everything(mine) == before


def test_a_folder_without_lessons_is_said(new: Notebook, tmp_path: Path) -> None:
    put(tmp_path / "lessons", ADAM, new)
    (tmp_path / "none").mkdir()
    done = update("--from", tmp_path / "lessons", "--in", tmp_path / "none")
    assert done.exit_code == 2
    assert "--in says where yours are" in done.output


def test_names_in_a_zip_lead_nowhere(mine: Path, new: Notebook, worked: Notebook, tmp_path: Path) -> None:
    home = old_kit(mine)
    put(mine, ADAM, worked)
    evil = {"course_lib/../../evil.py": b"1", "/evil.py": b"1", "course_lib/c:evil.py": b"1", "autograder/x.py": b"1"}
    source = kit(tmp_path / "kit.zip", new, around="", **evil)
    assert not [name for name in read_version(source).files if "evil" in name or "autograder" in name]
    assert update("--from", source, "--in", mine).exit_code == 0
    assert not [name for name in everything(tmp_path) if "evil" in name or "autograder" in name]
    assert (home / "course_lib/added.py").is_file()


def test_a_zip_that_is_far_too_large_is_refused(monkeypatch: pytest.MonkeyPatch, new: Notebook, tmp_path: Path) -> None:
    monkeypatch.setattr("course_lib.updating.versions._MOST_BYTES", 1_000)
    with pytest.raises(NotebookError, match="far more than a student kit"):
        read_version(kit(tmp_path / "kit.zip", new))


@pytest.mark.parametrize("sign", [".git", "autograder"])
def test_a_clone_s_library_is_git_s_and_not_touched(
    mine: Path, new: Notebook, worked: Notebook, tmp_path: Path, sign: str
) -> None:
    home = old_kit(mine)
    (home / sign).mkdir()
    put(mine, ADAM, worked)
    done = update("--from", kit(tmp_path / "kit.zip", new), "--in", mine)
    assert done.exit_code == 0
    assert "The new lessons come with another course_lib" in done.output
    assert (home / "course_lib/__init__.py").read_text() == "old = True\n"
    assert not list(home.glob("course_lib.*"))


def test_a_library_that_is_held_open_stays_whole(
    mine: Path, new: Notebook, worked: Notebook, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = old_kit(mine)
    path = put(mine, ADAM, worked)
    before = everything(home / "course_lib")
    source = kit(tmp_path / "kit.zip", new)
    rename = Path.rename

    def held(self: Path, target: Path) -> Path:
        if self.name.startswith("course_lib.new-"):
            raise PermissionError(13, "Access is denied")
        return rename(self, target)

    monkeypatch.setattr(library.Path, "rename", held)
    done = update("--from", source, "--in", mine)
    assert done.exit_code == 2
    assert "Close JupyterLab and run the same command again" in done.output
    assert everything(home / "course_lib") == before
    assert not list(home.glob("course_lib.*"))
    assert "New in this version." in read(path)["cells"][0]["source"]
    monkeypatch.undo()
    assert update("--from", source, "--in", mine).exit_code == 0
    assert (home / "course_lib/__init__.py").read_text() == "new = True\n"


def test_stopped_between_backup_and_notebook_nothing_is_lost_and_the_same_command_goes_on(
    mine: Path, new: Notebook, worked: Notebook, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = put(mine, ADAM, worked)
    put(tmp_path / "lessons", ADAM, new)
    before = path.read_bytes()
    write = upgrade.write

    def stopped(target: Path, data: bytes) -> None:
        if target == path:
            raise KeyboardInterrupt
        write(target, data)

    monkeypatch.setattr(upgrade, "write", stopped)
    done = update("--from", tmp_path / "lessons", "--in", mine)
    assert done.exit_code == 2
    assert "the same command goes on" in done.output
    assert path.read_bytes() == before
    monkeypatch.undo()
    assert update("--from", tmp_path / "lessons", "--in", mine).exit_code == 0
    (kept,) = mine.rglob("*.before-*.ipynb")  # one backup will do for the same bytes
    assert kept.read_bytes() == before


def test_two_updates_in_one_second_keep_two_backups(mine: Path, adam: LessonSource, worked: Notebook) -> None:
    now = datetime(2026, 11, 29, 14, 3)
    path = put(mine, ADAM, worked)
    first = upgrade.keep(path, now)
    path.write_bytes(as_bytes(released(adam)))
    second = upgrade.keep(path, now)
    assert [first.name, second.name] == [
        f"{ADAM}.before-2026-11-29_140300.ipynb",
        f"{ADAM}.before-2026-11-29_140300_2.ipynb",
    ]
    assert first.read_bytes() == as_bytes(worked)


@pytest.mark.parametrize("name", [WARM_UP, ADAM])
def test_nbgrader_releases_a_lesson_with_what_it_was_released_with(root: Path, name: str) -> None:
    notebook = parse(release.released(read_source(root / "solutions" / f"{name}.md"), root), Path(name))
    assert notebook["metadata"][RELEASED] == {"lesson": name, "cells": released_cells(notebook)}
    lines = notebook["metadata"][RELEASED]["cells"]
    assert all(re.fullmatch(r"[\w-]+ (code|markdown) [0-9a-f]{12} (given|setup|answer|check)", line) for line in lines)
    assert {line.split()[3] for line in lines} == {"given", "setup", "answer", "check"}
    assert RELEASED not in read(root / "solutions" / name / f"{name}.ipynb")["metadata"]
