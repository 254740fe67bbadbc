"""The feedback page: what one student reads of a graded lesson, in two minutes.

It is made from the graded notebook, the exercises' own texts and the gradebook. All that comes from the submission is
its answers, as escaped text; verdicts are those that autograder/feedback/verdicts.py wrote for students, without
hidden inputs. Nothing on it comes from the reference or from anybody else's work.
"""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jinja2
from markupsafe import Markup
from nbformat import NotebookNode

from autograder import pages
from autograder.assemble import KEY
from autograder.code_text import highlighted
from autograder.feedback.marks import CellMark, Marks
from autograder.feedback.places import headings_above, taken_up
from autograder.feedback.text import displayed, heading, hint, late, own_words, sentence
from autograder.feedback.verdicts import TOLD
from autograder.gradebook import GradebookError
from autograder.lesson import grade_id, is_answer
from course_lib import exercises
from course_lib.exercises.exercise import Exercise, Misconception
from course_lib.exercises.grading import OUTCOMES

_NO_MARK = CellMark(0.0, 0.0, 0.0, by_hand=False, waiting=False)
_WORDS = {
    "right": ("✓", "Right"),
    "partial": ("◐", "Partly right"),
    "wrong": ("✗", "Not yet"),
    "error": ("!", "Stopped with an error"),
    "unanswered": ("–", "Not answered"),
    "timeout": ("…", "Out of time"),
    "crashed": ("■", "Ended Python"),
}
_OWN_CELL = re.compile(r"Cell \d+ \(learner cell\) (did not end in time|ended the interpreter|printed too much)\.")
_ON_THE_WHOLE = {
    "timeout": "Some of your code did not end within its time. The rest was checked all the same.",
    "crashed": "Some of your code ended Python itself. The rest was checked all the same.",
}


@dataclass(frozen=True)
class Card:
    """One exercise on the page.

    Attributes:
        exercise: what was asked.
        outcome: one of :data:`course_lib.exercises.grading.OUTCOMES`.
        points, worth: what it got and what it is worth; for practice groups of cases.
        by_hand: whether a grader wrote the points.
        groups: title, points, what it is worth, and whether it passed (None: not judged), of each group of cases.
        where, sentence: in which case the answer went wrong, and how; for the student's eyes.
        mistake: the recognised one.
        section, room: the headings under which the exercise stands: its own, and that of the lesson's part.
        taken_up: where the lesson shows this mistake: the section, and how the passage begins.
        source: the answer, "" where there is none.
        comment: a grader's.
        shown: what the answer displayed in grading, where the teacher lets students see it.
    """

    exercise: Exercise
    outcome: str
    points: float
    worth: float
    by_hand: bool
    groups: Sequence[tuple[str, int, int, bool | None]]
    where: str
    sentence: str
    mistake: Misconception | None
    section: str
    room: str
    taken_up: tuple[str, str] | None
    source: str
    comment: str
    shown: tuple[Markup, ...]

    @property
    def icon(self) -> str:
        """A sign for the outcome; its word stands beside it."""
        return _WORDS[self.outcome][0]

    @property
    def word(self) -> str:
        """The outcome in words."""
        return _WORDS[self.outcome][1]

    @property
    def signature(self) -> str:
        """How the function or class is called; what the lesson's cell begins with."""
        asked = inspect.signature(self.exercise.reference)
        bare = [each.replace(annotation=inspect.Parameter.empty) for each in asked.parameters.values()]
        return f"{self.exercise.name}{inspect.Signature(bare)}"

    @property
    def hints(self) -> list[tuple[str, str]]:
        """Hints with their titles; the last of an exercise, which is nearly its code, is left to the notebook."""
        if self.outcome == "right":
            return []
        first = [("A hint for this mistake", self.mistake.hint)] if self.mistake and self.mistake.hint else []
        return first + [(f"Hint {number}", text) for number, text in enumerate(self.exercise.hints[:2], start=1)]


@dataclass(frozen=True)
class Written:
    """A question that is answered in words and marked by hand."""

    section: str
    answer: Markup
    mark: CellMark
    comment: str


@dataclass(frozen=True)
class Points:
    """One line of the table of points; `worth` is None where there is nothing to compare with."""

    what: str
    points: float
    worth: float | None = None
    note: str = ""


def page(notebook: NotebookNode, lesson: str, student: str, marks: Marks | None) -> str:
    """The page for a graded notebook, self-contained and without scripts: the same bytes for the same grades.

    Args:
        notebook: graded by the line; its outputs are shown, so leave out what the student must not see.
        lesson: its folder.
        student: whose it is.
        marks: what the gradebook says; None where nothing was handed in.

    Raises:
        GradebookError: for a notebook that this course did not grade, or whose marks the gradebook does not have.
    """
    known = notebook.metadata.get(KEY, {})
    if "exercises" not in known:
        raise GradebookError(f"The notebook of {student} was not graded here: `python -m autograder grade {lesson}`.")
    if marks is None and known["outcome"] != "missing":
        raise GradebookError(
            f"The gradebook has no grades of {student}: `python -m autograder grade {lesson} --again` records them."
        )
    asked = {exercise.name: exercise for exercise in exercises.of_lesson(lesson)}
    entries = {entry["id"]: entry for entry in known["exercises"]}
    cards = [
        _card(notebook, index, asked[name], entries[name], marks)
        for index, cell in enumerate(notebook.cells)
        if (name := grade_id(cell)) in asked and name in entries
    ]
    told = notebook.metadata.get(TOLD, {})
    title = (headings_above(notebook, len(notebook.cells)) or (lesson,))[0]
    outcome, practice = known["outcome"], bool(cards) and all(card.exercise.practice for card in cards)
    read = outcome not in ("malformed", "missing") and not told.get("sentence")
    return _environment().get_template("feedback_page.html.j2").render(
        lesson=lesson,
        number=lesson.partition("_")[0],
        title=title,
        student=student,
        cards=cards if read else [],
        unread=[] if read else cards,
        message=told.get("sentence") or _ON_THE_WHOLE.get(outcome, ""),
        practice=practice,
        right=sum(card.outcome == "right" for card in cards),
        empty=read and all(card.outcome == "unanswered" for card in cards),
        table=_points(cards, notebook, marks),
        marks=marks,
        written=list(_written(notebook, marks)) if read else [],
        own=[cell.source for cell in notebook.cells if "learner" in cell.metadata.get("tags", [])],
        notes=_notes(told.get("notes", []), known.get("notes", [])),
        asked_for=any(card.outcome != "right" for card in cards),
    )  # fmt: skip


