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

from ._memory import aligned_zeros_like
from ._ranges import flag, number
from ._typing import Array
from .parameters import check_keys, check_shape

Betas = tuple[float, float]
"""Shares of two running averages that are kept at each step."""


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
    _counters: ClassVar[tuple[str, ...]] = ("t",)
    _buffers: ClassVar[tuple[str, ...]] = ()

    def __init__(self, params: HasGradient, lr: float, weight_decay: float) -> None:
        if not (hasattr(params, "theta") and hasattr(params, "grad")):
            raise TypeError(
                f"{type(self).__name__} got a {type(params).__name__}; it needs parameters, "
                f"as in {type(self).__name__}(model.parameters, lr=...)."
            )
        if params.theta.size == 0:
            raise ValueError(f"{type(self).__name__} got no parameters to train; theta is empty.")
        check_shape(f"{type(self).__name__}: grad", params.grad.shape, params.theta.shape)
        self.params = params
        self.lr = lr
        self.weight_decay = self._number("weight_decay", weight_decay, at_least=0)
        self.t = 0
        self._scratch = aligned_zeros_like(params.theta)
        self._decayed: Array | None = None

    @property
    def lr(self) -> Any:
        return self._lr

    @lr.setter
    def lr(self, value: npt.ArrayLike) -> None:
        rate = np.asarray(value)
        if rate.dtype.kind not in "iuf":
            raise TypeError(f"{type(self).__name__} got lr={value!r}; a learning rate is a number, as in lr=0.01.")
        if not np.all((rate >= 0) & (rate < np.inf)):
            raise ValueError(
                f"{type(self).__name__} got lr={value!r}; a learning rate is finite and at least 0, as in lr=0.01."
            )
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
        state = {name: getattr(self, name) for name in ("lr", *self._counters, *self._options)}
        return state | {name: getattr(self, name).copy() for name in self._buffers}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over a state kept by `state_dict`; training then goes on to the bit as it would have.

        Raises:
            ValueError: an entry is missing or unknown, or a buffer has another shape. Nothing is changed then.
        """
        owner = f"{type(self).__name__}.load_state_dict"
        check_keys(owner, self.state_dict(), state)
        for buffer in self._buffers:
            check_shape(f"{owner}: {buffer}", np.shape(state[buffer]), self.params.theta.shape)
        for name in ("lr", *self._counters, *self._options):  # the rate first: it may be refused
            setattr(self, name, state[name])
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

    def _number(self, name: str, value: Any, **limits: Any) -> float:
        return number(type(self).__name__, name, value, **limits)

    def _betas(self, betas: Any) -> Betas:
        if not isinstance(betas, tuple | list) or len(betas) != 2:
            raise TypeError(f"{type(self).__name__} got betas={betas!r}; it must be two numbers, as in (0.9, 0.999).")
        first, second = (self._number(f"betas[{i}]", beta, at_least=0, below=1) for i, beta in enumerate(betas))
        return first, second

    def __repr__(self) -> str:
        options = ", ".join(f"{name}={getattr(self, name)}" for name in ("lr", *self._options))
        return f"{type(self).__name__}({options}), {self.t} steps taken"


def _average(average: Array, kept: float, new: Array, scratch: Array) -> None:
    """average = kept * average + (1 - kept) * new, in place."""
    average *= kept
    average += np.multiply(new, 1 - kept, out=scratch)


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
        ValueError, TypeError: a value outside its range, or of another type.
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
        self.momentum = self._number("momentum", momentum, at_least=0)
        self.dampening = self._number("dampening", dampening)
        self.nesterov = flag("SGD", "nesterov", nesterov)
        if nesterov and (momentum == 0 or dampening != 0):
            raise ValueError(f"SGD got {momentum=}, {dampening=}; nesterov needs momentum above 0 and dampening=0.")
        self.v = aligned_zeros_like(params.theta)

    def step(self) -> None:
        theta, g, v, move = self.params.theta, self._gradient(), self.v, self._scratch
        self.t += 1
        if self.momentum and self.t == 1:
            v[...] = g
        elif self.momentum:
            # v = momentum * v + (1 - dampening) * g
            v *= self.momentum
            v += np.multiply(g, 1 - self.dampening, out=move) if self.dampening else g
        direction = v if self.momentum else g
        if self.nesterov:
            direction = np.multiply(v, self.momentum, out=move)
            direction += g
        # theta = theta - lr * direction
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
        ValueError, TypeError: a value outside its range, or of another type.
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
        self.lr_decay = self._number("lr_decay", lr_decay, at_least=0)
        self.eps = self._number("eps", eps, at_least=0)
        start = self._number("initial_accumulator_value", initial_accumulator_value, at_least=0)
        self.s = np.full_like(params.theta, start)

    def step(self) -> None:
        theta, g, s, move = self.params.theta, self._gradient(), self.s, self._scratch
        self.t += 1
        # s = s + g*g
        s += np.multiply(g, g, out=move)
        # theta = theta - lr_t * g / (sqrt(s) + eps)
        np.sqrt(s, out=move)
        move += self.eps
        np.divide(g, move, out=move)
        move *= self.lr / (1 + (self.t - 1) * self.lr_decay)
        theta -= move


class RMSprop(Optimizer):
    """Adagrad with a memory that fades: the gradient divided by the root of its recent mean square.

        s = alpha * s + (1 - alpha) * g*g             s = 0 at the start
        theta = theta - lr * g / (sqrt(s) + eps)

    Sources: Tieleman and Hinton 2012, lecture 6.5; Graves 2013, equations 38 to 45, for the centred form. Graves and
    TensorFlow put eps inside the root, PyTorch and this class outside.

    Args:
        params: what to train.
        lr: learning rate, at least 0.
        alpha: share of the old mean square that is kept, at least 0 and below 1.
        eps: keeps the division finite, at least 0.
        weight_decay: strength of L2 decay, added to the gradient, at least 0.
        momentum: if above 0, move along `b = momentum * b + g / (sqrt(s) + eps)`.
        centered: divide by a standard deviation: `sqrt(s - a*a)` with `a = alpha * a + (1 - alpha) * g`.

    Raises:
        ValueError, TypeError: a value outside its range, or of another type.
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
        self.alpha = self._number("alpha", alpha, at_least=0, below=1)
        self.eps = self._number("eps", eps, at_least=0)
        self.momentum = self._number("momentum", momentum, at_least=0)
        self.centered = flag("RMSprop", "centered", centered)
        self.s, self.a, self.b = (aligned_zeros_like(params.theta) for _ in range(3))

    def step(self) -> None:
        theta, g, s, move = self.params.theta, self._gradient(), self.s, self._scratch
        self.t += 1
        _average(s, self.alpha, np.multiply(g, g, out=move), move)
        square = s
        if self.centered:
            _average(self.a, self.alpha, g, move)
            # s - a*a, which rounding may leave a little below 0
            np.subtract(s, np.multiply(self.a, self.a, out=move), out=move)
            square = np.maximum(move, 0, out=move)
        # move = g / (sqrt(square) + eps)
        np.sqrt(square, out=move)
        move += self.eps
        np.divide(g, move, out=move)
        if self.momentum:
            self.b *= self.momentum
            self.b += move
        theta -= np.multiply(self.b if self.momentum else move, self.lr, out=move)


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
        ValueError, TypeError: a value outside its range, or of another type.
    """

    _options: ClassVar[tuple[str, ...]] = ("betas", "eps", "weight_decay")
    _buffers = ("m", "v")

    def __init__(
        self,
        params: HasGradient,
        lr: float = 1e-3,
        betas: Betas = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(params, lr, weight_decay)
        self.betas = self._betas(betas)
        self.eps = self._number("eps", eps, at_least=0)
        self.m, self.v = aligned_zeros_like(params.theta), aligned_zeros_like(params.theta)

    def step(self) -> None:
        self._move_along(self._gradient())

    def _move_along(self, g: Array) -> None:
        theta, m, v, move = self.params.theta, self.m, self.v, self._scratch
        beta1, beta2 = self.betas
        self.t += 1
        _average(m, beta1, g, move)
        _average(v, beta2, np.multiply(g, g, out=move), move)
        # theta = theta - lr * m_hat / (sqrt(v_hat) + eps); the corrections are two numbers, so they go to the others
        root = sqrt(1 - beta2**self.t)
        np.sqrt(v, out=move)
        move += self.eps * root
        np.divide(m, move, out=move)
        move *= self.lr * root / (1 - beta1**self.t)
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
        betas: Betas = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
    ) -> None:
        super().__init__(params, lr, betas, eps, weight_decay)

    def step(self) -> None:
        theta = self.params.theta
        # theta = theta * (1 - lr * weight_decay)
        theta *= 1 - self.lr * self.weight_decay
        self._move_along(self.params.grad)


class NAdam(Adam):
    """Adam that looks ahead: this step already uses the momentum of the next one, as Nesterov's does.

        m, v, v_hat as in Adam                        mu_t = beta1 * (1 - 0.5 * 0.96**(t * momentum_decay))
        g_hat = g / (1 - mu_1 * ... * mu_t)           m_hat = m / (1 - mu_1 * ... * mu_t * mu_{t+1})
        theta = theta - lr * ((1 - mu_t) * g_hat + mu_{t+1} * m_hat) / (sqrt(v_hat) + eps)

    Source: Dozat 2016, Incorporating Nesterov Momentum into Adam, algorithm 2 with the warm-up of mu from its text.

    Arguments and errors are those of `Adam`, and besides:

    Args:
        momentum_decay: how fast mu rises from beta1 / 2 to beta1, at least 0.
        decoupled_weight_decay: decay as `AdamW` does, not through the means.
    """

    _options = ("betas", "eps", "weight_decay", "momentum_decay", "decoupled_weight_decay")
    _counters = ("t", "mu_product")

    def __init__(
        self,
        params: HasGradient,
        lr: float = 2e-3,
        betas: Betas = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        momentum_decay: float = 4e-3,
        decoupled_weight_decay: bool = False,
    ) -> None:
        super().__init__(params, lr, betas, eps, weight_decay)
        self.momentum_decay = self._number("momentum_decay", momentum_decay, at_least=0)
        self.decoupled_weight_decay = flag("NAdam", "decoupled_weight_decay", decoupled_weight_decay)
        self.mu_product = 1.0
        self._ahead = np.empty_like(params.theta)

    def step(self) -> None:
        theta, m, v, move, ahead = self.params.theta, self.m, self.v, self._scratch, self._ahead
        if self.decoupled_weight_decay:
            theta *= 1 - self.lr * self.weight_decay
        g = self.params.grad if self.decoupled_weight_decay else self._gradient()
        self.t += 1
        beta1, beta2 = self.betas
        mu, mu_next = (beta1 * (1 - 0.5 * 0.96 ** (t * self.momentum_decay)) for t in (self.t, self.t + 1))
        self.mu_product *= mu
        _average(m, beta1, g, move)
        _average(v, beta2, np.multiply(g, g, out=move), move)
        # ahead = (1 - mu) * g_hat + mu_next * m_hat
        np.multiply(g, (1 - mu) / (1 - self.mu_product), out=ahead)
        ahead += np.multiply(m, mu_next / (1 - self.mu_product * mu_next), out=move)
        # theta = theta - lr * ahead / (sqrt(v_hat) + eps)
        root = sqrt(1 - beta2**self.t)
        np.sqrt(v, out=move)
        move += self.eps * root
        np.divide(ahead, move, out=move)
        move *= self.lr * root
        theta -= move
