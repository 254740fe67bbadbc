"""Lesson 10 in JupyterLab: it runs to its end, all of it can be used, and the dashboard trains as one watches."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Locator, expect

from tests.browser import lessons
from tests.browser.jupyterlab import NotebookPage

NAME = "10_capstone/10_capstone.ipynb"
TRAINING = 30_000
"""Milliseconds within which a run of the dashboard has ended, on a busy machine."""


@pytest.fixture(scope="module")
def solution(shared_notebook: NotebookPage) -> NotebookPage:
    """The solution notebook after every cell was run."""
    shared_notebook.open(f"solutions/{NAME}")
    shared_notebook.run_all()
    return shared_notebook


def dashboard(notebook: NotebookPage) -> Locator:
    """The exploration."""
    found = notebook.page.get_by_role("group", name="A training dashboard")
    expect(found).to_be_visible(timeout=30_000)
    return found


def press(notebook: NotebookPage, control: Locator, key: str, times: int = 1) -> None:
    expect(control).to_be_enabled(timeout=TRAINING)
    control.focus()
    for _ in range(times):
        notebook.page.keyboard.press(key)


def test_the_solution_runs_and_shows_every_widget_and_formula(solution: NotebookPage, served_folder: Path) -> None:
    assert solution.error_outputs() == []
    lessons.expect_every_widget(solution, served_folder / "solutions" / NAME, "Dashboard")
    lessons.expect_formulas(solution, served_folder / "solutions" / NAME, more_than=1)


def test_nothing_in_the_outputs_keeps_anybody_out(solution: NotebookPage) -> None:
    lessons.expect_no_barriers(solution)
