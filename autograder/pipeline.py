"""The grading line for one submission: intake, assemble, run, judge, feedback. No database, no files, no globals."""

from __future__ import annotations

import hashlib
import json
import time
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from nbformat import NotebookNode

from autograder import judge as judging
from autograder import notebook_json
from autograder.assemble import KEY, assemble, plan
from autograder.feedback.verdicts import write_feedback
from autograder.intake import Submission, from_bytes
from autograder.judge import Verdict
from autograder.lesson import LessonSource, grade_id, is_written
from autograder.sandbox import Limits, Request, Sandbox
from autograder.version import versions
from course_lib.exercises.grading import ExerciseResult

OUTCOMES = {
    "graded": "every cell ended by itself; the points say the rest",
    "timeout": "a cell did not end within its time, or the notebook's time was over; the other exercises were graded",
    "crashed": "a cell ended the interpreter (a timeout may have come with it); the other exercises were graded",
    "malformed": "the file could not be read as a notebook; no points",
    "missing": "there is no notebook of the lesson's name; no points",
    "failed": "the grader itself failed; nothing was recorded, grade this one again",
}
"""Every outcome that a submission can end in, and what it means. docs/grading.md says the same, by test.

An outcome other than "graded" comes with a note for the grader; every exercise has a sentence for the student.
"""

UNSAFE = "UNSAFE: what was handed in runs without walls, as you, on your files and your network."
"""What a grader reads where the sandbox was turned off."""


@dataclass(frozen=True)
class GradedSubmission:
    """A submission with its grades.

    Attributes:
        lesson: the lesson's name.
        outcome: one of :data:`OUTCOMES`.
        exercises: the results in the order of the lesson.
        notebook: the graded notebook: the instructor's, with answers, outputs and verdicts.
        notes: for the grader.
        max_score: what the core exercises are worth together.
    """

    lesson: str
    outcome: str
    exercises: tuple[ExerciseResult, ...]
    notebook: NotebookNode
    notes: tuple[str, ...] = ()
    max_score: int = 0

    @property
    def score(self) -> int:
        """All points given automatically, the bonus included."""
        return sum(result.points for result in self.exercises)

    @property
    def bonus(self) -> dict[str, int]:
        """The points of the stretch exercises, by name."""
        return {result.exercise.name: result.points for result in self.exercises if result.exercise.stretch}

    def entry(self) -> dict[str, Any]:
        """The submission as JSON-ready data, without the student."""
        return {
            "outcome": self.outcome,
            "score": self.score,
            "max_score": self.max_score,
            "exercises": [_exercise_entry(result) for result in self.exercises],
        }


def seed_id(seed: int) -> str:
    """Which seed it was, without the seed."""
    return hashlib.sha256(str(seed).encode()).hexdigest()[:8]


def work_id(notebook: NotebookNode, lesson: LessonSource, seed: int) -> str:
    """A fingerprint of an assembled notebook and of all else that its grades follow from, but the limits.

    Two notebooks with the same one get the same grades: what was handed in may differ in cells that no grade sees.
    """
    known = {key: value for key, value in notebook.metadata[KEY].items() if key != "submission"}
    content = {**notebook, "metadata": {**notebook.metadata, KEY: known}}
    more = [versions(lesson).whole, seed_id(seed)]
    return hashlib.sha256(notebook_json.in_order([content, more])).hexdigest()[:32]


def answers_id(notebook: NotebookNode) -> str:
    """A fingerprint of what a learner wrote, from an assembled notebook; what the instructor wrote is no part of it."""
    known = notebook.metadata[KEY]
    written = [
        (grade_id(cell), cell.source)
        for cell in notebook.cells
        if _present(cell, known["refused"]) or is_written(cell) or "learner" in cell.metadata.get("tags", [])
    ]
    return hashlib.sha256(json.dumps([known["intake"], written]).encode()).hexdigest()[:16]


def _present(cell: NotebookNode, refused: Any) -> bool:
    return bool(cell.metadata.get(KEY, {}).get("present")) or grade_id(cell) in refused


def grade_submission(
    data: bytes | None, lesson: LessonSource, seed: int, sandbox: Sandbox, limits: Limits | None = None
) -> GradedSubmission:
    """Grade the bytes of a notebook; None means that nothing was handed in.

    Raises:
        SandboxError: when the sandbox itself does not work; never for what a submission holds or does.
    """
    return grade_intake(from_bytes(data), lesson, seed, sandbox, limits)


