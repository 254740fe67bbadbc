"""What students use, with everything taken away that Windows and macOS lack or do otherwise."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from autograder.building import lesson_path, solution_path
from course_lib import exercises
from course_lib.study.records import NAME
from tests.platforms.students import ON_WINDOWS, environment, run

LESSONS = list(exercises.LESSONS)
QUICK = {LESSONS[0], LESSONS[4]}
ALL_LESSONS = [pytest.param(name, marks=() if name in QUICK else pytest.mark.slow) for name in LESSONS]
POSIX_ONLY = pytest.mark.skipif(ON_WINDOWS, reason="here Windows itself takes it away")
# What a lesson does, without a page: checks right and wrong, dialogue, cards, quiz, glossary, progress, explorations.
STUDY = """
import json
import course_lib
from course_lib.check import check
from course_lib.exercises import LESSONS, of_lesson
from course_lib.study import Aids, Cards, Dialogue, Explanations, Glossary, Overview, Progress, Quiz
from course_lib.explore.optimizer_race import OptimizerRace
from course_lib import MLP, Adam, checkpoint, figures, fit
from course_lib.data import digits_split
import matplotlib; matplotlib.use("agg")
import matplotlib.pyplot as plt
import numpy as np

for lesson in LESSONS:
    for exercise in of_lesson(lesson):
        assert check(exercise.name, exercise.namespace()).result.outcome == "right", exercise.name
assert check("adam_step", {}).points == 0
for lesson in LESSONS:
    number = lesson[:2]
    for part in (Overview, Dialogue, Explanations, Cards, Quiz, Aids, Glossary):
        assert part(number)._repr_mimebundle_() is not None
OptimizerRace()
digits = digits_split("random")
model = MLP([64, 8, 10], rng=np.random.default_rng(0))
optimizer = Adam(model.parameters)
fit(model, digits.X_train[:64], digits.y_train[:64], optimizer, epochs=2, batch_size=16, rng=np.random.default_rng(1))
"""
WRITE = """
for _ in range(2):  # the second takes the place of the first
    checkpoint.save("Lauf Ü.npz", model=model, optimizer=optimizer)
checkpoint.load("Lauf Ü.npz", model=model, optimizer=optimizer)
plt.plot([1, 2])
plt.savefig("Bild ä.png")
"""
TELL = """
from course_lib.study.records import Keeper, place
keeper = Keeper(place())
keeper.update(lambda records: None)
progress = Progress()
print(course_lib.__file__.encode("unicode_escape").decode())
print(ascii(str(progress)))
print(ascii(keeper.trouble))
"""
# Each line tries what the folder's Python must refuse, and says when it does not.
REFUSED = r"""
import os, signal, sys, time
from pathlib import Path
assert (sys.platform, os.name, os.linesep) == ("win32", "nt", "\r\n")
assert not any(hasattr(os, name) for name in ("fork", "getuid", "killpg", "uname", "O_NOFOLLOW"))
assert not any(hasattr(signal, name) for name in ("SIGKILL", "SIGALRM", "setitimer"))
assert not hasattr(time, "tzset")
def refused(kind, action):
    try:
        action()
    except kind:
        return
    raise AssertionError(action)
def module(name):
    return lambda: __import__(name, globals())
for name in ("fcntl", "resource", "pwd", "grp", "termios"):
    refused(ModuleNotFoundError, module(name))
Path("a").write_text("ä\n", encoding="utf-8")
assert Path("a").read_bytes() == b"\xc3\xa4\r\n"
refused(EncodingWarning, lambda: Path("a").read_text())
refused(EncodingWarning, lambda: open("a"))
refused(EncodingWarning, lambda: Path("a").write_text("b"))
for name in ("aux.txt", "a:b", "what?", "end.", "x" * 230):
    refused(OSError, lambda: Path(name).write_bytes(b""))
    refused(OSError, lambda: Path(name).mkdir())
refused(OSError, lambda: Path("b").symlink_to("a"))
Path("b").touch()
refused(FileExistsError, lambda: Path("b").rename("a"))
if Path("/proc/self/fd").is_dir():
    with open("a", "rb"):
        refused(PermissionError, lambda: Path("b").replace("a"))
        refused(PermissionError, lambda: Path("a").unlink())
