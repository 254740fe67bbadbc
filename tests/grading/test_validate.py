"""Real `nbgrader validate`, which JupyterLab's Validate button runs too: a student reads the checks' own sentences."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbformat import NotebookNode

from autograder.lesson import grade_id
from course_lib.check import check
from course_lib.exercises import load

LESSON = "04_adaptive_optimizers"
ADAM = load("adam_step")
NO_CORRECTION = """
def adam_step(theta, grad, m, v, t, lr, beta1, beta2, eps):
    m = beta1 * m + (1 - beta1) * grad
    v = beta2 * v + (1 - beta2) * grad**2
    return theta - lr * m / (np.sqrt(v) + eps), m, v
"""
ADAMW = "def adamw_step(theta, grad, m, v, t, lr, beta1, beta2, eps, weight_decay):\n    return theta, m, v\n"


def validated(folder: Path, root: Path, answers: dict[str, str]) -> str:
    """What nbgrader says of the released notebook with these answers, cut to what is graded so that it ends soon."""
    released = nbformat.read(root / "lessons" / LESSON / f"{LESSON}.ipynb", as_version=4)
    kept = [cell for cell in released.cells if grade_id(cell) or "setup" in cell.metadata.get("tags", [])]
    for cell in kept:
        cell.source = answers.get(grade_id(cell), cell.source)
    return validate(folder, nbformat.v4.new_notebook(cells=kept, metadata=released.metadata))


def validate(folder: Path, notebook: NotebookNode) -> str:
    path = folder / f"{LESSON}.ipynb"
    nbformat.write(notebook, path)
    done = subprocess.run(
        [sys.executable, "-m", "nbgrader", "validate", path.name],
        cwd=folder,
        env={**os.environ, "COURSE_PROGRESS": "off", "JUPYTER_CONFIG_DIR": str(folder / "config")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "cannot be converted to" not in done.stderr
    return done.stdout


def sentences(said: str) -> dict[str, str]:
    """What was said of each failed check, on one line."""
    pieces = re.findall(
        r'check\("(\w+)"\)\n\nThe error was:\n\n(.*?)(?:\n=====|\Z)', re.sub(r"(?m)^ {4}", "", said), re.DOTALL
    )
    return {name: " ".join(text.split()) for name, text in pieces}


def test_a_student_reads_what_is_open_what_is_wrong_and_where(tmp_path: Path, root: Path) -> None:
    said = validated(tmp_path, root, {"adam_step": NO_CORRECTION, "adamw_step": ADAMW})
    assert "VALIDATION FAILED ON 3 CELL(S)!" in said
    told = sentences(said)
    assert list(told) == ["rmsprop_step", "adam_step", "adamw_step"]  # a bonus that nobody began is no mistake
    assert told["rmsprop_step"] == (
        "rmsprop_step: 0 of 5 points. rmsprop_step is not answered yet: write your code in the cell above, run it, "
        "then this cell."
    )
    assert told["adam_step"].startswith("adam_step: 0 of 6 points. ")
    assert "theta[0] is wrong" in told["adam_step"]
    mistake = next(each for each in ADAM.misconceptions if "bias correction" in each.sentence)
    assert f"Recognised: {mistake.sentence}" in told["adam_step"]
    assert "It is a bonus: as it is it costs nothing." in told["adamw_step"]
    assert "..." not in said  # nbgrader cuts long lines


@pytest.mark.slow
def test_a_solved_lesson_passes(tmp_path: Path, root: Path) -> None:
    solved = nbformat.read(root / "solutions" / LESSON / f"{LESSON}.ipynb", as_version=4)
    assert "Success! Your notebook passes all the tests." in validate(tmp_path, solved)


@pytest.mark.parametrize("validating", [True, False])
def test_a_check_speaks_to_nbgrader_only_while_it_validates(
    validating: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("NBGRADER_VALIDATING", "1" if validating else "0")
    for name, namespace in (
        ("relu_backward", {}),
        ("relu_backward", load("relu_backward").namespace()),
        ("find_wrong_backward", {}),
        ("find_wrong_backward", load("find_wrong_backward").namespace()),
        ("relu_backwards", {}),
    ):
        check(name, namespace)
    heard = capsys.readouterr().err
    assert heard == (
        "relu_backward: 0 of 4 points.\n"
        "There is no function relu_backward yet. Write it in the cell above, run that\ncell, then this one.\n"
        "there is no exercise 'relu_backwards'; did you mean 'relu_backward'?\n"
        if validating
        else ""
    )
