"""Put the site together: JupyterLite, the lessons, their recordings, Python, and the page that learners see first."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from autograder.building import BuildError, Problem, check, lesson_path
from autograder.building.course import source_paths
from autograder.building.course_map import entry
from autograder.building.source import read
from autograder.files import is_foreign, put_folder
from autograder.pages import environment
from autograder.settings.file import used_lessons
from autograder.site import SiteError, python, wheels
from autograder.site.extensions import KERNEL, folders

RECORDINGS = "recordings"
NAME = "How networks are trained"
_MARK = "course-site.json"
"""Stands in a site that was built here; a folder without it is not ours to replace."""
_SETTINGS = {
    "@jupyterlab/apputils-extension:notification": {"fetchNews": "false", "checkForUpdates": False},
    "@jupyterlab/apputils-extension:themes": {"adaptive-theme": True},
}


def build(
    root: Path, output: Path, distribution: Path | None = None, say: Callable[[str], None] = lambda _: None
) -> str:
    """Build the site of the course in `root`; the old one in `output` stays until the new one is whole.

    Args:
        root: the course's folder.
        output: where the site goes; a folder that is something else is not touched.
        distribution: an unpacked full Pyodide distribution, to serve NumPy and Matplotlib from the site as well.
        say: is told what is done next.

    Returns:
        The version of Pyodide in it.

    Raises:
        BuildError: a student notebook is not what its source gives.
        SiteError: something is missing or cannot be fetched.
    """
    output = output.resolve()  # JupyterLite runs in a folder of its own
    if is_foreign(output, _MARK):
        raise SiteError(f"{output} is there and is no site of this course; move it away or name another folder.")
    folders()  # says what to install before anything takes long
    say("looking the lessons over")
    if problems := check(root):
        raise BuildError(problems)
    lessons = used_lessons(root)
    if not lessons:
        raise BuildError([Problem("course.toml", "no lesson is in use, so there is nothing to show")])
    output.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=output.parent, prefix=f".{output.name}-") as made:
        lite, whole = Path(made) / "lite", Path(made) / "site"
        (lite / "files").mkdir(parents=True)
        for name in lessons:  # not in folders: JupyterLite would put theirs into the name of a download
            shutil.copyfile(lesson_path(root, name), lite / "files" / f"{name}.ipynb")
        say("gathering Python and the packages")
        own = (wheels.course(root), wheels.drawn_formulas())
        version = python.put(lite / "static" / "pyodide", root, own, distribution)
        say("putting JupyterLite together")
        _lite(lite, whole)
        _recordings(root, lessons, whole / RECORDINGS)
        _front(whole, _titles(root, lessons), self_hosted=distribution is not None)
        (whole / ".nojekyll").touch()  # GitHub Pages would leave out what begins with an underscore
        (whole / _MARK).write_text(json.dumps({"lessons": lessons}) + "\n", encoding="utf-8")
        put_folder(whole, output, aside=Path(made) / "old")
    return version


def _lite(lite: Path, output: Path) -> None:
    """Run JupyterLite on a folder that holds files/ and static/pyodide/."""
    started: dict[str, Any] = {
        "packages": [*python.KERNEL, "course-lib"],
        "env": {"HOME": "/home/pyodide", "COURSE_RECORDINGS": f"../{RECORDINGS}"},
    }
    (lite / "jupyter-lite.json").write_text(
        json.dumps(
            {
                "jupyter-lite-schema-version": 0,
                "jupyter-config-data": {
                    "appName": NAME,
                    "faviconUrl": "./icon.svg",
                    "litePluginSettings": {f"{KERNEL}:kernel": {"loadPyodideOptions": started}},
                },
            }
        ),
        encoding="utf-8",
    )
    (lite / "overrides.json").write_text(json.dumps(_SETTINGS), encoding="utf-8")
    settings = {
        "apps": ["lab"],
        "contents": ["files"],
        "federated_extensions": [str(path) for path in folders().values()],
        "ignore_sys_prefix": True,
        "no_sourcemaps": True,
        "no_unused_shared_packages": True,
    }
    (lite / "jupyter_lite_config.json").write_text(json.dumps({"LiteBuildConfig": settings}), encoding="utf-8")
    command = [
        *(sys.executable, "-m", "jupyterlite_core", "build", "--lite-dir", str(lite), "--output-dir", str(output))
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=lite)  # noqa: S603, a fixed command
    if done.returncode:
        raise SiteError(f"JupyterLite could not build the site:\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}")


def _front(site: Path, lessons: list[dict[str, str]], *, self_hosted: bool) -> None:
    """The page that learners see first, its icon, and what a telephone calls the site on its home screen."""
    templates = environment()
    page = templates.get_template("site.html.j2").render(name=NAME, lessons=lessons, self_hosted=self_hosted)
    (site / "index.html").write_text(page, encoding="utf-8")
    (site / "icon.svg").write_text(templates.get_template("site_icon.svg.j2").render(), encoding="utf-8")
    told = {
        "name": NAME,
        "short_name": NAME,
        "start_url": "./",
        "scope": "./",
        "display": "standalone",
        "icons": [{"src": "./icon.svg", "type": "image/svg+xml", "sizes": "any"}],
    }
    (site / "manifest.webmanifest").write_text(json.dumps(told), encoding="utf-8")


def _recordings(root: Path, lessons: list[str], output: Path) -> None:
    for name in lessons:
        for path in sorted((root / "course_lib" / "study" / "audio" / name).glob(f"*{wheels.RECORDINGS}")):
            (output / name).mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, output / name / path.name)


def _titles(root: Path, lessons: list[str]) -> list[dict[str, str]]:
    """Each lesson's path in the site, its title and its minutes."""
    entries = {path.stem: entry(read(path)) for path in source_paths(root)}
    return [
        {
            "path": f"{name}.ipynb",
            "title": f"{entries[name].number} · {entries[name].title}",
            "minutes": {None: "", 60: "an hour"}.get(minutes := entries[name].minutes, f"{minutes} minutes"),
        }
        for name in lessons
    ]
