"""The core that every exercise stands on: plain answers, programs, comparison, grading, rendering, check."""

from __future__ import annotations

import json
import math
import sys
import warnings
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from course_lib import check as check_module
from course_lib.check import CheckResult, check
from course_lib.exercises import LESSONS, answers, load, of_lesson, programs
from course_lib.exercises.answers import BadEncoding, Opaque, decode, encode, to_plain
from course_lib.exercises.comparison import Names, Tolerance, compare
from course_lib.exercises.exercise import Exercise, Group, Misconception
from course_lib.exercises.grading import OUTCOMES, assess, without_answer
from course_lib.exercises.programs import (
    Answer,
    Case,
    Function,
    Given,
    RandomGenerator,
    Result,
    attribute,
    call,
    captured,
    decode_answer,
    decode_case,
    encode_answer,
    encode_case,
    method,
    run,
    run_cases,
)
from course_lib.exercises.rendering import to_html
from tests.exercises.exercise_checks import grade

FLOAT64 = np.dtype(np.float64)

# Plain values -------------------------------------------------------------------------------------------------------

arrays = st.sampled_from(answers.DTYPES).flatmap(
    lambda name: hnp.arrays(np.dtype(name), hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4))
)
leaves = st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats() | st.text(max_size=50) | arrays
plain = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=4).map(tuple)
        | st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=12,
).filter(lambda value: depth(value) <= answers.MAX_DEPTH)


def depth(value: Any) -> int:
    if isinstance(value, dict):
        return 1 + max(map(depth, value.values()), default=0)
    return 1 + max(map(depth, value), default=0) if isinstance(value, tuple | list) else 0


def same(a: Any, b: Any) -> bool:
    """Equal to the bit, in value and type."""
    if isinstance(a, np.ndarray):
        return isinstance(b, np.ndarray) and a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
    if type(a) is not type(b):
        return False
    if isinstance(a, dict):
        return list(a) == list(b) and all(same(a[key], b[key]) for key in a)
    if isinstance(a, tuple | list):
        return len(a) == len(b) and all(same(x, y) for x, y in zip(a, b, strict=True))
    if isinstance(a, float):
        return a.hex() == b.hex()
    return bool(a == b)


@given(plain)
def test_plain_values_survive_the_journey_to_the_bit(value: Any) -> None:
    copied = to_plain(value)
    assert same(copied, value)
    assert same(decode(json.loads(json.dumps(encode(copied), allow_nan=False))), value)


@given(arrays)
def test_a_plain_copy_does_not_follow_the_original(array: np.ndarray) -> None:
    copied = to_plain(array)
    kept = copied.tobytes()
    if array.size:
        array[...] = ~array if array.dtype == bool else array + 1
    assert copied.tobytes() == kept


class Equal:
    """Equals everything, and shouts about it."""

    def __eq__(self, other: object) -> bool:
        return True

    def __hash__(self) -> int:
        return 0


class LoudArray(np.ndarray):
    pass


@pytest.mark.parametrize(
    ("value", "name"),
    [
        (Equal(), "Equal"),
        (2**63, "int of more than 64 bits"),
        ({1: 2}, "dict"),
        (1j, "complex"),
        (np.array([1j]), "array of complex128"),
        (np.array(["a"]), "array of str"),
        (np.array([None]), "array of object"),
        (list(range(1001)), "list"),
        (np.zeros(1_000_001), "array of 8 MB"),
        (abs, "builtin_function_or_method"),
        (type("X" * 200, (), {})(), "X" * 80),
        (type("Text", (str,), {})("a"), "Text"),
    ],
)
def test_what_is_not_plain_keeps_its_type_name_only(value: Any, name: str) -> None:
    found = to_plain(value)
    assert isinstance(found, Opaque)
    assert found.type_name.startswith(name)
    assert decode(encode(found)) == found


def test_deep_values_end_in_opaque_and_subclasses_become_plain() -> None:
    value: Any = 1
    for _ in range(20):
        value = [value]
    found = to_plain(value)
    for _ in range(answers.MAX_DEPTH):
        found = found[0]
    assert found == Opaque("list")
    assert type(to_plain(np.zeros(2).view(LoudArray))) is np.ndarray
    assert type(to_plain(np.float32(1))) is np.ndarray
    assert to_plain(np.arange(3, dtype=">i4")).dtype.isnative


