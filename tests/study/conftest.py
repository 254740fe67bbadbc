"""A small lesson with everything in it, and a clock that stands still."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture
def tiny() -> Path:
    """A folder with the content of one small lesson, 01_tiny."""
    return Path(__file__).parent / "fixture"
