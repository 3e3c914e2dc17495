"""Unlearning losses: gradient ascent, NPO, DPO and SimNPO (chapters "preference-optimization" to "language-model").

One body serves NumPy, PyTorch (autograd works), JAX (``jit`` and ``grad`` work) and CuPy arrays through
``array-api-compat``. Everything is a function of log-probabilities in nats; for a sequence, the **sum** over its
response tokens.

The convention is the one of the NPO paper [1]: gradient ascent is the loss ``E[log π_θ]`` that is *minimised*, DPO
carries 1/β, NPO carries 2/β.

- [1] Zhang, Lin, Bai, Mei. Negative Preference Optimization: From Catastrophic Collapse to Effective Unlearning.
  arXiv:2404.05868.
- [2] Rafailov et al. Direct Preference Optimization. arXiv:2305.18290.
- [3] Fan et al. Simplicity Prevails: Rethinking Negative Preference Optimization for LLM Unlearning. arXiv:2410.07163.
"""

import math

from npo_tutorial._checks import check_beta, check_choice, check_flag, check_lengths, check_log_probs, check_real

REDUCTIONS = ("mean", "sum", "none")


def ga_loss(logp, *, reduction="mean"):
    """Gradient-ascent loss: the mean log-likelihood of the forget set, to be minimised.

    L_GA = E[log π_θ(y|x)], at most 0 and unbounded below.

    Parameters
    ----------
    logp : array
        log π_θ(y|x) of each forget sample, in nats, any shape. At most 0; −inf is allowed.
    reduction : {"mean", "sum", "none"}
        What to do over all elements, as in PyTorch.

    Returns
    -------
    array
        In nats: a scalar, or with ``"none"`` an array of the shape of `logp`.

    Raises
    ------
    ValueError
        `logp` is empty, holds NaN or a positive value, or `reduction` is unknown.
    TypeError
        `logp` is not a real array or number.

    Notes
    -----
    Source: [1], Section 2. Convention: the sign is plus, so gradient *descent* on this loss *ascends* the
    cross-entropy.

    Examples
    --------
    >>> float(ga_loss([-1.0, -3.0]))
    -2.0
    """
    check_choice("reduction", reduction, REDUCTIONS)
    xp, (logp,) = check_log_probs(logp=logp)
    return _reduce(xp, 1 * logp, reduction)  # a new array, also where nothing is reduced


def npo_loss(logp, ref_logp, *, beta, reduction="mean", centered=False):
    """Negative Preference Optimization loss.

    L_NPO = (2/β) E[log(1 + (π_θ/π_ref)^β)] = (2/β) E[log(1 + e^{βu})], with the log-ratio u = log π_θ − log π_ref.

    Parameters
    ----------
    logp, ref_logp : array
        log π_θ(y|x) and log π_ref(y|x) of each forget sample, in nats, of exactly the same shape.
        `logp` may be −inf (the loss is 0 there, and so is its gradient); `ref_logp` must be finite.
    beta : float
        Inverse temperature, > 0.
    reduction : {"mean", "sum", "none"}
        What to do over all elements, as in PyTorch.
    centered : bool
        Subtract the loss at π_θ = π_ref, (2/β) log 2, without losing digits. As β → 0 the centred loss tends to E[u],
        which is `ga_loss` minus a constant (Proposition 4.1); the loss itself tends to infinity.

    Returns
    -------
    array
        In nats: a scalar, or with ``"none"`` an array of the shape of `logp`. Uncentred it is positive; 0 is its
        infimum.

    Raises
    ------
    ValueError
        β ≤ 0, NaN, a positive log-probability, an infinite `ref_logp`, different shapes, an empty array or an
        unknown reduction.
    TypeError
        Not a real array or number, or arrays of two libraries.

    Notes
    -----
    Source: [1], equation (3). Convention: 2/β, so that the weight of each gradient (`npo_weight`) is 1 at π_θ = π_ref.

    Why not the obvious formula? ``exp`` overflows, and for small β the difference from (2/β) log 2 loses every digit:

    >>> import numpy as np
    >>> beta, u = 1e-17, -1.5
    >>> float((2 / beta) * np.log((1 + np.exp(beta * u)) / 2)), float(npo_loss(-2.5, -1.0, beta=beta, centered=True))
    (0.0, -1.5)
    >>> round(float(npo_loss([-2.0, -1.0], [-1.0, -1.0], beta=1.0)), 6)
    1.006409
    """
    check_choice("reduction", reduction, REDUCTIONS)
    check_flag("centered", centered)
    xp, (logp, ref_logp) = check_log_probs(logp=logp, ref_logp=ref_logp)
    beta = check_beta(beta, xp.finfo(logp.dtype))
    z = beta * (logp - ref_logp)
    loss = _log_mean_exp(xp, z) if centered else _log_one_plus_exp(xp, z)
    return _reduce(xp, (2 / beta) * loss, reduction)


