"""Schedules: the learning rate as a function of time.

A schedule is a formula: `rate(t)` is the rate after `t` steps of the schedule, whatever came before. `step()` moves on
by one and writes the new rate into the optimizer; the constructor writes the first. Names, arguments, defaults and
rates are PyTorch's (`torch.optim.lr_scheduler`), which reaches the same numbers by multiplying from step to step.

    opt = SGD(model.parameters, lr=0.1)
    schedule = CosineAnnealingLR(opt, T_max=epochs)       # in every epoch: train, then schedule.step()

In the formulas `base` is the optimizer's rate when it meets the schedule. Where that rate was itself written by a
schedule, it is the base of that one: so a warm-up may be made before what follows it, and a cell may be run again.
"""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from copy import copy
from itertools import pairwise
from math import cos, inf, pi
from typing import Any, ClassVar, Protocol

import numpy as np

from ._ranges import choice, flag, number, real, whole
from ._typing import Array
from .parameters import check_keys


class HasRate(Protocol):
    """What a schedule drives: an optimizer, or any object with a learning rate that can be written."""

    lr: Any


class Scheduler:
    """What all schedules share: an optimizer, a count, and a state that can be kept and restored.

    Attributes:
        optimizer: what is driven.
        base_lr: the rate that the formula scales; an array where `optimizer.lr` is one.
        last_epoch: how many steps the schedule has taken.
        interval: "epoch" or "step": after what `fit` calls `step`. Write to it to have another schedule stepped after
            every batch.
        needs_metric: whether `step` takes a loss or score.
    """

    interval: str = "epoch"
    needs_metric: ClassVar[bool] = False
    _options: ClassVar[tuple[str, ...]] = ()
    _counters: ClassVar[tuple[str, ...]] = ("base_lr", "last_epoch")

    def __init__(self, optimizer: HasRate) -> None:
        if not hasattr(optimizer, "lr"):
            raise TypeError(
                f"{self._name} got a {type(optimizer).__name__}; it needs an optimizer, or an object with an lr."
            )
        self.optimizer = optimizer
        base, written = vars(optimizer).get("_scheduled", (None, None))
        self.base_lr = copy(base if np.array_equal(optimizer.lr, written) else optimizer.lr)
        self.last_epoch = 0

    def get_last_lr(self) -> list[Any]:
        """The rate that was written last; a list of one, since PyTorch has a rate for each group of parameters."""
        return [self._last_lr]

    def state_dict(self) -> dict[str, Any]:
        """All that the coming rates depend on: options, base rate, count."""
        return {name: copy(getattr(self, name)) for name in (*self._counters, *self._options)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over a state kept by `state_dict`, and write its rate into the optimizer.

        Raises:
            ValueError: an entry is missing or unknown. Nothing is changed then.
        """
        self._check(state)
        for name in (*self._counters, *self._options):
            setattr(self, name, copy(state[name]))
        self._write()

    def _check(self, state: Mapping[str, Any]) -> None:
        check_keys(f"{self._name}.load_state_dict", self.state_dict(), state)

    def _write(self) -> None:
        """Write the rate of now into the optimizer."""
        raise NotImplementedError

    def _set_lr(self, lr: Any) -> None:
        self._last_lr = self.optimizer.lr = lr
        vars(self.optimizer)["_scheduled"] = (self.base_lr, lr)

    @property
    def _name(self) -> str:
        return type(self).__name__

    def _number(self, name: str, value: Any, **limits: Any) -> float:
        return number(self._name, name, value, **limits)

    def _whole(self, name: str, value: Any, at_least: int = 1) -> int:
        return whole(self._name, name, value, at_least=at_least)

    def __repr__(self) -> str:
        options = ", ".join(f"{name}={getattr(self, name)}" for name in self._options)
        return f"{self._name}({options}), {self.last_epoch} steps taken, lr={self._last_lr}"


class Schedule(Scheduler):
    """A schedule that is a formula of the step count alone. A new one needs `rate`, and `_options` to be restored."""

    def __init__(self, optimizer: HasRate) -> None:
        super().__init__(optimizer)
        self._write()

    def rate(self, t: int) -> Any:
        """The learning rate after `t` steps, at least 0."""
        raise NotImplementedError

    def rates(self, steps: int) -> Array:
        """The first `steps` rates, shape (steps,) and the shape of `lr` after it; the optimizer is left as it is."""
        return np.array([self.rate(t) for t in range(steps)])

    def step(self) -> None:
        """Go on to the next rate. Call it after `optimizer.step()`."""
        self._go_to(self.last_epoch + 1)

    def _go_to(self, t: int) -> None:
        rate = self.rate(t)  # which may refuse
        self.last_epoch = t
        self._set_lr(rate)

    def _write(self) -> None:
        self._go_to(self.last_epoch)


class StepLR(Schedule):
    """The rate falls by a factor at regular steps.

        rate(t) = base * gamma**(t // step_size)

    Args:
        optimizer: what is driven.
        step_size: steps between two falls, at least 1.
        gamma: the factor, above 0.

    Raises:
        ValueError, TypeError: a value outside its range, or of another type.
    """

    _options = ("step_size", "gamma")

    def __init__(self, optimizer: HasRate, step_size: int, gamma: float = 0.1) -> None:
        self.step_size = self._whole("step_size", step_size)
        self.gamma = self._number("gamma", gamma, above=0)
        super().__init__(optimizer)

    def rate(self, t: int) -> Any:
        return self.base_lr * self.gamma ** (t // self.step_size)


class MultiStepLR(Schedule):
    """The rate falls by a factor at the steps you name.

        rate(t) = base * gamma**(how many milestones are at most t)

    Args:
        optimizer: what is driven.
        milestones: steps at which the rate falls, each at least 1, none below the one before.
        gamma: the factor, above 0.

    Raises:
        ValueError, TypeError: a value outside its range, or of another type.
    """

    _options = ("milestones", "gamma")

    def __init__(self, optimizer: HasRate, milestones: Sequence[int], gamma: float = 0.1) -> None:
        self.milestones = _milestones(self._name, milestones)
        self.gamma = self._number("gamma", gamma, above=0)
        super().__init__(optimizer)

    def rate(self, t: int) -> Any:
        return self.base_lr * self.gamma ** bisect_right(self.milestones, t)


class ExponentialLR(Schedule):
    """The rate falls by the same factor at every step.

        rate(t) = base * gamma**t

    Args:
        optimizer: what is driven.
        gamma: the factor, above 0.

    Raises:
        ValueError, TypeError: a value outside its range, or of another type.
    """

    _options = ("gamma",)

    def __init__(self, optimizer: HasRate, gamma: float) -> None:
        self.gamma = self._number("gamma", gamma, above=0)
        super().__init__(optimizer)

    def rate(self, t: int) -> Any:
        return self.base_lr * self.gamma**t


class LinearLR(Schedule):
    """The rate goes along a straight line, then stays: a warm-up, unless told otherwise.

        rate(t) = base * (start_factor + (end_factor - start_factor) * min(t, total_iters) / total_iters)

    Source, as a warm-up: Goyal et al. 2017, Accurate, Large Minibatch SGD, section 2.2.

    Args:
        optimizer: what is driven.
        start_factor: share of the base rate at the start, above 0 and at most 1.
        end_factor: share at the end, from 0 to 1.
        total_iters: steps from start to end, at least 1.

    Raises:
        ValueError, TypeError: a value outside its range, or of another type.
    """

    _options = ("start_factor", "end_factor", "total_iters")

    def __init__(
        self, optimizer: HasRate, start_factor: float = 1 / 3, end_factor: float = 1.0, total_iters: int = 5
    ) -> None:
        self.start_factor = self._number("start_factor", start_factor, above=0, at_most=1)
        self.end_factor = self._number("end_factor", end_factor, at_least=0, at_most=1)
        self.total_iters = self._whole("total_iters", total_iters)
        super().__init__(optimizer)

    def rate(self, t: int) -> Any:
        return self.base_lr * _line(self.start_factor, self.end_factor, min(t / self.total_iters, 1))


class PolynomialLR(Schedule):
    """The rate falls to zero along a power of the time left: a straight line when the power is 1.

        rate(t) = base * (1 - min(t, total_iters) / total_iters)**power

    Args:
        optimizer: what is driven.
        total_iters: steps until the rate is zero, at least 1.
        power: the power, above 0.

    Raises:
        ValueError, TypeError: a value outside its range, or of another type.
    """

    _options = ("total_iters", "power")

    def __init__(self, optimizer: HasRate, total_iters: int = 5, power: float = 1.0) -> None:
        self.total_iters = self._whole("total_iters", total_iters)
        self.power = self._number("power", power, above=0)
        super().__init__(optimizer)

    def rate(self, t: int) -> Any:
        return self.base_lr * (1 - min(t / self.total_iters, 1)) ** self.power


class CosineAnnealingLR(Schedule):
    """The rate falls along half a wave: slowly, then fast, then slowly.

        rate(t) = eta_min + (base - eta_min) * (1 + cos(pi * t / T_max)) / 2

    It is `eta_min` at `t = T_max`, and rises again beyond.
    Source: Loshchilov and Hutter 2017, SGDR, equation 5, without the restarts.

    Args:
        optimizer: what is driven.
        T_max: steps until the rate is `eta_min`, at least 1.
        eta_min: the lowest rate, at least 0.

    Raises:
        ValueError, TypeError: a value outside its range, or of another type.
    """

    _options = ("T_max", "eta_min")

    def __init__(self, optimizer: HasRate, T_max: int, eta_min: float = 0.0) -> None:
        self.T_max = self._whole("T_max", T_max)
        self.eta_min = self._number("eta_min", eta_min, at_least=0)
        super().__init__(optimizer)

    def rate(self, t: int) -> Any:
        return _wave(self.base_lr, self.eta_min, t / self.T_max)


class CosineAnnealingWarmRestarts(Schedule):
    """Half a wave down, then up again at once, in rounds that may grow longer.

        rate(t) = eta_min + (base - eta_min) * (1 + cos(pi * s / T)) / 2

    where `s` counts the steps of this round and `T`, first `T_0`, is how many it has. A round ends *before* its rate
    has come down to `eta_min`. Source: Loshchilov and Hutter 2017, SGDR, equation 5.

    Args:
        optimizer: what is driven.
        T_0: steps of the first round, at least 1.
        T_mult: how many times longer each round is than the one before, at least 1.
        eta_min: what the rate falls towards, at least 0.

    Raises:
        ValueError, TypeError: a value outside its range, or of another type.
    """

    _options = ("T_0", "T_mult", "eta_min")

    def __init__(self, optimizer: HasRate, T_0: int, T_mult: int = 1, eta_min: float = 0.0) -> None:
        self.T_0 = self._whole("T_0", T_0)
        self.T_mult = self._whole("T_mult", T_mult)
        self.eta_min = self._number("eta_min", eta_min, at_least=0)
        super().__init__(optimizer)

    def rate(self, t: int) -> Any:
        s, T = t, self.T_0
        while s >= T:
            s, T = s - T, T * self.T_mult
        return _wave(self.base_lr, self.eta_min, s / T)


class OneCycleLR(Schedule):
    """Up to a high rate, then down to almost nothing; stepped after every batch. Momentum goes the other way.

        rise:  from max_lr / div_factor to max_lr, until t = pct_start * total_steps - 1
        fall:  from max_lr to max_lr / div_factor / final_div_factor, until t = total_steps - 1

    Momentum (beta1 where the optimizer has betas) falls from `max_momentum` to `base_momentum` during the rise, and
    rises again during the fall. The optimizer's own rate and momentum are overwritten.
    `three_phase` falls as long as it rose, back to where it began, and then goes on down.
    Source: Smith and Topin 2018, Super-Convergence; cosines instead of its lines unless `anneal_strategy="linear"`.

    Args:
        optimizer: what is driven.
        max_lr: the highest rate, above 0.
        total_steps: how many rates there are, at least 1: rates 0 to total_steps - 1. If it is not given:
        epochs, steps_per_epoch: their product is `total_steps`, each at least 1.
        pct_start: share of the steps that rise, above 0 and below 1.
        anneal_strategy: "cos" or "linear".
        cycle_momentum: whether momentum cycles too.
        base_momentum, max_momentum: the lowest and highest momentum, at least 0 and below 1.
        div_factor: how many times the first rate goes into the highest, above 0.
        final_div_factor: how many times the last rate goes into the first, above 0.
        three_phase: whether there is a phase of its own for the last fall.

    Raises:
        ValueError, TypeError: a value outside its range, or of another type; phases that leave no steps; an optimizer
            without momentum to cycle; a step past the last one.
    """

    interval = "step"
    _options = (
        "max_lr", "total_steps", "pct_start", "anneal_strategy", "cycle_momentum", "base_momentum", "max_momentum",
        "div_factor", "final_div_factor", "three_phase",
    )  # fmt: skip

    def __init__(
        self,
        optimizer: HasRate,
        max_lr: float,
        total_steps: int | None = None,
        epochs: int | None = None,
        steps_per_epoch: int | None = None,
        pct_start: float = 0.3,
        anneal_strategy: str = "cos",
        cycle_momentum: bool = True,
        base_momentum: float = 0.85,
        max_momentum: float = 0.95,
        div_factor: float = 25.0,
        final_div_factor: float = 1e4,
        three_phase: bool = False,
    ) -> None:
        if total_steps is None:
            if epochs is None or steps_per_epoch is None:
                raise ValueError("OneCycleLR got no length; give total_steps, or epochs and steps_per_epoch.")
            total_steps = self._whole("epochs", epochs) * self._whole("steps_per_epoch", steps_per_epoch)
        self.total_steps = self._whole("total_steps", total_steps)
        self.max_lr = self._number("max_lr", max_lr, above=0)
        self.pct_start = self._number("pct_start", pct_start, above=0, below=1)
        self.anneal_strategy = choice("OneCycleLR", "anneal_strategy", anneal_strategy, ("cos", "linear"))
        self.cycle_momentum = flag("OneCycleLR", "cycle_momentum", cycle_momentum)
        self.base_momentum = self._number("base_momentum", base_momentum, at_least=0, below=1)
        self.max_momentum = self._number("max_momentum", max_momentum, at_least=0, below=1)
        self.div_factor = self._number("div_factor", div_factor, above=0)
        self.final_div_factor = self._number("final_div_factor", final_div_factor, above=0)
        self.three_phase = flag("OneCycleLR", "three_phase", three_phase)
        ends = [0.0, *(end for end, _, _ in self._phases())]
        if any(end <= start for start, end in pairwise(ends)):
            raise ValueError(
                f"OneCycleLR got total_steps={total_steps}, pct_start={pct_start}; its phases would end at steps "
                f"{', '.join(f'{end:g}' for end in ends[1:])}, and each must end after the one before, the first "
                "after 0. Give more steps, or another share."
            )
        if cycle_momentum and not (hasattr(optimizer, "betas") or hasattr(optimizer, "momentum")):
            raise ValueError(
                f"OneCycleLR got a {type(optimizer).__name__}, which has no momentum or betas to cycle; "
                "give cycle_momentum=False."
            )
        super().__init__(optimizer)

    def _phases(self) -> list[tuple[float, tuple[float, float], tuple[float, float]]]:
        """(last step, rate from and to, momentum from and to) of each phase."""
        top, end = self.pct_start * self.total_steps - 1, self.total_steps - 1.0
        first, high = self.max_lr / self.div_factor, self.max_lr
        last = first / self.final_div_factor
        fast, slow = self.max_momentum, self.base_momentum
        rise = (top, (first, high), (fast, slow))
        if self.three_phase:
            return [rise, (2 * top, (high, first), (slow, fast)), (end, (first, last), (fast, fast))]
        return [rise, (end, (high, last), (slow, fast))]

    def _at(self, t: int) -> tuple[float, float]:
        """Rate and momentum after `t` steps."""
        between = _wave if self.anneal_strategy == "cos" else _line
        start = 0.0
        for end, rates, momenta in self._phases():
            if t <= end:
                share = (t - start) / (end - start)
                return between(*rates, share), between(*momenta, share)
            start = end
        raise ValueError(
            f"OneCycleLR has {self.total_steps} rates, the last at step {self.total_steps - 1}, and was asked for "
            f"step {t}; give it a larger total_steps, or stop stepping."
        )

    def rate(self, t: int) -> float:
        return self._at(t)[0]

    def _go_to(self, t: int) -> None:
        super()._go_to(t)
        if self.cycle_momentum:
            optimizer: Any = self.optimizer
            if hasattr(optimizer, "betas"):
                optimizer.betas = (self._at(t)[1], *optimizer.betas[1:])
            else:
                optimizer.momentum = self._at(t)[1]


class SequentialLR(Schedule):
    """Several schedules, one after another: each counts from 0 at its own milestone.

        rate(t) = schedulers[i].rate(t - milestones[i - 1])        i: how many milestones are at most t

    Args:
        optimizer: what is driven, the same as that of the schedulers.
        schedulers: at least one, all stepped at the same `interval`; no `ReduceLROnPlateau`.
        milestones: steps at which the next scheduler takes over, one fewer than schedulers, each at least 1 and none
            below the one before.

    Raises:
        ValueError, TypeError: schedulers or milestones that do not fit.
    """

    _counters = ("last_epoch",)
    _options = ("milestones",)

    def __init__(self, optimizer: HasRate, schedulers: Sequence[Schedule], milestones: Sequence[int]) -> None:
        self.schedulers = list(schedulers)
        self.milestones = _milestones("SequentialLR", milestones)
        for i, scheduler in enumerate(self.schedulers):
            if not isinstance(scheduler, Schedule):
                raise TypeError(
                    f"SequentialLR got a {type(scheduler).__name__} as schedulers[{i}]; it needs schedules that are "
                    "formulas of the step count, such as LinearLR."
                )
            if scheduler.optimizer is not optimizer:
                raise ValueError(f"SequentialLR got schedulers[{i}], which drives another optimizer.")
        if len(self.schedulers) != len(self.milestones) + 1:
            raise ValueError(
                f"SequentialLR got {len(self.schedulers)} schedulers and {len(self.milestones)} milestones; "
                "it needs one scheduler more than milestones."
            )
        intervals = {scheduler.interval for scheduler in self.schedulers}
        if len(intervals) > 1:
            raise ValueError(
                "SequentialLR got schedulers of which some are stepped after every epoch and some after every batch; "
                'write scheduler.interval = "step" to have one stepped after every batch.'
            )
        self.interval = intervals.pop()
        super().__init__(optimizer)

    def rate(self, t: int) -> Any:
        scheduler, since = self._turn(t)
        return scheduler.rate(since)

    def _turn(self, t: int) -> tuple[Schedule, int]:
        """Whose turn it is after `t` steps, and how many of them are its own."""
        i = bisect_right(self.milestones, t)
        return self.schedulers[i], t - ([0, *self.milestones][i])

    def _go_to(self, t: int) -> None:
        scheduler, since = self._turn(t)
        scheduler._go_to(since)  # which may write a momentum too
        self.last_epoch, self._last_lr = t, scheduler.get_last_lr()[0]

    def state_dict(self) -> dict[str, Any]:
        """The count, the milestones, and the states of the schedulers."""
        return super().state_dict() | {"schedulers": [scheduler.state_dict() for scheduler in self.schedulers]}

    def _check(self, state: Mapping[str, Any]) -> None:
        super()._check(state)
        if len(state["schedulers"]) != len(self.schedulers):
            raise ValueError(
                f"SequentialLR.load_state_dict got the states of {len(state['schedulers'])} schedulers; "
                f"it needs {len(self.schedulers)}."
            )
        for scheduler, its_state in zip(self.schedulers, state["schedulers"], strict=True):
            scheduler._check(its_state)

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self._check(state)
        for scheduler, its_state in zip(self.schedulers, state["schedulers"], strict=True):
            scheduler.load_state_dict(its_state)
        super().load_state_dict(state)


class ReduceLROnPlateau(Scheduler):
    """The rate falls by a factor when a loss or score has not improved for more than `patience` steps.

    A step is good when, by `mode` and `threshold_mode`,

        min:  metric < best * (1 - threshold) ("rel")    or    metric < best - threshold ("abs")
        max:  metric > best * (1 + threshold) ("rel")    or    metric > best + threshold ("abs")

    and bad otherwise; NaN is bad. After more than `patience` bad steps in a row, `lr = max(lr * factor, min_lr)`, and
    for the next `cooldown` steps bad ones do not count. "rel" is meant for metrics above 0: to a constant negative
    loss, every step is good.

    Args:
        optimizer: what is driven.
        mode: "min" for a loss, "max" for a score.
        factor: above 0 and below 1.
        patience: how many bad steps are borne, at least 0.
        threshold: by how much a good step improves, at least 0.
        threshold_mode: "rel" or "abs".
        cooldown: steps after a fall in which bad ones do not count, at least 0.
        min_lr: no fall goes below it, at least 0.
        eps: a fall by no more than this is left out, at least 0.

    Raises:
        ValueError, TypeError: a value outside its range, or of another type.
    """

    needs_metric = True
    _options = ("mode", "factor", "patience", "threshold", "threshold_mode", "cooldown", "min_lr", "eps")
    _counters = ("base_lr", "last_epoch", "_last_lr", "best", "num_bad_epochs", "cooldown_counter")

    def __init__(
        self,
        optimizer: HasRate,
        mode: str = "min",
        factor: float = 0.1,
        patience: int = 10,
        threshold: float = 1e-4,
        threshold_mode: str = "rel",
        cooldown: int = 0,
        min_lr: float = 0.0,
        eps: float = 1e-8,
    ) -> None:
        self.mode = choice(self._name, "mode", mode, ("min", "max"))
        self.factor = self._number("factor", factor, above=0, below=1)
        self.patience = self._whole("patience", patience, at_least=0)
        self.threshold = self._number("threshold", threshold, at_least=0)
        self.threshold_mode = choice(self._name, "threshold_mode", threshold_mode, ("rel", "abs"))
        self.cooldown = self._whole("cooldown", cooldown, at_least=0)
        self.min_lr = self._number("min_lr", min_lr, at_least=0)
        self.eps = self._number("eps", eps, at_least=0)
        super().__init__(optimizer)
        self._set_lr(real(self._name, "optimizer.lr", self.base_lr))
        self.best = inf if mode == "min" else -inf
        self.num_bad_epochs = self.cooldown_counter = 0

    def step(self, metric: float) -> None:
        """Take in the metric of this step, a loss or score, and lower the rate when it is time."""
        metric = real("ReduceLROnPlateau.step", "metric", metric)
        self.last_epoch += 1
        if self._is_better(metric):
            self.best, self.num_bad_epochs = metric, 0
        else:
            self.num_bad_epochs += 1
        if self.cooldown_counter > 0:
            self.cooldown_counter -= 1
            self.num_bad_epochs = 0
        lr = self.optimizer.lr
        if self.num_bad_epochs > self.patience:
            lower = max(lr * self.factor, self.min_lr)
            lr = lower if lr - lower > self.eps else lr
            self.cooldown_counter, self.num_bad_epochs = self.cooldown, 0
        self._set_lr(lr)

    def _is_better(self, metric: float) -> bool:
        margin = self.threshold if self.mode == "max" else -self.threshold
        bar = self.best * (1 + margin) if self.threshold_mode == "rel" else self.best + margin
        return metric > bar if self.mode == "max" else metric < bar

    def _write(self) -> None:
        self._set_lr(self._last_lr)


def _line(start: Any, end: Any, share: float) -> Any:
    """Where a straight line from `start` to `end` is when this share of the way is done."""
    return start + (end - start) * share


def _wave(start: Any, end: Any, share: float) -> Any:
    """Where half a cosine wave from `start` to `end` is when this share of the way is done."""
    return end + (start - end) * (1 + cos(pi * share)) / 2


def _milestones(owner: str, milestones: Sequence[int]) -> list[int]:
    steps = [whole(owner, f"milestones[{i}]", step, at_least=1) for i, step in enumerate(milestones)]
    if steps != sorted(steps):
        raise ValueError(f"{owner} got milestones={steps}; each must be at least the one before.")
    return steps