@pytest.mark.parametrize(
    "data",
    [
        1.5,
        [1],
        2**64,
        "x" * 3000,
        {},
        {"a": 1, "b": 2},
        {"float": 1},
        {"float": "1.0" * 40},
        {"float": "__import__"},
        {"float": "0x1p999999"},
        {"array": ["object", [1], "AAAA"]},
        {"array": ["<U1", [1], "AAAA"]},
        {"array": [["float64"], [1], "AAAA"]},
        {"array": ["float64", [10**9], "AAAA"]},
        {"array": ["float64", [10**6, 10**6], ""]},
        {"array": ["float64", [0, 10**12], ""]},
        {"array": ["float64", [-1], ""]},
        {"array": ["float64", [True], "AAAAAAAAAAA="]},
        {"array": ["float64", [1.0], "AAAAAAAAAAA="]},
        {"array": ["float64", [1] * 9, "AAAAAAAAAAA="]},
        {"array": ["float64", [1], "AAAA"]},
        {"array": ["float64", [1], "AAAAAAAAAAA=" * 10]},
        {"array": ["float64", [1], "!!!!!!!!!!!="]},
        {"array": ["float64", [1], "\u00e9" * 12]},
        {"array": ["float64", [1], b"AAAAAAAAAAA="]},
        {"array": ["float64", [1]]},
        {"array": "float64"},
        {"opaque": "x" * 81},
        {"opaque": 3},
        {"tuple": {}},
        {"list": [0] * 1001},
        {"dict": [["a"]]},
        {"dict": [[1, 2]]},
        {"dict": {"a": 1}},
        {"pickle": "gASVBQAAAAAAAABLAS4="},
        {"result": [0, None]},
    ],
)
def test_hostile_encodings_are_refused(data: Any) -> None:
    with pytest.raises(BadEncoding):
        decode(data)


def test_deep_encodings_are_refused() -> None:
    data: Any = 1
    for _ in range(500):
        data = {"list": [data]}
    with pytest.raises(BadEncoding):
        decode(data)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                ["float", "array", "tuple", "list", "dict", "opaque", "outcome", "value", "error", "modified"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=15,
)


@settings(max_examples=300)
@given(json_values)
def test_any_data_decode_to_plain_values_or_are_refused(data: Any) -> None:
    try:
        value = decode(data)
    except BadEncoding:
        return
    assert same(decode(encode(value)), value)


@settings(max_examples=300)
@given(json_values)
def test_any_data_are_an_answer_or_are_refused(data: Any) -> None:
    for decoder in (decode_answer, decode_case):
        with pytest.raises(BadEncoding):
            decoder(data)


@given(plain, st.text(max_size=700), st.lists(st.text(max_size=10), max_size=5))
def test_answers_survive_the_journey(value: Any, error: str, modified: list[str]) -> None:
    answer = Answer("answered", value, error, tuple(modified))
    found = decode_answer(json.loads(json.dumps(encode_answer(answer))))
    assert same(found.value, value)
    assert (found.outcome, found.modified) == (answer.outcome, answer.modified)
    assert error.startswith(found.error)


@pytest.mark.parametrize(
    "change",
    [
        {"outcome": "right"},
        {"outcome": ["answered"]},
        {"error": "x" * 1000},
        {"error": None},
        {"modified": ["a"] * 21},
        {"modified": [1]},
        {"points": 5},
        {"value": {"pickle": ""}},
    ],
)
def test_hostile_answers_are_refused(change: dict[str, Any]) -> None:
    with pytest.raises(BadEncoding):
        decode_answer(encode_answer(Answer("answered", 1)) | change)


@pytest.mark.parametrize(
    "argument",
    [
        {"function": []},
        {"function": ["cubic"]},
        {"result": [1, 2, 3]},
        {"result": 1},
        {"function": [1, {"pickle": ""}]},
    ],
)
def test_cases_that_are_none_are_refused(argument: Any) -> None:
    data = encode_case(Case((call("f"),)))
    data["steps"][0][2] = {"dict": [["x", argument]]}
    with pytest.raises(BadEncoding):
        decode_case(data)


# Programs -----------------------------------------------------------------------------------------------------------


class Counter:
    """A class to construct, call and read."""

    def __init__(self, start: int) -> None:
        self.count = start

    def step(self, by: int) -> int:
        self.count += by
        return self.count


def test_a_program_constructs_calls_reads_and_passes_results_on() -> None:
    case = Case(
        (
            call("Counter", start=3),
            method(Result(0), "step", by=4),
            call("pair", n=Result(1)),
            method(Result(0), "step", by=Result(2, 1)),
            attribute(Result(0), "count"),
        ),
        answer=(1, 2, 3, 4),
    )
    namespace = {"Counter": Counter, "pair": lambda n: {"n": n} and (n, 10 * n)}
    expected = (7, (7, 70), 77, 77)
    assert run(case, namespace).value == expected
    sent = decode_case(json.loads(json.dumps(encode_case(case))))
    assert sent == case
    assert run(sent, namespace).value == expected


def test_functions_and_generators_are_built_afresh_for_each_call() -> None:
    cubic = Function("cubic", {"a": np.ones(2), "b": np.zeros(2)})
    case = Case((call("use", f=cubic, rng=RandomGenerator(5), again=RandomGenerator(5), pairs=[(cubic, cubic)]),))
    sent = decode_case(json.loads(json.dumps(encode_case(case))))

    def use(f: Any, rng: Any, again: Any, pairs: Any) -> Any:
        return f(np.array([1.0, 2.0])), rng.random(), again.random(), pairs[0][1](np.array([1.0, 0.0]))

    value = run(sent, {"use": use}).value
    assert value == (9.0, np.random.default_rng(5).random(), np.random.default_rng(5).random(), 1.0)


