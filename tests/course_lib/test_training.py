"""`fit` learns, remembers what it did, and ends cleanly whatever happens."""

import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from course_lib.data import two_moons
from course_lib.losses import squared_error
from course_lib.network import MLP
from course_lib.optimizers import SGD, Adam
from course_lib.training import History, fit, minibatches


def moons(n=200):
    return two_moons(n, 0.1, np.random.default_rng(0))


def run(seed=0, epochs=3, batch_size=16, dtype=np.float32, rule=Adam, lr=0.01, data=None, **options):
    rng = np.random.default_rng(seed)
    model = MLP([2, 16, 2], rng=rng, dtype=dtype)
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
    from course_lib.losses import softmax_cross_entropy

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
    assert "Interrupted after step 26" in history.stopped


def test_a_loss_that_is_not_finite_ends_the_run_with_a_sentence():
    X, y = moons()
    with pytest.warns(RuntimeWarning, match=r"The loss is .* at step .* try a tenth") as caught:
        _, _, history = run(epochs=50, rule=SGD, lr=1e30, data=(X, y))
    assert len(caught) == 1
    assert caught[0].filename == __file__
    assert str(caught[0].message) == history.stopped
    assert not np.isfinite(history.step_loss[-1])
    assert all(np.isfinite(history.step_loss[:-1]))
    assert "weights that are not finite: W1" in history.stopped or "all weights still finite" in history.stopped
    assert history.epochs == 0


def test_nan_in_the_data_ends_the_run_with_the_weights_unharmed():
    X, y = moons()
    X[7] = np.nan
    with pytest.warns(RuntimeWarning, match="all weights still finite.*look for NaN in the data"):
        model, _, history = run(data=(X, y))
    assert np.isfinite(model.parameters.theta).all()
    assert history.epochs == 0


def test_progress_shows_a_bar_and_changes_nothing(capsys):
    pytest.importorskip("tqdm")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "IPython", None)
        shown = run(progress=True)
    bar = capsys.readouterr().err
    assert "39/39" in bar
    assert "loss=" in bar
    assert "lr=0.01" in bar
    assert shown[2] == run()[2]
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"epochs": 0}, "epochs=0"),
        ({"batch_size": 0}, "batch_size=0"),
        ({"data": (np.zeros((5, 2)), np.zeros(4, int))}, r"X has shape \(5, 2\) and y \(4,\)"),
        ({"data": (np.zeros(5), np.zeros(5, int))}, r"fit needs \(N, D\)"),
        ({"data": (np.zeros((0, 2)), np.zeros(0, int))}, "N at least 1"),
        ({"data": (np.zeros((5, 3)), np.zeros(5, int))}, r"it needs \(N, 2\)"),
        ({"data": (np.zeros((5, 2)), np.full(5, 2))}, "must lie in 0 to 1"),
        ({"X_val": np.zeros((5, 2))}, "one of X_val and y_val"),
        ({"X_val": np.zeros((5, 2)), "y_val": np.zeros(4, int)}, r"y \(4,\)"),
    ],
)
def test_what_does_not_fit_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        run(**options)


def test_an_optimizer_over_another_model_is_refused():
    rng = np.random.default_rng(0)
    model = MLP([2, 2], rng=rng)
    with pytest.raises(ValueError, match=r"training would change nothing; make it with SGD\(model\.parameters"):
        fit(model, *moons(), SGD(model.copy().parameters), epochs=1, batch_size=8, rng=rng)


def test_an_empty_history_says_so():
    assert repr(History()) == "History: 0 epochs, 0 steps"
