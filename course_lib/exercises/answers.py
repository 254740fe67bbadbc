"""Plain typed data: the only thing that goes into a learner's code from a check, and the only thing that comes out.

A value is *plain* when it is None, a bool, an int of 64 bits, a float, a short string, a NumPy array of a
listed dtype, or a tuple, list or string-keyed dict of plain values. Anything else becomes an :class:`Opaque`, which
keeps its type's name and nothing more. Plain values travel as JSON with the raw bytes of each array, never as pickles.
"""

from __future__ import annotations

import base64
import binascii
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

DTYPES = (
    "bool",
    "int8",
    "int16",
    "int32",
    "int64",
    "uint8",
    "uint16",
    "uint32",
    "uint64",
    "float16",
    "float32",
    "float64",
)
_NATIVE = {np.dtype(name): name for name in DTYPES}
_LITTLE = {name: np.dtype(name).newbyteorder("<") for name in DTYPES}
MAX_DEPTH = 6
MAX_ITEMS = 1_000
MAX_TEXT = 2_000
MAX_ARRAY_BYTES = 8_000_000


@dataclass(frozen=True)
class Opaque:
    """A value that is not plain; only the name of its type is kept (at most 80 characters)."""

    type_name: str


class BadEncoding(ValueError):
    """Raised by :func:`decode` for data that :func:`encode` cannot have written."""


def to_plain(value: object, depth: int = 0) -> Any:
    """Return a plain copy of `value`: later changes to the original do not reach it.

    NumPy scalars become arrays of shape (), subclasses of ndarray become ndarrays. Whatever is too deep (more than 6
    levels), too long (1,000 items), too large (8 MB an array) or of an unlisted type becomes an :class:`Opaque`.
    """
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, np.ndarray | np.generic):
        array = np.array(value, order="C", copy=True, subok=False)
        native = array.dtype if array.dtype.isnative else array.dtype.newbyteorder("=")
        if native not in _NATIVE:
            return Opaque(f"array of {array.dtype.name}"[:80])
        if array.nbytes > MAX_ARRAY_BYTES:
            return Opaque(f"array of {array.nbytes / 1e6:.0f} MB")
        return array.astype(native, copy=False)
    if type(value) is int:
        return value if -(2**63) <= value < 2**63 else Opaque("int of more than 64 bits")
    if isinstance(value, float):
        return float(value)
    if type(value) is str:
        return value[:MAX_TEXT]
    if isinstance(value, tuple | list) and depth < MAX_DEPTH and len(value) <= MAX_ITEMS:
        items = [to_plain(item, depth + 1) for item in value]
        return tuple(items) if isinstance(value, tuple) else items
    if isinstance(value, dict) and depth < MAX_DEPTH and len(value) <= MAX_ITEMS:
        if all(type(key) is str for key in value):
            return {key[:MAX_TEXT]: to_plain(item, depth + 1) for key, item in value.items()}
    return Opaque(type(value).__name__[:80])


def encode(value: object, special: Callable[[object], dict[str, Any] | None] | None = None) -> Any:
    """Return JSON-ready data for a plain `value`, exact to the bit.

    `special` may encode further types; it returns a dict of one key, or None for a type it does not know.
    Raises TypeError for a value that is not plain.
    """
    if value is None or type(value) in (bool, str, int):
        return value
    if type(value) is float:
        return {"float": value.hex()}
    if isinstance(value, np.ndarray):
        name = _NATIVE.get(value.dtype if value.dtype.isnative else value.dtype.newbyteorder("="))
        if name is None:
            raise TypeError(f"arrays of {value.dtype} are not plain; use one of {', '.join(DTYPES)}")
        data = base64.b64encode(value.astype(_LITTLE[name], copy=False).tobytes()).decode("ascii")
        return {"array": [name, list(value.shape), data]}
    if type(value) is tuple:
        return {"tuple": [encode(item, special) for item in value]}
    if type(value) is list:
        return {"list": [encode(item, special) for item in value]}
    if type(value) is dict:
        return {"dict": [[key, encode(item, special)] for key, item in value.items()]}
    if isinstance(value, Opaque):
        return {"opaque": value.type_name}
    encoded = special(value) if special is not None else None
    if encoded is None:
        raise TypeError(f"{type(value).__name__} is not plain data")
    return encoded


def decode(data: Any, special: Mapping[str, Callable[[Any], Any]] | None = None, depth: int = 0) -> Any:
    """Return the plain value that :func:`encode` wrote; raise :class:`BadEncoding` for anything else.

    Types, dtypes, sizes and depth are checked before anything is allocated. `special` maps the keys of
    further types to the functions that build them.
    """
    if data is None or type(data) is bool:
        return data
    if type(data) is str and len(data) <= MAX_TEXT:
        return data
    if type(data) is int and -(2**63) <= data < 2**63:
        return data
    if type(data) is not dict or len(data) != 1 or depth > MAX_DEPTH + 1:
        raise BadEncoding("not plain data")
    ((key, content),) = data.items()
    if key == "float":
        return _decode_float(content)
    if key == "array":
        return _decode_array(content)
    if key == "opaque" and type(content) is str and len(content) <= 80:
        return Opaque(content)
    if special is not None and key in special:
        return special[key](content)
    if type(content) is not list or len(content) > MAX_ITEMS:
        raise BadEncoding(f"not plain data: {str(key)[:40]!r}")
    if key in ("tuple", "list"):
        items = [decode(item, special, depth + 1) for item in content]
        return tuple(items) if key == "tuple" else items
    if key == "dict":
        result: dict[str, Any] = {}
        for pair in content:
            if type(pair) is not list or len(pair) != 2 or type(pair[0]) is not str or len(pair[0]) > MAX_TEXT:
                raise BadEncoding("a dict's entries are pairs of a string and a value")
            result[pair[0]] = decode(pair[1], special, depth + 1)
        return result
    raise BadEncoding(f"not plain data: {str(key)[:40]!r}")


def _decode_float(content: Any) -> float:
    if type(content) is not str or len(content) > 40:
        raise BadEncoding("a float is written as a short string")
    try:
        return float.fromhex(content)
    except (ValueError, OverflowError) as error:
        raise BadEncoding("not a float") from error


def _decode_array(content: Any) -> np.ndarray:
    if type(content) is not list or len(content) != 3:
        raise BadEncoding("an array is written as dtype, shape and data")
    dtype_name, shape, data = content
    if (
        type(dtype_name) is not str
        or dtype_name not in _LITTLE
        or type(shape) is not list
        or len(shape) > 8
        or type(data) is not str
    ):
        raise BadEncoding("an array has a listed dtype, at most 8 axes, and data")
    if not all(type(length) is int and 0 <= length <= MAX_ARRAY_BYTES for length in shape):
        raise BadEncoding("an axis has a length from 0 to 8,000,000")
    dtype = _LITTLE[dtype_name]
    size = math.prod(shape) * dtype.itemsize
    if size > MAX_ARRAY_BYTES or len(data) > 4 * (size // 3 + 1):
        raise BadEncoding("an array's data fit its shape, and are at most 8 MB")
    try:
        raw = base64.b64decode(data, validate=True)
    except (ValueError, binascii.Error) as error:
        raise BadEncoding("an array's data are base64") from error
    if len(raw) != size:
        raise BadEncoding("an array's data fit its shape")
    array = np.frombuffer(raw, dtype=dtype).reshape(shape)
    if dtype_name == "bool" and not np.isin(array.view(np.uint8), (0, 1)).all():
        raise BadEncoding("a truth value is 0 or 1")
    return array.astype(np.dtype(dtype_name))
