"""Bootstrap intervals against SciPy, and verdicts on models whose fate is known."""

import numpy as np
import pytest
from scipy import stats

from npo_tutorial.language.evaluation import bootstrap_interval, combine, compare, rouge_l_recall
from npo_tutorial.language.evaluation.verdicts import interval_of

N_SEEDS, N_QUESTIONS = 20, 40


def test_the_interval_is_scipys(rng):
    values = rng.standard_normal(30)
    found = bootstrap_interval(values, level=0.9, seed=3)
    options = {"method": "percentile", "n_resamples": 2000, "random_state": np.random.default_rng(3)}
    low, high = stats.bootstrap((values,), np.mean, confidence_level=0.9, **options).confidence_interval
    assert found == (values.mean(), low, high)
    # and by definition
    draws = np.random.default_rng(3).integers(0, 30, (2000, 30))
    assert found[1:] == pytest.approx(np.quantile(values[draws].mean(axis=1), [0.05, 0.95]))


def test_the_interval_of_any_statistic_is_scipys(rng):
    one, other = rng.standard_normal((2, 30))
    # of samples that are not paired, the draws depend on how many are made at a time
    options = {"method": "percentile", "n_resamples": 2000, "vectorized": True, "batch": 100}

    # as the statistics of this package, it has no axis of its own choice
    def difference(a, b, axis):
        return a.mean(axis) - b.mean(axis)

    for paired in (False, True):
        found = interval_of(difference, one, other, paired=paired, seed=3)
        peer = stats.bootstrap(
            (one, other), difference, paired=paired, random_state=np.random.default_rng(3), **options
        ).confidence_interval
        assert found == (difference(one, other, -1), *peer)
    assert interval_of(difference, one, other) == interval_of(difference, one, other, paired=False, seed=0)


def test_names_and_the_seed_that_is_left_out(rng):
    values = rng.standard_normal(300)
    assert bootstrap_interval(values=values) == bootstrap_interval(values, seed=0) != bootstrap_interval(values, seed=1)
    found = compare(model=values, retrained=np.zeros(300), before=np.ones(300))
    assert found == compare(values, np.zeros(300), np.ones(300), seed=0)


def test_the_interval_covers_the_mean_about_as_often_as_it_says():
    """96 of 100 if it is right; a standard error of the mean in place of two would cover 68."""
    covered = 0
    for seed in range(100):
        values = np.random.default_rng(seed).normal(1.0, 2.0, 60)
        _, low, high = bootstrap_interval(values, seed=seed)
        covered += low <= 1.0 <= high
    assert 88 <= covered <= 99


def test_differences_are_paired(rng):
    """Questions that differ much among each other tell the models apart all the same."""
    hard = rng.normal(-3, 2, 40)
    before, retrained = hard + 2.5, hard
    verdict = compare(hard + 0.5 + 0.1 * rng.standard_normal(40), retrained, before)
    assert verdict.outcome == "too_little" and verdict.difference.high - verdict.difference.low < 0.1
    paired = stats.bootstrap(
        (hard + 0.5, retrained),
        lambda a, b, axis: a.mean(axis) - b.mean(axis),
        paired=True,
        vectorized=True,
        method="percentile",
        random_state=0,
    ).confidence_interval
    assert compare(hard + 0.5, retrained, before).difference[1:] == pytest.approx(paired)


BORDERS = [
    # all differences are alike, so that the interval is a point; the margin is 0.1
    (0.11, "too_little"),
    (0.09, "as_retrained"),
    (-0.09, "as_retrained"),
    (-0.11, "too_much"),
]


@pytest.mark.parametrize(("shift", "outcome"), BORDERS)
def test_a_tenth_of_the_way_back_is_the_border(shift, outcome):
    retrained = np.array([-2.0, -4.0, -1.0])
    verdict = compare(retrained + shift, retrained, retrained + 1)
    assert (verdict.outcome, verdict.margin) == (outcome, pytest.approx(0.1))
    one_sided = compare(retrained + shift, retrained, retrained + 1, shows_too_much=False).outcome
    assert one_sided == ("too_little" if outcome == "too_little" else "not_too_little")


