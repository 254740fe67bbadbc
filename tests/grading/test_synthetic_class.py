"""On a class whose mistakes are known, the report says what is true; and its figures are those of SciPy."""

from __future__ import annotations

import csv
import shutil
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from autograder.gradebook import Course
from autograder.report.items import lesson_figures, mistake_pairs
from autograder.report.page import page
from autograder.report.summary import ClassReport, Summary, read_class, summarise
from autograder.report.tables import write_tables
from course_lib import exercises
from tests.grading.synthetic_class import FIRST, HABIT, LAST, Student, grade_class, make

LESSONS = ("01_backpropagation", "04_adaptive_optimizers")


@dataclass(frozen=True)
class Known:
    """A class, the truth about it, and what the report says."""

    course: Course
    students: dict[str, list[Student]]
    report: ClassReport


@pytest.fixture(scope="module", params=[24, pytest.param(300, marks=pytest.mark.slow)])
def known(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, root: Path) -> Known:
    folder = tmp_path_factory.mktemp("synthetic") / "course"
    for lesson in LESSONS:
        (folder / "solutions" / lesson).mkdir(parents=True)
        shutil.copy(root / "solutions" / lesson / f"{lesson}.ipynb", folder / "solutions" / lesson)
    course = Course(folder)
    students = {lesson: make(lesson, request.param, seed=7) for lesson in LESSONS}
    for lesson in LESSONS:
        grade_class(course, lesson, students[lesson])
    return Known(course, students, read_class(course, [summarise(course, lesson) for lesson in LESSONS]))


def kind_of(outcome: str, mistake: str | None) -> str:
    """The truth that an outcome speaks of."""
    if mistake is not None:
        return "mistake"
    return {"right": "right", "unanswered": "unanswered", "error": "error"}.get(outcome, outcome)


def test_the_report_knows_what_every_student_did(known: Known) -> None:
    total = agreed = 0
    for summary in known.report.summaries:
        entries = {str(entry["student"]): entry for entry in summary.entries}
        for student in known.students[summary.lesson]:
            outcome = {"garbage": "malformed", "nothing": "missing"}.get(student.handed_in, "graded")
            assert entries[student.name]["outcome"] == outcome
            for exercise in summary.exercises:
                truth = student.truths[exercise.name]
                result = summary.result(entries[student.name], exercise)
                assert result is not None
                total += 1
                said = kind_of(str(result["outcome"]), result["misconception"]), result["misconception"]
                agreed += said == (truth.kind, truth.mistake)
                if truth.kind == "right":
                    assert summary.part(entries[student.name], exercise) == 1
    assert total == sum(len(exercises.of_lesson(lesson)) for lesson in LESSONS) * len(known.report.students)
    assert agreed / total >= 0.95


def test_the_counts_are_the_truth(known: Known, tmp_path: Path) -> None:
    """Read from the tables that the command writes, as anybody else would."""
    write_tables(tmp_path, known.report)
    rows = {name: read(tmp_path / f"{name}.csv") for name in ("mistakes", "exercises")}
    made = {(row["lesson"], row["exercise"], row["mistake"]): int(row["students"]) for row in rows["mistakes"]}
    exact = total = 0
    for lesson in LESSONS:
        for exercise in exercises.of_lesson(lesson):
            truths = [student.truths[exercise.name] for student in known.students[lesson]]
            (row,) = (
                each for each in rows["exercises"] if (each["lesson"], each["exercise"]) == (lesson, exercise.name)
            )
            kinds = Counter(truth.kind for truth in truths)
            mistakes = Counter(truth.mistake for truth in truths if truth.mistake)
            said = {
                mistake: count for (at, name, mistake), count in made.items() if (at, name) == (lesson, exercise.name)
            }
            total += 1
            exact += (
                said == dict(mistakes)
                and (int(row["right"]), int(row["unanswered"])) == (kinds["right"], kinds["unanswered"])
                and float(row["answered"]) == pytest.approx(1 - kinds["unanswered"] / len(truths))
            )
    assert exact / total >= 0.95


