"""Regrading: only what changed gets another mark, and whoever's mark changes is named with the reason."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from nbformat import NotebookNode

from autograder.assemble import KEY
from autograder.feedback.verdicts import TOLD
from autograder.files import write_atomically
from autograder.lesson import grade_id

Known = Mapping[str, Any]
"""What the grading line wrote into a graded notebook; an entry of an exercise in it."""

BY_LIMITS = ("timeout", "crashed")
"""Outcomes that other limits may change."""
_SEVERITY = ("graded", "timeout", "crashed")
_REASONS = {
    "seed": "another seed",
    "line": "the grader changed",
    "lesson": "the lesson changed",
    "exercise": "the exercise changed",
}


@dataclass(frozen=True)
class MarkChange:
    """An automatic mark that is, or would be, another one than before.

    Attributes:
        student: whose.
        exercise: its name.
        before, max_before, outcome_before: points, what they were out of, and how the exercise ended.
        graded_before: when that was found, in UTC; "" where nobody wrote it down.
        after, max_after, outcome_after: the same now; None and "" where the lesson asks it no longer.
        why: what changed.
        by_hand: what a grader has written in its place, which stays; None where nothing is.
    """

    student: str
    exercise: str
    before: int
    max_before: int
    outcome_before: str
    graded_before: str
    after: int | None
    max_after: int | None
    outcome_after: str
    why: str
    by_hand: float | None = None


def alike(new: Known, old: Known) -> bool:
    """Whether two graded notebooks share all but versions of exercises and limits, so that marks may be carried over.

    That is: the learner's words, the lesson, the grader and the seed.
    """
    return not _differ(new, old)


def carry_over(graded: NotebookNode, before: NotebookNode) -> None:
    """Keep in a notebook that was just graded the marks of one that is alike, where nothing speaks against them.

    Where an exercise did not change its mark keeps points, sentence, verdict and provenance, also where another run
    would differ; a note to the grader says so. A mark that was found within other limits stays unless it came of them.
    Changes `graded` in place.
    """
    new, old = graded.metadata[KEY], before.metadata[KEY]
    known = {entry["id"]: entry for entry in old["exercises"]}
    kept = {
        entry["id"]: known[entry["id"]]
        for entry in new["exercises"]
        if entry["id"] in known and not _why_exercise(known[entry["id"]], entry, old, new)
    }
    merged = [kept.get(entry["id"], entry) for entry in new["exercises"]]
    new["notes"] += [
        f"The mark of {name} stands as it was given on {then['provenance']['time']}, {then['points']} "
        f"({then['outcome']}): that exercise has not changed. Run again it was {now['points']} ({now['outcome']})."
        for now in new["exercises"]
        if (then := kept.get(name := now["id"]))
        and (then["points"], then["outcome"]) != (now["points"], now["outcome"])
    ]
    new["outcome"] = _outcome(new, merged)
    new["exercises"] = merged
    new["score"] = sum(entry["points"] for entry in merged)
    cells = {grade_id(cell): cell for cell in before.cells if grade_id(cell).removeprefix("check_") in kept}
    for cell in graded.cells:
        then = cells.get(grade_id(cell))
        if then is not None and cell.cell_type == "code":
            cell.outputs, cell.execution_count = then.outputs, then.execution_count
            if TOLD in then.metadata:
                cell.metadata[TOLD] = then.metadata[TOLD]


def changes(student: str, before: Known, after: Known) -> Iterator[MarkChange]:
    """The marks that differ, with the reasons; what was not asked before is no change."""
    now = {entry["id"]: entry for entry in after["exercises"]}
    for then in before["exercises"]:
        entry = now.get(then["id"])
        worth = (then["points"], then["max_points"])
        if entry is not None and worth == (entry["points"], entry["max_points"]):
            continue
        found = _differ(after, before)
        found += _why_exercise(then, entry, before, after) if entry is not None else []
        yield MarkChange(
            student,
            then["id"],
            *worth,
            then["outcome"],
            then.get("provenance", {}).get("time", ""),
            entry["points"] if entry is not None else None,
            entry["max_points"] if entry is not None else None,
            entry["outcome"] if entry is not None else "",
            ", ".join(found) or "--again",
        )


def _differ(new: Known, old: Known) -> list[str]:
    """What of all that the exercises share is no longer as it was."""
    words = "answers" if "answers" in old else "submission"  # an earlier version of the course knew the file alone
    found = [] if old.get(words) == new[words] else ["the submission changed"]
    then = old.get("provenance", {"seed": old.get("seed"), "lesson": new["provenance"]["lesson"]})
    return found + [_REASONS[key] for key in ("seed", "line", "lesson") if then.get(key) != new["provenance"][key]]


def _why_exercise(then: Known, entry: Known, old: Known, new: Known) -> list[str]:
    """Why one exercise's mark of before does not stand, beside what all share."""
    found = []
    if then.get("provenance", {}).get("exercise") != entry["provenance"]["exercise"]:
        found.append(_REASONS["exercise"])
    if then["outcome"] in BY_LIMITS and old.get("limits") != new["limits"]:
        found.append("the limits changed")
    return found


def _outcome(new: Known, merged: Sequence[Known]) -> str:
    """The submission's outcome: that of its worst exercise, or of a run that ended so outside of them."""
    fresh = str(new["outcome"])
    if fresh not in _SEVERITY:
        return fresh
    found = {str(entry["outcome"]) for entry in merged}
    if fresh not in {entry["outcome"] for entry in new["exercises"]}:
        found.add(fresh)
    return max(found.intersection(_SEVERITY), key=_SEVERITY.index, default="graded")


def write_changes(path: Path, lesson: str, found: Sequence[MarkChange], *, dry_run: bool = False) -> None:
    """Write the changes as a table for a spreadsheet (.csv) or as JSON (.json), at once or not at all.

    Raises:
        ValueError: for another suffix.
    """
    rows = [asdict(each) for each in sorted(found, key=lambda each: (each.student, each.exercise))]
    if path.suffix.lower() == ".json":
        content = {"lesson": lesson, "dry_run": dry_run, "changes": rows}
        write_atomically(path, json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n")
    elif path.suffix.lower() == ".csv":
        from autograder.lms.cells import as_text, number, table

        def cell(value: Any) -> str:
            if value is None:
                return ""
            return number(value) if isinstance(value, int | float) else as_text(value)

        columns = list(MarkChange.__dataclass_fields__)
        lines = [[cell(row[column]) for column in columns] for row in rows]
        write_atomically(path, table([columns, *lines], mark=True))
    else:
        raise ValueError(f"{path.name} must end in .csv or .json.")
