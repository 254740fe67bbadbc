"""A misspelt marker must never ship a solution."""

from __future__ import annotations

import pytest

from autograder.building.markers import near_misses, regions


@pytest.mark.parametrize(
    "line",
    [
        "### BEGIN SOLUTON",
        "### BEGN SOLUTION",
        "# BEGIN SOLUTION",
        "#### BEGIN SOLUTION",
        "###BEGIN SOLUTION",
        "### Begin Solution",
        "### begin solution",
        "### BEGIN SOLUTION ",
        "### BEGIN  SOLUTION",
        "### BEGIN SOLUTION:",
        "### BEGINSOLUTION",
        "### BEGIN_SOLUTION",
        "### BEGIN SOLUTIONS",
        "### BEGINNING SOLUTION",
        "### START SOLUTION",
        "### SOLUTION BEGIN",
        "### SOLUTION END",
        "### END SOLUTON",
        "### END OF SOLUTION",
        "### END SOL UTION",
        "## end solution",
        "x = 1  ### BEGIN SOLUTION",
        'text = "BEGIN SOLUTION"',
        "### BEGIN HIDDEN TESTS",
        "### BEGIN HIDDEN TEST",
        "### END HIDDEN TESTS",
        "=== BEGIN MARK SCHEME ===",
        "### AUTOTEST double(2)",
        "\t### END SOLUTIO",
    ],
)
def test_what_resembles_a_marker_is_found(line: str) -> None:
    found = list(near_misses(f"x = 1\n    {line}\ny = 2"))
    assert [number for number, _ in found] == [2]
    assert line.strip() in found[0][1]


@pytest.mark.parametrize(
    "line",
    [
        "### BEGIN SOLUTION",
        "    ### END SOLUTION",
        "# the solution of the linear system begins with a factorisation",
        "# solve for the weights",
        "begin = solution[0]",
        "# end of the loop",
        "# a resolution of 100 dots",
        "# the hidden layer",
        "hidden = relu(x @ W1)  # hidden layer begins at zero",
        "# test loss, every seed",
        "",
    ],
)
def test_ordinary_lines_are_left_alone(line: str) -> None:
    assert not list(near_misses(line))


def test_markdown_holds_no_markers_at_all() -> None:
    assert list(near_misses("### BEGIN SOLUTION", markdown=True))
    assert list(near_misses("### BEGIN SOLUTON", markdown=True))
    assert list(near_misses("write it between BEGIN SOLUTION and the end", markdown=True))
    assert not list(near_misses("## The solution\n\nThe beginning of the valley, and its end.", markdown=True))


def test_regions() -> None:
    source = "a\n### BEGIN SOLUTION\nb\nc\n### END SOLUTION\nd\n  ### BEGIN SOLUTION\n  e\n  ### END SOLUTION"
    assert regions(source) == ["b\nc", "  e"]
    assert regions("a") == []


@pytest.mark.parametrize(
    "source",
    [
        "### BEGIN SOLUTION",
        "### END SOLUTION",
        "### BEGIN SOLUTION\n### BEGIN SOLUTION\n### END SOLUTION",
        "### BEGIN SOLUTION\n### END SOLUTION\n### END SOLUTION",
    ],
)
def test_unbalanced_markers_are_refused(source: str) -> None:
    with pytest.raises(ValueError, match="solution"):
        regions(source)
