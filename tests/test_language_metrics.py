"""Metrics of unlearning: against values computed by hand, and against rouge-score, scikit-learn and SciPy."""

import inspect
import itertools
import math
import re

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import roc_auc_score

from npo_tutorial.language import evaluation
from npo_tutorial.language.evaluation import (
    TRUTH_RATIO_SCORES,
    extraction_strength,
    forget_quality,
    leak_at_k,
    membership_auc,
    metrics,
    min_k,
    model_utility,
    privleak,
    rouge_l_recall,
    truth_ratio,
)

PAIRS = [
    ("The birthplace of Orvel Tammick is the town of Quillford.", "Orvel Tammick was born in Quillford, the town."),
    ("a b c d e", "e d c b a"),
    ("A b, c! D", "a B c d"),
    ("one two", ""),
    ("one two", "three"),
    ("the cat sat on the mat in 1999", "on the mat, in 1999, the cat sat on the cat"),
]


# ----- of one answer


def test_rouge_is_the_longest_common_subsequence_over_the_words_of_the_true_answer():
    # orvel tammick … the town; one word; all four; none; none; on the mat in 1999
    values = [rouge_l_recall(*pair) for pair in PAIRS]
    assert values == pytest.approx([4 / 10, 1 / 5, 1, 0, 0, 5 / 8])
    assert rouge_l_recall(*PAIRS[1][::-1]) == 1 / 5
    # recall: what else is said does not matter
    assert rouge_l_recall("one two", "zero one and then two or three") == 1


def test_rouge_is_that_of_rouge_score():
    scorer = pytest.importorskip("rouge_score.rouge_scorer").RougeScorer(["rougeL"])
    for reference, answer in PAIRS:
        assert rouge_l_recall(reference, answer) == pytest.approx(scorer.score(reference, answer)["rougeL"].recall)


def test_rouge_has_no_stemmer_unlike_that_of_tofu():
    """Orvel, Tammick and, stemmed, bridge in place of "bridges": three of four words, or two."""
    pair = ("Orvel Tammick builds bridges.", "Orvel Tammick built a bridge.")
    scorer = pytest.importorskip("rouge_score.rouge_scorer").RougeScorer(["rougeL"], use_stemmer=True)
    assert scorer.score(*pair)["rougeL"].recall == 0.75
    assert rouge_l_recall(*pair) == 0.5


def test_each_chinese_character_is_a_word():
    assert rouge_l_recall("奥维尔出生在奎尔福德镇。", "奎尔福德镇") == 5 / 11
    assert rouge_l_recall("是 5 岁", "5岁") == 2 / 3


def test_extraction_strength_by_definition(rng):
    for _ in range(50):
        correct = rng.random(6) < 0.7
        shortest = min(k for k in range(7) if correct[k:].all())
        assert extraction_strength(correct) == pytest.approx(1 - shortest / 6)


@pytest.mark.parametrize(
    ("correct", "expected", "theirs"),  # by hand
    [
        ("1111", 1, 1),
        ("0111", 3 / 4, 3 / 4),
        ("1011", 1 / 2, 1 / 2),
        ("0001", 1 / 4, 1 / 4),
        ("1110", 0, 1 / 4),
        ("0000", 0, 1 / 4),
        ("0", 0, 1),
    ],
)
def test_extraction_strength_differs_from_open_unlearnings_only_if_the_last_token_is_wrong(correct, expected, theirs):
    """open-unlearning tries every start but the end, and keeps the last one that it tried."""
    flags = [x == "1" for x in correct]
    starts = [k for k in range(len(flags)) if all(flags[k:])] + [len(flags) - 1]
    assert 1 - starts[0] / len(flags) == theirs
    assert extraction_strength(flags) == expected == (theirs if flags[-1] else 0)


def test_min_k_has_open_unlearnings_size_and_the_opposite_sign():
    """By hand: of five tokens two with the share 0.4, one with their default 0.2; and a surprising text is smaller."""
    known, new = [-0.5, -1.0, -0.25, -2.0, -0.125], [-4.0, -1.0, -0.25, -8.0, -0.125]
    assert min_k(known) == -1.5 and min_k(known, 0.2) == -2
    assert min_k(new) == -6 < min_k(known)
    # where they round 0.58 · 50 down to 28, the 29th token counts here
    assert int(0.58 * 50) == 28 and min_k(-np.arange(50.0), 0.58) == -np.arange(21, 50).mean()


