"""python -m npo_tutorial.language, as a user calls it: runs, processes, references in files, one-line errors."""

import dataclasses
import json
import math
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import transformers
from tqdm import tqdm

import npo_tutorial.language.__main__ as command
from npo_tutorial.language import REFUSALS, arguments, encode, models, read_records, runs, write_records
from npo_tutorial.language.__main__ import main, read_files
from npo_tutorial.language.config import NPOConfig
from npo_tutorial.language.models import ModelArguments
from npo_tutorial.language.objectives import OBJECTIVES
from npo_tutorial.language.trainer import FORGOTTEN
from tests.conftest import ROOT, once
from tests.tiny_language import make_model, make_tokenizer, many_records, plain_logp

pytestmark = pytest.mark.usefixtures("one_thread")
FILES = ["--model", "model", "--forget", "forget.jsonl", "--retain", "retain.jsonl"]
# three epochs, each with other retain samples
SETTINGS = ["--learning-rate", "0.003", "--max-steps", "6", "--batch-size", "4", "--loss", "npo", "--beta", "0.5"]
FORGET, RETAIN = many_records(8, 11)


def run(folder, *arguments, launcher=(), **environment):
    command = [sys.executable, *launcher, "-m", "npo_tutorial.language", *map(str, arguments)]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"} | environment
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, encoding="utf-8", timeout=300)


def history(folder):
    """The log of a run, without entries that depend on the clock."""
    state = json.loads((folder / "trainer_state.json").read_text("utf-8"))
    entries = [entry for entry in state["log_history"] if "loss" in entry]
    assert entries
    return entries


