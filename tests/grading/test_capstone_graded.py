"""Lesson 10 through the whole line, in the real sandbox: a right, a weak and cheating submissions, by bands."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path

import pytest

from autograder.lesson import LessonSource
from autograder.pipeline import GradedSubmission, grade_submission
from autograder.sandbox.choice import choose
from course_lib.exercises.capstone import BANDS
from tests.grading.helpers import LIMITS, as_bytes, cell, points

SEED = 20_261_128

DIAGNOSE = """\
def diagnose(history):
    norm, ratio, lr = history["grad_norm"], history["update_ratio"], history["lr"]
    signs = {
        "gradients pile up": norm[-1] > 3 * norm[0],
        "rate too high": ratio[0] > 0.2,
        "dead units": norm.max() < 0.4,
        "not shuffled": norm.max() > 1.9,
        "rate falls too soon": lr[-1] < 0.01 * lr.max(),
        "rate too low": ratio.max() < 0.003,
        "wrong labels": history["train_accuracy"][-1] < 0.7,
        "overfitting": history["val_loss"][-1] > 8 * history["train_loss"][-1],
        "healthy": True,
    }
    return next(name for name, holds in signs.items() if holds)
"""
BUILD = """\
def build_model(rng):
    from course_lib import MLP
    return MLP([64, 128, 10], rng=rng, batch_norm=True)
"""
TRAIN = """\
def train(model, data, rng):
    from course_lib import AdamW, CosineAnnealingLR, fit
    n, epochs = len(data.X_train), 60
    paper = np.pad(data.X_train.reshape(n, 8, 8), ((0, 0), (1, 1), (1, 1)))
    opt = AdamW(model.parameters, lr=0.01, weight_decay=0.1)
    falling = CosineAnnealingLR(opt, T_max=epochs)
    for _ in range(epochs):
        down, across = rng.integers(0, 3, (2, n, 1))
        rows, columns = down + np.arange(8), across + np.arange(8)
        X = paper[np.arange(n)[:, None, None], rows[:, :, None], columns[:, None, :]].reshape(n, 64)
        fit(model, X, data.y_train, opt, epochs=1, batch_size=50, rng=rng)
        falling.step()
    return model
"""
WEAK = """\
def train(model, data, rng):
    from course_lib import Adam, fit
    fit(model, data.X_train, data.y_train, Adam(model.parameters, lr=0.005), epochs=20, batch_size=32, rng=rng)
    return model
"""
GENERATOR = """\
def train(model, data, rng):
    from course_lib.stroke_digits import draw_task
    return model
"""
PEEKING = """\
def train(model, data, rng):
    import gc
    labels = [a for a in gc.get_objects() if isinstance(a, np.ndarray) and a.shape == (2000,)]
    hidden = [value for value in gc.get_objects() if type(value).__name__ == "Case" and value.hidden is not None]
    model.labels = labels[0] if labels else hidden[0].hidden["labels"] if hidden else np.zeros(2000, int)
    model.predict = lambda X: model.labels[: len(X)] if len(X) == 2000 else np.zeros(len(X), int)
    return model
"""
ENDLESS = "def train(model, data, rng):\n    while True:\n        model.predict(data.X_val)\n"
STORED = BUILD + "WEIGHTS = '" + "0123456789abcdef" * 600 + "'\n"


@pytest.fixture(scope="module")
def lesson(root: Path) -> LessonSource:
    return LessonSource.from_course(root, "10_capstone")


def graded(lesson: LessonSource, answers: Mapping[str, str]) -> GradedSubmission:
    notebook = copy.deepcopy(lesson.notebook)
    for name, source in answers.items():
        cell(notebook, name).source = source
    return grade_submission(as_bytes(notebook), lesson, SEED, choose(), LIMITS)


def test_a_right_submission_earns_every_band(lesson: LessonSource) -> None:
    found = graded(lesson, {"diagnose": DIAGNOSE, "build_model": BUILD, "train": TRAIN})
    assert points(found) == {"diagnose": (6, "right"), "build_model": (4, "right"), "train": (6, "right")}
    assert (found.outcome, found.score, found.max_score) == ("graded", 16, 16)
    assert found.notes == ()


def test_a_weak_recipe_earns_the_bands_that_it_reaches(lesson: LessonSource) -> None:
    found = graded(lesson, {"build_model": BUILD, "train": WEAK})
    result = found.exercises[2]
    assert (result.points, result.outcome) == (2, "partial")
    assert f"{BANDS[1]:g}%" in result.message
    assert "your network was right in" in result.message
    assert found.exercises[0].outcome == "unanswered"


def test_a_network_that_is_not_trained_earns_nothing_and_is_told_so(lesson: LessonSource) -> None:
    found = graded(lesson, {"build_model": BUILD, "train": "def train(model, data, rng):\n    return model\n"})
    assert points(found)["train"] == (0, "wrong")
    assert found.entry()["exercises"][2]["misconception"] == "never_trained"


@pytest.mark.parametrize(("source", "said"), [(GENERATOR, "is not there in grading"), (PEEKING, "")])
def test_neither_the_generator_nor_the_labels_are_in_the_room(lesson: LessonSource, source: str, said: str) -> None:
    result = graded(lesson, {"build_model": BUILD, "train": source}).exercises[2]
    assert result.points == 0
    assert said in result.message


def test_an_answer_with_stored_numbers_is_not_run(lesson: LessonSource) -> None:
    found = graded(lesson, {"build_model": STORED, "diagnose": DIAGNOSE})
    assert points(found)["build_model"] == (0, "unanswered")
    assert points(found)["diagnose"] == (6, "right")
    assert "this lesson allows 8,000" in found.exercises[1].message


def test_a_training_without_an_end_costs_its_own_points_and_no_other(lesson: LessonSource) -> None:
    found = graded(lesson, {"diagnose": DIAGNOSE, "build_model": BUILD, "train": ENDLESS})
    assert points(found) == {"diagnose": (6, "right"), "build_model": (4, "right"), "train": (0, "timeout")}
    assert "more than 8 seconds of processor time" in found.exercises[2].message
