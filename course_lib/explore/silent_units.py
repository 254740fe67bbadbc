"""Dropout at work: a network whose units go dark at every pass, and p against training and unseen accuracy.

    SilentUnits(globals())

The masks are drawn by the learner's own `dropout_forward`, looked up anew at every move; until it is written, and where
it stops with an error, the course's version stands in and says so. The networks are trained here, when first shown.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from course_lib._typing import Array, IntArray
from course_lib.data import digits_split, redraw_labels
from course_lib.exercises import dropout
from course_lib.explore.controls import Button, Choice, Rows, Slider, Stops
from course_lib.explore.exploration import Exploration
from course_lib.explore.marks import Band, Bars, Image, Line, Mark, Node, Points, Rule, Text
from course_lib.explore.prediction import Prediction
from course_lib.explore.scene import Panel, Scene, number
from course_lib.intervals import mean_interval
from course_lib.losses import softmax
from course_lib.optimizers import SGD
from course_lib.sweep import sweep

UNITS, COLUMNS = 24, 6
"""Hidden units of the network that is shown, and how many stand in a row."""
PASSES, CURVES = "one image, unit by unit", "p against both curves"
PLAIN, DROPPED = "trained without dropout", "trained with p = 0.5"
TRAINING, EVALUATION = "training mode", "evaluation mode"
IMAGES = 40
"""How many of the unseen images can be chosen."""
MOST_PASSES = 301
TRIED = (0.0, 0.2, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
"""The values of p at which the curves are measured."""
RATES, DRAWS, EPOCHS = (0.1, 0.3, 1.0), 5, 60

Forward = Callable[[Array, float, np.random.Generator, bool], Any]


@dataclass(frozen=True)
class Network:
    """What a trained network makes of the 400 unseen images, as far as its hidden units.

    Attributes:
        hidden: outputs of the hidden units, shape (400, 24).
        W, b: of the last layer, shapes (24, 10) and (10,).
    """

    hidden: Array
    W: Array
    b: Array

    def probabilities(self, hidden: Array) -> Array:
        """Of the ten digits, shape (..., 10), from what the hidden units pass on."""
        found: Array = softmax(hidden @ self.W + self.b)
        return found


@cache
def network(p: float) -> Network:
    """Trained on 1,000 clean images with dropout p; the same on every machine to about ten digits."""
    digits = digits_split("random")
    theta = sweep(
        [64, UNITS, 10],
        digits.X_train,
        digits.y_train,
        SGD,
        [0.3],
        [0],
        epochs=20,
        batch_size=50,
        dropout=p,
        dtype=np.float64,
    ).theta[0, 0]
    W1, b1, W2, b2 = np.split(theta, np.cumsum([64 * UNITS, UNITS, UNITS * 10]))
    hidden = np.maximum(digits.X_test @ W1.reshape(64, UNITS) + b1, 0)
    return Network(hidden, W2.reshape(UNITS, 10), b2)


@cache
def unseen() -> tuple[Array, IntArray]:
    """The 400 unseen images, shape (400, 8, 8), and what they show."""
    digits = digits_split("random")
    return digits.X_test.reshape(-1, 8, 8), digits.y_test


def accuracies(p: float) -> tuple[Array, Array]:
    """Training and unseen accuracy in %, each of shape (3 rates, 5 draws), after training with dropout p.

    300 images, a fifth of their labels redrawn; training accuracy is that on the labels as told. Measured in evaluation
    mode.
    """
    digits = digits_split("random", np.float32)
    rows = [np.random.default_rng(seed).permutation(1000)[:300] for seed in range(DRAWS)]
    labels = [
        redraw_labels(digits.y_train[chosen], 0.2, np.random.default_rng(100 + seed), 10)
        for seed, chosen in enumerate(rows)
    ]
    X = np.stack([digits.X_train[chosen] for chosen in rows])
    found = sweep(
        [64, 64, 10],
        X,
        np.stack(labels),
        SGD,
        RATES,
        range(DRAWS),
        epochs=EPOCHS,
        batch_size=50,
        X_test=np.broadcast_to(digits.X_test, (DRAWS, *digits.X_test.shape)),
        y_test=np.broadcast_to(digits.y_test, (DRAWS, *digits.y_test.shape)),
        dropout=p,
    )
    return 100 * found.train_accuracy, 100 * found.test_accuracy


_measured: dict[float, tuple[Array, Array]] = {}
"""What `accuracies` found, kept for all explorations of a session."""


class SilentUnits(Exploration):
    """Send an image through a network again and again while half of its units fall silent.

    Args:
        namespace: where the learner's `dropout_forward` is looked up, at every move; in a notebook `globals()`.

    Attributes:
        view: the units of one network, or p against training and unseen accuracy.
        trained: which network.
        mode: training or evaluation.
        p: the probability of dropping.
        image: which of the unseen images.
        again, hundred: buttons for one and for a hundred passes more.
        rate: at which the curves were trained.
        train: a button that trains at every p.
    """

    name = "Units that fall silent"

    def __init__(self, namespace: Mapping[str, Any] | None = None) -> None:
        self.view = Choice("picture", [PASSES, CURVES])
        self.trained = Choice("network", [PLAIN, DROPPED])
        self.mode = Choice("mode", [TRAINING, EVALUATION])
        self.p = Slider("p, probability of dropping", 0.0, low=0.0, high=0.9, step=0.05)
        self.image = Slider("image", 1, low=1, high=IMAGES, step=1)
        self.again = Button("Forward again", lambda: self._more(1), "One more pass of the same image")
        self.hundred = Button("100 more", lambda: self._more(100), "A hundred passes more of the same image")
        self.rate = Stops("learning rate", 0.3, RATES)
        self.train = Button("Train at every p", self._train, "Train 15 networks at each of eight values of p")
        self._passes = 1
        self._shown: tuple[Any, ...] = ()
        question = (
            f"A network with {UNITS} hidden units, trained without dropout, reads 96% of 400 unseen images. Now let "
            "each unit fall silent with probability p = 0.5, and the others count double. How many per cent will it "
            "read?"
        )
        super().__init__(self._in_rows(), namespace, Prediction(question, low=0, high=100, unit="%"))

    def _in_rows(self) -> Rows:
        if self.view.value == CURVES:
            return [[self.view, self.rate], [self.p, self.train]]
        return [[self.view, self.trained, self.mode], [self.p, self.image], [self.again, self.hundred]]

    def settle(self) -> None:
        """The controls of the picture chosen; passes are counted from 1 again once anything else is moved."""
        self.arrange(self._in_rows())
        shown = (self.trained.value, self.mode.value, self.p.value, self.image.value)
        if shown != self._shown:
            self._shown, self._passes = shown, 1

    def _more(self, passes: int) -> None:
        self._passes = min(self._passes + passes, MOST_PASSES)

    def _train(self) -> None:
        for p in TRIED:
            if p not in _measured:
                _measured[p] = accuracies(p)
                self.redraw()

    def came_out(self) -> str | None:
        """What the plain network reads with half of its units."""
        if (self.view.value, self.trained.value, self.mode.value) != (PASSES, PLAIN, TRAINING):
            return None
        if abs(float(self.p.value) - 0.5) > 1e-9:
            return None
        right = self._right(*self._pass(dropout.dropout_forward))
        return f"{number(right, 3)}% in this pass. Choose the network {DROPPED} and compare."

    # One pass, and many.

    def _pass(self, forward: Forward) -> tuple[Array, Array, Array, Array]:
        """What the units pass on for the image, its mask, its mean probabilities over all passes, all 400 outputs."""
        net, i = network(0.0 if self.trained.value == PLAIN else 0.5), int(self.image.value) - 1
        p, training = float(self.p.value), self.mode.value == TRAINING
        total = np.zeros(10)
        out, mask = net.hidden[i : i + 1], np.ones((1, UNITS), dtype=bool)
        rng = np.random.default_rng(0)
        for turn in range(1, self._passes + 1):
            rng = np.random.default_rng(turn)
            out, mask = _checked(forward(net.hidden[i : i + 1].copy(), p, rng, training), (1, UNITS))
            total += net.probabilities(out[0])
        everywhere, _ = _checked(forward(net.hidden.copy(), p, rng, training), net.hidden.shape)
        return out[0], mask[0], total / self._passes, everywhere

    def _right(self, _out: Array, _mask: Array, _mean: Array, everywhere: Array) -> float:
        """How many of the 400 images are read right in a pass, in %."""
        net = network(0.0 if self.trained.value == PLAIN else 0.5)
        return float(100 * np.mean(net.probabilities(everywhere).argmax(axis=1) == unseen()[1]))

    def _run(self) -> tuple[tuple[Array, Array, Array, Array], list[str]]:
        """The passes, by the learner's function or the course's, and why the course's."""
        own = self.own("dropout_forward")
        if own is not None:
            try:
                with self.limited("dropout_forward"):
                    return self._pass(own), []
            except NotImplementedError:
                pass
            except Exception as error:  # noqa: BLE001 - whatever a learner's code raises becomes a sentence
                stopped = f"{type(error).__name__}: {error}"[:200]
                note = f"Your dropout_forward stopped with {stopped}. The course's stands in; its check helps you on."
                return self._pass(dropout.dropout_forward), [note]
        note = "dropout_forward is not written yet, so the course's stands in. When yours is there, move something."
        return self._pass(dropout.dropout_forward), [note]

    def scene(self) -> Scene:
        """The picture chosen."""
        return self._curves() if self.view.value == CURVES else self._units()

    def scene_at_rest(self) -> Scene:
        """A pass with half of the units silent."""
        self.p.value = 0.5
        return self.scene()

    def _units(self) -> Scene:
        found, notes = self._run()
        out, mask, mean, _ = found
        net, i = network(0.0 if self.trained.value == PLAIN else 0.5), int(self.image.value) - 1
        images, labels = unseen()
        now, silent = net.probabilities(out), UNITS - int(mask.sum())
        says, right = int(now.argmax()), self._right(*found)
        said = (
            f"Pass {self._passes} in {self.mode.value}, p = {number(self.p.value)}: {silent} of {UNITS} units are "
            f"silent. The image shows {_a(labels[i])}; the network says {_a(says)}, with {now[says]:.0%}. Of all 400 "
            f"unseen images this pass reads {number(right, 3)}% right."
        )
        told = [said, *notes]
        if self._passes > 1:
            told.insert(
                1, f"Averaged over the {self._passes} passes it says {_a(mean.argmax())}, with {mean.max():.0%}."
            )
        alt = (
            "Left: the image. Middle: the hidden units with what they pass on; silent ones are pale. Right: how "
            f"probable each digit is in this pass, and on average. {said}"
        )
        return Scene([_picture(images[i], labels[i]), _grid(out, mask), self._bars(now, mean)], alt, told)

    def _bars(self, now: Array, mean: Array) -> Panel:
        marks: list[Mark] = [Bars(np.arange(11) - 0.5, 100 * now, "blue", "this pass")]
        if self._passes > 1:
            marks.append(Points(np.arange(10), 100 * mean, "vermillion", f"mean of {self._passes} passes"))
        ticks = [(digit, str(digit)) for digit in range(10)]
        return Panel(marks, "what it says", "digit", "probability (%)", (-0.6, 9.6), (0, 104), xticks=ticks)

    def _curves(self) -> Scene:
        done = [p for p in TRIED if p in _measured]
        rate = RATES.index(self.rate.value)
        marks: list[Mark] = []
        for which, look, label in ((0, "blue", "training, as it was told"), (1, "vermillion", "images never seen")):
            rows = [mean_interval(_measured[p][which][rate]) for p in done]
            if not rows:
                break
            marks.append(Band(done, [row.low for row in rows], [row.high for row in rows], look))
            marks.append(Line(done, [row.mean for row in rows], look, label, every=1))
        setting = f"300 images, a fifth of the labels redrawn, rate {number(self.rate.value)}"
        if len(done) < len(TRIED):
            said = f"Trained at {len(done)} of {len(TRIED)} values of p. Press the button: it takes some seconds."
        else:
            means = [_measured[p][1][rate].mean() for p in done]
            best, gap = int(np.argmax(means)), _measured[0.0][0][rate].mean() - means[0]
            said = (
                f"{setting}: without dropout {number(means[0], 3)}% of unseen images are read; most are at p = "
                f"{done[best]:g}, {number(means[best], 3)}%. At p = {done[-1]:g} it is {number(means[-1], 3)}%. "
                f"Training minus unseen is {number(gap, 2)} points without dropout, and "
                f"{number(_measured[done[best]][0][rate].mean() - means[best], 2)} at p = {done[best]:g}."
            )
        marks.append(Rule(x=float(self.p.value), look="grey", label="p"))
        if not done:
            marks.append(Text(0.45, 85, "nothing trained yet"))
        alt = f"Accuracy against p, with 95% bands over {DRAWS} draws. {said}"
        panel = Panel(marks, setting, "p, probability of dropping", "right answers (%)", (-0.03, 0.93), (65, 101))
        return Scene([panel], alt, [said])


