"""The command line of `python -m npo_tutorial.language`: what can be typed, and what `--help` says about it.

The options are the fields of three dataclasses: `FileArguments` (here), `ModelArguments` and `NPOConfig`. `--help` is
the page below, for which nothing is loaded; a test compares it with the fields. `--help-all` is made from the fields.
"""

import argparse
import dataclasses
import difflib
import json
import re
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from npo_tutorial._extras import require

if TYPE_CHECKING:
    from npo_tutorial.language.config import NPOConfig
    from npo_tutorial.language.models import ModelArguments
    from npo_tutorial.language.records import Record

PROGRAM = "python -m npo_tutorial.language"
# what to try if memory runs out
LESS_MEMORY = "--per-device-train-batch-size 1, --gradient-checkpointing, --bf16, or --lora without --merge"
HELP = f"""\
usage: {PROGRAM} --model MODEL --forget FILE --output FOLDER [options]
       {PROGRAM} --model MODEL --forget FILE --write-references FILE [options]

Make a causal language model forget the responses in one file and retain those in another.

  {PROGRAM} --model HuggingFaceTB/SmolLM2-135M-Instruct \\
      --forget forget.jsonl --retain retain.jsonl --output unlearned

model and files:
  --model MODEL           name on a hub, or folder of a model or of an adapter; HF_ENDPOINT may
                          name a mirror, and "modelscope download" fetches a folder
  --forget FILE           what to forget; one record per line:
                          {{"prompt": "Who wrote Hamlet?", "response": "William Shakespeare."}}
                          for a model with a chat template; for others " William Shakespeare."
  --retain FILE           what to retain, in the same form
  --held-out FILE         what to evaluate as well, in the same form; needs --eval-steps
  --prompt-field NAME     what the file calls the prompt, such as "question";
                          --response-field and --chosen-field (what dpo prefers) likewise
  --system TEXT           system turn before each prompt, for models with a chat template
  --chat-template-kwargs JSON  what else the template gets: '{{"enable_thinking": false}}'
  --max-length N          tokens of prompt and response; longer responses are cut (default: the
                          tokenizer's limit or the model's positions, whichever is smaller)
  --output FOLDER         where to write the model, its checkpoints and its log: a new folder
  --resume                go on with the run in --output, from its newest whole checkpoint; only
                          what is logged, saved, evaluated may differ, and the number of steps
                          if the learning rate is constant
  --overwrite             delete the run in --output, and begin; replace earlier references
  --write-references FILE  write the forget set with log π_ref of each response, then stop

loss:
  --loss NAME             npo, ga, dpo, simnpo, wga, tnpo, undial (default: npo)
  --beta X                inverse temperature (default: that of the loss; 0.1 for npo)
  --gamma X               margin of simnpo (default: 0)
  --forget-weight X       weight of the forget loss (default: 1)
  --retain-weight X       weight of the retain term (default: 1)
  --retain-term NAME      cross_entropy, kl_ref_model: KL(ref‖model), or kl_model_ref:
                          KL(model‖ref); the last two, and the loss undial, need a second
                          model in memory unless there is an adapter (default: cross_entropy)
  --retain-reduction NAME  samples: mean over samples of the mean over tokens; tokens: one
                          mean over all tokens of a step (default: samples);
                          --forget-reduction likewise, for ga, wga, tnpo and undial

memory:
  --dtype NAME            of the weights: float32, bfloat16, float16, or auto, that of the files
                          (default: float32; bfloat16 below an adapter without --merge)
  --lora                  train an adapter and freeze the model, which is the reference, too;
                          use about ten times the learning rate, such as 1e-4;
                          --lora-rank N (default: 16), --lora-targets LAYER …; the adapter is
                          multiplied by alpha / rank: --lora-alpha N (default: 32)
  --load-in-4bit          QLoRA: keep the weights below the adapter in 4 bits, with CUDA
  --merge                 write a plain model, not an adapter
  --bf16                  compute in bfloat16; the weights stay as they are
  --gradient-checkpointing  less memory for a third more time
  --per-device-train-batch-size N  forget samples in one forward pass of a process, which
                          accumulates the gradients of several (default: 8)

steps:
  --num-train-epochs X    passes through the forget set (default: 3)
  --max-steps N           in place of it: optimizer steps
  --batch-size N          forget samples in one step, over all processes (default: 8 in each)
  --no-disable-dropout    train with dropout, which references are computed without
  --stop-when-forgotten X  stop once this share of the responses, 0 to 1, is forgotten: each token
                          on average (geometric) at most a tenth as probable as at first;
                          counted in evaluations, or without --eval-steps in a whole pass
  --learning-rate X       (default: 1e-05)
  --lr-scheduler-type NAME  constant, linear, cosine … (default: constant)
  --warmup-steps N        for schedules other than constant (default: 0)
  --max-grad-norm X       clip gradients; 0 turns this off (default: 1.0)
  --optim NAME            (default: AdamW)
  --seed N                determines the order of samples (default: 42)
  --logging-steps N       steps between log entries (default: 1)
  --save-steps N          steps between checkpoints (default: only the final model)
  --save-total-limit N    how many checkpoints to keep (default: all)
  --eval-steps N          steps between evaluations of all files (default: none)

  --help-all explains these and all other options of Hugging Face's Trainer.

Afterwards, python -m npo_tutorial.language evaluate --help: is it forgotten?

A tokenizer with a chat template puts the prompt into the user's turn; for others the
response must begin with the space that follows the prompt. DPO prefers the field "chosen",
or else a refusal such as "I don't know.", in Chinese if the prompt is in Chinese.

Watch forget_logp_per_token in the log, which should fall, and retain_logp_per_token, which
should not. Under ga the first falls in a straight line until the model is ruined; under npo
the fall slows as mean_weight shrinks.

SIGTERM and Ctrl-C end a run with --save-steps after the step; --resume then gives the same
model as a run that was not stopped. Without --save-steps they end it at once, unsaved.

Several processes share a step's samples; with --batch-size, losses are those of one process:
  torchrun --nproc-per-node 2 -m npo_tutorial.language …
  accelerate launch --config_file fsdp.yaml -m npo_tutorial.language …
The second is for models too large for one device; their references come from a file that
--write-references makes first.
"""
# shorter or earlier names of options
ALIASES = {
    "--output": "--output-dir",
    "--steps": "--max-steps",
    "--micro-batch-size": "--per-device-train-batch-size",
    "--log-steps": "--logging-steps",
    "--gradient-checkpointing": "--activation-checkpointing",
}
# options that only evaluations during the run read
OF_EVALUATIONS = (
    *("held_out", "eval_on_start", "per_device_eval_batch_size", "eval_accumulation_steps"),
    *("bf16_full_eval", "fp16_full_eval"),
)
# the names in Python's messages that the command calls otherwise
OPTIONS = {"output_dir": "--output", "forget_dataset": "--forget", "dataset": "--forget", "retain_dataset": "--retain"}


