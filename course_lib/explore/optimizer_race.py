"""A race of optimizers over surfaces of two numbers, each with a learning rate of its own.

    OptimizerRace(globals())

AdaGrad, RMSprop and Adam run on the learner's own step functions, looked up anew at every move, so that they take part
as soon as they are written; until then, and where one stops with an error, the course's version runs and says so.

Other racers run in a subclass with its own `racers` and `question`, as in `modern_race`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from course_lib._typing import Array
from course_lib.exercises import load
from course_lib.explore.controls import Button, Choice, Slider, Toggle
from course_lib.explore.exploration import Exploration
from course_lib.explore.marks import Contours, Line, Mark, Points, Text, look
from course_lib.explore.prediction import Prediction
from course_lib.explore.scene import Panel, Scene

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
        shown: which of the values that `step` returns is where the racer stands: theta, where the gradient is taken, or
            one of its memory.
    """

    name: str
    memory: int
    step: Callable[[Callable[..., Any], Array, Array, Sequence[Array], int, float], Any]
    function: str = ""
    shown: int = 0


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
            place = (theta, *memory)[racer.shown]
            if np.isnan([theta, place]).any():
                raise ValueError(f"theta is not a number (NaN) after step {t}")
            if np.abs([theta, place]).max() > FAR:
                break
            path.append(place)
    return np.array(path)


def tune(racer: Racer, function: Callable[..., Any], surface: Surface, steps: int) -> float:
    """The rate, of every second notch of the slider, at which the racer's loss after `steps` is lowest."""
    rates = 10 ** np.arange(LOWEST, HIGHEST + NOTCH, 2 * NOTCH)
    ends = []
    for lr in rates:
        path = run(racer, function, surface, float(lr), steps)
        ends.append(float(surface.loss(*path[-1])) if len(path) == steps + 1 else np.inf)
    return float(rates[int(np.argmin(ends))])


def gains(place: str, rates: Mapping[str, float], steps: int, racers: Sequence[Racer] = RACERS) -> str:
    """Whose loss these rates lower most, beside one rate for all, in words; found on the course's versions.

    Args:
        place: the surface's name.
        rates: racer's name -> its rate.
        steps: how many.
        racers: who is compared.
    """
    surface = SURFACES[place]

    def loss(racer: Racer, lr: float) -> float:
        path = run(racer, _course(racer), surface, lr, steps)
        return float(surface.loss(*path[-1])) if len(path) == steps + 1 else np.inf

    losses = {racer.name: (loss(racer, SAME_RATE), loss(racer, rates[racer.name])) for racer in racers}
    order = sorted(losses, key=lambda name: max(losses[name][1], LEAST) / max(losses[name][0], LEAST))
    told = [f"{name} from {_short(losses[name][0])} to {_short(losses[name][1])}" for name in order]
    return f"{order[0]} gains most. Losses on the {place}: {', '.join(told)}."


