"""`NPOConfig`: Hugging Face's TrainingArguments with the options of unlearning (chapter "language-model")."""

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from npo_tutorial._checks import check_choice, check_flag
from npo_tutorial._extras import require
from npo_tutorial.language import checks, dictionaries
from npo_tutorial.language.objectives import OBJECTIVES
from npo_tutorial.language.sequences import DIRECTIONS

if TYPE_CHECKING:
    import torch
    import transformers
else:
    torch, transformers = require("torch"), require("transformers")

RETAIN_TERMS = ("cross_entropy", *DIRECTIONS)
REDUCTIONS = ("samples", "tokens")
# options of the Trainer that would do nothing here, or harm: the value that each must have, and why
FIXED: dict[str, tuple[Any, str]] = {
    "label_smoothing_factor": (0.0, "the loss has no classes to smooth"),
    "neftune_noise_alpha": (None, "noise in the embeddings would make the model differ from its reference"),
    "logging_nan_inf_filter": (False, "it would hide a loss that is not finite, which ends the run"),
    "auto_find_batch_size": (False, "it would change the samples of a step: use batch_size"),
    "average_tokens_across_devices": (True, "means are taken over all processes"),
    "remove_unused_columns": (True, "a batch contains what the loss needs and nothing else"),
    "label_names": (None, "the labels are named 'labels'"),
    "length_column_name": ("length", "lengths are counted, not read"),
    "dataloader_in_order": (True, "a resumed run must meet the same samples"),
    "parallelism_config": (None, "a sequence must not be divided among devices: use fsdp"),
    "prediction_loss_only": (False, "the averages are made of predictions, one number for each response"),
    "include_for_metrics": ([], "metrics are computed from log-probabilities and lengths"),
    "batch_eval_metrics": (False, "metrics are computed from all responses"),
    "eval_do_concat_batches": (True, "metrics are computed from all responses"),
    "eval_use_gather_object": (False, "predictions are tensors"),
    "do_train": (False, "it has no effect: call train()"),
    "do_predict": (False, "it has no effect: call predict()"),
    "resume_from_checkpoint": (None, "it has no effect: pass it to train()"),
}


def _help(text: str) -> dict[str, str]:
    return {"help": text}


