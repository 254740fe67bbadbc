"""Proof that what a student receives holds no solution.

Every string of every file in `lessons/` is searched for every solution of every lesson, whatever its spacing.
A statement that a lesson shows on purpose is listed, with the reason, in `solutions/shown_statements.toml`.
"""

from __future__ import annotations

import ast
import json
import textwrap
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autograder.building import markers
from autograder.building.problems import BuildError, Problem
from autograder.building.source import Source, grade_id

LONG = 25
"""A statement of this many characters or more must not appear in a lesson."""
ALLOWED_FILE = "shown_statements.toml"
MAP_FILE = "README.md"
"""The map of the course, the one file in lessons/ that is no notebook; it is searched like them."""
_CACHES = ("__pycache__", ".ipynb_checkpoints", ".pytest_cache", ".mypy_cache", ".ruff_cache")


@dataclass(frozen=True)
class Secret:
    """Something of a solution that students must not receive.

    Attributes:
        cell: the answer it is from: "01_backpropagation/relu_backward".
        kind: "solution" for a whole one, "statement" for one of its statements.
        text: as written.
    """

    cell: str
    kind: str
    text: str


def secrets(sources: Iterable[Source]) -> list[Secret]:
    """All whole solutions of the lessons, and all their statements of `LONG` characters or more."""
    found = []
    for source in sources:
        for cell in source.notebook.cells:
            if not cell.metadata.get("nbgrader", {}).get("solution"):
                continue
            name = f"{source.name}/{grade_id(cell)}"
            for region in markers.regions(cell.source) or [cell.source]:
                found.append(Secret(name, "solution", region))
                if cell.cell_type == "code":
                    found.extend(Secret(name, "statement", text) for text in statements(region))
    return found


def statements(region: str) -> list[str]:
    """The statements in a piece of Python, inner ones included, that are long enough to give something away.

    Comments are no part of it, and a long name costs nothing: spaces count once.
    """
    body = textwrap.indent(textwrap.dedent(region).strip("\n"), "    ")
    try:
        function = ast.parse(f"def _():\n{body}\n    pass\n").body[0]
    except SyntaxError as error:
        raise ValueError(f"a solution that is not Python: {error.msg} in its line {(error.lineno or 1) - 1}") from error
    found = []
    for node in ast.walk(function):
        if isinstance(node, ast.stmt) and node is not function:
            text = ast.unparse(node)
            if len(" ".join(text.split())) >= LONG:
                found.append(text)
    return found


def allowed_statements(path: Path) -> dict[str, str]:
    """Statements that lessons may show, each with its reason.

    The file holds `[[statement]]` tables with `text` and `reason`; without the file nothing is allowed.

    Raises:
        BuildError: when an entry lacks a reason.
    """
    if not path.exists():
        return {}
    entries = tomllib.loads(path.read_text(encoding="utf-8")).get("statement", [])
    for entry in entries:
        if set(entry) != {"text", "reason"} or len(str(entry["reason"]).split()) < 3:
            problem = f"each entry has a `text` and a `reason` of three words or more; this one is {entry}"
            raise BuildError([Problem(f"{path.parent.name}/{path.name}", problem)])
    return {entry["text"]: entry["reason"] for entry in entries}


def find(lessons: Path, sources: Iterable[Source], allowed: Iterable[str] = ()) -> list[Problem]:
    """Everything in `lessons` that students must not receive.

    Args:
        lessons: a folder that holds NAME/NAME.ipynb for lessons among the sources, and nothing else.
        sources: every lesson of the course: a solution of one must not appear in another either.
        allowed: statements that lessons may show; an entry that no solution holds is reported as well.
    """
    sources = list(sources)
    shown = {_squeezed(text) for text in allowed}
    wanted = _needles(secrets(sources))
    held = {needle for _, needles in wanted for needle in needles}
    found = [
        Problem(ALLOWED_FILE, f"no solution holds the statement {text!r} any more; delete the entry")
        for text in allowed
        if _squeezed(text) not in held
    ]
    listed = {lessons / source.name / f"{source.name}.ipynb" for source in sources} | {lessons / MAP_FILE}
    for path in sorted(path for path in lessons.rglob("*") if not path.is_dir()):
        where = path.relative_to(lessons).as_posix()
        if any(part in _CACHES for part in path.relative_to(lessons).parts):
            found.append(Problem(where, "a cache; delete it"))
        elif path not in listed or path.is_symlink():
            found.append(
                Problem(where, f"is no notebook of a lesson; beside these only {MAP_FILE} may stand in lessons/")
            )
        text = path.read_bytes().decode("utf-8", errors="replace")
        notebook = _notebook(text)
        if notebook is not None:
            found.extend(_of_notebook(where, notebook))
        found.extend(_of_texts(where, list(_texts(notebook)) if notebook is not None else [text], wanted, shown))
    return found


