"""Mutated answer streams through the judge: always a stated outcome, never more points, memory bounded.

The streams start from the right answers to real lessons. A mutation changes bytes, or lines, or a value somewhere in
the JSON of a line, into something that a decoder might trip over.
"""

from __future__ import annotations

import base64
import copy
import json
import random
import tracemalloc
from functools import cache
from pathlib import Path
from typing import Any

import psutil
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from autograder import judge as judging
from autograder.assemble import PlannedCell
from autograder.lesson import LessonSource
from autograder.sandbox import MAX_ANSWERS, CellRun, Run
from course_lib.exercises.grading import OUTCOMES
from course_lib.exercises.programs import encode_answer, run_cases
from tests.grading.helpers import LESSON, SEED

RUN = "0123456789abcdef"
LESSONS = ("90_fixture", "01_backpropagation", "04_adaptive_optimizers")
MB = 1_000_000

ODD: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 2**31, 2**63, -(2**63) - 1, 10**300, 0.0, -0.0, 1e308, "", "x", "\x00", "é" * 3_000,
    [], {}, [[]], [[[[[[[[[[]]]]]]]]]], {"float": "nan"}, {"float": "inf"}, {"float": "0x1p99999"}, {"float": "1" * 39},
    {"opaque": "x"}, {"tuple": []}, {"list": [1] * 1_001}, {"dict": [["a", 1], ["a", 2]]}, {"dict": [["a"]]},
    {"array": ["float64", [0], ""]}, {"array": ["float64", [], "AAAAAAAAAAA="]}, {"array": ["bool", [2], "AgM="]},
    {"array": ["float64", [2**40, 2**40], ""]}, {"array": ["float64", [-1], ""]}, {"array": ["float64", [True], ""]},
    {"array": ["object", [1], "AAAAAAAAAAA="]}, {"array": ["float64", [1] * 9, "AAAAAAAAAAA="]},
    {"array": ["float16", [0, 8_000_000], ""]}, {"array": ["<f8", [1], "AAAAAAAAAAA="]}, {"array": []}, {"array": None},
    {"pickle": "gASVAAAAAAA="}, {"result": [0, None]}, {"generator": 1}, {"function": ["quadratic", {}]},
    "answered", "error", "missing", "unanswered", "interrupted", "ordinary", "nasty", "float32", "int64", "float64",
)  # fmt: skip
"""Values that have the wrong type, the wrong size, or only nearly the right form."""


@cache
def lesson(name: str) -> tuple[LessonSource, judging.Cases, list[PlannedCell], list[bytes], int]:
    """A lesson with its cases, its checks, the right answers to them, and the points that these earn."""
    source = LESSON if name == LESSON.name else LessonSource.from_course(Path(__file__).parents[2], name)
    cases = judging.draw(source, SEED)
    plan = [PlannedCell(n, "check", exercise=each.name) for n, each in enumerate(source.exercises)]
    lines = []
    for exercise in source.exercises:
        for group, answers in run_cases(cases[exercise.name], exercise.namespace()).items():
            for index, answer in enumerate(answers):
                place = {"run": RUN, "exercise": exercise.name, "group": group, "case": index}
                lines.append(json.dumps({**place, "answer": encode_answer(answer)}).encode())
    full = sum(exercise.points for exercise in source.exercises)
    return source, cases, plan, lines, full


def verdict(name: str, raw: bytes) -> judging.Verdict:
    """What the judge says of a stream."""
    source, cases, plan, _, _ = lesson(name)
    run = Run({cell.index: CellRun("ok") for cell in plan}, raw)
    return judging.judge(source, plan, cases, run, RUN)


def hold(name: str, raw: bytes) -> None:
    """The judge gives every exercise one stated outcome, a sentence, and no more points than it is worth."""
    result = verdict(name, raw)
    assert result.outcome in ("graded", "timeout")  # a case may say of itself that it was interrupted
    assert [each.exercise.name for each in result.exercises] == [each.name for each in lesson(name)[0].exercises]
    for each in result.exercises:
        assert each.outcome in OUTCOMES
        assert 0 <= each.points <= each.exercise.points
        assert each.message
        each.message.encode()
    json.dumps([each.message for each in result.exercises])


def mutated(lines: list[bytes], rng: random.Random) -> bytes:
    """The stream of `lines` after one to six mutations."""
    lines = list(lines)
    for _ in range(rng.randint(1, 6)):
        place = rng.randrange(len(lines)) if lines else 0
        kind = rng.choice(("value", "value", "value", "value", "line", "drop", "repeat", "swap", "array"))
        if not lines:
            break
        if kind == "value":
            lines[place] = _with_other_value(lines[place], rng.choice(lines), rng)
        elif kind == "array":
            lines[place] = _with_other_array(lines[place], rng)
        elif kind == "line":
            lines.insert(
                place, rng.choice((b"", b"[]", b"{}", b"[" * 9_000, b'{"run":' * 900, b"\xff", b"NaN", b"1e999"))
            )
        elif kind == "drop":
            del lines[place]
        elif kind == "repeat":
            lines.append(lines[place])
        else:
            rng.shuffle(lines)
    raw = bytearray(b"\n".join(lines) + b"\n")
    for _ in range(rng.choice((0, 0, 0, 1, 5))):
        raw[rng.randrange(len(raw))] = rng.randrange(256)
    if rng.random() < 0.1:
        del raw[rng.randrange(len(raw)) :]
    return bytes(raw)


