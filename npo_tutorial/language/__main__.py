"""python -m npo_tutorial.language: unlearn from the command line."""

import dataclasses
import math
import os
import shutil
import signal
import sys
import tempfile
import warnings
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from npo_tutorial._console import replace_unprintable
from npo_tutorial._extras import require
from npo_tutorial.language import arguments, runs

if TYPE_CHECKING:
    from npo_tutorial.language.config import NPOConfig
    from npo_tutorial.language.models import ModelArguments, Source
    from npo_tutorial.language.records import Record, Sample

# what a user can cause; anything else keeps its traceback
USER_ERRORS = (ValueError, TypeError, OSError, ImportError, ArithmeticError)
# flags of generation that only count with do_sample, and their defaults
SAMPLING = {
    **{"temperature": 1.0, "top_p": 1.0, "top_k": 50, "typical_p": 1.0, "epsilon_cutoff": 0.0, "eta_cutoff": 0.0},
    **{"min_p": None, "top_h": None},
}
# options that --write-references reads, besides those of the model and the files
FOR_REFERENCES = {
    *("forget", "write_references", "prompt_field", "response_field", "chosen_field", "system", "chat_template_kwargs"),
    *("max_length", "model", "dtype", "lora", "merge", "load_in_4bit", "loss", "bf16", "fp16", "use_cpu", "overwrite"),
    *("batch_size", "per_device_train_batch_size"),
}


def main(words: Sequence[str] | None = None) -> None:
    """Run the command with the words after its name; ends by SystemExit if it fails or only shows help."""
    replace_unprintable()
    words = sys.argv[1:] if words is None else list(words)
    command: Any = arguments
    if words[:1] == ["evaluate"]:
        from npo_tutorial.language.evaluation import command
    if {"-h", "--help"} & set(words):
        print(command.HELP)
        sys.exit()
    try:
        with _warnings_as_lines():
            run(words) if command is arguments else command.run(words[1:])
    except KeyboardInterrupt:
        _exit(128 + signal.SIGINT, "interrupted")
    except USER_ERRORS as error:
        _exit(2, f"error: {runs.reason(error)}")
    except RuntimeError as error:
        if type(error).__name__ != "OutOfMemoryError":
            raise
        _exit(
            2,
            f"error: out of memory ({runs.reason(error).partition('. ')[0]}): try {command.LESS_MEMORY}",
        )


def _exit(status: int, message: str) -> None:
    # a bar that was interrupted keeps its line to itself
    if "tqdm" in sys.modules:
        for bar in list(sys.modules["tqdm"].tqdm._instances):
            bar.close()
    # what several processes find at the same time is said once
    if _is_first():
        print(f"{arguments.PROGRAM}: {message}", file=sys.stderr, flush=True)
    sys.exit(status)


def _is_first() -> bool:
    return os.environ.get("RANK", "0") == "0"


@contextmanager
def _warnings_as_lines(names: Collection[str] = ()) -> Iterator[None]:
    """Warnings as one line each, in which `names` are options."""
    with warnings.catch_warnings():
        # what libraries say to each other's authors
        warnings.simplefilter("ignore", FutureWarning)
        warnings.showwarning = lambda message, *_, **__: _say(arguments.as_typed(str(message), names))
        yield


def _say(message: str) -> None:
    if _is_first():
        print(f"warning: {message}", file=sys.stderr, flush=True)


def run(words: Sequence[str]) -> None:
    if "--help-all" in words:
        arguments.make_parser().print_help()
        return
    files, loading, config, typed = arguments.parse(words)
    check_pipes(files)
    from npo_tutorial.language.models import look_up
    from npo_tutorial.language.stopping import exit_at_once, handling

    names = {field.name for part in (files, loading, config) for field in dataclasses.fields(part)}
    try:
        with _warnings_as_lines(names), handling(exit_at_once, signal.SIGTERM):
            records = read_files(files)
            source = look_up(loading)
            datasets = encode_files(files, config, records, source)
            if files.write_references is None:
                unlearn(files, loading, config, source, datasets, records["forget"])
            else:
                write_references(files, loading, config, source, records["forget"], datasets["forget"], typed)
    except USER_ERRORS as error:
        raise ValueError(arguments.as_typed(runs.reason(error), names)) from error


# ----- what is read


