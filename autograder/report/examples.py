"""An answer that shows a mistake, from a graded notebook, without anything that says whose it is.

Code as it was written names people: in a comment, a docstring, a string, a variable. What is shown is therefore the
definition of what the exercise asks, as Python itself writes it: without comments and docstrings; with a text in quotes
only where the instructor's notebook has its words too; and only if no other word in it is part of the name, id or
address of anybody in the class. Code that Python cannot read is not shown. Nothing is run.
"""

from __future__ import annotations

import ast
import json
import re
import warnings
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autograder.assemble import KEY
from autograder.gradebook import Course

if TYPE_CHECKING:
    from autograder.class_grading import Entry
    from autograder.report.summary import Examples, Summary

MOST_LINES = 12
"""An example has at most so many; a longer one ends with a line that says how many are left out."""
_TRIED = 10
"""So many answers with a mistake are looked at, and the shortest is shown."""
_MOST_CHARACTERS = 8_000
_WIDEST = 160
_WORD = re.compile(r"[^\W_]+")
_LEFT_OUT = "..."


def find_examples(course: Course, summaries: Iterable[Summary], names: Iterable[str]) -> Examples:
    """An example of each recognised mistake of which there is one that can be shown.

    Args:
        course: where the graded notebooks are.
        summaries: the lessons.
        names: ids, names and addresses of everybody in the class.
    """
    parts = name_parts(names)
    found = {}
    for summary in summaries:
        notebooks: dict[str, list[Any]] = {}
        known: frozenset[str] = frozenset()  # the same in every notebook of a lesson, which the instructor wrote
        for mistake in summary.mistakes():
            shown = []
            for student in _who_made(summary.entries, mistake.exercise, mistake.name)[:_TRIED]:
                if student not in notebooks:
                    folder = course.folder("autograded", student, summary.lesson)
                    notebooks[student] = _cells(folder / f"{summary.lesson}.ipynb")
                known = known or _words_of_instructor(notebooks[student])
                text = excerpt(_answer(notebooks[student], mistake.exercise), mistake.exercise, known, parts)
                if text is not None:
                    shown.append(text)
            if shown:
                found[summary.lesson, mistake.exercise, mistake.name] = min(shown, key=lambda text: (len(text), text))
    return found


def excerpt(source: str, name: str, known: Collection[str], names: Collection[str]) -> str | None:
    """The definition of `name` in an answer, without anything that says whose it is; None where there is none to show.

    Args:
        source: the code of the answer cell.
        name: of the function or class.
        known: words that say nothing, in lower case: those of the instructor's notebook.
        names: what :func:`name_parts` returned.
    """
    if len(source) > _MOST_CHARACTERS:
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            defined = [node for node in ast.parse(source).body if _defines(node, name)]
            if not defined:
                return None
            text = ast.unparse(ast.fix_missing_locations(_Nameless(known).visit(defined[-1])))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    if any(_tells(word, names) for word in _WORD.findall(text.casefold()) if word not in known):
        return None
    lines = text.splitlines()
    if any(len(line) > _WIDEST for line in lines):
        return None
    if len(lines) > MOST_LINES:
        lines = [*lines[: MOST_LINES - 1], f"# and {len(lines) - MOST_LINES + 1} lines more"]
    return "\n".join(lines)


def name_parts(names: Iterable[str]) -> frozenset[str]:
    """The words and numbers of ids, names, and addresses up to the @, in lower case; single letters say nothing."""
    words = (part for name in names for part in _WORD.findall(name.split("@")[0].casefold()))
    return frozenset(part for part in words if len(part) > 1)


def _tells(word: str, names: Collection[str]) -> bool:
    """Whether a word is, begins with or holds part of a name: the shorter the part, the more of the word it must be."""
    return any(
        word == part or (len(part) > 2 and word.startswith(part)) or (len(part) > 3 and part in word) for part in names
    )


class _Nameless(ast.NodeTransformer):
    """Takes out docstrings and other texts that stand alone, and texts whose words the instructor does not use."""

    def __init__(self, known: Collection[str]) -> None:
        self._known = known

    def visit_Expr(self, node: ast.Expr) -> ast.AST | None:
        alone = isinstance(node.value, ast.JoinedStr) or (
            isinstance(node.value, ast.Constant) and isinstance(node.value.value, str | bytes)
        )
        return None if alone else self.generic_visit(node)

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        if isinstance(node.value, bytes):
            return ast.Constant(_LEFT_OUT.encode())
        if isinstance(node.value, str) and not all(
            word in self._known for word in _WORD.findall(node.value.casefold())
        ):
            return ast.Constant(_LEFT_OUT)
        return node

    def generic_visit(self, node: ast.AST) -> ast.AST:
        super().generic_visit(node)
        if hasattr(node, "body") and node.body == []:
            node.body = [ast.Pass()]
        return node


def _defines(node: ast.stmt, name: str) -> bool:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return node.name == name
    return isinstance(node, ast.Assign) and any(isinstance(to, ast.Name) and to.id == name for to in node.targets)


def _who_made(entries: Sequence[Entry], exercise: str, mistake: str) -> list[str]:
    return [
        str(entry["student"])
        for entry in entries
        if any(each["id"] == exercise and each["misconception"] == mistake for each in entry["exercises"])
    ]


def _cells(path: Path) -> list[Any]:
    """The cells of a graded notebook; none where it cannot be read."""
    try:
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    except (OSError, ValueError, KeyError, TypeError):
        return []
    return cells if isinstance(cells, list) else []


def _answer(cells: Sequence[Any], exercise: str) -> str:
    for cell in cells:
        if cell["metadata"].get("nbgrader", {}).get("grade_id") == exercise and cell["cell_type"] == "code":
            return _source(cell)
    return ""


def _words_of_instructor(cells: Sequence[Any]) -> frozenset[str]:
    """The words of all cells but those in which learners write."""
    given = [
        cell
        for cell in cells
        if not cell["metadata"].get("nbgrader", {}).get("solution")
        and cell["metadata"].get(KEY, {}).get("role") not in ("answer", "learner", "left out")
    ]
    return frozenset(word for cell in given for word in _WORD.findall(_source(cell).casefold()))


def _source(cell: Any) -> str:
    source = cell["source"]
    return source if isinstance(source, str) else "".join(source)
