"""`explore`: a function's curves under sliders and buttons, live in a notebook or in a page without a kernel.

Python evaluates the function at every point of a grid of parameters and decides all limits and sentences; the script
beside this module only looks numbers up and draws them. Nothing here knows what the curves mean.
"""

import math
import pathlib
from collections.abc import Iterable
from numbers import Integral

import numpy as np

from npo_tutorial._checks import check_choice, check_flag
from npo_tutorial._extras import require
from npo_tutorial._locale import LANGUAGES, chosen_language
from npo_tutorial.explore.evaluation import (
    CHANNELS,
    KINDS,
    Band,
    Grid,
    Images,
    Marker,
    Path,
    Points,
    check_text,
    check_texts,
    coloured_names,
    evaluate,
    read_grid,
    written,
)
from npo_tutorial.explore.html import guest, in_all_languages, picture, pixel_images, save_html
from npo_tutorial.explore.panels import LEVELS, Panel, check_panel, describe, limits_at, n_channels, panels_of, quantise
from npo_tutorial.explore.passages import Passage, passages_at

anywidget, traitlets = require("anywidget"), require("traitlets")

__all__ = ["Band", "Explorer", "Grid", "Images", "Marker", "Panel", "Passage", "Path", "Points", "explore", "save_html"]

MOST_GRIDS = 3


class Explorer(anywidget.AnyWidget):
    """A chart with one slider or row of buttons for each grid, made by `explore`.

    An ipywidget: `observe`, `link` and layout containers work in a running kernel. Without one it moves in the pages of
    this book, of `save_html` and of ``jupyter nbconvert --to html``, if an output shows it by itself.

    Attributes
    ----------
    index : list of int
        Position in each grid. Setting it moves the sliders, and moving a slider sets it.
    linear : bool
        Whether logarithmic axes are drawn linearly, for charts that can do both.
    language : {"", "en", "zh"}
        What it speaks, read when it is drawn; "" is the language of the page, which in JupyterLab and in Colab is that
        of the interface. By default what the environment variable ``NPO_TUTORIAL_LANG`` says when the explorer is made,
        or "" where that is not set.
    chart : dict
        All but the numbers: texts, scales, limits, kinds and lengths of the curves, values of the grids, sentences,
        passages. The second panel has its own under "beside".
    numbers : bytes
        For each grid point (of the last grid fastest), each curve of the first and then of the second panel, and each
        of its channels: 16-bit integers, 0 at the lower end of the channel's range and 65535 at the upper. Kept as
        differences from the number before (modulo 65536), high bytes first, then low bytes: so smooth curves compress
        better.
    ranges : bytes
        Both ends of those ranges as little-endian float64; on a logarithmic axis log10 of them.
    """

    _esm = pathlib.Path(__file__).with_name("explorer.js")
    _css = pathlib.Path(__file__).with_name("explorer.css")

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
    def values(self):
        """The parameters at the current position, a dictionary from names to values."""
        return {grid["name"]: grid["values"][i] for grid, i in zip(self.chart["grids"], self.index, strict=True)}

    @property
    def sentence(self):
        """What `say` said of the current position, or None."""
        sentences = self.chart["sentences"]
        return sentences[self.frame] if sentences else None

    @property
    def y_limits(self):
        """Limits of the first panel's vertical axis at the current position."""
        return limits_at(self.chart, self.frame)

    @property
    def frame(self):
        """Number of the grid point at the current position, the last grid counting fastest."""
        return self._frame(self.index)

    def drawn(self, index=None, panel=0):
        """What a reader sees at a position, the current one if none is given: name → curve, as `fn` returned it.

        The first panel is number 0, the one beside it number 1. Each number is, on the scale of its axis, within
        1/131070 of its channel's range of what `fn` returned.
        """
        panels = panels_of(self.chart)
        if panel not in range(len(panels)):
            raise ValueError(f"panel must be the number of one of {len(panels)}, from 0, got {panel!r}")
        shown, before = panels[panel], [curve for one in panels[:panel] for curve in one["curves"]]
        frame, frames = self._frame(self.index if index is None else index), math.prod(self._lengths)
        high, low = np.frombuffer(self.numbers, np.uint8).reshape(2, -1).astype(np.uint16)
        row = np.cumsum(256 * high + low, dtype=np.uint16).reshape(frames, -1)[frame]
        ranges = iter(np.frombuffer(self.ranges, "<f8").reshape(frames, -1, 2)[frame, n_channels(before) :])
        curves, start = {}, sum(n_channels([curve]) * curve["length"] for curve in before)
        for curve in shown["curves"]:
            channels = []
            for axis in CHANNELS[curve["kind"]]:
                lo, hi = next(ranges)
                numbers = lo + row[start : start + curve["length"]] * ((hi - lo) / LEVELS)
                channels.append(10**numbers if axis in "xy" and shown[axis]["scale"] == "log" else numbers)
                start += curve["length"]
            if curve["kind"] == "marker":
                channels = [channels[0].item()]
            curves[curve["name"]] = KINDS[curve["kind"]](*channels) if curve["kind"] in KINDS else channels[0]
        return curves

    def passages(self, index=None):
        """The passages that a reader sees at a position, the current one if none is given: a list of `Passage`.

        Their strengths are rounded to a whole per cent. Without passages the list is empty.
        """
        frame, described = self._frame(self.index if index is None else index), self.chart["passages"]
        return passages_at(described, frame) if described else []

    @property
    def _lengths(self):
        return [len(grid["values"]) for grid in self.chart["grids"]]

    def _frame(self, index):
        """Number of the grid point at a position."""
        lengths = self._lengths
        positions = list(index) if isinstance(index, Iterable) else []
        if len(positions) != len(lengths) or not all(
            isinstance(i, Integral) and 0 <= i < n for i, n in zip(positions, lengths, strict=True)
        ):
            raise ValueError(f"index must hold one position for each grid, of lengths {lengths}, got {index!r}")
        return int(np.ravel_multi_index(positions, lengths))

    def __repr__(self):
        # a page shows it to those who cannot see the picture, whatever their language
        return f"Explorer({in_all_languages(self.chart['title'])!r}, {written(self.values)})"

    def _ipython_display_(self):
        from IPython.display import publish_display_data

        # an output of its own, because a page made by nbconvert shows one form of each, and of a widget only its state
        publish_display_data({"text/html": guest()})
        # IPython then shows the widget as it shows any other
        raise NotImplementedError

    def _repr_mimebundle_(self, **kwargs):
        data, metadata = super()._repr_mimebundle_(**kwargs)
        return data | picture(self), metadata


