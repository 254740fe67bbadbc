"""Cards: which one is on top, where it goes, and what is said about the rest."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest

from course_lib.study import clock, content
from course_lib.study.cards import Cards
from course_lib.study.content import ContentError
from course_lib.study.leitner import Place
from course_lib.study.records import Keeper

MONDAY = date(2026, 11, 23)
IDS = ["slope", "both-sides", "height"]


class Calendar:
    """A clock that only a test moves."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.day = MONDAY
        monkeypatch.setattr(clock, "now", lambda: datetime(self.day.year, self.day.month, self.day.day, 18))

    def rest(self, days: int) -> None:
        self.day += timedelta(days=days)


@pytest.fixture
def calendar(monkeypatch: pytest.MonkeyPatch) -> Calendar:
    return Calendar(monkeypatch)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "course_progress.json"


def cards_of(tiny: Path, path: Path | None = None) -> Cards:
    return Cards("01", folder=tiny, keeper=Keeper(path), rng=Random(1))


def top(cards: Cards) -> str | None:
    card: dict[str, Any] | None = cards.view["card"]
    return None if card is None else str(card["id"])


def test_new_cards_come_in_the_order_of_the_file(tiny: Path, calendar: Calendar) -> None:
    cards = cards_of(tiny)
    seen = []
    while (card := top(cards)) is not None:
        seen.append(card)
        cards.grade(True)
    assert seen == IDS
    assert cards.view["said"] == "Nothing is due. Next come 3 cards, on Tuesday 24 November. You know 3 of 3 cards."


def test_a_card_shows_its_sides_with_formulas(tiny: Path, calendar: Calendar) -> None:
    cards = cards_of(tiny)
    cards.grade(True)
    shown = cards.view["card"]
    assert "<em>both</em>" in shown["front"]
    assert "<math>" in shown["back"]


def test_what_is_not_known_comes_again_after_the_others(tiny: Path, calendar: Calendar) -> None:
    cards = cards_of(tiny)
    cards.grade(False)
    assert cards.view["said"] == "3 cards to go today. You know 0 of 3 cards."
    cards.grade(True)
    cards.grade(True)
    assert top(cards) == "slope"
    assert cards.view["said"] == "1 card to go today. You know 2 of 3 cards."
    asked = cards.view["asked"]
    cards.grade(False)
    assert top(cards) == "slope"
    assert cards.view["asked"] > asked, "the page hears of it although nothing else changed"
    cards.grade(True)
    assert top(cards) is None


def test_the_next_visit_goes_on_from_the_file(tiny: Path, path: Path, calendar: Calendar) -> None:
    first = cards_of(tiny, path)
    first.grade(True)
    first.grade(False)
    again = cards_of(tiny, path)
    assert top(again) == "both-sides", "what was not known has waited longest"
    assert again.view["left"] == 2
    again.grade(True)
    again.grade(True)
    calendar.rest(1)
    tomorrow = cards_of(tiny, path)
    assert tomorrow.view["left"] == 3
    tomorrow.grade(True)
    assert Keeper(path).read().of("01_tiny").cards["slope"] == Place(2, MONDAY + timedelta(days=3))


def test_a_page_left_open_over_night_shows_what_is_due(tiny: Path, calendar: Calendar) -> None:
    cards = cards_of(tiny)
    for _ in IDS:
        cards.grade(True)
    cards._hear({"do": "look"})
    assert top(cards) is None
    calendar.rest(1)
    cards._hear({"do": "look"})
    assert cards.view["left"] == 3


def test_practice_asks_all_and_lets_no_card_rest_longer(tiny: Path, path: Path, calendar: Calendar) -> None:
    cards = cards_of(tiny, path)
    for _ in IDS:
        cards.grade(True)
    before = dict(Keeper(path).read().of("01_tiny").cards)
    cards._hear({"do": "practise"})
    assert cards.view["said"] == "3 cards to practise. You know 3 of 3 cards."
    cards.grade(True)
    assert Keeper(path).read().of("01_tiny").cards == before
    cards.grade(False)
    assert Keeper(path).read().of("01_tiny").cards["both-sides"] == Place(0, MONDAY)


