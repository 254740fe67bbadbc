"""A student's folder, made once."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from autograder import student_kit
from tests.platforms.students import HOME, unpacked


@pytest.fixture(scope="session")
def kit(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The student kit as students unpack it; tests only read it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(student_kit, "check", lambda _: [])  # takes seconds, and has tests of its own
        packed = student_kit.kit(root)
    return unpacked(packed, tmp_path_factory.mktemp("home") / HOME)


@pytest.fixture
def tree(kit: Path, tmp_path: Path) -> Path:
    """A copy of it to write to, without the recordings."""
    place = tmp_path / HOME / kit.parent.name / kit.name
    shutil.copytree(kit, place, ignore=shutil.ignore_patterns("*.mp3", "__pycache__"))
    return place
