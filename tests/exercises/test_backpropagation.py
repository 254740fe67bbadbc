"""Lesson 01: references, named mistakes, right answers in other styles, stubs, the sample class, the spine."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

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
    GENERIC_STUBS,
    SEEDS,
    Submission,
    assert_form,
    assert_graded_by_hand,
    assert_rejected_by_name,
    assert_right,
    assert_stub_earns_nothing,
    sample_submissions,
)

BY_NAME = {exercise.name: exercise for exercise in EXERCISES}
MISTAKES = [(exercise.name, mistake.name) for exercise in EXERCISES for mistake in exercise.misconceptions]


# numerical_gradient in other styles


def differences_in_place(f: Any, theta: Any, h: float = 1e-5) -> Any:
    grad = np.empty(theta.shape)
    for i in np.ndindex(*theta.shape):
        kept = theta[i]
        theta[i] = kept + h
        up = f(theta)
        theta[i] = kept - h
        grad[i] = (up - f(theta)) / (2 * h)
        theta[i] = kept
    return grad


def differences_flat_view(f: Any, theta: Any, h: float = 1e-5) -> Any:
    flat = theta.ravel()
    g = lambda t: f(t.reshape(theta.shape))  # noqa: E731
    return np.array([(g(flat + e) - g(flat - e)) / h / 2 for e in np.eye(flat.size) * h]).reshape(theta.shape)


def differences_iterator(f: Any, theta: Any, h: float = 1e-5) -> Any:
    result = np.zeros_like(theta, dtype=np.float64)
    it = np.nditer(theta, flags=["multi_index"])
    for _ in it:
        step = np.zeros(theta.shape)
        step[it.multi_index] = h
        result[it.multi_index] = 0.5 * (f(theta + step) - f(theta - step)) / h
    return result


def differences_float32_out(f: Any, theta: Any, h: float = 1e-5) -> Any:
    return differences_flat_view(f, theta.astype(np.float64), h).astype(theta.dtype)


def differences_nudged_and_put_back(f: Any, theta: Any, h: float = 1e-5) -> Any:
    grad = np.zeros_like(theta)
    for i in np.ndindex(theta.shape):
        theta[i] += h
        up = f(theta)
        theta[i] -= 2 * h
        down = f(theta)
        theta[i] += h
        grad[i] = (up - down) / (2 * h)
    return grad


# relu_backward


def relu_loop(dout: Any, x: Any) -> Any:
    dx = np.zeros_like(dout)
    for i in np.ndindex(x.shape):
        if x[i] > 0:
            dx[i] = dout[i]
    return dx


def relu_by_copy(dout: Any, x: Any) -> Any:
    dx = dout.copy()
    dx[x <= 0] = 0
    return dx


# linear_backward


def linear_loops(dout: Any, x: Any, W: Any) -> Any:
    n, d_in = x.shape
    dx, dW, db = np.zeros_like(x), np.zeros_like(W), np.zeros(W.shape[1])
    for k in range(n):
        for j in range(W.shape[1]):
            db[j] += dout[k, j]
            for i in range(d_in):
                dx[k, i] += dout[k, j] * W[i, j]
                dW[i, j] += x[k, i] * dout[k, j]
    return dx, dW, db


def linear_einsum(dout: Any, x: Any, W: Any) -> Any:
    return np.einsum("no,io->ni", dout, W), np.einsum("ni,no->io", x, dout), np.einsum("no->o", dout)


def linear_outer_products(dout: Any, x: Any, W: Any) -> Any:
    return [
        (W @ dout.T).T,
        sum(np.outer(row, d) for row, d in zip(x, dout, strict=True)),
        np.ones(len(x)) @ dout,
    ]


def linear_broadcast(dout: Any, x: Any, W: Any) -> Any:
    dx = (dout[:, None, :] * W[None]).sum(axis=-1)
    return dx, (x[:, :, None] * dout[:, None, :]).sum(0), np.add.reduce(dout)


# softmax_cross_entropy


def entropy_loops(logits: Any, labels: Any) -> Any:
    n, c = logits.shape
    loss, dlogits = 0.0, np.zeros((n, c))
    for i in range(n):
        top = max(logits[i])
        e = [float(np.exp(z - top)) for z in logits[i]]
        total = sum(e)
        loss += (np.log(total) + top - logits[i, labels[i]]) / n
        for j in range(c):
            dlogits[i, j] = (e[j] / total - (j == labels[i])) / n
    return loss, dlogits


def entropy_one_hot(logits: Any, labels: Any) -> Any:
    shifted = logits - logits.max(axis=1, keepdims=True)
    log_p = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    one_hot = np.eye(logits.shape[1])[labels]
    return -(one_hot * log_p).sum() / len(labels), (np.exp(log_p) - one_hot) / len(labels)


def entropy_jacobian(logits: Any, labels: Any) -> Any:
    """The long way: the gradient at the probabilities, times the softmax's Jacobian."""
    loss, _ = softmax_cross_entropy(logits, labels)
    p = np.exp(logits - logits.max(1, keepdims=True))
    p /= p.sum(1, keepdims=True)
    rows = []
    for q, y in zip(p, labels, strict=True):
        rows.append(q * 1.0 - np.eye(len(q))[y])
    return np.float64(loss), np.stack(rows) / p.shape[0]


