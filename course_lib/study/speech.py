"""What a lesson says aloud, who says it, and which recording belongs to it.

A recording is named after what made it: the voice, the way of rendering, and the words. So a changed line asks for a
file that is not there until `make audio` renders it, and nothing else needs to be kept in step.
"""

from __future__ import annotations

import hashlib
import os
import re
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from course_lib.study import content

HERE = Path(__file__).parent
FOLDER = HERE / "audio"
RENDERING = "kokoro-82m v1.0 int8, 1"
"""Changed whenever the same words would be rendered otherwise: another model, loudness or pause."""
NARRATOR = "Narrator"
SERVED = "COURSE_RECORDINGS"
"""Environment variable: where a page finds the lessons' folders of recordings, relative to its own address."""

_MARKS = re.compile(r"\*\*|[*`]|(?<!\w)_|_(?!\w)|\[(?P<label>[^\]]*)\]\([^)]*\)")
_UNSPEAKABLE = re.compile(r"[^\w\s.,;:!?'’‘\"“”()%&–—…-]|_|\d(?=[^\W\d])|[^\W\d](?=\d)")


@dataclass(frozen=True)
class Voice:
    """How a speaker sounds.

    Attributes:
        voice: the name of a voice of Kokoro-82M.
        language: "en-GB" or "en-US", for the rendered voice and for the browser's own.
        pace: of the rendered voice; 1 is its own, 0.9 a tenth slower.
        pitch: of the browser's own voice, 0 to 2; 1 is natural.
        shape: a sign that marks the speaker beside colour.
    """

    voice: str
    language: str
    pace: float
    pitch: float
    shape: str


@dataclass(frozen=True)
class Utterance:
    """A line of a dialogue or a paragraph of the explanations.

    Attributes:
        key: where it stands in the lesson's content, such as "dialogue.lines[3]".
        speaker: a name of the cast.
        text: what is read: Markdown.
        words: what is said, before pronunciations.
        chapter: of the explanations, the title of its chapter; empty in a dialogue.
    """

    key: str
    speaker: str
    text: str
    words: str
    chapter: str = ""

    @property
    def recording(self) -> str:
        """The name of its recording: `make audio` writes it, 16 hexadecimal digits and ".mp3"."""
        voice = cast()[self.speaker]
        made_of = "\n".join((RENDERING, voice.voice, voice.language, f"{voice.pace}", respelled(self.words)))
        return f"{hashlib.sha256(made_of.encode()).hexdigest()[:16]}.mp3"


@cache
def cast() -> dict[str, Voice]:
    """Every speaker of the course, from cast.toml."""
    return {name: Voice(**entry) for name, entry in _toml("cast").items()}


def dialogue(lesson: str, folder: Path = content.FOLDER) -> tuple[Utterance, ...]:
    """The lines of a lesson's dialogue, in order; none where it has no dialogue.

    Args:
        lesson: its number or folder name, "01" or "01_backpropagation".
        folder: of the content files.

    Raises:
        course_lib.study.content.ContentError: there is no such lesson, its content breaks the schema, a speaker is not
            in cast.toml, or a line without `spoken` holds what a voice cannot say.
    """
    name = content.full_name(lesson, folder)
    found = content.load(name, folder).dialogue
    lines = found.lines if found is not None else ()
    return tuple(
        _utterance(name, f"dialogue.lines[{index}]", line.speaker, line.text, line.spoken)
        for index, line in enumerate(lines)
    )


def explanations(lesson: str, folder: Path = content.FOLDER) -> tuple[Utterance, ...]:
    """The paragraphs of a lesson's explanations, in order, read by the narrator; otherwise as `dialogue`."""
    name = content.full_name(lesson, folder)
    return tuple(
        _utterance(name, f"explanations[{number}].paragraphs[{index}]", NARRATOR, part.text, part.spoken, chapter.title)
        for number, chapter in enumerate(content.load(name, folder).explanations)
        for index, part in enumerate(chapter.paragraphs)
    )


def utterances(lesson: str, folder: Path = content.FOLDER) -> tuple[Utterance, ...]:
    """All that a lesson says aloud: its dialogue, then its explanations."""
    return dialogue(lesson, folder) + explanations(lesson, folder)


def recording(lesson: str, utterance: Utterance) -> Path | None:
    """The file with the words of `utterance`, or None while it is not rendered; `lesson` is the full name."""
    path = FOLDER / lesson / utterance.recording
    return path if path.is_file() else None


def address(lesson: str, utterance: Utterance) -> str:
    """Where the page itself finds the recording, on a site that serves them beside the lessons; "" elsewhere."""
    base = os.environ.get(SERVED, "")
    return f"{base}/{lesson}/{utterance.recording}" if base else ""


def respelled(words: str) -> str:
    """The words with those of pronunciations.toml spelled as they sound: "ReLU" becomes "relloo"."""
    pattern, spellings = _pronunciations()
    return pattern.sub(lambda found: spellings[found[0]], words)


def plain(markdown: str) -> str:
    """Markdown without its marks: emphasis, code, and the addresses of links."""
    return _MARKS.sub(lambda found: found["label"] or "", markdown)


def _utterance(lesson: str, key: str, speaker: str, text: str, spoken: str | None, chapter: str = "") -> Utterance:
    if speaker not in cast():
        raise content.ContentError(
            f"content/{lesson}.toml: {key}.speaker = {speaker!r} has no voice; cast.toml has {', '.join(cast())}"
        )
    words = " ".join((plain(text) if spoken is None else spoken).split())
    unspeakable = _UNSPEAKABLE.search(respelled(words))
    if unspeakable:
        around = words[max(unspeakable.start() - 20, 0) : unspeakable.start() + 20]
        where = f"{key}.text has no `spoken` and" if spoken is None else f"{key}.spoken"
        raise content.ContentError(
            f"content/{lesson}.toml: {where} holds what a voice cannot say, near {around!r}; write in `spoken` what "
            'you would say on the telephone: "d L by d x", "W one", "one thousandth"'
        )
    return Utterance(key, speaker, text, words, chapter)


@cache
def _pronunciations() -> tuple[re.Pattern[str], dict[str, str]]:
    spellings: dict[str, str] = _toml("pronunciations")
    longest_first = sorted(spellings, key=len, reverse=True)
    return re.compile(rf"\b(?:{'|'.join(map(re.escape, longest_first))})\b"), spellings


def _toml(name: str) -> dict[str, Any]:
    return tomllib.loads((HERE / f"{name}.toml").read_text(encoding="utf-8"))
