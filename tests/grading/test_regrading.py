"""Regrading: only what changed gets another mark, what a grader wrote stays, and every change is named."""

from __future__ import annotations

import ast
import csv
import hashlib
import importlib
import io
import json
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import nbformat
import pytest
from nbgrader.api import Gradebook
from typer.testing import CliRunner

import autograder
import course_lib
from autograder import regrading, sources, terminal, version
from autograder.assemble import KEY
from autograder.class_grading import ClassGrading
from autograder.cli import app
from autograder.gradebook import Course
from autograder.lesson import LessonSource
from autograder.sandbox import CellRun, Limits, Request, Run, guest
from course_lib import exercises
from tests.grading.conftest import HandIn
from tests.grading.fixture_lesson import NAME
from tests.grading.helpers import LIMITS, RIGHT, submission
from tests.grading.quick_sandbox import QuickSandbox

LONG_AGO = "2020-01-02T03:04:05Z"
MODULE = "regraded_lesson"
MEDIAN = ("return x - np.mean(x)", "return x - np.median(x)")
"""An edit after which the right answer to `centre` is wrong."""


class Counted(QuickSandbox):
    """Counts its runs; once `broken`, the check of `scale` never ends.

    Attributes:
        runs: how many there were.
        broken: see above.
    """

    def __init__(self) -> None:
        self.runs = 0
        self.broken = False

    def run(self, request: Request) -> Run:
        """Run the cells of `request`."""
        self.runs += 1
        ran = super().run(request)
        if not self.broken:
            return ran
        check = next(cell.index for cell in request.cells if (cell.role, cell.exercise) == ("check", "scale"))
        return Run({**ran.cells, check: CellRun("timeout")}, ran.answers)


class Edited:
    """The fixture lesson in a module of its own, to be edited as an instructor would."""

    def __init__(self, course: Course, folder: Path, text: str) -> None:
        self._course = course
        self._path = folder / f"{MODULE}.py"
        self.text = text
        self.edit()

    def edit(self, *edits: tuple[str, str]) -> None:
        """Change pieces of the module, and build the solution's notebook from it."""
        for old, new in edits:
            assert self.text.count(old) == 1, old
            self.text = self.text.replace(old, new)
        self._path.write_text(self.text)
        sys.modules.pop(MODULE, None)
        importlib.invalidate_caches()
        module = importlib.import_module(MODULE)
        nbformat.write(module.solution(), self._course.root / "solutions" / NAME / f"{NAME}.ipynb")

    def versions(self) -> version.Versions:
        """The fingerprints as they are now."""
        return version.versions(LessonSource.from_course(self._course.root, NAME, self._course.config))


@pytest.fixture
def lesson(course: Course, tmp_path: Path, root: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Edited]:
    """The lesson that `course` has, to be edited."""
    monkeypatch.setattr(exercises, "LESSONS", {**exercises.LESSONS, NAME: MODULE})
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    folder = tmp_path / "modules"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))
    yield Edited(course, folder, (root / "tests/grading/fixture_lesson.py").read_text())
    sys.modules.pop(MODULE, None)


@pytest.fixture
def counted() -> Counted:
    return Counted()


def grade(course: Course, sandbox: Counted, limits: Limits = LIMITS, **options: Any) -> ClassGrading:
    run = ClassGrading(course, NAME, sandbox, limits, dry_run=options.pop("dry_run", False))
    if options.pop("new_seed", False):
        run.draw_new_seed()
    entries = [entry for entry, _ in run.grade(run.students(), **options)]
    assert "failed" not in {entry["outcome"] for entry in entries}
    return run


def told(run: ClassGrading) -> list[tuple[str, str, int, int | None, str]]:
    """The changes of a run in short."""
    found = [(each.student, each.exercise, each.before, each.after, each.why) for each in run.changes]
    return sorted(found, key=lambda each: each[:2])


def entries_of(run: ClassGrading, student: str) -> dict[str, dict[str, Any]]:
    known = run.known(student)
    assert known is not None
    assert known["score"] == sum(entry["points"] for entry in known["exercises"])
    return {entry["id"]: entry for entry in known["exercises"]}


