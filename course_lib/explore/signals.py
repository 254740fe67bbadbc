"""Signals through many layers: what their size does on the way forward and back, with and without batch norm.

    Signals(globals())

The network starts with the learner's own `he_init` and normalises with the learner's `batchnorm_forward` and
`batchnorm_backward`, looked up anew at every move; until they are written, and where one stops with an error, the
course's versions stand in and say so.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np

from course_lib._typing import Array, IntArray
from course_lib.data import digits_split
from course_lib.exercises import batch_normalization
from course_lib.exercises.batch_normalization import matching_pair
from course_lib.explore import exploration
from course_lib.explore.controls import Choice, Slider, Stops
from course_lib.explore.exploration import Exploration
from course_lib.explore.marks import Image, Line, Mark, Points, Rule
from course_lib.explore.prediction import Prediction
from course_lib.explore.scene import Panel, Scene, number

PLAIN, NORMALISED = "without batch norm", "with batch norm"
WIDTH, IMAGES, EPS = 32, 64, 1e-5
DEEPEST = 20
REACH = 12
"""Sizes are shown from 10**-REACH to 10**REACH."""
BINS = 96
NAMES = ("he_init", "batchnorm_forward", "batchnorm_backward")


@dataclass(frozen=True)
class Functions:
    """What draws the first weights and normalises."""

    he_init: Callable[..., Any]
    batchnorm_forward: Callable[..., Any]
    batchnorm_backward: Callable[..., Any]


COURSE = Functions(*(getattr(batch_normalization, name) for name in NAMES))


@dataclass(frozen=True)
class Trace:
    """What went through a network of L hidden layers at the last step.

    Attributes:
        activations: of each hidden layer, shape (L, 64, 32).
        slopes: the gradient of the loss with respect to the activations of each hidden layer, same shape.
        losses: before each step and after the last, shape (steps + 1,) or shorter, where one was not finite.
    """

    activations: Array
    slopes: Array
    losses: Array


@cache
def images() -> tuple[Array, IntArray]:
    """Digits and their labels."""
    digits = digits_split("random", np.float64)
    return digits.X_train[:IMAGES], digits.y_train[:IMAGES]


def run(functions: Functions, depth: int, scale: float, normalised: bool, lr: float, steps: int) -> Trace:
    """Train a network of `depth` hidden layers by full-batch gradient descent; what went through it at the end.

    Raises:
        TypeError: a function returned something of another form than was asked for.
    """
    X, y = images()
    rng = np.random.default_rng(0)
    sizes = [X.shape[1], *[WIDTH] * depth, 10]
    weights = [scale * _first(functions, n, m, rng) for n, m in pairwise(sizes)]
    shifts = [np.zeros(m) for m in sizes[1:]]  # beta where there is batch norm, the bias where there is none
    scales = [np.ones(WIDTH) for _ in range(depth)]
    normalise = _normaliser(functions.batchnorm_forward) if normalised else _shifted
    backward = functions.batchnorm_backward
    losses: list[float] = []
    inputs: list[Array] = []
    slopes: list[Array] = []
    with np.errstate(all="ignore"):
        for step in range(steps + 1):
            inputs, caches = [X], []
            for W, b, gamma in zip(weights[:-1], shifts[:-1], scales, strict=True):
                z, kept = normalise(inputs[-1] @ W, gamma, b)
                caches.append(kept)
                inputs.append(np.maximum(z, 0))
            loss, dout = _loss(inputs[-1] @ weights[-1] + shifts[-1], y)
            losses.append(loss)
            slopes = []
            for k in range(depth, -1, -1):
                db = dout.sum(axis=0)
                if k < depth and normalised:
                    dout, dgamma, db = _three(backward(dout, caches[k]), dout)
                    scales[k] = scales[k] - lr * dgamma * (step < steps)
                dW = inputs[k].T @ dout
                if k > 0:
                    slopes.append(dout @ weights[k].T)
                    dout = slopes[-1] * (inputs[k] > 0)
                if step < steps:
                    weights[k], shifts[k] = weights[k] - lr * dW, shifts[k] - lr * db
            if not np.isfinite(loss):
                break
    return Trace(np.stack(inputs[1:]), np.stack(slopes[::-1]), np.array(losses))


def _first(functions: Functions, n_in: int, n_out: int, rng: np.random.Generator) -> Array:
    W = np.asarray(functions.he_init(n_in, n_out, rng))
    if W.shape != (n_in, n_out) or W.dtype.kind != "f" or not np.isfinite(W).all():
        raise Misfit("he_init", f"it should return finite weights of shape ({n_in}, {n_out})")
    return W


def _shifted(z: Array, _gamma: Array, b: Array) -> tuple[Array, None]:
    return z + b, None


def _normaliser(forward: Callable[..., Any]) -> Callable[[Array, Array, Array], tuple[Array, Any]]:
    resting = np.zeros(WIDTH), np.ones(WIDTH)

    def normalise(z: Array, gamma: Array, beta: Array) -> tuple[Array, Any]:
        returned = forward(z, gamma, beta, *resting, 0.1, EPS, True)
        if not isinstance(returned, tuple | list) or len(returned) != 4 or np.shape(returned[0]) != z.shape:
            raise Misfit("batchnorm_forward", f"it should return 4 values, the first of shape {z.shape}")
        return np.asarray(returned[0]), returned[1]

    return normalise


def _three(returned: Any, dout: Array) -> tuple[Array, Array, Array]:
    if not isinstance(returned, tuple | list) or len(returned) != 3 or np.shape(returned[0]) != dout.shape:
        raise Misfit("batchnorm_backward", f"it should return 3 values, the first of shape {dout.shape}")
    dx, dgamma, dbeta = (np.asarray(value) for value in returned)
    if not dgamma.shape == dbeta.shape == (dout.shape[1],):
        raise Misfit("batchnorm_backward", f"dgamma and dbeta should have the shape ({dout.shape[1]},)")
    return dx, dgamma, dbeta


def _loss(logits: Array, y: IntArray) -> tuple[float, Array]:
    """Mean softmax cross-entropy and its gradient; not finite where the logits are not."""
    logits = logits - logits.max(axis=1, keepdims=True)
    shares = np.exp(logits)
    shares /= shares.sum(axis=1, keepdims=True)
    rows = np.arange(len(y))
    right = logits[rows, y] - np.log(np.exp(logits).sum(axis=1))
    shares[rows, y] -= 1
    return float(-right.mean()), shares / len(y)


class Misfit(Exception):
    """A learner's function stopped, or returned something of another form.

    Attributes:
        name: which of them.
    """

    def __init__(self, name: str, said: str) -> None:
        super().__init__(said)
        self.name = name


def size(values: Array) -> float:
    """The root of the mean square: how large the numbers are."""
    with np.errstate(all="ignore"):
        return float(np.sqrt(np.mean(np.square(values))))


def shown(value: float) -> str:
    """A size in words: 0.42, 3e14, or that it is beyond any number."""
    if not np.isfinite(value):
        return "beyond all numbers"
    if value == 0:
        return "0"
    if 0.001 <= value < 99.5:
        return number(value, 2)
    digits, power = f"{value:.1e}".split("e")
    return f"{digits} · 10{str(int(power)).translate(_RAISED)}"


_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def histograms(activations: Array) -> Array:
    """For each layer the share of its activations in each bin of size, shape (BINS, L); zeros are in none."""
    with np.errstate(all="ignore"):
        powers = np.clip(np.log10(np.nan_to_num(activations, nan=np.inf)), -REACH, REACH)
    edges = np.linspace(-REACH, REACH, BINS + 1)
    found = [np.histogram(layer[at], edges)[0] / layer.size for layer, at in zip(powers, activations > 0, strict=True)]
    return np.stack(found, axis=1).astype(float)


class Signals(Exploration):
    """Choose how deep, how large the first weights, and with batch norm or without; then train some steps.

    Args:
        namespace: where the learner's functions are looked up, at every move; in a notebook `globals()`.

    Attributes:
        depth: hidden layers.
        scale: the first weights' size; 1 is He's.
        norm: without or with batch norm.
        rate, steps: how the network is trained; 0 steps shows it as it starts.
    """

    name = "Signals through many layers"

    def __init__(self, namespace: Mapping[str, Any] | None = None) -> None:
        self.depth = Slider("hidden layers", DEEPEST, low=1, high=DEEPEST, step=1)
        self.scale = Slider("size of the first weights (1 is He's)", 1.0, low=0.1, high=10, step=0.1, log=True)
        self.norm = Choice("network", [PLAIN, NORMALISED])
        self.rate = Stops("learning rate", 0.1, [0.01, 0.03, 0.1, 0.3, 1.0, 3.0])
        self.steps = Stops("steps of training", 0, [0, 1, 5, 20, 50])
        question = (
            "20 layers, first weights of He's size, no batch norm: the last layer's activations are about as large as "
            "the first one's. You double all weights. How much larger are the last layer's activations then?"
        )
        answers = ["2 times", "40 times", "a million times", "as before: the ReLU sees to it"]
        prediction = Prediction(question, answers)
        super().__init__([[self.norm, self.depth], [self.scale], [self.rate, self.steps]], namespace, prediction)

    def came_out(self) -> str | None:
        """The factor of twenty doublings, once it is on the screen."""
        deep = self.depth.value == DEEPEST and self.norm.value == PLAIN and self.steps.value == 0
        if not deep or not 1.9 < self.scale.value < 2.1:
            return None
        settings: Any = (DEEPEST, False, 0.1, 0)
        now, before = (
            size(run(COURSE, settings[0], s, *settings[1:]).activations[-1]) for s in (self.scale.value, 1.0)
        )
        return f"about a million times ({now / before:,.0f}): each of 20 layers doubles, and 2²⁰ is 1,048,576."

    def _traced(self) -> tuple[Trace, list[str]]:
        """What went through the network, and a sentence on each function that is not the learner's."""
        mine = {name: own for name in NAMES if (own := self.own(name)) is not None}
        notes: list[str] = []
        while True:
            try:
                functions = self._functions(mine)
                given = int(self.depth.value), float(self.scale.value), self.norm.value == NORMALISED
                trace = run(functions, *given, float(self.rate.value), int(self.steps.value))
            except Misfit as error:
                mine.pop(error.name)
                if str(error):
                    notes.append(f"Your {error.name} stopped: {error}. The course's stands in; its check helps you on.")
                continue
            wanted = NAMES if self.norm.value == NORMALISED else NAMES[:1]
            missing = [name for name in wanted if name not in mine and not any(name in note for note in notes)]
            if missing:
                verb, stand = ("is", "stands") if len(missing) == 1 else ("are", "stand")
                notes.append(f"{_listed(missing)} {verb} not written yet, so the course's {stand} in.")
            return trace, notes

    def _functions(self, mine: Mapping[str, Callable[..., Any]]) -> Functions:
        watched = {name: self._watched(name, function) for name, function in mine.items()}
        forward, backward = matching_pair(
            watched.get("batchnorm_forward", COURSE.batchnorm_forward),
            watched.get("batchnorm_backward", COURSE.batchnorm_backward),
        )
        return Functions(watched.get("he_init", COURSE.he_init), forward, backward)

    def _watched(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """The learner's function, which ends in a `Misfit` whatever it raises, and when all its calls take too long."""
        taken = 0.0

        def call(*given: Any) -> Any:
            nonlocal taken
            start = time.monotonic()
            try:
                with self.limited(name):
                    returned = function(*given)
            except NotImplementedError:
                raise Misfit(name, "") from None
            except Exception as error:  # noqa: BLE001 - whatever a learner's code raises becomes a sentence
                raise Misfit(name, f"{type(error).__name__}: {error}"[:200]) from None
            taken += time.monotonic() - start
            if taken > exploration.SECONDS:
                raise Misfit(name, f"its calls together take more than {exploration.SECONDS:g} seconds")
            return returned

        return call

    def scene(self) -> Scene:
        """Histograms of the activations, the size of the gradient, and the loss."""
        trace, notes = self._traced()
        forward = [size(layer) for layer in trace.activations]
        back = [size(layer) for layer in trace.slopes]
        steps = len(trace.losses) - 1
        when = (
            "before any step" if steps == 0 else f"after {steps} step{'s' * (steps != 1)} at rate {self.rate.value:g}"
        )
        layers = f"{len(forward)} layer{'s' * (len(forward) != 1)}"
        zeros = float(np.mean(trace.activations[-1] <= 0))
        start = f"{layers} {self.norm.value}, first weights {number(self.scale.value, 2)} times He's, {when}."
        sizes = (
            f"Activations: {shown(forward[0])} in the first layer, {shown(forward[-1])} in the last, where {zeros:.0%} "
            f"are 0. Gradient: {shown(back[-1])} at the last layer, {shown(back[0])} at the first."
        )
        said = [start, sizes]
        if steps:
            ended = trace.losses[-1]
            there = (
                f"from {shown(trace.losses[0])} to {shown(ended)}" if np.isfinite(ended) else "is not finite any more"
            )
            said.append(f"The loss went {there}." if np.isfinite(ended) else f"The loss {there}.")
        alt = (
            "Left: for each layer a column with the histogram of its activations on a logarithmic scale. Middle: the "
            f"size of the gradient at each layer. Right: the loss after each step. {' '.join(said)}"
        )
        return Scene(
            [self._columns(trace, forward), self._slopes(back), self._losses(trace.losses)], alt, [*said, *notes]
        )

    def _columns(self, trace: Trace, sizes: list[float]) -> Panel:
        depth = len(sizes)
        shares = histograms(trace.activations)
        values = np.where(shares > 0, shares, np.nan)
        image = Image(values, (0.5, depth + 0.5, -REACH, REACH), 0.0, 0.12, "grey", origin="lower")
        places = np.arange(1, depth + 1)
        marks: list[Mark] = [image, Line(places, _powers(sizes), "vermillion", "size (root mean square)", every=1)]
        return Panel(
            marks,
            "activations, a column a layer",
            "hidden layer",
            "size, as a power of 10",
            xlim=(0.5, depth + 0.5),
            ylim=(-REACH, REACH),
            share=1.3,
        )

    def _slopes(self, sizes: list[float]) -> Panel:
        marks: list[Mark] = [Line(np.arange(1, len(sizes) + 1), _powers(sizes), "blue", "gradient", every=1)]
        title = "gradient at each layer"
        limits = (0.5, len(sizes) + 0.5)
        return Panel(marks, title, "hidden layer", "size, as a power of 10", xlim=limits, ylim=(-REACH, REACH))

    def _losses(self, losses: Array) -> Panel:
        finite = losses[np.isfinite(losses)]
        marks: list[Mark] = [Rule(y=float(np.log(10)), look="grey", label="guessing")]
        if len(finite):
            marks.append(
                Line(
                    np.arange(len(finite)), np.clip(finite, 1e-3, 1e6), "green", "loss", every=max(1, len(finite) // 8)
                )
            )
            marks.append(Points([len(finite) - 1], np.clip(finite[-1:], 1e-3, 1e6), "green"))
        last = max(1, self.steps.value)
        return Panel(marks, "loss", "step", "loss", xlim=(0, last), ylim=(1e-3, 1e6), ylog=True)

    def scene_at_rest(self) -> Scene:
        """With weights that are twice too large."""
        with self.at_once():
            self.scale.value = 2.0
        return self.scene()


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _powers(sizes: list[float]) -> Array:
    """Sizes as powers of ten, for the eye: what is off the scale stands at its edge."""
    with np.errstate(all="ignore"):
        found: Array = np.log10(np.nan_to_num(np.array(sizes), nan=np.inf, posinf=np.inf))
    return np.clip(found, -REACH, REACH)
