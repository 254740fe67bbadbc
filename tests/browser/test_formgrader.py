"""Marking a written question by hand in a real formgrader: the rubric beside the answer, the mark, and a regrade."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
from nbgrader.api import Gradebook
from playwright.sync_api import Browser, expect

from autograder.class_grading import ClassGrading
from autograder.gradebook import Course
from autograder.lesson import LessonSource
from tests.browser.jupyterlab import serve
from tests.grading.helpers import LIMITS, as_bytes, grade_one
from tests.grading.quick_sandbox import QuickSandbox

LESSON = "04_adaptive_optimizers"
QUESTION = "your_adam_plot"
ANSWER = "My Adam is at 90% after 30 steps; SGD had the wrong rate."
MODEL = "the plot compares a tuned optimizer with an untuned one"
RUBRIC = "What earns them"


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory, root: Path) -> Course:
    """A course in which written questions count 5 points, and ada has answered one; her code is left open."""
    folder = tmp_path_factory.mktemp("by-hand") / "course"
    path = folder / "solutions" / LESSON / f"{LESSON}.ipynb"
    path.parent.mkdir(parents=True)
    shutil.copy(root / "solutions" / LESSON / path.name, path)
    shutil.copy(root / "nbgrader_config.py", folder)
    (folder / "course.toml").write_text("[course]\nwritten_questions = true\nwritten_points = 5\n")
    place = Course(folder)
    notebook = nbformat.from_dict(LessonSource.from_course(folder, LESSON).notebook)
    next(cell for cell in notebook.cells if cell.get("id") == QUESTION).source = ANSWER
    handed_in = place.folder("submitted", "ada", LESSON)
    handed_in.mkdir(parents=True)
    (handed_in / path.name).write_bytes(as_bytes(notebook))
    grade_one(ClassGrading(place, LESSON, QuickSandbox(), LIMITS), "ada")
    return place


@pytest.fixture(scope="module")
def server(course: Course, browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """The server's address and its token."""
    extensions = "{'nbgrader.server_extensions.formgrader': True}"
    home = tmp_path_factory.mktemp("formgrader")
    with serve(course.root, home, f"--ServerApp.jpserver_extensions={extensions}") as address:
        yield address.split("/lab/", 1)[0], address.split("token=", 1)[1].split("&")[0]


def test_a_written_question_is_marked_beside_its_rubric_and_the_mark_survives_a_regrade(
    course: Course, server: tuple[str, str], browser: Browser, screenshots: Path
) -> None:
    base, token = server
    with Gradebook(course.db_url) as book:
        submission = book.find_submission_notebook(LESSON, LESSON, "ada").id
    context = browser.new_context(
        viewport={"width": 1400, "height": 1000}, extra_http_headers={"Authorization": f"token {token}"}
    )
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(f"{base}/formgrader/submissions/{submission}/")
    beside = page.locator(".model-answer")
    expect(beside).to_have_count(1)
    expect(page.locator(".written-question .written-answer")).to_contain_text(ANSWER)
    expect(beside.get_by_text(MODEL)).to_be_hidden()
    page.locator(".written-question").screenshot(path=screenshots / "formgrader_closed.png")
    beside.locator("summary").click()
    expect(beside.get_by_text(MODEL)).to_be_visible()
    expect(beside.get_by_text(RUBRIC)).to_be_visible()
    expect(beside.get_by_text("The rubric is for 4 points; the question has 5 here.")).to_be_visible()
    score = page.locator(f"#{QUESTION}")
    expect(page.locator(".written-question .panel-heading")).to_contain_text("/ 5.0")
    expect(score).to_have_class(re.compile("needs_manual_grade"), timeout=60_000)  # formgrader's scripts are ready
    with page.expect_response(lambda reply: "/formgrader/api/grade/" in reply.url and reply.request.method == "PUT"):
        score.fill("3.5")
        score.blur()
    page.screenshot(path=screenshots / "formgrader_rubric.png")
    page.locator(".written-question").screenshot(path=screenshots / "formgrader_open.png")
    page.keyboard.press("Control+Shift+F")
    expect(page.locator("#statusmessage")).to_have_text("Submission flagged")  # formgrader's keys work
    assert errors == []
    context.close()

    def marks() -> tuple[float, float, float, float]:
        with Gradebook(course.db_url) as book:
            found = book.find_submission(LESSON, "ada")
            by_hand = book.find_grade(QUESTION, LESSON, LESSON, "ada")
            return by_hand.manual_score, by_hand.max_score, found.score, found.max_score

    assert marks() == (3.5, 5, 3.5, 16)
    grade_one(ClassGrading(course, LESSON, QuickSandbox(), LIMITS), "ada")
    assert marks() == (3.5, 5, 3.5, 16)

    assert course.api().generate_feedback(LESSON)["success"]
    page_of_ada = (course.folder("feedback", "ada", LESSON) / f"{LESSON}.html").read_text(encoding="utf-8")
    assert ANSWER in page_of_ada
    for secret in (MODEL, RUBRIC, "For whoever grades", "Model answer"):
        assert secret not in page_of_ada
