"""From a source to what a student opens, through nbgrader's own `generate_assignment`."""

from __future__ import annotations

import functools
import tempfile
from pathlib import Path

import nbformat
from nbformat import NotebookNode
from nbgrader.api import Gradebook
from nbgrader.apps import NbGraderAPI
from nbgrader.coursedir import CourseDirectory
from traitlets.config import Config
from traitlets.config.loader import PyFileConfigLoader

from autograder.building.problems import BuildError, Problem
from autograder.building.source import Source
from autograder.tools import put_scripts_on_path

CONFIG_FILE = "nbgrader_config.py"


def released(source: Source, root: Path) -> bytes:
    """The student notebook as bytes, the same at every build.

    It comes from an unexecuted copy, alone in a temporary course: nbgrader would copy every other file of the
    assignment's folder, and widget state, into the release.

    Args:
        source: the lesson.
        root: the folder with nbgrader_config.py, whose settings apply.

    Raises:
        BuildError: when nbgrader refuses, or releases anything beside the one notebook.
    """
    put_scripts_on_path()
    with tempfile.TemporaryDirectory() as folder:
        course = Path(folder).resolve()
        write_notebook(source.notebook, course / "solutions" / source.name / f"{source.name}.ipynb")
        (course / "gradebook.db").write_bytes(_empty_gradebook())
        config = Config()
        if (root / CONFIG_FILE).exists():
            config.merge(PyFileConfigLoader(CONFIG_FILE, path=str(root)).load_config())
        config.CourseDirectory.root = str(course)
        config.CourseDirectory.db_url = f"sqlite:///{course / 'gradebook.db'}"
        config.CourseDirectory.source_directory = "solutions"
        config.CourseDirectory.release_directory = "lessons"
        api = NbGraderAPI(CourseDirectory(config=config), config=config)
        result = api.generate_assignment(source.name)
        if not result["success"]:
            said = "\n".join(filter(None, (result.get("log"), result.get("error"))))
            raise BuildError([Problem(f"solutions/{source.path.name}", f"nbgrader cannot release it:\n{said}")])
        expected = course / "lessons" / source.name / f"{source.name}.ipynb"
        files = [path for path in (course / "lessons").rglob("*") if path.is_file()]
        if files != [expected]:
            raise BuildError([Problem(f"solutions/{source.path.name}", f"nbgrader released {files}, not one notebook")])
        return expected.read_bytes().replace(b"\r\n", b"\n")


@functools.cache
def _empty_gradebook() -> bytes:
    """nbgrader takes seconds to make one, so each process makes it once."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder).resolve() / "gradebook.db"
        with Gradebook(f"sqlite:///{path}"):
            pass
        return path.read_bytes()


def read_notebook(content: bytes) -> NotebookNode:
    """A notebook from the bytes of its file, in the version they are in."""
    notebook: NotebookNode = nbformat.reads(content.decode("utf-8"), as_version=nbformat.NO_CONVERT)
    return notebook


def write_notebook(notebook: NotebookNode, path: Path) -> None:
    """Write a notebook with the same bytes on every system, replacing the old one at once."""
    text = nbformat.writes(notebook, version=nbformat.NO_CONVERT)
    write_bytes(text.encode("utf-8") + b"\n", path)


def write_bytes(content: bytes, path: Path) -> None:
    """Write a file so that a reader sees the old one or the new one, never a half."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    part.write_bytes(content)
    part.replace(path)
