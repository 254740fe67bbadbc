"""Losses: values known by hand, gradients against differences, and what does not fit is refused."""

import re
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from course_lib.gradcheck import gradient_check
from course_lib.losses import accuracy, softmax, softmax_cross_entropy, squared_error


@st.composite
def classified(draw, largest=30):
    """Logits, and a label for each row."""
    n, c = draw(st.integers(1, 6)), draw(st.integers(1, 5))
    logits = draw(hnp.arrays(np.float64, (n, c), elements=st.floats(-largest, largest, width=32)))
    labels = np.array(draw(st.lists(st.integers(0, c - 1), min_size=n, max_size=n)))
    return logits, labels


@given(classified(largest=5), st.floats(0, 1))
def test_smoothed_cross_entropy_is_that_of_the_smoothed_target(case, smoothing):
    logits, labels = case
    classes = logits.shape[1]
    target = (1 - smoothing) * np.eye(classes)[labels] + smoothing / classes
    loss, dlogits = softmax_cross_entropy(logits, labels, label_smoothing=smoothing)
    assert loss == pytest.approx(-np.sum(target * np.log(softmax(logits))) / len(labels), rel=1e-10, abs=1e-12)
    np.testing.assert_allclose(dlogits, (softmax(logits) - target) / len(labels), rtol=1e-9, atol=1e-12)


@given(seed=st.integers(0, 999), smoothing=st.sampled_from([0.1, 0.5, 1.0]))
def test_smoothed_gradient_is_right_at_every_index(seed, smoothing):
    rng = np.random.default_rng(seed)
    logits, labels = 2 * rng.normal(size=(4, 3)), rng.integers(3, size=4)
    given_gradient = softmax_cross_entropy(logits, labels, smoothing)[1]
    found = gradient_check(lambda z: softmax_cross_entropy(z, labels, smoothing)[0], logits.copy(), given_gradient)
    assert found.error < 1e-6, found
    assert found.checked == 12


@given(classified())
def test_no_smoothing_is_the_plain_loss(case):
    plain, smoothed = softmax_cross_entropy(*case), softmax_cross_entropy(*case, label_smoothing=0.0)
    assert smoothed[0] == plain[0]
    np.testing.assert_array_equal(smoothed[1], plain[1])


@pytest.mark.parametrize("smoothing", [-0.1, 1.1, np.nan])
def test_smoothing_outside_its_range_is_refused(smoothing):
    with pytest.raises(ValueError, match=r"^softmax_cross_entropy got label_smoothing=.*at least 0 and at most 1"):
        softmax_cross_entropy(np.zeros((2, 3)), np.array([0, 1]), label_smoothing=smoothing)


def test_a_score_of_minus_infinity_is_a_class_ruled_out():
    loss, dlogits = softmax_cross_entropy(np.array([[0.0, -np.inf, 0.0]]), np.array([0]))
    assert loss == pytest.approx(np.log(2))
    np.testing.assert_allclose(dlogits, [[-0.5, 0, 0.5]])


@pytest.mark.parametrize("dtype", [int, np.float16, complex, object])
def test_losses_refuse_what_is_no_float32_or_float64(dtype):
    with pytest.raises(TypeError, match=f"logits has dtype {np.dtype(dtype)}; it must be float32 or float64"):
        softmax_cross_entropy(np.zeros((2, 3), dtype), np.array([0, 1]))
    with pytest.raises(TypeError, match=f"prediction has dtype {np.dtype(dtype)}; it must be float32 or float64"):
        squared_error(np.zeros((2, 3), dtype), np.zeros((2, 3)))


@pytest.mark.parametrize("dtype", [complex, object, "U3"])
def test_squared_error_refuses_targets_that_are_no_real_numbers(dtype):
    with pytest.raises(TypeError, match="it must hold real numbers"):
        squared_error(np.zeros((2, 3)), np.zeros((2, 3), dtype))


@given(classified())
def test_float32_losses_are_near_those_of_float64(case):
    logits, labels = case
    loss, dlogits = softmax_cross_entropy(logits.astype(np.float32), labels)
    expected, gradient = softmax_cross_entropy(logits, labels)
    assert loss == pytest.approx(expected, rel=1e-4, abs=1e-5)
    np.testing.assert_allclose(dlogits, gradient, rtol=1e-4, atol=1e-6)


