"""What `make test` asks of nbval, shown on a notebook that breaks it."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

VARYING = "import random\n\nrandom.random()"


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """Whether each cell of a small notebook passes, strictly and laxly."""
    folder = tmp_path_factory.mktemp("nbval")
    cells = []
    for source, shown, tags in (
        ("1 + 1", "2", []),
        ("1 + 2", "4", []),
        (VARYING, "0.25", []),
        (VARYING, "0.25", ["nbval-ignore-output"]),
        ("1 / 0", "0", []),
    ):
        output = nbformat.v4.new_output("execute_result", {"text/plain": shown}, execution_count=1)
        cells.append(nbformat.v4.new_code_cell(source, outputs=[output], execution_count=1, metadata={"tags": tags}))
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    path = folder / "lesson.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel}), path)
    found = {}
    for mode in ("--nbval", "--nbval-lax"):
        command = [sys.executable, "-m", "pytest", mode, "-v", "-p", "no:cacheprovider", str(path)]
        said = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False).stdout
        found[mode] = [outcome.lower() for outcome in re.findall(r"Cell \d+ (PASSED|FAILED)", said)]
        assert len(found[mode]) == len(cells), said
    return found


def test_solutions_are_compared_output_by_output(outcomes: dict[str, list[str]]) -> None:
    assert outcomes["--nbval"] == ["passed", "failed", "failed", "passed", "failed"]


def test_lessons_need_only_run_to_their_end(outcomes: dict[str, list[str]]) -> None:
    assert outcomes["--nbval-lax"] == ["passed", "passed", "passed", "passed", "failed"]


def test_every_output_that_is_not_compared_has_its_reason(root: Path) -> None:
    for path in sorted((root / "solutions").glob("*/*.ipynb")):
        for cell in nbformat.read(path, as_version=4).cells:
            tags = set(cell.metadata.get("tags", []))
            assert "NBVAL_" not in cell.source, f"{path.name}, {cell.id}: say it with a tag and a reason"
            assert not tags & {"nbval-skip", "nbval-raises-exception", "raises-exception"}, f"{path.name}, {cell.id}"
            if "nbval-ignore-output" in tags:
                assert len(cell.metadata.get("varies", "").split()) >= 2, f"{path.name}, {cell.id}: why does it vary?"
