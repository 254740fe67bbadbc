"""A run that is interrupted and goes on equals one that was not, to the bit; an interrupt leaves nothing half done."""

import signal
import subprocess
import sys
import threading
import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from states import bits

from course_lib import L1, L2, MLP, SGD, Adam, EarlyStopping, checkpoint
from course_lib.data import two_moons
from course_lib.history import History
from course_lib.interrupts import Interrupts
from course_lib.losses import softmax_cross_entropy
from course_lib.schedulers import (
    CosineAnnealingLR,
    ExponentialLR,
    LinearLR,
    OneCycleLR,
    ReduceLROnPlateau,
    SequentialLR,
)
from course_lib.training import fit

X, Y = two_moons(60, 0.2, np.random.default_rng(9))
N, BATCH, EPOCHS = 42, 8, 4  # the last batch of an epoch has 2 examples
PER_EPOCH = 6
STEPS = EPOCHS * PER_EPOCH

SCHEDULERS = {
    "none": lambda optimizer: None,
    "exponential": partial(ExponentialLR, gamma=0.7),
    "cosine": partial(CosineAnnealingLR, T_max=EPOCHS),
    "plateau": partial(ReduceLROnPlateau, patience=0, threshold=0.2),
    "one cycle": partial(OneCycleLR, max_lr=0.5, total_steps=STEPS),
    "one after another": lambda optimizer: SequentialLR(
        optimizer, [LinearLR(optimizer, total_iters=2), ExponentialLR(optimizer, 0.8)], [2]
    ),
}
RULES = {
    "momentum": partial(SGD, lr=0.2, momentum=0.9),
    "adam": partial(Adam, lr=0.02),
}


class Training:
    """Everything a run consists of, made afresh by the same lines each time."""

    def __init__(
        self, rule="momentum", scheduler="none", stopping=False, shared_rng=True, dtype=np.float32, extras=True
    ):
        self.rng = np.random.default_rng(1)
        rng = self.rng if shared_rng else np.random.default_rng(2)
        self.model = MLP([2, 8, 8, 2], rng=rng, dtype=dtype, batch_norm=True, dropout=0.3)
        self.optimizer = RULES[rule](self.model.parameters)
        self.scheduler = SCHEDULERS[scheduler](self.optimizer)
        self.stopping = EarlyStopping(2, min_delta=0.02, model=self.model) if stopping else None
        self.history = History()
        self.options = {"regularizers": [L2(0.01), L1(0.001, proximal=True)], "clip_norm": 0.5} if extras else {}

    def things(self):
        things = {"model": self.model, "optimizer": self.optimizer, "rng": self.rng, "history": self.history}
        if self.scheduler is not None:
            things["scheduler"] = self.scheduler
        if self.stopping is not None:
            things["stopping"] = self.stopping
        return things

    def fit(self, loss=softmax_cross_entropy, epochs=EPOCHS):
        return fit(
            self.model, X[:N], Y[:N], self.optimizer, epochs=epochs, batch_size=BATCH, rng=self.rng, X_val=X[N:],
            y_val=Y[N:], loss=loss, scheduler=self.scheduler, history=self.history, progress=False,
            callbacks=[] if self.stopping is None else [self.stopping], **self.options,
        )  # fmt: skip

    def bits(self):
        """Every state to the bit, without what a run says about its end."""
        states = {name: checkpoint._state(thing) for name, thing in self.things().items()}
        states["history"].pop("stopped")
        return bits(states)


