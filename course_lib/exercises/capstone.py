"""Lesson 10: name what is wrong with a run, and train a network of your own recipe on digits that nobody holds.

`diagnose` is judged by what was really done to each run. `build_model` and `train` are judged by what the trained
network says of images whose labels stay with the judge: many recipes are right, and points come in bands of accuracy.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from inspect import cleandoc
from typing import Any

import numpy as np

from course_lib._typing import Array, IntArray
from course_lib.clinic import HEALTHY, ILLNESSES, Patient, admit
from course_lib.exercises.exercise import Exercise, Group, Misconception
from course_lib.exercises.programs import Answer, Case, RandomGenerator, Record, Result, Step, call, method
from course_lib.network import MLP
from course_lib.optimizers import AdamW
from course_lib.schedulers import CosineAnnealingLR
from course_lib.stroke_digits import SIDE, draw_digits, draw_hand, draw_task
from course_lib.training import fit

LESSON = "10_capstone"
WITHHELD = ("clinic", "stroke_digits", "data", "_arrays", "explore")
"""Modules of course_lib that hold digits, or draw them, or draw patients. The library itself may be used here."""
ANSWER_BYTES = 8_000
"""The most bytes of code in an answer: a recipe is short, stored weights and images are not."""

SECONDS = 8.0
"""Processor time for one training of the check, everything around it included."""
TRAININGS = 3
CLASSES = 10
BANDS = (74.0, 82.0, 86.0, 89.0)
"""Mean accuracy in % over the trainings of a check that earns each group of `train`.

