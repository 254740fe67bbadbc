"""Gradebook: the one writer to nbgrader's gradebook, and the secret seeds beside it."""

from __future__ import annotations

import json
import logging
import os
import secrets
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode
from nbgrader.api import Gradebook, MissingEntry
from nbgrader.apps import NbGraderAPI
from nbgrader.coursedir import CourseDirectory
from nbgrader.preprocessors import AssignLatePenalties, SaveAutoGrades
from sqlalchemy import Column as SqlColumn
from sqlalchemy import Float, MetaData, String, Table, delete, insert, select
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SAWarning
from traitlets.config import Config
from traitlets.config.loader import PyFileConfigLoader

from autograder.assemble import KEY
from autograder.files import write_atomically

CONFIG_FILE = "nbgrader_config.py"
_BONUS = Table(
    "course_bonus",  # beside nbgrader's own tables: what record_bonus wrote for each grade the last time
    MetaData(),
    SqlColumn("grade_id", String(32), primary_key=True),
    SqlColumn("points", Float, nullable=False),
)


class GradebookError(RuntimeError):
    """Something between us and the gradebook that the instructor can mend; the message says how."""


class Course:
    """A course directory as nbgrader knows it.

    Attributes:
        root: the folder.
        config: nbgrader's settings, from nbgrader_config.py where there is one.
        directory: nbgrader's own view of the folder.
    """

    def __init__(self, root: Path, config: Config | None = None) -> None:
        self.root = root.resolve()
        self.config = config if config is not None else load_config(self.root)
        self.config.CourseDirectory.root = str(self.root)
        self.directory = CourseDirectory(config=self.config)

    @property
    def db_url(self) -> str:
        """Where the gradebook is."""
        return str(self.directory.db_url)

    def folder(self, step: str, student: str, lesson: str) -> Path:
        """The folder of a step ("submitted", "autograded", "feedback") for a student's lesson."""
        directory = getattr(self.directory, f"{step}_directory")
        return Path(self.directory.format_path(directory, student, lesson))

    def students(self, step: str, lesson: str) -> list[str]:
        """Who has a folder for the lesson in a step, in alphabetical order."""
        base = self.root / getattr(self.directory, f"{step}_directory")
        return sorted(
            path.name for path in base.glob("*") if (path / lesson).is_dir() and not path.name.startswith(".")
        )

    def api(self) -> NbGraderAPI:
        """nbgrader's commands for this course."""
        return NbGraderAPI(self.directory, config=self.config)


def load_config(root: Path) -> Config:
    """nbgrader's settings in `root`; none where there is no nbgrader_config.py."""
    config = Config()
    if (root / CONFIG_FILE).exists():
        config.merge(PyFileConfigLoader(CONFIG_FILE, path=str(root)).load_config())
    return config


def seed_path(db_url: str, root: Path, lesson: str) -> Path:
    """Where the lesson's secret seed is kept: beside the gradebook, or in the course where that is on a server."""
    url = make_url(db_url)
    folder = root
    if url.get_backend_name() == "sqlite" and url.database not in (None, "", ":memory:"):
        folder = (root / str(url.database)).parent
    return folder / f"{lesson}.secret"


def secret_seed(path: Path) -> int:
    """The seed kept at `path`, drawn at the first call; only its owner can read the file.

    Raises:
        GradebookError: when the file holds anything but a seed.
    """
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        pass
    else:
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(f"{secrets.randbits(128)}\n")
    text = path.read_text(encoding="utf-8", errors="replace").strip()
    if not (text.isascii() and text.isdigit() and len(text) <= 50):
        raise GradebookError(f"{path} holds no seed; delete it and grade the whole lesson again, with a new one.")
    return int(text)


