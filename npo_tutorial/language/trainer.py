"""`NPOTrainer`: Hugging Face's Trainer with the losses of this package (chapter "language-model")."""

import copy
import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from importlib.util import find_spec
from math import ceil, isfinite
from typing import TYPE_CHECKING, Any

from npo_tutorial._checks import describe
from npo_tutorial._extras import require
from npo_tutorial._log_probs import is_readable
from npo_tutorial.language.adapters import check_reference, has_adapter, reference_of
from npo_tutorial.language.batches import Alone, Pairs, Places, collate, keeps_logits
from npo_tutorial.language.checks import direction, try_schedule
from npo_tutorial.language.config import NPOConfig
from npo_tutorial.language.dictionaries import check_liger
from npo_tutorial.language.inputs import (
    check_fields,
    check_fits,
    check_model,
    check_module,
    check_samples,
    has_references,
    sizes_of,
)
from npo_tutorial.language.objectives import OBJECTIVES, Objective, Responses, as_objective
from npo_tutorial.language.records import Sample
from npo_tutorial.language.runs import kept_settings
from npo_tutorial.language.sequences import IGNORE_INDEX, sequence_kl, token_logp

if TYPE_CHECKING:
    import torch
    import transformers
else:
    torch, transformers = require("torch"), require("transformers")

# a response counts as forgotten once its tokens are, in geometric mean, a tenth as probable as under the reference
FORGOTTEN = 0.1
# arguments of the Trainer that are ours, and what to use instead
REPLACED = {
    "train_dataset": "forget_dataset",
    "data_collator": "forget_dataset, whose samples are padded",
    "compute_loss_func": "objective",
    "preprocess_logits_for_metrics": "compute_metrics, which gets log-probabilities",
} | {
    name: f"args=NPOConfig({name}=…)"
    for name in ("loss", "beta", "gamma", "forget_weight", "retain_weight", "retain_term", "retain_reduction")
}