def test_a_later_call_can_go_on_with_what_an_earlier_one_was_given() -> None:
    steps = (
        call("draw", rng=RandomGenerator(5), n=3),
        call("draw", rng=Given(0, "rng"), n=2),
        call("draw", rng=[Given(1, "rng")], n=1),
    )
    case = Case(steps, (0, 1, 2))
    sent = decode_case(json.loads(json.dumps(encode_case(case))))
    assert sent == case

    def draw(rng: Any, n: int) -> list[float]:
        return [float(value) for value in (rng[0] if isinstance(rng, list) else rng).random(n)]

    for one in (case, sent, case.in_float64()):
        first, second, third = run(one, {"draw": draw}).value
        assert [*first, *second, *third] == np.random.default_rng(5).random(6).tolist()


def test_every_call_gets_its_own_copies() -> None:
    x = np.array([1.0, 2.0])
    case = Case((call("spoil", x=x), call("spoil", x=x)), answer=(0, 1))

    def spoil(x: np.ndarray) -> float:
        x *= 100
        return float(x.sum())

    answer = run(case, {"spoil": spoil})
    assert answer.value == (300.0, 300.0)
    assert answer.modified == ("x",)
    assert x.tolist() == [1.0, 2.0]


def test_a_nudge_that_is_put_back_is_no_change() -> None:
    def nudge(x: np.ndarray) -> float:
        x[0] += 1e-5
        x[0] -= 1e-5
        return 1.0

    assert run(Case((call("nudge", x=np.array([0.3])),)), {"nudge": nudge}).modified == ()