def test_even_scores_are_as_surprising_as_the_number_of_classes():
    loss, dlogits = softmax_cross_entropy(np.zeros((2, 4)), np.array([0, 3]))
    assert loss == pytest.approx(np.log(4), rel=1e-15)
    np.testing.assert_allclose(dlogits, np.array([[-3, 1, 1, 1], [1, 1, 1, -3]]) / 8, rtol=1e-15)


def test_extreme_scores_neither_overflow_nor_lose_the_loss():
    loss, dlogits = softmax_cross_entropy(np.array([[1000.0, 0.0], [-1000.0, 1000.0]]), np.array([1, 1]))
    assert loss == 500.0
    np.testing.assert_array_equal(dlogits, [[0.5, -0.5], [0, 0]])


@given(classified(largest=5))  # beyond, slopes of 1e-7 drown in the rounding of the differences
def test_cross_entropy_gradient_is_right_at_every_index(case):
    logits, labels = case
    given_gradient = softmax_cross_entropy(logits, labels)[1]
    found = gradient_check(lambda z: softmax_cross_entropy(z, labels)[0], logits.copy(), given_gradient)
    assert found.error < 1e-5, found


@given(classified(), st.randoms(use_true_random=False))
def test_cross_entropy_follows_a_permutation_of_the_batch(case, random):
    logits, labels = case
    order = list(range(len(labels)))
    random.shuffle(order)
    loss, dlogits = softmax_cross_entropy(logits, labels)
    shuffled_loss, shuffled = softmax_cross_entropy(logits[order], labels[order])
    assert shuffled_loss == pytest.approx(loss, rel=1e-12, abs=1e-14)
    np.testing.assert_array_equal(shuffled, dlogits[order])


@given(classified(), st.floats(-100, 100))
def test_cross_entropy_does_not_see_a_shift_of_all_scores(case, shift):
    logits, labels = case
    loss, dlogits = softmax_cross_entropy(logits, labels)
    shifted_loss, shifted = softmax_cross_entropy(logits + shift, labels)
    assert shifted_loss == pytest.approx(loss, rel=1e-9, abs=1e-12)
    np.testing.assert_allclose(shifted, dlogits, atol=1e-12)


@given(classified())
def test_cross_entropy_gradient_rows_sum_to_zero_and_the_loss_is_not_negative(case):
    loss, dlogits = softmax_cross_entropy(*case)
    assert loss >= 0
    np.testing.assert_allclose(dlogits.sum(axis=1), 0, atol=1e-14)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_losses_keep_the_dtype_and_their_inputs(dtype):
    rng = np.random.default_rng(0)
    logits, labels = rng.normal(size=(5, 3)).astype(dtype), np.array([0, 1, 2, 1, 0])
    target = rng.normal(size=(5, 3)).astype(dtype)
    before = logits.copy(), labels.copy(), target.copy()
    for loss, gradient in (softmax_cross_entropy(logits, labels), squared_error(logits, target)):
        assert isinstance(loss, float)
        assert gradient.dtype == dtype
        assert gradient.shape == logits.shape
    for array, kept in zip((logits, labels, target), before, strict=True):
        np.testing.assert_array_equal(array, kept)


@pytest.mark.parametrize("labels", [[0, 3], [0, -1]])
def test_labels_out_of_range_are_refused(labels):
    with pytest.raises(ValueError, match="must lie in 0 to 2"):
        softmax_cross_entropy(np.zeros((2, 3)), np.array(labels))


@pytest.mark.parametrize(
    ("logits", "labels", "error", "message"),
    [
        (np.zeros(3), np.array([0, 1, 2]), ValueError, r"need \(N, C\) and \(N,\)"),
        (np.zeros((2, 3)), np.array([0]), ValueError, r"\(2, 3\) and labels \(1,\)"),
        (np.zeros((2, 3)), np.array([[0], [1]]), ValueError, r"need \(N, C\) and \(N,\)"),
        (
            np.zeros((2, 3)),
            np.array([0.0, 1.0]),
            TypeError,
            r"whole numbers from 0 to 2, as in labels\.astype\(int\)\.$",
        ),
        (
            np.zeros((0, 3)),
            np.array([], dtype=int),
            ValueError,
            "^the batch is empty; a loss needs at least one example",
        ),
    ],
)
def test_cross_entropy_refuses_what_does_not_fit(logits, labels, error, message):
    with pytest.raises(error, match=message):
        softmax_cross_entropy(logits, labels)


def test_squared_error_by_hand():
    loss, gradient = squared_error(np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([[0.0, 2.0], [3.0, 1.0]]))
    assert loss == (1 + 9) / 4
    np.testing.assert_array_equal(gradient, [[0.5, 0], [0, 1.5]])
    assert squared_error(np.array([2.0, 0.0]), np.array([0.0, 0.0]))[0] == 1.0


