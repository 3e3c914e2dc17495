"""Measurements too slow for a build of the book, each in a JSON file with the command and the versions that made it."""

import json
from importlib.resources import files


def load(name):
    """The measurements in ``<name>.json``, as a dict."""
    return json.loads(files(__name__).joinpath(f"{name}.json").read_text("utf-8"))
