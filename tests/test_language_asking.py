"""Questions while a model is being trained: what is logged, and that training goes on as without them."""

import math

import pytest
import torch

from npo_tutorial.language import encode
from npo_tutorial.language.evaluation import AskWhileTraining, ask, bootstrap_interval
from tests.test_language_evaluate import OPTIONS, SETS
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
