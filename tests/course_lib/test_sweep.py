"""A sweep is many ordinary runs: each equals `fit`, and what it reports is what the networks do."""

import numpy as np
import pytest

from course_lib.data import two_moons
from course_lib.exercises.batch_normalization import batchnorm_backward, batchnorm_forward
from course_lib.losses import accuracy, softmax_cross_entropy
from course_lib.network import MLP
from course_lib.optimizers import SGD, Adagrad, Adam, AdamW, RMSprop
from course_lib.sweep import sweep
from course_lib.training import fit

LRS, SEEDS = [0.003, 0.03, 0.3], [4, 9]
OPTIMIZERS = [
    (SGD, {}),
    (SGD, {"momentum": 0.9, "nesterov": True}),
    (Adagrad, {"lr_decay": 0.01}),
    (RMSprop, {"momentum": 0.5, "centered": True}),
    (Adam, {"weight_decay": 0.01}),
    (AdamW, {}),
]


def moons(seed=0, n=70):
    return two_moons(n, 0.2, np.random.default_rng(seed))


@pytest.mark.parametrize("sizes", [[2, 2], [2, 8, 2], [2, 6, 5, 3]])
@pytest.mark.parametrize(("rule", "options"), OPTIMIZERS)
def test_each_run_equals_fit(rule, options, sizes):
    (X, y), test = moons(), moons(1)
    settings = {"epochs": 3, "batch_size": 16}
    result = sweep(
        sizes, X, y, rule, LRS, SEEDS, X_test=test[0], y_test=test[1], dtype=np.float64, **settings, **options
    )
    for i, lr in enumerate(LRS):
        for j, seed in enumerate(SEEDS):
            rng = np.random.default_rng(seed)
            model = MLP(sizes, rng=rng, dtype=np.float64)
            optimizer = rule(model.parameters, lr=lr, **options)
            history = fit(model, X, y, optimizer, rng=rng, X_val=test[0], y_val=test[1], **settings)
            np.testing.assert_allclose(result.theta[i, j], model.parameters.theta, rtol=1e-9, atol=1e-12)
            assert result.train_loss[i, j] == pytest.approx(history.train_loss[-1], rel=1e-9)
            assert result.train_accuracy[i, j] == history.train_accuracy[-1]
            assert result.test_loss[i, j] == pytest.approx(history.val_loss[-1], rel=1e-9)
            assert result.test_accuracy[i, j] == history.val_accuracy[-1]


def wide(n_in, n_out, rng):
    return 0.7 * rng.standard_normal((n_in, n_out))


@pytest.mark.parametrize(
    "given",
    [
        {"batch_norm": True},
        {"init": wide},
        {"dropout": 0.3},
        {"batch_norm": True, "init": wide, "dropout": 0.3},
    ],
)
@pytest.mark.parametrize("sizes", [[2, 2], [2, 6, 5, 3]])
def test_each_run_equals_fit_with_all_that_a_network_may_have(sizes, given):
    (X, y), test = moons(), moons(1)
    settings = {"epochs": 3, "batch_size": 16}
    shown = {"X_test": test[0], "y_test": test[1], "dtype": np.float64}
    result = sweep(sizes, X, y, SGD, LRS, SEEDS, **shown, **settings, **given, momentum=0.5)
    for i, lr in enumerate(LRS):
        for j, seed in enumerate(SEEDS):
            rng = np.random.default_rng(seed)
            model = MLP(sizes, rng=rng, dtype=np.float64, **given)
            optimizer = SGD(model.parameters, lr=lr, momentum=0.5)
            history = fit(model, X, y, optimizer, rng=rng, X_val=test[0], y_val=test[1], **settings)
            np.testing.assert_allclose(result.theta[i, j], model.parameters.theta, rtol=1e-8, atol=1e-11)
            assert result.train_loss[i, j] == pytest.approx(history.train_loss[-1], rel=1e-8)
            assert result.test_loss[i, j] == pytest.approx(history.val_loss[-1], rel=1e-8)
            assert result.test_accuracy[i, j] == history.val_accuracy[-1]


