"""Options of `NPOConfig`: the range of every number, and which options have an effect only together with others.

Whatever would do nothing is rejected here, for Python and for the command line alike.
"""

import copy
import inspect
import math
import os
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from npo_tutorial._checks import check_choice, check_count, check_positive, check_real
from npo_tutorial._extras import require
from npo_tutorial.language.runs import reason

if TYPE_CHECKING:
    import torch
    import transformers
else:
    torch, transformers = require("torch"), require("transformers")


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


def _check_workers(name: str, value: Any) -> None:
    # workers put samples that are in memory into batches: more of them than CPUs gain nothing, and each is a process
    cpus = os.cpu_count() or 1
    most = max(64, 16 * cpus)
    if check_count(name, value, minimum=0) > most:
        raise ValueError(f"{name} must be at most {most} on a machine with {cpus} CPU{'s' * (cpus > 1)}, got {value}")


def _check_prefetch(name: str, value: Any) -> None:
    # PyTorch asks for this many batches before the first step, even if there are fewer
    if check_count(name, value) > 10_000:
        raise ValueError(f"{name} must be at most 10000 batches for each worker, got {value}")


#: The check of every number that is not its default.
NUMBERS: dict[str, Callable[[str, Any], Any]] = {
    name: check
    for check, names in (
        (check_count, "batch_size per_device_train_batch_size per_device_eval_batch_size gradient_accumulation_steps"),
        (check_count, "max_steps eval_accumulation_steps save_total_limit torch_empty_cache_steps"),
        (check_count, "ddp_bucket_cap_mb ddp_timeout"),
        (_check_workers, "dataloader_num_workers"),
        (_check_prefetch, "dataloader_prefetch_factor"),
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
# schedules that follow the metric of evaluations
BY_METRIC = ("reduce_lr_on_plateau", "greedy")
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
        "lr_scheduler_type",
        lambda x: x.lr_scheduler_type not in BY_METRIC or x.eval_strategy != "no",
        WITHOUT_EVALUATION,
    ),
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
    ("fsdp_config", lambda x: x.fsdp, "unless fsdp=True"),
    ("fp16", lambda x: not x.bf16, "with bf16=True: computations have one precision"),
    ("fp16_full_eval", lambda x: not x.bf16_full_eval, "with bf16_full_eval=True: computations have one precision"),
    ("fsdp", lambda x: not x.deepspeed, "with deepspeed: each of them shards the model"),
    (
        "activation_checkpointing_kwargs gradient_checkpointing_kwargs",
        lambda x: x.activation_checkpointing or x.gradient_checkpointing,
        "without activation_checkpointing",
    ),
    (
        "dataloader_persistent_workers dataloader_prefetch_factor dataloader_multiprocessing_context",
        lambda x: x.dataloader_num_workers,
        "without dataloader_num_workers",
    ),
)
#: Metrics of which one direction means better unlearning, and whether it is the greater one. Of the other averages
#: neither does: a model that forgets ever more is ruined in the end, and what a set is for, its name does not say.
GREATER_IS_BETTER = {
    "loss": False,
    **dict.fromkeys(("fraction_forgotten", "forget_fraction_forgotten", "retain_logp_per_token"), True),
    **dict.fromkeys(("retain_loss", "retain_fraction_forgotten"), False),
}
AVERAGES = ("loss", "logp_per_token", "mean_weight", "fraction_forgotten")
# what only some optimizers read
ADAM = ("adam_beta1", "adam_beta2", "adam_epsilon")


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
    """Raise ValueError for the first option that would do nothing."""
    for names, has_effect, otherwise in EFFECTS:
        for name, value in _changed(args, names.split()):
            if not has_effect(args):
                raise ValueError(f"{name} must be left out {otherwise}, got {getattr(value, 'value', value)!r}")


def direction(args: Any) -> bool | None:
    """Whether the greater metric is the better model; raises ValueError if only the user can know it.

    Left to itself, the Trainer goes by the name: what ends in "loss" should fall, everything else should grow.
    """
    metric = args.metric_for_best_model
    if metric is None:
        if args.save_strategy == "best":
            raise ValueError("metric_for_best_model must be given with save_strategy='best', got None")
        return args.greater_is_better
    if args.greater_is_better is not None:
        return args.greater_is_better
    metric = metric.removeprefix("eval_")
    # a metric of the user's own is as the Trainer describes it
    if not metric.endswith(AVERAGES):
        return True
    if metric not in GREATER_IS_BETTER:
        raise ValueError(
            f"greater_is_better must be given with metric_for_best_model={metric!r}, of which neither direction "
            "alone means better unlearning"
        )
    return GREATER_IS_BETTER[metric]


