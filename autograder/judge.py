"""Judge: the trusted process draws the cases, reads the answers, compares, and is the only thing that gives points."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from autograder.assemble import PlannedCell
from autograder.lesson import LessonSource
from autograder.sandbox import MAX_ANSWERS, CellRun, Run
from autograder.sandbox.guest_check import MAX_LINE
from course_lib.check import home_cases
from course_lib.exercises.answers import BadEncoding
from course_lib.exercises.exercise import Exercise
from course_lib.exercises.grading import ExerciseResult, Known, assess, without_answer
from course_lib.exercises.programs import Answer, Case, decode_answer, encode_case

MAX_LINES = 10_000

Cases = Mapping[str, dict[str, list[Case]]]
Answers = dict[str, dict[str, list[Answer]]]
_NOT_GIVEN = Answer("error", error="no answer for this case")


@dataclass(frozen=True)
class Verdict:
    """What the judge says of one submission.

    Attributes:
        outcome: "graded"; "timeout" or "crashed" where a cell ended so ("crashed" where both happened).
        exercises: in the order of the lesson.
        notes: for the grader.
    """

    outcome: str
    exercises: tuple[ExerciseResult, ...]
    notes: tuple[str, ...] = ()


def draw(lesson: LessonSource, seed: int) -> Cases:
    """The cases of each exercise, from `default_rng([seed, crc32(name)])`: no exercise changes another's."""
    return {exercise.name: home_cases(exercise, seed) for exercise in lesson.exercises}


@dataclass(frozen=True)
class Drawn:
    """The cases of a lesson for one seed, and what follows from them alone: the same for every submission.

    Attributes:
        cases: by exercise and group.
        encoded: for the sandbox; see :func:`encode`.
        seconds: see :func:`seconds`.
        known: what the reference and the known mistakes answer, as far as it was needed.
    """

    cases: Cases
    encoded: dict[str, dict[str, list[Any]]]
    seconds: dict[str, float]
    known: Known


def drawn(lesson: LessonSource, seed: int) -> Drawn:
    """Draw the cases, once for the same exercises and seed as the last time."""
    global _last
    if _last is None or _last[0] is not lesson.exercises or _last[1] != seed:
        cases = draw(lesson, seed)
        _last = lesson.exercises, seed, Drawn(cases, encode(cases), seconds(cases), Known())
    return _last[2]


_last: tuple[tuple[Exercise, ...], int, Drawn] | None = None


def seconds(cases: Cases) -> dict[str, float]:
    """How long the check of each exercise may take whose cases have budgets of processor time: half as long again.

    What the budgets do not see is starting, sending data, and code that heeds no exception.
    """
    sums = {name: sum(case.seconds for some in groups.values() for case in some) for name, groups in cases.items()}
    return {name: 1.5 * total for name, total in sums.items() if total}


def encode(cases: Cases) -> dict[str, dict[str, list[Any]]]:
    """The cases as JSON-ready data for the sandbox: inputs only."""
    return {
        name: {group: [encode_case(case) for case in some] for group, some in groups.items()}
        for name, groups in cases.items()
    }


def read_answers(raw: bytes, run: str, cases: Cases) -> tuple[Answers, tuple[str, ...]]:
    """Decode the lines that a sandbox wrote; whatever does not fit is left out and noted.

    A line counts when it is JSON of exactly the expected form, of this run, and for a case that was sent in. The
    first one for a case counts. A case without an answer before one with an answer counts as an error.
    """
    found: dict[tuple[str, str, int], Answer] = {}
    foreign = repeated = 0
    lines = raw[:MAX_ANSWERS].split(b"\n", MAX_LINES)
    for line in lines[:MAX_LINES]:
        if not line:
            continue
        place = answer = None
        if len(line) <= MAX_LINE:
            place, answer = _read_line(line, run, cases)
        if place is None or answer is None:
            foreign += 1
        elif place in found:
            repeated += 1
        else:
            found[place] = answer
    answers: Answers = {name: {group: [] for group in groups} for name, groups in cases.items()}
    for (name, group, index), answer in sorted(found.items(), key=lambda item: item[0]):
        given = answers[name][group]
        given += [_NOT_GIVEN] * (index - len(given)) + [answer]
    notes = []
    if foreign:
        notes.append(f"{foreign} lines in the answers were not written by the check and were left out.")
    if repeated:
        notes.append(f"{repeated} cases were answered again; the first answer counts.")
    return answers, tuple(notes)