def rewrite(run: ClassGrading, student: str, change: Callable[[dict[str, Any]], None]) -> None:
    """Change what the line wrote into a graded notebook."""
    path = run.graded_path(student)
    notebook = json.loads(path.read_text())
    change(notebook["metadata"][KEY])
    path.write_text(json.dumps(notebook))


def long_ago(known: dict[str, Any]) -> None:
    for each in (known, *known["exercises"]):
        each["provenance"]["time"] = LONG_AGO


def tree(course: Course) -> dict[str, str]:
    """Every file of the course, as a digest of its bytes."""
    return {
        path.relative_to(course.root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(course.root.rglob("*"))
        if path.is_file()
    }


# Marks


def test_only_the_marks_of_the_changed_exercise_are_given_anew(
    course: Course, hand_in: HandIn, lesson: Edited, counted: Counted
) -> None:
    hand_in("ada", submission(RIGHT))
    hand_in("bob", submission({**RIGHT, "centre": "def centre(x):\n    return x"}))
    run = grade(course, counted)
    assert run.changes == []
    for student in ("ada", "bob"):
        rewrite(run, student, long_ago)
    before = entries_of(run, "ada")
    shown = {cell.id: cell for cell in nbformat.read(run.graded_path("ada"), 4).cells}

    lesson.edit(MEDIAN)
    counted.broken = True  # another run finds nothing for `scale`, whose mark stands
    run = grade(course, counted)
    assert told(run) == [("ada", "centre", 2, 0, "the exercise changed")]
    assert (counted.runs, run.again) == (4, 2)
    known = run.known("ada")
    assert known is not None
    assert known["outcome"] == "graded"
    assert known["notes"][-1].startswith(f"The mark of scale stands as it was given on {LONG_AGO}, 4 (right)")
    after = entries_of(run, "ada")
    assert {name: after[name] for name in ("scale", "shift")} == {name: before[name] for name in ("scale", "shift")}
    assert (after["centre"]["points"], after["centre"]["outcome"]) == (0, "wrong")
    assert after["centre"]["provenance"]["time"] > LONG_AGO
    assert after["centre"]["provenance"]["exercise"] != before["centre"]["provenance"]["exercise"]
    now = {cell.id: cell for cell in nbformat.read(run.graded_path("ada"), 4).cells}
    for name in ("check_scale", "scale", "check_shift"):
        assert now[name] == shown[name]
    assert now["check_centre"] != shown["check_centre"]
    with Gradebook(course.db_url) as book:
        scores = {each.name: each.auto_score for each in book.find_submission_notebook(NAME, NAME, "ada").grades}
    assert [scores[f"check_{name}"] for name in ("scale", "centre", "shift")] == [4, 0, 0]

    assert grade(course, counted).again == 0
    assert counted.runs == 4, "nothing has changed since"


def test_what_a_grader_wrote_stays_and_is_named(
    course: Course, hand_in: HandIn, lesson: Edited, counted: Counted
) -> None:
    hand_in("ada", submission(RIGHT))
    hand_in("bob", submission({**RIGHT, "centre": "def centre(x):\n    return 0 * x"}))
    grade(course, counted)
    with Gradebook(course.db_url) as book:
        book.find_grade("check_centre", NAME, NAME, "ada").manual_score = 1.5
        book.find_grade("check_shift", NAME, NAME, "ada").extra_credit = 0.5
        book.find_grade("check_scale", NAME, NAME, "ada").extra_credit = 3.0
        book.find_grade("written", NAME, NAME, "ada").manual_score = 2.0
        for name in ("centre", "written"):
            book.find_comment(name, NAME, NAME, "ada").manual_comment = f"On {name}."
        book.db.commit()
    lesson.edit(MEDIAN, ("return x + by\n", "return x - by\n"))
    run = grade(course, counted)
    assert told(run) == [
        ("ada", "centre", 2, 0, "the exercise changed"),
        ("ada", "shift", 2, 0, "the exercise changed"),
        ("bob", "shift", 2, 0, "the exercise changed"),
    ]
    assert {(each.student, each.exercise): each.by_hand for each in run.changes} == {
        ("ada", "centre"): 1.5,
        ("ada", "shift"): 0.5,
        ("bob", "shift"): None,
    }
    with Gradebook(course.db_url) as book:
        grades = {each.name: each for each in book.find_submission_notebook(NAME, NAME, "ada").grades}
        assert (grades["check_centre"].manual_score, grades["check_centre"].auto_score) == (1.5, 0)
        assert grades["check_centre"].needs_manual_grade, "so that a grader looks at it again"
        assert grades["check_shift"].extra_credit == 0.5
        assert grades["check_scale"].extra_credit == 3.0
        assert grades["written"].manual_score == 2.0
        assert book.find_submission(NAME, "ada").score == 4 + 3 + 1.5 + 0.5 + 2
        assert book.find_submission(NAME, "bob").score == 4
        for name in ("centre", "written"):
            assert book.find_comment(name, NAME, NAME, "ada").manual_comment == f"On {name}."


def test_an_exercise_that_is_worth_more_is_so_in_the_gradebook(
    course: Course, hand_in: HandIn, lesson: Edited, counted: Counted
) -> None:
    hand_in("ada", submission(RIGHT))
    hand_in("bob", submission({}))
    grade(course, counted)
    lesson.edit(('"Ordinary arrays", 3, _scale)', '"Ordinary arrays", 5, _scale)'))
    run = grade(course, counted)
    assert told(run) == [
        ("ada", "scale", 4, 6, "the exercise changed"),
        ("bob", "scale", 0, 0, "the exercise changed"),
    ]
    assert [(each.max_before, each.max_after) for each in run.changes] == [(4, 6)] * 2
    with Gradebook(course.db_url) as book:
        found = book.find_grade("check_scale", NAME, NAME, "ada")
        assert (found.score, found.max_score) == (6, 6)


def test_each_keeps_a_mark_of_their_own_and_who_comes_later_shares_the_run(
    course: Course, hand_in: HandIn, lesson: Edited, counted: Counted
) -> None:
    for student in ("ada", "bob"):
        hand_in(student, submission(RIGHT))
    run = grade(course, counted)
    assert counted.runs == 1

    def flawed(known: dict[str, Any]) -> None:
        known["exercises"][0].update(points=3, outcome="partial")
        known["score"] = 7

    rewrite(run, "bob", flawed)
    lesson.edit(MEDIAN)
    run = grade(course, counted)
    assert counted.runs == 2
    points = {student: entries_of(run, student)["scale"]["points"] for student in ("ada", "bob")}
    assert points == {"ada": 4, "bob": 3}
    assert told(run) == [(student, "centre", 2, 0, "the exercise changed") for student in ("ada", "bob")]
    hand_in("cy", submission(RIGHT))
    hand_in("bob", json.dumps(submission(RIGHT), indent=7).encode())  # another file, the same answers
    run = grade(course, counted)
    assert (counted.runs, run.changes) == (2, [])
    assert entries_of(run, "bob")["scale"]["points"] == 3
    assert entries_of(run, "cy")["centre"]["points"] == 0
    assert run.known("cy")["student"] == "cy"  # type: ignore[index]


def test_every_reason_is_named(
    course: Course, hand_in: HandIn, lesson: Edited, counted: Counted, monkeypatch: pytest.MonkeyPatch
) -> None:
    hand_in("ada", submission(RIGHT))
    grade(course, counted)
    hand_in("ada", submission({**RIGHT, "centre": "def centre(x):\n    return x"}))
    assert told(grade(course, counted)) == [("ada", "centre", 2, 0, "the submission changed")]

    def wrongly(known: dict[str, Any]) -> None:
        known["exercises"][1]["points"] = 1

    def after(**options: Any) -> list[tuple[str, str, int, int | None, str]]:
        run = ClassGrading(course, NAME, counted, LIMITS)
        rewrite(run, "ada", wrongly)
        return told(grade(course, counted, **options))

    def changed(why: str) -> list[tuple[str, str, int, int | None, str]]:
        return [("ada", "centre", 1, 0, why)]

    assert after() == []
    assert after(again=True) == changed("--again")
    assert after(new_seed=True) == changed("another seed")
    with monkeypatch.context() as patch:
        patch.setattr(version, "line_version", lambda _: "another")
        assert after() == changed("the grader changed")
    lesson.edit(("# A fixture", "# Another title"), MEDIAN)
    assert after() == changed("the grader changed, the lesson changed, the exercise changed")


def test_other_limits_give_anew_what_had_ended_by_them(
    course: Course, hand_in: HandIn, lesson: Edited, counted: Counted
) -> None:
    hand_in("ada", submission(RIGHT))
    run = grade(course, counted)

    def timed_out(known: dict[str, Any]) -> None:
        known.update(outcome="timeout", score=5)
        known["exercises"][0].update(points=3, outcome="partial")
        known["exercises"][1].update(points=0, outcome="timeout")

    rewrite(run, "ada", timed_out)
    assert told(grade(course, counted)) == []
    run = grade(course, counted, Limits(cell=60.0, total=600.0))
    assert told(run) == [("ada", "centre", 0, 2, "the limits changed")]
    assert (run.known("ada") or {})["outcome"] == "graded"


@pytest.mark.parametrize(
    ("fresh", "found", "kept", "outcome"),
    [
        ("timeout", "timeout", "right", "graded"),  # of an exercise whose mark of before stands
        ("graded", "right", "timeout", "timeout"),  # which may be that it did not end
        ("timeout", "right", "right", "timeout"),  # of another cell
        ("crashed", "right", "timeout", "crashed"),
        ("malformed", "unanswered", "unanswered", "malformed"),
    ],
)
def test_the_outcome_of_a_submission_is_that_of_the_marks_that_stand(
    fresh: str, found: str, kept: str, outcome: str
) -> None:
    def notebook(ended: str, outcome: str, centre: str) -> nbformat.NotebookNode:
        how = {"time": LONG_AGO, "line": "1", "lesson": "1", "seed": "1"}
        entries = [
            {"id": "scale", "points": 1, "outcome": outcome, "provenance": {"exercise": "1", **how}},
            {"id": "centre", "points": 1, "outcome": "right", "provenance": {"exercise": centre, **how}},
        ]
        known = {"outcome": ended, "exercises": entries, "notes": [], "limits": {}, "answers": "1", "provenance": how}
        return nbformat.from_dict({"cells": [], "metadata": {KEY: known}})

    graded = notebook(fresh, found, "2")
    regrading.carry_over(graded, notebook("graded", kept, "1"))
    assert graded.metadata[KEY]["outcome"] == outcome


def test_what_an_earlier_version_graded_is_graded_again_and_compared(
    course: Course, hand_in: HandIn, lesson: Edited, counted: Counted
) -> None:
    hand_in("ada", submission(RIGHT))
    run = grade(course, counted)

    def earlier(known: dict[str, Any]) -> None:
        for each in (known, *known["exercises"]):
            del each["provenance"]
        del known["answers"]
        known["version"] = "earlier"
        known["exercises"][0]["points"] = 1

    rewrite(run, "ada", earlier)
    assert told(grade(course, counted)) == [("ada", "scale", 1, 4, "the grader changed, the exercise changed")]


# The command


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch, counted: Counted) -> Counted:
    """Let the command grade in this process."""
    monkeypatch.setattr("autograder.sandbox.choice.choose", lambda *_, **__: counted)
    return counted


