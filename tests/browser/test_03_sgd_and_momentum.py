"""Lesson 03 in JupyterLab: it runs to its end, all of it can be used, and its widgets run the learner's functions."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Locator, expect

from tests.browser import lessons
from tests.browser.jupyterlab import NotebookPage

NAME = "03_sgd_and_momentum/03_sgd_and_momentum.ipynb"


@pytest.fixture(scope="module")
def solution(shared_notebook: NotebookPage) -> NotebookPage:
    """The solution notebook after every cell was run."""
    shared_notebook.open(f"solutions/{NAME}")
    shared_notebook.run_all()
    return shared_notebook


def widget(notebook: NotebookPage, name: str) -> Locator:
    """An exploration by its name."""
    found = notebook.page.get_by_role("group", name=name)
    expect(found).to_be_visible(timeout=30_000)
    return found


def press(notebook: NotebookPage, control: Locator, key: str, times: int = 1) -> None:
    expect(control).to_be_enabled()
    control.focus()
    for _ in range(times):
        notebook.page.keyboard.press(key)


def test_the_solution_runs_and_shows_every_widget_and_formula(solution: NotebookPage, served_folder: Path) -> None:
    assert solution.error_outputs() == []
    lessons.expect_every_widget(solution, served_folder / "solutions" / NAME, "BatchNoise", "Ravine")
    lessons.expect_formulas(solution, served_folder / "solutions" / NAME)


def test_the_ball_answers_the_prediction_and_rolls_on_the_function_written_after_it(solution: NotebookPage) -> None:
    ball = widget(solution, "A ball in a ravine")
    told = ball.get_by_role("status")
    # It was shown before the exercises: the course's function ran then, the learner's does at the next move.
    expect(told).to_contain_text("not written yet")
    ball.get_by_label("Your number").fill("0.9")
    ball.get_by_role("button", name="Commit").click()
    press(solution, ball.get_by_role("button", name="Find the best momentum"), "Enter")
    expect(ball).to_contain_text("momentum 0.7 comes lowest")
    expect(told).not_to_contain_text("not written yet")
    press(solution, ball.get_by_label("momentum", exact=True), "ArrowRight", 10)
    expect(told).to_contain_text("with momentum 0.8")
    press(solution, ball.get_by_label("learning rate", exact=True), "End")
    expect(told).to_contain_text("left the ravine")
    solution.screenshot("03_ravine", of=ball)


def test_four_times_the_batch_halves_the_noise(solution: NotebookPage) -> None:
    noise = widget(solution, "Batch size and noise")
    told = noise.get_by_role("status")
    noise.get_by_label("it falls to a half").check()
    noise.get_by_role("button", name="Commit").click()
    press(solution, noise.get_by_label("batch size", exact=True), "ArrowRight", 2)
    expect(told).to_contain_text("150 batches of 32")
    expect(told).to_contain_text("drawn by your own function")
    expect(noise).to_contain_text("From 8 to 32 the noise fell to 0.5")
    solution.screenshot("03_batch_noise", of=noise)


def test_nothing_in_the_outputs_keeps_anybody_out(solution: NotebookPage) -> None:
    lessons.expect_no_barriers(solution)


def test_the_untouched_lesson_runs_to_its_end_and_the_widgets_on_the_courses_functions(notebook: NotebookPage) -> None:
    notebook.open(f"lessons/{NAME}")
    notebook.run_all()
    assert notebook.error_outputs() == []
    noise = widget(notebook, "Batch size and noise")
    noise.get_by_role("button", name="Go on without a prediction").click()
    press(notebook, noise.get_by_label("batch size", exact=True), "ArrowLeft", 3)
    expect(noise.get_by_role("status")).to_contain_text("150 batches of 1")
    expect(noise.get_by_role("status")).to_contain_text("not written yet")
    notebook.screenshot("03_untouched")
