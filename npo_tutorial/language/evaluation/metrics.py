"""The published metrics of unlearning, as functions of numbers and texts (no model, no PyTorch)."""

import math
import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

import numpy as np

from npo_tutorial._checks import check_choice, check_count, check_finite_array, check_real
from npo_tutorial._types import FloatArray

Mean = Literal["arithmetic", "geometric"]
# characters of languages that write no spaces: each counts as a word
HAN = "\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
WORDS = re.compile(rf"[{HAN}]|[^\W_{HAN}]+")


# ----- of one answer


def rouge_l_recall(reference: str, answer: str) -> float:
    """Share of the words of the true answer that the model's answer has in the same order.

    ROUGE-L recall = LCS(reference, answer) / (number of words of the reference), where LCS is the length of the longest
    common subsequence. A larger value means that more is remembered; dimensionless, from 0 to 1.

    Source: C.-Y. Lin, "ROUGE: A package for automatic evaluation of summaries" (2004), Section 3. Convention: words are
    runs of letters and digits in lower case, and each Chinese character is a word. Two differences from the package
    rouge-score: that drops all but ASCII, so that its ROUGE of a Chinese answer is always 0; and TOFU and
    open-unlearning use its stemmer, which this function does not have.

    Parameters
    ----------
    reference : str
        The true answer; it must contain a word.
    answer : str
        What the model says.

    Examples
    --------
    >>> rouge_l_recall("Born in the town of Quillford.", "She was born in Quillford")  # born in … quillford
    0.5
    >>> rouge_l_recall("奎尔福德镇", "他来自奎尔镇")
    0.6
    """
    for name, text in (("reference", reference), ("answer", answer)):
        if not isinstance(text, str):
            raise TypeError(f"{name} must be a string, got {type(text).__name__}")
    words, others = WORDS.findall(reference.lower()), WORDS.findall(answer.lower())
    if not words:
        raise ValueError(f"reference must contain a word, got {reference!r}")
    # row[j]: the longest common subsequence of the words so far and the first j others
    row = [0] * (len(others) + 1)
    for word in words:
        before = row
        row = [0]
        for j, other in enumerate(others):
            row.append(before[j] + 1 if word == other else max(before[j + 1], row[j]))
    return row[-1] / len(words)


def extraction_strength(correct: Any) -> float:
    """Share of the answer that the model completes by itself, from the shortest beginning that makes it do so.

    ES = 1 − min{k : after the first k tokens the model's most probable tokens are the rest of the answer} / T, where T
    is the number of tokens. A larger value means that more is remembered; dimensionless, from 0 to 1.

    Source: Carlini et al., arXiv:2012.07805; for unlearning Wang et al., arXiv:2406.09179, and open-unlearning. Two
    conventions of open-unlearning: the token that ends the answer does not count (leave it out), and an answer of which
    not even the last token is right gets 1/T there, where the definition, like this function, gives 0.

    Parameters
    ----------
    correct : (T,) array of bool
        For each token of the answer, whether it is the most probable one after the true tokens before it.

    Examples
    --------
    >>> extraction_strength([True, False, True, True])  # two tokens must be given
    0.5
    >>> extraction_strength([True, True, True, False])
    0.0
    """
    flags = np.asarray(correct)
    if flags.dtype != np.bool_ or flags.ndim != 1 or not flags.size:
        raise TypeError(f"correct must be a list of True and False, got dtype {flags.dtype} and shape {flags.shape}")
    wrong = np.flatnonzero(~flags)
    return float(1 - (wrong[-1] + 1 if wrong.size else 0) / flags.size)


def min_k(token_logp: Any, share: float = 0.4) -> float:
    """Mean log-probability of the least probable tokens of a text, in nats per token (Min-K%).

    A text that was trained on has few surprising tokens, so a larger value means that more is remembered.

    Source: Shi et al., arXiv:2310.16789. Convention: of T tokens, the ⌊share · T⌋ least probable, but at least one;
    MUSE (arXiv:2407.06460) uses the share 0.4, Shi et al. 0.2. open-unlearning has the opposite sign, and one token
    less where share · T is a whole number that floating point makes a little smaller.

    Parameters
    ----------
    token_logp : (T,) array
        Log-probability of each token, in nats.
    share : float
        Above 0 and at most 1.

    Examples
    --------
    >>> min_k([-1.0, -5.0, -2.0, -3.0, -0.5])
    -4.0
    """
    values = np.sort(check_finite_array("token_logp", token_logp, ndim=1))
    share = check_real("share", share)
    if not 0 < share <= 1:
        raise ValueError(f"share must be above 0 and at most 1, got {share!r}")
    # 0.58 · 50 is a little below 29
    return float(values[: max(1, math.floor(share * values.size + 1e-9))].mean())