def read_files(files: arguments.FileArguments) -> "dict[str, list[Record]]":
    """The records of each file that is given."""
    paths = {name: path for name in ("forget", "retain", "held_out") if (path := getattr(files, name)) is not None}
    places = [Path(path) for path in (files.forget, files.retain) if path is not None and Path(path).exists()]
    if len(places) == 2 and places[0].samefile(places[1]):
        raise ValueError(f"--retain must be another file than --forget, got {files.retain}")
    # nothing is preferred to what is retained
    fields = {"prompt": files.prompt_field, "response": files.response_field}
    of_forget = fields | {"chosen": files.chosen_field}
    return arguments.read_files(paths, {name: of_forget if name == "forget" else fields for name in paths})


def check_pipes(files: arguments.FileArguments) -> None:
    """Raise ValueError if several processes would read a pipe, each of them a part."""
    for option, path in {"--forget": files.forget, "--retain": files.retain, "--held-out": files.held_out}.items():
        is_pipe = path is not None and os.path.exists(path) and not os.path.isfile(path) and not os.path.isdir(path)
        if is_pipe and int(os.environ.get("WORLD_SIZE", "1")) > 1:
            raise ValueError(f"{option} must be a file for several processes, which would divide a pipe, got {path}")


def encode_files(
    files: arguments.FileArguments, config: "NPOConfig", records: "dict[str, list[Record]]", source: "Source"
) -> "dict[str, list[Sample]]":
    """Tokens and labels of all records; raises ValueError for what the model has no room for."""
    from npo_tutorial.language.encoding import check_sizes, encode
    from npo_tutorial.language.objectives import OBJECTIVES

    # tokenizers without a limit report a huge one
    limits = [x for x in (source.tokenizer.model_max_length, source.positions) if x is not None and x < 10**9]
    options: dict[str, Any] = {
        "max_length": min(limits, default=None) if files.max_length is None else files.max_length,
        "system": files.system,
        "chat_template_kwargs": arguments.read_json("--chat-template-kwargs", files.chat_template_kwargs),
    }
    found = {}
    for name, those in records.items():
        path = getattr(files, name)
        try:
            chosen = name == "forget" and "chosen" in OBJECTIVES[config.loss].needs
            found[name] = encode(those, source.tokenizer, chosen=chosen, **options)
            check_sizes(found[name], source.vocabulary, source.positions, records=those)
        except ValueError as error:
            raise ValueError(f"{error}" if path in str(error) else f"{path}: {error}") from None
    return found


# ----- references in a file


def write_references(
    files: arguments.FileArguments,
    loading: "ModelArguments",
    config: "NPOConfig",
    source: "Source",
    records: "list[Record]",
    dataset: "list[Sample]",
    typed: set[str],
) -> None:
    from npo_tutorial.language.encoding import with_references
    from npo_tutorial.language.models import load
    from npo_tutorial.language.records import write_records

    unused = sorted(map(arguments.as_option, typed - FOR_REFERENCES))
    if unused:
        _say(f"{', '.join(unused)} {'do' if len(unused) > 1 else 'does'} nothing with --write-references")
    target = Path(str(files.write_references))
    if _is_first():
        # what cannot be written is found before the model is loaded
        check_target(target, files)
        write_records(target, records, trial=True)
    # spread over all devices
    model, _ = load(loading, source, device_map="cpu" if config.use_cpu else "auto")
    compute_references(model, dataset, config)
    if _is_first():
        write_records(target, with_references(records, dataset, model_hash(source)))


def check_target(target: Path, files: arguments.FileArguments) -> None:
    """Raise ValueError unless no file of the user is lost if references are written to `target`."""
    from npo_tutorial.language.records import read_records

    if target.is_dir() or not target.parent.is_dir():
        raise ValueError(f"--write-references must be a file in a folder that exists, got {target}")
    if not target.is_file() or not target.stat().st_size or target.samefile(files.forget):
        return
    if not files.overwrite:
        raise ValueError(
            f"--write-references must be a new file or that of --forget, got {target}, which exists: choose another "
            "name, or --overwrite if it has earlier references"
        )
    try:
        ours = all("ref_logp" in record for record in read_records(target))
    except (ValueError, ImportError):
        ours = False
    if not ours:
        raise ValueError(
            f"--overwrite replaces only a file with earlier references, got {target} as --write-references: choose "
            "another name"
        )


