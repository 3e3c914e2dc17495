"""Widgets of notebook outputs move in a static page, with no kernel and no other host.

MyST-NB writes the state of a page's widgets into its head and asks another host for the scripts that show it. Here each
widget's state goes to a file of its own that is fetched when it comes near, what all of them share to one more, and the
script that mounts them is the one that `widget_mount_script` names. Until then, in print, and without JavaScript, the
picture that a widget's output carries stands in for it.
"""

import hashlib
import json
import re
import shutil
from pathlib import Path

from docutils import nodes
from sphinx.transforms.post_transforms import SphinxPostTransform

STATE = "application/vnd.jupyter.widget-state+json"
VIEW = "application/vnd.jupyter.widget-view+json"
# the same in every widget of a kind, and much of what a state weighs
SHARED = ("_esm", "_css")


class StandIn(SphinxPostTransform):
    """Before MyST-NB keeps one form of each output and drops the others."""

    default_priority = 3
    formats = ("html",)

    def run(self, **kwargs):
        mount_script = Path(self.app.srcdir, self.config.widget_mount_script).read_text("utf-8")
        for bundle in list(self.document.findall(nodes.container)):
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


def move_state(app, pagename, templatename, context, doctree):
    for file in [file for file in context["script_files"] if file.attributes.get("type") == STATE]:
        context["script_files"].remove(file)
        models = json.loads(file.attributes["body"])["state"]
        shown = re.findall(rf'<script type="{re.escape(VIEW)}">(.*?)</script>', context["body"])
        views = dict.fromkeys(json.loads(view)["model_id"] for view in shown)
        for state, ids in split(models, [view for view in views if view in models]):
            # a script, because a page that was opened as a file may not fetch
            script = f"npoWidgetState({json.dumps({'state': state}, sort_keys=True)});\n"
            name = f"_static/widgets/{digest(script)}.js"
            target = Path(app.outdir, name)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(script, "utf-8")
            source = f'data-src="{context["pathto"](name, 1)}" data-models="{" ".join(ids)}"'
            context["body"] += f'<script type="{STATE}" {source}></script>\n'


def copy_mount_script(app, exception):
    if not exception and app.builder.format == "html":
        shutil.copy(Path(app.srcdir, app.config.widget_mount_script), Path(app.outdir, "_static"))


def setup(app):
    app.add_config_value("widget_mount_script", "", "html", str)
    app.add_post_transform(StandIn)
    app.connect("html-page-context", move_state, priority=950)
    app.connect("build-finished", copy_mount_script)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
