"""The class report counts right, and its page stands alone."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import pytest
from rich.console import Console

from autograder.report import Summary, page, plot, print_summary
from tests.grading.fixture_lesson import EXERCISES, NAME


def result(exercise: int, points: int, outcome: str, misconception: str | None = None) -> dict[str, Any]:
    asked = EXERCISES[exercise]
    return {
        "id": asked.name,
        "points": points,
        "max_points": asked.points,
        "outcome": outcome,
        "misconception": misconception,
        "message": "m",
    }


def entry(student: str, outcome: str, *results: dict[str, Any]) -> dict[str, Any]:
    score = sum(each["points"] for each in results)
    return {"student": student, "outcome": outcome, "score": score, "max_score": 6, "exercises": list(results)}


SUMMARY = Summary(
    NAME,
    EXERCISES,
    (
        entry("ada", "graded", result(0, 4, "right"), result(1, 2, "right"), result(2, 2, "right")),
        entry(
            "bob", "graded", result(0, 0, "wrong", "adds"), result(1, 0, "wrong", "divides"), result(2, 0, "unanswered")
        ),
        entry(
            "<i>cy</i>", "timeout", result(0, 0, "wrong", "adds"), result(1, 0, "timeout"), result(2, 0, "unanswered")
        ),
        entry("dan", "graded", result(0, 3, "partial"), result(1, 2, "right"), result(2, 0, "error")),
    ),
)


def test_mistakes_are_counted_the_most_frequent_first() -> None:
    assert [(each.exercise, each.name, each.students) for each in SUMMARY.mistakes()] == [
        ("scale", "adds", 2),
        ("centre", "divides", 1),
    ]


def test_the_share_of_points_is_that_of_the_class() -> None:
    assert [SUMMARY.share(exercise) for exercise in EXERCISES] == [7 / 16, 4 / 8, 2 / 8]


def test_the_terminal_shows_every_student_and_mistake() -> None:
    console = Console(width=80, record=True, quiet=True)
    console.quiet = False
    with console.capture() as shown:
        print_summary(SUMMARY, console)
    text = shown.get()
    for word in (
        "ada",
        "bob",
        "<i>cy</i>",
        "dan",
        "time",
        "err",
        "timeout",
        "44%",
        "50%",
        "25%",
        "This adds the factor.",
    ):
        assert word in text
    assert "\u2026" not in text  # nothing is cut off at 80 columns


def test_a_student_with_a_long_name_leaves_room_for_the_marks_at_80_columns() -> None:
    exercises = tuple(replace(EXERCISES[0], name=f"exercise_number_{number}") for number in range(6))
    name = "maximiliane.von.und.zu.hohenstein@student.example.edu"
    results = [{**result(0, 4, "crashed"), "id": exercise.name} for exercise in exercises]
    console = Console(width=80, no_color=True)
    with console.capture() as shown:
        print_summary(Summary(NAME, exercises, (entry(name, "malformed", *results),)), console)
    lines = shown.get().splitlines()
    assert "\u2026" not in shown.get()
    assert sum("crash crash crash crash crash crash" in " ".join(line.split()) for line in lines) == 1
    assert name in "".join(line.split()[0] for line in lines if line.strip())  # folded, not cut


PRACTICE = tuple(
    replace(exercise, groups=tuple(replace(group, points=0) for group in exercise.groups), stretch=False)
    for exercise in EXERCISES[:2]
)


def ungraded() -> Summary:
    none = {"points": 0, "max_points": 0}
    return Summary(
        NAME,
        PRACTICE,
        (
            entry("ada", "graded", {**result(0, 0, "right"), **none}, {**result(1, 0, "right"), **none}),
            entry("bob", "graded", {**result(0, 0, "wrong", "adds"), **none}, {**result(1, 0, "right"), **none}),
        ),
    )


def test_an_ungraded_lesson_counts_right_answers() -> None:
    summary = ungraded()
    assert (summary.ungraded, SUMMARY.ungraded, summary.max_score) == (True, False, 0)
    assert summary.scores == [2, 1]
    assert [summary.share(exercise) for exercise in PRACTICE] == [0.5, 1.0]
    console = Console(width=80)
    with console.capture() as shown:
        print_summary(summary, console)
    text = " ".join(shown.get().split())
    assert "student scale centre right outcome" in text
    assert "bob wrong right 1 graded" in text
    assert "share 50% 100% 1.5 mean" in text
    assert "This adds the factor." in text
    html = page([summary])
    assert "This lesson is ungraded. On average 1.5 of" in html
    assert 'centre<span class="note">practice</span>' in html
    assert "<td>wrong</td><td>right</td>" in html.replace("\n", "")
    assert "right answers of 2 students in 90_fixture, which is ungraded: from 1 to 2 of 2" in html


def test_a_lesson_whose_points_are_all_a_bonus_is_reported_as_such() -> None:
    bonus = EXERCISES[2]
    summary = Summary(
        NAME, (bonus,), (entry("ada", "graded", result(2, 2, "right")), entry("bob", "graded", result(2, 0, "wrong")))
    )
    assert summary.max_score == 0
    console = Console(width=80, no_color=True)
    with console.capture() as shown:
        print_summary(summary, console)
    assert "(bonus)" in shown.get()
    assert re.search(r"ada +2 +2 graded", shown.get())
    svg = plot(summary)
    assert "marks of 2 students in 90_fixture: from 0 to 2 points, all of them a bonus." in svg
    assert "all of the core" not in svg
    assert '<th scope="col">score<span class="note">bonus</span></th>' in page([summary])


class Links(HTMLParser):
    """Collects ids, references and tags."""

    def __init__(self) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.references: list[str] = []
        self.tags: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        for name, value in attrs:
            if name == "id":
                self.ids.append(str(value))
            if name in ("href", "src", "xlink:href", "aria-labelledby"):
                self.references.append(str(value))


def test_the_page_stands_alone_and_runs_nothing() -> None:
    html = page([SUMMARY, Summary("90_second", SUMMARY.exercises, SUMMARY.entries)])
    found = Links()
    found.feed(html)
    assert "script" not in found.tags
    assert "i" not in found.tags  # a student's name is text
    assert "&lt;i&gt;cy&lt;/i&gt;" in html
    assert "default-src 'none'" in html
    assert len(found.ids) == len(set(found.ids))
    assert {reference.removeprefix("#") for reference in found.references} <= set(found.ids)
    assert not re.search(r"url\((?!#plot)", html)


def test_the_plot_says_in_words_what_it_shows() -> None:
    svg = plot(SUMMARY)
    words = "marks of 4 students in 90_fixture: from 0 to 8 points, 6 for all of the core"
    assert words in svg
    assert "scale 44%, centre 50%, shift (bonus) 25%" in svg
    assert svg.startswith("<svg")
    assert 'role="img"' in svg


@pytest.mark.parametrize("scores", [(0,), (0, 0, 0)])
def test_a_class_without_points_can_be_drawn(scores: tuple[int, ...]) -> None:
    empty = tuple(entry(f"s{number}", "missing", result(0, 0, "unanswered")) for number, _ in enumerate(scores))
    assert "<svg" in page([Summary(NAME, EXERCISES, empty)])
