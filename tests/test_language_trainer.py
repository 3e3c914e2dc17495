"""language/trainer.py and reference.py against hand-written loops, and against TRL and Liger Kernel."""

import copy
import math
import os
import re

import numpy as np
import pytest
import torch
import transformers
from torch.nn.functional import logsigmoid

from npo_tutorial import dpo_loss, npo_loss
from npo_tutorial.language import (
    OBJECTIVES,
    NPOConfig,
    NPOTrainer,
    encode,
    precompute_reference,
    response_lengths,
    sequence_logp,
)
from npo_tutorial.language.batches import pad
from npo_tutorial.language.config import RETAIN_TERMS
from tests.conftest import nightly
from tests.tiny_language import (
    FORGET,
    LEARNING_RATE,
    RETAIN,
    logged,
    make_datasets,
    make_model,
    make_tokenizer,
    make_trainer,
    many_datasets,
    other_model,
    parameters,
    plain_logp,
    token_log_softmax,
)

pytestmark = pytest.mark.usefixtures("no_progress_bars", "one_thread")
N_STEPS = 5


@pytest.fixture
def train(tmp_path):
    """Trains a model; returns the trainer."""

    def run(model, forget, resume=None, n_steps=N_STEPS, **options):
        trainer = make_trainer(tmp_path / "run", model, forget, max_steps=n_steps or 1, **options)
        if n_steps:
            trainer.train(resume_from_checkpoint=resume)
        return trainer

    return run


# Against a hand-written loop -----------------------------------------------------------------------------------------


def plain_forget_loss(loss, model, ref, item, beta, gamma):
    """The formula for one sample, as printed in the paper, with two models side by side."""

    def log_ratio(prefix=""):
        sequence = item[f"{prefix}input_ids"], item[f"{prefix}labels"]
        with torch.no_grad():
            # references are kept in float32, whatever the model
            ref_logp = plain_logp(ref, *sequence).float()
        return plain_logp(model, *sequence) - ref_logp

    sequence = item["input_ids"], item["labels"]
    logp = plain_logp(model, *sequence)
    length = sum(label >= 0 for label in item["labels"])
    log_softmax, targets = token_log_softmax(model, *sequence)
    tokens = log_softmax.gather(-1, targets[:, None])[:, 0]
    with torch.no_grad():
        ref_log_softmax, _ = token_log_softmax(ref, *sequence)
        ref_tokens = ref_log_softmax.gather(-1, targets[:, None])[:, 0].float()

    def undial():
        lowered = ref_log_softmax - beta * torch.nn.functional.one_hot(targets, log_softmax.shape[-1])
        return -(lowered.softmax(-1) * log_softmax).sum()

    return {
        "ga": lambda: logp,
        "npo": lambda: -2 / beta * logsigmoid(-beta * log_ratio()),
        "dpo": lambda: -1 / beta * logsigmoid(beta * (log_ratio("chosen_") - log_ratio())),
        "simnpo": lambda: -2 / beta * logsigmoid(-beta / length * logp - gamma),
        "wga": lambda: (tokens.detach().exp() ** beta * tokens).sum(),
        "tnpo": lambda: -2 / beta * logsigmoid(-beta * (tokens - ref_tokens)).sum(),
        "undial": undial,
    }[loss]()


def plain_retain_loss(term, model, ref, item):
    sequence = item["input_ids"], item["labels"]
    log_p, targets = token_log_softmax(model, *sequence)
    if term == "cross_entropy":
        return torch.nn.functional.nll_loss(log_p, targets)
    with torch.no_grad():
        log_q, _ = token_log_softmax(ref, *sequence)
    first, second = (log_q, log_p) if term == "kl_ref_model" else (log_p, log_q)
    return (first.exp() * (first - second)).sum(-1).mean()


