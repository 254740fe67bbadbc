"""The dialogue player in JupyterLab: recorded voices, the browser's own, and none at all; by mouse and by keyboard."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from playwright.sync_api import Locator, expect

from course_lib.study import content, speech
from scripts import make_audio
from tests.browser.jupyterlab import NotebookPage

LESSON = "01_backpropagation"
PLAYERS = "from course_lib.study import Dialogue, Explanations"
UNRECORDED = """
from course_lib.study.dialogue import Listen
from course_lib.study.speech import Utterance

said = ("Mira", "Nobody has recorded this."), ("Oscar", "Nor this."), ("June", "Nor this, either."), ("Mira", "Quite.")
Listen("01_backpropagation", "a test", tuple(Utterance(f"lines[{k}]", *line, line[1]) for k, line in enumerate(said)))
"""

UNANSWERED = """
class Unanswered(Dialogue):
    def _answer(self, *_):
        pass

Unanswered("01")
"""

# A speechSynthesis that says nothing, remembers what it was asked, and ends an utterance when the test says so.
STUB = """
(() => {
  const voice = (name, lang, localService = true) => ({ name, lang, localService });
  const stub = {
    voices: [voice("Far", "en-US", false), voice("Hans", "de-DE"), voice("Alice", "en-GB"), voice("Bob", "en-US"),
             voice("Carol", "en_US")],
    said: [], now: null, paused: false, pending: false,
    get speaking() { return this.now !== null; },
    getVoices() { return this.voices; },
    speak(utterance) {
      this.said.push([utterance.text, utterance.voice?.name, utterance.rate]);
      this.now = utterance;
      setTimeout(() => utterance.onstart?.(), 0);
    },
    end() { const ended = this.now; this.now = null; ended.onend(); },
    cancel() { const ended = this.now; this.now = null; if (ended) setTimeout(() => ended.onerror?.({}), 0); },
    pause() { this.paused = true; },
    resume() { this.paused = false; },
  };
  Object.defineProperty(window, "speechSynthesis", { value: stub });
  window.SpeechSynthesisUtterance = class { constructor(text) { this.text = text; } };
})();
"""
# Sound at a tenth of its speed, unknown to the page: a slow machine must not lose a line while it looks at it.
SLOWLY = """
(() => {
  const { get, set } = Object.getOwnPropertyDescriptor(HTMLMediaElement.prototype, "playbackRate");
  Object.defineProperty(HTMLMediaElement.prototype, "playbackRate", {
    get() { return 10 * get.call(this); },
    set(rate) { set.call(this, rate / 10); },
  });
})();
"""
SHA256 = """async (audio) => {
  const bytes = await (await fetch(audio.src)).arrayBuffer();
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return [...digest].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}"""


class Player:
    """A player on the page."""

    def __init__(self, notebook: NotebookPage, title: str) -> None:
        self.page = notebook.page
        self.section = notebook.page.get_by_role("region", name=f"Listen: {title}", exact=True)
        self.audio = self.section.locator("audio")
        self.lines = self.section.locator(".course-listen-line")
        self.transcript = self.section.locator(".course-listen-lines")
        self.status = self.section.get_by_role("status")

    def button(self, name: str) -> Locator:
        return self.section.get_by_role("button", name=name, exact=True)

    def line_button(self, index: int) -> Locator:
        return self.lines.nth(index).get_by_role("button")

    def expect_line(self, index: int) -> None:
        """This line and no other is marked, within the part of the transcript that is seen."""
        expect(self.lines.nth(index)).to_have_attribute("aria-current", "true")
        expect(self.section.locator("[aria-current]")).to_have_count(1)
        expect(self.section).to_contain_text(f"{index + 1} of ")
        self.page.wait_for_function(
            """([box, line]) => {
                const [outer, inner] = [box.getBoundingClientRect(), line.getBoundingClientRect()];
                return inner.top >= outer.top - 1 && inner.top < outer.bottom;
            }""",
            arg=[self.transcript.element_handle(), self.lines.nth(index).element_handle()],
        )

    def expect_heard(self, index: int, words: speech.Utterance) -> None:
        """The recording of this line, and no other's, is being played."""
        self.expect_line(index)
        expect(self.audio).to_have_attribute("data-line", str(index))
        self.page.wait_for_function("(audio) => !audio.paused && audio.readyState > 2", arg=self.audio.element_handle())
        listed = make_audio.read_list(speech.FOLDER / LESSON)
        assert self.audio.evaluate(SHA256) == listed[words.recording]["sha256"]

    def skip_to_the_end_of_the_line(self) -> None:
        self.audio.evaluate("(audio) => { audio.currentTime = audio.duration - 0.05; }")


