"""Versions: fingerprints of all that a mark follows from but the submission, the seed and the limits.

There are three. That of the *line* is of the code that runs and judges any submission. That of the *lesson* is of its
notebook but for the exercises' own cells. That of an *exercise* is of what is asked and compared in this one. So a
change in one exercise is none in its neighbour's marks, and a change in a report is none in anybody's.

An exercise's is of its source. What its reference answers to the drawn cases would show as much and less: it differs
between processors, takes a training in lesson 10, and says nothing of a property that only a wrong answer meets.
"""

from __future__ import annotations

import functools
import hashlib
import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from nbformat import NotebookNode

from autograder.lesson import LessonSource, grade_id
from autograder.sandbox import guest
from autograder.sources import OURS, Folders, exercise_text, imported, reached
from course_lib.exercises.exercise import Exercise

_NO_MARK = ("lesson", "question", "hints", "minutes", "difficulty")
"""What no mark follows from in an exercise."""


@dataclass(frozen=True)
class Versions:
    """The fingerprints of a lesson as it is graded here.

    Attributes:
        line: of the code of the grading line, of the library that answers may import, and of NumPy's version.
        lesson: of its notebook as released, what it withholds, and how much an answer may hold.
        exercises: of each exercise with its own cells, by name.
    """

    line: str
    lesson: str
    exercises: Mapping[str, str]

    @functools.cached_property
    def whole(self) -> str:
        """All of them in one."""
        return _digest([self.line, self.lesson, sorted(self.exercises.items())])


def versions(lesson: LessonSource) -> Versions:
    """The fingerprints of a lesson, worked out once for the same object."""
    if _last is None or _last[0] is not lesson:
        exercises = {exercise.name: exercise_version(lesson, exercise) for exercise in lesson.exercises}
        remember(lesson, Versions(line_version(lesson.withheld), _of_lesson(lesson), exercises))
    assert _last is not None
    return _last[1]


def remember(lesson: LessonSource, found: Versions) -> None:
    """Have the fingerprints of a lesson that another process of this machine has worked out from the same files."""
    global _last
    _last = (lesson, found)


_last: tuple[LessonSource, Versions] | None = None


def lesson_version(lesson: LessonSource) -> str:
    """One fingerprint of a lesson, its exercises, and the code that grades it."""
    return versions(lesson).whole


def line_version(withheld: Sequence[str] = ()) -> str:
    """A fingerprint of the code that runs and judges a submission while these modules are withheld."""
    return _line(tuple(withheld))


@functools.cache
def _line(withheld: tuple[str, ...]) -> str:
    return fingerprint(sorted(_files_of_line(withheld)), np.__version__)


@functools.cache
def _files_of_line(withheld: tuple[str, ...]) -> frozenset[Path]:
    return frozenset(line_files(withheld))


def line_files(withheld: Sequence[str] = (), folders: Folders = OURS) -> list[Path]:
    """The files that a grade follows from, whatever the exercise: by a rule, not by a list that is forgotten.

    They are what the pipeline imports, the sandbox and what it imports, and all that a guest is given of course_lib.
    Where pipelines run, how grades are recorded and how anything is shown is no part of it.
    """
    sandbox = [f"autograder.sandbox.{path.stem}" for path in (folders["autograder"] / "sandbox").glob("*.py")]
    files = reached(["autograder.pipeline", *sandbox], folders)
    return sorted(files.union(guest.copied(withheld, folders["course_lib"])))


def fingerprint(files: Sequence[Path], more: str = "") -> str:
    """A fingerprint of these files of our packages, names and contents, and of some text."""
    digest = hashlib.sha256(more.encode())
    for path in files:
        package = next((place for place in path.parents if place.name in OURS), path.parent)
        digest.update(path.relative_to(package.parent).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def exercise_version(lesson: LessonSource, exercise: Exercise) -> str:
    """A fingerprint of all that the marks of one exercise follow from, beside the line and the lesson.

    That is its definition in the lesson's module with all that it uses there, its groups and tolerances as they are,
    its cells, and the modules that it uses beside those of the line. Where its definition is not found by its name, it
    is the whole module.
    """
    own = [cell for cell in lesson.notebook.cells if _owner(cell, lesson) == exercise.name]
    parts: list[Any] = [_plain_data(exercise), own]
    for module in _modules(lesson, exercise):
        path, folders = Path(str(module.__file__)), {**OURS, **_folder(module)}
        source = path.read_text("utf-8")
        text = exercise_text(source, module.__name__, exercise.name, _NO_MARK)
        said, imports = text or (source, imported(source, module.__name__, folders))
        beside = reached(imports, folders) - {path} - _files_of_line(lesson.withheld)
        parts += [said, fingerprint(sorted(beside))]
    return _digest(parts)


def _of_lesson(lesson: LessonSource) -> str:
    cells = [{"of": owner} if (owner := _owner(cell, lesson)) else cell for cell in lesson.notebook.cells]
    notebook = {**lesson.notebook, "cells": cells}
    names = [exercise.name for exercise in lesson.exercises]
    return _digest([lesson.name, notebook, names, lesson.withheld, lesson.answer_bytes])


def _owner(cell: NotebookNode, lesson: LessonSource) -> str:
    """The exercise whose answer or check a cell is; "" for every other cell."""
    name = grade_id(cell).removeprefix("check_")
    return name if name in lesson.by_name else ""


def _plain_data(exercise: Exercise) -> list[Any]:
    """What of an exercise is plain data, as it is now, however its module came to it."""
    groups = [
        (group.name, group.title, group.points, group.draw if isinstance(group.draw, str) else "")
        for group in exercise.groups
    ]
    mistakes = [(mistake.name, mistake.sentence) for mistake in exercise.misconceptions]
    return [exercise.name, exercise.outputs, exercise.stretch, repr(exercise.tolerance), groups, mistakes]


def _modules(lesson: LessonSource, exercise: Exercise) -> list[ModuleType]:
    """The module whose EXERCISES these are; else those in which the exercise's functions stand."""
    for module in list(sys.modules.values()):
        if getattr(module, "__dict__", {}).get("EXERCISES") is lesson.exercises:
            return [module]
    names = {str(getattr(function, "__module__", "")) for function in _functions(exercise)}
    return [sys.modules[name] for name in sorted(names) if getattr(sys.modules.get(name), "__file__", None)]


def _functions(exercise: Exercise) -> Iterator[Callable[..., Any]]:
    yield exercise.reference
    yield from exercise.uses.values()
    for group in exercise.groups:
        yield from (each for each in (group.draw, group.property, group.together) if callable(each))
    for mistake in exercise.misconceptions:
        yield from (each for each in (mistake.wrong, mistake.recognise) if each is not None)


def _folder(module: ModuleType) -> dict[str, Path]:
    """The package in which a lesson of somebody else's stands, by its name."""
    top, *inside = module.__name__.split(".")
    return {top: Path(str(module.__file__)).parents[len(inside) - 1]} if inside else {}


def _digest(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]
