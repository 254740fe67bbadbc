"""Settings of the book. `make book` puts all pages into one folder and starts Sphinx on them with this file."""

from __future__ import annotations

# What a "make book" reads and writes: autograder/book/building.py. The tag "answers" marks the instructors' edition.
project = "How networks are trained"
author = "the course's authors"
project_copyright = "%Y, the course's authors. Code: MIT. Prose and figures: CC BY 4.0"
html_title = f"{project}: instructors' edition" if tags.has("answers") else project  # noqa: F821  Sphinx's own
html_short_title = project

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "autograder.book.extension"]
root_doc = "index"
suppress_warnings = ["misc.highlighting_failure"]  # a language of a code block that Pygments has no words for
nitpicky = True
# No other project's index is at hand without a network, so of names only our own must lead somewhere.
nitpick_ignore_regex = [(r"py:.*", r"(?!course_lib\.|autograder\.).*"), (r"py:.*", r".*(?:\._|guest_supervisor|\[).*")]

# Lessons are executed by `python -m autograder build`; here their stored outputs are shown.
nb_execution_mode = "off"
nb_merge_streams = True
nb_mime_priority_overrides = [("html", "text/html", 0)]
myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 4

# One pair of backticks is code, as everywhere in this project.
default_role = "code"
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
napoleon_numpy_docstring = False
napoleon_use_ivar = True
add_module_names = False
toc_object_entries_show_parents = "hide"

html_theme = "furo"
html_math_renderer = "mathml"
html_css_files = ["widgets.css", "book.css"]
html_js_files = [("course.js", {"defer": "defer"})]
html_copy_source = False
html_domain_indices = False
html_show_sphinx = False
templates_path = ["_templates"]
_sidebar = ["brand", "search", "scroll-start", "navigation", "modules", "scroll-end"]
html_sidebars = {"**": [f"sidebar/{each}.html" for each in _sidebar]}
# Light, dark; every pair with what it stands on keeps the contrast of WCAG 2.2, level AA.
_colours = {
    "color-brand-primary": ("#0b5cad", "#8fc1ff"),
    "color-brand-content": ("#0b5cad", "#8fc1ff"),
    "color-brand-visited": ("#6b3fa0", "#cdb2f5"),
    "color-foreground-muted": ("#595959", "#a9afb8"),
    "color-foreground-secondary": ("#4a4d52", "#b5bac2"),
    "color-api-pre-name": ("#8f3d00", "#f2b98a"),
    "color-api-name": ("#0b5cad", "#8fc1ff"),
    "course-soft": ("#f4f6f9", "#1d2129"),
    "course-edge": ("#767f8c", "#808a99"),
    "course-yours": ("#fff3c4", "#362c05"),
    "course-yours-edge": ("#8a6a00", "#e0b83a"),
}
html_theme_options = {
    "top_of_page_buttons": [],
    "navigation_with_keys": False,
    "light_css_variables": {name: light for name, (light, _) in _colours.items()},
    "dark_css_variables": {name: dark for name, (_, dark) in _colours.items()},
}
pygments_style = "a11y-high-contrast-light"
pygments_dark_style = "a11y-high-contrast-dark"
nb_ipywidgets_js: dict[str, dict[str, str]] = {}  # the widgets are the course's own, without a CDN