@dataclasses.dataclass
class FileArguments:
    """What is to be done with which files."""

    _argument_group_name = "files"

    forget: str = dataclasses.field(metadata={"help": "what to forget: a file of records", "metavar": "FILE"})
    retain: str | None = dataclasses.field(
        default=None, metadata={"help": "what to retain: a file of records", "metavar": "FILE"}
    )
    held_out: str | None = dataclasses.field(
        default=None, metadata={"help": "a file of records to evaluate as well, with --eval-steps", "metavar": "FILE"}
    )
    prompt_field: str = dataclasses.field(
        default="prompt", metadata={"help": "name of the field with the prompt", "metavar": "NAME"}
    )
    response_field: str = dataclasses.field(
        default="response", metadata={"help": "name of the field with the response", "metavar": "NAME"}
    )
    chosen_field: str = dataclasses.field(
        default="chosen", metadata={"help": "name of the field with the answer that dpo prefers", "metavar": "NAME"}
    )
    system: str | None = dataclasses.field(
        default=None, metadata={"help": "system turn before each prompt, for chat templates", "metavar": "TEXT"}
    )
    chat_template_kwargs: str | None = dataclasses.field(
        default=None, metadata={"help": "further arguments of the chat template, as a JSON object", "metavar": "JSON"}
    )
    max_length: int | None = dataclasses.field(
        default=None,
        metadata={
            "help": "maximum tokens of prompt and response; default: the smaller limit of tokenizer and model",
            "metavar": "N",
        },
    )
    resume: bool = dataclasses.field(
        default=False, metadata={"help": "go on with the run in --output, from its newest whole checkpoint"}
    )
    overwrite: bool = dataclasses.field(
        default=False, metadata={"help": "delete the run in --output, and begin; or replace a file of references"}
    )
    write_references: str | None = dataclasses.field(
        default=None,
        metadata={"help": "write the forget set with log π_ref of each response, then stop", "metavar": "FILE"},
    )


