"""Runs ended by SIGTERM or SIGKILL, or by a full disk: what is left is whole, and --resume goes on from it."""

import contextlib
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
import transformers

from npo_tutorial.language import read_records, runs, write_records
from npo_tutorial.language.__main__ import main
from tests.conftest import ROOT
from tests.tiny_language import make_model, make_tokenizer, many_records

pytestmark = [pytest.mark.usefixtures("one_thread"), pytest.mark.xdist_group("killed")]
FILES = ["--model", "model", "--forget", "forget.jsonl", "--retain", "retain.jsonl"]
RUN = [*FILES, "--learning-rate", "0.003", "--max-steps", "6", "--batch-size", "4", "--save-steps", "2"]
REFERENCES = [*FILES[:2], "--forget", "own.jsonl", "--write-references", "own.jsonl"]
# runs the command, and sends itself a signal at the n-th call or return of a function, or at the n-th call of one with
# a given name: moments that are the same on every machine
PROGRAM = """
import os, sys, threading
from npo_tutorial.language import __main__ as command
name, n, number, *words = sys.argv[1:]
count = 0
def watch(frame, event, argument):
    global count
    count += not name or (event == "call" and frame.f_code.co_name == name)
    if count == int(n):
        sys.setprofile(None)
        os.kill(os.getpid(), int(number))
def watched(function):
    def call(*arguments, **options):
        sys.setprofile(watch)
        return function(*arguments, **options)
    return call
command.train, command.compute_references = watched(command.train), watched(command.compute_references)
command.main(words)
sys.setprofile(None)
print("events:", count)
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A model and its files; "whole" is the output of a run that is not disturbed, "with.jsonl" its references."""
    folder = tmp_path_factory.mktemp("killed")
    before = Path.cwd()
    os.chdir(folder)
    try:
        make_tokenizer().save_pretrained("model")
        make_model().float().save_pretrained("model")
        for name, records in zip(("forget", "retain"), many_records(8, 11), strict=True):
            write_records(f"{name}.jsonl", records)
        main([*RUN, "--output", "whole"])
        main([*FILES[:4], "--write-references", "with.jsonl"])
    finally:
        os.chdir(before)
    return folder


@pytest.fixture
def here(folder, monkeypatch):
    monkeypatch.chdir(folder)
    for name in ("out", "own.jsonl"):
        shutil.rmtree(name, ignore_errors=True)
        Path(name).unlink(missing_ok=True)
    shutil.copy("forget.jsonl", "own.jsonl")
    return folder


def start(words, *, name="", n=0, number=signal.SIGKILL):
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", PROGRAM, name, str(n), str(int(number)), *words]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8")


def end(process):
    out, err = process.communicate(timeout=300)
    assert "Traceback" not in err, err
    return process.returncode, out, err


def loaded(folder):
    return transformers.AutoModelForCausalLM.from_pretrained(folder, dtype="auto").state_dict()


def same_weights(one, other):
    one, other = loaded(one), loaded(other)
    assert one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def check_whole(out):
    """Whatever a run left: what looks whole can be read."""
    whole = [path for path in Path(out).glob("checkpoint-*") if runs.damage(path) is None]
    for checkpoint in whole:
        loaded(checkpoint)
        torch.load(checkpoint / "optimizer.pt")
        step = json.loads((checkpoint / "trainer_state.json").read_text("utf-8"))["global_step"]
        assert checkpoint.name == f"checkpoint-{step}"
        same_weights(checkpoint, f"whole/{checkpoint.name}") if Path("whole", checkpoint.name).exists() else None
    if Path(out, "config.json").exists():
        same_weights(out, "whole")
    return whole


def check_resumed(out):
    main([*RUN, "--output", str(out), *(["--resume"] if Path(out, runs.RECORD).exists() else [])])
    same_weights(out, "whole")
    logs = []
    for name in (str(out), "whole"):
        state = json.loads(Path(name, "trainer_state.json").read_text("utf-8"))
        # what depends on the clock is in entries without a loss
        logs.append([entry for entry in state["log_history"] if "loss" in entry])
    assert logs[0] == logs[1]
    assert runs.read_record(out)["finished"]


