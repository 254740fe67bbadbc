"""The record: whenever the grader is killed, what it leaves is consistent, and going on gives the same grades."""

from __future__ import annotations

import contextlib
import os
import random
import re
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psutil
import pytest
from nbgrader.api import Gradebook, MissingEntry

from autograder import gradebook
from autograder.class_grading import ClassGrading
from autograder.gradebook import Course, GradebookError
from autograder.intake import from_path
from autograder.seeds import secret_seed
from tests.grading.conftest import HandIn
from tests.grading.fixture_lesson import NAME
from tests.grading.helpers import LESSON, LIMITS, RIGHT, grade_one, submission
from tests.grading.quick_sandbox import QuickSandbox

WRONG = {**RIGHT, "scale": "def scale(x, factor):\n    return x + factor"}
CLOCK = re.compile(rb'"seconds": [\d.e-]+|"time": "[\dTZ:-]+"')
KINDS: tuple[Any, ...] = (submission(RIGHT), submission(WRONG), submission(), b"garbage")


def contents(course: Course) -> dict[str, Any]:
    """All that a run leaves but its times: the gradebook's rows, with names for random ids, and the files."""
    files = {
        path.relative_to(course.root).as_posix(): CLOCK.sub(b"", path.read_bytes())
        for path in sorted((course.root / "autograded").rglob("*"))
        if path.is_file()
    }
    return {"rows": sorted(rows(course.root / "gradebook.db")), "files": files}


def rows(path: Path) -> Iterator[str]:
    with closing(sqlite3.connect(path)) as database:
        database.row_factory = sqlite3.Row
        tables = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        every = {table: [dict(row) for row in database.execute(f"SELECT * FROM {table}")] for table in tables}
    by_id: dict[str, dict[str, Any]] = {}
    for table, found in every.items():
        for row in found:
            if "id" in row:
                by_id.setdefault(row["id"], {})[table] = row

    def plain(value: Any) -> Any:
        if not (isinstance(value, str) and len(value) == 32 and value in by_id):
            return value
        kinds = by_id[value]
        return {t: {key: plain(v) for key, v in row.items() if key != "id"} for t, row in sorted(kinds.items())}

    for table, found in every.items():
        for row in found:
            yield f"{table}: { {key: plain(value) for key, value in row.items()} }"


def hand_in_all(course: Course, hand_in: HandIn, size: int) -> None:
    for number in range(size):
        path = hand_in(f"s{number:02d}", KINDS[number % len(KINDS)])
        (path.parent / "timestamp.txt").write_text(f"2026-01-{number % 28 + 1:02d} 10:00:00 UTC\n")


