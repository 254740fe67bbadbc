"""From answers to points and sentences: the same for `check` at home and for the judge."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from course_lib.exercises.answers import Opaque
from course_lib.exercises.comparison import Difference, compare
from course_lib.exercises.exercise import Exercise, Group, Misconception
from course_lib.exercises.programs import Answer, Case, run

OUTCOMES = {
    "right": "every group of cases passed",
    "partial": "some groups passed",
    "wrong": "the ordinary cases failed",
    "error": "the code raised an exception on the ordinary cases",
    "unanswered": "nothing was written, or no function of that name exists",
    "timeout": "the code did not end within its time",
    "crashed": "the code ended the kernel",
}
"""Every outcome that an exercise can end in, and what it means."""


@dataclass(frozen=True)
class GroupResult:
    """How one group of cases ended.

    Attributes:
        passed: True, False, or None where the group was not judged because the ordinary group failed.
        difference: the first one found, None if passed.
        case: the label of the case it was found in.
        misconception: the recognised mistake, if any.
    """

    group: Group
    passed: bool | None
    difference: Difference | None = None
    case: str = ""
    misconception: Misconception | None = None

    @property
    def points(self) -> int:
        """The group's points where it passed, 0 otherwise."""
        return self.group.points if self.passed else 0


@dataclass(frozen=True)
class ExerciseResult:
    """How an exercise ended: one of :data:`OUTCOMES`, its groups in order, and one sentence that says it all."""

    exercise: Exercise
    outcome: str
    groups: tuple[GroupResult, ...]
    message: str

    @property
    def points(self) -> int:
        """The sum over the groups."""
        return sum(group.points for group in self.groups)

    @property
    def marks(self) -> int:
        """How many of the exercise's full marks: the points, or in practice the groups that passed."""
        return sum(group.passed is True for group in self.groups) if self.exercise.practice else self.points

    @property
    def misconception(self) -> Misconception | None:
        """The first recognised mistake."""
        return next((group.misconception for group in self.groups if group.misconception), None)


class Known:
    """What the reference and the known mistakes answer, in float64, each computed once for the same cases."""

    def __init__(self) -> None:
        self._found: dict[tuple[int, int], tuple[Case, Any, Answer]] = {}

    def answer(self, exercise: Exercise, case: Case, implementation: Any) -> Answer:
        """The answer of an implementation to a case."""
        key = id(case), id(implementation)
        if key not in self._found:
            answer = _quiet_run(exercise, case.in_float64(), implementation)
            self._found[key] = case, implementation, answer  # kept, so that no other object gets their identities
        return self._found[key][2]

    def expected(self, exercise: Exercise, case: Case) -> Any:
        """The reference's plain value."""
        return self.answer(exercise, case, exercise.reference).value


def assess(
    exercise: Exercise,
    cases: dict[str, list[Case]],
    answers: dict[str, list[Answer]],
    known: Known | None = None,
) -> ExerciseResult:
    """Compare `answers` with the reference: by group, in the order of `cases`; what is missing counts as wrong.

    An edge or nasty group counts only if the ordinary group passed. `known` holds from one call to the next what the
    reference says of these very cases.
    """
    known = known or Known()
    given = [answer for group in exercise.groups for answer in answers.get(group.name, [])]
    if not given:
        return without_answer(exercise, "unanswered", f"No answer for {exercise.name} was received.")
    if given[0].outcome == "missing":
        name = _called(given[0].error, cases) or exercise.name
        sentence = f"There is no function {name} yet. Write it in the cell above, run that cell, then this one."
        if name != exercise.name:
            sentence = f"{exercise.name} runs on your {name}, and there is none yet: run its cell, then this one."
        return without_answer(exercise, "unanswered", sentence)
    if all(answer.outcome == "unanswered" for answer in given):
        sentence = f"{exercise.name} is not answered yet: write your code in the cell above, run it, then this cell."
        if name := _called(given[0].error, cases):
            sentence = f"{exercise.name} runs on your {name}, which is not answered yet: write that first."
        return without_answer(exercise, "unanswered", sentence)
    if any(answer.outcome == "interrupted" for answer in given):
        sentence = f"{exercise.name} was stopped before it ended. Is there a loop that never ends?"
        return without_answer(exercise, "timeout", sentence)
    results: list[GroupResult] = []
    for group in exercise.groups:
        if results and not results[0].passed:
            results.append(GroupResult(group, None))
        else:
            given_here = answers.get(group.cases_of, [])
            results.append(_assess_group(exercise, group, cases[group.cases_of], given_here, known))
    return ExerciseResult(exercise, _outcome(results), tuple(results), _message(exercise, results))


def _called(name: str, cases: dict[str, list[Case]]) -> str:
    """The name, if these cases call it: in an answer from outside it may be any text."""
    called = {step.target for group in cases.values() for case in group for step in case.steps if step.kind == "call"}
    return name if name in called else ""


def without_answer(exercise: Exercise, outcome: str, message: str) -> ExerciseResult:
    """The result of an exercise that has no answer to compare: no points, and the reason."""
    return ExerciseResult(exercise, outcome, tuple(GroupResult(group, None) for group in exercise.groups), message)


def expected_answer(exercise: Exercise, case: Case) -> Any:
    """The reference's plain value for `case`, computed in float64."""
    return _quiet_run(exercise, case.in_float64(), exercise.reference).value


