"""Markdown cells of lessons as HTML, as nbconvert makes it, with formulas as MathML: pages need no network for them."""

from __future__ import annotations

import re
from html import escape, unescape
from typing import Any

from jinja2 import pass_context
from jinja2.runtime import Context
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath
from nbformat import NotebookNode

from autograder.lesson import is_answer
from course_lib.maths import MarkupError, to_mathml


class Renderer(IPythonRenderer):
    """nbconvert's renderer, with formulas as MathML and headings without the pilcrow.

    Attributes:
        headings: level, text as HTML, and id of each heading, in order; an id that was there gets a number.
        lenient: whether a formula that cannot be shown stays as it was typed, instead of a MarkupError.
    """

    def __init__(self, *, lenient: bool = False, **options: Any) -> None:
        super().__init__(escape=False, **options)
        self.headings: list[tuple[int, str, str]] = []
        self.lenient = lenient

    def heading(self, text: str, level: int, **attrs: Any) -> str:
        """A heading with the id that nbconvert and JupyterLab give it."""
        name = base = unescape(re.sub(r"<[^>]*>", "", text)).replace(" ", "-")
        ids = {each for _, _, each in self.headings}
        number = 2
        while name in ids:
            name, number = f"{base}-{number}", number + 1
        self.headings.append((level, text, name))
        return f'<h{level} id="{escape(name)}">{text}</h{level}>\n'

    def table_cell(self, text: str, align: str | None = None, head: bool = False) -> str:
        """A cell of a table; the empty corner above row names heads nothing, so it is no heading."""
        name = "th" if head and text.strip() else "td"
        style = f' style="text-align:{align}"' if align else ""
        return f"  <{name}{style}>{text}</{name}>\n"

    def inline_math(self, body: str) -> str:
        """A formula within a line."""
        return self._formula(body, super().inline_math(body), display=False)

    def block_math(self, body: str) -> str:
        """A formula in a line of its own."""
        return self._formula(body, super().block_math(body), display=True)

    def latex_environment(self, name: str, body: str) -> str:
        """A formula in an environment such as `align`."""
        typed = f"\\begin{{{name}}}{body}\\end{{{name}}}"
        return self._formula(typed, super().latex_environment(name, body), display=True)

    def _formula(self, tex: str, typed: str, *, display: bool) -> str:
        try:
            return to_mathml(tex, display=display)
        except MarkupError:
            if self.lenient:
                return typed
            raise


def render(source: str, renderer: Renderer | None = None) -> str:
    """A lesson's Markdown as HTML.

    Raises:
        MarkupError: a formula that cannot be shown.
    """
    return MarkdownWithMath(renderer=renderer or Renderer()).render(source)


@pass_context
def markdown2html(context: Context, source: str) -> str:
    """nbconvert's filter of that name, for pages on what was handed in: the lesson's own formulas become MathML.

    Those of a submission stay as they were typed: no converter reads what a stranger wrote.
    """
    cell = context.get("cell", NotebookNode())
    if cell.get("cell_type") == "markdown" and not is_answer(cell):
        return render(source, Renderer(lenient=True, attachments=cell.get("attachments", {})))
    return MarkdownWithMath(renderer=IPythonRenderer(escape=False)).render(source)
