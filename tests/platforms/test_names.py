"""Names that file systems treat differently: capitals, accents, words that Windows keeps, long paths."""

from __future__ import annotations

import subprocess
import unicodedata
import zipfile
from collections import Counter
from pathlib import Path

import pytest

from autograder.archives import collect
from autograder.gradebook import Course
from autograder.intake import unfit
from autograder.roster import Roster, people
from autograder.settings.file import parse
from autograder.settings.model import SettingsError
from course_lib import exercises
from tests.platforms.bare.sitecustomize import LONGEST, RESERVED

LESSON = list(exercises.LESSONS)[4]
ONE = "zoë-müller"
APART = unicodedata.normalize("NFD", ONE)  # as macOS gave names to files for long, and zips made there still hold them


@pytest.fixture(scope="module")
def files(root: Path) -> list[str]:
    """Every file of the repository, built and written."""
    listed = subprocess.run(
        ["git", "-C", root, "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        capture_output=True, check=True, encoding="utf-8",
    ).stdout.split("\0")  # fmt: skip
    return [name for name in listed if name]


def test_no_two_names_differ_in_capitals_or_accents_alone(files: list[str]) -> None:
    every = {"/".join(name.split("/")[:depth]) for name in files for depth in range(1, name.count("/") + 2)}
    same = Counter(unicodedata.normalize("NFC", name).casefold() for name in every)
    assert [name for name, count in same.items() if count > 1] == []


def test_every_name_is_one_on_every_system(files: list[str]) -> None:
    parts = {part for name in files for part in name.split("/")}
    assert [part for part in parts if RESERVED.fullmatch(part) or not part.isascii()] == []
    assert [name for name in files if len(name) > LONGEST - len("course-main/")] == []


def test_the_words_that_windows_keeps_are_known_to_both() -> None:
    for name in ("con", "NUL.txt", "Com1", "lpt9.ipynb", "a.", "a ", "a:b", "a?", 'a"b'):
        assert RESERVED.fullmatch(name), name
        assert unfit(name), name
    for name in ("console", "ada", "o'brien", "com", "zoë"):
        assert not RESERVED.fullmatch(name), name
        assert not unfit(name), name


def test_git_writes_out_what_is_compared_by_bytes_with_plain_line_ends(root: Path, files: list[str]) -> None:
    """Whatever `core.autocrlf` says: notebooks, sources and content are compared, hashed or packed byte by byte."""
    texts = [
        name for name in files if Path(name).suffix in (".ipynb", ".md", ".py", ".toml", ".json", ".js", ".txt", ".sh")
    ]
    said = subprocess.run(
        ["git", "-C", root, "check-attr", "-z", "--stdin", "eol"],
        input="\0".join(texts), capture_output=True, check=True, encoding="utf-8",
    ).stdout.split("\0")  # fmt: skip
    told = dict(zip(said[0::3], said[2::3], strict=False))
    assert {told[name] for name in texts} == {"lf"}
    assert [name for name in texts if b"\r\n" in (root / name).read_bytes()] == []
    binary = [name for name in files if Path(name).suffix in (".npz", ".png", ".mp3")]
    said = subprocess.run(
        ["git", "-C", root, "check-attr", "-z", "--stdin", "text"],
        input="\0".join(binary), capture_output=True, check=True, encoding="utf-8",
    ).stdout.split("\0")  # fmt: skip
    assert set(said[2::3]) == {"unset"}


@pytest.fixture
def course(tmp_path: Path, root: Path) -> Course:
    folder = tmp_path / "course"
    folder.mkdir()
    (folder / "nbgrader_config.py").write_bytes((root / "nbgrader_config.py").read_bytes())
    return Course(folder)


def archive(path: Path, root: Path, student: str) -> Path:
    with zipfile.ZipFile(path, "w") as packed:
        packed.write(root / "lessons" / LESSON / f"{LESSON}.ipynb", f"{student}/{LESSON}.ipynb")
    return path


@pytest.mark.parametrize("written", [ONE, APART])
@pytest.mark.parametrize("listed", [None, ONE, APART])
def test_one_student_is_one_however_accents_are_written(
    course: Course, root: Path, tmp_path: Path, written: str, listed: str | None
) -> None:
    roster = None
    if listed is not None:
        (tmp_path / "roster.csv").write_text(f"id,first_name,last_name\n{listed},Zoë,Müller\n", encoding="utf-8")
        roster = Roster(tmp_path / "roster.csv")
        assert [person.id for person in people(tmp_path / "roster.csv")] == [ONE]
    done = collect(course, LESSON, archive(tmp_path / "a.zip", root, written), roster)
    assert [taken.student for taken in done.taken] == [ONE]
    assert (course.root / "submitted" / ONE / LESSON / f"{LESSON}.ipynb").is_file()
    other = APART if written == ONE else ONE
    again = collect(course, LESSON, archive(tmp_path / "b.zip", root, other), roster)
    assert [(taken.student, taken.state) for taken in again.taken] == [(ONE, "unchanged")]


def test_a_folder_whose_accents_stand_apart_is_refused_with_a_reason() -> None:
    """Put there by hand it would be graded as somebody whom no roster and no extension knows."""
    assert not unfit(ONE)
    assert "accents" in unfit(APART)
    given = f'[lessons.{LESSON}]\ndue = "2026-12-01 23:59"\n[extensions."{{}}"]\n{LESSON} = "2026-12-08 23:59"\n'
    assert ONE in parse('[course]\ntimezone = "UTC"\n' + given.format(ONE)).extensions
    with pytest.raises(SettingsError, match="accents"):
        parse('[course]\ntimezone = "UTC"\n' + given.format(APART))
