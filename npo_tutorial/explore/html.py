"""Explorers in pages without a kernel: the parts of such a page, and a page of their own.

Every page has a picture first, which the script then replaces: where scripts are blocked, the picture stays.
"""

import base64
import html
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from npo_tutorial._checks import check_choice
from npo_tutorial._extras import require
from npo_tutorial._locale import LANGUAGES, preferred_language
from npo_tutorial.explore.explorer import Explorer
from npo_tutorial.explore.picture import inline_svg, picture
from npo_tutorial.explore.scripts import mount_script
from npo_tutorial.explore.texts import in_language

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
h1 {{ font-size: 1.5rem; overflow-wrap: anywhere; }}
section {{ margin: 2.5rem 0; }}
figure {{ margin: 0; }}
figcaption {{ overflow-wrap: anywhere; }}
figure svg {{ max-width: 100%; height: auto; }}
@media screen and (prefers-color-scheme: dark) {{
  body {{ color: #e3e6ea; background: #14181e; }}
  figure svg {{ filter: invert(1) hue-rotate(180deg); }}
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
<div class="widget-stand-in">{figure}</div>
</section>"""


class Parts(NamedTuple):
    """What a page needs to show explorers.

    The view of each explorer is JSON for its place in the page, and its picture is an SVG, "" without Matplotlib. The
    state of all explorers (JSON) and the script come once, after the last view.
    """

    views: list[str]
    state: str
    script: str
    pictures: list[str]


def save_html(
    widgets: Explorer | Iterable[Explorer],
    path: str | os.PathLike[str],
    *,
    title: str,
    language: str | None = None,
) -> None:
    """Write explorers to one HTML file that works anywhere: from a disk, without a network, without a kernel.

    You need no such call for a whole notebook: explorers also move in the output of ``jupyter nbconvert --to html``.

    Parameters
    ----------
    widgets : Explorer or iterable of Explorer
        In the order of the page.
    path : str or path
        File to write.
    title : str
        Title of the page.
    language : {"en", "zh"}, optional
        Language of the page, and of all texts that come in several. The default is the environment variable
        ``NPO_TUTORIAL_LANG``, then the language of the locale if it is one of these, then English.

    Raises
    ------
    ValueError
        No widget, or an unknown language.
    TypeError
        Widgets of another kind, which need more than this page has; a title or a path of the wrong type.
    """
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
    language = preferred_language() if language is None else check_choice("language", language, LANGUAGES)
    Path(path).write_text(page(widgets, title=title, lang=language), "utf-8")


def page(explorers: Sequence[Explorer], *, title: str, lang: str, pictures: Sequence[str] | None = None) -> str:
    """The text of such a page; `pictures` are SVGs of the explorers if they have been drawn already."""
    shown = parts(explorers, pictures)
    views = [
        VIEW.format(view=view, figure=_figure(explorer, lang, svg))
        for view, explorer, svg in zip(shown.views, explorers, shown.pictures, strict=True)
    ]
    return PAGE.format(
        lang=lang, title=html.escape(title), views="\n".join(views), state=shown.state, script=shown.script
    )


def parts(explorers: Sequence[Explorer], pictures: Sequence[str] | None = None) -> Parts:
    """The parts of a page that shows explorers; `pictures` are their SVGs if they have been drawn already."""
    embed = require("ipywidgets.embed")
    # without the defaults an anywidget has neither script nor style
    state = embed.dependency_state(explorers, drop_defaults=False)
    for explorer in explorers:
        # the page decides
        state[explorer.model_id]["state"]["language"] = ""
    data = embed.embed_data(explorers, drop_defaults=False, state=state)
    drawn = pictures or [picture(explorer).get("image/svg+xml", "") for explorer in explorers]
    return Parts(
        [_json(view) for view in data["view_specs"]], _json(data["manager_state"]), mount_script(), list(drawn)
    )


@contextmanager
def revived(models: Mapping[str, Any], model_id: str) -> Iterator[Explorer]:
    """The explorer in a cell's output, from the states of the notebook's widgets: nothing is computed.

    It keeps its ids, so the same output always makes the same page. It is closed afterwards, because only one widget at
    a time can have an id.
    """
    from ipywidgets import Layout

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


def words(explorer: Explorer, language: str) -> tuple[str, str, str]:
    """What an explorer shows in words: its title, the values of its parameters, and its sentence."""
    chart = explorer.chart
    settings = ("；" if language == "zh" else "; ").join(
        f"{in_language(grid['label'], language)} = "
        + (in_language(grid["names"][i], language) if grid["names"] else f"{grid['values'][i]:g}".replace("-", "−"))
        for grid, i in zip(chart["grids"], explorer.index, strict=True)
    )
    return in_language(chart["title"], language), settings, in_language(explorer.sentence or "", language)


def _figure(explorer, lang, svg):
    """The picture of an explorer, with its title, parameters, sentence and passages in words."""
    title, settings, said = map(html.escape, words(explorer, lang))
    settings = f"（{settings}）" if lang == "zh" else f" ({settings}) "
    image = inline_svg(svg, f"{title}{settings}{said}", f"npo-{explorer.model_id[:6]}") if svg else ""
    passages = "".join(
        f"<dt>{html.escape(in_language(passage.title, lang))}</dt><dd>{html.escape(''.join(passage.pieces))}</dd>"
        for passage in explorer.passages()
    )
    passages = f"<dl>{passages}</dl>" if passages else ""
    caption = f"<figcaption><strong>{title}</strong>{settings}{said}{passages}</figcaption>"
    return f'<figure dir="ltr">{image}{caption}</figure>'


def _json(data):
    # a text may contain "</script>"
    return json.dumps(data).replace("<", r"\u003c")
