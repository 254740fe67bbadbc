"""Layers: a forward pass that remembers what it needs, and a backward pass that uses it.

A layer's `backward` takes the gradient of the loss with respect to its output, `dout`, and returns the gradient with
respect to its input. A layer with weights also writes *their* gradients. It writes, it does not add up: call `backward`
twice and the second result stands. (PyTorch adds, so there a forgotten `zero_grad` is a bug; here it is only a habit.)

Results are new arrays, unless `out` names the array to write into, as everywhere in NumPy. `Sequential` uses that to
train without making arrays anew at every step.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import sqrt
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import numpy.typing as npt

from ._memory import aligned_zeros
from ._ranges import number, whole
from ._typing import Array
from .parameters import check_floats, checked_dtype, is_floats

if TYPE_CHECKING:  # the name alone: loading numpy.random would be half of what importing this module costs
    from numpy.random import Generator

Initializer = Callable[[int, int, "Generator"], Array]
"""Draws first weights: called as `init(n_in, n_out, rng)`, returns shape (n_in, n_out); see `initializers`."""


class Layer:
    """What every layer offers. A layer without weights needs only `forward` and `backward`.

    `gain` scales the weights of the `Linear` before an activation: it makes up for what the activation takes away.
    """

    gain: ClassVar[float] = 1.0

    def __init__(self) -> None:
        self._kept: dict[str, Array] = {}  # what `forward` leaves for `backward`, and room for work in between

    def forward(self, x: Array, *, training: bool = True, out: Array | None = None) -> Array:
        """The layer's output for a batch.

        Args:
            x: the batch, first axis the examples; float32 or float64; not changed.
            training: whether to act as in training. Only some layers care (`Dropout`, `BatchNorm1d`). PyTorch keeps
                this as a mode of the model, set by `model.train()` and `model.eval()`; here every call says it.
            out: where to write the result, of its shape and dtype, sharing no memory with `x`; a new array otherwise.

        Raises:
            TypeError, ValueError: an input that does not fit.
        """
        raise NotImplementedError

    def backward(self, dout: Array, *, out: Array | None = None) -> Array:
        """The gradient with respect to the input of the last `forward`, from that with respect to its output.

        Args:
            dout: of the shape of the last output; not changed.
            out: where to write the result, of the input's shape, sharing no memory with `dout`; otherwise a new array.

        Raises:
            RuntimeError: there was no `forward` yet.
            TypeError, ValueError: a `dout` that does not fit.
        """
        raise NotImplementedError

    def backward_weights(self, dout: Array) -> None:
        """Only the gradients of the layer's own weights; for a first layer, whose input nobody wants to change."""

    def weights(self) -> dict[str, Array]:
        """Local name -> weights, such as {"W": ..., "b": ...}; empty for a layer that learns nothing."""
        return {}

    def buffers(self) -> dict[str, Array]:
        """Local name -> numbers that are kept from batch to batch but not learned, such as a running mean."""
        return {}

    def generators(self) -> dict[str, Generator]:
        """Local name -> source of chance that the layer draws from in training."""
        return {}

    def bind(self, weights: Mapping[str, Array], grads: Mapping[str, Array]) -> None:
        """Work from now on with these arrays (windows into a network's flat vectors) as weights and gradients."""

    def _remembered(self, name: str) -> Array:
        """What the last `forward` kept under this name, or a sentence when there was none."""
        try:
            return self._kept[name]
        except KeyError:
            raise RuntimeError(
                f"{type(self).__name__}.backward needs a forward pass first; call forward(x) before backward(dout)."
            ) from None

    def _room(self, name: str, shape: tuple[int, ...], dtype: npt.DTypeLike) -> Array:
        """An array to work in, zeros at first, the same from call to call while the shape stays."""
        room = self._kept.get(name)
        if room is None or room.shape != shape or room.dtype != dtype:
            room = self._kept[name] = aligned_zeros(shape, dtype)
        return room

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_kept": {}}  # copies and pickles carry the layer, not its last batch

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


