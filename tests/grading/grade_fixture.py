"""`python -m autograder` with the fixture lesson, as a program that a test can start and kill.

`QUICK=1` grades in the program itself. It says "ready" when everything is imported.
"""

from __future__ import annotations

import os

from autograder import class_grading, gradebook, pipeline, sandbox  # noqa: F401  imported before "ready"
from autograder.cli import app
from autograder.sandbox import choice
from course_lib import exercises
from tests.grading import fixture_lesson
from tests.grading.helpers import MODULE
from tests.grading.quick_sandbox import QuickSandbox

if __name__ == "__main__":
    exercises.LESSONS = {**exercises.LESSONS, fixture_lesson.NAME: MODULE, fixture_lesson.SECOND: MODULE}
    if os.environ.get("QUICK") == "1":
        choice.choose = lambda *_, **__: QuickSandbox()
    print("ready", flush=True)
    app()
