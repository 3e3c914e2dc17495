"""What models answered, kept in files, so that no model is asked the same twice."""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from npo_tutorial.language.records import replace_file


def name_file(folder: Path, model: str, **decisive: Any) -> Path:
    """The file of a model's answers, whose name depends on all that decides what they are, and on the versions.

    A name of a model may be a path or that of a hub; only its last part is in the file's name.
    """
    versions = {name: version(name) for name in ("npo-tutorial", "torch", "transformers")}
    found = hashlib.sha256(json.dumps(decisive | versions, sort_keys=True).encode()).hexdigest()
    last = re.sub(r"[^\w.-]", "_", re.split(r"[/\\]", model.rstrip("/\\"))[-1])
    return folder / f"{last}-{found[:16]}.json"


def read_answers(file: Path) -> dict[str, Any] | None:
    """What `ask` found, or None if there is no such file; a ValueError if it is damaged."""
    try:
        answers = json.loads(file.read_text("utf-8"))["answers"]
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{file} must have what a model answered, and cannot be read: delete it") from error
    found: dict[str, Any] = answers
    return found


def write_answers(file: Path, answers: Mapping[str, Any], *, model: str, asked: Mapping[str, Any]) -> None:
    """Keep what `ask` found, with the model's name and the options for whom looks into the file."""
    content = {"model": model, "asked": asked, "answers": answers}
    replace_file(file, json.dumps(content, ensure_ascii=False).encode())


def check_folder(folder: Path) -> None:
    """Make the folder, and raise a ValueError if files cannot be written there."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        replace_file(folder / "answers.json", b"", trial=True)
    except FileExistsError:
        raise ValueError(f"--answers must be a folder, got the file {folder}") from None
    except OSError as error:
        raise ValueError(
            f"--answers must be a folder in which files can be written, got {folder} ({error.strerror})"
        ) from None


def hash_records(sets: Mapping[str, Sequence[Mapping[str, Any]]]) -> str:
    """SHA-256 of all sets, whatever files they are from."""
    lines = (json.dumps([name, *records], sort_keys=True) for name, records in sets.items())
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()
