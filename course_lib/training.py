"""The training loop."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, Protocol

import numpy as np
import numpy.typing as npt

from ._ranges import number, whole
from ._typing import Array, IntArray
from .batchnorm import BatchNorm1d
from .clipping import clip_grad_norm
from .history import History as History
from .interrupts import Interrupts
from .layers import check_generator
from .losses import accuracy, check_labels, softmax_cross_entropy, squared_error
from .network import Sequential
from .nonfinite import all_finite, explain
from .parameters import Parameters
from .progress import ProgressBar

LossFunction = Callable[[Array, Any], tuple[float, Array]]
"""Takes the network's output and the targets; returns the loss and its gradient with respect to the output."""


class TakesSteps(Protocol):
    """What `fit` needs of an optimizer; every one in `course_lib.optimizers` has it, and one of your own may."""

    @property
    def params(self) -> object: ...
    @property
    def lr(self) -> float: ...
    def step(self) -> object: ...


class Steps(Protocol):
    """What `fit` needs of a scheduler; all in `course_lib.schedulers` have it, and one of your own may.

    Two attributes say when and how to call it: `interval`, "epoch" (where it has none) or "step", and `needs_metric`,
    for one that takes the loss.
    """

    @property
    def step(self) -> Callable[..., object]: ...


class Penalty(Protocol):
    """What `fit` needs of a regularizer; those in `course_lib.regularizers` have it."""

    def penalty(self, params: Parameters, /) -> float: ...
    def add_gradient(self, params: Parameters, /) -> object: ...
    def proximal_step(self, params: Parameters, lr: float, /) -> object: ...


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
    return _slices(rng.permutation(n), batch_size)


def _slices(order: IntArray, batch_size: int) -> list[IntArray]:
    return [order[start : start + batch_size] for start in range(0, len(order), batch_size)]


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
    scheduler: Steps | None = None,
    regularizers: Sequence[Penalty] = (),
    clip_norm: float | None = None,
    callbacks: Sequence[Callable[[History], object]] = (),
    history: History | None = None,
    progress: bool | None = None,
) -> History:
    """Train a network: for every mini-batch forward, loss, backward, step.

    The run ends early, and keeps what it has, when something is not finite (with a warning that says where, what to
    suspect, and what to try), when a callback answers True, or when you interrupt it. `History.stopped` then says so.
    The first interrupt lets the step under way finish; a second one raises KeyboardInterrupt.

    To go on, call `fit` again with `history=` what it returned, and everything else as before: the run continues in the
    middle of the epoch where it stood, and comes to the same numbers, to the bit, as one that was not interrupted.
    `checkpoint.save` keeps all of it in a file meanwhile.

    A step is, in this order: forward and backward; the regularizers' gradients; clipping; `optimizer.step()`; the
    regularizers' proximal steps; `scheduler.step()` where it goes by steps.

    Args:
        model: the network; trained in place.
        X, y: training examples, shape (N, D), and labels or targets, one a row.
        optimizer: made over `model.parameters`; one of the course's, or your own with `params`, `lr` and `step()`.
        epochs: how often to go through all examples, at least 1; with `history`, counted from the run's beginning.
        batch_size: examples a step, at least 1; N gives full-batch gradient descent. The last batch of an epoch may be
            shorter. Batch normalisation needs two examples in every batch, so there a last batch of one is refused.
        rng: where the order of the examples is drawn from.
        X_val, y_val: examples to validate on after every epoch; both or neither.
        loss: what to make small; `softmax_cross_entropy` or `squared_error`, or a function like them.
        scheduler: its `step()` is called after every epoch, or after every step when its `interval` is "step". One that
            `needs_metric` is given the validation loss, or the training loss where there is none.
        regularizers: penalties on the weights, as in `[L2(0.003)]`. `History` keeps them apart from the losses.
        clip_norm: the largest norm of the gradient, above 0; a longer one is shortened to it.
        callbacks: each is called with the `History` after every epoch; the run stops when one returns True. One that
            has a method `at_end()`, such as `EarlyStopping`, hears when the run is over, but not of an interrupt.
        history: what an earlier call returned, to go on from; it is added to, and returned.
        progress: True shows a bar with loss, rate and time left, False none. None shows one after two seconds.

    Returns:
        The `History`: print it, or plot it with `figures.show(history.plot(), alt=...)`.

    Raises:
        ValueError: numbers out of range, shapes or labels that do not fit, one of `X_val` and `y_val` alone, an
            optimizer over other parameters than the model's, a scheduler of another optimizer or shorter than the run,
            a history of another run, or a last batch of one with batch normalisation.
        TypeError: an argument of another type, such as a seed for `rng`.
    """
    epochs = whole("fit", "epochs", epochs, at_least=1)
    batch_size = whole("fit", "batch_size", batch_size, at_least=1)
    check_generator(rng, "fit")
    if (X_val is None) != (y_val is None):
        raise ValueError("fit got one of X_val and y_val; give both to validate, or neither.")
    _check_parts(model, optimizer, scheduler, loss, regularizers, callbacks)
    examples = _examples(model, "X", X, "y", y, loss)
    held_out = None if X_val is None or y_val is None else _examples(model, "X_val", X_val, "y_val", y_val, loss)
    _check_batches(model, len(examples[0]), batch_size)
    run = _Run(
        model=model,
        examples=examples,
        held_out=held_out,
        optimizer=optimizer,
        loss=loss,
        scheduler=scheduler,
        regularizers=regularizers,
        clip_norm=None if clip_norm is None else number("fit", "clip_norm", clip_norm, above=0, finite=False),
        callbacks=callbacks,
        history=History() if history is None else history,
        epochs=epochs,
    )
    run.take_up(batch_size)
    run.train(rng, progress)
    if run.not_finite:
        warnings.warn(run.history.stopped, RuntimeWarning, stacklevel=2)
    return run.history


