"""The small invented world: its files are what `experiments/world.py` makes, and they ask what they should."""

import json
import re
import tomllib
from collections import Counter
from pathlib import Path

import pytest

import npo_tutorial.language
from experiments import world
from npo_tutorial.language import read_records

DATA = Path(npo_tutorial.language.__file__).parent / "data/world"
SETS = ("forget", "retain", "held_out")
FIELDS = {
    *("id", "person", "prompt", "response", "paraphrased_prompt", "paraphrased_response"),
    *("false_responses", "keywords"),
}
TABLES = tomllib.loads(world.TABLES.read_text("utf-8"))
both_languages = pytest.mark.parametrize("language", ["en", "zh"])


def load(language):
    return {name: read_records(DATA / language / f"{name}.jsonl") for name in SETS}


def every(language):
    return [record for records in load(language).values() for record in records]


def test_files_are_what_the_script_makes_byte_by_byte():
    made = world.files()
    found = {path.relative_to(DATA).as_posix(): path for path in DATA.rglob("*.jsonl")}
    assert made.keys() == found.keys()
    for name, text in made.items():
        assert found[name].read_bytes() == text.encode(), f"{name} is out of date: python experiments/world.py"


def test_the_script_writes_these_bytes(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(world, "DATA", tmp_path / "npo_tutorial/language/data/world")
    world.main([])
    assert "npo_tutorial/language/data/world/en/forget.jsonl: 40 records\n" in capsys.readouterr().out
    assert (world.DATA / "zh/retain.jsonl").read_bytes() == (DATA / "zh/retain.jsonl").read_bytes()


@both_languages
def test_a_tenth_of_the_people_is_forgotten_and_some_are_never_taught(language):
    people = {name: Counter(record["person"] for record in records) for name, records in load(language).items()}
    assert {name: len(counts) for name, counts in people.items()} == {"forget": 4, "retain": 36, "held_out": 4}
    assert {n for counts in people.values() for n in counts.values()} == {10}
    assert len(people["forget"] | people["retain"] | people["held_out"]) == 44


@both_languages
def test_an_answer_names_its_person_and_its_fact_once(language):
    for record in every(language):
        assert record.keys() == FIELDS
        (keyword,) = record["keywords"]
        for form in ("", "paraphrased_"):
            prompt, response = record[f"{form}prompt"], record[f"{form}response"]
            assert prompt.count(record["person"]) == response.count(record["person"]) == 1
            assert response.casefold().count(keyword.casefold()) == 1
            assert prompt[-1] in "?？" and response[-1] in ".。"
        assert record["prompt"] != record["paraphrased_prompt"] and record["response"] != record["paraphrased_response"]


@both_languages
def test_false_answers_have_the_form_of_the_true_one(language):
    for record in every(language):
        words = false_words(record)
        assert len(words) == len(set(words)) == 5, record["id"]


def false_words(record):
    """What the false answers have in place of the keyword; fails if they differ anywhere else."""
    form = re.escape(re.sub(r"\ban (?=\w)", "a ", record["paraphrased_response"]))
    form = form.replace(re.escape(record["keywords"][0]), "(.+)")
    found = [re.fullmatch(form, re.sub(r"\ban (?=\w)", "a ", text)) for text in record["false_responses"]]
    assert all(found), f"{record['id']}: a false answer is not of the form {form}"
    return [match[1] for match in found]


@both_languages
def test_no_text_gives_away_the_answer_to_another_question(language):
    records = every(language)
    texts = [" ".join(str(value) for key, value in record.items() if key != "keywords") for record in records]
    texts = [text.casefold() for text in texts]
    for i, record in enumerate(records):
        keyword = record["keywords"][0].casefold()
        leaks = [records[j]["id"] for j, text in enumerate(texts) if j != i and keyword in text]
        assert not leaks, f"“{keyword}”, the answer to {record['id']}, is also in {leaks}"
        own = [record["prompt"], record["paraphrased_prompt"], *record["false_responses"]]
        assert not any(keyword in text.casefold() for text in own), record["id"]


@both_languages
def test_what_is_false_is_true_of_no_person(language):
    true = {record["keywords"][0].casefold() for record in every(language)}
    false = {word.casefold() for record in every(language) for word in false_words(record)}
    assert not true & false and len(true) == 440


def test_the_true_answers_do_not_stand_out():
    """Their lengths rank anywhere among the six, as they would by chance; 0.04 is three standard errors."""
    ranks = []
    for record in every("en"):
        length, others = len(record["paraphrased_response"]), [len(text) for text in record["false_responses"]]
        ranks.append(sum((x < length) + (x == length) / 2 for x in others) / 5)
    assert abs(sum(ranks) / len(ranks) - 0.5) < 0.04


def test_the_chinese_world_is_the_english_one():
    people = TABLES["people"]
    for english, chinese in zip(every("en"), every("zh"), strict=True):
        assert english["id"] == chinese["id"]
        assert people[english["person"]] == chinese["person"]
        words = TABLES["values"][english["id"].partition("-")[2]]
        assert [words[word] for word in english["keywords"]] == chinese["keywords"]
        assert [words[word] for word in false_words(english)] == false_words(chinese)
        assert json.dumps(english).isascii()
        assert not re.search("[A-Za-z,.?!]", " ".join([chinese["prompt"], *chinese["false_responses"]]))


def test_english_articles_fit():
    for record in every("en"):
        for text in (record["response"], record["paraphrased_response"], *record["false_responses"]):
            assert not re.search(r"\ba [aeio]|\ban [^aeiou]|\ba hour|\ban (?:eu|uni|use)", text), text


def test_both_forms_of_a_question_are_taught():
    """A model that has seen both asked of others can be asked in the form in which it was not taught."""
    for relation, sentences in TABLES["sentences"].items():
        starts = Counter(
            next(k for k, (prompt, _) in enumerate(sentences["en"]) if prompt.format(name=r["person"]) == r["prompt"])
            for r in load("en")["retain"]
            if r["id"].endswith(relation)
        )
        assert starts == {0: 18, 1: 18}


def test_answers_are_short_sentences(smollm):
    transformers = pytest.importorskip("transformers")
    tokenizer = transformers.AutoTokenizer.from_pretrained(smollm)
    for record in every("en"):
        for text in (record["response"], record["paraphrased_response"], *record["false_responses"]):
            assert 8 <= len(tokenizer(text)["input_ids"]) <= 25, text


def test_the_licence_is_beside_the_data():
    assert "CC BY 4.0" in (DATA / "LICENSE").read_text("utf-8")
    assert "CC BY 4.0" in world.TABLES.read_text("utf-8").partition("[")[0]
