"""Attacks on the browser and the terminal of whoever looks at the grading."""

# ruff: noqa: E501 - the code that is handed in stands in strings, as it was written

from __future__ import annotations

from functools import partial

from nbformat import NotebookNode

from tests.redteam.entries import FULL, OTHERS, OTHERS_POINTS, RIGHT, Entry, cell, inside

attack = partial(Entry, family="output and browser", answers=RIGHT, deserves=FULL)
BEACON = "http://127.0.0.1:@TCP@/@MARK@"


def shows(mime: str, content: str) -> str:
    """Code that displays content of a type."""
    return f"from IPython.display import display\ndisplay({{{mime!r}: {content!r}}}, raw=True)"


def _written(text: str) -> partial[None]:
    return partial(_write, text=text)


def _write(notebook: NotebookNode, text: str) -> None:
    cell(notebook, "written").source = text


def _names(notebook: NotebookNode) -> None:
    place = notebook.cells.index(cell(notebook, "scale"))
    notebook.cells[place].metadata["name"] = "<img src=x onerror=alert(1)>"
    notebook.metadata["title"] = "</title><script>alert('redteam')</script>"
    notebook.metadata["authors"] = [{"name": "<script>alert('redteam')</script>"}]


def _attached(notebook: NotebookNode) -> None:
    written = cell(notebook, "written")
    written.source = "![x](attachment:x.svg) ![y](attachment:y.png)"
    written.attachments = {
        "x.svg": {"image/svg+xml": "<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>"},
        "y.png": {"image/png": "\"><script>alert('redteam')</script>"},
    }


HTML = f"""\
<script>alert('redteam')</script><img src=x onerror="alert('redteam')"><iframe srcdoc="<script>alert(1)</script>"></iframe>
<object data="{BEACON}"></object><embed src="{BEACON}"><form action="{BEACON}"><button>Full marks</button></form>
<a href="javascript:alert('redteam')">click</a><meta http-equiv="refresh" content="0;url={BEACON}">
<base href="{BEACON}"><link rel="stylesheet" href="{BEACON}"><img src="{BEACON}"><video src="{BEACON}" autoplay></video>
<details open ontoggle="alert('redteam')"><math href="javascript:alert(1)">x</math><body onload="alert('redteam')">
"""
OVERLAY = """\
<style>* { display: none } body::after { content: "4 of 4 points" }</style>
<div style="position: fixed; inset: 0; background: white; z-index: 99999">scale: 4 of 4 points</div>
<div class="course-verdict" id="check_scale"><strong>scale: 4 of 4 points</strong></div>
"""
SVG = f"""\
<svg xmlns="http://www.w3.org/2000/svg" onload="alert('redteam')"><script>alert('redteam')</script>
<image href="{BEACON}"/><foreignObject><iframe src="{BEACON}"></iframe></foreignObject></svg>
"""
ANSI = (
    r"\x1b]8;;" + BEACON + r"\x1b\\click\x1b]8;;\x1b\\ \x1b]0;owned\x07 \x1b[2J\x1b[1;1H \x1b[31m4 of 4\x1b[0m \x9b31m"
)

ATTACKS = (
    attack("html-with-scripts", cell=shows("text/html", HTML), quick=True,
           tries="Displays HTML with scripts, handlers, frames, forms, redirections and remote pictures."),
    attack("html-over-the-page", cell=shows("text/html", OVERLAY),
           tries="Displays styles that hide the page and lay a verdict of its own over it."),
    attack("svg-with-scripts", cell=shows("image/svg+xml", SVG), tries="Displays an SVG with scripts and frames."),
    attack("javascript-output", cell=shows("application/javascript", f"fetch('{BEACON}'); alert('redteam')"),
           tries="Displays JavaScript."),
    attack("markdown-and-latex-output",
           cell=shows("text/markdown", f"[click](javascript:alert('redteam')) ![x]({BEACON}) <script>alert(1)</script>")
           + "\n" + shows("text/latex", r"$\href{javascript:alert('redteam')}{x}\unicode{x}$"),
           tries="Displays Markdown and LaTeX with links that run scripts."),
    attack("widget-state", cell="import ipywidgets\ndisplay(ipywidgets.HTML(\"<script>alert('redteam')</script>\"))\n"
           + shows("application/vnd.jupyter.widget-view+json", "x"),
           tries="Displays a widget whose state holds a script."),
    attack("images-that-are-none", cell="\n".join(
        shows(mime, "\"><script>alert('redteam')</script>") for mime in ("image/png", "image/jpeg", "image/gif", "x/y")),
           tries="Displays pictures whose data are HTML."),
    attack("written-answer-with-html", edit=_written(HTML + "\n\n[x](javascript:alert(1)) ![x](" + BEACON + ")\n\n"
           "<!-- --><div markdown=1>$\\href{javascript:alert(1)}{x}$ </div>\n\nSee https://redteam.invalid/ or "
           "<https://redteam.invalid>, <1a@redteam.invalid>, [x][y], [y], ![y].\n\n[y]: https://redteam.invalid/\n"),
           tries="Writes HTML, links and formulas with links into the answer that a teacher reads."),
    attack("attachments", edit=_attached, tries="Attaches pictures that are scripts to its written answer."),
    attack("names-with-html", edit=_names, tries="Puts HTML into the title, the authors and the names of cells."),
    attack("terminal-escapes", answers={**OTHERS, "scale": inside(f'raise ValueError("{ANSI}")')},
           cell=f'print("{ANSI}")\nraise RuntimeError("{ANSI}")', deserves=OTHERS_POINTS,
           tries="Raises exceptions whose text holds escapes that write to the grader's terminal."),
    attack("html-in-an-exception", deserves=OTHERS_POINTS, answers={
        **OTHERS, "scale": "class Error(Exception): pass\nError.__name__ = \"<script>alert('redteam')</script>\"\n"
        + inside("raise Error(\"<img src=x onerror=alert('redteam')>\")")},
           tries="Raises an exception whose name and message are HTML, for the sentence in the verdict."),
    attack("hidden-inputs-shown", deserves=OTHERS_POINTS, answers={
        **OTHERS, "scale": inside("import os\nos.write(1, repr(x).encode())\n"
                                  "raise ValueError(f'canary of the input {np.asarray(x).tolist()}')")},
           tries="Raises exceptions that carry the hidden inputs, for everybody to learn them from the feedback."),
    attack("paths-shown", answers=RIGHT, cell="import os, sys\nprint(os.getcwd(), sys.path, sys.argv, sys.prefix)\n"
           "raise FileNotFoundError(os.path.abspath('x'))", tries="Prints every path that it can see."),
)  # fmt: skip
