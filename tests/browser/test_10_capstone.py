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


def test_a_rate_of_30_is_predicted_trained_and_diagnosed_by_the_learners_function(solution: NotebookPage) -> None:
    board = dashboard(solution)
    told = board.get_by_role("status")
    expect(told).to_contain_text("After 20 epochs", timeout=TRAINING)
    board.get_by_label("above 2.3, the loss of guessing").check()
    board.get_by_role("button", name="Commit").click()
    press(solution, board.get_by_label("learning rate", exact=True), "ArrowRight", 8)  # from 0.3 to 32
    expect(told).to_contain_text("rate 32, batches of 24. Press Train", timeout=TRAINING)
    press(solution, board.get_by_role("button", name="Train", exact=True), "Enter")
    # The run before had 20 epochs as well: wait for those of this one.
    expect(told).to_contain_text("rate 32, batches of 24. After 20 epochs", timeout=TRAINING)
    expect(told).to_contain_text("Your diagnose says: rate too high", timeout=TRAINING)
    expect(board).to_contain_text("threw the weights far away", timeout=TRAINING)
    solution.screenshot("10_dashboard", of=board)


def test_nothing_in_the_outputs_keeps_anybody_out(solution: NotebookPage) -> None:
    lessons.expect_no_barriers(solution)


def test_the_untouched_lesson_runs_to_its_end_and_the_widget_on_the_courses_function(notebook: NotebookPage) -> None:
    notebook.open(f"lessons/{NAME}")
    notebook.run_all()
    assert notebook.error_outputs() == []
    board = dashboard(notebook)
    board.get_by_role("button", name="Go on without a prediction").click()
    press(notebook, board.get_by_role("button", name="Train", exact=True), "Enter")
    expect(board.get_by_role("status")).to_contain_text("diagnose is not written yet", timeout=TRAINING)
    notebook.screenshot("10_untouched")