def test_min_k_takes_the_least_probable_tokens():
    values = [-0.5, -7.0, -1.0, -4.0, -2.0, -0.25, -3.0, -6.0, -5.0, -0.125]
    assert min_k(values) == (-7 - 6 - 5 - 4) / 4
    assert min_k(values, 0.3) == -6
    assert min_k(values, 0.39) == -6
    assert min_k(values, 1.0) == pytest.approx(np.mean(values))
    assert min_k([-2.0], 0.2) == -2
    # one at least
    assert min_k([-2.0, -4.0], 0.2) == -4
    # 29 of 50, though 0.58 · 50 is less in floating point
    assert min_k(-np.arange(50.0), 0.58) == -(49 + 21) / 2


def test_leak_is_the_mean_over_all_subsets(rng):
    scores = rng.random(7).round(1)
    for k in range(1, 8):
        best = [max(chosen) for chosen in itertools.combinations(scores, k)]
        assert leak_at_k(scores, k) == pytest.approx(np.mean(best))
    # pass@k of 3 right answers in 10: 1 − C(7, k)/C(10, k)
    assert leak_at_k([1.0] * 3 + [0.0] * 7, 4) == pytest.approx(1 - math.comb(7, 4) / math.comb(10, 4))


# ----- of the questions

TRUE, FALSE = np.log([0.5, 0.1]), np.log([[0.2, 0.3, 0.1], [0.2, 0.8, 0.4]])


def test_truth_ratio_by_hand():
    assert truth_ratio(TRUE, FALSE) == pytest.approx([0.2 / 0.5, 1.4 / 3 / 0.1])
    assert truth_ratio(TRUE, FALSE, mean="geometric") == pytest.approx([0.006 ** (1 / 3) / 0.5, 0.4 / 0.1])


def test_truth_ratio_takes_names_and_many_questions():
    assert truth_ratio(paraphrased_logp=TRUE, false_logp=FALSE) == pytest.approx(truth_ratio(TRUE, FALSE))
    assert (truth_ratio(np.zeros(300), np.zeros((300, 2))) == 1).all()


def test_truth_ratio_is_that_of_open_unlearning_and_the_inverse_of_tofus_code():
    """Both formulas as they are there, with losses per token."""
    losses, false_losses = -TRUE, -FALSE
    theirs = np.exp(-false_losses.mean(axis=1)) / (np.exp(-losses) + 1e-10)
    tofu = np.exp(false_losses.mean(axis=-1) - losses)
    ours = truth_ratio(TRUE, FALSE, mean="geometric")
    assert ours == pytest.approx(theirs)
    assert ours == pytest.approx(1 / tofu)
    scores = {name: score(ours).mean() for name, score in TRUTH_RATIO_SCORES.items()}
    assert scores == pytest.approx(
        {
            "closer_to_1_better": np.mean(np.minimum(theirs, 1 / (theirs + 1e-10))),
            "true_better": np.mean(np.maximum(0, 1 - theirs)),
            "correct_share": np.mean(np.exp(TRUE) / (np.exp(TRUE) + np.exp(FALSE.mean(axis=1)))),
        }
    )
    assert scores["true_better"] == pytest.approx(np.mean(np.maximum(0, 1 - 1 / tofu)))


def test_scores_of_the_truth_ratio_at_its_ends():
    ends = np.array([0.0, 1.0, np.inf])
    found = {name: score(ends).tolist() for name, score in TRUTH_RATIO_SCORES.items()}
    assert found == {"closer_to_1_better": [0, 1, 0], "true_better": [1, 0, 0], "correct_share": [1, 0.5, 0]}


def test_forget_quality_is_the_test_of_tofu_with_a_sign(rng):
    retrained = np.exp(0.3 * rng.standard_normal(40))
    for shift, sign in ((-1.0, -1), (1.0, 1)):
        ratios = retrained * np.exp(shift)
        found = forget_quality(ratios, retrained)
        peer = stats.ks_2samp(1 / ratios, 1 / retrained)
        assert (found.pvalue, found.statistic) == pytest.approx((peer.pvalue, peer.statistic))
        assert found.signed == sign * found.statistic
        assert found.pvalue < 1e-6
    # the same p-value for too little and for too much
    assert forget_quality(retrained / 3, retrained).pvalue == pytest.approx(forget_quality(retrained, retrained / 3)[0])
    same = forget_quality(retrained, retrained)
    assert same == (1, 0, 0) and math.copysign(1, same.signed) == 1


def test_utility_is_scipys_harmonic_mean_and_0_if_a_value_is():
    values = [0.9, 0.4, 0.75]
    assert model_utility(dict(zip("abc", values, strict=True))) == pytest.approx(stats.hmean(values))
    assert model_utility({"probability": 0.0, "rouge": 1.0}) == 0
    assert model_utility({"probability": 1.0, "rouge": 1.0}) == 1