@pytest.mark.parametrize(
    ("argument", "change"),
    [
        ({"a": np.zeros(2)}, lambda v: v["a"].__setitem__(0, 1.0)),
        ({"a": np.zeros(2)}, lambda v: v.update(b=1)),
        ([np.zeros(2)], lambda v: v.append(1)),
        (np.zeros(2, dtype=np.int64), lambda v: v.__setitem__(0, 1)),
        (np.zeros((2, 3)), lambda v: setattr(v, "shape", (3, 2))),
    ],
)
def test_changes_of_every_kind_are_seen(argument: Any, change: Callable[[Any], None]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        answer = run(Case((call("f", value=argument),)), {"f": change})
    assert answer.modified == ("value",)


def raises(error: BaseException) -> Callable[..., Any]:
    def function(*_arguments: Any) -> Any:
        raise error

    return function


class Mute(Exception):  # an exception that cannot be printed
    def __str__(self) -> str:
        raise RuntimeError("no")


class Uncopyable(np.ndarray):
    def __array_finalize__(self, obj: Any) -> None:
        if obj is not None and type(obj) is Uncopyable:
            raise SystemExit


@pytest.mark.parametrize(
    ("function", "outcome", "text"),
    [
        (raises(NotImplementedError()), "unanswered", ""),
        (raises(ValueError("bad")), "error", "ValueError: bad (line "),
        (raises(ValueError("x" * 5000)), "error", "ValueError: xxx"),
        (raises(SystemExit(1)), "error", "SystemExit: 1"),
        (raises(GeneratorExit()), "error", "GeneratorExit"),
        (raises(Mute()), "error", "Mute"),
        (raises(KeyboardInterrupt()), "interrupted", ""),
        (3, "error", "f is a int, not a function"),
        (lambda: 1, "error", "TypeError"),
    ],
)
def test_running_never_raises(function: Any, outcome: str, text: str) -> None:
    answer = run(Case((call("f", x=1.0),)), {"f": function})
    assert answer.outcome == outcome
    assert answer.error.startswith(text)
    assert len(answer.error) <= 2 * programs.MAX_MESSAGE
    assert decode_answer(encode_answer(answer)) == answer


def test_a_missing_name_and_a_missing_item_are_told() -> None:
    assert run(Case((call("f"),)), {}) == Answer("missing", error="f")
    answer = run(Case((call("f"), call("f", x=Result(0, 1)))), {"f": lambda *_: 1.0})
    assert "should return 2 or more values; it returned a float" in answer.error


@pytest.mark.parametrize(
    ("first", "outcome", "text"),
    [
        (None, "missing", "first"),
        (raises(NotImplementedError()), "unanswered", "first"),
        (raises(ValueError("bad")), "error", "first's ValueError: bad"),
    ],
)
def test_a_call_that_another_depends_on_is_named(first: Any, outcome: str, text: str) -> None:
    case = Case((call("first"), call("second", x=Result(0))))
    answer = run(case, {"second": lambda x: x, **({"first": first} if first else {})})
    assert answer.outcome == outcome
    assert answer.error.startswith(text)
    assert decode_answer(encode_answer(answer)) == answer
    assert run(case, {"first": lambda: 1, "second": raises(ValueError("bad"))}).error.startswith("ValueError")


def test_an_interrupt_ends_the_run() -> None:
    calls = []

    def stop(x: float) -> None:
        calls.append(x)
        raise KeyboardInterrupt

    cases = {"ordinary": [Case((call("f", x=1.0),))] * 3, "edge": [Case((call("f", x=1.0),))]}
    assert run_cases(cases, {"f": stop}) == {"ordinary": [Answer("interrupted")]}
    assert len(calls) == 1


def test_the_least_precise_input_sets_the_dtype() -> None:
    single = Case((call("f", x=np.zeros(2, np.float32), y={"a": [np.zeros(2)]}),))
    assert single.dtype() == np.float32
    assert single.in_float64().dtype() == np.float64
    assert Case((call("f", n=3),)).dtype() == np.float64


# Comparison ---------------------------------------------------------------------------------------------------------


def sentence(received: Any, expected: Any, outputs: Names = ("y",), dtype: Any = FLOAT64) -> str:
    difference = compare(received, expected, outputs, np.dtype(dtype))
    assert difference is not None
    return f"{difference.kind}: {difference.sentence}"


A23 = np.arange(6.0).reshape(2, 3)


@pytest.mark.parametrize(
    ("received", "expected", "said"),
    [
        (None, A23, "type: y should be an array of shape (2, 3); it is None (was no `return` reached?)."),
        (A23.T, A23, "shape: y should have the shape (2, 3); it has (3, 2). It looks transposed."),
        (A23[0], A23, "shape: y should have the shape (2, 3); it has (3,)."),
        (A23.tolist(), A23, "type: y should be an array of shape (2, 3); it is a list of 2."),
        (A23 > 2, A23, "type: y should hold numbers; it holds True and False."),
        (Opaque("Tensor"), A23, "type: y should be an array of shape (2, 3); it is a Tensor."),
        (A23 * [[1, 1, 2], [1, 1, 1]], A23, "value: y[0, 2] is wrong (1 of 6 entries differ)."),
        (A23 * np.nan, A23, "nan: y[0, 0] is not a number (NaN): look for 0/0, inf - inf, or the root or log of"),
        ((A23 / 3).astype(np.float32), A23 / 3, "dtype: y is float32, the inputs are float64: digits were lost."),
        (A23, 1.5, "shape: y should be one number; it is an array of shape (2, 3)."),
        (True, 1.0, "type: y should be a number; it is True or False."),
        ("1", 1.0, "type: y should be a number; it is a text."),
        (2.0, 1.0, "value: y is wrong."),
        (1.0, 1, "type: y should be a whole number (int); it is a float."),
        (2, 1, "value: y is wrong."),
        (1, True, "type: y should be True or False; it is an int."),
        (A23, A23 > 2, "type: y should be an array of True and False; it is an array of shape (2, 3)."),
        (A23 > 3, A23 > 2, "value: y[1, 0] is False; it should be True."),
        ((1.0,), (1.0, 2.0), "length: y should hold 2 values; it holds 1."),
        (1.0, (1.0, 2.0), "type: y should be a tuple of 2; it is a float."),
        ([1.0], {"a": 1.0}, "type: y should be a dict; it is a list of 1."),
        ({"b": 1.0}, {"a": 1.0}, "keys: y has the wrong keys: a missing, and b not expected."),
        ({"a": 2.0}, {"a": 1.0}, 'value: y["a"] is wrong.'),
        ("b", "a", "value: y is not the expected text."),
        (1.0, None, "value: y should be None; it is a float."),
    ],
)
def test_each_difference_has_its_sentence(received: Any, expected: Any, said: str) -> None:
    assert sentence(received, expected).startswith(said)


@pytest.mark.parametrize(
    ("received", "said"),
    [
        (1.0, "type: Return 2 values, loss and grad. You returned a float."),
        ((1.0, A23, 3), "length: Return 2 values, loss and grad. You returned 3."),
        (None, "type: Return 2 values, loss and grad. You returned None (was no `return` reached?)."),
        ((1.0, A23 + 1), "value: grad[0, 0] is wrong (6 of 6 entries differ)."),
        ((2.0, A23), "value: loss is wrong."),
    ],
)
def test_several_outputs_are_named(received: Any, said: str) -> None:
    assert sentence(received, (1.0, A23), ("loss", "grad")) == said


def test_what_is_the_learners_own_affair_is_not_compared() -> None:
    names = ("out", "(cache)")
    assert compare((A23, "mine"), (A23, 1.0), names, FLOAT64) is None
    assert sentence((A23 + 1, 1.0), (A23, 1.0), names).startswith("value: out[0, 0] is wrong")
    assert sentence((A23,), (A23, 1.0), names) == "length: Return 2 values, out and (cache). You returned 1."


@pytest.mark.parametrize(
    ("received", "said"),
    [
        (((A23 + 1, "mine"), (1.0, A23)), "value: out of first[0, 0] is wrong (6 of 6 entries differ)."),
        (((A23, "mine"), (1.0, A23 + 1)), "value: dx[0, 0] is wrong (6 of 6 entries differ)."),
        (((A23, "mine"), None), "type: Return 2 values, loss and dx. You returned None (was no `return` reached?)."),
    ],
)
def test_each_of_several_values_has_names_of_its_own(received: Any, said: str) -> None:
    names, expected = (("out of first", "(cache)"), ("loss", "dx")), ((A23, 2.0), (1.0, A23))
    assert sentence(received, expected, names) == said
    assert compare(((A23, None), (1.0, A23)), expected, names, FLOAT64) is None


@pytest.mark.parametrize(
    ("received", "expected"),
    [
        (A23 * (1 + 1e-9), A23),
        (A23.astype(np.int64), A23),
        (np.float32(1.5), 1.5),
        (np.array(1.5), 1.5),
        (1, 1.0),
        (np.int64(3), 3),
        ([1.0, 2.0], (1.0, 2.0)),
        ({"b": 2.0, "a": 1.0}, {"a": 1.0, "b": 2.0}),
        (np.array([np.nan, np.inf, 1.0]), np.array([np.nan, np.inf, 1.0])),
        (np.bool_(True), True),
        (np.zeros((0, 3)), np.zeros((0, 3))),
    ],
)
def test_what_agrees_agrees(received: Any, expected: Any) -> None:
    assert compare(to_plain(received), expected, ("y",), FLOAT64) is None


def test_infinities_and_nan_agree_with_themselves_only() -> None:
    for received, expected in [(np.inf, 1.0), (1.0, np.inf), (-np.inf, np.inf), (1.0, np.nan), (np.nan, 1.0)]:
        assert compare(np.array([received, 1.0]), np.array([expected, 1.0]), ("y",), FLOAT64) is not None


def test_the_tolerance_follows_the_inputs() -> None:
    close = A23 * (1 + 1e-5)
    assert compare(close, A23, ("y",), np.dtype(np.float32)) is None
    assert compare(close, A23, ("y",), FLOAT64) is not None
    assert compare(close, A23, ("y",), FLOAT64, Tolerance(float64=(1e-4, 0.0))) is None


@given(plain, plain)
def test_comparing_never_raises_and_never_likes_a_stranger(received: Any, expected: Any) -> None:
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        difference = compare(received, expected, ("y",), FLOAT64)
    if difference is not None:
        assert difference.sentence.endswith((".", ").", "number."))
    assert compare(Opaque("Equal"), expected, ("y",), FLOAT64) is not None


@given(st.floats(allow_nan=False), st.floats(allow_nan=False))
def test_sentences_never_hold_the_expected_number(received: float, expected: float) -> None:
    with np.errstate(all="ignore"):
        difference = compare(received, expected, ("y",), FLOAT64)
    assert difference is None or difference.sentence == "y is wrong."


# Grading ------------------------------------------------------------------------------------------------------------


def drawn(values: list[float], label: str = "") -> Callable[[np.random.Generator], list[Case]]:
    return lambda rng: [
        Case((call("halve", x=rng.random() + np.array([v])),), label=label or f"x = {v}") for v in values
    ]


def no_overflow(case: Case, value: Any) -> str | None:
    return None if value.shape == (1,) and np.isfinite(value).all() else "The result should be finite."


HALVE = Exercise(
    name="halve",
    lesson="00_test",
    question="Halve.",
    outputs=("y",),
    reference=lambda x: x / 2,
    groups=(
        Group("ordinary", "Ordinary", 3, drawn([1.0, 5.0])),
        Group("edge", "Zero", 2, lambda _: [Case((call("halve", x=np.zeros(1)),), label="x = 0")]),
        Group("nasty", "Huge", 1, drawn([1e308]), property=no_overflow),
    ),
    misconceptions=(
        Misconception("doubled", "This doubles <x>; see `x / 2`.", lambda x: x * 2, "Look at one half."),
        Misconception("no_zero", "Zero is left out.", lambda x: np.where(x == 0, 1.0, x / 2)),
    ),
    hints=("first `hint`", "second", "third:\n\n```python\nreturn x / ____\n```\n\nWhy ____?"),
    minutes=1,
    difficulty=1,
)


def test_points_come_by_groups() -> None:
    result = grade(HALVE, lambda x: x / 2, 0)
    assert (result.points, result.outcome, HALVE.points, HALVE.core_points) == (6, "right", 6, 6)
    assert replace(HALVE, stretch=True).core_points == 0
    partly = grade(HALVE, lambda x: np.where(x == 0, 1.0, x / 2), 0)
    assert (partly.points, partly.outcome) == (4, "partial")
    assert partly.misconception is not None
    assert partly.misconception.name == "no_zero"
    assert partly.message == "Zero, x = 0: y[0] is wrong. Zero is left out."


PRACTICE = replace(HALVE, groups=tuple(replace(group, points=0) for group in HALVE.groups))


def test_practice_is_judged_like_all_else_and_counts_nothing() -> None:
    assert (PRACTICE.practice, PRACTICE.points, PRACTICE.core_points, PRACTICE.full_marks) == (True, 0, 0, 3)
    assert (HALVE.practice, HALVE.full_marks) == (False, 6)
    right, partly = grade(PRACTICE, PRACTICE.reference, 0), grade(PRACTICE, lambda x: np.where(x == 0, 1.0, x / 2), 0)
    assert (right.outcome, right.points, right.marks) == ("right", 0, 3)
    assert (partly.outcome, partly.points, partly.marks) == ("partial", 0, 2)
    assert partly.misconception is not None
    assert grade(PRACTICE, lambda x: x * 2, 0).marks == 0
    shown = to_html(partly, reveal=True)
    assert "2 of 3 groups passed (practice, no points)" in shown
    assert "points</th>" not in shown
    assert "points</th>" in to_html(grade(HALVE, HALVE.reference, 0), reveal=True)


def test_edge_groups_are_not_judged_when_the_ordinary_group_fails() -> None:
    result = grade(HALVE, lambda x: np.zeros_like(x), 0)
    assert [group.passed for group in result.groups] == [False, None, None]
    assert (result.points, result.outcome, result.misconception) == (0, "wrong", None)


def test_a_property_judges_where_many_values_are_right() -> None:
    result = grade(HALVE, lambda x: np.where(x > 1e300, 7.0, x / 2), 0)
    assert result.outcome == "right"
    overflowed = grade(HALVE, lambda x: np.where(x > 1e300, np.nan, x / 2), 0)
    assert overflowed.message == "Huge, x = 1e+308: The result should be finite."
    stranger = grade(HALVE, lambda x: "a text" if x[0] > 1e300 else x / 2, 0)
    assert stranger.message == "Huge, x = 1e+308: The result is not of the form that was asked for."


@pytest.mark.parametrize(
    ("implementation", "outcome", "said"),
    [
        (raises(NotImplementedError()), "unanswered", "halve is not answered yet"),
        (raises(ZeroDivisionError("by zero")), "error", "halve stopped with ZeroDivisionError: by zero (line "),
        (raises(KeyboardInterrupt()), "timeout", "halve was stopped before it ended."),
        (lambda _x: None, "wrong", "it is None (was no `return` reached?)"),
        (lambda x: x.__itruediv__(2), "wrong", "halve changed its input x in place."),
        (lambda x: x.__imul__(2), "wrong", "Its input x was changed in place too: work on a copy"),
        (lambda x: x * np.nan, "wrong", "is not a number (NaN)"),
        (lambda x: (x / 2).astype(np.float32), "wrong", "digits were lost"),
        (lambda _x: Equal(), "wrong", "it is a Equal"),
        (lambda x: x * 2, "wrong", "This doubles <x>"),
    ],
)
def test_each_way_to_fail_has_its_outcome_and_sentence(implementation: Any, outcome: str, said: str) -> None:
    for through_json in (False, True):
        result = grade(HALVE, implementation, 3, through_json=through_json)
        assert result.outcome == outcome
        assert outcome in OUTCOMES
        assert said in result.message
        assert result.points == 0


def test_a_missing_function_and_missing_answers() -> None:
    assert grade(HALVE, {}, 0).message.startswith("There is no function halve yet.")
    cases = HALVE.draw(np.random.default_rng(0))
    assert assess(HALVE, cases, {}).outcome == "unanswered"
    some = {"ordinary": run_cases(cases, HALVE.namespace())["ordinary"][:1]}
    short = assess(HALVE, cases, some)
    assert (short.points, short.outcome) == (0, "error")
    assert "no answer came for this case" in short.message
    assert without_answer(HALVE, "crashed", "It ended the kernel.").points == 0


def test_an_earlier_function_that_is_not_there_is_named() -> None:
    both = drawn([1.0])
    twice = Group("ordinary", "Ordinary", 5, lambda rng: [Case((call("first"), *both(rng)[0].steps))])
    exercise = replace(HALVE, groups=(twice,), uses={"first": lambda: 0})
    assert grade(exercise, exercise.namespace(), 0).outcome == "right"
    said = grade(exercise, HALVE.namespace(), 0).message
    assert said == "halve runs on your first, and there is none yet: run its cell, then this one."
    unwritten = {**exercise.namespace(), "first": raises(NotImplementedError())}
    said = grade(exercise, unwritten, 0).message
    assert said == "halve runs on your first, which is not answered yet: write that first."


def test_a_part_that_is_not_written_costs_its_group_only() -> None:
    def half_written(x: np.ndarray) -> np.ndarray:
        if x[0] == 0:
            raise NotImplementedError
        return x / 2

    result = grade(HALVE, half_written, 0)
    assert (result.points, result.outcome) == (4, "partial")
    assert "a part is not written yet" in result.message


def test_a_mistake_must_match_every_case_to_be_named() -> None:
    calls = iter([2.0, 3.0])
    result = grade(HALVE, lambda x: x * next(calls, 1.0), 0)
    assert result.misconception is None


@pytest.mark.parametrize(
    "change",
    [
        {"groups": ()},
        {"groups": HALVE.groups[1:]},
        {"groups": (HALVE.groups[0], HALVE.groups[0])},
        {"groups": (replace(HALVE.groups[0], points=0), *HALVE.groups[1:])},
        {"groups": PRACTICE.groups, "stretch": True},
        {"misconceptions": HALVE.misconceptions * 2},
    ],
)
def test_an_exercise_that_is_not_well_formed_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="halve"):
        replace(HALVE, **change)