def grade_intake(
    submission: Submission, lesson: LessonSource, seed: int, sandbox: Sandbox, limits: Limits | None = None
) -> GradedSubmission:
    """Grade what intake read."""
    return grade_assembled(assemble(lesson, submission), lesson, seed, sandbox, limits)


def grade_assembled(
    notebook: NotebookNode, lesson: LessonSource, seed: int, sandbox: Sandbox, limits: Limits | None = None
) -> GradedSubmission:
    """Run and judge an assembled notebook, and write the feedback into it."""
    began = time.monotonic()
    known = notebook.metadata[KEY]
    limits = limits or Limits()
    work, answers = work_id(notebook, lesson, seed), answers_id(notebook)
    planned = plan(notebook)
    run = None
    if known["intake"] != "read":
        verdict = judging.unanswered(lesson, known["intake"], known["sentence"])
    elif not any(_holds_work(notebook, lesson, cell.index) for cell in planned if cell.role in ("answer", "learner")):
        verdict = judging.unanswered(lesson, "graded", known["sentence"])
    else:
        drawn = judging.drawn(lesson, seed)
        allowed = limits.with_more(drawn.seconds.values())
        request = Request(planned, drawn.encoded, lesson.withheld, allowed, drawn.seconds)
        run = sandbox.run(request)
        verdict = judging.judge(lesson, planned, drawn.cases, run, request.run, known["sentence"], drawn.known)
    verdict = judging.refuse(verdict, known["refused"])
    write_feedback(notebook, planned, run, verdict.exercises)
    graded = _graded(notebook, lesson, verdict, tuple(known["notes"]))
    entry, how = graded.entry(), _provenance(lesson, seed)
    for each in entry["exercises"]:
        each["provenance"] = {"exercise": versions(lesson).exercises[each["id"]], **how}
    notebook.metadata[KEY] = {
        "lesson": lesson.name,
        "submission": known["submission"],
        "seed": seed_id(seed),
        "version": versions(lesson).whole,
        "work": work,
        "answers": answers,
        "limits": asdict(limits),
        "seconds": round(time.monotonic() - began, 3),
        "notes": list(graded.notes),
        "provenance": how,
        **entry,
    }
    return graded


def _provenance(lesson: LessonSource, seed: int) -> dict[str, str]:
    """How a mark that is given now came about: of what it followed, and when, in UTC."""
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {"line": versions(lesson).line, "lesson": versions(lesson).lesson, "seed": seed_id(seed), "time": now}


def _graded(notebook: NotebookNode, lesson: LessonSource, verdict: Verdict, notes: tuple[str, ...]) -> GradedSubmission:
    notes = (*notes, *verdict.notes)
    if not notes and verdict.outcome != "graded":
        notes = (f"{verdict.outcome}: {OUTCOMES[verdict.outcome]}.",)
    return GradedSubmission(lesson.name, verdict.outcome, verdict.exercises, notebook, notes, lesson.max_score)


def _holds_work(notebook: NotebookNode, lesson: LessonSource, index: int) -> bool:
    """Whether a cell holds more than the released notebook does."""
    stubs = {cell.id: cell.source for cell in lesson.notebook.cells}
    cell = notebook.cells[index]
    return bool(cell.source.strip()) and cell.source != stubs.get(cell.id)


def _exercise_entry(result: ExerciseResult) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "id": result.exercise.name,
        "points": result.points,
        "max_points": result.exercise.points,
        "outcome": result.outcome,
        "misconception": result.misconception.name if result.misconception else None,
        "message": result.message,
    }
    return {**entry, "bonus": True} if result.exercise.stretch else entry


Graded = tuple[bytes | None, str]
"""A graded notebook and "", or None and why the grader failed."""


class Grading:
    """Grades notebooks of one lesson, bytes in and bytes out."""

    def __init__(self, lesson: LessonSource, seed: int, sandbox: Sandbox, limits: Limits) -> None:
        self.lesson = lesson
        self._seed = seed
        self._sandbox = sandbox
        self._limits = limits

    def __call__(self, notebook: bytes) -> Graded:
        """Grade an assembled notebook; never raises, whatever is wrong with one submission."""
        try:
            assembled = notebook_json.from_bytes(notebook)
            graded = grade_assembled(assembled, self.lesson, self._seed, self._sandbox, self._limits)
            return notebook_json.as_bytes(graded.notebook), ""
        except Exception as error:  # noqa: BLE001  the others are graded all the same
            return None, f"{type(error).__name__}: {str(error)[:500]}"
