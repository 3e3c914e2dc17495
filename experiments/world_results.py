"""All pieces of `unlearn_world.py` put together: verdicts, intervals, and the answers to some questions."""

import os
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from world_pieces import TAUGHT, Experiment

from npo_tutorial.language.evaluation import bootstrap_interval
from npo_tutorial.language.evaluation.judging import judge, truth_ratios

# how many questions of each set, evenly spread, are stored with the answers to them
SHOWN = 12


def put_together(experiment: Experiment) -> dict[str, Any]:
    """The content of `world.json`: verdicts, intervals, and the answers to some questions."""
    there = {name: experiment.stored(name) for name in experiment.pieces}
    if missing := [name for name, piece in there.items() if piece is None]:
        raise ValueError(f"--write needs all pieces, got no {', no '.join(missing)}: run this script without it first")
    pieces: dict[str, Any] = there
    before, retrained = (pieces[name]["measured"] for name in ("all", "retained"))
    records = {name: questions.records for name, questions in experiment.questions.items()}
    control = {role: pieces[f"thorough-{name}"] for role, name in {"before": "all", "retrained": "retained"}.items()}
    found: dict[str, Any] = {
        "command": "python experiments/unlearn_world.py --write",
        "versions": pieces["all"]["versions"],
        "cpus": os.cpu_count(),
        "core_seconds": {name: piece["core_seconds"] for name, piece in pieces.items()},
        "settings": asdict(experiment.settings),
        "questions": {
            name: spread([{x: record[x] for x in ("prompt", "response")} for record in questions.records])
            for name, questions in experiment.questions.items()
        },
        "taught": {name: {x: pieces[name][x] for x in ("losses", "answered")} for name in TAUGHT},
        "models": {
            name: summary(pieces[name]["measured"], before, retrained, records)
            for name in ("untaught", "all", "retained")
        },
        "thorough": {name: thorough_summary(pieces[f"thorough-{name}"], **control) for name in TAUGHT},
        "rates": {key: {x: pieces[f"rate-{key}"][x] for x in ("rate", "trials")} for key in experiment.settings.runs},
        "runs": {},
    }
    for key, run in experiment.settings.runs.items():
        found["runs"][key] = {}
        for seed in run.seeds:
            piece = pieces[f"{key}-{seed}"]
            kept = {name: piece[name] for name in ("steps", "best", "finite")}
            kept["measured"] = [summary(measured, before, retrained, records) for measured in piece["measured"]]
            found["runs"][key][str(seed)] = kept
            for when, measured in piece.get("thorough", {}).items():
                found["thorough"][f"{key}, {when}"] = thorough_summary(measured, **control)
    return rounded(found)


def summary(measured: Any, before: Any, retrained: Any, records: Any) -> dict[str, Any]:
    """What is stored of a model: means with intervals, outcomes, and of each forgotten question two numbers."""
    judged = judge({"model": measured, "before": before, "retrained": retrained})
    return {
        "overall": judged["overall"],
        "forget": rows(judged, "forget"),
        "retain": rows(judged, "retain"),
        "forget_quality": judged["forget_quality"]["geometric"],
        "utility": judged["utility"]["values"]["model"],
        "truth_ratio": truth_ratios(measured["forget"], "geometric").tolist(),
        "logp_per_token": measured["forget"]["logp_per_token"],
        "facts": {name: facts(records[name], of["answer"]) for name, of in measured.items()},
        "answers": {name: spread(of["answer"]) for name, of in measured.items()},
    }


def thorough_summary(measured: Any, *, before: Any, retrained: Any) -> dict[str, Any]:
    judged = judge({"model": measured, "before": before, "retrained": retrained})
    found = {name: rows(judged, name) for name in judged["sets"]}
    return found | {name: judged[name] for name in ("overall", "relearning", "membership")}


def rows(judged: Any, name: str) -> dict[str, Any]:
    """Mean, ends of the interval, and outcome of each metric of a set."""
    return {row["metric"]: [*row["values"]["model"], row["outcome"]] for row in judged["sets"][name]["rows"]}


def fact_of(record: Any) -> str:
    """What the true answer says and no false one: what is left without the words with which all of them begin and end.

    >>> fact_of({"paraphrased_response": "Ann won the Red Tie Prize.", "false_responses": ["Ann won the Blue Prize."]})
    'Red Tie'
    """
    all_words = [text.rstrip(".").split() for text in (record["paraphrased_response"], *record["false_responses"])]
    start = shared(all_words)
    end = shared([words[start:][::-1] for words in all_words])
    return " ".join(all_words[0][start : len(all_words[0]) - end])


def shared(texts: Sequence[Sequence[str]]) -> int:
    """With how many words all texts begin."""
    differs = (i for i, words in enumerate(zip(*texts, strict=False)) if len(set(words)) > 1)
    return next(differs, min(map(len, texts)))


def facts(records: Sequence[Any], answers: Sequence[str]) -> list[float]:
    """Share of answers with the fact, whatever else they say, and the ends of its interval."""
    interval = bootstrap_interval([float(fact_of(x) in answer) for x, answer in zip(records, answers, strict=True)])
    return [interval.mean, interval.low, interval.high]


def spread(items: Sequence[Any]) -> list[Any]:
    return list(items[:: -(-len(items) // SHOWN)])


def rounded(value: Any) -> Any:
    """The same with four digits of each number."""
    if isinstance(value, float):
        return float(f"{value:.4g}")
    if isinstance(value, dict):
        return {key: rounded(item) for key, item in value.items()}
    return [rounded(item) for item in value] if isinstance(value, list | tuple) else value
