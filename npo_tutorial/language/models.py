"""Models for `NPOTrainer`: where they are, whether they are whole, and how they are loaded (page "large-models").

Errors name the options as they are typed.
"""

import copy
import json
import os
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from npo_tutorial._checks import check_choice, check_count
from npo_tutorial._extras import require
from npo_tutorial.language.adapters import REFERENCE
from npo_tutorial.language.runs import shard_names

if TYPE_CHECKING:
    import torch
    import transformers

DType = Literal["float32", "bfloat16", "float16", "auto"]
# the defaults of TRL's LoRA
RANK, ALPHA = 16, 32
# peft's word for every linear layer but the last
ALL_LAYERS = "all-linear"
# how many numbers of a weight matrix are checked at most
SAMPLE = 2**16


@dataclass
class ModelArguments:
    """Which model is trained, in which numbers, and whether an adapter is trained in its place."""

    _argument_group_name = "model and memory"

    model: str = field(
        metadata={
            "help": "name of a causal language model on a hub, or folder of a model or of an adapter. HF_ENDPOINT is "
            "the address of the hub, for example of a mirror; with HF_HUB_OFFLINE=1 only models that are already "
            "downloaded are used. A model from ModelScope: modelscope download --model NAME --local_dir FOLDER, then "
            "--model FOLDER",
            "metavar": "MODEL",
        }
    )
    dtype: DType | None = field(
        default=None,
        metadata={
            "help": "numbers in which the weights are kept, and saved; auto: those of the files. float16 only for the "
            "frozen weights below an adapter (default: float32; bfloat16 below an adapter, unless it is merged)"
        },
    )
    lora: bool = field(
        default=False,
        metadata={
            "help": "train an adapter (LoRA, in float32) and freeze the model: it is the reference, too. Needs peft, "
            "and about ten times the learning rate"
        },
    )
    lora_rank: int | None = field(
        default=None, metadata={"help": f"rank of the adapter's matrices (default: {RANK})", "metavar": "N"}
    )
    lora_alpha: int | None = field(
        default=None, metadata={"help": f"the adapter is multiplied by alpha / rank (default: {ALPHA})", "metavar": "N"}
    )
    lora_targets: list[str] | None = field(
        default=None,
        metadata={"help": f"names of the layers that get an adapter (default: {ALL_LAYERS})", "metavar": "LAYER"},
    )
    load_in_4bit: bool = field(
        default=False,
        metadata={"help": "QLoRA: keep the frozen weights below an adapter in 4 bits; needs bitsandbytes and CUDA"},
    )
    merge: bool = field(
        default=False, metadata={"help": "add the trained adapter to the weights, and write a plain model"}
    )


@dataclass(frozen=True)
class Source:
    """What is known of a model before its weights are loaded."""

    base: str
    """Folder of the weights, or their name on the hub."""
    adapter: str | None
    """Folder of the adapter on them, or its name on the hub."""
    config: Any
    tokenizer: Any
    vocabulary: int
    """Tokens of the embedding: a token's id must be smaller."""
    positions: int | None
    """Tokens of the longest sequence; None if nothing limits them."""


def look_up(arguments: ModelArguments) -> Source:
    """Check all that can be checked without the weights, and load configuration and tokenizer.

    Raises
    ------
    ValueError
        An option, a folder or a hub's model that cannot be used; the message has the remedy.
    ImportError
        peft or bitsandbytes is needed and missing.
    """
    base, adapter = _locate(arguments.model)
    _check_options(arguments, adapter)
    config = _config(base)
    folder = adapter if adapter and Path(adapter, "tokenizer_config.json").is_file() else base
    tokenizer = _tokenizer(folder)
    if arguments.lora_targets:
        _check_targets(arguments, config)
    text = config.get_text_config(decoder=True)
    return Source(base, adapter, config, tokenizer, text.vocab_size, getattr(text, "max_position_embeddings", None))


