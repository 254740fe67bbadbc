"""Lesson 11: right answers as other people write them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np


def lion_loop(theta: Any, grad: Any, m: Any, lr: float, beta1: float, beta2: float, weight_decay: float) -> Any:
    new_theta, new_m = np.empty_like(theta), np.empty_like(m)
    for i in np.ndindex(*theta.shape):
        mixture = beta1 * m[i] + (1 - beta1) * grad[i]
        sign = 1 if mixture > 0 else -1 if mixture < 0 else 0
        new_theta[i] = theta[i] - lr * (sign + weight_decay * theta[i])
        new_m[i] = beta2 * m[i] + (1 - beta2) * grad[i]
    return new_theta, new_m


def lion_decay_first(theta: Any, grad: Any, m: Any, lr: float, beta1: float, beta2: float, weight_decay: float) -> Any:
    """Shrinks by a factor, then steps, as AdamW is often written."""
    theta = theta * (1 - lr * weight_decay)
    theta = theta - lr * np.sign(grad + beta1 * (m - grad))
    return [theta, m + (1 - beta2) * (grad - m)]


def lion_in_place_on_copies(
    theta: Any, grad: Any, m: Any, lr: float, beta1: float, beta2: float, weight_decay: float
) -> Any:
    theta, m = theta.copy(), m.copy()
    direction = np.sign(beta1 * m + (1 - beta1) * grad)
    theta -= lr * weight_decay * theta
    theta -= lr * direction
    m *= beta2
    m += (1 - beta2) * grad
    return theta, m


def lion_broadcast(theta: Any, grad: Any, m: Any, lr: float, beta1: float, beta2: float, weight_decay: float) -> Any:
    """Both mixtures as rows of one array; the memory comes back as a view of it."""
    betas = np.array([beta1, beta2]).reshape(2, *[1] * theta.ndim)
    mixtures = betas * m + (1 - betas) * grad
    signs = (mixtures[0] > 0).astype(float) - (mixtures[0] < 0)
    return theta - lr * signs - lr * weight_decay * theta, mixtures[1]


def lion_single(theta: Any, grad: Any, m: Any, lr: float, beta1: float, beta2: float, weight_decay: float) -> Any:
    """Keeps float32 throughout."""
    kind = theta.dtype.type
    update = np.sign(kind(beta1) * m + kind(1 - beta1) * grad)
    theta = (theta - kind(lr) * (update + kind(weight_decay) * theta)).astype(kind)
    return theta, (kind(beta2) * m + kind(1 - beta2) * grad).astype(kind)


def muon_not_turned(G: Any, steps: int = 5) -> Any:
    """Tall or wide, the polynomial is the same; only the products are larger."""
    X = G / max(np.linalg.norm(G), 1e-7)
    for _ in range(steps):
        A = X @ X.T
        X = 3.4445 * X - 4.7750 * A @ X + 2.0315 * A @ A @ X
    return X


def muon_added(G: Any, steps: int = 5) -> Any:
    """The small number is added to the norm, as in the code of Muon's authors."""
    X = G.copy() if G.shape[0] <= G.shape[1] else G.T.copy()
    X /= np.sqrt(np.sum(np.square(X))) + 1e-7
    for _ in range(steps):
        A = X @ X.T
        B = -4.7750 * A + 2.0315 * A @ A
        X = 3.4445 * X + B @ X
    return X if G.shape[0] <= G.shape[1] else X.T


def muon_right_side(G: Any, steps: int = 5) -> Any:
    """`X.T @ X` is right where it stands on the right."""
    X = G / np.maximum(np.linalg.norm(G, "fro"), 1e-7)
    for _ in range(steps):
        A = np.matmul(X.T, X)
        X = X @ (3.4445 * np.eye(len(A)) - 4.7750 * A + 2.0315 * np.linalg.matrix_power(A, 2))
    return X


def muon_einsum(G: Any, steps: int = 5) -> Any:
    norm = float(np.einsum("ij,ij->", G, G)) ** 0.5
    X = G / np.clip(norm, 1e-7, None)
    while steps > 0:
        A = np.einsum("ik,jk->ij", X, X)
        first = np.einsum("ij,jk->ik", A, X)
        X = 3.4445 * X - 4.7750 * first + 2.0315 * np.einsum("ij,jk->ik", A, first)
        steps -= 1
    return X


def muon_by_singular_values(G: Any, steps: int = 5) -> Any:
    """Sends every singular value through the polynomial: the same, and slower."""
    U, values, Vt = np.linalg.svd(G / max(float(np.linalg.norm(G)), 1e-7), full_matrices=False)
    for _ in range(steps):
        values = 3.4445 * values - 4.7750 * values**3 + 2.0315 * values**5
    return (U * values) @ Vt


def muon_loop(G: Any, steps: int = 5) -> Any:
    def product(P: Any, Q: Any) -> Any:
        return np.array([[np.dot(row, column) for column in Q.T] for row in P])

    X = np.array(G) / max(np.hypot.reduce(np.ravel(G)), 1e-7)
    for _ in range(steps):
        A = product(X, X.T)
        X = 3.4445 * X + product(-4.7750 * A + 2.0315 * product(A, A), X)
    return X


def free_loop(x: Any, z: Any, grad: Any, t: int, lr: float) -> Any:
    new_x, new_z = x.copy(), z.copy()
    for i in np.ndindex(*x.shape):
        new_z[i] = z[i] - lr * grad[i]
        new_x[i] = ((t - 1) * x[i] + new_z[i]) / t
    return new_x, new_z


def free_nudge(x: Any, z: Any, grad: Any, t: int, lr: float) -> Any:
    """The mean as a nudge towards the new point, in a list."""
    z = z - lr * grad
    return [x + (z - x) / t, z]


def free_in_place_on_copies(x: Any, z: Any, grad: Any, t: int, lr: float) -> Any:
    x, z = np.array(x), np.array(z)
    z -= lr * grad
    x *= 1 - 1 / t
    x += z / t
    return x, z


def free_einsum(x: Any, z: Any, grad: Any, t: int, lr: float) -> Any:
    moved = np.einsum("k,k...->...", [1.0, -lr], np.stack([z, grad]))
    return np.average(np.stack([x, moved]), axis=0, weights=[t - 1, 1]), moved


def free_single(x: Any, z: Any, grad: Any, t: int, lr: float) -> Any:
    """Keeps float32 throughout."""
    kind = x.dtype.type
    moved = (z - kind(lr) * grad).astype(kind)
    return (x * kind(1 - 1 / t) + moved * kind(1 / t)).astype(kind), moved


RIGHT: dict[str, list[Callable[..., Any]]] = {
    "lion_step": [lion_loop, lion_decay_first, lion_in_place_on_copies, lion_broadcast, lion_single],
    "muon_orthogonalize": [
        muon_not_turned,
        muon_added,
        muon_right_side,
        muon_einsum,
        muon_by_singular_values,
        muon_loop,
    ],
    "schedule_free_step": [free_loop, free_nudge, free_in_place_on_copies, free_einsum, free_single],
}