def explore(
    fn,
    x,
    *,
    title,
    x_label,
    y_label,
    x_scale="linear",
    y_scale="linear",
    y_limits=None,
    say=None,
    animate=None,
    labels=None,
    images=None,
    switch_axes=False,
    beside=None,
    passages=None,
    passages_label=None,
    **grids,
):
    """Draw what a function returns, with a slider for each of its parameters: `interact` that survives static HTML.

    A parameter whose values are names has a row of buttons, of which one is chosen. The function is evaluated at every
    grid point, once; a progress bar shows after a second.

    Parameters
    ----------
    fn : callable
        ``fn(x, **values)`` → dict: name → array over x, `Path`, `Band`, `Points`, `Marker` or `Images`. One to six
        curves and any rows of images, with the same names, kinds and lengths at every grid point.
    x : (k,) array
        Abscissae.
    title, x_label, y_label : str or dict
        Any text may be ``{"en": …, "zh": …}``: a page shows the one in its own language.
    x_scale, y_scale : {"linear", "log"}
        Scales of the axes.
    y_limits : None, "frame" or (float, float)
        One range for the whole grid; one for each grid point; these limits.
    say : callable, optional
        ``say(**values)`` → the sentence that tells a reader what he sees.
    animate : str, optional
        Name of the grid that a play button runs through.
    labels : dict, optional
        Name of a curve → its label; without one the label is the name.
    images : (k, side²) array, optional
        What each `Images` shows: square pictures of pixels between 0 and 1, one a row; 1 is ink.
    switch_axes : bool
        Whether a button lets the reader see logarithmic axes linearly, each grid point in its own limits.
    beside : Panel, optional
        A second chart, beside this one where there is room, else below it. Curves of the same name look alike in both
        and count as one of the six.
    passages : callable, optional
        ``passages(**values)`` → sequence of `Passage`, with the same titles at every grid point: texts that stand under
        the chart, each piece with its strength in per cent.
    passages_label : str or dict, with passages only
        Line over the passages that tells a reader what the numbers are.
    **grids : sequence of float, sequence of str or Grid
        Parameter → increasing values, or distinct names; one to three parameters.

    Returns
    -------
    Explorer

    Raises
    ------
    ValueError
        NaN, infinite or, on a logarithmic axis, non-positive numbers; curves or titles of passages that change between
        grid points; a state of more than 2 MB; grids that are empty, do not increase or repeat a name; unknown scales
        or names; images that are not square; strengths outside [0, 1] or not as many as pieces.
    TypeError
        Not numbers, not texts, not functions.
    ImportError
        Without the extra ``widgets``.

    Examples
    --------
    >>> import numpy as np
    >>> u = np.linspace(-4, 4)
    >>> wave = explore(
    ...     lambda x, k: {"sin": np.sin(k * x)}, u, title="Waves", x_label="u", y_label="", k=Grid([1, 2, 4], start=2)
    ... )
    >>> wave.values, float(np.abs(wave.drawn()["sin"] - np.sin(2 * u)).max()) < 2 / 131070
    ({'k': 2}, True)

    Names to choose from, and a second chart of the same curve as a way through the plane:

    >>> shapes = {"sine": np.sin, "cosine": np.cos}
    >>> wave = explore(
    ...     lambda x, shape: {"wave": shapes[shape](x)},
    ...     u,
    ...     title="Waves",
    ...     x_label="u",
    ...     y_label="height",
    ...     shape=Grid(list(shapes), names={"sine": {"en": "sine", "zh": "正弦"}}),
    ...     beside=Panel(
    ...         lambda x, shape: {"wave": Path(shapes[shape](u), u)}, [-1, 1], x_label="height", y_label="u"
    ...     ),
    ... )
    >>> wave.values, type(wave.drawn(panel=1)["wave"]).__name__
    ({'shape': 'sine'}, 'Path')

    A text under the chart, whose pieces carry numbers:

    >>> wave = explore(
    ...     lambda x, k: {"sin": np.sin(k * x)},
    ...     u,
    ...     title="Waves",
    ...     x_label="u",
    ...     y_label="",
    ...     passages=lambda k: [Passage("A wave of frequency", ["about", f" {k}"], [0.5, 1 / k])],
    ...     passages_label="How certain each word is, in per cent",
    ...     k=[1, 2, 3],
    ... )
    >>> for title, pieces, strengths in wave.passages([2]):
    ...     print(title, pieces, strengths)
    A wave of frequency ['about', ' 3'] [0.5  0.33]
    """
    for name, function in {"say": say, "passages": passages}.items():
        if function is not None and not callable(function):
            raise TypeError(f"{name} must be a function, got {function!r}")
    if passages is None and passages_label is not None:
        raise ValueError(f"passages_label must be None without passages, got {passages_label!r}")
    if passages is not None:
        if passages_label is None:
            raise ValueError("passages_label must say what the numbers in passages are, got None")
        passages_label = check_text("passages_label", passages_label)
    options = {"x_scale": x_scale, "y_scale": y_scale, "y_limits": y_limits}
    panels = {"": Panel(fn, x, x_label=x_label, y_label=y_label, **options)}
    if beside is not None:
        if not isinstance(beside, Panel):
            raise TypeError(f"beside must be a Panel, got {beside!r}")
        panels["beside."] = beside
    panels = {f"{prefix}fn": check_panel(prefix, panel) for prefix, panel in panels.items()}
    if not 1 <= len(grids) <= MOST_GRIDS:
        raise ValueError(f"grids must be 1 to {MOST_GRIDS}, got {len(grids)}")
    if animate is not None:
        check_choice("animate", animate, tuple(grids))
    if check_flag("switch_axes", switch_axes) and not any("log" in panel.scales.values() for panel in panels.values()):
        raise ValueError(f"switch_axes needs a logarithmic axis, got {x_scale=} and {y_scale=}")
    title = check_text("title", title)
    grids = [read_grid(name, grid, animated=name == animate) for name, grid in grids.items()]
    pictures = [] if images is None else pixel_images("images", images)

    curves, table, sentences, told = evaluate(panels, say, passages, grids, len(pictures))
    all_curves, coloured = [curve for those in curves for curve in those], coloured_names(curves)
    names = list(dict.fromkeys(curve["name"] for curve in all_curves))
    texts = dict(zip(names, check_texts("labels", labels, names, "names of curves"), strict=True))
    for curve in all_curves:
        curve["label"] = texts[curve["name"]]
        if curve["kind"] != "images":
            curve["look"] = coloured.index(curve["name"])
    numbers, ranges = quantise(all_curves, table)
    ends = np.cumsum([n_channels(those) for those in curves])
    first, *others = (
        describe(panel, those, part, switch_axes=switch_axes)
        for panel, those, part in zip(panels.values(), curves, np.split(ranges, ends[:-1], axis=1), strict=True)
    )
    differences = np.diff(numbers.ravel(), prepend=np.uint16(0))
    return Explorer(
        chart={
            "title": title,
            **first,
            "beside": others[0] if others else None,
            "grids": grids,
            "animate": animate,
            "images": pictures,
            "sentences": sentences,
            "passages": {"label": passages_label, **told} if told else None,
        },
        numbers=np.concatenate([differences >> 8, differences & 255]).astype(np.uint8).tobytes(),
        ranges=ranges.astype("<f8").tobytes(),
        index=[grid["start"] for grid in grids],
    )
