"""Theorems 6.1 and 7.1 with numbers: constants and bounds (chapters "divergence" and "beyond").

Gradient descent with step size η moves the margins by m ← m − (η/n)Gh, with the signed Gram matrix G. All bounds are
for Δ_i(t) = m_i(0) − m_i(t) at the time τ = ηt/n, and for ‖θ_t − θ_init‖_{XᵀX} = ‖Δ‖₂; π_ref = π_init throughout.
"""

from dataclasses import dataclass, field
from functools import partial

import numpy as np

from npo_tutorial._checks import as_float64, check_flag, check_positive
from npo_tutorial._types import ArrayLike, FloatArray, Loss, Real
from npo_tutorial.logistic.model import checked_beta, signed_rows_and_theta
from npo_tutorial.theory.form import Form, SharpConstants, UniformConstants
from npo_tutorial.theory.sharp import sharp_ga, sharp_npo
from npo_tutorial.theory.uniform import uniform_form

# relative allowance for the rounding of the bounds and of gradient descent in float64
ROUNDING = 1e-12


@dataclass(frozen=True, eq=False)
class DivergenceBounds:
    """The result of `divergence_bounds`.

    Attributes
    ----------
    applies : bool
        Whether the theorem's conditions hold.
    reason : str or None
        If not: which condition fails, and by how much.
    load : float
        The inner products divided by the largest ones that the condition allows: at most 1 if the bounds apply.
    coherence : float
        Measured: max_{i≠j} |⟨x_i, x_j⟩|.
    C0 : float
        The theorem holds for all sets of rows with these norms and initial margins and a coherence up to C₀/n. With
        ``sharp=False`` that is the condition; the sharp form measures each inner product and can hold beyond it.
        Infinite for one sample.
    epsilon : float or None
        ε of the sharp form, the smallest that the condition allows: the smaller ε, the tighter the bounds.
    constants : SharpConstants, UniformConstants or None
        Those of the form that was asked for, from the measured rows; None if a row is zero.
    """

    applies: bool
    reason: str | None
    load: float
    coherence: float
    C0: float
    epsilon: float | None
    constants: UniformConstants | SharpConstants | None
    _step_ratio: float = field(repr=False)
    _form: Form | None = field(repr=False)

    def lower(self, t: ArrayLike, *, per_sample: bool = False) -> FloatArray:
        """Lower bound of the distance after `t` steps, or of each Δ_i.

        `t` is a number ≥ 0 or a (k,) array. The result has its shape; with ``per_sample=True`` it has one more axis of
        n samples. If the theorem does not apply, this is a ``ValueError``.
        """
        return self._at("lower", t, per_sample, np.finfo(float).max) * (1 - ROUNDING)

    def upper(self, t: ArrayLike, *, per_sample: bool = False) -> FloatArray:
        """Upper bound of the distance after `t` steps, or of each Δ_i; see `lower`."""
        return self._at("upper", t, per_sample, np.inf) * (1 + ROUNDING)

    def _at(self, side, t, per_sample, largest):
        if not self.applies:
            raise ValueError(f"the bounds do not apply: {self.reason}")
        bound = getattr(self._form, side)
        t = as_float64("t", t, "iuf")
        if t.ndim > 1 or t.size == 0 or not ((t >= 0) & (t < np.inf)).all():
            raise ValueError(f"t must be a number of steps ≥ 0 or a one-dimensional array of them, got {t}")
        check_flag("per_sample", per_sample)
        with np.errstate(all="ignore"):
            samples = bound(np.minimum(self._step_ratio * t[..., None], largest))
            return np.minimum(samples if per_sample else np.hypot.reduce(samples, axis=-1), largest)


