"""The source of a lesson survives being opened and saved, and reads the same every time."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest
from jupytext import TextFileContentsManager

from autograder import building
from autograder.building.source import Source, canonical, read


def sources(root: Path) -> list[Path]:
    return sorted([*(root / "solutions").glob("*.md"), *(root / "tests/building/fixture/solutions").glob("*.md")])


def test_every_source_survives_jupyterlab(root: Path, tmp_path: Path) -> None:
    for path in sources(root):
        copy = tmp_path / path.name
        copy.write_bytes(path.read_bytes())
        manager = TextFileContentsManager(root_dir=str(tmp_path))
        model = manager.get(path.name, type="notebook")
        # A kernel that has run adds these to what JupyterLab saves.
        model["content"].metadata["language_info"] = dict(read(path).notebook.metadata.language_info, version="3.99.0")
        for number, cell in enumerate(model["content"].cells):
            cell["id"] = f"random-{number}"
            cell.metadata["trusted"] = True
            if cell.cell_type == "code":
                cell["execution_count"] = number
                cell["outputs"] = [nbformat.v4.new_output("stream", text="shown\n")]
        manager.save({"type": "notebook", "format": "json", "content": model["content"]}, path.name)
        assert copy.read_bytes() == path.read_bytes(), f"{path.name} changes when JupyterLab saves it"


def test_ids_come_from_grade_id_or_position(edited: Callable[..., Source]) -> None:
    one, other = edited().notebook, edited().notebook
    ids = [cell.id for cell in one.cells]
    assert ids[:5] == ["cell-001", "cell-002", "cell-003", "double", "check_double"]
    assert len(set(ids)) == len(ids)
    assert one == other
    nbformat.validate(one)


def test_lines_point_at_the_cells(edited: Callable[..., Source]) -> None:
    source = edited()
    text = source.path.read_text(encoding="utf-8").split("\n")
    for line, cell in zip(source.lines, source.notebook.cells, strict=True):
        assert any(cell.source.split("\n")[0] in nearby for nearby in text[line - 1 : line + 13])


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("  grade: false\n  grade_id: double", "  grade_id: double\n  grade: false"),
        (":tags: [use]", ':tags: ["use"]'),
        ("= 6$.\n", "= 6$.\n\n\n"),
        ("    format_version: 0.13\n", "    format_version: 0.13\n    jupytext_version: 1.2.3\n"),
        ("```{code-cell} ipython3", "```{code-cell}"),
        ("+++ {", "+++  {"),
    ],
)
def test_a_text_that_saving_would_change_is_refused_and_can_be_mended(
    course: Path, edited: Callable[..., Source], old: str, new: str
) -> None:
    path = course / "solutions/01_tiny.md"
    before = path.read_bytes()
    with pytest.raises(building.BuildError, match="build 01_tiny --format"):
        edited((old, new))
    assert building.format_sources(course) == [path]
    assert path.read_bytes() == before
    assert building.format_sources(course) == []


def test_windows_line_ends_are_refused_and_mended(course: Path) -> None:
    path = course / "solutions/01_tiny.md"
    before = path.read_bytes()
    path.write_bytes(before.replace(b"\n", b"\r\n"))
    with pytest.raises(building.BuildError, match="line ends"):
        read(path)
    building.format_sources(course)
    assert path.read_bytes() == before


def test_mending_twice_changes_nothing_more() -> None:
    text = "# Title\n```{code-cell}\n:tags: [b,a]\n1\n```\nafter\n"
    assert canonical(canonical(text)) == canonical(text)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("  grade_id: double\n", "  grade_id: dou ble\n", "grade_id 'dou ble'"),
        (":tags: [use]", ":nbgrader: answer\n:tags: [use]", "must hold keys"),
        (":tags: [use]", ":tags: [use", "cannot be read as MyST"),
        (":tags: [use]", ":jupyter: hidden\n:tags: [use]", "cannot be read as MyST"),
    ],
)
def test_what_cannot_be_read_says_where(edited: Callable[..., Source], old: str, new: str, said: str) -> None:
    with pytest.raises(building.BuildError, match=said) as caught:
        edited((old, new))
    assert caught.value.problems[0].where.startswith("solutions/01_tiny.md")
