"""A gradebook on a real PostgreSQL server: two graders at once lose nothing, double nothing, and heed each other."""

from __future__ import annotations

import contextlib
import os
import random
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbgrader.api import Gradebook, Student
from sqlalchemy import create_engine, insert, inspect, text

from autograder import gradebook
from autograder.assemble import KEY
from autograder.class_grading import ClassGrading
from autograder.gradebook import Course, GradebookError, open_gradebook
from autograder.seeds import secret_seed
from course_lib import exercises
from tests.grading import fixture_lesson
from tests.grading.conftest import HandIn
from tests.grading.fixture_lesson import NAME, SECOND
from tests.grading.helpers import LESSON, LIMITS, MODULE, RIGHT, as_bytes, grade_one, submission
from tests.grading.postgresql_server import USER, missing, server
from tests.grading.quick_sandbox import QuickSandbox

WRONG = {**RIGHT, "scale": "def scale(x, factor):\n    return x + factor"}
KINDS: tuple[Any, ...] = (as_bytes(submission(RIGHT)), as_bytes(submission(WRONG)), b"garbage")
STUDENTS = [f"s{number:02d}" for number in range(9)]
EXPECTED = {0: (6.0, 2.0), 1: (2.0, 2.0), 2: (0.0, 0.0)}
"""By kind: automatic points of the core, and the bonus."""


@pytest.fixture(scope="module")
def socket() -> Iterator[Path]:
    """The folder of a server's socket."""
    if why := missing():
        if os.environ.get("REQUIRE_ALL") == "1":
            pytest.fail(why)
        pytest.skip(why)
    with server() as folder:
        yield folder


def url_of(socket: Path, database: str) -> str:
    return f"postgresql+psycopg://{USER}@/{database}?host={socket}"


