"""Mutated submissions through intake and assemble: always a stated outcome, and a notebook that is the instructor's."""

from __future__ import annotations

import copy
import json
import tracemalloc
from functools import cache
from pathlib import Path
from typing import Any

import nbformat
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from autograder import sample_class
from autograder.assemble import KEY, assemble, plan
from autograder.intake import from_bytes
from autograder.lesson import LessonSource, is_check

ROOT = Path(__file__).parents[2]
LESSONS = ("01_backpropagation", "04_adaptive_optimizers")

ODD = ("code", "markdown", "raw", "\ud800", "\u202e\x00\x1b[2J", "def adam_step():", "check_adam_step", "1" * 999)
leaves = (
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.floats()
    | st.text(max_size=30)
    | st.sampled_from(
        ["code", "markdown", "raw", "\ud800", "\u202e\x00\x1b[2J", "def adam_step():", "check_adam_step", "1" * 999]
    )
)


def containers(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)


values = st.recursive(leaves, containers, max_leaves=8)


@cache
def lesson(name: str) -> LessonSource:
    return LessonSource.from_course(ROOT, name)


@cache
def submissions() -> tuple[tuple[str, str], ...]:
    """The sample class's notebooks, as JSON, with their lessons."""
    return tuple(
        (name, nbformat.writes(sample_class.notebook(sample, lesson(name).notebook)))
        for name in LESSONS
        for sample in sample_class.read(ROOT / "sample_class" / name)[:4]
    )


def places(content: Any) -> list[tuple[Any, Any]]:
    """Every container in a notebook with one of its keys."""
    found: list[tuple[Any, Any]] = []
    waiting = [content]
    while waiting:
        here = waiting.pop()
        for key in list(here) if isinstance(here, dict) else range(len(here)):
            found.append((here, key))
            if isinstance(here[key], dict | list):
                waiting.append(here[key])
    return found


@st.composite
def mutated(draw: st.DrawFn) -> tuple[str, bytes]:
    """A lesson's name and the bytes of a submission to it after some accidents."""
    name, text = draw(st.sampled_from(submissions()))
    content = json.loads(text)
    for _ in range(draw(st.integers(0, 6))):
        kind = draw(st.sampled_from(["set", "remove", "copy", "swap", "wrap", "text"]))
        here, key = draw(st.sampled_from(places(content) or [([0], 0)]))
        if kind == "set":
            here[key] = draw(values)
        elif kind == "remove":
            del here[key]
        elif kind == "copy":
            donor, other = draw(st.sampled_from(places(content) or [([0], 0)]))
            here[key] = copy.deepcopy(donor[other])
        elif kind == "swap" and isinstance(content.get("cells"), list) and len(content["cells"]) > 1:
            cells = content["cells"]
            one, two = (draw(st.integers(0, len(cells) - 1)) for _ in range(2))
            cells[one], cells[two] = cells[two], cells[one]
        elif kind == "wrap":
            for _ in range(draw(st.integers(1, 120))):
                here[key] = [here[key]]
        elif kind == "text" and isinstance(here[key], str):
            at = draw(st.integers(0, len(here[key])))
            here[key] = here[key][:at] + draw(st.text(max_size=20)) + here[key][at:]
        if not isinstance(content, dict):
            break
    data = json.dumps(content).encode(draw(st.sampled_from(["utf-8", "utf-8", "utf-8-sig", "utf-16"])))
    for _ in range(draw(st.integers(0, 3)) if draw(st.booleans()) else 0):
        at = draw(st.integers(0, len(data)))
        cut = draw(st.integers(0, 40))
        data = data[:at] + draw(st.binary(max_size=20)) + data[at + cut :]
    if draw(st.integers(0, 9)) == 0:
        data = data[: draw(st.integers(0, len(data)))]
    return name, data


def hold(name: str, data: bytes) -> None:
    """What must be so of any bytes handed in for a lesson."""
    source = lesson(name)
    tracemalloc.start()
    try:
        read = from_bytes(data)
        result = assemble(source, read)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 30_000_000 + 40 * len(data)
    assert read.outcome in ("read", "malformed")
    assert bool(read.sentence) == (read.outcome == "malformed")
    assert read.outcome == "read" or (read.sentence.endswith(".") and read.cells == ())
    given_graded = [cell for cell in source.notebook.cells if "nbgrader" in cell.metadata]
    graded = [cell for cell in result.cells if "nbgrader" in cell.metadata]
    assert [cell.metadata.nbgrader for cell in graded] == [cell.metadata.nbgrader for cell in given_graded]
    assert [cell.source for cell in graded if is_check(cell)] == [
        cell.source for cell in given_graded if is_check(cell)
    ]
    assert [cell.exercise for cell in plan(result) if cell.role == "check"] == [each.name for each in source.exercises]
    assert result.metadata[KEY]["intake"] == read.outcome
    nbformat.writes(result)
    ids = [cell.id for cell in result.cells]
    assert len(set(ids)) == len(ids)


quick = settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
long = settings(quick, max_examples=10_000)
garbage = st.tuples(st.sampled_from(LESSONS), st.binary(max_size=2_000))


@quick
@given(mutated() | garbage)
def test_a_mutated_submission_gets_a_stated_outcome(example: tuple[str, bytes]) -> None:
    hold(*example)


@pytest.mark.slow
@long
@given(mutated() | garbage)
def test_ten_thousand_mutated_submissions_get_stated_outcomes(example: tuple[str, bytes]) -> None:
    hold(*example)


def test_the_mutations_reach_what_is_read_and_what_is_refused() -> None:
    outcomes: list[str] = []

    @settings(quick, max_examples=60, derandomize=True, database=None)
    @given(mutated())
    def collect(example: tuple[str, bytes]) -> None:
        outcomes.append(from_bytes(example[1]).outcome)

    collect()
    assert set(outcomes) == {"read", "malformed"}
    assert min(map(outcomes.count, set(outcomes))) >= 5