def invoke(course: Course, *arguments: str) -> str:
    options = ("--workers", "1", "--timeout", "30", "--course", str(course.root))
    with patch.object(terminal.console, "_width", 160):  # what it read from the environment when it was made
        done = CliRunner().invoke(app, ["grade", NAME, *arguments, *options])
    assert done.exit_code == 0, done.output
    return done.output


def test_the_command_lists_the_changes_and_a_dry_run_writes_nothing(
    course: Course, hand_in: HandIn, lesson: Edited, quick: Counted, tmp_path: Path
) -> None:
    hand_in("ada", submission(RIGHT))
    hand_in("bob", submission(RIGHT))
    assert "graded again" not in invoke(course)
    with Gradebook(course.db_url) as book:
        book.find_grade("check_centre", NAME, NAME, "bob").manual_score = 1.5
        book.db.commit()
    lesson.edit(MEDIAN)
    hand_in("cy", submission({}))
    before = tree(course)
    for options in (
        ("--dry-run",),
        ("--dry-run", "--again"),
        ("--dry-run", "--new-seed"),
        ("--dry-run", "--student", "ada"),
    ):
        out = tmp_path / "would.json"
        said = invoke(course, *options, "--changes", str(out))
        assert "1 mark would change" in said
        assert "A dry run: nothing is recorded." in said
        assert json.loads(out.read_text())["dry_run"] is True
        assert tree(course) == before
    assert "manual 1.5 stays, automatic would be 2 → 0" in invoke(course, "--dry-run")
    runs = quick.runs

    out = tmp_path / "changes.csv"
    said = invoke(course, "--changes", str(out))
    assert "2 graded before were graded again. 1 mark changed; 1 more by the autograder" in said
    assert "2 of 2, right" in said
    assert "0 of 2, wrong" in said
    assert "manual 1.5 stays, automatic is 2 → 0" in said
    assert quick.runs > runs
    rows = list(csv.DictReader(io.StringIO(out.read_bytes().decode("utf-8-sig"))))
    found = [(row["student"], row["exercise"], row["before"], row["after"], row["by_hand"], row["why"]) for row in rows]
    assert found == [
        ("ada", "centre", "2", "0", "", "the exercise changed"),
        ("bob", "centre", "2", "0", "1.5", "the exercise changed"),
    ]
    after = tree(course)
    runs = quick.runs
    assert "graded again" not in invoke(course)
    assert (quick.runs, tree(course)) == (runs, after)
    assert "No mark changed" in invoke(course, "--again")


