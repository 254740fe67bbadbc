"""What docs/ tells teachers and students: complete, in step with the lessons, and its numbers computed."""

from __future__ import annotations

import ast
import contextlib
import copy
import io
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from autograder.building import course, course_map
from autograder.building.source import read
from course_lib import exercises

ROOT = Path(__file__).parents[2]
TEACHING = ROOT / "docs" / "teaching"
LESSONS = tuple(path.stem for path in course.source_paths(ROOT))
SECTIONS = (
    "Objectives",
    "Before class",
    "Opener",
    "Board example",
    "In the notebook",
    "Two discussion questions",
    "Likely misconceptions",
    "Written question: rubric",
    "If time is short, if time is left",
)
MISTAKE = re.compile(r"^- `(\w+)` in ((?:`\w+`(?:, | and )?)+): \S", re.MULTILINE)
NUMBER = re.compile(r"(?<![\w.])\d{1,3}(?:,\d{3})+(?:\.\d+)?|(?<![\w.])\d+(?:\.\d+)?(?!\w)")
BLOCK = re.compile(r"```python\n(.*?)```", re.DOTALL)


def page(lesson: str) -> str:
    return (TEACHING / f"{lesson}.md").read_text(encoding="utf-8")


def sections(text: str) -> dict[str, str]:
    """The second-level sections of a page by their headings."""
    parts = re.split(r"^## (.+)$", text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def table(text: str, first_column: str) -> list[list[str]]:
    """The rows of the Markdown table whose first column is so called."""
    lines = iter(text.splitlines())
    for line in lines:
        if line.startswith(f"| {first_column} |"):
            next(lines)
            break
    rows = []
    for line in lines:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in line.strip("|").split("|")])
    return rows


def numbers(text: str) -> list[str]:
    """Every number of a text, as it is written but for the commas of thousands."""
    return [found.replace(",", "") for found in NUMBER.findall(text)]


@pytest.fixture(scope="module")
def entries() -> dict[str, course_map.Entry]:
    return {one.name: one for one in (course_map.entry(read(path)) for path in course.source_paths(ROOT))}


@pytest.fixture(scope="module")
def shown() -> dict[str, set[str]]:
    """The numbers that each executed solution shows, in its cells and in its outputs."""
    found = {}
    for lesson in LESSONS:
        notebook = json.loads((ROOT / "solutions" / lesson / f"{lesson}.ipynb").read_text(encoding="utf-8"))
        found[lesson] = {number for cell in notebook["cells"] for text in _texts(cell) for number in numbers(text)}
    return found


def _texts(cell: Any) -> Iterator[str]:
    """What a cell says: its own text, and what it printed or told in words; no picture and no widget's state."""
    yield "".join(cell["source"])
    for output in cell.get("outputs", []):
        yield "".join(output.get("text", []))
        yield "".join(output.get("data", {}).get("text/plain", []))


@pytest.mark.parametrize("lesson", LESSONS)
def test_every_lesson_has_a_page_with_all_sections(lesson: str) -> None:
    found = sections(page(lesson))
    assert tuple(found) == SECTIONS
    assert all(len(text.split()) > 20 for text in found.values()), "a section says next to nothing"


@pytest.mark.parametrize("lesson", LESSONS)
def test_the_head_of_a_page_is_that_of_the_lesson(lesson: str, entries: dict[str, course_map.Entry]) -> None:
    one = entries[lesson]
    head = page(lesson).split("## ")[0]
    points = "ungraded" if one.ungraded else f"{one.points} points" + (f", {one.bonus} as a bonus" if one.bonus else "")
    assert head.startswith(f"# {one.number} · {one.title}\n")
    assert f"**{one.minutes} minutes**, {points}" in head
    assert f"(../../lessons/{lesson}/{lesson}.ipynb)" in head
    assert f"(../../solutions/{lesson}/{lesson}.ipynb)" in head
    builds_on = re.search(r"\*\*Builds on\*\* (.*?)\.", sections(page(lesson))["Before class"], re.DOTALL)
    assert builds_on
    assert sorted(re.findall(r"\b\d\d\b", builds_on[1])) == sorted(one.builds_on)


@pytest.mark.parametrize("lesson", LESSONS)
def test_a_page_says_of_every_exercise_where_it_is_done(lesson: str) -> None:
    text = sections(page(lesson))["In the notebook"]
    assert [one.name for one in exercises.of_lesson(lesson) if f"`{one.name}`" not in text] == []


