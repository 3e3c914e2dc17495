"""Questions while a model is being trained: what is logged, and that training goes on as without them."""

import math

import pytest
import torch

from npo_tutorial.language import encode, read_records, write_records
from npo_tutorial.language.evaluation import AskWhileTraining, ask, bootstrap_interval
from npo_tutorial.language.evaluation.callback import _logs
from tests.test_language_evaluate import OPTIONS, SETS, make_records
from tests.tiny_language import make_model, make_tokenizer, make_trainer, parameters

pytestmark = pytest.mark.usefixtures("one_thread", "no_progress_bars")
TOKENIZER = make_tokenizer()


def trainer(tmp_path, **options):
    forget = encode(SETS["forget"], TOKENIZER)
    return make_trainer(tmp_path, make_model().float(), forget, loss="ga", max_steps=4, logging_steps=4, **options)


def test_questions_are_logged_and_training_goes_on_as_without_them(tmp_path):
    without = trainer(tmp_path)
    without.train()
    made = trainer(tmp_path)
    seen = ask(make_model(3).float(), TOKENIZER, SETS, samples=2, **OPTIONS)
    callback = AskWhileTraining(made, TOKENIZER, SETS, every=2, retrained=seen, samples=2, **OPTIONS)
    made.add_callback(callback)
    made.train()
    assert torch.equal(parameters(made.model), parameters(without.model))
    entries = [entry for entry in made.state.log_history if "asked_forget_logp_per_token" in entry]
    assert [entry["step"] for entry in entries] == [step for step, _ in callback.reports] == [2, 4]
    for name in ("forget_rouge_l_recall", "forget_leak@2", "otherwise_logp_per_token", "retain_true_better"):
        assert f"asked_{name}_low" in entries[0]
    # what is logged is what the model answers after the step
    values = ask(made.model, TOKENIZER, SETS, **OPTIONS)["retain"]["logp_per_token"]
    found = [entries[1][f"asked_retain_logp_per_token{end}"] for end in ("", "_low", "_high")]
    assert found == pytest.approx(bootstrap_interval(values))
    # gradient ascent lowers it, and the model before is the one of step 0
    (_, first), (_, last) = callback.reports
    assert first.measured["before"] == ask(make_model().float(), TOKENIZER, callback.sets, samples=2, **OPTIONS)
    rows = [report.found["sets"]["forget"]["rows"][0]["values"] for report in (first, last)]
    assert rows[0]["before"][0] > rows[0]["model"][0] > rows[1]["model"][0]
    assert last.found["overall"] is not None


def test_a_resumed_run_is_compared_with_the_model_before_its_first_step(tmp_path):
    made = trainer(tmp_path, save_strategy="steps", save_steps=2)
    made.train()
    checkpoint = str(next(tmp_path.rglob("checkpoint-2")))
    again = trainer(tmp_path / "again", save_strategy="steps", save_steps=2)
    again.add_callback(AskWhileTraining(again, TOKENIZER, SETS, every=2, **OPTIONS))
    with pytest.raises(ValueError, match=r"^before must be given for a run that is resumed, here after step 2: "):
        again.train(resume_from_checkpoint=checkpoint)
    again = trainer(tmp_path / "third", save_strategy="steps", save_steps=2)
    before = ask(make_model().float(), TOKENIZER, SETS, **OPTIONS)
    callback = AskWhileTraining(again, TOKENIZER, SETS, every=2, before=before, **OPTIONS)
    again.add_callback(callback)
    again.train(resume_from_checkpoint=checkpoint)
    ((step, report),) = callback.reports
    assert step == 4 and report.measured["before"] == before


def test_forget_quality_utility_and_the_verdict_are_logged_as_numbers(tmp_path):
    made = trainer(tmp_path)
    seen = ask(make_model(3).float(), TOKENIZER, SETS, **OPTIONS)
    callback = AskWhileTraining(made, TOKENIZER, SETS, every=4, retrained=seen, **OPTIONS)
    made.add_callback(callback)
    made.train()
    (entry,) = [entry for entry in made.state.log_history if "asked_forget_logp_per_token" in entry]
    assert all(isinstance(value, (int, float)) for value in entry.values())
    ((_, report),) = callback.reports
    for mean, test in report.found["forget_quality"].items():
        name = f"asked_forget_quality_{mean}"
        assert entry[f"{name}_pvalue"] == test["pvalue"] and entry[f"{name}_signed"] == test["signed"]
        assert [entry[f"{name}_signed_low"], entry[f"{name}_signed_high"]] == test["interval"]
    utility = [entry[f"asked_utility{end}"] for end in ("", "_low", "_high")]
    assert utility == report.found["utility"]["values"]["model"]
    assert {name for name in ("too_much", "as_retrained", "too_little") if entry[f"asked_{name}"]} == shown(report)


def shown(report):
    outcome = report.found["overall"]
    return {"too_much", "too_little"} if outcome == "both" else {outcome} - {"undecided", "nothing_to_forget"}


VERDICTS = {
    "too_little": (0, 0, 1),
    "as_retrained": (0, 1, 0),
    "too_much": (1, 0, 0),
    "both": (1, 0, 1),
    "undecided": (0, 0, 0),
    "nothing_to_forget": (0, 0, 0),
}


@pytest.mark.parametrize("overall", VERDICTS)
def test_a_verdict_is_one_number_for_each_fate(overall):
    names = ("asked_too_much", "asked_as_retrained", "asked_too_little")
    assert _logs({"sets": {}, "overall": overall}) == dict(zip(names, VERDICTS[overall], strict=True))
    # without a retrained model there is none
    assert _logs({"sets": {}, "overall": None}) == {}


