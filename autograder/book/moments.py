"""Explorations in static pages: every moment that a few of their controls reach, worked out beforehand.

An exploration's pictures come from Python. Where one or two controls tell most of its story, all their positions are
few enough to be computed once and looked up in the page. What can be moved there, and how finely, stands in `MOVES`;
other controls are left out of the page, which says so. The moments are found by making every move from every moment
until nothing new comes, so at each position the page shows just what JupyterLab would.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import course_lib
from autograder.sources import reached
from course_lib.explore.exploration import Exploration

Path_ = tuple[tuple[str, Any], ...]
_TYPED = "WHAT-WAS-TYPED"
_WAITING = "not written yet"
"""What an exploration says of a reader's own functions; nobody writes any in a page."""


@dataclass(frozen=True)
class Moves:
    """What of an exploration can be moved in a page.

    Attributes:
        module: where its class is, within course_lib.explore.
        every: control's label -> which of its positions count: each, every second, ...; a button has one.
        first: moves made before anything is shown.
        apart: whether no control moves another, so that the order of moves tells nothing: each combination is then
            worked out once, all on the same object.
        most: an upper bound on moments; more is a fault of this table.
    """

    module: str
    every: Mapping[str, int]
    first: Path_ = ()
    apart: bool = True
    most: int = 300


_SIZES: Path_ = tuple(("batch size", at) for at in (3, 4, 5, 6, 7, 8, 2, 1, 0))
MOVES: Mapping[str, Moves] = {
    "Tangent": Moves("tangent", {"point": 1, "h, the step": 5}),
    "GraphStepper": Moves("graph_stepper", {"graph": 1, "b": 5, "step": 1, "Back": 1, "Forward": 1}, apart=False),
    "Downhill": Moves("contours", {"learning rate": 1, "try nine rates": 1}),
    "BatchNoise": Moves("batch_noise", {"batch size": 1}, first=_SIZES),
    "Ravine": Moves("ravine", {"momentum": 1}),
    "OptimizerRace": Moves("optimizer_race", {"surface": 1, "One rate for all": 1, "Each its best rate": 1}),
    "Penalties": Moves("penalties", {"penalty": 1, "λ, the strength": 2}),
    "SilentUnits": Moves("silent_units", {"network": 1, "mode": 1, "p, probability of dropping": 2}),
    "Signals": Moves("signals", {"network": 1, "size of the first weights (1 is He's)": 1}),
    "RateKnob": Moves("rate_knob", {"learning rate": 2, "examples in a step": 1}),
    "SingularValues": Moves("singular_values", {"matrix": 1, "coefficients": 1, "rounds": 1}),
    "ModernRace": Moves("modern_race", {"surface": 1, "One rate for all": 1, "Each its best rate": 1}),
}
"""By class name. Lessons 09 and 10 stay pictures: five points to drag, and a training under eight controls."""


def script(name: str) -> str:
    """The moments of an exploration as a script that a page loads.

    Returns:
        A line that puts them into `courseBook.moments`. Arrays are base64, each once however many moments show it.
    """
    data = json.dumps(moments(name), ensure_ascii=False, separators=(",", ":"))
    return f"courseBook.moments[{json.dumps(name)}] = {data};\n"


def moments(name: str) -> dict[str, Any]:
    """All moments of an exploration.

    Returns:
        `states`: what the page gets at each, the first as it opens; `to` maps a control to the moment that each of its
        positions leads to. `buffers`: the arrays, base64. `left`: labels of controls that cannot be moved.
        `prediction`: what is needed to read one.

    Raises:
        AssertionError: more moments than the table allows.
    """
    moves = MOVES[name]
    made: Callable[[], Exploration] = getattr(import_module(f"course_lib.explore.{moves.module}"), name)
    buffers: dict[str, int] = {}
    states: list[dict[str, Any]] = []
    known: dict[str, int] = {}
    reached: dict[Path_, int] = {}
    waiting: list[tuple[int, Path_]] = []

    def meet(path: Path_) -> int:
        if path in reached:
            return reached[path]
        exploration = stand.after(path)
        key = _key(exploration)
        if key not in known:
            known[key] = len(states)
            states.append(_state(exploration, moves, buffers))
            waiting.append((known[key], path))
        assert len(states) <= moves.most, f"{name} reaches more than {moves.most} moments; see MOVES"
        reached[path] = known[key]
        return known[key]

    with _Stand(made, moves) as stand:
        opened = stand.after(())
        labels = [spec["label"] for row in opened.rows for spec in row]
        title, asked, prediction = opened.title, opened.asked, _prediction(opened)
        meet(())
        while waiting:
            at, path = waiting.pop(0)
            for spec in (spec for row in states[at]["rows"] for spec in row):
                ways = [[value, meet(_then(path, spec, value, moves))] for value in _values(spec)]
                states[at]["to"][spec["label"]] = ways
    return {
        "title": title,
        "asked": asked if any(state["outcome"] for state in states) else {},  # a question that nothing answers is none
        "prediction": prediction,
        "left": [label for label in labels if label not in moves.every],
        "states": states,
        "buffers": list(buffers),
    }


