"""Demos in the chapters: they move in a static page, with no kernel and no other host, and can be framed elsewhere.

A demo is a cell whose last line reads `module.function()`, with the `module` of `embeds` in the settings. The state of
its widget, which MyST-NB writes into the page, goes to a file that is fetched when the demo comes near, and what all
widgets share to one more. Until then, in print, and without JavaScript, the page shows a picture.
"""

import html
import json
import re
from functools import partial
from pathlib import Path
from urllib.parse import urljoin

from docutils import nodes
from myst_nb.sphinx_ import NbMetadataCollector

from booksite.execution.sources import digest
from booksite.page import Page, is_cell
from booksite.page.images import size
from booksite.site import Demo

STATE = "application/vnd.jupyter.widget-state+json"
VIEW = "application/vnd.jupyter.widget-view+json"
# the same in every widget of a kind, and much of what a state weighs
SHARED = ("_esm", "_css")
LINE = '<iframe src="{src}" title="{title}" width="100%" height="{height}" style="border: 0" loading="lazy"></iframe>'
MODEL = re.compile(r'"model_id": "(\w+)"')
SHOWN = re.compile(rf"{MODEL.pattern}[^<]*</script>")
FRAME = re.compile(r'<iframe\b[^>]*\bsrc="(?![a-z]+:)([^"]+)"[^>]*\btitle="([^"]+)"')


def find_demos(app, doctree):
    """Note the demos of a page for the last steps, and offer lines that frame them, and its other frames, elsewhere.

    Only now does MyST-NB have the states of widgets.
    """
    env, settings, edition = app.env, app.config.booksite.embeds, app.config.booksite.edition_of(app.env.docname)
    if not settings or edition is None:
        return
    files = [given for _, given in NbMetadataCollector.get_js_files(env, env.docname).values()]
    models = next((json.loads(given["body"])["state"] for given in files if given.get("type") == STATE), {})
    call = re.compile(rf"^{settings['module'].rpartition('.')[2]}\.(\w+)\(\)\s*\Z", re.M)
    noted, page = [], Page(app, env.docname)
    for raw in list(doctree.findall(nodes.raw)):
        if match := FRAME.search(raw.astext()):
            place, title = map(html.unescape, match.groups())
            offer(page, raw, urljoin(page.address, place), title, settings["height"])
    for cell in list(doctree.findall(is_cell)):
        source = next((block.astext() for block in cell.findall(nodes.literal_block)), "")
        views = [form.astext() for form in cell.findall(nodes.container) if form.get("mime_type") == VIEW]
        if (match := call.search(source)) and views:
            name, model = match[1], MODEL.search(views[-1])[1]
            noted.append((name, model, {id: models[id] for id in reached(models, model)}))
            address = f"{page.settings.base}{settings['folder']}/{edition.key}/{name}.html"
            title = models[model]["state"]["chart"]["title"][edition.key]
            offer(page, cell, address, title, settings["heights"].get(name, settings["height"]))
    NbMetadataCollector.set_doc_data(env, env.docname, "demos", noted)


def offer(page, node, source, title, height):
    """Below a node the line in a block of code, which the copy button finds, folded."""
    say, line = page.words("embeds"), LINE.format(src=html.escape(source), title=html.escape(title), height=height)
    block = nodes.literal_block(line, line, language="html", force=False, linenos=False, highlight_args={})
    opening = f'<details class="embed"><summary>{say["title"]}</summary><p>{say["what"]}</p>'
    start, end = (nodes.raw("", tag, format="html") for tag in (opening, "</details>"))
    place = node.parent.index(node) + 1
    node.parent[place:place] = [start, block, end]


def of_documents(env, documents):
    """What the last steps need to know of the demos."""
    noted = NbMetadataCollector.get_doc_data(env)
    return tuple(Demo(page, *facts) for page in documents for facts in noted[page.name].get("demos", []))


def reached(models, start):
    """The ids of a model and of all that it refers to."""
    found = [start]
    for model in found:
        found += sorted(models.keys() & set(re.findall(r"IPY_MODEL_(\w+)", json.dumps(models[model]))) - set(found))
    return found


def drop_mount_scripts(document, env):
    """A widget brings the script for pages that have none."""
    mount_script = Path(env.srcdir, env.config.booksite.mount_script).read_text("utf-8")
    for bundle in [node for node in document.findall(nodes.container) if node.get("nb_element") == "mime_bundle"]:
        if any(mount_script in form.astext() for form in bundle.children):
            bundle.parent.remove(bundle)


def in_words(page, models, found):
    """A view with its picture in the language of the page, and below that its title, values and sentence."""
    from npo_tutorial.explore import html as explorers

    if "chart" not in models.get(model := found[1], {"state": ()})["state"]:
        return found[0]
    with explorers.revived(models, model) as explorer:
        svg = explorers.picture(explorer, page.language.key)["image/svg+xml"]
        title, settings, said = map(html.escape, explorers.words(explorer, page.language.key))
    page.publish(name := f"_images/{digest(svg)}.svg", svg)
    settings = settings.join(page.words("titles"))
    picture = f'<img loading="lazy" {size(svg)} alt="{title}{settings}" src="{page.path(name)}" />'
    words = f"<p><strong>{title}</strong>{settings} {said}</p>"
    return f'{found[0]}<div class="widget-stand-in docutils container">\n{picture}{words}\n</div>'


def move_state(page):
    """The state of a page's widgets goes into files: first what is shared, then one for each widget."""
    context = page.context
    for file in [file for file in context["script_files"] if file.attributes.get("type") == STATE]:
        context["script_files"].remove(file)
        models, shared = json.loads(file.attributes["body"])["state"], {}
        context["body"] = SHOWN.sub(partial(in_words, page, models), context["body"])
        for id, model in models.items():
            if base := {name: model["state"].pop(name) for name in SHARED if name in model["state"]}:
                model["base"] = "base-" + digest(json.dumps(base))
                shared.setdefault(model["base"], ({model["base"]: {"state": base}}, []))[1].append(id)
        groups = [reached(models, view) for view in dict.fromkeys(MODEL.findall(context["body"])) if view in models]
        for state, ids in [*shared.values(), *(({id: models[id] for id in ids}, ids) for ids in groups)]:
            # a script, because a page that was opened as a file may not fetch
            script = f"npoWidgetState({json.dumps({'state': state}, sort_keys=True)});\n"
            name = f"_static/widgets/{digest(script)}.js"
            page.publish(name, script)
            source = f'data-src="{page.path(name)}" data-models="{" ".join(ids)}"'
            context["body"] += f'<script type="{STATE}" {source}></script>\n'