def ensure_assignment(course: Course, lesson: str) -> None:
    """Create the lesson in the gradebook where it is missing, through nbgrader's own `generate_assignment`.

    The release that comes of it goes to a temporary folder: what students have stays as it is.

    Raises:
        GradebookError: when nbgrader refuses.
    """
    with Gradebook(course.db_url, course.directory.course_id) as gradebook:
        try:
            if gradebook.find_assignment(lesson).notebooks:
                return
        except MissingEntry:
            pass
    with tempfile.TemporaryDirectory() as folder:
        config = Config(course.config)
        config.CourseDirectory = Config(course.config.CourseDirectory)
        config.CourseDirectory.release_directory = str(Path(folder).resolve())
        with quiet():
            done = NbGraderAPI(CourseDirectory(config=config), config=config).generate_assignment(lesson)
    if not done["success"]:
        said = done.get("error") or done.get("log") or "no reason given"
        raise GradebookError(f"nbgrader cannot create the assignment {lesson}:\n{said}")


def record(
    course: Course, student: str, lesson: str, notebook: NotebookNode, timestamp: str | None = None
) -> list[str]:
    """Write the automatic grades of a graded notebook; manual scores and comments stay. Returns notes to the grader.

    Args:
        student: created in the gradebook where unknown.
        timestamp: when it was handed in, as nbgrader's timestamp.txt says it; for late penalties.
    """
    with quiet(), Gradebook(course.db_url, course.directory.course_id) as gradebook:
        gradebook.update_or_create_student(student)
        when: dict[str, Any] = {"timestamp": timestamp} if timestamp else {}
        gradebook.update_or_create_submission(lesson, student, **when)
    resources = {
        "nbgrader": {"student": student, "assignment": lesson, "notebook": lesson, "db_url": course.db_url},
    }
    with quiet():
        SaveAutoGrades(config=course.config).preprocess(notebook, resources)
        notes = record_bonus(course.db_url, student, lesson, lesson, notebook)
        AssignLatePenalties(config=course.config).preprocess(notebook, resources)
    return notes


def record_bonus(db_url: str, student: str, lesson: str, notebook_id: str, notebook: NotebookNode) -> list[str]:
    """Write the points of the bonus exercises as nbgrader's extra credit; returns notes to the grader.

    What a grader has written there stays: it is what differs from the points that were written here the last time.
    An emptied field is the autograder's again.
    """
    known = notebook.metadata.get(KEY, {})
    notes = []
    with Gradebook(db_url) as gradebook:
        connection = gradebook.db.connection()
        _BONUS.create(connection, checkfirst=True)
        for exercise in known.get("exercises", []):
            if not exercise.get("bonus"):
                continue
            grade = gradebook.find_grade(f"check_{exercise['id']}", notebook_id, lesson, student)
            points = float(exercise["points"])
            this = _BONUS.c.grade_id == grade.id
            if grade.extra_credit in (None, connection.scalar(select(_BONUS.c.points).where(this))):
                grade.extra_credit = points
                connection.execute(delete(_BONUS).where(this))
                connection.execute(insert(_BONUS).values(grade_id=grade.id, points=points))
            elif grade.extra_credit != points:
                notes.append(
                    f"The extra credit of {exercise['id']} stays {grade.extra_credit:g}, as a grader wrote it; "
                    f"the autograder finds {points:g}."
                )
        gradebook.db.commit()
    return notes


def write_graded(course: Course, student: str, lesson: str, notebook: NotebookNode) -> Path:
    """Write the graded notebook to autograded/, where nbgrader and formgrader look for it, at once or not at all."""
    folder = course.folder("autograded", student, lesson)
    path = folder / f"{lesson}.ipynb"
    write_atomically(path, nbformat.writes(notebook, version=nbformat.NO_CONVERT) + "\n")
    submitted = course.folder("submitted", student, lesson) / "timestamp.txt"
    if submitted.is_file() and not submitted.is_symlink():
        write_atomically(folder / "timestamp.txt", submitted.read_text(encoding="utf-8", errors="replace")[:200])
    return path


def graded_entry(path: Path) -> Mapping[str, Any] | None:
    """What the grading line wrote into an autograded notebook; None for a notebook that it did not grade."""
    try:
        known = json.loads(path.read_text(encoding="utf-8"))["metadata"][KEY]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return known if isinstance(known, dict) and "exercises" in known else None


@contextmanager
def quiet() -> Iterator[None]:
    """Without nbgrader's log and warnings on the terminal; what goes wrong still comes as an exception."""
    log = logging.getLogger("traitlets")
    before = log.level
    log.setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SAWarning)  # nbgrader's own queries
            yield
    finally:
        log.setLevel(before)
