"""The grading line as nbgrader preprocessors, so that `nbgrader autograde` and formgrader's button run it too.

nbgrader_config.py names them:

- `LineExporter` reads a submission through intake, so that a broken file gets grades (none) and a reason.
- `Assemble` takes the place of nbgrader's sanitising steps.
- `RunAndJudge` takes the place of executing.
- `Record` takes the place of SaveAutoGrades and AssignLatePenalties: the same, and the bonus, in one transaction.
- `StudentView` stands in `GenerateFeedback`: what the page of a student must not show goes.
- `StudentPage` takes the place of nbgrader's feedback page: it gives that of `python -m autograder feedback`.
"""

from __future__ import annotations

import logging
from datetime import datetime
from pathlib import Path
from typing import Any

import nbformat
from nbconvert.exporters import Exporter, NotebookExporter
from nbformat import NotebookNode
from nbgrader.api import Gradebook
from nbgrader.converters import Autograde
from nbgrader.converters.base import NbGraderException
from nbgrader.preprocessors import NbGraderPreprocessor
from traitlets import Bool, Enum, Float, Unicode

from autograder import gradebook
from autograder.assemble import KEY, assemble
from autograder.feedback.files import for_release
from autograder.feedback.marks import marks_of
from autograder.feedback.page import page
from autograder.feedback.verdicts import for_student
from autograder.gradebook import Course, GradebookError
from autograder.intake import from_bytes, from_path, shown_name, unfit
from autograder.lesson import LessonSource
from autograder.pipeline import UNSAFE, grade_assembled
from autograder.sandbox import Limits, Sandbox, SandboxError
from autograder.sandbox.choice import NAMES, choose
from autograder.seeds import secret_seed
from autograder.settings.file import read as read_settings
from autograder.settings.model import SettingsError
from course_lib import exercises

Resources = dict[str, Any]


class LineExporter(NotebookExporter):
    """Reads a submission through intake, where nbgrader's own exporter would raise for a file that is no notebook."""

    def __init__(self, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)  # type: ignore[no-untyped-call]
        if isinstance(self.parent, Autograde):
            _guard(self.parent)

    def from_filename(
        self, filename: str, resources: Resources | None = None, **kwargs: Any
    ) -> tuple[NotebookNode, Resources]:
        """Convert the notebook in the file `filename`."""
        if not getattr(self.parent, "_sanitizing", False):  # the second pass reads what the first one wrote
            result: tuple[NotebookNode, Resources] = super().from_filename(filename, resources, **kwargs)
            return result
        known = {**(resources or {}), "submission": from_path(Path(filename))}
        return self._assembled_later(known, **kwargs)

    def _assembled_later(self, resources: Resources, **kwargs: Any) -> tuple[NotebookNode, Resources]:
        """An empty notebook, which the preprocessor Assemble replaces."""
        empty = nbformat.v4.new_notebook()
        result: tuple[NotebookNode, Resources] = self.from_notebook_node(empty, resources, **kwargs)  # type: ignore[no-untyped-call]
        return result


def _guard(converter: Autograde) -> None:
    """Make a run of `nbgrader autograde` as careful as ours; nbgrader has no hook around a whole run.

    One grader at a time; no run at all where no sandbox works; and of a submission only the notebook and its time:
    nbgrader would copy whatever else was handed in to autograded/, where formgrader serves it from the teacher's own
    origin, and would wait for a timestamp.txt that is a pipe.
    """
    convert = converter.convert_notebooks

    def guarded() -> None:
        directory = converter.coursedir
        ignored = directory.ignore
        try:
            settings = RunAndJudge(config=converter.config)
            settings.chosen_sandbox(directory.assignment_id)
            read_settings(Path(directory.root))
            if settings.unsafe:
                converter.log.warning(UNSAFE)
            with gradebook.only_grader(_course(converter), directory.assignment_id):
                directory.ignore = ["*"]
                directory.get_existing_timestamp = _timestamp
                refused = _without_odd_names(converter)
                convert()
                if refused:
                    raise NbGraderException(refused)
        except (GradebookError, SandboxError, SettingsError) as error:
            converter.log.error("%s", error)
            raise NbGraderException(str(error)) from error
        finally:
            directory.ignore = ignored
            vars(directory).pop("get_existing_timestamp", None)

    converter.convert_notebooks = guarded


def _timestamp(folder: str) -> datetime | None:
    """nbgrader's own method fails for a text that is no time."""
    return gradebook.parsed(gradebook.read_timestamp(Path(folder)) or "")


def _without_odd_names(converter: Autograde) -> str:
    """Leave out the folders whose name no student can have; returns what to say of them."""
    odd = {folder: why for folder in converter.assignments if (why := unfit(Path(folder).parent.name))}
    converter.assignments = {folder: found for folder, found in converter.assignments.items() if folder not in odd}
    said = [
        f"{shown_name(folder)} is not graded: its student's name is one {why}. Rename the folder."
        for folder, why in odd.items()
    ]
    for line in said:
        converter.log.error("%s", line)
    return " ".join(said)


