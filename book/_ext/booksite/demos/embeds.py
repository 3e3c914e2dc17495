"""Demos in the chapters: which there are, and under each the line that frames it in a page somewhere else.

A demo is a cell whose last line reads `module.function()`, with the `module` of `embeds` in the settings. The last
steps write a page for it into the `folder`; under a frame that shows a page of this site is the line for that page. A
frame is `height` pixels high, or what `heights` says of its demo.
"""

import html
import json
import re
from urllib.parse import urljoin

from docutils import nodes
from myst_nb.sphinx_ import NbMetadataCollector

from booksite.demos.state import STATE, VIEW, reached
from booksite.page import address
from booksite.site import Demo
from booksite.words import words

LINE = '<iframe src="{src}" title="{title}" width="100%" height="{height}" style="border: 0" loading="lazy"></iframe>'
MODEL = re.compile(r'"model_id": "(\w+)"')
FRAME = r'<iframe\b[^>]*\bsrc="(?![a-z]+:)([^"]+)"[^>]*\btitle="([^"]+)"'


def note_demos(app, doctree):
    """Note on a cell, and for the last steps, which demo it shows; later MyST-NB keeps one form of its output."""
    env, settings = app.env, app.config.booksite
    if not settings.embeds or settings.edition_of(env.docname) is None:
        return
    call = re.compile(rf"^{settings.embeds['module'].rpartition('.')[2]}\.(\w+)\(\)\s*\Z", re.M)
    found = []
    for cell in doctree.findall(lambda node: getattr(node, "attributes", {}).get("nb_element") == "cell_code"):
        source = next((block.astext() for block in cell.findall(nodes.literal_block)), "")
        views = [form.astext() for form in cell.findall(nodes.container) if form.get("mime_type") == VIEW]
        if (match := call.search(source)) and views:
            cell["demo"] = match[1]
            found.append((match[1], MODEL.search(views[-1])[1]))
    NbMetadataCollector.set_doc_data(env, env.docname, "demos", found)


def widget_models(env, docname):
    """The state of all widgets of a page, by their ids."""
    for _, attributes in NbMetadataCollector.get_js_files(env, docname).values():
        if attributes.get("type") == STATE:
            return json.loads(attributes["body"])["state"]
    return {}


def demos_of(env, document):
    """What the last steps need to know of the demos in a page."""
    found = NbMetadataCollector.get_doc_data(env)[document.name].get("demos", [])
    models = widget_models(env, document.name) if found else {}
    return [Demo(name, document, model, {id: models[id] for id in reached(models, model)}) for name, model in found]


def titles(env, docname, edition):
    """The title of each demo in a page."""
    models = widget_models(env, docname)
    found = NbMetadataCollector.get_doc_data(env)[docname].get("demos", [])
    return {name: models[model]["state"]["chart"]["title"][edition.key] for name, model in found}


def details(say, line):
    """The line in a block of code, which the copy button finds, folded."""
    block = nodes.literal_block(line, line, language="html", force=False, linenos=False, highlight_args={})
    opening = f'<details class="embed"><summary>{say["title"]}</summary><p>{say["what"]}</p>'
    return [nodes.raw("", opening, format="html"), block, nodes.raw("", "</details>", format="html")]


def offer_lines(app, doctree, docname):
    settings, edition = app.config.booksite.embeds, app.config.booksite.edition_of(docname)
    if app.builder.format != "html" or not settings or edition is None:
        return
    found, title_of = [], titles(app.env, docname, edition)
    for cell in doctree.findall(nodes.container):
        if name := cell.get("demo"):
            source = f"{app.config.html_baseurl}{settings['folder']}/{edition.key}/{name}.html"
            found.append((cell, source, title_of[name], settings["heights"].get(name, settings["height"])))
    for raw in doctree.findall(nodes.raw):
        if match := re.search(FRAME, raw.astext()):
            src, title = map(html.unescape, match.groups())
            found.append((raw, urljoin(address(app, docname), src), title, settings["height"]))
    for node, src, title, height in found:
        line = LINE.format(src=html.escape(src), title=html.escape(title), height=height)
        place = node.parent.index(node) + 1
        node.parent[place:place] = details(words(edition, "embeds"), line)
