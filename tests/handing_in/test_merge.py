"""Merging: whatever a learner did to a lesson, and whatever became of the lesson, nothing written is lost."""

from __future__ import annotations

import copy
import functools
import random
from typing import Any

import nbformat
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autograder.assemble import assemble, plan
from autograder.intake import from_bytes
from autograder.lesson import LessonSource, grade_id
from course_lib.submission.matching import normal
from course_lib.submission.notebooks import RELEASED, Notebook, NotebookError, as_bytes
from course_lib.updating.merge import Merged, merge
from tests.grading.fixture_lesson import ANSWERS, EXERCISES, NAME
from tests.handing_in.lesson import (
    answered,
    cell,
    code,
    fixture_cells,
    insert_after,
    lesson_of_cells,
    own,
    released,
    text,
)

OLD = lesson_of_cells(
    [*fixture_cells(), text("## Use"), code("my_guess = None  # your guess", tags=["use"]), text("Well guessed?")],
    EXERCISES,
)


def newer(*, without: tuple[str, ...] = (), seed: int | None = None, **texts: str) -> LessonSource:
    """A newer version: exercises left out, texts replaced, cells shuffled."""
    return _newer(without, seed, tuple(texts.items()))


@functools.cache
def _newer(without: tuple[str, ...], seed: int | None, texts: tuple[tuple[str, str], ...]) -> LessonSource:
    cells = [
        *fixture_cells(),
        text("## Use"),
        code("my_guess = None  # your guess", tags=["use"]),
        text("Well guessed?"),
    ]
    cells = [each for each in cells if each.id.removeprefix("check_").removeprefix("question-") not in without]
    for each in cells:
        for old, new in texts:
            each.source = each.source.replace(old, new)
    cells.insert(4, text("A cell that is new."))
    if seed is not None:
        random.Random(seed).shuffle(cells)
    return lesson_of_cells(cells, EXERCISES)


def merged(old: Notebook, source: LessonSource) -> Merged:
    found = merge(old, released(source), NAME)
    nbformat.validate(nbformat.from_dict(found.notebook))
    return found


def sources(notebook: Notebook) -> list[str]:
    return [each["source"] for each in notebook["cells"]]


def graded_answers(notebook: Notebook, source: LessonSource) -> dict[str, str]:
    """What the grader would take as answers, where there is more than the stub."""
    stubs = {grade_id(each): normal(each.source) for each in source.notebook.cells}
    result = assemble(source, from_bytes(as_bytes(notebook)))
    planned = {each.exercise: each.source for each in plan(result) if each.role == "answer"}
    return {name: said for name, said in planned.items() if said.strip() and normal(said) != stubs[name]}


def test_answers_go_into_the_new_version_by_their_exercise() -> None:
    new = newer(**{"## Use": "## Use it now"})
    old = answered(released(OLD), {**ANSWERS, "written": "Because."})
    found = merged(old, new)
    assert found.kept == ["scale", "centre", "shift", "written"]
    assert {name: cell(found.notebook, name)["source"] for name in ANSWERS} == ANSWERS
    assert cell(found.notebook, "written")["source"] == "Because."
    assert "## Use it now" in sources(found.notebook)
    assert "## Use" not in sources(found.notebook)
    assert len(found.notebook["cells"]) == len(new.notebook.cells)
    assert (found.own, found.edited, found.beside, found.new, found.gone) == (0, 0, 0, [], [])


def test_an_untouched_answer_gets_the_new_stub() -> None:
    new = newer(**{"def centre(x):": "def centre(x):\n    # Take the mean away."})
    found = merged(answered(released(OLD), {"scale": ANSWERS["scale"]}), new)
    assert found.kept == ["scale"]
    assert "# Take the mean away." in cell(found.notebook, "centre")["source"]


