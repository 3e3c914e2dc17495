"""What the Trainer's evaluation gives: averages as metrics, several sets, predictions, early stopping."""

import re

import numpy as np
import pytest
import torch
import transformers

from tests.conftest import nightly
from tests.tiny_language import (
    logged,
    make_datasets,
    make_model,
    make_trainer,
    many_datasets,
    other_model,
    plain_logp,
)

pytestmark = pytest.mark.usefixtures("no_progress_bars", "one_thread")
BETA = 0.3


@pytest.fixture
def trainer(tmp_path):
    """A trainer for six forget and three retain samples."""

    def make(model=None, **options):
        forget, retain = many_datasets(6, 3)
        options = {"loss": "npo", "beta": BETA, "retain_dataset": retain} | options
        return make_trainer(tmp_path, other_model() if model is None else model, forget, **options)

    return make


def plain(model, samples):
    """Log-probabilities and lengths, one sample at a time."""
    logp = np.array([plain_logp(model, x["input_ids"], x["labels"]).item() for x in samples])
    return logp, np.array([sum(label >= 0 for label in x["labels"]) for x in samples])


def forgotten(model, samples):
    logp, lengths = plain(model, samples)
    log_ratios = logp - [x["ref_logp"] for x in samples]
    return log_ratios, np.mean(np.exp(log_ratios / lengths) <= 0.1)


@pytest.mark.parametrize("loss", ["npo", "ga"])
@pytest.mark.parametrize("named", [False, True])
def test_the_metric_of_the_best_model_is_one_that_evaluations_have(trainer, named, loss):
    held_out, retain = many_datasets(9, 4)
    sets = {"forget": held_out, "retain": retain} if named else held_out
    options = {"loss": loss, "beta": None, "eval_dataset": sets, "eval_strategy": "steps", "eval_steps": 1}
    options |= {"greater_is_better": True}
    metrics = {name.removeprefix("eval_") for name in trainer(**options).evaluate()}
    metrics = {name for name in metrics if not name.endswith(("_time", "runtime", "_per_second"))} - {"epoch"}
    for metric in metrics:
        trainer(metric_for_best_model=f"eval_{metric}", **options)
    # the Trainer's default, and a metric that only one of both has
    for metric in {"loss", "retain_loss", "forgotten"} - metrics:
        with pytest.raises(ValueError, match=f"metric_for_best_model must be one of .*, got {metric}$") as error:
            trainer(metric_for_best_model=metric, **options)
        assert set(re.search("one of (.*), got", str(error.value))[1].split(", ")) == metrics
    # those of a function of the user are not known before
    trainer(metric_for_best_model="mine", compute_metrics=lambda _: {"mine": 1.0}, **options)


@pytest.mark.parametrize("reduction", ["samples", "tokens"])
def test_a_forget_set_is_evaluated_with_retain_samples(trainer, reduction):
    held_out, _ = many_datasets(9, 1)
    # half of them forgotten
    for item in held_out[::2]:
        item["ref_logp"] += 2.5 * sum(label >= 0 for label in item["labels"])
    made = trainer(
        retain_weight=0.5,
        retain_reduction=reduction,
        forget_weight=2.0,
        eval_dataset=held_out,
        per_device_eval_batch_size=4,
    )
    _, retain = many_datasets(6, 3)
    model = made.model.eval()
    logp, lengths = plain(model, held_out)
    log_ratios, fraction = forgotten(model, held_out)
    retain_logp, retain_lengths = plain(model, retain)
    cross_entropy = -np.mean(retain_logp / retain_lengths)
    if reduction == "tokens":
        cross_entropy = -retain_logp.sum() / retain_lengths.sum()
    expected = {
        "forget_logp_per_token": np.mean(logp / lengths),
        "mean_weight": np.mean(2 / (1 + np.exp(-BETA * log_ratios))),
        "fraction_forgotten": fraction,
        "retain_logp_per_token": np.mean(retain_logp / retain_lengths),
        "loss": 2 * np.mean(2 / BETA * np.log1p(np.exp(BETA * log_ratios))) + 0.5 * cross_entropy,
    }
    assert 0 < fraction < 1
    first, second = made.evaluate(), made.evaluate()
    for found in (first, second, made.state.log_history[-1]):
        for name, value in expected.items():
            # even if batches of 4 leave one sample over
            assert found[f"eval_{name}"] == pytest.approx(value, rel=1e-5), name
    # the same retain samples each time
    assert first["eval_loss"] == second["eval_loss"]