def test_a_difference_at_the_border_is_within_it():
    retrained, before = np.zeros(3), np.full(3, 10.0)
    for shift in (1.0, -1.0):
        verdict = compare(np.full(3, shift), retrained, before)
        assert (verdict.outcome, verdict.margin, verdict.difference) == ("as_retrained", 1.0, (shift,) * 3)
    assert compare(np.ones(3), retrained, before, shows_too_much=False).outcome == "not_too_little"


def test_what_was_learnt_must_be_above_0_for_certain():
    retrained = np.zeros(4)
    assert compare(retrained, retrained, retrained).outcome == "nothing_to_forget"
    # less is remembered before than by the retrained model, and a margin is never negative
    less = compare(retrained, retrained, retrained - 10)
    assert (less.outcome, less.margin) == ("nothing_to_forget", 1.0)
    # and a mean above 0 is not enough, if its interval is not
    assert compare(retrained, retrained, np.array([9.0, -1.0, -1.0, -1.0])).outcome == "nothing_to_forget"
    assert compare(retrained, retrained, np.full(4, 1e-3)).outcome == "as_retrained"


def test_level_and_seed_are_those_of_both_intervals():
    """The one of the difference, and the one that says whether there was something to forget."""
    rng = np.random.default_rng(0)
    model, retrained, before = rng.normal(1, 1, 12), np.zeros(12), rng.normal(0.6, 1.2, 12)
    for level, seed in ((0.5, 1), (0.95, 1), (0.95, 2)):
        verdict = compare(model, retrained, before, level=level, seed=seed)
        assert verdict.difference == bootstrap_interval(model, level=level, seed=seed)
    low = [bootstrap_interval(before, level=level).low for level in (0.5, 0.99)]
    assert low[0] > 0 > low[1]
    outcomes = [compare(model, retrained, before, level=level).outcome for level in (0.5, 0.99)]
    assert outcomes[0] != "nothing_to_forget" == outcomes[1]


@pytest.mark.parametrize("sign", [1, -1])
def test_an_interval_that_crosses_one_border_decides_nothing(sign):
    model = sign * np.array([0.0, 2.0] * 4)
    verdict = compare(model, np.zeros(8), np.full(8, 10.0))
    low, high = sorted(sign * end for end in verdict.difference[1:])
    assert -verdict.margin < low < verdict.margin < high and verdict.outcome == "undecided"


def test_few_questions_decide_nothing():
    wide = np.array([1.5, -1.5, 0.2, -0.2])
    for shows_too_much in (True, False):
        assert compare(wide, np.zeros(4), np.ones(4), shows_too_much=shows_too_much).outcome == "undecided"


def test_what_was_never_learnt_cannot_be_forgotten(rng):
    """As questions in a language that the model does not speak."""
    retrained = rng.normal(-5, 1, 40)
    before = retrained + 0.1 * rng.standard_normal(40)
    assert compare(retrained, retrained, before).outcome == "nothing_to_forget"


# ----- models whose fate is known

WORDS = [f"word{i}" for i in range(12)]
REFERENCE = " ".join(WORDS)


def answers(rng, share):
    """ROUGE of an answer to each question that has about this share of the true words."""
    kept = np.clip(rng.normal(share, 0.02, N_QUESTIONS), 0, 1)
    texts = [" ".join(word for word in WORDS if rng.random() < p) for p in kept]
    return np.array([rouge_l_recall(REFERENCE, text) for text in texts])


