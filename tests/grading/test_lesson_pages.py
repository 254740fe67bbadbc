"""A lesson as a page stands alone: nothing runs or is fetched, pictures have words, formulas are drawn."""

from __future__ import annotations

import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import nbformat
import pytest
from typer.testing import CliRunner

from autograder.building import BuildError
from autograder.cli import app
from autograder.lesson_pages import export, page
from course_lib.study import speech

ROOT = Path(__file__).parents[2]
LESSONS = sorted(path.stem for path in (ROOT / "solutions").glob("*/*.ipynb"))
MOST = 3_000_000
ALLOWED = {
    "a": r"#.*|https://.*",
    "img": r"data:image/png;base64,[\w+/=]+",
    "audio": r"\d\d_\w+_audio/[0-9a-f]{16}\.mp3",
}
ADDRESSES = ("src", "href", "srcset", "poster", "data", "action", "formaction", "background", "xlink:href")


class Reader(HTMLParser):
    """The elements of a page, and the text outside of code."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.prose = ""
        self._within: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        if tag in ("pre", "code", "style"):
            self._within.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if self._within and self._within[-1] == tag:
            self._within.pop()

    def handle_data(self, data: str) -> None:
        if not self._within:
            self.prose += data

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.elements if name == tag]


def notebook(*cells: nbformat.NotebookNode) -> nbformat.NotebookNode:
    return nbformat.v4.new_notebook(cells=list(cells))


def test_there_are_lessons_to_look_at() -> None:
    assert {"01_backpropagation", "04_adaptive_optimizers"} <= set(LESSONS)


@pytest.mark.parametrize("student", [False, True], ids=["solution", "student"])
@pytest.mark.parametrize("lesson", LESSONS)
def test_a_lesson_s_page_stands_alone(lesson: str, student: bool, tmp_path: Path) -> None:
    (path,) = export(ROOT, [lesson], tmp_path, student=student)
    html = path.read_text(encoding="utf-8")
    found = Reader(html)
    names = {name for name, _ in found.elements}
    assert path.stat().st_size < MOST
    assert not names & {"script", "iframe", "object", "embed", "link", "base", "form"}
    assert not [name for _, attributes in found.elements for name in attributes if name.startswith("on")]
    assert not re.search(r"@import|url\(", html)
    for name, attributes in found.elements:
        for each in ADDRESSES:
            if each in attributes:
                assert re.fullmatch(ALLOWED[name], attributes[each]), (name, attributes)
    policy = next(each["content"] for each in found.all("meta") if "http-equiv" in each)
    assert policy.startswith("default-src 'none'; style-src 'unsafe-inline'; img-src data:;")
    assert found.all("html") == [{"lang": "en"}]
    assert len(found.all("h1")) == 1
    assert [each for each in found.all("img") if len(each.get("alt", "")) < 20] == []
    ids = [attributes["id"] for _, attributes in found.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    within = [each["href"][1:] for each in found.all("a") if each["href"].startswith("#")]
    assert len(within) > 10
    assert {unquote(each) for each in within} <= set(ids)
    assert len(found.all("math")) > 1
    assert "$" not in found.prose


def test_what_is_spoken_lies_beside_the_page(tmp_path: Path) -> None:
    name = "01_backpropagation"
    (path,) = export(ROOT, ["01"], tmp_path)
    players = Reader(path.read_text(encoding="utf-8")).all("audio")
    spoken = speech.utterances(name)
    assert [each["src"] for each in players] == [f"{name}_audio/{each.recording}" for each in spoken]
    assert all(each["aria-label"] and "controls" in each and each["preload"] == "none" for each in players)
    for each in spoken:
        recording = speech.recording(name, each)
        assert recording is not None
        assert (tmp_path / f"{name}_audio" / each.recording).read_bytes() == recording.read_bytes()


@pytest.mark.parametrize("lesson", LESSONS)
def test_the_page_shows_a_picture_for_whatever_shows_one_in_jupyterlab(lesson: str, tmp_path: Path) -> None:
    source = ROOT / "solutions" / lesson / f"{lesson}.ipynb"
    data = [
        output.data
        for cell in nbformat.read(source, as_version=4).cells
        for output in cell.get("outputs", [])
        if "data" in output
    ]
    pictures = sum("image/png" in each or "<img" in each.get("text/html", "") for each in data)
    assert pictures > 0
    assert not [each for each in data if "application/vnd.jupyter.widget-view+json" in each]
    assert not [each for each in data if re.match(r"<?\w+\(.*\)>?$", each.get("text/plain", "")) and len(each) == 1]
    (ours,) = export(ROOT, [lesson], tmp_path)
    command = [sys.executable, "-m", "nbconvert", "--to", "html", str(source), "--output-dir", str(tmp_path / "stock")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "Alternative text is missing" not in done.stderr
    stock = tmp_path / "stock" / f"{lesson}.html"
    for path in (ours, stock):
        shown = Reader(path.read_text(encoding="utf-8")).all("img")
        assert len([each for each in shown if each["src"].startswith("data:image/png") and each["alt"]]) >= pictures
    assert stock.stat().st_size < MOST


def test_a_page_shows_what_a_cell_shows() -> None:
    code = nbformat.v4.new_code_cell("x = 1  # one")
    code.outputs = [
        nbformat.v4.new_output("stream", text="2 < 3 \x1b[31mred\x1b[0m"),
        nbformat.v4.new_output("display_data", {"text/plain": "<Figure>", "text/html": "<b>bold</b>"}),
        nbformat.v4.new_output("execute_result", {"text/plain": "array([1, 2])"}),
        nbformat.v4.new_output(
            "display_data", {"image/png": "AAAA\n", "text/plain": "x"}, metadata={"image/png": {"alt": "A <plot>"}}
        ),
        nbformat.v4.new_output("error", ename="E", evalue="v", traceback=["line one", "line two"]),
    ]
    hidden = nbformat.v4.new_code_cell("secret = 2", metadata={"jupyter": {"source_hidden": True}})
    title = nbformat.v4.new_markdown_cell("# A & $x^2$\n\n## Same\n\n## Same")
    html = page(notebook(title, code, hidden))
    assert "2 &lt; 3 <span" in html
    assert "<b>bold</b>" in html
    assert "&lt;Figure&gt;" not in html
    assert "array([1, 2])" in html
    assert '<img alt="A &lt;plot&gt;" src="data:image/png;base64,AAAA">' in html
    assert "line one\nline two" in html
    assert re.search(r"<details><summary>The code of this cell</summary>.*secret.*</details>", html, flags=re.DOTALL)
    assert "<title>A &amp; x2</title>" in html
    assert [each["id"] for each in Reader(html).all("h2")] == ["Same", "Same-2"]
    assert '<li class="level2"><a href="#Same-2">Same</a></li>' in html


def test_an_environment_of_latex_is_drawn_too() -> None:
    cell = nbformat.v4.new_markdown_cell("\\begin{align}\na &= b \\\\\nc &= d\n\\end{align}")
    assert page(notebook(cell)).count("<mtr>") == 2


def test_the_empty_corner_of_a_table_is_no_heading() -> None:
    html = page(notebook(nbformat.v4.new_markdown_cell("| | a |\n|---|--:|\n| row | $x$ |")))
    assert len(Reader(html).all("th")) == 1
    assert len(Reader(html).all("td")) == 3
    assert '<td style="text-align:right"><math><mi>x</mi></math></td>' in html


def test_the_command_writes_pages_and_names_them(tmp_path: Path) -> None:
    words = ["export", "1", "04", "--root", str(ROOT), "--to", "pages", "--output", str(tmp_path / "new" / "pages")]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    written = sorted(path.name for path in (tmp_path / "new" / "pages").iterdir() if path.suffix == ".html")
    assert written == ["01_backpropagation.html", "04_adaptive_optimizers.html"]
    assert all(name in done.output.replace("\n", "") for name in written)


def test_pages_go_to_pages_where_nothing_else_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", opened.append)
    for more in ([], ["--to", "pages", "--open", "--student"]):
        done = CliRunner().invoke(app, ["export", "00", "--root", str(ROOT), *more])
        assert done.exit_code == 0, done.output
    assert [path.name for path in tmp_path.iterdir()] == ["pages"]
    assert opened == [(tmp_path / "pages" / "00_warm_up.html").as_uri()]


def test_what_cannot_be_exported_is_told_with_what_to_do(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["export", "77", "--root", str(ROOT), "--output", str(tmp_path)])
    assert done.exit_code == 2
    assert "no lesson '77'" in done.output
    (tmp_path / "solutions").mkdir()
    (tmp_path / "solutions" / "05_new.md").write_text("# New")
    with pytest.raises(BuildError, match="build it first: python -m autograder build 05_new"):
        export(tmp_path, [], tmp_path / "pages")
    folder = tmp_path / "solutions" / "05_new"
    folder.mkdir()
    nbformat.write(notebook(nbformat.v4.new_markdown_cell("# New $\\unheardof$")), folder / "05_new.ipynb")
    with pytest.raises(BuildError, match=r'05_new.ipynb.*Unknown command "\\unheardof"'):
        export(tmp_path, ["5"], tmp_path / "pages")
    assert not (tmp_path / "pages").exists()
