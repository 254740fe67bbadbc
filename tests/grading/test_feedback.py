"""What a submission displayed is made harmless before a teacher or a page shows it."""

from __future__ import annotations

import base64
import re
from typing import Any

import nbformat
import pytest

from autograder.feedback import sanitized, sanitized_markdown
from tests.grading.helpers import RIGHT, cell, grade, submission

PIXEL = base64.b64encode(b"\x89PNG\r\n\x1a\n").decode()


def display(**data: Any) -> Any:
    return nbformat.from_dict({"output_type": "display_data", "metadata": {"isolated": True}, "data": data})


@pytest.mark.parametrize(
    ("html", "gone"),
    [
        ("<script>alert(1)</script>", "script"),
        ("<img src=x onerror=alert(1)>", "onerror"),
        ("<img src=https://example.org/track.png>", "example"),
        ("<img src='data:text/html;base64,PHNjcmlwdD4='>", "text/html"),
        ("<a href='javascript:alert(1)'>x</a>", "javascript"),
        ("<a href='/formgrader'>x</a>", "formgrader"),
        ("<svg onload=alert(1)></svg>", "onload"),
        ("<iframe src='https://example.org'></iframe>", "iframe"),
        ("<form action='/api'><button>Full credit</button></form>", "form"),
        ("<style>body { display: none }</style>", "display"),
        ("<p style='position: fixed'>x</p>", "position"),
        ("<p id='scale' class='score'>x</p>", "score"),
        ("<math><mtext><style><img src=x onerror=alert(1)></style></mtext></math>", "onerror"),
        (r"$\href{javascript:alert(1)}{x}$", r"\href"),
        (r"$&#92;href{javascript:alert(1)}{x}$", r"\href"),
    ],
)
def test_active_html_is_removed(html: str, gone: str) -> None:
    kept = sanitized(display(**{"text/html": html}))
    assert kept is not None
    assert gone not in kept.data["text/html"]


def test_tables_and_inline_pictures_are_kept() -> None:
    html = f'<table><tbody><tr><td>1</td></tr></tbody></table><img src="data:image/png;base64,{PIXEL}" alt="A plot">'
    kept = sanitized(display(**{"text/html": html, "image/png": PIXEL, "text/plain": "t"}))
    assert kept is not None
    assert kept.data == {"text/html": html, "image/png": PIXEL, "text/plain": "t"}
    assert kept.metadata == {}


@pytest.mark.parametrize(
    "mime",
    [
        "application/javascript",
        "application/vnd.jupyter.widget-view+json",
        "application/vnd.plotly.v1+json",
        "image/svg+xml",
        "text/latex",
        "text/markdown",
        "text/vnd.mermaid",
    ],
)
def test_other_kinds_are_dropped(mime: str) -> None:
    assert sanitized(display(**{mime: "x"})) is None


@pytest.mark.parametrize("content", ['"><script>alert(1)</script>', {"a": 1}, "A" * 2_000_000])
def test_a_picture_that_is_none_is_dropped(content: Any) -> None:
    kept = sanitized(display(**{"image/png": content, "text/plain": "t"}))
    assert kept is not None
    assert "image/png" not in kept.data or kept.data["image/png"] == ""


@pytest.mark.parametrize(
    "output",
    [
        {"output_type": "display_data", "data": 7},
        {"output_type": "update_display_data", "data": {}},
        {"output_type": "stream", "name": ["x"], "text": 7},
        {"output_type": "error", "ename": 1, "evalue": None, "traceback": "no"},
    ],
)
def test_outputs_of_any_form_stay_valid(output: dict[str, Any]) -> None:
    kept = sanitized(nbformat.from_dict(output))
    if kept is not None:
        nbformat.v4.nbjson  # noqa: B018
        whole = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("", outputs=[kept])])
        nbformat.validate(whole)


@pytest.mark.parametrize(
    "text",
    [
        "The rate is too large: loss > 2 and rate<best, see `x<y` & more.",
        "> a quotation\n\n- a list with **strong** words\n\n$a < b$",
    ],
)
def test_an_honest_written_answer_keeps_its_words(text: str) -> None:
    assert sanitized_markdown(text).replace("&lt;", "<") == text


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        "\\`<script>alert(1)</script>\\`",
        "![x](https://example.org/track.png)",
        r"$\href{javascript:alert(1)}{x}$",
        "$&#92;href{javascript:alert(1)}{x}$",
        "<img src=x onerror=alert(1)>",
        "[x](javascript:alert(1))",
        "[x](java&#115;cript:alert(1))",
        "[x][y]\n\n[y]: javascript:alert(1)",
        "[y]\n\n[y]: javascript:alert(1)",
        "<javascript:alert(1)>",
        "<https://example.org> <!-- --><b>",
    ],
)
def test_a_written_answer_shows_as_text_what_would_be_active(text: str) -> None:
    from nbconvert.filters import markdown2html

    html = str(markdown2html(sanitized_markdown(text)))
    assert "<script" not in html
    assert "<img" not in html
    assert "<b>" not in html
    assert "\\href" not in html
    assert not re.findall(r'<a href="(?!https://example)', html)  # an address written out may be clicked


def test_the_graded_notebook_keeps_harmless_output_and_nothing_else() -> None:
    source = (
        RIGHT["scale"]
        + "\nfrom IPython.display import HTML, Javascript, display\n"
        + "display(HTML('<b>bold</b><script>alert(1)</script>'), Javascript('alert(1)'))\nprint('\\x1b[31mred')"
    )

    def write(notebook: Any) -> None:
        cell(notebook, "written").source = "<script>alert(1)</script> because"

    graded = grade(submission({**RIGHT, "scale": source}, edit=write))
    text = nbformat.writes(graded.notebook)
    assert text.count("<script>") == 1  # in the answer's own code, which pages show as code
    assert "<b>bold</b>" in text
    assert cell(graded.notebook, "written").source == "&lt;script>alert(1)&lt;/script> because"
