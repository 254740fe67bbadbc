"""The training loop, and what it remembers."""

import math
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

from ._typing import Array, IntArray
from .losses import accuracy, softmax_cross_entropy
from .network import Sequential

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LossFunction = Callable[[Array, Any], tuple[float, Array]]
"""Takes the network's output and the targets; returns the loss and its gradient with respect to the output."""


class TakesSteps(Protocol):
    """What `fit` needs of an optimizer; every one in `course_lib.optimizers` has it, and one of your own may."""

    @property
    def params(self) -> object: ...
    @property
    def lr(self) -> float: ...
    def step(self) -> object: ...


class Scheduler(Protocol):
    """Anything that changes an optimizer's rate when it is told that an epoch is over."""

    def step(self) -> object: ...


@dataclass
class History:
    """What a run was like, step by step and epoch by epoch.

    Attributes:
        step_loss: loss of each mini-batch, before the step it led to.
        step_lr: learning rate of each step.
        train_loss, train_accuracy: over all training examples, after each epoch, in evaluation mode.
        val_loss, val_accuracy: the same over the validation examples; empty when there are none.
        stopped: a sentence when the run ended early, otherwise empty.

    Accuracies go from 0 to 1 and are empty when the targets are not class labels.
    """

    step_loss: list[float] = field(default_factory=list)
    step_lr: list[float] = field(default_factory=list)
    train_loss: list[float] = field(default_factory=list)
    train_accuracy: list[float] = field(default_factory=list)
    val_loss: list[float] = field(default_factory=list)
    val_accuracy: list[float] = field(default_factory=list)
    stopped: str = ""

    @property
    def epochs(self) -> int:
        """How many epochs were finished."""
        return len(self.train_loss)

    @property
    def steps(self) -> int:
        """How many mini-batches were seen."""
        return len(self.step_loss)

    def plot(self) -> "Figure":
        """Learning curves in the house style; hand the figure to `figures.show(fig, alt=...)`."""
        from .figures import learning_curves

        return learning_curves(self)

    def __repr__(self) -> str:
        text = f"History: {self.epochs} epochs, {self.steps:,} steps"
        for name, loss, share in (
            ("training", self.train_loss, self.train_accuracy),
            ("validation", self.val_loss, self.val_accuracy),
        ):
            if loss:
                text += f"; {name} loss {loss[-1]:.4g}" + (f", accuracy {share[-1]:.1%}" if share else "")
        return f"{text}. {self.stopped}" if self.stopped else text


def minibatches(n: int, batch_size: int, rng: np.random.Generator) -> list[IntArray]:
    """One epoch's worth of batches: every example once, in random order.

    Args:
        n: how many examples there are, at least 1.
        batch_size: examples a batch, at least 1; the last batch may be shorter.
        rng: where the order is drawn from.

    Returns:
        Index arrays, consecutive slices of one permutation of 0 to n - 1.

    Raises:
        ValueError: a number below 1.
    """
    if n < 1 or batch_size < 1:
        raise ValueError(f"minibatches got n={n}, batch_size={batch_size}; both must be at least 1.")
    order = rng.permutation(n)
    return [order[start : start + batch_size] for start in range(0, n, batch_size)]