@pytest.fixture(autouse=True)
def interrupts_are_heard():
    """What a shell starts in the background ignores SIGINT, and so do all it starts; these tests send it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def interrupting(step):
    """A loss that sends SIGINT in the middle of the given training step, counted from 1."""
    calls = 0

    def loss(output, labels):
        nonlocal calls
        if len(labels) in (BATCH, N % BATCH):
            calls += 1
            if calls == step:
                signal.raise_signal(signal.SIGINT)
        return softmax_cross_entropy(output, labels)

    return loss


trainings = st.fixed_dictionaries(
    {
        "rule": st.sampled_from(sorted(RULES)),
        "scheduler": st.sampled_from(sorted(SCHEDULERS)),
        "stopping": st.booleans(),
        "shared_rng": st.booleans(),
        "dtype": st.sampled_from([np.float32, np.float64]),
        "extras": st.booleans(),
    }
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(options=trainings, points=st.lists(st.integers(1, STEPS), max_size=3, unique=True), from_file=st.booleans())
def test_an_interrupted_run_goes_on_to_the_same_bits(tmp_path, options, points, from_file):
    whole = Training(**options)
    whole.fit()
    training = Training(**options)
    for point in sorted(points):
        before = training.history.steps
        if training.history.epochs == EPOCHS or (before and not training.history.stopped.startswith("Interrupted")):
            break
        history = training.fit(interrupting(point - before))
        if history.stopped.startswith("Interrupted"):
            assert history.steps == point
            assert training.optimizer.t == point
        if from_file:
            checkpoint.save(tmp_path / "run.npz", **training.things())
            training = Training(**options)
            training.rng.random(7)
            checkpoint.load(tmp_path / "run.npz", **training.things())
    if not training.history.steps or training.history.stopped.startswith("Interrupted"):
        training.fit()
    assert training.bits() == whole.bits()
    assert training.history == whole.history


@pytest.mark.parametrize("step", range(1, STEPS + 1))
def test_every_single_step_may_be_the_interrupted_one(step):
    options = {"scheduler": "one cycle", "stopping": False}
    whole, training = Training(**options), Training(**options)
    whole.fit()
    history = training.fit(interrupting(step))
    assert history.steps == step
    assert history.epochs == (step - 1) // PER_EPOCH, "an epoch is over when it was measured"
    assert history.stopped.startswith(f"Interrupted after step {step}; the model keeps what it has learned.")
    again = training.fit()
    assert again is history
    assert history.stopped == ""
    assert training.bits() == whole.bits()


def test_more_epochs_after_a_finished_run_are_those_of_a_longer_run():
    whole, training = Training(scheduler="exponential"), Training(scheduler="exponential")
    whole.fit(epochs=5)
    for epochs in (1, 2, 5):
        training.fit(epochs=epochs)
    assert training.bits() == whole.bits()


PROGRAM = """
import sys, time
sys.path[:0] = {path!r}
from test_resume import Training, checkpoint, softmax_cross_entropy

def slow(output, labels):
    time.sleep(0.02)
    if training.history.steps == 3:
        print("going", flush=True)
    return softmax_cross_entropy(output, labels)

training = Training(scheduler="cosine", stopping=True)
history = training.fit(slow)
checkpoint.save({file!r}, **training.things())
print(history.stopped)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT for one process alone")
def test_a_process_that_is_interrupted_saves_what_it_has_and_another_goes_on(tmp_path):
    file = str(tmp_path / "run.npz")
    here = Path(__file__).resolve().parent
    program = PROGRAM.format(path=[str(here), str(here.parent.parent)], file=file)
    process = subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "going\n"
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert out.splitlines()[-1].startswith("Interrupted after step ")
    training, whole = Training(scheduler="cosine", stopping=True), Training(scheduler="cosine", stopping=True)
    checkpoint.load(file, **training.things())
    assert 3 < training.history.steps < STEPS
    training.fit()
    whole.fit()
    assert training.bits() == whole.bits()


def test_a_second_interrupt_raises():
    def insist(output, labels):
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
        raise AssertionError("not reached")

    training, before = Training(), signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        training.fit(insist)
    assert training.history.stopped == "Interrupted twice, in the middle of something, after step 0."
    assert signal.getsignal(signal.SIGINT) is before


def test_an_interrupt_at_the_very_end_changes_nothing():
    def at_the_end(history):
        if history.epochs == 2:
            signal.raise_signal(signal.SIGINT)

    model = MLP([2, 2], rng=np.random.default_rng(0))
    history = fit(
        model, X, Y, SGD(model.parameters), epochs=2, batch_size=8, rng=np.random.default_rng(0), callbacks=[at_the_end]
    )
    assert history.epochs == 2
    assert history.stopped == ""


def test_early_stopping_does_not_restore_on_an_interrupt():
    training = Training(stopping=True)
    training.stopping.restore = lambda: pytest.fail("the run is not over")
    training.fit(interrupting(PER_EPOCH + 2))
    assert training.history.epochs == 1


@pytest.mark.parametrize("ends", ["well", "with an error", "with an interrupt"])
def test_the_handler_is_as_it_was(ends):
    def loss(output, labels):
        assert signal.getsignal(signal.SIGINT) is not mine
        if ends == "with an error":
            raise RuntimeError("broken")
        if ends == "with an interrupt":
            signal.raise_signal(signal.SIGINT)
        return softmax_cross_entropy(output, labels)

    def mine(number, frame):
        heard.append(number)

    heard = []
    before = signal.signal(signal.SIGINT, mine)
    try:
        try:
            Training().fit(loss, epochs=1)
        except RuntimeError:
            assert ends == "with an error"
        assert signal.getsignal(signal.SIGINT) is mine
    finally:
        signal.signal(signal.SIGINT, before)
    assert heard == ([signal.SIGINT] * (0 if ends != "with an interrupt" else len(heard)))