def in_texts(texts: Mapping[str, list[str]], sources: Iterable[Source], allowed: Iterable[str] = ()) -> list[Problem]:
    """Everything in texts of any kind, by where they stand, that students must not receive; as in `find`."""
    wanted, shown = _needles(secrets(sources)), {_squeezed(text) for text in allowed}
    return [problem for where, pieces in texts.items() for problem in _of_texts(where, pieces, wanted, shown)]


def _of_notebook(where: str, notebook: dict[str, Any]) -> Iterator[Problem]:
    if "widgets" in notebook.get("metadata", {}):
        yield Problem(where, "holds widget state")
    for number, cell in enumerate(notebook["cells"], start=1):
        place = f"{where} (cell {number}, {cell.get('id')})"
        if cell.get("outputs"):
            yield Problem(place, "holds outputs")
        if cell.get("execution_count") is not None:
            yield Problem(place, "holds an execution count")
        if cell.get("attachments"):
            yield Problem(place, "holds attachments")
        for _, line in _marker_lines("".join(cell.get("source", ""))):
            yield Problem(place, f"holds a marker of nbgrader's, or something like one: {line!r}")


def _marker_lines(source: str) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(source.split("\n"), start=1):
        if line.strip() in (markers.BEGIN, markers.END):
            yield number, line.strip()
    yield from markers.near_misses(source)


def _needles(wanted: Iterable[Secret]) -> list[tuple[Secret, frozenset[str]]]:
    """Each secret with the forms it is looked for in."""
    return [(each, frozenset((_squeezed(each.text), _normal(each.text)))) for each in wanted]


def _of_texts(
    where: str, texts: list[str], wanted: list[tuple[Secret, frozenset[str]]], shown: set[str]
) -> Iterator[Problem]:
    haystack = "\n".join(_squeezed(text) for text in texts) + "\n" + "\n".join(_normal(text) for text in texts)
    reported: set[str] = set()
    for secret, forms in wanted:
        needles = forms - {""}
        if forms & shown:
            continue
        if any(needle in haystack for needle in needles) and not needles & reported:
            reported |= needles
            yield Problem(where, f"holds a {secret.kind} of {secret.cell}: {' '.join(secret.text.split())[:160]!r}")


def _notebook(text: str) -> dict[str, Any] | None:
    try:
        notebook = json.loads(text)
    except ValueError:
        return None
    return notebook if isinstance(notebook, dict) and isinstance(notebook.get("cells"), list) else None


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        if value and all(isinstance(item, str) for item in value):
            yield "".join(value)  # nbformat keeps a source as a list of lines
        else:
            for item in value:
                yield from _texts(item)
    elif isinstance(value, dict):
        for item in value.values():
            yield from _texts(item)


def _squeezed(text: str) -> str:
    """Without any spacing, so that indentation and line breaks hide nothing."""
    return "".join(text.split())


def _normal(text: str) -> str:
    """As Python itself would write it, squeezed: other quotes, brackets or comments hide nothing."""
    body = textwrap.indent(textwrap.dedent(text).strip("\n"), "    ")
    try:
        return _squeezed("\n".join(ast.unparse(node) for node in ast.parse(f"async def _():\n{body}\n").body[0].body))  # type: ignore[attr-defined]
    except (SyntaxError, ValueError):
        return _squeezed(text)
