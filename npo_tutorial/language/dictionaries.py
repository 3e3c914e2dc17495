"""Options of `NPOConfig` that are dictionaries: read from JSON, and compared with what the libraries take.

Which keys there are, and of which types their values, the libraries' own signatures say.
"""

import difflib
import inspect
import os
import typing
import warnings
from argparse import ArgumentTypeError
from collections.abc import Callable, Iterable, Mapping
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from npo_tutorial._checks import check_count
from npo_tutorial._extras import require
from npo_tutorial.language.arguments import read_json
from npo_tutorial.language.runs import reason

if TYPE_CHECKING:
    import torch
    import transformers
else:
    torch, transformers = require("torch"), require("transformers")

# options that can be typed as JSON, or as the name of a file with it
DICTIONARIES = (
    *("accelerator_config", "fsdp_config", "deepspeed", "lr_scheduler_kwargs", "liger_kernel_config"),
    *("activation_checkpointing_kwargs", "gradient_checkpointing_kwargs"),
)

# keys of a configuration of DeepSpeed: those of https://www.deepspeed.ai/docs/config-json/, and what version 0.19.6
# reads besides (`DeepSpeedConfig` in deepspeed/runtime/config.py)
DEEPSPEED = (
    *("train_batch_size", "train_micro_batch_size_per_gpu", "gradient_accumulation_steps"),
    *("managed_gradient_accumulation", "optimizer", "scheduler", "communication_data_type", "gradient_allreduce_op"),
    *("seq_parallel_communication_data_type", "prescale_gradients", "gradient_predivide_factor", "sparse_gradients"),
    *("disable_allgather", "allgather_size", "fp16", "bf16", "bfloat16", "amp", "torch_autocast", "gradient_clipping"),
    *("zero_optimization", "zero_allow_untested_optimizer", "zero_force_ds_cpu_optimizer", "aio", "tensor_parallel"),
    *("expert_parallel", "hybrid_engine", "steps_per_print", "wall_clock_breakdown", "memory_breakdown", "dump_state"),
    *("log_level", "autotuning", "flops_profiler", "activation_checkpointing", "sparse_attention", "data_efficiency"),
    *("curriculum_learning", "progressive_layer_drop", "eigenvalue", "quantize_training", "tensorboard", "wandb"),
    *("csv_monitor", "comet", "elasticity", "comms_logger", "compression_training", "weight_quantization"),
    *("checkpoint", "data_types", "compile", "graph_harvesting", "pipeline", "nebula", "datastates_ckpt", "timers"),
    *("dataloader_drop_last", "vocabulary_size", "use_data_before_expert_parallelism", "sequence_parallel_size"),
    *("data_parallel_size",),
)
# no two of these keys are as much alike as this, and few slips of the finger are less
ALIKE = 0.84


class _Read(dict[str, Any]):
    """A dictionary that knows for which of its keys it was asked."""

    def __init__(self, given: Mapping[str, Any]) -> None:
        super().__init__(given)
        self.asked = set[str]()

    def __contains__(self, key: object) -> bool:
        self.asked.add(str(key))
        return super().__contains__(key)

    def __getitem__(self, key: str) -> Any:
        self.asked.add(key)
        return super().__getitem__(key)

    def get(self, key: str, default: Any = None) -> Any:
        self.asked.add(key)
        return super().get(key, default)

    def setdefault(self, key: str, default: Any = None) -> Any:
        self.asked.add(key)
        return super().setdefault(key, default)


def check_fsdp(args: Any) -> None:
    """Raise ValueError unless `fsdp` is a flag, or words of earlier versions; "true" and "false" become flags."""
    if not isinstance(args.fsdp, str):
        return
    try:
        # a flag that is off is one that was never there
        args.fsdp = require("transformers.hf_argparser").string_to_bool(args.fsdp) or None
    except ArgumentTypeError:
        words = [x.value for x in transformers.trainer_utils.FSDPOption]
        if not set(args.fsdp.lower().split()) <= set(words):
            raise ValueError(
                f"fsdp must be True, False or of the words {', '.join(words)}, got {args.fsdp!r}"
            ) from None


def read_dictionaries(args: Any) -> None:
    """Replace JSON, and files with JSON, by dictionaries; raises ValueError for anything else."""
    for name in DICTIONARIES:
        value = getattr(args, name, None)
        if isinstance(value, str):
            is_file = not value.startswith("{") and os.path.isfile(value)
            setattr(args, name, read_json(name, value, is_file=is_file))
        elif not isinstance(value, (dict, type(None), transformers.trainer_pt_utils.AcceleratorConfig)):
            raise ValueError(f"{name} must be a dictionary, a JSON object or a file with one, got {value!r}")