def answered(n=4, **changed):
    """What `ask` found, as far as it is compared; lists are as long as the sets are."""
    found = {name: {"answer": ["?"] * len(SETS[name])} for name in SETS} | {"otherwise": {"answer": ["?"] * n}}
    return {name: of for name, of in (found | changed).items() if of is not None}


OTHER = [record["prompt"] for record in make_records(4, 30)]
BAD = {
    "an unknown set": (
        {"sets": SETS | {"test": make_records(3)}},
        "sets must have the names 'forget', 'retain', 'held_out', 'translated', got 'test'",
    ),
    "no set to forget": ({"sets": {"retain": make_records(3)}}, "sets must be a dict with the records to forget .*"),
    "one record": ({"sets": {"forget": make_records(1)}}, "forget must have at least 2 records for an interval, got 1"),
    "a record without an answer": (
        {"sets": {"forget": [{"prompt": "?", "response": " a"}] * 2 + [{"prompt": "?"}]}},
        'record 2: the field "response" is missing, .*',
    ),
    "a record that does not fit the model": (
        {"sets": SETS | {"retain": [*make_records(2), {**make_records(1)[0], "response": " x" * 99}]}},
        "record 2 has .* the model has only 128 positions.*",
    ),
    "an empty paraphrase": (
        {"sets": {"forget": [make_records(1)[0], {**make_records(1)[0], "paraphrased_prompt": ""}]}},
        'record 1: "paraphrased_prompt" must be a text, .*',
    ),
    "an option": (
        {"smaples": 3},
        "options must be among four_bits, samples, max_new_tokens, batch_size, seed, max_length, system, "
        "chat_template_kwargs, got smaples",
    ),
    "an option of relearning": ({"learning_rate": 0.1}, "options must be among .*, got learning_rate"),
    "a number": ({"samples": -1}, "samples must be at least 0, got -1"),
    "a size": ({"batch_size": 0}, "batch_size must be at least 1, got 0"),
    "a length": ({"max_length": 1}, "max_length must be at least 2, got 1"),
    "retrained was asked for less": (
        {"retrained": answered(retain=None)},
        "retrained must be what ask found for the sets forget, retain, held_out, otherwise, got forget, held_out, "
        "otherwise",
    ),
    "before was not asked in other words": ({"before": answered(otherwise=None)}, "before must be what ask found .*"),
    "before was not rounded": (
        {"before": answered(), "four_bits": True},
        "before must be what ask found for the sets forget, retain, held_out, otherwise, rounded, got .*",
    ),
    "a report in place of answers": ({"before": 3}, "before must be what ask found for the sets .*, got int"),
    "fewer answers": (
        {"retrained": answered(retain={"answer": ["?"] * 2})},
        "retrained must have an answer to each question of retain in callback.sets, 3, got 2",
    ),
    "other questions": (
        {"before": answered(forget={"answer": ["?"] * 4, "question": OTHER})},
        "before must have answers to the questions of forget in callback.sets, such as 'Where was 0 born\\?', got one "
        "to 'Where was 30 born\\?'",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_what_is_wrong_is_said_before_training(tmp_path, case):
    given, message = BAD[case]
    options = {"sets": SETS, "every": 2, **OPTIONS} | given
    with pytest.raises(ValueError, match=f"^{message}$"):
        AskWhileTraining(trainer(tmp_path), TOKENIZER, **options)


def test_questions_of_a_file_keep_their_lines(tmp_path):
    records = [*make_records(6), {**make_records(1)[0], "response": " x" * 99}]
    write_records(tmp_path / "forget.jsonl", records)
    sets = {"forget": read_records(tmp_path / "forget.jsonl")}
    with pytest.raises(ValueError, match=r"forget\.jsonl, line 7 has \d+ tokens"):
        AskWhileTraining(trainer(tmp_path), TOKENIZER, sets, every=2, questions=4)


def test_answers_to_the_questions_of_the_callback_are_taken(tmp_path):
    many = {name: records * 2 for name, records in SETS.items()}
    questions = AskWhileTraining(trainer(tmp_path), TOKENIZER, many, every=2, questions=3).sets
    seen = ask(make_model(3).float(), TOKENIZER, questions, **OPTIONS)
    assert seen["forget"]["question"] == [record["prompt"] for record in questions["forget"]]
    assert seen["otherwise"]["question"] == [record["paraphrased_prompt"] for record in questions["forget"]]
    options = {"every": 2, "before": seen, "retrained": seen}
    AskWhileTraining(trainer(tmp_path), TOKENIZER, many, questions=3, **options)
    # as many, but not the same ones
    other = {name: records[1:] + records[:1] for name, records in many.items()}
    with pytest.raises(ValueError, match=r"^retrained must have answers to the questions of forget"):
        AskWhileTraining(trainer(tmp_path), TOKENIZER, other, questions=3, **options)


def test_some_questions_of_each_set_are_asked(tmp_path):
    many = {name: records * 30 for name, records in SETS.items()}
    callback = AskWhileTraining(trainer(tmp_path), TOKENIZER, many, every=2, questions=50)
    for name, records in many.items():
        step = math.ceil(len(records) / 50)
        assert callback.sets[name] == records[::step] and len(callback.sets[name]) <= 50
    with pytest.raises(ValueError, match=r"^questions must be at least 2, got 1$"):
        AskWhileTraining(trainer(tmp_path), TOKENIZER, many, every=2, questions=1)
    with pytest.raises(ValueError, match=r"^relearning_steps must be left out while a model is trained"):
        AskWhileTraining(trainer(tmp_path), TOKENIZER, many, every=2, relearning_steps=3)
    with pytest.raises(ValueError, match=r"^every must be at least 1, got 0$"):
        AskWhileTraining(trainer(tmp_path), TOKENIZER, many, every=0)
