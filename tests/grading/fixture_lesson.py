"""A lesson of two exercises and a bonus, small enough to grade in a moment."""

from __future__ import annotations

from typing import Any

import nbformat
import numpy as np
from nbformat import NotebookNode

from course_lib.exercises.exercise import Exercise, Group, Misconception
from course_lib.exercises.programs import Case, call

NAME = "90_fixture"
SECOND = "91_fixture"
"""The same lesson under another name, for two at once."""
WITHHELD = ("optimizers",)
HINTS = ("By hand.", "The rule.", "`return ____ * ____`")


def scale(x: Any, factor: float) -> Any:
    return factor * x


def centre(x: Any) -> Any:
    return x - np.mean(x)


def shift(x: Any, by: float) -> Any:
    return x + by


def _scale(rng: np.random.Generator) -> list[Case]:
    return [Case((call("scale", x=rng.normal(size=shape), factor=2.5),), label=f"{shape}") for shape in ((3,), (2, 4))]


def _scale_nasty(rng: np.random.Generator) -> list[Case]:
    return [Case((call("scale", x=rng.normal(size=3), factor=-1e12),), label="large")]


def _centre(rng: np.random.Generator) -> list[Case]:
    return [Case((call("centre", x=3.0 + rng.normal(size=4)),))]


def _shift(rng: np.random.Generator) -> list[Case]:
    return [Case((call("shift", x=rng.normal(size=4), by=7.0),))]


EXERCISES = (
    Exercise(
        "scale", NAME, "Multiply.", ("y",), scale,
        (Group("ordinary", "Ordinary arrays", 3, _scale), Group("nasty", "Large factors", 1, _scale_nasty)),
        (Misconception("adds", "This adds the factor.", lambda x, factor: x + factor),),
        HINTS, 5, 1,
    ),
    Exercise(
        "centre", NAME, "Take the mean away.", ("y",), centre, (Group("ordinary", "Ordinary arrays", 2, _centre),),
        (Misconception("divides", "This divides by the mean.", lambda x: x / np.mean(x)),), HINTS, 5, 1,
    ),
    Exercise(
        "shift", NAME, "Add.", ("y",), shift, (Group("ordinary", "Ordinary arrays", 2, _shift),), (), HINTS, 5, 1,
        stretch=True,
    ),
)  # fmt: skip

ANSWERS = {
    "scale": "def scale(x, factor):\n    return factor * x",
    "centre": "def centre(x):\n    return x - x.mean()",
    "shift": "def shift(x, by):\n    return x + by",
}
SIGNATURES = {"scale": "x, factor", "centre": "x", "shift": "x, by"}
SETUP = "import numpy as np\nfrom course_lib.check import check"
EXPLORE = "from course_lib.optimizers import Adam\nprint('explored')"


def solution() -> NotebookNode:
    """The instructor's notebook, as `build` would leave it in solutions/."""
    cells = [
        _markdown("title", "# A fixture"),
        _code("cell-002", SETUP, tags=["setup"]),
        _code("cell-003", EXPLORE, tags=["explore"]),
    ]
    for exercise in EXERCISES:
        name = exercise.name
        inside = ANSWERS[name].split("\n", 1)[1]
        stub = f"def {name}({SIGNATURES[name]}):\n    ### BEGIN SOLUTION\n{inside}\n    ### END SOLUTION"
        cells += [
            _markdown(f"question-{name}", f"## Build {name}\n\nWrite `{name}`, so that $x \\mapsto \\frac{{y}}{{2}}$."),
            _code(name, stub, nbgrader=_nbgrader(name, solution=True)),
            _code(
                f"check_{name}",
                f'check("{name}")',
                nbgrader=_nbgrader(f"check_{name}", grade=True, locked=True, points=exercise.core_points),
            ),
        ]
    cells.append(
        _markdown(
            "written",
            "The best answer.\n\n=== BEGIN MARK SCHEME ===\nfull: a reason\n=== END MARK SCHEME ===",
            nbgrader=_nbgrader("written", grade=True, solution=True, points=2),
        )
    )
    spec = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
    return nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": spec, "language_info": {"name": "python"}})


def _nbgrader(name: str, **flags: Any) -> dict[str, Any]:
    usual = {"grade": False, "locked": False, "solution": False, "task": False, "schema_version": 3}
    return {"grade_id": name, **usual, **flags}


def _code(name: str, source: str, **metadata: Any) -> NotebookNode:
    return nbformat.v4.new_code_cell(source, metadata=metadata, id=name)


def _markdown(name: str, source: str, **metadata: Any) -> NotebookNode:
    return nbformat.v4.new_markdown_cell(source, metadata=metadata, id=name)
