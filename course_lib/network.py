"""Layers in a row, over one flat vector of weights."""

from collections.abc import Mapping, Sequence
from copy import copy, deepcopy
from itertools import pairwise
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from ._typing import Array, IntArray
from .layers import Layer, Linear, ReLU
from .losses import softmax
from .parameters import Parameters


class Sequential:
    """Layers applied one after the other; `backward` goes through them in reverse.

    The weights of the first layer that has some are named "W1" and "b1", those of the second "W2" and "b2", and so on.

    Args:
        layers: at least one, of which at least one has weights; all weights of one dtype.

    Attributes:
        layers: the list of layers.
        parameters: all weights and gradients in two flat vectors; see `Parameters`.

    Raises:
        ValueError: no layers, or none with weights.
    """

    def __init__(self, layers: Sequence[Layer]) -> None:
        if not any(layer.weights() for layer in layers):
            raise ValueError(f"Sequential got {len(layers)} layers, none with weights; it needs at least one Linear.")
        self.layers = list(layers)
        self.parameters = Parameters.from_arrays(self._named([layer.weights() for layer in self.layers]))
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

    def forward(self, X: npt.ArrayLike) -> Array:
        """Scores for a batch; each layer remembers what `backward` will need.

        Args:
            X: examples, shape (N, D); converted to the network's dtype.

        Returns:
            The output of the last layer, shape (N, C): scores ("logits") for a classifier, before any softmax.
        """
        return self._through(self.layers, X)

    def backward(self, dout: Array) -> None:
        """Write the gradient of the loss with respect to every weight into `parameters.grad`.

        Args:
            dout: gradient with respect to what the last `forward` returned, of its shape.

        The gradients are written, not added to earlier ones. No weight changes: that is the work of an optimizer.
        """
        for layer in self.layers[:0:-1]:
            dout = layer.backward(dout)
        self.layers[0].backward_weights(dout)

    def predict_proba(self, X: npt.ArrayLike) -> Array:
        """Probabilities of the classes, shape (N, C); each row sums to 1."""
        return softmax(self.evaluate(X))

    def predict(self, X: npt.ArrayLike) -> IntArray:
        """The most probable class of each example, shape (N,)."""
        labels: IntArray = self.evaluate(X).argmax(axis=1)
        return labels

    def evaluate(self, X: npt.ArrayLike) -> Array:
        """Scores as `forward` gives them, without touching what `backward` needs."""
        return self._through([copy(layer) for layer in self.layers], X)  # shallow: same weights, their own memory

    def _through(self, layers: Sequence[Layer], X: npt.ArrayLike) -> Array:
        x = np.asarray(X, self.dtype)
        for layer in layers:
            x = layer.forward(x)
        return x

    def copy(self) -> Self:
        """An independent copy: training one leaves the other as it is."""
        return deepcopy(self)

    def state_dict(self) -> dict[str, Array]:
        """Name -> copy of the weights, enough to continue or to predict later."""
        return self.parameters.state_dict()

    def load_state_dict(self, state: Mapping[str, npt.ArrayLike]) -> None:
        """Take over weights kept by `state_dict`; raises ValueError when names or shapes differ."""
        self.parameters.load_state_dict(state)

    # A copied or unpickled layer has arrays of its own; give it the windows again.
    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._bind()

    def __repr__(self) -> str:
        layers = ", ".join(map(repr, self.layers))
        return f"{type(self).__name__}({layers}): {self.parameters.size:,} weights, {self.dtype}"


class MLP(Sequential):
    """A multilayer perceptron: `Linear` layers with an activation between them, none after the last.

    Args:
        sizes: numbers of units from input to output, at least two; [64, 64, 10] has one hidden layer of 64.
        rng: where the first weights are drawn from. The same seed gives the same network in both precisions.
        dtype: `np.float32` (fast) or `np.float64` (for gradient checks).
        activation: the class between the layers: `ReLU`, `Tanh` or `Sigmoid`. Weights start as
            `activation.gain * N(0, 1) / sqrt(n_in)`: He initialisation for ReLU.

    Raises:
        ValueError: fewer than two sizes, one below 1, another dtype.

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
        rng: np.random.Generator,
        dtype: npt.DTypeLike = np.float32,
        activation: type[Layer] = ReLU,
    ) -> None:
        if len(sizes) < 2:
            raise ValueError(f"MLP got sizes={list(sizes)}; it needs at least an input and an output, as in [64, 10].")
        layers: list[Layer] = []
        for n_in, n_out in pairwise(sizes):
            layers += [Linear(n_in, n_out, rng=rng, dtype=dtype, gain=activation.gain), activation()]
        super().__init__(layers[:-1])
