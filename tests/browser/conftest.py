"""A browser on a temporary copy of the lessons, and the promise that it talks to nobody else.

`SCREENSHOTS=folder` keeps the pictures; `REQUIRE_ALL=1` makes a missing Chromium a failure.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.browser.jupyterlab import CHROMIUM_FLAGS, NotebookPage, find_chromium, serve


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    chromium = find_chromium()
    if chromium is None:
        reason = "Chromium is not installed; on Debian and Ubuntu: sudo apt-get install chromium"
        if os.environ.get("REQUIRE_ALL") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=chromium, args=list(CHROMIUM_FLAGS))
        yield running
        running.close()


@pytest.fixture(scope="session")
def served_folder(tmp_path_factory: pytest.TempPathFactory, root: Path) -> Path:
    """What JupyterLab shows: a copy of lessons/ and solutions/, to which a test may add notebooks of its own."""
    folder = tmp_path_factory.mktemp("served")
    for name in ("lessons", "solutions"):
        if (root / name).exists():
            shutil.copytree(root / name, folder / name, ignore=shutil.ignore_patterns(".ipynb_checkpoints"))
    return folder


@pytest.fixture(scope="session")
def address(browser: Browser, served_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with serve(served_folder, tmp_path_factory.mktemp("jupyter")) as found:
        yield found


@pytest.fixture(scope="session")
def screenshots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = os.environ.get("SCREENSHOTS")
    if folder:
        Path(folder).mkdir(parents=True, exist_ok=True)
        return Path(folder)
    return tmp_path_factory.mktemp("screenshots")


@pytest.fixture
def notebook(browser: Browser, address: str, screenshots: Path) -> Iterator[NotebookPage]:
    """A fresh page; at the end nothing may have left this machine and no script may have failed."""
    with _notebook(browser, address, screenshots) as opened:
        yield opened


@pytest.fixture(scope="module")
def shared_notebook(browser: Browser, address: str, screenshots: Path) -> Iterator[NotebookPage]:
    """The same for all tests of a module, where opening and running it takes long."""
    with _notebook(browser, address, screenshots) as opened:
        yield opened


@contextmanager
def _notebook(browser: Browser, address: str, screenshots: Path) -> Iterator[NotebookPage]:
    context = browser.new_context(viewport={"width": 1400, "height": 1000})
    opened = NotebookPage(context.new_page(), address, screenshots)
    yield opened
    context.close()
    assert opened.requests.left == [], "the page asked another machine for something"
    assert opened.errors == [], "a script of the page failed"