Measured over ten draws of three trainings, mean and standard deviation: a linear model reaches 70.0 (1.0), a plain
network 77.0 (0.5), one with batch normalisation 80.0 (1.0); with moved images 82.9 (0.9) after 15 epochs, 88.2 (0.8)
after 30, and the reference, after 60, 91.2 (0.6). Bands lie at least two of these deviations apart.
"""


# diagnose -------------------------------------------------------------------------------------------------------------


def diagnose(history: Mapping[str, Array]) -> str:
    """What is wrong with a training run, by its history.

    Args:
        history: as in `clinic.Patient`: values an epoch, and the loss of each step.

    Returns:
        A key of `clinic.ILLNESSES`.
    """
    norm, ratio, lr = history["grad_norm"], history["update_ratio"], history["lr"]
    if norm[-1] > 3 * norm[0]:
        return "gradients pile up"
    if ratio[0] > 0.2:
        return "rate too high"
    if norm.max() < 0.4:
        return "dead units"
    if norm.max() > 1.9:
        return "not shuffled"
    if lr[-1] < 0.01 * lr.max():
        return "rate falls too soon"
    if ratio.max() < 0.003:
        return "rate too low"
    if history["train_accuracy"][-1] < 0.7:
        return "wrong labels"
    if history["val_loss"][-1] > 8 * history["train_loss"][-1]:
        return "overfitting"
    return "healthy"


def diagnosis_is_wrong(case: Case, value: Any) -> str | None:
    """Whether it is the name of what was done to the patient; what speaks against the name that was said instead."""
    if not isinstance(value, str) or value not in ILLNESSES:
        said = f'"{value[:40]}"' if isinstance(value, str) else f"a {type(value).__name__}"
        return f'Return one of the nine names, written as in the list, such as "rate too low"; you returned {said}.'
    if value == case.hidden["illness"]:
        return None
    history = case.steps[0].arguments["history"]
    said = f'You said "{value}". But {_AGAINST[value](history)}.'
    if case.hidden["illness"] == "rate too high":
        first = history["update_ratio"][0]
        said += f" In the first epoch its steps are {first:.2g} of the weights' size (`update_ratio[0]`)."
    return said


def _ends(h: Mapping[str, Array]) -> str:
    return f"accuracy ends at {h['train_accuracy'][-1]:.0%} in training and {h['val_accuracy'][-1]:.0%} in validation"


_AGAINST: Mapping[str, Callable[[Mapping[str, Array]], str]] = {
    "rate too high": lambda h: f"in the first epoch its steps are {h['update_ratio'][0]:.2g} of the weights' size",
    "rate too low": lambda h: (
        f"its largest steps are {h['update_ratio'].max():.2g} of the weights' size, and its gradient has the norm "
        f"{h['grad_norm'].mean():.2g}"
    ),
    "dead units": lambda h: f"the norm of its gradient reaches {h['grad_norm'].max():.2g}",
    "wrong labels": _ends,
    "overfitting": lambda h: f"{_ends(h)}, the losses at {h['train_loss'][-1]:.2g} and {h['val_loss'][-1]:.2g}",
    "not shuffled": lambda h: f"the norm of its gradient reaches {h['grad_norm'].max():.2g}",
    "gradients pile up": lambda h: (
        f"the norm of its gradient goes from {h['grad_norm'][0]:.2g} to {h['grad_norm'][-1]:.2g}"
    ),
    "rate falls too soon": lambda h: f"its rate goes from {h['lr'].max():.2g} to {h['lr'][-1]:.2g}, and {_ends(h)}",
    HEALTHY: lambda h: f"{_ends(h)}, and the last training loss is {h['train_loss'][-1]:.2g}",
}


@lru_cache(maxsize=24)
def _ward(seed: int, kind: str) -> tuple[Patient, ...]:
    rng = np.random.default_rng(seed)
    return tuple(admit([str(name) for name in rng.permutation(list(ILLNESSES))], rng, kind))


def _patients(kind: str) -> Callable[[np.random.Generator], list[Case]]:
    def draw(rng: np.random.Generator) -> list[Case]:
        return [
            Case(
                (call("diagnose", history=dict(patient.history)),),
                label=f"patient {i}",
                hidden={"illness": patient.illness},
            )
            for i, patient in enumerate(_ward(int(rng.integers(2**31)), kind), start=1)
        ]

    return draw


def _unless(
    suspicion: Callable[[Mapping[str, Array]], bool], said: str, only: Sequence[str] = ()
) -> Callable[..., Any]:
    """`diagnose`, but for a suspicion that is asked first (only where the right name is one of `only`, if given)."""

    def wrong(history: Mapping[str, Array]) -> str:
        right = diagnose(history)
        return said if suspicion(history) and (not only or right in only) else right

    return wrong


DIAGNOSE = Exercise(
    name="diagnose",
    lesson=LESSON,
    question="Say what is wrong with a training run, by its history.",
    outputs=("name",),
    reference=diagnose,
    groups=(
        Group("ordinary", "Clear cases", 3, _patients("clear"), diagnosis_is_wrong),
        Group("edge", "Mild cases", 2, _patients("mild"), diagnosis_is_wrong),
        Group("nasty", "Look-alikes", 1, _patients("look-alike"), diagnosis_is_wrong),
    ),
    misconceptions=(
        Misconception(
            "stuck_means_low_rate",
            'Every run whose loss hardly falls is called "rate too low". It can be stuck for other reasons: look at '
            "the norm of the gradient, and at the size of the first steps.",
            _unless(lambda h: h["train_loss"][-1] > 2, "rate too low"),
            "Three runs stand near a loss of 2.3. One takes steps of a ten-thousandth of its weights, one has hardly a "
            "gradient, one jumped far away in its first epoch. Which numbers tell them apart?",
        ),
        Misconception(
            "small_steps_before_gradient",
            "Small steps alone are taken for a low rate, so dead units are missed. A step is rate times gradient: "
            "where the gradient itself is nearly nothing, ask about that first.",
            _unless(lambda h: h["update_ratio"].max() < 0.003, "rate too low", ("dead units", "rate too low")),
        ),
        Misconception(
            "any_gap_is_overfitting",
            "A validation loss a little above the training loss is called overfitting. Every healthy run has such a "
            "gap. Compare the two by their ratio, or look for a large one.",
            _unless(
                lambda h: h["val_loss"][-1] > h["train_loss"][-1] + 0.01, "overfitting", ("healthy", "overfitting")
            ),
            "Training loss 0.05, validation loss 0.12: a gap, and 97% of new images are read. Training loss 0.01, "
            "validation loss 1: that one learned by heart.",
        ),
        Misconception(
            "large_gradient_is_high_rate",
            'A gradient that grows is called "rate too high". A high rate shows at once, in the first epoch; here the '
            "norm grows from epoch to epoch, because old gradients are never cleared.",
            _unless(lambda h: h["grad_norm"].max() > 8, "rate too high", ("gradients pile up", "rate too high")),
        ),
        Misconception(
            "low_validation_is_wrong_labels",
            'Every run with a low validation accuracy is called "wrong labels". A run that learns nothing has one too: '
            "wrong labels let the *training* loss fall while validation does not follow.",
            _unless(lambda h: h["val_accuracy"][-1] < 0.2, "wrong labels"),
        ),
        Misconception(
            "every_falling_rate",
            'Every schedule is called "rate falls too soon". A rate may fall, once the work is done: look how far it '
            "fell and what the training loss was by then.",
            _unless(
                lambda h: h["lr"][-1] < 0.5 * h["lr"].max(), "rate falls too soon", ("healthy", "rate falls too soon")
            ),
        ),
        Misconception(
            "warm_up_is_low_rate",
            'Only the first epoch is looked at, so a warm-up is called "rate too low". Look at the largest rate or '
            "step of the run.",
            _unless(lambda h: h["lr"][0] < 0.5 * h["lr"].max(), "rate too low"),
        ),
        Misconception(
            "underscores",
            'The names are written with underscores. Write them as in the list, with spaces: "rate too low".',
            lambda history: diagnose(history).replace(" ", "_"),
        ),
        Misconception(
            "place_in_the_list",
            "A number is returned, the place in the list. Return the name itself.",
            lambda history: list(ILLNESSES).index(diagnose(history)),
        ),
    ),
    hints=(
        cleandoc("""
            Take the first case that failed and look at its arrays: `grad_norm`, shape (20,), first, largest and last;
            `update_ratio`, shape (20,), first and largest; the last entries of both losses and both accuracies.

            A run with grad_norm 0.2 from first to last and a loss of 2.3: no rate helps there, for the hidden units
            pass nothing on. A run with grad_norm 1 and update_ratio 0.0001: there is a slope, and nobody walks.
            """),
        cleandoc("""
            Ask one question after the other, the loudest sign first. Does the norm of the gradient grow many times
            over? Was the first epoch one huge step? Is there no gradient at all? Is it several times as long as usual?
            Did the rate fall to nothing? Were all steps tiny? What is left has learned something: does it know its
            training images, and does it know others?
            """),
        cleandoc("""
            ```python
            norm, ratio, lr = history["grad_norm"], history["update_ratio"], history["lr"]
            if norm[-1] > 3 * norm[0]:
                return "gradients pile up"
            if ratio[0] > ____:
                return "rate too high"
            if norm.max() < ____:
                return "dead units"
            ...
            return "healthy"
            ```

            Why must dead units be asked for before a rate that is too low?
            """),
    ),
    minutes=15,
    difficulty=3,
)


# build_model ----------------------------------------------------------------------------------------------------------


def build_model(rng: np.random.Generator) -> MLP:
    """A network for 64 pixels and ten classes: 128 hidden units, batch normalisation before their ReLU.

    Args:
        rng: where the first weights are drawn from.

    Returns:
        Something with `predict(X) -> labels`: X (N, 64), labels (N,), whole numbers from 0 to 9.
    """
    return MLP([64, 128, 10], rng=rng, batch_norm=True)


def labels_are_wrong(value: Any, n: int) -> str | None:
    """What is wrong with the form of predicted labels for n images; None if nothing."""
    if not isinstance(value, np.ndarray):
        return f"`predict` should return an array of {n} labels; it returned a {type(value).__name__}."
    if value.shape != (n,):
        more = " Take the class with the highest score in each row." if value.ndim == 2 and value.shape[1] > 1 else ""
        return f"`predict` should return labels of the shape ({n},); it returned {value.shape}.{more}"
    if value.dtype.kind not in "iu":
        return f"Labels are whole numbers; `predict` returned {value.dtype}."
    if value.size and not 0 <= value.min() <= value.max() < CLASSES:
        return f"Labels are from 0 to 9; `predict` returned {value.min() if value.min() < 0 else value.max()}."
    return None


def _all_labels(case: Case, values: Any) -> str | None:
    """The form of every answer of a program whose answers are all predictions."""
    given = values if len(case.answer) > 1 else (values,)
    asked = [case.steps[index].arguments["X"] for index in case.answer]
    return next((said for X, v in zip(asked, given, strict=True) if (said := labels_are_wrong(v, len(X)))), None)


def seeds_are_ignored(case: Case, values: Any) -> str | None:
    """For three models, of one seed, of the same again, and of another."""
    said = _all_labels(case, values)
    if said is not None:
        return said
    first, again, other = values
    if not np.array_equal(first, again):
        return "Two models from generators of one seed differ: draw all weights from `rng`, none from elsewhere."
    if np.array_equal(first, other):
        return (
            "Models from generators of different seeds say the same of every image: draw the first weights from `rng`."
        )
    return None


def company_matters(case: Case, values: Any) -> str | None:
    """For one model asked about all images, about all again, about the first alone, and about the first half."""
    said = _all_labels(case, values)
    if said is not None:
        return said
    first, again, alone, half = values
    if not np.array_equal(first, again):
        return "Asked twice about the same images, the model answered differently: is dropout at work in `predict`?"
    if alone[0] != first[0] or not np.array_equal(half, first[: len(half)]):
        return (
            "What the model says of an image depends on the other images beside it: does `predict` normalise by the "
            "batch it is given?"
        )
    return None


def _images(rng: np.random.Generator, n: int) -> Array:
    return draw_digits(n, rng)[0]


def _built(rng: np.random.Generator, n: int) -> Case:
    seed = int(rng.integers(2**31))
    steps = (call("build_model", rng=RandomGenerator(seed)), method(Result(0), "predict", X=_images(rng, n)))
    return Case(steps, label=f"{n} images" if n > 1 else "one image", seconds=SECONDS)


def _built_ordinary(rng: np.random.Generator) -> list[Case]:
    return [_built(rng, n) for n in (100, 37, 1)]


def _built_edge(rng: np.random.Generator) -> list[Case]:
    X = _images(rng, 300)
    one, other = (int(seed) for seed in rng.integers(2**31, size=2))
    steps: list[Step] = []
    for seed in (one, one, other):
        steps += [call("build_model", rng=RandomGenerator(seed)), method(Result(len(steps)), "predict", X=X)]
    return [Case(tuple(steps), (1, 3, 5), "two of one seed, one of another", seconds=SECONDS)]


def _built_nasty(rng: np.random.Generator) -> list[Case]:
    X = _images(rng, 300)
    asked = (X, X, X[:1], X[:150])
    built = call("build_model", rng=RandomGenerator(int(rng.integers(2**31))))
    steps = (built, *(method(Result(0), "predict", X=each) for each in asked))
    return [Case(steps, (1, 2, 3, 4), "asked twice, one image alone, half of them", seconds=SECONDS)]


class _Asked:
    """A network whose `predict` is somebody else's."""

    def __init__(self, network: MLP, predict: Callable[[MLP, Array], Any]) -> None:
        self.network, self._predict = network, predict

    def predict(self, X: Array) -> Any:
        return self._predict(self.network, X)


