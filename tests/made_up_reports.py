"""Measurements of models that were never asked, and reports of them."""

import numpy as np

from npo_tutorial.language.evaluation.judging import judge
from npo_tutorial.language.evaluation.report import Report


def made_up(rng, shift, n=40, m=30):
    """Measurements of a model whose log-probabilities are shifted."""

    def of_set(size, shift):
        true = rng.normal(-2, 0.3, size) + shift
        return {
            "logp_per_token": list(true),
            "min_k": list(true - 1),
            "extraction_strength": list(np.clip(rng.normal(0.3, 0.05, size) + shift / 4, 0, 1)),
            "rouge_l_recall": list(np.clip(rng.normal(0.4, 0.02, size) + shift / 4, 0, 1)),
            "answer": ["?"] * size,
            "paraphrased_logp_per_token": list(true),
            "false_logp_per_token": [list(rng.normal(-2, 0.1, 1 + i % 3)) for i in range(size)],
        }

    return {"forget": of_set(n, shift), "retain": of_set(m, 1.5), "held_out": of_set(m, 0)}


# how much larger than the retrained model's the log-probabilities of a model are, by its fate
SHIFTS = {"too_little": 1.0, "as_retrained": 0.0, "too_much": -1.2}
LONG = "x" * 300
ANSWERS = ("In Quillford.", "住在奎尔福德镇的一位桥梁工程师。" * 4, LONG, "<script>alert(1)</script> & more\nlines", "")


def make_report(fate, n=12):
    """A report with everything in it, of a model with this fate; "unknown": without a retrained model."""
    rng = np.random.default_rng(0)
    shifts = {"before": 1.9, "model": SHIFTS.get(fate, 1.0), "retrained": 0.0}
    measured = {}
    for role, shift in shifts.items():
        # the retrained models of two seeds differ, but not much
        found = measured[role] = made_up(np.random.default_rng(1), shift, n)
        for of_set in list(found.values()):
            of_set["answer"] = [ANSWERS[i % len(ANSWERS)] for i in range(len(of_set["answer"]))]
            of_set["logp_per_token"] = list(np.array(of_set["logp_per_token"]) + 0.02 * rng.standard_normal(1))
        found["forget"]["sampled_rouge"] = rng.random((n, 4)).tolist()
        for name in ("otherwise", "translated", "rounded", "relearned", "control"):
            found[name] = {key: value for key, value in found["forget"].items() if key != "sampled_rouge"}
    if fate == "unknown":
        del measured["retrained"]
    questions = [(f"Who lives in house {i}?", f"Orvel Tammick of house {i}.") for i in range(n)]
    made = {
        "models": {role: f"runs/{role}-{LONG[:60]}" for role in measured},
        "files": {"forget": "forget.jsonl"},
        "options": {"samples": 4, "system": None},
        "versions": {"torch": "2.13.0"},
    }
    return Report(judge(measured), measured, questions, made)
