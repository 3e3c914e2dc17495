"""`explore`: a function's curves under sliders, live in a notebook and just as well in a page without a kernel.

Python evaluates the function at every point of a grid of parameters and decides all limits and sentences; the script
beside this module only looks numbers up and draws them. Nothing here knows what the curves mean.
"""

import math
from collections.abc import Iterable
from numbers import Integral
from pathlib import Path

import numpy as np

from npo_tutorial._checks import check_choice, check_finite_array, check_flag
from npo_tutorial._extras import require
from npo_tutorial._language import LANGUAGES, chosen_language
from npo_tutorial.explore.evaluation import (
    CHANNELS,
    KINDS,
    SCALES,
    Band,
    Grid,
    Images,
    Marker,
    Points,
    check_labels,
    check_text,
    evaluate,
    on_scale,
    read_grid,
    written,
)
from npo_tutorial.explore.html import guest, in_all_languages, picture, pixel_images, save_html

anywidget, traitlets = require("anywidget"), require("traitlets")

__all__ = ["Band", "Explorer", "Grid", "Images", "Marker", "Points", "explore", "save_html"]

MOST_GRIDS = 3
LEVELS = 2**16 - 1


class Explorer(anywidget.AnyWidget):
    """A chart with one slider for each grid, made by `explore`.

    An ipywidget: `observe`, `link` and layout containers work in a running kernel. Without one it moves in the pages of
    this book, of `save_html` and of ``jupyter nbconvert --to html``, if an output shows it by itself.

    Attributes
    ----------
    index : list of int
        Position of each slider in its grid. Setting it moves the sliders, and moving a slider sets it.
    linear : bool
        Whether logarithmic axes are drawn linearly, for charts that can do both.
    language : {"", "en", "zh"}
        What it speaks, read when it is drawn; "" is the language of the page, which in JupyterLab and in Colab is that
        of the interface. By default what the environment variable ``NPO_TUTORIAL_LANG`` says when the explorer is made,
        or "" where that is not set.
    chart : dict
        All but the numbers: texts, scales, limits, kinds and lengths of the curves, values of the grids, sentences.
    numbers : bytes
        For each grid point (of the last grid fastest), each curve and each of its channels: 16-bit integers, 0 at the
        lower end of the channel's range and 65535 at the upper. Kept as differences from the number before (modulo
        65536), high bytes first, then low bytes: so smooth curves compress better.
    ranges : bytes
        Both ends of those ranges as little-endian float64; on a logarithmic axis log10 of them.
    """

    _esm = Path(__file__).with_name("explorer.js")
    _css = Path(__file__).with_name("explorer.css")

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
        if proposal["value"] and not self.chart["linear"]:
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
        """The parameters at the current position: name → value."""
        return {grid["name"]: grid["values"][i] for grid, i in zip(self.chart["grids"], self.index, strict=True)}

    @property
    def sentence(self):
        """What `say` said of the current position, or None."""
        sentences = self.chart["sentences"]
        return sentences[self._frame(self.index)] if sentences else None

    @property
    def y_limits(self):
        """Limits of the vertical axis at the current position."""
        limits = self.chart["y"]["limits"]
        return limits[self._frame(self.index) if len(limits) > 1 else 0]

    def drawn(self, index=None):
        """What a reader sees at a position, the current one if none is given: name → curve, as `fn` returned it.

        Each number is, on the scale of its axis, within 1/131070 of its channel's range of what `fn` returned.
        """
        frame, frames = self._frame(self.index if index is None else index), math.prod(self._lengths)
        high, low = np.frombuffer(self.numbers, np.uint8).reshape(2, -1).astype(np.uint16)
        row = np.cumsum(256 * high + low, dtype=np.uint16).reshape(frames, -1)[frame]
        ranges = iter(np.frombuffer(self.ranges, "<f8").reshape(frames, -1, 2)[frame])
        curves, start = {}, 0
        for curve in self.chart["curves"]:
            channels = []
            for axis in CHANNELS[curve["kind"]]:
                lo, hi = next(ranges)
                numbers = lo + row[start : start + curve["length"]] * ((hi - lo) / LEVELS)
                channels.append(10**numbers if axis in "xy" and self.chart[axis]["scale"] == "log" else numbers)
                start += curve["length"]
            if curve["kind"] == "marker":
                channels = [channels[0].item()]
            curves[curve["name"]] = KINDS[curve["kind"]](*channels) if curve["kind"] in KINDS else channels[0]
        return curves

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
    **grids,
):
    """Draw what a function returns, with a slider for each of its parameters: `interact` that survives static HTML.

    The function is evaluated at every grid point, once; a progress bar shows after a second.

    Parameters
    ----------
    fn : callable
        ``fn(x, **values)`` → dict: name → array over x, `Band`, `Points`, `Marker` or `Images`. One to six curves and
        any rows of images, with the same names, kinds and lengths at every grid point.
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
    **grids : sequence of float or Grid
        Parameter → increasing values; one to three parameters.

    Returns
    -------
    Explorer

    Raises
    ------
    ValueError
        NaN, infinite or, on a logarithmic axis, non-positive numbers; curves that change between grid points; a state
        of more than 2 MB; grids that are empty or do not increase; unknown scales or names; images that are not square.
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
    """
    for name, function in {"fn": fn, "say": say}.items():
        if not callable(function) and not (name == "say" and function is None):
            raise TypeError(f"{name} must be a function, got {function!r}")
    scales = {"x": check_choice("x_scale", x_scale, SCALES), "y": check_choice("y_scale", y_scale, SCALES)}
    x = check_finite_array("x", x, ndim=1)
    x_on_scale = on_scale("x", x, x_scale)
    if isinstance(y_limits, str):
        check_choice("y_limits", y_limits, ("frame",))
    elif y_limits is not None:
        y_limits = check_finite_array("y_limits", y_limits, ndim=1)
        if len(y_limits) != 2 or not np.diff(on_scale("y_limits", y_limits, y_scale)) > 0:
            raise ValueError(f"y_limits must be a pair (lo, hi) with lo < hi, got {y_limits.tolist()}")
        y_limits = y_limits.tolist()
    if not 1 <= len(grids) <= MOST_GRIDS:
        raise ValueError(f"grids must be 1 to {MOST_GRIDS}, got {len(grids)}")
    if animate is not None:
        check_choice("animate", animate, tuple(grids))
    if check_flag("switch_axes", switch_axes) and "log" not in scales.values():
        raise ValueError(f"switch_axes needs a logarithmic axis, got {x_scale=} and {y_scale=}")
    title, x_label, y_label = map(check_text, ("title", "x_label", "y_label"), (title, x_label, y_label))
    grids = [read_grid(name, grid, animated=name == animate) for name, grid in grids.items()]
    pictures = [] if images is None else pixel_images("images", images)

    curves, table, sentences = evaluate(fn, say, x, scales, grids, len(pictures))
    for curve, label in zip(curves, check_labels(labels, curves), strict=True):
        curve["label"] = label
    numbers, ranges = _quantise(curves, table)
    axes = np.array(list("".join(CHANNELS[curve["kind"]] for curve in curves)))
    x_range, y_frames = np.append(ranges[:, axes == "x"], x_on_scale), ranges[:, axes == "y"]
    x_limits, linear = _limits(x_range, x_scale), None
    if switch_axes:
        x_range = 10**x_range if x_scale == "log" else x_range
        frames = 10**y_frames if y_scale == "log" else y_frames
        linear = {"x": _limits(x_range, "linear"), "y": [_limits(frame, "linear") for frame in frames]}
    if y_limits is None:
        y_limits = [_limits(y_frames, y_scale)]
    else:
        y_limits = [_limits(frame, y_scale) for frame in y_frames] if y_limits == "frame" else [y_limits]
    differences = np.diff(numbers.ravel(), prepend=np.uint16(0))
    return Explorer(
        chart={
            "title": title,
            "x": {"label": x_label, "scale": x_scale, "limits": x_limits, "values": x.tolist()},
            "y": {"label": y_label, "scale": y_scale, "limits": y_limits},
            "curves": curves,
            "grids": grids,
            "animate": animate,
            "linear": linear,
            "images": pictures,
            "sentences": sentences,
        },
        numbers=np.concatenate([differences >> 8, differences & 255]).astype(np.uint8).tobytes(),
        ranges=ranges.astype("<f8").tobytes(),
        index=[grid["start"] for grid in grids],
    )


def _quantise(curves, table):
    """The numbers of each grid point as 16-bit integers, and the range of each channel that they count in."""
    lengths = [curve["length"] for curve in curves for _ in CHANNELS[curve["kind"]]]
    starts = np.cumsum([0, *lengths[:-1]])
    lo, hi = np.minimum.reduceat(table, starts, axis=1), np.maximum.reduceat(table, starts, axis=1)
    widths = np.repeat(np.where(hi > lo, hi - lo, 1), lengths, axis=1)
    numbers = np.rint((table - np.repeat(lo, lengths, axis=1)) / widths * LEVELS).astype(np.uint16)
    return numbers, np.stack([lo, hi], axis=-1)


def _limits(numbers, scale):
    """Limits of an axis with these numbers on its scale: with a margin, and never so narrow that all is rounding."""
    lo, hi = (float(numbers.min()), float(numbers.max())) if numbers.size else (0.0, 1.0)
    size = max(abs(lo), abs(hi))
    margin = 0.03 * (hi - lo) if hi - lo > 1e-9 * size else 0.1 * size or 1.0
    limits = [lo - margin, hi + margin]
    return [10**limit for limit in limits] if scale == "log" else limits