def plain_training(model, ref, forget, retain, loss, term, weight, beta, gamma, n_steps):
    """The loop a student would write: no padding, no batch, two models; returns the losses of all steps."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=LEARNING_RATE, weight_decay=0.0)
    losses = []
    for _ in range(n_steps):
        optimizer.zero_grad()
        value = sum(plain_forget_loss(loss, model, ref, item, beta, gamma) for item in forget) / len(forget)
        if term is not None:
            value += weight * sum(plain_retain_loss(term, model, ref, item) for item in retain) / len(retain)
        value.backward()
        optimizer.step()
        losses.append(value.item())
    return losses


# NPO with every term, and every other loss with one of them by turns; all pairs at night
TERMS = [None, *RETAIN_TERMS]
PAIRS = [(loss, term) for loss in OBJECTIVES for term in TERMS]
BY_DAY = [pair for i, pair in enumerate(PAIRS) if pair[0] == "npo" or i % (len(TERMS) + 1) == 0]


@pytest.mark.parametrize(("loss", "term"), [*BY_DAY, *nightly(*(pair for pair in PAIRS if pair not in BY_DAY))])
def test_every_step_equals_that_of_a_hand_written_loop(train, loss, term):
    model, ref = other_model(), make_model()
    forget, retain = make_datasets(chosen=loss == "dpo")
    precompute_reference(ref, forget)
    beta, gamma = {"ga": (None, None), "simnpo": (2.5, 0.4), "undial": (3.0, None)}.get(loss, (0.3, None))
    options = {"loss": loss, "beta": beta, "gamma": gamma}
    plain = copy.deepcopy(model)
    expected = plain_training(plain, ref, forget, retain, loss, term, 0.7, beta, gamma, N_STEPS)
    if term is not None:
        options |= {"retain_dataset": retain, "retain_term": term, "retain_weight": 0.7}
    if term in RETAIN_TERMS[1:] or loss == "undial":
        options["ref_model"] = copy.deepcopy(ref)
    start = parameters(model)
    trainer = train(model, forget, **options)
    # the Trainer adds up losses in float32
    np.testing.assert_allclose(logged(trainer), expected, rtol=1e-6)
    torch.testing.assert_close(parameters(model), parameters(plain), rtol=0, atol=1e-9)
    assert (parameters(model) - start).abs().max() > LEARNING_RATE
    if "ref_model" in options:
        torch.testing.assert_close(parameters(options["ref_model"]), parameters(ref), rtol=0, atol=0)


def test_at_the_reference_the_weight_is_one_and_the_loss_log_two(train):
    model = make_model(dtype=torch.float32)
    forget, _ = make_datasets(chosen=True)
    precompute_reference(model, forget)
    for loss, weight, factor in (("npo", 1, 2), ("dpo", 0.5, 1)):
        trainer = train(copy.deepcopy(model), forget, n_steps=1, loss=loss, beta=0.2)
        assert logged(trainer)[0] == pytest.approx(factor / 0.2 * math.log(2), rel=1e-5)
        assert logged(trainer, "mean_weight")[0] == pytest.approx(weight, rel=1e-5)
        assert logged(trainer, "fraction_forgotten") == [0]


def test_a_retain_term_of_weight_0_has_no_effect(train):
    forget, retain = make_datasets()
    with_none, with_zero = make_model(), make_model()
    train(with_none, forget, loss="ga")
    with pytest.warns(UserWarning, match="retain_dataset has no effect with retain_weight=0"):
        train(with_zero, forget, loss="ga", retain_dataset=retain, retain_weight=0)
    torch.testing.assert_close(parameters(with_zero), parameters(with_none), rtol=0, atol=1e-12)


# Micro-batches, epochs, checkpoints ----------------------------------------------------------------------------------


@pytest.mark.parametrize("n_forget", [8, 6])
def test_micro_batches_change_nothing(train, n_forget):
    # 6 samples in micro-batches of 4 and 2, for which a mean of means would differ
    forget, retain = many_datasets(n_forget)
    one, two = other_model(), other_model()
    options = {"loss": "npo", "beta": 0.3, "retain_dataset": retain}
    whole = train(one, forget, **options)
    split = train(two, forget, per_device_train_batch_size=4, gradient_accumulation_steps=2, **options)
    for name in ("loss", "forget_logp_per_token", "retain_logp_per_token", "mean_weight", "fraction_forgotten"):
        # logs are added up in float32
        np.testing.assert_allclose(logged(split, name), logged(whole, name), rtol=1e-6)
    torch.testing.assert_close(parameters(two), parameters(one), rtol=0, atol=1e-10)


def test_a_smaller_last_batch_has_a_mean_of_its_own(train):
    # one sample in the second step of the epoch; with a learning rate of 0 only the order matters
    forget, _ = many_datasets(5)
    trainer = train(
        make_model(), forget, n_steps=2, loss="ga", per_device_train_batch_size=4, learning_rate=0.0, optim="sgd"
    )
    each = [item["ref_logp"] for item in forget]
    four, one = logged(trainer)
    assert any(one == pytest.approx(logp, rel=1e-6) for logp in each)
    assert 4 * four + one == pytest.approx(sum(each), rel=1e-6)


def test_a_resumed_run_equals_an_uninterrupted_one(train, tmp_path):
    # in the middle of the second epoch; the retain set is longer than an epoch
    forget, retain = many_datasets(8, 11)
    options = {"loss": "npo", "beta": 0.3, "retain_dataset": retain, "per_device_train_batch_size": 4}
    through, resumed = other_model(), other_model()
    options |= {"save_strategy": "steps", "save_steps": 3}
    whole = train(through, forget, n_steps=6, **options)
    rest = train(resumed, forget, n_steps=6, resume=str(tmp_path / "run/checkpoint-3"), **options)
    assert rest.state.global_step == 6
    for name in ("loss", "retain_logp_per_token", "mean_weight"):
        assert logged(rest, name) == logged(whole, name) and len(logged(rest, name)) == 6
    assert torch.equal(parameters(resumed), parameters(through))


# Metrics -------------------------------------------------------------------------------------------------------------


def plain_metrics(model, forget, retain, beta):
    logp = [plain_logp(model, item["input_ids"], item["labels"]).item() for item in forget]
    lengths = [sum(label >= 0 for label in item["labels"]) for item in forget]
    log_ratios = np.array(logp) - [item["ref_logp"] for item in forget]
    return {
        "forget_logp_per_token": np.mean(np.divide(logp, lengths)),
        "mean_weight": np.mean(2 / (1 + np.exp(-beta * log_ratios))),
        "fraction_forgotten": np.mean(np.exp(log_ratios / lengths) <= 0.1),
        "retain_logp_per_token": np.mean([-plain_retain_loss("cross_entropy", model, None, x).item() for x in retain]),
    }


def test_the_log_describes_the_model_before_each_step(train):
    model = other_model()
    forget, retain = make_datasets()
    precompute_reference(make_model(), forget)
    forget[0]["ref_logp"] = -1.0  # much more probable under the reference, so it counts as forgotten
    expected = plain_metrics(model, forget, retain, 0.3)
    assert expected["fraction_forgotten"] == 0.25
    trainer = train(model, forget, n_steps=1, loss="npo", beta=0.3, retain_dataset=retain)
    entry = trainer.state.log_history[0]
    for name, value in expected.items():
        assert entry[name] == pytest.approx(value, rel=1e-5), name


def test_entries_of_several_steps_are_averages(train):
    forget, _ = many_datasets(4)
    each = train(make_model(), forget, n_steps=4, loss="npo", beta=0.3)
    pairs = train(make_model(), forget, n_steps=4, loss="npo", beta=0.3, logging_steps=2)
    for name in ("loss", "forget_logp_per_token", "mean_weight"):
        one_by_one = np.array(logged(each, name)).reshape(2, 2).mean(axis=1)
        np.testing.assert_allclose(logged(pairs, name), one_by_one, rtol=1e-6)


def test_weights_of_the_other_losses(train):
    model = other_model()
    forget, _ = make_datasets(chosen=True)
    precompute_reference(make_model(), forget)
    logp, chosen = (
        np.array([plain_logp(model, x[f"{p}input_ids"], x[f"{p}labels"]).item() for x in forget])
        for p in ("", "chosen_")
    )
    lengths = np.array([sum(label >= 0 for label in item["labels"]) for item in forget])
    log_ratio = logp - [item["ref_logp"] for item in forget]
    margin = (chosen - [item["chosen_ref_logp"] for item in forget]) - log_ratio
    expected = {
        "ga": 1,
        "dpo": np.mean(1 / (1 + np.exp(0.3 * margin))),
        "simnpo": np.mean(2 / (1 + np.exp(-0.3 * logp / lengths - 0.4))),
    }
    for loss, weight in expected.items():
        options = {} if loss == "ga" else {"beta": 0.3} | ({"gamma": 0.4} if loss == "simnpo" else {})
        trainer = train(copy.deepcopy(model), forget, n_steps=1, loss=loss, **options)
        assert logged(trainer, "mean_weight")[0] == pytest.approx(weight, rel=1e-5), loss
        # references are there, so the fraction is logged whatever the loss
        assert "fraction_forgotten" in trainer.state.log_history[0]
    without = train(model, make_datasets()[0], n_steps=1, loss="ga")
    assert "fraction_forgotten" not in without.state.log_history[0]


# Errors --------------------------------------------------------------------------------------------------------------


def test_bad_arguments_are_named(train):
    forget, retain = make_datasets()
    with_ref = precompute_reference(make_model(), make_datasets()[0])
    model = make_model()
    kl = {"retain_dataset": retain, "retain_term": "kl_ref_model"}
    cases = [
        ({"retain_term": "kl_ref_model"}, "retain_term must be 'cross_entropy' without a retain_dataset, got 'kl_ref"),
        ({"retain_weight": 2.0}, "retain_weight must be 1.0 without a retain_dataset, got 2.0"),
        ({"retain_reduction": "tokens"}, "retain_reduction must be 'samples' without a retain_dataset, got 'tokens'"),
        ({"forget_reduction": "tokens"}, "forget_reduction must be 'samples' with loss='npo', which is not a sum over"),
        (kl, "ref_model must be given for retain_term='kl_ref_model', which needs its logits at every step: load the"),
        ({"loss": "undial"}, "ref_model must be given for loss='undial', which needs its logits"),
        (kl | {"ref_model": model}, "ref_model must not share weights with model, which is being trained: load it"),
        ({"ref_model": make_model()}, "ref_model must be None unless the loss or the retain term needs its logits"),
        (
            {"ref_model": make_model(), "retain_dataset": retain},
            "ref_model must be None unless the loss or the retain term needs its logits",
        ),
        ({"retain_dataset": []}, "retain_dataset must not be empty, got no sample"),
        ({"eval_dataset": []}, "eval_dataset must not be empty, got no sample"),
        ({"eval_dataset": {"held_out": []}}, "eval_dataset['held_out'] must not be empty, got no sample"),
        ({"eval_dataset": forget}, "eval_dataset must have 'ref_logp' for loss='npo': precompute_reference("),
        ({"loss": "tnpo"}, "forget_dataset must have 'ref_token_logp' for loss='tnpo': precompute_reference("),
        ({"loss": "dpo"}, "forget_dataset must have 'chosen_input_ids' for loss='dpo': encode(…, chosen=True)"),
        ({"retain_dataset": [{"input_ids": [1, 2]}]}, "retain_dataset must have 'labels': encode("),
        (
            {"dataloader_drop_last": True, "per_device_train_batch_size": 5},
            "dataloader_drop_last must be False for fewer than 5 forget samples, which make no batch, got 4",
        ),
    ]
    for item in with_ref:
        del item["ref_token_logp"]
    for options, message in cases:
        with pytest.raises(ValueError, match=re.escape(message)):
            train(model, with_ref, n_steps=0, **options)
    for bad, message in (
        ([], "forget_dataset must not be empty, got no sample"),
        (
            forget,
            "forget_dataset must have 'ref_logp' for loss='npo': precompute_reference(model, dataset) writes it, ",
        ),
        ([with_ref[0], forget[1]], "got record, input_ids, labels in sample 1"),
        ([{}], "forget_dataset must have 'input_ids'"),
    ):
        with pytest.raises(ValueError, match=re.escape(message)):
            train(model, bad, n_steps=0)
    with pytest.raises(TypeError, match="forget_dataset must be a list of samples, as encode makes them, got dict"):
        train(model, forget[0], n_steps=0, per_device_train_batch_size=1)
    # ... and the model was not frozen in between
    assert all(p.requires_grad for p in model.parameters())


# a sample's field, and what it must be
SPOILT = {
    "input_ids": ([999], "forget_dataset: record 1 has token 999, but the model has only 260: use the model's own"),
    "labels": (
        [-100],
        "forget_dataset must have a response, whose labels are its tokens, got 'labels' that are all -100",
    ),
    "ref_logp": (None, "forget_dataset must have finite numbers as 'ref_logp', got None in sample 1"),
    "ref_token_logp": (-1.0, "forget_dataset must have 4 numbers, one for each token of the response, as 'ref_token_"),
}


@pytest.mark.parametrize("name", SPOILT)
def test_a_sample_that_cannot_be_used_is_named_with_its_dataset(train, name):
    forget, _ = many_datasets(4)
    value, message = SPOILT[name]
    n = len(forget[1]["labels"])
    forget[1][name] = value * n if isinstance(value, list) else value
    with pytest.raises(ValueError, match=re.escape(message)):
        train(make_model(), forget, n_steps=0)
    with pytest.raises(ValueError, match=re.escape(message.replace("forget_dataset", "eval_dataset['held_out']"))):
        train(make_model(), many_datasets(4)[0], n_steps=0, eval_dataset={"held_out": forget})


def test_a_sample_has_a_label_for_each_token_and_fits_the_model(train):
    forget, _ = many_datasets(4)
    forget[3]["labels"] = forget[3]["labels"][:1]
    with pytest.raises(ValueError, match="a label for each of its 17 tokens in 'labels', got 1 in sample 3"):
        train(make_model(), forget, n_steps=0)
    long = encode([{"prompt": 200 * "a", "response": " b"}], make_tokenizer())
    with pytest.raises(
        ValueError, match="retain_dataset: record 0 has 204 tokens, but the model has only 128 position"
    ):
        train(make_model(), many_datasets(4)[0], n_steps=0, retain_dataset=long)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("input_ids", -3, "must have tokens, integers of at least 0 in 'input_ids', got -3 in sample 2"),
        ("input_ids", -100, "must have tokens, integers of at least 0 in 'input_ids', got -100 in sample 2"),
        ("input_ids", 1.0, "must have tokens, integers of at least 0 in 'input_ids', got 1.0 in sample 2"),
        ("labels", -1, "must have tokens, integers of at least 0, or -100, in 'labels', got -1 in sample 2"),
        ("labels", "a", "must have tokens, integers of at least 0, or -100, in 'labels', got 'a' in sample 2"),
        ("chosen_input_ids", -3, "must have tokens, integers of at least 0 in 'chosen_input_ids', got -3 in sample 2"),
        ("chosen_labels", -2, "must have tokens, integers of at least 0, or -100, in 'chosen_labels', got -2 in sam"),
    ],
)
def test_a_token_that_no_model_has_is_named(train, field, value, message):
    forget, retain = make_datasets(chosen=True)
    spoilt = copy.deepcopy(forget)
    spoilt[2][field][-1] = value
    with pytest.raises(ValueError, match=f"^forget_dataset {re.escape(message)}"):
        train(make_model(), spoilt, n_steps=0, loss="ga")
    with pytest.raises(ValueError, match=f"^dataset {re.escape(message)}"):
        precompute_reference(make_model(), spoilt)
    with pytest.raises(ValueError, match=f"^retain_dataset {re.escape(message)}"):
        train(make_model(), forget, n_steps=0, loss="ga", retain_dataset=spoilt)
    # integers of NumPy are integers
    for item in retain:
        item["input_ids"] = list(np.array(item["input_ids"]))
    train(make_model(), forget, n_steps=1, loss="ga", retain_dataset=retain)


def test_a_model_that_is_made_later_is_checked_when_it_is_made(train):
    forget, retain = many_datasets(4)
    high, kl = copy.deepcopy(forget), {"retain_dataset": retain, "retain_term": "kl_ref_model"}
    high[1]["input_ids"][0] = 999
    long = encode([{"prompt": 200 * "a", "response": " b"}], make_tokenizer())
    config = copy.deepcopy(make_model().config)
    config.vocab_size = 300
    made = make_model()
    for samples, options, message in (
        (high, {}, "forget_dataset: record 1 has token 999, but the model has only 260"),
        (forget, {"retain_dataset": long}, "retain_dataset: record 0 has 204 tokens, but the model has only 128 posi"),
        (forget, {"eval_dataset": high}, "eval_dataset: record 1 has token 999"),
        (forget, {"eval_dataset": {"other": long}}, "eval_dataset['other']: record 0 has 204 tokens"),
        (forget, kl, "ref_model must be given for retain_term='kl_ref_model'"),
        (forget, kl | {"ref_model": transformers.LlamaForCausalLM(config)}, "ref_model must have the vocabulary of mo"),
        (forget, kl | {"ref_model": made, "model_init": lambda: made}, "ref_model must not share weights with model"),
    ):
        with pytest.raises(ValueError, match=f"^{re.escape(message)}"):
            train(None, samples, n_steps=0, **{"model_init": lambda: make_model()} | options)
    # the same run as with a model that is there
    found = []
    for model, options in ((make_model(), {}), (None, {"model_init": lambda: make_model()})):
        trainer = train(model, forget, n_steps=2, ref_model=other_model(), **kl, **options)
        found.append(logged(trainer))
        # what is evaluated later has the sizes of the model, too
        with pytest.raises(ValueError, match=r"^test_dataset: record 1 has token 999"):
            trainer.predict(high)
    assert found[0] == found[1]


def test_a_model_that_cannot_be_trained_is_named(train):
    forget, retain = many_datasets(4)
    nan = make_model()
    nan.lm_head.weight.data[5, 5] = math.nan
    for model, error, message in (
        ("m", TypeError, "model must be a PyTorch module, got str 'm': load it by from_pretrained"),
        (make_model().requires_grad_(False), ValueError, "model must have weights to train, got only frozen ones"),
        (make_model(dtype=torch.float16), ValueError, "model must not have float16 weights that are trained, because"),
        (nan, ValueError, "model must have finite weights, got nan or inf in lm_head.weight"),
    ):
        with pytest.raises(error, match=f"^{message}"):
            train(model, forget, n_steps=0)
    with pytest.warns(
        UserWarning, match="about 100% of the weights will not move: at learning_rate=1e-09 a step is lo"
    ):
        train(make_model(dtype=torch.bfloat16), forget, n_steps=0, learning_rate=1e-9)
    kl = {"retain_dataset": retain, "retain_term": "kl_ref_model"}
    with pytest.raises(TypeError, match=r"^ref_model must be a PyTorch module, got str 'm': load it by from"):
        train(make_model(), forget, n_steps=0, ref_model="m", **kl)
    config = copy.deepcopy(make_model().config)
    config.vocab_size = 300
    with pytest.raises(ValueError, match=r"^ref_model must have the vocabulary of model, 260 tokens, got 300"):
        train(make_model(), forget, n_steps=0, ref_model=transformers.LlamaForCausalLM(config), **kl)


def test_arguments_without_effect_or_meaning_are_named(train):
    forget, _ = many_datasets(4)
    for options, error, message in (
        ({"eval_dataset": {}}, ValueError, "eval_dataset must not be empty, got no set"),
        ({"eval_strategy": "epoch"}, ValueError, "eval_dataset must be given with an eval_strategy, got None"),
        (
            {"eval_dataset": "forget"},
            TypeError,
            "eval_dataset must be a list of samples, as encode makes them, got str",
        ),
        (
            {"objective": lambda x: x.logp, "loss": "dpo"},
            ValueError,
            "loss must be left out with an objective, which takes its place, got 'dpo'",
        ),
        (
            {"objective": lambda x: None, "n_steps": 1},
            TypeError,
            "objective must return a tensor of 4 losses, got None",
        ),
    ):
        with pytest.raises(error, match=f"^{message}"):
            train(make_model(), forget, **{"n_steps": 0} | options)


def test_a_checkpoint_of_another_run_is_refused(train):
    forget, _ = many_datasets(4)
    saving = {"save_strategy": "steps", "save_steps": 2}
    train(make_model(), forget, n_steps=2, loss="ga", **saving)
    for options, message in (
        ({"loss": "npo"}, "got one with loss='ga', not 'npo'"),
        ({"loss": "ga", "learning_rate": 1e-4}, "got one with learning_rate=0.003, not 0.0001"),
    ):
        with pytest.raises(
            ValueError, match=f"^resume_from_checkpoint must be a checkpoint of the same run, {message}"
        ):
            train(make_model(), forget, n_steps=4, resume=True, **saving, **options)
    # what decides no step may differ
    longer = {"per_device_train_batch_size": 2, "gradient_accumulation_steps": 2, "logging_steps": 2}
    assert train(make_model(), forget, n_steps=4, resume=True, loss="ga", **saving, **longer).state.global_step == 4


def test_arguments_that_are_elsewhere_are_named(tmp_path):
    forget, _ = many_datasets(4)
    args = transformers.TrainingArguments(output_dir=str(tmp_path), use_cpu=True)
    message = "args must be an NPOConfig, got TrainingArguments: NPOConfig has the same arguments and those of the loss"
    with pytest.raises(TypeError, match=message):
        NPOTrainer(make_model(), args, forget_dataset=forget)
    for name, remedy in (("beta", "args=NPOConfig(beta=…)"), ("compute_loss_func", "objective")):
        with pytest.raises(TypeError, match=re.escape(f"{name} is not an argument of NPOTrainer: use {remedy}")):
            NPOTrainer(make_model(), forget_dataset=forget, **{name: 0.1})


@pytest.mark.parametrize("loss", ["npo", "ga", "simnpo", *nightly(*sorted({*OBJECTIVES} - {"npo", "ga", "simnpo"}))])
def test_beta_is_that_of_the_loss_unless_given(train, loss):
    beta = {"npo": 0.1, "dpo": 0.1, "ga": None, "simnpo": 2.5, "wga": 1.0, "tnpo": 1.0, "undial": 10.0}[loss]
    forget, _ = make_datasets(chosen=True)
    precompute_reference(other_model(), forget)
    options = {"loss": loss, "n_steps": 1}
    if loss == "undial":
        options["ref_model"] = make_model()
    default, given = (train(make_model(), forget, **options, beta=x) for x in (None, beta))
    assert logged(default) == logged(given)
    if beta is not None:
        other = train(make_model(), forget, **options, beta=0.1 * beta)
        assert logged(default) != logged(other)


def test_the_caller_s_arguments_do_not_change(tmp_path):
    forget, _ = many_datasets(4)
    args = NPOConfig(output_dir=str(tmp_path), accelerator_config={"even_batches": True})
    before, config = args.to_dict(), copy.deepcopy(args.accelerator_config)
    trainer = NPOTrainer(make_model(), args, forget_dataset=forget, eval_dataset=forget)
    assert trainer.args is not args
    trainer.args.accelerator_config.even_batches = False
    assert args.to_dict() == before and args.accelerator_config == config


@pytest.mark.parametrize("loss", ["ga", "simnpo"])
def test_references_for_some_samples_only_are_rejected(train, loss):
    forget, _ = make_datasets()
    forget[2]["ref_logp"] = -1.0
    with pytest.raises(ValueError, match=re.escape("forget_dataset must have 'ref_logp' in all samples or in none")):
        train(make_model(), forget, n_steps=0, loss=loss)


# References ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("batch_size", [1, 3, 8])
def test_references_equal_the_log_probs_of_single_samples(batch_size):
    model = make_model()
    forget, _ = make_datasets(chosen=True)
    assert precompute_reference(model, forget, batch_size=batch_size) is forget
    for item in forget:
        for prefix, name in (("", "ref_logp"), ("chosen_", "chosen_ref_logp")):
            expected = plain_logp(model, item[f"{prefix}input_ids"], item[f"{prefix}labels"]).item()
            assert item[name] == pytest.approx(expected, rel=1e-12)
        log_softmax, targets = token_log_softmax(model, item["input_ids"], item["labels"])
        of_tokens = log_softmax[range(len(targets)), targets].tolist()
        assert item["ref_token_logp"] == pytest.approx(of_tokens, rel=1e-12)
    # again with another model
    precompute_reference(other_model(), forget, batch_size=batch_size)
    assert all(
        item["ref_logp"] != pytest.approx(plain_logp(model, item["input_ids"], item["labels"]).item())
        for item in forget
    )


class Dropout(torch.nn.Module):
    """A "model" that asserts that it is called in evaluation mode, or fails."""

    def __init__(self, fails=False):
        super().__init__()
        self.fails, self.weight = fails, torch.nn.Parameter(torch.zeros(260))

    def forward(self, input_ids, attention_mask):
        assert not self.training and not torch.is_grad_enabled()
        if self.fails:
            raise RuntimeError("out of memory")
        return transformers.utils.ModelOutput(logits=self.weight.expand(*input_ids.shape, 260))


@pytest.mark.parametrize("training", [True, False])
def test_the_training_mode_of_the_model_is_restored(training):
    model = Dropout().train(training)
    (item, *_) = precompute_reference(model, make_datasets()[0])
    assert item["ref_logp"] == pytest.approx(-6 * math.log(260), rel=1e-6)
    assert model.training is training
    broken = Dropout(fails=True).train(training)
    with pytest.raises(RuntimeError, match="out of memory"):
        precompute_reference(broken, make_datasets()[0])
    assert broken.training is training


def test_datasets_and_models_without_a_reference_are_rejected():
    forget, _ = make_datasets()
    model = Dropout()
    with pytest.raises(ValueError, match="dataset must not be empty, got no sample"):
        precompute_reference(model, [])
    for bad, kind in (
        (tuple(forget), "tuple"),
        ([{"input_ids": [1]}], "list"),
        ({"labels": [1]}, "dict"),
        (None, "NoneType"),
    ):
        with pytest.raises(TypeError, match=f"dataset must be a list of dictionaries as encode makes them, got {kind}"):
            precompute_reference(model, bad)
    with pytest.raises(TypeError, match="model must be a PyTorch module, got str 'model'"):
        precompute_reference("model", forget)
    with pytest.raises(ValueError, match="batch_size must be at least 1, got 0"):
        precompute_reference(model, forget, batch_size=0)
    spoilt = make_datasets()[0]
    spoilt[0]["input_ids"][0] = 999
    with pytest.raises(
        ValueError, match="dataset: record 0 has token 999, but the model has only 260: use the model's"
    ):
        precompute_reference(make_model(), spoilt)
    for value, shown in ((math.nan, "nan"), (-math.inf, "0")):
        with torch.no_grad():
            # the tokens of "Ann."
            model.weight[make_tokenizer()(" Ann.", add_special_tokens=False)["input_ids"][1]] = value
        with pytest.raises(
            ValueError, match=f"the model can give, got probability {shown} for that of sample [01]: ch"
        ):
            precompute_reference(model, forget)


# Other people's code -------------------------------------------------------------------------------------------------


# TRL uses names that Transformers has renamed
@pytest.mark.filterwarnings("ignore:.*gradient_checkpointing.*is deprecated:FutureWarning")
def test_dpo_trains_as_trl_does(train, tmp_path):
    from datasets import Dataset
    from trl import DPOConfig, DPOTrainer

    beta = 0.3
    records = [record | {"chosen": " I don't know."} for record in FORGET]
    model, theirs, ref = other_model(torch.float32), other_model(torch.float32), make_model(dtype=torch.float32)
    data = Dataset.from_list(
        [{"prompt": r["prompt"], "chosen": r["chosen"], "rejected": r["response"]} for r in records]
    )
    tokenizer = make_tokenizer()
    args = DPOConfig(
        output_dir=str(tmp_path / "trl"),
        beta=beta,
        max_steps=3,
        per_device_train_batch_size=4,
        optim="sgd",
        learning_rate=0.01,
        lr_scheduler_type="constant",
        max_grad_norm=0.0,
        logging_steps=1,
        save_strategy="no",
        use_cpu=True,
        bf16=False,
        dataloader_pin_memory=False,
        disable_tqdm=True,
        report_to="none",
    )
    trainer = DPOTrainer(
        theirs, ref_model=copy.deepcopy(ref), args=args, train_dataset=data, processing_class=tokenizer
    )
    trainer.remove_callback(transformers.PrinterCallback)
    trainer.train()

    forget = precompute_reference(ref, encode(records, tokenizer, chosen=True))
    # TRL's loss has no 1/β, so our gradients are larger by that factor
    ours = train(model, forget, n_steps=3, loss="dpo", beta=beta, optim="sgd", learning_rate=0.01 * beta)
    np.testing.assert_allclose(np.multiply(logged(ours), beta), logged(trainer), rtol=1e-4)
    torch.testing.assert_close(parameters(model), parameters(theirs), rtol=0, atol=1e-6)
    assert (parameters(model) - parameters(other_model(torch.float32))).abs().max() > 1e-3


@pytest.fixture
def liger():
    """Liger Kernel's chunked losses; without them tests are skipped with a reason, and under CI=true they fail."""
    try:
        from liger_kernel import chunked_loss
    except ImportError as error:
        reason = f"Liger Kernel cannot be imported (it needs Linux and Triton): {error}"
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(reason)
    return chunked_loss


