"""language/config.py: arguments of the Trainer work or are rejected, and options that would do nothing are named."""

import dataclasses
import difflib
import json
import math
import os
import re

import pytest
import torch
import transformers

from npo_tutorial.language import OBJECTIVES, NPOConfig
from npo_tutorial.language.checks import NUMBERS, check_machine, direction
from npo_tutorial.language.config import FIXED
from npo_tutorial.language.dictionaries import ALIKE, DEEPSPEED, check_liger
from tests.conftest import nightly
from tests.tiny_language import make_datasets, make_model, make_trainer, many_datasets

pytestmark = pytest.mark.usefixtures("one_thread")

# arguments of the Trainer with a value that must be rejected
REJECTED = {
    "label_smoothing_factor": 0.1,
    "neftune_noise_alpha": 5.0,
    "logging_nan_inf_filter": True,
    "auto_find_batch_size": True,
    "average_tokens_across_devices": False,
    "remove_unused_columns": False,
    "label_names": ["y"],
    "length_column_name": "n",
    "dataloader_in_order": False,
    "parallelism_config": object(),
    "prediction_loss_only": True,
    "include_for_metrics": ["inputs"],
    "batch_eval_metrics": True,
    "eval_do_concat_batches": False,
    "eval_use_gather_object": True,
    "do_train": True,
    "do_predict": True,
    "resume_from_checkpoint": "checkpoint-1",
    "train_sampling_strategy": "batch_rebalance",
    "accelerator_config": {"split_batches": True},
}
# arguments with a value that differs from the default, with which a run ends well
WORKING = {
    "num_train_epochs": 2.0,
    "per_device_train_batch_size": 2,
    "per_device_eval_batch_size": 3,
    "gradient_accumulation_steps": 2,
    "learning_rate": 1e-4,
    "lr_scheduler_type": "polynomial",
    "lr_scheduler_kwargs": {"power": 2.0},
    "warmup_steps": 1,
    "optim": "adamw_torch",
    "weight_decay": 0.1,
    "adam_beta1": 0.8,
    "adam_beta2": 0.9,
    "adam_epsilon": 1e-6,
    "max_grad_norm": 0.5,
    "bf16": True,
    "tf32": False,
    "activation_checkpointing": True,
    "activation_checkpointing_kwargs": {"use_reentrant": False},
    "torch_empty_cache_steps": 1,
    "use_cache": True,
    "logging_strategy": "epoch",
    "logging_first_step": True,
    "log_on_each_node": False,
    "log_level": "warning",
    "log_level_replica": "error",
    "include_num_input_tokens_seen": "non_padding",
    "run_name": "a",
    "project": "b",
    "report_to": "none",
    "disable_tqdm": True,
    "eval_strategy": "steps",
    "eval_steps": 2,
    "eval_delay": 1,
    "eval_on_start": True,
    "eval_accumulation_steps": 1,
    "save_strategy": "steps",
    "save_steps": 2,
    "save_total_limit": 1,
    "save_only_model": True,
    "save_on_each_node": True,
    "load_best_model_at_end": True,
    "metric_for_best_model": "fraction_forgotten",
    "greater_is_better": True,
    "restore_callback_states_from_checkpoint": True,
    "ignore_data_skip": True,
    "seed": 3,
    "data_seed": 4,
    "use_cpu": True,
    "dataloader_pin_memory": False,
    "dataloader_drop_last": True,
    "ddp_find_unused_parameters": True,
    "ddp_bucket_cap_mb": 10,
    "ddp_broadcast_buffers": False,
    "ddp_static_graph": False,
    "ddp_timeout": 60,
    "skip_memory_metrics": False,
    "do_eval": True,
}
# more arguments that work, which those above would leave without effect
APART = {"optim": "rmsprop", "optim_args": "alpha=0.9", "logging_steps": 2}
# arguments that the Trainer handles alone, and that a small CPU cannot show
ELSEWHERE = {
    *(
        "output_dir",
        "max_steps",
        "local_rank",
        "debug",
        "full_determinism",
        "ddp_backend",
        "enable_jit_checkpoint",
        "optim_target_modules",
    ),
    *("fp16", "fp16_full_eval", "bf16_full_eval", "torch_compile", "torch_compile_backend", "torch_compile_mode"),
    # tests/two_processes.py uses workers
    *("dataloader_num_workers", "dataloader_persistent_workers", "dataloader_prefetch_factor"),
    "dataloader_multiprocessing_context",
    *("fsdp", "fsdp_config", "deepspeed", "use_liger_kernel", "liger_kernel_config"),
    # other names of activation_checkpointing
    *("gradient_checkpointing", "gradient_checkpointing_kwargs"),
    *("push_to_hub", "hub_token", "hub_private_repo", "hub_model_id", "hub_strategy", "hub_always_push"),
    *("hub_revision", "trackio_space_id", "trackio_bucket_id", "trackio_static_space_id"),
}


