"""Whether an answer to a quiz question is right, and what to say about it. Nothing here knows of widgets or files."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TypeGuard

from course_lib.study.content import Choice, Multiple, Numeric, Order, Question, Single


@dataclass(frozen=True)
class Verdict:
    """What is said to an answer.

    Attributes:
        right: True or False; None for what is no answer yet (nothing chosen, not a number) and counts as no try.
        sentences: Markdown, one paragraph each.
        wrong: the wrong choices among those chosen, by their place in the question.
    """

    right: bool | None
    sentences: tuple[str, ...]
    wrong: tuple[int, ...] = ()


def judge(question: Question, answer: object) -> Verdict:
    """Judge an answer.

    Args:
        question: what was asked.
        answer: single: a choice's place in the question, from 0; multiple: several of them; numeric: the text that
            was typed; order: the places of the steps, in the order they were put in.

    Returns:
        The verdict. It names the right answer only when the answer is right.
    """
    match question:
        case Single():
            return _single(question, answer)
        case Multiple():
            return _multiple(question, answer)
        case Numeric():
            return _numeric(question, answer)
        case Order():
            return _order(question, answer)


def solution(question: Question) -> tuple[str, ...]:
    """The right answer and why it is right, as paragraphs of Markdown."""
    match question:
        case Single() | Multiple():
            return tuple(_explained(choice) for choice in question.choices if choice.right)
        case Numeric():
            return (f"**{question.answer:g}{' ' + question.unit if question.unit else ''}.** {question.why}",)
        case Order():
            steps = "\n".join(f"{number}. {step}" for number, step in enumerate(question.steps, start=1))
            return (steps, question.why)


def number(text: str) -> float:
    """A number as a learner writes it: "0.5", "-3", "1e-3", "2/3".

    Raises:
        ValueError: with a sentence about how to write it.
    """
    plain = re.sub(r"\s", "", text).replace("\N{MINUS SIGN}", "-")
    if not plain:
        raise ValueError("Write a number first.")
    if "," in plain:
        raise ValueError("Write a point before the decimals and nothing between thousands: 0.5, or 2410.")
    try:
        found = float(Fraction(plain)) if "/" in plain else float(plain)
    except (ValueError, ZeroDivisionError, OverflowError):
        found = math.nan
    if not math.isfinite(found):
        raise ValueError(f"`{_quoted(text)}` is not a number. Write one like 0.5, -3, 1e-3 or 2/3.")
    return found


def _quoted(text: str) -> str:
    """What somebody typed, fit to stand in Markdown's code."""
    return re.sub(r"[`$\\\s]+", " ", text.strip())[:40]


def _single(question: Single, answer: object) -> Verdict:
    if not _is_place(answer, question.choices):
        return Verdict(None, ("Choose one answer first.",))
    choice = question.choices[answer]
    why = (choice.why,) if choice.why else ()
    return Verdict(True, why) if choice.right else Verdict(False, why, (answer,))


def _multiple(question: Multiple, answer: object) -> Verdict:
    chosen = [each for each in answer if _is_place(each, question.choices)] if isinstance(answer, Collection) else []
    if not chosen:
        return Verdict(None, ("Choose at least one answer first.",))
    wrong = tuple(sorted(place for place in set(chosen) if not question.choices[place].right))
    missing = any(choice.right and place not in chosen for place, choice in enumerate(question.choices))
    if not wrong and not missing:
        return Verdict(True, tuple(_explained(choice) for choice in question.choices if choice.right and choice.why))
    said = [_explained(question.choices[place]) for place in wrong]
    if missing:
        said.append("And something right is missing still." if wrong else "All that is right, and more is.")
    return Verdict(False, tuple(said), wrong)


def _numeric(question: Numeric, answer: object) -> Verdict:
    try:
        value = number(answer if isinstance(answer, str) else "")
    except ValueError as error:
        return Verdict(None, (str(error),))
    if _within(value, question.answer, question.tolerance):
        return Verdict(True, (question.why,))
    near = [wrong for wrong in question.wrong if _within(value, wrong.value, question.tolerance)]
    if near:
        return Verdict(False, (min(near, key=lambda wrong: abs(value - wrong.value)).why,))
    return Verdict(False, (f"Your number is too {'large' if value > question.answer else 'small'}.",))


def _order(question: Order, answer: object) -> Verdict:
    right = list(range(len(question.steps)))
    if not isinstance(answer, list) or sorted(map(str, answer)) != sorted(map(str, right)):
        return Verdict(None, ("Put every step into its place first.",))
    if list(answer) == right:
        return Verdict(True, (question.why,))
    stand = next(place for place, step in enumerate(answer) if step != place)
    if stand == 0:
        return Verdict(False, ("Another step comes first.",))
    first = "The first step stands" if stand == 1 else f"The first {stand} steps stand"
    return Verdict(False, (f"{first} right. Another one comes next.",))


def _explained(choice: Choice) -> str:
    return f"**{choice.text}** {choice.why}" if choice.why else f"**{choice.text}**"


def _within(value: float, target: float, tolerance: float) -> bool:
    """Whether it lies as near as that; at 0.4, within 0.1 of 0.3, rounding decides nothing."""
    return abs(value - target) <= tolerance + 1e-9 * max(tolerance, abs(target))


def _is_place(value: object, choices: Sequence[Choice]) -> TypeGuard[int]:
    return type(value) is int and 0 <= value < len(choices)
