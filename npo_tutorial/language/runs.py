"""The folder of a run: what may be written there, what the run remembers, and which of its checkpoints are whole.

Files and plain values only, so that `python -m npo_tutorial.language` can check them before it loads a model. Messages
name the options of that command.

A run's folder contains the model that it ends with, the Trainer's checkpoints, and two files of this module:
`npo_run.json`, with the settings and the hashes of everything that determines the run, and a lock. The lock belongs to
the process, so a process that is killed frees it.
"""

import hashlib
import json
import os
import shutil
import zipfile
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from npo_tutorial._extras import require

RECORD, NEW_RECORD = "npo_run.json", ".npo_run.new"
LOCK = ".npo_run.lock"
# the model is written to the first folder, which is renamed to the second once it is whole, and then emptied
PARTIAL, WHOLE = ".partial-model", ".whole-model"
# a checkpoint that is not whole gets another name, so that the Trainer does not count it among those it keeps
INCOMPLETE = "incomplete-"
# after a process is killed, its data loader's workers may keep the lock for some seconds
PATIENCE = 10.0
WEIGHTS = (".safetensors", ".bin", ".gguf")
CONFIGURATIONS = ("config.json", "adapter_config.json")
# Settings that --resume may change. They say where something is, when something is written, shown or evaluated, and how
# the work is divided among machines and micro-batches, but not which steps are made. Files are compared by content.
FREE = {
    *("forget", "held_out", "model", "output_dir", "overwrite", "resume", "retain", "run_name", "write_references"),
    *("max_steps", "num_train_epochs"),
    *("gradient_accumulation_steps", "local_rank", "per_device_train_batch_size", "use_cpu"),
    *("activation_checkpointing", "activation_checkpointing_kwargs", "torch_empty_cache_steps"),
    *("gradient_checkpointing", "gradient_checkpointing_kwargs"),
    *("batch_eval_metrics", "do_eval", "per_device_eval_batch_size", "prediction_loss_only"),
    *("debug", "disable_tqdm", "include_num_input_tokens_seen", "project", "report_to", "skip_memory_metrics"),
    *("enable_jit_checkpoint", "restore_callback_states_from_checkpoint"),
}
FREE_PREFIXES = (
    *("dataloader_num_", "dataloader_pin_", "dataloader_persistent_", "dataloader_prefetch_", "dataloader_multi"),
    *("ddp_", "eval_", "hub_", "log_", "logging_", "push_", "save_", "trackio_"),
)


def check_folder(output: str, models: Iterable[Path], *, resume: bool, overwrite: bool) -> None:
    """Whether a run may use the folder `output`; raises ValueError if not.

    Parameters
    ----------
    output : str
        As the user typed it. It need not exist.
    models : iterable of Path
        Files and folders that the run reads its weights from: none of their folders may be the output, inside it, or
        around it, whatever symlinks lead there.
    resume, overwrite : bool
        Without one of them the folder must be new or empty; both need the record of an earlier run.
    """
    folder = Path(output)
    if resume and overwrite:
        raise ValueError("--resume and --overwrite must not be given together: one goes on with a run, one deletes it")
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"--output must be a folder, got the file {output}")
    for model in models:
        source = model if model.is_dir() else model.parent
        if _is_within(folder, source) or _is_within(source, folder):
            raise ValueError(
                f"--output must be apart from the folder of --model, neither it nor inside or around it, got {output} "
                f"and {source}"
            )
    # what a run leaves that was killed before it began
    nothing = {LOCK, PARTIAL, NEW_RECORD}
    found = sorted(path.name for path in folder.iterdir() if path.name not in nothing) if folder.is_dir() else []
    has_record = RECORD in found
    if (resume or (overwrite and found)) and not has_record:
        option, what = ("--resume", "goes on with") if resume else ("--overwrite", "deletes")
        raise ValueError(
            f"{option} {what} a run of this command, but --output contains no {RECORD}, got {output}"
            + (f" with {_some(found)}" if found else "")
        )
    if found and not (resume or overwrite):
        remedy = "--resume goes on with its run, --overwrite deletes it" if has_record else "choose another"
        raise ValueError(f"--output must be a new or an empty folder, got {output} with {_some(found)}: {remedy}")


