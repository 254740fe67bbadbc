"""Lesson 05: right answers as other people write them."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np


def split_cumulative(n: int, sizes: Any, rng: Any) -> Any:
    return tuple(np.split(rng.permutation(n), np.cumsum(sizes))[: len(sizes)])


def split_shuffled_list(n: int, sizes: Any, rng: Any) -> Any:
    """Shuffles in place, and cuts pieces off the front."""
    order = np.arange(n)
    rng.shuffle(order)
    parts = []
    for size in sizes:
        parts.append(order[:size])
        order = order[size:]
    return parts


def split_by_random_numbers(n: int, sizes: Any, rng: Any) -> Any:
    order = rng.random(n).argsort().astype(np.int32)
    places = [0]
    for size in sizes:
        places.append(places[-1] + size)
    return tuple(np.sort(order[a:b]) for a, b in pairwise(places))


def split_chosen(n: int, sizes: Any, rng: Any) -> Any:
    """All that is needed in one draw without putting back."""
    drawn = rng.choice(n, size=sum(sizes), replace=False)
    ends = np.cumsum(sizes)
    return tuple(drawn[end - size : end].copy() for size, end in zip(sizes, ends, strict=True))


def split_from_what_is_left(n: int, sizes: Any, rng: Any) -> Any:
    left = np.arange(n)
    parts = []
    for size in sizes:
        part = rng.choice(left, size=size, replace=False)
        left = np.setdiff1d(left, part)
        parts.append(part)
    return tuple(parts)


def l2_loops(W: Any, lam: float) -> Any:
    total, grad = 0.0, np.empty_like(W)
    for place in np.ndindex(W.shape):
        total += float(W[place]) ** 2
        grad[place] = lam * W[place]
    return lam * total / 2, grad


def l2_einsum(W: Any, lam: float) -> Any:
    flat = W.ravel()
    return [lam * np.einsum("i,i->", flat, flat) / 2, np.multiply(W, lam)]


def l2_dot(W: Any, lam: float) -> Any:
    return np.asarray(0.5 * lam * np.vdot(W, W)), W * lam


def l2_norm(W: Any, lam: float) -> Any:
    return lam * np.linalg.norm(W) ** 2 / 2, lam * W


def l2_single(W: Any, lam: float) -> Any:
    """Keeps float32; the gradient is a view of a larger array."""
    kept = np.zeros((2, *W.shape), W.dtype)
    kept[1] = W * W.dtype.type(lam)
    return W.dtype.type(lam / 2) * (W**2).sum(), kept[1]


def l1_loops(W: Any, lam: float) -> Any:
    total, grad = 0.0, np.zeros(W.shape)
    for place in np.ndindex(W.shape):
        w = W[place]
        total += float(w if w > 0 else -w)
        grad[place] = lam if w > 0 else -lam if w < 0 else 0.0
    return lam * total, grad


def l1_signs(W: Any, lam: float) -> Any:
    sign = np.sign(W)
    return lam * np.einsum("i,i->", sign.ravel(), W.ravel()), lam * sign


def l1_comparisons(W: Any, lam: float) -> Any:
    return [lam * np.abs(W).ravel().sum(), lam * ((W > 0).astype(W.dtype) - (W < 0))]


def l1_norm(W: Any, lam: float) -> Any:
    return lam * np.linalg.norm(W.ravel(), 1), np.where(W > 0, lam, np.where(W < 0, -lam, 0.0))


def l1_copysign(W: Any, lam: float) -> Any:
    """Keeps float32."""
    grad = np.copysign(W.dtype.type(lam), W)
    grad[W == 0] = 0
    return W.dtype.type(lam) * np.fabs(W).sum(), grad


def soft_clip(w: Any, amount: float) -> Any:
    return w - np.clip(w, -amount, amount)


def soft_cases(w: Any, amount: float) -> Any:
    return np.where(w > amount, w - amount, np.where(w < -amount, w + amount, 0.0))


def soft_two_sides(w: Any, amount: float) -> Any:
    return np.maximum(w - amount, 0) - np.maximum(-w - amount, 0)


def soft_loops(w: Any, amount: float) -> Any:
    moved = np.zeros_like(w)
    for place in np.ndindex(w.shape):
        size = abs(w[place]) - amount
        if size > 0:
            moved[place] = size if w[place] > 0 else -size
    return moved


def soft_masks(w: Any, amount: float) -> Any:
    """In place on a copy; keeps float32."""
    moved = w.copy()
    moved[np.abs(w) <= amount] = 0
    moved[w > amount] -= w.dtype.type(amount)
    moved[w < -amount] += w.dtype.type(amount)
    return moved


def elastic_from_parts(W: Any, lam: float, l1_ratio: float) -> Any:
    (l1, slope1), (l2, slope2) = l1_signs(W, lam * l1_ratio), l2_dot(W, lam * (1 - l1_ratio))
    return l1 + l2, slope1 + slope2


def elastic_strengths(W: Any, lam: float, l1_ratio: float) -> Any:
    a, b = lam * l1_ratio, lam - lam * l1_ratio
    return [np.sum(a * np.abs(W) + b * W**2 / 2), a * np.sign(W) + b * W]


def elastic_loops(W: Any, lam: float, l1_ratio: float) -> Any:
    value, grad = 0.0, np.zeros_like(W)
    for place in np.ndindex(W.shape):
        w = float(W[place])
        value += lam * (l1_ratio * abs(w) + (1 - l1_ratio) * w**2 / 2)
        grad[place] = lam * (l1_ratio * ((w > 0) - (w < 0)) + (1 - l1_ratio) * w)
    return value, grad


def elastic_einsum(W: Any, lam: float, l1_ratio: float) -> Any:
    flat, sign = W.ravel(), np.sign(W)
    both = l1_ratio * np.abs(flat).sum() + 0.5 * (1 - l1_ratio) * np.einsum("i,i->", flat, flat)
    return np.asarray(lam * both), (lam * l1_ratio * sign.ravel() + lam * (1 - l1_ratio) * flat).reshape(W.shape)


class StoppingCounters:
    """Counts down, and knows no infinity."""

    def __init__(self, patience: int, min_delta: float = 0.0) -> None:
        self.patience, self.min_delta = patience, min_delta
        self.best: float | None = None
        self.best_step: int | None = None
        self.left, self.t, self.over = patience, 0, False

    def step(self, value: float) -> bool:
        first = self.best is None and value == value
        if first or (self.best is not None and value < self.best - self.min_delta):
            self.best, self.best_step, self.left = value, self.t, self.patience
        else:
            self.left -= 1
        self.t += 1
        self.over = self.over or self.left <= 0
        return self.over


class StoppingSteps:
    """From the distance to the best step."""

    def __init__(self, patience: int, min_delta: float = 0.0) -> None:
        self.patience = patience
        self.min_delta = min_delta
        self.best = float("inf")
        self.best_step = -1
        self.step_number = -1
        self._stopped = False

    def step(self, value: float) -> bool:
        self.step_number += 1
        if self.best - value > self.min_delta:
            self.best = float(value)
            self.best_step = self.step_number
        if self.step_number - self.best_step >= self.patience:
            self._stopped = True
        return self._stopped


class StoppingHistory:
    """Keeps every value, and looks back over the last ones; answers with NumPy's truth values."""

    def __init__(self, patience: int, min_delta: float = 0.0) -> None:
        self.patience, self.min_delta = patience, min_delta
        self.failed: list[bool] = []
        self.best, self.best_step = np.inf, -1
        self.stopped: Any = np.False_

    def step(self, value: float) -> Any:
        self.failed.append(not value < self.best - self.min_delta)
        if not self.failed[-1]:
            self.best, self.best_step = np.float64(value), len(self.failed) - 1
        if len(self.failed) >= self.patience:
            self.stopped |= np.all(self.failed[-self.patience :])
        return self.stopped


