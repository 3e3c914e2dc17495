"""The book's figure style: one look for light pages, dark pages and paper.

Text in a figure is symbols, units and method names only, because one figure serves both editions of the book. Both axes
of every chart are labelled. Curves differ in colour *and* dash. Colour-blind readers can tell the first four colours
apart, and all colours have a contrast of at least 4.5:1 on white (and on the book's dark background, where the site
inverts lightness and keeps hue). Figures are vector graphics in notebooks. They are narrow and their letters large, so
that on a phone, too, a subscript is readable; charts of one figure are therefore below each other.
"""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np

from npo_tutorial._checks import check_choice, check_count, check_finite_array, is_sequence
from npo_tutorial._types import ArrayLike

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Curves: TypeAlias = Mapping[str, ArrayLike | tuple[ArrayLike, ArrayLike]]
Scale: TypeAlias = Literal["linear", "log", "symlog"]

COLORS = ("#0060c0", "#c23d00", "#262626", "#00776a", "#7a0050", "#746a00")
DASHES = ("-", (0, (6, 2)), (0, (1.5, 1.5)), (0, (7, 2, 1.5, 2)), (0, (3, 1.5)), (0, (9, 3)))
GREY = "#858585"
SCALES = ("linear", "log", "symlog")
# a subscript has 0.7 of the size of its line: of these letters, 9 px in a figure that a phone shows 340 px wide
WIDTH, SIZE = 4.2, 11.5
STYLE: dict[Any, Any] = {
    "font.size": SIZE,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.titlesize": SIZE,
    "grid.color": "#d5d5d5",
    "grid.linewidth": 0.6,
    "axes.edgecolor": "#444444",
    "text.color": "#111111",
    "axes.labelcolor": "#111111",
    "xtick.color": "#333333",
    "ytick.color": "#333333",
    "lines.linewidth": 2.0,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "savefig.facecolor": "none",
}


def lines(
    x: ArrayLike | None,
    curves: Curves,
    *,
    x_label: str,
    y_label: str,
    bands: Mapping[str, tuple[ArrayLike, ArrayLike]] | None = None,
    bars: Mapping[str, tuple[Any, Any]] | None = None,
    x_scale: Scale = "linear",
    y_scale: Scale = "linear",
    y_limits: tuple[float, float] | None = None,
) -> "Figure":
    """Draw curves over one abscissa, each with a band behind it or with bars at its points if it has them.

    Parameters
    ----------
    x : (k,) array or None
        Abscissae shared by all curves; None if each curve has its own.
    curves : dict
        Label → curve, or label → pair (x, curve); at most six. Labels are symbols or method names; Matplotlib's
        mathtext works. A curve is a (k,) array, or an (m, k) array of m runs: each run is drawn thin and their mean
        bold, with one standard deviation to both sides behind it, unless the runs have different abscissae, x of shape
        (m, k). On a logarithmic axis mean and deviation are those of the logarithms.
    x_label, y_label : str
        Axis labels, not empty: symbols, and the unit in parentheses if there is one.
    bands : dict, optional
        Label of a curve → pair (lower, upper) of (k,) arrays over the abscissae of that curve, drawn in its colour with
        thin edges in its dashes.
    bars : dict, optional
        Label of a curve → pair (lower, upper) of (k,) arrays, drawn as thin upright bars at its points, next to those
        of other curves. A curve given as a pair (x, curve) has a pair of such pairs, for lying and for upright bars.
    x_scale, y_scale : {"linear", "log", "symlog"}
        "symlog" is logarithmic with a linear stretch between −1 and 1.
    y_limits : (float, float), optional
        Limits of the vertical axis.

    Returns
    -------
    matplotlib.figure.Figure

    Examples
    --------
    >>> import numpy as np
    >>> u = np.linspace(-4, 4)
    >>> lines(u, {"GA": u, "$u^2$": u**2}, x_label="$u$ (nat)", y_label="$f(u)$").axes[0].get_xlabel()
    '$u$ (nat)'
    """
    options = {"bands": bands, "bars": bars, "x_scale": x_scale, "y_scale": y_scale, "y_limits": y_limits}
    return panels({"x": x, "curves": curves, "x_label": x_label, "y_label": y_label, **options})


