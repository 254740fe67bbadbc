"""The class report: who did what, and which mistakes how many students made; in the terminal and as one page."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup
from markupsafe import escape as escape_html
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from autograder.class_grading import Entry, graded_entries
from autograder.gradebook import Course
from autograder.lesson import UnknownLessonError
from course_lib import exercises, figures
from course_lib.exercises.exercise import Exercise
from course_lib.exercises.grading import OUTCOMES as EXERCISE_OUTCOMES

_SHORT = {"unanswered": "-", "error": "err", "timeout": "time", "crashed": "crash"}
_MARKS = {"right": "green", "partial": "yellow", "unanswered": "dim"}


@dataclass(frozen=True)
class Mistake:
    """A recognised mistake and how many students made it."""

    exercise: str
    name: str
    sentence: str
    students: int


@dataclass(frozen=True)
class Summary:
    """What a class did in one lesson.

    Attributes:
        lesson: its folder.
        exercises: in the order of the notebook.
        entries: one for each submission, as `pipeline` writes them, with the student.
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

    def result(self, entry: Entry, exercise: Exercise) -> Mapping[str, Any] | None:
        """How a submission did in an exercise."""
        return next((found for found in entry["exercises"] if found["id"] == exercise.name), None)

    def share(self, exercise: Exercise) -> float:
        """The share of an exercise's points that the class earned, of practice that of right answers; from 0 to 1."""
        results = [self.result(entry, exercise) for entry in self.entries]
        if exercise.practice:
            right: int = sum(result["outcome"] == "right" for result in results if result)
            return right / len(self.entries)
        earned: int = sum(result["points"] for result in results if result)
        return earned / (exercise.points * len(self.entries))

    def mistakes(self) -> list[Mistake]:
        """The recognised mistakes, the most frequent first."""
        found = []
        for exercise in self.exercises:
            made = [r["misconception"] for entry in self.entries if (r := self.result(entry, exercise))]
            for mistake in exercise.misconceptions:
                count = made.count(mistake.name)
                if count:
                    found.append(Mistake(exercise.name, mistake.name, mistake.sentence, count))
        return sorted(found, key=lambda mistake: -mistake.students)


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
    return Summary(lesson, exercises.of_lesson(lesson), tuple(graded_entries(course, lesson)))


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


def page(summaries: Sequence[Summary]) -> str:
    """One self-contained HTML page, without scripts."""
    folder = Path(__file__).parent / "templates"
    environment = jinja2.Environment(loader=jinja2.FileSystemLoader(folder), autoescape=True, trim_blocks=True)
    environment.filters["code"] = _code
    environment.filters["wrapping"] = _wrapping
    plots = {summary.lesson: plot(summary, number) for number, summary in enumerate(summaries)}
    return environment.get_template("report.html.j2").render(
        summaries=summaries, plots=plots, outcomes=EXERCISE_OUTCOMES
    )


def plot(summary: Summary, number: int = 0) -> str:
    """Marks and shares of points as an SVG element that says in words what is to be seen.

    Args:
        summary: what to draw.
        number: tells the ids of one plot on a page from those of another.
    """
    import matplotlib.pyplot as plt

    scores, most = summary.scores, max([summary.max_score, *summary.scores])
    shares = [summary.share(exercise) for exercise in summary.exercises]
    with figures.style():
        height = max(2.8, 0.42 * len(shares) + 1.1)
        fig, (left, right) = plt.subplots(1, 2, figsize=(10, height))
        left.hist(scores, bins=[edge - 0.5 for edge in range(most + 2)], color=figures.PALETTE["blue"], rwidth=0.9)
        meant = f"dashed: {summary.max_score}, all of the core" if summary.max_score else "all of them a bonus"
        if summary.ungraded:
            left.set(title="Ungraded", xlabel=f"right answers, of {len(summary.exercises)}", ylabel="students")
        else:
            left.set(title="Marks", xlabel=f"points ({meant})", ylabel="students")
        if summary.max_score:
            left.axvline(summary.max_score, color=figures.PALETTE["black"], linewidth=1, linestyle="--")
        left.yaxis.get_major_locator().set_params(integer=True)
        names = [f"{exercise.name}{_kind(exercise)}" for exercise in summary.exercises]
        colours = [figures.PALETTE["sky" if exercise.stretch else "blue"] for exercise in summary.exercises]
        right.barh(names, [100 * share for share in shares], color=colours)
        right.invert_yaxis()
        title, xlabel = ("Points earned", "% of the exercise's points")
        if summary.ungraded:
            title, xlabel = ("Right answers", "% of the students")
        right.set(title=title, xlabel=xlabel, xlim=(0, 100))
        out = io.StringIO()
        fig.savefig(out, format="svg", metadata={"Date": None})
        figures.close(fig)
    told = ", ".join(f"{name} {share:.0%}" for name, share in zip(names, shares, strict=True))
    if summary.ungraded:
        alt = (
            f"Left, right answers of {len(scores)} students in {summary.lesson}, which is ungraded: from {min(scores)} "
            f"to {max(scores)} of {len(summary.exercises)}. Right, the share of students who have each right: {told}."
        )
        return _inline(out.getvalue(), alt, f"plot{number}")
    worth = f"{summary.max_score} for all of the core" if summary.max_score else "all of them a bonus"
    alt = (
        f"Left, marks of {len(scores)} students in {summary.lesson}: from {min(scores)} to {max(scores)} points, "
        f"{worth}. Right, the share of points earned in each exercise: {told}."
    )
    return _inline(out.getvalue(), alt, f"plot{number}")


def _kind(exercise: Exercise) -> str:
    return " (practice)" if exercise.practice else " (bonus)" if exercise.stretch else ""


def _inline(svg: str, alt: str, prefix: str) -> str:
    """An SVG document as an element of a page: with a title, a label, and ids of its own."""
    element = svg[svg.index("<svg") :]
    element = re.sub(r"<metadata>.*?</metadata>", "", element, flags=re.DOTALL)
    element = re.sub(r'(\bid="|url\(#|href="#)', rf"\g<1>{prefix}-", element)
    words = escape_html(alt)
    opening, rest = element.split(">", 1)
    return f'{opening} role="img" aria-label="{words}"><title>{words}</title>{rest}'


def _code(text: str) -> Markup:
    """Text with what stands between backticks as code."""
    pieces = str(escape_html(text)).split("`")
    return Markup("".join(f"<code>{piece}</code>" if index % 2 else piece for index, piece in enumerate(pieces)))  # noqa: S704


def _wrapping(name: str) -> Markup:
    """A name that may be broken at its underscores."""
    return escape_html(name).replace("_", Markup("_<wbr>"))


def _cell(result: Mapping[str, Any] | None) -> str:
    if result is None:
        return "-"
    outcome = str(result["outcome"])
    text = _SHORT.get(outcome, str(result["points"]) if result["max_points"] else outcome)  # practice has no points
    return f"[{_MARKS.get(outcome, 'red')}]{text}[/]"