def fingerprint(name: str) -> str:
    """Changes with whatever the moments follow from: this module, and the exploration's with all that it imports."""
    files = reached([f"course_lib.explore.{MOVES[name].module}", "course_lib.data"])
    data = sorted(Path(str(course_lib.__file__)).parent.rglob("*.npz"))
    digest = hashlib.sha256(name.encode())
    for path in (Path(__file__), *sorted(files), *data):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def _then(path: Path_, spec: dict[str, Any], value: Any, moves: Moves) -> Path_:
    """The path and one move more, as short as it can be: of a control its last position counts, of buttons the last."""
    label = spec["label"]
    if spec["kind"] == "button" and moves.apart:
        positions = dict(step for step in path if step[1] is not None)
        return (*positions.items(), (label, value))
    if spec["kind"] == "button":
        return (*path, (label, value))
    pressed = _pressed(path)
    before, since = path[:pressed], {moved: to for moved, to in path[pressed:] if moved != label}
    since[label] = value
    order = [each for each in moves.every if each in since] if moves.apart else list(since)
    return (*before, *((each, since[each]) for each in order))


class _Stand:
    """Explorations as they stand after moves."""

    def __init__(self, made: Callable[[], Exploration], moves: Moves) -> None:
        self._made, self._moves = made, moves
        self._kept: dict[Path_, tuple[Exploration, dict[str, Any]]] = {}

    def __enter__(self) -> _Stand:
        return self

    def __exit__(self, *_: object) -> None:
        for exploration, _values in self._kept.values():
            exploration.close()

    def after(self, path: Path_) -> Exploration:
        """One that these moves were made with; the next call may move it on."""
        if not self._moves.apart:
            made = self._made()
            _move(made, path)
            made.close()
            return made
        pressed = _pressed(path)
        if path[:pressed] not in self._kept:
            made = self._made()
            _move(made, self._moves.first + path[:pressed])
            values = {spec["label"]: spec["value"] for row in made.rows for spec in row if "value" in spec}
            self._kept[path[:pressed]] = made, values
        kept, values = self._kept[path[:pressed]]
        _move(kept, tuple({**values, **dict(path[pressed:])}.items()), at_once=True)
        return kept


def _move(exploration: Exploration, path: Path_, *, at_once: bool = False) -> None:
    with exploration.at_once() if at_once else contextlib.nullcontext():
        for label, value in path:
            with exploration.at_once():
                if label in exploration._controls:
                    exploration._controls[label].take(list(value) if isinstance(value, tuple) else value)


def _pressed(path: Path_) -> int:
    """How many moves of the path end with the last press of a button."""
    return max((place for place, (_, value) in enumerate(path, start=1) if value is None), default=0)


def _key(exploration: Exploration) -> str:
    values = [[spec["label"], spec.get("value")] for row in exploration.rows for spec in row]
    return json.dumps([values, _plain(exploration.picture, {}), exploration.told], default=str)


def _state(exploration: Exploration, moves: Moves, buffers: dict[str, int]) -> dict[str, Any]:
    rows = [[_spec(spec, moves) for spec in row if spec["label"] in moves.every] for row in exploration.rows]
    return {
        "rows": [row for row in rows if row],
        "picture": _plain(exploration.picture, buffers),
        "told": [said for said in exploration.told if _WAITING not in said],
        "outcome": exploration.came_out() or "",
        "to": {},
    }


def _spec(spec: dict[str, Any], moves: Moves) -> dict[str, Any]:
    """A control whose positions are those that count."""
    every = moves.every[spec["label"]]
    if spec["kind"] != "slider" or every == 1:
        return spec
    values = [value for value in _values({**spec, "step": spec["step"] * every}) if value is not None]
    return {**spec, "step": spec["step"] * every, "low": values[0], "high": values[-1]}


def _values(spec: Mapping[str, Any]) -> list[Any]:
    """Every position of a control, as the page would send it; those of a slider pass through where it stands now."""
    match spec["kind"]:
        case "slider":
            step = spec["step"]
            below = int((spec["value"] - spec["low"]) / step + 1e-6)
            above = int((spec["high"] - spec["value"]) / step + 1e-6)
            return [round(spec["value"] + step * i, 9) for i in range(-below, above + 1)]
        case "choice":
            return list(spec["options"])
        case "toggle":
            return [False, True]
        case "button":
            return [None]
        case "point":
            (low, high), (step, _) = spec["xlim"], spec["step"]  # along x; its own exploration knows the height
            count = round((high - low) / step)
            return [(round(low + step * i, 9), spec["ylim"][0]) for i in range(count + 1)]
    raise ValueError(f"{spec['label']} is a {spec['kind']}, and no page knows its positions")


def _plain(value: Any, buffers: dict[str, int]) -> Any:
    """The value with each array replaced by its place among the buffers."""
    if isinstance(value, bytes | bytearray | memoryview):
        text = base64.b64encode(bytes(value)).decode("ascii")
        return {"$": buffers.setdefault(text, len(buffers))}
    if isinstance(value, Mapping):
        return {key: _plain(each, buffers) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each, buffers) for each in value]
    return value


def _prediction(exploration: Exploration) -> dict[str, Any]:
    """What is needed to read a prediction: its ends, and what is said to anything else."""
    asked = exploration._prediction
    if asked is None:
        return {}
    said = {}
    for key, typed in (("wrong", _TYPED), ("nothing", "")):
        try:
            asked.read(typed)
        except ValueError as error:
            said[key] = str(error)
    ends = [None if abs(end) == float("inf") else end for end in (asked.low, asked.high)]
    return {"low": ends[0], "high": ends[1], **said, "typed": _TYPED}
