"""The last cell of a lesson: what is open, and the file to hand in, at the press of a button.

    Submit("04")

It looks at the notebook as it was saved, asks the checks about the functions of this kernel, and packs. A fresh kernel,
as `python -m course_lib submit` has one, is not started: so it works in a browser alone, too.
"""

from __future__ import annotations

import base64
import importlib
import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import traitlets

from course_lib.check import check
from course_lib.live import Live, Resting
from course_lib.submission import clock
from course_lib.submission.matching import defines, fingerprint
from course_lib.submission.notebooks import Notebook, NotebookError, parse, read
from course_lib.submission.packing import Packed, pack, write_packed
from course_lib.submission.places import find, lesson_name, lesson_of, shelf
from course_lib.submission.review import Answer, Checked, Review, review, state, what_is_open

SAVE_FIRST = "Save the notebook first (Control and S, or Command and S). What counts is the file."
_IN_A_BROWSER = sys.platform == "emscripten"
"""Python's files are the browser's own there, so nobody can hand one in, and there is no terminal."""
_NOT_TRIED = (
    "Whether the whole notebook runs from top to bottom was not tried here. The menu Kernel, Restart Kernel and Run "
    "All Cells, tries it"
)
_TERMINAL = "; so does, in a terminal: python -m course_lib submit {number}"
_SECONDS_FOR_COLAB = 20


