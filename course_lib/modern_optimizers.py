"""Three younger rules: a step of signs, a step of orthogonal matrices, and an average in place of a schedule.

They are `Optimizer`s like those of `optimizers`: in place on `params.theta`, `params.grad` left as it was.
"""

from math import sqrt

import numpy as np

from ._ranges import flag, number, whole
from ._typing import Array
from .optimizers import Betas, HasGradient, Optimizer, _average
from .parameters import Parameters

COEFFICIENTS = (3.4445, -4.7750, 2.0315)
"""Of `orthogonalize`: steep at 0, so that small singular values grow fast (Jordan et al. 2024)."""


class Lion(Optimizer):
    """Every weight moves by the rate exactly; only the direction of the average gradient counts.

        theta = theta * (1 - lr * weight_decay)
        theta = theta - lr * sign(beta1 * m + (1 - beta1) * g)
        m = beta2 * m + (1 - beta2) * g

    Source: Chen et al. 2023, Symbolic Discovery of Optimization Algorithms, algorithm 2, which advises a rate 3 to 10
    times below AdamW's and a weight decay as many times above.

    Args:
        params: what to train.
        lr: learning rate, at least 0: the distance each weight moves at each step.
        betas: shares of the average that are kept, for the step and for the memory, each at least 0 and below 1.
        weight_decay: strength of decay, apart from the gradient as in `AdamW`, at least 0.

    Raises:
        ValueError, TypeError: a value outside its range, or of another type.
    """

    _options = ("betas", "weight_decay")
    _buffers = ("m",)

    def __init__(
        self, params: HasGradient, lr: float = 1e-4, betas: Betas = (0.9, 0.99), weight_decay: float = 0.0
    ) -> None:
        super().__init__(params, lr, weight_decay)
        self.betas = self._betas(betas)
        self.m = np.zeros_like(params.theta)
        self._direction = np.empty_like(params.theta)

    def step(self) -> None:
        theta, g, m, move, direction = self.params.theta, self.params.grad, self.m, self._scratch, self._direction
        beta1, beta2 = self.betas
        self.t += 1
        theta *= 1 - self.lr * self.weight_decay
        # direction = sign(beta1 * m + (1 - beta1) * g)
        np.multiply(m, beta1, out=direction)
        direction += np.multiply(g, 1 - beta1, out=move)
        np.sign(direction, out=direction)
        direction *= self.lr
        theta -= direction
        _average(m, beta2, g, move)


def orthogonalize(G: Array, steps: int = 5, eps: float = 1e-7) -> Array:
    """Nearly the orthogonal matrix closest to `G`: its singular vectors stay, its singular values all come near 1.

        X = G / norm(G)        then, `steps` times:        X = a*X + (b*A + c*A@A) @ X        with A = X @ X.T

    Each time every singular value s becomes a*s + b*s**3 + c*s**5. With these coefficients small values grow fast, and
    none settles at 1: after 5 steps they lie between 0.68 and 1.21, if they were at least 1/600 of the norm.

    Source: Jordan et al. 2024, Muon: An optimizer for hidden layers in neural networks (a Newton-Schulz iteration).

    Args:
        G: a matrix, shape (n, m), or a stack of them, shape (..., n, m), each of which is treated by itself.
        steps: how many times, at least 1.
        eps: the least that G is divided by, above 0; a matrix of zeros stays one.

    Returns:
        A new array, shape of G.

    Raises:
        ValueError, TypeError: not a matrix, or a value outside its range.
    """
    if np.ndim(G) < 2:
        raise ValueError(f"orthogonalize got an array of shape {np.shape(G)}; it needs a matrix, shape (n, m).")
    steps = whole("orthogonalize", "steps", steps, at_least=1)
    eps = number("orthogonalize", "eps", eps, above=0)
    a, b, c = COEFFICIENTS
    tall = G.shape[-2] > G.shape[-1]
    X: Array = G / np.maximum(np.linalg.norm(G, axis=(-2, -1), keepdims=True), eps)
    X = X.mT if tall else X  # wide, so that A is the smaller of the two products
    for _ in range(steps):
        A = X @ X.mT
        X = a * X + (b * A + c * A @ A) @ X
    return X.mT if tall else X


