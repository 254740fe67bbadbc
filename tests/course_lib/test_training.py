"""`fit` learns, remembers what it did, and ends cleanly whatever happens."""

import re
import subprocess
import sys
import warnings
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from course_lib import L1, L2, EarlyStopping, progress
from course_lib.data import two_moons
from course_lib.losses import softmax_cross_entropy, squared_error
from course_lib.network import MLP
from course_lib.nonfinite import all_finite
from course_lib.optimizers import SGD, Adam
from course_lib.schedulers import ExponentialLR, OneCycleLR, ReduceLROnPlateau
from course_lib.training import History, fit, minibatches


def moons(n=200):
    return two_moons(n, 0.1, np.random.default_rng(0))


def run(
    seed=0, epochs=3, batch_size=16, dtype=np.float32, rule=Adam, lr=0.01, data=None, sizes=(2, 16, 2),
    batch_norm=False, **options,
):  # fmt: skip
    rng = np.random.default_rng(seed)
    model = MLP(sizes, rng=rng, dtype=dtype, batch_norm=batch_norm)
    X, y = data or moons()
    optimizer = rule(model.parameters, lr=lr)
    history = fit(model, X, y, optimizer, epochs=epochs, batch_size=batch_size, rng=rng, **options)
    return model, optimizer, history


def test_it_learns():
    X, y = moons()
    model, _, history = run(epochs=40)
    assert history.train_accuracy[-1] > 0.97
    assert history.train_loss[-1] < history.train_loss[0] / 2
    assert np.mean(model.predict(X) == y) == history.train_accuracy[-1]


@given(n=st.integers(1, 60), batch_size=st.integers(1, 70), seed=st.integers(0, 99))
def test_minibatches_take_everyone_once(n, batch_size, seed):
    batches = minibatches(n, batch_size, np.random.default_rng(seed))
    assert sorted(np.concatenate(batches)) == list(range(n))
    assert all(len(batch) == batch_size for batch in batches[:-1])
    assert 1 <= len(batches[-1]) <= batch_size
    again = minibatches(n, batch_size, np.random.default_rng(seed))
    assert all((a == b).all() for a, b in zip(batches, again, strict=True))


def test_minibatches_refuse_less_than_one():
    for n, batch_size in ((0, 1), (5, 0)):
        with pytest.raises(ValueError, match="must be at least 1"):
            minibatches(n, batch_size, np.random.default_rng(0))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_one_seed_one_run_to_the_bit(dtype):
    first, second, other = run(seed=1, dtype=dtype), run(seed=1, dtype=dtype), run(seed=2, dtype=dtype)
    assert first[0].parameters.theta.tobytes() == second[0].parameters.theta.tobytes()
    assert first[2] == second[2]
    assert first[2].step_loss != other[2].step_loss


def test_it_is_the_loop_one_would_write():
    X, y = moons()
    model, _, history = run(seed=3, epochs=2, dtype=np.float64, rule=SGD, lr=0.1)
    rng = np.random.default_rng(3)
    mine = MLP([2, 16, 2], rng=rng, dtype=np.float64)
    losses = []
    for _ in range(2):
        for rows in minibatches(len(X), 16, rng):
            loss, dlogits = softmax_cross_entropy(mine.forward(X[rows]), y[rows])
            mine.backward(dlogits)
            mine.parameters.theta -= 0.1 * mine.parameters.grad
            losses.append(loss)
    np.testing.assert_allclose(history.step_loss, losses, rtol=1e-12)
    np.testing.assert_allclose(model.parameters.theta, mine.parameters.theta, rtol=1e-10)


def test_history_has_every_step_and_epoch():
    data = moons(50)
    _, _, history = run(epochs=4, batch_size=16, data=data, X_val=data[0][:20], y_val=data[1][:20])
    assert history.epochs == len(history.train_loss) == len(history.train_accuracy) == 4
    assert len(history.val_loss) == len(history.val_accuracy) == 4
    assert history.steps == len(history.step_loss) == len(history.step_lr) == 4 * 4
    assert set(history.step_lr) == {0.01}
    assert history.stopped == ""
    assert repr(history).startswith("History: 4 epochs, 16 steps; training loss ")
    assert "validation loss" in repr(history)


