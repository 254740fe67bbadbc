"""The same submissions in a plain nbgrader course, whose tests are asserts in the student's own kernel.

Stock nbgrader runs what it grades unprotected. So that the machine survives, each of its runs is inside a bubblewrap of
its own: the system is read-only there, /tmp and the network are private, and time, memory and file sizes are limited.
What only that container held back is in the stock line's favour.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import resource
import secrets
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
from nbformat import NotebookNode
from nbgrader.api import Gradebook
from nbgrader.apps import NbGraderAPI
from nbgrader.coursedir import CourseDirectory
from traitlets.config import Config

from autograder.gradebook import quiet
from course_lib import exercises
from course_lib.check import home_cases
from course_lib.exercises.grading import expected_answer
from course_lib.exercises.programs import Case
from tests.grading import fixture_lesson
from tests.redteam.entries import FIXTURE, WON, Entry, Places, cell

PROJECT = Path(__file__).resolve().parents[2]
SECONDS = 200
"""After which a run is stopped: long, so that a busy machine costs no row. nbgrader's own limit is 30 for a cell."""
TCP, UDP = 40_001, 40_002
CANARY = "zz-canary"
_MEMORY = 12_000_000_000
_FILE = 2_000_000_000
_POINTS = {"scale": 4, "centre": 2, "shift": 2}
_TESTS = {
    "scale": """\
assert np.allclose(scale(np.array([1.0, 2.0, 3.0]), 2.0), [2.0, 4.0, 6.0])
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(7)
for shape in ((3,), (2, 4)):
    x = rng.normal(size=shape)
    assert np.allclose(scale(x, 2.5), 2.5 * x)
assert np.allclose(scale(x, -1e12), -1e12 * x)
### END HIDDEN TESTS""",
    "centre": """\
assert np.allclose(centre(np.array([1.0, 2.0, 3.0])), [-1.0, 0.0, 1.0])
### BEGIN HIDDEN TESTS
x = np.random.default_rng(8).normal(size=4) + 3.0
assert np.allclose(centre(x), x - x.mean())
### END HIDDEN TESTS""",
    "shift": """\
assert np.allclose(shift(np.array([1.0, 2.0]), 3.0), [4.0, 5.0])
### BEGIN HIDDEN TESTS
x = np.random.default_rng(9).normal(size=4)
assert np.allclose(shift(x, 7.0), x + 7.0)
### END HIDDEN TESTS""",
}
_CONFIG = """\
c = get_config()
c.CourseDirectory.source_directory = "solutions"
c.CourseDirectory.root = {root!r}
"""


@dataclass(frozen=True)
class StockRow:
    """What a submission got from stock nbgrader.

    Attributes:
        score: None where there is no grade.
        happened: sentences, "; " between them.
    """

    score: float | None
    happened: str