def test_the_second_interrupt_goes_to_the_handler_that_was_there():
    heard = []
    before = signal.signal(signal.SIGINT, lambda number, frame: heard.append(number))
    try:
        with Interrupts() as interrupts:
            assert (interrupts.noted, interrupts.insisted) == (False, False)
            signal.raise_signal(signal.SIGINT)
            assert (interrupts.noted, interrupts.insisted, heard) == (True, False, [])
            signal.raise_signal(signal.SIGINT)
            assert (interrupts.noted, interrupts.insisted, heard) == (True, True, [signal.SIGINT])
    finally:
        signal.signal(signal.SIGINT, before)


def test_ignored_interrupts_stay_ignored():
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with Interrupts() as interrupts:
            assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
            signal.raise_signal(signal.SIGINT)
            assert not interrupts.noted
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


def test_in_another_thread_it_trains_without_handlers():
    training, whole = Training(), Training()
    whole.fit()
    thread = threading.Thread(target=training.fit)
    handler = signal.getsignal(signal.SIGINT)
    thread.start()
    while thread.is_alive():
        assert signal.getsignal(signal.SIGINT) is handler
        time.sleep(0.001)
    assert training.bits() == whole.bits()


def finished(**options):
    training = Training(**options)
    training.fit(interrupting(PER_EPOCH + 2))
    return training


def other_batches(training):
    training.history.batch_size = 7


def other_number(training):
    training.history.examples += 1


def no_penalties(training):
    training.options = {"clip_norm": 0.5}


def no_clipping(training):
    training.options = {"regularizers": training.options["regularizers"]}


def lost_order(training):
    training.history.order = None


def wrong_order(training):
    training.history.order = np.zeros(N, int)


def too_many_epochs(training):
    training.history.train_loss *= 3
    training.history.val_loss *= 3


def validated_less(training):
    training.history.val_loss.clear()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            other_batches,
            r"the history is of 42 examples in batches of 7, and fit got 42 in batches of 8; give the same",
        ),
        (other_number, r"the history is of 43 examples in batches of 8"),
        (no_penalties, r"the history has 8 values in step_penalty, and a run like this one would have 0"),
        (no_clipping, r"the history has 8 values in step_grad_norm, and a run like this one would have 0"),
        (validated_less, r"the history has 0 values in val_loss, and a run like this one would have 1"),
        (lost_order, r"does not add up: 8 steps, 1 epochs of 6 steps, no order for the rest of the epoch"),
        (wrong_order, r"does not add up: .* an order"),
        (too_many_epochs, r"does not add up: 8 steps, 3 epochs"),
    ],
)
def test_a_history_of_another_run_is_refused(change, message):
    training = finished()
    change(training)
    before = training.bits()
    with pytest.raises(ValueError, match=message):
        training.fit()
    assert training.bits() == before


def test_epochs_count_from_the_beginning():
    training = Training()
    training.fit(epochs=2)
    for epochs in (1, 2):
        with pytest.raises(ValueError, match=rf"has 2 epochs already; .* \(epochs={2 + epochs} adds {epochs}\)\."):
            training.fit(epochs=epochs)


def test_a_history_keeps_its_state():
    first = finished().history
    state = first.state_dict()
    second = History()
    second.load_state_dict(state)
    assert second == first
    np.testing.assert_array_equal(second.order, first.order)
    state["step_loss"].append(1.0)
    state["order"][0] = -1
    assert second == first
    assert second.order[0] >= 0
    assert repr(second) == repr(first)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda state: state.pop("order"), "misses 'order'"),
        (lambda state: state.update(colour=1), "does not know 'colour'"),
        (lambda state: state.update(val_loss=3), "val_loss cannot be 3"),
        (lambda state: state.update(step_lr=["a"]), r"step_lr cannot be \['a'\]"),
        (lambda state: state.update(order="abc"), "order cannot be 'abc'"),
    ],
)
def test_a_state_that_is_none_is_refused_and_changes_nothing(change, message):
    history = finished().history
    state = history.state_dict()
    change(state)
    before = bits(history.state_dict())
    with pytest.raises(ValueError, match=message):
        history.load_state_dict(state)
    assert bits(history.state_dict()) == before
