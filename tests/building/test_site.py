"""What the site is made of: wheels, the lock, formulas drawn beforehand, and what it says when something is missing."""

from __future__ import annotations

import hashlib
import json
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from autograder.cli import app
from autograder.site import SiteError, drawn_formulas, extensions, formulas, python, wheels
from autograder.site.build import build
from course_lib import maths
from course_lib.study import content
from course_lib.study.cards import Cards
from course_lib.study.dialogue import Dialogue, Explanations
from course_lib.study.glossary import Glossary
from course_lib.study.overview import Overview
from course_lib.study.quiz import Quiz

USUAL = "https://usual.example/v1"


def lock(*packages: dict[str, Any]) -> dict[str, Any]:
    return {"info": {"python": "3.14.2"}, "packages": {one["name"]: one for one in packages}}


def package(name: str, *depends: str, file_name: str = "", sha256: str = "") -> dict[str, Any]:
    return {"name": name, "file_name": file_name or f"{name}-1-wasm.whl", "depends": list(depends), "sha256": sha256}


def put(folder: Path, name: str, *needed: str) -> Path:
    made, data = wheels.wheel(name, "1", {f"{name}.py": b""}, needed)
    (folder / made).write_bytes(data)
    return folder / made


@pytest.fixture
def kernel(tmp_path: Path) -> Path:
    """A folder with a wheel of each package that must come from the site."""
    for name in (*python.KERNEL, "ipywidgets", "anywidget", "msgspec", "mistune", "math-core"):
        put(tmp_path, name)
    return tmp_path


def test_what_the_site_has_comes_from_there_and_all_else_from_the_usual_address(kernel: Path) -> None:
    put(kernel, "course-lib", "numpy")
    found = python.merged(lock(package("numpy"), package("scipy", "numpy")), kernel, USUAL)
    assert found["course-lib"]["file_name"] == "course_lib-1-py3-none-any.whl"
    assert found["course-lib"]["depends"] == ["numpy"]
    assert found["numpy"]["file_name"] == f"{USUAL}/numpy-1-wasm.whl"
    wheel = kernel / "course_lib-1-py3-none-any.whl"
    assert found["course-lib"]["sha256"] == hashlib.sha256(wheel.read_bytes()).hexdigest()
    assert python.closure(found, ["scipy"]) == {"scipy", "numpy"}


def test_a_wheel_that_needs_what_nobody_has_is_named(kernel: Path) -> None:
    put(kernel, "course-lib", "nowhere")
    with pytest.raises(SiteError, match="course-lib needs nowhere: add it to FROM_PYPI"):
        python.merged(lock(), kernel, USUAL)


def test_a_kernel_that_would_start_with_something_from_elsewhere_is_refused(kernel: Path) -> None:
    put(kernel, "jedi", "parso")
    with pytest.raises(SiteError, match="parso is not in the site"):
        python.merged(lock(package("parso")), kernel, USUAL)


def test_markers_are_those_of_a_browser(kernel: Path) -> None:
    put(kernel, "course-lib", 'pexpect; sys_platform != "emscripten"', "numpy", 'six; extra == "more"')
    found = python.merged(lock(package("numpy")), kernel, USUAL)
    assert found["course-lib"]["depends"] == ["numpy"]