class Stock:
    """A plain nbgrader course with one lesson, copied afresh for every submission."""

    def __init__(self, lesson: str = FIXTURE) -> None:
        self.lesson = lesson
        self._template = Path(tempfile.mkdtemp(prefix="rs-")).resolve()
        self.canary = f"canary-{secrets.token_hex(8)}"
        try:
            self._build(self._template)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Remove what was made."""
        shutil.rmtree(self._template, ignore_errors=True)

    def grade(self, entry: Entry) -> StockRow:
        """Grade one submission with `nbgrader autograde`, in a container."""
        folder = Path(tempfile.mkdtemp(prefix="rs-")).resolve()
        try:
            shutil.copytree(self._template, folder, dirs_exist_ok=True)
            course = folder / "course"
            (course / "nbgrader_config.py").write_text(_CONFIG.format(root=str(course)))
            token = secrets.token_hex(6)
            places = Places(course, folder / "home", PROJECT, TCP, UDP, folder / "listening", f"redteam-{token}", token)
            path = course / "submitted" / entry.name / self.lesson / f"{self.lesson}.ipynb"
            entry.hand_in(path, self._released, places)
            before = _files(folder)
            ended = _contained(folder, self.lesson, entry.name, places, self.canary)
            return self._row(folder, entry, places, before, ended)
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _build(self, folder: Path) -> None:
        course = folder / "course"
        source = course / "solutions" / self.lesson / f"{self.lesson}.ipynb"
        source.parent.mkdir(parents=True)
        nbformat.write(_plain_tests(self.lesson), source)
        (course / "solutions" / "keys.txt").write_text(self.canary)
        (course / f"{self.lesson}.secret").write_text(self.canary)
        key = folder / "home" / ".ssh" / "id_rsa"
        key.parent.mkdir(parents=True)
        key.write_text(self.canary)
        config = Config()
        config.CourseDirectory.root = str(course)
        config.CourseDirectory.source_directory = "solutions"
        with quiet():
            done = NbGraderAPI(CourseDirectory(config=config), config=config).generate_assignment(self.lesson)
        if not done["success"]:
            raise RuntimeError(f"nbgrader cannot release {self.lesson}: {done.get('error') or done.get('log')}")
        released = course / "release" / self.lesson / f"{self.lesson}.ipynb"
        self._released = nbformat.read(released, as_version=4)
        with Gradebook(f"sqlite:///{course / 'gradebook.db'}") as book:
            book.update_or_create_student(CANARY, last_name=self.canary)
            book.add_submission(self.lesson, CANARY)
        other = course / "submitted" / CANARY / self.lesson / f"{self.lesson}.ipynb"
        other.parent.mkdir(parents=True)
        own = nbformat.from_dict(json.loads(json.dumps(self._released)))
        if self.lesson == FIXTURE:
            cell(own, "written").source = self.canary
        nbformat.write(own, other)

    def _row(self, folder: Path, entry: Entry, places: Places, before: dict[str, bytes], ended: str) -> StockRow:
        course = folder / "course"
        happened = []
        score = _score(course / "gradebook.db", self.lesson, entry.name)
        graded = course / "autograded" / entry.name / self.lesson / f"{self.lesson}.ipynb"
        if score is None or not graded.exists():
            score = None
            happened.append(f"no grade: {ended or 'nothing was recorded'}")
        whole = graded.read_bytes() if graded.is_file() else b""
        shown = _shown(whole)
        if WON in shown:
            happened.append(f"its code got through ({shown.split(WON, 1)[1].split(chr(10))[0].strip()[:50]!r})")
        if self.canary in shown:
            happened.append("it read a secret")
        after = _files(folder)
        changed = sorted(name for name in before if after.get(name) != before[name])
        if changed:
            happened.append("it changed " + ", ".join(changed[:3]).replace(f"{entry.name}/", ""))
        left = [name for name in after if f"redteam-{places.token}" in name]
        report = folder / "report.json"
        inside: dict[str, Any] = json.loads(report.read_text()) if report.is_file() else {}
        if left or inside.get("left"):
            happened.append("it left files behind" if left else "it left files in /tmp or /dev/shm")
        if inside.get("processes"):
            happened.append("it left processes running")
        if inside.get("heard"):
            happened.append("it reached the network")
        if len(whole) > 3_000_000:
            happened.append(f"the graded notebook has {len(whole) / 1e6:,.0f} MB")
        if re.search(r"<script|onerror=|javascript:", json.dumps(_outputs(whole))):
            happened.append("its scripts are in what the teacher opens")
        return StockRow(score, "; ".join(happened))


def _plain_tests(lesson: str) -> NotebookNode:
    """The lesson with asserts in the place of checks."""
    if lesson == FIXTURE:
        notebook = fixture_lesson.solution()
        tests, points = _TESTS, _POINTS
    else:
        notebook = nbformat.read(PROJECT / "solutions" / lesson / f"{lesson}.ipynb", as_version=4)
        left_out = {"explore", "use", "claim", "idea"}
        notebook.cells = [each for each in notebook.cells if not left_out & set(each.metadata.get("tags", []))]
        asked = exercises.of_lesson(lesson)
        tests = {exercise.name: _asserts(exercise) for exercise in asked}
        points = {exercise.name: exercise.points for exercise in asked}
    for name, source in tests.items():
        check = cell(notebook, f"check_{name}" if lesson == FIXTURE else _id_of_check(notebook, name))
        check.source = source
        check.metadata.nbgrader["points"] = points[name]
    return notebook


def _id_of_check(notebook: NotebookNode, name: str) -> str:
    found = (each for each in notebook.cells if each.metadata.get("nbgrader", {}).get("grade_id") == f"check_{name}")
    return str(next(found).id)


def _asserts(exercise: Any) -> str:
    """Hidden tests with the numbers written out."""
    lines = ["### BEGIN HIDDEN TESTS"]
    for case in next(iter(home_cases(exercise, 12_345).values())):
        first = Case(case.steps[:1])
        given = ", ".join(_literal(value) for value in first.steps[0].arguments.values())
        expected = expected_answer(exercise, first)
        wanted = expected if isinstance(expected, tuple) else (expected,)
        lines += [
            f"for got, want in zip({exercise.name}({given}), ({', '.join(map(_literal, wanted))},)):",
            "    assert np.allclose(got, want)",
        ]
    return "\n".join([*lines, "### END HIDDEN TESTS"])


def _literal(value: Any) -> str:
    return f"np.array({value.tolist()!r})" if isinstance(value, np.ndarray) else repr(value)


def _contained(folder: Path, lesson: str, student: str, places: Places, canary: str) -> str:
    """Run nbgrader in the container; returns how it failed, "" where it did not."""
    command = [
        "bwrap", "--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc", "--size", str(_FILE), "--tmpfs", "/tmp",
        "--tmpfs", "/var/tmp", "--tmpfs", "/dev/shm", "--tmpfs", "/run", "--bind", str(folder), str(folder),
        "--unshare-all", "--die-with-parent", "--new-session", "--chdir", str(folder / "course"), "--",
        sys.executable, "-m", "tests.redteam.stock_inside", str(folder), lesson, student, places.token,
    ]  # fmt: skip
    environment = {
        "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin",
        "HOME": str(folder / "home"),
        "PYTHONPATH": str(PROJECT),
        "PYTHONDONTWRITEBYTECODE": "1",
        "LANG": "C.UTF-8",
        "OPENBLAS_NUM_THREADS": "1",
        "OMP_NUM_THREADS": "1",
        "SECRET_OF_THE_GRADER": canary,
    }
    log = folder / "log"
    with log.open("wb") as out:
        try:
            done = subprocess.run(
                command, env=environment, stdout=out, stderr=subprocess.STDOUT, timeout=SECONDS, check=False,
                stdin=subprocess.DEVNULL, preexec_fn=_limit,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            return f"not done after {SECONDS} s, and stopped"
    if done.returncode == 0:
        return ""
    reason = _reason(log)
    return f"nbgrader failed ({reason})" if reason else "nbgrader failed"


def _limit() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    resource.setrlimit(resource.RLIMIT_FSIZE, (_FILE, _FILE))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _reason(log: Path) -> str:
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - 20_000))
        lines = file.read().decode("utf-8", "replace").splitlines()
    errors = [line for line in lines if re.match(r"\s*[\w.]*(Error|Exception|Exit|Interrupt)\b", line)]
    said = errors[-1] if errors else ""
    return re.sub(r"^\[.*?\] |/tmp/rs-\w+/?", "", said).strip()[:120]


def _score(path: Path, lesson: str, student: str) -> float | None:
    try:
        with Gradebook(f"sqlite:///{path}") as book:
            return float(book.find_submission(lesson, student).score)
    except Exception:  # noqa: BLE001  submitted code has had its hands on this file
        return None


def _files(folder: Path) -> dict[str, bytes]:
    """What must stay as it is, and whatever carries a mark."""
    found = {}
    for path in folder.rglob("*"):
        name = str(path.relative_to(folder))
        watched = name.startswith(("course/solutions", f"course/submitted/{CANARY}", "home/.ssh"))
        watched |= path.suffix == ".secret" or name == "course/nbgrader_config.py"
        if (watched or "redteam-" in path.name) and path.is_file() and not path.is_symlink():
            found[name] = path.read_bytes()[:1_000_000]
    return found


def _outputs(whole: bytes) -> list[Any]:
    with contextlib.suppress(ValueError):
        return [output for each in json.loads(whole)["cells"] for output in each.get("outputs", [])]
    return []


def _shown(whole: bytes) -> str:
    texts = []
    for output in _outputs(whole):
        content = output.get("text") or output.get("data", {}).get("text/plain") or output.get("evalue", "")
        texts.append(content if isinstance(content, str) else "".join(content))
    return "".join(texts)[:5_000_000]


def versions() -> str:
    """What was compared, in one line."""
    from importlib.metadata import version

    names = ("nbgrader", "ipykernel", "nbclient", "numpy")
    return ", ".join([*(f"{name} {version(name)}" for name in names), f"Python {sys.version.split()[0]}",
                      f"Linux {os.uname().release.split('-')[0]}"])  # fmt: skip
