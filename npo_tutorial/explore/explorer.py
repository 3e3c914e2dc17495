"""The Explorer: a chart with sliders or buttons, as an anywidget."""

import math
from collections.abc import Sequence
from typing import Any, cast

import numpy as np

from npo_tutorial._checks import check_choice, is_sequence
from npo_tutorial._extras import require
from npo_tutorial._locale import LANGUAGES, chosen_language
from npo_tutorial.explore.chart import Chart, Limits
from npo_tutorial.explore.encode import LEVELS, count_channels, count_numbers, unpack
from npo_tutorial.explore.kinds import KINDS, curve_from
from npo_tutorial.explore.panels import limits_at, panels_of
from npo_tutorial.explore.passages import Passage, passages_at
from npo_tutorial.explore.picture import pictures
from npo_tutorial.explore.scripts import FILES, drawing_script, nbconvert_script
from npo_tutorial.explore.texts import Text, format_values, in_all_languages

anywidget: Any = require("anywidget")
traitlets: Any = require("traitlets")


class Explorer(anywidget.AnyWidget):
    """A chart with one slider or row of buttons for each grid, made by `explore`.

    An ipywidget: `observe`, `link` and layout containers work in a running kernel. Without a kernel it moves in the
    pages of this book, of `save_html`, and of ``jupyter nbconvert --to html`` if it is an output of its own.

    Attributes
    ----------
    index : list of int
        Position in each grid. Setting it moves the sliders, and moving a slider sets it.
    linear : bool
        Whether logarithmic axes are drawn linearly, for charts that can do both.
    language : {"", "en", "zh"}
        Language of its texts, read when it is drawn; "" is the language of the page, which in JupyterLab and in Colab
        is that of the interface. By default the environment variable ``NPO_TUTORIAL_LANG`` when the explorer is made,
        or "" if that is not set.
    chart : dict
        Everything except the numbers; `npo_tutorial.explore.chart.Chart` is its schema.
    numbers : bytes
        For each grid point (the last grid varies fastest), each curve of the first and then of the second panel, and
        each of its channels: 16-bit integers, 0 at the lower end of the channel's range and 65535 at the upper. Stored
        as differences from the number before (modulo 65536), first all high bytes, then all low bytes: smooth curves
        compress better that way.
    ranges : bytes
        Both ends of those ranges as little-endian float64; on a logarithmic axis log10 of them.
    """

    _esm = drawing_script()
    _css = FILES / "explorer.css"

    chart = traitlets.Dict().tag(sync=True)
    numbers = traitlets.Bytes().tag(sync=True)
    ranges = traitlets.Bytes().tag(sync=True)
    index = traitlets.List(traitlets.Int()).tag(sync=True)
    linear = traitlets.Bool(False).tag(sync=True)
    language = traitlets.Unicode().tag(sync=True)

    @traitlets.validate("index")
    def _check_index(self, proposal):
        self._frame(proposal["value"])
        return proposal["value"]

    @traitlets.validate("linear")
    def _check_linear(self, proposal):
        if proposal["value"] and not any(panel["linear"] for panel in panels_of(self.chart)):
            raise ValueError("linear must be False for an explorer made without switch_axes, got True")
        return proposal["value"]

    @traitlets.default("language")
    def _default_language(self):
        return chosen_language()

    @traitlets.validate("language")
    def _check_language(self, proposal):
        return check_choice("language", proposal["value"], ("", *LANGUAGES))

    @property
    def values(self) -> dict[str, float | str]:
        """The parameters at the current position, a dictionary from names to values."""
        return {grid["name"]: grid["values"][i] for grid, i in zip(self.chart["grids"], self.index, strict=True)}

    @property
    def sentence(self) -> Text | None:
        """The sentence of `say` for the current position, or None."""
        sentences = self.chart["sentences"]
        return sentences[self.frame] if sentences else None

    @property
    def y_limits(self) -> Limits:
        """Limits of the first panel's vertical axis at the current position."""
        return limits_at(cast(Chart, self.chart), self.frame)

    @property
    def frame(self) -> int:
        """Number of the grid point at the current position; the last grid varies fastest."""
        return self._frame(self.index)

    def drawn(self, index: Sequence[int] | None = None, panel: int = 0) -> dict[str, Any]:
        """The curves at a position, by default the current one: name → curve, of the type that `fn` returned.

        Panel 0 is the first, panel 1 the one beside it. On the scale of its axis, each number is within 1/131070 of its
        channel's range of the number that `fn` returned.
        """
        panels = panels_of(self.chart)
        if not isinstance(panel, (int, np.integer)) or not 0 <= panel < len(panels):
            raise ValueError(f"panel must be the number of one of {len(panels)}, from 0, got {panel!r}")
        shown, before = panels[panel], [curve for one in panels[:panel] for curve in one["curves"]]
        frame, frames = self._frame(self.index if index is None else index), math.prod(self._lengths)
        row = unpack(self.numbers, frames)[frame]
        ranges = iter(np.frombuffer(self.ranges, "<f8").reshape(frames, -1, 2)[frame, count_channels(before) :])
        curves, start = {}, count_numbers(before)
        scales = {"x": shown["x"]["scale"], "y": shown["y"]["scale"]}
        for curve in shown["curves"]:
            channels = []
            for axis in KINDS[curve["kind"]].channels:
                lo, hi = next(ranges)
                numbers = lo + row[start : start + curve["length"]] * ((hi - lo) / LEVELS)
                channels.append(10**numbers if scales.get(axis) == "log" else numbers)
                start += curve["length"]
            curves[curve["name"]] = curve_from(curve["kind"], channels)
        return curves

    def passages(self, index: Sequence[int] | None = None) -> list[Passage]:
        """The passages at a position, by default the current one; without passages the list is empty.

        Their strengths are rounded to a whole per cent.
        """
        frame, described = self._frame(self.index if index is None else index), self.chart["passages"]
        return passages_at(described, frame) if described else []

    @property
    def _lengths(self):
        return [len(grid["values"]) for grid in self.chart["grids"]]

    def _frame(self, index):
        """Number of the grid point at a position."""
        lengths = self._lengths
        positions = list(index) if is_sequence(index) else []
        if len(positions) != len(lengths) or not all(
            isinstance(i, (int, np.integer)) and 0 <= i < n for i, n in zip(positions, lengths, strict=True)
        ):
            raise ValueError(f"index must contain one position for each grid, of lengths {lengths}, got {index!r}")
        return int(np.ravel_multi_index(positions, lengths))

    def __repr__(self) -> str:
        # pages show it to readers who cannot see the picture, whatever their language
        return f"Explorer({in_all_languages(self.chart['title'])!r}, {format_values(self.values)})"

    def _ipython_display_(self):
        from IPython.display import publish_display_data

        # an output of its own, because nbconvert shows one form of each output, and of a widget only its state
        publish_display_data(nbconvert_script())
        # IPython then displays the widget in its usual way
        raise NotImplementedError

    def _repr_mimebundle_(self, **kwargs):
        data, metadata = super()._repr_mimebundle_(**kwargs)
        return data | pictures(self), metadata
