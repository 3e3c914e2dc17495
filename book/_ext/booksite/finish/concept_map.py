"""A concept map as one page that needs no other file: a graph, the same as a list, and a widget beside it.

`concept_map` in the configuration names the data (the terms of the glossary, concepts and their relations), the page to
write, and optionally the function that makes the widget. Labels, terms and formulas are checked: what is
wrong is a Sphinx warning, hence with `-W` a failed build.
"""

import json
import re
from importlib import import_module
from pathlib import Path

import yaml
from sphinx.util import logging
from sphinx.util.nodes import clean_astext

from booksite.document.formulas import render
from booksite.editions import editions
from booksite.language.catalogues import OWN

log = logging.getLogger(__name__)
# room for half a box beyond the last centre
MARGIN = 105, 35


def warn(message, *args):
    log.warning(f"concept map: {message}", *args, type="concept_map")


def by_edition(app, texts, where):
    """One text for each edition."""
    missing = [edition.key for edition in editions(app) if not texts.get(edition.key)]
    if missing:
        warn("%s lacks %s", where, ", ".join(missing))
    return {edition.key: texts.get(edition.key, "") for edition in editions(app)}


def formula(tex, where):
    answer = render(tex, True)
    if "error" in answer:
        warn("%s in the formula of %s", answer["error"], where)
        return ""
    # MathML alone, which needs no font of its own
    return re.search(r"<math.*?</math>", answer["html"], re.S)[0]


def section(app, label, where):
    """Address and title, with the number and title of the chapter before it, of a section in each edition."""
    found, labels = {}, app.env.domains["std"].labels
    for edition in editions(app):
        if f"{edition.key}-{label}" not in labels:
            warn("%s leads to %s-%s, which is no section", where, edition.key, label)
            continue
        page, anchor, title = labels[f"{edition.key}-{label}"]
        number = app.env.toc_secnumbers.get(page, {}).get("", ())
        chapter = ". ".join([*map(str, number), clean_astext(app.env.titles[page])])
        if title != clean_astext(app.env.titles[page]):
            chapter += f" › {title}"
        found[edition.key] = {"href": f"{app.builder.get_target_uri(page)}#{anchor}", "title": chapter}
    return found


def read(app, data):
    """The concepts with names, formulas, links and, on both sides, relations; and the relations as edges."""
    kinds, terms = data["relations"], {term["en"]: term for term in data["terms"]}
    concepts, edges = {}, []
    for key, own in data["concepts"].items():
        if own["term"] not in terms:
            warn("%r is no term of the glossary", own["term"])
        concepts[key] = {
            "name": by_edition(app, terms.get(own["term"], {}), key),
            "sentence": by_edition(app, own, key),
            "formula": formula(own["formula"], key),
            "section": section(app, own["section"], key),
            "at": own["at"],
            "main": own.get("main", False),
            "relations": [],
        }
    for start, own in data["concepts"].items():
        for kind, ends in own.get("relations", {}).items():
            for end in ends:
                if kind not in kinds or end not in concepts:
                    warn("%s: no such relation: %s %s", start, kind, end)
                    continue
                edges.append({"kind": kind, "start": start, "end": end})
                concepts[start]["relations"].append({"kind": kind, "name": kinds[kind], "to": end})
                concepts[end]["relations"].append({"kind": kind, "name": kinds[kind]["inverse"], "to": start})
    return concepts, edges


def widget(app, name):
    """What a page needs to show the widget that a function, named `module:function`, makes: its view, state, script."""
    if not name:
        return None
    from ipywidgets import embed

    module, _, function = name.partition(":")
    made = getattr(import_module(module), function)()
    # without the defaults an anywidget has neither script nor style
    state = embed.dependency_state([made], drop_defaults=False)
    data = embed.embed_data([made], drop_defaults=False, state=state)
    script = Path(app.srcdir, app.config.widget_mount_script).read_text("utf-8")
    script = re.sub(r"^\s*//.*\n", "", script, flags=re.M)
    # a text may hold "</script>"
    view, state = (json.dumps(part).replace("<", r"\u003c") for part in (data["view_specs"][0], data["manager_state"]))
    picture = made._repr_mimebundle_()[0].get("image/svg+xml", "")
    return {"view": view, "state": state, "script": script, "picture": picture, "text": repr(made)}


def write(app, exception):
    options = app.config.concept_map
    if exception or app.builder.format != "html" or not options:
        return
    root, out = Path(app.srcdir), Path(app.outdir)
    data = yaml.safe_load((root / options["data"]).read_text("utf-8"))
    concepts, edges = read(app, data)
    words = {edition.key: OWN[edition.locale]["concept_map"] for edition in editions(app)}
    page = app.builder.templates.render(
        "concept-map.html",
        {
            "editions": editions(app),
            "tags": {edition.key: edition.tag for edition in editions(app)},
            "default": app.config.default_edition,
            "title": by_edition(app, data["title"], "title"),
            "description": by_edition(app, data["description"], "description"),
            "words": {
                name: {key: own[name] for key, own in words.items()} for name in words[app.config.default_edition]
            },
            "kinds": data["relations"],
            "concepts": concepts,
            "edges": edges,
            "size": [max(concept["at"][i] for concept in concepts.values()) + MARGIN[i] for i in (0, 1)],
            "favicon": (root / app.config.html_favicon).read_text("utf-8"),
            "uri": app.builder.get_target_uri,
            "widget": widget(app, options.get("widget")),
        },
    )
    (out / options["page"]).write_text(page, "utf-8")


def setup(app):
    app.add_config_value("concept_map", {}, "html", dict)
    app.connect("build-finished", write)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
