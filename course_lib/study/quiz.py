"""A quiz: one question at a time, each wrong answer explained, the right one never told before a try.

    Quiz("01")

Answers are judged here. The page holds the question and, only after it is answered, what was right.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from random import Random
from typing import Any

import traitlets

from course_lib.live import Live, Resting
from course_lib.maths import to_html
from course_lib.study import clock, content, judging, records
from course_lib.study.content import ContentError, Multiple, Numeric, Order, Question, Single
from course_lib.study.records import Keeper, Quizzed, Records


@dataclass
class _Asked:
    """A question in this round.

    Attributes:
        question: what is asked.
        shuffle: choices or steps as the page shows them: their places in the question.
        answer: what was answered last, in the page's places.
        tries: how often.
        verdict: what was said to it.
        done: answered rightly, or the answer was shown.
        first: answered rightly at the first try.
    """

    question: Question
    shuffle: tuple[int, ...]
    answer: Any = None
    tries: int = 0
    verdict: judging.Verdict | None = None
    done: bool = False
    first: bool = False
    wrong: set[int] = field(default_factory=set)


class Quiz(Live):
    """The quiz of a lesson.

    Args:
        lesson: its number or its folder's name: "01".
        rng: shuffles choices and steps; a fresh one by default.
        keeper: of the learner's progress; by default that of the file beside the lessons.
        folder: where the content files are.

    Attributes:
        view: what the page shows.

    Raises:
        ContentError: the lesson has no quiz, or its content breaks the schema.
    """

    _esm = Path(__file__).with_name("quiz.js")
    _css = Path(__file__).with_name("study.css")
    view = traitlets.Dict().tag(sync=True)

    def __init__(
        self,
        lesson: str,
        *,
        rng: Random | None = None,
        keeper: Keeper | None = None,
        folder: Path = content.FOLDER,
    ) -> None:
        self._name = content.full_name(lesson, folder)
        self._questions = content.load(lesson, folder).quiz
        if not self._questions:
            raise ContentError(f"content/{self._name}.toml: has no [[quiz]] yet. {content.HELP}")
        self._rng = rng or Random()  # noqa: S311 - the order of choices is no secret
        self._keeper = keeper or Keeper(records.place())
        self._round = self._at = 0
        self._asked: list[_Asked] = []
        self._begin()
        super().__init__(view=self._seen())
        self.on_msg(lambda _widget, message, _buffers: self._hear(message))

    def answer(self, answer: Any) -> None:
        """Judge an answer to the question that is shown, in the page's own places (the first choice shown is 0)."""
        asked = self._asked[self._at]
        if asked.done:
            return
        verdict = judging.judge(asked.question, _unshuffled(asked, answer))
        asked.verdict = verdict
        if verdict.right is not None or isinstance(answer, str):
            asked.answer = answer
        asked.tries += verdict.right is not None
        asked.wrong |= set(verdict.wrong)
        if verdict.right:
            self._finish(asked, first=asked.tries == 1)
        self.view = self._seen()

    def show_answer(self) -> None:
        """Give up on the question that is shown; only after a try."""
        asked = self._asked[self._at]
        if asked.tries and not asked.done:
            asked.verdict = judging.Verdict(False, judging.solution(asked.question))
            self._finish(asked, first=False)
            self.view = self._seen()

    def go_to(self, index: int) -> None:
        """Show another question, by its number from 0."""
        self._at = min(max(index, 0), len(self._asked) - 1)
        self.view = self._seen()

    def again(self) -> None:
        """Begin anew, shuffled anew."""
        self._begin()
        self.view = self._seen()

    def _hear(self, message: Any) -> None:
        """Do what was pressed; a press that belongs to a question no longer shown does nothing."""
        shown = self._asked[self._at].question.id
        match message:
            case {"do": "answer", "id": question, "answer": answer} if question == shown:
                self.answer(answer)
            case {"do": "show", "id": question} if question == shown:
                self.show_answer()
            case {"do": "go", "index": int(index)}:
                self.go_to(index)
            case {"do": "again"}:
                self.again()
            case _:
                pass

    def _begin(self) -> None:
        self._round += 1
        self._at = 0
        self._asked = [_Asked(question, self._shuffle(question)) for question in self._questions]

    def _shuffle(self, question: Question) -> tuple[int, ...]:
        if isinstance(question, Numeric):
            return ()
        count = len(question.steps if isinstance(question, Order) else question.choices)
        while True:
            drawn = tuple(self._rng.sample(range(count), count))
            if not isinstance(question, Order) or drawn != tuple(range(count)):
                return drawn

    def _finish(self, asked: _Asked, *, first: bool) -> None:
        asked.done, asked.first = True, first
        score = self._score() if all(each.done for each in self._asked) else None

        def change(held: Records) -> None:
            record = held.of(self._name)
            record.last = clock.now()
            before = record.quiz
            if score is not None and (before is None or before.of != len(self._asked) or score > before.best):
                record.quiz = Quizzed(score, len(self._asked), clock.today())

        self._keeper.update(change)

    def _score(self) -> int:
        return sum(each.first for each in self._asked)

    def _seen(self) -> dict[str, Any]:
        asked = self._asked[self._at]
        return {
            "key": f"{self._round}-{self._at}",
            "index": self._at,
            "total": len(self._asked),
            "question": self._question(asked),
            "answer": asked.answer,
            "tries": asked.tries,
            "done": asked.done,
            "verdict": _verdict(asked),
            "marks": _marks(asked),
            "said": self._said(),
            "finished": all(each.done for each in self._asked),
            "trouble": self._keeper.trouble,
        }

    def _question(self, asked: _Asked) -> dict[str, Any]:
        question = asked.question
        shown: dict[str, Any] = {"id": question.id, "html": to_html(question.question)}
        match question:
            case Single() | Multiple():
                choices = [to_html(question.choices[place].text, inline=True) for place in asked.shuffle]
                return {**shown, "kind": "single" if isinstance(question, Single) else "multiple", "items": choices}
            case Order():
                steps = [to_html(question.steps[place], inline=True) for place in asked.shuffle]
                return {**shown, "kind": "order", "items": steps}
            case Numeric():
                return {**shown, "kind": "numeric", "items": [], "unit": question.unit}

    def _said(self) -> str:
        total, done, score = len(self._asked), sum(each.done for each in self._asked), self._score()
        if done < total:
            so_far = f" {score} of {done} right at the first try." if done else ""
            return f"Question {self._at + 1} of {total}.{so_far}"
        best = self._keeper.read().of(self._name).quiz
        record = f" Your best so far: {best.best}." if best and best.of == total and best.best > score else ""
        return f"Done: {score} of {total} right at the first try.{record}"

    def resting(self) -> Resting:
        """Every question with its choices in alphabetical order, the answer to be opened."""
        heading = f"A quiz of {len(self._questions)} questions. Decide, then open the answer."
        html, text = [f"<p>{escape(heading)}</p>", "<ol>"], [heading]
        for number, question in enumerate(self._questions, start=1):
            items = sorted(_items(question))
            listed = "".join(f"<li>{to_html(item, inline=True)}</li>" for item in items)
            answer = "".join(map(to_html, (*judging.solution(question), *_wrong_ones(question))))
            html.append(
                f"<li>{to_html(question.question)}{f'<ul>{listed}</ul>' if items else ''}"
                f"<details><summary>Answer</summary>{answer}</details></li>"
            )
            text.append("\n".join([f"{number}. {question.question.strip()}", *(f"   - {item}" for item in items)]))
        return Resting("".join([*html, "</ol>"]), "\n\n".join(text))


