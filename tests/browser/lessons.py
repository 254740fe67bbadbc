"""What every lesson must show when its notebook has run in JupyterLab from top to bottom."""

from __future__ import annotations

import re
from pathlib import Path

import nbformat
from playwright.sync_api import expect

from tests.browser.accessibility import violations
from tests.browser.jupyterlab import NotebookPage

WIDGET = re.compile(
    r"^(?:\w+ = )?(Overview|Dialogue|Explanations|Cards|Quiz|Aids|Glossary|\w+)\((?:\"\d\d\".*|globals\(\))\)$"
)
ROOMS = ("Overview", "Dialogue", "Explanations", "Cards", "Quiz", "Aids", "Glossary")


def widgets(path: Path) -> dict[int, str]:
    """The cells that end in a widget: index and class."""
    cells = nbformat.read(path, as_version=4).cells
    last = {i: cell.source.strip().split("\n")[-1] for i, cell in enumerate(cells) if cell.cell_type == "code"}
    return {i: found[1] for i, line in last.items() if (found := WIDGET.fullmatch(line))}


def expect_every_widget(notebook: NotebookPage, path: Path, *explorations: str) -> None:
    """Each room's widget and each exploration is drawn by its module, alive, instead of its picture."""
    found = widgets(path)
    assert {*ROOMS, *explorations} <= set(found.values())
    for index, name in found.items():
        kind = ".jp-RenderedHTML" if name == "Aids" else ".course"  # memory aids are words alone
        drawn = notebook.cell(index).locator(f".jp-OutputArea-output {kind}, .jp-OutputArea-output{kind}").first
        expect(drawn).to_be_visible(timeout=30_000)
        assert drawn.inner_text().strip()


def expect_formulas(notebook: NotebookPage, path: Path, more_than: int = 5) -> None:
    """JupyterLab's own MathJax has drawn every formula of the lesson's prose, which has more than so many."""
    cells = nbformat.read(path, as_version=4).cells
    written = 0
    for index, cell in enumerate(cells):
        if cell.cell_type != "markdown":
            continue
        count = len(re.findall(r"\$\$.+?\$\$|\$[^$\n]+\$", re.sub(r"`[^`\n]*`", "", cell.source), flags=re.DOTALL))
        expect(notebook.cell(index).locator("mjx-container")).to_have_count(count)
        written += count
    assert written > more_than
    drawn = notebook.page.locator("mjx-container").first.bounding_box()
    assert drawn is not None
    assert drawn["width"] > 3


def expect_no_barriers(notebook: NotebookPage) -> None:
    """axe-core finds nothing in the outputs, in either theme."""
    found = {theme: violations(notebook.page, ".jp-OutputArea-output") for theme in notebook.in_both_themes()}
    assert found == {"dark": [], "light": []}
