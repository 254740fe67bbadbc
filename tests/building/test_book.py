"""The book in pieces: what of a lesson is in it, what stops it, links, moments and verdicts worked out beforehand."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbformat import NotebookNode
from typer.testing import CliRunner

from autograder.book import building, checks, extension, moments, notebooks, quizzes, reference, sources, widgets
from autograder.building import BuildError, leaks, lesson_path
from autograder.building.course import source_paths
from autograder.building.source import read
from autograder.building.start import KIT
from autograder.cli import app
from course_lib.explore.batch_noise import BatchNoise
from course_lib.explore.ravine import Ravine
from course_lib.study import content

LESSONS = ("00_warm_up", "04_adaptive_optimizers")
PAGE = '<!doctype html><html lang="en"><head><title>Page</title></head><body><h1>Page</h1>{}</body></html>'


def shown(root: Path, name: str, folder: Path, *, answers: bool = False) -> NotebookNode:
    return notebooks.read(root, name, notebooks.pictures_in(folder, "pictures"), answers=answers)


def strings(notebook: NotebookNode) -> list[str]:
    outputs = [output.data["text/html"] for cell in notebook.cells for output in cell.get("outputs", ())]
    return [*(cell.source for cell in notebook.cells), *outputs]


def cell_with(notebook: NotebookNode, text: str) -> NotebookNode:
    return next(cell for cell in notebook.cells if text in cell.source)


@pytest.mark.parametrize("name", LESSONS)
def test_a_reader_sees_no_answer_and_an_instructor_every_one(root: Path, tmp_path: Path, name: str) -> None:
    source = read(root / "solutions" / f"{name}.md")
    allowed = leaks.allowed_statements(root / "solutions" / leaks.ALLOWED_FILE)
    assert leaks.in_texts({name: strings(shown(root, name, tmp_path))}, [source], allowed) == []
    wanted = {secret.cell for secret in leaks.secrets([source]) if secret.kind == "solution"}
    found = leaks.in_texts({name: strings(shown(root, name, tmp_path, answers=True))}, [source])
    assert {problem.what.split()[4].removesuffix(":") for problem in found} == wanted


@pytest.mark.parametrize("name", LESSONS)
def test_exercises_are_marked_and_show_nothing_that_came_of_an_answer(root: Path, tmp_path: Path, name: str) -> None:
    graded = {
        cell.id: cell
        for cell in nbformat.read(lesson_path(root, name), as_version=4).cells
        if "nbgrader" in cell.metadata
    }
    cells = [cell for cell in shown(root, name, tmp_path).cells if cell.id in graded]
    assert len(cells) == len(graded) > 3
    for cell in cells:
        if cell.cell_type == "markdown":
            assert "Yours to write" in cell.source
        else:
            assert {"answer", "check"} & set(cell.metadata.tags)
            assert cell.outputs == []


@pytest.mark.parametrize("name", LESSONS)
def test_the_cell_that_looks_for_the_course_is_folded_and_the_one_that_hands_in_left_out(
    root: Path, tmp_path: Path, name: str
) -> None:
    before = "\n".join(cell.source for cell in nbformat.read(lesson_path(root, name), as_version=4).cells)
    assert "### Hand it in" in before
    assert "Submit(" in before
    notebook = shown(root, name, tmp_path)
    assert not any("### Hand it in" in text or "Submit(" in text for text in strings(notebook))
    start = cell_with(notebook, KIT)
    assert "hide-input" in start.metadata.tags
    assert start.outputs == []


def test_what_is_to_be_guessed_first_is_folded_away(root: Path, tmp_path: Path) -> None:
    notebook = shown(root, "04_adaptive_optimizers", tmp_path)
    asked = cell_with(notebook, "five times; steps in units")
    assert "hide-output" in asked.metadata.tags
    assert "RMSprop" in asked.outputs[0].data["text/html"]
    assert "hide-output" not in cell_with(notebook, "for optimizer in (Adam, SGD)").metadata.tags
    whole = shown(root, "04_adaptive_optimizers", tmp_path, answers=True)
    assert not any("hide-output" in cell.metadata.get("tags", ()) for cell in whole.cells)


def test_pictures_become_files_with_their_words(root: Path, tmp_path: Path) -> None:
    text = "".join(strings(shown(root, "04_adaptive_optimizers", tmp_path)))
    pictures = re.findall(r'<img [^>]*alt="([^"]{20,})"[^>]*src="pictures/([^"]+)"', text)
    assert len(pictures) == text.count("<img ") > 2
    for _, name in pictures:
        assert (tmp_path / name).read_bytes().startswith(b"\x89PNG")


def test_a_lesson_that_was_not_built_says_how_to_build_it(built: Path, tmp_path: Path) -> None:
    assert shown(built, "01_tiny", tmp_path).cells
    path = lesson_path(built, "01_tiny")
    notebook = nbformat.read(path, as_version=4)
    notebook.cells.pop()
    nbformat.write(notebook, path)
    with pytest.raises(BuildError, match="python -m autograder build"):
        shown(built, "01_tiny", tmp_path)
    path.unlink()
    with pytest.raises(BuildError, match="python -m autograder build 01_tiny"):
        shown(built, "01_tiny", tmp_path)


def test_widgets_of_all_lessons_live_but_the_two_that_have_too_many_positions(root: Path) -> None:
    pictures = set()
    alive: dict[str, set[str]] = {}
    for path in source_paths(root):
        for cell in read(path).notebook.cells:
            found = None if cell.cell_type != "code" else widgets._shown(cell.source)
            if found and found[0].__name__ != "Submit":
                widget = widgets.of_cell(cell.source)
                if widget is None:
                    pictures.add((path.stem, found[0].__name__))
                else:
                    alive.setdefault(path.stem, set()).add(widget.kind)
    assert {name for name, _ in pictures} == {"09_schedulers", "10_capstone"}, pictures
    for name, kinds in alive.items():
        wanted = {kind.__name__ for kind in widgets.KINDS} - ({"Exploration"} if name[:2] in ("09", "10") else set())
        assert kinds == wanted, name


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ('<a href="gone.html">x</a>', "a link to what is not there: gone.html"),
        ('<a href="#gone">x</a>', "a link to a place that is not there: #gone"),
        ('<a href="other.html#gone">x</a>', "a link to a place that is not there: other.html#gone"),
        ('<a href="http://example.org">x</a>', "no browser would follow well"),
        ('<a href="javascript:alert(1)">x</a>', "no browser would follow well"),
        ('<a href="https://example">x</a>', "no browser would follow well"),
        ('<script src="https://cdn.example.org/x.js"></script>', "another machine would be asked"),
        ('<link rel="stylesheet" href="//cdn.example.org/x.css">', "another machine would be asked"),
        ('<img src="gone.png" alt="A picture that is gone">', "a file that is not there: gone.png"),
        ('<img src="data:image/png;base64,AA==">', "a picture without words"),
        ('<img src="data:image/png;base64,AA==" alt="plot">', "a picture without words"),
        ('<svg role="img"></svg>', "a drawing without words"),
        ('<p id="a"></p><p id="a"></p>', "two things are called 'a'"),
        ("<h3>Too deep</h3>", "a heading of level 3 right below one of level 1"),
        ("<h1>Again</h1>", "2 headings of the first level"),
        ('<p onclick="x()">x</p>', "has a script in an attribute"),
        ("<style>@import 'https://example.org/a.css';</style>", "another machine would be asked"),
        ('<p style="background: url(https://example.org/a.png)">x</p>', "another machine would be asked"),
    ],
)
def test_what_must_not_be_on_a_page_is_found(tmp_path: Path, body: str, said: str) -> None:
    (tmp_path / "other.html").write_text(PAGE.format('<p id="place"></p>'), "utf-8")
    (tmp_path / "page.html").write_text(PAGE.format(body), "utf-8")
    problems = checks.look_over(tmp_path).problems
    assert [problem.where for problem in problems] == ["page.html"]
    assert said in problems[0].what


def test_style_sheets_and_scripts_ask_nobody_either(tmp_path: Path) -> None:
    (tmp_path / "a.css").write_text('@font-face { src: url("https://fonts.example.org/a.woff2"); }', "utf-8")
    (tmp_path / "a.js").write_text('fetch("https://api.example.org/x"); "http://www.w3.org/2000/svg"', "utf-8")
    found = {problem.where: problem.what for problem in checks.look_over(tmp_path).problems}
    assert "another machine" in found["a.css"]
    assert found["a.js"] == 'names another machine: "https://api.example.org/x'


def test_a_good_page_has_no_problems_and_its_links_are_counted(tmp_path: Path) -> None:
    body = (
        '<h2 id="here">Here</h2><a href="#here">a</a><a href="page.html#h%65re">b</a><a href="data.json">c</a>'
        '<a href="https://example.org/x?y#z">d</a><a href="mailto:a@example.org">e</a><a href="../site/">f</a>'
        '<img src="a.png" alt="Two lines that cross"><img src="a.png" alt="" role="presentation">'
    )
    (tmp_path / "page.html").write_text(PAGE.format(body), "utf-8")
    (tmp_path / "data.json").write_text("{}", "utf-8")
    (tmp_path / "a.png").write_bytes(b"")
    found = checks.look_over(tmp_path)
    assert (found.problems, found.pages, found.links) == ([], 1, 3)
    assert found.outside == {"https://example.org/x?y#z", "mailto:a@example.org"}


SOLUTION = next(
    secret.text
    for path in source_paths(Path(__file__).resolve().parents[2])
    for secret in leaks.secrets([read(path)])
    if secret.cell == "04_adaptive_optimizers/rmsprop_step" and secret.kind == "solution"
)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("page.html", PAGE.format("<pre><span>{}</span></pre>")),
        ("page.html", PAGE.format('<script type="application/json">{{"html": "<p>{json}</p>"}}</script>')),
        ("moments.js", 'courseBook.moments["X"] = {{"told": ["{json}"], "buffers": []}};\n'),
        ("searchindex.json", '{{"text": "{json}"}}'),
    ],
)
def test_an_answer_in_any_page_or_script_stops_the_book(root: Path, tmp_path: Path, name: str, text: str) -> None:
    given = text.format(SOLUTION, json=json.dumps(SOLUTION)[1:-1])
    (tmp_path / name).write_text(given.replace("{{", "{").replace("}}", "}"), "utf-8")
    problems = building._leaks(root, tmp_path, checks.look_over(tmp_path))
    assert any("solution of 04_adaptive_optimizers/rmsprop_step" in each.what for each in problems), problems
    (tmp_path / name).write_text(text.format("nothing", json="nothing"), "utf-8")
    problems = building._leaks(root, tmp_path, checks.look_over(tmp_path))
    assert problems
    assert all("delete the entry" in each.what for each in problems)  # of what was reviewed, this page shows nothing


def test_another_folder_is_not_touched(root: Path, tmp_path: Path) -> None:
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "mine.md").write_text("mine", "utf-8")
    done = CliRunner().invoke(app, ["book", "--root", str(root), "--output", str(tmp_path)])
    assert done.exit_code == 1
    assert "no book of this course" in done.output
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["mine.md"]


def test_the_old_book_stays_while_the_new_one_is_not_fit(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only what Sphinx does is played, since it takes a minute: tests/browser/test_book.py builds the book."""
    body = ["<p>one</p>"]

    def played(_main: object, given: list[str], _said: object) -> int:
        html = Path(given[-1])
        (html / "_static").mkdir(parents=True, exist_ok=True)
        (html / "index.html").write_text(PAGE.format(body[0]), "utf-8")
        return 0

    def put(_root: Path, source: Path, **_options: object) -> None:
        source.mkdir(parents=True, exist_ok=True)
        (source / "index.md").touch()

    monkeypatch.setattr(building, "_quietly", played)
    monkeypatch.setattr(sources, "put", put)
    to = tmp_path / "book"
    assert building.build(root, to, answers=True).folder == to / "html"
    for fault in ('<a href="gone.html">x</a>', SOLUTION):
        body[0] = fault
        with pytest.raises(BuildError):
            building.build(root, to)
        assert "<p>one</p>" in (to / "html/index.html").read_text("utf-8")
    (to / "work/html/stale.html").write_text(PAGE.format(SOLUTION), "utf-8")
    body[0] = "<p>two</p>"
    building.build(root, to, answers=True)
    assert sorted(path.name for path in (to / "html").iterdir()) == [".nojekyll", "_static", "index.html"]
    assert "<p>two</p>" in (to / "html/index.html").read_text("utf-8")
    assert {path.name for path in to.iterdir()} == {"course-book", "html", "work"}