def test_a_dry_run_of_what_was_never_graded_makes_no_gradebook(
    course: Course, hand_in: HandIn, lesson: Edited, quick: Counted
) -> None:
    (course.root / "gradebook.db").unlink()
    hand_in("ada", submission(RIGHT))
    hand_in("bob", submission(RIGHT))
    before = tree(course)
    assert "2 of 2 submissions" in invoke(course, "--dry-run")
    assert quick.runs == 1
    assert tree(course) == before


def test_a_file_of_changes_has_a_known_suffix(course: Course, hand_in: HandIn, quick: Counted) -> None:
    hand_in("ada", submission({}))
    done = CliRunner().invoke(app, ["grade", NAME, "--changes", "x.txt", "--course", str(course.root)])
    assert done.exit_code == 2
    assert ".json" in done.output
    assert quick.runs == 0


def test_no_cell_of_the_table_runs_as_a_formula(tmp_path: Path) -> None:
    change = regrading.MarkChange("=1+1", "scale", 1, 4, "wrong", "", None, None, "", "the lesson changed", 0.5)
    regrading.write_changes(tmp_path / "changes.csv", NAME, [change])
    _, row = csv.reader(io.StringIO((tmp_path / "changes.csv").read_bytes().decode("utf-8-sig")))
    assert row == ["'=1+1", "scale", "1", "4", "wrong", "", "", "", "", "the lesson changed", "0.5"]


