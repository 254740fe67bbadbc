"""Keep a training run in a file, and go on from it later as if nothing had happened.

    checkpoint.save("run.npz", model=model, optimizer=optimizer, scheduler=scheduler, rng=rng, history=history)

    # later, in a fresh process: make the same things again, then
    checkpoint.load("run.npz", model=model, optimizer=optimizer, scheduler=scheduler, rng=rng, history=history)
    fit(model, X, y, optimizer, scheduler=scheduler, rng=rng, history=history, ...)

The file is one .npz: every array is an array in it, to the bit; everything else is JSON in the entry "contents". It is
never a pickle, so reading one from a stranger runs no code of theirs.
"""

import json
import os
import re
import zipfile
import zlib
from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path
from secrets import token_hex
from typing import Any

import numpy as np
import numpy.typing as npt

FORMAT = "course_lib checkpoint 1"
_CONTENTS = "contents"  # the names of all other entries have a dot


def save(path: str | os.PathLike[str], **things: Any) -> None:
    """Write the states of things into one file, whole or not at all: until it is complete, an older file stays.

    Args:
        path: where to; "run.npz", for example. It is written under exactly this name.
        things: name -> anything with `state_dict` and `load_state_dict` (models, optimizers, schedulers,
            `EarlyStopping`, `History`), or a `numpy.random.Generator`. A generator that two things share is saved with
            each.

    Raises:
        TypeError: a thing without a state, or a state with something in it that is neither array, number, text, None,
            nor a list, tuple or dict of such.
        ValueError: no things.
        OSError: the file cannot be written.
    """
    _check_things("save", things)
    arrays: dict[str, npt.NDArray[Any]] = {}
    contents = {
        "format": FORMAT,
        "things": {
            name: {"kind": _kind(thing), "state": _encode(_state(thing), name, arrays)}
            for name, thing in things.items()
        },
    }
    arrays[_CONTENTS] = np.frombuffer(json.dumps(contents).encode(), np.uint8)
    target = Path(path)
    part = target.with_name(f".{target.name}.{token_hex(4)}.part")
    try:
        with part.open("xb") as file:
            np.savez(file, **arrays)  # type: ignore[arg-type]  # numpy's stubs take the names for its own options
            file.flush()
            os.fsync(file.fileno())
        part.replace(target)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def load(path: str | os.PathLike[str], **things: Any) -> None:
    """Give things the states kept by `save`, to the bit.

    Args:
        path: the file.
        things: name -> thing, by the names used in `save`; any of them, not necessarily all.

    Raises:
        ValueError: the file is no checkpoint, has no such name, holds another kind of thing, or a state that does not
            fit (other names, shapes or precision). No thing is changed then.
        TypeError: a thing without a state.
        FileNotFoundError: there is no such file.
    """
    _check_things("load", things)
    kept = _read(Path(path))
    for name, thing in things.items():
        if name not in kept:
            raise ValueError(f"{path} holds no {name!r}; it holds {', '.join(map(repr, kept))}.")
        kind, state = kept[name]
        if kind != _kind(thing):
            raise ValueError(f"{path}: {name!r} was saved from {kind}; load got {_kind(thing)} for it.")
        _check_precision(f"{path}: {name}", _state(thing), state)
    before = {name: deepcopy(_state(thing)) for name, thing in things.items()}
    # A scheduler writes its rate into its optimizer, whose own state has the last word.
    order = sorted(things, key=lambda name: not hasattr(things[name], "optimizer"))
    try:
        for name in order:
            _restore(things[name], kept[name][1])
    except Exception as error:
        for changed in order:
            _restore(things[changed], before[changed])
        raise ValueError(f"{path}: {name!r} does not fit, so nothing was loaded: {error}") from error


def _check_things(what: str, things: Mapping[str, Any]) -> None:
    if not things:
        raise ValueError(f"{what} got nothing; name what it is for, as in {what}(path, model=model, rng=rng).")
    for name, thing in things.items():
        if not isinstance(thing, np.random.Generator) and not (
            hasattr(thing, "state_dict") and hasattr(thing, "load_state_dict")
        ):
            raise TypeError(
                f"{what} got {name}, a {type(thing).__name__}; it takes what has state_dict and load_state_dict, "
                "such as models, optimizers and histories, and numpy's random generators."
            )


def _kind(thing: Any) -> str:
    return type(thing.bit_generator if isinstance(thing, np.random.Generator) else thing).__name__