@pytest.mark.parametrize("beta", [0.05, 0.5, 3.0])
def test_losses_are_those_of_liger_kernel(liger, rng, beta):
    from liger_kernel.chunked_loss.dpo_loss import LigerFusedLinearDPOFunction

    chosen, rejected, ref_chosen, ref_rejected = (torch.tensor(-rng.exponential(20, 9)) for _ in range(4))
    zero, pairs = torch.zeros(9, dtype=torch.float64), torch.zeros(18, 1)

    def theirs(*arguments):
        chosen, rejected, ref_chosen, ref_rejected = arguments
        return LigerFusedLinearDPOFunction.preference_loss_fn(
            chosen, rejected, pairs, ref_chosen_logps=ref_chosen, ref_rejected_logps=ref_rejected, beta=beta
        )[0]

    # NPO is DPO without its chosen responses, doubled
    npo = npo_loss(rejected, ref_rejected, beta=beta)
    torch.testing.assert_close(npo, 2 / beta * theirs(zero, rejected, zero, ref_rejected), rtol=1e-12, atol=0)
    arguments = chosen, rejected, ref_chosen, ref_rejected
    torch.testing.assert_close(dpo_loss(*arguments, beta=beta), theirs(*arguments) / beta, rtol=1e-12, atol=0)


