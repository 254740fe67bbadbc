"""What an instructor settles for a course: lessons in use, due dates, the late rule, extensions, written questions.

`autograder.settings.file` reads them from `course.toml`. Where there is no such file everything is as if nobody had
settled anything: all lessons in use, no due dates of ours, nothing taken off, written questions worth what their
notebooks say, which is 0.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

_DAY = 86_400


class SettingsError(ValueError):
    """course.toml breaks its form; one line for each fault, with the file's line, the key, and what to write."""


@dataclass(frozen=True)
class LateRule:
    """What is taken off for handing in late.

    Attributes:
        grace: so much later costs nothing; who is later still is late from the due date on.
        per_day: the share of the score that each day begun takes, from 0 to 1.
        at_most: the largest share that days take together, from 0 to 1.
        closed_after: what comes later than this counts 0; None: nothing does.
    """

    grace: timedelta = timedelta()
    per_day: float = 0.0
    at_most: float = 1.0
    closed_after: timedelta | None = None

    def penalty(self, score: float, seconds: float) -> float:
        """The points to take off a `score` that came `seconds` after its due date: from 0 to the score."""
        if score <= 0 or seconds <= self.grace.total_seconds():
            return 0.0
        if self.closed_after is not None and seconds > self.closed_after.total_seconds():
            return score
        share = min(self.per_day * math.ceil(seconds / _DAY), self.at_most)
        return min(round(score * share, 2), score)

    def sentence(self) -> str:
        """The rule in words."""
        said = []
        if self.per_day:
            most = f", {100 * self.at_most:.4g}% at most" if self.at_most < 1 else ""
            said.append(f"{100 * self.per_day:.4g}% of the score for each day begun{most}")
        if self.closed_after is not None:
            said.append(f"nothing counts later than {in_words(self.closed_after)} after the due date")
        if self.grace:
            said.append(f"{in_words(self.grace)} late cost nothing")
        return "; ".join(said)


def in_words(time: timedelta) -> str:
    """A length of time in the largest unit that it is a whole number of: "36 hours"."""
    seconds = int(time.total_seconds())
    sizes = {"day": _DAY, "hour": 3_600, "minute": 60, "second": 1}
    name = next(name for name, size in sizes.items() if seconds % size == 0)
    count = seconds // sizes[name]
    return f"{count} {name}" if count == 1 else f"{count} {name}s"


@dataclass(frozen=True)
class LessonSettings:
    """What holds for one lesson.

    Attributes:
        used: whether the course has it.
        due: when it is due, in UTC; None where nothing is settled, and the gradebook's own date stays.
        worth: what all of its points but the bonus come to in an exported mark; None: as many as they are.
        written_points: what each written question is worth; None: what the notebook says.
    """

    used: bool = True
    due: datetime | None = None
    worth: float | None = None
    written_points: float | None = None


@dataclass(frozen=True)
class Settings:
    """What is settled for a course.

    Attributes:
        zone: the course's time zone, None where none is named.
        lessons: by name; one that is not there has the defaults.
        late: the rule for late work, None where there is none.
        extensions: due dates of single students, in UTC: student, then lesson.
    """

    zone: ZoneInfo | None = None
    lessons: Mapping[str, LessonSettings] = field(default_factory=dict)
    late: LateRule | None = None
    extensions: Mapping[str, Mapping[str, datetime]] = field(default_factory=dict)

    def lesson(self, name: str) -> LessonSettings:
        """What holds for a lesson."""
        return self.lessons.get(name, LessonSettings())

    def extension(self, lesson: str, student: str) -> timedelta | None:
        """How much later than the others a student may hand in; None where not at all, or where nothing is due."""
        due, own = self.lesson(lesson).due, self.extensions.get(student, {}).get(lesson)
        return own - due if due is not None and own is not None else None

    def scale(self, lesson: str, max_score: float) -> float:
        """By what points are multiplied in an exported mark, so that `max_score` of them come to the lesson's worth.

        1 without a worth, and where nothing but a bonus can be earned.
        """
        worth = self.lesson(lesson).worth
        return 1.0 if worth is None or max_score <= 0 else worth / max_score

    def local(self, moment: datetime) -> str:
        """A moment in the course's time zone; in this machine's where the course names none."""
        return f"{moment.astimezone(self.zone):%Y-%m-%d %H:%M %Z}"
