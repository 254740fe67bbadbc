"""Where was I: what is counted, where it leads, and what is said."""

from __future__ import annotations

import shutil
from datetime import date, datetime
from pathlib import Path

import pytest

from course_lib import exercises
from course_lib.exercises.exercise import Exercise
from course_lib.study import clock
from course_lib.study.leitner import Place
from course_lib.study.progress import Progress
from course_lib.study.records import Change, Checked, Keeper, Quizzed, Records

TODAY = date(2026, 11, 23)
LESSON = "01_backpropagation"


@pytest.fixture
def folder(tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The content of two lessons: one with the exercises of the course's first, and one without any."""
    monkeypatch.setattr(clock, "now", lambda: datetime(2026, 11, 23, 18))
    shutil.copy(tiny / "01_tiny.toml", tmp_path / f"{LESSON}.toml")
    (tmp_path / "02_next.toml").write_text('title = "Next"\n[overview]\nquick = "q"\nstandard = "s"\ndetailed = "d"\n')
    return tmp_path


def core() -> list[Exercise]:
    return [exercise for exercise in exercises.of_lesson(LESSON) if not exercise.stretch]


def progress(folder: Path, *changes: Change) -> Progress:
    keeper = Keeper(None)
    for change in changes:
        keeper.update(change)
    return Progress(keeper=keeper, folder=folder)


def pass_checks(count: int) -> Change:
    def change(held: Records) -> None:
        record = held.of(LESSON)
        record.last = datetime(2026, 11, 20, 9)
        for exercise in core()[:count]:
            record.checks[exercise.name] = Checked(exercise.points, exercise.points, TODAY)

    return change


def know_all(held: Records) -> None:
    for card in ("slope", "both-sides", "height"):
        held.of(LESSON).cards[card] = Place(2, date(2026, 11, 25))


def do_the_quiz(held: Records) -> None:
    held.of(LESSON).quiz = Quizzed(3, 4, TODAY)


def test_at_the_start_it_leads_to_the_first_lesson(folder: Path) -> None:
    begun = progress(folder)
    assert begun.where()[0] == "Nothing is kept yet. Begin with 01 · Slopes."
    assert repr(begun) == (
        "Nothing is kept yet. Begin with 01 · Slopes.\n"
        f"01 · Slopes: exercises 0 of {len(core())}, cards known 0 of 3, quiz, best 0 of 4\n"
        "02 · Next: exercises none here, cards known none here, quiz, best none here"
    )


def test_it_goes_on_with_the_first_exercise_that_is_not_right(folder: Path) -> None:
    said, goal = progress(folder, pass_checks(2)).where()
    assert (
        said == f"Last time, on Friday 20 November, you were in 01 · Slopes. Next there: the exercise {core()[2].name}."
    )
    assert goal is not None
    assert (goal.passed, goal.to_pass) == (2, len(core()))


def test_a_check_half_right_or_of_an_older_exercise_counts_as_open(folder: Path) -> None:
    def change(held: Records) -> None:
        first, second = core()[:2]
        held.of(LESSON).checks[first.name] = Checked(first.points - 1, first.points, TODAY)
        held.of(LESSON).checks[second.name] = Checked(second.points + 1, second.points + 1, TODAY)

    standing = progress(folder, pass_checks(3), change).standings[0]
    assert standing.passed == 1
    assert standing.next_check == core()[0].name


def test_a_bonus_is_not_asked_for(folder: Path) -> None:
    assert any(exercise.stretch for exercise in exercises.of_lesson(LESSON))
    assert progress(folder, pass_checks(99)).standings[0].next_check == ""


def test_an_optional_lesson_comes_last_and_counts_its_bonus_exercises(folder: Path) -> None:
    (folder / "02_next.toml").rename(folder / "11_modern_optimizers.toml")
    shutil.copy(folder / f"{LESSON}.toml", folder / "12_last.toml")

    def finished(held: Records) -> None:
        for change in (pass_checks(99), know_all, do_the_quiz):
            change(held)

    def finished_the_last_too(held: Records) -> None:
        held.lessons["12_last"] = held.of(LESSON)

    begun = progress(folder, finished)
    assert [standing.optional for standing in begun.standings] == [False, True, False]
    assert (begun.standings[1].passed, begun.standings[1].to_pass) == (0, 3)
    assert begun.where()[0].endswith("Next in 12 · Slopes: 3 flash cards that you do not know yet.")
    both = progress(folder, finished, finished_the_last_too)
    assert both.where()[0].endswith("Next in 11 · Next: the exercise lion_step.")


def test_who_is_in_an_optional_lesson_stays_there(folder: Path) -> None:
    (folder / "02_next.toml").rename(folder / "11_modern_optimizers.toml")

    def change(held: Records) -> None:
        held.of("11_modern_optimizers").last = datetime(2026, 11, 21, 9)

    assert progress(folder, change).where()[0].endswith("Next there: the exercise lion_step.")


def test_after_the_exercises_come_the_cards_then_the_quiz_then_nothing(folder: Path) -> None:
    every = pass_checks(99)
    assert "Next there: 3 flash cards that you do not know yet." in progress(folder, every).where()[0]
    assert "Next there: the quiz." in progress(folder, every, know_all).where()[0]
    said, goal = progress(folder, every, know_all, do_the_quiz).where()
    assert said.endswith("Every lesson is done.")
    assert goal is None


def test_a_quiz_done_without_a_right_answer_is_done_and_one_with_other_questions_is_not(folder: Path) -> None:
    def quizzed(best: int, of: int) -> Change:
        return lambda held: setattr(held.of(LESSON), "quiz", Quizzed(best, of, TODAY))

    every = pass_checks(99)
    assert progress(folder, every, know_all, quizzed(0, 4)).where()[1] is None
    assert "Next there: the quiz." in progress(folder, every, know_all, quizzed(5, 5)).where()[0]


def test_a_finished_lesson_leads_to_the_next_open_one(folder: Path) -> None:
    text = (folder / "02_next.toml").read_text() + '[[cards]]\nid = "a"\nfront = "f"\nback = "b"\n'
    (folder / "02_next.toml").unlink()
    (folder / "03_after.toml").write_text(text)
    said, goal = progress(folder, pass_checks(99), know_all, do_the_quiz).where()
    assert said.endswith("Next in 03 · Next: 1 flash card that you do not know yet.")
    assert goal is not None
    assert goal.name == "03_after"


def test_cards_that_are_due_are_told(folder: Path) -> None:
    def change(held: Records) -> None:
        held.of(LESSON).cards["slope"] = Place(1, TODAY)
        held.of(LESSON).cards["height"] = Place(1, date(2026, 11, 24))

    assert progress(folder, pass_checks(1), change).where()[0].endswith("1 flash card is due today: 1 in 01 · Slopes.")


def test_the_page_has_the_numbers_as_words_and_a_link_that_leads_there(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("00_warm_up", LESSON):
        (folder / "lessons" / name).mkdir(parents=True)
        (folder / "lessons" / name / f"{name}.ipynb").write_text("{}")
    shown = progress(folder, pass_checks(2), know_all)
    for start, link in (
        ("lessons/00_warm_up", f"../{LESSON}/{LESSON}.ipynb"),
        ("lessons", f"{LESSON}/{LESSON}.ipynb"),
        (".", f"lessons/{LESSON}/{LESSON}.ipynb"),
    ):
        monkeypatch.chdir(folder / start)
        html = shown._repr_mimebundle_()["text/html"]
        assert f'<a href="{link}">Go on in 01 · Slopes</a>' in html
    assert f"2 of {len(core())}<div" in html
    assert "3 of 3<div" in html
    assert "width: 100%" in html
    monkeypatch.chdir("/")
    assert "<a " not in shown._repr_mimebundle_()["text/html"]


def test_the_course_s_own_lessons_are_counted() -> None:
    shown = Progress(keeper=Keeper(None))
    assert {standing.name for standing in shown.standings} >= set(exercises.LESSONS) & {"01_backpropagation"}
    assert "Nothing is kept yet. Begin with " in repr(shown)
