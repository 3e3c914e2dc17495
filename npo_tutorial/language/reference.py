"""The reference model's log-probabilities, computed once: training then needs no second model in memory."""

import math
from typing import TYPE_CHECKING, Any

from npo_tutorial._checks import check_count, describe
from npo_tutorial._extras import require
from npo_tutorial.language.batches import keeps_logits, pad, positions
from npo_tutorial.language.inputs import check_samples, sizes_of
from npo_tutorial.language.records import Sample
from npo_tutorial.language.sequences import IGNORE_INDEX, token_logp

if TYPE_CHECKING:
    import torch
else:
    torch = require("torch")


def precompute_reference(model: torch.nn.Module, dataset: list[Sample], *, batch_size: int = 8) -> list[Sample]:
    """Write log π_ref of each response into the dataset.

    It is stored as "ref_logp", and that of each of its tokens as "ref_token_logp"; that of the answer DPO prefers,
    where the dataset has one, as "chosen_ref_logp". Several processes share the work, and each gets all results.

    Parameters
    ----------
    model : transformers.PreTrainedModel
        The reference model: for NPO the model before unlearning. Its training mode is restored afterwards.
    dataset : list of Sample
        From `encode`; changed in place. Existing references are overwritten.
    batch_size : int
        Responses in one forward pass.

    Returns
    -------
    list of Sample
        The same dataset.
    """
    batch_size = check_count("batch_size", batch_size)
    if not isinstance(model, torch.nn.Module):
        raise TypeError(f"model must be a PyTorch module, got {describe(model)}")
    if not isinstance(dataset, list) or not all(isinstance(item, dict) and "labels" in item for item in dataset):
        raise TypeError(f"dataset must be a list of dictionaries as encode makes them, got {type(dataset).__name__}")
    if not dataset:
        raise ValueError("dataset must not be empty, got no sample")
    check_samples("dataset", dataset, sizes_of(model))
    accelerate, tqdm = require("accelerate"), require("tqdm.auto").tqdm
    samples: list[Any] = dataset
    names = [("ref_logp", "")] + [("chosen_ref_logp", "chosen_")] * ("chosen_labels" in dataset[0])
    # sorted by length, which saves padding
    jobs = sorted(
        (
            (i, name, item[f"{prefix}input_ids"], item[f"{prefix}labels"])
            for i, item in enumerate(samples)
            for name, prefix in names
        ),
        key=lambda job: len(job[2]),
    )
    state = accelerate.PartialState()
    mine, found = jobs[state.process_index :: state.num_processes], []
    was_training, device, keeps = model.training, next(model.parameters()).device, keeps_logits(model)
    model.eval()
    try:
        for start in tqdm(
            range(0, len(mine), batch_size), desc="reference", unit="batch", disable=not state.is_main_process
        ):
            part = mine[start : start + batch_size]
            batch = pad([job[2:] for job in part])
            labels = batch.pop("labels")
            keep = positions(labels)
            labels = labels[:, -keep:]
            with torch.inference_mode():
                tokens = {name: x.to(device) for name, x in batch.items()}
                logits = model(**tokens, **({"logits_to_keep": keep} if keeps else {})).logits[:, -keep:]
                of_tokens = token_logp(logits, labels.to(device)).cpu()
            counted = labels[:, 1:] != IGNORE_INDEX
            for (i, name, *_), row, where in zip(part, of_tokens, counted, strict=True):
                found.append((i, name, row.sum().item()))
                if name == "ref_logp":
                    found.append((i, "ref_token_logp", row[where].tolist()))
    finally:
        model.train(was_training)
    for i, name, value in accelerate.utils.gather_object(found):
        if not isinstance(value, list) and not value > float("-inf"):
            raise ValueError(
                f"dataset must have responses that the model can give, got probability {math.exp(value):g} for that of "
                f"sample {i}: check the model and its tokenizer"
            )
        samples[i][name] = value
    return dataset