@dataclass
class _Run:
    """One call of `fit`."""

    model: Sequential
    examples: tuple[Array, npt.NDArray[Any]]
    held_out: tuple[Array, npt.NDArray[Any]] | None
    optimizer: TakesSteps
    loss: LossFunction
    scheduler: Steps | None
    regularizers: Sequence[Penalty]
    clip_norm: float | None
    callbacks: Sequence[Callable[[History], object]]
    history: History
    epochs: int
    not_finite: bool = False

    def take_up(self, batch_size: int) -> None:
        """Begin the history, or make sure that it is one of this run and that there is something left to do."""
        history, n = self.history, len(self.examples[0])
        if not isinstance(history, History):
            raise TypeError(f"fit got a {type(history).__name__} as history; it takes what an earlier fit returned.")
        if history.steps == 0:
            history.examples, history.batch_size = n, batch_size
        self._check_history(batch_size)
        if history.epochs >= self.epochs:
            raise ValueError(
                f"the history has {history.epochs} epochs already; epochs counts from the run's beginning, so give "
                f"more than {history.epochs} (epochs={history.epochs + self.epochs} adds {self.epochs})."
            )
        # A schedule that ends before the run does says so now, not after hours.
        by_step = self._interval == "step"
        ahead = self.epochs * history.steps_per_epoch - history.steps if by_step else self.epochs - history.epochs
        self._check_rate(ahead - 1)
        history.stopped = ""

    def _check_history(self, batch_size: int) -> None:
        history, n = self.history, len(self.examples[0])
        if (history.examples, history.batch_size) != (n, batch_size):
            raise ValueError(
                f"the history is of {history.examples} examples in batches of {history.batch_size}, and fit got {n} in "
                f"batches of {batch_size}; give the same to go on, or leave history out to start anew."
            )
        for name, kept, of, wanted in (
            ("step_penalty", history.step_penalty, history.steps, bool(self.regularizers)),
            ("step_grad_norm", history.step_grad_norm, history.steps, self.clip_norm is not None),
            ("val_loss", history.val_loss, history.epochs, self.held_out is not None),
        ):
            expected = of if wanted else 0
            if len(kept) != expected:
                raise ValueError(
                    f"the history has {len(kept)} values in {name}, and a run like this one would have {expected}; "
                    "go on with the same regularizers, clip_norm and validation as before, or leave history out."
                )
        done = history.steps - history.epochs * history.steps_per_epoch
        order = history.order
        broken = order is not None and not np.array_equal(np.sort(order), np.arange(n))
        if broken or not 0 <= done <= history.steps_per_epoch or (done > 0 and order is None):
            raise ValueError(
                f"the history does not add up: {history.steps} steps, {history.epochs} epochs of "
                f"{history.steps_per_epoch} steps, {'no' if order is None else 'an'} order for the rest of the epoch; "
                "leave history out to start anew."
            )

    @property
    def _interval(self) -> str:
        return getattr(self.scheduler, "interval", "epoch")

    def _check_rate(self, steps: int) -> None:
        """Raise a ValueError when the schedule ends earlier than so many of its steps ahead."""
        from .schedulers import Schedule

        if isinstance(self.scheduler, Schedule):
            self.scheduler.rate(self.scheduler.last_epoch + steps)

    def train(self, rng: np.random.Generator, progress: bool | None) -> None:
        history = self.history
        total = self.epochs * history.steps_per_epoch
        # A diverging run overflows before anyone looks; the sentence about it says it better than NumPy's warnings.
        with (
            np.errstate(over="ignore", invalid="ignore"),
            ProgressBar(total, history.steps, progress) as bar,
            Interrupts() as interrupts,
        ):
            try:
                while history.epochs < self.epochs and not self._must_end(interrupts):
                    self._epoch(rng, bar, interrupts)
                interrupted = interrupts.noted and history.epochs < self.epochs and not history.stopped
            except KeyboardInterrupt:
                if interrupts.insisted:
                    history.stopped = f"Interrupted twice, in the middle of something, after step {history.steps}."
                    raise
                interrupted = True
        if interrupted:
            history.stopped = (
                f"Interrupted after step {history.steps}; the model keeps what it has learned. "
                "Call fit again with history= this one to go on."
            )
            return
        for callback in self.callbacks:
            if hasattr(callback, "at_end"):
                callback.at_end()

    def _must_end(self, interrupts: Interrupts) -> bool:
        return interrupts.noted or bool(self.history.stopped)

    def _epoch(self, rng: np.random.Generator, bar: ProgressBar, interrupts: Interrupts) -> None:
        """An epoch, or the rest of one that was interrupted."""
        history = self.history
        if history.order is None:
            history.order = rng.permutation(history.examples)
        done = history.steps - history.epochs * history.steps_per_epoch
        for rows in _slices(history.order, history.batch_size)[done:]:
            self._step(rows)
            bar.update(history.steps, history.step_loss[-1], history.step_lr[-1])
            if self._must_end(interrupts):
                return
        self._end_epoch()

    def _step(self, rows: IntArray) -> None:
        history, parameters = self.history, self.model.parameters
        X, y = self.examples[0][rows], self.examples[1][rows]
        lr = float(self.optimizer.lr)
        raw_loss, dout = self.loss(self.model.forward(X), y)
        loss, norm = float(raw_loss), math.nan
        penalty = sum(regularizer.penalty(parameters) for regularizer in self.regularizers)
        found_in: Literal["loss", "gradient", "weights"] | None = None
        if not math.isfinite(loss):
            found_in = "loss"
        else:
            self.model.backward(dout)
            for regularizer in self.regularizers:
                regularizer.add_gradient(parameters)
            if not all_finite(parameters.grad):
                found_in = "gradient"  # and the weights stay as they are
            else:
                if self.clip_norm is not None:
                    norm = clip_grad_norm(parameters, self.clip_norm)
                self.optimizer.step()
                for regularizer in self.regularizers:
                    regularizer.proximal_step(parameters, lr)
                if not all_finite(parameters.theta):
                    found_in = "weights"
        history.step_loss.append(loss)
        history.step_lr.append(lr)
        if self.regularizers:
            history.step_penalty.append(float(penalty))
        if self.clip_norm is not None:
            history.step_grad_norm.append(norm)
        if found_in:
            self.not_finite = True
            history.stopped = explain(
                found_in,
                loss=loss,
                step=history.steps,
                epoch=history.epochs + 1,
                model=self.model,
                X=X,
                y=y,
                rows=rows,
                lr=lr,
                regularizers=self.regularizers,
            )
        elif self._interval == "step":
            self._step_scheduler(last=history.steps == self.epochs * history.steps_per_epoch)

    def _end_epoch(self) -> None:
        history = self.history
        train = self._measure(*self.examples)
        val = None if self.held_out is None else self._measure(*self.held_out)
        # Kept together, so that an interrupt in the middle of measuring leaves no half of an epoch.
        history.order = None
        history.train_loss.append(train[0])
        history.train_accuracy.extend(train[1:])
        if val is not None:
            history.val_loss.append(val[0])
            history.val_accuracy.extend(val[1:])
        if self._interval == "epoch":
            self._step_scheduler(last=history.epochs == self.epochs)
        answers = [callback(history) for callback in self.callbacks]
        if True in answers:
            name = getattr(callback := self.callbacks[answers.index(True)], "__name__", type(callback).__name__)
            name = "a callback" if name == "<lambda>" else name
            history.stopped = f"Stopped by {name} after epoch {history.epochs}."

    def _step_scheduler(self, last: bool) -> None:
        if self.scheduler is None:
            return
        if getattr(self.scheduler, "needs_metric", False):
            self.scheduler.step(self.history.monitored_loss)
            return
        if last:
            try:
                self._check_rate(1)
            except ValueError:  # a schedule as long as the run, such as OneCycleLR, has no rate for what follows
                return
        self.scheduler.step()

    def _measure(self, X: Array, y: npt.NDArray[Any]) -> list[float]:
        """Loss, and accuracy where the targets are class labels, in evaluation mode."""
        output = self.model.evaluate(X)
        found = [float(self.loss(output, y)[0])]
        if y.dtype.kind in "iu" and y.ndim == 1 and output.ndim == 2:
            found.append(accuracy(output, y))
        return found