def test_without_sphinx_it_says_what_to_install(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sphinx.cmd.build", None)
    done = CliRunner().invoke(app, ["book", "--root", str(root), "--output", str(tmp_path / "book")])
    assert done.exit_code == 1
    assert "pip install -r requirements-book.txt" in done.output


def test_sphinx_s_warnings_say_where(tmp_path: Path) -> None:
    text = f"{tmp_path}/docs/new.md: WARNING: document isn't included in any toctree [toc.not_included]\n\nodd\n"
    first, second = building._warnings(text, tmp_path)
    assert (first.where, second.what) == ("docs/new.md", "odd")
    assert first.what == "document isn't included in any toctree; list it in book/guide.md"


def test_every_page_of_the_guides_is_listed(root: Path) -> None:
    listed = {
        found[1] or found[2]
        for path in (root / "book").glob("*.md")
        for found in re.finditer(r"^(?:.*<(docs/[\w/-]+)>|(docs/[\w/-]+))$", path.read_text("utf-8"), re.MULTILINE)
    }
    pages = [*(root / "docs").glob("*.md"), *(root / sources.SHEETS / name for name in sources.FOR_ALL)]
    assert listed == {path.relative_to(root).with_suffix("").as_posix() for path in pages}


def test_lessons_are_opened_where_pyproject_says_and_in_the_site(tmp_path: Path) -> None:
    def services(site: str = "") -> list[str]:
        return [each.service for each in sources.open_links(tmp_path, "04_adaptive_optimizers", site)]

    site = "https://you.example/course"
    assert services() == []
    assert services(site) == ["JupyterLite"]
    (tmp_path / "pyproject.toml").write_text('[project.urls]\nLessons = "https://github.com/you/course"\n', "utf-8")
    assert services() == ["Binder", "Colab", "Codespaces"]
    assert services(site) == ["Binder", "Colab", "Codespaces", "JupyterLite"]
    with pytest.raises(BuildError, match="--site"):
        services("you.example")


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("[a page](settings.md#x) and [code](../autograder/judge.py)", "[a page](settings.md#x) and code"),
        ("[`f`](../gone.md) and [out](https://example.org)", "`f` and [out](https://example.org)"),
        ("[all](../lessons)", "[all](../lessons/README.md)"),
        ("[all](../lessons/#map)", "[all](../lessons/README.md#map)"),
        ("```\n[a](gone.md)\n```\n[a](gone.md)", "```\n[a](gone.md)\n```\na"),
        ("![picture](gone.png)", "![picture](gone.png)"),
    ],
)
def test_links_to_what_is_no_page_keep_their_words_alone(text: str, wanted: str) -> None:
    known = ["docs/settings.md", "lessons/README.md"]
    assert sources._without_dead_links("docs/a.md", text, known, {"lessons": "lessons/README.md"}) == wanted


