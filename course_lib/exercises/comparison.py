"""The one way in which a received answer is compared with an expected one, and the sentence that says how they differ.

`check` at home and the judge outside the sandbox both use it: they differ only in the cases drawn.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from course_lib.exercises.answers import Opaque


@dataclass(frozen=True)
class Tolerance:
    """How far a received number may be from the expected one: `rtol * |expected| + atol * largest |expected|`.

    Attributes:
        float64, float32, float16: (rtol, atol) for cases whose inputs are of that dtype.
    """

    float64: tuple[float, float] = (1e-8, 1e-10)  # below the rounding of float32, so that a cast shows
    float32: tuple[float, float] = (1e-4, 1e-5)
    float16: tuple[float, float] = (2e-2, 2e-3)

    def allowed(self, expected: np.ndarray, dtype: np.dtype[Any]) -> np.ndarray:
        """The allowed absolute difference at each entry of `expected`."""
        rtol, atol = getattr(self, dtype.name)
        size = np.abs(np.where(np.isfinite(expected), expected, 0.0))
        largest = float(size.max()) if size.size else 0.0
        return np.asarray(rtol * size + atol * (largest or 1.0))


@dataclass(frozen=True)
class Difference:
    """Where and how an answer differs from what was expected.

    Attributes:
        kind: "type", "length", "keys", "shape", "dtype", "nan", "value", "modified", "error", "time" or "property".
        where: the place, in the learner's words: "m[2, 3]".
        sentence: what a learner reads; never holds an expected number.
        received, expected: the two numbers there, as short text ("" where there are none).
    """

    kind: str
    where: str
    sentence: str
    received: str = ""
    expected: str = ""


Names = tuple["str | tuple[str, ...]", ...]
"""Names of what is returned; where a case asks for several values, those of a value may be a tuple of their own.

