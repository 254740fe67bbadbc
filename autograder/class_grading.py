"""A whole class through the line: graded wherever there is room, recorded here, each as soon as it is graded."""

from __future__ import annotations

import json
import statistics
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode
from nbgrader.api import Gradebook, MissingEntry

from autograder import gradebook
from autograder.assemble import KEY, assemble
from autograder.executors import (
    Assignment,
    Done,
    Executor,
    InThisProcess,
    Job,
    LocalProcesses,
    as_bytes,
    dask_cluster,
    workers_for,
)
from autograder.files import write_atomically
from autograder.gradebook import Course
from autograder.intake import Submission, from_path, unfit
from autograder.lesson import LessonSource
from autograder.pipeline import seed_id, work_id
from autograder.sandbox import Limits, Sandbox
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
        refused: folders of `students` whose name no student can have, and why.
    """

    def __init__(self, course: Course, lesson: str, sandbox: Sandbox | None, limits: Limits) -> None:
        """Read the lesson, and create it in the gradebook where it is missing.

        Args:
            course: where it is.
            lesson: its name.
            sandbox: where submissions run on this machine; None where none does.
            limits: what a submission may use.

        Raises:
            UnknownLessonError, GradebookError: with what to do.
        """
        self.course = course
        self.lesson = LessonSource.from_course(course.root, lesson, course.config, course.directory.source_directory)
        self.max_score = self.lesson.max_score
        self.refused: dict[str, str] = {}
        self._sandbox = sandbox
        self._limits = limits
        gradebook.ensure_assignment(course, self.lesson)
        self.version = lesson_version(self.lesson)
        self._seed = gradebook.secret_seed(gradebook.seed_path(course.db_url, course.root, lesson))

    @property
    def seed_id(self) -> str:
        """Which seed it is, without the seed."""
        return seed_id(self._seed)

    def assembled(self, student: str) -> tuple[str, NotebookNode]:
        """The notebook to grade for a student, and the fingerprint of the work that this is."""
        notebook = assemble(self.lesson, self.handed_in(student))
        return work_id(notebook, self.lesson, self._seed), notebook

    def alone(self) -> AbstractContextManager[None]:
        """Hold the lesson while it is graded; see :func:`autograder.gradebook.only_grader`."""
        return gradebook.only_grader(self.course, self.lesson.name)

    def draw_new_seed(self) -> None:
        """From now on grade with other cases; what was graded before counts as not graded."""
        path = gradebook.seed_path(self.course.db_url, self.course.root, self.lesson.name)
        self._seed = gradebook.secret_seed(path, new=True)

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
        return LocalProcesses(Assignment.of(self.lesson, self._seed, self._limits), self._sandbox, workers)

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

        What was graded before by this version of the course, with the same answers and seed, is not run again. What is
        handed in twice runs once. Those that took longest the last time come first. A submission at which the grader
        itself fails ends as "failed", with the reason as its note, and stops no other.

        Args:
            students: whom to grade.
            executor: where; in this process unless said otherwise.
            again: run all of them, whatever was graded before.
            stopped: asked now and then; once it is true, what is under way is ended and recorded, and nothing else.
        """
        executor = executor or self.executor(1)
        with gradebook.Recorder(self.course) as recorder:
            queue = _Queue(self, recorder, students, again=again)
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

    def handed_in(self, student: str) -> Submission:
        """What the student handed in, as intake reads it."""
        return from_path(self.course.folder("submitted", student, self.lesson.name) / f"{self.lesson.name}.ipynb")

    def record(self, recorder: gradebook.Recorder, student: str, notebook: NotebookNode) -> Outcome:
        """Record a graded notebook as the student's.

        The notebook is written last, so that a submission with one is wholly recorded. A student without even a
        folder gets the entry "missing" and nothing is recorded, as nbgrader does.
        """
        name = self.lesson.name
        folder = self.course.folder("submitted", student, name)
        known = notebook.metadata[KEY]
        known["student"] = student
        notes = list(known["notes"])
        if folder.is_dir():
            notes += recorder.record(student, name, notebook, gradebook.read_timestamp(folder))
            gradebook.write_graded(self.course, student, name, notebook)
        return to_entry(student, known), notes

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
        with Gradebook(self.course.db_url, self.course.directory.course_id) as book:
            try:
                book.find_student(student)
            except MissingEntry:
                return False
        return True