def _predicting(predict: Callable[[MLP, Array], Any], **settings: Any) -> Callable[[np.random.Generator], Any]:
    return lambda rng: _Asked(MLP([64, 32, 10], rng=rng, **settings), predict)


def _one(value: Any) -> Any:
    """The first of the predictions in an answer."""
    return value[0] if isinstance(value, tuple) else value


def _is_one_hot(value: Any) -> bool:
    return bool(value.ndim == 2 and value.shape[1] == CLASSES and np.isin(value, (0, 1)).all())


BUILD_MODEL = Exercise(
    name="build_model",
    lesson=LESSON,
    question="Make an untrained network whose `predict` gives a label for each image.",
    outputs=("labels",),
    reference=build_model,
    groups=(
        Group("ordinary", "Labels of the right form", 2, _built_ordinary, _all_labels),
        Group("edge", "First weights from rng", 1, _built_edge, seeds_are_ignored),
        Group("nasty", "An image alone and in company", 1, _built_nasty, company_matters),
    ),
    misconceptions=(
        Misconception(
            "nothing_returned",
            "`build_model` returns nothing: the network is made, and lost. End with `return model`.",
            lambda rng: None,
            recognise=lambda case, answer: "'NoneType' object has no attribute 'predict'" in answer.error,
        ),
        Misconception(
            "one_hot",
            "`predict` returns a row of zeros and ones for each image. Asked for is the place of the one: "
            "`argmax(axis=1)`.",
            _predicting(lambda net, X: np.eye(10)[net.predict(X)]),
            recognise=lambda case, answer: _is_one_hot(_one(answer.value)),
        ),
        Misconception(
            "scores_returned",
            "`predict` returns the ten scores or probabilities of each image. Asked for is the class with the highest: "
            "`argmax(axis=1)`.",
            _predicting(lambda net, X: net.predict_proba(X)),
            "X has shape (N, 64), the scores (N, 10), the labels (N,). Which axis goes away?",
            recognise=lambda case, answer: _one(answer.value).shape[1:] == (CLASSES,),
        ),
        Misconception(
            "a_column",
            "The labels stand in a column, shape (N, 1). `.ravel()` makes it (N,).",
            _predicting(lambda net, X: net.predict(X)[:, None]),
            recognise=lambda case, answer: _one(answer.value).shape[1:] == (1,),
        ),
        Misconception(
            "own_generator",
            "A generator of your own, with a fixed seed, draws the first weights, so all your networks are the same "
            "one. Use the `rng` you are given.",
            lambda rng: MLP([64, 32, 10], rng=np.random.default_rng(0)),
            recognise=lambda case, answer: np.array_equal(answer.value[0], answer.value[2]),
        ),
        Misconception(
            "global_generator",
            "The first weights come from a generator that nobody can set, so no two runs are alike. Use the `rng` you "
            "are given.",
            lambda rng: MLP([64, 32, 10], rng=np.random.default_rng()),
            recognise=lambda case, answer: len(answer.value) == 3 and not np.array_equal(*answer.value[:2]),
        ),
        Misconception(
            "dropout_in_predict",
            "Dropout is at work in `predict`, so the same image gets other labels now and then. Ask the network in "
            "evaluation mode: `forward(X, training=False)`.",
            _predicting(lambda net, X: net.forward(X).argmax(axis=1), dropout=0.3),
            recognise=lambda case, answer: len(answer.value) == 4 and not np.array_equal(*answer.value[:2]),
        ),
        Misconception(
            "statistics_of_the_batch",
            "Batch normalization takes the mean and the spread of the images it is asked about. In evaluation it must "
            "use those kept from training: `forward(X, training=False)`.",
            _predicting(
                lambda net, X: (
                    net.forward(X).argmax(axis=1) if len(X) > 1 else net.forward(X, training=False).argmax(axis=1)
                ),
                batch_norm=True,
            ),
            recognise=lambda case, answer: (
                len(answer.value) == 4 and not np.array_equal(answer.value[3], answer.value[0][:150])
            ),
        ),
    ),
    hints=(
        cleandoc("""
            Take three images: X has shape (3, 64). The network makes scores of shape (3, 10) of them, and `predict`
            returns the place of the highest in each row, shape (3,): [7, 0, 7], say.

            `MLP` has such a `predict` already.
            """),
        cleandoc("""
            Decide how many hidden layers and units there are, and whether they get dropout or batch normalization; the
            first weights come from `rng`. `predict` asks in evaluation mode, so that neither chance nor the other
            images have a say.
            """),
        cleandoc("""
            ```python
            from course_lib import MLP

            model = MLP([____, 64, ____], rng=rng)
            return model
            ```

            Why may `predict` not depend on which other images it is given?
            """),
    ),
    minutes=5,
    difficulty=1,
)


