"""`NPOTrainer`: Hugging Face's Trainer with the losses of this package (chapter "language-model")."""

import copy
from collections.abc import Sequence
from functools import partial
from math import isfinite
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from npo_tutorial._checks import check_beta, check_choice, check_real
from npo_tutorial._extras import require
from npo_tutorial._types import RetainTerm
from npo_tutorial.language.batches import Pairs, collate
from npo_tutorial.language.records import Sample
from npo_tutorial.language.sequences import DIRECTIONS, response_lengths, sequence_kl, sequence_logp
from npo_tutorial.losses import dpo_loss, dpo_weight, ga_loss, npo_loss, npo_weight, simnpo_loss, simnpo_weight

if TYPE_CHECKING:
    import torch
    import transformers
else:
    torch, transformers = require("torch"), require("transformers")

ForgetLoss: TypeAlias = Literal["npo", "ga", "dpo", "simnpo"]
LOSSES = ("ga", "npo", "dpo", "simnpo")
RETAIN_TERMS = ("cross_entropy", *DIRECTIONS)
DEFAULT_BETA = 0.1
# a response counts as forgotten once its tokens are, in geometric mean, a tenth as probable as under the reference
FORGOTTEN = 0.1


class NPOTrainer(transformers.Trainer):
    """A `transformers.Trainer` that makes a causal language model forget.

    It minimises E[forget loss] + λ E[retain term] with the optimizer, schedule, precision and distribution that `args`
    asks for; checkpoints and resuming work as in the Trainer. The mean is taken over samples, however they are divided
    among micro-batches and processes.

    Parameters
    ----------
    model : transformers.PreTrainedModel
        The model to train.
    args : transformers.TrainingArguments, optional
        Copied: the caller's object does not change.
    forget_dataset : list of Sample
        From `encode`. NPO and DPO need references (`precompute_reference`), and DPO the answers that it prefers
        (``encode(…, chosen=True)``).
    retain_dataset : list of Sample, optional
        From `encode`. Each forget sample is paired with a retain sample; the retain set is cycled through.
    loss : {"npo", "ga", "dpo", "simnpo"}
        `npo_loss`, `ga_loss`, `dpo_loss` or `simnpo_loss` of the sequences' log-probabilities.
    beta : float, optional
        Inverse temperature β > 0, by default 0.1; must be left out with ``loss="ga"``.
    gamma : float
        Margin γ of "simnpo", dimensionless.
    retain_weight : float
        λ ≥ 0.
    retain_term : {"cross_entropy", "kl_ref_model", "kl_model_ref"}
        −log π_θ(y|x), KL(π_ref‖π_θ) or KL(π_θ‖π_ref) on the retain responses, in nats, averaged over the tokens of each
        response.
    ref_model : transformers.PreTrainedModel, optional
        Only for the two divergences, which need a second model in memory: the log-probabilities of all tokens at every
        position are too many to precompute.
    **options
        Further arguments of `transformers.Trainer`. `eval_dataset` is a second forget set.

    Notes
    -----
    Besides "loss" the log contains four quantities, for the parameters before each step and averaged since the previous
    entry: "forget_logp_per_token" and "retain_logp_per_token", in nats; "mean_weight", the mean of the weight W = 2σ(z)
    that the loss gives to a response (1 for GA, σ(z) for DPO, whose loss carries 1/β and not 2/β); and
    "fraction_forgotten", the share of responses whose tokens are, in geometric mean, at most a tenth as probable as
    under the reference.

    Source: arXiv:2404.05868. Convention: the forget loss sums over tokens (SimNPO divides by their number), and the
    retain term averages over them, so that λ does not depend on the length of responses.
    """

    def __init__(
        self,
        model: transformers.PreTrainedModel,
        args: transformers.TrainingArguments | None = None,
        *,
        forget_dataset: Sequence[Sample],
        retain_dataset: Sequence[Sample] | None = None,
        loss: ForgetLoss = "npo",
        beta: float | None = None,
        gamma: float = 0.0,
        retain_weight: float = 1.0,
        retain_term: RetainTerm = "cross_entropy",
        ref_model: transformers.PreTrainedModel | None = None,
        **options: Any,
    ) -> None:
        self.forget_loss = check_choice("loss", loss, LOSSES)
        if loss == "ga" and beta is not None:
            raise ValueError(f"beta must be left out with loss='ga', got {beta!r}")
        self.beta: Any = None if loss == "ga" else check_beta(DEFAULT_BETA if beta is None else beta)
        self.gamma = check_real("gamma", gamma)
        if not isfinite(self.gamma):
            raise ValueError(f"gamma must be finite, got {gamma!r}")
        self.retain_weight = check_real("retain_weight", retain_weight)
        if not 0 <= self.retain_weight < float("inf"):
            raise ValueError(f"retain_weight must be at least 0 and finite, got {self.retain_weight!r}")
        check_choice("retain_term", retain_term, RETAIN_TERMS)
        self.retain_term = retain_term
        needs_model = retain_dataset is not None and retain_term in DIRECTIONS
        if needs_model and ref_model is None:
            raise ValueError(f"ref_model must be given for retain_term={retain_term!r}, which needs it at every step")
        if ref_model is not None and not needs_model:
            raise ValueError(
                "ref_model must be None unless retain_dataset is given and retain_term is one of "
                f"{', '.join(map(repr, DIRECTIONS))}: references of responses are in forget_dataset"
            )
        if ref_model is not None and ref_model is model:
            raise ValueError(
                "ref_model must not be the same object as model, which is being trained: load the model a second time"
            )
        if retain_dataset is None and retain_term != "cross_entropy":
            raise ValueError(f"retain_term must be 'cross_entropy' without a retain_dataset, got {retain_term!r}")
        args = transformers.TrainingArguments() if args is None else copy.copy(args)
        self.has_chosen, self.has_retain = loss == "dpo", retain_dataset is not None
        datasets = {"forget_dataset": forget_dataset, "retain_dataset": retain_dataset}
        if options.get("eval_dataset") is not None:
            datasets["eval_dataset"] = options["eval_dataset"]
            options["eval_dataset"] = Pairs(options["eval_dataset"], retain_dataset, seed=args.seed)
            # otherwise the logits of all tokens would be gathered
            args.prediction_loss_only = True
        for name, dataset in datasets.items():
            if dataset is not None:
                self._check_dataset(name, dataset)
        pairs = Pairs(forget_dataset, retain_dataset, seed=args.seed)
        collator = partial(collate, chosen=self.has_chosen)
        super().__init__(model, args, train_dataset=pairs, data_collator=collator, **options)
        self.add_callback(_NewEpoch(pairs))
        # `compute_loss` divides by the samples in all micro-batches of a step, so the Trainer must not divide again
        self.model_accepts_loss_kwargs = True
        self.ref_model: Any = None
        if ref_model is not None:
            if self.is_fsdp_enabled:
                raise ValueError(
                    f"retain_term must be 'cross_entropy' under FSDP, which shards one model, got {retain_term!r}"
                )
            self.ref_model = self.accelerator.prepare_model(ref_model.requires_grad_(False), evaluation_mode=True)
            self.ref_model.eval()
        self._sums: dict[str, dict[str, Any]] = {"train": {}, "eval": {}}

    def _check_dataset(self, name: str, dataset: Sequence[Sample]) -> None:
        if len(dataset) == 0:
            raise ValueError(f"{name} must not be empty, got no sample")
        needed = ["input_ids", "labels"]
        if name != "retain_dataset":
            needed += ["chosen_input_ids", "chosen_labels", "chosen_ref_logp"] * self.has_chosen
            needed += ["ref_logp"] * (self.forget_loss in ("npo", "dpo"))
        with_reference = 0
        for i in range(len(dataset)):
            item = dataset[i]
            with_reference += "ref_logp" in item
            missing = [field for field in needed if field not in item]
            if missing:
                remedy = (
                    "precompute_reference(model, dataset)" if "ref_logp" in missing[0] else "encode(…, chosen=True)"
                )
                raise ValueError(
                    f"{name} must have {missing[0]!r} for loss={self.forget_loss!r}: {remedy} writes it, "
                    f"got {', '.join(item) or 'nothing'} in sample {i}"
                )
        if name != "retain_dataset" and with_reference not in (0, len(dataset)):
            raise ValueError(f"{name} must have 'ref_logp' in all samples or in none, got it in {with_reference}")

    def compute_loss(
        self,
        model: torch.nn.Module,
        inputs: dict[str, Any],
        return_outputs: bool = False,
        num_items_in_batch: Any = None,
    ) -> Any:
        """The loss of a batch of `collate`, summed over its samples and divided by their number in the whole step."""
        labels = inputs["labels"]
        tokens = {name: inputs[name] for name in ("input_ids", "attention_mask")}
        # one forward pass for all rows: DDP and FSDP expect one for each backward pass
        outputs = model(**tokens)
        n = len(labels) // (1 + self.has_chosen + self.has_retain)
        logp, lengths = sequence_logp(outputs.logits, labels), response_lengths(labels)
        loss, weight = self._forget(logp, lengths, inputs, n)
        values = {"forget_logp_per_token": logp[:n] / lengths[:n], "mean_weight": weight}
        if "ref_logp" in inputs:
            log_ratio_per_token = (logp[:n] - inputs["ref_logp"]) / lengths[:n]
            values["fraction_forgotten"] = (log_ratio_per_token.exp() <= FORGOTTEN).float()
        if self.has_retain:
            values["retain_logp_per_token"] = logp[-n:] / lengths[-n:]
            loss = loss + self.retain_weight * self._retain(outputs.logits, logp, labels, lengths, tokens, n)
        self._add_up("train" if model.training else "eval", values, n)
        if num_items_in_batch is None:
            loss = loss.mean()
        else:
            # gradients are averaged over the processes, but the samples of all processes are counted
            loss = loss.sum() * self.accelerator.num_processes / num_items_in_batch
        return (loss, {"loss": loss, "logits": outputs.logits}) if return_outputs else loss

    def _forget(
        self, logp: torch.Tensor, lengths: torch.Tensor, inputs: dict[str, Any], n: int
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """The loss of each forget sample, and the weight that it gives to the response."""
        if self.forget_loss == "ga":
            return ga_loss(logp[:n], reduction="none"), torch.ones_like(logp[:n])
        options = {"beta": self.beta}
        if self.forget_loss == "simnpo":
            of_samples = (logp[:n], lengths[:n])
            loss, weight, options = simnpo_loss, simnpo_weight, options | {"gamma": self.gamma}
        elif self.forget_loss == "npo":
            loss, weight, of_samples = npo_loss, npo_weight, (logp[:n], inputs["ref_logp"])
        else:
            loss, weight = dpo_loss, dpo_weight
            of_samples = (logp[n : 2 * n], logp[:n], inputs["chosen_ref_logp"], inputs["ref_logp"])
        with torch.no_grad():
            weights = weight(*of_samples, **options)
        return loss(*of_samples, **options, reduction="none"), weights

    def _retain(
        self,
        logits: torch.Tensor,
        logp: torch.Tensor,
        labels: torch.Tensor,
        lengths: torch.Tensor,
        tokens: dict[str, torch.Tensor],
        n: int,
    ) -> torch.Tensor:
        """The retain term of each retain sample: the last n rows of the batch."""
        if self.retain_term == "cross_entropy":
            return -logp[-n:] / lengths[-n:]
        with torch.no_grad():
            ref_logits = self.ref_model(**{name: x[-n:] for name, x in tokens.items()}).logits
        return sequence_kl(logits[-n:], ref_logits, labels[-n:], direction=self.retain_term) / lengths[-n:]

    def _get_num_items_in_batch(self, batch_samples: list[dict[str, torch.Tensor]], device: Any) -> torch.Tensor:
        """Number of forget samples in all micro-batches of a step, over all processes."""
        rows = sum(len(batch["labels"]) for batch in batch_samples)
        count = torch.tensor(rows // (1 + self.has_chosen + self.has_retain), device=device)
        return self.accelerator.gather(count).sum()

    def _add_up(self, mode: str, values: dict[str, torch.Tensor], n: int) -> None:
        sums = self._sums[mode]
        for name, value in (values | {"n": torch.ones(n, device=next(iter(values.values())).device)}).items():
            # sums stay on the device until they are logged
            sums[name] = sums.get(name, 0) + value.detach().float().sum()

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Add the averages since the previous entry, over all processes, and log them."""
        mode = "eval" if "eval_loss" in logs else "train"
        if ("loss" in logs or mode == "eval") and self._sums[mode]:
            sums = {name: self.accelerator.reduce(total, "sum").item() for name, total in self._sums[mode].items()}
            count, self._sums[mode] = sums.pop("n"), {}
            prefix = "eval_" if mode == "eval" else ""
            logs = logs | {prefix + name: total / count for name, total in sums.items()}
        super().log(logs, start_time)


class _NewEpoch(transformers.TrainerCallback):
    """Tells the dataset its epoch; accelerate's data loader omits this with several processes or after resuming."""

    def __init__(self, pairs: Pairs) -> None:
        self.pairs = pairs

    def on_epoch_begin(self, args: Any, state: transformers.TrainerState, control: Any, **kwargs: Any) -> None:
        self.pairs.epoch = int(state.epoch)
