"""The files that Binder, dev containers, uv and GitHub read: right in form, and enough to open a lesson from."""

from __future__ import annotations

import ast
import functools
import importlib.metadata
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement

from course_lib import exercises

REPO2DOCKER = "jupyter-repo2docker==2026.4.0"
CHECK_JSONSCHEMA = "check-jsonschema==0.39.0"
DEVCONTAINERS_CLI = "@devcontainers/cli@0.89.0"
UV = [sys.executable, "-m", "uv"]
FIRST = next(iter(exercises.LESSONS))
AUTHORS = ("exercises/__main__.py", "__main__.py", "commands", "submission/trial.py", "updating")
"""Parts of course_lib that no notebook imports: commands, which need requirements.txt."""
# The first lesson's solution, from its first cell to its last, in a kernel of the environment that is looked at.
OPEN = """
import sys, nbformat, course_lib
from nbclient import NotebookClient
notebook = nbformat.read(sys.argv[1], 4)
NotebookClient(notebook, timeout=600, kernel_name="python3", resources={"metadata": {"path": sys.argv[2]}}).execute()
first = next(cell for cell in notebook.cells if cell.cell_type == "code")
print(course_lib.__file__, first.outputs[0].text, sep="\\n")
"""


def project(root: Path) -> dict[str, object]:
    return dict(tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"])


def versions(root: Path) -> list[str]:
    """The versions of Python that pyproject.toml allows."""
    wanted = Requirement(f"python{project(root)['requires-python']}").specifier
    return [f"3.{minor}" for minor in range(50) if wanted.contains(f"3.{minor}")]


def test_binder_installs_what_students_install(root: Path) -> None:
    lines = (root / ".binder" / "requirements.txt").read_text(encoding="utf-8").split("\n")
    (included,) = [line.removeprefix("-r ") for line in lines if line]
    assert (root / ".binder" / included).resolve() == root / "requirements.txt"
    python = (root / ".binder" / "runtime.txt").read_text(encoding="utf-8").strip()
    assert python.removeprefix("python-") in versions(root)


def test_the_dev_container_names_what_is_there(root: Path) -> None:
    settings = json.loads((root / ".devcontainer" / "devcontainer.json").read_text(encoding="utf-8"))
    assert set(settings) == {
        "name", "image", "updateContentCommand", "postAttachCommand", "portsAttributes", "customizations"
    }  # fmt: skip
    assert re.fullmatch(r"mcr\.microsoft\.com/devcontainers/python:(3\.\d+)-\w+", settings["image"])[1] in versions(
        root
    )  # type: ignore[index]
    install = shlex.split(settings["updateContentCommand"])
    assert install[:4] == ["python", "-m", "pip", "install"]
    assert (root / install[-1]).is_file()
    start = shlex.split(settings["postAttachCommand"])
    assert start[:3] == ["python", "-m", "jupyterlab"]
    assert (root / start[3]).is_dir()
    for name in settings["customizations"]["codespaces"]["openFiles"]:
        assert (root / name).is_file()


def test_the_workflow_runs_what_is_there_on_every_python(root: Path) -> None:
    flow = yaml.safe_load((root / ".github" / "workflows" / "students.yml").read_text(encoding="utf-8"))
    job = flow["jobs"]["students"]
    assert job["strategy"]["matrix"]["python"] == versions(root)
    assert set(job["strategy"]["matrix"]["os"]) == {"windows-latest", "macos-latest"}
    commands = [step["run"] for step in job["steps"] if "run" in step]
    named = [
        word for command in commands for word in shlex.split(command) if re.match(r"tests/|requirements.*txt", word)
    ]
    assert len(named) > 5
    assert [word for word in named if not (root / word).exists()] == []


def test_what_notebooks_import_is_what_the_project_depends_on(root: Path) -> None:
    listed = [Requirement(line) for line in project(root)["dependencies"]]  # type: ignore[attr-defined]
    imported: set[str] = set()
    for path in (root / "course_lib").rglob("*.py"):
        if not path.relative_to(root / "course_lib").as_posix().startswith(AUTHORS):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Import):
                    imported |= {alias.name.split(".")[0] for alias in node.names}
                elif isinstance(node, ast.ImportFrom) and node.level == 0:
                    imported.add(str(node.module).split(".")[0])
    imported -= {*sys.stdlib_module_names, "course_lib", "js", "pyodide", "pyodide_js", "piplite"}
    brought = {"cycler": "matplotlib", "traitlets": "ipython"}  # come with these
    places = importlib.metadata.packages_distributions()
    needed = {brought.get(name, places[name][0].lower()) for name in imported}
    assert needed == {requirement.name for requirement in listed}
    core = {
        re.split(r"[<>=# ]", line)[0] for line in (root / "requirements.in").read_text(encoding="utf-8").splitlines()
    }
    for requirement in listed:
        assert requirement.name in core | {"filelock", "ipython"}
        assert requirement.specifier.contains(importlib.metadata.version(requirement.name)), requirement


@functools.cache
def network() -> bool:
    """Whether PyPI can be reached."""
    with tempfile.TemporaryDirectory() as nowhere:
        command = [*UV, "pip", "install", "--dry-run", "--refresh", "--no-deps", "--target", nowhere, "packaging"]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0


@pytest.fixture
def _network() -> None:
    if not network():
        pytest.skip("PyPI cannot be reached")


