"""What `NPOTrainer` and `precompute_reference` are given: a model that can be trained, and samples that it can read."""

import math
from collections.abc import Iterable, Mapping
from numbers import Integral
from typing import TYPE_CHECKING, Any

from npo_tutorial._checks import describe
from npo_tutorial._extras import require
from npo_tutorial.language.encoding import check_sizes
from npo_tutorial.language.models import not_finite, warn_of_still_weights
from npo_tutorial.language.sequences import IGNORE_INDEX

if TYPE_CHECKING:
    import torch
else:
    torch = require("torch")


def check_module(name: str, model: Any) -> None:
    """Raise TypeError for a model that was not loaded."""
    if not isinstance(model, torch.nn.Module):
        raise TypeError(f"{name} must be a PyTorch module, got {describe(model)}: load it by from_pretrained")


def check_model(model: Any, learning_rate: float) -> None:
    """Raise ValueError if a model cannot be trained, and warn if most of its weights would not move."""
    check_module("model", model)
    dtypes = {x.dtype for x in model.parameters() if x.requires_grad}
    if not dtypes:
        raise ValueError(
            "model must have weights to train, got only frozen ones: model.requires_grad_(True) thaws them"
        )
    if torch.float16 in dtypes:
        raise ValueError(
            "model must not have float16 weights that are trained, because small gradients vanish in it: load it with "
            "dtype='float32' and use fp16=True or bf16=True, or train an adapter (LoRA)"
        )
    if bad := not_finite(model):
        raise ValueError(f"model must have finite weights, got nan or inf in {bad}: load it again")
    warn_of_still_weights(model, learning_rate)


def sizes_of(model: Any) -> tuple[int | None, int | None]:
    """How many tokens and how many positions a model has; None where nothing says it."""
    config: Any = getattr(model, "config", None)
    text = config.get_text_config(decoder=True) if hasattr(config, "get_text_config") else config
    return getattr(text, "vocab_size", None), getattr(text, "max_position_embeddings", None)


def check_fields(name: str, dataset: Any, fields: Iterable[str], remedy: str, why: str | None = None) -> None:
    """Raise TypeError or ValueError unless a dataset is a list of samples with some fields."""
    if isinstance(dataset, str | Mapping) or not hasattr(dataset, "__len__") or not hasattr(dataset, "__getitem__"):
        raise TypeError(f"{name} must be a list of samples, as encode makes them, got {type(dataset).__name__}")
    if len(dataset) == 0:
        raise ValueError(f"{name} must not be empty, got no sample")
    for i in range(len(dataset)):
        item = dataset[i]
        for field in fields:
            if field not in item:
                raise ValueError(
                    f"{name} must have {field!r}{f' for {why}' if why else ''}: {remedy} writes it, "
                    f"got {', '.join(item) or 'nothing'} in sample {i}"
                )


def check_samples(name: str, dataset: Any, sizes: tuple[int | None, int | None] = (None, None)) -> None:
    """Raise ValueError for the first sample that a model cannot read.

    Parameters
    ----------
    name : str
        The dataset's name, in messages.
    dataset : list of Sample
    sizes : pair of int or None
        From `sizes_of`.
    """
    check_fields(name, dataset, ["input_ids", "labels"], "encode(records, tokenizer)")
    for i in range(len(dataset)):
        try:
            _check_sample(dataset[i])
        except ValueError as error:
            raise ValueError(f"{name} must have {error} in sample {i}") from None
    check_fits(name, dataset, sizes)


def check_fits(name: str, dataset: Any, sizes: tuple[int | None, int | None]) -> None:
    """Raise ValueError for the first sample that has more tokens, or other ones, than a model with these sizes."""
    try:
        check_sizes(dataset, *sizes)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None


def has_references(name: str, dataset: Any) -> bool:
    """Whether the samples have references, all of them or none."""
    count = sum("ref_logp" in dataset[i] for i in range(len(dataset)))
    if count not in (0, len(dataset)):
        raise ValueError(f"{name} must have 'ref_logp' in all samples or in none, got it in {count}")
    return count > 0


def _check_sample(item: Any) -> None:
    for prefix in ("", "chosen_"):
        if f"{prefix}labels" not in item:
            continue
        tokens, labels = item[f"{prefix}input_ids"], item[f"{prefix}labels"]
        for field, values in ((f"{prefix}input_ids", tokens), (f"{prefix}labels", labels)):
            if not isinstance(values, list):
                raise ValueError(f"{field!r} as a list of integers, got {type(values).__name__}")
            for x in values:
                if not isinstance(x, Integral) or (x < 0 and (values is tokens or x != IGNORE_INDEX)):
                    also = "" if values is tokens else f", or {IGNORE_INDEX},"
                    raise ValueError(f"tokens, integers of at least 0{also} in {field!r}, got {x!r}")
        if len(tokens) != len(labels):
            raise ValueError(f"a label for each of its {len(tokens)} tokens in '{prefix}labels', got {len(labels)}")
        # nothing predicts the first token
        counted = len(labels[1:]) - labels[1:].count(IGNORE_INDEX)
        if not counted:
            raise ValueError(
                f"a response, whose labels are its tokens, got '{prefix}labels' that are all {IGNORE_INDEX}"
            )
        for field in ("chosen_ref_logp",) if prefix else ("ref_logp", "ref_token_logp"):
            if field not in item:
                continue
            found = item[field] if field == "ref_token_logp" else [item[field]]
            expected = counted if field == "ref_token_logp" else 1
            if not isinstance(found, list) or len(found) != expected:
                got = len(found) if isinstance(found, list) else describe(found)
                raise ValueError(f"{expected} numbers, one for each token of the response, as {field!r}, got {got}")
            if not all(map(_is_finite, found)):
                raise ValueError(f"finite numbers as {field!r}, got {item[field]!r}")


def _is_finite(value: Any) -> bool:
    try:
        return math.isfinite(value)
    except TypeError:
        return False
