"""A scene as a Matplotlib figure, for where no kernel runs; in the page `scene.js` draws the same."""

from __future__ import annotations

from functools import singledispatch
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.patheffects import withStroke

from course_lib import figures
from course_lib.explore import marks
from course_lib.explore.scene import Panel, Scene

WIDTH = 860
"""Of a figure, in pixels of the page."""
ACROSS = 3
"""How many panels stand side by side at most."""
_POINTS = 72 / figures.SCREEN_DPI
"""Matplotlib measures lines and letters in points, a scene in pixels."""


def paint(scene: Scene) -> Figure:
    """Draw a scene.

    Args:
        scene: what to draw.

    Returns:
        A figure, not shown, that no window or notebook holds.
    """
    count = len(scene.panels)
    rows = -(-count // ACROSS)
    columns = -(-count // rows)
    lines = [scene.panels[first : first + columns] for first in range(0, count, columns)]
    heights = [max(panel.height for panel in line) for line in lines]
    with figures.style():
        size = (WIDTH / figures.SCREEN_DPI, sum(heights) / figures.SCREEN_DPI)
        figure = Figure(figsize=size, dpi=figures.SCREEN_DPI)
        for place, line in zip(
            figure.subfigures(rows, 1, squeeze=False, height_ratios=heights)[:, 0], lines, strict=True
        ):
            shares = [panel.share for panel in line]
            axes = place.subplots(1, len(line), squeeze=False, width_ratios=shares)[0]
            for ax, panel in zip(axes, line, strict=True):
                _paint_panel(ax, panel)
        handles = [_handle(mark) for mark in scene.legend()]
        if handles:
            figure.legend(handles=handles, loc="outside lower center", ncols=min(len(handles), 6))
    return figure


def _paint_panel(ax: Axes, panel: Panel) -> None:
    xlim, ylim = panel.ends
    ax.set(xlim=xlim, ylim=ylim, title=panel.title, xlabel=panel.xlabel, ylabel=panel.ylabel)
    ax.set(xscale="log" if panel.xlog else "linear", yscale="log" if panel.ylog else "linear")
    if panel.equal:
        ax.set_aspect("equal")
    if panel.xticks is not None:
        ax.set_xticks([at for at, _ in panel.xticks], [said for _, said in panel.xticks])
    if not panel.axes:
        ax.set_axis_off()
    if any(isinstance(mark, marks.Image | marks.Contours) for mark in panel.marks):
        ax.grid(visible=False)
    for order, mark in enumerate(panel.marks, start=3):
        _draw(mark, ax, order)
    ax.set(xlim=xlim, ylim=ylim)  # images and bars move them


def _color(look: str) -> str:
    return figures.PALETTE.get(look, "#767676")


def _text_look(look: str) -> dict[str, Any]:
    effects = [withStroke(linewidth=3, foreground="white")]
    return {"color": _color(look), "fontsize": 13 * _POINTS, "path_effects": effects}


def _line_style(name: str, solid: bool = False) -> Any:
    return "-" if solid else marks.style(name)[0]


@singledispatch
def _draw(mark: marks.Mark, ax: Axes, order: int) -> None:
    raise TypeError(f"{type(mark).__name__} is no mark that can be drawn; see course_lib.explore.marks.")


@_draw.register
def _line(mark: marks.Line, ax: Axes, order: int) -> None:
    ax.plot(np.asarray(mark.x), np.asarray(mark.y), **_line_look(mark), zorder=order)


def _line_look(mark: marks.Line) -> dict[str, Any]:
    look = {"color": _color(mark.look), "linestyle": _line_style(mark.look, mark.solid)}
    marker = {"marker": marks.style(mark.look)[1], "markevery": mark.every} if mark.every else {}
    return {**look, **marker, "linewidth": mark.width * _POINTS * 1.2}


@_draw.register
def _band(mark: marks.Band, ax: Axes, order: int) -> None:
    x, low, high = (np.asarray(values, dtype=float) for values in (mark.x, mark.low, mark.high))
    ax.fill_between(x, low, high, color=_color(mark.look), alpha=mark.strength, linewidth=0, zorder=order)


@_draw.register
def _points(mark: marks.Points, ax: Axes, order: int) -> None:
    ax.plot(np.asarray(mark.x), np.asarray(mark.y), **_points_look(mark), zorder=order)


def _points_look(mark: marks.Points) -> dict[str, Any]:
    color = _color(mark.look)
    fill = "none" if mark.hollow else color
    size = {"markersize": mark.size * _POINTS * (1.5 if mark.marker == "*" else 1)}
    marker = mark.marker or marks.style(mark.look)[1]
    return {"linestyle": "none", "marker": marker, "color": color, "markerfacecolor": fill, **size}


@_draw.register
def _bars(mark: marks.Bars, ax: Axes, order: int) -> None:
    edges = np.asarray(mark.edges, dtype=float)
    look: dict[str, Any] = {"color": _color(mark.look), "alpha": mark.strength, "edgecolor": "white", "linewidth": 0.5}
    ax.bar(edges[:-1], np.asarray(mark.heights), np.diff(edges), align="edge", zorder=order, **look)


@_draw.register
def _image(mark: marks.Image, ax: Axes, order: int) -> None:
    ax.imshow(mark.rgba, extent=mark.edges, aspect="auto", interpolation="nearest", zorder=1)


@_draw.register
def _contours(mark: marks.Contours, ax: Axes, order: int) -> None:
    if not mark.filled:
        ax.plot(*mark.lines.T, color=_color(mark.look), linewidth=mark.width * _POINTS, linestyle="-", zorder=order)
        return
    x, y, z = np.asarray(mark.x), np.asarray(mark.y), np.asarray(mark.z)
    ax.contourf(x, y, z, levels=mark.levels, colors=mark.fills, alpha=mark.strength, zorder=order)


@_draw.register
def _text(mark: marks.Text, ax: Axes, order: int) -> None:
    align = {"start": "left", "middle": "center", "end": "right"}[mark.align]
    shift = (mark.dx * _POINTS, -mark.dy * _POINTS)
    ax.annotate(
        mark.text,
        (mark.x, mark.y),
        xytext=shift,
        textcoords="offset points",
        ha=align,
        va="center",
        fontweight="bold" if mark.bold else "normal",
        zorder=order,
        **_text_look(mark.look),
    )


@_draw.register
def _rule(mark: marks.Rule, ax: Axes, order: int) -> None:
    look = {"color": _color(mark.look), "linestyle": _line_style(mark.look), "linewidth": mark.width}
    if mark.x is not None:
        ax.axvline(mark.x, zorder=order, **look)
    elif mark.y is not None:
        ax.axhline(mark.y, zorder=order, **look)


@_draw.register
def _arrow(mark: marks.Arrow, ax: Axes, order: int) -> None:
    gap = mark.gap * _POINTS
    look = {"arrowstyle": "-|>", "color": _color(mark.look), "linewidth": mark.width, "shrinkA": gap, "shrinkB": gap}
    ax.annotate("", xy=mark.end, xytext=mark.start, arrowprops=look, zorder=order)
    middle = ((mark.start[0] + mark.end[0]) / 2, (mark.start[1] + mark.end[1]) / 2)
    for words, side, look_of in ((mark.above, 1, "blue"), (mark.below, -1, "vermillion")):
        shift = (0, side * 9 * _POINTS)
        place: dict[str, Any] = {
            "xytext": shift,
            "textcoords": "offset points",
            "ha": "center",
            "va": "center",
            "zorder": 900,
        }
        ax.annotate(words, middle, **place, **_text_look(look_of))


@_draw.register
def _node(mark: marks.Node, ax: Axes, order: int) -> None:
    size = (mark.size * _POINTS) ** 2
    face = "#fff3c4" if mark.active else "white"
    edge: dict[str, Any] = {"edgecolor": "#8c8c8c" if mark.faded else "black", "linewidth": 3 if mark.active else 1.2}
    dashed = ":" if mark.faded else "-"
    ax.scatter(
        [mark.x],
        [mark.y],
        s=size,
        marker="o" if mark.round else "s",
        facecolor=face,
        linestyle=dashed,
        zorder=800,
        **edge,
    )
    half = mark.size / 2 * _POINTS
    lift = 4 * _POINTS if mark.under else 0
    for words, shift, size_of, look, weight in (
        (mark.text, lift, 14, "grey" if mark.faded else "black", "bold"),
        (mark.under, -9 * _POINTS, 11, "black", "normal"),
        (mark.above, half + 9 * _POINTS, 13, "blue", "normal"),
        (mark.below, -half - 9 * _POINTS, 13, "vermillion", "normal"),
    ):
        place: dict[str, Any] = {
            "xytext": (0, shift),
            "textcoords": "offset points",
            "ha": "center",
            "va": "center",
            "zorder": 900,
        }
        look_of = {**_text_look(look), "fontsize": size_of * _POINTS}
        ax.annotate(words, (mark.x, mark.y), **place, fontweight=weight, **look_of)


def _handle(mark: marks.Mark) -> Any:
    """What stands for a mark in the legend."""
    if isinstance(mark, marks.Line):
        return Line2D([], [], label=mark.label, **_line_look(mark) | {"markevery": None})
    if isinstance(mark, marks.Points):
        return Line2D([], [], label=mark.label, **_points_look(mark))
    if isinstance(mark, marks.Rule):
        return Line2D([], [], label=mark.label, color=_color(mark.look), linestyle=_line_style(mark.look))
    strength = getattr(mark, "strength", 1.0)
    return Patch(label=mark.label, color=_color(mark.look), alpha=strength)
