"""Questions on the losses: gradient ascent, DPO, NPO, its weight, and Proposition 4.1.

In the formulas u = log π_θ − log π_ref is the log-ratio of a sample, in nats, and E the mean over the n samples.
"""

import math
from typing import Any

import numpy as np

from npo_tutorial.homework.compare import close, compare, scalar, shaped
from npo_tutorial.homework.runner import Answer, question
from npo_tutorial.losses import dpo_loss, npo_loss, npo_weight
from npo_tutorial.theory import npo_gap

# Of each moderate case: β, which is neither 1 nor 2, for a missing factor must show, and the number of samples.
CASES = ((0.3, 5), (1.7, 4))


def _logp(rng, n, *, count=1):
    """Log-probabilities of two decimals: short enough to be typed."""
    return np.round(rng.uniform(-4, -0.1, (count, n)), 2)


@question
def check_ga_loss(answer: Answer, rng: np.random.Generator) -> None:
    """``ga_loss(logp)``: the gradient-ascent loss E[log π_θ], one number.

    Looks for: the sign, a sum instead of the mean, no average, probabilities instead of log-probabilities, a second
    logarithm, a number of samples written into the code.

    Source: arXiv:2404.05868, Section 2; the convention is that of `npo_tutorial.ga_loss`.
    """
    for _, n in CASES:
        (logp,) = _logp(rng, n)
        mean = np.mean(logp)
        _compare_mean(
            scalar(answer(logp=logp), n),
            mean,
            n,
            {
                "sign": [-mean, -n * mean],
                "probabilities": [np.mean(np.exp(logp)), np.log(np.mean(np.exp(logp)))],
                "logged-twice": [np.nan, np.mean(np.log(-logp))],
            },
        )


@question
def check_dpo_loss(answer: Answer, rng: np.random.Generator) -> None:
    """``dpo_loss(chosen_logp, rejected_logp, ref_chosen_logp, ref_rejected_logp, beta)``: one number.

    L_DPO = −(1/β) E[log σ(β(u_chosen − u_rejected))]. Looks for: the sign, chosen and rejected swapped, a missing or
    inverted prefactor, 2/β, no β in the exponent, no reference, one response only, log-probabilities divided, the mean
    before the logarithm or in a denominator, another base, a sum, no average, overflow.

    Source: arXiv:2305.18290, equation (7), with the 1/β of arXiv:2404.05868, equation (2).
    """
    names = ("chosen_logp", "rejected_logp", "ref_chosen_logp", "ref_rejected_logp")
    for beta, n in CASES:
        arrays = chosen, rejected, ref_chosen, ref_rejected = _logp(rng, n, count=4)
        result = scalar(answer(**dict(zip(names, arrays, strict=True)), beta=beta), n)
        margin = (chosen - ref_chosen) - (rejected - ref_rejected)
        right = _softplus(-beta * margin).mean() / beta

        def given(margin, beta=beta):
            return _softplus(-beta * margin).mean() / beta

        _compare_mean(
            result,
            right,
            n,
            {
                "sign": -right,
                "swapped": given(-margin),
                "factor-missing": right * beta,
                "factor-inverted": right * beta**2,
                "double-factor": 2 * right,
                "beta-missing": [_softplus(-margin).mean() / beta, _softplus(-margin).mean()],
                "reference-not-used": [given(chosen - rejected), given(rejected - chosen)],
                "one-response": [given(chosen - ref_chosen), given(ref_rejected - rejected)],
                "logp-divided": given(chosen / ref_chosen - rejected / ref_rejected),
                "mean-before-log": _softplus(-beta * margin.mean()) / beta,
                "mean-in-denominator": 1 / (beta * _softplus(-beta * margin).mean()),
                "log-base": [right / math.log(10), right / math.log(2)],
                "probabilities": given(np.exp(chosen - ref_chosen) - np.exp(rejected - ref_rejected)),
                "logged-twice": np.nan,
            },
        )
    far = np.array([-1.0, -2000.0])
    for arrays in ((far, far[::-1], far[::-1], far), (far[::-1], far, far, far[::-1])):
        result = scalar(answer(**dict(zip(names, arrays, strict=True)), beta=1.0), 2)
        large = "|β(u_chosen − u_rejected)|"
        compare(result, dpo_loss(*arrays, beta=1.0), {}, otherwise="overflow", large=large)


