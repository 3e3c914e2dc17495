"""A chart's panels: their arguments, the limits of their axes, and their numbers as the browser receives them."""

from collections.abc import Callable, Sequence
from dataclasses import KW_ONLY, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from npo_tutorial._checks import check_choice, check_finite_array
from npo_tutorial.explore.chart import Chart, Curve, Limits, LinearLimits, PanelState
from npo_tutorial.explore.kinds import KINDS
from npo_tutorial.explore.scales import SCALES, on_scale
from npo_tutorial.explore.texts import Text, check_text


@dataclass(frozen=True, eq=False)
class Panel:
    """A second chart next to that of `explore`, moved by the same sliders; the arguments are those of `explore`."""

    fn: Callable[..., dict[str, Any]]
    x: ArrayLike
    _: KW_ONLY
    x_label: Text
    y_label: Text
    x_scale: str = "linear"
    y_scale: str = "linear"
    y_limits: str | Sequence[float] | None = None

    @property
    def scales(self) -> dict[str, str]:
        """The scale of each axis."""
        return {"x": self.x_scale, "y": self.y_scale}


def check_panel(prefix: str, panel: Panel) -> Panel:
    """A panel with valid parts; in messages `prefix` comes before their names."""
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
    return replace(panel, x=x, y_limits=y_limits, x_label=labels["x_label"], y_label=labels["y_label"])


def describe(panel: Panel, curves: list[Curve], ranges: np.ndarray, *, switch_axes: bool) -> PanelState:
    """A panel as described in the chart; `ranges` are those of its channels, on the scales of their axes."""
    axes = np.array(list("".join(KINDS[curve["kind"]].channels for curve in curves)))
    x = np.asarray(panel.x, float)
    x_range = np.append(ranges[:, axes == "x"], on_scale("x", x, panel.x_scale))
    y_frames = ranges[:, axes == "y"]
    if panel.y_limits is None:
        y_limits = [_limits(y_frames, panel.y_scale)]
    elif isinstance(panel.y_limits, str):
        y_limits = [_limits(frame, panel.y_scale) for frame in y_frames]
    else:
        y_limits = [list(panel.y_limits)]
    x_limits = _limits(x_range, panel.x_scale)
    linear: LinearLimits | None = None
    if switch_axes and "log" in panel.scales.values():
        x_range = 10**x_range if panel.x_scale == "log" else x_range
        frames = 10**y_frames if panel.y_scale == "log" else y_frames
        linear = {"x": _limits(x_range, "linear"), "y": [_limits(frame, "linear") for frame in frames]}
    return {
        "x": {"label": panel.x_label, "scale": panel.x_scale, "limits": x_limits, "values": x.tolist()},
        "y": {"label": panel.y_label, "scale": panel.y_scale, "limits": y_limits},
        "curves": curves,
        "linear": linear,
    }


def panels_of(chart: Chart) -> list[PanelState]:
    """The described panels of a chart, which is itself the first."""
    return [chart, *filter(None, [chart["beside"]])]


def limits_at(panel: PanelState, frame: int) -> Limits:
    """Limits of a described panel's vertical axis at a grid point."""
    limits = panel["y"]["limits"]
    return limits[frame if len(limits) > 1 else 0]


def _limits(numbers, scale):
    """Limits of an axis with these numbers on its scale: with a margin, and wide enough not to show rounding errors."""
    lo, hi = (float(numbers.min()), float(numbers.max())) if numbers.size else (0.0, 1.0)
    size = max(abs(lo), abs(hi))
    margin = 0.03 * (hi - lo) if hi - lo > 1e-9 * size else 0.1 * size or 1.0
    limits = [lo - margin, hi + margin]
    return [10**limit for limit in limits] if scale == "log" else limits
