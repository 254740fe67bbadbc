"""Each rule of CONTRIBUTING.md, broken once."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from autograder.building import rules
from autograder.building.source import Source

POINTS = {"double": 3, "tail": 0}
ANSWER = "  grade: false\n  grade_id: double\n  locked: false\n  schema_version: 3\n  solution: true\n  task: false\n"
SETUP = "import numpy as np\n\n\ndef check"
VARIES = ":varies: the time of day differs at each run"
CHECK_TAIL = (
    "```{code-cell} ipython3\n---\nnbgrader:\n  grade: true\n  grade_id: check_tail\n  locked: true\n  points: 0\n"
    '  schema_version: 3\n  solution: false\n  task: false\n---\ncheck("tail")\n```\n\n'
)


def said(source: Source) -> list[str]:
    return [str(problem) for problem in rules.problems(source, POINTS)]


def test_the_tiny_lesson_breaks_no_rule(edited: Callable[..., Source]) -> None:
    assert said(edited()) == []


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        # nbgrader metadata
        (
            "  locked: true\n  points: 3",
            "  locked: false\n  points: 3",
            "`locked: False` where `locked: True` is meant",
        ),
        ("  points: 3\n", "", "lacks `points: 3`"),
        ("  points: 3\n", "  points: 2\n", "`points: 2` where `points: 3` is meant"),
        ("  points: 3\n", "  points: 3.0\n", "`points: 3.0` where `points: 3` is meant"),
        ("  points: 0\n", "  points: 1\n", "`points: 1` where `points: 0` is meant"),
        (ANSWER, ANSWER.replace("version: 3", "version: 2"), "`schema_version: 2`"),
        (ANSWER, ANSWER.replace("  task: false\n", ""), "lacks `task: False`"),
        (ANSWER, ANSWER.replace("solution: true", "solution: false"), "is no check of this lesson"),
        (ANSWER, ANSWER.replace("  schema", "  points: 3\n  schema"), "a key too many: 'points'"),
        ("grade_id: double", "grade_id: dubble", "'dubble' is no exercise of this lesson"),
        ("grade_id: double", "grade_id: dubble", "the exercise 'double' has no answer cell"),
        ("grade_id: check_double", "grade_id: double_check", "'double_check' is no check of this lesson"),
        ("grade_id: check_double", "grade_id: check_tail", "share the grade_id 'check_tail'"),
        ('"points": 2', '"points": -1', "0 or more"),
        ('"points": 2, ', "", "0 or more"),
        # checks
        ('check("double")', "check('double')", 'must be exactly check("double")'),
        ('check("double")', 'print(check("double"))', 'must be exactly check("double")'),
        ('check("double")', 'check("tail")', 'must be exactly check("double")'),
        (CHECK_TAIL, "", "the exercise 'tail' has no check cell"),
        # answers
        ("    ### BEGIN SOLUTION\n    if", "    ### BEGIN SOLUTON\n    if", "'### BEGIN SOLUTON' looks like"),
        ("    ### BEGIN SOLUTION\n    if", "    if", "ends a solution that never began"),
        ("copy()\n    ### END SOLUTION\n", "copy()\n", "begins and never ends"),
        ("    twice_as_much = x + np.asarray(x, copy=True)\n    return twice_as_much\n", "    # ...\n", "is empty"),
        ('    """Twice `x`, a new array."""\n', "", "needs a docstring"),
        (
            '    """Twice `x`, a new array."""\n    ### BEGIN SOLUTION\n',
            '    ### BEGIN SOLUTION\n    """Twice `x`, a new array."""\n',
            "stands inside the solution",
        ),
        ("def double(x):", "def twice(x):", "exactly one `def double(...)`"),
        ("    twice_as_much =", "    twice as much =", "is not Python"),
        # formulas
        ("# A tiny lesson", "# A tiny lesson\n\nIt costs $\\unheardof{x}$", 'Unknown command "\\unheardof"'),
        # tags and metadata
        (":tags: [use]\n", ":tags: [usage]\n", "tag 'usage'"),
        (":tags: [use]\n", ":tags: [usage]\n", "needs exactly one of the room tags"),
        (":tags: [use]\n", ":tags: [use, claim]\n", "needs exactly one of the room tags"),
        (":tags: [use]\n\ntry:", "try:", "needs exactly one of the room tags"),
        (":tags: [use]\n", ":tags: [raises-exception, use]\n", "tag 'raises-exception'"),
        (VARIES, ":varies: time", "belong together"),
        (VARIES + "\n", "", "belong together"),
        (", nbval-ignore-output", "", "belong together"),
        (":tags: [use]\n", ":colour: red\n:tags: [use]\n", "unknown metadata 'colour'"),
        (
            ":tags: [use]\n\ntry:",
            "---\njupyter:\n  outputs_hidden: true\ntags: [use]\n---\ntry:",
            "only `jupyter` metadata allowed",
        ),
        ("  task: false\n---\ndef double", "  task: false\ntags: [use]\n---\ndef double", "need no room"),
        ("try:\n    shown", "### BEGIN SOLUTION\ntry:\n    shown", "outside of an answer cell"),
        ("import time\n", "# NBVAL_SKIP\nimport time\n", "nbval is told by the tag"),
        # set-up
        (SETUP, "import os\nimport numpy as np\n\n\ndef check", "imports 'os'"),
        (SETUP, "from course_lib.optimizers import Adam\n\n\ndef check", "imports 'course_lib.optimizers'"),
        (SETUP, "from course_lib.check import check, Result\n\n\ndef check", "imports 'course_lib.check'"),
        (SETUP, "def f():\n    import course_lib\n\n\ndef check", "imports 'course_lib'"),
        (SETUP, "from . import answers\n\n\ndef check", "a set-up cell imports"),
        (SETUP, "%matplotlib inline\n\n\ndef check", "must be plain Python"),
        # prose
        ("# A tiny lesson", "A tiny lesson", "begins with the lesson's title"),
        ("Write `tail(x)`.", "### BEGIN SOLUTION", "belongs in the code cell of an answer"),
    ],
)
def test_a_broken_rule_is_named(edited: Callable[..., Source], old: str, new: str, expected: str) -> None:
    source = edited((old, new))
    found = said(source)
    assert any(expected in sentence for sentence in found), found
    assert all(sentence.startswith("solutions/01_tiny.md") for sentence in found)


@pytest.mark.parametrize("imports", ["import matplotlib.pyplot as plt", "from course_lib.check import check as _"])
def test_what_set_up_may_import(edited: Callable[..., Source], imports: str) -> None:
    assert said(edited((SETUP, f"{imports}\nimport numpy as np\n\n\ndef check"))) == []


def test_order_follows_the_exercises(edited: Callable[..., Source]) -> None:
    turned = dict(reversed(POINTS.items()))
    found = [problem.what for problem in rules.problems(edited(), turned)]
    assert any("the answer cells stand in the order ['double', 'tail']" in what for what in found)
    assert any("the check cells stand in the order ['double', 'tail']" in what for what in found)


def test_a_check_follows_its_answer(edited: Callable[..., Source]) -> None:
    source = edited((CHECK_TAIL, ""), ("## Build\n", "## Build\n\n" + CHECK_TAIL.rstrip("\n") + "\n"))
    assert any("the check of 'tail' stands before its answer" in sentence for sentence in said(source))


def test_a_room_may_hide_its_code(edited: Callable[..., Source]) -> None:
    hidden = "---\njupyter:\n  source_hidden: true\ntags: [use]\n---\ntry:"
    assert said(edited((":tags: [use]\n\ntry:", hidden))) == []


def test_a_lesson_without_exercises_needs_no_answer(edited: Callable[..., Source]) -> None:
    found = [problem.what for problem in rules.problems(edited(), {})]
    assert any("no exercise of this lesson; they are none" in what for what in found)
