"""One module for each command of `python -m course_lib`.

They import what they need when they run, so that `--help` is quick.
"""
