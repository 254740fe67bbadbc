"""`python -m course_lib submit`: what it says of a notebook, how it tries it, and the file it leaves."""

from __future__ import annotations

import copy
import json
import os
import signal
import subprocess
import sys
import time
from datetime import datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

from autograder.intake import from_bytes
from autograder.lesson import LessonSource
from course_lib import files
from course_lib.__main__ import app
from course_lib.submission import notebooks, packing
from course_lib.submission.clock import ago
from course_lib.submission.notebooks import Notebook, NotebookError, as_bytes, read
from course_lib.submission.packing import pack, write_packed
from course_lib.submission.places import find, lesson_called, lesson_name, lesson_of
from course_lib.submission.review import review
from course_lib.submission.trial import graded_steps, try_as_graded, try_whole, whole_steps
from tests.grading.fixture_lesson import ANSWERS, NAME
from tests.handing_in.conftest import put
from tests.handing_in.lesson import ADAM, answered, cell, insert_after, own, released, solutions

RUN = CliRunner()
WIDE = {"COLUMNS": "300"}


def quiet(_what: str, _done: int, _total: int) -> None:
    pass


# What stands in a notebook.


def test_an_untouched_notebook_is_unanswered(fixture_known: Notebook) -> None:
    seen = review(fixture_known, NAME)
    assert [(answer.name, answer.worth, answer.written) for answer in seen.answers] == [
        ("scale", "4 points", False),
        ("centre", "2 points", False),
        ("shift", "bonus of 2", False),
    ]
    assert seen.open == ("scale", "centre")
    assert [(question.name, question.written) for question in seen.questions] == [("written", False)]
    assert seen.notes == ()


@pytest.mark.parametrize("known", [True, False])
def test_answers_are_found_by_the_grader_s_rules(fixture_known: Notebook, known: bool) -> None:
    notebook = answered(fixture_known, {"scale": ANSWERS["scale"], "written": "So."})
    if not known:
        del notebook["metadata"]["course"]
    notebook["cells"].remove(cell(notebook, "centre"))
    notebook["cells"].remove(cell(notebook, "check_scale"))
    insert_after(notebook, "check_centre", own(ANSWERS["centre"], name="elsewhere"))
    seen = review(notebook, NAME)
    assert [answer.written for answer in seen.answers] == [True, True, False]
    assert [question.written for question in seen.questions] == [True]
    assert "had lost its id and was found by its text" in " ".join(seen.notes)
    assert ("The check cell of scale is gone. That costs nothing." in seen.notes) is known


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("def scale(factor, x):\n    return x", "It takes (factor, x), and is called with (x, factor)."),
        ("def scale(x, factor:\n    return x", "It is no Python in line 1"),
        (
            "from course_lib.optimizers import Adam\n" + ANSWERS["scale"],
            "imports course_lib.optimizers, which is not there",
        ),
        ("from course_lib import Adam\n" + ANSWERS["scale"], "imports course_lib.optimizers, which is not there"),
        ("import course_lib.exercises\n" + ANSWERS["scale"], "imports course_lib.exercises, which is not there"),
        ("%pip list\n" + ANSWERS["scale"], ""),
        ("def scale(*arguments):\n    return 1", ""),
        ("import numpy as np\nfrom course_lib.maths import to_html\n" + ANSWERS["scale"], ""),
    ],
)
def test_what_is_odd_about_an_answer(fixture_known: Notebook, text: str, said: str) -> None:
    (answer, *_) = review(answered(fixture_known, {"scale": text}), NAME).answers
    assert said in " ".join(answer.notes)
    assert bool(answer.notes) is bool(said)


