"""Where was I? What is done in every lesson, in words, numbers and bars, and a link to where to go on.

    Progress()

Run the cell again to see what has changed.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from html import escape
from pathlib import Path
from typing import Any

from course_lib import exercises
from course_lib.study import clock, content, leitner, records
from course_lib.study.records import Keeper, Records

_TRACK = "border: 1px solid; border-radius: 3px; height: 8px; width: 6em; overflow: hidden"
_CELL = "text-align: left; padding: 4px 1.5em 4px 0; vertical-align: top"


@dataclass(frozen=True)
class Standing:
    """How far somebody is in a lesson.

    Attributes:
        name: the lesson's folder.
        title: "04 · Adaptive optimizers".
        passed, to_pass: exercises whose check gave all points; all of them. Those of a bonus count only where there
            are no others.
        next_check: the first of them that did not; empty when all did.
        known, cards: cards that were known last time; all of them.
        due: cards that were begun and are due today.
        best, questions: of the quiz; best is None before it was done.
        last: when something was done there; None for never.
        optional: whether all that the lesson asks is a bonus.
    """

    name: str
    title: str
    passed: int
    to_pass: int
    next_check: str
    known: int
    cards: int
    due: int
    best: int | None
    questions: int
    last: datetime | None
    optional: bool = False

    @property
    def to_do(self) -> str:
        """What comes next in this lesson, in words; empty when it is done."""
        if self.next_check:
            return f"the exercise {self.next_check}"
        if self.known < self.cards:
            left = self.cards - self.known
            return f"{left} flash card{'s' * (left != 1)} that you do not know yet"
        if self.questions and self.best is None:
            return "the quiz"
        return ""


class Progress:
    """What was done in all lessons; words and a table, so that links lead where JupyterLab leads them.

    Args:
        keeper: of the learner's progress; by default that of the file beside the lessons.
        folder: where the content files are.

    Attributes:
        standings: one for each lesson, in order.
    """

    def __init__(self, *, keeper: Keeper | None = None, folder: Path = content.FOLDER) -> None:
        held = (keeper or Keeper(records.place())).read()
        self.standings = tuple(_standing(name, held, folder) for name in content.names(folder))

    def where(self) -> tuple[str, Standing | None]:
        """A sentence or two about where to go on, and the lesson meant; None when everything is done."""
        begun = [standing for standing in self.standings if standing.last is not None]
        if not begun:
            first = self.standings[0] if self.standings else None
            return "Nothing is kept yet." + (f" Begin with {first.title}." if first else ""), first
        latest = max(begun, key=lambda standing: standing.last or datetime.min)
        day = f"{latest.last:%A} {latest.last.day} {latest.last:%B}" if latest.last else ""
        said = f"Last time, on {day}, you were in {latest.title}. "
        after = self.standings[self.standings.index(latest) :] + self.standings[: self.standings.index(latest)]
        # What is optional comes last, unless one is in the midst of it.
        order = sorted(after, key=lambda standing: standing.optional and standing is not latest)
        goal = next((standing for standing in order if standing.to_do), None)
        if goal is None:
            return f"{said}Every lesson is done.{self._due()}", None
        there = "there" if goal is latest else f"in {goal.title}"
        return f"{said}Next {there}: {goal.to_do}.{self._due()}", goal

    def _due(self) -> str:
        due = [standing for standing in self.standings if standing.due]
        if not due:
            return ""
        total = sum(standing.due for standing in due)
        places = ", ".join(f"{standing.due} in {standing.title}" for standing in due)
        return f" {total} flash card{' is' if total == 1 else 's are'} due today: {places}."

    def __repr__(self) -> str:
        lines = [
            f"{standing.title}: " + ", ".join(f"{what} {_count(done, of)}" for what, done, of in _columns(standing))
            for standing in self.standings
        ]
        return "\n".join([self.where()[0], *lines])

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        said, goal = self.where()
        link = _link(goal.name) if goal else None
        go = f' <a href="{escape(link)}">Go on in {escape(goal.title)}</a>' if goal and link else ""
        head = "".join(f'<th scope="col" style="{_CELL}">{title}</th>' for title in ("lesson", *_TITLES))
        rows = "".join(_row(standing) for standing in self.standings)
        html = (
            f"<p><b>Where was I?</b> {escape(said)}{go}</p><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody>"
        )
        return {"text/plain": repr(self), "text/html": f"{html}</table>"}


_TITLES = ("exercises", "cards known", "quiz, best")


def _columns(standing: Standing) -> Sequence[tuple[str, int, int]]:
    figures = (
        (standing.passed, standing.to_pass),
        (standing.known, standing.cards),
        (standing.best or 0, standing.questions),
    )
    return [(title, done, of) for title, (done, of) in zip(_TITLES, figures, strict=True)]


def _count(done: int, of: int) -> str:
    return f"{done} of {of}" if of else "none here"


def _row(standing: Standing) -> str:
    cells = []
    for _, done, of in _columns(standing):
        bar = f'<div style="background: currentColor; height: 100%; width: {100 * done / of:.0f}%"></div>' if of else ""
        track = f'<div aria-hidden="true" style="{_TRACK}">{bar}</div>' if of else ""
        cells.append(f'<td style="{_CELL}">{_count(done, of)}{track}</td>')
    return f'<tr><th scope="row" style="{_CELL}">{escape(standing.title)}</th>{"".join(cells)}</tr>'


def _standing(name: str, held: Records, folder: Path) -> Standing:
    lesson = content.load(name, folder)
    record = held.of(name)
    every = exercises.of_lesson(name) if name in exercises.LESSONS else ()
    asked = [one for one in every if not one.stretch] or every
    # Points of an exercise that has changed since are no longer all there are.
    right = {key for key, checked in record.checks.items() if checked.points >= checked.of}
    open_ones = [one.name for one in asked if one.name not in right or record.checks[one.name].of != one.full_marks]
    places = {card.id: record.cards[card.id] for card in lesson.cards if card.id in record.cards}
    today = clock.today()
    return Standing(
        name=name,
        title=f"{name.split('_')[0]} · {lesson.title}",
        passed=len(asked) - len(open_ones),
        to_pass=len(asked),
        next_check=open_ones[0] if open_ones else "",
        known=sum(place.box > 0 for place in places.values()),
        cards=len(lesson.cards),
        due=sum(leitner.is_due(place, today) for place in places.values()),
        best=record.quiz.best if record.quiz and record.quiz.of == len(lesson.quiz) else None,
        questions=len(lesson.quiz),
        last=record.last,
        optional=bool(every) and all(one.stretch for one in every),
    )


def _link(lesson: str) -> str | None:
    """The lesson's notebook as seen from here, if it is where lessons are; relative, so that JupyterLab opens it."""
    here = Path.cwd()
    for above in (here.parent, here, here / "lessons", here.parent / "lessons"):
        notebook = above / lesson / f"{lesson}.ipynb"
        if notebook.is_file():
            return Path(os.path.relpath(notebook, here)).as_posix()
    return None
