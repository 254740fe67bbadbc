"""Flash cards that come again when they are due.

    Cards("01")

Where a card is, and what comes after it, is decided here; the page turns it over and says what was pressed.
"""

from __future__ import annotations

from datetime import date
from html import escape
from pathlib import Path
from random import Random
from typing import Any

import traitlets

from course_lib.live import Live, Resting
from course_lib.maths import to_html
from course_lib.study import clock, content, leitner, records
from course_lib.study.content import ContentError
from course_lib.study.leitner import LAST_BOX, Place
from course_lib.study.records import Keeper, Records


class Cards(Live):
    """The cards of a lesson: a question, its answer, "I knew it" or "Not yet".

    Args:
        lesson: its number or its folder's name: "01".
        rng: shuffles; a fresh one by default.
        keeper: of the learner's progress; by default that of the file beside the lessons.
        folder: where the content files are.

    Attributes:
        view: what the page shows; a card's id, front and back, or None when nothing is left, and words about the rest.

    Raises:
        ContentError: the lesson has no cards, or its content breaks the schema.
    """

    _esm = Path(__file__).with_name("cards.js")
    _css = Path(__file__).with_name("study.css")
    view = traitlets.Dict().tag(sync=True)

    def __init__(
        self,
        lesson: str,
        *,
        rng: Random | None = None,
        keeper: Keeper | None = None,
        folder: Path = content.FOLDER,
    ) -> None:
        self._name = content.full_name(lesson, folder)
        self._cards = {card.id: card for card in content.load(lesson, folder).cards}
        if not self._cards:
            raise ContentError(f"content/{self._name}.toml: has no [[cards]] yet. {content.HELP}")
        self._rng = rng or Random()  # noqa: S311 - the order of cards is no secret
        self._keeper = keeper or Keeper(records.place())
        self._practising = False
        self._asked = 0
        self._queue = self._due()
        super().__init__(view=self._seen(self._keeper.read()))
        self.on_msg(lambda _widget, message, _buffers: self._hear(message))

    def grade(self, known: bool) -> None:
        """Answer the card on top: known, it leaves for its box's days; not yet, it comes again after the others."""
        if not self._queue:
            return
        card = self._queue.pop(0)
        if not known:
            self._queue.append(card)
        today = clock.today()

        def change(held: Records) -> None:
            record = held.of(self._name)
            record.cards[card] = leitner.after(record.cards.get(card), known=known, today=today)
            record.last = clock.now()

        self.view = self._seen(self._keeper.update(change))

    def shuffle(self) -> None:
        """Mix the cards that are left."""
        self._rng.shuffle(self._queue)
        self.view = self._seen(self._keeper.read())

    def practise(self) -> None:
        """Ask every card, due or not; one that is not due keeps its box when it is known."""
        self._practising = True
        self._queue = list(self._cards)
        self.view = self._seen(self._keeper.read())

    def _hear(self, message: Any) -> None:
        """Do what was pressed. A press on a card that is no longer on top (pressed twice, or late) does nothing."""
        match message:
            case {"do": "grade", "id": card, "known": bool(known)} if self._queue and card == self._queue[0]:
                self.grade(known)
            case {"do": "shuffle"}:
                self.shuffle()
            case {"do": "practise"}:
                self.practise()
            case {"do": "look"} if not self._queue:  # a day may have passed since
                self._practising = False
                self._queue = self._due()
                self.view = self._seen(self._keeper.read())
            case _:
                pass

    def _due(self) -> list[str]:
        places = self._keeper.read().of(self._name).cards
        return leitner.due(tuple(self._cards), places, clock.today())

    def _seen(self, held: Records) -> dict[str, Any]:
        places = {card: place for card, place in held.of(self._name).cards.items() if card in self._cards}
        self._asked += 1
        top = self._cards[self._queue[0]] if self._queue else None
        return {
            "card": top and {"id": top.id, "front": to_html(top.front), "back": to_html(top.back)},
            "left": len(self._queue),
            "asked": self._asked,  # so that the same card asked again is a change to the page
            "said": self._said(places),
            "trouble": self._keeper.trouble,
        }

    def _said(self, places: dict[str, Place]) -> str:
        known = sum(place.box > 0 for place in places.values())
        settled = sum(place.box == LAST_BOX for place in places.values())
        total = f"You know {known} of {len(self._cards)} cards" + (f", {settled} of them well." if settled else ".")
        if self._queue:
            left = len(self._queue)
            what = "to practise" if self._practising else "to go today"
            return f"{left} card{'s' * (left != 1)} {what}. {total}"
        found = leitner.next_due(tuple(self._cards), places, clock.today())
        if found is None:
            return total  # some are due: they were only practised, or their day has come meanwhile
        day, count = found
        come = "comes 1 card" if count == 1 else f"come {count} cards"
        return f"Nothing is due. Next {come}, on {_day(day)}. {total}"

    def resting(self) -> Resting:
        """Every card, its answer to be opened."""
        cards = self._cards.values()
        html = "".join(
            f"<details><summary>{to_html(card.front, inline=True)}</summary>{to_html(card.back)}</details>"
            for card in cards
        )
        text = "\n\n".join(f"{card.front.strip()}\n{card.back.strip()}" for card in cards)
        heading = f"Flash cards ({len(cards)}): think of the answer, then open it."
        return Resting(f"<p>{escape(heading)}</p>{html}", f"{heading}\n\n{text}")


def _day(day: date) -> str:
    return f"{day:%A} {day.day} {day:%B}"
