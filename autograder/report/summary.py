"""The class report: who did what, and which mistakes how many students made; as data, and in the terminal."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from nbgrader.api import Gradebook
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError

from autograder.class_grading import Entry, to_entry
from autograder.gradebook import Course, graded_entry, quiet
from autograder.lesson import UnknownLessonError
from autograder.report.examples import find_examples
from course_lib import exercises
from course_lib.exercises.exercise import Exercise

_SHORT = {"unanswered": "-", "error": "err", "timeout": "time", "crashed": "crash"}
_MARKS = {"right": "green", "partial": "yellow", "unanswered": "dim"}
HARD = 0.6
"""An exercise that earned less than this share of its points is one to teach again."""


@dataclass(frozen=True)
class Mistake:
    """A recognised mistake and how many students made it.

    Attributes:
        exercise, name, sentence: as course_lib lists it.
        students: how many made it.
        of: how many answered the exercise.
    """

    exercise: str
    name: str
    sentence: str
    students: int
    of: int


@dataclass(frozen=True)
class Summary:
    """What a class did in one lesson.

    Attributes:
        lesson: its folder.
        exercises: in the order of the notebook.
        entries: one for each submission, as `pipeline` writes them, with the student; the seconds that grading took
            where they are known.
    """

    lesson: str
    exercises: tuple[Exercise, ...]
    entries: tuple[Entry, ...]

    @property
    def max_score(self) -> int:
        """What the core exercises are worth."""
        return sum(exercise.core_points for exercise in self.exercises)

    @property
    def ungraded(self) -> bool:
        """Whether all of the lesson is practice, which counts nothing."""
        return all(exercise.practice for exercise in self.exercises)

    @property
    def scores(self) -> list[int]:
        """One a submission, in the order of the entries; of an ungraded lesson how many exercises are right."""
        if self.ungraded:
            return [sum(result["outcome"] == "right" for result in entry["exercises"]) for entry in self.entries]
        return [entry["score"] for entry in self.entries]

    @property
    def read(self) -> list[Entry]:
        """The submissions that hold a notebook which could be read."""
        return [entry for entry in self.entries if entry["outcome"] not in ("missing", "malformed")]

    def result(self, entry: Entry, exercise: Exercise) -> Mapping[str, Any] | None:
        """How a submission did in an exercise."""
        return next((found for found in entry["exercises"] if found["id"] == exercise.name), None)

    def outcome(self, entry: Entry, exercise: Exercise) -> str:
        """How an exercise ended; "unanswered" where nothing is known of it."""
        result = self.result(entry, exercise)
        return str(result["outcome"]) if result else "unanswered"

    def part(self, entry: Entry, exercise: Exercise) -> float:
        """The share of an exercise's points that a submission earned, of practice 1 where it is right; from 0 to 1."""
        result = self.result(entry, exercise)
        if result is None or exercise.practice:
            return float(result is not None and result["outcome"] == "right")
        return float(min(result["points"] / exercise.points, 1.0))  # it may have been worth more when it was graded

    def share(self, exercise: Exercise) -> float:
        """The mean of :meth:`part` over the class."""
        return sum(self.part(entry, exercise) for entry in self.entries) / len(self.entries)

    def core_share(self, entry: Entry) -> float:
        """The share of the lesson's core points that a submission earned; from 0 to 1, 0 where there are none."""
        earned = sum(self.part(entry, exercise) * exercise.core_points for exercise in self.exercises)
        return earned / self.max_score if self.max_score else 0.0

    def mistakes(self) -> list[Mistake]:
        """The recognised mistakes, the most frequent first."""
        found = []
        for exercise in self.exercises:
            made = [r["misconception"] for entry in self.entries if (r := self.result(entry, exercise))]
            of = sum(self.outcome(entry, exercise) != "unanswered" for entry in self.entries)
            for mistake in exercise.misconceptions:
                count = made.count(mistake.name)
                if count:
                    found.append(Mistake(exercise.name, mistake.name, mistake.sentence, count, of))
        return sorted(found, key=lambda mistake: -mistake.students)

    def teach_again(self) -> list[tuple[Exercise, float, Mistake | None]]:
        """Up to three exercises that count and earned less than :data:`HARD` of their points, the hardest first.

        Each with its share, and its most frequent mistake where at least two students made it.
        """
        asked = [exercise for exercise in self.exercises if not exercise.stretch] or list(self.exercises)
        mistakes = self.mistakes()
        hard = sorted((self.share(exercise), place) for place, exercise in enumerate(asked))
        found = []
        for share, place in hard[:3]:
            made = [each for each in mistakes if each.exercise == asked[place].name and each.students >= 2]
            if share < HARD:
                found.append((asked[place], share, made[0] if made else None))
        return found


Examples = Mapping[tuple[str, str, str], str]
"""An answer that shows a mistake, by lesson, exercise and mistake."""


@dataclass(frozen=True)
class ClassReport:
    """All that a report says.

    Attributes:
        summaries: the lessons, in the order of the course, each with at least one submission.
        students: the class list, in the order in which it is shown.
        examples: see :mod:`autograder.report.examples`.
        anonymous: whether the students are "student 1" and so on.
    """

    summaries: tuple[Summary, ...]
    students: tuple[str, ...]
    examples: Examples = field(default_factory=dict)
    anonymous: bool = False

    @classmethod
    def of(
        cls, summaries: Sequence[Summary], students: Sequence[str] = (), examples: Examples | None = None
    ) -> ClassReport:
        """A report on these lessons; whoever handed one in is in the class."""
        handed_in = {str(entry["student"]) for summary in summaries for entry in summary.entries}
        return cls(tuple(summaries), tuple(sorted(handed_in.union(students))), examples or {})

    def without_names(self) -> ClassReport:
        """The same with "student 1" and so on for students, in an order that has nothing to do with their names."""
        shuffled = list(self.students)
        random.SystemRandom().shuffle(shuffled)
        label = {student: f"student {number}" for number, student in enumerate(shuffled, start=1)}
        place = {label: number for number, label in enumerate(label.values())}
        hidden = []
        for summary in self.summaries:
            entries = [_nameless(entry, label[str(entry["student"])]) for entry in summary.entries]
            entries.sort(key=lambda entry: place[entry["student"]])
            hidden.append(replace(summary, entries=tuple(entries)))
        return ClassReport(tuple(hidden), tuple(place), self.examples, anonymous=True)