def test_validation_changes_nothing_in_the_run():
    data = moons()
    plain, watched = run(data=data), run(data=data, X_val=data[0], y_val=data[1])
    assert plain[2].step_loss == watched[2].step_loss
    assert watched[2].val_loss == watched[2].train_loss


def test_inputs_are_left_as_they_are():
    X, y = moons()
    before = X.copy(), y.copy()
    run(data=(X, y))
    np.testing.assert_array_equal(X, before[0])
    np.testing.assert_array_equal(y, before[1])


def test_regression_has_no_accuracy():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(100, 2))
    model = MLP([2, 1], rng=rng)
    target = X @ [[2.0], [-1.0]] + 3
    optimizer = SGD(model.parameters, lr=0.1)
    history = fit(model, X, target, optimizer, epochs=30, batch_size=10, rng=rng, loss=squared_error)
    assert history.train_loss[-1] < 1e-6
    assert history.train_accuracy == []
    np.testing.assert_allclose(model.parameters["W1"], [[2], [-1]], atol=1e-3)
    assert "accuracy" not in repr(history)


def test_an_optimizer_of_your_own_will_do():
    class Mine:
        def __init__(self, params, lr):
            self.params, self.lr = params, lr

        def step(self):
            self.params.theta -= self.lr * self.params.grad

    mine, ours = run(rule=Mine, lr=0.1, dtype=np.float64), run(rule=SGD, lr=0.1, dtype=np.float64)
    np.testing.assert_allclose(mine[2].step_loss, ours[2].step_loss, rtol=1e-12)


def test_the_scheduler_steps_after_every_epoch():
    rng = np.random.default_rng(0)
    model = MLP([2, 2], rng=rng)
    optimizer = SGD(model.parameters, lr=0.8)

    class Halve:
        def step(self):
            optimizer.lr /= 2

    history = fit(model, *moons(32), optimizer, epochs=3, batch_size=16, rng=rng, scheduler=Halve())
    assert history.step_lr == [0.8, 0.8, 0.4, 0.4, 0.2, 0.2]
    assert optimizer.lr == 0.1


def test_callbacks_hear_every_epoch_and_may_stop_the_run():
    heard = []
    _, _, history = run(
        epochs=9, callbacks=[lambda h: heard.append(h.epochs), lambda h: h.epochs == 3, lambda _: heard.append("also")]
    )
    assert heard == [1, "also", 2, "also", 3, "also"]
    assert history.epochs == 3
    assert history.stopped == "Stopped by a callback after epoch 3."
    assert history.stopped in repr(history)


def test_an_interrupt_keeps_what_there_is():
    def interrupt(history):
        if history.epochs == 2:
            raise KeyboardInterrupt

    model, optimizer, history = run(epochs=9, callbacks=[interrupt])
    whole = run(epochs=2)
    assert history.step_loss == whole[2].step_loss
    np.testing.assert_array_equal(model.parameters.theta, whole[0].parameters.theta)
    assert optimizer.t == history.steps
    assert history.stopped.startswith("Interrupted after step 26; the model keeps what it has learned. Call fit again")


