"""Networks: gradients of every weight against differences, one vector under all layers, copies that stand alone."""

import copy
import json
import pickle
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from course_lib.batchnorm import BatchNorm1d
from course_lib.dropout import Dropout
from course_lib.gradcheck import check_model
from course_lib.initializers import xavier_uniform
from course_lib.layers import Layer, Linear, ReLU, Sigmoid, Tanh
from course_lib.losses import softmax_cross_entropy, squared_error
from course_lib.network import MLP, SHAPES_KEPT, Sequential
from course_lib.optimizers import Adam


def mlp(sizes=(5, 7, 4, 3), seed=0, dtype=np.float64, activation=ReLU) -> MLP:
    return MLP(sizes, rng=np.random.default_rng(seed), dtype=dtype, activation=activation)


def data(seed=1, n=6):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, 5)), rng.integers(3, size=n), rng.normal(size=(n, 3))


def is_whole(model: Sequential) -> bool:
    """All layers' weights and gradients lie in the model's vectors."""
    params = model.parameters
    linears = [layer for layer in model.layers if isinstance(layer, Linear)]
    return all(np.shares_memory(weights, params.theta) for layer in linears for weights in (layer.W, layer.b)) and all(
        np.shares_memory(grads, params.grad) for layer in linears for grads in (layer.dW, layer.db)
    )


@pytest.mark.parametrize("activation", [ReLU, Tanh, Sigmoid])
@pytest.mark.parametrize("sizes", [(5, 3), (5, 7, 3), (5, 6, 6, 3)])
def test_every_weight_has_the_right_gradient(activation, sizes):
    model = mlp(sizes, activation=activation)
    X, labels, targets = data()
    for y, loss in ((labels, softmax_cross_entropy), (targets, squared_error)):
        found = check_model(model, X, y, loss)
        assert found.error < 1e-6, found
        assert found.checked == model.parameters.size


def test_names_and_shapes_are_those_of_the_lessons():
    model = mlp()
    assert model.parameters.shapes == {"W1": (5, 7), "b1": (7,), "W2": (7, 4), "b2": (4,), "W3": (4, 3), "b3": (3,)}
    assert [type(layer).__name__ for layer in model.layers] == ["Linear", "ReLU", "Linear", "ReLU", "Linear"]
    assert is_whole(model)


def test_forward_is_the_formula():
    model = mlp((5, 7, 3))
    X, _, _ = data()
    p = model.parameters
    expected = np.maximum(X @ p["W1"] + p["b1"], 0) @ p["W2"] + p["b2"]
    np.testing.assert_allclose(model.forward(X), expected, rtol=1e-14)
    np.testing.assert_array_equal(model.evaluate(X), model.forward(X))


def test_changing_theta_changes_the_network():
    model, (X, _, _) = mlp(), data()
    model.parameters.theta = np.zeros(model.parameters.size)
    np.testing.assert_array_equal(model.forward(X), 0)


def test_predictions_are_the_largest_score_and_probabilities_sum_to_one():
    model, (X, _, _) = mlp(), data()
    probabilities = model.predict_proba(X)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)
    np.testing.assert_array_equal(model.predict(X), model.forward(X).argmax(axis=1))
    np.testing.assert_array_equal(probabilities.argmax(axis=1), model.predict(X))


def test_predicting_between_forward_and_backward_changes_nothing():
    X, labels, _ = data()
    plain, curious = mlp(), mlp()
    for model in (plain, curious):
        _, dout = softmax_cross_entropy(model.forward(X), labels)
        if model is curious:
            model.predict(X[::-1] * 3)
        model.backward(dout)
    np.testing.assert_array_equal(curious.parameters.grad, plain.parameters.grad)


