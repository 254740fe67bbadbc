"""What becomes of each cell of an older notebook in the new version of its lesson.

Answers are found by grade id, by the grader's rules; other cells of the course by their text, or by the id and the
fingerprint that they were released with; what is left is the learner's own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from course_lib.submission.matching import Cell, Given, Places, fingerprint, is_written
from course_lib.submission.notebooks import Notebook, cells


@dataclass
class OldCell:
    """A cell of the older notebook.

    Attributes:
        data: the cell itself.
        cell: as matching sees it.
        index: its place among the new cells; None where it has none.
        fate: "same", "answer", "edited", "dropped", "changed", "gone", "own".
        name: of the answer, for one that is gone.
    """

    data: dict[str, Any]
    cell: Cell
    index: int | None = None
    fate: str = "own"
    name: str = ""


def fates(old: Notebook, before: Sequence[Given], after: Sequence[Given], *, known: bool) -> list[OldCell]:
    """What becomes of each of the older notebook's cells.

    Args:
        old: the learner's notebook.
        before: the cells it was released with.
        after: those of the new version.
        known: whether the notebook itself says what it was released with.
    """
    every = [OldCell(data, cell) for data, cell in zip(old["cells"], cells(old), strict=True)]
    exercises = [each.grade_id for each in after if each.is_answer and each.kind == "code"]
    places = Places(after, [each.cell for each in every], exercises, fingerprint)
    was = {each.id: each for each in before}
    texts = {(each.kind, each.key) for each in before} if known else set()
    _stay(every, places, after, was if known else {}, texts)
    for each in every:
        if each.index is not None or each.fate == "changed":
            continue
        index, fate = _found(each.cell, places, after, was if known else {}, texts)
        each.index, each.fate = index, fate
        if index is not None:
            places.matched.add(index)
        elif fate == "own" and (given := was.get(each.cell.grade_id)) is not None and given.is_answer:
            if not places.asks(given.grade_id):
                written = is_written(each.cell.source, given.key, fingerprint)
                each.fate, each.name = ("gone" if written else "dropped"), given.grade_id
    _pair(every, after, places.matched)
    return every


def _stay(
    every: Sequence[OldCell],
    places: Places,
    after: Sequence[Given],
    was: dict[str, Given],
    texts: set[tuple[str, str]],
) -> None:
    """Find the cells of the course that are known by their id, edited or not: no copy elsewhere takes their place."""
    by_id = {given.id: index for index, given in enumerate(after)}
    for each in every:
        cell, index = each.cell, by_id.get(each.cell.id)
        if index is not None and index not in places.matched and index in places.alike(cell):
            if not after[index].is_answer:
                each.index, each.fate = index, "same"
                places.matched.add(index)
    for each in every:
        cell, given = each.cell, was.get(each.cell.id)
        if each.index is not None or given is None or given.kind != cell.kind or given.grade_id or cell.grade_id:
            continue
        if places.is_given(cell) or (cell.kind, fingerprint(cell.source)) in texts:
            continue
        same = [place for place, one in enumerate(after) if (one.kind, one.key) == (given.kind, given.key)]
        free = [place for place in same if place not in places.matched]
        each.index, each.fate = (free[0], "edited") if free else (None, "changed")
        places.matched.update(free[:1])


def _found(
    cell: Cell, places: Places, after: Sequence[Given], was: dict[str, Given], texts: set[tuple[str, str]]
) -> tuple[int | None, str]:
    """A cell's place among the new ones, and its fate, by what it is or was."""
    text = cell.kind, fingerprint(cell.source)
    index = places.by_grade_id.get(cell.grade_id or cell.id)
    if index is not None and (after[index].kind == cell.kind or after[index].is_text_answer):
        if after[index].is_answer:
            return index, "answer"
        if after[index].key != text[1] and text not in texts:
            return index, "changed"
        if index not in places.matched:
            return index, "same"
    free = [place for place in places.alike(cell) if place not in places.matched and not after[place].is_answer]
    if free:
        return next((place for place in free if after[place].id == cell.id), free[0]), "same"
    if text in texts and not places.alike(cell):
        return None, "dropped"
    known = cell.id in was or cell.grade_id in was
    index = places.by_definition(cell) if cell.kind == "code" and not known else None
    if index is not None:
        return index, "answer"
    is_check = cell.kind == "code" and cell.source.strip() == f'check("{cell.grade_id.removeprefix("check_")}")'
    return None, "dropped" if is_check else "own"  # the check of an exercise that is no longer asked, or a second one


def _pair(every: Sequence[OldCell], after: Sequence[Given], matched: set[int]) -> None:
    """Give cells of the course that the new version has in another wording the place of those, by what is around them.

    So what a learner wrote after such a cell comes after its new wording.
    """
    places = [each.index for each in every]
    for at, each in enumerate(every):
        if each.fate not in ("dropped", "changed") or each.index is not None:
            continue
        low = next((index for index in reversed(places[:at]) if index is not None), -1)
        high = next((index for index in places[at + 1 :] if index is not None), len(after))
        free = [index for index in range(low + 1, high) if index not in matched and after[index].kind == each.cell.kind]
        if free:
            each.index = places[at] = free[0]
            matched.add(free[0])