def entropy_where(logits: Any, labels: Any) -> Any:
    loss, _ = softmax_cross_entropy(logits, labels)
    e = np.exp(logits - np.max(logits, axis=-1)[:, None])
    p = e / e.sum(-1)[:, None]
    hit = np.arange(logits.shape[1]) == labels[:, None]
    return [loss, np.where(hit, p - 1, p) / len(p)]


# mlp_gradients


def network_recursive(params: Any, X: Any, labels: Any) -> Any:
    depth, grads = len(params) // 2, {}

    def through(h: Any, k: int) -> Any:
        W, b = params[f"W{k}"], params[f"b{k}"]
        z = h @ W + b
        last = k == depth
        dz = softmax_cross_entropy(z, labels)[1] if last else through(np.maximum(z, 0), k + 1) * (z > 0)
        grads[f"W{k}"], grads[f"b{k}"] = h.T @ dz, dz.sum(0)
        return dz @ W.T

    through(X, 1)
    return grads


def network_by_examples(params: Any, X: Any, labels: Any) -> Any:
    total = {name: np.zeros(value.shape) for name, value in params.items()}
    for x, y in zip(X, labels, strict=True):
        for name, grad in mlp_gradients(params, x[None], np.array([y])).items():
            total[name] += grad / len(X)
    return total


def network_post_activation_mask(params: Any, X: Any, labels: Any) -> Any:
    names = sorted({int(name[1:]) for name in params})
    hs = [X]
    for k in names[:-1]:
        hs.append(np.maximum(0, hs[-1] @ params[f"W{k}"] + params[f"b{k}"]))
    delta = softmax_cross_entropy(hs[-1] @ params[f"W{names[-1]}"] + params[f"b{names[-1]}"], labels)[1]
    out = {}
    for k in reversed(names):
        out[f"b{k}"] = np.einsum("nj->j", delta)
        out[f"W{k}"] = np.einsum("ni,nj->ij", hs[k - 1], delta)
        delta = np.einsum("nj,ij->ni", delta, params[f"W{k}"]) * (hs[k - 1] > 0)
    return out


def network_with_views(params: Any, X: Any, labels: Any) -> Any:
    """Gradients as windows into one flat vector."""
    flat = np.empty(sum(value.size for value in params.values()))
    out, start = {}, 0
    for name, grad in mlp_gradients(params, X, labels).items():
        window = flat[start : start + grad.size].reshape(grad.shape)
        window[...] = grad
        out[name] = window
        start += grad.size
    return out


def network_float32(params: Any, X: Any, labels: Any) -> Any:
    grads = network_recursive(params, X, labels)
    return {name: grads[name].astype(params[name].dtype) for name in grads}


# find_wrong_backward


def find_first_above(passes: Any, x: Any) -> Any:
    rng = np.random.default_rng(7)
    for i, (forward, backward) in enumerate(passes):
        dout = rng.normal(size=forward(x).shape)
        a = backward(dout, x)
        n = numerical_gradient(lambda t, dout=dout, forward=forward: (dout * forward(t)).sum(), x)
        if np.linalg.norm(a - n) > 1e-4 * (np.linalg.norm(a) + np.linalg.norm(n)):
            return i
    return None


def find_by_direction(passes: Any, x: Any) -> Any:
    """One random direction at a time instead of every entry."""
    rng = np.random.default_rng(3)
    errors = []
    for forward, backward in passes:
        worst = 0.0
        for _ in range(5):
            dout, v = rng.normal(size=forward(x).shape), rng.normal(size=x.shape)
            slope = np.sum(dout * (forward(x + 1e-6 * v) - forward(x - 1e-6 * v))) / 2e-6
            size = np.sum(np.abs(backward(dout, x) * v))
            worst = max(worst, abs(slope - np.sum(backward(dout, x) * v)) / size)
        errors.append(worst)
    return np.argmax(errors)


