"""Lesson 09: right answers as other people write them."""

from __future__ import annotations

import cmath
import math
from collections.abc import Callable
from typing import Any

import numpy as np


def step_loop(lr0: float, t: int, step_size: int, gamma: float) -> Any:
    """Walks all steps, as a training loop would."""
    lr = lr0
    for step in range(1, t + 1):
        if step % step_size == 0:
            lr *= gamma
    return lr


def step_recursive(lr0: float, t: int, step_size: int, gamma: float) -> Any:
    """The first stair, then the rest with a lower first rate."""
    while t >= step_size:
        lr0, t = lr0 * gamma, t - step_size
    return lr0


def step_numpy(lr0: float, t: int, step_size: int, gamma: float) -> Any:
    return lr0 * np.power(gamma, np.floor(t / step_size))


def step_logarithms(lr0: float, t: int, step_size: int, gamma: float) -> Any:
    falls, _ = divmod(t, step_size)
    return math.exp(math.log(lr0) + falls * math.log(gamma))


def step_zero_dimensional(lr0: float, t: int, step_size: int, gamma: float) -> Any:
    """An array without axes is a number too."""
    return np.asarray(lr0) * gamma ** int(t / step_size)


def cosine_numpy(lr0: float, t: int, T_max: int, eta_min: float) -> Any:
    return eta_min + 0.5 * (lr0 - eta_min) * (1 + np.cos(np.pi * t / T_max))


def cosine_squared(lr0: float, t: int, T_max: int, eta_min: float) -> Any:
    """(1 + cos x) / 2 is the square of cos(x / 2)."""
    left = math.cos(math.pi * t / (2 * T_max)) ** 2
    return lr0 * left + eta_min * (1 - left)


def cosine_from_the_middle(lr0: float, t: int, T_max: int, eta_min: float) -> Any:
    middle, height = (lr0 + eta_min) / 2, (lr0 - eta_min) / 2
    return middle + height * math.cos(math.radians(180 * t / T_max))


def cosine_sine(lr0: float, t: int, T_max: int, eta_min: float) -> Any:
    return lr0 - (lr0 - eta_min) * np.sin(np.pi / 2 * (t / T_max)) ** 2


def cosine_complex(lr0: float, t: int, T_max: int, eta_min: float) -> Any:
    turned = cmath.exp(1j * math.pi * t / T_max).real
    return np.float64(eta_min + (lr0 - eta_min) * (turned + 1) / 2)


class PlateauCountdown:
    """Counts down, and knows no infinity."""

    def __init__(self, lr: float, factor: float, patience: int, threshold: float = 1e-4) -> None:
        self.rate, self.factor, self.patience, self.share = lr, factor, patience, 1 - threshold
        self.best: float | None = None
        self.left = patience

    def step(self, metric: float) -> Any:
        first = self.best is None and math.isfinite(metric)
        if first or (self.best is not None and metric < self.best * self.share):
            self.best, self.left = metric, self.patience
        elif self.left == 0:
            self.rate, self.left = self.rate * self.factor, self.patience
        else:
            self.left -= 1
        return self.rate


class PlateauPowers:
    """Counts the falls, and takes the power."""

    def __init__(self, lr: float, factor: float, patience: int, threshold: float = 1e-4) -> None:
        self.lr0, self.factor, self.patience, self.threshold = lr, factor, patience, threshold
        self.best, self.wait, self.falls = float("inf"), 0, 0

    def step(self, metric: float) -> Any:
        self.wait += 1
        if metric < (1.0 - self.threshold) * self.best:
            self.best, self.wait = metric, 0
        if self.wait == self.patience + 1:
            self.falls, self.wait = self.falls + 1, 0
        return self.lr0 * self.factor**self.falls


class PlateauHistory:
    """Keeps every answer, and looks back; NaN is turned into infinity first; answers with NumPy's numbers."""

    def __init__(self, lr: float, factor: float, patience: int, threshold: float = 1e-4) -> None:
        self.lr, self.factor, self.patience, self.threshold = np.float64(lr), factor, patience, threshold
        self.best: Any = np.inf
        self.bad: list[bool] = []

    def step(self, metric: float) -> Any:
        metric = np.nan_to_num(metric, nan=np.inf, posinf=np.inf)
        good = bool(metric < self.best * (1 - self.threshold))
        self.bad.append(not good)
        if good:
            self.best = metric
        if len(self.bad) > self.patience and all(self.bad[-self.patience - 1 :]):
            self.lr = self.lr * self.factor
            self.bad.clear()
        return self.lr


class PlateauSteps:
    """From the number of the step since which it waits."""

    def __init__(self, lr: float, factor: float, patience: int, threshold: float = 1e-4) -> None:
        self.lr, self.factor, self.patience, self.threshold = lr, factor, patience, threshold
        self.best, self.now, self.since = math.inf, 0, 0

    def step(self, metric: float) -> Any:
        self.now += 1
        improved = not math.isnan(metric) and metric < self.best - self.best * self.threshold
        if math.isinf(self.best):
            improved = math.isfinite(metric)
        if improved:
            self.best, self.since = metric, self.now
        elif self.now - self.since > self.patience:
            self.lr, self.since = self.lr * self.factor, self.now
        return self.lr