def stopped_by_a_warning(**options):
    """The run's history and its one warning, which names the line that called fit."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model, optimizer, history = run(**options)
    (warning,) = caught
    assert warning.category is RuntimeWarning
    assert warning.filename == __file__
    assert str(warning.message) == history.stopped
    assert history.stopped in repr(history)
    assert history.steps == len(history.step_lr)
    return model, optimizer, history


def test_a_diverging_loss_ends_the_run_and_names_the_rate():
    _, _, history = stopped_by_a_warning(epochs=50, rule=SGD, lr=1e15, sizes=[2, 16, 16, 2])
    assert re.match(
        r"The loss is (nan|inf) at step \d+ \(epoch 1\); the first output that is not finite is that of layer "
        r"[35] Linear\. The learning rate, 1e\+15, is the first suspect: try a tenth of it, or clip the gradient",
        history.stopped,
    )
    assert not np.isfinite(history.step_loss[-1])
    assert all(np.isfinite(history.step_loss[:-1]))
    assert history.epochs == 0


def test_nan_in_the_data_is_named_with_its_place_and_the_weights_are_unharmed():
    X, y = moons()
    X[7, 1] = np.nan
    model, optimizer, history = stopped_by_a_warning(data=(X, y))
    assert re.match(
        rf"The loss is nan at step {history.steps} \(epoch 1\); the first output that is not finite is that of layer "
        r"1 Linear\. The data is the cause: X\[7, 1\] is nan\. .* no learning rate helps here\.",
        history.stopped,
    )
    assert np.isfinite(model.parameters.theta).all()
    assert optimizer.t == history.steps - 1, "the step was not taken"


def test_nan_in_the_targets_is_named_too():
    X = np.random.default_rng(0).normal(size=(40, 2))
    target = X @ [[1.0], [2.0]]
    target[11] = np.inf
    _, _, history = stopped_by_a_warning(data=(X, target), loss=squared_error, sizes=[2, 1])
    assert "outputs of all layers are finite, so it arises in the loss function" in history.stopped
    assert "The data is the cause: y[11, 0] is inf." in history.stopped


def test_a_gradient_that_is_not_finite_is_caught_before_it_reaches_the_weights():
    def broken_at_step_three(output, labels):
        value, dout = softmax_cross_entropy(output, labels)
        calls.append(value)
        return value, dout * (np.nan if len(calls) == 3 else 1)

    calls = []
    model, optimizer, history = stopped_by_a_warning(loss=broken_at_step_three)
    assert re.match(
        r"The gradient is not finite at step 3 \(epoch 1\), while the loss, 0\.\d+, still is: look at W1, b1, W2, b2\. "
        r"The learning rate",
        history.stopped,
    )
    assert np.isfinite(history.step_loss[-1])
    assert np.isfinite(model.parameters.theta).all()
    assert optimizer.t == 2


def test_weights_that_are_not_finite_are_caught_in_their_step():
    _, _, history = stopped_by_a_warning(rule=SGD, lr=1e300)
    assert re.match(
        r"The weights are not finite after step 1 \(epoch 1\), while the loss, .*: look at .*W1", history.stopped
    )
    assert "The learning rate, 1e+300, is the first suspect" in history.stopped
    assert np.isfinite(history.step_loss).all()


def test_a_penalty_that_overshoots_is_the_suspect():
    _, _, history = stopped_by_a_warning(rule=SGD, lr=0.5, regularizers=[L2(1e6)], epochs=9)
    assert "The penalty is the first suspect: learning rate times L2 strength is 500000" in history.stopped
    assert "above 2 each step overshoots" in history.stopped


def test_a_penalty_without_a_finite_gradient_is_the_cause():
    class Broken(L2):
        def add_gradient(self, params):
            params.grad[0] = np.inf

    _, _, history = stopped_by_a_warning(regularizers=[Broken(0.1)])
    assert "look at W1. The penalty is the cause: the gradient of L2(lam=0.1) is not finite." in history.stopped


def test_before_the_first_step_the_scale_is_the_suspect():
    X, y = moons()
    X *= 3e38 / np.abs(X).max()
    _, _, history = stopped_by_a_warning(data=(X, y), sizes=[2, 64, 64, 2])
    assert "No step was taken yet, so it is not the learning rate: the scale is the first suspect." in history.stopped
    assert "the largest weight" in history.stopped


def test_weights_broken_beforehand_are_named():
    rng = np.random.default_rng(0)
    model = MLP([2, 4, 2], rng=rng)
    model.parameters["W2"][0, 0] = np.nan
    with pytest.warns(RuntimeWarning, match="The weights W2 were not finite before this step: make the network anew"):
        fit(model, *moons(), SGD(model.parameters), epochs=1, batch_size=8, rng=rng)


def test_large_finite_numbers_are_no_reason_to_stop():
    huge = np.full(4, 1e30, np.float32)
    assert all_finite(huge)
    for bad in (np.nan, np.inf, -np.inf):
        huge[2] = bad
        assert not all_finite(huge)


def watch_standard_error(monkeypatch, is_a_terminal=True):
    """Let tqdm draw on standard error, and believe that someone is looking."""
    pytest.importorskip("tqdm")
    monkeypatch.setitem(sys.modules, "IPython", None)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: is_a_terminal, raising=False)


def test_progress_shows_a_bar_and_changes_nothing(capsys, monkeypatch):
    watch_standard_error(monkeypatch, is_a_terminal=False)
    shown = run(progress=True)
    bar = capsys.readouterr().err
    assert "39/39" in bar
    assert f"loss={shown[2].step_loss[-1]:.4g}" in bar
    assert "lr=0.01" in bar
    assert shown[2] == run(progress=False)[2] == run()[2]
    assert capsys.readouterr().err == ""


def test_a_bar_nobody_asked_for_waits_and_then_shows_where_the_run_stands(capsys, monkeypatch):
    watch_standard_error(monkeypatch)
    clock = iter(range(1000))
    monkeypatch.setattr(progress, "monotonic", lambda: float(next(clock)))  # each step takes a second
    run(progress=False)
    assert capsys.readouterr().err == ""
    run()
    bar = capsys.readouterr().err
    assert " 2/39" in bar
    assert " 1/39" not in bar
    assert "39/39" in bar


def test_a_bar_nobody_asked_for_stays_out_of_files(capsys, monkeypatch):
    watch_standard_error(monkeypatch, is_a_terminal=False)
    monkeypatch.setattr(progress, "DELAY", 0.0)
    run()
    assert capsys.readouterr().err == ""


def test_without_tqdm_only_a_bar_that_was_asked_for_fails(monkeypatch):
    monkeypatch.setattr(progress, "DELAY", 0.0)
    monkeypatch.setitem(sys.modules, "tqdm.auto", None)
    assert run()[2].epochs == 3
    with pytest.raises(ImportError):
        run(progress=True)


def test_a_quick_run_does_not_load_tqdm():
    program = (
        "import sys, numpy as np\nfrom course_lib import MLP, SGD, fit\n"
        "rng = np.random.default_rng(0); model = MLP([2, 2], rng=rng)\n"
        "fit(model, np.zeros((4, 2)), np.zeros(4, int), SGD(model.parameters), epochs=1, batch_size=2, rng=rng)\n"
        "print('tqdm' in sys.modules, 'matplotlib' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "False False\n"


def test_regularizers_act_before_and_after_the_step():
    penalties = [L2(0.3), L1(0.05, proximal=True)]
    rng = np.random.default_rng(0)
    model = MLP([2, 5, 2], rng=rng, dtype=np.float64)
    mine = model.copy()
    X, y = moons(40)
    optimizer = SGD(model.parameters, lr=0.1)
    history = fit(model, X, y, optimizer, epochs=2, batch_size=10, rng=rng, regularizers=penalties)
    rng = np.random.default_rng(0)
    MLP([2, 5, 2], rng=rng)
    losses, sums = [], []
    for _ in range(2):
        for rows in minibatches(len(X), 10, rng):
            loss, dlogits = softmax_cross_entropy(mine.forward(X[rows]), y[rows])
            W1, W2 = mine.parameters["W1"], mine.parameters["W2"]
            sums.append(sum(0.15 * np.sum(W * W) + 0.05 * np.abs(W).sum() for W in (W1, W2)))
            losses.append(loss)
            mine.backward(dlogits)
            for name in mine.parameters:
                g = mine.parameters.grads[name] + (0.3 * mine.parameters[name] if name[0] == "W" else 0)
                mine.parameters[name] -= 0.1 * g
                if name[0] == "W":
                    w = mine.parameters[name]
                    mine.parameters[name] = np.sign(w) * np.maximum(np.abs(w) - 0.1 * 0.05, 0)
    np.testing.assert_allclose(history.step_loss, losses, rtol=1e-12)
    np.testing.assert_allclose(history.step_penalty, sums, rtol=1e-12)
    np.testing.assert_allclose(model.parameters.theta, mine.parameters.theta, rtol=1e-10)
    assert history.train_loss[-1] == pytest.approx(softmax_cross_entropy(mine.evaluate(X), y)[0], rel=1e-10)
    assert run()[2].step_penalty == []


def test_the_proximal_step_takes_the_rate_of_its_own_step():
    seen = []

    class Watch(L1):
        def proximal_step(self, params, lr):
            seen.append(lr)

    class Halve:
        interval = "step"

        def __init__(self, optimizer):
            self.optimizer = optimizer

        def step(self):
            self.optimizer.lr /= 2

    rng = np.random.default_rng(0)
    model = MLP([2, 2], rng=rng)
    optimizer = SGD(model.parameters, lr=0.8)
    history = fit(
        model,
        *moons(32),
        optimizer,
        epochs=1,
        batch_size=8,
        rng=rng,
        regularizers=[Watch(0.1)],
        scheduler=Halve(optimizer),
    )
    assert seen == history.step_lr == [0.8, 0.4, 0.2, 0.1]
    assert optimizer.lr == 0.05


def test_clipping_shortens_the_whole_gradient_and_remembers_its_norm():
    rng = np.random.default_rng(0)
    model = MLP([2, 5, 2], rng=rng, dtype=np.float64)
    X, y = moons(40)
    before, (_, dlogits) = model.copy(), softmax_cross_entropy(model.forward(X), y)
    model.backward(dlogits)
    L2(0.5).add_gradient(model.parameters)
    g = model.parameters.grad.copy()
    norm = np.sqrt(g @ g)
    options = {"epochs": 1, "batch_size": 40, "rng": rng, "regularizers": [L2(0.5)], "clip_norm": norm / 4}
    history = fit(model, X, y, SGD(model.parameters, lr=1.0), **options)
    assert history.step_grad_norm == [pytest.approx(norm, rel=1e-12)]
    np.testing.assert_allclose(before.parameters.theta - model.parameters.theta, g / 4, rtol=1e-5)
    assert run(clip_norm=1e9)[2].step_loss == run()[2].step_loss
    assert len(run(clip_norm=np.inf)[2].step_grad_norm) == 39
    assert run()[2].step_grad_norm == []


def test_schedulers_of_both_intervals_and_those_that_need_a_metric():
    def scheduled(make, **options):
        rng = np.random.default_rng(0)
        model = MLP([2, 4, 2], rng=rng)
        optimizer = SGD(model.parameters, lr=1.0, momentum=0.9)
        scheduler = make(optimizer)
        X, y = moons(32)
        return scheduler, fit(model, X, y, optimizer, epochs=3, batch_size=8, rng=rng, scheduler=scheduler, **options)

    scheduler, history = scheduled(lambda optimizer: ExponentialLR(optimizer, 0.5))
    assert history.step_lr == [1.0] * 4 + [0.5] * 4 + [0.25] * 4
    assert scheduler.last_epoch == 3

    scheduler, history = scheduled(lambda optimizer: OneCycleLR(optimizer, max_lr=0.5, total_steps=12))
    np.testing.assert_allclose(history.step_lr, scheduler.rates(12))
    assert scheduler.last_epoch == 11, "the last rate is that of the last step"

    scheduler, history = scheduled(lambda optimizer: OneCycleLR(optimizer, max_lr=0.5, total_steps=13))
    assert scheduler.last_epoch == 12

    class Metric:
        needs_metric = True

        def __init__(self, optimizer):
            self.heard = []

        def step(self, metric):
            self.heard.append(metric)

    scheduler, history = scheduled(Metric)
    assert scheduler.heard == history.train_loss
    X, y = moons(10)
    scheduler, history = scheduled(Metric, X_val=X, y_val=y)
    assert scheduler.heard == history.val_loss != history.train_loss

    scheduler, history = scheduled(lambda optimizer: ReduceLROnPlateau(optimizer, patience=0, threshold=0.9))
    assert history.step_lr[-1] == pytest.approx(0.1)

    with pytest.raises(ValueError, match=r"OneCycleLR has 11 rates"):
        scheduled(lambda optimizer: OneCycleLR(optimizer, max_lr=0.5, total_steps=11))
    with pytest.raises(ValueError, match=r"made for another optimizer, so the rate would never change"):
        scheduled(lambda optimizer: ExponentialLR(SGD(optimizer.params), 0.5))
    for interval, needs_metric, allowed in (("batch", False, "'epoch' or 'step'"), ("step", True, "'epoch'")):
        with pytest.raises(ValueError, match=rf"interval is '{interval}'; it must be {allowed}\."):
            scheduled(lambda _, i=interval, m=needs_metric: SimpleNamespace(step=print, interval=i, needs_metric=m))


def test_early_stopping_ends_the_run_and_gives_the_best_weights_back():
    X, y = moons(60)
    kept = []
    rng = np.random.default_rng(0)
    model = MLP([2, 16, 2], rng=rng, batch_norm=True, dropout=0.2)
    optimizer = SGD(model.parameters, lr=3.0)
    stopping = EarlyStopping(3, model=model)
    history = fit(
        model, X, y, optimizer, epochs=60, batch_size=20, rng=rng, X_val=X[:20], y_val=1 - y[:20],
        callbacks=[lambda _: kept.append(model.state_dict()), stopping],
    )  # fmt: skip
    assert history.stopped == f"Stopped by EarlyStopping after epoch {history.epochs}."
    assert history.epochs < 60
    best = int(np.argmin(history.val_loss))
    assert (stopping.best_step, stopping.best) == (best, history.val_loss[best])
    assert history.epochs == best + 1 + 3
    state = model.state_dict()
    for name, value in kept[best].items():
        if isinstance(value, np.ndarray):
            np.testing.assert_array_equal(state[name], value)
    assert softmax_cross_entropy(model.evaluate(X[:20]), 1 - y[:20])[0] == history.val_loss[best]


@pytest.mark.parametrize("broken", [False, True])
def test_the_best_weights_come_back_when_the_run_ends_by_itself_or_breaks(broken):
    rng = np.random.default_rng(0)
    model = MLP([2, 4, 2], rng=rng)
    optimizer = SGD(model.parameters, lr=1.0)
    stopping, weights = EarlyStopping(99, model=model), []
    X, y = moons(40)

    def keep_and_break(history):
        weights.append(model.parameters.theta.copy())
        if broken and history.epochs == 3:
            optimizer.lr = 1e300

    watchers = [keep_and_break, stopping]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore" if broken else "error")
        history = fit(
            model, X, y, optimizer, epochs=5, batch_size=10, rng=rng, X_val=X, y_val=1 - y, callbacks=watchers
        )
    assert history.epochs == (3 if broken else 5)
    assert stopping.best_step == 0
    np.testing.assert_array_equal(model.parameters.theta, weights[0])
    assert (model.parameters.theta != weights[-1]).any()


def test_batch_normalisation_and_dropout_train_in_training_mode_and_measure_in_evaluation_mode():
    X, y = moons(64)
    rng = np.random.default_rng(0)
    model = MLP([2, 32, 2], rng=rng, batch_norm=True, dropout=0.3)
    history = fit(model, X, y, Adam(model.parameters, lr=0.01), epochs=40, batch_size=16, rng=rng)
    assert history.train_loss[-1] == softmax_cross_entropy(model.evaluate(X), y)[0]
    assert history.train_accuracy[-1] > 0.9
    assert model.state_dict()["running_mean1"].any()


@pytest.mark.parametrize(("n", "batch_size", "nearest"), [(97, 16, 15), (97, 1, 5), (5, 2, 3), (3, 2, 3), (9, 8, 7)])
def test_a_last_batch_of_one_is_refused_with_batch_normalisation_only(n, batch_size, nearest):
    X, y = moons(200)

    def attempt(size, **options):
        rng = np.random.default_rng(0)
        model = MLP([2, 4, 2], rng=rng, **options)
        return fit(model, X[:n], y[:n], SGD(model.parameters), epochs=1, batch_size=size, rng=rng)

    message = (
        rf"{n} examples in batches of {batch_size} leave a batch of one.*nearest batch_size without one is {nearest}\."
    )
    with pytest.raises(ValueError, match=message):
        attempt(batch_size, batch_norm=True)
    assert attempt(batch_size).epochs == attempt(nearest, batch_norm=True).epochs == 1


def test_one_example_is_refused_with_batch_normalisation():
    with pytest.raises(ValueError, match="X has one example, and batch normalisation needs at least two"):
        run(data=(np.zeros((1, 2)), np.zeros(1, int)), batch_norm=True)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"epochs": 0}, ValueError, "fit got epochs=0; it must be a whole number, at least 1"),
        ({"epochs": 2.5}, TypeError, "epochs=2.5"),
        ({"batch_size": 0}, ValueError, "fit got batch_size=0; it must be a whole number, at least 1"),
        ({"batch_size": "all"}, TypeError, "batch_size='all'"),
        ({"data": (np.zeros((5, 2)), np.zeros(4, int))}, ValueError, r"X has shape \(5, 2\) and y \(4,\)"),
        ({"data": (np.zeros((5, 2)), 3)}, ValueError, r"X has shape \(5, 2\) and y \(\)"),
        ({"data": (np.zeros(5), np.zeros(5, int))}, ValueError, r"fit needs \(N, D\)"),
        ({"data": (np.zeros((0, 2)), np.zeros(0, int))}, ValueError, "N at least 1"),
        ({"data": (np.zeros((5, 3)), np.zeros(5, int))}, ValueError, r"it needs \(N, 2\)"),
        ({"data": (np.zeros((5, 2)), np.array([0, 1, 0, 1, 2]))}, ValueError, "y does not fit: .*must lie in 0 to 1"),
        ({"data": (np.zeros((5, 2)), np.zeros((5, 1), int))}, ValueError, "y does not fit: "),
        ({"data": (np.zeros((5, 2)), np.zeros(5))}, TypeError, "y does not fit: labels have dtype"),
        ({"data": (np.zeros((5, 2)), np.array(list("abcab")))}, TypeError, r"y has dtype <U1; .*np\.unique\(y, return"),
        ({"data": (np.full((5, 2), 1j), np.zeros(5, int))}, TypeError, r"X has dtype complex128; .*X\.astype"),
        (
            {"data": (np.zeros((5, 2)), np.zeros(5)), "loss": squared_error},
            ValueError,
            r"y does not fit: .*target\[:, None\]",
        ),
        (
            {"data": (np.zeros((5, 2)), np.full(5, 7)), "loss": partial(softmax_cross_entropy, label_smoothing=0.1)},
            ValueError,
            "y does not fit",
        ),
        ({"X_val": np.zeros((5, 2))}, ValueError, "one of X_val and y_val"),
        ({"y_val": np.zeros(5, int)}, ValueError, "one of X_val and y_val"),
        (
            {"X_val": np.zeros((5, 2)), "y_val": np.zeros(4, int)},
            ValueError,
            r"X_val has shape \(5, 2\) and y_val \(4,\)",
        ),
        ({"X_val": np.zeros((5, 3)), "y_val": np.zeros(5, int)}, ValueError, r"it needs \(N, 2\)"),
        ({"X_val": np.zeros((5, 2)), "y_val": np.full(5, -1)}, ValueError, "y_val does not fit: labels go from -1"),
        ({"clip_norm": 0}, ValueError, "fit got clip_norm=0; it must be a number, above 0"),
        ({"clip_norm": -1.0}, ValueError, "clip_norm=-1.0"),
        ({"clip_norm": np.nan}, ValueError, "clip_norm=nan"),
        ({"regularizers": L2(0.1)}, TypeError, r"give a list, as in regularizers=\[L2\(lam=0\.1\)\]"),
        (
            {"regularizers": [0.1]},
            TypeError,
            "got 0.1 among regularizers; it lacks penalty, add_gradient, proximal_step",
        ),
        ({"callbacks": print}, TypeError, "fit got callbacks=.*; give a list"),
        ({"callbacks": ["print"]}, TypeError, "got 'print' among callbacks; it lacks __call__"),
        ({"loss": "mse"}, TypeError, "fit got loss='mse'; it must be a function"),
        ({"scheduler": 0.1}, TypeError, r"fit got scheduler=0\.1; it needs a step\(\)"),
        ({"history": []}, TypeError, "fit got a list as history; it takes what an earlier fit returned"),
    ],
)
def test_what_does_not_fit_is_refused_before_anything_changes(options, error, message):
    with pytest.raises(error, match=message):
        run(**options)


def test_a_seed_is_no_generator():
    rng = np.random.default_rng(0)
    model = MLP([2, 2], rng=rng)
    optimizer = SGD(model.parameters)
    with pytest.raises(
        TypeError, match=r"fit got rng=0; it must be a Generator, as in rng=np\.random\.default_rng\(0\)"
    ):
        fit(model, *moons(), optimizer, epochs=1, batch_size=8, rng=0)
    with pytest.raises(TypeError, match=r"fit got optimizer=.*; it needs params, lr and step\(\)"):
        fit(model, *moons(), 0.1, epochs=1, batch_size=8, rng=rng)


def test_an_optimizer_over_another_model_is_refused():
    rng = np.random.default_rng(0)
    model = MLP([2, 2], rng=rng)
    with pytest.raises(ValueError, match=r"training would change nothing; make it with SGD\(model\.parameters"):
        fit(model, *moons(), SGD(model.copy().parameters), epochs=1, batch_size=8, rng=rng)


def test_an_empty_history_says_so():
    assert repr(History()) == "History: 0 epochs, 0 steps"
