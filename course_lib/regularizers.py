"""Penalties on large weights, as gradients and as proximal steps.

A penalty is added to what training makes small. It acts on weights only, the parameters whose names begin with "W":
biases, and batch normalization's gamma and beta, set levels and scales, and shrinking them cures nothing.

    regularizer.add_gradient(params)         after backward: params.grad += gradient of the penalty
    regularizer.proximal_step(params, lr)    after the optimizer's step, with the rate of that step

`fit(..., regularizers=[L2(0.003)])` calls both where they belong.
"""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from ._ranges import flag, number
from ._typing import Array
from .parameters import Parameters


def soft_threshold(w: npt.ArrayLike, amount: float) -> Array:
    """Move every number towards zero by `amount`, and no further than zero: `sign(w) * max(|w| - amount, 0)`.

    It is the proximal operator of the L1 norm: the `u` that makes `(u - w)**2 / 2 + amount * |u|` smallest
    (Parikh and Boyd 2014, Proximal Algorithms, section 6.5.2).

    Args:
        w: numbers, any shape; whole numbers become floats.
        amount: how far to move, at least 0 and finite.

    Returns:
        A new array shaped like `w`, in its precision.

    Raises:
        ValueError: an amount below 0, infinite or NaN.
        TypeError: an amount that is no number.
    """
    amount = number("soft_threshold", "amount", amount, at_least=0)
    shrunk: Array = np.array(w, np.result_type(np.asarray(w), np.float32))
    _shrink(shrunk, amount, np.empty_like(shrunk))
    return shrunk


def _shrink(w: Array, amount: float, scratch: Array) -> None:
    # w - clip(w, -amount, amount) is sign(w) * max(|w| - amount, 0), with one array beside w instead of three.
    np.clip(w, -amount, amount, out=scratch)
    w -= scratch


class Regularizer:
    """What all penalties share: `l1 * sum(|w|) + l2 / 2 * sum(w*w)` over all weights.

    Attributes:
        l1, l2: strengths of the two parts, at least 0.
        proximal: whether the L1 part acts by `proximal_step` instead of by its subgradient.
    """

    def __init__(self, l1: float, l2: float, proximal: bool) -> None:
        self.l1, self.l2 = l1, l2
        self.proximal = flag(type(self).__name__, "proximal", proximal)
        self._memory: Array | None = None

    def penalty(self, params: Parameters) -> float:
        """What is added to the loss, at least 0. It changes nothing."""
        total = 0.0
        for name in self._weight_names(params):
            w, scratch = params[name], self._scratch(params[name])
            # Summed in float64, so that a large float32 network loses no digits.
            if self.l1:
                total += self.l1 * float(np.abs(w, out=scratch).sum(dtype=np.float64))
            if self.l2:
                total += self.l2 / 2 * float(np.multiply(w, w, out=scratch).sum(dtype=np.float64))
        return total

    def add_gradient(self, params: Parameters) -> None:
        """Add the gradient of the penalty to `params.grad`, in place; not the L1 part's when it is `proximal`."""
        l1 = 0.0 if self.proximal else self.l1
        for name in self._weight_names(params):
            w, g, scratch = params[name], params.grads[name], self._scratch(params[name])
            # g = g + l1 * sign(w) + l2 * w, where sign(0) = 0
            if l1:
                np.sign(w, out=scratch)
                scratch *= l1
                g += scratch
            if self.l2:
                g += np.multiply(w, self.l2, out=scratch)

    def proximal_step(self, params: Parameters, lr: float) -> None:
        """Soft-threshold every weight by `lr * l1`, in place; does nothing unless `proximal`.

        Args:
            params: the weights, after the optimizer's step.
            lr: the learning rate of that step, at least 0.

        Raises:
            ValueError: a negative rate, or NaN.
        """
        lr = number(f"{type(self).__name__}.proximal_step", "lr", lr, at_least=0)
        if self.proximal:
            for name in self._weight_names(params):
                _shrink(params[name], lr * self.l1, self._scratch(params[name]))

    def _weight_names(self, params: Parameters) -> Iterator[str]:
        kind = type(self).__name__
        if not isinstance(params, Parameters):
            raise TypeError(f"{kind} got a {type(params).__name__}; it needs Parameters, as in model.parameters.")
        names = [name for name in params if name.startswith("W")]
        if not names:
            raise ValueError(
                f"{kind} found no weights: it acts on parameters whose names begin with 'W', "
                f"and there are only {', '.join(params)}."
            )
        return iter(names)

    def _scratch(self, w: Array) -> Array:
        """Reused memory shaped like `w`."""
        if self._memory is None or self._memory.size < w.size or self._memory.dtype != w.dtype:
            self._memory = np.empty(w.size, w.dtype)
        return self._memory[: w.size].reshape(w.shape)