def _is_within(inner: Path, outer: Path) -> bool:
    """Whether a folder is another one, or inside it; decided by the file system, so that no spelling hides it."""
    # unlike Path.resolve, it does not fail where symlinks lead in a circle
    inner = Path(os.path.realpath(inner))
    return outer.exists() and any(place.exists() and place.samefile(outer) for place in (inner, *inner.parents))


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def lock(output: str) -> Any:
    """Make the folder `output`, and lock it until the result's `release` is called or the process ends."""
    filelock = require("filelock")
    found = filelock.FileLock(Path(output) / LOCK)
    try:
        Path(output).mkdir(parents=True, exist_ok=True)
        try:
            found.acquire(timeout=PATIENCE)
        except FileNotFoundError:
            # the run that had the lock failed before it began, and removed the folder
            Path(output).mkdir(parents=True, exist_ok=True)
            found.acquire(timeout=PATIENCE)
    except filelock.Timeout:
        raise ValueError(f"--output must be a folder that no other run is using, got {output}") from None
    except OSError as error:
        raise ValueError(f"--output must be a folder that can be written to, got {output} ({error.strerror})") from None
    return found


def new_folders(output: str) -> list[Path]:
    """The folders that `lock` will make, the innermost first."""
    folder = Path(output)
    return [place for place in (folder, *folder.parents) if not place.exists()]


def unlock(lock: Any, output: str, new: Iterable[Path]) -> None:
    """Release a lock. If no run began, so that there is no record, remove the lock and the empty ones of `new`."""
    path = Path(output) / LOCK
    is_unused = not path.with_name(RECORD).exists()
    if is_unused:
        # before the release, so that another process does not lock what is removed; Windows does it after the release
        with suppress(OSError):
            path.unlink()
    lock.release()
    if is_unused:
        with suppress(OSError):
            for place in new:
                place.rmdir()


def reason(error: BaseException) -> str:
    """What an error says, in one line."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror + (f": {str(error.filename)!r}" if error.filename else "")
    return " ".join(str(error).split()) or type(error).__name__


def file_hash(path: str | os.PathLike[str]) -> str:
    """SHA-256 of a file."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def samples_hash(samples: Iterable[Mapping[str, Any]]) -> str:
    """SHA-256 of what a model reads: whatever the records, the tokenizer and its template make of a file, once read."""
    lines = (json.dumps(sample, sort_keys=True) for sample in samples)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def model_hash(places: Iterable[str]) -> str:
    """SHA-256 of a model and its adapter: of configuration and weights in a folder, of the commit on a hub."""
    found = list[str]()
    for place in places:
        if not Path(place).is_dir():
            found.append(_commit(place))
            continue
        for path in sorted(Path(place).iterdir()):
            if path.name in CONFIGURATIONS:
                # where the base of an adapter is does not matter, but what is there
                content = json.loads(path.read_text("utf-8")) | {"base_model_name_or_path": None}
                found.append(json.dumps(content, sort_keys=True))
            elif path.suffix in WEIGHTS and path.name != "training_args.bin":
                found.append(file_hash(path))
    return hashlib.sha256("\n".join(found).encode()).hexdigest()


def _commit(name: str) -> str:
    """The commit of a model that was downloaded from a hub; its folder in the cache has the commit as its name."""
    find = require("huggingface_hub").try_to_load_from_cache
    paths = (find(name, file) for file in CONFIGURATIONS)
    return next((Path(path).parent.name for path in paths if isinstance(path, str)), name)


