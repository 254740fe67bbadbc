"""Pieces of the feedback page as HTML: sentences of the course, words and outputs of a learner, spans of time."""

from __future__ import annotations

import re
from typing import Any

import nh3
from markupsafe import Markup
from nbconvert.filters import strip_ansi
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath
from nbformat import NotebookNode

from autograder.feedback.verdicts import sanitized
from course_lib.exercises.rendering import block, inline

_TAGS = {
    *("blockquote", "br", "code", "del", "em", "hr", "li", "ol", "p", "pre", "strong", "ul"),
    *("table", "tbody", "td", "th", "thead", "tr"),
}


def sentence(text: str) -> Markup:
    """A sentence of the course with what stands between backticks as code."""
    return Markup(inline(text))  # noqa: S704 - it escapes


def hint(text: str) -> Markup:
    """A hint: paragraphs, and code between lines of three backticks."""
    return Markup(block(text))  # noqa: S704 - it escapes


def heading(text: str) -> Markup:
    """A heading without the points and minutes at its end, and without marks of emphasis."""
    return sentence(re.sub(r"\s*\([^()]*\)$", "", text).replace("*", ""))


def own_words(source: str) -> Markup:
    """A written answer as HTML that nh3 has cleaned; formulas stay as they were typed."""
    html = MarkdownWithMath(renderer=_Renderer(escape=False)).render(source)
    return Markup(nh3.clean(html, tags=_TAGS, attributes={}))  # noqa: S704 - cleaned


def displayed(output: NotebookNode) -> Markup | None:
    """An output of submitted code as harmless HTML; None where nothing of it can be shown."""
    kept = sanitized(output)
    if kept is None:
        return None
    if kept.output_type == "stream":
        return _preformatted(kept.text)
    if kept.output_type == "error":
        return _preformatted("\n".join(kept.traceback) or f"{kept.ename}: {kept.evalue}")
    for mime in ("image/png", "image/jpeg"):
        if mime in kept.data:
            alt = "A picture that your code displayed"
            return Markup('<img alt="{}" src="data:{};base64,{}">').format(alt, mime, kept.data[mime])
    return _preformatted(kept.data["text/plain"]) if "text/plain" in kept.data else None


def late(seconds: float) -> str:
    """How late something came, in the two largest units: "1 day and 2 hours"."""
    minutes = max(1, round(seconds / 60))
    units = ((minutes // 1440, "day"), (minutes // 60 % 24, "hour"), (minutes % 60, "minute"))
    parts = [f"{count} {unit}{'s' if count > 1 else ''}" for count, unit in units if count]
    return " and ".join(parts[:2])


class _Renderer(IPythonRenderer):
    """A learner's Markdown: its headings are none of the page's, and pictures are the words for them."""

    def heading(self, text: str, level: int, **attrs: Any) -> str:
        return f"<p><strong>{text}</strong></p>\n"

    def image(self, text: str, url: str, title: str | None = None) -> str:
        return text


def _preformatted(text: str) -> Markup:
    return Markup("<pre>{}</pre>").format(strip_ansi(text))  # type: ignore[no-untyped-call]
