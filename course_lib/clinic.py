"""A clinic of training runs: small networks that were trained for real, each with one thing wrong, and healthy ones.

    patients = admit(["overfitting", "rate too low", "healthy"], rng)
    patients[0].history["val_loss"]

Every patient is a network [64, 32, 10] that learns stroke digits (`course_lib.stroke_digits`) by gradient descent, 240
images in batches of 24, for 20 epochs, with validation on 200 other images. What is done to it is set by `Treatment`;
`ILLNESSES` lists what can be wrong, and `admit` draws how strongly. All patients of a call train side by side, as rows
of one array.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ._typing import Array, IntArray
from .stroke_digits import draw_digits, draw_hand

EPOCHS, EXAMPLES, BATCH, HELD_OUT = 20, 240, 24, 200
STEPS = EXAMPLES // BATCH
UNITS, CLASSES = 32, 10

HEALTHY = "healthy"
NAMES = (
    "train_loss",
    "val_loss",
    "train_accuracy",
    "val_accuracy",
    "grad_norm",
    "update_ratio",
    "lr",
    "step_loss",
)
"""What a history holds."""
KINDS = ("clear", "mild", "look-alike")


@dataclass(frozen=True)
class Treatment:
    """How a patient is trained.

    Attributes:
        lr: learning rate at the first epoch.
        fall: the rate is multiplied by it after every epoch.
        epochs_of_warm_up: over so many epochs the rate rises to `lr` first.
        bias: what the hidden biases start with; far below 0 no unit ever answers.
        wrong_labels: the share of training labels that belong to other images.
        shuffled: whether each epoch has an order of its own; otherwise examples stand sorted by class.
        forgets: whether gradients are set to 0 before each step; otherwise they pile up.
        dropout: probability of dropping a hidden unit.
        examples: how many different training images there are, at most EXAMPLES; they are repeated to fill an epoch.
    """

    lr: float = 0.5
    fall: float = 1.0
    epochs_of_warm_up: int = 0
    bias: float = 0.0
    wrong_labels: float = 0.0
    shuffled: bool = True
    forgets: bool = True
    dropout: float = 0.0
    examples: int = EXAMPLES

    def rate(self, epoch: int) -> float:
        """The learning rate in an epoch, counted from 0."""
        if epoch < self.epochs_of_warm_up:
            return self.lr * (epoch + 1) / (self.epochs_of_warm_up + 1)
        return float(self.lr * self.fall ** (epoch - self.epochs_of_warm_up))


@dataclass(frozen=True)
class Patient:
    """A run to be looked at.

    Attributes:
        illness: what was done to it: a key of `ILLNESSES`.
        history: arrays by name. One value an epoch, after it: "train_loss", "val_loss", "train_accuracy",
            "val_accuracy" (0 to 1). One value an epoch, mean over its steps: "grad_norm", the norm of the gradient that
            the step was taken with; "update_ratio", the norm of the step by that of the weights; "lr". A value a step:
            "step_loss", the loss of each mini-batch before its step. Losses are those on the data alone.
    """

    illness: str
    history: Mapping[str, Array]


Draw = Callable[[str, np.random.Generator], Treatment]


def _between(rng: np.random.Generator, low: float, high: float) -> float:
    """A number between two others, evenly in powers of ten."""
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def _too_high(kind: str, rng: np.random.Generator) -> Treatment:
    return Treatment(lr=_between(rng, 10, 40) if kind == "clear" else _between(rng, 4, 8))


def _too_low(kind: str, rng: np.random.Generator) -> Treatment:
    if kind == "look-alike":  # the rate stands still after a warm-up, as low as before
        return Treatment(lr=_between(rng, 0.004, 0.008), epochs_of_warm_up=3)
    return Treatment(lr=_between(rng, 0.0005, 0.002) if kind == "clear" else _between(rng, 0.004, 0.008))


def _dead(kind: str, rng: np.random.Generator) -> Treatment:
    if kind == "look-alike":  # a rate so low that it could be taken for the cause
        return Treatment(lr=_between(rng, 0.005, 0.02), bias=-20)
    return Treatment(lr=_between(rng, 0.2, 0.5), bias=-20 if kind == "clear" else -12)


def _wrong(kind: str, rng: np.random.Generator) -> Treatment:
    share = {"clear": 1.0, "mild": 0.9, "look-alike": 1.0}[kind]
    lr = _between(rng, 0.5, 0.8) if kind != "look-alike" else _between(rng, 0.2, 0.3)
    return Treatment(lr=lr, wrong_labels=share)


def _overfits(kind: str, rng: np.random.Generator) -> Treatment:
    few = int(rng.integers(14, 19) if kind == "clear" else rng.integers(22, 27))
    return Treatment(lr=_between(rng, 0.4, 0.6), examples=few, fall=0.93 if kind == "look-alike" else 1.0)


def _sorted(kind: str, rng: np.random.Generator) -> Treatment:
    return Treatment(lr=_between(rng, 0.2, 0.4) if kind == "clear" else _between(rng, 0.05, 0.1), shuffled=False)


def _piles(kind: str, rng: np.random.Generator) -> Treatment:
    low, high = {"clear": (0.1, 0.3), "mild": (0.01, 0.02), "look-alike": (0.002, 0.004)}[kind]
    return Treatment(lr=_between(rng, low, high), forgets=False)


def _falls_too_soon(kind: str, rng: np.random.Generator) -> Treatment:
    fall = {"clear": (0.2, 0.3), "mild": (0.35, 0.45), "look-alike": (0.35, 0.45)}[kind]
    return Treatment(
        lr=_between(rng, 0.3, 0.5), fall=_between(rng, *fall), epochs_of_warm_up=2 if kind == "look-alike" else 0
    )


def _healthy(kind: str, rng: np.random.Generator) -> Treatment:
    lr = _between(rng, 0.3, 0.5)
    if kind == "clear":
        return Treatment(lr=lr)
    if kind == "mild":  # training is harder with dropout than validation without
        return Treatment(lr=lr, dropout=0.3)
    return Treatment(lr=_between(rng, 0.4, 0.5), fall=0.88, epochs_of_warm_up=3)


ILLNESSES: Mapping[str, Draw] = {
    "rate too high": _too_high,
    "rate too low": _too_low,
    "dead units": _dead,
    "wrong labels": _wrong,
    "overfitting": _overfits,
    "not shuffled": _sorted,
    "gradients pile up": _piles,
    "rate falls too soon": _falls_too_soon,
    HEALTHY: _healthy,
}
"""How each illness is given to a patient: clear, mild, or so that it looks like another. The last is none."""


def admit(illnesses: Sequence[str], rng: np.random.Generator, kind: str = "clear") -> list[Patient]:
    """Train a patient for each name.

    Args:
        illnesses: keys of `ILLNESSES`, as often as wanted.
        rng: where everything is drawn from.
        kind: "clear", "mild" or "look-alike".

    Raises:
        ValueError: no illnesses, an unknown one, or another kind.
    """
    unknown = [name for name in illnesses if name not in ILLNESSES]
    if unknown or not illnesses or kind not in KINDS:
        raise ValueError(
            f"admit got {list(illnesses)} and kind={kind!r}; it knows {', '.join(ILLNESSES)}, and {', '.join(KINDS)}."
        )
    return treat(illnesses, [ILLNESSES[name](kind, rng) for name in illnesses], rng)


def treat(illnesses: Sequence[str], treatments: Sequence[Treatment], rng: np.random.Generator) -> list[Patient]:
    """Train a patient for each treatment, called by the names given."""
    runs = _train(treatments, rng)
    return [Patient(name, history) for name, history in zip(illnesses, runs, strict=True)]


def _train(treatments: Sequence[Treatment], rng: np.random.Generator) -> list[dict[str, Array]]:
    """Train all patients side by side: every array has one row a patient, and single precision."""
    P = len(treatments)
    X, y, X_val, y_val = (np.stack(part) for part in zip(*(_data(each, rng) for each in treatments), strict=True))
    theta = _first_weights(treatments, rng)
    piled = [np.zeros_like(part) for part in theta]
    kept = _each(treatments, lambda t: 0.0 if t.forgets else 1.0)
    p = _each(treatments, lambda t: t.dropout)
    rows = np.arange(P)[:, None]
    found: dict[str, list[Array]] = {name: [] for name in NAMES}
    with np.errstate(all="ignore"):
        for epoch in range(EPOCHS):
            lr = np.array([t.rate(epoch) for t in treatments])
            order = np.stack([_order(t, labels, rng) for t, labels in zip(treatments, y, strict=True)])
            norms, ratios = [], []
            for at in np.split(order, STEPS, axis=1):
                kept_units = rng.random((P, BATCH, UNITS), dtype=np.float32) >= p
                loss, grads = _gradients(theta, X[rows, at], y[rows, at], kept_units / (1 - p))
                piled = [kept * old + new for old, new in zip(piled, grads, strict=True)]
                norms.append(_norm(piled))
                ratios.append(lr * norms[-1] / _norm(theta))
                found["step_loss"].append(loss)
                for part, slope in zip(theta, piled, strict=True):
                    part -= (lr.astype(np.float32)[:, None, None] * slope).astype(np.float32)
            for name, inputs, labels in (("train", X, y), ("val", X_val, y_val)):
                loss, right = _measured(theta, inputs, labels)
                found[f"{name}_loss"].append(loss)
                found[f"{name}_accuracy"].append(right)
            for name, values in (("grad_norm", norms), ("update_ratio", ratios)):
                found[name].append(np.mean(values, axis=0))
            found["lr"].append(lr)
    return [{name: np.array([values[i] for values in found[name]], np.float64) for name in NAMES} for i in range(P)]


def _each(treatments: Sequence[Treatment], of: Callable[[Treatment], float]) -> Array:
    """A number of each treatment, shape (P, 1, 1)."""
    return np.array([of(t) for t in treatments], np.float32)[:, None, None]


def _first_weights(treatments: Sequence[Treatment], rng: np.random.Generator) -> list[Array]:
    P = len(treatments)
    W1 = np.sqrt(2 / 64) * rng.standard_normal((P, 64, UNITS))
    W2 = np.sqrt(1 / UNITS) * rng.standard_normal((P, UNITS, CLASSES))
    b1 = np.zeros((P, 1, UNITS)) + _each(treatments, lambda t: t.bias)
    return [part.astype(np.float32) for part in (W1, b1, W2, np.zeros((P, 1, CLASSES)))]


def _order(t: Treatment, labels: IntArray, rng: np.random.Generator) -> IntArray:
    """The order of the examples in an epoch: by chance, or by class and by chance within one."""
    chance = rng.random(EXAMPLES)
    order: IntArray = np.argsort(chance if t.shuffled else labels + chance)
    return order


def _data(t: Treatment, rng: np.random.Generator) -> tuple[Array, IntArray, Array, IntArray]:
    hands = [draw_hand(rng)]
    X, y = draw_digits(EXAMPLES + HELD_OUT, rng, hands, spread=0.5)
    X, X_val, y, y_val = X[:EXAMPLES], X[EXAMPLES:], y[:EXAMPLES], y[EXAMPLES:]
    X, y = np.resize(X[: t.examples], X.shape), np.resize(y[: t.examples], y.shape)
    wrong = rng.permutation(EXAMPLES)[: round(t.wrong_labels * EXAMPLES)]
    y[np.sort(wrong)] = y[wrong]
    return X, y, X_val, y_val


def _norm(parts: Sequence[Array]) -> Array:
    return np.asarray(np.sqrt(sum((part**2).sum(axis=(1, 2)) for part in parts)))


def _forward(theta: Sequence[Array], x: Array, mask: Any = 1.0) -> tuple[Array, Array]:
    hidden = np.maximum(x @ theta[0] + theta[1], 0) * mask
    return hidden, hidden @ theta[2] + theta[3]


def _log_softmax(scores: Array) -> Array:
    scores = scores - scores.max(axis=-1, keepdims=True)
    return np.asarray(scores - np.log(np.exp(scores).sum(axis=-1, keepdims=True)))


def _gradients(theta: Sequence[Array], x: Array, labels: IntArray, mask: Array) -> tuple[Array, list[Array]]:
    hidden, scores = _forward(theta, x, mask)
    logs = _log_softmax(scores)
    target = labels[..., None] == np.arange(CLASSES)
    dscores = (np.exp(logs) - target) / labels.shape[1]
    dhidden = dscores @ np.swapaxes(theta[2], 1, 2) * mask * (hidden > 0)
    grads = [
        np.swapaxes(x, 1, 2) @ dhidden,
        dhidden.sum(axis=1, keepdims=True),
        np.swapaxes(hidden, 1, 2) @ dscores,
        dscores.sum(axis=1, keepdims=True),
    ]
    return -np.where(target, logs, 0).sum(axis=-1).mean(axis=1), grads


def _measured(theta: Sequence[Array], x: Array, labels: IntArray) -> tuple[Array, Array]:
    logs = _log_softmax(_forward(theta, x)[1])
    loss = -np.take_along_axis(logs, labels[..., None], axis=-1)[..., 0].mean(axis=1)
    return loss, (logs.argmax(axis=-1) == labels).mean(axis=1)
