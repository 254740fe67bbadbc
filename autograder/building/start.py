"""Where a lesson's first code cell gets the course from in Google Colab, which begins without it.

The cell takes a student kit that was uploaded there. Where pyproject.toml says the address of a repository with the
lessons, the build writes it into the cell, and nothing has to be uploaded:

    [project.urls]
    Lessons = "https://github.com/you/course"
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from autograder.building.problems import BuildError, Problem

KIT = 'glob("student-kit*.zip")'
"""What stands in the cell of every lesson's source."""
_PLAIN = re.compile(r"https://[A-Za-z0-9.-]+(:[0-9]+)?(/[A-Za-z0-9._~+-]+)+")


def address(root: Path) -> str:
    """The address in the pyproject.toml of the course in `root`; "" where it says none.

    Raises:
        BuildError: when it is no plain https address: it becomes a piece of code in every lesson.
    """
    path = root / "pyproject.toml"
    if not path.is_file():
        return ""
    urls = tomllib.loads(path.read_text(encoding="utf-8")).get("project", {}).get("urls", {})
    found = str(urls.get("Lessons", "")).removesuffix("/")
    if found and not _PLAIN.fullmatch(found):
        wanted = (
            "it must be a repository's address without a user, spaces or other signs: https://github.com/you/course"
        )
        raise BuildError([Problem("pyproject.toml", f"[project.urls] says Lessons = {found!r}; {wanted}")])
    return found


def addressed(source: str, found: str) -> str:
    """A cell's text with the address as what is installed where there is no kit; the same where there is none.

    Args:
        source: of the cell.
        found: what `address` gave.
    """
    return source.replace(KIT, f'{KIT} or ["git+{found}"]') if found else source
