"""Merge: a new version of a lesson with everything that a learner wrote into an older one.

Answers are found by grade id, by the grader's rules. What else a learner wrote stays after the cell that it followed.
To tell a learner's change of a cell from the course's, a lesson carries the fingerprints of the cells it was released
with. In a notebook of before that, every text that is not in the new version counts as the learner's and is kept.
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from course_lib.submission.matching import Given, fingerprint, is_written, place
from course_lib.submission.notebooks import (
    RELEASED,
    Notebook,
    NotebookError,
    cells,
    grade_id,
    parse_release,
    release,
    released_cells,
)
from course_lib.submission.review import arguments
from course_lib.updating.fates import OldCell, fates

GONE = "*Kept from your earlier version: your answer to `{name}`, which is no longer asked.*"
CHANGED = "*Kept from your earlier version: you had changed this cell, and the course has changed it since.*"
_OF_THE_COURSE = ("nbgrader", "tags", "deletable", "editable", "varies")


@dataclass
class Merged:
    """A merged notebook, and what was done.

    Attributes:
        notebook: the new version's cells with what the learner wrote.
        kept: names of the answers that were carried over.
        new: exercises and questions that the older version did not have.
        gone: answers whose exercise is no longer asked; each is kept in a cell of its own.
        own: how many cells of the learner's own were kept.
        edited: how many cells of the course have the learner's text.
        beside: how many cells were changed by both; the learner's stands after the course's.
        notes: sentences for the learner.
    """

    notebook: Notebook
    kept: list[str] = field(default_factory=list)
    new: list[str] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)
    own: int = 0
    edited: int = 0
    beside: int = 0
    notes: list[str] = field(default_factory=list)


def merge(old: Notebook, new: Notebook, lesson: str) -> Merged:
    """Merge a learner's notebook with a new version of its lesson; neither is changed.

    Args:
        old: the learner's.
        new: as released.
        lesson: the lesson's folder.

    Raises:
        NotebookError: `new` is no fresh copy of a lesson: somebody has written in it.
    """
    _expect_fresh(new)
    before, after = release(old), parse_release(lesson, released_cells(new))
    placed = fates(old, before.given, after.given, known=before.known)
    result = Merged({**new, "metadata": _metadata(old, new, lesson)})
    slots = copy.deepcopy(new["cells"])
    behind: dict[int, list[dict[str, Any]]] = {}
    _fill(slots, placed, (before.given, after.given), result, behind)
    anchor = -1
    for each in placed:
        anchor = anchor if each.index is None else each.index
        behind.setdefault(anchor, []).extend(_kept(each, result))
    merged = [*behind.get(-1, [])]
    for index, slot in enumerate(slots):
        merged += [slot, *behind.get(index, [])]
    result.notebook["cells"] = merged
    if before.known:
        _settle(old, (before.given, after.given), result, slots)
    _name(result.notebook["cells"], {each.id for each in after.given}, {id(slot) for slot in slots})
    asked_before = {each.grade_id for each in before.given if each.is_answer}
    result.new = [each.grade_id for each in after.given if each.is_answer and each.grade_id not in asked_before]
    result.notes += _notes(new, result, before.given, after.given)
    if not before.known and result.own:
        result.notes.append(
            "The notebook is of before lessons said which text is the course's, so older texts of the course may stand "
            "beside the new ones. Delete what you do not need."
        )
    return result


def _expect_fresh(new: Notebook) -> None:
    known = release(new)
    if known.known and released_cells(new) != new["metadata"][RELEASED]["cells"]:
        raise NotebookError(
            "The new version is no fresh copy: somebody has written in it, or moved cells. Take it from the kit again."
        )


def _metadata(old: Notebook, new: Notebook, lesson: str) -> dict[str, Any]:
    """The course's metadata, and what the learner's programs put there: the kernel they chose, states of widgets."""
    return {**new["metadata"], **old["metadata"], RELEASED: {"lesson": lesson, "cells": released_cells(new)}}


def _fill(
    slots: list[dict[str, Any]],
    placed: Sequence[OldCell],
    given: tuple[Sequence[Given], Sequence[Given]],
    result: Merged,
    behind: dict[int, list[dict[str, Any]]],
) -> None:
    """Put answers, edited cells and outputs into the new cells."""
    before, after = given
    stubs = {each.grade_id: each.key for each in before if each.is_answer}
    answers: dict[int, list[OldCell]] = {}
    for each in placed:
        if each.index is None:
            continue
        if each.fate == "answer":
            answers.setdefault(each.index, []).append(each)
        elif each.fate in ("same", "edited"):
            result.edited += each.fate == "edited"
            alike = fingerprint(each.cell.source) == after[each.index].key
            _carry(slots[each.index], each, with_text=alike or each.fate == "edited")
    for index, candidates in answers.items():
        name = after[index].grade_id
        written = [
            each
            for each in candidates
            if is_written(each.cell.source, after[index].key, fingerprint)
            and is_written(each.cell.source, stubs.get(name, ""), fingerprint)
        ]
        if not written:
            _carry(slots[index], candidates[0], with_text=fingerprint(candidates[0].cell.source) == after[index].key)
            continue
        _carry(slots[index], written[0], with_text=True)
        result.kept.append(name)
        texts = {fingerprint(written[0].cell.source)}
        for each in written[1:]:  # the grader takes the first; the others stay what they were: not counted, not run
            if fingerprint(each.cell.source) not in texts:
                texts.add(fingerprint(each.cell.source))
                behind.setdefault(index, []).append(copy.deepcopy(each.data))
    result.kept.sort(key=[each.grade_id for each in after].index)


def _carry(slot: dict[str, Any], each: OldCell, *, with_text: bool) -> None:
    """Put into a new cell what the learner's cell has: its text and outputs, and what programs noted about it."""
    own = {key: value for key, value in each.data["metadata"].items() if key not in _OF_THE_COURSE}
    slot["metadata"] = {**copy.deepcopy(own), **slot["metadata"]}
    if not with_text:
        return
    slot["source"] = each.cell.source
    if slot["cell_type"] == "code" and each.cell.kind == "code":
        slot["outputs"] = copy.deepcopy(each.data.get("outputs", []))
        slot["execution_count"] = each.data.get("execution_count")
    if slot["cell_type"] == "markdown" and each.data.get("attachments"):
        slot["attachments"] = copy.deepcopy(each.data["attachments"])


