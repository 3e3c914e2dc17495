"""Unlearning losses and their weights: GA, NPO, DPO, SimNPO (chapters "preference-optimization" to "language-model").

**Conventions** of all functions here:

- Log-probabilities are in nats; that of a sequence is the **sum** over its response tokens. They are at most 0, and
  those of the policy π_θ may be −inf. Those of the reference model π_ref must be finite.
- Arrays come from NumPy, PyTorch (autograd works), JAX (``jit`` and ``grad`` work) or CuPy, all of one library and of
  exactly one shape: nothing is broadcast. Lists and numbers become NumPy arrays, whole numbers floating-point ones.
- ``beta`` is the inverse temperature β > 0. In JAX it may be traced, and then its value is not checked.
- ``reduction`` is what to do over all elements, as in PyTorch: ``"mean"``, ``"sum"`` or ``"none"``. A loss is in nats:
  a scalar, or with ``"none"`` an array of the shape of its arguments. A weight is dimensionless and has that shape.
- Signs and factors are those of the NPO paper [1]: gradient ascent is the loss E[log π_θ], which is *minimised*; DPO
  carries 1/β, NPO carries 2/β.
- NPO, DPO and SimNPO are a factor times log(1 + e^z). Losses and weights are exact to the rounding of z.
- A ``TypeError`` names the argument that is not a real number or an array of them, or that comes from another library.
  A ``ValueError`` names the argument whose value, shape or choice is wrong; it also names NaN and log-probabilities
  above 0, but only in arrays on the CPU and outside traces, where reading values is free.

References:

- [1] Zhang, Lin, Bai, Mei. Negative Preference Optimization: From Catastrophic Collapse to Effective Unlearning.
  arXiv:2404.05868.
- [2] Rafailov et al. Direct Preference Optimization. arXiv:2305.18290.
- [3] Fan et al. Simplicity Prevails: Rethinking Negative Preference Optimization for LLM Unlearning. arXiv:2410.07163.
"""

import math
from collections.abc import Callable
from functools import partial
from typing import Any, TypeAlias

from npo_tutorial._checks import check_beta, check_choice, check_finite_real, check_flag
from npo_tutorial._log_probs import check_lengths, check_log_probs, check_scalar
from npo_tutorial._types import Array, Nested, Real, Reduction

REDUCTIONS = ("mean", "sum", "none")
# of any library; a result is an array of the same one
Numbers: TypeAlias = Array | Nested | Real


def ga_loss(logp: Numbers, *, reduction: Reduction = "mean") -> Any:
    """Gradient-ascent loss: the mean log-likelihood of the forget set, to be minimised.

    L_GA = E[log π_θ(y|x)], at most 0 and unbounded below.

    Parameters
    ----------
    logp : array
        log π_θ(y|x) of each forget sample.
    reduction : {"mean", "sum", "none"}

    Returns
    -------
    array

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
    xp, (each,) = check_log_probs({"logp": logp})
    return _reduce(xp, 1 * each, reduction)  # a new array, also where nothing is reduced


def npo_loss(
    logp: Numbers, ref_logp: Numbers, *, beta: Real | Array, reduction: Reduction = "mean", centered: bool = False
) -> Any:
    """Negative Preference Optimization loss.

    L_NPO = (2/β) E[log(1 + (π_θ/π_ref)^β)] = (2/β) E[log(1 + e^{βu})], with the log-ratio u = log π_θ − log π_ref.
    It is positive; 0 is its infimum.

    Parameters
    ----------
    logp, ref_logp : array
        log π_θ(y|x) and log π_ref(y|x) of each forget sample. At log π_θ = −inf both the loss and its gradient are 0.
    beta : float
    reduction : {"mean", "sum", "none"}
    centered : bool
        Subtract the loss at π_θ = π_ref, (2/β) log 2, without losing digits. As β → 0 the centred loss tends to E[u],
        which is `ga_loss` minus a constant (Proposition 4.1); the loss itself tends to infinity.

    Returns
    -------
    array

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
    xp, z, b = _npo_exponent(logp, ref_logp, beta)
    loss = _log_mean_exp(xp, z) if centered else _log_one_plus_exp(xp, z)
    return _reduce(xp, (2 / b) * loss, reduction)


