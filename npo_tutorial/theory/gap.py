"""Proposition 4.1 as functions: how far NPO is from gradient ascent (chapter "gradient-ascent").

All of them are about the gap between the centred NPO loss and its limit in Proposition 1 of arXiv:2404.05868,

    gap(β) = [L_NPO − (2/β) log 2] − E[u] = (2/β) E[log cosh(βu/2)] ≥ 0,   u = log π_θ − log π_ref.
"""

import math
from typing import Any

import numpy as np

from npo_tutorial._checks import check_beta, check_count, check_finite_array, check_positive
from npo_tutorial._special import zeta
from npo_tutorial._types import ArrayLike, FloatArray, Real


@np.errstate(over="ignore", invalid="ignore")
def npo_gap(log_ratio: ArrayLike, *, beta: Real) -> float:
    """The gap of Proposition 4.1: centred NPO loss minus E[u], accurate to rounding.

    gap = (2/β) E[log cosh(βu/2)].

    Parameters
    ----------
    log_ratio : (n,) array
        u = log π_θ − log π_ref of each forget sample, in nats.
    beta : float
        Inverse temperature.

    Returns
    -------
    float
        In nats, ≥ 0.

    Notes
    -----
    Why not subtract? The gap is about βE[u²]/4 and the two losses are not small, so that for small β their difference
    is all rounding:

    >>> import numpy as np
    >>> from npo_tutorial.losses import npo_loss
    >>> u, beta = np.array([-1.5]), 1e-13
    >>> naive = float(npo_loss(u - 1, np.array([-1.0]), beta=beta, centered=True) - u[0])
    >>> exact = beta * 1.5**2 / 4  # the next term of the series is 10⁻²⁷ times smaller
    >>> abs(naive / exact - 1) > 1e-3, abs(npo_gap(u, beta=beta) / exact - 1) < 1e-15
    (True, True)
    """
    beta, u = _checked(log_ratio, beta)
    x = beta * np.abs(u) / 2
    # sinh keeps the digits of a small argument, the second form does not overflow for a large one
    near = np.log1p(2 * np.sinh(np.minimum(x, 1) / 2) ** 2)
    far = x + np.log1p(np.exp(-2 * x)) - math.log(2)
    return _finite(np.mean(np.where(x < 1, near, far)) * 2 / beta, u, beta)


@np.errstate(over="ignore", invalid="ignore")
def npo_gap_series(log_ratio: ArrayLike, *, beta: Real, n_terms: int = 2) -> float:
    """The first terms of the gap's power series in β: (β/4)E[u²] − (β³/96)E[u⁴] + ….

    gap = (2/β) Σ_k (−1)^{k+1} (1 − 4^{−k}) ζ(2k)/k · E[(βu/π)^{2k}], with Riemann's ζ; it converges for β max|u| < π.

    Parameters
    ----------
    log_ratio : (n,) array
        u = log π_θ − log π_ref of each forget sample, in nats.
    beta : float
        Inverse temperature.
    n_terms : int
        Number of terms, at least 1.

    Returns
    -------
    float
        In nats. Outside the radius of convergence it is still the sum of these terms, but not an approximation.

    Examples
    --------
    >>> round(npo_gap_series([-2.0], beta=0.1), 9), round(npo_gap([-2.0], beta=0.1), 9)
    (0.099833333, 0.099833776)
    """
    beta, u = _checked(log_ratio, beta)
    x = beta * u / 2
    n_terms = check_count("n_terms", n_terms)
    k = np.arange(1, n_terms + 1)
    coefficients = (-1.0) ** (k + 1) * (1 - 4.0**-k) * zeta(2 * k) / k
    powers = np.mean((2 * x / math.pi)[:, None] ** (2 * k), axis=0)
    return _finite(powers @ coefficients * 2 / beta, u, beta)


@np.errstate(over="ignore", invalid="ignore")
def npo_gap_bound(log_ratio: ArrayLike, *, beta: Real) -> float:
    """An upper bound of the gap for every β: E[min(βu²/4, |u|)].

    It shows that E|u| < ∞ suffices for Proposition 4.1: the integrand is dominated by |u| and tends to 0.

    Parameters
    ----------
    log_ratio : (n,) array
        u = log π_θ − log π_ref of each forget sample, in nats.
    beta : float
        Inverse temperature.

    Returns
    -------
    float
        In nats; at least `npo_gap`.

    Examples
    --------
    >>> npo_gap_bound([-2.0, -40.0], beta=0.5), round(npo_gap([-2.0, -40.0], beta=0.5), 3)
    (20.25, 18.854)
    """
    beta, u = _checked(log_ratio, beta)
    u = np.abs(u)
    return _finite(np.mean(u * np.minimum(beta * u / 4, 1)), u, beta)


def log_ratio_at_weight(weight: Real, *, beta: Real) -> float:
    """The log-ratio at which the adaptive weight 2σ(βu) has a given value: u = log(w/(2 − w))/β.

    Parameters
    ----------
    weight : float
        Between 0 and 2, ends excluded.
    beta : float
        Inverse temperature.

    Returns
    -------
    float
        In nats.

    Examples
    --------
    >>> round(log_ratio_at_weight(0.1, beta=0.1), 1), round(log_ratio_at_weight(0.1, beta=1.0), 1)
    (-29.4, -2.9)
    """
    weight = check_positive("weight", weight)
    if weight >= 2:
        raise ValueError(f"weight must be below 2, got {weight!r}")
    beta = check_beta(beta)
    # near w = 1 the quotient of the formula loses the digits of w − 1
    return (2 * math.atanh(weight - 1) if weight > 0.5 else math.log(weight) - math.log(2 - weight)) / beta


def _checked(log_ratio: ArrayLike, beta: Real) -> tuple[float, FloatArray]:
    return check_beta(beta), check_finite_array("log_ratio", log_ratio, ndim=1)


def _finite(result: Any, u: FloatArray, beta: float) -> float:
    """The result as a float, if it is a number: NumPy's warnings of an overflow are switched off."""
    if not np.isfinite(result):
        raise ValueError(
            f"log_ratio or beta is too large, the result overflowed: got |log_ratio| up to {np.abs(u).max():g} with "
            f"beta={beta!r}"
        )
    return float(result)
