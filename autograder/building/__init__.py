"""From the source of a lesson to its notebooks.

`source` reads the text, `markers` and `rules` say what it must look like, `release` makes the student notebook,
`leaks` proves that it holds no solution, `execution` runs the solution, and `course` puts them in order.
"""

from autograder.building.course import Built, build, check, format_sources, lesson_path, solution_path
from autograder.building.problems import BuildError, Problem

__all__ = ["BuildError", "Built", "Problem", "build", "check", "format_sources", "lesson_path", "solution_path"]