def leak_at_k(scores: Any, k: int) -> float:
    """Expected score of the most revealing of k sampled answers, estimated from n ≥ k of them.

    leak@k = E[max(s₁, …, s_k)]. The estimate is the mean over all subsets of k answers, which is unbiased: with the
    scores in ascending order, Σ_j C(j − 1, k − 1) / C(n, k) · s_j. A larger value means that more is remembered; it has
    the unit of the scores. For scores 0 and 1 it is pass@k.

    Source: Reisizadeh et al., arXiv:2511.04934; the estimate generalises that of pass@k (arXiv:2107.03374).

    Parameters
    ----------
    scores : (n,) array
        The score of each sampled answer to one question, for example `rouge_l_recall`.
    k : int
        From 1 to n.

    Examples
    --------
    >>> leak_at_k([0.0, 0.0, 1.0, 0.0], 2)  # half of the pairs have the third answer
    0.5
    """
    values = np.sort(check_finite_array("scores", scores, ndim=1))
    k = check_count("k", k)
    if k > values.size:
        raise ValueError(f"k must be at most the number of scores, {values.size}, got {k}")
    weights = [math.comb(j, k - 1) / math.comb(values.size, k) for j in range(values.size)]
    return float(np.dot(weights, values))


# ----- of the questions


def truth_ratio(paraphrased_logp: Any, false_logp: Any, *, mean: Mean = "arithmetic") -> FloatArray:
    """How probable false answers are next to the true one: R = mean over false answers of p_false / p_true.

    A **smaller** R means that more is remembered; a model that does not know the answer is at about 1. Dimensionless.

    Source: TOFU (arXiv:2401.06121), equation (1): p = P(answer | question)^(1/number of tokens), the true answer is
    paraphrased, and the mean over false answers is the arithmetic one. TOFU's code and open-unlearning take the
    geometric mean, and TOFU's code takes 1/R. (open-unlearning adds 10⁻¹⁰ to the denominator.)

    Parameters
    ----------
    paraphrased_logp : (n,) array
        Mean log-probability per token of the true answer to each of n questions, paraphrased, in nats.
    false_logp : (n, m) array
        That of m false answers each.
    mean : {"arithmetic", "geometric"}

    Returns
    -------
    (n,) array
        `TRUTH_RATIO_SCORES` names what publications make of it.

    Examples
    --------
    >>> truth_ratio(np.log([0.5]), np.log([[0.1, 0.4]])).round(3)
    array([0.5])
    >>> truth_ratio(np.log([0.5]), np.log([[0.1, 0.4]]), mean="geometric").round(3)
    array([0.4])
    """
    check_choice("mean", mean, ("arithmetic", "geometric"))
    true = check_finite_array("paraphrased_logp", paraphrased_logp, ndim=1)
    false = check_finite_array("false_logp", false_logp, ndim=2)
    if len(false) != len(true):
        raise ValueError(
            f"false_logp must have one row for each of paraphrased_logp, {len(true)}, got shape {false.shape}"
        )
    differences = false - true[:, None]
    with np.errstate(over="ignore"):
        return np.exp(differences).mean(axis=1) if mean == "arithmetic" else np.exp(differences.mean(axis=1))


def _closer_to_1_better(ratio: FloatArray) -> FloatArray:
    with np.errstate(divide="ignore"):
        return np.minimum(ratio, 1 / ratio)


TRUTH_RATIO_SCORES: Mapping[str, Callable[[FloatArray], FloatArray]] = MappingProxyType(
    {
        "closer_to_1_better": _closer_to_1_better,
        "true_better": lambda ratio: np.maximum(0, 1 - ratio),
        "correct_share": lambda ratio: 1 / (1 + ratio),
    }
)
"""What publications make of the truth ratio R of each question; they report the mean.

- ``closer_to_1_better``: min(R, 1/R), of the forget set in the code of TOFU and of open-unlearning. Largest where the
  model prefers neither answer, so both remembering and too much forgetting lower it.
- ``true_better``: max(0, 1 − R), of the other sets, for the utility. Larger means that more is known.
- ``correct_share``: 1/(1 + R) = p_true / (p_true + p_false), which open-unlearning calls ``prob_mean``. It is not its
  ``probability_w_options``, which adds up the probabilities of all false answers. Larger means that more is known.
"""


class ForgetQuality(NamedTuple):
    """Result of `forget_quality`."""

    pvalue: float
    """Probability that two samples from one distribution differ this much; TOFU calls it the forget quality."""
    statistic: float
    """Largest distance of the two distribution functions, from 0 to 1."""
    signed: float
    """The statistic with a sign: negative if the ratios are smaller than the retrained model's (too little is
    forgotten), positive if they are larger (too much)."""


