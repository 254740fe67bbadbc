"""Every figure of the report is in a table; no text in it is a formula, and no number is a text."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autograder.report.at_risk import RULES
from autograder.report.items import lesson_figures
from autograder.report.summary import ClassReport, Summary
from autograder.report.tables import as_csv, tables, write_tables
from tests.grading.fixture_lesson import EXERCISES, NAME
from tests.grading.test_report import SUMMARY, entry, result

FORMULAS = ("=cmd|' /C calc'!A0", "+1", "-1+1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "  =1", "＝1", "－1", "＠1", "＋1")


@pytest.mark.parametrize("text", FORMULAS)
def test_no_cell_of_text_is_a_formula(text: str) -> None:
    (row,) = csv.reader(io.StringIO(as_csv([(text, "plain")]), newline=""))
    assert row == [f"'{text}", "plain"]


def test_numbers_stay_numbers() -> None:
    assert as_csv([(-0.25, -3, 1e-300, None, 0.1 + 0.2)]) == "-0.25,-3,1e-300,,0.30000000000000004\r\n"


@given(st.lists(st.lists(st.text(), min_size=2, max_size=4), max_size=4))
def test_every_text_comes_back_behind_an_apostrophe_at_most(rows: list[list[str]]) -> None:
    back = list(csv.reader(io.StringIO(as_csv(rows), newline="")))
    assert [[text.removeprefix("'") for text in row] for row in back] == [
        [text.removeprefix("'") for text in row] for row in rows
    ]
    assert not [text for row in back for text in row if text.lstrip(" ")[:1] in tuple("=+-@\t\r\n")[:] and text[:1]]


def hostile() -> ClassReport:
    entries = [entry(name, "graded", result(0, 0, "wrong", "adds")) for name in FORMULAS]
    return ClassReport.of([SUMMARY, Summary("91_more", EXERCISES, tuple(entries))], ['a,"b"\n'])


def test_the_files_hold_what_the_page_draws(tmp_path: Path) -> None:
    report = ClassReport.of([SUMMARY])
    found = {path.stem: path for path in write_tables(tmp_path, report)}
    assert set(found) == {"lessons", "exercises", "mistakes", "pairs", "marks", "answers", "at_risk"}
    assert found["lessons"].read_bytes().startswith("\ufefflesson,class,".encode())
    rows = {name: read(path) for name, path in found.items()}
    (lesson,) = rows["lessons"]
    assert (lesson["lesson"], lesson["class"], lesson["submissions"]) == (NAME, "4", "4")
    assert (float(lesson["mean"]), float(lesson["median"])) == (13 / 4, 2.5)
    assert (lesson["alpha"], lesson["seconds_median"]) == ("", "")
    scale = rows["exercises"][0]
    figures = lesson_figures(SUMMARY).exercises[0]
    assert (scale["exercise"], scale["kind"], scale["right"], scale["wrong"]) == ("scale", "core", "1", "2")
    assert [float(scale[f"share{end}"]) for end in ("", "_low", "_high")] == [
        figures.share.value, figures.share.low, figures.share.high,
    ]  # fmt: skip
    assert [(row["mistake"], row["students"], row["answered"]) for row in rows["mistakes"]] == [
        ("adds", "2", "4"),
        ("divides", "1", "4"),
    ]
    assert [(row["student"], row["score"]) for row in rows["marks"]] == [
        ("ada", "8"), ("bob", "0"), ("<i>cy</i>", "0"), ("dan", "5"),
    ]  # fmt: skip
    assert len(rows["answers"]) == 12
    assert rows["answers"][3] == {
        "student": "bob", "lesson": NAME, "exercise": "scale", "outcome": "wrong", "points": "0", "mistake": "adds",
    }  # fmt: skip


def test_every_table_of_hostile_names_is_harmless_and_has_rows_of_one_length() -> None:
    for report in (hostile(), hostile().without_names()):
        for name, rows in tables(report).items():
            back = list(csv.reader(io.StringIO(as_csv(rows), newline="")))
            assert {len(row) for row in back} == {len(rows[0])}, name
            for row, cells in zip(back[1:], rows[1:], strict=True):
                texts = [text for text, cell in zip(row, cells, strict=True) if isinstance(cell, str)]
                assert not [
                    text for text in texts if text.lstrip(" ").startswith(("=", "+", "-", "@", "\t", "\r", "\n"))
                ]


def test_how_long_it_took_is_not_in_an_anonymous_table() -> None:
    timed = Summary(NAME, EXERCISES, tuple({**each, "seconds": 1.25} for each in SUMMARY.entries))
    report = ClassReport.of([timed])
    assert {row[-1] for row in tables(report)["marks"][1:]} == {1.25}
    assert {row[-1] for row in tables(report.without_names())["marks"][1:]} == {None}


def read(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def test_the_documentation_names_every_table_column_and_rule(root: Path) -> None:
    text = (root / "docs" / "report.md").read_text(encoding="utf-8")
    for name, rows in tables(ClassReport.of([SUMMARY])).items():
        (line,) = (line for line in text.splitlines() if line.startswith(f"| `{name}.csv`"))
        told = re.findall(r"`(\w+)`", line.split("|")[3])
        columns = [str(column) for column in rows[0] if not str(column).endswith(("_low", "_high"))]
        assert [name for name in told if name not in RULES] == columns, name
    for rule in RULES.values():
        assert f"- {rule}" in text
