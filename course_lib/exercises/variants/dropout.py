"""Lesson 06: right answers as other people write them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np


def forward_factor(x: Any, p: float, rng: Any, training: bool) -> Any:
    """With a factor of the precision of x; evaluation hands out x itself."""
    if training:
        mask = rng.random(x.shape) >= p
        return x * (mask.astype(x.dtype) / x.dtype.type(1 - p)), mask
    return x, np.full(x.shape, True)


def forward_where(x: Any, p: float, rng: Any, training: bool) -> Any:
    mask = np.ones_like(x, dtype=bool)
    if training:
        mask = ~(rng.random(x.shape) < p)
    return [np.where(mask, x / (1 - p), 0.0) if training else x + 0.0, mask]


def forward_loops(x: Any, p: float, rng: Any, training: bool) -> Any:
    out, mask = np.zeros_like(x), np.zeros(x.shape, dtype=bool)
    for place in np.ndindex(x.shape):
        keep = not training or rng.random() >= p
        mask[place] = keep
        if keep:
            out[place] = x[place] / (1 - p) if training else x[place]
    return out, mask


def forward_on_a_copy(x: Any, p: float, rng: Any, training: bool) -> Any:
    """In place on a copy; p becomes 0 in evaluation, and then nothing is drawn."""
    draws = rng.random(size=x.shape) if training else np.ones(x.shape)
    mask = np.greater_equal(draws, p)
    out = x.copy()
    out[np.logical_not(mask)] = 0
    if training:
        out *= x.dtype.type(1 / (1 - p))
    return out, mask


def forward_einsum(x: Any, p: float, rng: Any, training: bool) -> Any:
    mask = rng.random(x.shape) >= p if training else np.isfinite(x)
    scale = 1 / (1 - p) if training else 1.0
    return np.einsum("...,...->...", x, scale * mask), mask


def backward_factor(dout: Any, mask: Any, p: float) -> Any:
    return dout * (mask / (1 - p))


def backward_where(dout: Any, mask: Any, p: float) -> Any:
    return np.where(mask, dout, 0) / (1 - p)


def backward_loops(dout: Any, mask: Any, p: float) -> Any:
    dx = np.zeros(dout.shape)
    for place in np.ndindex(dout.shape):
        if mask[place]:
            dx[place] = dout[place] / (1 - p)
    return dx


def backward_indices(dout: Any, mask: Any, p: float) -> Any:
    """Keeps float32; a view of a larger array."""
    room = np.zeros((2, *dout.shape), dout.dtype)
    room[1][mask] = dout[mask] * dout.dtype.type(1 / (1 - p))
    return room[1]


def backward_einsum(dout: Any, mask: Any, p: float) -> Any:
    return np.einsum("...,...->...", dout, mask.astype(dout.dtype)) * (1 / (1 - p))


RIGHT: dict[str, list[Callable[..., Any]]] = {
    "dropout_forward": [forward_factor, forward_where, forward_loops, forward_on_a_copy, forward_einsum],
    "dropout_backward": [backward_factor, backward_where, backward_loops, backward_indices, backward_einsum],
}
