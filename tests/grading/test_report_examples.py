"""An example of a mistake is a student's own code, and nothing in it says whose."""

from __future__ import annotations

import ast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nbgrader.api import Gradebook

from autograder.class_grading import ClassGrading
from autograder.gradebook import Course
from autograder.report.examples import MOST_LINES, excerpt, name_parts
from autograder.report.page import page
from autograder.report.summary import read_class, summarise
from tests.grading.conftest import HandIn
from tests.grading.fixture_lesson import NAME
from tests.grading.helpers import LIMITS, RIGHT, submission
from tests.grading.quick_sandbox import QuickSandbox

KNOWN = frozenset({"x", "factor", "scale", "w1", "return", "def", "np", "mean"})
NAMES = name_parts(["ada.lovelace", "Bo", "20261122", "max.weber@example.org"])


def shown(source: str) -> str | None:
    return excerpt(source, "scale", KNOWN, NAMES)


def test_comments_docstrings_and_texts_are_left_out() -> None:
    source = '''
import numpy as np  # Ada
"""Ada's homework."""

def scale(x, factor):
    """By Ada Lovelace."""
    # ada.lovelace@example.org
    'Ada'
    f'Ada {x}'
    b'Ada'
    print("Ada", b"Ada", f"Ada {x + factor} Ada", 'w1')
    return x + factor  # Ada

ada = 1
'''
    found = shown(source)
    assert found == (
        "def scale(x, factor):\n    print('...', b'...', f'...{x + factor}...', 'w1')\n    return x + factor"
    )


@pytest.mark.parametrize(
    "word",
    [
        "ada",
        "adas_result",
        "ADA",
        "my_ada",
        "lovelace",
        "xlovelacex",
        "bo",
        "seed20261122",
        "20261122",
        "a20261122",
        "weber",
    ],
)
def test_code_with_part_of_a_name_is_not_shown(word: str) -> None:
    name = word if word.isidentifier() else "y"
    source = f"def scale(x, factor):\n    {name} = {'1' if word.isidentifier() else word}\n    return x + {name}"
    assert shown(source) is None
    assert shown(source.replace(word, "other" if word.isidentifier() else "12")) is not None


def test_words_of_the_course_are_shown_whoever_is_called_so() -> None:
    names = name_parts(["mean", "factor.scale"])
    assert excerpt("def scale(x, factor):\n    return np.mean(x)", "scale", KNOWN, names) is not None


@pytest.mark.parametrize(
    "source",
    [
        "",
        "def other(x): return x",
        "def scale(x:\n",
        "%%bash\necho",
        "!ls\ndef scale(x): return x",
        "def scale(x): return '\ud800'",
        "scale\0",
        "def scale(x):\n    return " + "(" * 3_000 + "x" + ")" * 3_000,
        "def scale(x):\n    return " + "-" * 7_000 + "x",
        "def scale(x):\n    return " + "+".join(["x"] * 3_000),
        "def scale(x):\n    return x" + ".real" * 1_500,
        "def scale(x):\n    return [" + "1, " * 200 + "]",
        "x = 1\n" * 5_000 + "def scale(x): return x",
    ],
)
def test_what_cannot_be_shown_gives_no_example(source: str) -> None:
    assert shown(source) is None


@pytest.mark.parametrize(
    "source",
    ["scale = lambda x, factor: x + factor", "class scale:\n    '''Ada'''", "async def scale(x):\n    '''Ada'''",
     "def scale(x):\n    return 0\ndef scale(x):\n    if x:\n        'Ada'\n    return x"],
)  # fmt: skip
def test_whatever_defines_the_name_can_be_shown_and_is_python(source: str) -> None:
    found = shown(source)
    assert found is not None
    assert "Ada" not in found
    ast.parse(found)


def test_long_answers_are_cut_and_say_so() -> None:
    source = "def scale(x, factor):\n" + "    x = x + factor\n" * 30 + "    return x"
    lines = (shown(source) or "").splitlines()
    assert len(lines) == MOST_LINES
    assert lines[-1] == "# and 21 lines more"


@settings(deadline=None)
@given(st.text(max_size=200))
def test_no_text_breaks_it_and_none_of_a_string_comes_through(text: str) -> None:
    shown(text)
    found = shown(f"def scale(x):\n    return {text!r}\n")
    if found is not None:
        assert found.endswith(("return '...'", f"return {text!r}"))
        if found.endswith(f"return {text!r}") and text != "...":
            words = "".join(c if c.isalnum() else " " for c in text.casefold()).split()
            assert set(words) <= KNOWN


WRONG = "def scale(x, factor):\n    {}\n    return x + factor"


def test_examples_come_from_the_graded_notebooks_the_shortest_that_can_be_shown(
    course: Course, hand_in: HandIn
) -> None:
    hand_in("ada", submission({**RIGHT, "scale": WRONG.format("ada = 1")}))
    hand_in("bob", submission({**RIGHT, "scale": WRONG.format("longer_than_others = [x, x, x]")}))
    hand_in("cyd", submission({**RIGHT, "scale": WRONG.format("pass  # </pre><script>window.hit = 1</script>")}))
    hand_in("dan", submission({**RIGHT, "scale": RIGHT["scale"].replace("factor * x", "x + factor - 0 * factor")}))
    run = ClassGrading(course, NAME, QuickSandbox(), LIMITS)
    list(run.grade(run.students(), run.executor(1)))
    found = read_class(course, [summarise(course, NAME)])
    shortest = "def scale(x, factor):\n    pass\n    return x + factor"
    assert found.examples == {(NAME, "scale", "adds"): shortest}
    assert found.students == ("ada", "bob", "cyd", "dan")
    html = page(found)
    assert "<pre>def scale(x, factor):" in html
    assert "<script" not in html


@pytest.mark.parametrize("word", ["wilhelmina", "tooks", "pippins_answer"])
def test_an_answer_that_names_anybody_in_the_class_is_no_example(course: Course, hand_in: HandIn, word: str) -> None:
    hand_in("wilhelmina", submission({**RIGHT, "scale": WRONG.format(f"{word} = 1")}))
    run = ClassGrading(course, NAME, QuickSandbox(), LIMITS)
    list(run.grade(run.students(), run.executor(1)))
    with Gradebook(course.db_url) as book:
        book.update_or_create_student("s17", first_name="Peregrine", last_name="Took", email="pippin@example.org")
    found = read_class(course, [summarise(course, NAME)])
    assert [mistake.name for mistake in found.summaries[0].mistakes()] == ["adds"]
    assert found.examples == {}
