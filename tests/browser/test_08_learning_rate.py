"""Lesson 08 in JupyterLab: it runs to its end, all of it can be used, and its widget runs the learner's functions."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Locator, expect

from tests.browser import lessons
from tests.browser.jupyterlab import NotebookPage

NAME = "08_learning_rate/08_learning_rate.ipynb"


@pytest.fixture(scope="module")
def solution(shared_notebook: NotebookPage) -> NotebookPage:
    """The solution notebook after every cell was run."""
    shared_notebook.open(f"solutions/{NAME}")
    shared_notebook.run_all()
    return shared_notebook


def knob(notebook: NotebookPage) -> Locator:
    found = notebook.page.get_by_role("group", name="The learning rate knob")
    expect(found).to_be_visible(timeout=30_000)
    return found


def press(notebook: NotebookPage, control: Locator, key: str, times: int = 1) -> None:
    expect(control).to_be_enabled()
    control.focus()
    for _ in range(times):
        notebook.page.keyboard.press(key)


def test_the_solution_runs_and_shows_every_widget_and_formula(solution: NotebookPage, served_folder: Path) -> None:
    assert solution.error_outputs() == []
    lessons.expect_every_widget(solution, served_folder / "solutions" / NAME, "RateKnob")
    lessons.expect_formulas(solution, served_folder / "solutions" / NAME)


def test_the_knob_answers_the_prediction_and_tests_with_the_functions_written_after_it(solution: NotebookPage) -> None:
    widget = knob(solution)
    told = widget.get_by_role("status")
    # It was shown before the exercises: the course's functions ran then, the learner's do at the next move.
    expect(told).to_contain_text("not written yet")
    widget.get_by_label("Your number").fill("0.1")
    widget.get_by_role("button", name="Commit").click()
    press(solution, widget.get_by_label("learning rate", exact=True), "ArrowRight", 3)
    expect(told).to_contain_text("it crawls")
    expect(told).not_to_contain_text("not written yet")
    press(solution, widget.get_by_role("button", name="Try 21 rates"), "Enter")
    expect(widget).to_contain_text("of 21 rates 1.8 ends lowest", timeout=30_000)
    expect(told).to_contain_text("suggests 0.96")
    solution.screenshot("08_rate_knob", of=widget)
    press(solution, widget.get_by_label("learning rate", exact=True), "End")
    expect(told).to_contain_text("runs away")
    widget.get_by_label("examples in a step").select_option("6 at random")
    expect(told).not_to_contain_text("Of 21 rates")
    solution.screenshot("08_rate_knob_runs_away", of=widget)


def test_nothing_in_the_outputs_keeps_anybody_out(solution: NotebookPage) -> None:
    lessons.expect_no_barriers(solution)


def test_the_untouched_lesson_runs_to_its_end_and_the_knob_on_the_courses_functions(notebook: NotebookPage) -> None:
    notebook.open(f"lessons/{NAME}")
    notebook.run_all()
    assert notebook.error_outputs() == []
    widget = knob(notebook)
    widget.get_by_role("button", name="Go on without a prediction").click()
    press(notebook, widget.get_by_label("learning rate", exact=True), "ArrowRight")
    expect(widget.get_by_role("status")).to_contain_text("not written yet")
    notebook.screenshot("08_untouched")
