"""When a card comes again: Leitner's boxes (S. Leitner, So lernt man lernen, Herder 1972).

A card that was known moves one box on, one that was not goes back to the start. The further on its box, the longer it
rests: 1, 2, 4, 8, 16 days. Unlike SM-2 (P. Wozniak 1990) this asks no grade from 0 to 5, only "known" or "not yet",
and anybody can see from the box why a card comes when it does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Annotated

import msgspec
from msgspec import Meta

REST_DAYS = (0, 1, 2, 4, 8, 16)
"""Days that a card rests in each box; box 0 holds what is not known yet."""
LAST_BOX = len(REST_DAYS) - 1


class Place(msgspec.Struct, frozen=True):
    """Where a card is: its box, and the day from which on it is due."""

    box: Annotated[int, Meta(ge=0, le=LAST_BOX)]
    due: date


def is_due(place: Place | None, today: date) -> bool:
    """Whether a card is to be asked today; one never asked is.

    So is one whose day lies further off than any box lets it rest: a clock was wrong, and no card may be lost by it.
    """
    return place is None or place.due <= today or place.due > today + timedelta(days=REST_DAYS[-1])


def after(place: Place | None, *, known: bool, today: date) -> Place:
    """Where a card goes once it was answered.

    A card known before it was due stays where it is: seeing it twice on one day is no sign of remembering.
    """
    if not known:
        return Place(0, today)
    if place is not None and not is_due(place, today):
        return place
    box = min((place.box if place else 0) + 1, LAST_BOX)
    return Place(box, today + timedelta(days=REST_DAYS[box]))


def due(cards: Sequence[str], places: Mapping[str, Place], today: date) -> list[str]:
    """The cards to be asked today: those that have waited longest first, then the new ones in their own order."""
    waiting = [card for card in cards if is_due(places.get(card), today)]
    return sorted(waiting, key=lambda card: places[card].due if card in places else date.max)


def next_due(cards: Sequence[str], places: Mapping[str, Place], today: date) -> tuple[date, int] | None:
    """The day on which the next cards come, and how many then; None while some are due today or there are none."""
    if not cards or due(cards, places, today):
        return None
    first = min(places[card].due for card in cards)
    return first, sum(places[card].due == first for card in cards)
