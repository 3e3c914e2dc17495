"""Theorem 6.1 with uniform constants, the form that the paper states (chapter "divergence")."""

import math
from functools import partial

import numpy as np

from npo_tutorial._checks import check_positive, check_real
from npo_tutorial._special import exprel, log_expit
from npo_tutorial._types import FloatArray, Loss, Real
from npo_tutorial.logistic.model import checked_beta
from npo_tutorial.theory.form import Form, UniformConstants


def uniform_constants(
    r: Real, R: Real, R0: Real, *, loss: Loss, beta: Real | None = None, step_ratio: Real = 1.0
) -> UniformConstants:
    """Constants of Theorem 6.1, in the form that the paper states, from the radii alone.

    With q = σ(−RR₀), a coherence of at most C₀/n, τ = ηt/n, and for every step t ≥ 0 and sample i:

    - GA, any η > 0: Δ_i ∈ [C₁τ, C₂τ], so the distance is in [C₁, C₂]·n^{−1/2}ηt;
      C₀ = C₁ = r²q/2, C₂ = R² + r²q/2.
    - NPO: Δ_i ∈ (1/β)[log(1 + κ_lo τ), log(1 + κ_hi τ)], so the distance is in √n times that;
      κ_lo = βr²q/2, κ_hi = β(2R²q^{−β} + r²q/2)φ((η/n)β(R² + r²q/2)), φ(x) = (eˣ − 1)/x, and
      C₀ = r²q^{1+β}κ_lo/(4κ_hi).

    Parameters
    ----------
    r, R : float
        Bounds of the rows' lengths, 0 < r ≤ ‖x_i‖ ≤ R.
    R0 : float
        Bound of ‖θ_init‖, ≥ 0.
    loss : {"ga", "npo"}
        What is minimised.
    beta : float, optional
        Inverse temperature of NPO.
    step_ratio : float
        η/n > 0, at most 1 with the paper's η ≤ 1. GA's constants do not depend on it.

    Returns
    -------
    UniformConstants

    Notes
    -----
    Source: Theorem 2 of arXiv:2404.05868, which has constants without values; the values are ours.

    Examples
    --------
    >>> uniform_constants(1, 1, 0, loss="ga").C0
    0.25
    >>> [f"{uniform_constants(1, 1, 0, loss='npo', beta=1, step_ratio=ratio).C0:.2e}" for ratio in (1, 1e-6)]
    ['1.85e-03', '3.68e-03']
    """
    r, R, R0 = check_positive("r", r), check_positive("R", R), check_real("R0", R0)
    if not r <= R:
        raise ValueError(f"r must be at most R={R!r}, got {r!r}")
    if not 0 <= R0 < math.inf:
        raise ValueError(f"R0 must be at least 0 and finite, got {R0!r}")
    beta, step_ratio = checked_beta(loss, beta), check_positive("step_ratio", step_ratio)
    with np.errstate(over="ignore", under="ignore"):
        log_q = log_expit(-R * R0)
        log_half = 2 * math.log(r) + log_q - math.log(2)
        log_most = np.logaddexp(2 * math.log(R), log_half)
        if loss == "ga":
            log_C0, named = log_half, {"C1": log_half, "C2": log_most}
        else:
            log_lo = math.log(beta) + log_half
            log_hi = math.log(beta) + np.logaddexp(math.log(2) + 2 * math.log(R) - beta * log_q, log_half)
            log_hi += log_phi(beta * step_ratio * np.exp(log_most))
            log_C0 = log_half + beta * log_q - math.log(2) + log_lo - log_hi
            named = {"kappa_lo": log_lo, "kappa_hi": log_hi}
        values = {name: float(np.exp(x)) for name, x in ({"q": log_q, "C0": log_C0} | named).items()}
        if loss == "npo":
            values |= {f"log_{name}": float(x) for name, x in named.items()}
        return UniformConstants(r=r, R=R, R0=R0, log_q=float(log_q), log_C0=float(log_C0), **values)


def uniform_form(
    norms: FloatArray, R0: float, coherence: float, n: int, loss: Loss, beta: float | None, step_ratio: float
) -> Form:
    """The form for rows of these norms."""
    constants = uniform_constants(
        float(norms.min()), float(norms.max()), float(R0), loss=loss, beta=beta, step_ratio=step_ratio
    )
    with np.errstate(divide="ignore"):
        log_load = np.log(coherence) + math.log(n) - constants.log_C0 if coherence else -math.inf
    if loss == "ga":
        lower, upper = (partial(_linear, np.full(n, slope)) for slope in (constants.C1, constants.C2))
    else:
        log_kappas = constants.log_kappa_lo, constants.log_kappa_hi
        lower, upper = (partial(logarithmic, np.full(n, log_kappa), beta) for log_kappa in log_kappas)
    return Form(log_load, constants.C0, epsilon=None, constants=constants, lower=lower, upper=upper)


def log_phi(x: FloatArray | float) -> FloatArray:
    """log((eˣ − 1)/x)."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(np.isinf(x), x, np.maximum(x, 0) + np.log(exprel(-np.abs(x))))


def _linear(slope, tau):
    return slope * tau


def logarithmic(log_kappa, beta, tau):
    return np.where(tau > 0, np.logaddexp(0, log_kappa + np.log(tau)), 0) / beta
