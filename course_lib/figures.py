"""The house style of plots, and showing one with words for those who cannot see it.

Colours are those of Okabe and Ito (Color Universal Design, 2008), which colour-blind readers can tell apart. Each comes
with a line style of its own, and with a marker in `line(i)`, so that a figure also reads in grey.

    with figures.style():
        fig, ax = plt.subplots()
        ax.plot(steps, loss, label="Adam")
    figures.show(fig, alt="Training loss falls from 2.3 to 0.1 within 200 steps.")

Matplotlib is loaded when a function here is first used, not before.
"""

import base64
import html
import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from threading import RLock
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

from ._typing import Array, IntArray
from .intervals import mean_interval

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.typing import RcKeyType

PALETTE = {
    "blue": "#0072B2",
    "vermillion": "#D55E00",
    "green": "#009E73",
    "purple": "#CC79A7",
    "sky": "#56B4E9",
    "orange": "#E69F00",
    "black": "#000000",
}
"""Colours by name, in the order in which lines take them (Okabe and Ito; their yellow is too pale for lines)."""

LINE_STYLES = ("-", "--", "-.", ":", (0, (6, 1, 1, 1, 1, 1)), (0, (3, 1)), (0, (9, 2)))
MARKERS = ("o", "s", "^", "D", "v", "P", "X")

SCREEN_DPI = 96
"""How many pixels of the page an inch of figure takes; the picture itself is finer, see `SHARPNESS`."""
SHARPNESS = 1.5


class Curves(Protocol):
    """What `learning_curves` draws; `course_lib.training.History` is one."""

    train_loss: list[float]
    val_loss: list[float]
    train_accuracy: list[float]
    val_accuracy: list[float]
    step_lr: list[float]


def line(i: int) -> dict[str, Any]:
    """Colour, line style and marker of the i-th line, for `ax.plot(x, y, **figures.line(i))`; they repeat after seven.

    Markers stand at a tenth of the points or so: enough to tell lines apart without hiding them.
    """
    i %= len(PALETTE)
    color = list(PALETTE.values())[i]
    return {"color": color, "linestyle": LINE_STYLES[i], "marker": MARKERS[i], "markevery": 0.12}


def rc() -> "dict[RcKeyType, Any]":
    """The settings of the house style, for `plt.rcParams.update(figures.rc())` or `plt.rc_context`."""
    from cycler import cycler

    lines = cycler(color=list(PALETTE.values())) + cycler(linestyle=list(LINE_STYLES))
    return {
        "figure.figsize": (6.4, 3.8),
        "figure.dpi": SCREEN_DPI,
        "figure.facecolor": "white",  # on dark pages too: axis labels are dark
        "figure.constrained_layout.use": True,
        "axes.prop_cycle": lines,
        "axes.grid": True,
        "axes.axisbelow": True,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.titlelocation": "left",
        "axes.titlesize": "medium",
        "grid.color": "#d9d9d9",
        "grid.linewidth": 0.6,
        "lines.linewidth": 1.8,
        "lines.markersize": 5,
        "legend.frameon": False,
        "image.cmap": "viridis",
        "font.size": 11,
    }


# JupyterLab answers widgets in a thread beside the cells'. Matplotlib's settings are one for all threads: two styles at
# once would leave each other's settings behind.
_one_style_at_a_time = RLock()


@contextmanager
def style() -> Iterator[None]:
    """The house style within a `with` block; everything is as before afterwards. Other threads wait for its end."""
    import matplotlib as mpl

    with _one_style_at_a_time, mpl.rc_context(rc()):
        yield


def apply() -> None:
    """The house style from here on, for a notebook's first cell."""
    import matplotlib as mpl

    mpl.rcParams.update(rc())


def show(fig: "Figure", alt: str) -> None:
    """Display a figure in the notebook as a picture with alternative text, and close it.

    JupyterLab drops alternative text from the metadata of a PNG, so the picture travels as an HTML image, which
    JupyterLab and nbconvert both show with its text. The plain-text form of the output is the text alone.

    Args:
        fig: a Matplotlib figure.
        alt: what there is to be seen, in a sentence or two: what is drawn, and what to notice.

    Raises:
        ValueError: an empty `alt`.
    """
    from IPython.display import display

    markup = image_html(fig, alt)
    close(fig)
    display({"text/html": markup, "text/plain": alt}, raw=True)  # type: ignore[no-untyped-call]


