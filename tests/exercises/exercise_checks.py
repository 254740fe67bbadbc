"""What every lesson's exercises are held to: the checks that the test modules share."""

from __future__ import annotations

import json
import os
import textwrap
import tomllib
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from course_lib.exercises import of_lesson
from course_lib.exercises.exercise import Exercise
from course_lib.exercises.grading import ExerciseResult, assess
from course_lib.exercises.programs import (
    Answer,
    Case,
    captured,
    decode_answer,
    decode_case,
    encode_answer,
    encode_case,
    run_cases,
)

SEEDS = range(30 if os.environ.get("COURSE_TRIALS") == "all" else 8)
"""Draws that every listed answer is graded on; all of them in `make test-all`."""
SEEDS_THROUGH_JSON = range(3)
"""On these the data also travel as text, as they do in grading."""
SAMPLE_CLASS = Path(__file__).parents[2] / "sample_class"


def _first_array(arguments: tuple[Any, ...]) -> Any:
    return next((value for value in arguments if isinstance(value, np.ndarray)), np.zeros(3))


def _arrays(arguments: tuple[Any, ...]) -> list[np.ndarray]:
    return [value for value in arguments if isinstance(value, np.ndarray)]


def _like(value: Any, make: Callable[[np.ndarray], np.ndarray]) -> Any:
    """`value` with every array in it, at any depth, replaced."""
    if isinstance(value, np.ndarray):
        return make(value)
    if isinstance(value, dict):
        return {key: _like(item, make) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return type(value)(_like(item, make) for item in value)
    return value


GENERIC_STUBS: dict[str, Callable[..., Any]] = {
    "nothing": lambda *_a: None,
    "false": lambda *_a: False,
    "true": lambda *_a: True,
    "zero": lambda *_a: 0,
    "one": lambda *_a: 1,
    "two": lambda *_a: 2,
    "zero point zero": lambda *_a: 0.0,
    "not a number": lambda *_a: float("nan"),
    "infinity": lambda *_a: float("inf"),
    "empty text": lambda *_a: "",
    "empty tuple": lambda *_a: (),
    "empty dict": lambda *_a: {},
    "first argument": lambda *a: a[0],
    "second argument": lambda *a: a[1],
    "last argument": lambda *a: a[-1],
    "all arguments": lambda *a: a,
    "all but the first": lambda *a: a[1:],
    "copies of all": lambda *a: tuple(_like(v, np.copy) for v in a),
    "copies of arrays": lambda *a: tuple(v.copy() for v in _arrays(a)),
    "zeros like the first": lambda *a: _like(a[0], np.zeros_like),
    "ones like the first": lambda *a: _like(a[0], np.ones_like),
    "nan like the first": lambda *a: _like(a[0], lambda v: np.full(v.shape, np.nan)),
    "minus the first": lambda *a: _like(a[0], np.negative),
    "zeros like the first array": lambda *a: np.zeros_like(_first_array(a)),
    "zeros like all": lambda *a: tuple(_like(v, np.zeros_like) for v in a),
    "ones like all": lambda *a: tuple(_like(v, np.ones_like) for v in a),
    "zeros like arrays": lambda *a: tuple(np.zeros_like(v) for v in _arrays(a)),
    "first two arguments": lambda *a: a[:2],
    "first three arguments": lambda *a: a[:3],
    "zero and zeros": lambda *a: (0.0, np.zeros_like(_first_array(a))),
    "sum of arrays": lambda *a: sum(_arrays(a)),
    "product of arrays": lambda *a: np.prod([v.sum() for v in _arrays(a)] or [1.0]),
    "random": lambda *a: _like(a[0], lambda v: np.random.default_rng(0).normal(size=v.shape)),
    "length of the first": lambda *a: len(a[0]),
    "last place of the first": lambda *a: len(a[0]) - 1,
    "middle place of the first": lambda *a: len(a[0]) // 2,
    "not implemented": lambda *_a: NotImplemented,
    "a function": lambda *_a: lambda *_b: 0,
}
"""Answers that cost no thought."""


def grade(
    exercise: Exercise, implementation: Callable[..., Any] | Mapping[str, Any], seed: int, *, through_json: bool = False
) -> ExerciseResult:
    """The result of `implementation` (a function, or a whole namespace) on the cases of one seed.

    With `through_json` cases and answers travel as in grading: as text.
    """
    cases = exercise.draw(np.random.default_rng(seed))
    namespace = implementation if isinstance(implementation, Mapping) else exercise.namespace(implementation)
    given = {name: [_case_as_text(case) for case in group] for name, group in cases.items()} if through_json else cases
    with warnings.catch_warnings(), np.errstate(all="ignore"), captured():
        warnings.simplefilter("ignore")
        answers = run_cases(given, namespace)
    if through_json:
        answers = {name: [_answer_as_text(answer) for answer in group] for name, group in answers.items()}
    return assess(exercise, cases, answers)


def _case_as_text(case: Case) -> Case:
    return decode_case(json.loads(json.dumps(encode_case(case))))


def _answer_as_text(answer: Answer) -> Answer:
    return decode_answer(json.loads(json.dumps(encode_answer(answer))))


def assert_form(exercise: Exercise) -> None:
    """What is promised of every exercise, apart from numbers."""
    assert len(exercise.groups) >= 3
    assert [group.name for group in exercise.groups][:3] == ["ordinary", "edge", "nasty"]
    assert 4 <= exercise.points <= 6 or exercise.practice
    assert len(exercise.misconceptions) >= (6 if exercise.difficulty == 3 else 3)
    assert all(hint.strip() for hint in exercise.hints)
    assert "shape" in exercise.hints[0]
    assert exercise.hints[2].count("____") == 2
    assert exercise.hints[2].rstrip().endswith("?")
    for mistake in exercise.misconceptions:
        assert len(mistake.sentence) > 40, mistake.name
        assert mistake.sentence.rstrip("`").endswith((".", "?", ")")), mistake.sentence


def assert_right(exercise: Exercise, implementation: Callable[..., Any], seed: int) -> None:
    """All points, and the same through text."""
    for through_json in (False, True)[: 1 + (seed in SEEDS_THROUGH_JSON)]:
        result = grade(exercise, implementation, seed, through_json=through_json)
        assert (result.points, result.marks) == (exercise.points, exercise.full_marks), result.message
        assert result.outcome == "right"


def assert_rejected_by_name(exercise: Exercise, mistake: str, seed: int) -> None:
    """Less than all points (in practice not every group), and called by its own name; the same through text."""
    wrong = next(m for m in exercise.misconceptions if m.name == mistake)
    result = grade(exercise, wrong.wrong, seed)
    assert result.marks < exercise.full_marks, f"{mistake} was accepted"
    assert result.misconception is not None, f"{mistake} was not recognised: {result.message}"
    assert result.misconception.name == mistake
    assert wrong.sentence in result.message
    if seed not in SEEDS_THROUGH_JSON:
        return
    sent = grade(exercise, wrong.wrong, seed, through_json=True)
    assert (sent.points, sent.marks, sent.misconception) == (result.points, result.marks, result.misconception)


def assert_stub_earns_nothing(exercise: Exercise, stub: Callable[..., Any], seed: int) -> None:
    result = grade(exercise, stub, seed)
    assert result.points == result.marks == 0, f"earned {result.marks}: {result.message}"


@dataclass(frozen=True)
class Submission:
    """One learner of the sample class.

    Attributes:
        cells: (kind, exercise name, source), kind being "answer", "before" or "after".
        expected: what `grades.toml` says.
    """

    student: str
    cells: tuple[tuple[str, str, str], ...]
    expected: Mapping[str, Any]


def sample_submissions(lesson: str) -> Iterator[Submission]:
    """The sample class of a lesson, with the grades written beside it by hand."""
    folder = SAMPLE_CLASS / lesson
    grades = tomllib.loads((folder / "grades.toml").read_text(encoding="utf-8"))
    files = {path.stem: path for path in sorted(folder.glob("*.py"))}
    assert set(files) == set(grades), "every submission has a grade, and every grade a submission"
    for student, path in files.items():
        yield Submission(student, tuple(_cells(path.read_text(encoding="utf-8"))), grades[student])


def _cells(text: str) -> Iterator[tuple[str, str, str]]:
    first, *rest = text.split("# %% ")
    assert first.startswith("#"), "the first line says who and what"
    assert not [line for line in first.splitlines() if line and not line.startswith("#")]
    for part in rest:
        title, _, source = part.partition("\n")
        words = title.split()
        kind = words[1] if words[0] == "extra" else "answer"
        yield kind, words[-1], textwrap.dedent(source).strip() + "\n"


def assert_graded_by_hand(lesson: str, submission: Submission, seed: int) -> None:
    """Every exercise of a submission that neither crashes nor hangs earns what was written by hand, by its name."""
    expected = submission.expected
    exercises = {exercise.name: exercise for exercise in of_lesson(lesson)}
    dangerous = {n for n, e in expected.get("exercises", {}).items() if e["outcome"] in ("timeout", "crashed")}
    assert {name for _, name, _ in submission.cells} <= set(exercises)
    namespace: dict[str, Any] = {"np": np}
    results: dict[str, ExerciseResult] = {}
    for exercise in exercises.values():
        cells = [(kind, source) for kind, name, source in submission.cells if name == exercise.name]
        for kind in ("before", "answer"):
            _run_cells([source for k, source in cells if k == kind and exercise.name not in dangerous], namespace)
        if exercise.name not in dangerous:
            results[exercise.name] = grade(exercise, namespace, seed)
        _run_cells([source for k, source in cells if k == "after"], namespace)
    total = 0
    for name, result in results.items():
        hand = expected.get("exercises", {}).get(name, {"points": 0, "outcome": "unanswered"})
        found = result.misconception.name if result.misconception else ""
        got = (result.points, result.outcome, found)
        assert got == (hand["points"], hand["outcome"], hand.get("misconception", "")), f"{name}: {result.message}"
        total += result.points
    assert total == expected["score"]


def _run_cells(sources: list[str], namespace: dict[str, Any]) -> None:
    for source in sources:
        with captured():
            try:
                exec(compile(source, "<cell>", "exec"), namespace)
            except Exception as error:  # noqa: BLE001 - a learner's cell may fail; the ones after it still run
                print(error)
