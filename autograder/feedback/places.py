"""Places in a lesson, by the words that stand there: the headings above a cell, and where a mistake is taken up."""

from __future__ import annotations

import re
from collections.abc import Iterator

from nbformat import NotebookNode

from autograder.lesson import is_answer, is_check

_FENCE = re.compile(r"^(```+|~~~+).*?^\1", re.DOTALL | re.MULTILINE)
_HEADING = re.compile(r"^(#{1,6}) +(.+?) *#*$", re.MULTILINE)
_LEAD = re.compile(r"\*\*[\"“]([^\"“”*]+)[\"”]\*\*")


def headings_above(notebook: NotebookNode, index: int) -> tuple[str, ...]:
    """The headings that a cell stands under, outermost first, as written in Markdown; the lesson's title is one."""
    open_now: dict[int, str] = {}
    for cell in notebook.cells[:index]:
        for level, text in _headings(cell):
            open_now = {other: kept for other, kept in open_now.items() if other < level} | {level: text}
    return tuple(text for _, text in sorted(open_now.items()))


def taken_up(notebook: NotebookNode, mistake: str) -> tuple[str, str] | None:
    """Where the lesson itself shows a named mistake: the section, and the saying in bold that begins the passage or "".

    Lessons show mistakes by running them under their names (`wrong["no_bias_correction"]`); None where none does.
    """
    quoted = (f'"{mistake}"', f"'{mistake}'")
    lead = ""
    for index, cell in enumerate(notebook.cells):
        if cell.cell_type == "markdown":
            found = _LEAD.match(cell.source.strip())
            lead = found[1].strip() if found else ""
        elif _is_lesson_code(cell) and any(name in cell.source for name in quoted):
            above = headings_above(notebook, index)
            return (above[-1], lead) if above else None
    return None


def _is_lesson_code(cell: NotebookNode) -> bool:
    """Whether a code cell is the lesson's own: neither an answer, nor a check, nor written by a learner."""
    return not (is_answer(cell) or is_check(cell) or "learner" in cell.metadata.get("tags", []))


def _headings(cell: NotebookNode) -> Iterator[tuple[int, str]]:
    if cell.cell_type == "markdown" and not is_answer(cell):
        for found in _HEADING.finditer(_FENCE.sub("", cell.source)):
            yield len(found[1]), found[2]