def _nameless(entry: Entry, label: str) -> Entry:
    """An entry without what the learner wrote: a message may quote it."""
    results = [{key: value for key, value in result.items() if key != "message"} for result in entry["exercises"]]
    return {**entry, "student": label, "exercises": results}


def graded_lessons(course: Course) -> list[str]:
    """The lessons of which anything is graded, in the order of the course."""
    return [lesson for lesson in exercises.LESSONS if course.students("autograded", lesson)]


def summarise(course: Course, lesson: str) -> Summary:
    """Read the graded notebooks of a lesson.

    Raises:
        UnknownLessonError: for a lesson that the course does not have.
    """
    if lesson not in exercises.LESSONS:
        raise UnknownLessonError(f"There is no lesson {lesson!r}; the lessons are {', '.join(exercises.LESSONS)}.")
    entries = []
    for student in course.students("autograded", lesson):
        known = graded_entry(course.folder("autograded", student, lesson) / f"{lesson}.ipynb")
        if known is not None:
            entries.append({**to_entry(student, known), "seconds": known.get("seconds")})
    return Summary(lesson, exercises.of_lesson(lesson), tuple(entries))


def read_class(course: Course, summaries: Sequence[Summary]) -> ClassReport:
    """The report on these lessons, with the class list of the gradebook and examples from the graded notebooks."""
    listed = _class_list(course)
    report = ClassReport.of(summaries, list(listed))
    names = [*report.students, *(name for names in listed.values() for name in names)]
    return replace(report, examples=find_examples(course, report.summaries, names))


def _class_list(course: Course) -> dict[str, list[str]]:
    """Whom the gradebook knows, by id, with all that may name them; nobody where there is no gradebook."""
    url = make_url(course.db_url)
    if url.get_backend_name() == "sqlite" and not (course.root / str(url.database)).exists():
        return {}  # nbgrader would make one
    try:
        with quiet(), Gradebook(course.db_url, course.directory.course_id) as gradebook:
            return {
                student.id: [name for name in (student.first_name, student.last_name, student.email) if name]
                for student in gradebook.students
            }
    except SQLAlchemyError:  # of an older nbgrader, or locked: the graded notebooks say the rest
        return {}


def print_summary(summary: Summary, console: Console) -> None:
    """Print a table of students by exercises, and one of mistakes."""
    caption = "Practice: no points. " if summary.ungraded else "Below each exercise its points, + for a bonus. "
    caption += "- is unanswered; err, time and crash are what ended the code."
    title = f"{summary.lesson}: {len(summary.entries)} submissions"
    table = Table(
        title=title,
        title_justify="left",
        caption=caption,
        caption_justify="left",
        box=box.SIMPLE_HEAD,
        padding=0,
        pad_edge=False,
    )
    table.add_column("student", max_width=20, overflow="fold")  # e-mail addresses are long
    for exercise in summary.exercises:
        points = f"+{exercise.points}" if exercise.stretch else "" if exercise.practice else str(exercise.points)
        table.add_column(f"{exercise.name}\n{points}".rstrip().replace("_", "\n"), justify="right")
    table.add_column("right" if summary.ungraded else f"score\n{summary.max_score or '(bonus)'}", justify="right")
    table.add_column("outcome", no_wrap=True)
    for entry, score in zip(summary.entries, summary.scores, strict=True):
        cells = [_cell(summary.result(entry, exercise)) for exercise in summary.exercises]
        table.add_row(escape(str(entry["student"])), *cells, str(score), str(entry["outcome"]))
    shares = [f"{summary.share(exercise):.0%}" for exercise in summary.exercises]
    mean = sum(summary.scores) / len(summary.scores)
    table.add_section()
    table.add_row("share", *shares, f"{mean:.1f}", "mean")
    console.print(table)
    mistakes = summary.mistakes()
    if mistakes:
        console.print()
        table = Table(title="Recognised mistakes", title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
        for head, justify in (("students", "right"), ("exercise", "left"), ("mistake", "left")):
            table.add_column(head, justify=justify)  # type: ignore[arg-type]
        for mistake in mistakes:
            table.add_row(str(mistake.students), mistake.exercise, escape(mistake.sentence))
        console.print(table)
    again = summary.teach_again()
    if again:
        console.print("\n[italic]What to teach again[/]")
    for exercise, share, made in again:
        said = f"{exercise.name}: {share:.0%} of {'answers right' if exercise.practice else 'the points'}"
        if made is not None:
            said += f"; {made.students} of {made.of} who answered: {made.sentence}"
        console.print(Padding(escape(said), (0, 0, 0, 2)), highlight=False)


def _cell(result: Mapping[str, Any] | None) -> str:
    if result is None:
        return "-"
    outcome = str(result["outcome"])
    text = _SHORT.get(outcome, str(result["points"]) if result["max_points"] else outcome)  # practice has no points
    return f"[{_MARKS.get(outcome, 'red')}]{text}[/]"
