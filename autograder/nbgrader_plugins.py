"""The grading line as nbgrader preprocessors, so that `nbgrader autograde` and formgrader's button run it too.

nbgrader_config.py names them:

- `LineExporter` reads a submission through intake, so that a broken file gets grades (none) and a reason.
- `Assemble` takes the place of nbgrader's sanitising steps.
- `RunAndJudge` takes the place of executing; nbgrader's own SaveAutoGrades follows it.
- `RecordBonus` writes the points of bonus exercises as extra credit.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nbformat
from nbconvert.exporters import NotebookExporter
from nbformat import NotebookNode
from nbgrader.preprocessors import NbGraderPreprocessor
from traitlets import Float

from autograder import gradebook
from autograder.assemble import KEY, assemble
from autograder.intake import from_bytes, from_path
from autograder.lesson import LessonSource
from autograder.pipeline import grade_assembled
from autograder.sandbox import Limits
from autograder.sandbox.kernel import KernelSandbox

Resources = dict[str, Any]


class LineExporter(NotebookExporter):
    """Reads a submission through intake, where nbgrader's own exporter would raise for a file that is no notebook."""

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

    def preprocess(self, nb: NotebookNode, resources: Resources) -> tuple[NotebookNode, Resources]:
        """Grade the notebook."""
        converter = self.parent.parent
        lesson = _lesson(converter, resources)
        seed = gradebook.secret_seed(
            gradebook.seed_path(resources["nbgrader"]["db_url"], Path(converter.coursedir.root), lesson.name)
        )
        limits = Limits(cell=self.cell_timeout, total=self.total_timeout)
        graded = grade_assembled(nb, lesson, seed, KernelSandbox(), limits)
        nb.metadata[KEY]["student"] = resources["nbgrader"]["student"]
        for note in graded.notes:
            self.log.warning("%s: %s", resources["nbgrader"]["student"], note)
        return graded.notebook, resources


class RecordBonus(NbGraderPreprocessor):  # type: ignore[misc]
    """Writes the points of bonus exercises into the gradebook; stands after SaveAutoGrades, before late penalties."""

    def preprocess(self, nb: NotebookNode, resources: Resources) -> tuple[NotebookNode, Resources]:
        """Record the bonus."""
        known = resources["nbgrader"]
        for note in gradebook.record_bonus(
            known["db_url"], known["student"], known["assignment"], known["notebook"], nb
        ):
            self.log.warning("%s: %s", known["student"], note)
        return nb, resources


def _lesson(converter: Any, resources: Resources) -> LessonSource:
    coursedir = converter.coursedir
    name = resources["nbgrader"]["assignment"]
    return LessonSource.from_course(Path(coursedir.root), name, converter.config, coursedir.source_directory)