class _Queue:
    """A class on its way to an executor: each piece of work once, the longest first."""

    def __init__(
        self, grading: ClassGrading, recorder: gradebook.Recorder, students: Sequence[str], *, again: bool
    ) -> None:
        self._grading = grading
        self._recorder = recorder
        self._again = again
        before = {student: known for student in students if (known := grading.known(student)) is not None}
        seconds = {student: float(known.get("seconds", 0.0)) for student, known in before.items()}
        usual = statistics.median(seconds.values()) if seconds else 0.0
        self._students = sorted(students, key=lambda student: -seconds.get(student, usual))
        self._waiting: dict[str, list[tuple[str, str]]] = {}  # by work: students, and the digest of what each handed in
        # By work that is done: a student whose graded notebook holds it.
        holds = {} if again else {student: known for student, known in before.items() if grading.still_holds(known)}
        self._first: dict[str, str] = {known.get("work", ""): student for student, known in holds.items()}
        self._settled: deque[Outcome] = deque()

    def jobs(self) -> Iterator[Job]:
        """What has to be run, as it is asked for; the rest is settled on the way."""
        for student in self._students:
            try:
                job = self._job(student)
            except Exception as error:  # noqa: BLE001  whatever is wrong with one submission, the others are graded
                self._settled.append(self._grading.failed(student, _describe(error)))
                continue
            if job is not None:
                yield job

    def settled(self) -> Iterator[Outcome]:
        """What needed no run, since this was last asked."""
        while self._settled:
            yield self._settled.popleft()

    def ended(self, done: Done) -> Iterator[Outcome]:
        """Record a job's end for every student whose work it was."""
        for student, digest in self._waiting.pop(done.key):
            if done.notebook is None:
                yield self._grading.failed(student, done.error)
            else:
                self._first[done.key] = student
                yield self._record(student, digest, nbformat.from_dict(json.loads(done.notebook)))

    def _job(self, student: str) -> Job | None:
        entry = None if self._again else self._grading.already_graded(student)
        if entry is not None:
            self._settled.append((entry, ()))
            return None
        work, notebook = self._grading.assembled(student)
        digest = notebook.metadata[KEY]["submission"]
        if work in self._waiting:
            self._waiting[work].append((student, digest))
            return None
        graded = self._graded_before(work)
        if graded is not None:
            self._settled.append(self._record(student, digest, graded))
            return None
        self._waiting[work] = [(student, digest)]
        return Job(work, as_bytes(notebook))

    def _graded_before(self, work: str) -> NotebookNode | None:
        """The graded notebook of the same work, whosever it is; None where there is none."""
        if work not in self._first:
            return None
        try:
            graded = nbformat.read(self._grading.graded_path(self._first[work]), nbformat.NO_CONVERT)
        except (OSError, ValueError):
            return None
        return graded if graded.metadata.get(KEY, {}).get("work") == work else None

    def _record(self, student: str, digest: str, graded: NotebookNode) -> Outcome:
        try:
            graded.metadata[KEY]["submission"] = digest
            return self._grading.record(self._recorder, student, graded)
        except Exception as error:  # noqa: BLE001  whatever is wrong with one submission, the others are recorded
            return self._grading.failed(student, _describe(error))


def _describe(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error)[:500]}"


def to_entry(student: str, known: Any) -> Entry:
    """The entry of a submission from what the line wrote into its graded notebook."""
    return {"student": student, **{key: known[key] for key in ("outcome", "score", "max_score", "exercises")}}


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
