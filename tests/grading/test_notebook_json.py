"""Notebooks as JSON: what nbformat reads back is what was written, whatever text is in it."""

from __future__ import annotations

import json

import nbformat
from hypothesis import given
from hypothesis import strategies as st

from autograder import notebook_json

# Half characters too: a submission may hold what no file in UTF-8 can.
texts = st.text(st.characters(), max_size=40)
cells = st.builds(
    lambda source, shown: {"cell_type": "code", "source": source, "outputs": [{"name": "stdout", "text": shown}]},
    texts,
    texts,
)
numbers = st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**60), 2**60) | st.none() | st.booleans()
notebooks = st.builds(
    lambda some, known: nbformat.from_dict({"nbformat": 4, "cells": some, "metadata": known}),
    st.lists(cells, max_size=4),
    st.dictionaries(texts, numbers, max_size=4),
)


@given(notebooks)
def test_bytes_hold_the_notebook(notebook: nbformat.NotebookNode) -> None:
    data = notebook_json.as_bytes(notebook)
    assert data.decode("utf-8")
    read = notebook_json.from_bytes(data)
    assert read == notebook
    assert isinstance(read, nbformat.NotebookNode)


@given(notebooks)
def test_a_file_holds_the_notebook_a_line_for_each_value(notebook: nbformat.NotebookNode) -> None:
    text = notebook_json.as_file(notebook)
    assert nbformat.from_dict(json.loads(text)) == nbformat.from_dict(json.loads(json.dumps(notebook)))
    assert text.endswith("}\n")
    assert list(json.loads(text)) == sorted(notebook)


@given(notebooks, st.randoms())
def test_the_order_in_which_keys_were_put_does_not_matter(notebook: nbformat.NotebookNode, draw: object) -> None:
    keys = list(notebook.metadata)
    draw.shuffle(keys)  # type: ignore[attr-defined]
    shuffled = nbformat.from_dict({**notebook, "metadata": {key: notebook.metadata[key] for key in keys}})
    assert notebook_json.as_file(shuffled) == notebook_json.as_file(notebook)
