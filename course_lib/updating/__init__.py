"""Bringing a learner's lessons up to date: the new version's cells with all that the learner wrote."""
