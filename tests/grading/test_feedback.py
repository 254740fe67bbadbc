"""What a submission displayed is made harmless before a teacher or a page shows it."""

from __future__ import annotations

import base64
import json
import re
from typing import Any

import nbformat
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nbconvert.filters import markdown2html

from autograder.feedback.verdicts import for_student, sanitized, sanitized_markdown
from autograder.lesson import is_check
from autograder.pipeline import grade_submission
from autograder.sandbox import CellRun, Request, Run
from course_lib.exercises.answers import encode
from tests.grading.helpers import LESSON, LIMITS, RIGHT, SEED, as_bytes, cell, grade, submission
from tests.redteam.trial import active_parts

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
        (r"$\\href{https://example.org}{x}$", r"\href"),
        (r"$\hr<wbr>ef{https://example.org}{x}$", "<wbr>"),
        (r"$\hr<!-- -->ef{https://example.org}{x}$", r"\href"),
        (r"$\<b></b>href{https://example.org}{x}$", r"\href"),
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


WORD_JOINER = "\u2060"


@pytest.mark.parametrize(
    "text",
    [
        "The rate is too large: loss > 2 and rate<best, see `x<y`, `f[0](x)` & more.",
        "> a quotation\n\n- a list with **strong** words\n\n$a < b \\\\ c$, $\\theta - \\eta g$ &alpha; a[0]: first",
        "I read https://example.org/page and asked ada@example.org; `x @ W.T` is a product.",
    ],
)
def test_an_honest_written_answer_keeps_its_words(text: str) -> None:
    assert sanitized_markdown(text).replace(WORD_JOINER, "") == text


def test_mathematics_stays_what_it_was() -> None:
    honest = r"$a < b$, $$\begin{aligned}x &= 1 \\ y &= \frac{1}{2}\end{aligned}$$, $W_{[i]}$ and $\nabla_\theta L$"
    assert sanitized_markdown(honest) == honest


ACTIVE = [
    "<script>alert(1)</script>",
    "\\`<script>alert(1)</script>\\`",
    "<img src=x onerror=alert(1)>",
    "<https://example.org> <!-- --><b>",
    "![x](https://example.org/track.png)",
    "!![x](https://example.org/track.png)",
    "![x](attachment:x.svg)",
    "![x][y]\n\n[y]: https://example.org/track.png",
    "[x](javascript:alert(1))",
    "[x](java&#115;cript:alert(1))",
    "[x](<https://example.org>)",
    "[x](there.html 'title')",
    "[x\\](y)](https://example.org)",
    "[x][y]\n\n[y]: javascript:alert(1)",
    "[x][]\n\n[x]: https://example.org",
    "[y]\n\n[y]: javascript:alert(1)",
    "[y]\n\n> - [y]:\n> https://example.org",
    "<javascript:alert(1)>",
    "<mailto:ada@example.org>",
    "<ada@example.org>",
    "<1a@example.org>",
    "<#a@example.org>",
    "https://example.org/page?x=1",
    "HTTPS://EXAMPLE.ORG",
    "(http://example.org)",
    "**http://example.org**",
    "| a |\n|---|\n| https://example.org |",
    "- [ ] https://example.org\n\nterm\n: http://example.org",
    "<a href='https://example.org'>x</a>",
    "<A\nHREF=https://example.org>x</A>",
    "<svg><a xlink:href='https://example.org'>x</a></svg>",
    "<area href=//example.org>",
    "<base href=//example.org>",
    r"$\href{javascript:alert(1)}{x}$",
    r"$\\href{https://example.org}{x}$",
    r"$\\\\href{https://example.org}{x}$",
    r"$\href1{x}$ $\url_{x}$",
    r"$\mmlToken{mi}[href='https://example.org']{x}$",
    r"$\def\x#1{\hr#1}\x{ef}{https://example.org}{x}$",
    r"$\newenvironment{x}{\hr}{}$",
    "$&#92;href{javascript:alert(1)}{x}$",
    "$&#x5C;href{javascript:alert(1)}{x}$",
    "&dollar;&bsol;href{javascript:alert(1)}{x}&dollar;",
]


def active(text: str) -> str:
    """What in a written answer would be more than text on the pages that nbconvert makes; "" where nothing is."""
    html = str(markdown2html(sanitized_markdown(text)))
    html = re.sub(r'<a class="anchor-link" href="#[^"]*">', "", html)  # the page's own mark beside each heading
    found = "; ".join(active_parts(html)) + "; ".join(re.findall(r"<(?:a|b|img|area)\b[^>]*>", html))
    return found + "; ".join(re.findall(r"\\(?:href|url|mmlToken|def|newenvironment)", html))


@pytest.mark.parametrize("text", ACTIVE)
def test_a_written_answer_shows_as_text_what_would_be_active(text: str) -> None:
    assert active(text) == ""


