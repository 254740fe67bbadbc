"""A tiny course to build: one lesson, a core exercise worth 3 points and a stretch exercise."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from autograder import building
from autograder.building.source import Source, read

LESSON = "01_tiny"


def tiny_points(lesson: str) -> Mapping[str, int]:
    assert lesson == LESSON
    return {"double": 3, "tail": 0}


@pytest.fixture(scope="session")
def points() -> Callable[[str], Mapping[str, int]]:
    return tiny_points


@pytest.fixture
def course(tmp_path: Path, root: Path) -> Path:
    """The tiny course, not built yet."""
    folder = tmp_path / "course"
    shutil.copytree(root / "tests/building/fixture", folder)
    shutil.copy(root / "nbgrader_config.py", folder)
    return folder


@pytest.fixture(scope="session")
def built_once(tmp_path_factory: pytest.TempPathFactory, root: Path) -> Path:
    folder = tmp_path_factory.mktemp("built") / "course"
    shutil.copytree(root / "tests/building/fixture", folder)
    shutil.copy(root / "nbgrader_config.py", folder)
    building.build(folder, points=tiny_points)
    return folder


@pytest.fixture
def built(built_once: Path, tmp_path: Path) -> Path:
    """The tiny course, built; a copy that a test may spoil."""
    folder = tmp_path / "built"
    shutil.copytree(built_once, folder)
    return folder


@pytest.fixture
def edited(course: Path) -> Callable[..., Source]:
    """Reads the tiny lesson after replacing text in it; each piece to be replaced must be there."""

    def edit(*pairs: tuple[str, str]) -> Source:
        path = course / "solutions" / f"{LESSON}.md"
        text = path.read_text(encoding="utf-8")
        for old, new in pairs:
            assert old in text, f"the fixture does not hold {old!r}"
            text = text.replace(old, new)
        path.write_text(text, encoding="utf-8", newline="\n")
        return read(path)

    return edit