@given(seed=st.integers(0, 100))
@settings(max_examples=20)
def test_the_order_of_the_batch_does_not_matter(seed):
    X, labels, _ = data(seed)
    order = np.random.default_rng(seed).permutation(len(X))
    grads = []
    for rows in (slice(None), order):
        model = mlp(seed=seed)
        _, dout = softmax_cross_entropy(model.forward(X[rows]), labels[rows])
        model.backward(dout)
        grads.append(model.parameters.grad)
    np.testing.assert_allclose(grads[0], grads[1], rtol=1e-9, atol=1e-13)


def test_one_seed_one_network():
    np.testing.assert_array_equal(mlp(seed=4).parameters.theta, mlp(seed=4).parameters.theta)
    assert (mlp(seed=4).parameters.theta != mlp(seed=5).parameters.theta).any()
    single = mlp(seed=4, dtype=np.float32)
    np.testing.assert_array_equal(single.parameters.theta, mlp(seed=4).parameters.theta.astype(np.float32))


@pytest.mark.parametrize(("activation", "gain"), [(ReLU, np.sqrt(2)), (Tanh, 1), (Sigmoid, 1)])
def test_first_weights_fit_the_activation(activation, gain):
    model = mlp((300, 300, 300), activation=activation)
    for name in ("W1", "W2"):
        assert model.parameters[name].std() == pytest.approx(gain / np.sqrt(300), rel=0.02)


def test_float32_is_the_default_and_inputs_are_converted():
    model = MLP([5, 3], rng=np.random.default_rng(0))
    X, _, _ = data()
    assert model.dtype == np.float32
    assert model.forward(X).dtype == np.float32
    assert model.forward([[1, 2, 3, 4, 5]]).shape == (1, 3)
    assert X.dtype == np.float64


@pytest.mark.parametrize("duplicate", [MLP.copy, copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))])
def test_copies_stand_alone_and_train(duplicate):
    X, labels, _ = data()
    model = mlp()
    before = model.parameters.theta.copy()
    twin = duplicate(model)
    assert is_whole(twin)
    np.testing.assert_array_equal(twin.forward(X), model.forward(X))
    _, dout = softmax_cross_entropy(twin.forward(X), labels)
    twin.backward(dout)
    twin.parameters.theta -= twin.parameters.grad
    np.testing.assert_array_equal(model.parameters.theta, before)
    np.testing.assert_array_equal(model.parameters.grad, 0)
    assert is_whole(model)
    assert (twin.forward(X) != model.forward(X)).any()


def test_state_is_restored_to_the_bit():
    model, other = mlp(seed=0), mlp(seed=1)
    other.load_state_dict(model.state_dict())
    assert other.parameters.theta.tobytes() == model.parameters.theta.tobytes()
    with pytest.raises(ValueError, match="misses 'W3', 'b3'"):
        other.load_state_dict(mlp((5, 7, 4)).state_dict())


def test_layers_in_a_row_are_numbered_by_their_weights():
    rng = np.random.default_rng(0)
    model = Sequential([Tanh(), Linear(5, 4, rng=rng, dtype=np.float64), Linear(4, 3, rng=rng, dtype=np.float64)])
    assert model.parameters.names == ("W1", "b1", "W2", "b2")
    X, labels, _ = data()
    assert check_model(model, X, labels).error < 1e-6


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda rng: MLP([5], rng=rng), r"sizes=\[5\]"),
        (lambda rng: MLP([5, 0], rng=rng), "n_out=0"),
        (lambda rng: MLP([5, 3], rng=rng, dtype=np.float16), "dtype is float16"),
        (lambda _: Sequential([]), "0 layers"),
        (lambda _: Sequential([ReLU()]), "none with weights"),
    ],
)
def test_what_makes_no_network_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make(np.random.default_rng(0))


def test_repr_shows_layers_and_size():
    assert repr(mlp((5, 3), dtype=np.float32)) == "MLP(Linear(5, 3)): 18 weights, float32"


def full(seed=0, dtype=np.float64, bit_generator=np.random.PCG64) -> MLP:
    """A network with everything there is between its layers."""
    rng = np.random.Generator(bit_generator(seed))
    return MLP([5, 7, 4, 3], rng=rng, dtype=dtype, batch_norm=True, dropout=0.3)


