"""Layers in a row, over one flat vector of weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import copy, deepcopy
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Self, TypeGuard

import numpy as np
import numpy.typing as npt

from ._memory import aligned_zeros_like
from ._ranges import number
from ._typing import Array, IntArray
from .batchnorm import BatchNorm1d
from .dropout import Dropout
from .layers import CheckedLayer, Initializer, Layer, Linear, ReLU
from .losses import softmax
from .parameters import Parameters, check_keys, check_shape

if TYPE_CHECKING:
    from numpy.random import Generator

SHAPES_KEPT = 4
"""For how many shapes of batch a network keeps its arrays: training batches, a shorter last one, and some to spare."""


class _Workspace:
    """Where the layers of a network write for one shape of batch: as many slots as layers, filled by the first pass.

    Attributes:
        outs, douts: what each layer writes its output, and the gradient with respect to its input, into.
        shape: of the network's output, once a batch has passed every check on its way there.
        back: whether a gradient has passed every check on its way back, too.
    """

    def __init__(self, layers: int) -> None:
        self.outs: list[Array | None] = [None] * layers
        self.douts: list[Array | None] = [None] * layers
        self.shape: tuple[int, ...] | None = None
        self.back = False


def _is_the_course_s(layer: Layer) -> TypeGuard[CheckedLayer]:
    """Whether all that the layer's passes do beside checking is done by `_forward` and its two companions."""
    passes = ("forward", "backward", "backward_weights")
    return all(getattr(type(layer), name) is getattr(CheckedLayer, name) for name in passes)