def test_an_exercise_that_the_notebook_does_not_have_yet(fixture_known: Notebook) -> None:
    cells = fixture_known["metadata"]["course"]["cells"]
    fixture_known["metadata"]["course"]["cells"] = [line for line in cells if "shift" not in line]
    for name in ("shift", "check_shift"):
        fixture_known["cells"].remove(cell(fixture_known, name))
    seen = review(fixture_known, NAME)
    (note,) = seen.notes
    assert note.startswith("The course now asks for shift, and this notebook is older: `python -m course_lib update`")


def test_an_answer_longer_than_the_lesson_allows(root: Path) -> None:
    capstone = read(root / "lessons/10_capstone/10_capstone.ipynb")
    answers = {"build_model": "def build_model(rng):\n    " + f"x = '{'a' * 9_000}'"}
    notes = {answer.name: answer.notes for answer in review(answered(capstone, answers), "10_capstone").answers}
    assert "this lesson allows 8,000" in notes["build_model"][0]


# Trying it.


@pytest.mark.slow
def test_in_a_trial_no_cell_costs_another(adam: LessonSource, root: Path, mine: Path) -> None:
    notebook = answered(released(adam), {**solutions(root), "adam_step": "while True:\n    pass"})
    insert_after(notebook, "check_rmsprop_step", own("import os\nos._exit(1)", name="exit"))
    trial = try_as_graded(graded_steps(review(notebook, ADAM)), mine, 10.0, quiet)
    assert {name: found.outcome for name, found in trial.checked.items()} == {
        "rmsprop_step": "right",
        "adam_step": "unanswered",
        "adagrad_step": "right",
        "adamw_step": "right",
    }
    assert [(failure.line, failure.what.split(" ")[0]) for failure in trial.failures] == [
        ("import os", "ended"),
        ("while True:", "did"),
    ]


@pytest.mark.parametrize("deleted", ["", "check_adam_step"])
def test_a_trial_of_a_real_lesson(adam: LessonSource, root: Path, mine: Path, deleted: str) -> None:
    right = solutions(root)
    wrong = right["adam_step"].replace("(1 - beta1**t)", "1")
    notebook = answered(released(adam), {**right, "adam_step": wrong, "adagrad_step": "1 / 0"})
    if deleted:
        notebook["cells"].remove(cell(notebook, deleted))
    told: list[str] = []
    seen = review(notebook, ADAM)
    trial = try_as_graded(graded_steps(seen), mine, 60.0, lambda what, _done, _total: told.append(what))
    said = {name: (found.marks, found.of, found.outcome) for name, found in trial.checked.items()}
    assert said == {
        "rmsprop_step": (5, 5, "right"),
        "adam_step": (0, 6, "wrong"),
        "adagrad_step": (0, 4, "unanswered"),
        "adamw_step": (5, 5, "right"),
    }
    assert "`m` is not" in trial.checked["adam_step"].sentence
    assert {"rmsprop_step", "adam_step"} <= set(told)
    assert not list(mine.rglob("course_progress.json"))


def test_the_whole_notebook_is_run_and_its_failures_are_named(fixture_known: Notebook, mine: Path) -> None:
    notebook = copy.deepcopy(fixture_known)
    mine_there = [own("# Mine", "markdown", "h"), own("\nscale(1, 2)", name="a"), own("undefined", name="b")]
    insert_after(notebook, "check_centre", *mine_there, own("after = 1", name="c"))
    trial = try_whole(whole_steps(notebook), mine, 60.0, quiet)
    assert [(failure.heading, failure.line, failure.what) for failure in trial.failures] == [
        ("Mine", "undefined", "NameError: name 'undefined' is not defined")
    ]
    insert_after(notebook, "a", own("while True: pass", name="d"))
    trial = try_whole(whole_steps(notebook), mine, 6.0, quiet)
    assert trial.failures[-1].what.startswith("did not end within 6 seconds")
    codes = [step.code for step in whole_steps(notebook)]
    assert trial.skipped == len(codes) - codes.index("while True: pass") - 1 > 0


# Packing it.