def train(model: Sequential, steps: int, seed: int = 9) -> None:
    rng = np.random.default_rng(seed)
    for _ in range(steps):
        _, dout = softmax_cross_entropy(model.forward(rng.normal(size=(6, 5))), rng.integers(3, size=6))
        model.backward(dout)
        model.parameters.theta -= 0.1 * model.parameters.grad


def same_state(one: Sequential, other: Sequential) -> bool:
    first, second = one.state_dict(), other.state_dict()
    np.testing.assert_equal(second, first)
    return first.keys() == second.keys()


def test_the_order_between_two_linear_layers():
    model = full()
    names = [type(layer).__name__ for layer in model.layers]
    assert names == ["Linear", "BatchNorm1d", "ReLU", "Dropout"] * 2 + ["Linear"]
    assert model.parameters.names == ("W1", "b1", "gamma1", "beta1", "W2", "b2", "gamma2", "beta2", "W3", "b3")
    assert [layer.p for layer in model.layers if isinstance(layer, Dropout)] == [0.3, 0.3]
    assert {layer.gamma.dtype for layer in model.layers if isinstance(layer, BatchNorm1d)} == {np.dtype(np.float64)}


def test_neither_dropout_nor_batch_norm_changes_the_first_weights():
    plain, rich = mlp((5, 7, 4, 3)), full()
    for name, weights in plain.parameters.items():
        np.testing.assert_array_equal(rich.parameters[name], weights)


def test_init_draws_every_matrix():
    model = MLP([5, 7, 3], rng=np.random.default_rng(2), dtype=np.float64, init=xavier_uniform)
    rng = np.random.default_rng(2)
    for name, sizes in (("W1", (5, 7)), ("W2", (7, 3))):
        np.testing.assert_array_equal(model.parameters[name], xavier_uniform(*sizes, rng))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_what_forward_returned_never_changes_later_and_inputs_are_not_modified(dtype):
    model, rng = full(dtype=dtype), np.random.default_rng(3)
    batches = [rng.normal(size=(n, 5)).astype(dtype) for n in (6, 6, 4, 6, 4)]
    kept, outputs, douts = [X.copy() for X in batches], [], []
    for X in batches:
        outputs.append(model.forward(X))
        douts.append(rng.normal(size=outputs[-1].shape).astype(dtype))
        kept += [outputs[-1].copy(), douts[-1].copy()]
        model.backward(douts[-1])
    given = batches + [array for pair in zip(outputs, douts, strict=True) for array in pair]
    for array, before in zip(given, kept, strict=True):
        np.testing.assert_array_equal(array, before)


@given(sizes=st.lists(st.integers(2, 9), min_size=2, max_size=12))
@settings(max_examples=25)
def test_batches_of_any_sizes_in_any_order_give_what_a_fresh_network_gives(sizes):
    model = full()
    state = model.state_dict()
    for n in sizes:
        rng = np.random.default_rng(n)
        X, dout = rng.normal(size=(n, 5)), rng.normal(size=(n, 3))
        fresh = full(seed=1)
        for each in (model, fresh):
            each.load_state_dict(state)
        np.testing.assert_array_equal(model.forward(X), fresh.forward(X))
        model.backward(dout)
        fresh.backward(dout)
        np.testing.assert_array_equal(model.parameters.grad, fresh.parameters.grad)
    assert len(model._workspaces) <= SHAPES_KEPT


