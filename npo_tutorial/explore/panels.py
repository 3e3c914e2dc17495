"""A chart's panels: what each is made from, the limits of its axes, and its numbers as the browser gets them."""

from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass, replace

import numpy as np

from npo_tutorial._checks import check_choice, check_finite_array
from npo_tutorial.explore.evaluation import CHANNELS, SCALES, check_text, on_scale

LEVELS = 2**16 - 1


@dataclass(frozen=True, eq=False)
class Panel:
    """A second chart beside that of `explore`, moved by the same sliders; the arguments are those of `explore`."""

    fn: Callable
    x: np.ndarray
    _: KW_ONLY
    x_label: str | dict
    y_label: str | dict
    x_scale: str = "linear"
    y_scale: str = "linear"
    y_limits: str | tuple[float, float] | None = None

    @property
    def scales(self):
        return {"x": self.x_scale, "y": self.y_scale}


def check_panel(prefix, panel):
    """A panel whose parts can be used; `prefix` stands before their names in messages."""
    if not callable(panel.fn):
        raise TypeError(f"{prefix}fn must be a function, got {panel.fn!r}")
    for name in ("x_scale", "y_scale"):
        check_choice(prefix + name, getattr(panel, name), SCALES)
    x, y_limits = check_finite_array(f"{prefix}x", panel.x, ndim=1), panel.y_limits
    on_scale(f"{prefix}x", x, panel.x_scale)
    if isinstance(y_limits, str):
        check_choice(f"{prefix}y_limits", y_limits, ("frame",))
    elif y_limits is not None:
        y_limits = check_finite_array(f"{prefix}y_limits", y_limits, ndim=1)
        if len(y_limits) != 2 or not np.diff(on_scale(f"{prefix}y_limits", y_limits, panel.y_scale)) > 0:
            raise ValueError(f"{prefix}y_limits must be a pair (lo, hi) with lo < hi, got {y_limits.tolist()}")
        y_limits = y_limits.tolist()
    labels = {name: check_text(prefix + name, getattr(panel, name)) for name in ("x_label", "y_label")}
    return replace(panel, x=x, y_limits=y_limits, **labels)


def describe(panel, curves, ranges, *, switch_axes):
    """A panel as described in the chart; `ranges` are those of its channels, on the scales of their axes."""
    axes = np.array(list("".join(CHANNELS[curve["kind"]] for curve in curves)))
    x_range = np.append(ranges[:, axes == "x"], on_scale("x", panel.x, panel.x_scale))
    y_frames, y_limits = ranges[:, axes == "y"], [panel.y_limits]
    if panel.y_limits is None:
        y_limits = [_limits(y_frames, panel.y_scale)]
    elif panel.y_limits == "frame":
        y_limits = [_limits(frame, panel.y_scale) for frame in y_frames]
    x_limits, linear = _limits(x_range, panel.x_scale), None
    if switch_axes and "log" in panel.scales.values():
        x_range = 10**x_range if panel.x_scale == "log" else x_range
        frames = 10**y_frames if panel.y_scale == "log" else y_frames
        linear = {"x": _limits(x_range, "linear"), "y": [_limits(frame, "linear") for frame in frames]}
    return {
        "x": {"label": panel.x_label, "scale": panel.x_scale, "limits": x_limits, "values": panel.x.tolist()},
        "y": {"label": panel.y_label, "scale": panel.y_scale, "limits": y_limits},
        "curves": curves,
        "linear": linear,
    }


def panels_of(chart):
    """The described panels of a chart, which is itself the first."""
    return [chart, *filter(None, [chart["beside"]])]


def limits_at(panel, frame):
    """Limits of a described panel's vertical axis at a grid point."""
    limits = panel["y"]["limits"]
    return limits[frame if len(limits) > 1 else 0]


def n_channels(curves):
    return sum(len(CHANNELS[curve["kind"]]) for curve in curves)


def quantise(curves, table):
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
