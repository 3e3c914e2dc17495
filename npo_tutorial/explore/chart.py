"""The schema of `Explorer.chart`: all that the script draws, except the numbers.

Python writes it and explorer.js reads it; `tests/explore_golden.json` is an example that the tests of both read.
"""

from typing import NotRequired, TypedDict

from npo_tutorial.explore.texts import Text

Limits = list[float]


class XAxis(TypedDict):
    """The horizontal axis of a panel; `values` are the abscissae of the curves that have none of their own."""

    label: Text
    scale: str
    limits: Limits
    values: list[float]


class YAxis(TypedDict):
    """The vertical axis of a panel; `limits` has one pair for the whole grid, or one for each grid point."""

    label: Text
    scale: str
    limits: list[Limits]


class LinearLimits(TypedDict):
    """Limits of the axes when logarithmic ones are drawn linearly: `y` has a pair for each grid point."""

    x: Limits
    y: list[Limits]


class Curve(TypedDict):
    """A curve: its `kind` is a row of `kinds.KINDS`, `length` is how many numbers each of its channels has.

    `look` is the number of its colour, dash and symbol; images have none.
    """

    name: str
    kind: str
    length: int
    label: Text
    look: NotRequired[int]


class PanelState(TypedDict):
    """One panel: axes and curves; `linear` is None where the axes cannot be switched."""

    x: XAxis
    y: YAxis
    curves: list[Curve]
    linear: LinearLimits | None


class GridState(TypedDict):
    """A parameter: `values` are increasing numbers, or names with their texts in `names`; `start` is a position."""

    name: str
    label: Text
    scale: str
    values: list[float] | list[int] | list[str]
    names: list[Text] | None
    start: int


class PassagesState(TypedDict):
    """Passages under the chart.

    A text is a pair: positions in `pieces`, and a strength in whole per cent for each. `frames` has the number of a
    text for each title of each grid point, one grid point after the other; `longest` the number of the text that needs
    most room under each title.
    """

    label: Text
    titles: list[Text]
    pieces: list[str]
    texts: list[list[list[int]]]
    frames: list[int]
    longest: list[int]


class Chart(PanelState):
    """A chart, which is also its first panel; the second is `beside`.

    `images` are addresses of pictures (data:…), `sentences` has one for each grid point or is empty, `animate` is the
    name of the grid that the play button runs through.
    """

    title: Text
    beside: PanelState | None
    grids: list[GridState]
    animate: str | None
    images: list[str]
    sentences: list[Text]
    passages: PassagesState | None
