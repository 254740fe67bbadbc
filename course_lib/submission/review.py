"""What is answered in a notebook, and what is not as it should be; by the grader's rules, without running anything."""

from __future__ import annotations

import ast
import importlib
import inspect
from collections.abc import Iterator
from dataclasses import dataclass
from types import ModuleType

import course_lib
from course_lib import exercises
from course_lib.exercises.exercise import Exercise
from course_lib.submission.matching import Given, Placed, fingerprint, is_written, place
from course_lib.submission.notebooks import Notebook, Release, cells, headings, release


@dataclass(frozen=True)
class Answer:
    """What stands in a notebook for one exercise.

    Attributes:
        name: of the exercise.
        worth: "6 points", "bonus of 4", "practice".
        core: whether it counts towards the lesson's points.
        written: whether there is more than the stub.
        text: the code that counts as the answer; "" where there is none.
        notes: sentences about it.
    """

    name: str
    worth: str
    core: bool
    written: bool
    text: str = ""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Checked:
    """What a check said: marks of how many, the outcome, and its sentence."""

    marks: int
    of: int
    outcome: str
    sentence: str


@dataclass(frozen=True)
class Question:
    """A written question: its name, the heading it stands under, and whether it is answered."""

    name: str
    heading: str
    written: bool


@dataclass(frozen=True)
class Review:
    """What stands in a notebook.

    Attributes:
        lesson: the lesson's folder.
        answers: one for each exercise, in the lesson's order.
        questions: the written ones.
        notes: sentences about the whole.
        release: what the notebook was released with.
        placed: where its cells belong.
    """

    lesson: str
    answers: tuple[Answer, ...]
    questions: tuple[Question, ...]
    notes: tuple[str, ...]
    release: Release
    placed: Placed

    @property
    def open(self) -> tuple[str, ...]:
        """The names of core exercises without an answer."""
        return tuple(answer.name for answer in self.answers if answer.core and not answer.written)


def review(notebook: Notebook, lesson: str) -> Review:
    """Look at the notebook of a lesson."""
    module = importlib.import_module(exercises.LESSONS[lesson])
    asked = exercises.of_lesson(lesson)
    known = release(notebook)
    there = {each.grade_id for each in known.given}
    newer = [exercise.name for exercise in asked if exercise.name not in there]
    missing = tuple(Given("code", "", name, name, is_answer=True) for name in newer)
    known = Release(known.lesson, (*known.given, *missing), (*known.roles, *("answer" for _ in missing)), known.known)
    placed = place(known.given, cells(notebook), [exercise.name for exercise in asked], key=fingerprint)
    stubs = {each.grade_id: each.key for each in known.given if each.is_answer}
    answers = []
    for exercise in asked:
        text = placed.answers.get(exercise.name, [""])[0]
        written = is_written(text, stubs[exercise.name], fingerprint)
        said = tuple(_of_answer(exercise, text, module)) if written else ()
        answers.append(Answer(exercise.name, _worth(exercise), exercise.core_points > 0, written, text, said))
    notes = [*placed.notes, *_of_notebook(known, placed, newer if known.known else [])]
    questions = tuple(_questions(notebook, known, placed))
    return Review(lesson, tuple(answers), questions, tuple(notes), known, placed)


def _worth(exercise: Exercise) -> str:
    if exercise.practice:
        return "practice"
    unit = "point" if exercise.points == 1 else "points"
    return f"bonus of {exercise.points}" if exercise.stretch else f"{exercise.points} {unit}"


def _questions(notebook: Notebook, known: Release, placed: Placed) -> Iterator[Question]:
    under = dict(zip([cell.grade_id for cell in cells(notebook)], headings(notebook), strict=True))
    for each in known.given:
        if each.is_text_answer:
            text = placed.answers.get(each.grade_id, [""])[0]
            yield Question(each.grade_id, under.get(each.grade_id, ""), is_written(text, each.key, fingerprint))


def _of_notebook(known: Release, placed: Placed, newer: list[str]) -> Iterator[str]:
    for index, (each, role) in enumerate(zip(known.given, known.roles, strict=True)):
        if index in placed.found or each.grade_id in newer:
            continue
        if role == "check":
            yield f"The check cell of {each.grade_id.removeprefix('check_')} is gone. That costs nothing."
        elif role == "answer" and each.grade_id not in placed.answers:
            how = "Write it in any cell under the name that is asked." if not each.is_text_answer else ""
            yield f"The answer cell of {each.grade_id} is gone, and with it the answer. {how}".rstrip()
    if newer:
        yield (
            f"The course now asks for {', '.join(newer)}, and this notebook is older: `python -m course_lib update` "
            "brings it up to date."
        )


def _of_answer(exercise: Exercise, text: str, module: ModuleType) -> Iterator[str]:
    most = getattr(module, "ANSWER_BYTES", 0)
    size = len(text.encode("utf-8", "replace"))
    if most and size > most:
        yield f"The answer cell holds {size:,} bytes and this lesson allows {most:,}: it would not be run in grading."
    if any(line.lstrip().startswith(("%", "!", "?")) for line in text.split("\n")):
        return  # not plain Python
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError) as error:
        where = f" in line {error.lineno}" if isinstance(error, SyntaxError) and error.lineno else ""
        yield f"It is no Python{where}: {getattr(error, 'msg', None) or error}."
        return
    yield from _signature(exercise, tree)
    for name in sorted(set(_withheld(tree, tuple(module.WITHHELD)))):
        yield f"It imports {name}, which is not there in grading: it holds what this lesson asks."


def _signature(exercise: Exercise, tree: ast.Module) -> Iterator[str]:
    found = arguments(tree, exercise.name)
    if found is None or inspect.isclass(exercise.reference):
        return
    wanted = list(inspect.signature(exercise.reference).parameters)
    if found[: len(wanted)] != wanted:
        yield f"It takes ({', '.join(found)}), and is called with ({', '.join(wanted)})."


def arguments(tree: ast.Module, name: str) -> list[str] | None:
    """The names of the arguments of a function; None where there is none of this name, or it takes any."""
    defined = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == name]
    if not defined or defined[-1].args.vararg or defined[-1].args.kwarg:
        return None
    of = defined[-1].args
    return [each.arg for each in (*of.posonlyargs, *of.args, *of.kwonlyargs)]


def _withheld(tree: ast.Module, withheld: tuple[str, ...]) -> Iterator[str]:
    """What an answer imports of the course that is not there in grading."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module == "course_lib":
            homes = getattr(course_lib, "_HOME", {})
            names = [f"course_lib.{homes.get(alias.name, alias.name)}" for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module or ""]
        else:
            continue
        for name in names:
            parts = name.split(".")
            if parts[0] == "course_lib" and len(parts) > 1 and parts[1] in (*withheld, "exercises", "study", "learner"):
                yield name


def what_is_open(seen: Review) -> str:
    """What has no answer, as a sentence."""
    left = [
        f"{answer.name}{'' if answer.core else f' ({answer.worth})'}" for answer in seen.answers if not answer.written
    ]
    asked = [f"“{question.heading or question.name}”" for question in seen.questions if not question.written]
    if not left and not asked:
        return "Everything is answered."
    return f"Unanswered: {', '.join([*left, *asked])}. You may hand it in all the same."


def state(checked: Checked | None) -> str:
    """What a check said, in a few words: "5 of 6", "6 of 6, right"."""
    if checked is None:
        return "not run"
    said = {"right": ", right", "unanswered": ", not answered", "timeout": ", too slow", "crashed": ", crashed"}
    return f"{checked.marks} of {checked.of}{said.get(checked.outcome, ', not right yet')}"
