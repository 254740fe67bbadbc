"""What works for a teacher on Windows or macOS: everything but running submissions, and that says what it needs."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
import typer

from autograder.cli import app
from autograder.gradebook import Course
from course_lib import exercises
from tests.platforms.students import HOME, ON_WINDOWS, run

LESSON = list(exercises.LESSONS)[4]
COMMANDS = sorted(typer.main.get_command(app).commands)  # type: ignore[attr-defined]


@pytest.fixture(scope="module")
def course(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A course's folder below a home with spaces and accents, with one submission."""
    place = tmp_path_factory.mktemp("teacher") / HOME / "Kurs Ü"
    quiet = shutil.ignore_patterns("*.mp3", "__pycache__")
    for name in ("autograder", "course_lib", "lessons", "solutions", "docs", ".binder", ".devcontainer"):
        shutil.copytree(root / name, place / name, ignore=quiet)
    for name in ("pyproject.toml", "requirements.txt", "nbgrader_config.py", "LICENSE", "LICENSE-content", "NOTICE"):
        shutil.copy(root / name, place)
    handed_in = place / "submitted" / "ada" / LESSON
    shutil.copytree(root / "lessons" / LESSON, handed_in)
    return place


def said(arguments: list[str], course: Path) -> tuple[int, str]:
    done = run(["-m", "autograder", *arguments], course)
    text = done.stdout + done.stderr
    assert "Traceback" not in text, text
    return done.returncode, re.sub(r"\s+", " ", text)


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_help_is_there_for_every_command(course: Path, command: str) -> None:
    code, text = said([*command.split(), "--help"], course)
    assert code == 0, text
    assert "Usage" in text


def test_links_and_settings_work(course: Path) -> None:
    assert said(["links", "--repository", "https://github.com/you/course"], course)[0] == 0
    code, text = said(["settings", "--init"], course)
    assert (code, "course.toml is written" in text) == (0, True), text
    (course / "course.toml").unlink()


@pytest.mark.skipif(ON_WINDOWS, reason="a machine may have Docker, and then it grades")
def test_nothing_is_graded_without_a_wall_and_it_says_what_to_do(course: Path) -> None:
    code, text = said(["grade", LESSON], course)
    assert code != 0
    assert "No sandbox works here, so nothing was run." in text
    assert "bubblewrap runs on Linux alone" in text
    assert "container" in text
    assert Course(course).students("autograded", LESSON) == []


def test_the_sandbox_command_says_what_each_wall_lacks(course: Path) -> None:
    code, text = said(["sandbox"], course)
    assert code == 1
    assert "container" in text


@pytest.mark.slow
def test_doctor_and_kit(course: Path) -> None:
    """They look every lesson over."""
    code, text = said(["doctor"], course)
    assert code in (0, 1)
    assert "could not be looked at" not in text
    code, text = said(["student-kit"], course)
    assert code == 0, text
    assert list((course / "dist").glob("student-kit-*.zip"))