# train ----------------------------------------------------------------------------------------------------------------


def shifted(X: Array, rng: np.random.Generator) -> Array:
    """Every image moved by up to one pixel each way, at random; what leaves is lost, and paper comes in."""
    n = len(X)
    paper = np.pad(X.reshape(n, SIDE, SIDE), ((0, 0), (1, 1), (1, 1)))
    down, across = rng.integers(0, 3, (2, n, 1))
    rows, columns = down + np.arange(SIDE), across + np.arange(SIDE)
    return np.asarray(paper[np.arange(n)[:, None, None], rows[:, :, None], columns[:, None, :]].reshape(n, -1))


def train(model: Any, data: Any, rng: np.random.Generator) -> Any:
    """Train on images that are shifted anew in every epoch, by AdamW with a rate that falls along a cosine.

    Args:
        model: from `build_model`.
        data: X_train (N, 64), y_train (N,), X_val, y_val.
        rng: where all that is random comes from.

    Returns:
        The model.
    """
    epochs = 60
    opt = AdamW(model.parameters, lr=0.01, weight_decay=0.1)
    scheduler = CosineAnnealingLR(opt, T_max=epochs)
    for _ in range(epochs):
        fit(model, shifted(data.X_train, rng), data.y_train, opt, epochs=1, batch_size=50, rng=rng, progress=False)
        scheduler.step()
    return model


