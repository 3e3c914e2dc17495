"""What a check says: the hints of hints.toml, filled in, the call that shows the mistake, the line that raised."""

import math
import tomllib
import traceback
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

from npo_tutorial.homework.compare import Mistake, Result, attempt

HINTS = tomllib.loads((resources.files(__package__) / "hints.toml").read_text("utf-8"))
# A call is shown if none of its arrays is larger: small enough to be repeated by hand.
SHOWN = 24
WORDS = {
    "en": {
        "line": ", in line {number} of {file}: `{text}`",
        "call": "{name}({arguments}) returned {result}.",
        "cut": "\n[{name} prints more than {limit} characters: the rest is left out]\n",
    },
    "zh": {
        "line": "，位于 {file} 第 {number} 行：`{text}`",
        "call": "{name}({arguments}) 返回了 {result}。",
        "cut": "\n[{name} 输出了超过 {limit} 个字符，其余从略]\n",
    },
}


def message(name: str, mistake: Mistake, language: str) -> str:
    """Which function, what is wrong with it, and the call that shows it if that is short enough."""
    details = dict(mistake.details)
    if where := details.get("where"):
        details["where"] = WORDS[language]["line"].format(**where)
    text = f"{name}: {HINTS[mistake.hint][language].format(name=name, **details)}"
    if mistake.result is not None and (call := _call(mistake.result)):
        text += "\n" + WORDS[language]["call"].format(name=name, **call)
    # half of a surrogate pair, in the text of an exception, could not be printed
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def cut_notice(name: str, limit: int, language: str) -> str:
    return WORDS[language]["cut"].format(name=name, limit=limit)


def named(error: BaseException) -> str:
    """Its type and what it says, both of which may be a student's and raise."""
    name = attempt(lambda: type(error).__name__, "an exception")
    text = attempt(lambda: f"{name}: {error}" if str(error) else name, name)
    return text if len(text) <= 200 else text[:200] + "…"


def place(error: BaseException, fn: Any) -> tuple[dict[str, Any], bool]:
    """The last line of the student's own file on the way to an exception, and whether it was raised there."""
    file = getattr(getattr(fn, "__code__", None), "co_filename", "")
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if frame.filename == file]
    if not own:
        return {}, False
    last = own[-1]
    # IPython's cell file names mean nothing to students
    shown = "<cell>" if "ipykernel" in file else Path(file).name
    return {"number": last.lineno, "file": shown, "text": last.line} if last.line else {}, last is frames[-1]


def _call(result: Result) -> dict[str, str] | None:
    if result.arguments is None or not all(map(_is_short, (*result.arguments.values(), result.value))):
        return None
    arguments = ", ".join(f"{key}={_shown(value)}" for key, value in result.arguments.items())
    return {"arguments": arguments, "result": _shown(result.value)}


def _is_short(value: Any) -> bool:
    return isinstance(value, (int, float)) or (hasattr(value, "shape") and math.prod(value.shape) <= SHOWN)


def _shown(value: Any) -> str:
    if isinstance(value, (int, float)):
        return f"{value:g}" if isinstance(value, float) else repr(value)
    array = np.asarray(value.detach() if hasattr(value, "detach") else value)
    return np.array2string(array, separator=", ", formatter={"float": "{:.6g}".format}).replace("\n", "")