def make_folder(folder):
    make_tokenizer().save_pretrained(folder / "model")
    make_model().float().save_pretrained(folder / "model")
    write_records(folder / "forget.jsonl", FORGET)
    write_records(folder / "retain.jsonl", RETAIN)
    finished = run(folder, *FILES, *SETTINGS, "--save-steps", 3, "--output", "one")
    assert finished.returncode == 0, finished.stderr
    return str(folder)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A model, a tokenizer and two files, and in "one" the output of a run on one process."""
    made = once(tmp_path_factory, "command", lambda: make_folder(tmp_path_factory.mktemp("made")))
    # each worker changes a copy of its own
    return Path(shutil.copytree(made, tmp_path_factory.mktemp("command"), dirs_exist_ok=True))


@pytest.fixture
def here(folder, monkeypatch):
    """The folder as the working directory: commands that need no process of their own are called in this one."""
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def no_model(monkeypatch):
    monkeypatch.setattr("npo_tutorial.language.models.load", lambda *_, **__: pytest.fail("a model was loaded"))


def call(*arguments):
    main([str(argument) for argument in arguments])


def same_losses(folder, name):
    first, other = history(folder / "one"), history(folder / name)
    assert len(first) == len(other) == 6
    for a, b in zip(first, other, strict=True):
        for value in ("loss", "forget_logp_per_token", "retain_logp_per_token", "mean_weight", "fraction_forgotten"):
            assert a[value] == pytest.approx(b[value], abs=1e-5), value


def weights(folder):
    return transformers.AutoModelForCausalLM.from_pretrained(folder, dtype="auto").state_dict()


def same_weights(one, other):
    one, other = weights(one), weights(other)
    assert one.keys() == other.keys()
    for name, values in one.items():
        assert values.dtype == other[name].dtype and torch.equal(values, other[name]), name


def copy_run(name, *left_out):
    """The folder of the run "one", without some of what it wrote, as if it had been killed before."""
    shutil.copytree("one", name)
    for path in (path for pattern in left_out for path in Path(name).glob(pattern)):
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def test_a_run_leaves_a_model_and_a_log(folder):
    assert {path.name for path in (folder / "one").iterdir()} >= {
        "checkpoint-3",
        "checkpoint-6",
        "config.json",
        "model.safetensors",
        "npo_run.json",
        "tokenizer.json",
        "trainer_state.json",
    }
    log = history(folder / "one")
    assert log[0]["mean_weight"] == pytest.approx(1) and log[-1]["mean_weight"] < 0.9
    assert log[-1]["forget_logp_per_token"] < log[0]["forget_logp_per_token"] - 0.5
    # the saved model is the model of the last step
    same_weights(folder / "one", folder / "one/checkpoint-6")
    assert not torch.equal(weights(folder / "one")["lm_head.weight"], weights(folder / "model")["lm_head.weight"])


@pytest.mark.parametrize("sharded", [False, pytest.param(True, marks=pytest.mark.nightly)])
def test_two_processes_have_the_losses_of_one(here, sharded):
    launcher = ["-m", "torch.distributed.run", "--standalone", "--local-addr", "127.0.0.1", "--nproc-per-node", "2"]
    environment, files, name = {}, FILES, "two"
    if sharded:
        # the variables that `accelerate launch` sets from its configuration; references must then come from a file
        name, files = "sharded", [*FILES[:3], "references.jsonl", *FILES[4:]]
        call(*FILES[:4], "--write-references", "references.jsonl")
        environment = {
            "ACCELERATE_USE_FSDP": "true",
            "FSDP_VERSION": "2",
            "FSDP_AUTO_WRAP_POLICY": "TRANSFORMER_BASED_WRAP",
            "FSDP_RESHARD_AFTER_FORWARD": "true",
            "FSDP_STATE_DICT_TYPE": "FULL_STATE_DICT",
        }
    # the first half, then the second: several processes resume, too
    arguments = [*files, *SETTINGS, "--save-steps", 3, "--output", name]
    begun = run(here, *arguments, "--max-steps", 3, launcher=launcher, **environment)
    assert begun.returncode == 0, begun.stderr
    assert runs.damage(here / name / "checkpoint-3", {2}) is None
    finished = run(here, *arguments, "--resume", launcher=launcher, **environment)
    assert finished.returncode == 0, finished.stderr
    same_losses(here, name)
    # only one of them writes and prints
    assert len(re.findall("'forget_logp_per_token'", begun.stdout)) == 3
    assert finished.stderr.count("checkpoint") <= 1


@pytest.mark.nightly
def test_what_all_processes_find_is_said_once(here):
    launcher = ["-m", "torch.distributed.run", "--standalone", "--local-addr", "127.0.0.1", "--nproc-per-node", "2"]
    finished = run(here, *FILES, "--output", "one", launcher=launcher)
    assert finished.returncode != 0
    assert finished.stderr.count("error: --output must be a new or an empty folder, got one") == 1


def test_resuming_continues_from_a_checkpoint(here):
    # in the middle of the second epoch; the last checkpoint is not there yet
    copy_run("resumed", "checkpoint-6", "*.safetensors", "config.json")
    call(*FILES, *SETTINGS, "--resume", "--output", "resumed")
    same_losses(here, "resumed")
    same_weights("one", "resumed")


def test_a_run_that_was_killed_before_a_checkpoint_begins_again(here, capsys):
    copy_run("begun", "checkpoint-*", "*.safetensors", "config.json")
    call(*FILES, *SETTINGS, "--resume", "--output", "begun")
    assert "begun contains no whole checkpoint: the run begins again" in capsys.readouterr().err
    same_weights("one", "begun")


def test_an_incomplete_checkpoint_is_skipped_and_said(here, capsys):
    copy_run("skipped", "checkpoint-6/optimizer.pt")
    call(*FILES, *SETTINGS, "--resume", "--output", "skipped")
    assert "checkpoint-6 is incomplete (optimizer* is missing)" in capsys.readouterr().err
    same_weights("one", "skipped")


def test_a_resumed_run_may_be_longer_and_saved_otherwise(here):
    call(*FILES, *SETTINGS, "--max-steps", 4, "--save-steps", 2, "--output", "short")
    call(*FILES, *SETTINGS, "--save-steps", 1, "--logging-steps", 1, "--resume", "--output", "short")
    assert (here / "short/checkpoint-5").exists()
    same_losses(here, "short")
    same_weights("one", "short")


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (["--loss", "simnpo"], '--loss was "npo", got "simnpo"'),
        (["--beta", "0.25"], "--beta was 0.5, got 0.25"),
        (["--learning-rate", "0.002"], "--learning-rate was 0.003, got 0.002"),
        (["--batch-size", "8"], "--batch-size was 4, got 8"),
        (["--seed", "7"], "--seed was 42, got 7"),
        (["--forget", "retain.jsonl", "--retain", "forget.jsonl"], "--forget has others than at its beginning"),
        (["--model", "other"], "weights of the run: --model has others than at its beginning"),
        (["--model", "config"], "configuration and weights of the run: --model has others than at its beginning"),
        (["--model", "template"], "tokenizer and chat template of the run: --forget has others than at its beginning"),
        (["--max-steps", "5"], "--max-steps must be at least 6, the step of one/checkpoint-6, got 5"),
        (["--overwrite"], "--resume and --overwrite must not be given together"),
    ],
)
def test_resuming_names_the_first_difference(here, capsys, changed, message):
    if not Path("other").exists():
        for name in ("other", "config", "template"):
            shutil.copytree("model", name)
        make_model(seed=1).float().save_pretrained("other")
        config = json.loads(Path("config/config.json").read_text("utf-8"))
        Path("config/config.json").write_text(json.dumps(config | {"rms_norm_eps": 0.1}), "utf-8")
        Path("template/chat_template.jinja").write_text(make_tokenizer(chat=True).chat_template, "utf-8")
    before = {path: path.stat().st_mtime_ns for path in Path("one").rglob("*")}
    said = failure(capsys, *FILES, *SETTINGS, "--save-steps", 3, "--resume", "--output", "one", *changed)
    assert message in said
    after = {path: path.stat().st_mtime_ns for path in Path("one").rglob("*")}
    assert before.keys() == after.keys()


@pytest.mark.skipif(os.name == "nt", reason="POSIX")
def test_what_a_pipe_gave_counts(here, capsys, monkeypatch):
    """A pipe can be read only once."""

    def pipe(name):
        end, start = os.pipe()
        os.write(start, Path(name).read_bytes())
        os.close(start)
        return f"/dev/fd/{end}"

    words = [*FILES[:2], *SETTINGS, "--save-steps", 1, "--output", "piped", "--max-steps"]
    call(*words, 1, "--forget", pipe("forget.jsonl"))
    said = failure(capsys, *words, 2, "--resume", "--forget", pipe("retain.jsonl"))
    assert "--resume needs the records, tokenizer and chat template of the run: --forget has others" in said
    call(*words, 2, "--resume", "--forget", pipe("forget.jsonl"))
    assert Path("piped/checkpoint-2").exists()
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(ValueError, match=r"^--forget must be a file for several processes, .*, got /dev/fd/\d+$"):
        sys.modules[main.__module__].check_pipes(arguments.FileArguments(forget=pipe("forget.jsonl")))


def test_a_checkpoint_without_the_optimizer_is_kept_and_refused(here, capsys):
    words = [*FILES, *SETTINGS, "--max-steps", 2, "--save-steps", 1, "--save-only-model", "--output", "models"]
    call(*words)
    for more in ([], ["--max-steps", 4]):
        said = failure(capsys, *words, *more, "--resume")
        assert "needs a checkpoint with the optimizer, got models/checkpoint-2, which --save-only-model" in said
    same_weights("models", "models/checkpoint-2")
    assert len(list(Path("models").glob("checkpoint-*"))) == 2


@pytest.mark.parametrize("name", ["optimizer.pt", "model.safetensors"])
def test_a_checkpoint_with_other_contents_is_named(here, capsys, name):
    output = f"strange-{name}"
    copy_run(output)
    path = Path(output, "checkpoint-6", name)
    if name == "optimizer.pt":
        shutil.copy(path.with_name("scheduler.pt"), path)
    else:
        config = make_model().config
        config.hidden_size = 32
        transformers.LlamaForCausalLM(config).save_pretrained(path.parent)
    said = failure(capsys, *FILES, *SETTINGS, "--save-steps", 3, "--resume", "--max-steps", 8, "--output", output)
    assert f"--resume needs a checkpoint of this run, got {output}/checkpoint-6, which cannot be loaded (" in said
    assert said.endswith("): move it elsewhere to go on from an earlier one") and len(said) < 400
    shutil.rmtree(path.parent)
    call(*FILES, *SETTINGS, "--save-steps", 3, "--resume", "--output", output)
    same_weights("one", output)


@pytest.mark.usefixtures("no_model")
def test_what_this_machine_lacks_is_found_before_the_model_is_loaded(here, capsys, monkeypatch):
    monkeypatch.setattr("transformers.integrations.integration_utils.is_wandb_available", lambda: False)
    said = failure(capsys, *FILES, "--output", "new", "--report-to", "wandb")
    assert "error: --report-to must be a package that is installed, got wandb (WandbCallback requires wandb" in said
    said = failure(capsys, *FILES, "--output", "new", "--use-liger-kernel", "--use-cpu")
    assert said.endswith("error: --use-liger-kernel needs a GPU, got none: leave it out")
    assert not Path("new").exists()


# optimizers that need a package which is not among those of the tests
ELSEWHERE = ["adamw_8bit", "paged_lion_8bit", "rmsprop_bnb", "galore_adamw", "apollo_adamw", "lomo", "grokadamw"]
ELSEWHERE += ["schedule_free_adamw", "stable_adamw", "adamw_anyprecision", "adamw_torch_xla", "adamw_torch_npu_fused"]


@pytest.mark.usefixtures("no_model")
@pytest.mark.parametrize("optimizer", ELSEWHERE)
def test_an_optimizer_that_is_missing_is_found_before_the_model_is_loaded(here, capsys, optimizer):
    said = failure(capsys, *FILES, *SETTINGS, "--output", "new", "--optim", optimizer)
    assert f"error: --optim must be an optimizer that can be used here, got '{optimizer}' (" in said
    assert not Path("new").exists()


@pytest.mark.usefixtures("no_model")
@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (
            ["--lora", "--lora-targets", "nothing"],
            "--lora-targets must be layers of this model, got ['nothing'] (Target modules {'nothing'} not found in the "
            "base model): it has down_proj, embed_tokens, ",
        ),
        (
            ["--lora", "--lora-targets", "q_proj", "v_porj"],
            "--lora-targets must be layers of this model, got ['q_proj', 'v_porj'] (there is no 'v_porj'): it has do",
        ),
        (["--dataloader-num-workers", "100000"], "--dataloader-num-workers must be at most "),
        (["--dataloader-num-workers", "-1"], "--dataloader-num-workers must be at least 0, got -1"),
        (
            ["--dataloader-prefetch-factor", "4"],
            "--dataloader-prefetch-factor must be left out without --dataloader-num-workers, got 4",
        ),
        (
            ["--deepspeed", '{"zero_optimisation": {"stage": 3}}'],
            "--deepspeed must have keys that DeepSpeed reads, got 'zero_optimisation': did you mean 'zero_opt",
        ),
        (["--deepspeed", "{}"], "--deepspeed needs the package of this name: pip install deepspeed"),
        (
            ["--fsdp", "full_shard"],
            "--fsdp needs several processes, got one: start them by torchrun --nproc-per-node N",
        ),
        (["--fsdp", "true"], "--fsdp needs several processes, got one: start them by torchrun --nproc-per-node N"),
        (["--fsdp", "full"], "--fsdp must be True, False or of the words full_shard, shard_grad_op, no_shard, "),
        (["--fsdp-config", '{"version": 2}'], "--fsdp-config must be left out unless --fsdp, got {'version': 2}"),
        (
            ["--fsdp", "--fsdp-config", '{"foo": 1}'],
            "--fsdp-config must have keys among 'activation_checkpointing', 'auto_wrap_policy', 'cpu_offload', ",
        ),
        (
            ["--accelerator-config", '{"gradient_accumulation_kwargs": {"steps": 2}}'],
            "--accelerator-config['gradient_accumulation_kwargs'] must have keys among 'num_steps', ",
        ),
        (
            ["--gradient-checkpointing", "--gradient-checkpointing-kwargs", '{"reentrant": true}'],
            "--gradient-checkpointing-kwargs must have keys among 'every_n_layers', 'offload', 'use_reentrant', ",
        ),
        (
            ["--use-liger-kernel", "--liger-kernel-config", "rope=true"],
            "--liger-kernel-config must be a JSON object, got rope=true (Expecting value, column 1)",
        ),
        (["--optim-args", "lr=1"], "--optim-args must be left out with --optim adamw_torch_fused, which has no such "),
        (
            ["--gradient-checkpointing", "--activation-checkpointing-kwargs", '{"offload": true}', "--use-cpu"],
            "--activation-checkpointing-kwargs['offload'] needs a GPU, got none: leave it out",
        ),
        (["--eval-on-start"], "--eval-on-start must be left out without --eval-steps, which says when to evaluate"),
        (["--hub-token", "secret"], "--hub-token must be left out without --push-to-hub, which uses it"),
        (["--trackio-space-id", "x"], "--trackio-space-id must be left out without --report-to trackio, which uses it"),
        (["--fp16", "--use-cpu"], "--fp16 needs a GPU, got none: use --bf16 or leave it out"),
        (["--fp16", "--bf16"], "--fp16 must be left out with --bf16: computations have one precision, got True"),
        (["--push-to-hub"], "--push-to-hub needs a token of the hub, got none: run hf auth login, or pass --hub-token"),
        (
            ["--lr-scheduler-type", "warmup_stable_decay"],
            "--lr-scheduler-kwargs must have 'num_decay_steps' with --lr-scheduler-type warmup_stable_decay, got",
        ),
        (
            ["--lr-scheduler-type", "cosine_with_min_lr"],
            "--lr-scheduler-kwargs must be options that --lr-scheduler-type cosine_with_min_lr can use, got nothing (",
        ),
        (
            ["--lr-scheduler-type", "warmup_stable_decay", "--lr-scheduler-kwargs", '{"num_decay_steps": "x"}'],
            "--lr-scheduler-kwargs must be options that --lr-scheduler-type warmup_stable_decay can use, got {'num_",
        ),
        (
            ["--lr-scheduler-type", "polynomial", "--warmup-steps", "6"],
            "--lr-scheduler-type polynomial must have a learning rate at every step, got none at step 6 of 6 (division",
        ),
        (
            ["--lr-scheduler-type", "reduce_lr_on_plateau"],
            "--lr-scheduler-type must be left out without evaluations, which --eval-strategy steps and --eval-steps as",
        ),
        (
            ["--optim", "rmsprop", "--optim-args", "alpha=-1"],
            "--optim-args must be options that --optim rmsprop can use, got 'alpha=-1' (Invalid alpha value: -1.0)",
        ),
        (
            ["--optim", "sgd", "--optim-args", "momentum=much"],
            "--optim-args must be options that --optim sgd can use, got 'momentum=much' (could not convert string to f",
        ),
        (
            ["--eval-steps", "1", "--save-strategy", "best"],
            "--metric-for-best-model must be given with --save-strategy best, got None",
        ),
        (
            ["--eval-steps", "1", "--save-strategy", "best", "--metric-for-best-model", "forget_loss"],
            "--greater-is-better must be given with --metric-for-best-model forget_loss, of which neither direction a",
        ),
        (
            ["--eval-steps", "1", "--save-strategy", "best", "--metric-for-best-model", "loss"],
            "--metric-for-best-model must be one of forget_loss, forget_logp_per_token, forget_fraction_forgotten, r",
        ),
    ],
)
def test_what_no_model_is_needed_for_is_found_before_it_is_loaded(here, capsys, monkeypatch, changed, message):
    monkeypatch.setattr("huggingface_hub.get_token", lambda: None)
    said = failure(capsys, *FILES, *SETTINGS, "--output", "new/inner", *changed)
    assert f"error: {message}" in said
    assert not Path("new").exists()


def test_values_in_quotes_are_not_options():
    message = "optim_args must be left out with optim='sgd', got 'weight_decay=1' and 'activation_checkpointing'"
    assert arguments.as_typed(message, {"optim", "optim_args", "weight_decay", "activation_checkpointing"}) == (
        "--optim-args must be left out with --optim sgd, got 'weight_decay=1' and 'activation_checkpointing'"
    )


@pytest.mark.usefixtures("no_model")
def test_kernels_that_liger_does_not_have_are_found_before_the_model_is_loaded(here, capsys, monkeypatch):
    pytest.importorskip("liger_kernel", reason="Liger Kernel needs Linux and Triton")
    monkeypatch.setattr("npo_tutorial.language.checks.check_machine", lambda config: None)
    said = failure(capsys, *FILES, "--output", "new", "--use-liger-kernel", "--liger-kernel-config", '{"ropes": true}')
    assert "error: --liger-kernel-config must have keys among 'rope', 'cross_entropy', " in said


@pytest.mark.parametrize("name", ["left", "left/behind"])
def test_a_run_that_fails_before_its_beginning_leaves_nothing(here, capsys, monkeypatch, name):
    def fails(*arguments, **options):
        # no other run may use the folder now
        assert Path(name, runs.LOCK).exists()
        raise ValueError("no such weights")

    monkeypatch.setattr("npo_tutorial.language.models.load", fails)
    assert failure(capsys, *FILES, *SETTINGS, "--output", name).endswith("no such weights")
    assert not Path("left").exists()
    # a folder that was there stays, and so does that of a run
    name = "empty"
    Path(name).mkdir()
    assert failure(capsys, *FILES, *SETTINGS, "--output", name).endswith("no such weights")
    assert not list(Path(name).iterdir())
    Path(name).rmdir()
    name = "one"
    before = sorted(path.name for path in Path(name).iterdir())
    assert failure(capsys, *FILES, *SETTINGS, "--save-steps", 3, "--resume", "--output", name).endswith("such weights")
    assert sorted(path.name for path in Path(name).iterdir()) == before


def test_the_contents_of_files_count_and_not_their_names(here):
    copy_run("moved", "checkpoint-6", "*.safetensors", "config.json")
    shutil.copytree("model", "elsewhere/model")
    shutil.copy("forget.jsonl", "elsewhere/f.jsonl")
    files = ["--model", "elsewhere/model", "--forget", "elsewhere/f.jsonl", *FILES[4:]]
    call(*files, *SETTINGS, "--resume", "--output", "moved")
    same_weights("one", "moved")


def test_overwriting_begins_anew(here, capsys):
    copy_run("again")
    # another loss, and a stale checkpoint with a higher number
    shutil.copytree("again/checkpoint-6", "again/checkpoint-9")
    arguments = [*FILES, *SETTINGS[:-4], "--loss", "ga", "--max-steps", 2, "--output", "again"]
    assert "--resume goes on with its run, --overwrite deletes it" in failure(capsys, *arguments)
    call(*arguments, "--overwrite")
    assert not list((here / "again").glob("checkpoint-*"))
    assert len(history(here / "again")) == 2
    assert runs.read_record("again")["settings"]["loss"] == "ga"


def test_a_failing_overwrite_deletes_nothing(here, capsys):
    copy_run("kept")
    before = sorted(Path("kept").rglob("*"))
    assert "beta" in failure(capsys, *FILES, *SETTINGS, "--overwrite", "--beta", "-1", "--output", "kept")
    assert "bad.jsonl" in failure(capsys, *FILES, *SETTINGS, "--overwrite", "--forget", "bad.jsonl", "--output", "kept")
    assert (
        sorted(Path("kept").rglob("*")) == [*before, Path("kept", runs.LOCK)]
        or sorted(Path("kept").rglob("*")) == before
    )


def test_the_folder_of_the_model_is_left_alone(here, capsys):
    before = (here / "model/model.safetensors").read_bytes()
    for output in ("model", "model/unlearned", "."):
        for more in ([], ["--overwrite"]):
            said = failure(capsys, *FILES, "--output", output, *more)
            assert "--output must be apart from the folder of --model" in said
    assert (here / "model/model.safetensors").read_bytes() == before
    assert not (here / "model" / runs.LOCK).exists() and not (here / runs.LOCK).exists()


# as published models have them: transformers loads it, and refuses to save it
FLAGS = {"do_sample": False, "temperature": 0.6, "top_p": 0.9, "eos_token_id": 1}


def test_flags_of_sampling_without_sampling_do_not_lose_the_run(here, capsys):
    shutil.copytree("model", "flags")
    Path("flags/generation_config.json").write_text(json.dumps(FLAGS), "utf-8")
    call("--model", "flags", *FILES[2:], *SETTINGS, "--max-steps", 1, "--output", "without-flags")
    assert "has temperature=0.6, top_p=0.9 without do_sample" in capsys.readouterr().err
    saved = transformers.GenerationConfig.from_pretrained("without-flags")
    assert saved.temperature in (None, 1.0) and saved.eos_token_id == 1
    same = json.loads(Path("flags/generation_config.json").read_text("utf-8"))
    assert same == FLAGS


def test_a_generation_config_that_cannot_be_repaired_is_refused_before(here, capsys):
    shutil.copytree("model", "contradiction")
    Path("contradiction/generation_config.json").write_text(
        json.dumps({"num_beams": 1, "length_penalty": 2.0}), "utf-8"
    )
    said = failure(capsys, "--model", "contradiction", *FILES[2:], *SETTINGS, "--output", "nothing-lost")
    assert "--model must have a generation_config.json that can be saved" in said and "length_penalty" in said
    assert not Path("nothing-lost").exists()


def test_a_tokenizer_that_cannot_be_saved_is_found_before_the_first_step(here, capsys, monkeypatch):
    def fails(self, folder, **_):
        raise ValueError("this tokenizer cannot be saved")

    monkeypatch.setattr(transformers.PreTrainedTokenizerFast, "save_pretrained", fails)
    monkeypatch.setattr(transformers.Trainer, "training_step", lambda *_: pytest.fail("a step was made"))
    said = failure(capsys, *FILES, *SETTINGS, "--output", "unsaved")
    assert said.endswith("this tokenizer cannot be saved")
    assert not Path("unsaved").exists()


def test_a_metric_that_no_evaluation_has_is_found_before_the_first_step(here, capsys, monkeypatch):
    monkeypatch.setattr(transformers.Trainer, "training_step", lambda *_: pytest.fail("a step was made"))
    words = [*FILES, *SETTINGS, "--save-steps", 1, "--eval-steps", 1, "--load-best-model-at-end", "--output", "no-best"]
    names = "forget_loss, forget_logp_per_token, forget_fraction_forgotten, retain_loss, retain_logp_per_token"
    for metric, more in (("loss", []), ("forgotten", ["--metric-for-best-model", "forgotten"])):
        said = failure(capsys, *words, *more)
        assert said.endswith(f"error: --metric-for-best-model must be one of {names}, got {metric}")


def test_a_folder_without_room_is_found_before_the_first_step(here, capsys, monkeypatch):
    usage = shutil.disk_usage(".")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=10**5))
    monkeypatch.setattr(transformers.Trainer, "training_step", lambda *_: pytest.fail("a step was made"))
    size = sum(x.numel() * 4 for x in make_model().parameters())
    # the model, and two checkpoints with both moments of AdamW
    said = failure(capsys, *FILES, *SETTINGS, "--save-steps", 3, "--output", "no-room")
    assert f"needs {7 * size / 1e6:.3g} MB for the model and 2 checkpoints, got 0.1 MB free" in said
    said = failure(capsys, *FILES, *SETTINGS, "--save-steps", 1, "--save-total-limit", 1, "--output", "no-room")
    assert f"needs {7 * size / 1e6:.3g} MB for the model and 2 checkpoints, got 0.1 MB free" in said


def test_the_model_is_whole_elsewhere_if_its_folder_fails_at_the_end(here, capsys, monkeypatch, tmp_path):
    def fails(output, write):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(runs, "write_whole", fails)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    said = failure(capsys, *FILES, *SETTINGS, "--save-steps", 3, "--output", "rescued")
    place = re.search(
        r"rescued \(No space left on device\): it is whole in (\S+); rescued/checkpoint-6 is whole, too", said
    )
    same_weights("one", place[1])


def test_the_model_is_whole_elsewhere_if_its_folder_is_gone(here, capsys, monkeypatch, tmp_path):
    plain = runs.write_whole

    def fails(output, write):
        shutil.rmtree(output)
        plain(output, write)

    monkeypatch.setattr(runs, "write_whole", fails)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    said = failure(capsys, *FILES, *SETTINGS, "--output", "gone")
    same_weights("one", re.search(r"it is whole in (\S+)$", said)[1])


def test_references_from_a_file_equal_those_computed_at_once(here):
    call(*FILES[:4], "--write-references", "with.jsonl")
    records = read_records("with.jsonl")
    assert [{name: record[name] for name in ("prompt", "response")} for record in records] == FORGET
    assert [record["ref_tokens"] for record in records] == [len(record["response"]) + 1 for record in FORGET]
    assert all(record["ref_logp"] < 0 for record in records)
    # micro-batches change nothing, and neither do recomputed activations
    files = [*FILES[:3], "with.jsonl", *FILES[4:]]
    call(*files, *SETTINGS, "--per-device-train-batch-size", 2, "--gradient-checkpointing", "--output", "from-file")
    same_losses(here, "from-file")
    # the run uses the references of the file
    write_records("wrong.jsonl", [record | {"ref_logp": record["ref_logp"] - 1} for record in records])
    call(*FILES[:3], "wrong.jsonl", *FILES[4:], *SETTINGS, "--max-steps", 1, "--output", "wrong")
    assert history(here / "wrong")[0]["mean_weight"] == pytest.approx(2 / (1 + math.exp(-0.5)), rel=1e-5)


def test_fields_of_other_names_are_mapped_and_only_the_forget_file_needs_a_preferred_answer(tmp_path):
    forget = {"question": "Who?", "answer": " Ann.", "instead": " Unknown."}
    (tmp_path / "forget.jsonl").write_text(json.dumps(forget) + "\n", "utf-8")
    (tmp_path / "retain.jsonl").write_text(json.dumps({"question": "When?", "answer": " Now."}) + "\n", "utf-8")
    files = arguments.FileArguments(
        forget=str(tmp_path / "forget.jsonl"),
        retain=str(tmp_path / "retain.jsonl"),
        prompt_field="question",
        response_field="answer",
        chosen_field="instead",
    )
    records = read_files(files)
    assert records["forget"][0]["chosen"] == " Unknown." and records["retain"][0]["response"] == " Now."


@pytest.mark.filterwarnings("always:1 of 3 records skipped")
def test_references_of_refusals_are_written_with_the_refusals(here, capsys):
    # the first record is skipped, and stays in the file
    records = [{"prompt": 40 * "Why? ", "response": " No."}, *FORGET[:2]]
    write_records("long.jsonl", records)
    options = ["--loss", "dpo", "--max-length", 60, "--write-references", "dpo.jsonl"]
    call("--model", "model", "--forget", "long.jsonl", *options)
    assert "warning: 1 of 3 records skipped (first: long.jsonl, line 1): " in capsys.readouterr().err
    written = read_records("dpo.jsonl")
    assert written[0] == records[0]
    assert [record["chosen"] for record in written[1:]] == list(REFUSALS["en"][1:3])
    model = transformers.AutoModelForCausalLM.from_pretrained("model", dtype="float32")
    for item in encode(written[1:], make_tokenizer(), chosen=True):
        for prefix in ("", "chosen_"):
            expected = plain_logp(model, item[f"{prefix}input_ids"], item[f"{prefix}labels"]).item()
            assert item[f"{prefix}ref_logp"] == pytest.approx(expected, rel=1e-5)


def test_references_of_another_model_are_said(here, capsys):
    call(*FILES[:4], "--write-references", "of-model.jsonl")
    files = [*FILES[:3], "of-model.jsonl", *FILES[4:], *SETTINGS, "--max-steps", 1]
    call(*files, "--output", "same-references")
    assert "computed with other files" not in capsys.readouterr().err
    call("--model", "one", *files[2:], "--output", "other-references")
    assert (
        "warning: the references in --forget were computed with other files than those of --model"
        in capsys.readouterr().err
    )
    # other losses have no reference
    call("--model", "one", *files[2:6], "--loss", "ga", "--max-steps", 1, "--output", "no-references")
    assert "computed with other files" not in capsys.readouterr().err


def test_references_are_computed_where_the_model_will_be_trained(here, monkeypatch):
    moved, plain = [], transformers.PreTrainedModel.to
    monkeypatch.setattr(
        transformers.PreTrainedModel, "to", lambda x, *to, **how: moved.append(to) or plain(x, *to, **how)
    )
    compute = command.compute_references
    monkeypatch.setattr(command, "compute_references", lambda *given: moved.append("computed") or compute(*given))
    call(*FILES, *SETTINGS, "--max-steps", 1, "--use-cpu", "--output", "on-its-device")
    assert moved[: moved.index("computed") + 1] == [(torch.device("cpu"),), "computed"]


def test_references_take_as_many_responses_at_once_as_training(here, monkeypatch):
    sizes = []
    plain = torch.nn.Embedding.forward
    monkeypatch.setattr(torch.nn.Embedding, "forward", lambda x, ids: sizes.append(len(ids)) or plain(x, ids))
    call(*FILES[:4], "--write-references", "small.jsonl", "--per-device-train-batch-size", 2, "--use-cpu")
    assert max(sizes) == 2


def test_references_may_be_written_onto_their_own_file(here):
    shutil.copy("forget.jsonl", "own.jsonl")
    call("--model", "model", "--forget", "own.jsonl", "--write-references", "own.jsonl")
    call("--model", "model", "--forget", "forget.jsonl", "--write-references", "other.jsonl")
    assert Path("own.jsonl").read_bytes() == Path("other.jsonl").read_bytes()


@pytest.mark.usefixtures("no_model")
@pytest.mark.parametrize("name", ["references.csv", "no/such.jsonl", "model"])
def test_a_file_of_references_that_cannot_be_written_is_found_before_the_model_is_loaded(here, capsys, name):
    before = sorted(here.iterdir())
    said = failure(capsys, *FILES[:4], "--write-references", name)
    # the user's own name for it
    assert f"error: {name} must " in said or said.endswith(f"exists, got {name}")
    assert sorted(here.iterdir()) == before


@pytest.mark.usefixtures("no_model")
@pytest.mark.parametrize(
    "name", ["model/model.safetensors", "model/config.json", "model/tokenizer.json", "retain.jsonl", "link.jsonl"]
)
@pytest.mark.parametrize(
    ("more", "message"),
    [
        ([], "must be a new file or that of --forget, got {}, which exists: choose another name, or --overwrite if it"),
        (["--overwrite"], "--overwrite replaces only a file with earlier references, got {} as --write-references"),
    ],
)
def test_references_replace_no_file_of_the_users(here, capsys, name, more, message):
    link = Path("link.jsonl")
    link.unlink(missing_ok=True)
    link.symlink_to("retain.jsonl")
    before = Path(name).read_bytes()
    assert message.format(name) in failure(capsys, *FILES, "--write-references", name, *more)
    assert Path(name).read_bytes() == before


def test_references_are_replaced_if_the_user_says_so(here, capsys):
    records = [record | {"ref_logp": -1.0} for record in FORGET]
    write_records("earlier.jsonl", records)
    words = [*FILES[:4], "--write-references", "earlier.jsonl"]
    assert failure(capsys, *words).endswith("--overwrite if it has earlier references")
    assert read_records("earlier.jsonl") == records
    call(*words, "--overwrite")
    assert "do nothing" not in capsys.readouterr().err
    assert all(record["ref_logp"] != -1 for record in read_records("earlier.jsonl"))
    # an empty file, as mktemp makes it, contains nothing to lose
    Path("new.jsonl").touch()
    call(*FILES[:4], "--write-references", "new.jsonl")
    assert Path("new.jsonl").read_bytes() == Path("earlier.jsonl").read_bytes()


def test_options_that_do_nothing_are_said(here, capsys):
    options = ["--retain", "retain.jsonl", "--beta", 0.5, "--max-steps", 3]
    call(*FILES[:4], "--write-references", "said.jsonl", *options)
    said = "warning: --beta, --max-steps, --retain do nothing with --write-references"
    assert said in capsys.readouterr().err.splitlines()


@pytest.mark.filterwarnings("always:about .* of the weights will not move")
@pytest.mark.filterwarnings("always:retain_dataset has no effect")
def test_warnings_have_the_names_that_are_typed(here, capsys):
    call(*FILES, "--max-steps", 1, "--learning-rate", "1e-12", "--retain-weight", 0, "--output", "warned")
    said = capsys.readouterr().err
    assert "warning: --retain has no effect with --retain-weight 0 but costs time: leave it out" in said
    assert (
        "of the weights will not move: at --learning-rate 1e-12 a step is lost when they are rounded to float" in said
    )


def test_a_run_without_references_computes_them_to_stop(here):
    options = ["--loss", "ga", "--learning-rate", "0.1", "--max-steps", 20, "--stop-when-forgotten", 0.5]
    call(*FILES, *options, "--output", "stopped")
    log = history(here / "stopped")
    assert len(log) < 20 and log[-1]["fraction_forgotten"] >= 0.5


def test_evaluation_has_every_file(here):
    write_records("held-out.jsonl", RETAIN[:3])
    options = ["--max-steps", 2, "--eval-steps", 1, "--held-out", "held-out.jsonl", "--output", "evaluated"]
    call(*FILES, *SETTINGS, *options)
    state = json.loads(Path("evaluated/trainer_state.json").read_text("utf-8"))
    names = set().union(*state["log_history"])
    for name in ("forget", "retain", "held_out"):
        assert f"eval_{name}_loss" in names or any(x.startswith(f"eval_{name}_") for x in names), names


def test_an_adapter_is_trained_resumed_and_merged(here):
    options = [*FILES, *SETTINGS, "--lora", "--lora-rank", 2, "--dtype", "float32", "--retain-term", "kl_ref_model"]
    call(*options, "--save-steps", 3, "--output", "adapter")
    assert Path("adapter/adapter_model.safetensors").exists() and not Path("adapter/model.safetensors").exists()
    shutil.copytree("adapter", "adapter-resumed")
    shutil.rmtree("adapter-resumed/checkpoint-6")
    call(*options, "--save-steps", 3, "--resume", "--output", "adapter-resumed")
    assert history(here / "adapter") == history(here / "adapter-resumed")
    one, other = (Path(name, "adapter_model.safetensors").read_bytes() for name in ("adapter", "adapter-resumed"))
    assert one == other
    # a plain model, which needs nothing of peft
    call(*options, "--merge", "--output", "merged")
    assert history(here / "adapter") == history(here / "merged")
    assert not list(Path("merged").glob("adapter*"))
    assert not torch.equal(
        weights("merged")["model.layers.0.self_attn.q_proj.weight"],
        weights("model")["model.layers.0.self_attn.q_proj.weight"],
    )


@pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing:FutureWarning")
def test_an_adapter_that_cannot_be_merged_is_whole_elsewhere(here, capsys, monkeypatch, tmp_path):
    peft = pytest.importorskip("peft")
    options = [*FILES, *SETTINGS, "--max-steps", 2, "--lora", "--lora-rank", 2, "--merge"]
    call(*options, "--output", "mergeable")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    # nothing is left behind a merge
    call(*options, "--output", "mergeable-again")
    assert not list(tmp_path.iterdir())

    def fails(*_, **__):
        raise ValueError("NaNs detected in the merged weights")

    with monkeypatch.context() as patch:
        patch.setattr(peft.tuners.tuners_utils.BaseTuner, "merge_and_unload", fails)
        said = failure(capsys, *options, "--output", "unmerged")
    place = re.search(r"the adapter could not be merged \(NaNs detected .*\): the adapter is whole in (\S+)$", said)
    merged = peft.PeftModel.from_pretrained(transformers.AutoModelForCausalLM.from_pretrained("model"), place[1])
    merged = merged.merge_and_unload()
    for name, values in weights("mergeable").items():
        torch.testing.assert_close(merged.state_dict()[name], values)


def test_a_run_that_diverges_ends_with_its_step_and_saves_nothing(here, capsys):
    options = ["--loss", "ga", "--learning-rate", "1e30", "--max-grad-norm", 0, "--max-steps", 4, "--save-steps", 1]
    said = failure(capsys, *FILES, "--output", "diverged", *options)
    assert "finite" in said and "step" in said
    for checkpoint in Path("diverged").glob("checkpoint-*"):
        assert all(x.isfinite().all() for x in weights(checkpoint).values())
    assert not Path("diverged/config.json").exists()


def test_a_missing_extra_is_named(folder):
    (folder / "absent").mkdir()
    (folder / "absent/sitecustomize.py").write_text(
        "import sys\nclass Absent:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.split('.')[0] == 'transformers':\n"
        "            raise ModuleNotFoundError(name, name=name)\n"
        "sys.meta_path.insert(0, Absent())\n",
        "utf-8",
    )
    path = os.pathsep.join([str(folder / "absent"), str(ROOT)])
    finished = run(folder, *FILES, "--output", "nothing", PYTHONPATH=path)
    assert finished.returncode == 2
    assert finished.stderr.splitlines()[-1] == (
        "python -m npo_tutorial.language: error: this needs transformers: pip install 'npo-tutorial[llm]'"
    )


def failure(capsys, *arguments):
    """The last line on standard error of a command that exits with status 2."""
    capsys.readouterr()
    with pytest.raises(SystemExit) as stopped:
        main([str(argument) for argument in arguments])
    assert stopped.value.code == 2
    said = capsys.readouterr().err
    assert "Traceback" not in said
    assert said.splitlines()[-1].startswith("python -m npo_tutorial.language: error: ")
    return said.splitlines()[-1]


def test_an_error_does_not_share_a_line_with_a_bar(capsys):
    bar = tqdm(total=4)
    bar.update()
    assert failure(capsys, "--beta", "many").endswith("argument --beta: invalid float value: 'many'")
    assert bar not in tqdm._instances


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (["--beta", "0"], "--beta must be positive and finite, got 0"),
        (["--beta", "many"], "argument --beta: invalid float value: 'many'"),
        (["--loss", "ga"], "--beta must be left out with --loss ga, which has none, got 0.5"),
        (["--loss", "nll"], "--loss must be one of 'npo', 'ga', "),
        (["--max-steps", "0"], "--max-steps must be at least 1, got 0"),
        (
            ["--batch-size", "4", "--per-device-train-batch-size", "3"],
            "--batch-size must be a multiple of the number of",
        ),
        (["--resume"], "--resume goes on with a run of this command, but --output contains no npo_run.json, got new"),
        (
            ["--forget", "nowhere.jsonl"],
            "--forget must be a file that can be read, got nowhere.jsonl (No such file or dir",
        ),
        (["--retain", "model"], "--retain must be a file that can be read, got model (it is a folder)"),
        (
            ["--prompt-field", "qestion"],
            "--prompt-field must be a field of forget.jsonl or retain.jsonl, got 'qestion', ",
        ),
        (
            ["--response-field", "anwser"],
            "--response-field must be a field of forget.jsonl or retain.jsonl, got 'anwse",
        ),
        (["--chosen-field", "response"], "--chosen-field must be left out with --loss npo, which prefers no answer"),
        (["--forget", "trl.jsonl"], "so pass --response-field completion"),
        (
            ["--warmup-steps", "100"],
            "--warmup-steps must be left out with --lr-scheduler-type constant, which has no war",
        ),
        (["--save-steps", "0"], "--save-steps must be a whole number of steps from 1, or a share of all steps between"),
        (
            ["--save-steps", "nan"],
            "--save-steps must be a whole number of steps from 1, or a share of all steps between",
        ),
        (["--eval-steps", "0"], "--eval-steps must be a whole number of steps from 1, or a share of all steps between"),
        (
            ["--eval-steps", "1", "--eval-accumulation-steps", "0"],
            "--eval-accumulation-steps must be at least 1, got 0",
        ),
        (
            ["--load-best-model-at-end"],
            "--load-best-model-at-end must be left out without evaluations, which --eval-str",
        ),
        (
            ["--load-best-model-at-end", "--eval-steps", "2"],
            "--load-best-model-at-end must be left out unless --save-strategy and --eval-strategy are the same",
        ),
        (
            ["--optim", "sgd", "--adam-beta1", "0.5"],
            "--adam-beta1 must be left out with --optim sgd, which has no such o",
        ),
        (["--accelerator-config", "{bad"], "--accelerator-config must be a JSON object, got {bad (Expecting"),
        (["--output", "o\udcff"], r"--output must be in UTF-8, got 'o\udcff': use other characters"),
        (["--system", "\udcff"], r"--system must be in UTF-8, got '\udcff': use other characters"),
        (["--forget", "empty.jsonl"], "empty.jsonl: the file contains no records"),
        (["--forget", "bad.jsonl"], 'bad.jsonl, line 2: the field "response" is missing, got "prompt"'),
        (["--model", "./no/such/model"], "no/such/model"),
        (["--max-length", "3"], "must contain at least one that fits --max-length 3, got 8 that do not"),
        (["--retain-weight", "-1"], "--retain-weight must be at least 0 and finite, got -1.0"),
        (["--learning-rate", "nan"], "--learning-rate must be at least 0 and finite, got nan"),
        (["--learning-rate", "inf"], "--learning-rate must be at least 0 and finite, got inf"),
        (["--max-grad-norm", "-1"], "--max-grad-norm must be at least 0 and finite, got -1.0"),
        (["--loss", "simnpo", "--gamma", "nan"], "--gamma must be finite, got nan"),
        (["--seed", "-1"], "--seed must be between 0 and 2**32 - 1, got -1"),
        (["--retain", "forget.jsonl"], "--retain must be another file than --forget, got forget.jsonl"),
        (["--chat-template-kwargs", "{"], "--chat-template-kwargs must be a JSON object, got {"),
        (["--chat-template-kwargs", "[1]"], "--chat-template-kwargs must be a JSON object, got [1]"),
        (["--resume-from-checkpoint", "x"], "--resume-from-checkpoint must be left out: --resume goes on with the run"),
        (["--held-out", "retain.jsonl"], "--held-out must be left out without --eval-steps"),
        (
            ["--eval-steps", "2", "--metric-for-best-model", "loss"],
            "--metric-for-best-model must be left out without --load-best-model-at-end or --save-strategy best",
        ),
        (
            ["--save-total-limit", "2"],
            "--save-total-limit must be left out without checkpoints, which --save-strategy steps and --save-steps ask",
        ),
        (["--num-train-epochs", "2"], "--max-steps and --num-train-epochs must not be given together"),
        (["--output", "forget.jsonl"], "--output must be a folder, got the file forget.jsonl"),
        (["--output", "forget.jsonl/new"], "--output must be a folder that can be written to, got forget.jsonl/new"),
        (["--stepps", "3"], "'--stepps' is not an option: did you mean --steps"),
        (["--beta-max=3"], "'--beta-max=3' is not an option"),
        (["--max-step", "3"], "'--max-step' is not an option: did you mean --max-steps"),
        (["file.jsonl"], "'file.jsonl' is not an option"),
        ([""], "'' is not an option"),
        (["--bf16", "perhaps"], "argument --bf16: Truthy value expected: got perhaps"),
        (["--max-steps"], "argument --max-steps: expected one argument"),
    ],
)
# skipped records cause a warning, which the command prints
@pytest.mark.filterwarnings("ignore:8 of 8 records skipped:UserWarning")
def test_user_errors_become_one_line(here, capsys, changed, message):
    (here / "empty.jsonl").write_text("\n", "utf-8")
    (here / "trl.jsonl").write_text('{"prompt": "a", "completion": "b"}\n', "utf-8")
    (here / "bad.jsonl").write_text('{"prompt": "a", "response": "b"}\n{"prompt": "a"}\n', "utf-8")
    said = failure(capsys, *FILES, *SETTINGS, "--output", "new", *changed)
    assert message in said and "in Python" not in said
    assert not (here / "new" / runs.RECORD).exists()


def text_options():
    """Options that take any text, by the parser itself."""
    return sorted(
        action.option_strings[0]
        for action in arguments.make_parser()._actions
        if action.option_strings and action.nargs != 0 and action.type in (str, None) and action.choices is None
    )


def test_an_empty_argument_is_refused_by_name(here, capsys):
    options = text_options()
    assert {"--forget", "--model", "--retain", "--output-dir", "--write-references", "--system"} <= set(options)
    for option in options:
        for empty in ("", " "):
            said = failure(capsys, *FILES, "--output", "new", option, empty)
            shown = "--output" if option == "--output-dir" else option
            assert said.endswith(f"{shown} must not be empty, got {empty!r}"), option
    # numbers, flags and choices are not texts
    for option in ("--max-steps", "--beta", "--bf16", "--dtype", "--lr-scheduler-type"):
        assert option in failure(capsys, *FILES, "--output", "new", f"{option}="), option
    assert "--lora-targets must not be empty" in failure(capsys, *FILES, "--output", "new", "--lora-targets", "a", "")
    assert not Path("new").exists()


@pytest.mark.parametrize(("batch_size", "message"), [(3, "2 × 1, got 3"), (1, "2 × 1, got 1")])
def test_every_process_gets_the_same_number_of_samples(here, monkeypatch, capsys, batch_size, message):
    monkeypatch.setenv("WORLD_SIZE", "2")
    said = failure(capsys, *FILES, "--output", "new", "--batch-size", batch_size)
    assert "--batch-size must be a multiple of the number of processes" in said and said.endswith(message)


def test_references_of_a_sharded_model_come_from_a_file(here, monkeypatch, capsys):
    monkeypatch.setenv("ACCELERATE_USE_FSDP", "true")
    assert "run with --write-references --loss npo first" in failure(capsys, *FILES, "--output", "new")
    # of which a file has none
    said = failure(capsys, *FILES, "--loss", "tnpo", "--output", "new")
    assert "--loss must be another one for a sharded model, got tnpo, which needs the reference of each token" in said


@pytest.mark.parametrize(
    ("environment", "kind"),
    [
        ({"FSDP_VERSION": "2", "FSDP_STATE_DICT_TYPE": "SHARDED_STATE_DICT"}, "SHARDED_STATE_DICT"),
        ({"FSDP_VERSION": "2"}, "SHARDED_STATE_DICT"),
        ({"FSDP_VERSION": "1", "FSDP_STATE_DICT_TYPE": "3"}, "3"),
        ({"FSDP_VERSION": "2", "FSDP_STATE_DICT_TYPE": "FULL_STATE_DICT"}, None),
        ({"FSDP_VERSION": "1"}, None),
        ({"FSDP_STATE_DICT_TYPE": "1"}, None),
    ],
)
def test_a_sharded_model_that_would_be_written_nowhere_is_found_before_it_is_loaded(
    here, no_model, monkeypatch, capsys, environment, kind
):
    references = [record | {"ref_logp": -1.0} for record in FORGET]
    write_records("references.jsonl", references)
    for name, value in ({"ACCELERATE_USE_FSDP": "true"} | environment).items():
        monkeypatch.setenv(name, value)
    words = [*FILES[:3], "references.jsonl", *FILES[4:], "--output", "new"]
    if kind is None:
        with pytest.raises(pytest.fail.Exception, match="a model was loaded"):
            call(*words)
    else:
        said = f"--save-steps must be given with the state_dict_type {kind} of FSDP"
        assert said in failure(capsys, *words)
        of_best = ["--save-strategy", "best", "--eval-steps", 1, "--metric-for-best-model", "retain_logp_per_token"]
        assert said in failure(capsys, *words, *of_best)
        said = f"--merge must be left out with the state_dict_type {kind} of FSDP"
        assert said in failure(capsys, *words, "--save-steps", 3, "--lora", "--merge")
    with pytest.raises(pytest.fail.Exception, match="a model was loaded"):
        call(*words, "--save-steps", 3)


def test_a_retain_term_needs_a_retain_set(here, capsys):
    said = failure(capsys, *FILES[:4], "--output", "new", "--retain-term", "kl_ref_model")
    assert said.endswith("--retain-term must be left out without --retain, got kl_ref_model")


def test_an_output_folder_must_be_given(here, capsys):
    assert failure(capsys, *FILES).endswith("--output or --write-references must be given")


def test_earlier_names_of_options_are_understood(here):
    *_, config, typed = arguments.parse(
        [*FILES, "--steps", "3", "--micro-batch-size=2", "--log-steps", "5", "--output=x", "--batch-size", "4"]
    )
    assert (config.max_steps, config.per_device_train_batch_size, config.logging_steps) == (3, 2, 5)
    assert config.output_dir == "x" and {"max_steps", "output_dir", "batch_size"} <= typed


def test_messages_about_arguments_are_in_the_users_words():
    names = {"loss", "beta", "max_length", "retain_weight", "output_dir", "bf16", "model"}
    for said, typed in {
        "beta must be left out with loss='ga', got 0.5": "--beta must be left out with --loss ga, got 0.5",
        "records must fit max_length=3, got 8": "records must fit --max-length 3, got 8",
        "retain_dataset must be given": "--retain must be given",
        "the loss must be finite": "the loss must be finite",
        "beta=0.5: the loss of a model": "--beta 0.5: the loss of a model",
        "use more than retain_weight, 3": "use more than --retain-weight, 3",
        "pass --max-length 3 (in Python max_length)": "pass --max-length 3",
        "--output_dir='o' requires bf16=True": "--output o requires --bf16",
        "--max-length 3 and the model of --output": "--max-length 3 and the model of --output",
        "`args.max_length` must be provided": "--max-length must be provided",
        "args.bf16 and `retain_weight`": "--bf16 and --retain-weight",
        "to use `bf16` with the `loss` 'ga'": "to use --bf16 with the --loss 'ga'",
    }.items():
        assert arguments.as_typed(said, names) == typed


# ----- help


def test_help_fits_on_two_screens_and_does_not_load_transformers(folder):
    program = (
        "import sys; from npo_tutorial.language.__main__ import main; main(['--help']); "
        "assert 'transformers' not in sys.modules"
    )
    environment = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8"}
    shown = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, encoding="utf-8")
    assert shown.returncode == 0, shown.stderr
    lines = shown.stdout.splitlines()
    assert len(lines) <= 2 * 48 and max(map(len, lines)) <= 100


def test_help_and_the_options_agree():
    actions = {name: action for action in arguments.make_parser()._actions for name in action.option_strings}
    lines = re.findall(r"^  (--[a-z0-9-]+)([^\n]*(?:\n {20,}[^\n]*)*)", arguments.HELP, re.M)
    shown = {name: " ".join(text.split()) for name, text in lines}
    assert len(shown) > 30
    others = {"--help", "--help-all", "--nproc-per-node", "--config_file"}
    for name in set(re.findall(r"(?<![\w-])(--[a-z][a-z0-9_-]*)", arguments.HELP)) - others:
        assert arguments.ALIASES.get(name, name) in actions, name
    # all that is ours is there
    own = {field.name for part in (arguments.FileArguments, ModelArguments) for field in dataclasses.fields(part)}
    # what is not the Trainer's
    own |= set(NPOConfig.__annotations__) - {field.name for field in dataclasses.fields(transformers.TrainingArguments)}
    for name in own:
        assert re.search(rf"{arguments.as_option(name)}\b|--no-{name.replace('_', '-')}\b", arguments.HELP), name
    # and says what the parser does
    compared = set()
    for name, text in shown.items():
        action = actions.get(arguments.ALIASES.get(name, name))
        default = re.search(r"\(default: ([\w.-]+)\)", text)
        if action and action.default not in (None, False) and default and default[1] != "AdamW":
            expected = str(getattr(action.default, "value", action.default))
            assert default[1] == expected or float(default[1]) == float(expected), name
            compared.add(name)
    assert {"--loss", "--retain-term", "--learning-rate", "--num-train-epochs", "--seed"} <= compared
    listed = re.match(r"NAME ((?:\w+, )+\w+)", shown["--loss"])
    assert listed[1].split(", ") == list(OBJECTIVES)


def test_help_says_which_losses_and_what_is_forgotten():
    said = " ".join(arguments.HELP.split())
    *others, last = [x.name for x in OBJECTIVES.values() if x.per_token]
    assert f"--forget-reduction likewise, for {', '.join(others)} and {last} " in said
    (needs_model,) = [x.name for x in OBJECTIVES.values() if "ref_logits" in x.needs]
    assert f"the last two, and the loss {needs_model}, need a second model in memory" in said
    assert FORGOTTEN == 0.1 and "at most a tenth as probable as at first" in said
    assert "--lora-alpha N (default: 32)" in said and models.ALPHA == 32
    # without a chat template nothing else separates the response from the prompt
    assert '"response": "William Shakespeare."} for a model with a chat template; for others " William' in said


def test_help_explains_files_examples_and_launchers(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    assert not ended.value.code
    said = capsys.readouterr().out
    usage = said.partition("\n\n")[0]
    assert "--output FOLDER" in usage and "--write-references FILE" in usage
    # what a user would otherwise find out at the end of a run
    assert re.search(r"--held-out .*; needs --eval-steps", said)
    assert re.search(r"number of steps\s+if the learning rate is constant", said)
    assert "Without --save-steps they end it at once, unsaved" in said
    for word in ("one record per line", '"prompt"', "torchrun --nproc-per-node 2", "accelerate launch", "--help-all"):
        assert word in said


def test_all_help_has_the_options_of_the_trainer_with_dashes(capsys):
    main(["--help-all"])
    said = capsys.readouterr().out
    for option in ("--forget", "--lora-rank", "--beta", "--optim", "--warmup-steps", "--dataloader-num-workers"):
        assert option in said
    assert "--warmup_steps" not in said and "(default: None)" not in said
