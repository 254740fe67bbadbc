"""Intake reads notebooks of any age, and refuses everything else with a sentence."""

from __future__ import annotations

import json
import os
import re
import socket
from pathlib import Path
from typing import Any

import nbformat
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autograder import intake
from autograder.intake import from_bytes, from_path
from course_lib.submission.matching import Cell
from tests.grading.helpers import as_bytes, submission


def notebook(*cells: Any, **changes: Any) -> bytes:
    return json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": list(cells), **changes}).encode()


def code(source: Any, **more: Any) -> dict[str, Any]:
    return {"cell_type": "code", "source": source, "metadata": {}, "outputs": [], "execution_count": None, **more}


def test_a_notebook_is_read_as_four_strings_a_cell() -> None:
    cells = from_bytes(as_bytes(submission())).cells
    answer = next(cell for cell in cells if cell.grade_id == "scale")
    assert (answer.kind, answer.id) == ("code", "scale")
    assert answer.source.startswith("def scale(x, factor):")


def test_line_ends_and_lists_of_lines_and_half_characters_become_plain_text() -> None:
    cells = from_bytes(notebook(code("a = 1\r\nb = 2\rc"), code(["x\n", "y"]), code("\ud800 = 1"))).cells
    assert [cell.source for cell in cells] == ["a = 1\nb = 2\nc", "x\ny", "? = 1"]


def test_a_byte_order_mark_is_no_reason_to_refuse() -> None:
    assert from_bytes(b"\xef\xbb\xbf" + notebook(code("1"))).outcome == "read"


@pytest.mark.parametrize("minor", [0, 4, 99, None, "5", 10**400])
def test_any_minor_version_of_format_4_is_read(minor: Any) -> None:
    assert from_bytes(notebook(code("x = 1"), nbformat_minor=minor)).cells[0].source == "x = 1"


def test_a_notebook_of_format_2_is_upgraded() -> None:
    cells = [{"cell_type": "code", "input": "x = 1", "language": "python"}, {"cell_type": "markdown", "source": "y"}]
    read = from_bytes(json.dumps({"nbformat": 2, "worksheets": [{"cells": cells}]}).encode())
    assert [(cell.kind, cell.source) for cell in read.cells] == [("code", "x = 1"), ("markdown", "y")]


def test_a_notebook_of_format_3_is_upgraded() -> None:
    old = nbformat.v3.new_notebook(
        worksheets=[nbformat.v3.new_worksheet(cells=[nbformat.v3.new_code_cell(input="x = 1")])]
    )
    read = from_bytes(json.dumps({**old, "nbformat": 3, "nbformat_minor": 0}).encode())
    assert read.outcome == "read"
    assert read.cells[0].source == "x = 1"


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"", "it is empty"),
        (b" \n", "it is empty"),
        (b"print('hello')", "it is not JSON"),
        (b"\xff\xfe\x00", "it is written in UTF-16"),
        ('{"nbformat": 4, "cells": []}'.encode("utf-16-le"), "it holds NUL bytes"),
        (b"\xe9", "it is not text in UTF-8"),
        (b"PK\x03\x04...", "it is an archive; unpack it"),
        (b"<!DOCTYPE html>", "it is a web page; hand in the .ipynb file itself"),
        (b"[1, 2]", "it is JSON, but not a notebook"),
        (b'{"nbformat": true, "cells": []}', "it is JSON, but not a notebook"),
        (b'{"nbformat": 5, "cells": []}', "newer than the 4"),
        (b'{"nbformat": 2}', "old format that cannot be upgraded"),
        (b'{"nbformat": 4}', "it has no list of cells"),
        (notebook(1), "its cell 1 is not a cell"),
        (notebook({"cell_type": "magic"}), "its cell 1 is not a cell"),
        (notebook(code("1"), code(7)), "the source of its cell 2 is not text"),
        (notebook(code(["1", 2])), "the source of its cell 1 is not text"),
        (notebook(code("x" * 500_001)), "longer than 500,000 characters"),
        (notebook(*[code("1")] * 2_001), "it has 2,001 cells"),
        (b'{"nbformat": 4, "cells": [], "cells": []}', "it says `cells` twice in one place"),
        (b'{"nbformat": 4, "cells": [], "n": ' + b"1" * 1_001 + b"}", "a number of more than 1,000 digits"),
        (b"[" + b"[]," * 400_000 + b"1]", "it holds more than 1,000,000 values; clear all outputs"),
        (b'{"nbformat": 3, "worksheets": [{"cells": [1]}]}', "old format that cannot be upgraded"),
        (b'{"nbformat": 3, "worksheets": [{"cells": [' + b"{}," * 2_001 + b"{}]}]}", "it has 2,002 cells"),
        (b"[" * 100_000, "it is nested too deep"),
        (b'{"nbformat": 4, "cells": [' + b'{"a":' * 50_000, "it is nested too deep"),
    ],
)
def test_what_is_no_notebook_is_refused_with_a_sentence(data: bytes, sentence: str) -> None:
    read = from_bytes(data)
    assert (read.outcome, read.cells) == ("malformed", ())
    assert sentence in read.sentence
    assert re.search(r"; (\w+ ){2,}.*\.$", read.sentence), "it says what to do"


