"""Rules that turn gradients into steps, each a few lines on whole vectors.

Names, arguments, defaults and arithmetic are PyTorch's (`torch.optim`), so what is learned here carries over. Every
rule works in place on `params.theta`, reads `params.grad`, and leaves the gradient as it was. `t` counts the steps.

The comment above each group of lines is the equation; the lines do the same without making new arrays.
"""

from collections.abc import Mapping
from math import sqrt
from typing import Any, ClassVar, Protocol

import numpy as np
import numpy.typing as npt

from ._typing import Array
from .parameters import check_keys, check_shape


class HasGradient(Protocol):
    """What an optimizer works on: numbers and their slopes, two arrays of one shape. `Parameters` is one."""

    @property
    def theta(self) -> Array: ...
    @property
    def grad(self) -> Array: ...


class Optimizer:
    """What all rules share: the learning rate, the step count, and a state that can be kept and restored.

    Attributes:
        params: what is being trained.
        lr: learning rate, at least 0. Write to it at any time: `opt.lr = 0.01` holds from the next step on. It may be
            an array that broadcasts against `theta`, for many runs at once.
        t: how many steps have been taken.
    """

    _options: ClassVar[tuple[str, ...]] = ()
    _buffers: ClassVar[tuple[str, ...]] = ()

    def __init__(self, params: HasGradient, lr: float, weight_decay: float = 0.0) -> None:
        if not (hasattr(params, "theta") and hasattr(params, "grad")):
            raise TypeError(
                f"{type(self).__name__} got a {type(params).__name__}; it needs parameters, "
                f"as in {type(self).__name__}(model.parameters, lr=...)."
            )
        if params.theta.size == 0:
            raise ValueError(f"{type(self).__name__} got no parameters to train; theta is empty.")
        self.params = params
        self.lr = lr
        self.weight_decay = self._at_least("weight_decay", weight_decay, 0.0)
        self.t = 0
        self._scratch = np.empty_like(params.theta)
        self._decayed: Array | None = None

    @property
    def lr(self) -> Any:
        return self._lr

    @lr.setter
    def lr(self, value: npt.ArrayLike) -> None:
        rate = np.asarray(value)
        if not np.all(rate >= 0):
            raise ValueError(f"{type(self).__name__} got lr={value!r}; a learning rate is at least 0, as in lr=0.01.")
        # A Python float, or an array in theta's own precision, keeps float32 arithmetic in float32.
        self._lr = float(rate) if rate.ndim == 0 else rate.astype(self.params.theta.dtype)

    def step(self) -> None:
        """Move `theta` once, along the gradient as it stands in `params.grad`."""
        raise NotImplementedError

    def zero_grad(self) -> None:
        """Set the gradient to zero. PyTorch needs this before each backward pass; ours writes afresh anyway."""
        self.params.grad.fill(0.0)

    def state_dict(self) -> dict[str, Any]:
        """Everything `step` depends on besides the parameters: options, step count, copies of the buffers."""
        state = {name: getattr(self, name) for name in ("lr", "t", *self._options)}
        return state | {name: getattr(self, name).copy() for name in self._buffers}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over a state kept by `state_dict`; training then goes on to the bit as it would have.

        Raises:
            ValueError: an entry is missing or unknown, or a buffer has another shape. Nothing is changed then.
        """
        name = type(self).__name__
        check_keys(f"{name}.load_state_dict", self.state_dict(), state)
        for buffer in self._buffers:
            check_shape(f"{name}.load_state_dict: {buffer}", np.shape(state[buffer]), self.params.theta.shape)
        for option in ("lr", "t", *self._options):
            setattr(self, option, state[option])
        for buffer in self._buffers:
            getattr(self, buffer)[...] = state[buffer]

    def _gradient(self) -> Array:
        """The gradient, with L2 decay `weight_decay * theta` added when there is any."""
        if not self.weight_decay:
            return self.params.grad
        if self._decayed is None:
            self._decayed = np.empty_like(self._scratch)
        # g = g + weight_decay * theta
        np.multiply(self.params.theta, self.weight_decay, out=self._decayed)
        self._decayed += self.params.grad
        return self._decayed

    def _at_least(self, name: str, value: float, lowest: float) -> float:
        if not value >= lowest:
            raise ValueError(f"{type(self).__name__} got {name}={value}; it must be at least {lowest:g}.")
        return float(value)

    def _share(self, name: str, value: float) -> float:
        if not 0 <= value < 1:
            raise ValueError(f"{type(self).__name__} got {name}={value}; it must be at least 0 and below 1.")
        return float(value)

    def __repr__(self) -> str:
        options = ", ".join(f"{name}={getattr(self, name)}" for name in ("lr", *self._options))
        return f"{type(self).__name__}({options}), {self.t} steps taken"


class SGD(Optimizer):
    """Gradient descent on mini-batches, with momentum when asked for.

        v = momentum * v + (1 - dampening) * g        v = g at the first step, dampening or not
        theta = theta - lr * v                        with Nesterov: lr * (g + momentum * v)

    Sources: Polyak 1964 (heavy ball); Sutskever et al. 2013, whose Nesterov form looks ahead at another point.
    The rate stands outside `v`: putting it inside is the same only while the rate is constant.

    Args:
        params: what to train.
        lr: learning rate, at least 0.
        momentum: share of the old velocity that is kept, at least 0; 0.9 is usual.
        dampening: share of the new gradient that is left out of the velocity.
        weight_decay: strength of L2 decay, added to the gradient, at least 0.
        nesterov: step along `g + momentum * v`; needs momentum above 0 and no dampening.

    Raises:
        ValueError: a value outside its range.
    """

    _options = ("momentum", "dampening", "weight_decay", "nesterov")
    _buffers = ("v",)

    def __init__(
        self,
        params: HasGradient,
        lr: float = 1e-3,
        momentum: float = 0.0,
        dampening: float = 0.0,
        weight_decay: float = 0.0,
        nesterov: bool = False,
    ) -> None:
        super().__init__(params, lr, weight_decay)
        self.momentum = self._at_least("momentum", momentum, 0.0)
        self.dampening = float(dampening)
        self.nesterov = bool(nesterov)
        if nesterov and (momentum == 0 or dampening != 0):
            raise ValueError(
                f"SGD got nesterov=True with momentum={momentum}, dampening={dampening}; "
                "Nesterov needs momentum above 0 and dampening 0."
            )
        self.v = np.zeros_like(params.theta)

    def step(self) -> None:
        g, v, mu, move = self._gradient(), self.v, self.momentum, self._scratch
        self.t += 1
        if mu == 0:
            direction = g
        elif self.t == 1:
            v[...] = g
            direction = v
        else:
            # v = mu * v + (1 - dampening) * g
            v *= mu
            v += np.multiply(g, 1 - self.dampening, out=move)
            direction = v
        if self.nesterov:
            # direction = g + mu * v
            direction = np.multiply(v, mu, out=move)
            direction += g
        # theta = theta - lr * direction
        theta = self.params.theta
        theta -= np.multiply(direction, self.lr, out=move)


class Adagrad(Optimizer):
    """Each weight has a rate of its own, which shrinks with the squares of all its gradients so far.

        s = s + g*g
        theta = theta - lr_t * g / (sqrt(s) + eps)        lr_t = lr / (1 + (t - 1) * lr_decay)

    Source: Duchi, Hazan and Singer 2011, Adaptive Subgradient Methods (figure 1, diagonal). eps is outside the root.

    Args:
        params: what to train.
        lr: learning rate, at least 0.
        lr_decay: how fast the rate falls with the step count, at least 0.
        weight_decay: strength of L2 decay, added to the gradient, at least 0.
        initial_accumulator_value: what `s` starts from, at least 0.
        eps: keeps the division finite, at least 0.

    Raises:
        ValueError: a value outside its range.
    """

    _options = ("lr_decay", "weight_decay", "eps")
    _buffers = ("s",)

    def __init__(
        self,
        params: HasGradient,
        lr: float = 1e-2,
        lr_decay: float = 0.0,
        weight_decay: float = 0.0,
        initial_accumulator_value: float = 0.0,
        eps: float = 1e-10,
    ) -> None:
        super().__init__(params, lr, weight_decay)
        self.lr_decay = self._at_least("lr_decay", lr_decay, 0.0)
        self.eps = self._at_least("eps", eps, 0.0)
        start = self._at_least("initial_accumulator_value", initial_accumulator_value, 0.0)
        self.s = np.full_like(params.theta, start)

    def step(self) -> None:
        g, s, move = self._gradient(), self.s, self._scratch
        self.t += 1
        lr = self.lr / (1 + (self.t - 1) * self.lr_decay)
        # s = s + g*g
        s += np.multiply(g, g, out=move)
        # theta = theta - lr * g / (sqrt(s) + eps)
        np.sqrt(s, out=move)
        move += self.eps
        np.divide(g, move, out=move)
        move *= lr
        theta = self.params.theta
        theta -= move


class RMSprop(Optimizer):
    """Adagrad with a memory that fades: the gradient divided by the root of its recent mean square.

        s = alpha * s + (1 - alpha) * g*g             s = 0 at the start
        theta = theta - lr * g / (sqrt(s) + eps)

    `centered` takes the root of a variance instead: `a = alpha * a + (1 - alpha) * g`, then `sqrt(s - a*a)`.
    `momentum` moves along `b = momentum * b + g / (sqrt(s) + eps)`.

    Sources: Tieleman and Hinton 2012, lecture 6.5; Graves 2013 for the centred form (equations 38 to 45, which put eps
    inside the root, as TensorFlow does; PyTorch and this class put it outside).

    Args:
        params: what to train.
        lr: learning rate, at least 0.
        alpha: share of the old mean square that is kept, at least 0 and below 1.
        eps: keeps the division finite, at least 0.
        weight_decay: strength of L2 decay, added to the gradient, at least 0.
        momentum: share of the old movement that is kept, at least 0.
        centered: divide by the standard deviation instead of the root mean square.

    Raises:
        ValueError: a value outside its range.
    """

    _options = ("alpha", "eps", "weight_decay", "momentum", "centered")
    _buffers = ("s", "a", "b")

    def __init__(
        self,
        params: HasGradient,
        lr: float = 1e-2,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        momentum: float = 0.0,
        centered: bool = False,
    ) -> None:
        super().__init__(params, lr, weight_decay)
        self.alpha = self._share("alpha", alpha)
        self.eps = self._at_least("eps", eps, 0.0)
        self.momentum = self._at_least("momentum", momentum, 0.0)
        self.centered = bool(centered)
        self.s, self.a, self.b = (np.zeros_like(params.theta) for _ in range(3))

    def step(self) -> None:
        g, s, move = self._gradient(), self.s, self._scratch
        self.t += 1
        # s = alpha * s + (1 - alpha) * g*g
        s *= self.alpha
        np.multiply(g, g, out=move)
        move *= 1 - self.alpha
        s += move
        if self.centered:
            # a = alpha * a + (1 - alpha) * g, and s - a*a under the root, where rounding may leave a little below 0
            a = self.a
            a *= self.alpha
            a += np.multiply(g, 1 - self.alpha, out=move)
            np.multiply(a, a, out=move)
            np.subtract(s, move, out=move)
            np.maximum(move, 0.0, out=move)
            np.sqrt(move, out=move)
        else:
            np.sqrt(s, out=move)
        # move = g / (sqrt(s) + eps)
        move += self.eps
        np.divide(g, move, out=move)
        if self.momentum:
            # b = momentum * b + move
            b = self.b
            b *= self.momentum
            b += move
            np.multiply(b, self.lr, out=move)
        else:
            move *= self.lr
        # theta = theta - move, the rate now included
        theta = self.params.theta
        theta -= move


class Adam(Optimizer):
    """Momentum and RMSprop together, both corrected for having started at zero.

        m = beta1 * m + (1 - beta1) * g               m_hat = m / (1 - beta1**t)
        v = beta2 * v + (1 - beta2) * g*g             v_hat = v / (1 - beta2**t)
        theta = theta - lr * m_hat / (sqrt(v_hat) + eps)

    `t` is 1 at the first step, and eps stands outside the root. Source: Kingma and Ba 2015, Adam, algorithm 1.

    Args:
        params: what to train.
        lr: learning rate, at least 0.
        betas: shares of the old mean and mean square that are kept, each at least 0 and below 1.
        eps: keeps the division finite, at least 0.
        weight_decay: strength of L2 decay, added to the gradient before both means, at least 0; see `AdamW`.

    Raises:
        ValueError: a value outside its range.
    """

    _options = ("betas", "eps", "weight_decay")
    _buffers = ("m", "v")

    def __init__(
        self,
        params: HasGradient,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(params, lr, weight_decay)
        self.betas = (self._share("betas[0]", betas[0]), self._share("betas[1]", betas[1]))
        self.eps = self._at_least("eps", eps, 0.0)
        self.m, self.v = np.zeros_like(params.theta), np.zeros_like(params.theta)

    def step(self) -> None:
        self._move_along(self._gradient())

    def _move_along(self, g: Array) -> None:
        m, v, move = self.m, self.v, self._scratch
        beta1, beta2 = self.betas
        self.t += 1
        # m = beta1 * m + (1 - beta1) * g
        m *= beta1
        m += np.multiply(g, 1 - beta1, out=move)
        # v = beta2 * v + (1 - beta2) * g*g
        v *= beta2
        np.multiply(g, g, out=move)
        move *= 1 - beta2
        v += move
        # theta = theta - lr * m_hat / (sqrt(v_hat) + eps)
        np.sqrt(v, out=move)
        move /= sqrt(1 - beta2**self.t)
        move += self.eps
        np.divide(m, move, out=move)
        move *= self.lr / (1 - beta1**self.t)
        theta = self.params.theta
        theta -= move


class AdamW(Adam):
    """Adam with decay that bypasses the two means: first shrink the weights, then take the Adam step.

        theta = theta * (1 - lr * weight_decay)
        theta = theta - lr * m_hat / (sqrt(v_hat) + eps)

    Source: Loshchilov and Hutter 2019, Decoupled Weight Decay Regularization, algorithm 2 (which leaves `lr` out of the
    decay; PyTorch and this class put it in). In `Adam`, decay goes through the means and is divided by sqrt(v_hat):
    weights with large gradients then hardly decay.

    Arguments and errors are those of `Adam`; `weight_decay` is 0.01 unless given.
    """

    def __init__(
        self,
        params: HasGradient,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
    ) -> None:
        super().__init__(params, lr, betas, eps, weight_decay)

    def step(self) -> None:
        theta = self.params.theta
        # theta = theta * (1 - lr * weight_decay)
        theta *= 1 - self.lr * self.weight_decay
        self._move_along(self.params.grad)