def test_a_training_step_makes_no_array_that_it_could_reuse():
    sizes, n = [200, 300, 250, 10], 500
    rng = np.random.default_rng(0)
    model = MLP(sizes, rng=rng, batch_norm=True, dropout=0.2)
    optimizer = Adam(model.parameters)
    batches = [(rng.normal(size=(n, 200)).astype(np.float32), rng.integers(10, size=n)) for _ in range(2)]

    def step(i):
        _, dout = softmax_cross_entropy(model.forward(batches[i % 2][0]), batches[i % 2][1])
        model.backward(dout)
        optimizer.step()

    for i in range(4):
        step(i)
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        for i in range(100):
            step(i)
        after, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    logits = 4 * n * sizes[-1]
    smallest_reused = 4 * n * sizes[2]
    assert after - before < 2 * logits
    # Fresh by design: the logits, the loss's gradient, and vectors of one number an example or a unit.
    assert peak - before < 5 * logits < smallest_reused


def test_evaluation_in_the_midst_of_training_leaves_no_trace():
    plain, curious = full(), full()
    X, labels, _ = data()
    for model in (plain, curious):
        _, dout = softmax_cross_entropy(model.forward(X), labels)
        if model is curious:
            first = model.predict_proba(X[::-1] * 3)
            np.testing.assert_array_equal(model.predict_proba(X[::-1] * 3), first)
            assert list(model.activations(X * 2))[-1] == "9 Linear"
            model.activations(X * 2, training=True)
        model.backward(dout)
    np.testing.assert_array_equal(curious.parameters.grad, plain.parameters.grad)
    assert same_state(plain, curious)


def test_activations_are_every_layers_output_as_new_arrays():
    model, (X, _, _) = full(), data()
    train(model, 5)
    found = model.activations(X)
    assert list(found) == [f"{k} {type(layer).__name__}" for k, layer in enumerate(model.layers, start=1)]
    np.testing.assert_array_equal(found["9 Linear"], model.evaluate(X))
    np.testing.assert_array_equal(found["3 ReLU"], np.maximum(found["2 BatchNorm1d"], 0))
    np.testing.assert_array_equal(found["4 Dropout"], found["3 ReLU"])
    trained = model.activations(X, training=True)
    np.testing.assert_array_equal(trained["9 Linear"], model.forward(X))
    assert (trained["4 Dropout"] == 0).sum() > (trained["3 ReLU"] == 0).sum()
    arrays = [*found.values(), *trained.values()]
    assert not any(np.shares_memory(a, b) for i, a in enumerate(arrays) for b in arrays[:i])


def test_training_and_evaluation_agree_where_nothing_differs():
    model, (X, _, _) = mlp(), data()
    np.testing.assert_array_equal(model.forward(X, training=True), model.forward(X, training=False))


def test_backward_after_evaluation_mode_is_that_of_constants():
    model, (X, labels, _) = full(), data()
    train(model, 5)
    before = model.state_dict()
    _, dout = softmax_cross_entropy(model.forward(X, training=False), labels)
    model.backward(dout)
    np.testing.assert_equal(model.state_dict(), before)
    assert check_model(model, X, labels, training=False).error < 1e-6