def check_schedule(args: Any) -> None:
    """Raise ValueError for options that the learning rate's schedule does not have, lacks, or cannot use."""
    schedule, given = _name(args.lr_scheduler_type), args.lr_scheduler_kwargs or {}
    functions = require("transformers.optimization").TYPE_TO_SCHEDULER_FUNCTION
    parameters = inspect.signature(functions[transformers.SchedulerType(schedule)]).parameters
    if args.warmup_steps and "num_warmup_steps" not in parameters:
        raise ValueError(
            f"warmup_steps must be left out with lr_scheduler_type={schedule!r}, which has no warmup, got "
            f"{args.warmup_steps:g}: use another, such as 'constant_with_warmup'"
        )
    # the Trainer gives these itself, and nothing else to a constant schedule
    own = {"optimizer", "num_warmup_steps", "num_training_steps", "last_epoch"}
    known = [] if schedule.startswith("constant") else [name for name in parameters if name not in own]
    for name in given:
        if name not in known and not any(x.kind is x.VAR_KEYWORD for x in parameters.values()):
            raise ValueError(
                f"lr_scheduler_kwargs must be options of lr_scheduler_type={schedule!r}, which has "
                f"{', '.join(known) or 'none'}, got {name!r}"
            )
    for name in known:
        x = parameters[name]
        if x.default is x.empty and x.kind is not x.VAR_KEYWORD and name not in given:
            raise ValueError(
                f"lr_scheduler_kwargs must have {name!r} with lr_scheduler_type={schedule!r}, got {given or 'nothing'}"
            )
    if schedule in BY_METRIC:
        mode = "max" if args.greater_is_better else "min"
        if given.get("mode", "min") != mode:
            raise ValueError(
                f"lr_scheduler_kwargs must have the mode {mode!r} with metric_for_best_model="
                f"{args.metric_for_best_model!r}, of which the {'greater' if mode == 'max' else 'smaller'} is better, "
                f"got {given.get('mode', 'min')!r}"
            )
    # if the number of steps is not known yet, any will do that leaves steps after the warmup
    try_schedule(args, args.max_steps if args.max_steps > 0 else 1000 + 2 * int(args.warmup_steps))