@pytest.fixture
def shared(course: Course, socket: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Course]:
    """A course with two lessons, whose one setting names an empty database on the server."""
    monkeypatch.setattr(exercises, "LESSONS", {**exercises.LESSONS, NAME: MODULE, SECOND: MODULE})
    path = course.root / "solutions" / SECOND / f"{SECOND}.ipynb"
    path.parent.mkdir()
    nbformat.write(fixture_lesson.solution(), path)
    (course.root / "gradebook.db").unlink()
    database = f"course{time.monotonic_ns()}"
    admin = create_engine(url_of(socket, "postgres"), isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {database}"))
    with (course.root / "nbgrader_config.py").open("a") as file:
        file.write(f"c.CourseDirectory.db_url = {url_of(socket, database)!r}\n")
    yield Course(course.root)
    with admin.connect() as connection:
        connection.execute(text(f"DROP DATABASE {database} WITH (FORCE)"))
    admin.dispose()


def hand_in_all(course: Course, *lessons: str) -> None:
    for lesson in lessons:
        for number, student in enumerate(STUDENTS):
            path = course.folder("submitted", student, lesson) / f"{lesson}.ipynb"
            path.parent.mkdir(parents=True)
            path.write_bytes(KINDS[number % len(KINDS)])


def start(course: Course, root: Path, lesson: str, *students: str) -> subprocess.Popen[str]:
    """A grader that has imported everything and begins."""
    only = [word for student in students for word in ("--student", student)]
    command = [sys.executable, "-m", "tests.grading.grade_fixture"]
    grader = subprocess.Popen(
        [*command, "grade", lesson, "--workers", "1", *only, "--course", str(course.root)],
        cwd=root,
        env={**os.environ, "QUICK": "1", "OPENBLAS_NUM_THREADS": "1", "COLUMNS": "200"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert grader.stdout is not None
    assert grader.stdout.readline() == "ready\n"
    return grader


def end(grader: subprocess.Popen[str]) -> str:
    said = grader.communicate(timeout=1800)[0]
    assert grader.returncode == 0, said
    return said


def recorded(course: Course) -> dict[tuple[str, str], tuple[float, float]]:
    """By lesson and student, the points of the core and the bonus; fails where anything is there twice."""
    found: dict[tuple[str, str], tuple[float, float]] = {}
    with Gradebook(course.db_url, course.directory.course_id) as book:
        for assignment in book.assignments:
            cells = {cell.name for notebook in assignment.notebooks for cell in notebook.grade_cells}
            for handed_in in assignment.submissions:
                (notebook,) = handed_in.notebooks
                assert sorted(grade.name for grade in notebook.grades) == sorted(cells)
                assert len(notebook.comments) == len({comment.name for comment in notebook.comments}) == 4
                core = sum(grade.auto_score or 0 for grade in notebook.grades)
                bonus = sum(grade.extra_credit or 0 for grade in notebook.grades)
                key = assignment.name, handed_in.student.id
                assert key not in found
                found[key] = core, bonus
                assert handed_in.score == core + bonus
        assert sorted(student.id for student in book.students) == sorted({student for _, student in found})
    return found


def whole(*lessons: str) -> dict[tuple[str, str], tuple[float, float]]:
    return {
        (lesson, student): EXPECTED[number % len(KINDS)]
        for lesson in lessons
        for number, student in enumerate(STUDENTS)
    }


def test_two_graders_at_once_on_two_lessons(shared: Course, root: Path) -> None:
    hand_in_all(shared, NAME, SECOND)  # both meet the same students for the first time, and no tables
    graders = [start(shared, root, lesson) for lesson in (NAME, SECOND)]
    for grader in graders:
        assert f"{len(STUDENTS)} of {len(STUDENTS)} submissions" in end(grader)
    assert recorded(shared) == whole(NAME, SECOND)
    assert not list(shared.root.glob("*.secret"))
    assert not list(shared.root.glob("*.db"))
    assert "6 graded, 3 malformed" in end(start(shared, root, NAME))  # nothing is run or recorded twice
    assert recorded(shared) == whole(NAME, SECOND)


@pytest.mark.slow
def test_two_graders_at_once_on_two_halves_of_a_class(shared: Course, root: Path) -> None:
    hand_in_all(shared, NAME)
    graders = [start(shared, root, NAME, *half) for half in (STUDENTS[::2], STUDENTS[1::2])]
    said = [end(grader) for grader in graders]
    assert ["5 of 5 submissions" in said[0], "4 of 4 submissions" in said[1]] == [True, True]
    assert recorded(shared) == whole(NAME)
    seeds = {
        nbformat.read(path, as_version=4).metadata[KEY]["seed"]
        for path in (shared.root / "autograded").rglob("*.ipynb")
    }
    assert len(seeds) == 1


def test_graders_who_would_be_in_each_other_s_way_are_refused(shared: Course, root: Path) -> None:
    hand_in_all(shared, NAME)
    with gradebook.only_grader(shared, NAME):
        refused = start(shared, root, NAME, "s00")
        said = refused.communicate()[0]
        assert refused.returncode == 2
        assert f"Another grader is at work on {NAME}" in said
        with gradebook.only_grader(shared, SECOND):
            pass
    with gradebook.only_grader(shared, NAME, ["s00", "s01"]):
        with pytest.raises(GradebookError, match=f"at work on {NAME} "), gradebook.only_grader(shared, NAME):
            raise AssertionError("the class while a student is held")
        with pytest.raises(GradebookError, match=f"{NAME}/s01"), gradebook.only_grader(shared, NAME, ["s01", "s02"]):
            raise AssertionError("one student twice")
        end(start(shared, root, NAME, "s02", "s03"))
    assert set(recorded(shared)) == {(NAME, "s02"), (NAME, "s03")}


@pytest.mark.parametrize("kills", [1, pytest.param(40, marks=pytest.mark.slow)])
def test_killed_graders_go_on(shared: Course, root: Path, kills: int) -> None:
    hand_in_all(shared, NAME, SECOND)
    rng = random.Random(5)
    span = 6.0
    for _ in range(kills):
        graders = [start(shared, root, lesson) for lesson in (NAME, SECOND)]
        time.sleep(rng.uniform(0, span))
        done = [grader.poll() is not None for grader in graders]
        span *= 0.7 if all(done) else 1.0
        for grader in graders:
            grader.kill()
            grader.communicate()
        if all(done):
            shutil.rmtree(shared.root / "autograded")  # everything once more, over what is recorded
    for grader in [start(shared, root, lesson) for lesson in (NAME, SECOND)]:
        end(grader)
    assert recorded(shared) == whole(NAME, SECOND)
    engine = create_engine(shared.db_url)
    assert {"alembic_version", "course_bonus", "course_seed"} <= set(inspect(engine).get_table_names())
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM alembic_version")) == 1
        assert connection.scalar(text("SELECT count(*) FROM course_bonus")) == 2 * len(STUDENTS)
        assert connection.scalar(text("SELECT count(*) FROM course_seed")) == 2
    engine.dispose()


def test_a_gradebook_whose_making_was_cut_short_is_finished(shared: Course) -> None:
    open_gradebook(shared).close()
    engine = create_engine(shared.db_url)
    with engine.begin() as connection:
        version = connection.scalar(text("SELECT version_num FROM alembic_version"))
        connection.execute(text("DROP TABLE alembic_version"))
    open_gradebook(shared).close()
    with engine.connect() as connection:
        assert connection.scalars(text("SELECT version_num FROM alembic_version")).all() == [version]
    engine.dispose()


def test_a_submission_is_recorded_as_a_whole_or_not_at_all(
    shared: Course, hand_in: HandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    hand_in("ada", submission(RIGHT))
    run = ClassGrading(shared, NAME, QuickSandbox(), LIMITS)

    def fail(*_: Any) -> None:
        raise OSError("the power is gone")

    with monkeypatch.context() as patch:
        patch.setattr("autograder.gradebook.assign_late_penalty", fail)
        entry, _ = grade_one(run, "ada")
    assert entry["outcome"] == "failed"
    assert recorded(shared) == {}
    grade_one(run, "ada")
    assert recorded(shared) == {(NAME, "ada"): EXPECTED[0]}


def test_a_student_whom_another_grader_enters_at_this_moment(shared: Course, hand_in: HandIn) -> None:
    hand_in("ada", submission(RIGHT))
    run = ClassGrading(shared, NAME, QuickSandbox(), LIMITS)
    outcomes: list[Any] = []
    worker = threading.Thread(target=lambda: outcomes.append(grade_one(run, "ada")))
    engine = create_engine(shared.db_url)
    waiting = text("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE 'INSERT%'")
    with engine.connect() as other, engine.connect() as watcher:
        other.execute(insert(Student).values(id="ada"))
        worker.start()
        while not watcher.scalar(waiting):
            watcher.rollback()
            assert worker.is_alive()
            time.sleep(0.02)
        other.commit()
    worker.join()
    engine.dispose()
    assert outcomes[0][0]["outcome"] == "graded"
    assert recorded(shared) == {(NAME, "ada"): EXPECTED[0]}


def test_graders_on_several_machines_share_the_seed(shared: Course, tmp_path: Path) -> None:
    seed = secret_seed(shared.db_url, shared.root, NAME)
    assert secret_seed(shared.db_url, tmp_path / "another machine", NAME) == seed
    assert secret_seed(shared.db_url, shared.root, SECOND) != seed
    assert secret_seed(shared.db_url, shared.root, NAME, new=True) != seed


@pytest.mark.slow
def test_nbgrader_autograde_uses_it_too(shared: Course, root: Path) -> None:
    hand_in_all(shared, NAME)
    gradebook.ensure_assignment(shared, LESSON)
    with (shared.root / "nbgrader_config.py").open("a") as file:
        file.write("c.RunAndJudge.unsafe = True\nimport course_lib.exercises as e\n")
        file.write(f"e.LESSONS = {{**e.LESSONS, {NAME!r}: {MODULE!r}}}\n")
    done = subprocess.run(
        [sys.executable, "-m", "nbgrader", "autograde", NAME, "--student", "s00"],
        cwd=shared.root, env={**os.environ, "PYTHONPATH": str(root)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert recorded(shared) == {(NAME, "s00"): EXPECTED[0]}


def test_without_the_driver_it_says_what_to_install(course: Course, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    course.directory.db_url = "postgresql+psycopg://ada:secret@localhost/course"
    with pytest.raises(GradebookError, match=r"pip install -r requirements-postgresql\.txt"):
        gradebook.ensure_assignment(course, LESSON)


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("postgresql+psycopg://ada:secret@/course?host=/nowhere", "cannot be used: .*server"),
        ("postgresql+nothing://ada@/course", "no address of a database"),
    ],
)
def test_a_server_that_does_not_answer_is_an_error_that_says_so(course: Course, url: str, sentence: str) -> None:
    pytest.importorskip("psycopg")
    course.directory.db_url = url
    with pytest.raises(GradebookError, match=sentence) as raised:
        gradebook.ensure_assignment(course, LESSON)
    assert "secret" not in str(raised.value)
    assert re.search(r"c\.CourseDirectory\.db_url", str(raised.value))
    with contextlib.suppress(GradebookError):
        secret_seed(url, course.root, NAME)
    assert not list(course.root.glob("*.secret"))