def test_each_set_of_a_dictionary_is_evaluated_by_itself(trainer):
    forget, retain = many_datasets(6, 3)
    _, more = many_datasets(2, 9)
    made = trainer(per_device_eval_batch_size=4, eval_dataset={"forget": forget, "retain": retain})
    model = made.model.eval()
    found = made.evaluate() | made.evaluate({"held_out": more})
    for name, samples in (("forget", forget), ("retain", retain), ("held_out", more)):
        logp, lengths = plain(model, samples)
        assert found[f"eval_{name}_logp_per_token"] == pytest.approx(np.mean(logp / lengths), rel=1e-5)
        assert found[f"eval_{name}_loss"] == -found[f"eval_{name}_logp_per_token"]
        assert (f"eval_{name}_fraction_forgotten" in found) == (name == "forget")
    assert found["eval_forget_fraction_forgotten"] == forgotten(model, forget)[1]
    # a set that is given replaces the others for one evaluation
    assert "eval_held_out_loss" not in made.evaluate()


@pytest.mark.parametrize("strategy", ["random", "group_by_length"])
def test_predictions_are_log_probabilities_in_the_order_of_the_samples(trainer, strategy):
    made = trainer(per_device_eval_batch_size=2, train_sampling_strategy=strategy)
    _, samples = many_datasets(1, 7)
    logp, lengths = plain(made.model.eval(), samples)
    found = made.predict(samples)
    np.testing.assert_allclose(found.predictions, logp, rtol=1e-6)
    assert found.label_ids.tolist() == lengths.tolist()
    assert found.metrics["test_loss"] == pytest.approx(-np.mean(logp / lengths), rel=1e-5)


def test_metrics_of_one_s_own_get_log_probabilities_and_lengths(trainer):
    forget, _ = many_datasets(6, 3)

    def perplexity(prediction):
        return {"perplexity": float(np.exp(-prediction.predictions.sum() / prediction.label_ids.sum()))}

    made = trainer(eval_dataset=forget, compute_metrics=perplexity)
    logp, lengths = plain(made.model.eval(), forget)
    found = made.evaluate()
    assert found["eval_perplexity"] == pytest.approx(np.exp(-logp.sum() / lengths.sum()), rel=1e-5)
    assert found["eval_forget_logp_per_token"] == pytest.approx(np.mean(logp / lengths), rel=1e-5)


@pytest.mark.parametrize(
    ("as_dictionary", "metric"), [(False, "fraction_forgotten"), (True, "forget_fraction_forgotten")]
)
def test_the_best_model_is_the_one_that_forgot_most(trainer, as_dictionary, metric):
    forget, _ = many_datasets(6, 3)
    made = trainer(
        make_model(),
        retain_dataset=None,
        loss="ga",
        beta=None,
        learning_rate=0.03,
        max_steps=4,
        eval_dataset={"forget": forget} if as_dictionary else forget,
        eval_strategy="steps",
        eval_steps=1,
        save_strategy="steps",
        save_steps=1,
        load_best_model_at_end=True,
        metric_for_best_model=metric,
    )
    made.train()
    values = logged(made, f"eval_{metric}")
    assert len(values) == 4 and max(values) > values[0]
    assert made.state.best_metric == max(values)
    assert forgotten(made.model.eval(), forget)[1] == max(values)


def test_training_ends_early_if_the_metric_does_not_improve(trainer):
    forget, _ = many_datasets(6, 3)
    made = trainer(
        learning_rate=0.0,
        max_steps=9,
        eval_dataset=forget,
        eval_strategy="steps",
        eval_steps=1,
        metric_for_best_model="fraction_forgotten",
        load_best_model_at_end=True,
        save_strategy="steps",
        save_steps=1,
        callbacks=[transformers.EarlyStoppingCallback(early_stopping_patience=2)],
    )
    made.train()
    assert made.state.global_step == 3


@pytest.mark.parametrize("evaluated", [None, "list", "dictionary"])
def test_training_ends_when_enough_is_forgotten(trainer, evaluated):
    forget, retain = many_datasets(6, 3)
    # the first three are forgotten from the start
    for item in forget[:3]:
        item["ref_logp"] = -1e-3
    options = {}
    if evaluated is not None:
        sets = {"list": forget, "dictionary": {"forget": forget, "other": retain}}
        options = {"eval_strategy": "steps", "eval_steps": 3, "eval_dataset": sets[evaluated]}
    for threshold, last in ((0.5, 1 if evaluated is None else 3), (0.75, 5)):
        made = trainer(learning_rate=0.0, stop_when_forgotten=threshold, **options)
        made.train_dataset.forget = forget
        made.train()
        assert made.state.global_step == last


