"""Teaching a model answers by cross-entropy, as when a part of what was forgotten is taught again."""

import random
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from npo_tutorial._extras import require
from npo_tutorial.language.batches import pad
from npo_tutorial.language.models import warn_of_still_weights

if TYPE_CHECKING:
    import torch
    import transformers
else:
    torch, transformers = require("torch"), require("transformers")


def plain_arguments(
    folder: str, n_steps: int, *, batch_size: int, seed: int, optimizer: Mapping[str, Any]
) -> dict[str, Any]:
    """Arguments of a Trainer whose steps are those of the optimizer, and which writes nothing."""
    return {
        "output_dir": folder,
        "max_steps": n_steps,
        "per_device_train_batch_size": batch_size,
        **optimizer,
        "lr_scheduler_type": "constant",
        # clipping would hide that NPO's gradients fade
        "max_grad_norm": 0.0,
        "weight_decay": 0.0,
        "save_strategy": "no",
        "logging_strategy": "no",
        "dataloader_pin_memory": torch.cuda.is_available(),
        "disable_tqdm": True,
        "report_to": "none",
        "seed": seed,
    }


def make_teacher(model: Any, args: Mapping[str, Any], samples: Sequence[Any], **options: Any) -> "transformers.Trainer":
    """A Trainer that minimises the cross-entropy of the responses of samples, in nats per token."""
    return transformers.Trainer(
        model,
        transformers.TrainingArguments(**args),
        train_dataset=[{"input_ids": item["input_ids"], "labels": item["labels"]} for item in samples],
        data_collator=lambda items: pad([(item["input_ids"], item["labels"]) for item in items]),
        **options,
    )


@contextmanager
def _kept_randomness() -> Iterator[None]:
    """Restores the generators of Python, NumPy and PyTorch afterwards."""
    states = random.getstate(), np.random.get_state()
    with torch.random.fork_rng():
        try:
            yield
        finally:
            random.setstate(states[0])
            np.random.set_state(states[1])


def teach(
    model: Any, samples: Sequence[Any], n_steps: int, *, learning_rate: float, batch_size: int = 8, seed: int = 0
) -> None:
    """Teach a model the responses of samples, by AdamW at a constant learning rate; the model is changed.

    Parameters
    ----------
    model : transformers.PreTrainedModel or peft.PeftModel
    samples : list of Sample
        From `encode`.
    n_steps : int
    learning_rate : float
    batch_size : int
        Samples in a step, at most.
    seed : int
        Determines their order.
    """
    warn_of_still_weights(model, learning_rate)
    was_training = model.training
    optimizer = {"optim": "adamw_torch", "learning_rate": learning_rate}
    # the Trainer seeds all generators
    with tempfile.TemporaryDirectory() as folder, _kept_randomness():
        size = min(batch_size, len(samples))
        args = plain_arguments(folder, n_steps, batch_size=size, seed=seed, optimizer=optimizer)
        trainer = make_teacher(model, args, samples)
        trainer.remove_callback(transformers.PrinterCallback)
        trainer.train()
    model.train(was_training)
