"""The forms in which marks go out, by name, and what there is to say of an export; for the command and the plugins."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from autograder.files import write_atomically
from autograder.gradebook import Course
from autograder.intake import shown_name
from autograder.lms import canvas, csv_file, json_file, moodle
from autograder.lms.cells import Exported
from autograder.lms.marks import MarkTable

_NAMED = 10
"""How many students a warning names."""


def export(marks: MarkTable, form: str, identifier: str = "", columns: Mapping[str, str] | None = None) -> Exported:
    """Write marks in the form "csv", "canvas", "moodle" or "json".

    Raises:
        ExportError: when it cannot be made as asked.
    """
    if form == "canvas":
        return canvas.export(marks, identifier, columns)
    if form == "moodle":
        return moodle.export(marks, identifier, columns)
    return json_file.export(marks) if form == "json" else csv_file.export(marks)


def write(exported: Exported, path: Path) -> None:
    """Write the file, at once or not at all; marks are for its owner to read."""
    write_atomically(path, exported.content, mode=0o600)


def warnings(marks: MarkTable, exported: Exported) -> list[str]:
    """What the instructor should know before the file is used."""
    said = [f"{name} is ungraded and left out; name it to have it." for name in marks.left_out]
    said += [
        f"{lesson}: {_students(count)} with written answers that need manual grading; these marks are not "
        "final, and formgrader shows what waits."
        for lesson, count in marks.waiting.items()
    ]
    return [*said, *exported.notes]


def summary(marks: MarkTable, exported: Exported) -> str:
    """How many are in the file and how many are not; every student of the gradebook is counted once."""
    told = f"{_students(exported.rows)} in {', '.join(marks.max_scores)}"
    if exported.without:
        told += f"; without a row, as nothing of theirs is graded: {exported.without}"
    if exported.left:
        told += f"; left out: {len(exported.left)}"
    return shown_name(told) + "."


def not_graded(course: Course, marks: MarkTable) -> list[str]:
    """Who has handed something in that is not graded, in sentences; there is nothing of theirs in any file."""
    said = []
    for lesson in marks.max_scores:
        missing = [who for who in course.students("submitted", lesson) if (who, lesson) not in marks.marks]
        if missing:
            names = ", ".join(map(shown_name, missing[:_NAMED])) + (", ..." if len(missing) > _NAMED else "")
            said.append(
                f"{lesson}: {_students(len(missing))} handed in and not graded ({names}); "
                f"`python -m autograder grade {lesson}` does it."
            )
    return said


def _students(count: int) -> str:
    return f"{count} student{'' if count == 1 else 's'}"