def compute_references(model: Any, dataset: "list[Sample]", config: "NPOConfig") -> None:
    from npo_tutorial.language.reference import precompute_reference

    # in the precision of training, so that log-ratios start at 0
    torch = require("torch")
    dtype = torch.bfloat16 if config.bf16 else torch.float16
    with torch.autocast(model.device.type, dtype=dtype, enabled=config.bf16 or config.fp16):
        precompute_reference(model, dataset, batch_size=config.per_device_train_batch_size)


# ----- training


def unlearn(
    files: arguments.FileArguments,
    loading: "ModelArguments",
    config: "NPOConfig",
    source: "Source",
    datasets: "dict[str, list[Sample]]",
    forget: "list[Record]",
) -> None:
    from npo_tutorial.language.checks import check_machine
    from npo_tutorial.language.dictionaries import check_liger

    check_machine(config)
    if config.use_liger_kernel:
        check_liger(config, source.config.model_type)
    check_references(config, datasets)
    check_sharded(config, merge=loading.merge)
    check_best_model(config, datasets)
    output, first = str(config.output_dir), _is_first()
    checkpoint = None
    with claim(files, loading, config, source, datasets) if first else nullcontext() as record:
        if record is not None and not lacks_references(config, datasets["forget"]):
            warn_of_other_references(config, forget, record["files"]["--model"])
        if record is not None and files.resume:
            checkpoint = find_checkpoint(output, record, config)
        if config.world_size > 1:
            # the others wait until the first has the folder
            (checkpoint,) = require("accelerate.utils").broadcast_object_list([checkpoint])
        trainer = make_trainer(loading, config, source, datasets)
        if record is not None:
            prepare_folder(trainer, files, loading, record, checkpoint)
        trainer.accelerator.wait_for_everyone()
        train(trainer, checkpoint, merge=loading.merge)


def check_references(config: "NPOConfig", datasets: "dict[str, list[Sample]]") -> None:
    from npo_tutorial.language.objectives import OBJECTIVES

    if os.environ.get("ACCELERATE_USE_FSDP") == "true" and lacks_references(config, datasets["forget"]):
        if "ref_token_logp" in OBJECTIVES[config.loss].needs:
            raise ValueError(
                f"--loss must be another one for a sharded model, got {config.loss}, which needs the reference of each "
                "token: a file has those of responses only"
            )
        # until the trainer shards the weights, only the first process may have them
        raise ValueError(
            "--forget must contain references for a sharded model: run with --write-references "
            f"--loss {config.loss} first"
        )


def check_sharded(config: "NPOConfig", *, merge: bool) -> None:
    """Raise ValueError if the model would be written nowhere: the Trainer writes shards into checkpoints only."""
    if config.fsdp:
        kind = (config.fsdp_plugin_args or {}).get("state_dict_type")
    elif os.environ.get("ACCELERATE_USE_FSDP") == "true":
        # accelerate's defaults
        first = os.environ.get("FSDP_VERSION", "1") == "1"
        kind = os.environ.get("FSDP_STATE_DICT_TYPE", "FULL_STATE_DICT" if first else "SHARDED_STATE_DICT")
    else:
        return
    if str(kind or "FULL_STATE_DICT").upper() in ("FULL_STATE_DICT", "1"):
        return
    if config.save_strategy in ("no", "best"):
        raise ValueError(
            f"--save-steps must be given with the state_dict_type {kind} of FSDP: only checkpoints then have the model"
        )
    if merge:
        raise ValueError(
            f"--merge must be left out with the state_dict_type {kind} of FSDP, which writes no whole model"
        )


def check_best_model(config: "NPOConfig", datasets: "dict[str, list[Sample]]") -> None:
    """Whether evaluations will have the metric of the best model, as the trainer finds out after the references."""
    from npo_tutorial.language.objectives import OBJECTIVES
    from npo_tutorial.language.trainer import check_metric

    if config.eval_strategy != "no":
        sets: dict[str, Any] = dict(datasets)
        if lacks_references(config, datasets["forget"]):
            sets["forget"] = [{"ref_logp": 0.0}]
        check_metric(config.metric_for_best_model, sets, OBJECTIVES[config.loss], has_retain="retain" in sets)


def lacks_references(config: "NPOConfig", dataset: "list[Sample]") -> bool:
    from npo_tutorial.language.objectives import OBJECTIVES

    needs = [name for name in ("ref_logp", "ref_token_logp") if name in OBJECTIVES[config.loss].needs]
    # other losses need none, but the share that is forgotten does
    needs += ["ref_logp"] * (config.stop_when_forgotten is not None)
    names = needs + ["chosen_ref_logp"] * ("chosen_labels" in dataset[0])
    return not all(name in item for item in dataset for name in names)


