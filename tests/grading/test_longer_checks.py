"""Checks that need more time than a cell has, and answers that hold more than a lesson allows."""

from __future__ import annotations

from dataclasses import replace

import nbformat
import numpy as np
import pytest
from nbformat import NotebookNode

from autograder import judge as judging
from autograder.assemble import KEY, PlannedCell, assemble, plan
from autograder.intake import from_bytes
from autograder.pipeline import GradedSubmission, grade_submission
from autograder.sandbox import Limits, Request
from autograder.sandbox.choice import choose
from course_lib.exercises.programs import Case, call
from tests.grading.helpers import FULL, LESSON, LIMITS, RIGHT, SEED, as_bytes, cell, points, submission
from tests.grading.quick_sandbox import QuickSandbox

SHORT_ANSWERS = replace(LESSON, answer_bytes=400)
LONG = "# " + "x" * 500 + "\n"


def graded(notebook: NotebookNode) -> GradedSubmission:
    return grade_submission(as_bytes(notebook), SHORT_ANSWERS, SEED, QuickSandbox(), LIMITS)


def test_answers_within_the_limit_are_graded_as_ever() -> None:
    assert points(graded(submission(RIGHT))) == FULL


def test_an_answer_that_holds_more_is_not_run_and_costs_no_other() -> None:
    result = graded(submission({**RIGHT, "scale": LONG + RIGHT["scale"]}))
    assert points(result) == {**FULL, "scale": (0, "unanswered")}
    assert "holds 546 bytes and this lesson allows 400" in result.exercises[0].message
    assert any("holds 546 bytes" in note for note in result.notes)
    assert cell(result.notebook, "scale").source.startswith(LONG), "it stays to be read"


def test_bytes_count_not_letters() -> None:
    result = graded(submission({**RIGHT, "scale": "# " + "é" * 190 + "\n" + RIGHT["scale"]}))
    assert points(result)["scale"] == (0, "unanswered")


def test_own_cells_that_hold_more_together_are_left_out_and_answers_stand_alone() -> None:
    half = "weights = '" + "x" * 250 + "'"
    notebook = submission({**RIGHT, "shift": "def shift(x, by):\n    return x + len(weights)"})
    notebook.cells.insert(0, nbformat.v4.new_code_cell(half))
    once = graded(notebook)
    assert once.notes == ()
    notebook.cells.insert(0, nbformat.v4.new_code_cell(half))
    result = graded(notebook)
    assert points(result)["scale"] == FULL["scale"]
    assert result.exercises[2].outcome == "error"
    assert "hold 524 bytes together and this lesson allows 400" in result.notes[0]


def test_a_lesson_without_the_limit_takes_long_answers() -> None:
    result = grade_submission(
        as_bytes(submission({**RIGHT, "scale": LONG + RIGHT["scale"]})), LESSON, SEED, QuickSandbox(), LIMITS
    )
    assert points(result) == FULL
    assert result.notebook.metadata[KEY]["lesson"] == LESSON.name


def test_a_check_gets_half_as_much_again_as_its_cases_budgets() -> None:
    steps = (call("f"),)
    cases = {
        "slow": {"ordinary": [Case(steps, seconds=8.0)] * 3, "edge": [Case(steps)]},
        "quick": {"ordinary": [Case(steps)]},
    }
    assert judging.seconds(cases) == {"slow": 36.0}
    assert Limits(cell=10, total=120).with_more([36.0]).total == 146
    assert Limits(cell=60, total=120).with_more([36.0]).total == 120


@pytest.mark.parametrize(("allowed", "state"), [({}, "timeout"), ({"scale": 30.0}, "ok")])
def test_the_sandbox_gives_a_check_the_time_that_it_may_take(allowed: dict[str, float], state: str) -> None:
    notebook = submission({"scale": "import time\ndef scale(x, factor):\n    time.sleep(1.5)\n    return factor * x"})
    planned = [c for c in plan(assemble(LESSON, from_bytes(as_bytes(notebook)))) if c.exercise in ("", "scale")]
    cases = judging.encode(judging.draw(LESSON, SEED))
    limits = Limits(cell=1.0, total=100.0)
    run = choose().run(Request(planned, cases, LESSON.withheld, limits, allowed))
    check = next(c for c in planned if isinstance(c, PlannedCell) and c.role == "check")
    assert run.cells[check.index].state == state


def test_hidden_knowledge_does_not_enter_the_request() -> None:
    secret = np.arange(300, 340)
    hidden = {"scale": {"ordinary": [Case((call("scale", x=1.0, factor=2.0),), hidden={"labels": secret})]}}
    plain = {"scale": {"ordinary": [Case((call("scale", x=1.0, factor=2.0),))]}}
    assert judging.encode(hidden) == judging.encode(plain)
