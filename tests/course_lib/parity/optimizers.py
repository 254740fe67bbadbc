"""Optimizers over 200 to 1,000 steps of random gradients, with the rate and other options changed half-way."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from itertools import product
from typing import Any

import numpy as np

from course_lib import optimizers
from course_lib.parameters import Parameters
from parity.case import Case, title, uniform

SIZE = 8  # parameters; the gradient of the first is always zero
RULES = ("SGD", "Adagrad", "RMSprop", "Adam", "AdamW", "NAdam")
STEPS = 1000
RATE_CHANGE = 500  # after this step the rate is 0.3 times what it was
KEPT = (1, 2, 100, 501, 1000)  # the steps whose parameters are compared
SHORT = 100  # steps compared where rounding grows until PyTorch disagrees with itself


def start_and_gradients() -> tuple[np.ndarray, np.ndarray]:
    """Where training starts, and a random gradient for every step, over five orders of magnitude."""
    gradients = uniform(1, STEPS, SIZE) * 10.0 ** np.linspace(-3, 2, SIZE)
    gradients[:, 0] = 0.0
    return uniform(2, SIZE) * 3, gradients


def our_run(name: str, options: dict[str, Any], later: dict[str, Any], steps: int = STEPS) -> np.ndarray:
    """Parameters after the steps KEPT; `later` are the options that hold from the change of the rate on."""
    theta, gradients = start_and_gradients()
    params = Parameters.from_arrays({"theta": theta})
    optimizer = getattr(optimizers, name)(params, **options)
    kept = []
    for step, gradient in enumerate(gradients[:steps], start=1):
        params.grad = gradient
        optimizer.step()
        if step in KEPT:
            kept.append(params.theta.copy())
        if step == RATE_CHANGE:
            optimizer.lr *= 0.3
            for option, value in later.items():
                setattr(optimizer, option, value)
    return np.array(kept)


def torch_run(name: str, options: dict[str, Any], later: dict[str, Any], steps: int = STEPS) -> np.ndarray:
    import torch

    theta, gradients = start_and_gradients()
    params = torch.tensor(theta, requires_grad=True)
    optimizer = getattr(torch.optim, name)([params], **options)
    kept = []
    with double_precision():
        for step, gradient in enumerate(gradients[:steps], start=1):
            params.grad = torch.tensor(gradient)
            optimizer.step()
            if step in KEPT:
                kept.append(params.detach().numpy().copy())
            if step == RATE_CHANGE:
                optimizer.param_groups[0]["lr"] *= 0.3
                optimizer.param_groups[0].update(later)
    return np.array(kept)


@contextmanager
def double_precision() -> Iterator[None]:
    """PyTorch keeps NAdam's running product in its default precision, whatever that of the parameters."""
    import torch

    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


def options_of(name: str) -> Iterator[dict[str, Any]]:
    """The grid of settings of one optimizer. 2 and 5 are large weight decays: they outweigh most gradients."""
    match name:
        case "SGD":
            for lr, momentum, dampening, decay in product((1e-3, 0.05), (0, 0.5, 0.9), (0, 0.3), (0, 5)):
                yield {"lr": lr, "momentum": momentum, "dampening": dampening, "weight_decay": decay}
            for momentum, decay in product((0.5, 0.9), (0, 5)):
                yield {"lr": 0.05, "momentum": momentum, "weight_decay": decay, "nesterov": True}
        case "Adagrad":
            for lr_decay, decay, start, eps in product((0, 0.01), (0, 2), (0, 0.5), (1e-10, 1e-3)):
                yield {
                    "lr": 0.05,
                    "lr_decay": lr_decay,
                    "weight_decay": decay,
                    "initial_accumulator_value": start,
                    "eps": eps,
                }
        case "RMSprop":
            for alpha, eps, decay, momentum, centered in product(
                (0.99, 0.9), (1e-8, 1e-3), (0, 2), (0, 0.9), (False, True)
            ):
                if alpha < 0.99 and decay and momentum:
                    continue  # in `sensitive_settings`
                yield {
                    "lr": 0.01,
                    "alpha": alpha,
                    "eps": eps,
                    "weight_decay": decay,
                    "momentum": momentum,
                    "centered": centered,
                }
        case "Adam" | "AdamW":
            for betas, eps, decay in product(((0.9, 0.999), (0.0, 0.9), (0.5, 0.99)), (1e-8, 1e-3), (0, 0.01, 5)):
                yield {"lr": 0.02, "betas": betas, "eps": eps, "weight_decay": decay}
        case "NAdam":
            for betas, eps, decay, decoupled in product(
                ((0.9, 0.999), (0.0, 0.9), (0.5, 0.99)), (1e-8, 1e-3), (0, 0.01, 5), (False, True)
            ):
                yield {
                    "lr": 0.02,
                    "betas": betas,
                    "eps": eps,
                    "weight_decay": decay,
                    "decoupled_weight_decay": decoupled,
                }
            for momentum_decay in (0, 0.1):
                yield {"lr": 0.02, "momentum_decay": momentum_decay}
    yield {}  # the defaults are PyTorch's too


