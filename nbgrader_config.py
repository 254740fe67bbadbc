"""Settings for nbgrader, which reads this file when started in this folder."""

from traitlets.config import get_config

from autograder.tools import put_scripts_on_path

put_scripts_on_path()
c = get_config()  # type: ignore[no-untyped-call]

# The course folder. `python -m autograder build` writes solutions/ and lessons/ from the text in solutions/*.md;
# the folders after them hold a class's work and are never committed.
c.CourseDirectory.course_id = "training-techniques"
c.CourseDirectory.source_directory = "solutions"
c.CourseDirectory.release_directory = "lessons"
c.CourseDirectory.submitted_directory = "submitted"
c.CourseDirectory.autograded_directory = "autograded"
c.CourseDirectory.feedback_directory = "feedback"