# by day two that are the last of a pass
@pytest.mark.parametrize(("places", "n_steps"), [((3, 5), 6), *nightly((range(6), 15))], ids=str)
def test_a_step_whose_samples_are_forgotten_does_not_end_training(trainer, places, n_steps):
    forget, _ = many_datasets(6, 3)
    # two steps of each pass see forgotten samples only
    for item in forget[:2]:
        item["ref_logp"] = -1e-3
    options = {"learning_rate": 0.0, "batch_size": 1, "per_device_train_batch_size": 1, "max_steps": 15}
    # a third of a pass, and not of a step
    for threshold, last in ((1 / 3, 6), (0.5, 15)):
        made = trainer(stop_when_forgotten=threshold - 1e-6, **options)
        made.train_dataset.forget = forget
        made.train()
        assert made.state.global_step == last
    # the last step of a pass has one sample: forgotten, it is a sixth
    alone = []
    for place in places:
        for i, item in enumerate(forget):
            item["ref_logp"] = -1e-3 if i == place else -50.0
        sizes = {"batch_size": 5, "per_device_train_batch_size": 5, "max_steps": n_steps}
        made = trainer(stop_when_forgotten=0.3, **options | sizes)
        made.train_dataset.forget = forget
        made.train()
        assert made.state.global_step == n_steps
        alone.append(1 in logged(made, "fraction_forgotten"))
    assert any(alone)
    for i, item in enumerate(forget):
        item["ref_logp"] = -1e-3 if i < 2 else -50.0
    # entries of the log that are longer than a step
    made = trainer(stop_when_forgotten=1 / 3 - 1e-6, **options | {"logging_steps": 3})
    made.train_dataset.forget = forget
    made.train()
    assert made.state.global_step == 6


def test_a_checkpoint_that_a_callback_asks_for_is_written_at_an_evaluation(trainer, tmp_path):
    class AskForOne(transformers.TrainerCallback):
        def on_step_end(self, args, state, control, **kwargs):
            control.should_save = state.global_step == 2

    options = {"eval_strategy": "steps", "eval_steps": 1, "save_strategy": "best", "max_steps": 3}
    options |= {"metric_for_best_model": "retain_logp_per_token", "learning_rate": 0.0}
    forget, _ = many_datasets(6, 3)
    made = trainer(eval_dataset=forget, callbacks=[AskForOne()], **options)
    made.train()
    found = {path.name for path in tmp_path.rglob("checkpoint-*")}
    assert "checkpoint-2" in found and "checkpoint-3" not in found


def test_stopping_needs_references(tmp_path):
    with_ref, retain = many_datasets(4, 4)
    without, _ = make_datasets()
    evaluation = {"eval_strategy": "steps", "eval_steps": 1}
    for forget, options, name in (
        (without, {}, "forget_dataset"),
        (with_ref, {"eval_dataset": without} | evaluation, "eval_dataset"),
        (with_ref, {"eval_dataset": {"forget": without}} | evaluation, "eval_dataset['forget']"),
        (with_ref, {"eval_dataset": {"retain": retain}} | evaluation, "eval_dataset['forget']"),
    ):
        message = f"stop_when_forgotten needs 'ref_logp' in {name}: precompute_reference(model, dataset) writes it"
        with pytest.raises(ValueError, match=re.escape(message)):
            make_trainer(tmp_path, make_model(), forget, loss="ga", stop_when_forgotten=0.9, **options)


def test_evaluation_leaves_the_averages_of_training_alone(trainer):
    forget, _ = many_datasets(6, 3)
    options = {"max_steps": 4, "logging_steps": 4}
    without = trainer(**options)
    between = trainer(**options, eval_dataset=forget, eval_strategy="steps", eval_steps=1)
    without.train()
    between.train()
    for name in ("loss", "mean_weight", "retain_logp_per_token", "fraction_forgotten"):
        assert logged(between, name) == logged(without, name), name
    assert torch.equal(*(torch.cat([p.flatten() for p in x.model.parameters()]) for x in (without, between)))