def test_loss_and_gradient_from_hidden_states_are_those_of_liger_kernel(liger):
    forget, _ = make_datasets(chosen=True)
    model, ref = other_model(torch.float32), make_model(dtype=torch.float32)
    rows = [(x["chosen_input_ids"], x["chosen_labels"]) for x in forget] + [
        (x["input_ids"], x["labels"]) for x in forget
    ]
    batch = pad(rows)
    labels = batch.pop("labels")
    hidden = model.model(**batch).last_hidden_state
    logp = sequence_logp(model.lm_head(hidden), labels)
    with torch.no_grad():
        ref_logp = sequence_logp(ref(**batch).logits, labels)
        ref_hidden = ref.model(**batch).last_hidden_state
    ours = dpo_loss(*logp.chunk(2), *ref_logp.chunk(2), beta=0.3)
    # their targets must be shifted by the caller
    loss = liger.LigerFusedLinearDPOLoss(beta=0.3, compiled=False)
    theirs = loss(
        model.lm_head.weight,
        hidden[:, :-1].detach(),
        labels[:, 1:],
        ref_input=ref_hidden[:, :-1],
        ref_weight=ref.lm_head.weight.detach(),
    )[0]
    torch.testing.assert_close(ours, theirs / 0.3, rtol=1e-5, atol=0)
    weight = model.lm_head.weight
    gradients = [torch.autograd.grad(value, weight, retain_graph=True)[0] for value in (ours, theirs / 0.3)]
    assert gradients[0].abs().max() > 1e-2
    torch.testing.assert_close(*gradients, rtol=1e-4, atol=1e-6)


def test_the_trainer_divides_by_the_lengths_of_the_records():
    for dataset, records in zip(make_datasets(), (FORGET, RETAIN), strict=True):
        labels = pad([(item["input_ids"], item["labels"]) for item in dataset])["labels"]
        assert response_lengths(labels).tolist() == [len(record["response"]) + 1 for record in records]
