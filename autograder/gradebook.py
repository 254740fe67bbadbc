"""Gradebook: the one writer to nbgrader's gradebook, in a file or on a PostgreSQL server."""

from __future__ import annotations

import json
import logging
import shutil
import tempfile
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from nbformat import NotebookNode
from nbgrader.api import (
    BaseCell,
    Comment,
    Grade,
    Gradebook,
    MissingEntry,
    Student,
    SubmittedNotebook,
    get_alembic_version,
)
from nbgrader.apps import NbGraderAPI
from nbgrader.coursedir import CourseDirectory
from nbgrader.preprocessors import AssignLatePenalties, SaveAutoGrades
from nbgrader.utils import parse_utc
from sqlalchemy import Column as SqlColumn
from sqlalchemy import Connection, Float, MetaData, String, Table, create_engine, delete, insert, inspect, select, text
from sqlalchemy.exc import SAWarning
from traitlets.config import Config
from traitlets.config.loader import PyFileConfigLoader

from autograder import locks, notebook_json
from autograder.assemble import KEY
from autograder.database import GradebookError as GradebookError
from autograder.database import explained, file_of
from autograder.files import read_plain, remove_parts, write_atomically
from autograder.lesson import LessonSource, grade_id, is_check
from autograder.settings.gradebook import settle

CONFIG_FILE = "nbgrader_config.py"
_BONUS = Table(
    "course_bonus",  # beside nbgrader's own tables: what record_bonus wrote for each grade the last time
    MetaData(),
    SqlColumn("grade_id", String(32), primary_key=True),
    SqlColumn("points", Float, nullable=False),
)


class Course:
    """A course directory as nbgrader knows it.

    Attributes:
        root: the folder.
        config: nbgrader's settings, from nbgrader_config.py where there is one.
        directory: nbgrader's own view of the folder.
    """

    def __init__(self, root: Path, config: Config | None = None, directory: CourseDirectory | None = None) -> None:
        self.root = root.resolve()
        self.config = config if config is not None else load_config(self.root)
        if directory is None:
            self.config.CourseDirectory.root = str(self.root)
            directory = CourseDirectory(config=self.config)
        self.directory = directory

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

    def everybody(self, step: str) -> list[str]:
        """Who has a folder in a step, whatever the lesson."""
        base = self.root / getattr(self.directory, f"{step}_directory")
        return sorted(path.name for path in base.glob("*") if path.is_dir() and not path.name.startswith("."))

    def api(self) -> NbGraderAPI:
        """nbgrader's commands for this course."""
        return NbGraderAPI(self.directory, config=self.config)


def load_config(root: Path) -> Config:
    """nbgrader's settings in `root`; none where there is no nbgrader_config.py."""
    config = Config()
    if (root / CONFIG_FILE).exists():
        config.merge(PyFileConfigLoader(CONFIG_FILE, path=str(root)).load_config())
    return config


@contextmanager
def only_grader(course: Course, lesson: str, students: Sequence[str] = ()) -> Iterator[None]:
    """Hold the lesson for this grader alone; the system gives it free again however this process ends.

    Args:
        course: where it is.
        lesson: its name.
        students: hold it for these alone. On a server others may then grade other students; a file is held as a whole.

    Raises:
        GradebookError: when another one is at work on it.
    """
    with locks.hold(course.db_url, course.root, lesson, patience=0, parts=students):
        yield


def open_gradebook(course: Course) -> Gradebook:
    """The course's gradebook, made where there is none yet. To be closed by the caller.

    Raises:
        GradebookError: when it cannot be opened, with what to do.
    """
    with _being_made(course):
        return _open(course)


@contextmanager
def _being_made(course: Course) -> Iterator[None]:
    """Alone with the gradebook's tables: two that make them at once would fail."""
    with locks.hold(course.db_url, course.root, locks.GRADEBOOK):
        yield