PROBES = 200
"""So many images are also asked about before training, among the training images, and standardised."""


def _training(rng: np.random.Generator, number: int) -> Case:
    task = draw_task(rng)
    data = {name: getattr(task, name) for name in ("X_train", "y_train", "X_val", "y_val")}
    X_test = task.X_test
    mean, spread = task.X_train.mean(axis=0), task.X_train.std(axis=0) + 1e-6
    seeds = [int(seed) for seed in rng.integers(2**31, size=2)]
    trained = Result(2)
    steps = (
        call("build_model", rng=RandomGenerator(seeds[0])),
        method(Result(0), "predict", X=X_test[:PROBES]),
        call("train", model=Result(0), data=Record(data), rng=RandomGenerator(seeds[1])),
        method(trained, "predict", X=X_test),
        method(trained, "predict", X=data["X_train"][:PROBES]),
        method(trained, "predict", X=data["X_val"]),
        method(trained, "predict", X=(X_test[:PROBES] - mean) / spread),
    )
    hidden = {"labels": task.y_test}
    return Case(steps, (1, 3, 4, 5, 6), f"training {number}", seconds=SECONDS, hidden=hidden)


@lru_cache(maxsize=8)
def _trainings(seed: int) -> tuple[Case, ...]:
    rng = np.random.default_rng(seed)
    return tuple(_training(rng, number) for number in range(1, TRAININGS + 1))


