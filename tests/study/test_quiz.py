"""The quiz: what the page is told and when, the score, and what is kept."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random
from typing import Any

import pytest

from course_lib.study import content
from course_lib.study.content import ContentError, Multiple, Numeric, Order, Single
from course_lib.study.quiz import Quiz
from course_lib.study.records import Keeper

SECRETS = (
    "It is $2x$",
    "2x",
    "how high the curve",
    "where you stand",
    "1.2 / 0.2",
    "0.2 that you moved",
    "both heights",
)


def quiz_of(tiny: Path, path: Path | None = None, seed: int = 1) -> Quiz:
    return Quiz("01", folder=tiny, keeper=Keeper(path), rng=Random(seed))


def right_answer(quiz: Quiz) -> Any:
    """The right answer in the places of the page."""
    asked = quiz._asked[quiz._at]
    match asked.question:
        case Single(choices=choices) | Multiple(choices=choices):
            places = [shown for shown, place in enumerate(asked.shuffle) if choices[place].right]
            return places[0] if isinstance(asked.question, Single) else places
        case Numeric(answer=answer):
            return str(answer)
        case Order(steps=steps):
            return [asked.shuffle.index(step) for step in range(len(steps))]


def send(quiz: Quiz, **message: Any) -> dict[str, Any]:
    quiz._hear({"id": quiz.view["question"]["id"], **message})
    return quiz.view


def test_before_a_try_the_page_holds_nothing_of_the_answers(tiny: Path) -> None:
    quiz = quiz_of(tiny)
    for index in range(4):
        view = send(quiz, do="go", index=index)
        told = json.dumps(quiz.get_state(), default=str)
        assert not [secret for secret in SECRETS if secret in told]
        assert set(view["marks"]) <= {None}
        assert view["verdict"] is None
        assert set(view["question"]) <= {"id", "html", "kind", "items", "unit"}


def test_the_order_on_the_page_tells_nothing(tiny: Path) -> None:
    firsts = {quiz_of(tiny, seed=seed).view["question"]["items"][0] for seed in range(30)}
    assert firsts == {"6", "9", "3"}
    orders = set()
    for seed in range(30):
        quiz = quiz_of(tiny, seed=seed)
        quiz.go_to(3)
        orders.add(tuple(quiz.view["question"]["items"]))
    assert len(orders) == 5, "every order but the right one"


def test_a_wrong_choice_is_explained_and_the_right_one_stays_hidden(tiny: Path) -> None:
    quiz = quiz_of(tiny)
    nine = quiz.view["question"]["items"].index("9")
    view = send(quiz, do="answer", answer=nine)
    assert view["verdict"] == {
        "right": False,
        "given_up": False,
        "html": "<p>9 is how high the curve is there, not how steep.</p>",
        "rest": "",
    }
    assert [place for place, mark in enumerate(view["marks"]) if mark is False] == [nine]
    assert True not in view["marks"]
    assert not view["done"]


def test_a_right_answer_ends_the_question_and_explains_the_rest(tiny: Path) -> None:
    quiz = quiz_of(tiny)
    view = send(quiz, do="answer", answer=right_answer(quiz))
    assert view["done"]
    assert view["verdict"]["right"]
    assert "<math>" in view["verdict"]["html"]
    assert "3 is where you stand." in view["verdict"]["rest"]
    assert view["marks"].count(True) == 1
    assert view["said"] == "Question 1 of 4. 1 of 1 right at the first try."
    send(quiz, do="answer", answer=0)
    assert quiz.view == view, "a question that is done takes no more answers"


def test_the_answer_is_shown_only_after_a_try(tiny: Path) -> None:
    quiz = quiz_of(tiny)
    assert send(quiz, do="show")["verdict"] is None
    send(quiz, do="answer", answer=None)
    assert not send(quiz, do="show")["done"], "choosing nothing is no try"
    send(quiz, do="answer", answer=quiz.view["question"]["items"].index("3"))
    view = send(quiz, do="show")
    assert view["done"]
    assert view["verdict"]["given_up"]
    assert "<strong>6</strong>" in view["verdict"]["html"]


def test_every_kind_can_be_answered_and_the_score_counts_first_tries(tiny: Path, tmp_path: Path) -> None:
    path = tmp_path / "course_progress.json"
    quiz = quiz_of(tiny, path)
    for index in range(4):
        quiz.go_to(index)
        if index == 2:
            assert not send(quiz, do="answer", answer="1.2")["done"]
        assert send(quiz, do="answer", answer=right_answer(quiz))["done"]
    assert quiz.view["finished"]
    assert quiz.view["said"] == "Done: 3 of 4 right at the first try."
    kept = Keeper(path).read().of("01_tiny").quiz
    assert kept is not None
    assert (kept.best, kept.of) == (3, 4)


def test_the_best_round_is_kept(tiny: Path, tmp_path: Path) -> None:
    path = tmp_path / "course_progress.json"
    quiz = quiz_of(tiny, path)
    for wrong_tries in (1, 0, 2):
        send(quiz, do="again")
        for index in range(4):
            quiz.go_to(index)
            if index < wrong_tries:
                hill = quiz.view["question"]["items"].index("9" if index == 0 else "on a hillside")
                send(quiz, do="answer", answer=hill if index == 0 else [hill])
            send(quiz, do="answer", answer=right_answer(quiz))
    assert quiz.view["said"] == "Done: 2 of 4 right at the first try. Your best so far: 4."
    kept = Keeper(path).read().of("01_tiny").quiz
    assert kept is not None
    assert kept.best == 4


def test_going_back_finds_the_answer_as_it_was(tiny: Path) -> None:
    quiz = quiz_of(tiny)
    quiz.go_to(2)
    send(quiz, do="answer", answer="1.2")
    quiz.go_to(0)
    view = send(quiz, do="go", index=2)
    assert view["answer"] == "1.2"
    assert "1.2 is how far it rose" in view["verdict"]["html"]


def test_a_press_that_comes_late_or_is_not_understood_changes_nothing(tiny: Path) -> None:
    quiz = quiz_of(tiny)
    before = quiz.view
    for message in ({"do": "answer", "id": "recipe", "answer": 0}, {"do": "go", "index": "1"}, {"do": "fly"}, {}, None):
        quiz._hear(message)
    assert quiz.view == before
    quiz._hear({"do": "go", "index": 99})
    assert quiz.view["index"] == 3


def test_at_rest_the_questions_are_the_same_every_time_and_answers_are_to_be_opened(tiny: Path) -> None:
    resting = quiz_of(tiny).resting()
    other = quiz_of(tiny, seed=2)
    send(other, do="answer", answer=0)
    assert other.resting() == resting
    assert resting.html.count("<details>") == 4
    assert resting.text.startswith("A quiz of 4 questions. Decide, then open the answer.\n\n1. What is the slope")
    assert "   - 3\n   - 6\n   - 9" in resting.text
    assert not [secret for secret in SECRETS if secret in resting.text]


def test_a_lesson_without_a_quiz_says_what_to_write(tmp_path: Path) -> None:
    (tmp_path / "02_bare.toml").write_text('title = "B"\n[overview]\nquick = "q"\nstandard = "s"\ndetailed = "d"\n')
    with pytest.raises(ContentError, match=r"content/02_bare.toml: has no \[\[quiz\]\] yet"):
        Quiz("02", folder=tmp_path)


@pytest.mark.parametrize("lesson", content.names())
def test_the_course_s_own_quizzes_can_be_answered(lesson: str) -> None:
    quiz = Quiz(lesson, keeper=Keeper(None))
    assert quiz.resting().html.count("<summary>Answer</summary>") == len(quiz._asked)
    for index in range(len(quiz._asked)):
        quiz.go_to(index)
        assert send(quiz, do="answer", answer=right_answer(quiz))["done"]
    assert quiz.view["finished"]


@pytest.mark.parametrize("lesson", content.names())
def test_every_wrong_answer_of_the_course_s_quizzes_has_its_reason(lesson: str) -> None:
    quiz = Quiz(lesson, keeper=Keeper(None))
    for index, asked in enumerate(quiz._asked):
        quiz.go_to(index)
        question = asked.question
        if isinstance(question, Single):
            for shown, place in enumerate(asked.shuffle):
                if not question.choices[place].right:
                    assert len(send(quiz, do="answer", answer=shown)["verdict"]["html"]) > 20
        if isinstance(question, Numeric):
            for wrong in question.wrong:
                view = send(quiz, do="answer", answer=repr(wrong.value))
                assert not view["done"]
                assert "Your number is too" not in view["verdict"]["html"]