def model_hash(source: "Source") -> str:
    """A hash of a model and its adapter."""
    return runs.model_hash([place for place in (source.base, source.adapter) if place is not None])


def warn_of_other_references(config: "NPOConfig", forget: "list[Record]", model: str | None) -> None:
    """Say so if log-ratios will not start at 0, because the references in a file are those of another model."""
    from npo_tutorial.language.objectives import OBJECTIVES

    are_used = "ref_logp" in OBJECTIVES[config.loss].needs or config.stop_when_forgotten is not None
    if are_used and any(record.get("ref_model", model) != model for record in forget if "ref_logp" in record):
        _say(
            "the references in --forget were computed with other files than those of --model, and forgetting is "
            "measured from them: if it is another model, run with --write-references"
        )


@contextmanager
def claim(
    files: arguments.FileArguments,
    loading: "ModelArguments",
    config: "NPOConfig",
    source: "Source",
    datasets: "dict[str, list[Sample]]",
) -> Iterator[dict[str, Any]]:
    """The output folder for this process alone; gives the record of this run, with --resume the one in the folder."""
    from npo_tutorial.language.checks import direction

    output = str(config.output_dir)
    places = [place for place in (source.base, source.adapter) if place is not None]
    models = [Path(place) for place in places if Path(place).exists()]
    runs.check_folder(output, models, resume=files.resume, overwrite=files.overwrite)
    new = runs.new_folders(output)
    lock = runs.lock(output)
    try:
        # another run may have ended while this one waited for the lock
        runs.check_folder(output, models, resume=files.resume, overwrite=files.overwrite)
        total = config.per_device_train_batch_size * config.gradient_accumulation_steps * config.world_size
        settings = config.to_dict() | dataclasses.asdict(loading) | dataclasses.asdict(files) | {"batch_size": total}
        settings |= {"greater_is_better": direction(config)}
        record = {
            "versions": {name: version(name) for name in ("npo-tutorial", "transformers", "torch")},
            "processes": config.world_size,
            "settings": runs.kept_settings(settings),
            "files": {
                "--forget": runs.samples_hash(datasets["forget"]),
                "--retain": runs.samples_hash(datasets["retain"]) if "retain" in datasets else None,
                "--model": model_hash(source),
            },
        }
        if files.resume:
            stored = runs.read_record(output)
            runs.check_same_run(stored, record)
            record = stored | {"resumed_with": sorted({*stored.get("resumed_with", []), config.world_size})}
        yield record
    finally:
        runs.unlock(lock, output, new)


def find_checkpoint(output: str, record: dict[str, Any], config: "NPOConfig") -> str | None:
    """The checkpoint that --resume goes on from, which may be none."""
    if runs.finish(output):
        _say(f"the model in {output} was whole, but not in its place, because the run was killed: it is now")
    path, said = runs.find_checkpoint(output, runs.process_counts(record, config.world_size))
    for line in said:
        _say(line)
    if path is None:
        _say(f"{output} contains no whole checkpoint: the run begins again at its first step")
        return None
    if runs.is_model_only(path):
        raise ValueError(
            f"--resume needs a checkpoint with the optimizer, got {path}, which --save-only-model wrote without: train "
            "it as --model with another --output, or begin again with --overwrite"
        )
    step = int(path.name.removeprefix("checkpoint-"))
    if 0 < config.max_steps < step:
        raise ValueError(f"--max-steps must be at least {step}, the step of {path}, got {config.max_steps}")
    return str(path)


def make_trainer(
    loading: "ModelArguments", config: "NPOConfig", source: "Source", datasets: "dict[str, list[Sample]]"
) -> Any:
    transformers = require("transformers")
    from npo_tutorial.language.adapters import has_adapter
    from npo_tutorial.language.models import load
    from npo_tutorial.language.objectives import OBJECTIVES
    from npo_tutorial.language.trainer import NPOTrainer

    # a new adapter is random
    transformers.set_seed(config.seed)
    model, tokenizer = load(loading, source)
    repair_generation(model)
    if lacks_references(config, datasets["forget"]):
        # the Trainer would move it only later; shards do not fit, and weights in 4 bits are where they belong
        if not (config.fsdp or config.deepspeed or loading.load_in_4bit):
            model.to(config.device)
        compute_references(model, datasets["forget"], config)
    needs_model = config.retain_term != "cross_entropy" or "ref_logits" in OBJECTIVES[config.loss].needs
    ref_model = load(loading, source)[0] if needs_model and not has_adapter(model) else None
    return NPOTrainer(
        model,
        config,
        forget_dataset=datasets["forget"],
        retain_dataset=datasets.get("retain"),
        eval_dataset=None if config.eval_strategy == "no" else datasets,
        ref_model=ref_model,
        processing_class=tokenizer,
    )


