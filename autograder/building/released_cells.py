"""A step of nbgrader's release: the lesson says which cells it is released with.

`python -m course_lib update` tells by it a learner's text from the course's, also once the lesson has changed.
"""

from __future__ import annotations

from typing import Any

from nbformat import NotebookNode
from nbgrader.preprocessors import NbGraderPreprocessor

from course_lib.submission.notebooks import RELEASED, released_cells


class NoteReleasedCells(NbGraderPreprocessor):  # type: ignore[misc]
    """Writes the fingerprint of every cell into the notebook's metadata; runs after all that changes cells."""

    def preprocess(self, nb: NotebookNode, resources: dict[str, Any]) -> tuple[NotebookNode, dict[str, Any]]:
        """Note what stands in `nb`."""
        name = str(resources.get("unique_key") or resources["metadata"]["name"])
        nb.metadata[RELEASED] = {"lesson": name, "cells": released_cells(nb)}
        return nb, resources