# Rendering ----------------------------------------------------------------------------------------------------------


def test_at_home_numbers_and_hints_are_shown_and_after_grading_not() -> None:
    result = grade(HALVE, lambda x: x * 2, 0)
    home, graded = to_html(result, reveal=True), to_html(result, reveal=False)
    expected = result.groups[0].difference.expected  # type: ignore[union-attr]
    assert expected in home
    assert expected not in graded
    assert "Hint 3" in home
    assert "Hint" not in graded
    assert "Look at one half." not in graded
    for html in (home, graded):
        assert "This doubles &lt;x&gt;; see <code>x / 2</code>." in html
        assert "<script" not in html
        assert "halve: 0 of 6 points" in html
    assert "<pre><code>return x / ____</code></pre>" in home


def test_marked_words_are_emphasised_and_products_are_not() -> None:
    sentence = "The *hard* one, *in a row*: `a *b* c`, x**2 + y**2, 3 * 4 * 5, *<b>*."
    exercise = replace(HALVE, misconceptions=(Misconception("doubled", sentence, lambda x: x * 2, sentence),))
    html = to_html(grade(exercise, lambda x: x * 2, 0), reveal=True)
    told = "The <em>hard</em> one, <em>in a row</em>: <code>a *b* c</code>, x**2 + y**2, 3 * 4 * 5, <em>&lt;b&gt;</em>."
    assert html.count(told) == 2  # the sentence and its hint


