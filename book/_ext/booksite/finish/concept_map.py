"""A concept map as one page that needs no other file: a graph, the same as a list, and a demo beside it.

`concept_map` in the settings names the data (the terms of the glossary, concepts and their relations), the page to
write, and the demo. Labels, terms and formulas are checked: what is wrong fails a strict build.
"""

import re

import yaml

from booksite.document.formulas import render as katex
from booksite.finish.embeds import COMMENT, pictures_of
from booksite.finish.extra_pages import render
from booksite.words import words

# room for half a box beyond the last centre
MARGIN = 105, 35


class Map:
    """The data of a map, read and checked."""

    def __init__(self, site, data):
        self.site, self.data, self.editions = site, data, site.settings.editions
        self.terms = {term["en"]: term for term in data["terms"]}
        self.concepts = {key: self.concept(key, own) for key, own in data["concepts"].items()}
        self.edges = list(self.relate())

    def warn(self, message):
        self.site.warn(f"concept map: {message}")

    def by_edition(self, texts, where):
        """One text for each edition."""
        if missing := [edition.key for edition in self.editions if not texts.get(edition.key)]:
            self.warn(f"{where} lacks {', '.join(missing)}")
        return {edition.key: texts.get(edition.key, "") for edition in self.editions}

    def formula(self, tex, where):
        answer = katex(tex, True)
        if "error" in answer:
            self.warn(f"{answer['error']} in the formula of {where}")
            return ""
        # MathML alone, which needs no font of its own
        return re.search(r"<math.*?</math>", answer["html"], re.S)[0]

    def section(self, label, where):
        """Address and title of a section in each edition."""
        found = {}
        for edition in self.editions:
            if place := self.site.sections.get(f"{edition.key}-{label}"):
                found[edition.key] = dict(zip(("href", "title"), place, strict=True))
            else:
                self.warn(f"{where} leads to {edition.key}-{label}, which is not a section")
        return found

    def concept(self, key, own):
        if own["term"] not in self.terms:
            self.warn(f"{own['term']!r} is not a term of the glossary")
        return {
            "name": self.by_edition(self.terms.get(own["term"], {}), key),
            "sentence": self.by_edition(own, key),
            "formula": self.formula(own["formula"], key),
            "section": self.section(own["section"], key),
            "at": own["at"],
            "main": own.get("main", False),
            "relations": [],
        }

    def relate(self):
        """Tell both concepts of a relation, which is an edge of the graph."""
        kinds, concepts = self.data["relations"], self.concepts
        for start, own in self.data["concepts"].items():
            for kind, ends in own.get("relations", {}).items():
                for end in ends:
                    if kind not in kinds or end not in concepts:
                        self.warn(f"{start} has an unknown relation: {kind} {end}")
                        continue
                    concepts[start]["relations"].append({"kind": kind, "name": kinds[kind], "to": end})
                    concepts[end]["relations"].append({"kind": kind, "name": kinds[kind]["inverse"], "to": start})
                    yield {"kind": kind, "start": start, "end": end}


def widget(site, name):
    """What the page needs to show a demo of a chapter: its view, state, script, and a picture with its words."""
    demo = next((demo for demo in site.demos if demo.name == name), None)
    if demo is None:
        if name:
            site.warn(f"concept map: no chapter shows the demo {name}")
        return None
    # a build has put the package on the path
    from npo_tutorial.explore import html as explorers

    with explorers.revived(demo.models, demo.model) as explorer:
        (view,), state, script = explorers.parts([explorer])
        (picture,) = pictures_of(site, demo) or [explorers.picture(explorer).get("image/svg+xml", "")]
        script = COMMENT.sub("", script)
        return {"view": view, "state": state, "script": script, "picture": picture, "text": repr(explorer)}


def write_concept_map(site):
    settings = site.settings
    if not settings.concept_map:
        return
    data = yaml.safe_load((site.source / settings.concept_map["data"]).read_text("utf-8"))
    shown = Map(site, data)
    own_words = {edition.key: words(edition, "concept_map") for edition in settings.editions}
    site.pages[settings.concept_map["page"]] = render(
        site,
        "concept-map.html",
        tags={edition.key: edition.tag for edition in settings.editions},
        default=settings.default_edition,
        title=shown.by_edition(data["title"], "title"),
        description=shown.by_edition(data["description"], "description"),
        words={
            name: {key: own[name] for key, own in own_words.items()} for name in own_words[settings.default_edition]
        },
        kinds=data["relations"],
        concepts=shown.concepts,
        edges=shown.edges,
        size=[max(concept["at"][i] for concept in shown.concepts.values()) + MARGIN[i] for i in (0, 1)],
        widget=widget(site, settings.concept_map.get("demo")),
    )
