"""Assemble: the instructor's notebook with a submission's answers put in.

Everything but the text of answers and of the learner's own cells comes from the instructor: tags, metadata, points,
checks. So deleting, copying, reordering or retagging graded cells has no effect.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import nbformat
from nbformat import NotebookNode

from autograder.intake import Submission
from autograder.lesson import LessonSource, grade_id, is_answer, is_check
from course_lib.submission.matching import Given, normal, place

KEY = "course_grading"
"""Where the grading line keeps what it knows, in the metadata of the notebook and of the cells that run."""

Role = Literal["setup", "answer", "learner", "check"]


@dataclass(frozen=True)
class PlannedCell:
    """A cell that runs in grading.

    Attributes:
        index: its position in the assembled notebook.
        role: what it is.
        source: its code; empty for a check, which the sandbox knows by its exercise.
        exercise: the exercise's name, for an answer and a check.
    """

    index: int
    role: Role
    source: str = ""
    exercise: str = ""


def assemble(lesson: LessonSource, submission: Submission) -> NotebookNode:
    """Return the notebook to run: the instructor's cells with the submission's answers and the learner's own code.

    The first answer to an exercise that is more than the stub counts; a later one is left out, with a note to the
    grader. Where the answer cell does not define what is asked and another cell does, the last such cell counts. An
    exercise without an answer keeps its stub.
    """
    given = lesson.notebook.cells
    sentence = submission.sentence
    released = [Given(each.cell_type, normal(each.source), each.id, grade_id(each), is_answer(each)) for each in given]
    placed = place(released, submission.cells, [exercise.name for exercise in lesson.exercises])
    if submission.outcome == "read" and not any(exercise.name in placed.answers for exercise in lesson.exercises):
        sentence = f"The notebook has none of the answer cells of {lesson.name}. Is it that of another lesson?"
    cells = [_learner_cell(source) for source in placed.own.get(-1, [])]
    for index, original in enumerate(given):
        cell = copy.deepcopy(original)
        cells.append(cell)
        name = grade_id(cell)
        if is_answer(cell):
            if name in placed.answers:
                cell.source = placed.answers[name][0]
            if cell.cell_type == "code":
                cell.metadata[KEY] = {"role": "answer", "present": name in placed.answers}
        elif is_check(cell):
            cell.metadata[KEY] = {"role": "check"}
        elif "setup" in cell.metadata.get("tags", []):
            cell.metadata[KEY] = {"role": "setup"}
        elif index in placed.edited:
            cells.pop()
        if index in placed.edited:
            cells.append(_learner_cell(placed.edited[index]))
        cells += [_learner_cell(source) for source in placed.own.get(index, [])]
    refused = _refuse_long(lesson, cells, placed.notes) if lesson.answer_bytes else {}
    for number, cell in enumerate((cell for cell in cells if cell.id == "learner"), start=1):
        cell.id = f"learner-{number:03d}"
    notebook: NotebookNode = nbformat.v4.new_notebook(cells=cells, metadata=copy.deepcopy(lesson.notebook.metadata))
    notebook.metadata[KEY] = {
        "lesson": lesson.name,
        "intake": submission.outcome,
        "submission": submission.digest,
        "sentence": sentence,
        "refused": refused,
        "notes": [*placed.notes, *([sentence] if sentence else [])],
    }
    return notebook


def plan(notebook: NotebookNode) -> list[PlannedCell]:
    """The cells of an assembled notebook that run in grading, in order.

    Set-up, answers, the learner's own code and checks; what is only explored or used earns no points and is left out.
    A stub in an answer's place does not run where the submission has no such cell: the learner may have written the
    function elsewhere.
    """
    planned = []
    for index, cell in enumerate(notebook.cells):
        known = cell.metadata.get(KEY, {})
        role, name = known.get("role"), grade_id(cell)
        if role == "check":
            planned.append(PlannedCell(index, "check", exercise=name.removeprefix("check_")))
        elif role == "answer" and known["present"]:
            planned.append(PlannedCell(index, "answer", cell.source, name))
        elif role in ("setup", "learner"):
            planned.append(PlannedCell(index, role, cell.source))
    return planned


def _refuse_long(lesson: LessonSource, cells: Sequence[NotebookNode], notes: list[str]) -> dict[str, str]:
    """Keep answers that hold more bytes than the lesson allows from running; why, by exercise.

    Where the learner's own cells hold more together, none of them runs: an answer must stand on its own.
    """
    most = lesson.answer_bytes
    refused = {}
    for cell in cells:
        known, size = cell.metadata.get(KEY, {}), len(cell.source.encode("utf-8", "replace"))
        if known.get("role") == "answer" and known["present"] and size > most:
            known["present"] = False
            name = grade_id(cell)
            refused[name] = (
                f"The answer cell of {name} holds {size:,} bytes and this lesson allows {most:,}, so it was not run. "
                "A recipe needs no stored numbers: leave out what can be computed."
            )
    own = [cell for cell in cells if cell.metadata.get(KEY, {}).get("role") == "learner"]
    size = sum(len(cell.source.encode("utf-8", "replace")) for cell in own)
    if size > most:
        for cell in own:
            cell.metadata[KEY]["role"] = "left out"
        notes.append(
            f"The learner's own cells hold {size:,} bytes together and this lesson allows {most:,}, so none was run."
        )
    return refused


def _learner_cell(source: str) -> NotebookNode:
    metadata: dict[str, Any] = {"tags": ["learner"], KEY: {"role": "learner"}}
    cell: NotebookNode = nbformat.v4.new_code_cell(source, metadata=metadata, id="learner")
    return cell
