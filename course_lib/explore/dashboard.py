"""A dashboard: press Train and watch losses, accuracies, the gradient and the size of the steps as the run goes.

    Dashboard(globals())

The learner's own `diagnose`, looked up anew at every move, says what it thinks of the run; until it is written, and
where it stops with an error, the course's does.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from course_lib._typing import Array, IntArray
from course_lib.clinic import BATCH, EPOCHS, EXAMPLES, HELD_OUT, UNITS
from course_lib.exercises import capstone
from course_lib.explore.controls import Button, Choice, Rows, Slider, Stops, Toggle
from course_lib.explore.exploration import Exploration
from course_lib.explore.marks import Line, Mark, Rule
from course_lib.explore.prediction import Prediction
from course_lib.explore.scene import Panel, Scene, number
from course_lib.losses import accuracy, softmax_cross_entropy
from course_lib.network import MLP
from course_lib.optimizers import SGD, Adam, Optimizer
from course_lib.regularizers import L2
from course_lib.stroke_digits import draw_digits

PLAIN, MOMENTUM, ADAM = "SGD", "SGD with momentum 0.9", "Adam"
CHANCE = float(np.log(10))
"""The loss of guessing among ten classes."""
MOST = 1e4
"""Losses and norms above this are drawn as this."""


@dataclass(frozen=True)
class Settings:
    """All that one run depends on; the seed is always the same, so that one change is one change."""

    lr: float = 0.3
    optimizer: str = PLAIN
    batch_size: int = BATCH
    dropout: float = 0.0
    penalty: float = 0.0
    shuffled: bool = True
    paired: bool = True

    def told(self) -> str:
        """In words, what differs from a plain run left out."""
        words = [f"{self.optimizer} at rate {number(self.lr, 2)}", f"batches of {self.batch_size}"]
        words += [f"dropout {self.dropout:g}"] * (self.dropout > 0) + [f"L2 {self.penalty:g}"] * (self.penalty > 0)
        words += ["examples sorted"] * (not self.shuffled) + ["labels mixed up"] * (not self.paired)
        return ", ".join(words)


@cache
def images() -> tuple[Array, IntArray, Array, IntArray]:
    """Training and validation images with their labels: one hand, as in the clinic."""
    X, y = draw_digits(EXAMPLES + HELD_OUT, np.random.default_rng(3), spread=0.5)
    X = X.astype(np.float64)
    return X[:EXAMPLES], y[:EXAMPLES], X[EXAMPLES:], y[EXAMPLES:]


def train_along(settings: Settings) -> Iterator[dict[str, Array]]:
    """Train, and give the history, as in `clinic.Patient`, after every epoch; it ends where something is not finite."""
    rng = np.random.default_rng(0)
    X, y, X_val, y_val = images()
    labels = y if settings.paired else rng.permutation(y)
    model = MLP([64, UNITS, 10], rng=rng, dtype=np.float64, dropout=settings.dropout)
    opt: Optimizer
    if settings.optimizer == ADAM:
        opt = Adam(model.parameters, lr=settings.lr)
    else:
        opt = SGD(model.parameters, lr=settings.lr, momentum=0.9 if settings.optimizer == MOMENTUM else 0.0)
    penalty = L2(settings.penalty)
    found: dict[str, list[float]] = {}
    for _ in range(EPOCHS):
        order = rng.permutation(EXAMPLES) if settings.shuffled else np.argsort(labels + rng.random(EXAMPLES))
        norms, ratios = [], []
        for start in range(0, EXAMPLES, settings.batch_size):
            rows = order[start : start + settings.batch_size]
            loss, dout = softmax_cross_entropy(model.forward(X[rows]), labels[rows])
            model.backward(dout)
            penalty.add_gradient(model.parameters)
            before = model.parameters.theta.copy()
            opt.step()
            norms.append(float(np.linalg.norm(model.parameters.grad)))
            ratios.append(float(np.linalg.norm(model.parameters.theta - before) / np.linalg.norm(before)))
            found.setdefault("step_loss", []).append(float(loss))
        for name, inputs, right in (("train", X, labels), ("val", X_val, y_val)):
            scores = model.evaluate(inputs)
            found.setdefault(f"{name}_loss", []).append(float(softmax_cross_entropy(scores, right)[0]))
            found.setdefault(f"{name}_accuracy", []).append(accuracy(scores, right))
        for name, value in (("grad_norm", np.mean(norms)), ("update_ratio", np.mean(ratios)), ("lr", settings.lr)):
            found.setdefault(name, []).append(float(value))
        yield {name: np.array(values) for name, values in found.items()}
        if not np.isfinite(model.parameters.theta).all():
            return


class Dashboard(Exploration):
    """Set a run up, train it, and read its chart; the run before stays in grey.

    Args:
        namespace: where the learner's `diagnose` is looked up, at every move; in a notebook `globals()`.

    Attributes:
        rate, optimizer, batch, dropout, penalty, shuffled, paired: the settings of the next run.
        train: the button that trains.
    """

    name = "A training dashboard"

    def __init__(self, namespace: Mapping[str, Any] | None = None) -> None:
        self.rate = Slider("learning rate", 0.3, low=0.0001, high=100, step=0.25, log=True)
        self.optimizer = Choice("optimizer", [PLAIN, MOMENTUM, ADAM])
        self.batch = Stops("batch size", BATCH, [4, 12, BATCH, 60, EXAMPLES])
        self.dropout = Slider("dropout", 0.0, low=0.0, high=0.8, step=0.1)
        self.penalty = Slider("L2", 0.0, low=0.0, high=0.5, step=0.05)
        self.shuffled = Toggle("shuffle the examples")
        self.paired = Toggle("each label with its image")
        self.train = Button("Train", self._train, f"Train for {EPOCHS} epochs with these settings")
        self._settings = Settings()
        self._history: dict[str, Array]
        self._before: dict[str, Array] = {}
        question = (
            "This run, at rate 0.3, is healthy. You train again at rate 30, and change nothing else. Where will the "
            "training loss be in the end?"
        )
        choices = ["lower than now", "about as low as now", "above 2.3, the loss of guessing"]
        *_, self._history = train_along(self._settings)
        rows: Rows = [
            [self.rate, self.optimizer, self.batch],
            [self.dropout, self.penalty, self.shuffled, self.paired],
            [self.train],
        ]
        super().__init__(rows, namespace, Prediction(question, choices))

    @property
    def settings(self) -> Settings:
        """What the next run will be trained with."""
        return Settings(
            lr=float(self.rate.value),
            optimizer=self.optimizer.value,
            batch_size=int(self.batch.value),
            dropout=round(float(self.dropout.value), 2),
            penalty=round(float(self.penalty.value), 2),
            shuffled=self.shuffled.value,
            paired=self.paired.value,
        )

    def _train(self) -> None:
        self._before, self._settings = self._history, self.settings
        with np.errstate(all="ignore"):
            for history in train_along(self._settings):
                self._history = history
                self.redraw()

    def came_out(self) -> str | None:
        """Where the loss went, once a run at a rate of 30 or so has ended."""
        s, ended = self._settings, len(self._history["train_loss"]) == EPOCHS
        if not ended or s != Settings(lr=s.lr) or not 20 < s.lr < 50:
            return None
        loss = self._history["train_loss"][-1]
        return (
            f"{number(loss, 2)}, {'above' if loss > CHANCE else 'below'} 2.3. The first epoch threw the weights far "
            "away; what is left of the network answers nothing."
        )

    def _diagnosis(self) -> str:
        """What the learner's function, or the course's, says of this run."""
        own = self.own("diagnose")
        history = {name: values.copy() for name, values in self._history.items()}
        if own is not None:
            try:
                with self.limited("diagnose"):
                    return f"Your diagnose says: {str(own(history))[:60]}."
            except NotImplementedError:
                pass
            except Exception as error:  # noqa: BLE001 - whatever a learner's code raises becomes a sentence
                said = f"{type(error).__name__}: {error}"[:200]
                return f"Your diagnose stopped with {said}. The course's says: {capstone.diagnose(self._history)}."
        return f"diagnose is not written yet; the course's says: {capstone.diagnose(self._history)}."

    def scene(self) -> Scene:
        """The chart of the last run, with the run before it in grey."""
        h = self._history
        epochs = len(h["train_loss"])
        said = (
            f"{self._settings.told()}. After {epochs} epochs: loss {number(h['train_loss'][-1], 2)} in training and "
            f"{number(h['val_loss'][-1], 2)} in validation, {h['train_accuracy'][-1]:.0%} and "
            f"{h['val_accuracy'][-1]:.0%} right."
        )
        told = [said]
        if epochs == EPOCHS:
            told.append(self._diagnosis())
        elif not np.isfinite(h["train_loss"][-1]):
            told.append("Something is not finite, so the run ended.")
        if self.settings != self._settings:
            told.append(f"Set for the next run: {self.settings.told()}. Press Train.")
        alt = (
            "Four charts against the epoch: losses, accuracies, norm of the gradient, and size of a step beside the "
            f"weights. {said}"
        )
        return Scene(self._panels(), alt, told)

    def _panels(self) -> list[Panel]:
        return [
            self._panel("loss", [("train_loss", "blue", "training"), ("val_loss", "vermillion", "validation")], CHANCE),
            self._panel("accuracy", [("train_accuracy", "blue", ""), ("val_accuracy", "vermillion", "")], log=False),
            self._panel("gradient: norm", [("grad_norm", "green", "")]),
            self._panel("step / weights", [("update_ratio", "purple", "")]),
        ]

    def _panel(
        self, title: str, lines: list[tuple[str, str, str]], rule: float | None = None, *, log: bool = True
    ) -> Panel:
        marks: list[Mark] = [] if rule is None else [Rule(y=rule, look="grey", label="guessing")]
        low, high = (1e-6, MOST) if log else (0.0, 1.0)
        seen = []
        for history, before in ((self._before, True), (self._history, False)):
            for name, look, label in lines:
                if name not in history:
                    continue
                values = np.clip(np.nan_to_num(history[name], nan=MOST, posinf=MOST), low, high)
                seen.append(values)
                label = "the run before" if before and name == "train_loss" else "" if before else label
                places = np.arange(1, len(values) + 1)
                marks.append(Line(places, values, "grey" if before else look, label, width=1.2 if before else 2.0))
        ends = (float(min(map(np.min, seen))) / 1.5, float(max(map(np.max, seen))) * 1.5) if log else (0.0, 1.02)
        if rule is not None:
            ends = min(ends[0], rule / 3), max(ends[1], 2 * rule)
        return Panel(marks, title, "epoch", "", xlim=(0.5, EPOCHS + 0.5), ylim=ends, ylog=log, height=230)
