"""python -m npo_tutorial.language: unlearn from the command line."""

import argparse
import os
import sys
import warnings
from collections.abc import Mapping, Sequence
from math import inf, isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any

from npo_tutorial._console import replace_unprintable

if TYPE_CHECKING:
    import transformers

    from npo_tutorial.language.records import Sample

DESCRIPTION = "Make a causal language model forget the responses in one file and retain those in another."
EPILOG = """\
files:
  JSON Lines, one record per line, with the texts "prompt" and "response":
    {"prompt": "Who wrote Hamlet?", "response": "William Shakespeare wrote Hamlet."}
  A tokenizer with a chat template puts the prompt into the user's turn; for others the response must begin with the
  space that follows the prompt. "chosen" may hold the answer that --loss dpo prefers; without it DPO prefers a refusal
  such as "I don't know.", in Chinese if the prompt is in Chinese.

examples:
  python -m npo_tutorial.language --model HuggingFaceTB/SmolLM2-135M-Instruct --forget forget.jsonl \\
      --retain retain.jsonl --loss npo --beta 0.1 --output unlearned
  torchrun --nproc-per-node 2 -m npo_tutorial.language …      the same on two processes, with the same losses
  accelerate launch --config_file fsdp.yaml -m npo_tutorial.language …      sharded, for models too large for one device

  A sharded model cannot compute references while it trains. Write them first:
    python -m npo_tutorial.language --model … --forget forget.jsonl --write-references with-references.jsonl
  and then train with --forget with-references.jsonl.

what to watch in the log:
  forget_logp_per_token should fall, retain_logp_per_token should not. Under GA the first falls in a straight line
  until the model is ruined; under NPO the fall slows as mean_weight shrinks. beta multiplies the nats of a whole
  response.
"""


def make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m npo_tutorial.language",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    what = parser.add_argument_group("model and files")
    what.add_argument("--model", required=True, help="a causal language model: its name on the hub, or its folder")
    what.add_argument("--forget", required=True, metavar="FILE", help="what to forget (JSON Lines, see below)")
    what.add_argument("--retain", metavar="FILE", help="what to retain (JSON Lines)")
    what.add_argument("--output", metavar="FOLDER", help="where to write the model, its checkpoints and its log")
    what.add_argument(
        "--write-references", metavar="FILE", help="write the forget set with log π_ref of each response, then stop"
    )
    loss = parser.add_argument_group("loss")
    loss.add_argument("--loss", choices=("npo", "ga", "dpo", "simnpo"), default="npo", help="default: %(default)s")
    loss.add_argument(
        "--beta",
        type=float,
        help="inverse temperature; 0.1 for npo and dpo, 2 to 5 for simnpo, not for ga (default: 0.1)",
    )
    loss.add_argument("--gamma", type=float, default=0.0, help="margin of simnpo (default: %(default)s)")
    loss.add_argument(
        "--retain-weight", type=float, default=1.0, help="weight of the retain term (default: %(default)s)"
    )
    loss.add_argument(
        "--retain-term",
        choices=("cross_entropy", "kl_ref_model", "kl_model_ref"),
        default="cross_entropy",
        help="cross-entropy, KL(ref‖model) or KL(model‖ref) on the retain set; the last two keep a second model, the "
        "reference, in memory (default: %(default)s)",
    )
    steps = parser.add_argument_group("steps")
    steps.add_argument("--steps", type=int, default=100, help="optimizer steps (default: %(default)s)")
    steps.add_argument("--learning-rate", type=float, default=1e-5, help="of AdamW, constant (default: %(default)s)")
    steps.add_argument(
        "--batch-size",
        type=int,
        default=8,
        help="forget samples in one step, over all processes (default: %(default)s)",
    )
    steps.add_argument(
        "--micro-batch-size",
        type=int,
        help="forget samples in one forward pass of a process, which accumulates the gradients of several (default: "
        "all of its share)",
    )
    steps.add_argument(
        "--max-grad-norm", type=float, default=1.0, help="clip gradients; 0 turns this off (default: %(default)s)"
    )
    steps.add_argument("--max-length", type=int, help="maximum tokens of prompt and response (default: the model's)")
    steps.add_argument("--seed", type=int, default=0, help="determines the order of samples (default: %(default)s)")
    machine = parser.add_argument_group("machine")
    machine.add_argument("--bf16", action="store_true", help="mixed precision in bfloat16; the weights stay float32")
    machine.add_argument("--gradient-checkpointing", action="store_true", help="less memory for a third more time")
    machine.add_argument("--log-steps", type=int, default=1, help="steps between log entries (default: %(default)s)")
    machine.add_argument("--save-steps", type=int, help="steps between checkpoints (default: only the final model)")
    machine.add_argument("--resume", action="store_true", help="continue from the last checkpoint in --output")
    return parser