@dataclass
class NPOConfig(transformers.TrainingArguments):
    """Options of `NPOTrainer`: those of `transformers.TrainingArguments`, and the ones below.

    Parameters
    ----------
    loss : str
        A forget loss of `OBJECTIVES`: "npo", "ga", "dpo", "simnpo", "wga", "tnpo" or "undial".
    beta : float, optional
        β > 0, by default the loss's own: 0.1 for "npo" and "dpo", 2.5 for "simnpo", 1 for "wga" and "tnpo", 10 for
        "undial". Must be left out with "ga".
    gamma : float, optional
        Margin γ of "simnpo", dimensionless, by default 0. Must be left out with other losses.
    forget_weight : float
        Factor > 0 of the forget loss.
    forget_reduction : {"samples", "tokens"}
        Mean over samples of the loss; or, for losses that are sums over tokens, the sum of all losses of a step divided
        by the number of its forget tokens, as most codes have it.
    retain_weight : float
        λ ≥ 0.
    retain_term : {"cross_entropy", "kl_ref_model", "kl_model_ref"}
        −log π_θ(y|x), KL(π_ref‖π_θ) or KL(π_θ‖π_ref) on the retain responses, in nats per token.
    retain_reduction : {"samples", "tokens"}
        Mean over samples of the mean over tokens; or one mean over all retain tokens of a step, as most codes have it.
    batch_size : int, optional
        Forget samples in one optimizer step, over all processes and micro-batches: a multiple of the number of
        processes times `per_device_train_batch_size`. It determines `gradient_accumulation_steps`; a
        `per_device_train_batch_size` that is larger than a process's share becomes that share.
    disable_dropout : bool
        Train without dropout. References are computed without it, so with dropout the weights at step 0 would not be 1.
    stop_when_forgotten : float, optional
        Stop once this share of the forget responses is forgotten, between 0 and 1: in an evaluation, or without
        evaluations on average over the last pass through the forget set, as far as it was logged. Needs references.

    Notes
    -----
    Defaults that differ from those of `transformers.TrainingArguments`:

    - `learning_rate` 1e-5, because a model unlearns within few steps, and is ruined at rates for fine-tuning;
    - `lr_scheduler_type` "constant", so that a longer run begins like a shorter one;
    - `weight_decay` 0, because decay is forgetting that the loss does not measure;
    - `logging_steps` 1 and `logging_nan_inf_filter` False, because divergence must be seen;
    - `save_strategy` "no", because a checkpoint is three times as large as the model;
    - `ddp_find_unused_parameters` False, because every parameter takes part in a step;
    - `report_to` "none";
    - `greater_is_better` None is that of the metric, and not guessed by its name: "loss" and, for the retain set,
      "retain_loss" should fall, "fraction_forgotten" and "retain_logp_per_token" should rise. It must be given for
      metrics of which neither direction alone means better unlearning, such as "forget_loss".

    On a machine without an accelerator `use_cpu` is True. Options of the Trainer that would do nothing here, or harm,
    are rejected; `FIXED` lists them with the reasons. So are options that would do nothing without another one, such as
    `warmup_steps` with a constant learning rate, and numbers outside their range.
    """

    loss: str = field(
        default="npo", metadata=_help("forget loss: " + ", ".join(f"{x.name} ({x.title})" for x in OBJECTIVES.values()))
    )
    beta: float | None = field(
        default=None,
        metadata=_help(
            "inverse temperature of the loss (default: "
            + ", ".join(f"{x.beta:g} for {x.name}" for x in OBJECTIVES.values() if x.beta is not None)
            + ")"
        ),
    )
    gamma: float | None = field(default=None, metadata=_help("margin of simnpo (default: 0)"))
    forget_weight: float = field(default=1.0, metadata=_help("factor of the forget loss"))
    forget_reduction: str = field(
        default="samples",
        metadata=_help(
            "samples: mean of the loss over samples; tokens: mean over all tokens of a step, only for "
            + ", ".join(x.name for x in OBJECTIVES.values() if x.per_token)
        ),
    )
    retain_weight: float = field(default=1.0, metadata=_help("factor of the retain term"))
    retain_term: str = field(
        default="cross_entropy",
        metadata=_help(
            "cross_entropy, kl_ref_model: KL(ref‖model), or kl_model_ref: KL(model‖ref) on the retain set; the last "
            "two, and undial, need the reference model in memory, or an adapter"
        ),
    )
    retain_reduction: str = field(
        default="samples",
        metadata=_help(
            "samples: mean over samples of the mean over tokens; tokens: one mean over all tokens of a step"
        ),
    )
    batch_size: int | None = field(
        default=None, metadata=_help("forget samples in one optimizer step, over all processes")
    )
    disable_dropout: bool = field(default=True, metadata=_help("train without dropout, as references are computed"))
    stop_when_forgotten: float | None = field(
        default=None,
        metadata=_help(
            "stop once this share of the forget responses is forgotten, between 0 and 1: each token on average a tenth "
            "as probable as at first, in an evaluation, or without evaluations in the last pass through the forget set"
        ),
    )

    learning_rate: float = field(default=1e-5, metadata=_help("peak learning rate"))
    lr_scheduler_type: transformers.SchedulerType | str = field(
        default="constant",
        metadata=_help("schedule of the learning rate: constant, linear, cosine, constant_with_warmup …"),
    )
    weight_decay: float = field(default=0.0, metadata=_help("weight decay of the optimizer"))
    logging_steps: float = field(
        default=1, metadata=_help("steps between entries of the log, or below 1 their share of all steps")
    )
    logging_nan_inf_filter: bool = field(
        default=False, metadata=_help("must be false: a loss that is not finite ends the run")
    )
    save_strategy: transformers.trainer_utils.SaveStrategy | str = field(
        default="no", metadata=_help("when to save checkpoints: no, steps, epoch or best")
    )
    # in this order HfArgumentParser understands it
    report_to: None | str | list[str] = field(  # noqa: RUF036
        default="none", metadata=_help("where to report the log: none, all, tensorboard, wandb …")
    )
    # a string, so that it can be typed
    liger_kernel_config: dict[str, bool] | str | None = field(  # type: ignore[assignment]
        default=None, metadata=_help('which kernels of Liger to use, as JSON: {"rope": true, "swiglu": false}')
    )
    ddp_find_unused_parameters: bool | None = field(
        default=False, metadata=_help("whether some parameters take no part in a step, as in models with experts")
    )

    def __post_init__(self) -> None:
        check_choice("loss", self.loss, tuple(OBJECTIVES))
        objective = OBJECTIVES[self.loss]
        objective.options(self.beta, self.gamma)
        checks.check_numbers(self)
        check_choice("retain_term", self.retain_term, RETAIN_TERMS)
        check_choice("retain_reduction", self.retain_reduction, REDUCTIONS)
        check_choice("forget_reduction", self.forget_reduction, REDUCTIONS)
        check_flag("disable_dropout", self.disable_dropout)
        for name, (needed, reason) in FIXED.items():
            if getattr(self, name, needed) not in (needed, None):
                raise ValueError(f"{name} must be {needed!r}, because {reason}, got {getattr(self, name)!r}")
        strategies = ("random", "sequential", "group_by_length")
        check_choice("train_sampling_strategy", self.train_sampling_strategy, strategies)
        if self.batch_size is not None:
            self._divide_batch(self.batch_size)
        dictionaries.check_fsdp(self)
        dictionaries.read_dictionaries(self)
        checks.check_effects(self)
        dictionaries.check_dictionaries(self)
        given, self.greater_is_better = self.greater_is_better, checks.direction(self)
        if not torch.accelerator.is_available():
            self.use_cpu = True
            if int(os.environ.get("WORLD_SIZE", "1")) > 1 and self.ddp_backend is None:
                self.ddp_backend = "gloo"
        super().__post_init__()
        checks.check_schedule(self)
        checks.check_optimizer(self)
        # a copy may have another metric, whose direction is not that of this one
        self.greater_is_better = given
        for name in ("split_batches", "dispatch_batches"):
            if getattr(self.accelerator_config, name, None):
                raise ValueError(f"accelerator_config[{name!r}] must be False, because each process makes its batches")

    def _process_fsdp_args(self) -> Any:
        process = super()._process_fsdp_args
        return dictionaries.read_fsdp_config(self, process) if self.fsdp else process()

    def _divide_batch(self, batch_size: int) -> None:
        processes = int(os.environ.get("WORLD_SIZE", "1"))
        share, rest = divmod(batch_size, processes)
        micro = min(self.per_device_train_batch_size, share)
        if rest or not micro or share % micro:
            raise ValueError(
                "batch_size must be a multiple of the number of processes times per_device_train_batch_size, "
                f"{processes} × {micro or 1}, got {batch_size}"
            )
        if self.gradient_accumulation_steps not in (1, share // micro):
            raise ValueError(
                f"gradient_accumulation_steps must be left out with batch_size={batch_size}, which makes it "
                f"{share // micro}, got {self.gradient_accumulation_steps}"
            )
        self.per_device_train_batch_size, self.gradient_accumulation_steps = micro, share // micro
