"""Muon beside `torch.optim.Muon`, whose orthogonal step is computed in 16 bits: here it is kept from rounding."""

from functools import partial
from itertools import product
from typing import Any
from unittest.mock import patch

import numpy as np

from course_lib.modern_optimizers import Muon, orthogonalize
from course_lib.parameters import Parameters
from parity.case import Case, of_the_largest, title, uniform

STEPS = 60
SHAPES = ((4, 7), (6, 2), (3, 3))


def our_run(options: dict[str, Any]) -> np.ndarray:
    params = Parameters.from_arrays({f"W{i}": uniform(50 + i, *shape) for i, shape in enumerate(SHAPES)})
    optimizer = Muon(params, **options)
    for step in range(STEPS):
        params.grad = uniform(60 + step, params.size)
        optimizer.step()
        if step == STEPS // 2:
            optimizer.lr *= 0.3
    return params.theta


def their_run(options: dict[str, Any]) -> np.ndarray:
    import torch

    tensors = [torch.tensor(uniform(50 + i, *shape).T.copy(), requires_grad=True) for i, shape in enumerate(SHAPES)]
    optimizer = torch.optim.Muon(tensors, **options)
    ends = np.cumsum([tensor.numel() for tensor in tensors])
    with patch.object(torch.Tensor, "bfloat16", torch.Tensor.clone):
        for step in range(STEPS):
            parts = np.split(uniform(60 + step, int(ends[-1])), ends[:-1])
            for tensor, part, shape in zip(tensors, parts, SHAPES, strict=True):
                tensor.grad = torch.tensor(part.reshape(shape).T.copy())
            optimizer.step()
            if step == STEPS // 2:
                optimizer.param_groups[0]["lr"] *= 0.3
    return np.concatenate([tensor.detach().numpy().T.ravel() for tensor in tensors])


def our_matrix(shape: tuple[int, int], steps: int) -> np.ndarray:
    return orthogonalize(uniform(70, *shape) * 1e3, steps)


def their_matrix(shape: tuple[int, int], steps: int) -> np.ndarray:
    import torch
    from torch.optim import _muon

    with patch.object(torch.Tensor, "bfloat16", torch.Tensor.clone):
        found = _muon._zeropower_via_newtonschulz(
            torch.tensor(uniform(70, *shape) * 1e3), (3.4445, -4.7750, 2.0315), steps, 1e-7
        )
    return found.numpy()


def cases() -> list[Case]:
    settings: list[dict[str, Any]] = [
        {"lr": 0.02, "weight_decay": decay, "momentum": momentum, "nesterov": nesterov}
        for decay, momentum, nesterov in product((0.0, 0.1, 5.0), (0.0, 0.95), (True, False))
    ]
    settings += [{}, {"ns_steps": 3}, {"eps": 10.0}]
    found = [(title("Muon", options), partial(our_run, options), partial(their_run, options)) for options in settings]
    for shape, steps in product(((5, 8), (8, 5), (6, 6), (1, 9)), (1, 5, 7)):
        name = title("orthogonalize", {"shape": shape, "steps": steps})
        found.append((name, partial(our_matrix, shape, steps), partial(their_matrix, shape, steps)))
    return [Case("optimizers", name, ours, theirs, 1e-10, of_the_largest) for name, ours, theirs in found]
