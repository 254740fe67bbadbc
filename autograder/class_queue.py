"""A class on its way to an executor: what has to run, what was graded before, and whose each end is."""

from __future__ import annotations

import statistics
from collections import deque
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import nbformat
from nbformat import NotebookNode

from autograder import notebook_json, regrading
from autograder.assemble import KEY
from autograder.executors import Done, Job
from autograder.gradebook import Recorder

if TYPE_CHECKING:
    from autograder.class_grading import ClassGrading, Outcome


class ClassQueue:
    """A class on its way to an executor: each piece of work once, the longest first."""

    def __init__(
        self, grading: ClassGrading, recorder: Recorder | None, students: Sequence[str], *, again: bool
    ) -> None:
        self._grading = grading
        self._recorder = recorder
        self._again = again
        self._before = {student: known for student in students if (known := grading.known(student)) is not None}
        seconds = {student: float(known.get("seconds", 0.0)) for student, known in self._before.items()}
        usual = statistics.median(seconds.values()) if seconds else 0.0
        self._students = sorted(students, key=lambda student: -seconds.get(student, usual))
        self._waiting: dict[str, list[tuple[str, str]]] = {}  # by work: students, and the digest of what each handed in
        # By work that is done: a student whose graded notebook holds it.
        holds = {} if again else {who: known for who, known in self._before.items() if grading.still_holds(known)}
        self._first: dict[str, str] = {known.get("work", ""): student for student, known in holds.items()}
        self._kept: dict[str, bytes] = {}  # the same where nothing is recorded: the graded notebook
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
                if self._recorder is None:
                    self._kept[done.key] = done.notebook
                yield self._record(student, digest, notebook_json.from_bytes(done.notebook))

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
        return Job(work, notebook_json.as_bytes(notebook))

    def _graded_before(self, work: str) -> NotebookNode | None:
        """The graded notebook of the same work, whosever it is; None where there is none."""
        if work in self._kept:
            return notebook_json.from_bytes(self._kept[work])
        if work not in self._first:
            return None
        try:
            graded = nbformat.read(self._grading.graded_path(self._first[work]), nbformat.NO_CONVERT)
        except (OSError, ValueError):
            return None
        return graded if graded.metadata.get(KEY, {}).get("work") == work else None

    def _record(self, student: str, digest: str, graded: NotebookNode) -> Outcome:
        try:
            known = graded.metadata[KEY]
            known["submission"] = digest
            before = self._before.get(student) if self._grading.has_folder(student) else None
            if before is None:
                return self._grading.record(self._recorder, student, graded)
            if not self._again and regrading.alike(known, before):
                path = self._grading.graded_path(student)
                regrading.carry_over(graded, nbformat.read(path, nbformat.NO_CONVERT))
            found = self._grading.compare(self._recorder, student, before, known)
            outcome = self._grading.record(self._recorder, student, graded)
            self._grading.changes += found
            self._grading.again += 1
            return outcome
        except Exception as error:  # noqa: BLE001  whatever is wrong with one submission, the others are recorded
            return self._grading.failed(student, _describe(error))


def _describe(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error)[:500]}"