@pytest.mark.parametrize("lesson", LESSONS)
def test_misconceptions_are_called_as_the_grader_calls_them(lesson: str) -> None:
    text = sections(page(lesson))["Likely misconceptions"]
    named = MISTAKE.findall(text)
    assert 3 <= len(named) <= 6
    assert len(named) == len(re.findall(r"^- `", text, re.MULTILINE)), "one does not begin with `name` in `exercise`:"
    known = {one.name: {m.name for m in one.misconceptions} for one in exercises.of_lesson(lesson)}
    for name, where in named:
        for exercise in re.findall(r"\w+", where.replace(" and ", " ")):
            assert name in known[exercise], f"{exercise} has no misconception {name!r}"


@pytest.mark.parametrize("lesson", LESSONS)
def test_every_name_in_a_page_is_one_of_the_lesson(lesson: str) -> None:
    asked = exercises.of_lesson(lesson)
    known = {one.name for one in asked} | {m.name for one in asked for m in one.misconceptions}
    source = (ROOT / "solutions" / f"{lesson}.md").read_text(encoding="utf-8")
    known |= set(re.findall(r"\w+", source))
    text = BLOCK.sub("", page(lesson))
    assert [name for name in re.findall(r"`([A-Za-z_]\w*)`", text) if name not in known] == []


@pytest.mark.parametrize("lesson", LESSONS)
def test_figures_are_those_that_the_lesson_shows(lesson: str, shown: dict[str, set[str]]) -> None:
    """All numbers of the opener, and decimals and percentages elsewhere; the board example has its own test."""
    found = sections(page(lesson))
    measured = numbers(found["Opener"])
    for heading, text in found.items():
        if heading not in ("Opener", "Board example"):
            measured += [n for n in numbers(text) if "." in n] + re.findall(r"(?<![\d.])(\d+)%", text)
    strange = [number for number in measured if number not in shown[lesson]]
    assert strange == [], f"solutions/{lesson}/{lesson}.ipynb shows no {strange}; quote what it prints now"


@pytest.mark.parametrize("lesson", LESSONS)
def test_the_board_example_computes(lesson: str) -> None:
    (block,) = BLOCK.findall(sections(page(lesson))["Board example"])
    _run(ast.parse(block))


@pytest.mark.parametrize("lesson", LESSONS)
def test_every_number_on_the_board_stands_in_the_block(lesson: str) -> None:
    text = sections(page(lesson))["Board example"]
    (block,) = BLOCK.findall(text)
    computed = {abs(float(n.value)) for n in ast.walk(ast.parse(block)) if _is_number(n)}  # type: ignore[attr-defined]
    prose = BLOCK.sub("", text)
    assert [number for number in numbers(prose) if float(number) not in computed] == []


@pytest.mark.parametrize("lesson", LESSONS)
def test_a_wrong_number_in_the_block_fails(lesson: str) -> None:
    """Each number that an assertion compares with is changed in turn; the block must notice every time."""
    (block,) = BLOCK.findall(sections(page(lesson))["Board example"])
    tree = ast.parse(block)
    places = [
        (i, j)
        for i, statement in enumerate(tree.body)
        if isinstance(statement, ast.Assert)
        for j, _ in enumerate(_compared(statement))
    ]
    assert len(places) >= 6, "a board example works out more than that"
    for i, j in places:
        changed = copy.deepcopy(tree)
        statement = changed.body[i]
        assert isinstance(statement, ast.Assert)
        constant = _compared(statement)[j]
        assert isinstance(constant.value, int | float)
        constant.value += 0.5
        with pytest.raises(AssertionError):
            _run(changed)


def _is_number(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, int | float) and not isinstance(node.value, bool)


def _compared(statement: ast.Assert) -> list[ast.Constant]:
    """The numbers on the right of an assertion's comparison."""
    assert isinstance(statement.test, ast.Compare), "assert what is computed == what the text says"
    found = [node for right in statement.test.comparators for node in ast.walk(right) if _is_number(node)]
    return [node for node in found if isinstance(node, ast.Constant)]


def _run(tree: ast.Module) -> None:
    code = compile(ast.fix_missing_locations(tree), "board example", "exec")
    with contextlib.redirect_stdout(io.StringIO()):
        exec(code, {"__name__": "board"})


