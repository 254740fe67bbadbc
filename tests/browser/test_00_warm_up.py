"""Lesson 00 in JupyterLab: it runs to its end, all of it can be used, and its point obeys the pointer and the keys."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Locator, expect

from tests.browser import lessons
from tests.browser.jupyterlab import NotebookPage

NAME = "00_warm_up/00_warm_up.ipynb"


@pytest.fixture(scope="module")
def solution(shared_notebook: NotebookPage) -> NotebookPage:
    """The solution notebook after every cell was run."""
    shared_notebook.open(f"solutions/{NAME}")
    shared_notebook.run_all()
    return shared_notebook


def tangent(notebook: NotebookPage) -> Locator:
    found = notebook.page.get_by_role("group", name="A tangent to drag")
    expect(found).to_be_visible(timeout=30_000)
    return found


def press(notebook: NotebookPage, control: Locator, key: str, times: int = 1) -> None:
    expect(control).to_be_enabled()
    control.focus()
    for _ in range(times):
        notebook.page.keyboard.press(key)


def test_the_solution_runs_and_shows_every_widget_and_formula(solution: NotebookPage, served_folder: Path) -> None:
    assert solution.error_outputs() == []
    lessons.expect_every_widget(solution, served_folder / "solutions" / NAME, "Tangent")
    lessons.expect_formulas(solution, served_folder / "solutions" / NAME)


def test_the_point_answers_the_prediction_by_keys_and_measures_with_the_learners_function(
    solution: NotebookPage,
) -> None:
    widget = tangent(solution)
    told = widget.get_by_role("status")
    # It was shown before the exercises: the course's function measured then, the learner's does at the next move.
    expect(told).to_contain_text("not written yet")
    widget.get_by_label("the lowest of all").check()
    widget.get_by_role("button", name="Commit").click()
    press(solution, widget.get_by_role("slider", name="point"), "Shift+ArrowRight")
    expect(told).to_contain_text("At x = 0.5")
    press(solution, widget.get_by_role("slider", name="point"), "ArrowRight", 5)
    expect(told).to_contain_text("At x = 1 the curve")
    expect(told).to_contain_text("found by your own function")
    expect(widget).to_contain_text("zero: on the floor the tangent is level")
    press(solution, widget.get_by_label("h, the step"), "ArrowLeft", 10)
    expect(told).to_contain_text("h = 0.1 to both sides")
    widget.get_by_label("secant", exact=True).select_option("to the right only")
    expect(told).to_contain_text("h = 0.1 to the right only")
    solution.screenshot("00_tangent", of=widget)


def test_the_point_is_dragged_and_stays_on_the_curve(solution: NotebookPage) -> None:
    widget = tangent(solution)
    point = widget.get_by_role("slider", name="point")
    point.scroll_into_view_if_needed()
    box = point.bounding_box()
    assert box is not None
    mouse = solution.page.mouse
    mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    mouse.down()
    mouse.move(box["x"] - 30, box["y"] - 60, steps=4)
    mouse.move(box["x"] - 500, box["y"] - 90, steps=6)  # far beyond the left end, and high above the curve
    mouse.up()
    expect(widget.get_by_role("status")).to_contain_text("At x = \u22122 the curve is at \u22120.667")
    expect(point).to_have_attribute("aria-valuetext", re.compile(r"^x .2, y .0\.6667$"))


def test_nothing_in_the_outputs_keeps_anybody_out(solution: NotebookPage) -> None:
    lessons.expect_no_barriers(solution)


def test_the_untouched_lesson_runs_to_its_end_and_the_widget_on_the_courses_function(notebook: NotebookPage) -> None:
    notebook.open(f"lessons/{NAME}")
    notebook.run_all()
    assert notebook.error_outputs() == []
    widget = tangent(notebook)
    widget.get_by_role("button", name="Go on without a prediction").click()
    press(notebook, widget.get_by_role("slider", name="point"), "ArrowLeft", 5)
    expect(widget.get_by_role("status")).to_contain_text("At x = \u22121 the curve")
    expect(widget.get_by_role("status")).to_contain_text("not written yet")
    notebook.screenshot("00_untouched")
