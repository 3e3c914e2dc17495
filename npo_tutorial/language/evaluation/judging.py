"""From what models were asked to what it means: values with intervals, differences, outcomes, and what stays open."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from npo_tutorial._types import FloatArray
from npo_tutorial.language.evaluation.metrics import TRUTH_RATIO_SCORES, forget_quality, leak_at_k, truth_ratio
from npo_tutorial.language.evaluation.verdicts import (
    LEVEL,
    Interval,
    bootstrap_interval,
    combine,
    compare,
    interval_of,
)

ROLES = ("before", "model", "retrained")
# ways to ask for what should be forgotten, and sets that should stay as they are
FORGOTTEN = ("forget", "otherwise", "translated", "rounded", "relearned", "control")
KEPT = ("retain", "held_out")
# metrics that decide whether too much is forgotten: when a model is destroyed, others fall less below the retrained one
SHOWS_TOO_MUCH = {"logp_per_token", "rouge_l_recall"}
# larger values do not mean that more is remembered
UNJUDGED = {"closer_to_1_better"}
# what MUSE (arXiv:2407.06460) takes for no leak, in per cent
PRIVLEAK_MARGIN = 5.0


def per_question(measured: Mapping[str, Any], *, kept: bool = False) -> dict[str, FloatArray]:
    """The metrics of each question, from a `Measured`; except in `UNJUDGED`, a larger value: more is remembered.

    A set that should be `kept` has another form of the truth ratio, as in TOFU.
    """
    found = {name: np.array(measured[name]) for name in ("logp_per_token", "rouge_l_recall", "extraction_strength")}
    if "false_logp_per_token" in measured:
        ratios = truth_ratios(measured, "geometric")
        found |= {
            name: TRUTH_RATIO_SCORES[name](ratios)
            for name in ("correct_share", *(["true_better"] if kept else UNJUDGED))
        }
    rows = measured.get("sampled_rouge")
    if rows:
        n = len(rows[0])
        for k in [k for k in (1, 2, 4, 8, 16, 32, 64, 128) if k < n] + [n]:
            found[f"leak@{k}"] = np.array([leak_at_k(row, k) for row in rows])
    return found


def truth_ratios(measured: Mapping[str, Any], mean: Any) -> FloatArray:
    """The truth ratio of each question; questions may differ in how many false answers they have."""
    pairs = zip(measured["paraphrased_logp_per_token"], measured["false_logp_per_token"], strict=True)
    return np.array([truth_ratio([true], [false], mean=mean)[0] for true, false in pairs])


def parts_of_utility(measured: Mapping[str, Any]) -> dict[str, FloatArray]:
    """The parts of `model_utility` for each question of a set that should be known."""
    found = {"probability": np.exp(measured["logp_per_token"]), "rouge_l_recall": np.array(measured["rouge_l_recall"])}
    if "false_logp_per_token" in measured:
        found["true_better"] = TRUTH_RATIO_SCORES["true_better"](truth_ratios(measured, "geometric"))
    return found


def judge(measured: Mapping[str, Mapping[str, Any]], *, level: float = LEVEL, seed: int = 0) -> dict[str, Any]:
    """What follows from the values of single questions.

    Parameters
    ----------
    measured : dict
        For "model", "before" and, if there is one, "retrained": what `ask` returned.
    level, seed
        As for `bootstrap_interval`.

    Returns
    -------
    dict
        Of numbers, strings, lists and dicts alone, so that it can be written as JSON.
    """
    options: dict[str, Any] = {"level": level, "seed": seed}
    model, has_retrained = measured["model"], "retrained" in measured
    found: dict[str, Any] = {"level": level, "sets": {}, "overall": None}
    for name in (*FORGOTTEN, *KEPT):
        if name in model:
            values = {role: per_question(measured[role][name], kept=name in KEPT) for role in _who(measured, name)}
            reference = "retrained" if "retrained" in values and name in FORGOTTEN else "before"
            # one model may have been asked for less
            metrics = [metric for metric in values["model"] if all(metric in of for of in values.values())]
            rows = [_row(metric, values, reference, options) for metric in metrics]
            judged = {row["metric"]: row["outcome"] for row in rows if row["outcome"]}
            found["sets"][name] = {
                "questions": len(model[name]["answer"]),
                "reference": reference,
                "rows": rows,
                "overall": combine(judged) if reference == "retrained" else None,
            }
    found["overall"] = found["sets"]["forget"]["overall"]
    if has_retrained and "false_logp_per_token" in model["forget"]:
        found["forget_quality"] = {
            mean: compare_ratios(
                *(truth_ratios(measured[x]["forget"], mean) for x in ("model", "retrained")), **options
            )
            for mean in ("geometric", "arithmetic")
        }
    if "relearned" in model:
        # fine-tuning on anything may change a model that was just unlearned: what counts is what the control lacks
        found["relearning"], gains = {}, dict[str, FloatArray]()
        for role in _who(measured, "relearned", "control"):
            again, control = (np.array(measured[role][name]["logp_per_token"]) for name in ("relearned", "control"))
            gains[role] = again - control
            found["relearning"][role] = list(bootstrap_interval(gains[role], **options))
        if "retrained" in gains:
            # of the same questions
            more = bootstrap_interval(gains["model"] - gains["retrained"], **options)
            found["relearning_difference"] = {"difference": list(more), "outcome": _change(more)}
    if "held_out" in model:
        found["membership"] = _membership(measured, options)
    if "retain" in model:
        found["utility"] = _utility(measured, options)
    found["unanswered"] = _unanswered(measured)
    return found


def compare_ratios(ratios: FloatArray, retrained_ratios: FloatArray, **options: Any) -> dict[str, Any]:
    """Forget quality, and the interval of its signed distance; both samples are drawn anew, as the test has them."""
    interval = interval_of(_signed_distance, ratios, retrained_ratios, **options)
    return forget_quality(ratios, retrained_ratios)._asdict() | {"interval": [interval.low, interval.high]}


def _signed_distance(ratios: FloatArray, retrained_ratios: FloatArray, axis: int) -> Any:
    """`ForgetQuality.signed` of many resamples at once, along the last axis."""
    points = np.concatenate([ratios, retrained_ratios], axis=axis)[..., :, None]
    model, retrained = ((x[..., None, :] <= points).mean(axis=axis) for x in (ratios, retrained_ratios))
    difference = retrained - model
    return np.take_along_axis(difference, np.abs(difference).argmax(axis=axis)[..., None], axis)[..., 0]


def _who(measured: Mapping[str, Mapping[str, Any]], *sets: str) -> list[str]:
    """The models that were asked these sets."""
    return [role for role in ROLES if role in measured and all(name in measured[role] for name in sets)]


def _row(
    metric: str, values: Mapping[str, Mapping[str, FloatArray]], reference: str, options: Mapping[str, Any]
) -> dict[str, Any]:
    """One metric of one set: of each model, the difference, and the outcome."""
    row: dict[str, Any] = {"metric": metric}
    row["values"] = {role: list(bootstrap_interval(of[metric], **options)) for role, of in values.items()}
    arrays = [values[role][metric] for role in ("model", reference, "before")]
    if reference == "retrained" and metric not in UNJUDGED:
        verdict = compare(*arrays, shows_too_much=metric in SHOWS_TOO_MUCH or metric.startswith("leak@"), **options)
        return row | {
            "difference": list(verdict.difference),
            "margin": verdict.margin,
            "outcome": verdict.outcome,
        }
    difference = bootstrap_interval(arrays[0] - arrays[1], **options)
    outcome = None if metric in UNJUDGED else _change(difference)
    return row | {"difference": list(difference), "margin": None, "outcome": outcome}


def _change(difference: Interval) -> str:
    """What may be said of a difference from another model, where no margin is given."""
    return "lower" if difference.high < 0 else "higher" if difference.low > 0 else "no_change"


def _utility(measured: Mapping[str, Mapping[str, Any]], options: Mapping[str, Any]) -> dict[str, Any]:
    parts = {role: parts_of_utility(measured[role]["retain"]) for role in _who(measured, "retain")}

    def harmonic(*columns: FloatArray, axis: int) -> Any:
        with np.errstate(divide="ignore"):
            return len(columns) / sum(1 / column.mean(axis=axis) for column in columns)

    def change(*columns: FloatArray, axis: int) -> Any:
        half = len(columns) // 2
        return harmonic(*columns[:half], axis=axis) - harmonic(*columns[half:], axis=axis)

    columns = {role: list(of.values()) for role, of in parts.items()}
    difference = interval_of(change, *columns["model"], *columns["before"], paired=True, **options)
    return {
        "parts": list(parts["model"]),
        "values": {
            role: list(interval_of(harmonic, *those, paired=True, **options)) for role, those in columns.items()
        },
        "difference": list(difference),
        "outcome": _change(difference),
    }


def _membership(measured: Mapping[str, Mapping[str, Any]], options: Mapping[str, Any]) -> dict[str, Any]:
    """AUC of the attack by min-k%, and PrivLeak; the questions of both sets are drawn anew."""
    scores = {
        role: [np.array(measured[role][name]["min_k"]) for name in ("forget", "held_out")]
        for role in _who(measured, "forget", "held_out")
    }
    places = [np.arange(len(values)) for values in scores["model"]]
    least = 1 / (2 * len(places[0]) * len(places[1]))

    def auc(role: str, i: Any, j: Any) -> Any:
        members, others = scores[role][0][i][..., :, None], scores[role][1][j][..., None, :]
        return ((members > others) + 0.5 * (members == others)).mean(axis=(-2, -1))

    def leak(i: Any, j: Any, axis: int) -> Any:
        rest = 1 - auc("retrained", i, j)
        # a resample may have no non-member above a member, of which there is then a half
        return 100 * (1 - auc("model", i, j) - rest) / np.maximum(rest, least)

    values = {role: interval_of(lambda i, j, axis, of=role: auc(of, i, j), *places, **options) for role in scores}
    found: dict[str, Any] = {"values": {role: list(interval) for role, interval in values.items()}}
    if "retrained" in scores:
        if values["retrained"].mean == 1:
            return found | {"privleak": None}
        low, high = (interval := interval_of(leak, *places, **options))[1:]
        outcome = "undecided"
        if low > PRIVLEAK_MARGIN:
            outcome = "too_much"
        elif high < -PRIVLEAK_MARGIN:
            outcome = "too_little"
        elif low >= -PRIVLEAK_MARGIN and high <= PRIVLEAK_MARGIN:
            outcome = "as_retrained"
        found |= {"privleak": {"difference": list(interval), "margin": PRIVLEAK_MARGIN, "outcome": outcome}}
    return found


def _unanswered(measured: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Names of questions that cannot be answered from these measurements; `words.toml` says what they need."""
    model, has_retrained = measured["model"], "retrained" in measured
    missing = {
        "too_little_or_too_much": not has_retrained,
        "forget_quality": not has_retrained,
        "privleak": not has_retrained or "held_out" not in model,
        "membership": "held_out" not in model,
        "utility": "retain" not in model,
        "truth_ratio": "false_logp_per_token" not in model["forget"],
        "leak": "sampled_rouge" not in model["forget"],
        **{name: name not in model for name in ("otherwise", "translated", "rounded", "relearned")},
    }
    return [name for name, is_missing in missing.items() if is_missing]
