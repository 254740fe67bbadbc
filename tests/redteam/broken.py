"""Inputs that are broken: files that are no notebooks, or hardly. Each ends in a stated outcome and stops nobody."""

from __future__ import annotations

import gzip
import io
import json
import os
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from tests.redteam.entries import FULL, RIGHT, Entry, Places, outcomes

MALFORMED = outcomes("malformed")
broken = partial(Entry, family="broken", answers=RIGHT, outcomes=MALFORMED, seconds=1)


def changed(change: Callable[[dict[str, Any]], Any]) -> Callable[[bytes], bytes]:
    """The notebook after a change to its parsed JSON; `change` may return another value altogether."""

    def apply(data: bytes) -> bytes:
        notebook = json.loads(data)
        other = change(notebook)
        return json.dumps(notebook if other is None else other).encode()

    return apply


def _zipped(data: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("90_fixture.ipynb", data)
    return file.getvalue()


def _sources(value: Any) -> Callable[[bytes], bytes]:
    def change(notebook: dict[str, Any]) -> None:
        for each in notebook["cells"]:
            each["source"] = value

    return changed(change)


def _cells_metadata(value: Any) -> Callable[[bytes], bytes]:
    def change(notebook: dict[str, Any]) -> None:
        for each in notebook["cells"]:
            each["metadata"] = value

    return changed(change)


def _twice(data: bytes) -> bytes:
    text = data.decode()
    return text.replace('"cells": [', '"cells": [], "cells": [', 1).encode()


def _lone_surrogates(data: bytes) -> bytes:
    return data.replace(b"return factor * x", b"return factor * x  # \\\\ud800 \\ud800")


def _link(path: Path, data: bytes, places: Places) -> None:
    path.symlink_to(places.course / "solutions" / "90_fixture" / "90_fixture.ipynb")


def _hard_link(path: Path, data: bytes, places: Places) -> None:
    os.link(places.course / "solutions" / "90_fixture" / "90_fixture.ipynb", path)


def _linked_folder(path: Path, data: bytes, places: Places) -> None:
    path.parent.rmdir()
    path.parent.symlink_to(places.course / "solutions" / "90_fixture")


def _pipe(path: Path, data: bytes, places: Places) -> None:
    os.mkfifo(path)


def _folder(path: Path, data: bytes, places: Places) -> None:
    path.mkdir()


def _nothing(path: Path, data: bytes, places: Places) -> None:
    return


def _wrong_name(path: Path, data: bytes, places: Places) -> None:
    path.with_name("90_fixture (1).ipynb").write_bytes(data)


def _unreadable_names(path: Path, data: bytes, places: Places) -> None:
    path.write_bytes(data)
    for name in ("-rf", "a\nb.ipynb", "\u202egnp.ipynb", "$(touch x)", "x" * 200, "é\udcff".replace("\udcff", "")):
        path.with_name(name).write_text("x")
    path.with_name("loop").symlink_to(path.parent)
    path.with_name("passwd").symlink_to("/etc/passwd")


def _million_cells(data: bytes) -> bytes:
    one = b'{"cell_type":"raw","metadata":{},"source":""}'
    return b'{"nbformat":4,"nbformat_minor":5,"metadata":{},"cells":[' + b",".join([one] * 1_000_000) + b"]}"


def _of_no_lesson(notebook: dict[str, Any]) -> None:
    notebook["cells"] = [{"cell_type": "code", "metadata": {}, "source": "x = 1", "outputs": [], "execution_count": 1,
                          "id": "a"}]  # fmt: skip


def _key_errors(notebook: dict[str, Any]) -> None:
    for each in notebook["cells"]:
        each.pop("metadata", None)
        each.pop("outputs", None)
        each.pop("execution_count", None)


BROKEN = (
    broken("truncated", tries="Breaks off in the middle.", raw=lambda data: data[: len(data) // 2], quick=True),
    broken("empty", tries="Has no bytes.", raw=lambda data: b""),
    broken("blank", tries="Holds only spaces.", raw=lambda data: b" \n\t" * 1_000),
    broken("deeply-nested", tries="Nests lists a million deep.", raw=lambda data: b"[" * 1_000_000, quick=True),
    broken("deeply-nested-metadata", tries="Nests objects deep inside an otherwise right notebook.",
           raw=lambda data: data.replace(b'"nbformat":', b'"x": ' + b'{"a":' * 9_000 + b"1" + b"}" * 9_000
                                         + b', "nbformat":', 1)),
    broken("binary", tries="Is random bytes.", raw=lambda data: bytes(range(256)) * 400),
    broken("zip", tries="Is a zip archive with the notebook in it.", raw=_zipped),
    broken("gzip", tries="Is compressed.", raw=gzip.compress),
    broken("pdf", tries="Is a PDF.", raw=lambda data: b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n" + bytes(5_000) + b"%%EOF"),
    broken("word", tries="Is a document of a word processor.", raw=lambda data: b"PK\x03\x04[Content_Types].xml"),
    broken("html", tries="Is the page that offered the notebook for download.",
           raw=lambda data: b"<!DOCTYPE html><html><body>Sign in</body></html>"),
    broken("python", tries="Is a Python script.", raw=lambda data: "\n\n".join(RIGHT.values()).encode()),
    broken("utf-16", tries="Is text in UTF-16.", raw=lambda data: data.decode().encode("utf-16")),
    broken("latin-1", tries="Is text in Latin-1.", raw=lambda data: data.replace(b"return x", b"return x # \xe9\xff")),
    broken("null-bytes", tries="Has null bytes between its characters.",
           raw=lambda data: data.replace(b"\n", b"\x00\n")),
    broken("a-number", tries="Is the number 4.", raw=lambda data: b"4"),
    broken("a-list", tries="Is a list of cells.", raw=changed(lambda notebook: notebook["cells"])),
    broken("no-format", tries="Says no format.", raw=changed(lambda notebook: notebook.pop("nbformat") and None)),
    broken("format-as-text", tries="Says its format as text.",
           raw=changed(lambda notebook: notebook.update(nbformat="4"))),
    broken("format-true", tries="Says that its format is true.",
           raw=changed(lambda notebook: notebook.update(nbformat=True))),
    broken("format-99", tries="Says format 99.", raw=changed(lambda notebook: notebook.update(nbformat=99))),
    broken("format-minus-1", tries="Says format -1.", raw=changed(lambda notebook: notebook.update(nbformat=-1))),
    broken("format-2-empty", tries="Says format 2 and holds nothing of it.", raw=lambda data: b'{"nbformat": 2}'),
    broken("a-million-digits", tries="Holds a number of a million digits.",
           raw=lambda data: data.replace(b'"nbformat_minor": 5', b'"nbformat_minor": ' + b"9" * 1_000_000)),
    broken("no-cells", tries="Has no cells at all.", raw=changed(lambda notebook: notebook.pop("cells") and None)),
    broken("cells-as-a-dict", tries="Has cells that are an object.",
           raw=changed(lambda notebook: notebook.update(cells={"0": notebook["cells"]}))),
    broken("cells-of-numbers", tries="Has numbers for cells.",
           raw=changed(lambda notebook: notebook.update(cells=[1, None, "x"]))),
    broken("cells-of-unknown-kind", tries="Has cells of a kind that does not exist.",
           raw=changed(lambda notebook: [each.update(cell_type="slide") for each in notebook["cells"]] and None)),
    broken("sources-of-numbers", tries="Has numbers for sources.", raw=_sources(4)),
    broken("sources-of-lists", tries="Has lists of lists for sources.", raw=_sources([["x"], 4])),
    broken("a-million-cells", tries="Has a million cells.", raw=_million_cells, seconds=10),
    broken("forty-megabytes", tries="Is 40 MB.", raw=lambda data: data[:-2] + b" " * 40_000_000 + b"}", quick=True),
    broken("a-link", tries="Is a link to the instructor's solution.", place=_link, quick=True),
    broken("a-hard-link", tries="Is a hard link to the instructor's solution.", place=_hard_link),
    broken("a-linked-folder", tries="Its folder is a link to the solutions.", place=_linked_folder,
           outcomes=outcomes("malformed", "missing")),
    broken("a-pipe", tries="Is a pipe, at which a reader waits for ever.", place=_pipe, quick=True,
           outcomes=outcomes("malformed", "missing")),
    broken("a-folder", tries="Is a folder.", place=_folder, outcomes=outcomes("malformed", "missing")),
    broken("nothing", tries="Is not there.", place=_nothing, outcomes=outcomes("missing")),
    broken("wrong-name", tries="Has the name that a browser gives to a second download.", place=_wrong_name,
           outcomes=outcomes("missing"), quick=True),
    broken("odd-names-beside-it", tries="Is right, and lies beside files with odd names and links in circles.",
           place=_unreadable_names, outcomes=outcomes("graded"), deserves=FULL),
    broken("another-lesson", tries="Is the notebook of something else.", raw=changed(_of_no_lesson),
           outcomes=outcomes("graded")),
    broken("no-cell-left", tries="Has an empty list of cells.",
           raw=changed(lambda notebook: notebook.update(cells=[])), outcomes=outcomes("graded")),
    broken("metadata-as-text", tries="Is right, with text for the metadata of cells.", raw=_cells_metadata("x"),
           outcomes=outcomes("graded"), deserves=FULL),
    broken("no-metadata-in-cells", tries="Is right, with the usual keys missing from its cells.",
           raw=changed(_key_errors), outcomes=outcomes("graded"), deserves=FULL),
    broken("not-a-number", tries="Is right, with NaN and Infinity in its metadata.", outcomes=outcomes("graded"),
           raw=lambda data: data.replace(b'"nbformat":', b'"x": [NaN, Infinity, -Infinity], "nbformat":', 1),
           deserves=FULL),
    broken("keys-twice", tries="Has the key for cells twice; the second one counts.", raw=_twice,
           outcomes=outcomes("graded", "malformed")),
    broken("lone-surrogates", tries="Is right, with halves of characters in a comment.", raw=_lone_surrogates,
           outcomes=outcomes("graded"), deserves=FULL),
)  # fmt: skip
