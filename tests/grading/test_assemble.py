"""What a submission can bring into the notebook that is graded, and what it cannot."""

from __future__ import annotations

import copy
from collections.abc import Callable

import nbformat
import pytest
from nbformat import NotebookNode

from autograder.assemble import KEY, PlannedCell, assemble, plan
from autograder.intake import from_bytes
from tests.grading.fixture_lesson import EXPLORE, SETUP
from tests.grading.helpers import LESSON, RIGHT, as_bytes, cell, submission

pytestmark = pytest.mark.filterwarnings("ignore::nbformat.warnings.DuplicateCellId")
STUB = cell(LESSON.notebook, "scale").source


def assembled(notebook: NotebookNode) -> NotebookNode:
    return assemble(LESSON, from_bytes(as_bytes(notebook)))


def sources(notebook: NotebookNode, role: str) -> list[str]:
    return [planned.source for planned in plan(notebook) if planned.role == role]


def notes(notebook: NotebookNode) -> list[str]:
    return list(notebook.metadata[KEY]["notes"])


def test_only_set_up_answers_and_checks_run() -> None:
    result = assembled(submission(RIGHT))
    assert [(each.role, each.exercise) for each in plan(result)] == [
        ("setup", ""),
        *[(role, name) for name in RIGHT for role in ("answer", "check")],
    ]
    assert EXPLORE in [each.source for each in result.cells]
    assert nbformat.validator.isvalid(result)


def test_the_notebook_without_a_submission_is_the_released_one() -> None:
    result = assemble(LESSON, from_bytes(None))
    assert [each.source for each in result.cells] == [each.source for each in LESSON.notebook.cells]
    assert not sources(result, "answer")


def test_everything_but_the_text_comes_from_the_instructor() -> None:
    def spoil(notebook: NotebookNode) -> None:
        notebook.metadata = nbformat.from_dict({"kernelspec": {"name": "evil", "display_name": "x"}})
        for each in notebook.cells:
            each.metadata["tags"] = ["skip-execution", "raises-exception"]
            if "nbgrader" in each.metadata:
                each.metadata.nbgrader["points"] = 1000
                each.metadata.nbgrader["locked"] = False
        cell(notebook, "check_scale").outputs = [
            nbformat.v4.new_output("execute_result", data={"text/plain": "1000"}, execution_count=1)
        ]

    result = assembled(submission(RIGHT, edit=spoil))
    plain = assembled(submission(RIGHT))
    assert result.metadata[KEY].pop("submission") != plain.metadata[KEY].pop("submission")  # the digests of the files
    assert result == plain


def test_deleted_copied_and_reordered_graded_cells_have_no_effect() -> None:
    def shuffle(notebook: NotebookNode) -> None:
        notebook.cells.append(copy.deepcopy(cell(notebook, "check_centre")))
        notebook.cells.remove(cell(notebook, "check_scale"))
        notebook.cells.reverse()

    result, plain = assembled(submission(RIGHT, edit=shuffle)), assembled(submission(RIGHT))
    assert [each.source for each in result.cells] == [each.source for each in plain.cells]


def test_an_answer_that_is_not_there_keeps_its_stub_and_does_not_run() -> None:
    result = assembled(submission(RIGHT, edit=lambda notebook: notebook.cells.remove(cell(notebook, "scale"))))
    assert cell(result, "scale").source == STUB
    assert "scale" not in [each.exercise for each in plan(result) if each.role == "answer"]


def test_the_first_answer_that_is_more_than_the_stub_counts() -> None:
    def twice(notebook: NotebookNode) -> None:
        original = cell(notebook, "scale")
        place = notebook.cells.index(original)
        for number, source in enumerate((RIGHT["scale"], "def scale(x, factor):\n    return 0"), start=1):
            again = copy.deepcopy(original)
            again.source, again.id = source, f"copy{number}"
            notebook.cells.insert(place + number, again)

    result = assembled(submission(edit=twice))
    assert cell(result, "scale").source == RIGHT["scale"]
    assert notes(result) == ["scale was answered in 2 cells; the first one counts."]


def test_the_same_answer_twice_is_no_matter() -> None:
    def twice(notebook: NotebookNode) -> None:
        notebook.cells.insert(0, copy.deepcopy(cell(notebook, "scale")))

    assert notes(assembled(submission(RIGHT, edit=twice))) == []


