"""How long an exploration takes from a key press to the painted frame, in JupyterLab in Chromium.

Run from the top of the repository: make bench, or .venv/bin/python scripts/bench_explore.py --help.

A slider of each exploration is moved by arrow keys, a tenth of a second apart, as a hand presses them; without that
pause the browser would still be busy with the last move. The clock runs from the key's own time stamp, over Python's
answer, to the first moment after the browser has painted the frame with the new picture. The functions that run are
the course's, defined in the notebook's cells as a learner's are.
"""

from __future__ import annotations

import argparse
import inspect
import os
import statistics
import sys
import tempfile
from pathlib import Path

import nbformat

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from course_lib.exercises import adaptive_optimizers, backpropagation  # noqa: E402
from tests.browser.jupyterlab import CHROMIUM_FLAGS, NotebookPage, find_chromium, serve  # noqa: E402

WANTED = 60
"""Milliseconds that the median should stay below."""
PAUSE = 100
"""Milliseconds between two presses."""
LEARNERS = (
    backpropagation.numerical_gradient,
    adaptive_optimizers.rmsprop_step,
    adaptive_optimizers.adam_step,
    adaptive_optimizers.adagrad_step,
)
STEPPER = "from course_lib.explore.graph_stepper import GraphStepper\n\nstepper = GraphStepper(globals())\n"
RACE = "from course_lib.explore.optimizer_race import OptimizerRace\n\nOptimizerRace(globals())"
EXPLORATIONS = {
    "01 graph stepper, all steps taken": (f"{STEPPER}stepper.step.value = stepper.step.high\nstepper", "x"),
    "04 optimizer race, 5 racers, 100 steps": (RACE, "rate of SGD"),
}

PAINTED = """
([slider, picture]) => new Promise((done) => {
    let pressed = 0;
    slider.addEventListener("keydown", (event) => { pressed = event.timeStamp; }, { once: true, capture: true });
    const watch = new MutationObserver(() => {
        if (!pressed) return;
        watch.disconnect();
        // The picture is drawn before its frame is; a message sent now arrives after the frame.
        const { port1, port2 } = new MessageChannel();
        port1.onmessage = () => { window.milliseconds = performance.now() - pressed; };
        port2.postMessage(null);
    });
    watch.observe(picture, { attributes: true, attributeFilter: ["data-painted"] });
    window.milliseconds = null;
    done();
})
"""


def notebook() -> nbformat.NotebookNode:
    """The learner's functions, and a cell for each exploration."""
    functions = "\n\n".join(inspect.getsource(function) for function in LEARNERS)
    head = "from __future__ import annotations\n\nimport numpy as np"  # their types are named elsewhere
    sources = [f"{head}\n\n\n{functions}", *(source for source, _ in EXPLORATIONS.values())]
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    cells = [nbformat.v4.new_code_cell(source) for source in sources]
    return nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel})


def measure(page: NotebookPage, index: int, slider: str, presses: int) -> list[float]:
    """Milliseconds of each press, after five to warm up."""
    exploration = page.cell(index).locator(".course-exploration")
    exploration.get_by_role("button", name="Go on without a prediction").click()
    exploration.locator("fieldset.course-controls:not([disabled])").wait_for(state="attached")
    handle, picture = exploration.get_by_label(slider, exact=True), exploration.get_by_role("img")
    handle.focus()
    found = []
    for i in range(presses + 5):
        page.page.wait_for_timeout(PAUSE)
        page.page.evaluate(PAINTED, [handle.element_handle(), picture.element_handle()])
        page.page.keyboard.press("ArrowRight" if i % 2 else "ArrowLeft")
        page.page.wait_for_function("window.milliseconds !== null")
        found.append(float(page.page.evaluate("window.milliseconds")))
    return found[5:]


def main() -> None:
    parser = argparse.ArgumentParser(description="Time explorations from a key press to the painted frame.")
    parser.add_argument("--presses", type=int, default=40, help="how many of each (default 40)")
    presses = parser.parse_args().presses
    chromium = find_chromium()
    if chromium is None:
        print("Explorations were not timed: Chromium is not installed (Debian, Ubuntu: sudo apt-get install chromium).")
        return
    from playwright.sync_api import sync_playwright

    print(
        f"\nExplorations, from a key press to the painted frame; the median of {presses} should be below {WANTED} ms:"
    )
    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        folder = Path(name)
        nbformat.write(notebook(), folder / "explorations.ipynb")
        with serve(folder, folder / "jupyter") as address:
            browser = playwright.chromium.launch(executable_path=chromium, args=list(CHROMIUM_FLAGS))
            page = NotebookPage(browser.new_page(viewport={"width": 1400, "height": 1000}), address, folder)
            page.open("explorations.ipynb")
            page.run_all()
            if page.error_outputs():
                raise SystemExit("the notebook of the explorations failed: " + page.error_outputs()[0])
            for index, (label, (_, slider)) in enumerate(EXPLORATIONS.items(), start=1):
                times = sorted(measure(page, index, slider, presses))
                late = times[int(0.9 * (len(times) - 1))]
                print(f"  {label:<40} median {statistics.median(times):4.0f} ms, nine of ten within {late:4.0f} ms")
            browser.close()
    if hasattr(os, "getloadavg"):
        print(f"  load of the machine: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")


if __name__ == "__main__":
    main()
