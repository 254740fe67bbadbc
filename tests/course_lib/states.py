"""Comparing what things hold, to the bit."""

import numpy as np


def bits(value):
    """A state as something that compares equal only when every bit and every type is the same.

    (Pickles will not do: they differ when equal parts are one object in one state and two in the other.)
    """
    match value:
        case dict():
            return [(key, bits(entry)) for key, entry in value.items()]
        case list() | tuple():
            return type(value).__name__, [bits(entry) for entry in value]
        case np.ndarray() | np.generic():
            return type(value).__name__, str(value.dtype), value.shape, value.tobytes()
        case float():
            return value.hex()
    return type(value).__name__, value