def test_learner_s_own_cells_run_in_their_place() -> None:
    result = assembled(
        submission(RIGHT, after={"question-scale": "def half(x):\n    return x / 2", "check_scale": "half(3)"})
    )
    order = [(each.role, each.exercise or each.source[:7]) for each in plan(result)]
    assert order[1:5] == [("learner", "def hal"), ("answer", "scale"), ("check", "scale"), ("learner", "half(3)")]


def test_an_edited_set_up_cell_runs_after_the_original() -> None:
    def edit(notebook: NotebookNode) -> None:
        cell(notebook, "cell-002").source += "\nimport math"

    result = assembled(submission(RIGHT, edit=edit))
    assert [(each.role, each.source) for each in plan(result)][:2] == [
        ("setup", SETUP),
        ("learner", f"{SETUP}\nimport math"),
    ]


def test_an_edited_exploration_takes_the_place_of_the_original() -> None:
    def edit(notebook: NotebookNode) -> None:
        cell(notebook, "cell-003").source = "print('mine')"

    result = assembled(submission(RIGHT, edit=edit))
    assert sources(result, "learner") == ["print('mine')"]
    assert EXPLORE not in [each.source for each in result.cells]


def test_an_edited_check_leaves_the_original_where_it_is() -> None:
    def edit(notebook: NotebookNode) -> None:
        cell(notebook, "check_scale").source = "print(100)"

    result = assembled(submission(RIGHT, edit=edit))
    assert cell(result, "check_scale").source == 'check("scale")'
    assert PlannedCell(result.cells.index(cell(result, "check_scale")), "check", exercise="scale") in plan(result)
    assert sources(result, "learner") == ["print(100)"]


@pytest.mark.parametrize("lost", ["ids", "ids and metadata"])
def test_lost_cell_ids_do_not_matter(lost: str) -> None:
    def lose(notebook: NotebookNode) -> None:
        for number, each in enumerate(notebook.cells):
            each.id = f"new{number}"
            if lost == "ids and metadata":
                each.metadata = nbformat.from_dict({})

    result, plain = assembled(submission(RIGHT, edit=lose)), assembled(submission(RIGHT))
    assert [each.source for each in result.cells] == [each.source for each in plain.cells]
    assert plan(result) == plan(plain)
    assert len(notes(result)) == (3 if "metadata" in lost else 0)


def test_windows_line_ends_and_spaces_at_line_ends_change_nothing() -> None:
    def windows(notebook: NotebookNode) -> None:
        for each in notebook.cells:
            each.source = each.source.replace("\n", "  \r\n")

    result = assembled(submission(edit=windows))
    assert sources(result, "learner") == []
    assert notes(result) == []


def test_a_written_answer_is_carried_over() -> None:
    def write(notebook: NotebookNode) -> None:
        cell(notebook, "written").source = "Because the slope is smaller."

    assert cell(assembled(submission(edit=write)), "written").source == "Because the slope is smaller."


def test_an_answer_turned_into_text_is_no_answer() -> None:
    def turn(notebook: NotebookNode) -> None:
        place = notebook.cells.index(cell(notebook, "scale"))
        old = notebook.cells[place]
        notebook.cells[place] = nbformat.v4.new_markdown_cell(old.source, metadata=old.metadata, id=old.id)

    result = assembled(submission(RIGHT, edit=turn))
    assert cell(result, "scale").source == STUB
    assert cell(result, "scale").cell_type == "code"
    assert notes(result) == ["The answer cell of scale was turned into text, so it is no answer."]


def swap(first: str, second: str) -> Callable[[NotebookNode], None]:
    """Exchange the texts of two cells, as somebody does who pastes into the wrong one."""

    def edit(notebook: NotebookNode) -> None:
        one, other = cell(notebook, first), cell(notebook, second)
        one.source, other.source = other.source, one.source

    return edit


def test_answers_in_each_other_s_cells_are_put_right() -> None:
    result = assembled(submission(RIGHT, edit=swap("scale", "centre")))
    assert {name: cell(result, name).source for name in RIGHT} == RIGHT
    assert len(notes(result)) == 2


def test_both_answers_in_one_cell_count_for_both() -> None:
    both = f"{RIGHT['scale']}\n\n\n{RIGHT['centre']}"
    result = assembled(submission({"scale": both}))
    assert cell(result, "centre").source == both
    assert notes(result) == ["centre was answered in another cell than its own; that one counts."]


