"""Lesson 01 in JupyterLab: the whole notebook runs, all of it can be used, and the untouched lesson runs too."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser import lessons
from tests.browser.jupyterlab import NotebookPage

SOLUTION = "solutions/01_backpropagation/01_backpropagation.ipynb"
LESSON = "lessons/01_backpropagation/01_backpropagation.ipynb"


@pytest.fixture(scope="module")
def solution(shared_notebook: NotebookPage) -> NotebookPage:
    """The solution notebook after every cell was run."""
    shared_notebook.open(SOLUTION)
    shared_notebook.run_all()
    return shared_notebook


def test_the_solution_runs_and_shows_every_widget_and_formula(solution: NotebookPage, served_folder: Path) -> None:
    assert solution.error_outputs() == []
    lessons.expect_every_widget(solution, served_folder / SOLUTION, "GraphStepper")
    lessons.expect_formulas(solution, served_folder / SOLUTION)


def test_the_graph_stepper_uses_the_functions_of_the_notebook(solution: NotebookPage) -> None:
    stepper = solution.page.locator(".jp-CodeCell", has_text="GraphStepper(globals())").locator(".course-exploration")
    stepper.get_by_label("Your number").fill("0")
    stepper.get_by_role("button", name="Commit").press("Enter")
    step, b = stepper.get_by_label("step", exact=True), stepper.get_by_label("b", exact=True)
    expect(step).to_be_enabled()
    step.press("End")
    expect(stepper).to_contain_text("dL/dw: by backpropagation \u22123, yours by differences: \u22123 (they agree)")
    b.focus()
    for _ in range(15):
        solution.page.keyboard.press("ArrowLeft")
    expect(stepper.get_by_role("img")).to_have_attribute("aria-label", re.compile("b = \u22122,.*w 0"))
    expect(stepper).to_contain_text("What came out: with b = \u22122 the gradient along w is 0")
    solution.screenshot("01_graph_stepper", stepper)


def test_nothing_in_the_outputs_keeps_anybody_out(solution: NotebookPage) -> None:
    lessons.expect_no_barriers(solution)


def test_the_untouched_lesson_runs_to_its_end(notebook: NotebookPage) -> None:
    notebook.open(LESSON)
    notebook.run_all()
    assert notebook.error_outputs() == []
    page = notebook.page
    expect(page.get_by_text("is not answered yet")).to_have_count(6)
    expect(page.get_by_text("so this cell goes on with the course's version.").first).to_be_visible()
    notebook.screenshot("01_lesson")
