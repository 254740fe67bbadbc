"""Penalties: their formulas, on whom they act, and that a proximal step is what its name says."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from course_lib import L1, L2, MLP, ElasticNet, Parameters, soft_threshold

DTYPES = [np.float32, np.float64]
numbers = st.floats(-100, 100, width=32)
arrays = hnp.arrays(st.sampled_from(DTYPES), hnp.array_shapes(min_dims=0, max_dims=3, max_side=5), elements=numbers)
matrices = hnp.arrays(st.sampled_from(DTYPES), (3, 2), elements=numbers)
strengths = st.floats(0, 10)
EVERY = [
    L1(0.5),
    L1(0.5, proximal=True),
    L2(0.5),
    ElasticNet(0.5, 0.25),
    ElasticNet(0.5, 0.25, proximal=True),
]


def params_of(W, W2=((1.0, -3.0),), b=(5.0, -6.0)):
    W = np.asarray(W)
    names = {"W1": W, "b1": b, "gamma1": [7.0], "beta1": [8.0], "W2": W2, "b2": [9.0]}
    return Parameters.from_arrays({name: np.asarray(value, W.dtype) for name, value in names.items()})


def test_soft_threshold_by_hand():
    np.testing.assert_array_equal(soft_threshold([-3.0, -0.5, 0.0, 0.5, 0.75, 3.0], 0.5), [-2.5, 0, 0, 0, 0.25, 2.5])
    assert not np.signbit(soft_threshold([-0.25], 0.5)).any(), "zeros are plain zeros"
    np.testing.assert_array_equal(soft_threshold([np.inf, -np.inf, np.nan], 1.0), [np.inf, -np.inf, np.nan])


@given(w=arrays, amount=strengths)
def test_soft_threshold_is_its_formula_odd_and_shrinking(w, amount):
    before = w.copy()
    out = soft_threshold(w, amount)
    assert out.dtype == w.dtype
    assert out.shape == w.shape
    assert not np.shares_memory(out, w)
    np.testing.assert_array_equal(w, before)
    np.testing.assert_array_equal(out, np.sign(w) * np.maximum(np.abs(w) - w.dtype.type(amount), 0))
    np.testing.assert_array_equal(soft_threshold(-w, amount), -out)
    assert (np.abs(out) <= np.abs(w)).all()
    assert (out * w >= 0).all()
    np.testing.assert_array_equal(soft_threshold(w, 0.0), w)


@given(w=st.floats(-3, 3), amount=st.floats(0, 2))
def test_soft_threshold_is_the_argmin_of_its_objective(w, amount):
    grid = np.linspace(-4, 4, 8001)
    best = grid[((grid - w) ** 2 / 2 + amount * np.abs(grid)).argmin()]
    assert float(soft_threshold(w, amount)) == pytest.approx(best, abs=1.1e-3)


def test_soft_threshold_takes_lists_and_whole_numbers():
    out = soft_threshold([3, -1, 0], 0.5)
    assert out.dtype == np.float64
    np.testing.assert_array_equal(out, [2.5, -0.5, 0])


@pytest.mark.parametrize("amount", [-1e-9, np.nan, np.inf])
def test_soft_threshold_refuses_less_than_nothing(amount):
    with pytest.raises(ValueError, match=r"^soft_threshold got amount=.*; it must be a finite number, at least 0\."):
        soft_threshold([1.0], amount)


@pytest.mark.parametrize("dtype", DTYPES)
def test_penalties_by_hand(dtype):
    params = params_of(np.array([[1.0, -2.0], [0.0, 4.0]], dtype))  # sum |w| = 7 + 4, sum w*w = 21 + 10
    assert L1(0.5).penalty(params) == 5.5
    assert L1(0.5, proximal=True).penalty(params) == 5.5
    assert L2(0.5).penalty(params) == 7.75
    assert ElasticNet(0.5, 0.25).penalty(params) == pytest.approx(0.5 * (0.25 * 11 + 0.75 / 2 * 31), rel=1e-15)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("regularizer", "expected"),
    [
        (L1(0.5), lambda w: 0.5 * np.sign(w)),
        (L1(0.5, proximal=True), lambda w: 0 * w),
        (L2(0.5), lambda w: 0.5 * w),
        (ElasticNet(0.5, 0.25), lambda w: 0.125 * np.sign(w) + 0.375 * w),
        (ElasticNet(0.5, 0.25, proximal=True), lambda w: 0.375 * w),
    ],
    ids=["L1", "L1 proximal", "L2", "elastic net", "elastic net proximal"],
)
def test_gradients_are_added_to_weights_only(regularizer, expected, dtype):
    W = np.array([[1.0, -2.0], [0.0, 4.0]], dtype)
    params = params_of(W)
    params.grad = np.arange(params.size)
    before, theta = params.copy(), params.theta.copy()
    assert regularizer.add_gradient(params) is None
    np.testing.assert_array_equal(params.theta, theta)
    for name in params:
        added = params.grads[name] - before.grads[name]
        np.testing.assert_array_equal(added, expected(params[name]) if name[0] == "W" else 0)
    assert params.grad.dtype == dtype


@given(W=matrices, lam=st.floats(0, 2), ratio=st.floats(0, 1))
def test_gradients_are_those_of_the_penalties(W, lam, ratio):
    W = W.astype(np.float64)
    W[np.abs(W) < 1e-3] = 1.0  # away from the kink
    for regularizer in (L1(lam), L2(lam), ElasticNet(lam, ratio)):
        params = params_of(W)
        regularizer.add_gradient(params)
        for i in range(params.size):
            nudged, h = params.copy(), 1e-5
            nudged.theta[i] += h
            up = regularizer.penalty(nudged)
            nudged.theta[i] -= 2 * h
            slope = (up - regularizer.penalty(nudged)) / (2 * h)
            # The sum over all weights rounds at about 1e-16 of its size, which 1/h makes 1e-11 of it.
            assert params.grad[i] == pytest.approx(slope, rel=1e-6, abs=1e-10 * (1 + up))


@given(W=matrices, lam=strengths, proximal=st.booleans(), lr=st.floats(0, 1))
def test_elastic_net_reduces_to_both_ends(W, lam, proximal, lr):
    for net, end in ((ElasticNet(lam, 1.0, proximal), L1(lam, proximal)), (ElasticNet(lam, 0.0, proximal), L2(lam))):
        mine, theirs = params_of(W), params_of(W)
        assert net.penalty(mine) == end.penalty(theirs)
        net.add_gradient(mine)
        end.add_gradient(theirs)
        net.proximal_step(mine, lr)
        end.proximal_step(theirs, lr)
        np.testing.assert_array_equal(mine.grad, theirs.grad)
        np.testing.assert_array_equal(mine.theta, theirs.theta)


@given(W=matrices, lam=strengths, ratio=st.floats(0, 1), lr=st.floats(0, 1))
def test_the_proximal_step_thresholds_weights_only(W, lam, ratio, lr):
    for regularizer, amount in ((L1(lam, proximal=True), lr * lam), (ElasticNet(lam, ratio, True), lr * (lam * ratio))):
        params = params_of(W)
        before = params.copy()
        assert regularizer.proximal_step(params, lr) is None
        for name in params:
            wanted = soft_threshold(before[name], amount) if name[0] == "W" else before[name]
            np.testing.assert_array_equal(params[name], wanted)
        np.testing.assert_array_equal(params.grad, 0)


@pytest.mark.parametrize("regularizer", [L1(0.5), L2(0.5), ElasticNet(0.5, 0.25)], ids=repr)
def test_without_proximal_there_is_no_proximal_step(regularizer):
    params = params_of(np.ones((2, 2)))
    before = params.theta.copy()
    regularizer.proximal_step(params, 1.0)
    np.testing.assert_array_equal(params.theta, before)


def test_the_subgradient_stays_off_zero_and_the_proximal_step_reaches_it():
    def trained(regularizer):
        params = params_of(np.full((4, 4), 0.1037))
        for _ in range(50):
            params.zero_grad()
            regularizer.add_gradient(params)
            params.theta -= 0.02 * params.grad
            regularizer.proximal_step(params, 0.02)
        return params["W1"]

    assert (trained(L1(0.5)) != 0).all()
    assert (trained(L1(0.5, proximal=True)) == 0).all()


@pytest.mark.parametrize("regularizer", EVERY, ids=repr)
@pytest.mark.parametrize("dtype", DTYPES)
def test_a_second_call_makes_no_new_arrays(regularizer, dtype):
    import tracemalloc

    params = Parameters({"W1": (200, 300), "b1": (300,), "W2": (300, 10)}, dtype)
    params.theta = np.linspace(-1, 1, params.size)

    def calls():
        regularizer.penalty(params)
        regularizer.add_gradient(params)
        regularizer.proximal_step(params, 1e-6)

    calls()
    tracemalloc.start()
    try:
        calls()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 100_000, "W1 alone has 240,000 bytes or more; NumPy adds up through a buffer of 64 kB"


@pytest.mark.parametrize("regularizer", EVERY, ids=repr)
def test_one_regularizer_serves_networks_of_all_sizes_and_precisions(regularizer):
    def result(regularizer, sizes, dtype):
        params = MLP(sizes, rng=np.random.default_rng(0), dtype=dtype).parameters
        params.zero_grad()
        value = regularizer.penalty(params)
        regularizer.add_gradient(params)
        regularizer.proximal_step(params, 0.01)
        assert params.theta.dtype == dtype
        return value, params.theta.tobytes(), params.grad.tobytes()

    settings = [([2, 3, 2], np.float32), ([8, 16, 4], np.float64), ([2, 3, 2], np.float64), ([8, 16, 4], np.float32)]
    import copy

    for sizes, dtype in settings:
        assert result(regularizer, sizes, dtype) == result(copy.deepcopy(regularizer), sizes, dtype)
    single, double = (result(regularizer, [4, 5, 2], dtype)[0] for dtype in DTYPES)
    assert single == pytest.approx(double, rel=1e-6)


def test_sums_keep_their_digits_in_float32():
    params = Parameters({"W1": (1000, 1000)}, np.float32)
    params.theta = np.full(params.size, 0.1, np.float32)
    tenth = float(np.float32(0.1))
    assert L1(1.0).penalty(params) == pytest.approx(1e6 * tenth, rel=1e-12)
    params.theta = np.random.default_rng(0).standard_normal(params.size).astype(np.float32)
    squares = np.square(params.theta).astype(np.float64)
    assert L2(1.0).penalty(params) == pytest.approx(squares.sum() / 2, rel=1e-13)


def test_strength_zero_is_no_penalty_even_of_infinite_weights():
    params = params_of(np.full((2, 2), np.inf))
    for regularizer in (L1(0.0), L2(0.0), ElasticNet(0.0, 0.5)):
        assert regularizer.penalty(params) == 0.0
        regularizer.add_gradient(params)
    np.testing.assert_array_equal(params.grad, 0)
    assert L2(0.5).penalty(params) == np.inf


@pytest.mark.parametrize("make", [L1, L2, lambda lam: ElasticNet(lam, 0.5)])
@pytest.mark.parametrize("lam", [-1e-9, np.nan, np.inf])
def test_a_strength_out_of_range_is_refused(make, lam):
    with pytest.raises(
        ValueError, match=rf"^(L1|L2|ElasticNet) got lam={lam}; it must be a finite number, at least 0\."
    ):
        make(lam)


@pytest.mark.parametrize("ratio", [-1e-9, 1 + 1e-9, np.nan])
def test_a_ratio_out_of_range_is_refused(ratio):
    with pytest.raises(
        ValueError, match=rf"^ElasticNet got l1_ratio={ratio}; it must be a finite number, at least 0 and at most 1\."
    ):
        ElasticNet(0.1, ratio)


@pytest.mark.parametrize("regularizer", EVERY, ids=repr)
@pytest.mark.parametrize("lr", [-1e-9, np.nan])
def test_a_negative_rate_is_refused(regularizer, lr):
    with pytest.raises(
        ValueError,
        match=rf"^{type(regularizer).__name__}\.proximal_step got lr={lr}; it must be a finite number, at least 0\.",
    ):
        regularizer.proximal_step(params_of(np.ones((2, 2))), lr)


@pytest.mark.parametrize("regularizer", EVERY, ids=repr)
def test_what_has_no_weights_is_refused(regularizer):
    biases = Parameters({"b1": (2,), "gamma1": (2,)})
    model = MLP([2, 2], rng=np.random.default_rng(0))
    kind = type(regularizer).__name__
    actions = [regularizer.penalty, regularizer.add_gradient]
    if regularizer.proximal:
        actions.append(lambda params: regularizer.proximal_step(params, 0.1))
    for act in actions:
        with pytest.raises(
            ValueError, match=rf"^{kind} found no .* names begin with 'W', and there are only b1, gamma1\."
        ):
            act(biases)
        with pytest.raises(TypeError, match=rf"^{kind} got a MLP; it needs Parameters, as in model\.parameters"):
            act(model)


def test_they_name_themselves_and_their_defaults():
    assert repr(L1(0.5)) == "L1(lam=0.5, proximal=False)"
    assert repr(L2(0.003)) == "L2(lam=0.003)"
    assert repr(ElasticNet(0.1, 0.25)) == "ElasticNet(lam=0.1, l1_ratio=0.25, proximal=False)"
    assert repr(ElasticNet(1, 1, True)) == "ElasticNet(lam=1, l1_ratio=1, proximal=True)"
    assert L2(0.5).proximal is False
    assert [regularizer.proximal for regularizer in EVERY] == [False, True, False, False, True]
    with pytest.raises(TypeError, match=r"^L1 got proximal='yes'; it must be True or False"):
        L1(0.5, proximal="yes")
    net = ElasticNet(2, 0.25)
    assert (net.lam, net.l1_ratio, net.l1, net.l2) == (2.0, 0.25, 0.5, 1.5)
    assert (L1(2).l1, L1(2).l2, L2(2).l1, L2(2).l2) == (2.0, 0.0, 0.0, 2.0)
