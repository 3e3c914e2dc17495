"""Adapters of `peft`: a model that trains one contains its own reference, and may be merged (page "large-models")."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from npo_tutorial._extras import require

# the adapter that holds a copy of the one being trained, as it was before
REFERENCE = "reference"


def _trained_adapters(model: Any) -> tuple[set[str], bool]:
    """Names of the adapters that are trained, and whether nothing else is."""
    known = set(getattr(model, "peft_config", ()))
    paths = [set(name.split(".")) for name, x in model.named_parameters() if x.requires_grad]
    return {name for name in known if any(name in path for path in paths)}, all(known & path for path in paths)


def has_adapter(model: Any) -> bool:
    """Whether all that is trained is an adapter, so that `reference_of` works and no second model is needed."""
    trained, alone = _trained_adapters(model)
    return bool(trained) and alone


@contextmanager
def reference_of(model: Any) -> Iterator[None]:
    """Inside this context `model` computes as the reference does: without the adapter that is being trained.

    Adapters that are active and frozen stay on. A frozen adapter with the name "reference", as `load` makes it from the
    adapter in a folder, takes the place of the one that is trained.

    Parameters
    ----------
    model : peft.PeftModel or transformers.PreTrainedModel
        With an adapter of `peft`; not wrapped for distribution.

    Raises
    ------
    ValueError
        Nothing but an adapter must be trained; otherwise the model as it was before is not there any more.

    Examples
    --------
    >>> with reference_of(model), torch.no_grad():  # doctest: +SKIP
    ...     ref_logits = model(**tokens).logits
    """
    trained, alone = _trained_adapters(model)
    if not trained or not alone:
        what = "no adapter" if not trained else "an adapter and other weights, such as biases"
        raise ValueError(f"model must train an adapter and nothing else to contain its reference, got {what}")
    layers: list[Any] = [layer for layer in model.modules() if isinstance(layer, _adapter_layers())]
    active = next(list(layer.active_adapters) for layer in layers)
    names = [name for name in active if name not in trained] + [REFERENCE] * (REFERENCE in model.peft_config)
    set_adapter = require("peft.functional").set_adapter
    # switching an adapter also changes what is trained
    flags = [(x, x.requires_grad) for x in model.parameters()]
    try:
        if names:
            set_adapter(model, names, inference_mode=True)
        else:
            for layer in layers:
                layer.enable_adapters(False)
        yield
    finally:
        if names:
            set_adapter(model, active)
        else:
            for layer in layers:
                layer.enable_adapters(True)
        for x, flag in flags:
            x.requires_grad_(flag)


def _adapter_layers() -> tuple[Any, Any]:
    return (
        require("peft.tuners.tuners_utils").BaseTunerLayer,
        # weights that are trained whole, such as an embedding: "modules_to_save"
        require("peft.utils.other").AuxiliaryTrainingWrapper,
    )


def check_reference(model: Any, ref_model: Any = None) -> None:
    """Check that the reference is another model than the one being trained, and equals it before the first step.

    Parameters
    ----------
    model : transformers.PreTrainedModel or peft.PeftModel
    ref_model : transformers.PreTrainedModel, optional
        Without it the reference is `reference_of(model)`.

    Raises
    ------
    ValueError
        `ref_model` shares weights with `model`, as the base does that `peft.get_peft_model` changed; or the adapter has
        been trained before, and there is no frozen copy of it.
    """
    if ref_model is not None:
        own = set(map(id, model.parameters()))
        if any(id(x) in own for x in ref_model.parameters()):
            raise ValueError(
                "ref_model must not share weights with model, which is being trained: load it a second time, or leave "
                "it out if model has an adapter, without which model is the reference"
            )
        return
    torch = require("torch")
    was_training, device = model.training, next(model.parameters()).device
    tokens = torch.arange(8, device=device)[None]
    model.eval()
    try:
        with torch.no_grad():
            now = model(input_ids=tokens).logits
            with reference_of(model):
                reference = model(input_ids=tokens).logits
    finally:
        model.train(was_training)
    if not torch.allclose(now, reference, rtol=1e-3, atol=1e-3, equal_nan=True):
        raise ValueError(
            "model must have a new adapter, or a frozen copy of its adapter named 'reference', got an adapter that has "
            f"been trained before: model.load_adapter(FOLDER, {REFERENCE!r}) makes the copy"
        )


def final_model(model: Any, *, merge: bool = False) -> Any:
    """The model as it should be saved: as it is, or as a plain model.

    Parameters
    ----------
    model : transformers.PreTrainedModel or peft.PeftModel
        Changed in place.
    merge : bool
        Add the adapter to the weights, in their own dtype. In half precision this rounds its update; a warning says how
        much of it is lost.
    """
    if not merge:
        return model
    lost = _lost_in_merging(model)
    if lost >= 0.01:
        warnings.warn(
            f"merging rounds the update to the weights' dtype, which loses {lost:.0%} of it (in the Euclidean "
            "norm): --dtype float32 keeps all of it",
            stacklevel=2,
        )
    return model.merge_and_unload(safe_merge=True)


def _lost_in_merging(model: Any) -> float:
    """Norm of what rounding changes, over the norm of the adapter's update."""
    torch = require("torch")
    rounding, update = 0.0, 0.0
    for layer in model.modules():
        if isinstance(layer, _adapter_layers()[0]) and hasattr(layer, "get_delta_weight"):
            weight = layer.get_base_layer().weight
            delta: Any = sum(layer.get_delta_weight(name) for name in layer.active_adapters if name in layer.lora_A)
            if torch.is_tensor(delta):
                # not every device has numbers in double precision
                weight, delta = weight.cpu(), delta.cpu()
                exact = weight.double() + delta.double()
                rounding += (exact.to(weight.dtype).double() - exact).square().sum().item()
                update += delta.double().square().sum().item()
    return (rounding / update) ** 0.5 if update else 0.0
