"""What the red team hands in: attacks, broken inputs and honest submissions, as data.

Every entry says what it tries, what it deserves and how its grading may end. Its code knows what a very well informed
student could know: the paths of :class:`Places` are written into it. Whatever it touches carries a mark by which it is
found and cleared away, so that an entry does no harm where no wall stops it.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import nbformat
from nbformat import NotebookNode

FIXTURE = "90_fixture"
LESSON_04 = "04_adaptive_optimizers"

FULL = 8
"""All points of the fixture lesson: scale 4, centre 2, shift 2 (a bonus)."""
WON = "REDTEAM WON"
"""What code displays where a wall was missing. Entries build it while they run, so that no source holds it."""

RIGHT = {
    "scale": "def scale(x, factor):\n    return factor * x",
    "centre": "def centre(x):\n    return x - x.mean()",
    "shift": "def shift(x, by):\n    return x + by",
}
WORTHLESS = {
    "scale": "def scale(x, factor):\n    return np.zeros_like(x)",
    "centre": "def centre(x):\n    return np.ones_like(x)",
    "shift": "def shift(x, by):\n    return np.zeros_like(x)",
}
OTHERS = {name: RIGHT[name] for name in ("centre", "shift")}
OTHERS_POINTS = 4
"""What is left where only `scale` is spoilt."""

PRELUDE = """\
def won(what=""):
    print("REDTEAM" + " WON", str(what)[:300])

def attempt(action, wins=True):
    try:
        found = action()
    except BaseException as error:
        print("refused:", type(error).__name__)
        return None
    if wins:
        won(found)
    return found
"""
"""Stands above every cell that attacks: `attempt(f)` has won when `f()` raises nothing."""


@dataclass(frozen=True)
class Places:
    """Where things are in one trial, and its mark.

    Attributes:
        course, home, project: folders.
        tcp, udp: ports of this machine at which the trial listens.
        unix, abstract: sockets at which it listens.
        token: part of every mark, so that two trials do not meet.
    """

    course: Path
    home: Path
    project: Path
    tcp: int
    udp: int
    unix: Path
    abstract: str
    token: str

    def fill(self, text: str, entry: str) -> str:
        """Write the places into an entry's code."""
        for name in ("course", "home", "project", "tcp", "udp", "unix", "abstract"):
            text = text.replace(f"@{name.upper()}@", str(getattr(self, name)))
        return text.replace("@MARK@", self.mark(entry)).replace("@COMM@", f"rt{self.token[:12]}")

    def mark(self, entry: str) -> str:
        """The name that files and processes of an entry carry."""
        return f"redteam-{self.token}-{entry}"


Edit = Callable[[NotebookNode], None]
Place = Callable[[Path, bytes, Places], None]


@dataclass(frozen=True)
class Entry:
    """One submission of the red team.

    Attributes:
        name: also the student's; letters, digits and hyphens.
        family: what it belongs to.
        tries: one sentence.
        deserves: points, the bonus included.
        exact: whether it gets just that; False where it may ruin its own other answers, so that less is right too.
        outcomes: how its grading may end.
        answers: by exercise; None leaves the stub.
        cell: code of the learner's own, run before the answers.
        last: code of the learner's own, run after the last check.
        prelude: whether `cell` needs `won` and `attempt`.
        edit: any other change to the notebook.
        raw: what becomes of the notebook's bytes.
        place: how they are put at their path, where they are not simply written.
        files: what lies beside the notebook.
        lesson: whose notebook it is.
        seconds: about what grading it takes where that is more than a few.
        quick: part of the sample that `make test` runs.
    """

    name: str
    family: str
    tries: str
    deserves: int = 0
    exact: bool = True
    outcomes: frozenset[str] = frozenset({"graded"})
    answers: Mapping[str, str | None] = field(default_factory=lambda: dict(WORTHLESS))
    cell: str = ""
    last: str = ""
    prelude: bool = True
    edit: Edit | None = None
    raw: Callable[[bytes], bytes] | None = None
    place: Place | None = None
    files: Mapping[str, str] = field(default_factory=dict)
    lesson: str = FIXTURE
    seconds: int = 3
    quick: bool = False

    def notebook(self, released: NotebookNode, places: Places) -> NotebookNode:
        """The released notebook with this entry's edits."""
        result = copy.deepcopy(released)
        for name, source in self.answers.items():
            if source is not None:
                cell(result, name).source = places.fill(source, self.name)
        if self.cell:
            source = places.fill((PRELUDE if self.prelude else "") + self.cell, self.name)
            result.cells.insert(_after_setup(result), nbformat.v4.new_code_cell(source, id="own-cell"))
        if self.last:
            source = places.fill((PRELUDE if self.prelude else "") + self.last, self.name)
            result.cells.append(nbformat.v4.new_code_cell(source, id="own-last"))
        if self.edit is not None:
            self.edit(result)
        return result

    def data(self, released: NotebookNode, places: Places) -> bytes:
        """The bytes that are handed in."""
        whole = nbformat.writes(self.notebook(released, places), version=nbformat.NO_CONVERT).encode()
        return self.raw(whole) if self.raw is not None else whole

    def hand_in(self, path: Path, released: NotebookNode, places: Places) -> None:
        """Put the submission where graders look for it."""
        path.parent.mkdir(parents=True, exist_ok=True)
        for name, text in self.files.items():
            other = path.parent / name
            other.parent.mkdir(parents=True, exist_ok=True)
            other.write_text(places.fill(text, self.name), encoding="utf-8")
        data = self.data(released, places)
        if self.place is not None:
            self.place(path, data, places)
        else:
            path.write_bytes(data)


def cell(notebook: NotebookNode, name: str) -> NotebookNode:
    """The cell with this id."""
    found: NotebookNode = next(each for each in notebook.cells if each.id == name)
    return found


def on_checks(change: Callable[[NotebookNode], None]) -> Edit:
    """An edit of every check cell."""

    def edit(notebook: NotebookNode) -> None:
        for each in notebook.cells:
            if each.metadata.get("nbgrader", {}).get("grade_id", "").startswith("check_"):
                change(each)

    return edit


def inside(body: str, name: str = "scale", arguments: str = "x, factor", default: str = "np.zeros_like(x)") -> str:
    """An answer that runs `body` whenever it is called, and returns a worthless value."""
    lines = "\n".join(f"    {line}" for line in body.strip("\n").split("\n"))
    return f"def {name}({arguments}):\n{lines}\n    return {default}"


def outcomes(*names: str) -> frozenset[str]:
    """Several ways to end."""
    return frozenset(names)


def _after_setup(notebook: NotebookNode) -> int:
    return 1 + max(index for index, each in enumerate(notebook.cells) if "setup" in each.metadata.get("tags", []))
