"""language/runs.py: which folder a run may use, what it remembers, which checkpoints are whole, what fits."""

import json
import os
import re
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch
import transformers

from npo_tutorial._extras import require
from npo_tutorial.language import runs
from tests.conftest import ROOT

save_file = require("safetensors.torch").save_file


def make_record(folder, **changes):
    record = {"settings": {}, "files": {}, "processes": 1} | changes
    folder.mkdir(parents=True, exist_ok=True)
    runs.write_record(folder, record)
    return record


def make_checkpoint(path, processes=1):
    """What the Trainer writes, as small as possible."""
    path.mkdir(parents=True)
    save_file({"x": torch.zeros(300)}, path / "model.safetensors")
    (path / "config.json").write_text("{}", "utf-8")
    states = ["rng_state.pth"] if processes == 1 else [f"rng_state_{i}.pth" for i in range(processes)]
    for name in ("optimizer.pt", "scheduler.pt", *states):
        torch.save({"x": torch.zeros(300)}, path / name)
    (path / "trainer_state.json").write_text(json.dumps({"global_step": 3}), "utf-8")
    return path


# ----- which folder


@pytest.fixture
def model(tmp_path):
    folder = tmp_path / "model"
    folder.mkdir()
    save_file({"x": torch.zeros(3)}, folder / "model.safetensors")
    return folder


def check(output, *models, resume=False, overwrite=False):
    runs.check_folder(str(output), models, resume=resume, overwrite=overwrite)


def test_a_new_or_an_empty_folder_is_accepted(tmp_path, model):
    check(tmp_path / "new", model)
    check(tmp_path / "deep/er", model)
    (tmp_path / "empty").mkdir()
    check(tmp_path / "empty", model)
    # what a run leaves that was killed before its first step is nothing
    (tmp_path / "empty" / runs.LOCK).touch()
    (tmp_path / "empty" / runs.PARTIAL).mkdir()
    check(tmp_path / "empty", model)


@pytest.mark.parametrize(
    "spelling", ["model", "model/", "link", "other/../model", "link/inside", "model/in/side", "deep/x", "."]
)
@pytest.mark.parametrize("overwrite", [False, True])
def test_the_folder_of_the_model_is_never_written_to(tmp_path, model, monkeypatch, spelling, overwrite):
    (tmp_path / "link").symlink_to(model)
    (model / "in").mkdir()
    (tmp_path / "deep").symlink_to(model / "in")
    (tmp_path / "other").mkdir()
    monkeypatch.chdir(tmp_path)
    for source in (Path("model"), model / "model.safetensors", Path("link")):
        with pytest.raises(ValueError, match="--output must be apart from the folder of --model"):
            check(spelling, source, overwrite=overwrite)


def test_the_base_of_an_adapter_is_never_written_to(tmp_path, model):
    (tmp_path / "adapter").mkdir()
    with pytest.raises(ValueError, match="--output must be apart"):
        check(model, tmp_path / "adapter", model)


@pytest.mark.skipif(os.name == "nt", reason="POSIX")
def test_symlinks_that_lead_in_a_circle_are_no_folder(tmp_path, model):
    (tmp_path / "loop").symlink_to("loop")
    check(tmp_path / "loop", model)
    with pytest.raises(ValueError, match=r"--output must be a folder that can be written to, got .*loop"):
        runs.lock(str(tmp_path / "loop"))


def test_a_sibling_with_a_similar_name_is_another_folder(tmp_path, model):
    check(tmp_path / "model-unlearned", model)


@pytest.mark.parametrize("name", ["notes.txt", "model.safetensors", "checkpoint-3", ".hidden"])
def test_a_folder_that_holds_something_is_refused(tmp_path, name):
    (tmp_path / "out" / name).mkdir(parents=True)
    with pytest.raises(ValueError, match=re.escape(f"new or an empty folder, got {tmp_path}/out with {name}: choose")):
        check(tmp_path / "out")
    # nothing says that this command wrote it, so this command does not delete it
    with pytest.raises(ValueError, match=re.escape(f"contains no npo_run.json, got {tmp_path}/out with {name}")):
        check(tmp_path / "out", overwrite=True)
    with pytest.raises(ValueError, match="--resume goes on with a run of this command, but --output contains no"):
        check(tmp_path / "out", resume=True)


def test_the_folder_of_a_run_needs_resume_or_overwrite(tmp_path):
    make_record(tmp_path / "out")
    with pytest.raises(ValueError, match="--resume goes on with its run, --overwrite deletes it"):
        check(tmp_path / "out")
    check(tmp_path / "out", resume=True)
    check(tmp_path / "out", overwrite=True)
    with pytest.raises(ValueError, match="must not be given together"):
        check(tmp_path / "out", resume=True, overwrite=True)


