"""The class report in a browser: nothing keeps anybody out, nothing of a hostile submission acts, it fits a phone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Browser, Page

from autograder.report.page import page as report_page
from autograder.report.summary import ClassReport, Summary
from tests.browser.accessibility import violations
from tests.browser.test_hostile_submissions import ALL, EVIL, HTML, RUN
from tests.grading.fixture_lesson import EXERCISES, NAME
from tests.grading.test_report import entry, result

HOSTILE = (*HTML, f"{EVIL}/{'x' * 300}", "\u202eevil", "=cmd|'/C calc'!A0", "{{ 7 * 7 }}{% raw %}", "\ud800", "x" * 400)
LESSONS = (NAME, "91_second")


def a_class(size: int, hostile: bool = False) -> ClassReport:
    """Two lessons; abler students have more right, some hand in nothing, and every kind of table has rows."""
    rng = np.random.default_rng(size)
    ability = rng.random(size)
    names = [HOSTILE[number % len(HOSTILE)] * hostile + f"student-{number:03d}" for number in range(size)]
    summaries = []
    for place, lesson in enumerate(LESSONS):
        entries = []
        for number, name in enumerate(names):
            if place and ability[number] < 0.2:
                continue
            right = rng.random(3) < ability[number]
            results: list[dict[str, Any]] = [
                result(0, 4, "right") if right[0] else result(0, 0, "wrong", "adds"),
                result(1, 2, "right") if right[1] else result(1, 0, "wrong", "divides"),
                result(2, 2, "right") if right[2] else result(2, 0, ("unanswered", "timeout", "error")[number % 3]),
            ]
            entries.append({**entry(name, "graded", *results), "seconds": 0.5})
        asked = tuple(replace(exercise, lesson=lesson) for exercise in EXERCISES)
        summaries.append(Summary(lesson, asked, tuple(entries)))
    examples = {
        (lesson, "scale", "adds"): ALL if hostile else "def scale(x, factor):\n    return x + factor"
        for lesson in LESSONS
    }
    return ClassReport.of(summaries, ["never-seen"], examples)


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The pages to look at, by name."""
    folder = tmp_path_factory.mktemp("report")
    reports = {
        "class of 5": a_class(5),
        "class of 60": a_class(60),
        "hostile": a_class(24, hostile=True),
        "anonymous": a_class(24, hostile=True).without_names(),
    }
    found = {}
    for name, report in reports.items():
        found[name] = folder / f"{name.replace(' ', '-')}.html"
        found[name].write_bytes(report_page(report).encode("utf-8", "replace"))
    return found


@pytest.mark.parametrize(
    ("scheme", "width"),
    [
        ("light", 1280),
        ("dark", 400),
        pytest.param("dark", 1280, marks=pytest.mark.slow),
        pytest.param("light", 400, marks=pytest.mark.slow),
    ],
)
def test_no_report_keeps_anybody_out_acts_or_asks_for_anything(
    browser: Browser, pages: dict[str, Path], screenshots: Path, scheme: str, width: int
) -> None:
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)  # type: ignore[arg-type]
    for name, path in pages.items():
        page = context.new_page()
        asked: list[str] = []
        page.on("request", lambda request, asked=asked: asked.append(request.url))  # type: ignore[misc]
        page.on("dialog", lambda dialog: dialog.dismiss())
        page.goto(path.as_uri())
        assert open_all(page) >= 1
        page.screenshot(path=screenshots / f"report-{path.stem}-{width}-{scheme}.png")
        assert violations(page) == [], name
        assert asked == [path.as_uri()], name
        assert page.evaluate("[window.hit, document.scripts.length]") == [None, 0], name
        assert page.locator("iframe, object, embed, form, link, base, meta[http-equiv=refresh], img").count() == 0
        assert page.evaluate("document.documentElement.scrollWidth") <= width, name  # tables scroll, the page does not
        page.close()
    context.close()


def test_hostile_names_are_shown_as_they_are_and_none_in_the_anonymous_page(
    browser: Browser, pages: dict[str, Path]
) -> None:
    page = browser.new_page()
    page.goto(pages["hostile"].as_uri())
    shown = page.locator("th[scope=row]").all_inner_texts()
    assert any(text.startswith(f"<script>{RUN}</script>") for text in shown)
    assert any("{{ 7 * 7 }}" in text for text in shown)
    page.goto(pages["anonymous"].as_uri())
    text = page.content()
    assert "student-0" not in text
    assert "never-seen" not in text
    assert page.locator("th[scope=row]").filter(has_text="student ").count() > 24
    page.close()


def test_the_parts_of_the_page_can_be_reached_by_its_links(browser: Browser, pages: dict[str, Path]) -> None:
    page = browser.new_page()
    page.goto(pages["class of 60"].as_uri())
    links = page.get_by_role("navigation").get_by_role("link")
    assert links.count() == 4 + len(LESSONS)
    for index in range(links.count()):
        links.nth(index).click()
        target = page.url.rpartition("#")[2]
        assert page.locator(f"[id='{target}']").is_visible()
    assert page.get_by_role("img").count() == 1 + 5 * len(LESSONS)
    assert all(page.get_by_role("img").nth(index).get_attribute("aria-label") for index in range(4))
    page.close()


def open_all(page: Page) -> int:
    """Open every example; returns how many there are."""
    return int(page.evaluate("[...document.querySelectorAll('details')].map(d => d.open = true).length"))
