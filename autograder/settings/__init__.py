"""The instructor's settings: read from course.toml, validated, written into the gradebook."""
