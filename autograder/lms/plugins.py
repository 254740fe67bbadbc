"""The same exports for `nbgrader export --exporter=autograder.lms.plugins.CanvasExporter`.

nbgrader's own options hold: --to names the file, --assignment and --student choose. What the command's options
--identifier and --column say is set in nbgrader_config.py: `c.CanvasExporter.identifier`, `c.CanvasExporter.columns`.
"""

from __future__ import annotations

from pathlib import Path

from nbgrader.api import Gradebook
from nbgrader.coursedir import CourseDirectory
from nbgrader.plugins import ExportPlugin
from traitlets import Dict, Unicode

from autograder.lms import forms
from autograder.lms.identifiers import ExportError
from autograder.lms.marks import NoMarksError, read_marks
from autograder.lms.worth import weighed
from autograder.settings.file import read
from autograder.settings.model import SettingsError


class _Exporter(ExportPlugin):  # type: ignore[misc]  # nbgrader has no types
    """Writes the marks in one form."""

    form = ""
    file = ""

    def export(self, gradebook: Gradebook) -> None:
        """Write the file; a student who cannot be in it is an error in the log, and the exit code is 1."""
        path = Path(self.to or self.file)
        try:
            marks = read_marks(gradebook, [str(name) for name in self.assignment], [str(s) for s in self.student])
            marks = weighed(marks, read(Path(CourseDirectory(config=self.config).root)))
            exported = forms.export(marks, self.form, *self._options())
            if exported.rows:
                forms.write(exported, path)
        except (NoMarksError, ExportError, SettingsError, OSError) as error:
            self.log.error("%s", error)
            raise SystemExit(2) from None
        for said in forms.warnings(marks, exported):
            self.log.warning("%s", said)
        for left in exported.left:
            self.log.error("Left out: %s %s.", left.student, left.reason)
        if not exported.rows:
            self.log.error("Nothing is written: no student could be in it.")
            raise SystemExit(2)
        self.log.info("%s: %s", path, forms.summary(marks, exported))
        if exported.left:
            raise SystemExit(1)

    def _options(self) -> tuple[str, dict[str, str]]:
        return "", {}


class CsvExporter(_Exporter):
    """A table for a spreadsheet: :mod:`autograder.lms.csv_file`."""

    form, file = "csv", "marks.csv"


class JsonExporter(_Exporter):
    """JSON for programs: :mod:`autograder.lms.json_file`."""

    form, file = "json", "marks.json"


class _SystemExporter(_Exporter):
    identifier = Unicode("", help="By which column students are found.").tag(config=True)
    columns = Dict(help="By lesson, what it is called there.").tag(config=True)

    def _options(self) -> tuple[str, dict[str, str]]:
        return self.identifier, dict(self.columns)


class CanvasExporter(_SystemExporter):
    """Canvas's gradebook import: :mod:`autograder.lms.canvas`."""

    form, file = "canvas", "canvas.csv"


class MoodleExporter(_SystemExporter):
    """Moodle's grade import: :mod:`autograder.lms.moodle`."""

    form, file = "moodle", "moodle.csv"
