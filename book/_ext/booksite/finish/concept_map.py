"""A concept map as one page that needs no other file: a graph, and the same as a list.

`concept_map` in the settings names the data (the terms of the glossary, concepts and their relations) and the page to
write. A name that leads nowhere is a warning, and there is no page. The demo of a concept moves as in its chapter, and
the page fetches its state from where the chapter has it.
"""

import re

import yaml
from jinja2 import UndefinedError

from booksite.document.formulas import render as katex
from booksite.finish.assets import KATEX
from booksite.finish.extra_pages import render
from booksite.finish.fonts import with_fonts

STATE = re.compile(r'widget-state\+json" data-src="[./]*([^"]+)" data-models="([^"]+)"')


def write_concept_map(site):
    settings, editions = site.settings.concept_map, site.settings.editions
    if not settings:
        return
    data = yaml.safe_load((site.source / settings["data"]).read_text("utf-8"))
    terms = {term["en"]: term for term in data["terms"]}
    edges = [
        {"kind": kind, "start": start, "end": end}
        for start, own in data["concepts"].items()
        for kind, ends in own.get("relations", {}).items()
        for end in ends
    ]
    facts = data | {"terms": terms, "edges": edges, "formula": katex, "sections": site.sections, "states": {}}
    facts |= {"demos": {demo.name: demo for demo in site.demos}, "tags": {each.key: each.tag for each in editions}}
    shown = {own.get("demo") for own in data["concepts"].values()}
    for demo in facts["demos"].values():
        for source, models in STATE.findall(site.pages[demo.document.file]):
            if demo.name in shown and demo.model in models.split():
                facts["states"].setdefault(source, []).append(demo.model)
    facts["katex"] = (KATEX / "katex.min.css").read_text("utf-8")
    facts["mount"] = re.sub(r"(?m)^\s*//.*\n", "", (site.source / site.settings.mount_script).read_text("utf-8"))
    try:
        html = render(site, "concept-map.html", default=site.settings.default_edition, **facts)
    except (UndefinedError, ValueError) as error:
        return site.warn(f"concept map: {settings['data']} lacks something, or has it wrong: {error}")
    site.pages[settings["page"]] = with_fonts(html, [html])