def check_dictionaries(args: Any) -> None:
    """Raise ValueError for the first key that a library does not know, and the first value that it cannot use."""
    given = args.accelerator_config or {}
    given = given if isinstance(given, dict) else vars(given)
    _check("accelerator_config", given, transformers.trainer_pt_utils.AcceleratorConfig)
    name = "accelerator_config['gradient_accumulation_kwargs']"
    accumulation = given.get("gradient_accumulation_kwargs") or {}
    _check(name, accumulation, require("accelerate.utils").GradientAccumulationPlugin)
    if accumulation.get("num_steps", 1) != 1:
        raise ValueError(
            f"{name} must not have 'num_steps', which would change the samples of a step: use batch_size or "
            f"gradient_accumulation_steps, got {accumulation}"
        )
    for name in ("activation_checkpointing_kwargs", "gradient_checkpointing_kwargs"):
        if getattr(args, name, None) is not None:
            _check_checkpointing(name, getattr(args, name))
    if args.deepspeed is not None:
        _check_deepspeed(args.deepspeed)


def _check_deepspeed(given: Mapping[str, Any]) -> None:
    """Raise ValueError for a key that is almost one of DeepSpeed's, which ignores what it does not know, in silence."""
    for key in map(str, given):
        near = difflib.get_close_matches(key.lower().replace("-", "_"), DEEPSPEED, 1, ALIKE)
        if key not in DEEPSPEED and near:
            raise ValueError(f"deepspeed must have keys that DeepSpeed reads, got {key!r}: did you mean {near[0]!r}?")
        # any other key may be one of a later version, so it is not rejected; "_comment" and the like are remarks
        if key not in DEEPSPEED and not key.startswith("_"):
            warnings.warn(f"DeepSpeed 0.19.6 ignores the key {key!r}: is it spelt as you mean it?", stacklevel=2)
    if find_spec("deepspeed") is None:
        raise ImportError("deepspeed needs the package of this name: pip install deepspeed")


def _check_checkpointing(name: str, given: dict[str, Any]) -> None:
    checkpoint = torch.utils.checkpoint.checkpoint
    # preserve_rng_state is one of the arguments that its signature does not name
    _check(
        name, given, transformers.PreTrainedModel.activation_checkpointing_enable, checkpoint, preserve_rng_state=bool
    )
    check_count(f"{name}['every_n_layers']", given.get("every_n_layers", 1))
    # as the Trainer passes them
    passed = {key: value for key, value in given.items() if key not in ("every_n_layers", "offload")}
    try:
        with warnings.catch_warnings(), torch.enable_grad():
            # what is warned of is warned of again in training
            warnings.simplefilter("ignore")
            y = checkpoint(torch.neg, torch.zeros(1, requires_grad=True), **passed or {"use_reentrant": False})
            y.backward()
    except Exception as error:
        raise ValueError(f"{name} must be options that can be used together, got {given} ({reason(error)})") from None


def _check(name: str, given: Any, *functions: Callable[..., Any], **more: Any) -> None:
    """Raise ValueError unless each of `given` is an argument of one of the functions or classes, of its type."""
    hints = {key: hint for function in functions for key, hint in typing.get_type_hints(function).items()} | more
    # the model is not the user's to pass
    hints = {key: hint for key, hint in hints.items() if key not in ("model", "return")}
    for key, value in given.items():
        _check_known(name, key, hints)
        if not _is_of(value, hints[key]):
            wanted = inspect.formatannotation(hints[key])
            raise ValueError(f"{name}[{key!r}] must be of type {wanted}, got {value!r}")


def _check_known(name: str, key: str, known: Iterable[str]) -> None:
    if key not in known:
        raise ValueError(f"{name} must have keys among {', '.join(map(repr, known))}, got {key!r}")


def _is_of(value: Any, hint: Any) -> bool:
    try:
        return isinstance(value, hint)
    except TypeError:
        # such as Callable[[], Any]
        return isinstance(value, typing.get_origin(hint) or object)


def read_fsdp_config(args: Any, process: Callable[[], Any]) -> Any:
    """What `process`, the Trainer's own function, makes of `fsdp_config`; raises ValueError for what it never reads."""
    given, fsdp = args.fsdp_config or {}, args.fsdp
    args.fsdp_config = read = _Read(given)
    try:
        made = process()
    except Exception as error:
        raise ValueError(
            f"fsdp_config must be options that fsdp={fsdp!r} can use, got {given or 'nothing'} ({reason(error)})"
        ) from None
    for key in given:
        _check_known("fsdp_config", key.removeprefix("fsdp_"), sorted(read.asked))
    args.fsdp_config = dict(read)
    return made


def check_liger(args: Any, model_type: str) -> None:
    """Raise ValueError if Liger would leave this kind of model as it is, or does not know one of its options."""
    kinds = require("liger_kernel.transformers.monkey_patch").MODEL_TYPE_TO_APPLY_LIGER_FN
    if model_type not in kinds:
        raise ValueError(f"use_liger_kernel must be left out for models of type {model_type!r}, which Liger lacks")
    _check("liger_kernel_config", args.liger_kernel_config or {}, kinds[model_type])
