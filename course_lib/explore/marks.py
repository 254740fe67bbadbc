"""What can be drawn in a panel: lines, areas, points, bars, images, contours, words, arrows and nodes, made of arrays.

A look is a name of `course_lib.figures.PALETTE`, or "grey". Each brings its own line style and marker, so that pictures
also read in grey. Arrays travel to the page as bytes, in float32: about seven digits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

import contourpy
import numpy as np
import numpy.typing as npt

from course_lib import figures

LOOKS = (*figures.PALETTE, "grey")
COLORMAPS = {"viridis": "viridis", "grey": "gray_r", "signed": "PuOr_r"}
"""Names for `colors`, and Matplotlib's: dark is low, white is 0 (paper) and black is 1 (ink), white is 0 (signed)."""

Floats = npt.NDArray[np.float64]


def look(i: int) -> str:
    """The look of the i-th line; they repeat after seven, as in `figures.line`."""
    return LOOKS[i % len(figures.PALETTE)]


def style(name: str) -> tuple[Any, str]:
    """The line style and the marker that come with a look, in Matplotlib's terms."""
    if name == "grey":
        return "-", "o"
    i = LOOKS.index(name)
    return figures.LINE_STYLES[i], figures.MARKERS[i]


_DASHES = {"-": (), "--": (3.7, 1.6), "-.": (6.4, 1.6, 1.0, 1.6), ":": (1.0, 1.65)}


def dashes(name: str) -> tuple[float, ...]:
    """Lengths of strokes and gaps in units of the line's width, by turns; empty for a whole line."""
    given = style(name)[0]
    return _DASHES[given] if isinstance(given, str) else tuple(float(length) for length in given[1])


class Mark:
    """One thing that is drawn in a panel."""

    label: str = ""
    look: str = "grey"

    def wire(self) -> dict[str, Any]:
        """What the page gets: numbers, words, and arrays as bytes."""
        raise NotImplementedError

    def reach(self) -> tuple[Floats, Floats]:
        """Every x and every y that it touches, for axes without given limits."""
        return np.empty(0), np.empty(0)


@dataclass(frozen=True, eq=False)
class Line(Mark):
    """A line through points; NaN breaks it.

    Attributes:
        x, y: shape (K,).
        look: see `LOOKS`.
        label: its name in the legend; "" leaves it out.
        width: in pixels.
        every: a marker at every so many points; 0 for none.
        solid: whether it is drawn whole although its look is dashed.
    """

    x: npt.ArrayLike
    y: npt.ArrayLike
    look: str = "blue"
    label: str = ""
    width: float = 1.8
    every: int = 0
    solid: bool = False

    def __post_init__(self) -> None:
        _same_length(self)
        _known_look(self)

    def wire(self) -> dict[str, Any]:
        dash = () if self.solid else dashes(self.look)
        return {
            **_named(self),
            "x": _bytes(self.x),
            "y": _bytes(self.y),
            "width": self.width,
            "dash": [self.width * length for length in dash],
            "marker": style(self.look)[1] if self.every else "",
            "every": self.every,
        }

    def reach(self) -> tuple[Floats, Floats]:
        return _floats(self.x), _floats(self.y)


@dataclass(frozen=True, eq=False)
class Band(Mark):
    """The area between two lines, for intervals and for filled curves.

    Attributes:
        x, low, high: shape (K,), all finite.
        look, label: as in `Line`.
        strength: opacity, from 0 to 1.
    """

    x: npt.ArrayLike
    low: npt.ArrayLike
    high: npt.ArrayLike
    look: str = "blue"
    label: str = ""
    strength: float = 0.2

    def __post_init__(self) -> None:
        _same_length(self, "x", "low", "high")
        _known_look(self)

    def wire(self) -> dict[str, Any]:
        arrays = {name: _bytes(getattr(self, name)) for name in ("x", "low", "high")}
        return {**_named(self), **arrays, "strength": self.strength}

    def reach(self) -> tuple[Floats, Floats]:
        return _floats(self.x), np.concatenate([_floats(self.low), _floats(self.high)])


