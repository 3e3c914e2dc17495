"""python -m npo_tutorial.language, as a user calls it: runs, processes, references in files, errors in a sentence."""

import json
import os
import shutil
import subprocess
import sys

import pytest

from npo_tutorial.language import read_records, write_records
from npo_tutorial.language.__main__ import main
from tests.conftest import ROOT
from tests.tiny_language import FORGET, RETAIN, make_model, make_tokenizer

SETTINGS = ["--learning-rate", "0.003", "--steps", "4", "--batch-size", "4", "--loss", "npo", "--beta", "0.5"]


def run(folder, *arguments, launcher=(), **environment):
    command = [sys.executable, *launcher, "-m", "npo_tutorial.language", *map(str, arguments)]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"} | environment
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=300)


def history(folder):
    """The log of a run, less what depends on the clock."""
    state = json.loads((folder / "trainer_state.json").read_text())
    entries = [entry for entry in state["log_history"] if "loss" in entry]
    assert entries
    return entries


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A model, a tokenizer and two files, and in "one" what a run on one process leaves."""
    folder = tmp_path_factory.mktemp("command")
    make_tokenizer().save_pretrained(folder / "model")
    make_model().float().save_pretrained(folder / "model")
    write_records(folder / "forget.jsonl", FORGET)
    write_records(folder / "retain.jsonl", RETAIN)
    finished = run(folder, *FILES, *SETTINGS, "--save-steps", 2, "--output", "one")
    assert finished.returncode == 0, finished.stderr
    return folder


FILES = ["--model", "model", "--forget", "forget.jsonl", "--retain", "retain.jsonl"]


def same_losses(folder, name, steps=4):
    first, other = history(folder / "one")[-steps:], history(folder / name)[-steps:]
    assert len(first) == len(other) == steps
    for a, b in zip(first, other, strict=True):
        for value in ("loss", "forget_logp_per_token", "retain_logp_per_token", "mean_weight", "fraction_forgotten"):
            assert a[value] == pytest.approx(b[value], abs=1e-5), value


def test_a_run_leaves_a_model_and_a_log(folder):
    assert {path.name for path in (folder / "one").iterdir()} >= {
        "checkpoint-2",
        "checkpoint-4",
        "config.json",
        "model.safetensors",
        "tokenizer.json",
        "trainer_state.json",
    }
    losses = [entry["loss"] for entry in history(folder / "one")]
    assert losses == sorted(losses, reverse=True)
    assert history(folder / "one")[0]["mean_weight"] == pytest.approx(1)


@pytest.mark.parametrize("sharded", [False, True])
def test_two_processes_have_the_losses_of_one(folder, sharded):
    launcher = ["-m", "torch.distributed.run", "--standalone", "--local-addr", "127.0.0.1", "--nproc-per-node", "2"]
    environment, files, name = {}, FILES, "two"
    if sharded:
        # what `accelerate launch` sets from its file of configuration; references then come from a file
        name, files = "sharded", [*FILES[:3], "references.jsonl", *FILES[4:]]
        finished = run(folder, *FILES[:4], "--write-references", "references.jsonl")
        assert finished.returncode == 0, finished.stderr
        environment = {
            "ACCELERATE_USE_FSDP": "true",
            "FSDP_VERSION": "2",
            "FSDP_AUTO_WRAP_POLICY": "TRANSFORMER_BASED_WRAP",
            "FSDP_RESHARD_AFTER_FORWARD": "true",
            "FSDP_STATE_DICT_TYPE": "FULL_STATE_DICT",
        }
    finished = run(folder, *files, *SETTINGS, "--output", name, launcher=launcher, **environment)
    assert finished.returncode == 0, finished.stderr
    same_losses(folder, name)


def test_resuming_goes_on_where_a_checkpoint_was_left(folder):
    # the last checkpoint is not there yet
    shutil.copytree(folder / "one/checkpoint-2", folder / "resumed/checkpoint-2")
    finished = run(folder, *FILES, *SETTINGS, "--resume", "--output", "resumed")
    assert finished.returncode == 0, finished.stderr
    same_losses(folder, "resumed", steps=4)


def test_references_from_a_file_are_those_computed_at_once(folder):
    finished = run(folder, *FILES[:4], "--write-references", "with.jsonl")
    assert finished.returncode == 0, finished.stderr
    records = read_records(folder / "with.jsonl")
    assert [{name: record[name] for name in ("prompt", "response")} for record in records] == FORGET
    assert all(record["ref_logp"] < 0 and record["ref_tokens"] > 1 for record in records)
    # micro-batches, too, change nothing
    files = [*FILES[:3], "with.jsonl", *FILES[4:]]
    finished = run(folder, *files, *SETTINGS, "--micro-batch-size", 2, "--output", "from-file")
    assert finished.returncode == 0, finished.stderr
    same_losses(folder, "from-file")


def test_without_the_extra_it_is_named(folder):
    (folder / "absent").mkdir()
    (folder / "absent/sitecustomize.py").write_text(
        "import sys\nclass Absent:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.split('.')[0] == 'transformers':\n"
        "            raise ModuleNotFoundError(name, name=name)\n"
        "sys.meta_path.insert(0, Absent())\n"
    )
    path = os.pathsep.join([str(folder / "absent"), str(ROOT)])
    finished = run(folder, *FILES, "--output", "nothing", PYTHONPATH=path)
    assert finished.returncode == 2
    assert finished.stderr.splitlines()[-1] == (
        "python -m npo_tutorial.language: error: this needs transformers: pip install 'npo-tutorial[llm]'"
    )


def failure(capsys, *arguments):
    """What is said to standard error, when it ends with status 2."""
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
        (["--loss", "nll"], "argument --loss: invalid choice: 'nll'"),
        (["--steps", "0"], "--steps must be at least 1, got 0"),
        (["--batch-size", "4", "--micro-batch-size", "3"], "--batch-size must be a multiple of the processes and of"),
        (["--resume"], "--resume must find a checkpoint in --output, got none in new"),
        (["--forget", "nowhere.jsonl"], "No such file or directory: 'nowhere.jsonl'"),
        (["--forget", "empty.jsonl"], "empty.jsonl: no record, the file is empty"),
        (["--forget", "bad.jsonl"], 'bad.jsonl, line 2: the field "response" is missing, got "prompt"'),
        (["--model", "./no/such/model"], "no/such/model"),
        (["--max-length", "3"], "records must hold at least one that fits max_length=3, got 4"),
        (["--retain-weight", "-1"], "retain_weight must be at least 0 and finite, got -1.0"),
    ],
)
# records that are skipped are a warning, which the command prints
@pytest.mark.filterwarnings("ignore:4 of 4 records skipped:UserWarning")
def test_what_a_user_can_mend_is_a_sentence(folder, monkeypatch, capsys, changed, message):
    monkeypatch.chdir(folder)
    (folder / "empty.jsonl").write_text("\n")
    (folder / "bad.jsonl").write_text('{"prompt": "a", "response": "b"}\n{"prompt": "a"}\n')
    assert message in failure(capsys, *FILES, *SETTINGS, "--output", "new", *changed)


def test_a_place_for_the_model_must_be_named(capsys):
    assert failure(capsys, *FILES).endswith("--output must be given, or --write-references")


def test_help_teaches(capsys):
    with pytest.raises(SystemExit) as stopped:
        main(["--help"])
    said = capsys.readouterr().out
    assert stopped.value.code == 0
    for word in ("JSON Lines", '"prompt"', "examples:", "torchrun --nproc-per-node 2", "accelerate launch"):
        assert word in said
