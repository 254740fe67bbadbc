"""A submission full of active content, as a student's page, formgrader and JupyterLab show it: nothing of it acts."""

from __future__ import annotations

import base64
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import nbformat
import pytest
from nbgrader.api import Gradebook
from playwright.sync_api import Browser, Page

from autograder.class_grading import ClassGrading
from autograder.gradebook import Course
from autograder.sandbox import CellRun, Request, Run
from course_lib import exercises
from tests.browser.accessibility import violations
from tests.browser.jupyterlab import HOST, serve
from tests.grading import fixture_lesson
from tests.grading.fixture_lesson import NAME
from tests.grading.helpers import LIMITS, MODULE, RIGHT, as_bytes, cell, grade_one, submission

EVIL = "https://evil.invalid"
RUN = "window.hit=(window.hit||0)+1"
HTML = (
    f"<script>{RUN}</script>",
    f"<img src=x onerror='{RUN}'>",
    f"<img src='{EVIL}/img'><img srcset='{EVIL}/srcset'><video poster='{EVIL}/poster' src='{EVIL}/video'></video>",
    f"<svg onload='{RUN}'><script>{RUN}</script><image href='{EVIL}/svg' /><animate onbegin='{RUN}' /></svg>",
    f"<iframe src='{EVIL}/frame' srcdoc='<script>parent.{RUN}</script>'></iframe>",
    f"<object data='{EVIL}/object'></object><embed src='{EVIL}/embed'>",
    f"<link rel=stylesheet href='{EVIL}/css'>",
    f"<style>@import '{EVIL}/import'; body {{background: url({EVIL}/bg)}}</style>",
    f"<div style='background: url({EVIL}/style); position: fixed; inset: 0'>over everything</div>",
    f"<meta http-equiv=refresh content='0; url={EVIL}/refresh'><base href='{EVIL}/'>",
    f"<form action='{EVIL}/form'><input autofocus onfocus='{RUN}'></form>",
    f"<button formaction='{EVIL}/f' onclick='{RUN}'>Full credit</button>",
    f"<details open ontoggle='{RUN}'><summary>x</summary></details><body onload='{RUN}'>",
    f"<math><mtext><table><mglyph><style><img src=x onerror='{RUN}'></style></mglyph></table></mtext></math>",
    f"</pre></div></div><script>{RUN}</script><!-- <template><script>{RUN}</script></template>",
    f"<a id=evil-link href='javascript:{RUN}'>a link</a>",
    f"$\\href{{javascript:{RUN}}}{{x}}$ \\(\\require{{html}}\\class{{x}}{{y}}\\)",
)
ALL = "".join(HTML)
LINKS = f"{EVIL}/bare www.evil.invalid eve@evil.invalid <{EVIL}/angle> <1e@evil.invalid> [y]\n\n[y]: {EVIL}/there\n\n"
PIXEL = base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(20)).decode()
ACTIVE = "iframe, object, embed, form, #notebook-container svg, #notebook-container style"
NAMED = "<img src=x onerror=window.hit=1>"
CANARY = "CANARY"
ANSI_LINK = f"\x1b]8;;javascript:{RUN}\x07x\x1b]8;;\x07"


def display(data: dict[str, Any], **metadata: Any) -> Any:
    return nbformat.from_dict({"output_type": "display_data", "data": data, "metadata": metadata})


OUTPUTS = (
    *(display({"text/html": html, "text/plain": html}, isolated=False) for html in HTML),
    display({"text/html": [ALL], "image/png": f'"><img src=x onerror="{RUN}">'}),
    display({"image/png": PIXEL}, **{"image/png": {"width": f'1" onload="{RUN}', "height": 1}}),
    display({"image/jpeg": PIXEL + '" onerror="' + RUN}),
    display({"image/svg+xml": f"<svg onload='{RUN}'></svg>"}),
    display({"application/javascript": RUN, "text/javascript": RUN}),
    display({"text/latex": f"$\\href{{javascript:{RUN}}}{{x}}$", "text/markdown": ALL}),
    display({"application/vnd.jupyter.widget-view+json": {"model_id": "x", "version_major": 2, "version_minor": 0}}),
    display({"application/vnd.plotly.v1+json": {"data": []}, "text/vnd.mermaid": "graph TD", "application/pdf": PIXEL}),
    nbformat.from_dict({"output_type": "stream", "name": f"stdout' onload='{RUN}", "text": ALL}),
    nbformat.from_dict(
        {
            "output_type": "stream",
            "name": "stdout",
            "text": f"\x1b[31m{ALL}\x1b]8;;javascript:{RUN}\x07x\x1b]8;;\x07 {CANARY}",
        }
    ),
    nbformat.from_dict(
        {"output_type": "error", "ename": ALL, "evalue": ALL, "traceback": [f"\x1b[0;31m{ALL}{CANARY}"]}
    ),
)