def divergence_bounds(
    X: ArrayLike,
    y: ArrayLike,
    theta_init: ArrayLike,
    *,
    loss: Loss,
    beta: Real | None = None,
    step_size: Real,
    sharp: bool = True,
) -> DivergenceBounds:
    """Bounds of Theorem 6.1, or of the sharper Theorem 7.1, for gradient descent, if the conditions hold.

    The sharp form, with D_i the exact flow of sample i alone (`ga_flow`, `npo_flow`), a_i = ‖x_i‖² and τ = ηt/n:

    - GA, if Σ_{j≠i} |⟨x_i, x_j⟩| ≤ εa_iq_i for all i and ε ≤ 1: Δ_i ≤ D_i((1 + ε)a_iτ), and Δ_i is at least
      D_i((1 − ε)a_iτ − (1 + ε)a_i(η/n)e^{m_i⁰}) and at least (1 − ε)q_ia_iτ.
    - NPO, if Σ_{j≠i} |⟨x_i, x_j⟩| [H_j/q_i + κ*λ_i⁺a_i/(λ_j⁻a_jq_j)] ≤ εa_i for all i and ε < 1:
      D_i(λ_i⁻a_iτ) ≤ Δ_i ≤ D_i(λ_i⁺a_iτ), where S_i = (1 + ε)(η/n)a_iH_i, λ_i⁻ = (1 − ε)φ(−ν_iS_i),
      λ_i⁺ = (1 + ε)φ(βS_i), φ(x) = (eˣ − 1)/x.

    Parameters
    ----------
    X, y : (n, d), (n,) array
        Forget set and its labels, 0 or 1.
    theta_init : (d,) array
        Initial parameters; they also define the reference model of NPO.
    loss : {"ga", "npo"}
        What is minimised.
    beta : float, optional
        Inverse temperature of NPO.
    step_size : float
        η > 0.
    sharp : bool
        Whether to use the sharp form, or the form of `uniform_constants`, the theorem as the paper states it.

    Returns
    -------
    DivergenceBounds
        With ``applies=False`` and a reason if the conditions do not hold.

    Notes
    -----
    The theorem is about exact arithmetic. So that it holds for gradient descent in float64 too, the bounds are widened
    by 10⁻¹² of their value. An upper bound that overflows is inf; a lower one is then the largest float.

    The NPO condition allows an interval of ε or none, and the smallest ε gives the tightest bounds. The condition's
    left side divided by ε first falls, then grows with ε: its minimum tells whether the interval is empty.

    Source: Theorem 2 of arXiv:2404.05868, which has constants without values; constants and the sharp form are ours.

    Examples
    --------
    >>> from npo_tutorial import forget_set, gradient_descent, theta_with_margins
    >>> X, y = forget_set(4, 50, seed=0)
    >>> problem = {"loss": "npo", "beta": 1.0, "step_size": 0.4}
    >>> theta = theta_with_margins(X, y, 1.0)
    >>> bounds = divergence_bounds(X, y, theta, **problem)
    >>> run = gradient_descent(X, y, theta, **problem, n_steps=1000, record=[1000])
    >>> float(bounds.lower(1000).round(3)), run.distance.round(3).tolist(), float(bounds.upper(1000).round(3))
    (12.98, [13.011], 13.054)
    >>> X, y = forget_set(4, 50, coherence=0.2, seed=0)
    >>> print(divergence_bounds(X, y, theta_with_margins(X, y, 1.0), **problem).reason)  # doctest: +ELLIPSIS
    the inner products are ... times too large: the largest, between samples ... and ..., is 0.2; ...
    """
    Z, theta_init = signed_rows_and_theta(X, y, theta_init, "theta_init")
    beta = checked_beta(loss, beta)
    n, step_size = len(Z), check_positive("step_size", step_size)
    step_ratio = check_positive("step_size / n", step_size / n)
    check_flag("sharp", sharp)
    with np.errstate(over="ignore", invalid="ignore"):
        products, m0, R0 = np.abs(Z @ Z.T), Z @ theta_init, np.hypot.reduce(theta_init)
    if not (np.isfinite(products).all() and np.isfinite(m0).all() and np.isfinite(R0)):
        largest = max(np.abs(Z).max(), np.abs(theta_init).max())
        raise ValueError(f"X or theta_init is too large, the inner products overflow: got entries up to {largest:g}")
    a = np.diag(products).copy()
    np.fill_diagonal(products, 0)
    i, j = np.unravel_index(products.argmax(), products.shape)
    coherence = float(products[i, j])
    if not a.all():
        return DivergenceBounds(
            applies=False,
            reason=f"row {int(np.argmin(a))} of X is zero, or too short to be squared: its margin cannot move",
            load=np.inf,
            coherence=coherence,
            C0=0.0,
            epsilon=None,
            constants=None,
            _step_ratio=step_ratio,
            _form=None,
        )
    uniform = partial(uniform_form, np.sqrt(a), R0, coherence, n, loss, beta, step_ratio)
    if not sharp:
        form = uniform()
    elif beta is None:
        form = sharp_ga(products, a, m0, step_ratio)
    else:
        form = sharp_npo(products, a, m0, beta, step_ratio)
    with np.errstate(over="ignore", under="ignore"):
        load = float(np.exp(form.log_load))
    reason = None
    if form.log_load > 0:
        reason = (
            f"the inner products are {load:.3g} times too large: the largest, between samples {i} and {j}, is "
            f"{coherence:.3g}; a coherence up to C0/n = {form.C0 / n:.3g} is always small enough"
        )
        if (Z[i] == -Z[j]).all():
            reason += f"; samples {i} and {j} pull on one x in opposite directions"
        if sharp:
            reason += "; the form with sharp=False "
            reason += "applies" if uniform().log_load <= 0 else "does not apply either"
    return DivergenceBounds(
        applies=reason is None,
        reason=reason,
        load=load,
        coherence=coherence,
        C0=form.C0,
        epsilon=form.epsilon if reason is None else None,
        constants=form.constants,
        _step_ratio=step_ratio,
        _form=form,
    )