def panels(*charts: Mapping[str, Any]) -> "Figure":
    """Draw charts below each other, with one legend: curves with the same label look the same in all of them.

    Parameters
    ----------
    *charts : dict
        The arguments of `lines` for each chart, under their names; at most six labels in all charts together.

    Returns
    -------
    matplotlib.figure.Figure

    Examples
    --------
    >>> import numpy as np
    >>> u = np.linspace(-4, 4)
    >>> chart = {"x": u, "curves": {"GA": u}, "x_label": "$u$ (nat)", "y_label": "$f(u)$"}
    >>> len(panels(chart, chart | {"y_scale": "symlog"}).axes)
    2
    """
    looks = _looks(charts)
    figure, grid = _figure(rows=len(charts), height=0.6 + 2.4 * len(charts))
    handles: dict[str, Any] = {}
    for axes, chart in zip(grid.flat, charts, strict=True):
        handles |= _draw(axes, looks, **chart)
    # below the axes: a legend inside hides curves on a figure as small as a phone's
    for columns in (2, 1) if len(looks) == 4 else (3, 2, 1):
        place = {"loc": "outside lower center", "ncols": columns, "fontsize": SIZE, "columnspacing": 1.2}
        legend = figure.legend([handles[label] for label in looks], looks, frameon=False, **place)
        if columns == 1 or legend.get_window_extent().width < figure.bbox.width:
            break
        legend.remove()
    return figure


def multiples(*charts: Mapping[str, Any]) -> "Figure":
    """Draw a small panel for each label, in which the other curves of the chart are grey: for charts that are too full.

    Two charts are next to each other, with a row for each label; a single chart has two panels in a row. All panels of
    a chart have the same axes.

    Parameters
    ----------
    *charts : dict
        One chart or two: the arguments of `lines`, under their names. Both have the same labels, at most six.

    Returns
    -------
    matplotlib.figure.Figure

    Examples
    --------
    >>> import numpy as np
    >>> u = np.linspace(-4, 4)
    >>> chart = {"x": u, "curves": {"GA": u, "NPO": u / 2}, "x_label": "$u$ (nat)", "y_label": "$f(u)$"}
    >>> [axes.get_title() for axes in multiples(chart).axes]
    ['GA', 'NPO']
    """
    looks = _looks(charts)
    if len(charts) > 2:
        raise ValueError(f"pass one chart or two, got {len(charts)}")
    if any(chart["curves"].keys() != looks.keys() for chart in charts):
        labels = " and ".join(str(list(chart["curves"])) for chart in charts)
        raise ValueError(f"both charts must have the same labels, got {labels}")
    shown = [(label, chart) for label in looks for chart in charts]
    rows, two = math.ceil(len(shown) / 2), len(charts) == 2
    share = "col" if two else "all"
    figure, grid = _figure(rows, 2, height=0.5 + (1.2 if two else 1.5) * rows, sharex=share, sharey=share)
    for i, axes in enumerate(grid.flat):
        if i >= len(shown):
            axes.remove()
            continue
        label, chart = shown[i]
        _draw(axes, looks | {label: looks[label] | {"linestyle": "-"}}, behind=looks.keys() - {label}, **chart)
        axes.set_title(label)
        lowest, leftmost = i + 2 >= len(shown), two or i % 2 == 0
        axes.tick_params(labelbottom=lowest)
        axes.set(xlabel=chart["x_label"] * lowest, ylabel=chart["y_label"] * leftmost)
    return figure


def _looks(charts):
    """Colour and dashes of each label."""
    if not charts:
        raise ValueError("pass at least one chart")
    labels = []
    for chart in charts:
        if not isinstance(chart, Mapping):
            raise TypeError(f"each chart must be a dict of arguments of lines, got {type(chart).__name__}")
        curves = chart.get("curves")
        if not isinstance(curves, dict):
            raise TypeError(f"curves must be a dict from labels to arrays, got {type(curves).__name__}")
        labels += [label for label in curves if label not in labels]
        if not curves or len(labels) > len(COLORS):
            raise ValueError(f"curves must have 1 to {len(COLORS)} labels, got {len(labels) if curves else 0}")
    return {label: {"color": c, "linestyle": d} for label, c, d in zip(labels, COLORS, DASHES, strict=False)}


