"""Everything that the class report draws, as CSV files for a spreadsheet or a program.

A file begins with a mark that it is UTF-8, without which Excel garbles names. A text that a spreadsheet would take for
a formula gets an apostrophe before it; numbers stay numbers, shares are from 0 to 1, what is not defined is empty.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from autograder.files import write_atomically
from autograder.report.items import LessonFigures, lesson_figures, mistake_pairs, students_at_risk
from autograder.report.statistics import Estimate
from autograder.report.summary import ClassReport, Summary
from course_lib.exercises.grading import OUTCOMES

Cell = str | int | float | None
Rows = list[tuple[Cell, ...]]
_FORMULA = tuple("=+-@\t\r\n＝＋－＠")  # full-width signs count in some spreadsheets
_SHARE = ("", "_low", "_high")


def write_tables(folder: Path, report: ClassReport) -> list[Path]:
    """Write one file a table, each at once or not at all; returns them.

    Raises:
        OSError: where the folder cannot be written.
    """
    written = []
    for name, rows in tables(report).items():
        path = folder / f"{name}.csv"
        write_atomically(path, ("\ufeff" + as_csv(rows)).encode("utf-8", "backslashreplace"))
        written.append(path)
    return written


def tables(report: ClassReport) -> Mapping[str, Rows]:
    """The tables by the names of their files; the first row of each has the names of its columns."""
    found = [(summary, lesson_figures(summary)) for summary in report.summaries]
    return {
        "lessons": _lessons(report, found),
        "exercises": _exercises(found),
        "mistakes": _mistakes(report),
        "pairs": _pairs(report),
        "marks": _marks(report),
        "answers": _answers(report),
        "at_risk": _at_risk(report),
    }


def as_csv(rows: Iterable[Sequence[Cell]]) -> str:
    """Rows as CSV with CRLF line ends (RFC 4180); no cell of text is a formula."""
    out = io.StringIO()
    csv.writer(out).writerows([_plain(cell) for cell in row] for row in rows)
    return out.getvalue()


def _plain(cell: Cell) -> Cell:
    if isinstance(cell, float):
        return repr(cell)
    if isinstance(cell, str) and cell.lstrip(" ").startswith(_FORMULA):
        return f"'{cell}"
    return cell


def _columns(*names: str) -> list[str]:
    """Names of columns; one that ends with * stands for a value and the ends of its interval."""
    return [name.rstrip("*") + end for name in names for end in (_SHARE if name.endswith("*") else ("",))]


def _values(*estimates: Estimate) -> list[Cell]:
    return [value for each in estimates for value in (each.value, each.low, each.high)]


def _lessons(report: ClassReport, found: Sequence[tuple[Summary, LessonFigures]]) -> Rows:
    head = _columns(
        "lesson", "class", "submissions", "readable", "worked_on", "mean", "median", "lowest", "highest", "core_points",
        "core_share*", "alpha*", "alpha_exercises", "seconds_median", "seconds_longest",
    )  # fmt: skip
    rows: Rows = [tuple(head)]
    for summary, of in found:
        counts = len(report.students), len(summary.entries), len(summary.read), of.worked
        scores = of.mean, of.median, of.lowest, of.highest, summary.max_score
        times = of.seconds_median, of.seconds_longest
        rows.append((summary.lesson, *counts, *scores, *_values(of.core, of.alpha), len(of.scale), *times))
    return rows


def _exercises(found: Sequence[tuple[Summary, LessonFigures]]) -> Rows:
    head = _columns(
        "lesson", "exercise", "kind", "points", "submissions", "share*", "answered*", "share_of_answers*",
        "discrimination*", "discrimination_students", *OUTCOMES,
    )  # fmt: skip
    rows: Rows = [tuple(head)]
    for summary, of in found:
        for each in of.exercises:
            what = summary.lesson, each.exercise.name, each.kind, each.exercise.points, len(summary.entries)
            shares = _values(each.share, each.answered, each.share_of_answers, each.discrimination)
            rows.append((*what, *shares, each.discrimination.n, *each.outcomes.values()))
    return rows


def _mistakes(report: ClassReport) -> Rows:
    rows: Rows = [("lesson", "exercise", "mistake", "students", "answered", "sentence")]
    for summary in report.summaries:
        for each in summary.mistakes():
            rows.append((summary.lesson, each.exercise, each.name, each.students, each.of, each.sentence))
    return rows


def _pairs(report: ClassReport) -> Rows:
    rows: Rows = [("first", "second", "students", "together", "expected", "p", "q")]
    for each in mistake_pairs(report):
        if each.together:  # the others are many, and say nothing
            rows.append((each.first, each.second, each.n, each.together, each.expected, each.p, each.q))
    return rows


def _marks(report: ClassReport) -> Rows:
    rows: Rows = [("student", "lesson", "outcome", "score", "core_share", "seconds")]
    for summary in report.summaries:
        for entry, score in zip(summary.entries, summary.scores, strict=True):
            core = summary.core_share(entry) if summary.max_score else None
            # How long it took could tell whose it is.
            seconds = None if report.anonymous else entry.get("seconds")
            rows.append((str(entry["student"]), summary.lesson, str(entry["outcome"]), score, core, seconds))
    return rows


def _answers(report: ClassReport) -> Rows:
    rows: Rows = [("student", "lesson", "exercise", "outcome", "points", "mistake")]
    for summary in report.summaries:
        for entry in summary.entries:
            for exercise in summary.exercises:
                result = summary.result(entry, exercise)
                points, mistake = (result["points"], result["misconception"]) if result else (0, None)
                outcome = summary.outcome(entry, exercise)
                rows.append((str(entry["student"]), summary.lesson, exercise.name, outcome, points, mistake))
    return rows


def _at_risk(report: ClassReport) -> Rows:
    rows: Rows = [("student", "rules", "reason")]
    rows += [(each.student, " ".join(each.rules), each.reason) for each in students_at_risk(report) or ()]
    return rows
