"""Lesson 02 in JupyterLab: it runs to its end, and the walk downhill is driven from the keyboard."""

from __future__ import annotations

from playwright.sync_api import Locator, expect

from tests.browser.jupyterlab import NotebookPage

LESSON = "02_gradient_descent/02_gradient_descent.ipynb"


def walk(notebook: NotebookPage) -> Locator:
    """The exploration."""
    return notebook.page.get_by_role("group", name="A walk downhill")


def press(notebook: NotebookPage, control: Locator, key: str, times: int = 1) -> None:
    control.focus()
    for _ in range(times):
        notebook.page.keyboard.press(key)


def test_the_walk_runs_on_the_solution_and_answers_the_prediction(notebook: NotebookPage) -> None:
    notebook.open(f"solutions/{LESSON}")
    notebook.run_all()
    assert notebook.error_outputs() == []
    widget = walk(notebook)
    told = widget.get_by_role("status")
    # The widget was run before the exercises: the course's walk ran then, the learner's does at the next move.
    expect(told).to_contain_text("not written yet")
    widget.get_by_label("Your number").fill("0.05")
    widget.get_by_role("button", name="Commit").click()
    expect(widget.get_by_label("learning rate")).to_be_enabled()
    press(notebook, widget.get_by_label("learning rate"), "ArrowRight", 10)
    expect(told).to_contain_text("Rate 0.158, 0.79 of the limit 0.2")
    expect(told).not_to_contain_text("not written yet")
    press(notebook, widget.get_by_label("learning rate"), "ArrowRight", 4)
    expect(told).to_contain_text("it runs away")
    press(notebook, widget.get_by_label("try nine rates"), "Space")
    expect(told).to_contain_text("Of nine rates 0.14 ends lowest")
    expect(widget).to_contain_text("the best stands close to the edge")
    notebook.screenshot("02_walk_nine_rates", of=widget)


def test_the_start_moves_by_arrow_keys_in_the_untouched_lesson(notebook: NotebookPage) -> None:
    notebook.open(f"lessons/{LESSON}")
    notebook.run_all()
    assert notebook.error_outputs() == []
    widget = walk(notebook)
    widget.get_by_role("button", name="Go on without a prediction").click()
    told = widget.get_by_role("status")
    expect(told).to_contain_text("The loss goes from 9.5 ")
    press(notebook, widget.get_by_label("start", exact=True), "ArrowRight", 10)
    expect(told).to_contain_text("The loss goes from 7 ")  # from (-2, 1): (4 + 10) / 2
    expect(told).to_contain_text("gradient_descent is not written yet")
    widget.get_by_label("valley").select_option("no bowl: two hollows")
    expect(told).to_contain_text("The loss goes from 1.8 ")
    notebook.screenshot("02_untouched", of=widget)
