"""Small data sets: orthogonalised forget sets, and digits split for unlearning."""

from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Real as Number

import numpy as np

from npo_tutorial._checks import check_count, check_finite_array, check_labels, check_positive, check_real
from npo_tutorial._types import ArrayLike, FloatArray, IntArray, Real


def forget_set(
    n: int, d: int, *, coherence: Real = 0.0, norm: Real = 1.0, seed: int = 0
) -> tuple[FloatArray, IntArray]:
    """A random forget set whose rows have the same length and, pairwise, the same absolute inner product.

    Theorem 6.1 needs max_{i≠j} |⟨x_i, x_j⟩| ≤ C₀/n. Random rows meet this only in very high dimension; these rows meet
    it by construction.

    Parameters
    ----------
    n, d : int
        Samples and features, 1 ≤ n ≤ d.
    coherence : float
        |⟨x_i, x_j⟩| for all i ≠ j, in [0, norm²); 0 makes the rows orthogonal. The signs are those of s_i s_j, so
        that all off-diagonal entries of the signed Gram matrix are positive: forgetting one sample helps to forget
        the others.
    norm : float
        ‖x_i‖ > 0.
    seed : int
        Seed of the rotation and of the labels.

    Returns
    -------
    (n, d) array and (n,) int array
        X, and y: labels 0 and 1, each with probability 1/2.

    Examples
    --------
    >>> X, y = forget_set(3, 50, coherence=0.1, seed=1)
    >>> np.abs(X @ X.T).round(6).tolist()
    [[1.0, 0.1, 0.1], [0.1, 1.0, 0.1], [0.1, 0.1, 1.0]]
    """
    n, d, seed = check_count("n", n), check_count("d", d), check_count("seed", seed, minimum=0)
    norm, coherence = check_positive("norm", norm), check_real("coherence", coherence)
    if n > d:
        raise ValueError(f"n must be at most d={d}: more rows cannot be linearly independent, got {n}")
    if not 0 < norm * norm < np.inf:
        raise ValueError(f"norm must have a square that is a positive finite number, got {norm!r}")
    if not 0 <= coherence < norm**2:
        raise ValueError(f"coherence must be in [0, norm²) = [0, {norm**2:g}), got {coherence!r}")
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 2, size=n)
    basis, _ = np.linalg.qr(rng.standard_normal((d, n)))
    # the symmetric square root of the Gram matrix (norm² − c) I + c 11ᵀ, applied to orthonormal rows
    own = np.sqrt(norm**2 - coherence)
    shared = (np.sqrt(norm**2 + (n - 1) * coherence) - own) / n
    return (2 * y - 1)[:, None] * (own * basis.T + shared * basis.sum(axis=1)), y


def coherence(X: ArrayLike) -> float:
    """Coherence of the rows of X: max_{i≠j} |⟨x_i, x_j⟩|, which Theorem 6.1 bounds by C₀/n.

    Parameters
    ----------
    X : (n, d) array
        Samples, which are not normalised.

    Returns
    -------
    float
        0 for a single row.

    Notes
    -----
    Source: the condition of Theorem 2 in arXiv:2404.05868.

    Examples
    --------
    >>> coherence([[1.0, 0.0], [0.5, 2.0], [-1.0, 1.0]])
    1.5
    """
    X = check_finite_array("X", X, ndim=2)
    with np.errstate(over="ignore", invalid="ignore"):
        largest = float(np.abs(np.triu(X @ X.T, k=1)).max())
    if not np.isfinite(largest):
        raise ValueError(f"X is too large, the inner products overflow: got entries up to {np.abs(X).max():g}")
    return largest