@question
def check_npo_loss(answer: Answer, rng: np.random.Generator) -> None:
    """``npo_loss(logp, ref_logp, beta)``: the NPO loss, one number, without overflow.

    L_NPO = (2/β) E[log(1 + e^{βu})]. Looks for: the sign, a missing or inverted 2/β, 1/β instead of 2/β, no β in the
    exponent, the log-ratio inverted, no reference, the mean before the logarithm or in a denominator, (n, 1) against
    (n,), the 1 dropped, another base, the centred loss, a sum, no average, a second logarithm, log-probabilities as
    probabilities and the reverse, overflow where |βu| is large.

    Source: arXiv:2404.05868, equation (3).
    """
    for beta, n in CASES:
        logp, ref_logp = _logp(rng, n, count=2)
        result = scalar(answer(logp=logp, ref_logp=ref_logp, beta=beta), n)
        u = logp - ref_logp

        def given(u, beta=beta):
            return 2 / beta * _softplus(beta * u).mean()

        right = given(u)
        _compare_mean(
            result,
            right,
            n,
            {
                "sign": -right,
                "factor-missing": [right * beta / 2, right * beta],
                "factor-inverted": [right * beta**2 / 4, right * beta**2 / 2, right * beta**2],
                "half-factor": right / 2,
                "beta-missing": [2 / beta * _softplus(u).mean(), given(u, 1), given(u, 1) / 2],
                "ratio-inverted": given(-u),
                "reference-not-used": given(logp),
                "mean-before-log": [given(u.mean()), 2 / beta * np.log1p(np.exp(beta * u).mean())],
                "mean-in-denominator": 2 / (beta * _softplus(beta * u).mean()),
                "broadcast": given(logp[:, None] - ref_logp),
                "one-dropped": 2 * u.mean(),
                "log-base": [right / math.log(10), right / math.log(2)],
                "centred": right - 2 / beta * math.log(2),
                "probabilities": [given(np.exp(logp) - np.exp(ref_logp)), given(np.exp(u))],
                "logp-as-probability": 2 / beta * np.log1p((logp / ref_logp) ** beta).mean(),
                "logp-divided": given(logp / ref_logp),
                "logged-twice": np.nan,
            },
        )
    for logp, ref_logp, large in ((-1.0, -2000.0, "|βu|"), (-2000.0, -1.0, "|βu|"), (-2000.0, -2001.0, "|log π|")):
        pair: dict[str, Any] = {"logp": np.array([logp]), "ref_logp": np.array([ref_logp])}
        result = scalar(answer(**pair, beta=1.0), 1)
        # where the loss underflows, 0 is right
        if not (abs(result.value) < 1e-300 and logp < ref_logp):
            compare(result, npo_loss(**pair, beta=1.0), {}, otherwise="overflow", large=large)