def world(seed):
    """Mean log-probabilities per token, and ROUGE, of 40 questions, for five models."""
    rng = np.random.default_rng(seed)
    # hard questions are hard for every model that never saw the answers
    unknown = rng.normal(-2.5, 0.7, N_QUESTIONS)
    taught = -np.abs(rng.normal(0.1, 0.05, N_QUESTIONS))
    logp = {
        "before": taught,
        "retrained": unknown + rng.normal(0, 0.25, N_QUESTIONS),
        "never saw the data": unknown + rng.normal(0, 0.25, N_QUESTIONS),
        "not touched": taught + rng.normal(0, 0.01, N_QUESTIONS),
        "destroyed": rng.normal(-11, 1, N_QUESTIONS),
    }
    shares = {"before": 1, "retrained": 0.5, "never saw the data": 0.5, "not touched": 1, "destroyed": 0.02}
    return logp, {name: answers(rng, share) for name, share in shares.items()}


FATES = {"never saw the data": "as_retrained", "not touched": "too_little", "destroyed": "too_much"}


@pytest.mark.parametrize("model", FATES)
def test_a_known_fate_is_found_in_at_least_19_of_20_seeds(model):
    found = []
    for seed in range(N_SEEDS):
        metrics = dict(zip(("logp_per_token", "rouge_l_recall"), world(seed), strict=True))
        outcomes = {
            name: compare(values[model], values["retrained"], values["before"], seed=seed).outcome
            for name, values in metrics.items()
        }
        assert set(outcomes.values()) <= {FATES[model], "undecided"}
        found.append(combine(outcomes))
    assert found.count(FATES[model]) >= 19


# ----- all metrics together

TOGETHER = {
    "one says too little": ({"logp_per_token": "as_retrained", "rouge_l_recall": "too_little"}, "too_little"),
    "one says too much": ({"logp_per_token": "too_much", "correct_share": "not_too_little"}, "too_much"),
    "they contradict each other": ({"logp_per_token": "too_much", "correct_share": "too_little"}, "both"),
    "they contradict each other, and a third does not tell": (
        {"logp_per_token": "too_much", "correct_share": "too_little", "rouge_l_recall": "undecided"},
        "both",
    ),
    "the others do not tell": ({"logp_per_token": "as_retrained", "rouge_l_recall": "undecided"}, "as_retrained"),
    "the first does not tell": ({"logp_per_token": "undecided", "rouge_l_recall": "as_retrained"}, "undecided"),
    "nothing was learnt": ({"logp_per_token": "nothing_to_forget", "rouge_l_recall": "undecided"}, "nothing_to_forget"),
}


@pytest.mark.parametrize("case", TOGETHER)
def test_one_outcome_of_all_metrics(case):
    outcomes, together = TOGETHER[case]
    assert combine(outcomes) == together


# ----- bad input

WRONG = {
    "one question": (lambda: bootstrap_interval([1.0]), "an interval needs at least 2 questions, got 1: .*"),
    "level": (lambda: bootstrap_interval([1.0, 2.0], level=95), r"level must be between 0 and 1, got 95\.0"),
    **{
        f"level {level}": (
            lambda level=level: bootstrap_interval([1.0, 2.0], level=level),
            f"level must be between 0 and 1, got {level}",
        )
        for level in (0.0, 1.0, -0.5)
    },
    "seed": (lambda: bootstrap_interval([1.0, 2.0], seed=-1), "seed must be at least 0, got -1"),
    "lengths": (
        lambda: compare([1.0, 2.0], [1.0, 2.0, 3.0], [1.0, 2.0]),
        "retrained must have a value for each question of model, 2, got 3",
    ),
    "fewer": (
        lambda: compare([1.0, 2.0, 3.0], [1.0, 2.0], [1.0, 2.0, 3.0]),
        "retrained must have a value for each question of model, 3, got 2",
    ),
    "not finite": (lambda: compare([1.0, np.nan], [1.0, 2.0], [1.0, 2.0]), "model must be finite, got nan at index 1"),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_arguments_are_said_in_one_sentence(case):
    call, message = WRONG[case]
    with pytest.raises(ValueError, match=f"^{message}$"):
        call()