def theta_with_margins(X: ArrayLike, y: ArrayLike, margins: ArrayLike) -> FloatArray:
    """The shortest θ with the given margins s_i⟨x_i, θ⟩: a model that has learned each sample exactly this well.

    Parameters
    ----------
    X, y : (n, d), (n,) array
        Samples, linearly independent, and their labels, 0 or 1.
    margins : float or (n,) array
        m_i, the log-odds of the right label: the model gives it the probability σ(m_i).

    Returns
    -------
    (d,) array

    Examples
    --------
    >>> X, y = forget_set(3, 50, coherence=0.1)
    >>> ((2 * y - 1) * (X @ theta_with_margins(X, y, 2.0))).round(6).tolist()
    [2.0, 2.0, 2.0]
    """
    X = check_finite_array("X", X, ndim=2)
    y = check_labels("y", y, len(X))
    if isinstance(margins, Number):
        margins = np.full(len(X), check_real("margins", margins))
    margins = check_finite_array("margins", margins, ndim=1)
    if margins.shape != y.shape:
        raise ValueError(f"margins must be a number or of shape {y.shape}, got shape {margins.shape}")
    theta, _, rank, _ = np.linalg.lstsq((2 * y - 1)[:, None] * X, margins, rcond=None)
    if rank < len(X):
        raise ValueError(f"X must have linearly independent rows, got rank {rank} for {len(X)} rows")
    if not np.isfinite(theta).all():
        raise ValueError(f"margins must be small enough for these rows: theta overflowed, got {margins}")
    return theta.astype(np.float64, copy=False)


@dataclass(frozen=True, eq=False)
class DigitsSplit:
    """Two classes of scikit-learn's 8×8 digits: X of shape (samples, 64), y the digits themselves.

    Pixels are in [0, 1], minus `mean_image`, the mean over forget and retain samples: raw pixels are never negative,
    so that forgetting any image would push all the others the same way. ``X_forget + mean_image`` gives the images
    back.
    """

    X_forget: FloatArray
    y_forget: IntArray
    X_retain: FloatArray
    y_retain: IntArray
    X_test: FloatArray
    y_test: IntArray
    mean_image: FloatArray

    @property
    def X_train(self) -> FloatArray:
        """Forget and retain samples together, on which the model to be unlearned was trained."""
        return np.concatenate([self.X_forget, self.X_retain])

    @property
    def y_train(self) -> IntArray:
        return np.concatenate([self.y_forget, self.y_retain])


def digits_split(
    classes: Sequence[int] = (3, 8), *, n_forget: int = 10, test_size: int = 100, seed: int = 0
) -> DigitsSplit:
    """Two classes of scikit-learn's digits, split at random into forget, retain and test samples.

    Parameters
    ----------
    classes : pair of int
        Two different digits.
    n_forget : int
        Number of images to forget, ≥ 1.
    test_size : int
        Number of images held out, ≥ 1.
    seed : int
        Seed of the split.

    Returns
    -------
    DigitsSplit

    Examples
    --------
    >>> split = digits_split((3, 8), n_forget=10, seed=0)
    >>> split.X_forget.shape, split.X_retain.shape, split.X_test.shape, sorted(set(split.y_test.tolist()))
    ((10, 64), (247, 64), (100, 64), [3, 8])
    """
    from sklearn.datasets import load_digits

    try:
        first, second = classes
    except (TypeError, ValueError):
        raise TypeError(f"classes must be a pair of digits, got {classes!r}") from None
    chosen = {check_count("classes", first, minimum=0), check_count("classes", second, minimum=0)}
    if len(chosen) != 2 or max(chosen) > 9:
        raise ValueError(f"classes must be two different digits from 0 to 9, got {classes!r}")
    n_forget, test_size = check_count("n_forget", n_forget), check_count("test_size", test_size)
    X, y = load_digits(return_X_y=True)
    order = np.random.default_rng(check_count("seed", seed, minimum=0)).permutation(
        np.flatnonzero(np.isin(y, list(chosen)))
    )
    if n_forget + test_size >= len(order):
        raise ValueError(
            f"n_forget + test_size must leave some of the {len(order)} images to retain, got {n_forget} + {test_size}"
        )
    forget, test, retain = np.split(order, [n_forget, n_forget + test_size])
    mean_image = X[np.concatenate([forget, retain])].mean(axis=0) / 16
    X = X / 16 - mean_image
    return DigitsSplit(X[forget], y[forget], X[retain], y[retain], X[test], y[test], mean_image)