def image_html(fig: "Figure", alt: str) -> str:
    """The figure as an HTML `img` element that holds its PNG and its alternative text.

    Raises:
        ValueError: an empty `alt`.
    """
    if not alt.strip():
        raise ValueError('alt is empty; say what there is to be seen, as in alt="Loss against steps, falling".')
    png = io.BytesIO()
    fig.savefig(png, format="png", dpi=SCREEN_DPI * SHARPNESS, metadata={"Software": None})
    data = base64.b64encode(png.getvalue()).decode("ascii")
    width = round(fig.get_figwidth() * SCREEN_DPI)
    return f'<img alt="{html.escape(alt)}" width="{width}" src="data:image/png;base64,{data}">'


def close(fig: "Figure") -> None:
    """Free a figure, so that the notebook does not show it a second time."""
    import matplotlib.pyplot as plt

    plt.close(fig)


def band(ax: "Axes", x: npt.ArrayLike, runs: npt.ArrayLike, *, label: str, level: float = 0.95, **look: Any) -> None:
    """Draw the mean of several runs as a line, with a band for its confidence interval (Student's t).

    Args:
        ax: where to draw.
        x: shape (K,).
        runs: one row a run (a seed), shape (R, K), R at least 2.
        label: name in the legend.
        level: confidence, between 0 and 1.
        look: further settings of the line, as in `**figures.line(2)`.

    Raises:
        ValueError: shapes that do not fit, fewer than two runs, or a level outside 0 to 1.
    """
    positions, values = np.asarray(x), np.asarray(runs, dtype=np.float64)
    if values.ndim != 2 or positions.shape != values.shape[1:]:
        raise ValueError(f"x has shape {positions.shape}, runs {values.shape}; they need (K,) and (R, K), a row a run.")
    intervals = [mean_interval(column, level) for column in values.T]
    (drawn,) = ax.plot(positions, [i.mean for i in intervals], label=label, **look)
    low, high = [i.low for i in intervals], [i.high for i in intervals]
    ax.fill_between(positions, low, high, color=drawn.get_color(), alpha=0.2, linewidth=0)


def learning_curves(history: Curves) -> "Figure":
    """Loss and accuracy after every epoch, for training and validation, and the learning rate of every step.

    Args:
        history: with lists `train_loss`, `val_loss`, `train_accuracy`, `val_accuracy`, one value an epoch, empty where
            it was not measured, and `step_lr`, one value a step.

    Returns:
        A figure, not yet shown: a panel for the losses, one for the accuracies if there are any, and one for the rate
        if it varied, on a logarithmic axis if it was below a tenth of its peak for most of the run.

    Raises:
        ValueError: no epoch was finished.
    """
    import matplotlib.pyplot as plt

    if not history.train_loss:
        raise ValueError("there is nothing to plot: no epoch was finished.")
    panels = [("loss", history.train_loss, history.val_loss)]
    if history.train_accuracy:
        panels.append(("accuracy", history.train_accuracy, history.val_accuracy))
    rates = np.asarray(history.step_lr, dtype=np.float64)
    varied = len(set(history.step_lr)) > 1
    columns = len(panels) + varied
    with style():
        width = 4.2 if columns < 3 else 3.4
        fig, axes = plt.subplots(1, columns, figsize=(width * columns, 3.4), squeeze=False)
        for ax, (name, train, val) in zip(axes[0], panels, strict=False):
            for i, (label, values) in enumerate((("training", train), ("validation", val))):
                if values:
                    ax.plot(np.arange(1, len(values) + 1), values, label=label, **line(i))
            ax.set(xlabel="epoch", ylabel=name)
            ax.xaxis.get_major_locator().set_params(integer=True)
            ax.legend()
        if varied:
            ax = axes[0, -1]
            ax.plot(np.arange(1, len(rates) + 1), rates, color=PALETTE["green"])
            ax.set(xlabel="step", ylabel="learning rate")
            if rates.min() > 0 and np.median(rates) < rates.max() / 10:
                ax.set_yscale("log")
            else:
                ax.set_ylim(bottom=0)
    return fig


def range_test(lrs: npt.ArrayLike, losses: npt.ArrayLike, suggestion: float) -> "Figure":
    """The loss at every rate of a learning rate range test, its lowest point, and the rate that is suggested.

        lrs, losses = lr_range_test(...)
        suggestion = suggest_lr(lrs, losses)
        figures.show(figures.range_test(lrs, losses, suggestion), figures.range_test_alt(lrs, losses, suggestion))

    Args:
        lrs, losses: what `lr_range_test` returned, shape (K,) each.
        suggestion: what `suggest_lr` returned, above 0.

    Returns:
        A figure, not yet shown. The loss axis ends at twice the first loss, so that the divergence at the end, which
        leaves through the top, does not flatten the rest.

    Raises:
        ValueError: arrays that do not fit, or no finite loss.
    """
    import matplotlib.pyplot as plt

    rates, values, lowest = _range_test(lrs, losses)
    with style():
        fig, ax = plt.subplots()
        ax.plot(rates, values, color=PALETTE["blue"], label="loss before the step")
        ax.plot(rates[lowest], values[lowest], linestyle="none", marker="o", color=PALETTE["black"], label="lowest")
        ax.axvline(suggestion, color=PALETTE["vermillion"], linestyle="--", label=f"suggestion: {suggestion:.2g}")
        first = values[np.isfinite(values)][0]
        span = max(2 * first, values[lowest]) - min(values[lowest], 0.0)
        ax.set(xscale="log", xlabel="learning rate", ylabel="loss")
        if span > 0:
            ax.set_ylim(min(values[lowest], 0.0) - 0.03 * span, max(2 * first, values[lowest]))
        ax.legend(loc="best")
    return fig


