"""A small lesson as released, and newer versions of it; and one real lesson, answered."""

from __future__ import annotations

import copy
import dataclasses
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode

from autograder.lesson import LessonSource
from course_lib import exercises
from course_lib.exercises.exercise import Exercise
from course_lib.submission.notebooks import RELEASED, Notebook, parse, released_cells
from tests.grading import fixture_lesson

ADAM = "04_adaptive_optimizers"


def released(source: LessonSource) -> Notebook:
    """The student notebook of a lesson, with what the release notes in it."""
    notebook = plain(source.notebook)
    notebook["metadata"][RELEASED] = {"lesson": source.name, "cells": released_cells(notebook)}
    return notebook


def plain(notebook: NotebookNode) -> Notebook:
    """A notebook as the data of its file."""
    return parse(nbformat.writes(notebook, version=nbformat.NO_CONVERT).encode(), Path("x.ipynb"))


def lesson_of_cells(
    cells: Sequence[NotebookNode], asked: Sequence[Exercise], name: str = fixture_lesson.NAME
) -> LessonSource:
    """A lesson of these cells; as in a build, cells without a grade id are called by their position."""
    cells = [copy.deepcopy(cell) for cell in cells]
    for number, cell in enumerate(cells, start=1):
        grade_id = cell.metadata.get("nbgrader", {}).get("grade_id")
        cell.id = grade_id or f"cell-{number:03d}"
    notebook = nbformat.v4.new_notebook(cells=cells, metadata=fixture_lesson.solution().metadata)
    present = {cell.id for cell in cells}
    return LessonSource.from_notebook(
        name, notebook, tuple(each for each in asked if each.name in present), ("optimizers",)
    )


def text(source: str, **metadata: Any) -> NotebookNode:
    return nbformat.v4.new_markdown_cell(source, metadata=metadata)


def code(source: str, **metadata: Any) -> NotebookNode:
    return nbformat.v4.new_code_cell(source, metadata=metadata)


def fixture_cells() -> list[NotebookNode]:
    """The fixture lesson's own cells: instructor's, with solutions."""
    return list(fixture_lesson.solution().cells)


def real(root: Path) -> LessonSource:
    """Lesson 04 as it is."""
    return LessonSource.from_course(root, ADAM)


def extra() -> tuple[Exercise, list[NotebookNode]]:
    """An exercise that a newer version of lesson 04 asks too, and its cells."""
    made = dataclasses.replace(fixture_lesson.EXERCISES[0], lesson=ADAM)
    cells = {cell.id: cell for cell in fixture_cells()}
    return made, [copy.deepcopy(cells[name]) for name in ("question-scale", "scale", "check_scale")]


def changed(root: Path) -> LessonSource:
    """A newer lesson 04: other prose, cells moved, a cell less, a stub's comment changed, and an exercise more."""
    notebook = nbformat.read(root / "solutions" / ADAM / f"{ADAM}.ipynb", as_version=4)
    cells = list(notebook.cells)
    place = {cell.id: index for index, cell in enumerate(cells)}
    for cell in cells:
        if cell.cell_type == "markdown" and "nbgrader" not in cell.metadata and cell.source.startswith("## "):
            cell.source += "\n\nA sentence that is new in this version."
        if cell.id == "adam_step":
            assert '"""' in cell.source
            cell.source = cell.source.replace('"""', '"""Read the table again. ', 1)
    exercise, added = extra()
    recall = next(index for index, cell in enumerate(cells) if cell.source.startswith("## Recall"))
    moved = cells[recall : recall + 2]  # the cards now come before what people get wrong
    del cells[recall : recall + 2]
    wrong = next(index for index, cell in enumerate(cells) if cell.source.startswith("## What people get wrong"))
    cells[wrong:wrong] = moved
    del cells[place["cell-014"]]
    built = next(index for index, cell in enumerate(cells) if cell.id == "check_adam_step")
    cells[built + 1 : built + 1] = added
    asked = list(exercises.of_lesson(ADAM))
    asked.insert(2, exercise)
    import importlib

    withheld = tuple(importlib.import_module(exercises.LESSONS[ADAM]).WITHHELD)
    made = lesson_of_cells(cells, asked, ADAM)
    return dataclasses.replace(made, withheld=withheld)


def solutions(root: Path) -> dict[str, str]:
    """Right answers of lesson 04, by exercise."""
    notebook = nbformat.read(root / "solutions" / ADAM / f"{ADAM}.ipynb", as_version=4)
    return {
        cell.id: re.sub(r" *### (BEGIN|END) SOLUTION\n?", "", cell.source).rstrip()
        for cell in notebook.cells
        if cell.metadata.get("nbgrader", {}).get("solution") and cell.cell_type == "code"
    }


def answered(notebook: Notebook, answers: Mapping[str, str]) -> Notebook:
    """The notebook with these answers."""
    done = copy.deepcopy(notebook)
    for cell in done["cells"]:
        cell["source"] = answers.get(cell["id"], cell["source"])
    return done


def cell(notebook: Notebook, name: str) -> dict[str, Any]:
    """The cell with this id."""
    return next(cell for cell in notebook["cells"] if cell["id"] == name)


def own(source: str, kind: str = "code", name: str = "own") -> dict[str, Any]:
    """A cell that a learner adds."""
    made: dict[str, Any] = {"cell_type": kind, "id": name, "metadata": {}, "source": source}
    return {**made, "outputs": [], "execution_count": None} if kind == "code" else made


def insert_after(notebook: Notebook, name: str, *cells: dict[str, Any]) -> None:
    """Put cells behind the one with this id."""
    place = [cell["id"] for cell in notebook["cells"]].index(name) + 1
    notebook["cells"][place:place] = cells