def check_killed(name, n, number):
    code, _, err = end(start([*RUN, "--output", "out"], name=name, n=n, number=number))
    check_whole("out")
    if number == signal.SIGKILL:
        assert code in (-signal.SIGKILL, 0)
    else:
        # after the last step a signal is too late
        assert code in (128 + signal.SIGTERM, 0)
        if found := re.search(r"SIGTERM after step (\d+): go on from checkpoint-\1 with --resume", err):
            assert code and runs.damage(Path(f"out/checkpoint-{found[1]}")) is None
        elif code:
            # before the first step, or after the model was written
            assert not list(Path("out").glob("checkpoint-*")) or runs.read_record("out")["finished"]
        else:
            same_weights("out", "whole")
    check_resumed("out")


# ----- training and saving


@pytest.mark.parametrize(
    ("name", "n", "number"),
    [
        # while the second checkpoint is written: its weights are there, its optimizer is not
        ("_save_optimizer_and_scheduler", 2, signal.SIGKILL),
        ("training_step", 3, signal.SIGTERM),
    ],
)
def test_a_run_that_is_killed_goes_on(here, name, n, number):
    check_killed(name, n, number)


@pytest.mark.nightly
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
@pytest.mark.parametrize("seed", range(10))
def test_a_run_that_is_killed_at_any_moment_goes_on(here, n_events, seed, number):
    check_killed("", random.Random(f"{seed} {number}").randrange(1, n_events), number)


@pytest.fixture(scope="module")
def n_events(folder):
    """Calls and returns of functions from the first step to the end of a run that is not disturbed."""
    before = Path.cwd()
    os.chdir(folder)
    try:
        code, out, _ = end(start([*RUN, "--output", "counted"]))
    finally:
        os.chdir(before)
    assert code == 0
    return int(re.search(r"events: (\d+)", out)[1])


@pytest.mark.nightly
@pytest.mark.parametrize("name", ["write_whole", "finish", "save_to_json", "fsync", "save_model"])
def test_a_run_that_is_killed_while_it_writes_its_model_goes_on(here, name):
    n = {"save_to_json": 4, "save_model": 4}.get(name, 1)
    check_killed(name, n, signal.SIGKILL)


@pytest.mark.nightly
@pytest.mark.parametrize(
    "place", ["checkpoint-4/model.safetensors", "checkpoint-4/optimizer.pt", ".partial-model/model.safetensors"]
)
def test_a_run_that_is_killed_as_soon_as_a_file_appears_goes_on(here, place):
    process = start([*RUN, "--output", "out"])
    while not Path("out", place).exists() and process.poll() is None:
        time.sleep(0)
    process.kill()
    end(process)
    check_whole("out")
    check_resumed("out")


@pytest.mark.nightly
def test_without_checkpoints_sigterm_ends_a_run_at_once(here):
    words = [*RUN[:-2], "--output", "out"]
    code, *_ = end(start(words, name="training_step", n=2, number=signal.SIGTERM))
    assert code == 128 + signal.SIGTERM
    assert not Path("out/config.json").exists()
    main([*words, "--resume"])
    same_weights("out", "whole")


@pytest.mark.nightly
def test_what_sigterm_leaves_is_not_said_to_be_more_than_it_is(here):
    words = [*RUN, "--save-only-model", "--output", "out"]
    code, _, err = end(start(words, name="training_step", n=3, number=signal.SIGTERM))
    assert code == 128 + signal.SIGTERM
    assert "after step 3: checkpoint-3 is a model, but --resume cannot go on from it because of --save-only" in err
    loaded("out/checkpoint-3")


# ----- references


def check_references_killed(name, n, number):
    code, *_ = end(start(REFERENCES, name=name, n=n, number=number))
    assert code in (-signal.SIGKILL, 128 + signal.SIGTERM, 0)
    if code == 0:
        assert Path("own.jsonl").read_bytes() == Path("with.jsonl").read_bytes()
    else:
        # the old file, or the new one, and nothing between them
        assert Path("own.jsonl").read_bytes() in (Path("forget.jsonl").read_bytes(), Path("with.jsonl").read_bytes())
    main(REFERENCES)
    assert Path("own.jsonl").read_bytes() == Path("with.jsonl").read_bytes()


def test_references_that_are_killed_leave_the_old_file(here):
    check_references_killed("replace_file", 1, signal.SIGKILL)


