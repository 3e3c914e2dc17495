"""python -m npo_tutorial.language, as a user calls it: runs, processes, references in files, one-line errors."""

import json
import math
import os
import shutil
import subprocess
import sys

import pytest
import torch
import transformers

from npo_tutorial.language import REFUSALS, encode, read_records, write_records
from npo_tutorial.language.__main__ import main
from tests.conftest import ROOT
from tests.tiny_language import make_model, make_tokenizer, many_records, plain_logp

pytestmark = pytest.mark.usefixtures("one_thread")
FILES = ["--model", "model", "--forget", "forget.jsonl", "--retain", "retain.jsonl"]
# three epochs, each with other retain samples
SETTINGS = ["--learning-rate", "0.003", "--steps", "6", "--batch-size", "4", "--loss", "npo", "--beta", "0.5"]
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


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A model, a tokenizer and two files, and in "one" the output of a run on one process."""
    folder = tmp_path_factory.mktemp("command")
    make_tokenizer().save_pretrained(folder / "model")
    make_model().float().save_pretrained(folder / "model")
    write_records(folder / "forget.jsonl", FORGET)
    write_records(folder / "retain.jsonl", RETAIN)
    finished = run(folder, *FILES, *SETTINGS, "--save-steps", 3, "--output", "one")
    assert finished.returncode == 0, finished.stderr
    return folder


@pytest.fixture
def here(folder, monkeypatch):
    """The folder as the working directory: commands that need no process of their own are called in this one."""
    monkeypatch.chdir(folder)
    return folder


def call(*arguments):
    main([str(argument) for argument in arguments])


def same_losses(folder, name):
    first, other = history(folder / "one"), history(folder / name)
    assert len(first) == len(other) == 6
    for a, b in zip(first, other, strict=True):
        for value in ("loss", "forget_logp_per_token", "retain_logp_per_token", "mean_weight", "fraction_forgotten"):
            assert a[value] == pytest.approx(b[value], abs=1e-5), value


def test_a_run_leaves_a_model_and_a_log(folder):
    assert {path.name for path in (folder / "one").iterdir()} >= {
        "checkpoint-3",
        "checkpoint-6",
        "config.json",
        "model.safetensors",
        "tokenizer.json",
        "trainer_state.json",
    }
    log = history(folder / "one")
    assert log[0]["mean_weight"] == pytest.approx(1) and log[-1]["mean_weight"] < 0.9
    assert log[-1]["forget_logp_per_token"] < log[0]["forget_logp_per_token"] - 0.5
    # the saved model is the model of the last step
    left, start = (
        transformers.AutoModelForCausalLM.from_pretrained(folder / name, dtype="float32") for name in ("one", "model")
    )
    last = transformers.AutoModelForCausalLM.from_pretrained(folder / "one/checkpoint-6", dtype="float32")
    for name, weights in left.state_dict().items():
        assert torch.equal(weights, last.state_dict()[name])
    assert not torch.equal(left.lm_head.weight, start.lm_head.weight)


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
    finished = run(here, *files, *SETTINGS, "--output", name, launcher=launcher, **environment)
    assert finished.returncode == 0, finished.stderr
    same_losses(here, name)


def test_resuming_continues_from_a_checkpoint(here):
    # in the middle of the second epoch; the last checkpoint is not there yet
    shutil.copytree("one/checkpoint-3", "resumed/checkpoint-3")
    call(*FILES, *SETTINGS, "--resume", "--output", "resumed")
    same_losses(here, "resumed")


def test_references_from_a_file_equal_those_computed_at_once(here):
    call(*FILES[:4], "--write-references", "with.jsonl")
    records = read_records("with.jsonl")
    assert [{name: record[name] for name in ("prompt", "response")} for record in records] == FORGET
    assert [record["ref_tokens"] for record in records] == [len(record["response"]) + 1 for record in FORGET]
    assert all(record["ref_logp"] < 0 for record in records)
    # micro-batches change nothing, and neither do recomputed activations
    files = [*FILES[:3], "with.jsonl", *FILES[4:]]
    call(*files, *SETTINGS, "--micro-batch-size", 2, "--gradient-checkpointing", "--output", "from-file")
    same_losses(here, "from-file")
    # the run uses the references of the file
    write_records("wrong.jsonl", [record | {"ref_logp": record["ref_logp"] - 1} for record in records])
    call(*FILES[:3], "wrong.jsonl", *FILES[4:], *SETTINGS, "--steps", 1, "--output", "wrong")
    assert history(here / "wrong")[0]["mean_weight"] == pytest.approx(2 / (1 + math.exp(-0.5)), rel=1e-5)


@pytest.mark.filterwarnings("ignore:1 of 3 records skipped:UserWarning")
def test_references_of_refusals_are_written_with_the_refusals(here):
    # the first record is skipped, so the others have new numbers, which would select other refusals
    records = [{"prompt": 40 * "Why? ", "response": " No."}, *FORGET[:2]]
    write_records("long.jsonl", records)
    call(
        "--model",
        "model",
        "--forget",
        "long.jsonl",
        "--loss",
        "dpo",
        "--max-length",
        60,
        "--write-references",
        "dpo.jsonl",
    )
    written = read_records("dpo.jsonl")
    assert [record["chosen"] for record in written] == list(REFUSALS["en"][1:3])
    model = transformers.AutoModelForCausalLM.from_pretrained("model", dtype="float32")
    for item in encode(written, make_tokenizer(), chosen=True):
        for prefix in ("", "chosen_"):
            expected = plain_logp(model, item[f"{prefix}input_ids"], item[f"{prefix}labels"]).item()
            assert item[f"{prefix}ref_logp"] == pytest.approx(expected, rel=1e-5)


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
    with pytest.raises(SystemExit) as stopped:
        main([str(argument) for argument in arguments])
    assert stopped.value.code == 2
    said = capsys.readouterr().err
    assert "Traceback" not in said
    return said.splitlines()[-1]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (["--beta", "0"], "beta must be positive and finite, got 0.0"),
        (["--beta", "many"], "argument --beta: invalid float value: 'many'"),
        (["--loss", "ga"], "--beta must be left out with --loss ga, got 0.5"),
        (["--loss", "nll"], "argument --loss: invalid choice: 'nll'"),
        (["--steps", "0"], "--steps must be at least 1, got 0"),
        (
            ["--batch-size", "4", "--micro-batch-size", "3"],
            "--batch-size must be a multiple of the number of",
        ),
        (["--resume"], "--output must contain a checkpoint for --resume, got none in new"),
        (["--forget", "nowhere.jsonl"], "No such file or directory: 'nowhere.jsonl'"),
        (["--forget", "empty.jsonl"], "empty.jsonl: the file contains no records"),
        (["--forget", "bad.jsonl"], 'bad.jsonl, line 2: the field "response" is missing, got "prompt"'),
        (["--model", "./no/such/model"], "no/such/model"),
        (["--max-length", "3"], "records must contain at least one that fits max_length=3, got 8 that do not"),
        (["--retain-weight", "-1"], "--retain-weight must be at least 0 and finite, got -1.0"),
        (["--learning-rate", "nan"], "--learning-rate must be at least 0 and finite, got nan"),
        (["--learning-rate", "inf"], "--learning-rate must be at least 0 and finite, got inf"),
        (["--max-grad-norm", "-1"], "--max-grad-norm must be at least 0 and finite, got -1.0"),
        (["--gamma", "nan"], "--gamma must be finite, got nan"),
        (["--seed", "-1"], "--seed must be between 0 and 2**32 - 1, got -1"),
        (["--forget", ""], "--forget must be a name, got ''"),
        (["--retain", ""], "--retain must be a name, got ''"),
        (["--write-references", ""], "--write-references must be a name, got ''"),
        (["--write-references", "no/such.jsonl"], "must be a file in a folder that exists, got no/such.jsonl"),
    ],
)
# skipped records cause a warning, which the command prints
@pytest.mark.filterwarnings("ignore:8 of 8 records skipped:UserWarning")
def test_user_errors_become_one_line(here, capsys, changed, message):
    (here / "empty.jsonl").write_text("\n", "utf-8")
    (here / "bad.jsonl").write_text('{"prompt": "a", "response": "b"}\n{"prompt": "a"}\n', "utf-8")
    assert message in failure(capsys, *FILES, *SETTINGS, "--output", "new", *changed)


@pytest.mark.parametrize(("batch_size", "message"), [(3, "2 × 1, got 3"), (1, "2 × 1, got 1")])
def test_every_process_gets_the_same_number_of_samples(here, monkeypatch, capsys, batch_size, message):
    monkeypatch.setenv("WORLD_SIZE", "2")
    said = failure(capsys, *FILES, "--output", "new", "--batch-size", batch_size)
    assert said.endswith(
        f"--batch-size must be a multiple of the number of processes times --micro-batch-size, {message}"
    )


def test_references_of_a_sharded_model_come_from_a_file(here, monkeypatch, capsys):
    monkeypatch.setenv("ACCELERATE_USE_FSDP", "true")
    assert "run with --write-references first" in failure(capsys, *FILES, "--output", "new")


def test_a_retain_term_needs_a_retain_set(capsys):
    said = failure(capsys, *FILES[:4], "--output", "new", "--retain-term", "kl_ref_model")
    assert said.endswith("--retain-term must be left out without --retain, got kl_ref_model")


def test_an_output_folder_must_be_given(capsys):
    assert failure(capsys, *FILES).endswith("--output or --write-references must be given")


def test_help_explains_files_examples_and_launchers(capsys):
    with pytest.raises(SystemExit) as stopped:
        main(["--help"])
    said = capsys.readouterr().out
    assert stopped.value.code == 0
    for word in ("JSON Lines", '"prompt"', "examples:", "torchrun --nproc-per-node 2", "accelerate launch"):
        assert word in said
