"""What is packed or brought up to date is graded as the notebook was: with the real grader, in a real sandbox."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
from typer.testing import CliRunner

from autograder import intake
from autograder.archives import collect
from autograder.gradebook import Course
from autograder.lesson import LessonSource
from autograder.pipeline import GradedSubmission, grade_submission
from autograder.sandbox.choice import choose
from course_lib.__main__ import app
from course_lib.submission import packing
from course_lib.submission.notebooks import Notebook, as_bytes, read
from course_lib.updating.merge import GONE
from tests.grading.fixture_lesson import ANSWERS, NAME
from tests.grading.helpers import LIMITS, SEED, grade, points
from tests.handing_in.conftest import put
from tests.handing_in.lesson import ADAM, answered, cell, changed, insert_after, own, released, solutions

RUN = CliRunner()
NO_BIAS = "(1 - beta1**t)"


def graded(data: bytes, lesson: LessonSource) -> GradedSubmission:
    return grade_submission(data, lesson, SEED, choose(), LIMITS)


def test_what_is_packed_is_collected_and_graded_as_it_was(fixture_known: Notebook, mine: Path, tmp_path: Path) -> None:
    notebook = answered(fixture_known, {**ANSWERS, "centre": "def centre(x):\n    return helped(x) / 2"})
    insert_after(notebook, "question-centre", own("def helped(x):\n    return x - x.mean()"))
    notebook["cells"].remove(cell(notebook, "check_centre"))
    path = put(mine, NAME, as_bytes(notebook).replace(b"\n", b"\r\n"))
    done = RUN.invoke(app, ["submit", str(path), "--no-run"])
    assert done.exit_code == 0, done.output
    packed = mine / "to_hand_in" / f"{NAME}.ipynb"
    # As an LMS gives it for a class: a folder for each student.
    (tmp_path / "download" / "ada").mkdir(parents=True)
    (tmp_path / "download" / "ada" / packed.name).write_bytes(packed.read_bytes())
    course = Course(tmp_path / "course")
    (tmp_path / "course").mkdir()
    found = collect(course, NAME, tmp_path / "download")
    assert [(each.student, each.state) for each in found.taken] == [("ada", "new")]
    handed_in = course.folder("submitted", "ada", NAME) / packed.name
    after, before = grade(handed_in.read_bytes()), grade(path.read_bytes())
    assert points(after) == points(before) == {"scale": (4, "right"), "centre": (0, "wrong"), "shift": (2, "right")}
    assert after.outcome == "graded"


def test_limits_are_the_grader_s() -> None:
    for name in ("MAX_BYTES", "MAX_DEPTH", "MAX_VALUES", "MAX_DIGITS", "MAX_CELLS", "MAX_SOURCE"):
        assert getattr(packing, name) == getattr(intake, name)


@pytest.fixture(scope="module")
def newer(root: Path) -> LessonSource:
    """A changed lesson 04."""
    return changed(root)


def worked_on(adam: LessonSource, root: Path) -> Notebook:
    """Lesson 04 as a learner left it: an exercise right, one with a known mistake, one answered twice, notes, edits."""
    right = solutions(root)
    assert NO_BIAS in right["adam_step"]
    answers = {
        "rmsprop_step": right["rmsprop_step"].replace("np.sqrt", "my_root"),
        "adam_step": right["adam_step"].replace(NO_BIAS, "1"),
        "adamw_step": right["adamw_step"],
        "your_adam_plot": "My plot shows 90% after 30 steps, très vite.",
    }
    notebook = answered(released(adam), answers)
    again = copy.deepcopy(cell(notebook, "adamw_step"))
    again.update(id="again", source="def adamw_step(*arguments):\n    return arguments")
    insert_after(notebook, "adamw_step", again)
    insert_after(
        notebook, "cell-014", own("def my_root(x):\n    return np.sqrt(x)"), own("A *note*.", "markdown", "note")
    )
    place = next(each for each in notebook["cells"] if each["source"].startswith("my_prediction = None"))
    place["source"] = "my_prediction = 50"
    return notebook


def test_an_old_answered_notebook_keeps_every_answer_and_its_marks(
    adam: LessonSource, newer: LessonSource, root: Path, mine: Path, tmp_path: Path
) -> None:
    old = worked_on(adam, root)
    path = put(mine, ADAM, old)
    fresh = put(tmp_path / "new" / "lessons", ADAM, released(newer)).parents[2]
    before = path.read_bytes()
    done = RUN.invoke(app, ["update", "--from", str(fresh), "--in", str(mine)])
    assert done.exit_code == 0, done.output
    (kept,) = path.parent.glob(f"{ADAM}.before-*.ipynb")
    assert kept.read_bytes() == before
    updated = read(path)
    said = [each["source"] for each in updated["cells"]]
    for each in old["cells"]:
        given = next((one for one in released(adam)["cells"] if one["id"] == each["id"]), None)
        if given is None or given["source"] != each["source"]:
            assert each["source"] in said, each["id"]
    assert not any(text.startswith(GONE[:30]) for text in said)
    assert sum("A sentence that is new in this version." in text for text in said) > 5
    assert cell(updated, "scale")["source"].endswith("raise NotImplementedError()")
    # The marks: of the old notebook in the old lesson, and of the new notebook in the new one.
    marks, were = points(graded(path.read_bytes(), newer)), points(graded(before, adam))
    assert were["rmsprop_step"] == (5, "right")
    assert were["adam_step"] == (0, "wrong")
    assert were["adamw_step"] == (5, "right")
    assert marks == {**were, "scale": (0, "unanswered")}


def test_packing_changes_no_mark(adam: LessonSource, root: Path, mine: Path) -> None:
    path = put(mine, ADAM, worked_on(adam, root))
    done = RUN.invoke(app, ["submit", str(path), "--no-run"])
    assert done.exit_code == 0, done.output
    assert points(graded((mine / "to_hand_in" / path.name).read_bytes(), adam)) == points(
        graded(path.read_bytes(), adam)
    )
