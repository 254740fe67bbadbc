"""Arrays that begin where a cache line of the processor begins.

A processor reads memory in lines of 64 bytes. An array that begins in the middle of one makes every wide read touch
two, and simple arithmetic on it takes up to twice as long; NumPy's own arrays begin wherever there is room.
"""

from __future__ import annotations

from math import prod

import numpy as np
import numpy.typing as npt

from ._typing import Array

LINE = 64
"""Bytes in a cache line; some processors have 128, and lose nothing by 64."""


def aligned_zeros(shape: tuple[int, ...], dtype: npt.DTypeLike) -> Array:
    """Zeros of this shape and dtype, beginning at a multiple of 64 bytes."""
    size = prod(shape) * np.dtype(dtype).itemsize
    memory = np.zeros(size + LINE, np.uint8)
    start = -memory.__array_interface__["data"][0] % LINE
    array: Array = memory[start : start + size].view(dtype).reshape(shape)
    return array


def aligned_zeros_like(array: Array) -> Array:
    """Zeros of the shape and dtype of `array`, beginning at a multiple of 64 bytes."""
    return aligned_zeros(array.shape, array.dtype)
