"""Lesson 09: the learning rate as a function of time, and one that follows the loss.

A schedule takes the number of a step, `t`, an int counted from 0, and returns the rate of that step, a float. It is
asked at many steps and in any order: the answer depends on `t` alone. (The library's own schedules, which drive an
optimizer, are in `course_lib.schedulers`.)
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from inspect import cleandoc
from typing import Any

import numpy as np

from course_lib.exercises.exercise import Exercise, Group, Misconception
from course_lib.exercises.programs import Case, Result, call, method

LESSON = "09_schedulers"
WITHHELD = ("schedulers", "early_stopping", "training", "sweep", "explore")
"""Modules of course_lib that hold an equivalent of what this lesson asks, or part of one, or import one that does."""


def _many(name: str, ts: Iterable[int], label: str, before: dict[str, Any], after: dict[str, Any]) -> Case:
    """The function asked at every t, in this order; `before` and `after` are the arguments around t."""
    steps = tuple(call(name, **before, t=int(t), **after) for t in ts)
    return Case(steps, tuple(range(len(steps))), label)


def _rate(rng: np.random.Generator) -> float:
    """A rate that is neither 1 nor near 0."""
    return float(rng.uniform(0.1, 0.9))


# step_lr --------------------------------------------------------------------------------------------------------------


def step_lr(lr0: float, t: int, step_size: int, gamma: float) -> float:
    """The rate of step t where it falls by a factor after every `step_size` steps.

    Source: He et al. (2016), Deep Residual Learning for Image Recognition, section 3.4.

    Args:
        lr0: the rate of step 0, above 0.
        t: which step, an int from 0.
        step_size: how many steps have one rate, an int, at least 1.
        gamma: the factor, above 0.
    """
    return lr0 * gamma ** (t // step_size)


def _step_case(rng: np.random.Generator, ts: Iterable[int], label: str, step_size: int, gamma: float = 0.0) -> Case:
    gamma = gamma or float(rng.uniform(0.3, 0.8))
    return _many("step_lr", ts, label, {"lr0": _rate(rng)}, {"step_size": step_size, "gamma": gamma})


def _step_ordinary(rng: np.random.Generator) -> list[Case]:
    size = int(rng.integers(4, 8))
    return [
        _step_case(rng, range(11), "t = 0 to 10, step_size = 3", 3),
        _step_case(rng, range(3 * size + 2), f"t = 0 to {3 * size + 1}, step_size = {size}", size),
    ]


def _step_edge(rng: np.random.Generator) -> list[Case]:
    return [
        _step_case(rng, range(6), "step_size = 1", 1),
        _step_case(rng, range(0, 20, 3), "t = 0, 3, ..., 18, before the first fall at 20", 20),
        _step_case(rng, range(7), "gamma = 1", 2, 1.0),
        _step_case(rng, range(9), "gamma above 1", 4, float(rng.uniform(1.5, 3))),
    ]


def _step_nasty(rng: np.random.Generator) -> list[Case]:
    far = int(rng.integers(2000, 3000))
    return [
        _step_case(rng, rng.permutation(25), "the same 25 steps in random order, step_size = 4", 4),
        _step_case(rng, [far, 5, far, 0], f"t = {far}, 5, {far}, 0, step_size = 90", 90),
        _step_case(rng, [99_999, 100_000, 100_001, 300_000], "t around 100,000, step_size = 100,000", 100_000, 0.1),
    ]


STEP_LR = Exercise(
    name="step_lr",
    lesson=LESSON,
    question="The rate of step t where it falls by the factor gamma after every step_size steps.",
    outputs=("lr",),
    reference=step_lr,
    groups=(
        Group("ordinary", "The first steps", 3, _step_ordinary),
        Group("edge", "step_size 1, no fall yet, gamma 1 and above", 1, _step_edge),
        Group("nasty", "Any order, large t", 1, _step_nasty),
    ),
    misconceptions=(
        Misconception(
            "not_floored",
            "The rate falls a little at every step: `t / step_size` must be a whole number of falls. Use `t // "
            "step_size`.",
            lambda lr0, t, step_size, gamma: lr0 * gamma ** (t / step_size),
            "step_size = 3: at t = 4 there was one fall, not 1.33 of them. `4 // 3` is 1.",
        ),
        Misconception(
            "rounded",
            "The number of falls is rounded, so the rate falls in the middle of a stair. Round *down*: `t // "
            "step_size`.",
            lambda lr0, t, step_size, gamma: lr0 * gamma ** round(t / step_size),
        ),
        Misconception(
            "one_step_late",
            "Every fall comes one step late. The steps 0 to step_size - 1 have the first rate, so step number "
            "step_size is already lower.",
            lambda lr0, t, step_size, gamma: lr0 * gamma ** (max(t - 1, 0) // step_size),
            "step_size = 3: steps 0, 1, 2 are three steps with the first rate. Which is the first with the second "
            "rate?",
        ),
        Misconception(
            "one_step_early",
            "Every fall comes one step early. Steps are counted from 0: there are step_size of them before step number "
            "step_size.",
            lambda lr0, t, step_size, gamma: lr0 * gamma ** ((t + 1) // step_size),
        ),
        Misconception(
            "gamma_times_the_falls",
            "The rate is multiplied by gamma times the number of falls. Each fall multiplies once more by gamma: that "
            "is a power, `gamma ** (t // step_size)`.",
            lambda lr0, t, step_size, gamma: lr0 * gamma * (t // step_size),
            "Two falls by a half leave a quarter: 0.5 ** 2. What does your code give, and before the first fall?",
        ),
        Misconception(
            "subtracted",
            "Gamma is subtracted at every fall. It is a factor: the rate of 0.4 falls to 0.4 * gamma.",
            lambda lr0, t, step_size, gamma: lr0 - gamma * (t // step_size),
        ),
        Misconception(
            "divided",
            "The rate is divided by gamma, so with gamma below 1 it rises. Multiply.",
            lambda lr0, t, step_size, gamma: lr0 / gamma ** (t // step_size),
        ),
        Misconception(
            "only_once",
            "The rate falls once and never again. After 2 * step_size steps it has fallen twice, and so on.",
            lambda lr0, t, step_size, gamma: lr0 * gamma if t >= step_size else lr0,
        ),
        Misconception(
            "only_at_the_step",
            "The rate is lower only *at* the multiples of step_size and back at lr0 in between. `lr0` is the rate of "
            "step 0 and is never changed for you: count all falls since then.",
            lambda lr0, t, step_size, gamma: lr0 * gamma if t > 0 and t % step_size == 0 else lr0,
            "Code such as `if t % step_size == 0: lr *= gamma` works in a loop that keeps lr. Here you get lr0 every "
            "time, so work out how many falls there were.",
        ),
        Misconception(
            "share_taken_away",
            "Each fall takes the share gamma away and leaves 1 - gamma. It is the other way round: gamma is what is "
            "left.",
            lambda lr0, t, step_size, gamma: lr0 * (1 - gamma) ** (t // step_size),
        ),
        Misconception(
            "at_every_step",
            "The rate falls at every step: step_size has no effect. That is the exponential schedule.",
            lambda lr0, t, step_size, gamma: lr0 * gamma**t,
        ),
    ),
    hints=(
        cleandoc("""
            Take lr0 = 0.8, step_size = 3, gamma = 0.5, and t = 0, 1, 2, ... Every answer is one number, of shape ().

            t = 0, 1, 2: 0.8. t = 3, 4, 5: 0.4, after one fall. t = 6: 0.2, after two. So how many falls were there at t
            = 7?
            """),
        cleandoc("""
            Count how many whole groups of step_size steps lie before step t. Multiply the first rate by gamma once for
            each of them.
            """),
        cleandoc("""
            ```python
            falls = t ____ step_size
            return lr0 * gamma ____ falls
            ```

            (Each blank is an operator.) Why need the function not remember the rate of the step before?
            """),
    ),
    minutes=4,
    difficulty=1,
)


# cosine_lr ------------------------------------------------------------------------------------------------------------


def cosine_lr(lr0: float, t: int, T_max: int, eta_min: float) -> float:
    """The rate of step t on half a cosine wave from lr0, at t = 0, down to eta_min, at t = T_max.

    Source: Loshchilov and Hutter (2017), SGDR, equation 5, without the restarts.

    Args:
        lr0: the rate of step 0.
        t: which step, an int from 0 to T_max.
        T_max: how many steps there are on the way, an int, at least 1.
        eta_min: the lowest rate, at least 0.
    """
    return eta_min + (lr0 - eta_min) * (1 + math.cos(math.pi * t / T_max)) / 2


def _cosine_case(rng: np.random.Generator, ts: Iterable[int], label: str, T_max: int, eta_min: float) -> Case:
    return _many("cosine_lr", ts, label, {"lr0": _rate(rng)}, {"T_max": T_max, "eta_min": eta_min})


def _cosine_ordinary(rng: np.random.Generator) -> list[Case]:
    T, low = int(rng.integers(7, 13)), float(rng.uniform(0.01, 0.05))
    return [
        _cosine_case(rng, range(5), "T_max = 4, t = 0 to 4, eta_min = 0", 4, 0.0),
        _cosine_case(rng, range(T + 1), f"T_max = {T}, t = 0 to {T}, eta_min = {low:.3f}", T, low),
    ]


def _cosine_edge(rng: np.random.Generator) -> list[Case]:
    lr0, higher = _rate(rng), float(rng.uniform(1, 2))
    rising = _many("cosine_lr", range(7), "eta_min above lr0", {"lr0": lr0}, {"T_max": 6, "eta_min": higher})
    level = _many("cosine_lr", range(6), "eta_min = lr0", {"lr0": lr0}, {"T_max": 5, "eta_min": lr0})
    return [_cosine_case(rng, [0, 1], "T_max = 1", 1, 0.01), level, rising]


def _cosine_nasty(rng: np.random.Generator) -> list[Case]:
    T = int(rng.integers(10_000, 20_000))
    ts = [T, 0, T // 3, T - 1, 1, T // 2]
    small = _many("cosine_lr", range(9), "rates near 1e-6", {"lr0": 1e-6 * _rate(rng)}, {"T_max": 8, "eta_min": 1e-8})
    return [
        _cosine_case(rng, ts, f"T_max = {T}, t = {', '.join(map(str, ts))}", T, 1e-3),
        _cosine_case(rng, rng.permutation(16), "T_max = 15, in random order", 15, float(rng.uniform(0.01, 0.05))),
        small,
    ]


def _wave(start: float, end: float, share: float) -> float:
    """Half a cosine wave from `start` to `end`, when this share of the way is done."""
    return end + (start - end) * (1 + math.cos(math.pi * share)) / 2


COSINE_LR = Exercise(
    name="cosine_lr",
    lesson=LESSON,
    question="The rate of step t on half a cosine wave from lr0 down to eta_min at t = T_max.",
    outputs=("lr",),
    reference=cosine_lr,
    groups=(
        Group("ordinary", "From lr0 to eta_min", 3, _cosine_ordinary),
        Group("edge", "One step, no fall, upwards", 1, _cosine_edge),
        Group("nasty", "Many steps, any order, tiny rates", 1, _cosine_nasty),
    ),
    misconceptions=(
        Misconception(
            "without_the_half",
            "The rate is twice too far above eta_min: 1 + cos goes from 2 down to 0, so it needs a half.",
            lambda lr0, t, T_max, eta_min: eta_min + (lr0 - eta_min) * (1 + math.cos(math.pi * t / T_max)),
            "t = 0: cos(0) = 1, so 1 + 1 = 2. The share of the way that is left should be 1 there.",
        ),
        Misconception(
            "bare_cosine",
            "The cosine stands alone and goes from 1 to -1, so the rate ends below eta_min. It is (1 + cos) / 2 that "
            "goes from 1 to 0.",
            lambda lr0, t, T_max, eta_min: eta_min + (lr0 - eta_min) * math.cos(math.pi * t / T_max),
        ),
        Misconception(
            "degrees",
            "The cosine is given degrees. `np.cos` takes radians, as does `math.cos`: half a turn is pi, not 180.",
            lambda lr0, t, T_max, eta_min: eta_min + (lr0 - eta_min) * (1 + math.cos(180 * t / T_max)) / 2,
        ),
        Misconception(
            "whole_wave",
            "This is a whole wave: the rate comes back to lr0 at T_max. Half a wave is pi, not 2 pi.",
            lambda lr0, t, T_max, eta_min: _wave(lr0, eta_min, 2 * t / T_max),
        ),
        Misconception(
            "quarter_wave",
            "This is a quarter of a wave, which is steep at the end. With (1 + cos) / 2 the angle goes up to pi.",
            lambda lr0, t, T_max, eta_min: eta_min + (lr0 - eta_min) * math.cos(math.pi * t / T_max / 2),
        ),
        Misconception(
            "eta_min_added",
            "eta_min is added to the whole wave, so the rate starts above lr0. Interpolate: the wave carries lr0 - "
            "eta_min.",
            lambda lr0, t, T_max, eta_min: eta_min + lr0 * (1 + math.cos(math.pi * t / T_max)) / 2,
            "lr0 = 0.5, eta_min = 0.1, t = 0: it should start at 0.5, not at 0.6.",
        ),
        Misconception(
            "eta_min_forgotten",
            "The rate falls to 0: eta_min has no effect. Go from lr0 to eta_min.",
            lambda lr0, t, T_max, eta_min: lr0 * (1 + math.cos(math.pi * t / T_max)) / 2,
        ),
        Misconception(
            "eta_min_not_added_back",
            "The wave carries lr0 - eta_min, as it should, but then eta_min must be added: the floor of the wave is "
            "not 0.",
            lambda lr0, t, T_max, eta_min: (lr0 - eta_min) * (1 + math.cos(math.pi * t / T_max)) / 2,
        ),
        Misconception(
            "cut_at_eta_min",
            "The wave goes to 0 and is cut off at eta_min, so the end is flat. It should arrive at eta_min only at "
            "T_max.",
            lambda lr0, t, T_max, eta_min: max(lr0 * (1 + math.cos(math.pi * t / T_max)) / 2, eta_min),
        ),
        Misconception(
            "arrives_too_early",
            "The rate arrives one step too early: you divide by T_max - 1. At t = T_max, and not before, it is "
            "eta_min.",
            lambda lr0, t, T_max, eta_min: _wave(lr0, eta_min, t / (T_max - 1)),
            "T_max = 4: the shares of the way are 0, 1/4, 2/4, 3/4, 1 at t = 0, 1, 2, 3, 4.",
        ),
        Misconception(
            "counted_from_one",
            "You are one step ahead: t + 1 stands where t is meant. Step 0 has the rate lr0.",
            lambda lr0, t, T_max, eta_min: _wave(lr0, eta_min, (t + 1) / T_max),
        ),
        Misconception(
            "stretched_by_one",
            "The way is one step too long: you divide by T_max + 1, so at t = T_max the rate is still above eta_min.",
            lambda lr0, t, T_max, eta_min: _wave(lr0, eta_min, t / (T_max + 1)),
        ),
        Misconception(
            "upside_down",
            "The wave is upside down: it starts at eta_min and rises. It is 1 *plus* the cosine.",
            lambda lr0, t, T_max, eta_min: _wave(eta_min, lr0, t / T_max),
        ),
        Misconception(
            "straight_line",
            "This is a straight line from lr0 to eta_min; the ends are right and the way between is not.",
            lambda lr0, t, T_max, eta_min: lr0 + (eta_min - lr0) * t / T_max,
        ),
    ),
    hints=(
        cleandoc("""
            Take lr0 = 0.8, T_max = 4, eta_min = 0, and t = 0, 1, 2, 3, 4. Every answer is one number, of shape ().

            The angles are 0, pi/4, pi/2, 3 pi/4, pi; their cosines 1, 0.707, 0, -0.707, -1; (1 + cosine) / 2 is 1,
            0.854, 0.5, 0.146, 0. So the rates are 0.8, 0.683, 0.4, 0.117, 0.
            """),
        cleandoc("""
            Which share of the way is done? Turn it into an angle, from 0 to pi. One plus its cosine, halved, says which
            share of the way from lr0 down to eta_min is still to go. Add that share of the height to the floor.
            """),
        cleandoc("""
            ```python
            angle = np.pi * ____
            left = (1 + np.cos(angle)) / 2
            return eta_min + ____ * left
            ```

            Where is the wave steepest, and where is it nearly flat?
            """),
    ),
    minutes=5,
    difficulty=2,
)


# ReduceOnPlateau ------------------------------------------------------------------------------------------------------


class ReduceOnPlateau:
    """Lowers the rate when a loss has not improved for more than `patience` values in a row.

    A value is good when it is below best * (1 - threshold), and bad otherwise; NaN is bad.
    Source: PyTorch's ReduceLROnPlateau with mode "min", threshold mode "rel" and no cooldown.

    Args:
        lr: the rate at the start.
        factor: what it is multiplied by, above 0 and below 1.
        patience: how many bad values in a row are borne; one more lowers the rate.
        threshold: by which share of the best a value must fall to count, from 0 to below 1.
    """

    def __init__(self, lr: float, factor: float, patience: int, threshold: float = 1e-4) -> None:
        self.lr, self.factor = lr, factor
        self.patience, self.threshold = patience, threshold
        self.best = math.inf
        self.bad = 0

    def step(self, metric: float) -> float:
        """Take in the next loss, at least 0 or NaN; return the rate to go on with."""
        if metric < self.best * (1 - self.threshold):
            self.best = metric
            self.bad = 0
        else:
            self.bad += 1
        if self.bad > self.patience:
            self.lr *= self.factor
            self.bad = 0
        return self.lr


class _InParts:
    """The same in parts, so that a mistake can exchange one of them."""

    def __init__(self, lr: float, factor: float, patience: int, threshold: float = 1e-4) -> None:
        self.lr, self.factor, self.patience, self.threshold = lr, factor, patience, threshold
        self.first_lr = lr
        self.best = self.last = math.inf
        self.bad = 0

    def improves(self, metric: float) -> bool:
        return metric < self.best * (1 - self.threshold)

    def take(self, metric: float) -> None:
        if self.improves(metric):
            self.best, self.bad = metric, 0
        else:
            self.bad += 1

    def enough(self) -> bool:
        return self.bad > self.patience

    def lower(self) -> None:
        self.lr *= self.factor

    def after(self) -> None:
        self.bad = 0

    def step(self, metric: float) -> Any:
        self.take(metric)
        self.last = metric
        if self.enough():
            self.lower()
            self.after()
        return self.lr


def _with(**parts: Callable[..., Any]) -> Callable[..., Any]:
    """The class with some of its parts done differently."""
    return type("ReduceOnPlateau", (_InParts,), parts)


def _never_reset(self: Any, metric: float) -> None:
    if self.improves(metric):
        self.best = metric
    else:
        self.bad += 1


def _best_creeps(self: Any, metric: float) -> None:
    self.bad = 0 if self.improves(metric) else self.bad + 1
    if metric < self.best:
        self.best = metric


def _nan_resets(self: Any, metric: float) -> None:
    if metric >= self.best * (1 - self.threshold):
        self.bad += 1
    else:
        self.best, self.bad = metric, 0


def _nan_left_out(self: Any, metric: float) -> None:
    if not math.isnan(metric):
        _InParts.take(self, metric)


def _first_value_counted(self: Any, metric: float) -> None:
    """The first value finds no best and counts as bad."""
    if self.best == math.inf:
        self.best, self.bad = metric, 1
    else:
        _InParts.take(self, metric)


def _forgets_the_best(self: Any) -> None:
    self.bad, self.best = 0, math.inf


def _one_call_late(self: Any, metric: float) -> Any:
    before = self.lr
    _InParts.step(self, metric)
    return before


def _nothing_between(self: Any, metric: float) -> Any:
    before = self.lr
    return None if _InParts.step(self, metric) == before else self.lr


def _subtracted(self: Any) -> None:
    self.lr -= self.factor


def _divided(self: Any) -> None:
    self.lr /= self.factor


def _from_the_first(self: Any) -> None:
    self.lr = self.first_lr * self.factor


def _plateau(values: Sequence[float], label: str, **settings: Any) -> Case:
    """Construct one, hand it the values, and ask for every rate."""
    steps = [call("ReduceOnPlateau", **settings)]
    steps += [method(Result(0), "step", metric=float(value)) for value in values]
    names = [f"step({value:.7g}) (call {place} of {len(values)})" for place, value in enumerate(values, start=1)]
    return Case(tuple(steps), tuple(range(1, len(steps))), label, tuple(names))


def _curve(rng: np.random.Generator, changes: Sequence[float]) -> list[float]:
    """Losses from about 4 on that fall (below 0) or rise in units of a tenth, each change a little random."""
    sizes = 0.1 * np.array(changes) * rng.uniform(0.9, 1.1, len(changes))
    found: list[float] = (4 + rng.uniform(0, 0.5) + np.concatenate([[0.0], np.cumsum(sizes)])).tolist()
    return found


def _start(rng: np.random.Generator, patience: int, **more: float) -> dict[str, Any]:
    return {"lr": _rate(rng), "factor": float(rng.uniform(0.2, 0.7)), "patience": patience, **more}


def _plateau_ordinary(rng: np.random.Generator) -> list[Case]:
    stuck = _curve(rng, [-5, -5, 1, 0.5, -0.3, 0.2, 0.3, -0.1, 0.4, 0.2])
    ups = _curve(rng, [-5, 1, 1, -4, 1, 1, -3, 1, -2, 1, 1, 1, 0.5])
    slow = _curve(rng, [-5, -0.8, -0.7, -6, -0.25, -0.2, -5, 0.5, 0.4, -4])
    turned = _curve(rng, [3, -6, -3, 6, -1, -1, -1, 1, -9])
    sliding = (float(rng.uniform(2, 4)) * 0.97 ** np.arange(9)).tolist()
    return [
        _plateau(stuck, "stuck after some good values, patience 2", **_start(rng, 2, threshold=0.0)),
        _plateau(ups, "up and down, each time lower, patience 2", **_start(rng, 2, threshold=0.0)),
        _plateau(slow, "changes below the threshold of 5%, patience 1", **_start(rng, 1, threshold=0.05)),
        _plateau(turned, "jumps up, then falls without a new best, patience 3", **_start(rng, 3, threshold=0.01)),
        _plateau(sliding, "falls by 3% a value, threshold 5%, patience 1", **_start(rng, 1, threshold=0.05)),
    ]


def _plateau_edge(rng: np.random.Generator) -> list[Case]:
    level = 0.25 * float(rng.integers(2, 8))
    barely = [1.0, 0.99985, 0.99985 * 0.99985, 0.9994, 0.99936, 0.9993, 0.999, 0.9989, 0.9985]
    return [
        _plateau(_curve(rng, [-2, 1, -3, 1, 1, 1, -5]), "patience 0", **_start(rng, 0, threshold=0.0)),
        _plateau([level] * 8, "a constant loss, patience 1", **_start(rng, 1, threshold=0.0)),
        _plateau([8.0, 6.0, 4.5, 3.0, 2.25, 1.0], "falls by exactly 25%, patience 0", **_start(rng, 0, threshold=0.25)),
        _plateau(barely, "the threshold left to its default, patience 0", **_start(rng, 0)),
        _two_runs(rng),
    ]


def _two_runs(rng: np.random.Generator) -> Case:
    """Two objects fed by turns: neither hears what the other is told."""
    first, second = _curve(rng, [-2, 1, 1, 1, 1]), _curve(rng, [3, -6, -1, 1, 1])
    steps = [call("ReduceOnPlateau", **_start(rng, 1, threshold=0.0)) for _ in range(2)]
    for one, other in zip(first, second, strict=True):
        steps += [method(Result(0), "step", metric=one), method(Result(1), "step", metric=other)]
    return Case(tuple(steps), tuple(range(2, len(steps))), "two runs watched at once, by turns")


def _plateau_nasty(rng: np.random.Generator) -> list[Case]:
    nan, inf = float("nan"), float("inf")
    a, b, c = sorted(rng.uniform(1, 2, 3), reverse=True)
    creeping = [a * 0.996**k for k in range(12)]
    return [
        _plateau(
            [a, b, nan, nan, c - 0.5, nan, nan, nan, c], "NaN is bad, patience 1", **_start(rng, 1, threshold=0.0)
        ),
        _plateau([b, nan, a, a, c - 0.5], "NaN, then worse, patience 1", **_start(rng, 1, threshold=0.0)),
        _plateau([nan, nan, nan, b, c - 0.5], "NaN from the start, patience 1", **_start(rng, 1, threshold=0.01)),
        _plateau([inf, a, inf, b - 0.5, inf, inf], "infinite losses, patience 1", **_start(rng, 1, threshold=0.0)),
        _plateau([1e-9 * v for v in (5, 4, 3, 4, 3.5, 2.9, 2.0)], "losses near 1e-9", **_start(rng, 1, threshold=0.05)),
        _plateau(creeping, "creeps down by 0.4% a value, threshold 1%, patience 1", **_start(rng, 1, threshold=0.01)),
        _plateau([a] + [a + 1] * 40, "forty bad values, patience 3", **_start(rng, 3, threshold=0.0)),
    ]


REDUCE_ON_PLATEAU = Exercise(
    name="ReduceOnPlateau",
    lesson=LESSON,
    question="Write a class that lowers the rate when a loss has not improved for more than `patience` values.",
    outputs=("lr",),
    reference=ReduceOnPlateau,
    groups=(
        Group("ordinary", "Ordinary losses", 4, _plateau_ordinary),
        Group("edge", "Patience 0, equal values, exactly the threshold, two at once", 1, _plateau_edge),
        Group("nasty", "NaN, infinite, tiny, creeping", 1, _plateau_nasty),
    ),
    misconceptions=(
        Misconception(
            "one_too_early",
            "The rate falls one value too early: `>=` where `>` is meant. `patience` bad values in a row are borne; "
            "the next one lowers the rate.",
            _with(enough=lambda self: self.bad >= self.patience),
            "patience = 2, losses 3, 2, 2.5, 2.6, 2.7: two bad ones are borne, and the fifth call lowers the rate.",
        ),
        Misconception(
            "one_too_late",
            "The rate falls one value too late. `patience` bad values in a row are borne; the very next one lowers it.",
            _with(enough=lambda self: self.bad > self.patience + 1),
        ),
        Misconception(
            "falls_again_and_again",
            "After the first fall the rate falls at every bad value: the count was not set back. Start counting from 0 "
            "again after a fall.",
            _with(after=lambda self: None),
            "patience = 2: after a fall there should again be two bad values that are borne.",
        ),
        Misconception(
            "never_reset",
            "Bad values are counted over the whole run. Count those *in a row*: a good value sets the count back to 0.",
            _with(take=_never_reset),
            "patience = 2, losses 5, 6, 4, 5, 3, 4: three bad ones, yet never two in a row.",
        ),
        Misconception(
            "compared_with_the_last",
            "Each value is compared with the one before it. Compare it with the best so far: a loss can fall for many "
            "values and stay above where it was.",
            _with(improves=lambda self, metric: metric < self.last * (1 - self.threshold)),
            "Losses 1, 5, 4, 3: each is below the last, and none is below 1.",
        ),
        Misconception(
            "best_creeps",
            "A fall by less than the threshold does not count, but you store it in `best` all the same. Then a slow, "
            "steady fall never counts. Change `best` only when a value is good.",
            _with(take=_best_creeps),
        ),
        Misconception(
            "threshold_absolute",
            "The threshold is subtracted from the best. Here it is a share of the best: `best * (1 - threshold)`.",
            _with(improves=lambda self, metric: metric < self.best - self.threshold),
            "best = 4, threshold = 0.05: a good value is below 3.8, not below 3.95.",
        ),
        Misconception(
            "threshold_ignored",
            "The threshold has no effect: any fall counts. A value must be below best * (1 - threshold).",
            _with(improves=lambda self, metric: metric < self.best),
        ),
        Misconception(
            "threshold_added",
            "The threshold stands on the wrong side: a value slightly *above* the best counts as good. It is `1 - "
            "threshold`.",
            _with(improves=lambda self, metric: metric < self.best * (1 + self.threshold)),
        ),
        Misconception(
            "threshold_multiplied",
            "The best is multiplied by the threshold itself, so hardly any value counts. What must be left of it is "
            "the share 1 - threshold.",
            _with(
                improves=lambda self, metric: (
                    metric < (math.inf if self.best == math.inf else self.best * self.threshold)
                )
            ),
        ),
        Misconception(
            "equal_counts",
            "A value equal to best * (1 - threshold) counts as good. It must be *below*: `<`, not `<=`.",
            _with(improves=lambda self, metric: metric <= self.best * (1 - self.threshold)),
            "With `<=` and threshold 0 a loss that stands still would be good for ever.",
        ),
        Misconception(
            "higher_is_better",
            "It waits for values to rise, as for an accuracy. A loss is good when it falls.",
            _with(
                improves=lambda self, metric: (
                    metric > (-math.inf if self.best == math.inf else self.best * (1 + self.threshold))
                )
            ),
        ),
        Misconception(
            "subtracted",
            "The factor is subtracted from the rate, which may even become negative. Multiply: `lr * factor`.",
            _with(lower=_subtracted),
        ),
        Misconception(
            "divided",
            "The rate is divided by the factor, so it rises. Multiply.",
            _with(lower=_divided),
        ),
        Misconception(
            "only_once",
            "The rate falls once and never again. After a fall the counting starts anew, and the next fall multiplies "
            "the rate of *now*, not the first one.",
            _with(lower=_from_the_first),
        ),
        Misconception(
            "forgets_the_best",
            "After a fall of the rate the best value is forgotten, so the next value counts as good whatever it is. "
            "Set only the count back.",
            _with(after=_forgets_the_best),
        ),
        Misconception(
            "first_value_is_bad",
            "The very first value counts as bad. There is nothing to compare it with: start with an infinite best, "
            "and it is good.",
            _with(take=_first_value_counted),
        ),
        Misconception(
            "nan_is_good",
            "NaN counts as good and becomes the best. Every comparison with NaN is False, so ask `if metric < ...` "
            "for the good case, not `if metric >= ...` for the bad one.",
            _with(take=_nan_resets),
        ),
        Misconception(
            "nan_left_out",
            "NaN is passed over. It counts as bad: a run that has blown up has surely not improved.",
            _with(take=_nan_left_out),
        ),
        Misconception(
            "one_call_late",
            "The new rate comes out one call late: you return the rate from before the fall. Return it after you have "
            "looked at this value.",
            _with(step=_one_call_late),
        ),
        Misconception(
            "nothing_returned",
            "`step` returns nothing while the rate stays: `return` stands inside an `if`. Return the rate every time.",
            _with(step=_nothing_between),
        ),
    ),
    hints=(
        cleandoc("""
            Take lr = 0.8, factor = 0.5, patience = 2, threshold = 0, and the losses 3, 2, 2.5, 2.6, 2.7, 2.8: numbers,
            of shape ().

            Bad values in a row after each: 0, 0, 1, 2, 3. The third exceeds patience: the rate falls, and the count is
            0 again. Then 1. So `step` returns 0.8, 0.8, 0.8, 0.8, 0.4, 0.4.
            """),
        cleandoc("""
            Keep the rate, the best loss (infinite at first) and how many values in a row were bad. A loss below best *
            (1 - threshold) is good: it becomes the best and sets the count to 0. Any other adds one to the count. When
            the count exceeds patience, multiply the rate by the factor and set the count to 0. Return the rate, every
            time.
            """),
        cleandoc("""
            ```python
            def step(self, metric):
                if metric < ____:
                    self.best = metric
                    self.bad = 0
                else:
                    self.bad += 1
                if self.bad ____ self.patience:
                    self.lr = self.lr * self.factor
                    self.bad = 0
                return self.lr
            ```

            (`__init__` sets all of them.) What would happen after the first fall without the second `self.bad = 0`?
            """),
    ),
    minutes=10,
    difficulty=3,
)


# exponential_lr -------------------------------------------------------------------------------------------------------


def exponential_lr(lr0: float, t: int, gamma: float) -> float:
    """The rate of step t where it falls by the same factor at every step.

    Args:
        lr0: the rate of step 0, above 0.
        t: which step, an int from 0.
        gamma: the factor, above 0.
    """
    return lr0 * gamma**t


def _exponential_case(rng: np.random.Generator, ts: Iterable[int], label: str, gamma: float) -> Case:
    return _many("exponential_lr", ts, label, {"lr0": _rate(rng)}, {"gamma": gamma})


def _exponential_ordinary(rng: np.random.Generator) -> list[Case]:
    gamma = float(rng.uniform(0.6, 0.9))
    return [
        _exponential_case(rng, range(8), f"t = 0 to 7, gamma = {gamma:.2f}", gamma),
        _exponential_case(rng, range(0, 100, 9), "t = 0, 9, ..., 99, gamma = 0.95", 0.95),
    ]


def _exponential_edge(rng: np.random.Generator) -> list[Case]:
    return [
        _exponential_case(rng, range(4), "gamma = 1", 1.0),
        _exponential_case(rng, range(5), "gamma above 1", float(rng.uniform(1.1, 1.5))),
        _exponential_case(rng, [0], "t = 0 alone", 0.5),
    ]


def _exponential_nasty(rng: np.random.Generator) -> list[Case]:
    return [
        _exponential_case(rng, rng.permutation(12), "the first 12 steps in random order", float(rng.uniform(0.5, 0.9))),
        _exponential_case(rng, [2000, 3, 2000, 0], "t = 2000, 3, 2000, 0, gamma = 0.999", 0.999),
        _exponential_case(rng, [10, 100, 200], "tiny rates, gamma = 0.1", 0.1),
    ]


EXPONENTIAL_LR = Exercise(
    name="exponential_lr",
    lesson=LESSON,
    question="The rate of step t where it falls by the factor gamma at every step.",
    outputs=("lr",),
    reference=exponential_lr,
    groups=(
        Group("ordinary", "A factor below 1", 2, _exponential_ordinary),
        Group("edge", "A factor of 1 and above", 1, _exponential_edge),
        Group("nasty", "Any order, large t", 1, _exponential_nasty),
    ),
    misconceptions=(
        Misconception(
            "gamma_times_t",
            "The rate is multiplied by gamma times t, so it starts at 0 and rises. Each step multiplies once more by "
            "gamma: that is a power.",
            lambda lr0, t, gamma: lr0 * gamma * t,
        ),
        Misconception(
            "counted_from_one",
            "You are one step ahead: step 0 has the rate lr0, before any fall.",
            lambda lr0, t, gamma: lr0 * gamma ** (t + 1),
        ),
        Misconception(
            "one_step_late",
            "You are one step late: step 1 has already fallen once.",
            lambda lr0, t, gamma: lr0 * gamma ** max(t - 1, 0),
        ),
        Misconception(
            "natural_exponential",
            "This is exp(-gamma t), another convention, where a larger gamma falls faster. Here gamma is the factor "
            "itself.",
            lambda lr0, t, gamma: lr0 * math.exp(-gamma * t),
        ),
        Misconception(
            "share_taken_away",
            "Each step takes the share gamma away and leaves 1 - gamma. It is the other way round: gamma is what is "
            "left.",
            lambda lr0, t, gamma: lr0 * (1 - gamma) ** t,
        ),
        Misconception(
            "subtracted",
            "Gamma is subtracted at every step. It is a factor.",
            lambda lr0, t, gamma: lr0 - gamma * t,
        ),
        Misconception(
            "divided",
            "The rate is divided by gamma, so with gamma below 1 it rises. Multiply.",
            lambda lr0, t, gamma: lr0 / gamma**t,
        ),
        Misconception(
            "only_once",
            "The rate falls once and stays. After t steps it has fallen t times.",
            lambda lr0, t, gamma: lr0 * gamma if t > 0 else lr0,
        ),
        Misconception(
            "compounded_twice",
            "The factor gamma ** t is applied again to the rate of the step before, so the rate falls faster and "
            "faster. Start from lr0 every time, or multiply the last rate by gamma alone; not both.",
            lambda lr0, t, gamma: lr0 * gamma ** (t * (t + 1) // 2),
            "lr0 = 1, gamma = 0.5: the rates are 1, 0.5, 0.25. From 0.5 to 0.25 is one factor of 0.5, not 0.5 ** 2.",
        ),
        Misconception(
            "everything_to_the_power",
            "The power takes lr0 with it. Only gamma is raised: `lr0 * gamma ** t`.",
            lambda lr0, t, gamma: (lr0 * gamma) ** t,
        ),
    ),
    hints=(
        cleandoc("""
            Take lr0 = 0.8, gamma = 0.5, and t = 0, 1, 2, 3. Every answer is one number, of shape ().

            Each step halves it: 0.8, 0.4, 0.2, 0.1.
            """),
        "Multiply the first rate by gamma once for every step since step 0. At step 0 there was none.",
        cleandoc("""
            ```python
            return ____ * gamma ** ____
            ```

            After how many steps with gamma = 0.9 is about half of the rate left?
            """),
    ),
    minutes=2,
    difficulty=1,
    stretch=True,
)


# warmup_cosine_lr -----------------------------------------------------------------------------------------------------


def warmup_cosine_lr(lr0: float, t: int, warmup: int, T_max: int, eta_min: float) -> float:
    """The rate of step t: a straight line up to lr0 in `warmup` steps, then half a cosine wave down to eta_min.

    Source: Goyal et al. (2017), Accurate, Large Minibatch SGD, section 2.2, for the warm-up.

    Args:
        lr0: the highest rate, that of the steps warmup - 1 and warmup.
        t: which step, an int from 0 to T_max.
        warmup: how many steps rise, an int, at least 0 and below T_max; step t has (t + 1) / warmup of lr0.
        T_max: when the rate is eta_min, an int.
        eta_min: the lowest rate, at least 0.
    """
    if t < warmup:
        return lr0 * (t + 1) / warmup
    return cosine_lr(lr0, t - warmup, T_max - warmup, eta_min)


def _warm_case(
    rng: np.random.Generator, ts: Iterable[int], label: str, warmup: int, T_max: int, eta_min: float
) -> Case:
    after = {"warmup": warmup, "T_max": T_max, "eta_min": eta_min}
    return _many("warmup_cosine_lr", ts, label, {"lr0": _rate(rng)}, after)


def _warm_ordinary(rng: np.random.Generator) -> list[Case]:
    warmup, low = int(rng.integers(3, 6)), float(rng.uniform(0.01, 0.05))
    T = warmup + int(rng.integers(6, 10))
    label = f"warmup = {warmup}, T_max = {T}, t = 0 to {T}, eta_min = {low:.3f}"
    return [
        _warm_case(rng, range(9), "warmup = 4, T_max = 8, t = 0 to 8, eta_min = 0", 4, 8, 0.0),
        _warm_case(rng, range(T + 1), label, warmup, T, low),
    ]


def _warm_edge(rng: np.random.Generator) -> list[Case]:
    return [
        _warm_case(rng, range(7), "no warm-up: warmup = 0, T_max = 6", 0, 6, 0.01),
        _warm_case(rng, range(7), "warmup = 1, T_max = 6", 1, 6, 0.01),
        _warm_case(rng, range(6), "nearly all warm-up: warmup = 4, T_max = 5", 4, 5, 0.01),
    ]


def _warm_nasty(rng: np.random.Generator) -> list[Case]:
    T = int(rng.integers(10_000, 20_000))
    ts = [T, 499, 0, 500, T // 2, T - 1]
    return [
        _warm_case(rng, rng.permutation(21), "warmup = 5, T_max = 20, in random order", 5, 20, 0.02),
        _warm_case(rng, ts, f"warmup = 500, T_max = {T}, t = {', '.join(map(str, ts))}", 500, T, 0.0),
    ]


def _scaled_wave(lr0: float, t: int, warmup: int, T_max: int, eta_min: float) -> float:
    """Warm-up as a factor on a wave that runs from the start."""
    rise = min((t + 1) / warmup, 1) if warmup else 1
    return cosine_lr(lr0, t, T_max, eta_min) * rise


def _shifted(share: Callable[[int, int, int], float], rise: Callable[[int, int], float] | None = None) -> Any:
    """The function with another share of the wave after the warm-up, or another rise."""

    def wrong(lr0: float, t: int, warmup: int, T_max: int, eta_min: float) -> float:
        if t < warmup:
            return lr0 * ((t + 1) / warmup if rise is None else rise(t, warmup))
        return _wave(lr0, eta_min, share(t, warmup, T_max))

    return wrong


def _right_share(t: int, warmup: int, T_max: int) -> float:
    return (t - warmup) / (T_max - warmup)


def _one_step_more(lr0: float, t: int, warmup: int, T_max: int, eta_min: float) -> float:
    if t <= warmup:
        return lr0 * (t + 1) / warmup
    return cosine_lr(lr0, t - warmup, T_max - warmup, eta_min)


def _from_eta_min(lr0: float, t: int, warmup: int, T_max: int, eta_min: float) -> float:
    if t < warmup:
        return eta_min + (lr0 - eta_min) * (t + 1) / warmup
    return cosine_lr(lr0, t - warmup, T_max - warmup, eta_min)


WARMUP_COSINE_LR = Exercise(
    name="warmup_cosine_lr",
    lesson=LESSON,
    question="The rate of step t: a straight line up to lr0 in warmup steps, then half a cosine wave down to eta_min.",
    outputs=("lr",),
    reference=warmup_cosine_lr,
    groups=(
        Group("ordinary", "Up, then down", 3, _warm_ordinary),
        Group("edge", "No warm-up, one step of it, nearly nothing else", 1, _warm_edge),
        Group("nasty", "Any order, many steps", 1, _warm_nasty),
    ),
    misconceptions=(
        Misconception(
            "starts_from_zero",
            "The warm-up starts from 0, so the first step does not move anything. Step t has (t + 1) / warmup of lr0.",
            _shifted(_right_share, lambda t, warmup: t / warmup),
            "warmup = 4: the shares of lr0 are 1/4, 2/4, 3/4, 4/4 at t = 0, 1, 2, 3.",
        ),
        Misconception(
            "rises_too_slowly",
            "The warm-up is stretched: you divide by warmup + 1. Its last step, t = warmup - 1, has the full lr0.",
            _shifted(_right_share, lambda t, warmup: (t + 1) / (warmup + 1)),
        ),
        Misconception(
            "wave_too_long",
            "After the warm-up the wave is stretched over T_max steps, and only T_max - warmup are left: it does not "
            "arrive at eta_min.",
            _shifted(lambda t, warmup, T_max: (t - warmup) / T_max),
            "warmup = 4, T_max = 8: there are 4 steps for the wave. At t = 8 its share should be 1.",
        ),
        Misconception(
            "wave_from_the_start",
            "The wave counts from step 0, so it has already fallen when the warm-up ends, and the rate jumps. Count "
            "from the end of the warm-up: t - warmup.",
            _shifted(lambda t, warmup, T_max: t / T_max),
        ),
        Misconception(
            "not_shifted",
            "The way is T_max - warmup steps long, as it should be, but you still count from step 0: use t - warmup.",
            _shifted(lambda t, warmup, T_max: t / (T_max - warmup)),
        ),
        Misconception(
            "one_step_more",
            "The warm-up takes one step too many: `t <= warmup`. Steps 0 to warmup - 1 are warmup steps.",
            _one_step_more,
            "warmup = 4: at t = 4 you would have 5/4 of lr0.",
        ),
        Misconception(
            "warmup_as_a_factor",
            "The warm-up multiplies a wave that runs from step 0. Here the wave waits until the warm-up is over.",
            _scaled_wave,
        ),
        Misconception(
            "from_eta_min",
            "The warm-up rises from eta_min. Here it goes straight from lr0 / warmup to lr0; eta_min is for the end.",
            _from_eta_min,
        ),
        Misconception(
            "no_rise",
            "The warm-up waits at a constant rate or has no effect. Each of its steps has 1 / warmup of lr0 more.",
            _shifted(_right_share, lambda _t, _warmup: 1.0),
        ),
    ),
    hints=(
        cleandoc("""
            Take lr0 = 0.8, warmup = 4, T_max = 8, eta_min = 0, and t = 0, 1, ..., 8. Every answer is one number, of
            shape ().

            Up: 0.2, 0.4, 0.6, 0.8. Then the wave over the 4 steps that are left, from t = 4: 0.8, 0.683, 0.4, 0.117, 0.
            (The highest rate comes twice.)
            """),
        cleandoc("""
            Two cases. Before step `warmup`: the share (t + 1) / warmup of lr0. From then on: the cosine schedule, which
            starts afresh, so that both its step and its length are counted from the end of the warm-up.
            """),
        cleandoc("""
            ```python
            if t < warmup:
                return lr0 * ____
            return cosine_lr(lr0, ____, T_max - warmup, eta_min)
            ```

            (Your own `cosine_lr`, once it is right.) Why is nothing lost by the wave's starting again at lr0?
            """),
    ),
    minutes=5,
    difficulty=2,
    stretch=True,
)


# one_cycle_lr ---------------------------------------------------------------------------------------------------------


def one_cycle_lr(
    t: int, total_steps: int, max_lr: float, pct_start: float, div_factor: float, final_div_factor: float
) -> float:
    """The rate of step t in one cycle: half a cosine wave up to max_lr, another one down to almost nothing.

    Source: Smith and Topin (2018), Super-Convergence, with cosines for its lines, as PyTorch's OneCycleLR has it.

    Args:
        t: which step, an int from 0 to total_steps - 1.
        total_steps: how many steps there are, an int; pct_start * total_steps is above 1.
        max_lr: the highest rate, that of "step" pct_start * total_steps - 1, which need not be whole.
        pct_start: share of the steps that rise, above 0 and below 1.
        div_factor: the first rate is max_lr / div_factor.
        final_div_factor: the last rate is the first one divided by it.
    """
    first = max_lr / div_factor
    last = first / final_div_factor
    peak = pct_start * total_steps - 1
    if t < peak:
        return _wave(first, max_lr, t / peak)
    return _wave(max_lr, last, (t - peak) / (total_steps - 1 - peak))


def _cycle_case(
    rng: np.random.Generator,
    ts: Iterable[int],
    label: str,
    total_steps: int,
    pct_start: float,
    div_factor: float | None = None,
    final_div_factor: float | None = None,
) -> Case:
    after = {
        "total_steps": total_steps,
        "max_lr": _rate(rng),
        "pct_start": pct_start,
        "div_factor": float(rng.uniform(5, 20)) if div_factor is None else div_factor,
        "final_div_factor": float(rng.uniform(5, 20)) if final_div_factor is None else final_div_factor,
    }
    return _many("one_cycle_lr", ts, label, {}, after)


def _cycle_ordinary(rng: np.random.Generator) -> list[Case]:
    n = int(rng.integers(15, 25))
    share = float(rng.uniform(0.35, 0.45))
    return [
        _cycle_case(rng, range(10), "total_steps = 10, pct_start = 0.4", 10, 0.4),
        _cycle_case(rng, range(n), f"total_steps = {n}, pct_start = {share:.3f}", n, share),
    ]


def _cycle_edge(rng: np.random.Generator) -> list[Case]:
    return [
        _cycle_case(rng, range(12), "total_steps = 12, pct_start = 0.5, div_factor = 1", 12, 0.5, 1.0),
        _cycle_case(rng, range(12), "total_steps = 12, pct_start = 0.75, final_div_factor = 1", 12, 0.75, None, 1.0),
        _cycle_case(rng, range(4), "total_steps = 4, pct_start = 0.4", 4, 0.4),
    ]


def _cycle_nasty(rng: np.random.Generator) -> list[Case]:
    n = int(rng.integers(10_000, 20_000))
    ts = [n - 1, 0, n // 2, n // 5, n - 2, 1]
    return [
        _cycle_case(rng, rng.permutation(21), "total_steps = 21, pct_start = 0.3, in random order", 21, 0.3),
        _cycle_case(rng, ts, f"total_steps = {n}, t = {', '.join(map(str, ts))}", n, 0.3, 25.0, 1e4),
    ]


def _cycle(
    *,
    peak: Callable[[float, int], float] = lambda share, n: share * n - 1,
    first: Callable[[float, float], float] = lambda high, div: high / div,
    last: Callable[[float, float, float], float] = lambda high, div, final: high / div / final,
    end: Callable[[int], float] = lambda n: n - 1,
    up: Callable[[float, float, float], float] = _wave,
    down: Callable[[float, float, float], float] = _wave,
) -> Any:
    """The function with some of its parts done differently."""

    def wrong(t: int, total_steps: int, max_lr: float, pct_start: float, div: float, final: float) -> float:
        top, low = peak(pct_start, total_steps), first(max_lr, div)
        if t < top:
            return up(low, max_lr, t / top)
        return down(max_lr, last(max_lr, div, final), (t - top) / (end(total_steps) - top))

    return wrong


def _line(start: float, end: float, share: float) -> float:
    return start + (end - start) * share


ONE_CYCLE_LR = Exercise(
    name="one_cycle_lr",
    lesson=LESSON,
    question="The rate of step t in one cycle: up to max_lr, then down to almost nothing, on two half waves.",
    outputs=("lr",),
    reference=one_cycle_lr,
    groups=(
        Group("ordinary", "One whole cycle", 4, _cycle_ordinary),
        Group("edge", "Factors of 1, few steps", 1, _cycle_edge),
        Group("nasty", "Any order, many steps", 1, _cycle_nasty),
    ),
    misconceptions=(
        Misconception(
            "peak_one_late",
            "The peak comes one step late: it lies at pct_start * total_steps - 1, because steps are counted from 0.",
            _cycle(peak=lambda share, n: share * n),
            "total_steps = 10, pct_start = 0.4: four steps, 0 to 3, rise, and step 3 is the peak.",
        ),
        Misconception(
            "peak_as_share_of_the_last",
            "The peak is put at pct_start * (total_steps - 1). PyTorch's lies at pct_start * total_steps - 1.",
            _cycle(peak=lambda share, n: share * (n - 1)),
        ),
        Misconception(
            "peak_rounded_down",
            "The peak is rounded to a whole step. It may lie between two steps: leave it as it is.",
            _cycle(peak=lambda share, n: float(int(share * n) - 1)),
        ),
        Misconception(
            "last_from_the_highest",
            "The last rate is max_lr / final_div_factor. It is the *first* rate that is divided: max_lr / div_factor / "
            "final_div_factor.",
            _cycle(last=lambda high, _div, final: high / final),
            "max_lr = 1, div_factor = 10, final_div_factor = 100: the last rate is 1 / 10 / 100 = 0.001.",
        ),
        Misconception(
            "back_to_the_first",
            "The cycle ends where it began. It should go on down, to the first rate divided by final_div_factor.",
            _cycle(last=lambda high, div, _final: high / div),
        ),
        Misconception(
            "down_to_zero",
            "The cycle ends at 0. Its last rate is max_lr / div_factor / final_div_factor.",
            _cycle(last=lambda _high, _div, _final: 0.0),
        ),
        Misconception(
            "up_from_zero",
            "The cycle starts at 0. Its first rate is max_lr / div_factor.",
            _cycle(first=lambda _high, _div: 0.0),
        ),
        Misconception(
            "never_arrives",
            "The fall is one step too long, so the last rate is never used: the last step is total_steps - 1.",
            _cycle(end=lambda n: n),
        ),
        Misconception(
            "straight_lines",
            "The ends and the peak are right, but the rate goes along straight lines. Use half a cosine wave for each "
            "phase.",
            _cycle(up=_line, down=_line),
        ),
        Misconception(
            "straight_rise",
            "The fall is a wave, as it should be, but the rise is a straight line. Both are half waves.",
            _cycle(up=_line),
        ),
        Misconception(
            "quarter_waves",
            "Each phase is a quarter of a wave, with a sharp peak or a steep end. In half a wave the angle goes up to "
            "pi.",
            _cycle(
                up=lambda a, b, share: a + (b - a) * math.sin(math.pi * share / 2),
                down=lambda a, b, share: b + (a - b) * math.cos(math.pi * share / 2),
            ),
        ),
        Misconception(
            "no_rise",
            "There is no rise: the rate starts at max_lr and only falls. Before the peak it rises from max_lr / "
            "div_factor.",
            _cycle(up=lambda _a, b, _share: b),
        ),
    ),
    hints=(
        cleandoc("""
            Take total_steps = 10, max_lr = 1, pct_start = 0.4, div_factor = 10, final_div_factor = 100. Every answer is
            one number, of shape ().

            The first rate is 0.1, the last 0.001. The peak lies at step 0.4 * 10 - 1 = 3. At t = 0, 1, 2, 3: 0.1,
            0.325, 0.775, 1. Then six more steps down to t = 9: half-way, at t = 6, it is (1 + 0.001) / 2 = 0.5005.
            """),
        cleandoc("""
            Work out three rates (first, highest, last) and where the peak lies. Before the peak: half a wave from the
            first to the highest, by the share t / peak. From then on: half a wave from the highest to the last, by the
            share of the steps between the peak and the last step.
            """),
        cleandoc("""
            ```python
            def wave(start, end, share):
                return end + (start - end) * (1 + np.cos(np.pi * share)) / 2

            first = max_lr / div_factor
            peak = ____
            if t < peak:
                return wave(first, max_lr, t / peak)
            return wave(max_lr, first / final_div_factor, ____ / (total_steps - 1 - peak))
            ```

            Why does it not matter to which phase the peak itself belongs?
            """),
    ),
    minutes=9,
    difficulty=3,
    stretch=True,
)


EXERCISES: tuple[Exercise, ...] = (
    STEP_LR,
    COSINE_LR,
    REDUCE_ON_PLATEAU,
    EXPONENTIAL_LR,
    WARMUP_COSINE_LR,
    ONE_CYCLE_LR,
)