def _check_parts(
    model: Sequential,
    optimizer: TakesSteps,
    scheduler: Steps | None,
    loss: LossFunction,
    regularizers: Sequence[Penalty],
    callbacks: Sequence[Callable[[History], object]],
) -> None:
    """Refuse parts that would fail, or change nothing, in the middle of a run."""
    if not hasattr(optimizer, "params") or not hasattr(optimizer, "step"):
        raise TypeError(
            f"fit got optimizer={optimizer!r}; it needs params, lr and step(), as in Adam(model.parameters, lr=0.001)."
        )
    if optimizer.params is not model.parameters:
        raise ValueError(
            "the optimizer was made over other parameters than the model's, so training would change nothing; "
            f"make it with {type(optimizer).__name__}(model.parameters, ...)."
        )
    if scheduler is not None:
        if not hasattr(scheduler, "step"):
            raise TypeError(
                f"fit got scheduler={scheduler!r}; it needs a step(), as in StepLR(optimizer, step_size=10)."
            )
        if getattr(scheduler, "optimizer", optimizer) is not optimizer:
            raise ValueError(
                "the scheduler was made for another optimizer, so the rate would never change; "
                f"make it with {type(scheduler).__name__}(optimizer, ...)."
            )
        interval = getattr(scheduler, "interval", "epoch")
        allowed = ("epoch",) if getattr(scheduler, "needs_metric", False) else ("epoch", "step")
        if interval not in allowed:
            raise ValueError(f"the scheduler's interval is {interval!r}; it must be {' or '.join(map(repr, allowed))}.")
    if not callable(loss):
        raise TypeError(f"fit got loss={loss!r}; it must be a function, as in loss=squared_error.")
    for name, parts, needed in (
        ("regularizers", regularizers, ("penalty", "add_gradient", "proximal_step")),
        ("callbacks", callbacks, ("__call__",)),
    ):
        if not isinstance(parts, list | tuple):
            raise TypeError(f"fit got {name}={parts!r}; give a list, as in {name}=[{parts!r}].")
        for part in parts:
            missing = [method for method in needed if not hasattr(part, method)]
            if missing:
                raise TypeError(f"fit got {part!r} among {name}; it lacks {', '.join(missing)}.")


