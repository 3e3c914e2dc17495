"""What models answered, kept in files, so that no model is asked the same twice."""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from npo_tutorial.language.records import replace_file
from npo_tutorial.language.runs import file_hash, model_hash, reason

if TYPE_CHECKING:
    from npo_tutorial.language.models import Source

LANGUAGE = Path(__file__).parents[1]
LIBRARIES = ("npo-tutorial", "torch", "transformers", "tokenizers", "peft", "accelerate")
# characters of a model's name in the name of a file, of which some systems allow 255 bytes
LONGEST = 40


def check_folder(folder: Path) -> None:
    """Make the folder, and raise a ValueError if files cannot be written there."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        replace_file(folder / "answers.json", b"", trial=True)
    except FileExistsError:
        raise ValueError(f"--answers must be a folder, got the file {folder}") from None
    except OSError as error:
        why = reason(error)
        raise ValueError(f"--answers must be a folder in which files can be written, got {folder} ({why})") from None


def find_place(folder: Path, model: str, source: "Source", sets: Mapping[str, Any], **asked: Any) -> Path:
    """The file of a model's answers, whose name has a hash of all that decides what they are.

    Parameters
    ----------
    folder : Path
    model : str
        A path or the name on a hub; its last part is in the file's name, for those who look into the folder.
    source : Source
    sets : dict
        Lists of records by name.
    **asked
        Options of `ask`, and of loading the model.
    """
    places = [place for place in (source.base, source.adapter) if place is not None]
    decisive = {
        "weights": model_hash(places),
        # it says which tokens end an answer
        "generation": [file_hash(file) for x in places if (file := Path(x) / "generation_config.json").is_file()],
        "tokenizer": _describe_tokenizer(source.tokenizer),
        "records": {name: [*records] for name, records in sets.items()},
        "asked": asked,
        "device": _device(),
        "code": _hash(path.read_bytes() for path in sorted(LANGUAGE.rglob("*.py"))),
        "versions": {name: _version(name) for name in LIBRARIES},
    }
    found = _hash([json.dumps(decisive, sort_keys=True).encode()])
    last = re.sub(r"[^\w.-]", "_", re.split(r"[/\\]", model.rstrip("/\\"))[-1])
    return folder / f"{last[:LONGEST]}-{found[:16]}.json"


def read_answers(place: Path, names: Iterable[str]) -> dict[str, Any] | None:
    """What `ask` found, or None if there is no such file; a ValueError if it is damaged, or lacks sets with `names`."""
    try:
        found: dict[str, Any] = json.loads(place.read_text("utf-8"))["answers"]
        if not set(names) <= found.keys():
            raise ValueError("it has no answers to some of the questions")
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"--answers: {place} cannot be read ({reason(error)}): delete it") from error
    return found


def write_answers(place: Path, answers: Mapping[str, Any], *, model: str, asked: Mapping[str, Any]) -> None:
    """Keep what `ask` found, with the model's name and the options for those who look into the file."""
    content = {"model": model, "asked": asked, "answers": answers}
    replace_file(place, json.dumps(content, ensure_ascii=False).encode())


def _describe_tokenizer(tokenizer: Any) -> list[Any]:
    backend = getattr(tokenizer, "backend_tokenizer", None)
    tokens = sorted(tokenizer.get_vocab().items()) if backend is None else backend.to_str()
    return [tokens, tokenizer.chat_template, str(tokenizer.special_tokens_map), tokenizer.clean_up_tokenization_spaces]


def _device() -> str:
    import torch

    return "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _hash(parts: Iterable[bytes]) -> str:
    return hashlib.sha256(b"\0".join(parts)).hexdigest()
