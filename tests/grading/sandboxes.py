"""The back ends that work on this machine, and running cells in one of them."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

import psutil

from autograder import judge as judging
from autograder.assemble import PlannedCell
from autograder.sandbox import Limits, Request, Run, choice
from autograder.sandbox.bubblewrap import Bubblewrap
from autograder.sandbox.isolation import Isolation
from autograder.sandbox.kernel import KernelSandbox
from autograder.sandbox.landlock import Landlock
from tests.grading.helpers import LESSON, SEED

CASES = judging.encode(judging.draw(LESSON, SEED))
SETUP = PlannedCell(0, "setup", "import numpy as np")
ROOT = os.name == "posix" and os.geteuid() == 0

WALLS: Mapping[str, Isolation] = {
    "bubblewrap": Bubblewrap(),
    "landlock": Landlock(own_user=False),
    "landlock of Debian 12": Landlock(own_user=False, abi=2),
    **({"bubblewrap as root": Bubblewrap(own_user=False), "landlock, own user": Landlock()} if ROOT else {}),
}
"""The first two are tried in `make test`, the others in `make test-all`."""


def problem(name: str) -> str:
    """Why a back end cannot be tried here, "" where it can."""
    if name not in _PROBLEMS:
        _PROBLEMS[name] = choice.probe(WALLS[name])
    return _PROBLEMS[name]


_PROBLEMS: dict[str, str] = {}


def run(*sources: str, isolation: Isolation | None = None, check: bool = True, **limits: float) -> Run:
    """Run code cells, then the check of `scale`, and see that no process of theirs is left."""
    cells = [SETUP, *(PlannedCell(index, "learner", source) for index, source in enumerate(sources, start=1))]
    if check:
        cells.append(PlannedCell(len(cells), "check", exercise="scale"))
    return run_cells(cells, isolation, **limits)


def run_cells(cells: Sequence[PlannedCell], isolation: Isolation | None = None, **limits: float) -> Run:
    """Run cells, and see that no process of theirs is left."""
    request = Request(cells, CASES, LESSON.withheld, Limits(**{"cell": 3.0, "total": 300.0, **limits}))  # type: ignore[arg-type]
    done = KernelSandbox(isolation).run(request)
    left = [p.pid for p in psutil.process_iter() if _environment(p).get("COURSE_RUN") == request.run]
    assert left == []
    return done


def _environment(process: psutil.Process) -> dict[str, str]:
    try:
        return dict(process.environ())
    except (psutil.Error, OSError):
        return {}


def states(done: Run) -> list[str]:
    """The cells' states in order."""
    return [done.cells[index].state for index in sorted(done.cells)]


def text(done: Run, index: int) -> str:
    """What a cell printed."""
    return "".join(output.get("text", "") for output in done.cells[index].outputs)