@dataclass(frozen=True, eq=False)
class Points(Mark):
    """Markers without a line.

    Attributes:
        x, y: shape (K,).
        look, label: as in `Line`; the look chooses the marker, too.
        size: across, in pixels.
        hollow: whether only the outline is drawn.
        marker: one of "o", "s", "^", "D", "v", "P", "X", "*"; "" takes the look's.
    """

    x: npt.ArrayLike
    y: npt.ArrayLike
    look: str = "blue"
    label: str = ""
    size: float = 7.0
    hollow: bool = False
    marker: str = ""

    def __post_init__(self) -> None:
        _same_length(self)
        _known_look(self)
        if self.marker not in ("", "*", *figures.MARKERS):
            raise ValueError(f"marker is {self.marker!r}; it should be one of {', '.join(figures.MARKERS)} or *.")

    def wire(self) -> dict[str, Any]:
        return {
            **_named(self),
            "x": _bytes(self.x),
            "y": _bytes(self.y),
            "size": self.size,
            "hollow": self.hollow,
            "marker": self.marker or style(self.look)[1],
        }

    def reach(self) -> tuple[Floats, Floats]:
        return _floats(self.x), _floats(self.y)


@dataclass(frozen=True, eq=False)
class Bars(Mark):
    """Bars side by side, standing on 0: a histogram, or one bar a thing.

    Attributes:
        edges: where bars begin and end, rising, shape (K + 1,).
        heights: shape (K,).
        look, label: as in `Line`.
        strength: opacity, from 0 to 1.
    """

    edges: npt.ArrayLike
    heights: npt.ArrayLike
    look: str = "blue"
    label: str = ""
    strength: float = 0.75

    def __post_init__(self) -> None:
        edges, heights = _floats(self.edges), _floats(self.heights)
        if edges.ndim != 1 or edges.shape != (heights.size + 1,):
            raise ValueError(
                f"edges has shape {edges.shape} and heights {heights.shape}; K bars need K + 1 edges, "
                "as np.histogram returns them."
            )
        _known_look(self)

    def wire(self) -> dict[str, Any]:
        return {
            **_named(self),
            "edges": _bytes(self.edges),
            "heights": _bytes(self.heights),
            "strength": self.strength,
        }

    def reach(self) -> tuple[Floats, Floats]:
        return _floats(self.edges), np.append(_floats(self.heights), 0.0)


@dataclass(frozen=True, eq=False)
class Image(Mark):
    """A picture or heat map, each number a small rectangle of colour.

    Attributes:
        values: shape (H, W); NaN is left blank.
        extent: left, right, bottom and top edge, as in Matplotlib's `imshow`; None: pixels, the first row at the top.
        low, high: the values at the two ends of the colours; None: the smallest and the largest.
        colors: "viridis", "grey" (0 is paper, 1 is ink) or "signed" (two colours, white half-way).
        origin: where the first row stands, "upper" or "lower".
    """

    values: npt.ArrayLike
    extent: tuple[float, float, float, float] | None = None
    low: float | None = None
    high: float | None = None
    colors: str = "viridis"
    origin: str = "upper"

    def __post_init__(self) -> None:
        values = _floats(self.values)
        if values.ndim != 2 or values.size == 0:
            raise ValueError(f"values has shape {values.shape}; an image needs (H, W), both at least 1.")
        if self.colors not in COLORMAPS:
            raise ValueError(f"colors is {self.colors!r}; it should be one of {', '.join(COLORMAPS)}.")
        if self.origin not in ("upper", "lower"):
            raise ValueError(f'origin is {self.origin!r}; it should be "upper" or "lower".')

    @property
    def edges(self) -> tuple[float, float, float, float]:
        """Left, right, bottom, top."""
        if self.extent is not None:
            return self.extent
        rows, columns = _floats(self.values).shape
        bottom, top = (rows - 0.5, -0.5) if self.downwards else (-0.5, rows - 0.5)
        return -0.5, columns - 0.5, bottom, top

    @property
    def downwards(self) -> bool:
        """Whether the axis should count rows from the top."""
        return self.extent is None and self.origin == "upper"

    @cached_property
    def rgba(self) -> npt.NDArray[np.uint8]:
        """Colours from 0 to 255, first row at the top, shape (H, W, 4)."""
        values = _floats(self.values)
        low, high = self.ends
        pixels = colored((values - low) / (high - low if high > low else 1.0), self.colors)
        return pixels if self.origin == "upper" else pixels[::-1]

    @property
    def ends(self) -> tuple[float, float]:
        """The values at the two ends of the colours."""
        finite = _floats(self.values)[np.isfinite(_floats(self.values))]
        low = self.low if self.low is not None else float(finite.min()) if finite.size else 0.0
        high = self.high if self.high is not None else float(finite.max()) if finite.size else 1.0
        return low, high

    def wire(self) -> dict[str, Any]:
        rows, columns = self.rgba.shape[:2]
        return {
            "kind": "image",
            "rgba": np.ascontiguousarray(self.rgba).tobytes(),
            "rows": rows,
            "columns": columns,
            "extent": [float(edge) for edge in self.edges],
        }

    def reach(self) -> tuple[Floats, Floats]:
        left, right, bottom, top = self.edges
        return np.array([left, right]), np.array([bottom, top])


