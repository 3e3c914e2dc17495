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
from npo_tutorial.explore.passages import Passage, describe_passages
from npo_tutorial.plots import COLORS

SCALES = ("linear", "log")
MOST_BYTES = 2_000_000
# far enough from the largest and the smallest float for margins and differences
LARGEST = 1e250
# a curve's channels: a row of numbers for each letter, which names the axis that they are measured on; "s" is strength
CHANNELS = {"line": "y", "path": "xy", "band": "yy", "points": "xy", "marker": "x", "images": "s"}


class Path(NamedTuple):
    """A line through points in their order, with abscissae of their own: a way through the plane."""

    x: np.ndarray
    y: np.ndarray


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


KINDS = {"path": Path, "band": Band, "points": Points, "marker": Marker, "images": Images}


@dataclass(frozen=True)
class Grid:
    """The values of one slider, which are increasing numbers, or of one row of buttons, which are names.

    Without `label` it is called as the argument is; without `start` it starts in the middle, if animated or with names
    at the first value. `scale` ("linear" or "log") is for numbers; `names` is for names: name → text on its button, the
    name itself where there is none.
    """

    values: Sequence[float] | Sequence[str]
    label: str | dict | None = None
    scale: str = "linear"
    start: float | str | None = None
    names: dict | None = None


def read_grid(name, grid, *, animated):
    """A grid as described in the chart."""
    grid = grid if isinstance(grid, Grid) else Grid(grid)
    is_list = isinstance(grid.values, (Sequence, np.ndarray)) and not isinstance(grid.values, str)
    has_names = is_list and any(isinstance(value, str) for value in grid.values)
    values, start, texts = (_read_names if has_names else _read_numbers)(name, grid)
    return {
        "name": name,
        "label": check_text(f"{name}.label", name if grid.label is None else grid.label),
        "scale": grid.scale,
        "values": values,
        "names": texts,
        "start": 0 if animated and grid.start is None else start,
    }


def _read_numbers(name, grid):
    values = check_finite_array(name, grid.values, ndim=1)
    steps = np.diff(values)
    if not (steps > 0).all():
        i = int(np.argmin(steps > 0))
        raise ValueError(f"{name} must increase, got {values[i]:g} before {values[i + 1]:g}")
    on_scale(name, values, check_choice(f"{name}.scale", grid.scale, SCALES))
    if grid.names is not None:
        raise ValueError(f"{name}.names must be None for a grid of numbers, got {grid.names!r}")
    start = (len(values) - 1) // 2
    if grid.start is not None:
        (found,) = np.nonzero(np.isclose(values, check_real(f"{name}.start", grid.start), rtol=1e-9, atol=0))
        if not found.size:
            raise ValueError(f"{name}.start must be one of its values, got {grid.start!r}")
        start = int(found[0])
    # integers stay integers: a function may count with them
    is_integer = np.asarray(grid.values).dtype.kind in "iu"
    return np.asarray(grid.values).tolist() if is_integer else values.tolist(), start, None


def _read_names(name, grid):
    for i, value in enumerate(grid.values):
        if not isinstance(value, str):
            raise TypeError(f"{name} must hold numbers or names, not both, got {value!r} at index {i}")
        if not value.strip():
            raise ValueError(f"{name} must hold names that can be read, got {value!r} at index {i}")
    values = [str(value) for value in grid.values]
    repeated = [value for i, value in enumerate(values) if value in values[:i]]
    if repeated:
        raise ValueError(f"{name} must hold each name once, got {repeated[0]!r} again")
    if grid.scale != "linear":
        raise ValueError(f"{name}.scale must be 'linear' for a grid of names, got {grid.scale!r}")
    start = 0 if grid.start is None else values.index(check_choice(f"{name}.start", grid.start, values))
    return values, start, check_texts(f"{name}.names", grid.names, values, f"values of {name}")


