"""Students receive no solution: the real lessons hold none, and a leak of each kind planted in a copy is found."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from autograder.building import BuildError, leaks, lesson_path
from autograder.building.problems import Problem
from autograder.building.source import read

LESSON = "01_tiny"
STATEMENT = "twice_as_much = x + np.asarray(x, copy=True)"


def find(course: Path, allowed: tuple[str, ...] = ()) -> list[Problem]:
    sources = [read(path) for path in sorted((course / "solutions").glob("*.md"))]
    return leaks.find(course / "lessons", sources, allowed)


def test_the_lessons_of_this_course_hold_no_solution(root: Path, tmp_path: Path) -> None:
    # What git would hand out, so that a checkpoint left by an open notebook is no leak.
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "lessons"],
        cwd=root, check=True, capture_output=True, text=True,
    )  # fmt: skip
    for name in filter(None, listed.stdout.split("\0")):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(root / name, tmp_path / name)
    sources = [read(path) for path in sorted((root / "solutions").glob("*.md"))]
    allowed = leaks.allowed_statements(root / "solutions" / leaks.ALLOWED_FILE)
    assert list(map(str, leaks.find(tmp_path / "lessons", sources, allowed))) == []
    assert leaks.secrets(sources), "there is nothing to leak: the sources hold no solution"


def test_the_tiny_lesson_holds_no_solution(built: Path) -> None:
    assert find(built) == []


def in_cell(change: Callable[[dict[str, Any]], object], name: str = "cell-002") -> Callable[[Path], None]:
    def plant(course: Path) -> None:
        path = lesson_path(course, LESSON)
        notebook = json.loads(path.read_text(encoding="utf-8"))
        change(next(cell for cell in notebook["cells"] if cell["id"] == name))
        path.write_text(json.dumps(notebook), encoding="utf-8")

    return plant


def source(text: str) -> Callable[[Path], None]:
    return in_cell(lambda cell: cell.update(source=text.splitlines(keepends=True)))


def widget_state(course: Path) -> None:
    path = lesson_path(course, LESSON)
    notebook = json.loads(path.read_text(encoding="utf-8"))
    notebook["metadata"]["widgets"] = {"application/vnd.jupyter.widget-state+json": {"state": {}}}
    path.write_text(json.dumps(notebook), encoding="utf-8")


def file(name: str, content: str = "x = 1\n") -> Callable[[Path], None]:
    def plant(course: Path) -> None:
        path = course / "lessons" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")

    return plant


def released_solution(course: Path) -> None:
    shutil.copy(course / "solutions/01_tiny/01_tiny.ipynb", lesson_path(course, LESSON))


def link(course: Path) -> None:
    lesson_path(course, LESSON).unlink()
    lesson_path(course, LESSON).symlink_to(course / "solutions/01_tiny/01_tiny.ipynb")


OUTPUT = {"name": "stdout", "output_type": "stream", "text": ["6\n"]}
WHOLE = 'if x.size == 0:\n    raise ValueError("an empty array has no tail")\nreturn x[1:].copy()'
LEAKS: dict[str, tuple[Callable[[Path], None], str]] = {
    "a whole solution": (source(f"def mine(x):\n{WHOLE}"), "holds a solution of 01_tiny/tail"),
    "a whole solution, other spacing": (source(" ".join(WHOLE.split())), "holds a solution of 01_tiny/tail"),
    "a model answer": (
        source("Doubling adds the array to\nitself, so each entry grows by its own size."),
        "holds a solution of 01_tiny/in_your_words",
    ),
    "a statement": (source(STATEMENT), "holds a statement of 01_tiny/double"),
    "a statement, other spacing": (
        source("twice_as_much=x+np.asarray( x,\n  copy=True )"),
        "a statement of 01_tiny/double",
    ),
    "a statement, other quotes": (
        source("if empty:\n    raise ValueError('an empty array has no tail')  # sorry"),
        "a statement of 01_tiny/tail",
    ),
    "a statement in a comment": (source(f"# {STATEMENT}"), "a statement of 01_tiny/double"),
    "a statement in prose": (
        in_cell(lambda cell: cell.update(source=[f"Hint: `{STATEMENT}`."]), "cell-001"),
        "a statement of 01_tiny/double",
    ),
    "a statement in metadata": (in_cell(lambda cell: cell["metadata"].update(note=STATEMENT)), "a statement of"),
    "a statement in a string": (source(f"hint = {STATEMENT!r}"), "a statement of 01_tiny/double"),
    "the solution notebook": (released_solution, "holds a solution of 01_tiny/double"),
    "an output": (in_cell(lambda cell: cell.update(outputs=[OUTPUT])), "holds outputs"),
    "an execution count": (in_cell(lambda cell: cell.update(execution_count=3)), "holds an execution count"),
    "an attachment": (
        in_cell(lambda cell: cell.update(attachments={"a.txt": {"text/plain": "x"}}), "cell-001"),
        "holds attachments",
    ),
    "widget state": (widget_state, "holds widget state"),
    "hidden tests": (source("### BEGIN HIDDEN TESTS\nassert True\n### END HIDDEN TESTS"), "BEGIN HIDDEN TESTS"),
    "a marker": (source("### BEGIN SOLUTION\n1\n### END SOLUTION"), "BEGIN SOLUTION"),
    "a misspelt marker": (source("### BEGIN SOLUTON\n1"), "BEGIN SOLUTON"),
    "the source": (file("01_tiny/01_tiny.md"), "only README.md may stand in lessons/"),
    "a solution in a file": (file("helper.py", f"{STATEMENT}\n"), "holds a statement of 01_tiny/double"),
    "a notebook of no lesson": (
        file("02_other/02_other.ipynb", '{"cells": []}'),
        "only README.md may stand in lessons/",
    ),
    "bytecode": (file("01_tiny/__pycache__/answers.cpython-311.pyc"), "a cache"),
    "a checkpoint": (file("01_tiny/.ipynb_checkpoints/01_tiny-checkpoint.ipynb"), "a cache"),
    "a link": (link, "only README.md may stand in lessons/"),
}


@pytest.mark.parametrize("leak", LEAKS)
def test_a_planted_leak_is_found(built: Path, leak: str) -> None:
    plant, expected = LEAKS[leak]
    plant(built)
    found = find(built)
    assert any(expected in str(problem) for problem in found), found


def test_a_solution_of_another_lesson_is_found(built: Path) -> None:
    text = (built / "solutions/01_tiny.md").read_text(encoding="utf-8")
    other = text.replace("twice_as_much = x + np.asarray(x, copy=True)", "threefold_amount = 3 * np.asarray(x)")
    (built / "solutions/02_other.md").write_text(other, encoding="utf-8")
    source("threefold_amount = 3 * np.asarray(x)")(built)
    assert any("a statement of 02_other/double" in str(problem) for problem in find(built))


def test_short_and_ordinary_code_is_no_leak(built: Path) -> None:
    source("values = np.asarray([1, 2, 3])\nreturned = values.copy()\nreturn twice_as_much")(built)
    assert find(built) == []


def test_a_reviewed_statement_may_be_shown(built: Path) -> None:
    source(f"{STATEMENT}  # given")(built)
    assert find(built)
    assert find(built, allowed=("twice_as_much = x + np.asarray(x,copy=True)",)) == []


def test_an_entry_that_no_solution_holds_is_reported(built: Path) -> None:
    found = find(built, allowed=("nowhere = to_be_found + at_all",))
    assert "delete the entry" in str(found[0])


def test_an_entry_needs_a_reason(tmp_path: Path) -> None:
    path = tmp_path / "shown_statements.toml"
    assert leaks.allowed_statements(path) == {}
    path.write_text('[[statement]]\ntext = "a = 1"\nreason = "given in the lesson"\n', encoding="utf-8")
    assert leaks.allowed_statements(path) == {"a = 1": "given in the lesson"}
    path.write_text('[[statement]]\ntext = "a = 1"\nreason = "given"\n', encoding="utf-8")
    with pytest.raises(BuildError, match="a `reason` of three words or more"):
        leaks.allowed_statements(path)


def test_statements_are_those_long_enough_to_give_something_away() -> None:
    region = "    for index in range(3):\n        x = 1\n        total_of_everything += x * index\n    # done\n"
    assert leaks.statements(region) == [
        "for index in range(3):\n    x = 1\n    total_of_everything += x * index",
        "total_of_everything += x * index",
    ]
    assert leaks.statements("# nothing yet") == []
    exactly = "a" * (leaks.LONG - 4) + " = 1"
    assert leaks.statements(exactly) == [exactly]
    assert leaks.statements(exactly[1:]) == []
    with pytest.raises(ValueError, match="not Python"):
        leaks.statements("x = = 1")