def _draw_trainings(rng: np.random.Generator) -> list[Case]:
    return list(_trainings(int(rng.integers(2**31))))


def accuracy_of(case: Case, values: Sequence[Any]) -> float:
    """The share of test images that were read right, in %."""
    return float(100 * np.mean(values[1] == case.hidden["labels"]))


def reaches(band: float) -> Callable[[Sequence[Case], Sequence[Any]], str | None]:
    """Whether the mean accuracy over all trainings is in a band."""

    def judged(cases: Sequence[Case], values: Sequence[Any]) -> str | None:
        mean = float(np.mean([accuracy_of(case, value) for case, value in zip(cases, values, strict=True)]))
        if mean >= band:
            return None
        return f"On images it had not seen your network was right in {mean:.1f}%, mean of {len(cases)} trainings."

    return judged


def _seen(case: Case, values: Any) -> tuple[IntArray, float, float, float, float]:
    """The labels given to the test images, and the accuracies on test, training, validation and standardised images."""
    data = case.steps[2].arguments["data"].fields
    truth = case.hidden["labels"]
    _, test, train, val, standard = values
    pairs = ((test, truth), (train, data["y_train"][:PROBES]), (val, data["y_val"]), (standard, truth[:PROBES]))
    accuracies = [float(np.mean(given == right)) for given, right in pairs]
    return test, accuracies[0], accuracies[1], accuracies[2], accuracies[3]


