"""What a learner commits to before anything can be moved."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from course_lib.explore.scene import number


@dataclass(frozen=True)
class Prediction:
    """A question that is answered before the controls open.

        Prediction("Who gains most from a rate of its own?", ["SGD", "AdaGrad", "Adam"])
        Prediction("What will the gradient along w be?", low=-10, high=10)

    Attributes:
        question: a sentence.
        choices: the answers to choose from; empty: a number is asked.
        low, high: between which the number should lie.
        unit: what follows the number.
    """

    question: str
    choices: Sequence[str] = ()
    low: float = -math.inf
    high: float = math.inf
    unit: str = ""

    def __post_init__(self) -> None:
        if not self.question.strip():
            raise ValueError("question is empty; ask for something that moving the controls will answer.")
        if len(self.choices) == 1 or len(set(self.choices)) < len(self.choices):
            raise ValueError(f"choices is {list(self.choices)}; give at least two, each once, or none for a number.")

    def read(self, given: object) -> str:
        """The answer as it will be shown.

        Args:
            given: one of the choices, or what was typed where a number is asked; a comma may stand for the point.

        Raises:
            ValueError: anything else, with a sentence for the learner.
        """
        said = str(given).strip()
        if self.choices:
            if said not in self.choices:
                raise ValueError("Choose one of the answers first, or go on without a prediction.")
            return said
        try:
            value = float(said.replace("\u2212", "-").replace(",", "."))
        except ValueError:
            value = math.nan
        if not (math.isfinite(value) and self.low <= value <= self.high):
            raise ValueError(f"{said or 'Nothing'} is not {self._range()}. Type one, such as {self._example()}.")
        return number(value, 6) + self.unit

    def _range(self) -> str:
        if math.isinf(self.low) and math.isinf(self.high):
            return "a number"
        if math.isinf(self.high):
            return f"a number from {number(self.low)} up"
        if math.isinf(self.low):
            return f"a number up to {number(self.high)}"
        return f"a number from {number(self.low)} to {number(self.high)}"

    def _example(self) -> str:
        return number(min(max(0.5, self.low), self.high))

    def wire(self) -> dict[str, object]:
        """What the page gets."""
        return {"question": self.question, "choices": list(self.choices), "unit": self.unit}
