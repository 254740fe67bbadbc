"""Layers: a forward pass that remembers what it needs, and a backward pass that uses it.

A layer's `backward` takes the gradient of the loss with respect to its output, `dout`, and returns the gradient with
respect to its input. A layer with weights also writes *their* gradients. It writes, it does not add up: call `backward`
twice and the second result stands. (PyTorch adds, so there a forgotten `zero_grad` is a bug; here it is only a habit.)
"""

from collections.abc import Mapping
from math import sqrt
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from ._typing import Array
from .parameters import checked_dtype


class Layer:
    """What every layer offers. A layer without weights needs only `forward` and `backward`.

    `gain` scales the weights of the `Linear` before an activation: it makes up for what the activation takes away.
    """

    gain: ClassVar[float] = 1.0

    def forward(self, x: Array) -> Array:
        """The layer's output for a batch, first axis the examples."""
        raise NotImplementedError

    def backward(self, dout: Array) -> Array:
        """The gradient with respect to the input of the last `forward`, from that with respect to its output."""
        raise NotImplementedError

    def backward_weights(self, dout: Array) -> None:
        """Only the gradients of the layer's own weights; for a first layer, whose input nobody wants to change."""

    def weights(self) -> dict[str, Array]:
        """Local name -> weights, such as {"W": ..., "b": ...}; empty for a layer that learns nothing."""
        return {}

    def bind(self, weights: Mapping[str, Array], grads: Mapping[str, Array]) -> None:
        """Work from now on with these arrays (windows into a network's flat vectors) as weights and gradients."""


class Linear(Layer):
    """`y = x @ W + b`: every output is a weighted sum of all inputs.

    Weights start as `gain * N(0, 1) / sqrt(n_in)`, biases at zero. With gain sqrt(2) that is He initialisation, which
    keeps the size of signals through ReLU layers (He et al. 2015, Delving Deep into Rectifiers, equation 10).

    `W` has shape (n_in, n_out), so the formula reads as written. PyTorch stores the transpose, (n_out, n_in), and
    computes `x @ W.T + b`: its weights are `W.T` of these.

    Args:
        n_in, n_out: how many numbers go in and come out, at least 1.
        rng: where the first weights are drawn from.
        dtype: `np.float32` or `np.float64`.
        gain: scale of the first weights, at least 0.

    Raises:
        ValueError: sizes below 1, a negative gain, another dtype.
    """

    def __init__(
        self,
        n_in: int,
        n_out: int,
        *,
        rng: np.random.Generator,
        dtype: npt.DTypeLike = np.float32,
        gain: float = sqrt(2.0),
    ) -> None:
        if n_in < 1 or n_out < 1:
            raise ValueError(f"Linear got n_in={n_in}, n_out={n_out}; both must be at least 1.")
        if not gain >= 0:
            raise ValueError(f"Linear got gain={gain}; it must be at least 0 (sqrt(2) before ReLU, 1 before tanh).")
        dtype = checked_dtype(dtype)
        # Drawn in float64 and rounded, so that one seed gives one network in both precisions.
        self.W: Array = (rng.standard_normal((n_in, n_out)) * (gain / sqrt(n_in))).astype(dtype)
        self.b: Array = np.zeros(n_out, dtype)
        self.dW: Array = np.zeros_like(self.W)
        self.db: Array = np.zeros_like(self.b)
        self._x: Array | None = None

    def forward(self, x: Array) -> Array:
        if x.ndim != 2 or x.shape[1] != len(self.W):
            raise ValueError(f"Linear got an input of shape {x.shape}; it needs (N, {len(self.W)}), examples first.")
        self._x = x
        out: Array = x @ self.W
        out += self.b
        return out

    def backward(self, dout: Array) -> Array:
        self.backward_weights(dout)
        dx: Array = dout @ self.W.T
        return dx

    def backward_weights(self, dout: Array) -> None:
        x = remembered(self._x, "Linear")
        check_dout(dout, (len(x), len(self.b)), "Linear")
        np.matmul(x.T, dout, out=self.dW)
        np.sum(dout, axis=0, out=self.db)

    def weights(self) -> dict[str, Array]:
        return {"W": self.W, "b": self.b}

    def bind(self, weights: Mapping[str, Array], grads: Mapping[str, Array]) -> None:
        self.W, self.b = weights["W"], weights["b"]
        self.dW, self.db = grads["W"], grads["b"]

    def __repr__(self) -> str:
        return f"Linear({len(self.W)}, {len(self.b)})"


class Activation(Layer):
    """A function applied to each number by itself; remembers one array, from which the slope follows."""

    def __init__(self) -> None:
        self._kept: Array | None = None

    def _slope_from(self, dout: Array) -> Array:
        """The remembered array, once `dout` is known to fit it."""
        kept = remembered(self._kept, type(self).__name__)
        check_dout(dout, kept.shape, type(self).__name__)
        return kept

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


class ReLU(Activation):
    """`max(x, 0)`. The slope is 1 where x > 0 and 0 elsewhere; at 0 itself it is 0, as in PyTorch."""

    gain = sqrt(2.0)

    def forward(self, x: Array) -> Array:
        self._kept = np.maximum(x, 0.0)  # the output is positive exactly where the input is
        return self._kept

    def backward(self, dout: Array) -> Array:
        out = self._slope_from(dout)
        return dout * (out > 0)


class Tanh(Activation):
    """`tanh(x)`, between -1 and 1. The slope is `1 - tanh(x)**2`."""

    def forward(self, x: Array) -> Array:
        self._kept = np.tanh(x)
        return self._kept

    def backward(self, dout: Array) -> Array:
        out = self._slope_from(dout)
        return dout * (1.0 - out * out)


class Sigmoid(Activation):
    """`1 / (1 + exp(-x))`, between 0 and 1. The slope is `s * (1 - s)`, at most a quarter."""

    def forward(self, x: Array) -> Array:
        # exp of a negative number only, which cannot overflow: s(x) = e / (1 + e) with e = exp(x) when x < 0.
        e = np.exp(-np.abs(x))
        self._kept = np.where(x >= 0, 1.0, e) / (1.0 + e)
        return self._kept

    def backward(self, dout: Array) -> Array:
        out = self._slope_from(dout)
        return dout * out * (1.0 - out)


def remembered(kept: Array | None, name: str) -> Array:
    """What `forward` kept, or a sentence when it has not run."""
    if kept is None:
        raise RuntimeError(f"{name}.backward needs a forward pass first; call forward(x) before backward(dout).")
    return kept


def check_dout(dout: Array, shape: tuple[int, ...], name: str) -> None:
    """Raise a ValueError unless `dout` has the shape of the layer's last output."""
    if dout.shape != shape:
        raise ValueError(f"{name}.backward got dout of shape {dout.shape}; the last output had shape {shape}.")
