"""The class report counts right, and its page stands alone."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import pytest
from rich.console import Console

from autograder.report import page as report_page
from autograder.report.items import counted, lesson_figures, mistake_pairs, points_table, students_at_risk
from autograder.report.summary import ClassReport, Summary, print_summary
from autograder.report.tables import tables
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


def page(summaries: list[Summary]) -> str:
    return report_page.page(ClassReport.of(summaries))


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
    assert [(each.exercise, each.name, each.students, each.of) for each in SUMMARY.mistakes()] == [
        ("scale", "adds", 2, 4),
        ("centre", "divides", 1, 4),
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
    assert "Right answers of 2 students in 90_fixture: from 1 to 2" in html
    assert "The lesson is ungraded and has 2 exercises." in html


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
    html = page([summary])
    assert "Marks of 2 students in 90_fixture: from 0 to 2, half of them at most 1. All points are a bonus." in html
    assert "all of the core" not in html
    assert '<th scope="col">score<span class="note">bonus</span></th>' in html


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
    assert not re.search(r"url\((?!#(plot|progress))", html)


def test_the_pictures_say_in_words_what_they_show() -> None:
    html = page([SUMMARY])
    for words in (
        "Marks of 4 students in 90_fixture: from 0 to 8, half of them at most 2.5. The core is worth 6.",
        "scale: 1 right, 1 partial, 2 wrong; centre: 2 right, 1 wrong, 1 timeout; shift (bonus): 1 right, 1 error, 2 u",
        "with 95% intervals: scale 44% (12% to 82%), centre 50%",
        "the 1 most frequent of 2: adds in scale 2.",
    ):
        assert words in html
    svgs = re.findall("<svg[^>]*>", html)
    assert len(svgs) == 4  # no discrimination of four students
    assert all('role="img" aria-label="' in svg for svg in svgs)


def test_what_to_teach_again_is_said_with_the_mistake_that_several_made() -> None:
    found = SUMMARY.teach_again()
    assert [(exercise.name, share, made and made.name) for exercise, share, made in found] == [
        ("scale", 7 / 16, "adds"),
        ("centre", 0.5, None),  # one student alone is no pattern; a bonus is not asked of everybody
    ]
    console = Console(width=200)
    with console.capture() as shown:
        print_summary(SUMMARY, console)
    assert "What to teach again" in shown.get()
    assert "scale: 44% of the points; 2 of 4 who answered: This adds the factor." in shown.get()
    assert "scale</strong>: 44% of the points" in page([SUMMARY])
    easy = Summary(NAME, EXERCISES, SUMMARY.entries[:1])
    with console.capture() as shown:
        print_summary(easy, console)
    assert "What to teach again" not in shown.get()
    assert "earned at least 60% of its points" in page([easy])


@pytest.mark.parametrize("scores", [(0,), (0, 0, 0), (0,) * 12])
def test_a_class_without_points_can_be_drawn(scores: tuple[int, ...]) -> None:
    empty = tuple(entry(f"s{number}", "missing", result(0, 0, "unanswered")) for number, _ in enumerate(scores))
    html = page([Summary(NAME, EXERCISES, empty)])
    assert "<svg" in html
    assert "not defined" in html
    assert not re.search(r"\bnan\b", html, flags=re.IGNORECASE)


@pytest.mark.parametrize("size", [1, 2, 3, 9, 10, 45])
def test_a_class_all_of_whom_are_right_says_what_is_not_defined(size: int) -> None:
    right = [result(0, 4, "right"), result(1, 2, "right"), result(2, 2, "right")]
    summary = Summary(NAME, EXERCISES, tuple(entry(f"s{number}", "graded", *right) for number in range(size)))
    html = page([summary])
    why = "everybody has the same in it" if size >= 10 else "fewer than 10 students"
    assert f"not defined:<br>{why}" in html
    assert "is not defined: " + ("everybody has the same total" if size >= 10 else why) in html
    assert ("a dot each" in html) == (size < 40)  # Matplotlib keeps the words of a picture as comments
    assert f"Marks of {size} students" in html


def test_what_nobody_answered_counts_for_difficulty_and_not_for_discrimination() -> None:
    blank = entry("eve", "graded", *(result(number, 0, "unanswered") for number in range(3)))
    summary = Summary(NAME, EXERCISES, (*SUMMARY.entries, blank))
    scale = lesson_figures(summary).exercises[0]
    assert (scale.share.value, scale.share.n) == (7 / 20, 5)
    assert (scale.share_of_answers.value, scale.share_of_answers.n) == (7 / 16, 4)
    assert (scale.answered.value, scale.answered.n) == (4 / 5, 5)
    assert lesson_figures(summary).worked == 4
    assert scale.outcomes["wrong"] == 2


def test_the_table_of_points_has_a_row_a_student() -> None:
    assert points_table(SUMMARY, SUMMARY.entries, EXERCISES).tolist() == [[4, 2, 2], [0, 0, 0], [0, 0, 0], [3, 2, 0]]
    assert points_table(ungraded(), ungraded().entries, PRACTICE).tolist() == [[1, 1], [0, 1]]
    assert points_table(SUMMARY, [], EXERCISES).shape == (0, 3)


def lesson(name: str, **scores: int | None) -> Summary:
    """A lesson in which each student has so many of the 4 points of `scale`; None handed in nothing readable."""
    asked = (replace(EXERCISES[0], lesson=name),)
    entries = tuple(
        entry(student, "malformed" if score is None else "graded", result(0, score or 0, "partial"))
        for student, score in scores.items()
    )
    return Summary(name, asked, entries)


def test_rules_for_risk_look_at_lessons_that_half_of_the_class_handed_in() -> None:
    first, second = lesson("01_a", ada=1, bob=4, cy=None), lesson("02_b", ada=1, bob=4)
    early = lesson("03_c", bob=0)
    report = ClassReport.of([first, second, early], ["dan"])
    assert report.students == ("ada", "bob", "cy", "dan")
    assert counted(report) == [first, second]
    assert [(each.student, each.rules) for each in students_at_risk(report) or ()] == [
        ("ada", ("low",)),
        ("cy", ("missing",)),
        ("dan", ("missing",)),
    ]
    html = report_page.page(report)
    assert '<th scope="row">cy</th><td class="text">2 of the last 2 not handed in</td>' in html
    assert "not a verdict" in html
    assert "Here: 01_a, 02_b." in html
    assert students_at_risk(ClassReport.of([first])) is None
    assert "The rules need two lessons that count" in page([first])


def test_mistakes_go_together_across_lessons_and_not_within_an_exercise() -> None:
    def made(name: str, *students: int) -> Summary:
        results = [
            result(0, 0, "wrong", "adds") if number in students else result(0, 4, "right") for number in range(20)
        ]
        entries = tuple(entry(f"s{number}", "graded", each) for number, each in enumerate(results))
        return Summary(name, EXERCISES[:1], entries)

    report = ClassReport.of([made("01_a", 1, 2, 3, 4), made("02_b", 1, 2, 3, 9)])
    (pair,) = mistake_pairs(report)
    assert (pair.first, pair.second, pair.together) == ("01_a: scale: adds", "02_b: scale: adds", 3)
    assert "<td>3</td><td>0.8</td><td>20</td>" in report_page.page(report)
    assert mistake_pairs(ClassReport.of([made("01_a", 1, 2, 3, 4)])) == []
    chance = ClassReport.of([made("01_a", 1, 2, 3), made("02_b", 7, 8, 9)])
    assert len(tables(report)["pairs"]) == 2
    assert len(tables(chance)["pairs"]) == 1  # nobody made both
    assert "Nothing stands out from chance, among 1 pair that could be looked at." in report_page.page(chance)
    assert "There is nothing to look at." in page([SUMMARY])


def test_an_anonymous_report_has_numbers_for_names_and_none_of_what_was_written() -> None:
    report = ClassReport.of([SUMMARY, Summary("91_more", EXERCISES, SUMMARY.entries[:2])], ["nobody.saw"])
    hidden = report.without_names()
    assert hidden.students == tuple(f"student {number}" for number in range(1, 6))
    assert sorted(hidden.summaries[0].scores) == sorted(SUMMARY.scores)
    told = repr(hidden)
    assert not [name for name in (*report.students, "'message'") if name in told]
    html = report_page.page(hidden)
    assert not [name for name in ("ada", "bob", "cy<", "dan", "nobody.saw") if re.search(rf"\b{name}", html)]
    assert "Nobody is named" in html
    by_score = {entry["score"]: entry["student"] for entry in hidden.summaries[0].entries}
    (ada, *_) = hidden.summaries[1].scores
    assert {entry["student"] for entry in hidden.summaries[1].entries if entry["score"] == 8} == {by_score[8]}
    rows = [int(entry["student"].split()[1]) for entry in hidden.summaries[0].entries]
    assert rows == sorted(rows)
    assert ada in (0, 8)


def test_the_numbers_of_an_anonymous_report_are_drawn_afresh() -> None:
    report = ClassReport.of([SUMMARY], [f"s{number}" for number in range(40)])
    first, second = (report.without_names().summaries[0].entries for _ in range(2))
    assert [each["student"] for each in first] != [each["student"] for each in second]