def load(
    arguments: ModelArguments, source: Source | None = None, *, device_map: Any = None
) -> "tuple[Any, transformers.PreTrainedTokenizerBase]":
    """The model and its tokenizer, as the options ask for.

    With an adapter the model's own weights are frozen. A new adapter starts as zero, at random weights that depend on
    PyTorch's seed; an adapter in the folder goes on, with a frozen copy named "reference", so that `reference_of` gives
    the model as it was loaded.

    Parameters
    ----------
    arguments : ModelArguments
    source : Source, optional
        What `look_up` returned, if it was called before.
    device_map : optional
        As for `transformers.PreTrainedModel.from_pretrained`.

    Raises
    ------
    ValueError, ImportError
        As in `look_up`, and if the weights cannot be loaded, or are not those of this model.
    """
    source = look_up(arguments) if source is None else source
    has_adapter = arguments.lora or source.adapter is not None
    dtype = arguments.dtype or ("bfloat16" if has_adapter and not arguments.merge else "float32")
    options: dict[str, Any] = {"config": source.config, "dtype": dtype, "device_map": device_map}
    if arguments.load_in_4bit:
        options |= _four_bits(dtype, device_map)
    model = _weights(source.base, options)
    if source.adapter is not None:
        model = _load_adapter(model, source.adapter)
    elif arguments.lora:
        model = _add_adapter(model, arguments)
    if has_adapter:
        # recomputed activations need an input with a gradient, and the embedding has none
        model.enable_input_require_grads()
    return model, source.tokenizer


def _check_options(arguments: ModelArguments, adapter: str | None) -> None:
    if arguments.dtype is not None:
        check_choice("--dtype", arguments.dtype, get_args(DType))
    for option in ("lora", "lora_rank", "lora_alpha", "lora_targets"):
        value = getattr(arguments, option)
        name = f"--{option.replace('_', '-')}"
        if value is None or value is False:
            continue
        if adapter is not None:
            raise ValueError(f"{name} must be left out with an adapter as --model, which has its own, got {value}")
        if not arguments.lora:
            raise ValueError(f"{name} must be left out without --lora, got {value}")
        if option == "lora":
            continue
        if option == "lora_targets":
            if not value or not all(value):
                raise ValueError(f"{name} must be names of layers, got {value}")
        else:
            check_count(name, value)
    has_adapter = arguments.lora or adapter is not None
    for option in ("load_in_4bit", "merge"):
        if getattr(arguments, option) and not has_adapter:
            raise ValueError(f"--{option.replace('_', '-')} needs an adapter: add --lora")
    if arguments.dtype == "float16" and not has_adapter:
        raise ValueError(
            "--dtype must not be float16 for weights that are trained, because small gradients vanish in it: use "
            "--dtype float32 with --fp16 or --bf16, or an adapter, --lora"
        )
    if arguments.merge and arguments.load_in_4bit:
        raise ValueError(
            "--merge must be left out with --load-in-4bit, which would round the merged weights to 4 bits: merge the "
            "adapter that is written by merge_and_unload of the package peft, on a CPU if need be"
        )
    if has_adapter:
        require("peft")
    if arguments.load_in_4bit:
        if not require("torch").cuda.is_available():
            raise ValueError("--load-in-4bit needs a GPU with CUDA, got none: use --lora with --dtype bfloat16")
        if find_spec("bitsandbytes") is None:
            raise ImportError("--load-in-4bit needs bitsandbytes: pip install bitsandbytes")


# ---- where a model is


