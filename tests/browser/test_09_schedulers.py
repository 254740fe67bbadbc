"""Lesson 09 in JupyterLab: it runs to its end, all of it can be used, and its widget runs the learner's functions."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Locator, expect

from tests.browser import lessons
from tests.browser.jupyterlab import NotebookPage

NAME = "09_schedulers/09_schedulers.ipynb"


@pytest.fixture(scope="module")
def solution(shared_notebook: NotebookPage) -> NotebookPage:
    """The solution notebook after every cell was run."""
    shared_notebook.open(f"solutions/{NAME}")
    shared_notebook.run_all()
    return shared_notebook


def designer(notebook: NotebookPage) -> Locator:
    """The exploration."""
    found = notebook.page.get_by_role("group", name="A schedule to draw")
    expect(found).to_be_visible(timeout=30_000)
    return found


def press(notebook: NotebookPage, control: Locator, key: str, times: int = 1) -> None:
    expect(control).to_be_enabled()
    control.focus()
    for _ in range(times):
        notebook.page.keyboard.press(key)


def test_the_solution_runs_and_shows_every_widget_and_formula(solution: NotebookPage, served_folder: Path) -> None:
    assert solution.error_outputs() == []
    lessons.expect_every_widget(solution, served_folder / "solutions" / NAME, "ScheduleDesigner")
    lessons.expect_formulas(solution, served_folder / "solutions" / NAME)


def test_a_point_that_is_pulled_down_at_the_end_and_a_cosine_answer_the_prediction(solution: NotebookPage) -> None:
    drawn = designer(solution)
    told = drawn.get_by_role("status")
    drawn.get_by_label("high first, low at the end").check()
    drawn.get_by_role("button", name="Commit").click()
    press(solution, drawn.get_by_label("rate at step 0", exact=True), "ArrowUp", 4)
    expect(told).to_contain_text("the rate goes from 0.4")
    drawn.get_by_label("shape", exact=True).select_option("cosine_lr")
    expect(told).to_contain_text("cosine_lr with peak 0.2")
    expect(told).not_to_contain_text("not written yet")  # the learner's own, written below, runs at the next move
    press(solution, drawn.get_by_label("peak rate", exact=True), "ArrowRight", 7)
    expect(told).to_contain_text("cosine_lr with peak 1:")
    expect(told).to_contain_text("The loss ends at 0.99")
    # What came out stays as it was at the first move that showed it, on a slow machine one of those on the way.
    expect(drawn).to_contain_text(re.compile(r"This one ends at 0\.9\d, where the best"))
    solution.screenshot("09_designer", of=drawn)


def test_points_come_back_where_they_were(solution: NotebookPage) -> None:
    drawn = designer(solution)
    drawn.get_by_label("shape", exact=True).select_option("my own points")
    expect(drawn.get_by_role("status")).to_contain_text("the rate goes from 0.4")
    press(solution, drawn.get_by_label(f"rate at step {500}", exact=True), "ArrowDown", 4)
    expect(drawn.get_by_role("status")).to_contain_text("to 0.001")
    solution.screenshot("09_points", of=drawn)


def test_nothing_in_the_outputs_keeps_anybody_out(solution: NotebookPage) -> None:
    lessons.expect_no_barriers(solution)


def test_the_untouched_lesson_runs_to_its_end_and_the_widget_on_the_courses_functions(notebook: NotebookPage) -> None:
    notebook.open(f"lessons/{NAME}")
    notebook.run_all()
    assert notebook.error_outputs() == []
    drawn = designer(notebook)
    drawn.get_by_role("button", name="Go on without a prediction").click()
    drawn.get_by_label("shape", exact=True).select_option("cosine_lr")
    expect(drawn.get_by_role("status")).to_contain_text("not written yet")
    notebook.screenshot("09_untouched")
