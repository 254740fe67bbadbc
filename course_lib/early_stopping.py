"""Stop when the validation loss has stopped falling, and go back to the best weights."""

from collections.abc import Mapping
from math import inf
from typing import Any, Protocol

import numpy as np

from ._ranges import number, whole
from .parameters import check_keys


class HasState(Protocol):
    """What can be kept and restored; every network is such."""

    def state_dict(self) -> dict[str, Any]: ...
    def load_state_dict(self, state: Mapping[str, Any], /) -> None: ...


class Monitored(Protocol):
    """What `EarlyStopping` reads as a callback of `fit`; `History` is one."""

    @property
    def monitored_loss(self) -> float: ...


class EarlyStopping:
    """Says when a value, such as the validation loss, has not improved for `patience` values in a row.

    A value improves when it is below `best - min_delta`. NaN is below nothing, so it counts as not improving.

    By hand:

        stopping = EarlyStopping(patience=5)
        if stopping.step(validation_loss):
            break

    As a callback, `fit(..., callbacks=[EarlyStopping(5, model=model)])`, it reads the validation loss after every epoch
    (the training loss where nothing is validated), and when the run is over the model has the best weights again. An
    interrupted run is not over: it keeps the weights it has, so that it can go on.

    Source: Prechelt 1998, Early Stopping: But When?, criterion UP in its simplest form.

    Args:
        patience: how many values in a row may fail to improve, at least 1; the last of them stops the run.
        min_delta: by how much more than nothing a value must fall to count, at least 0.
        model: whose best state to keep and restore; without it only the values are watched.

    Attributes:
        best: the lowest value that counted, infinite before the first.
        best_step: which value that was, counted from 0; -1 before the first.
        steps: how many values were seen.

    Raises:
        ValueError: a value outside its range.
        TypeError: a patience that is no whole number, a min_delta that is no number.
    """

    def __init__(self, patience: int, min_delta: float = 0.0, *, model: HasState | None = None) -> None:
        self.patience = whole("EarlyStopping", "patience", patience, at_least=1)
        self.min_delta = number("EarlyStopping", "min_delta", min_delta, at_least=0)
        self.model = model
        self.best = inf
        self.best_step = -1
        self.steps = 0
        self._stopped = False
        self._best_state: dict[str, Any] | None = None

    def step(self, value: float) -> bool:
        """Take in the next value; True once it is time to stop, and from then on."""
        if value < self.best - self.min_delta:
            self.best, self.best_step = float(value), self.steps
            if self.model is not None:
                self._best_state = _arrays(self.model.state_dict())
        self.steps += 1
        if self.steps - 1 - self.best_step >= self.patience:
            self._stopped = True
        return self._stopped

    def restore(self) -> None:
        """Give the model back the weights (and running statistics) it had at the best value.

        Generators, such as dropout's, stay where they are: going back in time would repeat old draws.

        Raises:
            RuntimeError: there is no model, or no value was ever the best.
        """
        if self.model is None:
            raise RuntimeError(
                "EarlyStopping has no model to restore; give it one, as in EarlyStopping(5, model=model)."
            )
        if self._best_state is None:
            raise RuntimeError("EarlyStopping has no weights to restore; call step(value) with a finite value first.")
        self.model.load_state_dict(self.model.state_dict() | self._best_state)

    def __call__(self, history: Monitored) -> bool:
        """The callback for `fit`, after every epoch."""
        return self.step(history.monitored_loss)

    def at_end(self) -> None:
        """For `fit`, when the run is over: back to the best weights, where they are kept."""
        if self._best_state is not None:
            self.restore()

    def state_dict(self) -> dict[str, Any]:
        """Everything `step` depends on, the best weights included."""
        kept = None if self._best_state is None else {name: a.copy() for name, a in self._best_state.items()}
        return {
            "patience": self.patience,
            "min_delta": self.min_delta,
            "best": self.best,
            "best_step": self.best_step,
            "steps": self.steps,
            "stopped": self._stopped,
            "best_state": kept,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over a state kept by `state_dict`.

        Raises:
            ValueError: an entry is missing or unknown, or the best weights do not fit the model, or there are some and
                no model. Nothing is changed then.
        """
        check_keys("EarlyStopping.load_state_dict", self.state_dict(), state)
        kept = state["best_state"]
        if kept is not None:
            if self.model is None:
                raise ValueError(
                    "the state holds best weights, but there is no model; use EarlyStopping(..., model=model)."
                )
            mine = _arrays(self.model.state_dict())
            check_keys("EarlyStopping.load_state_dict: best_state", mine, kept)
            for name, array in mine.items():
                if array.shape != np.shape(kept[name]):
                    raise ValueError(
                        f"EarlyStopping.load_state_dict: {name} has shape {np.shape(kept[name])}; "
                        f"the model needs {array.shape}."
                    )
            kept = {name: np.array(array) for name, array in kept.items()}
        self.patience, self.min_delta = state["patience"], state["min_delta"]
        self.best, self.best_step, self.steps = state["best"], state["best_step"], state["steps"]
        self._stopped, self._best_state = state["stopped"], kept

    def __repr__(self) -> str:
        text = f"EarlyStopping(patience={self.patience}, min_delta={self.min_delta:g})"
        return text if self.best_step < 0 else f"{text}: best {self.best:.4g} at {self.best_step}, {self.steps} seen"


def _arrays(state: Mapping[str, Any]) -> dict[str, Any]:
    """The entries that were learned; what is left out are the states of generators."""
    return {name: value for name, value in state.items() if isinstance(value, np.ndarray)}