@dataclass(frozen=True)
class Entry:
    """One racer's run.

    Attributes:
        label: "Adam", or "Adam (yours)".
        look: the colour, line style and marker of its line.
        path: shape (K + 1, 2).
        losses: shape (K + 1,).
        lost: whether it ran away before the last step.
    """

    label: str
    look: str
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
    if loss == np.inf:
        return "off the surface"
    return f"{float(loss):.2g}" if loss >= LEAST else "below 1e-9"


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def panels(entries: Sequence[Entry], surface: Surface, steps: int) -> list[Panel]:
    """Paths on the surface's contours, and loss against step."""
    paths: list[Mark] = [_ground(surface)]
    losses: list[Mark] = []
    for entry in entries:
        paths.append(Line(entry.path[:, 0], entry.path[:, 1], entry.look))
        if not entry.lost:
            paths.append(Points(entry.path[-1:, 0], entry.path[-1:, 1], entry.look, size=11))
        drawn = np.maximum(entry.losses, LEAST)
        losses.append(Line(np.arange(len(drawn)), drawn, entry.look, entry.label, every=max(1, steps // 8)))
    x, y = surface.start
    paths += [Points([x], [y], "black", size=11, marker="*")]
    paths += [Text(*surface.start, "start", align="start", dx=8, dy=-12)]
    lowest = min((max(float(entry.losses.min()), LEAST) for entry in entries), default=0.1)
    top = float(surface.loss(*surface.start))
    return [
        Panel(
            paths,
            title=f"loss = {surface.formula}",
            xlabel="x",
            ylabel="y",
            xlim=(-surface.half_width, surface.half_width),
            ylim=(-surface.half_height, surface.half_height),
            height=360,
            share=1.25,
        ),
        Panel(
            losses,
            title="loss after each step",
            xlabel="step",
            ylabel="loss",
            xlim=(0, steps),
            ylim=(min(lowest / 2, top / 20), 20 * top),
            ylog=True,
            height=360,
        ),
    ]


@cache
def _ground(surface: Surface) -> Contours:
    x = np.linspace(-surface.half_width, surface.half_width, 161)
    y = np.linspace(-surface.half_height, surface.half_height, 121)
    heights = np.sqrt(surface.loss(*np.meshgrid(x, y)))  # even steps of the root: the bottom shows too
    return Contours(x, y, heights, np.linspace(heights.min(), heights.max(), 16)[1:-1].tolist())


def _course(racer: Racer) -> Callable[..., Any]:
    found: Callable[..., Any] = load(racer.function).reference if racer.function else lambda: None
    return found


class OptimizerRace(Exploration):
    """Choose a surface, give each racer its rate, and see who is ahead.

    Args:
        namespace: where the learner's `rmsprop_step`, `adam_step` and `adagrad_step` are looked up, at every move; in a
            notebook `globals()`.

    Attributes:
        racers: who runs, at most seven (there are no more looks).
        question: what the learner predicts; the racers are the choices.
        surface, steps: the choice of the surface, and the slider.
        runs, rates: racer's name -> its tick box, and the slider of its learning rate.
        same, best: buttons that set all rates: to one rate, or each to its own best.
    """

    name = "A race of optimizers"
    racers: Sequence[Racer] = RACERS
    question = "Here every racer has the rate 0.01. Give each its own best rate instead: whose loss falls the most?"

    def __init__(self, namespace: Mapping[str, Any] | None = None) -> None:
        self.surface = Choice("surface", list(SURFACES))
        self.steps = Slider("steps", 100, low=1, high=MAX_STEPS, step=1)
        self.runs = {racer.name: Toggle(f"race {racer.name}") for racer in self.racers}
        self.rates = {
            racer.name: Slider(
                f"rate of {racer.name}", SAME_RATE, low=10**LOWEST, high=10**HIGHEST, step=NOTCH, log=True
            )
            for racer in self.racers
        }
        self.same = Button("One rate for all", self._one_rate, f"Set every rate to {SAME_RATE}")
        self.best = Button(
            "Each its best rate", self._best_rates, "Search each racer's rate for the lowest loss after these steps"
        )
        self._gained: str | None = None
        rows = [[self.rates[racer.name], self.runs[racer.name]] for racer in self.racers]
        prediction = Prediction(self.question, [racer.name for racer in self.racers])
        super().__init__([[self.surface, self.steps], *rows, [self.same, self.best]], namespace, prediction)

    def _tuned(self, racer: Racer) -> float:
        surface, steps = SURFACES[self.surface.value], self.steps.value
        function, _ = self._function(racer)
        try:
            with self.limited(racer.function):
                return tune(racer, function, surface, steps)
        except Exception:  # noqa: BLE001 - a learner's function that stops is replaced, and named when it is shown
            return tune(racer, _course(racer), surface, steps)

    def _one_rate(self) -> None:
        for rate in self.rates.values():
            rate.value = SAME_RATE

    def _best_rates(self) -> None:
        for racer in self.racers:
            self.rates[racer.name].value = self._tuned(racer)
        rates = {name: float(rate.value) for name, rate in self.rates.items()}
        self._gained = gains(self.surface.value, rates, self.steps.value, self.racers)

    def came_out(self) -> str | None:
        """Who gained most, once the button of the best rates was pressed."""
        return self._gained

    def _function(self, racer: Racer) -> tuple[Callable[..., Any], bool]:
        """What the racer runs on, and whether that is the learner's."""
        own = self.own(racer.function)
        return (_course(racer), False) if own is None else (own, True)

    def _entry(
        self, racer: Racer, function: Callable[..., Any], surface: Surface, lr: float, steps: int, *, mine: bool
    ) -> Entry:
        path = run(racer, function, surface, lr, steps)
        label = f"{racer.name} (yours)" if mine else racer.name
        losses, lost = surface.loss(path[:, 0], path[:, 1]), len(path) < steps + 1
        return Entry(label, look(self.racers.index(racer)), path, losses, lost)

    def _entries(self) -> tuple[list[Entry], list[str]]:
        """The runs of all that are ticked, and sentences about functions that the course's stand in for."""
        surface, steps = SURFACES[self.surface.value], self.steps.value
        entries, waiting, notes = [], [], []
        for racer in self.racers:
            if not self.runs[racer.name].value:
                continue
            function, mine = self._function(racer)
            lr = float(self.rates[racer.name].value)
            try:
                with self.limited(racer.function):
                    entries.append(self._entry(racer, function, surface, lr, steps, mine=mine))
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
            entries.append(self._entry(racer, _course(racer), surface, lr, steps, mine=False))
        if waiting:
            one = len(waiting) == 1
            notes.append(
                f"{_listed(waiting)} {'is' if one else 'are'} not written yet, so the course's version"
                f"{'' if one else 's'} run{'s' if one else ''}. When yours {'is' if one else 'are'} there, come back "
                "and move something: then you race."
            )
        return entries, notes

    def scene(self) -> Scene:
        """The race, who is ahead, and whose functions ran."""
        entries, notes = self._entries()
        place, steps = self.surface.value, self.steps.value
        said = verdict(entries, place, steps)
        return Scene(panels(entries, SURFACES[place], steps), _alt(SURFACES[place], said), [said, *notes])


def _alt(surface: Surface, said: str) -> str:
    return (
        f"Left: contours of the loss {surface.formula}, with each racer's path from the start. "
        f"Right: loss against step, on a log scale. {said}"
    )
