"""Lesson 11 in JupyterLab: it runs to its end, all of it can be used, and its widgets run the learner's functions."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Locator, expect

from tests.browser import lessons
from tests.browser.jupyterlab import NotebookPage

NAME = "11_modern_optimizers/11_modern_optimizers.ipynb"


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
    lessons.expect_every_widget(solution, served_folder / "solutions" / NAME, "SingularValues", "ModernRace")
    lessons.expect_formulas(solution, served_folder / "solutions" / NAME)


def test_the_values_answer_the_prediction_and_run_on_the_function_written_after_it(solution: NotebookPage) -> None:
    values = widget(solution, "Singular values, round by round")
    told = values.get_by_role("status")
    # It was shown before the exercises: the course's function ran then, the learner's does at the next move.
    expect(told).to_contain_text("not written yet")
    values.get_by_label("all four at 1").check()
    values.get_by_role("button", name="Commit").click()
    rounds = values.get_by_label("rounds", exact=True)
    press(solution, rounds, "ArrowRight", 4)
    expect(told).to_contain_text("After 5 rounds: the smallest of 4 singular values is 0.6866")
    expect(told).to_contain_text("Your own muon_orthogonalize")
    expect(values).to_contain_text("all four near 1, none settled: 1.119")
    press(solution, rounds, "End")
    expect(told).to_contain_text("After 10 rounds")
    solution.screenshot("11_singular_values", of=values)


def test_the_race_answers_the_prediction_on_the_learners_steps(solution: NotebookPage) -> None:
    race = widget(solution, "The race goes on")
    told = race.get_by_role("status")
    expect(told).to_contain_text("lion_step and schedule_free_step are not written yet")
    race.get_by_label("Lion", exact=True).check()
    race.get_by_role("button", name="Commit").click()
    press(solution, race.get_by_role("button", name="Each its best rate"), "Enter")
    expect(race).to_contain_text("Adam gains most.", timeout=30_000)
    expect(told).to_contain_text("Lion (yours)")
    expect(told).to_contain_text("schedule-free SGD (yours)")
    press(solution, race.get_by_label("steps", exact=True), "End")
    expect(told).to_contain_text("After 300 steps")
    solution.screenshot("11_race", of=race)


def test_nothing_in_the_outputs_keeps_anybody_out(solution: NotebookPage) -> None:
    lessons.expect_no_barriers(solution)


def test_the_untouched_lesson_runs_to_its_end_and_the_widgets_on_the_courses_functions(notebook: NotebookPage) -> None:
    notebook.open(f"lessons/{NAME}")
    notebook.run_all()
    assert notebook.error_outputs() == []
    values = widget(notebook, "Singular values, round by round")
    values.get_by_role("button", name="Go on without a prediction").click()
    press(notebook, values.get_by_label("rounds", exact=True), "ArrowRight", 2)
    expect(values.get_by_role("status")).to_contain_text("After 3 rounds")
    expect(values.get_by_role("status")).to_contain_text("not written yet")
    notebook.screenshot("11_untouched")