def test_what_a_learner_made_is_escaped() -> None:
    result = grade(HALVE, raises(ValueError("<script>alert(1)</script>")), 0)
    html = to_html(result, reveal=True, printed="<img src=x>")
    assert "<script" not in html
    assert "<img" not in html
    assert "&lt;script&gt;" in html


# check --------------------------------------------------------------------------------------------------------------

RIGHT = {"relu_backward": lambda dout, x: dout * (x > 0)}
FROM_DOUT = {"relu_backward": lambda dout, _x: dout * (dout > 0)}


@pytest.fixture(autouse=True)
def _forget_failures() -> None:
    check_module._failures.clear()


def bundle(result: CheckResult) -> dict[str, str]:
    return result._repr_mimebundle_()


def test_check_looks_in_the_callers_names() -> None:
    names: dict[str, Any] = {"check": check, **RIGHT}
    exec("result = check('relu_backward')", names)
    assert names["result"].points == 4
    assert bundle(check("relu_backward"))["text/plain"] == "0"


@pytest.mark.parametrize("namespace", [RIGHT, FROM_DOUT, {}, {"relu_backward": raises(NotImplementedError())}])
def test_the_plain_text_is_the_bare_points(namespace: dict[str, Any]) -> None:
    result = check("relu_backward", namespace)
    assert bundle(result)["text/plain"] == repr(result) == str(result.points)
    assert bundle(result)["text/html"].startswith('<div role="status">')
    assert str(result).startswith(f"relu_backward: {result.points}. ")


