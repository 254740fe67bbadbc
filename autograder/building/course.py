"""Building the whole course: sources in, executed solutions and student notebooks out."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import nbformat

from autograder.building import course_map, leaks, rules
from autograder.building.execution import differing_cells, executed, is_executed, same_cells
from autograder.building.problems import BuildError, Problem
from autograder.building.release import read_notebook, released, write_bytes, write_notebook
from autograder.building.source import Source, canonical, read

Points = Callable[[str], Mapping[str, int]]
"""The core points of each exercise of a lesson, in order."""


@dataclass(frozen=True)
class Built:
    """What a build did with one lesson.

    Attributes:
        lesson: its name.
        executed: whether the solution was run; it is not when its cells are those of the last run.
        changed: whether the student notebook's bytes changed.
    """

    lesson: str
    executed: bool
    changed: bool


def course_points(lesson: str) -> Mapping[str, int]:
    """The core points of the lesson's exercises, as course_lib describes them; none for a lesson without any."""
    from course_lib import exercises

    if lesson not in exercises.LESSONS:
        return {}
    return {exercise.name: exercise.core_points for exercise in exercises.of_lesson(lesson)}


def source_paths(root: Path, names: Sequence[str] = ()) -> list[Path]:
    """The sources of the lessons with these names, or of all.

    A name may be short: "1", "01" and "01_backpropagation" mean the same lesson.

    Raises:
        BuildError: when a name fits no lesson.
    """
    every = sorted(path for path in (root / "solutions").glob("*.md"))
    if not names:
        return every
    chosen = []
    for name in names:
        stem = Path(name).stem
        numbers = {path: path.stem.split("_")[0] for path in every}
        fits = [path for path in every if stem in (path.stem, numbers[path], numbers[path].lstrip("0"))]
        if len(fits) != 1:
            known = ", ".join(path.stem for path in every) or "none yet"
            raise BuildError([Problem("solutions/", f"there is no lesson {name!r}; the lessons are {known}")])
        chosen.append(fits[0])
    return chosen


def build(
    root: Path,
    names: Sequence[str] = (),
    *,
    force: bool = False,
    points: Points = course_points,
    tell: Callable[[str], None] = lambda _: None,
) -> list[Built]:
    """Build lessons into `solutions/NAME/NAME.ipynb` and `lessons/NAME/NAME.ipynb`, and the map, `lessons/README.md`.

    Nothing is written for a lesson that has a problem.

    Args:
        root: the project's folder.
        names: lessons; all when empty.
        force: run solutions again even when their cells are those of the last run.
        points: core points of each exercise of a lesson.
        tell: receives a sentence before each slow step.

    Raises:
        BuildError: with everything found wrong.
    """
    chosen = source_paths(root, names)
    sources = _valid(chosen, points)
    others = _readable(path for path in source_paths(root) if path not in chosen)
    notebooks = _released(root, sources, others)
    done = []
    for source in sources:
        solution = solution_path(root, source.name)
        run = force or not _is_current(source, solution)
        if run:
            tell(f"running {source.name}")
            write_notebook(executed(source), solution)
        lesson = lesson_path(root, source.name)
        changed = not lesson.exists() or lesson.read_bytes() != notebooks[source.name]
        if changed:
            write_bytes(notebooks[source.name], lesson)
        done.append(Built(source.name, run, changed))
    content = course_map.page([*sources, *others]).encode("utf-8")
    if _map_differs(root, content):
        write_bytes(content, course_map.path(root))
    return done


def check(root: Path, names: Sequence[str] = (), *, points: Points = course_points) -> list[Problem]:
    """How the committed notebooks differ from what their sources give; nothing is written or executed."""
    try:
        chosen = source_paths(root, names)
        sources = _valid(chosen, points)
        others = _readable(path for path in source_paths(root) if path not in chosen)
        notebooks = _released(root, sources, others)
    except BuildError as error:
        return list(error.problems)
    found = []
    for source in sources:
        mend = f"mend it: python -m autograder build {source.name}"
        found.extend(_solution_differences(source, solution_path(root, source.name), mend))
        found.extend(_lesson_differences(source, lesson_path(root, source.name), notebooks[source.name], mend))
    if not names:
        found.extend(_strangers(root, sources))
        if _map_differs(root, course_map.page(sources).encode("utf-8")):
            found.append(Problem("lessons/README.md", "differs from the lessons; mend it: python -m autograder build"))
    return found


