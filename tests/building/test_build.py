"""From source to notebooks: the same bytes every time, and nothing written when something is wrong."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

import nbformat
import pytest
from typer.testing import CliRunner

from autograder import building
from autograder.building.execution import executed, is_executed
from autograder.building.release import released
from autograder.building.source import Source, read
from autograder.cli import app

LESSON = "01_tiny"
Points = Callable[[str], Mapping[str, int]]


def notebook(path: Path) -> nbformat.NotebookNode:
    return nbformat.reads(path.read_text(encoding="utf-8"), as_version=4)


def change(course: Path, old: str, new: str) -> None:
    path = course / f"solutions/{LESSON}.md"
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8", newline="\n")


def test_what_a_student_opens(built: Path) -> None:
    cells = {cell.id: cell for cell in notebook(building.lesson_path(built, LESSON)).cells}
    assert cells["double"].source.endswith("# YOUR CODE HERE\n    raise NotImplementedError()")
    assert cells["double"].source.startswith('def double(x):\n    """Twice `x`, a new array."""\n')
    assert cells["check_double"].source == 'check("double")'
    assert cells["check_double"].metadata.editable is False
    assert cells["in_your_words"].source == "YOUR ANSWER HERE"
    assert [path.relative_to(built).as_posix() for path in sorted(built.rglob("*.*")) if path.suffix != ".py"] == [
        "lessons/01_tiny/01_tiny.ipynb",
        "lessons/README.md",
        "solutions/01_tiny/01_tiny.ipynb",
        "solutions/01_tiny.md",
    ]


def test_what_an_instructor_opens(built: Path) -> None:
    solution = notebook(building.solution_path(built, LESSON))
    nbformat.validate(solution)
    assert is_executed(solution)
    cells = {cell.id: cell for cell in solution.cells}
    assert cells["check_double"].outputs[0].text == "answered\n"
    assert "widgets" not in solution.metadata
    text = building.solution_path(built, LESSON).read_text(encoding="utf-8")
    assert "widget-view" not in text
    assert "IntSlider(value=3" in text
    assert not any("execution" in cell.metadata for cell in solution.cells)
    assert "version" not in solution.metadata.language_info


def test_a_second_build_gives_the_same_bytes_and_runs_nothing(built: Path, points: Points) -> None:
    paths = [building.lesson_path(built, LESSON), building.solution_path(built, LESSON)]
    before = [path.read_bytes() for path in paths]
    assert building.build(built, points=points) == [building.Built(LESSON, executed=False, changed=False)]
    assert [path.read_bytes() for path in paths] == before
    assert building.check(built, points=points) == []


def test_force_runs_again_and_the_cells_stay_the_same(built: Path, points: Points) -> None:
    said: list[str] = []
    assert building.build(built, force=True, points=points, tell=said.append)[0].executed
    assert said == ["running 01_tiny"]
    assert building.check(built, points=points) == []


def test_release_is_byte_for_byte_what_stock_nbgrader_makes(built: Path, points: Points) -> None:
    expected = building.lesson_path(built, LESSON).read_bytes()
    shutil.rmtree(built / "lessons")
    subprocess.run(["nbgrader", "generate_assignment", LESSON], cwd=built, check=True, capture_output=True)
    assert building.lesson_path(built, LESSON).read_bytes() == expected


def test_release_of_the_real_lessons_is_what_stock_nbgrader_makes(root: Path, tmp_path: Path) -> None:
    course = tmp_path / "course"
    shutil.copytree(root / "solutions", course / "solutions", ignore=shutil.ignore_patterns(".ipynb_checkpoints"))
    shutil.copy(root / "nbgrader_config.py", course)
    names = [path.stem for path in sorted((root / "solutions").glob("*.md"))]
    for name in names:
        subprocess.run(["nbgrader", "generate_assignment", name], cwd=course, check=True, capture_output=True)
        assert building.lesson_path(course, name).read_bytes() == building.lesson_path(root, name).read_bytes()
    assert sorted(path.name for path in course.glob("lessons/*")) == names


def test_files_beside_a_solution_do_not_reach_the_release(built: Path, points: Points) -> None:
    (built / "solutions/01_tiny/answers.py").write_text("twice_as_much = 2\n", encoding="utf-8")
    building.build(built, points=points)
    there = sorted(path.name for path in (built / "lessons").rglob("*") if path.is_file())
    assert there == ["01_tiny.ipynb", "README.md"]


def test_release_does_not_depend_on_the_clock_or_the_folder(course: Path, tmp_path: Path) -> None:
    source = read(course / f"solutions/{LESSON}.md")
    elsewhere = tmp_path / "another folder"
    elsewhere.mkdir()
    shutil.copy(course / "nbgrader_config.py", elsewhere)
    assert released(source, course) == released(source, elsewhere)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("    return twice_as_much\n", "    return twice_as_mush\n", "NameError"),
        ("shown = double", "import warnings\n    warnings.warn('mind')\n    shown = double", "writes to stderr"),
        ("\nshown\n```", "\nobject()\n```", "an address in memory"),
        ("\nshown\n```", "\nimport sys\n\nsys.executable\n```", "a path of this machine"),
        ("\nshown\n```", "\nimport os\n\nos._exit(1)\n```", "the kernel died"),
    ],
)
def test_a_solution_that_fails_or_varies_is_refused(
    edited: Callable[..., Source], old: str, new: str, said: str
) -> None:
    source = edited((old, new), ("    except NotImplementedError:\n", "    except (NotImplementedError, TypeError):\n"))
    with pytest.raises(building.BuildError, match=said) as caught:
        executed(source)
    assert caught.value.problems[0].where.startswith(f"solutions/{LESSON}.md:")


def test_nothing_is_written_when_a_rule_is_broken(course: Path, points: Points) -> None:
    change(course, "    ### BEGIN SOLUTION\n    if", "    ### BEGIN SOLUTON\n    if")
    with pytest.raises(building.BuildError):
        building.build(course, points=points)
    assert not (course / "lessons").exists()
    assert not (course / f"solutions/{LESSON}").exists()


def test_nothing_is_written_when_the_solution_raises(course: Path, points: Points) -> None:
    change(course, "shown = double(np.arange(3.0))", "shown = double(np.arange(3.0)) / nothing")
    with pytest.raises(building.BuildError, match="NameError"):
        building.build(course, points=points)
    assert not (course / "lessons").exists()


def test_a_release_that_would_leak_is_refused(course: Path, points: Points) -> None:
    change(course, "Write `tail(x)`.", "Write `tail(x)`: `twice_as_much = x + np.asarray(x, copy=True)`.")
    with pytest.raises(building.BuildError, match="holds a statement of 01_tiny/double"):
        building.build(course, points=points)
    assert not (course / "lessons").exists()


def spoil_source(course: Path) -> None:
    change(course, "A second paragraph", "Another paragraph")


def spoil_lesson(course: Path) -> None:
    path = building.lesson_path(course, LESSON)
    path.write_bytes(path.read_bytes().replace(b"Write `tail(x)`.", b"Please write `tail(x)`."))


def spoil_spacing(course: Path) -> None:
    path = building.lesson_path(course, LESSON)
    path.write_text(json.dumps(json.loads(path.read_text(encoding="utf-8"))), encoding="utf-8")


def spoil_solution(course: Path) -> None:
    path = building.solution_path(course, LESSON)
    path.write_bytes(path.read_bytes().replace(b"x[1:].copy()", b"x[1:] + 0"))


def forget_to_run(course: Path) -> None:
    path = building.solution_path(course, LESSON)
    content = json.loads(path.read_text(encoding="utf-8"))
    for cell in content["cells"]:
        if cell["cell_type"] == "code":
            cell["execution_count"] = None
    path.write_text(json.dumps(content), encoding="utf-8")


@pytest.mark.parametrize(
    ("spoil", "expected"),
    [
        (
            spoil_source,
            [("solutions/01_tiny/01_tiny.ipynb", "cell-006"), ("lessons/01_tiny/01_tiny.ipynb", "cell-006")],
        ),
        (spoil_lesson, [("lessons/01_tiny/01_tiny.ipynb", "cell-007")]),
        (spoil_spacing, [("lessons/01_tiny/01_tiny.ipynb", "spacing")]),
        (spoil_solution, [("solutions/01_tiny/01_tiny.ipynb", "tail")]),
        (forget_to_run, [("solutions/01_tiny/01_tiny.ipynb", "not run from top to bottom")]),
        (lambda course: shutil.rmtree(course / "lessons/01_tiny"), [("lessons/01_tiny/01_tiny.ipynb", "is missing")]),
        (
            lambda course: shutil.copytree(course / "lessons/01_tiny", course / "lessons/02_gone"),
            [("lessons/02_gone", "has no source")],
        ),
    ],
)
def test_check_names_file_and_cell(
    built: Path, points: Points, spoil: Callable[[Path], None], expected: list[tuple[str, str]]
) -> None:
    spoil(built)
    found = building.check(built, points=points)
    assert [problem.where for problem in found] == [where for where, _ in expected]
    for problem, (_, what) in zip(found, expected, strict=True):
        assert what in problem.what
        assert "has no source" in problem.what or "python -m autograder build 01_tiny" in problem.what


def test_a_build_mends_what_check_finds(built: Path, points: Points) -> None:
    spoil_source(built)
    done = building.build(built, ["1"], points=points)
    assert done == [building.Built(LESSON, executed=True, changed=True)]
    assert building.check(built, points=points) == []


@pytest.mark.parametrize("name", ["1", "01", "01_tiny", "solutions/01_tiny.md"])
def test_short_names_of_lessons(built: Path, points: Points, name: str) -> None:
    assert [done.lesson for done in building.build(built, [name], points=points)] == [LESSON]


def test_an_unknown_lesson_is_named(built: Path, points: Points) -> None:
    with pytest.raises(building.BuildError, match="no lesson '7'; the lessons are 01_tiny"):
        building.build(built, ["7"], points=points)


def test_the_command_line_says_what_to_mend_and_fails(built: Path) -> None:
    result = CliRunner().invoke(app, ["build", "--check", "--root", str(built)], env={"COLUMNS": "200"})
    assert result.exit_code == 1  # course_lib describes no lesson 01_tiny, so its exercises are unknown
    assert "no exercise of this lesson" in result.output
    assert "CONTRIBUTING.md" in result.output


def test_check_and_force_exclude_each_other(built: Path) -> None:
    assert CliRunner().invoke(app, ["build", "--check", "--force", "--root", str(built)]).exit_code == 2


def test_the_committed_notebooks_are_what_their_sources_give(root: Path) -> None:
    assert building.check(root) == []
