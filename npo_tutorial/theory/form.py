"""What the two theorems, `uniform` (6.1) and `sharp` (7.1), tell `divergence_bounds`."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from npo_tutorial._types import FloatArray

# the (n,) bounds of Δ_i at a time τ
Bound = Callable[[FloatArray], FloatArray]


@dataclass(frozen=True)
class UniformConstants:
    """Constants of Theorem 6.1 in the paper's form, from `uniform_constants`.

    Large βRR₀ takes some of them out of the range of float64, to 0 or inf: their logarithms stay finite.

    Attributes
    ----------
    r, R, R0 : float
        The radii that they are made from: r ≤ ‖x_i‖ ≤ R, ‖θ_init‖ ≤ R₀.
    q : float
        σ(−RR₀).
    C0 : float
        n times the coherence up to which the theorem holds.
    log_q, log_C0 : float
        Their logarithms.
    C1, C2 : float or None
        Slopes of GA's bounds; None for NPO.
    kappa_lo, kappa_hi : float or None
        κ of NPO's bounds; None for GA.
    log_kappa_lo, log_kappa_hi : float or None
        Their logarithms.
    """

    r: float
    R: float
    R0: float
    q: float
    C0: float
    log_q: float
    log_C0: float
    C1: float | None = None
    C2: float | None = None
    kappa_lo: float | None = None
    kappa_hi: float | None = None
    log_kappa_lo: float | None = None
    log_kappa_hi: float | None = None


@dataclass(frozen=True, eq=False)
class SharpConstants:
    """Constants of Theorem 7.1, one number for each sample, from `divergence_bounds`.

    Attributes
    ----------
    a : (n,) array
        ‖x_i‖².
    m0 : (n,) array
        Initial margins.
    q : (n,) array
        σ(−m_i⁰).
    H : (n,) array or None
        NPO's largest speed h_i; this one and the following are None for GA.
    nu : (n,) array or None
        max(p_i − βq_i/2, 0).
    log_lambda_lo, log_lambda_hi : (n,) array or None
        Logarithms of the rates of both clocks, λ_i⁻ and λ_i⁺.
    """

    a: FloatArray
    m0: FloatArray
    q: FloatArray
    H: FloatArray | None = None
    nu: FloatArray | None = None
    log_lambda_lo: FloatArray | None = None
    log_lambda_hi: FloatArray | None = None


class Form(NamedTuple):
    """One form, at the rows and the initial model of a problem."""

    # the logarithm of how many times the inner products are too large: the form applies up to 0
    log_load: float
    C0: float
    # None for the uniform form
    epsilon: float | None
    constants: UniformConstants | SharpConstants
    lower: Bound
    upper: Bound
