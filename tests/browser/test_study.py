"""Overview, cards, quiz, glossary and terms in a browser, by keyboard, as somebody uses them who has no mouse."""

from __future__ import annotations

import json
import re
from pathlib import Path

import nbformat
import pytest
from playwright.sync_api import Locator, expect

from autograder.building import terms
from course_lib.study.content import Term
from tests.browser.accessibility import violations
from tests.browser.jupyterlab import NotebookPage

SETUP = """\
import os
from datetime import datetime
from pathlib import Path
from random import Random

os.environ["COURSE_PROGRESS"] = str(Path("course_progress.json").resolve())

from course_lib.study import Aids, Cards, Glossary, Overview, Progress, Quiz, clock

clock.now = lambda: datetime(2026, 11, 23, 18)
folder = Path({folder!r})
"""
SLOPE = Term(term="slope", definition="Rise over run.")


@pytest.fixture
def study(notebook: NotebookPage, served_folder: Path, root: Path) -> NotebookPage:
    """A notebook with every part of the small lesson, run; its progress file is new."""
    new = nbformat.v4.new_code_cell
    prose = terms.expanded("The {term}`slope` is 6.", {"slope": SLOPE})
    cells = [
        new(SETUP.format(folder=str(root / "tests" / "study" / "fixture"))),
        *(new(code) for code in ('Overview("01", folder=folder)', 'Cards("01", folder=folder)')),
        new('Quiz("01", folder=folder, rng=Random(1))'),
        *(new(code) for code in ('Glossary("01", folder=folder)', 'Aids("01", folder=folder)')),
        new("Progress(folder=folder)"),
        new("Progress()"),
        nbformat.v4.new_markdown_cell(prose),
    ]
    kernel = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
    (served_folder / "study").mkdir(exist_ok=True)
    (served_folder / "study" / "course_progress.json").unlink(missing_ok=True)
    nbformat.write(
        nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel}), served_folder / "study/study.ipynb"
    )
    notebook.open("study/study.ipynb")
    notebook.run_all()
    assert notebook.error_outputs() == []
    return notebook


def press(study: NotebookPage, *keys: str) -> None:
    for key in keys:
        study.page.keyboard.press(key)


def focused(within: Locator) -> Locator:
    return within.locator(":focus")


def test_overview_cards_glossary_and_terms(study: NotebookPage, served_folder: Path) -> None:
    cells = study.page.locator(".jp-Notebook .jp-Cell")
    count = cells.count()

    overview = study.cell(1)
    overview.get_by_role("radio", name="Quick").focus()
    expect(overview).to_contain_text("A slope says how fast a value moves.")
    press(study, "ArrowRight")
    expect(overview.get_by_role("radio", name="Standard")).to_be_focused()
    expect(overview).to_contain_text("divided by how far the input moved")
    expect(overview.locator("math").first).to_be_visible()
    press(study, "ArrowDown")
    expect(overview).to_contain_text("Nudge the input by a little")
    expect(overview).not_to_contain_text("A slope says")

    cards = study.cell(2)
    cards.get_by_role("button", name="Show the answer").focus()
    expect(cards).to_contain_text("What does a slope of 6 say?")
    expect(cards.get_by_role("button", name="I knew it")).to_be_hidden()
    press(study, "Space")
    expect(cards).to_contain_text("the output moves 6 times as far")
    expect(focused(cards)).to_have_text("Show the question")
    study.screenshot("study_card", cards)
    assert violations(study.page, ".jp-OutputArea") == []
    press(study, "Enter")
    expect(cards).to_contain_text("What does a slope of 6 say?")
    press(study, "Enter", "Tab", "Tab")
    expect(focused(cards)).to_have_text("I knew it")
    press(study, "Enter")
    expect(cards.get_by_role("status")).to_have_text("2 cards to go today. You know 1 of 3 cards.")
    expect(focused(cards)).to_have_text("Show the answer")
    press(study, "Space", "Tab")
    expect(focused(cards)).to_have_text("Not yet")
    press(study, "Space")
    expect(cards).to_contain_text("Is a high place a steep one?")
    for _ in range(2):
        expect(focused(cards)).to_have_text("Show the answer")
        press(study, "Space", "Tab", "Tab", "Space")
    expect(cards.get_by_role("status")).to_have_text(
        "Nothing is due. Next come 3 cards, on Tuesday 24 November. You know 3 of 3 cards."
    )
    expect(focused(cards)).to_have_text("Go through all cards anyway")
    kept = json.loads((served_folder / "study" / "course_progress.json").read_text(encoding="utf-8"))
    assert kept["lessons"]["01_tiny"]["cards"]["both-sides"] == {"box": 1, "due": "2026-11-24"}

    glossary = study.cell(4)
    glossary.get_by_role("searchbox", name="Search the terms").focus()
    study.page.keyboard.type("STEEP")
    expect(glossary.get_by_role("status")).to_have_text("1 of 1 terms")
    expect(glossary).to_contain_text("also: slopes, steepness")
    study.page.keyboard.type("xyz")
    expect(glossary.get_by_role("status")).to_contain_text("No term or definition has \u201cSTEEPxyz\u201d.")
    expect(glossary.locator("dt")).to_have_count(0)

    expect(study.cell(5)).to_contain_text("A little up, a little down")
    expect(study.cell(6)).to_contain_text("Begin with 01 · Slopes.")

    prose = study.cell(8)
    expect(prose.locator("abbr")).to_have_attribute("title", "Rise over run.")
    summary = prose.locator("summary")
    expect(prose.locator("details li")).to_be_hidden()
    summary.focus()
    press(study, "Enter")
    expect(prose.locator("details li")).to_be_visible()

    expect(cells).to_have_count(count)  # no key reached the notebook, where A, B and Enter make cells
    assert study.page.locator(".jp-Notebook.jp-mod-editMode").count() == 0

    study.cell(7).get_by_role("link", name="Go on in 00 · Warm-up").press("Enter")
    study.page.wait_for_function(
        "window.jupyterapp.shell.currentWidget?.context?.path === 'lessons/00_warm_up/00_warm_up.ipynb'"
    )


