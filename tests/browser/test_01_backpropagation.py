"""Lesson 01 in a browser: the whole notebook runs, and the graph stepper obeys the keyboard."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Locator, expect

from tests.browser.jupyterlab import NotebookPage

SOLUTION = "solutions/01_backpropagation/01_backpropagation.ipynb"
LESSON = "lessons/01_backpropagation/01_backpropagation.ipynb"


@pytest.fixture
def stepper(notebook: NotebookPage, served_folder: Path) -> Locator:
    """The widget's cell in the solution notebook, after every cell was run."""
    assert (served_folder / SOLUTION).is_file(), "build lesson 01 first: python -m autograder build 01"
    notebook.open(SOLUTION)
    notebook.run_all()
    assert notebook.error_outputs() == []
    cell = notebook.page.locator(".jp-CodeCell", has_text="GraphStepper(globals())")
    expect(cell.locator(".widget-slider").first).to_be_visible()
    return cell


def slider(cell: Locator, label: str) -> Locator:
    return cell.locator(".widget-slider").filter(has=cell.page.get_by_text(label, exact=True))


def test_the_graph_stepper_moves_by_keyboard(notebook: NotebookPage, stepper: Locator) -> None:
    picture = stepper.locator('img[alt^="The graph of L"]')
    expect(picture).to_have_attribute("alt", re.compile("step 0 of 10"))
    pictures = [picture.get_attribute("src")]

    notebook.move_slider(slider(stepper, "step"), 3)
    expect(picture).to_have_attribute("alt", re.compile("step 3 of 10"))
    expect(stepper.get_by_role("status")).to_contain_text("Forward: h = relu(z) = 1.")
    pictures.append(picture.get_attribute("src"))

    notebook.page.keyboard.press("Tab")  # from the slider past its number to the buttons
    stepper.get_by_role("button", name="Forward").focus()
    for _ in range(7):
        notebook.page.keyboard.press("Enter")
    expect(picture).to_have_attribute("alt", re.compile("step 10 of 10.*w \u22123"))
    expect(stepper).to_contain_text("dL/dw: by backpropagation \u22123, yours by differences: \u22123 (they agree)")
    pictures.append(picture.get_attribute("src"))
    notebook.screenshot("01_graph_stepper", stepper)

    notebook.move_slider(slider(stepper, "b"), -15)
    expect(picture).to_have_attribute("alt", re.compile("b = \u22122,.*w 0"))
    pictures.append(picture.get_attribute("src"))
    notebook.screenshot("01_graph_stepper_off", stepper)
    assert len(set(pictures)) == len(pictures)


def test_the_untouched_lesson_runs_to_its_end(notebook: NotebookPage) -> None:
    notebook.open(LESSON)
    notebook.run_all()
    assert notebook.error_outputs() == []
    page = notebook.page
    expect(page.get_by_text("is not answered yet")).to_have_count(6)
    expect(page.get_by_text("so this cell goes on with the course's version.").first).to_be_visible()
    expect(page.locator("img[alt]:not([alt=''])")).to_have_count(4)
    notebook.screenshot("01_lesson")
