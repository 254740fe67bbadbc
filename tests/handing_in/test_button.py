"""The button in the last cell: what it looks at, what it says, and the file it gives."""

from __future__ import annotations

import base64
import sys
import types
from pathlib import Path
from typing import Any

import pytest

from autograder import intake
from autograder.assemble import assemble, plan
from autograder.lesson import LessonSource
from course_lib.submission import Submit, button
from course_lib.submission.notebooks import Notebook, NotebookError, as_bytes, read
from tests.handing_in.conftest import put
from tests.handing_in.lesson import ADAM, answered, insert_after, own, released, solutions


class Watched(Submit):
    """A button that remembers what it sent to the page, and every state it showed."""

    def __init__(self, lesson: str, namespace: dict[str, Any]) -> None:
        self.sent: list[dict[str, Any]] = []
        self.shown: list[dict[str, Any]] = []
        super().__init__(lesson, namespace)
        self.observe(lambda change: self.shown.append(change.new), "view")

    def send(self, content: Any, buffers: Any = None) -> None:
        self.sent.append(content)

    def press(self, *, anyway: bool = False) -> dict[str, Any]:
        """Press as the page does, and return what it shows then."""
        self._hear({"do": "pack", "anyway": anyway})
        return dict(self.view)


@pytest.fixture
def right(root: Path) -> dict[str, str]:
    return solutions(root)


