"""What an explorer is made from: kinds of curves, grids, and a function evaluated and checked at every grid point."""

import itertools
import json
import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from npo_tutorial._checks import check_choice, check_finite_array, check_real
from npo_tutorial._extras import require
from npo_tutorial.plots import COLORS

SCALES = ("linear", "log")
MOST_BYTES = 2_000_000
# far enough from the largest and the smallest float for margins and differences
LARGEST = 1e250
# a curve's channels: a row of numbers for each letter, which names the axis that they are measured on; "s" is strength
CHANNELS = {"line": "y", "band": "yy", "points": "xy", "marker": "x", "images": "s"}


class Band(NamedTuple):
    """The region between two curves over x."""

    lo: np.ndarray
    hi: np.ndarray


class Points(NamedTuple):
    """Separate points, with abscissae of their own."""

    x: np.ndarray
    y: np.ndarray


class Marker(NamedTuple):
    """A vertical line."""

    x: float


class Images(NamedTuple):
    """A row of the pictures that `explore` was given, each as strong as its number in [0, 1] says."""

    strength: np.ndarray


KINDS = {"band": Band, "points": Points, "marker": Marker, "images": Images}


@dataclass(frozen=True)
class Grid:
    """The values of one slider: increasing, with a label, a scale ("linear" or "log") and the value to start from.

    Without `label` it is called as the argument is; without `start` it starts in the middle, if animated at the first.
    """

    values: Sequence[float]
    label: str | dict | None = None
    scale: str = "linear"
    start: float | None = None


def read_grid(name, grid, *, animated):
    """A grid as described in the chart."""
    grid = grid if isinstance(grid, Grid) else Grid(grid)
    values = check_finite_array(name, grid.values, ndim=1)
    steps = np.diff(values)
    if not (steps > 0).all():
        i = int(np.argmin(steps > 0))
        raise ValueError(f"{name} must increase, got {values[i]:g} before {values[i + 1]:g}")
    on_scale(name, values, check_choice(f"{name}.scale", grid.scale, SCALES))
    start = 0 if animated else (len(values) - 1) // 2
    if grid.start is not None:
        (found,) = np.nonzero(np.isclose(values, check_real(f"{name}.start", grid.start), rtol=1e-9, atol=0))
        if not found.size:
            raise ValueError(f"{name}.start must be one of its values, got {grid.start!r}")
        start = int(found[0])
    # integers stay integers: a function may count with them
    is_integer = np.asarray(grid.values).dtype.kind in "iu"
    return {
        "name": name,
        "label": check_text(f"{name}.label", name if grid.label is None else grid.label),
        "scale": grid.scale,
        "values": np.asarray(grid.values).tolist() if is_integer else values.tolist(),
        "start": start,
    }


def check_text(name, text):
    """A text in one language or in several, English among them."""
    if isinstance(text, str):
        return text
    if not isinstance(text, dict) or not all(isinstance(part, str) for pair in text.items() for part in pair):
        raise TypeError(f'{name} must be a str or a dict {{"en": …, "zh": …}}, got {text!r}')
    if "en" not in text:
        raise ValueError(f'{name} must have a text for "en", got {text!r}')
    return dict(text)


def check_labels(labels, curves):
    """A label for each curve: the text of its name, else the name."""
    labels = {} if labels is None else labels
    if not isinstance(labels, dict):
        raise TypeError(f"labels must be a dict from names of curves to texts, got {labels!r}")
    names = [curve["name"] for curve in curves]
    for name in labels:
        if name not in names:
            raise ValueError(f"labels must name curves of fn, {', '.join(names)}, got {name!r}")
    return [check_text(f"labels[{name!r}]", labels.get(name, name)) for name in names]


