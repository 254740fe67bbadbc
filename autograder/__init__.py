"""Submissions in, grades out: the instructor's side of the course.

The modules stand in the order of the line: intake, assemble, sandbox, judge, gradebook, feedback, report.
`building` makes the notebooks from the lesson sources; `cli` is `python -m autograder`.
"""

import sys

# jsonschema imports these where they are there, for formats that no notebook uses: the first builds a grammar, for
# seconds, and the others add a fifth to what nbformat's import takes.
for _unused in ("rfc3987_syntax", "rfc3986_validator", "isoduration"):
    sys.modules.setdefault(_unused, None)  # type: ignore[arg-type]
