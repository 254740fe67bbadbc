"""Lesson 04 in JupyterLab: it runs to its end, and the race is driven from the keyboard."""

from __future__ import annotations

from pathlib import Path

import nbformat
from playwright.sync_api import Locator, expect

from tests.browser.jupyterlab import NotebookPage

LESSON = "04_adaptive_optimizers/04_adaptive_optimizers.ipynb"


def race(notebook: NotebookPage) -> Locator:
    """The output that holds the race."""
    return notebook.page.locator(".jp-Cell-outputArea", has=notebook.page.get_by_text("rate of Adam")).first


def picture(widget: Locator) -> str:
    """The race's picture, as the address that holds its bytes."""
    source = widget.locator('img[alt^="Left: contours"]').get_attribute("src")
    assert source is not None
    assert source.startswith("data:image/png;base64,")
    return source


def changed(widget: Locator, before: str) -> str:
    """Wait for another picture than `before`, and return it."""
    expect(widget.locator('img[alt^="Left: contours"]')).not_to_have_attribute("src", before)
    return picture(widget)


def test_the_race_moves_by_keyboard_and_runs_on_the_solution(notebook: NotebookPage) -> None:
    notebook.open(f"solutions/{LESSON}")
    notebook.run_all()
    assert notebook.error_outputs() == []
    widget = race(notebook)
    told = widget.get_by_role("status")
    expect(told).to_contain_text("After 100 steps on the badly scaled bowl")
    # The race was run before the exercises: the course's functions ran then, the learner's do at the next move.
    expect(told).to_contain_text("not written yet")
    before = picture(widget)
    slider = widget.locator(".widget-slider", has_text="rate of Adam")
    notebook.move_slider(slider, 5)
    expect(told).to_contain_text("Adam (yours)")
    expect(told).not_to_contain_text("not written yet")
    after = changed(widget, before)
    widget.scroll_into_view_if_needed()
    notebook.screenshot("04_race_yours", of=widget)
    widget.get_by_label("surface").select_option("saddle")
    expect(told).to_contain_text("on the saddle")
    saddle = changed(widget, after)
    button = widget.get_by_role("button", name="Each its best rate")
    button.focus()
    notebook.page.keyboard.press("Enter")
    changed(widget, saddle)
    notebook.screenshot("04_race_best", of=widget)


def test_the_untouched_lesson_runs_to_its_end_and_the_race_on_the_courses_functions(notebook: NotebookPage) -> None:
    notebook.open(f"lessons/{LESSON}")
    notebook.run_all()
    assert notebook.error_outputs() == []
    widget = race(notebook)
    notebook.move_slider(widget.locator(".widget-slider", has_text="steps"), 3)
    told = widget.get_by_role("status")
    expect(told).to_contain_text("After 103 steps")
    expect(told).to_contain_text("adagrad_step, rmsprop_step and adam_step are not written yet")
    notebook.screenshot("04_untouched")


def test_an_endless_step_does_not_hold_the_kernel(notebook: NotebookPage, served_folder: Path) -> None:
    sources = (
        "from course_lib.explore.optimizer_race import OptimizerRace\n\nOptimizerRace(globals())",
        "def adam_step(*_):\n    while True:\n        pass",
        "print('the kernel is free')",
    )
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    cells = [nbformat.v4.new_code_cell(source) for source in sources]
    path = served_folder / "endless.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel}), path)
    notebook.open(path.name)
    notebook.run_all()
    widget = race(notebook)
    notebook.move_slider(widget.locator(".widget-slider", has_text="steps"), 4)
    told = widget.get_by_role("status")
    expect(told).to_contain_text("Your adam_step stopped with TimeoutError", timeout=60_000)
    expect(told).to_contain_text("After 104 steps", timeout=60_000)
    notebook.run_all()
    expect(notebook.cell(2)).to_contain_text("the kernel is free")
    notebook.screenshot("04_race_endless", of=widget)
