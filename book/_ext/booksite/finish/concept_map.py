"""A concept map as one page that needs no other file: a graph, and the same as a list.

`concept_map` in the settings names the data (the terms of the glossary, concepts and their relations) and the page to
write. Labels, terms and formulas are checked: what is wrong is a warning, and there is no page. The demo of a concept
moves as in its chapter, and the page fetches its state from where the chapter has it.
"""

import re

import yaml

from booksite.document.formulas import render as katex
from booksite.finish.assets import KATEX
from booksite.finish.extra_pages import render
from booksite.finish.fonts import with_fonts
from booksite.words import words

STATE = re.compile(r'widget-state\+json" data-src="[./]*([^"]+)" data-models="([^"]+)"')


def faults(site, data, terms, edges):
    """What the page could not show, in words."""
    editions, demos = site.settings.editions, {demo.name for demo in site.demos}
    for key, own in data["concepts"].items():
        if "demo" in own and own["demo"] not in demos:
            yield f"no chapter shows the demo {own['demo']}, which {key} names"
        if own["term"] not in terms:
            yield f"{own['term']!r} is not a term of the glossary"
        if error := katex(own["formula"], True).get("error"):
            yield f"{error} in the formula of {key}"
        for label in (f"{edition.key}-{own['section']}" for edition in editions):
            if label not in site.sections:
                yield f"{key} leads to {label}, which is not a section"
    texts = [("title", data["title"]), ("description", data["description"]), *terms.items(), *data["concepts"].items()]
    for where, own in texts:
        if missing := [edition.key for edition in editions if not own.get(edition.key)]:
            yield f"{where} lacks {', '.join(missing)}"
    for edge in edges:
        if edge["kind"] not in data["relations"] or edge["end"] not in data["concepts"]:
            yield f"{edge['start']} has an unknown relation: {edge['kind']} {edge['end']}"


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
    if found := list(faults(site, data, terms, edges)):
        for fault in found:
            site.warn(f"concept map: {fault}")
        return
    facts = data | {"terms": terms, "edges": edges, "formula": lambda tex: katex(tex, True)["html"]}
    facts |= {"sections": site.sections, "demos": {demo.name: demo for demo in site.demos}, "states": {}}
    for name in sorted({own["demo"] for own in data["concepts"].values() if "demo" in own}):
        demo = facts["demos"][name]
        for source, models in STATE.findall(site.pages[demo.document.file]):
            if demo.model in models.split():
                facts["states"].setdefault(source, []).append(demo.model)
    facts["katex"] = (KATEX / "katex.min.css").read_text("utf-8")
    mount = (site.source / site.settings.mount_script).read_text("utf-8")
    facts["mount"] = re.sub(r"^\s*//.*\n", "", mount, flags=re.M)
    facts["words"] = {edition.key: words(edition, "concept_map") for edition in editions}
    facts["tags"] = {edition.key: edition.tag for edition in editions}
    html = render(site, "concept-map.html", default=site.settings.default_edition, **facts)
    site.pages[settings["page"]] = with_fonts(html, [html])
