"""`course.toml`, the instructor's one file in the course's folder: read strictly. docs/settings.md shows every key."""

from __future__ import annotations

import re
import tomllib
import zoneinfo
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

import msgspec

from autograder.intake import unfit
from autograder.settings.faults import FILE, MOMENT, Keys, line_of, nearest, not_toml, shown_key, shown_value, unknown
from autograder.settings.model import LateRule, LessonSettings, Settings, SettingsError
from course_lib import exercises

WRITTEN_POINTS = 4.0
"""What a written question is worth where it counts and the file gives no number."""
MOST = 1_000.0
"""The most that a question or a lesson may be worth; more is a slip of the finger."""


def read(root: Path) -> Settings | None:
    """The settings in the course's folder `root`; None where it has no course.toml.

    Raises:
        SettingsError: with every fault found.
    """
    try:
        data = (root / FILE).read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise SettingsError(f"{FILE} cannot be read: {error.strerror}.") from error
    try:
        return parse(data.decode("utf-8-sig"))  # an editor on Windows may begin a file with a mark of its own
    except UnicodeDecodeError as error:
        raise SettingsError(f"{FILE} is not UTF-8 (byte {error.start}): save it as UTF-8.") from error


def parse(text: str) -> Settings:
    """Settings from the text of a course.toml.

    Raises:
        SettingsError: with every fault found.
    """
    text = text.replace("\r\n", "\n")
    try:
        raw = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise SettingsError(not_toml(text, str(error))) from error
    reader = _Reader(raw)
    settings = reader.settings()
    if reader.faults:
        told = sorted((line_of(text, keys), ".".join(map(shown_key, keys)), said) for keys, said in reader.faults)
        raise SettingsError("\n".join(f"{FILE}, line {line}: {key}{said}" for line, key, said in told))
    return settings


def used_lessons(root: Path) -> list[str]:
    """The lessons that the course has, in order: all of them where it has no course.toml.

    Raises:
        SettingsError: where course.toml breaks its form.
    """
    settings = read(root) or Settings()
    return [name for name in exercises.LESSONS if settings.lesson(name).used]