@given(hnp.arrays(np.float64, st.tuples(st.integers(1, 4), st.integers(1, 3)), elements=st.floats(-30, 30, width=32)))
def test_squared_error_gradient_is_right_at_every_index(prediction):
    target = np.full_like(prediction, 40.0)  # never met: relative to a slope of 0 any rounding is large
    found = gradient_check(
        lambda p: squared_error(p, target)[0], prediction.copy(), squared_error(prediction, target)[1]
    )
    assert found.error < 1e-5, found


def test_squared_error_refuses_what_would_broadcast():
    sentence = (
        "prediction has shape (3, 1) and target (3,); they must be equal. "
        "(N, 1) and (N,) would broadcast to (N, N): reshape the target, as in target[:, None]."
    )
    with pytest.raises(ValueError, match=f"^{re.escape(sentence)}$"):
        squared_error(np.zeros((3, 1)), np.zeros(3))
    with pytest.raises(ValueError, match=r"^squared_error got an empty batch; it needs at least one example"):
        squared_error(np.zeros((0, 2)), np.zeros((0, 2)))


def test_softmax_rows_are_probabilities_also_of_huge_scores():
    logits = np.array([[1e4, 0, -1e4], [1, 1, 1]])
    np.testing.assert_allclose(softmax(logits), [[1, 0, 0], [1 / 3] * 3], rtol=1e-15)


def test_softmax_of_one_row_alone_is_that_of_the_row():
    np.testing.assert_allclose(softmax(np.array([0.0, np.log(3)])), [0.25, 0.75], rtol=1e-15)


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int16, np.int32, np.uint64])
def test_labels_of_any_whole_dtype_count_alike(dtype):
    rng = np.random.default_rng(0)
    logits, labels = rng.normal(size=(200, 3)), rng.integers(3, size=200)  # 2 * 200 does not fit in 8 bits
    loss, dlogits = softmax_cross_entropy(logits, labels.astype(dtype))
    expected, gradient = softmax_cross_entropy(logits, labels)
    assert loss == expected
    np.testing.assert_array_equal(dlogits, gradient)


def test_cross_entropy_makes_one_array_of_the_size_of_the_logits():
    logits, labels = np.ones((1000, 50)), np.zeros(1000, int)
    tracemalloc.start()
    try:
        softmax_cross_entropy(logits, labels)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert logits.nbytes <= peak < 1.5 * logits.nbytes


def test_accuracy_of_labels_and_of_scores():
    labels = np.array([0, 1, 2, 2])
    assert accuracy([0, 1, 2, 0], labels) == 0.75
    assert accuracy(np.eye(3)[[0, 2, 2, 2]], labels) == 0.75
    for prediction, right in (([0, 1], [0, 1, 2]), ([], []), (np.zeros((2, 3)), [[0, 1]])):
        sentence = (
            f"prediction has shape {np.shape(prediction)} and labels {np.shape(right)}; "
            "accuracy needs (N,) or (N, C) against (N,), with at least one example."
        )
        with pytest.raises(ValueError, match=f"^{re.escape(sentence)}$"):
            accuracy(prediction, right)


@pytest.mark.parametrize("dtype", ["i1", "u1", "<i2", ">i2", "<i4", ">u4", "<i8", ">i8", "u8"])
def test_labels_of_every_whole_type_are_looked_at_alike(dtype):
    logits = np.random.default_rng(0).standard_normal((3, 4))
    expected = softmax_cross_entropy(logits, np.array([0, 3, 1]))
    loss, dlogits = softmax_cross_entropy(logits, np.array([0, 3, 1], dtype))
    assert loss == expected[0]
    np.testing.assert_array_equal(dlogits, expected[1])
    with pytest.raises(ValueError, match=r"labels go from 0 to 4; .* must lie in 0 to 3"):
        softmax_cross_entropy(logits, np.array([0, 4, 1], dtype))
    if "i" in dtype:
        with pytest.raises(ValueError, match=r"labels go from -1 to 2; .* must lie in 0 to 3"):
            softmax_cross_entropy(logits, np.array([0, -1, 2], dtype))


def test_one_label_for_every_score_is_refused():
    with pytest.raises(ValueError, match=r"labels \(3, 3\); they need \(N, C\) and \(N,\)"):
        softmax_cross_entropy(np.zeros((3, 3)), np.zeros((3, 3), int))