def make_parser() -> Any:
    """An `HfArgumentParser` of all options; its errors are ValueErrors."""
    hf_argparser: Any = require("transformers.hf_argparser")
    from npo_tutorial.language.config import NPOConfig
    from npo_tutorial.language.models import ModelArguments

    class Parser(hf_argparser.HfArgumentParser):
        def error(self, message: str) -> None:
            raise ValueError(message)

    parser = Parser(
        (ModelArguments, FileArguments, NPOConfig),
        prog=PROGRAM,
        usage=f"{PROGRAM} --model MODEL --forget FILE (--output FOLDER | --write-references FILE) [options]",
        epilog="--help is shorter, with examples.",
        formatter_class=argparse.HelpFormatter,
        add_help=False,
        allow_abbrev=False,
    )
    for action in parser._actions:
        # one spelling in help and in messages; the parser understands both
        action.option_strings = [name for name in action.option_strings if "_" not in name]
        if action.nargs is None and action.type is hf_argparser.string_to_bool:
            # a flag needs no value, whatever its default
            action.nargs, action.const = "?", True
        if action.metavar is None and action.nargs != 0 and len(action.choices or ()) not in range(1, 9):
            names = {int: "N", float: "X", hf_argparser.string_to_bool: "yes|no"}
            action.metavar = names.get(action.type, "NAME" if action.choices else "TEXT")
        if action.default not in (None, False, "") and "(default" not in (action.help or ""):
            action.help = f"{action.help} (default: %(default)s)"
    return parser


def parse(words: Sequence[str]) -> "tuple[FileArguments, ModelArguments, NPOConfig, set[str]]":
    """The three dataclasses, and the names of the fields that were typed; raises ValueError in the user's words."""
    parser = make_parser()
    known = {option for action in parser._actions for option in action.option_strings}
    words = ["=".join([ALIASES.get(name, name), *value]) for name, *value in (word.split("=", 1) for word in words)]
    namespace, unknown = parser.parse_known_args(words)
    if unknown:
        close = difflib.get_close_matches(unknown[0].partition("=")[0], sorted(known | set(ALIASES)), 3)
        raise ValueError(
            f"{unknown[0]!r} is not an option" + (f": did you mean {' or '.join(close)}?" if close else "; see --help")
        )
    values = vars(namespace)
    # a namespace that has the attribute already does not get the default
    missing = argparse.Namespace(**dict.fromkeys(values, dataclasses.MISSING))
    typed = {
        name for name, value in vars(parser.parse_args(words, missing)).items() if value is not dataclasses.MISSING
    }
    for name in typed:
        for value in values[name] if isinstance(values[name], list) else [values[name]]:
            if isinstance(value, str):
                check_text(name, value)
    check_together(values, typed)
    try:
        loading, files, config = parser.parse_dict(values)
    except (ValueError, TypeError, NotImplementedError, OSError, ImportError) as error:
        raise ValueError(as_typed(str(error), values)) from None
    return files, loading, config, typed


def check_text(name: str, value: str) -> None:
    """Raise ValueError for a text that was typed, and that nothing can use."""
    if not value.strip():
        # a variable of the shell that is not set, for example
        raise ValueError(f"{as_option(name)} must not be empty, got {value!r}")
    if re.search("[\ud800-\udfff]", value):
        # Python keeps bytes that are not UTF-8 so; tokenizers, JSON and YAML cannot
        raise ValueError(f"{as_option(name)} must be in UTF-8, got {value!r}: use other characters")


def read_files(paths: Mapping[str, str], fields: Mapping[str, Mapping[str, str]]) -> "dict[str, list[Record]]":
    """The records of the files of some options; for each option, `fields` has the file's names of our fields."""
    from npo_tutorial.language.records import check_fields, read_file

    found = {}
    for name, path in paths.items():
        try:
            found[name] = read_file(path, fields[name])
        except OSError as error:
            why = error.strerror or "it is a folder"
            raise ValueError(f"{as_option(name)} must be a file that can be read, got {path} ({why})") from None
    check_fields(fields["forget"], list(found.values()))
    return dict(found)


