"""Measurements too slow for a build of the book, each in a JSON file with the command and the versions that made it."""

import json
import re
from importlib.resources import files

from npo_tutorial._checks import check_choice


def load(name):
    """The measurements in ``<name>.json``, as a dict."""
    texts = {file.name.removesuffix(".json"): file for file in files(__name__).iterdir() if file.name.endswith(".json")}
    return json.loads(texts[check_choice("name", name, texts)].read_text("utf-8"))


def save(name, measurements):
    """Write measurements to ``<name>.json``, in a checkout of the sources."""
    text = json.dumps(measurements, indent=1, ensure_ascii=False)
    # a list of numbers or of tokens is a line
    text = re.sub(r"\[\s+([^\[\]{}]*?)\s+\]", lambda match: "[" + re.sub(r",\n\s*", ", ", match[1]) + "]", text)
    files(__name__).joinpath(f"{name}.json").write_text(text + "\n", "utf-8")
