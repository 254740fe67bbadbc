"""A race of optimizers over surfaces of two numbers, each with a learning rate of its own.

    OptimizerRace(globals())

AdaGrad, RMSprop and Adam run on the learner's own step functions, looked up anew at every move, so that they take part
as soon as they are written; until then, and where one stops with an error, the course's version runs and says so.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from html import escape
from typing import Any

import ipywidgets as widgets
import numpy as np
from matplotlib.figure import Figure

from course_lib import figures
from course_lib._typing import Array
from course_lib.exercises import adaptive_optimizers
from course_lib.explore.exploration import Exploration

MAX_STEPS = 300
SAME_RATE = 0.01
"""Where every rate stands at first: fair in looks only."""
LOWEST, HIGHEST, NOTCH = -4.0, 0.0, 0.1
"""The rate sliders, in powers of ten."""
FAR = 1e3
"""A racer this far out does not come back."""
LEAST = 1e-9
"""Losses below this are drawn and told as this."""


@dataclass(frozen=True)
class Surface:
    """A loss of two numbers, 0 at its lowest points.

    Attributes:
        formula: how it is written.
        loss: takes x and y (numbers, or arrays of one shape).
        slope: takes theta, shape (2,); returns the gradient, shape (2,).
        start: where every racer sets out.
        half_width, half_height: how far the picture reaches from the origin.
    """

    formula: str
    loss: Callable[[Any, Any], Any]
    slope: Callable[[Array], Array]
    start: tuple[float, float]
    half_width: float
    half_height: float


def _bowl(x: Any, y: Any) -> Any:
    return (x**2 + 100 * y**2) / 2


def _ravine(x: Any, y: Any) -> Any:
    """The bowl turned by 45 degrees."""
    return _bowl((x + y) / np.sqrt(2), (y - x) / np.sqrt(2))


def _ravine_slope(theta: Array) -> Array:
    along, across = (theta[0] + theta[1]) / np.sqrt(2), 100 * (theta[1] - theta[0]) / np.sqrt(2)
    slope: Array = np.array([along - across, along + across]) / np.sqrt(2)
    return slope


def _bumps(x: Any, y: Any) -> Any:
    return (x**2 + y**2) / 10 + 2 - np.cos(3 * x) - np.cos(3 * y)


SURFACES = {
    "badly scaled bowl": Surface(
        "(x² + 100 y²) / 2", _bowl, lambda theta: theta * np.array([1.0, 100.0]), (-1.8, 0.9), 2.0, 1.0
    ),
    "ravine (the bowl, turned)": Surface(
        "(u² + 100 w²) / 2, with u and w at 45° to x and y",
        _ravine,
        _ravine_slope,
        (-2.7 / np.sqrt(2), -0.9 / np.sqrt(2)),  # the bowl's start, turned with it
        2.2,
        1.7,
    ),
    "saddle": Surface(
        "x² / 2 + (y² - 1)² / 4",
        lambda x, y: x**2 / 2 + (y**2 - 1) ** 2 / 4,
        lambda theta: np.array([theta[0], theta[1] ** 3 - theta[1]]),
        (-1.8, 0.001),
        2.0,
        1.4,
    ),
    "bumps": Surface(
        "(x² + y²) / 10 + 2 - cos 3x - cos 3y",
        _bumps,
        lambda theta: theta / 5 + 3 * np.sin(3 * theta),
        (-2.9, 1.3),
        3.4,
        2.8,
    ),
}


@dataclass(frozen=True)
class Racer:
    """A rule that takes steps.

    Attributes:
        name: how it is called in the race.
        memory: how many arrays it carries from step to step, zero at the start.
        step: takes function, theta, grad, memory, t and lr; returns the new theta and then the new memory.
        function: the name of the exercise that it runs on; "" for one that is no exercise of this lesson.
    """

    name: str
    memory: int
    step: Callable[[Callable[..., Any], Array, Array, Sequence[Array], int, float], Any]
    function: str = ""


def _momentum(
    _function: Callable[..., Any], theta: Array, grad: Array, memory: Sequence[Array], _t: int, lr: float
) -> Any:
    velocity = 0.9 * memory[0] + grad
    return theta - lr * velocity, velocity


RACERS = (
    Racer("SGD", 0, lambda _function, theta, grad, _memory, _t, lr: (theta - lr * grad,)),
    Racer("momentum", 1, _momentum),
    Racer("AdaGrad", 1, lambda step, theta, grad, old, _t, lr: step(theta, grad, *old, lr, 1e-10), "adagrad_step"),
    Racer("RMSprop", 1, lambda step, theta, grad, old, _t, lr: step(theta, grad, *old, lr, 0.99, 1e-8), "rmsprop_step"),
    Racer(
        "Adam", 2, lambda step, theta, grad, old, t, lr: step(theta, grad, *old, t, lr, 0.9, 0.999, 1e-8), "adam_step"
    ),
)


def run(racer: Racer, function: Callable[..., Any], surface: Surface, lr: float, steps: int) -> Array:
    """The path of a racer, shape (steps + 1, 2), or shorter where it ran away.

    Args:
        racer: who runs.
        function: what the racer's exercise asks for: the learner's, or the course's.
        surface: where.
        lr: its learning rate.
        steps: how many, at least 1.

    Raises:
        TypeError: the function returns something else than theta and as many arrays as it was given to remember.
        ValueError: theta becomes NaN. On these surfaces it runs away first, unless the function makes it so.
        Exception: whatever the function raises.
    """
    theta: Array = np.array(surface.start)
    memory: Sequence[Array] = [np.zeros(2) for _ in range(racer.memory)]
    path = [theta]
    with np.errstate(all="ignore"):
        for t in range(1, steps + 1):
            copies = [np.array(array) for array in memory]
            came = racer.step(function, theta.copy(), surface.slope(theta), copies, t, lr)
            if not isinstance(came, tuple | list) or len(came) != 1 + racer.memory:
                raise TypeError(f"it should return {1 + racer.memory} values")
            theta, *memory = (np.asarray(value, dtype=np.float64) for value in came)
            if theta.shape != (2,):
                raise TypeError(f"theta came back with shape {theta.shape} instead of (2,)")
            if np.isnan(theta).any():
                raise ValueError(f"theta is not a number (NaN) after step {t}")
            if np.abs(theta).max() > FAR:
                break
            path.append(theta)
    return np.array(path)


def tune(racer: Racer, function: Callable[..., Any], surface: Surface, steps: int) -> float:
    """The rate, of every second notch of the slider, at which the racer's loss after `steps` is lowest."""
    rates = 10 ** np.arange(LOWEST, HIGHEST + NOTCH, 2 * NOTCH)
    ends = []
    for lr in rates:
        path = run(racer, function, surface, float(lr), steps)
        ends.append(float(surface.loss(*path[-1])) if len(path) == steps + 1 else np.inf)
    return float(rates[int(np.argmin(ends))])


