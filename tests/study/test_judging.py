"""What is said to an answer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from course_lib.study import content, judging
from course_lib.study.content import Numeric, Question, WrongValue
from course_lib.study.judging import Verdict, judge, number


@pytest.fixture
def asked(tiny: Path) -> dict[str, Question]:
    return {question.id: question for question in content.load("01", tiny).quiz}


def test_each_wrong_choice_is_explained_by_its_own_reason(asked: dict[str, Question]) -> None:
    question = asked["slope-at-three"]
    assert judge(question, 0) == Verdict(True, ("It is $2x$.",))
    assert judge(question, 1) == Verdict(False, ("9 is how high the curve is there, not how steep.",), (1,))
    assert judge(question, 2) == Verdict(False, ("3 is where you stand.",), (2,))


@pytest.mark.parametrize("answer", [None, -1, 3, True, "0", [0], 0.0])
def test_what_is_no_choice_is_no_try(asked: dict[str, Question], answer: Any) -> None:
    assert judge(asked["slope-at-three"], answer).right is None


def test_several_choices_are_judged_together(asked: dict[str, Question]) -> None:
    question = asked["flat-places"]
    hill = "**on a hillside** A hillside rises: its slope is what makes it one."
    assert judge(question, [1, 0]) == Verdict(True, ())
    assert judge(question, [0]) == Verdict(False, ("All that is right, and more is.",))
    assert judge(question, [0, 1, 2]) == Verdict(False, (hill,), (2,))
    assert judge(question, [2]) == Verdict(False, (hill, "And something right is missing still."), (2,))


@pytest.mark.parametrize("answer", [None, [], "", [7], [True], 0])
def test_no_choices_are_no_try(asked: dict[str, Question], answer: Any) -> None:
    assert judge(asked["flat-places"], answer).right is None


def test_a_number_is_right_within_its_tolerance_and_known_mistakes_are_recognised(asked: dict[str, Question]) -> None:
    question = asked["nudge"]
    for right in ("6", " 6.01", "5.99", "12/2", "6e0"):
        assert judge(question, right) == Verdict(True, ("$1.2 / 0.2 = 6$.",)), right
    assert judge(question, "1.2").sentences == ("1.2 is how far it rose; divide by the 0.2 that you moved.",)
    assert judge(question, "6.02") == Verdict(False, ("Your number is too large.",))
    assert judge(question, "-6") == Verdict(False, ("Your number is too small.",))


def test_the_nearest_known_mistake_is_named() -> None:
    wrong = (WrongValue(value=1.0, why="one"), WrongValue(value=1.5, why="one and a half"))
    question = Numeric(id="q", question="?", answer=5, tolerance=1, why="!", wrong=wrong)
    assert judge(question, "1.4").sentences == ("one and a half",)


@given(answer=st.floats(-1e6, 1e6), tolerance=st.floats(0, 100))
def test_the_answer_itself_is_always_right(answer: float, tolerance: float) -> None:
    question = Numeric(id="q", question="?", answer=answer, tolerance=tolerance, why="!")
    assert judge(question, repr(answer)).right
    assert judge(question, repr(answer + tolerance)).right


@pytest.mark.parametrize(
    "text", ["", "  ", "six", "1,5", "2,410", "nan", "inf", "1e999", "1/0", "3..1", "0x10", "1/2/3"]
)
def test_what_is_no_number_is_no_try_and_says_how_to_write_one(asked: dict[str, Question], text: str) -> None:
    verdict = judge(asked["nudge"], text)
    assert verdict.right is None
    assert "number" in verdict.sentences[0] or "point before the decimals" in verdict.sentences[0]


@pytest.mark.parametrize(
    ("text", "value"),
    [("0.5", 0.5), ("\u22123", -3), ("1 000", 1000), ("2/3", 2 / 3), ("-1/4", -0.25), ("1E-3", 0.001)],
)
def test_numbers_may_be_written_as_one_is_used_to(text: str, value: float) -> None:
    assert number(text) == pytest.approx(value)


@given(text=st.text(max_size=60))
def test_whatever_is_typed_gets_a_number_or_a_sentence_that_can_be_shown(text: str) -> None:
    from course_lib.maths import to_html

    try:
        number(text)
    except ValueError as error:
        to_html(str(error))


def test_steps_out_of_order_say_how_far_they_stand_right(asked: dict[str, Question]) -> None:
    question = asked["recipe"]
    assert judge(question, [0, 1, 2]) == Verdict(True, ("The division needs both heights.",))
    assert judge(question, [1, 0, 2]) == Verdict(False, ("Another step comes first.",))
    assert judge(question, [0, 2, 1]) == Verdict(False, ("The first step stands right. Another one comes next.",))


@pytest.mark.parametrize("answer", [None, [], [0, 1], [0, 1, 1], [0, 1, 3], "012", [0, 1, None]])
def test_steps_that_are_not_all_there_are_no_try(asked: dict[str, Question], answer: Any) -> None:
    assert judge(asked["recipe"], answer).right is None


def test_the_solution_names_what_is_right(asked: dict[str, Question]) -> None:
    assert judging.solution(asked["slope-at-three"]) == ("**6** It is $2x$.",)
    assert judging.solution(asked["flat-places"]) == ("**in a valley**", "**on a summit**")
    assert judging.solution(asked["nudge"]) == ("**6 per step.** $1.2 / 0.2 = 6$.",)
    assert judging.solution(asked["recipe"])[0].startswith("1. nudge up and look\n2. nudge down")