class Muon(Optimizer):
    """Momentum whose step is made orthogonal: each direction in which a matrix can change gets about the same length.

        v = momentum * v + (1 - momentum) * g         d = momentum * v + (1 - momentum) * g (Nesterov), or v
        theta = theta * (1 - lr * weight_decay)
        W = W - lr * sqrt(max(1, n_out / n_in)) * orthogonalize(d)        for matrices W, shape (n_in, n_out)
        b = b - lr * d                                                    for everything else

    Source: Jordan et al. 2024, Muon: An optimizer for hidden layers in neural networks. They leave biases to AdamW;
    here those take the momentum step itself. For matrices this is PyTorch's `torch.optim.Muon`, which computes
    `orthogonalize` in 16 bits.

    Args:
        params: what to train; a `Parameters`, since the rule looks at matrices.
        lr: learning rate, at least 0.
        weight_decay: strength of decay, apart from the gradient as in `AdamW`, at least 0.
        momentum: share of the old average that is kept, at least 0 and below 1.
        nesterov: step along an average that already counts the new gradient twice.
        eps, ns_steps: those of `orthogonalize`.

    Raises:
        ValueError, TypeError: a value outside its range, or of another type.
    """

    _options = ("weight_decay", "momentum", "nesterov", "eps", "ns_steps")
    _buffers = ("v",)
    params: Parameters

    def __init__(
        self,
        params: Parameters,
        lr: float = 1e-3,
        weight_decay: float = 0.1,
        momentum: float = 0.95,
        nesterov: bool = True,
        eps: float = 1e-7,
        ns_steps: int = 5,
    ) -> None:
        super().__init__(params, lr, weight_decay)
        if not isinstance(params, Parameters):
            raise TypeError(f"Muon got a {type(params).__name__}; it needs Parameters, to know which are matrices.")
        self.momentum = self._number("momentum", momentum, at_least=0, below=1)
        self.nesterov = flag("Muon", "nesterov", nesterov)
        self.eps = self._number("eps", eps, above=0)
        self.ns_steps = whole("Muon", "ns_steps", ns_steps, at_least=1)
        self.v = np.zeros_like(params.theta)
        self._direction = Parameters(params.shapes, params.dtype)

    def step(self) -> None:
        theta, g, v, d, mu = self.params.theta, self.params.grad, self.v, self._direction.theta, self.momentum
        self.t += 1
        _average(v, mu, g, d)
        d[...] = v
        if self.nesterov:
            _average(d, mu, g, self._scratch)
        theta *= 1 - self.lr * self.weight_decay
        for direction in self._direction.values():
            if direction.ndim == 2:
                n_in, n_out = direction.shape
                direction[...] = orthogonalize(direction, self.ns_steps, self.eps)
                direction *= sqrt(max(1, n_out / n_in))
        theta -= np.multiply(d, self.lr, out=d)


class ScheduleFreeSGD(Optimizer):
    """Gradient descent that needs no schedule: it keeps the average of all its points, and that is the result.

        y = (1 - momentum) * z + momentum * x         the point to train at: here the gradient is taken
        z = z - lr * g                                plain gradient descent
        x = (1 - 1/t) * x + z / t                     the point to evaluate at: the mean of z after each step

    While training `theta` is y. Before you evaluate or save, `eval()` puts x there; `train()` puts y back.

        opt.eval()
        print(accuracy(model.evaluate(X_test), y_test))
        opt.train()

    Source: Defazio et al. 2024, The Road Less Scheduled, equations 1 to 3, with their weight 1/t.

    Args:
        params: what to train.
        lr: learning rate, at least 0; larger ones than with `SGD` are usual.
        momentum: how much of y is the average, at least 0 and below 1. With 0, y is z: the averages of Polyak and
            Ruppert.
        weight_decay: strength of L2 decay at y, added to the gradient, at least 0.

    Attributes:
        x, z: the average, and the point that moves; shape of theta.
        training: whether `theta` is y.

    Raises:
        ValueError, TypeError: a value outside its range, or of another type.
        RuntimeError: a step while `theta` is x.
    """

    _options = ("momentum", "weight_decay")
    _counters = ("t", "training")
    _buffers = ("x", "z")

    def __init__(self, params: HasGradient, lr: float = 1.0, momentum: float = 0.9, weight_decay: float = 0.0) -> None:
        super().__init__(params, lr, weight_decay)
        self.momentum = self._number("momentum", momentum, at_least=0, below=1)
        self.x, self.z = params.theta.copy(), params.theta.copy()
        self.training = True

    def step(self) -> None:
        if not self.training:
            raise RuntimeError("ScheduleFreeSGD was asked for a step while theta is the average; call train() first.")
        if self.t == 0:  # the weights may have been loaded since
            self.x[...] = self.z[...] = self.params.theta
        self.t += 1
        self.z -= np.multiply(self._gradient(), self.lr, out=self._scratch)
        _average(self.x, 1 - 1 / self.t, self.z, self._scratch)
        self._show_y()

    def eval(self) -> None:
        """Put the average x into `theta`."""
        if self.training and self.t > 0:
            self.params.theta[...] = self.x
        self.training = False

    def train(self) -> None:
        """Put the point to train at, y, back into `theta`."""
        if not self.training and self.t > 0:
            self._show_y()
        self.training = True

    def _show_y(self) -> None:
        theta = self.params.theta
        theta[...] = self.z
        _average(theta, 1 - self.momentum, self.x, self._scratch)
