"""The kinds of curve, in one table: Python, the drawing script and the sentences for screen readers all use it.

A new kind needs a row here, a path in explorer.js (`PATHS`) and a line in picture.py.
"""

import json
from dataclasses import dataclass
from typing import Any, NamedTuple

from numpy.typing import ArrayLike

from npo_tutorial.plots import DASHES


class Path(NamedTuple):
    """A line through points in their order, with abscissae of their own: a way through the plane."""

    x: ArrayLike
    y: ArrayLike


class Band(NamedTuple):
    """The region between two curves over x."""

    lo: ArrayLike
    hi: ArrayLike


class Points(NamedTuple):
    """Separate points, with abscissae of their own."""

    x: ArrayLike
    y: ArrayLike


class Marker(NamedTuple):
    """A vertical line."""

    x: float


class Images(NamedTuple):
    """A row of the pictures given to `explore`, each as strong as its number in [0, 1]."""

    strength: ArrayLike


@dataclass(frozen=True)
class Kind:
    """A row of the table.

    Attributes
    ----------
    type
        What a function returns for such a curve; None for a plain array over x.
    channels
        A letter for each row of numbers: the axis it is measured on, or "s" for a strength.
    length
        How long a channel is: "x" as the abscissae of the panel, "own", "one", or "images" as there are images.
    sample
        Its sample in the legend, an SVG path 32 wide and 16 high; "" for the symbol of its look, None for no sample.
    words
        The curve in words, in each language. ``{1.max}`` is the largest number of channel 1; `first`, `last` and `min`
        are the others, `each` is all of them and `n` how many there are.
    """

    type: type | None
    channels: str
    length: str
    sample: str | None
    words: dict[str, str]


_LINE = "M0 8H32"
_COURSE = {
    "en": "from {%d.first} to {%d.last}, lowest {%d.min}, highest {%d.max}",
    "zh": "从 {%d.first} 到 {%d.last}，最低 {%d.min}，最高 {%d.max}",
}
_EXTENT = {
    "en": "across from {0.min} to {0.max}, up from {1.min} to {1.max}",
    "zh": "横向从 {0.min} 到 {0.max}，纵向从 {1.min} 到 {1.max}",
}


def _course(language, channel):
    """A channel along the curve, in words."""
    return _COURSE[language] % ((channel,) * 4)


# in the order in which they are drawn: regions lie under lines, lines under points
KINDS = {
    "band": Kind(
        Band,
        "yy",
        "x",
        "M1 2H31V14H1Z",
        {
            "en": f"lower edge {_course('en', 0)}; upper edge {_course('en', 1)}",
            "zh": f"下沿{_course('zh', 0)}；上沿{_course('zh', 1)}",
        },
    ),
    "marker": Kind(Marker, "x", "one", "M16-4V20", {"en": "vertical line at {0.first}", "zh": "竖线位于 {0.first}"}),
    "line": Kind(None, "y", "x", _LINE, {"en": _course("en", 0), "zh": _course("zh", 0)}),
    "path": Kind(
        Path,
        "xy",
        "own",
        _LINE,
        {
            "en": f"from ({{0.first}}, {{1.first}}) to ({{0.last}}, {{1.last}}), {_EXTENT['en']}",
            "zh": f"从 ({{0.first}}, {{1.first}}) 到 ({{0.last}}, {{1.last}})，{_EXTENT['zh']}",
        },
    ),
    "points": Kind(
        Points, "xy", "own", "", {"en": f"{{n}} points, {_EXTENT['en']}", "zh": f"{{n}} 个点，{_EXTENT['zh']}"}
    ),
    "images": Kind(
        Images,
        "s",
        "images",
        None,
        {"en": "{n} images, of strength {0.each}", "zh": "{n} 张图像，深浅为 {0.each}"},
    ),
}


def kind_of(curve: object) -> str:
    """The name of a curve's kind: that of its type, else "line"."""
    return next((name for name, kind in KINDS.items() if kind.type and isinstance(curve, kind.type)), "line")


def channels_of(kind: str, curve: Any) -> list[Any]:
    """The channels of a curve as a function returned it."""
    return list(curve) if KINDS[kind].type and KINDS[kind].length != "one" else [curve]


def curve_from(kind: str, channels: list[Any]) -> Any:
    """The inverse: a curve as a function returns it."""
    if KINDS[kind].length == "one":
        channels = [channel.item() for channel in channels]
    type_ = KINDS[kind].type
    return type_(*channels) if type_ else channels[0]


def table_for_script() -> str:
    """What explorer.js needs of the tables, as the first lines of the script."""
    kinds = {
        name: {"channels": kind.channels, "sample": kind.sample, "words": kind.words} for name, kind in KINDS.items()
    }
    # for lines 2 pixels wide
    dashes = ["" if dash == "-" else " ".join(f"{2 * length:g}" for length in dash[1]) for dash in DASHES]
    tables = {"KINDS": kinds, "DASHES": dashes}
    return "".join(f"const {name} = {json.dumps(table, ensure_ascii=False)};\n" for name, table in tables.items())