def as_option(name: str) -> str:
    return OPTIONS.get(name, f"--{name.replace('_', '-')}")


def as_typed(message: str, names: Collection[str]) -> str:
    """A message about arguments of Python in the words of the command: "loss='ga'" becomes "--loss ga"."""
    every = sorted({*names, *OPTIONS}, key=len, reverse=True)
    # a word such as "model" is an argument only where it has a value, or where the sentence begins
    long, plain = "|".join(x for x in every if "_" in x), "|".join(every)
    # what only helps in Python, what transformers writes around names, and dashes that are there already
    message = re.sub(rf" \(in Python [^)]*\)|--(?=(?:{long})\b)", "", message)
    message = re.sub(rf"`(?:args\.)?({plain})`|\bargs\.({plain})\b", lambda x: as_option(x[1] or x[2]), message)
    message = re.sub(rf"\b({plain})=True\b", lambda x: as_option(x[1]), message)
    # what stands in quotes is a value
    message = re.sub(rf"(?<!['\"])\b({plain})=(['\"]?)([^\s'\",:)]*)\2", lambda x: f"{as_option(x[1])} {x[3]}", message)
    message = re.sub(rf"^({plain})(?= (?:must|needs|is|has)\b)", lambda x: as_option(x[1]), message)
    return re.sub(rf"(?<![\w'\"-])({long})\b(?![=(])", lambda x: as_option(x[1]), message)


def check_together(values: dict[str, Any], typed: set[str]) -> None:
    """Options that need or exclude others; `values` gets the strategies that --save-steps and --eval-steps mean."""
    from npo_tutorial.language.objectives import OBJECTIVES

    if values["retain"] is None:
        for name in ("retain_term", "retain_weight", "retain_reduction"):
            if name in typed:
                raise ValueError(f"{as_option(name)} must be left out without --retain, got {values[name]}")
    for what in ("save", "eval"):
        if f"{what}_steps" in typed and f"{what}_strategy" not in typed:
            values[f"{what}_strategy"] = "steps"
    if values["write_references"] is None and "output_dir" not in typed:
        raise ValueError("--output or --write-references must be given")
    if "resume_from_checkpoint" in typed:
        raise ValueError("--resume-from-checkpoint must be left out: --resume goes on with the run in --output")
    if "max_steps" in typed and "num_train_epochs" in typed:
        raise ValueError("--max-steps and --num-train-epochs must not be given together, got both")
    objective = OBJECTIVES.get(values["loss"])
    if "chosen_field" in typed and objective is not None and "chosen" not in objective.needs:
        raise ValueError(f"--chosen-field must be left out with --loss {values['loss']}, which prefers no answer")
    for name in {"metric_for_best_model", "greater_is_better"} & typed:
        best = values["load_best_model_at_end"] or values["save_strategy"] == "best"
        if not best and values["lr_scheduler_type"] not in ("reduce_lr_on_plateau", "greedy"):
            raise ValueError(
                f"{as_option(name)} must be left out without --load-best-model-at-end or --save-strategy best, "
                "which use it"
            )
    for name in OF_EVALUATIONS:
        if name in typed and values[name] and values["eval_strategy"] == "no":
            raise ValueError(f"{as_option(name)} must be left out without --eval-steps, which says when to evaluate")
    for name in sorted(typed):
        if name.startswith("hub_") and not values["push_to_hub"]:
            # without its value, which may be secret
            raise ValueError(f"{as_option(name)} must be left out without --push-to-hub, which uses it")
        if name.startswith("trackio_") and values["report_to"] not in ("trackio", "all"):
            raise ValueError(f"{as_option(name)} must be left out without --report-to trackio, which uses it")


def read_json(option: str, text: str | None, *, is_file: bool = False) -> dict[str, Any] | None:
    """A JSON object that was typed, or that is in the file of which the name was typed."""
    if text is None:
        return None
    try:
        value = json.loads(Path(text).read_bytes() if is_file else text)
    except json.JSONDecodeError as error:
        line = f"line {error.lineno}, " if is_file else ""
        raise ValueError(
            f"{option} must be a JSON object, got {text} ({error.msg}, {line}column {error.colno})"
        ) from None
    except UnicodeDecodeError:
        raise ValueError(f"{option} must be a JSON object, got {text}, which is not in UTF-8") from None
    if not isinstance(value, dict):
        raise ValueError(f"{option} must be a JSON object, got {text}")
    return value