@dataclass(frozen=True, eq=False)
class Contours(Mark):
    """Lines of equal height, or the bands between them filled. Keep the object: its lines are found once.

    Attributes:
        x, y: shapes (W,) and (H,).
        z: heights, shape (H, W), as from `np.meshgrid(x, y)`.
        levels: heights of the lines, rising.
        filled: "" for lines; otherwise colours for the bands, as in `Image.colors`.
        look: of the lines.
        width: of the lines, in pixels.
        strength: opacity of the bands, from 0 to 1.
    """

    x: npt.ArrayLike
    y: npt.ArrayLike
    z: npt.ArrayLike
    levels: Sequence[float]
    filled: str = ""
    look: str = "grey"
    width: float = 0.8
    strength: float = 1.0

    def __post_init__(self) -> None:
        shape, wanted = _floats(self.z).shape, (_floats(self.y).size, _floats(self.x).size)
        if shape != wanted:
            raise ValueError(f"z has shape {shape}; x and y ask for {wanted}, a row for each y.")
        if len(self.levels) < 1 + bool(self.filled) or np.any(np.diff(self.levels) <= 0):
            least = "two, the ends of a band" if self.filled else "one"
            raise ValueError(f"levels is {list(self.levels)}; it needs rising numbers, at least {least}.")
        if self.filled and self.filled not in COLORMAPS:
            raise ValueError(f"filled is {self.filled!r}; it should be one of {', '.join(COLORMAPS)}.")
        _known_look(self)

    @cached_property
    def _generator(self) -> contourpy.ContourGenerator:
        heights = np.ma.masked_invalid(_floats(self.z))
        return contourpy.contour_generator(
            _floats(self.x), _floats(self.y), heights, line_type="Separate", fill_type="OuterOffset"
        )

    @cached_property
    def lines(self) -> Floats:
        """All lines, a row of NaN after each, shape (K, 2)."""
        found: list[Any] = [part for level in self.levels for part in self._generator.lines(level)]
        gap = np.full((1, 2), np.nan)
        return np.concatenate([piece for part in found for piece in (part, gap)]) if found else gap

    @cached_property
    def bands(self) -> list[Floats]:
        """For each band its outlines, outer and inner, a row of NaN after each, shape (K, 2)."""
        gap = np.full((1, 2), np.nan)
        bands = []
        for low, high in pairwise(self.levels):
            pieces: list[Floats] = [gap]
            shapes: Any = self._generator.filled(low, high)
            for points, offsets in zip(*shapes, strict=True):
                for start, end in pairwise(offsets):
                    pieces += [points[start:end], gap]
            bands.append(np.concatenate(pieces))
        return bands

    @cached_property
    def fills(self) -> list[str]:
        """The colour of each band, as "#rrggbb"."""
        count = len(self.levels) - 1
        pixels = colored(np.linspace(0, 1, count)[None] if count > 1 else np.array([[0.5]]), self.filled)
        return [f"#{r:02x}{g:02x}{b:02x}" for r, g, b, _ in pixels[0]]

    @cached_property
    def _wire(self) -> dict[str, Any]:
        sent = {**_named(self), "width": self.width, "strength": self.strength}
        if self.filled:
            return {**sent, "fills": self.fills, "bands": [_pairs(band) for band in self.bands]}
        return {**sent, "lines": _pairs(self.lines)}

    def wire(self) -> dict[str, Any]:
        return self._wire

    def reach(self) -> tuple[Floats, Floats]:
        return _floats(self.x), _floats(self.y)


@dataclass(frozen=True, eq=False)
class Text(Mark):
    """Words at a place.

    Attributes:
        x, y: where, in the units of the axes.
        text: what.
        look: colour.
        align: "start", "middle" or "end", along x.
        dx, dy: moved by so many pixels to the right and downwards.
        bold: whether in bold.
    """

    x: float
    y: float
    text: str
    look: str = "black"
    align: str = "middle"
    dx: float = 0.0
    dy: float = 0.0
    bold: bool = False

    def __post_init__(self) -> None:
        _known_look(self)
        if self.align not in ("start", "middle", "end"):
            raise ValueError(f'align is {self.align!r}; it should be "start", "middle" or "end".')

    def wire(self) -> dict[str, Any]:
        return {
            **_named(self),
            "at": [float(self.x), float(self.y)],
            "text": self.text,
            "align": self.align,
            "shift": [self.dx, self.dy],
            "bold": self.bold,
        }

    def reach(self) -> tuple[Floats, Floats]:
        return np.array([float(self.x)]), np.array([float(self.y)])