def test_the_same_notebook_gives_the_same_bytes_however_it_was_saved(fixture_known: Notebook, mine: Path) -> None:
    path = put(mine, NAME, fixture_known)
    first = pack(read(path), NAME)
    text = json.dumps(json.loads(path.read_bytes()), ensure_ascii=True)
    path.write_bytes(b"\xef\xbb\xbf" + text.replace("\\n", "\\r\\n").encode())
    again = pack(read(path), NAME)
    assert again.data == first.data
    assert again.receipt == first.receipt
    assert len(first.receipt) == 16
    assert not first.without_outputs


@pytest.mark.parametrize("kind", ["large", "deep", "many", "digits"])
def test_outputs_that_no_grader_reads_are_left_out(fixture_known: Notebook, kind: str) -> None:
    notebook = answered(fixture_known, ANSWERS)
    deep: object = 1
    for _ in range(150):
        deep = [deep]
    data = {
        "large": {"text/plain": "x" * 21_000_000},
        "deep": {"application/json": deep},
        "many": {"application/json": [0] * 600_000},
        "digits": {"application/json": 10**2_000},
    }[kind]
    cell(notebook, "scale")["outputs"] = [{"output_type": "display_data", "data": data, "metadata": {}}]
    assert from_bytes(as_bytes(notebook)).outcome == "malformed"
    packed = pack(notebook, NAME)
    assert from_bytes(packed.data).outcome == "read"
    assert packed.without_outputs.endswith(
        "so its outputs were left out of this copy. They do not count; your code is in it."
    )
    assert [each.source for each in from_bytes(packed.data).cells] == [each["source"] for each in notebook["cells"]]


def test_what_cannot_be_mended_is_refused(fixture_known: Notebook) -> None:
    notebook = copy.deepcopy(fixture_known)
    notebook["cells"] += [own("1", name=f"n{number}") for number in range(2_000)]
    with pytest.raises(NotebookError, match="delete some of your own"):
        pack(notebook, NAME)
    notebook = answered(fixture_known, {"scale": "x" * 500_001})
    with pytest.raises(NotebookError, match=r"longer than the 500,000 characters"):
        pack(notebook, NAME)
    notebook = copy.deepcopy(fixture_known)
    cell(notebook, "written")["attachments"] = {"a.png": {"image/png": "A" * 21_000_000}}
    with pytest.raises(NotebookError, match="Pictures pasted into text cells"):
        pack(notebook, NAME)


def test_what_was_packed_before_is_never_overwritten(fixture_known: Notebook, mine: Path) -> None:
    first, second = pack(fixture_known, NAME), pack(answered(fixture_known, ANSWERS), NAME)
    path, moved = write_packed(first, mine)
    assert (path, moved) == (mine / "to_hand_in" / f"{NAME}.ipynb", None)
    assert write_packed(first, mine) == (path, None)
    earlier = []
    for packed in (second, first, second):
        os.utime(path, (1_790_000_000, 1_790_000_000))
        before = path.read_bytes()
        _, moved = write_packed(packed, mine)
        assert moved is not None
        assert moved.read_bytes() == before
        earlier.append(moved)
    assert len(set(earlier)) == 3
    assert path.read_bytes() == second.data


# Finding it.