def test_given_functions_normalise_as_the_library_does():
    X, y = moons()
    settings = {"epochs": 3, "batch_size": 16, "dtype": np.float64, "X_test": X, "y_test": y}
    ours = sweep([2, 6, 5, 3], X, y, SGD, LRS, SEEDS, batch_norm=(batchnorm_forward, batchnorm_backward), **settings)
    theirs = sweep([2, 6, 5, 3], X, y, SGD, LRS, SEEDS, batch_norm=True, **settings)
    np.testing.assert_allclose(ours.theta, theirs.theta, rtol=1e-8, atol=1e-11)
    np.testing.assert_allclose(ours.test_loss, theirs.test_loss, rtol=1e-8)


def test_what_a_given_function_keeps_is_not_written_over():
    kept = []

    def forward(*given):
        found = batchnorm_forward(*given)
        kept.append((found[0], found[0].copy()))
        return found

    sweep([2, 6, 2], *moons(), SGD, LRS, SEEDS, epochs=1, batch_size=16, batch_norm=(forward, batchnorm_backward))
    assert all(np.array_equal(now, before) for now, before in kept)


def test_float32_is_close_to_fit():
    X, y = moons()
    result = sweep([2, 8, 2], X, y, Adam, [0.01], [5], epochs=3, batch_size=16)
    rng = np.random.default_rng(5)
    model = MLP([2, 8, 2], rng=rng)
    fit(model, X, y, Adam(model.parameters, lr=0.01), epochs=3, batch_size=16, rng=rng)
    assert result.theta.dtype == np.float32
    np.testing.assert_allclose(result.theta[0, 0], model.parameters.theta, rtol=1e-4, atol=1e-5)


def test_curves_are_measured_where_asked_and_at_the_end():
    (X, y), test = moons(), moons(1)
    often = sweep(
        [2, 2], X, y, SGD, LRS, SEEDS, epochs=3, batch_size=16, measure_every=4, X_test=test[0], y_test=test[1]
    )
    once = sweep([2, 2], X, y, SGD, LRS, SEEDS, epochs=3, batch_size=16)
    np.testing.assert_array_equal(often.steps, [4, 8, 12, 15])
    np.testing.assert_array_equal(once.steps, [15])
    assert often.train_loss_curve.shape == often.test_accuracy_curve.shape == (3, 2, 4)
    np.testing.assert_array_equal(often.train_loss, once.train_loss)
    shorter = sweep([2, 2], X, y, SGD, LRS, SEEDS, epochs=1, batch_size=16, measure_every=4)
    np.testing.assert_array_equal(often.train_loss_curve[..., 0], shorter.train_loss_curve[..., 0])


def test_every_seed_may_have_data_of_its_own():
    sets = [moons(seed) for seed in (0, 1)]
    X, y = (np.stack(part) for part in zip(*sets, strict=True))
    both = sweep([2, 2], X, y, SGD, LRS, SEEDS, epochs=2, batch_size=16, X_test=X, y_test=y, dtype=np.float64)
    for j, seed in enumerate(SEEDS):
        alone = sweep([2, 2], *sets[j], SGD, LRS, [seed], epochs=2, batch_size=16, dtype=np.float64)
        np.testing.assert_allclose(both.theta[:, j], alone.theta[:, 0], rtol=1e-12)
        np.testing.assert_allclose(both.test_loss[:, j], alone.train_loss[:, 0], rtol=1e-12)


def test_figures_are_those_of_the_networks():
    X, y = moons()
    result = sweep([2, 8, 2], X, y, SGD, LRS, SEEDS, epochs=2, batch_size=16, dtype=np.float64)
    model = MLP([2, 8, 2], rng=np.random.default_rng(0), dtype=np.float64)
    model.parameters.theta = result.theta[2, 1]
    logits = model.forward(X)
    assert result.train_loss[2, 1] == pytest.approx(softmax_cross_entropy(logits, y)[0], rel=1e-12)
    assert result.train_accuracy[2, 1] == accuracy(logits, y)


