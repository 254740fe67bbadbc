"""Clipping: a gradient that is too long is made shorter before the step, so that one bad batch cannot ruin a run.

model.backward(dlogits)
norm = clip_grad_norm(model.parameters, max_norm=1.0)
optimizer.step()
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from ._ranges import number

if TYPE_CHECKING:
    from .optimizers import HasGradient


def clip_grad_norm(params: HasGradient, max_norm: float, error_if_nonfinite: bool = False) -> float:
    """Shorten the whole gradient, in place, to a norm of `max_norm` at most; its direction stays.

        grad = grad * max_norm / (norm + 1e-6)        only where that factor is below 1

    The norm is that of all parameters together. Clipping each array by its own would turn the direction.
    A gradient with an infinite or undefined norm is not mended: it becomes 0 and NaN, as in PyTorch.

    Source: Pascanu, Mikolov and Bengio 2013, On the difficulty of training recurrent neural networks, algorithm 1.

    Args:
        params: holds the gradient, `params.grad`.
        max_norm: the largest norm allowed, above 0; infinity clips nothing and only measures.
        error_if_nonfinite: raise an error, and change nothing, when the norm is infinite or NaN.

    Returns:
        The norm before clipping.

    Raises:
        ValueError, TypeError: `max_norm` is not a number above 0.
        RuntimeError: the norm is not finite, and `error_if_nonfinite` is True.
    """
    max_norm = number("clip_grad_norm", "max_norm", max_norm, above=0, finite=False)
    with np.errstate(over="ignore"):
        norm = float(np.linalg.norm(params.grad))
    if math.isinf(norm):  # the squares overflow long before the numbers do: in float32 from 1.8e19 on
        largest = np.abs(params.grad).max()
        norm = float(np.linalg.norm(params.grad / largest) * float(largest)) if np.isfinite(largest) else norm
    if error_if_nonfinite and not math.isfinite(norm):
        raise RuntimeError(
            f"clip_grad_norm found a gradient of norm {norm}, which no factor can clip. Look for NaN in the data, or "
            "for a learning rate that is too high; error_if_nonfinite=False goes on regardless."
        )
    scale = max_norm / (norm + 1e-6)
    if not scale >= 1:  # NaN goes on into the gradient, where it can be seen
        with np.errstate(invalid="ignore"):
            params.grad[...] *= scale
    return norm


def clip_grad_value(params: HasGradient, clip_value: float) -> None:
    """Cut every number of the gradient, in place, to between `-clip_value` and `clip_value`; the direction may turn.

    Args:
        params: holds the gradient, `params.grad`.
        clip_value: the largest size allowed, at least 0.

    Raises:
        ValueError, TypeError: `clip_value` is not a number of at least 0.
    """
    limit = number("clip_grad_value", "clip_value", clip_value, at_least=0, finite=False)
    np.clip(params.grad, -limit, limit, out=params.grad)
