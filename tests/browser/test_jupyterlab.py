"""The harness itself: a widget works, and a request to another machine is noticed."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from playwright.sync_api import expect

from tests.browser.jupyterlab import NotebookPage

SLIDER = """
import ipywidgets

slider = ipywidgets.IntSlider(value=3, min=0, max=9, description="step")
label = ipywidgets.Label("3 doubled is 6")
slider.observe(lambda change: setattr(label, "value", f"{change.new} doubled is {2 * change.new}"), "value")
ipywidgets.VBox([slider, label])
"""


def write(path: Path, *cells: nbformat.NotebookNode) -> str:
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    nbformat.write(nbformat.v4.new_notebook(cells=list(cells), metadata={"kernelspec": kernel}), path)
    return path.name


@pytest.fixture
def tiny(served_folder: Path) -> str:
    cells = nbformat.v4.new_markdown_cell("# A slider: $x^2$"), nbformat.v4.new_code_cell(SLIDER.strip())
    return write(served_folder / "tiny.ipynb", *cells)


def test_a_slider_moves_and_python_hears_it(notebook: NotebookPage, tiny: str) -> None:
    notebook.open(tiny)
    notebook.run_all()
    slider = notebook.cell(1).locator(".widget-slider")
    expect(notebook.cell(1)).to_contain_text("3 doubled is 6")
    before = slider.locator(".noUi-handle").bounding_box()
    notebook.move_slider(slider, 4)
    expect(notebook.cell(1)).to_contain_text("7 doubled is 14")
    after = slider.locator(".noUi-handle").bounding_box()
    assert before
    assert after
    assert after["x"] > before["x"]
    assert notebook.error_outputs() == []
    assert notebook.screenshot("slider").stat().st_size > 0


def test_errors_are_seen(notebook: NotebookPage, served_folder: Path) -> None:
    sources = ("import sys; print('mind', file=sys.stderr)", "1 / 0")
    cells = (nbformat.v4.new_code_cell(source) for source in sources)
    notebook.open(write(served_folder / "broken.ipynb", *cells))
    notebook.run_all()
    assert [("mind" in text, "ZeroDivisionError" in text) for text in notebook.error_outputs()] == [
        (True, False),
        (False, True),
    ]


def test_a_request_to_another_machine_is_noticed(notebook: NotebookPage, tiny: str) -> None:
    notebook.open(tiny)
    assert notebook.requests.left == []
    notebook.page.evaluate("() => fetch('https://elsewhere.invalid/data.json').catch(() => null)")
    assert notebook.requests.left == ["https://elsewhere.invalid/data.json"]
    notebook.requests.left.clear()
