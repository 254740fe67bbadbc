"""Lesson 00: references, named mistakes, right answers in other styles, stubs, and that it counts nothing anywhere."""

from __future__ import annotations

import ast
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import course_lib
from course_lib.check import check
from course_lib.exercises.warm_up import EXERCISES, LESSON, WITHHELD, affine, loss_and_slope, row_shares, slope
from course_lib.gradcheck import numerical_gradient
from course_lib.losses import softmax
from course_lib.study import clock, records
from course_lib.study.records import Checked, Keeper
from tests.exercises.exercise_checks import (
    grade,
)

BY_NAME = {exercise.name: exercise for exercise in EXERCISES}


@pytest.mark.parametrize(
    ("name", "mistake", "group"),
    [("loss_and_slope", "multiplied_out", 2), ("affine", "no_bias", 0), ("row_shares", "no_keepdims", 0)],
)
def test_a_slip_costs_the_groups_in_which_it_shows(name: str, mistake: str, group: int) -> None:
    wrong = next(m for m in BY_NAME[name].misconceptions if m.name == mistake)
    result = grade(BY_NAME[name], wrong.wrong, 0)
    assert next(index for index, found in enumerate(result.groups) if not found.passed) == group


def test_an_answer_that_changes_its_input_is_told_so() -> None:
    def in_place(X: Any) -> Any:
        X /= X.sum(axis=1, keepdims=True)
        return X

    assert "changed its input X in place" in grade(BY_NAME["row_shares"], in_place, 0).message


# The references beside the library


@pytest.mark.parametrize("seed", range(5))
def test_slopes_agree_with_the_library_and_with_each_other(seed: int) -> None:
    w, x, t = np.random.default_rng(seed).normal(size=3)
    along_w: Callable[[float], float] = lambda v: loss_and_slope(v, x, t)[0]  # noqa: E731
    assert slope(along_w, w, 1e-4) == pytest.approx(loss_and_slope(w, x, t)[1], rel=1e-6, abs=1e-8)
    by_library = numerical_gradient(lambda v: along_w(v[0]), np.array([w]))
    assert loss_and_slope(w, x, t)[1] == pytest.approx(by_library[0], rel=1e-5, abs=1e-8)


def test_shares_of_exponentials_are_the_softmax() -> None:
    logits = np.random.default_rng(0).normal(size=(4, 3))
    np.testing.assert_allclose(row_shares(np.exp(logits)), softmax(logits), rtol=1e-12)


def test_references_keep_float32() -> None:
    X = np.random.default_rng(0).uniform(1, 2, size=(3, 2)).astype(np.float32)
    assert row_shares(X).dtype == np.float32
    assert affine(X, X.T, X[:, 0]).dtype == np.float32


# It counts nothing


@pytest.mark.parametrize("name", BY_NAME)
def test_a_check_shows_what_passed_and_gives_no_points(name: str) -> None:
    result = check(name, {name: BY_NAME[name].reference})
    shown = result._repr_mimebundle_()
    assert (result.points, shown["text/plain"]) == (0, "practice 3 of 3")
    assert f"{name}: 3 of 3 groups passed (practice, no points)" in shown["text/html"]
    assert str(result) == f"{name}: practice 3 of 3. {name} is right in every group of cases."
    assert str(check(name, {})).startswith(f"{name}: practice 0 of 3. There is no function {name} yet.")


def test_what_passed_is_kept_in_the_learners_progress(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NBGRADER_EXECUTION", raising=False)
    monkeypatch.setenv(records.SWITCH, str(tmp_path / "progress.json"))
    wrong = next(m for m in BY_NAME["loss_and_slope"].misconceptions if m.name == "multiplied_out")
    check("loss_and_slope", {"loss_and_slope": wrong.wrong})
    check("slope", {"slope": slope})
    held = Keeper(tmp_path / "progress.json").read().of(LESSON).checks
    assert held == {"loss_and_slope": Checked(2, 3, clock.today()), "slope": Checked(3, 3, clock.today())}


# The sandbox


def test_no_module_left_in_the_sandbox_needs_or_holds_an_answer() -> None:
    """Whatever the sandbox keeps neither defines one of the answers nor imports a module that is withheld."""
    for path in Path(course_lib.__file__).parent.glob("*.py"):
        if path.stem in (*WITHHELD, "__init__", "check", "learner"):  # the package loads its modules only when asked
            continue
        tree = ast.parse(path.read_text(encoding="utf-8"))
        at_import = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
        wanted = {getattr(node, "module", None) or "" for node in at_import}
        assert not {name.split(".")[-1] for name in wanted} & set(WITHHELD), path.name
        defined = {node.name for node in ast.walk(tree) if isinstance(node, ast.ClassDef | ast.FunctionDef)}
        assert not defined & {*BY_NAME, "Linear", "softmax", "numerical_gradient", "Value"}, path.name