def dpo_loss(chosen_logp, rejected_logp, ref_chosen_logp, ref_rejected_logp, *, beta, reduction="mean"):
    """Direct Preference Optimization loss.

    L_DPO = −(1/β) E[log σ(β(u_chosen − u_rejected))], with the log-ratios u = log π_θ − log π_ref of the two responses.

    Parameters
    ----------
    chosen_logp, rejected_logp, ref_chosen_logp, ref_rejected_logp : array
        Log-probabilities of the preferred and of the other response under π_θ and π_ref, in nats, all of exactly the
        same shape. Of each pair one of the first two may be −inf; the reference's must be finite.
    beta : float
        Inverse temperature, > 0.
    reduction : {"mean", "sum", "none"}
        What to do over all elements, as in PyTorch.

    Returns
    -------
    array
        In nats: a scalar, or with ``"none"`` an array of the shape of `chosen_logp`.

    Raises
    ------
    ValueError
        β ≤ 0, NaN, a positive log-probability, an infinite reference, both responses −inf, different shapes, an
        empty array or an unknown reduction.
    TypeError
        Not a real array or number, or arrays of two libraries.

    Notes
    -----
    Source: [2], equation (7). Convention: 1/β as in [1], equation (2); the DPO paper and TRL have no 1/β, and
    several unlearning codes have 2/β. Leaving out the chosen response and doubling gives `npo_loss`.

    Examples
    --------
    >>> round(float(dpo_loss(-1.0, -3.0, -2.0, -2.0, beta=0.5)), 6)
    0.626523
    """
    check_choice("reduction", reduction, REDUCTIONS)
    xp, (chosen, rejected, ref_chosen, ref_rejected) = check_log_probs(
        chosen_logp=chosen_logp,
        rejected_logp=rejected_logp,
        ref_chosen_logp=ref_chosen_logp,
        ref_rejected_logp=ref_rejected_logp,
    )
    beta = check_beta(beta, xp.finfo(chosen.dtype))
    z = beta * ((rejected - ref_rejected) - (chosen - ref_chosen))
    return _reduce(xp, _log_one_plus_exp(xp, z) / beta, reduction)


def simnpo_loss(logp, n_tokens, *, beta, gamma=0.0, reduction="mean"):
    """Loss of SimNPO: NPO without a reference model, with the log-probability divided by the response's length.

    L_SimNPO = −(2/β) E[log σ(−(β/|y|) log π_θ(y|x) − γ)] = (2/β) E[log(1 + e^z)], with z = (β/|y|) log π_θ(y|x) + γ.

    Parameters
    ----------
    logp : array
        log π_θ(y|x) of each forget sample, **summed** over its tokens, in nats, any shape; may be −inf.
    n_tokens : array of integers
        The lengths |y| ≥ 1, of exactly the same shape.
    beta : float
        Inverse temperature, > 0. It multiplies nats per token: values are 10 to 100 times those of NPO.
    gamma : float
        Margin γ, without unit. A larger one raises every weight 2σ(z).
    reduction : {"mean", "sum", "none"}
        What to do over all elements, as in PyTorch.

    Returns
    -------
    array
        In nats: a scalar, or with ``"none"`` an array of the shape of `logp`. Positive; 0 is its infimum.

    Raises
    ------
    ValueError
        β ≤ 0, NaN, a positive log-probability, a length below 1, different shapes, an empty array, an infinite γ or an
        unknown reduction.
    TypeError
        Not a real array or number, lengths that are no integers, or arrays of two libraries.

    Notes
    -----
    Source: [3], Section 4. Convention: the sign in front of γ is theirs, minus inside the logarithm. The gradient
    is E[(2σ(z)/|y|) ∇log π_θ]. It is `npo_loss` of the mean log-probability against a reference that gives every
    response the mean log-probability −γ/β.

    Examples
    --------
    >>> round(float(simnpo_loss([-20.0, -3.0], [10, 3], beta=2.5)), 6)
    0.034242
    >>> float(simnpo_loss(-20.0, 10, beta=2.5)) == float(npo_loss(-2.0, 0.0, beta=2.5))
    True
    """
    check_choice("reduction", reduction, REDUCTIONS)
    xp, (logp,) = check_log_probs(logp=logp)
    lengths = check_lengths("n_tokens", n_tokens, logp, xp)
    beta = check_beta(beta, xp.finfo(logp.dtype))
    gamma = check_real("gamma", gamma)
    if not math.isfinite(gamma):
        raise ValueError(f"gamma must be finite, got {gamma!r}")
    z = beta * (logp / lengths) + gamma
    return _reduce(xp, (2 / beta) * _log_one_plus_exp(xp, z), reduction)


