"""Write docs/images/: what README.md shows, taken in Chromium.

Run from the top of the repository after `make demo`: python scripts/make_pictures.py
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Browser, expect, sync_playwright

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests.browser.jupyterlab import CHROMIUM_FLAGS, NotebookPage, find_chromium, serve  # noqa: E402

IMAGES = ROOT / "docs" / "images"
DEMO = ROOT / "demo"
LESSON = "04_adaptive_optimizers"
LEARNER = "goran"  # of the sample class: Adam without the bias correction


def picture_lesson(browser: Browser, folder: Path) -> None:
    """A check that names a mistake, in JupyterLab."""
    shutil.copy(DEMO / "submitted" / LEARNER / LESSON / f"{LESSON}.ipynb", folder / f"{LESSON}.ipynb")
    with serve(folder, folder / "jupyter") as address:
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        notebook = NotebookPage(page, address, IMAGES)
        notebook.open(f"{LESSON}.ipynb")
        page.evaluate("window.jupyterapp.commands.execute('application:toggle-left-area')")
        notebook.run_all()
        said = page.get_by_text("This is Adam without the bias correction").first
        expect(said).to_be_visible()
        said.evaluate("element => element.closest('.jp-Cell').previousElementSibling.scrollIntoView()")
        notebook.screenshot("lesson")


def picture_report(browser: Browser) -> None:
    """A lesson in the class report."""
    page = browser.new_page(viewport={"width": 1240, "height": 1000})
    page.goto((DEMO / "report.html").as_uri() + "#01_backpropagation")
    page.screenshot(path=IMAGES / "report.png")


def main() -> None:
    if not (DEMO / "report.html").exists():
        raise SystemExit("Run `make demo` first: the pictures show its class.")
    IMAGES.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as folder:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=list(CHROMIUM_FLAGS))
        picture_lesson(browser, Path(folder))
        picture_report(browser)
        browser.close()
    for path in sorted(IMAGES.glob("*.png")):
        print(f"{path.relative_to(ROOT)}: {path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