class CheckedLayer(Layer):
    """A layer that looks at what it is given, and then computes in `_forward`, `_backward` and `_backward_weights`.

    A network calls these three themselves once a batch of the same shape has passed every check: to look anew at every
    layer would take a thirtieth of a small network's step. A subclass with other arithmetic overrides them.
    """

    def forward(self, x: Array, *, training: bool = True, out: Array | None = None) -> Array:
        return self._forward(self._fitting_input(x), training, out)

    def backward(self, dout: Array, *, out: Array | None = None) -> Array:
        return self._backward(self._fitting_gradient(dout), out)

    def backward_weights(self, dout: Array) -> None:
        self._backward_weights(self._fitting_gradient(dout))

    def _fitting_input(self, x: Array) -> Array:
        """The input, once it is known to fit."""
        check_batch(x, type(self).__name__)
        return x

    def _fitting_gradient(self, dout: Array) -> Array:
        """The gradient, once it is known to fit the last output."""
        check_dout(dout, self._output_shape(), type(self).__name__)
        return dout

    def _output_shape(self) -> tuple[int, ...]:
        """The shape of the last output, or a sentence when there was none."""
        raise NotImplementedError

    def _forward(self, x: Array, training: bool, out: Array | None) -> Array:
        raise NotImplementedError

    def _backward(self, dout: Array, out: Array | None) -> Array:
        raise NotImplementedError

    def _backward_weights(self, dout: Array) -> None:
        pass


class Linear(CheckedLayer):
    """`y = x @ W + b`: every output is a weighted sum of all inputs.

    Weights start as `gain * N(0, 1) / sqrt(n_in)`, biases at zero. With gain sqrt(2) that is He initialisation, which
    keeps the size of signals through ReLU layers (He et al. 2015, Delving Deep into Rectifiers, equation 10).

    `W` has shape (n_in, n_out), so the formula reads as written. PyTorch stores the transpose, (n_out, n_in), and
    computes `x @ W.T + b`: its weights are `W.T` of these.

    Args:
        n_in, n_out: how many numbers go in and come out, at least 1.
        rng: where the first weights are drawn from.
        dtype: `np.float32` or `np.float64`.
        gain: scale of the first weights, at least 0; unused with `init`.
        init: draws the first weights instead; one of `initializers`, or a function of yours like them.

    Raises:
        TypeError: an `rng` that is not a `numpy.random.Generator`, or sizes and a gain that are not numbers.
        ValueError: sizes below 1, a negative gain, another dtype, or an `init` whose weights do not fit.
    """

    def __init__(
        self,
        n_in: int,
        n_out: int,
        *,
        rng: Generator,
        dtype: npt.DTypeLike = np.float32,
        gain: float = sqrt(2.0),
        init: Initializer | None = None,
    ) -> None:
        super().__init__()
        n_in, n_out = whole("Linear", "n_in", n_in, at_least=1), whole("Linear", "n_out", n_out, at_least=1)
        gain = number("Linear", "gain", gain, at_least=0)
        check_generator(rng, "Linear")
        dtype = checked_dtype(dtype)
        # Drawn in float64 and rounded, so that one seed gives one network in both precisions.
        W = rng.standard_normal((n_in, n_out)) * (gain / sqrt(n_in)) if init is None else init(n_in, n_out, rng)
        if np.shape(W) != (n_in, n_out):
            raise ValueError(f"Linear got weights of shape {np.shape(W)} from init; it needs ({n_in}, {n_out}).")
        self.W: Array = np.array(W, dtype)
        self.b: Array = np.zeros(n_out, dtype)
        self.dW: Array = np.zeros_like(self.W)
        self.db: Array = np.zeros_like(self.b)

    def _fitting_input(self, x: Array) -> Array:
        check_batch(x, type(self).__name__, len(self.W))
        return x.astype(self.W.dtype, copy=False)  # the precision of the weights is that in which the layer computes

    def _fitting_gradient(self, dout: Array) -> Array:
        return super()._fitting_gradient(dout).astype(self.W.dtype, copy=False)

    def _output_shape(self) -> tuple[int, ...]:
        return len(self._remembered("x")), len(self.b)

    def _forward(self, x: Array, training: bool, out: Array | None) -> Array:
        self._kept["x"] = x
        out = np.dot(x, self.W, out=out)  # for two matrices the same as x @ W, and sooner begun
        out += self.b
        return out

    def _backward(self, dout: Array, out: Array | None) -> Array:
        self._backward_weights(dout)
        return np.dot(dout, self.W.T, out=out)

    def _backward_weights(self, dout: Array) -> None:
        x = self._kept["x"]
        np.dot(x.T, dout, out=self.dW)
        # The sum over the batch as a product with ones, which takes a third of the time of np.sum(dout, axis=0).
        np.dot(self._ones(len(x)), dout, out=self.db)

    def _ones(self, n: int) -> Array:
        ones = self._kept.get("ones")
        if ones is None or len(ones) != n:
            ones = self._kept["ones"] = np.ones(n, self.b.dtype)
        return ones

    def weights(self) -> dict[str, Array]:
        return {"W": self.W, "b": self.b}

    def bind(self, weights: Mapping[str, Array], grads: Mapping[str, Array]) -> None:
        self.W, self.b = weights["W"], weights["b"]
        self.dW, self.db = grads["W"], grads["b"]

    def __repr__(self) -> str:
        return f"Linear({len(self.W)}, {len(self.b)})"


