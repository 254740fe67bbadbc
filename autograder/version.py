"""Which version of the course graded something: fingerprints of all that a grade follows from but the submission."""

from __future__ import annotations

import functools
import hashlib
import json
from pathlib import Path

import numpy as np

import autograder
import course_lib
from autograder.lesson import LessonSource

_NO_PART_OF_GRADING = ("explore", "study", "building")
"""Packages that no grade depends on: after a change of words in a dialogue nobody is graded again."""


@functools.cache
def code_version() -> str:
    """A fingerprint of the code of course_lib and autograder, and of NumPy's version."""
    digest = hashlib.sha256(np.__version__.encode())
    for package in (course_lib, autograder):
        folder = Path(str(package.__file__)).parent
        for path in sorted(folder.rglob("*.py")):
            inside = path.relative_to(folder)
            if inside.parts[0] not in _NO_PART_OF_GRADING:
                digest.update(inside.as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]


def lesson_version(lesson: LessonSource) -> str:
    """A fingerprint of a lesson as it is graded: its notebook as released, what it withholds, and the code."""
    content = json.dumps([lesson.name, lesson.notebook, lesson.withheld], sort_keys=True)
    return hashlib.sha256(code_version().encode() + content.encode()).hexdigest()[:16]
