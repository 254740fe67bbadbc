"""The map of the course, `lessons/README.md`: what depends on what, minutes, points. Read off the sources."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from autograder.building.leaks import MAP_FILE
from autograder.building.source import Source

_LINE = re.compile(r"^\*\*(Time|Builds on):\*\* *(.*?)\\?$", re.MULTILINE)
_MINUTES = re.compile(r"about (?:(an hour)|(\d+) minutes)")
_LESSON = re.compile(r"\b\d\d\b")


@dataclass(frozen=True)
class Entry:
    """One lesson.

    Attributes:
        name: its folder.
        title: as its first cell says, without the number.
        minutes: to read and do, without bonus and dialogue; None where the lesson does not say.
        builds_on: numbers of other lessons, "01".
        points, bonus: what its exercises are worth.
        core, stretch: their names.
    """

    name: str
    title: str
    minutes: int | None
    builds_on: tuple[str, ...]
    points: int
    bonus: int
    core: tuple[str, ...]
    stretch: tuple[str, ...]

    @property
    def number(self) -> str:
        """The two digits the lesson's folder begins with."""
        return self.name.split("_")[0]

    @property
    def ungraded(self) -> bool:
        """Whether it has exercises, all of them practice that counts nothing."""
        return bool(self.core) and not (self.points or self.bonus)

    @property
    def optional(self) -> bool:
        """Whether all that it asks is a bonus."""
        return bool(self.stretch) and not self.core


def entry(source: Source) -> Entry:
    """Read a lesson's title, minutes and what it builds on off its first cells, its points off its exercises."""
    from course_lib import exercises

    asked = exercises.of_lesson(source.name) if source.name in exercises.LESSONS else ()
    aim = "\n".join(cell.source for cell in source.notebook.cells[:3] if cell.cell_type == "markdown")
    said = dict(_LINE.findall(aim))
    first = aim.splitlines()[0].removeprefix("# ") if aim else source.name
    number = source.name.split("_")[0]
    return Entry(
        name=source.name,
        title=first.removeprefix(f"{number} · "),
        minutes=_minutes(said.get("Time", "")),
        builds_on=tuple(n for n in dict.fromkeys(_LESSON.findall(said.get("Builds on", ""))) if n != number),
        points=sum(exercise.core_points for exercise in asked),
        bonus=sum(exercise.points - exercise.core_points for exercise in asked),
        core=tuple(exercise.name for exercise in asked if not exercise.stretch),
        stretch=tuple(exercise.name for exercise in asked if exercise.stretch),
    )


def _minutes(sentence: str) -> int | None:
    """ "about 70 minutes: 15 to read, ..." is 70, "about an hour" 60."""
    found = _MINUTES.match(sentence)
    if found is None:
        return None
    return 60 if found[1] else int(found[2])


def page(sources: Iterable[Source]) -> str:
    """The map as Markdown, with a picture that GitHub and JupyterLab draw."""
    entries = sorted(map(entry, sources), key=lambda one: one.name)
    return "\n".join(
        [
            "# The course, lesson by lesson",
            "",
            "Open a lesson and start at its top. An arrow says what a lesson builds on; where you have not done that,",
            "the lesson says in a sentence what you need from it.",
            "",
            *_picture(entries),
            "",
            "| Lesson | Minutes | Builds on | You build | Bonus | Points |",
            "|:--|--:|:--|:--|:--|--:|",
            *map(_row, entries),
            _sum(entries),
            "",
            "Minutes are those for reading and doing; bonus exercises and the dialogue to listen to come on top.",
            "The number after + is what the bonus exercises are worth.",
            *["An optional lesson has bonus exercises alone; its minutes count them."]
            * any(e.optional for e in entries),
            "",
            "<!-- Written by `python -m autograder build` from the lessons' sources; do not edit. -->",
            "",
        ]
    )


def _picture(entries: Sequence[Entry]) -> list[str]:
    there = {one.number for one in entries}
    arrows = [f"    L{before} --> L{one.number}" for one in entries for before in one.builds_on if before in there]
    boxes = [f'    L{one.number}["{one.number} · {_topic(one)}"]' for one in entries]
    return ["```mermaid", "graph LR", *boxes, *arrows, "```"]


def _topic(one: Entry) -> str:
    """The folder's name in words, and whether the lesson is optional."""
    return one.name.split("_", 1)[-1].replace("_", " ") + " (optional)" * one.optional


def _row(one: Entry) -> str:
    return (
        "| "
        + " | ".join(
            (
                f"[{one.number} · {one.title}]({one.name}/{one.name}.ipynb)",
                "" if one.minutes is None else str(one.minutes),
                ", ".join(one.builds_on),
                ", ".join(f"`{name}`" for name in one.core),
                ", ".join(f"`{name}`" for name in one.stretch),
                "ungraded" if one.ungraded else f"{one.points} + {one.bonus}" if one.bonus else str(one.points),
            )
        )
        + " |"
    )


def _sum(entries: Sequence[Entry]) -> str:
    minutes = sum(one.minutes or 0 for one in entries)
    points, bonus = sum(one.points for one in entries), sum(one.bonus for one in entries)
    return f"| **All {len(entries)}** | **{minutes}** | | | | **{points} + {bonus}** |"


def path(root: Path) -> Path:
    """Where the map stands."""
    return root / "lessons" / MAP_FILE
