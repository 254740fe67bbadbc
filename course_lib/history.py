"""What a training run was like, and where it stands."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from math import ceil
from typing import TYPE_CHECKING, Any

import numpy as np

from ._typing import IntArray
from .parameters import check_keys

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass
class History:
    """What a run was like, step by step and epoch by epoch.

    All losses are the loss on the data alone, so that training and validation can be compared: a penalty is never in
    them. It stands beside them, in `step_penalty`.

    Attributes:
        step_loss: loss of each mini-batch, before the step it led to.
        step_lr: learning rate of each step.
        step_penalty: sum of all penalties before each step; empty without regularizers.
        step_grad_norm: norm of the gradient (penalties included) before it was clipped; empty without `clip_norm`.
        train_loss, train_accuracy: over all training examples, after each epoch, in evaluation mode.
        val_loss, val_accuracy: the same over the validation examples; empty when there are none.
        stopped: a sentence when the run ended early, otherwise empty.
        examples, batch_size: how many examples there are, and how many of them a step takes; 0 before a run.
        order: the order of all examples in an epoch that was begun and not finished, shape (examples,), else None.

    Accuracies go from 0 to 1 and are empty when the targets are not class labels.
    """

    step_loss: list[float] = field(default_factory=list)
    step_lr: list[float] = field(default_factory=list)
    step_penalty: list[float] = field(default_factory=list)
    step_grad_norm: list[float] = field(default_factory=list)
    train_loss: list[float] = field(default_factory=list)
    train_accuracy: list[float] = field(default_factory=list)
    val_loss: list[float] = field(default_factory=list)
    val_accuracy: list[float] = field(default_factory=list)
    stopped: str = ""
    examples: int = 0
    batch_size: int = 0
    order: IntArray | None = field(default=None, compare=False)  # arrays do not compare with one truth

    @property
    def epochs(self) -> int:
        """How many epochs were finished."""
        return len(self.train_loss)

    @property
    def steps(self) -> int:
        """How many mini-batches were seen."""
        return len(self.step_loss)

    @property
    def steps_per_epoch(self) -> int:
        """How many mini-batches an epoch has; 0 before a run."""
        return ceil(self.examples / self.batch_size) if self.batch_size else 0

    @property
    def monitored_loss(self) -> float:
        """The loss to stop or slow down by: the last validation loss, or training loss where there is none."""
        return (self.val_loss or self.train_loss)[-1]

    def plot(self) -> "Figure":
        """Losses, accuracies, and the rate where it varied, in the house style.

        Hand the figure to `figures.show(fig, alt=...)`.

        Raises:
            ValueError: no epoch was finished.
        """
        from .figures import learning_curves

        return learning_curves(self)

    def state_dict(self) -> dict[str, Any]:
        """Copies of everything above, for `checkpoint.save`."""
        state = {entry.name: getattr(self, entry.name) for entry in fields(self)}
        return {name: value if isinstance(value, str | int | None) else value.copy() for name, value in state.items()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over a state kept by `state_dict`.

        Raises:
            ValueError: an entry is missing or unknown, or is not what such an entry can be. Nothing is changed then.
        """
        check_keys("History.load_state_dict", self.state_dict(), state)
        found: dict[str, Any] = {}
        try:
            for name, mine in self.state_dict().items():
                value = state[name]
                if isinstance(mine, list):
                    found[name] = [float(item) for item in value]
                elif name == "order":
                    found[name] = None if value is None else np.array(value, np.int64)
                else:
                    found[name] = type(mine)(value)
        except (TypeError, ValueError) as error:
            raise ValueError(f"History.load_state_dict: {name} cannot be {value!r}: {error}") from error
        for name, value in found.items():
            setattr(self, name, value)

    def __repr__(self) -> str:
        text = f"History: {self.epochs} epochs, {self.steps:,} steps"
        for name, loss, share in (
            ("training", self.train_loss, self.train_accuracy),
            ("validation", self.val_loss, self.val_accuracy),
        ):
            if loss:
                text += f"; {name} loss {loss[-1]:.4g}" + (f", accuracy {share[-1]:.1%}" if share else "")
        return f"{text}. {self.stopped}" if self.stopped else text