class Activation(CheckedLayer):
    """A function applied to each number by itself; remembers its output "y", from which the slope follows."""

    def _output_shape(self) -> tuple[int, ...]:
        return self._remembered("y").shape


class ReLU(Activation):
    """`max(x, 0)`. The slope is 1 where x > 0 and 0 elsewhere; at 0 itself it is 0, as in PyTorch."""

    gain = sqrt(2.0)

    def _forward(self, x: Array, training: bool, out: Array | None) -> Array:
        # Room that nobody writes to stays zero, and NumPy compares two arrays faster than an array and a number.
        self._kept["y"] = out = np.maximum(x, self._room("zeros", x.shape, x.dtype), out=out)
        return out

    def _backward(self, dout: Array, out: Array | None) -> Array:
        y = self._kept["y"]
        # dx = dout * (x > 0), and the output is positive exactly where the input is
        dx = np.greater(y, 0.0, out=np.empty_like(dout) if out is None else out)
        dx *= dout
        return dx


class Tanh(Activation):
    """`tanh(x)`, between -1 and 1. The slope is `1 - tanh(x)**2`."""

    def _forward(self, x: Array, training: bool, out: Array | None) -> Array:
        self._kept["y"] = out = np.tanh(x, out=out)
        return out

    def _backward(self, dout: Array, out: Array | None) -> Array:
        y = self._kept["y"]
        # dx = dout * (1 - y*y)
        dx = np.multiply(y, y, out=out)
        np.subtract(1.0, dx, out=dx)
        dx *= dout
        return dx


class Sigmoid(Activation):
    """`1 / (1 + exp(-x))`, between 0 and 1. The slope is `s * (1 - s)`, at most a quarter."""

    def _forward(self, x: Array, training: bool, out: Array | None) -> Array:
        # exp of a negative number only, which cannot overflow: s(x) = e / (1 + e) with e = exp(x) when x < 0,
        # and 1 / (1 + e) with e = exp(-x) otherwise.
        below = np.abs(x, out=self._room("below", x.shape, x.dtype))
        np.negative(below, out=below)
        np.exp(below, out=below)
        below += 1.0
        out = np.minimum(x, 0.0, out=out)
        np.exp(out, out=out)
        out /= below
        self._kept["y"] = out
        return out

    def _backward(self, dout: Array, out: Array | None) -> Array:
        y = self._kept["y"]
        # dx = dout * y * (1 - y)
        dx = np.subtract(1.0, y, out=out)
        dx *= y
        dx *= dout
        return dx


def check_batch(x: Array, name: str, columns: int | None = None) -> None:
    """Raise unless `x` is an array of floats with at least one example, and (N, columns) where columns are given."""
    if is_floats(x) and x.size and (columns is None or (x.ndim == 2 and x.shape[1] == columns)):
        return
    check_floats(x, f"{name}.forward: the input")
    if columns is not None and (x.ndim != 2 or x.shape[1] != columns):
        raise ValueError(f"{name} got an input of shape {x.shape}; it needs (N, {columns}), examples first.")
    raise ValueError(f"{name} got an input of shape {x.shape}: an empty batch; it needs at least one example.")


def check_dout(dout: Array, shape: tuple[int, ...], name: str) -> None:
    """Raise unless `dout` is an array of floats of the shape of the layer's last output."""
    if is_floats(dout) and dout.shape == shape:
        return
    check_floats(dout, f"{name}.backward: dout")
    raise ValueError(f"{name}.backward got dout of shape {dout.shape}; the last output had shape {shape}.")


def check_generator(rng: Generator, name: str) -> None:
    """Raise a TypeError unless `rng` is a `numpy.random.Generator`."""
    if not isinstance(rng, np.random.Generator):
        raise TypeError(f"{name} got rng={rng!r}; it must be a Generator, as in rng=np.random.default_rng(0).")
