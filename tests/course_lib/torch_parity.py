"""What is held beside PyTorch: each case computes the same numbers with `course_lib` and with `torch`.

`scripts/make_golden.py` stores PyTorch's numbers in golden.npz, so that the comparison also runs where torch is not
installed. All inputs come from the raw bits of PCG64, which NumPy promises never to change.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from course_lib import optimizers
from course_lib.layers import ReLU, Sigmoid, Tanh
from course_lib.losses import softmax_cross_entropy, squared_error
from course_lib.network import MLP
from course_lib.parameters import Parameters

GOLDEN = Path(__file__).with_name("golden.npz")

SIZE = 8  # parameters; the gradient of the first is always zero
STEPS = 1000
RATE_CHANGE = 500  # after this step the rate is 0.3 times what it was
KEPT = (1, 2, 100, 501, 1000)  # the steps whose parameters are compared
SHORT = 100  # steps compared where rounding grows until PyTorch disagrees with itself


@dataclass(frozen=True)
class Case:
    """One setting, computed both ways; `bound` is the largest relative difference allowed."""

    name: str
    ours: Callable[[], np.ndarray]
    theirs: Callable[[], np.ndarray]
    bound: float


def uniform(seed: int, *shape: int) -> np.ndarray:
    """Numbers from -1 to 1, the same with every version of NumPy."""
    bits = np.random.PCG64(seed).random_raw(int(np.prod(shape)))
    return ((bits >> np.uint64(11)) / 2.0**52 - 1.0).reshape(shape)


def start_and_gradients() -> tuple[np.ndarray, np.ndarray]:
    """Where training starts, and a random gradient for every step, over five orders of magnitude."""
    gradients = uniform(1, STEPS, SIZE) * 10.0 ** np.linspace(-3, 2, SIZE)
    gradients[:, 0] = 0.0
    return uniform(2, SIZE) * 3, gradients


def our_run(name: str, options: dict[str, Any], steps: int = STEPS) -> np.ndarray:
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
    return np.array(kept)


def torch_run(name: str, options: dict[str, Any], steps: int = STEPS) -> np.ndarray:
    import torch

    theta, gradients = start_and_gradients()
    params = torch.tensor(theta, requires_grad=True)
    optimizer = getattr(torch.optim, name)([params], **options)
    kept = []
    for step, gradient in enumerate(gradients[:steps], start=1):
        params.grad = torch.tensor(gradient)
        optimizer.step()
        if step in KEPT:
            kept.append(params.detach().numpy().copy())
        if step == RATE_CHANGE:
            optimizer.param_groups[0]["lr"] *= 0.3
    return np.array(kept)


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
    yield {}  # the defaults are PyTorch's too


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


def our_network(activation: str, classify: bool) -> np.ndarray:
    model = MLP(
        [5, 7, 4, 3],
        rng=np.random.default_rng(),
        dtype=np.float64,
        activation={"ReLU": ReLU, "Tanh": Tanh, "Sigmoid": Sigmoid}[activation],
    )
    model.parameters.theta = uniform(3, model.parameters.size)
    output = model.forward(uniform(4, 6, 5) * 2)
    loss, dout = softmax_cross_entropy(output, LABELS) if classify else squared_error(output, uniform(5, 6, 3))
    model.backward(dout)
    return np.concatenate([[loss], output.ravel(), model.parameters.grad])


def torch_network(activation: str, classify: bool) -> np.ndarray:
    import torch

    flat = torch.tensor(uniform(3, 5 * 7 + 7 + 7 * 4 + 4 + 4 * 3 + 3), requires_grad=True)
    x = torch.tensor(uniform(4, 6, 5) * 2)
    start = 0
    for n_in, n_out in ((5, 7), (7, 4), (4, 3)):
        weights = flat[start : start + n_in * n_out].reshape(n_in, n_out)
        bias = flat[start + n_in * n_out : start + n_in * n_out + n_out]
        start += n_in * n_out + n_out
        x = torch.nn.functional.linear(x, weights.T, bias)
        if n_out != 3:
            x = getattr(torch.nn, activation)()(x)
    if classify:
        loss = torch.nn.functional.cross_entropy(x, torch.tensor(LABELS))
    else:  # ours has a one half, and divides by the examples alone: 3 outputs, so 3/2 of PyTorch's
        loss = torch.nn.functional.mse_loss(x, torch.tensor(uniform(5, 6, 3))) * 3 / 2
    loss.backward()
    return np.concatenate([[loss.item()], x.detach().numpy().ravel(), flat.grad.numpy()])


LABELS = np.array([0, 2, 1, 1, 0, 2])
NASTY_LOGITS = np.array([[1000.0, 0, -1000], [-1e5, -1e5, -1e5], [0, 800, 799], [1e-9, 0, 0], [3, 2, 1], [700, 0, 1]])


def our_loss() -> np.ndarray:
    loss, dlogits = softmax_cross_entropy(NASTY_LOGITS, LABELS)
    return np.append(dlogits.ravel(), loss)


def torch_loss() -> np.ndarray:
    import torch

    logits = torch.tensor(NASTY_LOGITS, requires_grad=True)
    loss = torch.nn.functional.cross_entropy(logits, torch.tensor(LABELS))
    loss.backward()
    return np.append(logits.grad.numpy().ravel(), loss.item())


def all_cases() -> list[Case]:
    cases = [
        Case(
            " ".join([name, *(f"{key}={value}" for key, value in options.items())]),
            partial(our_run, name, options),
            partial(torch_run, name, options),
            bound=1e-10,
        )
        for name in ("SGD", "Adagrad", "RMSprop", "Adam", "AdamW")
        for options in options_of(name)
    ]
    for name, options in sensitive_settings():
        title = " ".join([name, *(f"{key}={value}" for key, value in options.items()), f"{SHORT} steps"])
        ours, theirs = partial(our_run, name, options, SHORT), partial(torch_run, name, options, SHORT)
        cases.append(Case(title, ours, theirs, bound=1e-10))
    for activation, classify in product(("ReLU", "Tanh", "Sigmoid"), (True, False)):
        kind = "cross-entropy" if classify else "squared error"
        ours, theirs = partial(our_network, activation, classify), partial(torch_network, activation, classify)
        cases.append(Case(f"network of {activation}, {kind}", ours, theirs, bound=1e-12))
    cases.append(Case("cross-entropy of extreme logits", our_loss, torch_loss, bound=1e-12))
    return cases


CASES = all_cases()


def difference(received: np.ndarray, expected: np.ndarray) -> float:
    """The largest relative difference over all numbers; infinite where one is not finite or the shapes differ."""
    if received.shape != expected.shape:
        return np.inf
    size = np.maximum(np.abs(expected), np.finfo(np.float64).tiny)
    with np.errstate(invalid="ignore"):
        relative = np.abs(received - expected) / size
    return float(np.where(np.isfinite(relative), relative, np.inf).max())
