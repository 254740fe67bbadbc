"""Lesson 04: right answers as other people write them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np


def rms_loop(theta: Any, grad: Any, s: Any, lr: float, alpha: float, eps: float) -> Any:
    new_theta, new_s = np.empty_like(theta), np.empty_like(s)
    for i in np.ndindex(*theta.shape):
        new_s[i] = alpha * s[i] + (1 - alpha) * grad[i] * grad[i]
        new_theta[i] = theta[i] - lr * grad[i] / (new_s[i] ** 0.5 + eps)
    return new_theta, new_s


def rms_in_place_on_copies(theta: Any, grad: Any, s: Any, lr: float, alpha: float, eps: float) -> Any:
    theta, s = theta.copy(), s.copy()
    s *= alpha
    s += (1 - alpha) * np.square(grad)
    theta -= lr * grad / (np.sqrt(s) + eps)
    return theta, s


def rms_einsum(theta: Any, grad: Any, s: Any, lr: float, alpha: float, eps: float) -> Any:
    g, old = np.ravel(grad), np.ravel(s)
    new = np.einsum("k,ki->i", [alpha, 1 - alpha], np.stack([old, np.einsum("i,i->i", g, g)]))
    step = np.einsum("i,i->i", g, 1 / (np.sqrt(new) + eps))
    return theta - lr * step.reshape(theta.shape), new.reshape(s.shape)


def rms_nudge(theta: Any, grad: Any, s: Any, lr: float, alpha: float, eps: float) -> Any:
    """The average written as a nudge towards the new square, in a list."""
    s = s + (1 - alpha) * (grad**2 - s)
    return [theta - lr * (grad / (s**0.5 + eps)), s]


def rms_single(theta: Any, grad: Any, s: Any, lr: float, alpha: float, eps: float) -> Any:
    """Keeps float32 throughout."""
    kind = theta.dtype.type
    s = (kind(alpha) * s + kind(1 - alpha) * grad * grad).astype(kind)
    return (theta - kind(lr) * grad / (np.sqrt(s) + kind(eps))).astype(kind), s


def adam_loop(theta: Any, grad: Any, m: Any, v: Any, t: int, lr: float, beta1: float, beta2: float, eps: float) -> Any:
    new_theta, new_m, new_v = theta.copy(), m.copy(), v.copy()
    for i in np.ndindex(*theta.shape):
        new_m[i] = beta1 * m[i] + (1 - beta1) * grad[i]
        new_v[i] = beta2 * v[i] + (1 - beta2) * grad[i] ** 2
        new_theta[i] -= lr * (new_m[i] / (1 - beta1**t)) / (np.sqrt(new_v[i] / (1 - beta2**t)) + eps)
    return new_theta, new_m, new_v


def adam_rearranged(
    theta: Any, grad: Any, m: Any, v: Any, t: int, lr: float, beta1: float, beta2: float, eps: float
) -> Any:
    """PyTorch's order of operations: the corrections as two numbers."""
    first, second = 1 - beta1**t, 1 - beta2**t
    m, v = m + (1 - beta1) * (grad - m), beta2 * v + (1 - beta2) * grad * grad
    return theta - lr / first * m / (np.sqrt(v) / second**0.5 + eps), m, v


def adam_broadcast(
    theta: Any, grad: Any, m: Any, v: Any, t: int, lr: float, beta1: float, beta2: float, eps: float
) -> Any:
    """Both averages as rows of one array; what comes back are views of it."""
    betas = np.array([beta1, beta2]).reshape(2, *[1] * theta.ndim)
    averages = betas * np.stack([m, v]) + (1 - betas) * np.stack([grad, grad**2])
    m_hat, v_hat = averages / (1 - betas**t)
    return theta - lr * m_hat / (np.sqrt(v_hat) + eps), averages[0], averages[1]


def adam_in_place_on_copies(
    theta: Any, grad: Any, m: Any, v: Any, t: int, lr: float, beta1: float, beta2: float, eps: float
) -> Any:
    theta, m, v = (np.array(a) for a in (theta, m, v))
    m *= beta1
    m += grad * (1 - beta1)
    v *= beta2
    v += np.power(grad, 2) * (1 - beta2)
    theta -= lr * m / (1 - np.power(beta1, t)) / (eps + np.sqrt(v / (1 - np.power(beta2, t))))
    return theta, m, v


def adam_single(
    theta: Any, grad: Any, m: Any, v: Any, t: int, lr: float, beta1: float, beta2: float, eps: float
) -> Any:
    """Keeps float32 throughout, the corrections included."""
    kind = theta.dtype.type
    b1, b2 = kind(beta1), kind(beta2)
    m, v = b1 * m + (1 - b1) * grad, b2 * v + (1 - b2) * grad**2
    theta = theta - kind(lr) * (m / (1 - b1**t)) / (np.sqrt(v / (1 - b2**t)) + kind(eps))
    assert theta.dtype == m.dtype == v.dtype == kind
    return theta, m, v


def ada_loop(theta: Any, grad: Any, s: Any, lr: float, eps: float) -> Any:
    pairs = [
        (p - lr * g / ((old + g * g) ** 0.5 + eps), old + g * g)
        for p, g, old in zip(theta.flat, grad.flat, s.flat, strict=True)
    ]
    new_theta, new_s = np.array(pairs).T
    return new_theta.reshape(theta.shape), new_s.reshape(s.shape)


def ada_in_place_on_copies(theta: Any, grad: Any, s: Any, lr: float, eps: float) -> Any:
    theta, s = theta.copy(), s.copy()
    s += grad**2
    theta -= lr * grad / (np.sqrt(s) + eps)
    return theta, s


def ada_einsum(theta: Any, grad: Any, s: Any, lr: float, eps: float) -> Any:
    s = s + np.einsum("...,...->...", grad, grad)
    return theta - np.einsum(",...,...->...", lr, grad, 1 / (s**0.5 + eps)), s


def ada_rates(theta: Any, grad: Any, s: Any, lr: float, eps: float) -> Any:
    """A rate for each number."""
    total = np.add(s, np.square(grad))
    rates = np.divide(lr, np.add(np.sqrt(total), eps))
    return np.subtract(theta, np.multiply(rates, grad)), total


def ada_single(theta: Any, grad: Any, s: Any, lr: float, eps: float) -> Any:
    kind = theta.dtype.type
    s = s + grad * grad
    theta = theta - kind(lr) * grad / (np.sqrt(s) + kind(eps))
    assert theta.dtype == s.dtype == kind
    return theta, s


def with_decay(step: Callable[..., Any]) -> Callable[..., Any]:
    """Decay first, as a factor, then somebody's Adam."""
    return lambda theta, *given: step(theta * (1 - given[4] * given[8]), *given[:8])


def adamw_in_one_sum(theta: Any, *given: Any) -> Any:
    """Step and decay both from the old theta, subtracted together."""
    *adam, weight_decay = given
    moved, m, v = adam_rearranged(theta, *adam)
    return moved - adam[4] * weight_decay * theta, m, v


RIGHT: dict[str, list[Callable[..., Any]]] = {
    "rmsprop_step": [rms_loop, rms_in_place_on_copies, rms_einsum, rms_nudge, rms_single],
    "adam_step": [adam_loop, adam_rearranged, adam_broadcast, adam_in_place_on_copies, adam_single],
    "adagrad_step": [ada_loop, ada_in_place_on_copies, ada_einsum, ada_rates, ada_single],
    "adamw_step": [
        *map(with_decay, (adam_loop, adam_broadcast, adam_in_place_on_copies)),
        adamw_in_one_sum,
    ],
}