def range_test_alt(lrs: npt.ArrayLike, losses: npt.ArrayLike, suggestion: float) -> str:
    """What `range_test` shows, in words, for its alternative text; arguments and errors are the same."""
    rates, values, lowest = _range_test(lrs, losses)
    text = (
        f"Loss against the learning rate on a logarithmic axis, from {rates[0]:.2g} to {rates[-1]:.2g}: it starts at "
        f"{values[0]:.3g}, is lowest, {values[lowest]:.3g}, at rate {rates[lowest]:.2g}, "
    )
    if not np.isfinite(values[-1]):
        text += "and is no longer finite at the end"
    elif values[-1] > values[lowest]:
        text += f"and ends at {values[-1]:.3g}"
    else:
        text += "and does not rise again"
    return f"{text}. A vertical line marks the suggested rate, {suggestion:.2g}."


def _range_test(lrs: npt.ArrayLike, losses: npt.ArrayLike) -> tuple[Array, Array, int]:
    """Rates, losses, and where the lowest is."""
    rates, values = np.asarray(lrs, np.float64), np.asarray(losses, np.float64)
    if rates.ndim != 1 or rates.shape != values.shape or not np.isfinite(values).any():
        raise ValueError(
            f"lrs has shape {rates.shape} and losses {values.shape}; both need the same (K,), with a finite loss."
        )
    return rates, values, int(np.where(np.isfinite(values), values, np.inf).argmin())


def digit_grid(
    X: Array,
    labels: IntArray | Sequence[object] | None = None,
    predictions: IntArray | None = None,
    columns: int = 10,
) -> "Figure":
    """Square images side by side, each with its label; a wrong prediction is written out and framed.

    Args:
        X: one image a row, shape (N, S*S), or pictures, shape (N, S, S); 0 is paper, 1 is ink.
        labels: what each image shows, shape (N,).
        predictions: what was read, shape (N,); needs `labels`.
        columns: images in a row, at least 1.

    Returns:
        A figure, not yet shown.

    Raises:
        ValueError: no images, rows that are no squares, labels or predictions of another length.
    """
    import matplotlib.pyplot as plt

    images = np.asarray(X)
    side = round(float(np.sqrt(images[0].size))) if len(images) else 0
    if side == 0 or images[0].size != side * side:
        raise ValueError(f"X has shape {images.shape}; digit_grid needs at least one square image, as in (N, 64).")
    for name, values in (("labels", labels), ("predictions", predictions)):
        if values is not None and len(values) != len(images):
            raise ValueError(f"{name} has {len(values)} entries for {len(images)} images; both need the same number.")
    if predictions is not None and labels is None:
        raise ValueError("predictions were given without labels; digit_grid needs both to mark the wrong ones.")
    rows = -(-len(images) // columns)
    columns = min(columns, len(images))
    titled = labels is not None
    with style():
        fig, axes = plt.subplots(
            rows, columns, figsize=(0.72 * columns, (0.98 if titled else 0.76) * rows), squeeze=False
        )
    for ax in axes.flat:
        ax.set_axis_off()
    for i, (ax, image) in enumerate(zip(axes.flat, images, strict=False)):
        ax.imshow(image.reshape(side, side), cmap="gray_r", vmin=0, vmax=1, interpolation="nearest")
        if labels is None:
            continue
        wrong = predictions is not None and predictions[i] != labels[i]
        ax.set_title(
            f"{labels[i]} → {predictions[i]}" if wrong and predictions is not None else f"{labels[i]}",
            loc="center",
            fontsize=10,
            color=PALETTE["vermillion"] if wrong else "black",
        )
        if wrong:
            ax.set_axis_on()
            ax.grid(visible=False)
            ax.set(xticks=[], yticks=[])
            for spine in ax.spines.values():
                spine.set(visible=True, color=PALETTE["vermillion"], linewidth=2)
    return fig