def test_a_bonus_is_not_read_as_points() -> None:
    exercise = load("find_wrong_backward")
    result = check("find_wrong_backward", exercise.namespace())
    assert bundle(result)["text/plain"] == "bonus 5 of 5"
    assert result.points == 5


@pytest.mark.parametrize(
    "namespace",
    [
        {"relu_backward": raises(SystemExit())},
        {"relu_backward": raises(KeyboardInterrupt())},
        {"relu_backward": raises(RecursionError("deep"))},
        {"relu_backward": lambda *_: Equal()},
        {"relu_backward": None},
        {"relu_backward": lambda *_: np.zeros((2, 2)).view(Uncopyable)},
    ],
)
def test_check_never_raises(namespace: dict[str, Any]) -> None:
    result = check("relu_backward", namespace)
    assert result.points == 0
    assert bundle(result)["text/plain"] == "0"


def test_check_names_the_closest_exercise() -> None:
    assert "did you mean 'relu_backward'?" in str(check("relu_backwards", {}))
    assert "there is no exercise 3" in str(check(3, {}))  # type: ignore[arg-type]


def test_a_check_that_fails_itself_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(check_module, "home_cases", raises(RuntimeError("broken")))
    result = check("relu_backward", RIGHT)
    assert "The check itself failed (RuntimeError: broken" in str(result)
    assert bundle(result)["text/plain"] == "0"


