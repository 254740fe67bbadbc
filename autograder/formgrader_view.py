"""What formgrader shows beside a written answer: the model answer, the rubric, and what the question is worth now.

Only formgrader's own exporter comes here, and only its template has a place for it. A student's page is made by
`autograder.feedback.page`, which knows nothing of this.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import nbformat
from nbconvert.preprocessors import Preprocessor
from nbformat import NotebookNode
from nbgrader.api import Gradebook, MissingEntry
from nbgrader.coursedir import CourseDirectory

from autograder.lesson import is_written
from autograder.markdown import Renderer, render
from autograder.settings.file import WRITTEN_POINTS

_SCHEME = re.compile(r"^=== (?:BEGIN|END) MARK SCHEME ===$", re.MULTILINE)
_RUBRIC = re.compile(r"^## Written question: rubric\n(.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)


class ModelAnswers(Preprocessor):
    """Gives formgrader's template what to show of each written question, by grade id, in `resources`."""

    def preprocess(self, nb: NotebookNode, resources: dict[str, Any]) -> tuple[NotebookNode, dict[str, Any]]:
        """Look up model answers, rubric and points; a submission's own cells stay as they are but for the points."""
        lesson = resources.get("assignment_id")
        if not lesson:
            return nb, resources  # not formgrader
        directory = CourseDirectory(config=self.config)
        root = Path(directory.root)
        answers = model_answers(root / directory.source_directory / lesson / f"{lesson}.ipynb")
        rubric = rubric_of(root, lesson) if len(answers) == 1 else ""  # it does not say of which question it is
        worth = _worth(directory, lesson)
        for cell in filter(is_written, nb.cells):
            name = cell.metadata.nbgrader.grade_id
            points = worth.get(name, float(cell.metadata.nbgrader.points))
            cell.metadata.nbgrader.points = points  # the page reads them here, its buttons in the gradebook
            if rubric and name in answers and points not in (0.0, WRITTEN_POINTS):
                answers[name] += (
                    f"<p>The rubric is for {WRITTEN_POINTS:g} points; the question has {points:g} here.</p>"
                )
            if name in answers:
                answers[name] += rubric
        resources["model_answers"] = answers
        return nb, resources


def model_answers(notebook: Path) -> dict[str, str]:
    """The model answers of a solution notebook as HTML, by grade id; none where there is no such notebook."""
    try:
        cells = nbformat.read(notebook, as_version=4).cells
    except (OSError, ValueError):
        return {}
    return {
        cell.metadata.nbgrader.grade_id: render(_SCHEME.sub("", cell.source), Renderer(lenient=True))
        for cell in cells
        if is_written(cell)
    }


def rubric_of(root: Path, lesson: str) -> str:
    """The table of the rubric in a lesson's teaching notes as HTML; "" where neither course nor project has any."""
    for folder in (root, Path(__file__).parent.parent):
        try:
            found = _RUBRIC.search((folder / "docs" / "teaching" / f"{lesson}.md").read_text(encoding="utf-8"))
        except OSError:
            continue
        if found:
            table = "\n".join(line for line in found[1].split("\n") if line.startswith("|"))
            return render(table, Renderer(lenient=True))
    return ""


def _worth(directory: CourseDirectory, lesson: str) -> dict[str, float]:
    """What the graded cells of a lesson are worth in the gradebook."""
    with Gradebook(directory.db_url, directory.course_id) as book:
        try:
            return {cell.name: float(cell.max_score) for cell in book.find_notebook(lesson, lesson).grade_cells}
        except MissingEntry:
            return {}