class NPOTrainer(transformers.Trainer):
    """A `transformers.Trainer` that makes a causal language model forget.

    It minimises w E[forget loss] + λ E[retain term] with the optimizer, schedule, precision and distribution that
    `args` asks for; checkpoints and resuming work as in the Trainer. The mean is taken over samples, or where `args`
    says so over tokens, however they are divided among micro-batches and processes.

    Parameters
    ----------
    model : transformers.PreTrainedModel or peft.PeftModel, optional
        The model to train; may be left out with a `model_init` of the Trainer. Its dropout is switched off, unless
        ``args.disable_dropout`` is False.
    args : NPOConfig, optional
        Copied: the caller's object does not change.
    forget_dataset : list of Sample
        From `encode`. Most losses need references (`precompute_reference`), and DPO the answers that it prefers
        (``encode(…, chosen=True)``).
    retain_dataset : list of Sample, optional
        From `encode`. Each forget sample is paired with a retain sample; the retain set is cycled through. In an epoch
        every forget sample is met once. Which samples meet in which step depends on the seed and on the number of the
        step alone: not on workers, processes, micro-batches or interruptions.
    objective : Objective or function, optional
        A forget loss in place of ``args.loss``: a function of `Responses` that returns the loss of each, or an
        `Objective`.
    ref_model : transformers.PreTrainedModel, optional
        Only for losses and retain terms that need the reference's logits at every step: "undial" and the two
        divergences. A model that trains an adapter contains its reference and needs none.
    **options
        Further arguments of `transformers.Trainer`. `eval_dataset` is a second forget set, or a dictionary of sets.

    Raises
    ------
    ValueError
        Arguments that contradict each other or would do nothing, samples without what the loss needs; in training a
        loss, a gradient or weights that are not finite, before they are saved.

    Notes
    -----
    Besides "loss" the log contains four quantities, for the parameters before each step and averaged over the samples
    since the previous entry: "forget_logp_per_token" and "retain_logp_per_token", in nats; "mean_weight", the mean of
    the weight W = 2σ(z) that the loss gives to a response (1 for GA, σ(z) for DPO, whose loss carries 1/β and not 2/β;
    the mean over tokens for losses that weight each token); and "fraction_forgotten", the share of responses whose
    tokens are, in geometric mean, at most a tenth as probable as under the reference.

    The same quantities are metrics of `evaluate` on a forget set, with the prefix "eval\\_", so they can be
    ``metric_for_best_model``; where neither direction alone means better unlearning, you say which one you look for
    (``greater_is_better``). Every set of a dictionary is evaluated by itself, with its name after the prefix:
    "logp_per_token"; "loss", the same with the sign of a cross-entropy; and "fraction_forgotten" where there are
    references. `predict` gives that and, as predictions, the log-probability of each response. A `compute_metrics` of
    your own gets these log-probabilities as predictions, and the numbers of tokens as labels.

    The model's own loss is not computed; if it would contain more than cross-entropy, such as a router's auxiliary
    loss, a warning says so. One process must train on one device, unless the model itself is spread over several.

    Source: arXiv:2404.05868. Convention: the forget loss sums over tokens (SimNPO divides by their number), and the
    retain term averages over them, so that λ does not depend on the length of responses.
    """

    args: NPOConfig
    model: Any
    train_dataset: Any
    objective: Objective

    def __init__(
        self,
        model: transformers.PreTrainedModel | None = None,
        args: NPOConfig | None = None,
        *,
        forget_dataset: Sequence[Sample],
        retain_dataset: Sequence[Sample] | None = None,
        objective: Objective | Callable[..., Any] | None = None,
        ref_model: transformers.PreTrainedModel | None = None,
        **options: Any,
    ) -> None:
        for name in options:
            if name in REPLACED:
                raise TypeError(f"{name} is not an argument of NPOTrainer: use {REPLACED[name]}")
        if args is not None and not isinstance(args, NPOConfig):
            raise TypeError(
                f"args must be an NPOConfig, got {type(args).__name__}: NPOConfig has the same arguments and those of "
                "the loss"
            )
        args = NPOConfig() if args is None else copy.deepcopy(args)
        args.greater_is_better = direction(args)
        self.objective: Objective = OBJECTIVES[args.loss] if objective is None else as_objective(objective)
        self.options = self.objective.options(args.beta, args.gamma)
        self.retain = retain_dataset
        self._check_arguments(args, ref_model is not None, has_own=objective is not None)
        evaluated = options.pop("eval_dataset", None)
        needs_reference = self._needs_reference(args)
        self._has_kl = retain_dataset is not None and args.retain_term != "cross_entropy"
        self.ref_model: Any = ref_model
        self._seed = args.seed
        if model is not None:
            check_model(model, args.learning_rate)
        # until there is a model, which a `model_init` makes later
        self._sizes: tuple[int | None, int | None] = (None, None)
        self._check_datasets(forget_dataset, retain_dataset, evaluated, args)
        sets = self._as_sets(evaluated)
        named = evaluated if isinstance(evaluated, Mapping) else {}
        self._samples = {"forget_dataset": forget_dataset, "retain_dataset": retain_dataset}
        self._samples |= {f"eval_dataset[{name!r}]": x for name, x in named.items()} or {"eval_dataset": evaluated}
        if model is not None:
            self._prepare_model(model, args)
        if args.eval_strategy != "no" and "compute_metrics" not in options:
            check_metric(args.metric_for_best_model, evaluated, self.objective, has_retain=retain_dataset is not None)
        pairs = Pairs(forget_dataset, retain_dataset, chosen="chosen" in self.objective.needs, seed=args.seed)
        self._places: Any = None
        self._compute_metrics = options.pop("compute_metrics", None)
        super().__init__(
            model,
            args,
            train_dataset=pairs,
            data_collator=collate,
            eval_dataset=sets,
            compute_metrics=self._average,
            **options,
        )
        if self.args.n_gpu > 1:
            raise ValueError(
                f"a process must train on one device, got {self.args.n_gpu}: start one process for each by torchrun "
                f"--nproc-per-node {self.args.n_gpu}, or choose one by CUDA_VISIBLE_DEVICES=0"
            )
        self.add_callback(_Beginnings(self))
        if args.stop_when_forgotten is not None:
            self.add_callback(_StopWhenForgotten(len(forget_dataset)))
        # `compute_loss` divides by the samples in all micro-batches of a step, so the Trainer must not divide again
        self.model_accepts_loss_kwargs = True
        self._keeps = keeps_logits(self.model)
        if needs_reference and self.is_fsdp_enabled:
            raise ValueError(f"{needs_reference} needs the logits of a second model, which FSDP cannot shard")
        if ref_model is not None:
            self.ref_model = self.accelerator.prepare_model(ref_model.requires_grad_(False), evaluation_mode=True)
            self.ref_model.eval()
        self._sums: dict[str, Any] = {}
        self._bad_step: Any = None
        self._said = False

    # ----- what is checked

    def _check_arguments(self, args: NPOConfig, has_ref_model: bool, has_own: bool) -> None:
        needed = self._needs_reference(args)
        # NPOConfig allows a gamma only with a loss that has one
        if has_own and args.loss not in ("npo", self.objective.name) and self.objective.gamma is None:
            raise ValueError(f"loss must be left out with an objective, which takes its place, got {args.loss!r}")
        if has_ref_model and not needed:
            raise ValueError(
                "ref_model must be None unless the loss or the retain term needs its logits, as 'undial', "
                "'kl_ref_model' and 'kl_model_ref' do: references of responses are in forget_dataset"
            )
        if args.forget_reduction == "tokens" and not self.objective.per_token:
            raise ValueError(
                f"forget_reduction must be 'samples' with loss={self.objective.name!r}, which is not a sum over "
                "tokens, got 'tokens'"
            )
        if self.retain is None:
            for name in ("retain_weight", "retain_term", "retain_reduction"):
                value, default = getattr(args, name), NPOConfig.__dataclass_fields__[name].default
                if value != default:
                    raise ValueError(f"{name} must be {default!r} without a retain_dataset, got {value!r}")
        elif args.retain_weight == 0:
            warnings.warn(
                "retain_dataset has no effect with retain_weight=0 but costs time: leave it out", stacklevel=3
            )

    def _needs_reference(self, args: NPOConfig) -> str | None:
        """The argument for which the reference's logits are needed at every step."""
        if "ref_logits" in self.objective.needs:
            return f"loss={self.objective.name!r}"
        if self.retain is not None and args.retain_term != "cross_entropy":
            return f"retain_term={args.retain_term!r}"
        return None

    def _prepare_model(self, model: Any, args: NPOConfig) -> None:
        """Check that a model fits samples and reference, and switch its dropout off."""
        self._sizes = sizes_of(model)
        for name, samples in self._samples.items():
            if samples is not None:
                check_fits(name, samples, self._sizes)
        if needs_reference := self._needs_reference(args):
            ref_model = self.ref_model
            if ref_model is None and not has_adapter(model):
                raise ValueError(
                    f"ref_model must be given for {needs_reference}, which needs its logits at every step: load the "
                    "model a second time, or train an adapter (LoRA)"
                )
            if ref_model is not None:
                check_module("ref_model", ref_model)
                if sizes_of(ref_model)[0] != self._sizes[0]:
                    raise ValueError(
                        f"ref_model must have the vocabulary of model, {self._sizes[0]} tokens, got "
                        f"{sizes_of(ref_model)[0]}: load the same model a second time"
                    )
            check_reference(model, ref_model)
        if args.use_liger_kernel and find_spec("liger_kernel") is not None:
            check_liger(args, model.config.model_type)
        if args.disable_dropout:
            disable_dropout(model)

    def _check_datasets(
        self,
        forget_dataset: Sequence[Sample],
        retain_dataset: Sequence[Sample] | None,
        evaluated: Any,
        args: NPOConfig,
    ) -> None:
        known = self._check_forget("forget_dataset", forget_dataset)
        name = "forget_dataset"
        if args.eval_strategy != "no":
            if evaluated is None:
                raise ValueError("eval_dataset must be given with an eval_strategy, got None")
            name = "eval_dataset['forget']" if isinstance(evaluated, Mapping) else "eval_dataset"
            watched = evaluated.get("forget", []) if isinstance(evaluated, Mapping) else evaluated
            known = has_references(name, watched)
        if args.stop_when_forgotten is not None and not known:
            raise ValueError(
                f"stop_when_forgotten needs 'ref_logp' in {name}: precompute_reference(model, dataset) writes it"
            )
        if args.dataloader_drop_last:
            total = args.per_device_train_batch_size * args.world_size
            if len(forget_dataset) < total:
                raise ValueError(
                    f"dataloader_drop_last must be False for fewer than {total} forget samples, which make no batch, "
                    f"got {len(forget_dataset)}"
                )
        if retain_dataset is not None:
            check_samples("retain_dataset", retain_dataset, self._sizes)
            own = {_tokens(item) for item in forget_dataset}
            shared = sum(_tokens(item) in own for item in retain_dataset)
            if shared:
                warnings.warn(
                    f"{shared} of {len(retain_dataset)} samples of retain_dataset are in forget_dataset as well, and "
                    "are pulled both ways",
                    stacklevel=3,
                )

    def _check_forget(self, name: str, dataset: Sequence[Sample]) -> bool:
        """Checks that the samples have what the loss needs; whether they have references."""
        why = f"loss={self.objective.name!r}"
        has_chosen = "chosen" in self.objective.needs
        check_samples(name, dataset, self._sizes)
        if has_chosen:
            check_fields(name, dataset, ["chosen_input_ids", "chosen_labels"], "encode(…, chosen=True)", why)
        references: list[str] = [x for x in ("ref_logp", "ref_token_logp") if x in self.objective.needs]
        references += ["chosen_ref_logp"] * (has_chosen and "ref_logp" in references)
        check_fields(name, dataset, references, "precompute_reference(model, dataset)", why)
        return has_references(name, dataset)

    def _as_sets(self, dataset: Any) -> Any:
        """An evaluation set, or a dictionary of them, as the Trainer's datasets."""
        if dataset is None or isinstance(dataset, Pairs | Alone):
            return dataset
        known = getattr(self, "eval_dataset", None)
        if isinstance(dataset, str) and isinstance(known, Mapping) and dataset in known:
            return dataset
        if isinstance(dataset, Mapping):
            if not dataset:
                raise ValueError("eval_dataset must not be empty, got no set")
            return {name: self._as_alone(f"eval_dataset[{name!r}]", items) for name, items in dataset.items()}
        self._check_forget("eval_dataset", dataset)
        return Pairs(dataset, self.retain, chosen="chosen" in self.objective.needs, seed=self._seed)

    def _as_alone(self, name: str, dataset: Any) -> Alone:
        if isinstance(dataset, Alone):
            return dataset
        check_samples(name, dataset, self._sizes)
        has_references(name, dataset)
        return Alone(dataset)

    def call_model_init(self, trial: Any = None) -> Any:
        model = super().call_model_init(trial)
        check_model(model, self.args.learning_rate)
        self._prepare_model(model, self.args)
        return model

    # ----- samples

    def _get_train_sampler(self, train_dataset: Any = None) -> Places:
        args = self.args
        pairs: Any = self.train_dataset if train_dataset is None else train_dataset
        total = self._train_batch_size * args.world_size
        strategy = args.train_sampling_strategy
        self._places = Places(
            len(pairs),
            seed=args.seed if args.data_seed is None else args.data_seed,
            multiple=total if args.world_size > 1 or args.dataloader_drop_last else 1,
            drop_last=args.dataloader_drop_last,
            shuffle=strategy != "sequential",
            lengths=[len(item["input_ids"]) for item in pairs.forget] if strategy == "group_by_length" else None,
            group=total * args.gradient_accumulation_steps,
        )
        return self._places

    def _get_eval_sampler(self, eval_dataset: Any) -> torch.utils.data.Sampler[int]:
        # predictions are in the order of the samples
        return torch.utils.data.SequentialSampler(eval_dataset)

    def _get_dataloader(self, *args: Any, **options: Any) -> Any:
        # In an evaluation every sample counts, and workers do not persist: the Trainer would keep the loader of the
        # first set for all later ones, and a loader that is dropped waits five seconds for its workers.
        own = {name: getattr(self.args, name) for name in ("dataloader_drop_last", "dataloader_persistent_workers")}
        try:
            for name, value in own.items():
                setattr(self.args, name, value and options.get("is_training", False))
            return super()._get_dataloader(*args, **options)
        finally:
            for name, value in own.items():
                setattr(self.args, name, value)

    def _get_num_items_in_batch(self, batch_samples: list[dict[str, Any]], device: Any) -> torch.Tensor:
        """Numbers of forget samples, of their tokens and of retain tokens in a step, over all processes."""
        sizes = torch.stack([batch["sizes"].sum(dim=0) for batch in batch_samples]).sum(dim=0).to(device)
        return self.accelerator.reduce(sizes, "sum")

    def create_scheduler(self, num_training_steps: int, optimizer: Any = None) -> Any:
        """The Trainer's, after a check that it has a learning rate for every step."""
        if self.lr_scheduler is None:
            try_schedule(self.args, num_training_steps)
        return super().create_scheduler(num_training_steps, optimizer)

    # ----- loss

    def compute_loss(
        self,
        model: torch.nn.Module,
        inputs: dict[str, Any],
        return_outputs: bool = False,
        num_items_in_batch: Any = None,
    ) -> Any:
        """The loss of a batch of `collate`, summed over its samples and divided by their number in the whole step."""
        found, outputs = self._values(model, inputs)
        counts, sizes = inputs["sizes"][:, 0], inputs["sizes"]
        loss = self._total(found, sizes, sizes.sum(dim=0) if num_items_in_batch is None else num_items_in_batch)
        if num_items_in_batch is not None:
            # gradients are averaged over the processes, but the samples of all processes are counted
            loss = loss * self.accelerator.num_processes
        if model.training:
            self._note_loss(loss)
            for name, value in (averages(found) | {"n": torch.ones_like(counts)}).items():
                # sums stay on the device until they are logged
                self._sums[name] = self._sums.get(name, 0) + (value.detach().float() * counts).sum()
        return (loss, {"loss": loss, "logits": outputs.logits}) if return_outputs else loss

    def _total(self, found: Mapping[str, Any], sizes: Any, totals: Any) -> Any:
        """w E[forget loss] + λ E[retain term], of values for each sample and what to divide their sums by."""
        counts, args = sizes[:, 0], self.args
        loss = args.forget_weight * (counts * found["forget"]).sum() / totals[int(args.forget_reduction == "tokens")]
        if "retain" in found:
            if args.retain_reduction == "tokens":
                retain = (counts * found["retain"]).sum() / totals[2]
            else:
                retain = (counts * found["retain"] / found["retain_lengths"]).sum() / totals[0]
            loss = loss + args.retain_weight * retain
        return loss

    def _values(self, model: Any, inputs: dict[str, Any]) -> tuple[dict[str, Any], Any]:
        """What is known of each sample of a batch: loss, retain term, log-probabilities, lengths, weight."""
        parts, keep = inputs["parts"], inputs["keep"]
        n = len(inputs["labels"]) // len(parts)
        rows = {name: slice(i * n, (i + 1) * n) for i, name in enumerate(parts)}
        tokens = {name: inputs[name] for name in ("input_ids", "attention_mask")}
        # the reference computes first, when no activations are in memory
        with_reference = {"forget": "ref_logits" in self.objective.needs, "retain": self._has_kl}
        ref_logits = {
            name: self._ref_logits({key: x[rows[name]] for key, x in tokens.items()}, keep)
            for name in parts
            if with_reference.get(name)
        }
        # one forward pass for all rows: DDP and FSDP expect one for each backward pass
        outputs = model(**tokens, **({"logits_to_keep": keep} if self._keeps else {}))
        self._say_what_is_dropped(outputs)
        logits, labels = outputs.logits[:, -keep:], inputs["labels"][:, -keep:]
        of_tokens, counted = token_logp(logits, labels), labels[:, 1:] != IGNORE_INDEX
        logp, lengths = of_tokens.sum(dim=-1), counted.sum(dim=-1)
        if is_readable(logp) and logp.isnan().any():
            raise self._diverged("log-probabilities", self.state.global_step + 1)
        first = rows[parts[0]]
        found = {"logp": logp[first], "lengths": lengths[first]}
        if "ref_logp" in inputs:
            found["log_ratio"] = logp[first] - inputs["ref_logp"]
        if "forget" in rows:
            responses = Responses(
                logp=logp[first],
                lengths=lengths[first],
                token_logp=of_tokens[first],
                counted=counted[first],
                targets=labels[first, 1:],
                logits=logits[first, :-1],
                ref_logp=inputs.get("ref_logp"),
                chosen_ref_logp=inputs.get("chosen_ref_logp"),
            )
            if "ref_token_logp" in inputs:
                responses.ref_token_logp = inputs["ref_token_logp"][:, -keep:][:, 1:]
            if "chosen" in rows:
                responses.chosen_logp, responses.chosen_lengths = logp[rows["chosen"]], lengths[rows["chosen"]]
            if "forget" in ref_logits:
                responses.ref_logits = ref_logits["forget"][:, :-1]
            found["forget"] = self.objective.loss(responses, **self.options)
            if not torch.is_tensor(found["forget"]):
                raise TypeError(f"objective must return a tensor of {n} losses, got {describe(found['forget'])}")
            if found["forget"].shape != (n,):
                raise ValueError(f"objective must return {n} losses, got shape {tuple(found['forget'].shape)}")
            if self.objective.weight is not None:
                with torch.no_grad():
                    found["weight"] = self.objective.weight(responses, **self.options)
        if "retain" in rows:
            where = rows["retain"]
            found |= {"retain_logp": logp[where], "retain_lengths": lengths[where], "retain": -logp[where]}
            if self._has_kl:
                direction: Any = self.args.retain_term
                found["retain"] = sequence_kl(logits[where], ref_logits["retain"], labels[where], direction=direction)
        return found, outputs

    def _ref_logits(self, tokens: dict[str, Any], keep: int) -> torch.Tensor:
        """Logits of the reference, the second model or the one without its adapter."""
        model = self.ref_model
        with ExitStack() as stack:
            stack.enter_context(torch.no_grad())
            if model is None:
                model = self.accelerator.unwrap_model(self.model)
                stack.callback(model.train, model.training)
                model.eval()
                stack.enter_context(reference_of(model))
            return model(**tokens, **({"logits_to_keep": keep} if keeps_logits(model) else {})).logits[:, -keep:]

    def _say_what_is_dropped(self, outputs: Any) -> None:
        if not self._said and getattr(outputs, "aux_loss", None) is not None:
            warnings.warn("the model's auxiliary loss (of its router) is not part of the loss", stacklevel=2)
        self._said = True

    # ----- evaluation

    def evaluate(self, eval_dataset: Any = None, *args: Any, **options: Any) -> dict[str, float]:
        """Averages over a forget set, or over each set of a dictionary; by default over `eval_dataset`."""
        return super().evaluate(self._as_sets(eval_dataset), *args, **options)

    def predict(self, test_dataset: Any, *args: Any, **options: Any) -> Any:
        """The log-probability of each response, in nats, as predictions; numbers of tokens as labels; averages."""
        output: Any = super().predict(self._as_alone("test_dataset", test_dataset), *args, **options)
        return output._replace(predictions=output.predictions["logp"])

    def prediction_step(
        self, model: Any, inputs: dict[str, Any], prediction_loss_only: bool, ignore_keys: Any = None
    ) -> tuple[None, Any, torch.Tensor]:
        """The values of each sample; the Trainer gathers them over batches and processes."""
        inputs = self._prepare_inputs(inputs)
        with torch.no_grad(), self.compute_loss_context_manager():
            found, _ = self._values(model, inputs)
        return None, found | {"sizes": inputs["sizes"]}, found["lengths"]

    def _average(self, prediction: transformers.EvalPrediction) -> dict[str, float]:
        """The Trainer's compute_metrics: averages of what `prediction_step` found."""
        predictions: Any = prediction.predictions
        found = {name: torch.as_tensor(value) for name, value in predictions.items()}
        metrics = {name: value.float().mean().item() for name, value in averages(found).items()}
        if "forget" in found:
            metrics["loss"] = self._total(found, found["sizes"], found["sizes"].sum(dim=0)).item()
        else:
            metrics["loss"] = -metrics["logp_per_token"]
        if self._compute_metrics is not None:
            logp, lengths = (found[name].numpy() for name in ("logp", "lengths"))
            metrics |= self._compute_metrics(transformers.EvalPrediction(predictions=logp, label_ids=lengths))
        return metrics

    # ----- log, and what ends a run

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Add the averages since the previous entry, over all processes, and log them."""
        if "loss" in logs and self._sums:
            sums = {name: self.accelerator.reduce(total, "sum").item() for name, total in self._sums.items()}
            count, self._sums = sums.pop("n"), {}
            logs = logs | {name: total / count for name, total in sums.items()}
        self._check_finite(logs)
        super().log(logs, start_time)

    def _note_loss(self, loss: torch.Tensor) -> None:
        """Remember the first step whose loss is not finite, without waiting for the device."""
        if self._bad_step is None:
            self._bad_step = torch.zeros((), dtype=torch.long, device=loss.device)
        is_first = ~loss.detach().isfinite() & (self._bad_step == 0)
        self._bad_step = torch.where(is_first, self.state.global_step + 1, self._bad_step)

    def _check_finite(self, logs: Mapping[str, float]) -> None:
        """The Trainer waits for the device at each entry of the log anyway; these numbers are of all processes."""
        for name in ("loss", "grad_norm", "train_loss"):
            # a gradient scaler skips steps whose gradient overflows
            if not isfinite(logs.get(name, 0)) and not (name == "grad_norm" and self.args.fp16):
                steps = self.accelerator.gather(self._bad_step[None]).tolist()
                step = min((step for step in steps if step), default=self.state.global_step)
                raise self._diverged({"grad_norm": "the gradient's norm"}.get(name, "the loss"), step)
        if "train_loss" in logs:
            self._check_weights()

    def _save_checkpoint(self, *args: Any, **options: Any) -> None:
        self._check_weights()
        super()._save_checkpoint(*args, **options)

    def _determine_best_metric(self, *args: Any, **options: Any) -> bool:
        # with save_strategy="best" the Trainer asks only this, and forgets the checkpoint that a callback asked for
        return super()._determine_best_metric(*args, **options) or self.control.should_save

    def _check_weights(self) -> None:
        model: Any = self.model
        trained = [getattr(x, "to_local", lambda x=x: x)() for x in model.parameters() if x.requires_grad]
        bad = sum(not x.isfinite().all() for x in trained)
        if self.accelerator.reduce(torch.tensor(float(bad), device=self.args.device), "sum") > 0:
            raise self._diverged("the weights", self.state.global_step)

    def _diverged(self, what: str, step: int) -> ValueError:
        remedy = f"lower learning_rate={self.args.learning_rate:g}"
        if self.objective.name == "ga":
            remedy += " or take fewer steps, because the loss 'ga' has no lower bound"
        return ValueError(f"{what} must be finite, got nan or inf at step {step}: {remedy}")


def averages(found: Mapping[str, Any]) -> dict[str, Any]:
    """What is averaged over samples, for logs and evaluations, of what `NPOTrainer` found in a batch."""
    metrics = {"forget_" * ("forget" in found) + "logp_per_token": found["logp"] / found["lengths"]}
    if "weight" in found:
        metrics["mean_weight"] = found["weight"]
    if "log_ratio" in found:
        metrics["fraction_forgotten"] = ((found["log_ratio"] / found["lengths"]).exp() <= FORGOTTEN).float()
    if "retain" in found:
        metrics["retain_logp_per_token"] = found["retain_logp"] / found["retain_lengths"]
    return metrics


def check_metric(metric: str | None, evaluated: Any, objective: Objective, *, has_retain: bool) -> None:
    """Raise ValueError unless evaluations will have the metric by which the best model is chosen, if there is one.

    Parameters
    ----------
    metric : str or None
    evaluated : list of Sample or dict of them
        The `eval_dataset`.
    objective : Objective
    has_retain : bool
        Whether the forget samples of a list are paired with retain samples.
    """
    names, is_dictionary = list[str](), isinstance(evaluated, Mapping)
    for name, samples in evaluated.items() if is_dictionary else [("", evaluated)]:
        # what the trainer will find
        found = ["logp", "lengths"] + ["log_ratio"] * ("ref_logp" in samples[0])
        if not is_dictionary:
            found += ["forget"] + ["weight"] * (objective.weight is not None)
            found += ["retain", "retain_logp", "retain_lengths"] * has_retain
        metrics = averages(dict.fromkeys(found, torch.ones(1)))
        names += [f"{name}_" * is_dictionary + x for x in ("loss", *metrics)]
    if metric is not None and metric.removeprefix("eval_") not in names:
        raise ValueError(f"metric_for_best_model must be one of {', '.join(names)}, got {metric}")


def _tokens(item: Any) -> tuple[tuple[int, ...], tuple[int, ...]]:
    return tuple(item["input_ids"]), tuple(item["labels"])


def disable_dropout(model: torch.nn.Module) -> None:
    """Set every dropout probability of a model to 0, and other noise of training: layer dropout and router jitter."""
    for module in model.modules():
        if isinstance(module, torch.nn.modules.dropout._DropoutNd):
            module.p = 0.0
        for name, value in list(vars(module).items()):
            # attention layers keep it as a number
            if isinstance(value, float) and any(word in name for word in ("drop", "jitter")):
                setattr(module, name, 0.0)


class _Beginnings(transformers.TrainerCallback):
    """What begins with a training and with an epoch."""

    def __init__(self, trainer: NPOTrainer) -> None:
        self.trainer = trainer

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        # an earlier training may have been interrupted
        self.trainer._sums, self.trainer._bad_step = {}, None
        # every checkpoint contains the settings that its steps depend on
        total = args.per_device_train_batch_size * args.gradient_accumulation_steps * args.world_size
        settings = args.to_dict() | {"loss": self.trainer.objective.name, "batch_size": total}
        now = kept_settings(settings | self.trainer.options)
        stored = state.stateful_callbacks.get("NPOConfig", {"attributes": now})["attributes"]
        for name, value in now.items():
            if (before := stored.get(name, value)) != value:
                raise ValueError(
                    f"resume_from_checkpoint must be a checkpoint of the same run, got one with {name}={before!r}, not "
                    f"{value!r}"
                )
        state.stateful_callbacks["NPOConfig"] = {"args": {}, "attributes": now}

    def on_epoch_begin(self, args: Any, state: transformers.TrainerState, control: Any, **kwargs: Any) -> None:
        # accelerate's data loader does not tell the sampler after resuming
        self.trainer._places.epoch = int(state.epoch or 0)


class _StopWhenForgotten(transformers.TrainerCallback):
    """Ends training once enough responses are forgotten: in an evaluation, or without one in a pass through them.

    `n` is the number of forget samples. The few of a single step may all happen to be forgotten.
    """

    def __init__(self, n: int) -> None:
        self.n = n

    def on_log(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if args.eval_strategy == "no":
            share = self.of_the_last_pass(args, state)
        else:
            names = ("eval_fraction_forgotten", "eval_forget_fraction_forgotten")
            share = max(kwargs["logs"].get(name, 0.0) for name in names)
        if share >= args.stop_when_forgotten:
            control.should_training_stop = True
            # as after the last step
            control.should_save = control.should_save or args.save_strategy == "steps"

    def of_the_last_pass(self, args: Any, state: Any) -> float:
        """The share in the pass that has ended since the previous entry of the log, or 0.

        Checkpoints contain the log: if every step is logged, a resumed run stops at the same step.
        """
        batch = args.per_device_train_batch_size * args.gradient_accumulation_steps * args.world_size
        length = ceil(self.n / batch)
        entries = [entry for entry in state.log_history if "fraction_forgotten" in entry]
        steps = [0, *(entry["step"] for entry in entries)]
        passes = steps[-1] // length
        if not entries or passes == steps[-2] // length:
            return 0.0
        # samples up to a step: the last step of a pass may have fewer than the others
        seen = [step // length * self.n + step % length * batch for step in steps]
        parts = [
            (entry["fraction_forgotten"], after - before)
            for entry, before, after in zip(entries, seen, seen[1:], strict=False)
            if entry["step"] > (passes - 1) * length
        ]
        return sum(share * n for share, n in parts) / sum(n for _, n in parts)