@pytest.mark.parametrize("lesson", LESSONS)
def test_the_rubric_goes_from_four_points_to_none(lesson: str) -> None:
    rows = table(sections(page(lesson))["Written question: rubric"], "Points")
    assert [row[0] for row in rows] == ["4", "3", "2", "1", "0"]
    assert all(len(row[1].split()) > 4 for row in rows)


def test_the_index_and_the_plans_hold_every_lesson(entries: dict[str, course_map.Entry]) -> None:
    text = (TEACHING / "README.md").read_text(encoding="utf-8")
    index = table(text, "Lesson")
    assert [row[0] for row in index] == [f"[{one.number} · {_topic(one)}]({one.name}.md)" for one in entries.values()]
    for row, one in zip(index, entries.values(), strict=True):
        assert row[1:3] == [str(one.minutes), ", ".join(sorted(one.builds_on)) or "–"]
        assert row[3] == (
            "ungraded" if one.ungraded else f"{one.points} + {one.bonus}" if one.bonus else f"{one.points}"
        )
    found = sections(text)
    for weeks in (4, 12):
        (plan,) = (body for heading, body in found.items() if heading.startswith(f"{weeks} weeks"))
        rows = table(plan, "Week")
        assert [row[0] for row in rows] == [str(week) for week in range(1, weeks + 1)]
        met = [number for row in rows for number in re.findall(r"\b\d\d\b", row[1])]
        assert sorted(set(met)) == [one.number for one in entries.values()]
    minutes = {one.number: one.minutes or 0 for one in entries.values()}
    (four,) = (body for heading, body in found.items() if heading.startswith("4 weeks"))
    for row in table(four, "Week"):
        assert int(row[2]) == sum(minutes[number] for number in re.findall(r"\b\d\d\b", row[1]))


def test_the_short_course_adds_up_and_hangs_together(entries: dict[str, course_map.Entry]) -> None:
    text = " ".join((TEACHING / "README.md").read_text(encoding="utf-8").split())
    found = re.search(r"lessons (\d\d(?:, \d\d)+): (\d+) minutes", text)
    assert found
    taken = {one.number: one for one in entries.values() if one.number in found[1]}
    assert sum(one.minutes or 0 for one in taken.values()) == int(found[2])
    assert {before for n, one in taken.items() if n != "10" for before in one.builds_on} <= set(taken)


def _topic(one: course_map.Entry) -> str:
    return one.title.split(":")[0].removesuffix(" (optional)")


def test_what_breaks_without_a_lesson_follows_the_map(entries: dict[str, course_map.Entry]) -> None:
    """Who builds on it, from the arrows of lessons/README.md."""
    rows = table((TEACHING / "README.md").read_text(encoding="utf-8"), "Leave out")
    assert rows
    for row in rows:
        number = row[0][:2]
        later = sorted(one.number for one in entries.values() if number in one.builds_on)
        assert row[1] == (", ".join(later) or "none")


def test_the_statement_on_assistants_has_three_variants_to_copy() -> None:
    text = (TEACHING / "ai-assistants.md").read_text(encoding="utf-8")
    variants = [body for heading, body in sections(text).items() if heading.startswith("Variant ")]
    assert len(variants) == 3
    assert all(body.count("\n> ") >= 5 for body in variants)


def test_the_students_guide_is_one_page() -> None:
    text = (ROOT / "docs" / "students.md").read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 75
    assert len(text.split()) <= 1000
    for said in ("pip install -r requirements.txt", "jupyter lab lessons", "course_progress.json", "Restart Kernel"):
        assert said in text


def test_links_in_docs_lead_somewhere() -> None:
    for path in sorted((ROOT / "docs").rglob("*.md")):
        text = re.sub(r"```.*?```|`[^`\n]*`", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
        for link in re.findall(r"\]\(([^)\s]+)\)", text):
            if re.match(r"[a-z]+:", link):
                continue
            file, _, anchor = link.partition("#")
            target = (path.parent / file).resolve() if file else path
            assert target.exists(), f"{path.relative_to(ROOT)} links to {link}"
            if anchor:
                headings = re.findall(r"^#+ (.+)$", target.read_text(encoding="utf-8"), re.MULTILINE)
                assert anchor in {_slug(heading) for heading in headings}, f"{path.relative_to(ROOT)}: {link}"


def _slug(heading: str) -> str:
    """As GitHub makes it: lower case, spaces to hyphens, all other signs gone."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-")
