"""The course's widgets in static pages: their own modules, with the state Python gave them, and without a kernel.

What Python does between two moves is done by `static/kernels.js` where that is little: it hands out a recording, turns
cards, and looks up verdicts on quiz answers, which are all worked out here. For explorations see `moments`. Until a
script has run, and where none does, stands what the notebook keeps of the widget.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from random import Random
from typing import Any

from autograder.book import moments, quizzes
from course_lib.explore.exploration import Exploration
from course_lib.live import Live
from course_lib.maths import to_html
from course_lib.study import content, speech
from course_lib.study.cards import Cards
from course_lib.study.dialogue import Listen
from course_lib.study.glossary import Glossary
from course_lib.study.overview import Overview
from course_lib.study.quiz import Quiz
from course_lib.study.records import Keeper

STATIC = Path(__file__).with_name("static")
KINDS: tuple[type[Live], ...] = (Overview, Listen, Cards, Quiz, Glossary, Exploration)
"""The classes whose modules can live in a page."""
_DARK = re.compile(r'\[data-jp-theme-light="false"\] (?P<rule>[^{]+\{[^}]*\})')


@dataclass(frozen=True)
class Widget:
    """A widget in a cell.

    Attributes:
        kind: the name of the class whose module draws it.
        state: its traits, as far as the module reads them.
        more: what its kernel in the page needs beside.
        script: a file to be loaded first, relative to the static files; "" for none.
    """

    kind: str
    state: dict[str, Any]
    more: dict[str, Any]
    script: str = ""


def of_cell(source: str) -> Widget | None:
    """The widget that the last line of a cell shows, if it can live in a page."""
    found = _shown(source)
    if found is None:
        return None
    made, lesson, options = found
    if issubclass(made, Exploration):
        if made.__name__ not in moments.MOVES:
            return None
        return Widget("Exploration", {}, {"moments": made.__name__}, f"moments/{made.__name__}.js")
    if not issubclass(made, KINDS) or lesson is None:
        return None
    name = content.full_name(lesson)
    in_memory: dict[str, Any] = {}
    if made in (Cards, Quiz):
        in_memory = {"rng": Random(0), "keeper": Keeper(None)}  # noqa: S311 - the page shuffles anew
    make: Callable[..., Live] = made
    widget = make(lesson, **options, **in_memory)
    kind = next(kind for kind in KINDS if isinstance(widget, kind))
    try:
        state = {key: getattr(widget, key) for key in widget.keys if not key.startswith("_")}
    finally:
        widget.close()
    unread = ("layout", "tabbable", "tooltip", "comm")
    state = {key: value for key, value in state.items() if key not in unread}
    return Widget(kind.__name__, state, _more(widget, name))


def placed(widget: Widget, resting: str) -> str:
    """The widget's place in a page: its state, and what stands there until a script has run."""
    data = json.dumps({"state": widget.state, "more": widget.more}, ensure_ascii=False).replace("<", "\\u003c")
    script = f' data-script="{widget.script}"' if widget.script else ""
    return (
        f'<div class="course-live" data-kind="{widget.kind}"{script}>'
        f'<script type="application/json">{data}</script><div class="course-resting">{resting}</div></div>'
    )


def script() -> str:
    """All modules, their kernels and what puts them into a page, as one script without imports.

    A classic script also runs in a page that is opened from the disk, where browsers refuse modules.
    """
    modules = "\n".join(_module(kind) for kind in KINDS)
    parts = [(STATIC / name).read_text("utf-8") for name in ("kernels.js", "pages.js")]
    return "\n".join(["globalThis.courseBook = { widgets: {}, kernels: {}, moments: {} };", modules, *parts])


def style() -> str:
    """The style sheets of all modules. Furo's switch of colours stands in for JupyterLab's."""
    sheets = dict.fromkeys(piece for kind in KINDS for piece in _pieces(kind))
    css = "\n".join(sheets)
    dark = [found["rule"] for found in _DARK.finditer(css)]
    assert dark, "the widgets' style sheets name no dark theme any more; see course_lib/live.css"
    switched = [f'body[data-theme="dark"] {rule}' for rule in dark]
    by_system = [f'body:not([data-theme="light"]) {rule}' for rule in dark]
    return "\n".join([_DARK.sub("", css), *switched, "@media (prefers-color-scheme: dark) {", *by_system, "}"])


def _shown(source: str) -> tuple[type[Live], str | None, dict[str, Any]] | None:
    """Class, lesson and options of the widget in the last line, read without running the cell."""
    try:
        tree = ast.parse(source)
    except SyntaxError:  # a line for IPython
        return None
    last = tree.body[-1] if tree.body else None
    if not isinstance(last, ast.Expr) or not isinstance(last.value, ast.Call):
        return None
    call = last.value
    homes = {
        name.asname or name.name: node.module
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("course_lib.")
        for name in node.names
    }
    if not isinstance(call.func, ast.Name) or call.func.id not in homes:
        return None
    made = getattr(import_module(str(homes[call.func.id])), call.func.id)
    if not (isinstance(made, type) and issubclass(made, Live)):
        return None
    given = call.args[0].value if call.args and isinstance(call.args[0], ast.Constant) else None
    lesson = given if isinstance(given, str) else None
    return made, lesson, {each.arg: ast.literal_eval(each.value) for each in call.keywords if each.arg}


def _more(widget: Live, lesson: str) -> dict[str, Any]:
    match widget:
        case Listen():
            return {"recordings": [each.recording for each in _said(widget, lesson)], "folder": f"audio/{lesson}"}
        case Cards():
            cards = content.load(lesson).cards
            return {"cards": [{"id": c.id, "front": to_html(c.front), "back": to_html(c.back)} for c in cards]}
        case Quiz():
            return {"questions": [quizzes.judged(question) for question in content.load(lesson).quiz]}
        case _:
            return {}


def _said(widget: Listen, lesson: str) -> tuple[speech.Utterance, ...]:
    told = widget.lines and bool(widget.lines[0]["chapter"])
    return speech.explanations(lesson) if told else speech.dialogue(lesson)


def _pieces(kind: type[Live]) -> Iterator[str]:
    """A class's style sheet, the part that all share apart."""
    shared = Path(str(import_module("course_lib.live").__file__)).with_suffix(".css").read_text("utf-8")
    yield shared
    yield str(vars(kind)["_css"]).removeprefix(shared)


def _module(kind: type[Live]) -> str:
    source, found = re.subn(r"^export default ", "const widget = ", str(vars(kind)["_esm"]), flags=re.MULTILINE)
    assert found == 1, f"the module of {kind.__name__} should have one `export default`"
    return f"(() => {{\n{source}\ncourseBook.widgets.{kind.__name__} = widget;\n}})();"