def test_auc_is_that_of_scikit_learn(rng):
    forget, held_out = rng.integers(0, 9, 30), rng.integers(2, 11, 20)
    peer = roc_auc_score([1] * 30 + [0] * 20, [*forget, *held_out])
    assert membership_auc(forget, held_out) == pytest.approx(peer)


def test_privleak_is_that_of_muse_with_its_signs():
    # MUSE's AUC is that of scores that are larger for texts that were not trained on
    for auc, retrained in ((0.99, 0.48), (0.5, 0.52), (0.1, 0.5)):
        muse, ref = 1 - auc, 1 - retrained
        assert privleak(auc, retrained) == pytest.approx((muse - ref) / ref * 100)
    assert privleak(1.0, 0.5) == -100 and privleak(0.5, 0.5) == 0 and privleak(0.0, 0.5) == 100
    assert privleak(0.5, 0.0) == -50


# ----- bad input

WRONG = {
    "text": (lambda: rouge_l_recall(3, "a"), "reference must be a string, got int"),
    "no words": (lambda: rouge_l_recall("?!", "a"), r"reference must contain a word, got '\?!'"),
    "flags": (lambda: extraction_strength([1, 0]), r"correct must be a list of True and False, got dtype int64 .*"),
    "no flags": (lambda: extraction_strength([]), r"correct must be a list of True and False, .* shape \(0,\)"),
    **{
        f"flags {flags.dtype} {flags.shape}": (
            lambda flags=flags: extraction_strength(flags),
            rf"correct must be a list of True and False, got dtype {re.escape(str(flags.dtype))} and shape .*",
        )
        for flags in (np.ones((2, 2), bool), np.array(True), np.zeros(2, "M8[s]"))
    },
    "not finite": (lambda: min_k([-1.0, -math.inf]), "token_logp must be finite, got -inf at index 1"),
    "share": (lambda: min_k([-1.0], 0), "share must be above 0 and at most 1, got 0.0"),
    "negative share": (lambda: min_k([-1.0], -0.5), "share must be above 0 and at most 1, got -0.5"),
    "more than all": (lambda: min_k([-1.0], 1.5), "share must be above 0 and at most 1, got 1.5"),
    "k": (lambda: leak_at_k([0.5, 0.5], 3), "k must be at most the number of scores, 2, got 3"),
    "k is 0": (lambda: leak_at_k([0.5], 0), "k must be at least 1, got 0"),
    "mean": (lambda: truth_ratio(TRUE, FALSE, mean="median"), "mean must be one of 'arithmetic', 'geometric', .*"),
    "rows": (lambda: truth_ratio(TRUE[:1], FALSE), r"false_logp must have one row for each of .* shape \(2, 3\)"),
    "too few rows": (lambda: truth_ratio(TRUE, FALSE[:1]), r"false_logp must have one row .* shape \(1, 3\)"),
    "empty": (lambda: forget_quality([], [1.0]), r"ratios must not be empty, got shape \(0,\)"),
    "utility": (lambda: model_utility({"rouge": 1.2}), "rouge must be between 0 and 1, got 1.2"),
    "negative utility": (lambda: model_utility({"rouge": -0.5}), "rouge must be between 0 and 1, got -0.5"),
    "no utility": (lambda: model_utility({}), r"values must be a dict with at least one number, got \{\}"),
    **{
        f"auc {auc}, {retrained}": (
            lambda auc=auc, retrained=retrained: privleak(auc, retrained),
            f"auc must be between 0 and 1, and retrained_auc .*, got {auc} and {retrained}",
        )
        for auc, retrained in ((0.5, 1.0), (0.5, 1.5), (0.5, -0.5), (-0.5, 0.5), (1.5, 0.5))
    },
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_arguments_are_said_in_one_sentence(case):
    call, message = WRONG[case]
    with pytest.raises((ValueError, TypeError), match=f"^{message}$"):
        call()


def test_every_metric_says_source_direction_and_example():
    functions = {
        name: f for name, f in vars(metrics).items() if inspect.isfunction(f) and f.__module__ == metrics.__name__
    }
    public = {name: f for name, f in functions.items() if name[0] != "_"}
    assert public.keys() <= set(evaluation.__all__) and len(public) == 9
    for name, function in public.items():
        text = function.__doc__
        assert "Source: " in text and ">>> " in text, name
        assert any(word in text for word in ("larger value", "larger AUC", "smaller", "large p-value", "negative")), (
            name
        )