def test_every_argument_of_the_trainer_is_in_one_of_the_tables():
    names = {field.name for field in dataclasses.fields(transformers.TrainingArguments)}
    assert not names - {*REJECTED, *WORKING, *APART, *ELSEWHERE}
    assert not set(REJECTED) & set(WORKING) and not {*REJECTED, *WORKING} & ELSEWHERE
    assert set(FIXED) == set(REJECTED) - {"train_sampling_strategy", "accelerator_config"}


@pytest.mark.parametrize("name", sorted(REJECTED))
def test_what_would_do_nothing_is_rejected(tmp_path, name):
    with pytest.raises(ValueError, match=rf"^{name}(\['split_batches'\])? must be ") as raised:
        NPOConfig(output_dir=str(tmp_path), **{name: REJECTED[name]})
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("working", [WORKING, APART])
def test_what_works_works_together(tmp_path, working):
    forget, retain = many_datasets(8, 5)
    options = {"num_train_epochs": 2, "per_device_train_batch_size": 4} | working
    trainer = make_trainer(
        tmp_path, make_model(), forget, max_steps=-1, retain_dataset=retain, eval_dataset=forget, **options
    )
    for name, value in options.items():
        assert getattr(trainer.args, name) == value or name in ("report_to", "warmup_steps")
    level = transformers.utils.logging.get_verbosity()
    try:
        trainer.train()
    finally:
        transformers.utils.logging.set_verbosity(level)
    assert trainer.state.global_step == 4


def test_every_field_has_a_help_text():
    for field in dataclasses.fields(NPOConfig):
        if field.name in NPOConfig.__annotations__:
            text = field.metadata["help"]
            assert text and text[0].islower() and not text.endswith("."), field.name
    # what --help says about losses is what the table has
    texts = {field.name: field.metadata["help"] for field in dataclasses.fields(NPOConfig) if "help" in field.metadata}
    for objective in OBJECTIVES.values():
        assert f"{objective.name} ({objective.title})" in texts["loss"]
        if objective.beta is not None:
            assert f"{objective.beta:g} for {objective.name}" in texts["beta"]


def test_the_docstring_names_every_default_that_differs():
    theirs = {field.name: field.default for field in dataclasses.fields(transformers.TrainingArguments)}
    for field in dataclasses.fields(NPOConfig):
        differs = field.name in theirs and field.default != theirs[field.name]
        assert not differs or f"`{field.name}`" in NPOConfig.__doc__, field.name


STEPS = {"eval_strategy": "steps", "eval_steps": 2}
EVALUATED = "without evaluations, which eval_strategy='steps' and eval_steps ask for, got "


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"warmup_steps": 100},
            "with lr_scheduler_type='constant', which has no warmup, got 100: use another, such as",
        ),
        ({"lr_scheduler_kwargs": {"num_cycles": 2}}, "be options of lr_scheduler_type='constant', which has none, got"),
        (
            {"lr_scheduler_type": "cosine", "lr_scheduler_kwargs": {"cycles": 2}},
            "be options of lr_scheduler_type='cosine', which has num_cycles, got 'cycles'",
        ),
        ({"stop_when_forgotten": 0.5, "logging_strategy": "no"}, "with logging_strategy='no' and without evaluations"),
        ({"load_best_model_at_end": True}, EVALUATED + "True"),
        ({"load_best_model_at_end": True, **STEPS}, "unless save_strategy and eval_strategy are the same"),
        ({"metric_for_best_model": "loss"}, EVALUATED + "'loss'"),
        ({"greater_is_better": True}, EVALUATED + "True"),
        ({"do_eval": True}, EVALUATED + "True"),
        ({"eval_delay": 3}, EVALUATED + "3"),
        ({"save_strategy": "best"}, EVALUATED + "'best'"),
        ({"lr_scheduler_type": "greedy"}, EVALUATED + "'greedy'"),
        ({"fp16": True, "bf16": True}, "with bf16=True: computations have one precision, got True"),
        ({"eval_steps": 5}, "unless eval_strategy='steps', got 5"),
        ({"save_steps": 5}, "unless save_strategy='steps', got 5"),
        ({"logging_steps": 5, "logging_strategy": "epoch"}, "unless logging_strategy='steps', got 5"),
        ({"save_total_limit": 2}, "without checkpoints, which save_strategy='steps' and save_steps ask for, got 2"),
        ({"optim": "sgd", "adam_beta1": 0.5}, "with optim='sgd', which has no such option, got 0.5"),
        ({"optim": "adamw_torch", "optim_args": "foo=1"}, "with optim='adamw_torch', which has no such option, got 'f"),
        ({"optim": "sgd", "optim_args": "momentum=0.9, foo=1"}, "with optim='sgd', which has no such option, got 'foo"),
        ({"liger_kernel_config": {"rope": True}}, "without use_liger_kernel, got {'rope': True}"),
        ({"dataloader_prefetch_factor": 2}, "without dataloader_num_workers, got 2"),
        ({"dataloader_persistent_workers": True}, "without dataloader_num_workers, got True"),
        ({"dataloader_multiprocessing_context": "fork"}, "without dataloader_num_workers, got 'fork'"),
    ],
)
def test_an_option_without_effect_is_named_with_what_it_lacks(tmp_path, options, message):
    with pytest.raises(ValueError, match=re.escape(message)) as raised:
        NPOConfig(output_dir=str(tmp_path), **options)
    assert re.match(r"\w+ must be (left out|options of) ", str(raised.value))


