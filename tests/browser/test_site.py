"""The course as a site: built, served on this machine alone, and used in a browser whose network is cut.

NumPy and Matplotlib come from Pyodide's usual address, so what needs them cannot run here; everything else does.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbformat import NotebookNode
from playwright.sync_api import Browser, expect

from autograder import intake, lesson, pipeline
from autograder.sandbox.choice import choose
from autograder.site.build import build
from course_lib.explore.tangent import Tangent
from tests.browser.accessibility import violations
from tests.browser.jupyterlab import HOST, NotebookPage
from tests.grading.helpers import LIMITS, SEED

NAME = "01_backpropagation"
PATH = f"{NAME}.ipynb"
FROM_ELSEWHERE = {
    *("contourpy", "cycler", "fonttools", "kiwisolver", "matplotlib", "numpy", "pillow", "pyparsing"),
    *("python_dateutil", "pytz"),
}
"""All that the site may ask another machine for, each by the name of its wheel."""
ANSWER = "def relu_backward(dout, x):\nreturn dout * (x > 0)"  # the editor indents the second line
PURE = ("def neuron_loss", "from course_lib import Value")
"""How the cells begin that need neither NumPy nor a widget."""


PLAYED = """\
from pathlib import Path

import traitlets

import course_lib
from course_lib.live import Live, Resting

explore = Path(course_lib.__file__).parent / "explore"


class Played(Live):
    _esm = explore / "scene.js"
    _css = explore / "scene.css"
    title = traitlets.Unicode().tag(sync=True)
    rows = traitlets.List().tag(sync=True)
    picture = traitlets.Dict().tag(sync=True)
    told = traitlets.List().tag(sync=True)
    asked = traitlets.Dict().tag(sync=True)

    def resting(self):
        return Resting("<p>Played.</p>", "Played.")

    def moved(self, _widget, content, _buffers):
        self.set_trait("picture", moved["picture"])
        self.told = moved["told"]
        self.send({{"answered": content["number"]}})


first, moved = {states!r}
played = Played(title="Played", **first)
played.on_msg(played.moved)
played
"""
"""An exploration whose pictures were computed beforehand: what computes them needs NumPy, what draws them does not."""


BUTTON = """\
import sys
from types import SimpleNamespace
from unittest.mock import MagicMock

review = MagicMock()
review.review.return_value.questions = [SimpleNamespace(name="why", written=True)]
review.what_is_open.return_value = "Everything is answered."
sys.modules |= {"course_lib.check": MagicMock(), "course_lib.submission.review": review}

from course_lib.submission import Submit