def npo_weight(logp: Numbers, ref_logp: Numbers, *, beta: Real | Array) -> Any:
    """Adaptive weight by which NPO multiplies each sample's gradient of log π_θ.

    w = 2π_θ^β / (π_θ^β + π_ref^β) = 2σ(βu), so that ∇L_NPO = E[w ∇log π_θ] where ∇L_GA = E[∇log π_θ]. It is between 0
    and 2: 1 at π_θ = π_ref, 0 at log π_θ = −inf.

    Parameters
    ----------
    logp, ref_logp : array
        log π_θ(y|x) and log π_ref(y|x) of each forget sample.
    beta : float

    Returns
    -------
    array

    Notes
    -----
    Source: [1], Section 3.2, with the sign corrected to plus. (Equations (4)–(5) of [1] print a minus.)

    Examples
    --------
    >>> npo_weight([-1.0, -30.0], [-1.0, -1.0], beta=0.1).round(3).tolist()
    [1.0, 0.104]
    """
    xp, z, _ = _npo_exponent(logp, ref_logp, beta)
    return weight_at(z, partial(_sigmoid, xp))


def dpo_loss(
    chosen_logp: Numbers,
    rejected_logp: Numbers,
    ref_chosen_logp: Numbers,
    ref_rejected_logp: Numbers,
    *,
    beta: Real | Array,
    reduction: Reduction = "mean",
) -> Any:
    """Direct Preference Optimization loss.

    L_DPO = −(1/β) E[log σ(β(u_chosen − u_rejected))], with the log-ratios u = log π_θ − log π_ref of the two responses.

    Parameters
    ----------
    chosen_logp, rejected_logp, ref_chosen_logp, ref_rejected_logp : array
        Log-probabilities of the preferred and of the other response under π_θ and π_ref. Of each pair at most one may
        have probability 0.
    beta : float
    reduction : {"mean", "sum", "none"}

    Returns
    -------
    array

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
    xp, z, b = _dpo_exponent(chosen_logp, rejected_logp, ref_chosen_logp, ref_rejected_logp, beta)
    return _reduce(xp, _log_one_plus_exp(xp, z) / b, reduction)


def dpo_weight(
    chosen_logp: Numbers,
    rejected_logp: Numbers,
    ref_chosen_logp: Numbers,
    ref_rejected_logp: Numbers,
    *,
    beta: Real | Array,
) -> Any:
    """Weight by which DPO multiplies the gradient of each pair of responses.

    w = σ(β(u_rejected − u_chosen)), so that ∇L_DPO = E[w(∇log π_θ(y_rejected|x) − ∇log π_θ(y_chosen|x))]. It is between
    0 and 1, and ½ at π_θ = π_ref.

    Parameters
    ----------
    chosen_logp, rejected_logp, ref_chosen_logp, ref_rejected_logp : array
        As in `dpo_loss`.
    beta : float

    Returns
    -------
    array

    Notes
    -----
    Source: [2], Section 4. Convention: the weight belongs to `dpo_loss`, which carries 1/β; of the DPO paper's loss it
    is w times β, of a loss with 2/β it is 2w.

    Examples
    --------
    >>> dpo_weight([-1.0, -9.0], [-3.0, -3.0], [-2.0, -2.0], [-2.0, -2.0], beta=0.5).round(3).tolist()
    [0.269, 0.953]
    """
    xp, z, _ = _dpo_exponent(chosen_logp, rejected_logp, ref_chosen_logp, ref_rejected_logp, beta)
    return _sigmoid(xp, z)


def simnpo_loss(
    logp: Numbers,
    n_tokens: Numbers,
    *,
    beta: Real | Array,
    gamma: Real | Array = 0.0,
    reduction: Reduction = "mean",
) -> Any:
    """Loss of SimNPO: NPO without a reference model, with the log-probability divided by the response's length.

    L_SimNPO = −(2/β) E[log σ(−(β/|y|) log π_θ(y|x) − γ)] = (2/β) E[log(1 + e^z)], with z = (β/|y|) log π_θ(y|x) + γ.
    It is positive; 0 is its infimum.

    Parameters
    ----------
    logp : array
        log π_θ(y|x) of each forget sample, **summed** over its tokens.
    n_tokens : array of integers
        The lengths |y| ≥ 1.
    beta : float
        It multiplies nats per token: values are 10 to 100 times those of NPO.
    gamma : float
        Margin γ, dimensionless. A larger one raises every weight (`simnpo_weight`).
    reduction : {"mean", "sum", "none"}

    Returns
    -------
    array

    Notes
    -----
    Source: [3], Section 4. Convention: the sign in front of γ is theirs, minus inside the logarithm. It is `npo_loss`
    of the mean log-probability against a reference that gives every response the mean log-probability −γ/β.

    Examples
    --------
    >>> round(float(simnpo_loss([-20.0, -3.0], [10, 3], beta=2.5)), 6)
    0.034242
    >>> float(simnpo_loss(-20.0, 10, beta=2.5)) == float(npo_loss(-2.0, 0.0, beta=2.5))
    True
    """
    check_choice("reduction", reduction, REDUCTIONS)
    xp, z, b = _simnpo_exponent(logp, n_tokens, beta, gamma)
    return _reduce(xp, (2 / b) * _log_one_plus_exp(xp, z), reduction)


def simnpo_weight(logp: Numbers, n_tokens: Numbers, *, beta: Real | Array, gamma: Real | Array = 0.0) -> Any:
    """Weight by which SimNPO multiplies each sample's gradient of the mean log-probability per token.

    w = 2σ(z) with z = (β/|y|) log π_θ(y|x) + γ, so that ∇L_SimNPO = E[(w/|y|) ∇log π_θ]. It is between 0 and 2.

    Parameters
    ----------
    logp : array
        log π_θ(y|x) of each forget sample, **summed** over its tokens.
    n_tokens : array of integers
        The lengths |y| ≥ 1.
    beta, gamma : float
        As in `simnpo_loss`.

    Returns
    -------
    array

    Notes
    -----
    Source: [3], Section 4. Convention: the factor 1/|y|, which the paper counts in, is left out. So weights of
    responses of all lengths, and of all losses, are on one scale.

    Examples
    --------
    >>> simnpo_weight([-20.0, -2.0], [10, 1], beta=2.5).round(3).tolist()
    [0.013, 0.013]
    """
    xp, z, _ = _simnpo_exponent(logp, n_tokens, beta, gamma)
    return weight_at(z, partial(_sigmoid, xp))


# The solvers call these two at every step, without checks and with a faster sigmoid. ----------------------------------


def npo_exponent(logp: Any, ref_logp: Any, beta: Any) -> Any:
    """z = βu, of which the NPO loss is (2/β) log(1 + e^z)."""
    return beta * (logp - ref_logp)


def weight_at(z: Any, sigmoid: Callable[[Any], Any]) -> Any:
    """2σ(z), the weight that a loss (2/β) log(1 + e^z) gives to the gradient of z/β."""
    return 2 * sigmoid(z)


def _npo_exponent(logp, ref_logp, beta):
    xp, (logp, ref_logp) = check_log_probs({"logp": logp}, {"ref_logp": ref_logp})
    beta = _check_beta(xp, beta, logp)
    return xp, npo_exponent(logp, ref_logp, beta), beta


def _dpo_exponent(chosen_logp, rejected_logp, ref_chosen_logp, ref_rejected_logp, beta):
    xp, (chosen, rejected, ref_chosen, ref_rejected) = check_log_probs(
        {"chosen_logp": chosen_logp, "rejected_logp": rejected_logp},
        {"ref_chosen_logp": ref_chosen_logp, "ref_rejected_logp": ref_rejected_logp},
    )
    beta = _check_beta(xp, beta, chosen)
    return xp, beta * ((rejected - ref_rejected) - (chosen - ref_chosen)), beta


def _simnpo_exponent(logp, n_tokens, beta, gamma):
    xp, (logp,) = check_log_probs({"logp": logp})
    lengths = check_lengths("n_tokens", n_tokens, logp, xp)
    beta = _check_beta(xp, beta, logp)
    gamma = check_scalar("gamma", gamma, partial(check_finite_real, "gamma"), logp)
    return xp, beta * (logp / lengths) + gamma, beta


def _check_beta(xp, beta, logp):
    return check_scalar("beta", beta, partial(check_beta, info=xp.finfo(logp.dtype)), logp)


def _sigmoid(xp, z):
    """σ(z) = e^z/(1 + e^z) or 1/(1 + e^{−z}), whichever does not overflow: small weights keep all their digits."""
    below, above = _split_at_zero(xp, z)
    return xp.exp(below) / (xp.exp(below) + xp.exp(-above))


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