def _kept(each: OldCell, result: Merged) -> Iterator[dict[str, Any]]:
    """The cells that stand behind a new one because the learner wrote them, each with a word where one is needed."""
    if each.fate == "own":
        result.own += bool(each.cell.source.strip())
        yield copy.deepcopy(each.data)
    elif each.fate in ("changed", "gone"):
        kept = copy.deepcopy(each.data)
        kept["metadata"] = {key: value for key, value in kept["metadata"].items() if key not in _OF_THE_COURSE}
        kept["id"] = ""
        if each.fate == "gone":
            result.gone.append(each.name)
        result.beside += each.fate == "changed"
        yield {
            "cell_type": "markdown",
            "id": "",
            "metadata": {},
            "source": CHANGED if each.fate == "changed" else GONE.format(name=each.name),
        }
        yield kept


def _settle(
    old: Notebook, given: tuple[Sequence[Given], Sequence[Given]], result: Merged, slots: Sequence[dict[str, Any]]
) -> None:
    """See to it that the grader takes the same text as the answer to each exercise as before.

    Where somebody answered in several cells that are not the exercise's own, and those have changed places, another one
    would count. Then the one that counted goes into the answer's cell.
    """
    before, after = given
    names = [[each.grade_id for each in side if each.is_answer and each.kind == "code"] for side in given]
    were = place(before, cells(old), names[0], fingerprint).answers
    are = place(after, cells(result.notebook), names[1], fingerprint).answers
    stubs = {each.grade_id: each.key for each in (*after, *before) if each.is_answer}
    for slot in slots:
        name = grade_id(slot)
        if name not in names[0] or name not in names[1]:
            continue
        counted, counts = were.get(name, [""])[0], are.get(name, [""])[0]
        if not is_written(counted, stubs[name], fingerprint) or fingerprint(counted) == fingerprint(counts):
            continue
        if name in result.kept:
            merged = result.notebook["cells"]
            at = next(index for index, cell in enumerate(merged) if cell is slot)
            merged.insert(at + 1, {**slot, "id": "", "metadata": {}})
        slot["source"] = counted
        result.notes.append(
            f"{name} was answered in another cell than its own; that answer now stands in its own, too."
        )


def _name(merged: Sequence[dict[str, Any]], given: set[str], slots: set[int]) -> None:
    """Give each cell an id that no other has; the course's keep theirs."""
    taken = set(given)
    for cell in merged:
        if id(cell) in slots:
            continue
        found = cell.get("id")
        if not isinstance(found, str) or not found or found in taken:
            found = base = f"kept-{fingerprint(cell['source'])}"
            number = 1
            while found in taken:
                number += 1
                found = f"{base}-{number}"
        taken.add(found)
        cell["id"] = found


def _notes(new: Notebook, result: Merged, before: Sequence[Given], after: Sequence[Given]) -> Iterator[str]:
    """What has changed about answers that were carried over."""
    was = {each.grade_id: each.key for each in before if each.is_answer}
    now = {each.grade_id: each.key for each in after if each.is_answer}
    stubs = {grade_id(cell): cell["source"] for cell in new["cells"]}
    answers = {grade_id(cell): cell["source"] for cell in reversed(result.notebook["cells"])}
    for name in result.kept:
        wanted, found = _arguments(stubs[name], name), _arguments(answers[name], name)
        if wanted is not None and found is not None and wanted != found:
            yield (
                f"{name} is now called with ({', '.join(wanted)}), and yours takes ({', '.join(found)}). Your answer "
                "is kept: change its first line, and what follows from that."
            )
        elif was.get(name) not in (None, "", now[name]):
            yield f"What is given in the cell of {name} has changed. Your answer is kept: read the question again."


def _arguments(source: str, name: str) -> list[str] | None:
    try:
        return arguments(ast.parse(source), name)
    except (SyntaxError, ValueError):
        return None
