"""What the lessons say aloud is recorded, every line of it, and the means that keep it so work."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pyloudnorm
import pytest

from course_lib.study import content, speech
from scripts import hear_audio, make_audio

MOST_BYTES = 3_000_000
SECONDS_A_LETTER = (0.042, 0.1)
"""Of the words as they are spelled for the voice, silence at both ends left out: 2 to 4 words a second."""


def said(name: str) -> tuple[speech.Utterance, ...]:
    return speech.utterances(name)


# --- the recordings of the course


@pytest.mark.parametrize("lesson", content.names())
def test_every_line_is_recorded_as_it_stands_and_nothing_else(lesson: str) -> None:
    found = list(make_audio.faults(speech.FOLDER / lesson, said(lesson)))
    assert found == [], "run make audio"


def test_no_recordings_of_a_lesson_that_is_not_there() -> None:
    assert {path.name for path in speech.FOLDER.iterdir()} <= set(content.names())


@pytest.mark.parametrize("lesson", content.names())
def test_every_file_lasts_as_long_as_its_text_and_is_heard(lesson: str) -> None:
    folder = speech.FOLDER / lesson
    listed = make_audio.read_list(folder)
    meter = pyloudnorm.Meter(make_audio.RATE)
    shortest, longest = SECONDS_A_LETTER
    for utterance in said(lesson):
        data = (folder / utterance.recording).read_bytes()
        sound = make_audio.decoded(data)
        seconds = len(sound) / make_audio.RATE
        letters = len(speech.respelled(utterance.words))
        spoken = seconds - make_audio.LEAD - make_audio.TAIL
        assert shortest * letters < spoken < longest * letters + 0.5, (utterance.key, seconds, utterance.words)
        assert listed[utterance.recording]["seconds"] == pytest.approx(seconds, abs=0.006)
        assert listed[utterance.recording]["bytes"] == len(data)
        assert np.abs(sound).max() < 1, f"{utterance.key} is clipped"
        if seconds > 1.5:
            assert -23 < meter.integrated_loudness(sound) < -17, f"{utterance.key} is not as loud as the others"


@pytest.mark.parametrize("lesson", content.names())
def test_a_lesson_speaks_in_at_most_3_mb(lesson: str) -> None:
    size = sum(path.stat().st_size for path in (speech.FOLDER / lesson).glob("*.mp3"))
    assert 0 < size <= MOST_BYTES


def test_every_speaker_has_a_voice_and_a_shape_of_their_own() -> None:
    cast = speech.cast()
    assert speech.NARRATOR in cast
    for values in (
        [v.voice for v in cast.values()],
        [v.shape for v in cast.values()],
        [v.pitch for v in cast.values()],
    ):
        assert len(set(values)) == len(cast)
    assert {voice.language for voice in cast.values()} == {"en-GB", "en-US"}
    for voice in cast.values():
        assert 0.5 <= voice.pace <= 2
        assert 0 <= voice.pitch <= 2


# --- what a voice says


def lesson_saying(folder: Path, text: str, spoken: str | None = None, speaker: str = "Mira") -> Path:
    line = f"speaker = '{speaker}'\ntext = '''{text}'''\n" + (f"spoken = '''{spoken}'''\n" if spoken else "")
    (folder / "01_tiny.toml").write_text(
        "title = 'Tiny'\n[overview]\nquick = 'a'\nstandard = 'b'\ndetailed = 'c'\n"
        f"[dialogue]\ntitle = 'Two'\nspeakers = {{ {speaker} = 'teacher' }}\n"
        f"[[dialogue.lines]]\n{line}[[dialogue.lines]]\nspeaker = '{speaker}'\ntext = 'So it is.'\n"
    )
    content._read.cache_clear()
    return folder


def test_the_words_of_pronunciations_are_respelled_and_no_parts_of_words() -> None:
    assert speech.respelled("A ReLU, two ReLUs; L2 and AdamW.") == "A relloo, two relloos; L two and Adam W."
    assert speech.respelled("ReLUx L20 xL2") == "ReLUx L20 xL2"


def test_markdown_is_read_without_its_marks(tmp_path: Path) -> None:
    folder = lesson_saying(tmp_path, "It is *never* the **same** `loss`, see [this page](https://example.org/a_b).")
    assert speech.dialogue("01", folder)[0].words == "It is never the same loss, see this page."


@pytest.mark.parametrize(
    ("text", "near"),
    [("Take $x^2$ now.", "Take $x^2$"), ("The rate is 1e-3.", "1e-3"), ("It is 1/N.", "1/N"), ("W1 moves.", "W1"),
     ("Call `adam_step`.", "adam_step"), ("A −3 comes.", "−3")],
)  # fmt: skip
def test_what_no_voice_can_say_needs_its_spoken_form(tmp_path: Path, text: str, near: str) -> None:
    with pytest.raises(content.ContentError, match=r"01_tiny.toml: dialogue.lines\[0\].text has no `spoken`") as error:
        speech.dialogue("01", lesson_saying(tmp_path, text))
    assert near in str(error.value)
    found = speech.dialogue("01", lesson_saying(tmp_path, text, spoken="Said on the telephone."))[0]
    assert (found.text, found.words) == (text, "Said on the telephone.")


def test_a_spoken_form_that_no_voice_can_say_is_named(tmp_path: Path) -> None:
    with pytest.raises(content.ContentError, match=r"lines\[0\].spoken holds .* near 'x = 3'"):
        speech.dialogue("01", lesson_saying(tmp_path, "x is 3", spoken="x = 3"))


def test_a_speaker_without_a_voice_is_named(tmp_path: Path) -> None:
    with pytest.raises(content.ContentError, match=r"lines\[0\].speaker = 'Zoe' has no voice; cast.toml has Mira"):
        speech.dialogue("01", lesson_saying(tmp_path, "Hello.", speaker="Zoe"))


def test_a_recording_is_named_after_voice_and_words(monkeypatch: pytest.MonkeyPatch) -> None:
    first = speech.Utterance("a", "Mira", "Hello.", "Hello.")
    assert first.recording == speech.Utterance("b", "Mira", "*Hello*.", "Hello.").recording
    others = {speech.Utterance("a", "June", "Hello.", "Hello.").recording}
    others.add(speech.Utterance("a", "Mira", "Hello.", "Hello!").recording)
    monkeypatch.setattr(speech, "RENDERING", "another model")
    others.add(first.recording)
    assert len(others) == 3
    monkeypatch.undo()
    assert first.recording not in others


# --- make audio

LINES = tuple(speech.Utterance(f"dialogue.lines[{k}]", "Mira", text, text) for k, text in enumerate(("One.", "Two.")))


class Buzz:
    """A renderer whose voice is a buzz, half a second for each word."""

    def __init__(self, stop_at: int = 99) -> None:
        self.rendered: list[str] = []
        self.stop_at = stop_at

    def __call__(self) -> make_audio.Renderer:
        def render(words: str, _voice: speech.Voice) -> make_audio.Sound:
            self.rendered.append(words)
            if len(self.rendered) == self.stop_at:
                raise KeyboardInterrupt
            time = np.arange(len(words.split()) * make_audio.RATE // 2) / make_audio.RATE
            return (2 * np.sign(np.sin(440 * np.pi * time))).astype(np.float32)

        return render


def test_only_what_changed_is_rendered_and_what_nothing_says_goes(tmp_path: Path) -> None:
    assert make_audio.render_lesson(tmp_path, LINES, Buzz()) == (2, 0)
    assert list(make_audio.faults(tmp_path, LINES)) == []
    again = Buzz()
    assert make_audio.render_lesson(tmp_path, LINES, again) == (0, 0)
    assert again.rendered == []

    changed = (LINES[0], speech.Utterance("dialogue.lines[1]", "Mira", "Three.", "Three."))
    assert len(list(make_audio.faults(tmp_path, changed))) == 2
    assert make_audio.render_lesson(tmp_path, changed, again) == (1, 1)
    assert again.rendered == ["Three."]
    assert list(make_audio.faults(tmp_path, changed)) == []
    assert {path.name for path in tmp_path.iterdir()} == {*(line.recording for line in changed), "list.json"}


def test_the_recordings_are_equally_loud_and_not_clipped(tmp_path: Path) -> None:
    make_audio.render_lesson(tmp_path, LINES, Buzz())
    for line in LINES:
        sound = make_audio.decoded((tmp_path / line.recording).read_bytes())
        assert len(sound) / make_audio.RATE == pytest.approx(0.5 + make_audio.LEAD + make_audio.TAIL, abs=0.01)
        assert np.abs(sound).max() < 1
        assert np.abs(sound[: int(0.04 * make_audio.RATE)]).max() < 0.01


def test_one_loud_moment_does_not_make_a_line_quiet() -> None:
    quiet = (0.05 * np.random.default_rng(0).standard_normal(2 * make_audio.RATE)).astype(np.float32)
    sudden = quiet.copy()
    sudden[20_000:20_010] = 0.9
    meter = pyloudnorm.Meter(make_audio.RATE)
    for sound in (quiet, sudden, 20 * quiet):
        kept = make_audio.finished(sound)
        assert np.abs(kept).max() <= make_audio.PEAK + 1e-6
        assert meter.integrated_loudness(kept) == pytest.approx(make_audio.LOUDNESS, abs=1)


def test_interrupted_it_keeps_whole_lines_and_goes_on_later(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        make_audio.render_lesson(tmp_path, LINES, Buzz(stop_at=2))
    assert {path.name for path in tmp_path.iterdir()} == {LINES[0].recording, "list.json"}
    assert [fault.split(" ")[0] for fault in make_audio.faults(tmp_path, LINES)] == ["dialogue.lines[1]"]
    later = Buzz()
    assert make_audio.render_lesson(tmp_path, LINES, later) == (1, 0)
    assert later.rendered == ["Two."]


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_audio.write(tmp_path / "a", b"first")

    def full(self: Path, target: Path) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(OSError, match="no space left"):
        make_audio.write(tmp_path / "a", b"second")
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
    assert (tmp_path / "a").read_bytes() == b"first"


def test_every_kind_of_fault_is_found_and_mended(tmp_path: Path) -> None:
    make_audio.render_lesson(tmp_path, LINES, Buzz())
    good = make_audio.read_list(tmp_path)
    first, second = (line.recording for line in LINES)

    def faults_after(change) -> list[str]:  # type: ignore[no-untyped-def]
        change()
        found = list(make_audio.faults(tmp_path, LINES))
        make_audio.render_lesson(tmp_path, LINES, Buzz())
        assert list(make_audio.faults(tmp_path, LINES)) == []
        return found

    def relist(**changes: object) -> None:
        (tmp_path / "list.json").write_text(json.dumps({**good, first: {**good[first], **changes}}))

    assert "is not rendered" in faults_after(lambda: (tmp_path / first).unlink())[0]
    damaged = (tmp_path / second).read_bytes()[:-100]
    assert "not the file that list.json describes" in faults_after(lambda: (tmp_path / second).write_bytes(damaged))[0]
    assert "belongs to nothing" in faults_after(lambda: (tmp_path / "0123456789abcdef.mp3").write_bytes(b"x"))[0]
    assert "speaker and words" in faults_after(lambda: relist(speaker="June"))[0]
    assert len(faults_after(lambda: (tmp_path / "list.json").unlink())) == 2


def test_check_names_the_line_writes_nothing_and_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(speech, "FOLDER", tmp_path)
    with pytest.raises(SystemExit, match=r"(?s)01_backpropagation: dialogue.lines\[0\] \(.*: make audio"):
        make_audio.main(["--check", "01"])
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(SystemExit, match="no content for lesson '99'"):
        make_audio.main(["99"])
    monkeypatch.undo()
    make_audio.main(["--check", "01"])
    assert "Every line of 01_backpropagation has its recording." in capsys.readouterr().out


def test_without_its_packages_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "kokoro_onnx", None)
    make_audio.kokoro.cache_clear()
    with pytest.raises(SystemExit, match=r"kokoro_onnx is not installed: .*requirements-audio.txt"):
        make_audio.kokoro()


def test_another_download_than_the_known_one_is_refused() -> None:
    with pytest.raises(SystemExit, match="The voices is not what it was: its SHA-256 is"):
        make_audio._must_be(b"other", "0" * 64, "The voices")


def test_the_recogniser_too_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "jiwer", None)
    with pytest.raises(SystemExit, match=r"jiwer is not installed: .*requirements-audio.txt"):
        hear_audio.main([])
