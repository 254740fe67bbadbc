"""What a lesson's cells must look like, so that release and grading can rely on it. CONTRIBUTING.md shows the forms."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping

from nbformat import NotebookNode

from autograder.building import markers
from autograder.building.leaks import statements
from autograder.building.problems import Problem
from autograder.building.source import Source, grade_id, is_answer, is_check
from autograder.markdown import render
from course_lib.maths import MarkupError

ROOMS = ("setup", "explore", "use", "claim", "idea")
VARIES_TAG = "nbval-ignore-output"
_TAGS = (*ROOMS, VARIES_TAG)
_SETUP_PACKAGES = ("numpy", "matplotlib")


def problems(source: Source, points: Mapping[str, int]) -> Iterator[Problem]:
    """Everything in the lesson that breaks a rule.

    Args:
        source: the lesson.
        points: core points (0 for stretch) of each exercise of the lesson, in the order of the notebook.
    """
    cells = source.notebook.cells
    for index, cell in enumerate(cells):
        for sentence in _of_cell(cell, points):
            yield Problem(source.where(index), sentence)
    yield from _of_notebook(source, points)


def _of_notebook(source: Source, points: Mapping[str, int]) -> Iterator[Problem]:
    cells = source.notebook.cells
    where = f"{source.path.parent.name}/{source.path.name}"
    if not cells or cells[0].cell_type != "markdown" or not cells[0].source.startswith("# "):
        yield Problem(where, "the first cell must be Markdown that begins with the lesson's title, '# ...'")
    names = [grade_id(cell) for cell in cells if grade_id(cell)]
    for name in sorted({name for name in names if name and names.count(name) > 1}):
        yield Problem(where, f"two cells share the grade_id {name!r}")
    for kind, found in (
        ("answer", [grade_id(cell) for cell in cells if is_answer(cell)]),
        ("check", [(grade_id(cell) or "").removeprefix("check_") for cell in cells if is_check(cell)]),
    ):
        for missing in [name for name in points if name not in found]:
            yield Problem(where, f"the exercise {missing!r} has no {kind} cell")
        if sorted(map(str, found)) == sorted(points) and found != list(points):
            yield Problem(where, f"the {kind} cells stand in the order {found}, the exercises in {list(points)}")
    for name in points:
        if name in names and f"check_{name}" in names and names.index(f"check_{name}") < names.index(name):
            yield Problem(where, f"the check of {name!r} stands before its answer")


def _of_cell(cell: NotebookNode, points: Mapping[str, int]) -> Iterator[str]:
    markdown = cell.cell_type == "markdown"
    if cell.cell_type not in ("code", "markdown"):
        yield f"a {cell.cell_type} cell; use code or Markdown"
        return
    for number, sentence in markers.near_misses(cell.source, markdown=markdown):
        yield f"line {number} of the cell: {sentence}"
    allowed = {"nbgrader"} if markdown else {"jupyter", "nbgrader", "tags", "varies"}
    for key in sorted(set(cell.metadata) - allowed):
        yield f"unknown metadata {key!r}; allowed here: {', '.join(sorted(allowed))}"
    if markdown:
        yield from _formulas(cell)
        if "nbgrader" in cell.metadata:
            yield from _written_question(cell)
        return
    yield from _tags(cell)
    if "NBVAL_" in cell.source:
        yield f"nbval is told by the tag {VARIES_TAG!r}, with a reason, and not by a comment"
    if is_answer(cell):
        yield from _answer(cell, points)
        return
    if not markers_free(cell):
        yield f"{markers.BEGIN!r} outside of an answer cell"
    if "nbgrader" in cell.metadata:
        yield from _check(cell, points)
    elif "setup" in cell.metadata.get("tags", []):
        yield from _setup(cell)


def markers_free(cell: NotebookNode) -> bool:
    """Whether no line of the cell is a marker."""
    return not any(line.strip() in (markers.BEGIN, markers.END) for line in cell.source.split("\n"))


def _formulas(cell: NotebookNode) -> Iterator[str]:
    try:
        render(cell.source)
    except MarkupError as error:
        yield str(error)


def _tags(cell: NotebookNode) -> Iterator[str]:
    tags = list(cell.metadata.get("tags", []))
    for tag in tags:
        if tag not in _TAGS or tags.count(tag) > 1:
            yield f"tag {tag!r}; each of {', '.join(_TAGS)} may stand once"
    rooms = [tag for tag in tags if tag in ROOMS]
    if "nbgrader" in cell.metadata and rooms:
        yield f"answers and checks need no room, but this one is tagged {rooms}"
    if "nbgrader" not in cell.metadata and len(rooms) != 1:
        yield f"needs exactly one of the room tags {', '.join(ROOMS)}; it has {rooms or 'none'}"
    reason = cell.metadata.get("varies")
    if (VARIES_TAG in tags) != (isinstance(reason, str) and len(reason.split()) >= 2):
        yield f"the tag {VARIES_TAG!r} and `varies: why the output varies` (two words or more) belong together"
    hidden = cell.metadata.get("jupyter")
    if hidden is not None and hidden != {"source_hidden": True}:
        yield "the only `jupyter` metadata allowed is `source_hidden: true`"


def _answer(cell: NotebookNode, points: Mapping[str, int]) -> Iterator[str]:
    name = grade_id(cell)
    yield from _metadata(cell, grade=False, locked=False, solution=True)
    if name not in points:
        yield f"grade_id {name!r} is no exercise of this lesson; they are {', '.join(points) or 'none'}"
    try:
        inside = markers.regions(cell.source)
    except ValueError as error:
        yield str(error)
        return
    if not inside:
        yield f"an answer needs {markers.BEGIN!r} and {markers.END!r}, or nbgrader would blank the whole cell"
    for region in inside:
        try:
            statements(region)
        except ValueError as error:
            yield str(error)
        if all(not line.strip() or line.lstrip().startswith("#") for line in region.split("\n")):
            yield "the solution is empty"
    try:
        tree = ast.parse(cell.source)
    except SyntaxError as error:
        yield f"is not Python: {error.msg} in line {error.lineno} of the cell"
        return
    defined = [node for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name == name]
    if len(defined) != 1:
        yield f"must hold exactly one `def {name}(...)` or `class {name}`"
    elif not ast.get_docstring(defined[0]):
        yield f"{name!r} needs a docstring that tells the learner what to return"
    elif inside and (ast.get_docstring(defined[0], clean=False) or "") in "\n".join(inside):
        yield f"the docstring of {name!r} stands inside the solution, so learners would not see it"


def _check(cell: NotebookNode, points: Mapping[str, int]) -> Iterator[str]:
    name = (grade_id(cell) or "").removeprefix("check_")
    if name not in points or grade_id(cell) != f"check_{name}":
        known = ", ".join(f"check_{each}" for each in points) or "none"
        yield f"grade_id {grade_id(cell)!r} is no check of this lesson; they are {known}"
        return
    yield from _metadata(cell, grade=True, locked=True, solution=False, points=points[name])
    if cell.source != f'check("{name}")':
        yield f'the source of a check must be exactly check("{name}")'


def _written_question(cell: NotebookNode) -> Iterator[str]:
    points = cell.metadata["nbgrader"].get("points")
    yield from _metadata(cell, grade=True, locked=False, solution=True, points=points)
    if type(points) is not int or points < 0:
        yield f"a written question is worth a whole number of points, 0 or more; this one says {points!r}"


def _metadata(cell: NotebookNode, **flags: object) -> Iterator[str]:
    found = dict(cell.metadata["nbgrader"])
    expected = {"grade_id": found.get("grade_id"), "schema_version": 3, "task": False, **flags}
    for key in sorted(expected.keys() | found.keys()):
        if key not in found:
            yield f"nbgrader metadata lacks `{key}: {expected[key]}`"
        elif key not in expected:
            yield f"nbgrader metadata has a key too many: {key!r}"
        elif found[key] != expected[key] or type(found[key]) is not type(expected[key]):
            yield f"nbgrader metadata says `{key}: {found[key]}` where `{key}: {expected[key]}` is meant"


def _setup(cell: NotebookNode) -> Iterator[str]:
    try:
        tree = ast.parse(cell.source)
    except SyntaxError as error:
        yield f"a set-up cell runs in grading and must be plain Python: {error.msg} in line {error.lineno} of the cell"
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names if alias.name.split(".")[0] not in _SETUP_PACKAGES]
        elif isinstance(node, ast.ImportFrom):
            module = node.module or ""
            is_check_import = module == "course_lib.check" and [alias.name for alias in node.names] == ["check"]
            names = [] if is_check_import or module.split(".")[0] in _SETUP_PACKAGES else [module]
        else:
            continue
        for name in names:
            yield (
                f"a set-up cell imports {name!r}; only numpy, matplotlib and `from course_lib.check import check` may "
                "stand there, everything else where it is needed"
            )
