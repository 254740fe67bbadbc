"""Lesson 10: right answers as other people write them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from course_lib.exercises.capstone import build_model, shifted, train
from course_lib.network import MLP
from course_lib.optimizers import SGD, Adam, AdamW
from course_lib.schedulers import CosineAnnealingLR, OneCycleLR
from course_lib.training import fit


def diagnose_by_endings(history: Any) -> str:
    """From what a run has learned back to why."""
    h = {name: np.asarray(values) for name, values in history.items()}
    known, apart = h["train_accuracy"][-1], h["val_loss"][-1] - h["train_loss"][-1]
    longest = h["grad_norm"].max()
    if h["grad_norm"][-1] / h["grad_norm"][0] > 2.5:
        return "gradients pile up"
    if longest < 0.5:
        return "dead units"
    if h["update_ratio"].max() > 0.25:
        return "rate too high"
    if longest > 1.8:
        return "not shuffled"
    if h["lr"][-1] < 1e-4 * h["lr"].max():
        return "rate falls too soon"
    if h["lr"].max() < 0.05:
        return "rate too low"
    if known < 0.8:
        return "wrong labels"
    return "overfitting" if apart > 0.27 else "healthy"


def diagnose_table(history: Any) -> str:
    """All signs first, then the first that holds."""
    first, last, top = (history["grad_norm"][i] for i in (0, -1, np.argmax(history["grad_norm"])))
    step = history["update_ratio"]
    signs = {
        "gradients pile up": last > 4 * first,
        "rate too high": step[0] > 0.15,
        "dead units": top < 0.3,
        "not shuffled": top > 2,
        "rate falls too soon": min(history["lr"]) / max(history["lr"]) < 0.001,
        "rate too low": max(step) < 0.005,
        "wrong labels": history["train_accuracy"][-1] < 0.6,
        "overfitting": history["val_loss"][-1] / history["train_loss"][-1] > 9,
        "healthy": True,
    }
    return next(name for name, holds in signs.items() if holds)


def diagnose_in_logs(history: Any) -> str:
    log = {name: np.log10(np.maximum(values, 1e-30)) for name, values in history.items()}
    norm, ratio = log["grad_norm"], log["update_ratio"]
    if norm[-1] - norm[0] > 0.5:
        return "gradients pile up"
    if ratio[0] > -0.7:
        return "rate too high"
    if norm.max() < -0.4:
        return "dead units"
    if norm.max() > 0.28:
        return "not shuffled"
    if log["lr"][-1] - log["lr"].max() < -3:
        return "rate falls too soon"
    if ratio.max() < -2.5:
        return "rate too low"
    if log["train_accuracy"][-1] < -0.2:
        return "wrong labels"
    return "overfitting" if log["val_loss"][-1] - log["train_loss"][-1] > 0.95 else "healthy"


def diagnose_float32(history: Any) -> str:
    from course_lib.exercises.capstone import diagnose

    return diagnose({name: np.asarray(values, np.float32) for name, values in history.items()})


def build_deep(rng: Any) -> Any:
    return MLP([64, 100, 100, 10], rng=rng, dropout=0.1)


def build_double(rng: Any) -> Any:
    return MLP([64, 32, 10], rng=rng, dtype=np.float64)


def build_linear(rng: Any) -> Any:
    return MLP([64, 10], rng=rng)


class Own:
    """A network of somebody's own, that keeps what it needs to prepare its inputs, and takes labels from a list."""

    def __init__(self, rng: Any) -> None:
        self.W1 = rng.normal(0, np.sqrt(2 / 64), (64, 128))
        self.b1 = np.zeros(128)
        self.W2 = rng.normal(0, np.sqrt(1 / 128), (128, 10))
        self.b2 = np.zeros(10)

    def predict(self, X: Any) -> Any:
        scores = np.maximum(X @ self.W1 + self.b1, 0) @ self.W2 + self.b2
        return np.array([int(row.argmax()) for row in scores], dtype=np.uint8)


class Committee:
    """Two networks that vote."""

    def __init__(self, members: list[Any]) -> None:
        self.members = members

    def predict(self, X: Any) -> Any:
        return sum(member.predict_proba(X) for member in self.members).argmax(axis=1)


def train_one_cycle(model: Any, data: Any, rng: Any) -> Any:
    epochs, steps = 80, 10
    opt = AdamW(model.parameters, weight_decay=0.1)
    scheduler = OneCycleLR(opt, max_lr=0.02, total_steps=epochs * steps)
    history = None
    for epoch in range(epochs):
        X = shifted(data.X_train, rng)
        history = fit(
            model,
            X,
            data.y_train,
            opt,
            epochs=epoch + 1,
            batch_size=60,
            rng=rng,
            scheduler=scheduler,
            history=history,
            progress=False,
        )
    return model


def train_once_on_many_copies(model: Any, data: Any, rng: Any) -> Any:
    """All moved copies at once, in one call of `fit`."""
    X = np.concatenate([shifted(data.X_train, rng) for _ in range(30)])
    y = np.tile(data.y_train, 30)
    opt = Adam(model.parameters, lr=0.01)
    fit(model, X, y, opt, epochs=2, batch_size=50, rng=rng, scheduler=CosineAnnealingLR(opt, T_max=2), progress=False)
    fit(model, X, y, SGD(model.parameters, lr=0.02, momentum=0.9), epochs=1, batch_size=50, rng=rng, progress=False)
    return model


def train_a_committee(model: Any, data: Any, rng: Any) -> Any:
    return Committee([train(model, data, rng), train(build_model(rng), data, rng)])


def train_on_all(model: Any, data: Any, rng: Any) -> Any:
    """Once the recipe is chosen, the validation images may teach as well."""
    data.X_train = np.concatenate([data.X_train, data.X_val])
    data.y_train = np.concatenate([data.y_train, data.y_val])
    return train(model, data, rng)


RIGHT: dict[str, list[Callable[..., Any]]] = {
    "diagnose": [diagnose_by_endings, diagnose_table, diagnose_in_logs, diagnose_float32],
    "build_model": [build_deep, build_double, build_linear, Own],
    "train": [train_one_cycle, train_once_on_many_copies, train_a_committee, train_on_all],
}