def _open(course: Course) -> Gradebook:
    with explained(course.db_url), quiet():
        _create_gradebook(course)
        gradebook = Gradebook(course.db_url, course.directory.course_id)
        _BONUS.create(gradebook.engine, checkfirst=True)
    return gradebook


def ensure_assignment(course: Course, lesson: LessonSource) -> None:
    """Create the lesson in the gradebook where it is missing or half there, by nbgrader's own `generate_assignment`.

    The release that comes of it goes to a temporary folder: what students have stays as it is.

    Raises:
        GradebookError: when nbgrader refuses.
    """
    with _being_made(course):
        with _open(course) as gradebook:
            try:
                notebook = gradebook.find_notebook(lesson.name, lesson.name)
            except MissingEntry:
                pass
            else:  # nbgrader saves the source cells last
                if {grade_id(cell) for cell in lesson.notebook.cells} - {""} <= {
                    cell.name for cell in notebook.source_cells
                }:
                    _renew_worth(gradebook, lesson)
                    return
        _generate_assignment(course, lesson.name)


def _renew_worth(gradebook: Gradebook, lesson: LessonSource) -> None:
    """What checks are worth may have changed since the lesson was entered."""
    worth = {grade_id(cell): float(cell.metadata.nbgrader.points) for cell in lesson.notebook.cells if is_check(cell)}
    for cell in gradebook.find_notebook(lesson.name, lesson.name).grade_cells:
        cell.max_score = worth.get(cell.name, cell.max_score)
    gradebook.db.commit()


def _create_gradebook(course: Course) -> None:
    """Make the gradebook at once or not at all: nbgrader would go on with half of the tables."""
    path = file_of(course.db_url, course.root)
    if path is None:
        _finish_gradebook(course)
        return
    if path.exists() and path.stat().st_size:
        return
    for left in path.parent.glob(".gradebook-*"):  # by a grader that was killed here
        shutil.rmtree(left, ignore_errors=True)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".gradebook-") as folder:
        part = Path(folder) / path.name
        with Gradebook(f"sqlite:///{part}", course.directory.course_id):
            pass
        part.replace(path)


def _finish_gradebook(course: Course) -> None:
    """On a server nbgrader makes its tables at once, and their version after them: whoever was killed between."""
    engine = create_engine(course.db_url)
    try:
        with engine.begin() as connection:
            tables = inspect(connection).get_table_names()
            if "student" in tables and "alembic_version" not in tables:
                connection.execute(text("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)"))
                version = {"version": get_alembic_version()}
                connection.execute(text("INSERT INTO alembic_version (version_num) VALUES (:version)"), version)
    finally:
        engine.dispose()