def test_a_mistyped_folder_is_not_resumed(tmp_path):
    with pytest.raises(ValueError, match=r"contains no npo_run\.json"):
        check(tmp_path / "mistyped", resume=True)
    # to overwrite nothing is to begin
    check(tmp_path / "mistyped", overwrite=True)


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "out").write_text("", "utf-8")
    with pytest.raises(ValueError, match="--output must be a folder, got the file"):
        check(tmp_path / "out")
    with pytest.raises(ValueError, match="--output must be a folder that can be written to"):
        runs.lock(str(tmp_path / "out/below"))


def test_overwriting_deletes_what_the_run_wrote_and_nothing_else(tmp_path):
    folder = tmp_path / "out"
    make_record(folder, written=["model.safetensors", "config.json"])
    for name in ("model.safetensors", "config.json", "notes.txt"):
        (folder / name).touch()
    make_checkpoint(folder / "checkpoint-3")
    make_checkpoint(folder / "incomplete-checkpoint-6")
    (folder / "runs").mkdir()
    runs.clear(str(folder))
    assert sorted(path.name for path in folder.iterdir()) == ["notes.txt", "runs"]


# ----- one run at a time

HOLD = "import sys; from npo_tutorial.language import runs; x = runs.lock(sys.argv[1]); print('locked', flush=True); {}"


def hold(folder, then):
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", HOLD.format(then), str(folder)]
    process = subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stdin=subprocess.PIPE, encoding="utf-8"
    )
    assert process.stdout.readline() == "locked\n"
    return process


def test_two_runs_cannot_share_a_folder_and_a_killed_one_frees_it(tmp_path, monkeypatch):
    monkeypatch.setattr(runs, "PATIENCE", 0.0)
    with hold(tmp_path / "out", "sys.stdin.read()") as process:
        with pytest.raises(ValueError, match="--output must be a folder that no other run is using"):
            runs.lock(str(tmp_path / "out"))
        process.kill()
    runs.lock(str(tmp_path / "out")).release()
    runs.lock(str(tmp_path / "out")).release()


def test_a_lock_without_a_run_leaves_nothing_of_its_own(tmp_path):
    (tmp_path / "there").mkdir()
    for name, left in (("new", False), ("there/in/side", True), ("there", True)):
        output = str(tmp_path / name)
        new = runs.new_folders(output)
        runs.unlock(runs.lock(output), output, new)
        assert not Path(output).exists() or not list(Path(output).iterdir()), name
        assert (tmp_path / name.partition("/")[0]).exists() == left
    assert not list((tmp_path / "there").iterdir())
    # a folder that is not empty, and that of a run, stay
    for name in ("notes.txt", runs.RECORD):
        output = tmp_path / f"with-{name}"
        lock = runs.lock(str(output))
        (output / name).write_text("{}", "utf-8")
        runs.unlock(lock, str(output), [output])
        assert (output / name).exists()
        assert (output / runs.LOCK).exists() == (name == runs.RECORD)


@pytest.mark.skipif(os.name == "nt", reason="POSIX")
def test_a_run_that_waits_for_a_lock_that_is_removed_locks_the_folder(tmp_path):
    output = str(tmp_path / "out")
    new = runs.new_folders(output)
    lock = runs.lock(output)

    def wait():
        later = runs.lock(output)
        found = Path(output, runs.LOCK).exists()
        later.release()
        return found

    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(wait)
        time.sleep(0.2)
        runs.unlock(lock, output, new)
        assert waiting.result(timeout=60)


# ----- what a run remembers


def test_the_first_difference_is_named_with_both_values():
    before = {"settings": {"loss": "ga", "beta": None, "seed": 0}, "files": {"--forget": "a" * 64, "--retain": None}}
    runs.check_same_run(before, before)
    now = before | {"settings": {"loss": "npo", "beta": 0.1, "seed": 0}}
    with pytest.raises(ValueError, match=r'^--resume needs the settings of the run: --loss was "ga", got "npo"$'):
        runs.check_same_run(before, now)
    with pytest.raises(ValueError, match=r"--beta was null, got 0\.1$"):
        runs.check_same_run(before, before | {"settings": {"beta": 0.1}})
    now = before | {"files": {"--forget": "a" * 64, "--retain": "b" * 64}}
    message = r"records, tokenizer and chat template of the run: --retain has others .*nothing then, bbbbbbbbbbbb now"
    with pytest.raises(ValueError, match=message):
        runs.check_same_run(before, now)


