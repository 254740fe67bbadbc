"""A lesson that a student has not touched says of each exercise that it is not answered, and goes on."""

from __future__ import annotations

import re
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

ROOT = Path(__file__).resolve().parents[2]
LESSONS = sorted((ROOT / "lessons").glob("*/*.ipynb"))


def matters(cell: nbformat.NotebookNode) -> bool:
    return "nbgrader" in cell.metadata or "setup" in cell.metadata.get("tags", [])


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_each_check_says_not_answered_yet(path: Path, tmp_path: Path) -> None:
    # Set-up, answers and checks: what runs in grading. nbval runs the whole notebook.
    lesson = nbformat.read(path, as_version=4)
    lesson.cells = [cell for cell in lesson.cells if cell.cell_type == "code" and matters(cell)]
    NotebookClient(
        lesson, timeout=600, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}
    ).execute()
    checks = [cell for cell in lesson.cells if cell.source.startswith("check(")]
    for cell in checks:
        name = cell.metadata.nbgrader.grade_id.removeprefix("check_")
        (shown,) = cell.outputs
        points = cell.metadata.nbgrader.points
        assert re.fullmatch("0" if points else r"(bonus|practice) 0 of \d+", shown.data["text/plain"]), name
        said = shown.data["text/html"].replace("<code>", "").replace("</code>", "")
        # Where an exercise runs on an earlier one, that one is named.
        assert re.search(rf"\b{name} (is|runs on your \w+, which is) not answered yet", said), said
