"""Marks as JSON, for programs: the same numbers as in the other files, names and ids exactly as in the gradebook."""

from __future__ import annotations

import json
from dataclasses import asdict

from autograder.lms.cells import Exported
from autograder.lms.marks import PLACES, Mark, MarkTable


def export(marks: MarkTable) -> Exported:
    """Write the marks as JSON; `null` where nothing was handed in."""
    content = {
        "lessons": [{"name": name, "max_score": worth} for name, worth in marks.max_scores.items()],
        "students": [
            {**asdict(learner), "marks": {lesson: _mark(mark) for lesson, mark in marks.of(learner).items()}}
            for learner in marks.learners
        ],
    }
    text = json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    return Exported(text, len(marks.learners))


def _mark(mark: Mark | None) -> dict[str, object] | None:
    if mark is None:
        return None
    return {
        "total": mark.total,
        "automatic": round(mark.automatic, PLACES),
        "manual": round(mark.manual, PLACES),
        "bonus": round(mark.bonus, PLACES),
        "late_penalty": round(mark.penalty, PLACES),
        "needs_manual_grading": mark.waiting,
        "handed_in": None if mark.handed_in is None else f"{mark.handed_in:%Y-%m-%dT%H:%M:%SZ}",
    }