def nothing_handed_in(released: NotebookNode, lesson: str, student: str) -> str:
    """The page of a student of whom there is no submission, from the notebook that the lesson releases."""
    notebook = released.copy()
    asked = [
        {"id": each.name, "outcome": "unanswered", "points": 0, "misconception": None}
        for each in exercises.of_lesson(lesson)
    ]
    notebook.metadata = {
        KEY: {"outcome": "missing", "exercises": asked, "notes": []},
        TOLD: {"sentence": "No notebook was handed in.", "notes": []},
    }
    return page(notebook, lesson, student, None)


def _card(notebook: NotebookNode, index: int, exercise: Exercise, entry: dict[str, Any], marks: Marks | None) -> Card:
    cell = notebook.cells[index]
    check = next((each for each in notebook.cells if grade_id(each) == f"check_{exercise.name}"), NotebookNode())
    told = check.get("metadata", {}).get(TOLD, {})
    outcome = told.get("outcome", entry["outcome"])
    mark = marks.cells.get(f"check_{exercise.name}", _NO_MARK) if marks else _NO_MARK
    groups = [tuple(group) for group in told.get("groups", [])]
    if exercise.practice:
        points, worth = float(sum(group[3] is True for group in groups)), float(exercise.full_marks)
    else:
        points, worth = mark.score + (mark.extra if exercise.stretch else 0.0), float(exercise.points)
    name = entry["misconception"]
    above = headings_above(notebook, index)
    stub = outcome == "unanswered" and "raise NotImplementedError" in cell.source
    return Card(
        exercise,
        outcome,
        points,
        worth,
        mark.by_hand or (exercise.stretch and bool(marks) and mark.extra != entry["points"]),
        groups if any(group[3] is not None for group in groups) else [],
        told.get("where", ""),
        told.get("sentence", f"{OUTCOMES[outcome]}." if outcome != "right" else ""),
        next((each for each in exercise.misconceptions if each.name == name), None),
        above[-1] if above else "",
        above[1] if len(above) > 2 else "",
        taken_up(notebook, name) if name else None,
        "" if stub else cell.source.strip("\n"),
        marks.comments.get(exercise.name, "") if marks else "",
        tuple(shown for output in cell.get("outputs", []) if (shown := displayed(output))),
    )


def _points(cards: Sequence[Card], notebook: NotebookNode, marks: Marks | None) -> list[Points]:
    """The lines of the table of points; nothing where the lesson gives none."""
    core = [card for card in cards if not (card.exercise.stretch or card.exercise.practice)]
    bonus = [card for card in cards if card.exercise.stretch]
    cells = marks.cells if marks else {}
    by_words = [
        cells[name] for cell in notebook.cells if cell.cell_type == "markdown" and (name := grade_id(cell)) in cells
    ]
    lines = []
    if core:
        lines.append(Points("Exercises", sum(card.points for card in core), sum(card.worth for card in core)))
    if worth := sum(mark.max_score for mark in by_words):
        waiting = any(mark.waiting and mark.max_score for mark in by_words)
        note = "not marked yet" if waiting else ""
        lines.append(Points("Written questions", sum(mark.score for mark in by_words), worth, note))
    if bonus:
        note = f"{sum(card.worth for card in bonus):g} to be had; they come on top"
        lines.append(Points("Bonus", sum(card.points for card in bonus), note=note))
    listed = sum(line.points for line in lines)
    if marks is not None and abs(marks.score - listed) > 1e-9:
        lines.append(Points("Added by your teacher", marks.score - listed))
    if marks is not None and marks.penalty:
        lines.append(Points("Late penalty", -marks.penalty))
    return lines


def _written(notebook: NotebookNode, marks: Marks | None) -> list[Written]:
    found = []
    for index, cell in enumerate(notebook.cells):
        if cell.cell_type == "markdown" and is_answer(cell):
            name = grade_id(cell)
            above = headings_above(notebook, index)
            empty = cell.source.strip() in ("", "YOUR ANSWER HERE")
            found.append(
                Written(
                    above[-1] if above else "",
                    Markup() if empty else own_words(cell.source),
                    marks.cells.get(name, _NO_MARK) if marks else _NO_MARK,
                    marks.comments.get(name, "") if marks else "",
                )
            )
    return found


def _notes(placed: Sequence[str], every: Sequence[str]) -> list[str]:
    """What a student should know of how the notebook was read: sentences of the course's own."""
    ends = {
        "did not end in time": "did not end in time",
        "ended the interpreter": "ended Python itself",
        "printed too much": "printed too much and was stopped",
    }
    fates = [f"One of your own cells {ends[found[1]]}." for note in every if (found := _OWN_CELL.fullmatch(note))]
    return [*placed, *dict.fromkeys(fates)]


@functools.cache
def _environment() -> jinja2.Environment:
    environment = pages.environment()
    environment.filters.update(code=sentence, block=hint, python=highlighted, late=late, heading=heading)
    return environment
