"""Initializers: their spread by formula, their shape, and that the default of `Linear` is one of them."""

import numpy as np
import pytest

from course_lib.initializers import he_normal, he_uniform, xavier_normal, xavier_uniform
from course_lib.layers import Linear, ReLU
from course_lib.network import MLP

STD = {
    xavier_uniform: np.sqrt(2 / (300 + 500)),
    xavier_normal: np.sqrt(2 / (300 + 500)),
    he_uniform: np.sqrt(2 / 300),
    he_normal: np.sqrt(2 / 300),
}
EVERY = list(STD)


@pytest.mark.parametrize("init", EVERY)
def test_the_spread_is_the_formulas(init):
    W = init(300, 500, np.random.default_rng(0))
    assert W.shape == (300, 500)
    assert W.dtype == np.float64
    assert W.std() == pytest.approx(STD[init], rel=0.01)
    assert W.mean() == pytest.approx(0, abs=0.01 * W.std())


@pytest.mark.parametrize(("init", "bound"), [(xavier_uniform, np.sqrt(6 / 800)), (he_uniform, np.sqrt(6 / 300))])
def test_uniform_weights_fill_their_interval_and_stay_in_it(init, bound):
    W = init(300, 500, np.random.default_rng(0))
    assert bound * 0.999 < W.max() <= bound
    assert -bound <= W.min() < -bound * 0.999


@pytest.mark.parametrize("init", [xavier_normal, he_normal])
def test_normal_weights_have_the_tails_of_a_normal(init):
    W = init(300, 500, np.random.default_rng(0)) / STD[init]
    assert np.mean(np.abs(W) > 2) == pytest.approx(0.0455, abs=0.003)


@pytest.mark.parametrize("init", EVERY)
def test_gain_scales_and_one_seed_gives_one_matrix_in_both_precisions(init):
    W = init(4, 3, np.random.default_rng(7), gain=1.0)
    np.testing.assert_allclose(init(4, 3, np.random.default_rng(7), gain=2.5), 2.5 * W, rtol=1e-12)
    np.testing.assert_array_equal(init(4, 3, np.random.default_rng(7), gain=0), 0)
    single = init(4, 3, np.random.default_rng(7), np.float32, gain=1.0)
    assert single.dtype == np.float32
    np.testing.assert_array_equal(single, W.astype(np.float32))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_he_normal_is_what_a_network_of_relus_starts_with(dtype):
    sizes = [6, 5, 4]
    plain = MLP(sizes, rng=np.random.default_rng(1), dtype=dtype)
    named = MLP(sizes, rng=np.random.default_rng(1), dtype=dtype, init=he_normal)
    assert named.parameters.theta.tobytes() == plain.parameters.theta.tobytes()


def test_the_default_draws_are_those_of_always():
    rng = np.random.default_rng(3)
    expected = (rng.standard_normal((4, 3)) * (np.sqrt(2) / np.sqrt(4))).astype(np.float32)
    np.testing.assert_array_equal(Linear(4, 3, rng=np.random.default_rng(3)).W, expected)


def test_xavier_shrinks_signals_through_relus_and_he_keeps_them():
    x = np.random.default_rng(0).normal(size=(200, 400))
    power = {}
    for init in (he_normal, xavier_normal):
        rng, signal = np.random.default_rng(1), x
        for _ in range(6):
            signal = ReLU().forward(signal @ init(400, 400, rng))
        power[init] = np.mean(signal**2)
    assert 0.5 < power[he_normal] < 2
    assert power[xavier_normal] == pytest.approx(power[he_normal] / 2**6, rel=1e-6)


@pytest.mark.parametrize("init", EVERY)
@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"n_in": 0}, ValueError, "{name} got n_in=0; it must be a whole number, at least 1"),
        ({"n_out": 0}, ValueError, "{name} got n_out=0; it must be a whole number, at least 1"),
        ({"n_in": 2.0}, TypeError, "{name} got n_in=2.0"),
        ({"gain": -1}, ValueError, "{name} got gain=-1; it must be a finite number, at least 0"),
        ({"gain": np.nan}, ValueError, "{name} got gain=nan"),
        ({"rng": 0}, TypeError, "{name} got rng=0; it must be a Generator"),
        ({"dtype": np.float16}, ValueError, "dtype is float16"),
    ],
)
def test_what_cannot_be_drawn_is_refused(init, change, error, message):
    call = {"n_in": 3, "n_out": 2, "rng": np.random.default_rng(0), **change}
    with pytest.raises(error, match="^" + message.format(name=init.__name__)):
        init(**call)
