"""Settings for nbgrader, which reads this file when started in this folder."""

import warnings

from sqlalchemy.exc import SAWarning

from autograder.tools import page_templates, put_scripts_on_path

put_scripts_on_path()
warnings.simplefilter("ignore", SAWarning)  # nbgrader's own queries; nothing that an instructor could mend
c = get_config()  # noqa: F821 - nbgrader gives it to this file

# The course folder. `python -m autograder build` writes solutions/ and lessons/ from the text in solutions/*.md;
# the folders after them hold a class's work and are never committed.
c.CourseDirectory.course_id = "training-techniques"
c.CourseDirectory.source_directory = "solutions"
c.CourseDirectory.release_directory = "lessons"
c.CourseDirectory.submitted_directory = "submitted"
c.CourseDirectory.autograded_directory = "autograded"
c.CourseDirectory.feedback_directory = "feedback"

# Release: each lesson says which cells it is released with, so that `python -m course_lib update` can tell later on
# what a learner wrote.
c.GenerateAssignment.preprocessors.append("autograder.building.released_cells.NoteReleasedCells")

# Grading: the line of autograder/ in nbgrader's own steps. docs/grading.md says what each does.
c.Autograde.exporter_class = "autograder.nbgrader_plugins.LineExporter"
c.Autograde.sanitize_preprocessors = ["autograder.nbgrader_plugins.Assemble"]
c.Autograde.autograde_preprocessors = [
    "autograder.nbgrader_plugins.RunAndJudge",
    "autograder.nbgrader_plugins.Record",
]

# Feedback: the page that `python -m autograder feedback` writes, without what a student must not see.
c.GenerateFeedback.preprocessors = ["autograder.nbgrader_plugins.StudentView"]
c.GenerateFeedback.exporter_class = "autograder.nbgrader_plugins.StudentPage"

# What is late by course.toml costs what it says there (docs/settings.md).
c.AssignLatePenalties.plugin_class = "autograder.settings.gradebook.LatePenalty"

# Formgrader's pages: formulas of the lessons as MathML, and no MathJax from elsewhere.
c.HTMLExporter.template_name = "offline_formgrade"
c.HTMLExporter.extra_template_basedirs = page_templates()
c.HTMLExporter.extra_template_paths = page_templates()
c.HTMLExporter.preprocessors = ["autograder.formgrader_view.ModelAnswers"]  # beside a written answer
c.HTMLExporter.filters = {"markdown2html": "autograder.markdown.markdown2html"}
