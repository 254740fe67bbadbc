"""Feedback: verdicts in the graded notebook, and the page that a student reads."""