def opened(notebook: NotebookPage, folder: Path, name: str, *cells: str) -> None:
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    made = [nbformat.v4.new_code_cell(cell.strip()) for cell in (PLAYERS, *cells)]
    nbformat.write(nbformat.v4.new_notebook(cells=made, metadata={"kernelspec": kernel}), folder / name)
    notebook.open(name)
    notebook.run_all()
    assert notebook.error_outputs() == []


@pytest.fixture
def said() -> tuple[speech.Utterance, ...]:
    found = speech.dialogue(LESSON)
    assert len({line.speaker for line in found[:3]}) >= 2, "the test hears voices alternate in the first lines"
    return found


def test_recorded_voices(notebook: NotebookPage, served_folder: Path, said: tuple[speech.Utterance, ...]) -> None:
    page = notebook.page
    page.add_init_script(SLOWLY)
    opened(notebook, served_folder, "listen.ipynb", 'Dialogue("01")', 'Explanations("01")')
    title = content.load(LESSON).dialogue.title
    player = Player(notebook, title)
    expect(player.lines).to_have_count(len(said))
    for index, line in enumerate(said[:6]):
        expect(player.lines.nth(index)).to_contain_text(line.speaker)

    # By keyboard: play, and line after line is heard without another press.
    player.button("Play").focus()
    page.keyboard.press("Space")
    expect(player.button("Pause")).to_be_focused()
    for index in range(3):
        player.expect_heard(index, said[index])
        expect(player.status).to_be_empty()  # a live region that spoke would talk over the voices
        player.skip_to_the_end_of_the_line()
    player.expect_heard(3, said[3])

    # Pause keeps the place; play goes on from it.
    page.wait_for_function("(audio) => audio.currentTime > 0.02", arg=player.audio.element_handle())
    page.keyboard.press("Enter")
    expect(player.button("Play")).to_be_focused()
    assert player.audio.evaluate("(audio) => audio.paused")
    stopped = player.audio.evaluate("(audio) => audio.currentTime")
    page.keyboard.press("Enter")
    expect(player.button("Pause")).to_be_visible()
    page.wait_for_function(
        "([audio, stopped]) => audio.currentTime > stopped", arg=[player.audio.element_handle(), stopped]
    )
    player.expect_heard(3, said[3])

    # Speed, kept from line to line; arrows step, and JupyterLab's cells stay where they are.
    player.section.get_by_label("Speed").select_option("2×")
    assert player.audio.evaluate("(audio) => audio.playbackRate") == 2
    cell = page.locator(".jp-Notebook .jp-Cell.jp-mod-active")
    before = cell.evaluate("(cell) => cell.innerText.slice(0, 60)")
    player.button("Pause").focus()
    page.keyboard.press("ArrowRight")
    player.expect_heard(4, said[4])
    assert player.audio.evaluate("(audio) => audio.playbackRate") == 2
    page.keyboard.press("ArrowLeft")
    player.expect_heard(3, said[3])
    assert cell.evaluate("(cell) => cell.innerText.slice(0, 60)") == before
    player.button("Next").click()
    player.expect_heard(4, said[4])
    player.button("Previous").click()
    player.expect_heard(3, said[3])
    notebook.screenshot("listen", player.section)

    # A line is chosen: down among the lines and Enter, or a click on its words. The page itself is never scrolled.
    scrolled = "() => document.querySelector('.jp-WindowedPanel-outer, .jp-Notebook').scrollTop"
    at = page.evaluate(scrolled)
    player.line_button(3).focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    expect(player.line_button(5)).to_be_focused()
    page.keyboard.press("Enter")
    player.expect_heard(5, said[5])
    player.lines.nth(6).locator(".course-listen-text").click()
    player.expect_heard(6, said[6])
    player.line_button(6).focus()
    page.keyboard.press("End")
    expect(player.line_button(len(said) - 1)).to_be_focused()
    page.keyboard.press("Enter")
    player.expect_heard(len(said) - 1, said[-1])
    assert player.transcript.evaluate("(box) => box.scrollTop") > 0
    assert page.evaluate(scrolled) == at

    # At the end it stops; play begins again from the top.
    player.skip_to_the_end_of_the_line()
    expect(player.button("Play")).to_be_visible()
    player.button("Play").click()
    player.expect_heard(0, said[0])

    # Words can be marked: two clicks choose a word and no line.
    player.button("Pause").click()
    player.lines.nth(1).locator(".course-listen-text").dblclick()
    assert page.evaluate("() => getSelection().toString().trim()") != ""
    page.wait_for_timeout(400)  # longer than the player waits for a second click
    player.expect_line(0)
    assert player.audio.evaluate("(audio) => audio.paused")

    # One player at a time.
    told = Player(notebook, "the idea, told")
    player.button("Play").click()
    player.expect_heard(0, said[0])
    told.button("Play").click()
    told.expect_heard(0, speech.explanations(LESSON)[0])
    expect(player.button("Play")).to_be_visible()
    assert player.audio.evaluate("(audio) => audio.paused")


