"""A small exploration of each kind that the course's lessons need, written with the engine's Python side alone.

The tests call their scenes; the browser's test moves them in JupyterLab.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import numpy as np

from course_lib.explore.controls import Button, Choice, Point, Slider, Stops, Toggle
from course_lib.explore.exploration import Exploration
from course_lib.explore.marks import Arrow, Band, Bars, Contours, Image, Line, Mark, Node, Points, Rule, Text, look
from course_lib.explore.prediction import Prediction
from course_lib.explore.scene import Panel, Scene

X, Y = np.linspace(-2, 2, 81), np.linspace(-1.5, 1.5, 61)
HEIGHTS = (X[None, :] ** 2 + 10 * Y[:, None] ** 2) / 2
GROUND = Contours(X, Y, np.sqrt(HEIGHTS), np.linspace(0.2, 3.5, 12).tolist())


class Descent(Exploration):
    """Lesson 02: contours, a start to drag, a rate, the loss beside it."""

    name = "Downhill"

    def __init__(self, namespace: Mapping[str, Any] | None = None) -> None:
        self.start = Point("start", (-1.5, 1.0), xlim=(-2, 2), ylim=(-1.5, 1.5), step=0.1)
        self.rate = Slider("learning rate", 0.05, low=0.01, high=0.3, step=0.01)
        question = "Where does it stop going down at all? At a rate of"
        super().__init__([[self.rate, self.start]], namespace, Prediction(question, low=0, high=1))

    def path(self) -> Any:
        theta, path = np.array(self.start.value), [np.array(self.start.value)]
        for _ in range(30):
            theta = theta - self.rate.value * theta * np.array([1.0, 10.0])
            path.append(theta)
        return np.array(path)

    def scene(self) -> Scene:
        path = self.path()
        losses = (path[:, 0] ** 2 + 10 * path[:, 1] ** 2) / 2
        ground = Panel(
            [GROUND, Line(path[:, 0], path[:, 1], "vermillion", "path", every=1)],
            xlabel="x",
            ylabel="y",
            xlim=(-2, 2),
            ylim=(-1.5, 1.5),
            equal=True,
        )
        chart = Panel([Line(range(31), losses + 1e-12, "vermillion")], xlabel="step", ylabel="loss", ylog=True)
        x, y = self.start.value
        told = f"From ({x:.2g}, {y:.2g}) at rate {self.rate.value:.2g} the loss ends at {losses[-1]:.2g}."
        return Scene([ground, chart], f"Contours of a bowl with a path on them. {told}", [told])

    def came_out(self) -> str | None:
        return "past 0.2 it grows." if self.rate.value > 0.2 else None


class Noise(Exploration):
    """Lesson 03: how gradients scatter, for each batch size: points, a histogram, an interval."""

    name = "Batch noise"

    def __init__(self, namespace: Mapping[str, Any] | None = None) -> None:
        self.batch = Stops("batch size", 8, [2**k for k in range(9)])
        self.mean = Toggle("show the mean", True)
        super().__init__([[self.batch, self.mean]], namespace)

    def scene(self) -> Scene:
        draws = np.random.default_rng(0).normal(size=(400, 2)) / np.sqrt(self.batch.value) + [1, 0.5]
        counts, edges = np.histogram(draws[:, 0], bins=30, range=(-3, 5))
        cloud: list[Mark] = [Points(draws[:, 0], draws[:, 1], "sky", "one batch", size=4)]
        if self.mean.value:
            cloud.append(Arrow((0, 0), (1, 0.5), "black", width=2.5, above="mean"))
        sizes = 2.0 ** np.arange(9)
        noise = 1 / np.sqrt(sizes)
        law: list[Mark] = [
            Band(sizes, noise * 0.8, noise * 1.2, "blue", "95% interval"),
            Line(sizes, noise, "blue", "noise"),
            Rule(x=self.batch.value, look="vermillion", label="batch size"),
        ]
        panels = [
            Panel(cloud, xlim=(-3, 5), ylim=(-3, 4), xlabel="along x", ylabel="along y"),
            Panel([Bars(edges, counts, "sky")], xlabel="along x", ylabel="batches"),
            Panel(law, xlabel="batch size", ylabel="noise", xlog=True, ylog=True),
        ]
        told = f"At batch size {self.batch.value:.0f} gradients scatter by {1 / np.sqrt(self.batch.value):.2f}."
        return Scene(panels, f"A cloud of gradients, its histogram, and noise against batch size. {told}", [told])


class Penalty(Exploration):
    """Lesson 05: the penalty against weights, the boundary, the norm balls."""

    name = "Penalties"

    def __init__(self, namespace: Mapping[str, Any] | None = None) -> None:
        self.kind = Choice("penalty", ["L2", "L1"])
        self.lam = Slider("lambda", 0.1, low=0.001, high=1, log=True)
        super().__init__([[self.kind, self.lam]], namespace)

    def scene(self) -> Scene:
        rng = np.random.default_rng(1)
        one, two = rng.normal(size=(2, 40, 2)) * 0.5 + np.array([[[-0.6, -0.3]], [[0.6, 0.3]]])
        weights = np.array([2.0, -1.2, 0.3, 0.05, 1.0])
        lam = self.lam.value
        shrunk = (
            weights / (1 + lam) if self.kind.value == "L2" else np.sign(weights) * np.maximum(abs(weights) - lam, 0)
        )
        score = np.tanh(shrunk[0] * X[None, :] + shrunk[1] * Y[:, None])
        boundary = [
            Contours(X, Y, score, np.linspace(-1, 1, 12).tolist(), filled="signed", strength=0.7),
            Contours(X, Y, score, [0.0], look="black", width=2),
            Points(one[:, 0], one[:, 1], "orange", "class 0"),
            Points(two[:, 0], two[:, 1], "purple", "class 1"),
        ]
        angle = np.linspace(0, 2 * np.pi, 200)
        ball = np.array([np.cos(angle), np.sin(angle)])
        if self.kind.value == "L1":
            ball = ball / abs(ball).sum(axis=0)
        panels = [
            Panel(boundary, title="boundary", xlim=(-2, 2), ylim=(-1.5, 1.5)),
            Panel(
                [
                    *(Bars([i - 0.4, i + 0.4], [weight], "green") for i, weight in enumerate(shrunk)),
                    Rule(y=0, look="grey"),
                ],
                title="weights",
                ylim=(-2, 2.2),
                xticks=[(i, f"w{i}") for i in range(5)],
            ),
            Panel(
                [Line(*ball, "blue"), Points([0.3], [0.8], "black", marker="*")], title="ball", equal=True, share=0.7
            ),
        ]
        told = f"With {self.kind.value} at {lam:.2g}, {np.sum(shrunk == 0)} weights are 0."
        return Scene(panels, f"A boundary between two classes, five weights, a norm ball. {told}", [told])


class Dropping(Exploration):
    """Lesson 06: a network whose units are switched off."""

    name = "Units that drop"

    def __init__(self, namespace: Mapping[str, Any] | None = None) -> None:
        self.p = Slider("p", 0.5, low=0, high=0.9, step=0.1)
        self.draw_seed = 0
        self.again = Button("Draw again", self._again, "Another mask")
        super().__init__([[self.p, self.again]], namespace)

    def _again(self) -> None:
        self.draw_seed += 1

    def scene(self) -> Scene:
        kept = np.random.default_rng(self.draw_seed).random(6) >= self.p.value
        inputs, outputs = [(0, y) for y in (1, 2, 3, 4)], [(2, 2), (2, 3)]
        hidden = [(1, y) for y in np.linspace(0, 5, 6)]
        marks: list[Mark] = []
        for place, on in zip(hidden, kept, strict=True):
            look_of = "blue" if on else "grey"
            marks += [Arrow(other, place, look_of, 1.0 if on else 0.4, gap=16) for other in inputs]
            marks += [Arrow(place, other, look_of, 1.0 if on else 0.4, gap=16) for other in outputs]
        marks += [Node(*place, round=False, size=28) for place in inputs]
        marks += [Node(*place, faded=not on, active=bool(on), size=28) for place, on in zip(hidden, kept, strict=True)]
        marks += [Node(*place, size=28) for place in outputs]
        network = Panel(marks, axes=False, xlim=(-0.3, 2.3), ylim=(-0.7, 5.7), height=340)
        told = f"{kept.sum()} of 6 units are on."
        return Scene([network], f"A network of four inputs, six units and two outputs. {told}", [told])


class Activations(Exploration):
    """Lesson 07: histograms layer by layer, and the activations themselves as a picture."""

    name = "Activations"

    def __init__(self, namespace: Mapping[str, Any] | None = None) -> None:
        self.scale = Slider("initial scale", 0.1, low=0.01, high=1, log=True)
        super().__init__([[self.scale]], namespace)

    def scene(self) -> Scene:
        rng = np.random.default_rng(0)
        x = rng.normal(size=(100, 50))
        panels = []
        for layer in range(3):
            x = np.tanh(x @ (rng.normal(size=(50, 50)) * self.scale.value))
            counts, edges = np.histogram(x, bins=40, range=(-1, 1))
            panels.append(Panel([Bars(edges, counts, look(layer))], title=f"layer {layer + 1}", height=220))
        panels.append(Panel([Image(x[:40], low=-1, high=1, colors="signed")], title="layer 3, 40 examples", height=220))
        told = f"The spread after three layers is {x.std():.3f}."
        return Scene(panels, f"Three histograms and a heat map. {told}", [told])


class Schedule(Exploration):
    """Lesson 09: a rate over time, drawn by dragging its corners."""

    name = "A schedule to draw"

    def __init__(self, namespace: Mapping[str, Any] | None = None) -> None:
        self.corners = [
            Point(f"rate at step {at}", (at, value), xlim=(at, at), ylim=(0, 1), step=(1, 0.05), look="vermillion")
            for at, value in ((0, 0.1), (25, 0.9), (50, 0.6), (100, 0.0))
        ]
        super().__init__([self.corners], namespace)

    def scene(self) -> Scene:
        at, rates = np.array([corner.value for corner in self.corners]).T
        steps = np.arange(101)
        drawn = np.interp(steps, at, rates)
        panel = Panel([Line(steps, drawn, "blue", "rate")], xlim=(-5, 105), ylim=(-0.05, 1.05), xlabel="step")
        told = f"The mean rate is {drawn.mean():.3f}."
        return Scene([panel], f"The rate against step. {told}", [told])


class Dashboard(Exploration):
    """Lesson 10: lines that grow while something trains; lesson 08's clouds of losses are lines alike."""

    name = "A dashboard"

    def __init__(self, namespace: Mapping[str, Any] | None = None) -> None:
        self.losses: list[float] = []
        self.train = Button("Train", self.run, "Two hundred steps")
        super().__init__([[self.train]], namespace)

    def run(self) -> None:
        self.losses = []
        for step in range(200):
            self.losses.append(2.3 * np.exp(-step / 40))
            if step % 20 == 0:
                self.redraw()
                time.sleep(0.05)  # as training would

    def scene(self) -> Scene:
        steps = np.arange(len(self.losses))
        panel = Panel(
            [Line(steps, self.losses, "blue", "training loss"), Text(150, 2, "target 0.1"), Rule(y=0.1)],
            xlim=(0, 200),
            ylim=(0, 2.5),
            xlabel="step",
        )
        told = f"{len(self.losses)} steps done."
        return Scene([panel], f"Training loss against step. {told}", [told])


EXPLORATIONS = (Descent, Noise, Penalty, Dropping, Activations, Schedule, Dashboard)