def test_the_sources_of_an_earlier_run_go(tmp_path: Path) -> None:
    first = sources.Folder(tmp_path)
    first.put("a.md", "a")
    first.put("b/c.md", "c")
    first.end()
    at = (tmp_path / "a.md").stat().st_mtime_ns
    second = sources.Folder(tmp_path)
    second.put("a.md", "a")
    second.end()
    assert [path.name for path in tmp_path.rglob("*.md")] == ["a.md"]
    assert (tmp_path / "a.md").stat().st_mtime_ns == at, "Sphinx would read again what did not change"


def test_the_reference_has_every_module_but_those_that_tell(root: Path) -> None:
    for_all, with_answers = set(reference.modules()), set(reference.modules(answers=True))
    told = {"course_lib.exercises.adaptive_optimizers", "course_lib.exercises.variants"}
    assert {"course_lib.optimizers", "course_lib.exercises.comparison", "autograder.judge"} <= for_all
    assert not told & for_all
    assert told <= with_answers
    files = {
        ".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__init__")
        for package in reference.PACKAGES
        for path in (root / package).rglob("*.py")
        if (path.parent / "__init__.py").exists()
    }
    left = {name for name in files - with_answers if not any(part.startswith("_") for part in name.split("."))}
    assert left <= reference.RUN_AS_SCRIPTS


