"""Submissions in, grades out: the instructor's side of the course.

The modules stand in the order of the line: intake, assemble, sandbox, judge, gradebook, feedback, report.
`building` makes the notebooks from the lesson sources; `cli` is `python -m autograder`.
"""
