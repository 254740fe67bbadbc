"""Marks as a table for a spreadsheet: one line a student and lesson, with all that a mark is made of."""

from __future__ import annotations

from autograder.lms.cells import Exported, as_text, number, table
from autograder.lms.marks import MarkTable

COLUMNS = (
    "student", "last_name", "first_name", "email", "lms_user_id", "lesson", "handed_in", "automatic", "manual", "bonus",
    "late_penalty", "total", "max_score", "needs_manual_grading",
)  # fmt: skip


def export(marks: MarkTable) -> Exported:
    """Write the marks as CSV in UTF-8, with the mark by which Excel knows it.

    Text that a spreadsheet would run has an apostrophe before it; :func:`autograder.lms.cells.as_typed` takes it off.
    Who has handed in nothing has a line without marks.
    """
    rows = [list(COLUMNS)]
    for learner in marks.learners:
        who = (learner.id, learner.last_name, learner.first_name, learner.email, learner.lms_user_id)
        for lesson, mark in marks.of(learner).items():
            cells = [*map(as_text, who), as_text(lesson)]
            if mark is None:
                cells += ["", "", "", "", "", "", number(marks.max_scores[lesson]), ""]
            else:
                parts = (mark.automatic, mark.manual, mark.bonus, mark.penalty, mark.total, marks.max_scores[lesson])
                when = f"{mark.handed_in:%Y-%m-%dT%H:%M:%SZ}" if mark.handed_in else ""
                cells += [when, *map(number, parts), str(mark.waiting)]
            rows.append(cells)
    return Exported(table(rows, mark=True), len(marks.learners))