@pytest.fixture(scope="module")
def clone(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh copy, as a clone has it, without the recordings."""
    place = tmp_path_factory.mktemp("clone") / "my course"
    listed = subprocess.run(
        ["git", "-C", root, "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        capture_output=True, check=True, encoding="utf-8",
    ).stdout.split("\0")  # fmt: skip
    for name in listed:
        if name and not name.endswith(".mp3") and (root / name).is_file():
            (place / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(root / name, place / name)
    return place


def run(command: list[str | Path], folder: Path, **more: str) -> str:
    done = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, "COURSE_PROGRESS": "off", "PIP_DISABLE_PIP_VERSION_CHECK": "1", **more},
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        check=False,
    )
    assert done.returncode == 0, done.stderr[-5000:] + done.stdout[-2000:]
    return done.stdout


def opened(command: list[str | Path], clone: Path, **more: str) -> None:
    """See that a Python opens the first lesson with the course_lib of the clone."""
    solution = clone / "solutions" / FIRST / f"{FIRST}.ipynb"
    where, said, *_ = run([*command, "-c", OPEN, solution, clone / "lessons" / FIRST], clone, **more).splitlines()
    assert Path(where) == clone / "course_lib" / "__init__.py"
    assert said == "Ready."


@pytest.mark.slow
@pytest.mark.usefixtures("_network")
@pytest.mark.parametrize("start", ["binder", "devcontainer"])
def test_a_lesson_opens_in_an_environment_of_exactly_these_files(start: str, clone: Path, tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "env"], check=True)
    scripts = tmp_path / "env" / ("Scripts" if sys.platform == "win32" else "bin")
    if start == "binder":  # as repo2docker runs it: test_repo2docker_reads_it
        command: list[str | Path] = ["python", "-m", "pip", "install", "-r", ".binder/requirements.txt"]
    else:
        settings = json.loads((clone / ".devcontainer" / "devcontainer.json").read_text(encoding="utf-8"))
        command = list(shlex.split(settings["updateContentCommand"]))
    path = os.pathsep.join([str(scripts), os.environ["PATH"]])
    python = scripts / "python"
    run([python if word == "python" else word for word in command], clone, PATH=path)
    assert re.match(r"\d+\.\d+", run([python, "-m", "jupyterlab", "--version"], clone, PATH=path))
    opened([python], clone, PATH=path)


@pytest.mark.slow
@pytest.mark.usefixtures("_network")
def test_the_uv_line_opens_a_lesson(clone: Path, root: Path) -> None:
    page = (root / "docs" / "starts.md").read_text(encoding="utf-8")
    (line,) = set(re.findall(r"uv run .* jupyter lab lessons", page))
    words = shlex.split(line)[1:-3]
    assert words[words.index("--python") + 1] in versions(root)
    words[words.index("--python") + 1] = sys.executable  # uv would fetch the other one
    before = {path.name for path in clone.iterdir()}
    assert re.match(r"\d+\.\d+", run([*UV, *words, "jupyter", "lab", "--version"], clone))
    opened([*UV, *words, "python"], clone)
    assert {path.name for path in clone.iterdir()} - before <= {"training_techniques_course.egg-info"}


@pytest.mark.slow
@pytest.mark.usefixtures("_network")
def test_repo2docker_reads_it(clone: Path) -> None:
    """What it would build: no container is needed to be told."""
    command = [*UV, "tool", "run", "--from", REPO2DOCKER, "repo2docker", "--no-build", "--debug", str(clone)]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", check=False)
    assert done.returncode == 0, done.stderr
    said = done.stderr + done.stdout
    wanted = (clone / ".binder" / "runtime.txt").read_text(encoding="utf-8").strip().removeprefix("python-")
    assert f"python={wanted}" in said
    copied, installed = (
        said.index("src/ ${REPO_DIR}/"),
        said.index('pip install --no-cache-dir -r ".binder/requirements.txt"'),
    )
    assert copied < installed  # it installs the course itself, so that has to be there
    assert said.count("pip install") == 1


@pytest.mark.slow
@pytest.mark.usefixtures("_network")
def test_the_dev_container_tool_reads_it(clone: Path) -> None:
    npx = shutil.which("npx")
    if npx is None:
        pytest.skip("there is no npm, from which the dev containers' own tool comes")
    docker = shutil.which("true")  # it asks which containers run; none do
    command = [npx, "--yes", DEVCONTAINERS_CLI, "read-configuration", "--workspace-folder", str(clone)]
    done = subprocess.run([*command, "--docker-path", str(docker)], capture_output=True, encoding="utf-8", check=False)
    if "ENOTFOUND" in done.stderr or "E404" in done.stderr:
        pytest.skip("npm cannot be reached")
    assert done.returncode == 0, done.stderr
    read = json.loads(done.stdout)["configuration"]
    del read["configFilePath"]
    assert read == json.loads((clone / ".devcontainer" / "devcontainer.json").read_text(encoding="utf-8"))


@pytest.mark.slow
@pytest.mark.usefixtures("_network")
def test_the_workflow_is_what_github_reads(root: Path) -> None:
    """By the schema of GitHub's workflows that check-jsonschema brings."""
    command = [*UV, "tool", "run", CHECK_JSONSCHEMA, "--builtin-schema", "vendor.github-workflows"]
    path = root / ".github" / "workflows" / "students.yml"
    done = subprocess.run([*command, path], capture_output=True, encoding="utf-8", check=False)
    assert done.returncode == 0, done.stdout + done.stderr
