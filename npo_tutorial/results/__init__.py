"""Measurements too slow for a build of the book, each in a JSON file with the command and the versions that made it."""

import json
from importlib.resources import files

from npo_tutorial._checks import check_choice


def load(name):
    """The measurements in ``<name>.json``, as a dict."""
    texts = {file.name.removesuffix(".json"): file for file in files(__name__).iterdir() if file.name.endswith(".json")}
    return json.loads(texts[check_choice("name", name, texts)].read_text("utf-8"))