class HostileSandbox:
    """Hands back what no kernel would: every kind of output, and answers that carry what they should not."""

    def run(self, request: Request) -> Run:
        """Show everything in every cell, and answer with texts of the submission's own."""
        lines = []
        texts: dict[str, Any] = {
            "scale": {
                "outcome": "error",
                "value": None,
                "error": f"ValueError: {CANARY} <script>{RUN}</script> (line 7 of the cell)",
            },
            "centre": {"outcome": "answered", "value": {"opaque": f"{CANARY}Type"}, "error": "", "modified": [CANARY]},
            "shift": {"outcome": "missing", "value": None, "error": f"{CANARY}<script>{RUN}</script>"},
        }
        for name, groups in request.cases.items():
            for group, cases in groups.items():
                for index in range(len(cases)):
                    answer = {"modified": [], **texts[name]}
                    place = {"run": request.run, "exercise": name, "group": group, "case": index}
                    lines.append(json.dumps({**place, "answer": answer}))
        shown = {each.index: CellRun("error", OUTPUTS, f"{CANARY}Error: {ALL}") for each in request.cells}
        return Run(shown, "\n".join(lines).encode())


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory, root: Path) -> Iterator[Course]:
    """A course in which eve has handed in everything, and ada an honest notebook."""
    folder = tmp_path_factory.mktemp("hostile") / "course"
    path = folder / "solutions" / NAME / f"{NAME}.ipynb"
    path.parent.mkdir(parents=True)
    nbformat.write(fixture_lesson.solution(), path)
    shutil.copy(root / "nbgrader_config.py", folder)
    place = Course(folder)

    def spoil(notebook: nbformat.NotebookNode) -> None:
        cell(
            notebook, "written"
        ).source = (
            f"It shrinks. $v_{{typed}}$ {LINKS} {ALL} [a link](javascript:{RUN}) ![x]({EVIL}/md) ![a](attachment:x.svg)"
        )
        cell(notebook, "written").attachments = {"x.svg": {"image/svg+xml": f"<svg onload='{RUN}'/>"}}
        cell(notebook, "title").source = f"<script>{RUN}</script>"
        notebook.metadata["title"] = ALL
        own = nbformat.v4.new_code_cell(f"# </pre><script>{RUN}</script>\n'''{ALL}'''", outputs=list(OUTPUTS[:3]))
        own.id, own.metadata["tags"] = f'x"><script>{RUN}</script>', [f"'><script>{RUN}</script>"]
        notebook.cells.append(own)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(exercises, "LESSONS", {**exercises.LESSONS, NAME: MODULE})
        for student, notebook in (
            ("eve", submission(RIGHT, edit=spoil)),
            ("ada", submission(RIGHT)),
            (NAMED, submission()),
        ):
            handed_in = place.folder("submitted", student, NAME)
            handed_in.mkdir(parents=True)
            (handed_in / f"{NAME}.ipynb").write_bytes(as_bytes(notebook))
            (handed_in / "page.html").write_text(ALL)
        run = ClassGrading(place, NAME, HostileSandbox(), LIMITS)
        for student in run.students():
            grade_one(run, student)
        assert list(run.refused) == [NAMED]
        done = place.api().generate_feedback(NAME)
        assert done["success"], done
        yield place