def _draw(
    axes,
    looks,
    *,
    x,
    curves,
    x_label,
    y_label,
    bands=None,
    bars=None,
    x_scale="linear",
    y_scale="linear",
    y_limits=None,
    behind=(),
):
    """Fill one chart, with the means of what is `behind` in grey; returns label → the curve, for the legend."""
    for name, text in [
        ("x_label", x_label),
        ("y_label", y_label),
        *(("each label of curves", label) for label in curves),
    ]:
        if not isinstance(text, str):
            raise TypeError(f"{name} must be a str, got {text!r}")
        if not text:
            raise ValueError(f"{name} must be a non-empty str, got ''")
    bands, bars = ({} if given is None else given for given in (bands, bars))
    for name, given in (("bands", bands), ("bars", bars)):
        if not isinstance(given, dict):
            raise TypeError(f"{name} must be a dict from labels to pairs of arrays, got {type(given).__name__}")
        if not given.keys() <= curves.keys():
            raise ValueError(f"{name} must have labels among {list(curves)}, got {list(given)}")
    if y_limits is not None:
        y_limits = check_finite_array("y_limits", y_limits, ndim=1)
        if len(y_limits) != 2 or y_limits[0] == y_limits[1]:
            raise ValueError(f"y_limits must be a pair of two numbers, got {y_limits.tolist()}")
    handles: dict[str, Any] = {}
    for label, curve in curves.items():
        look, name = looks[label], f"curves[{label!r}]"
        if label in behind:
            look = {"color": GREY, "linewidth": 0.8, "zorder": 1.5}
        if isinstance(curve, tuple) and len(curve) != 2:
            raise ValueError(f"{name} must be an array or a pair (x, y), got a tuple of {len(curve)}")
        curve_x, curve_y = curve if isinstance(curve, tuple) else (x, curve)
        curve_x = check_finite_array(f"x of {name}" if isinstance(curve, tuple) else "x", curve_x, ndim=1, batch=True)
        curve_y = _over(curve_x, name, curve_y, batch=True)
        mean_x, _, _ = _spread(f"x of {name}", curve_x, x_scale)
        mean_y, lower, upper = _spread(name, curve_y, y_scale)
        (handles[label],) = axes.plot(mean_x, mean_y, **look, label=label)
        if curve_y.ndim > 1 and label not in behind:
            runs_x = np.broadcast_to(curve_x, curve_y.shape)
            axes.plot(runs_x.T, curve_y.T, color=look["color"], linewidth=0.7, alpha=0.5)
            if curve_x.ndim == 1:
                axes.fill_between(mean_x, lower, upper, color=look["color"], alpha=0.13, linewidth=0)
        if label in bands and label not in behind:
            edges = _edges(mean_x, f"bands[{label!r}]", bands[label])
            axes.fill_between(mean_x, *edges, color=look["color"], alpha=0.13, linewidth=0)
            for edge in edges:
                axes.plot(mean_x, edge, **look, linewidth=0.8)
        if label in bars and label not in behind:
            name, upright, place = f"bars[{label!r}]", bars[label], axes.transData
            thin = {"color": look["color"], "linewidth": 0.9}
            if isinstance(curve, tuple):
                lying, upright = _pair(name, upright, "(x, y)")
                axes.hlines(mean_y, *_edges(mean_x, f"x of {name}", lying), **thin)
            else:
                place = _aside(axes, 2.2 * (list(bars).index(label) - (len(bars) - 1) / 2))
            edges = _edges(mean_x, name, upright)
            axes.vlines(mean_x, *edges, transform=place, **thin)
            # shifted bars do not lengthen an axis by themselves
            for edge in edges:
                axes.update_datalim(np.transpose([mean_x, edge]))
    for name, scale, set_scale in (("x_scale", x_scale, axes.set_xscale), ("y_scale", y_scale, axes.set_yscale)):
        # without it the labels of 0 and ±1 would be half a decade apart, and touch
        stretch = {"linthresh": 1} if scale == "symlog" else {}
        set_scale(check_choice(name, scale, SCALES), **stretch)
    if x_scale == "linear" and any(isinstance(curves[label], tuple) for label in bars):
        # long bars lengthen the axis, and its numbers would touch
        axes.locator_params(axis="x", nbins=6)
    axes.set(xlabel=x_label, ylabel=y_label, ylim=y_limits)
    # bars next to each other need some room at both ends
    axes.margins(x=0.03 if bars else 0.01)
    return handles


