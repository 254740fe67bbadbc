"""Lesson 01: references, named mistakes, right answers in other styles, stubs, the sample class, the spine."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from course_lib.exercises import LESSONS
from course_lib.exercises.backpropagation import (
    EXERCISES,
    LESSON,
    WITHHELD,
    linear_backward,
    mlp_gradients,
    numerical_gradient,
    relu_backward,
    softmax_cross_entropy,
)
from tests.exercises.exercise_checks import (
    SEEDS,
    Submission,
    assert_graded_by_hand,
    assert_stub_earns_nothing,
    sample_submissions,
)

BY_NAME = {exercise.name: exercise for exercise in EXERCISES}


def test_the_notebook_order_and_the_points() -> None:
    assert list(BY_NAME) == [
        "numerical_gradient",
        "relu_backward",
        "linear_backward",
        "softmax_cross_entropy",
        "mlp_gradients",
        "find_wrong_backward",
    ]
    assert [exercise.core_points for exercise in EXERCISES] == [5, 4, 6, 6, 6, 0]
    assert all(exercise.lesson == LESSON for exercise in EXERCISES)


@pytest.mark.parametrize("constant", range(6))
def test_no_constant_finds_the_wrong_pass(constant: int) -> None:
    for seed in SEEDS:
        for answer in (constant, -constant):
            assert_stub_earns_nothing(BY_NAME["find_wrong_backward"], lambda *_a, answer=answer: answer, seed)


def test_the_wrong_pass_moves_about() -> None:
    """Every place is drawn, in every group, over the seeds; within a group no place fits all rounds."""
    exercise = BY_NAME["find_wrong_backward"]
    for group in exercise.groups:
        seen: set[int] = set()
        for seed in SEEDS:
            cases = group.draw(np.random.default_rng(seed))
            places = [run_reference(exercise, case) for case in cases]
            assert len(set(places)) == len(places)
            seen |= set(places)
        assert len(seen) >= 3


def run_reference(exercise: Any, case: Any) -> int:
    from course_lib.exercises.grading import expected_answer

    return int(expected_answer(exercise, case))


def test_numbers_keep_their_precision() -> None:
    """float32 in, float32 out: no reference widens what it is given."""
    rng = np.random.default_rng(0)
    dout, x, W = (rng.normal(size=s).astype(np.float32) for s in ((3, 2), (3, 4), (4, 2)))
    assert {a.dtype.name for a in linear_backward(dout, x, W)} == {"float32"}
    assert relu_backward(x, x).dtype == np.float32
    assert softmax_cross_entropy(x, np.array([0, 1, 2]))[1].dtype == np.float32
    assert numerical_gradient(np.sum, x, 0.1).dtype == np.float32


# The references and the library


def test_references_agree_with_the_layers() -> None:
    from course_lib.layers import Linear, ReLU

    rng = np.random.default_rng(1)
    for _ in range(20):
        x, dout = rng.normal(size=(5, 3)), rng.normal(size=(5, 4))
        layer = Linear(3, 4, rng=rng, dtype=np.float64)
        layer.forward(x)
        dx, dW, db = linear_backward(dout, x, layer.W)
        np.testing.assert_allclose(layer.backward(dout), dx, rtol=1e-12)
        np.testing.assert_allclose(layer.dW, dW, rtol=1e-12)
        np.testing.assert_allclose(layer.db, db, rtol=1e-12)
        relu = ReLU()
        relu.forward(x)
        np.testing.assert_array_equal(relu.backward(x[::-1]), relu_backward(x[::-1], x))


@pytest.mark.parametrize("sizes", [[3, 2], [3, 4, 2], [4, 6, 5, 3]])
def test_references_agree_with_the_network(sizes: list[int]) -> None:
    from course_lib import MLP
    from course_lib import losses as library

    rng = np.random.default_rng(2)
    model = MLP(sizes, rng=rng, dtype=np.float64)
    X, labels = rng.normal(size=(7, sizes[0])), rng.integers(sizes[-1], size=7)
    loss, dlogits = library.softmax_cross_entropy(model.forward(X), labels)
    mine = softmax_cross_entropy(model.forward(X), labels)
    assert mine[0] == pytest.approx(loss, rel=1e-12)
    np.testing.assert_allclose(mine[1], dlogits, rtol=1e-10, atol=1e-14)
    model.backward(dlogits)
    params = {name: model.parameters[name] for name in model.parameters.names}
    grads = mlp_gradients(params, X, labels)
    assert list(grads) == list(model.parameters.names)
    for name, grad in grads.items():
        np.testing.assert_allclose(grad, model.parameters.grads[name], rtol=1e-10, atol=1e-14)


@pytest.mark.torch
def test_references_agree_with_pytorch() -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    rng = np.random.default_rng(3)
    params = {"W1": rng.normal(size=(4, 5)), "b1": rng.normal(size=5), "W2": rng.normal(size=(5, 3))}
    params |= {"b2": rng.normal(size=3)}
    X, labels = rng.normal(size=(6, 4)), rng.integers(3, size=6)
    leaves = {name: torch.tensor(value, requires_grad=True) for name, value in params.items()}
    x = torch.tensor(X, requires_grad=True)
    hidden = torch.relu(torch.nn.functional.linear(x, leaves["W1"].T, leaves["b1"]))
    logits = torch.nn.functional.linear(hidden, leaves["W2"].T, leaves["b2"])
    logits.retain_grad()
    loss = torch.nn.functional.cross_entropy(logits, torch.tensor(labels))
    loss.backward()
    mine, dlogits = softmax_cross_entropy(logits.detach().numpy(), labels)
    assert mine == pytest.approx(float(loss.detach()), rel=1e-12)
    np.testing.assert_allclose(dlogits, logits.grad.numpy(), rtol=1e-12, atol=1e-15)
    grads = mlp_gradients(params, X, labels)
    for name, leaf in leaves.items():
        np.testing.assert_allclose(grads[name], leaf.grad.numpy(), rtol=1e-12, atol=1e-15)


def test_the_reference_and_the_librarys_differences_agree() -> None:
    from course_lib import gradcheck

    rng = np.random.default_rng(4)
    theta = rng.uniform(-1, 1, size=(2, 3))
    f: Callable[[Any], float] = lambda t: float(np.sum(np.sin(t) * t))  # noqa: E731
    np.testing.assert_allclose(numerical_gradient(f, theta), gradcheck.numerical_gradient(f, theta), rtol=1e-8)


def test_withheld_modules_exist_and_hold_the_equivalents() -> None:
    """A module that is renamed must not slip into the sandbox unnoticed."""
    import course_lib

    root = Path(next(iter(course_lib.__path__)))
    assert all((root / f"{name}.py").is_file() or (root / name).is_dir() for name in WITHHELD)
    for path in root.glob("*.py"):
        text = path.read_text(encoding="utf-8")
        if any(f"def {name}(" in text for name in BY_NAME) or "def backward" in text:
            assert path.stem in WITHHELD, f"{path.stem} holds an equivalent of what lesson 01 asks"


@pytest.mark.parametrize("submission", list(sample_submissions(LESSON)), ids=lambda submission: submission.student)
def test_the_sample_class_gets_the_grades_written_by_hand(submission: Submission) -> None:
    for seed in range(5):
        assert_graded_by_hand(LESSON, submission, seed)


@pytest.mark.parametrize("lesson", LESSONS)
def test_the_released_notebook_holds_no_rubric(root: Path, lesson: str) -> None:
    """The written question's rubric is for the grader alone."""
    source = (root / "solutions" / f"{lesson}.md").read_text(encoding="utf-8")
    released = (root / "lessons" / lesson / f"{lesson}.ipynb").read_text(encoding="utf-8")
    for grade in ("**Full.**", "**Partial.**", "**None.**"):
        assert grade in source
        assert grade not in released
