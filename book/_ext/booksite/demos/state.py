"""Widgets of notebook outputs move in a static page, with no kernel and no other host.

MyST-NB writes the state of a page's widgets into its head and asks another host for the scripts that show it. Here each
widget's state goes to a file of its own that is fetched when it comes near, what all of them share to one more, and the
script that mounts them is the one that the settings name. Until then, in print, and without JavaScript, the
picture that a widget's output carries stands in for it.
"""

import hashlib
import json
import re
from pathlib import Path

from docutils import nodes

STATE = "application/vnd.jupyter.widget-state+json"
VIEW = "application/vnd.jupyter.widget-view+json"
# the same in every widget of a kind, and much of what a state weighs
SHARED = ("_esm", "_css")


def stand_in_for_widgets(document, env):
    """Before MyST-NB keeps one form of each output and drops the others."""
    mount_script = Path(env.srcdir, env.config.booksite.mount_script).read_text("utf-8")
    for bundle in list(document.findall(nodes.container)):
        if bundle.get("nb_element") != "mime_bundle":
            continue
        forms = {form["mime_type"]: form for form in bundle.children}
        # a widget brings the script for pages that have none
        if "text/html" in forms and mount_script in forms["text/html"].astext():
            bundle.parent.remove(bundle)
            continue
        if VIEW in forms and "image/svg+xml" in forms:
            picture = nodes.image("", **next(forms["image/svg+xml"].findall(nodes.image)).attributes)
            picture["alt"] = forms["text/plain"].astext()
            forms[VIEW] += nodes.container("", picture, classes=["widget-stand-in"])


def reached(models, start):
    """The ids of a model and of all that it refers to."""
    found = [start]
    for model in found:
        found += sorted(models.keys() & set(re.findall(r"IPY_MODEL_(\w+)", json.dumps(models[model]))) - set(found))
    return found


def split(models, views):
    """Parts of the state, and for each the ids of the models that need it: first what is shared, then view by view."""
    shared, states = {}, []
    for view in views:
        ids = reached(models, view)
        own = {id: models[id] | {"state": dict(models[id]["state"])} for id in ids}
        for id, model in own.items():
            base = {name: model["state"].pop(name) for name in SHARED if name in model["state"]}
            if base:
                model["base"] = "base-" + digest(json.dumps(base))
                shared.setdefault(model["base"], ({model["base"]: {"state": base}}, []))[1].append(id)
        states.append((own, ids))
    return [*shared.values(), *states]


def digest(text):
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def move_state(page):
    context = page.context
    for file in [file for file in context["script_files"] if file.attributes.get("type") == STATE]:
        context["script_files"].remove(file)
        models = json.loads(file.attributes["body"])["state"]
        shown = re.findall(rf'<script type="{re.escape(VIEW)}">(.*?)</script>', context["body"])
        views = dict.fromkeys(json.loads(view)["model_id"] for view in shown)
        for state, ids in split(models, [view for view in views if view in models]):
            # a script, because a page that was opened as a file may not fetch
            script = f"npoWidgetState({json.dumps({'state': state}, sort_keys=True)});\n"
            name = f"_static/widgets/{digest(script)}.js"
            target = Path(page.app.outdir, name)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(script, "utf-8")
            source = f'data-src="{page.path(name)}" data-models="{" ".join(ids)}"'
            context["body"] += f'<script type="{STATE}" {source}></script>\n'
