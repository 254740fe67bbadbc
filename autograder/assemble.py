"""Assemble: the instructor's notebook with a submission's answers put in.

Everything but the text of answers and of the learner's own cells comes from the instructor: tags, metadata, points,
checks. So deleting, copying, reordering or retagging graded cells has no effect.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import nbformat
from nbformat import NotebookNode

from autograder.intake import Submission, SubmittedCell
from autograder.lesson import LessonSource, grade_id, is_answer, is_check

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


@dataclass
class _Placed:
    """Where the cells of a submission belong among the instructor's."""

    answers: dict[str, list[str]] = field(default_factory=dict)
    own: dict[int, list[str]] = field(default_factory=dict)  # learner's code by the cell that it follows
    edited: dict[int, str] = field(default_factory=dict)  # the learner's version of a given cell
    notes: list[str] = field(default_factory=list)


def assemble(lesson: LessonSource, submission: Submission) -> NotebookNode:
    """Return the notebook to run: the instructor's cells with the submission's answers and the learner's own code.

    The first answer to an exercise that is more than the stub counts; a later one is left out, with a note to the
    grader. Where the answer cell does not define what is asked and another cell does, the last such cell counts. An
    exercise without an answer keeps its stub.
    """
    given = lesson.notebook.cells
    sentence = submission.sentence
    placed = _place(given, submission.cells, [exercise.name for exercise in lesson.exercises])
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


def _place(given: Sequence[NotebookNode], submitted: Iterable[SubmittedCell], exercises: Sequence[str]) -> _Placed:
    placed = _Placed()
    submitted = list(submitted)
    by_id = {each.id: place for place, each in enumerate(given)}
    by_grade_id = {grade_id(each): place for place, each in enumerate(given) if grade_id(each)}
    by_source: dict[tuple[str, str], list[int]] = {}
    for place, each in enumerate(given):
        by_source.setdefault((each.cell_type, _normal(each.source)), []).append(place)
    named = {cell.grade_id for cell in submitted if cell.grade_id in by_grade_id}
    named |= {cell.id for cell in submitted if cell.id in by_grade_id}
    lost = [name for name in exercises if name not in named]
    every: dict[str, list[str]] = {}
    matched: set[int] = set()
    anchor = -1
    for cell in submitted:
        index = _match(cell, given, by_id, by_grade_id, by_source, matched)
        if index is None and cell.kind == "code":
            index = _by_definition(cell, lost, by_grade_id)
            if index is not None:
                placed.notes.append(
                    f"The answer cell of {grade_id(given[index])} had lost its id and was found by its text."
                )
        if index is not None:
            anchor = index
            first = index not in matched
            matched.add(index)
            same = _normal(given[index].source) == _normal(cell.source)
            if is_answer(given[index]):
                every.setdefault(grade_id(given[index]), []).append(cell.source)
            elif cell.kind == "code" and not same and cell.source.strip():
                if first:
                    placed.edited[index] = cell.source
                else:
                    placed.own.setdefault(index, []).append(cell.source)
        elif cell.kind == "code" and cell.source.strip():
            placed.own.setdefault(anchor, []).append(cell.source)
        elif by_grade_id.get(cell.grade_id) is not None and is_answer(given[by_grade_id[cell.grade_id]]):
            placed.notes.append(f"The answer cell of {cell.grade_id} was turned into text, so it is no answer.")
    _choose(every, {name: given[index].source for name, index in by_grade_id.items()}, placed)
    written = [cell.source for cell in submitted if cell.kind == "code" and not _is_given(cell, by_source)]
    for name in exercises:
        _find_elsewhere(name, written, given, by_grade_id[name], placed)
    return placed


def _is_given(cell: SubmittedCell, by_source: Mapping[tuple[str, str], list[int]]) -> bool:
    return not cell.source.strip() or (cell.kind, _normal(cell.source)) in by_source


def _find_elsewhere(
    name: str, written: Sequence[str], given: Sequence[NotebookNode], index: int, placed: _Placed
) -> None:
    """Take the answer from another cell where its own does not define what is asked; what stood there runs after it."""
    answer = placed.answers.get(name, [""])[0]
    is_written = bool(answer.strip()) and _normal(answer) != _normal(given[index].source)
    if is_written and _defines(answer, name):
        return
    elsewhere = [source for source in written if _defines(source, name)]
    if not elsewhere:
        return
    placed.answers[name] = [elsewhere[-1]]
    placed.notes.append(f"{name} was answered in another cell than its own; that one counts.")
    if is_written:
        placed.own.setdefault(index, []).insert(0, answer)


def _defines(source: str, name: str) -> bool:
    return re.search(rf"^(?:(?:async +)?def|class) +{name}\b|^{name} *[:=](?!=)", source, re.MULTILINE) is not None


def _match(
    cell: SubmittedCell,
    given: Sequence[NotebookNode],
    by_id: Mapping[str, int],
    by_grade_id: Mapping[str, int],
    by_source: Mapping[tuple[str, str], list[int]],
    matched: set[int],
) -> int | None:
    """The instructor's cell that this one is or was: by grade id, by text, by cell id, in this order."""
    index = by_grade_id.get(cell.grade_id)
    if index is not None and (given[index].cell_type == cell.kind or _is_text_answer(given[index])):
        return index
    alike = by_source.get((cell.kind, _normal(cell.source)), [])
    index = by_id.get(cell.id)
    if alike:
        return index if index in alike else next((i for i in alike if i not in matched), alike[0])
    if index is not None and given[index].cell_type == cell.kind:
        return index
    return None


def _is_text_answer(given: NotebookNode) -> bool:
    """Whether text is asked for: it is graded by hand, whatever kind of cell it ended up in."""
    return given.cell_type == "markdown" and is_answer(given)


def _by_definition(cell: SubmittedCell, lost: Sequence[str], by_grade_id: Mapping[str, int]) -> int | None:
    """The answer cell that this one must have been, where ids were lost: it defines the exercise's name."""
    for name in lost:
        if name in by_grade_id and _defines(cell.source, name):
            return by_grade_id[name]
    return None


def _choose(every: Mapping[str, list[str]], stubs: Mapping[str, str], placed: _Placed) -> None:
    for name, sources in every.items():
        written = [source for source in sources if source.strip() and _normal(source) != _normal(stubs[name])]
        placed.answers[name] = written[:1] or sources[:1]
        if len(set(map(_normal, written))) > 1:
            placed.notes.append(f"{name} was answered in {len(written)} cells; the first one counts.")


def _learner_cell(source: str) -> NotebookNode:
    metadata: dict[str, Any] = {"tags": ["learner"], KEY: {"role": "learner"}}
    cell: NotebookNode = nbformat.v4.new_code_cell(source, metadata=metadata, id="learner")
    return cell


def _normal(source: str) -> str:
    """A cell's text without what an editor may change by itself: line ends and space at the end of lines."""
    return "\n".join(line.rstrip() for line in source.replace("\r\n", "\n").split("\n")).strip("\n")
