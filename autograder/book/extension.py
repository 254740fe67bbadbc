"""What Sphinx needs beside its own for the book: formulas as MathML, this project's docstrings, pages for everybody."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.domains.python import ObjectEntry, PythonDomain
from sphinx.domains.python._object import PyObject
from sphinx.environment import BuildEnvironment
from sphinx.errors import ExtensionError
from sphinx.writers.html5 import HTML5Translator

from autograder.book.reference import as_rst, contents
from course_lib.maths import MarkupError, to_mathml

_MENDED = (
    (re.compile(r'<p class="caption" role="heading">'), '<p class="caption">'),  # a heading of no level
    (re.compile(r'<aside class="sidebar-drawer">'), '<aside class="sidebar-drawer" aria-label="Contents of the book">'),
    (re.compile(r'<aside class="toc-drawer( no-toc)?">'), r'<aside class="toc-drawer\1" aria-label="On this page">'),
    (re.compile(r"<pre>"), '<pre tabindex="0">'),  # long lines scroll, which needs the keyboard too
    (re.compile(r'<th class="head([^"]*)"><p></p></th>'), r'<td class="head\1"></td>'),  # heads no column
)
"""What Sphinx and its theme write that somebody with a screen reader or a keyboard could not use, and what instead."""


def setup(app: Sphinx) -> dict[str, Any]:
    """Called by Sphinx."""
    for field in PyObject.doc_field_types:
        if field.name == "variable":
            field.label = "Attributes"  # what this project's docstrings call them
    app.add_domain(Names, override=True)
    app.add_html_math_renderer("mathml", inline_renderers=(_inline, None), block_renderers=(_block, None))
    app.connect("autodoc-process-docstring", _docstring, priority=100)  # before napoleon
    app.connect("autodoc-skip-member", _skip)
    app.connect("html-page-context", _page, priority=100)  # before the theme asks for the contents
    app.connect("build-finished", _mend)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}


class Names(PythonDomain):
    """Sphinx's own domain of Python names, which does not look through all of ours for a name of NumPy's."""

    _last: tuple[int, frozenset[str]] = 0, frozenset()

    def find_obj(
        self,
        env: BuildEnvironment,
        modname: str,
        classname: str,
        name: str,
        type: str | None,  # noqa: A002
        searchmode: int = 0,
    ) -> list[tuple[str, ObjectEntry]]:
        """What a name can mean; nothing where no name of ours ends like it."""
        count, last = self._last
        if count != len(self.objects):
            self._last = len(self.objects), frozenset(each.rpartition(".")[2] for each in self.objects)
            _, last = self._last
        if name.removesuffix("()").rpartition(".")[2] not in last:
            return []
        return super().find_obj(env, modname, classname, name, type, searchmode)


def _inline(translator: HTML5Translator, node: nodes.math) -> None:
    translator.body.append(_mathml(node, display=False))
    raise nodes.SkipNode


def _block(translator: HTML5Translator, node: nodes.math_block) -> None:
    # A wide formula scrolls by itself, which needs the keyboard too.
    translator.body.append(f'<div class="math" tabindex="0">{_mathml(node, display=True)}</div>')
    raise nodes.SkipNode


def _mathml(node: nodes.Element, *, display: bool) -> str:
    try:
        return to_mathml(node.astext(), display=display)
    except MarkupError as error:
        raise ExtensionError(f"{node.source}:{node.line}: {error}") from error


def _docstring(_app: Sphinx, _what: str, _name: str, _object: Any, _options: Any, lines: list[str]) -> None:
    lines[:] = as_rst(lines)


def _skip(_app: Sphinx, _what: str, name: str, _object: Any, skip: bool, _options: Any) -> bool | None:
    """What a dataclass or a struct makes for itself is no news."""
    return True if skip or name.startswith("_") else None


def _page(app: Sphinx, page: str, _template: str, context: dict[str, Any], _doctree: Any) -> None:
    """Lessons and the first page load the widgets; a page of the reference has contents of its own."""
    if page.startswith("api/") and page != "api/index":
        context["course_modules"] = contents(page.removeprefix("api/"), answers=app.tags.has("answers"))
    if not (page.startswith("lessons/") or page == "index"):
        context["script_files"] = [each for each in context["script_files"] if "course.js" not in str(each)]
        context["css_files"] = [each for each in context["css_files"] if "widgets.css" not in str(each)]


def _mend(app: Sphinx, error: Exception | None) -> None:
    for path in () if error else Path(app.outdir).rglob("*.html"):
        text = path.read_text("utf-8")
        mended = text
        for wrong, right in _MENDED:
            mended = wrong.sub(right, mended)
        if mended != text:
            path.write_text(mended, "utf-8")