def _with_other_value(line: bytes, other: bytes, rng: random.Random) -> bytes:
    """A line in which one value, anywhere in its tree, is another: an odd one, or one from another line."""
    try:
        data, theirs = json.loads(line), json.loads(other)
    except (ValueError, RecursionError):
        return line
    ways = list(_ways(data))
    if not ways:
        return line
    holder, key = rng.choice(ways)
    foreign = list(_ways(theirs))
    if foreign and rng.random() < 0.3:
        their_holder, their_key = rng.choice(foreign)
        holder[key] = copy.deepcopy(their_holder[their_key])
    elif rng.random() < 0.1 and isinstance(holder, dict):
        del holder[key]
    else:
        holder[key] = copy.deepcopy(rng.choice(ODD))
    return json.dumps(data).encode()


def _with_other_array(line: bytes, rng: random.Random) -> bytes:
    """A line in which an array has another dtype, shape or buffer, still of the right form."""
    try:
        data = json.loads(line)
    except (ValueError, RecursionError):
        return line
    arrays = [holder["array"] for holder, key in _ways(data) if key == "array" and isinstance(holder["array"], list)]
    whole = [array for array in arrays if len(array) == 3 and isinstance(array[2], str) and isinstance(array[1], list)]
    if not whole:
        return line
    array = rng.choice(whole)
    change = rng.randrange(4)
    if change == 0:
        array[0] = rng.choice(("float32", "float16", "int64", "uint8", "bool", "complex128", "str"))
    elif change == 1:
        array[1] = rng.choice(([*array[1], 1], array[1][::-1], [], [1, *array[1]], [int(2e6)], [0, *array[1]]))
    elif change == 2:
        array[2] = base64.b64encode(rng.randbytes(rng.randrange(200))).decode()
    else:
        array[:] = ["float64", [3], base64.b64encode(rng.randbytes(24)).decode()]  # NaN, infinities, subnormals
    return json.dumps(data).encode()


def _ways(value: Any) -> Any:
    """Every place in a tree of JSON, as its holder and key."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in list(items):
        yield value, key
        yield from _ways(inner)


@pytest.mark.parametrize("name", LESSONS)
def test_unchanged_answers_earn_every_point(name: str) -> None:
    _, _, _, lines, full = lesson(name)
    assert sum(each.points for each in verdict(name, b"\n".join(lines)).exercises) == full


def fuzz(name: str, seed: int) -> None:
    """One mutated stream."""
    hold(name, mutated(lesson(name)[3], random.Random(seed)))


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.sampled_from(LESSONS), st.integers(0, 2**64))
def test_mutated_streams_get_a_stated_outcome(name: str, seed: int) -> None:
    fuzz(name, seed)


@pytest.mark.slow
def test_ten_thousand_mutated_streams_get_a_stated_outcome_in_bounded_memory() -> None:
    process = psutil.Process()
    for name in LESSONS:
        lesson(name)
        fuzz(name, 0)
    before = process.memory_info().rss

    @settings(max_examples=10_000, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(st.sampled_from(LESSONS), st.integers(0, 2**64))
    def many(name: str, seed: int) -> None:
        fuzz(name, seed)

    many()
    assert process.memory_info().rss - before < 200 * MB


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=2_000))
def test_any_bytes_get_a_stated_outcome(raw: bytes) -> None:
    hold(LESSON.name, raw)


HEAVY = {
    "brackets": b"[" * MAX_ANSWERS,
    "line feeds": b"\n" * MAX_ANSWERS,
    "one line": b" " * MAX_ANSWERS,
    "small lists": (b"[" + b"[]," * 600_000 + b"0]\n") * 3,
    "keys": (b"{" + b",".join(b'"%d":0' % n for n in range(180_000)) + b"}\n") * 3,
    "numbers": (b"[" + b"9" * 4_000 + b"]\n") * 1_000,
    "the largest array that a line can hold": (
        json.dumps(
            {
                "run": RUN,
                "exercise": "scale",
                "group": "ordinary",
                "case": 0,
                "answer": {
                    "outcome": "answered",
                    "value": {"array": ["uint8", [1_400_000], base64.b64encode(bytes(1_400_000)).decode()]},
                    "error": "",
                    "modified": [],
                },
            }
        ).encode()
        + b"\n"
    )
    * 17,
}


@pytest.mark.slow  # tracing memory takes its time
@pytest.mark.parametrize("kind", HEAVY)
def test_a_stream_of_the_largest_size_takes_little_memory(kind: str) -> None:
    raw = HEAVY[kind][:MAX_ANSWERS]
    tracemalloc.start()
    try:
        hold(LESSON.name, raw)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 200 * MB
