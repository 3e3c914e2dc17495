"""Questions on the losses: gradient ascent, DPO, NPO, its weight, and Proposition 4.1.

In the formulas u = log π_θ − log π_ref is the log-ratio of a sample, in nats, and E the mean over the n samples.
"""

import numpy as np

from npo_tutorial.homework.examination import Mistake, compare, question, scalar, shaped
from npo_tutorial.losses import dpo_loss, npo_loss, npo_weight
from npo_tutorial.theory import npo_gap

N = 5
# Moderate, and neither 1 nor 2: a missing factor must show.
BETAS = (0.3, 1.7)


def _logp(rng, *, count=1):
    """Log-probabilities of two decimals: short enough to be typed."""
    return np.round(rng.uniform(-4, -0.1, (count, N)), 2)


@question
def check_ga_loss(answer, rng):
    """``ga_loss(logp)``: the gradient-ascent loss E[log π_θ], one number.

    Looks for: the sign, a sum for the mean, no average, probabilities for log-probabilities, a second logarithm.

    Source: arXiv:2404.05868, Section 2; the convention is that of `npo_tutorial.ga_loss`.
    """
    (logp,) = _logp(rng)
    got = scalar(answer(logp=logp), N)
    compare(
        got,
        np.mean(logp),
        {
            "sign": [-np.mean(logp), -np.sum(logp)],
            "sum": np.sum(logp),
            "probabilities": [np.mean(np.exp(logp)), np.log(np.mean(np.exp(logp)))],
            "logged-twice": [np.nan, np.mean(np.log(-logp))],
        },
    )


@question
def check_dpo_loss(answer, rng):
    """``dpo_loss(chosen_logp, rejected_logp, ref_chosen_logp, ref_rejected_logp, beta)``: one number.

    L_DPO = −(1/β) E[log σ(β(u_chosen − u_rejected))]. Looks for: the sign, chosen and rejected swapped, a missing
    1/β, 2/β, no reference, one response only, the mean before the logarithm, a sum, no average, overflow.

    Source: arXiv:2305.18290, equation (7), with the 1/β of arXiv:2404.05868, equation (2).
    """
    names = ("chosen_logp", "rejected_logp", "ref_chosen_logp", "ref_rejected_logp")
    for beta in BETAS:
        arrays = chosen, rejected, ref_chosen, ref_rejected = _logp(rng, count=4)
        got = scalar(answer(**dict(zip(names, arrays, strict=True)), beta=beta), N)
        margin = (chosen - ref_chosen) - (rejected - ref_rejected)
        right = _softplus(-beta * margin).mean() / beta

        def given(margin, beta=beta):
            return _softplus(-beta * margin).mean() / beta

        compare(
            got,
            right,
            {
                "sign": -right,
                "swapped": given(-margin),
                "factor-missing": right * beta,
                "double-factor": 2 * right,
                "reference-not-used": [given(chosen - rejected), given(rejected - chosen)],
                "one-response": [given(chosen - ref_chosen), given(ref_rejected - rejected)],
                "mean-before-log": _softplus(-beta * margin.mean()) / beta,
                "sum": N * right,
                "probabilities": given(np.exp(chosen - ref_chosen) - np.exp(rejected - ref_rejected)),
                "logged-twice": np.nan,
            },
        )
    far = np.array([-1.0, -2000.0])
    for arrays in ((far, far[::-1], far[::-1], far), (far[::-1], far, far, far[::-1])):
        got = scalar(answer(**dict(zip(names, arrays, strict=True)), beta=1.0), 2)
        compare(got, dpo_loss(*arrays, beta=1.0), {}, otherwise="overflow")


@question
def check_npo_loss(answer, rng):
    """``npo_loss(logp, ref_logp, beta)``: the NPO loss, one number, without overflow.

    L_NPO = (2/β) E[log(1 + e^{βu})]. Looks for: the sign, a missing 2/β, 1/β for 2/β, the log-ratio inverted, no
    reference, the mean before the logarithm, (n, 1) against (n,), the 1 dropped, a sum, no average, a second logarithm,
    probabilities for log-probabilities, overflow where |βu| is large.

    Source: arXiv:2404.05868, equation (3).
    """
    for beta in BETAS:
        logp, ref_logp = _logp(rng, count=2)
        got = scalar(answer(logp=logp, ref_logp=ref_logp, beta=beta), N)
        u = logp - ref_logp
        right = 2 / beta * _softplus(beta * u).mean()
        compare(
            got,
            right,
            {
                "sign": -right,
                "factor-missing": right * beta / 2,
                "half-factor": right / 2,
                "ratio-inverted": 2 / beta * _softplus(-beta * u).mean(),
                "reference-not-used": 2 / beta * _softplus(beta * logp).mean(),
                "mean-before-log": [
                    2 / beta * _softplus(beta * u.mean()),
                    2 / beta * np.log1p(np.exp(beta * u).mean()),
                ],
                "broadcast": 2 / beta * _softplus(beta * (logp[:, None] - ref_logp)).mean(),
                "one-dropped": 2 * u.mean(),
                "sum": N * right,
                "probabilities": [
                    2 / beta * _softplus(beta * (np.exp(logp) - np.exp(ref_logp))).mean(),
                    2 / beta * _softplus(beta * np.exp(u)).mean(),
                ],
                "logged-twice": [np.nan, 2 / beta * np.log1p((logp / ref_logp) ** beta).mean()],
            },
        )
    for logp, ref_logp in ((-1.0, -2000.0), (-2000.0, -1.0), (-2000.0, -2001.0)):
        pair = {"logp": np.array([logp]), "ref_logp": np.array([ref_logp])}
        # where the loss underflows, nothing is wrong with 0
        got = scalar(answer(**pair, beta=1.0), 1)
        if not (abs(got) < 1e-300 and logp < ref_logp):
            compare(got, npo_loss(**pair, beta=1.0), {}, otherwise="overflow")


