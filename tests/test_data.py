"""data.py: forget sets have the promised geometry, and digits are split as promised."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.datasets import load_digits

from npo_tutorial import coherence, digits_split, forget_set, theta_with_margins


@given(st.integers(1, 8), st.integers(0, 20), st.floats(0, 0.95), st.floats(0.1, 10), st.integers(0, 1000))
def test_forget_set_has_the_chosen_norm_and_coherence(n, extra, share, norm, seed):
    X, y = forget_set(n, n + extra, coherence=share * norm**2, norm=norm, seed=seed)
    sign = 2 * y - 1
    gram = np.outer(sign, sign) * (X @ X.T) / norm**2
    np.testing.assert_allclose(gram, share + (1 - share) * np.eye(n), atol=1e-12)
    assert set(y.tolist()) <= {0, 1}


def test_forget_set_near_the_largest_coherence():
    X, _ = forget_set(50, 60, coherence=np.nextafter(1, 0))
    assert coherence(X) == pytest.approx(1, rel=1e-12)


def test_coherence_is_the_largest_inner_product():
    X = np.array([[1.0, 0.0], [0.0, 2.0], [-3.0, 0.5]])
    assert coherence(X) == 3
    assert coherence(X[:1]) == 0


def test_forget_set_is_seeded():
    one, two = forget_set(4, 9, seed=1), forget_set(4, 9, seed=1)
    np.testing.assert_array_equal(one[0], two[0])
    assert not np.allclose(one[0], forget_set(4, 9, seed=2)[0])


@given(st.floats(-20, 20))
def test_theta_with_margins(margin):
    X, y = forget_set(3, 7, coherence=0.3)
    theta = theta_with_margins(X, y, [margin, 1.0, -2.0])
    np.testing.assert_allclose((2 * y - 1) * (X @ theta), [margin, 1, -2], atol=1e-12)
    # the shortest one: it lies in the span of the rows
    np.testing.assert_allclose(np.linalg.lstsq(X.T, theta, rcond=None)[0] @ X, theta, atol=1e-12)


def test_digits_split_is_a_partition_of_two_classes():
    split = digits_split((1, 7), n_forget=12, test_size=80, seed=4)
    pixels, labels = load_digits(return_X_y=True)
    parts = np.concatenate([split.X_forget, split.X_retain, split.X_test]) + split.mean_image
    ours = sorted(map(tuple, (16 * parts).round().astype(int)))
    assert ours == sorted(map(tuple, pixels[np.isin(labels, [1, 7])].astype(int)))
    assert (len(split.X_forget), len(split.X_test)) == (12, 80)
    np.testing.assert_allclose(split.X_train.mean(axis=0), 0, atol=1e-12)
    assert len(split.y_train) == len(split.X_train)
    images = 16 * (split.X_test + split.mean_image)
    for image, label in zip(images[:10], split.y_test[:10], strict=True):
        matches = np.flatnonzero((pixels == image.round()).all(axis=1))
        assert label in labels[matches]


BAD = [
    (lambda: forget_set(5, 4), ValueError, "n must be at most d=4.* got 5"),
    (lambda: forget_set(0, 4), ValueError, "n must be at least 1, got 0"),
    (lambda: forget_set(2, 4, coherence=1.0), ValueError, r"coherence must be in .* got 1\.0"),
    (lambda: forget_set(2, 4, coherence=-0.1), ValueError, r"coherence must be in .* got -0\.1"),
    (lambda: forget_set(2, 4, norm=0), ValueError, "norm must be positive"),
    (lambda: forget_set(2, 4, norm=1e160), ValueError, "norm must have a square"),
    (lambda: coherence([1.0]), ValueError, "X must have 2 dimensions"),
    (
        lambda: coherence([[1e200], [1e200]]),
        ValueError,
        "X is too large, the inner products overflow: got entries up to 1e",
    ),
    (
        lambda: theta_with_margins([[1e-300]], [1], 1e200),
        ValueError,
        "margins must be small enough",
    ),
    (
        lambda: theta_with_margins(np.eye(2), [0, 1], [[1], [1, 2]]),
        TypeError,
        "margins must be an array of real numbers",
    ),
    (lambda: forget_set(2, 4, seed=-1), ValueError, "seed must be at least 0"),
    (lambda: forget_set(2.0, 4), TypeError, r"n must be an integer, got 2\.0"),
    (
        lambda: theta_with_margins([[1.0], [1.0]], [0, 1], 1.0),
        ValueError,
        "X must have linearly independent rows, got rank 1",
    ),
    (lambda: theta_with_margins(np.eye(2), [0, 1], [1.0]), ValueError, r"margins must be .* got shape \(1,\)"),
    (lambda: theta_with_margins(np.eye(2), [0, 3], 1.0), ValueError, "y must hold labels 0 and 1 only, got 3"),
    (lambda: theta_with_margins(np.eye(2), [0, 1], np.nan), ValueError, "margins must be finite"),
    (lambda: digits_split((3, 3)), ValueError, r"classes must be two different digits .* got \(3, 3\)"),
    (lambda: digits_split((3, 10)), ValueError, "classes must be two different digits"),
    (lambda: digits_split(3), TypeError, "classes must be a pair of digits, got 3"),
    (lambda: digits_split(n_forget=0), ValueError, "n_forget must be at least 1"),
    (lambda: digits_split(n_forget=300), ValueError, "n_forget \\+ test_size must leave some of the 357 images"),
]


@pytest.mark.parametrize(("call", "error", "message"), BAD, ids=[m for _, _, m in BAD])
def test_bad_input_is_named(call, error, message):
    with pytest.raises(error, match=message):
        call()
