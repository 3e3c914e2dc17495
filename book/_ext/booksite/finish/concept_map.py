"""A concept map as one page that needs no other file: a graph, the same as a list, and a demo beside it.

`concept_map` in the settings names the data (the terms of the glossary, concepts and their relations), the page to
write, and the demo. Labels, terms and formulas are checked: what is wrong is a warning, and there is no page.
"""

import re

import yaml

from booksite.document.formulas import render as katex
from booksite.finish.embeds import pictures_of
from booksite.finish.extra_pages import render
from booksite.words import words


def faults(site, data, terms, edges):
    """What the page could not show, in words."""
    name, editions = site.settings.concept_map.get("demo"), site.settings.editions
    if name and name not in {demo.name for demo in site.demos}:
        yield f"no chapter shows the demo {name}"
    for key, own in data["concepts"].items():
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


def formula(tex):
    """MathML alone, which needs no font of its own."""
    return re.search(r"<math.*?</math>", katex(tex, True)["html"], re.S)[0]


def widget(site, name):
    """What the page needs to show a demo of a chapter: its view, state, script, and a picture with its words."""
    # a build has put the package on the path
    from npo_tutorial.explore import html as explorers

    demo = next(demo for demo in site.demos if demo.name == name)
    with explorers.revived(demo.models, demo.model) as explorer:
        shown = explorers.parts([explorer], pictures_of(site, demo))
        (view,), (picture,) = shown.views, shown.pictures
        return {"view": view, "state": shown.state, "script": shown.script, "picture": picture, "text": repr(explorer)}


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
    facts = data | {"terms": terms, "edges": edges, "formula": formula, "sections": site.sections}
    facts["widget"] = widget(site, settings["demo"]) if "demo" in settings else None
    facts["words"] = {edition.key: words(edition, "concept_map") for edition in editions}
    facts["tags"] = {edition.key: edition.tag for edition in editions}
    site.pages[settings["page"]] = render(site, "concept-map.html", default=site.settings.default_edition, **facts)