# Versions


@pytest.mark.parametrize(
    ("edit", "changed"),
    [
        (MEDIAN, {"centre"}),
        (("3.0 + rng.normal", "4.0 + rng.normal"), {"centre"}),
        (("lambda x: x / np.mean(x)", "lambda x: x / np.sum(x)"), {"centre"}),
        (("This divides by the mean.", "This divides."), {"centre"}),
        (("factor=-1e12", "factor=-1e11"), {"scale"}),
        (('"Large factors", 1,', '"Large factors", 2,'), {"scale"}),
        (("HINTS, 5, 1,\n        stretch=True,", "HINTS, 5, 1, stretch=False,"), {"shift"}),
        (("return x + by\n\n", "return by + x\n\n"), {"shift"}),
        (('"This adds the factor.", lambda', "ADDS, lambda"), set()),  # completed below
        (('"Multiply."', '"Multiply x."'), set()),
        (('HINTS = ("By hand."', 'HINTS = ("By your hand."'), set()),
        (
            (
                "def scale(x: Any, factor: float) -> Any:\n",
                "def scale(x: Any, factor: float) -> Any:\n    # Why not?\n",
            ),
            set(),
        ),
        (("def centre(x: Any) -> Any:\n", 'def centre(x: Any) -> Any:\n    """Take it away."""\n'), set()),
    ],
)
def test_an_exercise_s_version_is_of_what_its_marks_follow_from(
    lesson: Edited, edit: tuple[str, str], changed: set[str]
) -> None:
    if "ADDS" in edit[1]:
        lesson.edit(("\n\nEXERCISES = (", '\n\nADDS = "This adds the factor."\nEXERCISES = ('), edit)
        before = lesson.versions()
        edit, changed = ('ADDS = "This', 'ADDS = "That'), {"scale"}
    before = lesson.versions()
    lesson.edit(edit)
    after = lesson.versions()
    assert {name for name in before.exercises if before.exercises[name] != after.exercises[name]} == changed
    assert (before.line, before.lesson) == (after.line, after.lesson)
    assert (before.whole == after.whole) == (not changed)