def changes() -> Iterator[tuple[str, dict[str, Any], dict[str, Any]]]:
    """Options changed half-way: what a one-cycle schedule does, and what a learner may write."""
    for decay in (0, 0.1):
        for nesterov, later in product((False, True), (0.5, 0.95)):
            options = {"lr": 0.02, "momentum": 0.85, "weight_decay": decay, "nesterov": nesterov}
            yield "SGD", options, {"momentum": later}
        yield "RMSprop", {"lr": 0.01, "momentum": 0.85, "weight_decay": decay}, {"momentum": 0.95}
        for name, later in product(("Adam", "AdamW", "NAdam"), ((0.85, 0.999), (0.95, 0.999))):
            yield name, {"lr": 0.02, "betas": (0.9, 0.999), "weight_decay": decay}, {"betas": later}
    yield "Adagrad", {"lr": 0.05}, {"weight_decay": 0.5}
    yield "AdamW", {"lr": 0.02}, {"weight_decay": 1.0}


def sensitive_settings() -> Iterator[tuple[str, dict[str, Any]]]:
    """Settings that forget fast under decay. There a difference in the last bit grows with every step.

    Over 1,000 steps PyTorch, started one bit away, ends up to 100% away from itself in some of them (a test shows it).
    So they are compared over 100 steps, and, where torch is installed, each of all 1,000 from PyTorch's own state.
    """
    for alpha, eps, centered in product((0.5, 0.9, 0.95), (1e-8, 1e-3), (False, True)):
        options = {"lr": 0.01, "alpha": alpha, "eps": eps, "weight_decay": 2, "momentum": 0.9, "centered": centered}
        yield "RMSprop", options
    for name, eps, decay in product(("Adam", "AdamW"), (1e-8, 1e-3), (0.01, 5)):
        yield name, {"lr": 0.02, "betas": (0.5, 0.5), "eps": eps, "weight_decay": decay}


BUFFERS = {
    "RMSprop": {"s": "square_avg", "a": "grad_avg", "b": "momentum_buffer"},
    "Adam": {"m": "exp_avg", "v": "exp_avg_sq"},
    "AdamW": {"m": "exp_avg", "v": "exp_avg_sq"},
}
"""Our names of the buffers, and PyTorch's."""


def largest_step_difference(name: str, options: dict[str, Any]) -> float:
    """The largest difference of one of our steps from PyTorch's, each taken from PyTorch's own state, over all steps.

    Relative to the parameter before the step or after it, whichever is larger.
    """
    import torch

    theta, gradients = start_and_gradients()
    tensor = torch.tensor(theta, requires_grad=True)
    theirs = getattr(torch.optim, name)([tensor], **options)
    params = Parameters.from_arrays({"theta": theta})
    ours = getattr(optimizers, name)(params, **options)
    worst = 0.0
    for step, gradient in enumerate(gradients, start=1):
        before = tensor.detach().numpy().copy()
        params.theta = before
        for buffer, their_name in BUFFERS[name].items():
            if theirs.state[tensor].get(their_name) is not None:
                getattr(ours, buffer)[...] = theirs.state[tensor][their_name].numpy()
        params.grad = gradient
        tensor.grad = torch.tensor(gradient)
        ours.step()
        theirs.step()
        after = tensor.detach().numpy()
        size = np.maximum(np.maximum(np.abs(before), np.abs(after)), np.finfo(np.float64).tiny)
        worst = max(worst, float(np.max(np.abs(params.theta - after) / size)))
        if step == RATE_CHANGE:
            ours.lr *= 0.3
            theirs.param_groups[0]["lr"] *= 0.3
    return worst


def case(name: str, options: dict[str, Any], later: dict[str, Any] | None = None, steps: int = STEPS) -> Case:
    text = title(name, options)
    if later:
        text += ", then " + title("", later).strip()
    if steps != STEPS:
        text += f", {steps} steps"
    run = (name, options, later or {}, steps)
    return Case("optimizers", text, partial(our_run, *run), partial(torch_run, *run), bound=1e-10)


def cases() -> list[Case]:
    return [
        *(case(name, options) for name in RULES for options in options_of(name)),
        *(case(name, options, steps=SHORT) for name, options in sensitive_settings()),
        *(case(*change) for change in changes()),
    ]