class Assemble(NbGraderPreprocessor):  # type: ignore[misc]  # nbgrader has no types
    """Takes the instructor's notebook and puts the submission's answers in."""

    def preprocess(self, nb: NotebookNode, resources: Resources) -> tuple[NotebookNode, Resources]:
        """Return the assembled notebook."""
        submission = resources.pop("submission", None)
        if submission is None:  # nbgrader's own exporter has read the file
            submission = from_bytes(nbformat.writes(nb).encode("utf-8", "replace"))
        return assemble(_lesson(self.parent.parent, resources), submission), resources


class RunAndJudge(NbGraderPreprocessor):  # type: ignore[misc]
    """Runs an assembled notebook in the sandbox, judges its answers, and writes the verdicts into it."""

    cell_timeout = Float(Limits.cell, help="Seconds for one cell.").tag(config=True)
    total_timeout = Float(Limits.total, help="Seconds for a whole notebook.").tag(config=True)
    sandbox = Enum(NAMES, "auto", help="The walls around submitted code.").tag(config=True)
    unsafe = Bool(False, help="Run without walls: for code of your own, and only for that.").tag(config=True)

    def chosen_sandbox(self, lesson: str) -> Sandbox:
        """The sandbox that the settings ask for, to grade `lesson` in.

        Raises:
            SandboxError: where it does not work here, with what to do.
        """
        withheld = exercises.withheld(lesson) if lesson in exercises.LESSONS else ()
        return choose(self.sandbox, unsafe=self.unsafe, withheld=withheld)

    def preprocess(self, nb: NotebookNode, resources: Resources) -> tuple[NotebookNode, Resources]:
        """Grade the notebook."""
        converter = self.parent.parent
        lesson = _lesson(converter, resources)
        seed = secret_seed(resources["nbgrader"]["db_url"], Path(converter.coursedir.root), lesson.name)
        limits = Limits(cell=self.cell_timeout, total=self.total_timeout)
        graded = grade_assembled(nb, lesson, seed, self.chosen_sandbox(lesson.name), limits)
        nb.metadata[KEY]["student"] = resources["nbgrader"]["student"]
        _tell(self.log, resources, graded.notes)
        return graded.notebook, resources


class Record(NbGraderPreprocessor):  # type: ignore[misc]
    """Writes grades, bonus and late penalty into the gradebook, and when it was handed in beside the notebook."""

    def preprocess(self, nb: NotebookNode, resources: Resources) -> tuple[NotebookNode, Resources]:
        """Record the notebook."""
        course = _course(self.parent.parent)
        known = resources["nbgrader"]
        student, lesson = known["student"], known["assignment"]
        handed_in = gradebook.read_timestamp(course.folder("submitted", student, lesson))
        _tell(self.log, resources, gradebook.record(course, student, lesson, nb, handed_in))
        gradebook.write_timestamp(course, student, lesson, handed_in)
        return nb, resources


class StudentView(NbGraderPreprocessor):  # type: ignore[misc]
    """Takes from a graded notebook what the page of a student must not show."""

    show_outputs = Bool(
        False,
        help="Show what submitted code displayed in grading. It may be the hidden inputs: leave it off as long as "
        "anybody may hand in again.",
    ).tag(config=True)

    def preprocess(self, nb: NotebookNode, resources: Resources) -> tuple[NotebookNode, Resources]:
        """Leave out the outputs of submitted code."""
        return (nb if self.show_outputs else for_student(nb)), resources


class StudentPage(Exporter):
    """The feedback page, in the place of nbgrader's; the same bytes as `python -m autograder feedback` writes."""

    file_extension = Unicode(".html").tag(config=True)
    output_mimetype = "text/html"

    def from_notebook_node(  # type: ignore[override]  # as every exporter that gives text
        self, nb: NotebookNode, resources: Resources | None = None, **kwargs: Any
    ) -> tuple[str, Resources]:
        """Make the page of a graded notebook."""
        nb, resources = super().from_notebook_node(nb, resources, **kwargs)
        known = resources["nbgrader"]
        student, lesson = known["student"], known["assignment"]
        with Gradebook(known["db_url"]) as book:
            html = page(nb, lesson, student, marks_of(book, lesson, student))
        course = _course(self.parent)
        resources["outputs"] = {**resources.get("outputs", {}), **for_release(course, student, lesson)}
        return html, resources


def _tell(log: logging.Logger, resources: Resources, notes: Any) -> None:
    for note in notes:
        log.warning("%s: %s", resources["nbgrader"]["student"], note)


def _course(converter: Autograde) -> Course:
    return Course(Path(converter.coursedir.root), converter.config, converter.coursedir)


def _lesson(converter: Any, resources: Resources) -> LessonSource:
    coursedir = converter.coursedir
    name = resources["nbgrader"]["assignment"]
    return LessonSource.from_course(Path(coursedir.root), name, converter.config, coursedir.source_directory)