def _never_trained(case: Case, answer: Answer) -> bool:
    before, after = answer.value[:2]
    return bool(np.array_equal(before, after[: len(before)]))


def _by_heart(case: Case, answer: Answer) -> bool:
    test, right, *_ = _seen(case, answer.value)
    counts = np.zeros((CLASSES, CLASSES), int)
    np.add.at(counts, (test, case.hidden["labels"]), 1)
    return right < 0.35 and counts.max(axis=1).sum() > 0.5 * len(test)


def _validation_alone(case: Case, answer: Answer) -> bool:
    _, _, train, val, _ = _seen(case, answer.value)
    return val > 0.97 and val - train > 0.05


def _standardised_in_training(case: Case, answer: Answer) -> bool:
    _, right, _, _, standard = _seen(case, answer.value)
    return standard - right > 0.1


def _quick(model: Any, X: Array, y: IntArray, rng: np.random.Generator, lr: float = 0.01) -> Any:
    fit(model, X, y, AdamW(model.parameters, lr=lr), epochs=12, batch_size=50, rng=rng, progress=False)
    return model


def _train_known_digits(model: Any, data: Any, rng: np.random.Generator) -> Any:
    hands = [draw_hand(rng) for _ in range(4)]
    return _quick(model, *draw_digits(600, rng, hands), rng)


def _diverged(model: Any, data: Any, rng: np.random.Generator) -> Any:
    model.parameters.theta[...] = np.nan
    return model


_NOT_A_MODEL = "object has no attribute 'predict'"

