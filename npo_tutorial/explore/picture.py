"""Pictures: of an explorer where no script runs, and the images within one."""

import base64
import io
import math
import os
import re
import warnings
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from npo_tutorial._checks import check_finite_array
from npo_tutorial.explore.panels import limits_at, panels_of
from npo_tutorial.explore.texts import in_all_languages, in_language
from npo_tutorial.plots import COLORS, DASHES, STYLE

MARKERS = "os^Dvp"
# Matplotlib lists the names of all its settings as a type
LOOK: Any = STYLE
# the same picture always has the same bytes
NO_VERSION: Any = {"Software": None}


def picture(explorer: Any, language: str | None = None) -> dict[str, str]:
    """The chart at its current position as a MIME bundle with one SVG; empty without Matplotlib.

    Its labels are in one language, or in all languages that they have.
    """
    figure = _draw(explorer, _speaker(language) if language else in_all_languages)
    return {} if figure is None else {"image/svg+xml": _svg(figure)}


def pictures(explorer: Any) -> dict[str, str]:
    """The same, and a PNG for hosts that show no SVG, such as nbconvert with `sanitize_html`.

    A host that draws its own pictures of what is shown sets the environment variable NPO_TUTORIAL_PICTURES to 0.
    """
    if os.environ.get("NPO_TUTORIAL_PICTURES") == "0":
        return {}
    # in one language, because Matplotlib's own font has no Han characters
    figure = _draw(explorer, _speaker(explorer.language or "en"))
    return {} if figure is None else {**picture(explorer), "image/png": _png(figure)}


def inline_svg(svg: str, words: str, prefix: str) -> str:
    """Matplotlib's SVG as part of an HTML page; `words`, escaped, are for readers who cannot see it.

    A policy of the page that blocks images from data: addresses, or styles in attributes, does not concern it. `prefix`
    keeps its ids apart from those of the page's other pictures.
    """
    svg = re.sub(r"<\?xml.*?\?>|<!DOCTYPE.*?>|<metadata>.*?</metadata>|<style.*?</style>", "", svg, flags=re.S)
    svg = re.sub(r' style="([^"]*)"', _as_attributes, svg)
    used = set(re.findall(r'(?:href="|url\()#(\w+)', svg))
    svg = re.sub(r' id="(\w+)"', lambda id: f' id="{prefix}-{id[1]}"' if id[1] in used else "", svg)
    svg = re.sub(r'(href="|url\()#', rf"\1#{prefix}-", svg)
    svg = re.sub(r"\s*\n\s*", "\n", svg.strip())
    # in tags a hundredth of a point is enough; numbers in the text stay
    svg = re.sub(r"<[^>]+>", lambda tag: re.sub(r"(\d\.\d\d)\d+", r"\1", tag[0]), svg)
    said = f'role="img" aria-label="{words}" font-family="sans-serif" stroke-linejoin="round"'
    return svg.replace("<svg", f"<svg {said}", 1)


def pixel_images(name: str, pixels: ArrayLike) -> list[str]:
    """Square pictures as data: addresses: ink on a transparent ground, which suits a dark page too."""
    from matplotlib.image import imsave

    rows = check_finite_array(name, pixels, ndim=2)
    side = math.isqrt(rows.shape[1])
    if side**2 != rows.shape[1] or rows.min() < 0 or rows.max() > 1:
        raise ValueError(
            f"{name} must be square pictures of pixels between 0 and 1, got rows of {rows.shape[1]} pixels "
            f"between {rows.min():g} and {rows.max():g}"
        )
    addresses = []
    for image in rows.reshape(-1, side, side):
        file = io.BytesIO()
        imsave(file, np.dstack([np.zeros((side, side, 3)), image]), format="png", metadata=NO_VERSION)
        addresses.append(f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}")
    return addresses


