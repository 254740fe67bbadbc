"""Attacks in the notebook's format and metadata."""

from __future__ import annotations

import copy
import json
from functools import partial

import nbformat
from nbformat import NotebookNode

from tests.redteam.entries import FULL, OTHERS_POINTS, RIGHT, WORTHLESS, Entry, cell, inside

attack = partial(Entry, family="format and metadata")


def _points(notebook: NotebookNode) -> None:
    for each in notebook.cells:
        known = each.metadata.get("nbgrader")
        if known is not None:
            known["points"] = 100
            known["locked"] = False
            known["grade"] = True


def _duplicate(notebook: NotebookNode) -> None:
    for name in ("check_scale", "scale"):
        notebook.cells.append(copy.deepcopy(cell(notebook, name)))
        notebook.cells[-1].id = f"copy-{name.replace('_', '-')}"


def _easy_copies(notebook: NotebookNode) -> None:
    for name in ("check_scale", "check_centre"):
        copied = copy.deepcopy(cell(notebook, name))
        copied.source = "4"
        copied.id = f"copy-{name.replace('_', '-')}"
        notebook.cells.insert(0, copied)


def _forged_metadata(notebook: NotebookNode) -> None:
    graded = {"score": 100, "intake": "read", "outcome": "graded", "exercises": [], "sentence": "", "notes": []}
    notebook.metadata["course_grading"] = graded
    for each in notebook.cells:
        each.metadata["course_grading"] = {"role": "answer", "present": True, "exercise": "scale", "points": 4}


def _swapped(notebook: NotebookNode) -> None:
    first, second = cell(notebook, "check_scale"), cell(notebook, "scale")
    first.metadata.nbgrader["grade_id"], second.metadata.nbgrader["grade_id"] = "scale", "check_scale"
    first.metadata.nbgrader["solution"] = True


def _solution_in_check(notebook: NotebookNode) -> None:
    for name in WORTHLESS:
        cell(notebook, f"check_{name}").source = RIGHT[name] + f"\ncheck('{name}')\n4"


def _kernel(notebook: NotebookNode) -> None:
    notebook.metadata["kernelspec"] = {"name": "bash", "display_name": "@COURSE@", "language": "bash"}
    notebook.metadata["language_info"] = {"name": "../../../etc/passwd", "file_extension": "/../../x"}


def _huge_metadata(notebook: NotebookNode) -> None:
    notebook.metadata["widgets"] = {"application/vnd.jupyter.widget-state+json": {"state": {"x": "x" * 3_000_000}}}
    for each in notebook.cells:
        each.metadata["collapsed"] = True
        each.metadata["more"] = {str(number): number for number in range(1_000)}


def _tags(notebook: NotebookNode) -> None:
    for each in notebook.cells:
        each.metadata["tags"] = ["setup", "remove-cell", "hide-input", "raises-exception", "skip-execution"]
        each.metadata["editable"] = each.metadata["deletable"] = False


def _alike(notebook: NotebookNode) -> None:
    known = cell(notebook, "check_scale").metadata.nbgrader
    for name in ("check_scale ", "check_ѕcale", "CHECK_SCALE", "check_scale\u200b"):
        extra = nbformat.v4.new_code_cell("4", metadata={"nbgrader": {**known, "grade_id": name}}, id=f"x{len(name)}")
        extra.id = f"alike-{len(notebook.cells)}"
        notebook.cells.append(extra)


def _schema(notebook: NotebookNode) -> None:
    for each in notebook.cells:
        if "nbgrader" in each.metadata:
            each.metadata.nbgrader["schema_version"] = 1
            each.metadata.nbgrader["checksum"] = "0" * 32


def _crowd(notebook: NotebookNode) -> None:
    place = notebook.cells.index(cell(notebook, "scale"))
    notebook.cells[place:place] = [nbformat.v4.new_code_cell("0", id=f"crowd-{number}") for number in range(1_900)]


def _own_id(data: bytes) -> bytes:
    notebook = json.loads(data)
    for each in notebook["cells"]:
        each["id"] = "scale"
    return json.dumps(notebook).encode()


SHADOW = """\
import sys
class Everything:
    def __getattr__(self, name): return lambda *args, **kwargs: 4
    def __call__(self, *args, **kwargs): return 4
sys.modules[__name__] = Everything()
"""

ATTACKS = (
    attack("a-hundred-points", tries="Says in the metadata that every cell is worth 100 points and is unlocked.",
           edit=_points),
    attack("duplicated-cells", tries="Holds the check and the answer of one exercise twice.", edit=_duplicate,
           answers={**WORTHLESS, "centre": RIGHT["centre"], "shift": RIGHT["shift"]}, deserves=OTHERS_POINTS),
    attack("easy-copies-first", tries="Puts copies of the checks that ask for nothing before the real ones.",
           edit=_easy_copies),
    attack("forged-verdict", tries="Carries the grader's own metadata, with 100 points in it.", edit=_forged_metadata,
           quick=True),
    attack("swapped-ids", tries="Gives the answer the id of the check, and the check that of the answer.",
           edit=_swapped, answers={**WORTHLESS, "scale": "4"}),
    attack("answers-in-the-checks", tries="Writes right answers, but only into the text of the checks.",
           edit=_solution_in_check, deserves=0),
    attack("another-kernel", tries="Names another kernel and language, with paths in their names.", edit=_kernel),
    attack("huge-metadata", tries="Carries megabytes of widget state and a thousand keys on each cell.",
           edit=_huge_metadata, answers=RIGHT, deserves=FULL),
    attack("every-tag", tries="Tags every cell as set-up, hidden, skipped and allowed to fail.", edit=_tags),
    attack("ids-that-look-alike", tries="Adds checks whose ids look like the real ones.", edit=_alike),
    attack("older-schema", tries="Claims an older schema and forged checksums on every graded cell.", edit=_schema),
    attack("a-crowd-of-cells", tries="Adds 1,900 cells before its answer.", edit=_crowd, seconds=30),
    attack("one-id-for-all", tries="Gives every cell the id of an answer.", raw=_own_id),
    attack("modules-beside-the-notebook", tries="Hands in a numpy.py, a course_lib and a sitecustomize.py with it.",
           files={"numpy.py": SHADOW, "sitecustomize.py": SHADOW, "course_lib/__init__.py": "",
                  "course_lib/check.py": SHADOW, "conftest.py": "raise SystemExit", "nbgrader_config.py": "1 / 0"}),
    attack("magics-as-answers", tries="Uses shell escapes and magics that run programs, read files and replace cells.",
           answers=WORTHLESS | {"scale": inside("get_ipython().system('true')")}, cell="""\
!echo 4 > /dev/null
%cd /
%env COURSE_RUN=x
%load_ext autoreload
%xmode Minimal
%reset_selective -f check
import builtins
%run -i @COURSE@/solutions/90_fixture/90_fixture.ipynb
"""),
)  # fmt: skip
