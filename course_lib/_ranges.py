"""Bad input gets a sentence: who got which argument with which value, and what it must be."""

from math import isinf, isnan
from operator import ge, gt, le, lt
from typing import Any

import numpy as np


def real(owner: str, name: str, value: Any, wanted: str = "a number") -> float:
    """`value` as a float, NaN and infinity included.

    Raises:
        TypeError: not a number. The message says what is `wanted`.
    """
    if np.ndim(value) or np.asarray(value).dtype.kind not in "iuf":
        raise TypeError(f"{owner} got {name}={value!r}; it must be {wanted}.")
    return float(value)


def number(
    owner: str,
    name: str,
    value: Any,
    *,
    at_least: float | None = None,
    above: float | None = None,
    at_most: float | None = None,
    below: float | None = None,
    finite: bool = True,
) -> float:
    """`value` as a float.

    Args:
        owner: the class or function that was called, as the message names it.
        name: its argument.
        value: a Python or NumPy number.
        at_least, above, at_most, below: where the value has to lie; NaN lies nowhere.
        finite: refuse infinity.

    Raises:
        TypeError: not a number.
        ValueError: a number outside its range.
    """
    limits = [
        (f"{word} {limit:g}", compare, limit)
        for word, compare, limit in (
            ("at least", ge, at_least),
            ("above", gt, above),
            ("at most", le, at_most),
            ("below", lt, below),
        )
        if limit is not None
    ]
    wanted = "a finite number" if finite else "a number"
    if limits:
        wanted += ", " + " and ".join(text for text, _, _ in limits)
    found = real(owner, name, value, wanted)
    inside = all(compare(found, limit) for _, compare, limit in limits)
    if not inside or isnan(found) or (finite and isinf(found)):
        raise ValueError(f"{owner} got {name}={value}; it must be {wanted}.")
    return found


def whole(owner: str, name: str, value: Any, *, at_least: int) -> int:
    """`value` as an int.

    Raises:
        TypeError: not a whole number; 3.0 is none.
        ValueError: below `at_least`.
    """
    if np.ndim(value) or np.asarray(value).dtype.kind not in "iu":
        raise TypeError(f"{owner} got {name}={value!r}; it must be a whole number, at least {at_least}.")
    if value < at_least:
        raise ValueError(f"{owner} got {name}={value}; it must be a whole number, at least {at_least}.")
    return int(value)


def flag(owner: str, name: str, value: Any) -> bool:
    """`value` as a bool.

    Raises:
        TypeError: neither True nor False.
    """
    if not isinstance(value, bool | np.bool_):
        raise TypeError(f"{owner} got {name}={value!r}; it must be True or False.")
    return bool(value)


def choice(owner: str, name: str, value: Any, allowed: tuple[str, ...]) -> str:
    """`value` when it is one of `allowed`.

    Raises:
        ValueError: anything else.
    """
    if not isinstance(value, str) or value not in allowed:
        raise ValueError(f"{owner} got {name}={value!r}; it must be one of {', '.join(map(repr, allowed))}.")
    return value
