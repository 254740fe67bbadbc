"""In the browser this module is called `math_core`: formulas, drawn when the site was built.

math-core is compiled, and there is none for browsers yet. course_lib.maths asks of it what stands here.
"""

from __future__ import annotations

import json
from functools import cache
from html import escape
from pathlib import Path

TABLE = Path(__file__).with_name("math_core_formulas.json")


class LatexError(ValueError):
    """What math-core raises of a formula that it cannot draw; here nothing does."""


class LatexToMathML:
    """Formulas of the course's texts as MathML; any other shows as its TeX."""

    def __init__(self, *, fancy_error: bool = False) -> None:
        pass

    def convert_with_local_state(self, tex: str, *, displaystyle: bool) -> str:
        """The MathML of a formula; `displaystyle`: whether it stands in a line of its own."""
        drawn = _table()["display" if displaystyle else "inline"].get(tex)
        return drawn or f"<math><mtext>{escape(tex)}</mtext></math>"


@cache
def _table() -> dict[str, dict[str, str]]:
    table: dict[str, dict[str, str]] = json.loads(TABLE.read_text(encoding="utf-8"))
    return table