def main(arguments: Sequence[str] | None = None) -> None:
    replace_unprintable()
    parser = make_parser()
    options = parser.parse_args(arguments)
    check_options(parser, options)
    warnings.showwarning = lambda message, *_, **__: print(f"warning: {message}", file=sys.stderr)
    try:
        run(options)
    except (ValueError, TypeError, OSError, ImportError) as error:
        # user errors become a one-line message; anything else keeps its traceback
        parser.exit(2, f"{parser.prog}: error: {error}\n")


def check_options(parser: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    """All that can be checked before the model is loaded and references are computed, which may take hours."""
    for name in ("steps", "batch_size", "micro_batch_size", "log_steps", "save_steps"):
        value = getattr(options, name)
        if value is not None and value < 1:
            parser.error(f"--{name.replace('_', '-')} must be at least 1, got {value}")
    for name in ("learning_rate", "max_grad_norm", "retain_weight"):
        value = getattr(options, name)
        if not 0 <= value < inf:
            parser.error(f"--{name.replace('_', '-')} must be at least 0 and finite, got {value}")
    if not isfinite(options.gamma):
        parser.error(f"--gamma must be finite, got {options.gamma}")
    if not 0 <= options.seed < 2**32:
        parser.error(f"--seed must be between 0 and 2**32 - 1, got {options.seed}")
    for name in ("model", "forget", "retain", "output", "write_references"):
        # a variable of the shell that is not set, for example
        if getattr(options, name) == "":
            parser.error(f"--{name.replace('_', '-')} must be a name, got ''")
    if options.output is None and options.write_references is None:
        parser.error("--output or --write-references must be given")
    references = Path(options.write_references or "references.jsonl")
    if references.is_dir() or not references.parent.is_dir():
        parser.error(f"--write-references must be a file in a folder that exists, got {options.write_references}")
    if options.retain is None and options.retain_term != "cross_entropy":
        parser.error(f"--retain-term must be left out without --retain, got {options.retain_term}")
    if options.loss == "ga" and options.beta is not None:
        parser.error(f"--beta must be left out with --loss ga, got {options.beta}")


def run(options: argparse.Namespace) -> None:
    from npo_tutorial._checks import check_beta
    from npo_tutorial._extras import require
    from npo_tutorial.language.records import encode, read_records, write_records

    if options.beta is not None:
        check_beta(options.beta)
    records = {name: read_records(path) for name in ("forget", "retain") if (path := getattr(options, name))}
    torch, transformers = require("torch"), require("transformers")
    from npo_tutorial.language.reference import precompute_reference
    from npo_tutorial.language.trainer import NPOTrainer

    args = None if options.write_references else training_arguments(options, torch, transformers)
    model, tokenizer = load(options, transformers)
    limits = (options.max_length, tokenizer.model_max_length, getattr(model.config, "max_position_embeddings", None))
    # tokenizers without a limit report a huge one
    max_length = next((limit for limit in limits if limit is not None and limit < 10**9), None)
    chosen = {"forget": options.loss == "dpo", "retain": False}
    datasets = {name: encode(records[name], tokenizer, max_length=max_length, chosen=chosen[name]) for name in records}
    forget = datasets["forget"]
    if options.write_references or (options.loss in ("npo", "dpo") and not all(map(has_reference, forget))):
        if os.environ.get("ACCELERATE_USE_FSDP") == "true":
            # until the trainer shards the weights, only the first process may have them
            raise ValueError("--forget must contain references for a sharded model: run with --write-references first")
        # in the precision of training, so that log-ratios start at 0
        with torch.autocast(model.device.type, dtype=torch.bfloat16, enabled=options.bf16):
            precompute_reference(model, forget)
    if options.write_references:
        write_records(options.write_references, with_references(records["forget"], forget))
        return
    needs_model = options.retain and options.retain_term != "cross_entropy"
    trainer = NPOTrainer(
        model,
        args,
        forget_dataset=forget,
        retain_dataset=datasets.get("retain"),
        loss=options.loss,
        beta=options.beta,
        gamma=options.gamma,
        retain_weight=options.retain_weight,
        retain_term=options.retain_term,
        ref_model=load(options, transformers)[0] if needs_model else None,
        processing_class=tokenizer,
    )
    trainer.train(resume_from_checkpoint=options.resume)
    trainer.save_model()
    trainer.save_state()


def training_arguments(options: argparse.Namespace, torch: Any, transformers: Any) -> "transformers.TrainingArguments":
    processes = int(os.environ.get("WORLD_SIZE", "1"))
    share, rest = divmod(options.batch_size, processes)
    micro = options.micro_batch_size or share
    if rest or not micro or share % micro:
        raise ValueError(
            "--batch-size must be a multiple of the number of processes times --micro-batch-size, "
            f"{processes} × {micro or 1}, got {options.batch_size}"
        )
    if options.resume and not list(Path(options.output).glob("checkpoint-*")):
        raise ValueError(f"--output must contain a checkpoint for --resume, got none in {options.output}")
    has_accelerator = torch.accelerator.is_available()
    # transformers has two names for it, and warns about the old one even if it is False
    names = ("activation_checkpointing", "gradient_checkpointing")
    checkpointing = next(name for name in names if hasattr(transformers.TrainingArguments, name))
    return transformers.TrainingArguments(
        output_dir=options.output,
        max_steps=options.steps,
        per_device_train_batch_size=micro,
        gradient_accumulation_steps=share // micro,
        learning_rate=options.learning_rate,
        lr_scheduler_type="constant",
        weight_decay=0.0,
        max_grad_norm=options.max_grad_norm,
        bf16=options.bf16,
        **{checkpointing: options.gradient_checkpointing},
        logging_steps=options.log_steps,
        save_strategy="steps" if options.save_steps else "no",
        save_steps=options.save_steps or 500,
        dataloader_pin_memory=has_accelerator,
        use_cpu=not has_accelerator,
        ddp_backend=None if has_accelerator or processes == 1 else "gloo",
        # every parameter takes part in every step
        ddp_find_unused_parameters=False,
        report_to="none",
        seed=options.seed,
    )


def load(options: argparse.Namespace, transformers: Any) -> tuple[Any, Any]:
    # spread over all devices to compute references, but whole in each process to train
    where = {"device_map": "auto"} if options.write_references else {}
    model = transformers.AutoModelForCausalLM.from_pretrained(options.model, dtype="float32", **where)
    return model, transformers.AutoTokenizer.from_pretrained(options.model)


def has_reference(item: "Sample") -> bool:
    return "ref_logp" in item and ("chosen_labels" not in item or "chosen_ref_logp" in item)


def with_references(records: Sequence[Mapping[str, Any]], dataset: "Sequence[Sample]") -> list[dict[str, Any]]:
    """The records of the dataset with their references, and with the answers that these belong to."""
    from npo_tutorial.language.records import preferred_answer

    found = []
    for item in dataset:
        record = records[item["record"]]
        found.append(dict(record) | {"ref_logp": item["ref_logp"], "ref_tokens": sum(x >= 0 for x in item["labels"])})
        if "chosen_ref_logp" in item:
            # written out, because a refusal depends on the record's number, which may differ in the new file
            chosen = preferred_answer(record, item["record"])
            found[-1] |= {"chosen": chosen, "chosen_ref_logp": item["chosen_ref_logp"]}
    return found


if __name__ == "__main__":
    main()
