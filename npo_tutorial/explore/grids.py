"""Grids of parameters: the values of a slider, or of a row of buttons."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from npo_tutorial._checks import check_choice, check_finite_array, check_real, is_sequence
from npo_tutorial.explore.chart import GridState
from npo_tutorial.explore.scales import SCALES, on_scale
from npo_tutorial.explore.texts import Text, check_text, check_texts


@dataclass(frozen=True)
class Grid:
    """The values of one slider, which are increasing numbers, or of one row of buttons, which are names.

    Without `label` the parameter's name is the label. Without `start` it starts in the middle, or, if animated or with
    names, at the first value. `scale` ("linear" or "log") is for numbers; `names` is for names: name → text on its
    button, by default the name itself.
    """

    values: ArrayLike | Sequence[str]
    label: Text | None = None
    scale: str = "linear"
    start: float | str | None = None
    names: dict[str, Text] | None = None


def read_grid(name: str, grid: Grid | ArrayLike | Sequence[str], *, animated: bool) -> GridState:
    """A grid as described in the chart."""
    grid = grid if isinstance(grid, Grid) else Grid(grid)
    given: Any = grid.values
    has_names = is_sequence(given) and any(isinstance(value, str) for value in given)
    values, start, texts = _read_names(name, grid) if has_names else _read_numbers(name, grid)
    return {
        "name": name,
        "label": check_text(f"{name}.label", name if grid.label is None else grid.label),
        "scale": grid.scale,
        "values": values,
        "names": texts,
        "start": 0 if animated and grid.start is None else start,
    }


def _read_numbers(name: str, grid: Any) -> tuple[list[Any], int, None]:
    values = check_finite_array(name, grid.values, ndim=1)
    increases = values[1:] > values[:-1]
    if not increases.all():
        i = int(np.argmin(increases))
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


def _read_names(name: str, grid: Any) -> tuple[list[str], int, list[Text]]:
    for i, value in enumerate(grid.values):
        if not isinstance(value, str):
            raise TypeError(f"{name} must contain numbers or names, not both, got {value!r} at index {i}")
        if not value.strip():
            raise ValueError(f"{name} must not contain a blank name, got {value!r} at index {i}")
    values = [str(value) for value in grid.values]
    repeated = [value for i, value in enumerate(values) if value in values[:i]]
    if repeated:
        raise ValueError(f"{name} must contain each name once, got {repeated[0]!r} again")
    if check_choice(f"{name}.scale", grid.scale, SCALES) != "linear":
        raise ValueError(f"{name}.scale must be 'linear' for a grid of names, got {grid.scale!r}")
    start = 0 if grid.start is None else values.index(check_choice(f"{name}.start", grid.start, values))
    return values, start, check_texts(f"{name}.names", grid.names, values, f"values of {name}")
