"""Explorers in pages without a kernel: a page of their own, and a picture where no script runs."""

import base64
import html
import io
import json
import math
import os
import warnings
from collections.abc import Iterable
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from npo_tutorial._checks import check_choice, check_finite_array
from npo_tutorial._extras import require
from npo_tutorial._locale import LANGUAGES, preferred_language
from npo_tutorial.explore.panels import limits_at, panels_of
from npo_tutorial.plots import COLORS, DASHES, STYLE

MARKERS = "os^Dvp"
PAGE = """<!doctype html>
<html lang="{lang}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<link rel="icon" href="data:,">
<style>
body {{ max-width: 46rem; margin: 0 auto; padding: 1rem; font-family: system-ui, sans-serif; line-height: 1.5;
  color: #1b1f24; background: #fff; }}
h1 {{ font-size: 1.5rem; }}
section {{ margin: 2.5rem 0; }}
figure {{ margin: 0; }}
figure img {{ max-width: 100%; height: auto; }}
@media screen and (prefers-color-scheme: dark) {{
  body {{ color: #e3e6ea; background: #14181e; }}
  figure img {{ filter: invert(1) hue-rotate(180deg); }}
}}
</style>
</head>
<body>
<main>
<h1>{title}</h1>
{views}
</main>
<script type="application/vnd.jupyter.widget-state+json">{state}</script>
<script>{script}</script>
</body>
</html>
"""
VIEW = """<section>
<script type="application/vnd.jupyter.widget-view+json">{view}</script>
<noscript>{figure}</noscript>
</section>"""
# an output of its own, whose row in JupyterLab and in nbconvert's pages would be blank
GUEST = """<style>.jp-OutputArea-child:has(> * > script[data-guest]) {{ display: none; }}</style>
<script data-guest>
{script}</script>"""


def save_html(widgets, path, *, title, lang=None):
    """Write explorers to one HTML file that works anywhere: from a disk, without a network, without a kernel.

    A whole notebook needs no such call: in what ``jupyter nbconvert --to html`` makes of it, explorers move as well.

    Parameters
    ----------
    widgets : Explorer or sequence of Explorer
        In the order of the page.
    path : str or path
        File to write.
    title : str
        Title of the page.
    lang : {"en", "zh"}, optional
        Language of the page, and of all texts that come in several. By default what the environment variable
        ``NPO_TUTORIAL_LANG`` says, else that of the locale if it is one of these, else English.

    Raises
    ------
    ValueError
        No widget, an unknown language.
    TypeError
        Widgets of another kind, which need more than this page brings; a title that is no text, a path that is none.
    """
    from npo_tutorial.explore import Explorer

    widgets = list(widgets) if isinstance(widgets, Iterable) else [widgets]
    for widget in widgets:
        if not isinstance(widget, Explorer):
            raise TypeError(f"widgets must be made by explore, got {widget!r}")
    if not widgets:
        raise ValueError("widgets must not be empty")
    if not isinstance(title, str):
        raise TypeError(f"title must be a str, got {title!r}")
    if not isinstance(path, (str, os.PathLike)):
        raise TypeError(f"path must be a str or a path, got {path!r}")
    lang = preferred_language() if lang is None else check_choice("lang", lang, LANGUAGES)
    Path(path).write_text(page(widgets, title=title, lang=lang), "utf-8")


def page(explorers, *, title, lang, pictures=None):
    """The text of such a page; with the explorers' pictures as SVG, if they have been drawn already."""
    views, state, script = parts(explorers)
    pictures = pictures or [picture(one).get("image/svg+xml", "") for one in explorers]
    views = [
        VIEW.format(view=view, figure=_figure(one, lang, svg))
        for view, one, svg in zip(views, explorers, pictures, strict=True)
    ]
    return PAGE.format(lang=lang, title=html.escape(title), views="\n".join(views), state=state, script=script)


def parts(explorers):
    """What a page needs to show explorers: the view of each and the state of all as JSON, and the script."""
    embed = require("ipywidgets.embed")
    # without the defaults an anywidget has neither script nor style
    state = embed.dependency_state(explorers, drop_defaults=False)
    for explorer in explorers:
        # a page has a language
        state[explorer.model_id]["state"]["language"] = ""
    data = embed.embed_data(explorers, drop_defaults=False, state=state)
    return [_json(view) for view in data["view_specs"]], _json(data["manager_state"]), _mount_script()


@contextmanager
def revived(models, model_id):
    """The explorer that a cell's output shows, from the states of its widgets: nothing is computed.

    It keeps its ids, so the same output always makes the same page, and is closed afterwards, because only one widget
    at a time can have an id.
    """
    from ipywidgets import Layout

    from npo_tutorial.explore import Explorer

    state = dict(models[model_id]["state"])
    for buffer in models[model_id].get("buffers", []):
        (name,) = buffer["path"]
        state[name] = base64.b64decode(buffer["data"])
    layout = Layout(model_id=state["layout"].removeprefix("IPY_MODEL_"))
    shown = {name: state[name] for name in ("chart", "numbers", "ranges", "index", "linear")}
    explorer = Explorer(model_id=model_id, layout=layout, **shown)
    try:
        yield explorer
    finally:
        explorer.close()
        layout.close()