def _draw(explorer, say):
    """The figure, or None without Matplotlib; `say` makes one text of those in several languages."""
    try:
        import matplotlib
        from matplotlib.figure import Figure
    except ImportError:
        return None
    panels, handles = panels_of(explorer.chart), dict[str, Any]()
    with matplotlib.rc_context(LOOK):
        # in the legend each name once
        labels = {curve["name"]: curve["label"] for panel in reversed(panels) for curve in panel["curves"]}
        columns = 2 if any(isinstance(label, dict) for label in labels.values()) else 3
        n_rows = math.ceil(len(labels) / columns)
        # one below the other, as on a phone
        figure = Figure(figsize=(5.4, 3.1 * len(panels) + (5 - columns) * 0.17 * n_rows), layout="constrained")
        all_axes = figure.subplots(len(panels), squeeze=False).ravel()
        for number, (axes, panel) in enumerate(zip(all_axes, panels, strict=True)):
            handles |= _draw_panel(axes, panel, explorer.drawn(panel=number).values(), say)
            axes.set_ylim(limits_at(panel, explorer.frame))
        legend: dict[str, Any] = {"loc": "outside lower center", "ncols": columns, "frameon": False, "fontsize": 9}
        figure.legend(handles=list(handles.values()), **legend)
    return figure


def _speaker(language):
    return lambda text, separator="": in_language(text, language)


def _as_attributes(style):
    """Declarations of a style attribute as attributes of SVG; the fonts are those of the whole picture."""
    pairs = [declaration.split(":", 1) for declaration in style[1].split(";") if declaration.strip()]
    kept = {name.strip(): value.strip() for name, value in pairs if name.strip() != "font-family"}
    return "".join(f' {name}="{value}"' for name, value in kept.items())


def _svg(figure):
    import matplotlib

    # text as text: small, and set by the reader's machine; the same picture always has the same bytes
    style: Any = STYLE | {"svg.fonttype": "none", "svg.hashsalt": "npo-tutorial"}
    file = io.StringIO()
    with matplotlib.rc_context(style), warnings.catch_warnings():
        # Matplotlib measures text with its own font, which has no Han characters
        warnings.filterwarnings("ignore", "Glyph .* missing")
        figure.savefig(file, format="svg", metadata={"Date": None})
    return file.getvalue()


def _png(figure):
    import matplotlib

    file = io.BytesIO()
    with matplotlib.rc_context(LOOK), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing")
        # on white, because a host's dark page would hide black letters
        figure.savefig(file, format="png", dpi=100, facecolor="white", metadata=NO_VERSION)
    return base64.b64encode(file.getvalue()).decode()


def _draw_panel(axes, panel, curves, say):
    """Draw a panel; returns the handle of each name for the legend."""
    x, handles = panel["x"]["values"], {}
    for described, curve in zip(panel["curves"], curves, strict=True):
        if described["kind"] == "images":
            # next to a chart that does not move they say little
            continue
        look, label = described["look"], _no_formula(say(described["label"], "\n"))
        style = {"color": COLORS[look], "linestyle": DASHES[look], "label": label}
        match described["kind"]:
            case "line":
                (handle,) = axes.plot(x, curve, **style)
            case "path":
                (handle,) = axes.plot(curve.x, curve.y, **style)
            case "band":
                handle = axes.fill_between(x, curve.lo, curve.hi, alpha=0.25, **style)
            case "points":
                (handle,) = axes.plot(curve.x, curve.y, **style | {"linestyle": "none", "marker": MARKERS[look]})
            case "marker":
                handle = axes.axvline(curve.x, **style)
        handles[described["name"]] = handle
    axes.set(
        xlabel=_no_formula(say(panel["x"]["label"])),
        xscale=panel["x"]["scale"],
        yscale=panel["y"]["scale"],
        xlim=panel["x"]["limits"],
    )
    # above the axis, because beside it there is no room for two languages
    axes.set_title(_no_formula(say(panel["y"]["label"])), loc="left", fontsize=STYLE["font.size"])
    return handles


def _no_formula(text):
    return text.replace("$", r"\$")
