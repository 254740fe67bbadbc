"""Running a lesson's solution from top to bottom, and keeping of its outputs only what does not vary by chance."""

from __future__ import annotations

import copy
import json
import os
import re
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from nbformat import NotebookNode

from autograder.building.problems import BuildError, Problem
from autograder.building.source import Source

_SECONDS_PER_CELL = 600
_WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]{6,}")
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")


def executed(source: Source) -> NotebookNode:
    """The lesson's notebook with its outputs.

    It runs in an empty folder, so a lesson cannot come to lean on files beside it.

    Raises:
        BuildError: when a cell raises, takes longer than ten minutes, warns, or shows something that differs from
            one machine to the next (an address in memory, a path).
    """
    notebook = copy.deepcopy(source.notebook)
    with tempfile.TemporaryDirectory() as folder:
        client = NotebookClient(
            notebook,
            timeout=_SECONDS_PER_CELL,
            kernel_name="python3",
            record_timing=False,
            store_widget_state=False,
            coalesce_streams=True,
            extra_arguments=["--log-level=ERROR"],
            resources={"metadata": {"path": folder}},
        )
        try:
            client.execute(env={**os.environ, "COURSE_PROGRESS": "off"})  # a build is no learner
        except CellExecutionError as error:
            traceback = "\n".join(_COLOURS.sub("", str(error.traceback)).strip().splitlines()[-12:])
            raise BuildError([Problem(_failed(source, notebook), f"the solution raises:\n{traceback}")]) from error
        except CellTimeoutError as error:
            said = f"ran longer than {_SECONDS_PER_CELL} seconds"
            raise BuildError([Problem(_failed(source, notebook), said)]) from error
        except DeadKernelError as error:
            raise BuildError([Problem(_failed(source, notebook), "the kernel died while it ran")]) from error
    notebook.metadata = copy.deepcopy(source.notebook.metadata)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.metadata.pop("execution", None)
            for output in cell.outputs:
                if "data" in output:
                    output.data.pop(_WIDGET_VIEW, None)  # its model lives only as long as the kernel
    found = list(_unwanted_outputs(source, notebook))
    if found:
        raise BuildError(found)
    return notebook


def same_cells(one: NotebookNode, other: NotebookNode) -> bool:
    """Whether two notebooks agree in everything but outputs and execution counts."""
    return not list(differing_cells(one, other)) and one.metadata == other.metadata


def differing_cells(one: NotebookNode, other: NotebookNode) -> Iterator[str]:
    """The ids of the cells in which two notebooks differ, outputs and execution counts aside."""
    ours, theirs = ({cell.id: _plain(cell) for cell in notebook.cells} for notebook in (one, other))
    yield from (name for name in ours if ours[name] != theirs.get(name))
    yield from (name for name in theirs if name not in ours)
    if ours.keys() == theirs.keys() and list(ours) != list(theirs):
        yield "the order of the cells"


def is_executed(notebook: NotebookNode) -> bool:
    """Whether every code cell has run, in order, from a fresh kernel."""
    counts = [cell.execution_count for cell in notebook.cells if cell.cell_type == "code" and cell.source.strip()]
    return counts == list(range(1, len(counts) + 1))


def _plain(cell: NotebookNode) -> dict[str, object]:
    return {key: value for key, value in cell.items() if key not in ("outputs", "execution_count")}


def _failed(source: Source, notebook: NotebookNode) -> str:
    ran = [index for index, cell in enumerate(notebook.cells) if cell.cell_type == "code" and cell.execution_count]
    return source.where(ran[-1] if ran else 0)


def _unwanted_outputs(source: Source, notebook: NotebookNode) -> Iterator[Problem]:
    paths = {str(Path.home()), sys.prefix, str(Path.cwd()), tempfile.gettempdir()}
    for index, cell in enumerate(notebook.cells):
        for output in cell.get("outputs", []):
            if output.output_type == "stream" and output.name == "stderr":
                yield Problem(source.where(index), f"writes to stderr, mend the cause: {output.text.strip()[:500]!r}")
                continue
            data = {key: value for key, value in output.get("data", {}).items() if not key.startswith("image/")}
            text = output.get("text", "") + json.dumps(data)
            address = _ADDRESS.search(text)
            if address:
                yield Problem(source.where(index), f"shows an address in memory ({address.group().strip()})")
            for path in sorted(paths):
                if len(path) > 1 and f"{path}/" in text:
                    yield Problem(source.where(index), f"shows a path of this machine ({path})")
