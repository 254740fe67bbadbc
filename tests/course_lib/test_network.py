"""Networks: gradients of every weight against differences, one vector under all layers, copies that stand alone."""

import copy
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from course_lib.gradcheck import check_model
from course_lib.layers import Linear, ReLU, Sigmoid, Tanh
from course_lib.losses import softmax_cross_entropy, squared_error
from course_lib.network import MLP, Sequential


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
