"""Handing in: what is answered, whether the notebook runs, and the file to hand in. Nothing leaves the machine.

    from course_lib.submission import Submit

    Submit("04")

In a terminal: `python -m course_lib submit 04`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from course_lib.submission.button import Submit

__all__ = ["Submit"]


def __getattr__(name: str) -> Any:
    if name != "Submit":
        raise AttributeError(f"course_lib.submission has no {name!r}; it has Submit")
    from course_lib.submission.button import Submit

    return Submit