def _locate(model: str) -> tuple[str, str | None]:
    """Base and adapter of --model; folders are checked."""
    if not model.strip():
        raise ValueError(f"--model must be a folder or a name on a hub, got {model!r}")
    path = Path(model)
    if path.is_file():
        remedy = (
            "GGUF files are for inference, so use the model that it was made from"
            if path.suffix == ".gguf"
            else f"use its folder, {path.parent}"
        )
        raise ValueError(f"--model must be a folder or a name on a hub, got the file {model}: {remedy}")
    if not path.is_dir():
        if path.is_absolute() or model.startswith((".", "~")) or len(path.parts) > 2 or "\\" in model:
            raise ValueError(f"--model must be a folder that exists or a name on a hub, got {model}")
        return _locate_on_hub(model)
    if (path / "config.json").is_file():
        _check_alone("--model", path)
        _check_weights("--model", path, "model")
        return model, None
    if (path / "adapter_config.json").is_file():
        _check_weights("--model", path, "adapter_model")
        return _base_of(model, path / "adapter_config.json"), model
    raise ValueError(f"--model must be a folder with config.json or adapter_config.json, got {_contents(path)}")


def _locate_on_hub(name: str) -> tuple[str, str | None]:
    with _hub_errors(name):
        adapter_config = require("transformers.utils").find_adapter_config_file(name)
    return (name, None) if adapter_config is None else (_base_of(name, Path(adapter_config)), name)


def _base_of(adapter: str, file: Path) -> str:
    """The base that an adapter's configuration names, checked if it is a folder."""
    base = _read_json(file).get("base_model_name_or_path")
    place = f"the base model of the adapter {adapter}"
    if not isinstance(base, str) or not base:
        raise ValueError(
            f'{place} must be named in {file}, as "base_model_name_or_path", got {json.dumps(base)}: write its folder '
            "or its name on a hub there"
        )
    path = Path(base)
    if path.is_dir():
        if not (path / "config.json").is_file():
            raise ValueError(f"{place} must be a folder with config.json, got {_contents(path)}")
        _check_alone(place, path)
        _check_weights(place, path, "model")
    elif path.is_absolute() or base.startswith((".", "~")) or len(path.parts) > 2:
        raise ValueError(f'{place} must exist, got {base}: correct "base_model_name_or_path" in {file}')
    return base


def _contents(folder: Path) -> str:
    """What a folder without a configuration has instead, with the remedy."""
    names = sorted(path.name for path in folder.iterdir())
    checkpoints = [name for name in names if name.startswith("checkpoint-")]
    if checkpoints:
        newest = max(checkpoints, key=lambda name: int("0" + "".join(filter(str.isdigit, name))))
        return f"{folder} with checkpoints: use {folder / newest}"
    if any(name.endswith(".gguf") for name in names):
        return f"{folder} with GGUF files, which are for inference: use the model that they were made from"
    if any(name.endswith(".distcp") or name == "pytorch_model_fsdp_0" for name in names):
        return f"{folder} with the pieces of a sharded model: join them by accelerate merge-weights"
    return f"{folder} with {', '.join(names[:5]) + (' …' if len(names) > 5 else '') if names else 'nothing in it'}"


def _check_alone(what: str, folder: Path) -> None:
    """A folder has a model or an adapter: where both are, transformers would load both, and train nothing."""
    if (folder / "adapter_config.json").is_file():
        raise ValueError(
            f"{what} must be the folder of a model or of an adapter, got {folder} with both config.json and "
            "adapter_config.json: move the files of one of them into another folder"
        )


def _check_weights(what: str, folder: Path, name: str) -> None:
    """Every file of weights is there and as long as it says."""
    index = folder / f"{name}.safetensors.index.json"
    if index.is_file():
        try:
            shards = shard_names(_read_json(index))
        except ValueError as error:
            raise ValueError(
                f"{what} must have an index of its weights, got {index} ({error}): download it again"
            ) from None
    elif (folder / f"{name}.safetensors").is_file():
        shards = [f"{name}.safetensors"]
    elif any(folder.glob("*.bin")):
        # PyTorch's files do not say how long they are
        return
    else:
        raise ValueError(f"{what} must contain weights, {name}.safetensors, got {_contents(folder)}")
    safetensors = require("safetensors")
    for shard in shards:
        path = folder / shard
        if not path.is_file():
            raise ValueError(f"{what} must have all files that {index} names, got no {shard}: download it again")
        with path.open("rb") as file:
            if file.read(40).startswith(b"version https://git-lfs"):
                raise ValueError(f"{what} must contain weights, got a pointer of Git LFS as {path}: run git lfs pull")
        try:
            with safetensors.safe_open(path, "np"):
                pass
        except safetensors.SafetensorError as error:
            raise ValueError(
                f"{what} must have whole weights, got {path} with {path.stat().st_size} bytes ({error}): copy or "
                "download it again"
            ) from None