def judge(
    lesson: LessonSource,
    plan: Sequence[PlannedCell],
    cases: Cases,
    run: Run,
    name: str,
    sentence: str = "",
    known: Known | None = None,
) -> Verdict:
    """Compare the answers of the run `name` with the reference and give points, exercise by exercise.

    `sentence`, where there is one, is why all that is unanswered is unanswered; `known` is that of these cases.
    """
    known = known or Known()
    answers, notes = read_answers(run.answers, name, cases)
    results = tuple(_judge_one(exercise, plan, cases, run, answers, known) for exercise in lesson.exercises)
    if sentence:
        results = tuple(
            without_answer(result.exercise, "unanswered", sentence) if result.outcome == "unanswered" else result
            for result in results
        )
    states = {run.cells[cell.index].state for cell in plan if cell.index in run.cells}
    timeout = "timeout" in states or any(result.outcome == "timeout" for result in results)
    outcome = "crashed" if "crashed" in states else "timeout" if timeout else "graded"
    return Verdict(outcome, results, (*notes, *_cell_notes(plan, run)))


def refuse(verdict: Verdict, sentences: Mapping[str, str]) -> Verdict:
    """The verdict with these exercises not run, each for the reason given."""
    results = tuple(
        without_answer(result.exercise, "unanswered", sentences[result.exercise.name])
        if result.exercise.name in sentences
        else result
        for result in verdict.exercises
    )
    return replace(verdict, exercises=results, notes=(*verdict.notes, *sentences.values()))


def unanswered(lesson: LessonSource, outcome: str, sentence: str) -> Verdict:
    """The verdict where no code ran: every exercise is unanswered, for the reason given ("" for the usual one)."""
    results = tuple(
        without_answer(exercise, "unanswered", sentence or f"{exercise.name} is not answered.")
        for exercise in lesson.exercises
    )
    return Verdict(outcome, results)


def _judge_one(
    exercise: Exercise, plan: Sequence[PlannedCell], cases: Cases, run: Run, answers: Answers, known: Known
) -> ExerciseResult:
    name = exercise.name
    ran = {
        role: next((run.cells.get(c.index) for c in plan if c.role == role and c.exercise == name), None)
        for role in ("answer", "check")
    }
    for where, cell in ran.items():
        place = f"The answer cell of {name}" if where == "answer" else name
        if cell is not None and cell.state == "timeout":
            return without_answer(
                exercise, "timeout", f"{place} did not end within its time. Is there a loop that never ends?"
            )
        if cell is not None and cell.state == "crashed":
            sentence = f"{place} ended Python itself. Is there an `exit()`, or a recursion without an end?"
            if cell.error:
                sentence = f"{place} was stopped because it used {cell.error}."
            return without_answer(exercise, "crashed", sentence)
    if ran["check"] is not None and ran["check"].state == "not run":
        return without_answer(
            exercise, "timeout", f"The time for the whole notebook was over before {name} was checked."
        )
    given = answers[name]
    result = assess(exercise, cases[name], given, known)
    answer = ran["answer"]
    nothing = not any(given.values()) or any(a.outcome == "missing" for group in given.values() for a in group)
    if nothing and answer is not None and answer.state in ("error", "flooded"):
        return without_answer(exercise, "error", _no_function(name, answer))
    return result


def _no_function(name: str, answer: CellRun) -> str:
    if answer.state == "flooded":
        return f"The answer cell was stopped because it printed too much, so there is no {name} to check."
    return f"The answer cell stopped with {answer.error}, so there is no {name} to check."


def _cell_notes(plan: Sequence[PlannedCell], run: Run) -> list[str]:
    told = {"timeout": "did not end in time", "crashed": "ended the interpreter", "flooded": "printed too much"}
    notes = []
    for cell in plan:
        state = run.cells[cell.index].state if cell.index in run.cells else "not run"
        if state in told:
            what = f"{cell.role} cell of {cell.exercise}" if cell.exercise else f"{cell.role} cell"
            notes.append(f"Cell {cell.index + 1} ({what}) {told[state]}.")
    return notes


def _read_line(line: bytes, run: str, cases: Cases) -> tuple[tuple[str, str, int] | None, Answer | None]:
    """Where a line's answer belongs, and the answer; (None, None) for a line that the check cannot have written."""
    try:
        data = _decode(line.decode("utf-8"))
        if type(data) is not dict or set(data) != {"run", "exercise", "group", "case", "answer"}:
            return None, None
        name, group, index = data["exercise"], data["group"], data["case"]
        if data["run"] != run or type(name) is not str or type(group) is not str or type(index) is not int:
            return None, None
        if not 0 <= index < len(cases.get(name, {}).get(group, [])):
            return None, None
        return (name, group, index), decode_answer(data["answer"])
    except (ValueError, RecursionError, BadEncoding):
        return None, None


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not written by the check")


_decode = json.JSONDecoder(parse_constant=_refuse).decode