def test_difficulty_discrimination_and_alpha_are_those_of_other_means(known: Known) -> None:
    for summary in known.report.summaries:
        found = lesson_figures(summary)
        # The table anew from the entries, by hand.
        worked = [e for e in summary.entries if any(each["outcome"] != "unanswered" for each in e["exercises"])]
        assert found.worked == len(worked)
        points = np.array([[float(each["points"]) for each in entry["exercises"]] for entry in worked])
        most = np.array([each["max_points"] for each in summary.entries[0]["exercises"]])
        core = np.array([not each.get("bonus") for each in summary.entries[0]["exercises"]])
        for place, figures in enumerate(found.exercises):
            earned = points[:, place].sum() / (most[place] * len(summary.entries))
            assert figures.share.value == pytest.approx(earned)
            others = core.copy()
            others[place] = False
            expected = stats.pearsonr(points[:, place], points[:, others].sum(axis=1))
            between = expected.confidence_interval(0.95)
            said = figures.discrimination
            assert (said.value, said.low, said.high) == pytest.approx((expected.statistic, *between), abs=1e-12)
        covariance = np.cov(points[:, core].T)
        k = int(core.sum())
        assert found.alpha.value == pytest.approx(k / (k - 1) * (1 - np.trace(covariance) / covariance.sum()))


def test_the_habit_that_was_planted_is_found(known: Known) -> None:
    found = mistake_pairs(known.report)
    planted = {(pair.first.split(": ")[1], pair.second.split(": ")[1]) for pair in found if pair.q < 0.05}
    if len(known.report.students) < 300:
        assert all(pair.n >= 10 for pair in found)
        return
    assert ("rmsprop_step", "adam_step") in planted
    assert all(name.endswith(HABIT) for name in (found[0].first, found[0].second))
    assert sum(not (pair.first.endswith(HABIT) and pair.second.endswith(HABIT)) for pair in found if pair.q < 0.05) <= 2


def test_the_anonymous_report_names_nobody_and_the_other_gives_no_example_away(known: Known, tmp_path: Path) -> None:
    named = page(known.report)
    assert all(student in named for student in known.report.students)
    assert "An answer like that" in named
    for summary in known.report.summaries:  # examples are anonymous where the table beside them is not
        for key, example in known.report.examples.items():
            assert not names_in(example), (summary.lesson, key)
    hidden = known.report.without_names()
    html = page(hidden)
    assert not names_in(html)
    assert all(f">student {number}<" in html for number in range(1, len(hidden.students) + 1))
    written = write_tables(tmp_path, hidden)
    assert len(written) == 7
    for path in written:
        assert not names_in(path.read_text(encoding="utf-8-sig")), path.name


def test_examples_are_answers_of_those_who_made_the_mistake(known: Known) -> None:
    assert len(known.report.examples) >= 5
    for (lesson, exercise, mistake), text in known.report.examples.items():
        assert f"def {exercise}(*given):" in text
        assert any(student.truths[exercise].mistake == mistake for student in known.students[lesson])
        assert "#" not in text
        assert '"""' not in text


def test_anonymous_numbers_are_the_same_students_in_every_lesson(known: Known) -> None:
    hidden = known.report.without_names()
    pairs = []
    for before, after in zip(known.report.summaries, hidden.summaries, strict=True):
        assert sorted(before.scores) == sorted(after.scores)
        pairs.append((by_student(before), by_student(after)))
    (first, first_hidden), (second, second_hidden) = pairs
    together = Counter((first[name], second[name]) for name in known.report.students)
    assert together == Counter((first_hidden[name], second_hidden[name]) for name in hidden.students)
    # Nor is the order that of the names: by chance 24 students stand in it once in 24! reports.
    assert [first_hidden[name] for name in hidden.students] != [first[name] for name in known.report.students]


def by_student(summary: Summary) -> dict[str, tuple[str, ...]]:
    return {
        str(entry["student"]): tuple(summary.outcome(entry, exercise) for exercise in summary.exercises)
        for entry in summary.entries
    }


def names_in(text: str) -> list[str]:
    """Parts of names of the class that a text holds."""
    parts = {part for name in (*FIRST, *LAST) for part in name.split("-") if len(part) > 2}
    return [part for part in parts if part in text.casefold()]


def read(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))