def test_shuffling_keeps_every_card(tiny: Path, calendar: Calendar) -> None:
    cards = cards_of(tiny)
    orders = set()
    for _ in range(20):
        cards._hear({"do": "shuffle"})
        orders.add(tuple(cards._queue))
        assert sorted(cards._queue) == sorted(IDS)
        assert top(cards) == cards._queue[0]
    assert len(orders) > 1


def test_a_press_that_comes_late_or_is_not_understood_changes_nothing(tiny: Path, calendar: Calendar) -> None:
    cards = cards_of(tiny)
    for message in (
        {"do": "grade", "id": "height", "known": True},
        {"do": "grade", "id": "slope", "known": "yes"},
        {"do": "grade"},
        {"do": "look"},
        {},
        None,
        "grade",
    ):
        cards._hear(message)
    assert cards.view["left"] == 3
    cards._hear({"do": "grade", "id": "slope", "known": True})
    cards._hear({"do": "grade", "id": "slope", "known": True})
    assert cards.view["left"] == 2


def test_when_nothing_is_left_a_grade_changes_nothing(tiny: Path, calendar: Calendar) -> None:
    cards = cards_of(tiny)
    for _ in range(4):
        cards.grade(True)
    assert cards.view["said"].startswith("Nothing is due.")
    calendar.rest(1)
    cards._hear({"do": "practise"})
    for _ in IDS:
        cards.grade(True)
    assert cards.view["said"] == "Nothing is due. Next come 3 cards, on Thursday 26 November. You know 3 of 3 cards."


def test_two_notebooks_share_what_is_known(tiny: Path, path: Path, calendar: Calendar) -> None:
    one, other = cards_of(tiny, path), cards_of(tiny, path)
    one.grade(True)
    other._hear({"do": "practise"})
    assert other.view["said"] == "3 cards to practise. You know 1 of 3 cards."


def test_where_progress_cannot_be_kept_the_cards_go_on_and_say_so(
    tiny: Path, tmp_path: Path, calendar: Calendar
) -> None:
    (tmp_path / "file").write_text("")
    cards = cards_of(tiny, tmp_path / "file" / "course_progress.json")
    cards.grade(True)
    cards.grade(True)
    assert "Your progress counts only until this notebook's kernel stops" in cards.view["trouble"]
    assert cards.view["said"] == "1 card to go today. You know 2 of 3 cards."


def test_cards_of_a_file_that_the_lesson_no_longer_has_do_no_harm(tiny: Path, path: Path, calendar: Calendar) -> None:
    Keeper(path).update(lambda held: held.of("01_tiny").cards.update({"gone": Place(3, MONDAY)}))
    cards = cards_of(tiny, path)
    assert cards.view["said"] == "3 cards to go today. You know 0 of 3 cards."


def test_at_rest_every_card_can_be_opened_and_nothing_depends_on_the_learner(
    tiny: Path, path: Path, calendar: Calendar
) -> None:
    cards = cards_of(tiny, path)
    before = cards.resting()
    cards.grade(True)
    assert cards.resting() == before == cards_of(tiny).resting()
    assert before.html.count("<details>") == 3
    assert "<math>" in before.html
    assert before.text.startswith(
        "Flash cards (3): think of the answer, then open it.\n\nWhat does a slope of 6 say?\n"
    )


def test_a_lesson_without_cards_says_what_to_write(tmp_path: Path) -> None:
    (tmp_path / "02_bare.toml").write_text('title = "B"\n[overview]\nquick = "q"\nstandard = "s"\ndetailed = "d"\n')
    with pytest.raises(ContentError, match=r"content/02_bare.toml: has no \[\[cards\]\] yet"):
        Cards("02", folder=tmp_path)


@pytest.mark.parametrize("lesson", content.names())
def test_the_course_s_own_cards_can_be_shown(lesson: str) -> None:
    assert Cards(lesson, keeper=Keeper(None)).resting().html.count("<details>") == len(content.load(lesson).cards)