def test_a_whole_distribution_is_served_from_the_site(kernel: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    put(kernel, "course-lib", "numpy")
    distribution = tmp_path_factory.mktemp("distribution")
    (distribution / "numpy-1-wasm.whl").write_bytes(b"compiled")
    right = hashlib.sha256(b"compiled").hexdigest()
    listed = lock(package("numpy", sha256=right), package("scipy"))
    found = python.merged(listed, kernel, USUAL)
    python._host(found, distribution, kernel, "1")
    assert found["numpy"]["file_name"] == "numpy-1-wasm.whl"
    assert (kernel / "numpy-1-wasm.whl").read_bytes() == b"compiled"
    assert found["scipy"]["file_name"].startswith(USUAL)

    (distribution / "numpy-1-wasm.whl").write_bytes(b"another")
    (kernel / "numpy-1-wasm.whl").unlink()
    with pytest.raises(SiteError, match="is not of Pyodide 1"):
        python._host(python.merged(listed, kernel, USUAL), distribution, kernel, "1")
    (distribution / "numpy-1-wasm.whl").unlink()
    with pytest.raises(
        SiteError, match=r"numpy-1-wasm\.whl is missing: --pyodide wants the unpacked full distribution of Pyodide 1"
    ):
        python._host(python.merged(listed, kernel, USUAL), distribution, kernel, "1")


def test_the_courses_wheel_is_the_same_each_time_and_has_no_recordings(root: Path, tmp_path: Path) -> None:
    name, data = wheels.course(root)
    assert (name, data) == wheels.course(root)
    (tmp_path / name).write_bytes(data)
    with zipfile.ZipFile(tmp_path / name) as archive:
        names = archive.namelist()
        assert archive.testzip() is None
    assert {"course_lib/check.py", "course_lib/live.js", "course_lib/_arrays/digits.npz"} <= {*names}
    assert not [inside for inside in names if inside.endswith((".mp3", ".pyc")) or inside.startswith("autograder")]
    assert len(data) < 3_000_000


def test_formulas_drawn_beforehand_are_those_that_math_core_draws(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever a widget says at rest or may say: the same page, letter by letter."""
    at_home = said()
    (tmp_path / "formulas.json").write_text(json.dumps(formulas.drawn()), encoding="utf-8")
    monkeypatch.setattr(drawn_formulas, "TABLE", tmp_path / "formulas.json")
    drawn_formulas._table.cache_clear()
    monkeypatch.setattr(maths, "_converter", drawn_formulas.LatexToMathML)
    assert at_home.count("<math") > 500
    assert said() == at_home
    assert maths.to_html("An $a<b$ of nobody.") == "<p>An <math><mtext>a&lt;b</mtext></math> of nobody.</p>"
    drawn_formulas._table.cache_clear()


def said() -> str:
    """What the widgets of all lessons say, and every text of their content."""
    shown = []
    for name in content.names():
        kinds = (Overview, Cards, Quiz, Glossary, Dialogue, Explanations)
        shown += [kind(name).resting().html for kind in kinds]
        shown += [maths.to_html(text) for _, text in content.texts(content.load(name)) if "$" in text]
    return "\n".join(shown)


def test_a_folder_that_is_something_else_is_not_touched(root: Path, tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine", encoding="utf-8")
    done = CliRunner().invoke(app, ["site", "--output", str(tmp_path), "--root", str(root)])
    assert done.exit_code == 1
    assert "is no site of this course" in done.stderr.replace("\n", " ")
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_lessons_that_are_not_what_their_sources_give_are_not_published(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from autograder.building import BuildError, Problem

    monkeypatch.setattr("autograder.site.build.check", lambda _root: [Problem("lessons/x", "differs")])
    with pytest.raises(BuildError, match="differs"):
        build(root, tmp_path / "site")
    assert not (tmp_path / "site").exists()


def test_without_npm_or_the_extensions_it_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(python, "_cache", lambda: tmp_path)
    monkeypatch.setattr("shutil.which", lambda _name: None)
    with pytest.raises(SiteError, match=r"npm is not installed.*apt-get install npm"):
        python._pyodide(next(iter(python.PYODIDE_SHA256)))
    with pytest.raises(SiteError, match=r"Add the SHA-256 of `npm pack pyodide@0\.0\.1`"):
        python._pyodide("0.0.1")
    (tmp_path / f"pyodide-{next(iter(python.PYODIDE_SHA256))}.tgz").write_bytes(b"half")
    with pytest.raises(SiteError, match="is not what it was"):
        python._pyodide(next(iter(python.PYODIDE_SHA256)))
    with pytest.raises(SiteError, match="could not fetch what the site needs; is there a network"):
        python._run([sys.executable, "-c", "raise SystemExit('no route')"], "pip")
    monkeypatch.setattr(extensions, "EXTENSIONS", ("not-there",))
    with pytest.raises(SiteError, match=r"not-there is not installed: pip install -r requirements-site\.txt"):
        extensions.folders()
