"""When a loss, a gradient or a weight is not finite: where it happened, what to suspect, and what to try."""

from collections.abc import Mapping, Sequence
from math import isfinite
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from ._typing import Array, IntArray
from .network import Sequential
from .parameters import Parameters


def all_finite(numbers: Array) -> bool:
    """Whether every number of a flat vector is finite, quickly."""
    # A sum of squares needs no memory. It may overflow though each number is finite; only then look at each.
    return isfinite(np.vdot(numbers, numbers)) or bool(np.isfinite(numbers).all())


def explain(
    found_in: Literal["loss", "gradient", "weights"],
    *,
    loss: float,
    step: int,
    epoch: int,
    model: Sequential,
    X: Array,
    y: npt.NDArray[Any],
    rows: IntArray,
    lr: float,
    regularizers: Sequence[Any] = (),
) -> str:
    """Say in three sentences what is not finite, which cause to suspect first, and what to try.

    Args:
        found_in: where it showed first: in the loss, in the gradient while the loss was finite, or in the weights that
            the step made while loss and gradient were finite.
        loss: of the step's mini-batch.
        step, epoch: when, counted from 1.
        model: the network.
        X, y: the mini-batch, and `rows` its examples' numbers among all examples.
        lr: the learning rate of the step.
        regularizers: as for `fit`.
    """
    with np.errstate(all="ignore"):
        where = f"step {step} (epoch {epoch})"
        parameters = model.parameters
        if found_in == "loss":
            what = f"The loss is {loss} at {where}; {_first_layer(model, X)}."
        elif found_in == "gradient":
            what = (
                f"The gradient is not finite at {where}, while the loss, {loss:.4g}, still is: "
                f"look at {_not_finite(parameters.grads)}."
            )
        else:
            what = (
                f"The weights are not finite after {where}, while the loss, {loss:.4g}, still was: "
                f"look at {_not_finite(parameters)}."
            )
        return f"{what} {_cause(found_in, model, X, y, rows, step, lr, regularizers)}"


def _first_layer(model: Sequential, X: Array) -> str:
    for name, output in model.activations(X, training=True).items():
        if not np.isfinite(output).all():
            return f"the first output that is not finite is that of layer {name}"
    return "the outputs of all layers are finite, so it arises in the loss function"


def _not_finite(arrays: Mapping[str, Array]) -> str:
    return ", ".join(name for name, array in arrays.items() if not np.isfinite(array).all())


def _cause(
    found_in: str,
    model: Sequential,
    X: Array,
    y: npt.NDArray[Any],
    rows: IntArray,
    step: int,
    lr: float,
    regularizers: Sequence[Any],
) -> str:
    for name, values in (("X", X), ("y", y)):
        if not np.isfinite(values).all():
            place = tuple(int(i) for i in np.argwhere(~np.isfinite(values))[0])
            index = ", ".join(map(str, (rows[place[0]], *place[1:])))
            return (
                f"The data is the cause: {name}[{index}] is {values[place]}. Mend or leave out such examples "
                f"(np.isfinite({name}) finds them); no learning rate helps here."
            )
    broken = _not_finite(model.parameters)
    if broken and found_in != "weights":
        return f"The weights {broken} were not finite before this step: make the network anew and start over."
    for regularizer in regularizers:
        if not _gradient_is_finite(regularizer, model.parameters):
            return (
                f"The penalty is the cause: the gradient of {regularizer!r} is not finite. Try a tenth of its strength."
            )
    shrinking = lr * sum(getattr(regularizer, "l2", 0.0) for regularizer in regularizers)
    if shrinking > 2:
        return (
            f"The penalty is the first suspect: learning rate times L2 strength is {shrinking:g}, and above 2 each "
            "step overshoots zero by more than it came from. Try a tenth of the strength."
        )
    if step == 1 and found_in != "weights":
        return (
            "No step was taken yet, so it is not the learning rate: the scale is the first suspect. The largest number "
            f"in the batch is {np.abs(X).max():.3g}, the largest weight {np.abs(model.parameters.theta).max():.3g}; "
            "standardise the data, and start from smaller weights."
        )
    return (
        f"The learning rate, {lr:g}, is the first suspect: try a tenth of it, or clip the gradient with clip_norm=1.0. "
        "The data of this batch is finite."
    )


def _gradient_is_finite(regularizer: Any, parameters: Parameters) -> bool:
    alone = parameters.copy()
    alone.theta = np.nan_to_num(alone.theta, nan=0.0, posinf=0.0, neginf=0.0)
    alone.zero_grad()
    regularizer.add_gradient(alone)
    return all_finite(alone.grad)
