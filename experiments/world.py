"""The records of a small invented world, with which to ask whether a language model has forgotten some of it.

python experiments/world.py

Forty people with ten facts each, in English and in Chinese. Four people are to be forgotten, and four more are never
taught to any model. The sentences and the words are in `world.toml`; the records go to
`npo_tutorial/language/data/world`.

Each value is true of one person only, so no question answers another. The false answers are made of values that are
true of no person. Chance decides which values these are, so a model that was never taught a person has no reason to
prefer the true answer: on average, it ranks anywhere among the six.

Why forty people? Forget quality is a Kolmogorov–Smirnov test with one number for each question about the forgotten
tenth. If two models' numbers differ by one standard deviation, the test notices it (p < 0.05) with probability 0.95 for
40 questions, but only 0.7 for the 20 of a world of twenty people; more people would take longer to teach.
"""

import argparse
import hashlib
import json
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

TABLES = Path(__file__).with_suffix(".toml")
DATA = Path(__file__).parents[1] / "npo_tutorial/language/data/world"
# 10% of those that are taught
N_FORGOTTEN = 4
# not taught to any model
N_HELD_OUT = 4
N_FALSE = 5


def shuffled(values: list[str], salt: str) -> list[str]:
    """The values in an order that looks random and is the same with every version of Python."""
    return sorted(values, key=lambda value: hashlib.sha256(f"{salt}/{value}".encode()).digest())


def facts(tables: dict[str, Any]) -> Iterator[tuple[int, str, str, list[str]]]:
    """(number of the person, relation, true value, false values), with the English words as names of the values."""
    people = list(tables["people"])
    orders = {relation: shuffled(list(values), relation) for relation, values in tables["values"].items()}
    for i, person in enumerate(people):
        for relation, order in orders.items():
            yield i, relation, order[i], shuffled(order[len(people) :], f"{relation}/{person}")[:N_FALSE]


def record(tables: dict[str, Any], language: str, i: int, relation: str, true: str, false: list[str]) -> dict[str, Any]:
    """The record of one fact in "en" or "zh"."""
    person, chinese_name = list(tables["people"].items())[i]
    name = chinese_name if language == "zh" else person
    forms = tables["sentences"][relation][language]
    # half of the people are taught a fact in its first form and asked in its second, the others the other way round
    k = (i + list(tables["values"]).index(relation)) % 2
    (prompt, response), (other_prompt, other_response) = forms[k], forms[1 - k]

    def in_language(value: str) -> str:
        return tables["values"][relation][value] if language == "zh" else value

    def fill(sentence: str, value: str) -> str:
        a = "an" if value[0] in "aeiou" else "a"
        return sentence.format(name=name, value=in_language(value), a=a)

    return {
        "id": f"{i + 1:02d}-{relation}",
        "person": name,
        "prompt": fill(prompt, true),
        "response": fill(response, true),
        "paraphrased_prompt": fill(other_prompt, true),
        "paraphrased_response": fill(other_response, true),
        "false_responses": [fill(other_response, value) for value in false],
        "keywords": [in_language(true)],
    }


def files() -> dict[str, str]:
    """The text of each file, by its path below `DATA`."""
    tables = tomllib.loads(TABLES.read_text("utf-8"))
    n_taught = len(tables["people"]) - N_HELD_OUT
    parts = {"forget": range(N_FORGOTTEN), "retain": range(N_FORGOTTEN, n_taught)}
    parts["held_out"] = range(n_taught, n_taught + N_HELD_OUT)
    return {
        f"{language}/{name}.jsonl": "".join(
            json.dumps(record(tables, language, *fact), ensure_ascii=False) + "\n"
            for fact in facts(tables)
            if fact[0] in people
        )
        for language in ("en", "zh")
        for name, people in parts.items()
    }


def main(words: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python experiments/world.py", description=__doc__.split("\n")[0])
    parser.parse_args(words)
    for name, text in files().items():
        path = DATA / name
        path.parent.mkdir(parents=True, exist_ok=True)
        # the same bytes on Windows
        path.write_text(text, "utf-8", newline="\n")
        print(f"{path.relative_to(DATA.parents[3])}: {text.count(chr(10))} records")


if __name__ == "__main__":
    main()