def guest():
    """What mounts the explorers in a page that nbconvert makes of a notebook; does nothing in a live one."""
    return GUEST.format(script=_mount_script())


def picture(explorer):
    """The chart at its current position as a MIME bundle with one SVG for all languages; empty without Matplotlib."""
    try:
        import matplotlib
        from matplotlib.figure import Figure
    except ImportError:
        return {}
    panels = panels_of(explorer.chart)
    # text as text: small, and set by the reader's machine; the same picture always has the same bytes
    style = STYLE | {"svg.fonttype": "none", "svg.hashsalt": "npo-tutorial"}
    with matplotlib.rc_context(style), warnings.catch_warnings():
        # Matplotlib measures text with its own font, which has no Han characters
        warnings.filterwarnings("ignore", "Glyph .* missing")
        # in the legend each name once
        labels = {curve["name"]: curve["label"] for panel in reversed(panels) for curve in panel["curves"]}
        columns = 2 if any(isinstance(label, dict) for label in labels.values()) else 3
        n_rows = -(-len(labels) // columns)
        # one below the other, as on a phone
        figure = Figure(figsize=(5.4, 3.1 * len(panels) + (5 - columns) * 0.17 * n_rows), layout="constrained")
        all_axes, handles = figure.subplots(len(panels), squeeze=False).ravel(), {}
        for number, (axes, panel) in enumerate(zip(all_axes, panels, strict=True)):
            handles |= _draw_panel(axes, panel, explorer.drawn(panel=number).values())
            axes.set_ylim(limits_at(panel, explorer.frame))
        figure.legend(
            handles=list(handles.values()), loc="outside lower center", ncols=columns, frameon=False, fontsize=9
        )
        svg = io.StringIO()
        figure.savefig(svg, format="svg", metadata={"Date": None})
    return {"image/svg+xml": svg.getvalue()}


def pixel_images(name, pixels):
    """Square pictures as addresses that hold them: ink on transparent ground, so that they suit a dark page too."""
    from matplotlib.image import imsave

    pixels = check_finite_array(name, pixels, ndim=2)
    side = math.isqrt(pixels.shape[1])
    if side**2 != pixels.shape[1] or pixels.min() < 0 or pixels.max() > 1:
        raise ValueError(
            f"{name} must hold square pictures of pixels between 0 and 1, got rows of {pixels.shape[1]} pixels "
            f"between {pixels.min():g} and {pixels.max():g}"
        )
    addresses = []
    for picture in pixels.reshape(-1, side, side):
        file = io.BytesIO()
        imsave(file, np.dstack([np.zeros((side, side, 3)), picture]), format="png", metadata={"Software": None})
        addresses.append(f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}")
    return addresses


def in_language(text, lang="en"):
    """A text, or the one of several that a page in this language shows."""
    return text if isinstance(text, str) else text.get(lang, text["en"])


def in_all_languages(text, separator=" · "):
    return text if isinstance(text, str) else separator.join(dict.fromkeys(text.values()))


def _draw_panel(axes, panel, curves):
    """Draw a panel; returns what stands in the legend for each name."""
    x, handles = panel["x"]["values"], {}
    for described, curve in zip(panel["curves"], curves, strict=True):
        if described["kind"] == "images":
            # beside a chart that does not move they say little
            continue
        look, label = described["look"], _no_formula(in_all_languages(described["label"], "\n"))
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
        xlabel=_no_formula(in_all_languages(panel["x"]["label"])),
        xscale=panel["x"]["scale"],
        yscale=panel["y"]["scale"],
        xlim=panel["x"]["limits"],
    )
    # not beside the axis, where two languages find no room
    axes.set_title(_no_formula(in_all_languages(panel["y"]["label"])), loc="left", fontsize=STYLE["font.size"])
    return handles


def _no_formula(text):
    return text.replace("$", r"\$")


def _figure(explorer, lang, svg):
    """What stands in for an explorer where no script runs."""
    chart = explorer.chart
    title, said = (html.escape(in_language(text or "", lang)) for text in (chart["title"], explorer.sentence))
    settings = "; ".join(
        f"{in_language(grid['label'], lang)} = "
        + (in_language(grid["names"][i], lang) if grid["names"] else f"{grid['values'][i]:g}")
        for grid, i in zip(chart["grids"], explorer.index, strict=True)
    )
    settings = html.escape(settings)
    source = f"data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()}"
    image = f'<img src="{source}" alt="{title} ({settings}). {said}">' if svg else ""
    passages = "".join(
        f"<dt>{html.escape(in_language(passage.title, lang))}</dt><dd>{html.escape(''.join(passage.pieces))}</dd>"
        for passage in explorer.passages()
    )
    passages = f"<dl>{passages}</dl>" if passages else ""
    return f"<figure>{image}<figcaption><strong>{title}</strong> ({settings}) {said}{passages}</figcaption></figure>"


def _mount_script():
    return Path(__file__).with_name("mount.js").read_text("utf-8")


def _json(data):
    # a text may hold "</script>"
    return json.dumps(data).replace("<", r"\u003c")
