"""Content files: what is right loads whole, and each fault is named with file and key."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from course_lib.study import content
from course_lib.study.content import ContentError, Multiple, Numeric, Order, Single

Changed = Callable[..., Path]


@pytest.fixture
def changed(tiny: Path, tmp_path: Path) -> Changed:
    """The small lesson with some of its text replaced, in a folder of its own."""

    def write(*replacements: tuple[str, str], name: str = "01_tiny") -> Path:
        text = (tiny / "01_tiny.toml").read_text(encoding="utf-8")
        for old, new in replacements:
            assert old in text, old
            text = text.replace(old, new, 1)
        (tmp_path / f"{name}.toml").write_text(text, encoding="utf-8")
        return tmp_path

    return write


def test_a_lesson_loads_whole(tiny: Path) -> None:
    lesson = content.load("01", tiny)
    assert lesson.title == "Slopes"
    assert lesson.overview.detailed.startswith("Nudge the input")
    assert lesson.dialogue is not None
    assert [line.speaker for line in lesson.dialogue.lines] == ["Mira", "Oscar"]
    assert lesson.dialogue.lines[0].spoken == "How steep is x squared at three?"
    assert lesson.dialogue.lines[1].spoken is None
    assert [type(question) for question in lesson.quiz] == [Single, Multiple, Numeric, Order]
    assert lesson.glossary[0].names == ("slope", "slopes", "steepness")


@pytest.mark.parametrize("name", ["1", "01", "01_tiny"])
def test_a_lesson_is_found_by_number_or_name(tiny: Path, name: str) -> None:
    assert content.full_name(name, tiny) == "01_tiny"


@pytest.mark.parametrize("name", ["", "2", "tiny", "1_tiny", "010"])
def test_any_other_name_is_answered_with_the_lessons_there_are(tiny: Path, name: str) -> None:
    with pytest.raises(ContentError, match=re.escape(f"no content for lesson {name!r}; there is for 01_tiny")):
        content.load(name, tiny)


FAULTS = {
    "an unknown key": (
        ("[[aids]]\ntitle", "[[aids]]\ntittle"),
        "aids[0].tittle is not a key of the schema; did you mean `title`?",
    ),
    "an unknown key, like none": (
        ("[overview]", "zzz = 1\n[overview]"),
        "zzz is not a key of the schema. ",
    ),
    "a missing key": (('back = "Not at all: a plateau is high and flat."', ""), "cards[2].back is missing"),
    "a wrong type": (("answer = 6", 'answer = "six"'), "quiz[2].answer = 'six': expected `float`, got `str`"),
    "an empty text": (('"A rhyme"', '"  "'), "aids[0].title is empty: write its text"),
    "an unknown kind": (('"order"', '"sort"'), "quiz[3].kind = 'sort': a question's kind is single, multiple, numeric"),
    "an id that is none": (('"both-sides"', '"Both sides"'), "cards[1].id = 'Both sides': an id is lower-case letters"),
    "a card twice": (('"both-sides"', '"slope"'), "cards[1].id = 'slope': stands at cards[0].id already"),
    "a question twice": (('"flat-places"', '"nudge"'), "quiz[2].id = 'nudge': stands at quiz[1].id already"),
    "no right choice": (("right = true, why", "why"), "quiz[0].choices: 0 are right; a single-choice question has"),
    "two right choices": (
        ('"3", why', '"3", right = true, why'),
        "quiz[0].choices: 2 are right; a single-choice question has exactly one",
    ),
    "a wrong choice unexplained": (
        (', why = "3 is where you stand."', ""),
        "quiz[0].choices[2].why is missing: '3' is a wrong choice",
    ),
    "a choice twice": (('"on a summit"', '"in a valley"'), "quiz[1].choices[1].text = 'in a valley': stands at"),
    "a mistake that counts as right": (
        ("value = 1.2", "value = 6.005"),
        "quiz[2].wrong[0].value = 6.005: lies within 0.01 of the answer 6",
    ),
    "a tolerance below 0": (("tolerance = 0.01", "tolerance = -1"), "quiz[2].tolerance = -1: expected `float` >= 0.0"),
    "an answer that is no number": (("answer = 6", "answer = nan"), "quiz[2]: nan within 0.01: both must be finite"),
    "a step twice": (
        ('"nudge down and look"', '"nudge up and look"'),
        "quiz[3].steps[1] = 'nudge up and look': ",
    ),
    "a stranger speaks": (
        ('speaker = "Oscar"', 'speaker = "Olga"'),
        "dialogue.lines[1].speaker = 'Olga': is not among dialogue.speakers, which are Mira, Oscar",
    ),
    "a role that is none": (('Oscar = "student"', 'Oscar = "pupil"'), "a speaker is a teacher or a student"),
    "a term twice": (('"steepness"', '"Slope"'), "glossary[0] defines 'slope' a second time"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_named_with_file_and_key(changed: Changed, fault: str) -> None:
    replacement, sentence = FAULTS[fault]
    with pytest.raises(ContentError) as error:
        content.load("01", changed(replacement))
    said = str(error.value)
    assert said.startswith("content/01_tiny.toml: ")
    assert sentence in said


def test_faults_of_meaning_come_all_at_once(changed: Changed) -> None:
    folder = changed(('"both-sides"', '"slope"'), (', why = "3 is where you stand."', ""))
    with pytest.raises(ContentError) as error:
        content.load("01", folder)
    assert len(str(error.value).splitlines()) == 2


def test_multiple_choice_needs_a_right_one(changed: Changed) -> None:
    folder = changed(
        ('"in a valley", right = true', '"in a valley", why = "?"'),
        ('"on a summit", right = true', '"on a summit", why = "?"'),
    )
    with pytest.raises(ContentError, match=r"quiz\[1\].choices: none is right; mark at least one"):
        content.load("01", folder)


def test_what_is_no_toml_says_where(changed: Changed) -> None:
    with pytest.raises(ContentError, match=r"content/01_tiny.toml: is not TOML in UTF-8: .*line 1"):
        content.load("01", changed(('title = "Slopes"', "title = Slopes")))


def test_a_term_stands_once_in_the_course(changed: Changed) -> None:
    changed()
    folder = changed(('term = "slope"\nalso = ["slopes", "steepness"]', 'term = "Steepness"'), name="02_next")
    with pytest.raises(ContentError, match=r"02_next.toml: glossary\[0\] defines 'steepness', as content/01_tiny"):
        content.glossary(folder)


def test_the_glossary_is_that_of_all_lessons(changed: Changed) -> None:
    changed()
    folder = changed(('term = "slope"\nalso = ["slopes", "steepness"]', 'term = "gradient"'), name="02_next")
    found = content.glossary(folder)
    assert {lesson: [entry.term for entry in entries] for lesson, entries in found.items()} == {
        "01_tiny": ["slope"],
        "02_next": ["gradient"],
    }


def test_every_text_can_be_looked_over(tiny: Path) -> None:
    texts = dict(content.texts(content.load("01", tiny)))
    assert texts["overview.quick"] == "A slope says how fast a value moves."
    assert texts["quiz[0].choices[1].why"].startswith("9 is how high")
    assert texts["quiz[2].wrong[0].why"].startswith("1.2 is how far")
    assert texts["glossary[0].also[1]"] == "steepness"


def test_the_course_s_own_content_is_valid() -> None:
    for name in content.names():
        content.load(name)
    content.glossary()