def fit(
    model: Sequential,
    X: npt.ArrayLike,
    y: npt.ArrayLike,
    optimizer: TakesSteps,
    *,
    epochs: int,
    batch_size: int,
    rng: np.random.Generator,
    X_val: npt.ArrayLike | None = None,
    y_val: npt.ArrayLike | None = None,
    loss: LossFunction = softmax_cross_entropy,
    scheduler: Scheduler | None = None,
    callbacks: Sequence[Callable[[History], object]] = (),
    progress: bool = False,
) -> History:
    """Train a network: for every mini-batch forward, loss, backward, step.

    The run ends early, and keeps what it has, when the loss is not finite (with a warning that says what to try), when
    a callback answers True, or when you interrupt it. `History.stopped` then says so.

    Args:
        model: the network; trained in place.
        X, y: training examples, shape (N, D), and labels or targets, one a row.
        optimizer: made over `model.parameters`; one of the course's, or your own with `params`, `lr` and `step()`.
        epochs: how often to go through all examples, at least 1.
        batch_size: examples a step, at least 1; N gives full-batch gradient descent.
        rng: where the order of the examples is drawn from.
        X_val, y_val: examples to validate on after every epoch; both or neither.
        loss: what to make small; `softmax_cross_entropy` or `squared_error`, or a function like them.
        scheduler: its `step()` is called after every epoch.
        callbacks: each is called with the `History` after every epoch; the run stops when one returns True.
        progress: show a bar with loss, rate and time left; needs tqdm.

    Returns:
        The `History`: print it, or plot it with `figures.show(history.plot(), alt=...)`.

    Raises:
        ValueError: numbers below 1, shapes that do not fit, one of `X_val` and `y_val` alone, or an optimizer over
            other parameters than the model's.
    """
    if epochs < 1 or batch_size < 1:
        raise ValueError(f"fit got epochs={epochs}, batch_size={batch_size}; both must be at least 1.")
    if (X_val is None) != (y_val is None):
        raise ValueError("fit got one of X_val and y_val; give both to validate, or neither.")
    if optimizer.params is not model.parameters:
        raise ValueError(
            "the optimizer was made over other parameters than the model's, so training would change nothing; "
            f"make it with {type(optimizer).__name__}(model.parameters, ...)."
        )
    examples = _examples(model, X, y)
    held_out = None if X_val is None or y_val is None else _examples(model, X_val, y_val)
    history = History()
    steps = epochs * math.ceil(len(examples[0]) / batch_size)
    # A diverging run overflows before its loss is looked at; the sentence below says it better than NumPy's warnings.
    with np.errstate(over="ignore", invalid="ignore"), _bar(steps, progress) as bar:
        try:
            for _ in range(epochs):
                for batch in _shuffled_batches(*examples, batch_size, rng):
                    _train_step(model, *batch, loss, optimizer, history)
                    if not math.isfinite(history.step_loss[-1]):
                        history.stopped = _not_finite(model, optimizer, history)
                        warnings.warn(history.stopped, RuntimeWarning, stacklevel=2)
                        return history
                    if bar is not None:
                        bar.update()
                _measure(model, *examples, loss, history.train_loss, history.train_accuracy)
                if held_out is not None:
                    _measure(model, *held_out, loss, history.val_loss, history.val_accuracy)
                if bar is not None:
                    bar.set_postfix(loss=f"{history.train_loss[-1]:.4g}", lr=f"{optimizer.lr:.3g}")
                if scheduler is not None:
                    scheduler.step()
                answers = [callback(history) for callback in callbacks]
                if True in answers:
                    history.stopped = f"Stopped by a callback after epoch {history.epochs}."
                    break
        except KeyboardInterrupt:
            history.stopped = f"Interrupted after step {history.steps}; the model keeps what it has learned."
    return history


def _examples(model: Sequential, X: npt.ArrayLike, y: npt.ArrayLike) -> tuple[Array, npt.NDArray[Any]]:
    inputs, targets = np.asarray(X, model.dtype), np.asarray(y)
    if inputs.ndim != 2 or len(inputs) == 0 or len(targets) != len(inputs):
        raise ValueError(
            f"X has shape {inputs.shape} and y {targets.shape}; fit needs (N, D) and N labels or targets, N at least 1."
        )
    if targets.dtype.kind == "f":
        targets = targets.astype(model.dtype)
    return inputs, targets


def _shuffled_batches(
    X: Array, y: npt.NDArray[Any], batch_size: int, rng: np.random.Generator
) -> Iterator[tuple[Array, npt.NDArray[Any]]]:
    for rows in minibatches(len(X), batch_size, rng):
        yield X[rows], y[rows]


def _train_step(
    model: Sequential, X: Array, y: npt.NDArray[Any], loss: LossFunction, optimizer: TakesSteps, history: History
) -> None:
    value, dout = loss(model.forward(X), y)
    history.step_loss.append(value)
    history.step_lr.append(optimizer.lr)
    if math.isfinite(value):
        model.backward(dout)
        optimizer.step()


def _measure(
    model: Sequential, X: Array, y: npt.NDArray[Any], loss: LossFunction, losses: list[float], shares: list[float]
) -> None:
    output = model.evaluate(X)
    losses.append(loss(output, y)[0])
    if y.dtype.kind in "iu" and y.ndim == 1 and output.ndim == 2:
        shares.append(accuracy(output, y))


def _not_finite(model: Sequential, optimizer: TakesSteps, history: History) -> str:
    parameters = model.parameters
    broken = [name for name, weights in parameters.items() if not np.isfinite(weights).all()]
    found = f"weights that are not finite: {', '.join(broken)}" if broken else "all weights still finite"
    return (
        f"The loss is {history.step_loss[-1]} at step {history.steps} (epoch {history.epochs + 1}), {found}. "
        f"The learning rate, {optimizer.lr:g}, is the first suspect: try a tenth of it. Then look for NaN in the data."
    )


def _bar(total: int, wanted: bool) -> AbstractContextManager[Any]:
    if not wanted:
        return nullcontext()
    from tqdm.auto import tqdm  # type: ignore[import-untyped]

    bar: AbstractContextManager[Any] = tqdm(total=total, unit="step")
    return bar