def _items(question: Question) -> Sequence[str]:
    match question:
        case Single() | Multiple():
            return [choice.text for choice in question.choices]
        case Order():
            return question.steps
        case Numeric():
            return ()


def _wrong_ones(question: Question) -> list[str]:
    """What is wrong with the choices, or numbers, that are not right."""
    match question:
        case Single() | Multiple():
            return [f"*Not:* {choice.text} {choice.why}" for choice in question.choices if not choice.right]
        case Numeric():
            return [f"*Not {wrong.value:g}:* {wrong.why}" for wrong in question.wrong]
        case Order():
            return []


def _unshuffled(asked: _Asked, answer: Any) -> Any:
    """The answer with the page's places turned into the question's; what is no place becomes None."""
    if isinstance(asked.question, Numeric):
        return answer

    def place(value: Any) -> int | None:
        return asked.shuffle[value] if type(value) is int and 0 <= value < len(asked.shuffle) else None

    return [place(value) for value in answer] if isinstance(answer, list) else place(answer)


def _verdict(asked: _Asked) -> dict[str, Any] | None:
    if asked.verdict is None:
        return None
    rest = "".join(map(to_html, _wrong_ones(asked.question))) if asked.done else ""
    return {
        "right": asked.verdict.right,
        "given_up": asked.done and not asked.verdict.right,
        "html": "".join(map(to_html, asked.verdict.sentences)),
        "rest": rest,
    }


def _marks(asked: _Asked) -> list[bool | None]:
    """For each choice as shown: right, wrong, or nothing to be said yet."""
    question = asked.question
    if not isinstance(question, Single | Multiple):
        return []
    if asked.done:
        return [question.choices[place].right for place in asked.shuffle]
    return [False if place in asked.wrong else None for place in asked.shuffle]
