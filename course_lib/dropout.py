"""Dropout: in training, silence units at random, so that none can be relied on alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ._ranges import number
from ._typing import Array
from .layers import CheckedLayer, check_generator

if TYPE_CHECKING:
    from numpy.random import Generator


class Dropout(CheckedLayer):
    """Set each number to zero with probability `p` and multiply the others by `1 / (1 - p)`; in evaluation do nothing.

    The factor ("inverted" dropout) keeps the expected output equal to the input, so evaluation needs no correction.
    `p` is the probability of *dropping*, as in PyTorch. Each example has a mask of its own, a fresh one in every
    training pass. Source: Srivastava et al. 2014, Dropout, section 4 and, for the factor in training, section 10.

    Args:
        p: probability of dropping, at least 0 and below 1.
        rng: where the masks are drawn from, as `rng.random(x.shape) >= p`; evaluation leaves it untouched.

    Raises:
        ValueError: p outside [0, 1).
        TypeError: a `p` that is not a number, or an `rng` that is not a `numpy.random.Generator`.
    """

    def __init__(self, p: float, rng: Generator) -> None:
        super().__init__()
        self.p = number("Dropout", "p", p, at_least=0, below=1)
        check_generator(rng, "Dropout")
        self.rng = rng

    def _output_shape(self) -> tuple[int, ...]:
        return self._remembered("factor").shape

    def _forward(self, x: Array, training: bool, out: Array | None) -> Array:
        factor = self._room("factor", x.shape, x.dtype)
        if training:
            # Drawn in float64 whatever x is, so that both precisions get the same mask.
            draws = self.rng.random(out=self._room("draws", x.shape, np.float64))
            np.greater_equal(draws, self.p, out=factor)
            factor *= 1 / (1 - self.p)
        else:
            factor.fill(1.0)
        return np.multiply(x, factor, out=out)

    def _backward(self, dout: Array, out: Array | None) -> Array:
        return np.multiply(dout, self._kept["factor"], out=out)

    @property
    def mask(self) -> npt.NDArray[np.bool_]:
        """Which numbers the last `forward` kept: True where kept, of the input's shape; all True in evaluation."""
        return self._remembered("factor") > 0

    def generators(self) -> dict[str, Generator]:
        return {"dropout": self.rng}

    def __repr__(self) -> str:
        return f"Dropout({self.p:g})"
