"""course_lib where there are no threads, no other processes and no alarms, as in a browser's Python."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest

from autograder.site import wheels
from autograder.site.python import FROM_PYODIDE, FROM_PYPI
from course_lib import exercises

PROGRAM = Path(__file__).with_name("without_threads.py")
PACKAGES = {
    "IPython": "ipython",
    "anywidget": "anywidget",
    "contourpy": "contourpy",
    "cycler": "matplotlib",  # comes with it
    "filelock": "filelock",
    "math_core": "math-core",
    "matplotlib": "matplotlib",
    "mistune": "mistune",
    "msgspec": "msgspec",
    "numpy": "numpy",
    "tqdm": "tqdm",
    "traitlets": "anywidget",  # comes with it, by ipywidgets
    "typer": "",  # commands of a terminal, which a browser has not
    "rich": "",
    "jupyter_client": "",
}
"""All that course_lib imports beside Python's own library: the module -> the package that brings it."""
OF_A_TERMINAL = ("course_lib/__main__.py", "course_lib/exercises/__main__.py", "course_lib/commands/")
STARTS_KERNELS = "course_lib/submission/trial.py"
DRAWN_BEFOREHAND = {"math-core"}
OF_PROCESSES = {"concurrent", "multiprocessing", "pty", "socket", "subprocess"}
"""Of Python's own library: what is no use in a browser, also where it is imported only when it is called."""


def started(*arguments: str, root: Path, progress: str = "off") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(PROGRAM), *arguments],
        capture_output=True,
        text=True,
        cwd=root,
        env=os.environ | {"COURSE_PROGRESS": progress, "PYTHONPATH": str(root), "PYTHONIOENCODING": "utf-8"},
        encoding="utf-8",
        check=False,
    )


def test_every_module_is_imported_without_threads_and_processes(root: Path) -> None:
    done = started("import", root=root)
    assert done.returncode == 0, done.stderr[-3000:]
    assert {"course_lib.check", "course_lib.study.quiz", "course_lib.explore.optimizer_race"} <= {*done.stdout.split()}


def test_a_module_that_imports_what_no_browser_has_is_named(root: Path) -> None:
    code = (
        f"import runpy; find = runpy.run_path({str(PROGRAM)!r}); find['block']()\n"
        "exec('from subprocess import run', {'__name__': 'course_lib.bad'})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=root, check=False)
    assert "ImportError: course_lib.bad imports subprocess, which no browser has" in done.stderr


def quick_then_slow() -> list[object]:
    return [pytest.param(name, marks=[pytest.mark.slow] if name != "00_warm_up" else []) for name in exercises.LESSONS]


@pytest.mark.parametrize("lesson", quick_then_slow())
def test_a_solution_runs_and_its_checks_are_right(lesson: str, root: Path, tmp_path: Path) -> None:
    progress = tmp_path / "course_progress.json"
    done = started("run", str(root / "solutions" / lesson / f"{lesson}.ipynb"), root=root, progress=str(progress))
    assert done.returncode == 0, (done.stdout[-2000:], done.stderr[-3000:])
    right = [line.removeprefix("RIGHT ") for line in done.stdout.splitlines() if line.startswith("RIGHT ")]
    assert right == [exercise.name for exercise in exercises.of_lesson(lesson)]
    assert lesson in progress.read_text(encoding="utf-8")  # kept as on any machine


def test_what_is_imported_is_in_the_site(root: Path) -> None:
    found: dict[str, set[str]] = defaultdict(set)
    for path in sorted((root / "course_lib").rglob("*.py")):
        for top in tops(path):
            found[top].add(path.relative_to(root).as_posix())
    assert not {top: where for top, where in found.items() if top in OF_PROCESSES}
    imported = {top: where for top, where in found.items() if top not in sys.stdlib_module_names}
    unknown = {top: sorted(where) for top, where in imported.items() if top not in PACKAGES}
    assert not unknown, "not in PACKAGES: say which package brings it, and see that the site has it"
    commands = {path for top, where in imported.items() if not PACKAGES[top] for path in where}
    astray = {path for path in commands if not path.startswith((*OF_A_TERMINAL, STARTS_KERNELS))}
    assert not astray, "these import what belongs to a terminal"
    needed = {PACKAGES[top] for top in imported} - {""}
    assert needed <= {*wheels.requirements(root)}, "pyproject.toml does not list it"
    assert {*wheels.requirements(root)} <= {*FROM_PYPI, *FROM_PYODIDE, *DRAWN_BEFOREHAND}, "the site lacks it"


def tops(path: Path) -> set[str]:
    """The packages that a module imports, anywhere in it, beside the course's."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            found.add(str(node.module).partition(".")[0])
    return found - {"course_lib"}