def _checked(came: Any, shape: tuple[int, ...]) -> tuple[Array, Array]:
    """Output and mask of a `dropout_forward`.

    Raises:
        TypeError: something else.
    """
    if not isinstance(came, tuple | list) or len(came) != 2:
        raise TypeError("it should return out and mask")
    out, mask = np.asarray(came[0], dtype=np.float64), np.asarray(came[1])
    if out.shape != shape or mask.shape != shape or mask.dtype != bool:
        raise TypeError(f"out and mask should have shape {shape}, and the mask hold True and False")
    if not np.isfinite(out).all():
        raise ValueError("out should hold finite numbers")
    return out, mask


def _a(digit: Any) -> str:
    return f"an {digit}" if digit == 8 else f"a {digit}"


def _picture(image: Array, label: Any) -> Panel:
    return Panel([Image(image, low=0, high=1, colors="grey")], f"{_a(label)}", axes=False, equal=True, share=0.55)


def _grid(out: Array, mask: Array) -> Panel:
    marks: list[Mark] = []
    for unit, (value, kept) in enumerate(zip(out, mask, strict=True)):
        x, y = unit % COLUMNS, -(unit // COLUMNS)
        marks.append(
            Node(x, y, f"{value:.1f}" if kept else "", faded=not kept, active=bool(kept and value > 0), size=38)
        )
    rows = UNITS // COLUMNS
    return Panel(marks, "hidden units", xlim=(-0.6, COLUMNS - 0.4), ylim=(0.6 - rows, 0.6), axes=False, share=1.3)