@pytest.mark.parametrize("place", ["title", "check_shift"])
@pytest.mark.parametrize("own", ["stub", "", "# see elsewhere\nx = 1"])
def test_an_answer_in_a_cell_of_one_s_own_counts_wherever_it_stands(place: str, own: str) -> None:
    answers = {**RIGHT, "scale": STUB if own == "stub" else own}
    result = assembled(submission(answers, after={place: RIGHT["scale"]}))
    assert cell(result, "scale").source == RIGHT["scale"]
    assert notes(result) == ["scale was answered in another cell than its own; that one counts."]
    assert (own in sources(result, "learner")) == (own.startswith("#"))


def test_of_two_answers_elsewhere_the_last_counts() -> None:
    better = "scale = lambda x, factor: factor * x"
    result = assembled(submission(after={"title": "def scale(x, factor):\n    return x", "check_scale": better}))
    assert cell(result, "scale").source == better


def test_an_answer_is_taken_from_its_own_cell_where_it_is_there() -> None:
    draft = "def scale(x, factor):\n    return x"
    result = assembled(submission(RIGHT, after={"title": draft, "check_shift": draft}))
    assert cell(result, "scale").source == RIGHT["scale"]
    assert notes(result) == []


def test_a_call_or_a_comparison_is_no_answer() -> None:
    result = assembled(submission(after={"title": "scale(1, 2)\nscale == 3\nprint('def scale')\n# def scale"}))
    assert cell(result, "scale").source == STUB


def test_an_empty_cell_is_no_answer_beside_a_written_one() -> None:
    def twice(notebook: NotebookNode) -> None:
        again = copy.deepcopy(cell(notebook, "scale"))
        again.source = "  \n"
        notebook.cells.insert(0, again)

    result = assembled(submission(RIGHT, edit=twice))
    assert cell(result, "scale").source == RIGHT["scale"]


def test_an_emptied_answer_is_no_answer() -> None:
    result = assembled(submission({**RIGHT, "scale": "\n"}))
    assert cell(result, "scale").source == "\n"
    assert notes(result) == []


def test_a_grade_id_in_other_capitals_is_a_lost_one() -> None:
    def capitals(notebook: NotebookNode) -> None:
        for each in notebook.cells:
            each.id = f"x{len(each.source)}"
            if "nbgrader" in each.metadata:
                each.metadata.nbgrader.grade_id = each.metadata.nbgrader.grade_id.upper()

    result, plain = assembled(submission(RIGHT, edit=capitals)), assembled(submission(RIGHT))
    assert plan(result) == plan(plain)


@pytest.mark.parametrize("kind", ["code", "raw"])
def test_a_written_answer_in_another_kind_of_cell_is_text_all_the_same(kind: str) -> None:
    def turn(notebook: NotebookNode) -> None:
        place = notebook.cells.index(cell(notebook, "written"))
        new = {"code": nbformat.v4.new_code_cell, "raw": nbformat.v4.new_raw_cell}[kind]
        notebook.cells[place] = new("import os", metadata=notebook.cells[place].metadata, id="written")

    result = assembled(submission(RIGHT, edit=turn))
    assert (cell(result, "written").source, cell(result, "written").cell_type) == ("import os", "markdown")
    assert sources(result, "learner") == []


def test_thousands_of_cells_are_placed() -> None:
    def fill(notebook: NotebookNode) -> None:
        notebook.cells += [nbformat.v4.new_code_cell(f"x = {number}") for number in range(1_900)]

    result = assembled(submission(RIGHT, edit=fill))
    assert len(sources(result, "learner")) == 1_900
    assert len({each.id for each in result.cells}) == len(result.cells)


@pytest.mark.parametrize(
    "magic", ["%%bash\nrm -rf ~", "!curl example.org", "%run /etc/passwd", "%load_ext x", "%%capture\n1"]
)
def test_magics_are_untrusted_code_like_any_other(magic: str) -> None:
    result = assembled(submission({**RIGHT, "shift": magic}, after={"check_scale": magic}))
    assert sources(result, "learner") == [magic]
    assert cell(result, "shift").source == magic


def test_the_lesson_s_solution_and_mark_scheme_are_not_in_it() -> None:
    text = as_bytes(assembled(submission())).decode()
    assert "factor * x" not in text
    assert "BEGIN MARK SCHEME" not in text
    assert "The best answer" not in text