@pytest.mark.parametrize("bit_generator", [np.random.PCG64, np.random.PCG64DXSM, np.random.MT19937, np.random.Philox])
def test_a_run_resumed_from_its_state_is_the_run_that_went_on(bit_generator):
    whole, model = full(bit_generator=bit_generator), full(bit_generator=bit_generator)
    train(whole, 3)
    train(model, 3)
    state = model.state_dict()
    assert {"running_mean1", "running_var1", "running_mean2", "running_var2", "dropout1", "dropout2"} <= state.keys()
    generators = {name: value for name, value in state.items() if name.startswith("dropout")}
    restored = json.loads(json.dumps(generators))
    resumed = full(seed=5, bit_generator=bit_generator)
    resumed.load_state_dict({**state, **restored})
    train(model, 3)  # a state once taken is not moved by further training
    for each in (whole, resumed):
        train(each, 3, seed=10)
    assert whole.parameters.theta.tobytes() == resumed.parameters.theta.tobytes()
    assert same_state(whole, resumed)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("W1", np.zeros((5, 6)), r"W1 has shape \(5, 6\); it needs \(5, 7\)"),
        ("W1", np.full((5, 7), "a"), "W1 has dtype <U1; it must hold real numbers"),
        ("b3", np.array([1, None, 3]), "b3 has dtype object"),
        ("running_var2", np.ones(3), r"running_var2 has shape \(3,\); it needs \(4,\)"),
        ("dropout2", None, "dropout2 is not the state of a PCG64"),
        ("dropout2", {}, "dropout2 is not the state of a PCG64"),
        ("dropout2", np.random.MT19937(0).state, "dropout2 is not the state of a PCG64"),
        ("dropout2", {**np.random.PCG64(0).state, "state": {"state": -1, "inc": 1}}, "dropout2 is not the state"),
        ("dropout2", {**np.random.PCG64(0).state, "state": "none"}, "dropout2 is not the state"),
    ],
)
def test_a_state_that_does_not_fit_is_refused_whole(name, value, message):
    model, before = full(), full()
    state = full(seed=4).state_dict()
    with pytest.raises(ValueError, match=message):
        model.load_state_dict({**state, name: value})
    assert same_state(model, before)
    with pytest.raises(ValueError, match=f"misses '{name}'"):
        model.load_state_dict({key: entry for key, entry in state.items() if key != name})
    with pytest.raises(ValueError, match="does not know 'extra'"):
        model.load_state_dict({**state, "extra": 0})
    assert same_state(model, before)


@pytest.mark.parametrize("duplicate", [MLP.copy, copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))])
def test_copies_have_generators_and_running_values_of_their_own(duplicate):
    model = full()
    train(model, 3)
    twin = duplicate(model)
    assert same_state(model, twin)
    rngs = {id(layer.rng) for layer in twin.layers if isinstance(layer, Dropout)}
    assert len(rngs) == 1  # shared among the copy's layers as among the model's
    train(twin, 3)
    before = full()
    train(before, 3)
    assert same_state(model, before)
    train(model, 3)
    assert same_state(model, twin)


def test_copies_do_not_carry_the_last_batch():
    model = mlp()
    model.forward(np.zeros((3000, 5)))
    assert len(pickle.dumps(model)) < 10_000
    with pytest.raises(RuntimeError, match=r"forward pass first; call model\.forward"):
        model.copy().backward(np.zeros((3000, 3)))


@pytest.mark.parametrize(
    ("X", "error", "message"),
    [
        (np.zeros((2, 5), complex), TypeError, "X has dtype complex128; examples must be real numbers"),
        (np.zeros((2, 5), object), TypeError, "X has dtype object"),
        ([["a"] * 5], TypeError, "X has dtype <U1"),
        (np.zeros(5), ValueError, r"X has shape \(5,\); it needs \(N, D\)"),
        (np.zeros((0, 5)), ValueError, r"X has shape \(0, 5\); it needs \(N, D\): N examples, at least one"),
        (np.zeros((2, 4)), ValueError, r"input of shape \(2, 4\); it needs \(N, 5\)"),
        (np.zeros((1, 5)), ValueError, "a training batch of one example"),
    ],
)
def test_examples_that_do_not_fit_are_refused(X, error, message):
    model = full()
    with pytest.raises(error, match=message):
        model.forward(X)
    if len(X) != 1 or np.asarray(X).dtype.kind != "f":
        with pytest.raises(error, match=message):
            model.evaluate(X)


def test_whole_numbers_are_examples_too():
    model = mlp()
    X = np.arange(10).reshape(2, 5)
    np.testing.assert_array_equal(model.forward(X), model.forward(X.astype(float)))


def test_backward_needs_a_forward_and_a_gradient_of_its_shape():
    model = mlp()
    with pytest.raises(RuntimeError, match=r"forward pass first; call model\.forward"):
        model.backward(np.zeros((6, 3)))
    model.forward(np.zeros((6, 5)))
    with pytest.raises(ValueError, match=r"dout of shape \(6, 4\); the last output had shape \(6, 3\)"):
        model.backward(np.zeros((6, 4)))


