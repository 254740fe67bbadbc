"""A widget drawn in the page by a small module of its own, with words and a picture for where no kernel runs.

    class Counter(Live):
        _esm = Path(__file__).with_name("counter.js")      # export default { render({ model, el }) { ... } }
        _css = Path(__file__).with_name("counter.css")     # may be left out
        count = traitlets.Int(0).tag(sync=True)

        def resting(self) -> Resting:
            return Resting(html="<p>A counter.</p>", text="A counter.")

Before each module stands `live.js`, whose `element(tag, attributes, ...children)` makes a piece of the page and gives
what can be focused the mark without which JupyterLab keeps the arrow keys for itself. Before each style sheet stands
`live.css`: colours from JupyterLab's themes under names of the course, buttons, inputs, a visible focus. Both themes
keep the contrast of WCAG 2.2, level AA.

The module's state goes to the page and never into the notebook: what stays there is `resting`.

Where Python itself runs in the browser, None arrives in the page as undefined: ask `== null`, which is true of both.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anywidget

_BEFORE = {"_esm": Path(__file__).with_name("live.js"), "_css": Path(__file__).with_name("live.css")}


@dataclass(frozen=True)
class Resting:
    """What stands in a widget's place where no kernel runs: on GitHub, in exported pages, in nbval's comparison.

    Attributes:
        html: a piece of a page, complete in itself, without scripts.
        text: the same in plain words; fixed, so without addresses in memory, timings or draws.
        png: a picture, for viewers that show no HTML.
        alt: what the picture shows; needed where there is one.
    """

    html: str
    text: str
    png: bytes | None = None
    alt: str = ""

    def __post_init__(self) -> None:
        if "<script" in self.html.lower():
            raise ValueError("html holds a script; exported pages and GitHub drop it. Say in plain HTML what is there.")
        if not self.text.strip():
            raise ValueError("text is empty; say in a sentence what stands here, for those who read no HTML.")
        if self.png is not None and not self.alt.strip():
            raise ValueError("alt is empty; a picture needs a sentence about what it shows.")


class Live(anywidget.AnyWidget):
    """The base of the course's widgets: subclasses give `_esm` (a path or text), perhaps `_css`, and `resting`."""

    _esm: str | Path = ""
    _css: str | Path = _BEFORE["_css"].read_text(encoding="utf-8")

    def __init_subclass__(cls, **kwargs: Any) -> None:
        for key, before in _BEFORE.items():
            own = cls.__dict__.get(key)
            if isinstance(own, str | Path):  # anywidget makes a class of each object, with traits of these names
                text = own.read_text(encoding="utf-8") if isinstance(own, Path) else own
                setattr(cls, key, f"{before.read_text(encoding='utf-8')}\n{text}")
        super().__init_subclass__(**kwargs)

    def __init__(self, **traits: Any) -> None:
        super().__init__(**traits)
        self.add_class("course")

    def _handle_custom_msg(self, content: Any, buffers: Any) -> None:
        super()._handle_custom_msg(_without_nulls(content), buffers)

    def resting(self) -> Resting:
        """What stands here where no kernel runs; the same at every call, whatever was moved."""
        raise NotImplementedError(f"{type(self).__name__} needs a method resting(), which returns a Resting.")

    def _repr_mimebundle_(self, **kwargs: Any) -> tuple[dict[str, Any], dict[str, Any]] | None:
        """The live view, and beside it what stays in the notebook."""
        bundle = super()._repr_mimebundle_(**kwargs)
        if bundle is None:
            return None
        data, metadata = bundle
        resting = self.resting()
        data = {**data, "text/plain": resting.text, "text/html": resting.html}
        if resting.png is not None:
            data["image/png"] = base64.b64encode(resting.png).decode("ascii")
            metadata = {**metadata, "image/png": {"alt": resting.alt}}
        return data, metadata


def _without_nulls(sent: Any) -> Any:
    """What a page has sent, with None for each null: Pyodide has an object of its own for it, and that is not None."""
    if isinstance(sent, dict):
        return {key: _without_nulls(value) for key, value in sent.items()}
    if isinstance(sent, list):
        return [_without_nulls(value) for value in sent]
    return None if type(sent).__name__ == "JsNull" else sent
