"""Notebooks as JSON, quickly: nbformat checks and copies a notebook each time it is written, which a class notices.

What is written here was read by nbformat, or comes from the instructor's own notebook.
"""

from __future__ import annotations

import json
from typing import Any

import msgspec
import nbformat
from nbformat import NotebookNode


def as_bytes(notebook: Any) -> bytes:
    """A notebook as JSON in UTF-8, whatever half characters a submission holds."""
    try:
        return msgspec.json.encode(notebook)
    except UnicodeEncodeError:  # half of a character, which JSON can escape
        return json.dumps(notebook).encode("ascii")


def from_bytes(notebook: bytes) -> NotebookNode:
    """The notebook that :func:`as_bytes` wrote."""
    read: NotebookNode = nbformat.from_dict(json.loads(notebook))
    return read


def in_order(content: Any) -> bytes:
    """JSON in UTF-8 that does not depend on the order in which keys were put."""
    try:
        return msgspec.json.encode(content, order="sorted")
    except UnicodeEncodeError:
        return json.dumps(content, sort_keys=True).encode("ascii")


def as_file(notebook: NotebookNode) -> str:
    """A notebook as a file holds it: keys in order, a line for each value."""
    try:
        data = msgspec.json.encode(notebook, order="sorted")
    except UnicodeEncodeError:
        return json.dumps(notebook, sort_keys=True, indent=1) + "\n"
    return msgspec.json.format(data, indent=1).decode() + "\n"
