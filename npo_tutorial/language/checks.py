"""Options of `NPOConfig`: the range of every number, and which options have an effect only together with others.

Whatever would do nothing is rejected here, for Python and for the command line alike.
"""

import copy
import inspect
import math
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from npo_tutorial._checks import check_count, check_positive, check_real
from npo_tutorial._extras import require
from npo_tutorial.language.arguments import read_json

if TYPE_CHECKING:
    import transformers
else:
    transformers = require("transformers")


def _check_amount(name: str, value: Any) -> None:
    if not 0 <= check_real(name, value) < math.inf:
        raise ValueError(f"{name} must be at least 0 and finite, got {value!r}")


def _check_decay(name: str, value: Any) -> None:
    if not 0 <= check_real(name, value) < 1:
        raise ValueError(f"{name} must be at least 0 and below 1, got {value!r}")


def _check_share(name: str, value: Any) -> None:
    if check_positive(name, value) > 1:
        raise ValueError(f"{name} must be at most 1, got {value!r}")


def _check_interval(name: str, value: Any, least: int = 1) -> None:
    value = check_real(name, value)
    if not (0 < value < 1 or (least <= value < math.inf and value.is_integer())):
        raise ValueError(
            f"{name} must be a whole number of steps from {least}, or a share of all steps between 0 and 1, "
            f"got {value:g}"
        )


def _check_seed(name: str, value: Any) -> None:
    if not 0 <= check_count(name, value, minimum=-(2**53)) < 2**32:
        raise ValueError(f"{name} must be between 0 and 2**32 - 1, got {value!r}")


#: The check of every number that is not its default.
NUMBERS: dict[str, Callable[[str, Any], Any]] = {
    name: check
    for check, names in (
        (check_count, "batch_size per_device_train_batch_size per_device_eval_batch_size gradient_accumulation_steps"),
        (check_count, "max_steps eval_accumulation_steps save_total_limit torch_empty_cache_steps"),
        (check_count, "dataloader_prefetch_factor ddp_bucket_cap_mb ddp_timeout"),
        (partial(check_count, minimum=0), "dataloader_num_workers"),
        (check_positive, "forget_weight num_train_epochs"),
        (_check_amount, "learning_rate max_grad_norm weight_decay retain_weight adam_epsilon eval_delay"),
        (_check_decay, "adam_beta1 adam_beta2"),
        (_check_share, "stop_when_forgotten"),
        (_check_interval, "logging_steps eval_steps save_steps"),
        (partial(_check_interval, least=0), "warmup_steps"),
        (_check_seed, "seed data_seed"),
    )
    for name in names.split()
}
WITHOUT_EVALUATION = "without evaluations, which eval_strategy='steps' and eval_steps ask for"
WITHOUT_SAVING = "without checkpoints, which save_strategy='steps' and save_steps ask for"
#: Options, the condition under which they have an effect, and in words the case in which they have none.
EFFECTS: tuple[tuple[str, Callable[[Any], Any], str], ...] = (
    ("save_total_limit save_only_model", lambda x: x.save_strategy != "no", WITHOUT_SAVING),
    ("save_steps", lambda x: x.save_strategy == "steps", "unless save_strategy='steps'"),
    ("eval_steps", lambda x: x.eval_strategy == "steps", "unless eval_strategy='steps'"),
    ("logging_steps", lambda x: x.logging_strategy == "steps", "unless logging_strategy='steps'"),
    ("do_eval eval_delay", lambda x: x.eval_strategy != "no", WITHOUT_EVALUATION),
    ("save_strategy", lambda x: x.save_strategy != "best" or x.eval_strategy != "no", WITHOUT_EVALUATION),
    ("load_best_model_at_end", lambda x: x.eval_strategy != "no", WITHOUT_EVALUATION),
    (
        "load_best_model_at_end",
        lambda x: x.save_strategy in ("best", x.eval_strategy),
        "unless save_strategy and eval_strategy are the same, so that each checkpoint is evaluated",
    ),
    # callbacks such as EarlyStoppingCallback use them, too
    ("metric_for_best_model greater_is_better", lambda x: x.eval_strategy != "no", WITHOUT_EVALUATION),
    (
        "stop_when_forgotten",
        lambda x: x.eval_strategy != "no" or x.logging_strategy != "no",
        "with logging_strategy='no' and without evaluations: the share is counted in either",
    ),
    ("liger_kernel_config", lambda x: x.use_liger_kernel, "without use_liger_kernel"),
    (
        "activation_checkpointing_kwargs gradient_checkpointing_kwargs",
        lambda x: getattr(x, "activation_checkpointing", None) or x.gradient_checkpointing,
        "without activation_checkpointing",
    ),
    (
        "dataloader_persistent_workers dataloader_prefetch_factor dataloader_multiprocessing_context",
        lambda x: x.dataloader_num_workers,
        "without dataloader_num_workers",
    ),
)
# what only some optimizers read
ADAM = ("adam_beta1", "adam_beta2", "adam_epsilon")
# dictionaries that can be typed as JSON, and files with them
JSON = (
    *("accelerator_config", "fsdp_config", "deepspeed", "lr_scheduler_kwargs"),
    *("activation_checkpointing_kwargs", "gradient_checkpointing_kwargs"),
)