def _generate_assignment(course: Course, lesson: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        config = Config(course.config)
        config.CourseDirectory = Config(course.config.CourseDirectory)
        config.CourseDirectory.release_directory = str(Path(folder).resolve())
        with quiet():
            done = NbGraderAPI(CourseDirectory(config=config), config=config).generate_assignment(lesson)
    if not done["success"]:
        said = done.get("error") or done.get("log") or "no reason given"
        raise GradebookError(f"nbgrader cannot create the assignment {lesson}:\n{said}")


class Recorder:
    """A gradebook that stays open for many submissions: what was worked out for the first serves the others."""

    def __init__(self, course: Course) -> None:
        """Open the course's gradebook."""
        self._course = course
        self._gradebook = open_gradebook(course)

    def __enter__(self) -> Recorder:
        return self

    def __exit__(self, *_: object) -> None:
        self._gradebook.close()

    def record(self, student: str, lesson: str, notebook: NotebookNode, timestamp: str | None = None) -> list[str]:
        """Write the automatic grades of a graded notebook, all of them at once or none. Returns notes to the grader.

        Manual scores and comments stay.

        Args:
            student: created in the gradebook where unknown.
            lesson: its name.
            notebook: graded by the line.
            timestamp: when it was handed in, as nbgrader's timestamp.txt says it; for late penalties.
        """
        when, notes = _when(timestamp)
        with quiet(), self._at_once() as gradebook:
            _enter_student(gradebook, student)
            gradebook.update_or_create_submission(lesson, student, **when)
            notes += settle(gradebook, self._course.root, student, lesson, notebook)
            known = _ReadOnce(gradebook, student, lesson)
            _SaveGrades(config=self._course.config).save(known, student, lesson, notebook)
            notes += _record_bonus(gradebook.db.connection(), known, notebook)
            assign_late_penalty(gradebook, known.notebook, self._course, student)
        return notes

    def by_hand(self, student: str, lesson: str, exercises: Sequence[Mapping[str, Any]]) -> dict[str, float]:
        """What a grader wrote in the place of automatic marks; see :func:`by_hand`."""
        with quiet(), self._at_once() as gradebook:
            return by_hand(gradebook, student, lesson, exercises)

    @contextmanager
    def _at_once(self) -> Iterator[Gradebook]:
        """The gradebook; all that is done in it becomes one transaction, whatever nbgrader commits on the way."""
        gradebook = self._gradebook
        with gradebook.engine.connect() as connection, connection.begin():
            gradebook.db.remove()
            # Nobody else's writing is seen before the end, so that what was read stays what it is.
            gradebook.db.configure(bind=connection, join_transaction_mode="rollback_only", expire_on_commit=False)
            try:
                yield gradebook
                gradebook.db.commit()
            finally:
                gradebook.db.remove()


def record(
    course: Course, student: str, lesson: str, notebook: NotebookNode, timestamp: str | None = None
) -> list[str]:
    """Write the grades of one notebook; see :meth:`Recorder.record`."""
    with Recorder(course) as recorder:
        return recorder.record(student, lesson, notebook, timestamp)


def _enter_student(gradebook: Gradebook, student: str) -> None:
    """Create the student where unknown, also when another grader does so at this moment."""
    connection = gradebook.db.connection()
    if connection.dialect.name == "postgresql":
        from sqlalchemy.dialects import postgresql as dialect  # slow, and most gradebooks are files
    else:
        from sqlalchemy.dialects import sqlite as dialect  # type: ignore[no-redef]
    connection.execute(dialect.insert(Student).values(id=student).on_conflict_do_nothing())
    gradebook.update_or_create_student(student)


def _when(timestamp: str | None) -> tuple[dict[str, str], list[str]]:
    if not timestamp:
        return {}, []
    if parsed(timestamp) is None:
        return {}, [f"timestamp.txt says {timestamp[:40]!r}, which is no time: it was graded as handed in in time."]
    return {"timestamp": timestamp}, []


def parsed(timestamp: str) -> datetime | None:
    """The time that a timestamp.txt says, None where that is none."""
    try:
        when: datetime = parse_utc(timestamp)
    except (ValueError, OverflowError):
        return None
    return when


class _SaveGrades(SaveAutoGrades):  # type: ignore[misc]  # nbgrader has no types
    """nbgrader's own step, in a gradebook that is open already."""

    def save(self, gradebook: _ReadOnce, student: str, lesson: str, notebook: NotebookNode) -> None:
        """Save the scores and comments of every graded cell."""
        self.gradebook = gradebook
        self.student_id, self.assignment_id, self.notebook_id = student, lesson, lesson
        for index, cell in enumerate(notebook.cells):
            self.preprocess_cell(cell, {}, index)


class _ReadOnce:
    """What nbgrader's step asks a gradebook for, cell by cell, read at once; whoever opened the gradebook commits.

    Attributes:
        notebook: the student's, as the gradebook knows it.
    """

    def __init__(self, gradebook: Gradebook, student: str, lesson: str) -> None:
        self.notebook = notebook = gradebook.find_submission_notebook(lesson, lesson, student)
        of_lesson = gradebook.db.query(BaseCell.id, BaseCell.name).filter(BaseCell.notebook_id == notebook.notebook_id)
        names = dict(of_lesson.all())
        self._grades = {names[grade.cell_id]: grade for grade in notebook.grades}
        self._comments = {names[comment.cell_id]: comment for comment in notebook.comments}
        self.db = self

    def find_grade(self, name: str, *_: str) -> Grade:
        """The grade of a cell of this submission."""
        return self._found(self._grades, name)

    def find_comment(self, name: str, *_: str) -> Comment:
        """The comment on a cell of this submission."""
        return self._found(self._comments, name)

    def commit(self) -> None:
        """Nothing: all of a submission is one transaction."""

    def _found(self, known: Mapping[str, Any], name: str) -> Any:
        if name not in known:
            raise MissingEntry(f"The gradebook has no cell {name} of this lesson")
        return known[name]


def assign_late_penalty(gradebook: Gradebook, notebook: SubmittedNotebook, course: Course, student: str) -> None:
    """As nbgrader's AssignLatePenalties does, which opens a gradebook of its own."""
    notebook.late_submission_penalty = None
    late = notebook.assignment.total_seconds_late
    if late > 0:
        step = AssignLatePenalties(config=course.config)
        step.init_plugin()
        gradebook.db.flush()
        gradebook.db.refresh(notebook)  # its score is what the database adds up
        penalty = step.plugin_inst.late_submission_penalty(student, notebook.score, late)
        if penalty is not None:
            notebook.late_submission_penalty = step._check_late_penalty(notebook, penalty)


def _record_bonus(connection: Connection, known: _ReadOnce, notebook: NotebookNode) -> list[str]:
    """Write the points of the bonus exercises as nbgrader's extra credit; returns notes to the grader.

    What a grader has written there stays: it is what differs from the points that were written here the last time.
    An emptied field is the autograder's again.
    """
    notes = []
    for exercise in notebook.metadata[KEY]["exercises"]:
        if not exercise.get("bonus"):
            continue
        grade = known.find_grade(f"check_{exercise['id']}")
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
    return notes


def by_hand(
    gradebook: Gradebook, student: str, lesson: str, exercises: Sequence[Mapping[str, Any]]
) -> dict[str, float]:
    """What a grader wrote in the place of automatic marks, by exercise: a score, or the extra credit of a bonus."""
    connection = gradebook.db.connection()
    has_bonus = inspect(connection).has_table(_BONUS.name)
    found = {}
    for exercise in exercises:
        try:
            grade = gradebook.find_grade(f"check_{exercise['id']}", lesson, lesson, student)
        except MissingEntry:
            continue
        written = grade.manual_score
        if exercise.get("bonus"):
            ours = (
                connection.scalar(select(_BONUS.c.points).where(_BONUS.c.grade_id == grade.id)) if has_bonus else None
            )
            written = None if grade.extra_credit == ours else grade.extra_credit
        if written is not None:
            found[str(exercise["id"])] = float(written)
    return found


def read_timestamp(folder: Path) -> str | None:
    """What timestamp.txt in a submission's folder says, as nbgrader writes it; None where there is none."""
    try:
        return read_plain(folder / "timestamp.txt", 200).decode("utf-8", "replace").strip() or None
    except OSError:
        return None


def write_timestamp(course: Course, student: str, lesson: str, handed_in: str | None) -> None:
    """Write beside the graded notebook when it was handed in: nbgrader tells by it whether there is a newer one."""
    path = course.folder("autograded", student, lesson) / "timestamp.txt"
    remove_parts(path)
    if handed_in is None:
        path.unlink(missing_ok=True)
    else:
        write_atomically(path, f"{handed_in}\n")


def write_graded(course: Course, student: str, lesson: str, notebook: NotebookNode) -> Path:
    """Write the graded notebook to autograded/, where nbgrader and formgrader look for it, at once or not at all.

    The notebook is the last that is written of a submission: where it stands, all else is recorded.
    """
    write_timestamp(course, student, lesson, read_timestamp(course.folder("submitted", student, lesson)))
    path = course.folder("autograded", student, lesson) / f"{lesson}.ipynb"
    remove_parts(path)
    write_atomically(path, notebook_json.as_file(notebook))
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
