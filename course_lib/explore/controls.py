"""What a learner moves: sliders, choices, tick boxes, buttons, and points to drag, each with a label of its own.

    self.rate = Slider("learning rate", 0.1, low=0.001, high=1, log=True)
    self.start = Point("start", (-1.5, 0.8), xlim=(-2, 2), ylim=(-1, 1), step=0.1)

A control's `value` may also be set from Python; whatever it belongs to then shows the new value. In the page they are
the browser's own controls, a point being one that answers to the pointer and to the arrow keys.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any


class Control:
    """A control with a label.

    Args:
        label: its name, for the eye and for screen readers; its own in every exploration.

    Raises:
        ValueError: an empty label.
    """

    def __init__(self, label: str) -> None:
        if not label.strip():
            raise ValueError("label is empty; every control needs a name that says what it moves.")
        self.label = label
        self.at_once: Callable[[], AbstractContextManager[None]] = nullcontext
        """Within this block it is changed; at the end of the outermost one an exploration shows what has become."""

    def take(self, sent: Any) -> None:
        """What the page sent, if it makes sense: it may be late, or not come from our page at all."""
        raise NotImplementedError

    def wire(self) -> dict[str, Any]:
        """What the page gets."""
        return {"kind": type(self).__name__.lower(), "label": self.label}


class Slider(Control):
    """A number between two ends.

    Args:
        label: see `Control`.
        value: at the start.
        low, high: the two ends.
        step: how far one press of an arrow key goes; with `log` in powers of ten. Whole, with whole ends: `value` is
            an int.
        log: whether it moves in powers of ten; both ends above 0.
        unit: what follows the number, such as "%".
    """

    def __init__(
        self,
        label: str,
        value: float,
        *,
        low: float,
        high: float,
        step: float | None = None,
        log: bool = False,
        unit: str = "",
    ) -> None:
        super().__init__(label)
        if not low < high or not math.isfinite(low) or not math.isfinite(high):
            raise ValueError(f"low is {low} and high is {high}; low must be below high, both finite.")
        if log and low <= 0:
            raise ValueError(f"low is {low}; a slider in powers of ten needs both ends above 0.")
        self.step: float = step if step is not None else 0.1 if log else (high - low) / 100
        if not self.step > 0:
            raise ValueError(f"step is {step}; it must be above 0.")
        self.log, self.unit = log, unit
        self._whole = not log and all(float(number).is_integer() for number in (low, high, self.step))
        self._low, self._high = float(low), float(high)
        self._value = 0.0
        self._put(value)

    @property
    def value(self) -> Any:
        """The number; an int where low, high and step are whole."""
        return round(self._value) if self._whole else self._value

    @value.setter
    def value(self, value: float) -> None:
        with self.at_once():
            self._put(value)

    @property
    def high(self) -> Any:
        """The upper end. Setting it below the value moves the value down."""
        return round(self._high) if self._whole else self._high

    @high.setter
    def high(self, high: float) -> None:
        if not high > self._low:
            raise ValueError(f"high is {high}; it must be above low, {self._low:g}.")
        with self.at_once():
            self._high = float(high)
            self._value = min(self._value, self._high)

    def _put(self, value: float) -> None:
        inside = min(max(value, self._low), self._high)
        if not math.isclose(value, inside, rel_tol=1e-9, abs_tol=1e-12):  # 10**0.0 may have been summed up from tenths
            raise ValueError(f"{self.label} is {value}; it should be from {self._low:g} to {self._high:g}.")
        self._value = float(inside)

    def _place(self, value: float) -> float:
        return math.log10(value) if self.log else value

    def take(self, sent: Any) -> None:
        place = _number(sent)
        if place is not None:
            value = 10**place if self.log and abs(place) < 300 else place
            self._value = min(max(value, self._low), self._high)

    def wire(self) -> dict[str, Any]:
        low, high, at = (self._place(number) for number in (self._low, self._high, self._value))
        look = {"log": self.log, "unit": self.unit, "step": self.step}
        return {**super().wire(), "value": at, "low": low, "high": high, **look}


class Stops(Control):
    """A slider over numbers of any kind, one after the other, such as batch sizes.

    Args:
        label: see `Control`.
        value: at the start; one of the stops.
        stops: the numbers, from left to right, at least two.
    """

    def __init__(self, label: str, value: float, stops: Sequence[float]) -> None:
        super().__init__(label)
        self.stops = tuple(stops)
        if len(self.stops) < 2:
            raise ValueError(f"stops is {list(stops)}; it needs at least two numbers.")
        self._at = self._find(value)

    @property
    def value(self) -> Any:
        """The number, as it was given."""
        return self.stops[self._at]

    @value.setter
    def value(self, value: float) -> None:
        with self.at_once():
            self._at = self._find(value)

    def _find(self, value: float) -> int:
        if value not in self.stops:
            raise ValueError(f"{self.label} is {value}; it should be one of {', '.join(map(str, self.stops))}.")
        return self.stops.index(value)

    def take(self, sent: Any) -> None:
        place = _number(sent)
        if place is not None:
            self._at = min(max(round(place), 0), len(self.stops) - 1)

    def wire(self) -> dict[str, Any]:
        said = [f"{stop:g}" for stop in self.stops]
        ends = {"value": self._at, "low": 0, "high": len(self.stops) - 1, "step": 1, "stops": said}
        return {**super().wire(), "kind": "slider", **ends}


class Choice(Control):
    """One of several words, in a list that drops down.

    Args:
        label: see `Control`.
        options: the words, each once.
        value: the one at the start; None takes the first.
    """

    def __init__(self, label: str, options: Sequence[str], value: str | None = None) -> None:
        super().__init__(label)
        self.options = tuple(options)
        if not self.options or len(set(self.options)) < len(self.options):
            raise ValueError(f"options is {list(options)}; it needs at least one word, each once.")
        self._value = self.options[0]
        if value is not None:
            self._put(value)

    @property
    def value(self) -> str:
        """The word chosen."""
        return self._value

    @value.setter
    def value(self, value: str) -> None:
        with self.at_once():
            self._put(value)

    def _put(self, value: str) -> None:
        if value not in self.options:
            raise ValueError(f"{self.label} is {value!r}; it should be one of {', '.join(self.options)}.")
        self._value = value

    def take(self, sent: Any) -> None:
        if sent in self.options:
            self._value = sent

    def wire(self) -> dict[str, Any]:
        return {**super().wire(), "value": self._value, "options": list(self.options)}


class Toggle(Control):
    """A tick box.

    Args:
        label: see `Control`.
        value: whether it is ticked at the start.
    """

    def __init__(self, label: str, value: bool = True) -> None:
        super().__init__(label)
        self._value = bool(value)

    @property
    def value(self) -> bool:
        """Whether it is ticked."""
        return self._value

    @value.setter
    def value(self, value: bool) -> None:
        with self.at_once():
            self._value = bool(value)

    def take(self, sent: Any) -> None:
        if isinstance(sent, bool):
            self._value = sent

    def wire(self) -> dict[str, Any]:
        return {**super().wire(), "value": self._value}


class Button(Control):
    """A button that does something.

    Args:
        label: see `Control`.
        action: called without arguments at each press. It sets values of other controls; the picture follows.
        hint: what it does, in a sentence, for those who hover or listen.
    """

    def __init__(self, label: str, action: Callable[[], object], hint: str = "") -> None:
        super().__init__(label)
        self._action, self.hint = action, hint

    def click(self) -> None:
        """Press it."""
        with self.at_once():
            self._action()

    def take(self, sent: Any) -> None:
        self._action()

    def wire(self) -> dict[str, Any]:
        return {**super().wire(), "hint": self.hint}


class Point(Control):
    """A point in a panel, to drag with the pointer or to move with the arrow keys (ten steps with Shift).

    Args:
        label: see `Control`.
        value: x and y at the start.
        xlim, ylim: how far it may go; two equal ends keep it from moving that way.
        step: how far one press of an arrow key goes, along x and y or one number for both.
        panel: which panel of the scene it stands in, from 0.
        look: its colour.
    """

    def __init__(
        self,
        label: str,
        value: tuple[float, float],
        *,
        xlim: tuple[float, float],
        ylim: tuple[float, float],
        step: float | tuple[float, float],
        panel: int = 0,
        look: str = "black",
    ) -> None:
        super().__init__(label)
        for name, ends in (("xlim", xlim), ("ylim", ylim)):
            if not ends[0] <= ends[1]:
                raise ValueError(f"{name} is {ends}; its first number must not be above its second.")
        self.xlim, self.ylim, self.panel, self.look = xlim, ylim, panel, look
        self.step = step if isinstance(step, tuple) else (step, step)
        if not min(self.step) > 0:
            raise ValueError(f"step is {step}; it must be above 0.")
        self._value = (0.0, 0.0)
        self._put(value)

    @property
    def value(self) -> tuple[float, float]:
        """Its x and y."""
        return self._value

    @value.setter
    def value(self, value: tuple[float, float]) -> None:
        with self.at_once():
            self._put(value)

    def _put(self, value: tuple[float, float]) -> None:
        (x, y), (left, right), (bottom, top) = value, self.xlim, self.ylim
        if not (left <= x <= right and bottom <= y <= top):
            raise ValueError(f"{self.label} is {value}; it should lie in {self.xlim} by {self.ylim}.")
        self._value = float(x), float(y)

    def take(self, sent: Any) -> None:
        if isinstance(sent, list) and len(sent) == 2:
            x, y = map(_number, sent)
            if x is not None and y is not None:
                self._value = (
                    min(max(x, self.xlim[0]), self.xlim[1]),
                    min(max(y, self.ylim[0]), self.ylim[1]),
                )

    def wire(self) -> dict[str, Any]:
        ends = {"xlim": list(self.xlim), "ylim": list(self.ylim), "step": list(self.step)}
        return {**super().wire(), "value": list(self._value), **ends, "panel": self.panel, "look": self.look}


Rows = Sequence[Sequence[Control]]
"""Controls as they stand in the page, row by row."""


def by_label(rows: Rows) -> Mapping[str, Control]:
    """All controls by their labels.

    Raises:
        ValueError: two with one label.
    """
    controls: dict[str, Control] = {}
    for control in (control for row in rows for control in row):
        if control.label in controls:
            raise ValueError(f"two controls are called {control.label!r}; give each a label of its own.")
        controls[control.label] = control
    return controls


def _number(sent: Any) -> float | None:
    """A finite number, or None."""
    if isinstance(sent, bool) or not isinstance(sent, int | float) or not math.isfinite(sent):
        return None
    return float(sent)