A name in round brackets, "(cache)", is the learner's own affair and not compared.
"""


def compare(
    received: Any, expected: Any, outputs: Names, dtype: np.dtype[Any], tolerance: Tolerance | None = None
) -> Difference | None:
    """Return the first difference between two plain values, or None where they agree.

    Args:
        received, expected: plain values (see `answers`); `expected` sets what is asked for: a tuple accepts a list of
            the same length, a number accepts any real scalar, an array accepts any real dtype.
        outputs: the names of what is returned, used to say where: ("theta", "m", "v"). See :data:`Names`.
        dtype: the floating dtype of the inputs; it sets the tolerance.
        tolerance: the exercise's own, where the usual one does not fit.

    NaN and infinities agree only with themselves.
    """
    name = outputs[0] if len(outputs) == 1 and isinstance(outputs[0], str) else "the result"
    if isinstance(expected, tuple) and len(expected) == len(outputs) > 1:
        if not isinstance(received, tuple | list):
            wanted = _join(outputs)
            return Difference("type", name, f"Return {len(outputs)} values, {wanted}. You returned {_kind(received)}.")
        if len(received) != len(outputs):
            wanted = _join(outputs)
            return Difference("length", name, f"Return {len(outputs)} values, {wanted}. You returned {len(received)}.")
        pairs = zip(outputs, received, expected, strict=True)
        return _first(
            compare(r, e, label if isinstance(label, tuple) else (label,), dtype, tolerance)
            for label, r, e in pairs
            if not _own(label)
        )
    return _compare(name, received, expected, dtype, tolerance or Tolerance())


def _own(label: str | tuple[str, ...]) -> bool:
    return isinstance(label, str) and label.startswith("(")


def _compare(name: str, received: Any, expected: Any, dtype: np.dtype[Any], tolerance: Tolerance) -> Difference | None:
    if isinstance(expected, tuple | list):
        if not isinstance(received, tuple | list):
            return Difference("type", name, f"{name} should be a tuple of {len(expected)}; it is {_kind(received)}.")
        if len(received) != len(expected):
            return Difference("length", name, f"{name} should hold {len(expected)} values; it holds {len(received)}.")
        items = enumerate(zip(received, expected, strict=True))
        return _first(_compare(f"{name}[{i}]", r, e, dtype, tolerance) for i, (r, e) in items)
    if isinstance(expected, dict):
        if not isinstance(received, dict):
            return Difference("type", name, f"{name} should be a dict; it is {_kind(received)}.")
        if set(received) != set(expected):
            missing, extra = sorted(set(expected) - set(received)), sorted(set(received) - set(expected))
            parts = [f"{_join(missing)} missing" if missing else "", f"{_join(extra)} not expected" if extra else ""]
            return Difference("keys", name, f"{name} has the wrong keys: {', and '.join(filter(None, parts))}.")
        pairs = ((key, received[key], expected[key]) for key in expected)
        return _first(_compare(f'{name}["{key}"]', r, e, dtype, tolerance) for key, r, e in pairs)
    if isinstance(expected, bool | np.bool_) or (isinstance(expected, np.ndarray) and expected.dtype == bool):
        return _compare_truth(name, received, expected)
    if isinstance(expected, np.ndarray) and expected.shape != ():
        return _compare_array(name, received, expected, dtype, tolerance)
    if isinstance(expected, int | float | np.ndarray):
        return _compare_number(name, received, expected, dtype, tolerance)
    if type(received) is not type(expected) or received != expected:
        said = f"{name} should be {_article(expected)}; it is {_kind(received)}."
        if type(received) is type(expected):
            said = f"{name} is not the expected {_kind(expected).split(' ', 1)[-1]}."
        return Difference("value", name, said, str(received)[:80], str(expected)[:80])
    return None


def _compare_truth(name: str, received: Any, expected: Any) -> Difference | None:
    want = np.asarray(expected)
    is_truth = isinstance(received, bool) or (isinstance(received, np.ndarray) and received.dtype == bool)
    if not is_truth:
        wanted = "an array of True and False" if want.shape else "True or False"
        return Difference("type", name, f"{name} should be {wanted}; it is {_kind(received)}.")
    got = np.asarray(received)
    if got.shape != want.shape:
        return _shape(name, got, want)
    wrong = np.argwhere(got != want)
    if not len(wrong):
        return None
    index = tuple(int(i) for i in wrong[0])
    place = _place(name, index)
    sentence = f"{place} is {bool(got[index])}; it should be {bool(want[index])}."
    return Difference("value", place, sentence, str(bool(got[index])), str(bool(want[index])))


def _compare_number(
    name: str, received: Any, expected: Any, dtype: np.dtype[Any], tolerance: Tolerance
) -> Difference | None:
    is_array = isinstance(received, np.ndarray)
    if is_array and received.shape != ():
        return Difference("shape", name, f"{name} should be one number; it is an array of shape {received.shape}.")
    if isinstance(received, bool) or (is_array and received.dtype == bool):
        return Difference("type", name, f"{name} should be a number; it is {_kind(received)}.")
    if not is_array and not isinstance(received, int | float):
        return Difference("type", name, f"{name} should be a number; it is {_kind(received)}.")
    if isinstance(expected, int) and (isinstance(received, float) or (is_array and received.dtype.kind == "f")):
        return Difference("type", name, f"{name} should be a whole number (int); it is {_kind(received)}.")
    return _compare_values(name, np.asarray(received), np.asarray(expected), dtype, tolerance)


def _compare_array(
    name: str, received: Any, expected: np.ndarray, dtype: np.dtype[Any], tolerance: Tolerance
) -> Difference | None:
    if not isinstance(received, np.ndarray):
        return Difference(
            "type", name, f"{name} should be an array of shape {expected.shape}; it is {_kind(received)}."
        )
    if received.dtype == bool:
        return Difference("type", name, f"{name} should hold numbers; it holds True and False.")
    if received.shape != expected.shape:
        return _shape(name, received, expected)
    return _compare_values(name, received, expected, dtype, tolerance)


def _compare_values(
    name: str, received: np.ndarray, expected: np.ndarray, dtype: np.dtype[Any], tolerance: Tolerance
) -> Difference | None:
    got, want = received.astype(np.float64), expected.astype(np.float64)
    if expected.dtype.kind in "iu":
        wrong = got != want
    else:
        wrong = _differs(got, want, tolerance.allowed(want, dtype))
    if not wrong.any():
        return None
    place = name
    index: tuple[int, ...] = ()
    if got.shape:
        index = tuple(int(i) for i in np.argwhere(wrong)[0])
        place = _place(name, index)
    texts = {"received": _number(got[index]), "expected": _number(want[index])}
    unexpected = np.isnan(got) & ~np.isnan(want)
    if unexpected.any():
        if got.shape:
            index = tuple(int(i) for i in np.argwhere(unexpected)[0])
            place = _place(name, index)
        sentence = f"{place} is not a number (NaN): look for 0/0, inf - inf, or the root or log of a negative number."
        return Difference("nan", place, sentence, "nan", _number(want[index]))
    if received.dtype.kind == "f" and received.dtype.itemsize < dtype.itemsize:
        coarse = np.finfo(received.dtype).eps * 64
        if not _differs(got, want, coarse * np.maximum(np.abs(want), np.abs(want).max())).any():
            sentence = f"{name} is {received.dtype}, the inputs are {dtype}: digits were lost. Keep the inputs' dtype."
            return Difference("dtype", name, sentence, **texts)
    share = f" ({int(wrong.sum())} of {wrong.size} entries differ)" if wrong.size > 1 else ""
    return Difference("value", place, f"{place} is wrong{share}.", **texts)


def _differs(got: np.ndarray, want: np.ndarray, allowed: np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore"):
        close = np.abs(got - want) <= allowed
    finite = np.isfinite(want)
    if finite.all():
        return np.asarray(~close)
    same = (got == want) | (np.isnan(got) & np.isnan(want))
    return np.asarray(~(same | (close & finite)))


def _shape(name: str, received: np.ndarray, expected: np.ndarray) -> Difference:
    sentence = f"{name} should have the shape {expected.shape}; it has {received.shape}."
    if received.shape == expected.T.shape and expected.ndim == 2:
        sentence += " It looks transposed."
    return Difference("shape", name, sentence, str(received.shape), str(expected.shape))


def _place(name: str, index: tuple[int, ...]) -> str:
    return f"{name}[{', '.join(map(str, index))}]" if index else name


def _first(differences: Any) -> Difference | None:
    return next((difference for difference in differences if difference is not None), None)


def _join(names: Any) -> str:
    names = [str(name) for name in names]
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _number(value: Any) -> str:
    return f"{float(value):.8g}"


def _article(value: Any) -> str:
    return "None" if value is None else f"a {type(value).__name__}"


def _kind(value: Any) -> str:
    """A short description of a plain value: "an array of shape (3,)", "None (was no return reached?)"."""
    if value is None:
        return "None (was no `return` reached?)"
    if isinstance(value, Opaque):
        return f"a {value.type_name}"
    if isinstance(value, np.ndarray):
        return f"an array of shape {value.shape}" if value.shape else f"a {value.dtype} number"
    if isinstance(value, tuple | list | dict):
        return f"a {type(value).__name__} of {len(value)}"
    return {int: "an int", bool: "True or False", str: "a text"}.get(type(value), f"a {type(value).__name__}")