@dataclass(frozen=True, eq=False)
class Rule(Mark):
    """A straight line across the whole panel, at one x or one y.

    Attributes:
        x, y: where; exactly one of them.
        look, label: as in `Line`.
        width: in pixels.
    """

    x: float | None = None
    y: float | None = None
    look: str = "black"
    label: str = ""
    width: float = 1.4

    def __post_init__(self) -> None:
        if (self.x is None) == (self.y is None):
            raise ValueError(f"x is {self.x} and y is {self.y}; a rule stands at one of them, so give just one.")
        _known_look(self)

    def wire(self) -> dict[str, Any]:
        return {
            **_named(self),
            "at": [self.x, self.y],
            "width": self.width,
            "dash": [self.width * length for length in dashes(self.look)],
        }

    def reach(self) -> tuple[Floats, Floats]:
        return tuple(np.array([] if at is None else [float(at)]) for at in (self.x, self.y))  # type: ignore[return-value]


@dataclass(frozen=True, eq=False)
class Arrow(Mark):
    """From one place to another, with words above and below its middle: the edge of a graph, or a step.

    Attributes:
        start, end: x and y.
        look: colour.
        width: in pixels.
        gap: pixels left free at both ends, for the nodes that stand there.
        above, below: words; "" for none.
    """

    start: tuple[float, float]
    end: tuple[float, float]
    look: str = "grey"
    width: float = 1.4
    gap: float = 0.0
    above: str = ""
    below: str = ""

    def __post_init__(self) -> None:
        _known_look(self)

    def wire(self) -> dict[str, Any]:
        return {
            **_named(self),
            "start": [float(value) for value in self.start],
            "end": [float(value) for value in self.end],
            "width": self.width,
            "gap": self.gap,
            "above": self.above,
            "below": self.below,
        }

    def reach(self) -> tuple[Floats, Floats]:
        return np.array([self.start[0], self.end[0]], float), np.array([self.start[1], self.end[1]], float)


@dataclass(frozen=True, eq=False)
class Node(Mark):
    """A node of a graph, with words in it and around it.

    Attributes:
        x, y: where.
        text: in it, in bold.
        under: in it, below that and smaller.
        above, below: beside it.
        round: a circle, or else a square.
        active: whether it is marked out.
        faded: whether it is drawn as switched off.
        size: across, in pixels.
    """

    x: float
    y: float
    text: str = ""
    under: str = ""
    above: str = ""
    below: str = ""
    round: bool = True
    active: bool = False
    faded: bool = False
    size: float = 40.0

    def wire(self) -> dict[str, Any]:
        return {
            "kind": "node",
            "at": [float(self.x), float(self.y)],
            **{name: getattr(self, name) for name in ("text", "under", "above", "below")},
            **{name: getattr(self, name) for name in ("round", "active", "faded", "size")},
        }

    def reach(self) -> tuple[Floats, Floats]:
        return np.array([float(self.x)]), np.array([float(self.y)])


def colored(shares: Floats, colors: str) -> npt.NDArray[np.uint8]:
    """Numbers from 0 to 1 as colours from 0 to 255, shape (..., 4); NaN is see-through."""
    from matplotlib import colormaps

    pixels: npt.NDArray[np.uint8] = colormaps[COLORMAPS[colors]](np.ma.masked_invalid(shares), bytes=True)
    return pixels


def _named(mark: Mark) -> dict[str, Any]:
    return {"kind": type(mark).__name__.lower(), "look": mark.look, "label": mark.label}


def _floats(values: npt.ArrayLike) -> Floats:
    return np.asarray(values, dtype=np.float64)


def _bytes(values: npt.ArrayLike) -> bytes:
    with np.errstate(over="ignore"):
        return np.ascontiguousarray(values, dtype=np.float32).tobytes()


def _pairs(points: Floats) -> dict[str, bytes]:
    return {"x": _bytes(points[:, 0]), "y": _bytes(points[:, 1])}


def _same_length(mark: Mark, *names: str) -> None:
    names = names or ("x", "y")
    shapes = [_floats(getattr(mark, name)).shape for name in names]
    if len(shapes[0]) != 1 or len(set(shapes)) != 1:
        said = ", ".join(f"{name} has shape {shape}" for name, shape in zip(names, shapes, strict=True))
        raise ValueError(f"{said}; a {type(mark).__name__} needs one shape (K,) for all.")


def _known_look(mark: Mark) -> None:
    if mark.look not in LOOKS:
        raise ValueError(f"look is {mark.look!r}; it should be one of {', '.join(LOOKS)}.")