def start(course: Course, root: Path, *, quick: bool) -> subprocess.Popen[str]:
    """A grader that has imported everything and begins."""
    workers = ("--workers", "1" if quick else "2")
    command = [sys.executable, "-m", "tests.grading.grade_fixture", "grade", NAME, *workers]
    grader = subprocess.Popen(
        [*command, "--course", str(course.root)],
        cwd=root,
        env={**os.environ, "QUICK": "1" if quick else "0", "OPENBLAS_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert grader.stdout is not None
    assert grader.stdout.readline() == "ready\n"
    return grader


def let_end(grader: subprocess.Popen[str]) -> None:
    said = grader.communicate(timeout=1800)[0]
    assert grader.returncode == 0, said


def undisturbed(course: Course, root: Path, *, quick: bool) -> tuple[float, float]:
    """Grade all; returns the seconds until the first submission was done, and until all were."""
    began = time.monotonic()
    grader = start(course, root, quick=quick)
    while grader.poll() is None and not list((course.root / "autograded").glob("*/*/*.ipynb")):
        time.sleep(0.02)
    first = time.monotonic() - began
    let_end(grader)
    return first, time.monotonic() - began


def trial(course: Course, hand_in: HandIn, root: Path, tmp_path: Path, size: int, kills: int, quick: bool) -> None:
    """Kill the grader or one of its processes at random moments and go on; compare with a run that nobody disturbed."""
    hand_in_all(course, hand_in, size)
    secret_seed(course.db_url, course.root, NAME)
    with (course.root / "nbgrader_config.py").open("a") as file:
        file.write("c.AssignLatePenalties.plugin_class = 'tests.grading.helpers.HalfOff'\n")
    (course.root / "gradebook.db").unlink()  # its making can be killed too
    other = Course(Path(shutil.copytree(course.root, tmp_path / "undisturbed")))
    first, whole = undisturbed(other, root, quick=quick)
    rng = random.Random(7)
    span = first + 3 * (whole - first) / kills
    hit = 0
    while hit < kills:
        grader = start(course, root, quick=quick)
        time.sleep(rng.uniform(0, span))
        if grader.poll() is None:
            hit += 1
            family = psutil.Process(grader.pid).children(recursive=True)
            if family and rng.random() < 0.5:  # a worker, or whatever it has started; the grader goes on without
                with contextlib.suppress(psutil.Error):
                    rng.choice(family).kill()
                    hit += 1
                time.sleep(rng.uniform(0, span))
        else:
            span *= 0.7  # it ended first: the class is done, or the machine has become faster
        grader.kill()
        grader.communicate()
    let_end(start(course, root, quick=quick))
    assert contents(course) == contents(other)


@pytest.mark.skipif(os.name != "posix", reason="kill -9 as POSIX has it")
def test_a_killed_grader_goes_on_to_the_grades_of_an_undisturbed_one(
    course: Course, hand_in: HandIn, root: Path, tmp_path: Path
) -> None:
    trial(course, hand_in, root, tmp_path, size=4, kills=2, quick=True)


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="kill -9 as POSIX has it")
@pytest.mark.parametrize("quick", [True, False], ids=["quick", "real sandbox"])
def test_fifty_kills_in_a_class_of_thirty(
    course: Course, hand_in: HandIn, root: Path, tmp_path: Path, quick: bool
) -> None:
    trial(course, hand_in, root, tmp_path, size=30, kills=50, quick=quick)


@pytest.mark.parametrize("step", ["_SaveGrades.save", "_record_bonus", "assign_late_penalty"])
def test_a_submission_is_recorded_whole_or_not_at_all(
    course: Course, hand_in: HandIn, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    def fail(*_: object) -> None:
        raise OSError("the disk is full")

    hand_in("ada", submission(RIGHT))
    run = ClassGrading(course, NAME, QuickSandbox(), LIMITS)
    with monkeypatch.context() as patch:
        patch.setattr(f"autograder.gradebook.{step}", fail)
        entry, notes = grade_one(run, "ada")
    assert (entry["outcome"], entry["score"]) == ("failed", 0)
    assert notes == ["the grader failed, nothing is recorded: OSError: the disk is full"]
    with Gradebook(course.db_url) as book, pytest.raises(MissingEntry):
        book.find_submission(NAME, "ada")
    assert run.already_graded("ada") is None
    grade_one(run, "ada")
    with Gradebook(course.db_url) as book:
        assert book.find_submission(NAME, "ada").score == 8


def test_halves_that_a_killed_writer_left_are_removed(course: Course, hand_in: HandIn) -> None:
    hand_in("ada", submission(RIGHT))
    folder = course.folder("autograded", "ada", NAME)
    folder.mkdir(parents=True)
    (folder / f".{NAME}.ipynb.abc.part").write_text("half")
    (folder / ".timestamp.txt.abc.part").write_text("half")
    grade_one(ClassGrading(course, NAME, QuickSandbox(), LIMITS), "ada")
    assert [path.name for path in folder.iterdir()] == [f"{NAME}.ipynb"]


def test_a_gradebook_that_was_only_half_made_is_made_again(course: Course) -> None:
    (course.root / "gradebook.db").write_bytes(b"")
    left = course.root / ".gradebook-left"
    left.mkdir()
    (left / "gradebook.db").write_bytes(b"half")
    gradebook.ensure_assignment(course, LESSON)
    assert not left.exists()
    with Gradebook(course.db_url) as book:
        assert book.find_notebook(NAME, NAME)


def test_a_lesson_that_was_only_half_entered_is_entered_again(course: Course) -> None:
    gradebook.ensure_assignment(course, LESSON)
    with Gradebook(course.db_url) as book:
        whole = {cell.name for cell in book.find_notebook(NAME, NAME).source_cells}
        book.db.delete(book.find_notebook(NAME, NAME).source_cells[0])
        book.db.commit()
    gradebook.ensure_assignment(course, LESSON)
    with Gradebook(course.db_url) as book:
        assert {cell.name for cell in book.find_notebook(NAME, NAME).source_cells} == whole


def test_what_was_handed_in_again_and_what_another_seed_graded_is_not_taken_for_graded(
    course: Course, hand_in: HandIn
) -> None:
    hand_in("ada", submission(RIGHT))
    run = ClassGrading(course, NAME, QuickSandbox(), LIMITS)
    entry, _ = grade_one(run, "ada")
    assert run.already_graded("ada") == entry
    path = hand_in("ada", submission(WRONG))
    assert run.already_graded("ada") is None
    path.unlink()
    assert run.already_graded("ada") is None
    hand_in("ada", submission(RIGHT))
    assert run.already_graded("ada") == entry
    again = ClassGrading(course, NAME, QuickSandbox(), LIMITS)
    again.draw_new_seed()
    assert again.already_graded("ada") is None
    grade_one(again, "ada")
    assert ClassGrading(course, NAME, QuickSandbox(), LIMITS).already_graded("ada") is not None


def test_one_grader_at_a_time(course: Course, hand_in: HandIn, root: Path) -> None:
    hand_in("ada", submission(RIGHT))
    command = [sys.executable, "-m", "tests.grading.grade_fixture", "grade", NAME, "--course", str(course.root)]
    environment = {**os.environ, "QUICK": "1", "PYTHONPATH": str(root), "COLUMNS": "200"}
    with gradebook.only_grader(course, NAME):
        second = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=False)
        with pytest.raises(GradebookError, match="Another grader is at work"), gradebook.only_grader(course, NAME):
            raise AssertionError("two graders at once")
        done = course.api().autograde(NAME, "ada")
    assert second.returncode == 2, second.stdout + second.stderr
    assert f"Another grader is at work on {NAME}" in second.stderr
    assert not done["success"]
    assert "Another grader is at work" in done["log"]
    assert not course.folder("autograded", "ada", NAME).exists()
    third = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=False)
    assert third.returncode == 0, third.stdout + third.stderr


def test_a_time_that_is_none_costs_no_grade(course: Course, hand_in: HandIn) -> None:
    path = hand_in("ada", submission(RIGHT))
    (path.parent / "timestamp.txt").write_text("yesterday, I think")
    entry, notes = grade_one(ClassGrading(course, NAME, QuickSandbox(), LIMITS), "ada")
    assert entry["score"] == 8
    assert ["which is no time" in note for note in notes] == [True]


def test_the_digest_in_an_autograded_notebook_is_the_submission_s(course: Course, hand_in: HandIn) -> None:
    path = hand_in("ada", submission(RIGHT))
    grade_one(ClassGrading(course, NAME, QuickSandbox(), LIMITS), "ada")
    known = gradebook.graded_entry(course.folder("autograded", "ada", NAME) / f"{NAME}.ipynb")
    assert known is not None
    assert known["submission"] == from_path(path).digest
