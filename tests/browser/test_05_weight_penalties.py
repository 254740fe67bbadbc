"""Lesson 05 in JupyterLab: it runs to its end, all of it can be used, and its widget runs the learner's functions."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Locator, expect

from tests.browser import lessons
from tests.browser.jupyterlab import NotebookPage

NAME = "05_weight_penalties/05_weight_penalties.ipynb"


@pytest.fixture(scope="module")
def solution(shared_notebook: NotebookPage) -> NotebookPage:
    """The solution notebook after every cell was run."""
    shared_notebook.open(f"solutions/{NAME}")
    shared_notebook.run_all()
    return shared_notebook


def penalties(notebook: NotebookPage) -> Locator:
    found = notebook.page.get_by_role("group", name="Penalties, balls and boundaries")
    expect(found).to_be_visible(timeout=30_000)
    return found


def press(notebook: NotebookPage, control: Locator, key: str, times: int = 1) -> None:
    expect(control).to_be_enabled()
    control.focus()
    for _ in range(times):
        notebook.page.keyboard.press(key)


def test_the_solution_runs_and_shows_every_widget_and_formula(solution: NotebookPage, served_folder: Path) -> None:
    assert solution.error_outputs() == []
    lessons.expect_every_widget(solution, served_folder / "solutions" / NAME, "Penalties")
    lessons.expect_formulas(solution, served_folder / "solutions" / NAME)


def test_the_diamonds_corner_answers_the_prediction_on_the_functions_written_after_it(solution: NotebookPage) -> None:
    widget = penalties(solution)
    told = widget.get_by_role("status")
    # It was shown before the exercises: the course's functions ran then, the learner's do at the next move.
    expect(told).to_contain_text("l2_penalty is not written yet")
    widget.get_by_label("with both").check()
    widget.get_by_role("button", name="Commit").click()
    strength = widget.get_by_label("λ, the strength")
    press(solution, strength, "End")
    expect(told).to_contain_text("L2 with λ = 10")
    expect(told).to_contain_text("Exactly 0: 0 of 2 weights")
    expect(told).not_to_contain_text("not written yet")
    press(solution, widget.get_by_label("penalty", exact=True), "ArrowDown")
    expect(told).to_contain_text("L1 with λ = 10")
    expect(told).to_contain_text("Exactly 0: 2 of 2 weights")
    expect(told).not_to_contain_text("not written yet")
    press(solution, strength, "ArrowLeft", 18)  # 18 steps of a twentieth of a power of ten
    expect(told).to_contain_text("Exactly 0: 1 of 2 weights")
    expect(widget).to_contain_text("with L1 alone")
    solution.screenshot("05_balls", of=widget)


def test_the_boundary_of_the_small_set_follows_the_strength(solution: NotebookPage) -> None:
    widget = penalties(solution)
    told = widget.get_by_role("status")
    press(solution, widget.get_by_label("picture", exact=True), "ArrowDown")
    expect(told).to_contain_text("of 14 weights")
    strength = widget.get_by_label("λ, the strength")
    press(solution, strength, "End")
    expect(told).to_contain_text("Exactly 0: 14 of 14 weights")
    press(solution, widget.get_by_label("penalty", exact=True), "ArrowUp")
    expect(told).to_contain_text("L2 with λ = 10: Exactly 0: 0 of 14 weights")
    press(solution, strength, "Home")
    expect(told).to_contain_text("On the wrong side of the boundary: 1 of 24 points")
    expect(told).not_to_contain_text("not written yet")
    solution.screenshot("05_boundary", of=widget)


def test_nothing_in_the_outputs_keeps_anybody_out(solution: NotebookPage) -> None:
    lessons.expect_no_barriers(solution)


def test_the_untouched_lesson_runs_to_its_end_and_the_widget_on_the_courses_functions(notebook: NotebookPage) -> None:
    notebook.open(f"lessons/{NAME}")
    notebook.run_all()
    assert notebook.error_outputs() == []
    widget = penalties(notebook)
    told = widget.get_by_role("status")
    widget.get_by_role("button", name="Go on without a prediction").click()
    press(notebook, widget.get_by_label("λ, the strength"), "ArrowRight", 4)
    expect(told).to_contain_text("l2_penalty is not written yet")
    press(notebook, widget.get_by_label("penalty", exact=True), "ArrowDown")
    expect(told).to_contain_text("soft_threshold is not written yet")
    notebook.screenshot("05_untouched")
