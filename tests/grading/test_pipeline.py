"""Submissions of every kind through the whole line: each gets its stated outcome and the points that it deserves."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import nbformat
import pytest
from nbformat import NotebookNode

from autograder.assemble import KEY
from autograder.pipeline import OUTCOMES, grade_submission
from autograder.sandbox import Request, Run
from autograder.sandbox.choice import choose
from course_lib.exercises.grading import OUTCOMES as EXERCISE_OUTCOMES
from tests.grading.helpers import FULL, LESSON, LIMITS, RIGHT, SEED, SHORT, as_bytes, cell, grade, points, submission
from tests.grading.quick_sandbox import QuickSandbox

LOOP = {"scale": "def scale(x, factor):\n    while True:\n        pass"}
ZERO = {"scale": (0, "unanswered"), "centre": (0, "unanswered"), "shift": (0, "unanswered")}
OTHERS = {name: RIGHT[name] for name in ("centre", "shift")}


class NoSandbox:
    """Must not be needed."""

    def run(self, request: Request) -> Run:
        raise AssertionError("code ran")


def test_right_answers_earn_all_points_and_the_bonus() -> None:
    graded = grade(submission(RIGHT))
    assert (graded.outcome, graded.score, graded.max_score, graded.bonus) == ("graded", 8, 6, {"shift": 2})
    assert points(graded) == FULL
    assert graded.notes == ()
    outputs = {name: cell(graded.notebook, f"check_{name}").outputs[0] for name in RIGHT}
    assert {name: output.data["text/plain"] for name, output in outputs.items()} == {
        "scale": "4",
        "centre": "2",
        "shift": "0",
    }
    assert "shift: 2 of 2 bonus points" in outputs["shift"].data["text/html"]
    assert nbformat.validator.isvalid(graded.notebook)


def test_a_lesson_of_bonuses_alone_asks_for_nothing_and_gives_its_bonus() -> None:
    asked = tuple(replace(exercise, stretch=True) for exercise in LESSON.exercises)
    lesson = replace(LESSON, exercises=asked)
    graded = grade_submission(as_bytes(submission(RIGHT)), lesson, SEED, QuickSandbox(), LIMITS)
    assert (graded.outcome, graded.score, graded.max_score) == ("graded", 8, 0)
    assert graded.bonus == {"scale": 4, "centre": 2, "shift": 2}
    assert all(entry["bonus"] for entry in graded.entry()["exercises"])


def test_a_known_mistake_is_named_without_the_expected_value() -> None:
    graded = grade(submission({**RIGHT, "scale": "def scale(x, factor):\n    return x + factor"}))
    entry = graded.entry()["exercises"][0]
    assert (entry["points"], entry["outcome"], entry["misconception"]) == (0, "wrong", "adds")
    html = cell(graded.notebook, "check_scale").outputs[0].data["text/html"]
    assert "This adds the factor." in html
    assert '<a href="#Build-scale">Build scale</a>' in html
    assert "expected <code>" not in html
    assert "Hint" not in html


@pytest.mark.parametrize(
    ("data", "outcome"),
    [(None, "missing"), (b"", "malformed"), (b"print('hello')", "malformed"), (b'{"nbformat": 4}', "malformed")],
)
def test_what_cannot_be_read_gets_no_points_and_a_reason(data: bytes | None, outcome: str) -> None:
    graded = grade_submission(data, LESSON, SEED, NoSandbox(), LIMITS)
    assert (graded.outcome, graded.score, points(graded)) == (outcome, 0, ZERO)
    assert "notebook" in graded.entry()["exercises"][0]["message"]
    assert graded.notebook.metadata[KEY]["outcome"] == outcome


@pytest.mark.parametrize("notebook", [submission(), nbformat.v4.new_notebook()], ids=["untouched", "no cells"])
def test_nothing_written_runs_nothing(notebook: NotebookNode) -> None:
    graded = grade_submission(as_bytes(notebook), LESSON, SEED, NoSandbox(), LIMITS)
    assert (graded.outcome, points(graded)) == ("graded", ZERO)


ATTACKS = {
    "replaced check": ({}, {"title": "def check(name):\n    return 100", "check_scale": "def check(name): return 100"}),
    "replaced check in course_lib": (
        {},
        {"cell-002": "import course_lib.check\ncourse_lib.check.record = lambda name: print('4')"},
    ),
    "always equal": (
        {
            "scale": "class Equal(np.ndarray):\n"
            "    def __eq__(self, other):\n        return True\n"
            "    def __array_ufunc__(self, *args, **kwargs):\n        return True\n"
            "def scale(x, factor):\n    return np.zeros(x.shape).view(Equal)"
        },
        {},
    ),
    "printed points": ({"scale": "def scale(x, factor):\n    print(4)\n    return 4"}, {"scale": "print('4')\n4"}),
    "points in the answer": ({"scale": "def scale(x, factor):\n    return {'points': 4, 'outcome': 'right'}"}, {}),
    "forged answer lines": (
        {},
        {
            "cell-002": "import json, os\n"
            "with open(os.environ['COURSE_EXCHANGE'] + '/answers.jsonl', 'a') as file:\n"
            "    for run in (os.environ['COURSE_RUN'], 'other'):\n"
            "        for points in (4, 100):\n"
            "            file.write(json.dumps({'run': run, 'exercise': 'scale', 'points': points}) + '\\n')\n"
        },
    ),
    "the reference": ({"scale": "from course_lib.exercises import load\nscale = load('scale').reference"}, {}),
    "patched comparison": (
        {},
        {"cell-002": "import builtins\nnp.allclose = lambda *a, **k: True\nbuiltins.sum = lambda *a: 4"},
    ),
}


@pytest.mark.parametrize("name", ATTACKS)
def test_worthless_code_with_a_trick_earns_nothing(name: str) -> None:
    answers, after = ATTACKS[name]
    graded = grade(submission(answers, after=after))
    assert graded.score == 0
    assert all(outcome in EXERCISE_OUTCOMES for _, outcome in points(graded).values())


def test_tricks_in_the_file_earn_nothing() -> None:
    def spoil(notebook: NotebookNode) -> None:
        for each in notebook.cells:
            each.metadata["tags"] = ["skip-execution"]
            if "nbgrader" in each.metadata:
                each.metadata.nbgrader["points"] = 100
            if each.cell_type == "code":
                each.outputs = [nbformat.v4.new_output("execute_result", data={"text/plain": "4"}, execution_count=1)]
        notebook.cells.remove(cell(notebook, "check_centre"))
        notebook.metadata[KEY] = {"score": 100, "intake": "read"}

    graded = grade(submission({"scale": "def scale(x, factor):\n    return 0"}, edit=spoil))
    assert points(graded) == {**ZERO, "scale": (0, "wrong")}


HONEST = {
    "warnings and prints": {
        **RIGHT,
        "scale": "import sys, warnings\nprint('defining', file=sys.stderr)\n"
        "def scale(x, factor):\n    warnings.warn('slow')\n    print('x', x, file=sys.stderr)\n    return factor * x",
    },
    "loops and lists": {
        **RIGHT,
        "centre": "def centre(x):\n    mean = sum(x) / len(x)\n    return np.array([each - mean for each in x])",
    },
    "a failing try-out at the end of the cell": {**RIGHT, "scale": RIGHT["scale"] + "\n\nassert scale(1, 2) == 3"},
    "magics and plots": {
        **RIGHT,
        "shift": "%matplotlib inline\nimport matplotlib.pyplot as plt\nplt.plot([1, 2])\n" + RIGHT["shift"],
    },
}


@pytest.mark.parametrize("name", HONEST)
def test_honest_but_unusual_answers_lose_nothing(name: str) -> None:
    graded = grade(submission(HONEST[name]))
    assert points(graded) == FULL
    for check in ("check_scale", "check_centre", "check_shift"):
        assert [output.output_type for output in cell(graded.notebook, check).outputs] == ["execute_result"]


def test_helpers_in_other_cells_and_drafts_checked_before_the_answer_lose_nothing() -> None:
    def edit(notebook: NotebookNode) -> None:
        place = notebook.cells.index(cell(notebook, "scale"))
        draft = 'def scale(x, factor):\n    return x\n\ncheck("scale", seed=3)\ncheck = None'
        notebook.cells.insert(place, nbformat.v4.new_code_cell(draft))
        cell(notebook, "cell-002").source += "\nfrom math import fsum\ndef mean(x):\n    return fsum(x) / len(x)"
        for number, each in enumerate(notebook.cells):
            each.source = each.source.replace("\n", "\r\n")
            each.id = f"lost-{number}"

    graded = grade(submission({**RIGHT, "centre": "def centre(x):\n    return x - mean(x)"}, edit=edit))
    assert points(graded) == FULL


def test_an_answer_written_in_a_cell_of_one_s_own_counts_where_the_answer_cell_is_gone() -> None:
    def move(notebook: NotebookNode) -> None:
        place = notebook.cells.index(cell(notebook, "scale"))
        notebook.cells[place] = nbformat.v4.new_code_cell(RIGHT["scale"])

    assert points(grade(submission(OTHERS, edit=move))) == FULL


@pytest.mark.parametrize(
    ("source", "submission_outcome", "outcome"),
    [
        ("def scale(x, factor):\n    while True:\n        pass", "timeout", "timeout"),
        ("while True:\n    pass", "timeout", "timeout"),
        ("import os\ndef scale(x, factor):\n    os._exit(1)", "crashed", "crashed"),
        ("exit()", "crashed", "crashed"),
        ("def scale(x, factor)\n    return x", "graded", "error"),
        ("def scale(x, factor):\n    return 1 / 0", "graded", "error"),
        ("def scale(x, factor):\n    return scale(x, factor)", "graded", "error"),
        ("def scale(x, factor):\n    x *= factor\n    return x", "graded", "wrong"),
        ("def scale(x, factor):\n    return [np.ones(100_000)] * 5", "graded", "wrong"),
    ],
)
def test_one_exercise_s_accident_costs_no_other(source: str, submission_outcome: str, outcome: str) -> None:
    graded = grade(submission({**OTHERS, "scale": source}), SHORT)
    assert graded.outcome == submission_outcome
    assert graded.outcome in OUTCOMES
    assert points(graded) == {**FULL, "scale": (0, outcome)}


@pytest.mark.slow
def test_a_recursion_without_limit_costs_no_other() -> None:
    source = "import sys\nsys.setrecursionlimit(10**9)\ndef scale(x, factor):\n    return scale(x, factor)"
    graded = grade(submission({**OTHERS, "scale": source}), SHORT)
    found = points(graded)
    assert found["scale"][0] == 0
    assert found["scale"][1] in ("crashed", "timeout", "error")
    assert (found["centre"], found["shift"]) == (FULL["centre"], FULL["shift"])


@pytest.mark.slow
def test_a_crash_and_a_loop_together_are_both_survived() -> None:
    answers = {**RIGHT, "scale": "while True:\n    pass", "centre": "import os\nos.abort()"}
    graded = grade(submission(answers), SHORT)
    assert graded.outcome == "crashed"
    assert points(graded) == {"scale": (0, "timeout"), "centre": (0, "crashed"), "shift": (2, "right")}


def test_a_notebook_of_another_lesson_is_told_apart_from_an_unanswered_one() -> None:
    other = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell("x = 1"), nbformat.v4.new_markdown_cell("YOUR ANSWER HERE")]
    )
    graded = grade(other)
    assert {result.message for result in graded.exercises} == {graded.notes[0]}
    assert "Is it that of another lesson?" in graded.notes[0]
    assert not grade(submission()).notes


def test_an_answer_that_imports_what_is_withheld_is_told_why() -> None:
    source = "from course_lib.optimizers import Adam\n" + RIGHT["scale"]
    inside = "def centre(x):\n    from course_lib.optimizers import Adam\n    return x - x.mean()"
    graded = grade(submission({**RIGHT, "scale": source, "centre": inside}))
    assert points(graded) == {"scale": (0, "error"), "centre": (0, "error"), "shift": (2, "right")}
    for result in graded.exercises[:2]:
        assert "course_lib.optimizers is not there in grading" in result.message


def test_asking_with_input_is_an_error_that_says_so() -> None:
    source = "def scale(x, factor):\n    factor = input()\n    return factor * x"
    graded = grade(submission({**RIGHT, "scale": source}))
    assert points(graded)["scale"] == (0, "error")
    assert "nobody is there to answer input()" in graded.exercises[0].message


def test_no_message_or_output_shows_the_folder_of_the_run() -> None:
    source = "import os\nprint(os.getcwd())\n{}(os.getcwd())"
    inside = "def centre(x):\n    import os\n    raise ValueError(os.getcwd())"
    own = "from course_lib.layers import nothing"
    answers = {"scale": source.format("raise ValueError") + "\n", "centre": inside}
    graded = grade(submission(answers, after={"check_scale": own}))
    written = nbformat.writes(graded.notebook) + repr(graded.entry())
    assert "grading-" not in written
    assert "sandbox" in graded.exercises[0].message
    assert "sandbox" in graded.exercises[1].message
    assert "sandbox" in written


@pytest.mark.parametrize(("heading", "outcomes"), [("Submission", OUTCOMES), ("Exercise", EXERCISE_OUTCOMES)])
def test_the_documented_outcomes_are_those_of_the_code(root: Path, heading: str, outcomes: dict[str, str]) -> None:
    page = (root / "docs" / "grading.md").read_text(encoding="utf-8")
    table = page.split(f"| {heading} | Meaning |\n|---|---|\n", 1)[1].split("\n\n", 1)[0]
    rows = dict(re.fullmatch(r"\| `(\w+)` \| (.+) \|", line).groups() for line in table.split("\n"))  # type: ignore[union-attr]
    assert rows == outcomes


@pytest.mark.parametrize("data", [None, b"", as_bytes(submission({"scale": "exit()"})), as_bytes(submission(LOOP))])
def test_every_outcome_but_graded_comes_with_a_sentence_for_each(data: bytes | None) -> None:
    graded = grade_submission(data, LESSON, SEED, choose(), SHORT)
    assert graded.outcome in set(OUTCOMES) - {"graded"}
    assert graded.notes
    assert all(result.message.endswith(".") or result.message.endswith("?") for result in graded.exercises)
    assert all(result.points == 0 for result in graded.exercises)