def format_sources(root: Path, names: Sequence[str] = ()) -> list[Path]:
    """Rewrite sources as JupyterLab would save them; returns those that changed.

    Raises:
        BuildError: when one cannot be read.
    """
    changed = []
    for path in source_paths(root, names):
        text = path.read_bytes().decode("utf-8")
        try:
            mended = canonical(text)
        except ValueError as error:
            raise BuildError([Problem(f"solutions/{path.name}", f"cannot be read as MyST: {error}")]) from error
        if mended != text:
            write_bytes(mended.encode("utf-8"), path)
            changed.append(path)
    return changed


def solution_path(root: Path, lesson: str) -> Path:
    """Where the executed solution of a lesson stands."""
    return root / "solutions" / lesson / f"{lesson}.ipynb"


def lesson_path(root: Path, lesson: str) -> Path:
    """Where the student notebook of a lesson stands."""
    return root / "lessons" / lesson / f"{lesson}.ipynb"


def _valid(paths: Iterable[Path], points: Points) -> list[Source]:
    sources: list[Source] = []
    found: list[Problem] = []
    for path in paths:
        try:
            source = read(path)
        except BuildError as error:
            found.extend(error.problems)
            continue
        sources.append(source)
        found.extend(rules.problems(source, points(source.name)))
    if found:
        raise BuildError(found)
    return sources


def _readable(paths: Iterable[Path]) -> list[Source]:
    """Lessons that are not being built now but whose solutions must not leak either; broken ones wait their turn."""
    sources = []
    for path in paths:
        try:
            source = read(path)
            leaks.secrets([source])
        except (BuildError, ValueError):
            continue
        sources.append(source)
    return sources


def _released(root: Path, sources: Sequence[Source], others: Sequence[Source]) -> dict[str, bytes]:
    notebooks = {source.name: released(source, root) for source in sources}
    with tempfile.TemporaryDirectory() as folder:
        lessons = Path(folder) / "lessons"
        for name, content in notebooks.items():
            write_bytes(content, lessons / name / f"{name}.ipynb")
        allowed = leaks.allowed_statements(root / "solutions" / leaks.ALLOWED_FILE)
        found = leaks.find(lessons, [*sources, *others], allowed)
    if found:
        raise BuildError(found)
    return notebooks


def _map_differs(root: Path, content: bytes) -> bool:
    path = course_map.path(root)
    return not path.exists() or path.read_bytes() != content


def _is_current(source: Source, solution: Path) -> bool:
    if not solution.exists():
        return False
    built = read_notebook(solution.read_bytes())
    return same_cells(source.notebook, built) and is_executed(built)


def _solution_differences(source: Source, path: Path, mend: str) -> list[Problem]:
    where = f"solutions/{source.name}/{path.name}"
    if not path.exists():
        return [Problem(where, f"is missing; {mend}")]
    built = read_notebook(path.read_bytes())
    cells = list(differing_cells(source.notebook, built))
    if cells:
        return [Problem(where, f"differs from its source in {', '.join(cells)}; {mend}")]
    if built.metadata != source.notebook.metadata:
        return [Problem(where, f"differs from its source in the notebook's metadata; {mend}")]
    if not is_executed(built):
        return [Problem(where, f"was not run from top to bottom; {mend} --force")]
    return []


def _lesson_differences(source: Source, path: Path, expected: bytes, mend: str) -> list[Problem]:
    where = f"lessons/{source.name}/{path.name}"
    if not path.exists():
        return [Problem(where, f"is missing; {mend}")]
    if path.read_bytes() == expected:
        return []
    try:
        found = read_notebook(path.read_bytes())
        wanted = read_notebook(expected)
        cells = list(differing_cells(wanted, found))
    except (ValueError, AttributeError, nbformat.ValidationError):
        return [Problem(where, f"is no notebook; {mend}")]
    what = ", ".join(cells) or "outputs, metadata or spacing"
    return [Problem(where, f"differs from its source in {what}; {mend}")]


def _strangers(root: Path, sources: Sequence[Source]) -> list[Problem]:
    """Notebooks of lessons that have no source any more."""
    known = {source.name for source in sources}
    return [
        Problem(f"{folder}/{path.name}", f"has no source solutions/{path.name}.md; delete it or bring the source back")
        for folder in ("lessons", "solutions")
        for path in sorted((root / folder).glob("*"))
        if path.is_dir() and path.name not in known and any(path.glob("*.ipynb"))
    ]