def _state(thing: Any) -> Any:
    return thing.bit_generator.state if isinstance(thing, np.random.Generator) else thing.state_dict()


def _restore(thing: Any, state: Any) -> None:
    if isinstance(thing, np.random.Generator):
        thing.bit_generator.state = state
    else:
        thing.load_state_dict(state)


def _check_precision(where: str, mine: Any, kept: Any) -> None:
    """Refuse arrays of another dtype, which would be rounded in silence on their way into the thing."""
    if isinstance(mine, dict) and isinstance(kept, dict):
        for name, value in mine.items():
            _check_precision(f"{where}.{name}", value, kept.get(name))
    elif isinstance(mine, np.ndarray) and isinstance(kept, np.ndarray) and mine.dtype != kept.dtype:
        raise ValueError(f"{where} is {kept.dtype} in the file and {mine.dtype} here; make both of one dtype.")


# In JSON a number, a string, a bool or None stands for itself, and everything else is [tag, ...]. JSON alone would turn
# tuples into lists and the keys of dicts into strings.


def _encode(value: Any, where: str, arrays: dict[str, npt.NDArray[Any]]) -> Any:
    if value is None or type(value) in (bool, int, str):
        return value
    if type(value) is float:
        return value if np.isfinite(value) else ["float", value.hex()]
    if isinstance(value, np.ndarray | np.generic):
        if value.dtype.hasobject:
            raise TypeError(f"{where} is an array of Python objects; a checkpoint takes arrays of numbers or text.")
        tag = "array" if isinstance(value, np.ndarray) else "scalar"
        return [tag, _add(where, np.asarray(value), arrays)]
    if type(value) is dict:
        return ["dict", *([_encode(k, where, arrays), _encode(v, f"{where}.{k}", arrays)] for k, v in value.items())]
    if type(value) is list and value and all(type(item) is float for item in value):
        return ["floats", _add(where, np.array(value), arrays)]  # a history: long, and all of one type
    if type(value) in (list, tuple):
        return [type(value).__name__, *(_encode(item, f"{where}.{i}", arrays) for i, item in enumerate(value))]
    raise TypeError(f"{where} is a {type(value).__name__}; a checkpoint takes arrays, numbers, text, lists and dicts.")


def _add(where: str, array: npt.NDArray[Any], arrays: dict[str, npt.NDArray[Any]]) -> str:
    """Put an array among the file's entries, under a name that tells where it belongs and that nothing else has."""
    name = re.sub(r"[^\w.]", "_", where if "." in where else f"{where}.", flags=re.ASCII)
    while name in arrays:
        name += "_"
    arrays[name] = array
    return name


def _decode(code: Any, arrays: Mapping[str, npt.NDArray[Any]]) -> Any:
    if not isinstance(code, list):
        return code
    tag, *rest = code
    match tag:
        case "float":
            return float.fromhex(rest[0])
        case "array":
            return arrays[rest[0]]
        case "scalar":
            return arrays[rest[0]][()]
        case "floats":
            return arrays[rest[0]].tolist()
        case "dict":
            return {_decode(key, arrays): _decode(value, arrays) for key, value in rest}
        case "list":
            return [_decode(item, arrays) for item in rest]
        case "tuple":
            return tuple(_decode(item, arrays) for item in rest)
        case _:
            raise ValueError(f"unknown tag {tag!r}")


def _read(path: Path) -> dict[str, tuple[str, Any]]:
    """Name -> kind and state."""
    with path.open("rb") as file:
        try:
            with np.load(file, allow_pickle=False) as entries:
                arrays = {name: entries[name] for name in entries.files}
            contents = json.loads(arrays.pop(_CONTENTS).tobytes())
            if contents["format"] != FORMAT:
                raise ValueError(f"its format is {contents['format']!r}")
            return {name: (kept["kind"], _decode(kept["state"], arrays)) for name, kept in contents["things"].items()}
        # What NumPy, zipfile and the lines above answer to bytes that are something else, or not all there.
        except (
            ValueError, KeyError, IndexError, TypeError, AttributeError, EOFError, OSError, NotImplementedError,
            RuntimeError, MemoryError, zipfile.BadZipFile, zlib.error,
        ) as error:  # fmt: skip
            raise ValueError(f"{path} is no checkpoint written by course_lib, or is damaged: {error}") from error
