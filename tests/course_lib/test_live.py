"""The base of the course's widgets: what reaches the page, and what stays in a notebook."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import nbformat
import pytest
import traitlets
from nbclient import NotebookClient

from course_lib.live import Live, Resting

OWN = "export default { render({ el }) { el.append(element('button', {}, 'Press')); } };"


class Counter(Live):
    _esm = OWN
    count = traitlets.Int(0).tag(sync=True)

    def resting(self) -> Resting:
        return Resting("<p>A counter.</p>", "A counter.", b"\x89PNG", "A counter at 0.")


def test_the_page_gets_the_shared_functions_the_own_module_and_the_styles() -> None:
    state = Counter().get_state()
    assert state["_esm"].endswith(OWN)
    assert "function element(" in state["_esm"]
    assert "lmSuppressShortcuts" in state["_esm"]
    assert "--course-ink" in state["_css"]
    assert "course" in state["_dom_classes"]


def test_a_style_sheet_of_ones_own_comes_after_the_shared_one(tmp_path: Path) -> None:
    sheet = tmp_path / "own.css"
    sheet.write_text(".course-own { color: red; }", encoding="utf-8")

    class Styled(Counter):
        _css = sheet

    class Heir(Styled):
        pass

    for kind in (Styled, Heir):
        css = kind().get_state()["_css"]
        assert css.count("--course-ink:") == Counter().get_state()["_css"].count("--course-ink:")
        assert css.index("--course-ink:") < css.index(".course-own")


def test_the_bundle_holds_the_live_view_and_what_stays() -> None:
    counter = Counter()
    bundle = counter._repr_mimebundle_()
    assert bundle is not None
    data, metadata = bundle
    assert data["application/vnd.jupyter.widget-view+json"]["model_id"] == counter.model_id
    assert data["text/plain"] == "A counter."
    assert data["text/html"] == "<p>A counter.</p>"
    assert base64.b64decode(data["image/png"]) == b"\x89PNG"
    assert metadata["image/png"]["alt"] == "A counter at 0."
    counter.count = 5
    again = counter._repr_mimebundle_()
    assert again is not None
    assert again[0]["text/plain"] == "A counter."


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"html": "<SCRIPT>1</SCRIPT>", "text": "x"}, "html holds a script"),
        ({"html": "", "text": " "}, "text is empty"),
        ({"html": "", "text": "x", "png": b"x"}, "alt is empty"),
    ],
)
def test_what_would_be_lost_is_refused(given: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Resting(**given)


def test_a_widget_without_its_resting_form_says_which() -> None:
    class Bare(Live):
        _esm = OWN

    with pytest.raises(NotImplementedError, match=r"Bare needs a method resting\(\)"):
        Bare()._repr_mimebundle_()


def test_a_notebook_run_as_the_build_runs_it_keeps_no_state() -> None:
    source = """
from course_lib.live import Live, Resting

class Counter(Live):
    _esm = "export default { render() {} }"

    def resting(self):
        return Resting("<p>A counter.</p>", "A counter.")

Counter()
"""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source.strip())])
    NotebookClient(notebook, kernel_name="python3", store_widget_state=False).execute()
    assert "widgets" not in notebook.metadata
    (output,) = notebook.cells[0].outputs
    assert output.data["text/plain"] == "A counter."
    assert "render()" not in nbformat.writes(notebook).split('"outputs"')[1].split('"source"')[0]


class JsNull:
    """What a page's null is in a browser's Python, by its name."""


def test_a_null_of_the_page_is_none() -> None:
    class Ear(Live):
        _esm = OWN

    heard: list[object] = []
    ear = Ear()
    ear.on_msg(lambda _widget, content, _buffers: heard.append(content))
    ear._handle_custom_msg({"answer": JsNull(), "list": [1, JsNull()], "text": "null"}, [])
    assert heard == [{"answer": None, "list": [1, None], "text": "null"}]