Path("b").replace("a")
"""


@POSIX_ONLY
def test_the_folders_python_is_as_bare_as_it_says(tree: Path) -> None:
    done = run(["-c", REFUSED], tree)
    assert done.returncode == 0, done.stderr
    assert (tree / "lessons" / "README.md").read_bytes().count(b"\r\n") > 10


def test_everything_a_lesson_does(kit: Path, tmp_path: Path) -> None:
    tree = tmp_path / next(parent for parent in kit.parents if parent.name.startswith("Zo")).name / kit.name
    shutil.copytree(kit, tree, ignore=shutil.ignore_patterns("__pycache__"))
    done = run(["-c", STUDY + WRITE + TELL], tree, tree / "lessons" / LESSONS[4])
    assert done.returncode == 0, done.stderr
    where, told, trouble = done.stdout.splitlines()
    assert trouble == "''"
    assert where.encode().decode("unicode_escape") == str(tree / "course_lib" / "__init__.py")
    kept = json.loads((tree / "lessons" / NAME).read_text(encoding="utf-8"))
    assert set(kept["lessons"]) == set(LESSONS)
    assert "exercises" in told
    assert {path.name for path in (tree / "lessons" / LESSONS[4]).iterdir()} >= {"Lauf Ü.npz", "Bild ä.png"}
    assert not list(tree.rglob("*.part"))


@POSIX_ONLY
def test_in_a_folder_that_cannot_be_written_a_lesson_goes_on(tree: Path) -> None:
    done = run(["-B", "-c", STUDY + TELL], tree, tree / "lessons" / LESSONS[4], read_only=True)
    assert done.returncode == 0, done.stderr
    assert not (tree / "lessons" / NAME).exists()
    assert "cannot be written" in done.stdout


def outputs(notebook: nbformat.NotebookNode) -> dict[str, str]:
    """What each check said, by the cell's id."""
    return {
        cell.id: "".join(str(output.get("data", {}).get("text/plain", "")) for output in cell.outputs)
        for cell in notebook.cells
        if cell.id.startswith("check_")
    }


def executed(notebook: nbformat.NotebookNode, tree: Path, lesson: str) -> nbformat.NotebookNode:
    folder = tree / "lessons" / lesson
    client = NotebookClient(notebook, timeout=600, kernel_name="python3", resources={"metadata": {"path": str(folder)}})
    client.execute(env=environment(tree))
    return notebook


@pytest.mark.parametrize("lesson", ALL_LESSONS)
def test_a_lesson_runs_from_its_first_cell_to_its_last(root: Path, tree: Path, lesson: str) -> None:
    """In a real kernel; every cell of the solution, and each check says what it says in the built one."""
    built = nbformat.read(solution_path(root, lesson), as_version=4)
    expected = outputs(built)
    probe = "import sys, course_lib\nprint(sys.platform, course_lib.__file__.encode('unicode_escape').decode())"
    built.cells.append(nbformat.v4.new_code_cell(probe))
    found = executed(built, tree, lesson)
    assert outputs(found) == expected
    platform, where = found.cells[-1].outputs[0].text.strip().split(" ", 1)
    assert platform == "win32"
    assert where.encode().decode("unicode_escape") == str(tree / "course_lib" / "__init__.py")
    kept = json.loads((tree / "lessons" / NAME).read_text(encoding="utf-8"))
    assert set(kept["lessons"][lesson]["checks"]) == {exercise.name for exercise in exercises.of_lesson(lesson)}


def test_answers_with_windows_line_ends_are_checked_alike(root: Path, tree: Path) -> None:
    """An editor may write \\r\\n into the cells themselves."""
    lesson = LESSONS[0]
    notebook = nbformat.read(solution_path(root, lesson), as_version=4)
    expected = outputs(notebook)
    for cell in notebook.cells:
        cell.source = cell.source.replace("\n", "\r\n")
    assert outputs(executed(notebook, tree, lesson)) == expected


def test_what_is_handed_in(root: Path, tree: Path) -> None:
    """`submit` tries, says and packs, on a console of cp1252, and keeps what was packed before."""
    lesson = LESSONS[0]
    path = tree / "lessons" / lesson / f"{lesson}.ipynb"
    path.write_bytes(solution_path(root, lesson).read_bytes().replace(b"\n", b"\r\n"))
    packed = tree / "lessons" / "to_hand_in" / path.name
    for _ in range(2):
        done = run(["-m", "course_lib", "submit", "00"], tree)
        assert done.returncode in (0, 1), done.stderr
        assert "to_hand_in" in re.sub(r"\s", "", done.stdout)
        assert nbformat.read(packed, as_version=4).cells
        notebook = nbformat.read(path, as_version=4)
        notebook.cells[0].source += "\n\nIch heiße Zoë."
        nbformat.write(notebook, path)
    assert len(list(packed.parent.rglob(path.name))) == 2