def test_the_quiz_explains_each_wrong_choice(study: NotebookPage, served_folder: Path) -> None:
    quiz = study.cell(3)
    verdict = quiz.locator(".course-question > .course-verdict")
    expect(quiz).to_contain_text("Question 1 of 4.")
    radios = quiz.get_by_role("radiogroup", name=re.compile("What is the slope of"))
    radios.get_by_role("radio", name="9").focus()
    press(study, "Space", "Enter")
    expect(verdict).to_contain_text("Not yet.")
    expect(verdict).to_contain_text("9 is how high the curve is there, not how steep.")
    expect(radios.locator("li", has_text="9")).to_contain_text("not this")
    study.screenshot("study_quiz_wrong", quiz)
    assert violations(study.page, ".jp-OutputArea") == []
    radios.get_by_role("radio", name="6").focus()
    press(study, "Space", "Enter")
    expect(verdict).to_contain_text("Right.")
    quiz.get_by_role("button", name="Next question").focus()
    press(study, "Enter")

    for name in ("in a valley", "on a hillside"):
        quiz.get_by_role("checkbox", name=name).focus()
        press(study, "Space")
    quiz.get_by_role("button", name="Check").focus()
    press(study, "Enter")
    expect(verdict).to_contain_text("A hillside rises")
    expect(verdict).to_contain_text("And something right is missing still.")
    quiz.get_by_role("button", name="Show the answer").focus()
    press(study, "Enter")
    expect(verdict).to_contain_text("on a summit")
    expect(focused(quiz)).to_have_text("Next question")
    press(study, "Enter")

    field = quiz.get_by_role("textbox", name=re.compile("What is the slope between them"))
    field.focus()
    study.page.keyboard.type("six")
    press(study, "Enter")
    expect(verdict).to_contain_text("is not a number")
    press(study, "Control+a")
    study.page.keyboard.type("1.2")
    press(study, "Enter")
    expect(verdict).to_contain_text("1.2 is how far it rose")
    press(study, "Control+a")
    study.page.keyboard.type("6.00")
    press(study, "Enter")
    expect(verdict).to_contain_text("Right.")
    quiz.get_by_role("button", name="Next question").focus()
    press(study, "Enter")

    steps = quiz.locator(".course-steps li")
    expect(steps).to_have_count(3)
    for place, text in enumerate(("nudge up", "nudge down", "divide")):
        while not steps.nth(place).get_by_text(text).count():
            row = quiz.locator(".course-steps li", has_text=text)
            row.get_by_role("button", name="Move up").focus()
            press(study, "Enter")
            expect(row.get_by_role("button", name="Move up")).to_be_focused()
    study.screenshot("study_quiz_order", quiz)
    quiz.get_by_role("button", name="Check").focus()
    press(study, "Enter")
    expect(verdict).to_contain_text("The division needs both heights.")
    expect(quiz).to_contain_text("Done: 1 of 4 right at the first try.")
    expect(focused(quiz)).to_have_text("Begin anew")
    kept = json.loads((served_folder / "study" / "course_progress.json").read_text(encoding="utf-8"))
    assert kept["lessons"]["01_tiny"]["quiz"] == {"best": 1, "of": 4, "on": "2026-11-23"}
    assert study.page.locator(".jp-Notebook.jp-mod-editMode").count() == 0