def test_a_setting_that_only_one_version_has_is_no_difference():
    before = {"settings": {"old": 1, "seed": 0}, "files": {}}
    runs.check_same_run(before, {"settings": {"new": 2, "seed": 0}, "files": {}})


def test_every_setting_counts_unless_it_changes_no_step():
    values = {"lr_scheduler_type": "constant", "max_steps": 5, "num_train_epochs": 3.0, "save_steps": 2, "seed": 0}
    values |= {"learning_rate": 1e-5, "dataloader_num_workers": 2, "dataloader_drop_last": False, "output_dir": "x"}
    kept = runs.kept_settings(values)
    assert set(kept) == {"lr_scheduler_type", "seed", "learning_rate", "dataloader_drop_last"}
    # the length of every other schedule is the run's
    kept = runs.kept_settings(values | {"lr_scheduler_type": "linear"})
    assert kept["max_steps"] == 5 and kept["num_train_epochs"] == 3.0


def test_the_free_settings_are_those_of_the_trainer():
    names = {field.name for field in transformers.TrainingArguments.__dataclass_fields__.values()}
    own = {"forget", "held_out", "model", "overwrite", "resume", "retain", "write_references"}
    assert names >= runs.FREE - own
    for prefix in runs.FREE_PREFIXES:
        assert any(name.startswith(prefix) for name in names), prefix


def test_a_model_is_known_by_its_configuration_and_weights(tmp_path, model):
    adapter = tmp_path / "adapter"
    adapter.mkdir()

    def known(base="model", rank=2, eps=1e-6):
        (model / "config.json").write_text(json.dumps({"rms_norm_eps": eps}), "utf-8")
        (adapter / "adapter_config.json").write_text(
            json.dumps({"r": rank, "base_model_name_or_path": base}, indent=rank), "utf-8"
        )
        return runs.model_hash([str(model), str(adapter)])

    before = known()
    assert known() == before == known(base=str(model))
    (model / "training_args.bin").write_bytes(b"with the path of the output")
    assert known() == before
    assert len({before, known(rank=4), known(eps=1e-5)}) == 3
    save_file({"x": torch.ones(3)}, model / "model.safetensors")
    assert known() != before


def test_a_model_on_a_hub_is_known_by_its_commit(tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))

    def downloaded(name, commit):
        folder = tmp_path / f"models--{name.replace('/', '--')}"
        for place in ("refs", f"snapshots/{commit}"):
            (folder / place).mkdir(parents=True, exist_ok=True)
        (folder / "refs/main").write_text(commit, "utf-8")
        (folder / "snapshots" / commit / "adapter_config.json").touch()
        return runs.model_hash([name])

    one, two = "a" * 40, "b" * 40
    assert downloaded("me/model", one) == downloaded("me/model", one) == downloaded("you/copy", one)
    assert downloaded("me/model", two) != downloaded("me/model", one)
    assert runs.model_hash(["me/other"]) != runs.model_hash(["you/other"])


@pytest.mark.parametrize(
    "text",
    [
        *("", "{", "[]", 99999 * "[", '{"settings": {}}', '{"settings": {}, "processes": 1, "files": null}'),
        *('{"settings": [], "processes": 1, "files": {}}', '{"settings": {}, "processes": "1", "files": {}}'),
        '{"settings": {}, "processes": 1, "files": {"--forget": 1}}',
        # --overwrite would delete them
        *(
            f'{{"settings": {{}}, "processes": 1, "files": {{}}, "written": {written}}}'
            for written in ("1", "[1]", '[""]', '[".."]', '["../model"]', '["/model"]', '["a/b"]')
        ),
    ],
)
def test_a_damaged_record_is_named(tmp_path, text):
    (tmp_path / runs.RECORD).write_text(text, "utf-8")
    with pytest.raises(ValueError, match=r"npo_run\.json is not the record of a run"):
        runs.read_record(str(tmp_path))


# ----- checkpoints


@pytest.mark.parametrize("processes", [1, 2])
def test_a_whole_checkpoint_is_whole(tmp_path, processes):
    assert runs.damage(make_checkpoint(tmp_path / "checkpoint-3", processes), {processes}) is None


