"""What the grader reads at most of a notebook that is handed in; what is packed at home stays within it."""

MAX_BYTES = 20_000_000
MAX_DEPTH = 100
"""Lists and objects inside one another. A notebook needs about ten; the richest outputs some more."""
MAX_VALUES = 1_000_000
"""Brackets, commas, strings and numbers of the whole file: what costs memory, however short each is."""
MAX_DIGITS = 1_000
"""Of one number; Python needs quadratic time to read a long one."""
MAX_CELLS = 2_000
MAX_SOURCE = 500_000