def _read_json(file: Path) -> dict[str, Any]:
    try:
        content = json.loads(file.read_text("utf-8"))
    except UnicodeDecodeError as error:
        raise ValueError(f"{file}: not UTF-8 ({error.reason})") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"{file}, line {error.lineno}: not JSON ({error.msg})") from None
    except RecursionError:
        raise ValueError(f"{file}: not JSON (nested too deeply)") from None
    if not isinstance(content, dict):
        raise ValueError(f"{file} must contain a JSON object, got {json.dumps(content)[:40]}")
    return content


# ---- configuration, tokenizer, weights


def _config(base: str) -> Any:
    """The configuration of a causal language model that transformers knows."""
    auto = require("transformers.models.auto.modeling_auto")
    if Path(base).is_dir():
        _read_json(Path(base, "config.json"))
    try:
        with _hub_errors(base):
            # code that comes with a model is not run
            config = require("transformers").AutoConfig.from_pretrained(base, trust_remote_code=False)
    except _Unusable:
        raise
    except Exception as error:
        raise ValueError(f"--model must be a model that transformers knows, got {base} ({_line(error)})") from None
    expected = auto.MODEL_FOR_CAUSAL_LM_MAPPING_NAMES.get(config.model_type)
    given = getattr(config, "architectures", None) or [expected]
    if expected is None or config.is_encoder_decoder or expected.lower() not in map(str.lower, map(str, given)):
        causal = "" if expected is None else f", such as {expected}"
        raise ValueError(
            f"--model must be a causal language model{causal}, got {given[0] or config.model_type}: {base}"
        )
    return config


def _tokenizer(folder: str) -> Any:
    try:
        with _hub_errors(folder):
            tokenizer = require("transformers").AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
        if len(tokenizer) <= len(tokenizer.all_special_tokens):
            # some versions of transformers make one of no file at all
            raise ValueError("it has only special tokens")
    except _Unusable:
        raise
    except Exception as error:
        raise ValueError(
            f"--model must contain a tokenizer, got none that can be loaded from {folder} ({_line(error)}): copy "
            "tokenizer.json and tokenizer_config.json of the model that it was made from"
        ) from None
    return tokenizer


def _weights(base: str, options: dict[str, Any]) -> Any:
    transformers = require("transformers")
    if (file := Path(base, "generation_config.json")).is_file():
        # transformers loads it with the weights, and its error would be about them
        try:
            transformers.GenerationConfig.from_pretrained(base)
        except Exception as error:
            raise ValueError(
                f"--model must have a generation_config.json that can be loaded, got {file} ({_line(error)}): correct "
                "it, or delete it"
            ) from None
    try:
        with _hub_errors(base):
            model, report = transformers.AutoModelForCausalLM.from_pretrained(
                base, trust_remote_code=False, output_loading_info=True, **options
            )
    except _Unusable:
        raise
    except Exception as error:
        raise ValueError(f"--model must have weights that can be loaded, got {base} ({_line(error)})") from error
    missing = sorted(report["missing_keys"])
    if missing:
        raise ValueError(
            f"--model must have all weights of a {type(model).__name__}, got {base} without {missing[0]}"
            + f" and {len(missing) - 1} others" * (len(missing) > 1)
        )
    if bad := not_finite(model):
        raise ValueError(f"--model must have finite weights, got {base} with nan or inf in {bad}: copy it again")
    return model