@pytest.mark.nightly
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
@pytest.mark.parametrize("seed", range(10))
def test_references_that_are_killed_at_any_moment_leave_the_old_file_or_the_new(here, seed, number):
    code, out, _ = end(start(REFERENCES))
    assert code == 0
    shutil.copy("forget.jsonl", "own.jsonl")
    n_events = int(re.search(r"events: (\d+)", out)[1])
    check_references_killed("", random.Random(f"{seed} {number}").randrange(1, n_events), number)


# ----- a small disk


def can_mount():
    if sys.platform != "linux" or os.geteuid() != 0 or shutil.which("mount") is None:
        return False
    place = Path("/tmp", f"npo-mount-{os.getpid()}")
    place.mkdir(exist_ok=True)
    mounted = subprocess.run(["mount", "-t", "tmpfs", "tmpfs", place], capture_output=True).returncode == 0
    if mounted:
        subprocess.run(["umount", place], check=True)
    place.rmdir()
    return mounted


needs_mount = pytest.mark.skipif(not can_mount(), reason="a small disk is a tmpfs, which only root can mount")


@pytest.fixture
def disk(tmp_path):
    """A disk of 4 MB, and what fills it."""
    place = tmp_path / "disk"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", place], check=True)
    yield place
    subprocess.run(["umount", "-l", place], check=True)


def fill(disk, left=0):
    with (disk / "filler").open("wb", buffering=0) as file:
        with contextlib.suppress(OSError):
            while True:
                file.write(bytes(4096))
        file.truncate(max(0, file.tell() - left) // 4096 * 4096)


def failure(capsys, words):
    capsys.readouterr()
    with pytest.raises(SystemExit) as stopped:
        main(list(map(str, words)))
    assert stopped.value.code == 2
    said = capsys.readouterr().err
    assert "Traceback" not in said
    return said.splitlines()[-1]


@needs_mount
def test_a_disk_that_is_too_small_is_found_before_the_first_step(here, disk, capsys, monkeypatch):
    fill(disk, left=300_000)
    monkeypatch.setattr(transformers.Trainer, "training_step", lambda *_: pytest.fail("a step was made"))
    said = failure(capsys, [*RUN, "--output", disk / "out"])
    assert re.search(r"--output needs 0\.49 MB for the model and 3 checkpoints, got 0\.\d+ MB free", said)
    fill(disk)
    assert "No space left on device" in failure(capsys, [*RUN, "--output", disk / "out"])


@needs_mount
def test_a_disk_that_fills_up_before_a_checkpoint_loses_no_earlier_one(here, disk, capsys, monkeypatch):
    step = transformers.Trainer.training_step

    def fills(self, *arguments):
        if self.state.global_step == 3:
            fill(disk, left=100_000)
        return step(self, *arguments)

    monkeypatch.setattr(transformers.Trainer, "training_step", fills)
    said = failure(capsys, [*RUN, "--output", disk / "out"])
    assert re.search(r"checkpoint-4 could not be written \(.*\): \S+/checkpoint-2 is whole", said)
    assert check_whole(disk / "out") == [disk / "out/checkpoint-2"]
    (disk / "filler").unlink()
    monkeypatch.undo()
    monkeypatch.chdir(here)
    check_resumed(disk / "out")


@needs_mount
@pytest.mark.parametrize("left", [0, 30_000])
def test_a_disk_that_is_full_at_the_end_leaves_the_model_whole_elsewhere(
    here, disk, capsys, monkeypatch, tmp_path, left
):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    write_whole = runs.write_whole

    def fills(*arguments):
        fill(disk, left)
        write_whole(*arguments)

    monkeypatch.setattr(runs, "write_whole", fills)
    said = failure(capsys, [*RUN[:-2], "--output", disk / "out"])
    found = re.search(
        r"the model could not be written to \S+/out \(.*[Nn]o space left.*\): it is whole in (\S+)$", said
    )
    same_weights(found[1], "whole")
    assert not (disk / "out/config.json").exists()


@needs_mount
def test_a_full_disk_leaves_the_old_references(here, disk, capsys):
    shutil.copy("forget.jsonl", disk / "own.jsonl")
    fill(disk)
    words = [*FILES[:2], "--forget", disk / "own.jsonl", "--write-references", disk / "own.jsonl"]
    said = f"{disk}/own.jsonl cannot be written (No space left on device); the old file is unchanged"
    assert failure(capsys, words).endswith(f"error: {said}")
    assert (disk / "own.jsonl").read_bytes() == Path("forget.jsonl").read_bytes()
    assert len(read_records(disk / "own.jsonl")) == 8
