"""All pieces of `unlearn_world.py` put together: verdicts, intervals, and the answers to some questions."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from world_pieces import DATA, TAUGHT, Experiment

from npo_tutorial.language import read_records
from npo_tutorial.language.evaluation import bootstrap_interval
from npo_tutorial.language.evaluation.judging import judge, truth_ratios

# how many questions of each set, evenly spread, are stored with the answers to them
SHOWN = 12


def put_together(experiment: Experiment) -> dict[str, Any]:
    """The content of `world.json`, from pieces that are all there: verdicts, intervals, answers to some questions."""
    pieces: dict[str, Any] = {name: experiment.stored(name) for name in experiment.pieces}
    before, retrained = (pieces[name]["measured"] for name in ("all", "retained"))
    records = {name: questions.records for name, questions in experiment.questions.items()}
    to_forget = experiment.sets["forget"]
    control = {role: pieces[f"thorough-{name}"] for role, name in {"before": "all", "retrained": "retained"}.items()}
    found: dict[str, Any] = {
        "command": "python experiments/unlearn_world.py --write",
        **versions_of(pieces),
        "cpus": os.cpu_count(),
        "core_seconds": {name: piece["core_seconds"] for name, piece in pieces.items()},
        "settings": asdict(experiment.settings),
        "questions": {
            name: spread([{x: record[x] for x in ("prompt", "response")} for record in questions.records])
            for name, questions in experiment.questions.items()
        },
        # for readers of the Chinese edition
        "translated": spread([record["prompt"] for record in read_records(DATA / "zh/forget.jsonl")[: len(to_forget)]]),
        "taught": {name: {x: pieces[name][x] for x in ("losses", "answered")} for name in TAUGHT},
        "models": {
            name: summary(pieces[name]["measured"], before, retrained, records)
            for name in ("untaught", "all", "retained")
        },
        "thorough": {name: thorough_summary(pieces[f"thorough-{name}"], to_forget, **control) for name in TAUGHT},
        "rates": {
            key: {x: pieces[f"rate-{key}"][x] for x in ("rate", "trials", "forgotten")}
            for key in experiment.settings.runs
        },
        "runs": {},
    }
    for key, run in experiment.settings.runs.items():
        found["runs"][key] = {}
        for seed in run.seeds:
            piece = pieces[f"{key}-{seed}"]
            kept = {name: piece[name] for name in ("steps", "best", "finite", "changed_levels") if name in piece}
            kept["measured"] = [summary(measured, before, retrained, records) for measured in piece["measured"]]
            if seed != run.seeds[0]:
                kept["measured"] = [brief(measured) for measured in kept["measured"]]
            found["runs"][key][str(seed)] = kept
            for when, measured in piece.get("thorough", {}).items():
                found["thorough"][f"{key}, {when}"] = thorough_summary(measured, to_forget, **control)
    return rounded(found)


def versions_of(pieces: Mapping[str, Any]) -> dict[str, Any]:
    """The versions with which "all" was made, and those of the pieces that were made with others."""
    versions = pieces["all"]["versions"]
    others = {name: piece["versions"] for name, piece in pieces.items() if piece["versions"] != versions}
    return {"versions": versions, "other_versions": others}


def as_table(found: dict[str, Any]) -> str:
    """What the models tell and keep, each in per cent with its interval: the three first ones, and the end of each run.

    Forget quality is the signed distance to the retrained model: negative if too little is forgotten.
    """
    runs = {f"{key}-{seed}": run["measured"] for key, of in found["runs"].items() for seed, run in of.items()}
    ends = {name: measured[-1] for name, measured in runs.items() if measured}
    lines = [f"{'per cent [95%]':16}{'facts told':>18}{'utility':>18}{'100 D':>18}  verdict"]
    for name, model in (found["models"] | ends).items():
        quality = model["forget_quality"]
        values = model["facts"]["forget"], model["utility"], [quality["signed"], *quality["interval"]]
        cells = "".join("{:5.0f} [{:4.0f} {:4.0f}]".format(*(100 * x for x in row)).rjust(18) for row in values)
        lines.append(f"{name:16}{cells}  {model['overall'].replace('_', ' ')}")
    return "\n".join(lines)


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


def brief(whole: dict[str, Any]) -> dict[str, Any]:
    """What is stored of further seeds: single questions, answers and most metrics of the first run are enough."""
    kept = {name: whole[name] for name in ("overall", "forget_quality", "utility", "facts")}
    return kept | {name: {"logp_per_token": whole[name]["logp_per_token"]} for name in ("forget", "retain")}


def thorough_summary(measured: Any, records: Any, *, before: Any, retrained: Any) -> dict[str, Any]:
    models = {"model": measured, "before": before, "retrained": retrained}
    judged = judge({name: {x: of[x] for x in of if x != "symmetric"} for name, of in models.items()})
    found: dict[str, Any] = {name: rows(judged, name) for name in judged["sets"]}
    found |= {name: judged[name] for name in ("overall", "relearning", "membership")}
    # other levels, but the same question
    found["symmetric"] = rows(judge({name: {"forget": of["symmetric"]} for name, of in models.items()}), "forget")
    asked = dict.fromkeys(("forget", "otherwise", "rounded", "symmetric"), records)
    asked |= dict.fromkeys(("relearned", "control"), records[1::2])
    found["facts"] = {name: facts(those, measured[name]["answer"]) for name, those in asked.items()}
    # a fact is told if one of the sampled answers tells it
    texts = ["\n".join(row) for row in measured["forget"]["sampled_answer"]]
    return found | {"facts": found["facts"] | {"sampled": facts(records, texts)}}


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