def repair_generation(model: Any) -> None:
    """Remove what transformers refuses to save: published models have it, and it changes no text they generate."""
    config = getattr(model, "generation_config", None)
    if config is None:
        return
    found = {name: getattr(config, name, None) for name in SAMPLING if not config.do_sample}
    found = {name: value for name, value in found.items() if value not in (None, SAMPLING[name])}
    for name in found:
        setattr(config, name, None)
    if found:
        flags = ", ".join(f"{name}={value}" for name, value in found.items())
        _say(f"generation_config.json has {flags} without do_sample, which has no effect: the saved model is without")
    try:
        config.validate(strict=True)
    except ValueError as error:
        raise ValueError(
            f"--model must have a generation_config.json that can be saved, got one with an error "
            f"({runs.reason(error)}): correct it, or delete it"
        ) from None


def prepare_folder(
    trainer: Any,
    files: arguments.FileArguments,
    loading: "ModelArguments",
    record: dict[str, Any],
    checkpoint: str | None,
) -> None:
    """Try all that will be written, before the first step; then the folder belongs to this run."""
    output = trainer.args.output_dir
    model, tokenizer = trainer.model, trainer.processing_class

    def write(folder: Path) -> None:
        model.config.save_pretrained(folder)
        if getattr(model, "generation_config", None) is not None:
            model.generation_config.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        require("torch").save(trainer.args, folder / "training_args.bin")

    runs.try_writing(output, write)
    size, what = space_needed(trainer, loading, checkpoint)
    runs.check_space(output, size, what, overwrite=files.overwrite)
    if files.overwrite:
        runs.clear(output)
    runs.write_record(output, record | {"finished": False})


def space_needed(trainer: Any, loading: "ModelArguments", checkpoint: str | None) -> tuple[int, str]:
    """Bytes that the final model and the checkpoints need at least, and what they are, in words."""
    from npo_tutorial.language.adapters import has_adapter

    args = trainer.args
    parameters = list(trainer.model.parameters())
    plain = loading.merge or not has_adapter(trainer.model)
    saved = [x for x in parameters if x.requires_grad or plain]
    model = sum(x.numel() * x.element_size() for x in saved)
    if args.save_strategy == "no":
        return model, "the model"
    trained = [x for x in parameters if x.requires_grad]
    # both moments of AdamW are as large as the weights
    name = str(getattr(args.optim, "value", args.optim))
    moments = 2 if "adam" in name and "bit" not in name else 0
    one = sum(x.numel() * x.element_size() * (1 + moments * (not args.save_only_model)) for x in trained)
    steps = args.max_steps if args.max_steps > 0 else 1
    done = int(checkpoint.rpartition("-")[2]) if checkpoint else 0
    each = args.save_steps if args.save_steps >= 1 else math.ceil(args.save_steps * steps)
    count = math.ceil((steps - done) / each) if args.save_strategy == "steps" else 1
    if args.save_total_limit:
        # an old checkpoint is deleted after a new one is written
        count = min(count, args.save_total_limit + (0 if checkpoint else 1))
    return model + count * one, f"the model and {count} checkpoint{'s' if count > 1 else ''}"