def kept_settings(values: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that a resumed run must share with its beginning, as JSON writes them.

    `FREE` lists the others. The number of steps is among them, but only with a constant learning rate: every other
    schedule depends on it.
    """
    constant = values.get("lr_scheduler_type") == "constant"
    kept = {
        name: value
        for name, value in values.items()
        if not (
            name in FREE - (set() if constant else {"max_steps", "num_train_epochs"}) or name.startswith(FREE_PREFIXES)
        )
    }
    return json.loads(json.dumps(kept, default=str))


def write_record(output: str, record: Mapping[str, Any]) -> None:
    """Write `npo_run.json`, replacing an earlier one at once."""
    path = Path(output) / RECORD
    temporary = path.with_name(NEW_RECORD)
    temporary.write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n", "utf-8")
    temporary.replace(path)


def read_record(output: str) -> dict[str, Any]:
    """The content of `npo_run.json`."""
    path = Path(output) / RECORD
    try:
        record = json.loads(path.read_text("utf-8"))
        for name, kind in {"settings": dict, "files": dict, "processes": int}.items():
            if not isinstance(record, dict) or not isinstance(record.get(name), kind):
                raise ValueError(f"{name} are missing")
        written = record.get("written", [])
        # --overwrite deletes these, so none may be outside the folder
        if not isinstance(written, list) or any(x in ("", "..") or Path(str(x)).name != x for x in written):
            raise ValueError('"written" must be a list of names')
        if not all(isinstance(value, str | None) for value in record["files"].values()):
            raise ValueError('"files" must have hashes')
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} is not the record of a run ({reason(error)}): choose another --output") from None
    return record


def check_same_run(stored: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Raise ValueError for the first difference between the record of a run and what --resume would go on with.

    Settings that only one of the two has are ignored: another version of a library wrote the record.
    """
    for name, value in now["settings"].items():
        if name in stored["settings"] and stored["settings"][name] != value:
            before, after = (json.dumps(x, ensure_ascii=False) for x in (stored["settings"][name], value))
            raise ValueError(
                f"--resume needs the settings of the run: --{name.replace('_', '-')} was {before}, got {after}"
            )
    for option, value in now["files"].items():
        if stored["files"].get(option) != value:
            before, after = (x[:12] if x else "nothing" for x in (stored["files"].get(option), value))
            what = "configuration and weights" if option == "--model" else "records, tokenizer and chat template"
            raise ValueError(
                f"--resume needs the {what} of the run: {option} has others than at its beginning (SHA-256 {before} "
                f"then, {after} now)"
            )


def process_counts(record: Mapping[str, Any], now: int) -> set[int]:
    """How many processes may have written a checkpoint: one, those a run began with, and those that resumed it."""
    return {1, now, record["processes"], *record.get("resumed_with", ())}


def counts_in(output: str, now: int) -> set[int]:
    """`process_counts` of the run in a folder, whose record may be gone or be another machine's."""
    try:
        record = read_record(output)
    except (OSError, ValueError):
        record = {"processes": now}
    return process_counts(record, now)


def find_checkpoint(output: str, processes: Collection[int] = (1,)) -> tuple[Path | None, list[str]]:
    """The newest whole checkpoint of a run, if there is one, and why each newer one was set aside.

    An incomplete checkpoint is renamed: otherwise `--save-total-limit` might keep it in place of a whole one.
    """
    said: list[str] = []
    steps = {path: path.name.removeprefix("checkpoint-") for path in Path(output).glob("checkpoint-*")}
    for path in sorted((path for path, step in steps.items() if step.isdecimal()), key=lambda x: -int(steps[x])):
        problem = damage(path, processes)
        if problem is None:
            return path, said
        aside = path.with_name(INCOMPLETE + path.name)
        _remove(aside)
        path.rename(aside)
        said.append(f"{path} is incomplete ({problem}): it was renamed to {aside.name} and is not used")
    return None, said


def damage(checkpoint: Path, processes: Collection[int] = (1,)) -> str | None:
    """Why a checkpoint of the Trainer is not whole, or None if it is.

    The Trainer writes its files one after the other. A process that is killed leaves some out and cuts one off, which
    the ends of the files show: nothing is read whole but JSON.
    """
    # the random numbers of each process, of which only those of a single one have no number
    of_several = len(list(checkpoint.glob("rng_state_*.pth")))
    count = min((n for n in processes if n >= max(of_several, 2)), default=max(processes)) if of_several else 1
    states = ["rng_state.pth"] if count == 1 else [f"rng_state_{i}.pth" for i in range(count)]
    of_optimizer = () if is_model_only(checkpoint) else ("optimizer*", "scheduler.pt", *states)
    for pattern in ("*model*", *of_optimizer, "trainer_state.json"):
        if not any(checkpoint.glob(pattern)):
            return f"{pattern} is missing"
    for path in sorted(checkpoint.rglob("*")):
        if path.is_file() and not _is_whole(path):
            return f"{path.relative_to(checkpoint)} is cut off"
    for index in checkpoint.glob("*.index.json"):
        try:
            shards = shard_names(json.loads(index.read_text("utf-8")))
        except ValueError as error:
            return f"{index.name} is not an index: {error}"
        if missing := [name for name in shards if not (checkpoint / name).exists()]:
            return f"{missing[0]} is missing"
    return None


def is_model_only(checkpoint: Path) -> bool:
    """Whether `--save-only-model` wrote a checkpoint, which then has nothing of the optimizer."""
    return not any(any(checkpoint.glob(pattern)) for pattern in ("optimizer*", "scheduler.pt", "rng_state*"))


def shard_names(index: Any) -> list[str]:
    """The files that `model.safetensors.index.json` names; raises ValueError if it is something else."""
    names = index.get("weight_map") if isinstance(index, dict) else None
    if not isinstance(names, dict) or not names or not all(isinstance(name, str) for name in names.values()):
        raise ValueError(f'"weight_map" must have the name of a file for each weight, got {json.dumps(names)[:40]}')
    return sorted(set(names.values()))


def _is_whole(path: Path) -> bool:
    try:
        if path.suffix == ".json":
            content = json.loads(path.read_text("utf-8"))
            return path.name != "trainer_state.json" or isinstance(content["global_step"], int)
        elif path.suffix == ".safetensors":
            with path.open("rb") as file:
                length = int.from_bytes(file.read(8), "little")
                entries = json.loads(file.read(length))
            ends = [entry["data_offsets"][1] for name, entry in entries.items() if name != "__metadata__"]
            return path.stat().st_size == 8 + length + max(ends, default=0)
        elif path.suffix in (".pt", ".pth", ".bin"):
            # torch.save writes ZIP files, whose table of contents is at the end
            return zipfile.is_zipfile(path)
    except (ValueError, LookupError, TypeError, AttributeError, MemoryError, OverflowError, RecursionError):
        return False
    return True


def check_space(output: str, size: int, what: str, *, overwrite: bool = False) -> None:
    """Raise ValueError if the disk has fewer than `size` bytes free, those that `overwrite` will free included."""
    free = shutil.disk_usage(output).free
    if overwrite:
        own = (file for path in _own(output) for file in ([path] if path.is_file() else path.rglob("*")))
        free += sum(file.lstat().st_size for file in own if not file.is_dir())
    if size > free:
        raise ValueError(f"--output needs {_gigabytes(size)} for {what}, got {_gigabytes(free)} free in {output}")


def _gigabytes(size: int) -> str:
    return f"{size / 1e9:.3g} GB" if size >= 1e9 else f"{size / 1e6:.3g} MB"


def clear(output: str) -> None:
    """Delete what an earlier run wrote into its folder, and nothing else."""
    for path in _own(output):
        _remove(path)


def _own(output: str) -> list[Path]:
    """What a run wrote: its model, by the names in the record, its checkpoints, and at last the record."""
    folder = Path(output)
    if not (folder / RECORD).exists():
        return []
    names = [*read_record(output).get("written", []), PARTIAL, WHOLE]
    checkpoints = [path for pattern in ("checkpoint-*", f"{INCOMPLETE}checkpoint-*") for path in folder.glob(pattern)]
    return [path for path in (*checkpoints, *(folder / name for name in names), folder / RECORD) if path.exists()]


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def write_whole(output: str, write: Callable[[Path], None]) -> None:
    """Let `write` fill a folder with the files of a model, and put them into `output` only once all are there.

    Whatever `write` raises, `output` is as before. If the process is killed while the files move, `finish` moves the
    rest.
    """
    partial = Path(output) / PARTIAL
    _remove(partial)
    partial.mkdir()
    try:
        write(partial)
        for path in partial.rglob("*"):
            if path.is_file():
                with path.open("rb+") as file:
                    os.fsync(file.fileno())
        _remove(Path(output) / WHOLE)
        partial.rename(Path(output) / WHOLE)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    finish(output)


def finish(output: str) -> bool:
    """Move the files of a whole model to their places, if an earlier run was killed before it could; says if it was."""
    whole = Path(output) / WHOLE
    if not whole.is_dir():
        return False
    record = read_record(output)
    names = sorted(path.name for path in whole.iterdir())
    write_record(output, record | {"written": sorted({*record.get("written", []), *names}), "finished": False})
    # without its configuration, which goes first and comes back last, half a model cannot be loaded
    for name in CONFIGURATIONS:
        if name in names:
            (Path(output) / name).unlink(missing_ok=True)
    for name in sorted(names, key=lambda name: name in CONFIGURATIONS):
        if (Path(output) / name).is_dir():
            shutil.rmtree(Path(output) / name)
        os.replace(whole / name, Path(output) / name)
    write_record(output, read_record(output) | {"finished": True})
    whole.rmdir()
    return True


def try_writing(output: str, write: Callable[[Path], None]) -> None:
    """Let `write` fill a folder in `output`, and delete it: what cannot be written is found before the first step."""
    partial = Path(output) / PARTIAL
    _remove(partial)
    partial.mkdir()
    try:
        write(partial)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