def test_a_changed_stub_keeps_the_answer_and_says_so() -> None:
    old = answered(released(OLD), ANSWERS)
    found = merged(old, newer(**{"def centre(x):": "def centre(x):\n    # Take the mean away."}))
    assert cell(found.notebook, "centre")["source"] == ANSWERS["centre"]
    assert found.notes == [
        "What is given in the cell of centre has changed. Your answer is kept: read the question again."
    ]
    found = merged(old, newer(**{"def centre(x):": "def centre(x, axis):"}))
    assert cell(found.notebook, "centre")["source"] == ANSWERS["centre"]
    assert found.notes[0].startswith("centre is now called with (x, axis), and yours takes (x).")


def test_a_new_exercise_is_named() -> None:
    before = newer(without=("shift",))
    found = merged(answered(released(before), {"scale": ANSWERS["scale"]}), OLD)
    assert found.new == ["shift"]
    assert cell(found.notebook, "shift")["source"].endswith("raise NotImplementedError()")


def test_an_answer_whose_exercise_is_gone_is_kept_in_its_place() -> None:
    found = merged(answered(released(OLD), ANSWERS), newer(without=("centre",)))
    assert found.gone == ["centre"]
    said = sources(found.notebook)
    place = said.index(ANSWERS["centre"])
    assert said[place - 1].startswith("*Kept from your earlier version: your answer to `centre`")
    assert said.index('check("scale")') < place < said.index('check("shift")')
    kept = found.notebook["cells"][place]
    assert "nbgrader" not in kept["metadata"]
    # Its check and its stub, where nothing was written, are no learner's.
    assert 'check("centre")' not in said
    assert merged(released(OLD), newer(without=("centre",))).gone == []


def test_own_cells_stay_behind_the_cell_that_they_followed_also_where_that_was_worded_anew() -> None:
    old = released(OLD)
    guess = next(each["id"] for each in old["cells"] if each["source"].startswith("my_guess"))
    insert_after(old, "check_scale", own("half = 0.5", name="a"), own("a *note*", "markdown", name="b"))
    insert_after(old, guess, own("my_guess = 3", name="c"))
    found = merged(old, newer(**{"my_guess = None": "my_guess = ...", "Build centre": "Write centre"}))
    said = sources(found.notebook)
    assert said[said.index('check("scale")') + 1 :][:2] == ["half = 0.5", "a *note*"]
    assert said[said.index("my_guess = ...  # your guess") + 1] == "my_guess = 3"
    assert found.own == 3
    assert "my_guess = None  # your guess" not in said


def test_an_edited_cell_keeps_the_learner_s_text() -> None:
    old = released(OLD)
    guess = next(each for each in old["cells"] if each["source"].startswith("my_guess"))
    guess.update(source="my_guess = 50", execution_count=7, outputs=[nbformat.v4.new_output("stream", text="ok")])
    found = merged(old, newer(**{"# A fixture": "# A better fixture"}))
    assert (found.edited, found.beside) == (1, 0)
    kept = next(each for each in found.notebook["cells"] if each["source"] == "my_guess = 50")
    assert kept["metadata"]["tags"] == ["use"]
    assert kept["outputs"] == guess["outputs"]
    assert kept["execution_count"] == 7


def test_a_cell_that_both_changed_is_there_twice() -> None:
    old = released(OLD)
    next(each for each in old["cells"] if each["source"] == "Well guessed?")["source"] = "Well guessed? Yes!"
    found = merged(old, newer(**{"Well guessed?": "Was it a good guess?"}))
    said = sources(found.notebook)
    assert said[-3] == "Was it a good guess?"
    assert said[-2].startswith("*Kept from your earlier version: you had changed this cell")
    assert said[-1] == "Well guessed? Yes!"
    assert found.beside == 1


def test_outputs_stay_where_the_code_did_and_pictures_with_their_text() -> None:
    old = answered(released(OLD), ANSWERS)
    shown = nbformat.v4.new_output("execute_result", {"text/plain": "4"}, execution_count=3)
    cell(old, "check_scale").update(outputs=[shown], execution_count=3)
    cell(old, "written").update(source="![a](attachment:a.png)", attachments={"a.png": {"image/png": "AAAA"}})
    found = merged(old, newer(**{"# A fixture": "# Other"}))
    assert cell(found.notebook, "check_scale")["outputs"] == [shown]
    assert cell(found.notebook, "written")["attachments"] == {"a.png": {"image/png": "AAAA"}}


