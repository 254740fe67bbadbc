"""Verdicts, exported lessons and the class report keep nobody out; the pages ask nobody for anything.

The outputs of lessons in JupyterLab are looked at in their own tests, a student's page in test_hostile_submissions.
"""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

import nbformat
import pytest
from playwright.sync_api import Browser, Page, expect

from autograder.lesson_pages import export
from autograder.report.page import page as report_page
from autograder.report.summary import ClassReport
from tests.browser import lessons
from tests.browser.accessibility import violations
from tests.browser.jupyterlab import NotebookPage
from tests.grading.test_report import SUMMARY

CHECKED = (
    "import numpy as np\nfrom course_lib.check import check",
    "def relu_backward(dout, x):\n    return dout * (dout > 0)\n\n\ncheck('relu_backward')",
    "check('relu_backward')",  # the second failure opens the hint of the mistake
    "def relu_backward(dout, x):\n    print('seen')\n    return dout * (x > 0)\n\n\ncheck('relu_backward')",
    "def linear_backward(dout, x, W):\n    raise ValueError('no')\n\n\ncheck('linear_backward')",
    "check('mlp_gradients')",
)


def test_what_check_shows_keeps_nobody_out(notebook: NotebookPage, served_folder: Path) -> None:
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    cells = [nbformat.v4.new_code_cell(source) for source in CHECKED]
    path = served_folder / "checked.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel}), path)
    notebook.open(path.name)
    notebook.run_all()
    shown = notebook.page.locator(".jp-OutputArea-output")
    expect(shown).to_have_count(5)
    expect(shown.nth(1).locator("details[open]")).to_have_count(1)
    lessons.expect_no_barriers(notebook)


@pytest.fixture(scope="module")
def pages(root: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The pages to look at, by name."""
    folder = tmp_path_factory.mktemp("pages")
    found = {path.stem: path for path in export(root, ["01", "04"], folder)}
    found["report"] = folder / "report.html"
    found["report"].write_text(report_page(ClassReport.of([SUMMARY])), encoding="utf-8")
    return found


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_page_keeps_anybody_out_or_asks_another_machine(
    browser: Browser, pages: dict[str, Path], screenshots: Path, scheme: str
) -> None:
    context = browser.new_context(viewport={"width": 1300, "height": 1000}, color_scheme=scheme)  # type: ignore[arg-type]
    asked: list[str] = []
    context.on("request", lambda request: asked.append(request.url))
    page = context.new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    found = {}
    for name, path in pages.items():
        page.goto(path.as_uri())
        found[name] = violations(page)
        page.screenshot(path=screenshots / f"page_{name}_{scheme}.png")
    context.close()
    assert found == {name: [] for name in pages}
    assert {urlsplit(url).scheme for url in asked} <= {"file", "data"}
    assert [text for text in said if "Content Security Policy" in text] == []


def test_a_line_can_be_heard_under_the_page_s_policy(browser: Browser, pages: dict[str, Path]) -> None:
    page = browser.new_page()
    page.goto(pages["01_backpropagation"].as_uri())
    assert _length(page) > 1
    page.close()


def _length(page: Page) -> float:
    """Seconds of the first recording, once the browser has read its beginning."""
    return float(
        page.locator("audio").first.evaluate(
            """(audio) => new Promise((done, fail) => {
                audio.onloadedmetadata = () => done(audio.duration);
                audio.onerror = () => fail(new Error(audio.error.message));
                audio.preload = 'metadata';
                audio.load();
            })"""
        )
    )
