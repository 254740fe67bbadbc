"""The feedback page and that of similar answers in a browser: for everybody to read, in light and dark, and inert."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import nbformat
import pytest
from nbgrader.api import Gradebook
from playwright.sync_api import Browser, Page
from typer.testing import CliRunner

from autograder.class_grading import ClassGrading
from autograder.cli import app
from autograder.gradebook import Course
from autograder.sandbox import CellRun, Request, Run
from course_lib import exercises
from tests.browser.accessibility import violations
from tests.grading import fixture_lesson
from tests.grading.fixture_lesson import NAME
from tests.grading.helpers import LIMITS, MODULE, RIGHT, as_bytes, cell, grade_one, submission
from tests.grading.quick_sandbox import QuickSandbox

RUN = "window.hit=1"
EVIL = (
    f"</pre></code></dd></dl></article><script>{RUN}</script><img src=x onerror={RUN}>"
    f"<svg onload={RUN}></svg><iframe srcdoc='<script>parent.{RUN}</script>'></iframe>"
    "<style>body{display:none}</style><link rel=stylesheet href=https://evil.invalid/x.css>"
    f"<a href='javascript:{RUN}'>a link</a><details ontoggle={RUN} open>x</details>"
)
LONG = "    return " + " + ".join(f"factor * x[{number}]" for number in range(60))
ANSWERS = {
    "good": RIGHT,
    "mistaken": {
        **RIGHT,
        "scale": "def scale(x, factor):\n    # a line of its own\n    return x + factor",
        "shift": "",
    },
    "late": {"scale": f"def scale(x, factor):\n    {EVIL!r}\n{LONG}", "centre": "def centre(x):\n    exit()"},
    "empty": {},
}
PAGES = (*ANSWERS, "broken")


class Ends(QuickSandbox):
    """In which one answer ends the interpreter, as `exit()` does."""

    def run(self, request: Request) -> Run:
        kept = [each for each in request.cells if "exit()" not in each.source]
        done = super().run(Request(kept, request.cases, request.withheld, request.limits, request.seconds, request.run))
        gone = {each.index: CellRun("crashed") for each in request.cells if each not in kept}
        return Run({**done.cells, **gone}, done.answers)


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory, root: Path) -> Iterator[Course]:
    folder = tmp_path_factory.mktemp("pages") / "course"
    path = folder / "solutions" / NAME / f"{NAME}.ipynb"
    path.parent.mkdir(parents=True)
    nbformat.write(fixture_lesson.solution(), path)
    shutil.copy(root / "nbgrader_config.py", folder)
    place = Course(folder)

    def spoil(notebook: Any) -> None:
        cell(
            notebook, "written"
        ).source = f"# It shrinks\n\n{EVIL}\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n```\n{EVIL}\n```"
        notebook.cells.append(nbformat.v4.new_code_cell(f"# {EVIL}\nx = 1"))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(exercises, "LESSONS", {**exercises.LESSONS, NAME: MODULE})
        for student in PAGES:
            handed_in = place.folder("submitted", student, NAME)
            handed_in.mkdir(parents=True)
            notebook = submission(ANSWERS.get(student), edit=spoil if student == "late" else None)
            data = b"no notebook" if student == "broken" else as_bytes(notebook)
            (handed_in / f"{NAME}.ipynb").write_bytes(data)
            (handed_in / "timestamp.txt").write_text("2026-01-02 00:00:00 UTC")
        run = ClassGrading(place, NAME, Ends(), LIMITS)
        for student in PAGES:
            grade_one(run, student)
        with Gradebook(place.db_url) as book:
            book.update_or_create_assignment(NAME, duedate="2026-01-01 00:00:00 UTC")
            book.find_submission_notebook(NAME, NAME, "late").late_submission_penalty = 1.0
            book.find_comment("scale", NAME, NAME, "late").manual_comment = f"Come and see me.\n{EVIL}"
            book.db.commit()
        done = CliRunner().invoke(app, ["feedback", NAME, "--course", str(folder)])
        assert done.exit_code == 0, done.output
        yield place


def opened(page: Page, path: Path, asked: list[str]) -> None:
    page.on("request", lambda request: asked.append(request.url))
    page.goto(path.as_uri())
    page.locator("details").evaluate_all("all => all.forEach(each => { each.open = true })")


@pytest.mark.parametrize("width", [1200, 400])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_everybody_can_read_every_page_in_both_themes_on_any_screen(
    course: Course, browser: Browser, screenshots: Path, theme: Any, width: int
) -> None:
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=theme)
    for student in PAGES:
        page = context.new_page()
        opened(page, course.folder("feedback", student, NAME) / f"{NAME}.html", [])
        assert page.evaluate("document.documentElement.scrollWidth") <= width, student
        assert violations(page) == [], student
        page.screenshot(path=screenshots / f"feedback_{student}_{theme}_{width}.png", full_page=True)
    context.close()


def test_nothing_of_a_hostile_submission_runs_or_asks_for_anything(course: Course, browser: Browser) -> None:
    context = browser.new_context()
    page = context.new_page()
    asked: list[str] = []
    dialogs: list[str] = []
    page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    opened(page, course.folder("feedback", "late", NAME) / f"{NAME}.html", asked)
    page.wait_for_timeout(1_000)
    assert page.locator("a:has-text('a link')").count() == 0
    assert page.evaluate("window.hit") is None
    assert page.evaluate("document.scripts.length") == 0
    assert page.locator("script, iframe, svg, img, a, link, style:not(head > style)").count() == 0
    assert {urlsplit(url).scheme for url in asked} == {"file"}
    assert dialogs == []
    shown = page.locator("body").inner_text()
    for told in ("Come and see me.", "It shrinks", "Ended Python", "Late penalty", "<script>"):
        assert told in shown, told
    context.close()


def test_on_paper_the_folded_parts_are_there_too(course: Course, browser: Browser) -> None:
    context = browser.new_context()
    page = context.new_page()
    page.goto((course.folder("feedback", "good", NAME) / f"{NAME}.html").as_uri())
    answer = page.locator("details pre").first
    assert not answer.is_visible()
    page.emulate_media(media="print")
    assert answer.bounding_box() is not None
    context.close()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_everybody_can_read_the_page_of_answers_that_are_alike(
    browser: Browser, tmp_path: Path, screenshots: Path, theme: Any
) -> None:
    pytest.importorskip("copydetect", reason="pip install -r requirements-similarity.txt")
    from autograder.similarity import page as written
    from tests.grading.test_similarity import GIVEN, LOOP, RENAMED, compare

    evil = LOOP.replace("# start at zero", repr(EVIL))
    compared, pairs = compare({"train": {"ada": evil, "bob": RENAMED, EVIL: LOOP}}, GIVEN)
    assert len(pairs) == 3
    path = tmp_path / "similarity.html"
    path.write_text(written(NAME, compared, pairs, 3), encoding="utf-8")
    context = browser.new_context(viewport={"width": 400, "height": 900}, color_scheme=theme)
    page = context.new_page()
    asked: list[str] = []
    opened(page, path, asked)
    assert page.evaluate("document.documentElement.scrollWidth") <= 400
    assert violations(page) == []
    assert page.evaluate("window.hit") is None
    assert {urlsplit(url).scheme for url in asked} == {"file"}
    page.screenshot(path=screenshots / f"similarity_{theme}.png", full_page=True)
    context.close()