@pytest.mark.parametrize(("written", "counts"), [(1, {1, 2}), (2, {1, 2}), (2, {1, 2, 4}), (4, {1, 2, 4})])
def test_a_checkpoint_of_a_run_that_another_number_of_processes_resumed_is_whole(tmp_path, written, counts):
    path = make_checkpoint(tmp_path / "checkpoint-3", written)
    assert runs.damage(path, counts) is None
    (path / f"rng_state_{written - 2}.pth" if written > 1 else path / "rng_state.pth").unlink()
    assert runs.damage(path, counts).endswith("is missing")
    assert runs.process_counts({"processes": 2, "resumed_with": [4]}, 8) == {1, 2, 4, 8}
    assert runs.process_counts({"processes": 2}, 2) == {1, 2}


def names_of_a_checkpoint():
    return ["model.safetensors", "config.json", "optimizer.pt", "scheduler.pt", "rng_state.pth", "trainer_state.json"]


@pytest.mark.parametrize("name", names_of_a_checkpoint())
def test_a_checkpoint_with_a_missing_or_a_cut_file_is_not(tmp_path, name):
    path = make_checkpoint(tmp_path / "checkpoint-3") / name
    whole = path.read_bytes()
    for length in {0, 1, len(whole) // 2, len(whole) - 1}:
        path.write_bytes(whole[:length])
        assert runs.damage(path.parent) == f"{name} is cut off"
    path.write_bytes(whole)
    assert runs.damage(path.parent) is None
    path.unlink()
    # a configuration alone does not say whether the Trainer wrote one
    assert (runs.damage(path.parent) or "is missing").endswith("is missing")
    if name != "config.json":
        assert runs.damage(path.parent) is not None


def test_a_missing_shard_and_the_state_of_a_missing_process_are_noticed(tmp_path):
    path = make_checkpoint(tmp_path / "checkpoint-3")
    index = {"weight_map": {"x": "model-00001-of-00002.safetensors", "y": "model-00002-of-00002.safetensors"}}
    (path / "model.safetensors").rename(path / "model-00001-of-00002.safetensors")
    (path / "model.safetensors.index.json").write_text(json.dumps(index), "utf-8")
    assert runs.damage(path) == "model-00002-of-00002.safetensors is missing"
    path = make_checkpoint(tmp_path / "checkpoint-6", processes=2)
    (path / "rng_state_1.pth").unlink()
    assert runs.damage(path, {1, 2}) == "rng_state_1.pth is missing"


def test_a_checkpoint_of_the_model_alone_is_whole_and_stays(tmp_path):
    path = make_checkpoint(tmp_path / "checkpoint-3")
    assert not runs.is_model_only(path)
    for name in ("optimizer.pt", "scheduler.pt"):
        (path / name).unlink()
    # the rest of a whole one
    assert runs.damage(path) == "optimizer* is missing"
    (path / "rng_state.pth").unlink()
    assert runs.damage(path) is None and runs.is_model_only(path)
    assert runs.find_checkpoint(str(tmp_path)) == (path, [])
    # a process that was killed before it could write the rest
    (path / "trainer_state.json").unlink()
    assert runs.damage(path) == "trainer_state.json is missing"


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("trainer_state.json", "[]", "trainer_state.json is cut off"),
        ("config.json", 99999 * "[", "config.json is cut off"),
        ("trainer_state.json", '{"global_step": "3"}', "trainer_state.json is cut off"),
        *(
            ("model.safetensors.index.json", text, "model.safetensors.index.json is not an index")
            for text in ("[]", "{}", '{"weight_map": []}', '{"weight_map": {}}', '{"weight_map": {"x": 1}}')
        ),
        ("model.safetensors", b"\2\0\0\0\0\0\0\0[]", "model.safetensors is cut off"),
        ("model.safetensors", b'\7\0\0\0\0\0\0\0{"x":1}', "model.safetensors is cut off"),
    ],
)
def test_a_file_of_another_kind_is_noticed(tmp_path, name, content, problem):
    path = make_checkpoint(tmp_path / "checkpoint-3") / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    assert runs.damage(path.parent).startswith(problem)


def test_the_newest_whole_checkpoint_is_found_and_the_others_are_said(tmp_path):
    for step in (2, 9, 10, 11):
        make_checkpoint(tmp_path / f"checkpoint-{step}")
    (tmp_path / "checkpoint-best").mkdir()
    (tmp_path / "checkpoint-10/trainer_state.json").unlink()
    (tmp_path / "checkpoint-11/optimizer.pt").write_bytes(b"PK")
    found, said = runs.find_checkpoint(str(tmp_path))
    assert found == tmp_path / "checkpoint-9"
    assert [re.search(r"checkpoint-\d+ is incomplete \(.*\)", line)[0] for line in said] == [
        "checkpoint-11 is incomplete (optimizer.pt is cut off)",
        "checkpoint-10 is incomplete (trainer_state.json is missing)",
    ]
    # nothing is lost, and the Trainer sees whole ones only
    assert (tmp_path / "incomplete-checkpoint-11/model.safetensors").exists()
    assert transformers.trainer_utils.get_last_checkpoint(tmp_path) == str(tmp_path / "checkpoint-9")
    assert runs.find_checkpoint(str(tmp_path)) == (found, [])


