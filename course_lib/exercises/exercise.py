"""What an exercise is: the question, the cases that probe it, the reference, and the mistakes that have names."""

from __future__ import annotations

import builtins
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from course_lib.exercises.comparison import Names, Tolerance
from course_lib.exercises.programs import Answer, Case


@dataclass(frozen=True)
class Group:
    """Cases that probe one thing and earn points together: all of them pass, or the group does not.

    Attributes:
        name: "ordinary" for the first group; edge and nasty groups count only once it has passed.
        title: what a learner reads: "Ordinary batches".
        points: whole points, at least 1; 0 in every group of an exercise that is practice.
        draw: makes the cases, afresh from the generator it is given; or the name of an earlier group, whose cases and
            answers this one judges again, by a higher bar.
        property: where many answers are right: takes the case and the received plain value, returns a sentence
            about what is wrong, or None. Without it and `together`, answers are compared with the reference's.
        together: what else must be true of all answers of the group: takes the cases and their values once each of
            them has passed, returns a sentence or None. For what one answer alone cannot show, such as a mean.
    """

    name: str
    title: str
    points: int
    draw: Callable[[np.random.Generator], list[Case]] | str
    property: Callable[[Case, Any], str | None] | None = None
    together: Callable[[Sequence[Case], Sequence[Any]], str | None] | None = None

    @builtins.property
    def cases_of(self) -> str:
        """The name of the group whose cases it judges: its own, or that of an earlier one."""
        return self.draw if isinstance(self.draw, str) else self.name


@dataclass(frozen=True)
class Misconception:
    """A mistake that people really make, as a small wrong implementation.

    Attributes:
        name: a short identifier for reports: "no_bias_correction".
        sentence: what a learner reads when the answer matches: what it is, and where to look.
        wrong: replaces the learner's function in the cases.
        hint: opens by itself after the second failure; falls back to the exercise's first hint.
        recognise: where equal numbers cannot show it, as with trained networks: takes a case and the answer to it,
            says whether it looks like this mistake. It must look so in every case of a group that failed; `wrong` is
            not run then.
    """

    name: str
    sentence: str
    wrong: Callable[..., Any]
    hint: str = ""
    recognise: Callable[[Case, Answer], bool] | None = None


@dataclass(frozen=True)
class Exercise:
    """One thing to build.

    Attributes:
        name: the fixed name of the function or class.
        lesson: the lesson's folder: "04_adaptive_optimizers".
        question: one sentence.
        outputs: names of what is returned, for the messages; one in brackets, "(cache)", is not compared.
        reference: the course's own implementation.
        groups: "ordinary" first.
        misconceptions: recognised mistakes.
        hints: three, from a case by hand to code with blanks.
        stretch: whether its points are a bonus.
        minutes, difficulty: for the learner's planning; difficulty from 1 (a line) to 3 (several steps).
        uses: other names that the cases call, with their references.
        tolerance: where the usual one does not fit.
    """

    name: str
    lesson: str
    question: str
    outputs: Names
    reference: Callable[..., Any]
    groups: tuple[Group, ...]
    misconceptions: tuple[Misconception, ...]
    hints: tuple[str, str, str]
    minutes: int
    difficulty: int
    stretch: bool = False
    uses: Mapping[str, Callable[..., Any]] = field(default_factory=dict)
    tolerance: Tolerance = Tolerance()

    def __post_init__(self) -> None:
        if not self.groups or self.groups[0].name != "ordinary":
            raise ValueError(f"{self.name}: the first group must be named 'ordinary'")
        for what in ("groups", "misconceptions"):
            names = [item.name for item in getattr(self, what)]
            if len(set(names)) != len(names):
                raise ValueError(f"{self.name}: two {what} share a name among {names}")
        drawn: set[str] = set()
        for group in self.groups:
            if isinstance(group.draw, str) and group.draw not in drawn:
                raise ValueError(
                    f"{self.name}: {group.name} judges the cases of {group.draw!r}, which come later or never"
                )
            drawn |= set() if isinstance(group.draw, str) else {group.name}
        if any(group.points < 1 for group in self.groups) and any(group.points for group in self.groups):
            raise ValueError(f"{self.name}: each group is worth at least 1 point, or (practice) each of them 0")
        if self.stretch and self.practice:
            raise ValueError(f"{self.name}: practice counts nothing, so it is no stretch exercise")

    @property
    def points(self) -> int:
        """All points to be had."""
        return sum(group.points for group in self.groups)

    @property
    def practice(self) -> bool:
        """Whether it counts nothing at all, neither points nor a bonus: no group is worth any."""
        return self.points == 0

    @property
    def full_marks(self) -> int:
        """What a learner's own progress is counted in: all points, or in practice the groups of cases."""
        return self.points or len(self.groups)

    @property
    def core_points(self) -> int:
        """The points that count towards the lesson's maximum: none for a stretch exercise."""
        return 0 if self.stretch else self.points

    def namespace(self, implementation: Callable[..., Any] | None = None) -> dict[str, Callable[..., Any]]:
        """Names for a run of the cases with `implementation` (the reference by default) in the learner's place."""
        return {**self.uses, self.name: implementation or self.reference}

    def draw(self, rng: np.random.Generator) -> dict[str, list[Case]]:
        """The cases of each group, drawn afresh."""
        return {group.name: group.draw(rng) for group in self.groups if not isinstance(group.draw, str)}