def test_a_statement_that_defines_nothing_and_a_definition_that_is_not_found_count_for_every_exercise(
    lesson: Edited,
) -> None:
    lesson.edit(("\n\nEXERCISES = (", "\n\nTABLE = {}\nTABLE['a'] = 1\n\nEXERCISES = ("))
    before = lesson.versions()
    lesson.edit(("TABLE['a'] = 1", "TABLE['a'] = 2"))
    after = lesson.versions()
    assert all(before.exercises[name] != after.exercises[name] for name in before.exercises)
    # Made by a function: nobody finds it by its name, so whatever changes in the module counts for it.
    lesson.edit(
        ("EXERCISES = (\n    Exercise(", "def made(*given):\n    return Exercise(*given)\n\n\nEXERCISES = (\n    made(")
    )
    before = lesson.versions()
    lesson.edit(("by=7.0", "by=8.0"))
    after = lesson.versions()
    assert {name for name in before.exercises if before.exercises[name] != after.exercises[name]} == {"scale", "shift"}


def test_a_cell_of_the_lesson_is_the_lesson_s_and_one_of_an_exercise_the_exercise_s(lesson: Edited) -> None:
    before = lesson.versions()
    lesson.edit(('SETUP = "import numpy as np', 'SETUP = "import numpy as np  # once more'))
    after = lesson.versions()
    assert (before.exercises, before.line) == (after.exercises, after.line)
    assert before.lesson != after.lesson
    lesson.edit(('"scale": "x, factor"', '"scale": "x, factor, "'))  # in the stub
    last = lesson.versions()
    assert last.lesson == after.lesson
    assert {name for name in last.exercises if last.exercises[name] != after.exercises[name]} == {"scale"}


@pytest.mark.parametrize("name", list(exercises.LESSONS)[:12])
def test_every_exercise_of_the_course_is_found_by_its_name(name: str) -> None:
    module = importlib.import_module(exercises.LESSONS[name])
    source = Path(str(module.__file__)).read_text()
    texts = {}
    for exercise in module.EXERCISES:
        found = sources.exercise_text(source, module.__name__, exercise.name, ("question", "hints"))
        assert found is not None
        assert exercise.question not in found[0]
        texts[exercise.name] = found[0]
    assert len(set(texts.values())) == len(texts)


