"""Schedules over their whole length: every rate, and the momentum where it cycles."""

from collections.abc import Callable, Iterator
from functools import partial
from itertools import product
from typing import Any

import numpy as np

from course_lib import optimizers, schedulers
from course_lib.parameters import Parameters
from parity.case import Case, of_the_first, title, uniform

STEPS = 120
BASE = 0.3


def our_optimizer(name: str, options: dict[str, Any]) -> Any:
    return getattr(optimizers, name)(Parameters.from_arrays({"w": np.ones(2)}), lr=BASE, **options)


def their_optimizer(name: str, options: dict[str, Any]) -> Any:
    import torch

    return getattr(torch.optim, name)([torch.ones(2, requires_grad=True)], lr=BASE, **options)


def our_rates(build: Callable[[Any, Any], Any], steps: int, rule: str, options: dict[str, Any]) -> np.ndarray:
    """Rows of rate and, where the optimizer has it, momentum or beta1; first those that the constructor leaves."""
    optimizer = our_optimizer(rule, options)
    schedule = build(schedulers, optimizer)

    def row() -> list[float]:
        assert schedule.get_last_lr() == [optimizer.lr]
        momentum = optimizer.betas[0] if rule == "Adam" else optimizer.momentum
        return [optimizer.lr, momentum] if options else [optimizer.lr]

    rows = [row()]
    for _ in range(steps):
        schedule.step()
        rows.append(row())
    return np.array(rows)


def their_rates(build: Callable[[Any, Any], Any], steps: int, rule: str, options: dict[str, Any]) -> np.ndarray:
    import torch

    optimizer = their_optimizer(rule, options)
    schedule = build(torch.optim.lr_scheduler, optimizer)
    group = optimizer.param_groups[0]

    def row() -> list[float]:
        momentum = group["betas"][0] if rule == "Adam" else group["momentum"]
        return [group["lr"], momentum] if options else [group["lr"]]

    rows = [row()]
    for _ in range(steps):
        optimizer.step()
        schedule.step()
        rows.append(row())
    return np.array(rows)


def case(name: str, build: Callable[[Any, Any], Any], steps: int = STEPS, rule: str = "SGD", **options: Any) -> Case:
    return Case(
        "schedulers",
        name,
        partial(our_rates, build, steps, rule, options),
        partial(their_rates, build, steps, rule, options),
        bound=1e-12,
        measure=of_the_first,
    )


def one(name: str, **options: Any) -> Case:
    return case(title(name, options), lambda library, optimizer: getattr(library, name)(optimizer, **options))


def single() -> Iterator[Case]:
    for step_size, gamma in product((1, 7, 30, 200), (0.1, 0.5, 1.02)):
        yield one("StepLR", step_size=step_size, gamma=gamma)
    for milestones, gamma in product(((5,), (3, 50, 51), (10, 10, 60), ()), (0.1, 0.9)):
        yield one("MultiStepLR", milestones=milestones, gamma=gamma)
    for gamma in (0.5, 0.9, 0.99, 1.0, 1.02):
        yield one("ExponentialLR", gamma=gamma)
    for start, end, iters in product((0.01, 1 / 3, 1.0), (0.0, 0.5, 1.0), (1, 5, 100)):
        yield one("LinearLR", start_factor=start, end_factor=end, total_iters=iters)
    for iters, power in product((1, 5, 100, 500), (0.5, 1.0, 2.0, 3.5)):
        yield one("PolynomialLR", total_iters=iters, power=power)
    for T_max, eta_min in product((1, 10, 50, 119, 120, 300), (0.0, 0.01, 0.3)):
        yield one("CosineAnnealingLR", T_max=T_max, eta_min=eta_min)
    for T_0, T_mult, eta_min in product((1, 7, 10), (1, 2, 3), (0.0, 0.02)):
        yield one("CosineAnnealingWarmRestarts", T_0=T_0, T_mult=T_mult, eta_min=eta_min)
    for name in ("LinearLR", "PolynomialLR"):
        yield one(name)
    yield one("StepLR", step_size=40)
    yield one("MultiStepLR", milestones=(40, 80))
    yield one("CosineAnnealingLR", T_max=60)
    yield one("CosineAnnealingWarmRestarts", T_0=20)


def sequential() -> Iterator[Case]:
    def warm_up_and_cosine(lib: Any, opt: Any) -> Any:
        pieces = [lib.LinearLR(opt, 0.01, total_iters=10), lib.CosineAnnealingLR(opt, T_max=110, eta_min=0.001)]
        return lib.SequentialLR(opt, pieces, milestones=[10])

    def short_warm_up(lib: Any, opt: Any) -> Any:
        pieces = [lib.LinearLR(opt, 0.1, total_iters=20), lib.ExponentialLR(opt, 0.97)]
        return lib.SequentialLR(opt, pieces, milestones=[7])

    def three(lib: Any, opt: Any) -> Any:
        pieces = [lib.StepLR(opt, 4, gamma=0.5), lib.PolynomialLR(opt, 30, power=2), lib.MultiStepLR(opt, [5, 40], 0.3)]
        return lib.SequentialLR(opt, pieces, milestones=[15, 50])

    def restarts(lib: Any, opt: Any) -> Any:
        pieces = [lib.LinearLR(opt, total_iters=5), lib.CosineAnnealingWarmRestarts(opt, 10, T_mult=2)]
        return lib.SequentialLR(opt, pieces, milestones=[5])

    def one_alone(lib: Any, opt: Any) -> Any:
        return lib.SequentialLR(opt, [lib.ExponentialLR(opt, 0.9)], milestones=[])

    def two_warm_ups(lib: Any, opt: Any) -> Any:
        pieces = [lib.LinearLR(opt, 0.2, total_iters=8), lib.LinearLR(opt, 0.5, 0.1, total_iters=30)]
        return lib.SequentialLR(opt, pieces, milestones=[8])

    yield case("SequentialLR LinearLR, CosineAnnealingLR", warm_up_and_cosine)
    yield case("SequentialLR LinearLR cut short, ExponentialLR", short_warm_up)
    yield case("SequentialLR StepLR, PolynomialLR, MultiStepLR", three)
    yield case("SequentialLR LinearLR, CosineAnnealingWarmRestarts", restarts)
    yield case("SequentialLR ExponentialLR alone", one_alone)
    yield case("SequentialLR LinearLR, LinearLR down", two_warm_ups)


