"""What day it is: the one place that asks, so that tests and the curious can say another."""

from __future__ import annotations

from datetime import date, datetime


def now() -> datetime:
    """Date and time where the learner is, to the second."""
    return datetime.now().replace(microsecond=0)


def today() -> date:
    """The date where the learner is."""
    return now().date()