@pytest.mark.parametrize(
    ("metric", "greater"),
    [
        ("loss", False),
        ("eval_loss", False),
        ("fraction_forgotten", True),
        ("eval_forget_fraction_forgotten", True),
        ("retain_loss", False),
        ("retain_logp_per_token", True),
        # the Trainer's guess would keep the model that spares least of what is to be retained
        ("retain_fraction_forgotten", False),
        # of neither does its name say which is better
        ("forget_loss", None),
        ("forget_logp_per_token", None),
        ("eval_forget_logp_per_token", None),
        ("mean_weight", None),
        ("held_out_loss", None),
        ("held_out_fraction_forgotten", None),
        # a metric of the user's own, as the Trainer describes it
        ("rouge", True),
    ],
)
def test_the_direction_of_a_metric_is_not_guessed(tmp_path, metric, greater):
    options = {"output_dir": str(tmp_path), "eval_strategy": "steps", "save_strategy": "best"}
    options |= {"metric_for_best_model": metric}
    for given in (True, False):
        assert direction(NPOConfig(**options, greater_is_better=given)) is given
    if greater is not None:
        assert direction(NPOConfig(**options)) is greater
        return
    shown = metric.removeprefix("eval_")
    message = f"^greater_is_better must be given with metric_for_best_model='{shown}', of which neither direction "
    with pytest.raises(ValueError, match=message):
        NPOConfig(**options)


def test_a_copy_with_another_metric_has_its_direction(tmp_path):
    options = {"eval_strategy": "steps", "save_strategy": "best", "metric_for_best_model": "fraction_forgotten"}
    config = NPOConfig(output_dir=str(tmp_path), **options)
    for metric, greater in (
        ("fraction_forgotten", True),
        ("retain_loss", False),
        ("rouge", True),
        ("eval_loss", False),
    ):
        assert direction(dataclasses.replace(config, metric_for_best_model=metric)) is greater
    with pytest.raises(ValueError, match=r"^greater_is_better must be given with metric_for_best_model='forget_loss'"):
        dataclasses.replace(config, metric_for_best_model="forget_loss")
    # what the user chose stays
    config = dataclasses.replace(config, greater_is_better=True)
    assert direction(dataclasses.replace(config, metric_for_best_model="forget_loss")) is True
    # the Trainer, which compares metrics, has it in its own arguments
    forget, _ = many_datasets(4, 4)
    for metric, greater in (("fraction_forgotten", True), ("loss", False)):
        made = make_trainer(
            tmp_path, make_model(), forget, eval_dataset=forget, **options | {"metric_for_best_model": metric}
        )
        assert made.args.greater_is_better is greater


@pytest.mark.parametrize("schedule", ["reduce_lr_on_plateau", "greedy"])
def test_a_schedule_follows_the_metric_in_its_direction(tmp_path, schedule):
    options = {"output_dir": str(tmp_path), "eval_strategy": "steps", "lr_scheduler_type": schedule}
    options |= {"metric_for_best_model": "fraction_forgotten"}
    message = "lr_scheduler_kwargs must have the mode 'max' with metric_for_best_model='fraction_forgotten', of which "
    with pytest.raises(ValueError, match=f"^{message}the greater is better, got 'min'"):
        NPOConfig(**options)
    NPOConfig(**options, lr_scheduler_kwargs={"mode": "max"})
    # the default is the loss
    options.pop("metric_for_best_model")
    NPOConfig(**options)
    with pytest.raises(ValueError, match=r"must have the mode 'min' .* of which the smaller is better, got 'max'"):
        NPOConfig(**options, lr_scheduler_kwargs={"mode": "max"})