@pytest.fixture(scope="module")
def server(course: Course, browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    extensions = "{'nbgrader.server_extensions.formgrader': True}"
    home = tmp_path_factory.mktemp("formgrader")
    with serve(course.root, home, f"--ServerApp.jpserver_extensions={extensions}") as address:
        yield address


class Watched:
    """A page of which every request and every sign of a script of the submission is noted."""

    def __init__(self, browser: Browser) -> None:
        self.context = browser.new_context(viewport={"width": 1200, "height": 1600})
        self.urls: list[str] = []
        self.dialogs: list[str] = []
        self.context.on("request", lambda request: self.urls.append(request.url))
        self.page: Page = self.context.new_page()
        self.page.on("dialog", lambda dialog: (self.dialogs.append(dialog.message), dialog.dismiss()))

    def expect_nothing_happened(self) -> None:
        self.page.wait_for_timeout(1_500)
        assert self.page.locator("a[href*='evil.invalid']:not(.jp-OutputArea-output a)").count() == 0
        for link in self.page.locator("a:has-text('a link')").all():
            link.click(force=True, no_wait_after=True, timeout=2_000)
        assert [frame.evaluate("window.hit") for frame in self.page.frames] == [None] * len(self.page.frames)
        assert [url for url in self.urls if "evil.invalid" in url] == []
        assert self.dialogs == []
        assert "evil.invalid" not in self.page.url


@pytest.fixture
def watched(browser: Browser) -> Iterator[Watched]:
    opened = Watched(browser)
    yield opened
    opened.context.close()


def test_a_student_s_page_runs_nothing_asks_nobody_and_tells_nothing(
    course: Course, watched: Watched, screenshots: Path
) -> None:
    path = course.folder("feedback", "eve", NAME) / f"{NAME}.html"
    watched.page.goto(path.as_uri())
    watched.expect_nothing_happened()
    assert {urlsplit(url).scheme for url in watched.urls} <= {"file", "data"}
    assert watched.page.evaluate("document.scripts.length") == 0
    policy = watched.page.locator("meta[http-equiv='Content-Security-Policy']").get_attribute("content") or ""
    assert "default-src 'none'" in policy
    assert "form-action 'none'" in policy
    shown = watched.page.locator("body").inner_text()
    assert "Stopped with an error, 0 of 4 points" in shown
    assert "scale stopped with a ValueError (line 7 of the cell)" in shown
    assert "It shrinks." in shown
    html = path.read_text(encoding="utf-8")
    for secret in (CANARY, str(course.root), "ada", "/home/", "submitted"):
        assert secret not in html.split("</style>")[-1], secret
    assert "$v_{typed}$" in shown
    assert watched.page.locator("math, svg, style:not(head style), a, img").count() == 0
    watched.page.screenshot(path=screenshots / "hostile_feedback.png", full_page=True)
    watched.page.goto((course.folder("feedback", "ada", NAME) / f"{NAME}.html").as_uri())
    assert violations(watched.page) == []


def expect_formulas_of_the_lesson_alone(page: Page) -> None:
    """Those of the lesson are drawn, without anybody's MathJax; that of the answer is as it was typed."""
    assert page.locator("math mfrac").count() == 3
    assert page.locator("math").count() == 3
    assert "\\mapsto" not in page.locator("body").inner_text()
    assert "$v_{typed}$" in page.locator("body").inner_text()


def test_formgrader_shows_a_hostile_submission_without_running_it(
    course: Course, server: str, watched: Watched, screenshots: Path
) -> None:
    with Gradebook(course.db_url) as book:
        submission_id = book.find_submission_notebook(NAME, NAME, "eve").id
    base = server.split("/lab/", 1)[0]
    token = server.split("token=", 1)[1].split("&")[0]
    watched.page.goto(f"{base}/formgrader/submissions/{submission_id}/?token={token}")
    assert "over everything" in watched.page.locator("#notebook-container").first.inner_text()
    watched.expect_nothing_happened()
    assert watched.page.locator(ACTIVE).count() == 0
    expect_formulas_of_the_lesson_alone(watched.page)
    watched.page.screenshot(path=screenshots / "hostile_formgrader.png", full_page=True)
    # What else was handed in is not served from the teacher's origin.
    there = watched.page.goto(f"{base}/formgrader/submissions/{submission_id}/page.html?token={token}")
    assert there is not None
    assert there.status == 404
    for place in ("", "manage_submissions/" + NAME, f"gradebook/{NAME}/{NAME}", "manage_students"):
        watched.page.goto(f"{base}/formgrader/{place}?token={token}")
        watched.expect_nothing_happened()
    assert {urlsplit(url).hostname for url in watched.urls if url.startswith("http")} == {HOST}


def test_jupyterlab_opens_a_graded_notebook_without_running_it(course: Course, server: str, watched: Watched) -> None:
    watched.page.goto(server.format(path=f"autograded/eve/{NAME}/{NAME}.ipynb"))
    watched.page.locator(".jp-Notebook .jp-Cell").first.wait_for(timeout=60_000)
    watched.expect_nothing_happened()
    assert {urlsplit(url).hostname for url in watched.urls if url.startswith("http")} == {HOST}
