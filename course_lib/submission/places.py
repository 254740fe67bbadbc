"""Where a learner's notebooks are, and which lesson a notebook is of."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from course_lib import exercises
from course_lib.submission.notebooks import Notebook, NotebookError, grade_id, release

NAME = re.compile(r"\d\d_\w+", re.ASCII)
"""What a lesson's folder and notebook are called."""
_COPY = re.compile(r"(?:-Copy\d+|[ _-]*\(\d+\)|-\d+| - Copy| copy)+")
"""What JupyterLab, browsers and systems put behind a name that is there already."""


def lesson_name(said: str) -> str:
    """A lesson's folder from its number or its folder's name: "4", "04", "04_adaptive_optimizers".

    Raises:
        NotebookError: there is no such lesson.
    """
    fits = exercises.called(said)
    if not fits:
        raise NotebookError(f"There is no lesson {said!r}; the lessons are {', '.join(exercises.LESSONS)}.")
    return fits[0]


def lesson_of(path: Path, notebook: Notebook) -> str:
    """The lesson that a notebook is of, whatever its file is called; "" where it is of none.

    It says so itself; otherwise its exercises do, or its name.
    """
    known = release(notebook).lesson
    if known in exercises.LESSONS:
        return known
    asked = {grade_id(cell) for cell in notebook["cells"]} - {""}
    if asked:
        for name in exercises.LESSONS:
            if asked & {exercise.name for exercise in exercises.of_lesson(name)}:
                return name
    return lesson_called(path.stem)


def lesson_called(stem: str) -> str:
    """The lesson that a file's name means, also that of a copy: "04_adaptive_optimizers (1)"; "" for none."""
    for name in exercises.LESSONS:
        if stem == name or (stem.startswith(name) and _COPY.fullmatch(stem[len(name) :])):
            return name
    return ""


def find(said: str | None, start: Path) -> Path:
    """The notebook that a learner means.

    Args:
        said: a lesson's number or name, the path of a notebook or of its folder; None for the only one that is here.
        start: the folder from which is looked, upwards, for the lesson or for `lessons/`.

    Raises:
        NotebookError: there is none, or it is not clear which; the message lists those there are.
    """
    if said is None:
        return _the_only_one(start)
    path = start / said
    if path.is_dir() and lesson_called(path.resolve().name):
        return path / f"{path.resolve().name}.ipynb"
    if said.lower().endswith(".ipynb"):
        if not path.is_file():
            raise NotebookError(f"{path} is not there.")
        return path
    name = lesson_name(said)
    for folder in (start, *start.resolve().parents):
        for place in (folder, folder / name, folder / "lessons" / name):
            if (place / f"{name}.ipynb").is_file():
                return place / f"{name}.ipynb"
    raise NotebookError(
        f"No {name}.ipynb was found in {start.resolve()}, in `lessons` there, or above. Go to the course's folder, or "
        "name the notebook's file."
    )


def _the_only_one(start: Path) -> Path:
    found = [path for path in sorted(start.glob("*.ipynb")) if path.stem in exercises.LESSONS]
    if len(found) == 1:
        return found[0]
    every = sorted(found or of_learner(start).values())
    if len(every) == 1:
        return every[0]
    if not every:
        raise NotebookError("Which lesson? For instance: 04. No lesson was found here; go to the course's folder.")
    raise NotebookError(f"Which lesson? There are {', '.join(path.stem for path in every)}.")


def of_learner(start: Path) -> dict[str, Path]:
    """The learner's notebooks by lesson: those of the nearest folder, from `start` upwards, that has any."""
    start = start.resolve()
    start = start.parent if NAME.fullmatch(start.name) else start
    for folder in (start, *start.parents):
        for place in (folder, folder / "lessons"):
            found = dict(in_folder(place))
            if found:
                return found
    return {}


def in_folder(folder: Path) -> Iterator[tuple[str, Path]]:
    """The lessons' notebooks in a folder, as FOLDER/NAME/NAME.ipynb or FOLDER/NAME.ipynb, by name."""
    found = {path.stem: path for path in sorted(folder.glob("*.ipynb")) if NAME.fullmatch(path.stem)}
    for inside in sorted(folder.glob("[0-9][0-9]_*")):
        if NAME.fullmatch(inside.name) and (inside / f"{inside.name}.ipynb").is_file():
            found[inside.name] = inside / f"{inside.name}.ipynb"
    yield from sorted(found.items())


def shelf(path: Path) -> Path:
    """Beside which folder things of all lessons are kept: that around a lesson's folder, or the notebook's own.

    It is where the learner's progress is kept, and what JupyterLab shows as the first when it is started on `lessons`.
    """
    folder = path.resolve().parent
    return folder.parent if NAME.fullmatch(folder.name) else folder
