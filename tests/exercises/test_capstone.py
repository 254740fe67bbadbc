"""Lesson 10: references, named mistakes, right answers in other styles, stubs, the judge's bands, and the sandbox.

Networks are trained here, so seeds are few; what judges them is tried on answers that are written down.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import course_lib
from course_lib.clinic import HEALTHY, ILLNESSES
from course_lib.exercises import capstone
from course_lib.exercises.capstone import (
    ANSWER_BYTES,
    BANDS,
    CLASSES,
    DIAGNOSE,
    SECONDS,
    TRAIN,
    TRAININGS,
    WITHHELD,
    diagnose,
    diagnosis_is_wrong,
    labels_are_wrong,
    shifted,
)
from course_lib.exercises.programs import Case, call, encode_case, method
from tests.exercises.exercise_checks import (
    grade,
)
from tests.exercises.reference_mutants import mutants_of

# diagnose


@pytest.mark.parametrize("name", ILLNESSES)
def test_a_constant_diagnosis_earns_nothing(name: str) -> None:
    assert grade(DIAGNOSE, lambda _history: name, 0).points == 0


def test_every_group_has_every_illness_and_the_healthy() -> None:
    for cases in DIAGNOSE.draw(np.random.default_rng(3)).values():
        assert sorted(case.hidden["illness"] for case in cases) == sorted(ILLNESSES)


def test_the_order_of_patients_is_drawn_too() -> None:
    first, second = (
        [case.hidden["illness"] for case in DIAGNOSE.draw(np.random.default_rng(seed))["ordinary"]] for seed in (0, 1)
    )
    assert first != second


def test_the_truth_does_not_travel_with_a_patient() -> None:
    for group in DIAGNOSE.draw(np.random.default_rng(0)).values():
        for case in group:
            text = json.dumps(encode_case(case))
            assert not [name for name in ILLNESSES if name in text]


def test_what_speaks_against_a_wrong_name_is_told_without_the_right_one() -> None:
    for case in DIAGNOSE.draw(np.random.default_rng(0))["ordinary"]:
        truth = case.hidden["illness"]
        assert diagnosis_is_wrong(case, truth) is None
        for said in set(ILLNESSES) - {truth}:
            sentence = diagnosis_is_wrong(case, said) or ""
            assert sentence.startswith(f'You said "{said}". But ')
            assert truth not in sentence.removeprefix(f'You said "{said}"') or truth == HEALTHY
    assert "one of the nine names" in str(diagnosis_is_wrong(case, "flu"))
    assert "one of the nine names" in str(diagnosis_is_wrong(case, 3))


def test_the_reference_knows_two_hundred_patients() -> None:
    for seed in range(10, 18):
        for group in DIAGNOSE.draw(np.random.default_rng(seed)).values():
            for case in group:
                assert diagnose(case.steps[0].arguments["history"]) == case.hidden["illness"]


# build_model


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (np.array([1, 2, 9]), None),
        (np.array([1, 2, 9], np.uint8), None),
        ([1, 2, 3], "it returned a list"),
        (None, "it returned a NoneType"),
        (np.array([1, 2]), r"shape (3,); it returned (2,)"),
        (np.zeros((3, 10)), "Take the class with the highest score"),
        (np.zeros((3, 1), int), "it returned (3, 1)"),
        (np.array([1.0, 2.0, 3.0]), "returned float64"),
        (np.array([True, False, True]), "returned bool"),
        (np.array([0, 1, 10]), "returned 10"),
        (np.array([0, -1, 1]), "returned -1"),
    ],
)
def test_labels_of_another_form_are_told_which(value: Any, said: str | None) -> None:
    sentence = labels_are_wrong(value, 3)
    assert (sentence is None) == (said is None)
    assert said is None or said in str(sentence)


# train


def case_with(labels: np.ndarray) -> Case:
    return Case((call("train"), method(None, "predict", X=np.zeros((len(labels), 64)))), hidden={"labels": labels})  # type: ignore[arg-type]


def answers_right_in(percent: float, n: int = 200) -> tuple[Case, Any]:
    """A case with n labels, and predictions of which so many are right."""
    labels = np.arange(n) % CLASSES
    given = np.where(np.arange(n) < n * percent / 100, labels, (labels + 1) % CLASSES)
    return case_with(labels), (None, given)


@pytest.mark.parametrize(
    ("accuracies", "points"),
    [((90, 90, 90), 6), ((89, 89, 89), 6), ((99, 99, 60), 5), ((85, 85, 85), 4), ((74, 74, 74), 2), ((73, 74, 74), 0)],
)
def test_points_come_by_the_mean_accuracy(accuracies: Sequence[float], points: int) -> None:
    cases, values = zip(*map(answers_right_in, accuracies), strict=True)
    said = [group.together(cases, values) for group in TRAIN.groups if group.together]
    assert sum(group.points for group, s in zip(TRAIN.groups, said, strict=True) if s is None) == points
    assert all(f"{np.mean(accuracies):.1f}%" in s for s in said if s is not None)


def test_bands_are_in_order_and_apart() -> None:
    assert list(BANDS) == sorted(BANDS)
    assert np.diff(BANDS).min() >= 2 * 1.0  # the standard error of three trainings, at most


# Of the mutants of a recipe many are as good, so it is the judge of `train` whose mutants must be noticed.
HARMLESS = ("strict=False", "zip(cases, values)", "mean = np.mean(", "return 100 * np.mean(", "np.mean(values[1] ==")


def test_every_mutant_of_the_judge_changes_a_verdict() -> None:
    trials = [[answers_right_in(a) for a in accuracies] for accuracies in ((80, 80, 80), (79, 80, 80), (99, 99, 45))]

    def verdicts(reaches: Callable[..., Any], accuracy_of: Callable[..., Any]) -> list[Any]:
        found = []
        before, capstone.accuracy_of = capstone.accuracy_of, accuracy_of
        try:
            for trial in trials:
                cases, values = zip(*trial, strict=True)
                found.append(reaches(80.0)(cases, values))
        except Exception as error:  # noqa: BLE001 - a mutant may raise anything, and is noticed
            found.append(error)
        finally:
            capstone.accuracy_of = before
        return found

    def with_names(function: Callable[..., Any], accuracy_of: Callable[..., Any]) -> Callable[..., Any]:
        function.__globals__["accuracy_of"] = accuracy_of  # a mutant has names of its own
        return function

    right = verdicts(capstone.reaches, capstone.accuracy_of)
    assert [verdict is None for verdict in right] == [True, False, True]
    unnoticed = [
        m.becomes
        for m in mutants_of(capstone.reaches)
        if verdicts(with_names(m.function, capstone.accuracy_of), capstone.accuracy_of) == right
    ]
    unnoticed += [
        m.becomes for m in mutants_of(capstone.accuracy_of) if verdicts(capstone.reaches, m.function) == right
    ]
    assert [line for line in unnoticed if not any(harmless in line for harmless in HARMLESS)] == []


def test_the_labels_of_test_images_do_not_travel() -> None:
    for case in TRAIN.draw(np.random.default_rng(0))["ordinary"]:
        labels = case.hidden["labels"]
        assert case.seconds == SECONDS
        arrays: list[np.ndarray] = []
        for step in case.steps:
            for value in step.arguments.values():
                arrays += [a for a in (value, *getattr(value, "fields", {}).values()) if isinstance(a, np.ndarray)]
        assert not [a for a in arrays if a.dtype.kind == "i" and len(a) == len(labels)]
        assert "hidden" not in encode_case(case)
        data = case.steps[2].arguments["data"].fields
        assert set(data) == {"X_train", "y_train", "X_val", "y_val"}


def test_classes_go_by_other_names_in_each_training() -> None:
    cases = TRAIN.draw(np.random.default_rng(0))["ordinary"]
    assert len(cases) == TRAININGS
    means = []
    for case in cases:
        data = case.steps[2].arguments["data"].fields
        means.append(np.array([data["X_train"][data["y_train"] == label].mean(axis=0) for label in range(CLASSES)]))
    nearest = ((means[0][:, None] - means[1]) ** 2).sum(axis=-1).argmin(axis=1)
    assert (nearest == np.arange(CLASSES)).sum() < 6


def test_shifted_moves_each_image_by_a_pixel_at_most_and_changes_nothing_else() -> None:
    rng = np.random.default_rng(0)
    X = np.zeros((200, 64), np.float32)
    X[:, 27] = 1  # row 3, column 3
    places = shifted(X, rng).reshape(200, 8, 8)
    assert (places.sum(axis=(1, 2)) == 1).all()
    assert {(int(r), int(c)) for _, r, c in np.argwhere(places)} == {(r, c) for r in (2, 3, 4) for c in (2, 3, 4)}
    assert X[:, 27].all()


def test_a_training_without_an_end_is_stopped_at_its_budget_and_named_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    def endless(model: Any, data: Any, rng: Any) -> Any:
        while True:
            model.predict(data.X_val)

    monkeypatch.setattr(capstone, "SECONDS", 0.5)
    result = grade(TRAIN, endless, 99)
    assert (result.outcome, result.points) == ("timeout", 0)
    assert "more than 0.5 seconds of processor time" in result.message


def test_fit_says_nothing_in_a_check(capsys: pytest.CaptureFixture[str]) -> None:
    """A learner who forgets `progress=False` gets no flood of bars."""
    from course_lib import SGD, fit

    def noisy(model: Any, data: Any, rng: Any) -> Any:
        fit(model, data.X_train, data.y_train, SGD(model.parameters, lr=0.1), epochs=2, batch_size=50, rng=rng)
        return model

    grade(TRAIN, noisy, 0)
    said = capsys.readouterr()
    assert said.out == said.err == ""


# The sandbox


def test_answers_may_be_8_000_bytes() -> None:
    assert ANSWER_BYTES == 8_000


def test_no_module_left_in_the_sandbox_holds_or_draws_digits() -> None:
    for path in Path(course_lib.__file__).parent.glob("*.py"):
        if path.stem in (*WITHHELD, "__init__", "check", "learner"):
            continue
        tree = ast.parse(path.read_text(encoding="utf-8"))
        wanted = {
            name
            for node in ast.walk(tree)
            if isinstance(node, ast.Import | ast.ImportFrom)
            for name in (getattr(node, "module", None) or "", *(alias.name for alias in node.names))
        }
        assert not {name.split(".")[-1] for name in wanted} & set(WITHHELD), path.name