Submit("01")
"""
"""The last cell of a lesson. What looks at the answers needs NumPy, so something simpler stands for it."""


ANSWERED = """\
(url) => {
    const ask = `fetch('${url}', { mode: 'no-cors' }).then(() => true, () => false)`;
    const worker = new Worker(URL.createObjectURL(new Blob([`${ask}.then(postMessage)`])));
    const there = new Promise((resolve) => { worker.onmessage = ({ data }) => resolve(data); });
    return Promise.all([eval(ask), there]);
}
"""
"""Whether an address answers a page, and whether it answers a worker of that page."""


class QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture(scope="module")
def site(browser: Browser, root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built site; whether lessons/ is what solutions/ gives is looked at elsewhere."""
    for needed in ("jupyterlite_core", "jupyterlite_pyodide_kernel"):
        if find_spec(needed) is None:
            pytest.fail(f"{needed} is not installed: pip install -r requirements-dev.txt")
    if shutil.which("npm") is None and os.environ.get("REQUIRE_ALL") != "1":
        pytest.skip("npm is not installed, which fetches Pyodide; on Debian and Ubuntu: sudo apt-get install npm")
    folder = tmp_path_factory.mktemp("site") / "site"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("autograder.site.build.check", lambda _root: [])
        patch.chdir(folder.parent)  # paths as the command has them: from where one is
        build(Path(os.path.relpath(root)), Path("site"))
    # The tests ask JupyterLab what it is doing, as those of JupyterLab itself do.
    settings = folder / "jupyter-lite.json"
    content = json.loads(settings.read_text(encoding="utf-8"))
    content["jupyter-config-data"]["exposeAppInBrowser"] = True
    settings.write_text(json.dumps(content), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def home(site: Path) -> Iterator[str]:
    """The site's address, on this machine alone."""
    with served(site, HOST) as address:
        yield address


@contextmanager
def served(folder: Path, host: str) -> Iterator[str]:
    """The address of a server that hands out a folder's files."""
    with ThreadingHTTPServer((host, 0), partial(QuietHandler, directory=str(folder))) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://{host}:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def lite(browser: Browser, home: str, screenshots: Path) -> Iterator[NotebookPage]:
    """A learner's page on the site; at the end it has asked nobody for anything but what the site says."""
    context = browser.new_context(viewport={"width": 1400, "height": 1000}, accept_downloads=True)
    page = NotebookPage(context.new_page(), f"{home}/lab/index.html?path={{path}}", screenshots)
    page.page.set_default_timeout(60_000)
    yield page
    context.close()
    asked = {url.rpartition("/")[2].partition("-")[0] for url in page.requests.left}
    assert asked <= FROM_ELSEWHERE, "the page asked another machine for something else"
    assert page.errors == [], "a script of the page failed"


@pytest.fixture(scope="module")
def opened(lite: NotebookPage, home: str) -> NotebookPage:
    """Lesson 01, opened from the front page as a learner does, with its kernel ready."""
    lite.page.goto(f"{home}/")
    lite.page.get_by_role("link", name="Start with lesson 01").click()
    lite.wait_until_ready(PATH, shown=120.0, ready=240.0)
    return lite


def run(lite: NotebookPage, start: str) -> str:
    """Run the cell that has a line with this start, wait until it has ended, and give the text of its outputs."""
    index = lite.page.evaluate(
        """async (start) => {
            const { content, sessionContext } = window.jupyterapp.shell.currentWidget;
            const holds = (cell) => cell.model.type === 'code'
                && cell.model.sharedModel.source.split('\\n').some((line) => line.startsWith(start));
            const index = content.widgets.findIndex(holds);
            if (index < 0) throw new Error(`no cell has a line that begins with ${start}`);
            content.activeCellIndex = index;
            content.deselectAll();
            await window.jupyterapp.commands.execute('notebook:run-cell');
            return index;
        }""",
        start,
    )
    cell = lite.cell(index)
    cell.scroll_into_view_if_needed()
    return cell.locator(".jp-OutputArea").first.inner_text()


def widget(lite: NotebookPage, call: str) -> Any:
    """Run the cell of a widget, such as `Cards("01")`, and give the widget's place in the page."""
    run(lite, call)
    drawn = lite.page.locator(".jp-Notebook .jp-CodeCell.jp-mod-active .course").first
    expect(drawn).to_be_visible()
    return drawn


def last_cell(lite: NotebookPage, source: str) -> Any:
    """Run a widget in a cell of its own below all others, and give the widget's place in the page."""
    lite.page.evaluate(
        """async (source) => {
            const { content } = window.jupyterapp.shell.currentWidget;
            content.activeCellIndex = content.widgets.length - 1;
            await window.jupyterapp.commands.execute('notebook:insert-cell-below');
            content.activeCell.model.sharedModel.setSource(source);
            await window.jupyterapp.commands.execute('notebook:run-cell');
        }""",
        source,
    )
    drawn = lite.page.locator(".jp-Notebook .jp-CodeCell.jp-mod-active .course").first
    drawn.scroll_into_view_if_needed()
    return drawn


def save(lite: NotebookPage) -> None:
    lite.page.keyboard.press("Control+s")
    lite.page.wait_for_function("!window.jupyterapp.shell.currentWidget.context.model.dirty")


def kept(lite: NotebookPage, path: str) -> Any:
    """A JSON file as the browser keeps it."""
    text = lite.page.evaluate(
        """async (path) => {
            const options = { content: true, type: 'file', format: 'text' };
            const { content } = await window.jupyterapp.serviceManager.contents.get(path, options);
            return typeof content === 'string' ? content : JSON.stringify(content);
        }""",
        path,
    )
    try:
        return json.loads(text)
    except json.JSONDecodeError:  # what Python has written there is kept in base64
        return json.loads(base64.b64decode(text))


def test_the_front_page_leads_to_every_lesson(lite: NotebookPage, home: str, site: Path, root: Path) -> None:
    page = lite.page
    page.goto(f"{home}/")
    expect(page.get_by_role("heading", level=1)).to_have_text("How networks are trained")
    leads = page.locator("ol.lessons a").evaluate_all("(links) => links.map((link) => link.getAttribute('href'))")
    paths = [href.partition("?path=")[2] for href in leads]
    assert paths == sorted(f"{path.name}.ipynb" for path in (root / "lessons").glob("[0-9]*"))
    for path in paths:
        lesson_folder = root / "lessons" / Path(path).stem
        assert (site / "files" / path).read_bytes() == (lesson_folder / path).read_bytes()
    for theme in ("dark", "light"):
        page.emulate_media(color_scheme=theme)  # type: ignore[arg-type]
        lite.screenshot(f"site_front_{theme}")
        assert violations(page) == []


def test_nothing_but_the_sites_address_can_be_reached(browser: Browser, home: str, site: Path) -> None:
    """The network is cut, and not only unused: the page and its workers do not even reach another of this machine."""
    page = browser.new_page()
    page.goto(home)
    with served(site, "127.0.0.2") as elsewhere:
        found = {address: page.evaluate(ANSWERED, f"{address}/icon.svg") for address in (home, elsewhere)}
    page.close()
    assert found == {home: [True, True], elsewhere: [False, False]}


def test_a_lessons_pure_python_runs(opened: NotebookPage) -> None:
    found = run(opened, "needed = ")
    # Nothing else is missing: the course and its other packages are there.
    assert "Missing: numpy, matplotlib. They come over the network: once it is there, reload the page." in found
    assert any("/numpy-" in url for url in opened.requests.left)  # what Python asks for in its worker is seen, too
    slope, shares = (run(opened, start) for start in PURE)
    assert "slope along w:" in slope
    assert "added: " in shares
    assert opened.error_outputs() == []


def test_widgets_answer_and_formulas_are_drawn(opened: NotebookPage) -> None:
    page = opened.page
    overview = widget(opened, 'Overview("01")')
    before = overview.inner_text()
    overview.get_by_label("Standard: a paragraph").check()
    expect(overview.locator(".course-overview-text")).not_to_have_text(before)

    for call in ('Aids("01")', 'Glossary("01")', 'Dialogue("01")', 'Explanations("01")'):
        run(opened, call)
    texts = page.locator("math mtext").all_text_contents()
    assert not [text for text in texts if "\\" in text], "a formula shows as TeX: the site's table lacks it"
    assert page.locator("math").count() > 10

    quiz = widget(opened, 'Quiz("01")')
    opened.screenshot("site_quiz")
    quiz.get_by_role("button", name="Check").click()
    expect(quiz.locator(".course-verdict:visible")).to_contain_text("Choose")  # an answer of nothing has come as None
    quiz.get_by_role("radio").or_(quiz.get_by_role("checkbox")).first.check()
    quiz.get_by_role("button", name="Check").click()
    verdict = quiz.locator(".course-verdict:visible").first
    expect(verdict).not_to_contain_text("Choose")
    expect(verdict).not_to_be_empty()  # judged by Python
    opened.screenshot("site_quiz_answered")
    assert opened.error_outputs() == []


def test_an_exploration_is_moved(opened: NotebookPage) -> None:
    tangent = Tangent()
    tangent.skip()
    states = [state(tangent)]
    tangent.h.value = 0.2
    states.append(state(tangent))
    assert states[0] != states[1]
    drawn = last_cell(opened, PLAYED.format(states=states))
    lines = drawn.locator("svg path").evaluate_all("(paths) => paths.map((path) => path.getAttribute('d'))")
    assert any(line.count("L") > 20 for line in lines), "the curve has not come: its numbers travel as binary data"
    assert not any("NaN" in line or "undefined" in line for line in lines)
    slider = drawn.get_by_label("h, the step")
    slider.focus()
    opened.page.keyboard.press("ArrowLeft")
    expect(drawn).to_contain_text(states[1]["told"][0])
    after = drawn.locator("svg path").evaluate_all("(paths) => paths.map((path) => path.getAttribute('d'))")
    assert after != lines
    opened.screenshot("site_exploration")
    assert opened.error_outputs() == []
    opened.page.evaluate("window.jupyterapp.commands.execute('notebook:delete-cell')")


def state(tangent: Tangent) -> dict[str, Any]:
    return {name: getattr(tangent, name) for name in ("rows", "picture", "told", "asked")}


def test_a_recording_is_played_from_the_site(opened: NotebookPage) -> None:
    player = widget(opened, 'Dialogue("01")')
    with opened.page.expect_response(lambda response: f"/recordings/{NAME}/" in response.url) as response:
        player.get_by_role("button", name="Play", exact=True).click()
    assert response.value.ok
    opened.page.wait_for_function(
        "(audio) => audio.src.startsWith('blob:') && audio.duration > 0.5",
        arg=player.locator("audio").element_handle(),
    )
    expect(player.locator(".course-listen-status")).to_have_text("")
    player.get_by_role("button", name="Pause").or_(player.get_by_role("button", name="Play", exact=True)).first.click()


def test_the_button_packs_what_was_saved(opened: NotebookPage, root: Path, tmp_path: Path) -> None:
    page = opened.page
    button = last_cell(opened, BUTTON)
    page.keyboard.press("Escape")
    save(opened)
    button.get_by_role("button", name="Check and pack").click()
    expect(button.get_by_role("status")).to_contain_text("Download the file by the link above")
    expect(button).not_to_contain_text("terminal")
    path = downloaded(opened, tmp_path, lambda: button.get_by_role("link", name=f"Download {PATH}").click())
    opened.screenshot("site_button")
    assert intake.from_path(path).outcome == "read"
    packed, lesson_here = (nbformat.read(file, as_version=4) for file in (path, root / "lessons" / NAME / PATH))
    assert [cell.source for cell in packed.cells] == [*(cell.source for cell in lesson_here.cells), BUTTON]
    page.evaluate("window.jupyterapp.commands.execute('notebook:delete-cell')")
    save(opened)


@pytest.mark.slow
def test_work_is_kept_and_downloaded_as_a_submission(
    opened: NotebookPage, root: Path, tmp_path: Path, screenshots: Path
) -> None:
    page = opened.page
    cards = widget(opened, 'Cards("01")')
    left = cards.get_by_role("status").inner_text()
    cards.get_by_role("button", name="Show the answer").click()
    cards.get_by_role("button", name="I knew it").click()
    expect(cards.get_by_role("status")).not_to_have_text(left)

    write(opened, "def relu_backward", ANSWER)
    save(opened)
    page.reload()
    opened.wait_until_ready(PATH, shown=120.0, ready=240.0)
    sources = ["".join(cell["source"]) for cell in kept(opened, PATH)["cells"]]
    assert ANSWER.replace("\n", "\n    ") in sources
    progress = kept(opened, "course_progress.json")
    assert len(progress["lessons"][NAME]["cards"]) == 1
    again = widget(opened, 'Cards("01")')
    expect(again.get_by_role("status")).not_to_have_text(left)
    opened.screenshot("site_after_reload")

    page.get_by_role("menuitem", name="File", exact=True).click()
    path = downloaded(opened, tmp_path, lambda: page.get_by_role("menuitem", name="Download", exact=True).click())
    assert intake.from_path(path).outcome == "read"
    here = nbformat.read(root / "lessons" / NAME / PATH, as_version=4)
    answer_cell(here, "relu_backward").source = ANSWER.replace("\n", "\n    ")
    at_home = nbformat.writes(here).encode()
    found, expected = (graded(data, root) for data in (path.read_bytes(), at_home))
    assert found == expected
    assert found["relu_backward"] == (4, "right")


def downloaded(lite: NotebookPage, folder: Path, click: Callable[[], None]) -> Path:
    """The file that a click downloads, under the name that the browser gives it: the one to hand in."""
    with lite.page.expect_download() as download:
        click()
    assert download.value.suggested_filename == PATH
    download.value.save_as(folder / PATH)
    return folder / PATH


def write(lite: NotebookPage, start: str, text: str) -> None:
    """Type into the cell that begins so, in place of what stands there."""
    index = lite.page.evaluate(
        """(start) => window.jupyterapp.shell.currentWidget.content.widgets.findIndex(
            (cell) => cell.model.sharedModel.source.startsWith(start))""",
        start,
    )
    editor = lite.cell(index).locator(".cm-content")
    editor.scroll_into_view_if_needed()
    editor.click()
    lite.page.keyboard.press("Control+a")
    lite.page.keyboard.type(text)
    lite.page.keyboard.press("Escape")


def answer_cell(notebook: NotebookNode, name: str) -> NotebookNode:
    return next(cell for cell in notebook.cells if lesson.grade_id(cell) == name)


def graded(data: bytes, root: Path) -> dict[str, tuple[int, str]]:
    """Points and outcome by exercise, as the grader finds them."""
    source = lesson.LessonSource.from_course(root, NAME)
    found = pipeline.grade_submission(data, source, SEED, choose(), LIMITS)
    return {result.exercise.name: (result.points, result.outcome) for result in found.exercises}