def one_cycle() -> Iterator[Case]:
    def cycle(name: str, rule: str, rule_options: dict[str, Any], **options: Any) -> Case:
        total = options.get("total_steps") or options["epochs"] * options["steps_per_epoch"]
        return case(
            title("OneCycleLR", options) + f" of {name}",
            lambda library, optimizer: library.OneCycleLR(optimizer, **options),
            total - 1,
            rule,
            **rule_options,
        )

    momentum, betas = {"momentum": 0.9}, {"betas": (0.9, 0.999)}
    for share, strategy, three in product((0.1, 0.3, 0.45), ("cos", "linear"), (False, True)):
        for name, rule, rule_options in (("SGD", "SGD", momentum), ("Adam", "Adam", betas)):
            options = {"pct_start": share, "anneal_strategy": strategy, "three_phase": three}
            yield cycle(name, rule, rule_options, max_lr=0.5, total_steps=100, **options)
    yield cycle("SGD", "SGD", momentum, max_lr=2.0, total_steps=37)
    yield cycle("SGD", "SGD", momentum, max_lr=2.0, epochs=6, steps_per_epoch=11)
    yield cycle("SGD", "SGD", momentum, max_lr=0.1, total_steps=64, div_factor=4.0, final_div_factor=100.0)
    yield cycle("Adam", "Adam", betas, max_lr=0.1, total_steps=64, base_momentum=0.5, max_momentum=0.99)
    yield cycle("SGD", "SGD", momentum, max_lr=0.1, total_steps=64, cycle_momentum=False)
    yield cycle("RMSprop", "RMSprop", {"momentum": 0.5}, max_lr=0.1, total_steps=64)


def metrics(shape: str) -> np.ndarray:
    """A loss for every step."""
    t = np.arange(STEPS)
    noise = uniform(11, STEPS)
    match shape:
        case "falls and stays":
            return np.maximum(1 - t / 30, 0.2) + 0.01 * noise
        case "noise":
            return 1 + noise
        case "constant below zero":
            return np.full(STEPS, -1.0)
        case "constant":
            return np.full(STEPS, 0.5)
        case "rises":
            return 0.01 * t
        case _:
            return np.where(t % 5 == 0, 1 / (1 + t), np.nan)


def plateau() -> Iterator[Case]:
    def ours(values: np.ndarray, options: dict[str, Any]) -> np.ndarray:
        optimizer = our_optimizer("SGD", {})
        schedule = schedulers.ReduceLROnPlateau(optimizer, **options)
        rates = [optimizer.lr]
        for value in values:
            schedule.step(value)
            assert schedule.get_last_lr() == [optimizer.lr]
            rates.append(optimizer.lr)
        return np.array(rates)

    def theirs(values: np.ndarray, options: dict[str, Any]) -> np.ndarray:
        import torch

        optimizer = their_optimizer("SGD", {})
        schedule = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, **options)
        rates = [optimizer.param_groups[0]["lr"]]
        for value in values:
            schedule.step(value)
            rates.append(optimizer.param_groups[0]["lr"])
        return np.array(rates)

    def made(shape: str, **options: Any) -> Case:
        values = metrics(shape)
        name = title("ReduceLROnPlateau", options) + f", {shape}"
        bound = 1e-12
        run = partial(ours, values, options), partial(theirs, values, options)
        return Case("schedulers", name, *run, bound, of_the_first)

    for shape, mode, kind in product(
        ("falls and stays", "noise", "constant below zero", "constant", "rises", "NaN in four of five"),
        ("min", "max"),
        ("rel", "abs"),
    ):
        yield made(shape, mode=mode, threshold_mode=kind, factor=0.5, patience=3, threshold=0.01)
    for patience, cooldown in product((0, 1, 10), (0, 4)):
        yield made("noise", patience=patience, cooldown=cooldown, factor=0.7)
    yield made("constant", factor=0.5, patience=2, min_lr=0.02)
    yield made("constant", factor=0.5, patience=2, eps=0.01)
    yield made("constant", factor=0.5, patience=2, threshold=0.0)
    yield made("rises", mode="max", threshold=0.3)
    yield made("falls and stays")


def cases() -> list[Case]:
    return [*single(), *sequential(), *one_cycle(), *plateau()]
