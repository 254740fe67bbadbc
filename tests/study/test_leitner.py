"""Leitner's boxes: no card is lost, none comes early, and what is known rests longer and longer."""

from __future__ import annotations

from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st

from course_lib.study import leitner
from course_lib.study.leitner import LAST_BOX, REST_DAYS, Place

TODAY = date(2026, 11, 23)
CARDS = tuple("abcdef")
days = st.integers(-400, 400).map(lambda offset: TODAY + timedelta(days=offset))
places = st.builds(Place, box=st.integers(0, LAST_BOX), due=days)
decks = st.dictionaries(st.sampled_from(CARDS), places)
visits = st.lists(st.tuples(st.integers(0, 30), st.lists(st.booleans(), min_size=6, max_size=6)), max_size=20)


def test_a_card_known_each_time_rests_1_2_4_8_16_and_again_16_days() -> None:
    place, today, rests = None, TODAY, []
    for _ in range(7):
        place = leitner.after(place, known=True, today=today)
        rests.append((place.due - today).days)
        today = place.due
    assert rests == [1, 2, 4, 8, 16, 16, 16]


@given(place=st.none() | places, today=days)
def test_what_is_not_known_is_due_at_once_and_starts_over(place: Place | None, today: date) -> None:
    after = leitner.after(place, known=False, today=today)
    assert after == Place(0, today)
    assert leitner.is_due(after, today)
    assert leitner.after(after, known=True, today=today).due == today + timedelta(days=1)


@given(place=places, today=days)
def test_knowing_a_card_that_is_not_due_changes_nothing(place: Place, today: date) -> None:
    after = leitner.after(place, known=True, today=today)
    if leitner.is_due(place, today):
        assert after.box == min(place.box + 1, LAST_BOX)
        assert after.due == today + timedelta(days=REST_DAYS[after.box])
    else:
        assert after == place


@given(deck=decks, today=days)
def test_every_card_is_due_now_or_within_the_longest_rest(deck: dict[str, Place], today: date) -> None:
    now = leitner.due(CARDS, deck, today)
    assert len(set(now)) == len(now)
    later = [card for card in CARDS if card not in now]
    assert all(today < deck[card].due <= today + timedelta(days=REST_DAYS[-1]) for card in later)


@given(deck=decks, today=days)
def test_the_longest_wait_comes_first_and_new_cards_last_in_their_order(deck: dict[str, Place], today: date) -> None:
    now = leitner.due(CARDS, deck, today)
    seen = [deck[card].due for card in now if card in deck]
    assert seen == sorted(seen)
    new = [card for card in CARDS if card not in deck]
    assert now[len(now) - len(new) :] == new


@given(deck=decks, today=days)
def test_when_nothing_is_due_the_next_day_is_told(deck: dict[str, Place], today: date) -> None:
    found = leitner.next_due(CARDS, deck, today)
    if leitner.due(CARDS, deck, today):
        assert found is None
    else:
        assert found is not None
        day, count = found
        assert leitner.due(CARDS, deck, day - timedelta(days=1)) == []
        assert len(leitner.due(CARDS, deck, day)) == count


def test_without_cards_there_is_no_next_day() -> None:
    assert leitner.next_due((), {}, TODAY) is None


@given(story=visits)
def test_over_many_visits_no_card_is_lost(story: list[tuple[int, list[bool]]]) -> None:
    deck: dict[str, Place] = {}
    today = TODAY
    for rest, answers in story:
        today += timedelta(days=rest)
        for card, known in zip(CARDS, answers, strict=True):
            if card in leitner.due(CARDS, deck, today):
                deck[card] = leitner.after(deck.get(card), known=known, today=today)
        assert all((place.due - today).days <= REST_DAYS[-1] for place in deck.values())
    assert leitner.due(CARDS, deck, today + timedelta(days=REST_DAYS[-1])) != []
    assert set(leitner.due(CARDS, deck, today + timedelta(days=REST_DAYS[-1]))) == set(CARDS)