def test_a_folder_without_checkpoints_has_none(tmp_path):
    assert runs.find_checkpoint(str(tmp_path)) == (None, [])


def test_the_checks_hold_for_checkpoints_of_the_trainer(tmp_path):
    model = torch.nn.Linear(2, 1)
    args = transformers.TrainingArguments(
        str(tmp_path), max_steps=1, save_steps=1, use_cpu=True, report_to="none", disable_tqdm=True
    )
    collator = lambda items: {"input": torch.ones(1, 2)}  # noqa: E731

    class Plain(transformers.Trainer):
        def compute_loss(self, model, inputs, **_):
            return model(**inputs).sum()

    Plain(model, args, train_dataset=[{"input": 0}], data_collator=collator).train()
    found, said = runs.find_checkpoint(str(tmp_path))
    assert found == tmp_path / "checkpoint-1" and not said
    for path in [path for path in found.iterdir() if path.suffix != ".txt"]:
        copy = tmp_path / "copy"
        shutil.copytree(found, copy)
        (copy / path.name).write_bytes(path.read_bytes()[:-2])
        assert runs.damage(copy) == f"{path.name} is cut off"
        shutil.rmtree(copy)


# ----- the final model


def write_model(folder, content=b"new"):
    (folder / "config.json").write_bytes(content)
    (folder / "model.safetensors").write_bytes(content)


def test_a_model_comes_whole_or_not_at_all(tmp_path):
    make_record(tmp_path)
    runs.write_whole(str(tmp_path), write_model)
    assert (tmp_path / "model.safetensors").read_bytes() == b"new"
    record = runs.read_record(str(tmp_path))
    assert record["finished"] and record["written"] == ["config.json", "model.safetensors"]

    def fails(folder):
        write_model(folder, b"half")
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        runs.write_whole(str(tmp_path), fails)
    assert (tmp_path / "model.safetensors").read_bytes() == b"new"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["config.json", "model.safetensors", runs.RECORD]


# the record, the weights, the configuration, and the record again
@pytest.mark.parametrize("stop_at", range(4))
def test_a_run_killed_while_its_model_moves_is_finished_later(tmp_path, monkeypatch, stop_at):
    make_record(tmp_path)
    write_model(tmp_path, b"old")
    moves, replace = [], os.replace

    def killed(source, target):
        if len(moves) == stop_at:
            raise SystemExit
        moves.append(source)
        replace(source, target)

    monkeypatch.setattr(os, "replace", killed)
    with pytest.raises(SystemExit):
        runs.write_whole(str(tmp_path), write_model)
    if stop_at in (1, 2):
        # half a model cannot be loaded
        assert not (tmp_path / "config.json").exists() and not runs.read_record(str(tmp_path))["finished"]
    monkeypatch.undo()
    assert runs.finish(str(tmp_path))
    assert {(tmp_path / name).read_bytes() for name in ("config.json", "model.safetensors")} == {b"new"}
    record = runs.read_record(str(tmp_path))
    assert record["finished"] and record["written"] == ["config.json", "model.safetensors"]
    assert not (tmp_path / runs.WHOLE).exists() and not runs.finish(str(tmp_path))


def test_trying_leaves_nothing(tmp_path):
    runs.try_writing(str(tmp_path), write_model)
    with pytest.raises(ZeroDivisionError):
        runs.try_writing(str(tmp_path), lambda folder: 1 / 0)
    assert not list(tmp_path.iterdir())


# ----- room


def test_a_disk_with_too_little_room_is_refused_before(tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(10**10, 9 * 10**9, 10**9))
    runs.check_space(str(tmp_path), 10**9, "the model")
    with pytest.raises(ValueError, match=r"^--output needs 2\.5 GB for 4 checkpoints, got 1 GB free in "):
        runs.check_space(str(tmp_path), 25 * 10**8, "4 checkpoints")
    # what --overwrite deletes makes room
    make_record(tmp_path, written=["model.safetensors"])
    (tmp_path / "model.safetensors").write_bytes(bytes(10**6))
    with pytest.raises(ValueError, match="got 1 GB free"):
        runs.check_space(str(tmp_path), 10**9 + 10**6, "the model")
    runs.check_space(str(tmp_path), 10**9 + 10**6, "the model", overwrite=True)
