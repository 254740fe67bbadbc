"""Lesson 06 in JupyterLab: it runs to its end, all of it can be used, and its widget draws the learner's masks."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Locator, expect

from tests.browser import lessons
from tests.browser.jupyterlab import NotebookPage

NAME = "06_dropout/06_dropout.ipynb"


@pytest.fixture(scope="module")
def solution(shared_notebook: NotebookPage) -> NotebookPage:
    """The solution notebook after every cell was run."""
    shared_notebook.open(f"solutions/{NAME}")
    shared_notebook.run_all()
    return shared_notebook


def units(notebook: NotebookPage) -> Locator:
    found = notebook.page.get_by_role("group", name="Units that fall silent")
    expect(found).to_be_visible(timeout=30_000)
    return found


def press(notebook: NotebookPage, control: Locator, key: str, times: int = 1) -> None:
    expect(control).to_be_enabled()
    control.focus()
    for _ in range(times):
        notebook.page.keyboard.press(key)


def test_the_solution_runs_and_shows_every_widget_and_formula(solution: NotebookPage, served_folder: Path) -> None:
    assert solution.error_outputs() == []
    lessons.expect_every_widget(solution, served_folder / "solutions" / NAME, "SilentUnits")
    lessons.expect_formulas(solution, served_folder / "solutions" / NAME)


def test_units_fall_silent_by_the_function_written_after_the_widget_was_shown(solution: NotebookPage) -> None:
    widget = units(solution)
    told = widget.get_by_role("status")
    expect(told).to_contain_text("not written yet")
    widget.get_by_label("Your number").fill("80")
    widget.get_by_role("button", name="Commit").click()
    press(solution, widget.get_by_label("p, probability of dropping"), "ArrowRight", 10)
    expect(told).to_contain_text("p = 0.5: 14 of 24 units are silent")
    expect(told).not_to_contain_text("not written yet")
    expect(widget).to_contain_text("% in this pass. Choose the network")
    press(solution, widget.get_by_role("button", name="Forward again"), "Enter")
    expect(told).to_contain_text("Pass 2 in training mode")
    press(solution, widget.get_by_role("button", name="100 more"), "Enter")
    expect(told).to_contain_text("Averaged over the 102 passes")
    solution.screenshot("06_units", of=widget)
    widget.get_by_label("mode", exact=True).select_option("evaluation mode")
    expect(told).to_contain_text("0 of 24 units are silent")


def test_p_against_both_curves_is_trained_when_asked(solution: NotebookPage) -> None:
    widget = units(solution)
    told = widget.get_by_role("status")
    widget.get_by_label("picture", exact=True).select_option("p against both curves")
    expect(told).to_contain_text("Trained at 0 of 8")
    press(solution, widget.get_by_role("button", name="Train at every p"), "Enter")
    expect(told).to_contain_text("rate 0.3: without dropout", timeout=120_000)
    press(solution, widget.get_by_label("learning rate", exact=True), "ArrowLeft")
    expect(told).to_contain_text("rate 0.1: without dropout")
    solution.screenshot("06_curves", of=widget)


def test_nothing_in_the_outputs_keeps_anybody_out(solution: NotebookPage) -> None:
    lessons.expect_no_barriers(solution)


def test_the_untouched_lesson_runs_to_its_end_and_the_widget_on_the_courses_function(notebook: NotebookPage) -> None:
    notebook.open(f"lessons/{NAME}")
    notebook.run_all()
    assert notebook.error_outputs() == []
    widget = units(notebook)
    widget.get_by_role("button", name="Go on without a prediction").click()
    press(notebook, widget.get_by_label("p, probability of dropping"), "ArrowRight", 4)
    expect(widget.get_by_role("status")).to_contain_text("p = 0.2")
    expect(widget.get_by_role("status")).to_contain_text("not written yet")
    notebook.screenshot("06_untouched")