def check_text(name, text):
    """A text in one language or in several, English among them."""
    if isinstance(text, str):
        return text
    if not isinstance(text, dict) or not all(isinstance(part, str) for pair in text.items() for part in pair):
        raise TypeError(f'{name} must be a str or a dict {{"en": …, "zh": …}}, got {text!r}')
    if "en" not in text:
        raise ValueError(f'{name} must have a text for "en", got {text!r}')
    return dict(text)


def check_texts(name, texts, keys, things):
    """A text for each key: its own of `texts`, else the key itself."""
    texts = {} if texts is None else texts
    if not isinstance(texts, dict):
        raise TypeError(f"{name} must be a dict from {things} to texts, got {texts!r}")
    for key in texts:
        if key not in keys:
            raise ValueError(f"{name} must hold {things}, {', '.join(keys)}, got {key!r}")
    return [check_text(f"{name}[{key!r}]", texts.get(key, key)) for key in keys]


def evaluate(panels, say, passages, grids, n_images):
    """Of each panel the curves as described in the chart; the numbers of each grid point in a row; sentences; passages.

    `panels` is a dict: what its function is called in messages → `Panel`.
    """
    curves, rows, sentences, told = [], [], [], []
    n_points = math.prod(len(grid["values"]) for grid in grids)
    points = itertools.product(*(grid["values"] for grid in grids))
    # imported where used: it is slow to load; the variable is tqdm's own, which its bar for notebooks does not heed
    silent = bool(os.environ.get("TQDM_DISABLE"))
    for point in require("tqdm.auto").tqdm(points, total=n_points, delay=1, leave=False, disable=silent):
        values = dict(zip((grid["name"] for grid in grids), point, strict=True))
        channels = []
        for k, (name, panel) in enumerate(panels.items()):
            where = f"{name}(x, {written(values)})"
            described, arrays = _drawn(where, panel, values, curves[k] if rows else [], n_images)
            channels += arrays
            if not rows:
                curves.append(described)
            elif described != curves[k]:
                raise ValueError(
                    f"{where} must have the curves of the first grid point, {_listed(curves[k])}, "
                    f"got {_listed(described)}"
                )
        if say:
            sentences.append(check_text(f"say({written(values)})", say(**values)))
        if passages:
            told.append(_told(f"passages({written(values)})", passages(**values), told))
        if not rows:
            n_names = len(coloured_names(curves))
            if n_names > len(COLORS):
                raise ValueError(f"{' and '.join(panels)} must have 1 to {len(COLORS)} curves, got {n_names}")
            _refuse_large(n_points, channels, sentences, grids)
        rows.append(np.concatenate(channels))
    described = describe_passages(told) if told else None
    if described:
        # only now, because passages that come again take no room
        _refuse_large(n_points, channels, sentences[:1], grids, described)
    return curves, np.array(rows), sentences, described


def coloured_names(panels):
    """Names of curves in the order of their colours: curves of one name are alike in all panels."""
    return list(dict.fromkeys(curve["name"] for curves in panels for curve in curves if curve["kind"] != "images"))


def _drawn(where, panel, values, before, n_images):
    """What a panel's function returns for these values, in the order of the curves before: described, and channels."""
    drawing = panel.fn(panel.x.copy(), **values)
    if not isinstance(drawing, dict) or not all(isinstance(label, str) for label in drawing):
        raise TypeError(f"{where} must be a dict from labels to curves, got {type(drawing).__name__}")
    # images come after all that has a colour
    drawing = dict(sorted(drawing.items(), key=lambda item: isinstance(item[1], Images)))
    if {curve["name"] for curve in before} == set(drawing):
        drawing = {curve["name"]: drawing[curve["name"]] for curve in before}
    described, channels = [], []
    for name, curve in drawing.items():
        kind, arrays = _channels(f"{where}[{name!r}]", curve, len(panel.x), panel.scales, n_images)
        described.append({"name": name, "kind": kind, "length": len(arrays[0])})
        channels += arrays
    if not coloured_names([described]):
        raise ValueError(f"{where} must have 1 to {len(COLORS)} curves, got 0")
    return described, channels