@given(st.lists(st.sampled_from(ACTIVE) | st.text("[]()<>!:/\\&#@w.`$ \nah", max_size=6), min_size=1, max_size=4))
@settings(max_examples=200, deadline=None)
def test_no_mixture_of_them_is_active(parts: list[str]) -> None:
    assert active("".join(parts)) == ""


@pytest.mark.parametrize("address", ["https://a.org", "ftp://a.org", "www.a.org", "WWW.a.org", "ada@a.org", "//a.org"])
def test_no_address_stays_in_one_piece(address: str) -> None:
    """JupyterLab links more kinds of address than nbconvert."""
    shown = sanitized_markdown(f"See {address}, or `{address}`.")
    assert address not in shown or address.startswith("//")
    assert shown.replace(WORD_JOINER, "") == f"See {address}, or `{address}`."


def test_a_written_answer_without_an_end_is_cut_and_says_so() -> None:
    kept = sanitized_markdown("\\\\[ " * 1_000_000)
    assert len(kept) < 31_000
    assert kept.endswith("(Cut after 30,000 characters.)")


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
    assert cell(graded.notebook, "written").source == "<\u2060script>alert(1)<\u2060/script> because"


# What a student reads: nothing that submitted code wrote, since that may be the inputs that it was called with.


class Says:
    """A sandbox in which the code of `scale` answers as told."""

    def __init__(self, stopped: str = "", **answer: Any) -> None:
        self.stopped = stopped
        self.answer = {"outcome": "error", "value": None, "error": "", "modified": [], **answer}

    def run(self, request: Request) -> Run:
        lines = [
            json.dumps({"run": request.run, "exercise": "scale", "group": group, "case": index, "answer": self.answer})
            for group, cases in request.cases["scale"].items()
            for index in range(0 if self.stopped else len(cases))
        ]
        return Run({each.index: CellRun("error" if self.stopped else "ok", (), self.stopped) for each in request.cells},
                   "\n".join(lines).encode())  # fmt: skip


def told(sandbox: Says) -> str:
    graded = grade_submission(as_bytes(submission({"scale": "scale = 1"})), LESSON, SEED, sandbox, LIMITS)
    return str(cell(graded.notebook, "check_scale").outputs[0].data["text/html"])


@pytest.mark.parametrize(
    ("sandbox", "sentence"),
    [
        (Says(outcome="error", error="ValueError: SECRET 0.25 (line 3 of the cell)"), "a ValueError (line 3 of"),
        (Says(outcome="error", error="SECRET0.25: x"), "with an exception of its own. "),
        (Says(outcome="error", error="ValueError: x. (line 3 of the cell) SECRET"), "a ValueError (line 3 of"),
        (Says(outcome="error", error="KeyError (line 123456 of the cell)"), "with a KeyError. "),
        (Says(outcome="missing", error="SECRET"), "There is no function scale."),
        (Says(outcome="unanswered", error="SECRET"), "scale is not answered yet: write"),
        (Says(outcome="answered", value={"opaque": "SECRET"}), "it is an object of another kind."),
        (Says(outcome="answered", value="SECRET"), "it is a text"),
        (Says(outcome="answered", value={"dict": [["SECRET", 1]]}), "it is a dict of 1"),
        (Says(outcome="answered", value=encode(np.full(3, 0.25))), "y[0] is wrong"),
        (Says(outcome="answered", value=1, modified=["SECRET"]), "Its input was changed in place too"),
        (Says(outcome="answered", value=1, modified=["x"]), "Its input x was changed in place too"),
        (Says("ValueError: SECRET 0.25"), "The answer cell of scale stopped with a ValueError."),
        (Says("ModuleNotFoundError: course_lib.optimizers is not there in grading: it holds SECRET"),
         "course_lib.optimizers is not there in grading: it holds what this lesson asks."),
        (Says("ImportError: course_lib.SECRET is not there in grading"), "stopped with an ImportError."),
        (Says("EOFError: SECRET"), "In grading nobody is there to answer input()."),
    ],
)  # fmt: skip
def test_a_student_reads_the_course_s_words_and_none_of_the_submission_s(sandbox: Says, sentence: str) -> None:
    html = told(sandbox)
    assert sentence in html
    assert "SECRET" not in html
    assert "0.25" not in html
    assert "123456" not in html


def test_the_grader_s_message_keeps_the_text() -> None:
    data = as_bytes(submission({"scale": "scale = 1"}))
    graded = grade_submission(data, LESSON, SEED, Says(outcome="error", error="ValueError: it is 0.25"), LIMITS)
    assert "ValueError: it is 0.25" in graded.exercises[0].message
    assert "ValueError: it is 0.25" in graded.entry()["exercises"][0]["message"]


def test_a_student_s_page_has_the_verdicts_and_no_other_output() -> None:
    notebook = grade(submission({**RIGHT, "scale": RIGHT["scale"] + "\nprint('shown')"})).notebook
    assert cell(notebook, "scale").outputs
    for each in for_student(notebook).cells:
        if each.cell_type == "code":
            assert [output.output_type for output in each.outputs] == (["execute_result"] if is_check(each) else [])