@pytest.fixture(scope="module")
def copied(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Copies of both packages, to be edited."""
    folder = tmp_path_factory.mktemp("packages")
    left_out = shutil.ignore_patterns("__pycache__", "*.ogg", "*.opus", "*.mp3", "*.wav")
    return {
        package.__name__: Path(
            shutil.copytree(Path(str(package.__file__)).parent, folder / package.__name__, ignore=left_out)
        )
        for package in (autograder, course_lib)
    }


@pytest.mark.parametrize(
    ("file", "withheld", "counts"),
    [
        ("autograder/judge.py", (), True),
        ("autograder/assemble.py", (), True),
        ("autograder/feedback/verdicts.py", (), True),
        ("autograder/sandbox/guest_kernel.py", (), True),
        ("autograder/sandbox/guest_check.py", (), True),
        ("autograder/sandbox/landlock.py", (), True),
        ("course_lib/exercises/comparison.py", (), True),
        ("course_lib/exercises/programs.py", (), True),
        ("course_lib/layers.py", (), True),
        ("course_lib/_arrays/digits.npz", (), True),
        ("course_lib/optimizers.py", (), True),
        ("course_lib/optimizers.py", ("optimizers",), False),
        ("course_lib/exercises/adaptive_optimizers.py", (), False),
        ("autograder/report/summary.py", (), False),
        ("autograder/feedback/page.py", (), False),
        ("autograder/gradebook.py", (), False),
        ("autograder/class_grading.py", (), False),
        ("autograder/executors.py", (), False),
        ("autograder/similarity.py", (), False),
        ("autograder/settings/model.py", (), False),
        ("autograder/lms/cells.py", (), False),
        ("autograder/commands/grade.py", (), False),
        ("autograder/building/course.py", (), False),
    ],
)
def test_the_line_s_version_is_of_the_code_that_a_grade_follows_from(
    copied: dict[str, Path], file: str, withheld: tuple[str, ...], counts: bool
) -> None:
    package, _, inside = file.partition("/")
    path = copied[package] / inside
    before, content = version.fingerprint(version.line_files(withheld, copied)), path.read_bytes()
    try:
        path.write_bytes(content + b"\n# changed\n")
        after = version.fingerprint(version.line_files(withheld, copied))
    finally:
        path.write_bytes(content)
    assert (before != after) == counts
    assert before == version.fingerprint(version.line_files(withheld, copied))
    assert before == version.fingerprint(version.line_files(withheld)), "wherever the packages stand"


def test_an_import_inside_a_function_counts_and_one_for_types_alone_does_not(tmp_path: Path) -> None:
    folder = tmp_path / "p"
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    (folder / "a.py").write_text(
        "from __future__ import annotations\nimport p.b as b\n\nif TYPE_CHECKING:\n    from p import f\n\n\n"
        "def g():\n    from p import (  # lazily\n        c,\n    )\n    from .d import \\\n        x\n"
    )
    (folder / "c.py").write_text('"""\nimport nothing that could be parsed from p\n"""\nfrom . import e\n')
    for name in "bdef":
        (folder / f"{name}.py").write_text("")
    assert sorted(path.stem for path in sources.reached(["p.a"], {"p": folder})) == ["__init__", *"abcde"]


def test_imports_are_found_without_parsing_whole_modules() -> None:
    count = 0
    for package, folder in sources.OURS.items():
        for path in folder.rglob("*.py"):
            module = ".".join([package, *path.relative_to(folder).with_suffix("").parts])
            name, is_package = module.removesuffix(".__init__"), path.name == "__init__.py"
            source = path.read_text()
            tree = ast.parse(source)
            for node in list(ast.walk(tree)):
                if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
                    node.body = []
            whole = {each for node in ast.walk(tree) for each in sources._names(node, name, package=is_package)}
            ours = {each for each in whole if each.split(".")[0] in sources.OURS}
            assert ours <= sources.imported(source, name, package=is_package), path
            count += len(ours)
    assert count > 500


def test_the_line_counts_what_a_guest_is_given(tmp_path: Path) -> None:
    for number, withheld in enumerate(((), ("optimizers", "explore"))):
        folder = tmp_path / str(number)
        folder.mkdir()
        guest.build(folder, withheld)
        given = {
            path.relative_to(folder / "course_lib")
            for path in (folder / "course_lib").rglob("*")
            if path.is_file() and "__pycache__" not in path.parts
        }
        made = {Path("check.py"), Path("exercises/__init__.py"), *(Path(f"{name}.py") for name in withheld)}
        counted = {path.relative_to(sources.OURS["course_lib"]) for path in guest.copied(withheld)}
        assert given - made == counted
