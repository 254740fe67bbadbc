"""Marks for school systems: out of nbgrader's gradebook into the files that Canvas, Moodle and spreadsheets read.

`marks` reads the gradebook into one table; `canvas`, `moodle`, `csv_file` and `json_file` write it; `roster` brings the
names and ids of those systems in. docs/exports.md is the manual.
"""
