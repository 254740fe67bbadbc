"""The players' Python side: what the page is told, which bytes it gets, and what stands there without a kernel."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from course_lib.study import content, speech
from course_lib.study.dialogue import Dialogue, Explanations, Listen

LESSON = "01_backpropagation"
SAID = (
    speech.Utterance("dialogue.lines[0]", "Mira", "How steep is $x^2$ at *3*?", "How steep is x squared at three?"),
    speech.Utterance("dialogue.lines[1]", "June", "6 < 9 & so on.", "Six, and so on."),
)


@pytest.fixture
def recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of recordings in which the first line has one."""
    monkeypatch.setattr(speech, "FOLDER", tmp_path)
    (tmp_path / LESSON).mkdir()
    (tmp_path / LESSON / SAID[0].recording).write_bytes(b"sound of line 0")
    return tmp_path


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, list[bytes]]]:
    """What the players send to the page."""
    messages: list[tuple[Any, list[bytes]]] = []
    monkeypatch.setattr(
        Listen, "send", lambda _self, message, buffers=(): messages.append((message, list(buffers))), raising=True
    )
    return messages


def ask(player: Listen, message: object) -> None:
    """As if the page had sent `message`."""
    player._handle_custom_msg(message, [])


def test_the_page_is_told_who_says_what(recorded: Path) -> None:
    player = Listen(LESSON, "a test", SAID)
    first, second = player.lines
    assert (first["speaker"], first["words"]) == ("Mira", "How steep is x squared at three?")
    assert "<math" in first["html"]
    assert "<em>3</em>" in first["html"]
    assert "6 &lt; 9 &amp; so on." in second["html"]
    assert [line["recorded"] for line in player.lines] == [True, False]
    assert list(player.voices) == ["Mira", "June"]
    assert player.voices["Mira"]["language"] == "en-GB"


def test_the_bytes_of_a_line_are_sent_when_it_is_wanted(recorded: Path, sent: list[Any]) -> None:
    player = Listen(LESSON, "a test", SAID)
    assert sent == []
    ask(player, {"want": 0})
    ask(player, {"want": 1})
    assert sent == [({"recording": 0}, [b"sound of line 0"]), ({"recording": 1}, [])]


@pytest.mark.parametrize("message", [{"want": 2}, {"want": -1}, {"want": "0"}, {"want": "../x"}, {}, "want", None, [0]])
def test_other_messages_are_answered_with_nothing(recorded: Path, sent: list[Any], message: object) -> None:
    ask(Listen(LESSON, "a test", SAID), message)
    assert sent == []


def test_at_rest_there_is_the_transcript_and_no_sound(recorded: Path) -> None:
    resting = Listen(LESSON, "a <b>", SAID).resting()
    assert resting.text.splitlines()[1:] == ["Mira: How steep is $x^2$ at 3?", "June: 6 < 9 & so on."]
    assert "Listen: a &lt;b&gt; (about 1 minute)" in resting.html
    assert '<p data-utterance="dialogue.lines[0]"><strong>Mira:</strong> How steep is <math' in resting.html
    assert f'data-listen="{LESSON}"' in resting.html
    assert "<audio" not in resting.html
    assert resting == Listen(LESSON, "a <b>", SAID).resting()


def test_at_rest_it_says_the_same_before_and_after_rendering(recorded: Path) -> None:
    before = Listen(LESSON, "a test", SAID).resting()
    (recorded / LESSON / SAID[1].recording).write_bytes(b"now recorded")
    assert Listen(LESSON, "a test", SAID).resting() == before


@pytest.mark.parametrize("lesson", content.names())
def test_every_lesson_has_its_players_and_their_notebooks_stay_small(lesson: str) -> None:
    found = content.load(lesson)
    for player, said in ((Dialogue, speech.dialogue(lesson)), (Explanations, speech.explanations(lesson))):
        if not said:
            continue
        bundle = player(lesson)._repr_mimebundle_()
        assert bundle is not None
        data, _ = bundle
        for utterance in said:
            assert speech.plain(utterance.text) in data["text/plain"]
        assert len(str(data)) < 40_000
    if found.dialogue is not None:
        assert Dialogue(lesson).title == found.dialogue.title


def test_explanations_are_told_in_chapters_by_the_narrator() -> None:
    chapters = [chapter.title for chapter in content.load(LESSON).explanations]
    player = Explanations(LESSON)
    assert {line["speaker"] for line in player.lines} == {speech.NARRATOR}
    assert list(dict.fromkeys(line["chapter"] for line in player.lines)) == chapters
    text = player.resting().text
    assert speech.NARRATOR not in text
    for title in chapters:
        assert title in text.splitlines()


def test_a_lesson_without_them_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    bare = content.Lesson(title="Bare", overview=content.Overview(quick="a", standard="b", detailed="c"))
    monkeypatch.setattr(content, "load", lambda *_: bare)
    with pytest.raises(content.ContentError, match=r"01_backpropagation.toml has no \[dialogue\]"):
        Dialogue("01")
    with pytest.raises(content.ContentError, match=r"01_backpropagation.toml has no \[\[explanations\]\]"):
        Explanations("1")
    with pytest.raises(content.ContentError, match="no content for lesson '77'"):
        Dialogue("77")
