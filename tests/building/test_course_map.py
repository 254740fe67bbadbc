"""The map of the course: what it says of the lessons, and that it is written and watched like them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from autograder.building import course, course_map
from autograder.building.source import Source, read
from course_lib import exercises
from course_lib.study import content

Points = Callable[[str], Mapping[str, int]]


@pytest.fixture(scope="module")
def sources(root: Path) -> list[Source]:
    return [read(path) for path in course.source_paths(root)]


@pytest.fixture(scope="module")
def entries(sources: list[Source]) -> list[course_map.Entry]:
    return [course_map.entry(source) for source in sources]


def test_every_lesson_says_its_minutes_and_its_points(root: Path, entries: list[course_map.Entry]) -> None:
    for one in entries:
        assert one.minutes is not None, f"{one.name} says no minutes: **Time:** about 60 minutes: ..."
        assert 20 <= one.minutes <= 75, one.name
        aim = "\n".join(cell.source for cell in read(root / "solutions" / f"{one.name}.md").notebook.cells[:3])
        if one.ungraded:
            assert "**Points:** none; this lesson is ungraded." in aim
        elif one.name in exercises.LESSONS:
            bonus = f", and {one.bonus} as a bonus" if one.bonus else ""
            assert f"**Points:** {one.points}{bonus}." in aim


def test_an_optional_lesson_is_called_so_wherever_lessons_are_listed(entries: list[course_map.Entry]) -> None:
    assert [one.number for one in entries if one.optional] == ["11"]
    assert all("(optional)" in one.title for one in entries if one.optional)
    assert "(optional)" in content.load("11_modern_optimizers").title


def test_the_map_marks_an_optional_lesson(sources: list[Source]) -> None:
    page = course_map.page(sources)
    assert 'L11["11 · modern optimizers (optional)"]' in page
    assert "| 0 + 15 |" in page
    assert page.count("An optional lesson has bonus exercises alone") == 1
    assert "An optional lesson" not in course_map.page([one for one in sources if not one.name.startswith("11")])


def test_a_lesson_builds_on_earlier_ones(entries: list[course_map.Entry]) -> None:
    for one in entries:
        assert all(before < one.number for before in one.builds_on), one.name
    assert next(one for one in entries if one.number == "04").builds_on == ("01", "02", "03")


def test_the_readme_gives_the_sums_of_the_map(root: Path, entries: list[course_map.Entry]) -> None:
    minutes = sum(one.minutes or 0 for one in entries)
    points, bonus = sum(one.points for one in entries), sum(one.bonus for one in entries)
    readme = " ".join((root / "README.md").read_text(encoding="utf-8").split())
    assert f"{len(entries)} lessons, {minutes} minutes, {points} points and {bonus} as a bonus" in readme


def test_links_lead_to_the_notebooks(root: Path) -> None:
    page = course_map.path(root).read_text(encoding="utf-8")
    links = re.findall(r"\]\(([^)]+)\)", page)
    assert len(links) == len(course.source_paths(root))
    assert all((root / "lessons" / link).is_file() for link in links)


def test_the_map_is_written_and_watched(built: Path, points: Points) -> None:
    there = course_map.path(built)
    assert "[01 · A tiny lesson](01_tiny/01_tiny.ipynb)" in there.read_text(encoding="utf-8")
    assert course.check(built, points=points) == []
    there.write_text("# Another map\n", encoding="utf-8")
    (problem,) = course.check(built, points=points)
    assert str(problem) == "lessons/README.md: differs from the lessons; mend it: python -m autograder build"
    course.build(built, points=points)
    assert course.check(built, points=points) == []


def test_a_lesson_that_is_all_practice_is_ungraded(entries: list[course_map.Entry]) -> None:
    one = replace(entries[0], points=0, bonus=0, core=("slope",), stretch=())
    assert course_map._row(one).endswith(" ungraded |")
    assert course_map._row(replace(one, bonus=5, core=(), stretch=("slope",))).endswith(" 0 + 5 |")
    assert not replace(one, core=()).ungraded


def test_a_lesson_without_aim_stands_without_minutes(edited: Callable[..., Source]) -> None:
    one = course_map.entry(edited())
    assert (one.minutes, one.builds_on, one.points) == (None, (), 0)


@pytest.mark.parametrize(
    ("sentence", "minutes"),
    [("about an hour: 15 to read", 60), ("about 75 minutes", 75), ("20 minutes", None), ("", None)],
)
def test_minutes_are_read_off_the_aim(sentence: str, minutes: int | None) -> None:
    assert course_map._minutes(sentence) == minutes