def exponential_loop(lr0: float, t: int, gamma: float) -> Any:
    for _ in range(t):
        lr0 *= gamma
    return lr0


def exponential_natural(lr0: float, t: int, gamma: float) -> Any:
    return lr0 * math.exp(t * math.log(gamma))


def exponential_numpy(lr0: float, t: int, gamma: float) -> Any:
    return np.float64(lr0) * np.power(gamma, t)


def exponential_product(lr0: float, t: int, gamma: float) -> Any:
    return math.prod([lr0, *[gamma] * t])


def exponential_halves(lr0: float, t: int, gamma: float) -> Any:
    """The power by squaring."""
    power, square = 1.0, gamma
    while t:
        if t % 2:
            power *= square
        square, t = square * square, t // 2
    return np.asarray(lr0 * power)


def warm_expression(lr0: float, t: int, warmup: int, T_max: int, eta_min: float) -> Any:
    wave = cosine_numpy(lr0, t - warmup, T_max - warmup, eta_min)
    return lr0 * (t + 1) / warmup if t < warmup else wave


def warm_list(lr0: float, t: int, warmup: int, T_max: int, eta_min: float) -> Any:
    """All rates, then the one that was asked for."""
    up = [lr0 / warmup * (k + 1) for k in range(warmup)]
    down = [cosine_squared(lr0, k, T_max - warmup, eta_min) for k in range(T_max - warmup + 1)]
    return [*up, *down][t]


def warm_where(lr0: float, t: int, warmup: int, T_max: int, eta_min: float) -> Any:
    share = np.clip((t - warmup) / (T_max - warmup), 0, None)
    rise = (t + 1) / max(warmup, 1)
    return np.where(t < warmup, lr0 * rise, eta_min + (lr0 - eta_min) * (1 + np.cos(np.pi * share)) / 2)


def warm_smaller(lr0: float, t: int, warmup: int, T_max: int, eta_min: float) -> Any:
    """The wave is at its top, lr0, until the warm-up is over."""
    wave = cosine_from_the_middle(lr0, max(t - warmup, 0), T_max - warmup, eta_min)
    return min(1.0, (t + 1) / warmup) * wave if t < warmup else wave


def cycle_expression(t: int, total_steps: int, max_lr: float, pct_start: float, div: float, final: float) -> Any:
    top, end, low = pct_start * total_steps - 1, total_steps - 1, max_lr / div
    up = low + (max_lr - low) * (1 - np.cos(np.pi * t / top)) / 2
    down = low / final + (max_lr - low / final) * (1 + np.cos(np.pi * (t - top) / (end - top))) / 2
    return up if t <= top else down


def cycle_phases(t: int, total_steps: int, max_lr: float, pct_start: float, div: float, final: float) -> Any:
    """A list of phases, and the one that the step lies in."""
    ends = [pct_start * total_steps - 1, float(total_steps - 1)]
    rates = [max_lr / div, max_lr, max_lr / (div * final)]
    start = 0.0
    for i, end in enumerate(ends):
        if t <= end:
            return cosine_squared(rates[i], (t - start) / (end - start), 1, rates[i + 1])  # type: ignore[arg-type]
        start = end
    raise ValueError(t)


def cycle_sines(t: int, total_steps: int, max_lr: float, pct_start: float, div: float, final: float) -> Any:
    rising = pct_start * total_steps - 1
    falling = total_steps - 1 - rising
    if t <= rising:
        share, start, end = t / rising, max_lr / div, max_lr
    else:
        share, start, end = (t - rising) / falling, max_lr, max_lr / div / final
    return start + (end - start) * math.sin(math.pi * share / 2) ** 2


def cycle_interpolated(t: int, total_steps: int, max_lr: float, pct_start: float, div: float, final: float) -> Any:
    """Where it is between 0 and 2, then the wave of that."""
    place = np.interp(t, [0, pct_start * total_steps - 1, total_steps - 1], [0, 1, 2])
    high = (1 - np.cos(np.pi * place)) / 2
    floor = max_lr / div if place < 1 else max_lr / div / final
    return floor + (max_lr - floor) * high


RIGHT: dict[str, list[Callable[..., Any]]] = {
    "step_lr": [step_loop, step_recursive, step_numpy, step_logarithms, step_zero_dimensional],
    "cosine_lr": [cosine_numpy, cosine_squared, cosine_from_the_middle, cosine_sine, cosine_complex],
    "ReduceOnPlateau": [PlateauCountdown, PlateauPowers, PlateauHistory, PlateauSteps],
    "exponential_lr": [
        exponential_loop,
        exponential_natural,
        exponential_numpy,
        exponential_product,
        exponential_halves,
    ],
    "warmup_cosine_lr": [warm_expression, warm_list, warm_where, warm_smaller],
    "one_cycle_lr": [cycle_expression, cycle_phases, cycle_sines, cycle_interpolated],
}
