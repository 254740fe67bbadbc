"""The back ends that work on this machine, and running cells in one of them."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

import psutil

from autograder import judge as judging
from autograder.assemble import PlannedCell
from autograder.sandbox import Limits, Request, Run, choice
from autograder.sandbox.bubblewrap import Bubblewrap
from autograder.sandbox.kernel import KernelSandbox
from autograder.sandbox.landlock import Landlock
from tests.grading.helpers import LESSON, SEED

CASES = judging.encode(judging.draw(LESSON, SEED))
SETUP = PlannedCell(0, "setup", "import numpy as np")
ROOT = os.name == "posix" and os.geteuid() == 0

WALLS: Mapping[str, KernelSandbox] = {
    "bubblewrap": KernelSandbox(Bubblewrap()),
    "landlock": KernelSandbox(Landlock(own_user=False)),
    "bubblewrap, cold": KernelSandbox(Bubblewrap(), warm=False),
    "landlock, cold": KernelSandbox(Landlock(own_user=False), warm=False),
    "landlock of Debian 12": KernelSandbox(Landlock(own_user=False, abi=2)),
    **(
        {
            "bubblewrap as root": KernelSandbox(Bubblewrap(own_user=False)),
            "landlock, own user": KernelSandbox(Landlock()),
        }
        if ROOT
        else {}
    ),
}
"""The first :data:`QUICK` are tried in `make test`, the others in `make test-all`."""
QUICK = 3


def problem(name: str) -> str:
    """Why a back end cannot be tried here, "" where it can."""
    if name not in _PROBLEMS:
        _PROBLEMS[name] = choice.probe(WALLS[name], LESSON.withheld)
    return _PROBLEMS[name]


_PROBLEMS: dict[str, str] = {}


def run(*sources: str, walls: KernelSandbox | None = None, check: bool = True, **limits: float) -> Run:
    """Run code cells, then the check of `scale`, and see that no process of theirs is left."""
    cells = [SETUP, *(PlannedCell(index, "learner", source) for index, source in enumerate(sources, start=1))]
    if check:
        cells.append(PlannedCell(len(cells), "check", exercise="scale"))
    return run_cells(cells, walls, **limits)


def run_cells(cells: Sequence[PlannedCell], walls: KernelSandbox | None = None, **limits: float) -> Run:
    """Run cells, and see that no process of theirs is left."""
    request = Request(cells, CASES, LESSON.withheld, Limits(**{"cell": 3.0, "total": 300.0, **limits}))  # type: ignore[arg-type]
    walls = walls or choice.choose()
    done = walls.run(request)
    left = [p.pid for p in psutil.process_iter() if _environment(p).get("COURSE_RUN") == request.run]
    assert left == []
    assert _guests(walls) == 0
    return done


def _guests(walls: KernelSandbox) -> int:
    """How many processes of guests a deputy has: all below it."""
    if walls.keeper is None:
        return 0
    deputy = psutil.Process(walls.keeper.lane(LESSON.withheld).pid)
    return len(deputy.children(recursive=True))


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
