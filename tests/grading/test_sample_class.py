"""The sample class gets the grades written beside it by hand, through nbgrader and through our own command."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import nbformat
import pytest
from rich.console import Console

from autograder import sample_class
from autograder.demo import DemoError, commands_to_go_on, run_demo
from autograder.lesson import LessonSource
from autograder.pipeline import grade_submission
from autograder.sample_class import SampleError
from autograder.sandbox.choice import choose
from course_lib import exercises
from tests.grading.helpers import LESSON, RIGHT, SEED, as_bytes, cell

LESSONS = ("01_backpropagation", "04_adaptive_optimizers")
TOML = "[ada]\noutcome = 'graded'\nscore = 4\n[ada.exercises]\nscale = { points = 4, outcome = 'right' }\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "grades.toml").write_text(TOML)
    (tmp_path / "ada.py").write_text(
        "# Ada, by hand.\n\n# %% extra before scale\nhalf = 0.5\n\n"
        f"# %% scale\n{RIGHT['scale']}\n\n# %% extra after scale\nscale(1, 2)\n"
    )
    return tmp_path


def entry(points: int, outcome: str, misconception: str | None = None) -> dict[str, Any]:
    exercises = [
        {"id": "scale", "points": points, "outcome": outcome, "misconception": misconception},
        {"id": "centre", "points": 0, "outcome": "unanswered", "misconception": None},
    ]
    return {"outcome": "graded", "score": points, "exercises": exercises}


def test_a_student_s_file_becomes_a_submission(folder: Path) -> None:
    (sample,) = sample_class.read(folder)
    notebook = sample_class.notebook(sample, LESSON.notebook)
    assert cell(notebook, "scale").source == RIGHT["scale"]
    sources = [each.source for each in notebook.cells]
    place = sources.index(RIGHT["scale"])
    assert sources[place - 1 : place + 3] == ["half = 0.5", RIGHT["scale"], 'check("scale")', "scale(1, 2)"]
    nbformat.validate(notebook)


def test_a_grade_that_differs_is_told(folder: Path) -> None:
    (sample,) = sample_class.read(folder)
    assert list(sample_class.differences(sample, entry(4, "right"))) == []
    assert list(sample_class.differences(sample, entry(3, "partial", "adds"))) == [
        "ada: score is 3, by hand 4",
        "ada, scale: points is 3, by hand 4",
        "ada, scale: outcome is partial, by hand right",
        "ada, scale: misconception is adds, by hand None",
    ]


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        ("bob.py", "# %% scale\n", "belong together; look at bob"),
        ("ada.py", "# %% extra scale\n", "write `# %% NAME`"),
        ("ada.py", "x = 1\n# %% scale\n", "only comments may stand before"),
        ("ada.py", "# %% nothing\n", "no exercise 'nothing'"),
    ],
)
def test_a_file_of_another_form_is_refused(folder: Path, name: str, text: str, sentence: str) -> None:
    (folder / name).write_text(text)
    with pytest.raises(SampleError, match=sentence):
        sample_class.notebook(sample_class.read(folder)[0], LESSON.notebook)


def test_the_demo_replaces_nothing_but_a_demo(tmp_path: Path, root: Path) -> None:
    (tmp_path / "thesis.txt").write_text("precious")
    with pytest.raises(DemoError, match="holds other files"):
        run_demo(root, tmp_path, Console(quiet=True))
    assert (tmp_path / "thesis.txt").exists()


def test_the_commands_after_the_demo_work_as_pasted(
    tmp_path: Path, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    course = tmp_path / "the demo"
    course.mkdir()
    outside = commands_to_go_on(tmp_path, course)
    assert f"{shlex.quote(sys.executable)} -m autograder report --open --course 'the demo'" in dict(outside).values()

    python = tmp_path / ".venv" / "bin" / "python"
    monkeypatch.setattr(sys, "executable", str(python))
    inside = [command for _, command in commands_to_go_on(tmp_path, course)]
    assert inside == [
        ".venv/bin/python -m autograder report --open --course 'the demo'",
        "(cd 'the demo' && ../.venv/bin/python -m jupyterlab)",
        ".venv/bin/python -m jupyterlab lessons",
    ]


@pytest.mark.parametrize("lesson", LESSONS)
def test_one_of_each_kind_gets_the_grades_written_by_hand(lesson: str, root: Path) -> None:
    source = LessonSource.from_course(root, lesson)
    samples = sample_class.read(root / "sample_class" / lesson)
    full = max(sample.expected["score"] for sample in samples)
    kinds = (
        lambda expected: expected["score"] == full,
        lambda expected: any("misconception" in each for each in expected["exercises"].values()),
        lambda expected: expected["outcome"] == "crashed",
        lambda expected: expected["score"] == 0,
    )
    for kind in kinds:
        sample = next(sample for sample in samples if kind(sample.expected))
        notebook = sample_class.notebook(sample, source.notebook)
        graded = grade_submission(as_bytes(notebook), source, SEED, choose())
        assert list(sample_class.differences(sample, graded.entry())) == []


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory, root: Path) -> tuple[Path, subprocess.CompletedProcess[str]]:
    """The demo as `make demo` runs it."""
    folder = tmp_path_factory.mktemp("demo") / "course"
    command = [sys.executable, "-m", "autograder", "demo", "--directory", str(folder)]
    return folder, subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_nbgrader_gives_the_grades_written_by_hand(demo: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    folder, done = demo
    assert done.returncode == 0, done.stdout + done.stderr
    assert "24 of 24 submissions have the grades written by hand" in done.stdout
    assert (folder / "report.html").exists()
    for lesson in LESSONS:
        assert len(list((folder / "feedback").glob(f"*/{lesson}/{lesson}.html"))) == 12
        for page in (folder / "feedback").glob(f"*/{lesson}/{lesson}.html"):
            html = page.read_text(encoding="utf-8")
            assert f"Feedback for <strong>{page.parent.parent.name}</strong>" in html
            assert html.count('class="outcome"') == len(exercises.of_lesson(lesson))


@pytest.mark.slow
@pytest.mark.parametrize("lesson", LESSONS)
def test_our_own_command_gives_the_same_grades(
    demo: tuple[Path, subprocess.CompletedProcess[str]], lesson: str, root: Path, tmp_path: Path
) -> None:
    folder, _ = demo
    out = tmp_path / "grades.json"
    command = [sys.executable, "-m", "autograder", "grade", lesson, "--timeout", "3", "--json", str(out)]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    entries = {entry["student"]: entry for entry in json.loads(out.read_text(encoding="utf-8"))["submissions"]}
    samples = sample_class.read(root / "sample_class" / lesson)
    assert sorted(entries) == [sample.student for sample in samples]
    assert [text for sample in samples for text in sample_class.differences(sample, entries[sample.student])] == []


@pytest.mark.parametrize("lesson", LESSONS)
def test_a_lesson_s_check_cells_are_worth_what_its_exercises_say(lesson: str, root: Path) -> None:
    source = LessonSource.from_course(root, lesson)
    worth = {
        each.metadata.nbgrader.grade_id.removeprefix("check_"): each.metadata.nbgrader.points
        for each in source.notebook.cells
        if each.metadata.get("nbgrader", {}).get("locked")
    }
    assert worth == {exercise.name: exercise.core_points for exercise in source.exercises}
