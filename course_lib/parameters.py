"""One flat vector of weights, one of gradients, and named windows into both.

    theta  [ W1 W1 W1 W1 | b1 b1 | W2 W2 | b2 ]        grad  [ the same, one slope for each weight ]
             params["W1"]                                      params.grads["W1"]

A named window (a NumPy *view*) shares its memory with the vector: change one and the other has changed. An optimizer
can therefore update the whole network with a few lines on two vectors, and a layer still sees matrices.
"""

from collections.abc import Iterator, Mapping
from math import prod
from types import MappingProxyType
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from ._memory import aligned_zeros, aligned_zeros_like
from ._typing import Array


class Parameters(Mapping[str, Array]):
    """Named arrays inside one flat vector `theta`, with a slope for each weight in `grad`.

    A `Parameters` reads like a dict: `params["W1"]`, `params.keys()`, `for name in params`. Writing goes into the
    vector: `params["W1"] = W` and `params.theta = vector` copy numbers, they never replace the memory.

    Args:
        shapes: name -> shape, in the order in which they lie in the vector.
        dtype: `np.float32` or `np.float64`.

    Attributes:
        theta: all weights, shape (P,).
        grad: all gradients, shape (P,).
        grads: name -> window into `grad`, shaped like the weight of that name.

    Raises:
        ValueError: no names, or a dtype other than float32 and float64.

    Example:
        >>> params = Parameters.from_arrays({"W1": np.ones((2, 3)), "b1": np.zeros(3)})
        >>> params["W1"][0, 0] = 5.0
        >>> params.theta
        array([5., 1., 1., 1., 1., 1., 0., 0., 0.])
    """

    def __init__(self, shapes: Mapping[str, tuple[int, ...]], dtype: npt.DTypeLike = np.float32) -> None:
        if not shapes:
            raise ValueError("Parameters got no names; give at least one, as in {'W1': (64, 10)}.")
        self._shapes = {name: tuple(shape) for name, shape in shapes.items()}
        size = sum(prod(shape) for shape in self._shapes.values())
        dtype = checked_dtype(dtype)
        self._window(aligned_zeros((size,), dtype), aligned_zeros((size,), dtype))

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, npt.ArrayLike], dtype: npt.DTypeLike | None = None) -> Self:
        """Copy named arrays into a new flat vector.

        Args:
            arrays: name -> array of any shape.
            dtype: float32 or float64; when not given, what the arrays have (whole numbers become float64).
        """
        found = {name: np.asarray(array) for name, array in arrays.items()}
        if found and dtype is None:
            common = np.result_type(*found.values())
            dtype = np.float64 if common.kind in "iu" else common
        params = cls({name: array.shape for name, array in found.items()}, np.float64 if dtype is None else dtype)
        for name, array in found.items():
            params[name] = array
        return params

    def _window(self, theta: Array, grad: Array) -> None:
        self._theta, self._grad = theta, grad
        self._weights: dict[str, Array] = {}
        slopes: dict[str, Array] = {}
        start = 0
        for name, shape in self._shapes.items():
            end = start + prod(shape)
            self._weights[name] = theta[start:end].reshape(shape)
            slopes[name] = grad[start:end].reshape(shape)
            start = end
        self.grads = MappingProxyType(slopes)

    @property
    def theta(self) -> Array:
        return self._theta

    @theta.setter
    def theta(self, values: npt.ArrayLike) -> None:
        write(self._theta, values, "theta")

    @property
    def grad(self) -> Array:
        return self._grad

    @grad.setter
    def grad(self, values: npt.ArrayLike) -> None:
        write(self._grad, values, "grad")

    @property
    def dtype(self) -> np.dtype[Any]:
        return self._theta.dtype

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self._shapes)

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        return dict(self._shapes)

    @property
    def size(self) -> int:
        """How many numbers there are to learn."""
        return self._theta.size

    def zero_grad(self) -> None:
        """Set every gradient to zero."""
        self._grad.fill(0.0)

    def copy(self) -> Self:
        """An independent copy, weights and gradients."""
        new = type(self)(self._shapes, self.dtype)
        new.theta, new.grad = self._theta, self._grad
        return new

    def state_dict(self) -> dict[str, Array]:
        """Name -> copy of the weights, to be kept or saved (`np.savez(file, **state)`)."""
        return {name: weights.copy() for name, weights in self._weights.items()}

    def load_state_dict(self, state: Mapping[str, npt.ArrayLike]) -> None:
        """Take over weights kept by `state_dict`.

        Raises:
            ValueError: a name is missing or unknown, or a shape differs. Nothing is changed then.
        """
        check_keys("load_state_dict", self._shapes, state)
        for name, values in state.items():
            check_shape(f"load_state_dict: {name}", np.shape(values), self._shapes[name])
        for name, values in state.items():
            self[name] = values

    def where(self, position: int) -> tuple[str, tuple[int, ...]]:
        """Name and index of the number at `position` of the flat vector.

        Raises:
            IndexError: the position is outside the vector.
        """
        if not 0 <= position < self.size:
            raise IndexError(f"position {position} is outside the vector; it has positions 0 to {self.size - 1}.")
        for name, shape in self._shapes.items():
            if position < prod(shape):
                return name, tuple(int(i) for i in np.unravel_index(position, shape))
            position -= prod(shape)
        raise AssertionError("the windows cover the whole vector")

    def __getitem__(self, name: str) -> Array:
        try:
            return self._weights[name]
        except KeyError:
            raise KeyError(f"there is no parameter {name!r}; there are {', '.join(self.names)}") from None

    def __setitem__(self, name: str, values: npt.ArrayLike) -> None:
        write(self[name], values, name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._weights)

    def __len__(self) -> int:
        return len(self._weights)

    # A mapping compares its values with ==, which arrays do not answer with one truth: compare by identity.
    def __eq__(self, other: object) -> bool:
        return self is other

    __hash__ = object.__hash__

    # Views lose their vector when they are copied or pickled one by one, so only the vectors travel.
    def __getstate__(self) -> dict[str, Any]:
        return {"shapes": self._shapes, "theta": self._theta, "grad": self._grad}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self._shapes = dict(state["shapes"])
        self._window(aligned_zeros_like(state["theta"]), aligned_zeros_like(state["grad"]))
        self.theta, self.grad = state["theta"], state["grad"]

    def __repr__(self) -> str:
        lines = [f"Parameters: {self.size:,} numbers, {self.dtype}"]
        lines += [f"  {name:<8} {' x '.join(map(str, shape)) or 'one number'}" for name, shape in self._shapes.items()]
        return "\n".join(lines)


