"""`explore`: check the arguments, evaluate the functions, and make an `Explorer` of the results."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from npo_tutorial._checks import check_choice, check_flag
from npo_tutorial.explore.chart import Chart
from npo_tutorial.explore.encode import count_channels, pack, quantise
from npo_tutorial.explore.evaluate import coloured_names, evaluate
from npo_tutorial.explore.explorer import Explorer
from npo_tutorial.explore.grids import Grid, read_grid
from npo_tutorial.explore.panels import Panel, check_panel, describe
from npo_tutorial.explore.passages import Passage
from npo_tutorial.explore.picture import pixel_images
from npo_tutorial.explore.texts import Text, check_text, check_texts

MOST_GRIDS = 3


def explore(
    fn: Callable[..., dict[str, Any]],
    x: ArrayLike,
    *,
    title: Text,
    x_label: Text,
    y_label: Text,
    x_scale: str = "linear",
    y_scale: str = "linear",
    y_limits: str | Sequence[float] | None = None,
    say: Callable[..., Text] | None = None,
    animate: str | None = None,
    labels: dict[str, Text] | None = None,
    images: ArrayLike | None = None,
    switch_axes: bool = False,
    beside: Panel | None = None,
    passages: Callable[..., Sequence[Passage]] | None = None,
    passages_label: Text | None = None,
    **grids: Grid | ArrayLike | Sequence[str],
) -> Explorer:
    """Draw a function's curves, with a slider for each of its parameters: `interact` that survives static HTML.

    A parameter whose values are names has a row of buttons instead, one of them chosen. The function is evaluated once
    at every grid point; if that takes more than a second, a progress bar shows.

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
        None for one range for the whole grid, "frame" for one for each grid point, or the limits themselves.
    say : callable, optional
        ``say(**values)`` → a sentence that tells readers what they see.
    animate : str, optional
        Name of the grid that a play button runs through.
    labels : dict, optional
        Name of a curve → its label, by default the name.
    images : (k, side²) array, optional
        The pictures that each `Images` shows, one a row: square, with pixels between 0 and 1; 1 is ink.
    switch_axes : bool
        Whether a button draws logarithmic axes linearly, with limits for each grid point.
    beside : Panel, optional
        A second chart, next to this one if there is room, otherwise below it. Curves of the same name look alike in
        both and count as one of the six.
    passages : callable, optional
        ``passages(**values)`` → sequence of `Passage`, with the same titles at every grid point: texts under the chart,
        each piece with its strength in per cent.
    passages_label : str or dict, with passages only
        A line above the passages that explains the numbers.
    **grids : sequence of float, sequence of str or Grid
        Parameter → increasing values, or distinct names; one to three parameters.

    Returns
    -------
    Explorer

    Raises
    ------
    ValueError
        Numbers that are NaN, infinite or, on a logarithmic axis, not positive; curves or titles of passages that change
        between grid points; a state of more than 2 MB; grids that are empty, do not increase or repeat a name; unknown
        scales or names; images that are not square; strengths outside [0, 1], or not one for each piece.
    TypeError
        Arguments that are not numbers, texts or functions where they must be.
    ImportError
        Without the extra ``widgets``.

    Examples
    --------
    >>> import numpy as np
    >>> from npo_tutorial.explore import Grid, Panel, Passage, Path, explore
    >>> u = np.linspace(-4, 4)
    >>> wave = explore(
    ...     lambda x, k: {"sin": np.sin(k * x)}, u, title="Waves", x_label="u", y_label="", k=Grid([1, 2, 4], start=2)
    ... )
    >>> wave.values, float(np.abs(wave.drawn()["sin"] - np.sin(2 * u)).max()) < 2 / 131070
    ({'k': 2}, True)

    Names to choose from, and a second chart with the same curve as a way through the plane:

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

    A text under the chart, with a number for each piece:

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
    _check_functions(say, passages, passages_label)
    first = Panel(fn, x, x_label=x_label, y_label=y_label, x_scale=x_scale, y_scale=y_scale, y_limits=y_limits)
    panels = _check_panels(first, beside)
    if not 1 <= len(grids) <= MOST_GRIDS:
        raise ValueError(f"explore takes 1 to {MOST_GRIDS} parameters, got {len(grids)}")
    if animate is not None:
        check_choice("animate", animate, tuple(grids))
    if check_flag("switch_axes", switch_axes) and not any("log" in panel.scales.values() for panel in panels.values()):
        raise ValueError(f"switch_axes needs a logarithmic axis, got {x_scale=} and {y_scale=}")
    title = check_text("title", title)
    read_grids = [read_grid(name, grid, animated=name == animate) for name, grid in grids.items()]
    addresses = [] if images is None else pixel_images("images", images)

    found = evaluate(panels, say, passages, passages_label, read_grids, len(addresses))
    all_curves = [curve for curves in found.curves for curve in curves]
    names, coloured = list(dict.fromkeys(curve["name"] for curve in all_curves)), coloured_names(found.curves)
    texts = dict(zip(names, check_texts("labels", labels, names, "names of curves"), strict=True))
    for curve in all_curves:
        curve["label"] = texts[curve["name"]]
        if curve["kind"] != "images":
            curve["look"] = coloured.index(curve["name"])
    numbers, ranges = quantise(all_curves, found.table)
    ends = np.cumsum([count_channels(curves) for curves in found.curves])
    described, *others = (
        describe(panel, curves, part, switch_axes=switch_axes)
        for panel, curves, part in zip(panels.values(), found.curves, np.split(ranges, ends[:-1], axis=1), strict=True)
    )
    chart: Chart = {
        "title": title,
        **described,
        "beside": others[0] if others else None,
        "grids": read_grids,
        "animate": animate,
        "images": addresses,
        "sentences": found.sentences,
        "passages": found.passages,
    }
    return Explorer(
        chart=chart,
        numbers=pack(numbers),
        ranges=ranges.astype("<f8").tobytes(),
        index=[grid["start"] for grid in read_grids],
    )


def _check_functions(say, passages, passages_label):
    for name, function in {"say": say, "passages": passages}.items():
        if function is not None and not callable(function):
            raise TypeError(f"{name} must be a function, got {function!r}")
    if passages is None and passages_label is not None:
        raise ValueError(f"passages_label must be None without passages, got {passages_label!r}")
    if passages is not None:
        if passages_label is None:
            raise ValueError("passages_label must say what the numbers in passages are, got None")
        check_text("passages_label", passages_label)


def _check_panels(first, beside):
    """The panels by the names of their functions in messages."""
    panels = {"": first}
    if beside is not None:
        if not isinstance(beside, Panel):
            raise TypeError(f"beside must be a Panel, got {beside!r}")
        panels["beside."] = beside
    return {f"{prefix}fn": check_panel(prefix, panel) for prefix, panel in panels.items()}