TRAIN = Exercise(
    name="train",
    lesson=LESSON,
    question="Train the network, so that it reads digits by hands it knows from a few hundred images.",
    outputs=("model",),
    reference=train,
    uses={"build_model": build_model},
    groups=(
        Group(
            "ordinary",
            f"{BANDS[0]:g}%: more than a linear model reads",
            2,
            _draw_trainings,
            _all_labels,
            reaches(BANDS[0]),
        ),
        Group("edge", f"{BANDS[1]:g}%: more than a plain network reads", 2, "ordinary", together=reaches(BANDS[1])),
        Group("nasty", f"{BANDS[2]:g}%: a recipe with care", 1, "ordinary", together=reaches(BANDS[2])),
        Group("top", f"{BANDS[3]:g}%: a recipe with care and patience", 1, "ordinary", together=reaches(BANDS[3])),
    ),
    misconceptions=(
        Misconception(
            "nothing_returned",
            "`train` returns nothing. It may train the network in place, but it must hand it back: `return model`.",
            lambda model, data, rng: None,
            recognise=lambda case, answer: f"'NoneType' {_NOT_A_MODEL}" in answer.error,
        ),
        Misconception(
            "history_returned",
            "`train` returns the history, because `fit` does. Keep it if you like, and `return model`.",
            lambda model, data, rng: fit(
                model,
                data.X_train,
                data.y_train,
                AdamW(model.parameters),
                epochs=1,
                batch_size=50,
                rng=rng,
                progress=False,
            ),
            recognise=lambda case, answer: f"'History' {_NOT_A_MODEL}" in answer.error,
        ),
        Misconception(
            "never_trained",
            "After training the network says of every image what it said before: it was not trained. Is another "
            "network trained than the one you return, or does the optimizer step without gradients?",
            lambda model, data, rng: model,
            "Print `model.parameters.theta[:3]` before and after. `optimizer.step()` changes what the optimizer was "
            "made over: `model.parameters` of this very model.",
            recognise=_never_trained,
        ),
        Misconception(
            "one_class",
            "The network gives all images one label. Look at its weights: a rate that is too high makes them NaN, or "
            "kills all units.",
            _diverged,
            recognise=lambda case, answer: len(np.unique(answer.value[1])) == 1,
        ),
        Misconception(
            "digits_by_heart",
            "The network tells the forms apart and calls them by other names than `y_train` does: it knows digits from "
            "elsewhere. Here the classes have names of their own, drawn afresh for each training. Learn them from "
            "the data.",
            _train_known_digits,
            recognise=_by_heart,
        ),
        Misconception(
            "standardised_in_training_only",
            "Images are standardised in `train`, and `predict` gets them as they are. What training did to the pixels "
            "`predict` must do too, with the same mean and spread: keep them in the model, or leave the pixels alone.",
            lambda model, data, rng: _quick(
                model, (data.X_train - data.X_train.mean(axis=0)) / data.X_train.std(axis=0), data.y_train, rng
            ),
            recognise=_standardised_in_training,
        ),
        Misconception(
            "validation_only",
            "The network knows the validation images by heart and the training images hardly better than new ones: it "
            "was trained on `X_val` alone. Train on `X_train`, which holds three times as many.",
            lambda model, data, rng: _quick(_quick(model, data.X_val, data.y_val, rng), data.X_val, data.y_val, rng),
            recognise=_validation_alone,
        ),
        Misconception(
            "pairs_lost",
            "The network guesses. Are images and labels shuffled apart from each other? One order for both: `rows = "
            "rng.permutation(n)`, then `X[rows]` and `y[rows]`. A rate far too high or too low guesses as well.",
            lambda model, data, rng: _quick(model, data.X_train, rng.permutation(data.y_train), rng),
            recognise=lambda case, answer: _seen(case, answer.value)[1] < 0.25,
        ),
    ),
    hints=(
        cleandoc("""
            Take the data of one training: X_train has shape (600, 64), y_train (600,), X_val (200, 64). Train with
            `fit` for 20 epochs in batches of 32, and look at the validation accuracy.

            60% or less: the rate. Try three or four of them, each a factor of 3 from the next. 78% in validation and
            100% in training: the network knows its 600 images by heart, and needs more images or less freedom.
            """),
        cleandoc("""
            Change one thing at a time, judge by the validation images, and keep what helps by more than chance would.

            600 images are few. A digit that is moved by a pixel is the same digit, so in every epoch each image can be
            moved a little, up, down, left or right, at random: images that no network has seen. Then it can
            train for much longer before it knows anything by heart, and a rate that falls to 0 pays.
            """),
        cleandoc("""
            ```python
            epochs = 60
            opt = AdamW(model.parameters, lr=0.01)
            scheduler = CosineAnnealingLR(opt, T_max=epochs)
            for epoch in range(epochs):
                images = np.pad(data.X_train.reshape(-1, 8, 8), ((0, 0), (1, 1), (1, 1)))
                down, across = rng.integers(0, 3, 2)
                X = images[:, down : down + 8, ____].reshape(-1, 64)
                fit(model, X, data.y_train, opt, epochs=1, batch_size=50, rng=rng, progress=False)
                scheduler.step()
            return ____
            ```

            Here all images of an epoch move alike; would it be better if each moved by its own?
            """),
    ),
    minutes=22,
    difficulty=3,
)

EXERCISES: tuple[Exercise, ...] = (DIAGNOSE, BUILD_MODEL, TRAIN)