def test_a_lesson_is_found_by_number_name_and_path(
    adam: LessonSource, mine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = put(mine, ADAM, released(adam))
    for start in (mine.parent, mine, path.parent):
        for said in ("4", "04", ADAM, str(path), str(path.parent), None):
            assert find(said, start).resolve() == path.resolve()
    put(mine, "00_warm_up", path.read_bytes())
    with pytest.raises(NotebookError, match="Which lesson\\? There are 00_warm_up, 04_adaptive_optimizers"):
        find(None, mine)
    assert find(None, path.parent).resolve() == path.resolve()
    with pytest.raises(NotebookError, match="no lesson '17'"):
        find("17", mine)
    with pytest.raises(NotebookError, match=r"No 03_sgd_and_momentum\.ipynb was found"):
        find("3", mine)
    with pytest.raises(NotebookError, match="is not there"):
        find("gone.ipynb", mine)
    assert lesson_name("11") == "11_modern_optimizers"


def test_a_renamed_copy_is_known_for_what_it_is(adam: LessonSource, mine: Path) -> None:
    notebook = released(adam)
    assert lesson_of(Path("homework.ipynb"), notebook) == ADAM
    del notebook["metadata"]["course"]
    assert lesson_of(Path("homework.ipynb"), notebook) == ADAM
    assert [lesson_called(stem) for stem in (f"{ADAM} (1)", f"{ADAM}-Copy2", f"{ADAM}-1", f"{ADAM}x", "x")] == [
        ADAM
    ] * 3 + [""] * 2
    path = mine / f"{ADAM} (1).ipynb"
    path.write_bytes(as_bytes(released(adam)))
    done = RUN.invoke(app, ["submit", str(path), "--no-run"], env=WIDE)
    assert done.exit_code == 1
    assert (mine / "to_hand_in" / f"{ADAM}.ipynb").is_file()


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "is empty"),
        (b'{"cells": [', "is broken: it is no JSON (line 1 of the file)"),
        (b'{\n<<<<<<< HEAD\n "cells": []}', "git's marks of a conflict"),
        (b"\xff\xfe{", "not text in UTF-8"),
        (b"[]", "is JSON, but no notebook"),
        (b'{"nbformat": 3}', "format 3: open it in JupyterLab"),
        (b'{"nbformat": 4, "cells": 1}', "without a list of cells"),
        (b'{"nbformat": 4, "cells": [1]}', "no cell in place 1"),
        (b'{"nbformat": 4, "cells": [{"cell_type": "code", "source": 1}]}', "a cell without text in place 1"),
        (b"[" * 100_000, "is broken"),
    ],
)
def test_a_file_that_is_no_notebook_is_refused_with_what_to_do(mine: Path, data: bytes, said: str) -> None:
    path = put(mine, ADAM, data)
    done = RUN.invoke(app, ["submit", str(path)], env=WIDE)
    assert done.exit_code == 2
    assert said in done.output
    assert path.read_bytes() == data
    assert not (mine / "to_hand_in").exists()