def test_what_programs_noted_stays_and_what_the_course_says_comes_from_the_new_version() -> None:
    old = released(OLD)
    old["metadata"]["kernelspec"] = {"name": "mine", "display_name": "Mine"}
    cell(old, "scale")["metadata"] |= {"collapsed": True, "nbgrader": {"grade_id": "scale", "points": 1000}}
    new = newer()
    found = merged(old, new)
    assert found.notebook["metadata"]["kernelspec"]["name"] == "mine"
    assert found.notebook["metadata"][RELEASED] == released(new)["metadata"][RELEASED]
    assert cell(found.notebook, "scale")["metadata"]["collapsed"] is True
    assert cell(found.notebook, "scale")["metadata"]["nbgrader"] == cell(released(new), "scale")["metadata"]["nbgrader"]


def test_a_second_copy_of_an_answer_stays_what_it_was_and_does_not_count() -> None:
    old = answered(released(OLD), ANSWERS)
    again = copy.deepcopy(cell(old, "scale")) | {"id": "again", "source": "def scale(x, factor):\n    return 0"}
    insert_after(old, "scale", again)
    found = merged(old, newer())
    assert graded_answers(found.notebook, newer())["scale"] == ANSWERS["scale"]
    assert cell(found.notebook, "again")["metadata"]["nbgrader"]["grade_id"] == "scale"


def test_the_answer_that_counted_still_counts_where_its_cell_changes_places() -> None:
    old = released(OLD)
    guess = next(each["id"] for each in old["cells"] if each["source"].startswith("my_guess"))
    for after, value in ((guess, 1), (old["cells"][-1]["id"], 2)):
        insert_after(old, after, own(f"def scale(x, factor):\n    return {value}", name=f"mine-{value}"))
    assert graded_answers(old, OLD)["scale"].endswith("return 2")  # of two in cells of one's own, the last
    cells = [*OLD.notebook.cells]
    new = lesson_of_cells([cells[-1], *fixture_cells(), *cells[-3:-1]], EXERCISES)
    found = merged(old, new)
    assert sources(found.notebook)[-1].endswith("return 1")
    assert graded_answers(found.notebook, new)["scale"].endswith("return 2")
    assert found.notes == ["scale was answered in another cell than its own; that answer now stands in its own, too."]


def test_a_deleted_check_comes_back() -> None:
    old = answered(released(OLD), ANSWERS)
    old["cells"].remove(cell(old, "check_scale"))
    found = merged(old, OLD)
    assert sources(found.notebook) == sources(answered(released(OLD), ANSWERS))


def test_an_answered_notebook_is_no_new_version() -> None:
    with pytest.raises(NotebookError, match="no fresh copy"):
        merge(released(OLD), answered(released(OLD), ANSWERS), NAME)


def without_release(notebook: Notebook) -> Notebook:
    """As lessons were before they said what they were released with."""
    bare = copy.deepcopy(notebook)
    del bare["metadata"][RELEASED]
    return bare


def test_a_notebook_of_before_keeps_more_than_it_must() -> None:
    old = without_release(answered(released(OLD), {"scale": ANSWERS["scale"]}))
    found = merged(old, newer(without=("centre",), **{"## Use": "## Use it"}))
    assert found.kept == ["scale"]
    assert found.gone == []  # nbgrader's checksum says that the stub was not touched
    assert "## Use" in sources(found.notebook)  # it may be the learner's
    assert "of before lessons said" in found.notes[-1]
    assert merged(found.notebook, newer(without=("centre",), **{"## Use": "## Use it"})).notebook == found.notebook


# Whatever is done to both.