@pytest.fixture
def saved(adam: LessonSource, right: dict[str, str], mine: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A saved notebook with one right answer, in whose folder a kernel runs."""
    path = put(mine, ADAM, answered(released(adam), {"adam_step": right["adam_step"]}))
    monkeypatch.chdir(path.parent)
    monkeypatch.delenv("JPY_SESSION_NAME", raising=False)
    return path


def kernel(*cells: str) -> dict[str, Any]:
    """The names of a kernel that has run these cells."""
    names: dict[str, Any] = {"In": ["", *cells]}
    exec("import numpy as np", names)
    for code in cells:
        exec(code, names)
    return names


def test_it_checks_what_was_run_and_packs_what_was_saved(saved: Path, right: dict[str, str]) -> None:
    pressed = Watched("04", kernel(right["adam_step"]))
    shown = pressed.press()
    assert shown["rows"] == [
        ["rmsprop_step", "5 points", "unanswered", ""],
        ["adam_step", "6 points", "written", "6 of 6, right"],
        ["adagrad_step", "bonus of 4", "unanswered", ""],
        ["adamw_step", "bonus of 5", "unanswered", ""],
        ["your_adam_plot", "written question", "unanswered", ""],
    ]
    assert "Unanswered: rmsprop_step, adagrad_step (bonus of 4)" in shown["said"]
    assert "Nothing has left this machine" in shown["said"]
    assert not shown["trouble"]
    assert "python -m course_lib submit 04" in shown["notes"][-1]
    packed = saved.parents[1] / "to_hand_in" / f"{ADAM}.ipynb"
    assert str(packed) in shown["said"]
    assert intake.from_path(packed).outcome == "read"
    (file,) = pressed.sent
    assert file["name"] == packed.name
    assert base64.b64decode(file["data"]) == packed.read_bytes()
    assert [view["said"] for view in pressed.shown if view["busy"]] == ["Checking adam_step, 1 of 1 …"]


def test_what_is_wrong_is_said(saved: Path, adam: LessonSource, right: dict[str, str]) -> None:
    wrong = right["adam_step"].replace("(1 - beta1**t)", "1")
    saved.write_bytes(as_bytes(answered(released(adam), {"adam_step": wrong})))
    shown = Watched("04", kernel(wrong)).press()
    assert shown["rows"][1][3] == "0 of 6, not right yet"
    assert shown["notes"][0].startswith("adam_step: ")


@pytest.mark.parametrize("ran", ["nothing", "something else"])
def test_what_was_not_run_is_not_called_right(saved: Path, ran: str) -> None:
    cells = [] if ran == "nothing" else ["other = 1"]
    assert Watched("04", kernel(*cells)).press()["rows"][1][3] == "not run since this kernel started"


def test_answers_that_were_run_and_not_saved_are_asked_about(saved: Path, right: dict[str, str]) -> None:
    shelf = saved.parents[1] / "to_hand_in"
    pressed = Watched("04", kernel(right["adam_step"], right["rmsprop_step"]))
    shown = pressed.press()
    assert "another version of rmsprop_step than the file has. Save the notebook" in shown["said"]
    assert shown["ask"] == "Pack the file as it was saved"
    assert not shelf.exists()
    assert pressed.sent == []
    shown = pressed.press(anyway=True)
    assert shown["rows"][0][2:] == ["unanswered", ""]
    assert (shelf / f"{ADAM}.ipynb").is_file()
    assert not shown["ask"]


def test_the_notebook_that_jupyter_names_is_taken_before_another(
    saved: Path, adam: LessonSource, right: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = saved.with_name("my copy.ipynb")
    notebook = answered(released(adam), right)
    copy.write_bytes(as_bytes(notebook))
    monkeypatch.setenv("JPY_SESSION_NAME", str(copy))
    shown = Watched("04", kernel()).press()
    assert "Unanswered: “Written question”." in shown["said"]
    # One of another lesson is not it.
    monkeypatch.setenv("JPY_SESSION_NAME", str(copy))
    copy.write_bytes(as_bytes({**notebook, "metadata": {"course": {"lesson": "03_sgd_and_momentum", "cells": []}}}))
    assert "rmsprop_step" in Watched("04", kernel()).press()["said"]


def test_a_broken_file_is_said_and_left(saved: Path) -> None:
    saved.write_bytes(b"{")
    shown = Watched("04", kernel()).press()
    assert shown["trouble"]
    assert "is broken" in shown["said"]
    assert saved.read_bytes() == b"{"
    assert not (saved.parents[1] / "to_hand_in").exists()


def test_a_notebook_that_is_not_found_can_be_downloaded_by_hand(
    saved: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    shown = Watched("04", kernel()).press()
    assert f"hand it in under the name {ADAM}.ipynb" in shown["said"]
    assert shown["trouble"]


def test_where_the_file_cannot_be_written_there_is_still_the_download(saved: Path) -> None:
    (saved.parents[1] / "to_hand_in").write_text("a file where the folder should be")
    pressed = Watched("04", kernel())
    assert "But you can download the file by the link above" in pressed.press()["said"]
    assert intake.from_bytes(base64.b64decode(pressed.sent[0]["data"])).outcome == "read"


def test_in_a_browser_the_file_is_a_download_alone(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(button, "_IN_A_BROWSER", True)
    pressed = Watched("04", kernel())
    shown = pressed.press()
    assert "Download the file by the link above" in shown["said"]
    assert "terminal" not in " ".join(shown["notes"])
    assert not (saved.parents[1] / "to_hand_in").exists()
    assert pressed.sent[0]["name"] == f"{ADAM}.ipynb"


class Page:
    """Colab's page, or one that has changed."""

    def __init__(self, notebook: Notebook | None) -> None:
        self._notebook = notebook

    def blocking_request(self, what: str, request: str, timeout_sec: float) -> Any:
        assert (what, request, timeout_sec > 0) == ("get_ipynb", "", True)
        return {"ipynb": self._notebook} if self._notebook else None


def test_in_colab_the_notebook_comes_from_the_page(
    saved: Path, adam: LessonSource, right: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "google.colab", types.ModuleType("google.colab"))
    monkeypatch.setitem(sys.modules, "google.colab._message", Page(answered(released(adam), right)))
    pressed = Watched("04", kernel())
    shown = pressed.press()
    assert "Unanswered: “Written question”." in shown["said"]
    assert "Download the file by the link above" in shown["said"]
    assert intake.from_bytes(base64.b64decode(pressed.sent[0]["data"])).outcome == "read"
    monkeypatch.setitem(sys.modules, "google.colab._message", Page(None))
    assert "Download it by hand" in Watched("04", kernel()).press()["said"]


def test_what_a_page_may_send_is_one_thing(saved: Path) -> None:
    pressed = Watched("04", kernel())
    for message in ("pack", {"do": "pack"}, {"do": "pack", "anyway": "yes"}, {"do": "other"}, None, [1]):
        pressed._hear(message)
    assert pressed.shown == []


def test_a_lesson_that_is_not_there_is_said_at_once() -> None:
    with pytest.raises(NotebookError, match="There is no lesson '17'"):
        Submit("17")


def test_it_rests_as_words(saved: Path) -> None:
    data, _ = Submit("04", {})._repr_mimebundle_()
    assert data["text/plain"].endswith("In a terminal: python -m course_lib submit 04")


def test_its_cell_is_the_last_of_every_lesson_and_costs_nothing_in_grading(adam: LessonSource, root: Path) -> None:
    for source in sorted((root / "solutions").glob("[0-9]*.md")):
        end = source.read_text(encoding="utf-8").rstrip().splitlines()[-5:]
        assert end == ["", "from course_lib.submission import Submit", "", f'Submit("{source.stem[:2]}")', "```"]
    here = read(root / "lessons" / ADAM / f"{ADAM}.ipynb")
    assert here["cells"][-1]["source"].endswith('Submit("04")')
    planned = plan(assemble(adam, intake.from_bytes(as_bytes(here))))
    assert not any("Submit" in cell.source for cell in planned)
    # Also where the learner's notebook is of before there was such a cell, or its cell stands elsewhere.
    here["cells"].insert(0, here["cells"].pop())
    insert_after(here, "check_adam_step", own("mine = 1"))
    planned = plan(assemble(adam, intake.from_bytes(as_bytes(here))))
    assert [cell.source for cell in planned if "Submit" in cell.source or "mine" in cell.source] == ["mine = 1"]