class _Strict(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A table of the file: unknown keys are refused. What is `Any` has a form of its own, looked at here."""


class _Course(_Strict, frozen=True):
    timezone: str | None = None
    written_questions: bool = False
    written_points: float | None = None


class _Late(_Strict, frozen=True):
    grace: Any = None
    per_day: Any = None
    at_most: Any = None
    closed_after: Any = None


class _Lesson(_Strict, frozen=True):
    use: bool = True
    due: Any = None
    worth: float | None = None
    written_questions: bool | None = None
    written_points: float | None = None


_TABLES = ("course", "late", "lessons", "extensions")
_EXAMPLES = {"lessons": "[lessons.04_adaptive_optimizers]", "extensions": "[extensions.goran]"}
Table = TypeVar("Table", bound=_Strict)


class _Reader:
    """Makes settings of what TOML gave, and gathers the faults: the keys that lead to each, and what to say of it."""

    def __init__(self, raw: Mapping[str, Any]) -> None:
        self.faults: list[tuple[Keys, str]] = []
        self._raw = raw
        self._zone: ZoneInfo | None = None

    def settings(self) -> Settings:
        """The settings; good for something only where no fault was found."""
        for key in self._raw:
            if key not in _TABLES:
                self._fault((key,), unknown(key, _TABLES, "tables of this file"))
        course = self._table(_Course, self._raw.get("course", {}), "course")
        self._zone = self._read_zone(course.timezone)
        lessons = dict(self._lessons(course))
        return Settings(self._zone, lessons, self._late(), dict(self._extensions(lessons)))

    def _fault(self, keys: Keys, said: str) -> None:
        self.faults.append((keys, said))

    def _is_faulty(self, *keys: str) -> bool:
        return any(faulty[: len(keys)] == keys for faulty, _ in self.faults)

    def _table(self, kind: type[Table], raw: Any, *keys: str) -> Table:
        """A table of the file, and the defaults for what is wrong in it."""
        if not isinstance(raw, dict):
            self._fault(keys, f" is no table: begin one with [{'.'.join(map(shown_key, keys))}].")
            return kind()
        raw = dict(raw)
        for key in [*raw]:
            if key not in kind.__struct_fields__:
                self._fault((*keys, key), unknown(key, kind.__struct_fields__, "keys here"))
                del raw[key]
        while True:
            try:
                return msgspec.convert(raw, kind)
            except msgspec.ValidationError as error:
                said, _, place = str(error).partition(" - at ")
                key = place.strip("`").removeprefix("$.")
                wanted = "true or false" if "`bool" in said else "a number" if "`float" in said else "text in quotes"
                self._fault((*keys, key), f" = {shown_value(raw[key])}: write {wanted}.")
                del raw[key]

    def _subtables(self, name: str) -> Iterator[tuple[str, Any]]:
        table = self._raw.get(name, {})
        if isinstance(table, dict):
            yield from table.items()
        else:
            self._fault((name,), f" is no table: begin one with {_EXAMPLES[name]}.")

    def _read_zone(self, name: str | None) -> ZoneInfo | None:
        if name is None:
            return None
        try:
            return ZoneInfo(name)
        except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
            known = zoneinfo.available_timezones()
            more = nearest(name, known) or '; write one such as "Europe/Berlin" or "America/New_York".'
            more = more if known else "; it knows none: pip install tzdata."
            self._fault(("course", "timezone"), f" = {shown_value(name)} is no time zone that this machine knows{more}")
            return None

    def _lessons(self, course: _Course) -> Iterator[tuple[str, LessonSettings]]:
        usual = self._written(("course",), course.written_questions, course.written_points, None)
        given = dict(self._subtables("lessons"))
        for name in given:
            if name not in exercises.LESSONS:
                self._fault(("lessons", name), unknown(name, exercises.LESSONS, "lessons of the course"))
        for name in exercises.LESSONS:
            keys = ("lessons", name)
            lesson = self._table(_Lesson, given.get(name, {}), *keys)
            due = self._moment((*keys, "due"), lesson.due)
            points = self._written(keys, lesson.written_questions, lesson.written_points, usual)
            self._amount((*keys, "worth"), lesson.worth)
            if lesson.worth is not None and not points and not _core_points(name):
                self._fault((*keys, "worth"), ": nothing in this lesson but a bonus earns points; leave it out.")
            yield name, LessonSettings(lesson.use, due, lesson.worth, points)

    def _written(self, keys: Keys, on: bool | None, points: float | None, usual: float | None) -> float | None:
        """The points of a written question, by the two keys in a table."""
        self._amount((*keys, "written_points"), points)
        if points is not None and not (on if on is not None else usual is not None):
            said = " has no effect: written questions are off. Put `written_questions = true` beside it."
            self._fault((*keys, "written_points"), said)
        if on is None:
            return usual if points is None or usual is None else points
        return (points if points is not None else usual or WRITTEN_POINTS) if on else None

    def _amount(self, keys: Keys, value: float | None) -> None:
        if value is not None and not 0 < value <= MOST:  # nan is neither
            self._fault(keys, f" = {value}: write a number over 0 and up to {MOST:g}, or leave the key out.")

    def _late(self) -> LateRule | None:
        if "late" not in self._raw:
            return None
        late = self._table(_Late, self._raw["late"], "late")
        shares = {key: self._share(("late", key), getattr(late, key)) for key in ("per_day", "at_most")}
        times = {key: self._time(("late", key), getattr(late, key)) for key in ("grace", "closed_after")}
        if late.per_day is None and late.closed_after is None and not self._is_faulty("late"):
            self._fault(("late",), ' takes nothing off: write per_day = "10%", closed_after = "7 days", or both.')
        if late.at_most is not None and late.per_day is None:
            self._fault(("late", "at_most"), ' has no effect without per_day: write per_day = "10%".')
        grace, closed = times["grace"] or timedelta(), times["closed_after"]
        if closed is not None and closed < grace:
            self._fault(("late", "closed_after"), " ends before grace does: make it longer.")
        most = shares["at_most"]
        return LateRule(grace, shares["per_day"] or 0.0, 1.0 if most is None else most, closed)

    def _share(self, keys: Keys, value: Any) -> float | None:
        if value is None:
            return None
        found = re.fullmatch(r"\s*(\d{1,3}(?:\.\d{1,4})?)\s*%\s*", value) if isinstance(value, str) else None
        if found is None or not 0 < float(found[1]) <= 100:
            self._fault(
                keys, f' = {shown_value(value)}: write a share of the score in quotes, "10%"; from over 0 to "100%".'
            )
            return None
        return float(found[1]) / 100

    def _time(self, keys: Keys, value: Any) -> timedelta | None:
        if value is None:
            return None
        pattern = r"\s*(\d{1,4})\s*(min(?:ute)?s?|h(?:ours?)?|d(?:ays?)?|w(?:eeks?)?)\s*"
        found = re.fullmatch(pattern, value) if isinstance(value, str) else None
        if found is None:
            self._fault(
                keys, f' = {shown_value(value)}: write a time in quotes: "30 minutes", "2 hours", "7 days", "1 week".'
            )
            return None
        unit = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}[found[2][0]]
        return timedelta(**{unit: int(found[1])})

    def _extensions(self, lessons: Mapping[str, LessonSettings]) -> Iterator[tuple[str, dict[str, datetime]]]:
        for student, given in self._subtables("extensions"):
            keys = ("extensions", student)
            if why := unfit(student):
                self._fault(keys, f" is a name {why}, so no student has it.")
            if not isinstance(given, dict):
                self._fault(keys, f" is no table: begin one with {_EXAMPLES['extensions']}.")
                continue
            own = {}
            for lesson, value in given.items():
                if lesson not in exercises.LESSONS:
                    self._fault((*keys, lesson), unknown(lesson, exercises.LESSONS, "lessons of the course"))
                    continue
                until = self._moment((*keys, lesson), value)
                due = lessons[lesson].due
                if until is not None and self._extends((*keys, lesson), until, due):
                    own[lesson] = until
            yield student, own

    def _extends(self, keys: Keys, until: datetime, due: datetime | None) -> bool:
        lesson = keys[-1]
        if due is None and not self._is_faulty("lessons", lesson, "due"):
            self._fault(keys, f" extends a due date that the file does not give: write lessons.{lesson}.due.")
        elif due is not None and until <= due:
            self._fault(keys, f" is no later than the due date of the lesson, {Settings(self._zone).local(due)}.")
        return due is not None and until > due

    def _moment(self, keys: Keys, value: Any) -> datetime | None:
        """A moment in UTC. A time that a clock shows twice, when summer time ends, is the later one."""
        if value is None:
            return None
        try:
            when = datetime.fromisoformat(value.strip()) if isinstance(value, str) else value
        except ValueError:
            when = None
        bare = isinstance(value, str) and not re.search(r"\d[T ]\d", value)
        if not isinstance(when, datetime) or bare:
            said = f"{MOMENT} (which time of that day?)" if bare or isinstance(when, date) else MOMENT
            self._fault(keys, f" = {shown_value(value)}: {said}.")
            return None
        if not 2000 <= when.year <= 2200:
            self._fault(keys, f" = {shown_value(value)}: is the year {when.year} meant?")
            return None
        if when.tzinfo is not None:
            return when.astimezone(UTC)
        if self._zone is None:
            if not self._is_faulty("course", "timezone"):
                said = 'without a time zone: write timezone = "Europe/Berlin" under [course], or +01:00 behind the time'
                self._fault(keys, f" = {shown_value(value)} is a time {said}.")
            return None
        found = when.replace(tzinfo=self._zone, fold=1).astimezone(UTC)
        if found.astimezone(self._zone).replace(tzinfo=None) != when:
            self._fault(
                keys, f" = {shown_value(value)}: no clock in {self._zone} shows this time; summer time begins then."
            )
            return None
        return found


def _core_points(lesson: str) -> int:
    return sum(exercise.core_points for exercise in exercises.of_lesson(lesson))