class Sequential:
    """Layers applied one after the other; `backward` goes through them in reverse.

    The weights of the first layer that has some are named "W1" and "b1", those of the second "W2" and "b2", and so on.

    Arrays between the layers are made once for each shape of batch and then written over, so a training step makes
    nothing anew but its result. What `forward` returns is yours and never changes later.

    Args:
        layers: at least one, of which at least one has weights; all weights of one dtype; no layer twice.

    Attributes:
        layers: the list of layers.
        parameters: all weights and gradients in two flat vectors; see `Parameters`.

    Raises:
        TypeError: something that is not a `Layer`.
        ValueError: no layers, none with weights, one layer twice, or weights of different dtypes.
    """

    def __init__(self, layers: Sequence[Layer]) -> None:
        self.layers = list(layers)
        for layer in self.layers:
            if not isinstance(layer, Layer):
                raise TypeError(f"Sequential got {layer!r} among its layers; each must be a Layer, as in ReLU().")
        if not any(layer.weights() for layer in self.layers):
            raise ValueError(f"Sequential got {len(layers)} layers, none with weights; it needs at least one Linear.")
        if len({id(layer) for layer in self.layers}) < len(self.layers):
            raise ValueError("Sequential got one layer twice; a layer remembers one batch, so make one for each place.")
        weights = self._named([layer.weights() for layer in self.layers])
        dtypes = sorted({str(array.dtype) for array in weights.values()})
        if len(dtypes) > 1:
            raise ValueError(
                f"Sequential got weights of dtypes {' and '.join(dtypes)}; make all layers with one dtype."
            )
        self.parameters = Parameters.from_arrays(weights)
        self._bind()

    @staticmethod
    def _named(local: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """{"W": ..., "b": ...} of each layer, numbered: the k-th layer to have a "W" has "Wk"."""
        named: dict[str, Any] = {}
        counts: dict[str, int] = {}
        for entries in local:
            for name, value in entries.items():
                counts[name] = counts.get(name, 0) + 1
                named[f"{name}{counts[name]}"] = value
        return named

    def _bind(self) -> None:
        """Let every layer's weights and gradients be windows into the flat vectors."""
        self._workspaces: dict[tuple[int, ...], _Workspace] = {}
        self._current: _Workspace | None = None
        # Layers whose checks need no repeating for a shape of batch: all, or none where one is somebody's own.
        self._bare = [layer for layer in self.layers if _is_the_course_s(layer)]
        if len(self._bare) < len(self.layers):
            self._bare = []
        owners = self._named([{name: (layer, name) for name in layer.weights()} for layer in self.layers])
        for layer in self.layers:
            mine = {local: name for name, (owner, local) in owners.items() if owner is layer}
            layer.bind(
                {local: self.parameters[name] for local, name in mine.items()},
                {local: self.parameters.grads[name] for local, name in mine.items()},
            )

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.parameters.dtype

    def forward(self, X: npt.ArrayLike, training: bool = True) -> Array:
        """Scores for a batch; each layer remembers what `backward` will need.

        Args:
            X: examples, shape (N, D); converted to the network's dtype.
            training: True for dropout's masks and the batch's own statistics in batch normalisation; False for
                predictions. PyTorch keeps this as a mode: `model.train()`, `model.eval()`.

        Returns:
            The output of the last layer, shape (N, C): scores ("logits") for a classifier, before any softmax.

        Raises:
            TypeError, ValueError: examples that are not real numbers, or of a shape that does not fit.
        """
        x = self._examples(X)
        self._current = work = self._workspace(x.shape)
        if work.shape and self._bare:
            for bare, out in zip(self._bare, work.outs, strict=True):
                x = bare._forward(x, training, out)
            return x
        for i, (layer, out) in enumerate(zip(self.layers, work.outs, strict=True)):
            x = layer.forward(x, training=training, out=out)
            if out is None and i < len(work.outs) - 1:
                work.outs[i] = work.outs[i - 1] if self._may_write_over(i) else aligned_zeros_like(x)
        work.shape = x.shape
        return x

    def _may_write_over(self, i: int) -> bool:
        """Whether layer i may write its output over its input: nobody needs what a Linear gave once a ReLU has it."""
        return i > 0 and type(self.layers[i]) is ReLU and type(self.layers[i - 1]) in (Linear, BatchNorm1d)

    def backward(self, dout: Array) -> None:
        """Write the gradient of the loss with respect to every weight into `parameters.grad`.

        Args:
            dout: gradient with respect to what the last `forward` returned, of its shape; not changed.

        The gradients are written, not added to earlier ones. No weight changes: that is the work of an optimizer.

        Raises:
            RuntimeError: there was no `forward` yet.
            TypeError, ValueError: a `dout` that does not fit.
        """
        if self._current is None:
            raise RuntimeError(
                "backward needs a forward pass first; call model.forward(X) before model.backward(dout)."
            )
        work = self._current
        fits = isinstance(dout, np.ndarray) and dout.dtype == self.dtype and dout.shape == work.shape
        if fits and work.back and self._bare:
            for bare, out in zip(self._bare[:0:-1], work.douts[:0:-1], strict=True):
                dout = bare._backward(dout, out)
            self._bare[0]._backward_weights(dout)
            return
        for i in range(len(self.layers) - 1, 0, -1):
            dout = self.layers[i].backward(dout, out=work.douts[i])
            if work.douts[i] is None:
                work.douts[i] = aligned_zeros_like(dout)
        self.layers[0].backward_weights(dout)
        work.back = True

    def predict_proba(self, X: npt.ArrayLike) -> Array:
        """Probabilities of the classes, shape (N, C); each row sums to 1."""
        return softmax(self.evaluate(X))

    def predict(self, X: npt.ArrayLike) -> IntArray:
        """The most probable class of each example, shape (N,)."""
        labels: IntArray = self.evaluate(X).argmax(axis=1)
        return labels

    def evaluate(self, X: npt.ArrayLike) -> Array:
        """Scores in evaluation mode, without touching what `backward` needs."""
        x = self._examples(X)
        for layer in self.layers:
            x = copy(layer).forward(x, training=False)  # a shallow copy: the same weights, its own memory
        return x

    def activations(self, X: npt.ArrayLike, training: bool = False) -> dict[str, Array]:
        """What every layer makes of a batch: {"1 Linear": ..., "2 ReLU": ..., ...}, new arrays.

        Nothing of the network changes: neither random state, nor running statistics, nor what `backward` needs. With
        `training=True` dropout's masks are those that the next training pass will draw.
        """
        x = self._examples(X)
        outputs = {}
        for place, layer in enumerate(deepcopy(self.layers), start=1):
            outputs[f"{place} {type(layer).__name__}"] = x = layer.forward(x, training=training)
        return outputs

    def _examples(self, X: npt.ArrayLike) -> Array:
        if isinstance(X, np.ndarray) and X.dtype == self.parameters.theta.dtype and X.ndim >= 2 and X.size:
            return X  # as it is at every step of training
        found = np.asarray(X)
        if found.dtype.kind not in "fiub":
            raise TypeError(f"X has dtype {found.dtype}; examples must be real numbers, as in X.astype(np.float32).")
        if found.ndim < 2 or found.size == 0:
            raise ValueError(f"X has shape {found.shape}; it needs (N, D): N examples, at least one, of D numbers.")
        return found.astype(self.dtype, copy=False)

    def _workspace(self, shape: tuple[int, ...]) -> _Workspace:
        """The arrays for batches of this shape; those made longest ago give way."""
        if shape not in self._workspaces:
            if len(self._workspaces) == SHAPES_KEPT:
                del self._workspaces[next(iter(self._workspaces))]
            self._workspaces[shape] = _Workspace(len(self.layers))
        return self._workspaces[shape]

    def copy(self) -> Self:
        """An independent copy: training one leaves the other as it is."""
        return deepcopy(self)

    def state_dict(self) -> dict[str, Any]:
        """Copies of all that a network is, enough to go on training to the bit, or to predict later.

        Weights ("W1", ...) and what batch normalisation keeps ("running_mean1", ...) are arrays; the state of dropout's
        generators ("dropout1", ...) is a dict of plain numbers and texts, fit for JSON.
        """
        state: dict[str, Any] = self.parameters.state_dict()
        state |= {name: buffer.copy() for name, buffer in self._buffers().items()}
        return state | {name: _plain(rng.bit_generator.state) for name, rng in self._generators().items()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over a state kept by `state_dict`.

        A generator that several layers share, or that others draw from too, takes over its state with them.

        Raises:
            ValueError: a name is missing or unknown, or something does not fit. Nothing is changed then.
        """
        arrays, generators = {**self.parameters, **self._buffers()}, self._generators()
        check_keys("load_state_dict", {**arrays, **generators}, state)
        found = {name: _real(f"load_state_dict: {name}", state[name], array) for name, array in arrays.items()}
        for name, rng in generators.items():
            try:
                deepcopy(rng.bit_generator).state = state[name]
            except (TypeError, ValueError, KeyError, OverflowError) as error:
                raise ValueError(
                    f"load_state_dict: {name} is not the state of a {type(rng.bit_generator).__name__}: {error}"
                ) from None
        for name, array in arrays.items():
            array[...] = found[name]
        for name, rng in generators.items():
            rng.bit_generator.state = state[name]

    def _buffers(self) -> dict[str, Array]:
        return self._named([layer.buffers() for layer in self.layers])

    def _generators(self) -> dict[str, Generator]:
        return self._named([layer.generators() for layer in self.layers])

    # A copied or unpickled layer has arrays of its own; give it the windows again, and let it make its workspaces.
    def __getstate__(self) -> dict[str, Any]:
        return {
            name: value for name, value in self.__dict__.items() if name not in ("_workspaces", "_current", "_bare")
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._bind()

    def __repr__(self) -> str:
        layers = ", ".join(map(repr, self.layers))
        return f"{type(self).__name__}({layers}): {self.parameters.size:,} weights, {self.dtype}"


class MLP(Sequential):
    """A multilayer perceptron: `Linear` layers with an activation between them, none after the last.

    Between two `Linear` layers stand, in this order, `BatchNorm1d` when asked for, the activation, and `Dropout` when
    asked for. Batch normalisation comes before the activation, as in its paper: it can then choose by its learned shift
    how much of a signal a ReLU cuts away. Dropout comes last, so that its zeros are what the next layer sees and do not
    enter the batch's mean and variance.

    Args:
        sizes: numbers of units from input to output, at least two; [64, 64, 10] has one hidden layer of 64.
        rng: where the first weights are drawn from, and then dropout's masks. The same seed gives the same network in
            both precisions.
        dtype: `np.float32` (fast) or `np.float64` (for gradient checks).
        activation: the class between the layers: `ReLU`, `Tanh` or `Sigmoid`. Weights start as
            `activation.gain * N(0, 1) / sqrt(n_in)`: He initialisation for ReLU.
        init: draws the first weights instead; one of `initializers`, or your own `init(n_in, n_out, rng)`.
        batch_norm: whether to normalise before each activation. (The biases there have nothing left to do: the mean
            that is subtracted contains them.)
        dropout: probability of dropping a hidden unit, at least 0 and below 1.

    Raises:
        TypeError: an `rng` that is not a `numpy.random.Generator`.
        ValueError: fewer than two sizes, one below 1, another dtype, or dropout outside [0, 1).

    Example:
        >>> model = MLP([64, 32, 10], rng=np.random.default_rng(0))
        >>> model.parameters.names
        ('W1', 'b1', 'W2', 'b2')
        >>> model.forward(np.zeros((5, 64))).shape
        (5, 10)
    """

    def __init__(
        self,
        sizes: Sequence[int],
        *,
        rng: Generator,
        dtype: npt.DTypeLike = np.float32,
        activation: type[Layer] = ReLU,
        init: Initializer | None = None,
        batch_norm: bool = False,
        dropout: float = 0.0,
    ) -> None:
        if len(sizes) < 2:
            raise ValueError(f"MLP got sizes={list(sizes)}; it needs at least an input and an output, as in [64, 10].")
        dropout = number("MLP", "dropout", dropout, at_least=0, below=1)
        *hidden, (n_in, n_out) = pairwise(sizes)
        linear = partial(Linear, rng=rng, dtype=dtype, gain=activation.gain, init=init)
        layers: list[Layer] = []
        for before, after in hidden:
            layers.append(linear(before, after))
            if batch_norm:
                layers.append(BatchNorm1d(after, dtype=dtype))
            layers.append(activation())
            if dropout:
                layers.append(Dropout(dropout, rng))
        super().__init__([*layers, linear(n_in, n_out)])


def _plain(state: Any) -> Any:
    """A generator's state with lists for arrays, so that JSON can hold it."""
    if isinstance(state, Mapping):
        return {key: _plain(value) for key, value in state.items()}
    return state.tolist() if isinstance(state, np.ndarray) else state


def _real(what: str, values: npt.ArrayLike, like: Array) -> Array:
    """`values` as an array of the shape and dtype of `like`."""
    found = np.asarray(values)
    check_shape(what, found.shape, like.shape)
    if found.dtype.kind not in "fiu":
        raise ValueError(f"{what} has dtype {found.dtype}; it must hold real numbers.")
    return found.astype(like.dtype)