def _quiet_run(exercise: Exercise, case: Case, implementation: Any) -> Answer:
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        return run(case, exercise.namespace(implementation))


def _assess_group(
    exercise: Exercise, group: Group, cases: list[Case], answers: list[Answer], known: Known
) -> GroupResult:
    found: tuple[Difference, str] | None = None
    for index, case in enumerate(cases):
        answer = answers[index] if index < len(answers) else Answer("error", error="no answer came for this case")
        difference = _difference(exercise, group, case, answer, known)
        if difference is not None:
            found = difference, case.label
            break
    if found is None and group.together is not None:
        sentence = _said(group.together, cases, [answer.value for answer in answers])
        found = None if sentence is None else (Difference("property", exercise.name, sentence), "")
    if found is None:
        return GroupResult(group, True)
    mistake = _recognise(exercise, group, cases, answers, known)
    return GroupResult(group, False, *found, mistake)


def _said(judged: Callable[..., str | None], case: Any, value: Any) -> str | None:
    """What a property says of a value that may be anything."""
    try:
        return judged(case, value)
    except Exception:  # noqa: BLE001 - a property meets whatever a learner returned
        return "The result is not of the form that was asked for."


def _difference(exercise: Exercise, group: Group, case: Case, answer: Answer, known: Known) -> Difference | None:
    if answer.outcome == "unanswered":
        return Difference(
            "error", exercise.name, f"{exercise.name} raised NotImplementedError: a part is not written yet."
        )
    if answer.outcome == "slow":
        return Difference(
            "time", exercise.name, f"{exercise.name} was stopped: it used {answer.error}, all that it has here."
        )
    if answer.outcome != "answered":
        return Difference("error", exercise.name, f"{exercise.name} stopped with {answer.error}.")
    difference = None
    if group.property is not None:
        sentence = _said(group.property, case, answer.value)
        difference = None if sentence is None else Difference("property", exercise.name, sentence)
    elif group.together is None:
        expected = known.expected(exercise, case)
        difference = compare(answer.value, expected, case.names or exercise.outputs, case.dtype(), exercise.tolerance)
    if not answer.modified:
        return difference
    names = " and ".join(answer.modified)
    if difference is None:
        advice = "Return new arrays: `x = x - ...`, not `x -= ...`."
        sentence = f"{exercise.name} changed its input {names} in place. {advice}"
        return Difference("modified", answer.modified[0], sentence)
    # The change may well be the reason: `up = theta` copies nothing.
    also = f"Its input {names} was changed in place too: work on a copy, `x.copy()`."
    return replace(difference, sentence=f"{difference.sentence} {also}")


def _recognise(
    exercise: Exercise, group: Group, cases: list[Case], answers: list[Answer], known: Known
) -> Misconception | None:
    """The first mistake that answers (or raises) in every case as was received, and is not right in all of them."""
    if len(answers) != len(cases):
        return None
    comparable = any(answer.outcome == "answered" for answer in answers)
    for mistake in exercise.misconceptions:
        if mistake.recognise is not None:
            if all(_looks_like(mistake.recognise, *pair) for pair in zip(cases, answers, strict=True)):
                return mistake
        elif comparable and _matches(exercise, group, mistake, cases, answers, known):
            return mistake
    return None


def _looks_like(recognise: Callable[[Case, Answer], bool], case: Case, answer: Answer) -> bool:
    try:
        return bool(recognise(case, answer))
    except Exception:  # noqa: BLE001 - it meets whatever a learner returned
        return False


def _matches(
    exercise: Exercise,
    group: Group,
    mistake: Misconception,
    cases: list[Case],
    answers: list[Answer],
    known: Known,
) -> bool:
    tells_apart = False
    for case, answer in zip(cases, answers, strict=True):
        wrong = known.answer(exercise, case, mistake.wrong)
        if wrong.outcome != answer.outcome or bool(wrong.modified) != bool(answer.modified):
            return False
        if wrong.outcome == "error":
            if wrong.error.split(":")[0] != answer.error.split(":")[0]:
                return False
        elif isinstance(wrong.value, Opaque) or _unequal(exercise, case, answer.value, wrong.value):
            return False
        tells_apart = tells_apart or _difference(exercise, group, case, wrong, known) is not None
    return tells_apart


def _unequal(exercise: Exercise, case: Case, received: Any, expected: Any) -> bool:
    return compare(received, expected, exercise.outputs, case.dtype(), exercise.tolerance) is not None


def _outcome(results: list[GroupResult]) -> str:
    if all(result.passed for result in results):
        return "right"
    if results[0].passed:
        return "partial"
    difference = results[0].difference
    kind = "" if difference is None else difference.kind
    return {"error": "error", "time": "timeout"}.get(kind, "wrong")


def _message(exercise: Exercise, results: list[GroupResult]) -> str:
    failed = next((result for result in results if result.passed is False), None)
    if failed is None:
        return f"{exercise.name} is right in every group of cases."
    assert failed.difference is not None
    place = f"{failed.group.title}{f', {failed.case}' if failed.case else ''}: "
    said = failed.misconception.sentence if failed.misconception else ""
    return f"{place}{failed.difference.sentence}{f' {said}' if said else ''}"
