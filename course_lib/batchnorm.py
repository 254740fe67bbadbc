"""Batch normalisation: give every unit the same scale, whatever the layers below do."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from ._ranges import number, whole
from ._typing import Array
from .layers import CheckedLayer, check_batch
from .parameters import checked_dtype


class BatchNorm1d(CheckedLayer):
    """Shift and scale each column to mean 0 and variance 1, then to a mean and a scale that are learned.

        x_hat = (x - mean) / sqrt(var + eps)        y = gamma * x_hat + beta

    In training `mean` and `var` are those of the batch, `var` the biased one (divided by N), and the running values
    follow them: `running = (1 - momentum) * running + momentum * new`, where the new variance is the unbiased one
    (divided by N - 1). In evaluation `mean` and `var` are the running values, so an example's output does not depend on
    its company. `momentum` weights the *new* batch, as in PyTorch; elsewhere it is often the weight of the old value.

    Source: Ioffe and Szegedy 2015, Batch Normalization, algorithms 1 and 2, and the gradients of section 3.

    Args:
        num_features: columns of the input, at least 1.
        eps: added to the variance inside the root, at least 0.
        momentum: weight of the new batch in the running values, from 0 to 1.
        dtype: `np.float32` or `np.float64`.

    Attributes:
        gamma, beta: learned scale and shift, shape (num_features,); ones and zeros at first.
        running_mean, running_var: shape (num_features,); zeros and ones at first.

    Raises:
        TypeError: an argument that is not a number.
        ValueError: a value outside its range; and, from a training pass, a batch of one, which has no variance.
    """

    def __init__(
        self, num_features: int, eps: float = 1e-5, momentum: float = 0.1, *, dtype: npt.DTypeLike = np.float32
    ) -> None:
        super().__init__()
        num_features = whole("BatchNorm1d", "num_features", num_features, at_least=1)
        self.eps = number("BatchNorm1d", "eps", eps, at_least=0)
        self.momentum = number("BatchNorm1d", "momentum", momentum, at_least=0, at_most=1)
        dtype = checked_dtype(dtype)
        self.gamma: Array = np.ones(num_features, dtype)
        self.beta: Array = np.zeros(num_features, dtype)
        self.dgamma, self.dbeta = np.zeros_like(self.gamma), np.zeros_like(self.beta)
        self.running_mean: Array = np.zeros(num_features, dtype)
        self.running_var: Array = np.ones(num_features, dtype)
        self._of_batch = False  # whether the last pass used the statistics of its batch

    def _fitting_input(self, x: Array) -> Array:
        check_batch(x, type(self).__name__, len(self.gamma))
        return x

    def _output_shape(self) -> tuple[int, ...]:
        return self._remembered("x_hat").shape

    def _forward(self, x: Array, training: bool, out: Array | None) -> Array:
        n = len(x)
        if training and n == 1:
            raise ValueError(
                "BatchNorm1d got a training batch of one example, which has no variance; "
                "give it at least 2, or call forward with training=False."
            )
        x_hat = self._room("x_hat", x.shape, x.dtype)
        if training:
            mean = x.mean(axis=0)
            np.subtract(x, mean, out=x_hat)
            var = np.einsum("ij,ij->j", x_hat, x_hat) / n
            self._follow(mean, var * (n / (n - 1)))
        else:
            np.subtract(x, self.running_mean, out=x_hat)
            var = self.running_var
        self._of_batch = training
        self._kept["std"] = std = np.sqrt(var + self.eps)
        x_hat /= std
        out = np.multiply(x_hat, self.gamma, out=out)
        out += self.beta
        return out

    def _follow(self, mean: Array, unbiased_var: Array) -> None:
        for running, new in ((self.running_mean, mean), (self.running_var, unbiased_var)):
            running *= 1 - self.momentum
            running += self.momentum * new

    def _backward(self, dout: Array, out: Array | None) -> Array:
        self._backward_weights(dout)
        if not self._of_batch:
            # The running values are constants: dx = dout * gamma / std
            return np.multiply(dout, self.gamma / self._kept["std"], out=out)
        # Mean and variance depend on every example, and give what is subtracted:
        # dx = (dout - dbeta / N - x_hat * dgamma / N) * gamma / std
        n = len(dout)
        dx = np.multiply(self._kept["x_hat"], self.dgamma / -n, out=out)
        dx += dout
        dx -= self.dbeta / n
        dx *= self.gamma / self._kept["std"]
        return dx

    def _backward_weights(self, dout: Array) -> None:
        x_hat = self._kept["x_hat"]
        # dgamma = sum over the batch of dout * x_hat
        np.einsum("ij,ij->j", dout, x_hat, out=self.dgamma, casting="same_kind")
        dout.sum(axis=0, out=self.dbeta)

    def weights(self) -> dict[str, Array]:
        return {"gamma": self.gamma, "beta": self.beta}

    def buffers(self) -> dict[str, Array]:
        return {"running_mean": self.running_mean, "running_var": self.running_var}

    def bind(self, weights: Mapping[str, Array], grads: Mapping[str, Array]) -> None:
        self.gamma, self.beta = weights["gamma"], weights["beta"]
        self.dgamma, self.dbeta = grads["gamma"], grads["beta"]

    def __repr__(self) -> str:
        return f"BatchNorm1d({len(self.gamma)})"
