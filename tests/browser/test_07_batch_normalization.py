"""Lesson 07 in JupyterLab: it runs to its end, all of it can be used, and its widget runs the learner's functions."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Locator, expect

from tests.browser import lessons
from tests.browser.jupyterlab import NotebookPage

NAME = "07_batch_normalization/07_batch_normalization.ipynb"


@pytest.fixture(scope="module")
def solution(shared_notebook: NotebookPage) -> NotebookPage:
    """The solution notebook after every cell was run."""
    shared_notebook.open(f"solutions/{NAME}")
    shared_notebook.run_all()
    return shared_notebook


def widget(notebook: NotebookPage) -> Locator:
    """The exploration."""
    found = notebook.page.get_by_role("group", name="Signals through many layers")
    expect(found).to_be_visible(timeout=30_000)
    return found


def press(notebook: NotebookPage, control: Locator, key: str, times: int = 1) -> None:
    expect(control).to_be_enabled()
    control.focus()
    for _ in range(times):
        notebook.page.keyboard.press(key)


def test_the_solution_runs_and_shows_every_widget_and_formula(solution: NotebookPage, served_folder: Path) -> None:
    assert solution.error_outputs() == []
    lessons.expect_every_widget(solution, served_folder / "solutions" / NAME, "Signals")
    lessons.expect_formulas(solution, served_folder / "solutions" / NAME)


def test_doubled_weights_answer_the_prediction_and_batch_norm_holds_the_signal(solution: NotebookPage) -> None:
    signals = widget(solution)
    told = signals.get_by_role("status")
    # It was shown before the exercises: the course's function ran then, the learner's does at the next move.
    expect(told).to_contain_text("not written yet")
    signals.get_by_label("40 times").check()
    signals.get_by_role("button", name="Commit").click()
    weights = signals.get_by_label("size of the first weights (1 is He's)", exact=True)
    press(solution, weights, "ArrowRight", 3)
    expect(signals).to_contain_text("about a million times")
    expect(told).not_to_contain_text("not written yet")
    expect(told).to_contain_text("first weights 2 times He's")
    solution.screenshot("07_signals_plain", of=signals)
    signals.get_by_label("network", exact=True).select_option("with batch norm")
    expect(told).to_contain_text("20 layers with batch norm")
    expect(told).to_contain_text("0.71 in the first layer, 0.69 in the last")
    press(solution, signals.get_by_label("steps of training", exact=True), "ArrowRight", 3)
    expect(told).to_contain_text("after 20 steps at rate 0.1")
    expect(told).to_contain_text("The loss went from")
    expect(told).not_to_contain_text("stands in")
    solution.screenshot("07_signals_normalised", of=signals)


def test_nothing_in_the_outputs_keeps_anybody_out(solution: NotebookPage) -> None:
    lessons.expect_no_barriers(solution)


def test_the_untouched_lesson_runs_to_its_end_and_the_widget_on_the_courses_functions(notebook: NotebookPage) -> None:
    notebook.open(f"lessons/{NAME}")
    notebook.run_all()
    assert notebook.error_outputs() == []
    signals = widget(notebook)
    signals.get_by_role("button", name="Go on without a prediction").click()
    press(notebook, signals.get_by_label("hidden layers", exact=True), "Home")
    expect(signals.get_by_role("status")).to_contain_text("1 layer without batch norm")
    expect(signals.get_by_role("status")).to_contain_text("he_init is not written yet")
    notebook.screenshot("07_untouched")
