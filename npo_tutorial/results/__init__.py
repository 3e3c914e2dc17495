"""Measurements that take too long for a build of the book, each in a JSON file with its command and versions."""

import json
import re
from importlib.resources import files
from pathlib import Path
from typing import Any

from npo_tutorial._checks import check_choice


def load(name: str) -> dict[str, Any]:
    """The measurements in ``<name>.json``, as a dict."""
    texts = {file.name.removesuffix(".json"): file for file in files(__name__).iterdir() if file.name.endswith(".json")}
    return json.loads(texts[check_choice("name", name, texts)].read_text("utf-8"))


def save(name: str, measurements: dict[str, Any]) -> None:
    """Write measurements to ``<name>.json``, in a checkout of the sources."""
    text = json.dumps(measurements, indent=1, ensure_ascii=False)
    # keep short lists on one line
    text = re.sub(r"\[\s+([^\[\]{}]*?)\s+\]", lambda match: "[" + re.sub(r",\n\s*", ", ", match[1]) + "]", text)
    Path(__file__).with_name(f"{name}.json").write_text(text + "\n", "utf-8")
