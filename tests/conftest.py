"""What every test may ask for."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def root() -> Path:
    """The project's folder."""
    return ROOT


def pytest_configure(config: pytest.Config) -> None:
    # Started through make or an editor, the environment may not be activated; nbgrader starts `alembic` by name.
    from autograder.tools import put_scripts_on_path

    put_scripts_on_path()
    # A check keeps its points in the learner's progress file; a test run is no learner.
    os.environ.setdefault("COURSE_PROGRESS", "off")
    # Widgets, kernels and caches of a test run have no place in the home folder's settings.
    os.environ.setdefault("JUPYTER_PLATFORM_DIRS", "1")
