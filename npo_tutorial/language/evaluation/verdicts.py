"""From values of single questions to a verdict: bootstrap intervals, and the comparison with the retrained model."""

from collections.abc import Callable, Mapping
from typing import Any, Literal, NamedTuple

import numpy as np

from npo_tutorial._checks import check_count, check_finite_array, check_real

Outcome = Literal["too_little", "as_retrained", "too_much", "not_too_little", "undecided", "nothing_to_forget"]
Overall = Literal["too_little", "as_retrained", "too_much", "both", "undecided", "nothing_to_forget"]
LEVEL, RESAMPLES = 0.95, 2000
# how far from the retrained model still counts as about the same: this share of the way back to the model before
MARGIN = 0.1


class Interval(NamedTuple):
    """A mean over questions, and where it may lie for other questions of the same kind."""

    mean: float
    low: float
    high: float


class Verdict(NamedTuple):
    """Result of `compare`."""

    outcome: Outcome
    """"too_little", "as_retrained" or "too_much"; "not_too_little" for the last two if `shows_too_much` is False;
    "undecided" if the interval is too wide; "nothing_to_forget" if training on the forget set did not raise the metric.
    """
    difference: Interval
    """Mean of model − retrained, in the unit of the metric; positive if more is remembered."""
    margin: float
    """Differences up to this one count as none."""


def bootstrap_interval(values: Any, *, level: float = LEVEL, seed: int = 0) -> Interval:
    """The mean over questions with a bootstrap interval.

    Questions are drawn with replacement 2,000 times; the interval has the middle share `level` of the means. It says
    how much the mean depends on which questions were asked, not how much another training run would change it, and it
    takes questions as independent: ten questions about one person tell less than ten about ten.

    Source: Efron, "Bootstrap methods" (1979), the percentile interval; computed by `scipy.stats.bootstrap`.

    Parameters
    ----------
    values : (n,) array
        One value for each of n ≥ 2 questions.
    level : float
        Between 0 and 1.
    seed : int

    Examples
    --------
    >>> print("{:.2f} [{:.2f}, {:.2f}]".format(*bootstrap_interval([0.0, 1.0, 1.0, 1.0])))
    0.75 [0.25, 1.00]
    """
    return interval_of(np.mean, check_finite_array("values", values, ndim=1), level=level, seed=seed)


def interval_of(
    statistic: Callable[..., Any], *samples: Any, paired: bool = False, level: float = LEVEL, seed: int = 0
) -> Interval:
    """A statistic and its bootstrap interval; paired samples are drawn together. It needs an argument ``axis``."""
    from scipy import stats

    level = check_real("level", level)
    if not 0 < level < 1:
        raise ValueError(f"level must be between 0 and 1, got {level!r}")
    for sample in samples:
        if len(sample) < 2:
            raise ValueError("an interval needs at least 2 questions, got 1: another question might change everything")
    options: dict[str, Any] = {"paired": paired, "vectorized": True, "method": "percentile"}
    # the older of its two names, which every version of SciPy knows
    options["random_state"] = np.random.default_rng(check_count("seed", seed, minimum=0))
    # some statistics compare every question with every other: a few resamples at a time
    found = stats.bootstrap(samples, statistic, n_resamples=RESAMPLES, confidence_level=level, batch=100, **options)
    low, high = found.confidence_interval
    return Interval(float(statistic(*samples, axis=-1)), float(low), float(high))


def compare(
    model: Any,
    retrained: Any,
    before: Any,
    *,
    shows_too_much: bool = True,
    level: float = LEVEL,
    seed: int = 0,
) -> Verdict:
    """Has a model forgotten too little, too much, or about as much as the model that never saw the data?

    The difference d = model − retrained is taken question by question, so that hard questions do not widen its
    interval. With the margin m = 0.1 · |mean of before − retrained|, a tenth of what there was to forget, the outcome
    is

    - "too_little" if the interval of d lies above m,
    - "too_much" if it lies below −m,
    - "as_retrained" if it lies within [−m, m],
    - "undecided" if it crosses one of these borders: ask more questions.

    "undecided" is an outcome of its own, because with few questions every model would otherwise pass as forgotten.

    Convention: a **larger value means that more is remembered**. Some metrics do not fall below the retrained model's
    when a model is destroyed, as the truth ratio, for which a ruined model prefers neither answer. For them
    `shows_too_much` is False, and the outcome is "not_too_little" if the interval ends below m.

    Parameters
    ----------
    model, retrained, before : (n,) array
        A metric of the same n ≥ 2 questions: of the model to be judged, of the one trained without the forget set, and
        of the one before unlearning.
    shows_too_much : bool
    level, seed
        As for `bootstrap_interval`.

    Examples
    --------
    >>> before, retrained = [-0.1, -0.2, -0.1, -0.1], [-2.0, -2.5, -1.8, -2.2]
    >>> compare([-1.0, -1.2, -0.9, -1.1], retrained, before).outcome
    'too_little'
    >>> compare([-2.1, -2.4, -1.8, -2.1], retrained, before).outcome
    'as_retrained'
    >>> compare([-9.0, -8.0, -7.0, -9.5], retrained, before).outcome
    'too_much'
    """
    given = {"model": model, "retrained": retrained, "before": before}
    arrays = {name: check_finite_array(name, values, ndim=1) for name, values in given.items()}
    for name, values in arrays.items():
        if len(values) != len(arrays["model"]):
            raise ValueError(
                f"{name} must have a value for each question of model, {len(arrays['model'])}, got {len(values)}"
            )
    difference = bootstrap_interval(arrays["model"] - arrays["retrained"], level=level, seed=seed)
    learnt = bootstrap_interval(arrays["before"] - arrays["retrained"], level=level, seed=seed)
    margin = MARGIN * abs(learnt.mean)
    return Verdict(_outcome(difference, learnt, margin, shows_too_much), difference, margin)


def _outcome(difference: Interval, learnt: Interval, margin: float, shows_too_much: bool) -> Outcome:
    if learnt.low <= 0:
        return "nothing_to_forget"
    if difference.low > margin:
        return "too_little"
    if not shows_too_much:
        return "not_too_little" if difference.high <= margin else "undecided"
    if difference.high < -margin:
        return "too_much"
    return "as_retrained" if -margin <= difference.low and difference.high <= margin else "undecided"


def combine(outcomes: Mapping[str, Outcome]) -> Overall:
    """One outcome for all metrics of a set; `logp_per_token` decides what no other contradicts.

    Parameters
    ----------
    outcomes : dict
        Outcomes of `compare` by the names of metrics.

    Returns
    -------
    str
        "both" if one metric says that too little is forgotten and another that too much is: the answer as it was taught
        may have become improbable, while what it says is still preferred to what is false.
    """
    found = set(outcomes.values())
    if {"too_little", "too_much"} <= found:
        return "both"
    for outcome in ("too_little", "too_much"):
        if outcome in found:
            return outcome
    if outcomes.get("logp_per_token") in ("as_retrained", "nothing_to_forget"):
        return outcomes["logp_per_token"]  # type: ignore[return-value]
    return "undecided"
