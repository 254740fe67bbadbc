"""Listen: a lesson's dialogue, and its explanations as an audio book, played line by line.

The transcript always stands there to be read. A line is heard as its recording (`course_lib.study.speech`). Where that
is missing, or does not come because the kernel is busy or gone, the browser's own voice reads the line; where there is
none either, the lines are marked at reading pace. Nothing is fetched from another machine: recordings go to the page as
binary messages, one when it is wanted (where the course is a site, the page takes them from that site), and only voices
that are on the learner's own machine are used.
"""

from __future__ import annotations

import html
from pathlib import Path
from typing import Any

import traitlets

from course_lib import maths
from course_lib.live import Live, Resting
from course_lib.study import content, speech

WORDS_A_MINUTE = 140
"""Of the voices, pauses included; tells how long a lesson's audio takes."""


class Listen(Live):
    """A player of utterances.

    Args:
        lesson: the full name of the lesson whose recordings are played.
        title: what is played.
        said: the utterances, in order.
    """

    _esm = Path(__file__).with_name("dialogue.js")
    _css = Path(__file__).with_name("dialogue.css")
    title = traitlets.Unicode().tag(sync=True)
    minutes = traitlets.Int().tag(sync=True)
    lines = traitlets.List(traitlets.Dict()).tag(sync=True)
    voices = traitlets.Dict().tag(sync=True)

    def __init__(self, lesson: str, title: str, said: tuple[speech.Utterance, ...]) -> None:
        self._lesson = lesson
        self._said = said
        words = sum(len(utterance.words.split()) for utterance in said)
        super().__init__(
            title=title,
            minutes=max(1, round(words / WORDS_A_MINUTE)),
            lines=[
                {
                    "speaker": utterance.speaker,
                    "chapter": utterance.chapter,
                    "html": maths.to_html(utterance.text, inline=True),
                    "words": utterance.words,
                    "recorded": speech.recording(lesson, utterance) is not None
                    or bool(speech.address(lesson, utterance)),
                    "address": speech.address(lesson, utterance),
                }
                for utterance in said
            ],
            voices={
                name: {"language": voice.language, "pitch": voice.pitch, "shape": voice.shape}
                for name, voice in speech.cast().items()
                if any(utterance.speaker == name for utterance in said)
            },
        )
        self.on_msg(self._answer)

    def _answer(self, _widget: object, message: Any, _buffers: object) -> None:
        """The page wants the recording of a line: send it, or say that there is none."""
        line = message.get("want") if isinstance(message, dict) else None
        if not isinstance(line, int) or not 0 <= line < len(self._said):
            return
        path = speech.recording(self._lesson, self._said[line])
        self.send({"recording": line}, [] if path is None else [path.read_bytes()])

    def resting(self) -> Resting:
        """The transcript. Each line names its place in the content file, so that an export may add its recording."""
        lines, words, chapter = [], [], ""
        for utterance in self._said:
            if utterance.chapter != chapter:
                chapter = utterance.chapter
                lines.append(f"<p><strong>{html.escape(chapter)}</strong></p>")
                words.append(chapter)
            narrated = utterance.speaker == speech.NARRATOR
            name = "" if narrated else f"<strong>{html.escape(utterance.speaker)}:</strong> "
            shown = maths.to_html(utterance.text, inline=True)
            lines.append(f'<p data-utterance="{html.escape(utterance.key)}">{name}{shown}</p>')
            words.append(("" if narrated else f"{utterance.speaker}: ") + speech.plain(utterance.text))
        heading = f"Listen: {self.title} (about {_minutes(self.minutes)})"
        note = "Run the notebook to hear it. This is the transcript."
        return Resting(
            html=f'<details open data-listen="{html.escape(self._lesson)}"><summary><strong>{html.escape(heading)}'
            f"</strong>. {note}</summary>{''.join(lines)}</details>",
            text="\n".join([f"{heading}. {note}", *words]),
        )


class Dialogue(Listen):
    """The dialogue of a lesson.

    Args:
        lesson: its number or folder name, "01" or "01_backpropagation".

    Raises:
        course_lib.study.content.ContentError: there is no such lesson, or it has no dialogue.
    """

    def __init__(self, lesson: str) -> None:
        name = content.full_name(lesson)
        found = content.load(name).dialogue
        if found is None:
            raise content.ContentError(f"content/{name}.toml has no [dialogue]; write one, or leave Dialogue out.")
        super().__init__(name, found.title, speech.dialogue(name))


class Explanations(Listen):
    """The explanations of a lesson, for listening with eyes closed; arguments and errors as of `Dialogue`."""

    def __init__(self, lesson: str) -> None:
        name = content.full_name(lesson)
        said = speech.explanations(name)
        if not said:
            raise content.ContentError(
                f"content/{name}.toml has no [[explanations]]; write one, or leave Explanations out."
            )
        super().__init__(name, "the idea, told", said)


def _minutes(number: int) -> str:
    return "1 minute" if number == 1 else f"{number} minutes"