class Learner:
    """Does things to a notebook, and remembers nothing: what is the learner's carries a number."""

    def __init__(self, notebook: Notebook) -> None:
        self.notebook = notebook
        self.count = 0

    def mine(self) -> str:
        self.count += 1
        return f"mine_{self.count} = {self.count}"

    def do(self, what: str, at: int, to: int) -> None:
        cells = self.notebook["cells"]
        if not cells:
            cells.append(own(self.mine(), name=f"own-{self.count}"))
        each = cells[at % len(cells)]
        to %= len(cells) + 1
        match what:
            case "edit":
                each["source"] += f"\n{self.mine()}"
            case "replace":
                each["source"] = self.mine()
            case "answer":
                each["source"] = f"def scale(x, factor):\n    {self.mine()}\n    return factor * x"
            case "add code" | "add text":
                made = own(self.mine(), "code" if what == "add code" else "markdown", f"own-{self.count}")
                cells.insert(to, made)
            case "delete":
                cells.remove(each)
            case "copy":
                cells.insert(to, copy.deepcopy(each) | {"id": f"copy-{at}-{len(cells)}"})
            case "move":
                cells.remove(each)
                cells.insert(to, each)
            case "lose metadata":
                each["metadata"] = {}
            case "lose id":
                each["id"] = f"lost-{at}-{len(cells)}"
            case "turn":
                turned = "markdown" if each["cell_type"] == "code" else "code"
                kept = {key: each[key] for key in ("id", "metadata")}
                each.clear()
                each.update({**own(self.mine(), turned), **kept})
            case "empty":
                each["source"] = ""


DEEDS = (
    "edit", "replace", "answer", "add code", "add text", "delete", "copy", "move", "lose metadata", "lose id", "turn",
    "empty",
)  # fmt: skip
deeds = st.lists(st.tuples(st.sampled_from(DEEDS), st.integers(0, 30), st.integers(0, 30)), max_size=12)
changes = st.fixed_dictionaries(
    {
        "without": st.lists(st.sampled_from(sorted(ANSWERS)), max_size=2, unique=True).map(tuple),
        "seed": st.none() | st.integers(0, 5),
        "# A fixture": st.sampled_from(["# A fixture", "# Another"]),
        "## Use": st.sampled_from(["## Use", "## Use it", ""]),
        "my_guess = None": st.sampled_from(["my_guess = None", "my_guess = ..."]),
        "def scale(x, factor):": st.sampled_from(
            ["def scale(x, factor):", "def scale(x, by):", "def scale(x):  # how?"]
        ),
    }
)


def lines_of_learner(notebook: Notebook) -> set[str]:
    return {line.strip() for each in notebook["cells"] for line in each["source"].split("\n") if "mine_" in line}


@settings(max_examples=100, deadline=None)
@given(deeds, changes, st.booleans())
def test_nothing_written_is_lost_and_twice_is_once(done: list[Any], change: dict[str, Any], known: bool) -> None:
    learner = Learner(released(OLD))
    for deed in done:
        learner.do(*deed)
    old = learner.notebook if known else without_release(learner.notebook)
    before = copy.deepcopy(old)
    new = newer(**change)
    found = merged(old, new)
    assert old == before
    assert lines_of_learner(found.notebook) >= lines_of_learner(old)
    # The course's cells are all there, in their order, but for those that hold the learner's text.
    ids = [each["id"] for each in found.notebook["cells"]]
    assert len(set(ids)) == len(ids)
    given_ids = [each.id for each in new.notebook.cells]
    assert [name for name in ids if name in given_ids] == given_ids
    for each in new.notebook.cells:
        here = cell(found.notebook, each.id)["source"]
        assert normal(here) == normal(each.source) or "mine_" in here or not known
    assert merged(found.notebook, new).notebook == found.notebook


@settings(max_examples=100, deadline=None)
@given(deeds, changes)
def test_the_grader_finds_the_same_answers_in_it(done: list[Any], change: dict[str, Any]) -> None:
    learner = Learner(answered(released(OLD), {"centre": ANSWERS["centre"]}))
    for deed in done:
        learner.do(*deed)
    new = newer(**change)
    asked = {each.name for each in new.exercises}
    were = {name: said for name, said in graded_answers(learner.notebook, OLD).items() if name in asked}
    are = graded_answers(merged(learner.notebook, new).notebook, new)
    assert {name: normal(said) for name, said in are.items()} == {name: normal(said) for name, said in were.items()}
