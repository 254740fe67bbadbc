"""Texts of the course as HTML: Markdown with `$formulas$`, shown without a network and without scripts.

Formulas become MathML Core, which browsers draw themselves. A formula that cannot be drawn is an error for the author
who wrote it: everything that the course ships is converted by its tests. Only texts of the course come here, and never
a submission's, since braces nested some hundred deep end the process.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    import mistune
    from math_core import LatexToMathML

_SAID = re.compile(r"\d+: (?P<what>.*)", re.DOTALL)


class MarkupError(ValueError):
    """A text or a formula that cannot be shown; the message quotes it and says what to do."""


def to_mathml(tex: str, *, display: bool = False) -> str:
    r"""A formula as a MathML element, `<math>...</math>`.

    Args:
        tex: what stands between the dollar signs, such as `\\frac{1}{2}`.
        display: whether it stands in a line of its own, large, or within a sentence.

    Raises:
        MarkupError: an unknown command, an open brace, or nothing at all.
    """
    from math_core import LatexError

    if not tex.strip():
        raise MarkupError("A formula is empty. Write one between the dollar signs, or \\$ for the sign itself.")
    try:
        return _converter().convert_with_local_state(tex.strip(), displaystyle=display)
    except LatexError as error:
        found = _SAID.fullmatch(str(error))
        what = found["what"] if found else str(error)
        raise MarkupError(f"The formula ${tex.strip()}$ cannot be shown. {what} Mend its TeX.") from None


def to_html(text: str, *, inline: bool = False) -> str:
    """A text of the course as a fragment of HTML that is safe to put into a page.

    The Markdown: paragraphs, `#` headings, lists, tables, quotes, code, emphasis, links that begin with `https://` or
    `#`, and formulas, `$...$` within a line and `$$...$$` on lines of their own. HTML shows as it is typed.

    Args:
        text: Markdown.
        inline: for a label or a choice: the text is one paragraph and comes without its `<p>`.

    Raises:
        MarkupError: a formula that cannot be shown, a lone dollar sign, a picture, a link that leads elsewhere; with
            `inline` also anything but one paragraph.
    """
    html = str(_markdown()(text)).strip()
    if not inline:
        return html
    paragraph = re.fullmatch(r"<p>((?:(?!</?p>).)*)</p>", html, flags=re.DOTALL)
    if paragraph is None:
        raise MarkupError(f"This text must be one paragraph, without lists, headings or lines of code: {text[:200]!r}.")
    return paragraph[1]


def formulas(text: str) -> Iterator[tuple[str, bool]]:
    """The formulas of a text: the TeX of each, and whether it stands on lines of its own.

    Raises:
        MarkupError: a lone dollar sign.
    """
    import mistune
    from mistune.plugins.table import table

    def walk(tokens: list[dict[str, Any]]) -> Iterator[tuple[str, bool]]:
        for token in tokens:
            if token["type"] in ("inline_math", "block_math"):
                yield token["raw"].strip(), token["type"] == "block_math"
            yield from walk(token.get("children", []))

    tokens, _ = mistune.Markdown(None, plugins=[_with_formulas, table]).parse(text)
    assert isinstance(tokens, list)
    yield from walk(tokens)


@functools.cache
def _converter() -> LatexToMathML:
    from math_core import LatexToMathML

    return LatexToMathML(fancy_error=False)


@functools.cache
def _markdown() -> mistune.Markdown:
    import mistune
    from mistune.plugins.table import table

    class Renderer(mistune.HTMLRenderer):
        def block_math(self, tex: str) -> str:
            return to_mathml(tex, display=True) + "\n"

        def inline_math(self, tex: str) -> str:
            return to_mathml(tex)

        def link(self, text: str, url: str, title: str | None = None) -> str:
            if url.startswith("#"):
                return super().link(text, url, title)
            if not url.startswith("https://"):
                raise MarkupError(f"The link to {url!r} leads nowhere from here: links begin with https:// or #.")
            opening = super().link(text, url, title)
            return opening.replace("<a ", '<a target="_blank" rel="noopener noreferrer" ', 1)

        def image(self, text: str, url: str, title: str | None = None) -> str:
            raise MarkupError(f"The picture {url!r} cannot stand in a text. Draw it with course_lib.figures in a cell.")

    return mistune.Markdown(Renderer(escape=True), plugins=[_with_formulas, table])


def _with_formulas(md: mistune.Markdown) -> None:
    from mistune.plugins.math import math, math_in_list, math_in_quote

    math(md)
    math_in_list(md)
    math_in_quote(md)
    md.inline.register("lone_dollar", r"\$", _lone_dollar)


def _lone_dollar(_inline: Any, found: re.Match[str], state: Any) -> NoReturn:
    around = state.src[max(found.start() - 40, 0) : found.end() + 40]
    raise MarkupError(
        f"A dollar sign begins or ends no formula in {around!r}. A formula stands on one line, without a space after "
        "its first dollar; for the sign itself write \\$."
    )