def a_linear(dtype=np.float64) -> Linear:
    return Linear(3, 3, rng=np.random.default_rng(0), dtype=dtype)


SHARED = a_linear()


@pytest.mark.parametrize(
    ("layers", "error", "message"),
    [
        ([a_linear(), ReLU], TypeError, "each must be a Layer, as in ReLU"),
        ([SHARED, ReLU(), SHARED], ValueError, "one layer twice"),
        ([a_linear(), a_linear(np.float32)], ValueError, "dtypes float32 and float64; make all layers with one dtype"),
    ],
)
def test_layers_that_make_no_network_are_refused(layers, error, message):
    with pytest.raises(error, match=message):
        Sequential(layers)


@pytest.mark.parametrize("dropout", [-0.1, 1.0, np.nan])
def test_mlp_refuses_dropout_outside_its_range(dropout):
    with pytest.raises(ValueError, match=r"MLP got dropout=.*at least 0 and below 1"):
        MLP([5, 3], rng=np.random.default_rng(0), dropout=dropout)


class Doubling(Layer):
    """A layer as somebody else may write it: without weights, and blind to `out`."""

    def forward(self, x, *, training=True, out=None):
        return 2 * x

    def backward(self, dout, *, out=None):
        return 2 * dout


def test_a_layer_of_ones_own_that_ignores_out_works():
    rng = np.random.default_rng(0)
    model = Sequential(
        [
            Doubling(),
            Linear(5, 4, rng=rng, dtype=np.float64),
            Doubling(),
            Tanh(),
            Linear(4, 3, rng=rng, dtype=np.float64),
        ]
    )
    X, labels, _ = data()
    for _ in range(3):
        assert check_model(model, X, labels).error < 1e-6


class LoudReLU(ReLU):
    """One of the course's layers with a pass of somebody's own."""

    def forward(self, x, *, training=True, out=None):
        return 3 * super().forward(x, training=training, out=out)

    def backward(self, dout, *, out=None):
        return super().backward(3 * dout, out=out)


def test_a_pass_that_a_subclass_wrote_is_taken_every_time():
    rng = np.random.default_rng(0)
    first, last = Linear(5, 4, rng=rng, dtype=np.float64), Linear(4, 3, rng=rng, dtype=np.float64)
    model = Sequential([first, LoudReLU(), last])
    X, labels, _ = data()
    for _ in range(3):
        expected = 3 * np.maximum(X @ first.W + first.b, 0) @ last.W + last.b
        np.testing.assert_allclose(model.forward(X), expected)
        assert check_model(model, X, labels).error < 1e-6


@pytest.mark.parametrize("passes", [1, 2, 3])
def test_a_gradient_that_does_not_fit_is_refused_at_every_pass(passes):
    model = MLP([5, 4, 3], rng=np.random.default_rng(0))
    X, labels, _ = data()
    for _ in range(passes):
        model.backward(softmax_cross_entropy(model.forward(X), labels)[1])
    model.forward(X)
    with pytest.raises(ValueError, match=r"dout of shape .* the last output had shape"):
        model.backward(np.zeros((len(X), 4), np.float32))
    with pytest.raises(TypeError, match="dout is a list"):
        model.backward([[0.0] * 3] * len(X))


def test_an_input_that_does_not_fit_is_refused_at_every_pass():
    model = MLP([5, 4, 3], rng=np.random.default_rng(0))
    X, _, _ = data()
    for _ in range(3):
        model.forward(X)
        with pytest.raises(ValueError, match=r"it needs \(N, 5\), examples first"):
            model.forward(X[:, :4])


def test_a_training_batch_of_one_is_refused_even_when_its_shape_was_predicted_before():
    model = MLP([5, 4, 3], rng=np.random.default_rng(0), batch_norm=True)
    for _ in range(2):
        model.forward(np.zeros((1, 5)), training=False)
    with pytest.raises(ValueError, match="a training batch of one example"):
        model.forward(np.zeros((1, 5)))