@dataclass(frozen=True)
class Entry:
    """One racer's run.

    Attributes:
        label: "Adam", or "Adam (yours)".
        look: how its line is drawn.
        path: shape (K + 1, 2).
        losses: shape (K + 1,).
        lost: whether it ran away before the last step.
    """

    label: str
    look: Mapping[str, Any]
    path: Array
    losses: Array
    lost: bool


def verdict(entries: Sequence[Entry], place: str, steps: int) -> str:
    """Who is ahead, in words."""
    there = sorted((entry for entry in entries if not entry.lost), key=lambda entry: float(entry.losses[-1]))
    gone = [entry.label for entry in entries if entry.lost]
    if not entries:
        return "Nobody runs. Tick at least one racer."
    said = f"After {steps} step{'s' * (steps != 1)} on the {place}: "
    if there:
        losses = ", ".join(f"{entry.label} {_short(entry.losses[-1])}" for entry in there)
        said += f"{there[0].label} is ahead. Losses: {losses}. "
    else:
        said += "nobody is left. "
    if gone:
        said += f"{_listed(gone)} ran away: a smaller rate keeps {'it' if len(gone) == 1 else 'them'} on the surface."
    return said.strip()


def _short(loss: Any) -> str:
    return f"{float(loss):.2g}" if loss >= LEAST else "below 1e-9"


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def draw(entries: Sequence[Entry], surface: Surface, steps: int) -> Figure:
    """Paths on the surface's contours, and loss against step."""
    with figures.style():
        fig = Figure(figsize=(8.6, 4.2), dpi=figures.SCREEN_DPI)
        ground, chart = fig.subplots(1, 2, width_ratios=[1.25, 1])
        x = np.linspace(-surface.half_width, surface.half_width, 161)
        y = np.linspace(-surface.half_height, surface.half_height, 121)
        heights = np.sqrt(surface.loss(*np.meshgrid(x, y)))  # even steps of the root: the bottom shows too
        ground.contour(x, y, heights, levels=14, colors="#b8b8b8", linewidths=0.8, linestyles="solid")
        ground.grid(visible=False)
        for entry in entries:
            plain = {"color": entry.look["color"], "linestyle": entry.look["linestyle"]}
            ground.plot(entry.path[:, 0], entry.path[:, 1], alpha=0.9, **plain)
            if not entry.lost:
                ground.plot(*entry.path[-1], entry.look["marker"], color=entry.look["color"], markersize=8)
            losses = np.maximum(entry.losses, LEAST)
            often = {**entry.look, "markevery": max(1, steps // 8)}
            chart.plot(np.arange(len(losses)), losses, label=entry.label, **often)
        ground.plot(*surface.start, "*", color="black", markersize=12)
        ground.annotate("start", surface.start, xytext=(6, 8), textcoords="offset points", fontsize=10)
        ground.set(xlim=(x[0], x[-1]), ylim=(y[0], y[-1]), xlabel="x", ylabel="y", title=f"loss = {surface.formula}")
        chart.set(xlim=(0, steps), yscale="log", xlabel="step", ylabel="loss")
        lowest = min((max(float(entry.losses.min()), LEAST) for entry in entries), default=0.1)
        top = float(surface.loss(*surface.start))
        chart.set_ylim(min(lowest / 2, top / 20), 20 * top)
        if entries:
            fig.legend(loc="outside lower center", ncols=len(entries))
    return fig


@cache
def _resting_entries() -> tuple[Entry, ...]:
    """The race as it stands where no kernel runs: the course's versions, one rate for all."""
    surface = SURFACES["badly scaled bowl"]
    return tuple(_entry(racer, _course(racer), surface, SAME_RATE, 100, mine=False) for racer in RACERS)


def _course(racer: Racer) -> Callable[..., Any]:
    found: Callable[..., Any] = getattr(adaptive_optimizers, racer.function) if racer.function else lambda: None
    return found


def _entry(racer: Racer, function: Callable[..., Any], surface: Surface, lr: float, steps: int, *, mine: bool) -> Entry:
    path = run(racer, function, surface, lr, steps)
    look = figures.line(RACERS.index(racer))
    label = f"{racer.name} (yours)" if mine else racer.name
    return Entry(label, look, path, surface.loss(path[:, 0], path[:, 1]), len(path) < steps + 1)


class OptimizerRace(Exploration):
    """Choose a surface, give each racer its rate, and see who is ahead.

    Args:
        namespace: where the learner's `rmsprop_step`, `adam_step` and `adagrad_step` are looked up, at every move; in a
            notebook `globals()`.

    Attributes:
        surface, steps: the dropdown and the slider.
        runs, rates: racer's name -> its tick box, and the slider of its learning rate.
        same, best: buttons that set all rates: to one rate, or each to its own best.
        image, told: what the widget shows: the picture, and who is ahead in words.
    """

    def __init__(self, namespace: Mapping[str, Any] | None = None) -> None:
        self._quiet = False
        wide = {"description_width": "11em"}
        self.surface = widgets.Dropdown(options=list(SURFACES), description="surface", style=wide)
        self.steps = widgets.IntSlider(
            value=100, min=1, max=MAX_STEPS, description="steps", style=wide, layout={"width": "32em"}
        )
        self.runs = {
            racer.name: widgets.Checkbox(
                value=True, description=f"race {racer.name}", indent=False, layout={"width": "10em"}
            )
            for racer in RACERS
        }
        self.rates = {
            racer.name: widgets.FloatLogSlider(
                value=SAME_RATE,
                min=LOWEST,
                max=HIGHEST,
                step=NOTCH,
                readout_format=".2g",
                description=f"rate of {racer.name}",
                style=wide,
                layout={"width": "32em"},
            )
            for racer in RACERS
        }
        self.same = widgets.Button(description="One rate for all", tooltip=f"Set every rate to {SAME_RATE}")
        self.best = widgets.Button(
            description="Each its best rate", tooltip="Search each racer's rate for the lowest loss after these steps"
        )
        self.image, self.told = widgets.HTML(), widgets.HTML()
        rows = [widgets.HBox([self.rates[racer.name], self.runs[racer.name]]) for racer in RACERS]
        buttons = widgets.HBox([self.same, self.best])
        super().__init__([self.surface, self.steps, *rows, buttons, self.told, self.image], namespace)
        for control in (self.surface, self.steps, *self.runs.values(), *self.rates.values()):
            control.observe(lambda _: self._show(), names="value")
        self.same.on_click(lambda _: self._set_rates(lambda _racer: SAME_RATE))
        self.best.on_click(lambda _: self._set_rates(self._tuned))
        self._show()

    def _tuned(self, racer: Racer) -> float:
        surface, steps = SURFACES[self.surface.value], self.steps.value
        function, _ = self._function(racer)
        try:
            with self.limited(racer.function):
                return tune(racer, function, surface, steps)
        except Exception:  # noqa: BLE001 - a learner's function that stops is replaced, and named when it is shown
            return tune(racer, _course(racer), surface, steps)

    def _set_rates(self, rate: Callable[[Racer], float]) -> None:
        with self.one_at_a_time:
            self._quiet = True
            for racer in RACERS:
                self.rates[racer.name].value = rate(racer)
            self._quiet = False
            self._show()

    def _function(self, racer: Racer) -> tuple[Callable[..., Any], bool]:
        """What the racer runs on, and whether that is the learner's."""
        own = self.own(racer.function)
        return (_course(racer), False) if own is None else (own, True)

    def _entries(self) -> tuple[list[Entry], list[str]]:
        """The runs of all that are ticked, and sentences about functions that the course's stand in for."""
        surface, steps = SURFACES[self.surface.value], self.steps.value
        entries, waiting, notes = [], [], []
        for racer in RACERS:
            if not self.runs[racer.name].value:
                continue
            function, mine = self._function(racer)
            lr = float(self.rates[racer.name].value)
            try:
                with self.limited(racer.function):
                    entries.append(_entry(racer, function, surface, lr, steps, mine=mine))
                if racer.function and not mine:
                    waiting.append(racer.function)
                continue
            except NotImplementedError:
                waiting.append(racer.function)
            except Exception as error:  # noqa: BLE001 - whatever a learner's code raises becomes a sentence
                stopped = f"{type(error).__name__}: {error}"[:200]
                notes.append(
                    f"Your {racer.function} stopped with {stopped}. The course's runs instead; "
                    "its check, in Build, helps you on."
                )
            entries.append(_entry(racer, _course(racer), surface, lr, steps, mine=False))
        if waiting:
            one = len(waiting) == 1
            notes.append(
                f"{_listed(waiting)} {'is' if one else 'are'} not written yet, so the course's version"
                f"{'' if one else 's'} run{'s' if one else ''}. When yours {'is' if one else 'are'} there, come back "
                "and move something: then you race."
            )
        return entries, notes

    def _show(self) -> None:
        with self.one_at_a_time:
            if self._quiet:
                return
            entries, notes = self._entries()
            place, steps = self.surface.value, self.steps.value
            said = verdict(entries, place, steps)
            picture = figures.image_html(draw(entries, SURFACES[place], steps), _alt(SURFACES[place], said))
            paragraphs = "".join(f"<p>{escape(text)}</p>" for text in (said, *notes))
            self.image.value = picture
            self.told.value = f'<div role="status" style="max-width: 50em; line-height: 1.5">{paragraphs}</div>'

    def resting(self) -> tuple[Figure, str, str]:
        """The race with one rate for all, run by the course's versions."""
        place, entries = "badly scaled bowl", _resting_entries()
        alt = _alt(SURFACES[place], verdict(entries, place, 100))
        return draw(entries, SURFACES[place], 100), alt, "A race of optimizers."


def _alt(surface: Surface, said: str) -> str:
    return (
        f"Left: contours of the loss {surface.formula}, with each racer's path from the start. "
        f"Right: loss against step, on a log scale. {said}"
    )