SCHEDULES = {
    "warmup_stable_decay": {"num_decay_steps": 2},
    "cosine_with_min_lr": {"min_lr_rate": 0.1},
    "cosine_warmup_with_min_lr": {"min_lr": 1e-6},
}


@pytest.mark.parametrize("schedule", list(transformers.SchedulerType))
@pytest.mark.parametrize("max_steps", [-1, *nightly(3)])
def test_every_schedule_can_be_used(tmp_path, schedule, max_steps):
    state = torch.random.get_rng_state()
    options = {"output_dir": str(tmp_path), "eval_strategy": "steps", "max_steps": max_steps}
    NPOConfig(**options, lr_scheduler_type=schedule, lr_scheduler_kwargs=SCHEDULES.get(schedule.value))
    assert torch.equal(torch.random.get_rng_state(), state)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"lr_scheduler_type": "warmup_stable_decay"},
            "lr_scheduler_kwargs must have 'num_decay_steps' with lr_scheduler_type='warmup_stable_decay', got nothing",
        ),
        (
            {"lr_scheduler_type": "cosine_warmup_with_min_lr", "lr_scheduler_kwargs": {"num_cycles": 1}},
            "can use, got {'num_cycles': 1} (One of min_lr or min_lr_rate should be set",
        ),
        (
            {"lr_scheduler_type": "polynomial", "learning_rate": 0},
            "can use, got nothing (lr_end (1e-07) must be smaller than initial lr (0",
        ),
        (
            {"lr_scheduler_type": "cosine", "lr_scheduler_kwargs": {"num_cycles": "many"}, "max_steps": 9},
            "can use, got {'num_cycles': 'many'} (could not convert string to float: 'many')",
        ),
        (
            {"lr_scheduler_type": "cosine", "lr_scheduler_kwargs": {"num_cycles": "many"}, "warmup_steps": 2},
            "lr_scheduler_type='cosine' must have a learning rate at every step, got none at step 2 of 1004 (could",
        ),
        (
            {"lr_scheduler_type": "polynomial", "warmup_steps": 9, "max_steps": 9},
            "got none at step 9 of 9 (division by zero): change warmup_steps or lr_scheduler_kwargs",
        ),
        (
            {"optim": "sgd", "optim_args": "nesterov=true"},
            "optim_args must be options that optim='sgd' can use, got 'nesterov=true' (Nesterov momentum requires",
        ),
    ],
)
def test_what_schedule_and_optimizer_cannot_use_is_named(tmp_path, options, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        NPOConfig(output_dir=str(tmp_path), **options)


def test_a_schedule_without_a_last_rate_is_found_before_the_first_step(tmp_path):
    forget, _ = many_datasets(4)
    options = {"num_train_epochs": 3, "max_steps": -1, "lr_scheduler_type": "polynomial"}
    trainer = make_trainer(tmp_path, make_model(), forget, **options, warmup_steps=3)
    with pytest.raises(ValueError, match=r"have a learning rate at every step, got none at step 3 of 3 \(division"):
        trainer.train()
    assert trainer.state.global_step == 0


def test_every_number_has_a_range(tmp_path):
    numbers = {x.name for x in dataclasses.fields(NPOConfig) if re.search(r"\b(int|float)\b", str(x.type))}
    # the first two are those of the loss
    assert numbers - NUMBERS.keys() - FIXED.keys() == {"beta", "gamma", "local_rank"}
    effective = {"dataloader_num_workers": 1, "eval_strategy": "steps", "save_strategy": "steps"}
    effective |= {"lr_scheduler_type": "linear"}
    for name in NUMBERS.keys() & numbers:
        for value in (-0.5, math.nan, math.inf):
            with pytest.raises((ValueError, TypeError), match=f"^{name} must be "):
                NPOConfig(output_dir=str(tmp_path), **effective | {name: value})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"max_steps": 0}, "max_steps must be at least 1, got 0"),
        ({"num_train_epochs": 0}, "num_train_epochs must be positive and finite, got 0.0"),
        (
            {"save_steps": 0},
            "save_steps must be a whole number of steps from 1, or a share of all steps between 0 and 1",
        ),
        (
            {"eval_steps": 2.5},
            "eval_steps must be a whole number of steps from 1, or a share of all steps between 0 an",
        ),
        ({"warmup_steps": 1.5}, "warmup_steps must be a whole number of steps from 0, or a share of all steps between"),
        ({"eval_accumulation_steps": 0}, "eval_accumulation_steps must be at least 1, got 0"),
        ({"adam_beta2": 1}, "adam_beta2 must be at least 0 and below 1, got 1"),
        ({"seed": 2**32}, "seed must be between 0 and 2**32 - 1, got 4294967296"),
        ({"optim_args": "foo"}, "optim_args must be name=value, separated by commas, got 'foo'"),
        ({"accelerator_config": "{bad"}, "accelerator_config must be a JSON object, got {bad (Expecting property name"),
        ({"fsdp_config": "nowhere"}, "fsdp_config must be a JSON object, got nowhere (Expecting value, column 1)"),
        ({"loss": "NPO"}, "loss must be one of 'npo', 'ga', 'dpo', 'simnpo', 'wga', 'tnpo', 'undial', got 'NPO'"),
        ({"beta": 0}, "beta must be positive and finite, got 0.0"),
        ({"beta": -0.1}, "beta must be positive and finite, got -0.1"),
        ({"beta": 0.1, "loss": "ga"}, "beta must be left out with loss='ga', which has none, got 0.1"),
        ({"gamma": 0.0}, "gamma must be left out with loss='npo', which has none, got 0.0"),
        ({"gamma": math.inf, "loss": "simnpo"}, "gamma must be finite, got inf"),
        ({"forget_weight": 0}, "forget_weight must be positive and finite, got 0.0"),
        ({"retain_weight": -1}, "retain_weight must be at least 0 and finite, got -1"),
        ({"retain_weight": math.nan}, "retain_weight must be at least 0 and finite, got nan"),
        ({"retain_term": "kl"}, "retain_term must be one of 'cross_entropy', 'kl_ref_model', 'kl_model_ref', got 'kl'"),
        ({"retain_reduction": "mean"}, "retain_reduction must be one of 'samples', 'tokens', got 'mean'"),
        ({"learning_rate": -1e-5}, "learning_rate must be at least 0 and finite, got -1e-05"),
        ({"per_device_train_batch_size": 0}, "per_device_train_batch_size must be at least 1, got 0"),
        ({"stop_when_forgotten": 1.5}, "stop_when_forgotten must be at most 1, got 1.5"),
        ({"stop_when_forgotten": 0}, "stop_when_forgotten must be positive and finite, got 0.0"),
        ({"batch_size": 12}, "batch_size must be a multiple of the number of processes times per_device_train_batch_s"),
        (
            {"batch_size": 16, "gradient_accumulation_steps": 4},
            "gradient_accumulation_steps must be left out with batch_size=16, which makes it 2, got 4",
        ),
    ],
)
def test_bad_values_are_named(tmp_path, options, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        NPOConfig(output_dir=str(tmp_path), **options)


@pytest.mark.parametrize(("cpus", "most"), [(1, 64), (4, 64), (8, 128), (224, 3584), (None, 64)])
def test_more_workers_than_a_machine_can_use_are_rejected(tmp_path, monkeypatch, cpus, most):
    monkeypatch.setattr(os, "cpu_count", lambda: cpus)
    for count in (0, 1, most):
        assert NPOConfig(output_dir=str(tmp_path), dataloader_num_workers=count).dataloader_num_workers == count
    on = f"on a machine with {cpus or 1} CPU{'' if cpus in (1, None) else 's'}, got "
    for count in (most + 1, 100_000, 2**40):
        with pytest.raises(ValueError, match=rf"^dataloader_num_workers must be at most {most} {on}{count}$"):
            NPOConfig(output_dir=str(tmp_path), dataloader_num_workers=count)


def test_an_absurd_number_of_batches_in_advance_is_rejected(tmp_path):
    options = {"output_dir": str(tmp_path), "dataloader_num_workers": 1}
    assert NPOConfig(**options, dataloader_prefetch_factor=10_000).dataloader_prefetch_factor == 10_000
    for count in (10_001, 10**9, 2**50):
        message = f"^dataloader_prefetch_factor must be at most 10000 batches for each worker, got {count}$"
        with pytest.raises(ValueError, match=message):
            NPOConfig(**options, dataloader_prefetch_factor=count)


# options that are dictionaries ---------------------------------------------------------------------------------------

CHECKPOINTING = "activation_checkpointing_kwargs"
WRONG = [
    ({"accelerator_config": {"even": True}}, "accelerator_config must have keys among 'split_batches', 'dispatch_batc"),
    (
        {"accelerator_config": {"even_batches": "no"}},
        "accelerator_config['even_batches'] must be of type bool, got 'no'",
    ),
    ({"accelerator_config": 3}, "accelerator_config must be a dictionary, a JSON object or a file with one, got 3"),
    (
        {"accelerator_config": {"gradient_accumulation_kwargs": {"steps": 2}}},
        "accelerator_config['gradient_accumulation_kwargs'] must have keys among 'num_steps', ",
    ),
    (
        {"accelerator_config": {"gradient_accumulation_kwargs": {"num_steps": 2}}},
        "accelerator_config['gradient_accumulation_kwargs'] must not have 'num_steps', which would change the samples",
    ),
    ({CHECKPOINTING: {"reentrant": True}}, f"{CHECKPOINTING} must have keys among 'every_n_layers', 'offload', 'use_"),
    (
        {"gradient_checkpointing_kwargs": '{"reentrant": 1}'},
        "gradient_checkpointing_kwargs must have keys among 'every",
    ),
    ({CHECKPOINTING: {"use_reentrant": "yes"}}, f"{CHECKPOINTING}['use_reentrant'] must be of type "),
    ({CHECKPOINTING: {"every_n_layers": 0}}, f"{CHECKPOINTING}['every_n_layers'] must be at least 1, got 0"),
    ({CHECKPOINTING: {"context_fn": 3}}, f"{CHECKPOINTING}['context_fn'] must be of type Callable[["),
    (
        {CHECKPOINTING: {"use_reentrant": True, "debug": True}},
        f"{CHECKPOINTING} must be options that can be used together, got {{'use_reentrant': True, 'debug': True}} (",
    ),
    (
        {"fsdp_config": {"cpu_offload": True}},
        "fsdp_config must be left out unless fsdp=True, got {'cpu_offload': True}",
    ),
    ({"fsdp": "full"}, "fsdp must be True, False or of the words full_shard, shard_grad_op, "),
    ({"fsdp": True, "fsdp_config": {"fsdp_foo": 1}}, "fsdp_config must have keys among 'activation_checkpointing', 'a"),
    # an option of the first version
    ({"fsdp": True, "fsdp_config": {"forward_prefetch": True}}, "'xla_fsdp_v2', got 'forward_prefetch'"),
    (
        {"fsdp": True, "fsdp_config": {"version": "x"}},
        "fsdp_config must be options that fsdp=True can use, got {'version': 'x'} (invalid literal for int()",
    ),
    (
        {"fsdp": "hybrid_shard"},
        "fsdp_config must be options that fsdp='hybrid_shard' can use, got nothing (`fsdp=hybrid_shard` is only",
    ),
    (
        {"optim": "sgd", "optim_args": "momentum="},
        "optim_args must be name=value, separated by commas, got 'momentum='",
    ),
    ({"optim": "sgd", "optim_args": "momentum=0.1,momentum=0.2"}, "optim_args must have each name once, got 'momentum"),
    ({"optim": "sgd", "optim_target_modules": "all"}, "optim_target_modules must be left out with optim='sgd', which"),
]


@pytest.mark.parametrize(("options", "message"), WRONG)
def test_a_key_that_no_library_takes_is_named(tmp_path, options, message):
    options = {"activation_checkpointing": True} | options if "checkpointing" in str(options) else options
    with pytest.raises(ValueError, match=re.escape(message)) as raised:
        NPOConfig(output_dir=str(tmp_path), **options)
    assert re.match(r"[\w\[\]']+ must ", str(raised.value)) and "\n" not in str(raised.value)


@pytest.mark.filterwarnings("ignore:.gradient_checkpointing:FutureWarning")
@pytest.mark.parametrize("name", ["activation_checkpointing", "gradient_checkpointing"])
def test_dictionaries_are_read_from_text_and_from_files(tmp_path, name):
    path = tmp_path / "options.json"
    given = {"use_reentrant": True, "preserve_rng_state": False, "every_n_layers": 2}
    path.write_text(json.dumps(given), "utf-8")
    for value in (given, json.dumps(given), str(path)):
        config = NPOConfig(output_dir=str(tmp_path), **{name: True, f"{name}_kwargs": value})
        assert config.activation_checkpointing_kwargs == given
        assert dataclasses.replace(config, seed=1).activation_checkpointing_kwargs == given
    for text, why in (
        (b"{\n bad", "(Expecting property name enclosed in double quotes, line 2, column 2)"),
        (b"[1]", ""),
    ):
        path.write_bytes(text)
        with pytest.raises(
            ValueError, match=re.escape(f"{name}_kwargs must be a JSON object, got {path}") + ".*"
        ) as said:
            NPOConfig(output_dir=str(tmp_path), **{name: True, f"{name}_kwargs": str(path)})
        assert str(said.value).endswith(why)
    path.write_bytes(b'{"a": "\xff"}')
    with pytest.raises(ValueError, match=f"got {re.escape(str(path))}, which is not in UTF-8$"):
        NPOConfig(output_dir=str(tmp_path), **{name: True, f"{name}_kwargs": str(path)})


def slips(key):
    """What a hand makes of a key: a letter left out, doubled, exchanged with the next; other dashes, capitals."""
    i = len(key) // 2
    yield from (key[:i] + key[i + 1 :], key[:i] + key[i] + key[i:], key[:i] + key[i + 1] + key[i] + key[i + 2 :])
    yield from (key.upper(), key.replace("_", "-"), key.replace("_", ""), key + "s")


LONG = [key for key in DEEPSPEED if len(key) > 9]


@pytest.mark.parametrize("key", [*LONG[::4], *nightly(*(key for i, key in enumerate(LONG) if i % 4))])
def test_a_slip_in_a_key_of_deepspeed_is_named(tmp_path, key):
    for slip in {*slips(key)} - {*DEEPSPEED}:
        for given in ({slip: {}}, json.dumps({"fp16": {}, slip: 1})):
            message = f"^deepspeed must have keys that DeepSpeed reads, got '{slip}': did you mean '{key}'[?]$"
            with pytest.raises(ValueError, match=message):
                NPOConfig(output_dir=str(tmp_path), deepspeed=given)


@pytest.mark.parametrize(
    ("slip", "key"),
    [
        ("zero_optimisation", "zero_optimization"),
        ("optimiser", "optimizer"),
        ("lr_scheduler", "scheduler"),
        ("float16", "bfloat16"),
        ("grad_clipping", "gradient_clipping"),
        ("train_micro_batch_size", "train_micro_batch_size_per_gpu"),
    ],
)
def test_a_key_that_is_almost_one_of_deepspeed_is_named(tmp_path, slip, key):
    path = tmp_path / "ds.json"
    path.write_text(json.dumps({"bf16": {"enabled": True}, slip: 1}), "utf-8")
    with pytest.raises(ValueError, match=f"got '{slip}': did you mean '{key}'[?]$"):
        NPOConfig(output_dir=str(tmp_path), deepspeed=str(path))


def test_no_key_of_deepspeed_would_be_a_slip_of_another(tmp_path):
    # of a later version there may be keys that are as much alike as any two of these
    for key in DEEPSPEED:
        assert not difflib.get_close_matches(key, [x for x in DEEPSPEED if x != key], 1, ALIKE)
    assert len({*DEEPSPEED}) == len(DEEPSPEED)
    # all of them are accepted, until the package is asked for; so are remarks
    with pytest.raises(ImportError, match=r"^deepspeed needs the package of this name"):
        NPOConfig(output_dir=str(tmp_path), deepspeed=dict.fromkeys([*DEEPSPEED, "_comment", "__why__"]))


@pytest.mark.parametrize("key", ["zero", "fp8", "context_parallel", "3"])
def test_a_key_that_may_be_one_of_a_later_deepspeed_is_said_and_accepted(tmp_path, key):
    with (
        pytest.raises(ImportError, match=r"^deepspeed needs the package"),
        pytest.warns(UserWarning, match=f"^DeepSpeed 0.19.6 ignores the key '{key}': is it spelt as you mean it[?]$"),
    ):
        NPOConfig(output_dir=str(tmp_path), deepspeed={"fp16": {}, key: {}})


def test_fsdp_is_a_flag_whose_options_are_those_that_are_read(tmp_path, monkeypatch):
    monkeypatch.setenv("FSDP_CPU_RAM_EFFICIENT_LOADING", "false")
    for value in ("true", "yes", True, "full_shard auto_wrap"):
        config = NPOConfig(output_dir=str(tmp_path), fsdp=value, fsdp_config={"fsdp_cpu_offload": True})
        assert config.fsdp is True and config.fsdp_plugin_args["cpu_offload"] is True
        again = dataclasses.replace(config, seed=1)
        assert again.fsdp_config == config.fsdp_config and type(again.fsdp_config) is dict
    assert NPOConfig(output_dir=str(tmp_path), fsdp="False").fsdp is None
    config = NPOConfig(output_dir=str(tmp_path), fsdp=True, fsdp_config={"state_dict_type": "x"})
    monkeypatch.setattr(NPOConfig, "world_size", 2)
    with pytest.raises(
        ValueError, match=r"^fsdp_config must be options that can be used here, got \{'state_dict_type'"
    ):
        check_machine(config)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {CHECKPOINTING: {"offload": True}},
            "activation_checkpointing_kwargs['offload'] needs a GPU, got none: leave it",
        ),
        (
            {"torch_compile_backend": "foo"},
            "torch_compile_backend must be one of 'no', 'eager', 'aot_eager', 'inductor'",
        ),
        ({"torch_compile_mode": "foo"}, "torch_compile must be possible here, got torch_compile_mode='foo' ("),
    ],
)
def test_what_the_machine_cannot_do_is_named(tmp_path, options, message):
    config = NPOConfig(output_dir=str(tmp_path), use_cpu=True, activation_checkpointing=True, **options)
    with pytest.raises(ValueError, match="^" + re.escape(message)):
        check_machine(config)


