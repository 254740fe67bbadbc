"""The commands as an instructor runs them, in a course with a class in it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from nbgrader.api import Gradebook
from typer.testing import CliRunner

from autograder.class_grading import ClassGrading
from autograder.cli import app
from autograder.gradebook import Course
from autograder.pipeline import OUTCOMES, UNSAFE
from autograder.sandbox import SandboxError
from autograder.sandbox.choice import Report
from course_lib.exercises.grading import OUTCOMES as EXERCISE_OUTCOMES
from tests.grading.conftest import HandIn
from tests.grading.fixture_lesson import NAME
from tests.grading.helpers import MODULE, RIGHT, as_bytes, submission

WRONG = {**RIGHT, "scale": "def scale(x, factor):\n    return x + factor"}
LOOP = {**RIGHT, "centre": "def centre(x):\n    while True:\n        pass"}
PROVENANCE = {
    "type": "object",
    "additionalProperties": False,
    "required": ["line", "lesson", "seed", "time"],
    "properties": {
        **{key: {"type": "string", "pattern": "^[0-9a-f]{8,16}$"} for key in ("line", "lesson", "exercise", "seed")},
        "time": {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$"},
    },
}
SCHEMA = {
    "type": "object",
    "additionalProperties": False,
    "required": ["lesson", "submissions"],
    "properties": {
        "lesson": {"type": "string"},
        "submissions": {
            "type": "array",
            "items": {
                "type": "object",
                "additionalProperties": False,
                "required": ["student", "outcome", "score", "max_score", "exercises"],
                "properties": {
                    "student": {"type": "string"},
                    "outcome": {"enum": list(OUTCOMES)},
                    "score": {"type": "integer", "minimum": 0},
                    "max_score": {"type": "integer", "minimum": 0},
                    "provenance": PROVENANCE,
                    "exercises": {
                        "type": "array",
                        "items": {
                            "type": "object",
                            "additionalProperties": False,
                            "required": [
                                *("id", "points", "max_points", "outcome", "misconception", "message", "provenance")
                            ],
                            "properties": {
                                "id": {"type": "string"},
                                "points": {"type": "integer", "minimum": 0},
                                "max_points": {"type": "integer", "minimum": 1},
                                "outcome": {"enum": list(EXERCISE_OUTCOMES)},
                                "misconception": {"type": ["string", "null"]},
                                "message": {"type": "string", "minLength": 1},
                                "bonus": {"const": True},
                                "provenance": {**PROVENANCE, "required": [*PROVENANCE["properties"]]},
                            },
                        },
                    },
                },
            },
        },
    },
}


def invoke(course: Course, *arguments: str) -> Any:
    return CliRunner().invoke(app, [*arguments, "--course", str(course.root)])


def read_strictly(path: Path) -> Any:
    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is no JSON")

    return json.loads(path.read_text(encoding="utf-8"), parse_constant=refuse)


def test_a_class_is_graded_and_reported(course: Course, hand_in: HandIn, tmp_path: Path) -> None:
    hand_in("ada", submission(RIGHT))
    hand_in("bob", submission(WRONG))
    hand_in("cy", b"garbage")
    course.folder("submitted", "dan", NAME).mkdir(parents=True)
    out = tmp_path / "out" / "grades.json"
    done = invoke(course, "grade", NAME, "--json", str(out), "--timeout", "30")
    assert done.exit_code == 0, done.output
    assert "4 of 4 submissions" in done.output
    content = read_strictly(out)
    jsonschema.validate(content, SCHEMA)
    assert content["lesson"] == NAME
    found = {
        entry["student"]: (entry["outcome"], entry["score"], entry["max_score"]) for entry in content["submissions"]
    }
    assert found == {
        "ada": ("graded", 8, 6),
        "bob": ("graded", 4, 6),
        "cy": ("malformed", 0, 6),
        "dan": ("missing", 0, 6),
    }
    assert [each["misconception"] for each in content["submissions"][1]["exercises"]] == ["adds", None, None]
    with Gradebook(course.db_url) as book:
        recorded = {each.student.id: each.score for each in book.assignment_submissions(NAME)}
    assert recorded == {"ada": 8, "bob": 4, "cy": 0, "dan": 0}

    page = tmp_path / "report.html"
    reported = invoke(course, "report", "--html", str(page))
    assert reported.exit_code == 0, reported.output
    assert "This adds the factor." in reported.output
    html = page.read_text(encoding="utf-8")
    assert "This adds the factor." in html
    assert "<script" not in html
    assert 'role="img" aria-label="Marks of 4 students' in html
    # nbgrader's feedback step takes what this command wrote.
    feedback = course.api().generate_feedback(NAME)
    assert feedback["success"], feedback
    told = (course.folder("feedback", "ada", NAME) / f"{NAME}.html").read_text(encoding="utf-8")
    assert "All 3 exercises are right." in told


def test_one_student_alone_and_one_whom_nobody_knows(course: Course, hand_in: HandIn, tmp_path: Path) -> None:
    hand_in("ada", submission())
    hand_in("bob", submission())
    out = tmp_path / "grades.json"
    assert invoke(course, "grade", NAME, "--student", "bob", "--json", str(out)).exit_code == 0
    assert [entry["student"] for entry in read_strictly(out)["submissions"]] == ["bob"]
    assert not course.folder("autograded", "ada", NAME).exists()
    unknown = invoke(course, "grade", NAME, "--student", "bobb")
    assert unknown.exit_code == 2
    assert "There is no student 'bobb'" in unknown.output


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("grade", "99_nothing"), "There is no lesson '99_nothing'"),
        (("grade", NAME), "Nobody has handed in"),
        (("grade", NAME, "--timeout", "0"), "the limit cell is 0.0; it must be more than 0"),
        (("report",), "Nothing is graded here yet"),
        (("report", NAME), f"Nothing of {NAME} is graded here"),
        (("report", "99_nothing"), "There is no lesson '99_nothing'"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_sentence(course: Course, arguments: tuple[str, ...], sentence: str) -> None:
    done = invoke(course, *arguments)
    assert done.exit_code == 2
    assert sentence in done.output.replace("\n", " ")


def test_when_the_grader_itself_fails_the_others_are_graded(
    course: Course, hand_in: HandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for student in ("ada", "bob"):
        hand_in(student, submission())
    real = ClassGrading.record

    def fail(self: ClassGrading, recorder: Any, student: str, notebook: Any) -> Any:
        if student == "ada":
            raise OSError("the disk is full")
        return real(self, recorder, student, notebook)

    monkeypatch.setattr(ClassGrading, "record", fail)
    out = tmp_path / "grades.json"
    done = invoke(course, "grade", NAME, "--json", str(out))
    assert done.exit_code == 1
    assert "the disk is full" in done.output
    jsonschema.validate(read_strictly(out), SCHEMA)
    assert [entry["outcome"] for entry in read_strictly(out)["submissions"]] == ["failed", "graded"]


@pytest.mark.skipif(os.name != "posix", reason="names as POSIX allows them")
@pytest.mark.parametrize("name", ["<script>alert(1)<", "[bold]x", "-rf", "a\x1b[2Jb", "a\u202eb", "con"])
def test_a_folder_whose_name_no_student_can_have_is_named_and_left_out(
    course: Course, hand_in: HandIn, tmp_path: Path, name: str
) -> None:
    hand_in(name, submission())
    hand_in("ada", submission())
    done = invoke(course, "grade", NAME)
    assert done.exit_code == 1
    assert "is not graded: its name is one which" in done.output
    assert "\x1b[2J" not in done.output
    assert "1 of 1 submissions" in done.output
    assert [path.name for path in (course.root / "autograded").iterdir()] == ["ada"]
    assert invoke(course, "grade", NAME, "--student", name).exit_code == 2
    assert not course.api().autograde(NAME, name)["success"]
    with Gradebook(course.db_url) as book:
        assert [student.id for student in book.students] == ["ada"]


PROGRAM = f"""
import sys
from course_lib import exercises
exercises.LESSONS = {{**exercises.LESSONS, {NAME!r}: {MODULE!r}}}
from autograder.cli import app
app()
"""


def begin(course: Course, root: Path, *options: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", PROGRAM, "grade", NAME, "--course", str(course.root), *options]
    return subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def wait_for(path: Path) -> None:
    until = time.monotonic() + 300
    while not path.exists() and time.monotonic() < until:
        time.sleep(0.1)


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="Ctrl-C as POSIX sends it")
@pytest.mark.parametrize("workers", ["1", "2"])
def test_ctrl_c_ends_what_is_under_way_and_says_how_to_go_on(
    course: Course, hand_in: HandIn, root: Path, tmp_path: Path, workers: str
) -> None:
    hand_in("ada", submission(RIGHT))
    hand_in("bob", submission(LOOP))
    for number in range(6):
        hand_in(f"s{number}", submission({"scale": f"def scale(x, factor):\n    return x + factor + {number}"}))
    out = tmp_path / "grades.json"
    running = begin(course, root, "--json", str(out), "--timeout", "4", "--workers", workers)
    first = course.folder("autograded", "ada", NAME) / f"{NAME}.ipynb"
    wait_for(first)
    running.send_signal(signal.SIGINT)  # bob's loop is under way or will be next
    said, _ = running.communicate(timeout=300)
    assert running.returncode == 130, said
    assert "what is under way is ended first" in said
    assert f"go on with: python -m autograder grade {NAME}" in said.replace("\n", " ")
    known = {entry["student"]: entry["score"] for entry in read_strictly(out)["submissions"]}
    assert known["ada"] == 8
    assert 1 <= len(known) < 8
    with Gradebook(course.db_url) as book:
        assert {each.student.id: each.score for each in book.assignment_submissions(NAME)} == known

    before = first.stat().st_mtime_ns
    again = begin(course, root, "--json", str(out), "--timeout", "4", "--workers", workers)
    said, _ = again.communicate(timeout=300)
    assert again.returncode == 0, said
    assert first.stat().st_mtime_ns == before
    entries = {entry["student"]: (entry["outcome"], entry["score"]) for entry in read_strictly(out)["submissions"]}
    assert entries["bob"] == ("timeout", 6)
    assert len(entries) == 8


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="Ctrl-C as POSIX sends it")
@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_second_ctrl_c_gives_up_what_is_under_way(course: Course, hand_in: HandIn, root: Path, workers: str) -> None:
    hand_in("ada", submission(RIGHT))
    hand_in("bob", submission(LOOP))
    running = begin(course, root, "--timeout", "300", "--workers", workers)
    wait_for(course.folder("autograded", "ada", NAME) / f"{NAME}.ipynb")
    time.sleep(2.0)
    for _ in range(2):
        running.send_signal(signal.SIGINT)
        time.sleep(0.5)
    said, _ = running.communicate(timeout=120)
    assert running.returncode == 130, said
    with Gradebook(course.db_url) as book:
        assert [each.student.id for each in book.assignment_submissions(NAME)] == ["ada"]


def test_a_new_seed_grades_everybody_with_other_cases(course: Course, hand_in: HandIn) -> None:
    for student in ("ada", "bob"):
        hand_in(student, submission(RIGHT))
    assert invoke(course, "grade", NAME).exit_code == 0
    path = course.root / f"{NAME}.secret"
    before = path.read_text()
    refused = invoke(course, "grade", NAME, "--new-seed", "--student", "ada")
    assert refused.exit_code == 2
    assert path.read_text() == before
    done = invoke(course, "grade", NAME, "--new-seed")
    assert done.exit_code == 0, done.output
    assert "A new seed was drawn" in done.output
    assert "2 of 2 submissions" in done.output
    assert path.read_text() != before
    again = invoke(course, "grade", NAME)
    assert "2 of 2 submissions" in again.output


def test_unsafe_is_loud_and_another_sandbox_s_name_an_error(course: Course, hand_in: HandIn) -> None:
    hand_in("ada", submission(RIGHT))
    done = invoke(course, "grade", NAME, "--unsafe")
    assert done.exit_code == 0, done.output
    assert UNSAFE in done.output
    assert "1 graded" in done.output
    other = invoke(course, "grade", NAME, "--sandbox", "cardboard")
    assert other.exit_code == 2
    assert "there is no sandbox 'cardboard'; choose one of auto, bubblewrap, landlock" in other.output


def test_where_no_sandbox_works_nothing_is_run_and_nothing_is_lost(
    course: Course, hand_in: HandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    hand_in("ada", submission(RIGHT))
    assert invoke(course, "grade", NAME).exit_code == 0
    graded = course.folder("autograded", "ada", NAME) / f"{NAME}.ipynb"
    before = graded.read_bytes()
    hand_in("ada", submission(WRONG))

    def none(*_: object, **__: object) -> None:
        raise SandboxError("No sandbox works here, so nothing was run.")

    monkeypatch.setattr("autograder.sandbox.choice.choose", none)
    monkeypatch.setattr("autograder.nbgrader_plugins.choose", none)
    refused = invoke(course, "grade", NAME)
    assert (refused.exit_code, "No sandbox works here" in refused.output) == (2, True)
    done = course.api().autograde(NAME, "ada", force=True)
    assert not done["success"]
    assert "No sandbox works here" in done["log"]
    assert graded.read_bytes() == before


def test_the_sandboxes_of_this_machine_are_described(monkeypatch: pytest.MonkeyPatch) -> None:
    reports = [Report("bubblewrap", "it is not installed"), Report("landlock", "", ("No network.",))]
    monkeypatch.setattr("autograder.sandbox.choice.describe", lambda: reports)
    done = CliRunner().invoke(app, ["sandbox"])
    assert done.exit_code == 0
    assert done.output.splitlines()[-4:] == [
        "bubblewrap: does not work here",
        "  it is not installed",
        "landlock: works",
        "  No network.",
    ]
    monkeypatch.setattr("autograder.sandbox.choice.describe", lambda: reports[:1])
    assert CliRunner().invoke(app, ["sandbox"]).exit_code == 1


def test_what_an_lms_gave_is_collected_and_graded(course: Course, tmp_path: Path) -> None:
    archive = tmp_path / "download.zip"
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr(f"Ada Lovelace_17_assignsubmission_file_/{NAME}.ipynb", as_bytes(submission(RIGHT)))
        file.writestr(f"Bob B_18_assignsubmission_file_/{NAME}.ipynb", b"no notebook")
        file.writestr("../../nbgrader_config.py", b"import os")
    assert invoke(course, "collect", NAME, str(archive)).exit_code == 1
    out = tmp_path / "grades.json"
    assert invoke(course, "grade", NAME, "--json", str(out)).exit_code == 0
    entries = {entry["student"]: (entry["outcome"], entry["score"]) for entry in read_strictly(out)["submissions"]}
    assert entries == {"ada-lovelace": ("graded", 8), "bob-b": ("malformed", 0)}


def test_help_teaches() -> None:
    for command in ("collect", "grade", "report", "demo", "sandbox"):
        assert CliRunner().invoke(app, [command, "--help"]).exit_code == 0
    assert "Exit codes" in CliRunner().invoke(app, ["grade", "--help"]).output