class _Unusable(ValueError):
    """A message that needs no further words."""


@contextmanager
def _hub_errors(name: str) -> Iterator[None]:
    """Turns errors of the hub into one sentence with the remedy."""
    try:
        yield
    except OSError as error:
        hub = require("huggingface_hub")
        cause, endpoint = error.__cause__ or error, hub.constants.ENDPOINT
        if isinstance(cause, hub.errors.GatedRepoError):
            raise _Unusable(
                f"--model must be a model that you may use, got {name}: accept its terms at {endpoint}/{name}, then "
                "run hf auth login"
            ) from None
        if isinstance(cause, hub.errors.RepositoryNotFoundError | hub.errors.HFValidationError):
            raise _Unusable(
                f"--model must be a folder that exists or a name on {endpoint}, got {name}; for a private model run "
                "hf auth login first"
            ) from None
        if isinstance(cause, hub.errors.LocalEntryNotFoundError | hub.errors.HfHubHTTPError | ConnectionError):
            reason = "HF_HUB_OFFLINE is set" if hub.constants.HF_HUB_OFFLINE else f"{endpoint} cannot be reached"
            raise _Unusable(
                f"--model must be a folder that exists or a model that can be downloaded, got {name}, but {reason}: "
                f"set HF_ENDPOINT to a mirror, or use --model FOLDER after modelscope download --model {name} "
                "--local_dir FOLDER"
            ) from None
        raise


def _line(error: Exception) -> str:
    """The first line of a message, which may have paragraphs."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200].rstrip(" :.")


# ---- adapters


def _four_bits(dtype: str, device_map: Any) -> dict[str, Any]:
    torch, transformers = require("torch"), require("transformers")
    # QLoRA's own choices (arXiv:2305.14314): NormalFloat, and constants that are quantized, too
    config = transformers.BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=torch.bfloat16 if dtype == "auto" else getattr(torch, dtype),
    )
    return {"quantization_config": config, "device_map": device_map or {"": int(os.environ.get("LOCAL_RANK", "0"))}}


@contextmanager
def _quiet() -> Iterator[None]:
    """Without what peft and transformers say about each other's names."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        yield


def _check_targets(arguments: ModelArguments, config: Any) -> None:
    """Raise ValueError for targets that a model of this kind does not have, found without its weights."""
    torch, transformers = require("torch"), require("transformers")
    with torch.device("meta"), warnings.catch_warnings():
        # what is warned of is warned of again with the weights
        warnings.simplefilter("ignore")
        try:
            model = transformers.AutoModelForCausalLM.from_config(copy.deepcopy(config), trust_remote_code=False)
        except Exception:
            # nothing is known yet: peft checks the targets again, with the weights
            return
        names, layers = [name for name, _ in model.named_modules()], _layers(model)
        made = _add_adapter(model, arguments).peft_config["default"]
    # peft is content with one target that exists; where it renamed some (experts), it has target_parameters, too
    if isinstance(made.target_modules, str) or made.target_parameters:
        return
    for target in arguments.lora_targets or ():
        if target in made.target_modules and not any(f".{name}".endswith(f".{target}") for name in names):
            raise ValueError(
                f"--lora-targets must be layers of this model, got {arguments.lora_targets} (there is no {target!r}): "
                f"it has {layers}"
            )


def _layers(model: Any) -> str:
    """The names of all layers that can have an adapter."""
    torch, transformers = require("torch"), require("transformers")
    kinds = (torch.nn.Linear, torch.nn.Embedding, transformers.pytorch_utils.Conv1D)
    return ", ".join(sorted({name.rpartition(".")[2] for name, x in model.named_modules() if isinstance(x, kinds)}))