def test_kernels_that_liger_does_not_have_are_named(tmp_path):
    pytest.importorskip("liger_kernel", reason="Liger Kernel needs Linux and Triton")
    options = {"output_dir": str(tmp_path), "use_liger_kernel": True}
    check_liger(NPOConfig(**options, liger_kernel_config='{"rope": true}'), "llama")
    for given, message in (
        ({"ropes": True}, "liger_kernel_config must have keys among 'rope', 'cross_entropy', "),
        ({"rope": 1}, "liger_kernel_config['rope'] must be of type bool, got 1"),
    ):
        with pytest.raises(ValueError, match="^" + re.escape(message)):
            check_liger(NPOConfig(**options, liger_kernel_config=given), "llama")
    with pytest.raises(
        ValueError, match=r"^use_liger_kernel must be left out for models of type 'none', which Liger lac"
    ):
        check_liger(NPOConfig(**options), "none")


def test_a_flag_is_a_flag(tmp_path):
    with pytest.raises(TypeError, match="disable_dropout must be True or False, got 'no'"):
        NPOConfig(output_dir=str(tmp_path), disable_dropout="no")


@pytest.mark.parametrize(
    ("batch_size", "micro", "processes", "expected"),
    [(16, 8, 1, (8, 2)), (4, 8, 1, (4, 1)), (16, 4, 2, (4, 2)), (2, 8, 2, (1, 1)), (None, 8, 1, (8, 3))],
)
def test_the_batch_is_divided_among_processes_and_micro_batches(
    tmp_path, monkeypatch, batch_size, micro, processes, expected
):
    monkeypatch.setenv("WORLD_SIZE", str(processes))
    # without a process group of its own
    monkeypatch.setattr(transformers.TrainingArguments, "__post_init__", lambda self: None)
    monkeypatch.setattr(NPOConfig, "accelerator_config", None)
    options = {"gradient_accumulation_steps": 3} if batch_size is None else {"batch_size": batch_size}
    config = NPOConfig(output_dir=str(tmp_path), per_device_train_batch_size=micro, **options)
    assert (config.per_device_train_batch_size, config.gradient_accumulation_steps) == expected
    # a copy is divided again, to the same
    again = dataclasses.replace(config, learning_rate=1e-4)
    assert (again.per_device_train_batch_size, again.gradient_accumulation_steps) == expected


def test_a_batch_that_processes_cannot_share_is_rejected(tmp_path, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    for batch_size in (1, 7):
        with pytest.raises(
            ValueError, match=re.escape(f"per_device_train_batch_size, 2 × {max(1, batch_size // 2)}, got")
        ):
            NPOConfig(output_dir=str(tmp_path), batch_size=batch_size)


# what is said in one line --------------------------------------------------------------------------------------------


def test_retain_samples_that_are_to_be_forgotten_are_counted(tmp_path):
    forget, retain = make_datasets()
    with pytest.warns(UserWarning, match="2 of 6 samples of retain_dataset are in forget_dataset as well, and are pul"):
        make_trainer(tmp_path, make_model(), forget, loss="ga", retain_dataset=retain + forget[:2])


def test_a_retain_set_of_weight_0_is_said_to_have_no_effect(tmp_path):
    forget, retain = make_datasets()
    with pytest.warns(UserWarning, match="retain_dataset has no effect with retain_weight=0 but costs time: leave it"):
        make_trainer(tmp_path, make_model(), forget, loss="ga", retain_dataset=retain, retain_weight=0)
