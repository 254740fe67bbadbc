"""Clipping in single calls: the gradient that is left, and the norm that is returned."""

from functools import partial

import numpy as np

from course_lib.clipping import clip_grad_norm, clip_grad_value
from course_lib.parameters import Parameters
from parity.case import Case, relative_or_equal, uniform

GRADIENTS = {
    "ordinary": uniform(40, 30),
    "large": uniform(41, 30) * 1e6,
    "tiny": uniform(42, 30) * 1e-7,
    "zero": np.zeros(30),
    "infinite in one place": np.where(np.arange(30) == 4, np.inf, uniform(43, 30)),
    "NaN in one place": np.where(np.arange(30) == 4, np.nan, uniform(43, 30)),
}
SHAPES = {"W1": (4, 5), "b1": (5,), "W2": (5, 1)}


def our_clipping(rule: str, gradient: str, limit: float) -> np.ndarray:
    params = Parameters(SHAPES, np.float64)
    params.grad = GRADIENTS[gradient]
    norm = clip_grad_norm(params, limit) if rule == "norm" else clip_grad_value(params, limit)
    return params.grad if norm is None else np.append(params.grad, norm)


def their_clipping(rule: str, gradient: str, limit: float) -> np.ndarray:
    import torch

    tensors = [torch.zeros(shape, dtype=torch.float64, requires_grad=True) for shape in SHAPES.values()]
    parts = np.split(GRADIENTS[gradient], np.cumsum([tensor.numel() for tensor in tensors])[:-1])
    for tensor, part in zip(tensors, parts, strict=True):
        tensor.grad = torch.tensor(part.reshape(tensor.shape))
    clip = torch.nn.utils.clip_grad_norm_ if rule == "norm" else torch.nn.utils.clip_grad_value_
    norm = clip(tensors, limit)
    left = np.concatenate([tensor.grad.numpy().ravel() for tensor in tensors])
    return left if norm is None else np.append(left, norm.item())


def cases() -> list[Case]:
    settings = [
        *(("norm", gradient, limit) for gradient in GRADIENTS for limit in (0.5, 1.0, 3.0, 1e9)),
        *(("value", gradient, limit) for gradient in GRADIENTS for limit in (0.0, 0.3, 1e3)),
    ]
    return [
        Case(
            "clipping",
            f"clip by {rule} {limit:g}, gradient {gradient}",
            partial(our_clipping, rule, gradient, limit),
            partial(their_clipping, rule, gradient, limit),
            bound=1e-12,
            measure=relative_or_equal,
        )
        for rule, gradient, limit in settings
    ]