class Submit(Live):
    """The button.

    Args:
        lesson: its number or its folder's name: "04".
        namespace: where the learner's functions are; by default those of the notebook.

    Attributes:
        view: what the page shows.

    Raises:
        NotebookError: there is no such lesson.
    """

    _esm = Path(__file__).with_name("button.js")
    _css = Path(__file__).with_name("button.css")
    view = traitlets.Dict().tag(sync=True)

    def __init__(self, lesson: str, namespace: Mapping[str, Any] | None = None) -> None:
        self._lesson = lesson_name(lesson)
        self._namespace = namespace
        super().__init__(view=_view(said=SAVE_FIRST))
        self.on_msg(lambda _widget, message, _buffers: self._hear(message))

    def pack(self, *, anyway: bool = False) -> Packed | None:
        """Look at the saved notebook, pack it, and show what was found.

        Args:
            anyway: pack it also where the kernel has run other answers than the file has.

        Returns:
            What was packed; None where nothing was, and the page says why.
        """
        names = _names() if self._namespace is None else self._namespace
        try:
            notebook, path = self._notebook(names)
            seen = review(notebook, self._lesson)
            packed = pack(notebook, self._lesson)
        except NotebookError as error:
            self.view = _view(said=str(error), trouble=True)
            return None
        ran = {answer.name: _last_run(answer.name, names.get("In", ())) for answer in seen.answers}
        saved = {fingerprint(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "code"}
        other = [name for name, code in ran.items() if code and fingerprint(code) not in saved]
        when = f"The file was saved {clock.ago(path)}.\n" if path else ""
        if other and not anyway:
            said = (
                f"{when}This kernel has run another version of {', '.join(other)} than the file has. Save the notebook "
                "(Control and S, or Command and S), and press the button again. Where you have changed the cell since, "
                "run it once more."
            )
            self.view = _view(said=said, trouble=True, ask="Pack the file as it was saved")
            return None
        checked = self._checked(seen, ran, names)
        said, notes = self._write(packed, path)
        self.send({"do": "file", "name": packed.name, "data": base64.b64encode(packed.data).decode("ascii")})
        self.view = _view(
            said=f"{when}{what_is_open(seen)}\n{said}",
            rows=_rows(seen, checked),
            notes=[*_notes(seen, checked), *notes, self._not_tried()],
        )
        return packed

    def _hear(self, message: Any) -> None:
        match message:
            case {"do": "pack", "anyway": bool(anyway)}:
                self.pack(anyway=anyway)

    def _notebook(self, names: Mapping[str, Any]) -> tuple[Notebook, Path | None]:
        """The learner's notebook as it was saved, and its file; in Colab the notebook is no file of this machine."""
        path = self._path(names)
        if path is not None:
            return read(path), path
        asked = _from_colab()
        if asked is not None:
            return asked, None
        raise NotebookError(
            "The file of this notebook was not found from here. Download it by hand (in JupyterLab: File, Download) "
            f"and hand it in under the name {self._lesson}.ipynb."
        )

    def _path(self, names: Mapping[str, Any]) -> Path | None:
        """Where this notebook's file is: as Jupyter or VS Code tell the kernel, or by the lesson's name."""
        for told in (os.environ.get("JPY_SESSION_NAME"), names.get("__vsc_ipynb_file__")):
            if isinstance(told, str) and told.endswith(".ipynb") and Path(told).is_file():
                if lesson_of(Path(told), read(Path(told))) == self._lesson:
                    return Path(told)
        try:
            return find(self._lesson, Path())
        except NotebookError:
            return None

    def _checked(self, seen: Review, ran: Mapping[str, str], names: Mapping[str, Any]) -> dict[str, Checked]:
        """What the checks say of those answers that this kernel has run as the file has them."""
        found = {}
        here = [each for each in seen.answers if each.written and _same(each, ran)]
        for number, answer in enumerate(here, start=1):
            self.view = _view(said=f"Checking {answer.name}, {number} of {len(here)} …", busy=True)
            result = check(answer.name, names).result
            if result is not None:
                found[answer.name] = Checked(result.marks, result.exercise.full_marks, result.outcome, result.message)
        return found

    def _write(self, packed: Packed, path: Path | None) -> tuple[str, list[str]]:
        notes = [packed.without_outputs] if packed.without_outputs else []
        receipt = f"\nIts receipt is {packed.receipt}. Nothing has left this machine."
        if path is None or _IN_A_BROWSER:
            return f"Download the file by the link above, and hand it in where your teacher says.{receipt}", notes
        try:
            place, moved = write_packed(packed, shelf(path))
        except NotebookError as error:
            return f"{error} But you can download the file by the link above.{receipt}", notes
        if moved is not None:
            notes.append(f"What was packed before is kept: {moved}")
        return f"Hand in this file where your teacher says: {place}{receipt}", notes

    def _not_tried(self) -> str:
        terminal = "" if _IN_A_BROWSER else _TERMINAL.format(number=self._lesson[:2])
        return f"{_NOT_TRIED}{terminal}"

    def resting(self) -> Resting:
        """What to do without a kernel."""
        name = self._lesson
        text = (
            f"Here a button packs {name}.ipynb to be handed in, and says what is open. In a terminal: "
            f"python -m course_lib submit {name[:2]}"
        )
        html = (
            f"<p>Here a button packs <code>{name}.ipynb</code> to be handed in, and says what is open. In a terminal: "
            f"<code>python -m course_lib submit {name[:2]}</code></p>"
        )
        return Resting(html, text)


def _view(
    *,
    said: str,
    busy: bool = False,
    trouble: bool = False,
    ask: str = "",
    rows: Sequence[Sequence[str]] = (),
    notes: Sequence[str] = (),
) -> dict[str, Any]:
    return {
        "said": said,
        "busy": busy,
        "trouble": trouble,
        "ask": ask,
        "rows": [list(row) for row in rows],
        "notes": list(notes),
    }


def _names() -> Mapping[str, Any]:
    """The names of the notebook that this runs in."""
    shell = importlib.import_module("IPython").get_ipython()
    return {} if shell is None else dict(shell.user_ns)


def _last_run(name: str, history: Any) -> str:
    """The cell, as it was run last in this kernel, that defines a name; "" where none was."""
    cells = [code for code in history if isinstance(code, str)] if isinstance(history, list | tuple) else []
    return next((code for code in reversed(cells) if defines(code, name)), "")


def _same(answer: Answer, ran: Mapping[str, str]) -> bool:
    return bool(ran[answer.name]) and fingerprint(ran[answer.name]) == fingerprint(answer.text)


def _rows(seen: Review, checked: Mapping[str, Checked]) -> list[list[str]]:
    rows = []
    for answer in seen.answers:
        said = state(checked.get(answer.name)) if answer.written else ""
        if answer.written and answer.name not in checked:
            said = "not run since this kernel started"
        rows.append([answer.name, answer.worth, "written" if answer.written else "unanswered", said])
    asked = [(question.name, "written" if question.written else "unanswered") for question in seen.questions]
    return [*rows, *([name, "written question", said, ""] for name, said in asked)]


def _notes(seen: Review, checked: Mapping[str, Checked]) -> list[str]:
    said = [f"{name}: {found.sentence}" for name, found in checked.items() if found.outcome != "right"]
    return [*said, *(f"{answer.name}: {note}" for answer in seen.answers for note in answer.notes), *seen.notes]


def _from_colab() -> Notebook | None:
    """The notebook as Colab's page holds it; None elsewhere, or where the page does not answer."""
    if "google.colab" not in sys.modules:
        return None
    try:
        message = importlib.import_module("google.colab._message")
        told = message.blocking_request("get_ipynb", request="", timeout_sec=_SECONDS_FOR_COLAB)
        return parse(json.dumps(told["ipynb"]).encode(), Path("The notebook"))
    except Exception:  # noqa: BLE001 - it is no interface that Colab promises
        return None