def train(trainer: Any, checkpoint: str | None, *, merge: bool) -> None:
    """All steps, and the model that is left; ends by SystemExit if a signal stops it before the last step."""
    from npo_tutorial.language.stopping import StopAfterStep, UseNewIntervals, exit_at_once, handling

    args = trainer.args
    beginning = UseNewIntervals()
    trainer.add_callback(beginning)
    stop = StopAfterStep()
    has_checkpoints = args.save_strategy != "no"
    if has_checkpoints:
        trainer.add_callback(stop)
    numbers = (signal.SIGTERM, signal.SIGINT) if has_checkpoints else (signal.SIGTERM,)
    with handling(stop.note if has_checkpoints else exit_at_once, *numbers):
        try:
            trainer.train(resume_from_checkpoint=checkpoint)
        except Exception as error:
            is_ours = isinstance(error, ImportError) or type(error).__name__ == "OutOfMemoryError"
            if checkpoint is not None and not beginning.is_over and not is_ours:
                raise ValueError(
                    f"--resume needs a checkpoint of this run, got {checkpoint}, which cannot be loaded "
                    f"({runs.reason(error)[:200]}): move it elsewhere to go on from an earlier one"
                ) from error
            explain_failed_checkpoint(trainer, error)
            raise
        step = trainer.state.global_step
        if stop.signal is not None and step < trainer.state.max_steps:
            name = signal.Signals(stop.signal).name
            state = f"go on from checkpoint-{step} with --resume"
            if args.save_only_model:
                state = f"checkpoint-{step} is a model, but --resume cannot go on from it because of --save-only-model"
            _exit(128 + stop.signal, f"{name} after step {step}: {state}")
        # after the last step a signal is too late: it takes longer to stop than to end
        with handling(stop.note, signal.SIGTERM, signal.SIGINT):
            save(trainer, merge=merge)


def explain_failed_checkpoint(trainer: Any, error: Exception) -> None:
    """Raise an error in plain words if `error` left half a checkpoint; what is whole is named, or made."""
    output, step = trainer.args.output_dir, trainer.state.global_step
    partial = Path(output) / f"checkpoint-{step}"
    counts = runs.counts_in(output, trainer.args.world_size)
    if not trainer.args.should_save or not partial.is_dir() or not runs.damage(partial, counts):
        return
    shutil.rmtree(partial)
    whole, _ = runs.find_checkpoint(output, counts)
    state = f"{whole} is whole" if whole else rescue(trainer, "the model of this step")[1]
    raise ValueError(
        f"{partial} could not be written ({runs.reason(error)}): {state}. Make room, then go on with --resume"
    ) from error


def save(trainer: Any, *, merge: bool) -> None:
    """Write the model, whole or not at all."""
    output = trainer.args.output_dir
    if merge:
        merge_adapter(trainer)
    if is_sharded(trainer):
        best = trainer.state.best_model_checkpoint if trainer.args.load_best_model_at_end else None
        place = best or Path(output) / f"checkpoint-{trainer.state.global_step}"
        _say(f"the model is in {place}, in pieces that accelerate merge-weights joins")

    def write(folder: Path) -> None:
        trainer.save_model(str(folder))
        trainer.state.save_to_json(str(folder / "trainer_state.json"))

    if not _is_first():
        # takes part in gathering a sharded model, and writes nothing
        trainer.save_model(str(Path(output) / runs.PARTIAL))
    else:
        try:
            runs.write_whole(output, write)
        except Exception as error:
            counts = runs.counts_in(output, trainer.args.world_size)
            whole, _ = runs.find_checkpoint(output, counts)
            also = f"; {whole} is whole, too" if whole else ""
            raise ValueError(
                f"the model could not be written to {output} ({runs.reason(error)}): {rescue(trainer, 'it')[1]}{also}"
            ) from error
    trainer.accelerator.wait_for_everyone()


def merge_adapter(trainer: Any) -> None:
    """Add the adapter to the weights, which change in place: until that is done, the adapter is in a file as well."""
    from npo_tutorial.language.adapters import final_model

    place, said = rescue(trainer, "the adapter", "npo-adapter-")
    try:
        trainer.model = final_model(trainer.model, merge=True)
    except Exception as error:
        raise ValueError(f"the adapter could not be merged ({runs.reason(error)}): {said}") from error
    if place is not None:
        shutil.rmtree(place, ignore_errors=True)


def is_sharded(trainer: Any) -> bool:
    """Whether the Trainer writes the model into checkpoints only."""
    return trainer.is_fsdp_enabled and "FULL" not in str(trainer.accelerator.state.fsdp_plugin.state_dict_type)


def rescue(trainer: Any, what: str, prefix: str = "npo-model-") -> tuple[str | None, str]:
    """Try to write a model that has no room in its folder to the folder of temporary files: where, and a sentence."""
    place = None
    try:
        place = tempfile.mkdtemp(prefix=prefix)
        # nothing is pushed to a hub, which would write to the folder of the run as well
        trainer.save_model(place, _internal_call=True)
    except Exception as error:
        if place is not None:
            shutil.rmtree(place, ignore_errors=True)
        where = tempfile.gettempdir() if place is None else place
        return None, f"{what} could not be written to {where} either ({runs.reason(error)})"
    return place, f"{what} is whole in {place}"


if __name__ == "__main__":
    main()
