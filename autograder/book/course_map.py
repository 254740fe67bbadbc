"""The map of the course as a picture whose boxes are links: no script draws it, and it follows the page's colours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

from autograder.building.course_map import Entry

WIDE, HIGH, GAP, DOWN = 218, 46, 22, 36


def svg(entries: Sequence[Entry], address: str) -> str:
    """The map as SVG, a row for each step of what builds on what.

    Args:
        entries: the lessons, in order.
        address: of a lesson's page, with `{name}` for its name.
    """
    before = _needed({one.number: list(one.builds_on) for one in entries})
    row: dict[str, int] = {}
    for one in entries:
        row[one.number] = max((row[n] + 1 for n in before[one.number]), default=0)
    rows: dict[int, list[str]] = {}
    for one in entries:
        rows.setdefault(row[one.number], []).append(one.number)
    most = max(map(len, rows.values()))
    at = {
        number: ((place + (most - len(numbers)) / 2) * (WIDE + GAP) + 2, at_row * (HIGH + DOWN) + 2)
        for at_row, numbers in rows.items()
        for place, number in enumerate(numbers)
    }
    width, height = most * (WIDE + GAP) - GAP + 4, len(rows) * (HIGH + DOWN) - DOWN + 4
    arrows = [_arrow(at[n], at[one.number]) for one in entries for n in before[one.number]]
    boxes = [_box(one, at[one.number], address.format(name=one.name)) for one in entries]
    said = "A map of the lessons: arrows lead from what is needed to what builds on it. The table below says the same."
    return (
        f'<div class="course-map" role="group" aria-label="{said}" tabindex="0">'
        f'<svg viewBox="0 0 {width} {height}" width="{width}" height="{height}" xmlns="http://www.w3.org/2000/svg">'
        '<defs><marker id="course-map-tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" '
        f'orient="auto"><path d="M0 0L8 4L0 8Z"/></marker></defs>{"".join(arrows)}{"".join(boxes)}</svg></div>'
    )


def _needed(builds_on: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    """What each lesson builds on, without what follows from the rest of it."""

    def reach(number: str) -> set[str]:
        return {m for n in builds_on.get(number, ()) for m in (n, *reach(n))}

    return {
        number: [n for n in direct if n in builds_on and not any(n in reach(other) for other in direct if other != n)]
        for number, direct in builds_on.items()
    }


def _arrow(start: tuple[float, float], end: tuple[float, float]) -> str:
    x0, y0, x1, y1 = start[0] + WIDE / 2, start[1] + HIGH, end[0] + WIDE / 2, end[1] - 2
    bend = DOWN * 0.6
    return (
        f'<path class="course-map-arrow" d="M{x0:g} {y0:g}C{x0:g} {y0 + bend:g} {x1:g} {y1 - bend:g} {x1:g} {y1:g}" '
        'marker-end="url(#course-map-tip)"/>'
    )


def _box(one: Entry, at: tuple[float, float], address: str) -> str:
    topic = one.name.split("_", 1)[-1].replace("_", " ")
    more = "optional" if one.optional else f"{one.minutes} minutes" if one.minutes else ""
    x, y = at
    return (
        f'<a href="{escape(address)}" aria-label="Lesson {one.number}, {escape(topic)}, {more}">'
        f'<rect x="{x:g}" y="{y:g}" width="{WIDE}" height="{HIGH}" rx="7"/>'
        f'<text x="{x + 12:g}" y="{y + 19:g}" class="course-map-topic">{one.number} · {escape(topic)}</text>'
        f'<text x="{x + 12:g}" y="{y + 36:g}" class="course-map-more">{more}</text></a>'
    )