def _changed(args: Any, names: Any) -> Iterator[tuple[str, Any]]:
    """Those options among `names` that do not have their default, with their values."""
    fields = type(args).__dataclass_fields__
    for name in names:
        # versions of transformers have different ones
        if name in fields and (value := getattr(args, name)) != fields[name].default:
            yield name, value


def check_numbers(args: Any) -> None:
    """Raise ValueError or TypeError for the first number outside its range."""
    for name, value in _changed(args, NUMBERS):
        NUMBERS[name](name, value)


def check_effects(args: Any) -> None:
    """Raise ValueError for the first option that would do nothing, or cannot be read."""
    for names, has_effect, otherwise in EFFECTS:
        for name, value in _changed(args, names.split()):
            if not has_effect(args):
                raise ValueError(f"{name} must be left out {otherwise}, got {getattr(value, 'value', value)!r}")
    for name, value in _changed(args, JSON):
        if isinstance(value, str) and (value.startswith("{") or not Path(value).is_file()):
            read_json(name, value)


def check_schedule(args: Any) -> None:
    """Raise ValueError for options that the learning rate's schedule does not have."""
    schedule = str(getattr(args.lr_scheduler_type, "value", args.lr_scheduler_type))
    functions = require("transformers.optimization").TYPE_TO_SCHEDULER_FUNCTION
    parameters = inspect.signature(functions[transformers.SchedulerType(schedule)]).parameters
    if args.warmup_steps and "num_warmup_steps" not in parameters:
        raise ValueError(
            f"warmup_steps must be left out with lr_scheduler_type={schedule!r}, which has no warmup, got "
            f"{args.warmup_steps:g}: use another, such as 'constant_with_warmup'"
        )
    if any(x.kind is x.VAR_KEYWORD for x in parameters.values()):
        return
    # the Trainer gives these itself, and nothing else to a constant schedule
    own = {"optimizer", "num_warmup_steps", "num_training_steps", "last_epoch"}
    known = [] if schedule.startswith("constant") else [name for name in parameters if name not in own]
    for name in args.lr_scheduler_kwargs or {}:
        if name not in known:
            raise ValueError(
                f"lr_scheduler_kwargs must be options of lr_scheduler_type={schedule!r}, which has "
                f"{', '.join(known) or 'none'}, got {name!r}"
            )


def check_optimizer(args: Any) -> None:
    """Raise ValueError for options of the optimizer that leave it as it is without them."""
    make, optimizer = transformers.Trainer.get_optimizer_cls_and_kwargs, getattr(args.optim, "value", args.optim)
    variants = [(name, value, type(args).__dataclass_fields__[name].default) for name, value in _changed(args, ADAM)]
    pairs = (args.optim_args or "").replace(" ", "").split(",") if args.optim_args else []
    for pair in pairs:
        if pair.count("=") != 1:
            raise ValueError(f"optim_args must be name=value, separated by commas, got {args.optim_args!r}")
        variants.append(("optim_args", pair, ",".join(x for x in pairs if x != pair) or None))
    for name, value, without in variants:
        changed = copy.copy(args)
        setattr(changed, name, without)
        try:
            same = make(args) == make(changed)
        except (ValueError, ImportError):
            # a value that is not a number, or an optimizer that needs the model or another package: the Trainer says so
            continue
        if same:
            raise ValueError(
                f"{name} must be left out with optim={optimizer!r}, which has no such option, got {value!r}"
            )
