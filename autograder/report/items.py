"""What the summaries of a class report say of exercises, lessons and mistakes, as figures with intervals."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from autograder.class_grading import Entry
from autograder.report.at_risk import FEWEST, Risk, at_risk
from autograder.report.statistics import (
    Estimate,
    Pair,
    Table,
    cronbach_alpha,
    discrimination,
    mean_share,
    pairs,
    share,
)
from autograder.report.summary import ClassReport, Summary
from course_lib.exercises.exercise import Exercise
from course_lib.exercises.grading import OUTCOMES


@dataclass(frozen=True)
class ExerciseFigures:
    """How a class did in an exercise.

    Attributes:
        exercise: which.
        share: of its points, over all submissions; in practice of right answers.
        share_of_answers: the same over the submissions that answer it.
        answered: the share of submissions that answer it.
        discrimination: corrected item-total correlation.
        outcomes: how many submissions ended in each outcome.
    """

    exercise: Exercise
    share: Estimate
    share_of_answers: Estimate
    answered: Estimate
    discrimination: Estimate
    outcomes: Mapping[str, int]

    @property
    def kind(self) -> str:
        """What its points are."""
        return "practice" if self.exercise.practice else "bonus" if self.exercise.stretch else "core"


@dataclass(frozen=True)
class LessonFigures:
    """How a class did in a lesson.

    Attributes:
        mean, median, lowest, highest: of the scores, the bonus included; of an ungraded lesson of right answers.
        core: the mean share of the core points, over readable notebooks; without a value where there are none.
        alpha: Cronbach's, of the exercises in `scale`.
        scale: the exercises that make up the total: the core, or all where there is no core.
        worked: in how many submissions at least one exercise is answered; `alpha` and `discrimination` are of these.
        seconds_median, seconds_longest: what grading a submission took; None where that is not known.
        exercises: in the order of the lesson.
    """

    mean: float
    median: float
    lowest: int
    highest: int
    core: Estimate
    alpha: Estimate
    scale: tuple[Exercise, ...]
    worked: int
    seconds_median: float | None
    seconds_longest: float | None
    exercises: tuple[ExerciseFigures, ...]


def lesson_figures(summary: Summary) -> LessonFigures:
    """Work out the figures of a lesson with at least one submission."""
    core = tuple(exercise for exercise in summary.exercises if exercise.core_points)
    scale = core or summary.exercises
    worked = [
        entry
        for entry in summary.entries
        if any(summary.outcome(entry, exercise) != "unanswered" for exercise in summary.exercises)
    ]
    total = points_table(summary, worked, scale).sum(axis=1)
    found = []
    for exercise in summary.exercises:
        own = points_table(summary, worked, (exercise,))[:, 0]
        rest = total - own if exercise in scale else total
        found.append(_exercise_figures(summary, exercise, discrimination(own, rest)))
    scores = summary.scores
    seconds = [float(entry["seconds"]) for entry in summary.entries if entry.get("seconds") is not None]
    shares = [summary.core_share(entry) for entry in summary.read]
    return LessonFigures(
        mean=statistics.fmean(scores),
        median=statistics.median(scores),
        lowest=min(scores),
        highest=max(scores),
        core=mean_share(shares) if core else Estimate(None, why="no core points"),
        alpha=cronbach_alpha(points_table(summary, worked, scale)),
        scale=scale,
        worked=len(worked),
        seconds_median=statistics.median(seconds) if seconds else None,
        seconds_longest=max(seconds) if seconds else None,
        exercises=tuple(found),
    )


def points_table(summary: Summary, entries: Sequence[Entry], asked: Sequence[Exercise]) -> Table:
    """The points, of practice 1 for a right answer; shape (entries, exercises)."""
    rows = [[summary.part(entry, each) * (each.points or 1) for each in asked] for entry in entries]
    # Points are whole; a share times the points may miss one by a rounding.
    return np.round(np.array(rows, dtype=np.float64).reshape(len(rows), len(asked)))


def _exercise_figures(summary: Summary, exercise: Exercise, discriminates: Estimate) -> ExerciseFigures:
    n = len(summary.entries)
    outcomes = Counter(summary.outcome(entry, exercise) for entry in summary.entries)
    earned = sum(summary.part(entry, exercise) for entry in summary.entries)
    answered = n - outcomes["unanswered"]
    return ExerciseFigures(
        exercise=exercise,
        share=share(min(earned, n), n),
        share_of_answers=share(min(earned, answered), answered),
        answered=share(answered, n),
        discrimination=discriminates,
        outcomes={outcome: outcomes[outcome] for outcome in OUTCOMES},
    )


def scored(report: ClassReport) -> list[Summary]:
    """The lessons with core points: those that progress and the rules for risk look at."""
    return [summary for summary in report.summaries if summary.max_score]


def counted(report: ClassReport) -> list[Summary]:
    """The lessons that the rules for risk look at: scored, and handed in by at least half of the class."""
    return [summary for summary in scored(report) if 2 * len(summary.read) >= len(report.students)]


def students_at_risk(report: ClassReport) -> list[Risk] | None:
    """Whom a rule applies to, in the order of the class list; None where there are too few lessons to tell."""
    lessons = counted(report)
    if len(lessons) < FEWEST:
        return None
    shares = [{str(entry["student"]): lesson.core_share(entry) for entry in lesson.read} for lesson in lessons]
    return at_risk({student: [by.get(student) for by in shares] for student in report.students})


def mistake_pairs(report: ClassReport) -> list[Pair]:
    """Mistakes that the same students make, named "LESSON: exercise: mistake"; see `class_statistics.pairs`."""
    made: dict[str, dict[str, bool]] = {}
    exercise_of: dict[str, object] = {}
    for summary in report.summaries:
        for mistake in summary.mistakes():
            exercise = next(each for each in summary.exercises if each.name == mistake.exercise)
            key = f"{summary.lesson}: {mistake.exercise}: {mistake.name}"
            exercise_of[key] = summary.lesson, mistake.exercise
            made[key] = {
                str(entry["student"]): result["misconception"] == mistake.name
                for entry in summary.entries
                if (result := summary.result(entry, exercise)) and result["outcome"] != "unanswered"
            }
    return pairs(made, exercise_of)
