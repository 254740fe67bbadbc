"""Explorations in JupyterLab: predict first, move by keyboard or pointer, and see the picture follow."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path

import nbformat
import pytest
from playwright.sync_api import Locator, expect

from tests.browser.accessibility import violations
from tests.browser.jupyterlab import NotebookPage

STEPPER = "from course_lib.explore.graph_stepper import GraphStepper\n\nGraphStepper(globals())"
RACE = "from course_lib.explore.optimizer_race import OptimizerRace\n\nOptimizerRace(globals())"


def opened(notebook: NotebookPage, folder: Path, name: str, *sources: str) -> Locator:
    """A notebook of these cells, run; gives its explorations."""
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    cells = [nbformat.v4.new_code_cell(source) for source in sources]
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel}), folder / f"{name}.ipynb")
    notebook.open(f"{name}.ipynb")
    notebook.run_all()
    assert notebook.error_outputs() == []
    found = notebook.page.locator(".course-exploration")
    expect(found.first).to_be_visible()
    return found


def skip_prediction(exploration: Locator) -> None:
    exploration.get_by_role("button", name="Go on without a prediction").click()
    expect_open(exploration)


def expect_open(exploration: Locator) -> None:
    expect(exploration.locator("fieldset.course-controls:not([disabled])")).to_be_attached()


def picture(exploration: Locator) -> Locator:
    return exploration.get_by_role("img")


def drawn(exploration: Locator) -> str:
    """What is painted, as the page holds it; ids of clip paths differ at every painting."""
    return re.sub(r"course-cut-[\w-]+", "", picture(exploration).inner_html())


def press(notebook: NotebookPage, control: Locator, key: str, times: int = 1) -> None:
    control.focus()
    for _ in range(times):
        notebook.page.keyboard.press(key)


def test_a_prediction_opens_the_controls_and_is_shown_beside_what_came_out(
    notebook: NotebookPage, served_folder: Path
) -> None:
    stepper = opened(notebook, served_folder, "predict", STEPPER)
    b, number = stepper.get_by_label("b", exact=True), stepper.get_by_label("Your number")
    expect(b).to_be_disabled()
    press(notebook, number, "x")
    notebook.page.keyboard.press("Enter")
    expect(stepper).to_contain_text("x is not a number from \u2212100 to 100")
    expect(b).to_be_disabled()
    notebook.screenshot("explore_asked", stepper)
    number.fill("-3")
    notebook.page.keyboard.press("Tab")
    expect(stepper.get_by_role("button", name="Commit")).to_be_focused()
    notebook.page.keyboard.press("Enter")
    expect(b).to_be_enabled()
    expect(stepper.get_by_label("graph", exact=True)).to_be_focused()
    expect(stepper).to_contain_text("You predicted: \u22123")
    press(notebook, stepper.get_by_label("step", exact=True), "End")
    expect(picture(stepper)).to_have_attribute("aria-label", re.compile("step 10 of 10"))
    press(notebook, b, "ArrowLeft", 15)
    expect(stepper).to_contain_text("What came out: with b = \u22122 the gradient along w is 0")
    notebook.screenshot("explore_came_out", stepper)


def test_arrow_keys_move_the_slider_and_not_the_notebook(notebook: NotebookPage, served_folder: Path) -> None:
    stepper = opened(notebook, served_folder, "arrows", "1", STEPPER, "2", "3")
    skip_prediction(stepper)
    notebook.page.locator(".jp-CodeCell").nth(1).click(position={"x": 5, "y": 5})
    step = stepper.get_by_label("step", exact=True)
    active = "window.jupyterapp.shell.currentWidget.content.activeCellIndex"
    step.focus()
    before, number = drawn(stepper), notebook.page.evaluate(active)
    for key, shown in (("ArrowRight", 1), ("ArrowUp", 2), ("ArrowDown", 1), ("ArrowRight", 2), ("PageUp", 3)):
        notebook.page.keyboard.press(key)
        expect(picture(stepper)).to_have_attribute("aria-label", re.compile(f"step {shown} of 10"))
    expect(stepper.get_by_role("status")).to_contain_text("Forward: h = relu(z) = 1.")
    expect(step).to_be_focused()
    assert drawn(stepper) != before
    assert notebook.page.evaluate(active) == number
    press(notebook, stepper.get_by_role("button", name="Forward"), "Enter", 7)
    expect(picture(stepper)).to_have_attribute("aria-label", re.compile("step 10 of 10.*w \u22123"))
    stepper.get_by_label("graph", exact=True).select_option("a number used twice")
    expect(picture(stepper)).to_have_attribute("aria-label", re.compile("step 0 of 4"))
    expect(stepper.get_by_label("t", exact=True)).to_have_count(0)
    assert len(notebook.page.locator(".jp-CodeCell").all()) == 4, "no key made or deleted a cell"


def test_every_move_is_heard_and_the_last_one_stands(notebook: NotebookPage, served_folder: Path) -> None:
    """Python takes longer than the keys: values in between may be passed over, the last may not."""
    slow = "import time\n\nfrom course_lib.graph import Value\n\nwas = Value.relu\n\n\ndef relu(self):\n"
    slow += "    time.sleep(0.2)\n    return was(self)\n\n\nValue.relu = relu"
    stepper = opened(notebook, served_folder, "fast", slow, STEPPER)
    skip_prediction(stepper)
    press(notebook, stepper.get_by_label("x", exact=True), "ArrowLeft", 25)
    press(notebook, stepper.get_by_role("button", name="Forward"), "Enter", 4)
    expect(picture(stepper)).to_have_attribute("aria-label", re.compile(r"step 4 of 10.*x = \u22121, "), timeout=20_000)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("raise IndexError('nothing here')", "Your adam_step stopped with IndexError: nothing here."),
        ("return 1", "it should return 3 values"),
        ("while True: pass", "Your adam_step stopped with TimeoutError: it had not ended after 3 seconds"),
    ],
    ids=["raises", "wrong", "endless"],
)
def test_a_function_that_fails_becomes_a_sentence_and_the_kernel_stays_free(
    notebook: NotebookPage, served_folder: Path, body: str, said: str
) -> None:
    mine = f"def adam_step(*_):\n    {body}"
    race = opened(notebook, served_folder, f"fails_{len(body)}", RACE, mine, "print('the kernel is free')")
    skip_prediction(race)
    press(notebook, race.get_by_label("steps", exact=True), "ArrowRight", 4)
    told = race.get_by_role("status")
    expect(told).to_contain_text(said, timeout=60_000)
    expect(told).to_contain_text("After 104 steps")
    notebook.run_all()
    expect(notebook.cell(2)).to_contain_text("the kernel is free")


def test_a_race_with_every_control(notebook: NotebookPage, served_folder: Path) -> None:
    race = opened(notebook, served_folder, "race", RACE)
    race.get_by_label("AdaGrad", exact=True).check()
    race.get_by_role("button", name="Commit").click()
    expect_open(race)
    seen = [drawn(race)]

    def changed() -> None:
        notebook.page.wait_for_function(
            "([img, before]) => img.innerHTML.replace(/course-cut-[\\w-]+/g, '') !== before",
            arg=[picture(race).element_handle(), seen[-1]],
        )
        seen.append(drawn(race))

    press(notebook, race.get_by_label("rate of Adam"), "ArrowRight", 5)
    changed()
    race.get_by_label("surface", exact=True).select_option("saddle")
    changed()
    press(notebook, race.get_by_label("race SGD"), "Space")
    changed()
    expect(race.get_by_role("status")).not_to_contain_text("SGD")
    race.get_by_label("surface", exact=True).select_option("badly scaled bowl")
    changed()
    press(notebook, race.get_by_role("button", name="Each its best rate"), "Enter")
    expect(race).to_contain_text("What came out: AdaGrad gains most.")
    notebook.screenshot("explore_race", race)


def cells_of_the_gallery(root: Path, kinds: Sequence[str]) -> list[str]:
    path = f"import sys\n\nsys.path.insert(0, {json.dumps(str(root / 'tests' / 'explore'))})\nimport gallery"
    return [path, *(f"gallery.{kind}(globals())" for kind in kinds)]


def test_a_point_is_moved_by_keyboard_and_by_pointer(notebook: NotebookPage, served_folder: Path, root: Path) -> None:
    descent = opened(notebook, served_folder, "point", *cells_of_the_gallery(root, ["Descent"]))
    start, told = descent.get_by_role("slider", name="start"), descent.get_by_role("status")
    expect(start).to_have_attribute("aria-disabled", "true")
    press(notebook, start, "ArrowRight")
    expect(told).to_contain_text("From (-1.5, 1)")
    skip_prediction(descent)
    press(notebook, start, "ArrowRight", 3)
    expect(told).to_contain_text("From (-1.2, 1)")
    notebook.page.keyboard.press("Shift+ArrowDown")
    expect(told).to_contain_text(re.compile(r"From \(-1\.2, [-\d.e]+\)"))
    expect(start).to_have_attribute("aria-valuetext", "x \u22121.2, y 0")
    box = start.bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    mouse = notebook.page.mouse
    mouse.move(x, y)
    mouse.down()
    mouse.move(x + 60, y - 40, steps=5)
    mouse.up()
    expect(told).not_to_contain_text("From (-1.2")
    moved = start.bounding_box()
    assert moved is not None
    assert moved["x"] - box["x"] == pytest.approx(60, abs=3)
    assert moved["y"] - box["y"] == pytest.approx(-40, abs=3)
    mouse.move(x + 60, y - 40)
    mouse.down()
    mouse.move(x - 110, y - 40, steps=3)
    mouse.up()
    expect(start).to_have_attribute("aria-valuenow", "-2")


def test_every_kind_of_picture_is_painted_in_both_themes(
    notebook: NotebookPage, served_folder: Path, root: Path
) -> None:
    kinds = ["Descent", "Noise", "Penalty", "Dropping", "Activations", "Schedule", "Dashboard"]
    found = opened(notebook, served_folder, "gallery", *cells_of_the_gallery(root, kinds))
    expect(found).to_have_count(len(kinds))
    for theme in ("JupyterLab Light", "JupyterLab Dark"):
        notebook.page.evaluate(
            "(theme) => window.jupyterapp.commands.execute('apputils:change-theme', { theme })", theme
        )
        light = "true" if theme.endswith("Light") else "false"
        expect(notebook.page.locator("body")).to_have_attribute("data-jp-theme-light", light)
        for i, kind in enumerate(kinds):
            shown = picture(found.nth(i))
            expect(shown).to_be_visible()
            shapes = shown.locator("path[d^=M], circle, rect, canvas")
            assert shapes.count() > 3, kind
            notebook.screenshot(f"explore_{kind}_{theme[-5:].strip().lower()}", found.nth(i))
        assert violations(notebook.page, ".course-exploration") == [], theme
    image = found.nth(4).locator("canvas")
    colors = image.evaluate(
        "(c) => new Set(new Uint32Array(c.getContext('2d').getImageData(0, 0, c.width, c.height).data.buffer)).size"
    )
    assert colors > 20
    corner = found.nth(5).get_by_role("slider", name="rate at step 25")
    press(notebook, corner, "ArrowDown", 2)
    expect(found.nth(5).get_by_role("status")).to_contain_text("The mean rate is 0.434")
    press(notebook, corner, "ArrowRight")
    expect(corner).to_have_attribute("aria-valuetext", "x 25, y 0.8")


def test_lines_grow_while_something_trains(notebook: NotebookPage, served_folder: Path, root: Path) -> None:
    board = opened(notebook, served_folder, "streams", *cells_of_the_gallery(root, ["Dashboard"]))
    seen = "() => window.seen ??= []"
    notebook.page.evaluate(
        "([status]) => { window.seen = []; new MutationObserver(() => window.seen.push(status.textContent))"
        ".observe(status, { childList: true }); }",
        [board.get_by_role("status").element_handle()],
    )
    board.get_by_role("button", name="Train").click()
    expect(board.get_by_role("status")).to_contain_text("200 steps done.")
    assert len(notebook.page.evaluate(seen)) > 2, "the lines came all at once"
