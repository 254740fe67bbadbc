"""What formgrader's exporter shows beside a written answer; tests/browser/test_formgrader.py has the whole of it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from nbconvert.exporters import HTMLExporter
from nbgrader.api import Gradebook

from autograder.class_grading import ClassGrading
from autograder.formgrader_view import model_answers, rubric_of
from autograder.gradebook import Course
from tests.grading.conftest import HandIn
from tests.grading.fixture_lesson import NAME
from tests.grading.helpers import LIMITS, RIGHT, cell, grade_one, submission
from tests.grading.quick_sandbox import QuickSandbox

pytestmark = pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SAWarning")  # nbgrader's own queries
SECRETS = ("The best answer.", "full: a reason", "Model answer and rubric", "for whoever reads")
TEACHING = """# A fixture

## Written question: rubric

Words.

| Points | For |
|--|--|
| 4 | for whoever reads |

## More
"""


def shown(course: Course) -> str:
    """The page of a submission as formgrader makes it, with the settings that it reads."""
    known = {"assignment_id": NAME, "notebook_id": NAME, "submission_id": "1", "index": 0, "total": 1}
    path = course.folder("autograded", "ada", NAME) / f"{NAME}.ipynb"
    html: str = HTMLExporter(config=course.config).from_filename(str(path), resources=known)[0]
    return html


def graded(course: Course, hand_in: HandIn) -> Course:
    def answer(notebook: Any) -> None:
        cell(notebook, "written").source = "It shrinks."

    hand_in("ada", submission(RIGHT, edit=answer))
    grade_one(ClassGrading(course, NAME, QuickSandbox(), LIMITS), "ada")
    return Course(course.root)


def test_the_model_answer_and_the_rubric_stand_beside_the_answer_alone(course: Course, hand_in: HandIn) -> None:
    teaching = course.root / "docs" / "teaching" / f"{NAME}.md"
    teaching.parent.mkdir(parents=True)
    teaching.write_text(TEACHING)
    (course.root / "course.toml").write_text("[course]\nwritten_questions = true\nwritten_points = 5\n")
    page = shown(graded(course, hand_in))
    (beside,) = re.findall(r'<details class="model-answer">(.*?)</details>', page, re.DOTALL)
    for secret in SECRETS:
        assert secret in beside
        assert page.count(secret) == 1
    assert "MARK SCHEME" not in page
    assert "Words." not in page
    assert "The rubric is for 4 points; the question has 5 here." in beside
    assert re.search(r'id="written"[^>]*> */ 5\.0', page)
    assert re.search(r'id="check_scale"[^>]*> */ 4\.0', page)
    assert page.index("It shrinks.") < page.index("The best answer.")


def test_a_student_s_page_shows_neither(course: Course, hand_in: HandIn) -> None:
    place = graded(course, hand_in)
    done = place.api().generate_feedback(NAME)
    assert done["success"], done
    page = (place.folder("feedback", "ada", NAME) / f"{NAME}.html").read_text(encoding="utf-8")
    assert "It shrinks." in page
    assert not [secret for secret in SECRETS if secret in page]
    no_formgrader = HTMLExporter(config=place.config).from_filename(
        str(place.folder("autograded", "ada", NAME) / f"{NAME}.ipynb"),
        resources={"base_url": "", "notebook_id": NAME, "index": 0, "total": 1},
    )[0]
    assert not [secret for secret in SECRETS if secret in no_formgrader]


def test_points_are_those_of_the_gradebook_whatever_the_notebook_says(course: Course, hand_in: HandIn) -> None:
    place = graded(course, hand_in)
    with Gradebook(place.db_url) as book:
        book.find_grade_cell("written", NAME, NAME).max_score = 7
        book.db.commit()
    assert re.search(r'id="written"[^>]*> */ 7\.0', shown(place))


def test_without_a_solution_the_page_is_there_all_the_same(course: Course, hand_in: HandIn) -> None:
    place = graded(course, hand_in)
    path = place.root / "solutions" / NAME / f"{NAME}.ipynb"
    path.write_text("no notebook")
    assert model_answers(path) == {}
    page = shown(place)
    assert "It shrinks." in page
    assert "<details" not in page


def test_every_lesson_with_a_rubric_has_one_question_for_it(root: Path) -> None:
    for path in sorted((root / "docs" / "teaching").glob("[0-9]*.md")):
        name = path.stem
        rubric = rubric_of(root, name)
        if "## Written question: rubric" in path.read_text(encoding="utf-8"):
            assert "<table>" in rubric, name
            assert len(model_answers(root / "solutions" / name / f"{name}.ipynb")) == 1, name