def _add_adapter(model: Any, arguments: ModelArguments) -> Any:
    peft = require("peft")
    targets = arguments.lora_targets
    # peft takes the word only by itself, and a command line makes a list of it
    if isinstance(targets, list) and len(targets) == 1 and targets[0].lower() == ALL_LAYERS:
        targets = ALL_LAYERS
    # before peft puts its own layers there
    layers = _layers(model)
    config = peft.LoraConfig(
        task_type="CAUSAL_LM",
        r=arguments.lora_rank or RANK,
        lora_alpha=arguments.lora_alpha or ALPHA,
        target_modules=targets or ALL_LAYERS,
    )
    try:
        with _quiet():
            return peft.get_peft_model(model, config)
    except (ValueError, re.error) as error:
        why = _line(error).partition(". ")[0].rstrip("(")
        raise ValueError(
            f"--lora-targets must be layers of this model, got {arguments.lora_targets} ({why}): it has {layers}"
        ) from None


def _load_adapter(model: Any, folder: str) -> Any:
    peft = require("peft")
    try:
        with _quiet():
            model = peft.PeftModel.from_pretrained(model, folder, is_trainable=True)
            # frozen, and not active until `reference_of` asks for it
            model.load_adapter(folder, REFERENCE, is_trainable=False)
            model.set_adapter("default")
        # what is saved, and resumed, is the adapter alone
        model.save_pretrained = partial(model.save_pretrained, selected_adapters=["default"])
    except Exception as error:
        raise ValueError(
            f"--model must be an adapter that fits its base model, got {folder} ({_line(error)})"
        ) from error
    return model


# ---- weights that cannot be trained


def not_finite(model: "torch.nn.Module") -> str | None:
    """The name of a weight that is nan or inf, if there is one; under FSDP only the first process has all weights."""
    if os.environ.get("RANK", "0") != "0":
        return None
    return next((name for name, x in model.named_parameters() if not x.is_meta and not x.isfinite().all()), None)


def still_share(model: "torch.nn.Module", step: float) -> float:
    """Share of the trained weights that `step`, added or subtracted, leaves as they are.

    A weight w in bfloat16 has neighbours at a distance of about w/128 to w/256; a step of less than half of that is
    rounded away, at every step anew. AdamW moves each weight by about the learning rate.

    Parameters
    ----------
    model : torch.nn.Module
    step : float
        Length of a weight's step, in the weight's own unit.

    Examples
    --------
    >>> import torch
    >>> layer = torch.nn.Linear(2, 1, bias=False, dtype=torch.bfloat16)
    >>> layer.weight.data = torch.tensor([[1.0, 0.001]], dtype=torch.bfloat16)
    >>> still_share(layer, 1e-5)
    0.5
    """
    still = count = 0.0
    for x in model.parameters():
        if x.requires_grad:
            weights = x.detach().flatten()
            # not every device has numbers in double precision
            sample = weights[:: -(-len(weights) // SAMPLE)].cpu()
            exact = sample.double()
            rests = ((exact + step).to(x.dtype) == sample) & ((exact - step).to(x.dtype) == sample)
            still += rests.double().mean().item() * len(weights)
            count += len(weights)
    return still / max(count, 1)


def warn_of_still_weights(model: "torch.nn.Module", learning_rate: float) -> None:
    """Warn if a tenth of the trained weights would not move with AdamW at this learning rate."""
    share = still_share(model, learning_rate)
    # a rate of 0 is meant to move nothing
    if learning_rate > 0 and share >= 0.1:
        dtype = next(str(x.dtype) for x in model.parameters() if x.requires_grad).removeprefix("torch.")
        half = "load them with dtype='float32' and train with bf16=True, or train an adapter (LoRA)"
        warnings.warn(
            f"about {share:.0%} of the weights will not move: at learning_rate={learning_rate:g} a step is lost when "
            f"they are rounded to {dtype}: {half if 'float16' in dtype else 'raise it'}",
            stacklevel=2,
        )