def find_by_jacobian(passes: Any, x: Any) -> Any:
    def error(forward: Any, backward: Any) -> float:
        y = forward(x)
        J = np.empty((*y.shape, *x.shape))
        for i in np.ndindex(x.shape):
            e = np.zeros(x.shape)
            e[i] = 1e-5
            J[(..., *i)] = (forward(x + e) - forward(x - e)) / 2e-5
        dout = np.random.default_rng(1).uniform(-1, 1, y.shape)
        expected = np.tensordot(dout, J, axes=y.ndim)
        return float(np.max(np.abs(expected - backward(dout, x))) / np.max(np.abs(expected)))

    return max(range(len(passes)), key=lambda i: error(*passes[i]))


def find_forward_only(passes: Any, x: Any) -> Any:
    """One-sided differences with a coarse tolerance are enough to find it."""
    found = []
    for forward, backward in passes:
        dout = np.random.default_rng(5).normal(size=forward(x).shape)
        base = np.sum(dout * forward(x))
        slopes = np.zeros_like(x)
        for i in np.ndindex(x.shape):
            moved = x.copy()
            moved[i] += 1e-6
            slopes[i] = (np.sum(dout * forward(moved)) - base) / 1e-6
        found.append(np.allclose(slopes, backward(dout, x), rtol=1e-3, atol=1e-3 * np.abs(slopes).max()))
    return found.index(False)


VARIANTS: dict[str, list[Callable[..., Any]]] = {
    "numerical_gradient": [
        differences_in_place,
        differences_flat_view,
        differences_iterator,
        differences_float32_out,
        differences_nudged_and_put_back,
    ],
    "relu_backward": [
        relu_loop,
        relu_by_copy,
        lambda dout, x: np.where(x > 0, dout, 0),
        lambda dout, x: dout * np.heaviside(x, 0).astype(dout.dtype),
        lambda dout, x: np.multiply(dout, np.maximum(x, 0) > 0),
        lambda dout, x: np.einsum("...,...->...", dout, (x > 0).astype(float)),
    ],
    "linear_backward": [linear_loops, linear_einsum, linear_outer_products, linear_broadcast],
    "softmax_cross_entropy": [entropy_loops, entropy_one_hot, entropy_jacobian, entropy_where],
    "mlp_gradients": [
        network_recursive,
        network_by_examples,
        network_post_activation_mask,
        network_with_views,
        network_float32,
    ],
    "find_wrong_backward": [find_first_above, find_by_direction, find_by_jacobian, find_forward_only],
}


@pytest.mark.parametrize("name", BY_NAME)
def test_exercises_have_the_promised_form(name: str) -> None:
    assert_form(BY_NAME[name])


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


@pytest.mark.parametrize("name", BY_NAME)
def test_references_earn_all_points(name: str) -> None:
    for seed in SEEDS:
        assert_right(BY_NAME[name], BY_NAME[name].reference, seed)


@pytest.mark.parametrize(("name", "mistake"), MISTAKES)
def test_mistakes_are_rejected_by_name(name: str, mistake: str) -> None:
    for seed in SEEDS:
        assert_rejected_by_name(BY_NAME[name], mistake, seed)


@pytest.mark.parametrize(("name", "index"), [(name, i) for name, found in VARIANTS.items() for i in range(len(found))])
def test_right_answers_in_other_styles_earn_all_points(name: str, index: int) -> None:
    for seed in SEEDS:
        assert_right(BY_NAME[name], VARIANTS[name][index], seed)


def test_every_exercise_has_four_variants() -> None:
    assert set(VARIANTS) == set(BY_NAME)
    assert all(len(found) >= 4 for found in VARIANTS.values())


@pytest.mark.parametrize("stub", GENERIC_STUBS)
@pytest.mark.parametrize("name", BY_NAME)
def test_stubs_earn_nothing(name: str, stub: str) -> None:
    for seed in range(5):
        assert_stub_earns_nothing(BY_NAME[name], GENERIC_STUBS[stub], seed)


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
    assert all((root / f"{name}.py").is_file() for name in WITHHELD)
    for path in root.glob("*.py"):
        text = path.read_text(encoding="utf-8")
        if any(f"def {name}(" in text for name in BY_NAME) or "def backward" in text:
            assert path.stem in WITHHELD, f"{path.stem} holds an equivalent of what lesson 01 asks"


@pytest.mark.parametrize("submission", list(sample_submissions(LESSON)), ids=lambda submission: submission.student)
def test_the_sample_class_gets_the_grades_written_by_hand(submission: Submission) -> None:
    for seed in range(5):
        assert_graded_by_hand(LESSON, submission, seed)


def test_the_released_notebook_holds_no_rubric(root: Path) -> None:
    """The written question's rubric is for the grader alone."""
    rubric = "Rubric. Full:"
    assert rubric in (root / "solutions" / f"{LESSON}.md").read_text(encoding="utf-8")
    assert rubric not in (root / "lessons" / LESSON / f"{LESSON}.ipynb").read_text(encoding="utf-8")