def checked_dtype(dtype: npt.DTypeLike) -> np.dtype[Any]:
    """`dtype` itself when it is float32 or float64."""
    found = np.dtype(dtype)
    if found not in (np.dtype(np.float32), np.dtype(np.float64)):
        raise ValueError(f"dtype is {found}; use np.float32 (fast) or np.float64 (for gradient checks).")
    return found


def is_floats(array: Any) -> bool:
    """Whether this is a NumPy array of float32 or float64. Asked at every step of training, so it is quick."""
    return isinstance(array, np.ndarray) and array.dtype.char in "fd"


def check_floats(array: Array, what: str) -> None:
    """Raise a TypeError unless `array` is a NumPy array of float32 or float64; `what` names it in the sentence."""
    if is_floats(array):
        return
    if not isinstance(array, np.ndarray):
        raise TypeError(f"{what} is a {type(array).__name__}; it must be an array, as in np.array(..., np.float32).")
    raise TypeError(f"{what} has dtype {array.dtype}; it must be float32 or float64, as in x.astype(np.float32).")


def check_keys(what: str, expected: Mapping[str, Any], received: Mapping[str, Any]) -> None:
    """Raise a ValueError when the two do not have the same keys."""
    missing = [name for name in expected if name not in received]
    unknown = [name for name in received if name not in expected]
    if missing or unknown:
        parts = [
            f"{word} {', '.join(map(repr, names))}"
            for word, names in (("misses", missing), ("does not know", unknown))
            if names
        ]
        raise ValueError(f"{what} {' and '.join(parts)}; it needs exactly {', '.join(map(repr, expected))}.")


def check_shape(what: str, received: tuple[int, ...], expected: tuple[int, ...]) -> None:
    """Raise a ValueError when the two shapes differ."""
    if received != expected:
        raise ValueError(f"{what} has shape {received}; it needs {expected}.")


def write(target: Array, values: npt.ArrayLike, name: str) -> None:
    """Copy `values` into `target`, which must have the same shape; no silent broadcasting."""
    if values is target:  # what `params.theta -= step` ends with
        return
    check_shape(name, np.shape(values), target.shape)
    target[...] = np.asarray(values)