def test_docstrings_keep_their_examples_lists_and_bars() -> None:
    lines = ["All |x| of `a|b`:", "", "    x = 1", "", "Then", "- one", "- two", "", "Args:", "    low, high: ends."]
    assert extension.as_rst(lines) == [
        *("All \\|x\\| of `a|b`:", "", ".. code-block:: python", "", "   x = 1", "", "Then", "", "- one", "- two", ""),
        *("Args:", "    low: ends.", "    high: ends."),
    ]


@pytest.mark.parametrize(("made", "label"), [(BatchNoise, "batch size"), (Ravine, "momentum")])
def test_moments_are_what_jupyterlab_would_show(made: type[Any], label: str) -> None:
    found = moments.moments(made.__name__)
    ways = found["states"][0]["to"][label]
    assert len(ways) > 5
    exploration = made()
    for value, place in ways[:: len(ways) // 4]:
        moments._move(exploration, moments.MOVES[made.__name__].first if made is BatchNoise else ())
        moments._move(exploration, ((label, value),))
        told = [said for said in exploration.told if "not written yet" not in said]
        assert found["states"][place]["told"] == told
        assert found["states"][place]["picture"]["alt"] == exploration.picture["alt"]
    exploration.close()
    whole = json.dumps(found)
    assert "not written yet" not in whole  # nobody writes anything in a page
    assert {place for state in found["states"] for to in state["to"].values() for _, place in to} <= set(
        range(len(found["states"]))
    )


def test_moments_are_worked_out_again_when_what_they_follow_from_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    before = moments.fingerprint("Ravine")
    assert before == moments.fingerprint("Ravine") != moments.fingerprint("Tangent")
    monkeypatch.setattr(moments, "reached", lambda _names: {Path(__file__)})
    assert moments.fingerprint("Ravine") != before


def test_quizzes_carry_every_verdict_and_cards_both_sides() -> None:
    asked = content.load("04").quiz
    judged = [quizzes.judged(question) for question in asked]
    assert {each["kind"] for each in judged} >= {"single", "numeric"}
    assert all(each["html"] and each["solution"] and each["nothing"] for each in judged)
    assert sum(each["kind"] == "single" and each["right"].count(True) == 1 for each in judged) >= 1


def test_the_script_for_all_pages_has_no_import_and_the_style_both_themes() -> None:
    script, style = widgets.script(), widgets.style()
    assert not re.search(r"^\s*(import|export)\s", script, re.MULTILINE)
    assert all(f"courseBook.widgets.{kind.__name__} = " in script for kind in widgets.KINDS)
    assert 'body[data-theme="dark"]' in style
    assert "prefers-color-scheme: dark" in style
    assert "data-jp-theme-light" not in style