def test_a_file_that_is_far_too_large_is_not_read(mine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = put(mine, ADAM, b" " * 2_000_001)
    monkeypatch.setattr(notebooks, "_LARGEST", 2_000_000)
    with pytest.raises(NotebookError, match="is larger than 2 MB: clear its outputs"):
        read(path)


def test_an_earlier_version_that_jupyterlab_kept_is_pointed_at(mine: Path) -> None:
    path = put(mine, ADAM, b"{")
    kept = path.parent / ".ipynb_checkpoints" / f"{ADAM}-checkpoint.ipynb"
    kept.parent.mkdir()
    kept.write_text("{}")
    with pytest.raises(NotebookError, match="has kept an earlier version"):
        read(path)


def test_a_file_that_is_held_open_is_left_as_it_is(mine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def held(self: Path, target: Path) -> Path:
        raise PermissionError(13, "Access is denied")

    path = put(mine, ADAM, b"before")
    monkeypatch.setattr(Path, "replace", held)
    monkeypatch.setattr(files, "_BETWEEN", 0)
    with pytest.raises(NotebookError, match=r"another program has it open\. Close it there"):
        notebooks.write(path, b"after")
    assert path.read_bytes() == b"before"
    assert list(path.parent.iterdir()) == [path]


# The command.


def test_the_command_says_what_is_open_and_where_the_file_is(adam: LessonSource, root: Path, mine: Path) -> None:
    right = solutions(root)
    path = put(mine, ADAM, answered(released(adam), {"rmsprop_step": right["rmsprop_step"]}))
    done = RUN.invoke(app, ["submit", str(path), "--no-run"], env=WIDE)
    assert done.exit_code == 1
    assert "saved at" in done.output
    assert (
        "Unanswered: adam_step, adagrad_step (bonus of 4), adamw_step (bonus of 5), “Written question”." in done.output
    )
    assert "Nothing was run (--no-run)" in done.output
    assert str((mine / "to_hand_in" / f"{ADAM}.ipynb").resolve()) in done.output
    assert "Nothing has left this machine" in done.output
    packed = pack(read(path), ADAM)
    assert packed.receipt in done.output
    path.write_bytes(as_bytes(answered(released(adam), right)))
    done = RUN.invoke(app, ["submit", str(path), "--no-run", "--output", str(mine.parent / "elsewhere")], env=WIDE)
    assert done.exit_code == 0
    assert (mine.parent / "elsewhere" / packing.FOLDER / f"{ADAM}.ipynb").is_file()


@pytest.mark.slow
def test_the_command_tries_the_notebook(adam: LessonSource, root: Path, mine: Path) -> None:
    notebook = answered(released(adam), solutions(root))
    path = put(mine, ADAM, notebook)
    before = path.read_bytes()
    done = RUN.invoke(app, ["submit", str(path)], env={**WIDE, "COURSE_PROGRESS": ""})
    assert done.exit_code == 0, done.output
    assert done.output.count(", right") == 4
    assert "From top to bottom, every cell runs." in done.output
    assert path.read_bytes() == before
    assert not list(mine.rglob("course_progress.json"))
    insert_after(notebook, "check_adam_step", own("1 / 0"))
    path.write_bytes(as_bytes(notebook))
    done = RUN.invoke(app, ["submit", str(path)], env=WIDE)
    assert done.exit_code == 1
    assert "ZeroDivisionError: division by zero" in done.output
    assert "under “`adam_step`" in done.output


@pytest.mark.skipif(sys.platform == "win32", reason="sends Ctrl-C as on POSIX")
def test_ctrl_c_leaves_everything_as_it_was(adam: LessonSource, mine: Path) -> None:
    notebook = released(adam)
    insert_after(notebook, "cell-004", own("open('begun', 'w').close()\nwhile True: pass"))
    path = put(mine, ADAM, notebook)
    before = path.read_bytes()
    command = [sys.executable, "-m", "course_lib", "submit", str(path)]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    running = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment, text=True)
    end = time.monotonic() + 120
    while not (path.parent / "begun").exists() and time.monotonic() < end and running.poll() is None:
        time.sleep(0.1)
    running.send_signal(signal.SIGINT)
    _, errors = running.communicate(timeout=120)
    assert running.returncode == 2
    assert "Stopped. Nothing was packed" in errors
    assert path.read_bytes() == before
    assert not (mine / "to_hand_in").exists()


def test_help_teaches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    for name in ("submit", "update"):
        done = RUN.invoke(app, [name, "--help"], env=WIDE)
        assert done.exit_code == 0
        assert "Examples" in done.output
        assert "Exit codes" in done.output


def test_help_loads_nothing_heavy(root: Path) -> None:
    program = (
        "import sys; import course_lib.__main__; print([m for m in ('numpy', 'nbformat', 'zmq') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_when_a_file_was_saved_in_words(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.touch()
    saved = datetime(2026, 11, 29, 14, 3)
    os.utime(path, (saved.timestamp(),) * 2)
    for minutes, said in {
        0: "at 14:03 (less than a minute ago)",
        1: "at 14:03 (a minute ago)",
        30: "at 14:03 (30 minutes ago)",
        240: "at 14:03 (4 hours ago)",
        5000: "on 2026-11-29 at 14:03",
        -50: "on 2026-11-29 at 14:03",
    }.items():
        now = datetime.fromtimestamp(saved.timestamp() + 60 * minutes + 1)
        assert ago(path, now) == said
