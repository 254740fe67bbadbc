"""The last cell of a lesson in JupyterLab: the button says what is open, sees what is unsaved, and packs the file."""

from __future__ import annotations

import shutil
from pathlib import Path

import nbformat
import pytest
from playwright.sync_api import Locator, expect

from autograder import intake
from tests.browser.accessibility import violations
from tests.browser.jupyterlab import NotebookPage

ADAM = "04_adaptive_optimizers"
RUN = """(start) => {
    const { content, context } = window.jupyterapp.shell.currentWidget;
    content.activeCellIndex = content.widgets.findIndex((cell) => cell.model.sharedModel.source.startsWith(start));
    return window.jupyterapp.commands.execute('notebook:run-cell');
}"""
ANSWER = """([name, source]) => {
    const { widgets } = window.jupyterapp.shell.currentWidget.content;
    const cell = widgets.find((cell) => cell.model.getMetadata('nbgrader')?.grade_id === name);
    cell.model.sharedModel.setSource(source);
}"""
SAVE = "() => window.jupyterapp.commands.execute('docmanager:save')"


@pytest.fixture
def folder(served_folder: Path) -> Path:
    """A learner's folder with one lesson."""
    place = served_folder / "handing in é"
    shutil.rmtree(place, ignore_errors=True)
    shutil.copytree(served_folder / "lessons" / ADAM, place / ADAM)
    return place


def answers(root: Path, *names: str) -> dict[str, str]:
    """Right answers, from the solutions."""
    solved = nbformat.read(root / "solutions" / ADAM / f"{ADAM}.ipynb", as_version=4)
    return {cell.id: cell.source for cell in solved.cells if cell.id in names}


def row(button: Locator, name: str) -> list[str]:
    """What the button's table says of an exercise."""
    return button.get_by_role("row", name=name).get_by_role("cell").all_inner_texts()


def test_the_last_cell_checks_and_packs(
    notebook: NotebookPage, folder: Path, root: Path, tmp_path: Path, screenshots: Path
) -> None:
    page = notebook.page
    notebook.open(f"{folder.name}/{ADAM}/{ADAM}.ipynb")
    for start in ("import matplotlib", "from course_lib.submission import Submit"):
        page.evaluate(RUN, start)
    button = notebook.cell(page.locator(".jp-Notebook .jp-Cell").count() - 1)
    press = button.get_by_role("button", name="Check and pack")
    status = button.get_by_role("status")
    expect(status).to_contain_text("Save the notebook first")
    right = answers(root, "adam_step", "rmsprop_step")
    for name, source in right.items():
        page.evaluate(ANSWER, [name, source])
    page.evaluate(RUN, right["adam_step"])

    # What was run is not what was saved: nothing is packed before that is settled.
    press.click()
    expect(status).to_contain_text("another version of adam_step than the file has")
    notebook.screenshot("submit_unsaved", button)
    assert not (folder / "to_hand_in").exists()

    page.evaluate(SAVE)
    press.focus()
    page.keyboard.press("Enter")
    expect(status).to_contain_text(
        "Unanswered: adagrad_step (bonus of 4), adamw_step (bonus of 5), “Written question”."
    )
    assert row(button, "adam_step") == ["6 points", "written", "6 of 6, right"]
    assert row(button, "rmsprop_step") == ["5 points", "written", "not run since this kernel started"]
    assert row(button, "adamw_step") == ["bonus of 5", "unanswered", ""]
    expect(status).to_contain_text("Nothing has left this machine.")
    expect(button.get_by_role("button", name="Pack the file")).to_be_hidden()
    packed = folder / "to_hand_in" / f"{ADAM}.ipynb"
    submission = intake.from_path(packed)
    assert submission.outcome == "read"
    assert {cell.grade_id: cell.source for cell in submission.cells}["adam_step"] == right["adam_step"]
    with page.expect_download() as download:
        button.get_by_role("link", name=f"Download {ADAM}.ipynb").click()
    assert download.value.suggested_filename == f"{ADAM}.ipynb"
    download.value.save_as(tmp_path / "downloaded")
    assert (tmp_path / "downloaded").read_bytes() == packed.read_bytes()
    for theme in notebook.in_both_themes():
        button.scroll_into_view_if_needed()
        notebook.screenshot(f"submit_{theme}", button)
        assert violations(page, ".course:has(.course-found)") == []
    assert notebook.error_outputs() == []


def test_a_lesson_saved_with_its_button_shows_what_to_do_without_a_kernel(notebook: NotebookPage) -> None:
    notebook.open(f"solutions/{ADAM}/{ADAM}.ipynb")
    last = notebook.cell(notebook.page.locator(".jp-Notebook .jp-Cell").count() - 1)
    last.scroll_into_view_if_needed()
    expect(last).to_contain_text("python -m course_lib submit 04")