def test_what_code_prints_is_shown_folded_and_nothing_reaches_the_streams(capfd: pytest.CaptureFixture[str]) -> None:
    def loud(dout: np.ndarray, x: np.ndarray) -> np.ndarray:
        print("shape", x.shape)
        print("look <out>", file=sys.stderr)
        print("y" * 5000)
        return dout * (x > 0)

    result = check("relu_backward", {"relu_backward": loud})
    assert result.points == 4
    html = bundle(result)["text/html"]
    assert "Your code printed" in html
    assert "shape (4, 5)" in html
    assert "look &lt;out&gt;" in html
    assert "[the rest is left out]" in html
    assert len(html) < 5000
    assert capfd.readouterr() == ("", "")


def test_a_right_answer_earns_no_warning_for_underflow() -> None:
    for name in ("softmax_cross_entropy", "mlp_gradients"):
        assert "Your code printed" not in bundle(check(name, load(name).namespace()))["text/html"]


def test_the_fitting_hint_opens_after_the_second_failure() -> None:
    pages = [bundle(check("relu_backward", FROM_DOUT))["text/html"] for _ in range(3)]
    assert "A hint for this mistake" in pages[0]
    assert ["<details open>" in page for page in pages] == [False, True, True]
    assert pages[1].index("<details open>") < pages[1].index("A hint for this mistake") < pages[1].index("Hint 1")
    assert check("relu_backward", RIGHT).points == 4
    assert "<details open>" not in bundle(check("relu_backward", FROM_DOUT))["text/html"]


def test_an_unrecognised_mistake_opens_the_first_hint() -> None:
    wrong = {"relu_backward": lambda dout, _x: 3.7 * dout}
    pages = [bundle(check("relu_backward", wrong))["text/html"] for _ in range(2)]
    assert "<details open><summary>Hint 1</summary>" in pages[1]
    assert "<details open>" not in pages[0]


def test_an_unanswered_exercise_is_no_failure() -> None:
    for _ in range(3):
        html = bundle(check("relu_backward", {}))["text/html"]
        assert "<details" not in html


def test_the_same_seed_draws_the_same_cases_and_another_others() -> None:
    exercise = load("relu_backward")
    texts = [json.dumps([encode_case(c) for c in check_module.home_cases(exercise, s)["ordinary"]]) for s in (0, 0, 1)]
    assert texts[0] == texts[1] != texts[2]


def test_stock_nbgrader_reads_the_same_points() -> None:
    """Plain nbgrader's partial credit, from the output that a notebook would hold."""
    from nbformat.v4 import new_code_cell, new_output
    from nbgrader.utils import determine_grade

    def points(result: CheckResult, maximum: int) -> tuple[float | None, float]:
        cell = new_code_cell(f'check("{result.result.exercise.name}")' if result.result else "")
        cell.metadata["nbgrader"] = {"grade": True, "solution": False, "points": maximum, "grade_id": "check"}
        cell.outputs = [new_output("execute_result", data=bundle(result), execution_count=1)]
        return determine_grade(cell)

    at_zero = {"relu_backward": lambda dout, x: dout * (x >= 0)}
    for namespace, expected in ((RIGHT, 4), (at_zero, 3), (FROM_DOUT, 0), ({}, 0)):
        assert points(check("relu_backward", namespace), 4) == (expected, 4)
    bonus = load("find_wrong_backward")
    for namespace in (bonus.namespace(), {}):
        assert points(check("find_wrong_backward", namespace), 0) == (0, 0)
    assert points(check("no_such_name", {}), 4) == (0, 4)


# The lists ----------------------------------------------------------------------------------------------------------


def test_every_lesson_has_its_exercises_and_every_name_is_its_own() -> None:
    names = [exercise.name for lesson in LESSONS for exercise in of_lesson(lesson)]
    assert len(set(names)) == len(names)
    for lesson in LESSONS:
        for exercise in of_lesson(lesson):
            assert exercise.lesson == lesson
            assert load(exercise.name) is exercise
    with pytest.raises(KeyError, match="there is no lesson '99'"):
        of_lesson("99")


def test_captured_takes_both_streams() -> None:
    with captured() as text:
        print("out")
        print("err", file=sys.stderr)
    assert text.getvalue() == "out\nerr\n"


def test_numbers_in_messages_are_short() -> None:
    difference = compare(np.array([math.pi]), np.array([1.0]), ("y",), FLOAT64)
    assert difference is not None
    assert (difference.received, difference.expected) == ("3.1415927", "1")