def test_the_time_that_a_refusal_takes_grows_with_the_size_and_not_with_its_square() -> None:
    for hostile in (b'"' + b'\\"' * 2_000_000, b'"' * 4_000_000, b"9" * 4_000_000, b"\\" * 4_000_000):
        assert from_bytes(hostile).outcome == "malformed"
    keys = b"{" + b",".join(b'"%d":0' % number for number in range(200_000)) + b',"0":1}'
    assert "it says `0` twice" in from_bytes(keys).sentence


def test_brackets_and_digits_inside_strings_do_not_count() -> None:
    source = "[" * 500 + "9" * 2_000 + '\\"{' * 500
    assert from_bytes(notebook(code(source))).cells[0].source == source


def test_a_digest_tells_one_file_from_another() -> None:
    first, second = from_bytes(notebook(code("1"))), from_bytes(notebook(code("2")))
    assert first.digest != second.digest
    assert first.digest == from_bytes(notebook(code("1"))).digest
    assert from_bytes(b"garbage").digest
    assert not from_bytes(None).digest


def test_a_file_that_is_too_large_is_not_even_parsed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(intake, "MAX_BYTES", 1_000_000)
    path = tmp_path / "large.ipynb"
    path.write_bytes(notebook(code("x"), padding="x" * 1_000_000))
    assert "larger than 1 MB" in from_path(path).sentence


def test_metadata_of_any_form_is_tolerated_and_forgotten() -> None:
    odd = [{"nbgrader": {"grade_id": ["scale"]}}, {"nbgrader": 3}, None, [], {"nbgrader": {"grade_id": "s" * 201}}]
    read = from_bytes(notebook(*[code("1", metadata=metadata, id=5) for metadata in odd]))
    assert read.cells == (Cell("code", "1"),) * 5


def test_nothing_there_is_missing() -> None:
    assert from_bytes(None).outcome == "missing"


def test_a_notebook_of_another_name_is_missing_and_named(tmp_path: Path) -> None:
    (tmp_path / "lesson (1).ipynb").write_text("{}")
    (tmp_path / "notes.txt").write_text("x")
    read = from_path(tmp_path / "lesson.ipynb")
    assert read.outcome == "missing"
    assert read.sentence.startswith("There is no lesson.ipynb, but `lesson (1).ipynb`.")
    assert "rename it" in read.sentence


def test_a_path_without_a_file_is_missing(tmp_path: Path) -> None:
    assert from_path(tmp_path / "a" / "b.ipynb").outcome == "missing"


@pytest.mark.skipif(os.name != "posix", reason="links and pipes as on POSIX")
@pytest.mark.parametrize("kind", ["file link", "folder link", "hard link", "pipe", "socket", "folder", "device"])
def test_whatever_is_not_a_plain_file_is_refused(tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    real = tmp_path / "real"
    real.mkdir()
    (real / "n.ipynb").write_bytes(notebook(code("1")))
    path = tmp_path / "s" / "l" / "n.ipynb"
    path.parent.mkdir(parents=True)
    if kind == "file link":
        path.symlink_to(real / "n.ipynb")
    elif kind == "folder link":
        path.parent.rmdir()
        path.parent.symlink_to(real)
    elif kind == "hard link":
        path.hardlink_to(real / "n.ipynb")
    elif kind == "socket":
        monkeypatch.chdir(path.parent)  # a socket's name may be no longer than about 100 characters
        with socket.socket(socket.AF_UNIX) as bound:
            bound.bind(path.name)
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    else:
        path = Path("/dev/zero")
    read = from_path(path)
    assert read.outcome == "malformed"
    assert "refused; hand in the notebook itself" in read.sentence


def test_a_file_that_somebody_still_writes_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "n.ipynb"
    path.write_bytes(notebook(code("1")))
    fdopen = os.fdopen

    def and_grows(*arguments: Any, **more: Any) -> Any:
        with path.open("ab") as file:
            file.write(b" ")
        return fdopen(*arguments, **more)

    monkeypatch.setattr(os, "fdopen", and_grows)
    assert "it changed while it was read" in from_path(path).sentence


def test_names_are_shown_so_that_they_cannot_write_on_the_terminal(tmp_path: Path) -> None:
    for name in ("a\x1b[2Jb.ipynb", "a\u202ebpyni.ipynb", "-rf.ipynb"):
        try:
            (tmp_path / name).write_text("{}")
        except OSError:  # a system that has no such names
            continue
    sentence = from_path(tmp_path / "lesson.ipynb").sentence
    assert sentence.isprintable()
    assert "-rf.ipynb" in sentence


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=15,
)


@given(st.binary(max_size=300) | json_values.map(lambda value: json.dumps(value).encode()))
def test_any_bytes_get_an_outcome(data: bytes) -> None:
    assert from_bytes(data).outcome in ("read", "malformed")


@given(st.integers(1, 4), json_values, json_values, json_values)
def test_any_json_in_a_notebook_s_shape_gets_an_outcome(major: int, cells: Any, metadata: Any, source: Any) -> None:
    content = {"nbformat": major, "cells": [{"cell_type": "code", "source": source, "metadata": metadata}, cells]}
    assert from_bytes(json.dumps(content).encode()).outcome in ("read", "malformed")
