"""The judge reads answer lines strictly: forged ones change nothing, and nothing that comes in stops it."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autograder import judge as judging
from autograder.assemble import assemble, plan
from autograder.intake import from_bytes
from autograder.judge import draw, judge, read_answers
from autograder.sandbox import CellRun, Run
from course_lib.exercises.programs import Answer, encode_answer, run_cases
from tests.grading.helpers import LESSON, RIGHT, SEED, as_bytes, submission

RUN = "0123456789abcdef"
CASES = draw(LESSON, SEED)
PLAN = plan(assemble(LESSON, from_bytes(as_bytes(submission(RIGHT)))))


def line(exercise: str, group: str, case: int, answer: Any, run: str = RUN, **more: Any) -> bytes:
    data = {"run": run, "exercise": exercise, "group": group, "case": case, "answer": answer, **more}
    return json.dumps(data).encode() + b"\n"


def right_lines() -> list[bytes]:
    lines = []
    for exercise in LESSON.exercises:
        answers = run_cases(CASES[exercise.name], exercise.namespace())
        for group, given_answers in answers.items():
            lines += [line(exercise.name, group, i, encode_answer(a)) for i, a in enumerate(given_answers)]
    return lines


RIGHT_LINES = right_lines()


def verdict(raw: bytes, states: dict[str, str] | None = None, errors: dict[str, str] | None = None) -> judging.Verdict:
    cells = {
        each.index: CellRun(
            (states or {}).get(each.source or each.exercise, "ok"), (), (errors or {}).get(each.source, "")
        )  # type: ignore[arg-type]
        for each in PLAN
    }
    return judge(LESSON, PLAN, CASES, Run(cells, raw), RUN)


def score(raw: bytes) -> int:
    return sum(result.points for result in verdict(raw).exercises)


def test_right_answers_earn_every_point() -> None:
    assert score(b"".join(RIGHT_LINES)) == 8
    assert verdict(b"".join(RIGHT_LINES)).notes == ()


def test_no_answers_earn_nothing() -> None:
    result = verdict(b"")
    assert {each.outcome for each in result.exercises} == {"unanswered"}


def test_the_order_of_lines_does_not_matter() -> None:
    assert score(b"".join(reversed(RIGHT_LINES))) == 8


def test_the_first_answer_to_a_case_counts() -> None:
    wrong = line("scale", "ordinary", 0, encode_answer(Answer("answered", np.zeros(3))))
    assert score(wrong + b"".join(RIGHT_LINES)) == 4
    after = verdict(b"".join(RIGHT_LINES) + wrong)
    assert sum(result.points for result in after.exercises) == 8
    assert after.notes == ("1 cases were answered again; the first answer counts.",)


def test_a_gap_is_an_error() -> None:
    without = [each for each in RIGHT_LINES if b'"scale", "group": "ordinary", "case": 0' not in each]
    assert len(without) == len(RIGHT_LINES) - 1
    assert verdict(b"".join(without)).exercises[0].outcome == "error"


NAUGHT = encode_answer(Answer("answered", None))


@pytest.mark.parametrize(
    "forged",
    [
        line("scale", "ordinary", 0, NAUGHT, run="another run"),
        line("scale", "ordinary", 0, NAUGHT, points=4),
        line("scale", "ordinary", 99, NAUGHT),
        line("scale", "ordinary", -1, NAUGHT),
        line("scale", "ordinary", True, NAUGHT),  # type: ignore[arg-type]
        line("scale", "bonus", 0, NAUGHT),
        line("nothing", "ordinary", 0, NAUGHT),
        line("scale", "ordinary", 0, {**NAUGHT, "outcome": "right"}),
        line("scale", "ordinary", 0, {**NAUGHT, "value": {"float": "nan" * 100}}),
        line("scale", "ordinary", 0, {**NAUGHT, "value": {"array": ["float64", [10**12], ""]}}),
        line("scale", "ordinary", 0, {**NAUGHT, "value": {"array": ["object", [1], "gASVAAAAAAA="]}}),
        line("scale", "ordinary", 0, {**NAUGHT, "value": {"pickle": "gASVAAAAAAA="}}),
        line(["scale"], "ordinary", 0, NAUGHT),  # type: ignore[arg-type]
        line("scale", {"ordinary": 1}, 0, NAUGHT),  # type: ignore[arg-type]
        b"[" * 1_000_000 + b"\n",
        b"1" * 100_000 + b"\n",
        b"NaN\n",
        b'{"run": NaN}\n',
        b"\xff\xfe\n",
        b"\x00\n",
        b'{"points": 100}\n',
        b" " * 3_000_000 + b"\n",
    ],
)
def test_forged_lines_are_left_out_and_noted(forged: bytes) -> None:
    result = verdict(forged + b"".join(RIGHT_LINES))
    assert sum(each.points for each in result.exercises) == 8
    assert result.notes == ("1 lines in the answers were not written by the check and were left out.",)


def test_a_stream_of_lines_without_end_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(judging, "MAX_LINES", 100)
    answers, notes = read_answers(b"junk\n" * 10_000 + b"".join(RIGHT_LINES), RUN, CASES)
    assert not any(answers["scale"].values())
    assert notes == ("100 lines in the answers were not written by the check and were left out.",)


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_mutated_streams_never_raise_and_never_earn_more(data: st.DataObject) -> None:
    raw = bytearray(b"".join(RIGHT_LINES))
    for _ in range(data.draw(st.integers(1, 8))):
        place = data.draw(st.integers(0, len(raw)))
        kind = data.draw(st.sampled_from(["insert", "delete", "copy", "flip"]))
        length = data.draw(st.integers(1, 400))
        if kind == "insert":
            raw[place:place] = data.draw(st.binary(max_size=30))
        elif kind == "delete":
            del raw[place : place + length]
        elif kind == "copy":
            raw += raw[place : place + length]
        elif place < len(raw):
            raw[place] ^= data.draw(st.integers(1, 255))
    result = verdict(bytes(raw))
    assert all(0 <= each.points <= each.exercise.points for each in result.exercises)


leaves = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(["array", "float64", RUN])
)
junk = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["array", "dict", "list", "tuple", "float", "opaque", "x"]), inner, max_size=2
        )
    ),
    max_leaves=12,
)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["ordinary", "nasty"]), st.integers(0, 2), junk, junk), max_size=6))
def test_answers_of_any_content_earn_nothing_and_never_raise(made: list[tuple[str, int, Any, Any]]) -> None:
    raw = b"".join(
        line("scale", group, case, {"outcome": "answered", "value": value, "error": "", "modified": modified})
        for group, case, value, modified in made
    )
    assert score(raw) == 0


@pytest.mark.parametrize(("state", "outcome"), [("timeout", "timeout"), ("crashed", "crashed")])
@pytest.mark.parametrize("where", ["scale", RIGHT["scale"]], ids=["check", "answer"])
def test_a_cell_that_did_not_end_by_itself_earns_nothing(state: str, outcome: str, where: str) -> None:
    result = verdict(b"".join(RIGHT_LINES), {where: state})
    assert [(each.points, each.outcome) for each in result.exercises] == [(0, outcome), (2, "right"), (2, "right")]
    assert result.outcome == outcome
    assert len(result.notes) == 1


def test_a_check_that_time_was_over_for_is_a_timeout() -> None:
    result = verdict(b"", {"shift": "not run"})
    assert result.exercises[2].outcome == "timeout"
    assert result.outcome == "timeout"


def test_an_answer_cell_that_raises_is_an_error_with_its_reason() -> None:
    missing = line("scale", "ordinary", 0, encode_answer(Answer("missing", error="scale")))
    source = RIGHT["scale"]
    result = verdict(missing, {source: "error"}, {source: "SyntaxError: invalid syntax"}).exercises[0]
    assert result.outcome == "error"
    assert "SyntaxError: invalid syntax" in result.message


def test_one_exercise_s_cases_do_not_depend_on_another() -> None:
    again = draw(LESSON, SEED)
    other = draw(LESSON, SEED + 1)
    first = [cases["scale"]["ordinary"][0].steps[0].arguments["x"] for cases in (CASES, again, other)]
    np.testing.assert_array_equal(first[0], first[1])
    assert not np.array_equal(first[0], first[2])
