"""Lesson 04 in JupyterLab: it runs to its end, all of it can be used, and the race runs the learner's functions."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Locator, expect

from tests.browser import lessons
from tests.browser.jupyterlab import NotebookPage

NAME = "04_adaptive_optimizers/04_adaptive_optimizers.ipynb"


@pytest.fixture(scope="module")
def solution(shared_notebook: NotebookPage) -> NotebookPage:
    """The solution notebook after every cell was run."""
    shared_notebook.open(f"solutions/{NAME}")
    shared_notebook.run_all()
    return shared_notebook


def race(notebook: NotebookPage) -> Locator:
    """The race, as it stands after its cell has run."""
    found = notebook.page.locator(".jp-CodeCell", has_text="OptimizerRace(globals())").locator(".course-exploration")
    expect(found).to_be_visible(timeout=30_000)
    return found


def open_controls(widget: Locator) -> None:
    widget.get_by_role("button", name="Go on without a prediction").click()
    expect(widget.get_by_label("steps", exact=True)).to_be_enabled()


def test_the_solution_runs_and_shows_every_widget_and_formula(solution: NotebookPage, served_folder: Path) -> None:
    assert solution.error_outputs() == []
    lessons.expect_every_widget(solution, served_folder / "solutions" / NAME, "OptimizerRace")
    lessons.expect_formulas(solution, served_folder / "solutions" / NAME)


def test_the_race_takes_up_the_functions_that_were_written_after_it(solution: NotebookPage) -> None:
    widget = race(solution)
    told = widget.get_by_role("status")
    # It was shown before the exercises: the course's functions ran then, the learner's do at the next move.
    expect(told).to_contain_text("not written yet")
    open_controls(widget)
    rate = widget.get_by_label("rate of Adam")
    rate.focus()
    for _ in range(5):
        solution.page.keyboard.press("ArrowRight")
    expect(told).to_contain_text("Adam (yours)")
    expect(told).not_to_contain_text("not written yet")
    solution.screenshot("04_race_yours", of=widget)


def test_nothing_in_the_outputs_keeps_anybody_out(solution: NotebookPage) -> None:
    lessons.expect_no_barriers(solution)


def test_the_untouched_lesson_runs_to_its_end_and_the_race_on_the_courses_functions(notebook: NotebookPage) -> None:
    notebook.open(f"lessons/{NAME}")
    notebook.run_all()
    assert notebook.error_outputs() == []
    widget = race(notebook)
    open_controls(widget)
    steps = widget.get_by_label("steps", exact=True)
    steps.focus()
    for _ in range(3):
        notebook.page.keyboard.press("ArrowRight")
    told = widget.get_by_role("status")
    expect(told).to_contain_text("After 103 steps")
    expect(told).to_contain_text("adagrad_step, rmsprop_step and adam_step are not written yet")
    notebook.screenshot("04_untouched")
