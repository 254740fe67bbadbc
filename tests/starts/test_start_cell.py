"""The first cell of a lesson: in Google Colab it gets the course, elsewhere it only looks whether all is there."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import nbformat
import pytest

from autograder import student_kit
from autograder.building import BuildError, lesson_path
from autograder.building.source import read
from autograder.building.start import KIT, address, addressed
from course_lib import exercises

LESSONS = list(exercises.LESSONS)
URL = "https://github.com/you/course"
# Runs one cell as a notebook does, and prints what it printed. What stands for Colab are its modules, as far as the
# cell and anywidget look at them.
RUN = """
import json, sys, types
cell, colab, installed, fake_pip = json.loads(sys.stdin.read())
if colab:
    for name in ("google", "google.colab", "google.colab.output"):
        sys.modules[name] = types.ModuleType(name)
if not installed:
    sys.modules.pop("course_lib", None)
    sys.meta_path = [finder for finder in sys.meta_path if "editable" not in repr(finder).lower()]
    sys.path = [place for place in sys.path if place not in PROJECT]
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
if fake_pip:
    def pip(line):
        print("pip", line)
        sys.path += PROJECT if "FAILS" not in line else []
    shell.register_magic_function(pip)
result = shell.run_cell(cell)
result.raise_error()
"""


@pytest.fixture(scope="module")
def cell(root: Path) -> str:
    return first_code(read(root / "solutions" / f"{LESSONS[0]}.md").notebook)


def first_code(notebook: nbformat.NotebookNode) -> str:
    return str(next(each.source for each in notebook.cells if each.cell_type == "code"))


def run(cell: str, folder: Path, root: Path, *, colab: bool, installed: bool = False) -> list[str]:
    """What the cell prints, line by line, with a pip that says what it was asked for and brings course_lib."""
    project = json.dumps([str(root), ""])
    done = subprocess.run(
        [sys.executable, "-c", f"PROJECT = {project}\n{RUN}"],
        input=json.dumps([cell, colab, installed, True]),
        cwd=folder,
        env={**os.environ, "IPYTHONDIR": str(folder / ".ipython")},
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 0, done.stderr + done.stdout
    return done.stdout.splitlines()


def test_it_is_the_same_in_every_lesson(root: Path) -> None:
    cells = {name: first_code(read(root / "solutions" / f"{name}.md").notebook) for name in LESSONS}
    assert len(set(cells.values())) == 1, cells
    assert cells[LESSONS[0]].count(KIT) == 1


def test_what_students_open_has_it(root: Path, cell: str) -> None:
    for name in LESSONS:
        assert first_code(nbformat.read(lesson_path(root, name), as_version=4)) == addressed(cell, address(root)), name


def test_elsewhere_it_installs_nothing(cell: str, tmp_path: Path, root: Path) -> None:
    (tmp_path / "student-kit-0.1.0.zip").touch()
    assert run(cell, tmp_path, root, colab=False, installed=True) == ["Ready."]
    said = run(cell, tmp_path, root, colab=False)
    assert "missing: course_lib" in said[0]
    assert "pip install -r requirements.txt" in said[1]


def test_where_python_runs_in_the_browser_it_asks_for_the_network(cell: str, tmp_path: Path, root: Path) -> None:
    (said,) = run(f'import sys\nsys.platform = "emscripten"\n{cell}', tmp_path, root, colab=False)
    assert said.startswith("Missing: course_lib.")
    assert "once it is there, reload the page" in said  # and nothing of pip


def test_in_colab_it_takes_the_kit_that_was_uploaded(cell: str, tmp_path: Path, root: Path) -> None:
    name = "student-kit-0.1.0 (1).zip"  # as a browser names a second download
    (tmp_path / name).touch()
    assert run(cell, tmp_path, root, colab=True) == [f'pip install --quiet "{name}"', "Ready."]
    assert run(addressed(cell, URL), tmp_path, root, colab=True) == [f'pip install --quiet "{name}"', "Ready."]


def test_in_colab_it_takes_the_address_that_the_course_says(cell: str, tmp_path: Path, root: Path) -> None:
    assert run(addressed(cell, URL), tmp_path, root, colab=True) == [f'pip install --quiet "git+{URL}"', "Ready."]


def test_in_colab_without_either_it_says_what_to_do(cell: str, tmp_path: Path, root: Path) -> None:
    said = run(cell, tmp_path, root, colab=True)
    assert said[0] == "Missing: course_lib."
    assert "student-kit" in said[1]
    assert "run this cell again" in said[1]
    failed = run(addressed(cell, f"{URL}FAILS"), tmp_path, root, colab=True)  # as without a network
    assert failed[1:] == said


def test_in_colab_it_installs_once(cell: str, tmp_path: Path, root: Path) -> None:
    (tmp_path / "student-kit-0.1.0.zip").touch()
    assert run(cell, tmp_path, root, colab=True, installed=True) == ["Ready."]


@pytest.mark.parametrize("source", ["04_adaptive_optimizers"])
def test_the_build_writes_the_address_into_the_cell(root: Path, tmp_path: Path, source: str, cell: str) -> None:
    (tmp_path / "solutions").mkdir()
    shutil.copy(root / "solutions" / f"{source}.md", tmp_path / "solutions")
    path = tmp_path / "solutions" / f"{source}.md"
    assert first_code(read(path).notebook) == cell.replace(f' or ["git+{address(root)}"]', "")
    (tmp_path / "pyproject.toml").write_text(f'[project.urls]\nLessons = "{URL}/"\n', encoding="utf-8")
    assert f'{KIT} or ["git+{URL}"]:' in first_code(read(path).notebook)


@pytest.mark.parametrize(
    "said",
    [
        'x"]; import os #',
        "http://github.com/you/course",
        "https://a@github.com/a/b",
        "https://x.org/{sys}",
        "https://x",
    ],
)
def test_an_address_that_is_more_than_one_stops_the_build(tmp_path: Path, said: str) -> None:
    (tmp_path / "pyproject.toml").write_text(f"[project.urls]\nLessons = '{said}'\n", encoding="utf-8")
    with pytest.raises(BuildError, match="Lessons"):
        address(tmp_path)


def test_pip_itself_installs_the_kit_and_replaces_nothing(
    cell: str, tmp_path: Path, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In an environment with what Colab has and without course_lib, and without a network."""
    venv = tmp_path / "colab"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", venv], check=True)
    scripts = "Scripts" if sys.platform == "win32" else "bin"
    python = venv / scripts / "python"
    asked = [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]
    packages = Path(subprocess.run(asked, check=True, capture_output=True, text=True).stdout.strip())
    # Packages of this environment, but not its links to the project: those stand in .pth files, and are not followed.
    (packages / "packages.pth").write_text(sysconfig.get_path("purelib"), encoding="utf-8")
    monkeypatch.setattr(student_kit, "check", lambda _: [])
    (tmp_path / "content").mkdir()
    (tmp_path / "content" / "student-kit-0.1.0.zip").write_bytes(student_kit.kit(root))
    more = "import course_lib\nprint(course_lib.__file__)"
    done = subprocess.run(
        [python, "-c", f"PROJECT = []\n{RUN}{more}"],
        input=json.dumps([cell, True, True, False]),
        cwd=tmp_path / "content",
        env={
            **{key: value for key, value in os.environ.items() if key != "PYTHONPATH"},
            "PIP_NO_INDEX": "1",
            "PIP_NO_BUILD_ISOLATION": "0",  # pip's way of saying: without
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "IPYTHONDIR": str(tmp_path / ".ipython"),
        },
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 0, done.stderr + done.stdout
    *_, ready, where = done.stdout.splitlines()
    assert ready == "Ready.", done.stdout
    assert Path(where).is_relative_to(packages)
    installed = {path.name.split("-")[0] for path in packages.glob("*.dist-info")}
    assert installed == {"training_techniques_course"}
