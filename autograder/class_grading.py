"""A whole class through the line: graded wherever there is room, recorded here, each as soon as it is graded."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from nbformat import NotebookNode
from nbgrader.api import Gradebook, MissingEntry

from autograder import gradebook, regrading
from autograder.assemble import KEY, assemble
from autograder.class_queue import ClassQueue
from autograder.executors import (
    Assignment,
    Executor,
    InThisProcess,
    LocalProcesses,
    dask_cluster,
    workers_for,
)
from autograder.files import write_atomically
from autograder.gradebook import Course
from autograder.intake import Submission, from_path, unfit
from autograder.lesson import LessonSource
from autograder.pipeline import seed_id, work_id
from autograder.sandbox import Limits, Sandbox
from autograder.seeds import secret_seed, seed_for_trial
from autograder.settings import apply as settings_apply
from autograder.settings.file import read as read_settings
from autograder.version import lesson_version

Entry = dict[str, Any]
Outcome = tuple[Entry, Sequence[str]]
"""A submission's entry, and the notes to the grader."""


class UnknownStudentError(ValueError):
    """A student of whom neither the folders nor the gradebook know."""


class ClassGrading:
    """The grading of one lesson for a class.

    Attributes:
        course: where the submissions and the gradebook are.
        lesson: what is graded.
        max_score: what its core exercises are worth.
        version: a fingerprint of the lesson and of the code that grades it.
        settled: what course.toml has changed in the gradebook for this lesson.
        refused: folders of `students` whose name no student can have, and why.
        changes: the marks that grading has changed so far; in a dry run, those that it would change.
        again: how many submissions that were graded before were so again.
    """

    def __init__(
        self, course: Course, lesson: str, sandbox: Sandbox | None, limits: Limits, *, dry_run: bool = False
    ) -> None:
        """Read the lesson, and create it in the gradebook where it is missing.

        Args:
            course: where it is.
            lesson: its name.
            sandbox: where submissions run on this machine; None where none does.
            limits: what a submission may use.
            dry_run: write nothing, neither now nor later.

        Raises:
            UnknownLessonError, GradebookError, SettingsError: with what to do.
        """
        self.course = course
        self.lesson = LessonSource.from_course(course.root, lesson, course.config, course.directory.source_directory)
        self.max_score = self.lesson.max_score
        self.refused: dict[str, str] = {}
        self.changes: list[regrading.MarkChange] = []
        self.again = 0
        self._sandbox = sandbox
        self._limits = limits
        self._dry_run = dry_run
        if dry_run:
            read_settings(course.root)
            self.settled = settings_apply.Applied()
        else:
            gradebook.ensure_assignment(course, self.lesson)
            self.settled = settings_apply.apply(course, [lesson])
        self.version = lesson_version(self.lesson)
        self._seed = self._drawn()

    @property
    def seed_id(self) -> str:
        """Which seed it is, without the seed."""
        return seed_id(self._seed)

    def assembled(self, student: str) -> tuple[str, NotebookNode]:
        """The notebook to grade for a student, and the fingerprint of the work that this is."""
        notebook = assemble(self.lesson, self.handed_in(student))
        return work_id(notebook, self.lesson, self._seed), notebook

    def alone(self, students: Sequence[str] = ()) -> AbstractContextManager[None]:
        """Hold the lesson while it is graded, or these students'; see :func:`autograder.gradebook.only_grader`."""
        return nullcontext() if self._dry_run else gradebook.only_grader(self.course, self.lesson.name, students)

    def draw_new_seed(self) -> None:
        """From now on grade with other cases; what was graded before counts as not graded."""
        self._seed = self._drawn(new=True)

    def _drawn(self, *, new: bool = False) -> int:
        draw = seed_for_trial if self._dry_run else secret_seed
        return draw(self.course.db_url, self.course.root, self.lesson.name, new=new)

    def students(self, asked: Sequence[str] = ()) -> list[str]:
        """The students to grade: those asked for, or all that handed something in.

        Raises:
            UnknownStudentError: for one who is unknown; a misspelt name would get a grade.
        """
        every = self.course.students("submitted", self.lesson.name)
        self.refused = {student: why for student in (asked or every) if (why := unfit(student))}
        for student in asked:
            if student not in every and not self._is_known(student):
                known = ", ".join(every) or "nobody yet"
                raise UnknownStudentError(
                    f"There is no student {student!r}; {self.lesson.name} was handed in by {known}."
                )
        return [student for student in (sorted(set(asked)) if asked else every) if student not in self.refused]

    def executor(self, workers: int = 0) -> Executor:
        """Where to grade: in so many processes, 0 for as many as this machine has room for; 1 is this process."""
        assert self._sandbox is not None
        workers = workers_for(workers)
        if workers == 1:
            return InThisProcess(self.lesson, self._seed, self._sandbox, self._limits)
        return LocalProcesses(self.lesson, self._seed, self._sandbox, self._limits, workers)

    def cluster(self, address: str, sandbox: str = "auto", *, unsafe: bool = False) -> Executor:
        """Grade on a Dask cluster, each of whose workers has a sandbox of its own.

        Raises:
            ClusterError: where the package for it is not installed.
        """
        return dask_cluster(Assignment.of(self.lesson, self._seed, self._limits), address, sandbox, unsafe=unsafe)

    def grade(
        self,
        students: Sequence[str],
        executor: Executor | None = None,
        *,
        again: bool = False,
        stopped: Callable[[], bool] = lambda: False,
    ) -> Iterator[Outcome]:
        """Grade and record submissions; yields each one's entry and the notes to the grader, as they are done.

        What was graded before by this version of the course, with the same answers and seed, is not run again; where
        only exercises have changed since, only their marks do. What is handed in twice runs once. Those that took
        longest the last time come first. A submission at which the grader itself fails ends as "failed", with the
        reason as its note, and stops no other. `changes` tells what became of marks that there were.

        Args:
            students: whom to grade.
            executor: where; in this process unless said otherwise.
            again: run all of them and give every mark anew, whatever was graded before.
            stopped: asked now and then; once it is true, what is under way is ended and recorded, and nothing else.
        """
        executor = executor or self.executor(1)
        with nullcontext() if self._dry_run else gradebook.Recorder(self.course) as recorder:
            queue = ClassQueue(self, recorder, students, again=again)
            for done in executor.run(queue.jobs(), stopped):
                yield from queue.settled()
                yield from queue.ended(done)
            yield from queue.settled()

    def already_graded(self, student: str) -> Entry | None:
        """The entry of what is handed in, where this version of the course graded it with the seed of now."""
        known = self.known(student)
        same = known is not None and known.get("submission") == self.handed_in(student).digest
        return to_entry(student, known) if same and self.still_holds(known) else None

    def still_holds(self, known: Mapping[str, Any] | None) -> bool:
        """Whether what a graded notebook says is what grading the same answers now would say."""
        if known is None or (known.get("seed"), known.get("version")) != (self.seed_id, self.version):
            return False
        # More time changes nothing for what ended by itself.
        return known["outcome"] not in ("timeout", "crashed") or known.get("limits") == asdict(self._limits)

    def known(self, student: str) -> Mapping[str, Any] | None:
        """What the line wrote into the student's graded notebook, None where there is none."""
        return gradebook.graded_entry(self.graded_path(student))

    def graded_path(self, student: str) -> Path:
        """Where the student's graded notebook is or will be."""
        return self.course.folder("autograded", student, self.lesson.name) / f"{self.lesson.name}.ipynb"

    def has_folder(self, student: str) -> bool:
        """Whether the student has a folder for the lesson; of one who has none nothing is recorded."""
        return self.course.folder("submitted", student, self.lesson.name).is_dir()

    def handed_in(self, student: str) -> Submission:
        """What the student handed in, as intake reads it."""
        return from_path(self.course.folder("submitted", student, self.lesson.name) / f"{self.lesson.name}.ipynb")

    def record(self, recorder: gradebook.Recorder | None, student: str, notebook: NotebookNode) -> Outcome:
        """Record a graded notebook as the student's; nowhere, in a dry run, where there is no recorder.

        The notebook is written last, so that a submission with one is wholly recorded. A student without even a
        folder gets the entry "missing" and nothing is recorded, as nbgrader does.
        """
        name = self.lesson.name
        known = notebook.metadata[KEY]
        known["student"] = student
        notes = list(known["notes"])
        if recorder is not None and self.has_folder(student):
            folder = self.course.folder("submitted", student, name)
            notes += recorder.record(student, name, notebook, gradebook.read_timestamp(folder))
            gradebook.write_graded(self.course, student, name, notebook)
        return to_entry(student, known), notes

    def compare(
        self, recorder: gradebook.Recorder | None, student: str, before: Mapping[str, Any], after: Mapping[str, Any]
    ) -> list[regrading.MarkChange]:
        """What becomes of the marks of a student who was graded before, with what a grader wrote in their place."""
        found = list(regrading.changes(student, before, after))
        names = [change.exercise for change in found]
        asked = [entry for entry in before["exercises"] if entry["id"] in names]
        by_hand = self._by_hand(recorder, student, asked) if asked else {}
        return [replace(change, by_hand=by_hand.get(change.exercise)) for change in found]

    def _by_hand(self, recorder: gradebook.Recorder | None, student: str, asked: Sequence[Entry]) -> dict[str, float]:
        if recorder is not None:
            return recorder.by_hand(student, self.lesson.name, asked)
        if not settings_apply.has_gradebook(self.course):
            return {}
        with gradebook.quiet(), Gradebook(self.course.db_url, self.course.directory.course_id) as book:
            return gradebook.by_hand(book, student, self.lesson.name, asked)

    def failed(self, student: str, why: str) -> Outcome:
        """The outcome of a submission at which the grader itself failed."""
        entry = {
            "student": student,
            "outcome": "failed",
            "score": 0,
            "max_score": self.max_score,
            "exercises": [],
        }
        return entry, [f"the grader failed, nothing is recorded: {why}"]

    def _is_known(self, student: str) -> bool:
        if self._dry_run and not settings_apply.has_gradebook(self.course):
            return False
        with Gradebook(self.course.db_url, self.course.directory.course_id) as book:
            try:
                book.find_student(student)
            except MissingEntry:
                return False
        return True


def to_entry(student: str, known: Any) -> Entry:
    """The entry of a submission from what the line wrote into its graded notebook."""
    told = ("outcome", "score", "max_score", "exercises", "provenance")
    return {"student": student, **{key: known[key] for key in told if key in known}}


def graded_entries(course: Course, lesson: str) -> Iterator[Entry]:
    """The entries of all submissions that the line has graded."""
    for student in course.students("autograded", lesson):
        known = gradebook.graded_entry(course.folder("autograded", student, lesson) / f"{lesson}.ipynb")
        if known is not None:
            yield to_entry(student, known)


def write_json(path: Path, lesson: str, entries: Sequence[Entry]) -> None:
    """Write the grades as JSON, at once or not at all."""
    content = {"lesson": lesson, "submissions": sorted(entries, key=lambda entry: str(entry["student"]))}
    write_atomically(path, json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n")
