"""First weights: the bound of the uniform ones and the standard deviation of the normal ones.

Both sides are given draws that are all as large as they can be (uniform) or all 1 (normal): the weights then *are* the
bound, or the standard deviation.
"""

from functools import partial
from itertools import product
from math import sqrt
from typing import Any
from unittest.mock import patch

import numpy as np

from course_lib import initializers
from parity.case import Case, title

THEIR_NAMES = {
    "xavier_uniform": "xavier_uniform_",
    "xavier_normal": "xavier_normal_",
    "he_uniform": "kaiming_uniform_",
    "he_normal": "kaiming_normal_",
}
GAINS = {"linear": 1.0, "relu": sqrt(2.0), "tanh": 5 / 3}


class Largest(np.random.Generator):
    """Draws the upper bound, or 1."""

    def __init__(self) -> None:
        super().__init__(np.random.PCG64(0))

    def uniform(self, low: float = 0.0, high: float = 1.0, size: Any = None) -> Any:
        assert low == -high
        return np.full(size, high)

    def standard_normal(self, size: Any = None, dtype: Any = np.float64, out: Any = None) -> Any:
        return np.ones(size)


def our_weights(name: str, n_in: int, n_out: int, activation: str) -> np.ndarray:
    return getattr(initializers, name)(n_in, n_out, Largest(), gain=GAINS[activation])


def their_weights(name: str, n_in: int, n_out: int, activation: str) -> np.ndarray:
    import torch

    weights = torch.empty(n_out, n_in, dtype=torch.float64)
    draw = getattr(torch.nn.init, THEIR_NAMES[name])
    with (
        patch.object(torch.Tensor, "uniform_", lambda self, low, high, generator=None: self.fill_(high)),
        patch.object(torch.Tensor, "normal_", lambda self, mean, std, generator=None: self.fill_(mean + std)),
    ):
        if name.startswith("he"):
            draw(weights, nonlinearity=activation)
        else:
            draw(weights, gain=torch.nn.init.calculate_gain(activation))
    return weights.numpy().T


def cases() -> list[Case]:
    return [
        Case(
            "initializers",
            title(name, {"n_in": n_in, "n_out": n_out, "for": activation}),
            partial(our_weights, name, n_in, n_out, activation),
            partial(their_weights, name, n_in, n_out, activation),
            bound=1e-12,
        )
        for name, (n_in, n_out), activation in product(THEIR_NAMES, ((6, 3), (1, 40), (17, 1)), GAINS)
    ]