def _edges(x, name, pair):
    return [_over(x, name, edge) for edge in _pair(name, pair, "(lower, upper)")]


def _pair(name, pair, form):
    try:
        first, second = pair
    except (TypeError, ValueError):
        raise ValueError(f"{name} must be a pair {form}, got {pair!r}") from None
    return first, second


def _aside(axes, points):
    """Places of data, moved this many points to the right."""
    from matplotlib.transforms import offset_copy

    return offset_copy(axes.transData, axes.figure, x=points, y=0, units="points")


def images(pixels: ArrayLike, titles: Sequence[str], *, columns: int = 5) -> "Figure":
    """Draw small square grey-scale images in a grid, each under a title.

    Parameters
    ----------
    pixels : (k, side²) array
        One image a row; large values are dark.
    titles : sequence of k str
        Symbols and numbers only.
    columns : int
        Images in a row of the grid.

    Returns
    -------
    matplotlib.figure.Figure

    Examples
    --------
    >>> import numpy as np
    >>> len(images(np.zeros((3, 64)), ["3", "8", "8"]).axes)
    3
    """
    pixels = check_finite_array("pixels", pixels, ndim=2)
    side = math.isqrt(pixels.shape[1])
    if side**2 != pixels.shape[1]:
        raise ValueError(f"pixels must hold square images, got rows of {pixels.shape[1]} pixels")
    if not is_sequence(titles):
        raise TypeError(f"titles must be a sequence of str, got {titles!r}")
    if len(titles) != len(pixels):
        raise ValueError(f"titles must have one for each of the {len(pixels)} images, got {len(titles)}")
    columns = check_count("columns", columns)
    rows = math.ceil(len(pixels) / columns)
    figure, grid = _figure(rows, columns, height=1.1 * rows)
    for axes in grid.flat[len(pixels) :]:
        axes.remove()
    for axes, image, title in zip(grid.flat, pixels, titles, strict=False):
        axes.imshow(image.reshape(side, side), cmap="gray_r")
        axes.set_title(title, fontsize=8.5)
        axes.set(xticks=[], yticks=[])
        axes.grid(False)
    return figure


def _spread(name, runs, scale):
    """Mean of the runs, and one standard deviation below and above, on the scale of the axis."""
    if runs.ndim == 1:
        return runs, runs, runs
    if scale == "log":
        if (runs <= 0).any():
            raise ValueError(f"{name} must be positive on a logarithmic axis, got {runs.min():g}")
        return tuple(map(np.exp, _spread(name, np.log(runs), "linear")))
    mean, deviation = runs.mean(axis=0), runs.std(axis=0, ddof=min(len(runs) - 1, 1))
    return mean, mean - deviation, mean + deviation


def _over(x, name, y, *, batch=False):
    y = check_finite_array(name, y, ndim=1, batch=batch)
    if y.shape[-1:] != x.shape[-1:] or (x.ndim > 1 and x.shape != y.shape):
        raise ValueError(f"{name} must have the shape of its x, {x.shape}, got {y.shape}")
    return y


def _figure(rows=1, columns=1, *, height, **share):
    """An empty figure and its grid of axes, made without pyplot, so that a notebook shows it only when asked."""
    import matplotlib
    from matplotlib.figure import Figure

    _draw_svg_in_notebooks()
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH, height), layout="constrained")
        return figure, figure.subplots(rows, columns, squeeze=False, **share)


def _draw_svg_in_notebooks():
    try:
        from IPython import get_ipython
        from matplotlib_inline.backend_inline import set_matplotlib_formats
    except ImportError:
        return
    if get_ipython() is not None:
        import matplotlib

        # the same figure always has the same bytes, and every figure its own width, not that of its letters
        matplotlib.rcParams["svg.hashsalt"] = "npo-tutorial"
        set_matplotlib_formats("svg", metadata={"Date": None}, bbox_inches=None)
