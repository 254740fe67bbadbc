"""`course_lib` beside PyTorch, setting by setting: `make parity` prints the table.

A case computes the same numbers both ways. PyTorch's are kept in golden.npz (scripts/make_golden.py), so that the
comparison also runs where torch is not installed. All inputs come from the raw bits of PCG64, which NumPy promises
never to change.
"""