class StoppingWindow:
    """A window of the last answers; NaN is turned into infinity first."""

    def __init__(self, patience: int, min_delta: float = 0.0) -> None:
        self.delta, self.window = min_delta, deque([True] * patience, maxlen=patience)
        self.best, self.best_step, self.count, self.done = np.inf, -1, 0, False

    def step(self, value: float) -> bool:
        value = np.inf if np.isnan(value) else value
        better = value + self.delta < self.best if self.delta == 0 else value < self.best - self.delta
        self.window.append(bool(better))
        if better:
            self.best, self.best_step = value, self.count
        self.count += 1
        if not any(self.window):
            self.done = True
        return self.done


RIGHT: dict[str, list[Callable[..., Any]]] = {
    "split_indices": [
        split_cumulative,
        split_shuffled_list,
        split_by_random_numbers,
        split_chosen,
        split_from_what_is_left,
    ],
    "l2_penalty": [l2_loops, l2_einsum, l2_dot, l2_norm, l2_single],
    "l1_penalty": [l1_loops, l1_signs, l1_comparisons, l1_norm, l1_copysign],
    "soft_threshold": [soft_clip, soft_cases, soft_two_sides, soft_loops, soft_masks],
    "EarlyStopping": [StoppingCounters, StoppingSteps, StoppingHistory, StoppingWindow],
    "elastic_net_penalty": [elastic_from_parts, elastic_strengths, elastic_loops, elastic_einsum],
}
