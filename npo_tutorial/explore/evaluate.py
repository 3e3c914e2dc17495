"""Functions evaluated at every grid point, and their results checked."""

import itertools
import json
import math
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from npo_tutorial._checks import check_finite_array
from npo_tutorial._extras import require
from npo_tutorial.explore.chart import Curve, GridState, PassagesState
from npo_tutorial.explore.kinds import KINDS, Images, channels_of, kind_of
from npo_tutorial.explore.panels import Panel
from npo_tutorial.explore.passages import check_passages, describe_passages
from npo_tutorial.explore.scales import on_scale
from npo_tutorial.explore.texts import Text, check_text, format_values
from npo_tutorial.plots import COLORS

MOST_BYTES = 2_000_000


class Evaluated(NamedTuple):
    """The curves of each panel as described in the chart, without their looks; and for each grid point its numbers
    in a row and its sentence; and the described passages."""

    curves: list[list[Curve]]
    table: np.ndarray
    sentences: list[Text]
    passages: PassagesState | None


def evaluate(
    panels: Mapping[str, Panel],
    say: Callable[..., Text] | None,
    passages: Callable[..., Sequence[Any]] | None,
    passages_label: Text | None,
    grids: Sequence[GridState],
    n_images: int,
) -> Evaluated:
    """Evaluate all functions; the keys of `panels` are the names of their functions in messages."""
    curves: list[list[Curve]] = []
    rows: list[np.ndarray] = []
    sentences: list[Text] = []
    passage_rows: list[list[Any]] = []
    n_points = math.prod(len(grid["values"]) for grid in grids)
    points = itertools.product(*(grid["values"] for grid in grids))
    # imported here because it loads slowly; the variable is tqdm's own, but its bar for notebooks ignores it
    silent = bool(os.environ.get("TQDM_DISABLE"))
    for point in require("tqdm.auto").tqdm(points, total=n_points, delay=1, leave=False, disable=silent):
        values = dict(zip((grid["name"] for grid in grids), point, strict=True))
        channels = []
        for k, (name, panel) in enumerate(panels.items()):
            where = f"{name}(x, {format_values(values)})"
            described, arrays = _evaluate_panel(where, panel, values, curves[k] if rows else [], n_images)
            channels += arrays
            if not rows:
                curves.append(described)
            elif described != curves[k]:
                raise ValueError(
                    f"{where} must have the curves of the first grid point, {_list_curves(curves[k])}, "
                    f"got {_list_curves(described)}"
                )
        if say:
            sentences.append(check_text(f"say({format_values(values)})", say(**values)))
        if passages:
            where = f"passages({format_values(values)})"
            passage_rows.append(check_passages(where, passages(**values), passage_rows))
        if not rows:
            n_names = len(coloured_names(curves))
            if n_names > len(COLORS):
                raise ValueError(f"{' and '.join(panels)} must have 1 to {len(COLORS)} curves, got {n_names}")
            _reject_large(n_points, channels, sentences, grids)
        rows.append(np.concatenate(channels))
    described_passages = describe_passages(passages_label or "", passage_rows) if passage_rows else None
    if described_passages:
        # only now, because repeated passages take no room
        _reject_large(n_points, channels, sentences[:1], grids, described_passages)
    return Evaluated(curves, np.array(rows), sentences, described_passages)


def coloured_names(panels: Sequence[Sequence[Curve]]) -> list[str]:
    """Names of curves in the order of their colours: curves of the same name look alike in all panels."""
    return list(dict.fromkeys(curve["name"] for curves in panels for curve in curves if curve["kind"] != "images"))


def _evaluate_panel(where, panel, values, before, n_images):
    """The curves of a panel for these values, in the order of those before: as described in the chart, and channels."""
    drawing = panel.fn(panel.x.copy(), **values)
    if not isinstance(drawing, dict) or not all(isinstance(label, str) for label in drawing):
        raise TypeError(f"{where} must be a dict from labels to curves, got {type(drawing).__name__}")
    # images come after the curves that have a colour
    drawing = dict(sorted(drawing.items(), key=lambda item: isinstance(item[1], Images)))
    if {curve["name"] for curve in before} == set(drawing):
        drawing = {curve["name"]: drawing[curve["name"]] for curve in before}
    described: list[Curve] = []
    channels = []
    for name, curve in drawing.items():
        kind, arrays = _check_curve(f"{where}[{name!r}]", curve, panel, n_images)
        # its label follows when all names are known
        described.append({"name": name, "kind": kind, "length": len(arrays[0]), "label": name})
        channels += arrays
    if not coloured_names([described]):
        raise ValueError(f"{where} must have 1 to {len(COLORS)} curves, got 0")
    return described, channels


def _check_curve(name, curve, panel, n_images):
    """Kind of a curve and its channels, on the scales of their axes."""
    kind = kind_of(curve)
    arrays = [check_finite_array(name, part, ndim=1) for part in channels_of(kind, curve)]
    if kind == "images" and not ((arrays[0] >= 0) & (arrays[0] <= 1)).all():
        raise ValueError(f"{name} must lie between 0 and 1, got {arrays[0].tolist()}")
    lengths = {"x": len(panel.x), "images": n_images, "one": 1, "own": len(arrays[0])}
    length = lengths[KINDS[kind].length]
    for array in arrays:
        if len(array) != length:
            raise ValueError(f"{name} must be of length {length}, got {len(array)}")
    scales = [panel.scales.get(axis, "linear") for axis in KINDS[kind].channels]
    return kind, [on_scale(name, array, scale) for array, scale in zip(arrays, scales, strict=True)]


def _reject_large(n_points, channels, sentences, grids, passages=None):
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
            f"the limit is {MOST_BYTES / 1e6:g} MB: use fewer values of {names}, {fewer}"
        )


def _list_curves(curves):
    return ", ".join(f"{curve['name']} ({curve['kind']} of {curve['length']})" for curve in curves)
