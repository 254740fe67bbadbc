"""What a lesson says to read, hear and remember: one TOML file a lesson, in `content/`, validated as it is loaded.

The classes are the schema; CONTRIBUTING.md shows it filled in. msgspec reads the files into them: strict, in 225 kB,
with an error that names the key (pydantic would be twelve times as much for every learner to install).
"""

from __future__ import annotations

import difflib
import math
import re
import tomllib
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

FOLDER = Path(__file__).parent / "content"
HELP = 'CONTRIBUTING.md, "The content of a lesson", shows the form'

Text = Annotated[str, Meta(pattern=r"\S")]
"""Markdown with `$maths$`, not empty."""
Id = Annotated[str, Meta(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")]
"""A name that stays when texts are bettered: learners' progress is kept by it."""


class ContentError(ValueError):
    """A content file breaks the schema; the message names file and key, one line for each fault found."""


class _Strict(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What every part of a content file is: read-only, without unknown keys."""


class Overview(_Strict, frozen=True):
    """The lesson in three depths: one breath, a paragraph, a page."""

    quick: Text
    standard: Text
    detailed: Text


class Line(_Strict, frozen=True):
    """One turn of a dialogue.

    Attributes:
        speaker: a name from the dialogue's `speakers`.
        text: what is read on the page.
        spoken: what the voice says, where the text has formulas or symbols.
    """

    speaker: Text
    text: Text
    spoken: Text | None = None


class Dialogue(_Strict, frozen=True):
    """A conversation to listen to; `speakers` tells each name's role, "teacher" or "student"."""

    title: Text
    speakers: dict[str, Literal["teacher", "student"]]
    lines: Annotated[tuple[Line, ...], Meta(min_length=2)]


class Paragraph(_Strict, frozen=True):
    """A paragraph of the audio book; `spoken` as in a dialogue's line."""

    text: Text
    spoken: Text | None = None


class Explanation(_Strict, frozen=True):
    """A chapter of the audio book, read by one narrator."""

    title: Text
    paragraphs: Annotated[tuple[Paragraph, ...], Meta(min_length=1)]


class Card(_Strict, frozen=True):
    """A flash card: a question and its short answer."""

    id: Id
    front: Text
    back: Text


class Choice(_Strict, frozen=True):
    """An answer to choose; a wrong one says why it is wrong, a right one may say why it is right."""

    text: Text
    right: bool = False
    why: Text | None = None


Choices = Annotated[tuple[Choice, ...], Meta(min_length=2)]


class Single(_Strict, frozen=True, tag_field="kind", tag="single"):
    """A question with exactly one right choice."""

    id: Id
    question: Text
    choices: Choices


class Multiple(_Strict, frozen=True, tag_field="kind", tag="multiple"):
    """A question with any number of right choices, at least one."""

    id: Id
    question: Text
    choices: Choices


class WrongValue(_Strict, frozen=True):
    """A number that a known mistake leads to, and what the mistake is."""

    value: float
    why: Text


class Numeric(_Strict, frozen=True, tag_field="kind", tag="numeric"):
    """A question whose answer is a number.

    Attributes:
        answer: the number.
        tolerance: how far from it an answer may lie and still be right; absolute, at least 0.
        why: how the number comes about, told after the answer is right or shown.
        unit: shown behind the field.
        wrong: numbers of known mistakes, recognised within the same tolerance.
    """

    id: Id
    question: Text
    answer: float
    tolerance: Annotated[float, Meta(ge=0)]
    why: Text
    unit: Text | None = None
    wrong: tuple[WrongValue, ...] = ()


class Order(_Strict, frozen=True, tag_field="kind", tag="order"):
    """Steps to put in order; `steps` has them in the right one."""

    id: Id
    question: Text
    steps: Annotated[tuple[Text, ...], Meta(min_length=3)]
    why: Text


Question = Single | Multiple | Numeric | Order


class Aid(_Strict, frozen=True):
    """A memory aid: a rhyme, an image, an acronym, a story."""

    title: Text
    text: Text


class Term(_Strict, frozen=True):
    """An entry of the glossary; `also` holds other names and forms under which it is found.

    `plain` says the definition without formulas, for places that cannot draw them, such as a hover text.
    """

    term: Text
    definition: Text
    also: tuple[Text, ...] = ()
    plain: Text | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """The term and all it is also called."""
        return (self.term, *self.also)


class Lesson(_Strict, frozen=True):
    """All content of one lesson."""

    title: Text
    overview: Overview
    dialogue: Dialogue | None = None
    explanations: tuple[Explanation, ...] = ()
    cards: tuple[Card, ...] = ()
    quiz: tuple[Question, ...] = ()
    aids: tuple[Aid, ...] = ()
    glossary: tuple[Term, ...] = ()


def names(folder: Path = FOLDER) -> tuple[str, ...]:
    """The lessons that have content, in order: "01_backpropagation", ..."""
    return tuple(sorted(path.stem for path in folder.glob("*.toml")))


def full_name(lesson: str, folder: Path = FOLDER) -> str:
    """The lesson's folder name; "1", "01" and "01_backpropagation" mean the same.

    Raises:
        ContentError: no lesson with content has this number or name.
    """
    every = names(folder)
    for name in every:
        number = name.split("_")[0]
        if str(lesson) in (name, number, number.lstrip("0")):
            return name
    raise ContentError(f"there is no content for lesson {lesson!r}; there is for {', '.join(every) or 'none yet'}")


def load(lesson: str, folder: Path = FOLDER) -> Lesson:
    """The content of a lesson, by its number or its folder's name.

    Raises:
        ContentError: there is no such file, or it breaks the schema.
    """
    return _read(folder / f"{full_name(lesson, folder)}.toml")


def glossary(folder: Path = FOLDER) -> dict[str, tuple[Term, ...]]:
    """The course's glossary: lesson -> its terms, in the order of the lessons.

    Raises:
        ContentError: a file breaks the schema, or a term stands in two lessons.
    """
    terms = {name: load(name, folder).glossary for name in names(folder)}
    first: dict[str, str] = {}
    for lesson, entries in terms.items():
        for index, entry in enumerate(entries):
            for called in map(str.casefold, entry.names):
                if called in first:
                    raise ContentError(
                        f"content/{lesson}.toml: glossary[{index}] defines {called!r}, as content/{first[called]}.toml "
                        "does already; a term stands once in the course, where it comes up first"
                    )
            first |= dict.fromkeys(map(str.casefold, entry.names), lesson)
    return terms


def texts(lesson: Lesson) -> Iterator[tuple[str, str]]:
    """Every text of a lesson with its key: ("cards[0].front", "..."), to look all of them over."""
    yield from _strings(msgspec.to_builtins(lesson), "")


def _strings(value: Any, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from _strings(inner, f"{path}.{key}".lstrip("."))
    elif isinstance(value, list | tuple):
        for index, inner in enumerate(value):
            yield from _strings(inner, f"{path}[{index}]")


@cache
def _read(path: Path) -> Lesson:
    where = f"content/{path.name}"
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ContentError(f"{where}: is not TOML in UTF-8: {error}") from error
    try:
        lesson = msgspec.convert(raw, Lesson)
    except msgspec.ValidationError as error:
        raise ContentError(f"{where}: {_sentence(str(error), raw)}. {HELP}") from error
    faults = list(_faults(lesson))
    if faults:
        raise ContentError("\n".join(f"{where}: {fault}" for fault in faults))
    return lesson


def _faults(lesson: Lesson) -> Iterator[str]:
    """What the types alone cannot say."""
    if lesson.dialogue is not None:
        speakers = lesson.dialogue.speakers
        for index, line in enumerate(lesson.dialogue.lines):
            if line.speaker not in speakers:
                yield (
                    f"dialogue.lines[{index}].speaker = {line.speaker!r}: is not among dialogue.speakers, "
                    f"which are {', '.join(speakers) or 'none'}"
                )
    for part, entries in (("cards", lesson.cards), ("quiz", lesson.quiz)):
        yield from _twice(f"{part}[{{}}].id", [entry.id for entry in entries])
    for index, question in enumerate(lesson.quiz):
        yield from _question_faults(f"quiz[{index}]", question)
    called = [(index, name.casefold()) for index, entry in enumerate(lesson.glossary) for name in entry.names]
    for place, (index, name) in enumerate(called):
        if name in [other for _, other in called[:place]]:
            yield f"glossary[{index}] defines {name!r} a second time; keep one of them"


def _twice(key: str, values: list[str]) -> Iterator[str]:
    for index, value in enumerate(values):
        if value in values[:index]:
            first = key.format(values.index(value))
            yield f"{key.format(index)} = {value!r}: stands at {first} already; each stands once"


def _question_faults(where: str, question: Question) -> Iterator[str]:
    match question:
        case Single() | Multiple():
            right = sum(choice.right for choice in question.choices)
            if isinstance(question, Single) and right != 1:
                yield f"{where}.choices: {right} are right; a single-choice question has exactly one `right = true`"
            if isinstance(question, Multiple) and right == 0:
                yield f"{where}.choices: none is right; mark at least one with `right = true`"
            for index, choice in enumerate(question.choices):
                if not choice.right and choice.why is None:
                    yield (
                        f"{where}.choices[{index}].why is missing: {choice.text!r} is a wrong choice, "
                        "so say to the learner who takes it why it is wrong"
                    )
            yield from _twice(f"{where}.choices[{{}}].text", [choice.text for choice in question.choices])
        case Numeric():
            if not (math.isfinite(question.answer) and math.isfinite(question.tolerance)):
                yield f"{where}: {question.answer:g} within {question.tolerance:g}: both must be finite numbers"
            for index, wrong in enumerate(question.wrong):
                if abs(wrong.value - question.answer) <= question.tolerance:
                    yield (
                        f"{where}.wrong[{index}].value = {wrong.value:g}: lies within {question.tolerance:g} of the "
                        f"answer {question.answer:g} and would count as right; change it or the tolerance"
                    )
        case Order():
            yield from _twice(f"{where}.steps[{{}}]", list(question.steps))


def _sentence(message: str, raw: Mapping[str, Any]) -> str:
    """msgspec's error with the key first, and the value that stands there."""
    said, _, place = message.partition(" - at ")
    path = place.strip("`").removeprefix("$").lstrip(".")
    if found := re.fullmatch(r"Object missing required field `(.*)`", said):
        return f"{path}.{found[1]} is missing".lstrip(".")
    if found := re.fullmatch(r"Object contains unknown field `(.*)`", said):
        close = difflib.get_close_matches(found[1], _KEYS, n=1)
        meant = f"; did you mean `{close[0]}`?" if close else ""
        return f"{path}.{found[1]} is not a key of the schema{meant}".lstrip(".")
    value: Any = raw
    try:
        for key, index in re.findall(r"(\w+)|\[(\d+)\]", path):
            value = value[key or int(index)]
    except (KeyError, TypeError):
        return f"{path}: {said}"  # a key or value of a table, whose name msgspec does not tell
    if isinstance(value, str) and not value.strip():
        return f"{path} is empty: write its text or leave the key out"
    shown = repr(value)
    rule = next((rule for start, rule in _RULES.items() if start in said), f"{said[:1].lower()}{said[1:]}")
    return f"{path} = {shown if len(shown) <= 60 else shown[:57] + '...'}: {rule}"


_RULES = {
    "regex '^[a-z0-9]": "an id is lower-case letters and digits, with single hyphens between",
    "Invalid enum value": "a speaker is a teacher or a student",
    "Invalid value": "a question's kind is single, multiple, numeric or order",
}
"""msgspec's words -> the rule in ours, where they would send an author to a regular expression."""


_KEYS = sorted(
    {
        field
        for kind in (
            *(Lesson, Overview, Dialogue, Line, Explanation, Paragraph, Card, Choice),
            *(Single, Multiple, Numeric, WrongValue, Order, Aid, Term),
        )
        for field in kind.__struct_fields__
    }
)