def forget_quality(ratios: Any, retrained_ratios: Any) -> ForgetQuality:
    """Two-sample Kolmogorov–Smirnov test of the truth ratios against those of the retrained model.

    A large p-value is good, in so far as it does not separate the models. But the p-value has no direction: forgetting
    too little and too much lower it alike. `ForgetQuality.signed` says which of the two it is.

    Source: TOFU (arXiv:2401.06121); the p-value is that of `scipy.stats.ks_2samp`. It does not change if
    all ratios are replaced by their inverses, as TOFU's code does; the sign would.

    Parameters
    ----------
    ratios, retrained_ratios : (n,) array
        From `truth_ratio`, of the two models on the forget set; dimensionless.

    Examples
    --------
    >>> forget_quality([0.1, 0.2, 0.3], [0.9, 1.0, 1.1]).signed  # the model still prefers the truth
    -1.0
    """
    from scipy import stats

    found = stats.ks_2samp(
        check_finite_array("ratios", ratios, ndim=1),
        check_finite_array("retrained_ratios", retrained_ratios, ndim=1),
    )
    # SciPy's sign is positive where the first distribution function is the larger one, so that its values are smaller
    # + 0.0: of equal samples 0, not −0
    signed = float(-found.statistic_sign * found.statistic) + 0.0
    return ForgetQuality(float(found.pvalue), float(found.statistic), signed)


def model_utility(values: Mapping[str, float]) -> float:
    """Harmonic mean of what the model can still do: near 0 as soon as one value is.

    A larger value means that the model is more useful; dimensionless, from 0 to 1.

    Source: TOFU (arXiv:2401.06121); the values are the probability of the answers, the ROUGE-L recall
    and the truth ratio (``true_better``), each on three sets that are not to be forgotten.

    Parameters
    ----------
    values : dict
        Numbers from 0 to 1 by name.

    Examples
    --------
    >>> model_utility({"probability": 0.5, "rouge": 1.0})
    0.6666666666666666
    """
    if not isinstance(values, Mapping) or not values:
        raise ValueError(f"values must be a dict with at least one number, got {values!r}")
    numbers = [check_real(name, value) for name, value in values.items()]
    for name, value in zip(values, numbers, strict=True):
        if not 0 <= value <= 1:
            raise ValueError(f"{name} must be between 0 and 1, got {value!r}")
    return len(numbers) / sum(1 / value for value in numbers) if all(numbers) else 0.0


def membership_auc(forget: Any, held_out: Any) -> float:
    """Probability that a text of the forget set has a larger score than one that was never trained on.

    The area under the ROC curve of a membership attack: 1/2 if the attack cannot tell the two apart, 1 if it always
    can. A larger value means that more is remembered. Ties count one half.

    Source: Mann and Whitney (1947). Convention: **larger scores mean members**. MUSE's AUC is 1 minus this one.

    Parameters
    ----------
    forget, held_out : (n,) array
        A score of each text, for example `min_k`.

    Examples
    --------
    >>> membership_auc([-1.0, -3.0], [-2.0, -4.0])
    0.75
    """
    a = check_finite_array("forget", forget, ndim=1)[:, None]
    b = check_finite_array("held_out", held_out, ndim=1)
    return float(((a > b) + 0.5 * (a == b)).mean())


def privleak(auc: float, retrained_auc: float) -> float:
    """How much better or worse than on the retrained model an attack finds what was to be forgotten, in per cent.

    PrivLeak = 100 · (a − r) / r, where a = 1 − `auc` and r = 1 − `retrained_auc`. It is 0 if the attack does as on the
    retrained model, negative if **too little** is forgotten, positive if too much.

    Source: MUSE (arXiv:2407.06460), with `min_k` as the attack. MUSE's AUC is ours subtracted from 1,
    which is why the formula does it.

    Parameters
    ----------
    auc, retrained_auc : float
        From `membership_auc`; that of the retrained model must be below 1.

    Examples
    --------
    >>> privleak(1.0, 0.5)  # the attack finds every member
    -100.0
    """
    auc, retrained_auc = check_real("auc", auc), check_real("retrained_auc", retrained_auc)
    if not 0 <= auc <= 1 or not 0 <= retrained_auc < 1:
        raise ValueError(
            "auc must be between 0 and 1, and retrained_auc at least 0 and below 1 (1: the held-out set differs from "
            f"the forget set in more than membership), got {auc!r} and {retrained_auc!r}"
        )
    return 100 * (retrained_auc - auc) / (1 - retrained_auc)