class L1(Regularizer):
    """`lam * sum(|w|)`: pulls every weight towards zero with the same force, however small the weight is.

    Its subgradient is `lam * sign(w)` with `sign(0) = 0`. Steps along it jump over zero and back: weights become small,
    never exactly zero. The proximal step, `sign(w) * max(|w| - lr*lam, 0)` after the optimizer's own, does reach zero.
    With an optimizer that rescales the gradient (Adam), it acts decoupled from it, as AdamW's decay does.

    Sources: Tibshirani 1996, Regression Shrinkage and Selection via the Lasso; for the proximal step Parikh and Boyd
    2014, Proximal Algorithms, sections 4.2 and 6.5.2.

    Args:
        lam: strength, at least 0.
        proximal: contribute nothing to the gradient; act by `proximal_step` instead.

    Raises:
        ValueError: a `lam` that is negative, infinite or NaN.
        TypeError: an argument of another type.
    """

    def __init__(self, lam: float, proximal: bool = False) -> None:
        self.lam = number("L1", "lam", lam, at_least=0)
        super().__init__(l1=self.lam, l2=0.0, proximal=proximal)

    def __repr__(self) -> str:
        return f"L1(lam={self.lam:g}, proximal={self.proximal})"


class L2(Regularizer):
    """`lam / 2 * sum(w*w)`: pulls every weight towards zero in proportion to its size, so none gets there.

    Its gradient is `lam * w`. Some write `lam * sum(w*w)`, with gradient `2 * lam * w`: the same with half the `lam`.
    With plain SGD it equals the optimizer's `weight_decay=lam` (on the weights); with Adam, `weight_decay` is this too,
    and AdamW's decay is not.

    Source: Hoerl and Kennard 1970, Ridge Regression; Krogh and Hertz 1992, A Simple Weight Decay Can Improve
    Generalization.

    Args:
        lam: strength, at least 0.

    Raises:
        ValueError: a `lam` that is negative, infinite or NaN.
        TypeError: an argument of another type.
    """

    def __init__(self, lam: float) -> None:
        self.lam = number("L2", "lam", lam, at_least=0)
        super().__init__(l1=0.0, l2=self.lam, proximal=False)

    def __repr__(self) -> str:
        return f"L2(lam={self.lam:g})"


class ElasticNet(Regularizer):
    """L1 and L2 together: `lam * (l1_ratio * sum(|w|) + (1 - l1_ratio) / 2 * sum(w*w))`.

    `l1_ratio=1` is `L1(lam)`, `l1_ratio=0` is `L2(lam)`. The form with one strength and a ratio is that of Friedman,
    Hastie and Tibshirani 2010 (and of scikit-learn); Zou and Hastie 2005, who introduced the elastic net, write
    two strengths.

    Args:
        lam: strength, at least 0.
        l1_ratio: the share of L1, from 0 to 1.
        proximal: let the L1 part act by `proximal_step`; the L2 part stays in the gradient.

    Raises:
        ValueError: a value outside its range.
        TypeError: an argument of another type.
    """

    def __init__(self, lam: float, l1_ratio: float, proximal: bool = False) -> None:
        self.lam = number("ElasticNet", "lam", lam, at_least=0)
        self.l1_ratio = number("ElasticNet", "l1_ratio", l1_ratio, at_least=0, at_most=1)
        super().__init__(self.lam * self.l1_ratio, self.lam * (1 - self.l1_ratio), proximal)

    def __repr__(self) -> str:
        return f"ElasticNet(lam={self.lam:g}, l1_ratio={self.l1_ratio:g}, proximal={self.proximal})"