def _channels(name, curve, length, scales, n_images):
    """Kind of a curve and its channels, on the scales of their axes."""
    kind = next((kind for kind, type_ in KINDS.items() if isinstance(curve, type_)), "line")
    parts = {"line": [curve], "marker": [curve]}.get(kind, curve)
    arrays = [check_finite_array(name, part, ndim=1) for part in parts]
    if kind in ("points", "path"):
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


def _told(where, passages, before):
    """The passages of a grid point with strengths in whole per cent; titles must be those of the points before."""
    if not isinstance(passages, Sequence) or isinstance(passages, (str, Passage)):
        raise TypeError(f"{where} must be a sequence of Passage, got {type(passages).__name__}")
    if not passages:
        raise ValueError(f"{where} must hold at least one Passage, got {passages!r}")
    told = [_passage(f"{where}[{i}]", passage) for i, passage in enumerate(passages)]
    titles, first = ([passage.title for passage in those] for those in (told, before[0] if before else told))
    if titles != first:
        raise ValueError(f"{where} must have the titles of the first grid point, {first}, got {titles}")
    return told


def _passage(name, passage):
    if not isinstance(passage, Passage):
        raise TypeError(f"{name} must be a Passage, got {passage!r}")
    title, pieces, strengths = passage
    pieces = pieces.tolist() if isinstance(pieces, np.ndarray) else pieces
    if not isinstance(pieces, Sequence) or isinstance(pieces, str):
        raise TypeError(f"{name}.pieces must be a sequence of str, got {pieces!r}")
    for i, piece in enumerate(pieces):
        if not isinstance(piece, str):
            raise TypeError(f"{name}.pieces must hold str only, got {piece!r} at index {i}")
    # a passage may be empty, an array that is checked may not
    is_empty = not pieces and isinstance(strengths, (Sequence, np.ndarray)) and np.shape(strengths) == (0,)
    strengths = np.zeros(0) if is_empty else check_finite_array(f"{name}.strengths", strengths, ndim=1)
    if len(strengths) != len(pieces):
        raise ValueError(f"{name}.strengths must be of length {len(pieces)}, as pieces are, got {len(strengths)}")
    bad = (strengths < 0) | (strengths > 1)
    if bad.any():
        i = int(np.argmax(bad))
        raise ValueError(f"{name}.strengths must lie between 0 and 1, got {strengths[i]:g} at index {i}")
    per_cent = np.rint(100 * strengths).astype(int).tolist()
    return Passage(check_text(f"{name}.title", title), tuple(map(str, pieces)), tuple(per_cent))


def _refuse_large(n_points, channels, sentences, grids, passages=None):
    numbers = sum(map(len, channels))
    # in a page bytes are written in base64, 4 characters for 3
    size = n_points * ((2 * numbers + 16 * len(channels)) * 4 / 3 + len(json.dumps(sentences)))
    things, fewer = f"{numbers} numbers", "fewer points in x, or fewer curves"
    if passages:
        size += len(json.dumps(passages))
        things, fewer = f"{numbers} numbers and their passages", "fewer points in x, fewer curves, or shorter passages"
    if size > MOST_BYTES:
        names = " or ".join(grid["name"] for grid in grids)
        raise ValueError(
            f"{n_points} grid points × {things} would make a page {size / 1e6:.1f} MB larger, and "
            f"{MOST_BYTES / 1e6:g} MB is the most: use fewer values of {names}, {fewer}"
        )


def written(values):
    """Values of parameters in words: "beta=0.1, method='GA'"."""
    return ", ".join(
        f"{name}={value!r}" if isinstance(value, str) else f"{name}={value:g}" for name, value in values.items()
    )


def _listed(curves):
    return ", ".join(f"{curve['name']} ({curve['kind']} of {curve['length']})" for curve in curves)
