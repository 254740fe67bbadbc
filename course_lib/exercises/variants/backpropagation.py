"""Lesson 01: right answers as other people write them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from course_lib.exercises.backpropagation import mlp_gradients, numerical_gradient, softmax_cross_entropy

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
    def g(t: Any) -> Any:
        return f(t.reshape(theta.shape))

    flat = theta.ravel()
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

        def f(t: Any, dout: Any = dout, forward: Any = forward) -> Any:
            return (dout * forward(t)).sum()

        n = numerical_gradient(f, x)
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


RIGHT: dict[str, list[Callable[..., Any]]] = {
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