@question
def check_npo_weight(answer: Answer, rng: np.random.Generator) -> None:
    """``npo_weight(logp, ref_logp, beta)``: the weight of each sample's gradient, one number each.

    w = 2π_θ^β/(π_θ^β + π_ref^β) = 2σ(βu). Looks for: the missing 2, no β, the log-ratio inverted, a minus in the
    denominator, no reference, an average, log-probabilities as probabilities and the reverse, overflow, and lost digits
    of small weights.

    Source: arXiv:2404.05868, Section 3.2, with a plus between the two powers.
    """
    for beta, n in CASES:
        logp, ref_logp = _logp(rng, n, count=2)
        result = answer(logp=logp, ref_logp=ref_logp, beta=beta)
        if result.value.size == 1:
            raise result.mistake("averaged")
        shaped(result, (n,))
        u = logp - ref_logp
        right = 2 * _sigmoid(beta * u)
        compare(
            result,
            right,
            {
                "two-missing": right / 2,
                "beta-missing": [2 * _sigmoid(u), _sigmoid(u)],
                "ratio-inverted": 2 * _sigmoid(-beta * u),
                "reference-not-used": [2 * _sigmoid(beta * logp), 2 * np.exp(beta * logp)],
                "negated": -right,
                "minus-in-denominator": 2 / (1 - np.exp(-beta * u)),
                "probabilities": [
                    2 * _sigmoid(beta * np.exp(u)),
                    2 * _sigmoid(beta * (np.exp(logp) - np.exp(ref_logp))),
                ],
                "logp-as-probability": [
                    2 * logp / (logp + ref_logp),
                    2 * (-logp) ** beta / ((-logp) ** beta + (-ref_logp) ** beta),
                ],
                "logged-twice": np.full(n, np.nan),
            },
        )
    for logp, ref_logp, hint, details in (
        (-1.0, -2000.0, "overflow", {"large": "|βu|"}),
        (-2000.0, -2001.0, "overflow", {"large": "|log π|"}),
        (-61.0, -1.0, "digits", {"case": "βu = −60"}),
    ):
        pair = {"logp": np.array([logp, logp]), "ref_logp": np.array([ref_logp, ref_logp])}
        compare(answer(**pair, beta=1.0), npo_weight(**pair, beta=1.0), {}, otherwise=hint, **details)


@question
def check_npo_gap(answer: Answer, rng: np.random.Generator) -> None:
    """``npo_gap(logp, ref_logp, beta)``: how far NPO is from gradient ascent, one number.

    [L_NPO − (2/β) log 2] − E[u] = (2/β) E[log cosh(βu/2)], which is about βE[u²]/4 for small β. Looks for: (2/β) log 2
    or E[u] not subtracted, E[log π_θ] instead of E[u], that approximation, the sign, 1/β instead of 2/β, no β in the
    cosh, another base, a sum, lost digits as β → 0, overflow.

    Source: Proposition 1 of arXiv:2404.05868 and its chapter in this course.
    """
    for beta, n in CASES:
        logp, ref_logp = _logp(rng, n, count=2)
        result = scalar(answer(logp=logp, ref_logp=ref_logp, beta=beta), n)
        u = logp - ref_logp
        right, offset = npo_gap(u, beta=beta), 2 / beta * np.log(2)
        _compare_mean(
            result,
            right,
            n,
            {
                "offset-kept": [right + offset, right + offset + u.mean()],
                "limit-kept": right + u.mean(),
                "wrong-limit": [right + u.mean() - logp.mean(), right + offset + u.mean() - logp.mean()],
                "approximation": beta / 4 * np.mean(u**2),
                "negated": -right,
                "factor-missing": [right * beta / 2, right * beta],
                "half-factor": [right / 2, (right + offset + u.mean()) / 2 - offset / 2 - u.mean()],
                "beta-missing": [
                    2 / beta * np.mean(np.log(np.cosh(u / 2))),
                    2 / beta * (_softplus(u).mean() - math.log(2)) - u.mean(),
                ],
                "log-base": [right / math.log(10), right / math.log(2)],
                "mean-before-log": npo_gap([u.mean()], beta=beta),
                "logged-twice": np.nan,
            },
        )
    far = np.array([-1.0, -3000.0])
    for beta, (logp, ref_logp), hint, details in (
        (1e-9, _logp(rng, 5, count=2), "digits", {"case": "β = 10⁻⁹"}),
        (1.0, (far, far[::-1]), "overflow", {"large": "β|u|"}),
    ):
        result = scalar(answer(logp=logp, ref_logp=ref_logp, beta=beta), len(logp))
        compare(result, npo_gap(logp - ref_logp, beta=beta), {}, otherwise=hint, **details)


def _compare_mean(result, right, n, mistakes):
    """`compare` for a mean over n samples: it may be a sum, or n the number of samples of another case."""
    first = CASES[0][1]
    if n != first and close(result.value, right * n / first):
        raise result.mistake("n-written-in", first=first, n=n)
    compare(result, right, {**mistakes, "sum": n * right})


# The reference of moderate cases, as in a textbook; extreme cases are compared with the package.
def _softplus(z):
    return np.log1p(np.exp(z))


def _sigmoid(z):
    return 1 / (1 + np.exp(-z))