def test_lessons_are_brought_up_to_date(root: Path, tree: Path, kit: Path) -> None:
    """`update` from a kit elsewhere keeps an answer, and the old notebook beside it."""
    lesson = LESSONS[0]
    path = tree / "lessons" / lesson / f"{lesson}.ipynb"
    notebook = nbformat.read(path, as_version=4)
    mine = next(cell for cell in notebook.cells if cell.id == "slope")
    mine.source = mine.source.replace("raise NotImplementedError()", "return 6.0  # Zoë's")
    gone = notebook.cells.pop(-1)  # as in a version before it was there
    nbformat.write(notebook, path)
    other = tree.parent / "Neuer Kurs ß" / kit.name
    shutil.copytree(kit, other, ignore=shutil.ignore_patterns("*.mp3", "__pycache__"))
    done = run(["-m", "course_lib", "update", "00", "--from", str(other)], tree)
    assert done.returncode == 0, done.stderr + done.stdout
    merged = nbformat.read(path, as_version=4)
    assert "Zoë's" in next(cell.source for cell in merged.cells if cell.id == "slope")
    assert merged.cells[-1].source == gone.source
    assert len(list(path.parent.glob("*.before-*.ipynb"))) == 1


@pytest.mark.parametrize("command", [[], ["submit"], ["update"]])
def test_help_prints_on_a_console_of_cp1252(tree: Path, command: list[str]) -> None:
    done = run(["-m", "course_lib", *command, "--help"], tree)
    assert done.returncode == 0, done.stderr
    assert "Usage" in done.stdout


@pytest.mark.slow
def test_the_kits_readme_does_what_it_says(kit: Path, tmp_path: Path) -> None:
    """Its three commands in an environment of its own, in a folder with spaces and accents, and a lesson in there."""
    from tests.starts.test_files import OPEN, network

    if not network():
        pytest.skip("PyPI cannot be reached")
    tree = tmp_path / next(parent for parent in kit.parents if parent.name.startswith("Zo")).name / kit.name
    shutil.copytree(kit, tree, ignore=shutil.ignore_patterns("*.mp3", "__pycache__"))
    readme = (tree / "README.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```\n(.*?)```", readme, re.DOTALL)
    make, install, start = blocks[ON_WINDOWS].splitlines()
    assert start.endswith("-m jupyterlab lessons")
    for line in (make, install, start.replace("lessons", "--version")):
        words = line.split(" ")
        program = sys.executable if words[0] in ("python3", "py") else str(tree / words[0])
        done = subprocess.run([program, *words[1:]], cwd=tree, capture_output=True, encoding="utf-8", check=False)
        assert done.returncode == 0, (line, done.stderr[-3000:])
    assert re.match(r"\d+\.\d+", done.stdout)
    lesson = tree / "lessons" / LESSONS[0]
    done = subprocess.run(
        [program, "-c", OPEN, lesson.parent.parent / "solution.ipynb", lesson],
        cwd=tree, capture_output=True, encoding="utf-8", check=False,
    )  # fmt: skip
    assert done.returncode != 0  # there is no solution in the kit
    shutil.copy(solution_path(Path(__file__).resolve().parents[2], LESSONS[0]), tree / "solution.ipynb")
    done = subprocess.run(
        [program, "-c", OPEN, tree / "solution.ipynb", lesson],
        cwd=tree, capture_output=True, encoding="utf-8", check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.splitlines()[0] == str(tree / "course_lib" / "__init__.py")


def test_the_lessons_in_the_kit_are_those_of_the_course(root: Path, kit: Path) -> None:
    for name in LESSONS:
        packed = (kit / "lessons" / name / f"{name}.ipynb").read_bytes()
        assert packed.replace(b"\r\n", b"\n") == lesson_path(root, name).read_bytes()
        assert nbformat.reads(packed.decode(), as_version=4) == nbformat.read(lesson_path(root, name), as_version=4)