@question
def check_npo_weight(answer, rng):
    """``npo_weight(logp, ref_logp, beta)``: the weight of each sample's gradient, one number each.

    w = 2π_θ^β/(π_θ^β + π_ref^β) = 2σ(βu). Looks for: the missing 2, the log-ratio inverted, no reference, an average,
    probabilities, overflow, and lost digits of small weights.

    Source: arXiv:2404.05868, Section 3.2, with a plus between the two powers.
    """
    for beta in BETAS:
        logp, ref_logp = _logp(rng, count=2)
        got = answer(logp=logp, ref_logp=ref_logp, beta=beta)
        if got.size == 1:
            raise Mistake("averaged")
        shaped(got, (N,))
        u = logp - ref_logp
        right = 2 * _sigmoid(beta * u)
        compare(
            got,
            right,
            {
                "two-missing": right / 2,
                "ratio-inverted": 2 * _sigmoid(-beta * u),
                "reference-not-used": [2 * _sigmoid(beta * logp), 2 * np.exp(beta * logp)],
                "sign": [-right, 2 * np.exp(beta * logp) / (np.exp(beta * logp) - np.exp(beta * ref_logp))],
                "factor-missing": [2 * _sigmoid(u)],
                "probabilities": [
                    2 * np.exp(logp) ** beta / (np.exp(logp) ** beta + ref_logp**2),
                    2 * _sigmoid(beta * np.exp(u)),
                ],
                "logged-twice": [
                    np.full(N, np.nan),
                    2 * logp**2 / (logp**2 + ref_logp**2),
                    2 * logp / (logp + ref_logp),
                ],
            },
        )
    for logp, ref_logp, hint in ((-1.0, -2000.0, "overflow"), (-2000.0, -2001.0, "overflow"), (-61.0, -1.0, "digits")):
        pair = {"logp": np.array([logp, logp]), "ref_logp": np.array([ref_logp, ref_logp])}
        compare(answer(**pair, beta=1.0), npo_weight(**pair, beta=1.0), {}, otherwise=hint)


@question
def check_npo_gap(answer, rng):
    """``npo_gap(logp, ref_logp, beta)``: how far NPO is from gradient ascent, one number.

    [L_NPO − (2/β) log 2] − E[u] = (2/β) E[log cosh(βu/2)], which is about βE[u²]/4 for small β. Looks for: (2/β) log 2
    or E[u] not subtracted, E[log π_θ] for E[u], the sign, 1/β for 2/β, a sum, lost digits as β → 0, overflow.

    Source: Proposition 1 of arXiv:2404.05868 and its chapter in this course.
    """
    for beta in BETAS:
        logp, ref_logp = _logp(rng, count=2)
        got = scalar(answer(logp=logp, ref_logp=ref_logp, beta=beta), N)
        u = logp - ref_logp
        right, offset = npo_gap(u, beta=beta), 2 / beta * np.log(2)
        compare(
            got,
            right,
            {
                "offset-kept": [right + offset, right + offset + u.mean()],
                "limit-kept": right + u.mean(),
                "wrong-limit": [right + u.mean() - logp.mean(), right + offset + u.mean() - logp.mean()],
                "sign": -right,
                "factor-missing": right * beta / 2,
                "half-factor": [right / 2, (right + offset + u.mean()) / 2 - offset / 2 - u.mean()],
                "sum": N * right,
                "mean-before-log": npo_gap([u.mean()], beta=beta),
            },
        )
    far = np.array([-1.0, -3000.0])
    for beta, (logp, ref_logp), hint in ((1e-9, _logp(rng, count=2), "digits"), (1.0, (far, far[::-1]), "overflow")):
        got = scalar(answer(logp=logp, ref_logp=ref_logp, beta=beta), len(logp))
        compare(got, npo_gap(logp - ref_logp, beta=beta), {}, otherwise=hint)


# The reference of moderate cases, in the words of a textbook; extreme cases are compared with the package.
def _softplus(z):
    return np.log1p(np.exp(z))


def _sigmoid(z):
    return 1 / (1 + np.exp(-z))
