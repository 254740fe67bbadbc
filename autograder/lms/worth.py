"""What lessons are worth by course.toml: each mark scaled, with all that it is made of."""

from __future__ import annotations

from dataclasses import replace

from autograder.lms.marks import MarkTable
from autograder.settings.model import Settings


def weighed(marks: MarkTable, settings: Settings | None) -> MarkTable:
    """The same marks with each lesson's maximum brought to its worth; as they are where no worth is settled."""
    settings = settings or Settings()
    scales = {lesson: settings.scale(lesson, most) for lesson, most in marks.max_scores.items()}
    found = {
        (student, lesson): replace(
            mark,
            automatic=mark.automatic * scales[lesson],
            manual=mark.manual * scales[lesson],
            bonus=mark.bonus * scales[lesson],
            penalty=mark.penalty * scales[lesson],
        )
        for (student, lesson), mark in marks.marks.items()
    }
    most = {lesson: score * scales[lesson] for lesson, score in marks.max_scores.items()}
    return replace(marks, max_scores=most, marks=found)