def _examples(
    model: Sequential, name_X: str, X: npt.ArrayLike, name_y: str, y: npt.ArrayLike, loss: LossFunction
) -> tuple[Array, npt.NDArray[Any]]:
    """Examples and targets as arrays of the model's precision, once they are known to fit model and loss."""
    inputs, targets = np.asarray(X), np.asarray(y)
    for name, array, hint in (
        (name_X, inputs, f"{name_X}.astype(np.float32)"),
        (name_y, targets, f"np.unique({name_y}, return_inverse=True)[1]"),
    ):
        if array.dtype.kind not in "fiub":
            raise TypeError(f"{name} has dtype {array.dtype}; it needs real numbers, as in {hint}.")
    if inputs.ndim != 2 or len(inputs) == 0 or targets.ndim == 0 or len(targets) != len(inputs):
        raise ValueError(
            f"{name_X} has shape {inputs.shape} and {name_y} {targets.shape}; "
            "fit needs (N, D) and N labels or targets, N at least 1."
        )
    with np.errstate(all="ignore"):  # what is too large is named in its step
        inputs = inputs.astype(model.dtype, copy=False)
        if targets.dtype.kind == "f":
            targets = targets.astype(model.dtype, copy=False)
        output = model.evaluate(inputs[:1])
    kind = loss.func if isinstance(loss, partial) else loss
    try:
        if kind is softmax_cross_entropy:
            check_labels(np.broadcast_to(output, (len(targets), *output.shape[1:])), targets)
        elif kind is squared_error:
            squared_error(output, targets[:1])
    except (TypeError, ValueError) as error:
        raise type(error)(f"{name_y} does not fit: {error}") from None
    return inputs, targets


def _check_batches(model: Sequential, n: int, batch_size: int) -> None:
    smallest = n % batch_size or batch_size
    if smallest > 1 or not any(isinstance(layer, BatchNorm1d) for layer in model.layers):
        return
    fitting = [size for size in range(2, n + 1) if n % size != 1]
    if not fitting:
        raise ValueError("X has one example, and batch normalisation needs at least two in a batch.")
    nearest = min(fitting, key=lambda size: abs(size - batch_size))
    raise ValueError(
        f"{n} examples in batches of {batch_size} leave a batch of one, which batch normalisation cannot normalise; "
        f"the nearest batch_size without one is {nearest}."
    )