def test_the_browsers_own_voices_and_none(
    notebook: NotebookPage, served_folder: Path, said: tuple[speech.Utterance, ...]
) -> None:
    page = notebook.page
    page.add_init_script(STUB)
    opened(notebook, served_folder, "speech.ipynb", UNRECORDED, UNANSWERED)
    player = Player(notebook, "a test")

    def heard() -> list[list[object]]:
        return page.evaluate("() => speechSynthesis.said")  # type: ignore[no-any-return]

    def expect_said(count: int) -> None:
        page.wait_for_function("(count) => speechSynthesis.said.length === count", arg=count)

    # Each speaker in a voice of this machine, an English one, and no two in the same.
    player.button("Play").click()
    for index in range(4):
        expect_said(index + 1)
        player.expect_line(index)
        expect(player.status).to_contain_text("no recording")
        if index < 3:
            page.evaluate("() => speechSynthesis.end()")
    assert [line[1] for line in heard()] == ["Alice", "Bob", "Carol", "Alice"]
    assert [line[0] for line in heard()][:2] == ["Nobody has recorded this.", "Nor this."]

    # Pause and resume go on within the line; previous begins another, at the new speed.
    player.button("Pause").click()
    assert page.evaluate("() => speechSynthesis.paused && speechSynthesis.speaking")
    player.button("Play").click()
    assert page.evaluate("() => !speechSynthesis.paused && speechSynthesis.speaking")
    expect_said(4)
    player.button("Previous").click()
    expect_said(5)
    player.section.get_by_label("Speed").select_option("1.5×")
    expect_said(6)
    assert heard()[-1] == ["Nor this, either.", "Carol", 1.5]
    player.button("Pause").click()

    # No voice that stays on this machine: nothing is said, the lines go by, and a sentence tells why.
    page.evaluate("() => { speechSynthesis.voices = speechSynthesis.voices.slice(0, 2); }")
    player.line_button(0).click()
    expect(player.status).to_contain_text("the lines are marked at reading pace")
    player.expect_line(1)
    player.expect_line(2)
    player.button("Pause").click()
    expect_said(6)
    notebook.screenshot("listen_without_voices", player.section)

    # A recording that does not come: the browser reads the line, and waits less for the next.
    page.evaluate("() => { speechSynthesis.voices = [{ name: 'Dora', lang: 'en', localService: true }]; }")
    waiting = Player(notebook, content.load(LESSON).dialogue.title)
    waiting.line_button(7).click()
    expect_said(7)
    expect(waiting.status).to_contain_text("The recording has not come")
    page.evaluate("() => speechSynthesis.end()")
    expect_said(8)
    assert [line[:2] for line in heard()[-2:]] == [[said[7].words, "Dora"], [said[8].words, "Dora"]]

    # A cell that runs again takes its voice along.
    assert page.evaluate("() => speechSynthesis.speaking")
    notebook.run_all()
    page.wait_for_function("() => !speechSynthesis.speaking")
