"""The open question: a loss of the student's own that diverges more slowly than NPO."""

from itertools import pairwise

import numpy as np

from npo_tutorial.homework.compare import Mistake, scalar
from npo_tutorial.homework.runner import Answer, question

# The ratio of exp(u) is 2 less 4·10⁻⁸: what is 2 to two digits counts as twice.
AT_LEAST = 1.99


@question
def check_slower_loss(answer: Answer, rng: np.random.Generator) -> None:
    """``slower_loss(logp, ref_logp)``: a loss of one's own that forgets, but diverges more slowly than NPO with β = 1.

    Open-ended: only properties are checked. On several samples the loss is the mean of what it gives on each. By the
    derivative w(u) in log π_θ of a single sample, u nats from the reference: at the reference w > 0; w ≥ 0 for every u
    between −30 and 2; u = −2 is reached in at most a hundred times NPO's time; and from u = −10 to −20 it takes at
    least twice NPO's time, both with equal speed at the start. (Time is that of the exact flow of one sample with
    σ(−m) ≈ 1: ∫ du/w.)

    Source: the question that Theorem 2 of arXiv:2404.05868 leaves open.
    """
    ref_logp = -float(np.round(rng.uniform(2.5, 4), 2))

    def loss(*u: float) -> float:
        result = scalar(answer(logp=ref_logp + np.array(u), ref_logp=np.full(len(u), ref_logp)), len(u))
        if not np.isfinite(result.value):
            raise result.mistake("nan")
        return float(result.value)

    _check_mean(loss)
    at_start = _slope(loss, 0.0)
    if at_start <= 0:
        raise Mistake("does-not-forget")
    # not evenly spaced: between the points of a grid a loss could teach unseen
    depths = np.sort(rng.uniform(-30, 2, 640))
    for (u, low), (v, high) in pairwise([(u, loss(u)) for u in depths]):
        if high < low - 1e-6 * at_start * (v - u) - _rounding(low, high):
            raise Mistake("teaches", low=u, high=v)

    def times_longer(start, end):
        """Time from one depth to another, over that of NPO."""
        depths = np.linspace(start, end, 101)
        npo = 2 / (1 + np.exp(-depths))
        own = np.array([max(_slope(loss, u), 0.0) for u in depths]) / at_start
        return np.sum(1 / own) / np.sum(1 / npo)

    if times_longer(0, -2) > 100:
        raise Mistake("stops-early")
    if (ratio := times_longer(-10, -20)) < AT_LEAST:
        raise Mistake("not-slower", ratio=ratio)


def _check_mean(loss):
    """Two samples, then three."""
    for depths in ((-1.0, 0.0), (-2.5, -1.0, 0.5)):
        together, alone = loss(*depths), [loss(u) for u in depths]
        tolerance = 1e-4 * max(map(abs, alone))
        if abs(together - np.mean(alone)) > tolerance:
            raise Mistake("sum" if abs(together - sum(alone)) <= tolerance else "not-the-mean", n=len(depths))


def _slope(loss, u, step=1e-3):
    low, high = loss(u - step), loss(u + step)
    return (high - low) / (2 * step) if abs(high - low) > _rounding(low, high) else 0.0


def _rounding(low, high):
    """Differences of two losses up to this size may be rounding: more where the loss may be in float32."""
    single = low == np.float32(low) and high == np.float32(high)
    return (1e-6 if single else 1e-13) * max(abs(low), abs(high))
