"""The data is what it says, the splits are fixed and apart, the generators do what is asked."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import course_lib
from course_lib.data import digits_split, load_digits, redraw_labels, spirals, standardize, two_moons

DIGEST = "87ff0c9e40dc7e2c"  # SHA-256 of pixels and labels, its beginning
RANDOM_TEST = [1, 7, 6, 6, 3, 2, 7, 3, 5, 3, 6, 6]  # labels
SIZES = {"random": (1000, 397, 400), "writers": (1000, 386, 382)}


def test_digits_are_the_ones_of_the_repository():
    digits = load_digits()
    assert digits.X.shape == (1797, 64)
    assert digits.images.shape == (1797, 8, 8)
    assert len(digits) == 1797
    assert (digits.X.min(), digits.X.max()) == (0, 1)
    np.testing.assert_array_equal(np.bincount(digits.y), [178, 182, 177, 183, 181, 182, 181, 179, 174, 180])
    pixels = (digits.X * 16).astype(np.uint8)
    assert hashlib.sha256(pixels.tobytes() + digits.y.astype(np.uint8).tobytes()).hexdigest().startswith(DIGEST)
    assert repr(digits) == "Digits: 1,797 images of 8 x 8 pixels from 0 to 1, float64"


def test_digits_equal_scikit_learns():
    source = pytest.importorskip("sklearn.datasets").load_digits()
    digits = load_digits()
    np.testing.assert_array_equal(digits.X * 16, source.data)
    np.testing.assert_array_equal(digits.y, source.target)


def test_the_file_is_small_and_its_origin_is_told():
    file = Path(course_lib.__file__).parent / "_arrays" / "digits.npz"
    assert file.stat().st_size < 60_000
    notice = Path(__file__).parents[2] / "NOTICE"
    assert "digits.npz" in notice.read_text(encoding="utf-8")
    assert "CC BY 4.0" in notice.read_text(encoding="utf-8")


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", ["random", "writers"])
def test_splits_have_their_sizes_and_share_no_image(name, dtype):
    split, digits = digits_split(name, dtype), load_digits(dtype)
    assert (len(split.y_train), len(split.y_val), len(split.y_test)) == SIZES[name]
    place = {image.tobytes(): i for i, image in enumerate(digits.X)}
    assert len(place) == 1797, "every image is unique, so an image tells its place"
    seen = []
    for X, y in ((split.X_train, split.y_train), (split.X_val, split.y_val), (split.X_test, split.y_test)):
        assert X.dtype == dtype
        rows = [place[image.tobytes()] for image in X]
        np.testing.assert_array_equal(digits.y[rows], y)
        assert set(y) == set(range(10))
        seen += rows
    assert len(set(seen)) == len(seen) == sum(SIZES[name])
    sizes = "1,000 to train, {1} to validate, {2} to test".format(*SIZES[name])
    assert repr(split) == f"Split {name!r}: {sizes}"


def test_splits_are_the_same_every_day():
    assert list(digits_split("random").y_test[:12]) == RANDOM_TEST
    assert list(digits_split("writers").y_test[:12]) == [*range(10), 0, 1]


def test_the_split_by_writers_cuts_between_forms():
    y = load_digits().y
    split = digits_split("writers")
    for part in (split.y_train, split.y_val, split.y_test):  # each begins as every form does
        np.testing.assert_array_equal(part[:30], y[:30])
    np.testing.assert_array_equal(split.X_train, load_digits().X[:1000])
    np.testing.assert_array_equal(split.X_test, load_digits().X[-382:])


def test_what_is_loaded_is_yours_to_change():
    load_digits().X[:] = 0
    digits_split().y_train[:] = 0
    assert load_digits().X.max() == 1
    assert digits_split().y_train.max() == 9


def test_unknown_names_are_refused():
    with pytest.raises(ValueError, match="no split 'test'; there are 'random' and 'writers'"):
        digits_split("test")
    with pytest.raises(ValueError, match="dtype is int64"):
        load_digits(np.int64)


@given(n=st.integers(1, 300), share=st.floats(0, 1), seed=st.integers(0, 99))
def test_redrawn_labels_change_only_their_share(n, share, seed):
    y = np.arange(n) % 7
    noisy = redraw_labels(y, share, np.random.default_rng(seed), classes=7)
    assert (noisy != y).sum() <= round(share * n)
    assert noisy.min() >= 0
    assert noisy.max() < 7
    np.testing.assert_array_equal(y, np.arange(n) % 7)
    np.testing.assert_array_equal(noisy, redraw_labels(y, share, np.random.default_rng(seed), classes=7))


def test_redrawn_labels_are_drawn_evenly():
    y = np.zeros(20_000, dtype=int)
    y[0] = 9
    noisy = redraw_labels(y, 0.5, np.random.default_rng(0))
    counts = np.bincount(noisy, minlength=10)
    np.testing.assert_allclose(counts[1:], 1000, rtol=0.1)
    assert (noisy != y).mean() == pytest.approx(0.45, abs=0.01)
    for share in (-0.1, 1.1, np.nan):
        with pytest.raises(ValueError, match="must lie in 0 to 1"):
            redraw_labels(y, share, np.random.default_rng(0))


def test_moons_are_half_circles():
    X, y = two_moons(401, 0.0, np.random.default_rng(0))
    assert X.shape == (401, 2)
    assert list(np.bincount(y)) == [201, 200]
    np.testing.assert_allclose(np.linalg.norm(X[y == 0], axis=1), 1)
    np.testing.assert_allclose(np.linalg.norm(X[y == 1] - [1, 0.5], axis=1), 1)
    assert X[y == 0, 1].min() >= 0
    assert X[y == 1, 1].max() <= 0.5


@pytest.mark.parametrize("classes", [2, 3, 5])
def test_spirals_are_arms_turned_against_each_other(classes):
    X, y = spirals(300, 0.0, np.random.default_rng(0), classes)
    radius, angle = np.linalg.norm(X, axis=1), np.arctan2(X[:, 1], X[:, 0])
    expected = 2.5 * np.pi * radius + 2 * np.pi * y / classes
    np.testing.assert_allclose(np.exp(1j * angle), np.exp(1j * expected), atol=1e-9)
    assert set(np.bincount(y)) == {300 // classes}
    assert radius.max() <= 1


@pytest.mark.parametrize("make", [two_moons, spirals])
def test_clouds_are_shuffled_noisy_as_asked_and_repeatable(make):
    X, y = make(2000, 0.1, np.random.default_rng(1))
    clean, labels = make(2000, 0.0, np.random.default_rng(1))
    np.testing.assert_array_equal(labels, y)
    assert np.std(X - clean) == pytest.approx(0.1, rel=0.05)
    assert 0.4 < np.mean(y[1:] != y[:-1]) < 0.6
    np.testing.assert_array_equal(make(2000, 0.1, np.random.default_rng(1))[0], X)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda rng: two_moons(1, 0.1, rng), "n is 1; it must be at least 2"),
        (lambda rng: two_moons(10, -0.1, rng), "noise is -0.1"),
        (lambda rng: spirals(2, 0.1, rng, classes=3), "at least 3"),
        (lambda rng: spirals(10, 0.1, rng, classes=1), "classes is 1"),
        (lambda rng: spirals(10, np.nan, rng), "noise is nan"),
    ],
)
def test_clouds_that_cannot_be_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call(np.random.default_rng(0))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_standardizing_takes_its_figures_from_training_alone(dtype):
    rng = np.random.default_rng(0)
    train = rng.normal(5, 3, size=(200, 4)).astype(dtype)
    train[:, 2] = 0.1  # constant
    test = rng.normal(5, 3, size=(50, 4)).astype(dtype)
    kept = train.copy()
    scaled, other, again = standardize(train, test, train)
    np.testing.assert_allclose(scaled.mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(scaled.std(axis=0)[[0, 1, 3]], 1, atol=1e-5)
    np.testing.assert_allclose(scaled[:, 2], 0, atol=1e-6)
    np.testing.assert_array_equal(again, scaled)
    np.testing.assert_allclose(other[:, 0], (test[:, 0] - train[:, 0].mean()) / train[:, 0].std(), rtol=1e-4)
    assert scaled.dtype == other.dtype == dtype
    np.testing.assert_array_equal(train, kept)


def test_standardizing_needs_examples_and_equal_columns():
    with pytest.raises(ValueError, match="N at least 2"):
        standardize(np.ones((1, 3)))
    with pytest.raises(ValueError, match="both need the same columns"):
        standardize(np.ones((5, 3)), np.ones((5, 2)))