def test_a_run_that_explodes_has_infinite_loss_and_harms_no_other():
    X, y = moons()
    with np.errstate(all="raise", under="ignore"):
        result = sweep([2, 8, 2], X, y, SGD, [0.1, 1e25], SEEDS, epochs=4, batch_size=16)
    alone = sweep([2, 8, 2], X, y, SGD, [0.1], SEEDS, epochs=4, batch_size=16)
    assert np.isinf(result.train_loss[1]).all()
    np.testing.assert_array_equal(result.theta[0], alone.theta[0])
    assert result.best() == 0
    assert "best rate 0.1" in repr(result)


def test_repr_names_the_best_rate_and_its_test_accuracy():
    (X, y), test = moons(), moons(1)
    result = sweep([2, 2], X, y, SGD, LRS, SEEDS, epochs=3, batch_size=16, X_test=test[0], y_test=test[1])
    best = result.train_loss.mean(axis=1).argmin()
    assert f"best rate {LRS[best]:g}" in repr(result)
    assert f"test accuracy {result.test_accuracy[best].mean():.1%}" in repr(result)


def test_the_same_call_gives_the_same_bits_and_leaves_its_inputs():
    X, y = moons()
    kept = X.copy(), y.copy()
    first, second = (sweep([2, 4, 2], X, y, Adam, LRS, SEEDS, epochs=2, batch_size=16) for _ in range(2))
    assert first.theta.tobytes() == second.theta.tobytes()
    np.testing.assert_array_equal(X, kept[0])
    np.testing.assert_array_equal(y, kept[1])


def test_a_rule_of_your_own_will_do():
    class Mine:
        def __init__(self, params, lr):
            self.params, self.lr = params, lr

        def step(self):
            self.params.theta -= self.lr * self.params.grad

    X, y = moons()
    mine = sweep([2, 2], X, y, Mine, LRS, SEEDS, epochs=2, batch_size=16, dtype=np.float64)
    ours = sweep([2, 2], X, y, SGD, LRS, SEEDS, epochs=2, batch_size=16, dtype=np.float64)
    np.testing.assert_allclose(mine.train_loss, ours.train_loss, rtol=1e-12)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"lrs": []}, "0 rates and 2 seeds"),
        ({"seeds": []}, "3 rates and 0 seeds"),
        ({"epochs": 0}, "epochs=0"),
        ({"batch_size": 0}, "batch_size=0"),
        ({"measure_every": 0}, "measure_every=0"),
        ({"X_test": np.zeros((3, 2))}, "one of X_test and y_test"),
        ({"X": np.zeros((70, 3))}, r"sweep needs \(N, 2\) and \(N,\), or \(2, N, 2\)"),
        ({"X": np.zeros((69, 2))}, "sweep needs"),
        ({"X": np.zeros((3, 70, 2))}, "sweep needs"),
        ({"X": np.zeros(70)}, "sweep needs"),
        ({"X": np.zeros((0, 2)), "y": np.zeros(0, int)}, "sweep needs"),
        ({"y": np.zeros((3, 70), int)}, "sweep needs"),
        ({"y": np.zeros(70)}, "whole numbers from 0 to 4"),
        ({"y": np.full(70, 5)}, "whole numbers from 0 to 4"),
        ({"y": np.full(70, -1)}, "whole numbers from 0 to 4"),
        ({"dropout": 1.0}, "dropout=1.0"),
        ({"batch_norm": True, "batch_size": 1}, "some batch holds one example"),
        ({"batch_norm": True, "batch_size": 23}, "some batch holds one example"),
        ({"lrs": [-1.0]}, "a learning rate is finite and at least 0"),
    ],
)
def test_what_does_not_fit_is_refused(change, message):
    X, y = moons()
    call = {"sizes": [2, 5], "X": X, "y": y, "optimizer": SGD, "lrs": LRS, "seeds": SEEDS, "epochs": 1, "batch_size": 8}
    with pytest.raises(ValueError, match=message):
        sweep(**call | change)


def test_results_of_a_test_that_was_not_made_are_refused():
    result = sweep([2, 2], *moons(), SGD, LRS, SEEDS, epochs=1, batch_size=16)
    for name in ("test_accuracy", "test_loss"):
        with pytest.raises(ValueError, match="give sweep X_test and y_test"):
            getattr(result, name)
    assert "test accuracy" not in repr(result)