def try_schedule(args: Any, n_steps: int) -> None:
    """Raise ValueError if there is no schedule of this many steps, or no rate at its beginning, middle or end."""
    schedule, warmup = _name(args.lr_scheduler_type), args.get_warmup_steps(n_steps)
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=args.learning_rate)
    step = None
    try:
        with warnings.catch_warnings():
            # what is warned of is warned of again in training
            warnings.simplefilter("ignore")
            given = dict(args.lr_scheduler_kwargs or {})
            made: Any = transformers.get_scheduler(schedule, optimizer, warmup, n_steps, given)
        for factor in getattr(made, "lr_lambdas", ()):
            for step in sorted({0, warmup, (warmup + n_steps) // 2, n_steps}):
                if not math.isfinite(factor(step)):
                    raise ValueError(f"it is {factor(step)} times learning_rate")
    except Exception as error:
        if step is None:
            raise ValueError(
                f"lr_scheduler_kwargs must be options that lr_scheduler_type={schedule!r} can use, got "
                f"{args.lr_scheduler_kwargs or 'nothing'} ({reason(error)})"
            ) from None
        raise ValueError(
            f"lr_scheduler_type={schedule!r} must have a learning rate at every step, got none at step {step} of "
            f"{n_steps} ({reason(error)}): change warmup_steps or lr_scheduler_kwargs"
        ) from None


def check_optimizer(args: Any) -> None:
    """Raise ValueError for options of the optimizer that leave it as it is without them, or that it cannot use."""
    make, optimizer = transformers.Trainer.get_optimizer_cls_and_kwargs, _name(args.optim)
    names = (*ADAM, "optim_target_modules")
    variants = [(name, value, type(args).__dataclass_fields__[name].default) for name, value in _changed(args, names)]
    pairs = (args.optim_args or "").replace(" ", "").split(",") if args.optim_args else []
    for pair in pairs:
        if pair.count("=") != 1 or not all(pair.split("=")):
            raise ValueError(f"optim_args must be name=value, separated by commas, got {args.optim_args!r}")
        if sum(x.startswith(pair.partition("=")[0] + "=") for x in pairs) > 1:
            raise ValueError(f"optim_args must have each name once, got {args.optim_args!r}")
        variants.append(("optim_args", pair, ",".join(x for x in pairs if x != pair) or None))
    for name, value, without in variants:
        changed = _with(args, name, without)
        try:
            same = make(args) == make(changed)
        except (ValueError, ImportError):
            # a value that is not a number, or an optimizer that needs the model or another package: see below
            continue
        if same:
            raise ValueError(
                f"{name} must be left out with optim={optimizer!r}, which has no such option, got {value!r}"
            )
    if pairs and (error := _try_optimizer(args)) and not _try_optimizer(_with(args, "optim_args", None)):
        raise ValueError(
            f"optim_args must be options that optim={optimizer!r} can use, got {args.optim_args!r} ({reason(error)})"
        )


def _try_optimizer(args: Any) -> Exception | None:
    """Why the optimizer cannot be made on this machine, if it cannot."""
    # random numbers are left as they are
    layer = torch.nn.utils.skip_init(torch.nn.Linear, 1, 1, device=args.device)
    # the Trainer only asks for its layers, and any module has these
    model: Any = torch.nn.Sequential(layer)
    if args.optim_target_modules is not None:
        # only the model knows which layers there are
        args = _with(args, "optim_target_modules", "all-linear")
    try:
        kind, options = transformers.Trainer.get_optimizer_cls_and_kwargs(args, model)
        if (
            isinstance(kind, type)
            and issubclass(kind, torch.optim.Optimizer)
            and not {"params", "model"} & set(options)
        ):
            kind(layer.parameters(), **options)
    except Exception as error:
        return error
    return None


def check_machine(args: Any) -> None:
    """Raise ValueError if this machine lacks what an option needs; the Trainer finds it out only with the model."""
    if (error := _try_optimizer(args)) is not None:
        raise ValueError(
            f"optim must be an optimizer that can be used here, got {_name(args.optim)!r} ({reason(error)})"
        )
    if args.use_liger_kernel:
        if args.use_cpu:
            raise ValueError("use_liger_kernel needs a GPU, got none: leave it out")
        if find_spec("liger_kernel") is None:
            raise ValueError("use_liger_kernel needs liger-kernel: pip install liger-kernel")
    if args.fp16 and args.device.type == "cpu":
        raise ValueError("fp16 needs a GPU, got none: use bf16=True or leave it out")
    if args.fsdp and args.world_size == 1:
        raise ValueError("fsdp needs several processes, got one: start them by torchrun --nproc-per-node N")
    if args.fsdp_plugin_args:
        try:
            require("accelerate.utils").FullyShardedDataParallelPlugin(**args.fsdp_plugin_args)
        except Exception as error:
            raise ValueError(
                f"fsdp_config must be options that can be used here, got {args.fsdp_config} ({reason(error)})"
            ) from None
    if (args.activation_checkpointing_kwargs or {}).get("offload") and args.device.type == "cpu":
        raise ValueError("activation_checkpointing_kwargs['offload'] needs a GPU, got none: leave it out")
    if args.torch_compile:
        backends = [x.value.lower() for x in require("accelerate.utils").DynamoBackend]
        check_choice("torch_compile_backend", args.torch_compile_backend.lower(), backends)
        try:
            # compiles nothing before it is called
            torch.compile(torch.nn.Identity(), backend=args.torch_compile_backend, mode=args.torch_compile_mode)
        except Exception as error:
            raise ValueError(
                f"torch_compile must be possible here, got torch_compile_mode={args.torch_compile_mode!r} "
                f"({reason(error)})"
            ) from None
    if args.push_to_hub and not (args.hub_token or require("huggingface_hub").get_token()):
        raise ValueError("push_to_hub needs a token of the hub, got none: run hf auth login, or pass hub_token")
    for name in args.report_to or ():
        try:
            for callback in require("transformers.integrations").get_reporting_integration_callbacks([name]):
                callback()
        except (RuntimeError, ValueError, ImportError) as error:
            raise ValueError(f"report_to must be a package that is installed, got {name} ({reason(error)})") from None


def _name(value: Any) -> str:
    """The name of an optimizer or a schedule, which may be an enumeration's value."""
    return str(getattr(value, "value", value))


def _with(args: Any, name: str, value: Any) -> Any:
    changed = copy.copy(args)
    setattr(changed, name, value)
    return changed