def evaluate(fn, say, x, scales, grids, n_images):
    """Curves as described in the chart, the numbers of each grid point in a row, sentences."""
    curves, rows, sentences = [], [], []
    n_points = math.prod(len(grid["values"]) for grid in grids)
    points = itertools.product(*(grid["values"] for grid in grids))
    # imported where used: it is slow to load; the variable is tqdm's own, which its bar for notebooks does not heed
    silent = bool(os.environ.get("TQDM_DISABLE"))
    for point in require("tqdm.auto").tqdm(points, total=n_points, delay=1, leave=False, disable=silent):
        values = dict(zip((grid["name"] for grid in grids), point, strict=True))
        where = f"fn(x, {written(values)})"
        drawing = fn(x.copy(), **values)
        if not isinstance(drawing, dict) or not all(isinstance(label, str) for label in drawing):
            raise TypeError(f"{where} must be a dict from labels to curves, got {type(drawing).__name__}")
        # images come after all that has a colour
        drawing = dict(sorted(drawing.items(), key=lambda item: isinstance(item[1], Images)))
        if curves and {curve["name"] for curve in curves} == set(drawing):
            drawing = {curve["name"]: drawing[curve["name"]] for curve in curves}
        described, channels = [], []
        for name, curve in drawing.items():
            kind, arrays = _channels(f"{where}[{name!r}]", curve, len(x), scales, n_images)
            described.append({"name": name, "kind": kind, "length": len(arrays[0])})
            channels += arrays
        if say:
            sentences.append(check_text(f"say({written(values)})", say(**values)))
        if not rows:
            curves = described
            n_coloured = sum(curve["kind"] != "images" for curve in curves)
            if not 1 <= n_coloured <= len(COLORS):
                raise ValueError(f"{where} must have 1 to {len(COLORS)} curves, got {n_coloured}")
            _refuse_large(n_points, channels, sentences, grids)
        elif described != curves:
            raise ValueError(
                f"{where} must have the curves of the first grid point, {_listed(curves)}, got {_listed(described)}"
            )
        rows.append(np.concatenate(channels))
    return curves, np.array(rows), sentences


def _channels(name, curve, length, scales, n_images):
    """Kind of a curve and its channels, on the scales of their axes."""
    kind = next((kind for kind, type_ in KINDS.items() if isinstance(curve, type_)), "line")
    parts = {"line": [curve], "marker": [curve]}.get(kind, curve)
    arrays = [check_finite_array(name, part, ndim=1) for part in parts]
    if kind == "points":
        length = len(arrays[0])
    if kind == "images":
        length = n_images
        if not ((arrays[0] >= 0) & (arrays[0] <= 1)).all():
            raise ValueError(f"{name} must lie between 0 and 1, got {arrays[0].tolist()}")
    for array in arrays:
        if kind != "marker" and len(array) != length:
            raise ValueError(f"{name} must be of length {length}, got {len(array)}")
    axes = CHANNELS[kind]
    return kind, [on_scale(name, array, scales.get(axis, "linear")) for array, axis in zip(arrays, axes, strict=True)]


def on_scale(name, numbers, scale):
    """Numbers as an axis of this scale measures them; refused where it cannot."""
    least = 1 / LARGEST if scale == "log" else -LARGEST
    bad = (numbers < least) | (numbers > LARGEST)
    if bad.any():
        index = int(np.argmax(bad))
        raise ValueError(
            f"{name} must lie between {least:g} and {LARGEST:g} on a {scale} scale, "
            f"got {numbers[index]:g} at index {index}"
        )
    return np.log10(numbers) if scale == "log" else numbers


def _refuse_large(n_points, channels, sentences, grids):
    numbers = sum(map(len, channels))
    # in a page bytes are written in base64, 4 characters for 3
    size = n_points * ((2 * numbers + 16 * len(channels)) * 4 / 3 + len(json.dumps(sentences)))
    if size > MOST_BYTES:
        names = " or ".join(grid["name"] for grid in grids)
        raise ValueError(
            f"{n_points} grid points × {numbers} numbers would make a page {size / 1e6:.1f} MB larger, and "
            f"{MOST_BYTES / 1e6:g} MB is the most: use fewer values of {names}, fewer points in x, or fewer curves"
        )


def written(values):
    """Values of parameters in words: "beta=0.1, n=4"."""
    return ", ".join(f"{name}={value:g}" for name, value in values.items())


def _listed(curves):
    return ", ".join(f"{curve['name']} ({curve['kind']} of {curve['length']})" for curve in curves)
