"""The book as a reader has it: built whole, once, and opened from the disk in a browser whose network is cut.

The build takes about a minute. `BOOK=folder` takes a folder that `make book` made instead, for work on how pages look.
"""

from __future__ import annotations

import html
import os
import random
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Literal

import pytest
from playwright.sync_api import Browser, Page, expect

from autograder.book import quizzes, widgets
from autograder.book.building import build
from autograder.building import leaks
from autograder.building.course import source_paths
from autograder.building.source import read
from course_lib.explore.contours import Downhill
from course_lib.maths import to_html
from course_lib.study import content
from course_lib.study.content import Multiple, Numeric, Order, Question, Single
from course_lib.study.judging import judge
from tests.browser.accessibility import violations
from tests.browser.jupyterlab import HOST, Requests

LESSON = "lessons/04_adaptive_optimizers/04_adaptive_optimizers.html"
PAGES = ("index.html", LESSON, "lessons/README.html", "api/course_lib.optimizers.html", "docs/instructors.html")
Opens = Callable[..., Page]
# Of MyST, which is not ready for Sphinx 11; the pins hold both.
pytestmark = pytest.mark.filterwarnings("ignore:.*Check CHANGES for Sphinx API modifications")


@pytest.fixture(scope="module")
def book(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its pages. That they were built means that no link is dead, no answer is in them, and no picture lacks words."""
    if os.environ.get("BOOK"):
        return Path(os.environ["BOOK"]).resolve() / "html"
    return build(root, tmp_path_factory.mktemp("book") / "book").folder


@pytest.fixture
def opened(browser: Browser, book: Path) -> Iterator[Opens]:
    """Opens a page; at the end nothing may have left this machine and no script may have failed."""
    with _opens(browser, book.as_uri()) as opens:
        yield opens


@pytest.fixture
def served(browser: Browser, book: Path) -> Iterator[Opens]:
    """The same from a server, below a path."""
    with _served(browser, book) as opens:
        yield opens


@contextmanager
def _served(browser: Browser, book: Path) -> Iterator[Opens]:
    handler = partial(SimpleHTTPRequestHandler, directory=book.parent)
    with ThreadingHTTPServer((HOST, 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with _opens(browser, f"http://{HOST}:{server.server_port}/{book.name}") as opens:
            yield opens
        server.shutdown()


@contextmanager
def _opens(browser: Browser, base: str) -> Iterator[Opens]:
    contexts, asked, errors = [], [], []

    def opens(path: str, scheme: Literal["light", "dark"] = "light", width: int = 1280) -> Page:
        context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
        contexts.append(context)
        page = context.new_page()
        asked.append(Requests(page))
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda said: errors.append(said.text) if said.type == "error" else None)
        page.goto(f"{base}/{path}")
        return page

    yield opens
    for context in contexts:
        context.close()
    assert [url for each in asked for url in each.left] == [], "a page asked another machine for something"
    assert errors == [], "a script of a page failed"


def enlivened(page: Page) -> None:
    """Wait until every widget lives; each waits until it is nearly in sight."""
    for place in page.locator(".course-live").all():
        place.scroll_into_view_if_needed()
        expect(place).to_have_attribute("data-alive", "")
    page.evaluate("scrollTo(0, 0)")


# Served, for axe-core asks for the style sheets once more, which no page from the disk may.
@pytest.mark.parametrize(
    ("path", "scheme"),
    [
        *((path, "light") for path in PAGES),
        *((path, "dark") for path in PAGES[:2]),
        *(pytest.param(path, "dark", marks=pytest.mark.slow) for path in (*PAGES[2:], "search.html?q=momentum")),
    ],
)
def test_a_page_keeps_nobody_out(served: Opens, screenshots: Path, path: str, scheme: Literal["light", "dark"]) -> None:
    page = served(path, scheme)
    enlivened(page)
    page.screenshot(path=screenshots / f"book-{Path(path).stem}-{scheme}.png", full_page=True)
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    dark = sum(map(int, re.findall(r"\d+", background)[:3])) < 200
    assert dark == (scheme == "dark"), background
    assert violations(page) == []


@pytest.mark.parametrize("path", PAGES)
def test_a_page_fits_a_phone(opened: Opens, screenshots: Path, path: str) -> None:
    page = opened(path, width=390)
    enlivened(page)
    page.screenshot(path=screenshots / f"book-{Path(path).stem}-390.png", full_page=True)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    ends = page.locator(".course-readout").evaluate_all("all => all.map(one => one.getBoundingClientRect().right)")
    assert max(ends, default=0) <= 390


def test_the_switch_turns_the_lights_out_and_stays(opened: Opens) -> None:
    page = opened("index.html")
    switch = page.locator(".content-icon-container .theme-toggle")
    for _ in range(3):
        if page.locator("body").get_attribute("data-theme") == "dark":
            break
        switch.click()
    page.get_by_role("link", name="See the whole course").click()
    expect(page.locator("body")).to_have_attribute("data-theme", "dark")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(19, 20, 22)"


def test_a_slider_moves_the_picture_without_a_kernel(opened: Opens) -> None:
    page = opened("index.html")
    exploration = page.locator(".course-exploration")
    picture, status = exploration.locator(".course-drawing"), exploration.locator(".course-status")
    exploration.get_by_label("Your number").fill("0.18")
    exploration.get_by_role("button", name="Commit").click()
    slider = exploration.get_by_role("slider", name="learning rate")
    expect(slider).to_be_enabled()
    before, drawn = status.inner_text(), picture.screenshot()
    for _ in range(5):
        slider.press("ArrowRight")
    expect(status).not_to_have_text(before)
    assert picture.screenshot() != drawn

    own = Downhill()
    rate = next(spec for row in own.rows for spec in row if spec["label"] == "learning rate")
    with own.at_once():
        own._controls["learning rate"].take(rate["value"] + 5 * rate["step"])
    expect(status).to_contain_text(own.told[0])
    assert picture.get_attribute("aria-label") == own.picture["alt"]
    own.close()
    exploration.get_by_label("try nine rates").check()
    expect(exploration).to_contain_text("0.18")  # what was guessed, beside what came out
    expect(page.locator(".course-left")).to_contain_text("In the notebook you also move")


def test_a_lesson_is_studied_in_the_page(opened: Opens) -> None:
    page = opened(LESSON)
    enlivened(page)
    overview = page.locator('[data-kind="Overview"]').first
    overview.get_by_label("Standard").check()
    expect(overview).to_contain_text(content.load("04").overview.standard.split()[0])

    quiz = page.locator('[data-kind="Quiz"]')
    seen = quiz.inner_text()
    quiz.locator("input").first.press("Space")
    quiz.get_by_role("button", name="Check").click()
    expect(quiz).not_to_have_text(seen)

    cards = page.locator('[data-kind="Cards"]')
    count = len(content.load("04").cards)
    expect(cards).to_contain_text(f"{count} cards to go")
    cards.get_by_role("button", name="Show the answer").click()
    cards.get_by_role("button", name="I knew it").click()
    expect(cards).to_contain_text(f"{count - 1} cards to go")

    listen = page.locator('[data-kind="Listen"]').first
    with page.expect_request(re.compile(r"_static/audio/04_adaptive_optimizers/.*\.mp3$")) as asked:
        listen.get_by_role("button", name="Play", exact=True).click()
    assert Path(asked.value.url.removeprefix("file://")).stat().st_size > 1000


def test_formulas_are_drawn_by_the_browser(opened: Opens) -> None:
    page = opened(LESSON)
    sizes = page.locator("article math").evaluate_all("all => all.map(one => one.getBoundingClientRect().height)")
    assert len(sizes) > 20
    assert min(sizes[:10]) > 8
    prose = page.locator("article p").all_inner_texts()
    assert not [text for text in prose if re.search(r"\\frac|\\sqrt|\$\w", text)]


def test_what_comes_out_is_opened_by_keyboard(opened: Opens) -> None:
    page = opened(LESSON)
    fold = page.locator("details.hide", has_text="See what comes out").first
    output = fold.locator(".cell_output")
    expect(output).to_be_hidden()
    fold.locator("summary").press("Enter")
    expect(output).to_be_visible()


def test_the_search_finds_without_a_server(opened: Opens) -> None:
    page = opened("index.html")
    page.get_by_label("Search").first.fill("bias correction")
    page.keyboard.press("Enter")
    expect(page.locator("#search-results li").first).to_be_visible()
    assert "04 · Adaptive optimizers" in "".join(page.locator("#search-results li a").all_inner_texts())
    page.locator("#search-results li a", has_text="Adaptive optimizers").first.click()
    expect(page.locator("h1")).to_contain_text("what if every weight had its own rate?")


def test_from_a_server_the_search_shows_pieces_of_text_and_widgets_live(served: Opens) -> None:
    page = served("search.html?q=momentum")
    expect(page.locator("#search-results li p.context").first).to_be_visible()
    page = served("index.html")
    enlivened(page)


def test_no_answer_can_be_read_anywhere_in_the_book(root: Path, book: Path) -> None:
    """Other than what stops the build: tags off, entities undone, spacing gone, and every file as it lies there."""
    solutions = {
        secret.cell: "".join(secret.text.split())
        for path in source_paths(root)
        for secret in leaks.secrets([read(path)])
        if secret.kind == "solution"
    }
    assert len(solutions) > 40
    stubs = 0
    for path in sorted(book.rglob("*")):
        if path.suffix not in (".html", ".js", ".json", ".txt", ".inv"):
            continue
        text = path.read_text("utf-8", errors="replace").replace("\\n", "\n").replace('\\"', '"')
        plain = "".join(html.unescape(re.sub(r"<[^>]*>", "", text)).split())
        stubs += plain.count("#YOURCODEHEREraiseNotImplementedError()")  # so code is found by these means
        assert [cell for cell, solution in solutions.items() if solution in plain] == [], path.name
    assert stubs > 40


def test_the_kernel_in_the_page_judges_as_python_does(browser: Browser) -> None:
    page = browser.new_page()
    page.add_script_tag(content="globalThis.courseBook = { widgets: {}, kernels: {}, moments: {} };")
    page.add_script_tag(path=widgets.STATIC / "kernels.js")
    lessons = [content.load(path.stem) for path in sorted((Path(content.__file__).parent / "content").glob("*.toml"))]
    pairs = [(question, answer) for lesson in lessons for question in lesson.quiz for answer in _answers(question)]
    assert len(pairs) > 500
    given = [[quizzes.judged(question), answer] for question, answer in pairs]
    found = page.evaluate("pairs => pairs.map(([question, answer]) => courseBook.judge(question, answer))", given)
    for (question, answer), verdict in zip(pairs, found, strict=True):
        own = judge(question, answer)
        wanted = {"right": own.right, "html": "".join(map(to_html, own.sentences)), "wrong": list(own.wrong)}
        assert verdict == wanted, (question.id, answer)
    page.close()


def _answers(question: Question) -> list[Any]:
    drawn = random.Random(question.id)
    nothing: list[Any] = [None, "", "x", [], [99], -1, 1.5]
    match question:
        case Single():
            return [*nothing, *range(len(question.choices))]
        case Multiple():
            places = range(len(question.choices))
            return [*nothing, *([place for place in places if drawn.random() < 0.5] for _ in range(12)), list(places)]
        case Numeric():
            near = [question.answer, *(each.value for each in question.wrong)]
            typed = [f"{value + off:.6g}" for value in near for off in (0, question.tolerance * 1.5, -1, 7)]
            odd = ["1,5", "two", " 1 / 2 ", "1/0", "\u22123", "1e999", ".5", "nan", "0x1", "<b>`$x$`</b>" * 9]
            return [None, "", *typed, *odd]
        case Order():
            steps = list(range(len(question.steps)))
            return [*nothing, steps, *(drawn.sample(steps, len(steps)) for _ in range(12))]


@pytest.mark.slow
def test_the_instructors_edition_has_the_answers_and_keeps_nobody_out(
    root: Path, browser: Browser, tmp_path: Path
) -> None:
    made = build(root, tmp_path / "book", answers=True)
    text = "".join((made.folder / LESSON).read_text("utf-8").split())
    assert "YOURCODEHERE" not in text
    assert (made.folder / "docs/teaching/04_adaptive_optimizers.html").is_file()
    assert (made.folder / "api/course_lib.exercises.adaptive_optimizers.html").is_file()
    with _served(browser, made.folder) as opens:
        page = opens(LESSON)
        enlivened(page)
        assert violations(page) == []