def npo_weight(logp, ref_logp, *, beta):
    """Adaptive weight by which NPO multiplies each sample's gradient of log π_θ.

    w = 2π_θ^β / (π_θ^β + π_ref^β) = 2σ(βu), so that ∇L_NPO = E[w ∇log π_θ] where ∇L_GA = E[∇log π_θ].

    Parameters
    ----------
    logp, ref_logp : array
        log π_θ(y|x) and log π_ref(y|x), in nats, of exactly the same shape; `logp` may be −inf.
    beta : float
        Inverse temperature, > 0.

    Returns
    -------
    array
        Weights between 0 and 2, without unit, of the shape of `logp`; 1 at π_θ = π_ref, 0 at log π_θ = −inf.

    Raises
    ------
    ValueError, TypeError
        As `npo_loss`.

    Notes
    -----
    Source: [1], Section 3.2, with the sign that is right: plus. (Equations (4)–(5) of [1] print a minus.)

    Examples
    --------
    >>> npo_weight([-1.0, -30.0], [-1.0, -1.0], beta=0.1).round(3).tolist()
    [1.0, 0.104]
    """
    xp, (logp, ref_logp) = check_log_probs(logp=logp, ref_logp=ref_logp)
    beta = check_beta(beta, xp.finfo(logp.dtype))
    return twice_sigmoid(xp, beta * (logp - ref_logp))


def twice_sigmoid(xp, z):
    """2σ(z), the weight at z = βu, without checks: solvers need it at every step."""
    below, above = _split_at_zero(xp, z)
    # e^z/(1 + e^z) or 1/(1 + e^{−z}), whichever does not overflow: small weights keep all their digits
    return 2 * xp.exp(below) / (xp.exp(below) + xp.exp(-above))


def _split_at_zero(xp, z):
    """min(z, 0) and max(z, 0), made by `where`: autograd would halve or double a derivative at the tie of a minimum."""
    zero = xp.zeros_like(z)
    return xp.where(z < 0, z, zero), xp.where(z < 0, zero, z)


def _log_one_plus_exp(xp, z):
    """log(1 + e^z) = max(z, 0) + log(1 + e^{−|z|}); unlike `logaddexp` its second derivatives are right as well."""
    below, above = _split_at_zero(xp, z)
    return above + xp.log1p(xp.exp(below - above))


def _log_mean_exp(xp, z):
    """log((1 + e^z)/2): near 0 without cancellation, elsewhere as log(1 + e^z) − log 2."""
    near_zero = xp.abs(z) < 1
    # the branch that is not used gets a harmless argument: autograd would make NaN of its overflow times 0
    near = xp.log1p(xp.expm1(xp.where(near_zero, z, xp.zeros_like(z))) / 2)
    return xp.where(near_zero, near, _log_one_plus_exp(xp, z) - math.log(2))


def _reduce(xp, loss, reduction):
    return {"mean": xp.mean, "sum": xp.sum, "none": lambda x: x}[reduction](loss)
