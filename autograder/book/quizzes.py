"""Quiz questions with every verdict worked out, so that a page can judge answers by looking them up.

Sentences come from `course_lib.study.judging`, the one place that judges; `static/kernels.js` chooses among them.
"""

from __future__ import annotations

from typing import Any

from course_lib.maths import to_html
from course_lib.study import judging
from course_lib.study.content import Multiple, Numeric, Order, Question, Single
from course_lib.study.quiz import _wrong_ones

UNREADABLE = "UNREADABLE"
"""Stands in a sentence for what was typed."""


def judged(question: Question) -> dict[str, Any]:
    """What a page needs to ask a question and to judge its answers, as plain data; texts are HTML."""
    shown: dict[str, Any] = {
        "id": question.id,
        "html": to_html(question.question),
        "solution": _html(judging.solution(question)),
        "wrong_ones": "".join(map(to_html, _wrong_ones(question))),
        "nothing": _said(question, None),
    }
    match question:
        case Single():
            items = [to_html(choice.text, inline=True) for choice in question.choices]
            verdicts = [_said(question, place) for place in range(len(items))]
            right = [choice.right for choice in question.choices]
            return {**shown, "kind": "single", "items": items, "right": right, "verdicts": verdicts}
        case Multiple():
            items = [to_html(choice.text, inline=True) for choice in question.choices]
            right = [choice.right for choice in question.choices]
            places = [place for place, each in enumerate(right) if each]
            wrong = [place for place, each in enumerate(right) if not each]
            missing = _said(question, places[:1]) if len(places) > 1 else ""
            return {
                **shown,
                "kind": "multiple",
                "items": items,
                "right": right,
                "all_right": _said(question, places),
                "wrong": {place: _html(judging.judge(question, [*places, place]).sentences) for place in wrong},
                "missing": missing,  # when all that is chosen is right
                "missing_too": _html(judging.judge(question, wrong[:1]).sentences[-1:]),
            }
        case Numeric():
            return {
                **shown,
                "kind": "numeric",
                "items": [],
                "unit": question.unit,
                "answer": question.answer,
                "tolerance": question.tolerance,
                "right": to_html(question.why),
                "near": [{"value": each.value, "html": to_html(each.why)} for each in question.wrong],
                "large": to_html("Your number is too large."),
                "small": to_html("Your number is too small."),
                "comma": _said(question, "1,5"),
                "unreadable": _said(question, UNREADABLE),
            }
        case Order():
            count = len(question.steps)
            items = [to_html(step, inline=True) for step in question.steps]
            # Rotating what stands from a place on puts another step there.
            ways = [[*range(stand), *range(stand + 1, count), stand] for stand in range(count - 1)]
            stands = [_said(question, way) for way in ways]
            return {**shown, "kind": "order", "items": items, "right": to_html(question.why), "stands": stands}


def _said(question: Question, answer: object) -> str:
    return _html(judging.judge(question, answer).sentences)


def _html(sentences: tuple[str, ...]) -> str:
    return "".join(map(to_html, sentences))
