"""Submissions in, grades out: the instructor's side of the course.

The modules stand in the order of the line: intake, assemble, sandbox, judge, gradebook, feedback, report.
`building` makes the notebooks from the lesson sources; `cli` is `python -m autograder`.
"""

import sys

# jsonschema imports this where it is there, for a format that no notebook uses; it builds a grammar, for seconds.
sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]
